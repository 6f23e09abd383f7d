//! What is known of whoever sends a request.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use sspi_core::{Account, Error, QueryContextAttributes};

/// Who sends a request: among the extensions of every request that the layer lets through with an account.
#[derive(Clone)]
pub struct Authenticated {
    pub(crate) account: Account,
    pub(crate) scheme: &'static str,
    pub(crate) attributes: Arc<dyn QueryContextAttributes>,
}

impl Authenticated {
    /// The account.
    #[must_use]
    pub const fn account(&self) -> &Account {
        &self.account
    }

    /// The scheme by which it was authenticated, such as `NTLM`.
    #[must_use]
    pub const fn scheme(&self) -> &'static str {
        self.scheme
    }

    /// What was negotiated: `QueryContextAttributes` of the context.
    #[must_use]
    pub fn attributes(&self) -> &Arc<dyn QueryContextAttributes> {
        &self.attributes
    }
}

impl fmt::Debug for Authenticated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authenticated")
            .field("account", &self.account)
            .field("scheme", &self.scheme)
            .finish_non_exhaustive()
    }
}

/// How a client's attempt to authenticate ended.
pub struct Attempt<'a> {
    /// Where the client is, as far as that is known.
    pub source: Option<&'a str>,
    /// The scheme that it used.
    pub scheme: &'a str,
    /// How long it took from its first message on, the client's time included.
    pub took: Duration,
    /// Who it is, or why it was refused.
    pub result: Result<&'a Authenticated, &'a Error>,
}

impl fmt::Debug for Attempt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempt")
            .field("source", &self.source)
            .field("scheme", &self.scheme)
            .field("took", &self.took)
            .field("result", &self.result)
            .finish()
    }
}
