//! The same for threads.

use std::io;

use sspi_core::{Error, Fault, FoundAccount, PeerIdentity, SecStatus};
use sspi_tokio::{AccountDirectory as _, blocking};
use tokio::runtime::{Builder, Handle, Runtime};

use crate::LdapDirectory;

/// An [`LdapDirectory`] with a runtime of its own, of one thread, for blocking streams. Not for use inside of another runtime.
#[derive(Debug)]
pub struct Blocking {
    directory: LdapDirectory,
    runtime: Runtime,
}

impl Blocking {
    /// With a directory that nobody else uses: connections belong to the runtime that opened them.
    ///
    /// # Errors
    /// The system has no thread left.
    pub fn new(directory: LdapDirectory) -> io::Result<Self> {
        let runtime =
            Builder::new_multi_thread().worker_threads(1).thread_name("sspi-ldap").enable_all().build()?;
        Ok(Self { directory, runtime })
    }
}

impl blocking::Answers for Blocking {
    fn accounts(&self, peer: &PeerIdentity) -> Result<Vec<FoundAccount>, Error> {
        if Handle::try_current().is_ok() {
            let what = "the directory for threads was asked inside of an asynchronous runtime";
            return Err(Error::new(SecStatus::SEC_E_INVALID_HANDLE, Fault::ApiMisuse, what));
        }
        self.runtime.block_on(self.directory.find(peer))
    }
}
