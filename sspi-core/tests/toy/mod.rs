//! A third party's message package, as one would write it outside this repository: the contract and `std`, nothing else.
//!
//! **Nothing in it is secure.** Its MAC is a checksum, its cipher an XOR, its nonces a counter. What it shows is the shape of
//! a package: three legs, a question to the account directory, message protection, and every function of the contract.
//!
//! ```text
//! token      tag 4 · length 2 (big-endian) · body
//! TOY1       client nonce 8 · completion 8 (zero, or what CompleteAuthToken wrote) · user
//! TOY2       server nonce 8
//! TOY3       proof of the password 8 · proof of the channel 8
//! TOYE       status 4 (big-endian): the sender gives up
//! TOYR       a token of a later handshake, protected as a message
//!
//! message    kind 1 · sequence number 4 (big-endian) · zero 3 · checksum 8 · data
//! kind       0 encrypted · 1 signed · 2 negotiate again · 3 shutdown · 4 alert, its number as data · 5 token
//! ```

mod arithmetic;
mod context;
mod handshake;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use sspi_core::{
    AcceptRequest, AcceptSecurityContext, AuthData, AuthIdentity, Clock, CredentialUse, CredentialsHandle,
    CredentialsRequest, Error, ExportedContext, Fault, InitializeRequest, InitializeSecurityContext, Oid,
    PackageInfo, QueryCredentialsAttributes, SecPkgFlags, SecStatus, Secret, SecurityContext,
    SecurityPackage,
};

use self::handshake::{Client, Server};

/// The object identifier of the package.
pub(crate) const TOY_OID: &str = "1.3.6.1.4.1.55555.1.1";

/// Bytes of a message's signature.
pub(crate) const SIGNATURE: usize = 16;

/// What the package announces as the longest signature: more than it needs, which the contract allows.
pub(crate) const SECURITY_TRAILER: usize = 20;

/// How long a context lives.
pub(crate) const LIFESPAN: Duration = Duration::from_secs(3600);

/// Who may log on, with which password: what the application brings along for a server.
pub(crate) type Users = BTreeMap<String, Secret<String>>;

/// The package.
pub(crate) struct Toy {
    shared: Arc<Shared>,
}

/// What every handshake of the package uses.
pub(crate) struct Shared {
    info: PackageInfo,
    clock: Arc<dyn Clock>,
    nonces: AtomicU64,
}

impl Shared {
    fn nonce(&self) -> [u8; 8] {
        arithmetic::mix(self.nonces.fetch_add(1, Ordering::Relaxed)).to_be_bytes()
    }
}

/// A clock that stands still.
pub(crate) struct FixedClock;

impl Clock for FixedClock {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000)
    }
}

impl Toy {
    /// The package with the clock that it may read.
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        let info = PackageInfo {
            name: "Toy".into(),
            aliases: vec!["ToyAuth".into()],
            comment: "a toy: nothing in it is secure".into(),
            capabilities: SecPkgFlags::INTEGRITY
                | SecPkgFlags::PRIVACY
                | SecPkgFlags::CONNECTION
                | SecPkgFlags::EXTENDED_ERROR
                | SecPkgFlags::IMPERSONATION
                | SecPkgFlags::READONLY_WITH_CHECKSUM,
            version: 1,
            rpc_id: 0xFFFF,
            max_token: 512,
            oids: Oid::from_dotted(TOY_OID).into_iter().collect(),
        };
        Self { shared: Arc::new(Shared { info, clock, nonces: AtomicU64::new(1) }) }
    }

    /// Credentials of a client.
    pub(crate) fn client(&self, user: &str, password: &str) -> Result<Arc<dyn CredentialsHandle>, Error> {
        self.acquire_credentials_handle(&CredentialsRequest {
            auth_data: identity(user, password),
            ..CredentialsRequest::configured(CredentialUse::Outbound)
        })
    }

    /// Credentials of a server that knows these users.
    pub(crate) fn server(&self, users: &[(&str, &str)]) -> Result<Arc<dyn CredentialsHandle>, Error> {
        self.acquire_credentials_handle(&CredentialsRequest {
            auth_data: AuthData::Package(Arc::new(accounts(users))),
            ..CredentialsRequest::configured(CredentialUse::Inbound)
        })
    }
}

/// A user with a password.
pub(crate) fn identity(user: &str, password: &str) -> AuthData {
    AuthData::Identity(AuthIdentity {
        user: user.into(),
        domain: String::new(),
        password: Secret::new(password.into()),
    })
}

/// The users of a server.
pub(crate) fn accounts(users: &[(&str, &str)]) -> Users {
    users.iter().map(|(user, password)| ((*user).into(), Secret::new((*password).into()))).collect()
}

impl SecurityPackage for Toy {
    fn package_info(&self) -> &PackageInfo {
        &self.shared.info
    }

    fn acquire_credentials_handle(
        &self,
        request: &CredentialsRequest,
    ) -> Result<Arc<dyn CredentialsHandle>, Error> {
        let known = match (&request.auth_data, request.credential_use) {
            (AuthData::Identity(identity), CredentialUse::Outbound) => Known::Identity(identity.clone()),
            (AuthData::Package(data), CredentialUse::Inbound) => match Arc::clone(data).downcast::<Users>() {
                Ok(users) => Known::Users(users),
                Err(_) => {
                    return Err(unknown_credentials("the server's credentials are not a table of users"));
                }
            },
            (AuthData::Configured, _) => {
                return Err(Error::new(
                    SecStatus::SEC_E_NO_CREDENTIALS,
                    Fault::Configuration,
                    "there is no configured user: bring an identity or a table of users along",
                ));
            }
            _ => return Err(unknown_credentials("a client needs an identity, a server a table of users")),
        };
        Ok(Arc::new(Credentials { shared: Arc::clone(&self.shared), known: Arc::new(known) }))
    }

    fn import_security_context(&self, exported: &ExportedContext) -> Result<Box<dyn SecurityContext>, Error> {
        context::import(&self.shared, exported)
    }
}

fn unknown_credentials(message: &'static str) -> Error {
    Error::new(SecStatus::SEC_E_UNKNOWN_CREDENTIALS, Fault::ApiMisuse, message)
}

/// What credentials are made of.
pub(crate) enum Known {
    Identity(AuthIdentity),
    Users(Arc<Users>),
}

struct Credentials {
    shared: Arc<Shared>,
    known: Arc<Known>,
}

impl QueryCredentialsAttributes for Credentials {
    fn package_name(&self) -> &str {
        &self.shared.info.name
    }

    fn names(&self) -> Result<String, Error> {
        match &*self.known {
            Known::Identity(identity) => Ok(identity.user.clone()),
            Known::Users(_) => Err(no_credentials("a server's credentials have no name")),
        }
    }
}

impl CredentialsHandle for Credentials {
    fn package_info(&self) -> &PackageInfo {
        &self.shared.info
    }

    fn credential_use(&self) -> CredentialUse {
        match &*self.known {
            Known::Identity(_) => CredentialUse::Outbound,
            Known::Users(_) => CredentialUse::Inbound,
        }
    }

    fn expiry(&self) -> Option<SystemTime> {
        Some(self.shared.clock.now() + LIFESPAN)
    }

    fn initialize(&self, request: &InitializeRequest) -> Result<Box<dyn InitializeSecurityContext>, Error> {
        Ok(Box::new(Client::new(&self.shared, &self.known, request)?))
    }

    fn accept(&self, request: &AcceptRequest) -> Result<Box<dyn AcceptSecurityContext>, Error> {
        Ok(Box::new(Server::new(&self.shared, &self.known, request)?))
    }
}

fn no_credentials(message: &'static str) -> Error {
    Error::new(SecStatus::SEC_E_NO_CREDENTIALS, Fault::ApiMisuse, message)
}
