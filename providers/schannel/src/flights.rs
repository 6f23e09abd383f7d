//! What hellos, alerts and errors say that travel in clear, for those who look at them: nothing here runs a handshake.

use std::fmt;

pub use legacy_tls::Ssl2ErrorCode;
pub use legacy_tls::pct1::ErrorCode as Pct1ErrorCode;
use legacy_tls::{AlertLevel, FirstFlight, HandshakeType, OldHello};
use wire::Reader;

use crate::backend::records::{ALERT, HANDSHAKE, MAX_PLAINTEXT, RECORD_HEADER};
use crate::cipher_suites::Suite;
use crate::config::{Protocol, SchannelConfig};
use crate::first_flight::{HelloSummary, describe, version_name};
use crate::status::alert_meaning;
use crate::suite_info::{protocols_to_enable, suites_to_enable};

/// What some bytes of these protocols say.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Flight {
    /// What they are, such as `TLS ClientHello`.
    pub kind: String,
    /// What is in them, in their order.
    pub facts: Vec<Fact>,
    /// The protocols that are offered, or chosen.
    pub protocols: Vec<Protocol>,
    /// The suites that are offered, or chosen, by name.
    pub suites: Vec<String>,
    /// What would have a default configuration take an offer that it refuses, as it stands in the section `[schannel]`.
    pub remedy: Option<String>,
    /// The alert that is told.
    pub alert: Option<u8>,
    /// The error of SSL 2.0 that is told.
    pub ssl2_error: Option<Ssl2ErrorCode>,
    /// The error of PCT 1.0 that is told.
    pub pct1_error: Option<Pct1ErrorCode>,
}

/// Something that stands there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// Where, in bytes from the beginning, and how many bytes; for what has a place of its own.
    pub place: Option<(usize, usize)>,
    /// The field.
    pub field: &'static str,
    /// Its value. What a peer may write as it likes is escaped.
    pub value: String,
    /// What it means, if there is something to say.
    pub meaning: String,
}

/// Why bytes that begin like one of these protocols are not of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Where, in bytes from the beginning.
    pub offset: usize,
    /// The field.
    pub field: &'static str,
    /// What is wrong.
    pub what: String,
    /// What could be read before.
    pub flight: Box<Flight>,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at byte {}, in {}: {}", self.offset, self.field, self.what)
    }
}

impl std::error::Error for Broken {}

/// Whether bytes begin as a message of one of these protocols does.
#[must_use]
pub fn is_one(bytes: &[u8]) -> bool {
    match *bytes {
        [0x14..=0x17, 3, 0..=4, high, low, ..] => {
            // What encryption adds. Spec: TLS12 section 6.2.3.
            let len = usize::from(u16::from_be_bytes([high, low]));
            (1..=MAX_PLAINTEXT + 2048).contains(&len)
        }
        _ => bare_handshake(bytes).is_some() || old(bytes).is_some(),
    }
}

/// Reads such bytes.
///
/// # Errors
/// They break their format; what could be read is in the error.
pub fn read(bytes: &[u8]) -> Result<Flight, Broken> {
    let mut flight = Flight::new(String::new());
    let read = if let [0x14..=0x17, 3, ..] = bytes {
        flight.records(bytes)
    } else if let Some(message) = bare_handshake(bytes) {
        flight.message(message, 0)
    } else {
        flight.old_message(bytes)
    };
    flight.say_what_it_is(bytes);
    match read {
        Ok(()) => Ok(flight),
        Err(Wrong(offset, field, what)) => Err(Broken { offset, field, what, flight: Box::new(flight) }),
    }
}

struct Wrong(usize, &'static str, String);

/// A ClientHello or a ServerHello without a record around it.
fn bare_handshake(bytes: &[u8]) -> Option<&[u8]> {
    let [1 | 2, a, b, c, 3, 0..=4, ..] = *bytes else { return None };
    let len = usize::try_from(u32::from_be_bytes([0, a, b, c])).ok()?;
    (bytes.len() == len.checked_add(4)?).then_some(bytes)
}

/// A message of SSL 2.0 or PCT 1.0 that travels in clear.
enum OldMessage {
    Hello,
    Ssl2ServerHello { is_resumed: bool },
    Ssl2Error(Ssl2ErrorCode),
    Pct1ServerHello,
    Pct1Error(Pct1ErrorCode),
}

/// Which message of SSL 2.0 or PCT 1.0 these bytes are, if they are one.
fn old(bytes: &[u8]) -> Option<OldMessage> {
    use FirstFlight::{Pct1Hello, Ssl2Hello, V2Hello};
    if let Ok(Ssl2Hello | V2Hello | Pct1Hello) = FirstFlight::of(bytes)
        && matches!(OldHello::read(bytes), Ok(Ok(_)))
    {
        return Some(OldMessage::Hello);
    }
    let [high @ 0x80..=0xff, low, message @ ..] = bytes else { return None };
    if message.len() != usize::from(u16::from_be_bytes([high & 0x7f, *low])) {
        return None;
    }
    // Spec: SSL2 sections 5.5 and 5.6; PCT1 sections 5.2.2 and 5.4.
    match *message {
        [0, high, low] => Some(OldMessage::Ssl2Error(Ssl2ErrorCode(u16::from_be_bytes([high, low])))),
        [4, hit @ (0 | 1), 0 | 1, 0, 2, ..] => Some(OldMessage::Ssl2ServerHello { is_resumed: hit == 1 }),
        [2, _, 0x80, 1, ..] => Some(OldMessage::Pct1ServerHello),
        [5, high, low, 0, 0 | 6, ..] => {
            Some(OldMessage::Pct1Error(Pct1ErrorCode(u16::from_be_bytes([high, low]))))
        }
        _ => None,
    }
}

impl Flight {
    const fn new(kind: String) -> Self {
        Self {
            kind,
            facts: Vec::new(),
            protocols: Vec::new(),
            suites: Vec::new(),
            remedy: None,
            alert: None,
            ssl2_error: None,
            pct1_error: None,
        }
    }

    fn say_what_it_is(&mut self, bytes: &[u8]) {
        if self.kind.is_empty() {
            self.kind = FirstFlight::of(bytes).map_or("the beginning of something", describe).to_owned();
        }
    }

    fn fact(&mut self, place: Option<(usize, usize)>, field: &'static str, value: String, meaning: &str) {
        self.facts.push(Fact { place, field, value, meaning: meaning.to_owned() });
    }

    /// The name of the first message, and of those behind it.
    fn name(&mut self, name: &str) {
        let separator = if self.kind.is_empty() { "TLS " } else { ", " };
        self.kind.push_str(separator);
        self.kind.push_str(name);
    }

    /// Records of SSL 3.0 or TLS, as far as they are in clear.
    fn records(&mut self, bytes: &[u8]) -> Result<(), Wrong> {
        let (mut at, mut is_encrypted) = (0, false);
        let mut messages = Vec::new();
        while let Some((&[content_type, major, minor, high, low], rest)) =
            bytes.get(at..).and_then(<[u8]>::split_first_chunk::<RECORD_HEADER>)
        {
            let len = usize::from(u16::from_be_bytes([high, low]));
            let version = u16::from_be_bytes([major, minor]);
            let called = version_name(version).map_or_else(|| format!("{version:04x}"), str::to_owned);
            let kind = record_kind(content_type);
            let value = format!("{kind}, {called}, {len} bytes");
            self.fact(Some((at, RECORD_HEADER)), "record", value, "");
            let Some(content) = rest.get(..len) else {
                let missing = len - rest.len();
                return Err(Wrong(at, "record", format!("{missing} of its {len} bytes are missing")));
            };
            at += RECORD_HEADER;
            match (content_type, content) {
                (HANDSHAKE, _) if !is_encrypted => messages.extend_from_slice(content),
                (HANDSHAKE, _) => self.name("an encrypted handshake message"),
                (ALERT, &[level, number]) if !is_encrypted => self.told(at, level, number),
                (ALERT, _) => self.name("an encrypted alert"),
                (CHANGE_CIPHER_SPEC, _) => {
                    self.name("ChangeCipherSpec");
                    is_encrypted = true;
                }
                _ => self.name("encrypted data"),
            }
            while let Some((message, behind)) = split_message(&messages) {
                let (message, behind) = (message.to_vec(), behind.to_vec());
                // Where it lies is known if no record's end cuts it.
                let offset = (at + len).checked_sub(behind.len() + message.len()).unwrap_or(at);
                self.message(&message, offset)?;
                messages = behind;
            }
            at += len;
        }
        if !messages.is_empty() {
            self.name("a handshake message that goes on");
            return Err(Wrong(at, "handshake", "the message is longer than what is here".to_owned()));
        }
        match bytes.len() - at {
            0 => Ok(()),
            left => Err(Wrong(at, "record", format!("{left} bytes are no whole record"))),
        }
    }

    /// A handshake message with its header.
    fn message(&mut self, message: &[u8], offset: usize) -> Result<(), Wrong> {
        let Some((&[kind, ..], body)) = message.split_first_chunk::<4>() else { return Ok(()) };
        let kind = HandshakeType(kind);
        let name = format!("{kind:?}");
        self.name(&name);
        self.fact(Some((offset, message.len())), "handshake", name, "");
        let illegal = |error: wire::DecodeError| Wrong(offset, error.field, error.to_string());
        match kind {
            HandshakeType::CLIENT_HELLO => self.client_hello(body).map_err(illegal),
            HandshakeType::SERVER_HELLO => self.server_hello(body).map_err(illegal),
            _ => Ok(()),
        }
    }

    fn client_hello(&mut self, body: &[u8]) -> Result<(), wire::DecodeError> {
        let hello = HelloSummary::parse(body)?;
        if let Some(name) = server_name(body)? {
            self.fact(None, "server_name", name.escape_ascii().to_string(), "whom the client means");
        }
        let versions: Vec<String> =
            hello.versions.iter().filter(|version| !is_grease(**version)).map(named).collect();
        let meaning = if hello.lists_versions { "these and no other" } else { "this and older ones" };
        self.fact(None, "versions", versions.join(", "), meaning);
        let offer = hello.offer();
        self.protocols = protocols(|version| offer.has(legacy_tls::ProtocolVersion(version)));
        if hello.lists_versions && hello.versions.contains(&0x0304) {
            self.protocols.insert(0, Protocol::Tls13);
            self.protocols.dedup();
        }
        for code in hello.suites.iter().filter(|code| !is_grease(**code)) {
            let suite = Suite::by_code(*code);
            let name = suite.map_or_else(|| suite_name(*code), |suite| suite.name().to_owned());
            let meaning = suite.map_or(String::new(), |suite| weakness(&suite));
            self.fact(None, "cipher_suite", format!("{code:04x} {name}"), &meaning);
            if suite.is_some() {
                self.suites.push(name);
            }
        }
        if !hello.alpn.is_empty() {
            self.fact(None, "alpn", hello.alpn(), "application protocols, the favourite first");
        }
        if !hello.groups.is_empty() {
            self.fact(None, "supported_groups", hello.groups(), "of Diffie-Hellman");
        }
        self.remedy = remedy(&self.protocols, &hello.suites);
        Ok(())
    }

    /// Spec: TLS12 section 7.4.1.3; TLS13 section 4.1.3.
    fn server_hello(&mut self, body: &[u8]) -> Result<(), wire::DecodeError> {
        let mut hello = Reader::new(body);
        let mut version = hello.u16("ServerHello.server_version")?;
        hello.take("ServerHello.random", 32)?;
        hello.opaque_u8("ServerHello.session_id")?;
        let code = hello.u16("ServerHello.cipher_suite")?;
        hello.u8("ServerHello.compression_method")?;
        if !hello.is_empty() {
            let mut extensions = hello.vec_u16("ServerHello.extensions")?;
            while !extensions.is_empty() {
                let kind = extensions.u16("Extension.extension_type")?;
                let mut data = extensions.vec_u16("Extension.extension_data")?;
                if kind == SUPPORTED_VERSIONS {
                    version = data.u16("supported_versions")?;
                }
            }
        }
        self.fact(None, "version", named(&version), "chosen");
        self.protocols = protocols(|known| known == version);
        let suite = Suite::by_code(code);
        let name = suite.map_or_else(|| suite_name(code), |suite| suite.name().to_owned());
        let meaning = suite.map_or(String::new(), |suite| weakness(&suite));
        self.fact(None, "cipher_suite", format!("{code:04x} {name}"), &meaning);
        self.suites.push(name);
        Ok(())
    }

    fn told(&mut self, at: usize, level: u8, number: u8) {
        self.name("alert");
        self.fact(Some((at, 1)), "level", format!("{:?}", AlertLevel(level)), "");
        let (name, meaning) =
            alert_meaning(number).map_or(("not registered", ""), |known| (known.name, known.sentence));
        self.fact(Some((at + 1, 1)), "description", format!("{number} {name}"), meaning);
        self.alert = Some(number);
    }

    fn old_message(&mut self, bytes: &[u8]) -> Result<(), Wrong> {
        match old(bytes) {
            Some(OldMessage::Hello) => self.old_hello(bytes),
            Some(OldMessage::Ssl2ServerHello { is_resumed }) => {
                self.kind = "SSL 2.0 SERVER-HELLO".to_owned();
                self.protocols = vec![Protocol::Ssl20];
                let meaning = "whether a session is taken up again";
                self.fact(Some((3, 1)), "SESSION-ID-HIT", is_resumed.to_string(), meaning);
                Ok(())
            }
            Some(OldMessage::Pct1ServerHello) => {
                self.kind = "PCT 1.0 SERVER_HELLO".to_owned();
                self.protocols = vec![Protocol::Pct1];
                Ok(())
            }
            Some(OldMessage::Ssl2Error(code)) => {
                self.kind = "SSL 2.0 ERROR".to_owned();
                self.fact(Some((3, 2)), "ERROR-CODE", format!("{} {code}", code.0), "");
                self.ssl2_error = Some(code);
                Ok(())
            }
            Some(OldMessage::Pct1Error(code)) => {
                self.kind = "PCT 1.0 ERROR".to_owned();
                self.fact(Some((3, 2)), "ERROR_CODE", format!("{} {code}", code.0), "");
                self.pct1_error = Some(code);
                Ok(())
            }
            None => Err(Wrong(0, "record", "it is of none of these protocols".to_owned())),
        }
    }

    fn old_hello(&mut self, bytes: &[u8]) -> Result<(), Wrong> {
        let Ok(Ok(hello)) = OldHello::read(bytes) else { return Ok(()) };
        self.kind = match hello.is() {
            FirstFlight::Pct1Hello => "PCT 1.0 CLIENT_HELLO",
            FirstFlight::V2Hello => "CLIENT-HELLO in the format of SSL 2.0",
            _ => "SSL 2.0 CLIENT-HELLO",
        }
        .to_owned();
        let offer = hello.offer();
        self.fact(Some((0, hello.record_len())), "CLIENT-HELLO", format!("offers {offer}"), "");
        for kind in hello.kinds() {
            let [a, b, c] = kind.0;
            self.fact(None, "CIPHER-KIND", format!("{a:02x}{b:02x}{c:02x} {kind}"), "");
            self.suites.push(kind.to_string());
        }
        self.protocols = protocols(|version| offer.has(legacy_tls::ProtocolVersion(version)));
        self.remedy = remedy(&self.protocols, &[]);
        match bytes.len() - hello.record_len() {
            0 => Ok(()),
            left => Err(Wrong(hello.record_len(), "record", format!("{left} bytes are behind it"))),
        }
    }
}

const CHANGE_CIPHER_SPEC: u8 = 20;
const SUPPORTED_VERSIONS: u16 = 43;

const fn record_kind(content_type: u8) -> &'static str {
    match content_type {
        CHANGE_CIPHER_SPEC => "change_cipher_spec",
        ALERT => "alert",
        HANDSHAKE => "handshake",
        _ => "application_data",
    }
}

/// The first message, and what is behind it.
fn split_message(messages: &[u8]) -> Option<(&[u8], &[u8])> {
    let [_, a, b, c] = *messages.first_chunk::<4>()?;
    let len = usize::try_from(u32::from_be_bytes([0, a, b, c])).ok()?;
    messages.split_at_checked(len.checked_add(4)?)
}

/// The server that is meant.
///
/// Spec: TLS-EXT section 3.
fn server_name(body: &[u8]) -> Result<Option<&[u8]>, wire::DecodeError> {
    const SERVER_NAME: u16 = 0;
    let mut hello = Reader::new(body);
    hello.take("ClientHello.legacy_version", 34)?;
    hello.opaque_u8("ClientHello.legacy_session_id")?;
    hello.opaque_u16("ClientHello.cipher_suites")?;
    hello.opaque_u8("ClientHello.legacy_compression_methods")?;
    if hello.is_empty() {
        return Ok(None);
    }
    let mut extensions = hello.vec_u16("ClientHello.extensions")?;
    while !extensions.is_empty() {
        let kind = extensions.u16("Extension.extension_type")?;
        let mut data = extensions.vec_u16("Extension.extension_data")?;
        if kind == SERVER_NAME {
            let mut names = data.vec_u16("server_name")?;
            names.u8("server_name.name_type")?;
            return names.opaque_u16("server_name.host_name").map(Some);
        }
    }
    Ok(None)
}

/// What a client puts there to be ignored. Spec: RFC 8701 section 2.
const fn is_grease(code: u16) -> bool {
    let [high, low] = code.to_be_bytes();
    high == low && low & 0x0f == 0x0a
}

fn named(version: &u16) -> String {
    version_name(*version).map_or_else(|| format!("{version:04x}"), str::to_owned)
}

/// What is no suite, or none that there is here.
fn suite_name(code: u16) -> String {
    match code {
        0x00ff => "TLS_EMPTY_RENEGOTIATION_INFO_SCSV",
        0x5600 => "TLS_FALLBACK_SCSV",
        _ => "(not known here)",
    }
    .to_owned()
}

fn weakness(suite: &Suite) -> String {
    crate::SuiteInfo::of(*suite).weakness().map_or_else(String::new, |weak| format!("weak: {weak}"))
}

fn protocols(has: impl Fn(u16) -> bool) -> Vec<Protocol> {
    Protocol::ALL.into_iter().filter(|protocol| has(protocol.version())).collect()
}

/// What would have a default configuration take this offer.
fn remedy(protocols: &[Protocol], suites: &[u16]) -> Option<String> {
    let default = SchannelConfig::default().effective().ok()?;
    let said = if protocols.iter().any(|protocol| default.protocols.contains(protocol)) {
        let is_on = |suite: &Suite| default.suites.contains(&crate::SuiteInfo::of(*suite));
        let is_common = |code: &u16| Suite::by_code(*code).is_some_and(|suite| is_on(&suite));
        if suites.is_empty() || suites.iter().any(is_common) {
            return None;
        }
        suites_to_enable(suites, &default.protocols, is_on)
    } else {
        protocols_to_enable(|protocol| protocols.contains(&protocol), &default.protocols)
    };
    Some(said.trim_start_matches("; ").to_owned()).filter(|said| !said.is_empty())
}

#[cfg(test)]
mod tests;
