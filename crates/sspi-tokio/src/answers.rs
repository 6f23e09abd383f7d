//! Who answers what a handshake asks.

use core::future::Future;
use core::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use sspi_core::{
    Ask, CertificateIdentity, ClientCertificateRequest, DigestAccount, DigestLogon, Error, FoundAccount,
    PeerIdentity, Question, SessionKey,
};
use zeroize::Zeroizing;

/// Answers what a handshake asks. What is not overridden is refused: the handshake ends with the error of
/// [`Question::unanswered`].
#[async_trait]
pub trait Answers: Send + Sync {
    /// Which certificate to present to the server; `None` goes on without one.
    ///
    /// # Errors
    /// They end the handshake.
    async fn client_certificate(
        &self,
        request: &ClientCertificateRequest,
    ) -> Result<Option<CertificateIdentity>, Error> {
        Err(no_client_certificate(request))
    }

    /// Which accounts stand behind the peer: all that there are, which the package judges.
    ///
    /// # Errors
    /// They are the package's to judge, too: it may go on without an account.
    async fn accounts(&self, peer: &PeerIdentity) -> Result<Vec<FoundAccount>, Error> {
        Err(no_account(peer))
    }

    /// The account of a logon with Digest, and what proves it; `None` where there is none: see [`DigestAccounts`].
    ///
    /// # Errors
    /// They end the handshake.
    async fn digest_secret(&self, logon: &DigestLogon) -> Result<Option<DigestAccount>, Error> {
        Err(no_digest_secret(logon))
    }

    /// The session that a client wants to take up again, from where several machines share them: see
    /// [`SharedSessions`](crate::SharedSessions). `None` where there is none, or nobody to ask: the handshake is a full one.
    async fn session(&self, key: &SessionKey) -> Option<Zeroizing<Vec<u8>>> {
        let _nobody_to_ask = key;
        None
    }
}

/// The error of whoever has no certificate to choose.
pub(crate) fn no_client_certificate(request: &ClientCertificateRequest) -> Error {
    Question::ClientCertificate(Ask::new(request.clone()).0).unanswered()
}

/// The error of whoever has no accounts.
pub(crate) fn no_account(peer: &PeerIdentity) -> Error {
    Question::Account(Ask::new(peer.clone()).0).unanswered()
}

/// The error of whoever has no secrets of Digest.
pub(crate) fn no_digest_secret(logon: &DigestLogon) -> Error {
    Question::DigestSecret(Ask::new(logon.clone()).0).unanswered()
}

/// Nobody is there to answer: the default.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoAnswers;

impl Answers for NoAnswers {}

/// Where accounts are looked up: a file, a database, LDAP.
#[async_trait]
pub trait AccountDirectory: Send + Sync {
    /// Every account that stands behind the peer, compared without regard to case: see [`PeerIdentity`] and
    /// [`FoundAccount`].
    ///
    /// # Errors
    /// `SEC_E_NO_AUTHENTICATING_AUTHORITY` where the directory cannot be asked, or what it has to say.
    async fn find(&self, peer: &PeerIdentity) -> Result<Vec<FoundAccount>, Error>;
}

/// Answers of an account directory; a question for a client certificate is refused.
#[derive(Clone, Copy, Debug, Default)]
pub struct Accounts<D>(
    /// The directory.
    pub D,
);

#[async_trait]
impl<D: AccountDirectory> Answers for Accounts<D> {
    async fn accounts(&self, peer: &PeerIdentity) -> Result<Vec<FoundAccount>, Error> {
        self.0.find(peer).await
    }
}

#[async_trait]
impl<D: AccountDirectory + ?Sized> AccountDirectory for Arc<D> {
    async fn find(&self, peer: &PeerIdentity) -> Result<Vec<FoundAccount>, Error> {
        (**self).find(peer).await
    }
}

/// Where the secrets of accounts are that log on with Digest.
#[async_trait]
pub trait DigestAccounts: Send + Sync {
    /// The account of the logon, and what proves it; `None` where there is none, or where it is locked.
    ///
    /// # Errors
    /// `SEC_E_NO_AUTHENTICATING_AUTHORITY` where nobody can be asked, or what there is to say. They end the handshake.
    async fn find(&self, logon: &DigestLogon) -> Result<Option<DigestAccount>, Error>;
}

#[async_trait]
impl<D: DigestAccounts + ?Sized> DigestAccounts for Arc<D> {
    async fn find(&self, logon: &DigestLogon) -> Result<Option<DigestAccount>, Error> {
        (**self).find(logon).await
    }
}

/// Answers of whoever has the secrets of Digest; every other question is refused.
#[derive(Clone, Copy, Debug, Default)]
pub struct DigestLogons<D>(
    /// Who has them.
    pub D,
);

#[async_trait]
impl<D: DigestAccounts> Answers for DigestLogons<D> {
    async fn digest_secret(&self, logon: &DigestLogon) -> Result<Option<DigestAccount>, Error> {
        self.0.find(logon).await
    }
}

/// An answer under way.
pub(crate) type Answering = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;

/// Puts the question to `answers` and its answer into the question's slot.
pub(crate) fn answer(answers: Arc<dyn Answers>, question: Question) -> Answering {
    Box::pin(async move {
        match question {
            Question::ClientCertificate(ask) => {
                let certificate = answers.client_certificate(ask.question()).await?;
                ask.answer(certificate);
            }
            Question::Account(ask) => {
                let found = answers.accounts(ask.question()).await;
                ask.answer(found);
            }
            Question::Session(ask) => {
                let session = answers.session(ask.question()).await;
                ask.answer(session);
            }
            Question::DigestSecret(ask) => {
                let found = answers.digest_secret(ask.question()).await;
                ask.answer(found);
            }
            unknown => return Err(unknown.unanswered()),
        }
        Ok(())
    })
}
