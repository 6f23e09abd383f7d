//! Text as it is on the wire: bytes, whose encoding the message says, or nobody.

use core::fmt;
use std::borrow::Cow;
use std::ops::Deref;

use unicode_normalization::UnicodeNormalization;

/// The value of a directive, with its quoting removed: bytes, nearly always ASCII.
#[derive(Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Text(Vec<u8>);

impl Text {
    /// The bytes as a string: as UTF-8 where they are UTF-8, otherwise as ISO 8859-1, which anything is.
    #[must_use]
    pub fn to_text(&self) -> Cow<'_, str> {
        match str::from_utf8(&self.0) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => Cow::Owned(self.0.iter().map(|byte| char::from(*byte)).collect()),
        }
    }

    /// Whether these are the same words, in any case.
    #[must_use]
    pub fn is(&self, word: &str) -> bool {
        self.0.eq_ignore_ascii_case(word.as_bytes())
    }
}

impl Deref for Text {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl AsRef<[u8]> for Text {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl From<Vec<u8>> for Text {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(text.as_bytes().to_vec())
    }
}

impl fmt::Display for Text {
    /// What is not printable ASCII is escaped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.escape_ascii().fmt(f)
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

/// Normalization Form C, which is what both ends hash.
///
/// Spec: DIGEST (RFC 7616) section 4.
pub(crate) fn nfc(text: &str) -> String {
    text.nfc().collect()
}

/// The text in ISO 8859-1, if it has no other characters.
pub(crate) fn latin1(text: &str) -> Option<Vec<u8>> {
    text.chars().map(|character| u8::try_from(u32::from(character)).ok()).collect()
}

/// What DIGEST-MD5 hashes of a name or password: ISO 8859-1 where that is possible, otherwise UTF-8.
///
/// Spec: DIGEST (RFC 2831) sections 2.1.2.1 and 8.
pub(crate) fn latin1_or_utf8(text: &str) -> Vec<u8> {
    latin1(text).unwrap_or_else(|| text.as_bytes().to_vec())
}

/// The `ext-value` of a name: `UTF-8''` and what is no `attr-char` as `%` and two digits.
///
/// Spec: DIGEST (RFC 7616) section 3.4.
pub(crate) fn extended(text: &str) -> String {
    let mut out = String::from("UTF-8''");
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"!#$&+-.^_`|~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// The name in an `ext-value`; `None` if it is none, or not UTF-8.
pub(crate) fn from_extended(value: &[u8]) -> Option<String> {
    let mut parts = value.splitn(3, |byte| *byte == b'\'');
    let (charset, _language, encoded) = (parts.next()?, parts.next()?, parts.next()?);
    if !charset.eq_ignore_ascii_case(b"UTF-8") {
        return None;
    }
    let mut out = Vec::new();
    let mut rest = encoded;
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first != b'%' {
            out.push(*first);
            continue;
        }
        let (digits, tail) = rest.split_at_checked(2)?;
        out.push(hex_digit(*digits.first()?)? << 4 | hex_digit(*digits.last()?)?);
        rest = tail;
    }
    String::from_utf8(out).ok()
}

/// The digits in lower case.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] =
        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    let nibbles = bytes.iter().flat_map(|byte| [byte >> 4, byte & 0xF]);
    nibbles.filter_map(|nibble| DIGITS.get(usize::from(nibble))).collect()
}

/// The bytes that hexadecimal digits, in either case, stand for.
pub(crate) fn from_hex(digits: &[u8]) -> Option<Vec<u8>> {
    let (pairs, []) = digits.as_chunks::<2>() else { return None };
    pairs.iter().map(|[high, low]| Some(hex_digit(*high)? << 4 | hex_digit(*low)?)).collect()
}

fn hex_digit(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_in_an_extended_value_is_that_of_the_rfc() {
        assert_eq!(extended("Jäsøn Doe"), "UTF-8''J%C3%A4s%C3%B8n%20Doe");
        assert_eq!(from_extended(b"UTF-8''J%C3%A4s%C3%B8n%20Doe").unwrap(), "Jäsøn Doe");
        assert_eq!(from_extended(b"utf-8'en'a").unwrap(), "a");
        for bad in [&b"UTF-8'a"[..], b"ISO-8859-1''a", b"UTF-8''%C3", b"UTF-8''%4", b"UTF-8''%zz", b""] {
            assert_eq!(from_extended(bad), None, "{}", bad.escape_ascii());
        }
    }

    #[test]
    fn latin1_is_what_fits_into_it() {
        assert_eq!(latin1_or_utf8("é"), [0xE9]);
        assert_eq!(latin1_or_utf8("é€"), "é€".as_bytes());
        assert_eq!(nfc("e\u{301}"), "é");
    }

    #[test]
    fn hexadecimal_is_read_in_either_case_and_in_pairs() {
        assert_eq!(hex(&[0x0A, 0xFF]), "0aff");
        assert_eq!(from_hex(b"0aFF").unwrap(), [0x0A, 0xFF]);
        assert_eq!(from_hex(b"0af"), None);
        assert_eq!(from_hex(b"0g"), None);
    }
}
