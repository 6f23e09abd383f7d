//! As much DER as the test PKI needs: nested TLVs out, and a walk over our own certificates in.

use std::time::{SystemTime, UNIX_EPOCH};

pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const NULL: u8 = 0x05;
pub(crate) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(crate) const ENUMERATED: u8 = 0x0a;
pub(crate) const GENERALIZED_TIME: u8 = 0x18;
pub(crate) const SEQUENCE: u8 = 0x30;

/// The tag `[n]` around something constructed.
pub(crate) const fn context(n: u8) -> u8 {
    0xa0 | n
}

/// The tag `[n]` in place of a primitive one.
pub(crate) const fn context_primitive(n: u8) -> u8 {
    0x80 | n
}

/// One element.
pub(crate) fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match content.len() {
        short @ ..0x80 => out.push(short as u8),
        long => {
            let bytes = long.to_be_bytes();
            let skip = bytes.iter().take_while(|byte| **byte == 0).count();
            out.push(0x80 | (bytes.len() - skip) as u8);
            out.extend_from_slice(&bytes[skip..]);
        }
    }
    out.extend_from_slice(content);
    out
}

/// SEQUENCE of elements that are already encoded.
pub(crate) fn sequence(elements: &[&[u8]]) -> Vec<u8> {
    tlv(SEQUENCE, &elements.concat())
}

/// A BIT STRING of whole bytes.
pub(crate) fn bit_string(bytes: &[u8]) -> Vec<u8> {
    tlv(BIT_STRING, &[&[0], bytes].concat())
}

/// INTEGER of a positive number, big-endian.
pub(crate) fn unsigned(number: &[u8]) -> Vec<u8> {
    let skip = number.iter().take_while(|byte| **byte == 0).count();
    let digits = &number[skip..];
    let sign: &[u8] = if digits.first().is_none_or(|byte| byte & 0x80 != 0) { &[0] } else { &[] };
    tlv(INTEGER, &[sign, digits].concat())
}

/// `YYYYMMDDHHMMSSZ`, whole seconds.
pub(crate) fn generalized_time(time: SystemTime) -> Vec<u8> {
    let seconds = time.duration_since(UNIX_EPOCH).expect("a time after 1970").as_secs();
    let (year, month, day) = civil(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    let text = format!("{year:04}{month:02}{day:02}{hour:02}{minute:02}{second:02}Z");
    tlv(GENERALIZED_TIME, text.as_bytes())
}

/// Year, month and day of a number of days since 1970-01-01 in the Gregorian calendar.
fn civil(days: u64) -> (u64, u64, u64) {
    // Years that begin on 1 March put the leap day last; 719,468 days lead from 0000-03-01 to 1970-01-01.
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let (month, next_year) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year_of_era + next_year, month, day)
}

/// An element that was read.
pub(crate) struct Element<'a> {
    pub(crate) content: &'a [u8],
    /// Tag, length and content.
    pub(crate) whole: &'a [u8],
}

/// The elements that follow each other in `der`, which is our own and therefore well formed.
pub(crate) fn elements(mut der: &[u8]) -> Vec<Element<'_>> {
    let mut found = Vec::new();
    while let [_, first, ..] = *der {
        let (header, length) = match first {
            ..0x80 => (2, usize::from(first)),
            _ => {
                let digits = usize::from(first & 0x7f);
                let length = der[2..2 + digits].iter().fold(0, |n, &byte| n << 8 | usize::from(byte));
                (2 + digits, length)
            }
        };
        let (whole, rest) = der.split_at(header + length);
        found.push(Element { content: &whole[header..], whole });
        der = rest;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn lengths_take_the_shortest_form() {
        assert_eq!(tlv(4, &[7; 0x7f])[..3], [4, 0x7f, 7]);
        assert_eq!(tlv(4, &[7; 0x80])[..4], [4, 0x81, 0x80, 7]);
        assert_eq!(tlv(4, &[7; 0x100])[..5], [4, 0x82, 1, 0, 7]);
        assert_eq!(elements(&tlv(4, &[7; 0x100]))[0].content, [7; 0x100]);
    }

    #[test]
    fn integers_have_one_sign_bit_and_no_padding() {
        assert_eq!(unsigned(&[0, 0, 5]), [2, 1, 5]);
        assert_eq!(unsigned(&[0x80]), [2, 2, 0, 0x80]);
        assert_eq!(unsigned(&[0]), [2, 1, 0]);
    }

    #[test]
    fn times_follow_the_calendar() {
        for (seconds, text) in [
            (0, "19700101000000Z"),
            (951_782_399, "20000228235959Z"),
            (951_782_400, "20000229000000Z"),
            (951_868_800, "20000301000000Z"),
            (1_767_225_599, "20251231235959Z"),
            (4_107_542_400, "21000301000000Z"),
        ] {
            let der = generalized_time(UNIX_EPOCH + Duration::from_secs(seconds));
            assert_eq!(&der[2..], text.as_bytes());
        }
    }
}
