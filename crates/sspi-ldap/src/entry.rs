//! What is answered: an entry of the directory as an account.

use std::time::{Duration, SystemTime};

use ldap3::asn1::{PL, StructureTag};
use sspi_core::{Account, FoundAccount};

use crate::filter::{IDENTITIES, NAME, UPN, implicit_name};

/// The attributes that are asked for.
pub(crate) const ATTRIBUTES: [&str; 10] = [
    NAME,
    UPN,
    IDENTITIES,
    OBJECT_SID,
    ACCOUNT_CONTROL,
    ACCOUNT_EXPIRES,
    LOCKED_TIME,
    ACCOUNT_LOCK,
    UID,
    COMMON_NAME,
];

const OBJECT_SID: &str = "objectSid";
const ACCOUNT_CONTROL: &str = "userAccountControl";
const ACCOUNT_EXPIRES: &str = "accountExpires";
/// Since when an account is locked, in OpenLDAP. For how long is in a policy that is not asked for: as long as it is there.
const LOCKED_TIME: &str = "pwdAccountLockedTime";
/// Whether an account is locked, in the 389 Directory Server.
const ACCOUNT_LOCK: &str = "nsAccountLock";
/// Names where there is no `sAMAccountName`.
const UID: &str = "uid";
const COMMON_NAME: &str = "cn";

/// ACCOUNTDISABLE of userAccountControl. Spec: MS-ADTS section 2.2.16.
const ACCOUNT_DISABLE: u32 = 2;

/// An entry: its name, and its attributes with their values.
pub(crate) struct Entry {
    dn: String,
    attributes: Vec<(String, Vec<Vec<u8>>)>,
}

impl Entry {
    /// ```text
    /// SearchResultEntry  [APPLICATION 4] SEQUENCE { objectName, attributes SEQUENCE OF SEQUENCE { type, vals SET OF } }
    /// ```
    ///
    /// `None` for what is none. The library's own reader panics at what it does not expect.
    ///
    /// Spec: LDAP section 4.5.2.
    pub(crate) fn read(tag: StructureTag) -> Option<Self> {
        let mut fields = constructed(tag)?.into_iter();
        let dn = String::from_utf8(primitive(fields.next()?)?).ok()?;
        let attributes = constructed(fields.next()?)?.into_iter().map(|attribute| {
            let mut fields = constructed(attribute)?.into_iter();
            let name = String::from_utf8(primitive(fields.next()?)?).ok()?;
            let values = constructed(fields.next()?)?.into_iter().map(primitive).collect::<Option<_>>()?;
            Some((name, values))
        });
        Some(Self { dn, attributes: attributes.collect::<Option<_>>()? })
    }

    fn values(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        let has = |(own, _): &&(String, Vec<Vec<u8>>)| own.eq_ignore_ascii_case(name);
        self.attributes.iter().filter(move |one| has(one)).flat_map(|(_, values)| values).map(Vec::as_slice)
    }

    fn texts(&self, name: &str) -> impl Iterator<Item = String> {
        self.values(name).filter_map(|value| String::from_utf8(value.to_vec()).ok())
    }

    /// The account, which was perhaps found by this principal name; `None` if it has no name.
    pub(crate) fn account(
        &self,
        domain: Option<&str>,
        asked: Option<&str>,
        now: SystemTime,
    ) -> Option<FoundAccount> {
        let first = |name| self.texts(name).next();
        // Where accounts have security identifiers they have `sAMAccountName`, too, if it is shown; others are no names of theirs,
        // and may be the users' own to write.
        let is_of_windows = self.values(OBJECT_SID).next().is_some();
        let name = first(NAME).or_else(|| {
            let other = || first(UID).or_else(|| first(COMMON_NAME));
            if is_of_windows { None } else { other() }
        })?;
        // Every account has `sAMAccountName@domain` besides the one that it was given.
        let own = domain_of(&self.dn);
        let is_implicit = |upn: &&str| {
            let asked = implicit_name(upn, own.as_deref());
            asked.zip(first(NAME)).is_some_and(|(asked, name)| asked.eq_ignore_ascii_case(&name))
        };
        let upn = asked.filter(is_implicit).map(str::to_owned).or_else(|| first(UPN));
        let account = Account {
            name,
            domain: domain.map(str::to_owned).or(own.clone()),
            upn,
            distinguished_name: Some(self.dn.clone()),
            sid: self.values(OBJECT_SID).next().and_then(sid),
            matched_by: String::new(),
        };
        let control = first(ACCOUNT_CONTROL).map(|text| text.parse::<i64>());
        // What cannot be read may say that it is disabled.
        let is_disabled = match control {
            None => false,
            Some(Ok(flags)) => flags & i64::from(ACCOUNT_DISABLE) != 0,
            Some(Err(_)) => true,
        };
        let has_expired = first(ACCOUNT_EXPIRES).is_some_and(|text| has_expired(&text, now));
        let is_locked = self.values(LOCKED_TIME).next().is_some()
            || self.values(ACCOUNT_LOCK).any(|value| !value.eq_ignore_ascii_case(b"false"));
        Some(FoundAccount {
            account,
            is_disabled: is_disabled || has_expired || is_locked,
            security_identities: self.texts(IDENTITIES).collect(),
        })
    }
}

fn constructed(tag: StructureTag) -> Option<Vec<StructureTag>> {
    match tag.payload {
        PL::C(inner) => Some(inner),
        PL::P(_) => None,
    }
}

fn primitive(tag: StructureTag) -> Option<Vec<u8>> {
    match tag.payload {
        PL::P(bytes) => Some(bytes),
        PL::C(_) => None,
    }
}

/// `corp.example` of `CN=alice,DC=corp,DC=example`: the parts at its end, since a name may hold anything, escaped.
pub(crate) fn domain_of(dn: &str) -> Option<String> {
    let mut is_escaped = false;
    let parts = dn.split(|c: char| {
        let splits = c == ',' && !is_escaped;
        is_escaped = c == '\\' && !is_escaped;
        splits
    });
    let value = |part: &str| {
        let (kind, value) = part.split_once('=')?;
        kind.trim().eq_ignore_ascii_case("dc").then(|| value.trim().to_owned())
    };
    let parts: Vec<&str> = parts.collect();
    let mut domain: Vec<String> = parts.iter().rev().map_while(|part| value(part)).collect();
    domain.reverse();
    (!domain.is_empty()).then(|| domain.join("."))
}

/// A security identifier in string form.
///
/// ```text
/// Revision              1   1
/// SubAuthorityCount     1   1 to 15
/// IdentifierAuthority   6   big-endian
/// SubAuthority          4   each, little-endian
/// ```
///
/// Spec: MS-DTYP section 2.4.2.2.
fn sid(bytes: &[u8]) -> Option<String> {
    let ([1, count, a, b, c, d, e, f], rest) = bytes.split_first_chunk::<8>()? else { return None };
    let (parts, []) = rest.as_chunks::<4>() else { return None };
    if parts.len() != usize::from(*count) || !(1..=15).contains(count) {
        return None;
    }
    let authority = u64::from_be_bytes([0, 0, *a, *b, *c, *d, *e, *f]);
    let mut text = match u32::try_from(authority) {
        Ok(authority) => format!("S-1-{authority}"),
        Err(_) => format!("S-1-0x{authority:012X}"),
    };
    parts.iter().for_each(|part| text.push_str(&format!("-{}", u32::from_le_bytes(*part))));
    Some(text)
}

/// Whether a time of Windows is over: in units of 100 nanoseconds since 1601; 0 and the largest number are never.
///
/// Spec: MS-ADA1 section 2.1.
fn has_expired(text: &str, now: SystemTime) -> bool {
    const FROM_1601_TO_1970: u64 = 11_644_473_600;
    match text.parse::<i64>() {
        Ok(0 | i64::MAX) => false,
        Ok(ticks) => {
            let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            let now = now + Duration::from_secs(FROM_1601_TO_1970);
            u64::try_from(ticks).is_ok_and(|ticks| Duration::from_secs(ticks / 10_000_000) <= now)
        }
        Err(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(attributes: &[(&str, &[u8])]) -> Entry {
        let attributes = attributes.iter().map(|(name, value)| ((*name).to_owned(), vec![value.to_vec()]));
        Entry { dn: "CN=Alice,OU=People,DC=corp,DC=example".into(), attributes: attributes.collect() }
    }

    fn account(attributes: &[(&str, &[u8])]) -> FoundAccount {
        entry(attributes)
            .account(None, None, SystemTime::UNIX_EPOCH + Duration::from_secs(1_750_000_000))
            .unwrap()
    }

    #[test]
    fn an_entry_of_active_directory_is_an_account() {
        let sid = [1, 5, 0, 0, 0, 0, 0, 5, 21, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 0x50, 4, 0, 0];
        let found = account(&[
            ("SAMACCOUNTNAME", b"alice"),
            ("userPrincipalName", b"alice@corp.example"),
            ("objectSid", &sid),
            ("userAccountControl", b"512"),
            ("altSecurityIdentities", b"X509:<SKI>ab"),
            ("accountExpires", b"9223372036854775807"),
        ]);
        assert_eq!(found.account.name, "alice");
        assert_eq!(found.account.domain.as_deref(), Some("corp.example"));
        assert_eq!(found.account.sid.as_deref(), Some("S-1-5-21-1-2-3-1104"));
        assert_eq!(found.security_identities, ["X509:<SKI>ab"]);
        assert!(!found.is_disabled);
    }

    #[test]
    fn an_account_that_is_disabled_or_over_or_may_be_is_disabled() {
        for (name, value, is_disabled) in [
            ("userAccountControl", "514", true),
            ("userAccountControl", "66048", false),
            ("userAccountControl", "-2147483646", true),
            ("userAccountControl", "nonsense", true),
            ("accountExpires", "0", false),
            ("accountExpires", "131000000000000000", true),
            ("accountExpires", "200000000000000000", false),
            ("accountExpires", "nonsense", true),
            ("pwdAccountLockedTime", "000001010000Z", true),
            ("nsAccountLock", "TRUE", true),
            ("nsAccountLock", "false", false),
            ("nsAccountLock", "nonsense", true),
        ] {
            let found = account(&[("uid", b"alice"), (name, value.as_bytes())]);
            assert_eq!(found.is_disabled, is_disabled, "{name} {value}");
        }
    }

    #[test]
    fn an_account_of_windows_has_no_name_but_its_own() {
        let sid: &[u8] = &[1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0];
        let named = |attributes: &[(&str, &[u8])]| {
            entry(attributes).account(None, None, SystemTime::UNIX_EPOCH).map(|found| found.account.name)
        };
        assert_eq!(named(&[("uid", b"alice"), ("cn", b"Alice")]).as_deref(), Some("alice"));
        assert_eq!(named(&[("cn", b"Alice")]).as_deref(), Some("Alice"));
        assert_eq!(named(&[("objectSid", sid), ("uid", b"admin"), ("cn", b"admin")]), None);
        assert_eq!(
            named(&[("objectSid", sid), ("uid", b"admin"), ("sAMAccountName", b"bob")]).as_deref(),
            Some("bob")
        );
    }

    #[test]
    fn identifiers_that_are_none_are_unknown() {
        assert_eq!(sid(&[1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0]).unwrap(), "S-1-5-18");
        assert_eq!(sid(&[1, 1, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0]).unwrap(), "S-1-0x010000000000-1");
        for wrong in [
            &[][..],
            &[1, 0, 0, 0, 0, 0, 0, 5],
            &[2, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0],
            &[1, 2, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0],
            &[1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0],
            b"S-1-5-18",
        ] {
            assert_eq!(sid(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_name_cannot_pretend_to_be_in_another_domain() {
        assert_eq!(domain_of(r"CN=x\, DC=evil,DC=corp,DC=example").as_deref(), Some("corp.example"));
        assert_eq!(domain_of(r"CN=x\\,DC=evil,OU=x, dc=corp").as_deref(), Some("corp"));
        assert_eq!(domain_of("uid=alice,o=corp"), None);
        assert_eq!(domain_of(""), None);
    }

    #[test]
    fn what_is_no_entry_is_none() {
        use ldap3::asn1::TagClass;
        let tag = |payload| StructureTag { class: TagClass::Universal, id: 4, payload };
        assert!(Entry::read(tag(PL::P(vec![1]))).is_none());
        assert!(Entry::read(tag(PL::C(vec![]))).is_none());
        let name = || tag(PL::P(b"cn=x".to_vec()));
        assert!(Entry::read(tag(PL::C(vec![name(), name()]))).is_none());
        let attribute = tag(PL::C(vec![name()]));
        assert!(Entry::read(tag(PL::C(vec![name(), tag(PL::C(vec![attribute]))]))).is_none());
        assert!(Entry::read(tag(PL::C(vec![name(), tag(PL::C(vec![]))]))).is_some());
        assert!(entry(&[]).account(None, None, SystemTime::UNIX_EPOCH).is_none(), "it has no name");
    }

    #[test]
    fn a_name_in_the_domain_is_the_principal_name_that_was_asked_for_and_no_other() {
        let account = |dn: &str, asked: &str| {
            let attributes = vec![
                (NAME.to_owned(), vec![b"alice".to_vec()]),
                (UPN.to_owned(), vec![b"alice.smith@corp.example".to_vec()]),
            ];
            let entry = Entry { dn: dn.to_owned(), attributes };
            entry.account(None, Some(asked), SystemTime::UNIX_EPOCH).unwrap().account.upn.unwrap()
        };
        let dn = "CN=Alice,DC=corp,DC=example";
        assert_eq!(account(dn, "Alice@CORP.example"), "Alice@CORP.example");
        for (dn, other) in [
            (dn, "alice.smith@corp.example"),
            (dn, "bob@corp.example"),
            (dn, "alice@corp.other"),
            ("CN=Alice,DC=other,DC=example", "alice@corp.example"),
        ] {
            assert_eq!(account(dn, other), "alice.smith@corp.example", "{dn} {other}");
        }
    }
}
