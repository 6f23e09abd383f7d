//! A handshake of the engine, as opaque tokens. The first error is final.

use std::sync::Arc;

use legacy_tls::{ClientConnection, FirstFlight, ProtocolVersion, ServerConnection};
use sspi_core::{Answer, Ask, CertificateIdentity, ClientCertificateRequest, Failure, Question};

use super::configs::{ClientConfigs, ServerConfigs, client_part, server_part};
use super::error::translate;
use super::records::{OUT_OF_BAND, Receiving, Sending};
use super::sessions::serial_of;
use crate::attributes::Attributes;
use crate::backend::records::{RECORD_HEADER, Told};
use crate::backend::{
    self, ClientParameters, Identity, LocalCertificate, Progress, ServerParameters, Session, SessionSecrets,
    Settings, check_alpn,
};
use crate::cipher_suites::Suite;
use crate::config::ClientAuth;
use crate::first_flight::describe;
use crate::renegotiation::{Begin, Prior};
use crate::session_cache::{Kept, Part};
use crate::status::Error;

/// What a handshake yields: what was negotiated, and the keys.
pub(crate) struct Established {
    pub(crate) session: Session,
    pub(crate) kept: Arc<Kept>,
    pub(crate) sending: Sending,
    pub(crate) receiving: Receiving,
}

/// A handshake in either role.
pub(crate) struct Handshake {
    state: State,
}

enum State {
    Running(Box<Running>),
    Complete,
    Failed(sspi_core::Error),
}

struct Running {
    connection: Connection,
    settings: Arc<Settings>,
    /// What the application was asked.
    asked: Option<Answer<Option<CertificateIdentity>>>,
    /// Nothing of the peer's has been taken.
    is_first: bool,
    extended_errors: bool,
    /// The sessions of the handshakes before, on a connection that there is already.
    before: Option<Arc<Kept>>,
    /// Where its sessions are kept.
    part: Part,
    /// Whether the answer to a client may be of SSL 2.0 or PCT, and whether it may be of anything newer.
    answers: (bool, bool),
}

enum Connection {
    Client(Box<ClientConnection>),
    Server(Box<ServerConnection>),
}

/// The directions of a connection that stays what it was.
pub(crate) fn on_connection(
    directions: legacy_tls::Directions,
    attributes: &Attributes,
    settings: &Settings,
) -> Option<(Sending, Receiving)> {
    let negotiated = attributes.engines()?;
    let (limit, kept) = (settings.policy.small_block_limit, negotiated.kept_session());
    Some((
        Sending::new(directions.sealer, negotiated.version, limit).in_session(kept.clone()),
        Receiving::new(directions.opener, limit).in_session(kept),
    ))
}

/// Under what a client keeps its session with a peer. Addresses and names cannot be mistaken for each other.
pub(crate) fn session_key(parameters: &ClientParameters) -> Option<Vec<u8>> {
    Some(parameters.target.as_ref()?.to_str().as_bytes().to_vec())
}

fn client_parameters(
    parameters: &ClientParameters,
) -> Result<legacy_tls::ClientParameters, sspi_core::Error> {
    let alpn = parameters.alpn.clone();
    alpn.iter().flatten().try_for_each(|name| check_alpn(name))?;
    Ok(legacy_tls::ClientParameters {
        server_name: parameters.target.as_ref().map(|target| target.to_str().into_owned()),
        alpn,
        session_key: session_key(parameters),
        fallback: parameters.is_fallback,
    })
}

/// Whether SSL 2.0 or PCT is among the protocols, and whether anything newer is.
fn families(config: &legacy_tls::Policy) -> (bool, bool) {
    let is_old = |version: &ProtocolVersion| *version < ProtocolVersion::SSL30;
    (config.versions.iter().any(is_old), !config.versions.iter().all(is_old))
}

impl Handshake {
    /// A client's handshake, with a hello of the engine's own.
    pub(crate) fn client(
        configs: &ClientConfigs,
        parameters: &ClientParameters,
    ) -> Result<Self, sspi_core::Error> {
        let config = configs.config(parameters.protocols, parameters.manual)?;
        let mut wanted = client_parameters(parameters)?;
        // With our highest version it is no fallback, and a server that has a newer one must not see one.
        // Spec: SCSV section 4.
        let highest = config.policy.highest;
        wanted.fallback &= !config.policy.versions.contains(&highest);
        let answers = families(&config.policy);
        let connection = ClientConnection::new(config, wanted)
            .map_err(|error| translate(&error, true, &configs.settings))?;
        let connection = Connection::Client(Box::new(connection));
        let part = client_part(parameters.manual);
        Ok(Self::new(connection, &configs.settings, part, parameters.extended_errors, answers))
    }

    /// A client's handshake that goes on behind a ClientHello (message and header) that another engine has sent.
    pub(crate) fn take_over(
        configs: &ClientConfigs,
        parameters: &ClientParameters,
        client_hello: &[u8],
    ) -> Result<Self, sspi_core::Error> {
        let config = configs.config(parameters.protocols, parameters.manual)?;
        let wanted = client_parameters(parameters)?;
        let connection = ClientConnection::take_over(config, wanted, client_hello)
            .map_err(|error| translate(&error, true, &configs.settings))?;
        let connection = Connection::Client(Box::new(connection));
        let part = client_part(parameters.manual);
        Ok(Self::new(connection, &configs.settings, part, parameters.extended_errors, (false, true)))
    }

    /// A server's handshake.
    pub(crate) fn server(
        configs: &ServerConfigs,
        parameters: &ServerParameters,
    ) -> Result<Self, sspi_core::Error> {
        let config = configs.config(parameters.protocols, parameters.verification)?;
        let alpn = parameters.alpn.clone();
        alpn.iter().flatten().try_for_each(|name| check_alpn(name))?;
        let wanted = legacy_tls::ServerParameters { alpn, client_auth: config.client_auth };
        let connection = Connection::Server(Box::new(ServerConnection::new(config, wanted)));
        let part = server_part(&configs.settings, parameters.protocols, parameters.verification);
        Ok(Self::new(connection, &configs.settings, part, parameters.extended_errors, (true, true)))
    }

    /// A client's handshake on a connection.
    pub(crate) fn client_again(
        configs: &ClientConfigs,
        parameters: &ClientParameters,
        with: Begin,
    ) -> Result<Self, sspi_core::Error> {
        let config = configs.config(parameters.protocols, parameters.manual)?;
        let mut wanted = client_parameters(parameters)?;
        // The first hello has said so, if it was one.
        wanted.fallback = false;
        let Begin { prior, directions, is_announced } = with;
        let connection = match prior {
            Prior::Tls(before) => ClientConnection::renegotiate(config, wanted, before, directions),
            Prior::Pct1(previous) => {
                ClientConnection::redo(config, wanted, previous, directions, is_announced)
            }
        };
        let connection = connection.map_err(|error| translate(&error, true, &configs.settings))?;
        let connection = Connection::Client(Box::new(connection));
        let part = client_part(parameters.manual);
        Ok(Self::new(connection, &configs.settings, part, parameters.extended_errors, (false, true)).begun())
    }

    /// A server's handshake on a connection.
    pub(crate) fn server_again(
        configs: &ServerConfigs,
        parameters: &ServerParameters,
        with: Begin,
    ) -> Result<Self, sspi_core::Error> {
        let config = configs.config(parameters.protocols, parameters.verification)?;
        let client_auth = match configs.settings.renegotiation_client_auth {
            ClientAuth::Required => legacy_tls::ClientAuth::Required,
            ClientAuth::Optional | ClientAuth::None => config.client_auth,
        };
        let wanted = legacy_tls::ServerParameters { alpn: None, client_auth };
        let Begin { prior, directions, is_announced } = with;
        let connection = match prior {
            Prior::Tls(before) => ServerConnection::renegotiate(config, wanted, before, directions),
            Prior::Pct1(previous) => {
                // It asks for a certificate if the first handshake did.
                // Spec: PCT1 section 4.3.2.
                ServerConnection::redo(config, &wanted, previous, directions, is_announced)
            }
        };
        let connection = connection.map_err(|error| translate(&error, false, &configs.settings))?;
        let connection = Connection::Server(Box::new(connection));
        let part = server_part(&configs.settings, parameters.protocols, parameters.verification);
        Ok(Self::new(connection, &configs.settings, part, parameters.extended_errors, (false, true)).begun())
    }

    /// A handshake that is over before it began.
    pub(crate) const fn failed(error: sspi_core::Error) -> Self {
        Self { state: State::Failed(error) }
    }

    /// The sessions of the handshakes before do not outlive a failure of this one.
    pub(crate) fn behind(mut self, before: Option<Arc<Kept>>) -> Self {
        match (&mut self.state, before) {
            (State::Running(running), before) => running.before = before,
            (State::Failed(_), Some(before)) => before.forget(),
            (State::Failed(_) | State::Complete, _) => {}
        }
        self
    }

    /// Ends it, because the client that was asked for it has had its time.
    pub(crate) fn give_up(&mut self) -> Failure {
        let silent = || Failure::from(sspi_core::Error::from(Error::NotNegotiatedAgain));
        let State::Running(running) = &mut self.state else { return silent() };
        running.before.iter().for_each(|before| before.forget());
        let Connection::Server(server) = &mut running.connection else { return silent() };
        let failure = server.give_up();
        let error = translate(&failure.error, false, &running.settings);
        let failure = Told::from(failure).of(error, running.extended_errors);
        self.state = State::Failed(failure.error.clone());
        failure
    }

    /// What comes is under keys: there are no first bytes to be judged.
    fn begun(mut self) -> Self {
        if let State::Running(running) = &mut self.state {
            running.is_first = false;
        }
        self
    }

    fn new(
        connection: Connection,
        settings: &Arc<Settings>,
        part: Part,
        extended_errors: bool,
        answers: (bool, bool),
    ) -> Self {
        let settings = Arc::clone(settings);
        let running = Running {
            connection,
            settings,
            asked: None,
            is_first: true,
            extended_errors,
            answers,
            before: None,
            part,
        };
        Self { state: State::Running(Box::new(running)) }
    }

    /// Takes what it can of `input`.
    pub(crate) fn advance(&mut self, input: &[u8]) -> Result<Progress, Failure> {
        let running = match &mut self.state {
            State::Complete => {
                return Err(sspi_core::Error::invalid_handle("the handshake is complete already").into());
            }
            State::Failed(error) => return Err(error.clone().into()),
            State::Running(running) => running,
        };
        match running.advance(input) {
            Ok(progress) => {
                if matches!(progress, Progress::Complete { .. } | Progress::Declined { .. }) {
                    self.state = State::Complete;
                }
                Ok(progress)
            }
            Err(Stop::Unanswered(error)) => Err(error.into()),
            Err(Stop::Failed(failure)) => {
                running.before.iter().for_each(|before| before.forget());
                self.state = State::Failed(failure.error.clone());
                Err(failure)
            }
        }
    }
}

enum Stop {
    /// The driver called again without an answer: nothing is lost.
    Unanswered(sspi_core::Error),
    Failed(Failure),
}

impl Running {
    fn advance(&mut self, input: &[u8]) -> Result<Progress, Stop> {
        self.check_first_flight(input)?;
        self.take_answer()?;
        let progress = match &mut self.connection {
            Connection::Client(client) => client.advance(input),
            Connection::Server(server) => server.advance(input),
        };
        match progress.map_err(|failure| self.fail(failure))? {
            legacy_tls::Progress::Continue { output, used } => {
                self.is_first &= used == 0;
                Ok(Progress::Continue { token: output, used })
            }
            legacy_tls::Progress::Incomplete { missing } => Ok(Progress::Incomplete { missing }),
            legacy_tls::Progress::Ask(request) => {
                let (ask, answer) = Ask::new(ClientCertificateRequest {
                    certificate_types: request.certificate_types,
                    signature_schemes: request.signature_schemes,
                    issuers: request.authorities,
                });
                self.asked = Some(answer);
                Ok(Progress::Ask(Question::ClientCertificate(ask)))
            }
            legacy_tls::Progress::Data { data, used } => Ok(Progress::Data { data, used }),
            legacy_tls::Progress::Declined { directions, closed, used } => {
                Ok(Progress::Declined { directions, closed, used })
            }
            legacy_tls::Progress::Complete { established, output, .. }
                if !established.negotiated.out_of_band().is_empty() =>
            {
                let error = Error::UnexpectedMessage { what: OUT_OF_BAND.to_owned() };
                Err(self.told(Told { token: output, alert: None }, error))
            }
            legacy_tls::Progress::Complete { established, output, used } => {
                let established = self.establish(*established);
                let established = backend::Established::Legacy(Box::new(established));
                Ok(Progress::Complete { established, token: output, used })
            }
        }
    }

    /// An answer that does not even begin as a record is called by its name. What a client says first, the server has seen.
    fn check_first_flight(&self, input: &[u8]) -> Result<(), Stop> {
        if !self.is_first || !self.is_client() || input.len() < RECORD_HEADER {
            return Ok(());
        }
        let error = match (FirstFlight::of(input), self.answers) {
            (Ok(FirstFlight::TlsRecord), (_, true)) => return Ok(()),
            (Ok(FirstFlight::TlsRecord), _) => {
                let ours = self.settings.policy.protocols.iter().map(|protocol| protocol.name());
                let ours = ours.collect::<Vec<_>>().join(", ");
                Error::NoProtocolInCommon { peer: "SSL 3.0 or TLS".to_owned(), ours }
            }
            // An answer of SSL 2.0 or PCT has no shape that could be told from afar.
            (Ok(FirstFlight::PlainText | FirstFlight::Ssh), _) | (Ok(_), (false, _)) => {
                let what = FirstFlight::of(input).map_or("bytes of no protocol", describe);
                Error::NotTls { what }
            }
            (Ok(_), (true, _)) | (Err(_), _) => return Ok(()),
        };
        Err(self.told(Told::in_clear(ProtocolVersion::SSL30, error.alert()), error))
    }

    /// Takes the application's answer, if it was asked.
    fn take_answer(&mut self) -> Result<(), Stop> {
        let Some(asked) = &self.asked else { return Ok(()) };
        let identity = match asked.given().map_err(Stop::Unanswered)? {
            None => None,
            Some(identity) => {
                let chosen =
                    Identity::from_application(identity, true).map_err(|error| Stop::Failed(error.into()))?;
                chosen.legacy().cloned()
            }
        };
        self.asked = None;
        match &mut self.connection {
            Connection::Client(client) => client.answer(identity).map_err(|failure| self.fail(failure)),
            Connection::Server(_) => Ok(()),
        }
    }

    const fn is_client(&self) -> bool {
        matches!(self.connection, Connection::Client(_))
    }

    fn fail(&self, failure: legacy_tls::Failure) -> Stop {
        let error = translate(&failure.error, self.is_client(), &self.settings);
        self.told(failure.into(), error)
    }

    fn told(&self, told: Told, error: Error) -> Stop {
        Stop::Failed(told.of(error, self.extended_errors))
    }

    fn establish(&self, established: legacy_tls::Established) -> Established {
        let legacy_tls::Established { sealer, opener, mut negotiated } = established;
        // Analysers want what the TLS family has.
        if !matches!(negotiated.version, ProtocolVersion::PCT1 | ProtocolVersion::SSL20) {
            let (random, secret) = (negotiated.client_random(), negotiated.master_secret());
            self.settings.log_key("CLIENT_RANDOM", random, secret);
        }
        let peer_chain = core::mem::take(&mut negotiated.peer_chain);
        let (version, limit) = (negotiated.version, self.settings.policy.small_block_limit);
        let kept_session = negotiated.kept_session();
        let mut ids: Vec<_> = negotiated.session_key.iter().cloned().collect();
        let mut serial = None;
        match &negotiated.ticketed {
            // The ticket is its name.
            Some(id) if self.settings.sessions.are_shared() => ids.push(id.clone()),
            Some(id) => serial = serial_of(id),
            None => {}
        }
        let kept = Arc::new(Kept::new(&self.settings.sessions, self.part, ids, serial));
        kept.follows(self.before.clone());
        let session = Session {
            is_client: negotiated.is_client,
            version: version.0,
            suite: Suite::of_row(negotiated.suite),
            strength: negotiated.strength,
            alpn: negotiated.alpn.take(),
            peer_chain: Some(peer_chain)
                .filter(|chain| !chain.is_empty())
                .map(|chain| Arc::new(chain.into())),
            local: negotiated.identity.take().map(LocalCertificate::Legacy),
            resumed: negotiated.resumed,
            session_id: core::mem::take(&mut negotiated.session_id),
            server_name: negotiated.server_name.take(),
            account: None,
            secrets: SessionSecrets::Legacy(Box::new(negotiated)),
        };
        Established {
            session,
            kept,
            sending: Sending::new(sealer, version, limit).in_session(kept_session.clone()),
            receiving: Receiving::new(opener, limit).in_session(kept_session),
        }
    }
}
