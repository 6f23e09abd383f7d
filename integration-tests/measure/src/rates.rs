//! How much our primitives do in a second of processor time.

use std::error::Error;
use std::hint::black_box;
use std::sync::Arc;

use crypto::cipher::{BlockCipher, CbcDecryptor, CbcEncryptor, Rc4};
use crypto::hash::Hash;
use crypto::mac::HmacKey;
use crypto::private_key::PrivateKey;
use crypto::random::SystemRandom;
use legacy_tls::record::{Bulk, CbcIv, ContentType, Keys, MacConstruction, MacKind, Opener, Padding, Sealer};
use rustix::time::{ClockId, clock_gettime};

/// Why nothing could be measured.
pub type Failure = Box<dyn Error + Send + Sync>;

/// Bytes of data in a record: as many as it holds.
pub const RECORD: usize = 16_384;

/// How many records are measured at a time.
const BATCH: usize = 32;

/// Megabytes in a batch.
const MEGABYTES: f64 = (BATCH * RECORD) as f64 / 1e6;

/// Seconds of processor time that this process has taken.
#[must_use]
pub fn cpu() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// How often `work` does in a second of processor time, times `units`.
fn rate(seconds: f64, units: f64, mut work: impl FnMut()) -> f64 {
    per_second(seconds, units, || {
        let start = cpu();
        work();
        cpu() - start
    })
}

/// The same for work that says itself how long it took.
fn per_second(seconds: f64, units: f64, mut work: impl FnMut() -> f64) -> f64 {
    work();
    let (mut done, mut taken) = (0.0, 0.0);
    loop {
        taken += work();
        done += units;
        if taken >= seconds {
            return done / taken;
        }
    }
}

/// Operations with a private key of RSA-2048 in a second.
///
/// # Errors
///
/// The key of the repository cannot be read.
pub fn rsa(seconds: f64) -> Result<f64, Failure> {
    // For tests only. It protects nothing.
    const KEY: &[u8] = include_bytes!("../../../crates/legacy-tls/testdata/rsa2048.key.der");
    let Ok(PrivateKey::Rsa(key)) = PrivateKey::from_der(KEY) else {
        return Err("the key is none of RSA".into());
    };
    const COUNT: u32 = 16;
    Ok(rate(seconds, f64::from(COUNT), || {
        for _ in 0..COUNT {
            drop(black_box(key.sign_pkcs1(&[7; 36], &SystemRandom)));
        }
    }))
}

/// A suite whose records are measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Suite {
    /// OpenSSL's name for it.
    pub name: &'static str,
    /// `None` for RC4.
    pub cipher: Option<BlockCipher>,
    /// Of the MAC.
    pub hash: Hash,
}

/// Those for which the project promises a ratio.
pub const SUITES: [Suite; 5] = [
    Suite { name: "RC4-MD5", cipher: None, hash: Hash::Md5 },
    Suite { name: "RC4-SHA", cipher: None, hash: Hash::Sha1 },
    Suite { name: "DES-CBC3-SHA", cipher: Some(BlockCipher::TripleDes), hash: Hash::Sha1 },
    Suite { name: "AES128-SHA", cipher: Some(BlockCipher::Aes128), hash: Hash::Sha1 },
    Suite { name: "AES256-SHA", cipher: Some(BlockCipher::Aes256), hash: Hash::Sha1 },
];

/// Encrypts or decrypts where the data lie.
type Encrypting = dyn FnMut(&mut [u8]);

/// Different in every byte, as keys are.
const KEY: [u8; 64] = *b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/";

fn part(length: usize) -> &'static [u8] {
    KEY.get(..length).unwrap_or_default()
}

impl Suite {
    fn keys(&self) -> Keys<'static> {
        Keys {
            wire_version: 0x0303,
            bulk: self.cipher.map_or(Bulk::Rc4, Bulk::Cbc),
            mac: Some(MacKind { construction: MacConstruction::Hmac, hash: self.hash }),
            padding: Padding::Tls,
            cbc_iv: CbcIv::Explicit,
            mac_secret: part(self.hash.output_len()),
            key: part(self.cipher.map_or(16, BlockCipher::key_len)),
            iv: &[],
            split: false,
            data_limit: u64::MAX,
        }
    }

    fn sealer(&self) -> Result<Sealer, Failure> {
        Ok(Sealer::new(&self.keys(), Arc::new(SystemRandom)).map_err(|error| format!("{error:?}"))?)
    }

    /// Megabytes of data in a second that our record layer protects, in records of TLS 1.2.
    ///
    /// # Errors
    ///
    /// The keys do not fit.
    pub fn seal(&self, seconds: f64) -> Result<f64, Failure> {
        let mut sealer = self.sealer()?;
        let layout = sealer.layout();
        let mut memory = vec![0x5a; layout.header + RECORD + layout.trailer];
        let data = layout.header..layout.header + RECORD;
        Ok(rate(seconds, MEGABYTES, || {
            for _ in 0..BATCH {
                let _ = black_box(sealer.seal(ContentType::APPLICATION_DATA, &mut memory, data.clone()));
            }
        }))
    }

    /// Megabytes of data in a second that it opens. The records are made outside the time.
    ///
    /// # Errors
    ///
    /// The keys do not fit.
    pub fn open(&self, seconds: f64) -> Result<f64, Failure> {
        let mut sealer = self.sealer()?;
        let mut opener = Opener::new(&self.keys()).map_err(|error| format!("{error:?}"))?;
        let layout = sealer.layout();
        let data = layout.header..layout.header + RECORD;
        let mut records = vec![vec![0x5a; layout.header + RECORD + layout.trailer]; BATCH];
        let mut bad = false;
        let rate = per_second(seconds, MEGABYTES, || {
            let mut places = Vec::with_capacity(BATCH);
            for record in &mut records {
                places.push(sealer.seal(ContentType::APPLICATION_DATA, record, data.clone()).unwrap_or(0..0));
            }
            let start = cpu();
            for (record, place) in records.iter_mut().zip(places) {
                bad |= record.get_mut(place).is_none_or(|record| black_box(opener.open(record)).is_err());
            }
            cpu() - start
        });
        if bad { Err(format!("{}: a record does not open", self.name).into()) } else { Ok(rate) }
    }

    /// Megabytes in a second that the cipher alone does.
    ///
    /// # Errors
    ///
    /// The key does not fit.
    pub fn cipher_alone(&self, opening: bool, seconds: f64) -> Result<f64, Failure> {
        let keys = self.keys();
        let mut data = vec![0x5a; RECORD];
        let mut run: Box<Encrypting> = match self.cipher {
            None => {
                let mut rc4 = Rc4::new(keys.key)?;
                Box::new(move |data| rc4.apply(data))
            }
            Some(cipher) if opening => {
                let mut cbc = CbcDecryptor::new(cipher, keys.key, part(cipher.block_len()))?;
                Box::new(move |data| {
                    let _ = black_box(cbc.decrypt(data));
                })
            }
            Some(cipher) => {
                let mut cbc = CbcEncryptor::new(cipher, keys.key, part(cipher.block_len()))?;
                Box::new(move |data| {
                    let _ = black_box(cbc.encrypt(data));
                })
            }
        };
        Ok(rate(seconds, MEGABYTES, || (0..BATCH).for_each(|_| run(&mut data))))
    }

    /// Megabytes in a second that the MAC alone does.
    #[must_use]
    pub fn mac_alone(&self, seconds: f64) -> f64 {
        let (mac, data) = (HmacKey::new(self.hash, part(self.hash.output_len())), vec![0x5a; RECORD]);
        rate(seconds, MEGABYTES, || (0..BATCH).for_each(|_| drop(black_box(mac.sign(&data)))))
    }

    /// Megabytes in a second if our cipher and our MAC ran one after the other and nothing else did.
    ///
    /// # Errors
    ///
    /// The key does not fit.
    pub fn limit(&self, opening: bool, seconds: f64) -> Result<f64, Failure> {
        Ok(one_after_the_other(self.cipher_alone(opening, seconds / 2.0)?, self.mac_alone(seconds / 2.0)))
    }
}

/// The rate of doing two things to the same data, from the rates of each.
#[must_use]
pub fn one_after_the_other(first: f64, second: f64) -> f64 {
    1.0 / (1.0 / first + 1.0 / second)
}

/// The middle one.
#[must_use]
pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_after_the_other_takes_both_times() {
        assert!((one_after_the_other(100.0, 300.0) - 75.0).abs() < 1e-9);
    }

    #[test]
    fn every_suite_seals_and_opens() {
        for suite in SUITES {
            assert!(suite.seal(0.0).unwrap().is_finite(), "{}", suite.name);
            assert!(suite.open(0.0).unwrap().is_finite(), "{}", suite.name);
            assert!(suite.limit(true, 0.0).unwrap().is_finite(), "{}", suite.name);
        }
    }

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median([3.0, 1.0, 2.0]), 2.0);
    }
}
