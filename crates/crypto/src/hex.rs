//! Hexadecimal, as the known answers are written.

/// The bytes that `digits` stand for; white space is skipped.
pub(crate) fn hex(digits: &str) -> Vec<u8> {
    let nibbles: Vec<u8> = digits
        .chars()
        .filter(|digit| !digit.is_whitespace())
        .map(|digit| u8::try_from(digit.to_digit(16).unwrap()).unwrap())
        .collect();
    assert_eq!(nibbles.len() % 2, 0, "{digits}");
    nibbles.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}
