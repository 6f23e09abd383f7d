//! The server's first flight: from ServerHello to ServerHelloDone, or to Finished where a session is taken up again.

use std::sync::Arc;

use wire::Codec;

use super::State;
use super::choice::{Choice, Named};
use super::finish::Keyed;
use super::key_exchange::{Chosen, Exchange};
use crate::certificate::Identity;
use crate::config::ClientAuth;
use crate::error::Error;
use crate::tls::channel::Channel;
use crate::tls::cipher_suites::SuiteRow;
use crate::tls::extensions::{self as extension, Extensions};
use crate::tls::keys::{ConnectionKeys, Randoms};
use crate::tls::messages::{
    Certificate, CertificateRequest, CertificateStatus, DSS_SIGN, ECDSA_SIGN, HandshakeType as H, RSA_SIGN,
    ServerHello,
};
use crate::tls::versions::{ProtocolVersion, Rules, Signatures, downgrade};

impl Choice<'_> {
    fn random(&self) -> Result<[u8; 32], Error> {
        let mut random = [0; 32];
        self.config.random.fill(&mut random)?;
        downgrade::mark(&mut random, self.rules.version, self.config.policy.highest);
        Ok(random)
    }

    /// The extensions of the answer: only what was asked for.
    fn extensions(
        &self,
        suite: &SuiteRow,
        status_follows: bool,
        ticket_follows: bool,
        resumed: bool,
    ) -> Result<Extensions<'static>, Error> {
        let mut extensions = Extensions::default();
        if self.offered.secure_renegotiation {
            let before = self.start.before.as_ref().map(|before| &before.finished);
            let data: [&[u8]; 2] =
                before.map_or([&[], &[]], |finished| [finished.client.as_ref(), finished.server.as_ref()]);
            extensions.push(extension::RENEGOTIATION_INFO, |w| {
                extension::write_renegotiated_connection(w, &data)
            })?;
        }
        if !self.rules.has_extensions {
            return Ok(extensions);
        }
        if self.offered.server_name.is_some() && !resumed {
            extensions.push(extension::SERVER_NAME, |_| Ok(()))?;
        }
        if self.extended {
            extensions.push(extension::EXTENDED_MASTER_SECRET, |_| Ok(()))?;
        }
        if suite.key_exchange.is_elliptic() && self.offered.point_formats {
            extensions.push(extension::EC_POINT_FORMATS, extension::write_point_formats)?;
        }
        if let Some(name) = &self.alpn {
            let names = std::slice::from_ref(name);
            extensions.push(extension::ALPN, |w| extension::write_application_protocols(w, names))?;
        }
        if status_follows {
            extensions.push(extension::STATUS_REQUEST, |_| Ok(()))?;
        }
        if ticket_follows {
            extensions.push(extension::SESSION_TICKET, |_| Ok(()))?;
        }
        Ok(extensions)
    }

    /// Sends ServerHello, and yields the randoms.
    fn send_hello(
        &self,
        suite: &SuiteRow,
        session_id: &[u8],
        extensions: Extensions<'_>,
        channel: &mut Channel,
    ) -> Result<Randoms, Error> {
        channel.transcript.choose((self.rules.transcript)(suite));
        if matches!(self.rules.signatures, Signatures::Md5AndSha1 { .. }) {
            channel.transcript.release();
        }
        let random = self.random()?;
        let hello = ServerHello {
            version: self.rules.version,
            random,
            session_id: session_id.into(),
            suite: suite.suite,
            compression_method: 0,
            extensions,
        };
        channel.send(H::SERVER_HELLO, |writer| Ok(hello.encode(writer)?))?;
        Ok(Randoms { client: self.hello.random, server: random })
    }

    /// The short handshake: the server finishes first.
    pub(super) fn resume(self, named: &Named, channel: &mut Channel) -> Result<State, Error> {
        let Named { session, by_ticket, renew } = named;
        let id = session.id().to_vec();
        // With a ticket the client calls the session what it likes. Spec: TICKET section 3.4.
        let (said, session_id, ticketed) = if *by_ticket {
            channel.ticket_in_use = Some(id.clone());
            (self.hello.session_id.to_vec(), Vec::new(), Some(id))
        } else {
            channel.session_in_use = Some(id.clone());
            (id.clone(), id, None)
        };
        let suite = session.suite.row().ok_or(Error::Internal("a session of an unknown suite"))?;
        // That of the handshake which made the session: the same name, suite and certificates chose it.
        let identity = self.identity(suite.key_exchange);
        let extensions = self.extensions(suite, false, *renew, true)?;
        let randoms = self.send_hello(suite, &said, extensions, channel)?;
        channel.transcript.release();
        let keys = ConnectionKeys::derive(self.rules, suite, &session.master_secret, &randoms);
        let mut keyed = Keyed {
            common: Common {
                rules: self.rules,
                suite,
                randoms,
                hello_version: self.hello.version,
                session_id,
                ticketed,
                extended_master_secret: self.extended,
                secure_renegotiation: self.offered.secure_renegotiation,
                alpn: self.start.before.map_or(self.alpn, |before| before.alpn),
                server_name: self.offered.server_name,
                identity,
            },
            master_secret: session.master_secret.clone(),
            peer: None,
            peer_chain: session.peer_chain.clone(),
            strength: None,
            keys,
            resumed: true,
            own: None,
        };
        if *renew {
            keyed.send_ticket(session, self.config, channel)?;
        }
        keyed.send_finished(self.config, channel)?;
        Ok(State::ChangeCipherSpec(Box::new(keyed)))
    }

    /// The long handshake.
    pub(super) fn full(self, channel: &mut Channel) -> Result<State, Error> {
        let (suite, identity, group) = self.suite()?;
        let config = self.config;
        let mut session_id = Vec::new();
        if config.policy.resume {
            session_id.resize(32, 0);
            config.random.fill(&mut session_id)?;
        }
        // What the client keeps needs no name between us. Spec: TICKET section 3.4.
        let ticketed = self.tickets().map(|_| std::mem::take(&mut session_id));
        let ocsp_response =
            identity.ocsp_response().filter(|_| self.offered.wants_ocsp && self.rules.has_extensions);
        let extensions = self.extensions(suite, ocsp_response.is_some(), ticketed.is_some(), false)?;
        let randoms = self.send_hello(suite, &session_id, extensions, channel)?;
        channel.send(H::CERTIFICATE, |writer| {
            Ok(Certificate { chain: identity.chain().into() }.encode(writer)?)
        })?;
        if let Some(response) = ocsp_response {
            channel.send(H::CERTIFICATE_STATUS, |writer| {
                Ok(CertificateStatus { ocsp_response: response.into() }.encode(writer)?)
            })?;
        }
        let exchange = Exchange { choice: &self, suite, identity: &identity, group, randoms: &randoms };
        let (secret, strength) = exchange.send(channel)?;
        let client_auth = self.start.client_auth(self.config);
        if client_auth == ClientAuth::None {
            channel.transcript.release();
        } else {
            self.send_certificate_request(channel)?;
        }
        channel.send(H::SERVER_HELLO_DONE, |_| Ok(()))?;
        channel.flush()?;
        let chosen = Box::new(Chosen {
            common: Common {
                rules: self.rules,
                suite,
                randoms,
                hello_version: self.hello.version,
                session_id,
                ticketed,
                extended_master_secret: self.extended,
                secure_renegotiation: self.offered.secure_renegotiation,
                alpn: match &self.start.before {
                    Some(before) => before.alpn.clone(),
                    None => self.alpn,
                },
                server_name: self.offered.server_name,
                identity: Some(identity),
            },
            rules: self.rules,
            secret,
            strength,
            client_auth,
            peer: None,
            peer_chain: Vec::new(),
            before: self.start.before,
        });
        Ok(if client_auth == ClientAuth::None {
            State::ClientKeyExchange(chosen)
        } else {
            State::Certificate(chosen)
        })
    }

    /// Spec: TLS12 section 7.4.4.
    fn send_certificate_request(&self, channel: &mut Channel) -> Result<(), Error> {
        let negotiated = matches!(self.rules.signatures, Signatures::Negotiated);
        let certificate_types = if self.rules.has_extensions {
            vec![RSA_SIGN, DSS_SIGN, ECDSA_SIGN]
        } else {
            vec![RSA_SIGN, DSS_SIGN]
        };
        let schemes = || self.config.policy.signature_schemes.iter().map(|scheme| scheme.0).collect();
        let request = CertificateRequest {
            certificate_types,
            signature_algorithms: negotiated.then(schemes),
            authorities: self.config.authorities.clone(),
        };
        channel.send(H::CERTIFICATE_REQUEST, |writer| Ok(request.encode(writer)?))
    }
}

/// What stays known from the hellos on.
pub(super) struct Common {
    pub(super) rules: &'static Rules,
    pub(super) suite: &'static SuiteRow,
    pub(super) randoms: Randoms,
    pub(super) hello_version: ProtocolVersion,
    pub(super) session_id: Vec<u8>,
    /// The identifier of the session that the client has a ticket of, or is to have one.
    pub(super) ticketed: Option<Vec<u8>>,
    pub(super) extended_master_secret: bool,
    pub(super) secure_renegotiation: bool,
    pub(super) alpn: Option<Vec<u8>>,
    pub(super) server_name: Option<String>,
    pub(super) identity: Option<Arc<Identity>>,
}
