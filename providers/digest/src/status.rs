//! The package's own errors, and what each means to the caller: ONE table.

use std::borrow::Cow;

use crypto::cipher::SMALL_BLOCK_LIMIT;
use sspi_core::{Fault, SecStatus};

use crate::directives::DecodeError;

/// Everything that can go wrong in a handshake or on a context, by whose fault it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Error {
    // What cannot be read.
    /// A message that is none.
    Decode(DecodeError),

    // What breaks the protocol.
    /// A message that may not come now.
    Unexpected(&'static str),
    /// A response to another challenge.
    WrongNonce,
    /// A response in SASL whose count does not follow.
    WrongCount { count: u32 },
    /// A response with a choice that was not offered.
    NotOffered { what: &'static str, chosen: &'static str },
    /// A response for another realm.
    WrongRealm { realm: String },
    /// A response without what has to come back.
    NoServerProof,
    /// A server that does not know the secret.
    WrongServerProof,

    // What does not fit together.
    /// No algorithm in common.
    NoAlgorithm { ours: String },
    /// No quality of protection in common.
    NoQop { peer: String, ours: String },
    /// No cipher in common.
    NoCipher { peer: String, ours: String },
    /// A realm that is not the configured one.
    OtherRealm { theirs: String, ours: String },
    /// A name or password that the peer has no characters for.
    NotEncodable,

    // What was judged and refused.
    /// A wrong name or a wrong password: which of them is nobody's business.
    LogonDenied,
    /// Too many logons failed.
    LockedOut,
    /// The account is disabled.
    AccountDisabled,
    /// The server says that it is the wrong name or password.
    RefusedByServer,
    /// A challenge that nobody answered in time.
    Expired,
    /// A nonce and count that were used already.
    Replayed,
    /// The URI that is proved is not the one that is asked for.
    WrongUri { proved: String, asked: String },
    /// The service that is proved is not one of ours.
    WrongService { service: String, ours: String },
    /// The channel is not the one that the client means.
    Bindings,
    /// The client does not say which channel it means.
    NoBindings,
    /// The client wants to act as somebody else.
    AuthorizationIdentity,

    // Messages.
    /// A message that does not authenticate.
    Altered,
    /// A message that is not the next one.
    OutOfSequence { number: u32, expected: u64 },
    /// A message that is longer than the peer takes.
    MessageTooLong { length: usize, maximum: usize },
    /// A message of the peer that is longer than was agreed.
    ReceivedTooLong { length: usize, maximum: usize },
    /// The keys have protected as many messages as there are numbers.
    KeyUsedUp,
    /// A cipher with blocks of 64 bits has protected as many bytes under one key as it may.
    SmallBlockLimit { is_ours: bool },
    /// The context does not protect messages, or not so.
    NotNegotiated(&'static str),

    // What is ours.
    /// A configuration or a credential that cannot be used.
    Configuration { setting: &'static str, what: Cow<'static, str> },
    /// There is no credential to use.
    NoCredentials(&'static str),
    /// A credential of a kind that is not the package's.
    UnknownCredentials(&'static str),
    /// Something that the application may not ask for.
    Misuse(&'static str),
    /// The source of randomness has failed.
    Random,
    /// Something that should not happen.
    Internal(&'static str),
    /// What somebody else says, as it is.
    Foreign(Foreign),
}

/// The error of an account database, which is passed on.
#[derive(Clone, Debug)]
pub(crate) struct Foreign(pub(crate) sspi_core::Error);

impl PartialEq for Foreign {
    fn eq(&self, other: &Self) -> bool {
        self.0.status() == other.0.status()
    }
}

impl Eq for Foreign {}

impl From<DecodeError> for Error {
    fn from(error: DecodeError) -> Self {
        Self::Decode(error)
    }
}

impl From<crypto::random::RandomError> for Error {
    fn from(_: crypto::random::RandomError) -> Self {
        Self::Random
    }
}

/// One row of the table.
struct Row {
    status: SecStatus,
    fault: Fault,
    message: Cow<'static, str>,
    setting: Option<&'static str>,
}

fn row(status: SecStatus, fault: Fault, message: impl Into<Cow<'static, str>>) -> Row {
    Row { status, fault, message: message.into(), setting: None }
}

impl Row {
    fn with(self, setting: &'static str) -> Self {
        Self { setting: Some(setting), ..self }
    }
}

impl Error {
    /// The table. What a peer sent comes into a message escaped.
    fn row(&self) -> Row {
        use Fault::{
            ApiMisuse, Configuration, Decode, Internal, PeerIncompatible, PeerMisbehaved, PeerReported,
            Refused,
        };
        use SecStatus as S;
        match self {
            Self::Decode(error) => {
                row(S::SEC_E_INVALID_TOKEN, Decode, format!("this is no message of Digest: {error}"))
            }
            Self::Unexpected(what) => row(S::SEC_E_INVALID_TOKEN, PeerMisbehaved, *what),
            Self::WrongNonce => {
                row(S::SEC_E_LOGON_DENIED, PeerMisbehaved, "the response is one to another challenge")
            }
            Self::WrongCount { count } => row(
                S::SEC_E_LOGON_DENIED,
                PeerMisbehaved,
                format!("the response to a new challenge has the nonce count {count}"),
            ),
            Self::NotOffered { what, chosen } => row(
                S::SEC_E_QOP_NOT_SUPPORTED,
                PeerMisbehaved,
                format!("the client chose the {what} {chosen}, which was not offered"),
            ),
            Self::WrongRealm { realm } => row(
                S::SEC_E_LOGON_DENIED,
                PeerMisbehaved,
                format!("the response is for the realm \"{}\"", realm.escape_debug()),
            )
            .with("digest.realm"),
            Self::NoServerProof => row(
                S::SEC_E_MUTUAL_AUTH_FAILED,
                PeerIncompatible,
                "the server does not prove that it knows the password",
            ),
            Self::WrongServerProof => {
                row(S::SEC_E_MUTUAL_AUTH_FAILED, PeerMisbehaved, "the server does not know the password")
            }
            Self::NoAlgorithm { ours } => row(
                S::SEC_E_ALGORITHM_MISMATCH,
                PeerIncompatible,
                format!("the server offers none of the algorithms {ours}"),
            )
            .with("digest.algorithms"),
            Self::NoQop { peer, ours } => row(
                S::SEC_E_QOP_NOT_SUPPORTED,
                PeerIncompatible,
                format!("the server offers the protection {peer}, and {ours} would do"),
            )
            .with("digest.qop"),
            Self::NoCipher { peer, ours } => row(
                S::SEC_E_ALGORITHM_MISMATCH,
                PeerIncompatible,
                format!("the server offers the ciphers {peer}, and {ours} would do"),
            )
            .with("digest.ciphers"),
            Self::OtherRealm { theirs, ours } => row(
                S::SEC_E_TARGET_UNKNOWN,
                PeerIncompatible,
                format!("the server's realms are {theirs}, and the configured one is {ours}"),
            )
            .with("digest.realm"),
            Self::NotEncodable => row(
                S::SEC_E_UNKNOWN_CREDENTIALS,
                PeerIncompatible,
                "the name or the password has characters that the server does not take",
            ),
            Self::LogonDenied => row(S::SEC_E_LOGON_DENIED, Refused, "the name or the password is wrong"),
            Self::LockedOut => row(
                S::SEC_E_LOGON_DENIED,
                Refused,
                "too many logons of this account or from this source failed",
            )
            .with("digest.lock-out"),
            Self::AccountDisabled => row(S::SEC_E_LOGON_DENIED, Refused, "the account is disabled"),
            Self::RefusedByServer => row(
                S::SEC_E_LOGON_DENIED,
                PeerReported,
                "the server does not accept the name or the password",
            ),
            Self::Expired => row(S::SEC_E_CONTEXT_EXPIRED, Refused, "the challenge was not answered in time")
                .with("digest.nonce-lifetime"),
            Self::Replayed => row(S::SEC_E_LOGON_DENIED, Refused, "the nonce and its count were used before"),
            Self::WrongUri { proved, asked } => row(
                S::SEC_E_LOGON_DENIED,
                Refused,
                format!(
                    "the response is for \"{}\", and the request for \"{}\"",
                    proved.escape_debug(),
                    asked.escape_debug()
                ),
            ),
            Self::WrongService { service, ours } => row(
                S::SEC_E_WRONG_PRINCIPAL,
                Refused,
                format!("the client means the service \"{}\"; here is {ours}", service.escape_debug()),
            )
            .with("digest.services"),
            Self::Bindings => {
                row(S::SEC_E_BAD_BINDINGS, Refused, "the client authenticated for another channel")
                    .with("digest.channel-bindings")
            }
            Self::NoBindings => row(
                S::SEC_E_BAD_BINDINGS,
                Refused,
                "the client does not bind its authentication to the channel",
            )
            .with("digest.channel-bindings"),
            Self::AuthorizationIdentity => {
                row(S::SEC_E_LOGON_DENIED, Refused, "the client wants to act as somebody else")
            }
            Self::Altered => row(S::SEC_E_MESSAGE_ALTERED, PeerMisbehaved, "a message does not authenticate"),
            Self::OutOfSequence { number, expected } => row(
                S::SEC_E_OUT_OF_SEQUENCE,
                PeerMisbehaved,
                format!("message {number} came in the place of {expected}"),
            ),
            Self::MessageTooLong { length, maximum } => row(
                S::SEC_E_INVALID_TOKEN,
                ApiMisuse,
                format!("a protected message of {length} bytes; the peer takes {maximum}"),
            )
            .with("digest.maxbuf"),
            Self::ReceivedTooLong { length, maximum } => row(
                S::SEC_E_ILLEGAL_MESSAGE,
                PeerMisbehaved,
                format!("the peer sends a protected message of {length} bytes; {maximum} were agreed"),
            ),
            Self::KeyUsedUp => row(
                S::SEC_E_ENCRYPT_FAILURE,
                Refused,
                "the keys have protected as many messages as they may; log on again, which makes new ones",
            ),
            Self::SmallBlockLimit { is_ours } => {
                let (status, fault, whose) = if *is_ours {
                    (S::SEC_E_ENCRYPT_FAILURE, ApiMisuse, "our key")
                } else {
                    (S::SEC_E_DECRYPT_FAILURE, Refused, "the peer's key")
                };
                let message = format!(
                    "{whose} of a cipher with blocks of 64 bits has protected {SMALL_BLOCK_LIMIT} bytes, as many as \
                     it may; log on again, which makes new keys"
                );
                row(status, fault, message)
            }
            Self::NotNegotiated(what) => row(S::SEC_E_QOP_NOT_SUPPORTED, ApiMisuse, *what).with("digest.qop"),
            Self::Configuration { setting, what } => {
                row(S::SEC_E_INVALID_PARAMETER, Configuration, what.clone()).with(setting)
            }
            Self::NoCredentials(what) => row(S::SEC_E_NO_CREDENTIALS, Configuration, *what),
            Self::UnknownCredentials(what) => row(S::SEC_E_UNKNOWN_CREDENTIALS, ApiMisuse, *what),
            Self::Misuse(what) => row(S::SEC_E_INVALID_PARAMETER, ApiMisuse, *what),
            Self::Random => row(S::SEC_E_INTERNAL_ERROR, Internal, "the source of random bytes has failed"),
            Self::Internal(what) => row(S::SEC_E_INTERNAL_ERROR, Internal, *what),
            Self::Foreign(Foreign(error)) => row(error.status(), error.fault(), error.message().to_owned()),
        }
    }
}

impl From<Error> for sspi_core::Error {
    fn from(error: Error) -> Self {
        if let Error::Foreign(Foreign(error)) = error {
            return error;
        }
        let Row { status, fault, message, setting } = error.row();
        let made = Self::new(status, fault, message);
        match setting {
            Some(setting) => made.with_setting(setting),
            None => made,
        }
    }
}
