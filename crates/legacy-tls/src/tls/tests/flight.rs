//! A flight in clear, taken apart into its messages and put together again.

use super::conformance::record;
use super::*;
use crate::tls::messages::HEADER;

/// The messages of a flight, each with its header.
#[derive(Clone)]
pub(crate) struct Flight {
    pub(crate) version: ProtocolVersion,
    pub(crate) messages: Vec<Vec<u8>>,
}

impl Flight {
    /// What records in clear hold, as far as they hold messages of the handshake: not ChangeCipherSpec, and what is behind it.
    pub(crate) fn read(mut records: &[u8]) -> Self {
        let version = ProtocolVersion(u16::from_be_bytes([records[1], records[2]]));
        let (mut content, mut messages) = (Vec::new(), Vec::new());
        while let [22, _, _, high, low, rest @ ..] = records {
            let (one, next) = rest.split_at(usize::from(u16::from_be_bytes([*high, *low])));
            content.extend_from_slice(one);
            records = next;
        }
        while let Some(&[_, a, b, c]) = content.first_chunk() {
            let rest = content.split_off(HEADER + u32::from_be_bytes([0, a, b, c]) as usize);
            messages.push(content);
            content = rest;
        }
        assert!(content.is_empty(), "a message is cut off");
        Self { version, messages }
    }

    /// The same in records.
    pub(crate) fn records(&self) -> Vec<u8> {
        record(22, self.version, &self.messages.concat())
    }

    /// The message of that type.
    pub(crate) fn message(&mut self, kind: HandshakeType) -> &mut Vec<u8> {
        self.messages.iter_mut().find(|message| message[0] == kind.0).unwrap()
    }
}
