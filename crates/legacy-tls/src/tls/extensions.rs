//! The extensions of both hellos.
//!
//! ```text
//! extension_type   2
//! extension_data   2 + 0..2^16-1
//! ```
//!
//! Spec: TLS12 section 7.4.1.4.

use std::borrow::Cow;

use crypto::ecdh::NamedGroup;
use wire::{DecodeError, EncodeError, Reader, Writer};

use crate::error::{Error, Misbehaved};
use crate::tls::messages::OCSP;

/// Spec: TLS-EXT section 3.
pub(crate) const SERVER_NAME: u16 = 0;
/// Spec: TLS-EXT section 8.
pub(crate) const STATUS_REQUEST: u16 = 5;
/// Spec: ECC section 5.1.1.
pub(crate) const SUPPORTED_GROUPS: u16 = 10;
/// Spec: ECC section 5.1.2.
pub(crate) const EC_POINT_FORMATS: u16 = 11;
/// Spec: TLS12 section 7.4.1.4.1.
pub(crate) const SIGNATURE_ALGORITHMS: u16 = 13;
/// Spec: ALPN section 3.1.
pub(crate) const ALPN: u16 = 16;
/// Spec: EMS section 5.1.
pub(crate) const EXTENDED_MASTER_SECRET: u16 = 23;
/// Spec: TICKET section 3.2.
pub(crate) const SESSION_TICKET: u16 = 35;
/// Spec: TLS13 section 4.2.11.
pub(crate) const PRE_SHARED_KEY: u16 = 41;
/// Spec: TLS13 section 4.2.1.
pub(crate) const SUPPORTED_VERSIONS: u16 = 43;
/// Spec: TLS13 section 4.2.9.
pub(crate) const PSK_KEY_EXCHANGE_MODES: u16 = 45;
/// Spec: TLS13 section 4.2.8.
pub(crate) const KEY_SHARE: u16 = 51;
/// Spec: RENEG section 3.2.
pub(crate) const RENEGOTIATION_INFO: u16 = 0xff01;

/// NameType.host_name.
const HOST_NAME: u8 = 0;
/// ECPointFormat.uncompressed.
const UNCOMPRESSED: u8 = 0;

/// Extensions as on the wire, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Extensions<'a>(Vec<(u16, Cow<'a, [u8]>)>);

impl<'a> Extensions<'a> {
    /// The data of an extension.
    pub(crate) fn find(&self, number: u16) -> Option<&[u8]> {
        self.0.iter().find(|(own, _)| *own == number).map(|(_, data)| data.as_ref())
    }

    /// Whether it is there.
    pub(crate) fn has(&self, number: u16) -> bool {
        self.find(number).is_some()
    }

    /// The numbers, in order.
    pub(crate) fn numbers(&self) -> impl Iterator<Item = u16> {
        self.0.iter().map(|(number, _)| *number)
    }

    /// A number that comes twice. There may be thousands of them.
    pub(crate) fn duplicate(&self) -> Option<u16> {
        let mut numbers: Vec<u16> = self.numbers().collect();
        numbers.sort_unstable();
        numbers.windows(2).find_map(|pair| match *pair {
            [first, second] if first == second => Some(first),
            _ => None,
        })
    }

    /// Appends an extension whose data `content` writes.
    pub(crate) fn push(
        &mut self,
        number: u16,
        content: impl FnOnce(&mut Writer) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        let mut writer = Writer::new();
        content(&mut writer)?;
        self.0.push((number, writer.into_vec().into()));
        Ok(())
    }

    /// Extensions that may be missing altogether, to the end of the message.
    pub(crate) fn decode_optional(reader: &mut Reader<'a>, field: &'static str) -> Result<Self, DecodeError> {
        let mut extensions = Vec::new();
        if reader.is_empty() {
            return Ok(Self(extensions));
        }
        let mut list = reader.vec_u16(field)?;
        while !list.is_empty() {
            extensions.push((list.u16(field)?, list.opaque_u16(field)?.into()));
        }
        Ok(Self(extensions))
    }

    pub(crate) fn encode_unless_empty(&self, writer: &mut Writer) -> Result<(), EncodeError> {
        if self.0.is_empty() {
            return Ok(());
        }
        writer.vec_u16("Hello.extensions", |writer| {
            self.0.iter().try_for_each(|(number, data)| {
                writer.u16(*number);
                writer.opaque_u16("Extension.extension_data", data)
            })
        })
    }
}

/// Reads all of `data`.
fn whole<'a, T>(
    data: &'a [u8],
    field: &'static str,
    read: impl FnOnce(&mut Reader<'a>) -> Result<T, DecodeError>,
) -> Result<T, Error> {
    let mut reader = Reader::new(data);
    let value = read(&mut reader)?;
    reader.finish(field)?;
    Ok(value)
}

/// Numbers of two bytes behind a length of two bytes.
fn numbers(data: &[u8], field: &'static str) -> Result<Vec<u16>, Error> {
    whole(data, field, |reader| {
        let mut list = reader.vec_u16(field)?;
        let mut numbers = Vec::with_capacity(list.remaining() / 2);
        while !list.is_empty() {
            numbers.push(list.u16(field)?);
        }
        if numbers.is_empty() { Err(DecodeError::illegal(field)) } else { Ok(numbers) }
    })
}

/// The host name that a client asks for, in lower case and without the dot at its end.
pub(crate) fn server_name(data: &[u8]) -> Result<Option<String>, Error> {
    const FIELD: &str = "server_name";
    let name = whole(data, FIELD, |reader| {
        let mut list = reader.vec_u16(FIELD)?;
        let mut found = None;
        if list.is_empty() {
            return Err(DecodeError::illegal(FIELD));
        }
        while !list.is_empty() {
            let kind = list.u8(FIELD)?;
            let name = list.opaque_u16(FIELD)?;
            if kind == HOST_NAME && found.replace(name).is_some() {
                return Err(DecodeError::illegal(FIELD));
            }
        }
        Ok(found)
    })?;
    let Some(name) = name else { return Ok(None) };
    let legal = |b: &u8| b.is_ascii_alphanumeric() || b"-._".contains(b);
    match std::str::from_utf8(name) {
        Ok(text) if !name.is_empty() && name.len() <= 255 && name.iter().all(legal) => {
            Ok(Some(text.trim_end_matches('.').to_ascii_lowercase()))
        }
        _ => Err(Misbehaved::IllegalParameter("server_name is no host name").into()),
    }
}

pub(crate) fn write_server_name(writer: &mut Writer, name: &str) -> Result<(), EncodeError> {
    writer.vec_u16("server_name", |writer| {
        writer.u8(HOST_NAME);
        writer.opaque_u16("server_name", name.as_bytes())
    })
}

/// Groups, as on the wire.
pub(crate) fn groups(data: &[u8]) -> Result<Vec<u16>, Error> {
    numbers(data, "supported_groups")
}

pub(crate) fn write_groups(writer: &mut Writer, groups: &[NamedGroup]) -> Result<(), EncodeError> {
    writer.vec_u16("supported_groups", |writer| {
        groups.iter().for_each(|group| writer.u16(group.code_point()));
        Ok(())
    })
}

/// Versions, as on the wire.
pub(crate) fn versions(data: &[u8]) -> Result<Vec<u16>, Error> {
    const FIELD: &str = "supported_versions";
    whole(data, FIELD, |reader| {
        let mut list = reader.vec_u8(FIELD)?;
        let mut versions = Vec::new();
        while !list.is_empty() {
            versions.push(list.u16(FIELD)?);
        }
        if versions.is_empty() { Err(DecodeError::illegal(FIELD)) } else { Ok(versions) }
    })
}

/// Whether uncompressed points are understood.
pub(crate) fn has_uncompressed_points(data: &[u8]) -> Result<bool, Error> {
    const FIELD: &str = "ec_point_formats";
    Ok(whole(data, FIELD, |reader| reader.opaque_u8(FIELD))?.contains(&UNCOMPRESSED))
}

pub(crate) fn write_point_formats(writer: &mut Writer) -> Result<(), EncodeError> {
    writer.opaque_u8("ec_point_formats", &[UNCOMPRESSED])
}

/// Signature algorithms, as on the wire.
pub(crate) fn signature_algorithms(data: &[u8]) -> Result<Vec<u16>, Error> {
    numbers(data, "signature_algorithms")
}

pub(crate) fn write_signature_algorithms(
    writer: &mut Writer,
    algorithms: impl Iterator<Item = u16>,
) -> Result<(), EncodeError> {
    writer.vec_u16("signature_algorithms", |writer| {
        algorithms.for_each(|algorithm| writer.u16(algorithm));
        Ok(())
    })
}

/// Application protocols: a client's list, or a server's one.
pub(crate) fn application_protocols(data: &[u8]) -> Result<Vec<Vec<u8>>, Error> {
    const FIELD: &str = "application_layer_protocol_negotiation";
    whole(data, FIELD, |reader| {
        let mut list = reader.vec_u16(FIELD)?;
        let mut names = Vec::new();
        while !list.is_empty() {
            let name = list.opaque_u8(FIELD)?;
            if name.is_empty() {
                return Err(DecodeError::illegal(FIELD));
            }
            names.push(name.to_vec());
        }
        if names.is_empty() { Err(DecodeError::illegal(FIELD)) } else { Ok(names) }
    })
}

pub(crate) fn write_application_protocols(writer: &mut Writer, names: &[Vec<u8>]) -> Result<(), EncodeError> {
    const FIELD: &str = "application_layer_protocol_negotiation";
    writer.vec_u16(FIELD, |writer| names.iter().try_for_each(|name| writer.opaque_u8(FIELD, name)))
}

/// What binds a handshake to the one before it on the same connection.
pub(crate) fn renegotiated_connection(data: &[u8]) -> Result<&[u8], Error> {
    const FIELD: &str = "renegotiated_connection";
    whole(data, FIELD, |reader| reader.opaque_u8(FIELD))
}

pub(crate) fn write_renegotiated_connection(writer: &mut Writer, data: &[&[u8]]) -> Result<(), EncodeError> {
    writer.opaque_u8("renegotiated_connection", &data.concat())
}

/// Whether an OCSP response is asked for.
pub(crate) fn asks_for_ocsp(data: &[u8]) -> bool {
    data.first() == Some(&OCSP)
}

/// Asks for an OCSP response of any responder.
pub(crate) fn write_status_request(writer: &mut Writer) -> Result<(), EncodeError> {
    writer.u8(OCSP);
    writer.opaque_u16("responder_id_list", &[])?;
    writer.opaque_u16("request_extensions", &[])
}

/// An extension that has no content.
pub(crate) fn nothing(data: &[u8], field: &'static str) -> Result<(), Error> {
    whole(data, field, |_| Ok(()))
}
