//! What passes in clear of a handshake: the hellos, and in TLS 1.2 and older all up to ChangeCipherSpec.
//!
//! The attributes of a context do not say these things, and the runner asks for them. They are read off the records, which
//! both roles see.
//!
//! Spec: TLS12 sections 6.2.1, 7.4.1.2, 7.4.1.3, 7.4.3, 7.4.8; TLS-EXT (RFC 6066 section 8); TICKET section 3.3; TLS13
//! section 4.1.3.

/// Content types and handshake types.
const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;
const NEW_SESSION_TICKET: u8 = 4;
const SERVER_KEY_EXCHANGE: u8 = 12;
const CERTIFICATE_VERIFY: u8 = 15;
const CERTIFICATE_STATUS: u8 = 22;

const ALPN: u16 = 16;
const EXTENDED_MASTER_SECRET: u16 = 23;
const SUPPORTED_VERSIONS: u16 = 43;
const RENEGOTIATION_INFO: u16 = 0xff01;

/// ECCurveType.named_curve.
const NAMED_CURVE: u8 = 3;
/// The beginning of the random that makes a ServerHello a HelloRetryRequest.
const RETRY: [u8; 8] = [0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11];

/// The handshake messages of one side, put together from its records.
#[derive(Debug, Default)]
struct Messages {
    /// Bytes of a record that is not whole.
    record: Vec<u8>,
    /// Bytes of a message that is not whole.
    message: Vec<u8>,
    /// Something other than a handshake record has come: what follows is encrypted.
    is_over: bool,
}

impl Messages {
    /// Reads on: bytes that the side sent, cut anywhere. Every whole message is taken, with its kind.
    fn records(&mut self, bytes: &[u8], mut take: impl FnMut(u8, &[u8])) {
        if self.is_over {
            return;
        }
        self.record.extend_from_slice(bytes);
        while let Some((&[content_type, _, _, high, low], rest)) = self.record.split_first_chunk() {
            let Some((body, rest)) = rest.split_at_checked(usize::from(u16::from_be_bytes([high, low])))
            else {
                return;
            };
            if content_type == HANDSHAKE {
                self.message.extend_from_slice(body);
            }
            self.is_over = content_type != HANDSHAKE;
            self.record = rest.to_vec();
            if self.is_over {
                return;
            }
            while let Some((&[kind, a, b, c], rest)) = self.message.split_first_chunk() {
                let length = usize::try_from(u32::from_be_bytes([0, a, b, c])).unwrap_or(usize::MAX);
                let Some((body, rest)) = rest.split_at_checked(length) else { break };
                take(kind, body);
                self.message = rest.to_vec();
            }
        }
    }
}

/// What passed in clear of a server's first flight.
#[derive(Debug, Default)]
pub(crate) struct ServerFlight {
    messages: Messages,
    hello: Option<ServerHello>,
    retried: bool,
    stapled: Option<Vec<u8>>,
    ticket: Vec<u8>,
    signature: Option<u16>,
}

/// A ServerHello.
#[derive(Debug)]
struct ServerHello {
    version: u16,
    is_retry: bool,
    has_session_id: bool,
    extensions: Vec<u16>,
}

impl ServerFlight {
    /// Whether the server has said anything of its handshake.
    pub(crate) const fn has_begun(&self) -> bool {
        self.hello.is_some()
    }

    fn has(&self, extension: u16) -> bool {
        self.hello.as_ref().is_some_and(|hello| hello.extensions.contains(&extension))
    }

    /// Whether TLS 1.3 or later was chosen.
    pub(crate) fn is_tls13(&self) -> bool {
        self.has(SUPPORTED_VERSIONS)
    }

    /// Whether it is TLS 1.2, where signatures say their algorithm, in clear.
    pub(crate) fn is_tls12(&self) -> bool {
        !self.is_tls13() && self.hello.as_ref().is_some_and(|hello| hello.version == 0x0303)
    }

    /// Whether the master secret is the extended one (RFC 7627); in TLS 1.3 it always is.
    pub(crate) fn has_extended_master_secret(&self) -> bool {
        self.is_tls13() || self.has(EXTENDED_MASTER_SECRET)
    }

    /// Whether the server has RFC 5746; in TLS 1.3 there is nothing to secure.
    pub(crate) fn has_secure_renegotiation(&self) -> bool {
        self.is_tls13() || self.has(RENEGOTIATION_INFO)
    }

    /// Whether the client had to send another hello.
    pub(crate) const fn was_retried(&self) -> bool {
        self.retried
    }

    /// The stapled OCSP answer, which only TLS 1.2 and older send in clear.
    pub(crate) fn stapled(&self) -> Option<&[u8]> {
        self.stapled.as_deref()
    }

    /// Whether there is a ticket, which only TLS 1.2 and older send in clear.
    pub(crate) fn has_ticket(&self) -> bool {
        !self.ticket.is_empty()
    }

    /// Whether the session has an identifier, for a server that keeps it; in TLS 1.3 it is an echo.
    pub(crate) fn has_session_id(&self) -> bool {
        !self.is_tls13() && self.hello.as_ref().is_some_and(|hello| hello.has_session_id)
    }

    /// The algorithm of the signature over the server's share, in TLS 1.2.
    pub(crate) fn signature(&self) -> Option<u16> {
        self.signature.filter(|_| self.is_tls12())
    }

    /// Reads on: bytes that the server sent, cut anywhere.
    pub(crate) fn records(&mut self, bytes: &[u8]) {
        let Self { messages, hello, retried, stapled, ticket, signature } = self;
        messages.records(bytes, |kind, body| match kind {
            // A second hello answers a client that was told to try again, and it is the one that counts.
            SERVER_HELLO => {
                *hello = server_hello(body);
                *retried |= hello.as_ref().is_some_and(|hello| hello.is_retry);
            }
            CERTIFICATE_STATUS => *stapled = certificate_status(body).map(<[u8]>::to_vec),
            NEW_SESSION_TICKET => *ticket = body.get(6..).unwrap_or_default().to_vec(),
            SERVER_KEY_EXCHANGE => *signature = signed_share(body),
            _ => {}
        });
    }
}

/// What passed in clear of what a client sent.
#[derive(Debug, Default)]
pub(crate) struct ClientFlight {
    messages: Messages,
    alpn: Vec<u8>,
    signature: Option<u16>,
}

impl ClientFlight {
    /// The application protocols that it offers: each behind the byte of its length.
    pub(crate) fn alpn(&self) -> &[u8] {
        &self.alpn
    }

    /// What stands where the algorithm of its signature stands in TLS 1.2.
    pub(crate) const fn signature(&self) -> Option<u16> {
        self.signature
    }

    /// Reads on: bytes that the client sent, cut anywhere.
    pub(crate) fn records(&mut self, bytes: &[u8]) {
        let Self { messages, alpn, signature } = self;
        messages.records(bytes, |kind, body| match kind {
            CLIENT_HELLO => *alpn = client_alpn(body).unwrap_or_default().to_vec(),
            CERTIFICATE_VERIFY => *signature = u16_at(body),
            _ => {}
        });
    }
}

fn u16_at(bytes: &[u8]) -> Option<u16> {
    bytes.first_chunk().map(|bytes| u16::from_be_bytes(*bytes))
}

/// What stands behind a vector with a length of two bytes.
fn behind_u16(bytes: &[u8]) -> Option<&[u8]> {
    bytes.get(2 + usize::from(u16_at(bytes)?)..)
}

/// The extensions of a list that stands at the end of a hello.
fn extensions(list: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = list.get(2..).unwrap_or_default();
    core::iter::from_fn(move || {
        let (&[a, b, high, low], behind) = rest.split_first_chunk()?;
        let (data, behind) = behind.split_at_checked(usize::from(u16::from_be_bytes([high, low])))?;
        rest = behind;
        Some((u16::from_be_bytes([a, b]), data))
    })
}

fn server_hello(hello: &[u8]) -> Option<ServerHello> {
    let (version_and_random, rest) = hello.split_at_checked(2 + 32)?;
    let (session_id_length, rest) = rest.split_first()?;
    let (_session_id, rest) = rest.split_at_checked(usize::from(*session_id_length))?;
    let (_suite_and_compression, rest) = rest.split_at_checked(3)?;
    Some(ServerHello {
        version: u16_at(version_and_random)?,
        is_retry: version_and_random.get(2..)?.starts_with(&RETRY),
        has_session_id: *session_id_length > 0,
        extensions: extensions(rest).map(|(kind, _)| kind).collect(),
    })
}

/// The list of application protocols in a ClientHello.
fn client_alpn(hello: &[u8]) -> Option<&[u8]> {
    let (_version_and_random, rest) = hello.split_at_checked(2 + 32)?;
    let (session_id_length, rest) = rest.split_first()?;
    let suites = rest.get(usize::from(*session_id_length)..)?;
    let (methods, rest) = behind_u16(suites)?.split_first()?;
    let list = extensions(rest.get(usize::from(*methods)..)?).find(|(kind, _)| *kind == ALPN)?.1;
    list.get(2..)
}

/// The OCSPResponse of a CertificateStatus: one byte of type, three of length.
fn certificate_status(body: &[u8]) -> Option<&[u8]> {
    body.split_first_chunk::<4>().map(|(_, response)| response)
}

/// The algorithm behind a share on a curve, or behind prime, generator and share of Diffie-Hellman.
fn signed_share(body: &[u8]) -> Option<u16> {
    let signed = match body {
        [NAMED_CURVE, _, _, length, rest @ ..] => rest.get(usize::from(*length)..)?,
        _ => behind_u16(behind_u16(behind_u16(body)?)?)?,
    };
    u16_at(signed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(content_type: u8, body: &[u8]) -> Vec<u8> {
        let [high, low] = u16::try_from(body.len()).unwrap().to_be_bytes();
        [&[content_type, 3, 3, high, low], body].concat()
    }

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        [&[kind, 0, 0, u8::try_from(body.len()).unwrap()], body].concat()
    }

    fn flight() -> Vec<u8> {
        let mut hello = [&[3, 3][..], &[7; 32], &[1, 9], &[0xc0, 0x2f, 0]].concat();
        hello.extend([0, 9, 0, 23, 0, 0, 0xff, 1, 0, 1, 0]);
        let hello = message(SERVER_HELLO, &hello);
        let status = message(CERTIFICATE_STATUS, &[1, 0, 0, 2, 0xaa, 0xbb]);
        let share = message(SERVER_KEY_EXCHANGE, &[3, 0, 29, 2, 7, 7, 8, 4, 0, 1, 9]);
        // The message of the hello is cut by records, and its rest shares one with what follows.
        let (one, two) = hello.split_at(11);
        [
            record(HANDSHAKE, one),
            record(HANDSHAKE, &[two, &status, &share].concat()),
            record(HANDSHAKE, &message(NEW_SESSION_TICKET, &[0, 0, 0, 0, 0, 1, 5])),
            record(20, &[1]),
        ]
        .concat()
    }

    #[test]
    fn a_flight_is_read_however_it_is_cut() {
        for size in [1, 2, 5, 7, 1000] {
            let mut read = ServerFlight::default();
            assert!(!read.has_begun());
            flight().chunks(size).for_each(|chunk| read.records(chunk));
            assert!(read.has_extended_master_secret() && read.has_secure_renegotiation() && !read.is_tls13());
            assert_eq!(read.stapled(), Some(&[0xaa, 0xbb][..]), "{size}");
            assert!(read.has_begun() && read.has_session_id() && read.has_ticket() && !read.was_retried());
            assert_eq!(read.signature(), Some(0x0804));
            assert!(read.messages.is_over);
        }
    }

    #[test]
    fn bytes_that_are_no_flight_say_nothing() {
        let mut read = ServerFlight::default();
        let hello = message(SERVER_HELLO, &[1, 2, 3]);
        read.records(&[record(HANDSHAKE, &hello), record(23, &flight())].concat());
        read.records(&flight());
        assert!(!read.has_begun() && !read.has_extended_master_secret() && read.stapled().is_none());
    }

    #[test]
    fn a_share_of_diffie_hellman_is_signed_behind_three_vectors() {
        assert_eq!(signed_share(&[0, 1, 7, 0, 1, 2, 0, 2, 9, 9, 4, 1, 0, 0]), Some(0x0401));
        assert_eq!(signed_share(&[0, 1, 7, 0, 9, 2]), None);
    }

    #[test]
    fn what_a_client_offers_and_signs_with_is_read() {
        let mut hello = [&[3, 3][..], &[7; 32], &[1, 9], &[0, 2, 0xc0, 0x2f], &[1, 0]].concat();
        hello.extend([0, 13, 0, 23, 0, 0, 0, 16, 0, 5, 0, 3, 2, b'h', b'2']);
        let flight = [message(CLIENT_HELLO, &hello), message(CERTIFICATE_VERIFY, &[8, 4, 0, 1, 9])].concat();
        let mut read = ClientFlight::default();
        record(HANDSHAKE, &flight).chunks(3).for_each(|chunk| read.records(chunk));
        assert_eq!((read.alpn(), read.signature()), (&b"\x02h2"[..], Some(0x0804)));
    }

    #[test]
    fn a_hello_that_tells_the_client_to_try_again_is_known_by_its_random() {
        let mut hello = [&[3, 3][..], &RETRY, &[0; 24], &[0], &[0x13, 1, 0]].concat();
        hello.extend([0, 6, 0, 43, 0, 2, 3, 4]);
        let mut read = ServerFlight::default();
        read.records(&record(HANDSHAKE, &message(SERVER_HELLO, &hello)));
        assert!(read.was_retried() && read.is_tls13() && !read.is_tls12());
    }
}
