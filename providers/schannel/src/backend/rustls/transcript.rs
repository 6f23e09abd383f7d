//! What passes in clear: the hellos, and a TLS 1.2 handshake up to its ChangeCipherSpec.
//!
//! rustls keeps to itself what an error message wants to name (what the client offers, what the server chose), the session
//! ID, and a request for a client certificate before rustls must have the certificate.

use sspi_core::ClientCertificateRequest;
use wire::{DecodeError, Reader};

use crate::backend::records::{CHANGE_CIPHER_SPEC, HANDSHAKE, RECORD_HEADER};
use crate::cipher_suites::SuiteRow;
use crate::first_flight::{HelloSummary, has_suite, version_name};

const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;
const CERTIFICATE_REQUEST: u8 = 13;

/// The random of a HelloRetryRequest. Spec: TLS13 section 4.1.3.
const HELLO_RETRY_REQUEST: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2,
    0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

/// The ServerHello, as far as it is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerHello {
    pub(crate) legacy_version: u16,
    random: [u8; 32],
    pub(crate) session_id: Vec<u8>,
    pub(crate) suite: u16,
    /// Whether the extension extended_master_secret is there. Spec: EMS section 5.1.
    pub(crate) extended_master_secret: bool,
}

/// Reads along until nothing passes in clear any more.
#[derive(Debug, Default)]
pub(crate) struct Transcript {
    /// What has come of a message that is not whole.
    pending: Vec<u8>,
    /// Whether the hello is worth keeping: a client knows what it has sent.
    is_server: bool,
    /// Server: the body of the ClientHello, until it is answered.
    client_hello: Vec<u8>,
    over: bool,
    pub(crate) server_hello: Option<ServerHello>,
    pub(crate) certificate_request: Option<ClientCertificateRequest>,
    /// The highest version that a client offers which says that it offers less than it has.
    pub(crate) fell_back: Option<u16>,
}

impl Transcript {
    /// That of a server, or of a client.
    pub(crate) fn of(is_server: bool) -> Self {
        Self { is_server, ..Self::default() }
    }

    /// Takes whole records that either side sent.
    pub(crate) fn records(&mut self, mut records: &[u8]) {
        while !self.over {
            let Some((&[content_type, _, _, high, low], rest)) = records.split_first_chunk::<RECORD_HEADER>()
            else {
                return;
            };
            let len = usize::from(u16::from_be_bytes([high, low]));
            let Some((body, after)) = rest.split_at_checked(len) else { return };
            match content_type {
                HANDSHAKE if self.pending.is_empty() => {
                    // Nearly every record holds whole messages: they are looked at where they lie.
                    let taken = self.messages(body);
                    self.pending.extend_from_slice(body.get(taken..).unwrap_or_default());
                }
                HANDSHAKE => {
                    self.pending.extend_from_slice(body);
                    let pending = core::mem::take(&mut self.pending);
                    let taken = self.messages(&pending);
                    self.pending = pending.get(taken..).unwrap_or_default().to_vec();
                }
                // A TLS 1.3 client sends one for the sake of middleboxes before it has an answer.
                CHANGE_CIPHER_SPEC if self.server_hello.is_some() => self.stop(),
                _ => {}
            }
            records = after;
        }
    }

    /// Whether what follows is encrypted.
    pub(crate) const fn is_over(&self) -> bool {
        self.over
    }

    /// Whether the server has chosen TLS 1.2, so that every record says so.
    pub(crate) fn chose_tls12(&self) -> bool {
        self.server_hello
            .as_ref()
            .and_then(|hello| SuiteRow::by_code(hello.suite))
            .is_some_and(|row| !row.is_tls13)
    }

    /// Whether a whole ClientHello has passed.
    pub(crate) const fn has_client_hello(&self) -> bool {
        self.over || self.server_hello.is_some() || !self.client_hello.is_empty()
    }

    /// The ClientHello, until it is answered.
    pub(crate) fn client_hello(&self) -> Option<HelloSummary> {
        HelloSummary::parse(&self.client_hello).ok()
    }

    /// Looks at every message that is whole; how many bytes they are.
    fn messages(&mut self, bytes: &[u8]) -> usize {
        let mut taken = 0;
        while let Some((kind, body, len)) = bytes.get(taken..).and_then(message) {
            taken += len;
            match kind {
                CLIENT_HELLO if self.is_server => {
                    self.client_hello = body.to_vec();
                    self.fell_back = fallback(body);
                }
                SERVER_HELLO => {
                    if let Ok(hello) = ServerHello::parse(body)
                        && hello.random != HELLO_RETRY_REQUEST
                    {
                        let is_tls13 = SuiteRow::by_code(hello.suite).is_some_and(|row| row.is_tls13);
                        self.server_hello = Some(hello);
                        if is_tls13 {
                            self.stop();
                            break;
                        }
                    }
                }
                CERTIFICATE_REQUEST => self.certificate_request = tls12_certificate_request(body).ok(),
                _ => {}
            }
        }
        taken
    }

    fn stop(&mut self) {
        self.over = true;
        self.pending = Vec::new();
        self.client_hello = Vec::new();
    }
}

/// The highest version in a ClientHello with TLS_FALLBACK_SCSV. Spec: SCSV section 2.
fn fallback(hello: &[u8]) -> Option<u16> {
    const FALLBACK: u16 = 0x5600;
    if !has_suite(hello, FALLBACK) {
        return None;
    }
    // Clients put numbers among their versions that stand for none, so that servers keep ignoring what they do not know
    // (GREASE); those would look newer than anything.
    let versions = HelloSummary::parse(hello).ok()?.versions;
    versions.into_iter().filter(|version| version_name(*version).is_some()).max()
}

/// The first message of `bytes`: kind, body, length with its header; `None` while it is not whole.
pub(crate) fn message(bytes: &[u8]) -> Option<(u8, &[u8], usize)> {
    let (&[kind, a, b, c], rest) = bytes.split_first_chunk::<4>()?;
    let len = usize::try_from(u32::from_be_bytes([0, a, b, c])).ok()?;
    Some((kind, rest.get(..len)?, len + 4))
}

impl ServerHello {
    fn parse(body: &[u8]) -> Result<Self, DecodeError> {
        const EXTENDED_MASTER_SECRET: u16 = 23;
        let mut hello = Reader::new(body);
        let mut out = Self {
            legacy_version: hello.u16("ServerHello.legacy_version")?,
            random: hello.array("ServerHello.random")?,
            session_id: hello.opaque_u8("ServerHello.legacy_session_id_echo")?.to_vec(),
            suite: hello.u16("ServerHello.cipher_suite")?,
            extended_master_secret: false,
        };
        hello.u8("ServerHello.legacy_compression_method")?;
        if !hello.is_empty() {
            let mut extensions = hello.vec_u16("ServerHello.extensions")?;
            while !extensions.is_empty() {
                let kind = extensions.u16("Extension.extension_type")?;
                extensions.opaque_u16("Extension.extension_data")?;
                out.extended_master_secret |= kind == EXTENDED_MASTER_SECRET;
            }
        }
        Ok(out)
    }
}

fn list_u16(mut list: Reader<'_>, field: &'static str) -> Result<Vec<u16>, DecodeError> {
    let mut out = Vec::new();
    while !list.is_empty() {
        out.push(list.u16(field)?);
    }
    Ok(out)
}

fn names(mut list: Reader<'_>) -> Result<Vec<Vec<u8>>, DecodeError> {
    let mut out = Vec::new();
    while !list.is_empty() {
        out.push(list.opaque_u16("DistinguishedName")?.to_vec());
    }
    Ok(out)
}

/// Spec: TLS12 section 7.4.4.
fn tls12_certificate_request(body: &[u8]) -> Result<ClientCertificateRequest, DecodeError> {
    let mut request = Reader::new(body);
    Ok(ClientCertificateRequest {
        certificate_types: request.opaque_u8("CertificateRequest.certificate_types")?.to_vec(),
        signature_schemes: list_u16(
            request.vec_u16("CertificateRequest.supported_signature_algorithms")?,
            "CertificateRequest.supported_signature_algorithms",
        )?,
        issuers: names(request.vec_u16("CertificateRequest.certificate_authorities")?)?,
    })
}

/// Spec: TLS13 section 4.3.2.
pub(crate) fn tls13_certificate_request(body: &[u8]) -> Result<ClientCertificateRequest, DecodeError> {
    const SIGNATURE_ALGORITHMS: u16 = 13;
    const CERTIFICATE_AUTHORITIES: u16 = 47;
    let mut request = Reader::new(body);
    request.opaque_u8("CertificateRequest.certificate_request_context")?;
    let mut out = ClientCertificateRequest::default();
    let mut extensions = request.vec_u16("CertificateRequest.extensions")?;
    while !extensions.is_empty() {
        let kind = extensions.u16("Extension.extension_type")?;
        let mut data = extensions.vec_u16("Extension.extension_data")?;
        match kind {
            SIGNATURE_ALGORITHMS => {
                out.signature_schemes =
                    list_u16(data.vec_u16("signature_algorithms")?, "signature_algorithms")?;
            }
            CERTIFICATE_AUTHORITIES => out.issuers = names(data.vec_u16("certificate_authorities")?)?,
            _ => {}
        }
    }
    Ok(out)
}

/// What a TLS 1.3 server's encrypted flight says about client certificates, read from a copy of it.
///
/// Spec: TLS13 section 2: EncryptedExtensions, then CertificateRequest or not.
#[derive(Debug, Default)]
pub(crate) struct EncryptedFlight {
    messages: Vec<u8>,
}

/// What the flight has shown so far.
#[derive(Debug)]
pub(crate) enum Flight {
    /// Nothing yet.
    Undecided,
    /// The server asks for a certificate.
    Requested(ClientCertificateRequest),
    /// It does not.
    NotRequested,
}

impl EncryptedFlight {
    /// Takes the content of one more handshake record.
    pub(crate) fn content(&mut self, content: &[u8]) -> Flight {
        const ENCRYPTED_EXTENSIONS: u8 = 8;
        self.messages.extend_from_slice(content);
        while let Some((kind, body, len)) = message(&self.messages) {
            match kind {
                ENCRYPTED_EXTENSIONS => drop(self.messages.drain(..len)),
                // What cannot be read here is left to rustls, which will say so.
                CERTIFICATE_REQUEST => {
                    return tls13_certificate_request(body).map_or(Flight::NotRequested, Flight::Requested);
                }
                _ => return Flight::NotRequested,
            }
        }
        Flight::Undecided
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fallback_is_measured_by_versions_that_exist() {
        for (versions, expected) in [
            (&[0x7a7a, 0x0303][..], Some(0x0303)),
            (&[0x0304, 0x0303], Some(0x0304)),
            (&[0xfafa, 0x0305, 0x0304], Some(0x0304)),
            (&[0x0a0a], None),
            (&[], Some(0x0303)),
        ] {
            let list: Vec<u8> = versions.iter().flat_map(|version| u16::to_be_bytes(*version)).collect();
            let mut hello = vec![3, 3];
            hello.extend([7; 32]);
            hello.extend([0, 0, 4, 0, 0x2f, 0x56, 0, 1, 0]);
            if let Ok(len @ 1..) = u8::try_from(list.len()) {
                hello.extend([0, len + 5, 0, 43, 0, len + 1, len]);
                hello.extend(&list);
            }
            assert_eq!(fallback(&hello), expected, "{versions:04x?}");
            let at = hello.windows(2).position(|suite| suite == [0x56, 0]).unwrap();
            hello[at] = 0x55;
            assert_eq!(fallback(&hello), None, "without the signal");
        }
    }
}
