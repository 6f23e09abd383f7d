//! What of TLS, SSL and PCT travels in clear.

use opensspi::tokens::tls;

use super::Decoded;
use super::table::{At, Table, Wrong};

/// Whether the bytes begin as such a message does.
pub(super) fn is_one(bytes: &[u8]) -> bool {
    tls::is_one(bytes)
}

/// What it says.
pub(super) fn decode(bytes: &[u8]) -> Decoded {
    let (flight, wrong) = match tls::read(bytes) {
        Ok(flight) => (flight, None),
        Err(broken) => {
            let wrong = Wrong::new(broken.offset, broken.field, &broken.what);
            (*broken.flight, Some(wrong))
        }
    };
    let mut table = Table::default();
    for fact in &flight.facts {
        match fact.place {
            Some((offset, len)) => {
                table.value(At { depth: 0, offset, len }, fact.field, &fact.value, &fact.meaning);
            }
            None => table.unplaced(fact.field, fact.value.clone(), &fact.meaning),
        }
    }
    Decoded { kind: flight.kind.clone(), table, wrong, flight: Some(flight) }
}
