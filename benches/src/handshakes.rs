//! Handshakes per second, both ends in one process.

use crate::subjects::{Certificate, Key, Ours, Theirs, Version, suite};
use crate::{Effort, Row, compare};

/// A full handshake, of each subject: for criterion.
pub struct FullHandshake {
    ours: Ours,
    theirs: Theirs,
}

/// A resumed handshake, of each subject: for criterion.
pub struct ResumedHandshake(FullHandshake);

impl FullHandshake {
    /// Certificates and configurations of a comparison.
    #[must_use]
    pub fn new(version: Version, key: Key) -> Self {
        let certificate = Certificate::new(key);
        let suite = suite(version, key);
        Self {
            ours: Ours::new(version, &certificate, suite),
            theirs: Theirs::new(version, &certificate, suite),
        }
    }

    fn without_resumption(version: Version, key: Key) -> Self {
        let certificate = Certificate::new(key);
        let suite = suite(version, key);
        Self {
            ours: Ours::with_resumption(version, &certificate, suite, false),
            theirs: Theirs::with_resumption(version, &certificate, suite, false),
        }
    }

    /// One of ours.
    pub fn ours(&self) {
        drop(self.ours.handshake());
    }

    /// One of theirs.
    pub fn theirs(&self) {
        drop(self.theirs.handshake());
    }
}

impl ResumedHandshake {
    /// The same, with a session made before.
    #[must_use]
    #[expect(
        clippy::panic,
        reason = "a benchmark of resumption that does not resume measures something else"
    )]
    pub fn new(version: Version, key: Key) -> Self {
        let both = FullHandshake::new(version, key);
        for round in 0..2 {
            let (context, _) = both.ours.handshake();
            let resumed = context.attributes().session_info().is_ok_and(|info| info.reconnect);
            let (client, _) = both.theirs.handshake();
            let theirs = client.handshake_kind() == Some(rustls::HandshakeKind::Resumed);
            if (resumed, theirs) != (round > 0, round > 0) {
                panic!("resumption does not work in round {round}: ours {resumed}, theirs {theirs}");
            }
        }
        Self(both)
    }

    /// One of ours.
    pub fn ours(&self) {
        self.0.ours();
    }

    /// One of theirs.
    pub fn theirs(&self) {
        self.0.theirs();
    }
}

/// Full and resumed handshakes of each protocol and key.
#[must_use]
pub fn handshakes(effort: Effort) -> Vec<Row> {
    let mut rows = Vec::new();
    for version in [Version::Tls13, Version::Tls12] {
        for key in [Key::Ecdsa, Key::Rsa] {
            let both = FullHandshake::without_resumption(version, key);
            let work = |run: &dyn Fn()| {
                run();
                1.0
            };
            rows.push(compare(
                effort,
                format!("full handshake, {version:?}, {key:?}"),
                "handshakes/s",
                0.97,
                || work(&|| both.ours()),
                || work(&|| both.theirs()),
            ));
        }
        let both = ResumedHandshake::new(version, Key::Ecdsa);
        rows.push(compare(
            effort,
            format!("resumed handshake, {version:?}"),
            "handshakes/s",
            0.97,
            || {
                both.ours();
                1.0
            },
            || {
                both.theirs();
                1.0
            },
        ));
    }
    rows
}
