//! Apache with mod_auth_digest, and with mod_auth_gssapi over gss-ntlmssp: a process like any other, with a folder of its own,
//! on ports of its own.

use std::fmt::Write as _;
use std::path::Path;

use test_support::{TestCertificate, hex};

use super::gss::{self, UserFile};
use super::process::{Launch, Stdout};
use super::{Files, PeerError, Process, find_program, free_port};
use crate::{digest, tokens};

/// Where Debian has the modules.
const MODULES: &str = "/usr/lib/apache2/modules";

/// The page behind Digest, for [`digest::USER`].
pub const DIGEST: &str = "/digest/";
/// The page for everybody, which proxies fetch.
pub const OPEN: &str = "/open/";
/// The page behind Negotiate and NTLM, for [`tokens::USER`].
pub const GSSAPI: &str = "/gssapi/";

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

/// Why it cannot be run here with Negotiate and NTLM.
///
/// # Errors
///
/// It is not there.
pub fn gssapi_available() -> Result<(), String> {
    available()?;
    if !Path::new(MODULES).join("mod_auth_gssapi.so").is_file() {
        let package = "libapache2-mod-auth-gssapi";
        return Err(format!("mod_auth_gssapi is not there (Debian: apt-get install {package})"));
    }
    gss::available()
}

/// A running Apache.
#[derive(Debug)]
pub struct Apache {
    process: Process,
    port: u16,
    tls_port: u16,
    digest_proxy_port: u16,
    gssapi_proxy_port: u16,
    _files: Files,
    _users: UserFile,
}

impl Apache {
    /// Starts it, with this certificate for TLS, and waits until it listens.
    ///
    /// # Errors
    ///
    /// It did not come up.
    pub fn start(certificate: &TestCertificate) -> Result<Self, PeerError> {
        let program = program().ok_or_else(|| PeerError::new("apache2 is not there"))?;
        let files = Files::new()?;
        let [port, tls_port, digest_proxy_port, gssapi_proxy_port] = [(); 4].map(|()| free_port());
        let root = files.reserve("www");
        for page in [DIGEST, GSSAPI, OPEN] {
            let folder = format!("{root}{page}");
            std::fs::create_dir_all(&folder)?;
            std::fs::write(Path::new(&folder).join("index.html"), "secret\n")?;
        }
        let (chain, key) = files.certificate(certificate)?;
        let folder = files.reserve("");
        let mut text = format!(
            "ServerRoot {folder}\nServerName localhost\nListen 127.0.0.1:{port}\nListen 127.0.0.1:{tls_port}\n\
             PidFile {folder}httpd.pid\nMutex file:{folder} default\nDefaultRuntimeDir {folder}\n\
             ErrorLog /dev/stderr\nLogLevel info\n"
        );
        let mut modules = vec![
            "mpm_event",
            "authn_core",
            "authz_core",
            "authz_user",
            "authn_file",
            "auth_digest",
            "dir",
            "headers",
            "proxy",
            "proxy_http",
            "ssl",
        ];
        if gssapi_available().is_ok() {
            modules.push("auth_gssapi");
        }
        for module in modules {
            let _never_fails = writeln!(text, "LoadModule {module}_module {MODULES}/mod_{module}.so");
        }
        if rustix::process::geteuid().is_root() {
            text.push_str("User www-data\nGroup www-data\n");
        }
        let _never_fails = write!(
            text,
            "DocumentRoot {root}\nDirectoryIndex index.html\nKeepAlive On\n<Directory {root}>\nRequire all granted\n\
             </Directory>\nHeader always set X-User \"expr=%{{REMOTE_USER}}\"\n\
             <VirtualHost 127.0.0.1:{tls_port}>\nSSLEngine on\nSSLCertificateFile {chain}\n\
             SSLCertificateKeyFile {key}\n</VirtualHost>\n"
        );
        let logons = logons(&files)?;
        for (page, logon) in [DIGEST, GSSAPI].iter().zip(&logons) {
            let _never_fails = writeln!(text, "<Location {page}>\n{logon}</Location>");
        }
        for (port, logon) in [digest_proxy_port, gssapi_proxy_port].iter().zip(&logons) {
            let _never_fails = writeln!(
                text,
                "Listen 127.0.0.1:{port}\n<VirtualHost 127.0.0.1:{port}>\nProxyRequests On\n<Proxy \"*\">\n{logon}\
                 </Proxy>\n</VirtualHost>"
            );
        }
        let configuration = files.write("httpd.conf", text)?;
        readable(Path::new(&folder))?;
        let users = UserFile::new(tokens::DOMAIN, tokens::USER, tokens::PASSWORD)?;
        readable(users.folder())?;
        let mut launch = Launch::new(&program, Stdout::Log);
        launch.arguments(["-f", &configuration, "-D", "FOREGROUND"]).variables(users.variables());
        launch.variables([("NETBIOS_DOMAIN_NAME", tokens::DOMAIN)]);
        let process = launch.serve(tls_port)?;
        Ok(Self {
            process,
            port,
            tls_port,
            digest_proxy_port,
            gssapi_proxy_port,
            _files: files,
            _users: users,
        })
    }

    /// Where it listens, on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where it listens for TLS.
    #[must_use]
    pub fn tls_port(&self) -> u16 {
        self.tls_port
    }

    /// Where it is a proxy for whoever logs on with Digest.
    #[must_use]
    pub fn digest_proxy_port(&self) -> u16 {
        self.digest_proxy_port
    }

    /// Where it is a proxy for whoever logs on with Negotiate or NTLM.
    #[must_use]
    pub fn gssapi_proxy_port(&self) -> u16 {
        self.gssapi_proxy_port
    }

    /// The address of the page that a proxy fetches for whoever it lets in.
    #[must_use]
    pub fn behind_proxy(&self) -> String {
        format!("http://127.0.0.1:{}{OPEN}", self.port)
    }

    /// What it said.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.log()
    }
}

/// Who is let in with Digest, and with Negotiate and NTLM where Apache has them.
fn logons(files: &Files) -> std::io::Result<Vec<String>> {
    let (user, realm, password) = (digest::USER, digest::REALM, digest::PASSWORD);
    let algorithm = sspi_core::DigestAlgorithm::Md5;
    let secret = ::digest::hashed_a1(algorithm, user.as_bytes(), realm.as_bytes(), password.as_bytes());
    let users = files.write("users", format!("{user}:{realm}:{}\n", hex::encode(secret.expose_secret())))?;
    let digest = format!(
        "AuthType Digest\nAuthName {realm}\nAuthDigestProvider file\nAuthUserFile {users}\nAuthDigestQop auth\n\
         Require valid-user\n"
    );
    let gssapi = gssapi_available().is_ok().then(|| {
        format!(
            "AuthType GSSAPI\nAuthName {realm}\nGssapiAllowedMech ntlmssp\nGssapiConnectionBound On\nRequire valid-user\n"
        )
    });
    Ok([digest].into_iter().chain(gssapi).collect())
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
