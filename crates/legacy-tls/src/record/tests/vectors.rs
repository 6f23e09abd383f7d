//! Known answers: records that another implementation made.

use std::collections::VecDeque;
use std::sync::Mutex;

use super::*;

const FILES: [&str; 4] = [
    include_str!("../../../testdata/records-ssl30.txt"),
    include_str!("../../../testdata/records-tls10.txt"),
    include_str!("../../../testdata/records-tls11.txt"),
    include_str!("../../../testdata/records-tls12.txt"),
];

/// What one suite's client sends.
struct Vector {
    suite: String,
    way: Way,
    mac_secret: Vec<u8>,
    key: Vec<u8>,
    iv: Vec<u8>,
    records: Vec<Record>,
}

struct Record {
    content_type: ContentType,
    content: Vec<u8>,
    record: Vec<u8>,
}

impl Vector {
    fn keys(&self) -> Keys<'_> {
        Keys { mac_secret: &self.mac_secret, key: &self.key, iv: &self.iv, ..self.way.keys(&[0; 128]) }
    }

    /// The initialization vectors that stand in the records.
    fn script(&self) -> Script {
        let len = self.way.block_len().unwrap_or_default();
        Script(Mutex::new(self.records.iter().flat_map(|sent| sent.record[5..5 + len].to_vec()).collect()))
    }
}

/// Bytes that were written down, and zeros after them.
struct Script(Mutex<VecDeque<u8>>);

impl Random for Script {
    fn fill(&self, out: &mut [u8]) -> Result<(), RandomError> {
        let mut script = self.0.lock().unwrap();
        out.fill_with(|| script.pop_front().unwrap_or_default());
        Ok(())
    }
}

fn bytes(hex: &str) -> Vec<u8> {
    let hex = hex.trim_start_matches('-');
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn way(version: &str, cipher: &str, hash: &str) -> Way {
    let wire_version = u16::from_str_radix(version, 16).unwrap();
    let bulk = match cipher {
        "null" => Bulk::Null,
        "rc4" => Bulk::Rc4,
        "des" => Bulk::Cbc(BlockCipher::Des),
        "3des" => Bulk::Cbc(BlockCipher::TripleDes),
        "rc2" => Bulk::Cbc(BlockCipher::Rc2),
        "aes128" => Bulk::Cbc(BlockCipher::Aes128),
        "aes256" => Bulk::Cbc(BlockCipher::Aes256),
        "aes128gcm" => Bulk::Aead(AeadAlgorithm::Aes128Gcm),
        "aes256gcm" => Bulk::Aead(AeadAlgorithm::Aes256Gcm),
        other => panic!("the cipher {other}"),
    };
    let hash = match hash {
        "md5" => Some(Hash::Md5),
        "sha1" => Some(Hash::Sha1),
        "sha256" => Some(Hash::Sha256),
        "sha384" => Some(Hash::Sha384),
        "-" => None,
        other => panic!("the hash {other}"),
    };
    *all_ways()
        .iter()
        .find(|way| {
            way.wire_version == wire_version && way.bulk == bulk && way.mac.map(|mac| mac.hash) == hash
        })
        .unwrap()
}

fn vectors() -> Vec<Vector> {
    let mut vectors: Vec<Vector> = Vec::new();
    for file in FILES {
        let (mut version, mut suite) = ("", "");
        for line in file.lines() {
            let mut words = line.split(' ');
            match (words.next(), words.collect::<Vec<_>>().as_slice()) {
                (Some("version"), [number]) => version = number,
                (Some("suite"), [_, name]) => suite = name,
                (Some("keys"), [cipher, hash, mac_secret, key, iv]) => vectors.push(Vector {
                    suite: format!("{version} {suite}"),
                    way: way(version, cipher, hash),
                    mac_secret: bytes(mac_secret),
                    key: bytes(key),
                    iv: bytes(iv),
                    records: Vec::new(),
                }),
                (Some("record"), [content_type, content, record]) => {
                    vectors.last_mut().unwrap().records.push(Record {
                        content_type: ContentType(content_type.parse().unwrap()),
                        content: bytes(content),
                        record: bytes(record),
                    });
                }
                (Some("" | "#"), _) => {}
                _ => panic!("{line}"),
            }
        }
    }
    vectors
}

#[test]
fn known_records_are_what_is_sealed() {
    for vector in vectors() {
        let mut sealer = Sealer::new(&vector.keys(), Arc::new(vector.script())).unwrap();
        for Record { content_type, content, record } in &vector.records {
            assert_eq!(&sealed(&mut sealer, *content_type, content), record, "{}", vector.suite);
        }
    }
}

#[test]
fn known_records_are_opened() {
    for vector in vectors() {
        let mut opener = Opener::new(&vector.keys()).unwrap();
        for Record { content_type, content, record } in &vector.records {
            let expected = Ok((*content_type, content.clone()));
            assert_eq!(opened(&mut opener, record), expected, "{}", vector.suite);
        }
    }
}

#[test]
fn no_suite_is_without_records() {
    let vectors = vectors();
    assert_eq!(vectors.len(), 15 + 15 + 10 + 11);
    assert!(vectors.iter().all(|vector| vector.records.len() >= 5));
}
