//! The same for threads.

use std::sync::{Mutex, PoisonError, mpsc};

use sspi_core::{Error, FoundAccount, PeerIdentity};
use sspi_tokio::{AccountDirectory as _, blocking};
use tokio::runtime::{Builder, Handle, Runtime};

use crate::LdapDirectory;
use crate::connection::failed;

/// An [`LdapDirectory`] with a runtime of its own, of one thread, for blocking streams. The thread begins with the first
/// question. Whoever asks waits, which is nothing for asynchronous tasks; threads of another runtime that are for what blocks
/// (`spawn_blocking`) may.
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
        let (sender, answer) = mpsc::sync_channel(1);
        let (directory, peer) = (self.directory.clone(), peer.clone());
        // The runtime cannot wait in here: this thread may be one that another runtime has for what blocks.
        self.runtime()?.spawn(async move {
            let _nobody_waits = sender.send(directory.find(&peer).await);
        });
        answer.recv().unwrap_or_else(|gone| {
            Err(failed("the thread that asks the directory has ended").with_source(gone))
        })
    }
}
