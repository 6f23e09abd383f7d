//! Both ends of a handshake in one process, with every delivery under the test's control.

use std::collections::VecDeque;

use sspi_core::{
    AcceptSecurityContext, Decrypted, Error, Failure, InitializeSecurityContext, QualityOfProtection,
    Question, ReceivingHalf, SecBuffer, SecBufferType, SecurityContext, SendingHalf, Step, StreamLayout,
    StreamSizes,
};

/// One end of a handshake, whichever its role.
pub enum End {
    /// An initiator.
    Client(Box<dyn InitializeSecurityContext>),
    /// An acceptor.
    Server(Box<dyn AcceptSecurityContext>),
}

impl End {
    /// One call.
    ///
    /// # Errors
    /// What the package answers.
    pub fn advance(&mut self, input: &[u8]) -> Result<Step, Failure> {
        match self {
            Self::Client(client) => client.initialize_security_context(input),
            Self::Server(server) => server.accept_security_context(input),
        }
    }
}

impl From<Box<dyn InitializeSecurityContext>> for End {
    fn from(client: Box<dyn InitializeSecurityContext>) -> Self {
        Self::Client(client)
    }
}

impl From<Box<dyn AcceptSecurityContext>> for End {
    fn from(server: Box<dyn AcceptSecurityContext>) -> Self {
        Self::Server(server)
    }
}

/// How a side of the pair stands.
enum Side {
    Running(End),
    Established(Box<dyn SecurityContext>),
    Failed(Error),
}

/// One side: its handshake or context, and what was delivered and not taken.
struct Half {
    side: Option<Side>,
    pending: Vec<u8>,
    inbox: VecDeque<u8>,
    /// Everything that this side sent, in order.
    sent: Vec<u8>,
    /// The calls that stopped with nothing to do.
    stalled: bool,
}

impl Half {
    fn new(end: End) -> Self {
        Self {
            side: Some(Side::Running(end)),
            pending: Vec::new(),
            inbox: VecDeque::new(),
            sent: Vec::new(),
            stalled: false,
        }
    }

    /// Calls the handshake once with what is pending. Returns what it wants sent.
    fn call(&mut self, answer: &mut dyn FnMut(Question)) -> Vec<u8> {
        let Some(Side::Running(mut end)) = self.side.take() else { unreachable_side() };
        let (side, out) = match end.advance(&self.pending) {
            Ok(Step::Continue { token, used }) => {
                self.stalled = token.is_empty() && used == 0;
                self.pending.drain(..used);
                (Side::Running(end), token)
            }
            Ok(Step::Incomplete { .. }) => {
                self.stalled = true;
                (Side::Running(end), Vec::new())
            }
            Ok(Step::Ask(question)) => {
                answer(question);
                (Side::Running(end), Vec::new())
            }
            Ok(Step::Data { .. } | Step::Declined { .. }) => panic!("of a second handshake only"),
            Ok(Step::Complete { context, token, used }) => {
                self.pending.drain(..used);
                (Side::Established(context), token)
            }
            Err(Failure { error, token }) => (Side::Failed(error), token),
        };
        self.side = Some(side);
        self.sent.extend_from_slice(&out);
        out
    }

    const fn is_running(&self) -> bool {
        matches!(self.side, Some(Side::Running(_)))
    }
}

fn unreachable_side() -> ! {
    panic!("the side of a pair is always there between calls")
}

/// An established side: its context and the bytes that arrived behind the handshake.
pub struct Established {
    /// The context.
    pub context: Box<dyn SecurityContext>,
    /// What follows the handshake in what was delivered: for `decrypt_message`.
    pub extra: Vec<u8>,
    /// Everything that this side sent during the handshake.
    pub sent: Vec<u8>,
}

/// What became of one side.
pub type Outcome = Result<Established, Error>;

/// Runs a handshake to its end on both sides; a side that fails ends it, and its last token is still delivered.
///
/// `chunk` is how many bytes are delivered at a time; `answer` answers questions.
pub fn run(
    client: impl Into<End>,
    server: impl Into<End>,
    chunk: usize,
    answer: &mut dyn FnMut(Question),
) -> (Outcome, Outcome) {
    run_with(client, server, chunk, answer, &mut |_from_client, _bytes| {})
}

/// As [`run`], with someone in the middle who may change every token.
pub fn run_with(
    client: impl Into<End>,
    server: impl Into<End>,
    chunk: usize,
    answer: &mut dyn FnMut(Question),
    middle: &mut dyn FnMut(bool, &mut Vec<u8>),
) -> (Outcome, Outcome) {
    let (mut client, mut server) = (Half::new(client.into()), Half::new(server.into()));
    let mut token = client.call(answer);
    middle(true, &mut token);
    server.inbox.extend(token);
    for _round in 0..1_000_000 {
        let mut moved = false;
        for from_client in [false, true] {
            let (this, other) =
                if from_client { (&mut client, &mut server) } else { (&mut server, &mut client) };
            let arrived = this.inbox.len().min(chunk);
            this.pending.extend(this.inbox.drain(..arrived));
            this.stalled &= arrived == 0;
            moved |= arrived > 0;
            if this.is_running() && !this.stalled && !(this.pending.is_empty() && arrived == 0) {
                let mut token = this.call(answer);
                moved = true;
                middle(from_client, &mut token);
                other.inbox.extend(token);
            }
        }
        if !moved {
            break;
        }
    }
    (outcome(client), outcome(server))
}

fn outcome(half: Half) -> Outcome {
    match half.side {
        Some(Side::Established(context)) => Ok(Established { context, extra: half.pending, sent: half.sent }),
        Some(Side::Failed(error)) => Err(error),
        _ => Err(Error::invalid_handle("the handshake did not come to an end")),
    }
}

/// Protects `data` as one record of a stream package.
///
/// # Errors
/// What the package answers.
pub fn seal(sender: &mut dyn SendingHalf, sizes: &StreamSizes, data: &[u8]) -> Result<Vec<u8>, Error> {
    let layout = StreamLayout::new(sizes, data.len());
    let mut memory = vec![0; layout.end()];
    memory[layout.data_range()].copy_from_slice(data);
    let mut buffers = layout.buffers();
    sender.encrypt_message(QualityOfProtection::Default, &mut memory, &mut buffers)?;
    Ok(memory[StreamLayout::message_range(&buffers)].to_vec())
}

/// The four buffers of `DecryptMessage` for a stream package, over `len` bytes of memory.
#[must_use]
pub fn receive_buffers(len: usize) -> [SecBuffer; 4] {
    [SecBuffer::new(SecBufferType::DATA, 0..len), SecBuffer::EMPTY, SecBuffer::EMPTY, SecBuffer::EMPTY]
}

/// Takes every whole record off `input`: the data, and why it stopped (`Message` when the input ran out).
///
/// # Errors
/// What the package answers.
pub fn open(receiver: &mut dyn ReceivingHalf, input: &mut Vec<u8>) -> Result<(Vec<u8>, Decrypted), Error> {
    let mut data = Vec::new();
    loop {
        if input.is_empty() {
            return Ok((data, Decrypted::Message));
        }
        let mut buffers = receive_buffers(input.len());
        let decrypted = receiver.decrypt_message(input, &mut buffers)?;
        if let Decrypted::Incomplete { .. } = decrypted {
            return Ok((data, decrypted));
        }
        data.extend_from_slice(&input[buffers[1].range()]);
        let rest = if buffers[3].buffer_type == SecBufferType::EXTRA {
            input[buffers[3].range()].to_vec()
        } else {
            Vec::new()
        };
        *input = rest;
        if decrypted != Decrypted::Message {
            return Ok((data, decrypted));
        }
    }
}
