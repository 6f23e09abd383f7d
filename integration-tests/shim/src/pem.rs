//! PEM sections and base64, as far as the runner's files and flags use them.
//!
//! Spec: PEM.

/// One section of a PEM file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Section {
    /// What stands behind BEGIN, such as `CERTIFICATE`.
    pub(crate) label: String,
    /// The content, decoded.
    pub(crate) der: Vec<u8>,
}

/// The sections of a file, in its order. A section that cannot be read is left out.
pub(crate) fn sections(file: &[u8]) -> Vec<Section> {
    let text = String::from_utf8_lossy(file);
    let mut sections = Vec::new();
    let mut open: Option<(String, String)> = None;
    for line in text.lines().map(str::trim) {
        let boundary = |word: &str| line.strip_prefix(word)?.strip_suffix("-----").map(str::to_owned);
        if let Some(label) = boundary("-----BEGIN ") {
            open = Some((label, String::new()));
        } else if boundary("-----END ").is_some() {
            let section =
                open.take().and_then(|(label, body)| Some(Section { label, der: base64(body.as_bytes())? }));
            sections.extend(section);
        } else if let Some((_, body)) = &mut open {
            body.push_str(line);
        }
    }
    sections
}

/// The certificates of a file, each in DER.
pub(crate) fn certificates(file: &[u8]) -> Vec<Vec<u8>> {
    sections(file)
        .into_iter()
        .filter(|section| section.label == "CERTIFICATE")
        .map(|section| section.der)
        .collect()
}

/// The first private key of a file, in DER.
pub(crate) fn private_key(file: &[u8]) -> Option<Vec<u8>> {
    sections(file)
        .into_iter()
        .find(|section| section.label.ends_with("PRIVATE KEY"))
        .map(|section| section.der)
}

/// What base64 stands for; `None` for anything else, such as characters behind the padding.
pub(crate) fn base64(text: &[u8]) -> Option<Vec<u8>> {
    let digits = text.strip_suffix(b"==").or_else(|| text.strip_suffix(b"=")).unwrap_or(text);
    if !text.len().is_multiple_of(4) {
        return None;
    }
    let mut bytes = Vec::with_capacity(digits.len() / 4 * 3 + 2);
    for group in digits.chunks(4) {
        let mut value = 0_u32;
        for digit in group {
            value = value << 6 | u32::from(sextet(*digit)?);
        }
        // A group of n digits holds n - 1 bytes; the bits behind them are padding.
        value <<= 6 * (4 - group.len());
        bytes.extend(value.to_be_bytes().iter().skip(1).take(group.len() - 1));
    }
    Some(bytes)
}

const fn sextet(digit: u8) -> Option<u8> {
    Some(match digit {
        b'A'..=b'Z' => digit - b'A',
        b'a'..=b'z' => digit - b'a' + 26,
        b'0'..=b'9' => digit - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4648 section 10.
    #[test]
    fn base64_is_that_of_the_rfc() {
        for (text, bytes) in [
            ("", ""),
            ("Zg==", "f"),
            ("Zm8=", "fo"),
            ("Zm9v", "foo"),
            ("Zm9vYg==", "foob"),
            ("Zm9vYmE=", "fooba"),
            ("Zm9vYmFy", "foobar"),
        ] {
            assert_eq!(base64(text.as_bytes()).as_deref(), Some(bytes.as_bytes()), "{text}");
        }
        for text in ["Zg", "Zg=", "Z===", "Zm9v*a==", "Zg==Zg=="] {
            assert_eq!(base64(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn sections_are_told_apart_and_broken_ones_left_out() {
        let file = b"words\n-----BEGIN EC PARAMETERS-----\nBg==\n-----END EC PARAMETERS-----\n\
            -----BEGIN EC PRIVATE KEY-----\r\nAAEC\r\nAwQF\r\n-----END EC PRIVATE KEY-----\n\
            -----BEGIN CERTIFICATE-----\n?\n-----END CERTIFICATE-----\n\
            -----BEGIN CERTIFICATE-----\n/w==\n-----END CERTIFICATE-----\n";
        assert_eq!(private_key(file), Some(vec![0, 1, 2, 3, 4, 5]));
        assert_eq!(certificates(file), [[0xff]]);
        assert_eq!(sections(file).len(), 3);
    }
}
