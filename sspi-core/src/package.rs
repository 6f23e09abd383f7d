//! Security packages: what a provider registers.

use std::borrow::Cow;
use std::sync::Arc;

use crate::{
    CredentialsHandle, CredentialsRequest, Error, ExportedContext, Oid, SecPkgFlags, SecurityContext, SpProt,
};

/// `SecPkgInfo`: what a package says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackageInfo {
    /// The name by which applications ask for it (`Name`).
    pub name: Cow<'static, str>,
    /// Other names under which it is found.
    pub aliases: Vec<Cow<'static, str>>,
    /// A line for people (`Comment`).
    pub comment: Cow<'static, str>,
    /// What it can do (`fCapabilities`).
    pub capabilities: SecPkgFlags,
    /// The version of the package protocol (`wVersion`); 1.
    pub version: u16,
    /// `RPC_C_AUTHN_*` (`wRPCID`), 0xFFFF where there is none.
    pub rpc_id: u16,
    /// The largest token in bytes (`cbMaxToken`).
    pub max_token: u32,
    /// The mechanism's object identifiers, the preferred one first; empty where SPNEGO cannot carry it.
    pub oids: Vec<Oid>,
}

impl PackageInfo {
    /// A package of version 1, with tokens of up to 12,000 bytes; it has no other names, no number for RPC, and no object
    /// identifiers, without which Negotiate does not see it.
    ///
    /// ```
    /// use sspi_core::{Oid, PackageInfo, SecPkgFlags};
    ///
    /// let oids = Oid::from_dotted("2.999.1").into_iter().collect();
    /// let info = PackageInfo { oids, ..PackageInfo::new("Example", SecPkgFlags::CONNECTION) };
    /// assert_eq!((&*info.name, info.oids.len()), ("Example", 1));
    /// ```
    #[must_use]
    pub fn new(name: impl Into<Cow<'static, str>>, capabilities: SecPkgFlags) -> Self {
        Self {
            name: name.into(),
            aliases: Vec::new(),
            comment: Cow::Borrowed(""),
            capabilities,
            version: 1,
            rpc_id: 0xFFFF,
            max_token: 12_000,
            oids: Vec::new(),
        }
    }
}

/// A security package (an SSP): something that can be registered, asked for by name, and run.
pub trait SecurityPackage: Send + Sync {
    /// `QuerySecurityPackageInfo`: what the package says about itself.
    fn package_info(&self) -> &PackageInfo;

    /// `AcquireCredentialsHandle`: credentials for any number of handshakes, at once and from any thread.
    ///
    /// # Errors
    /// `SEC_E_NO_CREDENTIALS`, `SEC_E_UNKNOWN_CREDENTIALS`, `SEC_E_ALGORITHM_MISMATCH` (no protocol or suite is left), or
    /// what else the package has to say.
    fn acquire_credentials_handle(
        &self,
        request: &CredentialsRequest,
    ) -> Result<Arc<dyn CredentialsHandle>, Error>;

    /// The same package, which speaks only these protocols, the preferred one first: of those that its own configuration has,
    /// and in no other order (`grbitEnabledProtocols` of `SCHANNEL_CRED`, which has none). What all of it shares, such as
    /// sessions, it goes on sharing.
    ///
    /// # Errors
    /// A protocol that the configuration does not have, which the message names and which is not enabled by being asked for;
    /// `SEC_E_UNSUPPORTED_FUNCTION` for packages that have no protocols to choose from.
    fn limited_to(&self, protocols: &[SpProt]) -> Result<Arc<dyn SecurityPackage>, Error> {
        let _unused = protocols;
        Err(Error::unsupported(&self.package_info().name, "a choice of protocols"))
    }

    /// `ImportSecurityContext`: a context from what [`SecurityContext::export`] made.
    ///
    /// # Errors
    /// `SEC_E_UNSUPPORTED_FUNCTION` for packages that cannot.
    fn import_security_context(&self, exported: &ExportedContext) -> Result<Box<dyn SecurityContext>, Error> {
        let _unused = exported;
        Err(Error::unsupported(&self.package_info().name, "ImportSecurityContext"))
    }
}
