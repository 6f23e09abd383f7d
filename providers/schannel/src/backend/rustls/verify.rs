//! Whether a peer's certificate is accepted. What rustls sees of it are the two verifiers.
//!
//! # Trust
//!
//! - **Pins**: with pins, the leaf's SHA-256 must be among them, and nothing else of the certificate is looked at.
//! - **Roots**: without pins, rustls's own verifiers judge the chain, its times, its usage and the name.
//! - **A leaf that is itself a root** (byte for byte; `roots = ["selfsigned.pem"]`) is trusted as it is: for its own
//!   names, within its times, and for this purpose where it names any. rustls knows no such trust, whether the certificate
//!   says that it is an authority or not. Revocation is not asked, as it is not for any root.
//! - **A root that is no authority** (basicConstraints say so, or nothing does) is trusted in this way only. As one of
//!   rustls's roots it could issue certificates for every name there is.
//! - **Manual**: the application judges (`ISC_REQ_MANUAL_CRED_VALIDATION`; `AcceptRequest::manual_cred_validation`).
//!
//! In every case the peer must prove with its handshake signature that it has the key.
//!
//! # Revocation
//!
//! Every certificate of the chain but the root is looked up in the newest list of its issuer. A list of that name that
//! its issuer did not sign is an error, in both modes.
//!
//! | | off | soft | hard |
//! |---|---|---|---|
//! | a list says revoked | accepted | refused | refused |
//! | no list covers a certificate | accepted | accepted | refused, `UnknownRevocationStatus` |
//! | the list is past its nextUpdate | accepted | still used | refused, `ExpiredRevocationList` |
//! | there are no lists at all | accepted | accepted | refused, `UnknownRevocationStatus` |
//!
//! A server's stapled OCSP answer then counts for its leaf, unless the mode is off:
//!
//! - *revoked*: refused, whatever the lists say;
//! - *good*: in hard mode it stands in where no list, or one out of date, covers the leaf. Where there are lists, a current
//!   one must still cover each intermediate; where there are none, the answer for the leaf is enough. It outweighs no list
//!   that says revoked, be it out of date. Lists that are split by distribution point do not count for this;
//! - *unknown*, or not to be used (`certificate/ocsp.rs` says when): as if there were none. What hard mode refuses then is
//!   refused with `InvalidOcspResponse` where the answer was not to be used, so that the reason shows.
//!
//! Clients staple nothing here: in hard mode a server without lists refuses every client but those that are roots
//! themselves.

use std::cmp::Reverse;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ParsedCertificate, VerifierBuilderError, WebPkiClientVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error as TlsError, RootCertStore,
    SignatureScheme,
};
use sspi_core::{Error, Fault, SecStatus};
use webpki::{
    CertRevocationList, ExpirationPolicy, KeyUsage, OwnedCertRevocationList, RevocationCheckDepth,
    RevocationOptionsBuilder, UnknownStatusPolicy, VerifiedPath,
};

use crate::certificate::ocsp::{self, Issuer, OcspStatus};
use crate::certificate::{DecodeError, allows, crl_times, issuer_der, may_issue, sha256, validity};
use crate::config::Revocation;

#[cfg(test)]
mod tests;

/// Whom to trust.
pub(crate) struct VerifyPolicy {
    /// Authorities, and leaves that are trusted as they are.
    pub(crate) roots: Vec<CertificateDer<'static>>,
    /// SHA-256 of leaves; if there are any, nothing else is trusted.
    pub(crate) pins: Vec<[u8; 32]>,
    pub(crate) revocation: Revocation,
    pub(crate) crls: Vec<CertificateRevocationListDer<'static>>,
}

/// What a client judges a server's certificate with.
///
/// # Errors
/// There is no root that can be used, or a revocation list cannot be read; the error names the setting.
pub(crate) fn server_verifier(
    policy: &VerifyPolicy,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, Error> {
    let judge = if policy.pins.is_empty() {
        ServerJudge::Chain(Box::new(ServerChain::new(policy, provider)?))
    } else {
        ServerJudge::Pins(Pins(policy.pins.clone()))
    };
    Ok(Arc::new(ServerVerifier { judge, algorithms: provider.signature_verification_algorithms }))
}

/// What a client takes where the application judges the chain itself (`ISC_REQ_MANUAL_CRED_VALIDATION`): every
/// certificate, if the server has its key.
pub(crate) fn manual_server_verifier(provider: &Arc<CryptoProvider>) -> Arc<dyn ServerCertVerifier> {
    Arc::new(ServerVerifier {
        judge: ServerJudge::Application,
        algorithms: provider.signature_verification_algorithms,
    })
}

/// What a server judges its clients' certificates with. Without `mandatory` a client may show none; with `send_ca_list`
/// clients are told the names of the roots. With pins no names are told: they would keep a pinned client, which another
/// authority may have issued, from showing its certificate.
///
/// # Errors
/// There is no root that can be used, or a revocation list cannot be read; the error names the setting.
pub(crate) fn client_verifier(
    policy: &VerifyPolicy,
    provider: &Arc<CryptoProvider>,
    mandatory: bool,
    send_ca_list: bool,
) -> Result<Arc<dyn ClientCertVerifier>, Error> {
    let (judge, hints) = if policy.pins.is_empty() {
        let roots = Roots::read(policy, "client-roots")?;
        let hints = if send_ca_list { roots.hints.clone() } else { Vec::new() };
        (ClientJudge::Chain(ClientChain::new(policy, roots, provider)?), hints)
    } else {
        (ClientJudge::Pins(Pins(policy.pins.clone())), Vec::new())
    };
    let algorithms = provider.signature_verification_algorithms;
    Ok(Arc::new(ClientVerifier { judge, mandatory, hints, algorithms }))
}

/// What a server takes where the application judges the chain itself (`AcceptRequest::manual_cred_validation`): every
/// certificate, if the client has its key. No names are told, since none is preferred.
pub(crate) fn manual_client_verifier(
    provider: &Arc<CryptoProvider>,
    mandatory: bool,
) -> Arc<dyn ClientCertVerifier> {
    Arc::new(ClientVerifier {
        judge: ClientJudge::Application,
        mandatory,
        hints: Vec::new(),
        algorithms: provider.signature_verification_algorithms,
    })
}

/// The roots of a policy, told apart.
struct Roots {
    /// Those that issue.
    authorities: Arc<RootCertStore>,
    /// All of them, as leaves.
    leaves: TrustedLeaves,
    /// What clients are told: who must have issued their certificates.
    hints: Vec<DistinguishedName>,
}

impl Roots {
    /// The roots that can be read. A system's store may hold some that cannot, and they are nobody's concern.
    fn read(policy: &VerifyPolicy, setting: &'static str) -> Result<Self, Error> {
        let mut authorities = RootCertStore::empty();
        let (mut leaves, mut hints, mut unparsable) = (HashSet::new(), Vec::new(), 0_usize);
        for root in &policy.roots {
            let is_usable = if may_issue(root).unwrap_or(true) {
                authorities.add(root.clone()).is_ok()
            } else {
                hints.extend(issuer_der(root).map(|name| DistinguishedName::from(name.to_vec())));
                ParsedCertificate::try_from(root).is_ok()
            };
            if is_usable {
                leaves.insert(sha256(root));
            } else {
                unparsable += 1;
            }
        }
        if unparsable > 0 {
            tracing::warn!(
                setting,
                unparsable,
                usable = leaves.len(),
                "roots that cannot be read are left out"
            );
        }
        if leaves.is_empty() {
            let what = match unparsable {
                0 => "no root is configured, so that no certificate could be trusted".to_owned(),
                1 => "the only root cannot be read as a certificate".to_owned(),
                all => format!("none of the {all} roots can be read as a certificate"),
            };
            let error = Error::new(SecStatus::SEC_E_UNTRUSTED_ROOT, Fault::Configuration, what);
            return Err(error.with_setting(setting));
        }
        hints.extend(authorities.subjects());
        Ok(Self { authorities: Arc::new(authorities), leaves: TrustedLeaves(leaves), hints })
    }
}

fn unusable_list(why: impl core::fmt::Display) -> Error {
    let what = format!("a certificate revocation list cannot be used: {why}");
    Error::new(SecStatus::SEC_E_UNKNOWN_CREDENTIALS, Fault::Configuration, what).with_setting("crls")
}

fn unbuildable(error: &VerifierBuilderError) -> Error {
    match error {
        VerifierBuilderError::InvalidCrl(why) => unusable_list(format_args!("{why:?}")),
        other => Error::new(SecStatus::SEC_E_INTERNAL_ERROR, Fault::Internal, other.to_string()),
    }
}

/// The lists that count, the newest first: rustls looks a certificate up in the first list of its issuer only, and an old
/// one must not hide what a newer one says. None if revocation is not looked at.
fn lists(policy: &VerifyPolicy) -> Result<Vec<CertificateRevocationListDer<'static>>, Error> {
    if policy.revocation == Revocation::Off {
        return Ok(Vec::new());
    }
    let dated = |list: &CertificateRevocationListDer<'static>| Ok((crl_times(list)?.0, list.clone()));
    let mut lists =
        policy.crls.iter().map(dated).collect::<Result<Vec<_>, DecodeError>>().map_err(unusable_list)?;
    lists.sort_by_key(|(this_update, _)| Reverse(*this_update));
    Ok(lists.into_iter().map(|(_, list)| list).collect())
}

fn system_time(time: UnixTime) -> SystemTime {
    UNIX_EPOCH.checked_add(Duration::from_secs(time.as_secs())).unwrap_or(UNIX_EPOCH)
}

fn unix_time(time: SystemTime) -> UnixTime {
    UnixTime::since_unix_epoch(time.duration_since(UNIX_EPOCH).unwrap_or_default())
}

/// SHA-256 of the leaves that are trusted.
///
/// A mismatch is `ApplicationVerificationFailure`, for which rustls sends access_denied (49).
#[derive(Debug)]
struct Pins(Vec<[u8; 32]>);

impl Pins {
    fn check(&self, leaf: &CertificateDer<'_>) -> Result<(), TlsError> {
        if self.0.contains(&sha256(leaf)) {
            Ok(())
        } else {
            Err(CertificateError::ApplicationVerificationFailure.into())
        }
    }
}

/// SHA-256 of the roots, to find a leaf that is one.
#[derive(Debug)]
struct TrustedLeaves(HashSet<[u8; 32]>);

impl TrustedLeaves {
    fn contains(&self, leaf: &CertificateDer<'_>) -> bool {
        self.0.contains(&sha256(leaf))
    }

    /// What is left to ask of a leaf that is trusted: its times, and that it may be used for this.
    fn check(leaf: &CertificateDer<'_>, purpose: &[u8], now: UnixTime) -> Result<(), TlsError> {
        let (not_before, not_after) = validity(leaf).map_err(|_| CertificateError::BadEncoding)?;
        let time = system_time(now);
        if time < not_before {
            let not_before = unix_time(not_before);
            return Err(CertificateError::NotValidYetContext { time: now, not_before }.into());
        }
        if time > not_after {
            let not_after = unix_time(not_after);
            return Err(CertificateError::ExpiredContext { time: now, not_after }.into());
        }
        match allows(leaf, purpose) {
            Ok(true) => Ok(()),
            Ok(false) => Err(CertificateError::InvalidPurpose.into()),
            Err(_) => Err(CertificateError::BadEncoding.into()),
        }
    }
}

/// id-kp-serverAuth, 1.3.6.1.5.5.7.3.1.
const SERVER_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 1];
/// id-kp-clientAuth, 1.3.6.1.5.5.7.3.2.
const CLIENT_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 2];

/// A server's chain against roots, lists and the stapled answer.
#[derive(Debug)]
struct ServerChain {
    /// `None` where no root is an authority.
    judge: Option<Arc<WebPkiServerVerifier>>,
    leaves: TrustedLeaves,
    revocation: Revocation,
    authorities: Arc<RootCertStore>,
    /// In hard mode the lists with their nextUpdate, for a second look where an answer stands in for one.
    lists: Vec<(CertRevocationList<'static>, SystemTime)>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerChain {
    fn new(policy: &VerifyPolicy, provider: &Arc<CryptoProvider>) -> Result<Self, Error> {
        let Roots { authorities, leaves, .. } = Roots::read(policy, "roots")?;
        let lists = lists(policy)?;
        let judge = if authorities.is_empty() {
            None
        } else {
            let builder =
                WebPkiServerVerifier::builder_with_provider(Arc::clone(&authorities), Arc::clone(provider))
                    .with_crls(lists.iter().cloned());
            let builder = match policy.revocation {
                Revocation::Off | Revocation::Soft => builder.allow_unknown_revocation_status(),
                Revocation::Hard => builder.enforce_revocation_expiration(),
            };
            Some(builder.build().map_err(|error| unbuildable(&error))?)
        };
        let lists = if policy.revocation == Revocation::Hard {
            let read = |der: &CertificateRevocationListDer<'_>| {
                let list = OwnedCertRevocationList::from_der(der).map_err(unusable_list)?;
                Ok((list.into(), crl_times(der).map_err(unusable_list)?.1))
            };
            lists.iter().map(read).collect::<Result<_, Error>>()?
        } else {
            Vec::new()
        };
        Ok(Self {
            judge,
            leaves,
            revocation: policy.revocation,
            authorities,
            lists,
            algorithms: provider.signature_verification_algorithms,
        })
    }

    fn check(&self, shown: &Shown<'_>, name: &ServerName<'_>, staple: &[u8]) -> Result<(), TlsError> {
        let Shown { leaf, intermediates, now } = *shown;
        if self.leaves.contains(leaf) {
            TrustedLeaves::check(leaf, SERVER_AUTH, now)?;
            return verify_server_name(&ParsedCertificate::try_from(leaf)?, name);
        }
        let Some(judge) = &self.judge else { return Err(CertificateError::UnknownIssuer.into()) };
        let mut verdict = judge.verify_server_cert(leaf, intermediates, name, &[], now).map(|_| ());
        if self.revocation == Revocation::Hard && self.lists.is_empty() {
            // Without lists rustls does not ask.
            verdict = verdict.and(Err(CertificateError::UnknownRevocationStatus.into()));
        }
        if self.revocation == Revocation::Off || staple.is_empty() {
            return verdict;
        }
        match verdict {
            Ok(()) => self.check_staple(shown, staple, None),
            Err(TlsError::InvalidCertificate(
                open @ (CertificateError::UnknownRevocationStatus
                | CertificateError::ExpiredRevocationList
                | CertificateError::ExpiredRevocationListContext { .. }),
            )) => {
                self.check_staple(shown, staple, Some(open))?;
                // The chain was refused before its name was looked at.
                verify_server_name(&ParsedCertificate::try_from(leaf)?, name)
            }
            refused => refused,
        }
    }

    /// What the stapled answer makes of a chain that is accepted, or that is in order but for `open`.
    fn check_staple(
        &self,
        shown: &Shown<'_>,
        staple: &[u8],
        open: Option<CertificateError>,
    ) -> Result<(), TlsError> {
        let as_without = |open: Option<CertificateError>| open.map_or(Ok(()), |open| Err(open.into()));
        match self.stapled_status(shown, staple) {
            Some(Ok(OcspStatus::Revoked)) => Err(CertificateError::Revoked.into()),
            Some(Ok(OcspStatus::Good)) if open.is_some() && self.lists_cover_intermediates(shown) => Ok(()),
            Some(Ok(OcspStatus::Good | OcspStatus::Unknown)) | None => as_without(open),
            Some(Err(error)) => {
                tracing::debug!(%error, "the server's stapled OCSP answer cannot be used");
                as_without(open.map(|_| CertificateError::InvalidOcspResponse))
            }
        }
    }

    /// What the answer says of the leaf, or a list, however old, that says revoked; `None` if there is no chain.
    ///
    /// The issuer's key is taken from a chain that was verified. A certificate of the issuer's name with a key under which
    /// the leaf's signature happens to hold can be made up, and could vouch for a revoked leaf.
    fn stapled_status(
        &self,
        shown: &Shown<'_>,
        staple: &[u8],
    ) -> Option<Result<OcspStatus, ocsp::OcspError>> {
        let leaf = webpki::EndEntityCert::try_from(shown.leaf).ok()?;
        let lists: Vec<_> = self.lists.iter().map(|(list, _)| list).collect();
        let path = match self.verify_chain(&leaf, shown, &lists, &|_| Ok(())) {
            Ok(path) => path,
            Err(webpki::Error::CertRevoked) => return Some(Ok(OcspStatus::Revoked)),
            Err(_) => return None,
        };
        let issuer = Issuer { name: issuer_der(shown.leaf)?, public_key: &path.issuer_spki() };
        Some(ocsp::status(staple, shown.leaf, &issuer, shown.now))
    }

    /// Whether there is a chain in which no current list revokes anything, and in which, where there are lists, a current
    /// one covers each intermediate.
    fn lists_cover_intermediates(&self, shown: &Shown<'_>) -> bool {
        let now = system_time(shown.now);
        let current: Vec<_> =
            self.lists.iter().filter(|(_, until)| now < *until).map(|(list, _)| list).collect();
        let covered = |path: &VerifiedPath<'_>| {
            // webpki has checked the first list of the same issuer and scope: its signature, and that the certificate is
            // not in it. That there is one is all that is left to ask.
            let covers = |list: &&CertRevocationList<'_>, issuer: &[u8]| {
                list.issuer() == issuer && list.issuing_distribution_point().is_none()
            };
            let all =
                path.intermediate_certificates().all(|c| current.iter().any(|list| covers(list, c.issuer())));
            if all || self.lists.is_empty() { Ok(()) } else { Err(webpki::Error::UnknownRevocationStatus) }
        };
        webpki::EndEntityCert::try_from(shown.leaf)
            .is_ok_and(|leaf| self.verify_chain(&leaf, shown, &current, &covered).is_ok())
    }

    /// A chain to a root in which these lists, whatever their time, revoke nothing, and that `accepts` accepts.
    fn verify_chain<'a>(
        &'a self,
        leaf: &'a webpki::EndEntityCert<'a>,
        shown: &Shown<'a>,
        lists: &[&CertRevocationList<'_>],
        accepts: &dyn Fn(&VerifiedPath<'_>) -> Result<(), webpki::Error>,
    ) -> Result<VerifiedPath<'a>, webpki::Error> {
        let options = RevocationOptionsBuilder::new(lists).ok().map(|builder| {
            builder
                .with_depth(RevocationCheckDepth::Chain)
                .with_status_policy(UnknownStatusPolicy::Allow)
                .with_expiration_policy(ExpirationPolicy::Ignore)
                .build()
        });
        leaf.verify_for_usage(
            self.algorithms.all,
            &self.authorities.roots,
            shown.intermediates,
            shown.now,
            KeyUsage::server_auth(),
            options,
            Some(accepts),
        )
    }
}

/// What a peer showed, and when.
#[derive(Clone, Copy)]
struct Shown<'a> {
    leaf: &'a CertificateDer<'a>,
    intermediates: &'a [CertificateDer<'a>],
    now: UnixTime,
}

/// A client's chain against roots and lists.
#[derive(Debug)]
struct ClientChain {
    /// `None` where no root is an authority.
    judge: Option<Arc<dyn ClientCertVerifier>>,
    leaves: TrustedLeaves,
    /// Hard mode, and no lists: no chain can be shown not to be revoked.
    nothing_known: bool,
}

impl ClientChain {
    fn new(policy: &VerifyPolicy, roots: Roots, provider: &Arc<CryptoProvider>) -> Result<Self, Error> {
        let lists = lists(policy)?;
        let nothing_known = policy.revocation == Revocation::Hard && lists.is_empty();
        let judge = if roots.authorities.is_empty() {
            None
        } else {
            let builder =
                WebPkiClientVerifier::builder_with_provider(roots.authorities, Arc::clone(provider))
                    .with_crls(lists);
            let builder = match policy.revocation {
                Revocation::Off | Revocation::Soft => builder.allow_unknown_revocation_status(),
                Revocation::Hard => builder.enforce_revocation_expiration(),
            };
            Some(builder.build().map_err(|error| unbuildable(&error))?)
        };
        Ok(Self { judge, leaves: roots.leaves, nothing_known })
    }

    fn check(&self, shown: &Shown<'_>) -> Result<(), TlsError> {
        let Shown { leaf, intermediates, now } = *shown;
        if self.leaves.contains(leaf) {
            TrustedLeaves::check(leaf, CLIENT_AUTH, now)?;
            return ParsedCertificate::try_from(leaf).map(|_| ());
        }
        let Some(judge) = &self.judge else { return Err(CertificateError::UnknownIssuer.into()) };
        judge.verify_client_cert(leaf, intermediates, now)?;
        if self.nothing_known { Err(CertificateError::UnknownRevocationStatus.into()) } else { Ok(()) }
    }
}

#[derive(Debug)]
enum ServerJudge {
    Application,
    Pins(Pins),
    Chain(Box<ServerChain>),
}

/// Keeps a refused leaf for the sentence of the error: rustls does not show it to anybody.
fn remember_refused(leaf: &CertificateDer<'_>, verdict: &Result<(), TlsError>) {
    if verdict.is_err() {
        let _outside_a_handshake = super::observed::with(|o| o.refused = Some(leaf.to_vec()));
    }
}

#[derive(Debug)]
struct ServerVerifier {
    judge: ServerJudge,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for ServerVerifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        staple: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        let verdict = match &self.judge {
            ServerJudge::Application => Ok(()),
            ServerJudge::Pins(pins) => pins.check(leaf),
            ServerJudge::Chain(chain) => chain.check(&Shown { leaf, intermediates, now }, name, staple),
        };
        remember_refused(leaf, &verdict);
        verdict.map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls12_signature(message, leaf, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls13_signature(message, leaf, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

#[derive(Debug)]
enum ClientJudge {
    Application,
    Pins(Pins),
    Chain(ClientChain),
}

#[derive(Debug)]
struct ClientVerifier {
    judge: ClientJudge,
    mandatory: bool,
    hints: Vec<DistinguishedName>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ClientCertVerifier for ClientVerifier {
    fn client_auth_mandatory(&self) -> bool {
        self.mandatory
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, TlsError> {
        let verdict = match &self.judge {
            ClientJudge::Application => Ok(()),
            ClientJudge::Pins(pins) => pins.check(leaf),
            ClientJudge::Chain(chain) => chain.check(&Shown { leaf, intermediates, now }),
        };
        remember_refused(leaf, &verdict);
        verdict.map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls12_signature(message, leaf, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls13_signature(message, leaf, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
