//! The strings of messages.

use wire::DecodeError;

/// A text as UTF-16, little-endian, without anything behind it.
#[must_use]
pub fn utf16(text: &str) -> Vec<u8> {
    // No character has more units of UTF-16 than bytes of UTF-8: a vector that grows would leave copies of a password.
    let mut bytes = Vec::with_capacity(2 * text.len());
    push_utf16(&mut bytes, text, |c| c);
    bytes
}

/// Appends a text as UTF-16, little-endian, whose characters become others on the way; those of ASCII others of ASCII.
pub(crate) fn push_utf16(bytes: &mut Vec<u8>, text: &str, change: impl Fn(char) -> char) {
    if text.is_ascii() {
        let ascii = |byte: u8| u8::try_from(change(char::from(byte))).unwrap_or(byte);
        bytes.extend(text.bytes().flat_map(|byte| [ascii(byte), 0]));
        return;
    }
    for c in text.chars() {
        for unit in change(c).encode_utf16(&mut [0; 2]) {
            bytes.extend_from_slice(&unit.to_le_bytes());
        }
    }
}

/// A text as the code page of its sender has it, which nobody knows: what is not ASCII becomes a question mark.
pub(crate) fn oem(text: &str) -> Vec<u8> {
    text.chars().map(|c| u8::try_from(c).ok().filter(u8::is_ascii).unwrap_or(b'?')).collect()
}

/// The text that the bytes of a message are: UTF-16 where the flags say so, or of the code page of its sender. Of that
/// only ASCII is known.
///
/// # Errors
/// They are no such text. A name is half of what a password is proved with, so that nothing is guessed.
pub fn text(field: &'static str, bytes: &[u8], is_unicode: bool) -> Result<String, DecodeError> {
    let illegal = || DecodeError::illegal(field);
    if !is_unicode {
        return str::from_utf8(bytes)
            .ok()
            .filter(|text| text.is_ascii())
            .map(str::to_owned)
            .ok_or_else(illegal);
    }
    let (units, rest) = bytes.as_chunks();
    if !rest.is_empty() {
        return Err(illegal());
    }
    if units.iter().all(|[low, high]| low.is_ascii() && *high == 0) {
        return Ok(units.iter().map(|[low, _]| char::from(*low)).collect());
    }
    let mut text = String::with_capacity(units.len());
    for c in char::decode_utf16(units.iter().map(|unit| u16::from_le_bytes(*unit))) {
        text.push(c.map_err(|_| illegal())?);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn utf_16_is_read_as_it_is_written_and_nothing_else_is() {
        for name in ["", "User", "Jürgen", "用户", "🦀"] {
            assert_eq!(text("UserName", &utf16(name), true).unwrap(), name);
        }
        for wrong in [&[0x41][..], &[0x41, 0, 0x42], &[0x3d, 0xd8], &[0, 0xdc, 0x41, 0]] {
            assert_eq!(text("UserName", wrong, true).unwrap_err(), DecodeError::illegal("UserName"));
        }
    }

    #[test]
    fn of_a_code_page_only_ascii_is_known() {
        assert_eq!(oem("COMPUTER-ü"), b"COMPUTER-?");
        assert_eq!(text("Workstation", b"COMPUTER", false).unwrap(), "COMPUTER");
        assert!(text("Workstation", b"J\xfcrgen", false).is_err());
    }
}
