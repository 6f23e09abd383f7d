//! A certificate made on the spot: in memory, for the life of the process.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use opensspi::CertificateSummary;
use opensspi::sspi_core::{CertificateIdentity, Secret};
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose};

use crate::dates::civil;
use crate::exit::Failure;
use crate::print::hex;

/// How long it is valid.
const LIFETIME: Duration = Duration::from_secs(30 * 86_400);
/// How long it has been valid, for peers whose clocks are slow.
const SLACK: Duration = Duration::from_secs(86_400);

/// The kind of its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyKind {
    /// ECDSA on P-256, which is made at once.
    Ecdsa,
    /// RSA of 2048 bits, for suites that know nothing else.
    Rsa,
}

/// The bits of an RSA key.
const RSA_BITS: usize = 2048;

impl KeyKind {
    /// The key in words.
    pub(crate) const fn describe(self) -> &'static str {
        match self {
            Self::Ecdsa => "ECDSA P-256",
            Self::Rsa => "RSA 2048 bits",
        }
    }

    fn generate(self) -> Result<KeyPair, String> {
        match self {
            Self::Ecdsa => KeyPair::generate().map_err(|error| error.to_string()),
            Self::Rsa => {
                let der = opensspi::new_rsa_key(RSA_BITS).map_err(|error| error.to_string())?;
                let der = der.expose_secret().as_slice().into();
                KeyPair::from_pkcs8_der_and_sign_algo(&der, &rcgen::PKCS_RSA_SHA256)
                    .map_err(|error| error.to_string())
            }
        }
    }
}

/// A self-signed certificate with its key.
pub(crate) struct SelfSigned {
    pub(crate) identity: CertificateIdentity,
    /// SHA-256 of the certificate in hexadecimal: what a client pins.
    pub(crate) pin: String,
    /// The certificate in PEM.
    pub(crate) pem: String,
    /// Its key in PEM.
    pub(crate) key_pem: String,
    pub(crate) kind: KeyKind,
}

impl SelfSigned {
    /// For these names and addresses.
    pub(crate) fn new(names: &[&str], kind: KeyKind) -> Result<Self, Failure> {
        let failed = |error: &dyn std::fmt::Display| {
            Failure::usage(format!("cannot make a certificate for {}: {error}", names.join(", ")))
        };
        let key = kind.generate().map_err(|error| failed(&error))?;
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names.clone()).map_err(|error| failed(&error))?;
        params.distinguished_name.push(DnType::CommonName, names.first().map_or("opensspi", String::as_str));
        params.distinguished_name.push(DnType::OrganizationName, "OpenSSPI self-signed");
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        if kind == KeyKind::Rsa {
            // Under which a premaster secret is encrypted.
            params.key_usages.push(KeyUsagePurpose::KeyEncipherment);
        }
        let day = |time| {
            let (year, month, day) = civil(time);
            rcgen::date_time_ymd(i32::try_from(year).unwrap_or(2000), month, day)
        };
        let now = SystemTime::now();
        params.not_before = day(now - SLACK);
        params.not_after = day(now + LIFETIME);
        let certificate = params.self_signed(&key).map_err(|error| failed(&error))?;
        let der = certificate.der().to_vec();
        let summary = CertificateSummary::from_der(&der).map_err(|error| failed(&error))?;
        let identity =
            CertificateIdentity { chain: vec![der], private_key: Arc::new(Secret::new(key.serialize_der())) };
        Ok(Self {
            identity,
            pin: hex(&summary.sha256),
            pem: certificate.pem(),
            key_pem: key.serialize_pem(),
            kind,
        })
    }
}
