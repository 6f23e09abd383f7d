//! What the tests of records share: the ways to protect that there are, and ends that do.

mod limits;
mod mutated;
pub(super) mod padding;
mod round_trip;
mod splitting;
mod tampering;
mod vectors;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crypto::aead::AeadAlgorithm;
use crypto::cipher::BlockCipher;
use crypto::hash::Hash;
use crypto::random::{Random, RandomError};

use super::*;

/// A way to protect records: what a suite and a version choose.
#[derive(Clone, Copy, Debug)]
struct Way {
    wire_version: u16,
    bulk: Bulk,
    mac: Option<MacKind>,
    padding: Padding,
    cbc_iv: CbcIv,
}

impl Way {
    fn keys<'a>(&self, material: &'a [u8]) -> Keys<'a> {
        let (key_len, iv_len) = match self.bulk {
            Bulk::Null => (0, 0),
            Bulk::Rc4 => (16, 0),
            Bulk::Cbc(cipher) => {
                (cipher.key_len(), if self.cbc_iv == CbcIv::Chained { cipher.block_len() } else { 0 })
            }
            Bulk::Aead(algorithm) => (algorithm.key_len(), 4),
        };
        let mac_len = self.mac.map_or(0, |mac| mac.hash.output_len());
        Keys {
            wire_version: self.wire_version,
            bulk: self.bulk,
            mac: self.mac,
            padding: self.padding,
            cbc_iv: self.cbc_iv,
            mac_secret: &material[..mac_len],
            key: &material[mac_len..mac_len + key_len],
            iv: &material[mac_len + key_len..][..iv_len],
            split: false,
            data_limit: u64::MAX,
        }
    }

    /// The length of the cipher's blocks, if it has any.
    fn block_len(&self) -> Option<usize> {
        match self.bulk {
            Bulk::Cbc(cipher) => Some(cipher.block_len()),
            _ => None,
        }
    }

    fn sealer(&self) -> Sealer {
        Sealer::new(&self.keys(&material()), Arc::new(Counter::default())).unwrap()
    }

    fn opener(&self) -> Opener {
        Opener::new(&self.keys(&material())).unwrap()
    }
}

/// Bytes for all keys of a direction, none like its neighbours.
fn material() -> [u8; 128] {
    core::array::from_fn(|at| u8::try_from(at * 7 % 251).unwrap())
}

const BULKS: [Bulk; 8] = [
    Bulk::Null,
    Bulk::Rc4,
    Bulk::Cbc(BlockCipher::Des),
    Bulk::Cbc(BlockCipher::TripleDes),
    Bulk::Cbc(BlockCipher::Rc2),
    Bulk::Cbc(BlockCipher::Idea),
    Bulk::Cbc(BlockCipher::Aes128),
    Bulk::Cbc(BlockCipher::Aes256),
];

const fn hashes_of(wire_version: u16) -> &'static [Hash] {
    match wire_version {
        0x0303 => &[Hash::Md5, Hash::Sha1, Hash::Sha256, Hash::Sha384],
        _ => &[Hash::Md5, Hash::Sha1],
    }
}

/// Every cipher with every MAC in every version that may have it.
fn all_ways() -> Vec<Way> {
    use CbcIv::{Chained, Explicit};
    use MacConstruction::{Hmac, Ssl3};
    let versions = [
        (0x0300, Ssl3, Padding::Ssl3, Chained),
        (0x0301, Hmac, Padding::Tls, Chained),
        (0x0302, Hmac, Padding::Tls, Explicit),
        (0x0303, Hmac, Padding::Tls, Explicit),
    ];
    let mut ways = Vec::new();
    for (wire_version, construction, padding, cbc_iv) in versions {
        for &hash in hashes_of(wire_version) {
            let mac = Some(MacKind { construction, hash });
            ways.extend(BULKS.iter().map(|&bulk| Way { wire_version, bulk, mac, padding, cbc_iv }));
        }
    }
    let gcm = [AeadAlgorithm::Aes128Gcm, AeadAlgorithm::Aes256Gcm].map(Bulk::Aead);
    ways.extend(gcm.map(|bulk| Way {
        wire_version: 0x0303,
        bulk,
        mac: None,
        padding: Padding::Tls,
        cbc_iv: Explicit,
    }));
    ways
}

/// Bytes that can be foreseen: a counter.
#[derive(Default)]
struct Counter(AtomicU64);

impl Random for Counter {
    fn fill(&self, out: &mut [u8]) -> Result<(), RandomError> {
        for byte in out {
            *byte = self.0.fetch_add(1, Ordering::Relaxed).to_le_bytes()[0];
        }
        Ok(())
    }
}

/// `data` as a record, and as two if they are split, in memory with exactly the room that they need.
fn sealed(sealer: &mut Sealer, content_type: ContentType, data: &[u8]) -> Vec<u8> {
    let layout = sealer.layout();
    let mut memory = vec![0xee; layout.header + data.len() + layout.trailer];
    let range = layout.header..layout.header + data.len();
    memory[range.clone()].copy_from_slice(data);
    let record = sealer.seal(content_type, &mut memory, range).unwrap();
    memory[record].to_vec()
}

/// The content of the one record that `record` is.
fn opened(opener: &mut Opener, record: &[u8]) -> Result<(ContentType, Vec<u8>), RecordError> {
    let mut record = record.to_vec();
    opener.open(&mut record).map(|opened| (opened.content_type, record[opened.content].to_vec()))
}
