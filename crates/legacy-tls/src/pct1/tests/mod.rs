//! PCT with itself, and against what is known of it.

mod attacks;
mod flows;
mod handshakes;
mod messages;
mod mutations;
mod records;
mod redo;
mod vectors;

use std::sync::Arc;

use super::specs::SPECS;
use super::{BY_PREFERENCE, messages as wire_messages};
use crate::record::{ContentType, Need, Opener, Sealer};
use crate::tls::tests::{Exchange, Fixture, Judge, Pair, Seeded, Side, rsa512, rsa1024};
use crate::*;

/// A client and a server that speak nothing but PCT, with everything it has.
pub(crate) fn pct() -> Fixture {
    let mut fixture = Fixture::new(&[ProtocolVersion::PCT1]);
    let suites: Vec<CipherSuite> = SPECS.iter().map(|spec| spec.row.suite).collect();
    fixture.client.policy.suites = BY_PREFERENCE.to_vec();
    fixture.server.policy.suites = suites;
    fixture.server.identities = vec![rsa1024()];
    fixture
}

/// Only this pair of cipher and hash.
pub(crate) fn pct_with(code: u16) -> Fixture {
    let mut fixture = pct();
    fixture.client.policy.suites = vec![CipherSuite(code)];
    fixture.server.policy.suites = vec![CipherSuite(code)];
    fixture
}

/// RC4-128 with MD5.
pub(crate) const RC4_MD5: u16 = 0x8140;
/// DES with SHA.
pub(crate) const DES_SHA: u16 = 0x8310;

/// The message of the one record in `bytes`.
pub(crate) fn message_of(bytes: &[u8]) -> &[u8] {
    let header = super::records::Header::read(bytes).unwrap();
    assert_eq!(header.len + header.body, bytes.len(), "not one record");
    &bytes[header.len..]
}

/// A message as a record.
pub(crate) fn record_of(message: &[u8]) -> Vec<u8> {
    let len = u16::try_from(message.len()).unwrap() | 0x8000;
    [&len.to_be_bytes(), message].concat()
}

/// What the ERROR message that ends `output` says.
pub(crate) fn told(output: &[u8]) -> Option<super::Received> {
    let mut rest = output;
    while let Ok(header) = super::records::Header::read(rest) {
        let (record, behind) = rest.split_at(header.len + header.body);
        if behind.is_empty() {
            return Some(wire_messages::decode_error(message_of(record)).unwrap());
        }
        rest = behind;
    }
    None
}

/// One record with `data`, as it is on the wire.
pub(crate) fn seal(sealer: &mut Sealer, data: &[u8]) -> Vec<u8> {
    let layout = sealer.layout();
    let mut memory = vec![0xee; layout.header];
    memory.extend_from_slice(data);
    memory.resize(memory.len() + layout.trailer, 0xee);
    let at = layout.header..layout.header + data.len();
    let range = sealer.seal(ContentType::APPLICATION_DATA, &mut memory, at).unwrap();
    memory[range].to_vec()
}

/// Opens one record.
pub(crate) fn open(
    opener: &mut Opener,
    record: &[u8],
) -> Result<(ContentType, Vec<u8>), record::RecordError> {
    assert_eq!(opener.record_len(record).unwrap(), Need::Whole(record.len()));
    let mut record = record.to_vec();
    let opened = opener.open(&mut record)?;
    Ok((opened.content_type, record[opened.content].to_vec()))
}

pub(crate) fn failed(outcome: Result<Pair, (Side, Failure)>) -> (Side, Failure) {
    match outcome {
        Ok(_) => panic!("the handshake is complete"),
        Err(failed) => failed,
    }
}
