//! The end of the server's flight, and the client's own that answers it.

use std::sync::Arc;

use crypto::public_key::PublicKey;
use wire::{Codec, Reader};

use super::State;
use super::finish::Keyed;
use super::key_exchange::Shared;
use crate::certificate::{Identity, issuer};
use crate::config::{ClientConfig, Policy};
use crate::connection::CertificateRequested;
use crate::connection::handshake::Channel as _;
use crate::error::Error;
use crate::session::MasterSecret;
use crate::tls::alert::AlertDescription;
use crate::tls::channel::{Channel, Message};
use crate::tls::key_exchange;
use crate::tls::keys::ConnectionKeys;
use crate::tls::messages::{
    Certificate, CertificateRequest, DSS_SIGN, ECDSA_SIGN, HandshakeType as H, RSA_SIGN,
};
use crate::tls::signature::{self, Content, SignatureScheme};
use crate::tls::versions::{NoCertificate, Rules, Signatures};

/// Whether the server wants a certificate is known.
pub(crate) struct Asked {
    pub(super) shared: Shared,
    pub(super) request: Option<CertificateRequest>,
}

impl Asked {
    /// Spec: TLS12 section 7.4.5.
    pub(super) fn server_hello_done(
        self: Box<Self>,
        message: &Message,
        config: &ClientConfig,
        channel: &mut Channel,
    ) -> Result<State, Error> {
        Reader::new(message.body()).finish("ServerHelloDone")?;
        channel.expect_end_of_flight()?;
        channel.transcript.add(message.bytes());
        let Some(request) = &self.request else {
            channel.transcript.release();
            return self.reply(None, config, channel);
        };
        if config.ask_for_certificate {
            return Ok(State::Identity(self));
        }
        let fits = |identity: &&Arc<Identity>| self.fits(identity, request, &config.policy);
        let identity = config.identities.iter().find(fits).cloned();
        self.reply(identity, config, channel)
    }

    /// The handshake leaves nothing to take up again.
    pub(crate) fn keep_no_session(&mut self) {
        self.shared.agreed.offer.session_key = None;
    }

    /// What the application is asked.
    pub(crate) fn question(&self) -> CertificateRequested {
        let request = self.request.clone().unwrap_or_default();
        CertificateRequested {
            authorities: request.authorities,
            certificate_types: request.certificate_types,
            signature_schemes: request.signature_algorithms.unwrap_or_default(),
        }
    }

    /// Whether the server would accept a certificate of this kind, by its own account.
    fn fits(&self, identity: &Identity, request: &CertificateRequest, policy: &Policy) -> bool {
        let kind = match identity.key().public_key() {
            PublicKey::Rsa(_) => RSA_SIGN,
            PublicKey::Dsa(_) => DSS_SIGN,
            PublicKey::Ecdsa(_) => ECDSA_SIGN,
            _ => return false,
        };
        let issued = request.authorities.is_empty()
            || identity.chain().iter().any(|certificate| {
                issuer(certificate).is_ok_and(|name| request.authorities.iter().any(|a| a == name))
            });
        let can_sign = match self.shared.agreed.rules.signatures {
            Signatures::Md5AndSha1 { .. } => true,
            Signatures::Negotiated => {
                SignatureScheme::choose(policy, request.signature_algorithms.as_deref(), identity.key())
                    .is_ok()
            }
        };
        request.certificate_types.contains(&kind) && issued && can_sign
    }

    /// The client's flight: [Certificate], ClientKeyExchange, [CertificateVerify], ChangeCipherSpec, Finished.
    pub(crate) fn reply(
        self: Box<Self>,
        identity: Option<Arc<Identity>>,
        config: &ClientConfig,
        channel: &mut Channel,
    ) -> Result<State, Error> {
        let Self { shared, request } = *self;
        let Shared { agreed, chain, ocsp_response, share } = shared;
        let (rules, suite) = (agreed.rules, agreed.suite);
        if request.is_some() {
            send_certificate(identity.as_deref(), rules, channel)?;
        }
        let random = config.random.as_ref();
        let (body, premaster) =
            key_exchange::client_key_exchange(&share, agreed.offer.version, rules, random)?;
        channel.send(H::CLIENT_KEY_EXCHANGE, |writer| {
            writer.bytes(&body);
            Ok(())
        })?;
        let master_secret = match rules.extended_master_secret.filter(|_| agreed.extended_master_secret) {
            Some(bound) => bound(suite, &premaster, channel.transcript.digest().as_ref()),
            None => (rules.master_secret)(suite, &premaster, &agreed.randoms),
        };
        if let (Some(identity), Some(request)) = (&identity, &request) {
            let signer = Signer { rules, master_secret: &master_secret, peer: request, config };
            signer.certificate_verify(identity, channel)?;
        }
        channel.transcript.release();
        let keys = ConnectionKeys::derive(rules, suite, &master_secret, &agreed.randoms);
        let mut keyed = Keyed {
            strength: Some(share.strength()),
            agreed,
            master_secret,
            peer_chain: chain,
            ocsp_response,
            identity,
            keys,
            resumed: None,
            own: None,
        };
        keyed.send_finished(config, channel)?;
        Ok(State::ChangeCipherSpec(Box::new(keyed)))
    }
}

/// A chain, or the version's way of saying that there is none.
fn send_certificate(identity: Option<&Identity>, rules: &Rules, channel: &mut Channel) -> Result<(), Error> {
    let chain: &[Vec<u8>] = identity.map_or(&[], Identity::chain);
    if chain.is_empty() && rules.no_certificate == NoCertificate::Alert {
        return channel.warn(AlertDescription::NO_CERTIFICATE);
    }
    channel.send(H::CERTIFICATE, |writer| Ok(Certificate { chain: chain.into() }.encode(writer)?))
}

/// What a CertificateVerify is made from.
struct Signer<'a> {
    rules: &'static Rules,
    master_secret: &'a MasterSecret,
    peer: &'a CertificateRequest,
    config: &'a ClientConfig,
}

impl Signer<'_> {
    /// Spec: TLS12 section 7.4.8; TLS10 section 7.4.8; SSL30 section 5.6.8.
    fn certificate_verify(&self, identity: &Identity, channel: &mut Channel) -> Result<(), Error> {
        let random = self.config.random.as_ref();
        let mut named = None;
        let content = match self.rules.signatures {
            Signatures::Md5AndSha1 { of_transcript } => {
                Content::Md5AndSha1(of_transcript(&channel.transcript, self.master_secret))
            }
            Signatures::Negotiated => {
                let offered = self.peer.signature_algorithms.as_deref();
                let scheme = SignatureScheme::choose(&self.config.policy, offered, identity.key())?;
                named = Some(scheme);
                Content::Message(scheme, channel.transcript.messages())
            }
        };
        let signature = signature::sign(identity.key(), &content, random)?;
        channel.send(H::CERTIFICATE_VERIFY, |writer| {
            if let Some(scheme) = named {
                writer.u16(scheme.0);
            }
            Ok(writer.opaque_u16("CertificateVerify.signature", &signature)?)
        })
    }
}
