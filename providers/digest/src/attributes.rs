//! What was negotiated.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use sspi_core::{
    AlgId, AscRet, ConnectionWeakness, ContextFlags, DigestAlgorithm, Error, IscRet, KeyInfo, Lifespan,
    PackageInfo, QueryContextAttributes, SecPkgAttr, SecStatus, Secret, Sizes, StreamSizes,
};

use crate::algorithm::{Algorithm, Cipher, Qop};
use crate::challenge::Dialect;
use crate::package::{MAX_SIGNATURE, NAME};

/// The attributes of a context.
pub(crate) struct Attributes {
    pub(crate) info: Arc<PackageInfo>,
    pub(crate) negotiated: Negotiated,
}

/// What both ends agreed on, and who they are.
#[derive(Clone)]
pub(crate) struct Negotiated {
    pub(crate) is_client: bool,
    pub(crate) dialect: Dialect,
    pub(crate) algorithm: Algorithm,
    pub(crate) qop: Qop,
    pub(crate) cipher: Option<Cipher>,
    /// The server has proved to know the secret: its proof was sent, or verified. A server of HTTP that proves its response's
    /// body does so when that is known.
    pub(crate) has_proved: Arc<AtomicBool>,
    /// The user's name.
    pub(crate) user: String,
    pub(crate) realm: String,
    /// The URI, or the service, that the client means.
    pub(crate) target: String,
    /// H(A1).
    pub(crate) key: Secret<Vec<u8>>,
    pub(crate) start: SystemTime,
    pub(crate) expiry: Option<SystemTime>,
    /// The longest protected message that the peer takes, and that we take, in bytes.
    pub(crate) peer_maxbuf: usize,
    pub(crate) own_maxbuf: usize,
}

impl Negotiated {
    /// Whether messages are protected.
    pub(crate) fn has_layer(&self) -> bool {
        self.dialect == Dialect::Sasl && self.qop >= Qop::AuthInt
    }

    fn block_len(&self) -> usize {
        self.cipher.map_or(1, Cipher::block_len)
    }
}

impl QueryContextAttributes for Attributes {
    fn package_info(&self) -> &PackageInfo {
        &self.info
    }

    /// Of HTTP, replays of requests are detected where they are counted, and bodies are protected with `auth-int`; nothing
    /// protects what follows them.
    fn flags(&self) -> ContextFlags {
        let Negotiated { is_client, dialect, qop, cipher, has_proved, .. } = &self.negotiated;
        let (has_layer, is_http) = (self.negotiated.has_layer(), *dialect == Dialect::Http);
        let has_integrity = *qop >= Qop::AuthInt;
        let flags = IscRet::CONNECTION
            .with_if(has_proved.load(Ordering::Relaxed), IscRet::MUTUAL_AUTH)
            .with_if(has_layer, IscRet::SEQUENCE_DETECT)
            .with_if(has_layer || (is_http && *qop != Qop::None), IscRet::REPLAY_DETECT)
            .with_if(cipher.is_some(), IscRet::CONFIDENTIALITY);
        if *is_client {
            let flags =
                flags.with_if(has_integrity, IscRet::INTEGRITY).with_if(is_http, IscRet::USED_HTTP_STYLE);
            ContextFlags::Initiator(flags)
        } else {
            ContextFlags::Acceptor(AscRet(flags.0).with_if(has_integrity, AscRet::INTEGRITY))
        }
    }

    fn sizes(&self) -> Result<Sizes, Error> {
        let has_layer = self.negotiated.has_layer();
        let most = if has_layer { MAX_SIGNATURE } else { 0 };
        let max_token = usize::try_from(self.info.max_token).unwrap_or(usize::MAX);
        let block_size = self.negotiated.block_len();
        Ok(Sizes { max_token, max_signature: most, block_size, security_trailer: most })
    }

    fn stream_sizes(&self) -> Result<StreamSizes, Error> {
        if !self.negotiated.has_layer() {
            return Err(SecPkgAttr::STREAM_SIZES.unsupported(NAME));
        }
        Ok(StreamSizes {
            header: 0,
            trailer: MAX_SIGNATURE,
            maximum_message: self.negotiated.peer_maxbuf.saturating_sub(MAX_SIGNATURE),
            buffers: 2,
            block_size: self.negotiated.block_len(),
        })
    }

    fn names(&self) -> Result<String, Error> {
        Ok(self.negotiated.user.clone())
    }

    fn native_names(&self) -> Result<(String, String), Error> {
        Ok((self.negotiated.user.clone(), self.negotiated.target.clone()))
    }

    fn lifespan(&self) -> Result<Lifespan, Error> {
        Ok(Lifespan { start: Some(self.negotiated.start), expiry: self.negotiated.expiry })
    }

    fn key_info(&self) -> Result<KeyInfo, Error> {
        if !self.negotiated.has_layer() {
            return Err(SecPkgAttr::KEY_INFO.unsupported(NAME));
        }
        let (name, id, size) = match self.negotiated.cipher {
            None => ("", AlgId::NONE, 128),
            Some(cipher) => {
                let id = match cipher {
                    Cipher::TripleDes => AlgId::TRIPLE_DES,
                    Cipher::Des => AlgId::DES,
                    Cipher::Rc4 | Cipher::Rc4Of56 | Cipher::Rc4Of40 => AlgId::RC4,
                };
                (cipher.name(), id, cipher.key_bits())
            }
        };
        Ok(KeyInfo {
            signature_algorithm_name: "HMAC-MD5".into(),
            encrypt_algorithm_name: name.into(),
            key_size: size,
            signature_algorithm: AlgId::MD5,
            encrypt_algorithm: id,
        })
    }

    /// The realm.
    fn authority(&self) -> Result<String, Error> {
        Ok(self.negotiated.realm.clone())
    }

    fn session_key(&self) -> Result<Secret<Vec<u8>>, Error> {
        Ok(self.negotiated.key.clone())
    }

    fn client_specified_target(&self) -> Result<String, Error> {
        if self.negotiated.is_client {
            let what = "the target is what the client itself asked for";
            return Err(Error::new(SecStatus::SEC_E_UNSUPPORTED_FUNCTION, sspi_core::Fault::ApiMisuse, what));
        }
        Ok(self.negotiated.target.clone())
    }

    fn weaknesses(&self) -> Vec<ConnectionWeakness> {
        let Negotiated { dialect, algorithm, qop, cipher, .. } = &self.negotiated;
        let mut found = Vec::new();
        let mut weak = |name: &'static str, description: &'static str| {
            found.push(ConnectionWeakness { name: name.into(), description: description.into() });
        };
        match cipher {
            Some(Cipher::Rc4Of40) => weak("rc4-40", "messages are encrypted with RC4 and 40 bits"),
            Some(Cipher::Rc4Of56) => weak("rc4-56", "messages are encrypted with RC4 and 56 bits"),
            Some(Cipher::Des) => weak("des", "messages are encrypted with DES"),
            Some(Cipher::Rc4) => weak("rc4", "messages are encrypted with RC4"),
            Some(Cipher::TripleDes) | None => {}
        }
        if *qop == Qop::None {
            weak("no-qop", "nothing counts how often a nonce is used");
        }
        if algorithm.hash == DigestAlgorithm::Md5 {
            weak("md5", "the password is proved with MD5");
        }
        if *dialect == Dialect::Sasl && *qop == Qop::Auth {
            weak("no-layer", "messages are not protected");
        }
        found
    }
}
