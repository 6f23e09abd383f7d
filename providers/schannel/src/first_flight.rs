//! The first bytes of a peer: what protocol they are, and what a ClientHello offers.

use legacy_tls::{FirstFlight, Offer, ProtocolVersion};
use sspi_core::SpProt;
use wire::{DecodeError, Reader};

use crate::backend::records::{ALERT, HANDSHAKE, MAX_PLAINTEXT, RECORD_HEADER};
use crate::cipher_suites::SuiteRow;

/// What a first flight is, for a sentence that ends in "it sent …".
pub(crate) const fn describe(flight: FirstFlight) -> &'static str {
    match flight {
        FirstFlight::TlsRecord => "a TLS record",
        FirstFlight::Ssl2Hello => "a hello of SSL 2.0",
        FirstFlight::V2Hello => "a hello in the format of SSL 2.0",
        FirstFlight::Pct1Hello => "a hello of PCT 1.0",
        FirstFlight::PlainText => "plain text, such as an HTTP request without TLS",
        FirstFlight::Ssh => "an SSH identification",
        FirstFlight::NegotiateStream => "a frame of NegotiateStream (MS-NNS)",
        FirstFlight::Ntlm => "a message of NTLM without TLS",
        FirstFlight::GssToken => "a token of SPNEGO or Kerberos without TLS",
        _ => "bytes of no protocol that is known here",
    }
}

/// What the server's first flight begins with: whose handshake it is that goes on.
#[derive(Debug, Default)]
pub(crate) struct ServerFlight {
    /// What has come of the ServerHello, without the headers of records.
    messages: Vec<u8>,
    /// Warnings that came before it.
    warnings: usize,
    decision: Option<Decision>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Decision {
    /// Version and suite of a ServerHello.
    Hello { version: u16, suite: u16 },
    /// A fatal alert.
    Refusal { alert: u8 },
    /// Something else, or what is no TLS at all.
    SomethingElse,
}

/// How far a look into the server's records came.
pub(crate) struct Scan {
    /// Bytes of whole records.
    pub(crate) used: usize,
    /// Bytes that are missing of the next one.
    pub(crate) missing: usize,
}

/// More warnings before a ServerHello are a flood.
const MOST_WARNINGS: usize = 4;
/// A ServerHello that is longer is none that anybody sends.
const MAX_SERVER_HELLO: usize = 16 << 10;

impl ServerFlight {
    /// Looks at whole records of `input`, until it is known who goes on. What is looked at without coming to that must not be
    /// presented again.
    pub(crate) fn records(&mut self, input: &[u8]) -> Scan {
        let mut used = 0;
        while self.decision.is_none() {
            let rest = input.get(used..).unwrap_or_default();
            let Some((header, body)) = rest.split_first_chunk::<RECORD_HEADER>() else {
                return Scan { used, missing: RECORD_HEADER - rest.len() };
            };
            let [content_type, major, _, high, low] = *header;
            let len = usize::from(u16::from_be_bytes([high, low]));
            if (content_type, major, len) == (ALERT, 3, 2) {
                let Some(&[level, alert]) = body.first_chunk::<2>() else {
                    return Scan { used, missing: 2 - body.len() };
                };
                // There are servers that warn a client whose name they do not know, and go on; who goes on with them hears
                // the warning too. Spec: TLS-EXT section 3.
                self.warnings += usize::from(level == 1);
                if level == 1 && self.warnings <= MOST_WARNINGS {
                    used += RECORD_HEADER + len;
                    continue;
                }
                self.decision = Some(match level {
                    2 => Decision::Refusal { alert },
                    _ => Decision::SomethingElse,
                });
                break;
            }
            // Handshake records have content: what is looked at is kept, and nothing may be looked at for ever.
            if content_type != HANDSHAKE || major != 3 || !(1..=MAX_PLAINTEXT).contains(&len) {
                self.decision = Some(Decision::SomethingElse);
                break;
            }
            let Some(content) = body.get(..len) else { return Scan { used, missing: len - body.len() } };
            used += RECORD_HEADER + len;
            self.messages.extend_from_slice(content);
            self.decide();
        }
        Scan { used, missing: 0 }
    }

    fn decide(&mut self) {
        const SERVER_HELLO: u8 = 2;
        // A HelloRequest in a handshake says nothing. Spec: TLS12 section 7.4.1.1.
        while self.messages.starts_with(&[0; 4]) {
            self.messages.drain(..4);
        }
        let is_hello = self.messages.first().is_none_or(|kind| *kind == SERVER_HELLO)
            || [0; 4].starts_with(&self.messages);
        self.decision = if !is_hello || self.messages.len() > MAX_SERVER_HELLO {
            Some(Decision::SomethingElse)
        } else if let Some((version, suite)) = Self::hello(&self.messages) {
            Some(Decision::Hello { version, suite })
        } else {
            // A hello that is whole and too short to have a suite never becomes one.
            self.is_whole().then_some(Decision::SomethingElse)
        };
    }

    /// Whether all of the first message is there.
    fn is_whole(&self) -> bool {
        let Some((&[_, a, b, c], body)) = self.messages.split_first_chunk::<4>() else { return false };
        usize::try_from(u32::from_be_bytes([0, a, b, c])).is_ok_and(|len| body.len() >= len)
    }

    /// Version and suite, once they are there. Spec: TLS12 section 7.4.1.3.
    fn hello(messages: &[u8]) -> Option<(u16, u16)> {
        let mut hello = Reader::new(messages.get(4..)?);
        let version = hello.u16("ServerHello.server_version").ok()?;
        hello.take("ServerHello.random", 32).ok()?;
        hello.opaque_u8("ServerHello.session_id").ok()?;
        Some((version, hello.u16("ServerHello.cipher_suite").ok()?))
    }

    /// Whether it is known who goes on.
    pub(crate) const fn is_decided(&self) -> bool {
        self.decision.is_some()
    }

    /// The alert with which the server has refused the hello.
    pub(crate) const fn refusal(&self) -> Option<u8> {
        match self.decision {
            Some(Decision::Refusal { alert }) => Some(alert),
            _ => None,
        }
    }

    /// Whether it is the engine, which has `suites` for itself, and all of TLS 1.2 if rustls has not. What is not a
    /// ServerHello is left to rustls, which says so.
    pub(crate) fn is_legacy(&self, suites: &[u16], rustls_has_tls12: bool) -> bool {
        const TLS12: u16 = 0x0303;
        // A ServerHello of TLS 1.3 has the version of TLS 1.2. Spec: TLS13 section 4.1.3.
        let is_tls13 = |suite| SuiteRow::by_code(suite).is_some_and(|row| row.is_tls13);
        match self.decision {
            Some(Decision::Hello { version, suite }) => {
                version < TLS12
                    || suites.contains(&suite)
                    || (version == TLS12 && !rustls_has_tls12 && !is_tls13(suite))
            }
            Some(Decision::Refusal { .. } | Decision::SomethingElse) | None => false,
        }
    }
}

/// Whether the body of a ClientHello has this suite: without looking at anything else, since every server asks.
pub(crate) fn has_suite(hello: &[u8], suite: u16) -> bool {
    let suites = || {
        let mut hello = Reader::new(hello.get(34..)?);
        hello.opaque_u8("ClientHello.legacy_session_id").ok()?;
        hello.opaque_u16("ClientHello.cipher_suites").ok()
    };
    suites().is_some_and(|suites| suites.chunks_exact(2).any(|s| s == suite.to_be_bytes()))
}

/// The handshake messages in whole records, without the records' headers.
pub(crate) fn handshake_messages(mut records: &[u8]) -> Vec<u8> {
    let mut messages = Vec::with_capacity(records.len());
    while let Some((&[content_type, _, _, high, low], rest)) = records.split_first_chunk::<RECORD_HEADER>() {
        let len = usize::from(u16::from_be_bytes([high, low]));
        let Some((content, after)) = rest.split_at_checked(len) else { break };
        if content_type == HANDSHAKE {
            messages.extend_from_slice(content);
        }
        records = after;
    }
    messages
}

/// What a ClientHello offers, for messages and for decisions before an engine sees it.
///
/// Spec: TLS13 section 4.1.2.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct HelloSummary {
    /// Versions, as on the wire, in the client's order.
    pub(crate) versions: Vec<u16>,
    /// Whether they stand in `supported_versions`, and older ones are not meant.
    pub(crate) lists_versions: bool,
    /// Suites, in the client's order.
    pub(crate) suites: Vec<u16>,
    /// Groups, in the client's order.
    pub(crate) groups: Vec<u16>,
    /// Application protocols, in the client's order.
    pub(crate) alpn: Vec<Vec<u8>>,
}

const SUPPORTED_GROUPS: u16 = 10;
const ALPN: u16 = 16;
const SUPPORTED_VERSIONS: u16 = 43;

impl HelloSummary {
    /// Reads the body of a ClientHello (without the four bytes of its message header).
    pub(crate) fn parse(body: &[u8]) -> Result<Self, DecodeError> {
        let mut hello = Reader::new(body);
        let legacy_version = hello.u16("ClientHello.legacy_version")?;
        hello.take("ClientHello.random", 32)?;
        hello.opaque_u8("ClientHello.legacy_session_id")?;
        let mut out = Self::default();
        let mut suites = hello.vec_u16("ClientHello.cipher_suites")?;
        while !suites.is_empty() {
            out.suites.push(suites.u16("ClientHello.cipher_suites")?);
        }
        hello.opaque_u8("ClientHello.legacy_compression_methods")?;
        if !hello.is_empty() {
            let mut extensions = hello.vec_u16("ClientHello.extensions")?;
            while !extensions.is_empty() {
                let kind = extensions.u16("Extension.extension_type")?;
                out.extension(kind, extensions.vec_u16("Extension.extension_data")?)?;
            }
        }
        if out.versions.is_empty() {
            out.versions.push(legacy_version);
        }
        Ok(out)
    }

    fn extension(&mut self, kind: u16, mut data: Reader<'_>) -> Result<(), DecodeError> {
        match kind {
            SUPPORTED_GROUPS => {
                let mut groups = data.vec_u16("supported_groups")?;
                while !groups.is_empty() {
                    self.groups.push(groups.u16("supported_groups")?);
                }
            }
            ALPN => {
                let mut names = data.vec_u16("application_layer_protocol_negotiation")?;
                while !names.is_empty() {
                    self.alpn.push(names.opaque_u8("application_layer_protocol_negotiation")?.to_vec());
                }
            }
            SUPPORTED_VERSIONS => {
                self.lists_versions = true;
                let mut versions = data.vec_u8("supported_versions")?;
                while !versions.is_empty() {
                    self.versions.push(versions.u16("supported_versions")?);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// The protocols that are offered. Without `supported_versions` a hello names its highest only.
    pub(crate) fn offer(&self) -> Offer {
        match *self.versions.as_slice() {
            [highest] if !self.lists_versions => Offer::up_to(ProtocolVersion(highest)),
            _ => Offer::of(self.versions.iter().copied().map(ProtocolVersion)),
        }
    }

    /// The protocols that are offered, by name. Without `supported_versions` a hello names its highest only.
    pub(crate) fn protocols(&self) -> String {
        let names: Vec<&str> = self.versions.iter().filter_map(|v| version_name(*v)).collect();
        match names.as_slice() {
            [] => "none that is known here".to_owned(),
            [one] => format!("{one} and older"),
            several => several.join(", "),
        }
    }

    /// The suites that are offered, as far as a message has room.
    pub(crate) fn suites(&self) -> String {
        some_of(self.suites.iter().map(|code| format!("{code:04x}")))
    }

    /// The groups that are offered, as far as a message has room.
    pub(crate) fn groups(&self) -> String {
        some_of(self.groups.iter().map(|code| format!("{code:04x}")))
    }

    /// The application protocols that are offered, made harmless.
    pub(crate) fn alpn(&self) -> String {
        some_of(self.alpn.iter().map(|name| name.escape_ascii().to_string()))
    }
}

fn some_of(mut items: impl Iterator<Item = String>) -> String {
    let shown: Vec<String> = items.by_ref().take(12).collect();
    let more = items.count();
    match (shown.is_empty(), more) {
        (true, _) => "none".to_owned(),
        (_, 0) => shown.join(" "),
        _ => format!("{} and {more} more", shown.join(" ")),
    }
}

/// The name of a protocol version as on the wire.
pub(crate) fn version_name(version: u16) -> Option<&'static str> {
    Some(match version {
        0x0304 => "TLS 1.3",
        0x0303 => "TLS 1.2",
        0x0302 => "TLS 1.1",
        0x0301 => "TLS 1.0",
        0x0300 => "SSL 3.0",
        0x8001 => "PCT 1.0",
        0x0002 => "SSL 2.0",
        _ => return None,
    })
}

/// The protocol of a version as on the wire, both roles.
pub(crate) fn version_bits(version: u16) -> SpProt {
    match version {
        0x0304 => SpProt::TLS1_3,
        0x0303 => SpProt::TLS1_2,
        0x0302 => SpProt::TLS1_1,
        0x0301 => SpProt::TLS1_0,
        0x0300 => SpProt::SSL3,
        0x0002 => SpProt::SSL2,
        0x8001 => SpProt::PCT1,
        _ => SpProt::NONE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hello_is_summarised_and_every_cut_of_it_refused() {
        let mut hello = vec![3, 3];
        hello.extend([7; 32]);
        hello.extend([0, 0, 4, 0x13, 1, 0, 0x2f, 1, 0]);
        let extensions = [0, 43, 0, 3, 2, 3, 4, 0, 16, 0, 5, 0, 3, 2, b'h', 0x1b];
        hello.extend([0, 16]);
        hello.extend(extensions);
        let summary = HelloSummary::parse(&hello).unwrap();
        assert_eq!(summary.versions, [0x304]);
        assert_eq!(summary.suites(), "1301 002f");
        assert_eq!(summary.alpn(), "h\\x1b", "control characters are made harmless");
        for cut in 0..hello.len() {
            // A hello may end before its extensions.
            assert_eq!(HelloSummary::parse(&hello[..cut]).is_ok(), cut == hello.len() - 18, "{cut}");
        }
    }

    /// A ServerHello of this version and suite, cut into records of `piece` bytes.
    fn server_hello(version: u16, suite: u16, piece: usize) -> Vec<u8> {
        let mut body = version.to_be_bytes().to_vec();
        body.extend([9; 32]);
        body.extend([2, 7, 7]);
        body.extend(suite.to_be_bytes());
        body.push(0);
        let message = [&[2, 0, 0, u8::try_from(body.len()).unwrap()][..], &body].concat();
        let record = |piece: &[u8]| [&[22, 3, 3, 0, u8::try_from(piece.len()).unwrap()][..], piece].concat();
        message.chunks(piece).flat_map(record).collect()
    }

    #[test]
    fn a_server_hello_says_who_goes_on_however_it_arrives() {
        for (version, suite, is_legacy) in [
            (0x0303, 0x1301, false),
            (0x0303, 0xc02f, false),
            (0x0303, 0x002f, true),
            (0x0303, 0x0035, false),
            (0x0302, 0xc02f, true),
            (0x0300, 0x0035, true),
        ] {
            for piece in [1, 5, 42, 100] {
                let bytes = server_hello(version, suite, piece);
                for chunk in [1, 3, 1000] {
                    let (mut flight, mut input) = (ServerFlight::default(), Vec::new());
                    for arriving in bytes.chunks(chunk) {
                        input.extend_from_slice(arriving);
                        let scan = flight.records(&input);
                        assert!(flight.is_decided() || scan.missing > 0);
                        input.drain(..scan.used);
                    }
                    assert!(flight.is_decided(), "{version:04x} {suite:04x} {piece} {chunk}");
                    assert_eq!(flight.is_legacy(&[0x002f], true), is_legacy, "{version:04x} {suite:04x}");
                    let without = flight.is_legacy(&[0x002f], false);
                    assert_eq!(without, suite != 0x1301, "rustls has no TLS 1.2: {version:04x} {suite:04x}");
                }
            }
        }
    }

    #[test]
    fn a_few_warnings_may_come_before_a_server_hello() {
        const WARNING: [u8; 7] = [21, 3, 1, 0, 2, 1, 112];
        for count in 0..=5 {
            let mut flight = ServerFlight::default();
            let bytes = [WARNING.repeat(count), server_hello(0x0301, 0x002f, 100)].concat();
            let scan = flight.records(&bytes);
            assert!(flight.is_decided() && flight.refusal().is_none());
            assert_eq!(flight.is_legacy(&[], true), count < 5, "{count}");
            assert_eq!(scan.used == bytes.len(), count < 5, "{count}");
        }
    }

    #[test]
    fn what_is_no_server_hello_is_left_to_rustls() {
        for bytes in [
            &[21, 3, 3, 0, 2, 2, 40][..],
            &[22, 3, 3, 0, 1, 1],
            &[22, 3, 3, 0, 6, 2, 0, 0, 2, 3, 3],
            &[22, 3, 3, 0xff, 0xff],
            &[22, 2, 0, 0, 1, 2],
            b"HTTP/1.1 400 Bad Request",
        ] {
            let mut flight = ServerFlight::default();
            flight.records(bytes);
            assert!(flight.is_decided() && !flight.is_legacy(&[0x002f], true), "{bytes:02x?}");
        }
        // A ServerHello that never comes to its suite.
        let mut flight = ServerFlight::default();
        let record = [&[22, 3, 3, 0x40, 0, 2, 0, 0xff, 0xff, 3, 1][..], &[0; 16378]].concat();
        assert_eq!(flight.records(&record).used, record.len());
        assert!(flight.is_decided(), "a suite is there soon enough");
    }

    #[test]
    fn a_signal_is_found_among_the_suites_and_nowhere_else() {
        let mut hello = vec![3, 1];
        hello.extend([0x56; 32]);
        hello.extend([2, 0x56, 0, 0, 4, 0, 0x56, 0, 0x2f, 1, 0]);
        assert!(has_suite(&hello, 0x002f) && has_suite(&hello, 0x0056));
        assert!(!has_suite(&hello, 0x5600), "two suites beside each other are not one");
        for cut in 0..hello.len() - 2 {
            assert!(!has_suite(&hello[..cut], 0x002f), "{cut}");
        }
    }

    #[test]
    fn messages_are_taken_out_of_their_records() {
        let records = [&[22, 3, 1, 0, 2, 1, 2][..], &[20, 3, 1, 0, 1, 1], &[22, 3, 1, 0, 1, 3]].concat();
        assert_eq!(handshake_messages(&records), [1, 2, 3]);
        assert_eq!(handshake_messages(&records[..records.len() - 1]), [1, 2]);
    }
}
