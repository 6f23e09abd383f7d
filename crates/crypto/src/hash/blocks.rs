//! Data as the blocks of a hash function: what comes is gathered to whole blocks, and padded at the end.
//!
//! Spec: MD5 sections 3.1 and 3.2; SHS section 5.1.

use std::hint::black_box;
use std::slice;

use zeroize::Zeroize;

use super::functions::Function;
use super::{Digest, HashContext, copy};
use crate::constant_time::{Mask, ct_eq_usize, ct_lt, ct_select};

/// A hash in progress. Wiped when it is dropped.
#[derive(Clone)]
pub(crate) struct Blocks<F: Function<LEN>, const LEN: usize> {
    function: F,
    /// The data that is no whole block yet comes first in it; what follows is zeros.
    buffer: [u8; LEN],
    /// The length of the data in the buffer, less than a block.
    buffered: usize,
    /// The length of all data, in bytes.
    total: u64,
}

impl<F: Function<LEN>, const LEN: usize> Blocks<F, LEN> {
    pub(super) const fn new(initial: F) -> Self {
        Self { function: initial, buffer: [0; LEN], buffered: 0, total: 0 }
    }

    /// Goes on from the chaining value that one block left.
    #[inline]
    pub(crate) const fn behind_a_block(function: F) -> Self {
        Self { function, buffer: [0; LEN], buffered: 0, total: LEN as u64 }
    }

    /// How many bytes the next block lacks: as many must come for nothing to be buffered.
    #[inline]
    pub(crate) const fn lacking(&self) -> usize {
        if self.buffered == 0 { 0 } else { LEN - self.buffered }
    }

    /// The chaining value, for a caller that itself takes in whole blocks, `count` of them. If there are any, nothing may
    /// be buffered.
    #[inline]
    pub(crate) fn taking_in(&mut self, count: usize) -> &mut F {
        debug_assert!(count == 0 || self.buffered == 0);
        self.total = self.total.wrapping_add((count * LEN) as u64);
        &mut self.function
    }

    #[inline]
    pub(crate) fn update(&mut self, data: &[u8]) {
        self.total = self.total.wrapping_add(data.len() as u64);
        let mut rest = data;
        if self.buffered > 0 {
            let room = self.buffer.get_mut(self.buffered..).unwrap_or_default();
            let Some((head, tail)) = data.split_at_checked(room.len()) else {
                copy(data, room);
                self.buffered += data.len();
                return;
            };
            room.copy_from_slice(head);
            self.function.compress(slice::from_ref(&self.buffer));
            self.buffer = [0; LEN];
            rest = tail;
        }
        let (blocks, tail) = rest.as_chunks();
        if !blocks.is_empty() {
            self.function.compress(blocks);
        }
        copy(tail, &mut self.buffer);
        self.buffered = tail.len();
    }

    pub(crate) fn finish(mut self, output_len: usize) -> Digest {
        if let Some(end) = self.buffer.get_mut(self.buffered) {
            *end = END_OF_DATA;
        }
        if self.buffered + 1 + F::LENGTH_LEN > LEN {
            self.function.compress(slice::from_ref(&self.buffer));
            self.buffer = [0; LEN];
        }
        add_length::<F, LEN>(&mut self.buffer, self.total);
        self.function.compress(slice::from_ref(&self.buffer));
        let mut digest = Digest::of_len(output_len);
        self.function.write_output(digest.as_mut());
        digest
    }

    /// See [`HashContext::finish_secret_len`]. Public are the length of `data`, and so `min` and the number of
    /// blocks that can be the last; the data may end in any of them. Each is made as if it were the last one, and
    /// taken in, and the output kept of the one that was.
    pub(super) fn finish_secret_len(mut self, data: &[u8], len: usize, output_len: usize) -> Digest {
        let min = data.len().saturating_sub(HashContext::MAX_SECRET_VARIATION);
        let len = ct_select(ct_lt(len, min), min, len);
        let len = ct_select(ct_lt(data.len(), len), data.len(), len);
        // Whole blocks that are data however long it is need no mask.
        let lacking = self.lacking();
        let plain = if min < lacking { 0 } else { min - (min - lacking) % LEN };
        let (head, tail) = data.split_at(plain);
        self.update(head);

        let (before, end) = (self.buffered, self.buffered + (len - plain));
        let field = F::length_field((u128::from(self.total) + (len - plain) as u128) << 3);
        let last = black_box((end + F::LENGTH_LEN) / LEN);
        let mut digest = Digest::of_len(output_len);
        let mut output = [0; Digest::MAX_LEN];
        let mut tail = tail;
        for index in 0..=(before + tail.len() + F::LENGTH_LEN) / LEN {
            let room = self.buffer.get_mut(self.buffered..).unwrap_or_default();
            let (next, rest) = tail.split_at(room.len().min(tail.len()));
            room.iter_mut().zip(next).for_each(|(to, from)| *to = *from);
            (tail, self.buffered) = (rest, 0);
            let is_last = ct_eq_usize(index, last);
            cut_off(&mut self.buffer, end.wrapping_sub(index * LEN));
            or_into_end(&mut self.buffer, &field, is_last);
            self.function.compress(slice::from_ref(&self.buffer));
            self.function.write_output(&mut output);
            let keep = is_last.to_u8();
            digest.as_mut().iter_mut().zip(&output).for_each(|(to, from)| *to |= from & keep);
        }
        output.as_mut_slice().zeroize();
        digest
    }
}

impl<F: Function<LEN>, const LEN: usize> Drop for Blocks<F, LEN> {
    fn drop(&mut self) {
        self.function.zeroize();
        self.buffer.as_mut_slice().zeroize();
    }
}

/// Data that come behind one block, and their padding, as the blocks that are left to be taken in. Wiped when it is dropped.
pub(crate) struct Padded<const LEN: usize> {
    /// All of them, if they are no more: what a handshake expands has room here.
    short: [[u8; LEN]; 2],
    short_len: usize,
    /// All of them, if they are more.
    long: Vec<[u8; LEN]>,
}

impl<const LEN: usize> Padded<LEN> {
    /// Whether so many bytes of data take no memory of their own.
    #[inline]
    pub(crate) const fn is_short<F: Function<LEN>>(data: usize) -> bool {
        data < 2 * LEN - F::LENGTH_LEN
    }

    #[inline]
    pub(crate) fn new<'a, F: Function<LEN>>(parts: impl Iterator<Item = &'a [u8]> + Clone) -> Self {
        let data: usize = parts.clone().map(<[u8]>::len).sum();
        let count = (data + 1 + F::LENGTH_LEN).div_ceil(LEN);
        let mut padded = Self { short: [[0; LEN]; 2], short_len: count, long: Vec::new() };
        if count > padded.short.len() {
            padded.long = vec![[0; LEN]; count];
        }
        let mut rest = padded.blocks_mut().as_flattened_mut();
        for part in parts {
            let (to, behind) = rest.split_at_mut_checked(part.len()).unwrap_or_default();
            copy(part, to);
            rest = behind;
        }
        if let Some(end) = rest.first_mut() {
            *end = END_OF_DATA;
        }
        if let Some(last) = padded.blocks_mut().last_mut() {
            add_length::<F, LEN>(last, (LEN + data) as u64);
        }
        padded
    }

    #[inline]
    pub(crate) fn blocks(&self) -> &[[u8; LEN]] {
        self.short.get(..self.short_len).unwrap_or(&self.long)
    }

    #[inline]
    pub(crate) fn blocks_mut(&mut self) -> &mut [[u8; LEN]] {
        self.short.get_mut(..self.short_len).unwrap_or(&mut self.long)
    }
}

impl<const LEN: usize> Drop for Padded<LEN> {
    #[inline]
    fn drop(&mut self) {
        self.short.as_flattened_mut().zeroize();
        if !self.long.is_empty() {
            self.long.as_flattened_mut().zeroize();
        }
    }
}

/// What follows the data: a bit that is set, and zeros.
const END_OF_DATA: u8 = 0x80;

/// Puts the field of the length of all data, in bytes, into the end of the last block. The field is no longer than what is left
/// for it: the bytes before a shorter one are zeros.
#[inline]
fn add_length<F: Function<LEN>, const LEN: usize>(block: &mut [u8; LEN], total: u64) {
    if let Some(last) = block.last_chunk_mut() {
        let field = u128::from_ne_bytes(F::length_field(u128::from(total) << 3));
        *last = (u128::from_ne_bytes(*last) | field).to_ne_bytes();
    }
}

/// Combines the end of `buffer` with the field of the length, if the mask says yes. The field is no longer than what
/// is left for it: the bytes before a shorter one are zeros.
fn or_into_end(buffer: &mut [u8], field: &[u8; 16], mask: Mask) {
    let mask = mask.to_u8();
    if let Some(last) = buffer.last_chunk_mut::<16>() {
        last.iter_mut().zip(field).for_each(|(to, from)| *to |= from & mask);
    }
}

/// Puts [`END_OF_DATA`] at byte `end` of `buffer`, which is a secret, and zeros behind it; `end` may lie behind the
/// buffer (nothing happens) or, wrapped around, before it (all is zeros), by less than 2^15 - 256.
fn cut_off(buffer: &mut [u8], end: usize) {
    let [low, high, ..] = black_box(end).to_le_bytes();
    let end = u16::from_le_bytes([low, high]);
    // A number less than zero has the highest bit. Made of it, masks of all bytes at once are what vectors are for.
    let is_negative = |difference: u16| (difference >> 15).wrapping_neg();
    for (byte, index) in buffer.iter_mut().zip(0_u16..) {
        let is_before = is_negative(index.wrapping_sub(end));
        let is_not_behind = is_negative(index.wrapping_sub(end).wrapping_sub(1));
        let marked = is_not_behind & !is_before & u16::from(END_OF_DATA);
        [*byte, _] = (u16::from(*byte) & is_before | marked).to_le_bytes();
    }
}

#[cfg(test)]
mod tests;
