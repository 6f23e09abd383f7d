//! From the master key to the keys of both directions.
//!
//! ```text
//! KEY-MATERIAL-n    MD5(MASTER-KEY, the digit n, CHALLENGE, CONNECTION-ID)     n = 0; 1; 2 for triple DES
//! CLIENT-READ-KEY   the first half of the material: what the server writes with
//! CLIENT-WRITE-KEY  the second half
//! ```
//!
//! The document leaves out the digit for DES, whose keys fill one digest. Everybody hashes it there too, and so do we.
//!
//! Spec: SSL2 section 5.5.2.

use crypto::hash::Hash;
use zeroize::Zeroizing;

use super::cipher_kinds::KindRow;
use crate::session::MasterSecret;

/// Bytes of one digest of key material.
const BLOCK: usize = 16;
/// The most key material that there is: two keys of triple DES.
const MOST: usize = 48;

/// The master key and the cipher's argument: what a session is made of.
#[derive(Clone)]
pub(crate) struct Master {
    /// The master key from the front, the argument in the last eight bytes.
    bytes: MasterSecret,
    kind: &'static KindRow,
}

impl Master {
    pub(crate) fn new(kind: &'static KindRow, key: &[u8], key_arg: &[u8]) -> Self {
        let mut bytes = MasterSecret([0; 48]);
        bytes.0.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
        bytes.0.iter_mut().skip(ARG_AT).zip(key_arg).for_each(|(to, from)| *to = *from);
        Self { bytes, kind }
    }

    /// Out of a session.
    pub(crate) const fn kept(kind: &'static KindRow, bytes: MasterSecret) -> Self {
        Self { bytes, kind }
    }

    /// What a session keeps.
    pub(crate) fn to_keep(&self) -> MasterSecret {
        self.bytes.clone()
    }

    pub(crate) const fn kind(&self) -> &'static KindRow {
        self.kind
    }

    pub(crate) fn key(&self) -> &[u8] {
        self.bytes.0.get(..self.kind.key_len).unwrap_or_default()
    }

    /// The initialization vector of both directions.
    pub(crate) fn key_arg(&self) -> &[u8] {
        self.bytes.0.get(ARG_AT..ARG_AT + self.kind.key_arg_len()).unwrap_or_default()
    }
}

/// Where the argument lies among the bytes that are kept.
const ARG_AT: usize = 40;

/// The key material of one connection.
pub(crate) struct KeyMaterial {
    bytes: Zeroizing<[u8; MOST]>,
    /// Bytes of each key.
    key_len: usize,
}

impl KeyMaterial {
    pub(crate) fn derive(master: &Master, challenge: &[u8], connection_id: &[u8]) -> Self {
        let mut material = Self { bytes: Zeroizing::new([0; MOST]), key_len: master.kind().key_len };
        for (block, digit) in material.bytes.chunks_exact_mut(BLOCK).zip(*b"012") {
            let mut md5 = Hash::Md5.context();
            for part in [master.key(), &[digit], challenge, connection_id] {
                md5.update(part);
            }
            block.copy_from_slice(md5.finish().as_ref());
        }
        material
    }

    /// What the server writes with.
    pub(crate) fn client_read(&self) -> &[u8] {
        self.bytes.get(..self.key_len).unwrap_or_default()
    }

    /// What the client writes with.
    pub(crate) fn client_write(&self) -> &[u8] {
        self.bytes.get(self.key_len..2 * self.key_len).unwrap_or_default()
    }

    /// All of it that the kind defines, which a client signs.
    pub(crate) fn defined(&self) -> &[u8] {
        self.bytes.get(..2 * self.key_len).unwrap_or_default()
    }

    /// What a client signs to show that it has the key of its certificate.
    ///
    /// Spec: SSL2 section 5.5.3.
    pub(crate) fn signed(&self, certificate_challenge: &[u8], server_certificate: &[u8]) -> Vec<u8> {
        [self.defined(), certificate_challenge, server_certificate].concat()
    }
}
