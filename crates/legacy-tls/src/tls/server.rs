//! The server's side of the handshake.
//!
//! ```text
//! full                                          resumed
//! ClientHello               ─►                  ClientHello               ─►
//!                               ServerHello                                   ServerHello
//!                               Certificate                              [NewSessionTicket]
//!                          [CertificateStatus]                                ChangeCipherSpec
//!                          [ServerKeyExchange]                            ◄─  Finished
//!                         [CertificateRequest]  ChangeCipherSpec
//!                           ◄─  ServerHelloDone  Finished                  ─►
//! [Certificate]
//! ClientKeyExchange
//! [CertificateVerify]
//! ChangeCipherSpec
//! Finished                  ─►
//!                          [NewSessionTicket]
//!                               ChangeCipherSpec
//!                           ◄─  Finished
//! ```
//!
//! Spec: TLS12 section 7.3; SSL30 section 5.5; TICKET section 3.1.

use crate::config::{ClientAuth, ServerConfig};
use crate::connection::Negotiated;
use crate::connection::handshake::{Channel as _, NOT_OVER, Outcome, Rest, Role};
use crate::error::{Error, Refused};
use crate::tls::channel::{Channel, Incoming};
use crate::tls::messages::{ClientHello, HandshakeType as H};
use crate::tls::versions::NoCertificate;

mod certificate;
mod choice;
mod finish;
mod flight;
mod hello;
mod key_exchange;

use self::finish::Keyed;
pub(crate) use self::hello::Start;
use self::key_exchange::Chosen;

/// What a server waits for.
pub(crate) enum State {
    ClientHello(Box<Start>),
    Certificate(Box<Chosen>),
    ClientKeyExchange(Box<Chosen>),
    CertificateVerify(Box<Keyed>),
    ChangeCipherSpec(Box<Keyed>),
    Finished(Box<Keyed>),
    /// Nothing more.
    Complete(Box<Negotiated>),
    /// Nothing more: the connection stays what it was.
    Declined {
        /// But that the peer has closed its side.
        closed: bool,
    },
}

impl Role for State {
    type Config = ServerConfig;
    type Channel = Channel;

    /// THE flow: what may come when, and what handles it.
    fn handle(self, incoming: Incoming, config: &ServerConfig, channel: &mut Channel) -> Result<Self, Error> {
        let expected = self.expected();
        match (self, incoming) {
            (Self::ClientHello(state), Incoming::Message(m)) if m.kind == H::CLIENT_HELLO => {
                state.client_hello(&m, config, channel)
            }
            (Self::Certificate(state), Incoming::Message(m)) if m.kind == H::CERTIFICATE => {
                state.certificate(&m, config, channel)
            }
            (Self::Certificate(state), Incoming::NoCertificate)
                if state.rules.no_certificate == NoCertificate::Alert =>
            {
                Ok(Self::ClientKeyExchange(state.without_certificate()?))
            }
            // A client of SSL 3.0 without certificate "should" say so by an alert, and not all do.
            // Spec: SSL30 section 5.6.6.
            (Self::Certificate(state), Incoming::Message(m))
                if m.kind == H::CLIENT_KEY_EXCHANGE && state.rules.no_certificate == NoCertificate::Alert =>
            {
                state.without_certificate()?.client_key_exchange(&m, config, channel)
            }
            (Self::ClientKeyExchange(state), Incoming::Message(m)) if m.kind == H::CLIENT_KEY_EXCHANGE => {
                state.client_key_exchange(&m, config, channel)
            }
            (Self::CertificateVerify(state), Incoming::Message(m)) if m.kind == H::CERTIFICATE_VERIFY => {
                state.certificate_verify(&m, config, channel)
            }
            (Self::ChangeCipherSpec(state), Incoming::ChangeCipherSpec) => {
                state.change_cipher_spec(config, channel)
            }
            (Self::Finished(state), Incoming::Message(m)) if m.kind == H::FINISHED => {
                state.finished(&m, config, channel)
            }
            // Without the certificate that the handshake was for there is nothing to go on with. Spec: TLS12 section 7.2.2.
            (Self::ClientHello(state), Incoming::NoRenegotiation) => {
                channel.expect_end_of_flight()?;
                if state.client_auth(config) == ClientAuth::Required {
                    return Err(Refused::NoClientCertificate.into());
                }
                Ok(Self::Declined { closed: false })
            }
            // Its close_notify was on its way before it could hear of us. Spec: TLS12 section 7.2.1.
            (Self::ClientHello(_), Incoming::Closed) => {
                channel.expect_end_of_flight()?;
                Ok(Self::Declined { closed: true })
            }
            (_, incoming) => Err(incoming.unexpected(expected)),
        }
    }

    fn expected(&self) -> &'static str {
        match self {
            Self::ClientHello(_) => "ClientHello",
            Self::Certificate(_) => "Certificate",
            Self::ClientKeyExchange(_) => "ClientKeyExchange",
            Self::CertificateVerify(_) => "CertificateVerify",
            Self::ChangeCipherSpec(_) => "ChangeCipherSpec",
            Self::Finished(_) => "Finished",
            Self::Complete(_) | Self::Declined { .. } => "nothing more of the handshake",
        }
    }

    fn rest(&self) -> Option<Rest> {
        matches!(self, Self::Complete(_) | Self::Declined { .. }).then_some(Rest::Over)
    }

    fn conclude(self, channel: Channel) -> Result<Outcome, Error> {
        match self {
            Self::Complete(negotiated) => Ok(channel.conclude(negotiated)),
            Self::Declined { closed } => Ok(channel.declined(closed)),
            _ => Err(NOT_OVER),
        }
    }
}

impl State {
    /// The first message, in the format of SSL 2.0: `message` is how it was sent, from its type on.
    pub(crate) fn v2_hello(
        self,
        hello: &ClientHello<'_>,
        message: &[u8],
        config: &ServerConfig,
        channel: &mut Channel,
    ) -> Result<Self, Error> {
        match self {
            Self::ClientHello(state) => state.v2_hello(hello, message, config, channel),
            _ => Err(Error::Internal("a hello of SSL 2.0 behind the first message")),
        }
    }
}
