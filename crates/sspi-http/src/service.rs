//! A server: the layer that authenticates, and the service that it makes.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Version};
use http_body::Body;
use http_body_util::{Either, Full};
use sspi_core::{
    AcceptRequest, AcceptSecurityContext, AscReq, EntityBody, Error, Failure, Fault, HttpEntity, HttpRequest,
    SecStatus, Step,
};
use sspi_tokio::{Answers, NoAnswers};
use tower_layer::Layer;
use tower_service::Service;
use tracing::{debug, error};

use crate::bodies::collect;
use crate::connection::State;
use crate::header::{self, Challenge, Place};
use crate::scheme::Form;
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

#[derive(Clone)]
struct Terms {
    schemes: Vec<Scheme>,
    place: Place,
    required: bool,
    answers: Arc<dyn Answers>,
    deadline: Duration,
    longest_body: usize,
    report: Report,
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;
type Report = Arc<dyn Fn(&Attempt<'_>) + Send + Sync>;

/// How long a client has between two messages of an exchange.
const DEADLINE: Duration = Duration::from_secs(30);
/// The longest body that is read before it is passed on, in bytes.
const LONGEST_BODY: usize = 1 << 20;
/// The longest token in a header field, in bytes: a Kerberos ticket with many groups has a tenth of it.
const LONGEST_TOKEN: usize = 64 << 10;

impl AuthLayer {
    /// A layer that offers these schemes, in this order, and lets nobody through who is unknown.
    #[must_use]
    pub fn new(schemes: impl IntoIterator<Item = Scheme>) -> Self {
        Self(Arc::new(Terms {
            schemes: schemes.into_iter().collect(),
            place: Place::Server,
            required: true,
            answers: Arc::new(NoAnswers),
            deadline: DEADLINE,
            longest_body: LONGEST_BODY,
            report: Arc::new(|_| {}),
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

    /// Tells how each attempt to authenticate ended: for an audit record.
    #[must_use]
    pub fn reporting(self, report: impl Fn(&Attempt<'_>) + Send + Sync + 'static) -> Self {
        self.with(|terms| terms.report = Arc::new(report))
    }

    fn with(self, change: impl FnOnce(&mut Terms)) -> Self {
        let mut terms = Arc::unwrap_or_clone(self.0);
        change(&mut terms);
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
                    if let Some(body) = body {
                        // What is left unread of a request would end the connection that the exchange is bound to.
                        let _too_long = collect(body, terms.longest_body).await;
                    }
                    let mut response = own(status, text);
                    response.headers_mut().extend(headers);
                    Ok(response)
                }
                Verdict::Pass { known, headers, proof } => {
                    if let Some(known) = known {
                        parts.extensions.insert(Authenticated::clone(&known));
                    }
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

/// The target as it was in the request line.
fn target_of(parts: &Parts) -> String {
    parts.uri.to_string()
}

fn own<R>(status: StatusCode, text: &'static str) -> Response<ResponseBody<R>> {
    let mut response = Response::new(Either::Right(Full::from(text)));
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, plain);
    response
}

/// What becomes of a request.
enum Verdict {
    Refuse { status: StatusCode, headers: HeaderMap, text: &'static str },
    Pass { known: Option<Arc<Authenticated>>, headers: Vec<(HeaderName, HeaderValue)>, proof: Option<Proof> },
}

/// What a server still owes a client that was authenticated for one request: the proof that it knows the secret, over the
/// response.
struct Proof {
    handshake: Box<dyn AcceptSecurityContext>,
    token: Vec<u8>,
    entity: HttpEntity,
    is_over_body: bool,
}

impl Proof {
    async fn add_to<R>(mut self, response: Response<R>, terms: &Terms) -> Response<ResponseBody<R>>
    where
        R: Body<Data = Bytes>,
    {
        let mut response = if self.is_over_body {
            let (parts, body) = response.into_parts();
            let length = body.size_hint().upper().and_then(|length| usize::try_from(length).ok());
            let body = match length.filter(|length| *length <= terms.longest_body) {
                // Of unknown or too great length: it goes out as it is, without proof.
                None => {
                    debug!("a response without a length, or a long one, goes out without proof");
                    return Response::from_parts(parts, Either::Left(body));
                }
                Some(length) => collect(body, length).await,
            };
            let Some(body) = body else {
                return own(StatusCode::INTERNAL_SERVER_ERROR, "the response broke off\n");
            };
            self.entity.set(EntityBody::Bytes(body.to_vec()));
            let response = Response::from_parts(parts, Either::Right(Full::from(body)));
            if let Err(error) = self.handshake.complete_auth_token(&mut self.token) {
                debug!(%error, "the response goes out without proof");
                return response;
            }
            response
        } else {
            response.map(Either::Left)
        };
        if let Ok(value) = HeaderValue::from_bytes(&self.token)
            && !self.token.is_empty()
        {
            response.headers_mut().insert(terms.place.info(), value);
        }
        response
    }
}

impl Terms {
    /// Who sends a request. The body comes back where it was not read, or whole.
    async fn judge<B>(
        &self,
        connection: &HttpConnection,
        parts: &Parts,
        body: B,
    ) -> (Verdict, Option<RequestBody<B>>)
    where
        B: Body<Data = Bytes>,
    {
        let is_http1 = parts.version < Version::HTTP_2;
        let http = HttpRequest {
            entity: HttpEntity::later(),
            ..HttpRequest::new(parts.method.as_str(), target_of(parts))
        };
        let said = match header::credentials(&parts.headers, self.place) {
            Ok(said) => said,
            Err(header::Ambiguous) => {
                let text = "the request says twice who sends it\n";
                let verdict =
                    Verdict::Refuse { status: StatusCode::BAD_REQUEST, headers: HeaderMap::new(), text };
                return (verdict, Some(Either::Left(body)));
            }
        };
        let Some(said) = said else {
            return (self.judge_silent(connection, &http, is_http1), Some(Either::Left(body)));
        };
        let scheme = self.schemes.iter().find(|scheme| scheme.is(&said.scheme));
        match scheme {
            Some(scheme) if scheme.form == Form::Connection && is_http1 => {
                (self.connection_bound(connection, scheme, &said, &http).await, Some(Either::Left(body)))
            }
            Some(scheme) if scheme.form == Form::Request => {
                self.request_bound(connection, scheme, &said, http, is_http1, body).await
            }
            Some(_) | None => (self.challenge(connection, &http, is_http1), Some(Either::Left(body))),
        }
    }

    /// A request that says nothing of its sender.
    fn judge_silent(&self, connection: &HttpConnection, http: &HttpRequest, is_http1: bool) -> Verdict {
        match connection.take() {
            State::Done(known) if is_http1 => {
                connection.is_done(Arc::clone(&known));
                Verdict::Pass { known: Some(known), headers: vec![PERSISTENT], proof: None }
            }
            // Who began an exchange and sends something else has given it up.
            _ if !self.required => Verdict::Pass { known: None, headers: Vec::new(), proof: None },
            _ => self.challenge(connection, http, is_http1),
        }
    }

    /// One message of an exchange that authenticates a connection.
    async fn connection_bound(
        &self,
        connection: &HttpConnection,
        scheme: &Scheme,
        said: &Challenge,
        http: &HttpRequest,
    ) -> Verdict {
        let before = match connection.take() {
            State::Half(half) if half.scheme == scheme.name => Some(half.handshake),
            // Another exchange begins: whose the connection was, it is no more.
            _ => None,
        };
        let token =
            Some(said.rest.as_str()).filter(|rest| rest.len() <= LONGEST_TOKEN).and_then(header::decode);
        let stepped = match token {
            None => Err(Failure::silent(Error::new(
                SecStatus::SEC_E_INVALID_TOKEN,
                Fault::Decode,
                "the token in the header field is not base64, or too long",
            ))),
            Some(token) => {
                match before.map_or_else(|| scheme.credentials.accept(&self.request(connection, None)), Ok) {
                    Ok(handshake) => self.step(scheme.name, handshake, &token).await,
                    Err(error) => Err(error.into()),
                }
            }
        };
        match stepped {
            Ok((handshake, Stepped::Continue(token))) => {
                connection.waits(scheme.name, handshake, self.deadline);
                let mut headers = HeaderMap::new();
                headers.extend(self.field(scheme, header::encode(&token).as_bytes()));
                self.refuse(headers)
            }
            Ok((_, Stepped::Complete { known, token })) => {
                let known = Arc::new(known);
                self.report(connection, scheme, Ok(&known));
                connection.is_done(Arc::clone(&known));
                let mut headers = vec![PERSISTENT];
                if !token.is_empty() {
                    headers.extend(self.field(scheme, header::encode(&token).as_bytes()));
                }
                Verdict::Pass { known: Some(known), headers, proof: None }
            }
            Err(failure) => {
                self.report(connection, scheme, Err(&failure.error));
                if failure.token.is_empty() {
                    return self.challenge(connection, http, true);
                }
                let mut headers = HeaderMap::new();
                headers.extend(self.field(scheme, header::encode(&failure.token).as_bytes()));
                self.refuse(headers)
            }
        }
    }

    /// A request that says by itself who sends it.
    async fn request_bound<B>(
        &self,
        connection: &HttpConnection,
        scheme: &Scheme,
        said: &Challenge,
        mut http: HttpRequest,
        is_http1: bool,
        body: B,
    ) -> (Verdict, Option<RequestBody<B>>)
    where
        B: Body<Data = Bytes>,
    {
        let is_over_body = said.rest.to_ascii_lowercase().contains("auth-int");
        let body = if is_over_body {
            let Some(bytes) = collect(body, self.longest_body).await else {
                let text = "the body is too long to be protected\n";
                let status = StatusCode::PAYLOAD_TOO_LARGE;
                return (Verdict::Refuse { status, headers: HeaderMap::new(), text }, None);
            };
            http = http.with_entity(bytes.to_vec());
            Either::Right(Full::from(bytes))
        } else {
            Either::Left(body)
        };
        let entity = http.response_entity.clone();
        let stepped = match scheme.credentials.accept(&self.request(connection, Some(http.clone()))) {
            Ok(_) if said.rest.len() > LONGEST_TOKEN => Err(Failure::silent(Error::new(
                SecStatus::SEC_E_INVALID_TOKEN,
                Fault::Decode,
                "the header field is too long",
            ))),
            Ok(handshake) => self.step(scheme.name, handshake, said.rest.as_bytes()).await,
            Err(error) => Err(error.into()),
        };
        let verdict = match stepped {
            Ok((handshake, Stepped::Complete { known, token })) => {
                self.report(connection, scheme, Ok(&known));
                let proof = Proof { handshake, token, entity, is_over_body };
                Verdict::Pass { known: Some(Arc::new(known)), headers: Vec::new(), proof: Some(proof) }
            }
            Ok((_, Stepped::Continue(lines))) => self.refuse(self.lines(scheme, &lines)),
            Err(failure) => {
                self.report(connection, scheme, Err(&failure.error));
                if failure.token.is_empty() {
                    self.challenge(connection, &http, is_http1)
                } else {
                    self.refuse(self.lines(scheme, &failure.token))
                }
            }
        };
        (verdict, Some(body))
    }

    /// Lets a handshake take one whole message, and answers what it asks.
    async fn step(
        &self,
        scheme: &'static str,
        mut handshake: Box<dyn AcceptSecurityContext>,
        token: &[u8],
    ) -> Result<(Box<dyn AcceptSecurityContext>, Stepped), Failure> {
        let unexpected = |what: &'static str| {
            Failure::silent(Error::new(SecStatus::SEC_E_INVALID_TOKEN, Fault::Decode, what))
        };
        loop {
            return match handshake.accept_security_context(token)? {
                Step::Ask(question) => {
                    sspi_tokio::answer(Arc::clone(&self.answers), question).await?;
                    continue;
                }
                Step::Continue { token, .. } => Ok((handshake, Stepped::Continue(token))),
                Step::Complete { context, token, .. } => {
                    let account = context.security_context_token()?;
                    let attributes = context.attributes();
                    let known = Authenticated { account, scheme, attributes };
                    Ok((handshake, Stepped::Complete { known, token }))
                }
                Step::Incomplete { .. } => Err(unexpected("the token in the header field is not whole")),
                Step::Data { .. } | Step::Declined { .. } => Err(unexpected("there is no context yet")),
            };
        }
    }

    fn request(&self, connection: &HttpConnection, http: Option<HttpRequest>) -> AcceptRequest {
        AcceptRequest {
            flags: AscReq::EXTENDED_ERROR | AscReq::CONNECTION,
            channel_bindings: connection.bindings().cloned(),
            source: connection.source().map(str::to_owned),
            http,
            ..AcceptRequest::default()
        }
    }

    fn report(&self, connection: &HttpConnection, scheme: &Scheme, result: Result<&Authenticated, &Error>) {
        (self.report)(&Attempt { source: connection.source(), scheme: scheme.name, result });
    }

    /// Asks who it is, with all that is offered.
    fn challenge(&self, connection: &HttpConnection, http: &HttpRequest, is_http1: bool) -> Verdict {
        let headers = self.offer(connection, http, is_http1);
        if headers.is_empty() && !is_http1 {
            return Verdict::Refuse {
                status: StatusCode::HTTP_VERSION_NOT_SUPPORTED,
                headers,
                text: "what this server offers authenticates connections, which takes HTTP/1.1\n",
            };
        }
        self.refuse(headers)
    }

    fn refuse(&self, headers: HeaderMap) -> Verdict {
        Verdict::Refuse { status: self.place.status(), headers, text: "who are you?\n" }
    }

    /// What is offered, a field for each.
    fn offer(&self, connection: &HttpConnection, http: &HttpRequest, is_http1: bool) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for scheme in &self.schemes {
            match scheme.form {
                Form::Connection if is_http1 => {
                    if let Some((name, value)) = self.field(scheme, b"") {
                        headers.append(name, value);
                    }
                }
                Form::Connection => {}
                Form::Request => {
                    let begin = scheme.credentials.accept(&self.request(connection, Some(http.clone())));
                    let step = begin
                        .map_err(Failure::from)
                        .and_then(|mut handshake| handshake.accept_security_context(&[]));
                    match step {
                        Ok(Step::Continue { token, .. }) => headers.extend(self.lines(scheme, &token)),
                        Ok(other) => {
                            error!(scheme = scheme.name, step = ?other, "the package has no challenge")
                        }
                        Err(failure) => {
                            error!(scheme = scheme.name, error = %failure.error, "the package has no challenge")
                        }
                    }
                }
            }
        }
        headers
    }

    /// A field of a scheme.
    fn field(&self, scheme: &Scheme, rest: &[u8]) -> Option<(HeaderName, HeaderValue)> {
        header::value(scheme.name, rest).map(|value| (self.place.challenge(), value))
    }

    /// A field for each line of a token.
    fn lines(&self, scheme: &Scheme, token: &[u8]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in token.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            if let Some((name, value)) = self.field(scheme, line) {
                headers.append(name, value);
            }
        }
        headers
    }
}

/// How a message was taken.
enum Stepped {
    Continue(Vec<u8>),
    Complete { known: Authenticated, token: Vec<u8> },
}

/// Says that the connection stays authenticated.
const PERSISTENT: (HeaderName, HeaderValue) =
    (HeaderName::from_static("persistent-auth"), HeaderValue::from_static("true"));
