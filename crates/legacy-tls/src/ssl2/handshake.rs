//! A handshake in either role: bytes in, bytes out. The contract is that of the connections.

use std::sync::Arc;

use super::channel::{Channel, Message};
use crate::connection::{CertificateRequested, Established, Failure, MOST, Negotiated, Progress};
use crate::error::{Error, Misbehaved};
use crate::record::Need;
use crate::renegotiation::Previous;
use crate::session::{MasterSecret, SessionStore};
use crate::tls::keys::Randoms;
use crate::tls::versions::{ProtocolVersion, VerifyData};

/// A role's state.
pub(crate) trait Role: Sized {
    type Config;

    fn handle(self, message: Message, config: &Self::Config, channel: &mut Channel) -> Result<Self, Error>;
    /// What must be asked before anything goes on.
    fn question(&self) -> Option<CertificateRequested>;
    fn is_complete(&self) -> bool;
    fn into_negotiated(self) -> Option<Box<Negotiated>>;
    fn sessions(config: &Self::Config) -> &dyn SessionStore;
}

/// A handshake in either role.
pub(crate) enum Handshake<R: Role> {
    Running(Box<Running<R>>),
    Complete,
    Failed(Error),
}

pub(crate) struct Running<R: Role> {
    config: Arc<R::Config>,
    channel: Channel,
    state: R,
    /// Bytes at the start of the input that were taken in a call that then asked something.
    skipped: usize,
    /// Bytes that were taken in all.
    taken: usize,
}

enum Stop {
    More(usize),
    Ask(CertificateRequested),
    Complete,
}

impl<R: Role> Handshake<R> {
    pub(crate) fn new(config: Arc<R::Config>, channel: Channel, state: R) -> Self {
        Self::Running(Box::new(Running { config, channel, state, skipped: 0, taken: 0 }))
    }

    pub(crate) fn advance(&mut self, input: &[u8]) -> Result<Progress, Failure> {
        let failed = |error| Err(Failure { error, output: Vec::new() });
        let running = match std::mem::replace(self, Self::Complete) {
            Self::Running(running) => *running,
            Self::Complete => return failed(Error::Misused("the handshake is complete already")),
            Self::Failed(error) => {
                *self = Self::Failed(error.clone());
                return failed(error);
            }
        };
        let Running { config, mut channel, state, skipped: mut used, mut taken } = running;
        match run(state, input, &config, &mut channel, &mut used, &mut taken) {
            Ok((state, Stop::Complete)) => {
                let output = channel.take_output();
                let (sealer, opener) = channel.into_directions();
                let negotiated = state.into_negotiated().ok_or(Error::Internal("nothing was negotiated"));
                let negotiated = *negotiated.map_err(|error| Failure { error, output: Vec::new() })?;
                let established = Box::new(Established { sealer, opener, negotiated });
                Ok(Progress::Complete { established, output, used })
            }
            Ok((state, Stop::Ask(request))) => {
                *self = Self::Running(Box::new(Running { config, channel, state, skipped: used, taken }));
                Ok(Progress::Ask(request))
            }
            Ok((state, Stop::More(missing))) => {
                let output = channel.take_output();
                *self = Self::Running(Box::new(Running { config, channel, state, skipped: 0, taken }));
                let moved = used > 0 || !output.is_empty();
                Ok(if moved { Progress::Continue { output, used } } else { Progress::Incomplete { missing } })
            }
            Err(error) => Err(self.fail(error, &config, &mut channel)),
        }
    }

    /// Lets the application's answer change the state that asked.
    pub(crate) fn answer(
        &mut self,
        reply: impl FnOnce(R, &R::Config, &mut Channel) -> Result<R, Error>,
    ) -> Result<(), Failure> {
        let misused = || Error::Misused("no certificate was asked for");
        let running = match std::mem::replace(self, Self::Complete) {
            Self::Running(running) if running.state.question().is_some() => *running,
            other => {
                *self = other;
                return Err(Failure { error: misused(), output: Vec::new() });
            }
        };
        let Running { config, mut channel, state, skipped, taken } = running;
        match reply(state, &config, &mut channel) {
            Ok(state) => {
                *self = Self::Running(Box::new(Running { config, channel, state, skipped, taken }));
                Ok(())
            }
            Err(error) => Err(self.fail(error, &config, &mut channel)),
        }
    }

    /// Spec: SSL2 section 5.3: after an error both sides forget the session.
    fn fail(&mut self, error: Error, config: &R::Config, channel: &mut Channel) -> Failure {
        if let Some(key) = &channel.session_in_use {
            R::sessions(config).remove(key);
        }
        let output = channel.fail(&error);
        *self = Self::Failed(error.clone());
        Failure { error, output }
    }
}

fn run<R: Role>(
    mut state: R,
    input: &[u8],
    config: &R::Config,
    channel: &mut Channel,
    used: &mut usize,
    taken: &mut usize,
) -> Result<(R, Stop), Error> {
    loop {
        if state.is_complete() {
            return Ok((state, Stop::Complete));
        }
        if let Some(request) = state.question() {
            return Ok((state, Stop::Ask(request)));
        }
        let rest = input.get(*used..).unwrap_or_default();
        let len = match Channel::record_len(rest)? {
            Need::Whole(len) => len,
            Need::More(missing) => return Ok((state, Stop::More(missing))),
        };
        *used += len;
        *taken += len;
        if *taken > MOST {
            return Err(Misbehaved::Flood { what: "bytes of handshake", limit: MOST }.into());
        }
        let message = channel.take_record(rest.get(..len).unwrap_or_default())?;
        state = state.handle(message, config, channel)?;
    }
}

/// What the messages that this protocol has not would have negotiated: nothing.
pub(crate) struct Hellos<'a> {
    pub(crate) challenge: &'a [u8],
    pub(crate) connection_id: &'a [u8],
}

impl Hellos<'_> {
    /// As the randoms of a later protocol: on the right, zeros before them.
    pub(crate) fn randoms(&self) -> Randoms {
        let right = |bytes: &[u8]| {
            let mut random = [0; 32];
            random.iter_mut().rev().zip(bytes.iter().rev()).for_each(|(to, from)| *to = *from);
            random
        };
        Randoms { client: right(self.challenge), server: right(self.connection_id) }
    }
}

/// What SSL 2.0 leaves open of what was negotiated, for the roles to fill in the rest.
pub(crate) fn negotiated(
    suite: &'static crate::tls::cipher_suites::SuiteRow,
    master_secret: MasterSecret,
    sessions: &Arc<dyn SessionStore>,
    hellos: &Hellos<'_>,
) -> Negotiated {
    let nothing = VerifyData::new(0, |_| {});
    Negotiated {
        is_client: false,
        version: ProtocolVersion::SSL20,
        hello_version: ProtocolVersion::SSL20,
        suite,
        strength: None,
        alpn: None,
        server_name: None,
        peer_chain: Vec::new(),
        ocsp_response: Vec::new(),
        identity: None,
        resumed: false,
        session_id: Vec::new(),
        session_key: None,
        extended_master_secret: false,
        sessions: Arc::clone(sessions),
        finished: Previous { client: nothing, server: nothing, secure: false },
        rules: None,
        pct1: None,
        master_secret,
        randoms: hellos.randoms(),
    }
}
