//! The first judge: rustls-webpki, which takes nothing that is weak.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls_pki_types::{CertificateDer, ServerName, TrustAnchor, UnixTime};
use webpki::{
    ALL_VERIFICATION_ALGS, CertRevocationList, EndEntityCert, ExpirationPolicy, KeyUsage,
    RevocationCheckDepth, RevocationOptionsBuilder, UnknownStatusPolicy, VerifiedPath,
};

use super::revocation::Lists;
use super::server_name::wrong_name;
use super::{Peer, Refusal, Shown};
use crate::certificate::ocsp::{self, Issuer, OcspError, OcspStatus};
use crate::certificate::time::readable;
use crate::certificate::{harmless, issuer_der};
use crate::config::Revocation;
use crate::status::CertificateKind;

/// Chains against roots, lists and a stapled answer.
#[derive(Debug)]
pub(super) struct Strong {
    anchors: Vec<TrustAnchor<'static>>,
    revocation: Revocation,
    /// Those that count, the newest first, each with its nextUpdate: webpki looks a certificate up in the first list of its
    /// issuer only, and an old one must not hide what a newer one says.
    lists: Vec<(CertRevocationList<'static>, SystemTime)>,
}

/// What a chain must be beside valid.
type Accepts<'a> = dyn Fn(&VerifiedPath<'_>) -> Result<(), webpki::Error> + 'a;

/// A chain as webpki takes it.
struct Presented<'a> {
    leaf: CertificateDer<'a>,
    others: Vec<CertificateDer<'a>>,
}

impl Strong {
    /// `None` if there are lists that webpki cannot read: it would not know of all that is revoked.
    pub(super) fn new(
        anchors: Vec<TrustAnchor<'static>>,
        lists: &Lists,
        revocation: Revocation,
    ) -> Option<Self> {
        Some(Self { anchors, revocation, lists: lists.of_webpki()? })
    }

    pub(super) fn check(&self, shown: &Shown<'_>) -> Result<(), Refusal> {
        if self.anchors.is_empty() {
            return Err(Refusal::plain(CertificateKind::UnknownIssuer));
        }
        let presented = Presented {
            leaf: CertificateDer::from(shown.leaf),
            others: shown.others.iter().map(|der| CertificateDer::from(*der)).collect(),
        };
        let leaf = EndEntityCert::try_from(&presented.leaf).map_err(|error| refusal(&error))?;
        let is_hard = self.revocation == Revocation::Hard;
        let expiration = if is_hard { ExpirationPolicy::Enforce } else { ExpirationPolicy::Ignore };
        let status = if is_hard { UnknownStatusPolicy::Deny } else { UnknownStatusPolicy::Allow };
        let lists: Vec<_> = self.lists.iter().map(|(list, _)| list).collect();
        let open = match self.verify_chain(&leaf, &presented, shown, &lists, (status, expiration), None) {
            // Without lists webpki does not ask.
            Ok(_) if is_hard && lists.is_empty() => Some(Refusal::plain(CertificateKind::RevocationUnknown)),
            Ok(_) => None,
            Err(error @ (webpki::Error::UnknownRevocationStatus | webpki::Error::CrlExpired { .. })) => {
                Some(refusal(&error))
            }
            Err(error) => return Err(refusal(&error)),
        };
        if let Some(name) = shown.name {
            let name_of = |name| ServerName::try_from(name).map_err(|_| wrong_name(name, &[]));
            leaf.verify_is_valid_for_subject_name(&name_of(name)?).map_err(|error| match error {
                webpki::Error::CertNotValidForName(context) => wrong_name(name, &presented_names(context)),
                error => refusal(&error),
            })?;
        }
        if self.revocation == Revocation::Off || shown.staple.is_empty() {
            return open.map_or(Ok(()), Err);
        }
        self.check_staple(&leaf, &presented, shown, open)
    }

    /// What the stapled answer makes of a chain that is accepted, or that is in order but for `open`.
    fn check_staple(
        &self,
        leaf: &EndEntityCert<'_>,
        presented: &Presented<'_>,
        shown: &Shown<'_>,
        open: Option<Refusal>,
    ) -> Result<(), Refusal> {
        let as_without = |open: Option<Refusal>| open.map_or(Ok(()), Err);
        match self.stapled_status(leaf, presented, shown) {
            Some(Ok(OcspStatus::Revoked)) => Err(Refusal::plain(CertificateKind::Revoked)),
            Some(Ok(OcspStatus::Good))
                if open.is_some() && self.lists_cover_intermediates(leaf, presented, shown) =>
            {
                Ok(())
            }
            Some(Ok(OcspStatus::Good | OcspStatus::Unknown)) | None => as_without(open),
            Some(Err(error)) => {
                tracing::debug!(%error, "the server's stapled OCSP answer cannot be used");
                as_without(open.map(|_| Refusal::new(CertificateKind::BadOcspResponse, error.to_string())))
            }
        }
    }

    /// What the answer says of the leaf, or in hard mode a list, however old, that says revoked; `None` if there is no chain.
    ///
    /// The issuer's key is taken from a chain that was verified. A certificate of the issuer's name with a key under which
    /// the leaf's signature happens to hold can be made up, and could vouch for a revoked leaf.
    fn stapled_status(
        &self,
        leaf: &EndEntityCert<'_>,
        presented: &Presented<'_>,
        shown: &Shown<'_>,
    ) -> Option<Result<OcspStatus, OcspError>> {
        let lists: Vec<_> = self.lists.iter().map(|(list, _)| list).collect();
        let lenient = (UnknownStatusPolicy::Allow, ExpirationPolicy::Ignore);
        let path = match self.verify_chain(leaf, presented, shown, &lists, lenient, None) {
            Ok(path) => path,
            Err(webpki::Error::CertRevoked) => return Some(Ok(OcspStatus::Revoked)),
            Err(_) => return None,
        };
        let issuer = Issuer { name: issuer_der(shown.leaf)?, public_key: &path.issuer_spki() };
        Some(ocsp::status(shown.staple, shown.leaf, &issuer, shown.now))
    }

    /// Whether there is a chain in which no current list revokes anything, and in which, where there are lists, a current
    /// one covers each intermediate.
    fn lists_cover_intermediates(
        &self,
        leaf: &EndEntityCert<'_>,
        presented: &Presented<'_>,
        shown: &Shown<'_>,
    ) -> bool {
        let current: Vec<_> =
            self.lists.iter().filter(|(_, until)| shown.now < *until).map(|(list, _)| list).collect();
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
        let lenient = (UnknownStatusPolicy::Allow, ExpirationPolicy::Ignore);
        self.verify_chain(leaf, presented, shown, &current, lenient, Some(&covered)).is_ok()
    }

    /// A chain to a root in which these lists revoke nothing, and that `accepts` accepts.
    fn verify_chain<'a>(
        &'a self,
        leaf: &'a EndEntityCert<'a>,
        presented: &'a Presented<'a>,
        shown: &Shown<'_>,
        lists: &[&CertRevocationList<'_>],
        (status, expiration): (UnknownStatusPolicy, ExpirationPolicy),
        accepts: Option<&Accepts<'_>>,
    ) -> Result<VerifiedPath<'a>, webpki::Error> {
        // None without lists.
        let options = RevocationOptionsBuilder::new(lists).ok().map(|builder| {
            builder
                .with_depth(RevocationCheckDepth::Chain)
                .with_status_policy(status)
                .with_expiration_policy(expiration)
                .build()
        });
        let usage = match shown.peer {
            Peer::Server => KeyUsage::server_auth(),
            Peer::Client => KeyUsage::client_auth(),
        };
        let now = UnixTime::since_unix_epoch(shown.now.duration_since(UNIX_EPOCH).unwrap_or_default());
        leaf.verify_for_usage(
            ALL_VERIFICATION_ALGS,
            &self.anchors,
            &presented.others,
            now,
            usage,
            options,
            accepts,
        )
    }
}

/// The names in a certificate that was not for the one asked for.
fn presented_names(context: webpki::InvalidNameContext) -> Vec<String> {
    // Each as `DnsName("example.com")`: what is between the quotes is what a person wants to see.
    let inside = |name: String| match name.split('"').nth(1) {
        Some(inside) => harmless(inside),
        None => harmless(&name),
    };
    context.presented.into_iter().map(inside).collect()
}

/// The one place where an error of webpki becomes ours.
fn refusal(error: &webpki::Error) -> Refusal {
    use CertificateKind as K;
    use webpki::Error as E;
    let at = |time: &UnixTime| readable(UNIX_EPOCH + Duration::from_secs(time.as_secs()));
    match error {
        E::BadDer | E::BadDerTime | E::TrailingData(_) => Refusal::plain(K::BadEncoding),
        E::CertExpired { not_after, .. } => {
            Refusal::new(K::Expired, format!("it, or one of its issuers, was valid until {}", at(not_after)))
        }
        E::InvalidCertValidity => Refusal::plain(K::Expired),
        E::CertNotValidYet { not_before, .. } => Refusal::new(
            K::NotYetValid,
            format!("it, or one of its issuers, is valid from {} on", at(not_before)),
        ),
        E::UnknownIssuer => Refusal::plain(K::UnknownIssuer),
        E::CaUsedAsEndEntity => Refusal::new(
            K::Other,
            "it is an authority's own (basicConstraints), which is accepted only where it stands itself among the roots",
        ),
        E::CertRevoked => Refusal::plain(K::Revoked),
        E::UnknownRevocationStatus => Refusal::plain(K::RevocationUnknown),
        E::CrlExpired { next_update, .. } => {
            Refusal::new(K::RevocationOutOfDate, format!("the list held until {}", at(next_update)))
        }
        E::InvalidSignatureForPublicKey => Refusal::plain(K::BadSignature),
        E::RequiredEkuNotFoundContext(_) | E::EmptyEkuExtension => Refusal::plain(K::WrongUsage),
        E::UnsupportedSignatureAlgorithmContext(_)
        | E::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => Refusal::plain(K::Unsupported),
        E::IssuerNotCrlSigner
        | E::InvalidCrlSignatureForPublicKey
        | E::UnsupportedCrlSignatureAlgorithmContext(_)
        | E::UnsupportedCrlSignatureAlgorithmForPublicKeyContext(_)
        | E::UnsupportedCrlVersion
        | E::UnsupportedDeltaCrl
        | E::UnsupportedIndirectCrl
        | E::UnsupportedCrlIssuingDistributionPoint
        | E::UnsupportedRevocationReason
        | E::UnsupportedRevocationReasonsPartitioning => {
            let why = harmless(&format!("a revocation list cannot be used: {error:?}"));
            Refusal::new(K::RevocationUnknown, why)
        }
        other => Refusal::new(K::Other, harmless(&format!("{other:?}"))),
    }
}
