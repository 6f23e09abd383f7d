//! What was negotiated: `QueryContextAttributes` for a TLS connection.

use std::sync::Arc;
use std::time::SystemTime;

use crypto::hash::Hash;
use crypto::hkdf::{derive_secret, hkdf_expand_label};
use crypto::tls_prf::prf_tls12;
use legacy_tls::KeyExchangeStrength;
use sspi_core::{
    Account, AlgId, ApplicationProtocol, AscReq, AscRet, ChannelBindings, CipherInfo, ConnectionInfo,
    ConnectionWeakness, ContextFlags, Error, Fault, IscReq, IscRet, KeyInfo, KeyingMaterial, Lifespan,
    NegotiationInfo, NegotiationState, PackageInfo, QueryContextAttributes, RemoteCertificate, SecPkgAttr,
    SecStatus, Secret, SessionInfo, Sizes, SpProt, StreamSizes,
};
use zeroize::Zeroizing;

use crate::backend::{Session, SessionSecrets};
use crate::certificate::summary::CertificateSummary;
use crate::certificate::{EndPointHash, end_point_hash, rsa_bits};
use crate::cipher_suites::{Exchange, GROUPS};
use crate::config::Protocol;
use crate::first_flight::version_bits;
use crate::renegotiation::Prior;
use crate::weaknesses;

/// What the handshake was asked to do, in its own role's flags.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Requested {
    pub(crate) role: RequestedOf,
    /// A negotiation around the package asked.
    pub(crate) negotiated: bool,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum RequestedOf {
    Initiator(IscReq),
    Acceptor {
        flags: AscReq,
        /// The application judges the client's certificate.
        manual: bool,
    },
}

/// The attributes of an established context.
pub(crate) struct Attributes {
    info: Arc<PackageInfo>,
    session: Session,
    stream_sizes: StreamSizes,
    requested: Requested,
    /// Client: the name that was asked for.
    target: Option<String>,
    start: SystemTime,
}

impl Attributes {
    pub(crate) fn new(
        info: Arc<PackageInfo>,
        session: Session,
        stream_sizes: StreamSizes,
        requested: Requested,
        target: Option<String>,
        start: SystemTime,
    ) -> Self {
        Self { info, session, stream_sizes, requested, target, start }
    }

    pub(crate) const fn is_client(&self) -> bool {
        self.session.is_client
    }

    pub(crate) const fn is_tls13(&self) -> bool {
        self.session.version == 0x0304
    }

    pub(crate) const fn is_pct(&self) -> bool {
        self.session.version == legacy_tls::ProtocolVersion::PCT1.0
    }

    /// Whether the protocol has a second handshake: PCT, and from SSL 3.0 to TLS 1.2.
    pub(crate) const fn has_second_handshake(&self) -> bool {
        self.is_pct() || matches!(self.session.version, 0x0300..=0x0303)
    }

    /// What a second handshake of the engine needs of the first.
    pub(crate) fn prior(&self) -> Option<Prior> {
        match &self.session.secrets {
            SessionSecrets::Legacy(negotiated) => {
                let session = &self.session;
                if let Some(previous) = negotiated.previous() {
                    return Some(Prior::Pct1(previous));
                }
                let peer = session.peer_chain.as_ref().and_then(|chain| chain.first()).cloned();
                negotiated.before(session.alpn.clone(), peer, session.server_name.clone()).map(Prior::Tls)
            }
            SessionSecrets::Tls13 { .. } | SessionSecrets::Tls12 { .. } => None,
        }
    }

    /// The engine's part of the session.
    pub(crate) const fn engines(&self) -> Option<&legacy_tls::Negotiated> {
        match &self.session.secrets {
            SessionSecrets::Legacy(negotiated) => Some(negotiated),
            SessionSecrets::Tls13 { .. } | SessionSecrets::Tls12 { .. } => None,
        }
    }

    fn role_bits(&self) -> SpProt {
        if self.session.is_client { SpProt::CLIENTS } else { SpProt::SERVERS }
    }

    fn protocol(&self) -> SpProt {
        version_bits(self.session.version).intersection(self.role_bits())
    }

    /// How keys were agreed. A resumption that did not do so again has what its suite says, and what is known of its bits.
    fn exchange(&self) -> Option<AgreedKeys> {
        let Some(strength) = self.session.strength else {
            let exchange = self.session.suite.exchange()?;
            let bits = if exchange == Exchange::Rsa { self.server_rsa_bits() } else { 0 };
            return Some(AgreedKeys { exchange, bits, group: "", code: 0 });
        };
        Some(match strength {
            KeyExchangeStrength::Rsa { bits } => {
                AgreedKeys { exchange: Exchange::Rsa, bits, group: "", code: 0 }
            }
            KeyExchangeStrength::Dh { bits } => {
                AgreedKeys { exchange: Exchange::Dh, bits, group: "", code: 0 }
            }
            KeyExchangeStrength::Ecdh { group: code } => {
                let known = GROUPS.iter().find(|(known, ..)| *known == code);
                let (_, group, bits) = known.copied().unwrap_or((code, "", 0));
                AgreedKeys { exchange: Exchange::Ecdh, bits, group, code }
            }
        })
    }

    /// The client's account, at a server.
    pub(crate) fn account(&self) -> Result<Account, Error> {
        self.session.account.as_deref().cloned().unwrap_or_else(|| {
            let message = "the peer's certificate is not mapped to an account";
            Err(Error::new(SecStatus::SEC_E_NO_IMPERSONATION, Fault::Configuration, message)
                .with_setting("mapping"))
        })
    }

    fn local_chain(&self) -> Option<Vec<Vec<u8>>> {
        Some(self.session.local.as_ref()?.chain())
    }

    /// The server's leaf, whoever we are.
    fn server_leaf(&self) -> Option<Vec<u8>> {
        if self.session.is_client {
            self.session.peer_chain.as_ref()?.first().cloned()
        } else {
            self.local_chain()?.into_iter().next()
        }
    }

    /// The bits of the server's RSA key, under which a premaster secret was encrypted; an export suite had a shorter one.
    fn server_rsa_bits(&self) -> u32 {
        let is_export = self.session.suite.legacy().is_some_and(|row| row.key_exchange.is_export());
        let leaf = if is_export { None } else { self.server_leaf() };
        leaf.and_then(|leaf| rsa_bits(&leaf)).unwrap_or_default()
    }

    fn certificate_kind(&self) -> &'static str {
        if !self.session.suite.certificate().is_empty() {
            return self.session.suite.certificate();
        }
        let leaf = self.server_leaf();
        match leaf.and_then(|leaf| CertificateSummary::from_der(&leaf).ok()) {
            Some(summary) if summary.key.starts_with("RSA") => "RSA",
            Some(summary) if summary.key.starts_with("ECDSA") => "ECDSA",
            Some(summary) if summary.key.starts_with("Ed25519") => "Ed25519",
            _ => "",
        }
    }

    /// Spec: EXPORTER (RFC 5705 section 4); TLS13 section 7.5.
    fn export(&self, label: &[u8], context: Option<&[u8]>, out: &mut [u8]) -> Result<(), Error> {
        let hash = self.session.suite.rustls().map_or(Hash::Sha256, |row| row.hash);
        let too_long = || {
            Error::new(
                SecStatus::SEC_E_INVALID_PARAMETER,
                Fault::ApiMisuse,
                "the label, the context or the length of the keying material is out of range",
            )
        };
        match &self.session.secrets {
            SessionSecrets::Tls13 { exporter } => {
                let secret = derive_secret(hash, exporter.as_ref(), label, hash.digest(&[]).as_ref())
                    .map_err(|_| too_long())?;
                let context = hash.digest(context.unwrap_or_default());
                hkdf_expand_label(hash, secret.as_ref(), b"exporter", context.as_ref(), out)
                    .map_err(|_| too_long())
            }
            SessionSecrets::Tls12 { extended_master_secret: false, .. } => Err(Self::unbound_master_secret()),
            SessionSecrets::Tls12 { master, client_random, server_random, .. } => {
                let length;
                let mut seed: Vec<&[u8]> = vec![client_random, server_random];
                if let Some(context) = context {
                    length = u16::try_from(context.len()).map_err(|_| too_long())?.to_be_bytes();
                    seed.extend([length.as_slice(), context]);
                }
                prf_tls12(hash, master.as_ref(), label, &seed, out);
                Ok(())
            }
            SessionSecrets::Legacy(negotiated) if !negotiated.extended_master_secret => {
                Err(Self::unbound_master_secret())
            }
            SessionSecrets::Legacy(negotiated) => {
                negotiated.export_keying_material(label, context, out).map_err(|_| too_long())
            }
        }
    }

    /// Without extended master secret two connections can share their secrets (triple handshake), and a binding to one
    /// would be a binding to the other. Spec: EMS section 1; BINDING (RFC 9266 section 4.2).
    fn unbound_master_secret() -> Error {
        Error::new(
            SecStatus::SEC_E_UNSUPPORTED_FUNCTION,
            Fault::PeerIncompatible,
            "the peer has no extended master secret, and without it neither bindings nor keying material are safe",
        )
    }

    fn no_certificate(whose: &'static str) -> Error {
        Error::new(
            SecStatus::SEC_E_NO_CREDENTIALS,
            Fault::ApiMisuse,
            format!("{whose} showed no certificate"),
        )
    }
}

/// How keys were agreed, in the words of `ConnectionInfo` and `CipherInfo`.
#[derive(Clone, Copy)]
struct AgreedKeys {
    exchange: Exchange,
    bits: u32,
    /// The name and the number of the group, where it has one.
    group: &'static str,
    code: u16,
}

/// The longest keying material that is handed out at once.
const MAX_KEYING_MATERIAL: usize = 0x4000;

impl QueryContextAttributes for Attributes {
    fn package_info(&self) -> &PackageInfo {
        &self.info
    }

    /// Only what the connection really has: a stream that detects replay and reordering, and is encrypted unless the suite
    /// says NULL.
    fn flags(&self) -> ContextFlags {
        let is_encrypted = self.session.suite.cipher().bits > 0;
        match self.requested.role {
            RequestedOf::Initiator(requested) => {
                let always = IscRet::REPLAY_DETECT | IscRet::SEQUENCE_DETECT | IscRet::STREAM;
                let manual = requested.contains(IscReq::MANUAL_CRED_VALIDATION);
                let mutual = requested.contains(IscReq::MUTUAL_AUTH) && !manual;
                ContextFlags::Initiator(
                    always
                        .with_if(is_encrypted, IscRet::CONFIDENTIALITY)
                        .with_if(requested.contains(IscReq::INTEGRITY), IscRet::INTEGRITY)
                        .with_if(requested.contains(IscReq::EXTENDED_ERROR), IscRet::EXTENDED_ERROR)
                        .with_if(requested.contains(IscReq::USE_SUPPLIED_CREDS), IscRet::USED_SUPPLIED_CREDS)
                        .with_if(manual, IscRet::MANUAL_CRED_VALIDATION)
                        .with_if(mutual, IscRet::MUTUAL_AUTH),
                )
            }
            RequestedOf::Acceptor { flags: requested, manual } => {
                let always = AscRet::REPLAY_DETECT | AscRet::SEQUENCE_DETECT | AscRet::STREAM;
                ContextFlags::Acceptor(
                    always
                        .with_if(is_encrypted, AscRet::CONFIDENTIALITY)
                        .with_if(requested.contains(AscReq::INTEGRITY), AscRet::INTEGRITY)
                        .with_if(requested.contains(AscReq::EXTENDED_ERROR), AscRet::EXTENDED_ERROR)
                        .with_if(self.session.peer_chain.is_some() && !manual, AscRet::MUTUAL_AUTH),
                )
            }
        }
    }

    fn keying_material(
        &self,
        label: &[u8],
        context: Option<&[u8]>,
        length: usize,
    ) -> Result<KeyingMaterial, Error> {
        if length == 0 || length > MAX_KEYING_MATERIAL {
            return Err(Error::new(
                SecStatus::SEC_E_INVALID_PARAMETER,
                Fault::ApiMisuse,
                format!("keying material has 1 to {MAX_KEYING_MATERIAL} bytes, not {length}"),
            ));
        }
        let mut out = Zeroizing::new(vec![0; length]);
        self.export(label, context, &mut out)?;
        Ok(Secret::new(core::mem::take(&mut *out)))
    }

    fn negotiation_info(&self) -> Result<NegotiationInfo, Error> {
        if !self.requested.negotiated {
            return Err(SecPkgAttr::NEGOTIATION_INFO.unsupported(&self.info.name));
        }
        let (state, package) = (NegotiationState::Complete, (*self.info).clone());
        Ok(NegotiationInfo { state, package, protocol: self.protocol() })
    }

    fn weaknesses(&self) -> Vec<ConnectionWeakness> {
        weaknesses::of(&self.session, self.start)
    }

    /// Spec: SSL2 section 5.1; PCT1 section 4.
    fn marks_its_end(&self) -> bool {
        self.session.version != Protocol::Ssl20.version() && self.session.version != Protocol::Pct1.version()
    }

    /// Spec: BINDING (RFC 9266 section 2): an empty context, which in TLS 1.2 is not the same as none.
    fn exporter_bindings(&self) -> Result<ChannelBindings, Error> {
        let mut out = [0; 32];
        self.export(b"EXPORTER-Channel-Binding", Some(&[]), &mut out)?;
        Ok(ChannelBindings::tls_exporter(&out))
    }

    fn sizes(&self) -> Result<Sizes, Error> {
        let StreamSizes { header, trailer, block_size, .. } = self.stream_sizes;
        Ok(Sizes {
            max_token: usize::try_from(self.info.max_token).unwrap_or(usize::MAX),
            max_signature: trailer,
            block_size,
            security_trailer: header + trailer,
        })
    }

    /// A server's client by its account, if it has one: `DOMAIN\name`, or the name alone.
    fn names(&self) -> Result<String, Error> {
        if let Some(Ok(Account { name, domain, .. })) = self.session.account.as_deref() {
            return Ok(domain.as_ref().map_or_else(|| name.clone(), |domain| format!("{domain}\\{name}")));
        }
        let (chain, whose) = if self.session.is_client {
            (self.local_chain(), "we")
        } else {
            (self.session.peer_chain.as_deref().map(|chain| chain.to_vec()), "the client")
        };
        let chain = chain.ok_or_else(|| Self::no_certificate(whose))?;
        chain
            .first()
            .and_then(|leaf| CertificateSummary::from_der(leaf).ok())
            .map(|summary| summary.subject)
            .ok_or_else(|| Self::no_certificate(whose))
    }

    /// From the handshake to the expiry of the peer's certificate.
    fn lifespan(&self) -> Result<Lifespan, Error> {
        let leaf = self.session.peer_chain.as_ref().and_then(|chain| chain.first());
        let expiry = leaf.and_then(|leaf| CertificateSummary::from_der(leaf).ok()).map(|s| s.not_after);
        Ok(Lifespan { start: Some(self.start), expiry })
    }

    fn stream_sizes(&self) -> Result<StreamSizes, Error> {
        Ok(self.stream_sizes)
    }

    fn key_info(&self) -> Result<KeyInfo, Error> {
        let cipher = self.session.suite.cipher();
        let (signature_algorithm_name, signature_algorithm) = match self.certificate_kind() {
            "RSA" => ("RSA", AlgId::RSA_SIGN),
            "ECDSA" => ("ECDSA", AlgId::ECDSA),
            "DSS" => ("DSS", AlgId::DSS_SIGN),
            other => (other, AlgId::THIRDPARTY_SIGNATURE),
        };
        Ok(KeyInfo {
            signature_algorithm_name: signature_algorithm_name.into(),
            encrypt_algorithm_name: cipher.name.into(),
            key_size: cipher.bits,
            signature_algorithm,
            encrypt_algorithm: cipher.id,
        })
    }

    /// The issuer of the peer's certificate.
    fn authority(&self) -> Result<String, Error> {
        let leaf = self.session.peer_chain.as_ref().and_then(|chain| chain.first());
        leaf.and_then(|leaf| CertificateSummary::from_der(leaf).ok())
            .map(|summary| summary.issuer)
            .ok_or_else(|| Self::no_certificate("the peer"))
    }

    /// In TLS 1.3 a binding of this kind does not exist. Spec: TLS13 appendix C.5.
    fn unique_bindings(&self) -> Result<ChannelBindings, Error> {
        match &self.session.secrets {
            SessionSecrets::Tls12 { extended_master_secret: false, .. } => Err(Self::unbound_master_secret()),
            SessionSecrets::Tls12 { unique: Some(verify_data), .. } => {
                Ok(ChannelBindings::tls_unique(verify_data))
            }
            SessionSecrets::Legacy(negotiated) if !negotiated.extended_master_secret => {
                Err(Self::unbound_master_secret())
            }
            SessionSecrets::Legacy(negotiated) => {
                Ok(ChannelBindings::tls_unique(negotiated.first_finished()))
            }
            SessionSecrets::Tls12 { .. } | SessionSecrets::Tls13 { .. } => Err(SecPkgAttr::UNIQUE_BINDINGS
                .unsupported("Schannel with TLS 1.3 (ask for the exporter's binding)")),
        }
    }

    /// Spec: BINDING (RFC 5929 section 4.1).
    fn endpoint_bindings(&self) -> Result<ChannelBindings, Error> {
        let leaf = self.server_leaf().ok_or_else(|| Self::no_certificate("the server"))?;
        let hash = match end_point_hash(&leaf) {
            EndPointHash::Sha256 => Hash::Sha256,
            EndPointHash::Sha384 => Hash::Sha384,
            EndPointHash::Sha512 => Hash::Sha512,
        };
        Ok(ChannelBindings::tls_server_end_point(hash.digest(&leaf).as_ref()))
    }

    fn client_specified_target(&self) -> Result<String, Error> {
        let target = if self.session.is_client { &self.target } else { &self.session.server_name };
        target.clone().ok_or_else(|| {
            Error::new(SecStatus::SEC_E_TARGET_UNKNOWN, Fault::ApiMisuse, "the client asked for no name")
        })
    }

    fn application_protocol(&self) -> Result<ApplicationProtocol, Error> {
        Ok(ApplicationProtocol { protocol: self.session.alpn.clone() })
    }

    fn remote_certificate(&self) -> Result<RemoteCertificate, Error> {
        let chain = self.session.peer_chain.as_deref().ok_or_else(|| Self::no_certificate("the peer"))?;
        Ok(RemoteCertificate { chain: chain.to_vec() })
    }

    fn local_certificate(&self) -> Result<RemoteCertificate, Error> {
        let chain = self.local_chain().ok_or_else(|| Self::no_certificate("this side"))?;
        Ok(RemoteCertificate { chain })
    }

    fn connection_info(&self) -> Result<ConnectionInfo, Error> {
        let cipher = self.session.suite.cipher();
        let mac = self.session.suite.mac();
        let (exchange, exchange_strength) = self.exchange().map_or((AlgId::NONE, 0), |agreed| {
            let (_, id) = agreed.exchange.name();
            (id, agreed.bits)
        });
        Ok(ConnectionInfo {
            protocol: self.protocol(),
            cipher: cipher.id,
            cipher_strength: cipher.bits,
            hash: mac.map_or(AlgId::NONE, |mac| mac.id),
            hash_strength: mac.map_or(0, |mac| mac.bits),
            exchange,
            exchange_strength,
        })
    }

    fn cipher_info(&self) -> Result<CipherInfo, Error> {
        let suite = self.session.suite;
        let (cipher, mac, agreed) = (suite.cipher(), suite.mac(), self.exchange());
        Ok(CipherInfo {
            protocol_version: self.session.version,
            cipher_suite: suite.code(),
            cipher_suite_name: suite.name().into(),
            cipher: cipher.name.into(),
            cipher_len: cipher.bits,
            cipher_block_len: cipher.block,
            hash: mac.map_or("", |mac| mac.name).into(),
            hash_len: mac.map_or(0, |mac| mac.bits),
            exchange: agreed.map_or("", |agreed| agreed.exchange.name().0).into(),
            exchange_group: agreed.map_or("", |agreed| agreed.group).into(),
            certificate: self.certificate_kind().into(),
            key_type: agreed.map_or(0, |agreed| agreed.code),
        })
    }

    fn session_info(&self) -> Result<SessionInfo, Error> {
        Ok(SessionInfo { reconnect: self.session.resumed, session_id: self.session.session_id.clone() })
    }
}
