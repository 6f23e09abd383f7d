//! Security identifiers.

use std::fmt;
use std::str::FromStr;

/// A security identifier: `S-1-5-21-…`.
///
/// Spec: MS-DTYP section 2.4.2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sid {
    /// 48 bits.
    authority: u64,
    sub_authorities: Vec<u32>,
}

/// The most parts behind the authority.
const MOST_SUB_AUTHORITIES: usize = 15;

/// Text that is no security identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotASid;

impl FromStr for Sid {
    type Err = NotASid;

    /// Spec: MS-DTYP section 2.4.2.1.
    fn from_str(text: &str) -> Result<Self, NotASid> {
        let mut parts = text.split('-');
        let is_first =
            |part: Option<&str>, letter: &str| part.is_some_and(|p| p.eq_ignore_ascii_case(letter));
        if !is_first(parts.next(), "S") || parts.next() != Some("1") {
            return Err(NotASid);
        }
        let authority = authority(parts.next().ok_or(NotASid)?)?;
        let sub_authorities = parts.map(decimal).collect::<Result<Vec<u32>, _>>()?;
        match sub_authorities.len() {
            1..=MOST_SUB_AUTHORITIES => Ok(Self { authority, sub_authorities }),
            _ => Err(NotASid),
        }
    }
}

/// In decimal below 2^32, in hexadecimal from there on.
fn authority(text: &str) -> Result<u64, NotASid> {
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) if digits.len() == 12 && digits.bytes().all(|digit| digit.is_ascii_hexdigit()) => {
            u64::from_str_radix(digits, 16).map_err(|_| NotASid)
        }
        Some(_) => Err(NotASid),
        None => decimal(text).map(u64::from),
    }
}

/// Digits alone: `parse` would take a sign.
fn decimal(text: &str) -> Result<u32, NotASid> {
    if text.bytes().all(|digit| digit.is_ascii_digit()) {
        text.parse().map_err(|_| NotASid)
    } else {
        Err(NotASid)
    }
}

impl fmt::Display for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match u32::try_from(self.authority) {
            Ok(authority) => write!(f, "S-1-{authority}")?,
            Err(_) => write!(f, "S-1-0x{:012X}", self.authority)?,
        }
        self.sub_authorities.iter().try_for_each(|part| write!(f, "-{part}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_compared_by_what_they_are_and_not_by_how_they_are_written() {
        let sid: Sid = "S-1-5-21-1004336348-1177238915-682003330-512".parse().unwrap();
        assert_eq!(sid.to_string(), "S-1-5-21-1004336348-1177238915-682003330-512");
        assert_eq!("s-1-5-021-1004336348-1177238915-682003330-0512".parse(), Ok(sid.clone()));
        assert_eq!("S-1-0x000000000005-21-1004336348-1177238915-682003330-512".parse(), Ok(sid));
        let large: Sid = "S-1-0x0123456789ab-1".parse().unwrap();
        assert_eq!(large.to_string(), "S-1-0x0123456789AB-1");
    }

    #[test]
    fn what_is_no_identifier_is_none() {
        let long = format!("S-1-5{}", "-1".repeat(16));
        for text in [
            "",
            "S",
            "S-1",
            "S-1-5",
            "S-2-5-1",
            "T-1-5-1",
            "S-1-5-",
            "S-1-5--1",
            "S-1-5-+1",
            "S-1-5-1 ",
            "S-1-5-x",
            "S-1-5-4294967296",
            "S-1-4294967296-1",
            "S-1-0x5-1",
            "S-1-0x+00000000005-1",
            "S-1-5-1\0",
            &long,
        ] {
            assert_eq!(text.parse::<Sid>(), Err(NotASid), "{text:?}");
        }
    }
}
