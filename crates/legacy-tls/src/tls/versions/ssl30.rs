//! SSL 3.0.
//!
//! Spec: SSL30.

use crypto::hash::{Hash, HashContext};
use zeroize::Zeroizing;

use super::{NoCertificate, ProtocolVersion, Rules, Sender, Signatures, VerifyData};
use crate::record::{CbcIv, MacConstruction, Padding};
use crate::session::MasterSecret;
use crate::tls::alert::AlertDescription;
use crate::tls::cipher_suites::SuiteRow;
use crate::tls::keys::{ExportKeys, Randoms};
use crate::tls::transcript::{Transcript, TranscriptHash};

pub(super) const RULES: Rules = Rules {
    version: ProtocolVersion::SSL30,
    transcript: |_| TranscriptHash::Md5AndSha1,
    master_secret,
    extended_master_secret: None,
    key_block,
    export_keys: Some(export_keys),
    verify_data,
    exporter: None,
    signatures: Signatures::Md5AndSha1 {
        of_transcript: |transcript, master| hashes(transcript, master, &[]),
    },
    has_raw_dsa: true,
    no_certificate: NoCertificate::Alert,
    premaster_has_length: false,
    has_extensions: false,
    mac: MacConstruction::Ssl3,
    padding: Padding::Ssl3,
    cbc_iv: CbcIv::Chained,
    alert,
};

/// `MD5(secret + SHA("A" + secret + first + second)) + MD5(secret + SHA("BB" + ...)) + ...`, as long as `out` is.
///
/// Spec: SSL30 sections 6.1 and 6.2.2.
fn generate(secret: &[u8], first: &[u8; 32], second: &[u8; 32], out: &mut [u8]) {
    for (chunk, letter) in out.chunks_mut(16).zip(b'A'..=b'Z') {
        let times = usize::from(letter - b'A') + 1;
        let mut sha = Hash::Sha1.context();
        sha.update([letter; 26].get(..times).unwrap_or_default());
        sha.update(secret);
        sha.update(first);
        sha.update(second);
        let mut md5 = Hash::Md5.context();
        md5.update(secret);
        md5.update(sha.finish().as_ref());
        chunk.iter_mut().zip(md5.finish().as_ref()).for_each(|(to, from)| *to = *from);
    }
}

fn master_secret(_: &SuiteRow, premaster: &[u8], randoms: &Randoms) -> MasterSecret {
    let mut master = MasterSecret([0; 48]);
    generate(premaster, &randoms.client, &randoms.server, &mut master.0);
    master
}

/// The randoms change places. Spec: SSL30 section 6.2.2.
fn key_block(_: &SuiteRow, master: &MasterSecret, randoms: &Randoms, out: &mut [u8]) {
    generate(&master.0, &randoms.server, &randoms.client, out);
}

/// Spec: SSL30 section 6.2.2.1.
fn export_keys(randoms: &Randoms, keys: &mut ExportKeys<'_>) {
    let Randoms { client, server } = randoms;
    let md5 = |parts: [&[u8]; 3], out: &mut Zeroizing<Vec<u8>>| {
        let mut hash = Hash::Md5.context();
        parts.iter().for_each(|part| hash.update(part));
        out.iter_mut().zip(hash.finish().as_ref()).for_each(|(to, from)| *to = *from);
    };
    md5([keys.client_material, client, server], keys.client_key);
    md5([keys.server_material, server, client], keys.server_key);
    md5([client, server, &[]], keys.client_iv);
    md5([server, client, &[]], keys.server_iv);
}

/// `hash(master + pad2 + hash(transcript + sender + master + pad1))` for MD5 and SHA-1, one behind the other.
///
/// Spec: SSL30 sections 5.6.8 and 5.6.9.
fn hashes(transcript: &Transcript, master: &MasterSecret, sender: &[u8]) -> [u8; 36] {
    let mut out = [0; 36];
    let Some((md5, sha1)) = transcript.md5_and_sha1() else { return out };
    let one = |mut inner: HashContext, padding: usize, out: &mut [u8]| {
        let mut outer = inner.hash().context();
        inner.update(sender);
        inner.update(&master.0);
        inner.update([0x36; 48].get(..padding).unwrap_or_default());
        outer.update(&master.0);
        outer.update([0x5c; 48].get(..padding).unwrap_or_default());
        outer.update(inner.finish().as_ref());
        out.iter_mut().zip(outer.finish().as_ref()).for_each(|(to, from)| *to = *from);
    };
    let (first, second) = out.split_at_mut(16);
    one(md5, 48, first);
    one(sha1, 40, second);
    out
}

fn verify_data(_: &SuiteRow, master: &MasterSecret, transcript: &Transcript, sender: Sender) -> VerifyData {
    let sender = match sender {
        Sender::Client => b"CLNT",
        Sender::Server => b"SRVR",
    };
    VerifyData::new(36, |out| out.copy_from_slice(&hashes(transcript, master, sender)))
}

/// SSL 3.0 has a dozen alerts; what came later is said with one of them.
///
/// Spec: SSL30 section 5.4.
fn alert(description: AlertDescription) -> AlertDescription {
    use AlertDescription as A;
    match description {
        A::CLOSE_NOTIFY
        | A::UNEXPECTED_MESSAGE
        | A::BAD_RECORD_MAC
        | A::DECOMPRESSION_FAILURE
        | A::HANDSHAKE_FAILURE
        | A::NO_CERTIFICATE
        | A::BAD_CERTIFICATE
        | A::UNSUPPORTED_CERTIFICATE
        | A::CERTIFICATE_REVOKED
        | A::CERTIFICATE_EXPIRED
        | A::CERTIFICATE_UNKNOWN
        | A::ILLEGAL_PARAMETER
        // What a client without SCSV cannot receive; one with it knows the number. Spec: SCSV section 3.
        | A::INAPPROPRIATE_FALLBACK => description,
        A::DECRYPTION_FAILED | A::RECORD_OVERFLOW => A::BAD_RECORD_MAC,
        A::UNKNOWN_CA => A::BAD_CERTIFICATE,
        A::ACCESS_DENIED => A::CERTIFICATE_UNKNOWN,
        A::DECODE_ERROR => A::ILLEGAL_PARAMETER,
        _ => A::HANDSHAKE_FAILURE,
    }
}
