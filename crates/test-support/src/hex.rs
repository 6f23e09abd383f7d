//! Bytes as hexadecimal text and back.

use std::fmt::Write as _;

/// Lower-case hexadecimal, two digits to a byte, no separators.
pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    bytes.as_ref().iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a String takes everything");
        text
    })
}

/// The bytes of hexadecimal text. White space and colons are skipped, `#` starts a comment that ends with the line, so
/// that vectors can be pasted as specifications print them.
///
/// # Panics
///
/// On any other character that is no hexadecimal digit, and on an odd number of digits.
pub fn decode(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .lines()
        .flat_map(|line| line.split('#').next().unwrap_or_default().chars())
        .filter(|c| !c.is_whitespace() && *c != ':')
        .map(|c| c.to_digit(16).unwrap_or_else(|| panic!("{c:?} is not a hexadecimal digit")) as u8)
        .collect();
    assert!(digits.len().is_multiple_of(2), "an odd number of hexadecimal digits: {}", digits.len());
    digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

/// A dump for people: offset, 16 bytes to a line, and the printable ASCII.
pub fn dump(bytes: impl AsRef<[u8]>) -> String {
    let mut text = String::new();
    for (line, row) in bytes.as_ref().chunks(16).enumerate() {
        let hex: Vec<String> = row.iter().map(|byte| format!("{byte:02x}")).collect();
        let ascii: String =
            row.iter().map(|&b| if (0x20..0x7f).contains(&b) { char::from(b) } else { '.' }).collect();
        writeln!(text, "{:06x}  {:<47}  {ascii}", line * 16, hex.join(" "))
            .expect("a String takes everything");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_decodes_to_what_was_encoded() {
        let bytes: Vec<u8> = (0..=255).collect();
        assert_eq!(decode(&encode(&bytes)), bytes);
        assert_eq!(decode("16:03 01 # record\n  00 2a"), [0x16, 3, 1, 0, 0x2a]);
    }

    #[test]
    fn dump_shows_offset_bytes_and_text() {
        assert_eq!(
            dump(b"GET / HTTP/1.1\r\n\x80"),
            "000000  47 45 54 20 2f 20 48 54 54 50 2f 31 2e 31 0d 0a  GET / HTTP/1.1..\n\
             000010  80                                               .\n"
        );
    }

    #[test]
    #[should_panic(expected = "odd number")]
    fn half_a_byte_is_refused() {
        decode("abc");
    }
}
