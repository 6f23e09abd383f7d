//! Runs either role over the input: what `Handshake` of `connection.rs` is for the TLS family.

use std::sync::Arc;

use super::channel::{Channel, Taken};
use super::keys::{ConnectionKeys, DirectionKeys};
use super::readings::first_iv;
use super::records::{self, Begin};
use super::specs::{CipherSpec, Spec};
use crate::config::Policy;
use crate::connection::{CertificateRequested, Established, Failure, Negotiated, Progress};
use crate::error::Error;
use crate::record::{Need, Opener, Sealer};
use crate::session::SessionStore;

/// What stays of a handshake for the one that may follow it on the same connection, and for the session.
///
/// Spec: PCT1 section 4.3.2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Parameters {
    pub(crate) cipher: CipherSpec,
    pub(crate) hash: u16,
    pub(crate) certificate_type: u16,
    /// The certificate as the server sent it.
    pub(crate) certificate: Vec<u8>,
    /// Whether the client was asked for a certificate.
    pub(crate) asked: bool,
    pub(crate) client_certificate_type: u16,
    pub(crate) client_signature_type: u16,
    pub(crate) client_certificate: Vec<u8>,
    pub(crate) clear_key: Vec<u8>,
}

/// What PCT adds to what was negotiated.
#[derive(Debug)]
pub(crate) struct Pct1Negotiated {
    pub(crate) parameters: Parameters,
    pub(crate) out_of_band: Vec<u8>,
}

/// What a handshake that is done again must agree on as before: cipher, hash, and certificates.
///
/// Spec: PCT1 section 4.3.2.
#[derive(Clone, Debug)]
pub struct Previous(pub(crate) Parameters);

/// A role's state.
pub(crate) trait Role: Sized {
    type Config;

    fn handle(self, message: &[u8], config: &Self::Config, channel: &mut Channel) -> Result<Self, Error>;
    /// The peer announces a handshake.
    fn escaped(&mut self, channel: &mut Channel) -> Result<(), Error>;
    fn question(&self) -> Option<CertificateRequested>;
    fn is_complete(&self) -> bool;
    fn into_established(self) -> Option<Box<Established>>;
    fn sessions(config: &Self::Config) -> &dyn SessionStore;
}

/// A handshake in either role.
pub(crate) enum Handshake<R: Role> {
    Running(Box<Running<R>>),
    Complete,
    Failed(Error),
}

pub(crate) struct Running<R: Role> {
    pub(crate) config: Arc<R::Config>,
    pub(crate) channel: Channel,
    pub(crate) role: R,
    /// Bytes at the start of the input that were taken in a call that then asked something.
    pub(super) skipped: usize,
}

enum Stop {
    More(usize),
    Ask(CertificateRequested),
    Data(Vec<u8>),
    Complete,
}

impl<R: Role> Handshake<R> {
    pub(crate) fn new(config: Arc<R::Config>, channel: Channel, role: R) -> Self {
        Self::Running(Box::new(Running { config, channel, role, skipped: 0 }))
    }

    pub(crate) fn advance(&mut self, input: &[u8]) -> Result<Progress, Failure> {
        let running = match std::mem::replace(self, Self::Complete) {
            Self::Running(running) => running,
            Self::Complete => {
                let error = Error::Misused("the handshake is complete already");
                return Err(Failure { error, output: Vec::new() });
            }
            Self::Failed(error) => {
                *self = Self::Failed(error.clone());
                return Err(Failure { error, output: Vec::new() });
            }
        };
        let Running { config, mut channel, role, skipped } = *running;
        let mut used = skipped;
        match run(role, input, &mut used, &config, &mut channel) {
            Ok((role, stop)) => Ok(self.stopped(Running { config, channel, role, skipped: 0 }, stop, used)),
            Err(error) => Err(self.fail::<R>(error, &config, &mut channel)),
        }
    }

    /// Spec: PCT1 section 5.4: an aborted connection's session is not used again.
    pub(crate) fn fail<S: Role>(
        &mut self,
        error: Error,
        config: &S::Config,
        channel: &mut Channel,
    ) -> Failure {
        if let Some(key) = &channel.session_in_use {
            S::sessions(config).remove(key);
        }
        let output = channel.fail(&error);
        *self = Self::Failed(error.clone());
        Failure { error, output }
    }

    /// Ends it with an error of the caller's.
    pub(crate) fn give_up(&mut self, error: Error) -> Failure {
        match std::mem::replace(self, Self::Complete) {
            Self::Running(running) => {
                let Running { config, mut channel, .. } = *running;
                self.fail::<R>(error, &config, &mut channel)
            }
            _ => {
                *self = Self::Failed(error.clone());
                Failure { error, output: Vec::new() }
            }
        }
    }

    fn stopped(&mut self, mut running: Running<R>, stop: Stop, used: usize) -> Progress {
        let progress = match stop {
            Stop::Complete => {
                let output = running.channel.take_output();
                return match running.role.into_established() {
                    Some(established) => Progress::Complete { established, output, used },
                    None => Progress::Continue { output, used },
                };
            }
            Stop::Ask(request) => {
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
        *self = Self::Running(Box::new(running));
        progress
    }
}

fn run<R: Role>(
    mut role: R,
    input: &[u8],
    used: &mut usize,
    config: &R::Config,
    channel: &mut Channel,
) -> Result<(R, Stop), Error> {
    loop {
        if role.is_complete() {
            return Ok((role, Stop::Complete));
        }
        if let Some(request) = role.question() {
            return Ok((role, Stop::Ask(request)));
        }
        // Data may fill the input again and again; what we have to say does not wait for its end.
        if channel.has_output_on_connection() {
            return Ok((role, Stop::More(0)));
        }
        let rest = input.get(*used..).unwrap_or_default();
        let len = match Channel::record_len(rest) {
            Need::Whole(len) => len,
            Need::More(missing) => return Ok((role, Stop::More(missing))),
        };
        let record = rest.get(..len).unwrap_or_default();
        *used += len;
        match channel.take_record(record)? {
            Taken::Nothing => {}
            Taken::Escape => role.escaped(channel)?,
            Taken::Data(data) => return Ok((role, Stop::Data(data))),
            Taken::Message(message) => role = role.handle(&message, config, channel)?,
        }
    }
}

/// The keys with which a connection goes on.
pub(crate) struct Directions {
    pub(crate) keys: ConnectionKeys,
    /// Other keys that the client may use.
    pub(crate) alternative: Option<DirectionKeys>,
    pub(crate) spec: &'static Spec,
    pub(crate) key_arg: Vec<u8>,
}

impl Directions {
    /// Both directions of the connection, and what was negotiated.
    pub(crate) fn establish(
        self,
        mut negotiated: Negotiated,
        policy: &Policy,
        channel: &mut Channel,
    ) -> Result<Box<Established>, Error> {
        let (sent, received) = channel.sequences()?;
        let Self { keys, alternative, spec, key_arg } = self;
        let (own, peer) =
            if negotiated.is_client { (keys.client, keys.server) } else { (keys.server, keys.client) };
        let begin = |sequence, of_client| Begin {
            spec,
            iv: first_iv(&key_arg, of_client),
            sequence,
            data_limit: policy.small_block_limit,
        };
        let mut opener = records::Opener::new(peer, alternative, begin(received, !negotiated.is_client))?;
        let sealer = records::Sealer::new(own, begin(sent, negotiated.is_client))?;
        if let (Some(redo), Some(pct1)) = (channel.redo.take(), negotiated.pct1.as_mut()) {
            opener.expect_out_of_band(redo.opener.expects_out_of_band());
            pct1.out_of_band = redo.out_of_band;
        }
        let (sealer, opener) = (Sealer::pct1(sealer), Opener::pct1(opener));
        Ok(Box::new(Established { sealer, opener, negotiated }))
    }
}
