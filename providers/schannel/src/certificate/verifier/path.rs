//! The second judge: chains of old certificates, with every weakness of theirs known by name.
//!
//! From the leaf upwards every certificate that came along and every root is tried as the issuer of the last one, which
//! its name and its key must show. What is found weak on the way is collected; at the end the whole set must be
//! allowed. How far this goes is bounded, since it is the peer who says how many certificates there are:
//! [`MOST_CERTIFICATES`], [`MOST_ISSUERS`] and [`MOST_SIGNATURES`].
//!
//! Trusted are the roots' names and keys, with the bounds that they set themselves (pathLenConstraint, keyUsage, extended
//! key usage, name constraints). Their times are not looked at, as webpki does not.
//!
//! Spec: X509 section 6.1.

use std::collections::HashMap;

use rustls_pki_types::CertificateDer;

use super::key::Key;
use super::link::{KeyUsage, Link};
use super::revocation::Lists;
use super::weakness::{Weakness, Weaknesses};
use super::{Peer, Refusal, Shown, VerifyPolicy, name_constraints, server_name};
use crate::certificate::subject_der;
use crate::status::CertificateKind;

/// Certificates behind the leaf that are looked at; others are passed over.
const MOST_CERTIFICATES: usize = 16;
/// Issuers of one chain, the root included.
const MOST_ISSUERS: usize = 8;
/// Signatures of certificates that are checked for one leaf.
const MOST_SIGNATURES: usize = 24;
/// The same where nothing is allowed, so that only the words for a refusal are looked for: whoever makes us look has shown
/// nothing yet, and some signatures take milliseconds.
const SIGNATURES_FOR_WORDS: usize = 8;

/// Chains against roots and lists.
#[derive(Debug)]
pub(super) struct Tolerant {
    roots: Vec<CertificateDer<'static>>,
    /// Where in `roots` the roots of a name are.
    by_name: HashMap<Vec<u8>, Vec<usize>>,
    lists: Lists,
    allow: Weaknesses,
}

impl Tolerant {
    /// With these roots, which may issue.
    pub(super) fn new(roots: Vec<CertificateDer<'static>>, lists: Lists, policy: &VerifyPolicy) -> Self {
        let mut by_name: HashMap<Vec<u8>, Vec<usize>> = HashMap::new();
        for (index, root) in roots.iter().enumerate() {
            by_name.entry(subject_der(root).unwrap_or_default().to_vec()).or_default().push(index);
        }
        Self { roots, by_name, lists, allow: policy.allow }
    }

    /// Whether there is a chain whose weaknesses are all allowed; yields these.
    pub(super) fn check(&self, shown: &Shown<'_>) -> Result<Weaknesses, Refusal> {
        let leaf = Link::read(shown.leaf)?;
        check_leaf(&leaf, shown)?;
        let by_name = shown.name.map(|name| server_name::check(&leaf, name));
        let by_common_name = matches!(by_name, Some(Ok(Some(_)))).then_some(Weakness::CommonName);
        let mut found = vec![Found::new(&leaf, leaf.form().with(by_common_name.into()))];
        found.push(Found::new(&leaf, leaf.key_weakness()?.into()));
        // That it can be used at all.
        leaf.key()?;

        let others: Vec<Link<'_>> =
            shown.others.iter().take(MOST_CERTIFICATES).filter_map(|der| Link::read(der).ok()).collect();
        let mut search = Search {
            judge: self,
            shown,
            others: &others,
            signatures: if self.allow.is_empty() { SIGNATURES_FOR_WORDS } else { MOST_SIGNATURES },
            comparisons: name_constraints::MOST_COMPARISONS,
            best: (Rank::NoIssuer, Refusal::plain(CertificateKind::UnknownIssuer)),
        };
        let accepted = search.extend(&mut vec![&leaf], &found);
        let weaknesses = accepted.ok_or(search.best.1)?;
        by_name.transpose()?;
        Ok(weaknesses)
    }
}

/// What can be told of a leaf without its chain.
fn check_leaf(leaf: &Link<'_>, shown: &Shown<'_>) -> Result<(), Refusal> {
    leaf.check_critical()?;
    leaf.check_times(shown.now)?;
    leaf.check_purpose(shown.peer.purpose())?;
    // A server may sign, decrypt or agree on a key, as the suite wants it; a client signs.
    leaf.check_usage(match shown.peer {
        Peer::Server => &[KeyUsage::DigitalSignature, KeyUsage::KeyEncipherment, KeyUsage::KeyAgreement],
        Peer::Client => &[KeyUsage::DigitalSignature, KeyUsage::KeyAgreement],
    })?;
    if leaf.says_authority() {
        let what = format!("{} is an authority's, and no root", leaf.subject());
        return Err(Refusal::new(CertificateKind::Other, what));
    }
    Ok(())
}

/// Weaknesses, and the subject of the certificate that has them.
#[derive(Clone)]
struct Found {
    whose: String,
    weaknesses: Weaknesses,
}

impl Found {
    fn new(link: &Link<'_>, weaknesses: Weaknesses) -> Self {
        let whose = if weaknesses.is_empty() { String::new() } else { link.subject() };
        Self { whose, weaknesses }
    }
}

/// How much a refusal tells: of several ways that lead nowhere, the one that got furthest is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    NoIssuer,
    /// The issuer's name is right and its key, or what it says, is not.
    BadIssuer,
    /// A signature holds, and something else does not.
    BadLink,
    /// A chain to a root, which breaks a rule.
    BadChain,
    /// A chain that is only weaker than is allowed.
    Weak,
    Revoked,
}

/// A search for a chain.
struct Search<'s, 'c> {
    judge: &'s Tolerant,
    shown: &'s Shown<'s>,
    others: &'s [Link<'c>],
    /// Signatures that may still be checked.
    signatures: usize,
    /// Comparisons of names with constraints that may still be made.
    comparisons: usize,
    best: (Rank, Refusal),
}

impl<'c> Search<'_, 'c> {
    /// Goes on from a chain that has begun; yields what is weak about one that is accepted.
    fn extend<'p>(&mut self, chain: &mut Vec<&'p Link<'c>>, found: &[Found]) -> Option<Weaknesses>
    where
        'c: 'p,
        Self: 'p,
    {
        let last = *chain.last()?;
        let issuer = last.certificate().issuer;
        let judge = self.judge;
        for root in
            judge.by_name.get(issuer).into_iter().flatten().filter_map(|index| judge.roots.get(*index))
        {
            let verdict = Link::read(root)
                .map_err(|error| (Rank::BadIssuer, error.into()))
                .and_then(|root| self.end(chain, &root, found));
            match verdict {
                Ok(weaknesses) => return Some(weaknesses),
                Err((rank, refusal)) => self.refuse(rank, refusal),
            }
        }
        if chain.len() >= MOST_ISSUERS {
            return None;
        }
        let others = self.others;
        for other in others.iter().filter(|other| other.certificate().subject == issuer) {
            // A key of one name occurs once in a chain, however often it was certified: two authorities that certify each
            // other lead nowhere.
            let is_again = |link: &&Link<'_>| {
                link.certificate().public_key == other.certificate().public_key
                    && link.certificate().subject == other.certificate().subject
            };
            if chain.iter().any(is_again) {
                continue;
            }
            match self.join(chain, other, false) {
                Ok(weaknesses) => {
                    let mut found = found.to_vec();
                    found.extend(weaknesses);
                    chain.push(other);
                    let accepted = self.extend(chain, &found);
                    chain.pop();
                    if accepted.is_some() {
                        return accepted;
                    }
                }
                Err((rank, refusal)) => self.refuse(rank, refusal),
            }
        }
        None
    }

    fn refuse(&mut self, rank: Rank, refusal: Refusal) {
        if rank > self.best.0 {
            self.best = (rank, refusal);
        }
    }

    /// That `issuer`, whose name is right, has issued the last certificate of the chain; yields what is weak about it.
    fn join(
        &mut self,
        chain: &[&Link<'_>],
        issuer: &Link<'_>,
        is_root: bool,
    ) -> Result<[Found; 3], (Rank, Refusal)> {
        let bad_issuer = |refusal| (Rank::BadIssuer, refusal);
        let bad_link = |refusal| (Rank::BadLink, refusal);
        let Some(last) = chain.last() else {
            return Err((Rank::NoIssuer, Refusal::plain(CertificateKind::Other)));
        };
        // First what costs nothing.
        issuer.check_issuer(is_root, chain.len() - 1).map_err(bad_issuer)?;
        let key = issuer.key().map_err(bad_issuer)?;
        self.signatures = self.signatures.checked_sub(1).ok_or_else(|| {
            let what = "there are too many ways to build its chain".to_owned();
            (Rank::BadChain, Refusal::new(CertificateKind::Other, what))
        })?;
        let by_signature = check_signature(last, &key).map_err(bad_issuer)?;
        if !is_root {
            issuer.check_critical().map_err(bad_link)?;
            issuer.check_times(self.shown.now).map_err(bad_link)?;
        }
        issuer.check_purpose(self.shown.peer.purpose()).map_err(bad_link)?;
        Ok([
            Found::new(last, by_signature.into()),
            Found::new(issuer, issuer.key_weakness().map_err(bad_issuer)?.into()),
            Found::new(issuer, issuer.encoding()),
        ])
    }

    /// What is left to ask where a chain ends in a root.
    fn end(
        &mut self,
        chain: &[&Link<'_>],
        root: &Link<'_>,
        found: &[Found],
    ) -> Result<Weaknesses, (Rank, Refusal)> {
        let bad_chain = |refusal| (Rank::BadChain, refusal);
        let mut found = found.to_vec();
        found.extend(self.join(chain, root, true)?);
        for (position, below) in chain.iter().enumerate() {
            for above in chain.iter().skip(position + 1).copied().chain([root]) {
                name_constraints::check(above, below, self.shown.peer, &mut self.comparisons)
                    .map_err(bad_chain)?;
            }
        }
        let of_lists = self.judge.lists.check(chain, root, self.shown, self.judge.allow);
        let of_lists = of_lists.map_err(|refusal| match refusal.kind {
            CertificateKind::Revoked => (Rank::Revoked, refusal),
            _ => (Rank::BadChain, refusal),
        })?;
        found.push(Found { whose: "a revocation list".to_owned(), weaknesses: of_lists });
        let all = found.iter().fold(Weaknesses::NONE, |all, found| all.with(found.weaknesses));
        let refused = all.without(self.judge.allow);
        if refused.is_empty() {
            return Ok(all);
        }
        // Each weakness once, where it was first met.
        let first = refused.iter().filter_map(|weakness| {
            let found = found.iter().find(|found| found.weaknesses.contains(weakness))?;
            Some((weakness, found.whose.as_str()))
        });
        Err((Rank::Weak, Refusal::weak(&first.collect::<Vec<_>>())))
    }
}

/// That a certificate is signed with this key; yields what is weak about the signature.
fn check_signature(link: &Link<'_>, key: &Key) -> Result<Option<Weakness>, Refusal> {
    let certificate = link.certificate();
    // What is said outside is not signed.
    if certificate.signed.algorithm != certificate.signed_algorithm {
        let what = format!("{} names two algorithms for its signature", link.subject());
        return Err(Refusal::new(CertificateKind::BadEncoding, what));
    }
    let of_whom =
        |refusal: Refusal| Refusal { detail: format!("{} of {}", refusal.detail, link.subject()), ..refusal };
    key.verify(&certificate.signed).map_err(of_whom)
}
