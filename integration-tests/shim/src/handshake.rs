//! A handshake over the transport.

use sspi_core::{
    AcceptSecurityContext, CertificateIdentity, ClientCertificateRequest, Failure, InitializeSecurityContext,
    Question, SecurityContext, Step,
};

use crate::flags::Options;
use crate::flights::{ClientFlight, ServerFlight};
use crate::stop::Stop;
use crate::transport::Transport;

/// A handshake that has not begun.
pub(crate) enum Handshaking {
    /// As client, with the certificate that it shows when it is asked for one.
    Client(Box<dyn InitializeSecurityContext>, Option<CertificateIdentity>),
    /// As server.
    Server(Box<dyn AcceptSecurityContext>),
}

/// A handshake that is over.
pub(crate) struct Established {
    pub(crate) context: Box<dyn SecurityContext>,
    /// What the peer sent behind its handshake.
    pub(crate) unread: Vec<u8>,
    pub(crate) server_flight: ServerFlight,
    /// Server: what the client sent.
    pub(crate) client_flight: ClientFlight,
    /// Client: what the server said when it asked for a certificate, if it did.
    pub(crate) request: Option<ClientCertificateRequest>,
    /// What the peer sent in the middle of a second handshake.
    pub(crate) data: Vec<u8>,
}

impl Handshaking {
    fn advance(&mut self, input: &[u8]) -> Result<Step, Failure> {
        match self {
            Self::Client(client, _) => client.initialize_security_context(input),
            Self::Server(server) => server.accept_security_context(input),
        }
    }
}

/// Runs a handshake to its end. What must be sent after a failure is sent.
///
/// # Errors
/// The handshake failed, or the peer went away.
pub(crate) fn run(
    handshaking: Handshaking,
    transport: &mut Transport,
    options: &Options,
) -> Result<Established, Stop> {
    // A server has nothing to say before it has heard something.
    go_on(handshaking, transport, options, Vec::new(), options.server)
}

/// Runs a handshake on a connection; `unread` are bytes of the peer that the context has not taken.
///
/// # Errors
/// The handshake failed, or the peer went away.
pub(crate) fn run_again(
    handshaking: Handshaking,
    transport: &mut Transport,
    options: &Options,
    unread: Vec<u8>,
) -> Result<Established, Stop> {
    go_on(handshaking, transport, options, unread, false)
}

fn go_on(
    mut handshaking: Handshaking,
    transport: &mut Transport,
    options: &Options,
    mut input: Vec<u8>,
    mut needs_more: bool,
) -> Result<Established, Stop> {
    let mut received = Vec::new();
    let mut server_flight = ServerFlight::default();
    let mut client_flight = ClientFlight::default();
    let mut request = None;
    loop {
        if needs_more && !transport.receive(&mut input)? {
            return Err(Stop::failed("the peer closed the connection in the middle of the handshake"));
        }
        let mut done = |token: &[u8], input: &mut Vec<u8>, used: usize| {
            let taken: Vec<u8> = input.drain(..used.min(input.len())).collect();
            server_flight.records(if options.server { token } else { &taken });
            client_flight.records(if options.server { &taken } else { token });
            transport.send(token)
        };
        match handshaking.advance(&input) {
            Ok(Step::Continue { token, used }) => {
                done(&token, &mut input, used)?;
                needs_more = input.is_empty();
            }
            Ok(Step::Incomplete { .. }) => needs_more = true,
            Ok(Step::Ask(question)) => {
                request = Some(answer(question, &handshaking)?);
                needs_more = false;
            }
            Ok(Step::Data { data, used }) => {
                received.extend(data);
                done(&[], &mut input, used)?;
                needs_more = input.is_empty();
            }
            Ok(Step::Declined { context, used }) => {
                done(&[], &mut input, used)?;
                let (unread, data) = (input, received);
                return Ok(Established { context, unread, server_flight, client_flight, request, data });
            }
            Ok(Step::Complete { context, token, used }) => {
                done(&token, &mut input, used)?;
                let (unread, data) = (input, received);
                return Ok(Established { context, unread, server_flight, client_flight, request, data });
            }
            Err(Failure { error, token }) => {
                // The peer may be gone already; the first error is the one that counts.
                let _gone = transport.send(&token);
                let is_answer_to_hello = !options.server && !server_flight.has_begun();
                return Err(Stop::in_handshake(&error, is_answer_to_hello));
            }
        }
    }
}

/// Answers with the certificate of the flags, and returns what the server said.
fn answer(question: Question, handshaking: &Handshaking) -> Result<ClientCertificateRequest, Stop> {
    match (question, handshaking) {
        (Question::ClientCertificate(ask), Handshaking::Client(_, identity)) => {
            let request = ask.question().clone();
            ask.answer(identity.clone());
            Ok(request)
        }
        (other, _) => Err(other.unanswered().into()),
    }
}
