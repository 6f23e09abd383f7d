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
//! The account is called what the client calls it, since winbind says no name: so that no name is one that the client has
//! made up, only those are asked about that mean one account of one domain. An empty domain is the machine's, another one is
//! one that winbind knows, and names with `@` or a `$` at their end are for [`Options`] to allow.
//!
//! Winbind gives keys to members of the group that owns its privileged pipe (`winbindd_priv` with Debian) only.

mod child;
mod protocol;

use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use sspi_core::{Account, Error, Fault, LogonProof, LogonRequest, LogonVerdict, SecStatus};
use sspi_tokio::AccountDatabase;
use tokio::sync::{Mutex, OnceCell, Semaphore};
use tokio::time::Instant;

use crate::child::{Child, NoAnswer};

/// How winbind is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The program: `ntlm_auth`, or where it is.
    pub program: PathBuf,
    /// How many children there are at most: as many questions are asked at once.
    pub children: usize,
    /// When a question is given up that a child was asked. The child is, too: what it would say later is no answer to
    /// anything.
    pub deadline: Duration,
    /// The domain (NetBIOS) of accounts that a client names without one. If nothing is said, `wbinfo --own-domain` is asked
    /// once; it is looked for where `program` is.
    pub domain: Option<String>,
    /// The other domains (NetBIOS) that a client may name. If nothing is said, `wbinfo --all-domains` is asked. An account's
    /// domain is called as it is there.
    pub domains: Vec<String>,
    /// Whether names such as `alice@corp.example` are asked about. The account is then called that, whichever it is: winbind
    /// says the key and no name.
    pub allows_principal_names: bool,
    /// Whether names that end in `$` are asked about, which are those of machines and of trusts.
    pub allows_machines: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            program: "ntlm_auth".into(),
            children: 8,
            deadline: Duration::from_secs(5),
            domain: None,
            domains: Vec::new(),
            allows_principal_names: false,
            allows_machines: false,
        }
    }
}

/// Why winbind is not asked about a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NotAsked {
    NoName,
    PrincipalName,
    Machine,
    Domain,
}

impl NotAsked {
    const fn what(self) -> &'static str {
        match self {
            Self::NoName => "what is no name of one account",
            Self::PrincipalName => "principal names",
            Self::Machine => "machines",
            Self::Domain => "domains that winbind does not know",
        }
    }

    /// What would have it asked.
    const fn setting(self) -> Option<&'static str> {
        match self {
            Self::NoName => None,
            Self::PrincipalName => Some("logon.winbind-principal-names"),
            Self::Machine => Some("logon.winbind-machines"),
            Self::Domain => Some("logon.winbind-domains"),
        }
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
    /// The machine's domain, once it is known.
    own_domain: OnceCell<String>,
    /// All that it knows of.
    domains: Mutex<Domains>,
}

/// The domains that winbind knows.
#[derive(Debug, Default)]
struct Domains {
    names: Vec<String>,
    asked: Option<Instant>,
}

/// Winbind is asked again about a domain that it did not know, but not sooner.
const ASKED_AGAIN: Duration = Duration::from_secs(60);

impl Winbind {
    /// Nothing is started until somebody logs on.
    #[must_use]
    pub fn new(options: Options) -> Self {
        let permits = Semaphore::new(options.children.clamp(1, Semaphore::MAX_PERMITS));
        Self {
            options,
            permits,
            idle: Mutex::default(),
            own_domain: OnceCell::new(),
            domains: Mutex::default(),
        }
    }

    /// Asks a child, and keeps it if it has given one answer and nothing else. The time begins when there is one to ask:
    /// who waits for slow answers to others has lost nothing.
    async fn ask(&self, question: &str) -> Result<protocol::Answer, Error> {
        let _permit = self.permits.acquire().await.map_err(|error| unavailable(&error))?;
        let answer = tokio::time::timeout(self.options.deadline, self.ask_child(question)).await;
        answer.unwrap_or_else(|_| Err(unavailable(&"it did not answer in time")))
    }

    async fn ask_child(&self, question: &str) -> Result<protocol::Answer, Error> {
        let (mut child, was_idle) = match self.idle_child().await {
            Some(child) => (child, true),
            None => (Child::start(&self.options.program)?, false),
        };
        let answer = match child.ask(question).await {
            // It may have died while nobody looked. Whoever was asked may have asked the domain controller, who counts.
            Err(NoAnswer::NotAsked(_)) if was_idle => {
                child = Child::start(&self.options.program)?;
                child.ask(question).await
            }
            answer => answer,
        };
        let answer = answer.map_err(NoAnswer::into_error)?;
        if answer.is_plain() && child.is_silent().await {
            self.idle.lock().await.push(child);
        }
        Ok(answer)
    }

    /// One that has nothing to do. Those that have said something since are ended.
    async fn idle_child(&self) -> Option<Child> {
        loop {
            let mut child = self.idle.lock().await.pop()?;
            if child.is_silent().await {
                return Some(child);
            }
        }
    }

    /// The account that the client means; why winbind is not asked, if it may be another one than its name says.
    async fn account(&self, request: &LogonRequest) -> Result<Result<Account, NotAsked>, Error> {
        let LogonRequest { user, domain, .. } = request;
        let is_odd = |name: &str| name.contains(['\\', '/']) || name.chars().any(char::is_control);
        if user.is_empty() || is_odd(user) || is_odd(domain) {
            return Ok(Err(NotAsked::NoName));
        }
        if user.ends_with('$') && !self.options.allows_machines {
            return Ok(Err(NotAsked::Machine));
        }
        let account = Account { name: user.clone(), ..Account::default() };
        Ok(if user.contains('@') {
            match (domain.is_empty(), self.options.allows_principal_names) {
                (false, _) => Err(NotAsked::NoName),
                (true, false) => Err(NotAsked::PrincipalName),
                (true, true) => Ok(Account { upn: Some(user.clone()), ..account }),
            }
        } else if domain.is_empty() {
            Ok(Account { domain: Some(self.own_domain().await?.to_owned()), ..account })
        } else {
            let domain = self.known_domain(domain).await?;
            domain.map(|domain| Account { domain: Some(domain), ..account }).ok_or(NotAsked::Domain)
        })
    }

    /// A domain that a client names, as it is called; none if winbind does not know it. What a domain controller makes of one
    /// that it does not know is its own affair, and the account would be called what the client has made up.
    async fn known_domain(&self, named: &str) -> Result<Option<String>, Error> {
        let named = named.to_uppercase();
        let is_it = |one: &&String| one.to_uppercase() == named;
        let Options { domain, domains, program, deadline, .. } = &self.options;
        let said = domain.iter().chain(domains).find(is_it).cloned();
        if said.is_some() || !domains.is_empty() {
            return Ok(said);
        }
        let mut known = self.domains.lock().await;
        let is_fresh = known.asked.is_some_and(|asked| asked.elapsed() < ASKED_AGAIN);
        if !is_fresh && !known.names.iter().any(|one| is_it(&one)) {
            let asked = tokio::time::timeout(*deadline, child::domains(program)).await;
            known.names = asked.unwrap_or_else(|_| Err(unavailable(&"wbinfo did not answer in time")))?;
            known.asked = Some(Instant::now());
        }
        Ok(known.names.iter().find(is_it).cloned())
    }

    /// The machine's domain.
    async fn own_domain(&self) -> Result<&str, Error> {
        if let Some(domain) = &self.options.domain {
            return Ok(domain);
        }
        let asked = tokio::time::timeout(
            self.options.deadline,
            self.own_domain.get_or_try_init(|| child::own_domain(&self.options.program)),
        );
        Ok(asked.await.unwrap_or_else(|_| Err(unavailable(&"wbinfo did not answer in time")))?.as_str())
    }
}

#[async_trait]
impl AccountDatabase for Winbind {
    async fn logon(&self, request: &LogonRequest) -> Result<LogonVerdict, Error> {
        let LogonProof::ChallengeResponse { challenge, nt_response, lm_response } = &request.proof else {
            let what = format!("winbind judges no proofs of the package {}", request.package);
            return Err(Error::new(SecStatus::SEC_E_UNSUPPORTED_FUNCTION, Fault::Configuration, what));
        };
        if !protocol::is_askable(nt_response, lm_response) {
            tracing::debug!("winbind is not asked about a malformed response");
            return Ok(LogonVerdict::Denied);
        }
        let account = match self.account(request).await? {
            Ok(account) => account,
            Err(why) => {
                let (user, domain, setting) = (&request.user, &request.domain, why.setting());
                tracing::info!(?user, ?domain, setting, "winbind is not asked about {}", why.what());
                return Ok(LogonVerdict::Denied);
            }
        };
        // The domain is under the proof as the client writes it, in whichever case.
        let domain = match request.domain.as_str() {
            "" => account.domain.as_deref().unwrap_or_default(),
            named => named,
        };
        let names = (account.name.as_str(), domain);
        let question = protocol::question(names, challenge, nt_response, lm_response);
        self.ask(&question).await?.verdict(account)
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
