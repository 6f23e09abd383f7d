//! What a connection turned out to be, as our end saw it.

use std::time::Duration;
use std::{error, fmt, io};

use ring::digest;
use sspi_core::{Error, Fault, QueryContextAttributes, SecStatus, SpProt};
use sspi_tokio::HandshakeError;
use test_support::hex;

use crate::pattern::Mismatch;
use crate::peers::{Negotiated, Version};

/// The label of the keying material in every [`Report`]; peers export with the same, without a context.
pub const EXPORTER_LABEL: &str = "EXPORTER-OpenSSPI-interop";

/// How many bytes of it.
pub const EXPORTER_LENGTH: usize = 32;

const VERSIONS: [(SpProt, Version); 6] = [
    (SpProt::SSL2, Version::Ssl20),
    (SpProt::SSL3, Version::Ssl30),
    (SpProt::TLS1_0, Version::Tls10),
    (SpProt::TLS1_1, Version::Tls11),
    (SpProt::TLS1_2, Version::Tls12),
    (SpProt::TLS1_3, Version::Tls13),
];

/// What a connection was.
#[derive(Debug, Default)]
pub struct Report {
    /// What was negotiated, in the words that peers use; its error is our end's as text.
    pub negotiated: Negotiated,
    /// Keying material for [`EXPORTER_LABEL`], in hexadecimal.
    pub exported: Option<String>,
    /// How often the connection was negotiated again, as far as [`Service::Ask`](super::Service::Ask) saw.
    pub renegotiations: u32,
    /// Whether the session has an identifier on the wire.
    pub has_session_id: bool,
    /// Records without content that came, as far as our end looked at records.
    pub empty_records: u32,
    /// Why it failed.
    pub failure: Option<Failure>,
}

impl Report {
    /// The same, after it failed.
    pub(super) fn failed(mut self, failure: Failure) -> Self {
        self.negotiated.error = Some(failure.to_string());
        self.failure = Some(failure);
        self
    }

    /// Notes what was negotiated.
    pub(super) fn note(&mut self, attributes: &dyn QueryContextAttributes) -> Result<(), Failure> {
        let connection = attributes.connection_info()?;
        let is = |version: SpProt| !connection.protocol.intersection(version).is_empty();
        let known = VERSIONS.iter().find(|(protocol, _)| is(*protocol)).map(|(_, version)| version.name());
        self.negotiated.version = known.map_or_else(|| connection.protocol.to_string(), str::to_owned);
        self.negotiated.cipher = attributes.cipher_info()?.cipher_suite_name.into_owned();
        self.negotiated.alpn = attributes
            .application_protocol()?
            .protocol
            .map(|protocol| String::from_utf8_lossy(&protocol).into_owned());
        let session = attributes.session_info()?;
        self.negotiated.resumed = session.reconnect;
        self.has_session_id = !session.session_id.is_empty();
        // An end without a certificate, and a protocol without tls-unique, are no failures.
        self.negotiated.peer_sha256 = attributes
            .remote_certificate()
            .ok()
            .map(|certificate| hex::encode(digest::digest(&digest::SHA256, certificate.leaf())));
        self.negotiated.tls_unique =
            attributes.unique_bindings().ok().map(|bindings| hex::encode(bindings.value()));
        match attributes.keying_material(EXPORTER_LABEL.as_bytes(), None, EXPORTER_LENGTH) {
            Ok(exported) => self.exported = Some(hex::encode(exported.expose_secret())),
            // SSL 3.0 has no exporter, and what others export without an extended master secret is not safe.
            Err(error) if error.status() == SecStatus::SEC_E_UNSUPPORTED_FUNCTION => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// This, if the connection did not fail.
    ///
    /// # Errors
    ///
    /// Why it failed.
    pub fn succeeded(self) -> Result<Self, Failure> {
        match self.failure {
            Some(failure) => Err(failure),
            None => Ok(self),
        }
    }

    /// The package's error, where it was one.
    pub fn error(&self) -> Option<&Error> {
        self.failure.as_ref().and_then(Failure::security)
    }

    /// The status with which it failed.
    pub fn status(&self) -> Option<SecStatus> {
        self.error().map(Error::status)
    }

    /// The status that an alert of the peer stands for, if one ended the connection.
    pub fn alert_heard(&self) -> Option<SecStatus> {
        self.error().filter(|error| error.fault() == Fault::PeerReported).map(Error::status)
    }
}

/// Why a connection of ours failed.
#[derive(Debug)]
pub enum Failure {
    /// In its handshake.
    Handshake(HandshakeError),
    /// Later, or before it.
    Io(io::Error),
    /// What arrived is not what was sent.
    Content(Mismatch),
    /// It ended in order, too early: after so many bytes of so many.
    Short(u64, u64),
    /// The peer sent what its application protocol does not allow.
    Request(String),
    /// The package has no credentials, or not what was asked of it.
    Package(Error),
    /// It was not over in this time.
    Late(Duration),
}

impl Failure {
    /// The package's error, where it was one.
    pub fn security(&self) -> Option<&Error> {
        match self {
            Self::Handshake(error) => error.security(),
            Self::Io(error) => error.get_ref().and_then(|inner| inner.downcast_ref()),
            Self::Package(error) => Some(error),
            Self::Content(_) | Self::Short(..) | Self::Request(_) | Self::Late(_) => None,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Handshake(error) => write!(f, "our end: {error}"),
            Self::Io(error) => write!(f, "our end: {error}"),
            Self::Content(mismatch) => write!(f, "our end: {mismatch}"),
            Self::Short(arrived, length) => {
                write!(f, "our end: the peer closed after {arrived} of {length} bytes")
            }
            Self::Request(what) => write!(f, "our end: {what}"),
            Self::Package(error) => write!(f, "our end: {error}"),
            Self::Late(patience) => write!(f, "our end: not over within {patience:?}"),
        }
    }
}

impl error::Error for Failure {}

macro_rules! from {
    ($($type:ty => $variant:ident),*) => {$(
        impl From<$type> for Failure {
            fn from(error: $type) -> Self {
                Self::$variant(error)
            }
        }
    )*};
}

from!(HandshakeError => Handshake, io::Error => Io, Mismatch => Content, Error => Package);
