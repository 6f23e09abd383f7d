//! The CLIENT-HELLO of SSL 2.0 in which PCT hides its specifications: servers that know it not skip what they know not.
//!
//! ```text
//! type 1 (1), version 2, lengths 2 each: cipher_specs (of 3 bytes), session_id, challenge; then these
//! 8f vvvv  PCT of this version        80 cccc  a certificate type     81 hhhh  a hash     82 eeee  a key exchange
//! 83 cccc  a cipher type, of which    84 bb mm  says bits of key and of the MAC's key less 64
//! ```
//!
//! No draft has it; these are the values that were seen on the wire, as public dissectors name them.
//!
//! Spec: SSL2 section 1.4.1 (the message); PCT1 section 5.5.2 (the codes).

use wire::{DecodeError, EncodeError, Reader, Writer};

use super::client::offered;
use super::messages::{CLIENT_HELLO, ClientHello, NO_SESSION, VERSION};
use super::readings::extend_challenge;
use super::specs::{CipherSpec, RSA_PKCS1, certificate};
use crate::config::Policy;

const OFFER: u8 = 0x8f;
const CERTIFICATE: u8 = 0x80;
const HASH: u8 = 0x81;
const EXCHANGE: u8 = 0x82;
const CIPHER: u8 = 0x83;
const LENGTHS: u8 = 0x84;

/// An SSL 2.0 hello, as far as PCT is concerned.
///
/// Spec: SSL2 section 1.4.1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnifiedHello {
    /// The version in the message: 0x0002, or the highest of the others that are offered.
    pub version: u16,
    /// Specifications of 3 bytes each: those of PCT, and all others.
    pub specs: Vec<[u8; 3]>,
    /// SSL 2.0's session, 16 bytes or none. PCT has none here.
    pub session_id: Vec<u8>,
    /// 16 to 32 bytes.
    pub challenge: Vec<u8>,
}

/// Whether these specifications of an SSL 2.0 hello offer PCT.
#[must_use]
pub fn is_offered_in(specs: &[[u8; 3]]) -> bool {
    specs.iter().any(|[kind, high, _]| *kind == OFFER && high & 0x80 != 0)
}

impl UnifiedHello {
    /// The specifications by which PCT is offered, as `policy` allows it; they go beside those of other protocols.
    #[must_use]
    pub fn specs_of(policy: &Policy) -> Vec<[u8; 3]> {
        let two = |kind: u8, code: u16| {
            let [high, low] = code.to_be_bytes();
            [kind, high, low]
        };
        let (ciphers, hashes) = offered(policy);
        let mut specs = vec![two(OFFER, VERSION)];
        specs.extend(certificate::ALL.map(|code| two(CERTIFICATE, code)));
        specs.extend(hashes.into_iter().map(|code| two(HASH, code)));
        specs.push(two(EXCHANGE, RSA_PKCS1));
        for spec in ciphers {
            // Before each of its lengths, so that a reader that forgets it has it too.
            specs.push(two(CIPHER, spec.cipher));
            specs.push([LENGTHS, spec.bits, spec.mac_bits_less_64]);
        }
        specs
    }

    /// Reads a message, from its type to its end.
    ///
    /// # Errors
    ///
    /// It is none, or its lengths do not fit.
    pub fn decode(message: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(message);
        if reader.u8("CLIENT-HELLO.type")? != CLIENT_HELLO {
            return Err(DecodeError::illegal("CLIENT-HELLO.type"));
        }
        let version = reader.u16("CLIENT-HELLO.version")?;
        let specs_len = usize::from(reader.u16("CLIENT-HELLO.cipher_specs_length")?);
        let session_id_len = usize::from(reader.u16("CLIENT-HELLO.session_id_length")?);
        let challenge_len = usize::from(reader.u16("CLIENT-HELLO.challenge_length")?);
        if !(16..=32).contains(&challenge_len) {
            return Err(DecodeError::illegal("CLIENT-HELLO.challenge_length"));
        }
        if session_id_len != 0 && session_id_len != 16 {
            return Err(DecodeError::illegal("CLIENT-HELLO.session_id_length"));
        }
        let (specs, rest) = reader.take("CLIENT-HELLO.cipher_specs", specs_len)?.as_chunks::<3>();
        if !rest.is_empty() {
            return Err(DecodeError::illegal("CLIENT-HELLO.cipher_specs_length"));
        }
        let session_id = reader.take("CLIENT-HELLO.session_id", session_id_len)?.to_vec();
        let challenge = reader.take("CLIENT-HELLO.challenge", challenge_len)?.to_vec();
        reader.finish("CLIENT-HELLO")?;
        Ok(Self { version, specs: specs.to_vec(), session_id, challenge })
    }

    /// Writes a message, from its type to its end.
    ///
    /// # Errors
    ///
    /// A field is too long.
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        let length = |field, length: usize| {
            u16::try_from(length).map_err(|_| EncodeError { field, length, max: usize::from(u16::MAX) })
        };
        let mut writer = Writer::new();
        writer.u8(CLIENT_HELLO);
        writer.u16(self.version);
        writer.u16(length("CLIENT-HELLO.cipher_specs", 3 * self.specs.len())?);
        writer.u16(length("CLIENT-HELLO.session_id", self.session_id.len())?);
        writer.u16(length("CLIENT-HELLO.challenge", self.challenge.len())?);
        self.specs.iter().for_each(|spec| writer.bytes(spec));
        writer.bytes(&self.session_id);
        writer.bytes(&self.challenge);
        Ok(writer.into_vec())
    }

    /// PCT's challenge.
    pub(crate) fn pct_challenge(&self) -> [u8; 32] {
        extend_challenge(&self.challenge)
    }

    /// The hello that PCT itself would have sent.
    pub(crate) fn to_hello(&self) -> ClientHello {
        let mut hello = ClientHello {
            version: VERSION,
            session_id: NO_SESSION,
            challenge: self.pct_challenge(),
            ciphers: Vec::new(),
            hashes: Vec::new(),
            certificates: Vec::new(),
            exchanges: Vec::new(),
            key_arg: Vec::new(),
        };
        let mut cipher = None;
        for [kind, high, low] in self.specs.iter().copied().filter(|_| is_offered_in(&self.specs)) {
            let code = u16::from_be_bytes([high, low]);
            match kind {
                CERTIFICATE => hello.certificates.push(code),
                HASH => hello.hashes.push(code),
                EXCHANGE => hello.exchanges.push(code),
                CIPHER => cipher = Some(code),
                LENGTHS => {
                    hello.ciphers.extend(cipher.map(|cipher| CipherSpec {
                        cipher,
                        bits: high,
                        mac_bits_less_64: low,
                    }));
                }
                _ => {}
            }
        }
        hello
    }
}
