//! TLS 1.0.
//!
//! Spec: TLS10.

use crypto::tls_prf::prf_tls10;

use super::{NoCertificate, ProtocolVersion, Rules, Sender, Signatures, VerifyData};
use crate::record::{CbcIv, MacConstruction, Padding};
use crate::session::MasterSecret;
use crate::tls::cipher_suites::SuiteRow;
use crate::tls::keys::{ExportKeys, Randoms};
use crate::tls::transcript::{Transcript, TranscriptHash};

pub(super) const RULES: Rules = Rules {
    version: ProtocolVersion::TLS10,
    transcript: |_| TranscriptHash::Md5AndSha1,
    master_secret,
    extended_master_secret: Some(extended_master_secret),
    key_block,
    export_keys: Some(export_keys),
    verify_data,
    exporter: Some(exporter),
    signatures: Signatures::Md5AndSha1 { of_transcript },
    has_raw_dsa: false,
    no_certificate: NoCertificate::EmptyMessage,
    premaster_has_length: true,
    has_extensions: true,
    mac: MacConstruction::Hmac,
    padding: Padding::Tls,
    cbc_iv: CbcIv::Chained,
    alert: |description| description,
};

/// Spec: TLS10 section 8.1.
pub(super) fn master_secret(_: &SuiteRow, premaster: &[u8], randoms: &Randoms) -> MasterSecret {
    let mut master = MasterSecret([0; 48]);
    prf_tls10(premaster, b"master secret", &[&randoms.client, &randoms.server], &mut master.0);
    master
}

/// Spec: EMS section 4.
pub(super) fn extended_master_secret(_: &SuiteRow, premaster: &[u8], session_hash: &[u8]) -> MasterSecret {
    let mut master = MasterSecret([0; 48]);
    prf_tls10(premaster, b"extended master secret", &[session_hash], &mut master.0);
    master
}

/// Spec: TLS10 section 6.3.
pub(super) fn key_block(_: &SuiteRow, master: &MasterSecret, randoms: &Randoms, out: &mut [u8]) {
    prf_tls10(&master.0, b"key expansion", &[&randoms.server, &randoms.client], out);
}

/// Spec: TLS10 section 6.3.1.
fn export_keys(randoms: &Randoms, keys: &mut ExportKeys<'_>) {
    let seed: [&[u8]; 2] = [&randoms.client, &randoms.server];
    prf_tls10(keys.client_material, b"client write key", &seed, keys.client_key);
    prf_tls10(keys.server_material, b"server write key", &seed, keys.server_key);
    let mut block = [0; 32];
    let (client, server) = (keys.client_iv.len(), keys.server_iv.len());
    if let Some(block) = block.get_mut(..client + server) {
        prf_tls10(&[], b"IV block", &seed, block);
        let (first, second) = block.split_at(client);
        keys.client_iv.copy_from_slice(first);
        keys.server_iv.copy_from_slice(second);
    }
}

/// Spec: TLS10 section 7.4.9.
pub(super) fn verify_data(
    _: &SuiteRow,
    master: &MasterSecret,
    transcript: &Transcript,
    sender: Sender,
) -> VerifyData {
    VerifyData::new(12, |out| {
        prf_tls10(&master.0, finished_label(sender), &[transcript.digest().as_ref()], out);
    })
}

pub(super) const fn finished_label(sender: Sender) -> &'static [u8] {
    match sender {
        Sender::Client => b"client finished",
        Sender::Server => b"server finished",
    }
}

/// Spec: EXPORTER section 4.
pub(super) fn exporter(_: &SuiteRow, master: &MasterSecret, label: &[u8], seed: &[&[u8]], out: &mut [u8]) {
    prf_tls10(&master.0, label, seed, out);
}

/// Spec: TLS10 section 7.4.8.
pub(super) fn of_transcript(transcript: &Transcript, _: &MasterSecret) -> [u8; 36] {
    let mut out = [0; 36];
    out.iter_mut().zip(transcript.digest().as_ref()).for_each(|(to, from)| *to = *from);
    out
}
