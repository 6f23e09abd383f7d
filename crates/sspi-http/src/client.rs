//! A client: the loop over one connection.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http::header::HOST;
use http::request::Parts;
use http::uri::Authority;
use http::{HeaderValue, Request, Response};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use sspi_core::{
    ChannelBindings, EntityBody, HttpEntity, HttpRequest, InitializeRequest, InitializeSecurityContext,
    IscReq, QueryContextAttributes, Step,
};
use sspi_tokio::{Answers, NoAnswers};

use crate::bodies::{Held, collect};
use crate::header::{self, Challenge, Place};
use crate::scheme::{Form, NEGOTIATE};
use crate::{Error, ResponseBody, Scheme};

/// A connection of hyper on which requests are authenticated when the server asks for it.
///
/// Requests are whole, since they are sent again after a challenge. Each must have the fields that HTTP/1.1 wants of it (`Host`)
/// and the target in the form in which it is to be sent.
///
/// ```
/// # async fn example(
/// #     io: impl hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
/// #     ntlm: std::sync::Arc<dyn sspi_core::CredentialsHandle>,
/// # ) -> Result<(), sspi_http::Error> {
/// use sspi_http::{Client, Scheme};
///
/// let (sender, connection) = hyper::client::conn::http1::handshake(io).await?;
/// tokio::spawn(connection);
/// let mut client = Client::new(sender, "www.example.com", [Scheme::ntlm(ntlm)]);
/// let request = http::Request::get("/").header("host", "www.example.com").body(bytes::Bytes::new());
/// let response = client.send(request.unwrap_or_default()).await?;
/// # drop(response);
/// # Ok(())
/// # }
/// ```
pub struct Client {
    sender: SendRequest<Full<Bytes>>,
    schemes: Vec<Scheme>,
    target: String,
    place: Place,
    bindings: Option<ChannelBindings>,
    answers: Arc<dyn Answers>,
    longest_body: usize,
    requires_proof: bool,
    last: Option<(&'static str, Arc<dyn QueryContextAttributes>)>,
    /// Tells connections apart.
    number: u64,
}

/// The longest body of a response that is read whole, where Digest protects it with `auth-int`.
const LONGEST_BODY: usize = 64 << 20;
/// The longest body of a response that is read past, to send the next request over the same connection.
const LONGEST_CHALLENGE: usize = 1 << 20;
/// So many messages of one exchange are sent at most.
const MOST_MESSAGES: usize = 8;

static NUMBERS: AtomicU64 = AtomicU64::new(0);

impl Client {
    /// A client of `host`, which knows these schemes and prefers them in this order.
    #[must_use]
    pub fn new(
        sender: SendRequest<Full<Bytes>>,
        host: impl AsRef<str>,
        schemes: impl IntoIterator<Item = Scheme>,
    ) -> Self {
        Self {
            sender,
            schemes: schemes.into_iter().collect(),
            target: format!("HTTP/{}", host.as_ref()),
            place: Place::Server,
            bindings: None,
            answers: Arc::new(NoAnswers),
            longest_body: LONGEST_BODY,
            requires_proof: false,
            last: None,
            number: NUMBERS.fetch_add(1, Ordering::Relaxed),
        }
    }

    /// To a proxy, rather than to the server behind it: status 407 is answered, and 401 is passed on.
    #[must_use]
    pub fn to_proxy(self) -> Self {
        Self { place: Place::Proxy, ..self }
    }

    /// The channel that the connection is in, where it is TLS.
    #[must_use]
    pub fn with_channel_bindings(self, bindings: ChannelBindings) -> Self {
        Self { bindings: Some(bindings), ..self }
    }

    /// Who answers what the packages ask.
    #[must_use]
    pub fn with_answers(self, answers: Arc<dyn Answers>) -> Self {
        Self { answers, ..self }
    }

    /// Refuses servers that do not prove with Digest that they know the secret. They may leave that out, and some do. Otherwise
    /// they are taken where no body is protected, and the flags of [`authenticated`](Self::authenticated) are without
    /// `MUTUAL_AUTH`; a proof that comes is checked, and Negotiate always has one.
    ///
    /// Spec: DIGEST (RFC 7616) section 3.5.
    #[must_use]
    pub fn require_proof(self) -> Self {
        Self { requires_proof: true, ..self }
    }

    /// The scheme of the last authentication that was complete, and what was negotiated.
    #[must_use]
    pub fn authenticated(&self) -> Option<(&'static str, &Arc<dyn QueryContextAttributes>)> {
        self.last.as_ref().map(|(scheme, attributes)| (*scheme, attributes))
    }

    /// The connection, for whoever goes on without this.
    #[must_use]
    pub fn into_inner(self) -> SendRequest<Full<Bytes>> {
        self.sender
    }

    /// Sends a request, and again with what the server asks for; the response of the server, once it asks no more.
    ///
    /// # Errors
    /// [`Error::NoSchemeInCommon`], [`Error::Refused`] where the server asks again after it was told, what the package has to say, and
    /// what becomes of the connection.
    pub async fn send(&mut self, request: Request<Bytes>) -> Result<Response<ResponseBody<Incoming>>, Error> {
        let (parts, body) = request.into_parts();
        // Somebody may be known by a nonce of before.
        let response = match self.known(&parts, &body).await? {
            Some((exchange, response)) => match self.finish(exchange, response).await? {
                Ended::Answered(response) => return Ok(response),
                Ended::AskedAgain(response) => response,
            },
            None => self.dispatch(again(&parts, body.clone(), None)).await?,
        };
        // Whoever has nothing to say is told what is asked for.
        if response.status() != self.place.status() || self.schemes.is_empty() {
            return Ok(response.map(Either::Left));
        }
        let challenges = header::challenges(response.headers(), self.place);
        let (scheme, offered) = self.choose(&challenges)?;
        let _too_long = collect(response.into_body(), LONGEST_CHALLENGE).await;
        self.log_on(&scheme, offered, &parts, &body).await
    }

    /// The first scheme of ours that the server offers, and what it says to it.
    fn choose(&self, challenges: &[Challenge]) -> Result<(Scheme, Vec<String>), Error> {
        for scheme in &self.schemes {
            let of_it = challenges.iter().filter(|challenge| scheme.is(&challenge.scheme));
            let rests: Vec<String> = of_it.map(|challenge| challenge.rest.clone()).collect();
            if !rests.is_empty() {
                return Ok((scheme.clone(), rests));
            }
        }
        Err(Error::NoSchemeInCommon {
            offered: challenges.iter().map(|challenge| challenge.scheme.clone()).collect(),
            configured: self.schemes.iter().map(Scheme::name).collect(),
        })
    }

    async fn dispatch(&mut self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, Error> {
        self.sender.ready().await?;
        Ok(self.sender.send_request(request).await?)
    }

    fn begin(
        &self,
        scheme: &Scheme,
        http: Option<HttpRequest>,
    ) -> Result<Box<dyn InitializeSecurityContext>, Error> {
        let flags = IscReq::MUTUAL_AUTH | IscReq::CONNECTION;
        // Nobody proves anything back in NTLM.
        let flags = if scheme.name == "NTLM" { IscReq::CONNECTION } else { flags };
        Ok(scheme.credentials.initialize(&InitializeRequest {
            target_name: Some(self.target.clone()),
            flags,
            channel_bindings: self.bindings.clone(),
            http,
            ..InitializeRequest::default()
        })?)
    }

    /// What a request is to a package. Whom a nonce is sent to that nobody has asked for, the package decides by the protection
    /// space: the server at this port, through a channel with these bindings, or over this connection where nobody knows by
    /// what to tell its end from another.
    ///
    /// Spec: HTTPAUTH section 11.5.
    fn http_request(&self, parts: &Parts, body: &Bytes) -> HttpRequest {
        let host = parts.headers.get(HOST).and_then(|host| host.to_str().ok());
        let host = host.or_else(|| parts.uri.authority().map(Authority::as_str)).unwrap_or_default();
        let space = match (self.place, &self.bindings) {
            (Place::Server, Some(_)) => format!("https://{host}"),
            (Place::Server, None) => format!("{host}, connection {}", self.number),
            (Place::Proxy, Some(_)) => "a proxy".to_owned(),
            (Place::Proxy, None) => format!("a proxy, connection {}", self.number),
        };
        let http = HttpRequest::new(parts.method.as_str(), parts.uri.to_string());
        HttpRequest { protection_space: Some(space), ..http }.with_entity(body.to_vec())
    }

    /// Lets a handshake take one message, and answers what it asks.
    async fn step(
        &self,
        handshake: &mut dyn InitializeSecurityContext,
        input: &[u8],
    ) -> Result<Stepped, Error> {
        loop {
            match handshake.initialize_security_context(input).map_err(|failure| failure.error)? {
                Step::Ask(question) => sspi_tokio::answer(Arc::clone(&self.answers), question).await?,
                Step::Continue { token, .. } => return Ok(Stepped { token, attributes: None }),
                Step::Complete { context, token, .. } => {
                    return Ok(Stepped { token, attributes: Some(context.attributes()) });
                }
                Step::Incomplete { .. } | Step::Data { .. } | Step::Declined { .. } => {
                    return Err(Error::Protocol { scheme: "HTTP", what: "the server's token is not whole" });
                }
            }
        }
    }

    /// What is sent at once by who has logged on before, with a scheme that authenticates requests.
    async fn known(
        &mut self,
        parts: &Parts,
        body: &Bytes,
    ) -> Result<Option<(Exchange, Response<Incoming>)>, Error> {
        let Some(scheme) = self.schemes.iter().find(|scheme| scheme.form == Form::Request).cloned() else {
            return Ok(None);
        };
        let http = self.http_request(parts, body);
        let entity = http.response_entity.clone();
        let mut handshake = self.begin(&scheme, Some(http))?;
        let stepped = self.step(&mut *handshake, &[]).await?;
        if stepped.token.is_empty() {
            return Ok(None);
        }
        let value = header::value(scheme.name, &stepped.token);
        let is_over_body = header::protects_bodies(&String::from_utf8_lossy(&stepped.token));
        let response =
            self.dispatch(again(parts, body.clone(), value.map(|value| (self.place, value)))).await?;
        let attributes = stepped.attributes;
        Ok(Some((Exchange { scheme, handshake, entity, is_over_body, attributes }, response)))
    }

    /// Logs on, with a scheme that the server offers.
    async fn log_on(
        &mut self,
        scheme: &Scheme,
        offered: Vec<String>,
        parts: &Parts,
        body: &Bytes,
    ) -> Result<Response<ResponseBody<Incoming>>, Error> {
        let http = (scheme.form == Form::Request).then(|| self.http_request(parts, body));
        let entity = http.as_ref().map_or_else(HttpEntity::later, |http| http.response_entity.clone());
        let mut handshake = self.begin(scheme, http)?;
        let mut input = match scheme.form {
            Form::Request => offered.join("\n").into_bytes(),
            Form::Connection => Vec::new(),
        };
        for _ in 0..MOST_MESSAGES {
            let Stepped { token, attributes } = self.step(&mut *handshake, &input).await?;
            let rest = match scheme.form {
                Form::Connection => header::encode(&token).into_bytes(),
                Form::Request => token,
            };
            // The first message of an exchange is answered with a challenge whatever comes with it.
            let is_first = scheme.form == Form::Connection && input.is_empty();
            let sent = if is_first && attributes.is_none() { Bytes::new() } else { body.clone() };
            let value = header::value(scheme.name, &rest).ok_or(Error::Protocol {
                scheme: scheme.name,
                what: "the package's token has no place in a field",
            })?;
            let is_over_body =
                scheme.form == Form::Request && header::protects_bodies(&String::from_utf8_lossy(&rest));
            let response = self.dispatch(again(parts, sent, Some((self.place, value)))).await?;
            if is_first && attributes.is_none() && response.status() != self.place.status() {
                // It did not want to know after all. What it did, it did without the body.
                let status = response.status();
                return if body.is_empty() {
                    Ok(response.map(Either::Left))
                } else {
                    Err(Error::AnsweredEarly { scheme: scheme.name, status })
                };
            }
            if response.status() != self.place.status() || scheme.form == Form::Request {
                let exchange =
                    Exchange { scheme: scheme.clone(), handshake, entity, is_over_body, attributes };
                return match self.finish(exchange, response).await? {
                    Ended::Answered(response) => Ok(response),
                    Ended::AskedAgain(response) => Err(self.refused(scheme, &response, None)),
                };
            }
            let challenges = header::challenges(response.headers(), self.place);
            let answer = challenges
                .iter()
                .find(|challenge| scheme.is(&challenge.scheme) && !challenge.rest.is_empty());
            let answer = answer.and_then(|challenge| header::decode(&challenge.rest));
            let Some(answer) = answer.filter(|_| attributes.is_none()) else {
                let reason = (scheme.name == NEGOTIATE).then(|| reason(&mut *handshake)).flatten();
                return Err(self.refused(scheme, &response, reason));
            };
            let _too_long = collect(response.into_body(), LONGEST_CHALLENGE).await;
            input = answer;
        }
        Err(Error::Protocol { scheme: scheme.name, what: "the exchange does not come to an end" })
    }

    /// The server asks once more, and has nothing to say to what was sent.
    fn refused(
        &self,
        scheme: &Scheme,
        response: &Response<Incoming>,
        reason: Option<sspi_core::Error>,
    ) -> Error {
        let challenges = header::challenges(response.headers(), self.place);
        let mut offered: Vec<String> = challenges.into_iter().map(|challenge| challenge.scheme).collect();
        offered.retain(|name| !scheme.is(name));
        offered.dedup();
        Error::Refused { scheme: scheme.name, status: response.status(), offered, reason }
    }

    /// Takes the last word of the server, that stands in a response which asks no more.
    async fn finish(&mut self, mut exchange: Exchange, response: Response<Incoming>) -> Result<Ended, Error> {
        let scheme = exchange.scheme.name;
        if response.status() == self.place.status() {
            return Ok(Ended::AskedAgain(response));
        }
        let response = match exchange.attributes.take() {
            Some(attributes) => {
                self.last = Some((scheme, attributes));
                response.map(Either::Left)
            }
            None => self.prove(exchange, response).await?,
        };
        Ok(Ended::Answered(response))
    }

    /// Checks the proof that the server owes.
    async fn prove(
        &mut self,
        mut exchange: Exchange,
        response: Response<Incoming>,
    ) -> Result<Response<ResponseBody<Incoming>>, Error> {
        let scheme = exchange.scheme.name;
        let input = match exchange.scheme.form {
            Form::Connection => {
                let challenges = header::challenges(response.headers(), self.place);
                let word = challenges.into_iter().find(|challenge| exchange.scheme.is(&challenge.scheme));
                word.and_then(|word| header::decode(&word.rest))
            }
            Form::Request => response.headers().get(self.place.info()).map(|value| value.as_bytes().to_vec()),
        };
        let may_lack =
            exchange.scheme.form == Form::Request && !exchange.is_over_body && !self.requires_proof;
        let input = input.filter(|info| !may_lack || header::has_proof(&String::from_utf8_lossy(info)));
        let Some(input) = input.or_else(|| may_lack.then(Vec::new)) else {
            return Err(Error::Protocol {
                scheme,
                what: "the server does not prove that it knows the secret",
            });
        };
        let response = if exchange.is_over_body {
            let (parts, body) = response.into_parts();
            let too_long =
                Error::Protocol { scheme, what: "the protected response broke off, or is too long" };
            let body = collect(body, self.longest_body).await.ok_or(too_long)?;
            let body = Held::of(body);
            exchange.entity.set(EntityBody::Shared(Arc::clone(&body.bytes)));
            Response::from_parts(parts, Either::Right(Full::from(body.to_bytes())))
        } else {
            response.map(Either::Left)
        };
        let stepped = self.step(&mut *exchange.handshake, &input).await?;
        match stepped.attributes {
            Some(attributes) => self.last = Some((scheme, attributes)),
            None => {
                return Err(Error::Protocol {
                    scheme,
                    what: "the server answered before the exchange was over",
                });
            }
        }
        Ok(response)
    }
}

/// The word of SPNEGO for what HTTP says by asking once more, without a token: `NegTokenResp` with `negState` `reject`.
///
/// Spec: SPNEGO section 4.2.2.
const REJECT: [u8; 9] = [0xa1, 7, 0x30, 5, 0xa0, 3, 0x0a, 1, 2];

/// What Negotiate makes of it that the server rejects what was sent: it knows what was offered to it.
fn reason(handshake: &mut dyn InitializeSecurityContext) -> Option<sspi_core::Error> {
    handshake.initialize_security_context(&REJECT).err().map(|failure| failure.error)
}

/// An exchange whose last message the client has sent.
struct Exchange {
    scheme: Scheme,
    handshake: Box<dyn InitializeSecurityContext>,
    /// Where the response's body is put, and whether the server's proof is over it.
    entity: HttpEntity,
    is_over_body: bool,
    /// It is complete without another word of the server.
    attributes: Option<Arc<dyn QueryContextAttributes>>,
}

struct Stepped {
    token: Vec<u8>,
    attributes: Option<Arc<dyn QueryContextAttributes>>,
}

enum Ended {
    Answered(Response<ResponseBody<Incoming>>),
    AskedAgain(Response<Incoming>),
}

/// The request once more.
fn again(parts: &Parts, body: Bytes, credentials: Option<(Place, HeaderValue)>) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::from(body));
    *request.method_mut() = parts.method.clone();
    *request.uri_mut() = parts.uri.clone();
    *request.version_mut() = parts.version;
    *request.headers_mut() = parts.headers.clone();
    request.headers_mut().remove(http::header::CONTENT_LENGTH);
    if let Some((place, value)) = credentials {
        request.headers_mut().insert(place.credentials(), value);
    }
    request
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("target", &self.target)
            .field("schemes", &self.schemes)
            .finish_non_exhaustive()
    }
}
