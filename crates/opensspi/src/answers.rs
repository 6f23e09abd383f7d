//! Who answers what handshakes ask: the account directory about accounts, the application about the rest.

use std::sync::Arc;

use async_trait::async_trait;
use sspi_core::{
    CertificateIdentity, ClientCertificateRequest, DigestAccount, DigestLogon, Error, FoundAccount,
    PeerIdentity,
};
use sspi_tokio::{AccountDirectory, Answers, NoAnswers, blocking};

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

    async fn digest_secret(&self, logon: &DigestLogon) -> Result<Option<DigestAccount>, Error> {
        self.others.digest_secret(logon).await
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

    fn digest_secret(&self, logon: &DigestLogon) -> Result<Option<DigestAccount>, Error> {
        self.others.digest_secret(logon)
    }
}
