//! From a certificate to what a directory may know it by: the values of `altSecurityIdentities`.
//!
//! | value | kind | strength |
//! |---|---|---|
//! | `X509:<I>issuer<SR>serial` | `issuer-and-serial` | strong |
//! | `X509:<SKI>key identifier` | `key-identifier` | strong |
//! | `X509:<SHA1-PUKEY>hash of the key` | `public-key` | strong |
//! | `X509:<I>issuer<S>subject` | `issuer-and-subject` | weak |
//! | `X509:<S>subject` | `subject` | weak |
//! | `X509:<RFC822>address` | `rfc822` | weak |
//! | `X509:<I>issuer` | `issuer` | weak: every certificate of an authority |
//!
//! Names are as `names.rs` writes them. The bytes of the serial number are in reverse order, without leading zeros of the
//! number; key identifier and hash are in theirs. Hexadecimal is in lower case, and directories compare without case.
//!
//! Spec: MS-PKCA section 3.1.5.2.1; KB5014754 (Certificate mappings).

use crypto::hash::Hash;

use super::names;
use super::settings::WeakMapping;
use crate::certificate::identity::Identity;

/// How a value of `altSecurityIdentities` names a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyKind {
    IssuerAndSerial,
    KeyIdentifier,
    PublicKey,
    IssuerAndSubject,
    Subject,
    Email,
    Issuer,
}

impl KeyKind {
    /// As the account that was found by it says.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::IssuerAndSerial => "issuer-and-serial",
            Self::KeyIdentifier => "key-identifier",
            Self::PublicKey => "public-key",
            Self::IssuerAndSubject => WeakMapping::IssuerAndSubject.name(),
            Self::Subject => WeakMapping::Subject.name(),
            Self::Email => WeakMapping::Rfc822.name(),
            Self::Issuer => WeakMapping::Issuer.name(),
        }
    }

    /// Why it is weak: somebody else may have a certificate that it names, too.
    pub(super) const fn weakness(self) -> Option<WeakMapping> {
        match self {
            Self::IssuerAndSerial | Self::KeyIdentifier | Self::PublicKey => None,
            Self::IssuerAndSubject => Some(WeakMapping::IssuerAndSubject),
            Self::Subject => Some(WeakMapping::Subject),
            Self::Email => Some(WeakMapping::Rfc822),
            Self::Issuer => Some(WeakMapping::Issuer),
        }
    }
}

/// A value of `altSecurityIdentities` that names the certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) kind: KeyKind,
    pub(super) identity: String,
}

/// The longest value that is asked for, in bytes. What the peer says goes into a question to a directory.
const LONGEST: usize = 2048;
/// The most addresses that are asked for.
const MOST_EMAILS: usize = 4;

/// What names this certificate and no other of its owner's authority, the strong ones first.
pub(super) fn one_to_one(certificate: &Identity<'_>) -> Vec<Key> {
    let mut keys = Vec::new();
    let mut add = |kind, value: Option<String>| {
        let identity =
            value.map(|value| format!("X509:{value}")).filter(|identity| identity.len() <= LONGEST);
        keys.extend(identity.map(|identity| Key { kind, identity }));
    };
    let issuer = names::string(&certificate.issuer).map(|issuer| format!("<I>{issuer}"));
    let subject = names::string(&certificate.subject).map(|subject| format!("<S>{subject}"));
    let backwards: Vec<u8> = certificate.serial.iter().rev().copied().collect();
    let serial = (!backwards.is_empty()).then(|| format!("<SR>{}", hex(&backwards)));
    add(KeyKind::IssuerAndSerial, issuer.clone().zip(serial).map(|(issuer, serial)| issuer + &serial));
    // Authorities make it of the bits of the key alone (RFC 5280 section 4.2.1.2), which are anybody's where the algorithm has
    // parameters that define the key.
    let identifier = certificate.subject_key_identifier.filter(|_| certificate.key_bits.is_some());
    add(KeyKind::KeyIdentifier, identifier.map(|identifier| format!("<SKI>{}", hex(identifier))));
    // Of what the hash is, no document says: the key itself, as in RFC 5280 section 4.2.1.2, or the key with its algorithm.
    // Both are hashes of this key, and of no other, as far as they are asked for.
    for of in [certificate.key_bits, certificate.public_key].into_iter().flatten() {
        let hash = Hash::Sha1.digest(of);
        add(KeyKind::PublicKey, Some(format!("<SHA1-PUKEY>{}", hex(hash.as_ref()))));
    }
    let both = issuer.zip(subject.clone());
    add(KeyKind::IssuerAndSubject, both.map(|(issuer, subject)| issuer + &subject));
    add(KeyKind::Subject, subject);
    for address in certificate.emails.iter().take(MOST_EMAILS) {
        add(KeyKind::Email, is_plain(address).then(|| format!("<RFC822>{address}")));
    }
    keys
}

/// What names every certificate of its authority.
pub(super) fn many_to_one(certificate: &Identity<'_>) -> Vec<Key> {
    let identity = names::string(&certificate.issuer).map(|issuer| format!("X509:<I>{issuer}"));
    let identity = identity.filter(|identity| identity.len() <= LONGEST);
    identity.map(|identity| Key { kind: KeyKind::Issuer, identity }).into_iter().collect()
}

/// The user principal name, if there is one that can be one; `Err` if there are several, so that nobody can say which is
/// meant.
pub(super) fn upn<'a>(certificate: &'a Identity<'_>) -> Result<Option<&'a str>, ()> {
    match certificate.upns.as_slice() {
        [] => Ok(None),
        [one] => {
            let has_both =
                one.split_once('@').is_some_and(|(name, domain)| !name.is_empty() && !domain.is_empty());
            Ok(Some(one.as_str()).filter(|upn| has_both && upn.len() <= LONGEST && is_plain(upn)))
        }
        _ => Err(()),
    }
}

/// Nothing in it is a control character, and no space is at an end, where directories overlook it.
fn is_plain(text: &str) -> bool {
    !text.is_empty() && !text.chars().any(char::is_control) && text.trim() == text
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
