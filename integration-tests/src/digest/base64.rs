//! Base64, in which text protocols carry tokens.

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The text that stands for these bytes.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let number = (0..3).fold(0_u32, |number, at| number << 8 | u32::from(*chunk.get(at).unwrap_or(&0)));
        for at in 0..4_u32 {
            let digit = usize::try_from(number >> (18 - 6 * at) & 63).unwrap_or_default();
            let is_padding = usize::try_from(at).unwrap_or_default() > chunk.len();
            text.push(if is_padding { '=' } else { char::from(*DIGITS.get(digit).unwrap_or(&b'A')) });
        }
    }
    text
}

/// The bytes that this text stands for; `None` if it is no base64.
#[must_use]
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let (mut number, mut bits, mut bytes) = (0_u32, 0, Vec::new());
    for digit in text.trim_end_matches('=').bytes() {
        let value = DIGITS.iter().position(|one| *one == digit)?;
        number = number << 6 | u32::try_from(value).ok()?;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            let [.., byte] = (number >> bits).to_be_bytes();
            bytes.push(byte);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_length_comes_out_as_it_went_in() {
        assert_eq!(super::encode(b"rspauth"), "cnNwYXV0aA==");
        for length in 0..40 {
            let bytes: Vec<u8> = (200..=255).cycle().take(length).collect();
            assert_eq!(super::decode(&super::encode(&bytes)).unwrap(), bytes);
        }
        assert_eq!(super::decode("a b"), None);
    }
}
