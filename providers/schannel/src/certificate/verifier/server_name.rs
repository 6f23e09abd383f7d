//! Whether a certificate is for the server that was asked for.
//!
//! - A host name must be a dNSName of subjectAltName, an address an iPAddress, and never the other way round.
//! - Where subjectAltName has neither, the most specific common name of the subject counts, which is a weakness
//!   ([`Weakness::CommonName`]).
//! - `*` stands for exactly one label, only as the whole leftmost one, and only where at least two labels follow.
//! - Letters are compared without case. A name with anything but letters, digits, `-`, `_` and `.` in it, such as a zero
//!   byte, matches nothing.
//!
//! Spec: SERVER-NAMES section 6; X509 section 4.2.1.6.

use core::net::IpAddr;

use super::Refusal;
use super::link::Link;
use super::weakness::Weakness;
use crate::certificate::DecodeError;
use crate::certificate::der::primitive;
use crate::certificate::harmless;
use crate::certificate::name::{common_name, visible};
use crate::status::CertificateKind;

/// dNSName in a GeneralName.
pub(super) const DNS_NAME: u8 = primitive(2);
/// iPAddress in a GeneralName.
pub(super) const IP_ADDRESS: u8 = primitive(7);

/// Whether the certificate is for this host name or address, and the weakness by which it is.
///
/// # Errors
/// It is for others.
pub(super) fn check(certificate: &Link<'_>, name: &str) -> Result<Option<Weakness>, Refusal> {
    let wanted = Wanted::new(name);
    let mut named = Vec::new();
    if let Some(mut list) = certificate.alternative_names() {
        while !list.is_empty() {
            let entry = list.element("GeneralName")?;
            let (is_it, text) = match (entry.tag, &wanted) {
                (DNS_NAME, Wanted::Host(host)) => (matches(entry.content, host), visible(entry.content)),
                (DNS_NAME, _) => (false, visible(entry.content)),
                (IP_ADDRESS, Wanted::Address(address)) => {
                    let found = address_of(entry.content)?;
                    (found == *address, found.to_string())
                }
                (IP_ADDRESS, _) => (false, address_of(entry.content)?.to_string()),
                _ => continue,
            };
            if is_it {
                return Ok(None);
            }
            named.push(text);
        }
    }
    if named.is_empty()
        && let Some(own) = own_common_name(certificate)?
    {
        let is_it = match &wanted {
            Wanted::Host(host) => matches(own.as_bytes(), host),
            Wanted::Address(address) => own.parse() == Ok(*address),
            Wanted::Nobody => false,
        };
        if is_it {
            return Ok(Some(Weakness::CommonName));
        }
        named.push(harmless(&own));
    }
    Err(wrong_name(name, &named))
}

/// The common name, where it may count: without any dNSName or iPAddress.
pub(super) fn own_common_name(certificate: &Link<'_>) -> Result<Option<String>, DecodeError> {
    if let Some(mut list) = certificate.alternative_names() {
        while !list.is_empty() {
            if matches!(list.element("GeneralName")?.tag, DNS_NAME | IP_ADDRESS) {
                return Ok(None);
            }
        }
    }
    common_name(certificate.certificate().subject, certificate.certificate().encoding)
}

/// That the certificate is for others: `names`.
pub(super) fn wrong_name(wanted: &str, names: &[String]) -> Refusal {
    const MOST: usize = 5;
    let others = match names.len() {
        0 => "it names none".to_owned(),
        count => {
            let first = names.iter().take(MOST).cloned().collect::<Vec<_>>().join(", ");
            let more = if count > MOST { format!(" and {} more", count - MOST) } else { String::new() };
            format!("it is for {first}{more}")
        }
    };
    Refusal::new(CertificateKind::WrongName, format!("{} was asked for, {others}", harmless(wanted)))
}

/// What was asked for.
enum Wanted {
    /// In lower case, without the dot at its end.
    Host(String),
    Address(IpAddr),
    /// What is neither, and for which no certificate can be.
    Nobody,
}

impl Wanted {
    fn new(name: &str) -> Self {
        if let Ok(address) = name.parse() {
            return Self::Address(address);
        }
        let host = name.strip_suffix('.').unwrap_or(name);
        if is_host(host.as_bytes()) { Self::Host(host.to_ascii_lowercase()) } else { Self::Nobody }
    }
}

/// The address in an iPAddress.
fn address_of(bytes: &[u8]) -> Result<IpAddr, DecodeError> {
    let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    let v6 = || <[u8; 16]>::try_from(bytes).map(IpAddr::from);
    v4.or_else(|_| v6()).map_err(|_| DecodeError::value("GeneralName.iPAddress"))
}

/// Whether these bytes are a host name: labels of letters, digits, `-` and `_`.
pub(super) fn is_host(name: &[u8]) -> bool {
    const LONGEST: usize = 253;
    const LONGEST_LABEL: usize = 63;
    let is_label = |label: &[u8]| {
        (1..=LONGEST_LABEL).contains(&label.len())
            && label.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    // The last label of an address is a number, and no address is a host name.
    let last = name.rsplit(|byte| *byte == b'.').next().unwrap_or_default();
    name.len() <= LONGEST
        && name.split(|byte| *byte == b'.').all(is_label)
        && !last.iter().all(u8::is_ascii_digit)
}

/// Whether what a certificate says is this host, given in lower case.
fn matches(presented: &[u8], host: &str) -> bool {
    match presented.strip_prefix(b"*.") {
        Some(domain) => {
            let below = host.split_once('.').map(|(_, rest)| rest);
            is_host(domain)
                && domain.contains(&b'.')
                && below.is_some_and(|rest| domain.eq_ignore_ascii_case(rest.as_bytes()))
        }
        None => is_host(presented) && presented.eq_ignore_ascii_case(host.as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_names_are_labels() {
        for host in ["a", "a.b", "localhost", "x--y.example", "_srv.a-1.test", "xn--bcher-kva.example", "1a"]
        {
            assert!(is_host(host.as_bytes()), "{host}");
        }
        let long = ["a".repeat(64), vec!["a".repeat(60); 5].join(".")];
        let others =
            ["", ".", "a.", ".a", "a..b", "a b", "a\0b", "*", "*.a", "ä.example", "1.2.3.4", "a.7", "a/b"];
        for other in long.iter().map(String::as_str).chain(others) {
            assert!(!is_host(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn one_label_may_be_a_wildcard() {
        let is = |presented: &str, host: &str| matches(presented.as_bytes(), host);
        assert!(is("a.example.test", "a.example.test") && is("A.Example.TEST", "a.example.test"));
        assert!(is("*.example.test", "a.example.test") && is("*.EXAMPLE.test", "a.example.test"));
        for (presented, host) in [
            ("*.example.test", "example.test"),
            ("*.example.test", "a.b.example.test"),
            ("*.test", "a.test"),
            ("*.com", "example.com"),
            ("*", "localhost"),
            ("*.", "a."),
            ("w*.example.test", "www.example.test"),
            ("*w.example.test", "www.example.test"),
            ("*w*.example.test", "www.example.test"),
            ("a.*.test", "a.b.test"),
            ("*.*.test", "a.b.test"),
            ("**.example.test", "a.example.test"),
            ("a.example.test\0.evil.test", "a.example.test"),
            ("a.example.test\0", "a.example.test"),
            ("a.example.test.", "a.example.test"),
            (" a.example.test", "a.example.test"),
            ("*.168.0.1", "192.168.0.1"),
            ("example.test", "a.example.test"),
        ] {
            assert!(!is(presented, host), "{presented:?} for {host}");
        }
    }
}
