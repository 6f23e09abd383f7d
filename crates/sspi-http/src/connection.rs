//! A connection, and whose it is.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

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
    state: Mutex<State>,
}

/// How far the authentication of a connection is.
#[derive(Default)]
pub(crate) enum State {
    #[default]
    Nobody,
    /// Under way; the number tells it from others.
    Half(Half),
    /// Whose it is.
    Done(Arc<Authenticated>),
}

pub(crate) struct Half {
    pub(crate) scheme: &'static str,
    pub(crate) handshake: Box<dyn AcceptSecurityContext>,
    number: u64,
    /// Ends with this: whoever begins one exchange after the other leaves no timers behind.
    _timer: Timer,
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
        self.with(|shared| shared.bindings = Some(bindings))
    }

    /// Another connection, that differs in this.
    fn with(self, change: impl FnOnce(&mut Shared)) -> Self {
        let mut shared = Shared {
            source: self.0.source.clone(),
            bindings: self.0.bindings.clone(),
            state: Mutex::default(),
        };
        change(&mut shared);
        Self(Arc::new(shared))
    }

    pub(crate) fn source(&self) -> Option<&str> {
        self.0.source.as_deref()
    }

    pub(crate) fn bindings(&self) -> Option<&ChannelBindings> {
        self.0.bindings.as_ref()
    }

    /// Who the connection was authenticated as.
    #[must_use]
    pub fn authenticated(&self) -> Option<Arc<Authenticated>> {
        match &*self.0.state() {
            State::Done(authenticated) => Some(Arc::clone(authenticated)),
            State::Nobody | State::Half(_) => None,
        }
    }

    /// Takes out what there is: nobody's it is in the meantime.
    pub(crate) fn take(&self) -> State {
        core::mem::take(&mut *self.0.state())
    }

    pub(crate) fn is_done(&self, authenticated: Arc<Authenticated>) {
        *self.0.state() = State::Done(authenticated);
    }

    /// Keeps a handshake that waits for the client's next message, until the deadline.
    pub(crate) fn waits(
        &self,
        scheme: &'static str,
        handshake: Box<dyn AcceptSecurityContext>,
        deadline: Duration,
    ) {
        let number = NUMBERS.fetch_add(1, core::sync::atomic::Ordering::Relaxed);
        let shared: Weak<Shared> = Arc::downgrade(&self.0);
        let mut state = self.0.state();
        let timer = tokio::spawn(async move {
            tokio::time::sleep(deadline).await;
            if let Some(shared) = shared.upgrade() {
                let mut state = shared.state();
                if matches!(&*state, State::Half(half) if half.number == number) {
                    *state = State::Nobody;
                }
            }
        });
        *state = State::Half(Half { scheme, handshake, number, _timer: Timer(timer) });
    }
}

static NUMBERS: core::sync::atomic::AtomicU64 = core::sync::atomic::AtomicU64::new(0);

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for HttpConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &*self.0.state() {
            State::Nobody => "nobody's",
            State::Half(_) => "being authenticated",
            State::Done(_) => "authenticated",
        };
        f.debug_struct("HttpConnection").field("source", &self.0.source).field("state", &state).finish()
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
