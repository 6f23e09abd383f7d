//! Times as certificates write them.
//!
//! Spec: X509 section 4.1.2.5.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::der::{DecodeError, Element, Encoding, GENERALIZED_TIME, Reader, UTC_TIME};

/// The next element as a Time: UTCTime `YYMMDDHHMMSSZ` of 1950 to 2049, or GeneralizedTime `YYYYMMDDHHMMSSZ`.
///
/// A loose reader also takes times without seconds, and with `+hhmm` or `-hhmm` in place of `Z`: how far the clock that
/// they were read from is before UTC, or behind (X690 section 11.8 has what DER makes of X.680).
pub(super) fn time(reader: &mut Reader<'_>, field: &'static str) -> Result<SystemTime, DecodeError> {
    let element = reader.element(field)?;
    parse(element, reader.encoding()).ok_or(DecodeError::value(field))
}

/// The next element as a GeneralizedTime.
pub(super) fn generalized_time(
    reader: &mut Reader<'_>,
    field: &'static str,
) -> Result<SystemTime, DecodeError> {
    parse(reader.expect(GENERALIZED_TIME, field)?, Encoding::Der).ok_or(DecodeError::value(field))
}

fn parse(element: Element<'_>, encoding: Encoding) -> Option<SystemTime> {
    let (digits, ahead) = match element.content.strip_suffix(b"Z") {
        Some(digits) => (digits, 0),
        None if encoding == Encoding::Loose => offset(element.content)?,
        None => return None,
    };
    let (year, rest) = match element.tag {
        UTC_TIME => {
            let (year, rest) = digits.split_at_checked(2)?;
            let year = number(year)?;
            (if year < 50 { 2000 + year } else { 1900 + year }, rest)
        }
        GENERALIZED_TIME => {
            let (year, rest) = digits.split_at_checked(4)?;
            (number(year)?, rest)
        }
        _ => return None,
    };
    let mut fields = rest.chunks(2).map(|pair| if pair.len() == 2 { number(pair) } else { None });
    let mut next = |low, high| fields.next()?.filter(|value| (low..=high).contains(value));
    let month = next(1, 12)?;
    let day = next(1, days_in(year, month))?;
    let (hour, minute) = (next(0, 23)?, next(0, 59)?);
    let second = if encoding == Encoding::Loose && rest.len() == 8 { 0 } else { next(0, 59)? };
    if fields.next().is_some() {
        return None;
    }
    let seconds = days_since_1970(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - ahead;
    let distance = Duration::from_secs(seconds.unsigned_abs());
    if seconds < 0 { UNIX_EPOCH.checked_sub(distance) } else { UNIX_EPOCH.checked_add(distance) }
}

/// The digits of a time that ends in `+hhmm` or `-hhmm`, and the seconds that its clock was ahead of UTC.
fn offset(time: &[u8]) -> Option<(&[u8], i64)> {
    let (digits, [sign, hours @ .., a, b]) = time.split_last_chunk::<5>()?;
    let (hours, minutes) = (number(hours).filter(|h| *h < 24)?, number(&[*a, *b]).filter(|m| *m < 60)?);
    let ahead = hours * 3600 + minutes * 60;
    match sign {
        b'+' => Some((digits, ahead)),
        b'-' => Some((digits, -ahead)),
        _ => None,
    }
}

fn number(digits: &[u8]) -> Option<i64> {
    digits
        .iter()
        .try_fold(0, |number, digit| digit.is_ascii_digit().then(|| number * 10 + i64::from(digit - b'0')))
}

const fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a day of the Gregorian calendar; the year is 0 to 9999.
const fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    // Years that begin on 1 March put the leap day last; 719,468 days lead from 0000-03-01 to 1970-01-01.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// A time as people read it, to the second: `2026-01-01 00:00:00 UTC`. What is before 1970 is told as its first second.
pub(super) fn readable(time: SystemTime) -> String {
    let seconds = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    // Years that begin on 1 March, as above.
    let days = seconds / 86_400 + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let (month, next_year) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let year = era * 400 + year_of_era + next_year;
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(tag: u8, text: &str, encoding: Encoding) -> Option<i64> {
        let element = Element { tag, content: text.as_bytes(), whole: &[] };
        parse(element, encoding).map(|time| match time.duration_since(UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_secs()).unwrap(),
            Err(before) => -i64::try_from(before.duration().as_secs()).unwrap(),
        })
    }

    fn seconds(tag: u8, text: &str) -> Option<i64> {
        read(tag, text, Encoding::Der)
    }

    #[test]
    fn loose_times_may_lack_seconds_and_be_of_another_zone() {
        let loose = |text| read(UTC_TIME, text, Encoding::Loose);
        assert_eq!(loose("700101000000Z"), Some(0));
        assert_eq!(loose("7001010001Z"), Some(60));
        assert_eq!(loose("700101010000+0100"), Some(0));
        assert_eq!(loose("7001010000-0130"), Some(5400));
        assert_eq!(read(GENERALIZED_TIME, "202601010000Z", Encoding::Loose), Some(1_767_225_600));
        for wrong in
            ["", "Z", "+0100", "700101", "70010100Z", "700101000000", "7001010000+2400", "7001010000+0160"]
        {
            assert_eq!(loose(wrong), None, "{wrong}");
        }
        for wrong in ["7001010000*0100", "7001010000+010a", "7001010000+010", "70010100000Z"] {
            assert_eq!(loose(wrong), None, "{wrong}");
        }
        assert_eq!(seconds(UTC_TIME, "7001010001Z"), None);
        assert_eq!(seconds(UTC_TIME, "700101010000+0100"), None);
    }

    #[test]
    fn times_are_seconds_since_1970() {
        assert_eq!(seconds(UTC_TIME, "700101000000Z"), Some(0));
        assert_eq!(seconds(UTC_TIME, "491231235959Z"), Some(2_524_607_999));
        assert_eq!(seconds(UTC_TIME, "500101000000Z"), Some(-631_152_000));
        assert_eq!(seconds(GENERALIZED_TIME, "20260101000000Z"), Some(1_767_225_600));
        assert_eq!(seconds(GENERALIZED_TIME, "20240229123456Z"), Some(1_709_210_096));
        assert_eq!(seconds(GENERALIZED_TIME, "99991231235959Z"), Some(253_402_300_799));
        assert_eq!(seconds(GENERALIZED_TIME, "00000101000000Z"), Some(-62_167_219_200));
    }

    #[test]
    fn times_are_written_as_they_are_read() {
        for (text, readable_text) in [
            ("19700101000000Z", "1970-01-01 00:00:00 UTC"),
            ("20000229235959Z", "2000-02-29 23:59:59 UTC"),
            ("20260301123456Z", "2026-03-01 12:34:56 UTC"),
            ("99991231235959Z", "9999-12-31 23:59:59 UTC"),
        ] {
            let element = Element { tag: GENERALIZED_TIME, content: text.as_bytes(), whole: &[] };
            assert_eq!(readable(parse(element, Encoding::Der).unwrap()), readable_text);
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        let wrong = [
            "",
            "Z",
            "20260101000000",
            "202601010000Z",
            "20261301000000Z",
            "20260001000000Z",
            "20250229000000Z",
            "20260132000000Z",
            "20260101240000Z",
            "20260101006000Z",
            "20260101000060Z",
            "20260101000000.5Z",
            "20260101000000+0100",
            "2026010100000aZ",
            "2026010100000Z",
            "+0260101000000Z",
        ];
        for text in wrong {
            assert_eq!(seconds(GENERALIZED_TIME, text), None, "{text}");
        }
        assert_eq!(seconds(UTC_TIME, "20260101000000Z"), None);
        assert_eq!(seconds(super::super::der::SEQUENCE, "20260101000000Z"), None);
    }
}
