//! What names an authority may give: nameConstraints of every certificate above apply to every one below.
//!
//! Honoured are dNSName, iPAddress, rfc822Name and directoryName. A name of another form is refused below any
//! constraint on that form, whatever both say. A common name counts as a dNSName where it may stand for one.
//!
//! Spec: X509 section 4.2.1.10.

use super::link::Link;
use super::server_name::{DNS_NAME, IP_ADDRESS, is_host, own_common_name};
use super::{Peer, Refusal};
use crate::certificate::DecodeError;
use crate::certificate::der::{Element, Encoding, Reader, SEQUENCE, constructed, primitive};
use crate::certificate::name::{relative_names, text};
use crate::status::CertificateKind;

/// rfc822Name in a GeneralName.
const RFC822_NAME: u8 = primitive(1);
/// directoryName in a GeneralName: the tag is around a Name, as is usual for a CHOICE.
const DIRECTORY_NAME: u8 = constructed(4);
/// emailAddress, 1.2.840.113549.1.9.1.
const EMAIL_ADDRESS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1];

/// How many comparisons one chain may cost. Both sides come from the peer.
pub(super) const MOST_COMPARISONS: usize = 100_000;

/// A name, by the tag of its form.
struct Named {
    form: u8,
    value: Vec<u8>,
}

/// That the constraints of `above` allow all names of `below`; `budget` counts comparisons down.
pub(super) fn check(
    above: &Link<'_>,
    below: &Link<'_>,
    peer: Peer,
    budget: &mut usize,
) -> Result<(), Refusal> {
    let Some(mut constraints) = above.name_constraints() else { return Ok(()) };
    let permitted = subtrees(&mut constraints, 0)?;
    let excluded = subtrees(&mut constraints, 1)?;
    constraints.finish("NameConstraints")?;
    let violated = || {
        let what = format!("{} has a name that {} may not give", below.subject(), above.subject());
        Refusal::new(CertificateKind::Other, what)
    };
    for name in names(below, peer)? {
        let forms = |list: &[Element<'_>]| list.iter().filter(|base| base.tag == name.form).count();
        *budget = budget.saturating_sub(forms(&permitted) + forms(&excluded));
        if *budget == 0 {
            return Err(Refusal::new(
                CertificateKind::Other,
                "its chain has too many names and constraints on them",
            ));
        }
        let mut is_constrained = false;
        let mut is_permitted = false;
        for base in permitted.iter().filter(|base| base.tag == name.form) {
            is_constrained = true;
            is_permitted |= within(&name, base, Side::Permitted)?;
        }
        if is_constrained && !is_permitted {
            return Err(violated());
        }
        for base in excluded.iter().filter(|base| base.tag == name.form) {
            if within(&name, base, Side::Excluded)? {
                return Err(violated());
            }
        }
    }
    Ok(())
}

/// The bases of GeneralSubtrees `[number]`. Distances are a leftover of X.500, and must be 0 and without end.
fn subtrees<'a>(constraints: &mut Reader<'a>, number: u8) -> Result<Vec<Element<'a>>, DecodeError> {
    const FIELD: &str = "GeneralSubtree";
    let mut bases = Vec::new();
    let Some(list) = constraints.optional(constructed(number), "NameConstraints")? else { return Ok(bases) };
    let mut list = constraints.within(list);
    while !list.is_empty() {
        let mut subtree = list.nested(SEQUENCE, FIELD)?;
        bases.push(subtree.element(FIELD)?);
        if subtree.optional(primitive(0), FIELD)?.is_some_and(|minimum| minimum != [0]) {
            return Err(DecodeError::value(FIELD));
        }
        subtree.finish(FIELD)?;
    }
    Ok(bases)
}

/// All names of a certificate: subjectAltName, the subject, its e-mail addresses, and its common name where that stands
/// for a host.
fn names(certificate: &Link<'_>, peer: Peer) -> Result<Vec<Named>, DecodeError> {
    let mut names = Vec::new();
    if let Some(mut list) = certificate.alternative_names() {
        while !list.is_empty() {
            let name = list.element("GeneralName")?;
            names.push(Named { form: name.tag, value: name.content.to_vec() });
        }
    }
    let fields = certificate.certificate();
    let parts = relative_names(fields.subject, fields.encoding, "TBSCertificate.subject")?;
    if !parts.is_empty() {
        names.push(Named { form: DIRECTORY_NAME, value: fields.subject.to_vec() });
    }
    for (kind, value) in parts.iter().flatten() {
        if *kind == EMAIL_ADDRESS {
            names.push(Named { form: RFC822_NAME, value: value.content.to_vec() });
        }
    }
    if peer == Peer::Server
        && let Some(common_name) = own_common_name(certificate)?
    {
        match common_name.parse() {
            Ok(core::net::IpAddr::V4(address)) => {
                names.push(Named { form: IP_ADDRESS, value: address.octets().to_vec() });
            }
            Ok(core::net::IpAddr::V6(address)) => {
                names.push(Named { form: IP_ADDRESS, value: address.octets().to_vec() });
            }
            // What is no host name can be nobody's.
            Err(_) if is_host(common_name.strip_prefix("*.").unwrap_or(&common_name).as_bytes()) => {
                names.push(Named { form: DNS_NAME, value: common_name.into_bytes() });
            }
            Err(_) => {}
        }
    }
    Ok(names)
}

/// Which list a subtree is of: where it cannot be told whether a name is within, the answer is the one that refuses.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Permitted,
    Excluded,
}

fn within(name: &Named, base: &Element<'_>, side: Side) -> Result<bool, DecodeError> {
    let unknown = side == Side::Excluded;
    match name.form {
        DNS_NAME => Ok(host_within(&name.value, base.content, side)),
        RFC822_NAME => Ok(mailbox_within(&name.value, base.content).unwrap_or(unknown)),
        IP_ADDRESS => address_within(&name.value, base.content),
        DIRECTORY_NAME => Ok(directory_within(&name.value, base.content).unwrap_or(unknown)),
        _ => Ok(unknown),
    }
}

/// `example.test` and all below it, or with a dot in front only what is below.
fn host_within(name: &[u8], base: &[u8], side: Side) -> bool {
    let (wildcard, host) = match name.strip_prefix(b"*.") {
        Some(domain) => (true, domain),
        None => (false, name),
    };
    let domain = base.strip_prefix(b".").unwrap_or(base);
    if !is_host(host) || !(domain.is_empty() || is_host(domain)) {
        return side == Side::Excluded;
    }
    let is_below = |host: &[u8]| match host.len().checked_sub(domain.len()).map(|at| host.split_at(at)) {
        Some((front, end)) => front.ends_with(b".") && end.eq_ignore_ascii_case(domain),
        None => false,
    };
    if domain.is_empty() || is_below(name) {
        return true;
    }
    if wildcard && side == Side::Excluded {
        // The label that the wildcard stands for may be the excluded one.
        let parent = domain.iter().position(|byte| *byte == b'.').and_then(|at| domain.get(at + 1..));
        return parent.is_some_and(|parent| parent.eq_ignore_ascii_case(host));
    }
    !wildcard && domain.len() == base.len() && host.eq_ignore_ascii_case(domain)
}

/// A mailbox, a host with its mailboxes, or with a dot in front the hosts below; `None` for what is no mailbox.
fn mailbox_within(name: &[u8], base: &[u8]) -> Option<bool> {
    let at = name.iter().rposition(|byte| *byte == b'@')?;
    let (local, host) = (name.get(..at)?, name.get(at + 1..)?);
    if local.is_empty() || !name.is_ascii() || !is_host(host) {
        return None;
    }
    if let Some(at) = base.iter().rposition(|byte| *byte == b'@') {
        return Some(base.get(..at)? == local && base.get(at + 1..)?.eq_ignore_ascii_case(host));
    }
    match base.strip_prefix(b".") {
        Some(domain) => {
            let at = host.len().checked_sub(domain.len());
            let end = at.and_then(|at| host.split_at_checked(at));
            Some(end.is_some_and(|(front, end)| front.ends_with(b".") && end.eq_ignore_ascii_case(domain)))
        }
        None => Some(base.is_empty() || base.eq_ignore_ascii_case(host)),
    }
}

/// An address and a mask, each of 4 or 16 bytes.
fn address_within(name: &[u8], base: &[u8]) -> Result<bool, DecodeError> {
    const FIELD: &str = "NameConstraints.iPAddress";
    if !matches!((name.len(), base.len()), (4 | 16, 8 | 32)) {
        return Err(DecodeError::value(FIELD));
    }
    let (network, mask) = base.split_at(base.len() / 2);
    let bits = |byte: &u8| u32::from(*byte);
    let ones: u32 = mask.iter().map(|byte| bits(byte).count_ones()).sum();
    let leading: u32 = mask
        .iter()
        .scan(true, |going, byte| {
            let count = if *going { byte.leading_ones() } else { 0 };
            *going = *going && count == 8;
            Some(count)
        })
        .sum();
    if ones != leading {
        return Err(DecodeError::value(FIELD));
    }
    let same = |((a, b), mask): ((&u8, &u8), &u8)| a & mask == b & mask;
    Ok(network.len() == name.len() && name.iter().zip(network).zip(mask).all(same))
}

/// Whether a Name begins with the parts of another; `None` where a value is no text and cannot be compared.
fn directory_within(name: &[u8], base: &[u8]) -> Option<bool> {
    let parts = |name| {
        let names = relative_names(name, Encoding::Loose, "NameConstraints.directoryName").ok()?;
        names.into_iter().map(|set| comparable(&set)).collect::<Option<Vec<_>>>()
    };
    let (name, base) = (parts(name)?, parts(base)?);
    Some(name.starts_with(&base))
}

/// Types and values as they are compared: without case, without regard to the string type, to spaces at the ends and to how
/// many there are between, and in one order.
fn comparable(set: &[(&[u8], Element<'_>)]) -> Option<Vec<(Vec<u8>, String)>> {
    let one = |(kind, value): &(&[u8], Element<'_>)| {
        let words = text(*value)?.to_lowercase();
        Some((kind.to_vec(), words.split_whitespace().collect::<Vec<_>>().join(" ")))
    };
    let mut all = set.iter().map(one).collect::<Option<Vec<_>>>()?;
    all.sort();
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use Side::{Excluded, Permitted};

    #[test]
    fn hosts_are_within_their_domain() {
        let within = |name: &str, base: &str, side| host_within(name.as_bytes(), base.as_bytes(), side);
        for side in [Permitted, Excluded] {
            for (name, base) in [
                ("example.test", "example.test"),
                ("a.example.test", "example.test"),
                ("a.b.EXAMPLE.test", "example.TEST"),
                ("a.example.test", ".example.test"),
                ("*.example.test", "example.test"),
                ("*.example.test", ".example.test"),
                ("anything.test", ""),
                ("*.anything.test", ""),
            ] {
                assert!(within(name, base, side), "{name} within {base}");
            }
            for (name, base) in [
                ("example.test", ".example.test"),
                ("badexample.test", "example.test"),
                ("example.test", "a.example.test"),
                ("example.test.evil", "example.test"),
                ("test", "example.test"),
                ("*.example.test", "a.b.example.test"),
            ] {
                assert!(!within(name, base, side), "{name} within {base}");
            }
        }
        assert!(!within("*.example.test", "a.example.test", Permitted), "the wildcard may be another");
        assert!(within("*.example.test", "a.example.test", Excluded), "the wildcard may be this one");
        for (name, base) in [("a\0.example.test", "example.test"), ("a.test", "b\0"), ("*", "test")] {
            assert!(!within(name, base, Permitted) && within(name, base, Excluded), "{name:?} {base:?}");
        }
    }

    #[test]
    fn addresses_are_within_their_network() {
        assert_eq!(address_within(&[10, 1, 2, 3], &[10, 0, 0, 0, 255, 0, 0, 0]), Ok(true));
        assert_eq!(address_within(&[11, 1, 2, 3], &[10, 0, 0, 0, 255, 0, 0, 0]), Ok(false));
        assert_eq!(address_within(&[11, 1, 2, 3], &[0; 8]), Ok(true));
        assert_eq!(address_within(&[10, 127, 0, 0], &[10, 64, 0, 0, 255, 192, 0, 0]), Ok(true));
        assert_eq!(address_within(&[10, 0, 0, 1], &[0; 32]), Ok(false), "another family");
        assert_eq!(address_within(&[0; 16], &[0; 32]), Ok(true));
        for base in [&[10, 0, 0, 0, 255, 0, 255, 0][..], &[10, 0, 0, 0, 0, 255, 0, 0], &[10, 0, 0, 0], &[]] {
            assert!(address_within(&[10, 0, 0, 0], base).is_err(), "{base:?}");
        }
        assert!(address_within(&[10, 0, 0], &[0; 8]).is_err());
    }

    #[test]
    fn mailboxes_are_within_hosts() {
        let within = |name: &str, base: &str| mailbox_within(name.as_bytes(), base.as_bytes());
        assert_eq!(within("a@example.test", "example.test"), Some(true));
        assert_eq!(within("a@EXAMPLE.test", "a@example.TEST"), Some(true));
        assert_eq!(within("a@mail.example.test", ".example.test"), Some(true));
        assert_eq!(within("a@example.test", ".example.test"), Some(false));
        assert_eq!(within("a@mail.example.test", "example.test"), Some(false));
        assert_eq!(within("A@example.test", "a@example.test"), Some(false), "only hosts have no case");
        assert_eq!(within("a@x@evil.test", "x@evil.test"), Some(false));
        for nothing in ["example.test", "@example.test", "a@", "a@b\0.test", "ä@example.test"] {
            assert_eq!(within(nothing, "example.test"), None, "{nothing}");
        }
    }

    #[test]
    fn directory_names_are_compared_as_text() {
        const O: &[u8] = &[6, 3, 0x55, 4, 10];
        const CN: &[u8] = &[6, 3, 0x55, 4, 3];
        let tlv = |tag: u8, content: &[u8]| [&[tag, u8::try_from(content.len()).unwrap()], content].concat();
        let name = |parts: &[(&[u8], u8, &str)]| {
            let sets: Vec<u8> = parts
                .iter()
                .flat_map(|(kind, tag, value)| {
                    tlv(0x31, &tlv(SEQUENCE, &[kind, tlv(*tag, value.as_bytes()).as_slice()].concat()))
                })
                .collect();
            tlv(SEQUENCE, &sets)
        };
        let base = name(&[(O, 0x13, "Example Inc")]);
        for same in [(O, 0x13, "Example Inc"), (O, 0x0c, "EXAMPLE  INC"), (O, 0x14, " example inc ")] {
            assert_eq!(directory_within(&name(&[same, (CN, 0x0c, "x")]), &base), Some(true), "{same:?}");
        }
        assert_eq!(directory_within(&name(&[(CN, 0x0c, "x"), (O, 0x13, "Example Inc")]), &base), Some(false));
        assert_eq!(directory_within(&name(&[(O, 0x13, "Example")]), &base), Some(false));
        assert_eq!(directory_within(&name(&[]), &base), Some(false));
        assert_eq!(directory_within(&base, &name(&[])), Some(true));
        assert_eq!(
            directory_within(&name(&[(O, 0x03, "Example Inc")]), &base),
            None,
            "a BIT STRING is no text"
        );
    }
}
