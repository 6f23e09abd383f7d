//! What is weak about an established connection, in words.

use std::time::SystemTime;

use legacy_tls::KeyExchangeStrength;
use sspi_core::ConnectionWeakness;

use crate::backend::{Session, SessionSecrets};
use crate::certificate::summary::CertificateSummary;
use crate::certificate::verifier::{Weakness, weaknesses_of};
use crate::certificate::{may_decrypt, may_sign, rsa_bits, validity};
use crate::suite_info::SuiteInfo;

const SSL30: u16 = 0x0300;
const TLS12: u16 = 0x0303;
/// Groups of Diffie-Hellman with fewer bits are short.
const DH_BITS: u32 = 2048;

/// Everything that is weak about a connection, the worst first; `at` is when it was made.
pub(crate) fn of(session: &Session, at: SystemTime) -> Vec<ConnectionWeakness> {
    let mut found = Vec::new();
    found.extend(of_suite(session));
    found.extend(of_version(session.version));
    found.extend(of_certificates(session, at));
    found.extend(of_exchange(session));
    found.extend(of_extensions(session));
    found
}

fn weak(name: &'static str, description: impl Into<std::borrow::Cow<'static, str>>) -> ConnectionWeakness {
    ConnectionWeakness { name: name.into(), description: description.into() }
}

fn of_version(version: u16) -> Option<ConnectionWeakness> {
    let (name, description) = match version {
        0x0002 => (
            "ssl2",
            "SSL 2.0: who is in between chooses the cipher and cuts the stream, unnoticed; MD5 is all that protects it; prohibited by RFC 6176",
        ),
        0x8001 => (
            "pct1",
            "PCT 1.0: its MACs rest on MD5 or SHA-1, and nothing marks the end of the stream; nobody has looked after it since 1997",
        ),
        0x0300 => (
            "ssl3",
            "SSL 3.0: its padding is not checked (POODLE), and nothing protects its extensions; prohibited by RFC 7568",
        ),
        0x0301 => (
            "tls1.0",
            "TLS 1.0: handshakes rest on MD5 and SHA-1, CBC on chained vectors; deprecated by RFC 8996",
        ),
        0x0302 => ("tls1.1", "TLS 1.1: handshakes rest on MD5 and SHA-1; deprecated by RFC 8996"),
        _ => return None,
    };
    Some(weak(name, description))
}

fn of_suite(session: &Session) -> Option<ConnectionWeakness> {
    let bits = session.suite.cipher().bits;
    let name = SuiteInfo::of(session.suite).weakness()?;
    let description = match name {
        "null" => "no encryption: everybody on the way reads the connection".to_owned(),
        "export" => {
            let short = match session.strength {
                Some(KeyExchangeStrength::Rsa { bits } | KeyExchangeStrength::Dh { bits }) => {
                    format!(", agreed under {bits} bits")
                }
                _ => String::new(),
            };
            format!("an export suite: keys of {bits} bits{short}; broken in hours")
        }
        "des" => "single DES: keys of 56 bits, found in a day with rented computers".to_owned(),
        "rc4" => {
            "RC4: its output is biased, and what is sent again and again can be read; prohibited by RFC 7465"
                .to_owned()
        }
        _ => "3DES: blocks of 64 bits, of which two are the same after some gigabytes (Sweet32)".to_owned(),
    };
    Some(weak(name, description))
}

fn of_exchange(session: &Session) -> Vec<ConnectionWeakness> {
    let mut found = Vec::new();
    if !SuiteInfo::of(session.suite).has_forward_secrecy() {
        found.push(weak(
            "no-forward-secrecy",
            "RSA key exchange: who records the connection and gets the server's key later reads it",
        ));
    }
    if let Some(KeyExchangeStrength::Dh { bits }) = session.strength.filter(|_| !is_export(session))
        && bits < DH_BITS
    {
        found.push(weak("short-dh", format!("a Diffie-Hellman group of {bits} bits (Logjam)")));
    }
    found
}

fn is_export(session: &Session) -> bool {
    SuiteInfo::of(session.suite).weakness() == Some("export")
}

/// What is weak about what the peer showed: its own certificate, and those that came along.
fn of_certificates(session: &Session, at: SystemTime) -> Vec<ConnectionWeakness> {
    let whose = if session.is_client { "the server's certificate" } else { "the client's certificate" };
    let chain = session.peer_chain.as_deref().map(|chain| &**chain).unwrap_or_default();
    let mut found: Vec<(Weakness, &str)> = Vec::new();
    for (index, certificate) in chain.iter().enumerate() {
        let whose = if index == 0 { whose } else { "an authority's certificate in the chain" };
        for weakness in weaknesses_of(certificate, index > 0).iter() {
            if !found.contains(&(weakness, whose)) {
                found.push((weakness, whose));
            }
        }
    }
    let has_no_names =
        |summary: CertificateSummary| summary.dns_names.is_empty() && summary.ip_addresses.is_empty();
    let leaf = chain.first().and_then(|leaf| CertificateSummary::from_der(leaf).ok());
    if session.is_client && leaf.is_some_and(has_no_names) {
        found.push((Weakness::CommonName, whose));
    }
    if chain.first().is_some_and(|leaf| uses_its_key_otherwise(session, leaf)) {
        found.push((Weakness::RsaKeyUsage, whose));
    }
    let sentence = |(weakness, whose): (Weakness, &str)| {
        weak(weakness.name(), format!("{whose} {}", weakness.sentence()))
    };
    let mut found: Vec<ConnectionWeakness> = found.into_iter().map(sentence).collect();
    if let Some(leaf) = chain.first() {
        let is_over = validity(leaf).is_ok_and(|(from, until)| at < from || at > until);
        if is_over {
            found.push(weak("expired-certificate", format!("{whose} is out of its time")));
        }
    }
    found
}

/// Whether a server's RSA key did what keyUsage does not allow.
fn uses_its_key_otherwise(session: &Session, leaf: &[u8]) -> bool {
    let may = if SuiteInfo::of(session.suite).has_forward_secrecy() { may_sign } else { may_decrypt };
    session.is_client && (SSL30..=TLS12).contains(&session.version) && rsa_bits(leaf).is_some() && !may(leaf)
}

fn of_extensions(session: &Session) -> Vec<ConnectionWeakness> {
    let is_bound = match &session.secrets {
        SessionSecrets::Tls13 { .. } => true,
        SessionSecrets::Tls12 { extended_master_secret, .. } => *extended_master_secret,
        SessionSecrets::Legacy(negotiated) => negotiated.extended_master_secret,
    };
    let is_secure = match &session.secrets {
        // rustls does not renegotiate, nor does it say what the peer could.
        SessionSecrets::Tls13 { .. } | SessionSecrets::Tls12 { .. } => true,
        SessionSecrets::Legacy(negotiated) => negotiated.secure_renegotiation(),
    };
    let mut found = Vec::new();
    // SSL 3.0 has no such extension, and is named already.
    if !is_bound && session.version != SSL30 && session.version <= TLS12 {
        let again = if session.resumed { ", and this one was resumed" } else { "" };
        found.push(weak(
            "no-extended-master-secret",
            format!(
                "no extended master secret (RFC 7627): a session that is resumed may be somebody else's{again}, and no \
                 channel binding is safe"
            ),
        ));
    }
    if !is_secure {
        found.push(weak(
            "no-secure-renegotiation",
            "no secure renegotiation (RFC 5746): a server that renegotiates may take another's words for ours",
        ));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::rustls::secret::SmallSecret;
    use crate::cipher_suites::Suite;

    /// A session of TLS 1.2 by rustls.
    fn names(extended_master_secret: bool, version: u16, resumed: bool) -> Vec<ConnectionWeakness> {
        let session = Session {
            is_client: true,
            version,
            suite: Suite::by_code(0xc02f).unwrap(),
            strength: None,
            alpn: None,
            peer_chain: None,
            local: None,
            resumed,
            session_id: Vec::new(),
            server_name: None,
            account: None,
            secrets: SessionSecrets::Tls12 {
                master: SmallSecret::new(&[0; 48]),
                client_random: [0; 32],
                server_random: [0; 32],
                unique: None,
                extended_master_secret,
            },
        };
        of(&session, SystemTime::UNIX_EPOCH)
    }

    #[test]
    fn a_master_secret_that_is_not_bound_is_named_and_a_resumption_with_it_more_so() {
        let unbound = names(false, TLS12, false);
        assert_eq!(unbound[0].name, "no-extended-master-secret");
        assert!(!unbound[0].description.contains("this one was resumed"));
        assert!(names(false, TLS12, true)[0].description.contains("this one was resumed"));
        assert!(names(true, TLS12, true).is_empty());
        assert!(
            !names(false, SSL30, true).contains(&unbound[0]),
            "SSL 3.0 cannot have it, and is named itself"
        );
    }
}
