//! The client's side of the handshake.
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
//!                           [NewSessionTicket]
//!                               ChangeCipherSpec
//!                           ◄─  Finished
//! ```
//!
//! Spec: TLS12 section 7.3; SSL30 section 5.5; TICKET section 3.1.

use std::sync::Arc;

use wire::Reader;

use crate::certificate::Identity;
use crate::config::ClientConfig;
use crate::connection::Negotiated;
use crate::connection::handshake::{Channel as _, NOT_ASKED, NOT_OVER, Outcome, Rest, Role};
use crate::error::Error;
use crate::tls::channel::{Channel, Incoming};
use crate::tls::messages::HandshakeType as H;

mod certificate;
mod finish;
mod hello;
mod key_exchange;
mod offer;
mod reply;

use self::certificate::Shown;
use self::finish::Keyed;
use self::hello::Agreed;
use self::key_exchange::Shared;
pub(crate) use self::offer::{Offer, Wanted};
use self::reply::Asked;

/// What a client waits for.
pub(crate) enum State {
    ServerHello(Box<Offer>),
    Certificate(Box<Agreed>),
    ServerKeyExchange(Box<Shown>),
    CertificateRequest(Box<Shared>),
    ServerHelloDone(Box<Asked>),
    /// The application's answer.
    Identity(Box<Asked>),
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
    type Config = ClientConfig;
    type Channel = Channel;

    /// THE flow: what may come when, and what handles it.
    fn handle(self, incoming: Incoming, config: &ClientConfig, channel: &mut Channel) -> Result<Self, Error> {
        let expected = self.expected();
        match (self, incoming) {
            // A server that asks for a handshake while there is one is answered by that one. Spec: TLS12 section 7.4.1.1.
            (state, Incoming::Message(m)) if m.kind == H::HELLO_REQUEST => {
                Reader::new(m.body()).finish("HelloRequest")?;
                channel.hello_request(state)
            }
            (Self::ServerHello(state), Incoming::Message(m)) if m.kind == H::SERVER_HELLO => {
                state.server_hello(&m, config, channel)
            }
            (Self::Certificate(state), Incoming::Message(m)) if m.kind == H::CERTIFICATE => {
                state.certificate(&m, channel)
            }
            (Self::ServerKeyExchange(state), Incoming::Message(m))
                if m.kind == H::CERTIFICATE_STATUS && state.awaits_status() =>
            {
                state.certificate_status(&m, channel)
            }
            (Self::ServerKeyExchange(state), Incoming::Message(m)) if m.kind == H::SERVER_KEY_EXCHANGE => {
                state.server_key_exchange(&m, config, channel)
            }
            (Self::ServerKeyExchange(state), Incoming::Message(m)) if m.kind == H::CERTIFICATE_REQUEST => {
                state.without_key_exchange(config)?.certificate_request(&m, channel)
            }
            (Self::ServerKeyExchange(state), Incoming::Message(m)) if m.kind == H::SERVER_HELLO_DONE => {
                state.without_key_exchange(config)?.without_request().server_hello_done(&m, config, channel)
            }
            (Self::CertificateRequest(state), Incoming::Message(m)) if m.kind == H::CERTIFICATE_REQUEST => {
                state.certificate_request(&m, channel)
            }
            (Self::CertificateRequest(state), Incoming::Message(m)) if m.kind == H::SERVER_HELLO_DONE => {
                state.without_request().server_hello_done(&m, config, channel)
            }
            (Self::ServerHelloDone(state), Incoming::Message(m)) if m.kind == H::SERVER_HELLO_DONE => {
                state.server_hello_done(&m, config, channel)
            }
            (Self::ChangeCipherSpec(state), Incoming::Message(m))
                if m.kind == H::NEW_SESSION_TICKET && state.may_get_ticket() =>
            {
                state.new_session_ticket(&m, config, channel)
            }
            (Self::ChangeCipherSpec(state), Incoming::ChangeCipherSpec) => {
                state.change_cipher_spec(config, channel)
            }
            (Self::Finished(state), Incoming::Message(m)) if m.kind == H::FINISHED => {
                state.finished(&m, config, channel)
            }
            // Spec: TLS12 section 7.2.2.
            (Self::ServerHello(_), Incoming::NoRenegotiation) => {
                channel.expect_end_of_flight()?;
                Ok(Self::Declined { closed: false })
            }
            // Its close_notify was on its way before it could hear of us. Spec: TLS12 section 7.2.1.
            (Self::ServerHello(_), Incoming::Closed) => {
                channel.expect_end_of_flight()?;
                Ok(Self::Declined { closed: true })
            }
            (_, incoming) => Err(incoming.unexpected(expected)),
        }
    }

    fn expected(&self) -> &'static str {
        match self {
            Self::ServerHello(_) => "ServerHello",
            Self::Certificate(_) => "Certificate",
            Self::ServerKeyExchange(_) => "ServerKeyExchange, CertificateRequest or ServerHelloDone",
            Self::CertificateRequest(_) => "CertificateRequest or ServerHelloDone",
            Self::ServerHelloDone(_) => "ServerHelloDone",
            Self::Identity(_) => "nothing",
            Self::ChangeCipherSpec(_) => "ChangeCipherSpec",
            Self::Finished(_) => "Finished",
            Self::Complete(_) | Self::Declined { .. } => "nothing more of the handshake",
        }
    }

    fn rest(&self) -> Option<Rest> {
        match self {
            Self::Identity(asked) => Some(Rest::Asking(asked.question())),
            Self::Complete(_) | Self::Declined { .. } => Some(Rest::Over),
            _ => None,
        }
    }

    fn answer(
        self,
        identity: Option<Arc<Identity>>,
        config: &ClientConfig,
        channel: &mut Channel,
    ) -> Result<Self, Error> {
        match self {
            Self::Identity(mut asked) => {
                // What was chosen for one handshake must not stand in for the choice of another.
                asked.keep_no_session();
                asked.reply(identity, config, channel)
            }
            _ => Err(NOT_ASKED),
        }
    }

    fn conclude(self, channel: Channel) -> Result<Outcome, Error> {
        match self {
            Self::Complete(negotiated) => Ok(channel.conclude(negotiated)),
            Self::Declined { closed } => Ok(channel.declined(closed)),
            _ => Err(NOT_OVER),
        }
    }
}
