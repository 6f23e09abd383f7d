//! The keys of these tests, and what they sign.

use std::sync::Mutex;

use crypto::hash::Hash;
use crypto::private_key::PrivateKey;
use crypto::public_key::{PublicKey, SignatureScheme};
use crypto::random::{Random, RandomError};
use ring::signature::{Ed25519KeyPair, KeyPair};

use crate::der::{self, sequence, tlv};
use crate::{SeededRandom, pem};

macro_rules! keys {
    ($($(#[$doc:meta])* $name:ident $file:literal,)*) => {
        /// A key of these tests: the same in every run, and known to everybody.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum TestKey {
            $($(#[$doc])* $name,)*
        }

        impl TestKey {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The private key as PKCS#8 in DER.
            pub fn pkcs8(self) -> &'static [u8] {
                match self {
                    $(Self::$name => include_bytes!(concat!("../../testdata/", $file, ".pk8")),)*
                }
            }
        }
    };
}

keys! {
    /// RSA of 512 bits.
    Rsa512 "rsa512",
    /// RSA of 768 bits.
    Rsa768 "rsa768",
    /// RSA of 1024 bits.
    Rsa1024 "rsa1024",
    /// Another of 1024 bits.
    Rsa1024Issuer "rsa1024-issuer",
    /// RSA of 2048 bits.
    Rsa2048 "rsa2048",
    /// Another of 2048 bits.
    Rsa2048Issuer "rsa2048-issuer",
    /// A third of 2048 bits.
    Rsa2048Other "rsa2048-other",
    /// RSA of 4096 bits.
    Rsa4096 "rsa4096",
    /// RSA of 8192 bits.
    Rsa8192 "rsa8192",
    /// DSA of 512 bits, q of 160.
    Dsa512 "dsa512",
    /// DSA of 1024 bits, q of 160.
    Dsa1024 "dsa1024",
    /// Another of the same group.
    Dsa1024Issuer "dsa1024-issuer",
    /// DSA of 2048 bits, q of 256.
    Dsa2048 "dsa2048",
    /// Another of the same group.
    Dsa2048Issuer "dsa2048-issuer",
    /// ECDSA on P-256.
    P256 "p256",
    /// Another on P-256.
    P256Issuer "p256-issuer",
    /// ECDSA on P-384.
    P384 "p384",
    /// ECDSA on P-521.
    P521 "p521",
    /// Ed25519.
    Ed25519 "ed25519",
}

impl TestKey {
    /// The private key as PKCS#8 in PEM.
    pub fn pem(self) -> String {
        pem::encode("PRIVATE KEY", self.pkcs8())
    }

    /// SubjectPublicKeyInfo in DER.
    pub fn public_der(self) -> Vec<u8> {
        let algorithm = der::elements(der::elements(self.pkcs8())[0].content)[1].whole.to_vec();
        let key = if self == Self::Ed25519 {
            Ed25519KeyPair::from_pkcs8_maybe_unchecked(self.pkcs8()).unwrap().public_key().as_ref().to_vec()
        } else {
            match self.private().public_key() {
                PublicKey::Rsa(key) => sequence(&[&der::unsigned(key.n()), &der::unsigned(key.e())]),
                PublicKey::Dsa(key) => der::unsigned(key.components()[3]),
                PublicKey::Ecdsa(key) => key.point(),
                other => panic!("a private key with the public key {other:?}"),
            }
        };
        sequence(&[&algorithm, &der::bit_string(&key)])
    }

    /// Signs, with the same random numbers for the same message.
    pub(super) fn sign(self, signing: Signing, message: &[u8]) -> Vec<u8> {
        if self == Self::Ed25519 {
            let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(self.pkcs8()).unwrap();
            return pair.sign(message).as_ref().to_vec();
        }
        let seed =
            message.iter().fold(7_u64, |seed, byte| seed.wrapping_mul(31).wrapping_add((*byte).into()));
        let random = Repeatable(Mutex::new(SeededRandom::new(seed)));
        self.private().sign(self.scheme(signing), message, &random).unwrap()
    }

    /// The AlgorithmIdentifier of what it signs, whole.
    pub(super) fn algorithm(self, signing: Signing) -> Vec<u8> {
        const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1];
        const NULL: &[u8] = &[5, 0];
        let of = |oid: &[u8], parameters: &[u8]| sequence(&[&tlv(der::OBJECT_IDENTIFIER, oid), parameters]);
        let (parent, number, parameters): (&[u8], u8, &[u8]) = match self.scheme(signing) {
            SignatureScheme::RsaPkcs1(hash) => {
                let number = match hash {
                    Hash::Md5 => 4,
                    Hash::Sha1 => 5,
                    Hash::Sha256 => 11,
                    Hash::Sha384 => 12,
                    Hash::Sha512 => 13,
                    Hash::Sha512Of256 => 16,
                };
                (RSA, number, NULL)
            }
            SignatureScheme::RsaPss(hash) => {
                let hash_oid = hash_oid(hash);
                let hash_id = of(&hash_oid, NULL);
                let mask = of(&[RSA, &[8]].concat(), &hash_id);
                let salt = der::unsigned(&[hash.output_len() as u8]);
                let fields = [(0, hash_id), (1, mask), (2, salt)].map(|(n, f)| tlv(der::context(n), &f));
                return of(&[RSA, &[10]].concat(), &sequence(&[&fields[0], &fields[1], &fields[2]]));
            }
            SignatureScheme::Dsa(Hash::Sha1) => (&[0x2a, 0x86, 0x48, 0xce, 0x38, 4], 3, &[]),
            SignatureScheme::Dsa(Hash::Sha256) => (&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3], 2, &[]),
            SignatureScheme::Ecdsa(Hash::Sha1) => (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 4], 1, &[]),
            SignatureScheme::Ecdsa(Hash::Sha256) => (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3], 2, &[]),
            SignatureScheme::Ecdsa(Hash::Sha384) => (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3], 3, &[]),
            SignatureScheme::Ecdsa(Hash::Sha512) => (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3], 4, &[]),
            SignatureScheme::Ed25519 => (&[0x2b, 0x65], 0x70, &[]),
            other => panic!("nobody signs certificates with {other:?}"),
        };
        of(&[parent, &[number]].concat(), parameters)
    }

    fn private(self) -> PrivateKey {
        PrivateKey::from_der(self.pkcs8()).unwrap()
    }

    fn scheme(self, Signing { hash, is_pss }: Signing) -> SignatureScheme {
        match self {
            Self::Ed25519 => SignatureScheme::Ed25519,
            Self::P256 | Self::P256Issuer | Self::P384 | Self::P521 => SignatureScheme::Ecdsa(hash),
            Self::Dsa512 | Self::Dsa1024 | Self::Dsa1024Issuer | Self::Dsa2048 | Self::Dsa2048Issuer => {
                SignatureScheme::Dsa(hash)
            }
            _ if is_pss => SignatureScheme::RsaPss(hash),
            _ => SignatureScheme::RsaPkcs1(hash),
        }
    }
}

/// How a key signs, as far as the key leaves it open.
#[derive(Clone, Copy, Debug)]
pub(super) struct Signing {
    pub(super) hash: Hash,
    /// RSA with PSS in place of PKCS#1 v1.5.
    pub(super) is_pss: bool,
}

/// The content of the object identifier.
fn hash_oid(hash: Hash) -> Vec<u8> {
    let nist = |number| vec![0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, number];
    match hash {
        Hash::Md5 => vec![0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 2, 5],
        Hash::Sha1 => vec![0x2b, 0x0e, 3, 2, 0x1a],
        Hash::Sha256 => nist(1),
        Hash::Sha384 => nist(2),
        Hash::Sha512 => nist(3),
        Hash::Sha512Of256 => nist(6),
    }
}

/// The generator of tests as one of `crypto`.
struct Repeatable(Mutex<SeededRandom>);

impl Random for Repeatable {
    fn fill(&self, out: &mut [u8]) -> Result<(), RandomError> {
        self.0.lock().unwrap().fill(out);
        Ok(())
    }
}
