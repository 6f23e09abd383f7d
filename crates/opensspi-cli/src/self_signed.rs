//! A certificate made on the spot: in memory, for the life of the process.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use opensspi::CertificateSummary;
use opensspi::sspi_core::{CertificateIdentity, Secret};
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair};

use crate::dates::civil;
use crate::exit::Failure;
use crate::print::hex;

/// How long it is valid.
const LIFETIME: Duration = Duration::from_secs(30 * 86_400);
/// How long it has been valid, for peers whose clocks are slow.
const SLACK: Duration = Duration::from_secs(86_400);

/// A self-signed certificate with its key.
pub(crate) struct SelfSigned {
    pub(crate) identity: CertificateIdentity,
    /// SHA-256 of the certificate in hexadecimal: what a client pins.
    pub(crate) pin: String,
    /// The certificate in PEM.
    pub(crate) pem: String,
}

impl SelfSigned {
    /// For these names and addresses.
    pub(crate) fn new(names: &[&str]) -> Result<Self, Failure> {
        let failed = |error: &dyn std::fmt::Display| {
            Failure::usage(format!("cannot make a certificate for {}: {error}", names.join(", ")))
        };
        let key = KeyPair::generate().map_err(|error| failed(&error))?;
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names.clone()).map_err(|error| failed(&error))?;
        params.distinguished_name.push(DnType::CommonName, names.first().map_or("opensspi", String::as_str));
        params.distinguished_name.push(DnType::OrganizationName, "OpenSSPI self-signed");
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
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
        Ok(Self { identity, pin: hex(&summary.sha256), pem: certificate.pem() })
    }
}
