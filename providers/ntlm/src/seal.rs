//! Signing and sealing: the sixteen bytes in front of a message, and the stream that it is encrypted with.
//!
//! ```text
//! with extended session security       without it
//! Version     4   1                    Version     4   1
//! Checksum    8   HMAC-MD5, its half   RandomPad   4   zeros on the wire
//! SeqNum      4                        Checksum    4   CRC-32, encrypted
//!                                      SeqNum      4   encrypted
//! ```
//!
//! With extended session security each direction has keys, a stream and a number of its own, so that one can send while the
//! other receives. Without it there is one of each for both directions, and the two take turns.
//!
//! The checksum is over the plaintext and made after the message was encrypted: the stream goes on from the one to the other.
//!
//! Spec: MS-NLMP section 3.4.

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crypto::cipher::{Rc4, Rc4State};
use crypto::constant_time::ct_eq;
use crypto::hash::{Digest, Hash};
use crypto::mac::HmacKey;
use zeroize::Zeroizing;

use crate::compute::{Key, md5};
use crate::crc32::Crc32;
use crate::messages::NegotiateFlags;
use crate::status::Error;

/// The length of a signature, in bytes.
pub(crate) const SIGNATURE_LEN: usize = 16;

/// What every signature begins with.
const VERSION: [u8; 4] = [1, 0, 0, 0];

/// Who sends in a direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sender {
    Client,
    Server,
}

impl Sender {
    /// What its keys are made with, zeros at the end included. Spec: MS-NLMP sections 3.4.5.2 and 3.4.5.3.
    const fn magic(self) -> (&'static [u8], &'static [u8]) {
        match self {
            Self::Client => (
                b"session key to client-to-server signing key magic constant\0",
                b"session key to client-to-server sealing key magic constant\0",
            ),
            Self::Server => (
                b"session key to server-to-client signing key magic constant\0",
                b"session key to server-to-client sealing key magic constant\0",
            ),
        }
    }
}

/// A range of a message: signed, and encrypted or not.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    pub(crate) range: Range<usize>,
    pub(crate) is_sealed: bool,
}

/// One direction of message protection.
pub(crate) enum Direction {
    /// Keys, stream and number are its own.
    Own(OwnDirection),
    /// Both directions have the same.
    Shared(Arc<Mutex<SharedStream>>),
    /// Neither signing nor sealing was negotiated: signatures are empty.
    Unprotected,
}

/// With extended session security.
pub(crate) struct OwnDirection {
    keys: Keys,
    /// The number of the next message.
    number: u64,
    /// Keys were exchanged: checksums are encrypted, too.
    encrypts_checksum: bool,
    /// How much of the stream was used, in bytes; `None` once that is not counted any more.
    used: Option<usize>,
}

/// The keys of a direction. Many handshakes are for the sake of who the client is, as over HTTP, and no message follows: keys
/// are made for the first one.
enum Keys {
    /// What they are made of.
    Later {
        flags: NegotiateFlags,
        exported: Key,
        sender: Sender,
    },
    Made(Box<Made>),
}

/// For signing and for sealing.
struct Made {
    sign_key: HmacKey,
    cipher: Rc4,
}

impl Keys {
    fn made(&mut self) -> Result<&mut Made, Error> {
        if let Self::Later { flags, exported, sender } = self {
            let sign_key = HmacKey::new(Hash::Md5, sign_key(exported, *sender).as_slice());
            let cipher = stream(seal_key(*flags, exported, *sender).as_slice())?;
            *self = Self::Made(Box::new(Made { sign_key, cipher }));
        }
        match self {
            Self::Made(made) => Ok(made),
            Self::Later { .. } => Err(Error::Internal("keys that were made are not there")),
        }
    }
}

/// Without extended session security.
pub(crate) struct SharedStream {
    cipher: Rc4,
    /// The number of the next message, whoever sends it.
    number: u64,
}

/// A message more than so many would have a number that another one had.
const MOST_MESSAGES: u64 = 1 << 32;

/// `SIGNKEY`. Spec: MS-NLMP section 3.4.5.2.
pub(crate) fn sign_key(exported: &Key, sender: Sender) -> Key {
    md5(&[exported.as_slice(), sender.magic().0])
}

/// `SEALKEY` with extended session security. Spec: MS-NLMP section 3.4.5.3.
pub(crate) fn seal_key(flags: NegotiateFlags, exported: &Key, sender: Sender) -> Key {
    let length = match flags.key_bits() {
        128 => 16,
        56 => 7,
        _ => 5,
    };
    md5(&[exported.get(..length).unwrap_or_default(), sender.magic().1])
}

/// `SEALKEY` without it. Spec: MS-NLMP section 3.4.5.3.
fn shared_seal_key(flags: NegotiateFlags, exported: &Key) -> Zeroizing<Vec<u8>> {
    let [a, b, c, d, e, f, g, ..] = **exported;
    Zeroizing::new(if !flags.contains(NegotiateFlags::NEGOTIATE_LM_KEY) {
        exported.to_vec()
    } else if flags.contains(NegotiateFlags::NEGOTIATE_56) {
        vec![a, b, c, d, e, f, g, 0xA0]
    } else {
        vec![a, b, c, d, e, 0xE5, 0x38, 0xB0]
    })
}

fn stream(key: &[u8]) -> Result<Rc4, Error> {
    Rc4::new(key).map_err(|_| Error::Internal("a sealing key has no length of RC4's"))
}

/// The two directions of a session: what the client sends, and what the server sends.
pub(crate) fn directions(flags: NegotiateFlags, exported: &Key) -> Result<(Direction, Direction), Error> {
    if !flags.protects_messages() {
        return Ok((Direction::Unprotected, Direction::Unprotected));
    }
    if !flags.contains(NegotiateFlags::NEGOTIATE_EXTENDED_SESSIONSECURITY) {
        let cipher = stream(&shared_seal_key(flags, exported))?;
        let shared = Arc::new(Mutex::new(SharedStream { cipher, number: 0 }));
        return Ok((Direction::Shared(Arc::clone(&shared)), Direction::Shared(shared)));
    }
    let own = |sender| {
        Direction::Own(OwnDirection {
            keys: Keys::Later { flags, exported: exported.clone(), sender },
            number: 0,
            encrypts_checksum: flags.contains(NegotiateFlags::NEGOTIATE_KEY_EXCH),
            used: Some(0),
        })
    };
    Ok((own(Sender::Client), own(Sender::Server)))
}

impl Direction {
    /// Whether the other direction has the same stream and number.
    pub(crate) const fn is_shared(&self) -> bool {
        matches!(self, Self::Shared(_))
    }

    /// Signs the pieces, and encrypts those that are to be, in their order.
    ///
    /// # Errors
    /// The numbers are used up; nothing is changed then. The pieces lie in the memory: the caller has seen to that.
    pub(crate) fn protect(
        &mut self,
        memory: &mut [u8],
        pieces: &[Piece],
    ) -> Result<[u8; SIGNATURE_LEN], Error> {
        match self {
            Self::Own(own) => own.protect(memory, pieces),
            Self::Shared(shared) => lock(shared).protect(memory, pieces),
            Self::Unprotected => Ok(EMPTY_SIGNATURE),
        }
    }

    /// Decrypts the pieces that are encrypted, and compares the signature of all with the one that came with them.
    ///
    /// # Errors
    /// The message was altered, or is another one than the next. What was decrypted of it must not be used then.
    pub(crate) fn unprotect(
        &mut self,
        memory: &mut [u8],
        pieces: &[Piece],
        signature: &[u8],
    ) -> Result<(), Error> {
        match self {
            Self::Own(own) => own.unprotect(memory, pieces, signature),
            Self::Shared(shared) => lock(shared).unprotect(memory, pieces, signature),
            Self::Unprotected if ct_eq(signature, &EMPTY_SIGNATURE) => Ok(()),
            Self::Unprotected => Err(Error::MessageAltered),
        }
    }

    /// Compares the signature of the pieces, none of which is encrypted, with the one that came with them.
    ///
    /// # Errors
    /// As [`unprotect`](Self::unprotect).
    pub(crate) fn verify(&mut self, memory: &[u8], pieces: &[Piece], signature: &[u8]) -> Result<(), Error> {
        match self {
            Self::Own(own) => own.verify(memory, pieces, signature),
            Self::Shared(shared) => lock(shared).verify(memory, pieces, signature),
            Self::Unprotected => self.unprotect(&mut [], &[], signature),
        }
    }

    /// Begins the stream anew; the numbers go on. Both halves of a shared stream may do so.
    ///
    /// # Errors
    /// There is no such key, and there was none before.
    pub(crate) fn restart(
        &mut self,
        flags: NegotiateFlags,
        exported: &Key,
        sender: Sender,
    ) -> Result<(), Error> {
        match self {
            Self::Own(own) => own.restart(|| seal_key(flags, exported, sender))?,
            Self::Shared(shared) => lock(shared).cipher = stream(&shared_seal_key(flags, exported))?,
            Self::Unprotected => {}
        }
        Ok(())
    }

    /// Number, and stream, for another process.
    pub(crate) fn export(&self) -> Result<Option<(u64, Rc4State)>, Error> {
        Ok(match self {
            Self::Own(own) => Some((own.number, own.state()?)),
            Self::Shared(shared) => {
                let shared = lock(shared);
                Some((shared.number, shared.cipher.state()))
            }
            Self::Unprotected => None,
        })
    }

    /// Goes on from what another process exported.
    pub(crate) fn import(&mut self, number: u64, state: &Rc4State) -> Result<(), Error> {
        match self {
            Self::Own(own) => {
                (own.number, own.used) = (number, None);
                own.keys.made()?.cipher = Rc4::from(state);
            }
            Self::Shared(shared) => {
                let mut shared = lock(shared);
                (shared.number, shared.cipher) = (number, Rc4::from(state));
            }
            Self::Unprotected => {}
        }
        Ok(())
    }
}

fn lock(shared: &Mutex<SharedStream>) -> MutexGuard<'_, SharedStream> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn contents<'a>(memory: &'a [u8], pieces: &'a [Piece]) -> impl Iterator<Item = &'a [u8]> + Clone {
    pieces.iter().map(|piece| memory.get(piece.range.clone()).unwrap_or_default())
}

/// What stands for a signature where none was negotiated.
const EMPTY_SIGNATURE: [u8; SIGNATURE_LEN] = [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// The next number, as it is written.
fn take_number(number: &mut u64) -> Result<[u8; 4], Error> {
    let written = u32::try_from(*number).map_err(|_| Error::NumbersUsedUp)?;
    debug_assert!(*number < MOST_MESSAGES);
    *number += 1;
    Ok(written.to_le_bytes())
}

/// One behind the other.
fn signature(middle: [u8; 8], end: [u8; 4]) -> [u8; SIGNATURE_LEN] {
    let mut out = [0; SIGNATURE_LEN];
    let parts = VERSION.into_iter().chain(middle).chain(end);
    out.iter_mut().zip(parts).for_each(|(to, from)| *to = from);
    out
}

/// So many bytes of a stream are given back faster than another one begins.
const FEW: usize = 128;

impl OwnDirection {
    /// The stream from its beginning. Signatures have taken little of it, which is given back; a message takes more.
    fn restart(&mut self, seal_key: impl FnOnce() -> Key) -> Result<(), Error> {
        let Keys::Made(made) = &mut self.keys else { return Ok(()) };
        match self.used.replace(0) {
            Some(used) => made.cipher.rewind(used),
            None => made.cipher = stream(seal_key().as_slice())?,
        }
        Ok(())
    }

    /// The checksum of pieces none of which is encrypted.
    fn checksum(&mut self, memory: &[u8], pieces: &[Piece], number: &[u8; 4]) -> Result<Digest, Error> {
        let sign_key = &self.keys.made()?.sign_key;
        Ok(sign_key.sign_parts(core::iter::once(&number[..]).chain(contents(memory, pieces))))
    }

    fn protect(&mut self, memory: &mut [u8], pieces: &[Piece]) -> Result<[u8; SIGNATURE_LEN], Error> {
        let number = take_number(&mut self.number)?;
        if !pieces.iter().any(|piece| piece.is_sealed) {
            let mac = self.checksum(memory, pieces, &number)?;
            return self.signature(mac.as_ref(), number);
        }
        self.used = None;
        let Made { sign_key, cipher } = self.keys.made()?;
        let mut mac = sign_key.context();
        mac.update(&number);
        for Piece { range, is_sealed } in pieces {
            let data = memory.get_mut(range.clone()).unwrap_or_default();
            if *is_sealed { mac.update_encrypting(cipher, data) } else { mac.update(data) }
        }
        self.signature(mac.finish().as_ref(), number)
    }

    /// The number that the next message must have, if it has it.
    fn expect(&mut self, theirs: &[u8]) -> Result<[u8; 4], Error> {
        let number = take_number(&mut self.number)?;
        match theirs.last_chunk::<4>() {
            Some(found) if *found == number => Ok(number),
            Some(found) if theirs.len() == SIGNATURE_LEN => {
                let [found, expected] = [*found, number].map(u32::from_le_bytes);
                Err(Error::OutOfSequence { found, expected })
            }
            _ => Err(Error::MessageAltered),
        }
    }

    fn verify(&mut self, memory: &[u8], pieces: &[Piece], theirs: &[u8]) -> Result<(), Error> {
        let number = self.expect(theirs)?;
        let mac = self.checksum(memory, pieces, &number)?;
        let ours = self.signature(mac.as_ref(), number)?;
        if ct_eq(&ours, theirs) { Ok(()) } else { Err(Error::MessageAltered) }
    }

    fn unprotect(&mut self, memory: &mut [u8], pieces: &[Piece], theirs: &[u8]) -> Result<(), Error> {
        let number = self.expect(theirs)?;
        self.used = None;
        let Made { sign_key, cipher } = self.keys.made()?;
        let mut mac = sign_key.context();
        mac.update(&number);
        for Piece { range, is_sealed } in pieces {
            let data = memory.get_mut(range.clone()).unwrap_or_default();
            if *is_sealed { mac.update_decrypting(cipher, data) } else { mac.update(data) }
        }
        let ours = self.signature(mac.finish().as_ref(), number)?;
        if ct_eq(&ours, theirs) { Ok(()) } else { Err(Error::MessageAltered) }
    }

    fn signature(&mut self, mac: &[u8], number: [u8; 4]) -> Result<[u8; SIGNATURE_LEN], Error> {
        let mut checksum = mac.first_chunk::<8>().copied().unwrap_or_default();
        if self.encrypts_checksum {
            self.keys.made()?.cipher.apply(&mut checksum);
            self.used =
                self.used.and_then(|used| used.checked_add(checksum.len()).filter(|used| *used <= FEW));
        }
        Ok(signature(checksum, number))
    }

    /// Where its stream is; where it begins, if no message was sent.
    fn state(&self) -> Result<Rc4State, Error> {
        match &self.keys {
            Keys::Made(made) => Ok(made.cipher.state()),
            Keys::Later { flags, exported, sender } => {
                Ok(stream(seal_key(*flags, exported, *sender).as_slice())?.state())
            }
        }
    }
}

impl SharedStream {
    fn protect(&mut self, memory: &mut [u8], pieces: &[Piece]) -> Result<[u8; SIGNATURE_LEN], Error> {
        let number = take_number(&mut self.number)?;
        let mut crc = Crc32::new();
        for Piece { range, is_sealed } in pieces {
            let data = memory.get_mut(range.clone()).unwrap_or_default();
            crc.update(data);
            if *is_sealed {
                self.cipher.apply(data);
            }
        }
        Ok(self.signature(crc, number))
    }

    fn unprotect(&mut self, memory: &mut [u8], pieces: &[Piece], theirs: &[u8]) -> Result<(), Error> {
        let number = take_number(&mut self.number)?;
        let mut crc = Crc32::new();
        for Piece { range, is_sealed } in pieces {
            let data = memory.get_mut(range.clone()).unwrap_or_default();
            if *is_sealed {
                self.cipher.apply(data);
            }
            crc.update(data);
        }
        self.compare(crc, number, theirs)
    }

    fn verify(&mut self, memory: &[u8], pieces: &[Piece], theirs: &[u8]) -> Result<(), Error> {
        let number = take_number(&mut self.number)?;
        let mut crc = Crc32::new();
        contents(memory, pieces).for_each(|data| crc.update(data));
        self.compare(crc, number, theirs)
    }

    fn compare(&mut self, crc: Crc32, number: [u8; 4], theirs: &[u8]) -> Result<(), Error> {
        let ours = self.signature(crc, number);
        // The pad is nobody's: there are senders that leave the keystream in it.
        let without_pad = |signature: &[u8]| -> Option<[u8; 12]> {
            let [a, b, c, d, _, _, _, _, rest @ ..] = signature else { return None };
            let mut out = [0; 12];
            let parts = [a, b, c, d].into_iter().chain(rest);
            (rest.len() == 8).then(|| out.iter_mut().zip(parts).for_each(|(to, from)| *to = *from))?;
            Some(out)
        };
        match (without_pad(&ours), without_pad(theirs)) {
            (Some(ours), Some(theirs)) if ct_eq(&ours, &theirs) => Ok(()),
            _ => Err(Error::MessageAltered),
        }
    }

    /// Pad, checksum and number are encrypted in this order, and the pad is written as zeros.
    fn signature(&mut self, crc: Crc32, number: [u8; 4]) -> [u8; SIGNATURE_LEN] {
        let mut pad = [0; 4];
        let mut checksum = crc.finish().to_le_bytes();
        let mut end = number;
        [&mut pad, &mut checksum, &mut end].into_iter().for_each(|part| self.cipher.apply(part));
        let [a, b, c, d] = checksum;
        signature([0, 0, 0, 0, a, b, c, d], end)
    }
}

#[cfg(test)]
mod tests;
