//! What passes in clear of a server's first flight: extensions of its hello, and in TLS 1.2 the stapled answer.
//!
//! The attributes of a context do not say these things, and the runner asks for them. They are read off the records, which
//! both roles see.
//!
//! Spec: TLS12 sections 6.2.1, 7.4.1.3; TLS-EXT (RFC 6066 section 8); TLS13 section 4.1.3.

/// Content types and handshake types.
const HANDSHAKE: u8 = 22;
const SERVER_HELLO: u8 = 2;
const CERTIFICATE_STATUS: u8 = 22;

const EXTENDED_MASTER_SECRET: u16 = 23;
const SUPPORTED_VERSIONS: u16 = 43;
const RENEGOTIATION_INFO: u16 = 0xff01;

/// What passed in clear of a server's first flight.
#[derive(Debug, Default)]
pub(crate) struct ServerFlight {
    /// Bytes of a record that is not whole.
    record: Vec<u8>,
    /// Bytes of a message that is not whole.
    message: Vec<u8>,
    /// Something other than a handshake record has come: what follows is encrypted.
    is_over: bool,
    extensions: Vec<u16>,
    stapled: Option<Vec<u8>>,
}

impl ServerFlight {
    /// Whether TLS 1.3 or later was chosen.
    pub(crate) fn is_tls13(&self) -> bool {
        self.extensions.contains(&SUPPORTED_VERSIONS)
    }

    /// Whether the master secret is the extended one (RFC 7627); in TLS 1.3 it always is.
    pub(crate) fn has_extended_master_secret(&self) -> bool {
        self.is_tls13() || self.extensions.contains(&EXTENDED_MASTER_SECRET)
    }

    /// Whether the server has RFC 5746; in TLS 1.3 there is nothing to secure.
    pub(crate) fn has_secure_renegotiation(&self) -> bool {
        self.is_tls13() || self.extensions.contains(&RENEGOTIATION_INFO)
    }

    /// The stapled OCSP answer, which only TLS 1.2 and older send in clear.
    pub(crate) fn stapled(&self) -> Option<&[u8]> {
        self.stapled.as_deref()
    }

    /// Reads on: bytes that the server sent, cut anywhere.
    pub(crate) fn records(&mut self, bytes: &[u8]) {
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
            self.messages();
        }
    }

    fn messages(&mut self) {
        while let Some((&[kind, a, b, c], rest)) = self.message.split_first_chunk() {
            let length = usize::try_from(u32::from_be_bytes([0, a, b, c])).unwrap_or(usize::MAX);
            let Some((body, rest)) = rest.split_at_checked(length) else { return };
            match kind {
                // A second hello answers a client that was told to try again, and it is the one that counts.
                SERVER_HELLO => self.extensions = extensions(body).unwrap_or_default(),
                CERTIFICATE_STATUS => self.stapled = certificate_status(body).map(<[u8]>::to_vec),
                _ => {}
            }
            self.message = rest.to_vec();
        }
    }
}

/// The types of a ServerHello's extensions.
fn extensions(hello: &[u8]) -> Option<Vec<u16>> {
    let (_version_and_random, hello) = hello.split_at_checked(2 + 32)?;
    let (session_id_length, hello) = hello.split_first()?;
    let (_session_id, hello) = hello.split_at_checked(usize::from(*session_id_length))?;
    let (_suite_and_compression, hello) = hello.split_at_checked(3)?;
    let (_length, mut list) = hello.split_first_chunk::<2>()?;
    let mut kinds = Vec::new();
    while let Some((&[a, b, high, low], rest)) = list.split_first_chunk() {
        kinds.push(u16::from_be_bytes([a, b]));
        (_, list) = rest.split_at_checked(usize::from(u16::from_be_bytes([high, low])))?;
    }
    Some(kinds)
}

/// The OCSPResponse of a CertificateStatus: one byte of type, three of length.
fn certificate_status(body: &[u8]) -> Option<&[u8]> {
    body.split_first_chunk::<4>().map(|(_, response)| response)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(content_type: u8, body: &[u8]) -> Vec<u8> {
        let [high, low] = u16::try_from(body.len()).unwrap().to_be_bytes();
        [&[content_type, 3, 3, high, low], body].concat()
    }

    fn flight() -> Vec<u8> {
        let mut hello = [&[3, 3][..], &[7; 32], &[1, 9], &[0xc0, 0x2f, 0]].concat();
        hello.extend([0, 9, 0, 23, 0, 0, 0xff, 1, 0, 1, 0]);
        let hello = [&[SERVER_HELLO, 0, 0, u8::try_from(hello.len()).unwrap()], &hello[..]].concat();
        let status = [CERTIFICATE_STATUS, 0, 0, 6, 1, 0, 0, 2, 0xaa, 0xbb];
        // The message of the hello is cut by records, and its rest shares one with the status.
        let (one, two) = hello.split_at(11);
        [record(HANDSHAKE, one), record(HANDSHAKE, &[two, &status].concat()), record(20, &[1])].concat()
    }

    #[test]
    fn a_flight_is_read_however_it_is_cut() {
        for size in [1, 2, 5, 7, 1000] {
            let mut read = ServerFlight::default();
            flight().chunks(size).for_each(|chunk| read.records(chunk));
            assert!(read.has_extended_master_secret() && read.has_secure_renegotiation() && !read.is_tls13());
            assert_eq!(read.stapled(), Some(&[0xaa, 0xbb][..]), "{size}");
            assert!(read.is_over);
        }
    }

    #[test]
    fn bytes_that_are_no_flight_say_nothing() {
        let mut read = ServerFlight::default();
        read.records(&[record(HANDSHAKE, &[SERVER_HELLO, 0, 0, 3, 1, 2, 3]), record(23, &flight())].concat());
        read.records(&flight());
        assert!(!read.has_extended_master_secret() && read.stapled().is_none());
    }
}
