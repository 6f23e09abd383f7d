//! `NTLMv2_RESPONSE`: what a password makes of a challenge, and what of it is said in clear.

use std::fmt;

use wire::{DecodeError, EncodeError, Reader, Writer};

use super::AvPairs;

/// `NTLMv2_RESPONSE`: a proof over the rest of it, which is said in clear.
///
/// ```text
/// NTProofStr    16   HMAC-MD5 over the server's challenge and the rest
/// temp               see NtlmV2Temp
/// ```
///
/// Spec: MS-NLMP sections 2.2.2.7 and 2.2.2.8.
#[derive(Clone, PartialEq, Eq)]
pub struct NtlmV2Response<'a> {
    /// `NTProofStr`.
    pub nt_proof_str: [u8; 16],
    /// `temp` as on the wire: what the proof is over.
    pub temp: &'a [u8],
    /// What is in it.
    pub content: NtlmV2Temp<'a>,
}

/// `NTLMv2_CLIENT_CHALLENGE`, which the specification also calls `temp`.
///
/// ```text
/// RespType             1   1
/// HiRespType           1   1
/// Reserved             6
/// TimeStamp            8   100 nanoseconds since 1601
/// ChallengeFromClient  8
/// Reserved             4
/// AvPairs                  with their end
/// Reserved             4   not there with every client, and not read
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NtlmV2Temp<'a> {
    /// `TimeStamp`: 100 nanoseconds since 1601.
    pub timestamp: u64,
    /// `ChallengeFromClient`.
    pub client_challenge: [u8; 8],
    /// `AvPairs`.
    pub av_pairs: AvPairs<'a>,
}

impl<'a> NtlmV2Response<'a> {
    /// The length that a response of version 1 has, in bytes: what is longer is of version 2.
    pub const V1_LEN: usize = 24;

    /// Reads the response that `bytes` are.
    ///
    /// # Errors
    /// It is of version 1, ends too early, or is of a version that nobody knows.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let nt_proof_str = reader.array("NTLMv2_RESPONSE.Response")?;
        let temp = reader.rest();
        Ok(Self { nt_proof_str, temp, content: NtlmV2Temp::decode(temp)? })
    }
}

impl<'a> NtlmV2Temp<'a> {
    fn decode(temp: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(temp);
        if reader.array("NTLMv2_CLIENT_CHALLENGE.RespType")? != [1, 1] {
            return Err(DecodeError::illegal("NTLMv2_CLIENT_CHALLENGE.RespType"));
        }
        let _reserved = reader.take("NTLMv2_CLIENT_CHALLENGE.Reserved1", 6)?;
        let timestamp = reader.u64_le("NTLMv2_CLIENT_CHALLENGE.TimeStamp")?;
        let client_challenge = reader.array("NTLMv2_CLIENT_CHALLENGE.ChallengeFromClient")?;
        let _reserved = reader.take("NTLMv2_CLIENT_CHALLENGE.Reserved3", 4)?;
        let av_pairs = AvPairs::decode(&mut reader)?;
        Ok(Self { timestamp, client_challenge, av_pairs })
    }

    /// `temp` as bytes.
    ///
    /// # Errors
    /// A value is longer than 65,535 bytes.
    pub fn to_bytes(&self) -> Result<Vec<u8>, EncodeError> {
        let mut writer = Writer::with_capacity(256);
        writer.bytes(&[1, 1, 0, 0, 0, 0, 0, 0]);
        writer.u64_le(self.timestamp);
        writer.bytes(&self.client_challenge);
        writer.bytes(&[0; 4]);
        self.av_pairs.encode(&mut writer)?;
        writer.bytes(&[0; 4]);
        Ok(writer.into_vec())
    }
}

impl fmt::Debug for NtlmV2Response<'_> {
    /// Without the proof: a password can be guessed with it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NtlmV2Response").field("content", &self.content).finish_non_exhaustive()
    }
}
