//! TLS 1.1: TLS 1.0 with an IV in each record and without export suites.
//!
//! Spec: TLS11.

use super::{ProtocolVersion, Rules, Signatures, tls10};
use crate::record::CbcIv;

pub(super) const RULES: Rules = Rules {
    version: ProtocolVersion::TLS11,
    cbc_iv: CbcIv::Explicit,
    export_keys: None,
    signatures: Signatures::Md5AndSha1 { of_transcript: tls10::of_transcript },
    ..tls10::RULES
};
