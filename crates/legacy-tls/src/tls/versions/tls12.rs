//! TLS 1.2.
//!
//! Spec: TLS12.

use crypto::tls_prf::prf_tls12;

use super::{NoCertificate, ProtocolVersion, Rules, Sender, Signatures, VerifyData, tls10};
use crate::record::{CbcIv, MacConstruction, Padding};
use crate::session::MasterSecret;
use crate::tls::cipher_suites::SuiteRow;
use crate::tls::keys::Randoms;
use crate::tls::transcript::{Transcript, TranscriptHash};

pub(super) const RULES: Rules = Rules {
    version: ProtocolVersion::TLS12,
    transcript: |suite| TranscriptHash::Of(suite.prf),
    master_secret,
    extended_master_secret: Some(extended_master_secret),
    key_block,
    export_keys: None,
    verify_data,
    exporter: Some(exporter),
    signatures: Signatures::Negotiated,
    has_raw_dsa: false,
    no_certificate: NoCertificate::EmptyMessage,
    premaster_has_length: true,
    has_extensions: true,
    mac: MacConstruction::Hmac,
    padding: Padding::Tls,
    cbc_iv: CbcIv::Explicit,
    alert: |description| description,
};

/// Spec: TLS12 section 8.1.
fn master_secret(suite: &SuiteRow, premaster: &[u8], randoms: &Randoms) -> MasterSecret {
    let mut master = MasterSecret([0; 48]);
    prf_tls12(suite.prf, premaster, b"master secret", &[&randoms.client, &randoms.server], &mut master.0);
    master
}

/// Spec: EMS section 4.
fn extended_master_secret(suite: &SuiteRow, premaster: &[u8], session_hash: &[u8]) -> MasterSecret {
    let mut master = MasterSecret([0; 48]);
    prf_tls12(suite.prf, premaster, b"extended master secret", &[session_hash], &mut master.0);
    master
}

/// Spec: TLS12 section 6.3.
fn key_block(suite: &SuiteRow, master: &MasterSecret, randoms: &Randoms, out: &mut [u8]) {
    prf_tls12(suite.prf, &master.0, b"key expansion", &[&randoms.server, &randoms.client], out);
}

/// Spec: TLS12 section 7.4.9.
fn verify_data(
    suite: &SuiteRow,
    master: &MasterSecret,
    transcript: &Transcript,
    sender: Sender,
) -> VerifyData {
    VerifyData::new(12, |out| {
        let digest = transcript.digest();
        prf_tls12(suite.prf, &master.0, tls10::finished_label(sender), &[digest.as_ref()], out);
    })
}

/// Spec: EXPORTER section 4.
fn exporter(suite: &SuiteRow, master: &MasterSecret, label: &[u8], seed: &[&[u8]], out: &mut [u8]) {
    prf_tls12(suite.prf, &master.0, label, seed, out);
}
