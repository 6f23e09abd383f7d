//! A handshake through rustls's unbuffered API, as opaque tokens.
//!
//! rustls remembers how much of the caller's buffer it has processed, so a buffer of our own, `held`, is the only one that
//! it ever sees, and always whole. Records go into it one at a time: what follows the handshake in the same input is not
//! taken, and `used` ends exactly behind the last record of the handshake. The first error is final.

use core::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use legacy_tls::FirstFlight;
use legacy_tls::KeyExchangeStrength;
use rustls::client::{ClientConnectionData, Resumption, UnbufferedClientConnection};
use rustls::kernel::KernelConnection;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{ConnectionState, EncodeError, UnbufferedStatus};
use rustls::{HandshakeKind, ProtocolVersion};
use sspi_core::{Answer, Ask, CertificateIdentity, ClientCertificateRequest, Failure, Question};
use zeroize::Zeroizing;

use super::configs::{ClientConfigs, OwnKey, ServerConfigs, client_part, server_part};
use super::error::Situation;
use super::observed::{self, Observed, Offered};
use super::older_versions;
use super::record_aead::Keys;
use super::records::{self, Protection, Receiving, Sending};
use super::sessions::id_of_server;
use super::transcript::{EncryptedFlight, Flight, Transcript};
use crate::backend::records::{ALERT, APPLICATION_DATA, HANDSHAKE, MAX_PLAINTEXT, RECORD_HEADER};
use crate::backend::{
    ClientParameters, FLOOD_LIMIT, Identity, LocalCertificate, Progress, ServerParameters, Session,
    SessionSecrets, Settings, check_alpn,
};
use crate::cipher_suites::{Suite, SuiteRow};
use crate::config::Protocol;
use crate::first_flight::{HelloSummary, describe, version_name};
use crate::session_cache::{Chain, Kept, Part};
use crate::status::{Error, flood};

/// The most that a handshake holds of a message that is not whole: 64 KiB of message, and the headers of its records.
const MAX_HELD: usize = 128 << 10;
/// The same for a ClientHello, which anybody can begin to send: real ones are a tenth of it.
const MAX_HELLO: usize = 32 << 10;
/// No encrypted record of TLS 1.3 is shorter: header, content type, tag. In TLS 1.2 none comes in a handshake.
const SHORTEST_CIPHERTEXT: usize = RECORD_HEADER + 1 + 16;
/// The most that a peer may send before its handshake is complete.
const MAX_HANDSHAKE: usize = 512 << 10;

/// What a handshake yields: what was negotiated, and the keys.
pub(crate) struct Established {
    pub(crate) session: Session,
    pub(crate) kept: Arc<Kept>,
    pub(crate) sending: Sending,
    pub(crate) receiving: Receiving,
}

/// Takes a client's late tickets to the session cache.
pub(crate) struct Tickets {
    kernel: Box<KernelConnection<ClientConnectionData>>,
    kept: Arc<Kept>,
    /// When the session was made, or the one that it goes on with.
    created: u64,
    /// What the server showed.
    chain: Option<Arc<Chain>>,
}

impl Tickets {
    /// Keeps the session of a NewSessionTicket message (its body).
    pub(crate) fn keep(&mut self, body: &[u8]) -> Result<(), Error> {
        if !self.kept.is_open() {
            return Ok(());
        }
        let offered = Offered { created: self.created, chain: self.chain.clone(), ..Offered::default() };
        let mut observed = Some(Box::new(Observed { offered: Some(offered), ..Observed::default() }));
        observed::during(&mut observed, || self.kernel.handle_new_session_ticket(body))
            .map_err(|error| Error::Decode { what: format!("NewSessionTicket: {error}") })
    }
}

/// rustls's connection, in its own piece of memory: it is large, and the state around it moves.
enum Connection {
    Client(Box<UnbufferedClientConnection>),
    Server(Box<UnbufferedServerConnection>),
}

/// A handshake in either role.
pub(crate) struct Handshake {
    state: State,
}

enum State {
    Running(Box<Running>),
    Complete,
    Failed { error: sspi_core::Error, declined: bool },
}

/// Whether it is one alert in clear, or nothing.
const fn is_alert(token: &[u8]) -> bool {
    matches!(token, [] | [ALERT, 3, _, 0, 2, _, _])
}

/// The alert in clear that the protocol has for an error, where rustls has another.
///
/// - rustls looks for what is in every hello of TLS 1.2 before it looks at the version, and calls the lack of it another
///   failure: who has no protocol in common with us is told so.
/// - A client without certificate is told so in TLS 1.3 only, where alerts are encrypted by then; before it was
///   handshake_failure.
///
/// Spec: TLS12 section 7.4.6 and appendix E.1; TLS13 section 6.2.
fn named_alert(mut token: Vec<u8>, error: &sspi_core::Error) -> Vec<u8> {
    const HANDSHAKE_FAILURE: u8 = 40;
    const PROTOCOL_VERSION: u8 = 70;
    const CERTIFICATE_REQUIRED: u8 = 116;
    if let [ALERT, 3, _, 0, 2, 2, number] = token.as_mut_slice() {
        match error.alert() {
            Some(PROTOCOL_VERSION) => *number = PROTOCOL_VERSION,
            Some(CERTIFICATE_REQUIRED) => *number = HANDSHAKE_FAILURE,
            _ => {}
        }
    }
    token
}

struct Running {
    connection: Connection,
    settings: Arc<Settings>,
    /// Server: the highest version that either backend has for this client.
    highest: u16,
    /// What rustls has been given and has not let go of.
    held: Vec<u8>,
    observed: Option<Box<Observed>>,
    transcript: Transcript,
    /// Bytes of the peer that were taken so far.
    taken: usize,
    /// Bytes for the peer that were handed out so far.
    given: usize,
    started: bool,
    /// Whether the record at hand has been looked at already.
    looked_at: bool,
    /// Records that are too short to be what they say.
    short_records: usize,
    /// rustls has nothing in common with the peer, and has said nothing to it but that.
    declined: bool,
    certificate: CertificateAsk,
    extended_errors: bool,
    place: Place,
}

/// Where the sessions of a handshake are kept.
struct Place {
    part: Part,
    /// Client: under what all that there is of the server is kept.
    server: Option<Vec<u8>>,
}

/// How far a client is with asking for its certificate.
enum CertificateAsk {
    /// Nobody is asked.
    Never,
    /// The server has not asked yet; in TLS 1.3 a copy of its encrypted flight is read along.
    Watching(Option<Box<(Protection, EncryptedFlight)>>),
    /// The server has asked; the application has not been asked yet.
    Due(ClientCertificateRequest),
    /// The application was asked.
    Asked(Answer<Option<CertificateIdentity>>),
}

impl Handshake {
    /// A client's handshake.
    pub(crate) fn client(
        configs: &ClientConfigs,
        parameters: &ClientParameters,
    ) -> Result<Self, sspi_core::Error> {
        let settings = &configs.settings;
        let mut config = configs.config(parameters.protocols, parameters.manual)?;
        let place = Place {
            part: client_part(settings, parameters.protocols, parameters.manual),
            server: parameters.target.as_ref().map(|name| id_of_server(name).as_bytes().to_vec()),
        };
        if let Some(protocols) = &parameters.alpn {
            protocols.iter().try_for_each(|name| check_alpn(name))?;
            Arc::make_mut(&mut config).alpn_protocols = protocols.to_vec();
        }
        let name = parameters.target.clone().unwrap_or_else(|| {
            // Without a name there is nothing to find a session by.
            Arc::make_mut(&mut config).resumption = Resumption::disabled();
            ServerName::from(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
        });
        // What the other engine speaks is offered too; rustls makes its hello, and the binders over it, here and now.
        let older = settings.legacy_protocols(parameters.protocols);
        // SSL 2.0 has a hello of its own.
        let older = older.filter(|protocol| *protocol != Protocol::Ssl20);
        let older_versions = older.map(|protocol| protocol.version()).collect();
        let mut observed = Some(Box::new(Observed { older_versions, ..Observed::default() }));
        let connection = observed::during(&mut observed, || UnbufferedClientConnection::new(config, name))
            .map_err(|error| Error::InternalReport(error.to_string()))?;
        let ask = if settings.ask_for_client_certificate {
            CertificateAsk::Watching(None)
        } else {
            CertificateAsk::Never
        };
        let connection = Connection::Client(Box::new(connection));
        Ok(Self::new(connection, observed, settings, ask, 0, parameters.extended_errors, place))
    }

    /// A server's handshake.
    pub(crate) fn server(
        configs: &ServerConfigs,
        parameters: &ServerParameters,
    ) -> Result<Self, sspi_core::Error> {
        let settings = &configs.settings;
        let mut config = configs.config(parameters.protocols, parameters.verification)?;
        if let Some(protocols) = &parameters.alpn {
            protocols.iter().try_for_each(|name| check_alpn(name))?;
            Arc::make_mut(&mut config).alpn_protocols = protocols.to_vec();
        }
        let connection = UnbufferedServerConnection::new(config)
            .map_err(|error| Error::InternalReport(error.to_string()))?;
        Ok(Self::new(
            Connection::Server(Box::new(connection)),
            Some(Box::default()),
            settings,
            CertificateAsk::Never,
            settings.highest(parameters.protocols),
            parameters.extended_errors,
            Place {
                part: server_part(settings, parameters.protocols, parameters.verification),
                server: None,
            },
        ))
    }

    fn new(
        connection: Connection,
        observed: Option<Box<Observed>>,
        settings: &Arc<Settings>,
        certificate: CertificateAsk,
        highest: u16,
        extended_errors: bool,
        place: Place,
    ) -> Self {
        let transcript = Transcript::of(matches!(connection, Connection::Server(_)));
        let running = Running {
            connection,
            settings: Arc::clone(settings),
            highest,
            held: Vec::new(),
            observed,
            transcript,
            taken: 0,
            given: 0,
            started: false,
            looked_at: false,
            short_records: 0,
            declined: false,
            certificate,
            extended_errors,
            place,
        };
        Self { state: State::Running(Box::new(running)) }
    }

    /// Takes what it can of `input`.
    pub(crate) fn advance(&mut self, input: &[u8]) -> Result<Progress, Failure> {
        match &mut self.state {
            State::Complete => {
                Err(sspi_core::Error::invalid_handle("the handshake is complete already").into())
            }
            State::Failed { error, .. } => Err(error.clone().into()),
            State::Running(running) => match running.advance(input) {
                Ok(Advanced::Progress(progress)) => {
                    if let Progress::Continue { token, .. } = &progress {
                        running.given += token.len();
                    }
                    Ok(progress)
                }
                Ok(Advanced::Finished { token, used }) => self.finish(token, used),
                Err(Stop::Unanswered(error)) => Err(error.into()),
                Err(Stop::Failed { error, token }) => {
                    let declined = running.declined && running.given == 0 && is_alert(&token);
                    if !declined {
                        running.forget();
                    }
                    let token = if running.extended_errors { named_alert(token, &error) } else { Vec::new() };
                    self.state = State::Failed { error: error.clone(), declined };
                    Err(Failure { error, token })
                }
            },
        }
    }

    /// One that is over, in the place of one that has moved.
    pub(crate) const fn taken() -> Self {
        Self { state: State::Complete }
    }

    /// Whether the handshake has failed because rustls and the client have nothing in common, and nothing was said to the
    /// client but that: another engine may answer the same bytes.
    pub(crate) const fn has_declined(&self) -> bool {
        matches!(self.state, State::Failed { declined: true, .. })
    }

    fn finish(&mut self, token: Vec<u8>, used: usize) -> Result<Progress, Failure> {
        let State::Running(running) = core::mem::replace(&mut self.state, State::Complete) else {
            return Err(sspi_core::Error::invalid_handle("the handshake is over").into());
        };
        let extended_errors = running.extended_errors;
        let refused = match running.establish() {
            Ok(established) => {
                let established = crate::backend::Established::Rustls(Box::new(established));
                return Ok(Progress::Complete { established, token, used });
            }
            Err(error) => Failure { error: error.into(), token },
        };
        self.state = State::Failed { error: refused.error.clone(), declined: false };
        Err(if extended_errors { refused } else { Failure::silent(refused.error) })
    }
}

enum Advanced {
    Progress(Progress),
    Finished { token: Vec<u8>, used: usize },
}

enum Stop {
    /// The driver called again without an answer: nothing is lost.
    Unanswered(sspi_core::Error),
    Failed {
        error: sspi_core::Error,
        token: Vec<u8>,
    },
}

/// What a pump of rustls came to.
enum Pumped {
    NeedsMore,
    Finished,
}

impl Running {
    fn advance(&mut self, input: &[u8]) -> Result<Advanced, Stop> {
        let mut token = Vec::new();
        let mut used = 0;
        if !self.started {
            self.started = true;
            if matches!(self.connection, Connection::Client(_)) {
                self.pump(&mut token)?;
            }
        }
        self.take_answer()?;
        loop {
            let made_progress = used > 0 || !token.is_empty();
            let rest = input.get(used..).unwrap_or_default();
            let len = match self.record_len(rest) {
                Ok(Ok(len)) => len,
                Ok(Err(missing)) => {
                    return Ok(Advanced::Progress(if made_progress {
                        Progress::Continue { token, used }
                    } else {
                        Progress::Incomplete { missing }
                    }));
                }
                Err(error) => return Err(self.fail(error, token)),
            };
            let record = rest.get(..len).unwrap_or_default();
            if !self.looked_at {
                self.looked_at = true;
                self.look(record);
                if let Some(error) = self.fell_back() {
                    return Err(self.fail(error, token));
                }
            }
            if let CertificateAsk::Due(request) = &mut self.certificate {
                // What was done so far goes out first; the question comes with the next call.
                if made_progress {
                    return Ok(Advanced::Progress(Progress::Continue { token, used }));
                }
                let (ask, answer) = Ask::new(core::mem::take(request));
                self.certificate = CertificateAsk::Asked(answer);
                return Ok(Advanced::Progress(Progress::Ask(Question::ClientCertificate(ask))));
            }
            if record.first() == Some(&APPLICATION_DATA) && len < SHORTEST_CIPHERTEXT {
                // rustls tries records that may be early data again with every one that follows, and an empty one costs
                // nothing of what limits that.
                if let Err(error) = flood(&mut self.short_records, FLOOD_LIMIT, "empty records") {
                    return Err(self.fail(error, token));
                }
            }
            self.looked_at = false;
            used += len;
            self.taken += len;
            self.held.extend_from_slice(record);
            let limit = if self.awaits_hello() { MAX_HELLO } else { MAX_HELD };
            if self.held.len() > limit {
                return Err(self.fail(Error::TooMuchHandshake { limit }, token));
            }
            if self.taken > MAX_HANDSHAKE {
                return Err(self.fail(Error::TooMuchHandshake { limit: MAX_HANDSHAKE }, token));
            }
            match self.pump(&mut token)? {
                Pumped::NeedsMore => {}
                Pumped::Finished => return Ok(Advanced::Finished { token, used }),
            }
        }
    }

    /// The length of the record that begins `input`, or how many bytes are missing.
    fn record_len(&self, input: &[u8]) -> Result<Result<usize, usize>, Error> {
        /// A TLS 1.2 record may be that much longer than its plaintext.
        const MAX_RECORD: usize = MAX_PLAINTEXT + 2048;
        let Some((header, body)) = input.split_first_chunk::<RECORD_HEADER>() else {
            return Ok(Err(RECORD_HEADER - input.len()));
        };
        let flight = FirstFlight::of(input);
        if flight != Ok(FirstFlight::TlsRecord) {
            return Err(match flight {
                Ok(flight) if self.taken == 0 => Error::NotTls { what: describe(flight) },
                _ => Error::NotARecord { first: *header },
            });
        }
        let [_, major, minor, high, low] = *header;
        let version = u16::from_be_bytes([major, minor]);
        if self.transcript.chose_tls12() && version != Protocol::Tls12.version() {
            return Err(Error::WrongRecordVersion { version });
        }
        let len = usize::from(u16::from_be_bytes([high, low]));
        if len > MAX_RECORD {
            return Err(Error::RecordOverflow { length: len, maximum: MAX_RECORD });
        }
        Ok(if body.len() < len { Err(len - body.len()) } else { Ok(RECORD_HEADER + len) })
    }

    /// Whether this is a server that has not seen a whole ClientHello.
    fn awaits_hello(&self) -> bool {
        matches!(self.connection, Connection::Server(_)) && !self.transcript.has_client_hello()
    }

    /// Refuses a client that says that it offers less than it has, where there is more. Spec: SCSV section 3.
    fn fell_back(&self) -> Option<Error> {
        let offered = self.transcript.fell_back.filter(|offered| *offered < self.highest)?;
        let highest = version_name(self.highest).unwrap_or_default();
        Some(Error::InappropriateFallback { offered, highest })
    }

    /// Reads along: the transcript, and whether the server asks for a certificate.
    fn look(&mut self, record: &[u8]) {
        self.transcript.records(record);
        let CertificateAsk::Watching(flight) = &mut self.certificate else { return };
        if let Some(request) = self.transcript.certificate_request.take() {
            self.certificate = CertificateAsk::Due(request);
            return;
        }
        if flight.is_none()
            && let Some(secret) = self.observed.as_mut().and_then(|o| o.server_handshake_secret.take())
            && let Some(suite) =
                self.transcript.server_hello.as_ref().and_then(|h| SuiteRow::by_code(h.suite))
        {
            let protection = Protection::from_traffic_secret(suite, secret);
            *flight = protection.ok().map(|p| Box::new((p, EncryptedFlight::default())));
        }
        let Some(both) = flight else { return };
        let (protection, encrypted_flight) = &mut **both;
        if record.first() != Some(&APPLICATION_DATA) {
            return;
        }
        let mut copy = Zeroizing::new(record.to_vec());
        // What does not open is left to rustls, which will say so.
        let Ok(opened) = protection.open(&mut copy) else {
            self.certificate = CertificateAsk::Never;
            return;
        };
        // Anything else may come between; it is no part of the flight.
        if opened.content_type != HANDSHAKE {
            return;
        }
        match encrypted_flight.content(copy.get(opened.content).unwrap_or_default()) {
            Flight::Undecided => {}
            Flight::NotRequested => self.certificate = CertificateAsk::Never,
            Flight::Requested(request) => self.certificate = CertificateAsk::Due(request),
        }
    }

    /// Takes the application's answer, if it was asked.
    fn take_answer(&mut self) -> Result<(), Stop> {
        let CertificateAsk::Asked(answer) = &self.certificate else { return Ok(()) };
        let chosen = match answer.given().map_err(Stop::Unanswered)? {
            None => None,
            Some(identity) => match Identity::from_application(identity, false) {
                Ok(identity) => identity.rustls().map(OwnKey::certified_key),
                Err(error) => return Err(Stop::Failed { error, token: Vec::new() }),
            },
        };
        if let Some(observed) = &mut self.observed {
            observed.client_certificate = Some(chosen);
        }
        self.certificate = CertificateAsk::Never;
        Ok(())
    }

    /// Lets rustls run until it needs more or is finished.
    fn pump(&mut self, token: &mut Vec<u8>) -> Result<Pumped, Stop> {
        let before = token.len();
        let Self { connection, held, observed, .. } = self;
        let pumped = observed::during(observed, || match connection {
            Connection::Client(client) => pump(&mut **client, held, token),
            Connection::Server(server) => pump(&mut **server, held, token),
        });
        if let Some(observed) = observed {
            let kind = match connection {
                Connection::Client(client) => client.handshake_kind(),
                Connection::Server(server) => server.handshake_kind(),
            };
            observed.is_full = kind.is_some_and(|kind| kind != HandshakeKind::Resumed);
        }
        if let Some(observed) = observed.as_ref().filter(|o| !o.older_versions.is_empty())
            && !self.transcript.is_over()
        {
            let sent = token.split_off(before);
            token.extend(older_versions::in_records(&sent, &observed.older_versions));
        }
        self.transcript.records(token.get(before..).unwrap_or_default());
        pumped.map_err(|problem| match problem {
            Problem::Ours(error) => self.fail(error, core::mem::take(token)),
            Problem::Rustls(error) => {
                self.declined = matches!(self.connection, Connection::Server(_))
                    && declines(&error)
                    && !self.agreed_on_tls13();
                let error = self.situation().translate(&error);
                self.fail_after_rustls(error, core::mem::take(token))
            }
        })
    }

    /// Whether a server and its client both have TLS 1.3, so that there is nothing but that to negotiate: what an older
    /// protocol would yield looks to the client as if somebody in between had lowered it.
    ///
    /// Spec: TLS13 sections 4.1.1, 4.1.3 and 4.2.1.
    fn agreed_on_tls13(&self) -> bool {
        let tls13 = Protocol::Tls13.version();
        // A number in the place of TLS 1.2's says nothing of TLS 1.3.
        let lists = |hello: HelloSummary| hello.lists_versions && hello.versions.contains(&tls13);
        let offered = || self.transcript.client_hello().is_some_and(lists);
        self.highest == tls13 && offered()
    }

    fn situation(&self) -> Situation<'_> {
        Situation {
            is_client: matches!(self.connection, Connection::Client(_)),
            transcript: &self.transcript,
            protocols: &self.settings.policy.protocols,
            alpn: &self.settings.alpn,
            is_bad_record: self.observed.as_ref().is_some_and(|o| o.is_bad_record),
            refused: self.observed.as_ref().and_then(|o| o.refused.as_ref()),
        }
    }

    /// An error that rustls reported: its alert goes out where it has one.
    fn fail_after_rustls(&mut self, error: Error, mut token: Vec<u8>) -> Stop {
        let before = token.len();
        let Self { connection, held, observed, .. } = self;
        observed::during(observed, || match connection {
            Connection::Client(client) => take_alert(&mut **client, held, &mut token),
            Connection::Server(server) => take_alert(&mut **server, held, &mut token),
        });
        if token.len() > before {
            // rustls does not always say that it is the protocol which is missing.
            let protocol_version = matches!(error, Error::NoProtocolInCommon { .. }).then(|| error.alert());
            if let (Some(Some(ours)), true, Some(last)) =
                (protocol_version, is_alert(&token), token.last_mut())
            {
                *last = ours;
            }
            return Stop::Failed { error: error.into(), token };
        }
        self.fail(error, token)
    }

    /// An error of ours: an alert in clear, while nothing is encrypted.
    fn fail(&self, error: Error, mut token: Vec<u8>) -> Stop {
        if let Some(alert) = error.alert()
            && !self.transcript.is_over()
        {
            token.extend([ALERT, 3, 3, 0, 2, 2, alert]);
        }
        Stop::Failed { error: error.into(), token }
    }

    /// The sessions of a handshake that failed, those that it went on with among them, are not taken up again.
    ///
    /// Spec: TLS12 section 7.2.2.
    fn forget(&mut self) {
        let Some(observed) = &mut self.observed else { return };
        let ids = observed.take_kept();
        let ids = self.place.server.take().map_or(ids, |server| vec![server]);
        Kept::new(&self.settings.sessions, self.place.part, ids, observed.session_serial().as_ref()).forget();
    }

    /// Takes the keys out: from here on records are ours.
    fn establish(self) -> Result<Established, Error> {
        let Self { connection, observed, transcript, settings, place, .. } = self;
        let mut observed = observed.unwrap_or_default();
        if let (Some(chain), Some(server)) = (observed.session_chain(), &place.server) {
            settings.remember_staple(chain, &String::from_utf8_lossy(server), &observed.staple);
        }
        let ids = observed.take_kept();
        let ids = place.server.map_or(ids, |server| vec![server]);
        let kept =
            Arc::new(Kept::new(&settings.sessions, place.part, ids, observed.session_serial().as_ref()));
        let common = match &connection {
            Connection::Client(client) => &****client,
            Connection::Server(server) => &****server,
        };
        let missing = |what| move || Error::Internal(what);
        let suite = common.negotiated_cipher_suite().ok_or_else(missing("no suite after the handshake"))?;
        let suite = SuiteRow::by_code(u16::from(suite.suite())).ok_or_else(missing("a suite of no row"))?;
        let version = common.protocol_version().ok_or_else(missing("no version after the handshake"))?;
        let group = common.negotiated_key_exchange_group().map(|group| u16::from(group.name()));
        let strength = group.map(|group| KeyExchangeStrength::Ecdh { group });
        let alpn = common.alpn_protocol().map(<[u8]>::to_vec);
        let is_of = |chain: &Chain, shown: &[CertificateDer<'_>]| {
            chain.len() == shown.len() && chain.iter().zip(shown).all(|(ours, shown)| **ours == **shown)
        };
        let peer_chain = common.peer_certificates().map(|shown| {
            let known = observed.peer_chain.as_ref().filter(|chain| is_of(chain, shown));
            let copy = || Arc::new(shown.iter().map(|c| c.to_vec()).collect::<Vec<_>>().into());
            known.map_or_else(copy, Arc::clone)
        });
        let resumed = common.handshake_kind() == Some(HandshakeKind::Resumed);
        let is_tls13 = version == ProtocolVersion::TLSv1_3;
        let is_client = matches!(connection, Connection::Client(_));

        let created = observed.session_created().unwrap_or_else(|| settings.sessions.now());
        let chain = observed.session_chain().cloned().filter(|_| settings.keeps_sessions());
        let tickets = match connection {
            // A session in which the application chose the certificate is not taken up again by a handshake that would ask.
            Connection::Client(client) if is_tls13 && observed.client_certificate.is_none() => {
                observed.is_leaving = true;
                let mut laid = Some(observed);
                let left = observed::during(&mut laid, || client.dangerous_into_kernel_connection());
                observed = laid.unwrap_or_default();
                let (_keys_that_are_ours, kernel) =
                    left.map_err(|error| Error::InternalReport(error.to_string()))?;
                Some(Tickets {
                    kernel: Box::new(kernel),
                    kept: Arc::clone(&kept),
                    created,
                    chain: chain.map(|chain| settings.sessions.share(chain)),
                })
            }
            _ => None,
        };
        let (client_secret, server_secret) =
            (observed.client_traffic_secret.take(), observed.server_traffic_secret.take());
        let (sending_secret, receiving_secret) =
            if is_client { (client_secret, server_secret) } else { (server_secret, client_secret) };
        let Keys { sending, receiving } = core::mem::take(&mut observed.keys);
        let sending = sending.ok_or_else(missing("no key to send with"))?;
        let receiving = receiving.ok_or_else(missing("no key to receive with"))?;
        let (sending, receiving) = records::directions(
            suite,
            Protection::new(suite, sending, sending_secret),
            Protection::new(suite, receiving, receiving_secret),
            tickets,
        );

        let server_hello = transcript.server_hello;
        let secrets = if is_tls13 {
            let exporter = observed.exporter_secret.take();
            SessionSecrets::Tls13 { exporter: exporter.ok_or_else(missing("no exporter secret"))? }
        } else {
            SessionSecrets::Tls12 {
                master: observed.master_secret.take().ok_or_else(missing("no master secret"))?,
                client_random: observed.client_random.ok_or_else(missing("no client random"))?,
                server_random: observed.server_random.ok_or_else(missing("no server random"))?,
                unique: observed.first_finished,
                extended_master_secret: server_hello
                    .as_ref()
                    .is_some_and(|hello| hello.extended_master_secret),
            }
        };
        let session = Session {
            is_client,
            version: u16::from(version),
            suite: Suite::of_rustls(suite),
            strength,
            alpn,
            peer_chain,
            local: observed.local.take().map(|key| LocalCertificate::Rustls(OwnKey::of(key))),
            resumed,
            // In TLS 1.3 the session ID is an echo for middleboxes and names nothing.
            session_id: server_hello.filter(|_| !is_tls13).map(|hello| hello.session_id).unwrap_or_default(),
            server_name: observed.server_name.take(),
            account: None,
            secrets,
        };
        Ok(Established { session, kept, sending, receiving })
    }
}

/// Whether it is what rustls has to offer that does not suit the peer, and not what the peer does.
fn declines(error: &rustls::Error) -> bool {
    match error {
        rustls::Error::PeerIncompatible(_) => true,
        // No variant of its own: no certificate of ours has a key that the client can verify.
        rustls::Error::General(what) => what.contains("incompatible signing key"),
        _ => false,
    }
}

/// Either role of rustls's unbuffered connections.
trait ProcessTlsRecords {
    type Data;
    fn process<'c, 'i>(&'c mut self, incoming: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Data>;
}

impl ProcessTlsRecords for UnbufferedClientConnection {
    type Data = ClientConnectionData;
    fn process<'c, 'i>(&'c mut self, incoming: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Data> {
        self.process_tls_records(incoming)
    }
}

impl ProcessTlsRecords for UnbufferedServerConnection {
    type Data = rustls::server::ServerConnectionData;
    fn process<'c, 'i>(&'c mut self, incoming: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Data> {
        self.process_tls_records(incoming)
    }
}

enum Problem {
    Ours(Error),
    Rustls(rustls::Error),
}

fn pump<C: ProcessTlsRecords>(
    connection: &mut C,
    held: &mut Vec<u8>,
    token: &mut Vec<u8>,
) -> Result<Pumped, Problem> {
    loop {
        let UnbufferedStatus { discard, state } = connection.process(held);
        let pumped = match state {
            Ok(ConnectionState::EncodeTlsData(mut chunk)) => {
                encode(token, |out| chunk.encode(out)).map(|()| None)
            }
            Ok(ConnectionState::TransmitTlsData(transmit)) => {
                transmit.done();
                Ok(None)
            }
            Ok(ConnectionState::BlockedHandshake) => Ok(Some(Pumped::NeedsMore)),
            Ok(ConnectionState::WriteTraffic(_)) => Ok(Some(Pumped::Finished)),
            Ok(ConnectionState::PeerClosed | ConnectionState::Closed) => {
                Err(Problem::Ours(Error::ClosedInHandshake))
            }
            // One record at a time goes in, and the pump stops where the handshake is finished: no data can be here.
            Ok(_) => Err(Problem::Ours(Error::UnexpectedMessage { what: "application data".to_owned() })),
            Err(error) => Err(Problem::Rustls(error)),
        };
        held.drain(..discard.min(held.len()));
        match pumped {
            Ok(None) => {}
            Ok(Some(done)) => return Ok(done),
            Err(problem) => return Err(problem),
        }
    }
}

fn encode(
    token: &mut Vec<u8>,
    mut chunk: impl FnMut(&mut [u8]) -> Result<usize, EncodeError>,
) -> Result<(), Problem> {
    let internal = |what| Problem::Ours(Error::Internal(what));
    let Err(EncodeError::InsufficientSize(needed)) = chunk(&mut []) else {
        return Err(internal("rustls encoded nothing"));
    };
    /// Room for a flight without certificates, in a piece of memory of a size that is quickly had.
    const FLIGHT: usize = 1000;
    let before = token.len();
    if token.capacity() == 0 {
        token.reserve(FLIGHT.max(needed.required_size));
    }
    token.resize(before + needed.required_size, 0);
    let room = token.get_mut(before..).unwrap_or_default();
    let written = chunk(room).map_err(|_| internal("rustls needs more room than it said"))?;
    token.truncate(before + written);
    Ok(())
}

/// Takes the alert that rustls queued for an error, and what it queued before.
///
/// It stops at the alert: a call without anything queued goes on with the input, and a second error then would be a bug in
/// rustls's eyes.
fn take_alert<C: ProcessTlsRecords>(connection: &mut C, held: &mut Vec<u8>, token: &mut Vec<u8>) {
    /// An encrypted TLS 1.3 alert: header, level and description, content type, tag. No handshake record is that short.
    const TLS13_ALERT: usize = RECORD_HEADER + 2 + 1 + 16;
    loop {
        let before = token.len();
        let UnbufferedStatus { discard, state } = connection.process(held);
        let encoded = match state {
            Ok(ConnectionState::EncodeTlsData(mut chunk)) => encode(token, |out| chunk.encode(out)).is_ok(),
            _ => false,
        };
        held.drain(..discard.min(held.len()));
        let chunk = token.get(before..).unwrap_or_default();
        let is_alert = match chunk.first() {
            Some(&ALERT) => true,
            Some(&APPLICATION_DATA) => chunk.len() == TLS13_ALERT,
            _ => false,
        };
        if !encoded || is_alert {
            return;
        }
    }
}
