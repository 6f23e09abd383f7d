//! Certificate revocation lists, and what they and a stapled answer say of a chain, for the second verifier.
//!
//! Of one issuer's lists the newest complete one counts. A list that covers only a part (some distribution points or
//! reasons, or what changed since another list) counts for what it revokes and never for what it does not.
//!
//! Spec: X509 sections 5 and 6.3.

use std::cmp::Reverse;
use std::time::SystemTime;

use sspi_core::{Error, Fault, SecStatus};
use webpki::{CertRevocationList, OwnedCertRevocationList};

use super::key::{Key, weakness_of_key};
use super::link::{KeyUsage, Link};
use super::weakness::{Weakness, Weaknesses};
use super::{Refusal, Shown, VerifyPolicy};
use crate::certificate::der::{
    BOOLEAN, ENUMERATED, Encoding, GENERALIZED_TIME, INTEGER, Reader, SEQUENCE, UTC_TIME, constructed,
    primitive,
};
use crate::certificate::fields::{Extension, Signed};
use crate::certificate::ocsp::{self, Issuer, OcspStatus, Signatures};
use crate::certificate::time::{readable, time};
use crate::certificate::{DecodeError, crl_times};
use crate::config::Revocation;
use crate::status::CertificateKind;

/// The configured lists, the newest first; none where revocation is not looked at.
#[derive(Debug)]
pub(super) struct Lists {
    mode: Revocation,
    own: Vec<List>,
    /// As webpki reads them; `None` if it cannot read one of them.
    webpki: Option<Vec<(OwnedCertRevocationList, SystemTime)>>,
}

/// Reads the lists of a policy.
///
/// # Errors
/// A list cannot be read. Without allowed weaknesses that is webpki's to say.
pub(super) fn read(policy: &VerifyPolicy) -> Result<Lists, Error> {
    let mut lists = Lists { mode: policy.revocation, own: Vec::new(), webpki: Some(Vec::new()) };
    if policy.revocation == Revocation::Off {
        return Ok(lists);
    }
    for der in &policy.crls {
        lists.own.push(List::read(der).map_err(unusable)?);
        let strong =
            OwnedCertRevocationList::from_der(der).map_err(|error| unusable(format_args!("{error:?}")));
        match strong.and_then(|list| Ok((list, crl_times(der).map_err(unusable)?.1))) {
            Ok(list) => lists.webpki.iter_mut().for_each(|all| all.push(list.clone())),
            Err(error) if policy.allow.is_empty() => return Err(error),
            Err(_) => lists.webpki = None,
        }
    }
    let mut order: Vec<usize> = (0..lists.own.len()).collect();
    order.sort_by_key(|index| lists.own.get(*index).map(|list| Reverse(list.this_update)));
    if let Some(all) = &mut lists.webpki {
        *all = order.iter().filter_map(|index| all.get(*index).cloned()).collect();
    }
    lists.own.sort_by_key(|list| Reverse(list.this_update));
    Ok(lists)
}

fn unusable(why: impl core::fmt::Display) -> Error {
    let what = format!("a certificate revocation list cannot be used: {why}");
    Error::new(SecStatus::SEC_E_UNKNOWN_CREDENTIALS, Fault::Configuration, what).with_setting("crls")
}

/// How far a list or an answer covers a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coverage {
    Current,
    OutOfDate(SystemTime),
    None,
}

impl Lists {
    /// The lists for webpki; `None` if it cannot read one of them.
    pub(super) fn of_webpki(&self) -> Option<Vec<(CertRevocationList<'static>, SystemTime)>> {
        let all = self.webpki.as_ref()?;
        Some(all.iter().map(|(list, until)| (list.clone().into(), *until)).collect())
    }

    /// That nothing of a chain is revoked, as far as the mode asks: `chain` begins with the leaf and ends below `root`.
    /// Yields what is weak about the signatures of the lists. `allow` is for the stapled answer, which counts as none
    /// if it is too weak.
    ///
    /// # Errors
    /// Something is revoked, or in hard mode may be; or a list has a wrong signature.
    pub(super) fn check(
        &self,
        chain: &[&Link<'_>],
        root: &Link<'_>,
        shown: &Shown<'_>,
        allow: Weaknesses,
    ) -> Result<Weaknesses, Refusal> {
        if self.mode == Revocation::Off {
            return Ok(Weaknesses::NONE);
        }
        let mut weaknesses = Weaknesses::NONE;
        let (mut of_leaf, mut of_others) = (None, None);
        let issuers = chain.iter().copied().skip(1).chain([root]);
        for (position, (link, issuer)) in chain.iter().zip(issuers).enumerate() {
            let (coverage, weak) = self.look_up(link, issuer, shown.now)?;
            weaknesses = weaknesses.with(weak);
            let open = match coverage {
                Coverage::Current => None,
                Coverage::OutOfDate(until) => {
                    let what = format!("the list held until {}", readable(until));
                    Some(Refusal::new(CertificateKind::RevocationOutOfDate, what))
                }
                Coverage::None => {
                    let what = format!("no list covers {}", link.subject());
                    Some(Refusal::new(CertificateKind::RevocationUnknown, what))
                }
            };
            let slot = if position == 0 { &mut of_leaf } else { &mut of_others };
            *slot = slot.take().or(open);
        }
        if !shown.staple.is_empty()
            && let Some(leaf) = chain.first()
        {
            let issuer = chain.get(1).copied().unwrap_or(root);
            match stapled(leaf, issuer, shown, allow) {
                Ok(OcspStatus::Revoked) => return Err(Refusal::plain(CertificateKind::Revoked)),
                Ok(OcspStatus::Good) if self.own.is_empty() => (of_leaf, of_others) = (None, None),
                Ok(OcspStatus::Good) => of_leaf = None,
                Ok(OcspStatus::Unknown) => {}
                Err(error) => {
                    let bad = |_| Refusal::new(CertificateKind::BadOcspResponse, error.to_string());
                    (of_leaf, of_others) = (of_leaf.map(bad), of_others.map(bad));
                }
            }
        }
        match (self.mode, of_leaf.or(of_others)) {
            (Revocation::Hard, Some(open)) => Err(open),
            _ => Ok(weaknesses),
        }
    }

    /// What the lists say of a certificate that is not revoked, and what is weak about their signatures.
    fn look_up(
        &self,
        link: &Link<'_>,
        issuer: &Link<'_>,
        now: SystemTime,
    ) -> Result<(Coverage, Weaknesses), Refusal> {
        let (mut coverage, mut weaknesses) = (Coverage::None, Weaknesses::NONE);
        let certificate = link.certificate();
        for list in self.own.iter().filter(|list| list.issuer == certificate.issuer) {
            let is_for_it = list.scope.covers(link.says_authority());
            if !is_for_it || (list.scope.is_complete && coverage != Coverage::None) {
                continue;
            }
            weaknesses = weaknesses.with(list.check_signature(issuer)?);
            if list.revokes(certificate.serial)? {
                return Err(Refusal::new(
                    CertificateKind::Revoked,
                    format!("a list revokes {}", link.subject()),
                ));
            }
            if list.scope.is_complete {
                coverage = match list.next_update {
                    Some(until) if now < until => Coverage::Current,
                    Some(until) => Coverage::OutOfDate(until),
                    // It does not say how long it holds.
                    None => Coverage::OutOfDate(list.this_update),
                };
            }
        }
        Ok((coverage, weaknesses))
    }
}

/// What the stapled answer says of the leaf.
fn stapled(
    leaf: &Link<'_>,
    issuer: &Link<'_>,
    shown: &Shown<'_>,
    allow: Weaknesses,
) -> Result<OcspStatus, ocsp::OcspError> {
    let by = Issuer { name: leaf.certificate().issuer, public_key: issuer.certificate().public_key };
    ocsp::status_of(shown.staple, leaf.certificate().serial, &by, shown.now, &Tolerated(allow))
}

/// Judges the signatures of answers as those of certificates, with these weaknesses.
struct Tolerated(Weaknesses);

impl Signatures for Tolerated {
    fn is_signed_by(&self, signed: &Signed<'_>, public_key: &[u8]) -> bool {
        let Ok(key) = Key::from_spki(public_key) else { return false };
        let Ok(weakness) = key.verify(signed) else { return false };
        let Ok(of_key) = weakness_of_key(public_key) else { return false };
        let weaknesses = Weaknesses::from(weakness).with(of_key.into());
        weaknesses.without(self.0).is_empty()
    }

    fn is_authorised(&self, responder: &[u8], issuer: &Issuer<'_>, now: SystemTime) -> bool {
        let Ok(link) = Link::read(responder) else { return false };
        let certificate = link.certificate();
        certificate.issuer == issuer.name
            && certificate.signed.algorithm == certificate.signed_algorithm
            && link.form().without(self.0).is_empty()
            && !link.says_authority()
            && link.names_purpose(ocsp::OCSP_SIGNING)
            && link.may(&[KeyUsage::DigitalSignature])
            && link.check_critical().is_ok()
            && link.check_times(now).is_ok()
            && self.is_signed_by(&certificate.signed, issuer.public_key)
    }
}

/// What a list is about.
#[derive(Clone, Copy, Debug)]
struct Scope {
    /// Whether what it does not name is not revoked.
    is_complete: bool,
    leaves: bool,
    authorities: bool,
}

impl Scope {
    const fn covers(self, is_authority: bool) -> bool {
        if is_authority { self.authorities } else { self.leaves }
    }
}

/// A list, with its entries in order.
#[derive(Debug)]
struct List {
    encoding: Encoding,
    /// tbsCertList, whole.
    tbs: Vec<u8>,
    /// A Name, whole.
    issuer: Vec<u8>,
    algorithm: Vec<u8>,
    signature: Vec<u8>,
    this_update: SystemTime,
    next_update: Option<SystemTime>,
    scope: Scope,
    /// Where in `tbs` the entries begin, in the order of their numbers.
    entries: Vec<u32>,
}

impl List {
    fn read(der: &[u8]) -> Result<Self, DecodeError> {
        Self::of(der, Encoding::Der).or_else(|error| Self::of(der, Encoding::Loose).map_err(|_| error))
    }

    /// ```text
    /// CertificateList  tbsCertList, signatureAlgorithm, signatureValue
    /// tbsCertList      version, signature, issuer, thisUpdate, nextUpdate, revokedCertificates, [0] crlExtensions
    /// ```
    fn of(der: &[u8], encoding: Encoding) -> Result<Self, DecodeError> {
        let mut list = Reader::inside_of(der, SEQUENCE, "CertificateList", encoding)?;
        let signed = list.expect(SEQUENCE, "CertificateList.tbsCertList")?;
        let algorithm = list.expect(SEQUENCE, "CertificateList.signatureAlgorithm")?.content;
        let signature = list.bit_string("CertificateList.signatureValue")?;
        list.finish("CertificateList")?;

        let mut tbs = list.within(signed.content);
        if tbs.optional(INTEGER, "TBSCertList.version")?.is_some_and(|version| version != [1]) {
            return Err(DecodeError::value("TBSCertList.version"));
        }
        if tbs.expect(SEQUENCE, "TBSCertList.signature")?.content != algorithm {
            return Err(DecodeError::value("TBSCertList.signature"));
        }
        let issuer = tbs.expect(SEQUENCE, "TBSCertList.issuer")?.whole;
        let this_update = time(&mut tbs, "TBSCertList.thisUpdate")?;
        let next_update = match tbs.peek() {
            Some(UTC_TIME | GENERALIZED_TIME) => Some(time(&mut tbs, "TBSCertList.nextUpdate")?),
            _ => None,
        };
        let mut scope = Scope { is_complete: true, leaves: true, authorities: true };
        let mut entries = Vec::new();
        if let Some(revoked) = tbs.optional(SEQUENCE, "TBSCertList.revokedCertificates")? {
            let mut revoked = tbs.within(revoked);
            // Where they end is where the rest begins.
            let end = signed.whole.len() - tbs.remaining();
            while !revoked.is_empty() {
                let at = end - revoked.remaining();
                let entry = Entry::read(&mut revoked)?;
                scope.is_complete &= entry.is_plain;
                if entry.is_revoked {
                    entries.push(u32::try_from(at).map_err(|_| DecodeError::value("TBSCertList"))?);
                }
            }
        }
        if let Some(tagged) = tbs.optional(constructed(0), "TBSCertList.crlExtensions")? {
            scope.read(tbs.within(tagged))?;
        }
        tbs.finish("TBSCertList")?;
        let mut list = Self {
            encoding,
            tbs: signed.whole.to_vec(),
            issuer: issuer.to_vec(),
            algorithm: algorithm.to_vec(),
            signature: signature.to_vec(),
            this_update,
            next_update,
            scope,
            entries,
        };
        let mut entries = core::mem::take(&mut list.entries);
        entries.sort_by(|a, b| list.number(*a).cmp(&list.number(*b)));
        list.entries = entries;
        Ok(list)
    }

    /// The number of the entry there.
    fn number(&self, at: u32) -> Option<&[u8]> {
        let rest = self.tbs.get(usize::try_from(at).ok()?..)?;
        let mut entry = Reader::of(rest, self.encoding).nested(SEQUENCE, "revokedCertificates").ok()?;
        Some(shortest(entry.expect(INTEGER, "userCertificate").ok()?.content))
    }

    fn revokes(&self, serial: &[u8]) -> Result<bool, Refusal> {
        let serial = Some(shortest(serial));
        Ok(self.entries.binary_search_by(|at| self.number(*at).cmp(&serial)).is_ok())
    }

    /// Whether the issuer signed it, and what is weak about that.
    fn check_signature(&self, issuer: &Link<'_>) -> Result<Weaknesses, Refusal> {
        let refuse = |what: &str| {
            let what = format!("a revocation list of {} {what}", issuer.subject());
            Refusal::new(CertificateKind::RevocationUnknown, what)
        };
        if !issuer.may(&[KeyUsage::CrlSign]) {
            return Err(refuse("is signed with a key that may not sign lists, as its keyUsage says"));
        }
        let signed = Signed { message: &self.tbs, algorithm: &self.algorithm, signature: &self.signature };
        let weakness = issuer.key()?.verify(&signed).map_err(|error| match error.kind {
            CertificateKind::BadSignature => refuse("has a signature that is not right"),
            _ => refuse(&format!("cannot be checked: {}", error.detail)),
        })?;
        let loose = (self.encoding == Encoding::Loose).then_some(Weakness::LooseEncoding);
        Ok(Weaknesses::from(weakness).with(loose.into()))
    }
}

/// An integer's content without bytes that only repeat its sign.
fn shortest(mut integer: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = integer
        && let Some(next) = rest.first()
        && matches!((first, next), (0, ..0x80) | (0xff, 0x80..))
    {
        integer = rest;
    }
    integer
}

/// An entry of a list.
///
/// ```text
/// userCertificate, revocationDate, crlEntryExtensions
/// ```
struct Entry {
    /// Whether it says nothing that only other readers understand.
    is_plain: bool,
    /// Not where a list of changes takes another list's entry back.
    is_revoked: bool,
}

impl Entry {
    fn read(list: &mut Reader<'_>) -> Result<Self, DecodeError> {
        /// cRLReasons, 2.5.29.21.
        const REASON: &[u8] = &[0x55, 0x1d, 21];
        const REMOVE_FROM_CRL: [u8; 3] = [ENUMERATED, 1, 8];
        let mut entry = list.nested(SEQUENCE, "revokedCertificates")?;
        entry.expect(INTEGER, "userCertificate")?;
        time(&mut entry, "revocationDate")?;
        let mut read = Self { is_plain: true, is_revoked: true };
        if let Some(mut extensions) =
            entry.optional(SEQUENCE, "crlEntryExtensions")?.map(|extensions| entry.within(extensions))
        {
            while !extensions.is_empty() {
                let extension = Extension::read(&mut extensions)?;
                read.is_plain &= !extension.critical || extension.kind == REASON;
                read.is_revoked &= extension.kind != REASON || extension.value != REMOVE_FROM_CRL;
            }
        }
        entry.finish("revokedCertificates")?;
        Ok(read)
    }
}

impl Scope {
    /// What the extensions of a list make of it.
    fn read(&mut self, mut tagged: Reader<'_>) -> Result<(), DecodeError> {
        /// issuingDistributionPoint, 2.5.29.28.
        const ISSUING_DISTRIBUTION_POINT: &[u8] = &[0x55, 0x1d, 28];
        let mut list = tagged.nested(SEQUENCE, "crlExtensions")?;
        tagged.finish("crlExtensions")?;
        while !list.is_empty() {
            let extension = Extension::read(&mut list)?;
            if extension.kind == ISSUING_DISTRIBUTION_POINT {
                self.read_distribution_point(Reader::inside(
                    extension.value,
                    SEQUENCE,
                    "IssuingDistributionPoint",
                )?)?;
            } else if extension.critical {
                // A list of changes, or something else that must be understood.
                self.is_complete = false;
            }
        }
        Ok(())
    }

    /// ```text
    /// [0] distributionPoint, [1] onlyContainsUserCerts, [2] onlyContainsCACerts, [3] onlySomeReasons,
    /// [4] indirectCRL, [5] onlyContainsAttributeCerts
    /// ```
    ///
    /// Spec: X509 section 5.2.5.
    fn read_distribution_point(&mut self, mut point: Reader<'_>) -> Result<(), DecodeError> {
        const FIELD: &str = "IssuingDistributionPoint";
        const ONLY_USERS: u8 = primitive(1);
        const ONLY_AUTHORITIES: u8 = primitive(2);
        const INDIRECT: u8 = primitive(4);
        const ONLY_ATTRIBUTES: u8 = primitive(5);
        while !point.is_empty() {
            let field = point.element(FIELD)?;
            let is_true = field.content.iter().any(|byte| *byte != 0);
            match field.tag {
                ONLY_USERS => self.authorities &= !is_true,
                ONLY_AUTHORITIES => self.leaves &= !is_true,
                // Its entries are about the certificates of others, or about no certificates of ours.
                INDIRECT | ONLY_ATTRIBUTES if is_true => (self.leaves, self.authorities) = (false, false),
                INDIRECT | ONLY_ATTRIBUTES | BOOLEAN => {}
                _ => self.is_complete = false,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_compared_in_their_shortest_form() {
        assert_eq!(shortest(&[0, 0, 0x7f]), [0x7f]);
        assert_eq!(shortest(&[0, 0x80]), [0, 0x80]);
        assert_eq!(shortest(&[0xff, 0xff, 0x80]), [0x80]);
        assert_eq!(shortest(&[0xff, 0x7f]), [0xff, 0x7f]);
        assert_eq!(shortest(&[0]), [0]);
        assert_eq!(shortest(&[]), [0_u8; 0]);
    }
}
