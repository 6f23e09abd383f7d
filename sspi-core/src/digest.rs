//! What a server of the package Digest asks about an account: its secret, as a hash or as the password.

use core::fmt;
use std::sync::Arc;

use crate::{FoundAccount, Secret};

/// A hash function of Digest, by the name that it has there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DigestAlgorithm {
    /// `MD5`, 16 bytes.
    Md5,
    /// `SHA-256`, 32 bytes.
    Sha256,
    /// `SHA-512-256`, 32 bytes: SHA-512/256 of FIPS 180-4.
    Sha512Of256,
}

impl DigestAlgorithm {
    /// All of them, the weakest first.
    pub const ALL: [Self; 3] = [Self::Md5, Self::Sha256, Self::Sha512Of256];

    /// The name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha256 => "SHA-256",
            Self::Sha512Of256 => "SHA-512-256",
        }
    }

    /// The length of a hash, in bytes.
    #[must_use]
    pub const fn output_len(self) -> usize {
        match self {
            Self::Md5 => 16,
            Self::Sha256 | Self::Sha512Of256 => 32,
        }
    }
}

/// A logon whose secret is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DigestLogon {
    /// Who logs on.
    pub user: DigestUser,
    /// The realm: what the server's configuration says.
    pub realm: String,
    /// With which hash function.
    pub algorithm: DigestAlgorithm,
    /// Where the client comes from, as far as it is known: by this, failures are counted.
    pub source: Option<String>,
}

/// Who logs on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DigestUser {
    /// A name, in the ways in which it can be read, the likeliest first: clients that do not escape the backslash of
    /// `DOMAIN\user` leave two. The account is that of the first name that there is.
    Names(Vec<String>),
    /// The hash of a name and the realm: H(name `:` realm), with the logon's algorithm. The account is the one whose name has
    /// this hash.
    Hashed(Vec<u8>),
}

/// The account behind a logon, and what proves it.
#[derive(Clone, Debug)]
pub struct DigestAccount {
    /// The account.
    pub account: FoundAccount,
    /// The user's name in the form in which it was hashed or will be: the one of the logon that was found, or the one whose
    /// hash the logon has.
    pub user: String,
    /// What proves it.
    pub secret: DigestSecret,
    /// Who wants to hear how it ended.
    pub report: Option<LogonReport>,
}

/// Whoever gave a secret away and hears whether it was proved, to count failures. It is told once for each response of a client,
/// and not of accounts that there are not: of those it knows. Of an attempt that the package refuses unseen, because there were
/// too many, it hears nothing. An account that is locked for a time is answered as one that there
/// is not, or the time that it is locked would tell which password is right.
#[derive(Clone)]
pub struct LogonReport(Arc<dyn Fn(bool) + Send + Sync>);

impl LogonReport {
    /// Calls `hear` with whether the secret was proved.
    #[must_use]
    pub fn new(hear: impl Fn(bool) + Send + Sync + 'static) -> Self {
        Self(Arc::new(hear))
    }

    /// Tells whether the secret was proved.
    pub fn tell(&self, is_proved: bool) {
        (self.0)(is_proved);
    }
}

impl fmt::Debug for LogonReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LogonReport")
    }
}

/// What proves a user of Digest.
#[derive(Clone)]
pub enum DigestSecret {
    /// The password.
    Password(Secret<String>),
    /// H(user `:` realm `:` password), with the logon's algorithm. Whoever has it can log on as the user: it is to be kept
    /// like a password.
    HashedA1(Secret<Vec<u8>>),
}

impl fmt::Debug for DigestSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Password(_) => "Password(..)",
            Self::HashedA1(_) => "HashedA1(..)",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Account;

    #[test]
    fn what_proves_a_user_is_not_printed() {
        for secret in [
            DigestSecret::Password(Secret::new("wonderland".into())),
            DigestSecret::HashedA1(Secret::new(b"wonderland".to_vec())),
        ] {
            let report = Some(LogonReport::new(|_| {}));
            let account = Account::default().into();
            let account = DigestAccount { account, user: "alice".into(), secret, report };
            let printed = format!("{account:?}");
            assert!(printed.contains("alice") && !printed.contains("wonderland"), "{printed}");
            assert!(!printed.contains("119, 111"), "{printed}");
        }
    }
}
