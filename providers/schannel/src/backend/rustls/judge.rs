//! The judgement of rustls's verifiers for who does not name rustls.

use std::sync::Arc;
use std::time::SystemTime;

use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::server::danger::ClientCertVerifier;
use sspi_core::Error;

use super::error::Situation;
use super::transcript::Transcript;
use super::verify::{self, VerifyPolicy, unix_time};
use crate::status::{self, CertificateKind, CertificateProblem};

/// Whose certificates are judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    /// Servers', by a client.
    Server,
    /// Clients', by a server.
    Client,
}

/// Judges certificates by a policy.
pub(crate) struct Verifier {
    peer: Judge,
    names: Vec<Vec<u8>>,
}

enum Judge {
    Server(Arc<dyn ServerCertVerifier>),
    Client(Arc<dyn ClientCertVerifier>),
}

impl Verifier {
    pub(crate) fn new(policy: &VerifyPolicy, peer: Peer) -> Result<Self, Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        Ok(match peer {
            Peer::Server => {
                Self { peer: Judge::Server(verify::server_verifier(policy, &provider)?), names: Vec::new() }
            }
            Peer::Client => {
                let verifier = verify::client_verifier(policy, &provider, true, true)?;
                let names = verifier.root_hint_subjects().iter().map(|name| name.as_ref().to_vec()).collect();
                Self { peer: Judge::Client(verifier), names }
            }
        })
    }

    pub(crate) fn authority_names(&self) -> &[Vec<u8>] {
        &self.names
    }

    pub(crate) fn verify_server(
        &self,
        chain: &[&[u8]],
        name: &str,
        staple: &[u8],
        now: SystemTime,
    ) -> Result<(), CertificateProblem> {
        let chain: Vec<CertificateDer<'_>> = chain.iter().map(|der| CertificateDer::from(*der)).collect();
        let (Judge::Server(verifier), Some((leaf, rest))) = (&self.peer, chain.split_first()) else {
            return Err(problem(true, None));
        };
        let name =
            ServerName::try_from(name).unwrap_or(ServerName::from(std::net::IpAddr::from([0, 0, 0, 0])));
        verifier
            .verify_server_cert(leaf, rest, &name, staple, unix_time(now))
            .map(|_| ())
            .map_err(|error| problem(true, Some((&error, leaf))))
    }

    pub(crate) fn verify_client(&self, chain: &[&[u8]], now: SystemTime) -> Result<(), CertificateProblem> {
        let chain: Vec<CertificateDer<'_>> = chain.iter().map(|der| CertificateDer::from(*der)).collect();
        let (Judge::Client(verifier), Some((leaf, rest))) = (&self.peer, chain.split_first()) else {
            return Err(problem(false, None));
        };
        verifier
            .verify_client_cert(leaf, rest, unix_time(now))
            .map(|_| ())
            .map_err(|error| problem(false, Some((&error, leaf))))
    }
}

fn problem(is_client: bool, error: Option<(&rustls::Error, &[u8])>) -> CertificateProblem {
    let transcript = Transcript::default();
    let situation = Situation {
        is_client,
        transcript: &transcript,
        protocols: &[],
        alpn: &[],
        refused: error.map(|(_, leaf)| leaf),
    };
    let whose = if is_client { "the server's certificate" } else { "the client's certificate" };
    match error.map(|(error, _)| situation.translate(error)) {
        Some(status::Error::Certificate(problem)) => problem,
        Some(other) => {
            CertificateProblem { kind: CertificateKind::Other, whose, detail: Error::from(other).to_string() }
        }
        None => CertificateProblem { kind: CertificateKind::Other, whose, detail: String::new() },
    }
}
