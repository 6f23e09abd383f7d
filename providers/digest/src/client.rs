//! A handshake in the client's role.
//!
//! ```text
//! client                          server
//!                       ◀──       challenge          (SASL: or a response with the nonce of an earlier handshake, first)
//! response              ──▶
//!                       ◀──       the server's proof (or, to a nonce that is too old, another challenge)
//! ```
//!
//! Spec: DIGEST (RFC 2831) sections 2.1 and 2.2; DIGEST (RFC 7616) section 3.6.

use std::sync::Arc;
use std::time::SystemTime;

use crypto::constant_time::ct_eq;
use sspi_core::{
    Failure, HttpEntity, InitializeRequest, InitializeSecurityContext, IscReq, SecStatus, Secret, Step,
};
use zeroize::Zeroizing;

use crate::algorithm::{Algorithm, Cipher, Qop, joined};
use crate::attributes::{Attributes, Negotiated};
use crate::bindings::client_nonce;
use crate::challenge::{Challenge, DEFAULT_MAXBUF, Dialect};
use crate::context;
use crate::credentials::{Begun, Identity, Session, SessionTarget, Shared};
use crate::directives::{Bounds, DecodeError, Directives, is_quotable};
use crate::proof::{AUTHENTICATE, Inputs, base, entity_hash, user_hash};
use crate::response::{AuthenticationInfo, NonceCount, Response, Username};
use crate::status::Error;
use crate::text::{Text, latin1, latin1_or_utf8};

/// A client's handshake.
pub(crate) struct Client {
    shared: Arc<Shared>,
    request: InitializeRequest,
    dialect: Dialect,
    start: SystemTime,
    state: State,
    /// What the last response was made of, for `CompleteAuthToken`.
    sent: Option<Sent>,
}

enum State {
    Begin,
    ExpectChallenge,
    ExpectVerdict,
    Over(sspi_core::Error),
}

/// A response, and what belongs to it.
struct Sent {
    response: Response,
    /// H(A1).
    key: Zeroizing<Vec<u8>>,
    /// What the server takes.
    peer_maxbuf: u32,
    realm: Text,
    /// The nonce is one of an earlier handshake.
    is_again: bool,
    /// It answers a challenge that says that the nonce before was too old.
    is_after_stale: bool,
}

impl Client {
    pub(crate) fn new(shared: &Arc<Shared>, request: &InitializeRequest) -> Result<Self, sspi_core::Error> {
        if shared.identity.is_none() {
            return Err(Error::NoCredentials("the credential is a server's").into());
        }
        let dialect = shared.dialect(request.http.as_ref())?;
        if dialect == Dialect::Sasl && request.target_name.as_deref().unwrap_or_default().is_empty() {
            let what = "a client of DIGEST-MD5 says which service it means";
            let error =
                sspi_core::Error::new(SecStatus::SEC_E_TARGET_UNKNOWN, sspi_core::Fault::ApiMisuse, what);
            return Err(error);
        }
        Ok(Self {
            shared: Arc::clone(shared),
            request: request.clone(),
            dialect,
            start: shared.environment.clock.now(),
            state: State::Begin,
            sent: None,
        })
    }

    fn step(&mut self, input: &[u8]) -> Result<Step, Error> {
        match self.state {
            State::Begin if input.is_empty() => self.begin(),
            State::Begin | State::ExpectChallenge if !input.is_empty() => self.answer(input),
            State::ExpectVerdict if !input.is_empty() => self.take_verdict(input),
            State::ExpectVerdict => self.take_silence(),
            _ => Ok(Step::Incomplete { missing: None }),
        }
    }

    /// The nonce of an earlier handshake serves, if there is one; otherwise the server begins.
    fn begin(&mut self) -> Result<Step, Error> {
        // One with less protection than is asked for now does not: the server may have more.
        let serves = |challenge: &Challenge| self.protection(challenge).is_ok();
        let session = self.target().and_then(|target| self.shared.sessions.next(&target, serves));
        let Some(Session { challenge, count, begun }) = session else {
            self.state = State::ExpectChallenge;
            return Ok(Step::Continue { token: Vec::new(), used: 0 });
        };
        let sent = self.respond(&challenge, count, begun)?;
        self.send(Sent { is_again: true, ..sent }, 0)
    }

    /// Under which name the session is kept, if it is.
    fn target(&self) -> Option<SessionTarget> {
        let is_http = self.dialect == Dialect::Http;
        let name = self.request.target_name.clone()?;
        let bindings = self.request.channel_bindings.clone();
        let is_kept = is_http || self.shared.config.reauthentication;
        let space = self.request.http.as_ref().and_then(|http| http.protection_space.clone());
        is_kept.then_some(SessionTarget { name, space, is_http, bindings })
    }

    fn answer(&mut self, input: &[u8]) -> Result<Step, Error> {
        let challenge = self.choose(input)?;
        self.answer_challenge(&challenge, input.len())
    }

    fn answer_challenge(&mut self, challenge: &Challenge, used: usize) -> Result<Step, Error> {
        let sent = self.respond(challenge, 1, None)?;
        // Requests of HTTP go side by side: the next one may come before this one was answered.
        if self.dialect == Dialect::Http {
            self.remember(challenge, &sent.response);
        }
        self.send(Sent { is_after_stale: challenge.is_stale, ..sent }, used)
    }

    fn remember(&self, challenge: &Challenge, response: &Response) {
        if let Some(target) = self.target() {
            let challenge = Challenge { is_stale: false, ..challenge.clone() };
            let cnonce = response.cnonce.clone().filter(|_| response.algorithm.is_session);
            let begun = cnonce.map(|cnonce| Begun { nonce: response.nonce.clone(), cnonce });
            self.shared.sessions.put(&target, Session { challenge, count: 1, begun });
        }
    }

    /// The challenge that is answered: of the first algorithm of ours that there is.
    fn choose(&self, input: &[u8]) -> Result<Challenge, Error> {
        let mut offered = match self.dialect {
            Dialect::Sasl => return Ok(Challenge::from_sasl(input)?),
            Dialect::Http => Challenge::from_http(input)?,
        };
        let ours = &self.shared.config.algorithms;
        let rank =
            |challenge: &Challenge| ours.iter().position(|algorithm| *algorithm == challenge.algorithm);
        offered.retain(|challenge| rank(challenge).is_some());
        let chosen = offered.into_iter().min_by_key(rank);
        chosen.ok_or_else(|| Error::NoAlgorithm { ours: joined(ours, ", ") })
    }

    fn send(&mut self, sent: Sent, used: usize) -> Result<Step, Error> {
        let token = match self.dialect {
            Dialect::Http => sent.response.to_http(),
            Dialect::Sasl => sent.response.to_sasl(),
        };
        let wants_proof = self.dialect == Dialect::Sasl || self.request.flags.contains(IscReq::MUTUAL_AUTH);
        if wants_proof {
            (self.sent, self.state) = (Some(sent), State::ExpectVerdict);
            return Ok(Step::Continue { token, used });
        }
        let context = self.context(&sent, false)?;
        self.sent = Some(sent);
        Ok(Step::Complete { context, token, used })
    }

    fn take_verdict(&mut self, input: &[u8]) -> Result<Step, Error> {
        let bounds = if self.dialect == Dialect::Http { Bounds::HTTP } else { Bounds::SASL_CHALLENGE };
        let lists = Directives::parse_challenges(input, bounds)?;
        let sent = self.sent.as_ref().ok_or(Error::Internal("there is a verdict on nothing"))?;
        match &lists[..] {
            [list] if list.find("rspauth").is_some() || list.find("nonce").is_none() => {
                // A proof is one list, and nothing else stands beside it.
                self.check_proof(&AuthenticationInfo::from_list(&Directives::parse(input, bounds)?)?)?;
                let context = self.context(sent, true)?;
                Ok(Step::Complete { context, token: Vec::new(), used: input.len() })
            }
            [] => Err(DecodeError::NoChallenge.into()),
            _ => self.take_refusal(input),
        }
    }

    /// A server of HTTP has let the client in and proves nothing, which is its right where no body is protected. The context says
    /// so by its flags.
    ///
    /// Spec: DIGEST (RFC 7616) section 3.5.
    fn take_silence(&self) -> Result<Step, Error> {
        match &self.sent {
            Some(sent) if self.dialect == Dialect::Http && sent.response.qop != Qop::AuthInt => {
                Ok(Step::Complete { context: self.context(sent, false)?, token: Vec::new(), used: 0 })
            }
            _ => Ok(Step::Incomplete { missing: None }),
        }
    }

    /// Another challenge: the nonce was too old, or the password is wrong.
    fn take_refusal(&mut self, input: &[u8]) -> Result<Step, Error> {
        let Some(sent) = self.sent.take() else {
            return Err(Error::Internal("there is a verdict on nothing"));
        };
        if let Some(target) = self.target() {
            self.shared.sessions.forget(&target, &sent.response.nonce);
        }
        let challenge = self.choose(input)?;
        let is_other = challenge.nonce != sent.response.nonce;
        let may_again = sent.is_again || (self.dialect == Dialect::Http && challenge.is_stale);
        if is_other && may_again && !sent.is_after_stale {
            return self.answer_challenge(&challenge, input.len());
        }
        Err(match self.dialect {
            Dialect::Http => Error::RefusedByServer,
            Dialect::Sasl => Error::Unexpected("the server answers a response with another challenge"),
        })
    }

    fn check_proof(&self, info: &AuthenticationInfo) -> Result<(), Error> {
        let sent = self.sent.as_ref().ok_or(Error::Internal("there is a proof of nothing"))?;
        let Sent { response, key, .. } = sent;
        let rspauth = info.rspauth.as_ref().ok_or(Error::NoServerProof)?;
        let differs = |theirs: &Option<Text>, ours: &Option<Text>| theirs.is_some() && theirs != ours;
        let counts = (&info.nonce_count, &response.nonce_count);
        let other_count = matches!(counts, (Some(theirs), Some(ours)) if theirs.count != ours.count);
        if differs(&info.cnonce, &response.cnonce) || other_count {
            return Err(Error::WrongServerProof);
        }
        let inputs = inputs(self.dialect, response);
        let body = match (&self.request.http, response.qop) {
            (Some(http), Qop::AuthInt) => {
                Some(hash_of_body(&http.response_entity, response.algorithm).ok_or(Error::Misuse(
                    "the response's body must be known before the server's proof is checked",
                ))?)
            }
            _ => None,
        };
        let expected = inputs.proof(key, &inputs.a2("", &response.uri, body.as_deref()));
        if !ct_eq(expected.as_bytes(), rspauth) {
            return Err(Error::WrongServerProof);
        }
        if let (Some(target), Some(next)) = (self.target(), &info.next_nonce) {
            self.shared.sessions.renew(&target, &response.nonce, next.clone());
        }
        Ok(())
    }

    /// Answers a challenge that was answered `count` times with this answer, in the session that was begun with it, if there
    /// is one.
    fn respond(&self, challenge: &Challenge, count: u32, begun: Option<Begun>) -> Result<Sent, Error> {
        let identity = self.shared.identity.as_ref().ok_or(Error::NoCredentials("there is no user"))?;
        let realm = self.realm(challenge, identity)?;
        let (qop, cipher) = self.protection(challenge)?;
        let Names { username, base } = names(self.dialect, challenge, identity, &realm)?;
        let cnonce = self.cnonce(begun.as_ref())?;
        let has_cnonce = qop != Qop::None || challenge.algorithm.is_session;
        let uri = match &self.request.http {
            Some(http) if self.dialect == Dialect::Http => http.uri.clone(),
            _ => self.service(),
        };
        if !is_quotable(uri.as_bytes()) {
            return Err(Error::Misuse("the URI or the target has control characters"));
        }
        let has_layer = self.dialect == Dialect::Sasl && qop >= Qop::AuthInt;
        let mut response = Response {
            username,
            realm: (!challenge.realms.is_empty() || !realm.is_empty()).then(|| realm.clone()),
            nonce: challenge.nonce.clone(),
            cnonce: has_cnonce.then_some(cnonce),
            nonce_count: (qop != Qop::None).then(|| NonceCount::from(count)),
            qop,
            uri: Text::from(uri.as_str()),
            response: Text::default(),
            algorithm: challenge.algorithm,
            opaque: challenge.opaque.clone(),
            is_utf8: self.dialect == Dialect::Sasl && challenge.is_utf8,
            cipher,
            maxbuf: has_layer.then_some(self.shared.config.maxbuf),
            authzid: None,
        };
        let inputs = inputs(self.dialect, &response);
        let key = match &begun {
            Some(Begun { nonce, cnonce }) => Inputs { nonce, cnonce, ..inputs }.key(base.as_ref()),
            None => inputs.key(base.as_ref()),
        };
        response.response = Text::from(self.proof(&response, &key).as_str());
        let peer_maxbuf = challenge.maxbuf.unwrap_or(DEFAULT_MAXBUF);
        Ok(Sent { response, key, peer_maxbuf, realm, is_again: false, is_after_stale: false })
    }

    /// A nonce. One that began a session serves all of it, whose channel is the same: a server that makes a key for each
    /// response gets the same one.
    fn cnonce(&self, begun: Option<&Begun>) -> Result<Text, Error> {
        match begun {
            Some(Begun { cnonce, .. }) => Ok(cnonce.clone()),
            None => {
                let bindings = self.request.channel_bindings.as_ref();
                Ok(client_nonce(&*self.shared.environment.random, bindings)?)
            }
        }
    }

    /// The proof; zeros where the body that it is about is not known yet.
    fn proof(&self, response: &Response, key: &[u8]) -> String {
        let inputs = inputs(self.dialect, response);
        let method = match &self.request.http {
            Some(http) if self.dialect == Dialect::Http => http.method.as_str(),
            _ => AUTHENTICATE,
        };
        let body = match &self.request.http {
            Some(http) if self.dialect == Dialect::Http && response.qop == Qop::AuthInt => {
                match hash_of_body(&http.entity, response.algorithm) {
                    Some(hash) => Some(hash),
                    None => return "0".repeat(2 * response.algorithm.hash.output_len()),
                }
            }
            _ => None,
        };
        inputs.proof(key, &inputs.a2(method, &response.uri, body.as_deref()))
    }

    /// The realm that the configuration names, or the user's domain, or the server's first.
    fn realm(&self, challenge: &Challenge, identity: &Identity) -> Result<Text, Error> {
        let realms = &challenge.realms;
        let find = |name: &str| realms.iter().find(|realm| realm.is(name)).cloned();
        if let Some(configured) = &self.shared.config.realm {
            return match find(configured) {
                Some(realm) => Ok(realm),
                None if realms.is_empty() => Ok(Text::from(configured.as_str())),
                None => Err(Error::OtherRealm { theirs: joined(realms, ", "), ours: configured.clone() }),
            };
        }
        let of_domain = find(&identity.domain).filter(|_| !identity.domain.is_empty());
        let or_first = of_domain.or_else(|| realms.first().cloned());
        Ok(or_first.unwrap_or_else(|| Text::from(identity.domain.as_str())))
    }

    /// The strongest protection that both ends have, if it is as strong as what was asked for. In HTTP, bodies are protected
    /// where integrity was asked for, and then nothing less will do, or where the server wants nothing else.
    fn protection(&self, challenge: &Challenge) -> Result<(Qop, Option<Cipher>), Error> {
        let least = match self.dialect {
            Dialect::Http if self.request.flags.contains(IscReq::INTEGRITY) => Qop::AuthInt,
            Dialect::Http => Qop::None,
            Dialect::Sasl if self.request.flags.contains(IscReq::CONFIDENTIALITY) => Qop::AuthConf,
            Dialect::Sasl if self.request.flags.0 & LAYER.0 != 0 => Qop::AuthInt,
            Dialect::Sasl => Qop::Auth,
        };
        let mut ours = self.shared.qualities(self.dialect);
        ours.retain(|qop| *qop >= least);
        if self.dialect == Dialect::Http && !self.request.flags.contains(IscReq::INTEGRITY) {
            ours.sort_by_key(|qop| [Qop::Auth, Qop::AuthInt, Qop::None].iter().position(|one| one == qop));
        }
        let ciphers = &self.shared.config.ciphers;
        let cipher = ciphers.iter().copied().find(|cipher| challenge.ciphers.contains(cipher));
        let is_offered = |qop: &Qop| challenge.qop.contains(qop);
        let chosen =
            ours.iter().copied().find(|qop| is_offered(qop) && (*qop != Qop::AuthConf || cipher.is_some()));
        match chosen {
            Some(Qop::AuthConf) => Ok((Qop::AuthConf, cipher)),
            Some(qop) => Ok((qop, None)),
            None if ours.iter().any(is_offered) => {
                Err(Error::NoCipher { peer: joined(&challenge.ciphers, ", "), ours: joined(ciphers, ", ") })
            }
            None => Err(Error::NoQop { peer: joined(&challenge.qop, ", "), ours: joined(&ours, ", ") }),
        }
    }

    /// The service that is meant, as `digest-uri`.
    fn service(&self) -> String {
        let target = self.request.target_name.clone().unwrap_or_default();
        if target.contains('/') { target } else { format!("{}/{target}", self.shared.config.service) }
    }

    fn context(&self, sent: &Sent, is_mutual: bool) -> Result<Box<context::DigestContext>, Error> {
        let identity = self.shared.identity.as_ref().ok_or(Error::NoCredentials("there is no user"))?;
        let Sent { response, key, peer_maxbuf, realm, .. } = sent;
        let negotiated = Negotiated {
            is_client: true,
            dialect: self.dialect,
            algorithm: response.algorithm,
            qop: response.qop,
            cipher: response.cipher,
            has_proved: Arc::new(is_mutual.into()),
            user: identity.user.clone(),
            realm: realm.to_text().into_owned(),
            target: response.uri.to_text().into_owned(),
            key: Secret::new(key.to_vec()),
            start: self.start,
            expiry: None,
            peer_maxbuf: usize::try_from(*peer_maxbuf).unwrap_or(usize::MAX),
            own_maxbuf: usize::try_from(self.shared.config.maxbuf).unwrap_or(usize::MAX),
        };
        if is_mutual && self.dialect == Dialect::Sasl {
            self.keep(sent);
        }
        let attributes = Attributes { info: Arc::clone(&self.shared.info), negotiated };
        Ok(Box::new(context::new(attributes, None)?))
    }

    /// Keeps what another handshake of SASL can begin with.
    fn keep(&self, sent: &Sent) {
        let Sent { response, peer_maxbuf, realm, .. } = sent;
        let Some(target) = self.target() else { return };
        let challenge = Challenge {
            realms: response.realm.iter().map(|_| realm.clone()).collect(),
            nonce: response.nonce.clone(),
            opaque: None,
            domain: None,
            is_stale: false,
            algorithm: response.algorithm,
            qop: vec![response.qop],
            is_utf8: response.is_utf8,
            userhash: false,
            ciphers: response.cipher.into_iter().collect(),
            maxbuf: Some(*peer_maxbuf),
        };
        let count = response.nonce_count.as_ref().map_or(1, |count| count.count);
        self.shared.sessions.put(&target, Session { challenge, count, begun: None });
    }
}

/// What cannot be had without the protection of messages.
const LAYER: IscReq = IscReq(IscReq::INTEGRITY.0 | IscReq::SEQUENCE_DETECT.0 | IscReq::REPLAY_DETECT.0);

/// What goes into the proofs of a response and of what follows it.
pub(crate) fn inputs(dialect: Dialect, response: &Response) -> Inputs<'_> {
    Inputs {
        dialect,
        algorithm: response.algorithm,
        nonce: &response.nonce,
        cnonce: response.cnonce.as_deref().unwrap_or_default(),
        nonce_count: response.nonce_count.as_ref().map(|count| &*count.digits).unwrap_or_default(),
        qop: response.qop,
        authzid: response.authzid.as_deref(),
    }
}

pub(crate) fn hash_of_body(entity: &HttpEntity, algorithm: Algorithm) -> Option<Vec<u8>> {
    entity_hash(algorithm.hash, entity.body()?)
}

/// A user's name as it is sent, and H(user `:` realm `:` password).
struct Names {
    username: Username,
    base: Zeroizing<Vec<u8>>,
}

fn names(dialect: Dialect, challenge: &Challenge, identity: &Identity, realm: &Text) -> Result<Names, Error> {
    let (user, password) = (&identity.user, identity.password.expose_secret());
    let hash = challenge.algorithm.hash;
    let plain = |name: Vec<u8>| Username::Name { name: name.into(), escaped: None };
    let hashed = |user: &[u8], realm: &[u8], password: &[u8]| {
        Zeroizing::new(base(hash, user, realm, password).as_ref().to_vec())
    };
    let (username, base) = match dialect {
        Dialect::Http => {
            let username = if challenge.userhash {
                Username::Hashed(user_hash(hash, user, &realm.to_text()))
            } else if challenge.is_utf8 && !(user.is_ascii() && is_quotable(user.as_bytes())) {
                Username::Extended(user.clone())
            } else {
                plain(user.as_bytes().to_vec())
            };
            (username, hashed(user.as_bytes(), realm, password.as_bytes()))
        }
        Dialect::Sasl if challenge.is_utf8 => {
            let base = hashed(
                &latin1_or_utf8(user),
                &latin1_or_utf8(&realm.to_text()),
                &Zeroizing::new(latin1_or_utf8(password)),
            );
            (plain(user.as_bytes().to_vec()), base)
        }
        Dialect::Sasl => {
            let (Some(name), Some(password)) = (latin1(user), latin1(password).map(Zeroizing::new)) else {
                return Err(Error::NotEncodable);
            };
            let base = hashed(&name, realm, &password);
            (plain(name), base)
        }
    };
    let is_sendable = match &username {
        Username::Name { name, .. } => is_quotable(name),
        _ => true,
    };
    if is_sendable { Ok(Names { username, base }) } else { Err(Error::NotEncodable) }
}

impl InitializeSecurityContext for Client {
    fn initialize_security_context(&mut self, input: &[u8]) -> Result<Step, Failure> {
        if let State::Over(error) = &self.state {
            return Err(error.clone().into());
        }
        match self.step(input) {
            Ok(step) => {
                if let Step::Complete { .. } = step {
                    self.state = State::Over(sspi_core::Error::invalid_handle("the handshake is complete"));
                }
                Ok(step)
            }
            Err(error) => {
                let error = sspi_core::Error::from(error);
                self.state = State::Over(error.clone());
                self.sent = None;
                Err(error.into())
            }
        }
    }

    /// Proves the body of the request, which was not known when the token was made.
    fn complete_auth_token(&mut self, token: &mut Vec<u8>) -> Result<(), sspi_core::Error> {
        let Some(mut sent) = self.sent.take() else {
            return Err(Error::Misuse("there is no token to complete").into());
        };
        let is_known = self.request.http.as_ref().is_some_and(|http| http.entity.body().is_some());
        if sent.response.qop == Qop::AuthInt && self.dialect == Dialect::Http && is_known {
            sent.response.response = Text::from(self.proof(&sent.response, &sent.key).as_str());
            *token = sent.response.to_http();
        }
        let is_done = is_known || sent.response.qop != Qop::AuthInt || self.dialect == Dialect::Sasl;
        self.sent = Some(sent);
        if is_done { Ok(()) } else { Err(Error::Misuse("the request's body is not known yet").into()) }
    }
}
