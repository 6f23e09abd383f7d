//! A package that is no more than its handshakes: credentials, roles and what holds after an error are written once, here.

use core::fmt;
use std::sync::Arc;

use crate::{
    AcceptRequest, AcceptSecurityContext, AuthData, CredentialUse, CredentialsHandle, CredentialsRequest,
    Error, Failure, Fault, InitializeRequest, InitializeSecurityContext, PackageInfo,
    QueryCredentialsAttributes, SecStatus, SecurityPackage, Step,
};

/// The calls of one handshake: each takes the peer's bytes, as
/// [`initialize_security_context`](InitializeSecurityContext::initialize_security_context) does, and says why it stopped. It is
/// not called again after an error or [`Step::Complete`].
pub type Steps = Box<dyn FnMut(&[u8]) -> Result<Step, Error> + Send>;

/// What a [`SimplePackage`] consists of: how a handshake begins, in either role.
pub trait Handshakes: Send + Sync + 'static {
    /// Whether there can be credentials of this kind. Negotiate leaves out a package that has none.
    ///
    /// # Errors
    /// `SEC_E_NO_CREDENTIALS`, or what else is wrong with them; none, unless a package says otherwise.
    fn acquire(&self, request: &CredentialsRequest) -> Result<(), Error> {
        let _anything_will_do = request;
        Ok(())
    }

    /// A handshake as client.
    ///
    /// # Errors
    /// What the request asks for cannot be had.
    fn initialize(
        &self,
        package: &PackageInfo,
        auth_data: &AuthData,
        request: &InitializeRequest,
    ) -> Result<Steps, Error>;

    /// A handshake as server.
    ///
    /// # Errors
    /// What the request asks for cannot be had.
    fn accept(
        &self,
        package: &PackageInfo,
        auth_data: &AuthData,
        request: &AcceptRequest,
    ) -> Result<Steps, Error>;
}

/// A package that has nothing but its [`Handshakes`]: its credentials are what the application brought, for the role that it
/// acquired them for.
///
/// After an error a handshake says the same again, and after it is complete `SEC_E_INVALID_HANDLE`. It has no alerts, and
/// credentials that do not expire. `docs/add-a-provider.md` has one as an example.
pub struct SimplePackage<H> {
    info: PackageInfo,
    handshakes: Arc<H>,
}

impl<H: Handshakes> SimplePackage<H> {
    /// The package of this description.
    #[must_use]
    pub fn new(info: PackageInfo, handshakes: H) -> Self {
        Self { info, handshakes: Arc::new(handshakes) }
    }
}

impl<H> fmt::Debug for SimplePackage<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimplePackage").field("info", &self.info).finish_non_exhaustive()
    }
}

impl<H: Handshakes> SecurityPackage for SimplePackage<H> {
    fn package_info(&self) -> &PackageInfo {
        &self.info
    }

    fn acquire_credentials_handle(
        &self,
        request: &CredentialsRequest,
    ) -> Result<Arc<dyn CredentialsHandle>, Error> {
        self.handshakes.acquire(request)?;
        Ok(Arc::new(Credentials {
            info: self.info.clone(),
            handshakes: Arc::clone(&self.handshakes),
            role: request.credential_use,
            auth_data: request.auth_data.clone(),
        }))
    }
}

struct Credentials<H> {
    info: PackageInfo,
    handshakes: Arc<H>,
    role: CredentialUse,
    auth_data: AuthData,
}

impl<H> Credentials<H> {
    /// Refuses where the credentials are for the other role alone.
    fn refuse(&self, other: CredentialUse) -> Result<(), Error> {
        if self.role != other {
            return Ok(());
        }
        let what = "the credentials were acquired for the other role";
        Err(Error::new(SecStatus::SEC_E_NO_CREDENTIALS, Fault::ApiMisuse, what))
    }
}

impl<H: Handshakes> QueryCredentialsAttributes for Credentials<H> {
    fn package_name(&self) -> &str {
        &self.info.name
    }
}

impl<H: Handshakes> CredentialsHandle for Credentials<H> {
    fn package_info(&self) -> &PackageInfo {
        &self.info
    }

    fn credential_use(&self) -> CredentialUse {
        self.role
    }

    fn initialize(&self, request: &InitializeRequest) -> Result<Box<dyn InitializeSecurityContext>, Error> {
        self.refuse(CredentialUse::Inbound)?;
        let steps = self.handshakes.initialize(&self.info, &self.auth_data, request)?;
        Ok(Box::new(Handshake { steps, over: None }))
    }

    fn accept(&self, request: &AcceptRequest) -> Result<Box<dyn AcceptSecurityContext>, Error> {
        self.refuse(CredentialUse::Outbound)?;
        let steps = self.handshakes.accept(&self.info, &self.auth_data, request)?;
        Ok(Box::new(Handshake { steps, over: None }))
    }
}

struct Handshake {
    steps: Steps,
    /// What every further call says.
    over: Option<Error>,
}

impl Handshake {
    fn step(&mut self, input: &[u8]) -> Result<Step, Failure> {
        if let Some(error) = &self.over {
            return Err(Failure::silent(error.clone()));
        }
        let result = (self.steps)(input);
        self.over = match &result {
            Ok(Step::Complete { .. }) => Some(Error::invalid_handle("the handshake is complete")),
            Ok(_) => None,
            Err(error) => Some(error.clone()),
        };
        result.map_err(Failure::silent)
    }
}

impl InitializeSecurityContext for Handshake {
    fn initialize_security_context(&mut self, input: &[u8]) -> Result<Step, Failure> {
        self.step(input)
    }
}

impl AcceptSecurityContext for Handshake {
    fn accept_security_context(&mut self, input: &[u8]) -> Result<Step, Failure> {
        self.step(input)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SecPkgFlags;

    /// Takes two tokens: the second is refused.
    struct Refusing;

    impl Refusing {
        fn steps() -> Steps {
            let mut calls = 0;
            Box::new(move |input| {
                calls += 1;
                assert!(calls <= 2, "called after its error");
                if calls == 1 {
                    return Ok(Step::Continue { token: b"one".to_vec(), used: input.len() });
                }
                Err(Error::new(SecStatus::SEC_E_LOGON_DENIED, Fault::Refused, "no"))
            })
        }
    }

    impl Handshakes for Refusing {
        fn acquire(&self, request: &CredentialsRequest) -> Result<(), Error> {
            match request.auth_data {
                AuthData::Configured => Ok(()),
                _ => Err(Error::new(SecStatus::SEC_E_UNKNOWN_CREDENTIALS, Fault::ApiMisuse, "none of these")),
            }
        }

        fn initialize(&self, _: &PackageInfo, _: &AuthData, _: &InitializeRequest) -> Result<Steps, Error> {
            Ok(Self::steps())
        }

        fn accept(&self, _: &PackageInfo, _: &AuthData, _: &AcceptRequest) -> Result<Steps, Error> {
            Ok(Self::steps())
        }
    }

    fn package() -> SimplePackage<Refusing> {
        SimplePackage::new(PackageInfo::new("Refusing", SecPkgFlags::CONNECTION), Refusing)
    }

    #[test]
    fn after_an_error_a_handshake_says_the_same_in_both_roles() {
        let both = CredentialsRequest::configured(CredentialUse::Both);
        let credentials = package().acquire_credentials_handle(&both).unwrap();
        assert_eq!(
            (credentials.package_name(), credentials.credential_use()),
            ("Refusing", CredentialUse::Both)
        );
        let mut client = credentials.initialize(&InitializeRequest::default()).unwrap();
        let mut server = credentials.accept(&AcceptRequest::default()).unwrap();
        assert!(matches!(client.initialize_security_context(b""), Ok(Step::Continue { .. })));
        assert!(matches!(server.accept_security_context(b"x"), Ok(Step::Continue { used: 1, .. })));
        for _ in 0..3 {
            let failures = [client.initialize_security_context(b""), server.accept_security_context(b"")];
            for failure in failures.map(Result::unwrap_err) {
                assert_eq!((failure.error.status(), failure.token.len()), (SecStatus::SEC_E_LOGON_DENIED, 0));
            }
        }
    }

    #[test]
    fn credentials_serve_the_role_that_they_were_acquired_for() {
        let of = |role| package().acquire_credentials_handle(&CredentialsRequest::configured(role)).unwrap();
        let (outbound, inbound) = (of(CredentialUse::Outbound), of(CredentialUse::Inbound));
        assert!(outbound.initialize(&InitializeRequest::default()).is_ok());
        assert!(inbound.accept(&AcceptRequest::default()).is_ok());
        let refused = [
            outbound.accept(&AcceptRequest::default()).map(drop),
            inbound.initialize(&InitializeRequest::default()).map(drop),
        ];
        for error in refused.map(Result::unwrap_err) {
            assert_eq!(error.status(), SecStatus::SEC_E_NO_CREDENTIALS);
        }
    }

    #[test]
    fn credentials_of_another_kind_are_refused_when_they_are_acquired() {
        let auth_data = AuthData::Package(Arc::new(7));
        let request =
            CredentialsRequest { auth_data, ..CredentialsRequest::configured(CredentialUse::Outbound) };
        let error = package().acquire_credentials_handle(&request).map(drop).unwrap_err();
        assert_eq!(error.status(), SecStatus::SEC_E_UNKNOWN_CREDENTIALS);
    }
}
