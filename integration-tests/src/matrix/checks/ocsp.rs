//! Stapled OCSP answers: ours, as a peer sees it, and a peer's, as we judge it.

use std::time::{Duration, UNIX_EPOCH};

use sspi_core::SecStatus;
use test_support::{CertStatus, OcspResponse};

use super::super::meeting::{Terms, require};
use super::super::{Case, CaseError, Role};
use super::{nobody, we_refused};
use crate::ours::{Server, Service};
use crate::peers::{Peer, openssl};

pub(super) fn run(case: Case) -> Result<(), CaseError> {
    match case.role {
        Role::Server => judged_by_us(case),
        Role::Client => match case.peer {
            Peer::OpenSsl => seen_by_s_client(case),
            Peer::Curl => demanded(case, &["--cert-status"]),
            Peer::Java => demanded(case, &["-Dcom.sun.net.ssl.checkRevocation=true"]),
            _ => nobody(case),
        },
    }
}

/// A server whose issuer is in the chain that it sends, since curl looks for the signer of the answer there only. Java
/// wants an answer about the issuer too, unless that is a root.
fn terms(case: Case) -> Terms {
    let mut terms = Terms::new(case);
    if case.peer != Peer::Java {
        terms.server = terms.pki.server("localhost").intermediate().issue();
    }
    terms
}

fn answer(terms: &Terms, status: CertStatus) -> Option<Vec<u8>> {
    Some(OcspResponse::new(&terms.server, status).der())
}

fn revoked() -> CertStatus {
    CertStatus::Revoked { at: UNIX_EPOCH + Duration::from_secs(1_740_000_000) }
}

fn judged_by_us(case: Case) -> Result<(), CaseError> {
    let mut terms = Terms { revocation_required: true, ..terms(case) }.loud();
    if case.peer == Peer::GnuTls {
        // Or it would not staple what is bad for it.
        terms.peer_arguments.push("--ignore-ocsp-response-errors".to_owned());
    }
    terms.staple = answer(&terms, CertStatus::Good);
    terms.meet()?.succeeded(&terms)?;
    terms.staple = answer(&terms, revoked());
    let mut met = terms.meet()?;
    we_refused(&met, SecStatus::CRYPT_E_REVOKED)?;
    met.peer_heard(&[44])?;
    terms.staple = None;
    we_refused(&terms.meet()?, SecStatus::CRYPT_E_NO_REVOCATION_CHECK)
}

fn seen_by_s_client(case: Case) -> Result<(), CaseError> {
    let mut terms = terms(case);
    terms.peer_arguments.push("-status".to_owned());
    for (status, printed) in [(CertStatus::Good, "Cert Status: good"), (revoked(), "Cert Status: revoked")] {
        terms.staple = answer(&terms, status);
        let server = Server::start(&terms.setup(), Service::Echo)?;
        let mut client = openssl::Client::start(&terms.client_options(server.port()), openssl::Mode::Report)?;
        client.report()?;
        client.send(b"Q\n")?;
        client.wait()?;
        let log = client.log();
        require(log.contains(printed), || format!("no {printed:?}\n{log}"))?;
    }
    Ok(())
}

/// A client that checks the staple itself, and takes none but a good one.
fn demanded(case: Case, arguments: &[&str]) -> Result<(), CaseError> {
    let mut terms = terms(case);
    terms.peer_arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
    terms.staple = answer(&terms, CertStatus::Good);
    terms.meet()?.succeeded(&terms)?;
    for staple in [answer(&terms, revoked()), None] {
        terms.staple = staple;
        let met = terms.meet()?;
        let refused = met.peer.iter().all(|peer| peer.error.is_some());
        require(refused, || "the peer took a certificate without a good answer".to_owned())?;
    }
    Ok(())
}
