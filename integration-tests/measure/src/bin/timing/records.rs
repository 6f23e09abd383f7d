//! Records in CBC mode: whether time tells wrong padding from a wrong MAC, or long padding from short (Vaudenay 2002;
//! Lucky Thirteen 2013).

use std::hint::black_box;

use crypto::cipher::{BlockCipher, CbcEncryptor};
use crypto::hash::Hash;
use legacy_tls::ProtocolVersion;
use legacy_tls::record::{Bulk, CbcIv, Keys, MacConstruction, MacKind, Opener, Padding, RecordError};
use opensspi_measure::sampling::{Cheap, POOL, Subject, from_pool, pools};

use crate::engine::Failure;

/// A cipher, a MAC and a version.
#[derive(Clone, Copy)]
pub(crate) struct Protection {
    pub(crate) name: &'static str,
    pub(crate) version: ProtocolVersion,
    pub(crate) cipher: BlockCipher,
    pub(crate) hash: Hash,
}

const fn row(name: &'static str, version: ProtocolVersion, cipher: BlockCipher, hash: Hash) -> Protection {
    Protection { name, version, cipher, hash }
}

/// What is measured.
pub(crate) const PROTECTIONS: [Protection; 10] = [
    row("AES128-SHA", ProtocolVersion::TLS10, BlockCipher::Aes128, Hash::Sha1),
    row("AES128-SHA", ProtocolVersion::TLS11, BlockCipher::Aes128, Hash::Sha1),
    row("AES128-SHA", ProtocolVersion::TLS12, BlockCipher::Aes128, Hash::Sha1),
    row("DES-CBC3-SHA", ProtocolVersion::TLS10, BlockCipher::TripleDes, Hash::Sha1),
    row("DES-CBC3-SHA", ProtocolVersion::TLS11, BlockCipher::TripleDes, Hash::Sha1),
    row("DES-CBC3-SHA", ProtocolVersion::TLS12, BlockCipher::TripleDes, Hash::Sha1),
    row("AES128-SHA256", ProtocolVersion::TLS12, BlockCipher::Aes128, Hash::Sha256),
    row("AES256-SHA384", ProtocolVersion::TLS12, BlockCipher::Aes256, Hash::Sha384),
    row("AES128-SHA", ProtocolVersion::SSL30, BlockCipher::Aes128, Hash::Sha1),
    row("DES-CBC3-SHA", ProtocolVersion::SSL30, BlockCipher::TripleDes, Hash::Sha1),
];

/// The length of what is encrypted, in bytes: room for little padding, and for all of it.
pub(crate) const LENGTHS: [usize; 2] = [112, 352];

impl Protection {
    fn is_ssl30(&self) -> bool {
        self.version == ProtocolVersion::SSL30
    }

    fn is_chained(&self) -> bool {
        self.version <= ProtocolVersion::TLS10
    }

    /// The most padding, in bytes without the one that says how much it is, of a text that is so long. In SSL 3.0 it does not
    /// fill a block.
    pub(crate) fn longest_padding(&self, length: usize) -> usize {
        let most = if self.is_ssl30() { self.cipher.block_len() - 1 } else { 255 };
        (length - 1 - self.hash.output_len()).min(most)
    }

    /// Keys that are good enough for a measurement.
    pub(crate) fn keys(&self) -> Keys<'_> {
        const BYTES: [u8; 64] = [0x5c; 64];
        const KEY: [u8; 32] = *b"no two of the three parts of it!";
        let part = |length: usize| BYTES.get(..length).unwrap_or_default();
        let (construction, padding) = match self.is_ssl30() {
            true => (MacConstruction::Ssl3, Padding::Ssl3),
            false => (MacConstruction::Hmac, Padding::Tls),
        };
        Keys {
            wire_version: self.version.0,
            bulk: Bulk::Cbc(self.cipher),
            mac: Some(MacKind { construction, hash: self.hash }),
            padding,
            cbc_iv: if self.is_chained() { CbcIv::Chained } else { CbcIv::Explicit },
            mac_secret: part(self.hash.output_len()),
            key: KEY.get(..self.cipher.key_len()).unwrap_or_default(),
            iv: part(self.cipher.block_len()),
            split: false,
            data_limit: u64::MAX,
        }
    }

    /// The record of a text that is `data, MAC, padding, padding length`.
    pub(crate) fn record(&self, text: &[u8], random: &Cheap) -> Result<Vec<u8>, Failure> {
        let keys = self.keys();
        let iv = if self.is_chained() { keys.iv.to_vec() } else { random.bytes(self.cipher.block_len()) };
        let mut text = text.to_vec();
        CbcEncryptor::new(self.cipher, keys.key, &iv)?.encrypt(&mut text)?;
        let [major, minor] = self.version.0.to_be_bytes();
        let sent: &[u8] = if self.is_chained() { &[] } else { &iv };
        let [.., high, low] = (sent.len() + text.len()).to_be_bytes();
        Ok([&[23, major, minor, high, low], sent, &text].concat())
    }
}

/// What is wrong with a record, whose MAC is wrong always. What SSL 3.0 has in its padding is nobody's business but its length:
/// there the classes with a wrong byte of it are two more with good padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Text {
    ShortPadding,
    HalfPadding,
    LongPadding,
    FirstByteWrong,
    LastByteWrong,
    Beyond,
}

impl Text {
    pub(crate) const ALL: [Self; 6] = [
        Self::ShortPadding,
        Self::HalfPadding,
        Self::LongPadding,
        Self::FirstByteWrong,
        Self::LastByteWrong,
        Self::Beyond,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::ShortPadding => "bad MAC, no padding",
            Self::HalfPadding => "bad MAC, half of the longest padding",
            Self::LongPadding => "bad MAC, the longest padding",
            Self::FirstByteWrong => "bad padding, its first byte",
            Self::LastByteWrong => "bad padding, its last byte",
            Self::Beyond => "bad padding, said to be 255 bytes",
        }
    }

    /// So many bytes, whose end says so much about padding, of which there are `longest` at most; each time others.
    pub(crate) fn bytes(self, length: usize, longest: usize, random: &Cheap) -> Vec<u8> {
        let padding = match self {
            Self::ShortPadding => 0,
            Self::HalfPadding => longest / 2,
            Self::LongPadding | Self::FirstByteWrong | Self::LastByteWrong => longest,
            Self::Beyond => 0,
        };
        let [byte, ..] = padding.to_le_bytes();
        let mut text = random.bytes(length);
        text.iter_mut().rev().take(padding + 1).for_each(|to| *to = byte);
        let wrong = match self {
            Self::FirstByteWrong => Some(padding),
            // What is before it is as random as data are: were it all the same, so would be the ciphertext.
            Self::Beyond => Some(0),
            Self::LastByteWrong => Some(1),
            Self::ShortPadding | Self::HalfPadding | Self::LongPadding => None,
        };
        if let Some(byte) = wrong.and_then(|distance| text.iter_mut().rev().nth(distance)) {
            *byte ^= if self == Self::Beyond { 0xff } else { 0x40 };
        }
        text
    }
}

/// Records that are refused.
///
/// DES reads tables at places that its input decides, so that some ciphertexts take longer than others, whatever is in
/// them. A pool that stays the same would have a mean time of its own: with each measurement one record is made anew.
pub(crate) struct Opening {
    protection: Protection,
    length: usize,
    random: Cheap,
    records: Vec<Vec<Vec<u8>>>,
    /// How many records were made anew.
    renewed: usize,
    opener: Option<Opener>,
    record: Vec<u8>,
}

impl Opening {
    pub(crate) fn new(protection: Protection, length: usize) -> Result<Self, Failure> {
        let random = Cheap::default();
        let records = pools(Text::ALL.len(), |class| make(protection, class, length, &random));
        let record = Vec::new();
        let opening = Self { protection, length, random, records, renewed: 0, opener: None, record };
        opening.check()?;
        Ok(opening)
    }

    /// Makes the next record anew, of whichever class it is.
    fn renew(&mut self) {
        let (class, lot) = (self.renewed % Text::ALL.len(), self.renewed / Text::ALL.len() % POOL);
        self.renewed += 1;
        let record = make(self.protection, class, self.length, &self.random);
        if let Some(slot) = self.records.get_mut(class).and_then(|pool| pool.get_mut(lot)) {
            *slot = record;
        }
    }

    /// All are refused for the same reason.
    fn check(&self) -> Result<(), Failure> {
        for record in self.records.iter().flatten() {
            let mut opener = Opener::new(&self.protection.keys()).map_err(|error| format!("{error:?}"))?;
            let opened = opener.open(&mut record.clone());
            if opened != Err(RecordError::BadMac) {
                return Err(format!("{}: {opened:?}", self.protection.name).into());
            }
        }
        Ok(())
    }
}

/// A record of a class.
fn make(protection: Protection, class: usize, length: usize, random: &Cheap) -> Vec<u8> {
    let text = Text::ALL.get(class).copied().unwrap_or(Text::ShortPadding);
    let text = text.bytes(length, protection.longest_padding(length), random);
    protection.record(&text, random).unwrap_or_default()
}

impl Subject for Opening {
    fn classes(&self) -> Vec<&'static str> {
        Text::ALL.map(Text::name).to_vec()
    }

    fn prepare(&mut self, class: usize, lot: usize) {
        self.renew();
        // A direction that has failed stays so: each record has an own one.
        self.opener = Opener::new(&self.protection.keys()).ok();
        self.record.clear();
        self.record.extend_from_slice(from_pool(&self.records, class, lot).map_or(&[], Vec::as_slice));
    }

    fn run(&mut self) {
        if let Some(opener) = &mut self.opener {
            drop(black_box(opener.open(&mut self.record)));
        }
    }
}
