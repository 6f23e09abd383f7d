//! Revocation lists, and answers of OCSP responders, by the same hand.

use std::time::SystemTime;

use crypto::hash::Hash;

use super::key::Signing;
use super::{BOOLEAN, Minted, VALID, utc_time, utc_time_of};
use crate::der::{self, context, sequence, tlv};
use crate::pki::Crl;

/// A revocation list that is not yet signed: of version 2, with SHA-256, valid as long as the certificates are.
#[derive(Clone, Debug)]
#[must_use = "nothing is signed before sign()"]
pub struct ListDraft {
    issuer: Minted,
    is_v1: bool,
    this_update: Vec<u8>,
    next_update: Vec<u8>,
    /// Each whole.
    revoked: Vec<u8>,
    extensions: Vec<u8>,
    hash: Hash,
}

impl ListDraft {
    /// A list of this authority that revokes nothing.
    pub fn of(issuer: &Minted) -> Self {
        Self {
            issuer: issuer.clone(),
            is_v1: false,
            this_update: utc_time(VALID.0),
            next_update: utc_time(VALID.1),
            revoked: Vec::new(),
            extensions: Vec::new(),
            hash: Hash::Sha256,
        }
    }

    /// Of version 1, which has no extensions.
    pub fn v1(mut self) -> Self {
        self.is_v1 = true;
        self
    }

    /// Signed over this hash.
    pub fn hash(mut self, hash: Hash) -> Self {
        self.hash = hash;
        self
    }

    /// thisUpdate and nextUpdate, whole seconds.
    pub fn valid(mut self, this_update: SystemTime, next_update: Option<SystemTime>) -> Self {
        self.this_update = utc_time_of(this_update);
        self.next_update = next_update.map_or(Vec::new(), utc_time_of);
        self
    }

    /// Revokes this certificate, since 2025.
    pub fn revoke(self, certificate: &Minted) -> Self {
        self.revoke_with(certificate, &[])
    }

    /// Revokes it, with one extension of the entry: its object identifier, whether it is critical, its value.
    pub fn revoke_with(mut self, certificate: &Minted, extensions: &[(&[u8], bool, &[u8])]) -> Self {
        let extensions: Vec<u8> = extensions.iter().flat_map(one_extension).collect();
        let extensions = if extensions.is_empty() { extensions } else { tlv(der::SEQUENCE, &extensions) };
        let serial = tlv(der::INTEGER, certificate.serial());
        self.revoked.extend(sequence(&[&serial, &utc_time(1_735_689_600), &extensions]));
        self
    }

    /// Adds the extension 2.5.29.`last`.
    pub fn extension(mut self, last: u8, critical: bool, value: &[u8]) -> Self {
        self.extensions.extend(one_extension(&(&[0x55, 0x1d, last], critical, value)));
        self
    }

    /// Signs it.
    pub fn sign(self) -> Crl {
        let (key, signing) = (self.issuer.key(), Signing { hash: self.hash, is_pss: false });
        let algorithm = key.algorithm(signing);
        let unless_empty = |list: &[u8]| if list.is_empty() { Vec::new() } else { tlv(der::SEQUENCE, list) };
        // cRLNumber, which version 2 must have.
        let number = one_extension(&(&[0x55, 0x1d, 20], false, &[2, 1, 1]));
        let (version, extensions) = match self.is_v1 {
            true => (Vec::new(), Vec::new()),
            false => (der::unsigned(&[1]), tlv(context(0), &sequence(&[&number, &self.extensions]))),
        };
        let tbs = sequence(&[
            &version,
            &algorithm,
            self.issuer.subject(),
            &self.this_update,
            &self.next_update,
            &unless_empty(&self.revoked),
            &extensions,
        ]);
        let signature = der::bit_string(&key.sign(signing, &tbs));
        Crl::of(sequence(&[&tbs, &algorithm, &signature]))
    }
}

fn one_extension((oid, critical, value): &(&[u8], bool, &[u8])) -> Vec<u8> {
    let critical = if *critical { tlv(BOOLEAN, &[0xff]) } else { Vec::new() };
    sequence(&[&tlv(der::OBJECT_IDENTIFIER, oid), &critical, &tlv(der::OCTET_STRING, value)])
}

impl Minted {
    /// What `responder` answers about this certificate of `issuer`: good, or revoked. The responder's certificate comes
    /// along unless it is the issuer itself. Valid from 2025 to 2043.
    pub fn ocsp_answer(&self, issuer: &Self, responder: &Self, hash: Hash, is_revoked: bool) -> Vec<u8> {
        let times = [1_735_689_600, 2_303_683_200].map(|seconds| {
            der::generalized_time(std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds))
        });
        let octets = |bytes: &[u8]| tlv(der::OCTET_STRING, bytes);
        let key = issuer.key().public_der();
        let key = &der::elements(der::elements(&key)[0].content)[1].content[1..];
        let id = sequence(&[
            &sequence(&[&tlv(der::OBJECT_IDENTIFIER, &[0x2b, 0x0e, 3, 2, 0x1a]), &tlv(der::NULL, &[])]),
            &octets(Hash::Sha1.digest(issuer.subject()).as_ref()),
            &octets(Hash::Sha1.digest(key).as_ref()),
            &tlv(der::INTEGER, self.serial()),
        ]);
        let status = match is_revoked {
            true => tlv(context(1), &times[0]),
            false => tlv(der::context_primitive(0), &[]),
        };
        let single = sequence(&[&id, &status, &times[0], &tlv(context(0), &times[1])]);
        let data = sequence(&[&tlv(context(1), responder.subject()), &times[0], &sequence(&[&single])]);
        let signing = Signing { hash, is_pss: false };
        let algorithm = responder.key().algorithm(signing);
        let signature = der::bit_string(&responder.key().sign(signing, &data));
        let certificates = match responder.der() == issuer.der() {
            true => Vec::new(),
            false => tlv(context(0), &sequence(&[responder.der()])),
        };
        let basic = sequence(&[&data, &algorithm, &signature, &certificates]);
        let kind = tlv(der::OBJECT_IDENTIFIER, &[0x2b, 6, 1, 5, 5, 7, 0x30, 1, 1]);
        let bytes = sequence(&[&kind, &octets(&basic)]);
        sequence(&[&tlv(der::ENUMERATED, &[0]), &tlv(context(0), &bytes)])
    }
}
