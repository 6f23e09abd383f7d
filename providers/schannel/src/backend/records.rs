//! Records, as handshakes and contexts need them from a backend: alerts in clear, and one direction that is protected.

use core::ops::Range;

use legacy_tls::{AlertDescription, ProtocolVersion};
use sspi_core::{AlertLevel, Failure, StreamSizes};

use crate::status::Error;

/// Bytes of a record's header: type, version, length.
pub(crate) const RECORD_HEADER: usize = 5;
/// The most plaintext in one record.
pub(crate) const MAX_PLAINTEXT: usize = 1 << 14;

/// Content types. Spec: TLS12 section 6.2.1.
pub(crate) const CHANGE_CIPHER_SPEC: u8 = 20;
pub(crate) const ALERT: u8 = 21;
pub(crate) const HANDSHAKE: u8 = 22;
pub(crate) const APPLICATION_DATA: u8 = 23;

/// The level of an alert that ends a connection.
pub(crate) const FATAL: u8 = 2;

/// What a peer is told of an error.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// The bytes that must be sent.
    pub(crate) token: Vec<u8>,
    /// The alert that they are, if they are one.
    pub(crate) alert: Option<u8>,
}

impl Told {
    /// A fatal alert in clear, in a record of this version and as the version numbers it; nothing without an alert.
    pub(crate) fn in_clear(version: ProtocolVersion, alert: Option<u8>) -> Self {
        let Some(alert) = alert else { return Self::default() };
        let AlertDescription(alert) = version.alert(AlertDescription(alert));
        let [major, minor] = version.0.to_be_bytes();
        Self { token: vec![ALERT, major, minor, 0, 2, FATAL, alert], alert: Some(alert) }
    }

    /// The failure that this tells. The error has the alert that is sent, or would be, if the caller wants to send any.
    pub(crate) fn of(self, error: impl Into<sspi_core::Error>, extended_errors: bool) -> Failure {
        let Self { token, alert } = self;
        let error = error.into();
        let error = match alert {
            Some(alert) => error.with_alert(alert),
            None => error,
        };
        Failure { error, token: if extended_errors { token } else { Vec::new() } }
    }
}

impl From<legacy_tls::Failure> for Told {
    fn from(failure: legacy_tls::Failure) -> Self {
        Self { token: failure.output, alert: failure.alert.map(|alert| alert.0) }
    }
}

/// The direction that sends.
pub(crate) trait Sealing: Send + 'static {
    /// What room application data needs around it; the same for every message.
    fn stream_sizes(&self) -> StreamSizes;

    /// Protects the data at `data` in `memory` where they lie, in the room that [`stream_sizes`](Self::stream_sizes) says.
    /// Yields where the record is, or the records are.
    ///
    /// # Errors
    /// The key is used up; nothing is written then. Every other error is final for the direction.
    fn seal_data(&mut self, memory: &mut [u8], data: Range<usize>) -> Result<Range<usize>, Error>;

    /// An alert as a record of its own; nothing, where the protocol has no such alert. It is sent even with a key that is
    /// used up.
    ///
    /// # Errors
    /// The record cannot be made.
    fn seal_alert(&mut self, level: AlertLevel, number: u8) -> Result<Vec<u8>, Error>;

    /// A HelloRequest as a record of its own.
    ///
    /// # Errors
    /// There is none in the protocol, or the record cannot be made.
    fn seal_hello_request(&mut self) -> Result<Vec<u8>, Error> {
        Err(Error::Internal("a protocol without second handshake"))
    }

    /// New keys from now on, and a record of its own that says so and asks the peer for its own; `None` where the protocol
    /// has no such message.
    ///
    /// # Errors
    /// The record cannot be made.
    fn seal_key_update(&mut self) -> Result<Option<Vec<u8>>, Error> {
        Ok(None)
    }

    /// How the protocol says what an alert would say.
    fn as_said(&self, level: AlertLevel, number: u8) -> (AlertLevel, u8) {
        (level, number)
    }

    /// The connection ends with a fatal alert of ours.
    fn failed(&mut self) {}
}

/// One record that was opened: what it is, and where its content lies in the record.
pub(crate) struct Opened {
    pub(crate) content_type: u8,
    pub(crate) content: Range<usize>,
}

/// The direction that receives.
pub(crate) trait Opening: Send + 'static {
    /// How long the record is that begins `input`: header and body, in bytes; or how many bytes are missing.
    ///
    /// # Errors
    /// What cannot begin a record here, or is longer than a record may be.
    fn record_len(&self, input: &[u8]) -> Result<Result<usize, usize>, Error>;

    /// Opens one whole record where it lies.
    ///
    /// # Errors
    /// Every error is final for the direction.
    fn open(&mut self, record: &mut [u8]) -> Result<Opened, Error>;

    /// What the protocol has after its handshake in place of a second one: TLS 1.3 only.
    fn post_handshake(&mut self) -> Option<&mut dyn PostHandshake> {
        None
    }

    /// Whether a record of this type announces a second handshake: in PCT only, where nothing of the kind comes from a peer of
    /// another protocol.
    fn is_announcement(&self, content_type: u8) -> bool {
        let _ = content_type;
        false
    }

    /// The connection ends with what the peer has sent.
    fn failed(&mut self) {}

    /// The peer has sent data: what came before it was no flood.
    fn data_came(&mut self) {}
}

/// The messages that TLS 1.3 has after its handshake.
pub(crate) trait PostHandshake {
    /// Refuses from its header a message that may not come, before its body is waited for and kept.
    ///
    /// # Errors
    /// It may not come, or not with this length.
    fn check_header(&self, kind: u8, len: usize, is_client: bool) -> Result<(), Error>;

    /// Takes a whole message; `is_last` says that nothing follows it in its record.
    ///
    /// # Errors
    /// It cannot be used.
    fn message(&mut self, kind: u8, body: &[u8], is_last: bool) -> Result<(), Error>;
}
