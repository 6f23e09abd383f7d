//! The AEADs of rustls's suites: our own keys in the place of ring's.
//!
//! An AEAD key is expanded from its bytes once, which costs about as much as a short record. rustls protects the end of the
//! handshake with it and would hand out the bytes afterwards, to be expanded again. Here it gets keys that we hold too: the
//! last one that was made for each direction is the one of the data, and the records behind the handshake go on with it.
//!
//! Spec: TLS13 section 5.2; TLS12 section 6.2.3.3; GCM-SUITES section 3; CHACHA-SUITES section 2.

use std::sync::Arc;

use crypto::aead::{AeadAlgorithm, AeadKey, NONCE_LEN, TAG_LEN};
use rustls::crypto::cipher::{
    AeadKey as KeyBytes, InboundOpaqueMessage, InboundPlainMessage, Iv, KeyBlockShape, MessageDecrypter,
    MessageEncrypter, OutboundOpaqueMessage, OutboundPlainMessage, PrefixedPayload, Tls12AeadAlgorithm,
    Tls13AeadAlgorithm, UnsupportedOperationError, make_tls13_aad,
};
use rustls::{ConnectionTrafficSecrets, ContentType, Error, ProtocolVersion};

use super::observed;
use super::records::{EXPLICIT_NONCE, Layout, RecordKey, tls12_aad};
use crate::backend::records::{FATAL, MAX_PLAINTEXT};

/// The AEAD of a suite, as rustls wants it.
pub(super) struct RecordAead {
    algorithm: AeadAlgorithm,
    layout: Layout,
}

macro_rules! statics {
    ($($name:ident = $algorithm:ident, $layout:ident;)*) => {
        $(static $name: RecordAead =
            RecordAead { algorithm: AeadAlgorithm::$algorithm, layout: Layout::$layout };)*
    };
}

statics! {
    TLS13_AES_128_GCM = Aes128Gcm, Tls13;
    TLS13_AES_256_GCM = Aes256Gcm, Tls13;
    TLS13_CHACHA20_POLY1305 = ChaCha20Poly1305, Tls13;
    TLS12_AES_128_GCM = Aes128Gcm, Tls12Gcm;
    TLS12_AES_256_GCM = Aes256Gcm, Tls12Gcm;
    TLS12_CHACHA20_POLY1305 = ChaCha20Poly1305, Tls12ChaCha;
}

pub(super) fn tls13(algorithm: AeadAlgorithm) -> &'static RecordAead {
    match algorithm {
        AeadAlgorithm::Aes128Gcm => &TLS13_AES_128_GCM,
        AeadAlgorithm::Aes256Gcm => &TLS13_AES_256_GCM,
        AeadAlgorithm::ChaCha20Poly1305 => &TLS13_CHACHA20_POLY1305,
    }
}

pub(super) fn tls12(algorithm: AeadAlgorithm) -> &'static RecordAead {
    match algorithm {
        AeadAlgorithm::Aes128Gcm => &TLS12_AES_128_GCM,
        AeadAlgorithm::Aes256Gcm => &TLS12_AES_256_GCM,
        AeadAlgorithm::ChaCha20Poly1305 => &TLS12_CHACHA20_POLY1305,
    }
}

/// What the handshake is told: the keys that rustls made last.
#[derive(Default)]
pub(crate) struct Keys {
    pub(crate) sending: Option<Arc<RecordKey>>,
    pub(crate) receiving: Option<Arc<RecordKey>>,
}

impl RecordAead {
    fn key(&self, bytes: &KeyBytes, iv: [u8; NONCE_LEN]) -> Option<Arc<RecordKey>> {
        let key = AeadKey::new(self.algorithm, bytes.as_ref()).ok()?;
        Some(Arc::new(RecordKey::new(key, iv)))
    }

    fn sealer(&self, bytes: &KeyBytes, iv: [u8; NONCE_LEN]) -> Box<dyn MessageEncrypter> {
        let key = self.key(bytes, iv);
        let _outside_a_handshake = observed::with(|o| o.keys.sending.clone_from(&key));
        Box::new(Sealer { key, layout: self.layout })
    }

    fn opener(&self, bytes: &KeyBytes, iv: [u8; NONCE_LEN]) -> Box<dyn MessageDecrypter> {
        let key = self.key(bytes, iv);
        let _outside_a_handshake = observed::with(|o| o.keys.receiving.clone_from(&key));
        Box::new(Opener { key, layout: self.layout })
    }

    fn extracted(&self, key: KeyBytes, iv: Iv) -> ConnectionTrafficSecrets {
        match self.algorithm {
            AeadAlgorithm::Aes128Gcm => ConnectionTrafficSecrets::Aes128Gcm { key, iv },
            AeadAlgorithm::Aes256Gcm => ConnectionTrafficSecrets::Aes256Gcm { key, iv },
            AeadAlgorithm::ChaCha20Poly1305 => ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv },
        }
    }
}

/// The bytes of `parts` as an implicit nonce; what is missing is zero.
fn nonce<const N: usize>(parts: [&[u8]; N]) -> [u8; NONCE_LEN] {
    let mut iv = [0; NONCE_LEN];
    iv.iter_mut().zip(parts.into_iter().flatten()).for_each(|(to, from)| *to = *from);
    iv
}

impl Tls13AeadAlgorithm for RecordAead {
    fn encrypter(&self, key: KeyBytes, iv: Iv) -> Box<dyn MessageEncrypter> {
        self.sealer(&key, nonce([iv.as_ref()]))
    }

    fn decrypter(&self, key: KeyBytes, iv: Iv) -> Box<dyn MessageDecrypter> {
        self.opener(&key, nonce([iv.as_ref()]))
    }

    fn key_len(&self) -> usize {
        self.algorithm.key_len()
    }

    fn extract_keys(
        &self,
        key: KeyBytes,
        iv: Iv,
    ) -> Result<ConnectionTrafficSecrets, UnsupportedOperationError> {
        Ok(self.extracted(key, iv))
    }
}

impl Tls12AeadAlgorithm for RecordAead {
    fn encrypter(&self, key: KeyBytes, iv: &[u8], extra: &[u8]) -> Box<dyn MessageEncrypter> {
        self.sealer(&key, nonce([iv, extra]))
    }

    fn decrypter(&self, key: KeyBytes, iv: &[u8]) -> Box<dyn MessageDecrypter> {
        self.opener(&key, nonce([iv]))
    }

    fn key_block_shape(&self) -> KeyBlockShape {
        let explicit_nonce_len = if self.layout == Layout::Tls12Gcm { EXPLICIT_NONCE } else { 0 };
        KeyBlockShape {
            enc_key_len: self.algorithm.key_len(),
            fixed_iv_len: NONCE_LEN - explicit_nonce_len,
            explicit_nonce_len,
        }
    }

    fn extract_keys(
        &self,
        key: KeyBytes,
        iv: &[u8],
        explicit: &[u8],
    ) -> Result<ConnectionTrafficSecrets, UnsupportedOperationError> {
        Ok(self.extracted(key, Iv::from(nonce([iv, explicit]))))
    }
}

/// Protects records for rustls. Without a key, which does not happen, nothing is protected and nothing sent.
struct Sealer {
    key: Option<Arc<RecordKey>>,
    layout: Layout,
}

impl MessageEncrypter for Sealer {
    fn encrypt(
        &mut self,
        message: OutboundPlainMessage<'_>,
        sequence: u64,
    ) -> Result<OutboundOpaqueMessage, Error> {
        let key = self.key.as_ref().ok_or(Error::EncryptError)?;
        if message.typ == ContentType::Alert
            && let [FATAL, number] = message.payload.to_vec().as_slice()
        {
            let _outside_a_handshake = observed::with(|o| o.alert = Some(*number));
        }
        let data_len = message.payload.len();
        let total = self.encrypted_payload_len(data_len);
        let mut payload = PrefixedPayload::with_capacity(total);
        let nonce = key.nonce(sequence);
        let content_type = u8::from(message.typ);
        let (content_type, version, tag) = if self.layout == Layout::Tls13 {
            payload.extend_from_chunks(&message.payload);
            payload.extend_from_slice(&[content_type]);
            let tag = key.key().seal_in_place(nonce, &make_tls13_aad(total), payload.as_mut());
            (ContentType::ApplicationData, ProtocolVersion::TLSv1_2, tag)
        } else {
            let explicit = self.layout.explicit_nonce();
            payload.extend_from_slice(nonce.get(NONCE_LEN - explicit..).unwrap_or_default());
            payload.extend_from_chunks(&message.payload);
            let aad = tls12_aad(sequence, content_type, u16::from(message.version).to_be_bytes(), data_len);
            let text = payload.as_mut().get_mut(explicit..).unwrap_or_default();
            (message.typ, message.version, key.key().seal_in_place(nonce, &aad, text))
        };
        payload.extend_from_slice(&tag.map_err(|_| Error::EncryptError)?);
        key.used(sequence);
        Ok(OutboundOpaqueMessage::new(content_type, version, payload))
    }

    fn encrypted_payload_len(&self, data_len: usize) -> usize {
        self.layout.explicit_nonce() + data_len + self.layout.trailer()
    }
}

/// Opens records for rustls.
struct Opener {
    key: Option<Arc<RecordKey>>,
    layout: Layout,
}

impl MessageDecrypter for Opener {
    fn decrypt<'a>(
        &mut self,
        message: InboundOpaqueMessage<'a>,
        sequence: u64,
    ) -> Result<InboundPlainMessage<'a>, Error> {
        let opened = self.open(message, sequence);
        // rustls says the same of a Finished message that is not right.
        let is_bad = matches!(opened, Err(Error::DecryptError));
        let _outside_a_handshake = observed::with(|o| o.is_bad_record = is_bad);
        opened
    }
}

impl Opener {
    fn open<'a>(
        &self,
        mut message: InboundOpaqueMessage<'a>,
        sequence: u64,
    ) -> Result<InboundPlainMessage<'a>, Error> {
        let key = self.key.as_ref().ok_or(Error::DecryptError)?;
        let body = &mut *message.payload;
        let body_len = body.len();
        if self.layout == Layout::Tls13 {
            let opened = key.key().open_in_place(key.nonce(sequence), &make_tls13_aad(body_len), body);
            let len = opened.map_err(|_| Error::DecryptError)?;
            key.used(sequence);
            message.payload.truncate(len);
            return message.into_tls13_unpadded_message();
        }
        let explicit = self.layout.explicit_nonce();
        let data_len = body_len.checked_sub(explicit + TAG_LEN).ok_or(Error::DecryptError)?;
        let (explicit_nonce, text) = body.split_at_mut_checked(explicit).ok_or(Error::DecryptError)?;
        let nonce = match explicit_nonce.first_chunk() {
            Some(explicit) => key.nonce_with(*explicit),
            None => key.nonce(sequence),
        };
        let version = u16::from(message.version).to_be_bytes();
        let aad = tls12_aad(sequence, u8::from(message.typ), version, data_len);
        key.key().open_in_place(nonce, &aad, text).map_err(|_| Error::DecryptError)?;
        key.used(sequence);
        if data_len > MAX_PLAINTEXT {
            return Err(Error::PeerSentOversizedRecord);
        }
        Ok(message.into_plain_message_range(explicit..explicit + data_len))
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use rustls::crypto::{CryptoProvider, ring};
    use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
    use rustls::{
        ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, SupportedCipherSuite,
    };
    use test_support::{Pki, TestCertificate};

    use super::*;
    use crate::backend::rustls::key_schedule::cipher_suites;

    fn provider(suite: SupportedCipherSuite) -> Arc<CryptoProvider> {
        Arc::new(CryptoProvider { cipher_suites: vec![suite], ..ring::default_provider() })
    }

    /// Two connections of rustls itself, each with a suite of its own making.
    fn connections(
        client: SupportedCipherSuite,
        server: SupportedCipherSuite,
        pki: &Pki,
        certificate: &TestCertificate,
    ) -> (ClientConnection, ServerConnection) {
        let versions = [client.version()];
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(pki.root_der().to_vec())).unwrap();
        let client = ClientConfig::builder_with_provider(provider(client))
            .with_protocol_versions(&versions)
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let chain = certificate.chain_der().iter().map(|der| CertificateDer::from(der.clone())).collect();
        let server = ServerConfig::builder_with_provider(provider(server))
            .with_protocol_versions(&versions)
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, PrivateKeyDer::try_from(certificate.key_der().to_vec()).unwrap())
            .unwrap();
        let name = ServerName::try_from("server.test").unwrap();
        (
            ClientConnection::new(Arc::new(client), name).unwrap(),
            ServerConnection::new(Arc::new(server)).unwrap(),
        )
    }

    /// Takes what one end has to send to the other, with a byte of it changed or not.
    macro_rules! pass {
        ($from:expr, $to:expr, $change:expr) => {{
            let mut bytes = Vec::new();
            while $from.wants_write() {
                $from.write_tls(&mut bytes).unwrap();
            }
            $change(&mut bytes);
            let mut input = bytes.as_slice();
            let mut result = Ok(());
            while !input.is_empty() && result.is_ok() {
                $to.read_tls(&mut input).unwrap();
                result = $to.process_new_packets().map(drop);
            }
            result
        }};
    }

    fn speak(client: SupportedCipherSuite, server: SupportedCipherSuite) {
        let pki = Pki::new();
        let is_rsa = format!("{:?}", client.suite()).contains("RSA");
        let certificate = pki.server("server.test");
        let certificate = if is_rsa { certificate.rsa_2048() } else { certificate.ecdsa_p256() }.issue();
        let (mut client, mut server) = connections(client, server, &pki, &certificate);
        let nothing = |_: &mut Vec<u8>| ();
        while client.is_handshaking() || server.is_handshaking() {
            pass!(client, server, nothing).unwrap();
            pass!(server, client, nothing).unwrap();
        }
        for len in [1, 17, 1000, MAX_PLAINTEXT, MAX_PLAINTEXT + 1] {
            let data: Vec<u8> = (0..=255).cycle().take(len).collect();
            let mut read = vec![0; len];
            client.writer().write_all(&data).unwrap();
            pass!(client, server, nothing).unwrap();
            server.reader().read_exact(&mut read).unwrap();
            assert_eq!(read, data);
            read.fill(0);
            server.writer().write_all(&data).unwrap();
            pass!(server, client, nothing).unwrap();
            client.reader().read_exact(&mut read).unwrap();
            assert_eq!(read, data);
        }
        client.writer().write_all(b"altered").unwrap();
        let altered = pass!(client, server, |bytes: &mut Vec<u8>| *bytes.last_mut().unwrap() ^= 1);
        assert_eq!(altered, Err(Error::DecryptError));
    }

    #[test]
    fn records_are_those_of_rustls_with_ring_in_both_directions() {
        for theirs in ring::default_provider().cipher_suites {
            let ours = *cipher_suites().iter().find(|suite| suite.suite() == theirs.suite()).unwrap();
            speak(ours, theirs);
            speak(theirs, ours);
        }
    }
}
