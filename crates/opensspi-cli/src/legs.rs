//! What the legs of a handshake hold, as far as it can be read in clear.

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
    /// Whether messages without a record of TLS are PCT's.
    is_pct: bool,
}

/// One direction: what is not whole yet, and whether it is encrypted.
#[derive(Default)]
struct Half {
    record: Vec<u8>,
    message: Vec<u8>,
    is_encrypted: bool,
    /// Records are of SSL 2.0 or PCT, whose encrypted ones may begin with anything.
    is_old: bool,
}

/// Content types of records. Spec: TLS13 section 5.1.
const CHANGE_CIPHER_SPEC: u8 = 20;
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;

impl Reader {
    fn leg(&mut self, leg: &Leg) -> Vec<String> {
        self.half(leg.direction).record.extend_from_slice(&leg.bytes);
        let mut names = Vec::new();
        loop {
            let half = self.half(leg.direction);
            // Spec: TLS10 appendix E.
            if matches!(half.record.first(), Some(CHANGE_CIPHER_SPEC..=APPLICATION_DATA)) && !half.is_old {
                let Some((kind, content)) = take_record(&mut half.record) else { break };
                half.name(kind, &content, &mut names);
            } else {
                half.is_old = !half.record.is_empty();
                let Some(message) = take_old_record(&mut half.record) else { break };
                names.push(self.old_message(leg.direction, &message));
            }
        }
        let left = self.half(leg.direction).record.len();
        if left > 0 {
            names.push(format!("{left} bytes of the next"));
        }
        names
    }

    const fn half(&mut self, direction: Direction) -> &mut Half {
        match direction {
            Direction::Sent => &mut self.sent,
            Direction::Received => &mut self.received,
        }
    }

    /// The name of a message of SSL 2.0 or PCT, and what becomes encrypted behind it. Spec: SSL2 section 5.5; PCT1 section 5.2.
    fn old_message(&mut self, direction: Direction, message: &[u8]) -> String {
        const CLIENT_HELLO: u8 = 1;
        let first = message.first().copied().unwrap_or_default();
        let is_sent = direction == Direction::Sent;
        if self.half(direction).is_encrypted {
            return "encrypted handshake".to_owned();
        }
        match (first, is_sent) {
            // The highest bit of the version; and the answer to a hello in which PCT hides.
            (CLIENT_HELLO, true) => {
                self.is_pct = message.get(1).is_some_and(|version| version & 0x80 != 0);
                // The answer may be a record of TLS, and what follows it.
                self.sent.is_old = false;
            }
            (2, false) => self.is_pct = true,
            _ => {}
        }
        let name = match (self.is_pct, first) {
            (_, CLIENT_HELLO) => "CLIENT-HELLO",
            (true, 2) | (false, 4) => "SERVER-HELLO",
            (true, 3) | (false, 2) => "CLIENT-MASTER-KEY",
            (true, 4) => "SERVER-VERIFY",
            (true, 5) | (false, 0) => "ERROR",
            _ => return format!("handshake message {first}"),
        };
        if !self.is_pct && name == "SERVER-HELLO" {
            self.received.is_encrypted = true;
            // A session that is taken up again has its key already.
            self.sent.is_encrypted = message.get(1).is_some_and(|hit| *hit != 0);
        }
        self.sent.is_encrypted |= !self.is_pct && name == "CLIENT-MASTER-KEY";
        name.to_owned()
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

/// Content of the record of SSL 2.0 or PCT at the front, once it is whole.
fn take_old_record(bytes: &mut Vec<u8>) -> Option<Vec<u8>> {
    let [first, low] = *bytes.first_chunk::<2>()?;
    let (header, high) = if first & 0x80 != 0 { (2, first & 0x7f) } else { (3, first & 0x3f) };
    let end = header + usize::from(u16::from_be_bytes([high, low]));
    let content = bytes.get(header..end)?.to_vec();
    bytes.drain(..end);
    Some(content)
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
    fn messages_of_ssl_2_and_pct_are_named_until_they_are_encrypted() {
        let legs = [
            sent(&[0x80, 3, 1, 0, 2]),
            received(&[0x80, 2, 4, 0, 0x80, 2, 0xaa, 0xbb]),
            sent(&[0x80, 2, 2, 0, 0, 2, 1, 0x16, 3]),
        ];
        let expected =
            ["CLIENT-HELLO", "SERVER-HELLO, encrypted handshake", "CLIENT-MASTER-KEY, encrypted handshake"];
        assert_eq!(names(&legs), expected);
        let resumed = [sent(&[0x80, 3, 1, 0, 2]), received(&[0x80, 2, 4, 1]), sent(&[0x80, 1, 3])];
        assert_eq!(names(&resumed), ["CLIENT-HELLO", "SERVER-HELLO", "encrypted handshake"]);
        for version in [0x80, 0] {
            let legs = [
                sent(&[0x80, 3, 1, version, 1]),
                received(&[0x80, 1, 2]),
                sent(&[0x80, 1, 3]),
                received(&[0x80, 1, 4]),
            ];
            assert_eq!(names(&legs), ["CLIENT-HELLO", "SERVER-HELLO", "CLIENT-MASTER-KEY", "SERVER-VERIFY"]);
        }
        let answered_by_tls =
            [sent(&[0x80, 3, 1, 3, 1]), received(&[22, 3, 1, 0, 4, 2, 0, 0, 0]), sent(&[20, 3, 1, 0, 1, 1])];
        assert_eq!(names(&answered_by_tls), ["CLIENT-HELLO", "ServerHello", "ChangeCipherSpec"]);
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
