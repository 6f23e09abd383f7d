//! A handshake as server: the first bytes say what the client speaks. A hello of SSL 2.0 or PCT is the engine's; a ClientHello
//! is judged by rustls first, and what it declines is the engine's.

use std::sync::Arc;
use std::time::SystemTime;

use legacy_tls::{AlertDescription, FirstFlight, OldHello, ProtocolVersion};
use sspi_core::{
    AcceptRequest, AcceptSecurityContext, AlertLevel, Answer, AscReq, Ask, ControlToken, Error, Failure,
    Fault, PackageInfo, Question, SecStatus, SessionKey, SpProt, Step,
};
use zeroize::Zeroizing;

use crate::account_mapping::{Search, Step as Mapped};
use crate::attributes::{Requested, RequestedOf};
use crate::backend::records::Told;
use crate::backend::{
    Established, Progress, Replay, ServerParameters, Settings, Verification, legacy, rustls,
};
use crate::config::{ClientAuth, Protocol};
use crate::first_flight::{HelloSummary, describe, handshake_messages};
use crate::protocol_order;
use crate::renegotiation::{Again, AgainAs, Begin, Patience, already_complete};
use crate::session_cache::asked::{self, Asked};
use crate::session_cache::{Part, Wanted};
use crate::status;
use crate::suite_info::protocols_to_enable;

/// A server's configurations, for either backend.
pub(crate) struct ServerConfigs {
    pub(crate) settings: Arc<Settings>,
    rustls: rustls::ServerConfigs,
    legacy: legacy::ServerConfigs,
}

impl ServerConfigs {
    /// # Errors
    /// What cannot be used shows now, not with the first connection.
    pub(crate) fn new(settings: &Arc<Settings>) -> Result<Self, Error> {
        let rustls = rustls::ServerConfigs::new(Arc::clone(settings));
        let legacy = legacy::ServerConfigs::new(Arc::clone(settings));
        let all = SpProt(u32::MAX);
        if settings.legacy_protocols(all).next().is_none() || settings.rustls_protocols(all).next().is_some()
        {
            rustls.config(all, Verification::default())?;
        }
        if settings.legacy_protocols(all).next().is_some() {
            legacy.config(all, Verification::default())?;
        }
        Ok(Self { settings: Arc::clone(settings), rustls, legacy })
    }

    /// A handshake on a connection of the engine's, which may ask for a certificate that the first did not ask for.
    pub(crate) fn again(
        &self,
        parameters: &ServerParameters,
        with: Begin,
    ) -> Result<legacy::Handshake, Error> {
        let mut parameters = parameters.clone();
        parameters.verification.mutual |= self.settings.renegotiation_client_auth != ClientAuth::None;
        legacy::Handshake::server_again(&self.legacy, &parameters, with)
    }
}

/// A handshake as server.
pub(crate) struct Server {
    handshake: Handshake,
    /// Which session the other machines of a farm were asked for.
    asked: Option<Asked>,
    start: SystemTime,
    /// `None` once it is complete.
    again: Option<Again>,
    /// The handshake is over, and the client's account is asked for.
    mapping: Option<Box<MappingClient>>,
    /// In a handshake on a context that there is already: how long the client may send something else.
    patience: Option<Box<Patience>>,
}

/// What a handshake came to, as long as the client's account is not known.
struct MappingClient {
    search: Search,
    established: Established,
    token: Vec<u8>,
    used: usize,
}

enum Handshake {
    /// The client has yet to show what it speaks.
    First(Box<First>),
    Rustls(rustls::Handshake),
    Legacy(Box<(Replay, legacy::Handshake)>),
    Judging(Box<Judging>),
    Refused(Error),
}

/// Nothing has been heard.
struct First {
    configs: Arc<ServerConfigs>,
    parameters: ServerParameters,
    /// What goes on with a ClientHello, whatever that offers.
    tls: Handshake,
    farm: FarmLookup,
}

/// How far the server is with asking other machines for the session that the client wants.
enum FarmLookup {
    Due,
    Asked(Part, Vec<u8>, Answer<Option<Zeroizing<Vec<u8>>>>),
    Done,
}

/// What the first bytes come to.
enum Heard {
    /// So many are missing at least.
    More(usize),
    /// A record of SSL 3.0 or TLS; and if they are not all of them, the protocols with which it is answered.
    Tls(Option<SpProt>),
    /// A hello that only the engine knows, and that it answers.
    OldHello,
}

impl First {
    /// Asks other machines for the session that the client wants, where they share theirs; nothing, once that is done.
    ///
    /// # Errors
    /// The driver called again without an answer: nothing is lost.
    fn look_up(&mut self, input: &[u8]) -> Result<Option<Progress>, Error> {
        let settings = &self.configs.settings;
        if let FarmLookup::Asked(part, id, answer) = &self.farm {
            let found = answer.given()?.as_ref().map(|session| session.as_slice());
            if settings.sessions.found(*part, id, found) {
                asked::set(*part, id);
            }
            self.farm = FarmLookup::Done;
        }
        if matches!(self.farm, FarmLookup::Done) || !settings.keeps_sessions() {
            return Ok(None);
        }
        let protocols = match self.hear(input) {
            Ok(Heard::More(missing)) => return Ok(Some(Progress::Incomplete { missing })),
            Ok(Heard::Tls(Some(protocols))) => protocols,
            Ok(Heard::Tls(None) | Heard::OldHello) => self.parameters.protocols,
            // That is said by whoever hears it next.
            Err(_) => return Ok(None),
        };
        let part = rustls::server_part(settings, protocols, self.parameters.verification);
        let has_tls13 = settings.rustls_protocols(protocols).any(|protocol| protocol == Protocol::Tls13);
        let id = match Wanted::of(input, has_tls13) {
            Wanted::Session(id) => id,
            Wanted::More(missing) => return Ok(Some(Progress::Incomplete { missing })),
            Wanted::Nothing => {
                self.farm = FarmLookup::Done;
                return Ok(None);
            }
        };
        let Some(key) = settings.sessions.shared_key(part, &id) else {
            self.farm = FarmLookup::Done;
            return Ok(None);
        };
        let (ask, answer) = Ask::new(SessionKey(key));
        self.farm = FarmLookup::Asked(part, id, answer);
        Ok(Some(Progress::Ask(Question::Session(ask))))
    }

    fn hear(&self, input: &[u8]) -> Result<Heard, Failure> {
        match FirstFlight::of(input) {
            Err(missing) => Ok(Heard::More(missing)),
            Ok(FirstFlight::TlsRecord) => self.record(input),
            Ok(FirstFlight::Ssl2Hello | FirstFlight::V2Hello | FirstFlight::Pct1Hello) => {
                self.old_hello(input)
            }
            Ok(other) => {
                // It is nobody's: as far as records go a client of TLS 1.2 and 1.3 takes 3.3, and an older one 3.1.
                let has_newest =
                    self.configs.settings.rustls_protocols(self.parameters.protocols).next().is_some();
                let version = if has_newest { ProtocolVersion::TLS12 } else { ProtocolVersion::TLS10 };
                Err(self.refuse_in(version, status::Error::NotTls { what: describe(other) }))
            }
        }
    }

    /// Spec: WS2003 (How TLS/SSL Works).
    fn old_hello(&self, input: &[u8]) -> Result<Heard, Failure> {
        let settings = &self.configs.settings;
        let order = settings.protocols_of_old_hellos(self.parameters.protocols);
        let hello = match OldHello::read(input) {
            Ok(Ok(hello)) => hello,
            Ok(Err(missing)) => return Ok(Heard::More(missing)),
            // An engine that would answer has the words for what is wrong.
            Err(_) if !order.is_empty() => return Ok(Heard::OldHello),
            Err(error) => {
                let error = status::Error::Decode { what: error.to_string() };
                return Err(self.refuse_in(ProtocolVersion::TLS10, error));
            }
        };
        let offer = hello.offer();
        if protocol_order::best(&order, Some(&offer)).is_some() {
            return Ok(Heard::OldHello);
        }
        let on = &settings.policy.protocols;
        let is_offered = |protocol: Protocol| offer.has(protocol.engine());
        let enable = if on.iter().any(|protocol| is_offered(*protocol)) {
            "; v2-hello = true would have its hello read".to_owned()
        } else {
            protocols_to_enable(is_offered, on)
        };
        let ours = on.iter().map(|protocol| protocol.name()).collect::<Vec<_>>().join(", ") + &enable;
        let peer = format!("{offer}, in {}", describe(hello.is()));
        let versions: Vec<_> = on.iter().map(|protocol| protocol.engine()).collect();
        let told = Told::from(hello.refuse(hello.refused(&versions)));
        let error = status::Error::NoProtocolInCommon { peer, ours };
        Err(told.of(error, self.parameters.extended_errors))
    }

    /// A ClientHello is left to the engines, which speak the newest protocol that they have; but for a server that prefers
    /// another, which looks into it.
    fn record(&self, input: &[u8]) -> Result<Heard, Failure> {
        let policy = &self.configs.settings.policy;
        let order: Vec<Protocol> = policy.protocols_among(self.parameters.protocols).collect();
        if order.iter().all(|protocol| protocol.is_older_than_ssl3()) {
            // A client that has nothing but SSL 3.0 says so in its first record.
            let &[_, major, minor, ..] = input else { return Ok(Heard::More(3 - input.len().min(2))) };
            let version = ProtocolVersion(u16::from_be_bytes([major, minor]));
            let version = version.clamp(ProtocolVersion::SSL30, ProtocolVersion::TLS10);
            let ours = order.iter().map(|protocol| protocol.name()).collect::<Vec<_>>().join(", ");
            let peer = "SSL 3.0 or TLS".to_owned();
            return Err(self.refuse_in(version, status::Error::NoProtocolInCommon { peer, ours }));
        }
        if protocol_order::is_natural(&order) {
            return Ok(Heard::Tls(None));
        }
        let messages = handshake_messages(input);
        let Some((&[_, a, b, c], body)) = messages.split_first_chunk::<4>() else {
            return Ok(if input.len() > MOST_HELLO { Heard::Tls(None) } else { Heard::More(1) });
        };
        let len = usize::try_from(u32::from_be_bytes([0, a, b, c])).unwrap_or(usize::MAX);
        let Some(body) = body.get(..len) else {
            return Ok(if len.max(input.len()) > MOST_HELLO { Heard::Tls(None) } else { Heard::More(1) });
        };
        // What cannot be read is an engine's to refuse.
        let Ok(hello) = HelloSummary::parse(body) else { return Ok(Heard::Tls(None)) };
        let left = protocol_order::without_newer(&order, &hello.offer());
        let bits = left.into_iter().fold(SpProt::NONE, |bits, protocol| bits.union(protocol.bits()));
        Ok(Heard::Tls(Some(bits.intersection(self.parameters.protocols))))
    }

    fn refuse_in(&self, version: ProtocolVersion, error: status::Error) -> Failure {
        Told::in_clear(version, error.alert()).of(error, self.parameters.extended_errors)
    }
}

/// The longest ClientHello that is looked into.
const MOST_HELLO: usize = 32 << 10;

/// rustls looks at the first ClientHello. It has said nothing yet.
struct Judging {
    rustls: rustls::Handshake,
    configs: Arc<ServerConfigs>,
    parameters: ServerParameters,
    /// What rustls took of the hello.
    replay: Replay,
}

impl Handshake {
    /// # Errors
    /// What cannot be shows now, not with the first bytes.
    fn first(configs: &Arc<ServerConfigs>, parameters: ServerParameters) -> Result<Self, Error> {
        let tls = Self::new(configs, parameters.clone())?;
        let shared = configs.settings.sessions.are_shared();
        let farm = if shared { FarmLookup::Due } else { FarmLookup::Done };
        Ok(Self::First(Box::new(First { configs: Arc::clone(configs), parameters, tls, farm })))
    }

    fn new(configs: &Arc<ServerConfigs>, parameters: ServerParameters) -> Result<Self, Error> {
        let settings = &configs.settings;
        if settings.legacy_protocols(parameters.protocols).next().is_none() {
            return Ok(Self::Rustls(rustls::Handshake::server(&configs.rustls, &parameters)?));
        }
        if settings.rustls_protocols(parameters.protocols).next().is_none() {
            let engine = legacy::Handshake::server(&configs.legacy, &parameters)?;
            return Ok(Self::Legacy(Box::new((Replay::default(), engine))));
        }
        Ok(Self::Judging(Box::new(Judging {
            rustls: rustls::Handshake::server(&configs.rustls, &parameters)?,
            configs: Arc::clone(configs),
            parameters,
            replay: Replay::default(),
        })))
    }

    /// The handshake whose beginning was heard; nothing, as long as it cannot be said.
    fn heard(first: &mut First, input: &[u8]) -> Result<Result<Self, usize>, Failure> {
        let heard = first.hear(input)?;
        let parameters = first.parameters.clone();
        Ok(Ok(match heard {
            Heard::More(missing) => return Ok(Err(missing)),
            Heard::Tls(None) => core::mem::replace(&mut first.tls, Self::Rustls(rustls::Handshake::taken())),
            Heard::Tls(Some(protocols)) => {
                Self::new(&first.configs, ServerParameters { protocols, ..parameters })?
            }
            Heard::OldHello => {
                let engine = legacy::Handshake::server(&first.configs.legacy, &parameters)?;
                Self::Legacy(Box::new((Replay::default(), engine)))
            }
        }))
    }

    /// Ends a handshake on a context that there is already: the client has had its time.
    fn give_up(&mut self) -> Failure {
        match self {
            Self::Legacy(both) => both.1.give_up(),
            _ => already_complete().into(),
        }
    }

    fn advance(&mut self, input: &[u8]) -> Result<Progress, Failure> {
        let judging = match self {
            Self::Refused(error) => return Err(error.clone().into()),
            Self::First(first) => {
                if let Some(progress) = first.look_up(input)? {
                    return Ok(progress);
                }
                match Self::heard(first, input) {
                    Ok(Ok(heard)) => *self = heard,
                    Ok(Err(missing)) => return Ok(Progress::Incomplete { missing }),
                    Err(failure) => {
                        *self = Self::Refused(failure.error.clone());
                        return Err(failure);
                    }
                }
                return self.advance(input);
            }
            Self::Rustls(handshake) => return handshake.advance(input),
            Self::Legacy(both) => {
                let (replay, handshake) = &mut **both;
                return replay.advance(input, |bytes| handshake.advance(bytes));
            }
            Self::Judging(judging) => judging,
        };
        match judging.rustls.advance(input) {
            Ok(Progress::Continue { token, used }) if token.is_empty() => {
                judging.replay.take(input.get(..used).unwrap_or_default());
                Ok(Progress::Continue { token, used })
            }
            Ok(Progress::Incomplete { missing }) => Ok(Progress::Incomplete { missing }),
            Err(_) if judging.rustls.has_declined() => {
                let engine = legacy::Handshake::server(&judging.configs.legacy, &judging.parameters)?;
                *self = Self::Legacy(Box::new((core::mem::take(&mut judging.replay), engine)));
                self.advance(input)
            }
            // rustls has spoken, or the client has done what no engine forgives.
            decided => {
                *self = Self::Rustls(core::mem::replace(&mut judging.rustls, rustls::Handshake::taken()));
                decided
            }
        }
    }
}

impl Server {
    pub(crate) fn new(
        info: &Arc<PackageInfo>,
        configs: &Arc<ServerConfigs>,
        request: &AcceptRequest,
    ) -> Result<Self, Error> {
        let is_required = configs.settings.mapper.as_ref().is_some_and(|mapper| mapper.is_required());
        if is_required && request.manual_cred_validation {
            let what = "a client must have an account, and what its application judges is mapped to none";
            let error = Error::new(SecStatus::SEC_E_UNSUPPORTED_FUNCTION, Fault::ApiMisuse, what);
            return Err(error.with_setting("mapping"));
        }
        let parameters = ServerParameters {
            protocols: request.protocols.map_or(SpProt::SERVERS, |p| p.intersection(SpProt::SERVERS)),
            alpn: request.application_protocols.clone(),
            verification: Verification {
                mutual: request.flags.contains(AscReq::MUTUAL_AUTH),
                manual: request.manual_cred_validation,
            },
            extended_errors: request.flags.contains(AscReq::EXTENDED_ERROR),
        };
        let handshake = Handshake::first(configs, parameters.clone())?;
        let configs = Arc::clone(configs);
        let start = configs.settings.environment.clock.now();
        let again = Again {
            role: AgainAs::Server { configs, parameters },
            info: Arc::clone(info),
            requested: Requested {
                role: RequestedOf::Acceptor { flags: request.flags, manual: request.manual_cred_validation },
                negotiated: request.negotiated,
            },
            by_peer: 0,
            by_us: 0,
            standing: None,
            kept: None,
            shown: None,
        };
        Ok(Self { handshake, asked: None, start, again: Some(again), mapping: None, patience: None })
    }

    /// A handshake on a context that there is already.
    pub(crate) fn again(again: Again, handshake: legacy::Handshake) -> Self {
        let start = again.now();
        let handshake = Handshake::Legacy(Box::new((Replay::default(), handshake)));
        let patience = Some(Box::new(Patience::new(Arc::clone(again.clock()))));
        Self { handshake, asked: None, start, again: Some(again), mapping: None, patience }
    }

    /// The handshake is over; whose account the client's certificate is for is asked before anybody hears of it. Every
    /// handshake asks anew: a second one on a context, and one that resumes a session.
    fn complete(
        &mut self,
        mut established: Established,
        token: Vec<u8>,
        used: usize,
    ) -> Result<Step, Failure> {
        let again = self.again.as_ref().ok_or_else(already_complete)?;
        let chain = established.session_mut().peer_chain.as_deref();
        match again.mapper().zip(chain) {
            Some((mapper, chain)) => {
                let search = Search::new(mapper, chain, self.start);
                self.mapping = Some(Box::new(MappingClient { search, established, token, used }));
                self.map()
            }
            None => self.established(established, token, used),
        }
    }

    fn established(
        &mut self,
        established: Established,
        token: Vec<u8>,
        used: usize,
    ) -> Result<Step, Failure> {
        let again = self.again.take().ok_or_else(already_complete)?;
        Ok(Step::Complete { context: again.established(established, self.start), token, used })
    }

    fn map(&mut self) -> Result<Step, Failure> {
        let Some(mut mapping) = self.mapping.take() else { return Err(already_complete().into()) };
        let account = match mapping.search.advance()? {
            Mapped::Ask(question) => {
                self.mapping = Some(mapping);
                return Ok(Step::Ask(question));
            }
            Mapped::Done(account) => account,
        };
        let MappingClient { mut established, token, used, .. } = *mapping;
        let required = self.again.as_ref().and_then(Again::mapper).is_some_and(|mapper| mapper.is_required());
        match &account {
            Err(why) if required => Err(self.refuse_client(established, token, why.refusal())?),
            account => {
                established.session_mut().account =
                    Some(Box::new(account.clone().map_err(|why| why.answer())));
                self.established(established, token, used)
            }
        }
    }

    /// What a client hears that is refused though its handshake is over; its sessions are gone.
    ///
    /// The client has the keys by now: the refusal is a record of the connection, behind the last flight. Where the protocol has
    /// no alerts the last flight is not sent, so that the client's handshake is not over, and can be refused.
    fn refuse_client(
        &mut self,
        mut established: Established,
        mut token: Vec<u8>,
        error: Error,
    ) -> Result<Failure, Failure> {
        let extended_errors = self.again.as_ref().is_some_and(Again::tells_errors);
        let instead = established.refusal_of_the_client();
        let version = ProtocolVersion(established.session_mut().version);
        let description = AlertDescription(error.alert().unwrap_or(status::INTERNAL_ERROR));
        let AlertDescription(number) = version.alert(description);
        let alert = ControlToken::Alert { level: AlertLevel::Fatal, number };
        if let Step::Complete { mut context, .. } = self.established(established, Vec::new(), 0)? {
            token.extend(context.apply_control_token(&alert).unwrap_or_default());
        }
        let told = match instead {
            Some(token) => Told { token, alert: None },
            None => Told { token, alert: Some(number) },
        };
        Ok(told.of(error, extended_errors))
    }
}

impl AcceptSecurityContext for Server {
    fn accept_security_context(&mut self, input: &[u8]) -> Result<Step, Failure> {
        if self.mapping.is_some() {
            return self
                .map()
                .inspect_err(|failure| self.handshake = Handshake::Refused(failure.error.clone()));
        }
        let Self { handshake, asked, .. } = self;
        Ok(match asked::during(asked, || handshake.advance(input))? {
            Progress::Continue { token, used } => Step::Continue { token, used },
            Progress::Incomplete { missing } => Step::Incomplete { missing: Some(missing) },
            Progress::Ask(question) => Step::Ask(question),
            Progress::Data { data, used } => {
                match self.patience.as_mut().map(|left| left.one_more_record()) {
                    Some(None) => return Err(self.handshake.give_up()),
                    _ => Step::Data { data, used },
                }
            }
            Progress::Declined { directions, closed, used } => {
                let again = self.again.take().ok_or_else(already_complete)?;
                Step::Declined { context: again.declined(*directions, closed)?, used }
            }
            Progress::Complete { established, token, used } => {
                return self
                    .complete(established, token, used)
                    .inspect_err(|failure| self.handshake = Handshake::Refused(failure.error.clone()));
            }
        })
    }
}
