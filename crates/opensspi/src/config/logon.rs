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

use super::places::Places;
use super::problem::{ConfigProblems, Locator, Segment};
use crate::providers::NtHash;
#[cfg(feature = "digest")]
use crate::providers::digest::user_hash;

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
    /// The other domains (NetBIOS) that clients may name. If nothing is said, `wbinfo` is asked which there are.
    #[serde(deserialize_with = "domains")]
    pub winbind_domains: Vec<String>,
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
            winbind_domains: Vec::new(),
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
            ("logon.winbind-domains", !self.winbind_domains.is_empty()),
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
    is_domain(String::deserialize(deserializer)?).map(Some)
}

fn domains<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    Vec::deserialize(deserializer)?.into_iter().map(is_domain).collect()
}

fn is_domain<E: de::Error>(domain: String) -> Result<String, E> {
    let is_name =
        !domain.is_empty() && !domain.contains(['\\', '/', '@']) && !domain.contains(char::is_control);
    if is_name { Ok(domain) } else { Err(E::custom(format!("{domain:?} is no name of a domain"))) }
}

/// The accounts of a file.
#[derive(Debug, Default)]
pub(crate) struct Logons {
    pub(crate) all: Vec<Entry>,
    index: Index,
}

/// Where accounts stand among all, by what a client calls them. What is asked costs the same for an account that there is not,
/// and however many there are: who it is that asks is not known yet.
#[derive(Debug, Default)]
struct Index {
    /// By name without domain, in small letters.
    names: Places<usize>,
    /// By user principal name, in small letters.
    upns: Places<usize>,
    /// By realm and name of Digest: which account, and which of its entries.
    digests: Places<(usize, usize)>,
    /// By the hash of these two.
    #[cfg(feature = "digest")]
    hashed: Places<(usize, usize)>,
}

/// Whom a name means.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Meant<'a> {
    /// How many: it means somebody if it is one.
    pub(crate) count: usize,
    /// The last of them. Of none somebody else, whom the same can be done with, so that it takes as long.
    pub(crate) last: &'a Entry,
}

/// What proves whom with Digest.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(
    not(feature = "digest"),
    expect(dead_code, reason = "without the package Digest it is checked, and read by nobody")
)]
pub(crate) struct MeantDigest<'a> {
    /// It is the one that was meant. Otherwise it is somebody else's, as [`Meant::last`] may be.
    pub(crate) is_there: bool,
    pub(crate) entry: &'a Entry,
    pub(crate) digest: &'a DigestEntry,
}

/// A realm and a name of Digest in one.
fn digest_key(realm: &str, user: &str) -> String {
    format!("{} {realm} {user}", realm.len())
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
            if let Some(other) = logons.like(&entry) {
                let path =
                    [Segment::Key("account".into()), Segment::Index(index), Segment::Key("name".into())];
                let message = format!("account[{index}]: {:?} is there already", other.display_name());
                problems.add(locator.problem(offset, &path, message));
            }
            let same = |old: &DigestEntry, new: &DigestEntry| old.realm == new.realm && old.user == new.user;
            let twice = entry.digest.iter().enumerate().find(|(place, new)| {
                logons.digest(&new.realm, &new.user).is_some_and(|meant| meant.is_there)
                    || entry.digest.iter().take(*place).any(|old| same(old, new))
            });
            if let Some((_, twice)) = twice {
                let path = [Segment::Key("account".into()), Segment::Index(index)];
                let message = format!(
                    "account[{index}].digest: {:?} is there already in {:?}",
                    twice.user, twice.realm
                );
                problems.add(locator.problem(offset, &path, message));
            }
            logons.push(entry);
        }
        if problems.is_empty() { Ok(logons) } else { Err(problems) }
    }

    fn push(&mut self, entry: Entry) {
        let (at, index) = (self.all.len(), &mut self.index);
        let Account { name, upn, .. } = &entry.account.account;
        index.names.push(name.to_lowercase().as_bytes(), at);
        if let Some(upn) = upn {
            index.upns.push(upn.to_lowercase().as_bytes(), at);
        }
        for (place, digest) in entry.digest.iter().enumerate() {
            index.digests.push(digest_key(&digest.realm, &digest.user).as_bytes(), (at, place));
            #[cfg(feature = "digest")]
            for algorithm in DigestAlgorithm::ALL {
                index.hashed.push(&user_hash(algorithm, &digest.user, &digest.realm), (at, place));
            }
        }
        self.all.push(entry);
    }

    /// An account that the same names mean as this one.
    fn like(&self, new: &Entry) -> Option<&Entry> {
        let Account { name, upn, .. } = &new.account.account;
        let by_upn = upn.as_deref().and_then(|upn| self.index.upns.of(upn.to_lowercase().as_bytes()).next());
        let by_upn = by_upn.and_then(|at| self.all.get(at));
        by_upn.or_else(|| self.called(name).into_iter().find(|other| other.is_like(new)))
    }

    /// Those of this name, whatever their domain.
    fn called(&self, name: &str) -> Vec<&Entry> {
        self.index.names.of(name.to_lowercase().as_bytes()).filter_map(|at| self.all.get(at)).collect()
    }

    /// What proves an account with Digest in this realm, by its name. `None` where nothing proves anybody.
    pub(crate) fn digest(&self, realm: &str, user: &str) -> Option<MeantDigest<'_>> {
        self.meant_digest(self.index.digests.near(digest_key(realm, user).as_bytes()))
    }

    /// The same by the hash of its name.
    #[cfg(feature = "digest")]
    pub(crate) fn hashed_digest(&self, realm: &str, hash: &[u8]) -> Option<MeantDigest<'_>> {
        let mut meant = self.meant_digest(self.index.hashed.near(hash))?;
        meant.is_there &= meant.digest.realm == realm;
        Some(meant)
    }

    fn meant_digest(&self, near: impl Iterator<Item = (bool, (usize, usize))>) -> Option<MeantDigest<'_>> {
        let meant = near.filter_map(|(is_there, (account, place))| {
            let entry = self.all.get(account)?;
            Some(MeantDigest { is_there, entry, digest: entry.digest.get(place)? })
        });
        meant.reduce(|one, other| if other.is_there { other } else { one })
    }

    /// The account that a client means: by its user principal name, or by its name and domain. A domain that one of the two
    /// does not say fits any.
    ///
    /// # Errors
    /// How many there are, if it is not one.
    pub(crate) fn find(&self, user: &str, domain: &str) -> Result<&Entry, usize> {
        match self.meant(user, domain) {
            Some(Meant { count: 1, last }) => Ok(last),
            meant => Err(meant.map_or(0, |meant| meant.count)),
        }
    }

    /// The same for a client of whom nobody knows yet who it is. `None` where there are no accounts.
    pub(crate) fn meant(&self, user: &str, domain: &str) -> Option<Meant<'_>> {
        let (name, domain) = user.split_once('@').unwrap_or((user, domain));
        let (is_upn, upn, name) = (user.contains('@'), user.to_lowercase(), name.to_lowercase());
        // Both are looked for, whichever it is.
        let by_upn = self.meant_of(self.index.upns.near(upn.as_bytes()), |_| is_upn);
        let by_name = self.meant_of(self.index.names.near(name.as_bytes()), |entry| entry.is_in(domain));
        by_upn.filter(|meant| meant.count > 0).or(by_name)
    }

    fn meant_of(
        &self,
        near: impl Iterator<Item = (bool, usize)>,
        fits: impl Fn(&Entry) -> bool,
    ) -> Option<Meant<'_>> {
        let each = near.filter_map(|(is_called_so, at)| {
            let last = self.all.get(at)?;
            // Whether it fits is looked at in any case.
            Some(Meant { count: usize::from(fits(last) & is_called_so), last })
        });
        each.reduce(|one, other| {
            let last = if other.count > 0 { other.last } else { one.last };
            Meant { count: one.count + other.count, last }
        })
    }
}

fn same(a: &str, b: &str) -> bool {
    a.to_lowercase() == b.to_lowercase()
}

impl Entry {
    /// Whether a client that says this domain may mean it.
    fn is_in(&self, domain: &str) -> bool {
        let ours = self.account.account.domain.as_deref();
        ours.is_none_or(|ours| domain.is_empty() || same(ours, domain))
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

    /// A lookup touches those that have the name, and no others.
    #[test]
    fn accounts_are_found_as_they_are_by_going_through_all_of_them() {
        let mut text = String::new();
        let domains = [None, Some("CORP"), Some("LAB")];
        for number in 0..60 {
            let domain =
                domains[number % 3].map_or(String::new(), |domain| format!("domain = \"{domain}\"\n"));
            let upn = if number % 2 == 0 { format!("upn = \"U{number}@Corp\"\n") } else { String::new() };
            let digest = format!("digest = [{{ realm = \"r{}\", user = \"U{number}\" }}]\n", number % 2);
            text.push_str(&format!(
                "[[account]]\nname = \"User{}\"\n{domain}{upn}nt-hash = \"{HASH}\"\n{digest}",
                number / 3
            ));
        }
        let logons = Logons::from_toml(&text, "logons.toml").unwrap();
        let is = |entry: &Entry, name: &str, domain: &str| {
            let account = &entry.account.account;
            let fits = account.domain.as_deref().is_none_or(|ours| domain.is_empty() || same(ours, domain));
            fits && same(&account.name, name)
        };
        let has_upn = |entry: &Entry, upn: &str| {
            entry.account.account.upn.as_deref().is_some_and(|ours| same(ours, upn))
        };
        for name in [
            "user0",
            "USER7",
            "user19",
            "user20",
            "u0@corp",
            "U2@CORP",
            "u3@corp",
            "user1@lab",
            "user1@x",
            "",
            "@",
        ] {
            for domain in ["", "corp", "LAB", "elsewhere"] {
                let (short, meant) = name.split_once('@').unwrap_or((name, domain));
                let mut all: Vec<_> =
                    logons.all.iter().filter(|entry| name.contains('@') && has_upn(entry, name)).collect();
                if all.is_empty() {
                    all = logons.all.iter().filter(|entry| is(entry, short, meant)).collect();
                }
                let expected = if let [one] = all[..] { Ok(one.display_name()) } else { Err(all.len()) };
                assert_eq!(logons.find(name, domain).map(Entry::display_name), expected, "{name} {domain}");
            }
        }
        assert_eq!(logons.called("user7").len(), 3);
        let digest = |realm, user| {
            let meant = logons.digest(realm, user).filter(|meant| meant.is_there);
            meant.map(|meant| meant.entry.display_name())
        };
        assert_eq!(digest("r1", "U7").as_deref(), Some("CORP\\User2"));
        assert_eq!((digest("r0", "U7"), digest("r1", "u7"), digest("1 r1", "U7")), (None, None, None));
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
