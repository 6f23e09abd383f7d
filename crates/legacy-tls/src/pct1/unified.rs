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

use super::both_roles::offered;
use super::messages::{ClientHello, NO_SESSION, VERSION};
use super::readings::extend_challenge;
use super::specs::{CipherSpec, RSA_PKCS1, SPECS, certificate};
use crate::config::Policy;
use crate::ssl2::cipher_kinds::CipherKind;
use crate::ssl2::messages;
use crate::tls::cipher_suites::CipherSuite;

const OFFER: u8 = 0x8f;
const CERTIFICATE: u8 = 0x80;
const HASH: u8 = 0x81;
const EXCHANGE: u8 = 0x82;
const CIPHER: u8 = 0x83;
const LENGTHS: u8 = 0x84;

/// Whether these specifications of an SSL 2.0 hello offer PCT.
pub(crate) fn is_offered_in(specs: &[CipherKind]) -> bool {
    specs.iter().any(|CipherKind([kind, high, _])| *kind == OFFER && high & 0x80 != 0)
}

/// The ciphers and hashes that they offer together, by our numbers.
pub(crate) fn suites_offered_in(specs: &[CipherKind]) -> Vec<CipherSuite> {
    let (mut ciphers, mut hashes) = (Vec::new(), Vec::new());
    read(specs, &mut |spec| match spec {
        Spec::Cipher(spec) => ciphers.push(spec),
        Spec::Hash(code) => hashes.push(code),
        Spec::Certificate(_) | Spec::Exchange(_) => {}
    });
    let is_offered = |own: &&super::specs::Spec| {
        hashes.contains(&own.hash) && ciphers.iter().any(|theirs| own.is(*theirs))
    };
    SPECS.iter().filter(is_offered).map(|own| own.row.suite).collect()
}

/// The specifications by which PCT is offered, as `policy` allows it; they go beside those of other protocols.
pub(crate) fn specs_of(policy: &Policy) -> Vec<CipherKind> {
    let two = |kind: u8, code: u16| {
        let [high, low] = code.to_be_bytes();
        CipherKind([kind, high, low])
    };
    let (ciphers, hashes) = offered(policy);
    let mut specs = vec![two(OFFER, VERSION)];
    specs.extend(certificate::ALL.map(|code| two(CERTIFICATE, code)));
    specs.extend(hashes.into_iter().map(|code| two(HASH, code)));
    specs.push(two(EXCHANGE, RSA_PKCS1));
    for spec in ciphers {
        // Before each of its lengths, so that a reader that forgets it has it too.
        specs.push(two(CIPHER, spec.cipher));
        specs.push(CipherKind([LENGTHS, spec.bits, spec.mac_bits_less_64]));
    }
    specs
}

enum Spec {
    Certificate(u16),
    Hash(u16),
    Exchange(u16),
    Cipher(CipherSpec),
}

/// What the specifications of a hello that offers PCT say of it.
fn read(specs: &[CipherKind], each: &mut dyn FnMut(Spec)) {
    let mut cipher = None;
    for CipherKind([kind, high, low]) in specs.iter().copied() {
        let code = u16::from_be_bytes([high, low]);
        match (kind, cipher) {
            (CERTIFICATE, _) => each(Spec::Certificate(code)),
            (HASH, _) => each(Spec::Hash(code)),
            (EXCHANGE, _) => each(Spec::Exchange(code)),
            (CIPHER, _) => cipher = Some(code),
            (LENGTHS, Some(cipher)) => {
                each(Spec::Cipher(CipherSpec { cipher, bits: high, mac_bits_less_64: low }));
            }
            _ => {}
        }
    }
}

/// The hello that PCT itself would have sent.
pub(crate) fn as_pct(unified: &messages::ClientHello<'_>) -> ClientHello {
    let mut hello = ClientHello {
        version: VERSION,
        session_id: NO_SESSION,
        challenge: extend_challenge(&unified.challenge),
        ciphers: Vec::new(),
        hashes: Vec::new(),
        certificates: Vec::new(),
        exchanges: Vec::new(),
        key_arg: Vec::new(),
    };
    if is_offered_in(&unified.kinds) {
        read(&unified.kinds, &mut |spec| match spec {
            Spec::Certificate(code) => hello.certificates.push(code),
            Spec::Hash(code) => hello.hashes.push(code),
            Spec::Exchange(code) => hello.exchanges.push(code),
            Spec::Cipher(spec) => hello.ciphers.push(spec),
        });
    }
    hello
}
