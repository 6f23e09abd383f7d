//! What a peer tells: the alerts of TLS, and the errors of SSL 2.0 and PCT 1.0, by number and by name, as programs write them.

use opensspi::tokens::tls::{AlertMeaning, Pct1ErrorCode, Ssl2ErrorCode, alert_meaning};

use super::{Explanation, Setting, settings};

/// Every name.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    let alerts = (0..=u8::MAX).filter_map(alert_meaning).map(|alert| alert.name);
    alerts.chain(SSL2.iter().map(|row| row.name)).chain(PCT1.iter().map(|row| row.name))
}

/// What the text tells, if it is an alert or an error.
pub(super) fn explain(text: &str) -> Option<Explanation> {
    if text.len() > LONGEST || text.contains('=') {
        return None;
    }
    let lower = text.to_ascii_lowercase();
    let words: Vec<&str> = lower
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| !word.is_empty())
        .collect();
    let has = |names: &[&str]| words.iter().any(|word| names.contains(word));
    // `ssl2` and `ssl 2.0` mean the errors of that protocol; `sslv3 alert …` is what OpenSSL calls every alert.
    if has(&["pct", "pct1"]) {
        return Told::of(&words).row(&PCT1).map(pct1);
    }
    if has(&["ssl2", "sslv2"]) || words.windows(2).any(|pair| pair == ["ssl", "2"]) {
        return Told::of(&words).row(&SSL2).map(ssl2);
    }
    // What stands behind the last word `alert`, or everything.
    let from = words.iter().rposition(|word| *word == "alert");
    let told = Told::of(words.get(from.map_or(0, |at| at + 1)..).unwrap_or_default());
    let is_alert = |number: &u8| from.is_some() || alert_meaning(*number).is_some();
    let number = told.number().and_then(|number| u8::try_from(number).ok()).filter(is_alert);
    by_name(&told.name)
        .or_else(|| number.map(alert))
        .or_else(|| named(&SSL2, &told.name).map(ssl2))
        .or_else(|| named(&PCT1, &told.name).map(pct1))
}

/// What is left of a sentence in which a program tells an alert.
struct Told<'a> {
    /// Its words but for numbers and those around it, as one name.
    name: String,
    last: Option<&'a str>,
}

impl<'a> Told<'a> {
    fn of(words: &[&'a str]) -> Self {
        let is_number = |word: &str| word.bytes().all(|byte| byte.is_ascii_digit());
        let name = words.iter().copied().filter(|word| !AROUND.contains(word) && !is_number(word));
        Self { name: name.collect::<Vec<_>>().join("_"), last: words.last().copied() }
    }

    /// Its number, where there is nothing else.
    fn number(&self) -> Option<u16> {
        let last = self.last.filter(|_| self.name.is_empty() || self.name == "error")?;
        last.parse().ok()
    }

    fn row(&self, table: &'static [Row]) -> Option<&'static Row> {
        let numbered = |number| table.iter().find(|row| row.number == number);
        named(table, &self.name).or_else(|| self.number().and_then(numbered))
    }
}

/// Nothing that tells an alert is longer.
const LONGEST: usize = 200;

/// Words around an alert that say nothing of it.
const AROUND: [&str; 18] = [
    "tls",
    "tlsv1",
    "ssl",
    "sslv3",
    "ssl2",
    "sslv2",
    "pct",
    "pct1",
    "alert",
    "err",
    "fatal",
    "warning",
    "number",
    "received",
    "code",
    "level",
    "description",
    "the",
];

fn by_name(name: &str) -> Option<Explanation> {
    let known = (0..=u8::MAX).filter_map(alert_meaning).find(|alert| alert.name == name)?;
    Some(alert(known.number))
}

/// The alert of a number.
pub(super) fn alert(number: u8) -> Explanation {
    let unknown = "means something that is registered nowhere";
    let known = alert_meaning(number);
    let (name, sentence) = known.map_or_else(
        || (format!("alert {number}"), unknown.to_owned()),
        |alert| {
            let sentence =
                format!("is the alert {number} of TLS: whoever sends it says that {}", of_sender(alert));
            (alert.name.to_owned(), sentence)
        },
    );
    let offered = known.map(|alert| ("status", format!("{} where it is received", alert.status)));
    Explanation {
        kind: "alert",
        name,
        number: Some(number.into()),
        sentence,
        offered: offered.into_iter().collect(),
        settings: advice(number),
        wrong: None,
    }
}

/// The sentence is one of whoever receives it.
fn of_sender(alert: &AlertMeaning) -> String {
    alert.sentence.replace("our ", "the other's ")
}

/// An error of SSL 2.0 or of PCT 1.0.
struct Row {
    number: u16,
    name: &'static str,
    sentence: &'static str,
    settings: &'static [(&'static str, &'static str)],
}

const SUITES: (&str, &str) = ("schannel.suites", "which cipher suites are used");
const ALLOW: (&str, &str) = ("schannel.allow", "which weak ones are accepted, by name");
const PROTOCOLS: (&str, &str) = ("schannel.protocols", "which protocols are spoken");
const PROFILE: (&str, &str) =
    ("schannel.profile", "the same for a time: modern, compatible, legacy, windows-2003, museum");
const CERTIFICATES: (&str, &str) = ("schannel.certificates", "what is shown");
const CLIENT_CERTIFICATE: (&str, &str) =
    ("schannel.client-certificate", "whether a client shows the one that is configured");
const CLIENT_AUTH: (&str, &str) = ("schannel.client-auth", "whether a server asks for certificates");
const ROOTS: (&str, &str) = ("schannel.roots", "which authorities are trusted, at the end that sends it");

/// Spec: SSL2 section 5.6.
static SSL2: [Row; 4] = [
    Row {
        number: 1,
        name: "NO-CIPHER-ERROR",
        sentence: "the two have no cipher kind, or no version, in common",
        settings: &[SUITES, ALLOW, PROTOCOLS, PROFILE],
    },
    Row {
        number: 2,
        name: "NO-CERTIFICATE-ERROR",
        sentence: "a client was asked for a certificate, and has none: the server decides whether it goes on",
        settings: &[CLIENT_CERTIFICATE, CLIENT_AUTH],
    },
    Row {
        number: 4,
        name: "BAD-CERTIFICATE-ERROR",
        sentence: "a certificate was refused, or its signature",
        settings: &[CERTIFICATES, ROOTS],
    },
    Row {
        number: 6,
        name: "UNSUPPORTED-CERTIFICATE-TYPE-ERROR",
        sentence: "a certificate is of a kind that is not known",
        settings: &[CERTIFICATES],
    },
];

/// Spec: PCT1 sections 5.4 and 5.5.3.
static PCT1: [Row; 6] = [
    Row {
        number: 1,
        name: "PCT_ERR_BAD_CERTIFICATE",
        sentence: "a certificate is not accepted",
        settings: &[CERTIFICATES, ROOTS],
    },
    Row {
        number: 2,
        name: "PCT_ERR_CLIENT_AUTH_FAILED",
        sentence: "what a client proves itself with is not right",
        settings: &[CLIENT_AUTH, CLIENT_CERTIFICATE],
    },
    Row {
        number: 3,
        name: "PCT_ERR_ILLEGAL_MESSAGE",
        sentence: "a message may not come now, or cannot be read",
        settings: &[],
    },
    Row {
        number: 4,
        name: "PCT_ERR_INTEGRITY_CHECK_FAILED",
        sentence: "a MAC is wrong, or the hellos were altered on their way",
        settings: &[],
    },
    Row {
        number: 5,
        name: "PCT_ERR_SERVER_AUTH_FAILED",
        sentence: "what the server proves itself with is not right",
        settings: &[CERTIFICATES],
    },
    Row {
        number: 6,
        name: "PCT_ERR_SPECS_MISMATCH",
        sentence: "the two have no cipher, hash, certificate type or key exchange in common",
        settings: &[SUITES, ALLOW, CERTIFICATES],
    },
];

/// By a name, with or without what every one has.
fn named(table: &'static [Row], name: &str) -> Option<&'static Row> {
    let plain = |name: &str| {
        let name = name.to_ascii_lowercase().replace('-', "_");
        let name = name.strip_prefix("pct_err_").unwrap_or(&name);
        name.strip_suffix("_error").unwrap_or(name).to_owned()
    };
    table.iter().find(|row| plain(row.name) == plain(name))
}

fn ssl2(row: &'static Row) -> Explanation {
    of_row(row, "SSL 2.0")
}

fn pct1(row: &'static Row) -> Explanation {
    of_row(row, "PCT 1.0")
}

fn of_row(row: &'static Row, protocol: &str) -> Explanation {
    Explanation {
        kind: "error",
        name: row.name.to_owned(),
        number: Some(row.number.into()),
        sentence: format!("is the error {} of {protocol}: {}", row.number, row.sentence),
        settings: settings(row.settings),
        ..Explanation::default()
    }
}

/// The error of a message of SSL 2.0.
pub(super) fn ssl2_error(code: Ssl2ErrorCode) -> Option<Explanation> {
    SSL2.iter().find(|row| row.number == code.0).map(ssl2)
}

/// The error of a message of PCT 1.0.
pub(super) fn pct1_error(code: Pct1ErrorCode) -> Option<Explanation> {
    PCT1.iter().find(|row| row.number == code.0).map(pct1)
}

/// The settings that decide whether an alert comes, the likeliest first.
fn advice(number: u8) -> Vec<Setting> {
    ALERTS
        .iter()
        .find(|(numbers, _)| numbers.contains(&number))
        .map_or_else(Vec::new, |(_, rows)| settings(rows))
}

type AlertRow = (&'static [u8], &'static [(&'static str, &'static str)]);

const ALERTS: &[AlertRow] = &[
    (&[40], &[SUITES, ALLOW, PROTOCOLS, CERTIFICATES]),
    (&[70], &[PROTOCOLS, PROFILE, ("schannel.fallback", "whether a client comes back with older ones")]),
    (&[71], &[SUITES, ("schannel.dh-minimum-bits", "the smallest group of Diffie-Hellman")]),
    (&[41, 116], &[CLIENT_CERTIFICATE, CLIENT_AUTH]),
    (
        &[42, 43, 46],
        &[CERTIFICATES, ("schannel.allow", "which weaknesses of certificates are accepted, by name")],
    ),
    (&[44], &[CERTIFICATES, ("schannel.revocation", "whether revoked certificates are refused")]),
    (&[45], &[("schannel.certificates", "what is shown: it must be renewed")]),
    (
        &[48],
        &[
            ROOTS,
            ("schannel.pins", "or which certificate, whoever issued it"),
            ("schannel.certificates", "whether the chain is whole"),
        ],
    ),
    (
        &[49],
        &[
            ("accounts", "which accounts stand behind the certificates of clients"),
            ("schannel.mapping", "whether one must"),
        ],
    ),
    (&[60], &[ALLOW]),
    (&[86], &[("schannel.fallback", "whether a client comes back with older protocols"), PROTOCOLS]),
    (&[100], &[("schannel.renegotiation", "who may negotiate again")]),
    (
        &[109],
        &[("schannel.extended-master-secret", "whether the master secret must be bound to its handshake")],
    ),
    (&[112], &[("schannel.certificates", "for which names there are certificates")]),
    (&[113], &[("schannel.ocsp-response", "what a server staples")]),
    (&[120], &[("schannel.alpn", "which application protocols are spoken")]),
];

/// Every setting that is named.
#[cfg(test)]
pub(super) fn all_settings() -> impl Iterator<Item = &'static str> {
    let of_alerts = ALERTS.iter().flat_map(|(_, settings)| *settings);
    let of_errors = SSL2.iter().chain(&PCT1).flat_map(|row| row.settings);
    of_alerts.chain(of_errors).map(|(name, _)| *name)
}
