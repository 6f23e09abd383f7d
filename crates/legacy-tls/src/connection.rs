//! Connections: bytes in, bytes out, until a handshake is over.

use core::net::IpAddr;
use std::fmt::{self, Debug, Formatter};
use std::sync::Arc;

use crate::certificate::Identity;
use crate::config::{ClientAuth, ClientConfig, Policy, ServerConfig};
use crate::detect::{FirstFlight, OldHello, V2Hello, refusal_in};
use crate::error::{Error, Misbehaved, Refused};
use crate::pct1;
use crate::pct1::channel::{Channel as Pct1Channel, Redo};
use crate::pct1::client::{Client as Pct1Client, Offer as Pct1Offer, Wanted as Pct1Wanted};
use crate::pct1::handshake::{Handshake as Pct1Handshake, Pct1Negotiated};
use crate::pct1::server::{Server as Pct1Server, Start as Pct1Start};
use crate::record::{Need, Opener, Sealer};
use crate::renegotiation::{Directions, Previous};
use crate::session::{MasterSecret, SessionStore};
use crate::ssl2;
use crate::tls::channel::{Channel, Incoming};
use crate::tls::cipher_suites::SuiteRow;
use crate::tls::key_exchange::KeyExchangeStrength;
use crate::tls::keys::Randoms;
use crate::tls::versions::{ProtocolVersion, Rules};
use crate::tls::{client, server};

mod shared;

use self::shared::Shared;

/// The most that a peer may send before its handshake is complete, in bytes.
pub(crate) const MOST: usize = 512 << 10;

/// Why a call stopped.
pub enum Progress {
    /// Send the output, if it is not empty, and come back with the rest of the input and with what the peer answers.
    Continue {
        /// What must be sent.
        output: Vec<u8>,
        /// Bytes of the input that were taken.
        used: usize,
    },
    /// The input ends in the middle of a record; present all of it again with more behind.
    Incomplete {
        /// How many bytes are missing at least.
        missing: usize,
    },
    /// A server wants a certificate; say which with [`ClientConnection::answer`], then present the same input again.
    Ask(CertificateRequested),
    /// Data of the application, in the middle of a second handshake; come back with the rest of the input.
    Data {
        /// What the peer sent.
        data: Vec<u8>,
        /// Bytes of the input that were taken.
        used: usize,
    },
    /// The peer does not negotiate the connection again: it stays what it was.
    Declined {
        /// Both directions, as they are now.
        directions: Box<Directions>,
        /// It has closed its side, and sends no more.
        closed: bool,
        /// Bytes of the input that were taken; what follows is of the connection.
        used: usize,
    },
    /// The handshake is over.
    Complete {
        /// The keys, and what was negotiated.
        established: Box<Established>,
        /// What must be sent.
        output: Vec<u8>,
        /// Bytes of the input that were taken; what follows is application data.
        used: usize,
    },
}

impl Debug for Progress {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Continue { output, used } => {
                write!(f, "Continue {{ output: {} bytes, used: {used} }}", output.len())
            }
            Self::Incomplete { missing } => write!(f, "Incomplete {{ missing: {missing} }}"),
            Self::Ask(request) => f.debug_tuple("Ask").field(request).finish(),
            Self::Data { data, used } => write!(f, "Data {{ data: {} bytes, used: {used} }}", data.len()),
            Self::Declined { used, .. } => write!(f, "Declined {{ used: {used} }}"),
            Self::Complete { output, used, .. } => {
                write!(f, "Complete {{ output: {} bytes, used: {used} }}", output.len())
            }
        }
    }
}

/// A handshake that failed. It stays failed: every call says the same error again.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Why.
    pub error: Error,
    /// The alert that must still be sent; empty where there is none.
    pub output: Vec<u8>,
}

/// What certificates a server would accept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CertificateRequested {
    /// The names of authorities, each in DER; none means any.
    pub authorities: Vec<Vec<u8>>,
    /// The kinds: 1 = rsa_sign, 2 = dss_sign, 64 = ecdsa_sign.
    pub certificate_types: Vec<u8>,
    /// Signature algorithms by their numbers; none before TLS 1.2.
    pub signature_schemes: Vec<u16>,
}

/// What a handshake yields: both directions of the connection, and what was negotiated.
pub struct Established {
    /// Protects what we send.
    pub sealer: Sealer,
    /// Opens what the peer sends.
    pub opener: Opener,
    /// What was negotiated.
    pub negotiated: Negotiated,
}

/// What was negotiated.
pub struct Negotiated {
    /// Whether we are the client.
    pub is_client: bool,
    /// The version.
    pub version: ProtocolVersion,
    /// The suite.
    pub suite: &'static SuiteRow,
    /// The key exchange; `None` for a resumed session, which has none.
    pub strength: Option<KeyExchangeStrength>,
    /// The application protocol.
    pub alpn: Option<Vec<u8>>,
    /// The name that the client asked for.
    pub server_name: Option<String>,
    /// The peer's chain, leaf first, each in DER; empty where it showed none. That of a resumed session is the one of the
    /// handshake that made it.
    pub peer_chain: Vec<Vec<u8>>,
    /// The OCSP response that the server stapled; empty where it did not.
    pub ocsp_response: Vec<u8>,
    /// What we showed ourselves: a client in this handshake, a server also in the one that made a resumed session.
    pub identity: Option<Arc<Identity>>,
    /// Whether a session was taken up again.
    pub resumed: bool,
    /// The session's identifier; empty if it cannot be taken up again.
    pub session_id: Vec<u8>,
    /// Where the session is kept in the store.
    pub session_key: Option<Vec<u8>>,
    /// Whether the master secret is bound to the handshake; without that no channel binding is safe.
    pub extended_master_secret: bool,
    pub(crate) sessions: Arc<dyn SessionStore>,
    /// What the ClientHello said.
    pub(crate) hello_version: ProtocolVersion,
    pub(crate) finished: Previous,
    /// `None` in a protocol that has none.
    pub(crate) rules: Option<&'static Rules>,
    pub(crate) master_secret: MasterSecret,
    pub(crate) randoms: Randoms,
    pub(crate) pct1: Option<Box<Pct1Negotiated>>,
}

impl Negotiated {
    /// The content of the first Finished message of the handshake: the channel binding `tls-unique`.
    ///
    /// Spec: BINDING section 3.
    #[must_use]
    pub fn first_finished(&self) -> &[u8] {
        if self.resumed { self.finished.server.as_ref() } else { self.finished.client.as_ref() }
    }

    /// The session in its store, for whoever sees the connection fail.
    #[must_use]
    pub fn kept_session(&self) -> KeptSession {
        KeptSession { sessions: Arc::clone(&self.sessions), key: self.session_key.clone() }
    }

    /// Data out of band that the peer sent before it announced that this handshake of PCT replaces another. They come before
    /// all that the new keys open.
    ///
    /// Spec: PCT1 section 4.3.2.
    #[must_use]
    pub fn out_of_band(&self) -> &[u8] {
        self.pct1.as_ref().map_or(&[], |pct1| &pct1.out_of_band)
    }

    /// What a handshake of PCT after this one needs; `None` in any other protocol.
    #[must_use]
    pub fn previous(&self) -> Option<pct1::Previous> {
        self.pct1.as_ref().map(|pct1| pct1::Previous(pct1.parameters.clone()))
    }

    /// Whether both sides have the renegotiation indication.
    #[must_use]
    pub const fn secure_renegotiation(&self) -> bool {
        self.finished.secure
    }

    /// The random of the ClientHello.
    #[must_use]
    pub const fn client_random(&self) -> &[u8; 32] {
        &self.randoms.client
    }

    /// The master secret, for a key log: whoever has it reads the connection. SSL 2.0's master key is shorter, and zeros follow
    /// it.
    #[must_use]
    pub const fn master_secret(&self) -> &[u8; 48] {
        &self.master_secret.0
    }

    /// Fills `out` with keying material for the application.
    ///
    /// Spec: EXPORTER section 4.
    ///
    /// # Errors
    ///
    /// SSL 3.0 and older have none; a context is longer than 65,535 bytes.
    pub fn export_keying_material(
        &self,
        label: &[u8],
        context: Option<&[u8]>,
        out: &mut [u8],
    ) -> Result<(), Error> {
        let none = Error::Misused("this version exports no keying material");
        let exporter = self.rules.and_then(|rules| rules.exporter).ok_or(none)?;
        let Randoms { client, server } = &self.randoms;
        match context {
            None => exporter(self.suite, &self.master_secret, label, &[client, server], out),
            Some(context) => {
                let too_long = Error::Misused("the context of an exporter is longer than 65,535 bytes");
                let length = u16::try_from(context.len()).map_err(|_| too_long)?.to_be_bytes();
                exporter(self.suite, &self.master_secret, label, &[client, server, &length, context], out);
            }
        }
        Ok(())
    }

    /// How an alert is numbered in this version.
    #[must_use]
    pub fn alert(&self, description: crate::AlertDescription) -> crate::AlertDescription {
        self.rules.map_or(description, |rules| (rules.alert)(description))
    }
}

/// A session where it is kept.
#[derive(Clone)]
pub struct KeptSession {
    sessions: Arc<dyn SessionStore>,
    key: Option<Vec<u8>>,
}

impl KeptSession {
    /// Forgets it: a connection that ended with a fatal alert, ours or the peer's, is not taken up again.
    ///
    /// Spec: TLS12 section 7.2.2.
    pub fn forget(&self) {
        if let Some(key) = &self.key {
            self.sessions.remove(key);
        }
    }
}

impl Debug for KeptSession {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("KeptSession")
    }
}

impl Debug for Negotiated {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Negotiated")
            .field("version", &self.version)
            .field("suite", &self.suite.suite)
            .field("resumed", &self.resumed)
            .finish_non_exhaustive()
    }
}

impl Debug for Established {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Established").field("negotiated", &self.negotiated).finish_non_exhaustive()
    }
}

/// What one client's handshake is asked to do.
#[derive(Clone, Debug, Default)]
pub struct ClientParameters {
    /// The host name, or the address, that the server is to have; `None` leaves that to the verifier.
    pub server_name: Option<String>,
    /// Application protocols, the preferred one first; `None` leaves it to the policy.
    pub alpn: Option<Vec<Vec<u8>>>,
    /// Under what the session is kept and looked for; `None`: it is not.
    pub session_key: Option<Vec<u8>>,
    /// This is a second attempt with less than we can (SCSV).
    pub fallback: bool,
}

/// What one server's handshake is asked to do.
#[derive(Clone, Debug, Default)]
pub struct ServerParameters {
    /// Application protocols, the preferred one first; `None` leaves it to the policy.
    pub alpn: Option<Vec<Vec<u8>>>,
    /// Whether a certificate is asked for; `None` leaves it to the configuration.
    pub client_auth: ClientAuth,
}

/// A role's state.
pub(crate) trait State: Sized {
    type Config;

    fn handle(self, incoming: Incoming, config: &Self::Config, channel: &mut Channel) -> Result<Self, Error>;
    fn expected(&self) -> &'static str;
    /// What must be asked before anything goes on.
    fn question(&self) -> Option<CertificateRequested>;
    fn is_complete(&self) -> bool;
    /// The peer does not negotiate the connection again; whether it has closed its side instead.
    fn declined(&self) -> Option<bool>;
    fn into_negotiated(self) -> Option<Box<Negotiated>>;
    fn sessions(config: &Self::Config) -> &dyn SessionStore;
}

impl State for client::State {
    type Config = ClientConfig;

    fn handle(self, incoming: Incoming, config: &ClientConfig, channel: &mut Channel) -> Result<Self, Error> {
        Self::handle(self, incoming, config, channel)
    }

    fn expected(&self) -> &'static str {
        Self::expected(self)
    }

    fn question(&self) -> Option<CertificateRequested> {
        match self {
            Self::Identity(asked) => Some(asked.question()),
            _ => None,
        }
    }

    fn is_complete(&self) -> bool {
        matches!(self, Self::Complete(_))
    }

    fn declined(&self) -> Option<bool> {
        match self {
            Self::Declined { closed } => Some(*closed),
            _ => None,
        }
    }

    fn into_negotiated(self) -> Option<Box<Negotiated>> {
        match self {
            Self::Complete(negotiated) => Some(negotiated),
            _ => None,
        }
    }

    fn sessions(config: &ClientConfig) -> &dyn SessionStore {
        config.sessions.as_ref()
    }
}

impl State for server::State {
    type Config = ServerConfig;

    fn handle(self, incoming: Incoming, config: &ServerConfig, channel: &mut Channel) -> Result<Self, Error> {
        Self::handle(self, incoming, config, channel)
    }

    fn expected(&self) -> &'static str {
        Self::expected(self)
    }

    fn question(&self) -> Option<CertificateRequested> {
        None
    }

    fn is_complete(&self) -> bool {
        matches!(self, Self::Complete(_))
    }

    fn declined(&self) -> Option<bool> {
        match self {
            Self::Declined { closed } => Some(*closed),
            _ => None,
        }
    }

    fn into_negotiated(self) -> Option<Box<Negotiated>> {
        match self {
            Self::Complete(negotiated) => Some(negotiated),
            _ => None,
        }
    }

    fn sessions(config: &ServerConfig) -> &dyn SessionStore {
        config.sessions.as_ref()
    }
}

/// A handshake in either role.
pub(crate) enum Handshake<S: State> {
    Running(Box<Running<S>>),
    Complete,
    /// It has failed, and nobody has been told yet.
    Refusing(Failure),
    Failed(Error),
}

pub(crate) struct Running<S: State> {
    config: Arc<S::Config>,
    channel: Channel,
    state: S,
    /// Bytes at the start of the input that were taken in a call that then asked something.
    skipped: usize,
    /// Bytes that were taken in all.
    taken: usize,
}

/// What a run came to.
enum Ran {
    Progress(Progress),
    Declined { closed: bool, used: usize },
    Complete { used: usize },
}

impl<S: State> Handshake<S> {
    pub(crate) fn new(config: Arc<S::Config>, channel: Channel, state: S) -> Self {
        Self::Running(Box::new(Running { config, channel, state, skipped: 0, taken: 0 }))
    }

    /// Ends it with an error of the caller's.
    pub(crate) fn give_up(&mut self, error: Error) -> Failure {
        let output = match self {
            Self::Running(running) => running.channel.fail(&error),
            _ => Vec::new(),
        };
        *self = Self::Failed(error.clone());
        Failure { error, output }
    }

    fn advance(&mut self, input: &[u8]) -> Result<Progress, Failure> {
        let running = match std::mem::replace(self, Self::Complete) {
            Self::Running(running) => running,
            Self::Complete => {
                let error = Error::Misused("the handshake is complete already");
                return Err(Failure { error, output: Vec::new() });
            }
            Self::Refusing(failure) => {
                *self = Self::Failed(failure.error.clone());
                return Err(failure);
            }
            Self::Failed(error) => {
                *self = Self::Failed(error.clone());
                return Err(Failure { error, output: Vec::new() });
            }
        };
        match running.run(input) {
            Ok((running, Ran::Progress(progress))) => {
                *self = Self::Running(running);
                Ok(progress)
            }
            Ok((running, Ran::Declined { closed, used })) => {
                let (sealer, opener) = running.channel.into_directions();
                let directions = Box::new(Directions { sealer, opener, messages: Vec::new() });
                Ok(Progress::Declined { directions, closed, used })
            }
            Ok((running, Ran::Complete { used })) => {
                let Running { mut channel, state, .. } = *running;
                let output = channel.take_output();
                let (sealer, opener) = channel.into_directions();
                match state.into_negotiated() {
                    Some(negotiated) => {
                        let established = Established { sealer, opener, negotiated: *negotiated };
                        Ok(Progress::Complete { established: Box::new(established), output, used })
                    }
                    None => Err(Failure { error: Error::Internal("nothing was negotiated"), output }),
                }
            }
            Err(failure) => {
                *self = Self::Failed(failure.error.clone());
                Err(failure)
            }
        }
    }
}

impl<S: State> Running<S> {
    fn run(self, input: &[u8]) -> Result<(Box<Self>, Ran), Failure> {
        let Self { config, mut channel, state, skipped, taken } = self;
        let mut pump = Pump { config: &*config, channel: &mut channel, used: skipped, taken };
        match pump.run(state, input) {
            Ok((state, stop)) => {
                let (used, taken) = (pump.used, pump.taken);
                let mut running = Box::new(Self { config, channel, state, skipped: 0, taken });
                let ran = match stop {
                    Stop::Complete => Ran::Complete { used },
                    Stop::Declined { closed } => Ran::Declined { closed, used },
                    Stop::Ask(request) => {
                        running.skipped = used;
                        Ran::Progress(Progress::Ask(request))
                    }
                    Stop::Data(data) => Ran::Progress(Progress::Data { data, used }),
                    Stop::More(missing) => {
                        let output = running.channel.take_output();
                        Ran::Progress(if used > 0 || !output.is_empty() {
                            Progress::Continue { output, used }
                        } else {
                            Progress::Incomplete { missing }
                        })
                    }
                };
                Ok((running, ran))
            }
            Err(error) => {
                // Spec: TLS12 section 7.2.2: a fatal alert, ours or theirs, ends the session too.
                if let Some(key) = &channel.session_in_use {
                    S::sessions(&config).remove(key);
                }
                let output = channel.fail(&error);
                Err(Failure { error, output })
            }
        }
    }
}

enum Stop {
    More(usize),
    Data(Vec<u8>),
    Ask(CertificateRequested),
    Declined { closed: bool },
    Complete,
}

struct Pump<'a, C> {
    config: &'a C,
    channel: &'a mut Channel,
    used: usize,
    taken: usize,
}

impl<C> Pump<'_, C> {
    fn run<S: State<Config = C>>(&mut self, mut state: S, input: &[u8]) -> Result<(S, Stop), Error> {
        loop {
            if state.is_complete() {
                self.channel.expect_end_of_flight()?;
                return Ok((state, Stop::Complete));
            }
            if let Some(closed) = state.declined() {
                return Ok((state, Stop::Declined { closed }));
            }
            if let Some(request) = state.question() {
                return Ok((state, Stop::Ask(request)));
            }
            if let Some(message) = self.channel.next_message()? {
                state = state.handle(Incoming::Message(message), self.config, self.channel)?;
                continue;
            }
            // Data may fill the input again and again; what we have to say does not wait for its end.
            if self.channel.has_output_on_connection() {
                return Ok((state, Stop::More(0)));
            }
            let rest = input.get(self.used..).unwrap_or_default();
            let len = match self.channel.record_len(rest)? {
                Need::Whole(len) => len,
                Need::More(missing) => return Ok((state, Stop::More(missing))),
            };
            let record = rest.get(..len).unwrap_or_default();
            self.used += len;
            let incoming = self.channel.take_record(record, state.expected())?;
            if let Some(Incoming::Data(data)) = incoming {
                return Ok((state, Stop::Data(data)));
            }
            self.taken += len;
            if self.taken > MOST {
                return Err(Misbehaved::Flood { what: "bytes of handshake", limit: MOST }.into());
            }
            if let Some(incoming) = incoming {
                state = state.handle(incoming, self.config, self.channel)?;
            }
        }
    }
}

/// A client's handshake.
///
/// The driver's contract: the first call has an empty input. Send every output at once; after `Incomplete` and `Ask` present
/// the same input again; after a failure send its output and give up.
pub struct ClientConnection {
    pub(crate) handshake: ClientHandshake,
}

/// A client's handshake in one of the protocols.
pub(crate) enum ClientHandshake {
    Tls(Handshake<client::State>),
    Ssl2(Box<ssl2::handshake::Handshake<ssl2::client::State>>),
    Pct1(Pct1Handshake<Pct1Client>),
    /// A hello is out that several can answer.
    Shared(Box<Shared>),
}

impl ClientHandshake {
    fn advance(&mut self, input: &[u8]) -> Result<Progress, Failure> {
        match self {
            Self::Tls(handshake) => handshake.advance(input),
            Self::Ssl2(handshake) => handshake.advance(input),
            Self::Pct1(handshake) => handshake.advance(input),
            Self::Shared(shared) => match shared.advance(input) {
                Ok(Ok(chosen)) => {
                    *self = chosen;
                    self.advance(input)
                }
                Ok(Err(progress)) => Ok(progress),
                Err(failure) => {
                    *self = Self::Tls(Handshake::Failed(failure.error.clone()));
                    Err(failure)
                }
            },
        }
    }
}

impl ClientConnection {
    /// Starts a handshake with a ClientHello of the engine's own; the first [`advance`](Self::advance) yields it.
    ///
    /// # Errors
    ///
    /// No version is enabled, or there is no randomness.
    pub fn new(config: Arc<ClientConfig>, parameters: ClientParameters) -> Result<Self, Error> {
        let policy = &config.policy;
        let (has_pct1, has_ssl2) = (policy.has(ProtocolVersion::PCT1), policy.has(ProtocolVersion::SSL20));
        match (policy.lowest_here(), has_pct1, has_ssl2) {
            (None, true, false) => return Self::pct1(config, parameters, None),
            (None, false, true) => return Self::ssl2(config, parameters),
            (None, true, true) => return Self::shared(config, parameters),
            (_, _, _) => {}
        }
        let wanted = wanted(&config, parameters.clone());
        // A session needs a hello of its own.
        if policy.v2_hello && !client::Offer::has_session(&wanted, &config) {
            return Self::shared(config, parameters);
        }
        let sealer = Sealer::plaintext(first_record_version(&config));
        let mut channel = Channel::new(Opener::plaintext(), sealer, only_rules(policy));
        let offer = client::Offer::send(wanted, &config, &mut channel)?;
        let state = client::State::ServerHello(Box::new(offer));
        Ok(Self { handshake: ClientHandshake::Tls(Handshake::new(config, channel, state)) })
    }

    fn shared(config: Arc<ClientConfig>, parameters: ClientParameters) -> Result<Self, Error> {
        Ok(Self { handshake: ClientHandshake::Shared(Box::new(Shared::new(config, parameters)?)) })
    }

    fn ssl2(config: Arc<ClientConfig>, parameters: ClientParameters) -> Result<Self, Error> {
        let mut channel = ssl2::channel::Channel::new();
        let offer = ssl2::client::Offer::send(wanted(&config, parameters), &config, &mut channel)?;
        let state = ssl2::client::State::ServerHello(Box::new(offer));
        let handshake = ssl2::handshake::Handshake::new(config, channel, state);
        Ok(Self { handshake: ClientHandshake::Ssl2(Box::new(handshake)) })
    }

    fn pct1(
        config: Arc<ClientConfig>,
        parameters: ClientParameters,
        again: Option<(pct1::Previous, Directions)>,
    ) -> Result<Self, Error> {
        let wanted = pct1_wanted(&config, parameters);
        let (mut channel, previous) = match again {
            None => (Pct1Channel::new(), None),
            Some((previous, directions)) => (Pct1Channel::again(redo(directions)?), Some(previous.0)),
        };
        let offer = Pct1Offer::send(wanted, previous, &config, &mut channel)?;
        let role = Pct1Client::ServerHello(Box::new(offer));
        Ok(Self { handshake: ClientHandshake::Pct1(Pct1Handshake::new(config, channel, role)) })
    }

    /// Negotiates a connection of PCT 1.0 again; `server_asked` says that the server's [`ContentType::REDO`] was opened. Data
    /// that the server still sends under the old keys is [`Progress::Data`].
    ///
    /// [`ContentType::REDO`]: crate::record::ContentType::REDO
    ///
    /// # Errors
    ///
    /// The connection is of another protocol, or there is no randomness.
    ///
    /// Spec: PCT1 section 4.3.2.
    pub fn redo(
        config: Arc<ClientConfig>,
        parameters: ClientParameters,
        previous: pct1::Previous,
        directions: Directions,
        server_asked: bool,
    ) -> Result<Self, Error> {
        let mut connection = Self::pct1(config, parameters, Some((previous, directions)))?;
        if let ClientHandshake::Pct1(Pct1Handshake::Running(running)) = &mut connection.handshake {
            running.channel.peer_escaped(server_asked);
        }
        Ok(connection)
    }

    /// Goes on behind an SSL 2.0 hello that somebody else has sent.
    #[cfg(test)]
    pub(crate) fn behind_unified_hello(
        config: Arc<ClientConfig>,
        parameters: ClientParameters,
        hello: &[u8],
        challenge: &[u8],
    ) -> Result<Self, Error> {
        let (mut channel, wanted) = (Pct1Channel::new(), pct1_wanted(&config, parameters));
        let offer = Pct1Offer::behind_unified(wanted, hello, challenge, &mut channel)?;
        let role = Pct1Client::ServerHello(Box::new(offer));
        Ok(Self { handshake: ClientHandshake::Pct1(Pct1Handshake::new(config, channel, role)) })
    }

    /// Goes on after the ClientHello (the whole message with its header, without that of the record) that another engine has
    /// sent. What follows must be the server's first flight.
    ///
    /// # Errors
    ///
    /// The message is no ClientHello.
    pub fn take_over(
        config: Arc<ClientConfig>,
        parameters: ClientParameters,
        client_hello: &[u8],
    ) -> Result<Self, Error> {
        let mut channel =
            Channel::new(Opener::plaintext(), Sealer::plaintext(first_record_version(&config)), None);
        let wanted = wanted(&config, parameters);
        let offer = client::Offer::taken_over(client_hello, wanted, &config, &mut channel)?;
        let state = client::State::ServerHello(Box::new(offer));
        Ok(Self { handshake: ClientHandshake::Tls(Handshake::new(config, channel, state)) })
    }

    /// Takes what it can of `input` and says why it stopped.
    ///
    /// # Errors
    ///
    /// The handshake failed; send what the failure holds.
    pub fn advance(&mut self, input: &[u8]) -> Result<Progress, Failure> {
        self.handshake.advance(input)
    }

    /// Answers [`Progress::Ask`]: with which certificate, or with none.
    ///
    /// # Errors
    ///
    /// Nothing was asked.
    pub fn answer(&mut self, identity: Option<Arc<Identity>>) -> Result<(), Failure> {
        match &mut self.handshake {
            ClientHandshake::Tls(handshake) => handshake.answer(identity),
            ClientHandshake::Ssl2(handshake) => {
                handshake.answer(|state, config, channel| state.reply(identity, config, channel))
            }
            ClientHandshake::Pct1(handshake) => handshake.answer(identity),
            ClientHandshake::Shared(_) => Err(Failure { error: NOT_ASKED, output: Vec::new() }),
        }
    }
}

impl Handshake<client::State> {
    fn answer(&mut self, identity: Option<Arc<Identity>>) -> Result<(), Failure> {
        let misused = || Failure { error: NOT_ASKED, output: Vec::new() };
        let Self::Running(running) = &*self else { return Err(misused()) };
        if running.state.question().is_none() {
            return Err(misused());
        }
        let Self::Running(running) = std::mem::replace(self, Self::Complete) else { return Err(misused()) };
        let Running { config, mut channel, state, skipped, taken } = *running;
        let client::State::Identity(mut asked) = state else { return Err(misused()) };
        // What was chosen for one handshake must not stand in for the choice of another.
        asked.keep_no_session();
        match asked.reply(identity, &config, &mut channel) {
            Ok(state) => {
                let running = Running { config, channel, state, skipped, taken };
                *self = Self::Running(Box::new(running));
                Ok(())
            }
            Err(error) => {
                let output = channel.fail(&error);
                *self = Self::Failed(error.clone());
                Err(Failure { error, output })
            }
        }
    }
}

const NOT_ASKED: Error = Error::Misused("no certificate was asked for");

/// A host name as it is compared.
fn normal(name: String) -> String {
    match name.parse::<IpAddr>() {
        Ok(_) => name,
        Err(_) => name.trim_end_matches('.').to_ascii_lowercase(),
    }
}

fn pct1_wanted(config: &ClientConfig, parameters: ClientParameters) -> Pct1Wanted {
    let session_key = parameters.session_key.filter(|_| config.policy.resume);
    Pct1Wanted { server_name: parameters.server_name.map(normal), session_key }
}

/// A connection of PCT before it is negotiated again.
fn redo(directions: Directions) -> Result<Redo, Error> {
    const OTHER: Error = Error::Misused("a connection of another protocol is not negotiated again like this");
    let Directions { sealer, opener, .. } = directions;
    let (sealer, opener) = sealer.into_pct1().zip(opener.into_pct1()).ok_or(OTHER)?;
    Ok(Redo { sealer, opener, peer_escaped: false, out_of_band: Vec::new() })
}

pub(crate) fn wanted(config: &ClientConfig, parameters: ClientParameters) -> client::Wanted {
    client::Wanted {
        server_name: parameters.server_name.map(normal),
        alpn: parameters.alpn.unwrap_or_else(|| config.policy.alpn.clone()),
        session_key: parameters.session_key,
        fallback: parameters.fallback,
        before: None,
    }
}

/// Before a version is agreed on, alerts are those of a version only where no other is enabled.
fn only_rules(policy: &Policy) -> Option<&'static Rules> {
    let lowest = policy.lowest_here().filter(|lowest| policy.highest_here() == Some(*lowest));
    lowest.and_then(ProtocolVersion::rules)
}

/// What the first record says: servers that know no newer version want to see an old one. Spec: TLS12 appendix E.1.
fn first_record_version(config: &ClientConfig) -> u16 {
    config.policy.highest_here().map_or(ProtocolVersion::TLS10, |v| v.min(ProtocolVersion::TLS10)).0
}

/// A server's handshake.
///
/// The driver's contract is that of [`ClientConnection`], but that a server hears first.
pub struct ServerConnection {
    pub(crate) handshake: ServerHandshake,
}

/// A server's handshake in one of the protocols.
pub(crate) enum ServerHandshake {
    /// The client has yet to show which.
    Undecided(Box<Undecided>),
    Tls(Handshake<server::State>),
    Ssl2(Box<ssl2::handshake::Handshake<ssl2::server::State>>),
    Pct1(Pct1Handshake<Pct1Server>),
}

pub(crate) struct Undecided {
    config: Arc<ServerConfig>,
    parameters: ServerParameters,
}

impl Undecided {
    /// The handshake that the first bytes belong to; how many are missing, as long as that cannot be said.
    fn decide(&self, input: &[u8]) -> Result<Result<ServerHandshake, usize>, Failure> {
        let flight = match FirstFlight::of(input) {
            Ok(flight) => flight,
            Err(missing) => return Ok(Err(missing)),
        };
        if !matches!(flight, FirstFlight::Ssl2Hello | FirstFlight::V2Hello | FirstFlight::Pct1Hello) {
            return Ok(Ok(self.no_old_hello(flight)));
        }
        match OldHello::read(input) {
            Ok(Ok(hello)) => match self.old_hello(&hello) {
                Ok(handshake) => Ok(Ok(handshake)),
                Err(error) => Err(Failure { output: hello.refusal(&error), error }),
            },
            Ok(Err(missing)) => Ok(Err(missing)),
            Err(_) if self.config.policy.lowest_here().is_none() => Ok(Ok(self.no_old_hello(flight))),
            Err(error) => {
                let output = refusal_in(ProtocolVersion::TLS10, &error);
                Err(Failure { error, output })
            }
        }
    }

    /// A record of TLS, or what is no beginning of anything: an enabled protocol says so in its words.
    fn no_old_hello(&self, flight: FirstFlight) -> ServerHandshake {
        let policy = &self.config.policy;
        if flight == FirstFlight::TlsRecord || policy.lowest_here().is_some() {
            ServerHandshake::Tls(self.tls())
        } else if policy.has(ProtocolVersion::PCT1) {
            ServerHandshake::Pct1(self.pct1())
        } else {
            ServerHandshake::Ssl2(Box::new(self.ssl2()))
        }
    }

    /// The handshake of a client whose hello is none of TLS's own.
    fn old_hello(&self, hello: &OldHello<'_>) -> Result<ServerHandshake, Error> {
        let policy = &self.config.policy;
        let best = hello.best(policy).ok_or_else(|| hello.refused(&policy.versions))?;
        Ok(match (best, hello.v2()) {
            (ProtocolVersion::PCT1, _) => ServerHandshake::Pct1(self.pct1()),
            (ProtocolVersion::SSL20, _) => ServerHandshake::Ssl2(Box::new(self.ssl2())),
            (_, Some(v2)) => {
                let (channel, start) = self.start();
                let mut handshake = Handshake::new(Arc::clone(&self.config), channel, start);
                handshake.take_v2_hello(v2, hello.record_len());
                ServerHandshake::Tls(handshake)
            }
            (_, None) => return Err(Error::Internal("a hello offers what it has no words for")),
        })
    }

    fn ssl2(&self) -> ssl2::handshake::Handshake<ssl2::server::State> {
        let start = ssl2::server::Start { client_auth: self.parameters.client_auth };
        let state = ssl2::server::State::ClientHello(Box::new(start));
        ssl2::handshake::Handshake::new(Arc::clone(&self.config), ssl2::channel::Channel::new(), state)
    }

    fn pct1(&self) -> Pct1Handshake<Pct1Server> {
        let client_auth = self.parameters.client_auth;
        let start = Pct1Start { client_auth, previous: None, escaped: false };
        let role = Pct1Server::ClientHello(Box::new(start));
        Pct1Handshake::new(Arc::clone(&self.config), Pct1Channel::new(), role)
    }

    fn start(&self) -> (Channel, server::State) {
        // Until a version is known an alert goes out as the oldest that is enabled.
        let lowest = self.config.policy.lowest_here().unwrap_or(ProtocolVersion::TLS10);
        let rules = only_rules(&self.config.policy);
        let channel = Channel::new(Opener::plaintext(), Sealer::plaintext(lowest.0), rules);
        let Self { config, parameters } = self;
        let alpn = parameters.alpn.clone().unwrap_or_else(|| config.policy.alpn.clone());
        let start = server::Start { alpn, client_auth: parameters.client_auth, before: None };
        (channel, server::State::ClientHello(Box::new(start)))
    }

    fn tls(&self) -> Handshake<server::State> {
        let (channel, state) = self.start();
        Handshake::new(Arc::clone(&self.config), channel, state)
    }
}

impl Handshake<server::State> {
    /// Takes a hello in the format of SSL 2.0, whose record is the first of the input. What comes of it shows when the
    /// handshake goes on.
    fn take_v2_hello(&mut self, v2: &V2Hello<'_>, len: usize) {
        let Self::Running(running) = std::mem::replace(self, Self::Complete) else { return };
        let Running { config, mut channel, state, .. } = *running;
        match state.v2_hello(&ssl2::hello::as_tls(&v2.hello), v2.message, &config, &mut channel) {
            Ok(state) => {
                let running = Running { config, channel, state, skipped: len, taken: len };
                *self = Self::Running(Box::new(running));
            }
            Err(error) => {
                let output = channel.fail(&error);
                *self = Self::Refusing(Failure { error, output });
            }
        }
    }
}

impl ServerConnection {
    /// Waits for a hello of any of the enabled protocols. Where it offers several, the first of [`Policy::versions`] that
    /// both have is spoken.
    #[must_use]
    pub fn new(config: Arc<ServerConfig>, parameters: ServerParameters) -> Self {
        let undecided = Undecided { config, parameters };
        Self { handshake: ServerHandshake::Undecided(Box::new(undecided)) }
    }

    /// Negotiates a connection of PCT 1.0 again; `client_asked` says that the client's [`ContentType::REDO`] was opened, so that
    /// its hello is next. Data that the client still sends under the old keys is [`Progress::Data`].
    ///
    /// [`ContentType::REDO`]: crate::record::ContentType::REDO
    ///
    /// # Errors
    ///
    /// The connection is of another protocol.
    ///
    /// Spec: PCT1 section 4.3.2.
    pub fn redo(
        config: Arc<ServerConfig>,
        parameters: &ServerParameters,
        previous: pct1::Previous,
        directions: Directions,
        client_asked: bool,
    ) -> Result<Self, Error> {
        // Who was not asked before is not asked now.
        if parameters.client_auth == ClientAuth::Required && !previous.0.asked {
            return Err(Refused::NoClientCertificate.into());
        }
        let mut channel = Pct1Channel::again(redo(directions)?);
        channel.send_escape()?;
        channel.peer_escaped(client_asked);
        let client_auth = parameters.client_auth;
        let start = Pct1Start { client_auth, previous: Some(previous.0), escaped: true };
        let role = Pct1Server::ClientHello(Box::new(start));
        Ok(Self { handshake: ServerHandshake::Pct1(Pct1Handshake::new(config, channel, role)) })
    }

    /// Takes what it can of `input` and says why it stopped.
    ///
    /// # Errors
    ///
    /// The handshake failed; send what the failure holds.
    pub fn advance(&mut self, input: &[u8]) -> Result<Progress, Failure> {
        match &mut self.handshake {
            ServerHandshake::Tls(handshake) => handshake.advance(input),
            ServerHandshake::Pct1(handshake) => handshake.advance(input),
            ServerHandshake::Ssl2(handshake) => handshake.advance(input),
            ServerHandshake::Undecided(undecided) => match undecided.decide(input) {
                Ok(Err(missing)) => Ok(Progress::Incomplete { missing }),
                Ok(Ok(handshake)) => {
                    self.handshake = handshake;
                    self.advance(input)
                }
                Err(failure) => {
                    self.handshake = ServerHandshake::Tls(Handshake::Failed(failure.error.clone()));
                    Err(failure)
                }
            },
        }
    }
}

impl Debug for ClientConnection {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("ClientConnection")
    }
}

impl Debug for ServerConnection {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("ServerConnection")
    }
}
