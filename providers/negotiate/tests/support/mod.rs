//! What the tests of the package share: packages with any number of legs whose signatures are sums, and a peer in between.
#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    reason = "each test file uses its own part of this module"
)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failure here is a failed test"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use gss::{InitialContextToken, MechType};
use opensspi_negotiate::{Negotiate, NegotiateConfig};
use sspi_core::{
    AcceptRequest, AcceptSecurityContext, AscReq, AscRet, ContextFlags, CredentialUse, CredentialsHandle,
    CredentialsRequest, Decrypted, Error, Failure, Fault, InitializeRequest, InitializeSecurityContext,
    IscReq, IscRet, Oid, PackageInfo, PairedContext, QualityOfProtection, QueryContextAttributes,
    QueryCredentialsAttributes, ReceivingHalf, Registry, SecBuffer, SecBufferType, SecPkgFlags, SecStatus,
    SecurityContext, SecurityPackage, SendingHalf, SharedPart, Sizes, Step,
};

pub const STRONG: &str = "1.3.6.1.4.1.99999.1";
pub const WEAK: &str = "1.3.6.1.4.1.99999.2";
pub const OTHER: &str = "1.3.6.1.4.1.99999.3";

/// A package of this many tokens, the client's first.
#[derive(Clone)]
pub struct Toy {
    info: PackageInfo,
    legs: usize,
    signs: bool,
    /// There are no credentials of it.
    is_unknown: bool,
    /// Why a client cannot begin.
    broken: bool,
    /// Whether it asks for a MIC of its own accord.
    wants_mic: bool,
    /// Whether its first token has the frame of GSS-API.
    is_framed: bool,
    /// How often key streams began anew.
    pub resets: Arc<AtomicUsize>,
}

impl Toy {
    pub fn new(name: &str, oids: &[&str], legs: usize) -> Self {
        let info = PackageInfo {
            name: name.to_owned().into(),
            aliases: vec![],
            comment: "".into(),
            capabilities: SecPkgFlags::NEGOTIABLE | SecPkgFlags::INTEGRITY,
            version: 1,
            rpc_id: 0xffff,
            max_token: 64,
            oids: oids.iter().map(|oid| Oid::from_dotted(oid).unwrap()).collect(),
        };
        Self {
            info,
            legs,
            signs: true,
            is_unknown: false,
            broken: false,
            wants_mic: false,
            is_framed: false,
            resets: Arc::default(),
        }
    }

    pub fn without_signatures(mut self) -> Self {
        self.info.capabilities = SecPkgFlags::NEGOTIABLE;
        self.losing_signatures()
    }

    /// It can sign, and what it came to cannot.
    pub fn losing_signatures(self) -> Self {
        Self { signs: false, ..self }
    }

    pub fn without_credentials(self) -> Self {
        Self { is_unknown: true, ..self }
    }

    pub fn broken(self) -> Self {
        Self { broken: true, ..self }
    }

    pub fn wanting_mic(self) -> Self {
        Self { wants_mic: true, ..self }
    }

    /// As Kerberos: without SPNEGO, too, its first token says whose it is.
    pub fn framed(self) -> Self {
        Self { is_framed: true, ..self }
    }

    /// Without Negotiate.
    pub fn bare_client(&self) -> Client {
        let request = InitializeRequest { flags: IscReq::INTEGRITY, ..InitializeRequest::default() };
        self.acquire_credentials_handle(&outbound()).unwrap().initialize(&request).unwrap()
    }
}

impl SecurityPackage for Toy {
    fn package_info(&self) -> &PackageInfo {
        &self.info
    }

    fn acquire_credentials_handle(
        &self,
        request: &CredentialsRequest,
    ) -> Result<Arc<dyn CredentialsHandle>, Error> {
        if self.is_unknown {
            let message = "nobody is logged on";
            return Err(Error::new(SecStatus::SEC_E_NO_CREDENTIALS, Fault::Configuration, message));
        }
        Ok(Arc::new(ToyCredentials(self.clone(), request.credential_use)))
    }
}

struct ToyCredentials(Toy, CredentialUse);

impl QueryCredentialsAttributes for ToyCredentials {
    fn package_name(&self) -> &str {
        &self.0.info.name
    }
}

impl CredentialsHandle for ToyCredentials {
    fn package_info(&self) -> &PackageInfo {
        &self.0.info
    }

    fn credential_use(&self) -> CredentialUse {
        self.1
    }

    fn initialize(&self, request: &InitializeRequest) -> Result<Box<dyn InitializeSecurityContext>, Error> {
        let is_unwanted = request.flags.contains(IscReq::NO_INTEGRITY);
        assert_ne!(request.flags.contains(IscReq::INTEGRITY), is_unwanted, "signatures are always asked for");
        Ok(Box::new(ToyHandshake { toy: self.0.clone(), leg: 0, is_client: true }))
    }

    fn accept(&self, _: &AcceptRequest) -> Result<Box<dyn AcceptSecurityContext>, Error> {
        Ok(Box::new(ToyHandshake { toy: self.0.clone(), leg: 1, is_client: false }))
    }
}

/// The number of the next token to come; the client's first call has none.
struct ToyHandshake {
    toy: Toy,
    leg: usize,
    is_client: bool,
}

impl ToyHandshake {
    fn token(&self, number: usize) -> Vec<u8> {
        let inner = format!("{}{number}", self.toy.info.name).into_bytes();
        let oid = self.toy.info.oids.first().filter(|_| self.toy.is_framed && number == 1);
        oid.map_or(inner.clone(), |oid| {
            InitialContextToken { mechanism: mech_type(oid.content()), inner: &inner }.to_bytes()
        })
    }

    fn step(&mut self, input: &[u8]) -> Result<Step, Failure> {
        let wrong = |message: &'static str| {
            Failure::silent(Error::new(SecStatus::SEC_E_INVALID_TOKEN, Fault::PeerMisbehaved, message))
        };
        if self.toy.broken {
            return Err(wrong("the package cannot begin"));
        }
        if self.leg > 0 && input != self.token(self.leg) {
            return Err(wrong("another token was expected"));
        }
        let (sends, used) = (self.leg + 1, input.len());
        self.leg += 2;
        let token = if sends <= self.toy.legs { self.token(sends) } else { Vec::new() };
        if sends < self.toy.legs {
            return Ok(Step::Continue { token, used });
        }
        Ok(Step::Complete { context: self.toy.context(self.is_client), token, used })
    }
}

impl InitializeSecurityContext for ToyHandshake {
    fn initialize_security_context(&mut self, input: &[u8]) -> Result<Step, Failure> {
        self.step(input)
    }
}

impl AcceptSecurityContext for ToyHandshake {
    fn accept_security_context(&mut self, input: &[u8]) -> Result<Step, Failure> {
        self.step(input)
    }
}

impl Toy {
    fn context(&self, is_client: bool) -> Box<dyn SecurityContext> {
        let name = self.info.name.to_string();
        let half = |from_client| Half { key: format!("{name} {from_client}"), number: 0 };
        let shared = ToyAttributes { toy: self.clone(), is_client };
        Box::new(PairedContext { sender: half(is_client), receiver: half(!is_client), shared })
    }
}

#[derive(Clone)]
struct ToyAttributes {
    toy: Toy,
    is_client: bool,
}

impl QueryContextAttributes for ToyAttributes {
    fn package_info(&self) -> &PackageInfo {
        &self.toy.info
    }

    fn flags(&self) -> ContextFlags {
        if self.is_client {
            ContextFlags::Initiator(IscRet::NONE.with_if(self.toy.signs, IscRet::INTEGRITY))
        } else {
            ContextFlags::Acceptor(AscRet::NONE.with_if(self.toy.signs, AscRet::INTEGRITY))
        }
    }

    fn sizes(&self) -> Result<Sizes, Error> {
        Ok(Sizes { max_token: 64, max_signature: 16, block_size: 0, security_trailer: 16 })
    }

    fn names(&self) -> Result<String, Error> {
        Ok("somebody".to_owned())
    }
}

impl SharedPart for ToyAttributes {
    type Sender = Half;
    type Receiver = Half;

    fn attributes(&self) -> Arc<dyn QueryContextAttributes> {
        Arc::new(self.clone())
    }

    fn requires_list_mic(&self) -> bool {
        self.toy.wants_mic
    }

    fn reset_crypto(context: &mut PairedContext<Self>) {
        context.shared.toy.resets.fetch_add(1, Ordering::Relaxed);
    }
}

/// A direction: sums that everybody can make.
pub struct Half {
    key: String,
    number: u64,
}

impl Half {
    fn sum(&mut self, data: &[u8]) -> Vec<u8> {
        let bytes = [self.key.as_bytes(), &self.number.to_be_bytes(), data].concat();
        self.number += 1;
        let sum = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| {
            (sum ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
        });
        sum.to_be_bytes().to_vec()
    }
}

fn parts(buffers: &[SecBuffer]) -> (std::ops::Range<usize>, std::ops::Range<usize>) {
    let find = |kind| SecBuffer::find(buffers, kind).unwrap();
    (find(SecBufferType::TOKEN), find(SecBufferType::DATA))
}

impl SendingHalf for Half {
    fn encrypt_message(
        &mut self,
        quality: QualityOfProtection,
        memory: &mut [u8],
        buffers: &mut [SecBuffer],
    ) -> Result<(), Error> {
        self.make_signature(quality, memory, buffers)
    }

    fn make_signature(
        &mut self,
        _: QualityOfProtection,
        memory: &mut [u8],
        buffers: &mut [SecBuffer],
    ) -> Result<(), Error> {
        let (token, data) = parts(buffers);
        let sum = self.sum(&memory[data]);
        memory[token.start..token.start + 8].copy_from_slice(&sum);
        for buffer in buffers.iter_mut().filter(|buffer| buffer.buffer_type == SecBufferType::TOKEN) {
            buffer.len = 8;
        }
        Ok(())
    }
}

impl ReceivingHalf for Half {
    fn decrypt_message(&mut self, memory: &mut [u8], buffers: &mut [SecBuffer]) -> Result<Decrypted, Error> {
        self.verify_signature(memory, buffers).map(|_| Decrypted::Message)
    }

    fn verify_signature(
        &mut self,
        memory: &[u8],
        buffers: &[SecBuffer],
    ) -> Result<QualityOfProtection, Error> {
        let (token, data) = parts(buffers);
        if self.sum(&memory[data]) == memory[token] {
            return Ok(QualityOfProtection::Default);
        }
        Err(Error::new(SecStatus::SEC_E_MESSAGE_ALTERED, Fault::PeerMisbehaved, "the sum is wrong"))
    }
}

/// Negotiate over these, in this order of preference.
pub fn negotiate(toys: &[Toy]) -> Negotiate {
    let packages = toys.iter().map(|toy| toy.info.name.to_string()).collect();
    over(toys, NegotiateConfig { packages, ..NegotiateConfig::default() })
}

pub fn over(toys: &[Toy], config: NegotiateConfig) -> Negotiate {
    let mut registry = Registry::new();
    for toy in toys {
        registry.register(Arc::new(toy.clone())).unwrap();
    }
    Negotiate::new(config, registry)
}

pub fn outbound() -> CredentialsRequest {
    CredentialsRequest::configured(CredentialUse::Outbound)
}

pub fn inbound() -> CredentialsRequest {
    CredentialsRequest::configured(CredentialUse::Inbound)
}

pub type Client = Box<dyn InitializeSecurityContext>;
pub type Server = Box<dyn AcceptSecurityContext>;

pub fn client(package: &Negotiate) -> Client {
    client_with(package, IscReq::EXTENDED_ERROR)
}

pub fn client_with(package: &Negotiate, flags: IscReq) -> Client {
    let request = InitializeRequest {
        flags,
        target_name: Some("HTTP/www.example.com".to_owned()),
        ..InitializeRequest::default()
    };
    package.acquire_credentials_handle(&outbound()).unwrap().initialize(&request).unwrap()
}

pub fn server(package: &Negotiate) -> Server {
    let request = AcceptRequest { flags: AscReq::EXTENDED_ERROR, ..AcceptRequest::default() };
    package.acquire_credentials_handle(&inbound()).unwrap().accept(&request).unwrap()
}

/// Which end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Client,
    Server,
}

/// What both ends came to, and every token in order.
pub struct Ran {
    pub client: Result<Box<dyn SecurityContext>, Error>,
    pub server: Result<Box<dyn SecurityContext>, Error>,
    pub tokens: Vec<Vec<u8>>,
}

impl Ran {
    pub fn both(self) -> (Box<dyn SecurityContext>, Box<dyn SecurityContext>) {
        let names = |error: Error| panic!("{error} after {:x?}", self.tokens);
        (self.client.unwrap_or_else(names), self.server.unwrap_or_else(names))
    }
}

fn unfinished() -> Error {
    Error::new(SecStatus::SEC_E_INTERNAL_ERROR, Fault::Internal, "the handshake did not end")
}

/// Runs both ends; whoever is in between may change every token, which is given with its number from 0.
pub fn run_through(
    mut client: Client,
    mut server: Server,
    mut between: impl FnMut(usize, Vec<u8>) -> Vec<u8>,
) -> Ran {
    let mut ran = Ran { client: Err(unfinished()), server: Err(unfinished()), tokens: Vec::new() };
    let (mut input, mut turn) = (Vec::new(), End::Client);
    loop {
        let step = match turn {
            End::Client => client.initialize_security_context(&input),
            End::Server => server.accept_security_context(&input),
        };
        let result = match turn {
            End::Client => &mut ran.client,
            End::Server => &mut ran.server,
        };
        let token = match step {
            Ok(Step::Continue { token, used }) => {
                assert_eq!(used, input.len());
                token
            }
            Ok(Step::Complete { context, token, used }) => {
                assert_eq!(used, input.len());
                *result = Ok(context);
                token
            }
            // Nothing came: somebody in between has kept it.
            Ok(Step::Incomplete { .. }) => return ran,
            Ok(step) => panic!("{step:?}"),
            Err(Failure { error, token }) => {
                *result = Err(error);
                token
            }
        };
        if token.is_empty() {
            return ran;
        }
        input = between(ran.tokens.len(), token.clone());
        ran.tokens.push(token);
        turn = if turn == End::Client { End::Server } else { End::Client };
        assert!(ran.tokens.len() < 20, "{:x?}", ran.tokens);
    }
}

pub fn run(client: Client, server: Server) -> Ran {
    run_through(client, server, |_, token| token)
}

pub fn chosen(context: &dyn SecurityContext) -> String {
    context.attributes().negotiation_info().unwrap().package.name.to_string()
}

/// Messages go both ways, and nobody lost count.
pub fn talk(client: &mut dyn SecurityContext, server: &mut dyn SecurityContext) {
    fn one(sender: &mut dyn SecurityContext, receiver: &mut dyn SecurityContext) {
        let mut memory = [&[0; 16][..], b"a message"].concat();
        let mut buffers =
            [SecBuffer::new(SecBufferType::TOKEN, 0..16), SecBuffer::new(SecBufferType::DATA, 16..25)];
        sender.encrypt_message(QualityOfProtection::Default, &mut memory, &mut buffers).unwrap();
        assert_eq!(receiver.decrypt_message(&mut memory, &mut buffers).unwrap(), Decrypted::Message);
        assert_eq!(&memory[16..], b"a message");
    }
    one(client, server);
    one(server, client);
    one(client, server);
}

pub fn mech(oid: &str) -> Vec<u8> {
    Oid::from_dotted(oid).unwrap().content().to_vec()
}

pub fn mech_type(content: &[u8]) -> MechType<'_> {
    MechType::from_content(content).unwrap()
}
