//! Why a handshake call stopped: a closed list.

use core::fmt;

use crate::{Question, SecurityContext};

/// Why a call of [`initialize_security_context`](crate::InitializeSecurityContext::initialize_security_context) or
/// [`accept_security_context`](crate::AcceptSecurityContext::accept_security_context) stopped.
///
/// `used` says how many bytes of the input were taken. What follows them in the same buffer (SSPI's `SECBUFFER_EXTRA`)
/// belongs to the next call, or, after [`Step::Complete`], to
/// [`decrypt_message`](crate::ReceivingHalf::decrypt_message). After `Incomplete` and `Ask` nothing was taken: the caller
/// presents the same bytes again.
pub enum Step {
    /// `SEC_I_CONTINUE_NEEDED`: send the token, if it is not empty, and come back with the rest of the input and with
    /// what the peer answers. Always progress: a token, or bytes used.
    Continue {
        /// What must be sent; may be empty.
        token: Vec<u8>,
        /// Bytes of the input that were taken.
        used: usize,
    },
    /// `SEC_E_INCOMPLETE_MESSAGE`: the input ends in the middle of a message; read on and present all of it again.
    Incomplete {
        /// How many bytes are missing at least (`SECBUFFER_MISSING`), where that can be known.
        missing: Option<usize>,
    },
    /// Something must be answered from outside; then present the same input again.
    Ask(Question),
    /// Data of the application, in the middle of a handshake on an established context
    /// ([`SecurityContext::renegotiate`]): the peer sent it under the keys that there are, before it heard of the handshake
    /// or between two messages of it. Hand it to the application in its place in the stream, and come back with the rest of
    /// the input. The first handshake of a connection has none.
    Data {
        /// What the peer sent, opened.
        data: Vec<u8>,
        /// Bytes of the input that were taken; never none.
        used: usize,
    },
    /// `SEC_I_NO_RENEGOTIATION`: in a handshake on an established context, the peer does not negotiate again. The context is
    /// what it was, with the same attributes. A peer that closed its side in order instead of answering has declined, too:
    /// the context's next `DecryptMessage` says so ([`Decrypted::Expired`](crate::Decrypted::Expired)), whatever it is given.
    Declined {
        /// The context that was to be negotiated again.
        context: Box<dyn SecurityContext>,
        /// Bytes of the input that were taken.
        used: usize,
    },
    /// `SEC_E_OK`: the handshake is over. Send the token, if it is not empty.
    Complete {
        /// The established context.
        context: Box<dyn SecurityContext>,
        /// The last token; may be empty.
        token: Vec<u8>,
        /// Bytes of the input that were taken.
        used: usize,
    },
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Continue { token, used } => {
                write!(f, "Continue {{ token: {} bytes, used: {used} }}", token.len())
            }
            Self::Incomplete { missing } => write!(f, "Incomplete {{ missing: {missing:?} }}"),
            Self::Ask(question) => f.debug_tuple("Ask").field(question).finish(),
            Self::Data { data, used } => write!(f, "Data {{ data: {} bytes, used: {used} }}", data.len()),
            Self::Declined { used, .. } => write!(f, "Declined {{ used: {used} }}"),
            Self::Complete { token, used, .. } => {
                write!(f, "Complete {{ token: {} bytes, used: {used} }}", token.len())
            }
        }
    }
}
