//! The embedded database of passwords: a file with NT hashes and those of Digest, read again when it changes, and changed as a
//! whole.

#[cfg(feature = "digest")]
mod digest_secrets;
#[cfg(not(feature = "digest"))]
#[path = "logons/no_digest_secrets.rs"]
mod digest_secrets;

use std::fs::{self, File, OpenOptions};
use std::hint::black_box;
use std::io::{self, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use async_trait::async_trait;
use sspi_core::{AccountSecret, Error, Fault, LogonRequest, LogonVerdict, SecStatus, Secret};
#[cfg(feature = "digest")]
use sspi_core::{DigestAccount, DigestLogon};
use sspi_tokio::{AccountDatabase, blocking};
use zeroize::Zeroizing;

use crate::config::{ConfigProblems, LogonEntry, Logons, Meant};
use crate::providers::NtHash;

/// The accounts in a file, with the NT hashes of their passwords, and those of Digest.
///
/// Such a hash is as good as the password, so a file that others than its owner can read is refused. Every logon looks
/// whether the file has changed and reads it again if it has. A file that has mistakes is an error of the log, and the accounts
/// stay what they were; one that is gone, or that others than its owner can read or have, lets nobody in.
#[derive(Debug)]
pub struct FileLogons {
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Why nobody is let in, where the file is not there, or must not be used.
    logons: Result<Arc<Logons>, Error>,
    stamp: Option<Stamp>,
}

/// By what a file is seen to have changed: [`FileLogons`] writes a new one each time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    length: u64,
    inode: u64,
    /// Who has it, and who may read it.
    access: (u32, u32),
}

impl Stamp {
    fn of(metadata: &fs::Metadata) -> Self {
        #[cfg(unix)]
        let (inode, access) = {
            use std::os::unix::fs::MetadataExt as _;
            (metadata.ino(), (metadata.uid(), metadata.mode()))
        };
        #[cfg(not(unix))]
        let (inode, access) = (0, (0, 0));
        Self { modified: metadata.modified().ok(), length: metadata.len(), inode, access }
    }
}

/// An account to be added.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewAccount {
    /// Its name, without domain.
    pub name: String,
    /// Its domain; an account without one is of any domain.
    pub domain: Option<String>,
    /// Its user principal name.
    pub upn: Option<String>,
    /// Its security identifier.
    pub sid: Option<String>,
    /// The realms in which it proves itself with the package Digest.
    #[cfg(feature = "digest")]
    pub digest_realms: Vec<String>,
}

/// An account of a file, without its hash.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListedAccount {
    /// Its name, without domain.
    pub name: String,
    /// Its domain.
    pub domain: Option<String>,
    /// Its user principal name.
    pub upn: Option<String>,
    /// Its security identifier.
    pub sid: Option<String>,
    /// The realms in which it proves itself with the package Digest.
    pub digest_realms: Vec<String>,
    /// Nobody may log on with it.
    pub is_disabled: bool,
}

impl FileLogons {
    /// The accounts in this file.
    ///
    /// # Errors
    /// [`Error::Config`](crate::Error::Config) with why it cannot be read, or everything that is wrong with it;
    /// [`Error::Security`](crate::Error::Security) if others can read it.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, crate::Error> {
        let path = path.as_ref().to_owned();
        let (logons, _, stamp) = read(&path, Purpose::LogOn)?;
        tracing::info!(path = %path.display(), accounts = logons.all.len(), "accounts with passwords were read");
        Ok(Self { path, state: Mutex::new(State { logons: Ok(Arc::new(logons)), stamp: Some(stamp) }) })
    }

    /// The accounts in the file at `path`.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn list(path: impl AsRef<Path>) -> Result<Vec<ListedAccount>, crate::Error> {
        let (logons, ..) = read(path.as_ref(), Purpose::Administer)?;
        Ok(logons.all.iter().map(listed).collect())
    }

    /// Adds an account to the file at `path`, which is created if it is not there.
    ///
    /// # Errors
    /// As [`open`](Self::open); the account is there already, or its name cannot be one; the file cannot be written.
    pub fn add(path: impl AsRef<Path>, account: &NewAccount, password: &str) -> Result<(), crate::Error> {
        let path = path.as_ref();
        let entry = entry(account, password)?;
        let change = Change::begin(path)?;
        let mut text = match read(path, Purpose::Administer) {
            Ok((_, text, _)) => text,
            Err(_) if !path.exists() => Zeroizing::new(String::new()),
            Err(error) => return Err(error),
        };
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        // In one allocation: one that grows would leave hashes behind.
        let mut whole = Zeroizing::new(String::with_capacity(text.len() + entry.len()));
        whole.push_str(&text);
        whole.push_str(&entry);
        change.write(&whole)
    }

    /// Gives an account in the file at `path` another password, and makes its hashes of Digest anew.
    ///
    /// # Errors
    /// As [`open`](Self::open); there is no such account, or there are two; the file cannot be written.
    pub fn set_password(
        path: impl AsRef<Path>,
        name: &str,
        domain: Option<&str>,
        password: &str,
    ) -> Result<(), crate::Error> {
        let path = path.as_ref();
        let change = Change::begin(path)?;
        let (logons, text, _) = read(path, Purpose::Administer)?;
        let found = only(&logons, path, name, domain)?;
        change.write(&replaced(&text, new_password(found, password)?))
    }

    /// The same, and has the account prove itself with the package Digest in these realms, too, as
    /// [`add_digest_realm`](Self::add_digest_realm) does: in one change of the file.
    ///
    /// # Errors
    /// As [`set_password`](Self::set_password); a realm cannot be one.
    #[cfg(feature = "digest")]
    pub fn set_password_in_realms(
        path: impl AsRef<Path>,
        name: &str,
        domain: Option<&str>,
        password: &str,
        realms: &[String],
    ) -> Result<(), crate::Error> {
        let path = path.as_ref();
        let change = Change::begin(path)?;
        let (logons, text, _) = read(path, Purpose::Administer)?;
        let found = only(&logons, path, name, domain)?;
        let mut replacements = new_password(found, password)?;
        let mut new = once_each(realms)?;
        new.retain(|realm| found.digest.iter().all(|digest| digest.realm != *realm));
        if !new.is_empty() {
            let (has_list, name) = (found.digest_place.is_some(), &found.account.account.name);
            let written = digest_secrets::written(has_list, name, &new, password);
            replacements.push((digest_secrets::place(found, &text), written));
        }
        change.write(&replaced(&text, replacements))
    }

    /// Has an account of the file at `path` prove itself with the package Digest in `realm`, beside the realms that it has: H(A1)
    /// of its name goes into the file for each hash function, and no password. The password must be the account's.
    ///
    /// # Errors
    /// As [`set_password`](Self::set_password); it is another password; the realm cannot be one, or is there already.
    #[cfg(feature = "digest")]
    pub fn add_digest_realm(
        path: impl AsRef<Path>,
        name: &str,
        domain: Option<&str>,
        realm: &str,
        password: &str,
    ) -> Result<(), crate::Error> {
        let path = path.as_ref();
        let change = Change::begin(path)?;
        let (logons, text, _) = read(path, Purpose::Administer)?;
        let found = only(&logons, path, name, domain)?;
        if found.nt_hash != NtHash::of_password(password) {
            let what = format!("it is not the password of {name:?}");
            return Err(wrong(SecStatus::SEC_E_UNKNOWN_CREDENTIALS, what));
        }
        let realm = [realm.to_owned()];
        let realm = once_each(&realm)?;
        let place = digest_secrets::place(found, &text);
        let name = &found.account.account.name;
        let entry = digest_secrets::written(found.digest_place.is_some(), name, &realm, password);
        change.write(&replaced(&text, vec![(place, entry)]))
    }

    /// The realms in which an account of the file at `path` proves itself with the package Digest.
    ///
    /// # Errors
    /// As [`open`](Self::open); there is no such account, or there are two.
    pub fn digest_realms(
        path: impl AsRef<Path>,
        name: &str,
        domain: Option<&str>,
    ) -> Result<Vec<String>, crate::Error> {
        let path = path.as_ref();
        let (logons, ..) = read(path, Purpose::Administer)?;
        only(&logons, path, name, domain).map(|entry| listed(entry).digest_realms)
    }

    /// The accounts as they are now.
    ///
    /// # Errors
    /// `SEC_E_NO_AUTHENTICATING_AUTHORITY`: the file is gone, or is not its owner's alone.
    fn current(&self) -> Result<Arc<Logons>, Error> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let stamp = fs::metadata(&self.path).ok().map(|metadata| Stamp::of(&metadata));
        if stamp.is_none() || stamp != state.stamp {
            let was_there = state.stamp.is_some();
            match read(&self.path, Purpose::LogOn) {
                Ok((logons, _, stamp)) => {
                    tracing::info!(path = %self.path.display(), accounts = logons.all.len(), "accounts with passwords were read again");
                    *state = State { logons: Ok(Arc::new(logons)), stamp: Some(stamp) };
                }
                // Once for each state of the file.
                Err(error) if stamp.is_some() || was_there => {
                    let has_text =
                        matches!(&error, crate::Error::Config(_)) && File::open(&self.path).is_ok();
                    let what = if has_text { "accounts stay what they were" } else { "nobody is let in" };
                    let error = crate::harmless_message(&error.to_string());
                    tracing::error!(path = %self.path.display(), error, "the file with passwords cannot be read; {what}");
                    state.stamp = stamp;
                    if !has_text {
                        state.logons = Err(closed(error));
                    }
                }
                Err(_) => {}
            }
        }
        state.logons.clone()
    }

    fn verdict(&self, request: &LogonRequest) -> Result<LogonVerdict, Error> {
        let logons = self.current()?;
        let Some(Meant { count, last }) = logons.meant(&request.user, &request.domain) else {
            return Ok(LogonVerdict::NoAccount);
        };
        // Where a name means nobody, this is made of somebody else, and takes as long.
        let known = black_box(LogonVerdict::Known {
            account: last.account.clone(),
            secrets: vec![AccountSecret::NtHash(Secret::new(*last.nt_hash.as_bytes()))],
        });
        if count == 1 {
            return Ok(known);
        }
        if count > 1 {
            tracing::warn!(user = ?request.user, count, "a client names an account of which there are several");
        }
        Ok(LogonVerdict::NoAccount)
    }
}

/// Nobody is let in: whoever takes the file away, or opens it to others, is not to find that its accounts go on.
fn closed(why: String) -> Error {
    Error::new(SecStatus::SEC_E_NO_AUTHENTICATING_AUTHORITY, Fault::Configuration, why)
        .with_setting("logon.accounts")
}

#[async_trait]
impl AccountDatabase for FileLogons {
    async fn logon(&self, request: &LogonRequest) -> Result<LogonVerdict, Error> {
        self.verdict(request)
    }

    #[cfg(feature = "digest")]
    async fn digest_secret(&self, logon: &DigestLogon) -> Result<Option<DigestAccount>, Error> {
        digest_secrets::find(&*self.current()?, logon)
    }
}

impl blocking::Answers for FileLogons {
    fn logon(&self, request: &LogonRequest) -> Result<LogonVerdict, Error> {
        self.verdict(request)
    }

    #[cfg(feature = "digest")]
    fn digest_secret(&self, logon: &DigestLogon) -> Result<Option<DigestAccount>, Error> {
        digest_secrets::find(&*self.current()?, logon)
    }
}

/// The one account of this name.
fn only<'a>(
    logons: &'a Logons,
    path: &Path,
    name: &str,
    domain: Option<&str>,
) -> Result<&'a LogonEntry, crate::Error> {
    logons.find(name, domain.unwrap_or_default()).map_err(|count| {
        let what = if count == 0 {
            "there is no account"
        } else {
            "a domain must be said: there are several accounts"
        };
        wrong(SecStatus::SEC_E_UNKNOWN_CREDENTIALS, format!("{what} {name:?} in {}", path.display()))
    })
}

/// What comes in the place of what an account's old password is known by.
fn new_password(found: &LogonEntry, password: &str) -> Result<Vec<Replacement>, crate::Error> {
    let hash = Zeroizing::new(format!("\"{}\"", *NtHash::of_password(password).to_hex()));
    let mut replacements = vec![(found.place.clone(), hash)];
    replacements.extend(digest_secrets::hashes(found, password)?);
    Ok(replacements)
}

/// The realms, if they can be some, without those that are named twice.
#[cfg(feature = "digest")]
fn once_each(realms: &[String]) -> Result<Vec<&str>, crate::Error> {
    let mut out: Vec<&str> = Vec::with_capacity(realms.len());
    for realm in realms {
        if realm.is_empty() || realm.chars().any(char::is_control) {
            return Err(wrong(SecStatus::SEC_E_INVALID_PARAMETER, format!("{realm:?} is no realm")));
        }
        if !out.contains(&realm.as_str()) {
            out.push(realm);
        }
    }
    Ok(out)
}

/// The text with something else in these places, which do not overlap.
fn replaced(text: &str, mut replacements: Vec<Replacement>) -> Zeroizing<String> {
    replacements.sort_by_key(|(place, _)| place.start);
    let added: usize = replacements.iter().map(|(_, new)| new.len()).sum();
    let mut out = Zeroizing::new(String::with_capacity(text.len().saturating_add(added)));
    let mut at = 0;
    for (place, new) in &replacements {
        out.push_str(text.get(at..place.start).unwrap_or_default());
        out.push_str(new);
        at = place.end;
    }
    out.push_str(text.get(at..).unwrap_or_default());
    out
}

/// A place in the text, and what comes there.
type Replacement = (Range<usize>, Zeroizing<String>);

fn listed(entry: &LogonEntry) -> ListedAccount {
    let account = entry.account.account.clone();
    ListedAccount {
        name: account.name,
        domain: account.domain,
        upn: account.upn,
        sid: account.sid,
        digest_realms: entry.digest.iter().map(|digest| digest.realm.clone()).collect(),
        is_disabled: entry.account.is_disabled,
    }
}

fn wrong(status: SecStatus, what: String) -> crate::Error {
    Error::new(status, Fault::Configuration, what).with_setting("logon.accounts").into()
}

/// What a file is read for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    /// To let clients in.
    LogOn,
    /// To look at it or to change it. Root may do that with anybody's.
    Administer,
}

/// Whether who owns a file may say who is let in.
#[cfg(unix)]
const fn is_trusted(owner: u32, ours: u32, purpose: Purpose) -> bool {
    owner == ours || owner == 0 || (ours == 0 && matches!(purpose, Purpose::Administer))
}

/// The accounts of a file, its text, and by what a change is seen.
fn read(path: &Path, purpose: Purpose) -> Result<(Logons, Zeroizing<String>, Stamp), crate::Error> {
    let name = path.display().to_string();
    let unreadable = |error: io::Error| ConfigProblems::unreadable_logons(&name, &error);
    let mut file = File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    #[cfg(not(unix))]
    let _ = purpose;
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
        let (owner, ours) = (metadata.uid(), rustix::process::geteuid().as_raw());
        if !is_trusted(owner, ours, purpose) {
            let what =
                format!("{name} belongs to somebody else (user {owner}), who can write passwords into it");
            return Err(wrong(SecStatus::SEC_E_UNKNOWN_CREDENTIALS, what));
        }
        let mode = metadata.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            let what =
                format!("{name} has passwords in it, and others can read it (mode {mode:03o}): chmod 600");
            return Err(wrong(SecStatus::SEC_E_UNKNOWN_CREDENTIALS, what));
        }
    }
    let length = usize::try_from(metadata.len()).unwrap_or_default();
    let mut text = Zeroizing::new(String::with_capacity(length.saturating_add(1)));
    io::Read::read_to_string(&mut file, &mut text).map_err(unreadable)?;
    Ok((Logons::from_toml(&text, &name)?, text, Stamp::of(&metadata)))
}

/// The lines of an account.
///
/// # Errors
/// A realm cannot be one.
fn entry(account: &NewAccount, password: &str) -> Result<Zeroizing<String>, crate::Error> {
    let hash = NtHash::of_password(password).to_hex();
    let mut out = Zeroizing::new(String::with_capacity(512));
    out.push_str("[[account]]\n");
    let optional = [("domain", &account.domain), ("upn", &account.upn), ("sid", &account.sid)];
    let optional = optional.into_iter().filter_map(|(key, value)| Some((key, value.as_deref()?)));
    for (key, value) in core::iter::once(("name", account.name.as_str())).chain(optional) {
        out.push_str(&format!("{key} = {}\n", quoted(value)));
    }
    out.push_str(&Zeroizing::new(format!("nt-hash = \"{}\"", *hash)));
    #[cfg(feature = "digest")]
    if !account.digest_realms.is_empty() {
        let realms = once_each(&account.digest_realms)?;
        let digest = digest_secrets::written(false, &account.name, &realms, password);
        let mut whole = Zeroizing::new(String::with_capacity(out.len() + digest.len() + 1));
        whole.push_str(&out);
        whole.push_str(&digest);
        out = whole;
    }
    out.push('\n');
    Ok(out)
}

/// A basic string of TOML.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => out.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A change of a file: the new one is written beside it and takes its place at once. While it is there, nobody else changes
/// the file.
struct Change {
    /// The file itself, where the path is a link to it.
    path: PathBuf,
    new: PathBuf,
    file: File,
    /// The new one is in its place: what has its name now is somebody else's.
    is_made: bool,
}

impl Change {
    fn begin(path: &Path) -> Result<Self, crate::Error> {
        // A link stays one: its target is what is changed.
        let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(".new");
        let new = path.with_file_name(name);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&new).map_err(|error| {
            let new = new.display();
            let what = match error.kind() {
                io::ErrorKind::AlreadyExists => {
                    format!("somebody else is changing the file: remove {new} if nobody is")
                }
                _ => format!("{new} cannot be written: {error}"),
            };
            wrong(SecStatus::SEC_E_INTERNAL_ERROR, what)
        })?;
        Ok(Self { path, new, file, is_made: false })
    }

    /// Puts the text in the file's place, if it can be read.
    fn write(mut self, text: &str) -> Result<(), crate::Error> {
        Logons::from_toml(text, &self.path.display().to_string())?;
        self.place(text).map_err(|error| {
            let what = format!("{} cannot be written: {error}", self.path.display());
            wrong(SecStatus::SEC_E_INTERNAL_ERROR, what)
        })
    }

    fn place(&mut self, text: &str) -> io::Result<()> {
        self.file.write_all(text.as_bytes())?;
        #[cfg(unix)]
        if let Ok(old) = fs::metadata(&self.path) {
            use std::os::unix::fs::{MetadataExt as _, fchown};
            // Where it is not ours to give away, it is the one's who changes it. The group alone may be.
            let owner = (old.uid() != self.file.metadata()?.uid()).then(|| old.uid());
            if let Err(error) = fchown(&self.file, owner, Some(old.gid())) {
                tracing::warn!(path = %self.path.display(), %error, "the file with passwords has another owner or group now");
            }
        }
        self.file.sync_all()?;
        fs::rename(&self.new, &self.path)?;
        self.is_made = true;
        // The folder, too, or the name may be the old one after a crash.
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or_else(|| Path::new(".")))?.sync_all()
    }
}

impl Drop for Change {
    fn drop(&mut self) {
        if !self.is_made {
            let _gone = fs::remove_file(&self.new);
        }
    }
}

#[cfg(test)]
mod tests;
