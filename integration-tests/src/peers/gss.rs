//! gss-ntlmssp: NTLM for every program that asks MIT's GSSAPI. Who logs on and who is known stands in a file.

use std::path::Path;

use super::{Files, PeerError};

/// Why it cannot be run here.
///
/// # Errors
///
/// It is not there.
pub fn available() -> Result<(), String> {
    let there = ["x86_64-linux-gnu", "aarch64-linux-gnu"]
        .iter()
        .any(|triplet| Path::new(&format!("/usr/lib/{triplet}/gssntlmssp/gssntlmssp.so")).is_file());
    if there {
        Ok(())
    } else {
        Err("gss-ntlmssp is missing (Debian: apt-get install gss-ntlmssp)".to_owned())
    }
}

/// The file in which it looks for accounts: its own as a client, those that it knows as a server.
#[derive(Debug)]
pub struct UserFile {
    path: String,
    _files: Files,
}

impl UserFile {
    /// With one account.
    ///
    /// # Errors
    ///
    /// It cannot be written.
    pub fn new(domain: &str, user: &str, password: &str) -> Result<Self, PeerError> {
        let files = Files::new()?;
        let path = files.write("users", format!("{domain}:{user}:{password}\n"))?;
        Ok(Self { path, _files: files })
    }

    /// The folder that it is in, for those who run as somebody else.
    pub(super) fn folder(&self) -> &Path {
        Path::new(&self.path).parent().unwrap_or(Path::new("/nonexistent"))
    }

    /// The variables by which a program finds this account, and no other credentials.
    #[must_use]
    pub fn variables(&self) -> [(&'static str, &str); 3] {
        variables(&self.path)
    }
}

/// The same of a file that somebody else has written.
pub(crate) fn variables(path: &str) -> [(&'static str, &str); 3] {
    [("NTLM_USER_FILE", path), ("KRB5CCNAME", "FILE:/nonexistent"), ("KRB5_CONFIG", "/dev/null")]
}
