//! lighttpd with Digest of SHA-256 and MD5: a process like any other, with a folder of its own, on a port of its own.

use std::fmt::Write as _;
use std::path::Path;

use sspi_core::DigestAlgorithm;
use test_support::hex;

use super::process::{Launch, Stdout};
use super::{Files, PeerError, Process, find_program, free_port};
use crate::digest::{PASSWORD, REALM, USER};

/// The page behind MD5.
pub const MD5: &str = "/md5/";
/// The page behind SHA-256.
pub const SHA_256: &str = "/sha-256/";
/// The same with names that are hashed.
pub const HASHED: &str = "/hashed/";
/// The page for which SHA-256 and MD5 are offered.
pub const EITHER: &str = "/either/";

fn program() -> Option<String> {
    let usual = Path::new("/usr/sbin/lighttpd");
    let found = find_program("lighttpd").or_else(|| usual.is_file().then(|| usual.to_owned()))?;
    Some(found.to_string_lossy().into_owned())
}

/// Why it cannot be run here.
///
/// # Errors
///
/// It is not there.
pub fn available() -> Result<(), String> {
    let missing = "lighttpd is not there (Debian: apt-get install lighttpd)";
    program().map(drop).ok_or_else(|| missing.to_owned())
}

/// A running lighttpd, which knows [`USER`].
#[derive(Debug)]
pub struct Lighttpd {
    process: Process,
    port: u16,
    _files: Files,
}

impl Lighttpd {
    /// Starts it and waits until it listens.
    ///
    /// # Errors
    ///
    /// It did not come up.
    pub fn start() -> Result<Self, PeerError> {
        let program = program().ok_or_else(|| PeerError::new("lighttpd is not there"))?;
        let (files, port) = (Files::new()?, free_port());
        let root = files.reserve("www");
        let mut text = format!(
            "server.document-root = \"{root}\"\nserver.port = {port}\nserver.bind = \"127.0.0.1\"\n\
             server.modules = (\"mod_auth\", \"mod_authn_file\")\nindex-file.names = (\"index.html\")\n\
             auth.backend = \"htdigest\"\n"
        );
        let secret = |algorithm| {
            let secret =
                ::digest::hashed_a1(algorithm, USER.as_bytes(), REALM.as_bytes(), PASSWORD.as_bytes());
            hex::encode(secret.expose_secret())
        };
        let md5 = format!("{USER}:{REALM}:{}\n", secret(DigestAlgorithm::Md5));
        let name = hex::encode(::digest::user_hash(DigestAlgorithm::Sha256, USER, REALM));
        let sha_256 = format!("{USER}:{REALM}:{}:{name}\n", secret(DigestAlgorithm::Sha256));
        for (page, algorithms, users, hashed) in [
            (MD5, "MD5", md5.clone(), "disable"),
            (SHA_256, "SHA-256", sha_256.clone(), "disable"),
            (HASHED, "SHA-256", sha_256.clone(), "enable"),
            (EITHER, "SHA-256|MD5", sha_256 + &md5, "disable"),
        ] {
            std::fs::create_dir_all(format!("{root}{page}"))?;
            std::fs::write(format!("{root}{page}index.html"), "secret\n")?;
            let users = files.write(&page.replace('/', ""), users)?;
            let _never_fails = writeln!(
                text,
                "$HTTP[\"url\"] =~ \"^{page}\" {{\nauth.backend.htdigest.userfile = \"{users}\"\nauth.require = (\"{page}\" => \
                 (\"method\" => \"digest\", \"algorithm\" => \"{algorithms}\", \"realm\" => \"{REALM}\", \
                 \"require\" => \"valid-user\", \"userhash\" => \"{hashed}\"))\n}}"
            );
        }
        let configuration = files.write("lighttpd.conf", text)?;
        let mut launch = Launch::new(&program, Stdout::Log);
        launch.arguments(["-D", "-f", &configuration]);
        Ok(Self { process: launch.serve(port)?, port, _files: files })
    }

    /// Where it listens, on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What it said.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.log()
    }
}
