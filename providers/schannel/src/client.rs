//! A handshake as client.

use std::sync::Arc;
use std::time::SystemTime;

use sspi_core::{
    Error, Failure, InitializeRequest, InitializeSecurityContext, IscReq, PackageInfo, SpProt, Step,
};

use crate::attributes::{Attributes, Requested};
use crate::backend::rustls::{ClientConfigs, ClientParameters, Established, Handshake, Progress};
use crate::context::{self, Context};

/// A handshake as client.
pub(crate) struct Client {
    info: Arc<PackageInfo>,
    handshake: Handshake,
    requested: Requested,
    target: Option<String>,
    start: SystemTime,
}

impl Client {
    pub(crate) fn new(
        info: &Arc<PackageInfo>,
        configs: &ClientConfigs,
        request: &InitializeRequest,
    ) -> Result<Self, Error> {
        let handshake = Handshake::client(
            configs,
            ClientParameters {
                target: request.target_name.as_deref(),
                protocols: request.protocols.map_or(SpProt::CLIENTS, |p| p.intersection(SpProt::CLIENTS)),
                alpn: request.application_protocols.as_deref(),
                manual: request.flags.contains(IscReq::MANUAL_CRED_VALIDATION),
                extended_errors: request.flags.contains(IscReq::EXTENDED_ERROR),
            },
        )?;
        Ok(Self {
            info: Arc::clone(info),
            handshake,
            requested: Requested::Initiator(request.flags),
            target: request.target_name.clone(),
            start: configs.settings.environment.clock.now(),
        })
    }
    fn context(&mut self, established: Established) -> Context {
        let Established { session, sending, receiving, tickets } = established;
        let attributes =
            Attributes::new(Arc::clone(&self.info), session, self.requested, self.target.take(), self.start);
        context::new(sending, receiving, tickets, attributes)
    }
}

impl InitializeSecurityContext for Client {
    fn initialize_security_context(&mut self, input: &[u8]) -> Result<Step, Failure> {
        Ok(match self.handshake.advance(input)? {
            Progress::Continue { token, used } => Step::Continue { token, used },
            Progress::Incomplete { missing } => Step::Incomplete { missing: Some(missing) },
            Progress::Ask(question) => Step::Ask(question),
            Progress::Complete { established, token, used } => {
                Step::Complete { context: Box::new(self.context(*established)), token, used }
            }
        })
    }
}
