//! The package: its name, its capabilities, and how credentials are acquired.

use std::sync::Arc;

use sspi_core::{
    CredentialsHandle, CredentialsRequest, Error, PackageInfo, SecPkgFlags, SecurityPackage, SpProt,
};

use crate::backend::no_protocol;
use crate::config::{Protocol, SchannelConfig};
use crate::credentials::{Configured, SchannelCredentials};
use crate::environment::Environment;
use crate::policy::Policy;
use crate::session_cache::{Limits, SessionCache, SharedSessions};

/// The package's name (`SCHANNEL_NAME`).
pub(crate) const NAME: &str = "Schannel";
/// `UNISP_NAME`.
const UNISP_NAME: &str = "Microsoft Unified Security Protocol Provider";
/// `UNISP_RPC_ID`.
const RPC_ID: u16 = 14;
/// `cbMaxToken`, as newer versions of Windows say.
const MAX_TOKEN: u32 = 0x6000;

/// The Schannel package.
pub struct Schannel {
    info: Arc<PackageInfo>,
    config: SchannelConfig,
    environment: Environment,
    sessions: Sessions,
    /// The protocols of the configuration that may be spoken, in this order; `None`: all, in its order.
    limit: Option<Vec<Protocol>>,
}

/// Where the sessions of an instance are kept, and with whom they are shared.
#[derive(Clone)]
pub(crate) struct Sessions {
    pub(crate) cache: Arc<SessionCache>,
    pub(crate) shared: Option<Arc<dyn SharedSessions>>,
}

impl Schannel {
    /// The package with this configuration. What the configuration names is read when credentials are acquired.
    #[must_use]
    pub fn new(config: SchannelConfig, environment: Environment) -> Self {
        let info = PackageInfo {
            name: NAME.into(),
            aliases: vec![UNISP_NAME.into()],
            comment: "Schannel Security Package: TLS 1.3 down to SSL 2.0, PCT 1.0".into(),
            capabilities: SecPkgFlags::INTEGRITY
                | SecPkgFlags::PRIVACY
                | SecPkgFlags::CONNECTION
                | SecPkgFlags::MULTI_REQUIRED
                | SecPkgFlags::EXTENDED_ERROR
                | SecPkgFlags::IMPERSONATION
                | SecPkgFlags::ACCEPT_WIN32_NAME
                | SecPkgFlags::STREAM
                | SecPkgFlags::MUTUAL_AUTH,
            version: 1,
            rpc_id: RPC_ID,
            max_token: MAX_TOKEN,
            oids: Vec::new(),
        };
        let limits = Limits {
            entries: if config.resume { config.session_cache_entries } else { 0 },
            lifetime: config.session_lifetime.as_secs(),
            idle: config.session_idle_limit.map(|limit| limit.as_secs()),
        };
        let sessions = Sessions { cache: Arc::new(SessionCache::new(limits)), shared: None };
        Self { info: Arc::new(info), config, environment, sessions, limit: None }
    }

    /// The same with sessions of servers that are shared with other machines. They are all stateful then: no server gives
    /// out stateless tickets, whose keys the others do not have.
    #[must_use]
    pub fn with_shared_sessions(mut self, shared: Arc<dyn SharedSessions>) -> Self {
        self.sessions.shared = Some(shared);
        self
    }

    /// What the configuration comes to.
    fn policy(&self) -> Result<Policy, Error> {
        let policy = Policy::read(&self.config)?;
        match &self.limit {
            Some(order) => policy.limited_to(&self.config, order),
            None => Ok(policy),
        }
    }

    /// The sessions of all clients and servers of this instance.
    #[must_use]
    pub const fn session_cache(&self) -> &Arc<SessionCache> {
        &self.sessions.cache
    }
}

impl SecurityPackage for Schannel {
    fn package_info(&self) -> &PackageInfo {
        &self.info
    }

    fn acquire_credentials_handle(
        &self,
        request: &CredentialsRequest,
    ) -> Result<Arc<dyn CredentialsHandle>, Error> {
        let policy = self.policy()?;
        let from = Configured { config: &self.config, policy, environment: &self.environment };
        Ok(Arc::new(SchannelCredentials::acquire(&self.info, from, &self.sessions, request)?))
    }

    fn limited_to(&self, protocols: &[SpProt]) -> Result<Arc<dyn SecurityPackage>, Error> {
        let mut order: Vec<Protocol> = Vec::with_capacity(protocols.len());
        for bits in protocols {
            let named = Protocol::ALL.into_iter().filter(|own| !own.bits().intersection(*bits).is_empty());
            let before = order.len();
            order.extend(named);
            if order.len() == before {
                return Err(no_protocol());
            }
        }
        let mut seen = Vec::with_capacity(order.len());
        order.retain(|protocol| {
            let is_new = !seen.contains(protocol);
            seen.push(*protocol);
            is_new
        });
        // What cannot be shows now, and not with the first credentials; and what was left out once stays so.
        self.policy()?.limited_to(&self.config, &order)?;
        Ok(Arc::new(Self {
            info: Arc::clone(&self.info),
            config: self.config.clone(),
            environment: self.environment.clone(),
            sessions: self.sessions.clone(),
            limit: Some(order),
        }))
    }
}
