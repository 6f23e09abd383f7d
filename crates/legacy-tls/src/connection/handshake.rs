//! The handshake of any protocol in either role: bytes in, bytes out, until it is over. What a protocol is made of is behind
//! two traits: its [`Channel`] makes messages of bytes, its [`Role`] is the state that takes them.

use std::sync::Arc;

use crate::certificate::Identity;
use crate::connection::{CertificateRequested, Established, Failure, Progress};
use crate::error::{Error, Misbehaved};
use crate::record::Need;
use crate::renegotiation::Directions;
use crate::session::KeepsSessions;
use crate::tls::alert::AlertDescription;

/// The most that a peer may send before its handshake is complete, in bytes.
const MOST: usize = 512 << 10;
/// The answer to an answer that nobody waits for.
pub(crate) const NOT_ASKED: Error = Error::Misused("no certificate was asked for");
/// There is nothing to go on with yet.
pub(crate) const NOT_OVER: Error = Error::Internal("nothing was negotiated");

/// What a record was.
pub(crate) enum Taken<I> {
    /// Nothing for the handshake, or not yet.
    Nothing,
    /// What the handshake goes on with.
    Incoming(I),
    /// Data of the application, from before the peer's keys change.
    Data(Vec<u8>),
}

/// Records in, messages out; messages in, records out.
pub(crate) trait Channel: Sized {
    /// What a handshake can be given.
    type Incoming;

    /// How long the record is that `input` begins with.
    fn record_len(&self, input: &[u8]) -> Result<Need, Error>;
    /// Takes one whole record. `expected` is what the handshake waits for.
    fn take_record(&mut self, record: &[u8], expected: &'static str) -> Result<Taken<Self::Incoming>, Error>;
    /// What the records that were taken have more of, where several messages share one.
    fn next_incoming(&mut self) -> Result<Option<Self::Incoming>, Error> {
        Ok(None)
    }
    /// Nothing may follow what is at hand.
    fn expect_end_of_flight(&self) -> Result<(), Error> {
        Ok(())
    }
    /// Whether something must be sent on a connection that there is already.
    fn has_output_on_connection(&self) -> bool {
        false
    }
    /// What must be sent.
    fn take_output(&mut self) -> Vec<u8>;
    /// What must be sent when the handshake has failed: what was written before, and the protocol's word for the error.
    fn fail(&mut self, error: &Error) -> Vec<u8>;
    /// The alert that the word is, in a protocol that has alerts, as it numbers it.
    fn said(&self, error: &Error) -> Option<AlertDescription> {
        let _no_alerts = error;
        None
    }
    /// Where the session is kept that is offered or taken up again: a failure spoils it.
    fn session_in_use(&self) -> Option<&[u8]>;
    /// Server: the identifier of the session of a ticket that is taken up: a failure spoils it too.
    fn ticket_in_use(&self) -> Option<&[u8]> {
        None
    }
}

/// Why a state takes nothing.
pub(crate) enum Rest {
    /// Something must be asked before anything goes on.
    Asking(CertificateRequested),
    /// The handshake is over.
    Over,
}

/// What came of a handshake.
pub(crate) enum Outcome {
    Established(Box<Established>),
    /// The peer does not negotiate the connection again, or has closed its side instead.
    Declined {
        directions: Box<Directions>,
        closed: bool,
    },
}

/// A role's state.
pub(crate) trait Role: Sized {
    type Config: KeepsSessions;
    type Channel: Channel;

    /// What is awaited, for a sentence.
    fn expected(&self) -> &'static str;
    /// Why nothing is awaited, if that is so.
    fn rest(&self) -> Option<Rest>;
    fn handle(
        self,
        incoming: <Self::Channel as Channel>::Incoming,
        config: &Self::Config,
        channel: &mut Self::Channel,
    ) -> Result<Self, Error>;
    /// The application's answer to a state that asks.
    fn answer(
        self,
        identity: Option<Arc<Identity>>,
        config: &Self::Config,
        channel: &mut Self::Channel,
    ) -> Result<Self, Error> {
        let _nobody_asked = (identity, config, channel);
        Err(NOT_ASKED)
    }
    /// What came of it, once it is over.
    fn conclude(self, channel: Self::Channel) -> Result<Outcome, Error>;
}

/// A handshake.
pub(crate) enum Handshake<R: Role> {
    Running(Box<Running<R>>),
    Complete,
    /// It has failed, and nobody has been told yet.
    Refusing(Failure),
    Failed(Error),
}

pub(crate) struct Running<R: Role> {
    config: Arc<R::Config>,
    channel: R::Channel,
    state: R,
    /// Bytes at the start of the input that were taken in a call that did not say so.
    skipped: usize,
    /// Bytes that were taken in all.
    taken: usize,
}

/// Where a run stopped.
enum Stop {
    More(usize),
    Data(Vec<u8>),
    Resting(Rest),
}

impl<R: Role> Handshake<R> {
    pub(crate) fn new(config: Arc<R::Config>, channel: R::Channel, state: R) -> Self {
        Self::Running(Box::new(Running { config, channel, state, skipped: 0, taken: 0 }))
    }

    /// One whose first message, the first `taken` bytes of the input, was read before. What comes of it shows when the handshake
    /// goes on.
    pub(crate) fn begun(
        config: Arc<R::Config>,
        mut channel: R::Channel,
        taken: usize,
        first: impl FnOnce(&R::Config, &mut R::Channel) -> Result<R, Error>,
    ) -> Self {
        match first(&config, &mut channel) {
            Ok(state) => Self::Running(Box::new(Running { config, channel, state, skipped: taken, taken })),
            Err(error) => Self::Refusing(refused(error, &mut channel)),
        }
    }

    /// Takes what it can of `input`, and says why it stopped.
    pub(crate) fn advance(&mut self, input: &[u8]) -> Result<Progress, Failure> {
        let mut running = self.take_running()?;
        let mut pump = Pump {
            config: &*running.config,
            channel: &mut running.channel,
            used: running.skipped,
            taken: running.taken,
        };
        match pump.run(running.state, input) {
            Ok((state, stop)) => {
                let used = pump.used;
                (running.taken, running.skipped) = (pump.taken, 0);
                running.state = state;
                self.stopped(running, stop, used)
            }
            Err(error) => Err(self.fail(error, &running.config, &mut running.channel)),
        }
    }

    /// Answers what was asked.
    pub(crate) fn answer(&mut self, identity: Option<Arc<Identity>>) -> Result<(), Failure> {
        let is_asking = |running: &Running<R>| matches!(running.state.rest(), Some(Rest::Asking(_)));
        if !matches!(self, Self::Running(running) if is_asking(running)) {
            return Err(Failure::silent(NOT_ASKED));
        }
        let mut running = self.take_running()?;
        match running.state.answer(identity, &running.config, &mut running.channel) {
            Ok(state) => {
                running.state = state;
                *self = Self::Running(running);
                Ok(())
            }
            Err(error) => Err(self.fail(error, &running.config, &mut running.channel)),
        }
    }

    /// Ends it with an error of the caller's.
    pub(crate) fn give_up(&mut self, error: Error) -> Failure {
        match self.take_running() {
            Ok(mut running) => self.fail(error, &running.config, &mut running.channel),
            Err(failure) => failure,
        }
    }

    /// What runs, if anything does.
    fn take_running(&mut self) -> Result<Box<Running<R>>, Failure> {
        match std::mem::replace(self, Self::Complete) {
            Self::Running(running) => Ok(running),
            Self::Complete => Err(Failure::silent(Error::Misused("the handshake is complete already"))),
            Self::Refusing(failure) => {
                *self = Self::Failed(failure.error.clone());
                Err(failure)
            }
            Self::Failed(error) => {
                *self = Self::Failed(error.clone());
                Err(Failure::silent(error))
            }
        }
    }

    fn stopped(
        &mut self,
        mut running: Box<Running<R>>,
        stop: Stop,
        used: usize,
    ) -> Result<Progress, Failure> {
        let progress = match stop {
            Stop::Resting(Rest::Over) => return conclude(*running, used),
            Stop::Resting(Rest::Asking(request)) => {
                running.skipped = used;
                Progress::Ask(request)
            }
            Stop::Data(data) => Progress::Data { data, used },
            Stop::More(missing) => {
                let output = running.channel.take_output();
                if used > 0 || !output.is_empty() {
                    Progress::Continue { output, used }
                } else {
                    Progress::Incomplete { missing }
                }
            }
        };
        *self = Self::Running(running);
        Ok(progress)
    }

    /// A fatal error, ours or the peer's, ends the session too.
    ///
    /// Spec: TLS12 section 7.2.2; SSL2 section 5.3; PCT1 section 5.4.
    fn fail(&mut self, error: Error, config: &R::Config, channel: &mut R::Channel) -> Failure {
        if let Some(key) = channel.session_in_use() {
            config.sessions().remove(key);
        }
        if let (Some(id), Some(tickets)) = (channel.ticket_in_use(), config.sessions().tickets()) {
            tickets.withdraw(id);
        }
        *self = Self::Failed(error.clone());
        refused(error, channel)
    }
}

/// What the peer is told of an error.
fn refused<C: Channel>(error: Error, channel: &mut C) -> Failure {
    Failure { alert: channel.said(&error), output: channel.fail(&error), error }
}

fn conclude<R: Role>(running: Running<R>, used: usize) -> Result<Progress, Failure> {
    let Running { mut channel, state, .. } = running;
    let output = channel.take_output();
    match state.conclude(channel) {
        Ok(Outcome::Established(established)) => Ok(Progress::Complete { established, output, used }),
        Ok(Outcome::Declined { directions, closed }) => Ok(Progress::Declined { directions, closed, used }),
        Err(error) => Err(Failure { error, output, alert: None }),
    }
}

struct Pump<'a, R: Role> {
    config: &'a R::Config,
    channel: &'a mut R::Channel,
    used: usize,
    taken: usize,
}

impl<R: Role> Pump<'_, R> {
    fn run(&mut self, mut state: R, input: &[u8]) -> Result<(R, Stop), Error> {
        loop {
            if let Some(rest) = state.rest() {
                if matches!(rest, Rest::Over) {
                    self.channel.expect_end_of_flight()?;
                }
                return Ok((state, Stop::Resting(rest)));
            }
            if let Some(incoming) = self.channel.next_incoming()? {
                state = state.handle(incoming, self.config, self.channel)?;
                continue;
            }
            // Data may fill the input again and again; what we have to say does not wait for its end.
            if self.channel.has_output_on_connection() {
                return Ok((state, Stop::More(0)));
            }
            let rest = input.get(self.used..).unwrap_or_default();
            let len = match self.channel.record_len(rest)? {
                Need::Whole(len) => len,
                Need::More(missing) => return Ok((state, Stop::More(missing))),
            };
            let record = rest.get(..len).unwrap_or_default();
            self.used += len;
            let incoming = match self.channel.take_record(record, state.expected())? {
                // It is the application's, which takes it as it comes: any amount.
                Taken::Data(data) => return Ok((state, Stop::Data(data))),
                Taken::Incoming(incoming) => Some(incoming),
                Taken::Nothing => None,
            };
            self.taken += len;
            if self.taken > MOST {
                return Err(Misbehaved::Flood { what: "bytes of handshake", limit: MOST }.into());
            }
            if let Some(incoming) = incoming {
                state = state.handle(incoming, self.config, self.channel)?;
            }
        }
    }
}
