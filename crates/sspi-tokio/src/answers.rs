//! Who answers what a handshake asks.

use core::future::Future;
use core::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use sspi_core::{
    Ask, CertificateIdentity, ClientCertificateRequest, DigestAccount, DigestLogon, Error, FoundAccount,
    LogonRequest, LogonVerdict, PeerIdentity, Question, SessionKey,
};
use zeroize::Zeroizing;

use crate::driver::internal;

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

    /// The account of a logon with Digest, and what proves it; `None` where there is none: see [`AccountDatabase`].
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

    /// Who is behind a logon with a password: see [`AccountDatabase`].
    ///
    /// # Errors
    /// They end the handshake.
    async fn logon(&self, request: &LogonRequest) -> Result<LogonVerdict, Error> {
        Err(no_logon(request))
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

/// The error of whoever has no passwords.
pub(crate) fn no_logon(request: &LogonRequest) -> Error {
    Question::Logon(Ask::new(request.clone()).0).unanswered()
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

/// A directory that may hold up whoever asks it, such as one of files, asked on threads that are for that. Outside of a
/// runtime there are none, and it is asked where the question is.
#[derive(Clone, Debug)]
pub struct OnThread<D>(
    /// The directory.
    pub Arc<D>,
);

#[async_trait]
impl<D: crate::blocking::Answers + 'static> AccountDirectory for OnThread<D> {
    async fn find(&self, peer: &PeerIdentity) -> Result<Vec<FoundAccount>, Error> {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return self.0.accounts(peer) };
        let (directory, peer) = (Arc::clone(&self.0), peer.clone());
        let asked = runtime.spawn_blocking(move || directory.accounts(&peer)).await;
        asked.unwrap_or_else(|_| Err(internal("the account directory ended without an answer")))
    }
}

/// Where the passwords of accounts are, or whoever judges what is proved with them: a file, a domain controller. What is not
/// overridden is refused.
#[async_trait]
pub trait AccountDatabase: Send + Sync {
    /// Who is behind the logon. An account that is not there is [`LogonVerdict::NoAccount`], not an error.
    ///
    /// # Errors
    /// `SEC_E_NO_AUTHENTICATING_AUTHORITY` where the database cannot be asked, or what it has to say. They end the
    /// handshake.
    async fn logon(&self, request: &LogonRequest) -> Result<LogonVerdict, Error> {
        Err(no_logon(request))
    }

    /// The account of a logon with Digest, and what proves it; `None` where there is none, or where it is locked for a time.
    ///
    /// # Errors
    /// As [`logon`](Self::logon). `SEC_E_LOGON_DENIED` of [`Fault::Refused`](sspi_core::Fault::Refused) is for the log: an
    /// account that is there and has no secret for this realm, say. Its peer sees what it sees of one that there is not.
    async fn digest_secret(&self, logon: &DigestLogon) -> Result<Option<DigestAccount>, Error> {
        Err(no_digest_secret(logon))
    }
}

#[async_trait]
impl<D: AccountDatabase + ?Sized> AccountDatabase for Arc<D> {
    async fn logon(&self, request: &LogonRequest) -> Result<LogonVerdict, Error> {
        (**self).logon(request).await
    }

    async fn digest_secret(&self, logon: &DigestLogon) -> Result<Option<DigestAccount>, Error> {
        (**self).digest_secret(logon).await
    }
}

/// Answers of an account database; every other question is refused.
#[derive(Clone, Copy, Debug, Default)]
pub struct Logons<D>(
    /// The database.
    pub D,
);

#[async_trait]
impl<D: AccountDatabase> Answers for Logons<D> {
    async fn logon(&self, request: &LogonRequest) -> Result<LogonVerdict, Error> {
        self.0.logon(request).await
    }

    async fn digest_secret(&self, logon: &DigestLogon) -> Result<Option<DigestAccount>, Error> {
        self.0.digest_secret(logon).await
    }
}

/// An answer under way.
pub type Answering = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;

/// Puts the question to `answers` and its answer into the question's slot: for drivers of their own.
///
/// # Errors
/// What ends the handshake: nobody can answer, or what whoever was asked has to say.
pub fn answer(answers: Arc<dyn Answers>, question: Question) -> Answering {
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
            Question::Logon(ask) => {
                let verdict = answers.logon(ask.question()).await;
                ask.answer(verdict);
            }
            unknown => return Err(unknown.unanswered()),
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::mpsc;

    use super::*;

    /// Says nothing before it is let go.
    struct HeldUp(Mutex<mpsc::Receiver<()>>);

    impl crate::blocking::Answers for HeldUp {
        fn accounts(&self, _peer: &PeerIdentity) -> Result<Vec<FoundAccount>, Error> {
            self.0.lock().unwrap().recv().unwrap();
            Ok(Vec::new())
        }
    }

    #[tokio::test]
    async fn a_directory_that_holds_up_whoever_asks_holds_up_nobody_else() {
        let (let_go, held_up) = mpsc::channel();
        let directory = OnThread(Arc::new(HeldUp(Mutex::new(held_up))));
        let peer = PeerIdentity::Name("alice".into());
        // On the runtime's only thread nobody would come to let it go.
        let others = async { let_go.send(()).unwrap() };
        let (found, ()) = tokio::join!(biased; directory.find(&peer), others);
        assert!(found.unwrap().is_empty());
    }
}
