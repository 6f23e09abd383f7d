//! `CHALLENGE_MESSAGE`: what both ends do, eight random bytes, and who the server is.

use wire::{DecodeError, EncodeError, Writer};

use super::payload::{FIELD_LEN, Field, Payload, PayloadWriter};
use super::{AvPairs, MessageType, NegotiateFlags, SIGNATURE, Version, begin_as, is_there};

/// `CHALLENGE_MESSAGE`: what both ends do, eight random bytes, and who the server is.
///
/// ```text
/// Signature            8
/// MessageType          4   2
/// TargetNameFields     8
/// NegotiateFlags       4
/// ServerChallenge      8
/// Reserved             8   the oldest servers end before it
/// TargetInfoFields     8
/// Version              8
/// Payload                  target name · target info
/// ```
///
/// Spec: MS-NLMP section 2.2.1.2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChallengeMessage<'a> {
    /// `TargetName`: a text, as the flags say.
    pub target_name: &'a [u8],
    /// `NegotiateFlags`.
    pub flags: NegotiateFlags,
    /// `ServerChallenge`.
    pub server_challenge: [u8; 8],
    /// `TargetInfo`, as on the wire; empty where there is none.
    pub target_info: &'a [u8],
    /// `Version`, where there is one.
    pub version: Option<Version>,
}

/// The end of the challenge, of the target info's field, and of the version.
const CHALLENGE_END: usize = 32;
const FIELDS_END: usize = CHALLENGE_END + 8 + FIELD_LEN;
const VERSION_END: usize = FIELDS_END + 8;

impl<'a> ChallengeMessage<'a> {
    /// Reads the message that `bytes` are.
    ///
    /// # Errors
    /// It is another message, ends too early, or has a field that does not lie in its payload, or shares it.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = begin_as(bytes, MessageType::CHALLENGE)?;
        let target_name = Field::decode(&mut reader, "TargetName")?;
        let flags = NegotiateFlags(reader.u32_le("NegotiateFlags")?);
        let server_challenge = reader.array("ServerChallenge")?;
        let has_info = flags.contains(NegotiateFlags::NEGOTIATE_TARGET_INFO);
        let (target_info, fixed) = if has_info {
            let _reserved = reader.u64_le("Reserved")?;
            (Field::decode(&mut reader, "TargetInfo")?, FIELDS_END)
        } else {
            (Field::empty("TargetInfo"), CHALLENGE_END)
        };
        let payload = Payload::decode(bytes, fixed, [target_name, target_info])?;
        let has_version = flags.contains(NegotiateFlags::NEGOTIATE_VERSION);
        let version = if has_info && has_version && is_there(payload.begins, VERSION_END) {
            Some(Version::decode(&mut reader)?)
        } else {
            None
        };
        let [target_name, target_info] = payload.contents;
        Ok(Self { target_name, flags, server_challenge, target_info, version })
    }

    /// `TargetInfo`, read; without pairs where there is none.
    ///
    /// # Errors
    /// As [`AvPairs::decode`].
    pub fn av_pairs(&self) -> Result<AvPairs<'a>, DecodeError> {
        if self.target_info.is_empty() {
            Ok(AvPairs::default())
        } else {
            AvPairs::from_bytes(self.target_info)
        }
    }

    /// The message as bytes.
    ///
    /// # Errors
    /// A content is longer than 65,535 bytes.
    pub fn to_bytes(&self) -> Result<Vec<u8>, EncodeError> {
        let fixed = if self.version.is_some() { VERSION_END } else { FIELDS_END };
        let mut payload = PayloadWriter::new(fixed);
        let target_name = payload.place("TargetName", self.target_name)?;
        let target_info = payload.place("TargetInfo", self.target_info)?;
        let mut writer = Writer::with_capacity(fixed + self.target_name.len() + self.target_info.len());
        writer.bytes(&SIGNATURE);
        writer.u32_le(MessageType::CHALLENGE.0);
        target_name.encode(&mut writer);
        writer.u32_le(self.flags.0);
        writer.bytes(&self.server_challenge);
        writer.bytes(&[0; 8]);
        target_info.encode(&mut writer);
        if let Some(version) = self.version {
            version.encode(&mut writer);
        }
        payload.finish(&mut writer);
        Ok(writer.into_vec())
    }
}
