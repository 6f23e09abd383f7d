//! The stream cipher RC4, alone and interleaved with MD5.
//!
//! Spec: RC4.

use std::fmt::{self, Debug, Formatter};

use zeroize::{Zeroize, ZeroizeOnDrop};

use super::KeyError;
use crate::hash::{Blocks, HashContext, Md5, State, copy, md5};

/// RC4 with a key: the state of its keystream, which goes on from call to call. Wiped when it is dropped.
///
/// Its keystream is not uniform, so that what is encrypted often enough can be recovered: for the protocols that
/// prescribe it only. It reads and writes its table at secret places.
pub struct Rc4(Keystream);

impl Rc4 {
    /// The shortest key, in bytes.
    pub const MIN_KEY_LEN: usize = 5;

    /// The longest key, in bytes.
    pub const MAX_KEY_LEN: usize = 256;

    /// The beginning of the keystream under `key`, which is of [`MIN_KEY_LEN`](Self::MIN_KEY_LEN) to
    /// [`MAX_KEY_LEN`](Self::MAX_KEY_LEN) bytes.
    ///
    /// # Errors
    ///
    /// [`KeyError::KeyLength`].
    pub fn new(key: &[u8]) -> Result<Self, KeyError> {
        let (min, max) = (Self::MIN_KEY_LEN, Self::MAX_KEY_LEN);
        if (min..=max).contains(&key.len()) {
            Ok(Self(Keystream::new(key)))
        } else {
            Err(KeyError::KeyLength { length: key.len(), min, max })
        }
    }

    /// Encrypts or decrypts `data`, which is the same.
    pub fn apply(&mut self, data: &mut [u8]) {
        let mut run = self.0.run();
        let (words, rest) = data.as_chunks_mut::<8>();
        for word in words {
            let key = (0..8).fold(0, |key, index| key | u64::from(run.next()) << (8 * index));
            *word = (u64::from_le_bytes(*word) ^ key).to_le_bytes();
        }
        for byte in rest {
            *byte ^= low_byte(run.next());
        }
        (self.0.i, self.0.j) = (run.i, run.j);
    }

    /// Goes back by `count` bytes of the keystream: each of its steps can be undone, which costs less than another beginning.
    /// What was before the beginning is no keystream.
    pub fn rewind(&mut self, count: usize) {
        (0..count).for_each(|_| self.0.step_back());
    }

    /// Appends `data`, the plaintext, to `hash`, and encrypts it.
    pub fn encrypt_hashing(&mut self, hash: &mut HashContext, data: &mut [u8]) {
        let mut at = Places { keystream: 0, hash: 0 };
        if let State::Md5(blocks) = &mut hash.0 {
            // The hash goes ahead, so that it never meets what is encrypted already.
            let (ahead, aligned) = (blocks.lacking() + 2 * BLOCK_LEN, self.0.until_aligned());
            if let Some(head) = data.get_mut(..ahead) {
                blocks.update(head);
                self.apply(head.get_mut(..aligned).unwrap_or_default());
                at = Places { keystream: aligned, hash: ahead };
                self.0.interleave(blocks, data, &mut at);
            }
        }
        hash.update(data.get(at.hash..).unwrap_or_default());
        self.apply(data.get_mut(at.keystream..).unwrap_or_default());
    }

    /// Decrypts `data`, and appends the plaintext to `hash`.
    pub fn decrypt_hashing(&mut self, hash: &mut HashContext, data: &mut [u8]) {
        let mut at = Places { keystream: 0, hash: 0 };
        if let State::Md5(blocks) = &mut hash.0 {
            // The hash comes behind.
            let (lacking, ahead) = (blocks.lacking(), self.0.until_aligned() + 2 * BLOCK_LEN);
            if let Some(head) = data.get_mut(..ahead) {
                self.apply(head);
                blocks.update(head.get(..lacking).unwrap_or_default());
                at = Places { keystream: ahead, hash: lacking };
                self.0.interleave(blocks, data, &mut at);
            }
        }
        self.apply(data.get_mut(at.keystream..).unwrap_or_default());
        hash.update(data.get(at.hash..).unwrap_or_default());
    }
}

impl Rc4 {
    /// Where the keystream is, to go on from there elsewhere.
    #[must_use]
    pub fn state(&self) -> Rc4State {
        let Keystream { table, i, j } = &self.0;
        let mut state = Rc4State([0; Rc4State::LEN]);
        let place = next_place(*i);
        let bytes = table.iter().chain([&place, j]).map(|word| low_byte(*word));
        state.0.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
        state
    }
}

/// The place of the entry that the next byte of the keystream begins with, as a word.
fn next_place(i: usize) -> u32 {
    let [place, ..] = i.to_le_bytes();
    u32::from(place)
}

/// Where a keystream of RC4 is: the 256 entries of its table, and its two places. Wiped when it is dropped.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Rc4State([u8; Self::LEN]);

impl Rc4State {
    /// Its length, in bytes.
    pub const LEN: usize = 258;

    /// From its bytes; `None` where the table is no permutation.
    #[must_use]
    pub fn from_bytes(bytes: [u8; Self::LEN]) -> Option<Self> {
        let state = Self(bytes);
        let mut seen = [false; 256];
        for (entry, _) in state.0.iter().zip(0..256) {
            let seen = seen.get_mut(usize::from(*entry))?;
            if core::mem::replace(seen, true) {
                return None;
            }
        }
        Some(state)
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }
}

impl Debug for Rc4State {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rc4State").finish_non_exhaustive()
    }
}

impl From<&Rc4State> for Rc4 {
    /// Goes on from there.
    fn from(state: &Rc4State) -> Self {
        let mut table = [0; 256];
        table.iter_mut().zip(&state.0).for_each(|(to, from)| *to = u32::from(*from));
        let [.., i, j] = state.0;
        Self(Keystream { table, i: usize::from(i), j: u32::from(j) })
    }
}

impl Debug for Rc4 {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rc4").finish_non_exhaustive()
    }
}

/// The length of a block of MD5, in bytes.
const BLOCK_LEN: usize = 64;

/// How far the one and the other have got in the same data.
struct Places {
    keystream: usize,
    hash: usize,
}

impl Places {
    /// The next blocks for both, if there are, and they do not overlap.
    #[inline(always)]
    fn blocks<'a>(&self, data: &'a mut [u8]) -> Option<(&'a mut [u8; BLOCK_LEN], &'a [u8; BLOCK_LEN])> {
        let (low, high) = data.split_at_mut_checked(self.keystream.max(self.hash))?;
        let low = low.get_mut(self.keystream.min(self.hash)..)?.first_chunk_mut()?;
        let high = high.first_chunk_mut()?;
        Some(if self.keystream < self.hash { (low, high) } else { (high, low) })
    }
}

/// The state of the keystream. Wiped when it is dropped.
struct Keystream {
    /// A permutation of 0 to 255, in words, which are read and written at less cost than bytes.
    table: [u32; 256],
    /// The entry that the next byte of the stream begins with, less than 256.
    i: usize,
    /// The lowest 8 bits are what counts: to cut the others off at every byte would cost time.
    j: u32,
}

impl Drop for Keystream {
    fn drop(&mut self) {
        // As a slice: an array is wiped entry by entry, which takes as long as the key schedule's half.
        self.table.as_mut_slice().zeroize();
        (self.i, self.j).zeroize();
    }
}

#[expect(clippy::indexing_slicing, reason = "a table of 256 entries has every entry that a byte can name")]
impl Keystream {
    fn new(key: &[u8]) -> Self {
        let mut table = [0; 256];
        table.iter_mut().zip(0..).for_each(|(entry, index)| *entry = index);
        let mut repeated = [0; 256];
        repeated.chunks_mut(key.len().max(1)).for_each(|chunk| copy(key, chunk));
        let (mut j, mut x) = (0_u32, 0);
        for (i, key) in repeated.iter().enumerate() {
            j = j.wrapping_add(x).wrapping_add(u32::from(*key));
            let place = usize::from(low_byte(j));
            // As in `Run::next`.
            let next = (i + 1) % 256;
            let ahead = table[next];
            (table[i], table[place]) = (table[place], x);
            x = if place == next { table[next] } else { ahead };
        }
        repeated.as_mut_slice().zeroize();
        Self { table, i: 1, j: 0 }
    }

    fn run(&mut self) -> Run<'_> {
        Run { x: self.table[self.i % 256], i: self.i, j: self.j, table: &mut self.table }
    }

    /// Undoes what `Run::next` does.
    fn step_back(&mut self) {
        self.i = (self.i + 255) % 256;
        let (i, j) = (self.i, usize::from(low_byte(self.j)));
        let x = self.table[j];
        (self.table[i], self.table[j]) = (x, self.table[i]);
        self.j = self.j.wrapping_sub(x);
    }

    /// How many bytes there are until [`interleave`](Self::interleave) can go on.
    fn until_aligned(&self) -> usize {
        self.i.next_multiple_of(BLOCK_LEN) - self.i
    }

    /// Applies the keystream to blocks of `data` and takes others into the hash, as long as there are for both, the one
    /// between the steps of the other: each waits for its own results most of the time.
    ///
    /// A block of the stream goes through a quarter of the table, so that the entries stand as constants in the code.
    fn interleave(&mut self, hash: &mut Blocks<Md5, BLOCK_LEN>, data: &mut [u8], at: &mut Places) {
        let (table, mut j) = (&mut self.table, self.j);
        let mut quarter = self.i / BLOCK_LEN;
        let mut words = hash.taking_in(0).0;
        let mut count = 0;
        while let Some((chunk, block)) = at.blocks(data) {
            let first = quarter % 4 * BLOCK_LEN;
            let mut next = |number| {
                let i = first + number;
                let x = table[i];
                j = j.wrapping_add(x);
                let place = usize::from(low_byte(j));
                let y = table[place];
                (table[i], table[place]) = (y, x);
                u16::from(low_byte(table[usize::from(low_byte(x.wrapping_add(y)))]))
            };
            let pieces = chunk.as_chunks_mut().0;
            let (mut even, mut odd) = ([0; 8], [0; 8]);
            words = md5::compress_block(
                words,
                block,
                #[inline(always)]
                |four| {
                    for pair in [2 * four, 2 * four + 1] {
                        (even[pair % 8], odd[pair % 8]) = (next(2 * pair), next(2 * pair + 1));
                    }
                    if four % 4 == 3 {
                        combine(&mut pieces[four / 4], &even, &odd);
                    }
                },
            );
            quarter += 1;
            (at.keystream, at.hash) = (at.keystream + BLOCK_LEN, at.hash + BLOCK_LEN);
            count += 1;
        }
        hash.taking_in(count).0 = words;
        (self.i, self.j) = (quarter % 4 * BLOCK_LEN, j);
    }
}

/// Combines `piece` with the bytes of the keystream, of which each second one has come to `even` and to `odd`: vectors
/// are filled in pairs of bytes.
#[inline(always)]
fn combine(piece: &mut [u8; 16], even: &[u16; 8], odd: &[u16; 8]) {
    for ((pair, even), odd) in piece.as_chunks_mut().0.iter_mut().zip(even).zip(odd) {
        *pair = (u16::from_le_bytes(*pair) ^ (even | odd << 8)).to_le_bytes();
    }
}

/// The keystream while it is made, with what every byte changes at hand.
struct Run<'a> {
    table: &'a mut [u32; 256],
    i: usize,
    j: u32,
    /// The entry at `i`.
    x: u32,
}

#[expect(clippy::indexing_slicing, reason = "a table of 256 entries has every entry that a byte can name")]
impl Run<'_> {
    #[inline(always)]
    fn next(&mut self) -> u32 {
        let (i, x) = (self.i % 256, self.x);
        self.j = self.j.wrapping_add(x);
        let j = usize::from(low_byte(self.j));
        // The next entry is read before this one is exchanged, or the processor has to find out whether it was that one.
        self.i = (i + 1) % 256;
        self.x = self.table[self.i];
        let y = self.table[j];
        self.table[i] = y;
        self.table[j] = x;
        if j == self.i {
            self.x = self.table[j];
        }
        self.table[usize::from(low_byte(x.wrapping_add(y)))]
    }
}

fn low_byte(word: u32) -> u8 {
    let [byte, ..] = word.to_le_bytes();
    byte
}

#[cfg(test)]
mod tests;
