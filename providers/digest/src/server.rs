//! A handshake in the server's role.
//!
//! ```text
//! challenge ──▶        ◀── response        account ──▶ ?        proof ──▶ the client, or another challenge
//! ```
//!
//! What the response proves is looked at before anything else that it says: whether a name exists, whether a nonce was used,
//! and what else is wrong is told to nobody who does not know the password, and costs the same for names that there are not.
//!
//! A body that is under the proof has to be read before that, and may be long. So where it is not known yet, what can be said
//! without it is said first: whether there was a challenge with this nonce, lately, and whether the sender is locked out.
//!
//! Spec: DIGEST (RFC 2831) sections 2.1 and 2.2; DIGEST (RFC 7616) section 3.6.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use crypto::constant_time::ct_eq;
use lock_out::{Attempt, Who};
use sspi_core::{
    AcceptRequest, AcceptSecurityContext, Account, Answer, AscReq, Ask, DigestAccount, DigestLogon,
    DigestSecret, DigestUser, Failure, Fault, Question, Secret, Step,
};
use zeroize::Zeroizing;

use crate::algorithm::{Qop, joined};
use crate::attributes::{Attributes, Negotiated};
use crate::bindings;
use crate::challenge::{Challenge, DEFAULT_MAXBUF, Dialect};
use crate::client::{hash_of_body, inputs};
use crate::context;
use crate::credentials::{Acceptor, Shared};
use crate::nonce::{Minted, NonceId, SessionKey, Unusable, Use, made_at};
use crate::proof::{AUTHENTICATE, base};
use crate::response::{AuthenticationInfo, Response, Username};
use crate::status::{Error, Foreign};
use crate::text::{Text, hex, latin1_or_utf8};

/// A server's handshake.
pub(crate) struct Server {
    shared: Arc<Shared>,
    request: AcceptRequest,
    dialect: Dialect,
    start: SystemTime,
    state: State,
    /// What the last answer was made of, for `CompleteAuthToken`.
    answered: Option<Box<Answered>>,
}

enum State {
    /// Nothing was said.
    Begin,
    /// A challenge was sent. In SASL, the response is to this nonce.
    Challenged(Text),
    /// The account is asked for.
    Asking(Box<Asking>),
    Over(sspi_core::Error),
}

struct Asking {
    token: Vec<u8>,
    response: Response,
    /// The nonce of the challenge that was sent.
    challenged: Option<Text>,
    answer: Answer<Result<Option<DigestAccount>, sspi_core::Error>>,
}

/// A response that was accepted.
struct Answered {
    response: Response,
    key: SessionKey,
    next_nonce: Option<Text>,
    /// The client was sent the proof that the server knows the secret too: what the context's flags say.
    has_proved: Arc<AtomicBool>,
}

/// What follows from a response.
enum Verdict {
    Accepted(Box<Answered>),
    /// The password is right, the nonce is too old.
    Stale,
}

impl Server {
    pub(crate) fn new(shared: &Arc<Shared>, request: &AcceptRequest) -> Result<Self, sspi_core::Error> {
        if shared.acceptor.is_none() {
            return Err(Error::NoCredentials("the credential is a client's").into());
        }
        let dialect = shared.dialect(request.http.as_ref())?;
        let server = Self {
            shared: Arc::clone(shared),
            request: request.clone(),
            dialect,
            start: shared.environment.clock.now(),
            state: State::Begin,
            answered: None,
        };
        if dialect == Dialect::Sasl
            && shared.config.services.is_empty()
            && shared.environment.host_name.is_none()
        {
            let what = "a server of SASL says which services it is, and this machine has no name".into();
            return Err(Error::Configuration { setting: "digest.services", what }.into());
        }
        if server.qualities().is_empty() {
            let ours = joined(&server.shared.config.qop, ", ");
            let what = format!("of the protection {ours} nothing is what the application asks for").into();
            return Err(Error::Configuration { setting: "digest.qop", what }.into());
        }
        Ok(server)
    }

    fn acceptor(&self) -> Result<&Acceptor, Error> {
        self.shared.acceptor.as_ref().ok_or(Error::NoCredentials("the credential is a client's"))
    }

    /// What is offered: what is configured, and no less than what the application asks for.
    fn qualities(&self) -> Vec<Qop> {
        let flags = self.request.flags;
        let least = match self.dialect {
            Dialect::Http if flags.contains(AscReq::INTEGRITY) => Qop::AuthInt,
            Dialect::Http => Qop::None,
            Dialect::Sasl if flags.contains(AscReq::CONFIDENTIALITY) => Qop::AuthConf,
            Dialect::Sasl if flags.0 & LAYER.0 != 0 => Qop::AuthInt,
            Dialect::Sasl => Qop::Auth,
        };
        let mut qualities = self.shared.qualities(self.dialect);
        qualities.retain(|qop| *qop >= least);
        qualities
    }

    fn step(&mut self, input: &[u8]) -> Result<Step, Error> {
        match &self.state {
            State::Begin if input.is_empty() => Ok(Step::Continue { token: self.challenge(false)?, used: 0 }),
            State::Begin | State::Challenged(_) if !input.is_empty() => self.ask(input),
            State::Asking(_) => self.judge(input),
            _ => Ok(Step::Incomplete { missing: None }),
        }
    }

    /// Another challenge: in HTTP a line for each algorithm, the preferred one first.
    fn challenge(&mut self, is_stale: bool) -> Result<Vec<u8>, Error> {
        let (token, nonce) = self.new_challenge(is_stale)?;
        self.state = State::Challenged(nonce);
        Ok(token)
    }

    fn new_challenge(&self, is_stale: bool) -> Result<(Vec<u8>, Text), Error> {
        let acceptor = self.acceptor()?;
        let (config, environment) = (&self.shared.config, &self.shared.environment);
        let now = acceptor.clock.now();
        let minted = acceptor.mint.mint(self.dialect, &acceptor.realm, now, &*environment.random)?;
        let qop = self.qualities();
        let is_sasl = self.dialect == Dialect::Sasl;
        let has_layer = is_sasl && qop.iter().any(|qop| *qop >= Qop::AuthInt);
        let encrypts = qop.contains(&Qop::AuthConf);
        let challenge = |algorithm| Challenge {
            realms: vec![Text::from(acceptor.realm.as_str())],
            nonce: minted.nonce.clone(),
            opaque: (!is_sasl).then(|| minted.opaque.clone()),
            domain: None,
            is_stale,
            algorithm,
            // Clients take the first that they know, or look for the strongest: both get the same.
            qop: qop.clone(),
            is_utf8: true,
            userhash: !is_sasl && config.userhash,
            ciphers: if encrypts { config.ciphers.clone() } else { Vec::new() },
            maxbuf: has_layer.then_some(config.maxbuf),
        };
        let token = if is_sasl {
            challenge(crate::algorithm::Algorithm::MD5_SESS).to_sasl()
        } else {
            let lines = config.algorithms.iter().map(|algorithm| challenge(*algorithm).to_http());
            lines.collect::<Vec<_>>().join(&b'\n')
        };
        Ok((token, minted.nonce))
    }

    /// Reads the response, and asks for the account that it names.
    fn ask(&mut self, input: &[u8]) -> Result<Step, Error> {
        let response = match self.dialect {
            Dialect::Http => Response::from_http(input)?,
            Dialect::Sasl => Response::from_sasl(input)?,
        };
        let realm = self.acceptor()?.realm.clone();
        match self.check_choices(&response) {
            // It chose among what it was offered another time: what is offered now is something else.
            Err(Error::NotOffered { .. }) if self.is_initial_response() => {
                return Ok(Step::Continue { token: self.challenge(false)?, used: input.len() });
            }
            checked => checked?,
        }
        if self.lacks_body(&response) {
            return self.screen(&response, input.len());
        }
        if self.refuses(&response)? {
            return Err(self.locked_out(&response)?);
        }
        let challenged = match core::mem::replace(&mut self.state, State::Begin) {
            State::Challenged(nonce) => Some(nonce),
            _ => None,
        };
        let user = match &response.username {
            Username::Name { name, escaped } => {
                let names = core::iter::once(name).chain(escaped);
                DigestUser::Names(names.map(|name| name.to_text().into_owned()).collect())
            }
            Username::Extended(name) => DigestUser::Names(vec![name.clone()]),
            Username::Hashed(hash) => DigestUser::Hashed(hash.clone()),
        };
        let (algorithm, source) = (response.algorithm.hash, self.request.source.clone());
        let logon = DigestLogon { user, realm, algorithm, source };
        let (ask, answer) = Ask::new(logon);
        let asking = Asking { token: input.to_vec(), response, challenged, answer };
        self.state = State::Asking(Box::new(asking));
        Ok(Step::Ask(Question::DigestSecret(ask)))
    }

    /// Whether the proof is over a body that is not known yet.
    fn lacks_body(&self, response: &Response) -> bool {
        let http = self.request.http.as_ref().filter(|_| self.dialect == Dialect::Http);
        response.qop == Qop::AuthInt && http.is_some_and(|http| http.entity.body().is_none())
    }

    /// What can be said of a response before the body that it proves is read, at whatever cost: who has no challenge of ours
    /// gets one, and who is locked out is refused. Nobody's password is looked at, and nobody is asked.
    fn screen(&mut self, response: &Response, used: usize) -> Result<Step, Error> {
        let acceptor = self.acceptor()?;
        let now = acceptor.clock.now();
        let is_fresh = |id: &NonceId| !acceptor.table.is_expired(id, now);
        if self.recognise(response)?.filter(is_fresh).is_none() {
            return Ok(Step::Continue { token: self.challenge(true)?, used });
        }
        if self.refuses(response)? {
            return Err(Error::LockedOut);
        }
        Ok(Step::Incomplete { missing: None })
    }

    /// Who sends a response, by its source and what it shows.
    fn sender(&self, response: &Response) -> Result<Who<'_>, Error> {
        let acceptor = self.acceptor()?;
        let (now, called) = (acceptor.clock.now(), called(response));
        let has_served =
            |id: NonceId| !acceptor.table.is_expired(&id, now) && acceptor.table.has_served(&id, &called);
        let is_known = self.recognise(response)?.is_some_and(has_served);
        Ok(Who { user: None, domain: "", source: self.request.source.as_deref(), is_known })
    }

    /// Whether there were too many failures of the sender already: nobody is asked then who it is.
    fn refuses(&self, response: &Response) -> Result<bool, Error> {
        let now = self.shared.environment.clock.now();
        let who = self.sender(response)?;
        let lock_outs = &self.shared.lock_outs;
        let names: Vec<Text> = match &response.username {
            Username::Name { name, escaped } => core::iter::once(name).chain(escaped).cloned().collect(),
            Username::Extended(name) => vec![Text::from(name.as_str())],
            Username::Hashed(hash) => vec![of_nobody(hash)],
        };
        let is_refused = |name: &Text| lock_outs.refuses(Who { user: Some(&name.to_text()), ..who }, now);
        Ok(names.iter().any(is_refused))
    }

    /// What a wrong password costs is spent; that nobody was asked who has the accounts may tell.
    fn locked_out(&self, response: &Response) -> Result<Error, Error> {
        let _denied = black_box(self.proved(response, None)?.is_some());
        Ok(Error::LockedOut)
    }

    /// Whether a client of SASL logs on again, without a challenge.
    fn is_initial_response(&self) -> bool {
        self.dialect == Dialect::Sasl && matches!(self.state, State::Begin)
    }

    /// Whether the client chose among what it was offered.
    fn check_choices(&self, response: &Response) -> Result<(), Error> {
        let config = &self.shared.config;
        let realm = &self.acceptor()?.realm;
        if response.realm.as_deref() != Some(realm.as_bytes()) {
            let theirs = response.realm.as_ref().map(|realm| realm.to_text().into_owned());
            return Err(Error::WrongRealm { realm: theirs.unwrap_or_default() });
        }
        if self.dialect == Dialect::Http && !config.algorithms.contains(&response.algorithm) {
            return Err(Error::NotOffered { what: "algorithm", chosen: response.algorithm.name() });
        }
        if !self.qualities().contains(&response.qop) {
            return Err(Error::NotOffered { what: "protection", chosen: response.qop.name() });
        }
        if let Username::Hashed(hash) = &response.username {
            let is_one = hash.len() == response.algorithm.hash.output_len();
            if self.dialect != Dialect::Http || !config.userhash || !is_one {
                return Err(Error::NotOffered { what: "form of the name", chosen: "userhash" });
            }
        }
        match (response.qop, response.cipher) {
            (Qop::AuthConf, Some(cipher)) if config.ciphers.contains(&cipher) => Ok(()),
            (Qop::AuthConf, Some(cipher)) => Err(Error::NotOffered { what: "cipher", chosen: cipher.name() }),
            (Qop::AuthConf, None) => Err(crate::directives::DecodeError::Missing { name: "cipher" }.into()),
            _ => Ok(()),
        }
    }

    /// The account is there, or it is known that there is none.
    fn judge(&mut self, input: &[u8]) -> Result<Step, Error> {
        let State::Asking(asking) = core::mem::replace(&mut self.state, State::Begin) else {
            return Err(Error::Internal("nothing was asked"));
        };
        let Asking { token, mut response, challenged, answer } = *asking;
        if token != input {
            return Err(Error::Misuse("after a question, the same token comes again"));
        }
        if response.cipher.is_some() && response.qop != Qop::AuthConf {
            response.cipher = None;
        }
        let found = answer.given().map_err(|error| Error::Foreign(Foreign(error)))?;
        let none = None;
        let (found, denied) = match found {
            Ok(found) => (found, None),
            // It is refused as a name that there is not, and as slowly.
            Err(error) if error.fault() == Fault::Refused => (&none, Some(error)),
            Err(error) => return Err(Error::Foreign(Foreign(error.clone()))),
        };
        let verdict = self.count(&response, challenged.as_ref(), found.as_ref());
        let verdict = match (verdict, denied) {
            (Err(Error::LogonDenied), Some(error)) => Err(Error::Foreign(Foreign(error.clone()))),
            (verdict, _) => verdict,
        };
        match verdict? {
            Verdict::Accepted(answered) => {
                let account = found.as_ref().map(|found| found.account.account.clone()).unwrap_or_default();
                self.accept(answered, account, input.len())
            }
            Verdict::Stale => Ok(Step::Continue { token: self.challenge(true)?, used: input.len() }),
        }
    }

    /// Verifies an attempt that is counted, unless there were too many. It has its place before it is verified: many at once
    /// are as good as one after the other.
    fn count(
        &self,
        response: &Response,
        challenged: Option<&Text>,
        found: Option<&DigestAccount>,
    ) -> Result<Verdict, Error> {
        let now = self.shared.environment.clock.now();
        let name = sent_name(response, found).to_text().into_owned();
        let who = Who { user: Some(&name), ..self.sender(response)? };
        let attempt = self.shared.lock_outs.attempt(who, now);
        let known_as = |attempt: Attempt| match found {
            Some(found) => {
                let account = &found.account.account;
                attempt.known_as(&account.name, account.domain.as_deref())
            }
            // Nobody is known as what was sent, which costs what it costs for somebody.
            None => attempt.known_as(&name, None),
        };
        let Some(attempt) = attempt.and_then(known_as) else {
            return Err(self.locked_out(response)?);
        };
        let verdict = self.verify(response, challenged, found);
        match &verdict {
            Ok(Verdict::Accepted(_)) => attempt.succeeded(),
            Err(Error::LogonDenied | Error::AccountDisabled) => attempt.failed(now),
            // The password was right and nothing was let in, or nothing was judged. Whoever repeats what others have proved
            // neither is locked out by it nor makes anybody forget.
            Ok(Verdict::Stale) | Err(_) => attempt.take_back(),
        }
        verdict
    }

    fn verify(
        &self,
        response: &Response,
        challenged: Option<&Text>,
        found: Option<&DigestAccount>,
    ) -> Result<Verdict, Error> {
        // Where there is nobody, nobody asks for what comes of it, and it has to be computed all the same.
        let key = black_box(self.proved(response, found)?);
        let Some(found) = found else { return Err(Error::LogonDenied) };
        if let Some(report) = &found.report {
            report.tell(key.is_some());
        }
        let key = key.ok_or(Error::LogonDenied)?;
        if found.account.is_disabled {
            return Err(Error::AccountDisabled);
        }
        self.check_target(response)?;
        let name = match &response.username {
            Username::Name { name, .. } => Some(name),
            Username::Extended(_) | Username::Hashed(_) => None,
        };
        if response.authzid.is_some() && response.authzid.as_ref() != name {
            return Err(Error::AuthorizationIdentity);
        }
        // Without quality of protection the client's nonce is in no proof: anybody may have written it.
        let is_proved = response.qop != Qop::None || response.algorithm.is_session;
        let cnonce = response.cnonce.as_deref().filter(|_| is_proved).unwrap_or_default();
        let bindings = self.request.channel_bindings.as_ref();
        let has_proxy = self.request.flags.contains(AscReq::PROXY_BINDINGS);
        bindings::check(cnonce, bindings, has_proxy, self.shared.config.channel_bindings)?;
        let Some(id) = self.use_nonce(response, challenged, found, &key)? else { return Ok(Verdict::Stale) };
        let next_nonce = self.next_nonce(response, &id, found, &key)?;
        let has_proved = Arc::default();
        let answered = Answered { response: response.clone(), key, next_nonce, has_proved };
        Ok(Verdict::Accepted(Box::new(answered)))
    }

    /// H(A1), if the response proves the secret. It takes the same time for a user that there is not.
    fn proved(
        &self,
        response: &Response,
        found: Option<&DigestAccount>,
    ) -> Result<Option<SessionKey>, Error> {
        let inputs = inputs(self.dialect, response);
        let (method, body) = match &self.request.http {
            Some(http) if self.dialect == Dialect::Http => {
                let body = match response.qop {
                    Qop::AuthInt => Some(hash_of_body(&http.entity, response.algorithm).ok_or(
                        Error::Misuse("the request's body must be known before its proof is checked"),
                    )?),
                    _ => None,
                };
                (http.method.as_str(), body)
            }
            _ => (AUTHENTICATE, None),
        };
        let a2 = inputs.a2(method, &response.uri, body.as_deref());
        let mut proved = None;
        let keys = self.candidates(response, found)?.map(|base| inputs.key(&base));
        for key in keys.into_iter().chain(self.session(response, found)?) {
            let expected = inputs.proof(&key, &a2);
            if ct_eq(expected.as_bytes(), &response.response) {
                proved = Some(key);
            }
        }
        Ok(proved)
    }

    /// H(A1) as the first response of the session made it, where the algorithm has one for all of a session. Clients that make
    /// one for each request of its own nonces are as good: both are tried.
    ///
    /// Spec: DIGEST (RFC 7616) sections 3.4.2 and 3.6.
    fn session(
        &self,
        response: &Response,
        found: Option<&DigestAccount>,
    ) -> Result<Option<SessionKey>, Error> {
        if self.dialect != Dialect::Http || !response.algorithm.is_session {
            return Ok(None);
        }
        let acceptor = self.acceptor()?;
        let session = self.used(response, found)?.and_then(|used| acceptor.table.session(&used));
        // Where there is none, as much is computed with a key that nobody knows.
        Ok(Some(session.unwrap_or_else(|| Zeroizing::new(acceptor.dummy.as_bytes().to_vec()))))
    }

    /// The nonce, if it is one of ours.
    fn recognise(&self, response: &Response) -> Result<Option<NonceId>, Error> {
        let acceptor = self.acceptor()?;
        let opaque = match self.dialect {
            Dialect::Http => response.opaque.as_deref().unwrap_or_default(),
            Dialect::Sasl => &[],
        };
        Ok(acceptor.mint.recognise(&response.nonce, self.dialect, opaque, &acceptor.realm))
    }

    /// The same in the hands of its user.
    fn used(&self, response: &Response, found: Option<&DigestAccount>) -> Result<Option<Use>, Error> {
        let id = self.recognise(response)?;
        Ok(id.map(|id| match found {
            Some(found) => Use::new(id, found.user.as_bytes()),
            None => Use::new(id, &sent_name(response, None)),
        }))
    }

    /// H(user `:` realm `:` password) in the two ways in which name and password can be encoded. Clients of HTTP do not say
    /// which it is, and those of SASL that send UTF-8 hash ISO 8859-1 if they can. Both are always tried.
    fn candidates(
        &self,
        response: &Response,
        found: Option<&DigestAccount>,
    ) -> Result<[Zeroizing<Vec<u8>>; 2], Error> {
        let acceptor = self.acceptor()?;
        let hash = response.algorithm.hash;
        let dummy = DigestSecret::Password(Secret::new(acceptor.dummy.to_string()));
        let secret = found.map_or(&dummy, |found| &found.secret);
        let password = match secret {
            DigestSecret::Password(password) => password.expose_secret().as_str(),
            // As much is computed as for a password.
            DigestSecret::HashedA1(_) => acceptor.dummy.as_str(),
        };
        let name = sent_name(response, found);
        let realm = acceptor.realm.as_bytes();
        let text = name.to_text();
        let as_sent = base(hash, &name, realm, password.as_bytes());
        let shorter = Zeroizing::new(latin1_or_utf8(password));
        let as_latin1 = base(hash, &latin1_or_utf8(&text), &latin1_or_utf8(&acceptor.realm), &shorter);
        Ok([as_sent, as_latin1].map(|computed| match secret {
            DigestSecret::Password(_) => Zeroizing::new(computed.as_ref().to_vec()),
            DigestSecret::HashedA1(hashed) => Zeroizing::new(hashed.expose_secret().clone()),
        }))
    }

    /// Whether the client means this request, or this service.
    fn check_target(&self, response: &Response) -> Result<(), Error> {
        match &self.request.http {
            Some(http) if self.dialect == Dialect::Http => {
                if is_target(&response.uri, http.uri.as_bytes()) {
                    return Ok(());
                }
                Err(Error::WrongUri { proved: response.uri.to_text().into_owned(), asked: http.uri.clone() })
            }
            _ => {
                let (services, machine) = (&self.shared.config.services, &self.shared.environment.host_name);
                // Nothing said: whatever it is that runs on this machine.
                let machine = machine.as_deref().filter(|_| services.is_empty());
                let meant = response.uri.to_text();
                let mut ours = services.iter().map(String::as_str).chain(machine);
                if ours.any(|ours| is_service(&meant, ours)) {
                    return Ok(());
                }
                let ours = machine.map_or_else(|| joined(services, ", "), str::to_owned);
                Err(Error::WrongService { service: meant.into_owned(), ours })
            }
        }
    }

    /// Enters the use of the nonce. `None` if it is too old, or none of ours: the client may come again with another.
    fn use_nonce(
        &self,
        response: &Response,
        challenged: Option<&Text>,
        found: &DigestAccount,
        key: &SessionKey,
    ) -> Result<Option<Use>, Error> {
        let acceptor = self.acceptor()?;
        let now = acceptor.clock.now();
        let id = self.used(response, Some(found))?;
        let count = response.nonce_count.as_ref().map(|count| count.count);
        if self.dialect == Dialect::Sasl {
            return self.use_nonce_of_sasl(response, challenged, id, count.unwrap_or_default());
        }
        let Some(id) = id else { return Ok(None) };
        // Where nothing counts, the nonce is used once.
        let count = count.filter(|_| response.qop != Qop::None).unwrap_or(1);
        let session = Some(key).filter(|_| response.algorithm.is_session);
        match acceptor.table.enter(&id, count, &called(response), session, now) {
            Ok(()) => Ok(Some(id)),
            Err(Unusable::Stale) => Ok(None),
            Err(Unusable::Replayed) => Err(Error::Replayed),
        }
    }

    /// A response to our challenge has its nonce and the count 1. One that comes first has the nonce of an earlier handshake.
    fn use_nonce_of_sasl(
        &self,
        response: &Response,
        challenged: Option<&Text>,
        id: Option<Use>,
        count: u32,
    ) -> Result<Option<Use>, Error> {
        let acceptor = self.acceptor()?;
        let now = acceptor.clock.now();
        let id = match (challenged, id) {
            (Some(nonce), _) if *nonce != response.nonce => return Err(Error::WrongNonce),
            (Some(_), _) if count != 1 => return Err(Error::WrongCount { count }),
            (None, _) if !self.shared.config.reauthentication => return Ok(None),
            (None, None) => return Ok(None),
            // Only a response to a new challenge begins to count.
            (None, Some(_)) if count < 2 => return Ok(None),
            (Some(_), None) => return Err(Error::Internal("our own nonce is not recognised")),
            (_, Some(id)) => id,
        };
        if !self.shared.config.reauthentication {
            // Nobody can use it again: it is this handshake's.
            return if acceptor.table.is_expired(id.nonce(), now) {
                Err(Error::Expired)
            } else {
                Ok(Some(id))
            };
        }
        let has_layer = response.qop >= Qop::AuthInt;
        let cnonce = response.cnonce.as_deref().unwrap_or_default();
        match (acceptor.table.enter_next(&id, count, (&called(response), cnonce), has_layer, now), challenged)
        {
            (Ok(()), _) => Ok(Some(id)),
            (Err(Unusable::Stale), Some(_)) => Err(Error::Expired),
            (Err(Unusable::Replayed), Some(_)) => Err(Error::Replayed),
            // The client may log on again from the beginning.
            (Err(_), None) => Ok(None),
        }
    }

    /// Of HTTP: the nonce of the next request, where each is used once. It goes on with the session of this one.
    fn next_nonce(
        &self,
        response: &Response,
        id: &Use,
        found: &DigestAccount,
        key: &SessionKey,
    ) -> Result<Option<Text>, Error> {
        let (config, acceptor) = (&self.shared.config, self.acceptor()?);
        let is_last = config.single_use_nonces
            || response.nonce_count.as_ref().is_some_and(|count| count.count >= config.max_nonce_count);
        let now = acceptor.clock.now();
        let age = now.duration_since(made_at(id.nonce())).unwrap_or_default();
        let is_old = age.saturating_mul(2) >= config.nonce_lifetime;
        if self.dialect == Dialect::Sasl || !(is_last || is_old) {
            return Ok(None);
        }
        let opaque = response.opaque.clone().unwrap_or_default();
        let random = &*self.shared.environment.random;
        let Minted { id: next, nonce, .. } =
            acceptor.mint.mint_with(opaque, self.dialect, &acceptor.realm, now, random)?;
        let session = response.algorithm.is_session;
        let session = session.then(|| acceptor.table.session(id).unwrap_or_else(|| key.clone()));
        acceptor.table.go_on(&Use::new(next, found.user.as_bytes()), &called(response), session);
        Ok(Some(nonce))
    }

    fn accept(&mut self, answered: Box<Answered>, account: Account, used: usize) -> Result<Step, Error> {
        let token = self.info(&answered);
        let Answered { response, key, has_proved, .. } = &*answered;
        let user = if account.name.is_empty() {
            sent_name(response, None).to_text().into_owned()
        } else {
            account.name.clone()
        };
        let account = Account { name: user.clone(), matched_by: "password".to_owned(), ..account };
        let config = &self.shared.config;
        let peer_maxbuf = response.maxbuf.unwrap_or(DEFAULT_MAXBUF);
        let acceptor = self.acceptor()?;
        let expiry = match self.dialect {
            Dialect::Http => self.start.checked_add(config.nonce_lifetime),
            Dialect::Sasl => None,
        };
        let negotiated = Negotiated {
            is_client: false,
            dialect: self.dialect,
            algorithm: response.algorithm,
            qop: response.qop,
            cipher: response.cipher,
            has_proved: Arc::clone(has_proved),
            user,
            realm: acceptor.realm.clone(),
            target: response.uri.to_text().into_owned(),
            key: Secret::new(key.to_vec()),
            start: self.start,
            expiry,
            peer_maxbuf: usize::try_from(peer_maxbuf).unwrap_or(usize::MAX),
            own_maxbuf: usize::try_from(config.maxbuf).unwrap_or(usize::MAX),
        };
        let attributes = Attributes { info: Arc::clone(&self.shared.info), negotiated };
        let context = Box::new(context::new(attributes, Some(account))?);
        self.answered = Some(answered);
        Ok(Step::Complete { context, token, used })
    }

    /// What the client hears: that the server knows the secret too, as far as the response's body is known.
    fn info(&self, answered: &Answered) -> Vec<u8> {
        let Answered { response, key, next_nonce, has_proved } = answered;
        let inputs = inputs(self.dialect, response);
        let body = match (&self.request.http, response.qop) {
            (Some(http), Qop::AuthInt) => Some(hash_of_body(&http.response_entity, response.algorithm)),
            _ => None,
        };
        let is_known = !matches!(body, Some(None));
        let a2 = inputs.a2("", &response.uri, body.flatten().as_deref());
        let rspauth = is_known.then(|| Text::from(inputs.proof(key, &a2).as_str()));
        has_proved.store(is_known, Ordering::Relaxed);
        let info = AuthenticationInfo {
            rspauth,
            next_nonce: next_nonce.clone(),
            qop: Some(response.qop),
            cnonce: response.cnonce.clone(),
            nonce_count: response.nonce_count.clone(),
        };
        match self.dialect {
            Dialect::Http => info.to_http(),
            Dialect::Sasl => info.to_sasl(),
        }
    }

    /// What a client of HTTP is told when it is refused: another challenge, which says `stale` if its password was right.
    fn refusal(&self, error: &Error) -> Vec<u8> {
        let wants = self.dialect == Dialect::Http && self.request.flags.contains(AscReq::EXTENDED_ERROR);
        if !wants {
            return Vec::new();
        }
        self.new_challenge(*error == Error::Replayed).map(|(token, _)| token).unwrap_or_default()
    }
}

/// What cannot be had without the protection of messages.
const LAYER: AscReq = AscReq(AscReq::INTEGRITY.0 | AscReq::SEQUENCE_DETECT.0 | AscReq::REPLAY_DETECT.0);

/// Whether what a client means is one of ours: the same, or whatever there is on the host that we say.
///
/// ```text
/// digest-uri      serv-type "/" host [ "/" serv-name ]
/// ```
fn is_service(meant: &str, ours: &str) -> bool {
    if ours == ANY_SERVICE {
        return true;
    }
    let host = meant.split('/').nth(1).unwrap_or_default();
    meant.eq_ignore_ascii_case(ours) || (!ours.contains('/') && host.eq_ignore_ascii_case(ours))
}

/// In `digest.services`: what a client means is not looked at.
const ANY_SERVICE: &str = "*";

/// Whether a client that proves this target means the one that was asked for. A proxy is asked for a URL, and for no other than
/// it: RFC 7616 section 3.4 has that proved, and curl and browsers prove its path and query.
fn is_target(proved: &[u8], asked: &[u8]) -> bool {
    proved == asked || path_of(asked) == Some(proved)
}

/// Path and query of a URL; of nothing else.
fn path_of(target: &[u8]) -> Option<&[u8]> {
    let end = target.windows(3).position(|part| part == b"://")?;
    let (scheme, authority) = (target.get(..end)?, target.get(end + 3..)?);
    let is_scheme = scheme.first()?.is_ascii_alphabetic() && scheme.iter().all(u8::is_ascii_alphanumeric);
    let begin = authority.iter().position(|byte| matches!(byte, b'/' | b'?')).unwrap_or(authority.len());
    let path = authority.get(begin..)?;
    is_scheme.then_some(if path.is_empty() { b"/" } else { path })
}

/// What the client calls its user, as it is written.
fn called(response: &Response) -> Text {
    match &response.username {
        Username::Name { name, .. } => name.clone(),
        Username::Extended(name) => Text::from(name.as_str()),
        Username::Hashed(hash) => Text::from(hash.clone()),
    }
}

/// The user's name as the client hashed it: of the two ways to read it, the one that the account has.
fn sent_name(response: &Response, found: Option<&DigestAccount>) -> Text {
    let found = found.map(|found| found.user.as_str());
    match &response.username {
        Username::Name { name, escaped: Some(escaped) } if found == Some(&*escaped.to_text()) => {
            escaped.clone()
        }
        Username::Name { name, .. } => name.clone(),
        Username::Extended(name) => Text::from(name.as_str()),
        Username::Hashed(hash) => {
            // Both are made, whichever it is.
            let of_nobody = of_nobody(hash);
            found.map_or_else(|| of_nobody.clone(), Text::from)
        }
    }
}

/// What stands for a name of which only the hash is known: as long as names are, so that it takes no longer.
fn of_nobody(hash: &[u8]) -> Text {
    Text::from(hex(hash.get(..8).unwrap_or(hash)).as_str())
}

impl AcceptSecurityContext for Server {
    fn accept_security_context(&mut self, input: &[u8]) -> Result<Step, Failure> {
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
                let token = self.refusal(&error);
                let error = sspi_core::Error::from(error);
                self.state = State::Over(error.clone());
                Err(Failure { error, token })
            }
        }
    }

    /// Proves the body of the response, which was not known when the token was made.
    fn complete_auth_token(&mut self, token: &mut Vec<u8>) -> Result<(), sspi_core::Error> {
        let Some(answered) = &self.answered else {
            return Err(Error::Misuse("there is no token to complete").into());
        };
        let entity = self.request.http.as_ref().map(|http| &http.response_entity);
        let is_about_a_body = answered.response.qop == Qop::AuthInt && self.dialect == Dialect::Http;
        if is_about_a_body && entity.is_some_and(|entity| entity.body().is_none()) {
            return Err(Error::Misuse("the response's body is not known yet").into());
        }
        *token = self.info(answered);
        Ok(())
    }
}
