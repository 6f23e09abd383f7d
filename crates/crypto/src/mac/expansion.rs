//! P_hash: MACs of the same data again and again, but for what comes first in it.
//!
//! The data are laid out once as the blocks that the hash takes, padding included, so that nothing is gathered or padded
//! again.
//!
//! Spec: TLS12 section 5; HMAC section 2.

use std::slice;

use super::Key;
use crate::hash::{Function, Padded, copy};

/// `HMAC(secret, A(1) + seed) + HMAC(secret, A(2) + seed) + ...`, where `A(0)` is the seed and `A(i)` is
/// `HMAC(secret, A(i-1))`.
///
/// What lies here is no secret: from every `A(i)`, and from the inner hashes, nothing comes without the key.
pub(super) struct Expansion<'a, F: Function<LEN>, const LEN: usize> {
    key: &'a Key<F>,
    output_len: usize,
    /// `A(i) + seed` behind the inner block of the key.
    seeded: Padded<LEN>,
    /// An output of the hash behind a block of the key, whichever it is: they are equally long.
    output: [u8; LEN],
    /// The same for `A(i + 1)`, which is made beside the output of `A(i)`.
    next: [u8; LEN],
}

impl<'a, F: Function<LEN>, const LEN: usize> Expansion<'a, F, LEN> {
    pub(super) fn new(key: &'a Key<F>, output_len: usize, label: &[u8], seed_parts: &[&[u8]]) -> Self {
        let seed = || [label].into_iter().chain(seed_parts.iter().copied());
        let mut next = [0; LEN];
        let place = next.get(..output_len).unwrap_or_default();
        if let Some(block) = Padded::<LEN>::new::<F>([place].into_iter()).blocks().first() {
            next = *block;
        }
        let output = next;

        let (mut inner, mut outer) = (key.inner.clone(), key.outer.clone());
        inner.compress(Padded::new::<F>(seed()).blocks());
        write(&inner, output_len, &mut next);
        outer.compress(slice::from_ref(&next));
        write(&outer, output_len, &mut next);
        let first = next.get(..output_len).unwrap_or_default();
        let seeded = Padded::new::<F>([first].into_iter().chain(seed()));
        Self { key, output_len, seeded, output, next }
    }

    /// The next output, as far as `out` is long. `more` says that another one is wanted.
    #[inline]
    pub(super) fn next(&mut self, out: &mut [u8], more: bool) {
        let Some((first, rest)) = self.seeded.blocks().split_first() else { return };
        let (mut inner, mut outer) = (self.key.inner.clone(), self.key.outer.clone());
        if more {
            // Neither waits for the other.
            let (mut next_inner, mut next_outer) = (self.key.inner.clone(), self.key.outer.clone());
            F::compress_two((&mut inner, first), (&mut next_inner, &self.next));
            write(&next_inner, self.output_len, &mut self.next);
            if let Some((second, rest)) = rest.split_first() {
                F::compress_two((&mut inner, second), (&mut next_outer, &self.next));
                inner.compress(rest);
                write(&inner, self.output_len, &mut self.output);
                outer.compress(slice::from_ref(&self.output));
            } else {
                write(&inner, self.output_len, &mut self.output);
                F::compress_two((&mut outer, &self.output), (&mut next_outer, &self.next));
            }
            write(&next_outer, self.output_len, &mut self.next);
        } else {
            inner.compress(self.seeded.blocks());
            write(&inner, self.output_len, &mut self.output);
            outer.compress(slice::from_ref(&self.output));
        }
        outer.write_output(out.get_mut(..self.output_len.min(out.len())).unwrap_or_default());
        outer.zeroize();
        if let Some(first) = self.seeded.blocks_mut().first_mut().filter(|_| more) {
            copy(self.next.get(..self.output_len).unwrap_or_default(), first);
        }
    }
}

/// Puts an output into the beginning of a block whose end is padding.
#[inline]
fn write<F: Function<LEN>, const LEN: usize>(function: &F, output_len: usize, block: &mut [u8; LEN]) {
    function.write_output(block.get_mut(..output_len).unwrap_or_default());
}

/// Fills `out` with what an expansion yields.
pub(super) fn fill<F: Function<LEN>, const LEN: usize>(mut expansion: Expansion<'_, F, LEN>, out: &mut [u8]) {
    let mut chunks = out.chunks_mut(expansion.output_len).peekable();
    while let Some(chunk) = chunks.next() {
        expansion.next(chunk, chunks.peek().is_some());
    }
}
