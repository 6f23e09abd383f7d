//! AES and SHA-1 with the instructions of x86-64.
//!
//! CBC begins with a block when the one before it is encrypted, and so has the processor wait for most of the time:
//! SHA-1, interleaved with it, costs next to nothing. Vectors are loaded and stored as integers, and so without
//! pointers; what is left of unsafe code is one call, from code for every processor to code for those that have the
//! instructions.
//!
//! Spec: AES section 5; CBC section 6.2; SHS section 6.1.

use std::arch::x86_64::{
    __m128i, _mm_aesdec_si128, _mm_aesdeclast_si128, _mm_aesenc_si128, _mm_aesenclast_si128,
    _mm_aesimc_si128, _mm_cvtsi128_si32, _mm_cvtsi128_si64, _mm_extract_epi64, _mm_set_epi32, _mm_set_epi64x,
    _mm_set1_epi32, _mm_setzero_si128, _mm_xor_si128,
};
use std::hint::black_box;

use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use self::sha1::Sha1;
use self::sha256::Sha256;
use crate::cipher::cbc::Chained;
use crate::hash::{HashContext, State};

mod sha1;
mod sha256;

/// An expanded key.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(in crate::cipher) enum Aes {
    Aes128(Keys<9>),
    Aes256(Keys<13>),
}

impl Aes {
    /// A key to encrypt with; `None` if it is not of 16 or 32 bytes, or the processor lacks the instructions.
    pub(super) fn encrypting(key: &[u8]) -> Option<Self> {
        let mut expanded = None;
        perform(Task::Expand { key, expanded: &mut expanded });
        expanded
    }

    /// A key to decrypt with; `None` if it is not of 16 or 32 bytes, or the processor lacks the instructions.
    pub(super) fn decrypting(key: &[u8]) -> Option<Self> {
        let mut key = Self::encrypting(key)?;
        perform(Task::Invert { key: &mut key });
        Some(key)
    }

    /// Encrypts `data`, which is whole blocks.
    pub(super) fn encrypt(&self, chained: &mut Chained, data: &mut [u8]) {
        perform(Task::Encrypt { key: self, chained, data });
    }

    /// Decrypts `data`, which is whole blocks.
    pub(super) fn decrypt(&self, chained: &mut Chained, data: &mut [u8]) {
        perform(Task::Decrypt { key: self, chained, data });
    }

    /// Appends `data`, which is whole blocks, to `hash` and encrypts it: interleaved for SHA-1 and SHA-256, otherwise
    /// the one after the other.
    pub(super) fn encrypt_hashing(&self, chained: &mut Chained, hash: &mut HashContext, data: &mut [u8]) {
        let lacking = match &hash.0 {
            State::Sha1(blocks) => blocks.lacking(),
            State::Sha256(blocks) => blocks.lacking(),
            _ => data.len(),
        };
        let ahead = lacking.min(data.len());
        let (head, rest) = data.split_at(ahead);
        hash.update(head);
        let count = rest.len() / HASH_BLOCK_LEN;
        match &mut hash.0 {
            State::Sha1(blocks) => {
                let words = &mut blocks.taking_in(count).0;
                perform(Task::EncryptWithSha1 { key: self, chained, words, data, ahead });
            }
            State::Sha256(blocks) => {
                let words = &mut blocks.taking_in(count).0;
                perform(Task::EncryptWithSha256 { key: self, chained, words, data, ahead });
            }
            _ => (),
        }
        let encrypted = count * HASH_BLOCK_LEN;
        hash.update(data.get(ahead + encrypted..).unwrap_or_default());
        self.encrypt(chained, data.get_mut(encrypted..).unwrap_or_default());
    }
}

/// The length of a block of SHA-1 and SHA-256, in bytes: that of four blocks of AES.
const HASH_BLOCK_LEN: usize = 64;

/// What is done with the instructions.
enum Task<'a> {
    Expand {
        key: &'a [u8],
        expanded: &'a mut Option<Aes>,
    },
    Invert {
        key: &'a mut Aes,
    },
    Encrypt {
        key: &'a Aes,
        chained: &'a mut Chained,
        data: &'a mut [u8],
    },
    Decrypt {
        key: &'a Aes,
        chained: &'a mut Chained,
        data: &'a mut [u8],
    },
    EncryptWithSha1 {
        key: &'a Aes,
        chained: &'a mut Chained,
        words: &'a mut [u32; 5],
        data: &'a mut [u8],
        ahead: usize,
    },
    EncryptWithSha256 {
        key: &'a Aes,
        chained: &'a mut Chained,
        words: &'a mut [u32; 8],
        data: &'a mut [u8],
        ahead: usize,
    },
}

/// Performs `task` if the processor has the instructions, which it has whenever there is an [`Aes`].
fn perform(task: Task<'_>) {
    let has_instructions = is_x86_feature_detected!("aes")
        && is_x86_feature_detected!("sha")
        && is_x86_feature_detected!("ssse3")
        && is_x86_feature_detected!("sse4.1");
    if has_instructions {
        #[expect(
            unsafe_code,
            reason = "whether the processor has the instructions is known at run time only"
        )]
        // SAFETY: the processor has all features that the function is compiled for, as was found out just now.
        unsafe {
            perform_with_instructions(task);
        }
    }
}

#[target_feature(enable = "aes,sha,ssse3,sse4.1")]
fn perform_with_instructions(task: Task<'_>) {
    match task {
        Task::Expand { key, expanded } => *expanded = expand(key),
        Task::Invert { key: Aes::Aes128(keys) } => invert(keys),
        Task::Invert { key: Aes::Aes256(keys) } => invert(keys),
        Task::Encrypt { key: Aes::Aes128(keys), chained, data } => encrypt(keys, chained, data),
        Task::Encrypt { key: Aes::Aes256(keys), chained, data } => encrypt(keys, chained, data),
        Task::Decrypt { key: Aes::Aes128(keys), chained, data } => decrypt(keys, chained, data),
        Task::Decrypt { key: Aes::Aes256(keys), chained, data } => decrypt(keys, chained, data),
        Task::EncryptWithSha1 { key: Aes::Aes128(keys), chained, words, data, ahead } => {
            encrypt_with_sha1(keys, chained, words, data, ahead);
        }
        Task::EncryptWithSha1 { key: Aes::Aes256(keys), chained, words, data, ahead } => {
            encrypt_with_sha1(keys, chained, words, data, ahead);
        }
        Task::EncryptWithSha256 { key: Aes::Aes128(keys), chained, words, data, ahead } => {
            encrypt_with_sha256(keys, chained, words, data, ahead);
        }
        Task::EncryptWithSha256 { key: Aes::Aes256(keys), chained, words, data, ahead } => {
            encrypt_with_sha256(keys, chained, words, data, ahead);
        }
    }
}

/// The keys of the rounds.
#[derive(Zeroize)]
pub(in crate::cipher) struct Keys<const MIDDLE: usize> {
    first: __m128i,
    middle: [__m128i; MIDDLE],
    last: __m128i,
}

/// A block of AES as the halves that a vector is made of.
type Block = [[u8; 8]; 2];

#[target_feature(enable = "sse2")]
fn load([low, high]: Block) -> __m128i {
    _mm_set_epi64x(i64::from_le_bytes(high), i64::from_le_bytes(low))
}

#[target_feature(enable = "sse4.1")]
fn store(vector: __m128i) -> Block {
    [_mm_cvtsi128_si64(vector).to_le_bytes(), _mm_extract_epi64::<1>(vector).to_le_bytes()]
}

fn blocks(data: &mut [u8]) -> &mut [Block] {
    data.as_chunks_mut().0.as_chunks_mut().0
}

/// Spec: AES section 5.2.
#[target_feature(enable = "aes,sse4.1")]
fn expand(key: &[u8]) -> Option<Aes> {
    match key.len() {
        16 => Some(Aes::Aes128(Keys::of(expanded::<44>(key).as_slice())?)),
        32 => Some(Aes::Aes256(Keys::of(expanded::<60>(key).as_slice())?)),
        _ => None,
    }
}

/// The words of the key and what follows from them, each from the one before and the one a key's length before.
#[target_feature(enable = "aes")]
#[expect(clippy::indexing_slicing, reason = "the places come from the lengths of the key and of the words")]
fn expanded<const WORDS: usize>(key: &[u8]) -> Zeroizing<[u32; WORDS]> {
    let mut words = Zeroizing::new([0; WORDS]);
    words.iter_mut().zip(key.as_chunks().0).for_each(|(word, bytes)| *word = u32::from_le_bytes(*bytes));
    let key_words = key.len() / 4;
    let mut round_constant = 1;
    for place in key_words..WORDS {
        let before = words[place - 1];
        let change = if place % key_words == 0 {
            let change = substituted(before.rotate_right(8)) ^ round_constant;
            round_constant = (round_constant << 1) ^ ((round_constant >> 7) * POLYNOMIAL);
            change
        } else if key_words > 6 && place % key_words == 4 {
            substituted(before)
        } else {
            before
        };
        words[place] = words[place - key_words] ^ change;
    }
    words
}

/// What a byte that is doubled in the field of AES is reduced by.
///
/// Spec: AES section 4.2.
const POLYNOMIAL: u32 = 0x11b;

/// The S-box for each byte of a word. The last round of AES does that, and nothing else to four words that are the
/// same: the rows that it shifts are.
#[target_feature(enable = "aes")]
fn substituted(word: u32) -> u32 {
    let all_the_same = _mm_set1_epi32(word.cast_signed());
    _mm_cvtsi128_si32(_mm_aesenclast_si128(all_the_same, _mm_setzero_si128())).cast_unsigned()
}

impl<const MIDDLE: usize> Keys<MIDDLE> {
    #[target_feature(enable = "sse2")]
    fn of(words: &[u32]) -> Option<Self> {
        let mut vectors = words.as_chunks().0.iter().map(|[a, b, c, d]| {
            _mm_set_epi32(d.cast_signed(), c.cast_signed(), b.cast_signed(), a.cast_signed())
        });
        let mut keys = Self {
            first: vectors.next()?,
            middle: [_mm_setzero_si128(); MIDDLE],
            last: vectors.next_back()?,
        };
        keys.middle.iter_mut().zip(vectors).for_each(|(key, vector)| *key = vector);
        Some(keys)
    }
}

/// Makes of the keys to encrypt with those to decrypt with.
///
/// Spec: AES section 5.3.5, the equivalent inverse cipher.
#[target_feature(enable = "aes")]
fn invert<const MIDDLE: usize>(keys: &mut Keys<MIDDLE>) {
    std::mem::swap(&mut keys.first, &mut keys.last);
    keys.middle.reverse();
    keys.middle.iter_mut().for_each(|key| *key = _mm_aesimc_si128(*key));
}

#[target_feature(enable = "aes,sse4.1")]
fn encrypt<const MIDDLE: usize>(keys: &Keys<MIDDLE>, chained: &mut Chained, data: &mut [u8]) {
    let mut chain = Chain::begin(keys, chained, data);
    while chain.has_block(data) {
        for key in &keys.middle {
            chain.round(*key);
        }
        chain.end_block(keys, data);
    }
    chain.end(chained);
}

/// Encrypts, and takes the blocks of SHA-1 in that lie `ahead`, by less than a block: what is hashed is not encrypted
/// yet.
#[target_feature(enable = "aes,sha,ssse3,sse4.1")]
fn encrypt_with_sha1<const MIDDLE: usize>(
    keys: &Keys<MIDDLE>,
    chained: &mut Chained,
    words: &mut [u32; 5],
    data: &mut [u8],
    ahead: usize,
) {
    let mut chain = Chain::begin(keys, chained, data);
    let mut sha1 = Sha1::begin(words);
    let mut hashed = ahead;
    while let Some(block) = data.get(hashed..).and_then(<[u8]>::first_chunk) {
        sha1.begin_block(block);
        chain.block_with::<5, MIDDLE>(keys, data, |part| sha1.four_rounds::<0>(part == 0));
        chain.block_with::<5, MIDDLE>(keys, data, |_| sha1.four_rounds::<1>(false));
        chain.block_with::<5, MIDDLE>(keys, data, |_| sha1.four_rounds::<2>(false));
        chain.block_with::<5, MIDDLE>(keys, data, |_| sha1.four_rounds::<3>(false));
        sha1.end_block();
        hashed += HASH_BLOCK_LEN;
    }
    chain.end(chained);
    sha1.end(words);
}

/// The same with SHA-256.
#[target_feature(enable = "aes,sha,ssse3,sse4.1")]
fn encrypt_with_sha256<const MIDDLE: usize>(
    keys: &Keys<MIDDLE>,
    chained: &mut Chained,
    words: &mut [u32; 8],
    data: &mut [u8],
    ahead: usize,
) {
    let mut chain = Chain::begin(keys, chained, data);
    let mut sha256 = Sha256::begin(words);
    let mut hashed = ahead;
    while let Some(block) = data.get(hashed..).and_then(<[u8]>::first_chunk) {
        sha256.begin_block(block);
        for [first, second, third, fourth] in &sha256::CONSTANTS {
            chain.block_with::<4, MIDDLE>(keys, data, |part| match part {
                0 => sha256.four_rounds(first),
                1 => sha256.four_rounds(second),
                2 => sha256.four_rounds(third),
                _ => sha256.four_rounds(fourth),
            });
        }
        sha256.end_block();
        hashed += HASH_BLOCK_LEN;
    }
    chain.end(chained);
    sha256.end(words);
}

/// A block on its way, and the one behind it.
///
/// A block is combined with the ciphertext before it and with the first key, the result of the last round with the last
/// key. All of this is combined beforehand, so that the last round of a block yields what goes into the next one.
struct Chain {
    /// What goes into the next round.
    state: __m128i,
    /// The plaintext of the block that `state` belongs to, combined with the first key.
    whitened: __m128i,
    /// The number of this block.
    place: usize,
}

impl Chain {
    #[target_feature(enable = "sse2")]
    fn begin<const MIDDLE: usize>(keys: &Keys<MIDDLE>, chained: &mut Chained, data: &mut [u8]) -> Self {
        let whitened = Self::whitened(keys, data, 0);
        let last = blocks(chained).first().map_or(_mm_setzero_si128(), |block| load(*block));
        Self { state: _mm_xor_si128(last, whitened), whitened, place: 0 }
    }

    /// The plaintext of a block, combined with the first key; zero if there is no such block.
    #[target_feature(enable = "sse2")]
    fn whitened<const MIDDLE: usize>(keys: &Keys<MIDDLE>, data: &mut [u8], place: usize) -> __m128i {
        match blocks(data).get(place) {
            Some(block) => _mm_xor_si128(load(*block), keys.first),
            None => _mm_setzero_si128(),
        }
    }

    fn has_block(&self, data: &mut [u8]) -> bool {
        self.place < blocks(data).len()
    }

    #[target_feature(enable = "aes")]
    fn round(&mut self, key: __m128i) {
        self.state = _mm_aesenc_si128(self.state, key);
    }

    /// Does all rounds of a block, and evenly among them the `PARTS` of other work.
    #[target_feature(enable = "aes,sse4.1")]
    fn block_with<const PARTS: usize, const MIDDLE: usize>(
        &mut self,
        keys: &Keys<MIDDLE>,
        data: &mut [u8],
        mut work: impl FnMut(usize),
    ) {
        let mut rounds = keys.middle.iter();
        for part in 0..PARTS {
            work(part);
            for key in rounds.by_ref().take(MIDDLE * (part + 1) / PARTS - MIDDLE * part / PARTS) {
                self.round(*key);
            }
        }
        self.end_block(keys, data);
    }

    /// Does the last round and goes on to the next block.
    #[target_feature(enable = "aes,sse4.1")]
    fn end_block<const MIDDLE: usize>(&mut self, keys: &Keys<MIDDLE>, data: &mut [u8]) {
        self.whitened = Self::whitened(keys, data, self.place + 1);
        self.state = _mm_aesenclast_si128(self.state, _mm_xor_si128(keys.last, self.whitened));
        if let Some(block) = blocks(data).get_mut(self.place) {
            *block = store(_mm_xor_si128(self.state, self.whitened));
        }
        self.place += 1;
    }

    #[target_feature(enable = "sse4.1")]
    fn end(self, chained: &mut Chained) {
        if let Some(block) = blocks(chained).first_mut() {
            *block = store(_mm_xor_si128(self.state, self.whitened));
        }
    }
}

/// How many blocks are decrypted at once: they do not depend on each other.
const GROUP: usize = 8;

#[target_feature(enable = "aes,sse4.1")]
fn decrypt<const MIDDLE: usize>(keys: &Keys<MIDDLE>, chained: &mut Chained, data: &mut [u8]) {
    let Some(chained) = blocks(chained).first_mut() else { return };
    let mut last = load(*chained);
    let (groups, rest) = blocks(data).as_chunks_mut();
    for group in groups {
        last = decrypt_group::<GROUP, MIDDLE>(keys, last, group);
    }
    for group in rest.as_chunks_mut().0 {
        last = decrypt_group::<1, MIDDLE>(keys, last, group);
    }
    *chained = store(last);
}

/// Decrypts blocks of which `last` is the ciphertext before them, and returns their last ciphertext.
#[target_feature(enable = "aes,sse4.1")]
fn decrypt_group<const COUNT: usize, const MIDDLE: usize>(
    keys: &Keys<MIDDLE>,
    mut last: __m128i,
    group: &mut [Block; COUNT],
) -> __m128i {
    let mut states = [keys.first; COUNT];
    for (state, block) in states.iter_mut().zip(group.iter()) {
        *state = _mm_xor_si128(*state, load(*block));
    }
    // All blocks go through a round before they go through the next: the optimiser would rather have one block after the
    // other, if it knew how many rounds there are.
    for key in black_box(keys.middle.as_slice()) {
        for state in &mut states {
            *state = _mm_aesdec_si128(*state, *key);
        }
    }
    for (block, state) in group.iter_mut().zip(states) {
        let plaintext = _mm_xor_si128(_mm_aesdeclast_si128(state, keys.last), last);
        last = load(*block);
        *block = store(plaintext);
    }
    last
}
