//! The key schedules that rustls runs on: our own hashes, HMAC, HKDF and PRF in the place of ring's.
//!
//! rustls's suites come with ring's HMAC behind several layers of indirection, which is most of what a resumed handshake
//! costs. The signature schemes and key exchanges are rustls's; the AEADs are those of [`record_aead`].
//!
//! The PRF of TLS 1.2 is also where two things pass that rustls shows nobody: the verify data of the first Finished message,
//! which is the channel binding `tls-unique`, and the server's random.

use std::sync::LazyLock;

use crypto::hash::{Digest, Hash, HashContext};
use crypto::mac::HmacKey;
use crypto::tls_prf::{prf_tls12, prf_tls12_keyed};
use rustls::crypto::ActiveKeyExchange;
use rustls::crypto::hash::{Context, HashAlgorithm, Output};
use rustls::crypto::hmac::Tag;
use rustls::crypto::tls12::Prf;
use rustls::crypto::tls13::{Hkdf, HkdfExpander, OkmBlock, OutputLengthError};
use rustls::{CipherSuite, CipherSuiteCommon, SupportedCipherSuite, Tls12CipherSuite, Tls13CipherSuite};

use super::secret::SmallSecret;
use super::{observed, older_versions, record_aead};
use crate::cipher_suites::SuiteRow;

static SHA256: KeySchedule = KeySchedule(Hash::Sha256);
static SHA384: KeySchedule = KeySchedule(Hash::Sha384);
static TRANSCRIPT_SHA256: TranscriptHash = TranscriptHash(Hash::Sha256);
static TRANSCRIPT_SHA384: TranscriptHash = TranscriptHash(Hash::Sha384);

/// Every suite of rustls's ring provider, over our key schedule. Made once for the process.
pub(super) fn cipher_suites() -> &'static [SupportedCipherSuite] {
    static SUITES: LazyLock<Vec<SupportedCipherSuite>> = LazyLock::new(|| {
        rustls::crypto::ring::default_provider()
            .cipher_suites
            .into_iter()
            .map(over_our_key_schedule)
            .collect()
    });
    &SUITES
}

/// The number that stands among the suites and says that its client knows the renegotiation indication.
///
/// Spec: RENEG section 3.3.
pub(super) const EMPTY_RENEGOTIATION_INFO: u16 = 0x00ff;

/// A suite that is offered in a ClientHello for another engine to run: it borrows from a real one what rustls asks of each,
/// and cannot be signed for. Made once for the process.
pub(super) fn offered_suite(code: u16) -> Option<SupportedCipherSuite> {
    static SUITES: LazyLock<Vec<SupportedCipherSuite>> = LazyLock::new(|| {
        let real = cipher_suites().iter().find_map(|suite| match suite {
            SupportedCipherSuite::Tls12(suite) => Some(*suite),
            SupportedCipherSuite::Tls13(_) => None,
        });
        let offered = |real: &Tls12CipherSuite, code: u16| {
            SupportedCipherSuite::Tls12(Box::leak(Box::new(Tls12CipherSuite {
                common: CipherSuiteCommon {
                    suite: CipherSuite::from(code),
                    hash_provider: real.common.hash_provider,
                    confidentiality_limit: real.common.confidentiality_limit,
                },
                prf_provider: real.prf_provider,
                kx: real.kx,
                sign: &[],
                aead_alg: real.aead_alg,
            })))
        };
        let codes = legacy_tls::SUITES.iter().map(|row| row.suite.0).chain([EMPTY_RENEGOTIATION_INFO]);
        real.map(|real| codes.map(|code| offered(real, code)).collect()).unwrap_or_default()
    });
    SUITES.iter().find(|suite| u16::from(suite.suite()) == code).copied()
}

fn over_our_key_schedule(suite: SupportedCipherSuite) -> SupportedCipherSuite {
    let is_sha384 = |common: &CipherSuiteCommon| common.hash_provider.output_len() == 48;
    let schedule = |common: &CipherSuiteCommon| if is_sha384(common) { &SHA384 } else { &SHA256 };
    let aead = |common: &CipherSuiteCommon| SuiteRow::by_code(u16::from(common.suite)).map(|row| row.aead);
    let same = |common: &CipherSuiteCommon| CipherSuiteCommon {
        suite: common.suite,
        hash_provider: if is_sha384(common) { &TRANSCRIPT_SHA384 } else { &TRANSCRIPT_SHA256 },
        confidentiality_limit: common.confidentiality_limit,
    };
    // rustls wants its suites to live for ever; these do, nine of them.
    match suite {
        SupportedCipherSuite::Tls12(suite) => {
            SupportedCipherSuite::Tls12(Box::leak(Box::new(Tls12CipherSuite {
                common: same(&suite.common),
                prf_provider: schedule(&suite.common),
                kx: suite.kx,
                sign: suite.sign,
                aead_alg: match aead(&suite.common) {
                    Some(aead) => record_aead::tls12(aead),
                    None => suite.aead_alg,
                },
            })))
        }
        SupportedCipherSuite::Tls13(suite) => {
            SupportedCipherSuite::Tls13(Box::leak(Box::new(Tls13CipherSuite {
                common: same(&suite.common),
                hkdf_provider: schedule(&suite.common),
                aead_alg: match aead(&suite.common) {
                    Some(aead) => record_aead::tls13(aead),
                    None => suite.aead_alg,
                },
                quic: None,
            })))
        }
    }
}

/// The hash of a handshake's messages.
struct TranscriptHash(Hash);

impl rustls::crypto::hash::Hash for TranscriptHash {
    fn start(&self) -> Box<dyn Context> {
        Box::new(TranscriptContext(self.0.context()))
    }

    fn hash(&self, data: &[u8]) -> Output {
        Output::new(self.0.digest(data).as_ref())
    }

    fn output_len(&self) -> usize {
        self.0.output_len()
    }

    fn algorithm(&self) -> HashAlgorithm {
        if self.0 == Hash::Sha384 { HashAlgorithm::SHA384 } else { HashAlgorithm::SHA256 }
    }
}

struct TranscriptContext(HashContext);

impl Context for TranscriptContext {
    fn fork_finish(&self) -> Output {
        Output::new(self.0.current().as_ref())
    }

    fn fork(&self) -> Box<dyn Context> {
        Box::new(Self(self.0.clone()))
    }

    fn finish(self: Box<Self>) -> Output {
        Output::new(self.0.finish().as_ref())
    }

    fn update(&mut self, data: &[u8]) {
        self.0.update(&older_versions::on_the_wire(data));
    }
}

/// PRF and HKDF with one hash.
struct KeySchedule(Hash);

impl Prf for KeySchedule {
    fn for_key_exchange(
        &self,
        output: &mut [u8; 48],
        kx: Box<dyn ActiveKeyExchange>,
        peer_pub_key: &[u8],
        label: &[u8],
        seed: &[u8],
    ) -> Result<(), rustls::Error> {
        let shared = kx.complete_for_tls_version(peer_pub_key, &rustls::version::TLS12)?;
        prf_tls12(self.0, shared.secret_bytes(), label, &[seed], output);
        Ok(())
    }

    fn for_secret(&self, output: &mut [u8], secret: &[u8], label: &[u8], seed: &[u8]) {
        let keyed = observed::with(|o| {
            // The master secret is expanded three times in a handshake; as a key it is made once.
            if o.prf_key.as_ref().is_none_or(|(of, _)| of.as_ref() != secret) {
                o.prf_key = Some((SmallSecret::new(secret), HmacKey::new(self.0, secret)));
            }
            o.prf_key.as_ref().map(|(_, key)| prf_tls12_keyed(key, label, &[seed], output))
        });
        if keyed.flatten().is_none() {
            prf_tls12(self.0, secret, label, &[seed], output);
        }
        let _outside_a_handshake = observed::with(|o| match label {
            // The seed is server_random and client_random. Spec: TLS12 section 6.3.
            b"key expansion" => o.server_random = seed.first_chunk().copied(),
            b"client finished" | b"server finished" if o.first_finished.is_none() => {
                o.first_finished = (&*output).try_into().ok();
            }
            _ => {}
        });
    }
}

impl KeySchedule {
    fn extract(&self, salt: Option<&[u8]>, secret: &[u8]) -> Box<dyn HkdfExpander> {
        // No salt means zeros of the hash's length, which is the same key as an empty one.
        let key = HmacKey::new(self.0, salt.unwrap_or_default()).sign(secret);
        Box::new(Expander(HmacKey::new(self.0, key.as_ref())))
    }
}

impl Hkdf for KeySchedule {
    fn extract_from_zero_ikm(&self, salt: Option<&[u8]>) -> Box<dyn HkdfExpander> {
        let zeros = [0; 64];
        self.extract(salt, zeros.get(..self.0.output_len()).unwrap_or_default())
    }

    fn extract_from_secret(&self, salt: Option<&[u8]>, secret: &[u8]) -> Box<dyn HkdfExpander> {
        self.extract(salt, secret)
    }

    fn expander_for_okm(&self, okm: &OkmBlock) -> Box<dyn HkdfExpander> {
        if observed::with(|o| o.is_leaving) == Some(true) {
            return Box::new(NoKeys(self.0));
        }
        Box::new(Expander(HmacKey::new(self.0, okm.as_ref())))
    }

    fn hmac_sign(&self, key: &OkmBlock, message: &[u8]) -> Tag {
        Tag::new(HmacKey::new(self.0, key.as_ref()).sign(message).as_ref())
    }
}

/// Expands to zeros. When rustls gives its last state away it derives the records' keys once more, which we hold already.
struct NoKeys(Hash);

impl HkdfExpander for NoKeys {
    fn expand_slice(&self, _info: &[&[u8]], output: &mut [u8]) -> Result<(), OutputLengthError> {
        output.fill(0);
        Ok(())
    }

    fn expand_block(&self, _info: &[&[u8]]) -> OkmBlock {
        let zeros = [0; Digest::MAX_LEN];
        OkmBlock::new(zeros.get(..self.hash_len()).unwrap_or_default())
    }

    fn hash_len(&self) -> usize {
        self.0.output_len()
    }
}

struct Expander(HmacKey);

impl Expander {
    /// T(number) of HKDF-Expand. Spec: HKDF section 2.3.
    fn block(&self, previous: Option<&Digest>, info: &[&[u8]], number: u8) -> Digest {
        let previous = previous.map(AsRef::as_ref);
        self.0.sign_parts(previous.into_iter().chain(info.iter().copied()).chain([&[number][..]]))
    }
}

impl HkdfExpander for Expander {
    fn expand_slice(&self, info: &[&[u8]], output: &mut [u8]) -> Result<(), OutputLengthError> {
        let mut block = self.block(None, info, 1);
        let mut number: u8 = 1;
        let mut chunks = output.chunks_mut(self.hash_len()).peekable();
        while let Some(chunk) = chunks.next() {
            chunk.copy_from_slice(block.as_ref().get(..chunk.len()).ok_or(OutputLengthError)?);
            if chunks.peek().is_some() {
                number = number.checked_add(1).ok_or(OutputLengthError)?;
                block = self.block(Some(&block), info, number);
            }
        }
        Ok(())
    }

    fn expand_block(&self, info: &[&[u8]]) -> OkmBlock {
        OkmBlock::new(self.block(None, info, 1).as_ref())
    }

    fn hash_len(&self) -> usize {
        self.0.hash().output_len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_derivation_is_the_one_of_rustls_with_ring() {
        for suite in rustls::crypto::ring::default_provider().cipher_suites {
            let ours = cipher_suites().iter().find(|s| s.suite() == suite.suite()).unwrap();
            match (suite, ours) {
                (SupportedCipherSuite::Tls12(theirs), SupportedCipherSuite::Tls12(ours)) => {
                    for length in [1, 12, 31, 32, 33, 48, 104, 200] {
                        let (mut a, mut b) = (vec![0; length], vec![0; length]);
                        theirs.prf_provider.for_secret(&mut a, &[7; 48], b"key expansion", &[9; 64]);
                        ours.prf_provider.for_secret(&mut b, &[7; 48], b"key expansion", &[9; 64]);
                        assert_eq!(a, b, "{:?} {length}", theirs.common.suite);
                    }
                }
                (SupportedCipherSuite::Tls13(theirs), SupportedCipherSuite::Tls13(ours)) => {
                    let info: &[&[u8]] = &[b"one", b"", b"two"];
                    let (theirs, ours) = (theirs.hkdf_provider, ours.hkdf_provider);
                    for salt in [None, Some(&b"salt"[..])] {
                        let pairs = [
                            (theirs.extract_from_zero_ikm(salt), ours.extract_from_zero_ikm(salt)),
                            (
                                theirs.extract_from_secret(salt, b"ikm"),
                                ours.extract_from_secret(salt, b"ikm"),
                            ),
                        ];
                        for (a, b) in pairs {
                            assert_eq!(a.hash_len(), b.hash_len());
                            let (x, y) = (a.expand_block(info), b.expand_block(info));
                            assert_eq!(x.as_ref(), y.as_ref());
                            for length in [1, 12, 31, 32, 33, 48, 100, 255 * a.hash_len()] {
                                let (mut p, mut q) = (vec![0; length], vec![0; length]);
                                a.expand_slice(info, &mut p).unwrap();
                                b.expand_slice(info, &mut q).unwrap();
                                assert_eq!(p, q);
                            }
                            let mut long = vec![0; 255 * a.hash_len() + 1];
                            assert!(b.expand_slice(info, &mut long).is_err());
                            let (p, q) = (theirs.expander_for_okm(&x), ours.expander_for_okm(&y));
                            assert_eq!(p.expand_block(info).as_ref(), q.expand_block(info).as_ref());
                            assert_eq!(
                                theirs.hmac_sign(&x, b"m").as_ref(),
                                ours.hmac_sign(&y, b"m").as_ref()
                            );
                        }
                    }
                }
                _ => panic!("a suite changed its protocol"),
            }
        }
    }
}
