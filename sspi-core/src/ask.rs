//! Questions that a handshake puts to the outside, and the slots for their answers.
//!
//! A package never blocks and owns no socket. What it must know from elsewhere (the account of a certificate, which client
//! certificate to present) it asks for: the call stops with [`Step::Ask`](crate::Step::Ask), the driver answers, and presents
//! the same input again.

use core::fmt;
use std::sync::{Arc, OnceLock};

use zeroize::Zeroizing;

use crate::{
    CertificateIdentity, DigestAccount, DigestLogon, Error, Fault, FoundAccount, LogonRequest, LogonVerdict,
    PeerIdentity, SecStatus,
};

/// A question and the slot for its answer. The package holds the other end, an [`Answer`].
///
/// It is as large as a pointer, whatever is asked: a call's outcome, which may be one, is handed on from layer to layer.
pub struct Ask<Q, A>(Arc<Slot<Q, A>>);

/// What both ends share.
struct Slot<Q, A> {
    question: Q,
    answer: OnceLock<A>,
}

/// The slot, as who has asked sees it.
trait Given<A>: Send + Sync {
    fn given(&self) -> Option<&A>;
}

impl<Q: Send + Sync, A: Send + Sync> Given<A> for Slot<Q, A> {
    fn given(&self) -> Option<&A> {
        self.answer.get()
    }
}

impl<Q: Send + Sync + 'static, A: Send + Sync + 'static> Ask<Q, A> {
    /// A question, with the end from which the package reads the answer.
    #[must_use]
    pub fn new(question: Q) -> (Self, Answer<A>) {
        let slot = Arc::new(Slot { question, answer: OnceLock::new() });
        (Self(Arc::clone(&slot)), Answer(slot))
    }
}

impl<Q, A> Ask<Q, A> {
    /// What is asked.
    #[must_use]
    pub fn question(&self) -> &Q {
        &self.0.question
    }

    /// Gives the answer. The handshake goes on when it is called again with the same input.
    pub fn answer(self, answer: A) {
        // The slot is written once: `self` is consumed, and it is the only writer.
        let _first = self.0.answer.set(answer);
    }
}

impl<Q: fmt::Debug, A> fmt::Debug for Ask<Q, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ask").field("question", self.question()).finish_non_exhaustive()
    }
}

/// The package's end of an [`Ask`].
pub struct Answer<A>(Arc<dyn Given<A>>);

impl<A> Answer<A> {
    /// The answer, once it was given.
    ///
    /// # Errors
    /// `SEC_E_INVALID_HANDLE` where the driver called again without having answered.
    pub fn given(&self) -> Result<&A, Error> {
        self.0.given().ok_or_else(|| {
            Error::new(
                SecStatus::SEC_E_INVALID_HANDLE,
                Fault::ApiMisuse,
                "the handshake was called again before its question was answered",
            )
        })
    }
}

impl<A> fmt::Debug for Answer<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.given().is_some() { "Answer(given)" } else { "Answer(awaited)" })
    }
}

/// `SEC_I_INCOMPLETE_CREDENTIALS`: the server asks for a certificate, and the credential holds none that was chosen already.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientCertificateRequest {
    /// The names of the authorities that the server accepts, each a DER `Name`, in its order
    /// (`SECPKG_ATTR_ISSUER_LIST_EX`). Empty: any.
    pub issuers: Vec<Vec<u8>>,
    /// The signature schemes that the server accepts, by their TLS code points, in its order.
    pub signature_schemes: Vec<u16>,
    /// The certificate types that a TLS 1.2 server named (1 = rsa_sign, 64 = ecdsa_sign); empty in TLS 1.3.
    pub certificate_types: Vec<u8>,
}

/// Under what a session is kept that several machines share. It is opaque, and may be as long as a few hundred bytes.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SessionKey(
    /// The bytes.
    pub Vec<u8>,
);

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionKey({} bytes)", self.0.len())
    }
}

/// Everything that a handshake may ask. More kinds come with more packages; a driver refuses those that it does not know
/// with [`Question::unanswered`].
#[derive(Debug)]
#[non_exhaustive]
pub enum Question {
    /// Which certificate to present; `None` goes on without one.
    ClientCertificate(Ask<ClientCertificateRequest, Option<CertificateIdentity>>),
    /// Which accounts stand behind an authenticated peer: one, normally; none; or several, which the package refuses. That
    /// the directory cannot say is an answer, too: what follows from it is for the package's policy.
    Account(Ask<PeerIdentity, Result<Vec<FoundAccount>, Error>>),
    /// The session that a client wants to take up again, from where several machines share them. `None` where there is none,
    /// where it cannot be said, or not in time: the handshake is a full one then. It is secret, and wiped when it was taken.
    Session(Ask<SessionKey, Option<Zeroizing<Vec<u8>>>>),
    /// The account of a logon with Digest, and its secret. `None` where there is none: the package refuses as slowly, and in
    /// the same words, as it refuses a wrong password. It is as slow with an error of [`Fault::Refused`], which says why there
    /// is none.
    DigestSecret(Ask<DigestLogon, Result<Option<DigestAccount>, Error>>),
    /// Who is behind a logon with a password. That whoever has the accounts cannot say is an answer, too: it ends the
    /// handshake, and the package says it.
    Logon(Ask<LogonRequest, Result<LogonVerdict, Error>>),
}

impl Question {
    /// What is asked, in a few words.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::ClientCertificate(_) => "which client certificate to present",
            Self::Account(_) => "which account the peer maps to",
            Self::Session(_) => "which session other machines have",
            Self::DigestSecret(_) => "what proves an account of Digest",
            Self::Logon(_) => "whether the peer may log on",
        }
    }

    /// The error of a driver that has nobody to answer this.
    #[must_use]
    pub fn unanswered(&self) -> Error {
        let (status, setting) = match self {
            Self::ClientCertificate(_) => (SecStatus::SEC_I_INCOMPLETE_CREDENTIALS, "client-certificate"),
            Self::Account(_) => (SecStatus::SEC_E_NO_IMPERSONATION, "accounts"),
            Self::Session(_) => (SecStatus::SEC_E_UNSUPPORTED_FUNCTION, "session-store"),
            Self::DigestSecret(_) | Self::Logon(_) => {
                (SecStatus::SEC_E_NO_AUTHENTICATING_AUTHORITY, "logon.accounts")
            }
        };
        Error::new(status, Fault::Configuration, format!("nobody was there to answer {}", self.name()))
            .with_setting(setting)
    }
}
