//! Times as certificates write them.
//!
//! Spec: X509 section 4.1.2.5.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::der::{DecodeError, Element, GENERALIZED_TIME, Reader, UTC_TIME};

/// The next element as a Time: UTCTime `YYMMDDHHMMSSZ` of 1950 to 2049, or GeneralizedTime `YYYYMMDDHHMMSSZ`.
pub(super) fn time(reader: &mut Reader<'_>, field: &'static str) -> Result<SystemTime, DecodeError> {
    parse(reader.element(field)?).ok_or(DecodeError::value(field))
}

/// The next element as a GeneralizedTime.
pub(super) fn generalized_time(
    reader: &mut Reader<'_>,
    field: &'static str,
) -> Result<SystemTime, DecodeError> {
    parse(reader.expect(GENERALIZED_TIME, field)?).ok_or(DecodeError::value(field))
}

fn parse(element: Element<'_>) -> Option<SystemTime> {
    let digits = element.content.strip_suffix(b"Z")?;
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
    let (hour, minute, second) = (next(0, 23)?, next(0, 59)?, next(0, 59)?);
    if fields.next().is_some() {
        return None;
    }
    let seconds = days_since_1970(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
    let distance = Duration::from_secs(seconds.unsigned_abs());
    if seconds < 0 { UNIX_EPOCH.checked_sub(distance) } else { UNIX_EPOCH.checked_add(distance) }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(tag: u8, text: &str) -> Option<i64> {
        let element = Element { tag, content: text.as_bytes(), whole: &[] };
        parse(element).map(|time| match time.duration_since(UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_secs()).unwrap(),
            Err(before) => -i64::try_from(before.duration().as_secs()).unwrap(),
        })
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
