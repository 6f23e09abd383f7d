//! Whether a peer's certificate is accepted: one judge for every backend.
//!
//! # Trust
//!
//! - **Pins**: with pins, the leaf's SHA-256 must be among them, and nothing else of the certificate is looked at.
//! - **A leaf that is itself a root** (byte for byte; `roots = ["selfsigned.pem"]`) is trusted as it is: for its own
//!   names, within its times, and for this purpose where it names any. Revocation is not asked, as it is not for any root.
//! - **Roots**: every other chain is judged by rustls-webpki ([`strong`]): its times, its usage, the name. Its word is
//!   final where it says yes, and where it says revoked.
//! - **Weaknesses**: what webpki refuses is judged a second time ([`path`]), by a verifier that reads what old
//!   certificates are and knows their weaknesses by name ([`Weakness`]). It accepts a chain if every weakness of it is
//!   in `allow`. Where `allow` is empty it accepts nothing, and only finds the words for what is refused: the default
//!   trusts what webpki trusts.
//! - **The leaf's own key** is among what a chain rests on: no chain to a root makes up for a key that can be broken.
//! - **A root that is no authority** (basicConstraints say so, or nothing does) is trusted as a leaf only. As an authority
//!   it could issue certificates for every name there is.
//!
//! In every case the peer must prove in its handshake that it has the key; that is the backend's to check.
//!
//! # Revocation
//!
//! Every certificate of the chain but the root is looked up in the newest list of its issuer. A list of that name that
//! its issuer did not sign is an error, in both modes. Lists are read again when their files change (`crl_files.rs`).
//!
//! | | off | soft | hard |
//! |---|---|---|---|
//! | a list says revoked | accepted | refused | refused |
//! | no list covers a certificate | accepted | accepted | refused, `RevocationUnknown` |
//! | the list is past its nextUpdate | accepted | still used | refused, `RevocationOutOfDate` |
//! | there are no lists at all | accepted | accepted | refused, `RevocationUnknown` |
//!
//! A server's stapled OCSP answer then counts for its leaf, unless the mode is off:
//!
//! - *revoked*: refused, whatever the lists say;
//! - *good*: in hard mode it stands in where no list, or one out of date, covers the leaf. Where there are lists, a current
//!   one must still cover each intermediate; where there are none, the answer for the leaf is enough. It outweighs no list
//!   that says revoked, be it out of date. Lists that are split by distribution point do not count for this;
//! - *unknown*, or not to be used (`ocsp.rs` says when): as if there were none. What hard mode refuses then is
//!   refused with `BadOcspResponse` where the answer was not to be used, so that the reason shows.
//!
//! Clients staple nothing here: in hard mode a server without lists refuses every client but those that are roots
//! themselves.

mod key;
mod link;
mod name_constraints;
mod path;
mod revocation;
mod roots;
mod server_name;
mod strong;
#[cfg(test)]
mod tests;
mod weakness;

use core::fmt;
use std::collections::HashSet;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, ServerName};
use sspi_core::Error;
use webpki::EndEntityCert;

pub(crate) use weakness::Weaknesses;
pub use weakness::{UnknownWeakness, Weakness};

use super::crl_files::{CrlFiles, Crls};
use super::fields::Certificate;
use super::summary::CertificateSummary;
use super::time::readable;
use super::{harmless, sha256};
use crate::config::Revocation;
use crate::status::{CertificateKind, CertificateProblem};
use link::Link;
use path::Tolerant;
use roots::Roots;
use strong::Strong;

/// Whom to trust.
#[derive(Clone)]
pub(crate) struct VerifyPolicy {
    /// Authorities, and leaves that are trusted as they are.
    pub(crate) roots: Vec<CertificateDer<'static>>,
    /// SHA-256 of leaves; if there are any, nothing else is trusted.
    pub(crate) pins: Vec<[u8; 32]>,
    /// The weaknesses that are accepted.
    pub(crate) allow: Weaknesses,
    pub(crate) revocation: Revocation,
    pub(crate) crls: Vec<CertificateRevocationListDer<'static>>,
    /// Where newer lists come from.
    pub(crate) crl_files: Option<Arc<CrlFiles>>,
}

/// Whose certificates are judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    /// Servers', by a client.
    Server,
    /// Clients', by a server.
    Client,
}

impl Peer {
    const fn whose(self) -> &'static str {
        match self {
            Self::Server => "the server's certificate",
            Self::Client => "the client's certificate",
        }
    }

    /// The setting that has the roots.
    const fn setting(self) -> &'static str {
        match self {
            Self::Server => "roots",
            Self::Client => "client-roots",
        }
    }

    /// id-kp-serverAuth, 1.3.6.1.5.5.7.3.1, or id-kp-clientAuth, 1.3.6.1.5.5.7.3.2.
    const fn purpose(self) -> &'static [u8] {
        match self {
            Self::Server => &[0x2b, 6, 1, 5, 5, 7, 3, 1],
            Self::Client => &[0x2b, 6, 1, 5, 5, 7, 3, 2],
        }
    }
}

/// Why a chain is not accepted; [`Verifier`] adds whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Refusal {
    kind: CertificateKind,
    detail: String,
    /// The weaknesses that would have to be allowed.
    weak: Vec<Weakness>,
}

impl Refusal {
    fn new(kind: CertificateKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), weak: Vec::new() }
    }

    const fn plain(kind: CertificateKind) -> Self {
        Self { kind, detail: String::new(), weak: Vec::new() }
    }

    /// What was found weak and is not allowed, each with whose it is, and the entries that would accept it.
    fn weak(found: &[(Weakness, &str)]) -> Self {
        let kind = found.first().map_or(CertificateKind::Other, |(weakness, _)| weakness.kind());
        let sentences = found.iter().map(|(weakness, whose)| format!("{whose} {}", weakness.sentence()));
        let sentences = sentences.collect::<Vec<_>>().join(", ");
        let entries = found.iter().map(|(weakness, _)| format!("{:?}", weakness.name()));
        let entries = entries.collect::<Vec<_>>().join(", ");
        let weak = found.iter().map(|(weakness, _)| *weakness).collect();
        Self { weak, ..Self::new(kind, format!("{sentences}; accepted only with allow = [{entries}]")) }
    }
}

/// Whether this authority has issued the certificate: it has the issuer's name, and its key has signed.
pub(crate) fn issued_by(certificate: &[u8], authority: &[u8]) -> bool {
    let (Ok(below), Ok(above)) = (Link::read(certificate), Link::read(authority)) else { return false };
    let (below, above) = (below.certificate(), above.key().map(|key| (above.certificate().subject, key)));
    let Ok((name, key)) = above else { return false };
    below.issuer == name
        && below.signed.algorithm == below.signed_algorithm
        && key.verify(&below.signed).is_ok()
}

/// Whether a root, as far as it says itself, may issue certificates for these peers.
pub(crate) fn may_issue_for(root: &[u8], peer: Peer) -> bool {
    Link::read(root).is_ok_and(|root| root.check_purpose(peer.purpose()).is_ok())
}

/// What is weak about a certificate, as a peer's own or, with `issues`, as one that issued others: its form, its key and,
/// where somebody else signed it, its signature. Whether its name is in the common name only is not looked at.
pub(crate) fn weaknesses_of(certificate: &[u8], issues: bool) -> Weaknesses {
    let Ok(link) = Link::read(certificate) else { return Weaknesses::NONE };
    let form = if issues { link.encoding() } else { link.form() };
    let key = link.key_weakness().ok().flatten();
    let fields = link.certificate();
    let signature =
        if fields.subject == fields.issuer { None } else { key::weakness_of_signature(&fields.signed) };
    form.with(key.into()).with(signature.into())
}

/// Bytes that cannot be read.
impl From<super::DecodeError> for Refusal {
    fn from(error: super::DecodeError) -> Self {
        Self::new(CertificateKind::BadEncoding, error.to_string())
    }
}

/// What a peer showed, and when.
#[derive(Clone, Copy)]
struct Shown<'a> {
    peer: Peer,
    leaf: &'a [u8],
    /// What came along behind the leaf, in any order.
    others: &'a [&'a [u8]],
    /// The name that the leaf must be for; `None` for a client's.
    name: Option<&'a str>,
    /// A stapled OCSP answer; empty without any.
    staple: &'a [u8],
    now: SystemTime,
}

/// Judges certificates by a policy; shared by any number of handshakes.
#[derive(Debug)]
pub(crate) struct Verifier {
    peer: Peer,
    judge: Judge,
}

#[derive(Debug)]
enum Judge {
    Pins(Vec<[u8; 32]>),
    Chains(Box<Chains>),
}

impl Verifier {
    /// # Errors
    /// There is no root that can be used, or a revocation list cannot be read; the error names the setting.
    pub(crate) fn new(policy: &VerifyPolicy, peer: Peer) -> Result<Self, Error> {
        let judge = if policy.pins.is_empty() {
            Judge::Chains(Box::new(Chains::new(policy, peer)?))
        } else {
            Judge::Pins(policy.pins.clone())
        };
        Ok(Self { peer, judge })
    }

    /// Whether a server may be this one: `chain` is what it showed, the leaf first, `name` the host name or address that
    /// was asked for, `staple` its OCSP answer or nothing. Yields the weaknesses that had to be allowed for it.
    ///
    /// # Errors
    /// The certificate is refused; the problem says why, and what would change that.
    pub(crate) fn verify_server(
        &self,
        chain: &[&[u8]],
        name: &str,
        staple: &[u8],
        now: SystemTime,
    ) -> Result<Weaknesses, CertificateProblem> {
        self.verify(chain, Some(name), staple, now)
    }

    /// Whether a client may log on with this chain, the leaf first. Yields the weaknesses that had to be allowed for it.
    ///
    /// # Errors
    /// The certificate is refused; the problem says why, and what would change that.
    pub(crate) fn verify_client(
        &self,
        chain: &[&[u8]],
        now: SystemTime,
    ) -> Result<Weaknesses, CertificateProblem> {
        self.verify(chain, None, &[], now)
    }

    /// The names of the authorities that a peer is told, each a Name in DER: who must have issued its certificate. None
    /// with pins: the names would keep a pinned peer, which another authority may have issued, from showing its
    /// certificate.
    pub(crate) fn authority_names(&self) -> &[Vec<u8>] {
        match &self.judge {
            Judge::Pins(_) => &[],
            Judge::Chains(chains) => &chains.names,
        }
    }

    fn verify(
        &self,
        chain: &[&[u8]],
        name: Option<&str>,
        staple: &[u8],
        now: SystemTime,
    ) -> Result<Weaknesses, CertificateProblem> {
        let (leaf, others) = match chain.split_first() {
            Some((leaf, others)) => (*leaf, others),
            None => (&[][..], &[][..]),
        };
        let shown = Shown { peer: self.peer, leaf, others, name, staple, now };
        let verdict = match &self.judge {
            Judge::Pins(pins) if pins.contains(&sha256(leaf)) => Ok(Weaknesses::NONE),
            Judge::Pins(_) => Err(Refusal::plain(CertificateKind::NotPinned)),
            Judge::Chains(chains) => chains.at(now).check(&shown),
        };
        let weaknesses = verdict.map_err(|Refusal { kind, detail, weak }| {
            let remedies = remedies(kind, &weak, leaf);
            let detail = [Some(detail).filter(|d| !d.is_empty()), who(leaf)];
            let detail = detail.into_iter().flatten().collect::<Vec<_>>().join("; ");
            CertificateProblem { kind, whose: self.peer.whose(), detail, remedies }
        })?;
        if !weaknesses.is_empty() {
            tracing::info!(
                ?weaknesses,
                leaf = who(leaf).unwrap_or_default(),
                "accepted {} with weaknesses that `allow` names",
                self.peer.whose()
            );
        }
        Ok(weaknesses)
    }
}

/// Whose certificate it is, who issued it, and the pin that would accept it.
fn who(leaf: &[u8]) -> Option<String> {
    let summary = CertificateSummary::from_der(leaf).ok()?;
    let pin = super::name::hex(&summary.sha256);
    let (subject, issuer) = (harmless(&summary.subject), harmless(&summary.issuer));
    Some(format!("subject {subject}, issuer {issuer}, SHA-256 {pin}"))
}

/// What would have a leaf accepted that was refused: its weaknesses allowed, or its pin. Neither is said of a certificate
/// that is revoked, or that cannot be read.
fn remedies(kind: CertificateKind, weak: &[Weakness], leaf: &[u8]) -> Vec<(&'static str, String)> {
    let mut remedies = Vec::new();
    if !weak.is_empty() {
        let names: Vec<&str> = weak.iter().map(|weakness| weakness.name()).collect();
        remedies.push(("allow", names.join(",")));
    }
    let is_no_matter_of_trust = matches!(
        kind,
        CertificateKind::Revoked
            | CertificateKind::BadEncoding
            | CertificateKind::BadOcspResponse
            | CertificateKind::RevocationUnknown
            | CertificateKind::RevocationOutOfDate
    );
    if !is_no_matter_of_trust {
        remedies.push(("pins", format!("sha256:{}", super::name::hex(&sha256(leaf)))));
    }
    remedies
}

/// How chains are judged, with the lists that there are now.
struct Chains {
    /// The names of those who issue.
    names: Vec<Vec<u8>>,
    current: RwLock<OfGeneration>,
    /// Where newer lists come from, and with what else they count.
    renewed: Option<(Arc<CrlFiles>, VerifyPolicy, Peer)>,
}

/// How chains are judged with the lists of one generation.
struct OfGeneration {
    generation: u64,
    chain: Arc<Chain>,
}

impl Chains {
    fn new(policy: &VerifyPolicy, peer: Peer) -> Result<Self, Error> {
        let (chain, names) = Chain::new(policy, peer)?;
        let files = policy.crl_files.as_ref().filter(|_| policy.revocation != Revocation::Off);
        let renewed = files.map(|files| (Arc::clone(files), policy.clone(), peer));
        let current = RwLock::new(OfGeneration { generation: 0, chain: Arc::new(chain) });
        Ok(Self { names, current, renewed })
    }

    fn at(&self, now: SystemTime) -> Arc<Chain> {
        let crls = self.renewed.as_ref().map(|(files, policy, peer)| (files.at(now), policy, *peer));
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        match crls {
            Some((crls, policy, peer)) if crls.generation != current.generation => {
                drop(current);
                self.renew(&crls, policy, peer)
            }
            _ => Arc::clone(&current.chain),
        }
    }

    /// Judges by these lists from now on, or by those that there were if these cannot be used.
    fn renew(&self, crls: &Crls, policy: &VerifyPolicy, peer: Peer) -> Arc<Chain> {
        let policy = VerifyPolicy { crls: crls.lists.to_vec(), ..policy.clone() };
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        // Somebody else may have been here in between, with newer ones perhaps.
        if current.generation < crls.generation {
            current.generation = crls.generation;
            match Chain::new(&policy, peer) {
                Ok((chain, _)) => current.chain = Arc::new(chain),
                Err(error) => {
                    let error = harmless(&error.to_string());
                    tracing::error!(%error, "the revocation lists stay what they were");
                }
            }
        }
        Arc::clone(&current.chain)
    }
}

impl fmt::Debug for Chains {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chains").field("renewed", &self.renewed.is_some()).finish_non_exhaustive()
    }
}

/// Roots, lists, and what is allowed.
#[derive(Debug)]
struct Chain {
    /// SHA-256 of the roots, to find a leaf that is one.
    leaves: HashSet<[u8; 32]>,
    /// `None` where it cannot know everything that is configured: a list that only the second verifier can read.
    strong: Option<Strong>,
    tolerant: Tolerant,
    allow: Weaknesses,
}

impl Chain {
    /// And the names of those who issue.
    fn new(policy: &VerifyPolicy, peer: Peer) -> Result<(Self, Vec<Vec<u8>>), Error> {
        let roots = Roots::read(policy, peer.setting())?;
        let lists = revocation::read(policy)?;
        let strong = Strong::new(roots.anchors, &lists, policy.revocation);
        let tolerant = Tolerant::new(roots.authorities, lists, policy);
        Ok((Self { leaves: roots.leaves, strong, tolerant, allow: policy.allow }, roots.names))
    }

    fn check(&self, shown: &Shown<'_>) -> Result<Weaknesses, Refusal> {
        if self.leaves.contains(&sha256(shown.leaf)) {
            return self.check_trusted_leaf(shown);
        }
        let refusal = match self.strong.as_ref().map(|strong| strong.check(shown)) {
            Some(Ok(())) => return self.check_key(shown),
            Some(Err(refusal)) if refusal.kind == CertificateKind::Revoked => return Err(refusal),
            Some(Err(refusal)) => Some(refusal),
            None => None,
        };
        let second = self.tolerant.check(shown);
        match refusal {
            Some(refusal) if self.allow.is_empty() => Err(second.err().filter(is_weak).unwrap_or(refusal)),
            _ => second,
        }
    }

    /// What webpki does not look at: the leaf's own key, which only the handshake uses.
    fn check_key(&self, shown: &Shown<'_>) -> Result<Weaknesses, Refusal> {
        let leaf = Certificate::from_der(shown.leaf)?;
        self.permit(key::weakness_of_key(leaf.public_key)?.into())
    }

    /// A leaf that is a root: its times, that it may be used for this, its name and its key.
    fn check_trusted_leaf(&self, shown: &Shown<'_>) -> Result<Weaknesses, Refusal> {
        let leaf = Link::read(shown.leaf)?;
        leaf.check_times(shown.now)?;
        leaf.check_purpose(shown.peer.purpose())?;
        let weaknesses = leaf.form().with(leaf.key_weakness()?.into());
        let is_strong = || {
            let leaf = CertificateDer::from(shown.leaf);
            let Ok(leaf) = EndEntityCert::try_from(&leaf) else { return false };
            let is_for = |name| {
                ServerName::try_from(name).is_ok_and(|n| leaf.verify_is_valid_for_subject_name(&n).is_ok())
            };
            shown.name.is_none_or(is_for)
        };
        if weaknesses.is_empty() && is_strong() {
            return Ok(Weaknesses::NONE);
        }
        leaf.check_critical()?;
        let by_name = match shown.name {
            Some(name) => server_name::check(&leaf, name)?,
            None => None,
        };
        let weaknesses = self.permit(weaknesses.with(by_name.into()))?;
        if weaknesses.is_empty() {
            // webpki cannot read it, or not match its name, and nothing that is allowed explains it.
            return Err(Refusal::plain(CertificateKind::Other));
        }
        Ok(weaknesses)
    }

    /// The weaknesses of a leaf, if they are allowed.
    fn permit(&self, found: Weaknesses) -> Result<Weaknesses, Refusal> {
        if found.without(self.allow).is_empty() {
            return Ok(found);
        }
        let refused: Vec<_> = found.without(self.allow).iter().map(|weakness| (weakness, "it")).collect();
        Err(Refusal::weak(&refused))
    }
}

const fn is_weak(refusal: &Refusal) -> bool {
    matches!(
        refusal.kind,
        CertificateKind::WeakSignature | CertificateKind::WeakKey | CertificateKind::OldForm
    )
}

/// That a certificate is out of its time.
fn out_of_time(
    whose: &str,
    not_before: SystemTime,
    not_after: SystemTime,
    now: SystemTime,
) -> Result<(), Refusal> {
    if now < not_before {
        let from = readable(not_before);
        return Err(Refusal::new(CertificateKind::NotYetValid, format!("{whose} is valid from {from} on")));
    }
    if now > not_after {
        let until = readable(not_after);
        return Err(Refusal::new(CertificateKind::Expired, format!("{whose} was valid until {until}")));
    }
    Ok(())
}
