//! How long something holds, as a person writes it: `10h`, `90m`, `1h30m`, in whole seconds.

use std::time::Duration;

use serde::{Deserialize, Deserializer, de};

const UNITS: [(char, u64); 3] = [('h', 3600), ('m', 60), ('s', 1)];

/// Ten years, in seconds: no calendar ends within.
const LONGEST: u64 = 10 * 366 * 86_400;

fn parse(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no time in whole seconds; write it as 10h, 30m, 45s or 1h30m");
    let mut rest = text.trim();
    let mut total: u64 = 0;
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let (number, behind) = rest.split_at(digits);
        let number: u64 = number.parse().map_err(|_| wrong())?;
        let unit = UNITS.iter().find_map(|(unit, length)| Some((behind.strip_prefix(*unit)?, length)));
        let (behind, length) = unit.ok_or_else(wrong)?;
        total = number.checked_mul(*length).and_then(|part| total.checked_add(part)).ok_or_else(wrong)?;
        rest = behind;
    }
    if total > LONGEST {
        return Err(format!("{text:?} is more than ten years"));
    }
    Ok(Duration::from_secs(total))
}

/// Reads a time that must be there: for `deserialize_with`.
///
/// # Errors
/// It is no such time.
pub fn required<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_a_person_writes_them() {
        for (text, seconds) in [("10h", 36_000), ("30m", 1800), ("45s", 45), ("1h30m", 5400), ("0s", 0)] {
            assert_eq!(parse(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "10",
            "h",
            "-1h",
            "500ms",
            "1.5h",
            "99999999999999999999h",
            "18446744073709551615h",
            "3000000000000000h",
            "87841h",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
