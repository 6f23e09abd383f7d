//! Who answers what handshakes ask: the account directory about accounts, the database about passwords, the application
//! about the rest.

use std::sync::Arc;

use async_trait::async_trait;
use sspi_core::{
    CertificateIdentity, ClientCertificateRequest, DigestAccount, DigestLogon, Error, FoundAccount,
    LogonRequest, LogonVerdict, PeerIdentity,
};
use sspi_tokio::{AccountDatabase, AccountDirectory, Answers, NoAnswers, blocking};

/// A directory, and whoever answers everything else.
pub(crate) struct WithDirectory {
    directory: Arc<dyn AccountDirectory>,
    others: Arc<dyn Answers>,
}

impl WithDirectory {
    pub(crate) fn new(directory: Arc<dyn AccountDirectory>, others: Option<Arc<dyn Answers>>) -> Arc<Self> {
        Arc::new(Self { directory, others: others.unwrap_or_else(|| Arc::new(NoAnswers)) })
    }
}

#[async_trait]
impl Answers for WithDirectory {
    async fn client_certificate(
        &self,
        request: &ClientCertificateRequest,
    ) -> Result<Option<CertificateIdentity>, Error> {
        self.others.client_certificate(request).await
    }

    async fn accounts(&self, peer: &PeerIdentity) -> Result<Vec<FoundAccount>, Error> {
        self.directory.find(peer).await
    }

    async fn logon(&self, request: &LogonRequest) -> Result<LogonVerdict, Error> {
        self.others.logon(request).await
    }

    async fn digest_secret(&self, logon: &DigestLogon) -> Result<Option<DigestAccount>, Error> {
        self.others.digest_secret(logon).await
    }
}

/// A database of passwords, and whoever answers everything else.
pub(crate) struct WithDatabase {
    database: Arc<dyn AccountDatabase>,
    others: Arc<dyn Answers>,
}

impl WithDatabase {
    pub(crate) fn new(database: Arc<dyn AccountDatabase>, others: Option<Arc<dyn Answers>>) -> Arc<Self> {
        Arc::new(Self { database, others: others.unwrap_or_else(|| Arc::new(NoAnswers)) })
    }
}

#[async_trait]
impl Answers for WithDatabase {
    async fn client_certificate(
        &self,
        request: &ClientCertificateRequest,
    ) -> Result<Option<CertificateIdentity>, Error> {
        self.others.client_certificate(request).await
    }

    async fn accounts(&self, peer: &PeerIdentity) -> Result<Vec<FoundAccount>, Error> {
        self.others.accounts(peer).await
    }

    async fn logon(&self, request: &LogonRequest) -> Result<LogonVerdict, Error> {
        self.database.logon(request).await
    }

    async fn digest_secret(&self, logon: &DigestLogon) -> Result<Option<DigestAccount>, Error> {
        self.database.digest_secret(logon).await
    }
}

/// The same for threads.
#[cfg(feature = "ntlm")]
pub(crate) struct WithBlockingLogons {
    logons: Arc<dyn blocking::Answers>,
    others: Arc<dyn blocking::Answers>,
}

#[cfg(feature = "ntlm")]
impl WithBlockingLogons {
    pub(crate) fn new(
        logons: Arc<dyn blocking::Answers>,
        others: Option<Arc<dyn blocking::Answers>>,
    ) -> Arc<Self> {
        Arc::new(Self { logons, others: others.unwrap_or_else(|| Arc::new(NoAnswers)) })
    }
}

#[cfg(feature = "ntlm")]
impl blocking::Answers for WithBlockingLogons {
    fn client_certificate(
        &self,
        request: &ClientCertificateRequest,
    ) -> Result<Option<CertificateIdentity>, Error> {
        self.others.client_certificate(request)
    }

    fn accounts(&self, peer: &PeerIdentity) -> Result<Vec<FoundAccount>, Error> {
        self.others.accounts(peer)
    }

    fn logon(&self, request: &LogonRequest) -> Result<LogonVerdict, Error> {
        self.logons.logon(request)
    }

    fn digest_secret(&self, logon: &DigestLogon) -> Result<Option<DigestAccount>, Error> {
        self.logons.digest_secret(logon)
    }
}

/// The same for threads.
pub(crate) struct WithBlockingDirectory {
    directory: Arc<dyn blocking::Answers>,
    others: Arc<dyn blocking::Answers>,
}

impl WithBlockingDirectory {
    pub(crate) fn new(
        directory: Arc<dyn blocking::Answers>,
        others: Option<Arc<dyn blocking::Answers>>,
    ) -> Arc<Self> {
        Arc::new(Self { directory, others: others.unwrap_or_else(|| Arc::new(NoAnswers)) })
    }
}

impl blocking::Answers for WithBlockingDirectory {
    fn client_certificate(
        &self,
        request: &ClientCertificateRequest,
    ) -> Result<Option<CertificateIdentity>, Error> {
        self.others.client_certificate(request)
    }

    fn accounts(&self, peer: &PeerIdentity) -> Result<Vec<FoundAccount>, Error> {
        self.directory.accounts(peer)
    }

    fn logon(&self, request: &LogonRequest) -> Result<LogonVerdict, Error> {
        self.others.logon(request)
    }

    fn digest_secret(&self, logon: &DigestLogon) -> Result<Option<DigestAccount>, Error> {
        self.others.digest_secret(logon)
    }
}
