//! `NegotiateFlags`: what each end can do, and what both agree on.

use std::fmt;

/// `NegotiateFlags`: 32 bits, little-endian on the wire. Bits without a name survive.
///
/// Spec: MS-NLMP section 2.2.2.5.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct NegotiateFlags(pub u32);

macro_rules! flags {
    ($($name:ident = $value:literal, $meaning:literal;)*) => {
        impl NegotiateFlags {
            $(
                #[doc = concat!("`NTLMSSP_", stringify!($name), "` (`", stringify!($value), "`): ", $meaning, ".")]
                pub const $name: Self = Self($value);
            )*

            /// The names of the flags that are set, without their prefix `NTLMSSP_`, lowest bit first.
            pub fn names(self) -> impl Iterator<Item = &'static str> {
                const NAMES: &[(u32, &str)] = &[$(($value, stringify!($name))),*];
                NAMES.iter().filter(move |(bit, _)| self.0 & bit != 0).map(|(_, name)| *name)
            }
        }
    };
}

flags! {
    NEGOTIATE_UNICODE = 0x1, "strings are UTF-16, little-endian";
    NEGOTIATE_OEM = 0x2, "strings are of the code page of the sender";
    REQUEST_TARGET = 0x4, "the server says who it is";
    NEGOTIATE_SIGN = 0x10, "messages are signed";
    NEGOTIATE_SEAL = 0x20, "messages are encrypted";
    NEGOTIATE_DATAGRAM = 0x40, "there is no connection";
    NEGOTIATE_LM_KEY = 0x80, "keys are made of the LM hash";
    NEGOTIATE_NTLM = 0x200, "NTLM, of any version";
    NEGOTIATE_ANONYMOUS = 0x800, "the client is nobody";
    NEGOTIATE_OEM_DOMAIN_SUPPLIED = 0x1000, "the first message names the client's domain";
    NEGOTIATE_OEM_WORKSTATION_SUPPLIED = 0x2000, "the first message names the client's computer";
    NEGOTIATE_ALWAYS_SIGN = 0x8000, "messages have a signature, be it an empty one";
    TARGET_TYPE_DOMAIN = 0x1_0000, "the target's name is a domain's";
    TARGET_TYPE_SERVER = 0x2_0000, "the target's name is a server's";
    NEGOTIATE_EXTENDED_SESSIONSECURITY = 0x8_0000, "each direction has keys and a number of its own";
    NEGOTIATE_IDENTIFY = 0x10_0000, "the server may find out who the client is, and not act for it";
    REQUEST_NON_NT_SESSION_KEY = 0x40_0000, "keys are made of the LM hash alone";
    NEGOTIATE_TARGET_INFO = 0x80_0000, "the challenge has attributes of the target";
    NEGOTIATE_VERSION = 0x200_0000, "messages say who wrote the sender";
    NEGOTIATE_128 = 0x2000_0000, "keys of 128 bits";
    NEGOTIATE_KEY_EXCH = 0x4000_0000, "the client chooses the key";
    NEGOTIATE_56 = 0x8000_0000, "keys of 56 bits";
}

impl NegotiateFlags {
    /// No flag at all.
    pub const NONE: Self = Self(0);

    /// Whether every flag of `other` is set here.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether some flag of `other` is set here.
    #[must_use]
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// The flags of both.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The flags that are in both.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The flags of `self` that are not in `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// `self` and, where `condition` holds, `other`.
    #[must_use]
    pub const fn with_if(self, condition: bool, other: Self) -> Self {
        if condition { self.union(other) } else { self }
    }

    /// Whether messages are signed or encrypted.
    #[must_use]
    pub const fn protects_messages(self) -> bool {
        self.intersects(Self::NEGOTIATE_SIGN.union(Self::NEGOTIATE_SEAL))
    }

    /// The bits of the key that messages are encrypted with.
    #[must_use]
    pub const fn key_bits(self) -> u32 {
        if self.contains(Self::NEGOTIATE_128) {
            128
        } else if self.contains(Self::NEGOTIATE_56) {
            56
        } else {
            40
        }
    }
}

impl std::ops::BitOr for NegotiateFlags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        self.union(other)
    }
}

impl fmt::Debug for NegotiateFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NegotiateFlags({:#010x}", self.0)?;
        for (index, name) in self.names().enumerate() {
            write!(f, "{}{name}", if index == 0 { ": " } else { " | " })?;
        }
        f.write_str(")")
    }
}

#[cfg(test)]
mod tests {
    use super::NegotiateFlags as F;

    #[test]
    fn what_windows_sends_has_the_names_of_the_specification() {
        let names: Vec<_> = F(0xE208_82B7).names().collect();
        assert_eq!(
            names,
            [
                "NEGOTIATE_UNICODE",
                "NEGOTIATE_OEM",
                "REQUEST_TARGET",
                "NEGOTIATE_SIGN",
                "NEGOTIATE_SEAL",
                "NEGOTIATE_LM_KEY",
                "NEGOTIATE_NTLM",
                "NEGOTIATE_ALWAYS_SIGN",
                "NEGOTIATE_EXTENDED_SESSIONSECURITY",
                "NEGOTIATE_VERSION",
                "NEGOTIATE_128",
                "NEGOTIATE_KEY_EXCH",
                "NEGOTIATE_56",
            ]
        );
        assert_eq!(F(0xE208_82B7).key_bits(), 128);
        assert_eq!((F(0x8000_0000).key_bits(), F(0).key_bits()), (56, 40));
        assert!(format!("{:?}", F(0x801)).ends_with("(0x00000801: NEGOTIATE_UNICODE | NEGOTIATE_ANONYMOUS)"));
    }
}
