//! The roots of a policy.

use std::collections::HashSet;

use rustls_pki_types::{CertificateDer, TrustAnchor};
use sspi_core::{Error, Fault, SecStatus};

use super::VerifyPolicy;
use super::link::Link;
use super::weakness::{Weakness, Weaknesses};
use crate::certificate::{issuer_der, may_issue, sha256, subject_der};

/// The roots of a policy, told apart.
pub(super) struct Roots {
    /// Those that issue, as webpki reads them.
    pub(super) anchors: Vec<TrustAnchor<'static>>,
    /// Those that issue, whether webpki can read them or not.
    pub(super) authorities: Vec<CertificateDer<'static>>,
    /// SHA-256 of all of them, as leaves.
    pub(super) leaves: HashSet<[u8; 32]>,
    pub(super) names: Vec<Vec<u8>>,
}

impl Roots {
    /// The roots that can be read. A system's store may hold some that cannot, and they are nobody's concern.
    pub(super) fn read(policy: &VerifyPolicy, setting: &'static str) -> Result<Self, Error> {
        let mut roots =
            Self { anchors: Vec::new(), authorities: Vec::new(), leaves: HashSet::new(), names: Vec::new() };
        let mut unparsable = 0_usize;
        for root in &policy.roots {
            if roots.add(root, policy.allow) {
                roots.leaves.insert(sha256(root));
            } else {
                unparsable += 1;
            }
        }
        let usable = roots.leaves.len();
        if unparsable > 0 {
            tracing::warn!(setting, unparsable, usable, "roots that cannot be read are left out");
        }
        if usable == 0 {
            let what = match unparsable {
                0 => "no root is configured, so that no certificate could be trusted".to_owned(),
                1 => "the only root cannot be read as a certificate".to_owned(),
                all => format!("none of the {all} roots can be read as a certificate"),
            };
            let error = Error::new(SecStatus::SEC_E_UNTRUSTED_ROOT, Fault::Configuration, what);
            return Err(error.with_setting(setting));
        }
        Ok(roots)
    }

    /// Whether it can be used.
    fn add(&mut self, root: &CertificateDer<'static>, allow: Weaknesses) -> bool {
        let link = Link::read(root).ok();
        // Whatever is weak about it shows when a chain ends in it; but it must be readable.
        let readable =
            link.as_ref().is_some_and(|link| !link.is_loose() || allow.contains(Weakness::LooseEncoding));
        if !may_issue(root).unwrap_or(true) {
            self.names.extend(issuer_der(root).map(<[u8]>::to_vec));
            return readable;
        }
        let anchor = webpki::anchor_from_trusted_cert(root).map(|anchor| anchor.to_owned());
        let is_authority = link.is_some_and(|link| link.certificate().may_issue().unwrap_or(false));
        if readable && is_authority {
            self.authorities.push(root.clone());
        }
        let usable = anchor.is_ok() || (readable && !allow.is_empty());
        if usable {
            self.names.extend(subject_der(root).map(<[u8]>::to_vec));
        }
        self.anchors.extend(anchor);
        usable
    }
}
