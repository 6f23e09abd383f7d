//! Cyrus SASL, which OpenLDAP's programs load: its plugins, what they need to run as they were meant to, and its library in
//! `peers/cyrus_peer.py`: one end of DIGEST-MD5, driven token by token.

use std::path::Path;

use super::driven::Driven;
use super::process::{Launch, Stdout};
use super::{Files, PeerError};
use crate::digest::{REALM, USER};

/// The service that both ends of the library mean.
pub const SERVICE: &str = "imap/localhost";

/// Where Debian and others have the plugins.
const FOLDERS: [&str; 4] = [
    "/usr/lib/x86_64-linux-gnu/sasl2",
    "/usr/lib/aarch64-linux-gnu/sasl2",
    "/usr/lib/sasl2",
    "/usr/lib64/sasl2",
];

fn has(plugin: &str) -> bool {
    FOLDERS.iter().any(|folder| Path::new(folder).join(plugin).exists())
}

/// Why DIGEST-MD5 cannot be run here.
///
/// # Errors
///
/// It is not there.
pub fn digest_md5() -> Result<(), String> {
    if has("libdigestmd5.so") {
        return Ok(());
    }
    Err("DIGEST-MD5 of Cyrus SASL is not there (Debian: apt-get install libsasl2-modules)".to_owned())
}

/// Why GSS-SPNEGO with NTLM in it cannot be run here.
///
/// # Errors
///
/// It is not there.
pub fn gss_spnego() -> Result<(), String> {
    if !has("libgssapiv2.so") {
        let package = "libsasl2-modules-gssapi-mit";
        return Err(format!("GSS-SPNEGO of Cyrus SASL is not there (Debian: apt-get install {package})"));
    }
    super::gss::available()
}

/// Why its library cannot be run here in either role.
///
/// # Errors
///
/// It is not there, or not what a server keeps its passwords with.
pub fn library() -> Result<(), String> {
    digest_md5()?;
    if has("libsasldb.so") {
        return Ok(());
    }
    Err("passwords of Cyrus SASL are not there (Debian: apt-get install libsasl2-modules-db)".to_owned())
}

/// A client or a server with this password. `strength` is what the library calls strength: 0 for no layer, 1 for signatures, 128
/// for RC4; `maxbuf` is the longest message that it takes, in bytes.
///
/// # Errors
///
/// It could not be started.
pub fn start(is_client: bool, password: &str, strength: u32, maxbuf: u32) -> Result<Driven, PeerError> {
    let (service, host) = SERVICE.split_once('/').unwrap_or_default();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/cyrus_peer.py");
    let role = if is_client { "client" } else { "server" };
    let (strength, maxbuf) = (strength.to_string(), maxbuf.to_string());
    let mut launch = Launch::new("python3", Stdout::Data);
    launch.arguments(["-B", script, role, USER, password, REALM, service, host, &strength, &maxbuf]);
    Driven::start(&launch)
}

/// A library that goes before OpenSSL's, without which this DIGEST-MD5 has no triple DES.
///
/// It gives OpenSSL keys as they come out of the digest, and takes a negative answer of `DES_key_sched` for a failure. OpenSSL 3
/// answers so where the parity of a byte is wrong, which it is with keys that nobody has made right; before that it answered zero.
/// (Single DES does not look at the answer.)
#[derive(Debug)]
pub struct Parity {
    file: String,
    _files: Files,
}

impl Parity {
    /// Compiles it.
    ///
    /// # Errors
    ///
    /// There is no C compiler, or no OpenSSL 3.
    pub fn compile() -> Result<Self, PeerError> {
        let files = Files::new()?;
        let file = files.reserve("parity.so");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/des_parity.c");
        let mut launch = Launch::new("cc", Stdout::Log);
        launch.arguments(["-shared", "-fPIC", "-o", &file, source, "-l:libcrypto.so.3"]);
        let mut process = launch.start()?;
        if process.wait()?.success() {
            Ok(Self { file, _files: files })
        } else {
            Err(process.error("the library is not made"))
        }
    }

    /// The variable that puts it before the others.
    #[must_use]
    pub fn variable(&self) -> (&'static str, &str) {
        ("LD_PRELOAD", &self.file)
    }
}
