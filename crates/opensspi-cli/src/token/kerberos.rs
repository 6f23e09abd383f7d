//! Messages of Kerberos without anything around them: which one it is.
//!
//! Spec: KRB5 section 5.10.

use super::table::{At, Table};

/// Whether the bytes are such a message: its tag, the length of what is there, and a sequence in it.
pub(super) fn is_one(bytes: &[u8]) -> bool {
    content(bytes).is_some_and(|content| content.first() == Some(&0x30)) && kind(bytes).is_some()
}

/// Which message it is, and what it is for.
pub(super) fn kind(bytes: &[u8]) -> Option<(&'static str, &'static str)> {
    Some(match bytes.first()? {
        0x6a => ("Kerberos AS-REQ", "a client asks for its first ticket"),
        0x6b => ("Kerberos AS-REP", "the first ticket of a client"),
        0x6c => ("Kerberos TGS-REQ", "a client asks for a ticket for a service"),
        0x6d => ("Kerberos TGS-REP", "a ticket for a service"),
        0x6e => ("Kerberos AP-REQ", "a ticket, and the proof that it is the sender's"),
        0x6f => ("Kerberos AP-REP", "the server's proof"),
        0x7e => ("Kerberos KRB-ERROR", "why there is no ticket, or no logon"),
        _ => return None,
    })
}

/// What is behind the tag and the length, if the length is that of the rest.
fn content(bytes: &[u8]) -> Option<&[u8]> {
    let (length, content) = match bytes {
        [_, short @ ..=0x7f, content @ ..] => (usize::from(*short), content),
        [_, 0x81, length, content @ ..] => (usize::from(*length), content),
        [_, 0x82, high, low, content @ ..] => (usize::from(u16::from_be_bytes([*high, *low])), content),
        _ => return None,
    };
    (content.len() == length).then_some(content)
}

/// One row: what is in it is encrypted, or names nobody that it should.
pub(super) fn rows(table: &mut Table, bytes: &[u8]) {
    let at = At { depth: 0, offset: 0, len: bytes.len() };
    table.secret(at, "innerContextToken", bytes, kind(bytes).unwrap_or_default().1);
}
