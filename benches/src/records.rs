//! Bulk protection of 16 KiB records, one direction at a time.

use std::io::{Read, Write};

use sspi_core::{
    Decrypted, QualityOfProtection, ReceivingHalf, SecBuffer, SecBufferType, StreamLayout, StreamSizes,
};

use crate::subjects::{Certificate, Key, OurPair, Ours, TheirPair, Theirs, Version};
use crate::{Effort, Row, compare};

/// The size of the records that are measured.
const RECORD: usize = 16 * 1024;
/// Records in one piece of work when decrypting: they are made beforehand, outside the measured time.
const BATCH: usize = 64;

/// Takes every record off `input`, for its effect on the context.
#[expect(clippy::panic, reason = "a benchmark whose records do not open has nothing to measure")]
pub(crate) fn drain(receiver: &mut dyn ReceivingHalf, input: &mut [u8]) {
    let mut start = 0;
    while start < input.len() {
        let mut buffers = data_and_empty(start..input.len());
        match receiver.decrypt_message(input, &mut buffers) {
            Ok(Decrypted::Message) => {}
            other => panic!("a record came to {other:?}"),
        }
        let [.., extra] = buffers;
        start = if extra.buffer_type == SecBufferType::EXTRA { extra.offset } else { input.len() };
    }
}

fn data_and_empty(range: core::ops::Range<usize>) -> [SecBuffer; 4] {
    [SecBuffer::new(SecBufferType::DATA, range), SecBuffer::EMPTY, SecBuffer::EMPTY, SecBuffer::EMPTY]
}

/// An established connection of each subject with the same suite: for criterion.
pub struct Bulk {
    ours: OurPair,
    theirs: TheirPair,
    sizes: StreamSizes,
    plain: Vec<u8>,
    memory: Vec<u8>,
    wire: Vec<u8>,
    batch: Vec<u8>,
    received: Vec<u8>,
}

#[expect(clippy::expect_used, reason = "a benchmark whose records fail has nothing to measure")]
impl Bulk {
    /// Handshakes with this suite.
    #[must_use]
    pub fn new(version: Version, suite: &str) -> Self {
        let certificate = Certificate::new(Key::Ecdsa);
        let ours = Ours::new(version, &certificate, suite).handshake();
        let theirs = Theirs::new(version, &certificate, suite).handshake();
        let sizes = ours.0.attributes().stream_sizes().expect("a stream");
        let mut plain = vec![0; RECORD];
        for (i, byte) in plain.iter_mut().enumerate() {
            *byte = (i % 251).try_into().unwrap_or_default();
        }
        let mut memory = vec![0; StreamLayout::new(&sizes, RECORD).end()];
        let range = StreamLayout::new(&sizes, RECORD).data_range();
        memory.get_mut(range).expect("a layout").copy_from_slice(&plain);
        Self {
            ours,
            theirs,
            sizes,
            plain,
            memory,
            wire: Vec::with_capacity(RECORD + 256),
            batch: Vec::new(),
            received: vec![0; RECORD],
        }
    }

    /// Encrypts one record of ours, in the caller's memory. What was encrypted before is encrypted again: the cost is the
    /// same.
    pub fn our_encrypt(&mut self) {
        let layout = StreamLayout::new(&self.sizes, RECORD);
        let mut buffers = layout.buffers();
        let context = &mut self.ours.0;
        context
            .encrypt_message(QualityOfProtection::Default, &mut self.memory, &mut buffers)
            .expect("a record");
    }

    /// Encrypts one record of theirs, from the caller's memory into a buffer that is kept.
    pub fn their_encrypt(&mut self) {
        let client = &mut self.theirs.0;
        client.writer().write_all(&self.plain).expect("memory");
        self.wire.clear();
        while client.wants_write() {
            client.write_tls(&mut self.wire).expect("memory");
        }
    }

    /// Makes the records that [`our_decrypt`](Self::our_decrypt) takes.
    pub fn our_batch(&mut self) {
        self.batch.clear();
        for _ in 0..BATCH {
            let layout = StreamLayout::new(&self.sizes, RECORD);
            let mut buffers = layout.buffers();
            let context = &mut self.ours.0;
            context
                .encrypt_message(QualityOfProtection::Default, &mut self.memory, &mut buffers)
                .expect("a record");
            self.batch
                .extend_from_slice(self.memory.get(StreamLayout::message_range(&buffers)).expect("a record"));
        }
    }

    /// Decrypts a batch of ours, in place.
    pub fn our_decrypt(&mut self) {
        let Self { ours, batch, .. } = self;
        drain(&mut *ours.1, batch);
    }

    /// Makes the records that [`their_decrypt`](Self::their_decrypt) takes.
    pub fn their_batch(&mut self) {
        self.batch.clear();
        for _ in 0..BATCH {
            self.theirs.0.writer().write_all(&self.plain).expect("memory");
            while self.theirs.0.wants_write() {
                self.theirs.0.write_tls(&mut self.batch).expect("memory");
            }
        }
    }

    /// Decrypts a batch of theirs, as an application reads it.
    pub fn their_decrypt(&mut self) {
        let mut input = self.batch.as_slice();
        let server = &mut self.theirs.1;
        while !input.is_empty() {
            server.read_tls(&mut input).expect("memory");
            let mut left = server.process_new_packets().expect("records").plaintext_bytes_to_read();
            while left > 0 {
                left -= server.reader().read(&mut self.received).expect("memory");
            }
        }
    }
}

/// Encrypting and decrypting 16 KiB records with each suite that rustls has for the protocol.
#[must_use]
pub fn records(effort: Effort) -> Vec<Row> {
    let mut rows = Vec::new();
    for (version, suite, encrypt, decrypt) in [
        (Version::Tls13, "TLS_AES_128_GCM_SHA256", 1.1, 1.25),
        (Version::Tls13, "TLS_AES_256_GCM_SHA384", 1.1, 1.25),
        // ChaCha20 itself takes most of the time: what is saved around it weighs less.
        (Version::Tls13, "TLS_CHACHA20_POLY1305_SHA256", 1.0, 1.05),
        (Version::Tls12, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", 1.1, 1.25),
    ] {
        let bulk = std::cell::RefCell::new(Bulk::new(version, suite));
        let megabytes = |records: usize| (records * RECORD) as f64 / 1e6;
        rows.push(compare(
            effort,
            format!("encrypt 16 KiB, {suite}"),
            "MB/s",
            encrypt,
            || {
                bulk.borrow_mut().our_encrypt();
                megabytes(1)
            },
            || {
                bulk.borrow_mut().their_encrypt();
                megabytes(1)
            },
        ));
        rows.push(decrypting(effort, suite, decrypt, &mut Bulk::new(version, suite), megabytes(BATCH)));
    }
    rows
}

/// Decrypting is timed by itself: the records are made outside the time.
fn decrypting(effort: Effort, suite: &str, aim: f64, bulk: &mut Bulk, megabytes: f64) -> Row {
    let mut rounds = Vec::new();
    for _ in 0..effort.rounds {
        let (mut ours, mut theirs) = (0.0, 0.0);
        let mut batches = 0.0;
        while ours < effort.round.as_secs_f64() {
            bulk.our_batch();
            let start = std::time::Instant::now();
            bulk.our_decrypt();
            ours += start.elapsed().as_secs_f64();
            bulk.their_batch();
            let start = std::time::Instant::now();
            bulk.their_decrypt();
            theirs += start.elapsed().as_secs_f64();
            batches += 1.0;
        }
        rounds.push((batches * megabytes / ours, batches * megabytes / theirs));
    }
    Row {
        name: format!("decrypt 16 KiB, {suite}"),
        ours: crate::median(rounds.iter().map(|r| r.0)),
        theirs: crate::median(rounds.iter().map(|r| r.1)),
        unit: "MB/s",
        ratio: crate::median(rounds.iter().map(|r| r.0 / r.1)),
        aim,
        note: None,
    }
}
