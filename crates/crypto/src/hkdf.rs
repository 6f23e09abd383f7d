//! HKDF, and the labelled derivations that TLS 1.3 builds on it.
//!
//! Spec: HKDF section 2, TLS13 section 7.1.

use std::error::Error;
use std::fmt::{self, Display, Formatter};

use crate::hash::{Digest, Hash};
use crate::mac::{HmacKey, hmac};

/// HKDF-Extract: the pseudorandom key of `input_key_material` under `salt`, of the hash's length.
///
/// No salt is an empty one, which means the same as zeros of the hash's length.
///
/// Spec: HKDF section 2.2.
#[must_use]
pub fn hkdf_extract(hash: Hash, salt: &[u8], input_key_material: &[u8]) -> Digest {
    hmac(hash, salt, &[input_key_material])
}

/// HKDF-Expand: fills `out` from the pseudorandom key, for the purpose that `info` names.
///
/// # Errors
///
/// [`HkdfError::OutputTooLong`]; `out` is then untouched.
///
/// Spec: HKDF section 2.3.
pub fn hkdf_expand(
    hash: Hash,
    pseudorandom_key: &[u8],
    info: &[u8],
    out: &mut [u8],
) -> Result<(), HkdfError> {
    expand(hash, pseudorandom_key, &[info], out)
}

/// HKDF-Expand-Label: fills `out` from `secret`, for `label` and `context`.
///
/// ```text
/// struct {
///     uint16 length                       the length of out
///     opaque label<7..255>                "tls13 " and label; an application's may be empty
///     opaque context<0..255>              mostly a transcript hash, or nothing
/// } HkdfLabel
/// ```
///
/// # Errors
///
/// [`HkdfError`]; `out` is then untouched.
///
/// Spec: TLS13 section 7.1.
pub fn hkdf_expand_label(
    hash: Hash,
    secret: &[u8],
    label: &[u8],
    context: &[u8],
    out: &mut [u8],
) -> Result<(), HkdfError> {
    let out_len = u16::try_from(out.len())
        .map_err(|_| HkdfError::OutputTooLong { length: out.len(), max: max_len(hash) })?;
    let label_len = u8::try_from(LABEL_PREFIX.len().saturating_add(label.len()))
        .map_err(|_| HkdfError::LabelLength { length: label.len() })?;
    let context_len =
        u8::try_from(context.len()).map_err(|_| HkdfError::ContextTooLong { length: context.len() })?;
    let info: [&[u8]; 6] =
        [&out_len.to_be_bytes(), &[label_len], LABEL_PREFIX, label, &[context_len], context];
    expand(hash, secret, &info, out)
}

const LABEL_PREFIX: &[u8] = b"tls13 ";

/// Derive-Secret: the secret that comes from `secret` for `label` and a transcript, of the hash's length.
///
/// `transcript_hash` is the hash of the messages, the empty string's where there are none.
///
/// # Errors
///
/// [`HkdfError::LabelLength`] or [`HkdfError::ContextTooLong`].
///
/// Spec: TLS13 section 7.1.
pub fn derive_secret(
    hash: Hash,
    secret: &[u8],
    label: &[u8],
    transcript_hash: &[u8],
) -> Result<Digest, HkdfError> {
    let mut derived = Digest::zeros(hash);
    hkdf_expand_label(hash, secret, label, transcript_hash, derived.as_mut())?;
    Ok(derived)
}

/// What HKDF cannot do. All of it is a mistake of the caller: no byte of a peer decides these lengths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HkdfError {
    /// More output is asked for than 255 times the hash's length.
    OutputTooLong {
        /// The length asked for, in bytes.
        length: usize,
        /// The longest there is, in bytes.
        max: usize,
    },
    /// The label is longer than 249 bytes.
    LabelLength {
        /// Its length, in bytes.
        length: usize,
    },
    /// The context is longer than 255 bytes.
    ContextTooLong {
        /// Its length, in bytes.
        length: usize,
    },
}

impl Display for HkdfError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutputTooLong { length, max } => {
                write!(f, "HKDF output of {length} bytes where at most {max} can be derived")
            }
            Self::LabelLength { length } => write!(f, "HKDF label of {length} bytes, not up to 249"),
            Self::ContextTooLong { length } => write!(f, "HKDF context of {length} bytes, more than 255"),
        }
    }
}

impl Error for HkdfError {}

/// HKDF-Expand with `info` in parts.
fn expand(hash: Hash, pseudorandom_key: &[u8], info: &[&[u8]], out: &mut [u8]) -> Result<(), HkdfError> {
    let max = max_len(hash);
    if out.len() > max {
        return Err(HkdfError::OutputTooLong { length: out.len(), max });
    }
    let key = HmacKey::new(hash, pseudorandom_key);
    let mut previous: Option<Digest> = None;
    for (counter, chunk) in (1..=u8::MAX).zip(out.chunks_mut(hash.output_len())) {
        let before = previous.as_ref().map(AsRef::as_ref);
        let block = key.sign_parts(before.into_iter().chain(info.iter().copied()).chain([&[counter][..]]));
        block.copy_to(chunk);
        previous = Some(block);
    }
    Ok(())
}

const fn max_len(hash: Hash) -> usize {
    255 * hash.output_len()
}

#[cfg(test)]
mod tests;
