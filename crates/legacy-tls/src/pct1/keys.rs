//! Keys, the verify prelude and the responses.
//!
//! Spec: PCT1 sections 5.2.2 to 5.2.4, 5.3.1 and 5.3.2.

use zeroize::Zeroizing;

use super::specs::{CipherSpec, HashKind, Output, Spec, cipher};

/// A secret of any length.
pub(crate) type Secret = Zeroizing<Vec<u8>>;

/// The master key: 16 bytes for an exchange with RSA.
pub(crate) type MasterKey = Zeroizing<[u8; 16]>;

/// What all keys of a connection are made of.
#[derive(Clone, Copy)]
pub(crate) struct Material<'a> {
    pub(crate) hash: HashKind,
    pub(crate) master: &'a [u8; 16],
    pub(crate) connection_id: &'a [u8; 32],
    pub(crate) challenge: &'a [u8; 32],
    /// What SERVER_HELLO has as certificate.
    pub(crate) certificate: &'a [u8],
}

impl Material<'_> {
    pub(crate) fn client_write(&self, bits: usize) -> Secret {
        join(self.hash, bits, |i| {
            let t = b"cw".repeat(usize::from(i));
            let t = t.as_slice();
            let parts: [&[u8]; 10] =
                [&[i], b"cw", self.master, t, self.connection_id, t, self.certificate, t, self.challenge, t];
            self.hash.digest(&parts)
        })
    }

    pub(crate) fn server_write(&self, bits: usize) -> Secret {
        join(self.hash, bits, |i| {
            let t = b"svw".repeat(usize::from(i));
            let t = t.as_slice();
            self.hash.digest(&[&[i], b"svw", self.master, t, self.connection_id, t, self.challenge, t])
        })
    }

    pub(crate) fn client_mac(&self, bits: usize) -> Secret {
        join(self.hash, bits, |i| {
            let t = b"cmac".repeat(usize::from(i));
            let t = t.as_slice();
            let parts: [&[u8]; 9] =
                [&[i], self.master, t, self.connection_id, t, self.certificate, t, self.challenge, t];
            self.hash.digest(&parts)
        })
    }

    pub(crate) fn server_mac(&self, bits: usize) -> Secret {
        join(self.hash, bits, |i| {
            let t = b"svmac".repeat(usize::from(i));
            let t = t.as_slice();
            self.hash.digest(&[&[i], self.master, t, self.connection_id, t, self.challenge, t])
        })
    }
}

/// Outputs of a hash behind each other, cut to `bits`; what is left of the last byte is zero.
fn join(hash: HashKind, bits: usize, output: impl Fn(u8) -> Output) -> Secret {
    let mut joined = Zeroizing::new(Vec::with_capacity(hash.outputs_for(bits) * hash.len()));
    for i in (1..=u8::MAX).take(hash.outputs_for(bits)) {
        joined.extend_from_slice(output(i).as_ref());
    }
    joined.truncate(bits.div_ceil(8));
    let surplus = joined.len() * 8 - bits.min(joined.len() * 8);
    if let Some(last) = joined.last_mut().filter(|_| surplus > 0) {
        *last &= u8::MAX << surplus;
    }
    joined
}

/// The key that a cipher takes, from a write key and the clear key.
///
/// Spec: PCT1 section 5.3.2.
pub(crate) fn cipher_key(spec: &Spec, write_key: &[u8], clear_key: &[u8]) -> Secret {
    let (hash, parts) = (spec.hash_kind(), spec.clear_parts());
    let standard = match clear_key.len().checked_div(parts) {
        None => Zeroizing::new(write_key.to_vec()),
        Some(len) => join(hash, spec.standard_bits(), |i| {
            let at = (usize::from(i) - 1) * len;
            let clear = clear_key.get(at..at + len).unwrap_or_default();
            let t = b"sl".repeat(usize::from(i));
            hash.digest(&[&[i], &t, write_key, &t, clear])
        }),
    };
    match spec.cipher {
        cipher::DES | cipher::DES_168 => des_keys(&standard),
        cipher::DES_112 => {
            let mut keys = des_keys(&standard);
            let first: Secret = Zeroizing::new(keys.get(..8).unwrap_or_default().to_vec());
            keys.extend_from_slice(&first);
            keys
        }
        _ => standard,
    }
}

/// Keys of 56 bits, each as 8 bytes of 7 bits and an odd parity bit.
fn des_keys(bits: &[u8]) -> Secret {
    let mut keys = Zeroizing::new(Vec::with_capacity(24));
    for key in bits.chunks_exact(7) {
        let key = key.iter().fold(0_u64, |key, byte| key << 8 | u64::from(*byte));
        for index in (0..8).rev() {
            let [.., seven] = (key >> (7 * index) & 0x7f).to_be_bytes();
            let byte = seven << 1;
            keys.push(byte | u8::from(byte.count_ones().is_multiple_of(2)));
        }
    }
    keys
}

/// One direction's keys.
pub(crate) struct DirectionKeys {
    pub(crate) mac: Secret,
    pub(crate) cipher: Secret,
}

/// Both directions' keys.
pub(crate) struct ConnectionKeys {
    pub(crate) client: DirectionKeys,
    pub(crate) server: DirectionKeys,
}

impl ConnectionKeys {
    pub(crate) fn derive(
        material: &Material<'_>,
        spec: &Spec,
        cipher_spec: CipherSpec,
        clear: &[u8],
    ) -> Self {
        let (bits, mac_bits) = (usize::from(spec.bits), cipher_spec.mac_bits());
        Self {
            client: DirectionKeys {
                mac: material.client_mac(mac_bits),
                cipher: cipher_key(spec, &material.client_write(bits), clear),
            },
            server: DirectionKeys {
                mac: material.server_mac(mac_bits),
                cipher: cipher_key(spec, &material.server_write(bits), clear),
            },
        }
    }
}

/// What a client says in CLIENT_MASTER_KEY of both hellos, each from its type to its end.
///
/// Spec: PCT1 section 5.2.3.
pub(crate) fn verify_prelude(
    hash: HashKind,
    client_mac: &[u8],
    client_hello: &[u8],
    server_hello: &[u8],
) -> Output {
    hash.keyed(client_mac, &[b"cvp", client_hello, server_hello])
}

/// How a server shows that it has the master key.
///
/// Spec: PCT1 sections 5.2.2 and 5.2.4.
pub(crate) fn server_response(
    hash: HashKind,
    server_mac: &[u8],
    challenge: &[u8; 32],
    connection_id: &[u8; 32],
    session_id: &[u8; 32],
) -> Output {
    hash.keyed(server_mac, &[b"sr", challenge, connection_id, session_id])
}
