//! The file with accounts: who there is, and by what a certificate is theirs.
//!
//! ```toml
//! [[account]]
//! name = "alice"
//! domain = "CORP"
//! upn = "alice@corp.example"
//! dn = "CN=Alice,OU=People,DC=corp,DC=example"
//! sid = "S-1-5-21-1004336348-1177238915-682003330-1104"
//! alt-security-identities = ["X509:<I>DC=example,DC=corp,CN=Corp CA<SR>1200000000ac11000000002b"]
//! disabled = false
//! ```
//!
//! Only `name` must be there. What two accounts have in common is refused: a certificate that leads to both leads to none.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Deserializer, de};
use sspi_core::{Account, FoundAccount, PeerIdentity};
use toml::Spanned;

use super::problem::{ConfigProblems, Locator, Segment};

/// The accounts of a file.
#[derive(Debug, Default)]
pub(crate) struct Accounts {
    all: Vec<FoundAccount>,
    /// Where in `all` they are, by what they are found by, in lower case.
    by_name: HashMap<String, Vec<usize>>,
    by_upn: HashMap<String, usize>,
    by_identity: HashMap<String, usize>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
struct File {
    account: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Entry {
    #[serde(deserialize_with = "name")]
    name: String,
    domain: Option<String>,
    #[serde(default, deserialize_with = "upn")]
    upn: Option<Spanned<String>>,
    dn: Option<String>,
    #[serde(default, deserialize_with = "sid")]
    sid: Option<String>,
    #[serde(default)]
    alt_security_identities: Vec<Identity>,
    #[serde(default)]
    disabled: bool,
}

#[derive(Deserialize)]
#[serde(transparent)]
struct Identity(#[serde(deserialize_with = "identity")] Spanned<String>);

fn name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let name = String::deserialize(deserializer)?;
    if name.trim().is_empty() { Err(de::Error::custom("an account has a name")) } else { Ok(name) }
}

fn upn<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Spanned<String>>, D::Error> {
    let upn = Spanned::<String>::deserialize(deserializer)?;
    match upn.get_ref().split_once('@') {
        Some((name, domain)) if !name.is_empty() && !domain.is_empty() => Ok(Some(upn)),
        _ => Err(de::Error::custom(format!(
            "{:?} is no user principal name: write name@domain",
            upn.get_ref()
        ))),
    }
}

fn sid<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let sid = String::deserialize(deserializer)?;
    let numbers = sid.strip_prefix("S-1-").map(|rest| rest.split('-').collect::<Vec<_>>());
    let is_number =
        |part: &&str| part.bytes().all(|digit| digit.is_ascii_digit()) && part.parse::<u32>().is_ok();
    match numbers {
        Some(numbers) if (2..=16).contains(&numbers.len()) && numbers.iter().all(is_number) => Ok(Some(sid)),
        _ => Err(de::Error::custom(format!("{sid:?} is no security identifier: write S-1-5-21-…"))),
    }
}

/// What identities begin with.
const KINDS: [&str; 6] =
    ["X509:<I>", "X509:<S>", "X509:<SKI>", "X509:<SHA1-PUKEY>", "X509:<RFC822>", "Kerberos:"];

fn identity<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Spanned<String>, D::Error> {
    let identity = Spanned::<String>::deserialize(deserializer)?;
    let text = identity.get_ref();
    let is = |kind: &&str| text.get(..kind.len()).is_some_and(|start| start.eq_ignore_ascii_case(kind));
    if KINDS.iter().any(|kind| is(kind) && text.len() > kind.len()) {
        return Ok(identity);
    }
    Err(de::Error::custom(format!(
        "{text:?} names no certificate; what does begins with {}",
        KINDS.join(", ")
    )))
}

impl Accounts {
    /// The accounts in a file, and its text.
    ///
    /// # Errors
    /// Why it cannot be read, or everything that is wrong with it.
    pub(crate) fn from_file(path: &Path) -> Result<(Self, String), ConfigProblems> {
        let name = path.display().to_string();
        let text = fs::read_to_string(path)
            .map_err(|error| ConfigProblems::unreadable_as("file with accounts", &name, &error))?;
        Self::from_toml(&text, &name).map(|accounts| (accounts, text))
    }

    /// The accounts in a text; `name` stands for the file in errors.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub(crate) fn from_toml(text: &str, name: &str) -> Result<Self, ConfigProblems> {
        let (file, mut problems) = super::salvage::<File>(text, name);
        let locator = Locator::new(text);
        let mut accounts = Self::default();
        for (index, entry) in file.account.into_iter().enumerate() {
            let mut twice = |setting: &str, offset: usize, what: &str, other: &str| {
                let path =
                    [Segment::Key("account".into()), Segment::Index(index), Segment::Key(setting.into())];
                let message = format!("account[{index}].{setting}: {other} has {what:?}, too");
                problems.add(locator.problem(offset, &path, message));
            };
            accounts.add(entry, &mut twice);
        }
        if problems.is_empty() { Ok(accounts) } else { Err(problems) }
    }

    /// Adds an account; `twice` hears of what another one has already: its setting, its place, and whose it is.
    fn add(&mut self, entry: Entry, twice: &mut dyn FnMut(&str, usize, &str, &str)) {
        let Entry { name, domain, upn, dn, sid, alt_security_identities, disabled } = entry;
        let index = self.all.len();
        self.by_name.entry(name.to_lowercase()).or_default().push(index);
        let owner = |all: &[FoundAccount], at: usize| {
            all.get(at).map(|one| one.account.name.clone()).unwrap_or_else(|| name.clone())
        };
        if let Some(upn) = &upn
            && let Some(other) = self.by_upn.insert(upn.get_ref().to_lowercase(), index)
        {
            twice("upn", upn.span().start, upn.get_ref(), &owner(&self.all, other));
        }
        for Identity(identity) in &alt_security_identities {
            if let Some(other) = self.by_identity.insert(identity.get_ref().to_lowercase(), index)
                && other != index
            {
                let text = identity.get_ref();
                twice("alt-security-identities", identity.span().start, text, &owner(&self.all, other));
            }
        }
        self.all.push(FoundAccount {
            account: Account {
                name,
                domain,
                upn: upn.map(Spanned::into_inner),
                distinguished_name: dn,
                sid,
                matched_by: String::new(),
            },
            is_disabled: disabled,
            security_identities: alt_security_identities.into_iter().map(|one| one.0.into_inner()).collect(),
        });
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    pub(crate) fn find(&self, peer: &PeerIdentity) -> Vec<FoundAccount> {
        let mut places: Vec<usize> = match peer {
            PeerIdentity::Name(name) => self.by_name.get(&name.to_lowercase()).cloned().unwrap_or_default(),
            PeerIdentity::UserPrincipalName(upn) => {
                self.by_upn.get(&upn.to_lowercase()).copied().into_iter().collect()
            }
            PeerIdentity::SecurityIdentities(all) => {
                all.iter().filter_map(|one| self.by_identity.get(&one.to_lowercase()).copied()).collect()
            }
            _ => Vec::new(),
        };
        places.sort_unstable();
        places.dedup();
        places.into_iter().filter_map(|place| self.all.get(place).cloned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"
[[account]]
name = "alice"
domain = "CORP"
upn = "alice@corp.example"
sid = "S-1-5-21-1-2-3-1104"
alt-security-identities = ["X509:<SKI>AB", "X509:<I>CN=Corp CA<SR>01"]

[[account]]
name = "bob"
disabled = true
alt-security-identities = ["X509:<S>CN=bob"]
"#;

    fn names(found: &[FoundAccount]) -> Vec<&str> {
        found.iter().map(|one| one.account.name.as_str()).collect()
    }

    fn problems(text: &str) -> Vec<String> {
        let problems = Accounts::from_toml(text, "accounts.toml").unwrap_err();
        problems.iter().map(|problem| problems.describe(problem)).collect()
    }

    #[test]
    fn accounts_are_found_by_everything_that_they_have_without_regard_to_case() {
        let accounts = Accounts::from_toml(FILE, "accounts.toml").unwrap();
        assert_eq!(accounts.len(), 2);
        let find = |peer| accounts.find(&peer);
        let identities = |all: &[&str]| {
            PeerIdentity::SecurityIdentities(all.iter().map(|one| (*one).to_owned()).collect())
        };
        let alice = find(PeerIdentity::UserPrincipalName("Alice@CORP.example".into()));
        assert_eq!(names(&alice), ["alice"]);
        assert_eq!(alice[0].account.sid.as_deref(), Some("S-1-5-21-1-2-3-1104"));
        assert_eq!(names(&find(PeerIdentity::Name("ALICE".into()))), ["alice"]);
        let found =
            find(identities(&["x509:<ski>ab", "X509:<I>CN=Corp CA<SR>01", "X509:<S>cn=bob", "X509:<S>x"]));
        assert_eq!(names(&found), ["alice", "bob"], "each of them once");
        assert!(found[1].is_disabled);
        assert!(find(PeerIdentity::UserPrincipalName("*".into())).is_empty());
    }

    #[test]
    fn every_mistake_is_named_with_its_place() {
        let text = "[[account]]\nname = \"a\"\nsid = \"S-1-5\"\nupn = \"a\"\n\
                    alt-security-identities = [\"X509:<SR>01\"]\nunknown = 1\n";
        assert_eq!(
            problems(text),
            [
                "accounts.toml:3:7: account[0].sid: \"S-1-5\" is no security identifier: write S-1-5-21-…",
                "accounts.toml:4:7: account[0].upn: \"a\" is no user principal name: write name@domain",
                "accounts.toml:5:27: account[0].alt-security-identities: \"X509:<SR>01\" names no certificate; what \
                 does begins with X509:<I>, X509:<S>, X509:<SKI>, X509:<SHA1-PUKEY>, X509:<RFC822>, Kerberos:",
                "accounts.toml:6:1: unknown key \"unknown\" in [[account]]; there are: name, domain, upn, dn, sid, \
                 alt-security-identities, disabled",
            ]
        );
        assert!(
            problems("[[account]]\nname = \" \"\n")[1]
                .contains("2:8: account[0].name: an account has a name")
        );
    }

    #[test]
    fn what_two_accounts_have_is_refused_with_its_place() {
        let text = "[[account]]\nname = \"a\"\nupn = \"a@b\"\nalt-security-identities = [\"X509:<SKI>AB\"]\n\
                    [[account]]\nname = \"b\"\nupn = \"A@B\"\nalt-security-identities = [\"X509:<SKI>ab\"]\n";
        assert_eq!(
            problems(text),
            [
                "accounts.toml:7:7: account[1].upn: a has \"A@B\", too",
                "accounts.toml:8:28: account[1].alt-security-identities: a has \"X509:<SKI>ab\", too",
            ]
        );
    }
}
