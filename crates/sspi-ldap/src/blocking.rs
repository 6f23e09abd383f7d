//! The same for threads.

use std::sync::{Mutex, PoisonError};

use sspi_core::{Error, Fault, FoundAccount, PeerIdentity, SecStatus};
use sspi_tokio::{AccountDirectory as _, blocking};
use tokio::runtime::{Builder, Handle, Runtime};

use crate::LdapDirectory;
use crate::connection::failed;

/// An [`LdapDirectory`] with a runtime of its own, of one thread, for blocking streams. The thread begins with the first
/// question. Not for use inside of another runtime.
#[derive(Debug)]
pub struct Blocking {
    directory: LdapDirectory,
    runtime: Mutex<Option<Runtime>>,
}

impl Blocking {
    /// With a directory that nobody else uses: connections belong to the runtime that opened them.
    #[must_use]
    pub fn new(directory: LdapDirectory) -> Self {
        Self { directory, runtime: Mutex::new(None) }
    }

    fn runtime(&self) -> Result<Handle, Error> {
        let mut runtime = self.runtime.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(runtime) = runtime.as_ref() {
            return Ok(runtime.handle().clone());
        }
        let mut builder = Builder::new_multi_thread();
        let built = builder.worker_threads(1).thread_name("sspi-ldap").enable_all().build();
        let built = built.map_err(|error| {
            failed(format!("there is no thread to ask the directory: {error}")).with_source(error)
        })?;
        let handle = built.handle().clone();
        *runtime = Some(built);
        Ok(handle)
    }
}

impl Drop for Blocking {
    /// It may be an asynchronous task that lets it go, which must not wait for a thread.
    fn drop(&mut self) {
        let runtime = self.runtime.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(runtime) = runtime {
            runtime.shutdown_background();
        }
    }
}

impl blocking::Answers for Blocking {
    fn accounts(&self, peer: &PeerIdentity) -> Result<Vec<FoundAccount>, Error> {
        if Handle::try_current().is_ok() {
            let what = "the directory for threads was asked inside of an asynchronous runtime";
            return Err(Error::new(SecStatus::SEC_E_INVALID_HANDLE, Fault::ApiMisuse, what));
        }
        self.runtime()?.block_on(self.directory.find(peer))
    }
}
