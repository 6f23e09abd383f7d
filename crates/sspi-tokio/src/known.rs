//! What a stream knows of its peer.

use std::sync::Arc;

use sspi_core::{Account, Error, QueryContextAttributes, SecurityContext};

/// What a handshake left to be asked about.
pub(crate) struct Known {
    pub(crate) attributes: Arc<dyn QueryContextAttributes>,
    pub(crate) account: Result<Arc<Account>, Error>,
}

impl Known {
    pub(crate) fn of(context: &dyn SecurityContext) -> Self {
        Self { attributes: context.attributes(), account: context.security_context_token().map(Arc::new) }
    }

    pub(crate) fn account(&self) -> Result<Account, Error> {
        self.account.as_deref().cloned().map_err(Clone::clone)
    }
}
