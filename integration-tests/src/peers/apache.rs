//! Apache with mod_auth_digest: a process like any other, with a folder of its own, on a port of its own.

use std::fmt::Write as _;
use std::path::Path;

use test_support::hex;

use super::process::{Launch, Stdout};
use super::{Files, PeerError, Process, find_program, free_port};
use crate::digest::{PASSWORD, REALM, USER};

/// Where Debian has the modules.
const MODULES: &str = "/usr/lib/apache2/modules";

/// The page behind Digest.
pub const PATH: &str = "/digest/";

fn program() -> Option<String> {
    let usual = Path::new("/usr/sbin/apache2");
    let found = find_program("apache2").or_else(|| usual.is_file().then(|| usual.to_owned()))?;
    Some(found.to_string_lossy().into_owned())
}

/// Why it cannot be run here.
///
/// # Errors
///
/// It is not there.
pub fn available() -> Result<(), String> {
    if program().is_some() && Path::new(MODULES).join("mod_auth_digest.so").is_file() {
        return Ok(());
    }
    Err("apache2 is not there (Debian: apt-get install apache2-bin)".to_owned())
}

/// A running Apache, which knows [`USER`].
#[derive(Debug)]
pub struct Apache {
    process: Process,
    port: u16,
    _files: Files,
}

impl Apache {
    /// Starts it and waits until it listens.
    ///
    /// # Errors
    ///
    /// It did not come up.
    pub fn start() -> Result<Self, PeerError> {
        let program = program().ok_or_else(|| PeerError::new("apache2 is not there"))?;
        let files = Files::new()?;
        let port = free_port();
        let root = files.reserve("www");
        std::fs::create_dir_all(Path::new(&root).join("digest"))?;
        std::fs::write(Path::new(&root).join("digest/index.html"), "secret\n")?;
        let secret = digest::hashed_a1(
            sspi_core::DigestAlgorithm::Md5,
            USER.as_bytes(),
            REALM.as_bytes(),
            PASSWORD.as_bytes(),
        );
        let users =
            files.write("users", format!("{USER}:{REALM}:{}\n", hex::encode(secret.expose_secret())))?;
        let folder = files.reserve("");
        let mut text = format!(
            "ServerRoot {folder}\nServerName localhost\nListen 127.0.0.1:{port}\nPidFile {folder}httpd.pid\n\
             Mutex file:{folder} default\nDefaultRuntimeDir {folder}\nErrorLog /dev/stderr\nLogLevel info\n"
        );
        let modules =
            ["mpm_event", "authn_core", "authz_core", "authz_user", "authn_file", "auth_digest", "dir"];
        for module in modules {
            let _never_fails = writeln!(text, "LoadModule {module}_module {MODULES}/mod_{module}.so");
        }
        if rustix::process::geteuid().is_root() {
            text.push_str("User www-data\nGroup www-data\n");
        }
        let _never_fails = write!(
            text,
            "DocumentRoot {root}\nDirectoryIndex index.html\nKeepAlive On\n<Directory {root}>\nRequire all granted\n\
             </Directory>\n<Location /digest>\nAuthType Digest\nAuthName {REALM}\nAuthDigestProvider file\n\
             AuthUserFile {users}\nAuthDigestQop auth\nRequire valid-user\n</Location>\n"
        );
        let configuration = files.write("httpd.conf", text)?;
        readable(Path::new(&folder))?;
        let mut launch = Launch::new(&program, Stdout::Log);
        launch.arguments(["-f", &configuration, "-D", "FOREGROUND"]);
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

/// Its workers are nobody, who reads what everybody can read.
fn readable(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = if path.is_dir() { 0o755 } else { 0o644 };
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
    if path.is_dir() {
        for entry in std::fs::read_dir(path)? {
            readable(&entry?.path())?;
        }
    }
    Ok(())
}
