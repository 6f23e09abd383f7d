//! Files with lists of revoked certificates, read again when they change: a certificate that is revoked while a server runs
//! is refused without a restart.
//!
//! Nobody watches them. Whoever judges a certificate when a minute has passed since somebody looked reads them again. What
//! cannot be read changes nothing and is said once: the lists stay what they were, until they are out of date.

use core::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};
use std::time::{Duration, SystemTime};

use rustls_pki_types::CertificateRevocationListDer;
use sspi_core::{Error, Fault, SecStatus};

use super::{harmless, pem};
use crate::environment::Materials;

/// How long nobody looks.
const HOLDS: Duration = Duration::from_secs(60);

/// The files of a configuration.
pub(crate) struct CrlFiles {
    materials: Arc<dyn Materials>,
    references: Vec<String>,
    state: RwLock<State>,
    /// Whoever reads the files; others go on with what there is.
    reading: Mutex<()>,
}

struct State {
    looked: SystemTime,
    is_failing: bool,
    current: Crls,
}

/// The lists at one time.
#[derive(Clone)]
pub(crate) struct Crls {
    /// How often they have changed.
    pub(crate) generation: u64,
    pub(crate) lists: Arc<[CertificateRevocationListDer<'static>]>,
}

impl CrlFiles {
    /// Reads these files for the first time.
    ///
    /// # Errors
    /// One cannot be read; the error names the setting.
    pub(crate) fn read(
        materials: &Arc<dyn Materials>,
        references: &[String],
        now: SystemTime,
    ) -> Result<Self, Error> {
        let lists = read(&**materials, references)?;
        let current = Crls { generation: 0, lists };
        Ok(Self {
            materials: Arc::clone(materials),
            references: references.to_vec(),
            state: RwLock::new(State { looked: now, is_failing: false, current }),
            reading: Mutex::default(),
        })
    }

    fn state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The lists as they are, or were a minute ago.
    pub(crate) fn at(&self, now: SystemTime) -> Crls {
        // A clock that was set back says nothing of how long ago it was.
        let is_due = now.duration_since(self.state().looked).map_or(true, |age| age >= HOLDS);
        if is_due && let Ok(_alone) = self.reading.try_lock() {
            self.look(now);
        }
        self.state().current.clone()
    }

    fn look(&self, now: SystemTime) {
        let read = read(&*self.materials, &self.references);
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        state.looked = now;
        let was_failing = core::mem::replace(&mut state.is_failing, read.is_err());
        match read {
            Ok(lists) if lists == state.current.lists => {}
            Ok(lists) => {
                tracing::info!(lists = lists.len(), "revocation lists were read again");
                state.current = Crls { generation: state.current.generation + 1, lists };
            }
            Err(_) if was_failing => {}
            Err(error) => {
                let error = harmless(&error.to_string());
                tracing::error!(%error, "revocation lists cannot be read; they stay what they were");
            }
        }
    }
}

fn read(
    materials: &dyn Materials,
    references: &[String],
) -> Result<Arc<[CertificateRevocationListDer<'static>]>, Error> {
    let wrong = |what: String| {
        Error::new(SecStatus::SEC_E_UNKNOWN_CREDENTIALS, Fault::Configuration, what).with_setting("crls")
    };
    let mut lists = Vec::new();
    for reference in references {
        let bytes = materials
            .read(reference)
            .map_err(|error| wrong(format!("cannot read {reference}: {error}")).with_source(error))?;
        let of_file = pem::crls(&bytes).map_err(|error| wrong(format!("{reference}: {error}")))?;
        lists.extend(of_file.into_iter().map(CertificateRevocationListDer::from));
    }
    Ok(lists.into())
}

impl fmt::Debug for CrlFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CrlFiles").field("references", &self.references).finish_non_exhaustive()
    }
}
