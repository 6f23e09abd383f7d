//! Both roles in one process.

mod attacks;
mod flows;
mod handshakes;
mod hellos;
mod messages;
mod mutations;
mod records;
mod vectors;

use std::sync::Arc;

use crate::tls::tests::*;
use crate::*;

const SSL20: ProtocolVersion = ProtocolVersion::SSL20;

/// Both roles with nothing but SSL 2.0.
fn fixture() -> Fixture {
    let mut fixture = Fixture::new(&[SSL20]);
    fixture.parameters.server_name = Some("server.test".to_owned());
    fixture
}

fn suites() -> impl Iterator<Item = CipherSuite> {
    KINDS_BY_PREFERENCE.iter().copied()
}

/// What a client says first.
fn hello_of(client: &mut ClientConnection) -> Vec<u8> {
    match client.advance(&[]).unwrap() {
        Progress::Continue { output, used: 0 } => output,
        other => panic!("{other:?}"),
    }
}
