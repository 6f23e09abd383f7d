//! What is asked: filters, in which nothing of a certificate means anything.

use sspi_core::PeerIdentity;

/// The attribute with the name of an account: of Active Directory.
pub(crate) const NAME: &str = "sAMAccountName";
/// The attribute with its user principal name.
pub(crate) const UPN: &str = "userPrincipalName";
/// The attribute with the classes of an entry.
const CLASS: &str = "objectClass";
/// The attribute with what certificates are known by.
pub(crate) const IDENTITIES: &str = "altSecurityIdentities";

/// The filter for a question about entries of some of these classes; `None` for one that no directory can answer. `domain` is
/// the one of the directory, by which an account has a user principal name that nobody has given it.
pub(crate) fn filter(peer: &PeerIdentity, classes: &[String], domain: Option<&str>) -> Option<String> {
    let question = match peer {
        PeerIdentity::Name(name) => equal(NAME, name),
        PeerIdentity::UserPrincipalName(upn) => match implicit_name(upn, domain) {
            Some(name) => any([equal(UPN, upn), equal(NAME, name)])?,
            None => equal(UPN, upn),
        },
        PeerIdentity::SecurityIdentities(all) => any(all.iter().map(|one| equal(IDENTITIES, one)))?,
        _ => return None,
    };
    match any(classes.iter().map(|class| equal(CLASS, class))) {
        Some(classes) => Some(format!("(&{classes}{question})")),
        None => Some(question),
    }
}

fn equal(attribute: &str, value: &str) -> String {
    format!("({attribute}={})", escaped(value))
}

/// Any of these; `None` of none.
fn any(filters: impl IntoIterator<Item = String>) -> Option<String> {
    let mut filters: Vec<String> = filters.into_iter().collect();
    match filters.len() {
        0 => None,
        1 => filters.pop(),
        _ => Some(format!("(|{})", filters.concat())),
    }
}

/// The name of the account with this user principal name in a domain, if it is the one that every account there has:
/// `sAMAccountName@domain`.
///
/// Spec: MS-ADTS section 5.1.1.1.1.
pub(crate) fn implicit_name<'a>(upn: &'a str, domain: Option<&str>) -> Option<&'a str> {
    let (name, of) = upn.rsplit_once('@')?;
    (!name.is_empty() && domain.is_some_and(|domain| domain.eq_ignore_ascii_case(of))).then_some(name)
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
        let upn = |upn: &str| filter(&PeerIdentity::UserPrincipalName(upn.into()), &[], None).unwrap();
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
            let all = PeerIdentity::SecurityIdentities(all.iter().map(|one| (*one).to_owned()).collect());
            filter(&all, &[], None)
        };
        assert_eq!(identities(&["X509:<SKI>ab"]).unwrap(), "(altSecurityIdentities=X509:<SKI>ab)");
        assert_eq!(
            identities(&["X509:<I>CN=CA<SR>01", "X509:<S>CN=a b"]).unwrap(),
            r"(|(altSecurityIdentities=X509:<I>CN=CA<SR>01)(altSecurityIdentities=X509:<S>CN=a\20b))"
        );
        assert_eq!(identities(&[]), None);
    }

    #[test]
    fn entries_are_of_the_classes_that_accounts_have() {
        let classes = ["person", "posixAccount"].map(str::to_owned);
        let alice = PeerIdentity::Name("alice".into());
        assert_eq!(
            filter(&alice, &classes, None).unwrap(),
            "(&(|(objectClass=person)(objectClass=posixAccount))(sAMAccountName=alice))"
        );
        assert_eq!(
            filter(&alice, &classes[..1], None).unwrap(),
            "(&(objectClass=person)(sAMAccountName=alice))"
        );
        assert_eq!(filter(&PeerIdentity::SecurityIdentities(Vec::new()), &classes, None), None);
    }

    #[test]
    fn a_principal_name_in_the_domain_is_that_of_the_account_too() {
        let upn = |upn: &str| {
            filter(&PeerIdentity::UserPrincipalName(upn.into()), &[], Some("corp.example")).unwrap()
        };
        assert_eq!(
            upn("alice@CORP.example"),
            "(|(userPrincipalName=alice@CORP.example)(sAMAccountName=alice))"
        );
        assert_eq!(upn("a@b@corp.example"), "(|(userPrincipalName=a@b@corp.example)(sAMAccountName=a@b))");
        for other in ["alice@sub.corp.example", "alice@example", "@corp.example", "alice", "corp.example"] {
            assert_eq!(upn(other), format!("(userPrincipalName={other})"));
        }
    }

    #[test]
    fn the_library_reads_every_filter_as_one_comparison() {
        let hostile =
            ["*", "a*b", "x)(cn=*", "\\", "\0", ")(", "(&(x=y))", "~=", ">=1", ":dn:=", "é€😀", " "];
        for value in hostile {
            let filter = filter(&PeerIdentity::UserPrincipalName(value.into()), &[], None).unwrap();
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
