//! The framing of GSS-API tokens, the mechanisms' object identifiers, and the tokens of SPNEGO.
//!
//! ```text
//! 60 len 06 len <mechanism> <its token>     the first token of a mechanism: InitialContextToken
//!    mechanism 1.3.6.1.5.5.2 (SPNEGO):
//!      A0 len 30 len …                      NegTokenInit: what the initiator can do, its favourite first
//! A1 len 30 len …                           NegTokenResp: every token after it, without the frame
//! ```
//!
//! What is read borrows from the bytes that were read, and an error says at which byte of them and in which field it is.
//! Tokens are written as DER has it. On reading, a length may be longer than it has to be, since old peers write such;
//! nothing else of BER is taken. No reading recurses: a token is as deep as its type, whatever its bytes say.
//!
//! | what | where |
//! |---|---|
//! | elements of DER: tag, length, content | `der.rs` |
//! | mechanisms, and lists of them | `mech_type.rs` |
//! | the frame of the first token | `framing.rs` |
//! | the tokens of SPNEGO | `neg_token.rs` |
//!
//! Spec: GSS section 3.1; SPNEGO section 4; MS-SPNG section 2.2.

mod der;
mod error;
mod framing;
mod mech_type;
mod neg_token;
#[cfg(test)]
mod tests;

pub use error::{DecodeError, DecodeErrorKind};
pub use framing::InitialContextToken;
pub use mech_type::{MAXIMUM_MECHANISMS, MechType, MechTypeList};
pub use neg_token::{ContextFlags, NegHints, NegState, NegTokenInit, NegTokenResp, NegotiationToken};

/// The longest token that is read, in bytes. A mechanism's own token has at most 65,535 where Windows sets the limit
/// (`MaxTokenSize`); with as much again, no frame around it is too large.
pub const MAXIMUM_TOKEN: usize = 128 * 1024;
