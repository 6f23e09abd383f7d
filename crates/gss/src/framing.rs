//! The frame of a mechanism's first token, which names the mechanism.

use crate::der::{Der, begin, size, tag};
use crate::{DecodeError, MAXIMUM_TOKEN, MechType};

/// `InitialContextToken`: the first token of an initiator, and the mechanism that it belongs to.
///
/// ```text
/// 60 len              [APPLICATION 0]
///   06 len …          thisMech
///   …                 innerContextToken: whatever the mechanism has there
/// ```
///
/// NTLM has no frame: its first token begins with `NTLMSSP`.
///
/// Spec: GSS section 3.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InitialContextToken<'a> {
    /// `thisMech`.
    pub mechanism: MechType<'a>,
    /// `innerContextToken`.
    pub inner: &'a [u8],
}

impl<'a> InitialContextToken<'a> {
    /// Whether `bytes` begin as such a token does.
    #[must_use]
    pub fn is_framed(bytes: &[u8]) -> bool {
        bytes.first() == Some(&tag::APPLICATION_0)
    }

    /// Reads the token that `bytes` are.
    ///
    /// # Errors
    /// It has no such frame, or one that does not fit around it.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        Self::unwrap(bytes).map(|(mechanism, inner)| Self { mechanism, inner: inner.bytes() })
    }

    /// As [`decode`](Self::decode); what is inside can be read on.
    pub(crate) fn unwrap(bytes: &'a [u8]) -> Result<(MechType<'a>, Der<'a>), DecodeError> {
        const FIELD: &str = "InitialContextToken";
        let der = Der::new(bytes, 0);
        if bytes.len() > MAXIMUM_TOKEN {
            return Err(der.illegal(FIELD));
        }
        let mut inner = der.only(FIELD, tag::APPLICATION_0)?;
        let mechanism = MechType::decode(&mut inner, "InitialContextToken.thisMech")?;
        Ok((mechanism, inner))
    }

    /// The token as bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let content = size(self.mechanism.content().len()) + self.inner.len();
        let mut out = Vec::with_capacity(size(content));
        begin(&mut out, tag::APPLICATION_0, content);
        self.mechanism.encode(&mut out);
        out.extend_from_slice(self.inner);
        out
    }
}
