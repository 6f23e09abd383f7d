//! The nine messages.
//!
//! ```text
//! message type   1
//! fields
//! ```
//!
//! Each is one record; lengths come first, and what has them follows in the same order. What has no length is the rest of
//! the record.
//!
//! Spec: SSL2 sections 5.5 to 5.7.

use std::borrow::Cow;
use std::fmt::{self, Debug, Display, Formatter};

use wire::{Codec, DecodeError, EncodeError, Reader, Writer};

use super::cipher_kinds::{CipherKind, KindRow};
use crate::tls::versions::ProtocolVersion;

/// The type of a message, as on the wire.
///
/// Spec: SSL2 section C.3.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ssl2MessageType(pub u8);

/// What an ERROR message says.
///
/// Spec: SSL2 section C.6.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ssl2ErrorCode(pub u16);

macro_rules! names {
    ($type:ident, $other:literal: $($(#[$doc:meta])* $number:literal $constant:ident $name:literal;)*) => {
        impl $type {
            $($(#[$doc])* pub const $constant: Self = Self($number);)*

            /// The name in the specification; `None` for a number that is not there.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($number => Some($name),)*
                    _ => None,
                }
            }
        }

        impl Display for $type {
            fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
                match self.name() {
                    Some(name) => f.write_str(name),
                    None => write!(f, concat!($other, " {}"), self.0),
                }
            }
        }

        impl Debug for $type {
            fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
                Display::fmt(self, f)
            }
        }
    };
}

names! { Ssl2MessageType, "SSL 2.0 message":
    /// Something cannot go on, or there is no certificate.
    0 ERROR "ERROR";
    /// A client's offer.
    1 CLIENT_HELLO "CLIENT-HELLO";
    /// The cipher chosen and the master key.
    2 CLIENT_MASTER_KEY "CLIENT-MASTER-KEY";
    /// The client has the keys: the connection identifier.
    3 CLIENT_FINISHED "CLIENT-FINISHED";
    /// A server's certificate and kinds.
    4 SERVER_HELLO "SERVER-HELLO";
    /// The server has the keys: the challenge.
    5 SERVER_VERIFY "SERVER-VERIFY";
    /// The end: the session's identifier.
    6 SERVER_FINISHED "SERVER-FINISHED";
    /// A server asks for a certificate.
    7 REQUEST_CERTIFICATE "REQUEST-CERTIFICATE";
    /// A client's certificate, and what shows that it has the key.
    8 CLIENT_CERTIFICATE "CLIENT-CERTIFICATE";
}

names! { Ssl2ErrorCode, "SSL 2.0 error":
    /// The two have no cipher kind, or no version, in common.
    1 NO_CIPHER "NO-CIPHER-ERROR";
    /// A client has no certificate, and one was asked for. Of the four only this one leaves a connection in being.
    2 NO_CERTIFICATE "NO-CERTIFICATE-ERROR";
    /// A certificate was refused, or its signature.
    4 BAD_CERTIFICATE "BAD-CERTIFICATE-ERROR";
    /// A certificate of a kind that is not known.
    6 UNSUPPORTED_CERTIFICATE_TYPE "UNSUPPORTED-CERTIFICATE-TYPE-ERROR";
}

/// CERTIFICATE-TYPE: X.509. Spec: SSL2 section C.5.
const X509: u8 = 1;
/// AUTHENTICATION-TYPE: MD5 with RSA. Spec: SSL2 section C.5.
const MD5_WITH_RSA: u8 = 1;
/// Bytes of a session's identifier.
pub(crate) const SESSION_ID_LEN: usize = 16;
/// Bytes that challenges and connection identifiers may have.
const CHALLENGE_LEN: core::ops::RangeInclusive<usize> = 16..=32;

fn length(field: &'static str, bytes: &[u8]) -> Result<u16, EncodeError> {
    let max = usize::from(u16::MAX);
    u16::try_from(bytes.len()).map_err(|_| EncodeError { field, length: bytes.len(), max })
}

/// A challenge or a connection identifier of SSL 2.0: 16 to 32 bytes.
fn challenge<'a>(
    reader: &mut Reader<'a>,
    field: &'static str,
    length: usize,
) -> Result<Cow<'a, [u8]>, DecodeError> {
    if !CHALLENGE_LEN.contains(&length) {
        return Err(DecodeError::illegal(field));
    }
    reader.take(field, length).map(Cow::Borrowed)
}

fn kinds(bytes: &[u8], field: &'static str) -> Result<Vec<CipherKind>, DecodeError> {
    let (kinds, rest) = bytes.as_chunks::<3>();
    if rest.is_empty() {
        Ok(kinds.iter().copied().map(CipherKind).collect())
    } else {
        Err(DecodeError::illegal(field))
    }
}

fn kind_bytes(kinds: &[CipherKind]) -> Vec<u8> {
    kinds.iter().flat_map(|kind| kind.0).collect()
}

/// ERROR: two bytes that say what.
///
/// ```text
/// MSG-ERROR    0   (read before this)
/// ERROR-CODE   2   big-endian
/// ```
///
/// Spec: SSL2 section 5.7.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ErrorMessage {
    pub(crate) code: Ssl2ErrorCode,
}

impl Codec<'_> for ErrorMessage {
    fn encode(&self, writer: &mut Writer) -> Result<(), EncodeError> {
        writer.u16(self.code.0);
        Ok(())
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { code: Ssl2ErrorCode(reader.u16("ERROR.code")?) })
    }
}

/// CLIENT-HELLO: what a client can do. The same format carries the offer of SSL 3.0 and TLS.
///
/// ```text
/// MSG-CLIENT-HELLO         1   (read before this)
/// CLIENT-VERSION           2   0x0002, or that of the newer protocol
/// CIPHER-SPECS-LENGTH      2   a multiple of 3, not 0
/// SESSION-ID-LENGTH        2   0 or 16
/// CHALLENGE-LENGTH         2   16 to 32, or more if CLIENT-VERSION is that of the newer protocol
/// CIPHER-SPECS-DATA · SESSION-ID-DATA · CHALLENGE-DATA
/// ```
///
/// Spec: SSL2 section 5.5.1; TLS10 appendix E.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClientHello<'a> {
    pub(crate) version: u16,
    pub(crate) kinds: Vec<CipherKind>,
    pub(crate) session_id: Cow<'a, [u8]>,
    pub(crate) challenge: Cow<'a, [u8]>,
}

impl ClientHello<'_> {
    /// Whether the challenge is one for SSL 2.0 and PCT, which have a bound, whatever else is offered.
    ///
    /// Spec: SSL2 section 5.5.1.
    pub(crate) fn has_old_challenge(&self) -> bool {
        CHALLENGE_LEN.contains(&self.challenge.len())
    }
}

impl<'a> Codec<'a> for ClientHello<'a> {
    fn encode(&self, writer: &mut Writer) -> Result<(), EncodeError> {
        let kinds = kind_bytes(&self.kinds);
        writer.u16(self.version);
        writer.u16(length("CLIENT-HELLO.cipher_specs", &kinds)?);
        writer.u16(length("CLIENT-HELLO.session_id", &self.session_id)?);
        writer.u16(length("CLIENT-HELLO.challenge", &self.challenge)?);
        writer.bytes(&kinds);
        writer.bytes(&self.session_id);
        writer.bytes(&self.challenge);
        Ok(())
    }

    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        const KINDS: &str = "CLIENT-HELLO.cipher_specs";
        const SESSION_ID: &str = "CLIENT-HELLO.session_id";
        let version = reader.u16("CLIENT-HELLO.version")?;
        let kinds_len = usize::from(reader.u16(KINDS)?);
        let session_id_len = usize::from(reader.u16(SESSION_ID)?);
        let challenge_len = usize::from(reader.u16("CLIENT-HELLO.challenge")?);
        // What becomes the random of SSL 3.0 and TLS may be longer. Spec: TLS10 appendix E.1.
        let is_newer = version >= ProtocolVersion::SSL30.0;
        if kinds_len == 0 {
            return Err(DecodeError::illegal(KINDS));
        }
        if session_id_len != 0 && session_id_len != SESSION_ID_LEN {
            return Err(DecodeError::illegal(SESSION_ID));
        }
        Ok(Self {
            version,
            kinds: kinds(reader.take(KINDS, kinds_len)?, KINDS)?,
            session_id: reader.take(SESSION_ID, session_id_len)?.into(),
            challenge: if is_newer && challenge_len >= *CHALLENGE_LEN.start() {
                reader.take("CLIENT-HELLO.challenge", challenge_len)?.into()
            } else {
                challenge(reader, "CLIENT-HELLO.challenge", challenge_len)?
            },
        })
    }
}

/// SERVER-HELLO: a session that is taken up again, or a certificate and the kinds that both have.
///
/// ```text
/// MSG-SERVER-HELLO          4   (read before this)
/// SESSION-ID-HIT            1   0 or not
/// CERTIFICATE-TYPE          1   1 = X.509; 0 on a hit
/// SERVER-VERSION            2   0x0002
/// CERTIFICATE-LENGTH        2   0 on a hit
/// CIPHER-SPECS-LENGTH       2   a multiple of 3; 0 on a hit
/// CONNECTION-ID-LENGTH      2   16 to 32
/// CERTIFICATE-DATA · CIPHER-SPECS-DATA · CONNECTION-ID-DATA
/// ```
///
/// Spec: SSL2 section 5.6.1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerHello<'a> {
    pub(crate) version: u16,
    pub(crate) offer: Option<ServerOffer<'a>>,
    pub(crate) connection_id: Cow<'a, [u8]>,
}

/// What a SERVER-HELLO has that takes up no session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerOffer<'a> {
    pub(crate) certificate: Cow<'a, [u8]>,
    pub(crate) kinds: Vec<CipherKind>,
}

impl<'a> Codec<'a> for ServerHello<'a> {
    fn encode(&self, writer: &mut Writer) -> Result<(), EncodeError> {
        let (certificate, kinds) = match &self.offer {
            Some(offer) => (&*offer.certificate, kind_bytes(&offer.kinds)),
            None => (&[][..], Vec::new()),
        };
        writer.u8(u8::from(self.offer.is_none()));
        writer.u8(if self.offer.is_some() { X509 } else { 0 });
        writer.u16(self.version);
        writer.u16(length("SERVER-HELLO.certificate", certificate)?);
        writer.u16(length("SERVER-HELLO.cipher_specs", &kinds)?);
        writer.u16(length("SERVER-HELLO.connection_id", &self.connection_id)?);
        writer.bytes(certificate);
        writer.bytes(&kinds);
        writer.bytes(&self.connection_id);
        Ok(())
    }

    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        const TYPE: &str = "SERVER-HELLO.certificate_type";
        const CERTIFICATE: &str = "SERVER-HELLO.certificate";
        const KINDS: &str = "SERVER-HELLO.cipher_specs";
        let is_hit = reader.u8("SERVER-HELLO.session_id_hit")? != 0;
        let certificate_type = reader.u8(TYPE)?;
        let version = reader.u16("SERVER-HELLO.version")?;
        let certificate_len = usize::from(reader.u16(CERTIFICATE)?);
        let kinds_len = usize::from(reader.u16(KINDS)?);
        let connection_id_len = usize::from(reader.u16("SERVER-HELLO.connection_id")?);
        let is_empty = |field, empty| if empty { Ok(()) } else { Err(DecodeError::illegal(field)) };
        is_empty(TYPE, certificate_type == if is_hit { 0 } else { X509 })?;
        is_empty(CERTIFICATE, (certificate_len == 0) == is_hit)?;
        is_empty(KINDS, !is_hit || kinds_len == 0)?;
        let certificate = reader.take(CERTIFICATE, certificate_len)?;
        let kinds = kinds(reader.take(KINDS, kinds_len)?, KINDS)?;
        let offer = ServerOffer { certificate: certificate.into(), kinds };
        Ok(Self {
            version,
            offer: (!is_hit).then_some(offer),
            connection_id: challenge(reader, "SERVER-HELLO.connection_id", connection_id_len)?,
        })
    }
}

/// CLIENT-MASTER-KEY: the cipher chosen and the master key, part of it under the server's RSA key.
///
/// ```text
/// MSG-CLIENT-MASTER-KEY     2   (read before this)
/// CIPHER-KIND               3
/// CLEAR-KEY-LENGTH          2
/// ENCRYPTED-KEY-LENGTH      2
/// KEY-ARG-LENGTH            2
/// CLEAR-KEY-DATA · ENCRYPTED-KEY-DATA · KEY-ARG-DATA
/// ```
///
/// The lengths in clear are those that the kind has, nothing else: a client that chose how much of a key it sends in clear
/// could ask byte by byte what the rest is (CVE-2016-0703).
///
/// Spec: SSL2 section 5.5.2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClientMasterKey<'a> {
    pub(crate) kind: CipherKind,
    pub(crate) clear_key: Cow<'a, [u8]>,
    pub(crate) encrypted_key: Cow<'a, [u8]>,
    pub(crate) key_arg: Cow<'a, [u8]>,
}

impl ClientMasterKey<'_> {
    /// Whether the lengths are those of its kind.
    ///
    /// # Errors
    ///
    /// The field that is longer or shorter.
    pub(crate) fn check_lengths(&self, row: &KindRow) -> Result<(), DecodeError> {
        if self.clear_key.len() != row.clear_len() {
            return Err(DecodeError::illegal("CLIENT-MASTER-KEY.clear_key"));
        }
        if self.key_arg.len() != row.key_arg_len() {
            return Err(DecodeError::illegal("CLIENT-MASTER-KEY.key_arg"));
        }
        Ok(())
    }
}

impl<'a> Codec<'a> for ClientMasterKey<'a> {
    fn encode(&self, writer: &mut Writer) -> Result<(), EncodeError> {
        writer.bytes(&self.kind.0);
        writer.u16(length("CLIENT-MASTER-KEY.clear_key", &self.clear_key)?);
        writer.u16(length("CLIENT-MASTER-KEY.encrypted_key", &self.encrypted_key)?);
        writer.u16(length("CLIENT-MASTER-KEY.key_arg", &self.key_arg)?);
        writer.bytes(&self.clear_key);
        writer.bytes(&self.encrypted_key);
        writer.bytes(&self.key_arg);
        Ok(())
    }

    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        const CLEAR: &str = "CLIENT-MASTER-KEY.clear_key";
        const ENCRYPTED: &str = "CLIENT-MASTER-KEY.encrypted_key";
        const ARG: &str = "CLIENT-MASTER-KEY.key_arg";
        let kind = CipherKind(reader.array("CLIENT-MASTER-KEY.cipher_kind")?);
        let clear_len = usize::from(reader.u16(CLEAR)?);
        let encrypted_len = usize::from(reader.u16(ENCRYPTED)?);
        let arg_len = usize::from(reader.u16(ARG)?);
        Ok(Self {
            kind,
            clear_key: reader.take(CLEAR, clear_len)?.into(),
            encrypted_key: reader.take(ENCRYPTED, encrypted_len)?.into(),
            key_arg: reader.take(ARG, arg_len)?.into(),
        })
    }
}

/// REQUEST-CERTIFICATE: a server wants a certificate, and something signed.
///
/// ```text
/// MSG-REQUEST-CERTIFICATE            7   (read before this)
/// AUTHENTICATION-TYPE                1   1 = MD5 with RSA
/// CERTIFICATE-CHALLENGE-DATA         16 to 32, the rest
/// ```
///
/// Spec: SSL2 section 5.6.4.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RequestCertificate<'a> {
    pub(crate) challenge: Cow<'a, [u8]>,
}

impl<'a> Codec<'a> for RequestCertificate<'a> {
    fn encode(&self, writer: &mut Writer) -> Result<(), EncodeError> {
        writer.u8(MD5_WITH_RSA);
        writer.bytes(&self.challenge);
        Ok(())
    }

    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        const TYPE: &str = "REQUEST-CERTIFICATE.authentication_type";
        if reader.u8(TYPE)? != MD5_WITH_RSA {
            return Err(DecodeError::illegal(TYPE));
        }
        let length = reader.remaining();
        Ok(Self { challenge: challenge(reader, "REQUEST-CERTIFICATE.challenge", length)? })
    }
}

/// CLIENT-CERTIFICATE: a client's certificate, and what shows that it has the key.
///
/// ```text
/// MSG-CLIENT-CERTIFICATE    8   (read before this)
/// CERTIFICATE-TYPE          1   1 = X.509
/// CERTIFICATE-LENGTH        2
/// RESPONSE-LENGTH           2
/// CERTIFICATE-DATA · RESPONSE-DATA
/// ```
///
/// Spec: SSL2 section 5.5.3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClientCertificate<'a> {
    pub(crate) certificate: Cow<'a, [u8]>,
    pub(crate) response: Cow<'a, [u8]>,
}

impl<'a> Codec<'a> for ClientCertificate<'a> {
    fn encode(&self, writer: &mut Writer) -> Result<(), EncodeError> {
        writer.u8(X509);
        writer.u16(length("CLIENT-CERTIFICATE.certificate", &self.certificate)?);
        writer.u16(length("CLIENT-CERTIFICATE.response", &self.response)?);
        writer.bytes(&self.certificate);
        writer.bytes(&self.response);
        Ok(())
    }

    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        const CERTIFICATE: &str = "CLIENT-CERTIFICATE.certificate";
        const RESPONSE: &str = "CLIENT-CERTIFICATE.response";
        const TYPE: &str = "CLIENT-CERTIFICATE.certificate_type";
        if reader.u8(TYPE)? != X509 {
            return Err(DecodeError::illegal(TYPE));
        }
        let certificate_len = usize::from(reader.u16(CERTIFICATE)?);
        let response_len = usize::from(reader.u16(RESPONSE)?);
        Ok(Self {
            certificate: reader.take(CERTIFICATE, certificate_len)?.into(),
            response: reader.take(RESPONSE, response_len)?.into(),
        })
    }
}

/// The three messages of which everything is one value: CLIENT-FINISHED has the connection identifier, SERVER-VERIFY the
/// challenge, SERVER-FINISHED the session's identifier.
///
/// Spec: SSL2 sections 5.5.4, 5.6.2 and 5.6.3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Echo<'a>(pub(crate) Cow<'a, [u8]>);

impl<'a> Codec<'a> for Echo<'a> {
    fn encode(&self, writer: &mut Writer) -> Result<(), EncodeError> {
        writer.bytes(&self.0);
        Ok(())
    }

    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self(reader.rest().into()))
    }
}
