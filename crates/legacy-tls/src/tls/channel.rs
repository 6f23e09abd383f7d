//! What lies between the bytes of a connection and the messages of its handshake.

use wire::{EncodeError, U24, Writer};

use crate::connection::handshake::{self, Outcome, Taken};
use crate::connection::{Established, Negotiated};
use crate::error::{Alert, Error, Misbehaved};
use crate::record::{ContentType, Need, Opener, RecordError, Sealer};
use crate::renegotiation::Directions;
use crate::tls::alert::{AlertDescription, AlertLevel};
use crate::tls::messages::{HEADER, HandshakeType};
use crate::tls::transcript::Transcript;
use crate::tls::versions::{ProtocolVersion, Rules};

/// Records without content, or warnings, that are tolerated in a row.
const FLOOD_LIMIT: usize = 32;
/// Warnings that are tolerated in a row.
const WARNING_LIMIT: usize = 4;
/// The longest ClientHello and the longest message of any other kind but a chain, in bytes.
const LONGEST_MESSAGE: usize = 32 << 10;
/// The longest Certificate message, and the longest list of authorities, in bytes.
const LONGEST_CERTIFICATE: usize = 128 << 10;

/// What clients say that will not have a group. SSL 3.0 has only the first, and OpenSSL says it in every version.
const DECLINES: [AlertDescription; 2] =
    [AlertDescription::HANDSHAKE_FAILURE, AlertDescription::INSUFFICIENT_SECURITY];

/// A handshake message as it came.
pub(crate) struct Message {
    pub(crate) kind: HandshakeType,
    bytes: Vec<u8>,
}

impl Message {
    #[cfg(test)]
    pub(crate) fn from_bytes(bytes: Vec<u8>) -> Self {
        Self { kind: HandshakeType(bytes.first().copied().unwrap_or_default()), bytes }
    }

    /// Header and body.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn body(&self) -> &[u8] {
        self.bytes.get(HEADER..).unwrap_or_default()
    }
}

/// What a handshake can be given.
pub(crate) enum Incoming {
    Message(Message),
    ChangeCipherSpec,
    /// SSL 3.0's way for a client to say so.
    NoCertificate,
    /// The peer does not negotiate the connection again.
    NoRenegotiation,
    /// The peer has closed its side of a connection that there is already.
    Closed,
}

impl Incoming {
    /// Why it is refused where something else is expected.
    pub(crate) fn unexpected(&self, expected: &'static str) -> Error {
        let record = |content_type| Misbehaved::UnexpectedRecord { content_type, expected }.into();
        match self {
            Self::Message(message) => {
                Misbehaved::UnexpectedMessage { received: message.kind, expected }.into()
            }
            Self::ChangeCipherSpec => record(ContentType::CHANGE_CIPHER_SPEC.0),
            Self::NoCertificate | Self::NoRenegotiation => record(ContentType::ALERT.0),
            Self::Closed => Error::ClosedInHandshake,
        }
    }
}

/// Records in, messages out; messages in, records out.
pub(crate) struct Channel {
    opener: Opener,
    sealer: Sealer,
    /// Handshake bytes that are no whole message yet.
    joined: Vec<u8>,
    /// Handshake messages that go out with the next record.
    flight: Vec<u8>,
    output: Vec<u8>,
    pub(crate) transcript: Transcript,
    rules: Option<&'static Rules>,
    /// There is a connection already, and the peer's records are still under its keys.
    carries_data: bool,
    /// Where the session is kept that is offered or taken up again: a failure spoils it.
    pub(crate) session_in_use: Option<Vec<u8>>,
    /// Server: the identifier of the session of a ticket that is taken up.
    pub(crate) ticket_in_use: Option<Vec<u8>>,
    /// Server: the bits of the group of Diffie-Hellman that the client was shown and has said nothing to.
    pub(crate) group_shown: Option<u32>,
    empty_records: usize,
    warnings: usize,
    hello_requests: usize,
    scratch: Vec<u8>,
}

impl Channel {
    pub(crate) fn new(opener: Opener, sealer: Sealer, rules: Option<&'static Rules>) -> Self {
        Self {
            opener,
            sealer,
            joined: Vec::new(),
            flight: Vec::new(),
            output: Vec::new(),
            transcript: Transcript::default(),
            rules,
            carries_data: false,
            session_in_use: None,
            ticket_in_use: None,
            group_shown: None,
            empty_records: 0,
            warnings: 0,
            hello_requests: 0,
            scratch: Vec::new(),
        }
    }

    /// For a handshake on a connection that there is already; `joined` are handshake bytes that came as records of it.
    pub(crate) fn renegotiating(
        opener: Opener,
        sealer: Sealer,
        rules: &'static Rules,
        joined: Vec<u8>,
    ) -> Self {
        Self { carries_data: true, joined, ..Self::new(opener, sealer, Some(rules)) }
    }

    /// From here on the version is known: records have it, and alerts are those that it has.
    pub(crate) fn fix_version(&mut self, rules: &'static Rules) {
        self.rules = Some(rules);
        self.opener.set_version(rules.version.0);
        self.sealer.set_wire_version(rules.version.0);
    }

    /// There is no version in common: the alert that says so is one of the version that the peer has.
    pub(crate) fn refuse_in(&mut self, version: ProtocolVersion) {
        if let Some(rules) = version.rules().filter(|_| !self.carries_data) {
            self.sealer.set_wire_version(version.0);
            self.rules = Some(rules);
        }
    }

    fn alert(&mut self, alert: Alert) -> Result<Option<Incoming>, Error> {
        match (alert.level, alert.description) {
            (_, AlertDescription::CLOSE_NOTIFY) if self.carries_data => Ok(Some(Incoming::Closed)),
            (_, AlertDescription::CLOSE_NOTIFY) => Err(Error::ClosedInHandshake),
            (AlertLevel::FATAL, description) => Err(match self.group_shown {
                Some(bits) if DECLINES.contains(&description) => {
                    Error::GroupDeclined { alert: description, bits }
                }
                _ => Error::AlertReceived(description),
            }),
            (AlertLevel::WARNING, AlertDescription::NO_CERTIFICATE) => Ok(Some(Incoming::NoCertificate)),
            (AlertLevel::WARNING, AlertDescription::NO_RENEGOTIATION) if self.carries_data => {
                Ok(Some(Incoming::NoRenegotiation))
            }
            (AlertLevel::WARNING, _) => {
                self.warnings += 1;
                if self.warnings > WARNING_LIMIT {
                    return Err(Misbehaved::Flood { what: "warnings", limit: WARNING_LIMIT }.into());
                }
                Ok(None)
            }
            _ => Err(Misbehaved::BadAlert.into()),
        }
    }

    /// A HelloRequest during a handshake means the handshake that there is; too many are a flood.
    ///
    /// Spec: TLS12 section 7.4.1.1.
    pub(crate) fn hello_request<S>(&mut self, state: S) -> Result<S, Error> {
        self.hello_requests += 1;
        if self.hello_requests > WARNING_LIMIT {
            return Err(Misbehaved::Flood { what: "HelloRequests", limit: WARNING_LIMIT }.into());
        }
        Ok(state)
    }

    /// The peer's records are under these keys from now on.
    pub(crate) fn change_opener(&mut self, opener: Opener) {
        self.opener = opener;
        self.carries_data = false;
    }

    // ---- out ----

    /// Sends a handshake message, which becomes part of the transcript.
    pub(crate) fn send(
        &mut self,
        kind: HandshakeType,
        body: impl FnOnce(&mut Writer) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut writer = Writer::new();
        body(&mut writer)?;
        let body = writer.into_vec();
        let too_long = EncodeError { field: "Handshake.length", length: body.len(), max: 0xff_ffff };
        let length = u32::try_from(body.len()).ok().and_then(U24::new).ok_or(too_long)?;
        let start = self.flight.len();
        self.flight.push(kind.0);
        self.flight.extend_from_slice(&length.to_be_bytes());
        self.flight.extend_from_slice(&body);
        self.transcript.add(self.flight.get(start..).unwrap_or_default());
        Ok(())
    }

    /// Sends ChangeCipherSpec; our records are under these keys from now on.
    pub(crate) fn change_sealer(&mut self, sealer: Sealer) -> Result<(), Error> {
        self.flush()?;
        self.sealer.seal_message(ContentType::CHANGE_CIPHER_SPEC, &[1], &mut self.output)?;
        self.sealer = sealer;
        Ok(())
    }

    /// Sends a warning.
    pub(crate) fn warn(&mut self, description: AlertDescription) -> Result<(), Error> {
        self.flush()?;
        let alert = [AlertLevel::WARNING.0, description.0];
        Ok(self.sealer.seal_message(ContentType::ALERT, &alert, &mut self.output)?)
    }

    /// Asks the client for a handshake. The transcript does not know of it.
    ///
    /// Spec: TLS12 section 7.4.1.1.
    pub(crate) fn request_hello(&mut self) -> Result<(), Error> {
        let request = [HandshakeType::HELLO_REQUEST.0, 0, 0, 0];
        Ok(self.sealer.seal_message(ContentType::HANDSHAKE, &request, &mut self.output)?)
    }

    /// Puts the messages of a flight into records: as few as there can be.
    pub(crate) fn flush(&mut self) -> Result<(), Error> {
        if !self.flight.is_empty() {
            self.sealer.seal_message(ContentType::HANDSHAKE, &self.flight, &mut self.output)?;
            self.flight.clear();
        }
        Ok(())
    }

    /// What a connection goes on with.
    pub(crate) fn conclude(self, negotiated: Box<Negotiated>) -> Outcome {
        let Self { sealer, opener, .. } = self;
        Outcome::Established(Box::new(Established { sealer, opener, negotiated: *negotiated }))
    }

    /// The connection as it was, but that the peer may have closed its side.
    pub(crate) fn declined(self, closed: bool) -> Outcome {
        let Self { sealer, opener, .. } = self;
        let directions = Box::new(Directions { sealer, opener, messages: Vec::new() });
        Outcome::Declined { directions, closed }
    }
}

impl handshake::Channel for Channel {
    type Incoming = Incoming;

    fn record_len(&self, input: &[u8]) -> Result<Need, Error> {
        Ok(self.opener.record_len(input)?)
    }

    fn take_record(&mut self, record: &[u8], expected: &'static str) -> Result<Taken<Incoming>, Error> {
        self.scratch.clear();
        self.scratch.extend_from_slice(record);
        let is_used_up = self.opener.is_used_up();
        let opened = self.opener.open(&mut self.scratch)?;
        let content = self.scratch.get(opened.content).unwrap_or_default();
        if content.is_empty() {
            self.empty_records += 1;
            if self.empty_records > FLOOD_LIMIT {
                return Err(Misbehaved::Flood { what: "empty records", limit: FLOOD_LIMIT }.into());
            }
        } else if opened.content_type != ContentType::ALERT {
            (self.empty_records, self.warnings) = (0, 0);
        }
        match opened.content_type {
            ContentType::HANDSHAKE => {
                self.joined.extend_from_slice(content);
                Ok(Taken::Nothing)
            }
            ContentType::CHANGE_CIPHER_SPEC => {
                if content != [1] {
                    return Err(Misbehaved::BadChangeCipherSpec.into());
                }
                if !self.joined.is_empty() {
                    let expected = "the rest of a handshake message";
                    return Err(Misbehaved::UnexpectedRecord { content_type: 20, expected }.into());
                }
                Ok(Taken::Incoming(Incoming::ChangeCipherSpec))
            }
            ContentType::ALERT => {
                let &[level, description] = content else { return Err(Misbehaved::BadAlert.into()) };
                let alert = Alert { level: AlertLevel(level), description: AlertDescription(description) };
                Ok(self.alert(alert)?.map_or(Taken::Nothing, Taken::Incoming))
            }
            // "Application data may be interleaved with handshake messages", not put into one. Spec: TLS12 section 7.4.1.1.
            ContentType::APPLICATION_DATA if self.carries_data && self.joined.is_empty() => {
                // A peer that does not care for the limit would give away what both of us say.
                if is_used_up {
                    return Err(RecordError::KeyUsedUp.into());
                }
                Ok(if content.is_empty() { Taken::Nothing } else { Taken::Data(content.to_vec()) })
            }
            ContentType(other) => Err(Misbehaved::UnexpectedRecord { content_type: other, expected }.into()),
        }
    }

    fn next_incoming(&mut self) -> Result<Option<Incoming>, Error> {
        let Some(&[kind, a, b, c]) = self.joined.first_chunk::<HEADER>() else { return Ok(None) };
        let kind = HandshakeType(kind);
        let length = usize::try_from(u32::from_be_bytes([0, a, b, c])).unwrap_or(usize::MAX);
        let maximum = match kind {
            HandshakeType::CERTIFICATE | HandshakeType::CERTIFICATE_REQUEST => LONGEST_CERTIFICATE,
            _ => LONGEST_MESSAGE,
        };
        if length > maximum {
            return Err(Misbehaved::MessageTooLong { received: kind, length, maximum }.into());
        }
        if self.joined.len() < HEADER + length {
            return Ok(None);
        }
        self.group_shown = None;
        let rest = self.joined.split_off(HEADER + length);
        let bytes = std::mem::replace(&mut self.joined, rest);
        Ok(Some(Incoming::Message(Message { kind, bytes })))
    }

    /// Nothing may follow the message at hand in the same flight: keys change, or it is the peer's turn to wait.
    fn expect_end_of_flight(&self) -> Result<(), Error> {
        if self.joined.is_empty() { Ok(()) } else { Err(Misbehaved::ExcessHandshakeData.into()) }
    }

    fn has_output_on_connection(&self) -> bool {
        self.carries_data && !self.output.is_empty()
    }

    fn take_output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.output)
    }

    fn fail(&mut self, error: &Error) -> Vec<u8> {
        if let Some(description) = self.said(error) {
            // A flight that is not complete is not sent.
            self.flight.clear();
            let alert = [AlertLevel::FATAL.0, description.0];
            let _without_alert = self.sealer.seal_message(ContentType::ALERT, &alert, &mut self.output);
        }
        self.take_output()
    }

    fn said(&self, error: &Error) -> Option<AlertDescription> {
        let number = |description| self.rules.map_or(description, |rules| (rules.alert)(description));
        error.alert().map(number)
    }

    fn session_in_use(&self) -> Option<&[u8]> {
        self.session_in_use.as_deref()
    }

    fn ticket_in_use(&self) -> Option<&[u8]> {
        self.ticket_in_use.as_deref()
    }
}
