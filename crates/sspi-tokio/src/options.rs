//! What bounds a handshake, and who answers its questions.

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use sspi_core::PackageInfo;

use crate::{Answers, Framing, NoAnswers};

/// How a handshake is run.
#[derive(Clone)]
pub struct HandshakeOptions {
    /// How tokens and messages are told apart.
    pub framing: Framing,
    /// How long the whole handshake may take, answers included: 30 seconds unless told otherwise. `None` waits forever; that
    /// is for callers that have a time limit of their own. A deadline needs a runtime whose timer is enabled.
    pub deadline: Option<Duration>,
    /// The most bytes of the peer that are held unread during the handshake: 256 KiB unless told otherwise.
    pub maximum_token: usize,
    /// Who answers what the package asks.
    pub answers: Arc<dyn Answers>,
}

/// [`HandshakeOptions::deadline`] unless told otherwise.
const DEADLINE: Duration = Duration::from_secs(30);

/// [`HandshakeOptions::maximum_token`] unless told otherwise, in bytes.
pub(crate) const MAXIMUM_TOKEN: usize = 256 * 1024;

impl HandshakeOptions {
    /// The usual bounds, and nobody to answer questions.
    #[must_use]
    pub fn new(framing: Framing) -> Self {
        Self { framing, deadline: Some(DEADLINE), maximum_token: MAXIMUM_TOKEN, answers: Arc::new(NoAnswers) }
    }

    /// What fits the package.
    #[must_use]
    pub fn of(package: &PackageInfo) -> Self {
        Self::new(Framing::of(package))
    }

    /// The same with other answers.
    #[must_use]
    pub fn with_answers(self, answers: impl Answers + 'static) -> Self {
        Self { answers: Arc::new(answers), ..self }
    }

    /// The same with another deadline.
    #[must_use]
    pub fn with_deadline(self, deadline: Option<Duration>) -> Self {
        Self { deadline, ..self }
    }
}

impl Default for HandshakeOptions {
    fn default() -> Self {
        Self::new(Framing::default())
    }
}

impl fmt::Debug for HandshakeOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandshakeOptions")
            .field("framing", &self.framing)
            .field("deadline", &self.deadline)
            .field("maximum_token", &self.maximum_token)
            .finish_non_exhaustive()
    }
}
