//! The package: its name, its capabilities, and how credentials are acquired.

use std::sync::Arc;

use gss::MechType;
use sspi_core::{
    CredentialsHandle, CredentialsRequest, Error, ExportedContext, Oid, PackageInfo, Registry, SecPkgFlags,
    SecurityContext, SecurityPackage,
};

use crate::config::NegotiateConfig;
use crate::credentials::NegotiateCredentials;
use crate::mech_list::is_stream;

/// The package's name (`NEGOSSP_NAME`).
pub(crate) const NAME: &str = "Negotiate";
/// `RPC_C_AUTHN_GSS_NEGOTIATE`.
const RPC_ID: u16 = 9;
/// `cbMaxToken`.
const MAX_TOKEN: u32 = 48_256;

/// The Negotiate package, over the packages of a registry.
pub struct Negotiate {
    instance: Arc<Instance>,
}

/// What all credentials of a package share.
pub(crate) struct Instance {
    pub(crate) info: PackageInfo,
    pub(crate) config: NegotiateConfig,
    pub(crate) registry: Registry,
    /// What rules about listeners call the one of its servers.
    pub(crate) listener: Option<String>,
}

impl Negotiate {
    /// The package with this configuration, over these packages. Those that SPNEGO cannot carry are passed over, and so is
    /// Negotiate itself; but for packages for streams that the configuration names. With one of these it has the capability
    /// `STREAM`: a handshake is a stream where whoever begins it says so with its first bytes, and the caller
    /// [asks for one](sspi_core::AscReq::STREAM).
    #[must_use]
    pub fn new(config: NegotiateConfig, registry: Registry) -> Self {
        let names_stream = config
            .named_packages()
            .any(|(_, name)| registry.by_name(name).is_ok_and(|package| is_stream(package.package_info())));
        let info = PackageInfo {
            name: NAME.into(),
            aliases: Vec::new(),
            comment: "Microsoft Package Negotiator".into(),
            capabilities: SecPkgFlags::INTEGRITY
                | SecPkgFlags::PRIVACY
                | SecPkgFlags::CONNECTION
                | SecPkgFlags::MULTI_REQUIRED
                | SecPkgFlags::EXTENDED_ERROR
                | SecPkgFlags::IMPERSONATION
                | SecPkgFlags::ACCEPT_WIN32_NAME
                | SecPkgFlags::NEGOTIABLE
                | SecPkgFlags::GSS_COMPATIBLE
                | SecPkgFlags::LOGON.with_if(names_stream, SecPkgFlags::STREAM),
            version: 1,
            rpc_id: RPC_ID,
            max_token: MAX_TOKEN,
            oids: vec![Oid::from_content(MechType::SPNEGO.content())],
        };
        Self { instance: Arc::new(Instance { info, config, registry, listener: None }) }
    }

    /// The same for servers with this listener, as `[[negotiate.listeners]]` calls it: an address with its port
    /// (`192.0.2.1:389`), or a name of the application's own.
    #[must_use]
    pub fn at_listener(self, listener: impl Into<String>) -> Self {
        let Instance { info, config, registry, .. } = &*self.instance;
        let (info, config, registry) = (info.clone(), config.clone(), registry.clone());
        Self { instance: Arc::new(Instance { info, config, registry, listener: Some(listener.into()) }) }
    }

    /// Whether every package that the configuration names is there and can be chosen, and has the protocols that it is to be
    /// asked for: what would show with the first credentials.
    ///
    /// # Errors
    /// The first name that is wrong, with the setting that has it.
    pub fn check(&self) -> Result<(), Error> {
        crate::credentials::packages(&self.instance).map(drop)
    }
}

impl SecurityPackage for Negotiate {
    fn package_info(&self) -> &PackageInfo {
        &self.instance.info
    }

    fn acquire_credentials_handle(
        &self,
        request: &CredentialsRequest,
    ) -> Result<Arc<dyn CredentialsHandle>, Error> {
        Ok(Arc::new(NegotiateCredentials::acquire(&self.instance, request)?))
    }

    /// A context is exported by the package that was chosen, under its name.
    fn import_security_context(&self, exported: &ExportedContext) -> Result<Box<dyn SecurityContext>, Error> {
        if exported.package.eq_ignore_ascii_case(NAME) {
            return Err(Error::unsupported(NAME, "contexts of its own"));
        }
        self.instance.registry.by_name(&exported.package)?.import_security_context(exported)
    }
}
