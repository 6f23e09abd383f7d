//! `protocols`: names, and ranges of them: `["tls1.2"]`, `["tls1.0..tls1.3"]`.

use std::fmt;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};
use sspi_core::{ProtocolError, SpProt};

use super::Protocol;

impl Protocol {
    /// What a word of `protocols` names, the preferred one first: a protocol, or a range of them, as [`SpProt::named`] has it.
    ///
    /// # Errors
    /// There is no such protocol, or the range begins with the newer one.
    pub fn named(word: &str) -> Result<Vec<Self>, ProtocolError> {
        SpProt::named(word).map(of)
    }

    /// What the words of `protocols` name, in their order. What was named before keeps its place.
    ///
    /// # Errors
    /// That of the first word that is wrong.
    pub fn list<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Vec<Self>, ProtocolError> {
        let named = words.into_iter().map(SpProt::named).collect::<Result<Vec<_>, _>>()?;
        Ok(of(SpProt::order(named.into_iter().flatten())))
    }
}

/// The protocols that these are.
fn of(protocols: Vec<SpProt>) -> Vec<Protocol> {
    let is = |bits: SpProt| Protocol::ALL.into_iter().find(|protocol| protocol.bits() == bits);
    protocols.into_iter().filter_map(is).collect()
}

/// A word of the list.
struct Word(Vec<SpProt>);

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
        SpProt::named(word).map(Word).map_err(|error| match error {
            ProtocolError::Unknown(name) => E::unknown_variant(&name, &SpProt::KEYWORDS),
            reversed @ ProtocolError::Reversed { .. } => E::custom(reversed),
        })
    }
}

/// An empty list in a file is a mistake: it would enable nothing.
pub(super) fn list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Protocol>, D::Error> {
    let words = Vec::<Word>::deserialize(deserializer)?;
    if words.is_empty() {
        let names = SpProt::KEYWORDS.join(", ");
        return Err(D::Error::custom(format!(
            "no protocol is enabled; known: {names} (leave `protocols` out for those of the profile)"
        )));
    }
    Ok(of(SpProt::order(words.into_iter().flat_map(|Word(protocols)| protocols))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_protocol_has_the_name_and_the_place_that_it_has_for_all_packages() {
        assert_eq!(Protocol::ALL.map(Protocol::name), SpProt::KEYWORDS);
        assert_eq!(Protocol::ALL.map(Protocol::bits), SpProt::NAMED.map(|(bits, _)| bits));
        assert_eq!(Protocol::named("ssl2..tls1.3").unwrap(), Protocol::ALL);
    }

    #[test]
    fn what_was_named_before_keeps_its_place() {
        let order = Protocol::list(["tls1.1", "tls1.0..tls1.2", "tls1.1"]).unwrap();
        assert_eq!(order, [Protocol::Tls11, Protocol::Tls12, Protocol::Tls10]);
        assert!(Protocol::list(["tls1.1", "tls1.4"]).is_err());
    }
}
