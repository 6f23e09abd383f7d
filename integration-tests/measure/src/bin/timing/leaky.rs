//! The mistakes that the measurements must find, or they prove nothing. They are made here, and nowhere in the library.

use std::hint::black_box;

use crypto::cipher::CbcDecryptor;
use crypto::mac::HmacKey;
use opensspi_measure::sampling::{Cheap, Subject, from_pool, pools};

use crate::engine::Failure;
use crate::records::{Protection, Text};

/// How records are opened wrongly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mistake {
    /// A record with wrong padding is refused before its MAC is computed (Vaudenay 2002).
    RefusesEarly,
    /// The MAC is computed of as much data as there is (Lucky Thirteen 2013).
    HashesWhatIsThere,
}

/// Records of TLS 1.1 and later, opened wrongly.
pub(crate) struct Opening {
    mistake: Mistake,
    decryptor: CbcDecryptor,
    mac: HmacKey,
    block_len: usize,
    records: Vec<Vec<Vec<u8>>>,
    record: Vec<u8>,
}

impl Opening {
    pub(crate) fn new(mistake: Mistake, protection: Protection, length: usize) -> Result<Self, Failure> {
        let (random, longest) = (Cheap::default(), protection.longest_padding(length));
        let texts = match mistake {
            Mistake::RefusesEarly => [Text::ShortPadding, Text::LastByteWrong],
            Mistake::HashesWhatIsThere => [Text::ShortPadding, Text::LongPadding],
        };
        let records = pools(texts.len(), |class| {
            let text = texts.get(class).copied().unwrap_or(Text::ShortPadding);
            protection.record(&text.bytes(length, longest, &random), &random).unwrap_or_default()
        });
        let keys = protection.keys();
        Ok(Self {
            mistake,
            decryptor: CbcDecryptor::new(protection.cipher, keys.key, keys.iv)?,
            mac: HmacKey::new(protection.hash, keys.mac_secret),
            block_len: protection.cipher.block_len(),
            records,
            record: Vec::new(),
        })
    }

    fn open(&mut self) -> Option<bool> {
        let (iv, text) = self.record.get_mut(5..)?.split_at_mut_checked(self.block_len)?;
        self.decryptor.set_iv(iv).ok()?;
        self.decryptor.decrypt(text).ok()?;
        let mac_len = self.mac.hash().output_len();
        let padding = usize::from(*text.last()?);
        let end = text.len().checked_sub(padding + 1)?;
        let is_padded = text.get(end..)?.iter().all(|byte| usize::from(*byte) == padding);
        if self.mistake == Mistake::RefusesEarly && !is_padded {
            return None;
        }
        let data = text.get(..end.checked_sub(mac_len)?)?;
        Some(self.mac.sign(data).as_ref() == text.get(end - mac_len..end)?)
    }
}

impl Subject for Opening {
    fn classes(&self) -> Vec<&'static str> {
        match self.mistake {
            Mistake::RefusesEarly => vec![Text::ShortPadding.name(), Text::LastByteWrong.name()],
            Mistake::HashesWhatIsThere => vec![Text::ShortPadding.name(), Text::LongPadding.name()],
        }
    }

    fn prepare(&mut self, class: usize, lot: usize) {
        self.record.clear();
        self.record.extend_from_slice(from_pool(&self.records, class, lot).map_or(&[], Vec::as_slice));
    }

    fn run(&mut self) {
        black_box(self.open());
    }
}

/// A comparison that stops at the first difference, or the library's.
pub(crate) struct Comparing {
    right: [u8; 20],
    given: Vec<Vec<[u8; 20]>>,
    compared: [u8; 20],
    leaks: bool,
}

impl Comparing {
    pub(crate) fn new(leaks: bool) -> Self {
        let right = Cheap::default().bytes(20).first_chunk().copied().unwrap_or_default();
        let wrong_at = |at: usize| {
            let mut given: [u8; 20] = right;
            given.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1);
            given
        };
        let given = pools(3, |class| wrong_at([0, 19, 20].get(class).copied().unwrap_or(0)));
        Self { right, given, compared: right, leaks }
    }
}

impl Subject for Comparing {
    fn classes(&self) -> Vec<&'static str> {
        vec!["wrong in its first byte", "wrong in its last byte", "right"]
    }

    fn prepare(&mut self, class: usize, lot: usize) {
        if let Some(given) = from_pool(&self.given, class, lot) {
            self.compared = *given;
        }
    }

    fn run(&mut self) {
        let (right, compared) = (black_box(&self.right), black_box(&self.compared));
        black_box(if self.leaks {
            right.iter().zip(compared).all(|(a, b)| black_box(a) == black_box(b))
        } else {
            crypto::constant_time::ct_eq(right, compared)
        });
    }
}
