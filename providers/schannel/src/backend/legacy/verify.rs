//! Who judges the certificates that the engine is shown.

use std::sync::Arc;
use std::time::SystemTime;

use legacy_tls::{AlertDescription, CertificateRefused, CertificateVerifier, PeerCertificate};
use sspi_core::{Clock, Error};

use crate::backend::Settings;
use crate::certificate::validity;
use crate::certificate::verifier::{Peer, Verifier};
use crate::status::{self, CertificateKind, CertificateProblem};

/// A judge of one role's peers.
pub(super) struct Judge(Option<Judging>);

struct Judging {
    verifier: Verifier,
    peer: Peer,
    /// Certificates are known by their hashes: nothing else of them matters, times neither.
    by_pins: bool,
    clock: Arc<dyn Clock>,
}

impl Judge {
    /// The application judges: every certificate is taken.
    pub(super) const fn application() -> Self {
        Self(None)
    }

    /// A client's judge of servers.
    pub(super) fn of_servers(settings: &Settings) -> Result<Self, Error> {
        Self::of(settings, Peer::Server)
    }

    /// A server's judge of clients.
    pub(super) fn of_clients(settings: &Settings) -> Result<Self, Error> {
        Self::of(settings, Peer::Client)
    }

    fn of(settings: &Settings, peer: Peer) -> Result<Self, Error> {
        Ok(Self(Some(Judging {
            verifier: Verifier::new(&settings.verify, peer)?,
            peer,
            by_pins: !settings.verify.pins.is_empty(),
            clock: Arc::clone(&settings.environment.clock),
        })))
    }

    /// The names of the authorities whose certificates are accepted, each in DER.
    pub(super) fn authority_names(&self) -> Vec<Vec<u8>> {
        self.0.as_ref().map_or_else(Vec::new, |judging| judging.verifier.authority_names().to_vec())
    }
}

impl Judging {
    fn judge(&self, shown: &PeerCertificate<'_>) -> Result<(), CertificateProblem> {
        let now = self.clock.now();
        if shown.resumed {
            return self.judge_again(shown, now);
        }
        let chain: Vec<&[u8]> = shown.chain.iter().map(Vec::as_slice).collect();
        match self.peer {
            Peer::Server => {
                let name = shown.server_name.unwrap_or_default();
                self.verifier.verify_server(&chain, name, shown.ocsp_response, now)
            }
            Peer::Client => self.verifier.verify_client(&chain, now),
        }
        .map(|_weaknesses| ())
    }

    /// A resumed session was judged when it was made, perhaps long ago: what may have changed since is looked at again.
    fn judge_again(&self, shown: &PeerCertificate<'_>, now: SystemTime) -> Result<(), CertificateProblem> {
        let problem = |kind| CertificateProblem {
            kind,
            whose: match self.peer {
                Peer::Server => "the server's certificate",
                Peer::Client => "the client's certificate",
            },
            detail: "it was valid when the session was made".to_owned(),
            remedies: Vec::new(),
        };
        let Some(leaf) = shown.chain.first().filter(|_| !self.by_pins) else { return Ok(()) };
        let (_, not_after) = validity(leaf).map_err(|_| problem(CertificateKind::BadEncoding))?;
        if now > not_after { Err(problem(CertificateKind::Expired)) } else { Ok(()) }
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
