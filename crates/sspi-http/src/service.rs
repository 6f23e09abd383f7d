//! A server: the layer that authenticates, and the service that it makes.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{CACHE_CONTROL, EXPECT};
use http::request::Parts;
use http::{HeaderValue, Request, Response, StatusCode, Version};
use http_body::Body;
use http_body_util::{Either, Full};
use sspi_core::{Clock, HttpRequest};
use sspi_tokio::{Answers, NoAnswers};
use tower_layer::Layer;
use tower_service::Service;
use tracing::error;

use crate::bodies::{Room, drain};
use crate::header::Place;
use crate::judgement::{Terms, Verdict, own, target_of};
use crate::{Attempt, Authenticated, HttpConnection, Scheme};

/// The body that a handler gets: the client's, or a copy that was read before.
pub type RequestBody<B> = Either<B, Full<Bytes>>;
/// The body of a response: the handler's, or one of the layer's own.
pub type ResponseBody<B> = Either<B, Full<Bytes>>;

/// Lets requests through whose senders are known.
///
/// ```
/// use std::sync::Arc;
/// use sspi_http::{AuthLayer, Scheme};
///
/// fn layer(ntlm: Arc<dyn sspi_core::CredentialsHandle>, accounts: Arc<dyn sspi_tokio::Answers>) -> AuthLayer {
///     AuthLayer::new([Scheme::ntlm(ntlm)]).with_answers(accounts)
/// }
/// ```
#[derive(Clone)]
pub struct AuthLayer(Arc<Terms>);

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A number that no layer has had. One that differs from another in anything is another layer.
fn next_layer() -> u64 {
    static LAYERS: AtomicU64 = AtomicU64::new(0);
    LAYERS.fetch_add(1, Ordering::Relaxed)
}

/// The clock of the system, where the application has no other.
struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
}

/// How long a client has between two messages of an exchange.
const DEADLINE: Duration = Duration::from_secs(30);
/// The longest body that is read before it is passed on, in bytes.
const LONGEST_BODY: usize = 1 << 20;
/// What all of them may take together, in bytes.
const ALL_BODIES: usize = 64 << 20;

impl AuthLayer {
    /// A layer that offers these schemes, in this order, and lets nobody through who is unknown.
    #[must_use]
    pub fn new(schemes: impl IntoIterator<Item = Scheme>) -> Self {
        Self(Arc::new(Terms {
            layer: next_layer(),
            schemes: schemes.into_iter().collect(),
            place: Place::Server,
            required: true,
            answers: Arc::new(NoAnswers),
            deadline: DEADLINE,
            longest_body: LONGEST_BODY,
            room: Room::of(ALL_BODIES),
            keeps_apart: false,
            report: Arc::new(|_| {}),
            clock: Arc::new(SystemClock),
            is_warned: Arc::default(),
            is_warned_of_proxies: Arc::default(),
        }))
    }

    /// Who answers what the packages ask: about accounts and their passwords.
    #[must_use]
    pub fn with_answers(self, answers: Arc<dyn Answers>) -> Self {
        self.with(|terms| terms.answers = answers)
    }

    /// As a proxy: with status 407, and the fields that belong to it.
    #[must_use]
    pub fn as_proxy(self) -> Self {
        self.with(|terms| terms.place = Place::Proxy)
    }

    /// Lets through who says nothing, too: the handler looks for [`Authenticated`], and asks by answering with status 401 (or
    /// 407), to which the layer adds what it offers.
    #[must_use]
    pub fn optional(self) -> Self {
        self.with(|terms| terms.required = false)
    }

    /// How long a client has between two messages of an exchange that is bound to its connection; 30 seconds.
    #[must_use]
    pub fn with_deadline(self, deadline: Duration) -> Self {
        self.with(|terms| terms.deadline = deadline)
    }

    /// The longest body that is read whole, of a request or a response that Digest protects with `auth-int`, and of requests that
    /// are answered with a challenge; 1 MiB.
    #[must_use]
    pub fn with_longest_body(self, bytes: usize) -> Self {
        self.with(|terms| terms.longest_body = bytes)
    }

    /// What the bodies of all requests may take together that are read to check what Digest says of them with `auth-int`, in
    /// bytes; 64 MiB. Whoever comes when there is no more is answered with status 503. A body is read when the rest of the
    /// header field was judged, and is there until the response is.
    #[must_use]
    pub fn with_room_for_bodies(self, bytes: usize) -> Self {
        self.with(|terms| terms.room = Room::of(bytes))
    }

    /// The proxies in front keep a connection for each of their clients, as Squid does for these schemes, and nginx with `ntlm`.
    ///
    /// Others send the requests of many clients over one connection. So what an exchange says of who sends a request is, unless
    /// this is said, not taken for the next one on a connection over which a request came that a proxy has passed on (by its
    /// fields `Via`, `Forwarded`, `X-Forwarded-*` or `X-Real-IP`): each is authenticated by itself, and the log says so once. A
    /// proxy that leaves no trace is not noticed.
    #[must_use]
    pub fn behind_pinning_proxy(self) -> Self {
        self.with(|terms| terms.keeps_apart = true)
    }

    /// What the time is taken from: how long attempts take, and until when a connection stays authenticated; the system's
    /// clock.
    #[must_use]
    pub fn with_clock(self, clock: Arc<dyn Clock>) -> Self {
        self.with(|terms| terms.clock = clock)
    }

    /// Tells how each attempt to authenticate ended: for an audit record.
    #[must_use]
    pub fn reporting(self, report: impl Fn(&Attempt<'_>) + Send + Sync + 'static) -> Self {
        self.with(|terms| terms.report = Arc::new(report))
    }

    fn with(self, change: impl FnOnce(&mut Terms)) -> Self {
        let mut terms = Arc::unwrap_or_clone(self.0);
        change(&mut terms);
        terms.layer = next_layer();
        terms.is_warned = Arc::default();
        terms.is_warned_of_proxies = Arc::default();
        Self(Arc::new(terms))
    }
}

impl fmt::Debug for AuthLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthLayer")
            .field("schemes", &self.0.schemes)
            .field("required", &self.0.required)
            .finish_non_exhaustive()
    }
}

impl<S> Layer<S> for AuthLayer {
    type Service = AuthService<S>;

    fn layer(&self, inner: S) -> AuthService<S> {
        AuthService { inner, terms: Arc::clone(&self.0) }
    }
}

/// A service whose requests come from who is known.
#[derive(Clone)]
pub struct AuthService<S> {
    inner: S,
    terms: Arc<Terms>,
}

impl<S> fmt::Debug for AuthService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthService").field("schemes", &self.terms.schemes).finish_non_exhaustive()
    }
}

impl<S, B, R> Service<Request<B>> for AuthService<S>
where
    S: Service<Request<RequestBody<B>>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
    R: Body<Data = Bytes> + Send + 'static,
{
    type Response = Response<ResponseBody<R>>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The service that is ready is the one to call.
        let clone = self.inner.clone();
        let mut inner = core::mem::replace(&mut self.inner, clone);
        let terms = Arc::clone(&self.terms);
        Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            let Some(connection) = connection(&parts) else {
                error!(
                    "the request carries no HttpConnection: whoever accepts connections must put it there"
                );
                return Ok(own(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "this server is not set up for authentication\n",
                ));
            };
            // Somebody outside must not say who it is.
            parts.extensions.remove::<Authenticated>();
            let (verdict, body) = terms.judge(&connection, &parts, body).await;
            match verdict {
                Verdict::Refuse { status, headers, text } => {
                    // What is left unread of a request would end the connection that the exchange is bound to. Who waits for a
                    // word before it sends its body is spared that.
                    if let Some(body) = body.filter(|_| !parts.headers.contains_key(EXPECT)) {
                        let draining = drain(body, terms.longest_body);
                        let _too_slow = tokio::time::timeout(terms.deadline, draining).await;
                    }
                    let mut response = own(status, text);
                    response.headers_mut().extend(headers);
                    Ok(response)
                }
                Verdict::Pass { known, headers, proof } => {
                    let is_known = known.is_some();
                    if let Some(known) = known {
                        parts.extensions.insert(Authenticated::clone(&known));
                    }
                    if terms.place == Place::Proxy {
                        // What the client says to the proxy is for nobody behind it. Spec: HTTPAUTH section 11.7.2.
                        parts.headers.remove(terms.place.credentials());
                    }
                    let is_for_one = terms.place == Place::Server && is_known && proof.is_none();
                    let is_http1 = parts.version < Version::HTTP_2;
                    let target = (parts.method.to_string(), target_of(&parts));
                    let Some(body) = body else {
                        return Ok(own(StatusCode::INTERNAL_SERVER_ERROR, "the request's body is gone\n"));
                    };
                    let response = inner.call(Request::from_parts(parts, body)).await?;
                    let mut response = match proof {
                        Some(proof) => proof.add_to(response, &terms).await,
                        None => response.map(Either::Left),
                    };
                    if response.status() == terms.place.status()
                        && !response.headers().contains_key(terms.place.challenge())
                    {
                        let offer = terms.offer(&connection, &HttpRequest::new(target.0, target.1), is_http1);
                        response.headers_mut().extend(offer);
                    }
                    for (name, value) in headers {
                        response.headers_mut().append(name, value);
                    }
                    // Requests of a connection that is authenticated say nothing of it, by which caches that are shared would
                    // know that the response is for one. Spec: HTTPCACHE section 3.5.
                    if is_for_one {
                        let private = HeaderValue::from_static("private");
                        response.headers_mut().entry(CACHE_CONTROL).or_insert(private);
                    }
                    Ok(response)
                }
            }
        })
    }
}

/// The connection that a request came over.
fn connection(parts: &Parts) -> Option<HttpConnection> {
    #[cfg(feature = "axum")]
    if let Some(axum::extract::ConnectInfo(connection)) =
        parts.extensions.get::<axum::extract::ConnectInfo<HttpConnection>>()
    {
        return Some(connection.clone());
    }
    parts.extensions.get::<HttpConnection>().cloned()
}
