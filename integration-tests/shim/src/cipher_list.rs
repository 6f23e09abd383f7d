//! Cipher lists as OpenSSL and BoringSSL write them, read into registered names.
//!
//! ```text
//! list   rule [:rule]*                     also with a space, a comma or a semicolon between
//! rule   [operator] part [+part]*          suites that every part selects
//!        [ A | B ]                         suites of equal preference: for a server the client's order decides among them
//!        @STRENGTH                         the strongest first
//! operator
//!        none   appended, if they are not in the list
//!        -      taken out; a later rule may append them again
//!        !      taken out for good
//!        +      moved to the end
//! part   a name of OpenSSL's, a registered name, or a word for a set of suites
//! ```

use crate::stop::Stop;

/// What a list comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CipherList {
    /// Registered names, the preferred one first; those of TLS 1.3 are not among them.
    pub(crate) suites: Vec<&'static str>,
    /// Some of them are of equal preference, which only a client can leave out of account.
    pub(crate) has_equals: bool,
}

/// A suite: OpenSSL's name, the registered one, and the words that select it.
struct Suite {
    openssl: &'static str,
    registered: &'static str,
    words: &'static [&'static str],
    /// Bits.
    strength: u16,
}

impl CipherList {
    /// What is enabled without a list: everything but single DES, export and NULL.
    pub(crate) fn default_list() -> Self {
        let suites = SUITES.iter().filter(|suite| is_default(suite)).map(|suite| suite.registered);
        Self { suites: suites.collect(), has_equals: false }
    }

    /// Reads a list.
    ///
    /// # Errors
    /// A name or a word that is not known.
    pub(crate) fn parse(list: &str) -> Result<Self, Stop> {
        let mut reading = Reading::default();
        let mut is_first = true;
        for rule in rules(list) {
            reading.rule(rule, is_first)?;
            is_first = false;
        }
        if reading.list.suites.is_empty() {
            return Err(Stop::failed(format!(":NO_CIPHER_MATCH: {list}")));
        }
        Ok(reading.list)
    }
}

/// Single DES, export and NULL must be asked for.
fn is_default(suite: &Suite) -> bool {
    !["EXP", "LOW", "eNULL"].iter().any(|word| suite.words.contains(word))
}

/// The rules of a list; what stands in brackets is one.
fn rules(list: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_i32;
    list.split(move |c: char| {
        depth += i32::from(c == '[') - i32::from(c == ']');
        depth <= 0 && ": ,;".contains(c)
    })
    .filter(|rule| !rule.is_empty())
}

#[derive(Default)]
struct Reading {
    list: CipherList,
    killed: Vec<&'static str>,
}

impl Reading {
    fn rule(&mut self, rule: &str, is_first: bool) -> Result<(), Stop> {
        if let Some(equals) = rule.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            self.list.has_equals |= equals.contains('|');
            return equals.split('|').try_for_each(|part| self.rule(part, false));
        }
        if rule == "@STRENGTH" {
            let strength = |name: &&str| SUITES.iter().find(|s| s.registered == *name).map(|s| s.strength);
            self.list.suites.sort_by_key(|name| core::cmp::Reverse(strength(name)));
            return Ok(());
        }
        if rule == "DEFAULT" {
            if !is_first {
                return Err(Stop::unimplemented("-cipher with DEFAULT behind something else"));
            }
            self.list = CipherList::default_list();
            return Ok(());
        }
        if let Some(name) = rule.strip_prefix('!') {
            let selected = select(name)?;
            self.take_out(&selected);
            self.killed.extend(selected);
        } else if let Some(name) = rule.strip_prefix('-') {
            self.take_out(&select(name)?);
        } else if let Some(name) = rule.strip_prefix('+') {
            let selected = select(name)?;
            let moved: Vec<_> =
                self.list.suites.iter().copied().filter(|name| selected.contains(name)).collect();
            self.take_out(&selected);
            self.list.suites.extend(moved);
        } else {
            for name in select(rule)? {
                if !self.killed.contains(&name) && !self.list.suites.contains(&name) {
                    self.list.suites.push(name);
                }
            }
        }
        Ok(())
    }

    fn take_out(&mut self, selected: &[&'static str]) {
        self.list.suites.retain(|name| !selected.contains(name));
    }
}

/// The suites that every part of `rule` selects.
fn select(rule: &str) -> Result<Vec<&'static str>, Stop> {
    if let Some(suite) = SUITES.iter().find(|suite| suite.openssl == rule || suite.registered == rule) {
        return Ok(vec![suite.registered]);
    }
    let parts: Vec<&str> = rule.split('+').collect();
    if let Some(unknown) = parts.iter().find(|part| !is_word(part)) {
        return Err(Stop::unimplemented(format!("-cipher {unknown}")));
    }
    let selected = SUITES.iter().filter(|suite| parts.iter().all(|part| has_word(suite, part)));
    Ok(selected.map(|suite| suite.registered).collect())
}

/// Words for sets of which there is nothing here.
const NOTHING: [&str; 3] = ["PSK", "kPSK", "aPSK"];

fn is_word(word: &str) -> bool {
    matches!(word, "ALL" | "HIGH" | "FIPS")
        || NOTHING.contains(&word)
        || SUITES.iter().any(|s| has_word(s, word))
}

fn has_word(suite: &Suite, word: &str) -> bool {
    let has = |word: &str| suite.words.contains(&word);
    match word {
        // Without encryption there is none of them, and it is a word of its own.
        "ALL" => !has("eNULL"),
        "HIGH" | "FIPS" => is_default(suite) && !has("RC4"),
        "ECDHE" | "EECDH" | "kEECDH" | "ECDH" => has("kECDHE"),
        "DHE" | "EDH" | "kEDH" | "DH" => has("kDHE"),
        "RSA" => has("kRSA"),
        "ECDSA" => has("aECDSA"),
        "DSS" => has("aDSS"),
        "AES" => has("AES128") || has("AES256"),
        "SHA" => has("SHA1"),
        "NULL" => has("eNULL"),
        // What all versions have, and what came with TLS 1.2.
        "TLSv1" | "SSLv3" => !has("TLSv1.2"),
        word => has(word),
    }
}

macro_rules! suites {
    ($($openssl:literal $registered:literal $strength:literal [$($word:literal)*];)*) => {
        /// Every suite before TLS 1.3, in the order of their preference: those with an AEAD first, then CBC, then RC4; what
        /// must be asked for comes last.
        const SUITES: &[Suite] = &[$(Suite {
            openssl: $openssl,
            registered: $registered,
            words: &[$($word),*],
            strength: $strength,
        }),*];
    };
}

#[rustfmt::skip]
suites! {
    "ECDHE-ECDSA-AES256-GCM-SHA384" "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"       256 ["kECDHE" "aECDSA" "AES256" "AESGCM" "SHA384" "TLSv1.2"];
    "ECDHE-ECDSA-AES128-GCM-SHA256" "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"       128 ["kECDHE" "aECDSA" "AES128" "AESGCM" "SHA256" "TLSv1.2"];
    "ECDHE-ECDSA-CHACHA20-POLY1305" "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256" 256 ["kECDHE" "aECDSA" "CHACHA20" "SHA256" "TLSv1.2"];
    "ECDHE-RSA-AES256-GCM-SHA384"   "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"         256 ["kECDHE" "aRSA" "AES256" "AESGCM" "SHA384" "TLSv1.2"];
    "ECDHE-RSA-AES128-GCM-SHA256"   "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"         128 ["kECDHE" "aRSA" "AES128" "AESGCM" "SHA256" "TLSv1.2"];
    "ECDHE-RSA-CHACHA20-POLY1305"   "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"   256 ["kECDHE" "aRSA" "CHACHA20" "SHA256" "TLSv1.2"];
    "DHE-RSA-AES256-GCM-SHA384"     "TLS_DHE_RSA_WITH_AES_256_GCM_SHA384"           256 ["kDHE" "aRSA" "AES256" "AESGCM" "SHA384" "TLSv1.2"];
    "DHE-RSA-AES128-GCM-SHA256"     "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256"           128 ["kDHE" "aRSA" "AES128" "AESGCM" "SHA256" "TLSv1.2"];
    "DHE-DSS-AES256-GCM-SHA384"     "TLS_DHE_DSS_WITH_AES_256_GCM_SHA384"           256 ["kDHE" "aDSS" "AES256" "AESGCM" "SHA384" "TLSv1.2"];
    "DHE-DSS-AES128-GCM-SHA256"     "TLS_DHE_DSS_WITH_AES_128_GCM_SHA256"           128 ["kDHE" "aDSS" "AES128" "AESGCM" "SHA256" "TLSv1.2"];
    "ECDHE-ECDSA-AES256-SHA384"     "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384"       256 ["kECDHE" "aECDSA" "AES256" "SHA384" "TLSv1.2"];
    "ECDHE-ECDSA-AES128-SHA256"     "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256"       128 ["kECDHE" "aECDSA" "AES128" "SHA256" "TLSv1.2"];
    "ECDHE-RSA-AES256-SHA384"       "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384"         256 ["kECDHE" "aRSA" "AES256" "SHA384" "TLSv1.2"];
    "ECDHE-RSA-AES128-SHA256"       "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256"         128 ["kECDHE" "aRSA" "AES128" "SHA256" "TLSv1.2"];
    "ECDHE-ECDSA-AES256-SHA"        "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA"          256 ["kECDHE" "aECDSA" "AES256" "SHA1"];
    "ECDHE-ECDSA-AES128-SHA"        "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA"          128 ["kECDHE" "aECDSA" "AES128" "SHA1"];
    "ECDHE-RSA-AES256-SHA"          "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA"            256 ["kECDHE" "aRSA" "AES256" "SHA1"];
    "ECDHE-RSA-AES128-SHA"          "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA"            128 ["kECDHE" "aRSA" "AES128" "SHA1"];
    "DHE-RSA-AES256-SHA256"         "TLS_DHE_RSA_WITH_AES_256_CBC_SHA256"           256 ["kDHE" "aRSA" "AES256" "SHA256" "TLSv1.2"];
    "DHE-RSA-AES128-SHA256"         "TLS_DHE_RSA_WITH_AES_128_CBC_SHA256"           128 ["kDHE" "aRSA" "AES128" "SHA256" "TLSv1.2"];
    "DHE-RSA-AES256-SHA"            "TLS_DHE_RSA_WITH_AES_256_CBC_SHA"              256 ["kDHE" "aRSA" "AES256" "SHA1"];
    "DHE-RSA-AES128-SHA"            "TLS_DHE_RSA_WITH_AES_128_CBC_SHA"              128 ["kDHE" "aRSA" "AES128" "SHA1"];
    "DHE-DSS-AES256-SHA256"         "TLS_DHE_DSS_WITH_AES_256_CBC_SHA256"           256 ["kDHE" "aDSS" "AES256" "SHA256" "TLSv1.2"];
    "DHE-DSS-AES128-SHA256"         "TLS_DHE_DSS_WITH_AES_128_CBC_SHA256"           128 ["kDHE" "aDSS" "AES128" "SHA256" "TLSv1.2"];
    "DHE-DSS-AES256-SHA"            "TLS_DHE_DSS_WITH_AES_256_CBC_SHA"              256 ["kDHE" "aDSS" "AES256" "SHA1"];
    "DHE-DSS-AES128-SHA"            "TLS_DHE_DSS_WITH_AES_128_CBC_SHA"              128 ["kDHE" "aDSS" "AES128" "SHA1"];
    "AES256-GCM-SHA384"             "TLS_RSA_WITH_AES_256_GCM_SHA384"               256 ["kRSA" "aRSA" "AES256" "AESGCM" "SHA384" "TLSv1.2"];
    "AES128-GCM-SHA256"             "TLS_RSA_WITH_AES_128_GCM_SHA256"               128 ["kRSA" "aRSA" "AES128" "AESGCM" "SHA256" "TLSv1.2"];
    "AES256-SHA256"                 "TLS_RSA_WITH_AES_256_CBC_SHA256"               256 ["kRSA" "aRSA" "AES256" "SHA256" "TLSv1.2"];
    "AES128-SHA256"                 "TLS_RSA_WITH_AES_128_CBC_SHA256"               128 ["kRSA" "aRSA" "AES128" "SHA256" "TLSv1.2"];
    "AES256-SHA"                    "TLS_RSA_WITH_AES_256_CBC_SHA"                  256 ["kRSA" "aRSA" "AES256" "SHA1"];
    "AES128-SHA"                    "TLS_RSA_WITH_AES_128_CBC_SHA"                  128 ["kRSA" "aRSA" "AES128" "SHA1"];
    "ECDHE-ECDSA-DES-CBC3-SHA"      "TLS_ECDHE_ECDSA_WITH_3DES_EDE_CBC_SHA"         112 ["kECDHE" "aECDSA" "3DES" "SHA1"];
    "ECDHE-RSA-DES-CBC3-SHA"        "TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA"           112 ["kECDHE" "aRSA" "3DES" "SHA1"];
    "DHE-RSA-DES-CBC3-SHA"          "TLS_DHE_RSA_WITH_3DES_EDE_CBC_SHA"             112 ["kDHE" "aRSA" "3DES" "SHA1"];
    "DHE-DSS-DES-CBC3-SHA"          "TLS_DHE_DSS_WITH_3DES_EDE_CBC_SHA"             112 ["kDHE" "aDSS" "3DES" "SHA1"];
    "DES-CBC3-SHA"                  "TLS_RSA_WITH_3DES_EDE_CBC_SHA"                 112 ["kRSA" "aRSA" "3DES" "SHA1"];
    "ECDHE-ECDSA-RC4-SHA"           "TLS_ECDHE_ECDSA_WITH_RC4_128_SHA"              128 ["kECDHE" "aECDSA" "RC4" "SHA1"];
    "ECDHE-RSA-RC4-SHA"             "TLS_ECDHE_RSA_WITH_RC4_128_SHA"                128 ["kECDHE" "aRSA" "RC4" "SHA1"];
    "RC4-SHA"                       "TLS_RSA_WITH_RC4_128_SHA"                      128 ["kRSA" "aRSA" "RC4" "SHA1"];
    "RC4-MD5"                       "TLS_RSA_WITH_RC4_128_MD5"                      128 ["kRSA" "aRSA" "RC4" "MD5"];
    "EDH-RSA-DES-CBC-SHA"           "TLS_DHE_RSA_WITH_DES_CBC_SHA"                  56  ["kDHE" "aRSA" "DES" "LOW" "SHA1"];
    "EDH-DSS-DES-CBC-SHA"           "TLS_DHE_DSS_WITH_DES_CBC_SHA"                  56  ["kDHE" "aDSS" "DES" "LOW" "SHA1"];
    "DES-CBC-SHA"                   "TLS_RSA_WITH_DES_CBC_SHA"                      56  ["kRSA" "aRSA" "DES" "LOW" "SHA1"];
    "EXP1024-RC4-SHA"               "TLS_RSA_EXPORT1024_WITH_RC4_56_SHA"            56  ["kRSA" "aRSA" "RC4" "EXP" "SHA1"];
    "EXP1024-DES-CBC-SHA"           "TLS_RSA_EXPORT1024_WITH_DES_CBC_SHA"           56  ["kRSA" "aRSA" "DES" "EXP" "SHA1"];
    "EXP1024-DHE-DSS-DES-CBC-SHA"   "TLS_DHE_DSS_EXPORT1024_WITH_DES_CBC_SHA"       56  ["kDHE" "aDSS" "DES" "EXP" "SHA1"];
    "EXP-RC4-MD5"                   "TLS_RSA_EXPORT_WITH_RC4_40_MD5"                40  ["kRSA" "aRSA" "RC4" "EXP" "MD5"];
    "EXP-RC2-CBC-MD5"               "TLS_RSA_EXPORT_WITH_RC2_CBC_40_MD5"            40  ["kRSA" "aRSA" "RC2" "EXP" "MD5"];
    "NULL-SHA"                      "TLS_RSA_WITH_NULL_SHA"                         0   ["kRSA" "aRSA" "eNULL" "SHA1"];
    "NULL-MD5"                      "TLS_RSA_WITH_NULL_MD5"                         0   ["kRSA" "aRSA" "eNULL" "MD5"];
}

#[cfg(test)]
mod tests {
    use super::*;

    fn openssl(list: &str) -> Vec<&'static str> {
        let list = CipherList::parse(list).unwrap();
        let name = |registered: &&str| SUITES.iter().find(|s| s.registered == *registered).unwrap().openssl;
        list.suites.iter().map(name).collect()
    }

    #[test]
    fn names_keep_their_order_and_stand_once() {
        assert_eq!(
            openssl("AES128-SHA:RC4-MD5 AES128-SHA,DES-CBC3-SHA"),
            ["AES128-SHA", "RC4-MD5", "DES-CBC3-SHA"]
        );
        assert_eq!(openssl("TLS_RSA_WITH_NULL_MD5"), ["NULL-MD5"]);
    }

    #[test]
    fn the_default_is_all_that_need_not_be_asked_for() {
        let default = openssl("DEFAULT");
        assert!(["AES128-SHA", "DES-CBC3-SHA", "RC4-SHA"].iter().all(|name| default.contains(name)));
        assert!(!["DES-CBC-SHA", "EXP-RC4-MD5", "NULL-SHA"].iter().any(|name| default.contains(name)));
        assert_eq!(openssl("DEFAULT:NULL-SHA").last(), Some(&"NULL-SHA"));
        assert!(openssl("ALL").contains(&"EXP-RC4-MD5") && !openssl("ALL").contains(&"NULL-SHA"));
        assert_eq!(CipherList::default_list(), CipherList::parse("DEFAULT").unwrap());
    }

    #[test]
    fn operators_take_out_move_and_kill() {
        assert_eq!(openssl("kRSA+3DES:RC4-SHA:RC4-MD5:+3DES"), ["RC4-SHA", "RC4-MD5", "DES-CBC3-SHA"]);
        assert_eq!(openssl("RC4-SHA:AES128-SHA:-RC4"), ["AES128-SHA"]);
        assert_eq!(openssl("RC4-SHA:AES128-SHA:-RC4:RC4-SHA"), ["AES128-SHA", "RC4-SHA"]);
        assert_eq!(openssl("!RC4:RC4-SHA:AES128-SHA"), ["AES128-SHA"]);
        assert!(!openssl("DEFAULT:!RC4").iter().any(|name| name.contains("RC4")));
        assert_eq!(openssl("RC4-SHA:AES256-SHA:@STRENGTH"), ["AES256-SHA", "RC4-SHA"]);
    }

    #[test]
    fn equal_preference_is_noticed() {
        let list = CipherList::parse("[AES128-SHA|AES256-SHA]:RC4-SHA").unwrap();
        assert!(list.has_equals);
        assert_eq!(list.suites.len(), 3);
        assert!(!CipherList::parse("AES128-SHA:RC4-SHA").unwrap().has_equals);
    }

    #[test]
    fn what_is_unknown_is_unimplemented_and_nothing_is_a_failure() {
        for list in ["CAMELLIA128-SHA", "kRSA+FOO", "AES128-SHA:BOGUS", "RC4-SHA:DEFAULT"] {
            assert!(matches!(CipherList::parse(list), Err(Stop::Unimplemented(_))), "{list}");
        }
        for list in ["", "PSK", "AES128-SHA:!kRSA"] {
            assert!(matches!(CipherList::parse(list), Err(Stop::Failed(_))), "{list}");
        }
    }
}
