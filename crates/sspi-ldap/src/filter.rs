//! What is asked: filters, in which nothing of a certificate means anything.

use sspi_core::PeerIdentity;

/// The attribute with the name of an account: of Active Directory.
pub(crate) const NAME: &str = "sAMAccountName";
/// The attribute with its user principal name.
pub(crate) const UPN: &str = "userPrincipalName";
/// The attribute with what certificates are known by.
pub(crate) const IDENTITIES: &str = "altSecurityIdentities";

/// The filter for a question; `None` for one that no directory can answer.
pub(crate) fn filter(peer: &PeerIdentity) -> Option<String> {
    let equal = |attribute: &str, value: &str| format!("({attribute}={})", escaped(value));
    match peer {
        PeerIdentity::Name(name) => Some(equal(NAME, name)),
        PeerIdentity::UserPrincipalName(upn) => Some(equal(UPN, upn)),
        PeerIdentity::SecurityIdentities(all) => match all.as_slice() {
            [] => None,
            [one] => Some(equal(IDENTITIES, one)),
            several => {
                let any: String = several.iter().map(|one| equal(IDENTITIES, one)).collect();
                Some(format!("(|{any})"))
            }
        },
        _ => None,
    }
}

/// A value with every byte escaped that is not a letter, a digit, or known to mean nothing. A filter must have five
/// escaped: `*`, `(`, `)`, `\` and zero.
///
/// Spec: LDAP-FILTER section 3.
pub(crate) fn escaped(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for byte in value.bytes() {
        match byte {
            b'0'..=b'9'
            | b'A'..=b'Z'
            | b'a'..=b'z'
            | b'.'
            | b'-'
            | b'_'
            | b'@'
            | b':'
            | b','
            | b'<'
            | b'>'
            | b'=' => {
                out.push(char::from(byte));
            }
            // A space at an end would be lost on the way.
            other => out.push_str(&format!("\\{other:02x}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_values_and_nothing_else() {
        let upn = |upn: &str| filter(&PeerIdentity::UserPrincipalName(upn.into())).unwrap();
        assert_eq!(upn("alice@corp.example"), "(userPrincipalName=alice@corp.example)");
        assert_eq!(upn("*"), r"(userPrincipalName=\2a)");
        assert_eq!(upn("x)(|(cn=*"), r"(userPrincipalName=x\29\28\7c\28cn=\2a)");
        assert_eq!(upn("a\\2a\0"), r"(userPrincipalName=a\5c2a\00)");
        assert_eq!(upn("Grüße "), r"(userPrincipalName=Gr\c3\bc\c3\9fe\20)");
        for byte in 0..=127_u8 {
            let value = char::from(byte).to_string();
            let is_special = matches!(byte, 0 | b'*' | b'(' | b')' | b'\\');
            assert!(!is_special || escaped(&value) == format!("\\{byte:02x}"));
        }
    }

    #[test]
    fn several_values_are_asked_for_at_once() {
        let identities = |all: &[&str]| {
            filter(&PeerIdentity::SecurityIdentities(all.iter().map(|one| (*one).to_owned()).collect()))
        };
        assert_eq!(identities(&["X509:<SKI>ab"]).unwrap(), "(altSecurityIdentities=X509:<SKI>ab)");
        assert_eq!(
            identities(&["X509:<I>CN=CA<SR>01", "X509:<S>CN=a b"]).unwrap(),
            r"(|(altSecurityIdentities=X509:<I>CN=CA<SR>01)(altSecurityIdentities=X509:<S>CN=a\20b))"
        );
        assert_eq!(identities(&[]), None);
    }

    #[test]
    fn the_library_reads_every_filter_as_one_comparison() {
        let hostile =
            ["*", "a*b", "x)(cn=*", "\\", "\0", ")(", "(&(x=y))", "~=", ">=1", ":dn:=", "é€😀", " "];
        for value in hostile {
            let filter = filter(&PeerIdentity::UserPrincipalName(value.into())).unwrap();
            let tag = ldap3::parse_filter(&filter).unwrap();
            // equalityMatch [3] AttributeValueAssertion: the attribute, and the value as it was.
            let ldap3::asn1::Tag::Sequence(sequence) = tag else { panic!("{filter}: {tag:?}") };
            assert_eq!(sequence.id, 3, "{filter}");
            let [ldap3::asn1::Tag::OctetString(name), ldap3::asn1::Tag::OctetString(text)] =
                &sequence.inner[..]
            else {
                panic!("{filter}")
            };
            assert_eq!((name.inner.as_slice(), text.inner.as_slice()), (UPN.as_bytes(), value.as_bytes()));
        }
    }
}
