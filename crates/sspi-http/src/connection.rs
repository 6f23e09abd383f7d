//! A connection, and whose it is.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, SystemTime};

use sspi_core::{AcceptSecurityContext, ChannelBindings};

use crate::Authenticated;

/// A server's connection: every request that comes over it carries a clone among its extensions.
///
/// ```
/// use sspi_http::HttpConnection;
///
/// let connection = HttpConnection::new().with_source("192.0.2.7");
/// let mut request = http::Request::new(());
/// request.extensions_mut().insert(connection.clone());
/// ```
#[derive(Clone, Default)]
pub struct HttpConnection(Arc<Shared>);

#[derive(Default)]
struct Shared {
    source: Option<String>,
    bindings: Option<ChannelBindings>,
    is_in_tls: bool,
    /// A proxy has sent something over it: who comes next may be another of its clients.
    is_of_proxy: AtomicBool,
    /// What each layer knows of it, by the layer's number: who was let in at one door was not let in at another.
    states: Mutex<Vec<(u64, State)>>,
}

/// How far the authentication of a connection is.
enum State {
    /// Under way.
    Half(Half),
    /// Whose it is.
    Done(Arc<Authenticated>),
}

struct Half {
    scheme: &'static str,
    under_way: UnderWay,
    /// Tells it from others.
    number: u64,
    /// Ends with this: whoever begins one exchange after the other leaves no timers behind.
    _timer: Timer,
}

/// A handshake that waits for the client's next message.
pub(crate) struct UnderWay {
    pub(crate) handshake: Box<dyn AcceptSecurityContext>,
    /// When its first message came.
    pub(crate) began: SystemTime,
}

struct Timer(tokio::task::JoinHandle<()>);

impl Drop for Timer {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl HttpConnection {
    /// A connection of which nothing is known.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Where the client connects from, such as its address without port: packages that count failed logons count by it.
    #[must_use]
    pub fn with_source(self, source: impl Into<String>) -> Self {
        self.with(|shared| shared.source = Some(source.into()))
    }

    /// The channel that the connection is in, where it is TLS: what the client authenticates to is bound to it.
    #[must_use]
    pub fn with_channel_bindings(self, bindings: ChannelBindings) -> Self {
        self.with(|shared| (shared.bindings, shared.is_in_tls) = (Some(bindings), true))
    }

    /// The connection is in TLS, whose bindings nobody knows, such as that of a proxy in front: nobody listens.
    #[must_use]
    pub fn in_tls(self) -> Self {
        self.with(|shared| shared.is_in_tls = true)
    }

    /// Another connection, that differs in this.
    fn with(self, change: impl FnOnce(&mut Shared)) -> Self {
        let mut shared = Shared {
            source: self.0.source.clone(),
            bindings: self.0.bindings.clone(),
            is_in_tls: self.0.is_in_tls,
            is_of_proxy: AtomicBool::default(),
            states: Mutex::default(),
        };
        change(&mut shared);
        Self(Arc::new(shared))
    }

    pub(crate) fn is_of_proxy(&self) -> bool {
        self.0.is_of_proxy.load(Ordering::Relaxed)
    }

    pub(crate) fn is_seen_of_proxy(&self) {
        self.0.is_of_proxy.store(true, Ordering::Relaxed);
    }

    pub(crate) fn source(&self) -> Option<&str> {
        self.0.source.as_deref()
    }

    pub(crate) fn bindings(&self) -> Option<&ChannelBindings> {
        self.0.bindings.as_ref()
    }

    pub(crate) fn is_in_tls(&self) -> bool {
        self.0.is_in_tls
    }

    /// Who this layer has authenticated the connection as. An exchange that was under way is given up: who sends something else
    /// does not go on with it.
    pub(crate) fn known(&self, layer: u64, now: SystemTime) -> Option<Arc<Authenticated>> {
        let mut states = self.0.states();
        let at = states.iter().position(|(of, _)| *of == layer)?;
        if let Some((_, State::Done(known))) = states.get(at) {
            let expiry = known.attributes.lifespan().ok().and_then(|lifespan| lifespan.expiry);
            if expiry.is_none_or(|expiry| now < expiry) {
                return Some(Arc::clone(known));
            }
        }
        let given_up = states.swap_remove(at);
        drop(states);
        drop(given_up);
        None
    }

    /// The exchange that is under way with this layer and scheme. Whose the connection was, it is no more.
    pub(crate) fn take(&self, layer: u64, scheme: &str) -> Option<UnderWay> {
        let mut states = self.0.states();
        let at = states.iter().position(|(of, _)| *of == layer)?;
        match states.swap_remove(at).1 {
            State::Half(half) if half.scheme == scheme => Some(half.under_way),
            State::Half(_) | State::Done(_) => None,
        }
    }

    pub(crate) fn is_done(&self, layer: u64, authenticated: Arc<Authenticated>) {
        set(&mut self.0.states(), layer, State::Done(authenticated));
    }

    /// Keeps a handshake that waits for the client's next message, until the deadline.
    pub(crate) fn waits(&self, layer: u64, scheme: &'static str, under_way: UnderWay, deadline: Duration) {
        let number = NUMBERS.fetch_add(1, Ordering::Relaxed);
        let shared: Weak<Shared> = Arc::downgrade(&self.0);
        // The timer finds what it is for: it waits for the states.
        let mut states = self.0.states();
        let timer = tokio::spawn(async move {
            tokio::time::sleep(deadline).await;
            if let Some(shared) = shared.upgrade() {
                let is_meant = |state: &State| matches!(state, State::Half(half) if half.number == number);
                shared.states().retain(|(_, state)| !is_meant(state));
            }
        });
        set(&mut states, layer, State::Half(Half { scheme, under_way, number, _timer: Timer(timer) }));
    }
}

fn set(states: &mut Vec<(u64, State)>, layer: u64, state: State) {
    match states.iter_mut().find(|(of, _)| *of == layer) {
        Some((_, place)) => *place = state,
        None => states.push((layer, state)),
    }
}

static NUMBERS: AtomicU64 = AtomicU64::new(0);

impl Shared {
    fn states(&self) -> MutexGuard<'_, Vec<(u64, State)>> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for HttpConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |state: &State| match state {
            State::Half(_) => "being authenticated",
            State::Done(_) => "authenticated",
        };
        let states: Vec<&str> = self.0.states().iter().map(|(_, state)| name(state)).collect();
        f.debug_struct("HttpConnection").field("source", &self.0.source).field("states", &states).finish()
    }
}

#[cfg(feature = "axum")]
impl axum::extract::connect_info::Connected<axum::serve::IncomingStream<'_, tokio::net::TcpListener>>
    for HttpConnection
{
    fn connect_info(stream: axum::serve::IncomingStream<'_, tokio::net::TcpListener>) -> Self {
        Self::new().with_source(stream.remote_addr().ip().to_string())
    }
}
