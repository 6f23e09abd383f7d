//! The package: its name, its capabilities, and how credentials are acquired.

use std::sync::Arc;

use sspi_core::{CredentialsHandle, CredentialsRequest, Error, PackageInfo, SecPkgFlags, SecurityPackage};

use crate::config::SchannelConfig;
use crate::credentials::SchannelCredentials;
use crate::environment::Environment;

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
}

impl Schannel {
    /// The package with this configuration. What the configuration names is read when credentials are acquired.
    #[must_use]
    pub fn new(config: SchannelConfig, environment: Environment) -> Self {
        let info = PackageInfo {
            name: NAME.into(),
            aliases: vec![UNISP_NAME.into()],
            comment: "Schannel Security Package: TLS 1.3 down to SSL 3.0".into(),
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
        Self { info: Arc::new(info), config, environment }
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
        let credentials = SchannelCredentials::acquire(&self.info, &self.config, &self.environment, request)?;
        Ok(Arc::new(credentials))
    }
}
