//! The server's certificate, and the OCSP response that may be stapled to it.

use crypto::public_key::PublicKey;
use wire::Codec;

use super::State;
use super::hello::Agreed;
use super::key_exchange::Shared;
use crate::certificate::{PeerCertificate, forbids_decryption, forbids_signing, public_key};
use crate::config::{ClientConfig, Policy};
use crate::error::{Error, Misbehaved};
use crate::tls::channel::{Channel, Message};
use crate::tls::cipher_suites::KeyExchange;
use crate::tls::key_exchange::ServerShare;
use crate::tls::messages::{Certificate, CertificateStatus};

impl Agreed {
    /// Spec: TLS12 section 7.4.2.
    pub(super) fn certificate(
        self: Box<Self>,
        message: &Message,
        channel: &mut Channel,
    ) -> Result<State, Error> {
        let chain = Certificate::from_bytes(message.body(), "Certificate")?.chain.into_owned();
        let leaf = chain.first().ok_or(Misbehaved::NoServerCertificate)?;
        let key = public_key(leaf).map_err(|_| Misbehaved::UnreadableCertificate)?;
        let fits = match self.suite.key_exchange {
            KeyExchange::Rsa
            | KeyExchange::RsaExport { .. }
            | KeyExchange::DheRsa
            | KeyExchange::EcdheRsa => {
                matches!(key, PublicKey::Rsa(_))
            }
            KeyExchange::DheDss | KeyExchange::DheDssExport { .. } => matches!(key, PublicKey::Dsa(_)),
            KeyExchange::EcdheEcdsa => matches!(key, PublicKey::Ecdsa(_) | PublicKey::Ed25519(_)),
        };
        if !fits {
            return Err(Misbehaved::WrongCertificateType.into());
        }
        // An RSA key decrypts with one suite and signs with another, which shows with what follows; the others do nothing but
        // sign. Spec: TLS12 section 7.4.2; ECC section 5.3.
        if !matches!(key, PublicKey::Rsa(_)) && forbids_signing(leaf) {
            return Err(Misbehaved::KeyMayNotSign.into());
        }
        channel.transcript.add(message.bytes());
        let status = if self.status_follows { Status::MayCome } else { Status::Absent };
        Ok(State::ServerKeyExchange(Box::new(Shown { agreed: *self, chain, key, status })))
    }
}

/// Whether there is a stapled OCSP response.
enum Status {
    Absent,
    MayCome,
    Came(Vec<u8>),
}

/// The server has shown its certificate; nothing is known of its worth yet.
pub(crate) struct Shown {
    pub(super) agreed: Agreed,
    chain: Vec<Vec<u8>>,
    pub(super) key: PublicKey,
    status: Status,
}

impl Shown {
    pub(super) const fn awaits_status(&self) -> bool {
        matches!(self.status, Status::MayCome)
    }

    /// Spec: TLS-EXT section 8.
    pub(super) fn certificate_status(
        mut self: Box<Self>,
        message: &Message,
        channel: &mut Channel,
    ) -> Result<State, Error> {
        let status = CertificateStatus::from_bytes(message.body(), "CertificateStatus")?;
        self.status = Status::Came(status.ocsp_response.into_owned());
        channel.transcript.add(message.bytes());
        Ok(State::ServerKeyExchange(self))
    }

    /// An RSA key does what keyUsage allows.
    ///
    /// Spec: TLS12 section 7.4.2.
    pub(super) fn check_rsa_usage(&self, sign: bool, policy: &Policy) -> Result<(), Error> {
        let forbids = if sign { forbids_signing } else { forbids_decryption };
        let is_rsa = matches!(self.key, PublicKey::Rsa(_));
        if is_rsa && !policy.any_rsa_key_usage && self.chain.first().is_some_and(|leaf| forbids(leaf)) {
            return Err(Misbehaved::RsaKeyMayNot { sign }.into());
        }
        Ok(())
    }

    /// Has the chain judged.
    pub(super) fn judge(self, config: &ClientConfig, share: ServerShare) -> Result<Box<Shared>, Error> {
        let Self { agreed, chain, status, .. } = self;
        let ocsp_response = match status {
            Status::Came(response) => response,
            Status::Absent | Status::MayCome => Vec::new(),
        };
        agreed.offer.before.as_ref().map_or(Ok(()), |before| before.check_peer(&chain))?;
        let server_name = agreed.offer.server_name.as_deref();
        let shown =
            PeerCertificate { chain: &chain, server_name, ocsp_response: &ocsp_response, resumed: false };
        config.verifier.verify(&shown).map_err(Error::Certificate)?;
        Ok(Box::new(Shared { agreed, chain, ocsp_response, share }))
    }
}
