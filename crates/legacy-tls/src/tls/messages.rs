//! The handshake messages.
//!
//! ```text
//! HandshakeType   1
//! length          3   big-endian, bytes
//! body
//! ```
//!
//! Spec: SSL30 section 5.6; TLS12 section 7.4.

use std::borrow::Cow;
use std::fmt::{self, Debug, Formatter};

use wire::{Codec, DecodeError, EncodeError, Reader, Writer};

use crate::tls::cipher_suites::CipherSuite;
use crate::tls::extensions::Extensions;
use crate::tls::versions::ProtocolVersion;

/// The type of a handshake message, as on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct HandshakeType(pub u8);

macro_rules! types {
    ($($(#[$doc:meta])* $number:literal $constant:ident $name:literal;)*) => {
        impl HandshakeType {
            $($(#[$doc])* pub const $constant: Self = Self($number);)*

            /// The name in the specification; `None` for a number that is not registered.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($number => Some($name),)*
                    _ => None,
                }
            }
        }
    };
}

types! {
    /// A server asks for a new handshake.
    0 HELLO_REQUEST "HelloRequest";
    /// A client's offer.
    1 CLIENT_HELLO "ClientHello";
    /// A server's choice.
    2 SERVER_HELLO "ServerHello";
    /// A session as a ticket.
    4 NEW_SESSION_TICKET "NewSessionTicket";
    /// A chain.
    11 CERTIFICATE "Certificate";
    /// A server's share of the key exchange.
    12 SERVER_KEY_EXCHANGE "ServerKeyExchange";
    /// A server asks for a certificate.
    13 CERTIFICATE_REQUEST "CertificateRequest";
    /// The end of a server's first flight.
    14 SERVER_HELLO_DONE "ServerHelloDone";
    /// A client shows that it has the key of its certificate.
    15 CERTIFICATE_VERIFY "CertificateVerify";
    /// A client's share of the key exchange.
    16 CLIENT_KEY_EXCHANGE "ClientKeyExchange";
    /// The first message under the new keys: all that was said before was heard as it was said.
    20 FINISHED "Finished";
    /// A stapled OCSP response.
    22 CERTIFICATE_STATUS "CertificateStatus";
}

impl Debug for HandshakeType {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "handshake message {}", self.0),
        }
    }
}

/// Type and length, in bytes.
pub(crate) const HEADER: usize = 4;

/// The compression method `null`.
const NULL_COMPRESSION: u8 = 0;

/// ClientHello: what a client can do.
///
/// ```text
/// client_version         2
/// random                 32
/// session_id             1 + 0..32
/// cipher_suites          2 + 2..2^16-2
/// compression_methods    1 + 1..255
/// extensions             2 + 0..2^16-1   may be missing
/// ```
///
/// Spec: TLS12 section 7.4.1.2; SSL30 section 5.6.1.2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClientHello<'a> {
    pub(crate) version: ProtocolVersion,
    pub(crate) random: [u8; 32],
    pub(crate) session_id: Cow<'a, [u8]>,
    pub(crate) suites: Vec<CipherSuite>,
    pub(crate) compression_methods: Cow<'a, [u8]>,
    pub(crate) extensions: Extensions<'a>,
}

impl ClientHello<'_> {
    /// Whether `null` is among the compression methods.
    pub(crate) fn offers_no_compression(&self) -> bool {
        self.compression_methods.contains(&NULL_COMPRESSION)
    }
}

impl<'a> Codec<'a> for ClientHello<'a> {
    fn encode(&self, writer: &mut Writer) -> Result<(), EncodeError> {
        writer.u16(self.version.0);
        writer.bytes(&self.random);
        writer.opaque_u8("ClientHello.session_id", &self.session_id)?;
        writer.vec_u16("ClientHello.cipher_suites", |writer| {
            self.suites.iter().for_each(|suite| writer.u16(suite.0));
            Ok(())
        })?;
        writer.opaque_u8("ClientHello.compression_methods", &self.compression_methods)?;
        self.extensions.encode_unless_empty(writer)
    }

    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        const SUITES: &str = "ClientHello.cipher_suites";
        let version = ProtocolVersion(reader.u16("ClientHello.client_version")?);
        let random = reader.array("ClientHello.random")?;
        let session_id = session_id(reader, "ClientHello.session_id")?;
        let mut list = reader.vec_u16(SUITES)?;
        let mut suites = Vec::with_capacity(list.remaining() / 2);
        while !list.is_empty() {
            suites.push(CipherSuite(list.u16(SUITES)?));
        }
        if suites.is_empty() {
            return Err(DecodeError::illegal(SUITES));
        }
        let compression_methods = reader.opaque_u8("ClientHello.compression_methods")?;
        if compression_methods.is_empty() {
            return Err(DecodeError::illegal("ClientHello.compression_methods"));
        }
        let extensions = if version.ends_in_anything() {
            // What follows in SSL 3.0 is "forward compatibility", and no business of ours if it is no extensions.
            // Spec: SSL30 section 5.6.1.2.
            let mut following = Reader::new(reader.rest());
            Extensions::decode_optional(&mut following, "ClientHello.extensions").unwrap_or_default()
        } else {
            Extensions::decode_optional(reader, "ClientHello.extensions")?
        };
        Ok(Self {
            version,
            random,
            session_id: session_id.into(),
            suites,
            compression_methods: compression_methods.into(),
            extensions,
        })
    }
}

/// 0 to 32 bytes.
fn session_id<'a>(reader: &mut Reader<'a>, field: &'static str) -> Result<&'a [u8], DecodeError> {
    let id = reader.opaque_u8(field)?;
    if id.len() > 32 { Err(DecodeError::illegal(field)) } else { Ok(id) }
}

/// ServerHello: what a server chose.
///
/// ```text
/// server_version       2
/// random               32
/// session_id           1 + 0..32
/// cipher_suite         2
/// compression_method   1
/// extensions           2 + 0..2^16-1   may be missing
/// ```
///
/// Spec: TLS12 section 7.4.1.3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerHello<'a> {
    pub(crate) version: ProtocolVersion,
    pub(crate) random: [u8; 32],
    pub(crate) session_id: Cow<'a, [u8]>,
    pub(crate) suite: CipherSuite,
    pub(crate) compression_method: u8,
    pub(crate) extensions: Extensions<'a>,
}

impl ServerHello<'_> {
    /// Whether `null` was chosen as compression method.
    pub(crate) const fn chose_no_compression(&self) -> bool {
        self.compression_method == NULL_COMPRESSION
    }
}

impl<'a> Codec<'a> for ServerHello<'a> {
    fn encode(&self, writer: &mut Writer) -> Result<(), EncodeError> {
        writer.u16(self.version.0);
        writer.bytes(&self.random);
        writer.opaque_u8("ServerHello.session_id", &self.session_id)?;
        writer.u16(self.suite.0);
        writer.u8(self.compression_method);
        self.extensions.encode_unless_empty(writer)
    }

    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self {
            version: ProtocolVersion(reader.u16("ServerHello.server_version")?),
            random: reader.array("ServerHello.random")?,
            session_id: session_id(reader, "ServerHello.session_id")?.into(),
            suite: CipherSuite(reader.u16("ServerHello.cipher_suite")?),
            compression_method: reader.u8("ServerHello.compression_method")?,
            extensions: Extensions::decode_optional(reader, "ServerHello.extensions")?,
        })
    }
}

/// Certificate: a chain, leaf first; empty where a client has none.
///
/// ```text
/// certificate_list   3 + (3 + DER)*
/// ```
///
/// Spec: TLS12 section 7.4.2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Certificate<'a> {
    pub(crate) chain: Cow<'a, [Vec<u8>]>,
}

/// No honest chain is longer.
const LONGEST_CHAIN: usize = 32;

impl<'a> Codec<'a> for Certificate<'a> {
    fn encode(&self, writer: &mut Writer) -> Result<(), EncodeError> {
        writer.vec_u24("Certificate.certificate_list", |writer| {
            self.chain.iter().try_for_each(|der| writer.opaque_u24("Certificate.certificate", der))
        })
    }

    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let mut list = reader.vec_u24("Certificate.certificate_list")?;
        let mut chain = Vec::new();
        while !list.is_empty() {
            let certificate = list.opaque_u24("Certificate.certificate")?;
            if certificate.is_empty() || chain.len() == LONGEST_CHAIN {
                return Err(DecodeError::illegal("Certificate.certificate"));
            }
            chain.push(certificate.to_vec());
        }
        Ok(Self { chain: chain.into() })
    }
}

/// CertificateStatus: a stapled OCSP response.
///
/// ```text
/// status_type   1   1 = ocsp
/// response      3 + 1..2^24-1
/// ```
///
/// Spec: TLS-EXT section 8.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CertificateStatus<'a> {
    pub(crate) ocsp_response: Cow<'a, [u8]>,
}

/// CertificateStatusType.ocsp.
pub(crate) const OCSP: u8 = 1;

impl<'a> Codec<'a> for CertificateStatus<'a> {
    fn encode(&self, writer: &mut Writer) -> Result<(), EncodeError> {
        writer.u8(OCSP);
        writer.opaque_u24("CertificateStatus.response", &self.ocsp_response)
    }

    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        if reader.u8("CertificateStatus.status_type")? != OCSP {
            return Err(DecodeError::illegal("CertificateStatus.status_type"));
        }
        let response = reader.opaque_u24("CertificateStatus.response")?;
        if response.is_empty() {
            return Err(DecodeError::illegal("CertificateStatus.response"));
        }
        Ok(Self { ocsp_response: response.into() })
    }
}

/// ClientCertificateType: an RSA key that signs. Spec: TLS12 section 7.4.4.
pub(crate) const RSA_SIGN: u8 = 1;
/// A DSA key that signs. Spec: TLS12 section 7.4.4.
pub(crate) const DSS_SIGN: u8 = 2;
/// An ECDSA key that signs. Spec: ECC section 5.5.
pub(crate) const ECDSA_SIGN: u8 = 64;

/// CertificateRequest: what certificates a server would accept.
///
/// ```text
/// certificate_types                 1 + 1..255     1 = rsa_sign, 2 = dss_sign, 64 = ecdsa_sign
/// supported_signature_algorithms    2 + 2..2^16-2  TLS 1.2 only
/// certificate_authorities           2 + (2 + DER)*
/// ```
///
/// Spec: TLS12 section 7.4.4; TLS10 section 7.4.4.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CertificateRequest {
    pub(crate) certificate_types: Vec<u8>,
    /// `None` before TLS 1.2.
    pub(crate) signature_algorithms: Option<Vec<u16>>,
    pub(crate) authorities: Vec<Vec<u8>>,
}

impl CertificateRequest {
    pub(crate) fn encode(&self, writer: &mut Writer) -> Result<(), EncodeError> {
        writer.opaque_u8("CertificateRequest.certificate_types", &self.certificate_types)?;
        if let Some(algorithms) = &self.signature_algorithms {
            writer.vec_u16("CertificateRequest.supported_signature_algorithms", |writer| {
                algorithms.iter().for_each(|algorithm| writer.u16(*algorithm));
                Ok(())
            })?;
        }
        writer.vec_u16("CertificateRequest.certificate_authorities", |writer| {
            let field = "CertificateRequest.certificate_authorities";
            self.authorities.iter().try_for_each(|name| writer.opaque_u16(field, name))
        })
    }

    /// `has_algorithms`: TLS 1.2.
    pub(crate) fn decode(reader: &mut Reader<'_>, has_algorithms: bool) -> Result<Self, DecodeError> {
        const ALGORITHMS: &str = "CertificateRequest.supported_signature_algorithms";
        const AUTHORITIES: &str = "CertificateRequest.certificate_authorities";
        let certificate_types = reader.opaque_u8("CertificateRequest.certificate_types")?.to_vec();
        let signature_algorithms = if has_algorithms {
            let mut list = reader.vec_u16(ALGORITHMS)?;
            let mut algorithms = Vec::new();
            while !list.is_empty() {
                algorithms.push(list.u16(ALGORITHMS)?);
            }
            if algorithms.is_empty() {
                return Err(DecodeError::illegal(ALGORITHMS));
            }
            Some(algorithms)
        } else {
            None
        };
        // TLS 1.0 wants at least one name; servers without any send an empty list, and mean "any".
        let mut list = reader.vec_u16(AUTHORITIES)?;
        let mut authorities = Vec::new();
        while !list.is_empty() {
            authorities.push(list.opaque_u16(AUTHORITIES)?.to_vec());
        }
        Ok(Self { certificate_types, signature_algorithms, authorities })
    }
}

/// NewSessionTicket: a session, as its server wants it back.
///
/// ```text
/// ticket_lifetime_hint   4   seconds
/// ticket                 2 + 0..2^16-1
/// ```
///
/// Spec: TICKET section 3.3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NewSessionTicket<'a> {
    pub(crate) lifetime_hint: u32,
    pub(crate) ticket: Cow<'a, [u8]>,
}

impl<'a> Codec<'a> for NewSessionTicket<'a> {
    fn encode(&self, writer: &mut Writer) -> Result<(), EncodeError> {
        writer.u32(self.lifetime_hint);
        writer.opaque_u16("NewSessionTicket.ticket", &self.ticket)
    }

    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self {
            lifetime_hint: reader.u32("NewSessionTicket.ticket_lifetime_hint")?,
            ticket: reader.opaque_u16("NewSessionTicket.ticket")?.into(),
        })
    }
}
