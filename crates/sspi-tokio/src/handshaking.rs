//! A handshake, whichever role it has.

use core::fmt;

use sspi_core::{AcceptSecurityContext, Failure, InitializeSecurityContext, Renegotiation, Step};

/// A handshake in either role.
pub enum Handshaking {
    /// The client's: it speaks first.
    Initialize(Box<dyn InitializeSecurityContext>),
    /// The server's: it hears first.
    Accept(Box<dyn AcceptSecurityContext>),
}

impl Handshaking {
    /// `InitializeSecurityContext` or `AcceptSecurityContext`: takes the peer's bytes and says why it stopped.
    ///
    /// # Errors
    /// Those of the package.
    pub fn advance(&mut self, input: &[u8]) -> Result<Step, Failure> {
        match self {
            Self::Initialize(client) => client.initialize_security_context(input),
            Self::Accept(server) => server.accept_security_context(input),
        }
    }
}

impl From<Box<dyn InitializeSecurityContext>> for Handshaking {
    fn from(client: Box<dyn InitializeSecurityContext>) -> Self {
        Self::Initialize(client)
    }
}

impl From<Box<dyn AcceptSecurityContext>> for Handshaking {
    fn from(server: Box<dyn AcceptSecurityContext>) -> Self {
        Self::Accept(server)
    }
}

impl From<Renegotiation> for Handshaking {
    fn from(renegotiation: Renegotiation) -> Self {
        match renegotiation {
            Renegotiation::Initialize(client) => Self::Initialize(client),
            Renegotiation::Accept(server) => Self::Accept(server),
        }
    }
}

impl fmt::Debug for Handshaking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Initialize(_) => "Initialize(..)",
            Self::Accept(_) => "Accept(..)",
        })
    }
}
