//! The primitives that OpenSSPI's protocol engines use, each with its known answers.
//!
//! This is the only crate that names a crate of primitives, and none of their types is in its public API.
//!
//! | module | what | specification |
//! |---|---|---|
//! | [`hash`] | MD4, MD5, SHA-1, SHA-2 | RFC 1320, RFC 1321, FIPS 180-4 |
//! | [`mac`] | HMAC | RFC 2104 |
//! | [`hkdf`] | HKDF and the labels of TLS 1.3 | RFC 5869, RFC 8446 section 7.1 |
//! | [`tls_prf`] | P_hash and the PRFs of TLS 1.0 and TLS 1.2 | RFC 2246 section 5, RFC 5246 section 5 |
//! | [`aead`] | AES-GCM, ChaCha20-Poly1305 | NIST SP 800-38D, RFC 8439 |
//! | [`rsa`], [`dsa`], [`ecdsa`], [`ed25519`] | signatures; encryption with RSA | RFC 8017, FIPS 186-4, RFC 8032 |
//! | [`dh`], [`ecdh`] | key agreement | RFC 2631, RFC 7919, RFC 8422, RFC 7748 |
//! | [`public_key`], [`private_key`] | keys of any kind, from DER | RFC 5280, RFC 5958 |
//! | [`signature`] | the names of signature schemes, and how signatures fail | RFC 5246 section 7.4.1.4.1 |
//! | [`cipher`] | RC4; DES, 3DES, RC2, IDEA and AES in CBC mode | RFC 6229, FIPS 46-3, RFC 2268, FIPS 197, NIST SP 800-38A |
//! | [`constant_time`] | comparing, choosing and copying that tells nothing by its time | |
//! | [`random`] | the seam for randomness, and the system's | |
//!
//! Signatures, encryption with RSA and key agreement are there with the feature `asymmetric`, which is one of the default.
//! What goes by passwords, such as NTLM and Digest, does without, and without the thirty crates that stand behind it.
//!
//! # Secrets
//!
//! Every [`hash::Digest`], which is what hashes, MACs and key derivations yield, is zeroized when it is dropped
//! and compared in constant time; no `Debug` shows a key or an output. Buffers that a caller passes in to be filled
//! are the caller's to wipe. Hashes and MACs in progress, keys for MACs and the state of ciphers are wiped too; the
//! expanded key inside [`aead::AeadKey`] lies in a type of the primitive, which offers no way to wipe it.

pub mod aead;
#[cfg(feature = "asymmetric")]
mod asn1;
pub mod cipher;
pub mod constant_time;
#[cfg(feature = "asymmetric")]
pub mod dh;
#[cfg(feature = "asymmetric")]
pub mod dsa;
#[cfg(feature = "asymmetric")]
pub mod ecdh;
#[cfg(feature = "asymmetric")]
pub mod ecdsa;
#[cfg(feature = "asymmetric")]
pub mod ed25519;
pub mod hash;
pub mod hkdf;
pub mod mac;
#[cfg(feature = "asymmetric")]
mod modular;
#[cfg(feature = "asymmetric")]
mod nonce;
#[cfg(feature = "asymmetric")]
pub mod private_key;
#[cfg(feature = "asymmetric")]
pub mod public_key;
pub mod random;
#[cfg(feature = "asymmetric")]
pub mod rsa;
#[cfg(feature = "asymmetric")]
mod secret;
#[cfg(feature = "asymmetric")]
pub mod signature;
pub mod tls_prf;

#[cfg(test)]
mod hex;
#[cfg(feature = "asymmetric")]
#[cfg(test)]
mod testing;
