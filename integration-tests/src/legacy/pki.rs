//! The certificates of these tests, which `peers/pki.sh` makes: of kinds that the other tests have no use for, and the
//! same for every process, since NSS keeps them in a database.

use std::path::PathBuf;
use std::{fs, io};

use super::Key;
use crate::peers::{Identity, PeerError, installed};

/// The certificates of these tests.
#[derive(Clone, Debug)]
pub struct Pki {
    folder: PathBuf,
}

impl Pki {
    /// Finds them.
    ///
    /// # Errors
    ///
    /// They have not been made.
    pub fn find() -> Result<Self, PeerError> {
        Ok(Self { folder: installed("pki").map_err(PeerError::new)? })
    }

    /// The root in PEM.
    ///
    /// # Errors
    ///
    /// It cannot be read.
    pub fn root(&self) -> io::Result<String> {
        fs::read_to_string(self.folder.join("root.pem"))
    }

    /// The certificate of `localhost`.
    ///
    /// # Errors
    ///
    /// It cannot be read.
    pub fn server(&self, key: Key) -> io::Result<Identity> {
        self.identity(&format!("server-{}", key.name()))
    }

    /// The certificate of a client.
    ///
    /// # Errors
    ///
    /// It cannot be read, or there is none of this kind.
    pub fn client(&self, key: Key) -> io::Result<Identity> {
        self.identity(&format!("client-{}", key.name()))
    }

    fn identity(&self, name: &str) -> io::Result<Identity> {
        let read = |extension: &str| fs::read_to_string(self.folder.join(format!("{name}.{extension}")));
        Ok(Identity {
            name: name.to_owned(),
            chain: read("pem")?,
            intermediates: String::new(),
            key: read("key")?,
            sha256: read("sha256")?.trim().to_owned(),
        })
    }
}
