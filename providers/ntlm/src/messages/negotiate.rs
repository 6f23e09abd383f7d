//! `NEGOTIATE_MESSAGE`: what the client can do.

use wire::{DecodeError, EncodeError, Writer};

use super::payload::{FIELD_LEN, Field, Payload, PayloadWriter};
use super::{MessageType, NegotiateFlags, SIGNATURE, Version, begin_as, is_there};

/// `NEGOTIATE_MESSAGE`: what the client can do.
///
/// ```text
/// Signature            8
/// MessageType          4   1
/// NegotiateFlags       4
/// DomainNameFields     8   read where the flag says so; older clients end before it
/// WorkstationFields    8
/// Version              8
/// Payload                  domain · workstation, of the client's code page
/// ```
///
/// Spec: MS-NLMP section 2.2.1.1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NegotiateMessage<'a> {
    /// `NegotiateFlags`.
    pub flags: NegotiateFlags,
    /// `DomainName`, where it is supplied.
    pub domain: &'a [u8],
    /// `WorkstationName`, where it is supplied.
    pub workstation: &'a [u8],
    /// `Version`, where it is supplied.
    pub version: Option<Version>,
}

/// The end of the flags, of the fields, and of the version.
const FLAGS_END: usize = 16;
const FIELDS_END: usize = FLAGS_END + 2 * FIELD_LEN;
const VERSION_END: usize = FIELDS_END + 8;

impl<'a> NegotiateMessage<'a> {
    /// Reads the message that `bytes` are.
    ///
    /// # Errors
    /// It is another message, ends too early, or has a field that does not lie in its payload.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = begin_as(bytes, MessageType::NEGOTIATE)?;
        let flags = NegotiateFlags(reader.u32_le("NegotiateFlags")?);
        let mut message = Self { flags, domain: &[], workstation: &[], version: None };
        if bytes.len() < FIELDS_END {
            return if bytes.len() == FLAGS_END {
                Ok(message)
            } else {
                Err(DecodeError::illegal("DomainNameFields"))
            };
        }
        // Fields of what is not supplied hold anything.
        let given = |field: Field, flag, name| if flags.contains(flag) { field } else { Field::empty(name) };
        let domain = Field::decode(&mut reader, "DomainName")?;
        let workstation = Field::decode(&mut reader, "WorkstationName")?;
        let fields = [
            given(domain, NegotiateFlags::NEGOTIATE_OEM_DOMAIN_SUPPLIED, "DomainName"),
            given(workstation, NegotiateFlags::NEGOTIATE_OEM_WORKSTATION_SUPPLIED, "WorkstationName"),
        ];
        let payload = Payload::decode(bytes, FIELDS_END, fields)?;
        [message.domain, message.workstation] = payload.contents;
        if flags.contains(NegotiateFlags::NEGOTIATE_VERSION) && is_there(payload.begins, VERSION_END) {
            message.version = Some(Version::decode(&mut reader)?);
        }
        Ok(message)
    }

    /// The message as bytes.
    ///
    /// # Errors
    /// A name is longer than 65,535 bytes.
    pub fn to_bytes(&self) -> Result<Vec<u8>, EncodeError> {
        let fixed = if self.version.is_some() { VERSION_END } else { FIELDS_END };
        let mut payload = PayloadWriter::new(fixed);
        let domain = payload.place("DomainName", self.domain)?;
        let workstation = payload.place("WorkstationName", self.workstation)?;
        let mut writer = Writer::with_capacity(fixed + self.domain.len() + self.workstation.len());
        writer.bytes(&SIGNATURE);
        writer.u32_le(MessageType::NEGOTIATE.0);
        writer.u32_le(self.flags.0);
        domain.encode(&mut writer);
        workstation.encode(&mut writer);
        if let Some(version) = self.version {
            version.encode(&mut writer);
        }
        payload.finish(&mut writer);
        Ok(writer.into_vec())
    }
}
