//! HTTP authentication with the package that was chosen: a tower layer for servers, the loop for clients.

use std::sync::Arc;
use std::time::Duration;

use sspi_core::{CredentialUse, Fault, SecStatus};
use sspi_http::{AuthLayer, Scheme};

use crate::Sspi;
use crate::audit::{Record, Role};
use crate::error::Error;

impl Sspi {
    /// The scheme of HTTP authentication of the package that was chosen: `NTLM`, `Negotiate` or `Digest`.
    ///
    /// # Errors
    /// `SEC_E_UNSUPPORTED_FUNCTION` for packages that have none, such as Schannel; otherwise as [`acquire`](Sspi::acquire).
    pub fn http_scheme(&self, role: CredentialUse) -> Result<Scheme, Error> {
        let package = &self.package_info().name;
        Scheme::of_package(self.acquire(role)?).ok_or_else(|| {
            let what = format!(
                "the package {package} authenticates no HTTP requests; NTLM, Negotiate and Digest do"
            );
            let error =
                sspi_core::Error::new(SecStatus::SEC_E_UNSUPPORTED_FUNCTION, Fault::Configuration, what);
            error.with_setting("package").into()
        })
    }

    /// A layer of tower that lets requests through whose senders are known, with the accounts that are configured. Each
    /// attempt to log on goes to the audit record.
    ///
    /// # Errors
    /// As [`http_scheme`](Self::http_scheme).
    pub fn http_layer(&self) -> Result<AuthLayer, Error> {
        let scheme = self.http_scheme(CredentialUse::Inbound)?;
        let package = self.package_info().name.to_string();
        let deadline = self.config().handshake_deadline.unwrap_or(FOREVER);
        let layer = AuthLayer::new([scheme]).with_answers(Arc::clone(&self.shared().options.answers));
        let layer = layer.with_deadline(deadline).with_clock(Arc::clone(self.clock()));
        Ok(layer.reporting(move |attempt| {
            let peer = attempt.source.unwrap_or("unknown");
            let record = Record::begin(Role::Server, peer, &package).which_took(attempt.took);
            let _inside = record.span.enter();
            match attempt.result {
                Ok(known) => record.completed(known.attributes().as_ref(), &Ok(known.account().clone())),
                Err(error) => record.failed(&Error::Security(error.clone())),
            }
        }))
    }

    /// Who answers what the packages ask, as the configuration and the application have it.
    #[must_use]
    pub fn answers(&self) -> Arc<dyn sspi_tokio::Answers> {
        Arc::clone(&self.shared().options.answers)
    }
}

/// Where the configuration knows no deadline.
const FOREVER: Duration = Duration::from_secs(u32::MAX as u64);
