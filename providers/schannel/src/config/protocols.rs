//! `protocols`: names, and ranges of them: `["tls1.2"]`, `["tls1.0..tls1.3"]`.

use std::fmt;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};

use super::Protocol;

/// Every name, as serde's errors want them.
const NAMES: [&str; Protocol::ALL.len()] = [
    Protocol::Tls13.name(),
    Protocol::Tls12.name(),
    Protocol::Tls11.name(),
    Protocol::Tls10.name(),
    Protocol::Ssl30.name(),
    Protocol::Pct1.name(),
    Protocol::Ssl20.name(),
];

/// Why a word is no protocol and no range of protocols.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProtocolError {
    /// There is no protocol of this name.
    Unknown(String),
    /// The newer one of a range stands first.
    Reversed {
        /// What stands first.
        newer: Protocol,
        /// What stands last.
        older: Protocol,
    },
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(name) => write!(f, "there is no protocol {name:?}; known: {}", NAMES.join(", ")),
            Self::Reversed { newer, older } => {
                let (newer, older) = (newer.name(), older.name());
                write!(f, "\"{newer}..{older}\" begins with the newer protocol; write \"{older}..{newer}\"")
            }
        }
    }
}

impl std::error::Error for ProtocolError {}

impl Protocol {
    /// What a word of `protocols` names, the preferred one first: a protocol, or all from an older one to a newer one, both
    /// included: `tls1.0..tls1.3` is `tls1.3`, `tls1.2`, `tls1.1`, `tls1.0`.
    ///
    /// PCT 1.0 lies between SSL 2.0 and SSL 3.0.
    ///
    /// # Errors
    /// There is no such protocol, or the range begins with the newer one.
    pub fn named(word: &str) -> Result<Vec<Self>, ProtocolError> {
        let one = |name: &str| {
            let named = |protocol: &Self| protocol.name().eq_ignore_ascii_case(name);
            Self::ALL.into_iter().find(named).ok_or_else(|| ProtocolError::Unknown(name.to_owned()))
        };
        let (older, newer) = match word.split_once("..") {
            Some((older, newer)) => (one(older.trim_end())?, one(newer.trim_start())?),
            None => (one(word)?, one(word)?),
        };
        let mut protocols = Vec::new();
        for protocol in Self::ALL.into_iter().skip_while(|protocol| *protocol != newer) {
            protocols.push(protocol);
            if protocol == older {
                return Ok(protocols);
            }
        }
        Err(ProtocolError::Reversed { newer: older, older: newer })
    }

    /// What the words of `protocols` name, in their order. What was named before keeps its place.
    ///
    /// # Errors
    /// That of the first word that is wrong.
    pub fn list<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Vec<Self>, ProtocolError> {
        let mut protocols = Vec::new();
        for word in words {
            add(&mut protocols, Self::named(word)?);
        }
        Ok(protocols)
    }
}

fn add(protocols: &mut Vec<Protocol>, more: Vec<Protocol>) {
    let new = more.into_iter().filter(|protocol| !protocols.contains(protocol)).collect::<Vec<_>>();
    protocols.extend(new);
}

/// A word of the list.
struct Word(Vec<Protocol>);

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(WordVisitor)
    }
}

/// Judges a word where it is read, so that an error has its place.
struct WordVisitor;

impl Visitor<'_> for WordVisitor {
    type Value = Word;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a protocol or a range of protocols")
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<Word, E> {
        Protocol::named(word).map(Word).map_err(|error| match error {
            ProtocolError::Unknown(name) => E::unknown_variant(&name, &NAMES),
            reversed @ ProtocolError::Reversed { .. } => E::custom(reversed),
        })
    }
}

/// An empty list in a file is a mistake: it would enable nothing.
pub(super) fn list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Protocol>, D::Error> {
    let words = Vec::<Word>::deserialize(deserializer)?;
    if words.is_empty() {
        let names = NAMES.join(", ");
        return Err(D::Error::custom(format!(
            "no protocol is enabled; known: {names} (leave `protocols` out for those of the profile)"
        )));
    }
    let mut protocols = Vec::new();
    for Word(more) in words {
        add(&mut protocols, more);
    }
    Ok(protocols)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_has_both_its_ends_and_the_newest_first() {
        let legacy = [Protocol::Tls13, Protocol::Tls12, Protocol::Tls11, Protocol::Tls10];
        assert_eq!(Protocol::named("tls1.0..tls1.3").unwrap(), legacy);
        assert_eq!(Protocol::named("TLS1.0 .. TLS1.3").unwrap(), legacy);
        assert_eq!(Protocol::named("tls1.2..tls1.2").unwrap(), [Protocol::Tls12]);
        assert_eq!(Protocol::named("ssl2..tls1.3").unwrap(), Protocol::ALL);
        for protocol in Protocol::ALL {
            assert_eq!(Protocol::named(protocol.name()).unwrap(), [protocol]);
        }
    }

    #[test]
    fn what_was_named_before_keeps_its_place() {
        let order = Protocol::list(["tls1.1", "tls1.0..tls1.2", "tls1.1"]).unwrap();
        assert_eq!(order, [Protocol::Tls11, Protocol::Tls12, Protocol::Tls10]);
    }

    #[test]
    fn a_range_that_begins_with_the_newer_one_is_refused_and_turned_round() {
        let error = Protocol::named("tls1.3..tls1.0").unwrap_err();
        let expected = "\"tls1.3..tls1.0\" begins with the newer protocol; write \"tls1.0..tls1.3\"";
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn what_is_half_a_range_or_names_nothing_is_refused_with_the_name_that_is_wrong() {
        for (word, wrong) in [
            ("..", ""),
            ("tls1.0..", ""),
            ("..tls1.3", ""),
            ("tls1.0..tls1.4", "tls1.4"),
            ("tls1.0...tls1.3", ".tls1.3"),
            ("tls1.0-tls1.3", "tls1.0-tls1.3"),
        ] {
            assert_eq!(Protocol::named(word), Err(ProtocolError::Unknown(wrong.to_owned())), "{word}");
        }
    }
}
