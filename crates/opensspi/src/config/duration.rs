//! Deadlines and other durations of a configuration.

use std::time::Duration;

use serde::{Deserialize, Deserializer, de};
use sspi_core::parse_duration;

/// A deadline: a duration, or `off`.
///
/// # Errors
/// A sentence that says what is expected.
pub fn parse_deadline(text: &str) -> Result<Option<Duration>, String> {
    if text == "off" {
        return Ok(None);
    }
    let duration = parse_duration(text)?;
    if duration.is_zero() {
        return Err("a deadline of nothing cannot be met; write \"off\" for none".to_owned());
    }
    Ok(Some(duration))
}

pub(super) fn required<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let duration = parse_duration(&String::deserialize(deserializer)?).map_err(de::Error::custom)?;
    if duration.is_zero() {
        return Err(de::Error::custom("a deadline of nothing cannot be met"));
    }
    Ok(duration)
}

pub(super) fn deadline<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    parse_deadline(&String::deserialize(deserializer)?).map_err(de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_can_be_off_and_cannot_be_nothing() {
        assert_eq!(parse_deadline("off"), Ok(None));
        assert!(parse_deadline("0s").unwrap_err().contains("off"));
    }
}
