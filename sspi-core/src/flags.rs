//! The flags of the SSPI calls: what is asked for, what was granted, what a package can do.
//!
//! Bits 0x4000 to 0x100000 mean other things for the initiator than for the acceptor, so each family is a type of its own.

use core::fmt;

macro_rules! flags {
    ($(#[$doc:meta])* $type:ident($int:ty), $prefix:literal; $($name:ident = $value:literal,)*) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
        pub struct $type(pub $int);

        impl $type {
            $(
                #[doc = concat!("`", $prefix, stringify!($name), "` (`", stringify!($value), "`).")]
                pub const $name: Self = Self($value);
            )*

            /// No flag at all.
            pub const NONE: Self = Self(0);

            /// Whether every flag of `other` is set here.
            #[must_use]
            pub const fn contains(self, other: Self) -> bool {
                self.0 & other.0 == other.0
            }

            /// The flags of both.
            #[must_use]
            pub const fn union(self, other: Self) -> Self {
                Self(self.0 | other.0)
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

            /// The names of the flags that are set, without their prefix, lowest bit first.
            pub fn names(self) -> impl Iterator<Item = &'static str> {
                const NAMES: &[($int, &str)] = &[$(($value, stringify!($name))),*];
                NAMES.iter().filter(move |(bit, _)| self.0 & bit != 0).map(|(_, name)| *name)
            }
        }

        impl core::ops::BitOr for $type {
            type Output = Self;
            fn bitor(self, other: Self) -> Self {
                self.union(other)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($type), "({:#x}"), self.0)?;
                for (i, name) in self.names().enumerate() {
                    write!(f, "{}{name}", if i == 0 { ": " } else { " | " })?;
                }
                f.write_str(")")
            }
        }
    };
}

flags! {
    /// `ISC_REQ_*`: what an initiator asks for.
    IscReq(u64), "ISC_REQ_";
    DELEGATE = 0x1,
    MUTUAL_AUTH = 0x2,
    REPLAY_DETECT = 0x4,
    SEQUENCE_DETECT = 0x8,
    CONFIDENTIALITY = 0x10,
    USE_SESSION_KEY = 0x20,
    PROMPT_FOR_CREDS = 0x40,
    USE_SUPPLIED_CREDS = 0x80,
    ALLOCATE_MEMORY = 0x100,
    USE_DCE_STYLE = 0x200,
    DATAGRAM = 0x400,
    CONNECTION = 0x800,
    CALL_LEVEL = 0x1000,
    FRAGMENT_SUPPLIED = 0x2000,
    EXTENDED_ERROR = 0x4000,
    STREAM = 0x8000,
    INTEGRITY = 0x1_0000,
    IDENTIFY = 0x2_0000,
    NULL_SESSION = 0x4_0000,
    MANUAL_CRED_VALIDATION = 0x8_0000,
    RESERVED1 = 0x10_0000,
    FRAGMENT_TO_FIT = 0x20_0000,
    FORWARD_CREDENTIALS = 0x40_0000,
    NO_INTEGRITY = 0x80_0000,
    USE_HTTP_STYLE = 0x100_0000,
    UNVERIFIED_TARGET_NAME = 0x2000_0000,
    CONFIDENTIALITY_ONLY = 0x4000_0000,
    MESSAGES = 0x1_0000_0000,
    DEFERRED_CRED_VALIDATION = 0x2_0000_0000,
    NO_POST_HANDSHAKE_AUTH = 0x4_0000_0000,
    REUSE_SESSION_TICKETS = 0x8_0000_0000,
    EXPLICIT_SESSION = 0x10_0000_0000,
}

flags! {
    /// `ISC_RET_*`: what an initiator got; only what was really negotiated.
    IscRet(u64), "ISC_RET_";
    DELEGATE = 0x1,
    MUTUAL_AUTH = 0x2,
    REPLAY_DETECT = 0x4,
    SEQUENCE_DETECT = 0x8,
    CONFIDENTIALITY = 0x10,
    USE_SESSION_KEY = 0x20,
    USED_COLLECTED_CREDS = 0x40,
    USED_SUPPLIED_CREDS = 0x80,
    ALLOCATED_MEMORY = 0x100,
    USED_DCE_STYLE = 0x200,
    DATAGRAM = 0x400,
    CONNECTION = 0x800,
    INTERMEDIATE_RETURN = 0x1000,
    CALL_LEVEL = 0x2000,
    EXTENDED_ERROR = 0x4000,
    STREAM = 0x8000,
    INTEGRITY = 0x1_0000,
    IDENTIFY = 0x2_0000,
    NULL_SESSION = 0x4_0000,
    MANUAL_CRED_VALIDATION = 0x8_0000,
    RESERVED1 = 0x10_0000,
    FRAGMENT_ONLY = 0x20_0000,
    FORWARD_CREDENTIALS = 0x40_0000,
    USED_HTTP_STYLE = 0x100_0000,
    NO_ADDITIONAL_TOKEN = 0x200_0000,
    REAUTHENTICATION = 0x800_0000,
    CONFIDENTIALITY_ONLY = 0x4000_0000,
    MESSAGES = 0x1_0000_0000,
    DEFERRED_CRED_VALIDATION = 0x2_0000_0000,
    NO_POST_HANDSHAKE_AUTH = 0x4_0000_0000,
    REUSE_SESSION_TICKETS = 0x8_0000_0000,
    EXPLICIT_SESSION = 0x10_0000_0000,
}

flags! {
    /// `ASC_REQ_*`: what an acceptor asks for.
    AscReq(u64), "ASC_REQ_";
    DELEGATE = 0x1,
    MUTUAL_AUTH = 0x2,
    REPLAY_DETECT = 0x4,
    SEQUENCE_DETECT = 0x8,
    CONFIDENTIALITY = 0x10,
    USE_SESSION_KEY = 0x20,
    SESSION_TICKET = 0x40,
    ALLOCATE_MEMORY = 0x100,
    USE_DCE_STYLE = 0x200,
    DATAGRAM = 0x400,
    CONNECTION = 0x800,
    CALL_LEVEL = 0x1000,
    FRAGMENT_SUPPLIED = 0x2000,
    EXTENDED_ERROR = 0x8000,
    STREAM = 0x1_0000,
    INTEGRITY = 0x2_0000,
    LICENSING = 0x4_0000,
    IDENTIFY = 0x8_0000,
    ALLOW_NULL_SESSION = 0x10_0000,
    ALLOW_NON_USER_LOGONS = 0x20_0000,
    ALLOW_CONTEXT_REPLAY = 0x40_0000,
    FRAGMENT_TO_FIT = 0x80_0000,
    NO_TOKEN = 0x100_0000,
    PROXY_BINDINGS = 0x400_0000,
    ALLOW_MISSING_BINDINGS = 0x1000_0000,
    MESSAGES = 0x1_0000_0000,
    EXPLICIT_SESSION = 0x10_0000_0000,
}

flags! {
    /// `ASC_RET_*`: what an acceptor got; only what was really negotiated.
    AscRet(u64), "ASC_RET_";
    DELEGATE = 0x1,
    MUTUAL_AUTH = 0x2,
    REPLAY_DETECT = 0x4,
    SEQUENCE_DETECT = 0x8,
    CONFIDENTIALITY = 0x10,
    USE_SESSION_KEY = 0x20,
    SESSION_TICKET = 0x40,
    ALLOCATED_MEMORY = 0x100,
    USED_DCE_STYLE = 0x200,
    DATAGRAM = 0x400,
    CONNECTION = 0x800,
    CALL_LEVEL = 0x2000,
    THIRD_LEG_FAILED = 0x4000,
    EXTENDED_ERROR = 0x8000,
    STREAM = 0x1_0000,
    INTEGRITY = 0x2_0000,
    LICENSING = 0x4_0000,
    IDENTIFY = 0x8_0000,
    NULL_SESSION = 0x10_0000,
    ALLOW_NON_USER_LOGONS = 0x20_0000,
    ALLOW_CONTEXT_REPLAY = 0x40_0000,
    FRAGMENT_ONLY = 0x80_0000,
    NO_TOKEN = 0x100_0000,
    NO_ADDITIONAL_TOKEN = 0x200_0000,
    MESSAGES = 0x1_0000_0000,
    REUSE_SESSION_TICKETS = 0x8_0000_0000,
    EXPLICIT_SESSION = 0x10_0000_0000,
}

flags! {
    /// `SECPKG_FLAG_*`: what a package can do.
    SecPkgFlags(u32), "SECPKG_FLAG_";
    INTEGRITY = 0x1,
    PRIVACY = 0x2,
    TOKEN_ONLY = 0x4,
    DATAGRAM = 0x8,
    CONNECTION = 0x10,
    MULTI_REQUIRED = 0x20,
    CLIENT_ONLY = 0x40,
    EXTENDED_ERROR = 0x80,
    IMPERSONATION = 0x100,
    ACCEPT_WIN32_NAME = 0x200,
    STREAM = 0x400,
    NEGOTIABLE = 0x800,
    GSS_COMPATIBLE = 0x1000,
    LOGON = 0x2000,
    ASCII_BUFFERS = 0x4000,
    FRAGMENT = 0x8000,
    MUTUAL_AUTH = 0x1_0000,
    DELEGATION = 0x2_0000,
    READONLY_WITH_CHECKSUM = 0x4_0000,
    RESTRICTED_TOKENS = 0x8_0000,
    NEGO_EXTENDER = 0x10_0000,
    NEGOTIABLE2 = 0x20_0000,
    APPCONTAINER_PASSTHROUGH = 0x40_0000,
    APPCONTAINER_CHECKS = 0x80_0000,
    CREDENTIAL_ISOLATION_ENABLED = 0x100_0000,
    APPLY_LOOPBACK = 0x200_0000,
}

impl SecPkgFlags {
    /// Whether the package frames its own messages on a stream (Schannel); all others exchange tokens.
    #[must_use]
    pub const fn is_stream(self) -> bool {
        self.contains(Self::STREAM)
    }
}

#[cfg(test)]
mod tests {
    use super::{AscReq, IscReq, SecPkgFlags};

    #[test]
    fn initiator_and_acceptor_bits_are_shifted_against_each_other() {
        assert_eq!(IscReq::STREAM.0, 0x8000);
        assert_eq!(AscReq::STREAM.0, 0x1_0000);
        assert_eq!(IscReq::EXTENDED_ERROR.0, 0x4000);
        assert_eq!(AscReq::EXTENDED_ERROR.0, 0x8000);
    }

    #[test]
    fn debug_names_the_flags() {
        let flags = IscReq::MUTUAL_AUTH | IscReq::STREAM;
        assert_eq!(format!("{flags:?}"), "IscReq(0x8002: MUTUAL_AUTH | STREAM)");
        assert!(SecPkgFlags(0x107B3).is_stream());
    }
}
