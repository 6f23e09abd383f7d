//! The server's half of the key exchange, and whether it wants a certificate.

use crypto::public_key::PublicKey;
use wire::Reader;

use super::State;
use super::certificate::Shown;
use super::hello::Agreed;
use super::reply::Asked;
use crate::config::ClientConfig;
use crate::error::{Error, Misbehaved};
use crate::tls::channel::{Channel, Message};
use crate::tls::key_exchange::{self, ServerParams, ServerShare};
use crate::tls::messages::CertificateRequest;
use crate::tls::signature::{self, Content, SignatureScheme};
use crate::tls::versions::Signatures;

impl Shown {
    /// The key exchange that the certificate's key is enough for.
    pub(super) fn without_key_exchange(self: Box<Self>, config: &ClientConfig) -> Result<Box<Shared>, Error> {
        let key_exchange = self.agreed.suite.key_exchange;
        let PublicKey::Rsa(key) = &self.key else { return Err(Misbehaved::MissingServerKeyExchange.into()) };
        if key_exchange.is_ephemeral() {
            return Err(Misbehaved::MissingServerKeyExchange.into());
        }
        // A certificate whose key is too long for an export suite needs a shorter one beside it.
        key_exchange::check_export_key(key_exchange, key.bits())
            .map_err(|_| Misbehaved::MissingServerKeyExchange)?;
        self.check_rsa_usage(false, &config.policy)?;
        let share = ServerShare::Rsa(key.clone());
        self.judge(config, share)
    }

    /// Spec: TLS12 section 7.4.3; ECC section 5.4.
    pub(super) fn server_key_exchange(
        self: Box<Self>,
        message: &Message,
        config: &ClientConfig,
        channel: &mut Channel,
    ) -> Result<State, Error> {
        let Agreed { suite, rules, randoms, offer, .. } = &self.agreed;
        // A short key where none was agreed on is an attack (FREAK), and where the certificate's is short enough it is "not
        // legal" to send another. Spec: TLS10 section 7.4.3.
        let is_short = || key_exchange::check_export_key(suite.key_exchange, self.key.bits()).is_ok();
        if suite.key_exchange.is_rsa() && is_short() {
            return Err(Misbehaved::UnexpectedServerKeyExchange.into());
        }
        self.check_rsa_usage(true, &config.policy)?;
        let body = message.body();
        let mut reader = Reader::new(body);
        let params = ServerParams::decode(suite.key_exchange, &mut reader)?;
        let signed = body.get(..body.len() - reader.remaining()).unwrap_or_default();
        let content = [&randoms.client, &randoms.server, signed];
        let whole;
        let content = match rules.signatures {
            Signatures::Md5AndSha1 { .. } => Content::md5_and_sha1(&content),
            Signatures::Negotiated => {
                let scheme = reader.u16("ServerKeyExchange.algorithm")?;
                if !offer.signature_algorithms.contains(&scheme) {
                    return Err(Misbehaved::SignatureNotOffered(scheme).into());
                }
                whole = content.concat();
                Content::Message(SignatureScheme(scheme), &whole)
            }
        };
        let signature = reader.opaque_u16("ServerKeyExchange.signature")?;
        reader.finish("ServerKeyExchange")?;
        signature::verify(rules, &self.key, &content, signature, "ServerKeyExchange")?;
        let share = ServerShare::check(&params, suite.key_exchange, &config.policy)?;
        channel.transcript.add(message.bytes());
        Ok(State::CertificateRequest(self.judge(config, share)?))
    }
}

/// The server's half of the key exchange is known, and its certificate accepted.
pub(crate) struct Shared {
    pub(super) agreed: Agreed,
    pub(super) chain: Vec<Vec<u8>>,
    pub(super) ocsp_response: Vec<u8>,
    pub(super) share: ServerShare,
}

impl Shared {
    pub(super) fn without_request(self: Box<Self>) -> Box<Asked> {
        Box::new(Asked { shared: *self, request: None })
    }

    /// Spec: TLS12 section 7.4.4.
    pub(super) fn certificate_request(
        self: Box<Self>,
        message: &Message,
        channel: &mut Channel,
    ) -> Result<State, Error> {
        let has_algorithms = matches!(self.agreed.rules.signatures, Signatures::Negotiated);
        let mut reader = Reader::new(message.body());
        let request = CertificateRequest::decode(&mut reader, has_algorithms)?;
        reader.finish("CertificateRequest")?;
        channel.transcript.add(message.bytes());
        Ok(State::ServerHelloDone(Box::new(Asked { shared: *self, request: Some(request) })))
    }
}
