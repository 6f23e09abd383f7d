//! A handshake as client: with rustls, with the engine, or with a hello of rustls's that either can continue.

use std::sync::Arc;
use std::time::SystemTime;

use sspi_core::{
    Error, Failure, InitializeRequest, InitializeSecurityContext, IscReq, PackageInfo, SpProt, Step,
};

use crate::attributes::{Requested, RequestedOf};
use crate::backend::{ClientParameters, Progress, Replay, Settings, legacy, no_protocol, rustls};
use crate::config::Protocol;
use crate::first_flight::ServerFlight;
use crate::protocol_order;
use crate::renegotiation::{Again, AgainAs, Begin, already_complete};

/// A client's configurations, for either backend.
pub(crate) struct ClientConfigs {
    pub(crate) settings: Arc<Settings>,
    rustls: rustls::ClientConfigs,
    legacy: legacy::ClientConfigs,
}

impl ClientConfigs {
    /// # Errors
    /// What cannot be used shows now, not with the first connection.
    pub(crate) fn new(settings: &Arc<Settings>) -> Result<Self, Error> {
        let rustls = rustls::ClientConfigs::new(Arc::clone(settings));
        let legacy = legacy::ClientConfigs::new(Arc::clone(settings));
        let all = SpProt(u32::MAX);
        if settings.legacy_protocols(all).next().is_none() || settings.rustls_protocols(all).next().is_some()
        {
            rustls.config(all, false)?;
        }
        if settings.legacy_protocols(all).next().is_some() {
            legacy.config(all, false)?;
        }
        Ok(Self { settings: Arc::clone(settings), rustls, legacy })
    }

    /// A handshake on a connection of the engine's.
    pub(crate) fn again(
        &self,
        parameters: &ClientParameters,
        with: Begin,
    ) -> Result<legacy::Handshake, Error> {
        legacy::Handshake::client_again(&self.legacy, parameters, with)
    }
}

/// A handshake as client.
pub(crate) struct Client {
    handshake: Handshake,
    start: SystemTime,
    /// `None` once it is complete.
    again: Option<Again>,
}

enum Handshake {
    Rustls(rustls::Handshake),
    Legacy(legacy::Handshake),
    Spanning(Box<Spanning>),
    Chosen(Box<(Replay, Self)>),
}

impl Handshake {
    fn new(configs: &Arc<ClientConfigs>, parameters: ClientParameters) -> Result<Self, Error> {
        let settings = &configs.settings;
        let legacy: Vec<_> = settings.legacy_protocols(parameters.protocols).collect();
        if legacy.is_empty() && parameters.is_fallback {
            return Err(no_protocol());
        }
        if legacy.is_empty() {
            return Ok(Self::Rustls(rustls::Handshake::client(&configs.rustls, &parameters)?));
        }
        // rustls's hello has no place for a session of the engine's.
        let has_rustls = settings.rustls_protocols(parameters.protocols).next().is_some();
        // And none for PCT and SSL 2.0. Who prefers these begins with a hello of theirs, in which others fit.
        let order: Vec<Protocol> = settings.policy.protocols_among(parameters.protocols).collect();
        let begins_old = protocol_order::best(&order, None).is_some_and(Protocol::is_older_than_ssl3);
        let is_known = configs.legacy.knows(&parameters, &legacy);
        if !has_rustls || parameters.is_fallback || begins_old || is_known {
            return Ok(Self::Legacy(legacy::Handshake::client(&configs.legacy, &parameters)?));
        }
        Ok(Self::Spanning(Box::new(Spanning {
            rustls: rustls::Handshake::client(&configs.rustls, &parameters)?,
            configs: Arc::clone(configs),
            parameters,
            hello: Vec::new(),
            flight: ServerFlight::default(),
            replay: Replay::default(),
        })))
    }

    fn advance(&mut self, input: &[u8]) -> Result<Progress, Failure> {
        match self {
            Self::Rustls(handshake) => handshake.advance(input),
            Self::Legacy(handshake) => handshake.advance(input),
            Self::Chosen(chosen) => {
                let (replay, handshake) = &mut **chosen;
                replay.advance(input, |bytes| handshake.advance(bytes))
            }
            Self::Spanning(spanning) => {
                if let Some(progress) = spanning.advance(input)? {
                    return Ok(progress);
                }
                let (refused, policy) = (spanning.is_refused(), spanning.configs.settings.policy.fallback);
                *self = spanning.choose()?;
                self.advance(input).map_err(|failure| match (refused, policy) {
                    (true, true) => Failure { error: failure.error.with_fallback(), ..failure },
                    (true, false) => Failure { error: failure.error.with_setting("fallback"), ..failure },
                    (false, _) => failure,
                })
            }
        }
    }
}

/// rustls's hello is out, with the suites and protocols of the engine offered in it. The ServerHello says who goes on.
struct Spanning {
    rustls: rustls::Handshake,
    configs: Arc<ClientConfigs>,
    parameters: ClientParameters,
    /// The ClientHello as it was sent, without the headers of records.
    hello: Vec<u8>,
    flight: ServerFlight,
    /// Records of the server that hold a part of its hello.
    replay: Replay,
}

impl Spanning {
    /// Looks for the ServerHello; nothing, once it is known who goes on.
    fn advance(&mut self, input: &[u8]) -> Result<Option<Progress>, Failure> {
        if self.hello.is_empty() {
            let progress = self.rustls.advance(&[])?;
            if let Progress::Continue { token, .. } = &progress {
                self.hello = crate::first_flight::handshake_messages(token);
            }
            return Ok(Some(progress));
        }
        let scan = self.flight.records(input);
        if self.flight.is_decided() {
            return Ok(None);
        }
        self.replay.take(input.get(..scan.used).unwrap_or_default());
        Ok(Some(match scan.used {
            0 => Progress::Incomplete { missing: scan.missing },
            used => Progress::Continue { token: Vec::new(), used },
        }))
    }

    /// Whether the server has refused a hello that it may not have understood.
    ///
    /// There are servers that refuse what is newer than they are, or longer than they expect. Spec: TLS12 appendix E.1.
    fn is_refused(&self) -> bool {
        /// unexpected_message, handshake_failure, illegal_parameter, decode_error, protocol_version.
        const NOT_UNDERSTOOD: [u8; 5] = [10, 40, 47, 50, 70];
        self.flight.refusal().is_some_and(|alert| NOT_UNDERSTOOD.contains(&alert))
    }

    /// Whoever goes on; it has yet to see what was replayed.
    fn choose(&mut self) -> Result<Handshake, Failure> {
        let Self { configs, parameters, hello, flight, .. } = self;
        let suites = configs.settings.legacy_suites(parameters.protocols);
        let mut rustls = configs.settings.rustls_protocols(parameters.protocols);
        let has_tls12 = rustls.any(|protocol| protocol == Protocol::Tls12);
        let handshake = if flight.is_legacy(&suites, has_tls12) {
            let handshake = legacy::Handshake::take_over(&configs.legacy, parameters, hello)?;
            Handshake::Legacy(handshake)
        } else {
            let replacement = rustls::Handshake::taken();
            Handshake::Rustls(core::mem::replace(&mut self.rustls, replacement))
        };
        Ok(Handshake::Chosen(Box::new((core::mem::take(&mut self.replay), handshake))))
    }
}

impl Client {
    pub(crate) fn new(
        info: &Arc<PackageInfo>,
        configs: &Arc<ClientConfigs>,
        request: &InitializeRequest,
    ) -> Result<Self, Error> {
        let manual = request.flags.contains(IscReq::MANUAL_CRED_VALIDATION);
        let parameters = ClientParameters {
            target: configs.settings.target(request.target_name.as_deref(), manual)?,
            protocols: request.protocols.map_or(SpProt::CLIENTS, |p| p.intersection(SpProt::CLIENTS)),
            alpn: request.application_protocols.clone(),
            manual,
            is_fallback: request.fallback,
            extended_errors: request.flags.contains(IscReq::EXTENDED_ERROR),
        };
        let handshake = Handshake::new(configs, parameters.clone())?;
        let (configs, target) = (Arc::clone(configs), request.target_name.clone());
        let start = configs.settings.environment.clock.now();
        let again = Again {
            role: AgainAs::Client { configs, parameters, target },
            info: Arc::clone(info),
            requested: Requested {
                role: RequestedOf::Initiator(request.flags),
                negotiated: request.negotiated,
            },
            by_peer: 0,
            by_us: 0,
            standing: None,
            kept: None,
            shown: None,
        };
        Ok(Self { handshake, start, again: Some(again) })
    }

    /// A handshake on a context that there is already.
    pub(crate) fn again(again: Again, handshake: legacy::Handshake) -> Self {
        let start = again.now();
        Self { handshake: Handshake::Legacy(handshake), start, again: Some(again) }
    }
}

impl InitializeSecurityContext for Client {
    fn initialize_security_context(&mut self, input: &[u8]) -> Result<Step, Failure> {
        Ok(match self.handshake.advance(input)? {
            Progress::Continue { token, used } => Step::Continue { token, used },
            Progress::Incomplete { missing } => Step::Incomplete { missing: Some(missing) },
            Progress::Ask(question) => Step::Ask(question),
            Progress::Data { data, used } => Step::Data { data, used },
            Progress::Declined { directions, closed, used } => {
                let again = self.again.take().ok_or_else(already_complete)?;
                Step::Declined { context: again.declined(*directions, closed)?, used }
            }
            Progress::Complete { established, token, used } => {
                let again = self.again.take().ok_or_else(already_complete)?;
                Step::Complete { context: again.established(established, self.start), token, used }
            }
        })
    }
}
