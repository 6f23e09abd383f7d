//! Messages after the handshake of SASL: signed, or encrypted and signed.
//!
//! ```text
//! auth-int    message · MAC 10 · 00 01 · sequence number 4
//! auth-conf   encrypted( message · padding · MAC 10 ) · 00 01 · sequence number 4
//! MAC         the first 10 bytes of HMAC-MD5 under Ki over sequence number and message
//! padding     of DES only: 1 to 8 bytes, each their number
//! ```
//!
//! Numbers are big-endian, and each direction has its own, from zero. The ciphers go on from message to message. In a stream
//! each of these has its length in front, four bytes, big-endian: that is the application's.
//!
//! Spec: DIGEST (RFC 2831) sections 2.3 and 2.4.

use crypto::cipher::{BlockCipher, CbcDecryptor, CbcEncryptor, Rc4, Rc4State, SMALL_BLOCK_LIMIT};
use crypto::constant_time::{Mask, ct_eq, ct_eq_mask, ct_eq_usize, ct_lt};
use crypto::hash::{Hash, HashContext};
use crypto::mac::HmacKey;
use zeroize::{Zeroize, Zeroizing};

use crate::algorithm::Cipher;
use crate::status::Error;

/// Length of the MAC, in bytes.
const MAC: usize = 10;

/// Length of what follows it in clear: the type and the sequence number, in bytes.
const CLEAR: usize = 6;

/// Length of everything behind a message that is signed only, in bytes.
pub(crate) const SIGNATURE: usize = MAC + CLEAR;

/// The most that there is behind a message, in bytes.
pub(crate) const LONGEST_TRAILER: usize = SIGNATURE + 8;

/// The type of a message.
const TYPE: [u8; 2] = [0, 1];

/// From whom messages come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum From {
    Client,
    Server,
}

/// What one direction of a context is made of, and what it is exported as.
pub(crate) struct State {
    /// Ki.
    integrity: Zeroizing<[u8; 16]>,
    cipher: Option<CipherState>,
    /// How many messages there were.
    count: u64,
    /// How many bytes a cipher with small blocks has encrypted.
    bytes: u64,
}

/// A cipher between two messages.
enum CipherState {
    Rc4(Cipher, Box<Rc4State>),
    Cbc(Cipher, Zeroizing<Vec<u8>>, [u8; 8]),
}

impl State {
    /// The direction of a new context, of H(A1).
    ///
    /// # Errors
    /// None that a peer could cause: the lengths of the keys are the ciphers'.
    pub(crate) fn derive(key: &[u8], from: From, cipher: Option<Cipher>) -> Result<Self, Error> {
        let (signing, sealing): (&[u8], &[u8]) = match from {
            From::Client => (
                b"Digest session key to client-to-server signing key magic constant",
                b"Digest H(A1) to client-to-server sealing key magic constant",
            ),
            From::Server => (
                b"Digest session key to server-to-client signing key magic constant",
                b"Digest H(A1) to server-to-client sealing key magic constant",
            ),
        };
        let cipher = match cipher {
            None => None,
            Some(cipher) => {
                let used = match cipher {
                    Cipher::Rc4Of40 => 5,
                    Cipher::Rc4Of56 => 7,
                    _ => 16,
                };
                let sealing = md5(&[key.get(..used).unwrap_or(key), sealing]);
                Some(CipherState::new(cipher, &sealing)?)
            }
        };
        Ok(Self { integrity: md5(&[key, signing]), cipher, count: 0, bytes: 0 })
    }

    /// The direction, to be kept outside.
    ///
    /// ```text
    /// count 8 · bytes 8 · Ki 16 · cipher 1 (0: none) · of RC4: state 258 · of DES: keys 8 or 24, chained block 8
    /// ```
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.extend(self.count.to_be_bytes());
        out.extend(self.bytes.to_be_bytes());
        out.extend_from_slice(self.integrity.as_ref());
        match &self.cipher {
            None => out.push(0),
            Some(CipherState::Rc4(cipher, state)) => {
                out.push(number(*cipher));
                out.extend_from_slice(state.as_bytes());
            }
            Some(CipherState::Cbc(cipher, keys, chained)) => {
                out.push(number(*cipher));
                out.extend_from_slice(keys);
                out.extend_from_slice(chained);
            }
        }
    }

    /// The direction at the beginning of `input`, and what follows.
    pub(crate) fn decode(input: &[u8]) -> Option<(Self, &[u8])> {
        let (count, input) = input.split_first_chunk::<8>()?;
        let (bytes, input) = input.split_first_chunk::<8>()?;
        let (integrity, input) = input.split_first_chunk::<16>()?;
        let (kind, input) = input.split_first()?;
        let cipher = Cipher::ALL.iter().copied().find(|cipher| number(*cipher) == *kind);
        let (cipher, input) = match cipher {
            None if *kind == 0 => (None, input),
            None => return None,
            Some(cipher) if cipher.block_len() == 1 => {
                let (state, input) = input.split_first_chunk::<{ Rc4State::LEN }>()?;
                (Some(CipherState::Rc4(cipher, Box::new(Rc4State::from_bytes(*state)?))), input)
            }
            Some(cipher) => {
                let (keys, input) = input.split_at_checked(block_cipher(cipher)?.key_len())?;
                let (chained, input) = input.split_first_chunk::<8>()?;
                (Some(CipherState::Cbc(cipher, Zeroizing::new(keys.to_vec()), *chained)), input)
            }
        };
        let (count, bytes) = (u64::from_be_bytes(*count), u64::from_be_bytes(*bytes));
        Some((Self { integrity: Zeroizing::new(*integrity), cipher, count, bytes }, input))
    }
}

/// The number of a cipher in an exported context.
const fn number(cipher: Cipher) -> u8 {
    match cipher {
        Cipher::TripleDes => 1,
        Cipher::Rc4 => 2,
        Cipher::Des => 3,
        Cipher::Rc4Of56 => 4,
        Cipher::Rc4Of40 => 5,
    }
}

const fn block_cipher(cipher: Cipher) -> Option<BlockCipher> {
    match cipher {
        Cipher::TripleDes => Some(BlockCipher::TripleDes),
        Cipher::Des => Some(BlockCipher::Des),
        Cipher::Rc4 | Cipher::Rc4Of56 | Cipher::Rc4Of40 => None,
    }
}

impl CipherState {
    /// The cipher before the first message, with Kc.
    fn new(cipher: Cipher, sealing: &[u8; 16]) -> Result<Self, Error> {
        let [a @ .., _, _] = sealing;
        let [first @ .., b1, b2, b3, b4, b5, b6, b7]: &[u8; 14] = a;
        let second = [*b1, *b2, *b3, *b4, *b5, *b6, *b7];
        let chained = sealing.last_chunk().copied().unwrap_or_default();
        let keys = match cipher {
            Cipher::TripleDes => [des_key(first), des_key(&second), des_key(first)].concat(),
            Cipher::Des => des_key(first).to_vec(),
            Cipher::Rc4 | Cipher::Rc4Of56 | Cipher::Rc4Of40 => {
                let rc4 = Rc4::new(sealing).map_err(|_| Error::Internal("a key of RC4"))?;
                return Ok(Self::Rc4(cipher, Box::new(rc4.state())));
            }
        };
        Ok(Self::Cbc(cipher, Zeroizing::new(keys), chained))
    }
}

/// Seven bytes as the eight of a key of DES: seven bits in each, and a parity bit that nobody reads.
fn des_key(bytes: &[u8; 7]) -> [u8; 8] {
    let bits = bytes.iter().fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
    let mut key = [0; 8];
    for (byte, shift) in key.iter_mut().zip((0..8).rev()) {
        let [.., seven] = (bits >> (7 * shift)).to_be_bytes();
        *byte = seven << 1;
    }
    key
}

fn md5(parts: &[&[u8]]) -> Zeroizing<[u8; 16]> {
    let mut context = HashContext::new(Hash::Md5);
    parts.iter().for_each(|part| context.update(part));
    Zeroizing::new(context.finish().as_ref().first_chunk().copied().unwrap_or_default())
}

/// What both directions have: the key of the MAC and the numbers.
struct Common {
    integrity: Zeroizing<[u8; 16]>,
    mac: HmacKey,
    count: u64,
    bytes: u64,
}

impl Common {
    fn new(state: &State) -> Self {
        let integrity = state.integrity.clone();
        let mac = HmacKey::new(Hash::Md5, integrity.as_ref());
        Self { integrity, mac, count: state.count, bytes: state.bytes }
    }

    /// The number of the next message.
    fn number(&self) -> Result<[u8; 4], Error> {
        u32::try_from(self.count).map(u32::to_be_bytes).map_err(|_| Error::KeyUsedUp)
    }

    /// The key of a cipher with small blocks protects so many bytes more, if it may.
    fn use_up(&mut self, length: usize) -> Option<()> {
        let bytes = self.bytes.checked_add(u64::try_from(length).ok()?)?;
        (bytes <= SMALL_BLOCK_LIMIT).then(|| self.bytes = bytes)
    }

    fn mac<'a>(&self, number: [u8; 4], message: impl Iterator<Item = &'a [u8]>) -> [u8; MAC] {
        let mut mac = self.mac.context();
        mac.update(&number);
        message.for_each(|part| mac.update(part));
        mac.finish().as_ref().first_chunk().copied().unwrap_or_default()
    }

    fn state(&self, cipher: Option<CipherState>) -> State {
        State { integrity: self.integrity.clone(), cipher, count: self.count, bytes: self.bytes }
    }
}

/// The direction that sends.
pub(crate) struct Sealer {
    common: Common,
    cipher: SealingCipher,
}

enum SealingCipher {
    None,
    Rc4(Cipher, Box<Rc4>),
    Cbc { cipher: Cipher, keys: Zeroizing<Vec<u8>>, chained: [u8; 8], encryptor: Box<CbcEncryptor> },
}

impl Sealer {
    /// Goes on from a state.
    pub(crate) fn new(state: &State) -> Result<Self, Error> {
        let cipher = match &state.cipher {
            None => SealingCipher::None,
            Some(CipherState::Rc4(cipher, state)) => {
                SealingCipher::Rc4(*cipher, Box::new(Rc4::from(&**state)))
            }
            Some(CipherState::Cbc(cipher, keys, chained)) => {
                let (keys, chained) = (keys.clone(), *chained);
                let block = block_cipher(*cipher).ok_or(Error::Internal("a stream cipher in CBC mode"))?;
                let encryptor =
                    CbcEncryptor::new(block, &keys, &chained).map_err(|_| Error::Internal("a key of DES"))?;
                SealingCipher::Cbc { cipher: *cipher, keys, chained, encryptor: Box::new(encryptor) }
            }
        };
        Ok(Self { common: Common::new(state), cipher })
    }

    pub(crate) fn state(&self) -> State {
        self.common.state(match &self.cipher {
            SealingCipher::None => None,
            SealingCipher::Rc4(cipher, rc4) => Some(CipherState::Rc4(*cipher, Box::new(rc4.state()))),
            SealingCipher::Cbc { cipher, keys, chained, .. } => {
                Some(CipherState::Cbc(*cipher, keys.clone(), *chained))
            }
        })
    }

    /// Whether messages are encrypted.
    pub(crate) const fn encrypts(&self) -> bool {
        !matches!(self.cipher, SealingCipher::None)
    }

    /// How much longer a message of this length gets.
    pub(crate) const fn trailer(&self, length: usize) -> usize {
        match &self.cipher {
            SealingCipher::Cbc { .. } => SIGNATURE + padding(length),
            _ => SIGNATURE,
        }
    }

    /// Protects the message in `memory`, which gets longer.
    pub(crate) fn seal(&mut self, memory: &mut Vec<u8>) -> Result<(), Error> {
        let number = self.common.number()?;
        let length = memory.len();
        if let SealingCipher::Cbc { .. } = self.cipher {
            let sealed = length + padding(length) + MAC;
            self.common.use_up(sealed).ok_or(Error::SmallBlockLimit { is_ours: true })?;
        }
        let mac = self.common.mac(number, core::iter::once(&memory[..]));
        if let SealingCipher::Cbc { .. } = self.cipher {
            let padding = padding(length);
            memory.resize(length + padding, u8::try_from(padding).unwrap_or_default());
        }
        memory.extend_from_slice(&mac);
        match &mut self.cipher {
            SealingCipher::None => {}
            SealingCipher::Rc4(_, rc4) => rc4.apply(memory),
            SealingCipher::Cbc { encryptor, chained, .. } => {
                encryptor.encrypt(memory).map_err(|_| Error::Internal("a message that is not padded"))?;
                *chained = memory.last_chunk().copied().unwrap_or_default();
            }
        }
        memory.extend_from_slice(&TYPE);
        memory.extend_from_slice(&number);
        self.common.count += 1;
        Ok(())
    }

    /// The signature of a message in parts.
    pub(crate) fn sign<'a>(
        &mut self,
        message: impl Iterator<Item = &'a [u8]>,
    ) -> Result<[u8; SIGNATURE], Error> {
        let number = self.common.number()?;
        let mac = self.common.mac(number, message);
        self.common.count += 1;
        Ok(signature(mac, number))
    }
}

fn signature(mac: [u8; MAC], number: [u8; 4]) -> [u8; SIGNATURE] {
    let mut signature = [0; SIGNATURE];
    let bytes = mac.into_iter().chain(TYPE).chain(number);
    signature.iter_mut().zip(bytes).for_each(|(to, byte)| *to = byte);
    signature
}

/// How much padding a message of this length gets: message, padding and MAC are whole blocks.
const fn padding(length: usize) -> usize {
    8 - (length + MAC) % 8
}

/// The direction that receives.
pub(crate) struct Opener {
    common: Common,
    cipher: OpeningCipher,
}

enum OpeningCipher {
    None,
    Rc4(Cipher, Box<Rc4>),
    Cbc { cipher: Cipher, keys: Zeroizing<Vec<u8>>, chained: [u8; 8], decryptor: Box<CbcDecryptor> },
}

impl Opener {
    /// Goes on from a state.
    pub(crate) fn new(state: &State) -> Result<Self, Error> {
        let cipher = match &state.cipher {
            None => OpeningCipher::None,
            Some(CipherState::Rc4(cipher, state)) => {
                OpeningCipher::Rc4(*cipher, Box::new(Rc4::from(&**state)))
            }
            Some(CipherState::Cbc(cipher, keys, chained)) => {
                let (keys, chained) = (keys.clone(), *chained);
                let block = block_cipher(*cipher).ok_or(Error::Internal("a stream cipher in CBC mode"))?;
                let decryptor =
                    CbcDecryptor::new(block, &keys, &chained).map_err(|_| Error::Internal("a key of DES"))?;
                OpeningCipher::Cbc { cipher: *cipher, keys, chained, decryptor: Box::new(decryptor) }
            }
        };
        Ok(Self { common: Common::new(state), cipher })
    }

    pub(crate) fn state(&self) -> State {
        self.common.state(match &self.cipher {
            OpeningCipher::None => None,
            OpeningCipher::Rc4(cipher, rc4) => Some(CipherState::Rc4(*cipher, Box::new(rc4.state()))),
            OpeningCipher::Cbc { cipher, keys, chained, .. } => {
                Some(CipherState::Cbc(*cipher, keys.clone(), *chained))
            }
        })
    }

    /// Opens the message in `memory`, and cuts off what is behind it. Any error is the last word: the ciphers have gone on.
    pub(crate) fn open(&mut self, memory: &mut Vec<u8>) -> Result<(), Error> {
        let expected = self.common.number()?;
        let body = memory.len().checked_sub(CLEAR).ok_or(Error::Altered)?;
        let Some([0, 1, number @ ..]) = memory.last_chunk::<CLEAR>().copied() else {
            return Err(Error::Altered);
        };
        if let OpeningCipher::None = self.cipher {
            return self.open_signed(memory, number, expected);
        }
        // Under encryption, the number in clear is what can be looked at; the MAC is over the right one.
        if number != expected {
            return Err(Error::OutOfSequence {
                number: u32::from_be_bytes(number),
                expected: self.common.count,
            });
        }
        // A peer that does not care for the limit would give away what both of us say.
        if let OpeningCipher::Cbc { .. } = self.cipher {
            self.common.use_up(body).ok_or(Error::SmallBlockLimit { is_ours: false })?;
        }
        memory.truncate(body);
        let length = match &mut self.cipher {
            OpeningCipher::None => body.saturating_sub(MAC),
            OpeningCipher::Rc4(_, rc4) => {
                rc4.apply(memory);
                body.checked_sub(MAC).ok_or(Error::Altered)?
            }
            OpeningCipher::Cbc { decryptor, chained, .. } => {
                *chained = memory.last_chunk().copied().ok_or(Error::Altered)?;
                decryptor.decrypt(memory).map_err(|_| Error::Altered)?;
                return self.open_padded(memory, number);
            }
        };
        let (message, mac) = memory.split_at_checked(length).ok_or(Error::Altered)?;
        if !ct_eq(&self.common.mac(number, core::iter::once(message)), mac) {
            return Err(Error::Altered);
        }
        memory.truncate(length);
        self.common.count += 1;
        Ok(())
    }

    fn open_signed(&mut self, memory: &mut Vec<u8>, number: [u8; 4], expected: [u8; 4]) -> Result<(), Error> {
        let length = memory.len().checked_sub(SIGNATURE).ok_or(Error::Altered)?;
        let (message, signature) = memory.split_at_checked(length).ok_or(Error::Altered)?;
        self.verify(core::iter::once(message), signature, number, expected)?;
        memory.truncate(length);
        Ok(())
    }

    /// What was decrypted has padding whose length is not to be known before everything is found right. The message is
    /// hashed as if the padding were right or a single byte; which of the lengths it is shows in less than a block of MD5,
    /// and the first message that is not right is the last.
    fn open_padded(&mut self, memory: &mut Vec<u8>, number: [u8; 4]) -> Result<(), Error> {
        let end = memory.len().checked_sub(MAC).filter(|end| *end > 0).ok_or(Error::Altered)?;
        let (padded, mac) = memory.split_at_checked(end).ok_or(Error::Altered)?;
        let padding = padded.last().copied().map_or(0, usize::from);
        let mut is_right = !ct_eq_usize(padding, 0) & !ct_lt(8, padding) & !ct_lt(end, padding);
        for (byte, distance) in padded.iter().rev().zip(0..8) {
            let is_padding = ct_lt(distance, padding);
            is_right &= !is_padding | ct_eq_usize(usize::from(*byte), padding);
        }
        let padding = if is_right.reveal() { padding } else { 1 };
        let length = end.saturating_sub(padding);
        let message = padded.get(..length).unwrap_or_default();
        let expected = self.common.mac(number, core::iter::once(message));
        let is_right: Mask = is_right & ct_eq_mask(&expected, mac);
        if !is_right.reveal() {
            return Err(Error::Altered);
        }
        memory.truncate(length);
        self.common.count += 1;
        Ok(())
    }

    /// Checks a signature over a message in parts.
    pub(crate) fn verify_signature<'a>(
        &mut self,
        message: impl Iterator<Item = &'a [u8]>,
        signature: &[u8],
    ) -> Result<(), Error> {
        let expected = self.common.number()?;
        let Some([0, 1, number @ ..]) = signature.last_chunk::<CLEAR>().copied() else {
            return Err(Error::Altered);
        };
        self.verify(message, signature, number, expected)
    }

    /// Whoever has the key signed this number: if it is not the next one, a message was left out, or comes again.
    fn verify<'a>(
        &mut self,
        message: impl Iterator<Item = &'a [u8]>,
        found: &[u8],
        number: [u8; 4],
        expected: [u8; 4],
    ) -> Result<(), Error> {
        if !ct_eq(&signature(self.common.mac(number, message), number), found) {
            return Err(Error::Altered);
        }
        if number != expected {
            return Err(Error::OutOfSequence {
                number: u32::from_be_bytes(number),
                expected: self.common.count,
            });
        }
        self.common.count += 1;
        Ok(())
    }
}

impl Drop for CipherState {
    fn drop(&mut self) {
        if let Self::Cbc(_, _, chained) = self {
            chained.zeroize();
        }
    }
}

#[cfg(test)]
mod tests;
