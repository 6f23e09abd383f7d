//! A peer that breaks the rules of SSL 3.0 to TLS 1.2, byte by byte: the runner's string, and the alert on the wire.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a failure here is a failed test"
)]

mod support;

use std::io::Write as _;
use std::net::TcpStream;

use schannel::Protocol;
use support::{BEFORE_TLS13, Runner, Shim, only, receive, receive_all};

const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;
const CLIENT_KEY_EXCHANGE: u8 = 16;
const FINISHED: u8 = 20;

const RSA_AES: u16 = 0x002f;
const ECDHE_RSA_AES: u16 = 0xc013;

fn record(content_type: u8, version: u16, body: &[u8]) -> Vec<u8> {
    let [major, minor] = version.to_be_bytes();
    let [high, low] = u16::try_from(body.len()).unwrap().to_be_bytes();
    [&[content_type, major, minor, high, low], body].concat()
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let [_, a, b, c] = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&[kind, a, b, c], body].concat()
}

fn with_length(body: &[u8]) -> Vec<u8> {
    [&u16::try_from(body.len()).unwrap().to_be_bytes(), body].concat()
}

/// A hello of either side; each part can be made wrong.
#[derive(Clone)]
struct Hello {
    version: u16,
    random: [u8; 32],
    session_id: Vec<u8>,
    suites: Vec<u16>,
    compression: Vec<u8>,
    /// Number and data; `None`: there is no place for them.
    extensions: Option<Vec<(u16, Vec<u8>)>>,
    trailing: Vec<u8>,
}

impl Hello {
    fn new(version: u16, suite: u16) -> Self {
        Self {
            version,
            random: [7; 32],
            session_id: Vec::new(),
            suites: vec![suite],
            compression: vec![0],
            extensions: None,
            trailing: Vec::new(),
        }
    }

    fn extension(mut self, number: u16, data: &[u8]) -> Self {
        self.extensions.get_or_insert_default().push((number, data.to_vec()));
        self
    }

    fn rest(&self) -> Vec<u8> {
        let extensions = self.extensions.as_ref().map(|list| {
            let one =
                |(number, data): &(u16, Vec<u8>)| [&number.to_be_bytes(), &with_length(data)[..]].concat();
            with_length(&list.iter().flat_map(one).collect::<Vec<u8>>())
        });
        [extensions.unwrap_or_default(), self.trailing.clone()].concat()
    }

    fn head(&self) -> Vec<u8> {
        let id = u8::try_from(self.session_id.len()).unwrap();
        [&self.version.to_be_bytes(), &self.random[..], &[id], &self.session_id].concat()
    }

    fn client(&self) -> Vec<u8> {
        let suites: Vec<u8> = self.suites.iter().flat_map(|suite| suite.to_be_bytes()).collect();
        let methods = u8::try_from(self.compression.len()).unwrap();
        let body = [self.head(), with_length(&suites), vec![methods], self.compression.clone(), self.rest()]
            .concat();
        message(CLIENT_HELLO, &body)
    }

    fn server(&self) -> Vec<u8> {
        let suite = self.suites[0].to_be_bytes();
        message(SERVER_HELLO, &[self.head(), suite.to_vec(), self.compression.clone(), self.rest()].concat())
    }
}

/// A server with an RSA certificate and every protocol.
fn start_server(runner: &Runner, flags: &[&str]) -> (Shim, TcpStream) {
    let (chain, key) = runner.files(&runner.rsa);
    let shim = runner.start(&[&["-server", "-cert-file", &chain, "-key-file", &key], flags].concat());
    (shim, runner.accept())
}

/// A client whose hello has come.
fn start_client(runner: &Runner, flags: &[&str]) -> (Shim, TcpStream) {
    let shim = runner.start(flags);
    let mut stream = runner.accept();
    receive(&mut stream, &mut Vec::new());
    (shim, stream)
}

/// The shim answers with this fatal alert and nothing else, and calls it so.
#[track_caller]
fn refused((shim, mut stream): (Shim, TcpStream), bytes: &[u8], string: &str, alert: u8) {
    stream.write_all(bytes).unwrap();
    let sent = receive_all(&mut stream);
    drop(stream);
    shim.fails(string);
    assert!(sent.len() >= 7, "{string}: an alert, not {sent:02x?}");
    let (before, last) = sent.split_at(sent.len() - 7);
    assert_eq!((last[0], &last[3..]), (ALERT, &[0, 2, 2, alert][..]), "{string} {sent:02x?}");
    assert!(before.is_empty() || before[0] == HANDSHAKE, "{string} {sent:02x?}");
}

/// What a server answers, up to its ServerHelloDone.
fn flight(stream: &mut TcpStream) -> Vec<u8> {
    let mut sent = Vec::new();
    while !sent.ends_with(&[14, 0, 0, 0]) {
        assert!(receive(stream, &mut sent), "{sent:02x?}");
    }
    sent
}

/// The version of a flight's ServerHello, in its record and in itself.
fn versions(flight: &[u8]) -> (u16, u16) {
    let at = |at: usize| u16::from_be_bytes([flight[at], flight[at + 1]]);
    assert_eq!((flight[0], flight[5]), (HANDSHAKE, SERVER_HELLO));
    (at(1), at(9))
}

#[test]
fn a_server_chooses_its_best_version_that_is_not_above_the_clients() {
    let runner = Runner::new();
    for (offered, chosen) in [
        (0x03ff, 0x0303),
        (0x0400, 0x0303),
        (0x0303, 0x0303),
        (0x0302, 0x0302),
        (0x0301, 0x0301),
        (0x0300, 0x0300),
    ] {
        // A record may have any version of major number 3 as long as none has been agreed on.
        for in_record in [0x0300, 0x0301, 0x03ff] {
            let (_shim, mut stream) = start_server(&runner, &[]);
            let hello = Hello::new(offered, RSA_AES).client();
            stream.write_all(&record(HANDSHAKE, in_record, &hello)).unwrap();
            assert_eq!(versions(&flight(&mut stream)), (chosen, chosen), "{offered:04x}");
        }
    }
    for offered in [0x0200, 0x0002, 0x02ff, 0x0000] {
        let hello = record(HANDSHAKE, 0x0301, &Hello::new(offered, RSA_AES).client());
        refused(start_server(&runner, &[]), &hello, ":UNSUPPORTED_PROTOCOL:", 70);
    }
    let hello = record(HANDSHAKE, 0x0301, &Hello::new(0x0300, RSA_AES).client());
    // SSL 3.0 has no protocol_version.
    refused(start_server(&runner, &["-no-ssl3"]), &hello, ":UNSUPPORTED_PROTOCOL:", 40);
    refused(start_server(&runner, &["-min-version", "771"]), &hello, ":UNSUPPORTED_PROTOCOL:", 40);
}

#[test]
fn a_server_goes_by_the_list_of_versions() {
    let runner = Runner::new();
    for protocol in BEFORE_TLS13 {
        let [high, low] = protocol.version().to_be_bytes();
        let list = [6, 0x11, 0x11, high, low, 0x22, 0x22];
        let hello = Hello::new(0x0303, RSA_AES).extension(43, &list).extension(13, &[0, 2, 4, 1]);
        let (_shim, mut stream) = start_server(&runner, &[]);
        stream.write_all(&record(HANDSHAKE, 0x0301, &hello.client())).unwrap();
        assert_eq!(versions(&flight(&mut stream)).1, protocol.version(), "{protocol:?}");
    }
}

#[test]
fn a_server_passes_over_what_it_does_not_know() {
    let runner = Runner::new();
    for protocol in BEFORE_TLS13 {
        let version = protocol.version();
        let mut hello = Hello::new(version, 0x0a0a);
        hello.suites.extend([0xfafa, RSA_AES, 0x1111]);
        hello.compression = vec![64, 0, 1];
        hello.session_id = vec![9; 32];
        if protocol != Protocol::Ssl30 {
            hello = hello
                .extension(0x1a1a, &[])
                .extension(0xfafa, &[0])
                .extension(10, &[0, 4, 0x2a, 0x2a, 0, 23]);
        }
        let bytes = hello.client();
        // Whole, one byte in a record, and with empty records between.
        let whole = record(HANDSHAKE, version, &bytes);
        let single: Vec<u8> = bytes.iter().flat_map(|byte| record(HANDSHAKE, version, &[*byte])).collect();
        let with_empty: Vec<u8> = [record(HANDSHAKE, version, &[]), single.clone()].concat();
        let warning = [record(ALERT, version, &[1, 90]).repeat(4), whole.clone()].concat();
        let mut forms = vec![whole, single, warning];
        if protocol.is_old() {
            forms.push(with_empty);
        }
        for sent in forms {
            let (_shim, mut stream) = start_server(&runner, &[only(protocol)]);
            stream.write_all(&sent).unwrap();
            assert_eq!(versions(&flight(&mut stream)).1, version);
        }
    }
}

#[test]
fn a_server_refuses_a_hello_that_is_wrong() {
    let runner = Runner::new();
    // Of TLS 1.2 it is the other engine that judges first, in words of its own.
    for protocol in BEFORE_TLS13.into_iter().filter(|protocol| protocol.is_old()) {
        let version = protocol.version();
        let is_ssl = protocol == Protocol::Ssl30;
        let good = Hello::new(version, RSA_AES);
        let no_null = Hello { compression: vec![1], ..good.clone() };
        let no_suite = Hello { suites: vec![0x1111, 0x0a0a], ..good.clone() };
        let long_id = Hello { session_id: vec![1; 33], ..good.clone() };
        let renegotiates = good.clone().extension(0xff01, &[1, 5]);
        let decode = if is_ssl { 47 } else { 50 };
        let mut cases = vec![
            (no_null, ":INVALID_COMPRESSION_LIST:", 47),
            (no_suite, ":NO_SHARED_CIPHER:", 40),
            (long_id, ":DECODE_ERROR:", decode),
            (renegotiates, ":RENEGOTIATION_MISMATCH:", 40),
        ];
        if !is_ssl {
            let twice = good.clone().extension(23, &[]).extension(23, &[]);
            let trailing = Hello { trailing: vec![0], ..good.clone().extension(23, &[]) };
            let short = good.clone().extension(10, &[0, 4, 0]);
            let compressed = good.clone().extension(11, &[1, 1]);
            let alpn = good.clone().extension(16, &[0, 1, 0]);
            let binding = good.clone().extension(23, &[0]);
            cases.extend([
                (twice, ":DUPLICATE_EXTENSION:", 50),
                (trailing, ":DECODE_ERROR:", 50),
                (short, ":DECODE_ERROR:", 50),
                (compressed, ":DECODE_ERROR:", 47),
                (alpn, ":DECODE_ERROR:", 50),
                (binding, ":DECODE_ERROR:", 50),
            ]);
        }
        for (hello, string, alert) in cases {
            let bytes = record(HANDSHAKE, version, &hello.client());
            refused(start_server(&runner, &[only(protocol)]), &bytes, string, alert);
        }
    }
}

#[test]
fn a_client_that_fell_back_without_need_is_told_so() {
    let runner = Runner::new();
    for protocol in BEFORE_TLS13 {
        let mut hello = Hello::new(protocol.version(), RSA_AES);
        hello.suites.push(0x5600);
        let bytes = record(HANDSHAKE, 0x0300, &hello.client());
        refused(start_server(&runner, &[]), &bytes, ":INAPPROPRIATE_FALLBACK:", 86);
        let (_shim, mut stream) = start_server(&runner, &[only(protocol)]);
        stream.write_all(&bytes).unwrap();
        assert_eq!(versions(&flight(&mut stream)).1, protocol.version());
    }
}

#[test]
fn records_and_alerts_that_are_none_are_refused() {
    let runner = Runner::new();
    for protocol in BEFORE_TLS13.into_iter().filter(|protocol| protocol.is_old()) {
        let version = protocol.version();
        let decode = if protocol == Protocol::Ssl30 { 47 } else { 50 };
        let overflow = if protocol == Protocol::Ssl30 { 20 } else { 22 };
        for (bytes, string, alert) in [
            (record(ALERT, version, &[3, 90]), ":BAD_ALERT:", decode),
            (record(ALERT, version, &[2]), ":BAD_ALERT:", decode),
            (record(ALERT, version, &[1, 90, 0]), ":BAD_ALERT:", decode),
            (record(ALERT, version, &[1, 90]).repeat(5), ":TOO_MANY_WARNING_ALERTS:", 10),
            (record(HANDSHAKE, version, &[]).repeat(33), ":TOO_MANY_EMPTY_FRAGMENTS:", 10),
            (record(23, version, b"data"), ":APPLICATION_DATA_INSTEAD_OF_HANDSHAKE:", 10),
            (record(20, version, &[1]), ":UNEXPECTED_RECORD:", 10),
            (record(20, version, &[2]), ":BAD_CHANGE_CIPHER_SPEC:", 47),
            (record(20, version, &[1, 1]), ":BAD_CHANGE_CIPHER_SPEC:", 47),
            (record(HANDSHAKE, version, &[0; 16385]), ":DATA_LENGTH_TOO_LONG:", overflow),
            (vec![HANDSHAKE, 3, 0, 0xff, 0xff], ":ENCRYPTED_LENGTH_TOO_LONG:", overflow),
            (record(HANDSHAKE, version, &message(FINISHED, &[0; 12])), ":UNEXPECTED_MESSAGE:", 10),
            (record(HANDSHAKE, version, &message(99, &[])), ":UNEXPECTED_MESSAGE:", 10),
            (record(HANDSHAKE, version, &[11, 0xff, 0xff, 0xff]), ":EXCESSIVE_MESSAGE_SIZE:", 47),
        ] {
            refused(start_server(&runner, &[only(protocol)]), &bytes, string, alert);
            refused(start_client(&runner, &[only(protocol)]), &bytes, string, alert);
        }
    }
}

/// A server whose flight for this suite has come.
fn chosen(runner: &Runner, protocol: Protocol, suite: u16, flags: &[&str]) -> (Shim, TcpStream) {
    let (shim, mut stream) = start_server(runner, &[&[only(protocol)], flags].concat());
    let mut hello = Hello::new(protocol.version(), suite);
    if protocol == Protocol::Tls12 {
        hello = hello.extension(13, &[0, 2, 4, 1]);
    }
    stream.write_all(&record(HANDSHAKE, protocol.version(), &hello.client())).unwrap();
    flight(&mut stream);
    (shim, stream)
}

#[test]
fn a_premaster_secret_that_is_wrong_shows_at_finished_and_nowhere_else() {
    let runner = Runner::new();
    for protocol in BEFORE_TLS13 {
        let version = protocol.version();
        for encrypted in [[0; 256], [0x42; 256]] {
            let body = if protocol == Protocol::Ssl30 { encrypted.to_vec() } else { with_length(&encrypted) };
            let bytes = [
                record(HANDSHAKE, version, &message(CLIENT_KEY_EXCHANGE, &body)),
                record(20, version, &[1]),
                record(HANDSHAKE, version, &[0x5a; 64]),
            ]
            .concat();
            refused(
                chosen(&runner, protocol, RSA_AES, &[]),
                &bytes,
                ":DECRYPTION_FAILED_OR_BAD_RECORD_MAC:",
                20,
            );
        }
    }
}

#[test]
fn a_second_flight_that_is_wrong_is_refused() {
    let runner = Runner::new();
    for protocol in BEFORE_TLS13 {
        let version = protocol.version();
        let decode = if protocol == Protocol::Ssl30 { 47 } else { 50 };
        let exchange = |body: &[u8]| record(HANDSHAKE, version, &message(CLIENT_KEY_EXCHANGE, body));
        for (bytes, string, alert) in [
            (record(20, version, &[1]), ":UNEXPECTED_RECORD:", 10),
            (record(HANDSHAKE, version, &message(FINISHED, &[0; 12])), ":UNEXPECTED_MESSAGE:", 10),
            (record(HANDSHAKE, version, &message(11, &[0, 0, 0])), ":UNEXPECTED_MESSAGE:", 10),
            // ChangeCipherSpec in the middle of a message.
            (
                [record(HANDSHAKE, version, &[16, 0]), record(20, version, &[1])].concat(),
                ":UNEXPECTED_RECORD:",
                10,
            ),
            // A record of another version than the one that was agreed on.
            (
                record(HANDSHAKE, 0x03ff, &[16, 0]),
                ":WRONG_VERSION_NUMBER:",
                if version == 0x0300 { 40 } else { 70 },
            ),
            // The Finished that was promised is another message.
            (
                [exchange(&[0, 0]), record(HANDSHAKE, version, &message(FINISHED, &[]))].concat(),
                ":DECODE_ERROR:",
                decode,
            ),
        ] {
            refused(chosen(&runner, protocol, RSA_AES, &[]), &bytes, string, alert);
        }
        if protocol != Protocol::Ssl30 {
            for point in [&[65, 4][..], &[1, 4], &[0], &[2, 4, 4]] {
                let point = if point[0] == 65 { [&[65, 4][..], &[9; 64]].concat() } else { point.to_vec() };
                let shim = chosen(&runner, protocol, ECDHE_RSA_AES, &[]);
                refused(shim, &exchange(&point), ":BAD_ECPOINT:", 47);
            }
        }
        // Nobody who must have a certificate goes on without.
        let required = ["-require-any-client-certificate"];
        let (none, alert) = match protocol {
            Protocol::Ssl30 => (record(ALERT, version, &[1, 41]), 40),
            _ => (record(HANDSHAKE, version, &message(11, &[0, 0, 0])), 40),
        };
        let shim = chosen(&runner, protocol, RSA_AES, &required);
        refused(shim, &none, ":PEER_DID_NOT_RETURN_A_CERTIFICATE:", alert);
    }
}

#[test]
fn a_client_refuses_an_answer_that_it_did_not_offer() {
    let runner = Runner::new();
    for protocol in BEFORE_TLS13.into_iter().filter(|protocol| protocol.is_old()) {
        let version = protocol.version();
        let is_ssl = protocol == Protocol::Ssl30;
        let good = Hello::new(version, RSA_AES);
        let refusal = if is_ssl { 40 } else { 70 };
        let of_version = |version| Hello { version, ..good.clone() };
        let of_suite = |suite| Hello { suites: vec![suite], ..good.clone() };
        let mut cases = vec![
            (of_version(0x0200), ":UNSUPPORTED_PROTOCOL:", refusal),
            (of_version(0x0304), ":UNSUPPORTED_PROTOCOL:", refusal),
            (of_version(0x03ff), ":UNSUPPORTED_PROTOCOL:", refusal),
            // NULL, GCM, an unknown one, and the signal that is none.
            (of_suite(0x0001), ":WRONG_CIPHER_RETURNED:", 47),
            (of_suite(0x009c), ":WRONG_CIPHER_RETURNED:", 47),
            (of_suite(0x1111), ":WRONG_CIPHER_RETURNED:", 47),
            (of_suite(0x00ff), ":WRONG_CIPHER_RETURNED:", 47),
            (Hello { compression: vec![1], ..good.clone() }, ":UNSUPPORTED_COMPRESSION_ALGORITHM:", 47),
            (
                Hello { session_id: vec![1; 33], ..good.clone() },
                ":DECODE_ERROR:",
                if is_ssl { 47 } else { 50 },
            ),
            (good.clone().extension(0xff01, &[1, 5]), ":RENEGOTIATION_MISMATCH:", 40),
        ];
        if !is_ssl {
            cases.extend([
                (good.clone().extension(0x1234, &[]), ":UNEXPECTED_EXTENSION:", 110),
                (good.clone().extension(16, &[0, 2, 1, b'a']), ":UNEXPECTED_EXTENSION:", 110),
                (good.clone().extension(43, &[3, 4]), ":UNEXPECTED_EXTENSION:", 110),
                (good.clone().extension(23, &[]).extension(23, &[]), ":DUPLICATE_EXTENSION:", 50),
                (Hello { trailing: vec![0], ..good.clone().extension(23, &[]) }, ":DECODE_ERROR:", 50),
            ]);
        }
        for (hello, string, alert) in cases {
            let bytes = record(HANDSHAKE, version, &hello.server());
            let sent = start_client(&runner, &[only(protocol)]);
            refused(sent, &bytes, string, alert);
        }
        // An empty list of extensions is one; what follows is judged next.
        let empty = Hello { extensions: Some(Vec::new()), ..good.clone() };
        let bytes = record(HANDSHAKE, version, &[empty.server(), message(14, &[])].concat());
        refused(start_client(&runner, &[only(protocol)]), &bytes, ":UNEXPECTED_MESSAGE:", 10);
    }
}

#[test]
fn a_client_of_all_protocols_sees_that_its_version_was_lowered() {
    let runner = Runner::new();
    for version in [0x0302, 0x0301, 0x0300] {
        let mut hello = Hello::new(version, RSA_AES);
        hello.random[24..].copy_from_slice(b"DOWNGRD\x00");
        let bytes = record(HANDSHAKE, version, &hello.server());
        refused(start_client(&runner, &[]), &bytes, ":TLS13_DOWNGRADE:", 47);
    }
    let mut hello = Hello::new(0x0303, RSA_AES);
    hello.random[24..].copy_from_slice(b"DOWNGRD\x01");
    let bytes = record(HANDSHAKE, 0x0303, &hello.server());
    refused(start_client(&runner, &[]), &bytes, ":TLS13_DOWNGRADE:", 47);
}

#[test]
fn a_client_names_every_protocol_that_it_has() {
    let runner = Runner::new();
    for (flags, list) in [
        (&[][..], &[10, 3, 4, 3, 3, 3, 2, 3, 1, 3, 0][..]),
        (&["-no-ssl3"], &[8, 3, 4, 3, 3, 3, 2, 3, 1]),
        (&["-no-tls13", "-no-tls11"], &[6, 3, 3, 3, 1, 3, 0]),
        (&["-no-tls13", "-no-tls1"], &[4, 3, 3, 3, 2]),
        (&["-min-version", "771"], &[4, 3, 4, 3, 3]),
    ] {
        let _shim = runner.start(flags);
        let mut hello = Vec::new();
        receive(&mut runner.accept(), &mut hello);
        let extension = [&[0, 43, 0, u8::try_from(list.len()).unwrap()][..], list].concat();
        assert!(hello.windows(extension.len()).any(|window| window == extension), "{flags:?} {hello:02x?}");
    }
}

#[test]
fn a_server_hello_in_every_form_of_records_is_read() {
    let runner = Runner::new();
    let chain = runner.rsa.chain_der();
    let length = |len: usize| u32::try_from(len).unwrap().to_be_bytes()[1..].to_vec();
    let list: Vec<u8> = chain.iter().flat_map(|der| [length(der.len()), der.clone()].concat()).collect();
    let certificate = message(11, &[length(list.len()), list].concat());
    for protocol in BEFORE_TLS13 {
        let version = protocol.version();
        let hello = Hello::new(version, RSA_AES).server();
        let done = message(14, &[]);
        let flight = [hello, certificate.clone(), done].concat();
        let coalesced = record(HANDSHAKE, version, &flight);
        let single: Vec<u8> = flight.iter().flat_map(|byte| record(HANDSHAKE, version, &[*byte])).collect();
        let mut forms = vec![coalesced.clone(), single];
        if protocol.is_old() {
            // HelloRequests in between say nothing.
            forms.push([record(HANDSHAKE, version, &[0; 4]).repeat(3), coalesced.clone()].concat());
        }
        for bytes in forms {
            for flags in [&[only(protocol)][..], &[]] {
                let (shim, mut stream) = start_client(&runner, flags);
                stream.write_all(&bytes).unwrap();
                let mut answer = Vec::new();
                while !answer.windows(6).any(|w| w[0] == 20 && w[3..] == [0, 1, 1]) {
                    assert!(receive(&mut stream, &mut answer), "{protocol:?} {flags:?} {answer:02x?}");
                }
                assert_eq!((answer[0], answer[5]), (HANDSHAKE, CLIENT_KEY_EXCHANGE), "{protocol:?}");
                drop(stream);
                shim.fails("closed the connection in the middle of the handshake");
            }
        }
        // Data behind ServerHelloDone, and in it.
        let more = record(HANDSHAKE, version, &[flight.clone(), vec![20, 0]].concat());
        refused(start_client(&runner, &[only(protocol)]), &more, ":EXCESS_HANDSHAKE_DATA:", 10);
        let longer = [&flight[..flight.len() - 4], &message(14, &[0])].concat();
        let alert = if protocol == Protocol::Ssl30 { 47 } else { 50 };
        let longer = record(HANDSHAKE, version, &longer);
        refused(start_client(&runner, &[only(protocol)]), &longer, ":DECODE_ERROR:", alert);
    }
}
