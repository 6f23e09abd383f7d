//! What the legs of a TLS handshake hold, as far as it can be read in clear.

use crate::recording::{Direction, Leg};

/// The names of what each leg holds, in order; what is the same several times in a row is counted.
pub(crate) fn names(legs: &[Leg]) -> Vec<String> {
    let mut reader = Reader::default();
    legs.iter().map(|leg| counted(&reader.leg(leg))).collect()
}

/// `a, b ×2`.
fn counted(names: &[String]) -> String {
    let mut groups: Vec<(&str, usize)> = Vec::new();
    for name in names {
        match groups.last_mut() {
            Some((last, count)) if *last == name.as_str() => *count += 1,
            _ => groups.push((name, 1)),
        }
    }
    let shown: Vec<String> = groups
        .into_iter()
        .map(|(name, count)| if count == 1 { name.to_owned() } else { format!("{name} ×{count}") })
        .collect();
    shown.join(", ")
}

/// Both directions of a connection.
#[derive(Default)]
struct Reader {
    sent: Half,
    received: Half,
}

/// One direction: what is not whole yet, and whether it is encrypted.
#[derive(Default)]
struct Half {
    record: Vec<u8>,
    message: Vec<u8>,
    is_encrypted: bool,
}

/// Content types of records. Spec: TLS13 section 5.1.
const CHANGE_CIPHER_SPEC: u8 = 20;
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;

impl Reader {
    fn leg(&mut self, leg: &Leg) -> Vec<String> {
        let half = match leg.direction {
            Direction::Sent => &mut self.sent,
            Direction::Received => &mut self.received,
        };
        half.record.extend_from_slice(&leg.bytes);
        let mut names = Vec::new();
        while let Some((kind, content)) = take_record(&mut half.record) {
            half.name(kind, &content, &mut names);
        }
        if !half.record.is_empty() {
            names.push(format!("{} bytes of the next", half.record.len()));
        }
        names
    }
}

impl Half {
    fn name(&mut self, kind: u8, content: &[u8], names: &mut Vec<String>) {
        match kind {
            CHANGE_CIPHER_SPEC => {
                names.push("ChangeCipherSpec".to_owned());
                // In TLS 1.2 everything behind it is encrypted. In TLS 1.3 it means nothing, and nothing in clear follows
                // but, after a HelloRetryRequest, a second ClientHello.
                self.is_encrypted = true;
            }
            HANDSHAKE if self.is_encrypted && content.first() != Some(&1) => {
                names.push("encrypted handshake".to_owned());
            }
            HANDSHAKE => {
                self.message.extend_from_slice(content);
                while let Some(message) = take_message(&mut self.message) {
                    names.push(message_name(&message));
                }
            }
            ALERT if self.is_encrypted => names.push("encrypted alert".to_owned()),
            ALERT => names.push(format!("Alert {}", content.get(1).copied().unwrap_or_default())),
            APPLICATION_DATA => names.push("encrypted handshake".to_owned()),
            other => names.push(format!("record of type {other}")),
        }
    }
}

/// Type and content of the record at the front, once it is whole.
fn take_record(bytes: &mut Vec<u8>) -> Option<(u8, Vec<u8>)> {
    let [kind, _, _, high, low] = *bytes.first_chunk::<5>()?;
    let end = 5 + usize::from(u16::from_be_bytes([high, low]));
    let content = bytes.get(5..end)?.to_vec();
    bytes.drain(..end);
    Some((kind, content))
}

/// The handshake message at the front, once it is whole.
fn take_message(bytes: &mut Vec<u8>) -> Option<Vec<u8>> {
    let [_, a, b, c] = *bytes.first_chunk::<4>()?;
    let end = 4 + usize::try_from(u32::from_be_bytes([0, a, b, c])).ok()?;
    let message = bytes.get(..end)?.to_vec();
    bytes.drain(..end);
    Some(message)
}

/// SHA-256 of "HelloRetryRequest", its first eight bytes. Spec: TLS13 section 4.1.3.
const HELLO_RETRY_REQUEST: [u8; 8] = [0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11];

/// The name of a handshake message. Spec: TLS13 section 4, TLS12 section 7.4.
fn message_name(message: &[u8]) -> String {
    let name = match message.first() {
        Some(0) => "HelloRequest",
        Some(1) => "ClientHello",
        Some(2) if message.get(6..14) == Some(&HELLO_RETRY_REQUEST) => "HelloRetryRequest",
        Some(2) => "ServerHello",
        Some(4) => "NewSessionTicket",
        Some(11) => "Certificate",
        Some(12) => "ServerKeyExchange",
        Some(13) => "CertificateRequest",
        Some(14) => "ServerHelloDone",
        Some(15) => "CertificateVerify",
        Some(16) => "ClientKeyExchange",
        Some(20) => "Finished",
        Some(22) => "CertificateStatus",
        Some(other) => return format!("handshake message {other}"),
        None => "an empty message",
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(bytes: &[u8]) -> Leg {
        Leg { direction: Direction::Sent, bytes: bytes.to_vec() }
    }

    fn received(bytes: &[u8]) -> Leg {
        Leg { direction: Direction::Received, bytes: bytes.to_vec() }
    }

    #[test]
    fn clear_messages_are_named_and_encrypted_ones_counted() {
        let legs = [
            sent(&[22, 3, 1, 0, 4, 1, 0, 0, 0]),
            received(&[22, 3, 3, 0, 4, 2, 0, 0, 0, 20, 3, 3, 0, 1, 1, 23, 3, 3, 0, 1, 9, 23, 3, 3, 0, 1, 9]),
            sent(&[20, 3, 3, 0, 1, 1, 22, 3, 3, 0, 2, 9, 9]),
        ];
        assert_eq!(
            names(&legs),
            [
                "ClientHello",
                "ServerHello, ChangeCipherSpec, encrypted handshake ×2",
                "ChangeCipherSpec, encrypted handshake"
            ]
        );
    }

    #[test]
    fn messages_may_share_a_record_or_span_several() {
        let legs = [
            received(&[22, 3, 3, 0, 6, 11, 0, 0, 0, 14, 0]),
            sent(&[]),
            received(&[22, 3, 3, 0, 2, 0, 0, 22]),
        ];
        assert_eq!(names(&legs), ["Certificate", "", "ServerHelloDone, 1 bytes of the next"]);
    }

    #[test]
    fn what_is_no_tls_is_counted_in_bytes() {
        assert_eq!(names(&[sent(b"abc")]), ["3 bytes of the next"]);
    }
}
