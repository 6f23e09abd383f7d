//! What each feature demands.

mod exporter;
mod key_update;
mod ocsp;

use sspi_core::SecStatus;
use test_support::{Pki, TestCertificate, hex};

use super::meeting::{Asks, Met, Terms, require};
use super::{Case, CaseError, Feature, Role, Scale};
use crate::peers::{Peer, Version};

pub(super) fn run(case: Case, scale: Scale) -> Result<(), CaseError> {
    match case.feature {
        Feature::Data => data(case, scale),
        Feature::Rsa => server_certificate(case, |pki| pki.server("localhost").rsa_2048().issue()),
        Feature::Ecdsa => {
            server_certificate(case, |pki| pki.server("localhost").ecdsa_p384().intermediate().issue())
        }
        Feature::ClientCertificate => client_certificate(case),
        Feature::ClientCertificateOptional => client_certificate_optional(case),
        Feature::ClientCertificateMissing => client_certificate_missing(case),
        Feature::ClientCertificateRefused => client_certificate_refused(case),
        Feature::ResumeTicket => resumption(case, true),
        Feature::ResumeId => resumption(case, false),
        Feature::Alpn => alpn(case),
        Feature::CloseNotify => close_notify(case),
        Feature::KeyUpdate => key_update::run(case),
        Feature::Exporter => exporter::run(case),
        Feature::TlsUnique => tls_unique(case),
        Feature::UnknownCa => {
            let stranger = Pki::named("OpenSSPI Unknown Root");
            server_refused(
                case,
                |_| stranger.server("localhost").issue(),
                SecStatus::SEC_E_UNTRUSTED_ROOT,
                48,
            )
        }
        Feature::Expired => server_refused(
            case,
            |pki| pki.server("localhost").expired().issue(),
            SecStatus::SEC_E_CERT_EXPIRED,
            45,
        ),
        Feature::WrongName => server_refused(
            case,
            |pki| pki.server("other.example").issue(),
            SecStatus::SEC_E_WRONG_PRINCIPAL,
            42,
        ),
        Feature::RevokedByCrl => revoked_by_crl(case),
        Feature::OcspStaple => ocsp::run(case),
    }
}

/// A case that nobody has written, and that `skipped.toml` gives no reason for.
fn nobody(case: Case) -> Result<(), CaseError> {
    Err(CaseError::new(format!("nothing here runs {case}: skipped.toml must say why")))
}

fn fingerprint(certificate: &TestCertificate) -> Option<String> {
    Some(hex::encode(certificate.sha256()))
}

fn data(case: Case, scale: Scale) -> Result<(), CaseError> {
    let terms = Terms { bytes: scale.bytes, ..Terms::new(case) };
    terms.meet()?.succeeded(&terms)?;
    Ok(())
}

/// Python and Java say which certificate they saw.
fn tells_certificates(peer: Peer) -> bool {
    matches!(peer, Peer::Python | Peer::Java)
}

fn server_certificate(case: Case, issue: fn(&Pki) -> TestCertificate) -> Result<(), CaseError> {
    let mut terms = Terms::new(case);
    terms.server = issue(&terms.pki);
    let met = terms.meet()?.succeeded(&terms)?;
    let seen = match case.role {
        Role::Server => met.ours.first().map(|report| &report.negotiated),
        Role::Client => met.peer.first().filter(|_| tells_certificates(case.peer)),
    };
    if let Some(seen) = seen {
        require(seen.peer_sha256 == fingerprint(&terms.server), || format!("another certificate: {seen:?}"))?;
    }
    Ok(())
}

fn client_certificate(case: Case) -> Result<(), CaseError> {
    let mut terms = Terms { asks: Asks::Insistently, ..Terms::new(case) };
    let certificates =
        [terms.pki.client("alice").issue(), terms.pki.client("alice").rsa_2048().intermediate().issue()];
    for certificate in certificates {
        terms.client = Some(certificate.clone());
        let met = terms.meet()?.succeeded(&terms)?;
        let seen = match case.role {
            Role::Server => met.peer.first().filter(|_| tells_certificates(case.peer)),
            Role::Client => met.ours.first().map(|report| &report.negotiated),
        };
        if let Some(seen) = seen {
            require(seen.peer_sha256 == fingerprint(&certificate), || {
                format!("another certificate: {seen:?}")
            })?;
        }
    }
    Ok(())
}

fn client_certificate_optional(case: Case) -> Result<(), CaseError> {
    let terms = Terms { asks: Asks::Optionally, ..Terms::new(case) };
    let met = terms.meet()?.succeeded(&terms)?;
    if case.role == Role::Client {
        let seen = met.ours.first().and_then(|report| report.negotiated.peer_sha256.as_deref());
        require(seen.is_none(), || format!("a certificate from nowhere: {seen:?}"))?;
    }
    Ok(())
}

fn client_certificate_missing(case: Case) -> Result<(), CaseError> {
    let terms = Terms { asks: Asks::Insistently, ..Terms::new(case) };
    let mut met = terms.meet()?;
    match case.role {
        Role::Server => we_heard_an_alert(&met),
        Role::Client => {
            we_refused(&met, SecStatus::SEC_E_NO_CREDENTIALS)?;
            // TLS 1.2 has no certificate_required.
            met.peer_heard(if case.version == Version::Tls13 { &[116] } else { &[40, 116] })
        }
    }
}

fn client_certificate_refused(case: Case) -> Result<(), CaseError> {
    let mut terms = Terms { asks: Asks::Insistently, without_ca_list: true, ..Terms::new(case) };
    let stranger = Pki::named("OpenSSPI Unknown Root").client("mallory").issue();
    let expired = terms.pki.client("alice").expired().issue();
    for (certificate, status, alert) in
        [(stranger, SecStatus::SEC_E_UNTRUSTED_ROOT, 48), (expired, SecStatus::SEC_E_CERT_EXPIRED, 45)]
    {
        terms.client = Some(certificate);
        let mut met = terms.meet()?;
        we_refused(&met, status)?;
        met.peer_heard(&[alert])?;
    }
    Ok(())
}

fn resumption(case: Case, tickets: bool) -> Result<(), CaseError> {
    let terms = Terms { tickets, connections: 2, ..Terms::new(case) };
    let met = terms.meet()?.succeeded(&terms)?;
    let resumed: Vec<bool> = met.ours.iter().map(|report| report.negotiated.resumed).collect();
    require(resumed == [false, true], || format!("our end resumed {resumed:?}"))?;
    if matches!(case.peer, Peer::Python | Peer::Java | Peer::GnuTls) && !met.peer.is_empty() {
        let resumed: Vec<bool> = met.peer.iter().map(|peer| peer.resumed).collect();
        require(resumed == [false, true], || format!("the peer resumed {resumed:?}"))?;
    }
    Ok(())
}

fn alpn(case: Case) -> Result<(), CaseError> {
    let terms = Terms { server_alpn: &["other", "http/1.1"], client_alpn: &["http/1.1"], ..Terms::new(case) };
    let met = terms.meet()?.succeeded(&terms)?;
    let tells = !matches!(case.peer, Peer::OpenSsl);
    let ends = met.peer.iter().filter(|_| tells).chain(met.ours.iter().map(|report| &report.negotiated));
    for end in ends {
        require(end.alpn.as_deref() == Some("http/1.1"), || format!("another protocol: {end:?}"))?;
    }
    Ok(())
}

/// The client closes and the server answers, whichever of them we are.
fn close_notify(case: Case) -> Result<(), CaseError> {
    let terms = Terms::new(case);
    let met = terms.meet()?.succeeded(&terms)?;
    let ours = met.ours.iter().all(|report| report.negotiated.clean_close);
    require(ours, || format!("the peer did not close in order: {:?}", met.ours))?;
    if matches!(case.peer, Peer::Python | Peer::Java) {
        let peer = met.peer.iter().all(|peer| peer.clean_close);
        require(peer, || format!("we did not close in order: {:?}", met.peer))?;
    }
    Ok(())
}

fn tls_unique(case: Case) -> Result<(), CaseError> {
    if case.peer != Peer::Python {
        return nobody(case);
    }
    let terms = Terms { connections: 2, ..Terms::new(case) };
    let met = terms.meet()?.succeeded(&terms)?;
    for (ours, peer) in met.ours.iter().zip(&met.peer) {
        let (ours, peer) = (&ours.negotiated, peer);
        require(ours.tls_unique.is_some() && ours.tls_unique == peer.tls_unique, || {
            format!("ours is {:?}, the peer's {:?}", ours.tls_unique, peer.tls_unique)
        })?;
    }
    let resumed = met.ours.last().is_some_and(|report| report.negotiated.resumed);
    require(resumed, || "the second connection was not resumed".to_owned())
}

/// A server certificate that the client must not take, and the server must hear why.
fn server_refused(
    case: Case,
    issue: impl Fn(&Pki) -> TestCertificate,
    status: SecStatus,
    alert: u8,
) -> Result<(), CaseError> {
    let mut terms = Terms::new(case).loud();
    terms.server = issue(&terms.pki);
    let mut met = terms.meet()?;
    match case.role {
        Role::Server => {
            we_refused(&met, status)?;
            met.peer_heard(&[alert])
        }
        Role::Client => {
            let refused = met.peer.iter().all(|peer| peer.error.is_some());
            require(refused, || "the peer took the certificate".to_owned())?;
            we_heard_an_alert(&met)
        }
    }
}

fn revoked_by_crl(case: Case) -> Result<(), CaseError> {
    let mut terms = Terms::new(case).loud();
    let alice = terms.pki.client("alice").issue();
    let judged = match case.role {
        Role::Server => terms.server.clone(),
        Role::Client => {
            terms.asks = Asks::Insistently;
            terms.client = Some(alice.clone());
            alice
        }
    };
    terms.crl = Some(terms.pki.crl(&[]));
    terms.meet()?.succeeded(&terms)?;
    terms.crl = Some(terms.pki.crl(&[&judged]));
    let mut met = terms.meet()?;
    we_refused(&met, SecStatus::CRYPT_E_REVOKED)?;
    met.peer_heard(&[44])
}

/// Our end refused the only connection with this status.
fn we_refused(met: &Met, status: SecStatus) -> Result<(), CaseError> {
    let found = met.ours.first().and_then(|report| report.status());
    require(found == Some(status), || {
        format!("our end has {found:?} in place of {status:?}: {:?}", met.ours.first())
    })
}

/// The peer refused, and told us so.
fn we_heard_an_alert(met: &Met) -> Result<(), CaseError> {
    let heard = met.ours.first().and_then(|report| report.alert_heard());
    require(heard.is_some(), || format!("our end heard no alert: {:?}", met.ours.first()))
}
