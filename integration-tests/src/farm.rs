//! A server farm: what all its machines have, and what their clients are told.

use std::path::Path;
use std::{fs, io};

use opensspi::{Error, Sspi};
use tempfile::TempDir;
use test_support::Pki;

/// What a client and a server are told for each protocol.
pub const PROTOCOLS: [&str; 7] = [
    "protocols = [\"ssl2\"]\nallow = [\"rc4\"]",
    "protocols = [\"pct1\"]\nallow = [\"rc4\"]",
    "protocols = [\"ssl3\"]",
    TLS10,
    TLS12_OF_THE_ENGINE,
    TLS12,
    TLS13,
];

/// The protocols of rustls.
pub const TLS12: &str = "protocols = [\"tls1.2\"]";
/// Protocols of the engine.
pub const TLS10: &str = "protocols = [\"tls1.0\"]";
/// See [`TLS10`].
pub const TLS12_OF_THE_ENGINE: &str = "protocols = [\"tls1.2\"]\nsuites = [\"TLS_RSA_WITH_AES_128_CBC_SHA\"]";
/// See [`TLS12`].
pub const TLS13: &str = "protocols = [\"tls1.3\"]";

/// Longer than any lookup takes where the store is well.
pub const PATIENT: &str = "60s";
/// The deadline that there is unless told otherwise.
pub const USUAL: &str = "50ms";

/// How many sessions a connection makes.
#[must_use]
pub fn sessions_of(protocol: &str) -> usize {
    if protocol == TLS13 { 2 } else { 1 }
}

/// Files that all machines have: a certificate for `localhost`, its root, and two keys of the farm.
pub struct Farm {
    folder: TempDir,
    pki: Pki,
}

impl Farm {
    /// Makes them.
    ///
    /// # Errors
    ///
    /// They cannot be written.
    pub fn new() -> io::Result<Self> {
        let (folder, pki) = (TempDir::new()?, Pki::new());
        pki.server("localhost").rsa_2048().issue().write_as(folder.path(), "server")?;
        for (name, content) in
            [("root.pem", pki.root_pem()), ("old.key", "0b".repeat(32)), ("new.key", "0c".repeat(32))]
        {
            fs::write(folder.path().join(name), content)?;
        }
        Ok(Self { folder, pki })
    }

    /// Where the files are.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Who issued the certificate.
    #[must_use]
    pub fn pki(&self) -> &Pki {
        &self.pki
    }

    /// A client without any session.
    ///
    /// # Errors
    ///
    /// The protocol is none.
    pub fn client(&self, protocol: &str) -> Result<Sspi, Error> {
        Sspi::from_toml(&format!("[schannel]\n{protocol}\nroots = [\"root.pem\"]"), self.folder())
    }

    /// The configuration of a machine whose store is the Redis on this port.
    #[must_use]
    pub fn configuration(protocol: &str, port: u16, deadline: &str, keys: &[&str]) -> String {
        format!(
            "session-store = \"redis://127.0.0.1:{port}/\"\nsession-store-keys = {keys:?}\n\
             session-store-deadline = \"{deadline}\"\n[log]\nlevel = \"info\"\n[schannel]\n{protocol}\n\
             [[schannel.certificates]]\nchain = \"server.pem\"\nkey = \"file:server.key\"\n"
        )
    }

    /// A machine in this process.
    ///
    /// # Errors
    ///
    /// The configuration is none.
    pub fn machine(&self, protocol: &str, port: u16, deadline: &str, keys: &[&str]) -> Result<Sspi, Error> {
        Sspi::from_toml(&Self::configuration(protocol, port, deadline, keys), self.folder())
    }
}
