//! What the tests of this crate share.

use std::sync::Mutex;

use crate::hash::Hash;
use crate::random::{Random, RandomError};

/// Random bytes that are the same in every run: SHA-256 of a seed and a counter.
pub(crate) struct Seeded(Mutex<(u64, u64, Vec<u8>)>);

impl Seeded {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Mutex::new((seed, 0, Vec::new())))
    }

    pub(crate) fn bytes(&self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.fill(&mut bytes).unwrap();
        bytes
    }
}

impl Random for Seeded {
    fn fill(&self, out: &mut [u8]) -> Result<(), RandomError> {
        let mut state = self.0.lock().unwrap();
        let (seed, counter, rest) = &mut *state;
        for byte in out {
            if rest.is_empty() {
                *counter += 1;
                let block = [seed.to_be_bytes(), counter.to_be_bytes()].concat();
                rest.extend_from_slice(Hash::Sha256.digest(&block).as_ref());
            }
            *byte = rest.pop().unwrap();
        }
        Ok(())
    }
}

/// A source that has failed.
pub(crate) struct Broken;

impl Random for Broken {
    fn fill(&self, _: &mut [u8]) -> Result<(), RandomError> {
        Err(RandomError)
    }
}

/// A source that yields one byte over and over.
pub(crate) struct Constant(pub(crate) u8);

impl Random for Constant {
    fn fill(&self, out: &mut [u8]) -> Result<(), RandomError> {
        out.fill(self.0);
        Ok(())
    }
}

/// The message that every signature in `testdata` is of.
pub(crate) const MESSAGE: &[u8] = b"what OpenSSL has signed";

/// One block of a file in `testdata`: lines of a name, an equals sign and hexadecimal digits.
pub(crate) struct Record(Vec<(&'static str, &'static str)>);

impl Record {
    /// The blocks of a file.
    pub(crate) fn all(file: &'static str) -> Vec<Self> {
        let blocks = file
            .split("\n\n")
            .map(|block| Self(block.lines().filter_map(|line| line.split_once(" = ")).collect::<Vec<_>>()));
        blocks.filter(|record| !record.0.is_empty()).collect()
    }

    pub(crate) fn text(&self, name: &str) -> &'static str {
        self.0.iter().find(|(found, _)| *found == name).unwrap().1
    }

    pub(crate) fn bytes(&self, name: &str) -> Vec<u8> {
        self.find(name).unwrap()
    }

    pub(crate) fn find(&self, name: &str) -> Option<Vec<u8>> {
        self.0.iter().find(|(found, _)| *found == name).map(|(_, digits)| crate::hex::hex(digits))
    }
}

pub(crate) const RSA: &str = include_str!("../testdata/rsa.txt");
pub(crate) const DSA: &str = include_str!("../testdata/dsa.txt");
pub(crate) const EC: &str = include_str!("../testdata/ec.txt");

/// The hashes under the names that `testdata` gives them.
pub(crate) const HASHES: [(&str, Hash); 5] = [
    ("md5", Hash::Md5),
    ("sha1", Hash::Sha1),
    ("sha256", Hash::Sha256),
    ("sha384", Hash::Sha384),
    ("sha512", Hash::Sha512),
];
