//! Message protection, and what a context knows.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use sspi_core::{
    AcceptRequest, Account, ContextFlags, ControlToken, Decrypted, Error, ExportedContext, Fault,
    InitializeRequest, KeyInfo, Lifespan, PackageInfo, PairedContext, QualityOfProtection,
    QueryContextAttributes, ReceivingHalf, Renegotiation, RenegotiationRefused, SecBuffer, SecBufferType,
    SecStatus, Secret, SecurityContext, SendingHalf, SharedPart, Sizes,
};
use sspi_core::{AlgId, AscRet, IscRet};

use super::arithmetic::{ToyKeystream, ToyMac};
use super::handshake::{Again, Client, Server};
use super::{Known, LIFESPAN, SECURITY_TRAILER, SIGNATURE, Shared};

const ENCRYPTED: u8 = 0;
const SIGNED: u8 = 1;
const RENEGOTIATE: u8 = 2;
const SHUTDOWN: u8 = 3;
const ALERT: u8 = 4;
const TOKEN: u8 = 5;

/// What the handshake left: the attributes of the context.
pub(super) struct Session {
    pub(super) shared: Arc<Shared>,
    pub(super) flags: ContextFlags,
    pub(super) user: String,
    pub(super) target: String,
    pub(super) key: Secret<Vec<u8>>,
    pub(super) start: SystemTime,
}

impl QueryContextAttributes for Session {
    fn package_info(&self) -> &PackageInfo {
        &self.shared.info
    }

    fn flags(&self) -> ContextFlags {
        self.flags
    }

    fn sizes(&self) -> Result<Sizes, Error> {
        Ok(Sizes {
            max_token: 512,
            max_signature: SECURITY_TRAILER,
            block_size: 1,
            security_trailer: SECURITY_TRAILER,
        })
    }

    fn names(&self) -> Result<String, Error> {
        Ok(self.user.clone())
    }

    fn native_names(&self) -> Result<(String, String), Error> {
        Ok((self.user.clone(), self.target.clone()))
    }

    fn lifespan(&self) -> Result<Lifespan, Error> {
        Ok(Lifespan { start: Some(self.start), expiry: Some(self.start + LIFESPAN) })
    }

    fn session_key(&self) -> Result<Secret<Vec<u8>>, Error> {
        Ok(self.key.clone())
    }

    fn key_info(&self) -> Result<KeyInfo, Error> {
        Ok(KeyInfo {
            signature_algorithm_name: "a toy checksum".into(),
            encrypt_algorithm_name: "a toy keystream".into(),
            key_size: 64,
            signature_algorithm: AlgId::NONE,
            encrypt_algorithm: AlgId::NONE,
        })
    }
}

/// One direction of protection.
#[derive(Clone)]
struct Direction {
    key: Secret<[u8; 8]>,
    sequence: u32,
}

impl Direction {
    fn new(session_key: &Secret<Vec<u8>>, from_client: bool) -> Self {
        let label: &[u8] = if from_client { b"client to server" } else { b"server to client" };
        let key = ToyMac::new(session_key.expose_secret()).piece(label).finish();
        Self { key: Secret::new(key), sequence: 0 }
    }

    fn checksum<'a>(&self, kind: u8, pieces: impl Iterator<Item = &'a [u8]>) -> [u8; 8] {
        let mac = ToyMac::new(self.key.expose_secret()).piece(&[kind]).piece(&self.sequence.to_be_bytes());
        pieces.fold(mac, ToyMac::piece).finish()
    }

    fn signature(&self, kind: u8, checksum: [u8; 8]) -> [u8; SIGNATURE] {
        let mut signature = [0; SIGNATURE];
        let parts = [kind].into_iter().chain(self.sequence.to_be_bytes()).chain([0; 3]).chain(checksum);
        signature.iter_mut().zip(parts).for_each(|(byte, part)| *byte = part);
        signature
    }

    fn keystream(&self) -> ToyKeystream {
        ToyKeystream::new(*self.key.expose_secret(), self.sequence)
    }
}

/// The buffers of data that are signed, and whether they are encrypted too.
fn data_buffers(buffers: &[SecBuffer]) -> impl Iterator<Item = (Range<usize>, bool)> {
    let data = buffers.iter().filter(|buffer| {
        buffer.buffer_type.kind() == SecBufferType::DATA && !buffer.buffer_type.has(SecBufferType::READONLY)
    });
    data.map(|buffer| (buffer.range(), !buffer.buffer_type.has(SecBufferType::READONLY_WITH_CHECKSUM)))
}

fn pieces<'a>(memory: &'a [u8], buffers: &'a [SecBuffer]) -> impl Iterator<Item = &'a [u8]> {
    data_buffers(buffers).map(|(range, _)| memory.get(range).unwrap_or_default())
}

fn encrypt(memory: &mut [u8], buffers: &[SecBuffer], mut keystream: ToyKeystream) {
    for (range, _) in data_buffers(buffers).filter(|(_, encrypted)| *encrypted) {
        keystream.apply(memory.get_mut(range).unwrap_or_default());
    }
}

fn check(memory: &[u8], buffers: &[SecBuffer]) -> Result<(), Error> {
    if buffers.iter().all(|buffer| buffer.range().end <= memory.len()) {
        return Ok(());
    }
    Err(Error::invalid_buffers("a buffer ends behind the memory"))
}

/// The sending half.
pub(super) struct Sender {
    direction: Direction,
    closed: bool,
    exported: Exported,
}

/// Whether another process goes on with the context.
#[derive(Clone, Default)]
struct Exported(Arc<AtomicBool>);

impl Exported {
    fn check(&self) -> Result<(), Error> {
        let is_gone = self.0.load(Ordering::Relaxed);
        if is_gone { Err(Error::invalid_handle("the context was exported")) } else { Ok(()) }
    }
}

impl Sender {
    /// A message in one piece, from the package itself.
    fn message(&mut self, kind: u8, data: &[u8]) -> Vec<u8> {
        let checksum = self.direction.checksum(kind, core::iter::once(data));
        let mut message = self.direction.signature(kind, checksum).to_vec();
        message.extend_from_slice(data);
        self.direction.sequence = self.direction.sequence.wrapping_add(1);
        message
    }

    /// A token of a later handshake as a message.
    pub(super) fn seal_token(&mut self, token: &[u8]) -> Result<Vec<u8>, Error> {
        self.open()?;
        Ok(self.message(TOKEN, token))
    }

    fn open(&self) -> Result<(), Error> {
        self.exported.check()?;
        if self.closed {
            let status = SecStatus::SEC_E_CONTEXT_EXPIRED;
            return Err(Error::new(status, Fault::ApiMisuse, "the context was shut down"));
        }
        Ok(())
    }

    fn protect(&mut self, kind: u8, memory: &mut [u8], buffers: &mut [SecBuffer]) -> Result<(), Error> {
        self.open()?;
        check(memory, buffers)?;
        let room = SecBuffer::find(buffers, SecBufferType::TOKEN)?;
        let checksum = self.direction.checksum(kind, pieces(memory, buffers));
        let signature = self.direction.signature(kind, checksum);
        let Some(place) = memory.get_mut(room.start..room.end).and_then(|room| room.get_mut(..SIGNATURE))
        else {
            let status = SecStatus::SEC_E_BUFFER_TOO_SMALL;
            return Err(Error::new(status, Fault::ApiMisuse, "the token buffer is shorter than a signature"));
        };
        place.copy_from_slice(&signature);
        if kind == ENCRYPTED {
            encrypt(memory, buffers, self.direction.keystream());
        }
        for buffer in buffers.iter_mut() {
            match buffer.buffer_type.kind() {
                SecBufferType::TOKEN => buffer.len = SIGNATURE,
                SecBufferType::PADDING => buffer.len = 0,
                _ => {}
            }
        }
        self.direction.sequence = self.direction.sequence.wrapping_add(1);
        Ok(())
    }
}

impl SendingHalf for Sender {
    fn encrypt_message(
        &mut self,
        quality: QualityOfProtection,
        memory: &mut [u8],
        buffers: &mut [SecBuffer],
    ) -> Result<(), Error> {
        let kind = if quality == QualityOfProtection::WrapNoEncrypt { SIGNED } else { ENCRYPTED };
        self.protect(kind, memory, buffers)
    }

    fn make_signature(
        &mut self,
        _quality: QualityOfProtection,
        memory: &mut [u8],
        buffers: &mut [SecBuffer],
    ) -> Result<(), Error> {
        self.protect(SIGNED, memory, buffers)
    }

    fn apply_control_token(&mut self, token: &ControlToken) -> Result<Vec<u8>, Error> {
        self.open()?;
        match token {
            ControlToken::Renegotiate => Ok(self.message(RENEGOTIATE, &[])),
            ControlToken::Shutdown => {
                let message = self.message(SHUTDOWN, &[]);
                self.closed = true;
                Ok(message)
            }
            ControlToken::Alert { number, .. } => Ok(self.message(ALERT, &[*number])),
            _ => Err(Error::unsupported("Toy", "ApplyControlToken for sessions")),
        }
    }
}

/// The receiving half.
pub(super) struct Receiver {
    direction: Direction,
    end: Option<Result<Decrypted, Error>>,
    exported: Exported,
}

fn altered() -> Error {
    let status = SecStatus::SEC_E_MESSAGE_ALTERED;
    Error::new(status, Fault::PeerMisbehaved, "the checksum of a message is wrong").with_alert(20)
}

impl Receiver {
    fn ended(&self) -> Result<Option<Decrypted>, Error> {
        self.exported.check()?;
        self.end.clone().transpose()
    }

    fn fail<T>(&mut self, error: Error) -> Result<T, Error> {
        self.end = Some(Err(error.clone()));
        Err(error)
    }

    /// Compares a signature with the data that it signs; the kind is the signature's.
    fn compare<'a>(&self, signature: &[u8], data: impl Iterator<Item = &'a [u8]>) -> Result<u8, Error> {
        let &[kind, a, b, c, d, 0, 0, 0, ..] = signature else { return Err(altered()) };
        let sequence = u32::from_be_bytes([a, b, c, d]);
        let claimed = Direction { sequence, ..self.direction.clone() };
        let checksum = claimed.checksum(kind, data);
        if *signature != claimed.signature(kind, checksum) {
            return Err(altered());
        }
        if sequence != self.direction.sequence {
            return Err(Error::new(
                SecStatus::SEC_E_OUT_OF_SEQUENCE,
                Fault::PeerMisbehaved,
                format!("message {sequence} came in the place of {}", self.direction.sequence),
            )
            .with_alert(10));
        }
        Ok(kind)
    }

    /// The token in a message of a later handshake. The message is taken by [`took_token`](Self::took_token).
    pub(super) fn peek_token(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let (signature, token) = message.split_at_checked(SIGNATURE).ok_or_else(altered)?;
        match self.compare(signature, core::iter::once(token))? {
            TOKEN => Ok(token.to_vec()),
            _ => Err(altered()),
        }
    }

    /// The message that was looked at is used, if there was one.
    pub(super) fn took_token(&mut self, length: usize) {
        if length > 0 {
            self.direction.sequence = self.direction.sequence.wrapping_add(1);
        }
    }

    /// Signature and data: from their own buffers, or out of a whole message in a stream buffer.
    fn locate(memory: &[u8], buffers: &mut [SecBuffer]) -> Result<Range<usize>, Error> {
        check(memory, buffers)?;
        let Ok(message) = SecBuffer::find(buffers, SecBufferType::STREAM) else {
            return SecBuffer::find(buffers, SecBufferType::TOKEN);
        };
        if message.len() < SIGNATURE {
            return Err(altered());
        }
        let middle = message.start + SIGNATURE;
        let data = buffers.iter_mut().find(|buffer| buffer.buffer_type == SecBufferType::DATA);
        let data = data.ok_or_else(|| Error::invalid_buffers("there is no data buffer"))?;
        *data = SecBuffer::new(SecBufferType::DATA, middle..message.end);
        Ok(message.start..middle)
    }

    fn unprotect(
        &mut self,
        memory: &mut [u8],
        buffers: &[SecBuffer],
        signature: Range<usize>,
    ) -> Result<u8, Error> {
        let signature = memory.get(signature).unwrap_or_default().to_vec();
        let encrypted = signature.first() == Some(&ENCRYPTED);
        if encrypted {
            let sequence = signature.get(1..5).and_then(|s| s.try_into().ok()).map_or(0, u32::from_be_bytes);
            encrypt(memory, buffers, Direction { sequence, ..self.direction.clone() }.keystream());
        }
        let kind = self.compare(&signature, pieces(memory, buffers))?;
        self.direction.sequence = self.direction.sequence.wrapping_add(1);
        Ok(kind)
    }
}

impl ReceivingHalf for Receiver {
    fn decrypt_message(&mut self, memory: &mut [u8], buffers: &mut [SecBuffer]) -> Result<Decrypted, Error> {
        if let Some(end) = self.ended()? {
            return Ok(end);
        }
        let signature = match Self::locate(memory, buffers) {
            Err(error) if error.fault() == Fault::PeerMisbehaved => return self.fail(error),
            located => located?,
        };
        match self.unprotect(memory, buffers, signature) {
            Ok(ENCRYPTED | SIGNED) => Ok(Decrypted::Message),
            Ok(RENEGOTIATE) => Ok(Decrypted::Renegotiate),
            Ok(SHUTDOWN) => {
                self.end = Some(Ok(Decrypted::Expired));
                Ok(Decrypted::Expired)
            }
            Ok(ALERT) => {
                let number = pieces(memory, buffers).flatten().next().copied().unwrap_or_default();
                let status = SecStatus::SEC_E_ILLEGAL_MESSAGE;
                let message = format!("the peer sent the alert {number}");
                self.fail(Error::new(status, Fault::PeerReported, message))
            }
            Ok(_) => self.fail(altered()),
            Err(error) => self.fail(error),
        }
    }

    fn verify_signature(
        &mut self,
        memory: &[u8],
        buffers: &[SecBuffer],
    ) -> Result<QualityOfProtection, Error> {
        if self.ended()?.is_some() {
            return Err(Error::invalid_handle("the peer has shut the context down"));
        }
        check(memory, buffers)?;
        let signature = SecBuffer::find(buffers, SecBufferType::TOKEN)?;
        let signature = memory.get(signature).unwrap_or_default();
        match self.compare(signature, pieces(memory, buffers)) {
            Ok(SIGNED) => {
                self.direction.sequence = self.direction.sequence.wrapping_add(1);
                Ok(QualityOfProtection::Default)
            }
            Ok(_) => self.fail(altered()),
            Err(error) => self.fail(error),
        }
    }
}

/// The context.
pub(super) type ToyContext = PairedContext<Kept>;

/// What belongs to neither half.
pub(super) struct Kept {
    session: Arc<Session>,
    account: Option<Account>,
    /// With what to negotiate again; an imported context has nothing.
    known: Option<Arc<Known>>,
}

/// A context from what its handshake left.
pub(super) fn new(session: Session, account: Option<Account>, known: Option<Arc<Known>>) -> ToyContext {
    let client = matches!(session.flags, ContextFlags::Initiator(_));
    let exported = Exported::default();
    let direction = Direction::new(&session.key, client);
    let sender = Sender { direction, closed: false, exported: exported.clone() };
    let receiver = Receiver { direction: Direction::new(&session.key, !client), end: None, exported };
    PairedContext { sender, receiver, shared: Kept { session: Arc::new(session), account, known } }
}

impl SharedPart for Kept {
    type Sender = Sender;
    type Receiver = Receiver;

    fn attributes(&self) -> Arc<dyn QueryContextAttributes> {
        Arc::clone(&self.session) as Arc<dyn QueryContextAttributes>
    }

    fn security_context_token(&self) -> Result<Account, Error> {
        self.account.clone().ok_or_else(|| {
            let status = SecStatus::SEC_E_NO_IMPERSONATION;
            Error::new(status, Fault::ApiMisuse, "no account stands behind the context")
        })
    }

    fn renegotiate(context: Box<ToyContext>, _extra: &[u8]) -> Result<Renegotiation, RenegotiationRefused> {
        let Self { session, known, .. } = &context.shared;
        let Some(known) = known else {
            let error = Error::unsupported("Toy", "renegotiation of an imported context");
            return Err(RenegotiationRefused { context, error });
        };
        let shared = &session.shared;
        let renegotiation = match session.flags {
            ContextFlags::Initiator(_) => {
                let request = InitializeRequest {
                    target_name: Some(session.target.clone()),
                    ..InitializeRequest::default()
                };
                Client::new(shared, known, &request).map(Inner::Client)
            }
            ContextFlags::Acceptor(_) => {
                Server::new(shared, known, &AcceptRequest::default()).map(Inner::Server)
            }
        };
        match renegotiation {
            Ok(Inner::Client(client)) => {
                Ok(Renegotiation::Initialize(Box::new(Again::new(client, context.sender, context.receiver))))
            }
            Ok(Inner::Server(server)) => {
                Ok(Renegotiation::Accept(Box::new(Again::new(server, context.sender, context.receiver))))
            }
            Err(error) => Err(RenegotiationRefused { context, error }),
        }
    }

    /// ```text
    /// role 1 (0 client, 1 server) · flags 8 · sequence sending 4 · sequence receiving 4 · key 16 · user
    /// ```
    ///
    /// An account does not travel: the other process asks its own directory.
    fn export(context: &ToyContext) -> Result<ExportedContext, Error> {
        context.sender.open()?;
        context.sender.exported.0.store(true, Ordering::Relaxed);
        let session = &context.shared.session;
        let (role, flags) = match session.flags {
            ContextFlags::Initiator(flags) => (0, flags.0),
            ContextFlags::Acceptor(flags) => (1, flags.0),
        };
        let content = [
            &[role],
            &flags.to_be_bytes()[..],
            &context.sender.direction.sequence.to_be_bytes(),
            &context.receiver.direction.sequence.to_be_bytes(),
            session.key.expose_secret(),
            session.user.as_bytes(),
        ];
        Ok(ExportedContext {
            package: session.shared.info.name.to_string(),
            content: Secret::new(content.concat()),
        })
    }
}

enum Inner {
    Client(Client),
    Server(Server),
}

/// A context from what [`SecurityContext::export`] made.
pub(super) fn import(
    shared: &Arc<Shared>,
    exported: &ExportedContext,
) -> Result<Box<dyn SecurityContext>, Error> {
    let wrong = || {
        let status = SecStatus::SEC_E_INVALID_TOKEN;
        Error::new(status, Fault::Decode, "this is not an exported context of this package")
    };
    let fields = |content| {
        let (&[role], content) = <[u8]>::split_first_chunk::<1>(content)?;
        let (flags, content) = content.split_first_chunk::<8>()?;
        let (sending, content) = content.split_first_chunk::<4>()?;
        let (receiving, content) = content.split_first_chunk::<4>()?;
        let (key, user) = content.split_first_chunk::<16>()?;
        let flags = u64::from_be_bytes(*flags);
        let flags = match role {
            0 => ContextFlags::Initiator(IscRet(flags)),
            1 => ContextFlags::Acceptor(AscRet(flags)),
            _ => return None,
        };
        let user = String::from_utf8(user.to_vec()).ok()?;
        Some((flags, u32::from_be_bytes(*sending), u32::from_be_bytes(*receiving), key.to_vec(), user))
    };
    if exported.package != shared.info.name {
        return Err(wrong());
    }
    let (flags, sending, receiving, key, user) =
        fields(exported.content.expose_secret()).ok_or_else(wrong)?;
    let session = Session {
        shared: Arc::clone(shared),
        flags,
        user,
        target: String::new(),
        key: Secret::new(key),
        start: shared.clock.now(),
    };
    let mut context = new(session, None, None);
    context.sender.direction.sequence = sending;
    context.receiver.direction.sequence = receiving;
    Ok(Box::new(context))
}
