//! A second handshake on an established context: who may begin it, and what it needs.
//!
//! Only the engine has one. A client begins it, or a server asks it to (`ApplyControlToken`); what the peer sends for it is a
//! record of the connection, and `DecryptMessage` answers `SEC_I_RENEGOTIATE`.
//!
//! Spec: RENEG; TLS12 section 7.4.1.1.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use legacy_tls::{Before, Directions, pct1};
use sspi_core::{
    Clock, Error, Fault, PackageInfo, PairedContext, Renegotiation, RenegotiationRefused, SecStatus,
    SecurityContext,
};

use crate::account_mapping::Mapper;
use crate::attributes::{Attributes, Requested};
use crate::backend::{ClientParameters, Engine, Established, Rustls, ServerParameters, Settings, legacy};
use crate::client::{Client, ClientConfigs};
use crate::config::{self, ClientAuth};
use crate::context::{self, Context, Negotiates, PeersWish, WithSessions as _};
use crate::package::NAME;
use crate::server::{Server, ServerConfigs};
use crate::session_cache::Kept;
use crate::status;

/// How often a peer may begin another handshake on one connection, and how often this side may, by asking for one too.
const MOST_BY_PEER: u32 = 16;
const MOST_BY_US: u32 = 256;
/// How many records a server that has asked for a handshake takes before the ClientHello must have come, and how long it
/// waits.
const MOST_RECORDS: u32 = 65_536;
const LONGEST: Duration = Duration::from_secs(60);

/// With what a context is negotiated again, in its role.
pub(crate) struct Again {
    pub(crate) role: AgainAs,
    pub(crate) info: Arc<PackageInfo>,
    pub(crate) requested: Requested,
    /// How often the peer has begun a handshake on this connection.
    pub(crate) by_peer: u32,
    /// How often this side has.
    pub(crate) by_us: u32,
    /// What holds on the connection while it is negotiated again.
    pub(crate) standing: Option<Arc<Attributes>>,
    /// And where its sessions are kept.
    pub(crate) kept: Option<Arc<Kept>>,
    /// The first certificate that the peer has shown on the connection.
    pub(crate) shown: Option<Vec<u8>>,
}

pub(crate) enum AgainAs {
    Client { configs: Arc<ClientConfigs>, parameters: ClientParameters, target: Option<String> },
    Server { configs: Arc<ServerConfigs>, parameters: ServerParameters },
}

impl Again {
    fn settings(&self) -> &Settings {
        match &self.role {
            AgainAs::Client { configs, .. } => &configs.settings,
            AgainAs::Server { configs, .. } => &configs.settings,
        }
    }

    /// How the peer's certificate is mapped to an account: not where the application judges it, so that nobody has verified
    /// it yet.
    pub(crate) fn mapper(&self) -> Option<&Arc<Mapper>> {
        let verifies =
            matches!(&self.role, AgainAs::Server { parameters, .. } if !parameters.verification.manual);
        self.settings().mapper.as_ref().filter(|_| verifies)
    }

    /// Whether the application sends what the peer is told of a failure.
    pub(crate) fn tells_errors(&self) -> bool {
        match &self.role {
            AgainAs::Client { parameters, .. } => parameters.extended_errors,
            AgainAs::Server { parameters, .. } => parameters.extended_errors,
        }
    }

    pub(crate) fn clock(&self) -> &Arc<dyn Clock> {
        &self.settings().environment.clock
    }

    pub(crate) fn now(&self) -> SystemTime {
        self.clock().now()
    }

    /// A context from what the handshake left.
    pub(crate) fn established(self, established: Established, start: SystemTime) -> Box<dyn SecurityContext> {
        let (info, requested) = (Arc::clone(&self.info), self.requested);
        let target = match &self.role {
            AgainAs::Client { target, .. } => target.clone(),
            AgainAs::Server { .. } => None,
        };
        let attributes = |session, sizes| Attributes::new(info, session, sizes, requested, target, start);
        context::established(established, attributes, self)
    }

    /// The context as it was: the peer does not negotiate it again, or has closed its side instead.
    pub(crate) fn declined(
        mut self,
        directions: Directions,
        closed: bool,
    ) -> Result<Box<dyn SecurityContext>, Error> {
        let attributes = self.standing.take().ok_or_else(already_complete)?;
        let (sending, receiving) =
            legacy::on_connection(directions, &attributes, self.settings()).ok_or_else(already_complete)?;
        let kept = self.kept.take();
        let mut context = context::new::<Engine>(sending, receiving, attributes, Some(Box::new(self)));
        context.receiver.expired = closed;
        Ok(Box::new(match kept {
            Some(kept) => context.with_sessions(kept),
            None => context,
        }))
    }

    /// Whether there is ever a second handshake. An application that judges clients itself would not hear of another
    /// certificate.
    pub(crate) fn is_enabled(&self) -> bool {
        let unheard =
            matches!(&self.role, AgainAs::Server { parameters, .. } if parameters.verification.manual);
        self.settings().policy.renegotiation != config::Renegotiation::Off && !unheard
    }

    /// Whether the peer can be bound to the connection, as far as policy wants it. PCT has no words for that, nor for its
    /// absence.
    fn check(&self, prior: &Prior) -> Result<(), Unsupported> {
        let fits = match prior {
            Prior::Tls(before) => before.is_secure() || self.settings().policy.insecure_renegotiation,
            Prior::Pct1(_) => true,
        };
        if fits { Ok(()) } else { Err(Unsupported::Insecure) }
    }

    /// Whether this side may begin.
    fn check_us(&self) -> Result<(), Unsupported> {
        if self.by_us < MOST_BY_US { Ok(()) } else { Err(Unsupported::TooOften) }
    }

    /// Whether the peer may begin.
    fn check_peer(&self) -> Result<(), Error> {
        if self.settings().policy.renegotiation != config::Renegotiation::Both {
            return Err(refused("only this side may begin:").with_setting("renegotiation"));
        }
        if self.by_peer >= MOST_BY_PEER {
            return Err(refused("the peer has begun 16 on this connection:"));
        }
        Ok(())
    }
}

/// What a second handshake needs of the first.
pub(crate) enum Prior {
    Tls(Before),
    Pct1(pct1::Previous),
}

/// What a handshake answers that has yielded its context.
pub(crate) fn already_complete() -> Error {
    Error::invalid_handle("the handshake is complete already")
}

/// `SEC_E_UNSUPPORTED_FUNCTION`.
fn refused(why: &str) -> Error {
    let message = format!("{why} the connection is not negotiated again");
    Error::new(SecStatus::SEC_E_UNSUPPORTED_FUNCTION, Fault::Refused, message)
}

/// Why there is no second handshake.
#[derive(Clone, Copy)]
enum Unsupported {
    Tls13,
    Protocol,
    Policy,
    Insecure,
    Announced,
    TooOften,
}

impl Unsupported {
    const fn of(attributes: &Attributes) -> Self {
        if attributes.is_tls13() {
            Self::Tls13
        } else if attributes.has_second_handshake() {
            Self::Policy
        } else {
            Self::Protocol
        }
    }

    fn error(self) -> Error {
        match self {
            Self::Tls13 => Error::unsupported(NAME, "a second handshake: TLS 1.3 has none")
                .with_setting("renegotiation-client-auth"),
            Self::Protocol => Error::unsupported(NAME, "a second handshake: the protocol has none"),
            Self::Policy => Error::unsupported(NAME, "a second handshake: it is not enabled")
                .with_setting("renegotiation"),
            Self::Announced => Error::unsupported(
                NAME,
                "a request for a handshake while data goes on: PCT has none (SecurityContext::renegotiate begins one)",
            ),
            Self::TooOften => refused("this side has begun 256 on this connection:"),
            Self::Insecure => refused(
                "the peer cannot be bound to what was before (RFC 5746, RFC 7627 section 5.4), and so",
            )
            .with_setting("insecure-renegotiation"),
        }
    }
}

/// Whether our side may begin, and what a server needs that has asked.
pub(crate) struct Renegotiable(Result<Terms, Unsupported>);

/// On what terms a server waits for the client that it asked.
#[derive(Clone)]
pub(crate) struct Terms {
    clock: Arc<dyn Clock>,
    /// Without the client's certificate there is nothing to go on with.
    requires_certificate: bool,
}

impl Renegotiable {
    pub(crate) fn of(attributes: &Attributes, again: Option<&Again>) -> Self {
        let (Some(again), Some(prior)) = (again, attributes.prior()) else {
            return Self(Err(Unsupported::of(attributes)));
        };
        // Who announces a handshake in PCT sends nothing else until it is over: the context becomes one.
        if matches!(prior, Prior::Pct1(_)) {
            return Self(Err(Unsupported::Announced));
        }
        let settings = again.settings();
        Self(again.check(&prior).and_then(|()| again.check_us()).map(|()| Terms {
            clock: Arc::clone(&settings.environment.clock),
            requires_certificate: settings.renegotiation_client_auth == ClientAuth::Required,
        }))
    }

    pub(crate) fn check(&self) -> Result<Terms, Error> {
        self.0.clone().map_err(Unsupported::error)
    }
}

/// A server's wait for the handshake that it has asked for.
#[derive(Default)]
pub(crate) struct Asked {
    /// Seen without a lock, for every record.
    is_waiting: AtomicBool,
    waiting: Mutex<Option<Box<Waiting>>>,
}

struct Waiting {
    patience: Patience,
    requires_certificate: bool,
}

/// What is left of the time and of the records that a client has which was asked to negotiate again.
pub(crate) struct Patience {
    clock: Arc<dyn Clock>,
    since: SystemTime,
    records: u32,
}

impl Patience {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        let since = clock.now();
        Self { clock, since, records: 0 }
    }

    /// The time; nothing, where it is over. A clock that was set back gives more of it.
    fn left(&self) -> Option<Duration> {
        let elapsed = self.clock.now().duration_since(self.since).unwrap_or_default();
        LONGEST.checked_sub(elapsed).filter(|left| !left.is_zero())
    }

    /// A record has come; nothing, where it was one too many or came too late.
    pub(crate) fn one_more_record(&mut self) -> Option<()> {
        self.records += 1;
        self.left().filter(|_| self.records <= MOST_RECORDS).map(|_| ())
    }
}

impl Asked {
    fn waiting(&self) -> MutexGuard<'_, Option<Box<Waiting>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn begin(&self, terms: Terms) {
        let Terms { clock, requires_certificate } = terms;
        // Whoever asks twice waits no longer for it.
        self.waiting().get_or_insert_with(|| {
            Box::new(Waiting { patience: Patience::new(clock), requires_certificate })
        });
        self.is_waiting.store(true, Ordering::Release);
    }

    pub(crate) fn is_waiting(&self) -> bool {
        self.is_waiting.load(Ordering::Acquire)
    }

    /// A record has come.
    ///
    /// # Errors
    /// The client has had its time.
    pub(crate) fn one_more_record(&self) -> Result<(), status::Error> {
        let mut waiting = self.waiting();
        let Some(waiting) = waiting.as_deref_mut() else { return Ok(()) };
        waiting.patience.one_more_record().ok_or(status::Error::NotNegotiatedAgain)
    }

    /// How long the client may still take; `None` where it was not asked.
    ///
    /// # Errors
    /// The client has had its time.
    pub(crate) fn time_left(&self) -> Result<Option<Duration>, status::Error> {
        match self.waiting().as_deref() {
            Some(waiting) => waiting.patience.left().map(Some).ok_or(status::Error::NotNegotiatedAgain),
            None => Ok(None),
        }
    }

    /// The ClientHello is there. Whether it was asked for.
    pub(crate) fn came(&self) -> bool {
        self.is_waiting.store(false, Ordering::Release);
        self.waiting().take().is_some()
    }

    /// The client will not. Whether it was asked.
    ///
    /// # Errors
    /// It had to.
    pub(crate) fn declined(&self) -> Result<bool, status::Error> {
        self.is_waiting.store(false, Ordering::Release);
        let waiting = self.waiting().take();
        match waiting {
            Some(waiting) if waiting.requires_certificate => Err(status::Error::NoClientCertificate),
            waiting => Ok(waiting.is_some()),
        }
    }
}

impl Negotiates for Rustls {
    fn negotiate_again(
        context: Box<Context<Self>>,
        _wish: Option<PeersWish>,
    ) -> Result<Renegotiation, RenegotiationRefused> {
        let error = Unsupported::of(&context.shared.attributes).error();
        Err(RenegotiationRefused { context, error })
    }
}

impl Negotiates for Engine {
    fn negotiate_again(
        mut context: Box<Context<Self>>,
        wish: Option<PeersWish>,
    ) -> Result<Renegotiation, RenegotiationRefused> {
        let by_peer = wish.as_ref().is_some_and(|wish| !wish.was_asked);
        let attributes = &context.shared.attributes;
        let is_announced = wish.is_some();
        let allowed = match (&context.shared.again, attributes.prior()) {
            (Some(again), Some(prior)) => again
                .check(&prior)
                .map_err(Unsupported::error)
                .and_then(|()| {
                    if by_peer { again.check_peer() } else { again.check_us().map_err(Unsupported::error) }
                })
                .map(|()| prior),
            _ => Err(Unsupported::of(attributes).error()),
        };
        let over = context.sender.closed || context.receiver.expired;
        let allowed =
            if over { Err(Error::invalid_handle("the connection is being closed")) } else { allowed };
        let (again, prior) = match (allowed, context.shared.again.take()) {
            (Ok(Prior::Tls(before)), Some(mut again)) => {
                again.shown = again.shown.take().or_else(|| before.peer().map(<[u8]>::to_vec));
                let before = before.of_peer(again.shown.clone());
                (again, Prior::Tls(before))
            }
            (Ok(prior), Some(again)) => (again, prior),
            (allowed, again) => {
                context.shared.again = again;
                let error = allowed.err().unwrap_or_else(|| refused("no policy is left:"));
                if is_announced && context.shared.attributes.is_pct() {
                    // Nothing but messages of that handshake comes from now on, and there are no words to refuse it.
                    context.receiver.shared.end(error.clone());
                }
                return Err(RenegotiationRefused { context, error });
            }
        };
        let PairedContext { sender, receiver, shared } = *context;
        let kept = receiver.shared.kept.get().cloned();
        let mut messages = wish.map(|wish| wish.hello).unwrap_or_default();
        messages.extend_from_slice(&receiver.fragment);
        let sealer = sender.sealing.into_sealer();
        let opener = receiver.opening.into_opener();
        let again = Again { standing: Some(shared.attributes), kept, ..*again };
        let directions = Directions { sealer, opener, messages };
        Ok(begin(again, by_peer, Begin { prior, directions, is_announced }))
    }
}

/// With what a second handshake begins.
pub(crate) struct Begin {
    pub(crate) prior: Prior,
    pub(crate) directions: Directions,
    /// The peer has announced it.
    pub(crate) is_announced: bool,
}

fn begin(mut again: Again, by_peer: bool, with: Begin) -> Renegotiation {
    *(if by_peer { &mut again.by_peer } else { &mut again.by_us }) += 1;
    let handshake = match &again.role {
        AgainAs::Client { configs, parameters, .. } => configs.again(parameters, with),
        AgainAs::Server { configs, parameters } => configs.again(parameters, with),
    };
    let handshake = handshake.unwrap_or_else(legacy::Handshake::failed).behind(again.kept.clone());
    match &again.role {
        AgainAs::Client { .. } => Renegotiation::Initialize(Box::new(Client::again(again, handshake))),
        AgainAs::Server { .. } => Renegotiation::Accept(Box::new(Server::again(again, handshake))),
    }
}
