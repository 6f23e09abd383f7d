//! What `AcquireCredentialsHandle` yields: a user with a password, or a server's realm with its nonces.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use lock_out::LockOuts;
use sspi_core::{
    AcceptRequest, AcceptSecurityContext, AuthData, AuthIdentity, ChannelBindings, CredentialUse,
    CredentialsHandle, CredentialsRequest, Fault, HttpRequest, InitializeRequest, InitializeSecurityContext,
    PackageInfo, QueryCredentialsAttributes, SecStatus, Secret, referred_password,
};
use zeroize::Zeroizing;

use crate::algorithm::Qop;
use crate::challenge::{Challenge, Dialect, LEAST_MAXBUF};
use crate::client::Client;
use crate::config::{DigestConfig, Mode};
use crate::environment::Environment;
use crate::nonce::{Mint, Rules, Table};
use crate::package::NAME;
use crate::server::Server;
use crate::status::{Error, Foreign};
use crate::steady_clock::SteadyClock;
use crate::text::{Text, hex, nfc};

/// A Digest credential.
pub(crate) struct DigestCredentials {
    shared: Arc<Shared>,
    credential_use: CredentialUse,
}

/// What the handshakes of a credential share.
pub(crate) struct Shared {
    pub(crate) info: Arc<PackageInfo>,
    pub(crate) config: Arc<DigestConfig>,
    pub(crate) environment: Environment,
    /// Of a client.
    pub(crate) identity: Option<Identity>,
    pub(crate) sessions: Sessions,
    /// Of a server.
    pub(crate) acceptor: Option<Acceptor>,
    /// Of the package: another credential does not begin to count anew.
    pub(crate) lock_outs: Arc<LockOuts>,
}

/// A user, as it is hashed.
pub(crate) struct Identity {
    pub(crate) user: String,
    pub(crate) domain: String,
    pub(crate) password: Secret<String>,
}

/// A server's realm, and its nonces.
pub(crate) struct Acceptor {
    pub(crate) realm: String,
    pub(crate) mint: Mint,
    pub(crate) table: Table,
    /// What nonces are made and judged by.
    pub(crate) clock: SteadyClock,
    /// In place of the secret of a user that there is not.
    pub(crate) dummy: Zeroizing<String>,
}

impl DigestCredentials {
    pub(crate) fn acquire(
        info: &Arc<PackageInfo>,
        config: &Arc<DigestConfig>,
        environment: &Environment,
        lock_outs: &Arc<LockOuts>,
        request: &CredentialsRequest,
    ) -> Result<Self, Error> {
        check(config)?;
        let credential_use = request.credential_use;
        let identity = match &request.auth_data {
            // An application that brings a user along for its clients may bring it along for its servers, too.
            AuthData::Configured | AuthData::Identity(_) if credential_use == CredentialUse::Inbound => None,
            AuthData::Identity(AuthIdentity { user, domain, password }) => {
                Some(Identity::new(user, domain, password.expose_secret()))
            }
            AuthData::Configured => Some(configured(config, environment)?),
            AuthData::Certificate(_) | AuthData::Package(_) => {
                return Err(Error::UnknownCredentials("Digest authenticates with a name and a password"));
            }
        };
        if identity.as_ref().is_some_and(|identity| identity.user.contains(':')) {
            return Err(Error::UnknownCredentials("a name of Digest has no colon"));
        }
        let acceptor = match credential_use {
            CredentialUse::Outbound => None,
            CredentialUse::Inbound | CredentialUse::Both => Some(Acceptor::new(config, environment)?),
        };
        let shared = Shared {
            info: Arc::clone(info),
            config: Arc::clone(config),
            environment: environment.clone(),
            identity,
            sessions: Sessions::default(),
            acceptor,
            lock_outs: Arc::clone(lock_outs),
        };
        Ok(Self { shared: Arc::new(shared), credential_use })
    }
}

impl Identity {
    fn new(user: &str, domain: &str, password: &str) -> Self {
        Self { user: nfc(user), domain: domain.to_owned(), password: Secret::new(nfc(password)) }
    }
}

/// What the configuration says.
fn configured(config: &DigestConfig, environment: &Environment) -> Result<Identity, Error> {
    let missing = |setting, what| {
        let error = sspi_core::Error::new(SecStatus::SEC_E_NO_CREDENTIALS, Fault::Configuration, what);
        Error::Foreign(Foreign(error.with_setting(setting)))
    };
    let Some(user) = &config.user else {
        return Err(missing(
            "digest.user",
            "Digest needs a name and a password, and nobody is said to log on as",
        ));
    };
    let Some(reference) = &config.password else {
        return Err(missing("digest.password", "the user has no password"));
    };
    let password = referred_password(&*environment.secrets, "digest.password", reference)
        .map_err(|error| Error::Foreign(Foreign(error)))?;
    Ok(Identity::new(user, config.domain.as_deref().unwrap_or_default(), &password))
}

impl Acceptor {
    fn new(config: &DigestConfig, environment: &Environment) -> Result<Self, Error> {
        let realm = config.realm.clone().ok_or(Error::Configuration {
            setting: "digest.realm",
            what: "a server has a realm, and none is configured".into(),
        })?;
        let random = &*environment.random;
        let mut dummy = Zeroizing::new([0; 16]);
        random.fill(dummy.as_mut())?;
        let rules = Rules {
            lifetime: config.nonce_lifetime,
            most_uses: if config.single_use_nonces { 1 } else { config.max_nonce_count },
            capacity: config.nonce_table_entries,
        };
        let dummy = Zeroizing::new(hex(dummy.as_ref()));
        let clock = SteadyClock::new(&environment.clock);
        Ok(Self { realm, mint: Mint::new(random)?, table: Table::new(rules), clock, dummy })
    }
}

/// Refuses what no handshake could use.
fn check(config: &DigestConfig) -> Result<(), Error> {
    let refuse = |setting, what: &'static str| Err(Error::Configuration { setting, what: what.into() });
    if config.qop.is_empty() {
        return refuse("digest.qop", "no quality of protection is left");
    }
    if config.mode != Mode::Sasl && config.algorithms.is_empty() {
        return refuse("digest.algorithms", "no algorithm is left");
    }
    if config.mode == Mode::Sasl && config.qop == [Qop::AuthConf] && config.ciphers.is_empty() {
        return refuse("digest.ciphers", "no cipher is left");
    }
    if !(LEAST_MAXBUF + 1..=MOST_MAXBUF).contains(&config.maxbuf) {
        return refuse("digest.maxbuf", "a protected message has from 33 to 16777215 bytes");
    }
    if config.max_nonce_count == 0 || config.nonce_table_entries == 0 {
        return refuse("digest.max-nonce-count", "no nonce could be used");
    }
    let realm = config.realm.as_deref().unwrap_or_default();
    if realm.len() > MOST_REALM || realm.chars().any(char::is_control) {
        return refuse("digest.realm", "a realm has at most 255 bytes and no control characters");
    }
    Ok(())
}

/// The longest realm, in bytes: a challenge of SASL has less than 2048.
const MOST_REALM: usize = 255;

/// The most that other implementations of SASL take, in bytes.
const MOST_MAXBUF: u32 = 0xFF_FFFF;

impl Shared {
    /// In which form a handshake speaks.
    pub(crate) fn dialect(&self, http: Option<&HttpRequest>) -> Result<Dialect, Error> {
        match (self.config.mode, http) {
            (Mode::Auto | Mode::Http, Some(_)) => Ok(Dialect::Http),
            (Mode::Auto | Mode::Sasl, None) => Ok(Dialect::Sasl),
            (Mode::Http, None) => {
                Err(Error::Misuse("the HTTP request that is to be authenticated is missing"))
            }
            (Mode::Sasl, Some(_)) => {
                Err(Error::Configuration { setting: "digest.mode", what: "HTTP is not spoken here".into() })
            }
        }
    }

    /// The qualities of protection that are configured and that this form has, the strongest first.
    pub(crate) fn qualities(&self, dialect: Dialect) -> Vec<Qop> {
        let all = match dialect {
            Dialect::Http => [Qop::AuthInt, Qop::Auth, Qop::None],
            Dialect::Sasl => [Qop::AuthConf, Qop::AuthInt, Qop::Auth],
        };
        let is_possible = |qop: &Qop| *qop != Qop::AuthConf || !self.config.ciphers.is_empty();
        all.into_iter().filter(|qop| self.config.qop.contains(qop) && is_possible(qop)).collect()
    }
}

impl QueryCredentialsAttributes for DigestCredentials {
    fn package_name(&self) -> &str {
        NAME
    }

    fn names(&self) -> Result<String, sspi_core::Error> {
        let identity = self.shared.identity.as_ref().ok_or(Error::NoCredentials("a server has no name"))?;
        Ok(identity.user.clone())
    }
}

impl CredentialsHandle for DigestCredentials {
    fn package_info(&self) -> &PackageInfo {
        &self.shared.info
    }

    fn credential_use(&self) -> CredentialUse {
        self.credential_use
    }

    fn initialize(
        &self,
        request: &InitializeRequest,
    ) -> Result<Box<dyn InitializeSecurityContext>, sspi_core::Error> {
        Ok(Box::new(Client::new(&self.shared, request)?))
    }

    fn accept(&self, request: &AcceptRequest) -> Result<Box<dyn AcceptSecurityContext>, sspi_core::Error> {
        Ok(Box::new(Server::new(&self.shared, request)?))
    }
}

/// With what a client logged on before, by target: the nonce can be used again.
#[derive(Default)]
pub(crate) struct Sessions(Mutex<VecDeque<(SessionTarget, Session)>>);

/// Whom a client logged on to, in which form, and over which channel: who listens to one channel, or has the same name at
/// the end of another, is not told what is good for the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SessionTarget {
    pub(crate) name: String,
    /// Of HTTP: what tells servers of this name apart.
    pub(crate) space: Option<String>,
    pub(crate) is_http: bool,
    pub(crate) bindings: Option<ChannelBindings>,
}

/// A challenge, and how often it was answered.
#[derive(Clone)]
pub(crate) struct Session {
    pub(crate) challenge: Challenge,
    pub(crate) count: u32,
    /// What the key of the session is made of, where it has one.
    pub(crate) begun: Option<Begun>,
}

/// The nonces of both ends in the first response of a session (nonce-prime and cnonce-prime).
///
/// Spec: DIGEST (RFC 7616) section 3.4.2.
#[derive(Clone)]
pub(crate) struct Begun {
    pub(crate) nonce: Text,
    pub(crate) cnonce: Text,
}

/// How many targets are remembered.
const MOST_SESSIONS: usize = 64;

impl Sessions {
    /// The session of a target, counted up for another use, if its challenge serves that.
    pub(crate) fn next(
        &self,
        target: &SessionTarget,
        serves: impl Fn(&Challenge) -> bool,
    ) -> Option<Session> {
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, session) = sessions.iter_mut().find(|(name, _)| name == target)?;
        if !serves(&session.challenge) {
            return None;
        }
        session.count = session.count.checked_add(1)?;
        Some(session.clone())
    }

    /// Remembers a session in place of the one that there was.
    pub(crate) fn put(&self, target: &SessionTarget, session: Session) {
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|(name, _)| name != target);
        if sessions.len() == MOST_SESSIONS {
            sessions.pop_front();
        }
        sessions.push_back((target.clone(), session));
    }

    /// Puts the nonce that the server wants to see next in the place of the one that was used, if that is still the one.
    pub(crate) fn renew(&self, target: &SessionTarget, used: &Text, next: Text) {
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found =
            sessions.iter_mut().find(|(name, session)| name == target && session.challenge.nonce == *used);
        if let Some((_, session)) = found {
            session.challenge.nonce = next;
            session.count = 0;
        }
    }

    /// Forgets the session with this nonce.
    pub(crate) fn forget(&self, target: &SessionTarget, nonce: &Text) {
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|(name, session)| name != target || session.challenge.nonce != *nonce);
    }
}
