//! A certificate as a link of a chain: its extensions read once, and what it may do.
//!
//! Spec: X509 sections 4.2.1 and 6.1.

use std::time::SystemTime;

use super::key::{Key, weakness_of_key};
use super::weakness::{Weakness, Weaknesses};
use super::{Refusal, out_of_time};
use crate::certificate::der::{
    BIT_STRING, BOOLEAN, Encoding, INTEGER, OBJECT_IDENTIFIER, Reader, SEQUENCE, dotted,
};
use crate::certificate::fields::{
    ANY_EXTENDED_KEY_USAGE, BASIC_CONSTRAINTS, Certificate, EXT_KEY_USAGE, Extension, KEY_USAGE,
    SUBJECT_ALT_NAME,
};
use crate::certificate::name::rfc4514;
use crate::certificate::{DecodeError, harmless};
use crate::status::CertificateKind;

/// nameConstraints, 2.5.29.30.
const NAME_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 30];
/// cRLDistributionPoints, 2.5.29.31: where lists are. It changes nothing for those that are at hand.
const CRL_DISTRIBUTION_POINTS: &[u8] = &[0x55, 0x1d, 31];

/// Bits of keyUsage, from the first on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyUsage {
    DigitalSignature = 0,
    KeyEncipherment = 2,
    KeyAgreement = 4,
    KeyCertSign = 5,
    CrlSign = 6,
}

/// cA and pathLenConstraint.
#[derive(Clone, Copy, Debug)]
struct BasicConstraints {
    is_ca: bool,
    /// How many authorities may stand between this one and the leaf.
    path_length: Option<usize>,
}

/// A certificate with its extensions.
#[derive(Debug)]
pub(super) struct Link<'a> {
    certificate: Certificate<'a>,
    basic_constraints: Option<BasicConstraints>,
    /// The first 8 bits of keyUsage, the first of them as the highest.
    key_usage: Option<u8>,
    /// The list in extKeyUsage.
    purposes: Option<Reader<'a>>,
    /// The list in subjectAltName.
    alternative_names: Option<Reader<'a>>,
    /// The inside of nameConstraints.
    name_constraints: Option<Reader<'a>>,
    /// A critical extension that nobody here honours.
    unhandled: Option<&'a [u8]>,
}

impl<'a> Link<'a> {
    /// Reads a certificate, in DER or as loosely as old ones need it.
    pub(super) fn read(der: &'a [u8]) -> Result<Self, DecodeError> {
        let strict = Certificate::from_der(der).and_then(Self::of);
        strict.or_else(|error| Certificate::from_loose(der).and_then(Self::of).map_err(|_| error))
    }

    fn of(certificate: Certificate<'a>) -> Result<Self, DecodeError> {
        let mut link = Self {
            certificate,
            basic_constraints: None,
            key_usage: None,
            purposes: None,
            alternative_names: None,
            name_constraints: None,
            unhandled: None,
        };
        let mut list = certificate.extensions();
        if !list.is_empty() && certificate.version != 3 {
            // They would be obeyed by some and ignored by others.
            return Err(DecodeError::value("TBSCertificate.extensions"));
        }
        while !list.is_empty() {
            link.add(&Extension::read(&mut list)?)?;
        }
        Ok(link)
    }

    fn add(&mut self, extension: &Extension<'a>) -> Result<(), DecodeError> {
        let inside = |tag, field| Reader::inside_of(extension.value, tag, field, self.certificate.encoding);
        match extension.kind {
            BASIC_CONSTRAINTS => {
                let constraints = basic_constraints(inside(SEQUENCE, "BasicConstraints")?)?;
                once(&mut self.basic_constraints, constraints, "BasicConstraints")
            }
            KEY_USAGE => {
                let mut value = Reader::of(extension.value, self.certificate.encoding);
                let bits = match value.expect(BIT_STRING, "KeyUsage")?.content {
                    [0..=7, first, ..] => *first,
                    [0] => 0,
                    _ => return Err(DecodeError::value("KeyUsage")),
                };
                value.finish("KeyUsage")?;
                once(&mut self.key_usage, bits, "KeyUsage")
            }
            EXT_KEY_USAGE => {
                once(&mut self.purposes, inside(SEQUENCE, "ExtKeyUsageSyntax")?, "ExtKeyUsageSyntax")
            }
            SUBJECT_ALT_NAME => {
                once(&mut self.alternative_names, inside(SEQUENCE, "GeneralNames")?, "GeneralNames")
            }
            NAME_CONSTRAINTS => {
                once(&mut self.name_constraints, inside(SEQUENCE, "NameConstraints")?, "NameConstraints")
            }
            CRL_DISTRIBUTION_POINTS => Ok(()),
            unhandled => {
                if extension.critical && self.unhandled.is_none() {
                    self.unhandled = Some(unhandled);
                }
                Ok(())
            }
        }
    }

    pub(super) const fn certificate(&self) -> &Certificate<'a> {
        &self.certificate
    }

    pub(super) const fn alternative_names(&self) -> Option<Reader<'a>> {
        self.alternative_names
    }

    pub(super) const fn name_constraints(&self) -> Option<Reader<'a>> {
        self.name_constraints
    }

    /// The subject, for a sentence.
    pub(super) fn subject(&self) -> String {
        named(self.certificate.subject)
    }

    /// Its public key.
    ///
    /// # Errors
    /// It is of a kind or size that is not supported, or cannot be read.
    pub(super) fn key(&self) -> Result<Key, Refusal> {
        Key::from_spki(self.certificate.public_key).map_err(|why| {
            Refusal::new(CertificateKind::Unsupported, format!("the key of {}: {why}", self.subject()))
        })
    }

    /// What is weak about its public key.
    ///
    /// # Errors
    /// It is too short for any name, or cannot be read.
    pub(super) fn key_weakness(&self) -> Result<Option<Weakness>, Refusal> {
        weakness_of_key(self.certificate.public_key)
    }

    pub(super) fn is_loose(&self) -> bool {
        self.certificate.encoding == Encoding::Loose
    }

    /// What is weak about the form of a leaf: what it is, not what it is signed with.
    pub(super) fn form(&self) -> Weaknesses {
        let old = (self.certificate.version < 3).then_some(Weakness::X509V1);
        Weaknesses::from(old).with(self.encoding())
    }

    /// What is weak about the encoding.
    pub(super) fn encoding(&self) -> Weaknesses {
        self.is_loose().then_some(Weakness::LooseEncoding).into()
    }

    pub(super) fn check_times(&self, now: SystemTime) -> Result<(), Refusal> {
        out_of_time(&self.subject(), self.certificate.not_before, self.certificate.not_after, now)
    }

    /// Whether it names this purpose.
    pub(super) fn names_purpose(&self, purpose: &[u8]) -> bool {
        let Some(mut purposes) = self.purposes else { return false };
        while let Ok(named) = purposes.expect(OBJECT_IDENTIFIER, "KeyPurposeId") {
            if named.content == purpose {
                return true;
            }
        }
        false
    }

    /// That it may be used for this purpose: it names the purpose, or any, or none at all.
    pub(super) fn check_purpose(&self, purpose: &[u8]) -> Result<(), Refusal> {
        if self.purposes.is_none()
            || self.names_purpose(purpose)
            || self.names_purpose(ANY_EXTENDED_KEY_USAGE)
        {
            return Ok(());
        }
        let what = format!("extendedKeyUsage of {} does not name it", self.subject());
        Err(Refusal::new(CertificateKind::WrongUsage, what))
    }

    pub(super) fn check_critical(&self) -> Result<(), Refusal> {
        let Some(oid) = self.unhandled else { return Ok(()) };
        let oid = dotted(oid).unwrap_or_default();
        let what = format!("{} has the critical extension {oid}, which is not known here", self.subject());
        Err(Refusal::new(CertificateKind::Other, what))
    }

    /// Whether keyUsage has one of these, or is not there.
    pub(super) fn may(&self, usages: &[KeyUsage]) -> bool {
        self.key_usage.is_none_or(|bits| usages.iter().any(|usage| bits & (0x80 >> *usage as u8) != 0))
    }

    /// That keyUsage has one of these, or is not there.
    pub(super) fn check_usage(&self, usages: &[KeyUsage]) -> Result<(), Refusal> {
        if self.may(usages) {
            return Ok(());
        }
        let what = format!("keyUsage of {} does not allow it", self.subject());
        Err(Refusal::new(CertificateKind::WrongUsage, what))
    }

    /// Whether it says of itself that it is an authority.
    pub(super) fn says_authority(&self) -> bool {
        self.basic_constraints.is_some_and(|constraints| constraints.is_ca)
    }

    /// That it may have issued another, with so many authorities between it and the leaf. That a root is an authority is the
    /// configuration's word; an intermediate must say so itself, which versions 1 and 2 cannot.
    pub(super) fn check_issuer(&self, is_root: bool, below: usize) -> Result<(), Refusal> {
        let refuse = |what| Err(Refusal::new(CertificateKind::Other, format!("{} {what}", self.subject())));
        if !is_root && self.certificate.version != 3 {
            return refuse("is of X.509 version 1 and no root, so that it may issue nothing");
        }
        if !is_root && !self.says_authority() {
            return refuse("is no authority, and has issued a certificate");
        }
        if !self.may(&[KeyUsage::KeyCertSign]) {
            return refuse("may not issue certificates, as its keyUsage says");
        }
        match self.basic_constraints.and_then(|constraints| constraints.path_length) {
            Some(most) if below > most => {
                refuse("stands above more authorities than its pathLenConstraint allows")
            }
            _ => Ok(()),
        }
    }
}

/// A Name for a sentence.
pub(super) fn named(name: &[u8]) -> String {
    rfc4514(name, "Name").map_or_else(|_| "a certificate".to_owned(), |name| harmless(&name))
}

/// Fills a slot that may be filled once: of two extensions of one kind a reader would obey one or the other.
fn once<T>(slot: &mut Option<T>, value: T, field: &'static str) -> Result<(), DecodeError> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(DecodeError::value(field)),
    }
}

fn basic_constraints(mut constraints: Reader<'_>) -> Result<BasicConstraints, DecodeError> {
    let is_ca = match constraints.optional(BOOLEAN, "BasicConstraints.cA")? {
        None | Some([0]) => false,
        Some([_]) => true,
        Some(_) => return Err(DecodeError::value("BasicConstraints.cA")),
    };
    let path_length = match constraints.optional(INTEGER, "BasicConstraints.pathLenConstraint")? {
        None => None,
        Some([length @ ..0x80]) => Some(usize::from(*length)),
        // More than any chain here is long.
        Some([0..0x80, _, ..]) => Some(usize::MAX),
        Some(_) => return Err(DecodeError::value("BasicConstraints.pathLenConstraint")),
    };
    constraints.finish("BasicConstraints")?;
    Ok(BasicConstraints { is_ca, path_length })
}
