//! The weaknesses of old certificates, each by the name under which a configuration allows it.

use std::fmt;
use std::str::FromStr;

use crate::status::CertificateKind;

macro_rules! weaknesses {
    ($($(#[$doc:meta])* $variant:ident $name:literal $kind:ident $what:literal,)*) => {
        /// A weakness of a certificate that is accepted only where `allow` names it.
        ///
        /// The set is closed. Each entry stands for itself: none includes another, so that a chain with a 1024-bit key and
        /// an MD5 signature needs both entries. What an entry allows holds for every certificate of a chain, the
        /// root's key included; the root's own signature is not looked at, since it is the configuration that
        /// vouches for a root.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Weakness {
            $($(#[$doc])* $variant,)*
        }

        impl Weakness {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name in a configuration.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// What a certificate with it has or is, to follow its subject.
            #[must_use]
            pub const fn sentence(self) -> &'static str {
                match self {
                    $(Self::$variant => $what,)*
                }
            }

            pub(super) const fn kind(self) -> CertificateKind {
                match self {
                    $(Self::$variant => CertificateKind::$kind,)*
                }
            }
        }
    };
}

weaknesses! {
    /// `md5-signature`: a certificate, a revocation list or an OCSP answer signed over its MD5.
    ///
    /// Weak because two certificates with one MD5 can be made at will, and have been: a signature that an authority gave to
    /// a harmless certificate then holds for another, for any name or for an authority. Whoever
    /// gets one certificate from an authority that still signs so can be everybody.
    Md5Signature "md5-signature" WeakSignature "is signed with MD5",

    /// `sha1-signature`: a certificate, a revocation list or an OCSP answer signed over its SHA-1, by RSA, DSA or ECDSA.
    ///
    /// Weak because collisions with chosen prefixes, as they make a forged certificate, have been computed
    /// for the price of a car since 2020.
    Sha1Signature "sha1-signature" WeakSignature "is signed with SHA-1",

    /// `rsa-512`: RSA keys of 512 to 767 bits.
    ///
    /// Weak because anybody can factor such a number in hours, with rented computers and published programs, and has
    /// the private key then.
    Rsa512 "rsa-512" WeakKey "has an RSA key of less than 768 bits",

    /// `rsa-768`: RSA keys of 768 to 1023 bits.
    ///
    /// Weak because a number of 768 bits was factored by academics in 2009, one of 829 bits in 2020.
    Rsa768 "rsa-768" WeakKey "has an RSA key of less than 1024 bits",

    /// `rsa-1024`: RSA keys of 1024 to 2047 bits.
    ///
    /// Weak because 1024 bits are within reach of an adversary with the means of a state; authorities have issued none
    /// since 2013.
    Rsa1024 "rsa-1024" WeakKey "has an RSA key of less than 2048 bits",

    /// `dsa-512`: DSA keys of 512 to 1023 bits.
    ///
    /// Weak because discrete logarithms modulo such a prime are computed in minutes once work has been done
    /// for that prime, which many keys share.
    Dsa512 "dsa-512" WeakKey "has a DSA key of less than 1024 bits",

    /// `dsa`: DSA keys of 1024 bits and more, and what they sign.
    ///
    /// Weak because the original DSS ends at 1024 bits with a subgroup of 160; because a DSA key is lost with one
    /// signature whose random number is known or repeated; and because the algorithm is withdrawn (FIPS 186-5).
    Dsa "dsa" WeakKey "has a DSA key",

    /// `x509-v1`: a server's or client's own certificate of X.509 version 1 or 2.
    ///
    /// Weak because such a certificate cannot say what it may be used for: a server's passes for a client's.
    /// It never issues others, unless it is itself a configured root.
    X509V1 "x509-v1" OldForm "is of X.509 version 1",

    /// `common-name`: a server's name or address in the common name of its subject, where subjectAltName has none.
    ///
    /// Weak because a common name is free text, which authorities did not have to check as a host name, and on which
    /// name constraints were not meant to act (here they do).
    CommonName "common-name" OldForm "names its server by its common name only",

    /// `loose-encoding`: certificates that are BER but not DER: lengths longer than need be, times without seconds or with
    /// an offset from UTC.
    ///
    /// Weak because such bytes have more than one form, so that comparing or hashing a certificate tells less, and
    /// because readers differ in what they make of them.
    LooseEncoding "loose-encoding" OldForm "is not encoded as DER",

    /// `rsa-key-usage`: a server's RSA key that is used for what keyUsage in its certificate does not allow, before TLS 1.3:
    /// to sign a key exchange, or to decrypt one.
    ///
    /// Weak because an authority gave the key for one use only, and a server that takes one key for both lets an attack on
    /// the one (Bleichenbacher's, on decryption) make what belongs to the other.
    RsaKeyUsage "rsa-key-usage" WrongUsage "uses its RSA key for what keyUsage does not allow",
}

impl fmt::Display for Weakness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is no weakness's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownWeakness {
    name: String,
}

impl fmt::Display for UnknownWeakness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known: Vec<&str> = Weakness::ALL.iter().map(|weakness| weakness.name()).collect();
        write!(f, "there is no weakness {:?} to allow; known: {}", self.name, known.join(", "))
    }
}

impl std::error::Error for UnknownWeakness {}

impl FromStr for Weakness {
    type Err = UnknownWeakness;

    fn from_str(name: &str) -> Result<Self, UnknownWeakness> {
        let found = Self::ALL.iter().find(|weakness| weakness.name() == name);
        found.copied().ok_or_else(|| UnknownWeakness { name: name.to_owned() })
    }
}

/// Some of the weaknesses.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Weaknesses(u32);

impl Weaknesses {
    pub(crate) const NONE: Self = Self(0);

    pub(crate) const fn of(weakness: Weakness) -> Self {
        Self(1 << weakness as u32)
    }

    pub(crate) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(crate) const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) const fn contains(self, weakness: Weakness) -> bool {
        self.0 & Self::of(weakness).0 != 0
    }

    /// Those that are not in `other`.
    pub(crate) const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = Weakness> {
        Weakness::ALL.iter().copied().filter(move |weakness| self.contains(*weakness))
    }
}

impl From<Option<Weakness>> for Weaknesses {
    fn from(weakness: Option<Weakness>) -> Self {
        weakness.map_or(Self::NONE, Self::of)
    }
}

impl FromIterator<Weakness> for Weaknesses {
    fn from_iter<I: IntoIterator<Item = Weakness>>(weaknesses: I) -> Self {
        weaknesses.into_iter().fold(Self::NONE, |all, weakness| all.with(Self::of(weakness)))
    }
}

impl fmt::Debug for Weaknesses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(Weakness::name)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weaknesses_are_read_by_the_names_that_they_print() {
        for weakness in Weakness::ALL {
            assert_eq!(weakness.to_string().parse(), Ok(*weakness));
        }
        let error = "md5".parse::<Weakness>().unwrap_err();
        assert!(error.to_string().contains("there is no weakness \"md5\" to allow; known: md5-signature, "));
    }

    #[test]
    fn sets_hold_what_was_put_in() {
        let all: Weaknesses = Weakness::ALL.iter().copied().collect();
        assert!(all.iter().eq(Weakness::ALL.iter().copied()));
        let two: Weaknesses = [Weakness::Dsa, Weakness::Rsa512].into_iter().collect();
        assert_eq!(format!("{two:?}"), r#"{"rsa-512", "dsa"}"#);
        assert!(two.contains(Weakness::Dsa) && !two.contains(Weakness::Dsa512));
        assert_eq!(two.without(Weaknesses::of(Weakness::Dsa)), Weaknesses::of(Weakness::Rsa512));
        assert!(two.without(all).is_empty() && Weaknesses::from(None).is_empty());
    }
}
