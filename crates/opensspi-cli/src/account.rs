//! `account`: who may log on with a password, in the file that the configuration names.

use std::io::{self, BufRead as _, IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use opensspi::{Config, FileLogons, ListedAccount, NewAccount, harmless};
use serde_json::json;
use zeroize::Zeroizing;

use crate::exit::Failure;
use crate::print::{Channel, Printer};

/// The arguments of `account`.
#[derive(Debug, Args)]
#[command(after_help = "\
The accounts are those of the packages NTLM and Digest, in a file with the hashes of their passwords
(logon.accounts). Such a hash is as good as the password: the file is for its owner only, and a
server does not take one that others can read. A server that runs reads it again when it changes.

NTLM needs nothing more. Digest proves a password in a realm, the one that the server's configuration
names (digest.realm), and under the name as it is typed, domain and case included: --realm stores what
it needs, for each realm that is named. `passwd` makes it anew for the realms that are there already.

A password is asked for on a terminal, and otherwise the first line of the input.

Examples:
  opensspi account add alice --domain CORP --file logons.toml
  opensspi account passwd alice --config opensspi.toml
  opensspi account add svc --password env:SVC_PASSWORD --file logons.toml
  opensspi account add carol --realm corp.example --file logons.toml
  opensspi account list --file logons.toml

Exit codes:
  0  all went well
  2  the file cannot be read or written, or the account cannot be or is not there")]
pub(crate) struct Account {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Add an account; the file is made if it is not there.
    Add(Add),
    /// Give an account another password.
    Passwd(Passwd),
    /// Say which accounts there are.
    List(Place),
}

#[derive(Debug, Args)]
struct Place {
    /// The file with the accounts.
    #[arg(long, value_name = "FILE", conflicts_with = "config", required_unless_present = "config")]
    file: Option<PathBuf>,
    /// The configuration file that names it.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct Add {
    /// The account's name, without domain.
    name: String,
    /// Its domain; an account without one is of any.
    #[arg(long, value_name = "NAME")]
    domain: Option<String>,
    /// Its user principal name.
    #[arg(long, value_name = "NAME@DOMAIN")]
    upn: Option<String>,
    /// Its security identifier.
    #[arg(long, value_name = "S-1-5-21-…")]
    sid: Option<String>,
    #[command(flatten)]
    digest: Realms,
    #[command(flatten)]
    password: Password,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Args)]
struct Passwd {
    /// The account's name, or its user principal name.
    name: String,
    /// Its domain, where there are several accounts of that name.
    #[arg(long, value_name = "NAME")]
    domain: Option<String>,
    #[command(flatten)]
    digest: Realms,
    #[command(flatten)]
    password: Password,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Args)]
struct Realms {
    /// Let it log on with Digest in this realm (digest.realm); may be repeated.
    #[arg(long = "realm", value_name = "REALM", value_parser = realm)]
    realms: Vec<String>,
}

/// A realm, before a password is asked for.
fn realm(text: &str) -> Result<String, String> {
    if text.is_empty() || text.len() > MOST_REALM || text.chars().any(char::is_control) {
        return Err(format!("a realm has from 1 to {MOST_REALM} bytes and no control characters"));
    }
    Ok(text.to_owned())
}

/// The longest realm that a server announces, in bytes.
const MOST_REALM: usize = 255;

#[derive(Debug, Args)]
struct Password {
    /// Where the password is, in place of asking: env:NAME or file:PATH.
    #[arg(long = "password", value_name = "REFERENCE")]
    reference: Option<String>,
}

impl Account {
    /// The configuration file that was named.
    pub(crate) fn config(&self) -> Option<&Path> {
        let place = match &self.what {
            What::Add(add) => &add.place,
            What::Passwd(passwd) => &passwd.place,
            What::List(place) => place,
        };
        place.config.as_deref()
    }

    pub(crate) fn run(&self, printer: &Printer) -> Result<(), Failure> {
        match &self.what {
            What::Add(add) => {
                let path = add.place.path()?;
                let account = NewAccount {
                    name: add.name.clone(),
                    domain: add.domain.clone(),
                    upn: add.upn.clone(),
                    sid: add.sid.clone(),
                    digest_realms: add.digest.realms.clone(),
                };
                let password = add.password.read()?;
                FileLogons::add(&path, &account, &password)?;
                told(printer, "added", &add.name, &path);
                add.hint(printer);
            }
            What::Passwd(passwd) => {
                let path = passwd.place.path()?;
                // Nobody types a password for an account that is not there.
                FileLogons::list(&path)?;
                let (name, domain) = (&passwd.name, passwd.domain.as_deref());
                let password = passwd.password.read()?;
                FileLogons::set_password_in_realms(&path, name, domain, &password, &passwd.digest.realms)?;
                told(printer, "changed", &passwd.name, &path);
            }
            What::List(place) => list(printer, &FileLogons::list(place.path()?)?),
        }
        Ok(())
    }
}

impl Add {
    /// Says that Digest is configured, and that this account cannot log on with it.
    fn hint(&self, printer: &Printer) {
        let Some(file) = &self.place.config else { return };
        let realm = Config::from_file(file).ok().and_then(|config| config.digest.realm);
        if let Some(realm) = realm.filter(|realm| !self.digest.realms.contains(realm)) {
            printer.line(
                Channel::Err,
                format_args!(
                    "it cannot log on with Digest (digest.realm): `opensspi account passwd` with --realm {:?}",
                    harmless(&realm)
                ),
            );
        }
    }
}

impl Place {
    fn path(&self) -> Result<PathBuf, Failure> {
        if let Some(file) = &self.file {
            return Ok(file.clone());
        }
        let file = self.config.clone().unwrap_or_default();
        let config = Config::from_file(&file).map_err(opensspi::Error::from)?;
        let reference = config.logon.accounts.ok_or_else(|| {
            let mut failure =
                Failure::usage("the configuration names no file with accounts (logon.accounts)");
            failure.setting = Some("logon.accounts".to_owned());
            failure
        })?;
        let base = file.parent().unwrap_or_else(|| Path::new(""));
        Ok(base.join(reference.strip_prefix("file:").unwrap_or(&reference)))
    }
}

impl Password {
    fn read(&self) -> Result<Zeroizing<String>, Failure> {
        match &self.reference {
            Some(reference) => referred(reference),
            None if io::stdin().is_terminal() => terminal::ask(),
            None => line().map_err(|error| Failure::usage(format!("no password can be read: {error}"))),
        }
    }
}

/// A password behind a reference, without the end of its line.
pub(crate) fn referred(reference: &str) -> Result<Zeroizing<String>, Failure> {
    let wrong = |error: &dyn std::fmt::Display| Failure::usage(format!("{}: {error}", harmless(reference)));
    let text = if let Some(name) = reference.strip_prefix("env:") {
        std::env::var(name).map_err(|error| wrong(&error))?
    } else if let Some(path) = reference.strip_prefix("file:") {
        let mut text = String::new();
        std::fs::File::open(path)
            .and_then(|mut file| file.read_to_string(&mut text))
            .map_err(|error| wrong(&error))?;
        text
    } else {
        return Err(Failure::usage(
            "a password is not written on a command line: --password env:NAME or file:PATH",
        ));
    };
    checked(&Zeroizing::new(text))
}

/// The first line of the input.
fn line() -> io::Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::new());
    io::stdin().lock().read_line(&mut text)?;
    checked(&text).map_err(|failure| io::Error::other(failure.message))
}

/// A password without the end of its line.
fn checked(text: &str) -> Result<Zeroizing<String>, Failure> {
    let text = text.strip_suffix('\n').unwrap_or(text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.is_empty() {
        return Err(Failure::usage("the password is empty"));
    }
    Ok(Zeroizing::new(text.to_owned()))
}

#[cfg(unix)]
mod terminal {
    //! A terminal that does not show what is typed.

    use std::io::{self, Write as _};

    use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
    use zeroize::Zeroizing;

    use crate::exit::Failure;

    /// The terminal as it was, which it is again when this is dropped.
    struct Hidden(Termios);

    impl Hidden {
        fn new() -> io::Result<Self> {
            let before = tcgetattr(io::stdin())?;
            let mut hidden = before.clone();
            hidden.local_modes.remove(LocalModes::ECHO);
            hidden.local_modes.insert(LocalModes::ECHONL);
            tcsetattr(io::stdin(), OptionalActions::Flush, &hidden)?;
            Ok(Self(before))
        }
    }

    impl Drop for Hidden {
        fn drop(&mut self) {
            let _as_it_was = tcsetattr(io::stdin(), OptionalActions::Flush, &self.0);
        }
    }

    /// Asks twice.
    pub(super) fn ask() -> Result<Zeroizing<String>, Failure> {
        let failed = |error: io::Error| Failure::usage(format!("no password can be read: {error}"));
        let _hidden = Hidden::new().map_err(failed)?;
        let prompt = |text: &str| {
            let mut err = io::stderr();
            err.write_all(text.as_bytes()).and_then(|()| err.flush()).and_then(|()| super::line())
        };
        let first = prompt("Password: ").map_err(failed)?;
        let second = prompt("The same again: ").map_err(failed)?;
        if *first == *second { Ok(first) } else { Err(Failure::usage("the two passwords are not the same")) }
    }
}

#[cfg(not(unix))]
mod terminal {
    //! A terminal of which nobody knows how to hide what is typed.

    pub(super) fn ask() -> Result<zeroize::Zeroizing<String>, crate::exit::Failure> {
        Err(crate::exit::Failure::usage("pass the password as input, or as --password env:NAME or file:PATH"))
    }
}

fn told(printer: &Printer, what: &str, name: &str, path: &Path) {
    let file = path.display().to_string();
    printer.object(&json!({ what: name, "file": file }));
    printer.line(Channel::Out, format_args!("{what} {} in {file}", harmless(name)));
}

fn list(printer: &Printer, accounts: &[ListedAccount]) {
    for ListedAccount { name, domain, upn, sid, digest_realms, is_disabled, .. } in accounts {
        printer.object(&json!({
            "name": name, "domain": domain, "upn": upn, "sid": sid, "digest_realms": digest_realms,
            "disabled": is_disabled,
        }));
        let domain = domain.as_deref().map(|domain| format!("{}\\", harmless(domain))).unwrap_or_default();
        let upn = upn.as_deref().map(|upn| format!("  {}", harmless(upn))).unwrap_or_default();
        let realms: String =
            digest_realms.iter().map(|realm| format!("  Digest in {:?}", harmless(realm))).collect();
        let disabled = if *is_disabled { "  disabled" } else { "" };
        printer.line(Channel::Out, format_args!("{domain}{}{upn}{realms}{disabled}", harmless(name)));
    }
    if accounts.is_empty() {
        printer.line(Channel::Err, "no accounts");
    }
}
