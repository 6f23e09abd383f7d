//! The client's certificate, and the proof that its key is the client's.

use crypto::public_key::PublicKey;
use wire::{Codec, Reader};

use super::State;
use super::finish::Keyed;
use super::key_exchange::Chosen;
use crate::certificate::{PeerCertificate, forbids_signing, public_key};
use crate::config::{ClientAuth, ServerConfig};
use crate::error::{Error, Misbehaved, Refused};
use crate::tls::channel::{Channel, Message};
use crate::tls::messages::Certificate;
use crate::tls::signature::{self, Content, SignatureScheme};
use crate::tls::versions::{NoCertificate, Signatures};

impl Chosen {
    /// The client says that it has none.
    pub(super) fn without_certificate(self: Box<Self>) -> Result<Box<Self>, Error> {
        if self.client_auth == ClientAuth::Required {
            return Err(Refused::NoClientCertificate.into());
        }
        Ok(self)
    }

    /// Spec: TLS12 section 7.4.6.
    pub(super) fn certificate(
        mut self: Box<Self>,
        message: &Message,
        config: &ServerConfig,
        channel: &mut Channel,
    ) -> Result<State, Error> {
        let chain = Certificate::from_bytes(message.body(), "Certificate")?.chain.into_owned();
        channel.transcript.add(message.bytes());
        let Some(leaf) = chain.first() else {
            // SSL 3.0 has no list without certificates. Spec: SSL30 section 5.6.2.
            if self.rules.no_certificate == NoCertificate::Alert {
                return Err(wire::DecodeError::illegal("Certificate.certificate_list").into());
            }
            return Ok(State::ClientKeyExchange(self.without_certificate()?));
        };
        let key = public_key(leaf).map_err(|_| Misbehaved::UnreadableCertificate)?;
        // One of a kind that was not asked for. Spec: TLS12 section 7.4.6; ECC section 5.5.
        let is_elliptic = matches!(key, PublicKey::Ecdsa(_) | PublicKey::Ed25519(_));
        if is_elliptic && !self.rules.has_extensions {
            return Err(Misbehaved::WrongCertificateType.into());
        }
        // A client does nothing with its key but sign. Spec: TLS12 section 7.4.6.
        if forbids_signing(leaf) {
            return Err(Misbehaved::KeyMayNotSign.into());
        }
        self.before.as_ref().map_or(Ok(()), |before| before.check_peer(&chain))?;
        let shown = PeerCertificate { chain: &chain, server_name: None, ocsp_response: &[], resumed: false };
        config.client_verifier.verify(&shown).map_err(Error::Certificate)?;
        self.peer = Some(key);
        self.peer_chain = chain;
        Ok(State::ClientKeyExchange(self))
    }
}

impl Keyed {
    /// Spec: TLS12 section 7.4.8; TLS10 section 7.4.8; SSL30 section 5.6.8.
    pub(super) fn certificate_verify(
        self: Box<Self>,
        message: &Message,
        config: &ServerConfig,
        channel: &mut Channel,
    ) -> Result<State, Error> {
        let mut reader = Reader::new(message.body());
        let content = match self.common.rules.signatures {
            Signatures::Md5AndSha1 { of_transcript } => {
                Content::Md5AndSha1(of_transcript(&channel.transcript, &self.master_secret))
            }
            Signatures::Negotiated => {
                let scheme = SignatureScheme(reader.u16("CertificateVerify.algorithm")?);
                if !config.policy.signature_schemes.contains(&scheme) {
                    return Err(Misbehaved::SignatureNotOffered(scheme.0).into());
                }
                Content::Message(scheme, channel.transcript.messages())
            }
        };
        let signature = reader.opaque_u16("CertificateVerify.signature")?;
        reader.finish("CertificateVerify")?;
        let key = self.peer.as_ref().ok_or(Error::Internal("a CertificateVerify without certificate"))?;
        signature::verify(self.common.rules, key, &content, signature, "CertificateVerify")?;
        channel.transcript.add(message.bytes());
        channel.transcript.release();
        Ok(State::ChangeCipherSpec(self))
    }
}
