//! The files that a peer is given, and the certificates in them.

use std::path::Path;
use std::{fs, io};

use test_support::{TestCertificate, hex};

/// A certificate with its key, in PEM, for a peer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The name under which a peer finds it that keeps certificates itself.
    pub name: String,
    /// The chain, leaf first, without the root.
    pub chain: String,
    /// The chain without the leaf.
    pub intermediates: String,
    /// The private key, PKCS#8.
    pub key: String,
    /// SHA-256 of the leaf in hexadecimal.
    pub sha256: String,
}

impl From<&TestCertificate> for Identity {
    fn from(certificate: &TestCertificate) -> Self {
        Self {
            name: certificate.name().to_owned(),
            chain: certificate.chain_pem(),
            intermediates: certificate.intermediates_pem(),
            key: certificate.key_pem(),
            sha256: hex::encode(certificate.sha256()),
        }
    }
}

impl From<&Identity> for Identity {
    fn from(identity: &Identity) -> Self {
        identity.clone()
    }
}

/// The files a peer is given, in a folder of its own that goes when the peer goes.
#[derive(Debug)]
pub(crate) struct Files {
    folder: tempfile::TempDir,
}

impl Files {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self { folder: tempfile::Builder::new().prefix("opensspi-peer-").tempdir()? })
    }

    /// Writes a file and gives its path as an argument.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> io::Result<String> {
        let path = self.folder.path().join(name);
        fs::write(&path, content)?;
        Ok(argument(&path))
    }

    /// Writes chain and key, and gives their paths.
    pub(crate) fn certificate(&self, certificate: impl Into<Identity>) -> io::Result<(String, String)> {
        let certificate = certificate.into();
        Ok((
            self.write("certificate.pem", &certificate.chain)?,
            self.write("certificate.key", &certificate.key)?,
        ))
    }

    /// The path of a file that the peer will write.
    pub(super) fn reserve(&self, name: &str) -> String {
        argument(&self.folder.path().join(name))
    }
}

/// A path of ours as a command-line argument.
pub(super) fn argument(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
