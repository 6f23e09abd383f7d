//! How long sessions live, as a person writes it: `10h`, `90m`, `1h30m`, in whole seconds.

use std::time::Duration;

use serde::{Deserialize, Deserializer, de};
use sspi_core::parse_duration;

fn parse(text: &str) -> Result<Duration, String> {
    let duration = parse_duration(text)?;
    if duration.subsec_nanos() == 0 {
        return Ok(duration);
    }
    Err(format!("{text:?} is no time in whole seconds; write it as 10h, 30m, 45s or 1h30m"))
}

pub(super) fn required<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)
}

pub(super) fn or_off<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text == "off" {
        return Ok(None);
    }
    parse(&text).map(Some).map_err(de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_in_whole_seconds() {
        for (text, seconds) in [("1h30m", 5400), ("0s", 0), ("1500ms500ms", 2)] {
            assert_eq!(parse(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "10", "500ms", "1s1ms"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
