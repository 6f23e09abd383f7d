//! Logons with a password: what a package asks whoever has the accounts.
//!
//! An acceptor whose clients prove that they know a password has no passwords of its own. It stops with
//! [`Question::Logon`](crate::Question::Logon), and the answer is one of two: what the account's password is known by, so that
//! the package judges the proof; or that the proof was judged already, where the passwords are never handed out (a domain
//! controller).

use core::fmt;
use std::borrow::Cow;

use crate::{Account, FoundAccount, Secret};

/// Somebody wants to log on: as whom, and with which proof.
#[derive(Clone, Debug)]
pub struct LogonRequest {
    /// The package that asks.
    pub package: Cow<'static, str>,
    /// The name as the client sent it: an account's name or a user principal name.
    pub user: String,
    /// The domain or realm as the client sent it; may be empty.
    pub domain: String,
    /// The computer that the client says it is; nobody vouches for that, and it may be empty.
    pub workstation: String,
    /// With what the client proves that it knows the password.
    pub proof: LogonProof,
}

/// With what a client proves that it knows a password, for those that judge it themselves.
#[derive(Clone)]
#[non_exhaustive]
pub enum LogonProof {
    /// What the password makes of eight random bytes, as `MSV1_0_LM20_LOGON` has it.
    ChallengeResponse {
        /// The acceptor's challenge (`ChallengeToClient`).
        challenge: [u8; 8],
        /// The response made with the NT hash (`CaseSensitiveChallengeResponse`); may be empty.
        nt_response: Vec<u8>,
        /// The response made with the LM hash (`CaseInsensitiveChallengeResponse`); may be empty.
        lm_response: Vec<u8>,
    },
}

impl fmt::Debug for LogonProof {
    /// Without the responses: a password can be guessed with them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ChallengeResponse { .. } => f.write_str("ChallengeResponse(..)"),
        }
    }
}

/// Who is behind a logon.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum LogonVerdict {
    /// There is no such account. The package takes as long to say so as for a wrong password.
    NoAccount,
    /// There is, and this is what its password is known by. The package judges the proof, and whether the account may be
    /// used.
    Known {
        /// The account.
        account: FoundAccount,
        /// What its password is known by, in as many forms as there are.
        secrets: Vec<AccountSecret>,
    },
    /// The proof was judged, and is right.
    Proven {
        /// The account.
        account: Account,
        /// The key that the proof makes (`UserSessionKey`).
        session_key: Secret<[u8; 16]>,
    },
    /// The proof was judged, and is wrong, or the account must not be used. Nobody else learns which.
    Denied,
}

/// What a password is known by. All of these are as good as the password itself to whoever has them.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum AccountSecret {
    /// The password.
    Password(Secret<String>),
    /// The MD4 of the password in UTF-16, little-endian.
    NtHash(Secret<[u8; 16]>),
    /// What LAN Manager made of it.
    LmHash(Secret<[u8; 16]>),
}
