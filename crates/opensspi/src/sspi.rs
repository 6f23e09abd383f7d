//! [`Sspi`]: one package, configured and ready, for any number of connections in either role.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use sspi_core::{
    AcceptRequest, AscReq, AuthData, CredentialUse, CredentialsHandle, CredentialsRequest, InitializeRequest,
    IscReq, PackageInfo, Registry, SecPkgFlags, SecurityPackage,
};

use crate::builder::Builder;
use crate::config::Config;
use crate::error::Error;

/// A security package, chosen by configuration, with its credentials.
///
/// Cloning is cheap, and every clone shares credentials and sessions: keep one for the life of the application.
#[derive(Clone)]
pub struct Sspi(Arc<Shared>);

pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) registry: Registry,
    pub(crate) package: Arc<dyn SecurityPackage>,
    pub(crate) auth_data: AuthData,
    pub(crate) clock: Arc<dyn sspi_core::Clock>,
    #[cfg(feature = "schannel")]
    pub(crate) materials: Arc<dyn crate::providers::Materials>,
    #[cfg(feature = "tokio")]
    pub(crate) options: sspi_tokio::HandshakeOptions,
    #[cfg(feature = "tokio")]
    pub(crate) blocking_options: sspi_tokio::blocking::HandshakeOptions,
    /// Connections that were tried again with less.
    #[cfg(feature = "tokio")]
    pub(crate) fallbacks: std::sync::atomic::AtomicU64,
    pub(crate) outbound: Acquired,
    pub(crate) inbound: Acquired,
}

/// A credential of one role, once it was acquired.
pub(crate) type Acquired = Mutex<Option<Arc<dyn CredentialsHandle>>>;

impl Sspi {
    /// What the configuration in a file says.
    ///
    /// # Errors
    /// [`Error::Config`] with everything that is wrong with the file; [`Error::Security`] for a package that there is not.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, Error> {
        Self::builder().config_file(path)?.build()
    }

    /// What the configuration in `text` says; relative paths in it begin at `base`.
    ///
    /// # Errors
    /// As [`from_file`](Self::from_file).
    pub fn from_toml(text: &str, base: impl AsRef<Path>) -> Result<Self, Error> {
        Self::builder().config(Config::from_toml(text, "configuration")?).base(base).build()
    }

    /// Everything by hand: another clock, packages of third parties, certificates that are in memory.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }

    pub(crate) fn new(shared: Shared) -> Self {
        Self(Arc::new(shared))
    }

    #[cfg(any(feature = "schannel", feature = "tokio"))]
    pub(crate) fn shared(&self) -> &Shared {
        &self.0
    }

    /// The packages that can be chosen from.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.0.registry
    }

    /// The package that was chosen.
    #[must_use]
    pub fn package(&self) -> &Arc<dyn SecurityPackage> {
        &self.0.package
    }

    /// What the package that was chosen says about itself.
    #[must_use]
    pub fn package_info(&self) -> &PackageInfo {
        self.0.package.package_info()
    }

    /// The configuration.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.0.config
    }

    /// The time, as the packages see it.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn sspi_core::Clock> {
        &self.0.clock
    }

    /// Whether the accounts of clients' certificates are asked for.
    #[cfg(feature = "schannel")]
    #[must_use]
    pub fn has_accounts(&self) -> bool {
        self.0.config.schannel.mapping.is_some_and(|mapping| mapping != crate::providers::Mapping::Off)
    }

    /// The credential of a role: acquired at the first call, the same from then on.
    ///
    /// # Errors
    /// What the package has to say about the configuration, such as a key that cannot be read. Nothing is kept then: the
    /// next call tries again.
    pub fn acquire(&self, role: CredentialUse) -> Result<Arc<dyn CredentialsHandle>, Error> {
        let slot = match role {
            CredentialUse::Outbound => &self.0.outbound,
            CredentialUse::Inbound | CredentialUse::Both => &self.0.inbound,
        };
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(credential) = slot.as_ref().filter(|credential| credential.credential_use() == role) {
            return Ok(Arc::clone(credential));
        }
        let mut request = CredentialsRequest::configured(role);
        request.auth_data = self.0.auth_data.clone();
        let credential = self.0.package.acquire_credentials_handle(&request)?;
        *slot = Some(Arc::clone(&credential));
        Ok(credential)
    }

    /// Whether the package's tokens may be a stream, and whether they may be messages: Negotiate with Schannel among its packages
    /// is both.
    fn channel(&self) -> (bool, bool) {
        let capabilities = self.package_info().capabilities;
        (capabilities.is_stream(), capabilities.contains(SecPkgFlags::GSS_COMPATIBLE))
    }

    /// What a client asks for by default: a mutually authenticated, encrypted, ordered channel to `target_name`.
    #[must_use]
    pub fn initialize_request(&self, target_name: &str) -> InitializeRequest {
        let channel = match self.channel() {
            (true, true) => IscReq::STREAM | IscReq::CONNECTION,
            (true, false) => IscReq::STREAM,
            (false, _) => IscReq::CONNECTION,
        };
        InitializeRequest {
            target_name: Some(target_name.to_owned()),
            flags: IscReq::MUTUAL_AUTH
                | IscReq::REPLAY_DETECT
                | IscReq::SEQUENCE_DETECT
                | IscReq::CONFIDENTIALITY
                | IscReq::INTEGRITY
                | IscReq::EXTENDED_ERROR
                | channel,
            ..InitializeRequest::default()
        }
    }

    /// What a server asks for by default: an encrypted, ordered channel. Whether clients must show who they are is up to
    /// the configuration of the package.
    #[must_use]
    pub fn accept_request(&self) -> AcceptRequest {
        let channel = match self.channel() {
            (true, true) => AscReq::STREAM | AscReq::CONNECTION,
            (true, false) => AscReq::STREAM,
            (false, _) => AscReq::CONNECTION,
        };
        AcceptRequest {
            flags: AscReq::REPLAY_DETECT
                | AscReq::SEQUENCE_DETECT
                | AscReq::CONFIDENTIALITY
                | AscReq::INTEGRITY
                | AscReq::EXTENDED_ERROR
                | channel,
            ..AcceptRequest::default()
        }
    }
}

impl std::fmt::Debug for Sspi {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sspi")
            .field("package", &self.package_info().name)
            .field("registry", &self.0.registry)
            .finish_non_exhaustive()
    }
}
