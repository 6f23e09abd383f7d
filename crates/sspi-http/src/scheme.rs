//! A scheme of HTTP authentication, and the package behind it.

use std::fmt;
use std::sync::Arc;

use sspi_core::CredentialsHandle;

/// How the tokens of a package travel in header fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// As base64; they authenticate a connection.
    Connection,
    /// As lists of directives, which are text; they authenticate a request.
    Request,
}

/// The scheme whose tokens are those of SPNEGO.
pub(crate) const NEGOTIATE: &str = "Negotiate";

/// A scheme of HTTP authentication: its name in header fields, and the credentials of the package behind it.
#[derive(Clone)]
pub struct Scheme {
    pub(crate) name: &'static str,
    pub(crate) form: Form,
    pub(crate) package: String,
    pub(crate) credentials: Arc<dyn CredentialsHandle>,
}

impl Scheme {
    /// `NTLM`. Spec: HTTPNEGO section 4.
    #[must_use]
    pub fn ntlm(credentials: Arc<dyn CredentialsHandle>) -> Self {
        Self::of("NTLM", Form::Connection, credentials)
    }

    /// `Negotiate`. Spec: HTTPNEGO section 4.
    #[must_use]
    pub fn negotiate(credentials: Arc<dyn CredentialsHandle>) -> Self {
        Self::of(NEGOTIATE, Form::Connection, credentials)
    }

    /// `Digest`. Spec: DIGEST (RFC 7616) section 3.
    #[must_use]
    pub fn digest(credentials: Arc<dyn CredentialsHandle>) -> Self {
        Self::of("Digest", Form::Request, credentials)
    }

    /// The scheme that belongs to the package of these credentials: `NTLM`, `Digest` (also under its name `WDigest`), and
    /// `Negotiate` for Negotiate and Kerberos. `None` for packages that HTTP has no scheme for, such as Schannel.
    #[must_use]
    pub fn of_package(credentials: Arc<dyn CredentialsHandle>) -> Option<Self> {
        let package = credentials.package_info().name.to_ascii_lowercase();
        Some(match package.as_str() {
            "ntlm" => Self::ntlm(credentials),
            "negotiate" | "kerberos" => Self::negotiate(credentials),
            "digest" | "wdigest" => Self::digest(credentials),
            _ => return None,
        })
    }

    /// A scheme of another name, whose package's tokens travel as base64 and authenticate a connection.
    #[must_use]
    pub fn tokens(name: &'static str, credentials: Arc<dyn CredentialsHandle>) -> Self {
        Self::of(name, Form::Connection, credentials)
    }

    fn of(name: &'static str, form: Form, credentials: Arc<dyn CredentialsHandle>) -> Self {
        let package = credentials.package_info().name.to_string();
        Self { name, form, package, credentials }
    }

    /// The scheme's name in header fields.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }
}

impl fmt::Debug for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scheme").field("name", &self.name).field("package", &self.package).finish()
    }
}
