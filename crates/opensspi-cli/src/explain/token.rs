//! Tokens: what `token decode` shows in full, in a sentence.

use opensspi::Protocol;
use opensspi::tokens::tls::Flight;

use super::{Explanation, Setting, settings, told};
use crate::token::{Decoded, Table, said};

/// What the token is.
///
/// # Errors
/// There is none; the sentence says what was looked for.
pub(super) fn explain(given: &[u8]) -> Result<Explanation, String> {
    let decoded = said(given)?;
    let mut explanation = match &decoded.flight {
        Some(flight) => of_flight(flight),
        None => of_token(&decoded),
    };
    explanation.kind = "token";
    explanation.wrong = decoded.wrong.map(|wrong| wrong.to_string());
    Ok(explanation)
}

fn of_token(decoded: &Decoded) -> Explanation {
    let Decoded { kind, table, .. } = decoded;
    match kind.as_str() {
        "NTLM NEGOTIATE" => ntlm_negotiate(table),
        "NTLM CHALLENGE" => ntlm_challenge(table),
        "NTLM AUTHENTICATE" => ntlm_authenticate(table),
        "SPNEGO NegTokenInit" | "SPNEGO NegTokenInit2" => negotiation(kind, table),
        "SPNEGO NegTokenResp" => negotiation_answer(table),
        kind if kind.starts_with("Digest") || kind.starts_with("DIGEST-MD5") => digest(kind, table),
        kind if kind.starts_with("the name of the scheme") => scheme(kind),
        kind if kind.contains("Kerberos") => kerberos(kind, table),
        kind => Explanation {
            name: kind.to_owned(),
            sentence: "is a token of a mechanism that is not decoded here".to_owned(),
            offered: list("mechanism", table.all("thisMech").map(|(value, _)| value)),
            settings: settings(&[PACKAGES]),
            ..Explanation::default()
        },
    }
}

type Known = (&'static str, &'static str);

const PACKAGES: Known = ("negotiate.packages", "which packages are offered and taken, the favourite first");
const NTLM_POLICY: Known = ("negotiate.ntlm", "whether NTLM may be used: allow, audit or deny");
const ACCOUNTS: Known =
    ("logon.accounts", "who may log on to this server, and what their passwords are known by");
const KEY_BITS: Known = ("ntlm.minimum-key-bits", "the shortest keys that messages may be encrypted with");
const SESSION_SECURITY: Known =
    ("ntlm.extended-session-security", "whether it is required: without it anybody can alter messages");

/// A list in one line, if there is anything in it.
fn list<'a>(what: &'static str, values: impl Iterator<Item = &'a str>) -> Vec<(&'static str, String)> {
    let values: Vec<&str> = values.filter(|value| !value.is_empty()).collect();
    if values.is_empty() { Vec::new() } else { vec![(what, values.join(", "))] }
}

/// What both ends of NTLM know by the flags of a message.
fn ntlm_flags(table: &Table) -> Vec<(&'static str, String)> {
    let names = [
        ("NEGOTIATE_SIGN", "signed messages"),
        ("NEGOTIATE_SEAL", "encrypted messages"),
        ("NEGOTIATE_128", "keys of 128 bits"),
        ("NEGOTIATE_56", "keys of 56 bits"),
        ("NEGOTIATE_KEY_EXCH", "a key of the session's own"),
        ("NEGOTIATE_EXTENDED_SESSIONSECURITY", "extended session security"),
        ("NEGOTIATE_LM_KEY", "the weak key of LM"),
        ("NEGOTIATE_ANONYMOUS", "nobody"),
    ];
    list("offered", names.iter().filter(|(flag, _)| table.has(flag)).map(|(_, name)| *name))
}

/// The settings that matter for what is missing of the flags.
fn missing(table: &Table) -> Vec<Known> {
    let wanted = [("NEGOTIATE_128", KEY_BITS), ("NEGOTIATE_EXTENDED_SESSIONSECURITY", SESSION_SECURITY)];
    wanted.into_iter().filter(|(flag, _)| !table.has(flag)).map(|(_, setting)| setting).collect()
}

/// A field with its value, if it is there and not secret. Quotation marks are of the table.
fn field(table: &Table, what: &'static str, name: &str) -> Option<(&'static str, String)> {
    let value = table.value_of(name)?.trim_matches('"');
    (!value.is_empty()).then(|| (what, value.to_owned()))
}

fn ntlm_negotiate(table: &Table) -> Explanation {
    let names = [("domain", "DomainName"), ("workstation", "WorkstationName"), ("system", "Version")];
    let said = names.iter().filter_map(|(what, name)| field(table, what, name));
    Explanation {
        name: "NTLM NEGOTIATE".to_owned(),
        sentence: "is the first message of a client that logs on with NTLM: it says what the client can do, and proves nothing"
            .to_owned(),
        offered: ntlm_flags(table).into_iter().chain(said).collect(),
        settings: settings(&[&missing(table)[..], &[NTLM_POLICY]].concat()),
        ..Explanation::default()
    }
}

fn ntlm_challenge(table: &Table) -> Explanation {
    let names = [
        ("server", "TargetName"),
        ("computer", "MsvAvDnsComputerName"),
        ("computer", "MsvAvNbComputerName"),
        ("domain", "MsvAvDnsDomainName"),
        ("domain", "MsvAvNbDomainName"),
        ("system", "Version"),
    ];
    let mut offered = ntlm_flags(table);
    for (what, name) in names {
        if let Some(found) =
            field(table, what, name).filter(|_| !offered.iter().any(|(known, _)| *known == what))
        {
            offered.push(found);
        }
    }
    let mic = if table.has("MsvAvTimestamp") { "expected: the server says its time" } else { "not expected" };
    offered.push(("MIC", mic.to_owned()));
    Explanation {
        name: "NTLM CHALLENGE".to_owned(),
        sentence: "is the answer of a server of NTLM: what both ends will do, and the random bytes that a password is proved with"
            .to_owned(),
        offered,
        settings: settings(
            &[
                &missing(table)[..],
                &[
                    ("ntlm.lm-compatibility-level", "which version of NTLM a client answers with"),
                    ("ntlm.user", "as whom it logs on"),
                ],
            ]
            .concat(),
        ),
        ..Explanation::default()
    }
}

fn ntlm_authenticate(table: &Table) -> Explanation {
    let is_version_2 = table.has("NTProofStr");
    let is_anonymous = table.value_of("NtChallengeResponseFields") == Some("nothing");
    let version = match (is_version_2, is_anonymous) {
        (true, _) => "version 2",
        (_, true) => "none: nobody logs on",
        _ => "version 1, which can be guessed quickly",
    };
    let names = [
        ("user", "UserName"),
        ("domain", "DomainName"),
        ("workstation", "Workstation"),
        ("target", "MsvAvTargetName"),
    ];
    let said = names.iter().filter_map(|(what, name)| field(table, what, name));
    let mut matter: Vec<Known> = Vec::new();
    if is_anonymous {
        matter.push(("ntlm.anonymous", "whether nobody may log on"));
    } else if !is_version_2 {
        matter.push((
            "ntlm.acceptor-lm-compatibility-level",
            "which versions a server takes: 5 is version 2 only",
        ));
    }
    matter.push(ACCOUNTS);
    if !table.has("MIC") {
        matter.push(("ntlm.require-mic", "whether a client must have a MIC over its handshake"));
    }
    matter.extend(missing(table));
    Explanation {
        name: "NTLM AUTHENTICATE".to_owned(),
        sentence:
            "is the last message of a client of NTLM: who it is, and the proof that it knows the password"
                .to_owned(),
        offered: said.chain([("proof", version.to_owned())]).chain(ntlm_flags(table)).collect(),
        settings: settings(&matter),
        ..Explanation::default()
    }
}

fn negotiation(kind: &str, table: &Table) -> Explanation {
    let mechanism = |(oid, name): (&str, &str)| {
        if name.starts_with("a mechanism that") { oid.to_owned() } else { name.to_owned() }
    };
    let offered: Vec<String> = table.all("mechType").map(mechanism).collect();
    let mut all = list("offered", offered.iter().map(String::as_str));
    all.extend(list("with a token of", table.all("mechToken").map(|(value, _)| value)));
    let is_only_ntlm = offered.iter().all(|name| name == "NTLM");
    let policy = if is_only_ntlm { &[NTLM_POLICY, PACKAGES][..] } else { &[PACKAGES, NTLM_POLICY] };
    let from = if kind.ends_with('2') { "a server that speaks first" } else { "a client" };
    Explanation {
        name: kind.to_owned(),
        sentence: format!(
            "is the offer of {from} that negotiates (SPNEGO): the mechanisms that it has, the favourite first"
        ),
        offered: all,
        settings: settings(policy),
        ..Explanation::default()
    }
}

fn negotiation_answer(table: &Table) -> Explanation {
    // Where its place is not found it has no value, but a meaning that begins with it.
    let stated = table.value_of("negState").filter(|state| !state.is_empty());
    let state = stated.or_else(|| table.meaning_of("negState")).unwrap_or_default().to_owned();
    let mut offered = list("state", std::iter::once(state.as_str()));
    offered.extend(list("chosen", table.all("supportedMech").map(|(_, name)| name)));
    offered.extend(list("with a token of", table.all("responseToken").map(|(value, _)| value)));
    let sentence = if state.contains("reject") {
        "is the answer of a server that gives up: none of the mechanisms that were offered will do, or the logon failed"
    } else if state.contains("request-mic") {
        "is the answer of a server that took another mechanism than the favourite, and wants the list signed"
    } else {
        "is an answer in a negotiation (SPNEGO): how far it is, and a token of the mechanism that was chosen"
    };
    Explanation {
        name: "SPNEGO NegTokenResp".to_owned(),
        sentence: sentence.to_owned(),
        offered,
        settings: settings(&[PACKAGES, NTLM_POLICY]),
        ..Explanation::default()
    }
}

fn kerberos(kind: &str, table: &Table) -> Explanation {
    let around = if kind.ends_with("token") { "in the frame of GSS-API" } else { "without a negotiation" };
    let what = table.meaning_of("innerContextToken").unwrap_or_default();
    Explanation {
        name: kind.to_owned(),
        sentence: format!("is a message of Kerberos {around}: {what}"),
        settings: settings(&[(
            "negotiate.packages",
            "which packages are taken: there must be one for Kerberos",
        )]),
        ..Explanation::default()
    }
}

fn digest(kind: &str, table: &Table) -> Explanation {
    let names = [
        ("realm", "realm"),
        ("user", "username"),
        ("quality", "qop"),
        ("algorithm", "algorithm"),
        ("ciphers", "cipher"),
        ("request", "uri"),
        ("service", "digest-uri"),
        ("stale", "stale"),
    ];
    let offered = names.iter().filter_map(|(what, name)| field(table, what, name)).collect();
    let is_sasl = kind.starts_with("DIGEST-MD5");
    let (sentence, matter): (&str, &[Known]) = if kind.ends_with("challenge") {
        let sentence =
            "is a server's demand: a password must be proved for its realm, with the nonce that it gives";
        (
            sentence,
            if is_sasl {
                &[
                    ("digest.ciphers", "which ciphers encrypt messages"),
                    ("digest.qop", "whether messages are signed, or encrypted"),
                    ("digest.realm", "the realm of a server, and the one that a client answers"),
                ]
            } else {
                &[
                    ("digest.algorithms", "which hash functions are taken"),
                    ("digest.qop", "what is proved: the request, or its body too"),
                    ("digest.realm", "the realm of a server, and the one that a client answers"),
                ]
            },
        )
    } else if kind.ends_with("response") {
        (
            "is a client's answer: who it is, and the proof that it knows the password",
            &[
                ACCOUNTS,
                ("digest.realm", "the realm for which the password is known"),
                ("digest.nonce-lifetime", "how long a challenge can be answered"),
            ],
        )
    } else {
        (
            "is a server's last word: the proof that it knows the password, too",
            &[("digest.single-use-nonces", "whether it names a new nonce each time")],
        )
    };
    Explanation {
        name: kind.to_owned(),
        sentence: sentence.to_owned(),
        offered,
        settings: settings(matter),
        ..Explanation::default()
    }
}

fn scheme(kind: &str) -> Explanation {
    let matter: &[Known] = if kind.contains("Negotiate") {
        &[PACKAGES, NTLM_POLICY]
    } else {
        &[("package", "which package a server asks for"), NTLM_POLICY]
    };
    Explanation {
        name: "This".to_owned(),
        sentence: format!("is {kind}: a server says how a client may log on"),
        settings: settings(matter),
        ..Explanation::default()
    }
}

fn of_flight(flight: &Flight) -> Explanation {
    if let Some(number) = flight.alert {
        let alert = told::alert(number);
        let sentence = format!("is an alert, {}, which {}", alert.name, alert.sentence);
        return Explanation { name: flight.kind.clone(), sentence, ..alert };
    }
    let error = flight.ssl2_error.and_then(told::ssl2_error);
    if let Some(error) = error.or_else(|| flight.pct1_error.and_then(told::pct1_error)) {
        let sentence = format!("tells {}, which {}", error.name, error.sentence);
        return Explanation { name: flight.kind.clone(), sentence, ..error };
    }
    let protocols: Vec<&str> = flight.protocols.iter().map(|protocol| protocol.name()).collect();
    let is_offer = flight.kind.to_ascii_uppercase().replace(['-', '_'], "").contains("CLIENTHELLO");
    let mut offered = list(if is_offer { "offered" } else { "chosen" }, protocols.iter().copied());
    if let Some(name) = fact(flight, "server_name") {
        offered.push(("server", name.to_owned()));
    }
    if let Some((count, first)) = Some(flight.suites.len()).zip(flight.suites.first()) {
        let suites = match count {
            1 => first.clone(),
            _ => format!("{count}, the favourite {first}"),
        };
        offered.push((if is_offer { "suites" } else { "suite" }, suites));
    }
    if let Some(alpn) = fact(flight, "alpn") {
        offered.push(("ALPN", alpn.to_owned()));
    }
    Explanation {
        name: flight.kind.clone(),
        sentence: sentence(flight, is_offer),
        offered,
        settings: matter(flight, is_offer),
        ..Explanation::default()
    }
}

fn fact<'a>(flight: &'a Flight, field: &str) -> Option<&'a str> {
    flight.facts.iter().find(|fact| fact.field == field).map(|fact| fact.value.as_str())
}

fn sentence(flight: &Flight, is_offer: bool) -> String {
    let best = flight.protocols.first().map_or("a protocol that is not known here", |best| best.name());
    if is_offer {
        return format!("is a client's offer, at best {best}: the protocols and cipher suites that it has");
    }
    if flight.kind.contains("ServerHello") || flight.kind.contains("SERVER") {
        return format!("is a server's answer, which chose {best}");
    }
    "are records of TLS in which nothing is offered".to_owned()
}

fn matter(flight: &Flight, is_offer: bool) -> Vec<Setting> {
    let mut all = Vec::new();
    if let Some(remedy) = &flight.remedy {
        let setting = if remedy.starts_with("profile") { "schannel.profile" } else { "schannel.protocols" };
        let setting = match remedy.split_whitespace().next() {
            Some("allow") => "schannel.allow",
            Some("suites") => "schannel.suites",
            _ => setting,
        };
        all.push((setting, format!("a server with the default refuses this offer: {remedy}")));
    } else if is_offer {
        all.push((
            "schannel.protocols",
            "what a server speaks, of what is offered: the default is enough".to_owned(),
        ));
    }
    let old = flight.protocols.iter().any(|protocol| matches!(protocol, Protocol::Ssl20 | Protocol::Pct1));
    if old && is_offer {
        all.push((
            "schannel.i-accept-drown",
            "whether one RSA key may serve what is that old and newer protocols".to_owned(),
        ));
    }
    if !is_offer {
        all.extend(settings(&[
            ("schannel.protocols", "what a client offers"),
            ("schannel.suites", "and with which cipher suites"),
        ]));
    }
    all
}
