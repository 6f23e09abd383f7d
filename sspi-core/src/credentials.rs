//! Credentials: what `AcquireCredentialsHandle` takes and yields.

use core::any::Any;
use core::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use zeroize::Zeroize;

use crate::attributes::{AlgId, CipherStrengths, SpProt};
use crate::{
    AcceptRequest, AcceptSecurityContext, Error, InitializeRequest, InitializeSecurityContext, PackageInfo,
    SecPkgAttr,
};

/// A secret: wiped when it is dropped, and never printed.
///
/// There is no `Clone` unless the content has it, and no `Debug` of the content at all.
#[derive(Clone)]
pub struct Secret<T: Zeroize>(T);

impl<T: Zeroize> Secret<T> {
    /// Keeps `value` as a secret.
    #[must_use]
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// The content. The name is long so that it is seen in a review.
    #[must_use]
    pub fn expose_secret(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// `fCredentialUse`: in which role the credential will be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CredentialUse {
    /// `SECPKG_CRED_INBOUND` (1): to accept, as a server.
    Inbound,
    /// `SECPKG_CRED_OUTBOUND` (2): to initiate, as a client.
    Outbound,
    /// `SECPKG_CRED_BOTH` (3): both; Schannel refuses it.
    Both,
}

impl CredentialUse {
    /// The number of `SECPKG_CRED_*`.
    #[must_use]
    pub const fn number(self) -> u32 {
        match self {
            Self::Inbound => 1,
            Self::Outbound => 2,
            Self::Both => 3,
        }
    }
}

/// `SEC_WINNT_AUTH_IDENTITY`: a user, its domain and its password.
#[derive(Clone, Debug)]
pub struct AuthIdentity {
    /// The user's name.
    pub user: String,
    /// The domain or realm; empty where the name says it, or there is none.
    pub domain: String,
    /// The password.
    pub password: Secret<String>,
}

/// A certificate with its private key.
#[derive(Clone, Debug)]
pub struct CertificateIdentity {
    /// The certificates in DER, leaf first, as they are sent.
    pub chain: Vec<Vec<u8>>,
    /// The private key in DER: PKCS#8, PKCS#1 or SEC1.
    pub private_key: Arc<Secret<Vec<u8>>>,
}

/// `pAuthData`: what the application brings along.
#[derive(Clone, Default)]
pub enum AuthData {
    /// Nothing (`NULL`): what the configuration of the package says.
    #[default]
    Configured,
    /// A user with a password.
    Identity(AuthIdentity),
    /// A certificate with its key, in place of those that are configured.
    Certificate(CertificateIdentity),
    /// Something that only the package understands; its documentation says what.
    Package(Arc<dyn Any + Send + Sync>),
}

impl fmt::Debug for AuthData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Configured => f.write_str("Configured"),
            Self::Identity(identity) => f.debug_tuple("Identity").field(identity).finish(),
            Self::Certificate(certificate) => f.debug_tuple("Certificate").field(certificate).finish(),
            Self::Package(_) => f.write_str("Package(..)"),
        }
    }
}

/// The parameters of `AcquireCredentialsHandle`.
#[derive(Clone, Debug)]
pub struct CredentialsRequest {
    /// Whose credentials (`pszPrincipal`); `None` means the caller's own.
    pub principal: Option<String>,
    /// In which role they will be used.
    pub credential_use: CredentialUse,
    /// What the application brings along.
    pub auth_data: AuthData,
    /// How long after it was made a session of these credentials is taken up again (`SCHANNEL_CRED.dwSessionLifespan`), where that
    /// is less than the package's configuration says; `None`: as it says. Packages without sessions have no use for it.
    pub session_lifetime: Option<Duration>,
}

impl CredentialsRequest {
    /// What the configuration says, for this role.
    #[must_use]
    pub fn configured(credential_use: CredentialUse) -> Self {
        Self { principal: None, credential_use, auth_data: AuthData::Configured, session_lifetime: None }
    }
}

/// Credentials, acquired: they serve any number of handshakes at once. `FreeCredentialsHandle` is dropping the `Arc`.
pub trait CredentialsHandle: QueryCredentialsAttributes + Send + Sync {
    /// The package that they belong to.
    fn package_info(&self) -> &PackageInfo;

    /// In which role they can be used.
    fn credential_use(&self) -> CredentialUse;

    /// When they expire (`ptsExpiry`); `None`: never.
    fn expiry(&self) -> Option<SystemTime> {
        None
    }

    /// Begins a handshake as initiator. Its first call has an empty input.
    ///
    /// # Errors
    /// `SEC_E_NO_CREDENTIALS` for credentials that are inbound only; what the package has to say about the request.
    fn initialize(&self, request: &InitializeRequest) -> Result<Box<dyn InitializeSecurityContext>, Error>;

    /// Begins a handshake as acceptor.
    ///
    /// # Errors
    /// `SEC_E_NO_CREDENTIALS` for credentials that are outbound only; what the package has to say about the request.
    fn accept(&self, request: &AcceptRequest) -> Result<Box<dyn AcceptSecurityContext>, Error>;
}

/// `QueryCredentialsAttributes`, as typed getters. What a package does not have is `SEC_E_UNSUPPORTED_FUNCTION`.
pub trait QueryCredentialsAttributes {
    /// The package's name, for the errors of the getters below.
    fn package_name(&self) -> &str;

    /// `SECPKG_CRED_ATTR_NAMES`: the name behind the credential.
    ///
    /// # Errors
    /// `SEC_E_NO_CREDENTIALS` for an anonymous credential.
    fn names(&self) -> Result<String, Error> {
        Err(Error::unsupported(self.package_name(), "QueryCredentialsAttributes(NAMES)"))
    }

    /// `SECPKG_ATTR_SUPPORTED_PROTOCOLS`: the protocols that the credential may speak.
    ///
    /// # Errors
    /// `SEC_E_UNSUPPORTED_FUNCTION`.
    fn supported_protocols(&self) -> Result<SpProt, Error> {
        Err(SecPkgAttr::SUPPORTED_PROTOCOLS.unsupported(self.package_name()))
    }

    /// `SECPKG_ATTR_SUPPORTED_ALGS`: the algorithms that the credential may use.
    ///
    /// # Errors
    /// `SEC_E_UNSUPPORTED_FUNCTION`.
    fn supported_algorithms(&self) -> Result<Vec<AlgId>, Error> {
        Err(SecPkgAttr::SUPPORTED_ALGS.unsupported(self.package_name()))
    }

    /// `SECPKG_ATTR_CIPHER_STRENGTHS`: the weakest and the strongest cipher, in bits.
    ///
    /// # Errors
    /// `SEC_E_UNSUPPORTED_FUNCTION`.
    fn cipher_strengths(&self) -> Result<CipherStrengths, Error> {
        Err(SecPkgAttr::CIPHER_STRENGTHS.unsupported(self.package_name()))
    }

    /// `SECPKG_CRED_ATTR_CERT`: the leaf of the credential's first certificate, in DER.
    ///
    /// # Errors
    /// `SEC_E_NO_CREDENTIALS` where there is none.
    fn certificate(&self) -> Result<Vec<u8>, Error> {
        Err(Error::unsupported(self.package_name(), "QueryCredentialsAttributes(CERT)"))
    }
}
