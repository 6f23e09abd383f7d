//! The package: its name, its capabilities, and how credentials are acquired.

use std::sync::Arc;

use lock_out::LockOuts;
use sspi_core::{
    CredentialsHandle, CredentialsRequest, Error, ExportedContext, PackageInfo, SecPkgFlags, SecurityContext,
    SecurityPackage,
};

use crate::config::DigestConfig;
use crate::credentials::DigestCredentials;
use crate::environment::Environment;
use crate::export;

/// The package's name (`WDIGEST_SP_NAME`).
pub(crate) const NAME: &str = "WDigest";

/// `RPC_C_AUTHN_DIGEST`.
const RPC_ID: u16 = 21;

/// `cbMaxToken`: as long as a header field of HTTP may be.
const MAX_TOKEN: u32 = 16 * 1024;

/// `cbMaxSignature` and `cbSecurityTrailer`, as Windows says; no message needs more than 24.
pub(crate) const MAX_SIGNATURE: usize = 26;

/// The Digest package.
pub struct Digest {
    info: Arc<PackageInfo>,
    config: Arc<DigestConfig>,
    environment: Environment,
    lock_outs: Arc<LockOuts>,
}

impl Digest {
    /// The package with this configuration.
    #[must_use]
    pub fn new(config: DigestConfig, environment: Environment) -> Self {
        let info = PackageInfo {
            name: NAME.into(),
            aliases: vec!["Digest".into()],
            comment: "Digest Authentication for HTTP and SASL".into(),
            capabilities: SecPkgFlags::INTEGRITY
                | SecPkgFlags::PRIVACY
                | SecPkgFlags::CONNECTION
                | SecPkgFlags::MULTI_REQUIRED
                | SecPkgFlags::IMPERSONATION
                | SecPkgFlags::ACCEPT_WIN32_NAME
                | SecPkgFlags::MUTUAL_AUTH,
            version: 1,
            rpc_id: RPC_ID,
            max_token: MAX_TOKEN,
            oids: Vec::new(),
        };
        let lock_outs = Arc::new(LockOuts::new(config.lock_out));
        Self { info: Arc::new(info), config: Arc::new(config), environment, lock_outs }
    }
}

impl SecurityPackage for Digest {
    fn package_info(&self) -> &PackageInfo {
        &self.info
    }

    fn acquire_credentials_handle(
        &self,
        request: &CredentialsRequest,
    ) -> Result<Arc<dyn CredentialsHandle>, Error> {
        let Self { info, config, environment, lock_outs } = self;
        let credentials = DigestCredentials::acquire(info, config, environment, lock_outs, request)?;
        Ok(Arc::new(credentials))
    }

    fn import_security_context(&self, exported: &ExportedContext) -> Result<Box<dyn SecurityContext>, Error> {
        Ok(Box::new(export::import(&self.info, exported)?))
    }
}
