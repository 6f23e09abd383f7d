//! Who judges the certificates that the engine is shown.

use std::sync::Arc;

use legacy_tls::{AlertDescription, CertificateRefused, CertificateVerifier, PeerCertificate};
use sspi_core::Error;

use crate::backend::Settings;
use crate::certificate::verifier::{Peer, Verifier};
use crate::session_cache::Chain;
use crate::status::{self, CertificateProblem};

/// A judge of one role's peers.
pub(super) struct Judge(Option<Judging>);

struct Judging {
    verifier: Verifier,
    peer: Peer,
    settings: Arc<Settings>,
}

impl Judge {
    /// The application judges: every certificate is taken.
    pub(super) const fn application() -> Self {
        Self(None)
    }

    /// A client's judge of servers.
    pub(super) fn of_servers(settings: &Arc<Settings>) -> Result<Self, Error> {
        Self::of(settings, Peer::Server)
    }

    /// A server's judge of clients.
    pub(super) fn of_clients(settings: &Arc<Settings>) -> Result<Self, Error> {
        Self::of(settings, Peer::Client)
    }

    fn of(settings: &Arc<Settings>, peer: Peer) -> Result<Self, Error> {
        Ok(Self(Some(Judging {
            verifier: Verifier::new(&settings.verify, peer)?,
            peer,
            settings: Arc::clone(settings),
        })))
    }

    /// The names of the authorities whose certificates are accepted, each in DER.
    pub(super) fn authority_names(&self) -> Vec<Vec<u8>> {
        self.0.as_ref().map_or_else(Vec::new, |judging| judging.verifier.authority_names().to_vec())
    }
}

impl Judging {
    /// What was shown, in the copy that sessions share.
    fn chain(&self, shown: &PeerCertificate<'_>) -> Arc<Chain> {
        self.settings.sessions.share(Arc::new(shown.chain.to_vec().into()))
    }

    fn judge(&self, shown: &PeerCertificate<'_>) -> Result<(), CertificateProblem> {
        if shown.resumed {
            return self.settings.judge_again(&self.chain(shown), shown.server_name.unwrap_or_default());
        }
        let now = self.settings.environment.clock.now();
        let chain: Vec<&[u8]> = shown.chain.iter().map(Vec::as_slice).collect();
        match self.peer {
            Peer::Server => {
                let name = shown.server_name.unwrap_or_default();
                let verdict = self.verifier.verify_server(&chain, name, shown.ocsp_response, now);
                if verdict.is_ok() {
                    self.settings.remember_staple(&self.chain(shown), name, shown.ocsp_response);
                }
                verdict
            }
            Peer::Client => self.verifier.verify_client(&chain, now),
        }
        .map(|_weaknesses| ())
    }
}

impl CertificateVerifier for Judge {
    fn verify(&self, shown: &PeerCertificate<'_>) -> Result<(), CertificateRefused> {
        let Some(judging) = &self.0 else { return Ok(()) };
        judging.judge(shown).map_err(|problem| {
            let alert = status::Error::Certificate(problem.clone()).alert().unwrap_or_default();
            CertificateRefused { alert: AlertDescription(alert), reason: Arc::new(problem) }
        })
    }
}
