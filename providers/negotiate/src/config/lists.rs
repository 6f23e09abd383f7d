//! Lists in a file. What stands there is meant, so that a list of nothing is a mistake: nothing could be chosen.

use core::fmt;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};
use sspi_core::{ProtocolError, SpProt};

/// Names of packages.
pub(super) fn packages<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let names = Vec::<String>::deserialize(deserializer)?;
    if names.is_empty() {
        let what = "no package is named, and none could be chosen (leave `packages` out for those that hold without it)";
        return Err(D::Error::custom(what));
    }
    Ok(names)
}

/// Protocols by their names, or in ranges, the newest of a range first.
pub(super) fn protocols<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<SpProt>, D::Error> {
    let words = Vec::<Word>::deserialize(deserializer)?;
    if words.is_empty() {
        let names = SpProt::KEYWORDS.join(", ");
        return Err(D::Error::custom(format!(
            "no protocol is named, and none could be spoken; known: {names} (leave `protocols` out for those of the package)"
        )));
    }
    Ok(SpProt::order(words.into_iter().flat_map(|Word(protocols)| protocols)))
}

/// A word of the list, judged where it is read, so that an error has its place.
struct Word(Vec<SpProt>);

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(WordVisitor)
    }
}

struct WordVisitor;

impl Visitor<'_> for WordVisitor {
    type Value = Word;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a protocol or a range of protocols")
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<Word, E> {
        SpProt::named(word).map(Word).map_err(|error| match error {
            ProtocolError::Unknown(name) => E::unknown_variant(&name, &SpProt::KEYWORDS),
            reversed @ ProtocolError::Reversed { .. } => E::custom(reversed),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NegotiateConfig;

    fn protocols_of(list: &str) -> Result<Vec<SpProt>, String> {
        let config = toml::from_str::<NegotiateConfig>(&format!("protocols = {list}"));
        config.map(|config| config.protocols).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn protocols_are_named_in_order_one_by_one_or_in_ranges() {
        assert_eq!(protocols_of("[\"ssl3\", \"tls1.0\"]").unwrap(), [SpProt::SSL3, SpProt::TLS1_0]);
        let range = [SpProt::TLS1_2, SpProt::TLS1_1, SpProt::TLS1_0];
        assert_eq!(protocols_of("[\"tls1.0..tls1.2\"]").unwrap(), range);
        let order = protocols_of("[\"ssl3\", \"TLS1.0..tls1.1\", \"tls1.0\"]").unwrap();
        assert_eq!(order, [SpProt::SSL3, SpProt::TLS1_1, SpProt::TLS1_0]);
    }

    #[test]
    fn no_other_protocols_are_named_than_there_are_and_no_range_is_turned_round() {
        for list in ["[\"tls1.4\"]", "[\"tls1.0..tls1.4\"]"] {
            let error = protocols_of(list).unwrap_err();
            assert!(error.contains("unknown variant `tls1.4`, expected one of"), "{error}");
        }
        let error = protocols_of("[\"tls1.2..tls1.0\"]").unwrap_err();
        assert!(error.contains("write \"tls1.0..tls1.2\""), "{error}");
    }

    #[test]
    fn a_list_of_nothing_is_a_mistake_in_whichever_section() {
        let error = protocols_of("[]").unwrap_err();
        assert!(error.contains("none could be spoken; known: tls1.3, "), "{error}");
        for text in [
            "packages = []",
            "[[targets]]\ntarget = \"*\"\npackages = []",
            "[[listeners]]\nlistener = \"*\"\npackages = []",
        ] {
            let error = toml::from_str::<NegotiateConfig>(text).unwrap_err();
            assert!(error.message().contains("no package is named, and none could be chosen"), "{error}");
            assert!(error.span().is_some(), "{text}");
        }
    }
}
