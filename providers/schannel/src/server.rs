//! A handshake as server.

use std::sync::Arc;
use std::time::SystemTime;

use sspi_core::{AcceptRequest, AcceptSecurityContext, AscReq, Error, Failure, PackageInfo, SpProt, Step};

use crate::attributes::{Attributes, Requested};
use crate::backend::rustls::{
    Established, Handshake, Progress, ServerConfigs, ServerParameters, Verification,
};
use crate::context::{self, Context};

/// A handshake as server.
pub(crate) struct Server {
    info: Arc<PackageInfo>,
    handshake: Handshake,
    requested: Requested,
    start: SystemTime,
}

impl Server {
    pub(crate) fn new(
        info: &Arc<PackageInfo>,
        configs: &ServerConfigs,
        request: &AcceptRequest,
    ) -> Result<Self, Error> {
        let handshake = Handshake::server(
            configs,
            ServerParameters {
                protocols: request.protocols.map_or(SpProt::SERVERS, |p| p.intersection(SpProt::SERVERS)),
                alpn: request.application_protocols.as_deref(),
                verification: Verification {
                    mutual: request.flags.contains(AscReq::MUTUAL_AUTH),
                    manual: request.manual_cred_validation,
                },
                extended_errors: request.flags.contains(AscReq::EXTENDED_ERROR),
            },
        )?;
        Ok(Self {
            info: Arc::clone(info),
            handshake,
            requested: Requested::Acceptor { flags: request.flags, manual: request.manual_cred_validation },
            start: configs.settings.environment.clock.now(),
        })
    }
    fn context(&self, established: Established) -> Context {
        let Established { session, sending, receiving, tickets } = established;
        let attributes = Attributes::new(Arc::clone(&self.info), session, self.requested, None, self.start);
        context::new(sending, receiving, tickets, attributes)
    }
}

impl AcceptSecurityContext for Server {
    fn accept_security_context(&mut self, input: &[u8]) -> Result<Step, Failure> {
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
