//! The five messages, each with its type in front.
//!
//! Spec: PCT1 sections 5.2 and 5.4.

use wire::{DecodeError, EncodeError, Reader, Writer};

use super::error::{ErrorCode, Mismatch, Received};
use super::specs::CipherSpec;

/// Types of messages. Spec: PCT1 section 5.5.1.
pub(crate) const CLIENT_HELLO: u8 = 1;
pub(crate) const SERVER_HELLO: u8 = 2;
pub(crate) const CLIENT_MASTER_KEY: u8 = 3;
pub(crate) const SERVER_VERIFY: u8 = 4;
pub(crate) const ERROR: u8 = 5;

/// The version on the wire.
pub(crate) const VERSION: u16 = 0x8001;
/// What all versions of PCT have set, and no other protocol.
pub(crate) const VERSION_BIT: u16 = 0x8000;
/// Bytes between CH_OFFSET and the variable data.
const OFFSET: usize = 10;

/// No session.
pub(crate) const NO_SESSION: [u8; 32] = [0; 32];

fn length(field: &'static str, len: usize) -> Result<u16, EncodeError> {
    u16::try_from(len).map_err(|_| EncodeError { field, length: len, max: usize::from(u16::MAX) })
}

fn codes(field: &'static str, bytes: &[u8]) -> Result<Vec<u16>, DecodeError> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    if rest.is_empty() {
        Ok(pairs.iter().map(|pair| u16::from_be_bytes(*pair)).collect())
    } else {
        Err(DecodeError::illegal(field))
    }
}

fn write_codes(writer: &mut Writer, codes: &[u16]) {
    codes.iter().for_each(|code| writer.u16(*code));
}

/// ```text
/// type 1, version 2, pad 1, session_id 32, challenge 32, offset 2 (10),
/// lengths 2 each: cipher_specs, hash_specs, cert_specs, exch_specs, key_arg; then these
/// ```
///
/// Spec: PCT1 section 5.2.1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClientHello {
    pub(crate) version: u16,
    pub(crate) session_id: [u8; 32],
    pub(crate) challenge: [u8; 32],
    pub(crate) ciphers: Vec<CipherSpec>,
    pub(crate) hashes: Vec<u16>,
    pub(crate) certificates: Vec<u16>,
    pub(crate) exchanges: Vec<u16>,
    pub(crate) key_arg: Vec<u8>,
}

impl ClientHello {
    /// Reads a message. What a newer version adds is skipped: before the variable data, and behind it.
    pub(crate) fn decode(message: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(message);
        reader.u8("CH_MSG_CLIENT_HELLO")?;
        let version = reader.u16("CH_CLIENT_VERSION")?;
        reader.u8("CH_PAD")?;
        let session_id = reader.array("CH_SESSION_ID_DATA")?;
        let challenge = reader.array("CH_CHALLENGE_DATA")?;
        let offset = usize::from(reader.u16("CH_OFFSET")?);
        if version & VERSION_BIT == 0 {
            return Err(DecodeError::illegal("CH_CLIENT_VERSION"));
        }
        if offset < OFFSET {
            return Err(DecodeError::illegal("CH_OFFSET"));
        }
        let cipher_len = usize::from(reader.u16("CH_CIPHER_SPECS_LENGTH")?);
        let hash_len = usize::from(reader.u16("CH_HASH_SPECS_LENGTH")?);
        let cert_len = usize::from(reader.u16("CH_CERT_SPECS_LENGTH")?);
        let exch_len = usize::from(reader.u16("CH_EXCH_SPECS_LENGTH")?);
        let key_arg_len = usize::from(reader.u16("CH_KEY_ARG_LENGTH")?);
        reader.take("CH_OFFSET", offset - OFFSET)?;
        let (ciphers, rest) = reader.take("CH_CIPHER_SPECS_DATA", cipher_len)?.as_chunks::<4>();
        if !rest.is_empty() {
            return Err(DecodeError::illegal("CH_CIPHER_SPECS_LENGTH"));
        }
        let hashes = codes("CH_HASH_SPECS_LENGTH", reader.take("CH_HASH_SPECS_DATA", hash_len)?)?;
        let certificates = codes("CH_CERT_SPECS_LENGTH", reader.take("CH_CERT_SPECS_DATA", cert_len)?)?;
        let exchanges = codes("CH_EXCH_SPECS_LENGTH", reader.take("CH_EXCH_SPECS_DATA", exch_len)?)?;
        let key_arg = reader.take("CH_KEY_ARG_DATA", key_arg_len)?.to_vec();
        if session_id == NO_SESSION && !key_arg.is_empty() {
            return Err(DecodeError::illegal("CH_KEY_ARG_LENGTH"));
        }
        if version == VERSION {
            reader.finish("CLIENT_HELLO")?;
        }
        let ciphers = ciphers.iter().map(|spec| CipherSpec::from_bytes(*spec)).collect();
        Ok(Self { version, session_id, challenge, ciphers, hashes, certificates, exchanges, key_arg })
    }

    pub(crate) fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        let mut writer = Writer::new();
        writer.u8(CLIENT_HELLO);
        writer.u16(self.version);
        writer.u8(0);
        writer.bytes(&self.session_id);
        writer.bytes(&self.challenge);
        writer.u16(length("CH_OFFSET", OFFSET)?);
        writer.u16(length("CH_CIPHER_SPECS_LENGTH", 4 * self.ciphers.len())?);
        writer.u16(length("CH_HASH_SPECS_LENGTH", 2 * self.hashes.len())?);
        writer.u16(length("CH_CERT_SPECS_LENGTH", 2 * self.certificates.len())?);
        writer.u16(length("CH_EXCH_SPECS_LENGTH", 2 * self.exchanges.len())?);
        writer.u16(length("CH_KEY_ARG_LENGTH", self.key_arg.len())?);
        self.ciphers.iter().for_each(|spec| writer.bytes(&spec.to_bytes()));
        write_codes(&mut writer, &self.hashes);
        write_codes(&mut writer, &self.certificates);
        write_codes(&mut writer, &self.exchanges);
        writer.bytes(&self.key_arg);
        Ok(writer.into_vec())
    }
}

/// ```text
/// type 1, pad 1, version 2, restart_session_ok 1, client_auth_req 1, cipher 4, hash 2, cert 2, exch 2, connection_id 32,
/// lengths 2 each: certificate, client_cert_specs, client_sig_specs, response; then these
/// ```
///
/// Spec: PCT1 section 5.2.2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerHello {
    pub(crate) version: u16,
    pub(crate) restarts: bool,
    pub(crate) wants_certificate: bool,
    pub(crate) cipher: CipherSpec,
    pub(crate) hash: u16,
    pub(crate) certificate_type: u16,
    pub(crate) exchange: u16,
    pub(crate) connection_id: [u8; 32],
    pub(crate) certificate: Vec<u8>,
    pub(crate) client_certificates: Vec<u16>,
    pub(crate) client_signatures: Vec<u16>,
    pub(crate) response: Vec<u8>,
}

impl ServerHello {
    pub(crate) fn decode(message: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(message);
        reader.u8("SH_MSG_SERVER_HELLO")?;
        reader.u8("SH_PAD")?;
        let version = reader.u16("SH_SERVER_VERSION")?;
        if version & VERSION_BIT == 0 {
            return Err(DecodeError::illegal("SH_SERVER_VERSION"));
        }
        let restarts = reader.u8("SH_RESTART_SESSION_OK")? != 0;
        let wants_certificate = reader.u8("SH_CLIENT_AUTH_REQ")? != 0;
        let cipher = CipherSpec::from_bytes(reader.array("SH_CIPHER_SPECS_DATA")?);
        let hash = reader.u16("SH_HASH_SPECS_DATA")?;
        let certificate_type = reader.u16("SH_CERT_SPECS_DATA")?;
        let exchange = reader.u16("SH_EXCH_SPECS_DATA")?;
        let connection_id = reader.array("SH_CONNECTION_ID_DATA")?;
        let certificate_len = usize::from(reader.u16("SH_CERTIFICATE_LENGTH")?);
        let certs_len = usize::from(reader.u16("SH_CLIENT_CERT_SPECS_LENGTH")?);
        let sigs_len = usize::from(reader.u16("SH_CLIENT_SIG_SPECS_LENGTH")?);
        let response_len = usize::from(reader.u16("SH_RESPONSE_LENGTH")?);
        let certificate = reader.take("SH_CERTIFICATE_DATA", certificate_len)?.to_vec();
        let client_certificates =
            codes("SH_CLIENT_CERT_SPECS_LENGTH", reader.take("SH_CLIENT_CERT_SPECS_DATA", certs_len)?)?;
        let client_signatures =
            codes("SH_CLIENT_SIG_SPECS_LENGTH", reader.take("SH_CLIENT_SIG_SPECS_DATA", sigs_len)?)?;
        let response = reader.take("SH_RESPONSE_DATA", response_len)?.to_vec();
        reader.finish("SERVER_HELLO")?;
        let lists_nothing = client_certificates.is_empty() && client_signatures.is_empty();
        if !wants_certificate && !lists_nothing {
            return Err(DecodeError::illegal("SH_CLIENT_AUTH_REQ"));
        }
        Ok(Self {
            version,
            restarts,
            wants_certificate,
            cipher,
            hash,
            certificate_type,
            exchange,
            connection_id,
            certificate,
            client_certificates,
            client_signatures,
            response,
        })
    }

    pub(crate) fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        let mut writer = Writer::new();
        writer.u8(SERVER_HELLO);
        writer.u8(0);
        writer.u16(self.version);
        writer.u8(u8::from(self.restarts));
        writer.u8(u8::from(self.wants_certificate));
        writer.bytes(&self.cipher.to_bytes());
        writer.u16(self.hash);
        writer.u16(self.certificate_type);
        writer.u16(self.exchange);
        writer.bytes(&self.connection_id);
        writer.u16(length("SH_CERTIFICATE_LENGTH", self.certificate.len())?);
        writer.u16(length("SH_CLIENT_CERT_SPECS_LENGTH", 2 * self.client_certificates.len())?);
        writer.u16(length("SH_CLIENT_SIG_SPECS_LENGTH", 2 * self.client_signatures.len())?);
        writer.u16(length("SH_RESPONSE_LENGTH", self.response.len())?);
        writer.bytes(&self.certificate);
        write_codes(&mut writer, &self.client_certificates);
        write_codes(&mut writer, &self.client_signatures);
        writer.bytes(&self.response);
        Ok(writer.into_vec())
    }
}

/// ```text
/// type 1, pad 1, client_cert_spec 2, client_sig_spec 2,
/// lengths 2 each: clear_key, encrypted_key, key_arg, verify_prelude, client_cert, response; then these
/// ```
///
/// Spec: PCT1 section 5.2.3.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ClientMasterKey {
    pub(crate) certificate_type: u16,
    pub(crate) signature_type: u16,
    pub(crate) clear_key: Vec<u8>,
    pub(crate) encrypted_key: Vec<u8>,
    pub(crate) key_arg: Vec<u8>,
    pub(crate) verify_prelude: Vec<u8>,
    pub(crate) certificate: Vec<u8>,
    pub(crate) response: Vec<u8>,
}

impl ClientMasterKey {
    pub(crate) fn decode(message: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(message);
        reader.u8("CMK_MSG_CLIENT_MASTER_KEY")?;
        reader.u8("CMK_PAD")?;
        let certificate_type = reader.u16("CMK_CLIENT_CERT_SPECS_DATA")?;
        let signature_type = reader.u16("CMK_CLIENT_SIG_SPECS_DATA")?;
        let clear = usize::from(reader.u16("CMK_CLEAR_KEY_LENGTH")?);
        let encrypted = usize::from(reader.u16("CMK_ENCRYPTED_KEY_LENGTH")?);
        let key_arg = usize::from(reader.u16("CMK_KEY_ARG_LENGTH")?);
        let prelude = usize::from(reader.u16("CMK_VERIFY_PRELUDE_LENGTH")?);
        let certificate = usize::from(reader.u16("CMK_CLIENT_CERT_LENGTH")?);
        let response = usize::from(reader.u16("CMK_RESPONSE_LENGTH")?);
        let message = Self {
            certificate_type,
            signature_type,
            clear_key: reader.take("CMK_CLEAR_KEY_DATA", clear)?.to_vec(),
            encrypted_key: reader.take("CMK_ENCRYPTED_KEY_DATA", encrypted)?.to_vec(),
            key_arg: reader.take("CMK_KEY_ARG_DATA", key_arg)?.to_vec(),
            verify_prelude: reader.take("CMK_VERIFY_PRELUDE_DATA", prelude)?.to_vec(),
            certificate: reader.take("CMK_CLIENT_CERT_DATA", certificate)?.to_vec(),
            response: reader.take("CMK_RESPONSE_DATA", response)?.to_vec(),
        };
        reader.finish("CLIENT_MASTER_KEY")?;
        Ok(message)
    }

    pub(crate) fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        let mut writer = Writer::new();
        writer.u8(CLIENT_MASTER_KEY);
        writer.u8(0);
        writer.u16(self.certificate_type);
        writer.u16(self.signature_type);
        writer.u16(length("CMK_CLEAR_KEY_LENGTH", self.clear_key.len())?);
        writer.u16(length("CMK_ENCRYPTED_KEY_LENGTH", self.encrypted_key.len())?);
        writer.u16(length("CMK_KEY_ARG_LENGTH", self.key_arg.len())?);
        writer.u16(length("CMK_VERIFY_PRELUDE_LENGTH", self.verify_prelude.len())?);
        writer.u16(length("CMK_CLIENT_CERT_LENGTH", self.certificate.len())?);
        writer.u16(length("CMK_RESPONSE_LENGTH", self.response.len())?);
        let fields = [
            &self.clear_key,
            &self.encrypted_key,
            &self.key_arg,
            &self.verify_prelude,
            &self.certificate,
            &self.response,
        ];
        fields.iter().for_each(|field| writer.bytes(field));
        Ok(writer.into_vec())
    }
}

/// `type 1, pad 1, session_id 32, response length 2, response`
///
/// Spec: PCT1 section 5.2.4.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerVerify {
    pub(crate) session_id: [u8; 32],
    pub(crate) response: Vec<u8>,
}

impl ServerVerify {
    pub(crate) fn decode(message: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(message);
        reader.u8("SV_MSG_SERVER_VERIFY")?;
        reader.u8("SV_PAD")?;
        let session_id = reader.array("SV_SESSION_ID_DATA")?;
        let response = reader.opaque_u16("SV_RESPONSE_DATA")?.to_vec();
        reader.finish("SERVER_VERIFY")?;
        Ok(Self { session_id, response })
    }

    pub(crate) fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        let mut writer = Writer::new();
        writer.u8(SERVER_VERIFY);
        writer.u8(0);
        writer.bytes(&self.session_id);
        writer.opaque_u16("SV_RESPONSE_DATA", &self.response)?;
        Ok(writer.into_vec())
    }
}

/// `type 1, error code 2, info length 2, info`; the info is six flags, for SPECS_MISMATCH only.
///
/// Spec: PCT1 section 5.4.
pub(crate) fn encode_error(code: ErrorCode, mismatch: Option<Mismatch>) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.u8(ERROR);
    writer.u16(code.0);
    match mismatch.filter(|_| code == ErrorCode::SPECS_MISMATCH) {
        None if code == ErrorCode::SPECS_MISMATCH => {
            writer.u16(6);
            writer.bytes(&Mismatch::default().to_bytes());
        }
        None => writer.u16(0),
        Some(mismatch) => {
            writer.u16(6);
            writer.bytes(&mismatch.to_bytes());
        }
    }
    writer.into_vec()
}

/// Reads an ERROR message. Whatever else is wrong with it, it is the end.
pub(crate) fn decode_error(message: &[u8]) -> Result<Received, DecodeError> {
    let mut reader = Reader::new(message);
    reader.u8("MSG_ERROR")?;
    let code = ErrorCode(reader.u16("ERROR_CODE")?);
    let info = reader.opaque_u16("ERROR_INFO_DATA")?;
    reader.finish("ERROR")?;
    let mismatch = match <[u8; 6]>::try_from(info) {
        Ok(flags) if code == ErrorCode::SPECS_MISMATCH => Mismatch::from_bytes(flags),
        _ => Mismatch::default(),
    };
    Ok(Received { code, mismatch })
}
