//! A file of accounts, as `opensspi account` writes them.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use opensspi::digest::hashed_a1;
use opensspi::sspi_core::{AuthIdentity, DigestAlgorithm, Secret};
use opensspi::{FileLogons, NtHash};
use opensspi_measure::sampling::POOL;

use crate::engine::Failure;

/// How many there are.
pub(crate) const COUNT: usize = 1000;

/// Where the realm of Digest is.
pub(crate) const REALM: &str = "corp.example";

/// What the domain of all is called.
const DOMAIN: &str = "CORP";

/// So many accounts, one behind the other in the file: a name for each input of a class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    /// Their names are as long as those that there are.
    Nobodys,
    First,
    Middle,
    Last,
    Disabled,
    /// They prove themselves with NTLM only.
    WithoutDigest,
    /// Their principal names are not made of their names.
    OfAnotherName,
}

/// What a client calls its account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// By its name and its domain.
    Name,
    /// `alice@corp.example`.
    Principal,
}

impl Whose {
    /// The number of the first.
    const fn begin(self) -> usize {
        match self {
            Self::Nobodys => 5000,
            Self::First => 0,
            Self::Disabled => 150,
            Self::WithoutDigest => 300,
            Self::Middle => (COUNT - POOL) / 2,
            Self::OfAnotherName => 700,
            Self::Last => COUNT - POOL,
        }
    }

    const fn has(self, number: usize) -> bool {
        number >= self.begin() && number < self.begin() + POOL
    }

    /// One of them, with its password.
    pub(crate) fn identity(self, form: Form, lot: usize) -> AuthIdentity {
        let number = self.begin() + lot;
        let (user, domain) = match form {
            Form::Name => (name(number), DOMAIN.to_owned()),
            Form::Principal => (principal_name(number), String::new()),
        };
        AuthIdentity { user, domain, password: Secret::new(password(number)) }
    }
}

/// Of all alike in length and in its first letters.
pub(crate) fn name(number: usize) -> String {
    format!("user{number:04}")
}

fn principal_name(number: usize) -> String {
    let word = if Whose::OfAnotherName.has(number) { "mail" } else { "user" };
    format!("{word}{number:04}@corp.example")
}

fn password(number: usize) -> String {
    format!("password {number:04}")
}

/// Writes the file, and reads it as a server does.
pub(crate) fn file(path: &Path) -> Result<FileLogons, Failure> {
    let text: Result<String, Failure> = (0..COUNT).map(account).collect();
    fs::write(path, text?)?;
    for_its_owner(path)?;
    Ok(FileLogons::open(path)?)
}

#[cfg(unix)]
fn for_its_owner(path: &Path) -> Result<(), Failure> {
    use std::os::unix::fs::PermissionsExt as _;
    Ok(fs::set_permissions(path, fs::Permissions::from_mode(0o600))?)
}

#[cfg(not(unix))]
fn for_its_owner(_: &Path) -> Result<(), Failure> {
    Ok(())
}

fn account(number: usize) -> Result<String, Failure> {
    let (name, password) = (name(number), password(number));
    let mut text = format!("[[account]]\nname = \"{name}\"\ndomain = \"{DOMAIN}\"\n");
    writeln!(text, "upn = \"{}\"", principal_name(number))?;
    writeln!(text, "nt-hash = \"{}\"", *NtHash::of_password(&password).to_hex())?;
    writeln!(text, "disabled = {}", Whose::Disabled.has(number))?;
    if Whose::WithoutDigest.has(number) {
        return Ok(text);
    }
    write!(text, "digest = [{{ realm = \"{REALM}\"")?;
    for algorithm in DigestAlgorithm::ALL {
        let hash = hashed_a1(algorithm, name.as_bytes(), REALM.as_bytes(), password.as_bytes());
        write!(text, ", {} = \"", algorithm.name().to_lowercase())?;
        for byte in hash.expose_secret() {
            write!(text, "{byte:02x}")?;
        }
        text.push('"');
    }
    text.push_str(" }]\n");
    Ok(text)
}
