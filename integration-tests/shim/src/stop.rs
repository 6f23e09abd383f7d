//! Why the shim stops before its end.

use sspi_core::Error;

use crate::error_strings;

/// Why the shim stops before its end.
#[derive(Debug)]
pub(crate) enum Stop {
    /// Exit 89: something is asked for that this stack does not have, or does not show.
    Unimplemented(String),
    /// Exit 1: what the standard error says, with the runner's string in it where there is one.
    Failed(String),
}

impl Stop {
    pub(crate) fn unimplemented(what: impl Into<String>) -> Self {
        Self::Unimplemented(what.into())
    }

    pub(crate) fn failed(what: impl Into<String>) -> Self {
        Self::Failed(what.into())
    }

    /// A handshake has failed; it may be that a server refused the hello without having said anything else.
    pub(crate) fn in_handshake(error: &Error, is_answer_to_hello: bool) -> Self {
        let mut string = error_strings::of(error);
        if is_answer_to_hello && string == error_strings::HANDSHAKE_FAILURE {
            string += "HANDSHAKE_FAILURE_ON_CLIENT_HELLO:";
        }
        Self::Failed(format!("{string} {error}"))
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(format!("{} {error}", error_strings::of(&error)))
    }
}
