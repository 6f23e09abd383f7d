//! Cyrus SASL, which OpenLDAP's programs load: its plugins, and what they need to run as they were meant to.

use std::path::Path;

use super::process::{Launch, Stdout};
use super::{Files, PeerError};

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
