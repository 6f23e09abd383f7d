//! A handshake as server: rustls judges the first ClientHello, and what it declines is the engine's.

use std::sync::Arc;
use std::time::SystemTime;

use sspi_core::{AcceptRequest, AcceptSecurityContext, AscReq, Error, Failure, PackageInfo, SpProt, Step};

use crate::attributes::{Attributes, Requested};
use crate::backend::{Progress, Replay, ServerParameters, Settings, Verification, legacy, rustls};
use crate::context;
use crate::first_flight::FirstFlight;

/// A server's configurations, for either backend.
pub(crate) struct ServerConfigs {
    pub(crate) settings: Arc<Settings>,
    rustls: rustls::ServerConfigs,
    legacy: legacy::ServerConfigs,
}

impl ServerConfigs {
    /// # Errors
    /// What cannot be used shows now, not with the first connection.
    pub(crate) fn new(settings: &Arc<Settings>) -> Result<Self, Error> {
        let rustls = rustls::ServerConfigs::new(Arc::clone(settings));
        let legacy = legacy::ServerConfigs::new(Arc::clone(settings));
        let all = SpProt(u32::MAX);
        if settings.legacy_protocols(all).is_empty() || !settings.rustls_protocols(all).is_empty() {
            rustls.config(all, Verification::default())?;
        }
        if !settings.legacy_protocols(all).is_empty() {
            legacy.config(all, Verification::default())?;
        }
        Ok(Self { settings: Arc::clone(settings), rustls, legacy })
    }
}

/// A handshake as server.
pub(crate) struct Server {
    info: Arc<PackageInfo>,
    handshake: Handshake,
    requested: Requested,
    start: SystemTime,
}

enum Handshake {
    Rustls(rustls::Handshake),
    Legacy(Box<(Replay, legacy::Handshake)>),
    Judging(Box<Judging>),
}

/// rustls looks at the first ClientHello. It has said nothing yet.
struct Judging {
    rustls: rustls::Handshake,
    configs: Arc<ServerConfigs>,
    parameters: ServerParameters,
    /// What rustls took of the hello.
    replay: Replay,
}

impl Judging {
    /// Whether the client's first bytes are of a format that rustls does not have and the engine does.
    fn is_for_the_engine(&self, input: &[u8]) -> bool {
        self.replay.is_empty()
            && FirstFlight::classify(input) == Some(FirstFlight::Ssl2Hello)
            && self.configs.settings.reads_v2_hellos(self.parameters.protocols)
    }
}

impl Handshake {
    fn new(configs: &Arc<ServerConfigs>, parameters: ServerParameters) -> Result<Self, Error> {
        let settings = &configs.settings;
        if settings.legacy_protocols(parameters.protocols).is_empty() {
            return Ok(Self::Rustls(rustls::Handshake::server(&configs.rustls, &parameters)?));
        }
        if settings.rustls_protocols(parameters.protocols).is_empty() {
            let engine = legacy::Handshake::server(&configs.legacy, &parameters)?;
            return Ok(Self::Legacy(Box::new((Replay::default(), engine))));
        }
        Ok(Self::Judging(Box::new(Judging {
            rustls: rustls::Handshake::server(&configs.rustls, &parameters)?,
            configs: Arc::clone(configs),
            parameters,
            replay: Replay::default(),
        })))
    }

    fn advance(&mut self, input: &[u8]) -> Result<Progress, Failure> {
        let judging = match self {
            Self::Rustls(handshake) => return handshake.advance(input),
            Self::Legacy(both) => {
                let (replay, handshake) = &mut **both;
                return replay.advance(input, |bytes| handshake.advance(bytes));
            }
            Self::Judging(judging) => judging,
        };
        if judging.is_for_the_engine(input) {
            let engine = legacy::Handshake::server(&judging.configs.legacy, &judging.parameters)?;
            *self = Self::Legacy(Box::new((Replay::default(), engine)));
            return self.advance(input);
        }
        match judging.rustls.advance(input) {
            Ok(Progress::Continue { token, used }) if token.is_empty() => {
                judging.replay.take(input.get(..used).unwrap_or_default());
                Ok(Progress::Continue { token, used })
            }
            Ok(Progress::Incomplete { missing }) => Ok(Progress::Incomplete { missing }),
            Err(_) if judging.rustls.has_declined() => {
                let engine = legacy::Handshake::server(&judging.configs.legacy, &judging.parameters)?;
                *self = Self::Legacy(Box::new((core::mem::take(&mut judging.replay), engine)));
                self.advance(input)
            }
            // rustls has spoken, or the client has done what no engine forgives.
            decided => {
                *self = Self::Rustls(core::mem::replace(&mut judging.rustls, rustls::Handshake::taken()));
                decided
            }
        }
    }
}

impl Server {
    pub(crate) fn new(
        info: &Arc<PackageInfo>,
        configs: &Arc<ServerConfigs>,
        request: &AcceptRequest,
    ) -> Result<Self, Error> {
        let parameters = ServerParameters {
            protocols: request.protocols.map_or(SpProt::SERVERS, |p| p.intersection(SpProt::SERVERS)),
            alpn: request.application_protocols.clone(),
            verification: Verification {
                mutual: request.flags.contains(AscReq::MUTUAL_AUTH),
                manual: request.manual_cred_validation,
            },
            extended_errors: request.flags.contains(AscReq::EXTENDED_ERROR),
        };
        Ok(Self {
            info: Arc::clone(info),
            handshake: Handshake::new(configs, parameters)?,
            requested: Requested::Acceptor { flags: request.flags, manual: request.manual_cred_validation },
            start: configs.settings.environment.clock.now(),
        })
    }
}

impl AcceptSecurityContext for Server {
    fn accept_security_context(&mut self, input: &[u8]) -> Result<Step, Failure> {
        Ok(match self.handshake.advance(input)? {
            Progress::Continue { token, used } => Step::Continue { token, used },
            Progress::Incomplete { missing } => Step::Incomplete { missing: Some(missing) },
            Progress::Ask(question) => Step::Ask(question),
            Progress::Complete { established, token, used } => {
                let (info, requested, start) = (Arc::clone(&self.info), self.requested, self.start);
                let context = context::established(established, |session, sizes| {
                    Attributes::new(info, session, sizes, requested, None, start)
                });
                Step::Complete { context, token, used }
            }
        })
    }
}
