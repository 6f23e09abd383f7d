//! What rustls reports, in our own families.

use rustls::{CertificateError, InvalidMessage, PeerIncompatible, PeerMisbehaved};

use super::transcript::Transcript;
use crate::certificate::harmless;
use crate::cipher_suites::Suite;
use crate::config::Protocol;
use crate::first_flight::{HelloSummary, version_name};
use crate::status::{CertificateKind, CertificateProblem, Error};
use crate::suite_info::{protocols_to_enable, suites_to_enable};

/// What the sentence of an error needs to know beside the error.
pub(super) struct Situation<'a> {
    pub(super) is_client: bool,
    pub(super) transcript: &'a Transcript,
    pub(super) protocols: &'a [Protocol],
    pub(super) alpn: &'a [Vec<u8>],
    /// The last record did not authenticate.
    pub(super) is_bad_record: bool,
    /// What is wrong with the peer's certificate, where it was refused.
    pub(super) refused: Option<&'a CertificateProblem>,
}

impl Situation<'_> {
    /// The one place where an error of rustls becomes ours.
    pub(super) fn translate(&self, error: &rustls::Error) -> Error {
        use rustls::Error as E;
        match error {
            E::InappropriateMessage { .. } | E::InappropriateHandshakeMessage { .. } => {
                Error::UnexpectedMessage { what: error.to_string() }
            }
            E::InvalidMessage(what) => Self::invalid_message(what),
            E::NoCertificatesPresented if self.is_client => {
                Error::Decode { what: "the server's certificate message is empty".to_owned() }
            }
            E::NoCertificatesPresented => Error::NoClientCertificate,
            E::DecryptError if self.is_bad_record => Error::BadRecordMac,
            E::DecryptError => Error::HandshakeSignature { what: "Finished".to_owned() },
            E::PeerIncompatible(what) => self.incompatible(what),
            E::PeerMisbehaved(what) => Self::misbehaved(what),
            E::AlertReceived(alert) => Error::AlertReceived(u8::from(*alert)),
            E::InvalidCertificate(problem) => self.certificate(problem),
            E::PeerSentOversizedRecord => Error::RecordOverflow {
                length: usize::from(u16::MAX),
                maximum: crate::backend::records::MAX_PLAINTEXT,
            },
            E::NoApplicationProtocol => Error::NoApplicationProtocol {
                peer: self
                    .transcript
                    .client_hello()
                    .map_or_else(|| "others".to_owned(), |hello| hello.alpn()),
                ours: self
                    .alpn
                    .iter()
                    .map(|name| name.escape_ascii().to_string())
                    .collect::<Vec<_>>()
                    .join(" "),
            },
            E::FailedToGetRandomBytes => Error::Internal("the system gave no random bytes"),
            E::FailedToGetCurrentTime => Error::Internal("the clock gave no time"),
            // rustls has no variant for these two: no certificate of ours has a key that the client can verify.
            E::General(what)
                if what.contains("incompatible signing key")
                    || what.contains("no server certificate chain") =>
            {
                Error::NothingInCommon {
                    what: "signature scheme",
                    peer: String::new(),
                    setting: "certificates",
                }
            }
            other => Error::InternalReport(harmless(&other.to_string())),
        }
    }

    fn invalid_message(what: &InvalidMessage) -> Error {
        match what {
            InvalidMessage::UnexpectedMessage(what) => Error::UnexpectedMessage { what: (*what).to_owned() },
            InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion => {
                Error::NotARecord { first: [0; 5] }
            }
            InvalidMessage::UnsupportedCompression | InvalidMessage::PreSharedKeyIsNotFinalExtension => {
                Error::IllegalParameter { what: format!("{what:?}") }
            }
            InvalidMessage::UnknownHelloRetryRequestExtension => {
                Error::UnsupportedExtension { what: format!("{what:?}") }
            }
            _ => Error::Decode { what: format!("{what:?}") },
        }
    }

    fn no_protocol(&self, hello: Option<HelloSummary>) -> Error {
        let hello_version = self.transcript.server_hello.as_ref().map(|hello| hello.legacy_version);
        // A hello that names one version means it and older ones.
        let offered = |protocol: Protocol| match (&hello, hello_version) {
            (Some(hello), _) => match hello.versions.as_slice() {
                [highest] => protocol.version() <= *highest,
                several => several.contains(&protocol.version()),
            },
            (None, version) => version == Some(protocol.version()),
        };
        let enable = protocols_to_enable(offered, self.protocols);
        let peer = match (hello, &self.transcript.server_hello) {
            (Some(hello), _) => hello.protocols(),
            (None, Some(hello)) => version_name(hello.legacy_version).unwrap_or("an unknown one").to_owned(),
            (None, None) => "others".to_owned(),
        };
        let ours = self.protocols.iter().map(|protocol| protocol.name()).collect::<Vec<_>>().join(", ");
        Error::NoProtocolInCommon { peer, ours: ours + &enable }
    }

    fn incompatible(&self, what: &PeerIncompatible) -> Error {
        use PeerIncompatible as P;
        let hello = self.transcript.client_hello().filter(|_| !self.is_client);
        let nothing = |what, setting, peer: Option<String>| Error::NothingInCommon {
            what,
            setting,
            peer: peer.unwrap_or_default(),
        };
        match what {
            P::Tls12NotOffered
            | P::Tls12NotOfferedOrEnabled
            | P::SupportedVersionsExtensionRequired
            | P::ServerDoesNotSupportTls12Or13
            | P::ServerTlsVersionIsDisabledByOurConfig => self.no_protocol(hello),
            // rustls looks for what is in every hello of TLS 1.2 before it looks at the version.
            P::SignatureAlgorithmsExtensionRequired
                if hello
                    .as_ref()
                    .is_some_and(|hello| hello.versions.iter().all(|version| *version < 0x0303)) =>
            {
                self.no_protocol(hello)
            }
            P::NoCipherSuitesInCommon => nothing("cipher suite", "suites", hello.map(|h| self.suites(&h))),
            // Who says nothing of signatures before TLS 1.3 means SHA-1. Spec: TLS12 section 7.4.1.4.1.
            P::SignatureAlgorithmsExtensionRequired
                if hello
                    .as_ref()
                    .is_some_and(|hello| hello.versions.iter().all(|version| *version < 0x0304)) =>
            {
                nothing("signature scheme", "certificates", None)
            }
            // rustls looks for a group before it looks at the suites. Without any the suites need none, but for TLS 1.3.
            P::NoKxGroupsInCommon
                if hello.as_ref().is_some_and(|hello| {
                    hello.groups.is_empty() && hello.versions.iter().all(|version| *version < 0x0304)
                }) =>
            {
                nothing("cipher suite", "suites", hello.map(|h| self.suites(&h)))
            }
            P::NoKxGroupsInCommon => nothing("key exchange group", "suites", hello.map(|h| h.groups())),
            P::NoSignatureSchemesInCommon | P::NoCertificateRequestSignatureSchemesInCommon => {
                nothing("signature scheme", "certificates", None)
            }
            P::NoEcPointFormatsInCommon => nothing("point format", "suites", None),
            P::UncompressedEcPointsRequired => {
                Error::IllegalParameter { what: "no uncompressed points".to_owned() }
            }
            P::NullCompressionRequired => {
                Error::IllegalParameter { what: "no compression method null".to_owned() }
            }
            P::IncorrectCertificateTypeExtension => nothing("certificate type", "certificates", None),
            P::ExtendedMasterSecretExtensionRequired => Error::NoExtendedMasterSecret,
            other => Error::MissingExtension { what: format!("{other:?}") },
        }
    }

    /// The suites that a client offers, and what would enable one of them.
    fn suites(&self, hello: &HelloSummary) -> String {
        let is_on = |suite: &Suite| suite.rustls().is_some();
        hello.suites() + &suites_to_enable(&hello.suites, self.protocols, is_on)
    }

    fn misbehaved(what: &PeerMisbehaved) -> Error {
        use PeerMisbehaved as P;
        let flood = |what| Error::Flood { what, limit: crate::backend::FLOOD_LIMIT };
        match what {
            P::TooManyEmptyFragments => flood("empty fragments"),
            P::TooManyWarningAlertsReceived => flood("warning alerts"),
            P::TooManyKeyUpdateRequests => flood("key updates"),
            P::TooManyRenegotiationRequests => flood("renegotiation requests"),
            P::IncorrectBinder => Error::HandshakeSignature { what: format!("{what:?}") },
            P::AttemptedDowngradeToTls12WhenTls13IsSupported => Error::Downgraded,
            P::MissingKeyShare | P::MissingPskModesExtension | P::MissingPskExtensionInSecondClientHello => {
                Error::MissingExtension { what: format!("{what:?}") }
            }
            P::MissingBinderInPskExtension => Error::Decode { what: format!("{what:?}") },
            P::UnsolicitedServerHelloExtension
            | P::UnexpectedCleartextExtension
            | P::DisallowedEncryptedExtension
            | P::IllegalHelloRetryRequestWithInvalidEch
            | P::UnsolicitedEncryptedExtension
            | P::UnsolicitedCertExtension
            | P::UnsolicitedEchExtension => Error::UnsupportedExtension { what: format!("{what:?}") },
            P::KeyEpochWithPendingFragment
            | P::MessageInterleavedWithHandshakeMessage
            | P::TooMuchEarlyDataReceived
            | P::IllegalMiddleboxChangeCipherSpec => Error::UnexpectedMessage { what: format!("{what:?}") },
            other => Error::IllegalParameter { what: format!("{other:?}") },
        }
    }

    const fn whose(&self) -> &'static str {
        if self.is_client { "the server's certificate" } else { "the client's certificate" }
    }

    /// What the verifier said of a certificate, or what the proof of its key lacks.
    fn certificate(&self, problem: &CertificateError) -> Error {
        if let Some(refused) = self.refused {
            return Error::Certificate(refused.clone());
        }
        let (kind, detail) = match problem {
            CertificateError::BadSignature => (CertificateKind::BadSignature, String::new()),
            CertificateError::BadEncoding => (CertificateKind::BadEncoding, String::new()),
            other => (CertificateKind::Other, harmless(&other.to_string())),
        };
        Error::Certificate(CertificateProblem { kind, whose: self.whose(), detail, remedies: Vec::new() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finished_that_is_not_right_is_no_bad_record() {
        for (is_bad_record, alert) in [(true, 20), (false, 51)] {
            let situation = Situation {
                is_client: true,
                transcript: &Transcript::default(),
                protocols: &[],
                alpn: &[],
                is_bad_record,
                refused: None,
            };
            assert_eq!(situation.translate(&rustls::Error::DecryptError).alert(), Some(alert));
        }
    }
}
