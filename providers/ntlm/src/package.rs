//! The package: its name, its capabilities, and how credentials are acquired.

use std::sync::Arc;

use lock_out::LockOuts;
use sspi_core::{
    CredentialsHandle, CredentialsRequest, Error, ExportedContext, Oid, PackageInfo, SecPkgFlags,
    SecurityContext, SecurityPackage,
};

use crate::challenges::Challenges;
use crate::config::{ExtendedSessionSecurity, NtlmConfig};
use crate::credentials::NtlmCredentials;
use crate::environment::Environment;
use crate::export;
use crate::messages::NegotiateFlags;
use crate::server::Names;
use crate::status;

/// The package's name (`NTLMSP_NAME`).
pub(crate) const NAME: &str = "NTLM";
/// `RPC_C_AUTHN_WINNT`.
const RPC_ID: u16 = 10;
/// `cbMaxToken`.
pub(crate) const MAX_TOKEN: u32 = 2888;
/// The mechanism's object identifier, 1.3.6.1.4.1.311.2.2.10, without tag and length.
///
/// Spec: MS-NLMP section 1.9.
const OID: [u8; 10] = [0x2b, 6, 1, 4, 1, 0x82, 0x37, 2, 2, 10];

/// The NTLM package.
pub struct Ntlm {
    instance: Arc<Instance>,
}

/// What all credentials of a package share.
pub(crate) struct Instance {
    pub(crate) info: Arc<PackageInfo>,
    pub(crate) config: NtlmConfig,
    pub(crate) environment: Environment,
    pub(crate) names: Names,
    pub(crate) challenges: Challenges,
    pub(crate) lock_outs: Arc<LockOuts>,
}

impl Instance {
    /// Whether keys and signatures are as good as the configuration wants them.
    ///
    /// # Errors
    /// They are not, and messages would be protected with them.
    pub(crate) fn check_protection(&self, flags: NegotiateFlags) -> Result<(), status::Error> {
        if !flags.protects_messages() {
            return Ok(());
        }
        let (bits, minimum) = (flags.key_bits(), self.config.minimum_key_bits);
        if bits < minimum {
            return Err(status::Error::WeakKey { bits, minimum });
        }
        let has_ess = flags.contains(NegotiateFlags::NEGOTIATE_EXTENDED_SESSIONSECURITY);
        if !has_ess && self.config.extended_session_security == ExtendedSessionSecurity::Required {
            return Err(status::Error::NoExtendedSessionSecurity);
        }
        Ok(())
    }

    pub(crate) fn random<const LEN: usize>(&self) -> Result<[u8; LEN], status::Error> {
        let mut bytes = [0; LEN];
        self.environment.random.fill(&mut bytes)?;
        Ok(bytes)
    }
}

impl Ntlm {
    /// The package with this configuration. Secrets that it refers to are read when credentials are acquired.
    #[must_use]
    pub fn new(config: NtlmConfig, environment: Environment) -> Self {
        let info = PackageInfo {
            name: NAME.into(),
            aliases: Vec::new(),
            comment: "NTLM Security Package".into(),
            capabilities: SecPkgFlags::INTEGRITY
                | SecPkgFlags::PRIVACY
                | SecPkgFlags::TOKEN_ONLY
                | SecPkgFlags::CONNECTION
                | SecPkgFlags::MULTI_REQUIRED
                | SecPkgFlags::IMPERSONATION
                | SecPkgFlags::ACCEPT_WIN32_NAME
                | SecPkgFlags::NEGOTIABLE
                | SecPkgFlags::LOGON
                | SecPkgFlags::READONLY_WITH_CHECKSUM,
            version: 1,
            rpc_id: RPC_ID,
            max_token: MAX_TOKEN,
            oids: vec![Oid::from_content(&OID)],
        };
        let names = Names::new(&config, environment.host_name.as_deref());
        let lock_outs = Arc::new(LockOuts::new(config.lock_out));
        let challenges = Challenges::of_the_process();
        let info = Arc::new(info);
        Self { instance: Arc::new(Instance { info, config, environment, names, challenges, lock_outs }) }
    }
}

impl SecurityPackage for Ntlm {
    fn package_info(&self) -> &PackageInfo {
        &self.instance.info
    }

    fn acquire_credentials_handle(
        &self,
        request: &CredentialsRequest,
    ) -> Result<Arc<dyn CredentialsHandle>, Error> {
        Ok(Arc::new(NtlmCredentials::acquire(&self.instance, request)?))
    }

    fn import_security_context(&self, exported: &ExportedContext) -> Result<Box<dyn SecurityContext>, Error> {
        export::import(&self.instance.info, exported)
    }
}
