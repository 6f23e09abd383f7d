//! The package: its name, its capabilities, and how credentials are acquired.

use std::sync::Arc;

use sspi_core::{CredentialsHandle, CredentialsRequest, Error, PackageInfo, SecPkgFlags, SecurityPackage};

use crate::config::SchannelConfig;
use crate::credentials::SchannelCredentials;
use crate::environment::Environment;
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
}

/// Where the sessions of an instance are kept, and with whom they are shared.
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
        Self { info: Arc::new(info), config, environment, sessions }
    }

    /// The same with sessions of servers that are shared with other machines. They are all stateful then: no server gives
    /// out stateless tickets, whose keys the others do not have.
    #[must_use]
    pub fn with_shared_sessions(mut self, shared: Arc<dyn SharedSessions>) -> Self {
        self.sessions.shared = Some(shared);
        self
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
        let credentials = SchannelCredentials::acquire(
            &self.info,
            &self.config,
            &self.environment,
            &self.sessions,
            request,
        )?;
        Ok(Arc::new(credentials))
    }
}
