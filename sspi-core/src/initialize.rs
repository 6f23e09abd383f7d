//! The initiator's side of a handshake.

use crate::{ChannelBindings, Error, Failure, HttpRequest, IscReq, SpProt, Step};

/// What one initiator's handshake is asked to do: the parameters of `InitializeSecurityContext` that are not tokens.
#[derive(Clone, Debug, Default)]
pub struct InitializeRequest {
    /// Whom the connection is meant for (`pszTargetName`): a host name, an address, or a service principal name.
    pub target_name: Option<String>,
    /// What is asked for (`fContextReq`).
    pub flags: IscReq,
    /// The channel that the authentication is bound to (`SECBUFFER_CHANNEL_BINDINGS`).
    pub channel_bindings: Option<ChannelBindings>,
    /// Application protocols in order of preference (`SECBUFFER_APPLICATION_PROTOCOLS`); `None` leaves it to the
    /// configuration.
    pub application_protocols: Option<Vec<Vec<u8>>>,
    /// The protocols that may be spoken, among those that the credential has; `None` leaves it to the configuration.
    pub protocols: Option<SpProt>,
    /// This is a second connection, after one that failed with an error that
    /// [suggests a fallback](crate::Error::suggests_fallback): offer less, and say that it is less.
    pub fallback: bool,
    /// The HTTP request that is to be authenticated, for packages whose tokens depend on it (`SECBUFFER_PKG_PARAMS`).
    pub http: Option<HttpRequest>,
    /// Another package runs this handshake for the caller, and chose this one: the context's
    /// [`negotiation_info`](crate::QueryContextAttributes::negotiation_info) says so (Windows has no parameter for it).
    pub negotiated: bool,
}

/// A handshake in the client's role: tokens in, tokens out, until it yields a context.
///
/// The driver's contract: send every token at once; after `Incomplete` and `Ask` present the same input again; after an
/// error send the failure's token and give up. A call after `Complete` is `SEC_E_INVALID_HANDLE`, and after a failure every
/// call repeats the same error.
pub trait InitializeSecurityContext: Send {
    /// `InitializeSecurityContext`: takes the peer's bytes and says why it stopped. The first call has an empty input.
    ///
    /// # Errors
    /// The failure holds the error and what must still be sent, where extended errors were requested.
    fn initialize_security_context(&mut self, input: &[u8]) -> Result<Step, Failure>;

    /// `CompleteAuthToken`: completes a token after the application has built the message that it protects, for packages
    /// that need it.
    ///
    /// # Errors
    /// `SEC_E_UNSUPPORTED_FUNCTION` for packages whose tokens are complete as they are.
    fn complete_auth_token(&mut self, token: &mut Vec<u8>) -> Result<(), Error> {
        let _unused = token;
        Err(Error::unsupported("behind this handshake", "CompleteAuthToken: its tokens are complete"))
    }
}
