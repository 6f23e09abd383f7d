//! The three legs, and the same legs once more on an established context.

use std::sync::Arc;

use sspi_core::{
    AcceptRequest, AcceptSecurityContext, Account, Answer, AscReq, AscRet, Ask, ChannelBindings,
    ContextFlags, Error, Failure, Fault, FoundAccount, InitializeRequest, InitializeSecurityContext, IscRet,
    PeerIdentity, Question, SecStatus, Secret, Step,
};

use super::arithmetic::ToyMac;
use super::context::{self, Receiver, Sender, Session};
use super::{Known, Shared, no_credentials};

/// A token's tag and length.
const HEADER: usize = 6;

/// A token.
pub(super) fn token(tag: [u8; 4], body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).unwrap_or(u16::MAX);
    [&tag[..], &length.to_be_bytes(), body].concat()
}

/// A token that was read: its tag, its body, and how long it is.
struct Token<'a> {
    tag: [u8; 4],
    body: &'a [u8],
    length: usize,
}

/// Reads a token, or says how much is missing.
fn read(input: &[u8]) -> Result<Token<'_>, usize> {
    let Some((&[t, o, y, n, high, low], rest)) = input.split_first_chunk::<HEADER>() else {
        return Err(HEADER - input.len());
    };
    let size = usize::from(u16::from_be_bytes([high, low]));
    match rest.get(..size) {
        Some(body) => Ok(Token { tag: [t, o, y, n], body, length: HEADER + size }),
        None => Err(size - rest.len()),
    }
}

fn refused(status: SecStatus, message: &'static str) -> Error {
    Error::new(status, Fault::Refused, message)
}

fn malformed(message: &'static str) -> Error {
    Error::new(SecStatus::SEC_E_INVALID_TOKEN, Fault::Decode, message)
}

/// The body of the token that is expected here.
fn expect(token: &Token<'_>, tag: [u8; 4]) -> Result<(), Error> {
    if token.tag == tag {
        return Ok(());
    }
    match (&token.tag, token.body.try_into()) {
        (b"TOYE", Ok(status)) => Err(Error::new(
            SecStatus(u32::from_be_bytes(status)),
            Fault::PeerReported,
            "the peer gave up the handshake",
        )),
        _ => Err(malformed("the token is not the one that is expected here")),
    }
}

/// The failure with the token that tells the peer, unless the peer told us.
fn failure(error: Error) -> Failure {
    let token = match error.fault() {
        Fault::PeerReported | Fault::ApiMisuse => Vec::new(),
        _ => token(*b"TOYE", &error.status().0.to_be_bytes()),
    };
    Failure { error, token }
}

fn channel_proof(password: &Secret<String>, bindings: Option<&ChannelBindings>) -> [u8; 8] {
    bindings.map_or([0; 8], |bindings| {
        ToyMac::new(password.expose_secret().as_bytes()).piece(bindings.application_data()).finish()
    })
}

/// What both ends know once the nonces are exchanged.
struct Nonces {
    client: [u8; 8],
    server: [u8; 8],
}

impl Nonces {
    fn mac(&self, password: &Secret<String>, label: &[u8]) -> [u8; 8] {
        let mac = ToyMac::new(password.expose_secret().as_bytes());
        mac.piece(label).piece(&self.client).piece(&self.server).finish()
    }

    fn session_key(&self, password: &Secret<String>) -> Secret<Vec<u8>> {
        Secret::new([self.mac(password, b"first half"), self.mac(password, b"second half")].concat())
    }
}

fn completion(password: &Secret<String>, nonce: &[u8], user: &[u8]) -> [u8; 8] {
    let mac = ToyMac::new(password.expose_secret().as_bytes());
    mac.piece(b"completion").piece(nonce).piece(user).finish()
}

/// `TOY1` as its parts.
struct Hello<'a> {
    nonce: &'a [u8; 8],
    completion: &'a [u8; 8],
    user: &'a [u8],
}

fn hello(body: &[u8]) -> Result<Hello<'_>, Error> {
    let parts = body.split_first_chunk().and_then(|(nonce, rest)| {
        let (completion, user) = rest.split_first_chunk()?;
        Some(Hello { nonce, completion, user })
    });
    parts.ok_or_else(|| malformed("TOY1 has no nonce"))
}

/// The client's side.
pub(super) struct Client {
    shared: Arc<Shared>,
    known: Arc<Known>,
    request: InitializeRequest,
    state: ClientState,
}

enum ClientState {
    Begin,
    ExpectToy2 { nonce: [u8; 8] },
    Complete,
    Failed(Error),
}

impl Client {
    pub(super) fn new(
        shared: &Arc<Shared>,
        known: &Arc<Known>,
        request: &InitializeRequest,
    ) -> Result<Self, Error> {
        if !matches!(**known, Known::Identity(_)) {
            return Err(no_credentials("the credentials are a server's"));
        }
        let (shared, known) = (Arc::clone(shared), Arc::clone(known));
        Ok(Self { shared, known, request: request.clone(), state: ClientState::Begin })
    }

    fn step(&mut self, input: &[u8]) -> Result<Step, Error> {
        let Known::Identity(identity) = &*self.known else {
            return Err(no_credentials("the credentials are a server's"));
        };
        match &self.state {
            ClientState::Begin => {
                let nonce = self.shared.nonce();
                let body = [&nonce[..], &[0; 8], identity.user.as_bytes()].concat();
                self.state = ClientState::ExpectToy2 { nonce };
                Ok(Step::Continue { token: token(*b"TOY1", &body), used: 0 })
            }
            ClientState::ExpectToy2 { nonce } => {
                let toy2 = match read(input) {
                    Ok(token) => token,
                    Err(missing) => return Ok(Step::Incomplete { missing: Some(missing) }),
                };
                expect(&toy2, *b"TOY2")?;
                let server = toy2.body.try_into().map_err(|_| malformed("TOY2 is not 8 bytes long"))?;
                let nonces = Nonces { client: *nonce, server };
                let proof = nonces.mac(&identity.password, b"proof");
                let channel = channel_proof(&identity.password, self.request.channel_bindings.as_ref());
                let session = Session {
                    shared: Arc::clone(&self.shared),
                    flags: ContextFlags::Initiator(
                        IscRet::CONFIDENTIALITY
                            | IscRet::INTEGRITY
                            | IscRet::CONNECTION
                            | IscRet::REPLAY_DETECT
                            | IscRet::SEQUENCE_DETECT,
                    ),
                    user: identity.user.clone(),
                    target: self.request.target_name.clone().unwrap_or_default(),
                    key: nonces.session_key(&identity.password),
                    start: self.shared.clock.now(),
                };
                let context = context::new(session, None, Some(Arc::clone(&self.known)));
                self.state = ClientState::Complete;
                Ok(Step::Complete {
                    context: Box::new(context),
                    token: token(*b"TOY3", &[proof, channel].concat()),
                    used: toy2.length,
                })
            }
            ClientState::Complete => Err(Error::invalid_handle("the handshake is complete")),
            ClientState::Failed(error) => Err(error.clone()),
        }
    }
}

impl InitializeSecurityContext for Client {
    fn initialize_security_context(&mut self, input: &[u8]) -> Result<Step, Failure> {
        let repeated = matches!(self.state, ClientState::Failed(_));
        self.step(input).map_err(|error| {
            if repeated || matches!(self.state, ClientState::Complete) {
                return Failure::silent(error);
            }
            self.state = ClientState::Failed(error.clone());
            failure(error)
        })
    }

    fn complete_auth_token(&mut self, token: &mut Vec<u8>) -> Result<(), Error> {
        let (ClientState::ExpectToy2 { .. }, Known::Identity(identity)) = (&self.state, &*self.known) else {
            return Err(Error::unsupported("Toy", "CompleteAuthToken for any token but the first"));
        };
        let filled = {
            let toy1 = read(token).map_err(|_| malformed("the token is not whole"))?;
            expect(&toy1, *b"TOY1")?;
            let Hello { nonce, user, .. } = hello(toy1.body)?;
            completion(&identity.password, nonce, user)
        };
        if let Some(room) = token.get_mut(HEADER + 8..HEADER + 16) {
            room.copy_from_slice(&filled);
        }
        Ok(())
    }
}

/// The server's side.
pub(super) struct Server {
    shared: Arc<Shared>,
    known: Arc<Known>,
    request: AcceptRequest,
    state: ServerState,
}

enum ServerState {
    ExpectToy1,
    ExpectToy3 {
        nonces: Nonces,
        user: String,
    },
    ExpectAccount {
        nonces: Nonces,
        user: String,
        used: usize,
        answer: Answer<Result<Vec<FoundAccount>, Error>>,
    },
    Complete,
    Failed(Error),
}

impl Server {
    pub(super) fn new(
        shared: &Arc<Shared>,
        known: &Arc<Known>,
        request: &AcceptRequest,
    ) -> Result<Self, Error> {
        if !matches!(**known, Known::Users(_)) {
            return Err(no_credentials("the credentials are a client's"));
        }
        let (shared, known) = (Arc::clone(shared), Arc::clone(known));
        Ok(Self { shared, known, request: request.clone(), state: ServerState::ExpectToy1 })
    }

    fn password(&self, user: &str) -> Result<Secret<String>, Error> {
        let denied = || refused(SecStatus::SEC_E_LOGON_DENIED, "the user is unknown, or the password wrong");
        match &*self.known {
            Known::Users(users) => users.get(user).cloned().ok_or_else(denied),
            Known::Identity(_) => Err(no_credentials("the credentials are a client's")),
        }
    }

    fn step(&mut self, input: &[u8]) -> Result<Step, Error> {
        let token = match (&self.state, read(input)) {
            (ServerState::Complete, _) => return Err(Error::invalid_handle("the handshake is complete")),
            (ServerState::Failed(error), _) => return Err(error.clone()),
            (_, Err(missing)) => return Ok(Step::Incomplete { missing: Some(missing) }),
            (_, Ok(token)) => token,
        };
        match core::mem::replace(&mut self.state, ServerState::ExpectToy1) {
            ServerState::ExpectToy3 { nonces, user } => self.toy3(&token, nonces, user),
            ServerState::ExpectAccount { nonces, user, used, answer } => {
                let account = FoundAccount::only(&answer.given()?.clone()?)?;
                self.account(account, nonces, user, used)
            }
            _ => self.toy1(&token),
        }
    }

    fn toy1(&mut self, toy1: &Token<'_>) -> Result<Step, Error> {
        expect(toy1, *b"TOY1")?;
        let Hello { nonce, completion: completed, user } = hello(toy1.body)?;
        let name = core::str::from_utf8(user).map_err(|_| malformed("the user's name is not UTF-8"))?;
        let password = self.password(name)?;
        if *completed != [0; 8] && *completed != completion(&password, nonce, user) {
            return Err(refused(SecStatus::SEC_E_MESSAGE_ALTERED, "TOY1 was altered after it was completed"));
        }
        let nonces = Nonces { client: *nonce, server: self.shared.nonce() };
        let token = token(*b"TOY2", &nonces.server);
        self.state = ServerState::ExpectToy3 { nonces, user: name.into() };
        Ok(Step::Continue { token, used: toy1.length })
    }

    fn toy3(&mut self, toy3: &Token<'_>, nonces: Nonces, user: String) -> Result<Step, Error> {
        expect(toy3, *b"TOY3")?;
        let (proof, channel) =
            toy3.body.split_at_checked(8).ok_or_else(|| malformed("TOY3 has no proof of the password"))?;
        let password = self.password(&user)?;
        if proof != nonces.mac(&password, b"proof") {
            return Err(refused(SecStatus::SEC_E_LOGON_DENIED, "the user is unknown, or the password wrong"));
        }
        let bindings = self.request.channel_bindings.as_ref();
        if bindings.is_some() && channel != channel_proof(&password, bindings) {
            return Err(refused(
                SecStatus::SEC_E_BAD_BINDINGS,
                "the client speaks through another channel than we",
            ));
        }
        let (ask, answer) = Ask::new(PeerIdentity::Name(user.clone()));
        self.state = ServerState::ExpectAccount { nonces, user, used: toy3.length, answer };
        Ok(Step::Ask(Question::Account(ask)))
    }

    fn account(
        &mut self,
        account: Option<Account>,
        nonces: Nonces,
        user: String,
        used: usize,
    ) -> Result<Step, Error> {
        if account.is_none() && !self.request.flags.contains(AscReq::IDENTIFY) {
            return Err(refused(SecStatus::SEC_E_LOGON_DENIED, "no account stands behind the user"));
        }
        let session = Session {
            shared: Arc::clone(&self.shared),
            flags: ContextFlags::Acceptor(
                AscRet::CONFIDENTIALITY
                    | AscRet::INTEGRITY
                    | AscRet::CONNECTION
                    | AscRet::REPLAY_DETECT
                    | AscRet::SEQUENCE_DETECT.with_if(account.is_none(), AscRet::IDENTIFY),
            ),
            key: nonces.session_key(&self.password(&user)?),
            user,
            target: String::new(),
            start: self.shared.clock.now(),
        };
        let context = context::new(session, account, Some(Arc::clone(&self.known)));
        self.state = ServerState::Complete;
        Ok(Step::Complete { context: Box::new(context), token: Vec::new(), used })
    }
}

impl AcceptSecurityContext for Server {
    fn accept_security_context(&mut self, input: &[u8]) -> Result<Step, Failure> {
        let over = matches!(self.state, ServerState::Failed(_) | ServerState::Complete);
        self.step(input).map_err(|error| {
            if over {
                return Failure::silent(error);
            }
            self.state = ServerState::Failed(error.clone());
            failure(error)
        })
    }
}

/// A handshake on an established context: its tokens are messages of the old context, whose halves it owns.
pub(super) struct Again<H> {
    inner: H,
    sender: Sender,
    receiver: Receiver,
    end: Option<Error>,
}

impl<H> Again<H> {
    pub(super) fn new(inner: H, sender: Sender, receiver: Receiver) -> Self {
        Self { inner, sender, receiver, end: None }
    }

    fn wrap(&mut self, token: Vec<u8>) -> Result<Vec<u8>, Error> {
        if token.is_empty() {
            return Ok(token);
        }
        Ok(self::token(*b"TOYR", &self.sender.seal_token(&token)?))
    }

    fn step(
        &mut self,
        input: &[u8],
        advance: impl FnOnce(&mut H, &[u8]) -> Result<Step, Failure>,
    ) -> Result<Step, Failure> {
        if let Some(error) = &self.end {
            return Err(Failure::silent(error.clone()));
        }
        let (plain, length) = match read(input) {
            Ok(again) => {
                expect(&again, *b"TOYR")?;
                (self.receiver.peek_token(again.body)?, again.length)
            }
            Err(_) if input.is_empty() => (Vec::new(), 0),
            Err(missing) => return Ok(Step::Incomplete { missing: Some(missing) }),
        };
        match advance(&mut self.inner, &plain) {
            Ok(Step::Continue { token, .. }) => {
                self.receiver.took_token(length);
                Ok(Step::Continue { token: self.wrap(token)?, used: length })
            }
            Ok(Step::Complete { context, token, .. }) => {
                self.end = Some(Error::invalid_handle("the handshake is complete"));
                Ok(Step::Complete { context, token: self.wrap(token)?, used: length })
            }
            Ok(Step::Incomplete { .. }) if length == 0 => Ok(Step::Incomplete { missing: Some(HEADER) }),
            Ok(Step::Incomplete { .. }) => Err(malformed("TOYR holds a part of a token").into()),
            Ok(ask) => Ok(ask),
            Err(failure) => {
                let token = self.wrap(failure.token).unwrap_or_default();
                Err(Failure { token, error: failure.error })
            }
        }
    }

    fn latched(
        &mut self,
        input: &[u8],
        advance: impl FnOnce(&mut H, &[u8]) -> Result<Step, Failure>,
    ) -> Result<Step, Failure> {
        let step = self.step(input, advance);
        if let Err(failure) = &step {
            self.end.get_or_insert_with(|| failure.error.clone());
        }
        step
    }
}

impl InitializeSecurityContext for Again<Client> {
    fn initialize_security_context(&mut self, input: &[u8]) -> Result<Step, Failure> {
        self.latched(input, |client, token| client.initialize_security_context(token))
    }
}

impl AcceptSecurityContext for Again<Server> {
    fn accept_security_context(&mut self, input: &[u8]) -> Result<Step, Failure> {
        self.latched(input, |server, token| server.accept_security_context(token))
    }
}
