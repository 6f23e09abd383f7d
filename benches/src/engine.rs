//! The engine beside itself: what a server spends on the oldest protocol beside a newer one, and on a session that is taken
//! up again beside a full handshake.
//!
//! Both ends are in one process; only the processor's time in the server's calls counts.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use schannel::Protocol;
use sspi_core::{QualityOfProtection, StreamLayout, StreamSizes};

use crate::records::drain;
use crate::subjects::{Certificate, Key, OurPair, Ours};
use crate::{Effort, Row, median};

/// A protocol, and the suite in which it is measured.
#[derive(Clone, Copy)]
struct Way {
    name: &'static str,
    protocol: Protocol,
    suite: &'static str,
}

const fn way(name: &'static str, protocol: Protocol, suite: &'static str) -> Way {
    Way { name, protocol, suite }
}

const SSL2: Way = way("SSL 2.0", Protocol::Ssl20, "SSL_CK_RC4_128_WITH_MD5");
const TLS10: Way = way("TLS 1.0", Protocol::Tls10, "TLS_RSA_WITH_RC4_128_MD5");

/// Resumption beside the full handshake. That of TLS 1.3 repeats a key exchange, and is for information.
const RESUMED: [(Way, f64); 8] = [
    (SSL2, 8.0),
    (way("PCT 1.0", Protocol::Pct1, "PCT1_RC4_128_WITH_MD5"), 8.0),
    (way("SSL 3.0", Protocol::Ssl30, "TLS_RSA_WITH_RC4_128_MD5"), 8.0),
    (TLS10, 8.0),
    (way("TLS 1.1", Protocol::Tls11, "TLS_RSA_WITH_AES_128_CBC_SHA"), 8.0),
    (way("TLS 1.2", Protocol::Tls12, "TLS_RSA_WITH_AES_128_CBC_SHA"), 8.0),
    (way("TLS 1.2 of rustls", Protocol::Tls12, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"), 8.0),
    (way("TLS 1.3", Protocol::Tls13, "TLS_AES_128_GCM_SHA256"), 0.0),
];

impl Way {
    fn subject(self, certificate: &Certificate, resume: bool) -> Ours {
        Ours::speaking(self.protocol, certificate, self.suite, resume)
    }
}

/// Server handshakes and records of the engine.
#[must_use]
pub fn engine(effort: Effort) -> Vec<Row> {
    let certificate = Certificate::new(Key::Rsa);
    let full = |way: Way| {
        let subject = way.subject(&certificate, false);
        move || subject.server_handshake(false)
    };
    let mut rows = vec![compare(
        effort,
        "a server's full handshakes, RSA-2048, SSL 2.0 : TLS 1.0".to_owned(),
        1.0,
        full(SSL2),
        full(TLS10),
    )];
    rows.extend(RESUMED.map(|(way, aim)| {
        let subject = way.subject(&certificate, true);
        // Two make sure: the first leaves a session, which the second takes up.
        let _first = subject.server_handshake(false);
        compare(
            effort,
            format!("a server's handshakes, RSA-2048, resumed : full, {}", way.name),
            aim,
            || subject.server_handshake(true),
            full(way),
        )
    }));
    rows.extend(bulk(effort, &certificate));
    rows
}

/// RC4-128-MD5 in both protocols, each with records as long as it has them.
fn bulk(effort: Effort, certificate: &Certificate) -> [Row; 2] {
    let [ssl2, tls10] = [SSL2, TLS10].map(|way| RefCell::new(Bulk::new(&way.subject(certificate, false))));
    let of = |name: &str, work: fn(&mut Bulk) -> (f64, Duration)| {
        let name = format!("{name} RC4-128-MD5, SSL 2.0 : TLS 1.0");
        let row =
            compare(effort, name, 1.0, || work(&mut ssl2.borrow_mut()), || work(&mut tls10.borrow_mut()));
        Row { unit: "MB/s", ..row }
    };
    [of("encrypt", |bulk| bulk.round().0), of("decrypt", |bulk| bulk.round().1)]
}

/// A connection, and a message in its memory.
struct Bulk {
    pair: OurPair,
    sizes: StreamSizes,
    memory: Vec<u8>,
}

#[expect(clippy::expect_used, reason = "a benchmark whose records fail has nothing to measure")]
impl Bulk {
    /// Megabytes, about.
    const BATCH: usize = 1 << 20;

    fn new(subject: &Ours) -> Self {
        let pair = subject.handshake();
        let sizes = pair.0.attributes().stream_sizes().expect("a stream");
        let memory = vec![0; StreamLayout::new(&sizes, sizes.maximum_message).end()];
        Self { pair, sizes, memory }
    }

    /// Encrypts records and decrypts them: megabytes and time of each.
    fn round(&mut self) -> ((f64, Duration), (f64, Duration)) {
        let length = self.sizes.maximum_message;
        let layout = StreamLayout::new(&self.sizes, length);
        let (mut wire, mut sealing) = (Vec::with_capacity(2 * Self::BATCH), Duration::ZERO);
        while wire.len() < Self::BATCH {
            let mut buffers = layout.buffers();
            let start = Instant::now();
            let client = &mut self.pair.0;
            client
                .encrypt_message(QualityOfProtection::Default, &mut self.memory, &mut buffers)
                .expect("a record");
            sealing += start.elapsed();
            wire.extend_from_slice(self.memory.get(StreamLayout::message_range(&buffers)).expect("a record"));
        }
        let megabytes = wire.len() as f64 / 1e6;
        let start = Instant::now();
        drain(&mut *self.pair.1, &mut wire);
        ((megabytes, sealing), (megabytes, start.elapsed()))
    }
}

/// As [`crate::compare`], of what each call says that it did, and how long that took.
fn compare(
    effort: Effort,
    name: String,
    aim: f64,
    ours: impl Fn() -> (f64, Duration),
    theirs: impl Fn() -> (f64, Duration),
) -> Row {
    let rate = |work: &dyn Fn() -> (f64, Duration)| {
        let start = Instant::now();
        let (mut done, mut took) = (0.0, Duration::ZERO);
        while start.elapsed() < effort.round {
            let (units, time) = work();
            done += units;
            took += time;
        }
        done / took.as_secs_f64()
    };
    let rounds: Vec<(f64, f64)> = (0..effort.rounds)
        .map(|round| {
            // Who goes first alternates.
            if round % 2 == 0 {
                let first = rate(&ours);
                (first, rate(&theirs))
            } else {
                let first = rate(&theirs);
                (rate(&ours), first)
            }
        })
        .collect();
    Row {
        name,
        ours: median(rounds.iter().map(|r| r.0)),
        theirs: median(rounds.iter().map(|r| r.1)),
        unit: "handshakes/s",
        ratio: median(rounds.iter().map(|r| r.0 / r.1)),
        aim,
        note: None,
    }
}
