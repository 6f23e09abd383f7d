//! A handshake through rustls's unbuffered API, as opaque tokens.
//!
//! A buffer of our own, `held`, is the only one that rustls ever sees. Records go into it one at a time: what follows the handshake in the same input is not
//! taken, and `used` ends exactly behind the last record of the handshake. The first error is final.

use core::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use legacy_tls::{FirstFlight, ProtocolVersion};
use rustls::client::{Resumption, UnbufferedClientConnection};
use rustls::pki_types::ServerName;
use rustls::server::UnbufferedServerConnection;
use sspi_core::{Answer, Ask, CertificateIdentity, ClientCertificateRequest, Failure, Question};
use zeroize::Zeroizing;

use super::configs::{ClientConfigs, OwnKey, ServerConfigs, client_part, server_part};
use super::error::Situation;
use super::established::{Done, Established, Place};
use super::observed::{self, Observed};
use super::older_versions;
use super::pump::{Connection, Problem, Pumped};
use super::records::Protection;
use super::sessions::id_of_server;
use super::transcript::{EncryptedFlight, Flight, Transcript};
use crate::backend::records::{
    ALERT, APPLICATION_DATA, FATAL, HANDSHAKE, MAX_PLAINTEXT, RECORD_HEADER, Told,
};
use crate::backend::{
    ClientParameters, FLOOD_LIMIT, Identity, Progress, ServerParameters, Settings, check_alpn,
};
use crate::cipher_suites::SuiteRow;
use crate::config::Protocol;
use crate::first_flight::{HelloSummary, describe, version_name};
use crate::session_cache::Kept;
use crate::status::{Error, flood};

/// The most that a handshake holds of a message that is not whole: 64 KiB of message, and the headers of its records.
const MAX_HELD: usize = 128 << 10;
/// The same for a ClientHello, which anybody can begin to send: real ones are a tenth of it.
const MAX_HELLO: usize = 32 << 10;
/// No encrypted record of TLS 1.3 is shorter: header, content type, tag. In TLS 1.2 none comes in a handshake.
const SHORTEST_CIPHERTEXT: usize = RECORD_HEADER + 1 + 16;
/// The most that a peer may send before its handshake is complete.
const MAX_HANDSHAKE: usize = 512 << 10;

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
        let transcript = Transcript::of(!connection.is_client());
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
                Err(Stop::Failed { error, told }) => {
                    let declined = running.declined && running.given == 0 && is_alert(&told.token);
                    if !declined {
                        running.forget();
                    }
                    let failure = told.of(error, running.extended_errors);
                    self.state = State::Failed { error: failure.error.clone(), declined };
                    Err(failure)
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
        told: Told,
    },
}

impl Running {
    fn advance(&mut self, input: &[u8]) -> Result<Advanced, Stop> {
        let mut token = Vec::new();
        let mut used = 0;
        if !self.started {
            self.started = true;
            if self.connection.is_client() {
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
        !self.connection.is_client() && !self.transcript.has_client_hello()
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
                Err(error) => return Err(Stop::Failed { error, told: Told::default() }),
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
        let pumped = observed::during(observed, || connection.pump(held, token));
        if let Some(observed) = observed {
            observed.is_full = connection.is_full();
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
                self.declined = !self.connection.is_client() && declines(&error) && !self.agreed_on_tls13();
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
            is_client: self.connection.is_client(),
            transcript: &self.transcript,
            protocols: &self.settings.policy.protocols,
            alpn: &self.settings.alpn,
            is_bad_record: self.observed.as_ref().is_some_and(|o| o.is_bad_record),
            refused: self.observed.as_ref().and_then(|o| o.refused.as_ref()),
        }
    }

    /// An error that rustls reported. Its alert goes out where that is protected; in clear it is the one that the error has here,
    /// whichever engine finds it.
    fn fail_after_rustls(&mut self, error: Error, mut token: Vec<u8>) -> Stop {
        let Self { connection, held, observed, .. } = self;
        let alert = observed::during(observed, || connection.take_alert(held, &mut token));
        match (alert, self.observed.as_ref().and_then(|o| o.alert)) {
            (Some(_), Some(number)) => {
                Stop::Failed { error: error.into(), told: Told { token, alert: Some(number) } }
            }
            (Some(start), None) if error.alert().is_some() => {
                token.truncate(start);
                self.fail(error, token)
            }
            (Some(_), None) => Stop::Failed { error: error.into(), told: Told { token, alert: None } },
            (None, _) => self.fail(error, token),
        }
    }

    /// An error that the peer is told of behind what is said already.
    fn fail(&self, error: Error, mut token: Vec<u8>) -> Stop {
        let told = self.tell(error.alert());
        token.extend(told.token);
        Stop::Failed { error: error.into(), told: Told { token, ..told } }
    }

    /// A fatal alert, protected as soon as anything is.
    fn tell(&self, alert: Option<u8>) -> Told {
        // A client without certificate is told so in TLS 1.3, where alerts are protected by then; before it was a failure of the
        // handshake. Spec: TLS12 section 7.4.6; TLS13 section 6.2.
        const CERTIFICATE_REQUIRED: u8 = 116;
        const HANDSHAKE_FAILURE: u8 = 40;
        match (self.sending(), alert) {
            (Some(mut sending), Some(number)) => {
                // Without a record nothing can be said.
                let token = sending.seal_message(ALERT, &[FATAL, number]).unwrap_or_default();
                Told { token, alert }
            }
            (None, Some(CERTIFICATE_REQUIRED)) => Told::in_clear(self.peers(), Some(HANDSHAKE_FAILURE)),
            (_, alert) => Told::in_clear(self.peers(), alert),
        }
    }

    /// What protects the next record of ours; nothing, as long as they go out in clear. In TLS 1.3 a key is used as soon as there
    /// is one, in TLS 1.2 it protects Finished first.
    fn sending(&self) -> Option<Protection> {
        let key = self.observed.as_ref()?.keys.sending.as_ref()?;
        let suite = self.connection.common().negotiated_cipher_suite()?.suite();
        let suite = SuiteRow::by_code(u16::from(suite))?;
        (suite.is_tls13 || key.is_in_use()).then(|| Protection::new(suite, Arc::clone(key), None))
    }

    /// The version of which the peer can read an alert in clear: any, but for one that has nothing but SSL 3.0.
    fn peers(&self) -> ProtocolVersion {
        let ssl3 = ProtocolVersion::SSL30;
        let has_only_ssl3 = if self.connection.is_client() {
            self.transcript.server_hello.as_ref().is_some_and(|hello| hello.legacy_version == ssl3.0)
        } else {
            let hello = self.transcript.client_hello();
            hello.is_some_and(|hello| !hello.lists_versions && hello.versions == [ssl3.0])
        };
        if has_only_ssl3 { ssl3 } else { ProtocolVersion::TLS12 }
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
        let observed = observed.unwrap_or_default();
        Done { connection, observed, transcript, settings: &settings, place }.establish()
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
