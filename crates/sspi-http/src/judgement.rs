//! Who sends a request: what a layer makes of what a request says of its sender.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, Version};
use http_body::Body;
use http_body_util::{Either, Full};
use sspi_core::{
    AcceptRequest, AcceptSecurityContext, AscReq, Clock, EntityBody, Error, Failure, Fault, HttpEntity,
    HttpRequest, SecStatus, Step,
};
use sspi_tokio::Answers;
use tracing::{debug, error, warn};

use crate::bodies::{Held, NotHeld, Room, collect, hold};
use crate::connection::UnderWay;
use crate::header::{self, Challenge, Place};
use crate::scheme::Form;
use crate::service::{RequestBody, ResponseBody};
use crate::{Attempt, Authenticated, HttpConnection, Scheme};

/// On what terms a layer lets requests through.
#[derive(Clone)]
pub(crate) struct Terms {
    /// Tells the layers apart.
    pub(crate) layer: u64,
    pub(crate) schemes: Vec<Scheme>,
    pub(crate) place: Place,
    pub(crate) required: bool,
    pub(crate) answers: Arc<dyn Answers>,
    pub(crate) deadline: Duration,
    pub(crate) longest_body: usize,
    /// What bodies may take together that are read before anything is known of who sends them.
    pub(crate) room: Room,
    /// A proxy that sends requests keeps a connection for each of its clients.
    pub(crate) keeps_apart: bool,
    pub(crate) report: Report,
    pub(crate) clock: Arc<dyn Clock>,
    /// It was said once that passwords are at stake.
    pub(crate) is_warned: Arc<AtomicBool>,
    /// It was said once that requests come through a proxy.
    pub(crate) is_warned_of_proxies: Arc<AtomicBool>,
}

type Report = Arc<dyn Fn(&Attempt<'_>) + Send + Sync>;

/// The longest token in a header field, in bytes: a Kerberos ticket with many groups has a tenth of it.
const LONGEST_TOKEN: usize = 64 << 10;

/// The target as it was in the request line, or in the field `:path` of HTTP/2: what clients prove. A router of axum that has
/// taken a part of it off for its services knows what it was.
///
/// Spec: DIGEST (RFC 7616) section 3.4; HTTPAUTH section 7.1.
pub(crate) fn target_of(parts: &Parts) -> String {
    let uri = &parts.uri;
    #[cfg(feature = "axum")]
    let uri = parts.extensions.get::<axum::extract::OriginalUri>().map_or(uri, |original| &original.0);
    match uri.path_and_query() {
        // There, every target but that of CONNECT comes with the scheme and the host, which stand in fields of their own.
        Some(path) if parts.version >= Version::HTTP_2 => path.as_str().to_owned(),
        _ => uri.to_string(),
    }
}

/// An answer of the layer itself.
pub(crate) fn own<R>(status: StatusCode, text: &'static str) -> Response<ResponseBody<R>> {
    let mut response = Response::new(Either::Right(Full::from(text)));
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, plain);
    response
}

/// What becomes of a request.
pub(crate) enum Verdict {
    Refuse { status: StatusCode, headers: HeaderMap, text: &'static str },
    Pass { known: Option<Arc<Authenticated>>, headers: Vec<(HeaderName, HeaderValue)>, proof: Option<Proof> },
}

/// What a server still owes a client that was authenticated for one request: the proof that it knows the secret, over the
/// response.
pub(crate) struct Proof {
    handshake: Box<dyn AcceptSecurityContext>,
    token: Vec<u8>,
    entity: HttpEntity,
    is_over_body: bool,
    /// The handshake has the request's body as long as this lasts.
    _body: Held,
}

impl Proof {
    pub(crate) async fn add_to<R>(mut self, response: Response<R>, terms: &Terms) -> Response<ResponseBody<R>>
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
            let body = Held::of(body);
            self.entity.set(EntityBody::Shared(Arc::clone(&body.bytes)));
            let response = Response::from_parts(parts, Either::Right(Full::from(body.to_bytes())));
            if let Err(error) = self.handshake.complete_auth_token(&mut self.token) {
                debug!(%error, "the response goes out without proof");
                return response;
            }
            response
        } else {
            response.map(Either::Left)
        };
        if let Ok(mut value) = HeaderValue::from_bytes(&self.token)
            && !self.token.is_empty()
        {
            value.set_sensitive(true);
            response.headers_mut().insert(terms.place.info(), value);
        }
        response
    }
}

impl Terms {
    /// Who sends a request. The body comes back where it was not read, or whole.
    pub(crate) async fn judge<B>(
        &self,
        connection: &HttpConnection,
        parts: &Parts,
        body: B,
    ) -> (Verdict, Option<RequestBody<B>>)
    where
        B: Body<Data = Bytes>,
    {
        let is_http1 = parts.version < Version::HTTP_2;
        self.note_proxy(connection, parts);
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

    /// Whether what follows on a connection is of whoever authenticated it: not where a proxy has been seen on it, which may
    /// send the requests of others over the same one.
    fn is_kept(&self, connection: &HttpConnection) -> bool {
        self.keeps_apart || !connection.is_of_proxy()
    }

    /// Notes that a request came through a proxy, if it did.
    fn note_proxy(&self, connection: &HttpConnection, parts: &Parts) {
        if !header::is_forwarded(&parts.headers) || self.keeps_apart {
            return;
        }
        connection.is_seen_of_proxy();
        let has_bound = self.schemes.iter().any(|scheme| scheme.form == Form::Connection);
        if has_bound && !self.is_warned_of_proxies.swap(true, Ordering::Relaxed) {
            warn!(
                "requests come through a proxy, which may send those of others over the same connection: each is authenticated \
                 by itself; AuthLayer::behind_pinning_proxy is for proxies that keep a connection for each of their clients"
            );
        }
    }

    /// A request that says nothing of its sender.
    fn judge_silent(&self, connection: &HttpConnection, http: &HttpRequest, is_http1: bool) -> Verdict {
        match (is_http1 && self.is_kept(connection))
            .then(|| connection.known(self.layer, self.clock.now()))
            .flatten()
        {
            Some(known) => Verdict::Pass { known: Some(known), headers: vec![PERSISTENT], proof: None },
            None if !self.required => Verdict::Pass { known: None, headers: Vec::new(), proof: None },
            None => self.challenge(connection, http, is_http1),
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
        let before = connection.take(self.layer, scheme.name);
        let began = before.as_ref().map_or_else(|| self.clock.now(), |before| before.began);
        let token =
            Some(said.rest.as_str()).filter(|rest| rest.len() <= LONGEST_TOKEN).and_then(header::decode);
        let stepped = match token {
            None => Err(Failure::silent(Error::new(
                SecStatus::SEC_E_INVALID_TOKEN,
                Fault::Decode,
                "the token in the header field is not base64, or too long",
            ))),
            Some(token) => {
                let fresh = || scheme.credentials.accept(&self.request(connection, None));
                match before.map_or_else(fresh, |before| Ok(before.handshake)) {
                    Ok(handshake) => self.step(scheme.name, handshake, &token).await,
                    Err(error) => Err(error.into()),
                }
            }
        };
        match stepped {
            Ok((_, Stepped::Incomplete)) => {
                self.report(connection, scheme, began, Err(&not_whole()));
                self.challenge(connection, http, true)
            }
            Ok((handshake, Stepped::Continue(token))) => {
                connection.waits(self.layer, scheme.name, UnderWay { handshake, began }, self.deadline);
                let mut headers = HeaderMap::new();
                headers.extend(self.field(scheme, header::encode(&token).as_bytes()));
                self.refuse(headers)
            }
            Ok((_, Stepped::Complete { known, token })) => {
                let known = Arc::new(known);
                self.report(connection, scheme, began, Ok(&known));
                let mut headers = Vec::new();
                if self.is_kept(connection) {
                    connection.is_done(self.layer, Arc::clone(&known));
                    headers.push(PERSISTENT);
                }
                if !token.is_empty() {
                    headers.extend(self.field(scheme, header::encode(&token).as_bytes()));
                }
                Verdict::Pass { known: Some(known), headers, proof: None }
            }
            Err(failure) => {
                self.report(connection, scheme, began, Err(&failure.error));
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
        http: HttpRequest,
        is_http1: bool,
        body: B,
    ) -> (Verdict, Option<RequestBody<B>>)
    where
        B: Body<Data = Bytes>,
    {
        let began = self.clock.now();
        let is_over_body = header::protects_bodies(&said.rest);
        let token = said.rest.as_bytes();
        let stepped = match scheme.credentials.accept(&self.request(connection, Some(http.clone()))) {
            Ok(_) if said.rest.len() > LONGEST_TOKEN => Err(Failure::silent(Error::new(
                SecStatus::SEC_E_INVALID_TOKEN,
                Fault::Decode,
                "the header field is too long",
            ))),
            Ok(handshake) => self.step(scheme.name, handshake, token).await,
            Err(error) => Err(error.into()),
        };
        let (stepped, held, body) = match stepped {
            // What can be said without the body was said.
            Ok((handshake, Stepped::Incomplete)) => match self.read(body).await {
                Ok(held) => {
                    http.entity.set(EntityBody::Shared(Arc::clone(&held.bytes)));
                    let body = Either::Right(Full::from(held.to_bytes()));
                    (self.step(scheme.name, handshake, token).await, held, body)
                }
                Err(verdict) => return (verdict, None),
            },
            stepped => (stepped, Held::default(), Either::Left(body)),
        };
        let verdict = match stepped {
            Ok((handshake, Stepped::Complete { known, token })) => {
                self.report(connection, scheme, began, Ok(&known));
                let entity = http.response_entity.clone();
                let proof = Proof { handshake, token, entity, is_over_body, _body: held };
                Verdict::Pass { known: Some(Arc::new(known)), headers: Vec::new(), proof: Some(proof) }
            }
            Ok((_, Stepped::Continue(lines))) => self.refuse(self.lines(scheme, &lines)),
            Ok((_, Stepped::Incomplete)) => {
                self.report(connection, scheme, began, Err(&not_whole()));
                self.challenge(connection, &http, is_http1)
            }
            Err(failure) => {
                self.report(connection, scheme, began, Err(&failure.error));
                if failure.token.is_empty() {
                    self.challenge(connection, &http, is_http1)
                } else {
                    self.refuse(self.lines(scheme, &failure.token))
                }
            }
        };
        (verdict, Some(body))
    }

    /// Reads a body that somebody has proved something about.
    async fn read<B>(&self, body: B) -> Result<Held, Verdict>
    where
        B: Body<Data = Bytes>,
    {
        let holding = hold(body, self.longest_body, &self.room);
        let refuse = |status, text| Verdict::Refuse { status, headers: HeaderMap::new(), text };
        let not_held = match tokio::time::timeout(self.deadline, holding).await {
            Ok(Ok(held)) => return Ok(held),
            Ok(Err(not_held)) => not_held,
            Err(_) => return Err(refuse(StatusCode::REQUEST_TIMEOUT, "the body does not come\n")),
        };
        debug!(?not_held, "the body of a request is not read");
        Err(match not_held {
            NotHeld::TooLong => {
                refuse(StatusCode::PAYLOAD_TOO_LARGE, "the body is too long to be protected\n")
            }
            NotHeld::BrokenOff => refuse(StatusCode::BAD_REQUEST, "the body broke off\n"),
            NotHeld::NoRoom => {
                let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static("1"))]);
                let text = "there are too many bodies to be checked at once\n";
                Verdict::Refuse { status: StatusCode::SERVICE_UNAVAILABLE, headers, text }
            }
        })
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
                Step::Incomplete { .. } => Ok((handshake, Stepped::Incomplete)),
                Step::Data { .. } | Step::Declined { .. } => Err(unexpected("there is no context yet")),
            };
        }
    }

    fn request(&self, connection: &HttpConnection, http: Option<HttpRequest>) -> AcceptRequest {
        let flags = AscReq::EXTENDED_ERROR | AscReq::CONNECTION;
        // What clients are bound to is TLS that ends in front, of which nobody here knows more.
        let has_proxy = connection.is_in_tls() && connection.bindings().is_none();
        AcceptRequest {
            flags: if has_proxy { flags | AscReq::PROXY_BINDINGS } else { flags },
            channel_bindings: connection.bindings().cloned(),
            source: connection.source().map(str::to_owned),
            http,
            ..AcceptRequest::default()
        }
    }

    fn report(
        &self,
        connection: &HttpConnection,
        scheme: &Scheme,
        began: SystemTime,
        result: Result<&Authenticated, &Error>,
    ) {
        if let Ok(known) = result {
            self.warn_in_the_clear(connection, known);
        }
        let took = self.clock.now().duration_since(began).unwrap_or_default();
        (self.report)(&Attempt { source: connection.source(), scheme: scheme.name, took, result });
    }

    /// Says once that somebody has proved a password where everybody can listen.
    fn warn_in_the_clear(&self, connection: &HttpConnection, known: &Authenticated) {
        let setting = match &*known.attributes.package_info().name {
            "NTLM" => "ntlm.channel-bindings",
            "WDigest" => "digest.channel-bindings",
            _ => return,
        };
        if !connection.is_in_tls() && !self.is_warned.swap(true, Ordering::Relaxed) {
            warn!(
                scheme = known.scheme,
                setting,
                "a password was proved over HTTP without TLS: whoever listens can try passwords at leisure, and take over what \
                 is not protected; with \"always\", only clients that come through TLS are let in"
            );
        }
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
    pub(crate) fn offer(&self, connection: &HttpConnection, http: &HttpRequest, is_http1: bool) -> HeaderMap {
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

fn not_whole() -> Error {
    Error::new(SecStatus::SEC_E_INVALID_TOKEN, Fault::Decode, "the token in the header field is not whole")
}

/// How a message was taken.
enum Stepped {
    Continue(Vec<u8>),
    /// The token is not whole, or the body is wanted that it is about.
    Incomplete,
    Complete {
        known: Authenticated,
        token: Vec<u8>,
    },
}

/// Says that the connection stays authenticated.
const PERSISTENT: (HeaderName, HeaderValue) =
    (HeaderName::from_static("persistent-auth"), HeaderValue::from_static("true"));
