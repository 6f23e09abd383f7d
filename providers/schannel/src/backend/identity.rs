//! A certificate of ours with its key, as each engine wants it.

use std::sync::Arc;

use rustls_pki_types::PrivateKeyDer;
use sspi_core::{CertificateIdentity, Error, Fault, SecStatus};
use zeroize::Zeroizing;

use super::rustls::OwnKey;
use crate::certificate;
use crate::certificate::pem::KeyDer;
use crate::certificate::summary::CertificateSummary;

/// A certificate of ours with its key, ready to sign. rustls takes what is strong enough for today: RSA from 2048 bits
/// on, ECDSA and Ed25519. The engine takes RSA of any length, DSA and ECDSA.
pub(crate) struct Identity {
    leaf: Vec<u8>,
    /// DNS names of the leaf, in lower case.
    names: Vec<String>,
    /// The issuers of the chain's certificates, each a DER name.
    issuers: Vec<Vec<u8>>,
    rustls: Option<OwnKey>,
    legacy: Option<Arc<legacy_tls::Identity>>,
}

fn unusable(what: String) -> Error {
    Error::new(SecStatus::SEC_E_UNKNOWN_CREDENTIALS, Fault::Configuration, what).with_setting("certificates")
}

impl Identity {
    /// Reads a chain (leaf first) and its key; the root at its end stays only where it is wanted. With `legacy` it is
    /// enough if the engine can use them.
    pub(crate) fn new(
        mut chain: Vec<Vec<u8>>,
        key: &PrivateKeyDer<'static>,
        ocsp: Option<Vec<u8>>,
        send_root: bool,
        legacy: bool,
    ) -> Result<Self, Error> {
        if !send_root && chain.len() > 1 && chain.last().is_some_and(|last| certificate::is_self_issued(last))
        {
            chain.pop();
        }
        let leaf =
            chain.first().ok_or_else(|| unusable("the certificate chain is empty".to_owned()))?.clone();
        let summary = CertificateSummary::from_der(&leaf)
            .map_err(|error| unusable(format!("the certificate cannot be read: {error}")))?;
        let issuers = chain.iter().filter_map(|c| certificate::issuer_der(c).map(<[u8]>::to_vec)).collect();
        let names = names(&summary);
        let engine = if legacy {
            for_the_engine(chain.clone(), key.secret_der(), names.clone(), ocsp.clone())
        } else {
            Err(String::new())
        };
        let (rustls, legacy) = match (OwnKey::new(chain, key, ocsp, &summary.subject), engine) {
            (rustls, Ok(legacy)) => (rustls.ok(), Some(legacy)),
            (Ok(rustls), Err(_)) => (Some(rustls), None),
            (Err(why), Err(_)) => return Err(unusable(why)),
        };
        Ok(Self { leaf, names, issuers, rustls, legacy })
    }

    /// From what an application hands over.
    pub(crate) fn from_application(identity: &CertificateIdentity, legacy: bool) -> Result<Self, Error> {
        let key = PrivateKeyDer::try_from(identity.private_key.expose_secret().as_slice()).map_err(|_| {
            Error::new(
                SecStatus::SEC_E_NO_CREDENTIALS,
                Fault::Configuration,
                "the private key is neither PKCS#8 nor PKCS#1 nor SEC1",
            )
        })?;
        let key: KeyDer = Zeroizing::new(key.clone_key());
        Self::new(identity.chain.clone(), &key, None, false, legacy)
    }

    /// The leaf in DER.
    pub(crate) fn leaf(&self) -> &[u8] {
        &self.leaf
    }

    /// The issuers of the chain's certificates.
    pub(crate) fn issuers(&self) -> &[Vec<u8>] {
        &self.issuers
    }

    /// As rustls wants it, if it can use it.
    pub(crate) const fn rustls(&self) -> Option<&OwnKey> {
        self.rustls.as_ref()
    }

    /// As the engine wants it, if it can use it and is there.
    pub(crate) const fn legacy(&self) -> Option<&Arc<legacy_tls::Identity>> {
        self.legacy.as_ref()
    }

    /// Whether the leaf is for this name: itself, or one label behind a wildcard.
    pub(crate) fn is_for(&self, name: &str) -> bool {
        self.names.iter().any(|own| match own.strip_prefix("*.") {
            Some(domain) => {
                name.split_once('.').is_some_and(|(label, rest)| !label.is_empty() && rest == domain)
            }
            None => own == name,
        })
    }
}

/// The names that a server is chosen by. Old certificates have theirs in the subject.
fn names(summary: &CertificateSummary) -> Vec<String> {
    if !summary.dns_names.is_empty() {
        return summary.dns_names.iter().map(|name| name.to_ascii_lowercase()).collect();
    }
    let is_host = |name: &str| name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.*".contains(&b));
    let common = summary.subject.split(',').filter_map(|part| part.strip_prefix("CN="));
    common.filter(|name| is_host(name)).map(str::to_ascii_lowercase).collect()
}

fn for_the_engine(
    chain: Vec<Vec<u8>>,
    key: &[u8],
    names: Vec<String>,
    ocsp: Option<Vec<u8>>,
) -> Result<Arc<legacy_tls::Identity>, String> {
    let key = crypto::private_key::PrivateKey::from_der(key).map_err(|error| error.to_string())?;
    let identity = legacy_tls::Identity::new(chain, key, names).map_err(ToOwned::to_owned)?;
    Ok(Arc::new(match ocsp {
        Some(response) => identity.with_ocsp_response(response),
        None => identity,
    }))
}
