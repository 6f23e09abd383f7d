//! Whether a peer's certificate is accepted, as rustls asks it: [`Verifier`] says, and rustls hears it in its own words.
//!
//! That the peer has the key is checked here, with rustls's own functions, whoever judged the certificate. They take the key
//! out of the certificate as webpki reads it; where webpki cannot read it (X.509 version 1, an encoding that is not DER),
//! it is the key that our reader finds, under the same algorithms.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crypto::public_key::PublicKey;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
    verify_tls13_signature_with_raw_key,
};
use rustls::pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error as TlsError, OtherError,
    SignatureScheme,
};
use sspi_core::Error;
use webpki::{EndEntityCert, RawPublicKeyEntity};

use crate::certificate::verifier::{Peer, Verifier, VerifyPolicy, Weakness, Weaknesses};
use crate::certificate::{may_sign, public_key_der, rsa_bits};
use crate::status::{CertificateKind, CertificateProblem};

#[cfg(test)]
mod tests;

/// What a client judges a server's certificate with.
///
/// # Errors
/// There is no root that can be used, or a revocation list cannot be read; the error names the setting.
pub(crate) fn server_verifier(
    policy: &VerifyPolicy,
    provider: &Arc<CryptoProvider>,
    beyond: Beyond,
) -> Result<Arc<dyn ServerCertVerifier>, Error> {
    let judge = Some(Verifier::new(policy, Peer::Server)?);
    Ok(Arc::new(ServerVerifier { judge, signatures: Signatures::new(Peer::Server, provider, beyond) }))
}

/// What a client takes where the application judges the chain itself (`ISC_REQ_MANUAL_CRED_VALIDATION`): every
/// certificate, if the server has its key.
pub(crate) fn manual_server_verifier(
    provider: &Arc<CryptoProvider>,
    beyond: Beyond,
) -> Arc<dyn ServerCertVerifier> {
    Arc::new(ServerVerifier { judge: None, signatures: Signatures::new(Peer::Server, provider, beyond) })
}

/// What a server judges its clients' certificates with. Without `mandatory` a client may show none; with `send_ca_list`
/// clients are told the names of the roots.
///
/// # Errors
/// There is no root that can be used, or a revocation list cannot be read; the error names the setting.
pub(crate) fn client_verifier(
    policy: &VerifyPolicy,
    provider: &Arc<CryptoProvider>,
    mandatory: bool,
    send_ca_list: bool,
    beyond: Beyond,
) -> Result<Arc<dyn ClientCertVerifier>, Error> {
    let judge = Verifier::new(policy, Peer::Client)?;
    let names = if send_ca_list { judge.authority_names() } else { &[] };
    let hints = names.iter().map(|name| DistinguishedName::from(name.clone())).collect();
    let signatures = Signatures::new(Peer::Client, provider, beyond);
    Ok(Arc::new(ClientVerifier { judge: Some(judge), mandatory, hints, signatures }))
}

/// What a server takes where the application judges the chain itself (`AcceptRequest::manual_cred_validation`): every
/// certificate, if the client has its key. No names are told, since none is preferred.
pub(crate) fn manual_client_verifier(
    provider: &Arc<CryptoProvider>,
    mandatory: bool,
    beyond: Beyond,
) -> Arc<dyn ClientCertVerifier> {
    let signatures = Signatures::new(Peer::Client, provider, beyond);
    Arc::new(ClientVerifier { judge: None, mandatory, hints: Vec::new(), signatures })
}

fn system_time(time: UnixTime) -> SystemTime {
    UNIX_EPOCH.checked_add(Duration::from_secs(time.as_secs())).unwrap_or(UNIX_EPOCH)
}

/// The verdict for rustls. It keeps the problem for the sentence of the error: rustls does not hand on what it does not
/// know.
fn told(verdict: Result<Weaknesses, CertificateProblem>) -> Result<(), TlsError> {
    let Err(problem) = verdict else { return Ok(()) };
    let error = TlsError::InvalidCertificate(in_words_of_rustls(&problem));
    let _outside_a_handshake = super::observed::with(|o| o.refused = Some(problem));
    Err(error)
}

/// The error of rustls that means the problem, or at least sends its alert.
fn in_words_of_rustls(problem: &CertificateProblem) -> CertificateError {
    match problem.kind {
        CertificateKind::Expired => CertificateError::Expired,
        CertificateKind::NotYetValid => CertificateError::NotValidYet,
        CertificateKind::WrongName => CertificateError::NotValidForName,
        CertificateKind::UnknownIssuer => CertificateError::UnknownIssuer,
        CertificateKind::NotPinned => CertificateError::ApplicationVerificationFailure,
        CertificateKind::Revoked => CertificateError::Revoked,
        CertificateKind::RevocationUnknown => CertificateError::UnknownRevocationStatus,
        CertificateKind::RevocationOutOfDate => CertificateError::ExpiredRevocationList,
        CertificateKind::BadOcspResponse => CertificateError::InvalidOcspResponse,
        // unsupported_certificate (43).
        CertificateKind::WrongUsage | CertificateKind::WrongKey | CertificateKind::Unsupported => {
            CertificateError::InvalidPurpose
        }
        CertificateKind::BadSignature => CertificateError::BadSignature,
        // bad_certificate (42).
        CertificateKind::BadEncoding
        | CertificateKind::WeakSignature
        | CertificateKind::WeakKey
        | CertificateKind::OldForm => CertificateError::BadEncoding,
        // certificate_unknown (46).
        CertificateKind::Other => CertificateError::Other(OtherError(Arc::new(problem.clone()))),
    }
}

/// Which handshake signatures count beyond those that rustls verifies. What the certificate itself is worth has been judged
/// before.
#[derive(Clone, Debug, Default)]
pub(crate) struct Beyond {
    /// Schemes of TLS 1.2 that are offered behind rustls's own. The hello is one that the engine can go on with, and a server
    /// that has nothing better may choose a suite of rustls's.
    pub(crate) schemes: Vec<SignatureScheme>,
    /// RSA keys of less than 2048 bits, which ring does not take.
    pub(crate) short_keys: bool,
    /// RSA keys of servers, before TLS 1.3, whose certificates let them decrypt and not sign.
    pub(crate) any_usage: bool,
}

/// How the peer proves that it has the key of its certificate.
#[derive(Debug)]
struct Signatures {
    /// Whose they are.
    peer: Peer,
    algorithms: WebPkiSupportedAlgorithms,
    beyond: Beyond,
}

impl Signatures {
    fn new(peer: Peer, provider: &CryptoProvider, beyond: Beyond) -> Self {
        Self { peer, algorithms: provider.signature_verification_algorithms, beyond }
    }

    /// Whether the certificate lets its key sign, whoever judged it otherwise.
    ///
    /// Servers of TLS 1.2 may have one certificate with an RSA key for suites that encrypt with it and for suites that sign,
    /// and where that is allowed it does not matter what it says. Nobody else does anything but sign.
    ///
    /// Spec: TLS12 sections 7.4.2 and 7.4.6; TLS13 section 4.4.2.2.
    fn check_usage(&self, leaf: &CertificateDer<'_>, is_tls13: bool) -> Result<(), TlsError> {
        if may_sign(leaf) {
            return Ok(());
        }
        let is_weakness = !is_tls13 && matches!(self.peer, Peer::Server) && rsa_bits(leaf).is_some();
        if is_weakness && self.beyond.any_usage {
            return Ok(());
        }
        let whose = match self.peer {
            Peer::Server => "the server's certificate",
            Peer::Client => "the client's certificate",
        };
        let detail = "its key signs the handshake".to_owned();
        let kind = CertificateKind::WrongUsage;
        let remedy = is_weakness.then(|| ("allow", Weakness::RsaKeyUsage.name().to_owned()));
        told(Err(CertificateProblem { kind, whose, detail, remedies: remedy.into_iter().collect() }))
    }

    fn schemes(&self) -> Vec<SignatureScheme> {
        [self.algorithms.supported_schemes(), self.beyond.schemes.clone()].concat()
    }

    /// A second look at what rustls did not accept.
    fn verify_beyond(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
        schemes: &[SignatureScheme],
    ) -> Option<HandshakeSignatureValid> {
        let key = PublicKey::from_spki_der(public_key_der(leaf)?).ok()?;
        let is_short = matches!(&key, PublicKey::Rsa(key) if key.bits() < 2048);
        let is_of_rustls = self.algorithms.supported_schemes().contains(&signed.scheme);
        let counts = match (is_short, is_of_rustls) {
            (true, true) => self.beyond.short_keys,
            (true, false) => self.beyond.short_keys && schemes.contains(&signed.scheme),
            (false, true) => false,
            (false, false) => schemes.contains(&signed.scheme),
        };
        if !counts {
            return None;
        }
        let algorithm = legacy_tls::SignatureScheme(u16::from(signed.scheme)).algorithm()?;
        key.verify(algorithm, message, signed.signature()).ok()?;
        Some(HandshakeSignatureValid::assertion())
    }

    /// The key of a certificate that webpki cannot read.
    fn raw_key<'a>(leaf: &'a CertificateDer<'_>) -> Option<SubjectPublicKeyInfoDer<'a>> {
        if EndEntityCert::try_from(leaf).is_ok() {
            return None;
        }
        public_key_der(leaf).map(SubjectPublicKeyInfoDer::from)
    }

    fn verify_tls12(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.check_usage(leaf, false)?;
        let refused = match self.verify_tls12_as_rustls(message, leaf, signed) {
            Ok(valid) => return Ok(valid),
            Err(error) => error,
        };
        self.verify_beyond(message, leaf, signed, &self.beyond.schemes).ok_or(refused)
    }

    fn verify_tls12_as_rustls(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        // rustls has no function for a key alone in TLS 1.2; but its own refuses the schemes that it must, and finds
        // nothing else wrong than the certificate.
        let Some(key) = Self::raw_key(leaf) else {
            return verify_tls12_signature(message, leaf, signed, &self.algorithms);
        };
        let bad = || TlsError::InvalidCertificate(CertificateError::BadSignature);
        let key = RawPublicKeyEntity::try_from(&key).map_err(|_| bad())?;
        let of_scheme = self.algorithms.mapping.iter().filter(|(scheme, _)| *scheme == signed.scheme);
        let mut algorithms = of_scheme.flat_map(|(_, algorithms)| algorithms.iter());
        if algorithms.any(|algorithm| key.verify_signature(*algorithm, message, signed.signature()).is_ok()) {
            Ok(HandshakeSignatureValid::assertion())
        } else {
            Err(bad())
        }
    }

    fn verify_tls13(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.check_usage(leaf, true)?;
        let verdict = match Self::raw_key(leaf) {
            Some(key) => verify_tls13_signature_with_raw_key(message, &key, signed, &self.algorithms),
            None => verify_tls13_signature(message, leaf, signed, &self.algorithms),
        };
        verdict.or_else(|refused| match refused {
            // A scheme that signs nothing here, such as PKCS #1 1.5, whatever the key is. Spec: TLS13 section 4.2.3.
            TlsError::PeerMisbehaved(_) => Err(refused),
            refused => self.verify_beyond(message, leaf, signed, &[]).ok_or(refused),
        })
    }
}

#[derive(Debug)]
struct ServerVerifier {
    /// `None` where the application judges.
    judge: Option<Verifier>,
    signatures: Signatures,
}

impl ServerCertVerifier for ServerVerifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        staple: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        if let Some(judge) = &self.judge {
            let chain: Vec<&[u8]> = [leaf].into_iter().chain(intermediates).map(AsRef::as_ref).collect();
            told(judge.verify_server(&chain, &name.to_str(), staple, system_time(now)))?;
        }
        let chain = || [leaf].into_iter().chain(intermediates).map(|c| c.to_vec()).collect::<Vec<_>>();
        let _outside_a_handshake = super::observed::with(|o| {
            o.peer_chain = Some(Arc::new(crate::session_cache::Chain::from(chain())));
            o.staple = staple.to_vec();
        });
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.signatures.verify_tls12(message, leaf, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.signatures.verify_tls13(message, leaf, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.signatures.schemes()
    }
}

#[derive(Debug)]
struct ClientVerifier {
    /// `None` where the application judges.
    judge: Option<Verifier>,
    mandatory: bool,
    hints: Vec<DistinguishedName>,
    signatures: Signatures,
}

impl ClientCertVerifier for ClientVerifier {
    fn client_auth_mandatory(&self) -> bool {
        self.mandatory
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, TlsError> {
        if let Some(judge) = &self.judge {
            let chain: Vec<&[u8]> = [leaf].into_iter().chain(intermediates).map(AsRef::as_ref).collect();
            told(judge.verify_client(&chain, system_time(now)))?;
        }
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.signatures.verify_tls12(message, leaf, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.signatures.verify_tls13(message, leaf, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.signatures.schemes()
    }
}
