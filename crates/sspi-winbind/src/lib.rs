//! NTLM logons of domain accounts, judged by Samba's winbind: the domain controller compares, and no hash comes out.
//!
//! The machine is a member of a domain, winbind runs, and `ntlm_auth --helper-protocol=ntlm-server-1` asks it, as a child
//! process that answers one question after the other. A few of them are kept, so that one slow answer holds up no other.
//!
//! ```no_run
//! use sspi_tokio::{HandshakeOptions, Framing, Logons};
//! use sspi_winbind::{Options, Winbind};
//!
//! let winbind = Winbind::new(Options::default());
//! let options = HandshakeOptions::new(Framing::Nns).with_answers(Logons(winbind));
//! ```
//!
//! Winbind gives keys to members of the group that owns its privileged pipe (`winbindd_priv` with Debian) only.

mod child;
mod protocol;

use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use sspi_core::{Error, Fault, LogonProof, LogonRequest, LogonVerdict, SecStatus};
use sspi_tokio::AccountDatabase;
use tokio::sync::{Mutex, Semaphore};

use crate::child::Child;

/// How winbind is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The program: `ntlm_auth`, or where it is.
    pub program: PathBuf,
    /// How many children there are at most: as many questions are asked at once.
    pub children: usize,
    /// When a question is given up. Its child is, too: what it would say later is no answer to anything.
    pub deadline: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { program: "ntlm_auth".into(), children: 8, deadline: Duration::from_secs(5) }
    }
}

/// Winbind, as a database of accounts.
#[derive(Debug)]
pub struct Winbind {
    options: Options,
    /// One permit for each child that may be asked.
    permits: Semaphore,
    /// Those that have nothing to do.
    idle: Mutex<Vec<Child>>,
}

impl Winbind {
    /// Nothing is started until somebody logs on.
    #[must_use]
    pub fn new(options: Options) -> Self {
        let permits = Semaphore::new(options.children.clamp(1, Semaphore::MAX_PERMITS));
        Self { options, permits, idle: Mutex::default() }
    }

    /// Asks a child, and keeps it if it answered.
    async fn ask(&self, question: &str) -> Result<protocol::Answer, Error> {
        let _permit = self.permits.acquire().await.map_err(|error| unavailable(&error))?;
        let idle = self.idle.lock().await.pop();
        let was_idle = idle.is_some();
        let mut child = match idle {
            Some(child) => child,
            None => Child::start(&self.options.program)?,
        };
        let answer = match child.ask(question).await {
            // It may have died while nobody looked.
            Err(_) if was_idle => {
                child = Child::start(&self.options.program)?;
                child.ask(question).await
            }
            answer => answer,
        };
        let answer = answer?;
        self.idle.lock().await.push(child);
        Ok(answer)
    }
}

#[async_trait]
impl AccountDatabase for Winbind {
    async fn logon(&self, request: &LogonRequest) -> Result<LogonVerdict, Error> {
        let LogonProof::ChallengeResponse { challenge, nt_response, lm_response } = &request.proof else {
            let what = format!("winbind judges no proofs of the package {}", request.package);
            return Err(Error::new(SecStatus::SEC_E_UNSUPPORTED_FUNCTION, Fault::Configuration, what));
        };
        let question = protocol::question(request, challenge, nt_response, lm_response);
        let answer = tokio::time::timeout(self.options.deadline, self.ask(&question)).await;
        answer.unwrap_or_else(|_| Err(unavailable(&"it did not answer in time")))?.verdict(request)
    }
}

/// `SEC_E_NO_AUTHENTICATING_AUTHORITY`.
fn unavailable(why: &dyn std::fmt::Display) -> Error {
    let message = format!("winbind cannot be asked: {why}");
    Error::new(SecStatus::SEC_E_NO_AUTHENTICATING_AUTHORITY, Fault::Configuration, message)
        .with_setting("logon.winbind")
}

#[cfg(all(test, unix))]
mod tests;
