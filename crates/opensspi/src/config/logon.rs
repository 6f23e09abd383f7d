//! The section `[logon]`, and the file with the accounts that clients log on to with a password.
//!
//! ```toml
//! [[account]]
//! name = "alice"
//! domain = "CORP"
//! upn = "alice@corp.example"
//! sid = "S-1-5-21-1004336348-1177238915-682003330-1104"
//! nt-hash = "a4f49c406510bdcab6824ee7c30fd852"
//! digest = [{ realm = "corp.example", md5 = "…", sha-256 = "…", sha-512-256 = "…" }]
//! disabled = false
//! ```
//!
//! `name` and `nt-hash` must be there. `digest` has H(A1) of the package Digest, the hash of name, realm and password, for each
//! realm; the name is the account's unless the entry has a `user` of its own. These hashes are as good as the password: the
//! file is for its owner only.

use std::ops::Range;
use std::time::Duration;

use serde::{Deserialize, Deserializer, de};
use sspi_core::{Account, DigestAlgorithm, FoundAccount, Secret};
use toml::Spanned;
use zeroize::Zeroizing;

use super::problem::{ConfigProblems, Locator, Segment};
use crate::providers::NtHash;

/// The section `[logon]`: where the passwords are that clients log on with.
///
/// ```
/// let config = opensspi::Config::from_toml("[logon]\naccounts = \"file:logons.toml\"\n", "opensspi.toml")?;
/// assert!(config.logon.winbind.is_none());
/// # Ok::<(), opensspi::ConfigProblems>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct LogonConfig {
    /// A file with accounts and the NT hashes of their passwords, which `opensspi account` writes. It is read again when it
    /// changes.
    pub accounts: Option<String>,
    /// Samba's program `ntlm_auth`, by name or path, which asks winbind about the accounts of the machine's domain.
    pub winbind: Option<String>,
    /// When a question to winbind is given up.
    #[serde(deserialize_with = "super::duration::required")]
    pub winbind_deadline: Duration,
    /// How many questions winbind is asked at once, by a program each: 1 to 1000.
    #[serde(deserialize_with = "children")]
    pub winbind_children: usize,
    /// The domain (NetBIOS) of accounts that clients name without one. If nothing is said, `wbinfo` is asked for the machine's.
    #[serde(deserialize_with = "domain")]
    pub winbind_domain: Option<String>,
    /// Whether winbind is asked about names such as `alice@corp.example`. The account is then called that, whichever it is:
    /// winbind says no name.
    pub winbind_principal_names: bool,
    /// Whether winbind is asked about names that end in `$`: those of machines and of trusts.
    pub winbind_machines: bool,
}

impl Default for LogonConfig {
    fn default() -> Self {
        Self {
            accounts: None,
            winbind: None,
            winbind_deadline: Duration::from_secs(5),
            winbind_children: 8,
            winbind_domain: None,
            winbind_principal_names: false,
            winbind_machines: false,
        }
    }
}

impl LogonConfig {
    /// A setting of winbind that was changed, where winbind is not asked.
    pub(crate) fn idle_setting(&self) -> Option<&'static str> {
        let other = Self { winbind: None, ..Self::default() };
        let changed = [
            ("logon.winbind-deadline", self.winbind_deadline != other.winbind_deadline),
            ("logon.winbind-children", self.winbind_children != other.winbind_children),
            ("logon.winbind-domain", self.winbind_domain != other.winbind_domain),
            ("logon.winbind-principal-names", self.winbind_principal_names),
            ("logon.winbind-machines", self.winbind_machines),
        ];
        let mut changed = changed.into_iter().filter(|(_, is_changed)| *is_changed && self.winbind.is_none());
        changed.next().map(|(setting, _)| setting)
    }
}

fn children<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    match usize::deserialize(deserializer)? {
        children @ 1..=1000 => Ok(children),
        children => Err(de::Error::custom(format!("{children} is no number from 1 to 1000"))),
    }
}

/// The NetBIOS name of a domain: what stands before the backslash of an account's name.
fn domain<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let domain = String::deserialize(deserializer)?;
    let is_name =
        !domain.is_empty() && !domain.contains(['\\', '/', '@']) && !domain.contains(char::is_control);
    if is_name {
        Ok(Some(domain))
    } else {
        Err(de::Error::custom(format!("{domain:?} is no name of a domain")))
    }
}

/// The accounts of a file.
#[derive(Debug, Default)]
pub(crate) struct Logons {
    pub(crate) all: Vec<Entry>,
}

/// An account of a file.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) account: FoundAccount,
    pub(crate) nt_hash: NtHash,
    /// Where the hash stands in the text, quotes included.
    pub(crate) place: Range<usize>,
    /// What proves it with Digest.
    pub(crate) digest: Vec<DigestEntry>,
    /// Where the list of these stands in the text, if it does, brackets included.
    #[cfg(feature = "digest")]
    pub(crate) digest_place: Option<Range<usize>>,
}

/// What proves an account with Digest in one realm.
#[derive(Debug)]
#[cfg_attr(
    not(feature = "digest"),
    expect(dead_code, reason = "without the package Digest it is checked, and read by nobody")
)]
pub(crate) struct DigestEntry {
    pub(crate) realm: String,
    /// The name that is hashed.
    pub(crate) user: String,
    pub(crate) hashes: Vec<DigestHash>,
}

/// H(A1), by one hash function.
#[derive(Debug)]
#[cfg_attr(
    not(feature = "digest"),
    expect(dead_code, reason = "without the package Digest it is checked, and read by nobody")
)]
pub(crate) struct DigestHash {
    pub(crate) algorithm: DigestAlgorithm,
    pub(crate) hashed_a1: Secret<Vec<u8>>,
    /// Where it stands in the text, quotes included.
    pub(crate) place: Range<usize>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
struct File {
    #[serde(deserialize_with = "plain")]
    account: Vec<Written>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Written {
    #[serde(deserialize_with = "name")]
    name: Spanned<String>,
    #[serde(default, deserialize_with = "plain")]
    domain: Option<String>,
    #[serde(default, deserialize_with = "plain")]
    upn: Option<String>,
    #[serde(default, deserialize_with = "plain")]
    sid: Option<String>,
    #[serde(deserialize_with = "hash")]
    nt_hash: (NtHash, Range<usize>),
    #[serde(default, deserialize_with = "plain")]
    digest: Option<Spanned<Vec<WrittenDigest>>>,
    #[serde(default, deserialize_with = "plain")]
    disabled: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct WrittenDigest {
    #[serde(deserialize_with = "plain")]
    realm: String,
    #[serde(default, deserialize_with = "plain")]
    user: Option<String>,
    md5: Option<Digits>,
    #[serde(rename = "sha-256")]
    sha_256: Option<Digits>,
    #[serde(rename = "sha-512-256")]
    sha_512_256: Option<Digits>,
}

/// A hash of Digest, and where it stands.
struct Digits {
    bytes: Secret<Vec<u8>>,
    place: Range<usize>,
}

impl<'de> Deserialize<'de> for Digits {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let digits: Spanned<String> = plain(deserializer)?;
        let place = digits.span();
        let digits = Zeroizing::new(digits.into_inner());
        // What stands there is not said: it may be a password.
        let bytes = digits.as_bytes().chunks(2).map(|pair| match pair {
            [_, _] => str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok()),
            _ => None,
        });
        match bytes.collect::<Option<Vec<u8>>>() {
            Some(bytes) if digits.bytes().all(|digit| digit.is_ascii_hexdigit()) => {
                Ok(Self { bytes: Secret::new(bytes), place })
            }
            _ => Err(de::Error::custom("a hash of Digest is hexadecimal digits")),
        }
    }
}

impl WrittenDigest {
    /// The entry of an account of this name; what is wrong with it otherwise.
    fn read(self, name: &str) -> Result<DigestEntry, String> {
        let Self { realm, user, md5, sha_256, sha_512_256 } = self;
        let written = [
            (DigestAlgorithm::Md5, md5),
            (DigestAlgorithm::Sha256, sha_256),
            (DigestAlgorithm::Sha512Of256, sha_512_256),
        ];
        let mut hashes = Vec::new();
        for (algorithm, digits) in written {
            let Some(Digits { bytes, place }) = digits else { continue };
            if bytes.expose_secret().len() != algorithm.output_len() {
                let digits = 2 * algorithm.output_len();
                return Err(format!("a hash of {} is {digits} hexadecimal digits", algorithm.name()));
            }
            hashes.push(DigestHash { algorithm, hashed_a1: bytes, place });
        }
        Ok(DigestEntry { realm, user: user.unwrap_or_else(|| name.to_owned()), hashes })
    }
}

/// A value, whose mistakes are told without the value: it may be a password that stands in the wrong place.
fn plain<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    T::deserialize(deserializer).map_err(|error| {
        let message = error.to_string();
        let has_value =
            ["invalid type", "invalid value", "invalid length"].iter().any(|one| message.contains(one));
        if has_value {
            de::Error::custom("what stands there is not of the kind that it must be")
        } else {
            error
        }
    })
}

fn name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Spanned<String>, D::Error> {
    let name: Spanned<String> = plain(deserializer)?;
    if is_name(name.get_ref()) {
        return Ok(name);
    }
    Err(de::Error::custom("an account has a name, without domain: no backslash and no @ is in it"))
}

/// Whether it is the name of an account, without domain.
pub(crate) fn is_name(name: &str) -> bool {
    !name.trim().is_empty() && !name.contains(['\\', '@', '/']) && !name.chars().any(char::is_control)
}

fn hash<'de, D: Deserializer<'de>>(deserializer: D) -> Result<(NtHash, Range<usize>), D::Error> {
    let digits: Spanned<String> = plain(deserializer)?;
    let place = digits.span();
    let digits = Zeroizing::new(digits.into_inner());
    // What stands there is not said: it may be a password.
    let hash =
        NtHash::from_hex(&digits).ok_or_else(|| de::Error::custom("an NT hash is 32 hexadecimal digits"))?;
    Ok((hash, place))
}

impl Logons {
    /// The accounts in a text; `name` stands for the file in errors.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub(crate) fn from_toml(text: &str, name: &str) -> Result<Self, ConfigProblems> {
        let (file, mut problems) = super::salvage::<File>(text, name);
        let locator = Locator::new(text);
        let mut logons = Self::default();
        for (index, written) in file.account.into_iter().enumerate() {
            let Written { name, domain, upn, sid, nt_hash: (nt_hash, place), digest, disabled } = written;
            let offset = name.span().start;
            #[cfg(feature = "digest")]
            let digest_place = digest.as_ref().map(Spanned::span);
            let mut entries = Vec::new();
            for written in digest.map(Spanned::into_inner).unwrap_or_default() {
                match written.read(name.get_ref()) {
                    Ok(entry) => entries.push(entry),
                    Err(message) => {
                        let path = [Segment::Key("account".into()), Segment::Index(index)];
                        problems.add(locator.problem(
                            offset,
                            &path,
                            format!("account[{index}].digest: {message}"),
                        ));
                    }
                }
            }
            let entry = Entry {
                account: FoundAccount {
                    account: Account { name: name.into_inner(), domain, upn, sid, ..Account::default() },
                    is_disabled: disabled,
                    security_identities: Vec::new(),
                },
                nt_hash,
                place,
                digest: entries,
                #[cfg(feature = "digest")]
                digest_place,
            };
            if let Some(other) = logons.all.iter().find(|other| other.is_like(&entry)) {
                let path =
                    [Segment::Key("account".into()), Segment::Index(index), Segment::Key("name".into())];
                let message = format!("account[{index}]: {:?} is there already", other.display_name());
                problems.add(locator.problem(offset, &path, message));
            }
            let same = |old: &DigestEntry, new: &DigestEntry| old.realm == new.realm && old.user == new.user;
            let twice = entry.digest.iter().enumerate().find(|(place, new)| {
                let others = logons.digests().map(|(_, old)| old);
                others.chain(entry.digest.iter().take(*place)).any(|old| same(old, new))
            });
            if let Some((_, twice)) = twice {
                let path = [Segment::Key("account".into()), Segment::Index(index)];
                let message = format!(
                    "account[{index}].digest: {:?} is there already in {:?}",
                    twice.user, twice.realm
                );
                problems.add(locator.problem(offset, &path, message));
            }
            logons.all.push(entry);
        }
        if problems.is_empty() { Ok(logons) } else { Err(problems) }
    }

    /// What proves accounts with Digest, each with its account.
    pub(crate) fn digests(&self) -> impl Iterator<Item = (&Entry, &DigestEntry)> {
        self.all.iter().flat_map(|entry| entry.digest.iter().map(move |digest| (entry, digest)))
    }

    /// The account that a client means: by its user principal name, or by its name and domain. A domain that one of the two
    /// does not say fits any.
    ///
    /// # Errors
    /// How many there are, if it is not one.
    pub(crate) fn find(&self, user: &str, domain: &str) -> Result<&Entry, usize> {
        let by_upn = |entry: &&Entry| entry.account.account.upn.as_deref().is_some_and(|upn| same(upn, user));
        let found: Vec<&Entry> = match user.split_once('@') {
            Some((name, realm)) => {
                let by_name = |entry: &&Entry| entry.is_called(name, realm);
                let all: Vec<_> = self.all.iter().filter(by_upn).collect();
                if all.is_empty() { self.all.iter().filter(by_name).collect() } else { all }
            }
            None => self.all.iter().filter(|entry| entry.is_called(user, domain)).collect(),
        };
        match found[..] {
            [one] => Ok(one),
            _ => Err(found.len()),
        }
    }
}

fn same(a: &str, b: &str) -> bool {
    a.to_lowercase() == b.to_lowercase()
}

impl Entry {
    /// Whether a client means it by this name.
    fn is_called(&self, name: &str, domain: &str) -> bool {
        let Account { name: ours, domain: our_domain, .. } = &self.account.account;
        let fits = our_domain.as_deref().is_none_or(|ours| domain.is_empty() || same(ours, domain));
        fits && same(ours, name)
    }

    /// Whether the same names mean both.
    fn is_like(&self, other: &Self) -> bool {
        let (a, b) = (&self.account.account, &other.account.account);
        let domain = |account: &Account| account.domain.as_deref().unwrap_or_default().to_lowercase();
        let has_upn = a.upn.as_deref().zip(b.upn.as_deref()).is_some_and(|(a, b)| same(a, b));
        has_upn || (same(&a.name, &b.name) && domain(a) == domain(b))
    }

    /// `DOMAIN\name`.
    pub(crate) fn display_name(&self) -> String {
        let Account { name, domain, .. } = &self.account.account;
        domain.as_deref().map_or_else(|| name.clone(), |domain| format!("{domain}\\{name}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "a4f49c406510bdcab6824ee7c30fd852";

    fn file() -> String {
        format!(
            "[[account]]\nname = \"alice\"\ndomain = \"CORP\"\nupn = \"a.liddell@corp.example\"\nnt-hash = \"{HASH}\"\n\
             [[account]]\nname = \"alice\"\ndomain = \"LAB\"\nnt-hash = \"{HASH}\"\n\
             [[account]]\nname = \"bob\"\nnt-hash = \"{HASH}\"\ndisabled = true\n"
        )
    }

    fn problems(text: &str) -> Vec<String> {
        let problems = Logons::from_toml(text, "logons.toml").unwrap_err();
        problems.iter().map(|problem| problems.describe(problem)).collect()
    }

    #[test]
    fn accounts_are_found_by_every_name_and_never_by_a_name_of_two() {
        let logons = Logons::from_toml(&file(), "logons.toml").unwrap();
        let found = |user, domain| logons.find(user, domain).map(Entry::display_name);
        assert_eq!(found("Alice", "corp").as_deref(), Ok("CORP\\alice"));
        assert_eq!(found("alice", "LAB").as_deref(), Ok("LAB\\alice"));
        assert_eq!(found("alice", ""), Err(2));
        assert_eq!(found("alice", "ELSEWHERE"), Err(0));
        assert_eq!(found("A.Liddell@corp.example", "").as_deref(), Ok("CORP\\alice"));
        assert_eq!(found("alice@lab", "").as_deref(), Ok("LAB\\alice"));
        assert_eq!(found("bob", "ANY").as_deref(), Ok("bob"));
        assert!(logons.find("bob", "").unwrap().account.is_disabled);
        assert_eq!(found("*", ""), Err(0));
    }

    #[test]
    fn every_mistake_is_named_with_its_place_and_no_secret() {
        let text = "[[account]]\nname = \"CORP\\\\a\"\nnt-hash = \"hunter2\"\n[[account]]\nname = \"b\"\n";
        let found = problems(text);
        let name = "logons.toml:2:8: account[0].name: an account has a name";
        assert!(found.iter().any(|one| one.starts_with(name)), "{found:?}");
        assert!(found.iter().any(|one| one.contains("an NT hash is 32 hexadecimal digits")), "{found:?}");
        assert!(!found.concat().contains("hunter2"), "{found:?}");
        for wrong in [
            "name = \"b\"\nnt-hash = 424242",
            "name = 424242\nnt-hash = \"HASH\"",
            "name = \"b\"\nnt-hash = \"HASH\"\ndomain = 424242",
            "name = \"b\"\nnt-hash = \"HASH\"\ndisabled = \"424242\"",
            "name = \"b\"\nnt-hash = \"HASH\"\ndigest = \"424242\"",
            "name = \"b\"\nnt-hash = \"HASH\"\ndigest = [\"424242\"]",
            "name = \"b\"\nnt-hash = \"HASH\"\ndigest = [{ realm = 424242 }]",
            "name = \"b\"\nnt-hash = \"HASH\"\ndigest = [{ realm = \"r\", md5 = 424242 }]",
        ] {
            let found = problems(&format!("[[account]]\n{}\n", wrong.replace("HASH", HASH)));
            assert!(found.iter().any(|one| one.contains("not of the kind")), "{found:?}");
            assert!(!found.concat().contains("424242"), "{found:?}");
        }
        for wrong in ["account = \"424242\"", "account = [\"424242\"]"] {
            assert!(!problems(wrong).concat().contains("424242"), "{wrong}");
        }
        let twice =
            file() + &format!("[[account]]\nname = \"ALICE\"\ndomain = \"corp\"\nnt-hash = \"{HASH}\"\n");
        assert_eq!(problems(&twice), ["logons.toml:15:8: account[3]: \"CORP\\\\alice\" is there already"]);
    }
}
