//! Protocols as configurations name them: one by one, or in ranges: `tls1.2`, `tls1.0..tls1.3`.

use core::fmt;

use crate::SpProt;

/// Why a word is no protocol and no range of protocols.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProtocolError {
    /// There is no protocol of this name.
    Unknown(String),
    /// The newer one of a range stands first.
    Reversed {
        /// What stands first.
        newer: &'static str,
        /// What stands last.
        older: &'static str,
    },
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(name) => {
                write!(f, "there is no protocol {name:?}; known: {}", SpProt::KEYWORDS.join(", "))
            }
            Self::Reversed { newer, older } => {
                write!(f, "\"{newer}..{older}\" begins with the newer protocol; write \"{older}..{newer}\"")
            }
        }
    }
}

impl std::error::Error for ProtocolError {}

impl SpProt {
    /// What a word of a configuration names, the preferred one first: a protocol, or all from an older one to a newer one, both
    /// included: `tls1.0..tls1.3` is `tls1.3`, `tls1.2`, `tls1.1`, `tls1.0`. Each is of both roles.
    ///
    /// PCT 1.0 lies between SSL 2.0 and SSL 3.0.
    ///
    /// # Errors
    /// There is no such protocol, or the range begins with the newer one.
    pub fn named(word: &str) -> Result<Vec<Self>, ProtocolError> {
        let place = |name: &str| {
            let is_called_so = |keyword: &&str| keyword.eq_ignore_ascii_case(name);
            let place = Self::KEYWORDS.iter().position(is_called_so);
            place.ok_or_else(|| ProtocolError::Unknown(name.to_owned()))
        };
        let (oldest, newest) = match word.split_once("..") {
            Some((older, newer)) => (place(older.trim_end())?, place(newer.trim_start())?),
            None => (place(word)?, place(word)?),
        };
        // The newest stand first.
        match Self::NAMED.get(newest..=oldest) {
            Some(all @ [_, ..]) => Ok(all.iter().map(|(protocol, _)| *protocol).collect()),
            _ => {
                let keyword = |at: usize| Self::KEYWORDS.get(at).copied().unwrap_or_default();
                Err(ProtocolError::Reversed { newer: keyword(oldest), older: keyword(newest) })
            }
        }
    }

    /// An order of protocols, each at the first of its places.
    #[must_use]
    pub fn order(protocols: impl IntoIterator<Item = Self>) -> Vec<Self> {
        let mut order = Vec::new();
        for protocol in protocols {
            if !order.contains(&protocol) {
                order.push(protocol);
            }
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_has_both_its_ends_and_the_newest_first() {
        let legacy = [SpProt::TLS1_3, SpProt::TLS1_2, SpProt::TLS1_1, SpProt::TLS1_0];
        assert_eq!(SpProt::named("tls1.0..tls1.3").unwrap(), legacy);
        assert_eq!(SpProt::named("TLS1.0 .. TLS1.3").unwrap(), legacy);
        assert_eq!(SpProt::named("tls1.2..tls1.2").unwrap(), [SpProt::TLS1_2]);
        assert_eq!(SpProt::named("ssl2..tls1.3").unwrap(), SpProt::NAMED.map(|(protocol, _)| protocol));
        for (keyword, (protocol, _)) in SpProt::KEYWORDS.into_iter().zip(SpProt::NAMED) {
            assert_eq!(SpProt::named(keyword).unwrap(), [protocol]);
        }
    }

    #[test]
    fn what_was_named_before_keeps_its_place() {
        let words = ["tls1.1", "tls1.0..tls1.2", "tls1.1"];
        let order = SpProt::order(words.into_iter().flat_map(|word| SpProt::named(word).unwrap()));
        assert_eq!(order, [SpProt::TLS1_1, SpProt::TLS1_2, SpProt::TLS1_0]);
    }

    #[test]
    fn a_range_that_begins_with_the_newer_one_is_refused_and_turned_round() {
        let expected = "\"tls1.3..tls1.0\" begins with the newer protocol; write \"tls1.0..tls1.3\"";
        for word in ["tls1.3..tls1.0", "TLS1.3..tls1.0"] {
            assert_eq!(SpProt::named(word).unwrap_err().to_string(), expected);
        }
        assert!(SpProt::named("tls1.1..tls1.0").is_err(), "neighbours, too");
    }

    #[test]
    fn what_is_half_a_range_or_names_nothing_is_refused_with_the_name_that_is_wrong() {
        for (word, wrong) in [
            ("", ""),
            ("..", ""),
            ("tls1.0..", ""),
            ("..tls1.3", ""),
            ("tls1.4", "tls1.4"),
            ("tls1.0..tls1.4", "tls1.4"),
            ("tls1.0...tls1.3", ".tls1.3"),
            ("tls1.0-tls1.3", "tls1.0-tls1.3"),
        ] {
            assert_eq!(SpProt::named(word), Err(ProtocolError::Unknown(wrong.to_owned())), "{word}");
        }
    }
}
