//! `AUTHENTICATE_MESSAGE`: who the client is, and what its password makes of the challenge.

use std::fmt;

use wire::{DecodeError, EncodeError, Writer};

use super::payload::{FIELD_LEN, Field, Payload, PayloadWriter};
use super::{MessageType, NegotiateFlags, SIGNATURE, Version, begin_as, is_there, text};

/// `AUTHENTICATE_MESSAGE`: who the client is, and what its password makes of the challenge.
///
/// ```text
/// Signature                         8
/// MessageType                       4   3
/// LmChallengeResponseFields         8
/// NtChallengeResponseFields         8
/// DomainNameFields                  8
/// UserNameFields                    8
/// WorkstationFields                 8
/// EncryptedRandomSessionKeyFields   8
/// NegotiateFlags                    4
/// Version                           8   where the payload begins behind it
/// MIC                              16   where the payload begins behind it
/// Payload                               domain · user · workstation · LM · NT · session key
/// ```
///
/// `Debug` shows no response and no key.
///
/// Spec: MS-NLMP section 2.2.1.3.
#[derive(Clone, PartialEq, Eq)]
pub struct AuthenticateMessage<'a> {
    /// `LmChallengeResponse`.
    pub lm_response: &'a [u8],
    /// `NtChallengeResponse`: 24 bytes of NTLM version 1, more of version 2, none of nobody.
    pub nt_response: &'a [u8],
    /// `DomainName`: a text, as the flags say.
    pub domain: &'a [u8],
    /// `UserName`: a text, as the flags say.
    pub user: &'a [u8],
    /// `Workstation`: a text, as the flags say.
    pub workstation: &'a [u8],
    /// `EncryptedRandomSessionKey`: 16 bytes, or none.
    pub encrypted_random_session_key: &'a [u8],
    /// `NegotiateFlags`.
    pub flags: NegotiateFlags,
    /// `Version`, where there is room for one.
    pub version: Option<Version>,
    /// `MIC`, where there is room for one. That there is room does not make it one: whether the client has written a MIC is
    /// said by `MsvAvFlags` in its answer.
    pub mic: Option<[u8; 16]>,
}

/// The end of the flags, of the version, and of the MIC.
const FLAGS_END: usize = 12 + 6 * FIELD_LEN + 4;
const VERSION_END: usize = FLAGS_END + 8;
const MIC_END: usize = VERSION_END + 16;

impl<'a> AuthenticateMessage<'a> {
    /// Where the MIC lies, if there is one.
    pub const MIC_RANGE: core::ops::Range<usize> = VERSION_END..MIC_END;

    /// Reads the message that `bytes` are.
    ///
    /// # Errors
    /// It is another message, ends too early, or has a field that does not lie in its payload, or shares it.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = begin_as(bytes, MessageType::AUTHENTICATE)?;
        let fields = [
            Field::decode(&mut reader, "LmChallengeResponse")?,
            Field::decode(&mut reader, "NtChallengeResponse")?,
            Field::decode(&mut reader, "DomainName")?,
            Field::decode(&mut reader, "UserName")?,
            Field::decode(&mut reader, "Workstation")?,
            Field::decode(&mut reader, "EncryptedRandomSessionKey")?,
        ];
        let flags = NegotiateFlags(reader.u32_le("NegotiateFlags")?);
        let Payload { contents, begins } = Payload::decode(bytes, FLAGS_END, fields)?;
        let version = is_there(begins, VERSION_END).then(|| Version::decode(&mut reader)).transpose()?;
        let mic = is_there(begins, MIC_END).then(|| reader.array("MIC")).transpose()?;
        let version = version.filter(|_| flags.contains(NegotiateFlags::NEGOTIATE_VERSION));
        let [lm_response, nt_response, domain, user, workstation, encrypted_random_session_key] = contents;
        Ok(Self {
            lm_response,
            nt_response,
            domain,
            user,
            workstation,
            encrypted_random_session_key,
            flags,
            version,
            mic,
        })
    }

    /// A name of the message, as a text.
    ///
    /// # Errors
    /// It is none.
    pub fn text(&self, field: &'static str, bytes: &[u8]) -> Result<String, DecodeError> {
        text(field, bytes, self.flags.contains(NegotiateFlags::NEGOTIATE_UNICODE))
    }

    /// The message as bytes, with room for version and MIC where there is a MIC.
    ///
    /// # Errors
    /// A content is longer than 65,535 bytes.
    pub fn to_bytes(&self) -> Result<Vec<u8>, EncodeError> {
        let fixed = if self.mic.is_some() { MIC_END } else { VERSION_END };
        let mut payload = PayloadWriter::new(fixed);
        let domain = payload.place("DomainName", self.domain)?;
        let user = payload.place("UserName", self.user)?;
        let workstation = payload.place("Workstation", self.workstation)?;
        let lm_response = payload.place("LmChallengeResponse", self.lm_response)?;
        let nt_response = payload.place("NtChallengeResponse", self.nt_response)?;
        let session_key = payload.place("EncryptedRandomSessionKey", self.encrypted_random_session_key)?;
        let mut writer = Writer::with_capacity(fixed + 512 + self.nt_response.len());
        writer.bytes(&SIGNATURE);
        writer.u32_le(MessageType::AUTHENTICATE.0);
        for field in [lm_response, nt_response, domain, user, workstation, session_key] {
            field.encode(&mut writer);
        }
        writer.u32_le(self.flags.0);
        match self.version {
            Some(version) => version.encode(&mut writer),
            None => writer.bytes(&[0; 8]),
        }
        if let Some(mic) = &self.mic {
            writer.bytes(mic);
        }
        payload.finish(&mut writer);
        Ok(writer.into_vec())
    }
}

impl fmt::Debug for AuthenticateMessage<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |bytes| self.text("", bytes).unwrap_or_else(|_| "(unreadable)".to_owned());
        f.debug_struct("AuthenticateMessage")
            .field("lm_response", &format_args!("{} bytes", self.lm_response.len()))
            .field("nt_response", &format_args!("{} bytes", self.nt_response.len()))
            .field("domain", &name(self.domain))
            .field("user", &name(self.user))
            .field("workstation", &name(self.workstation))
            .field("flags", &self.flags)
            .field("version", &self.version)
            .field("has_mic", &self.mic.is_some())
            .finish_non_exhaustive()
    }
}
