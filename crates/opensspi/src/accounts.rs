//! The embedded account directory: a file, read again when it changes.

use std::fs::{self, Metadata};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use sspi_core::{Error, FoundAccount, PeerIdentity};
use sspi_tokio::{AccountDirectory, blocking};

use crate::config::ConfigProblems;
use crate::config::accounts::Accounts;

/// The accounts in a file.
///
/// Every question looks whether the file has changed, which is one call of the system, and reads it again if it has. A file
/// that has mistakes, or is gone, is an error of the log: the accounts stay what they were. So a file is best replaced as a
/// whole, by renaming another.
#[derive(Debug)]
pub struct FileAccounts {
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    accounts: Arc<Accounts>,
    /// What the file was when it was last looked into; `None` if it was not there.
    stamp: Option<Stamp>,
    /// Of the text that the accounts are from, or that had mistakes.
    hash: u64,
}

/// By what a file is seen to have changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    length: u64,
    /// The file was written so shortly before it was read that it may change again without showing it.
    is_fresh: bool,
}

/// Clocks of file systems are no better than that.
const COARSE: Duration = Duration::from_secs(2);

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        let modified = metadata.modified().ok();
        let age = modified.and_then(|modified| SystemTime::now().duration_since(modified).ok());
        Self { modified, length: metadata.len(), is_fresh: age.is_none_or(|age| age < COARSE) }
    }
}

impl FileAccounts {
    /// The accounts in this file.
    ///
    /// # Errors
    /// Why it cannot be read, or everything that is wrong with it, each with line and column.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, ConfigProblems> {
        let path = path.as_ref().to_owned();
        let stamp = fs::metadata(&path).ok().map(|metadata| Stamp::of(&metadata));
        let (accounts, text) = Accounts::from_file(&path)?;
        let hash = hash(text.as_bytes());
        tracing::info!(path = %path.display(), accounts = accounts.len(), "accounts were read");
        Ok(Self { path, state: Mutex::new(State { accounts: Arc::new(accounts), stamp, hash }) })
    }

    /// The accounts as they are now.
    fn current(&self) -> Arc<Accounts> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = fs::metadata(&self.path).map(|metadata| Stamp::of(&metadata));
        let is_same = match (&now, &state.stamp) {
            (Ok(now), Some(then)) => now == then && !then.is_fresh,
            (Err(_), then) => then.is_none(),
            (Ok(_), None) => false,
        };
        if !is_same {
            state.stamp = now.as_ref().ok().copied();
            match now.and_then(|_| fs::read(&self.path)) {
                Ok(text) => self.read(&mut state, &text),
                Err(error) => {
                    state.stamp = None;
                    let path = self.path.display();
                    tracing::error!(%path, %error, "the file with accounts cannot be read; they stay what they were");
                }
            }
        }
        Arc::clone(&state.accounts)
    }

    fn read(&self, state: &mut State, text: &[u8]) {
        let new = hash(text);
        if new == state.hash {
            return;
        }
        state.hash = new;
        let path = self.path.display();
        let read = str::from_utf8(text).map_err(|error| error.to_string()).and_then(|text| {
            Accounts::from_toml(text, &path.to_string()).map_err(|problems| problems.to_string())
        });
        match read {
            Ok(accounts) => {
                tracing::info!(%path, accounts = accounts.len(), "accounts were read again");
                state.accounts = Arc::new(accounts);
            }
            Err(problems) => {
                let problems = crate::harmless_message(&problems);
                tracing::error!(%path, problems, "the file with accounts has mistakes; they stay what they were");
            }
        }
    }
}

fn hash(text: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

#[async_trait]
impl AccountDirectory for FileAccounts {
    async fn find(&self, peer: &PeerIdentity) -> Result<Vec<FoundAccount>, Error> {
        Ok(self.current().find(peer))
    }
}

impl blocking::Answers for FileAccounts {
    fn accounts(&self, peer: &PeerIdentity) -> Result<Vec<FoundAccount>, Error> {
        Ok(self.current().find(peer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has(accounts: &FileAccounts, name: &str) -> bool {
        !accounts.current().find(&PeerIdentity::Name(name.into())).is_empty()
    }

    fn account(name: &str) -> String {
        format!("[[account]]\nname = {name:?}\n")
    }

    /// Long enough ago that the file counts as settled.
    fn long_ago(path: &Path, seconds: u64) {
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000 + seconds);
        fs::File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
    }

    #[test]
    fn a_file_that_changes_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("accounts.toml");
        fs::write(&path, account("alice")).unwrap();
        long_ago(&path, 0);
        let accounts = FileAccounts::open(&path).unwrap();
        assert!(has(&accounts, "alice") && !has(&accounts, "carol"));
        fs::write(&path, account("carol")).unwrap();
        long_ago(&path, 1);
        assert!(!has(&accounts, "alice") && has(&accounts, "carol"), "it is as long as it was, and newer");
        // Whoever writes twice within the resolution of the clock is not overlooked.
        fs::write(&path, account("david")).unwrap();
        assert!(has(&accounts, "david"));
        fs::write(&path, account("emily")).unwrap();
        assert!(has(&accounts, "emily"));
    }

    #[test]
    fn a_bad_file_changes_nothing_until_it_is_good_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("accounts.toml");
        fs::write(&path, account("alice")).unwrap();
        let accounts = FileAccounts::open(&path).unwrap();
        for bad in [&b"[[account]]\nnam = \"bob\"\n"[..], b"[[account", b"[[account]]\nname = \"\xff\"\n"] {
            fs::write(&path, bad).unwrap();
            assert!(has(&accounts, "alice"), "{bad:?}");
        }
        fs::remove_file(&path).unwrap();
        assert!(has(&accounts, "alice"), "it is gone");
        fs::write(&path, account("bob")).unwrap();
        assert!(!has(&accounts, "alice") && has(&accounts, "bob"));
    }

    #[test]
    fn a_file_that_is_bad_from_the_beginning_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let missing = FileAccounts::open(folder.path().join("accounts.toml")).unwrap_err().to_string();
        assert!(missing.contains("the file with accounts cannot be read"), "{missing}");
        fs::write(folder.path().join("accounts.toml"), "[[account]]\n").unwrap();
        let wrong = FileAccounts::open(folder.path().join("accounts.toml")).unwrap_err().to_string();
        assert!(wrong.contains("accounts.toml:1:1: the key \"name\" is missing in [[account]]"), "{wrong}");
    }
}
