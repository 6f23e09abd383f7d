//! Rules of the specifications, each with a peer that breaks it or needs it.

use wire::{Codec, Writer};

use super::*;
use crate::tls::extensions::{self as extension, Extensions};
use crate::tls::messages::{ClientHello, ServerHello};

const TLS10: ProtocolVersion = ProtocolVersion::TLS10;
const TLS12: ProtocolVersion = ProtocolVersion::TLS12;
const SSL30: ProtocolVersion = ProtocolVersion::SSL30;

pub(super) fn record(content_type: u8, version: ProtocolVersion, content: &[u8]) -> Vec<u8> {
    let mut records = Vec::new();
    for content in content.chunks(1 << 14) {
        let [high, low] = u16::try_from(content.len()).unwrap().to_be_bytes();
        let [major, minor] = version.0.to_be_bytes();
        records.extend([content_type, major, minor, high, low]);
        records.extend_from_slice(content);
    }
    records
}

pub(super) fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let [_, a, b, c] = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&[kind, a, b, c], body].concat()
}

pub(super) fn extensions(list: &[(u16, &[u8])]) -> Extensions<'static> {
    let mut extensions = Extensions::default();
    for (number, data) in list {
        extensions
            .push(*number, |writer| {
                writer.bytes(data);
                Ok(())
            })
            .unwrap();
    }
    extensions
}

/// A ClientHello in its record.
fn client_hello(version: ProtocolVersion, suites: &[u16], list: &[(u16, &[u8])]) -> Vec<u8> {
    let hello = ClientHello {
        version,
        random: [7; 32],
        session_id: Vec::new().into(),
        suites: suites.iter().copied().map(CipherSuite).collect(),
        compression_methods: vec![0].into(),
        extensions: extensions(list),
    };
    let mut writer = Writer::new();
    hello.encode(&mut writer).unwrap();
    record(22, version.min(TLS12), &message(1, &writer.into_vec()))
}

/// What a server says to this, and to nothing more.
pub(super) fn serve(fixture: &Fixture, mut input: &[u8]) -> Result<Vec<u8>, Failure> {
    let mut server = fixture.server();
    let mut said = Vec::new();
    loop {
        match server.advance(input)? {
            Progress::Continue { output, used } => {
                said.extend(output);
                input = &input[used..];
            }
            Progress::Incomplete { .. } => return Ok(said),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_server_refuses_a_hello_in_the_version_that_would_have_answered_it() {
    let fixture = Fixture::new(&ProtocolVersion::ALL);
    let fallback = client_hello(ProtocolVersion::TLS11, &[0x002f, 0x5600], &[]);
    let failure = serve(&fixture, &fallback).unwrap_err();
    assert_eq!(failure.output, [21, 3, 2, 0, 2, 2, 86], "inappropriate_fallback");
    let damaged = client_hello(TLS12, &[0x002f], &[(extension::SUPPORTED_GROUPS, &[0, 9])]);
    let failure = serve(&fixture, &damaged).unwrap_err();
    assert_eq!(failure.output, [21, 3, 3, 0, 2, 2, 50], "decode_error, which SSL 3.0 has not");

    let fixture = Fixture::new(&[TLS12]);
    let failure = serve(&fixture, &client_hello(TLS10, &[0x002f, 0x5600], &[])).unwrap_err();
    assert_eq!(failure.output, [21, 3, 1, 0, 2, 2, 86]);
    let failure = serve(&fixture, &client_hello(TLS10, &[0x002f], &[])).unwrap_err();
    assert_eq!(failure.output, [21, 3, 1, 0, 2, 2, 70], "protocol_version");
}

/// Spec: SSL30 section 5.4.
#[test]
fn who_has_nothing_but_ssl30_is_refused_with_an_alert_that_it_has() {
    for enabled in [&[TLS12][..], &[ProtocolVersion::TLS11], &ProtocolVersion::ALL[..3]] {
        let fixture = Fixture::new(enabled);
        let mut client = fixture.client();
        client.advance(&[]).unwrap();
        let answer = server_hello(SSL30, &[], &[]);
        for failure in [
            serve(&fixture, &client_hello(SSL30, &[0x002f], &[])).unwrap_err(),
            client.advance(&answer).unwrap_err(),
        ] {
            assert!(
                matches!(failure.error, Error::Incompatible(Incompatible::NoVersion { .. })),
                "{enabled:?}: {}",
                failure.error
            );
            assert_eq!(failure.output, [21, 3, 0, 0, 2, 2, 40], "{enabled:?}: protocol_version is of TLS");
            assert_eq!(
                failure.alert,
                Some(AlertDescription::HANDSHAKE_FAILURE),
                "what is said is what was sent"
            );
        }
    }
}

/// A client of SSL 3.0 whose no_certificate becomes something else.
fn without_certificate(client_auth: ClientAuth, instead: Vec<u8>) -> Result<Pair, (Side, Failure)> {
    let mut fixture = Fixture::new(&[SSL30]).suite(CipherSuite(0x002f));
    fixture.server.client_auth = client_auth;
    let mut exchange = Exchange::new(fixture.client(), fixture.server());
    exchange.tamper = Box::new(move |_, bytes| {
        if bytes.starts_with(&[21, 3, 0, 0, 2, 1, 41]) {
            bytes.splice(..7, instead.iter().copied());
        }
    });
    exchange.run()
}

#[test]
fn a_client_of_ssl30_may_leave_out_that_it_has_no_certificate() {
    without_certificate(ClientAuth::Optional, Vec::new()).unwrap().talk();
    let Err((Side::Server, failure)) = without_certificate(ClientAuth::Required, Vec::new()) else {
        panic!()
    };
    assert!(matches!(failure.error, Error::Refused(Refused::NoClientCertificate)), "{}", failure.error);
    assert_eq!(failure.output, [21, 3, 0, 0, 2, 2, 40]);
}

#[test]
fn a_server_of_ssl30_refuses_an_empty_chain_and_a_key_that_it_did_not_ask_for() {
    let empty = record(22, SSL30, &message(11, &[0, 0, 0]));
    let Err((Side::Server, failure)) = without_certificate(ClientAuth::Optional, empty) else { panic!() };
    assert!(matches!(failure.error, Error::Decode(_)), "{}", failure.error);

    let certificate = p256().chain()[0].clone();
    let length = |len: usize| u32::try_from(len).unwrap().to_be_bytes()[1..].to_vec();
    let list = [length(certificate.len() + 3), length(certificate.len()), certificate].concat();
    let elliptic = record(22, SSL30, &message(11, &list));
    let Err((Side::Server, failure)) = without_certificate(ClientAuth::Optional, elliptic) else { panic!() };
    assert!(matches!(failure.error, Error::Misbehaved(Misbehaved::WrongCertificateType)));
    assert_eq!(failure.output, [21, 3, 0, 0, 2, 2, 43]);
}

/// What a server for export says to the hello of a client.
fn export_server(suite: u16, identity: Arc<Identity>) -> (Fixture, Vec<u8>) {
    let mut fixture = Fixture::new(&[TLS10]).suite(CipherSuite(suite));
    fixture.server.identities = vec![identity];
    let Progress::Continue { output: hello, .. } = fixture.client().advance(&[]).unwrap() else { panic!() };
    // Whoever asks again with the same randomness sends the same hello.
    fixture.client.random = Seeded::new(1);
    let flight = serve(&fixture, &hello).unwrap();
    (fixture, flight)
}

/// The messages of a flight in clear, each with its header.
fn messages(flight: &[u8]) -> Vec<Vec<u8>> {
    let mut rest = &flight[5..];
    let mut found = Vec::new();
    while let [_, 0, high, low, ..] = *rest {
        let (one, after) = rest.split_at(4 + usize::from(u16::from_be_bytes([high, low])));
        found.push(one.to_vec());
        rest = after;
    }
    found
}

#[test]
fn a_client_refuses_an_export_key_beside_a_certificate_that_is_short_enough() {
    // The ServerKeyExchange is one for RSA_EXPORT with a certificate of 2048 bits; the certificate is replaced.
    let (fixture, flight) = export_server(0x0003, rsa2048());
    let (_, short) = export_server(0x0003, rsa512());
    let [hello, _, exchange, done] = messages(&flight).try_into().unwrap();
    let flight = record(22, TLS10, &[hello, messages(&short)[1].clone(), exchange, done].concat());
    let mut client = fixture.client();
    client.advance(&[]).unwrap();
    let failure = client.advance(&flight).unwrap_err();
    let unexpected = matches!(failure.error, Error::Misbehaved(Misbehaved::UnexpectedServerKeyExchange));
    assert!(unexpected, "{}", failure.error);
    assert_eq!(failure.output, [21, 3, 1, 0, 2, 2, 10]);
}

#[test]
fn a_client_says_that_an_export_key_is_too_long() {
    // The key has 1024 bits and is signed for this client; what it agreed to allows 512.
    let mut fixture = Fixture::new(&[TLS10]).suite(CipherSuite(0x0003));
    fixture.server.policy.suites = vec![CipherSuite(0x0064)];
    let mut exchange = Exchange::new(fixture.client(), fixture.server());
    exchange.tamper = Box::new(|side, bytes| match side {
        Side::Client => {
            if let Some(at) = bytes.windows(6).position(|window| window == [0, 2, 0, 0x03, 1, 0]) {
                bytes[at + 3] = 0x64;
            }
        }
        // Behind version, random and a session of 32 bytes.
        Side::Server => bytes[5 + 4 + 2 + 32 + 33 + 1] = 0x03,
    });
    let Err((Side::Client, failure)) = exchange.run() else { panic!("it should be refused") };
    let too_long = matches!(failure.error, Error::Misbehaved(Misbehaved::ExportKeyTooLong { bits: 1024 }));
    assert!(too_long, "{}", failure.error);
    assert_eq!(failure.output, [21, 3, 1, 0, 2, 2, 60], "export_restriction");
}

#[test]
fn a_server_takes_any_number_of_extensions_but_none_twice() {
    let fixture = Fixture::new(&[TLS10]);
    let mut many: Vec<(u16, &[u8])> = (1000..5000).map(|number| (number, &b""[..])).collect();
    let hello = client_hello(TLS10, &[0x002f], &many);
    assert_eq!(serve(&fixture, &hello).unwrap()[..3], [22, 3, 1]);
    many.push((1000, b""));
    let failure = serve(&fixture, &client_hello(TLS10, &[0x002f], &many)).unwrap_err();
    assert!(matches!(failure.error, Error::Misbehaved(Misbehaved::DuplicateExtension(1000))));
    assert_eq!(failure.output, [21, 3, 1, 0, 2, 2, 50]);
}

#[test]
fn a_server_refuses_an_empty_list_of_names() {
    let fixture = Fixture::new(&[TLS10]);
    for (data, taken) in [
        (&[0, 4, 0, 0, 1, b'a'][..], true),
        (&[0, 4, 7, 0, 1, b'a'], true),
        (&[0, 0], false),
        (&[], false),
        (&[0, 3, 0, 0, 0], false),
        (&[0, 8, 0, 0, 1, b'a', 0, 0, 1, b'b'], false),
    ] {
        let hello = client_hello(TLS10, &[0x002f], &[(extension::SERVER_NAME, data)]);
        assert_eq!(serve(&fixture, &hello).is_ok(), taken, "{data:?}");
    }
}

/// A ServerHello in its record.
fn server_hello(version: ProtocolVersion, session_id: &[u8], list: &[(u16, &[u8])]) -> Vec<u8> {
    let mut writer = Writer::new();
    let hello = ServerHello {
        version,
        random: [8; 32],
        session_id: session_id.into(),
        suite: CipherSuite(0x002f),
        compression_method: 0,
        extensions: extensions(list),
    };
    hello.encode(&mut writer).unwrap();
    record(22, version, &message(2, &writer.into_vec()))
}

#[test]
fn a_client_refuses_extensions_that_no_server_may_send() {
    const FORMATS: (u16, &[u8]) = (extension::EC_POINT_FORMATS, &[1, 0]);
    const RENEGOTIATION: (u16, &[u8]) = (extension::RENEGOTIATION_INFO, &[0]);
    const ALGORITHMS: (u16, &[u8]) = (extension::SIGNATURE_ALGORITHMS, &[0, 2, 4, 1]);
    // Some servers send it, and nobody minds.
    const GROUPS: (u16, &[u8]) = (extension::SUPPORTED_GROUPS, &[0, 2, 0, 23]);
    for (version, answer, alert) in [
        (TLS12, FORMATS, None),
        (TLS12, GROUPS, None),
        (TLS12, RENEGOTIATION, None),
        (TLS12, ALGORITHMS, Some(110)),
        (SSL30, RENEGOTIATION, None),
        (SSL30, FORMATS, Some(40)),
    ] {
        let mut client = Fixture::new(&[TLS12, SSL30]).client();
        client.advance(&[]).unwrap();
        let outcome = client.advance(&server_hello(version, &[], &[answer]));
        let said = outcome.err().map(|failure| failure.output);
        let [major, minor] = version.0.to_be_bytes();
        assert_eq!(said, alert.map(|alert| vec![21, major, minor, 0, 2, 2, alert]), "{version} {answer:?}");
    }
}

#[test]
fn a_client_refuses_the_identifier_of_a_session_that_it_does_not_have() {
    let fixture = Fixture::new(&[TLS12]);
    let hello = ClientHello {
        version: TLS12,
        random: [7; 32],
        session_id: vec![9; 32].into(),
        suites: vec![CipherSuite(0x002f)],
        compression_methods: vec![0].into(),
        extensions: Extensions::default(),
    };
    let mut writer = Writer::new();
    hello.encode(&mut writer).unwrap();
    let hello = message(1, &writer.into_vec());
    for (id, taken) in [([9; 32], false), ([8; 32], true)] {
        let (config, parameters) = (Arc::new(fixture.client.clone()), fixture.parameters.clone());
        let mut client = ClientConnection::take_over(config, parameters, &hello).unwrap();
        let outcome = client.advance(&server_hello(TLS12, &id, &[]));
        assert_eq!(outcome.is_ok(), taken);
        if let Err(failure) = outcome {
            assert_eq!(failure.output, [21, 3, 3, 0, 2, 2, 47], "{}", failure.error);
        }
    }
}

#[test]
fn a_client_refuses_a_hello_request_with_content() {
    let mut client = Fixture::new(&[TLS10]).client();
    client.advance(&[]).unwrap();
    let failure = client.advance(&record(22, TLS10, &message(0, &[0]))).unwrap_err();
    assert_eq!(failure.output[5..], [2, 50], "{}", failure.error);
}

#[test]
fn empty_records_between_warnings_do_not_hide_a_flood() {
    let mut server = Fixture::new(&[TLS10]).server();
    let pair = [21, 3, 1, 0, 2, 1, 112, 22, 3, 1, 0, 0];
    let failure = (0..5).find_map(|_| server.advance(&pair).err()).expect("it should be refused");
    assert!(matches!(failure.error, Error::Misbehaved(Misbehaved::Flood { what: "warnings", limit: 4 })));
}

#[test]
fn a_signature_algorithm_of_another_kind_of_key_is_illegal() {
    use crate::tls::signature::{Content, verify};
    let (rules, key) = (TLS12.rules().unwrap(), rsa2048().key().public_key());
    for (scheme, alert) in [(0x0403, 47), (0x0402, 47), (0x0807, 47), (0x0401, 51), (0x0804, 51)] {
        let content = Content::Message(SignatureScheme(scheme), b"message");
        let error = verify(rules, &key, &content, &[0; 256], "ServerKeyExchange").unwrap_err();
        assert_eq!(error.alert(), Some(AlertDescription(alert)), "{scheme:04x}: {error}");
    }
}

#[test]
fn a_server_agrees_in_a_group_that_the_client_names() {
    use crypto::dh::{FFDHE2048, FFDHE4096, MODP_1024};
    let has = |said: &[u8], group: &crypto::dh::Group| said.windows(group.p().len()).any(|p| p == group.p());
    let mut fixture = Fixture::new(&[TLS10]);
    let ask = |fixture: &Fixture, suites: &[u16], groups: &[u8]| {
        serve(fixture, &client_hello(TLS10, suites, &[(extension::SUPPORTED_GROUPS, groups)]))
    };
    assert!(has(&ask(&fixture, &[0x0033], &[0, 2, 0, 23]).unwrap(), &MODP_1024), "no group is named");
    assert!(has(&ask(&fixture, &[0x0033], &[0, 4, 0, 23, 1, 0]).unwrap(), &FFDHE2048));
    let failure = ask(&fixture, &[0x0033], &[0, 2, 1, 4]).unwrap_err();
    assert_eq!(failure.output[5..], [2, 40], "ffdhe8192 is not known here: {}", failure.error);
    ask(&fixture, &[0x0033, 0x002f], &[0, 2, 1, 4]).unwrap();
    ask(&fixture, &[0x0033], &[0, 2, 2, 0]).unwrap();
    fixture.server.dh_group = FFDHE4096.clone();
    assert!(ask(&fixture, &[0x0033], &[0, 2, 1, 0]).is_err(), "2048 bits are too few");
    assert!(has(&ask(&fixture, &[0x0033], &[0, 4, 1, 0, 1, 2]).unwrap(), &FFDHE4096));
}

#[test]
fn a_server_shows_no_certificate_of_a_curve_that_the_client_does_not_have() {
    let fixture = Fixture::new(&[TLS10]);
    for (groups, taken) in [(&[0, 2, 0, 23][..], true), (&[0, 4, 0, 24, 0, 29], false)] {
        let hello = client_hello(TLS10, &[0xc009], &[(extension::SUPPORTED_GROUPS, groups)]);
        assert_eq!(serve(&fixture, &hello).is_ok(), taken, "{groups:?}");
        let hello = client_hello(TLS10, &[0xc009, 0xc013], &[(extension::SUPPORTED_GROUPS, groups)]);
        serve(&fixture, &hello).unwrap();
    }
    serve(&fixture, &client_hello(TLS10, &[0xc009], &[])).unwrap();
}

#[test]
fn a_client_sends_no_hello_without_suites() {
    let fixture = Fixture::new(&[SSL30]).suite(CipherSuite(0xc013));
    let outcome = ClientConnection::new(Arc::new(fixture.client.clone()), fixture.parameters.clone());
    assert!(matches!(outcome, Err(Error::Misused(_))), "curves are none of SSL 3.0's");
}

#[test]
fn a_client_takes_as_many_authorities_as_there_is_room_for() {
    let mut fixture = Fixture::new(&[TLS12]).suite(CipherSuite(0x002f));
    fixture.server.client_auth = ClientAuth::Optional;
    fixture.server.authorities = vec![vec![0x30; 126]; 511];
    fixture.run().unwrap().talk();
}

#[test]
fn a_server_goes_by_the_list_of_versions_where_there_is_one() {
    let fixture = Fixture::new(&ProtocolVersion::ALL);
    for (list, answer) in [
        (&[6, 0x1a, 0x1a, 3, 1, 0x77, 0x77][..], Some([22, 3, 1])),
        (&[4, 3, 4, 3, 2], Some([22, 3, 2])),
        (&[4, 3, 0, 3, 1], Some([22, 3, 1])),
        (&[2, 3, 0], Some([22, 3, 0])),
        (&[2, 3, 4], None),
        (&[2, 0x1a, 0x1a], None),
    ] {
        let hello = client_hello(TLS12, &[0x002f], &[(extension::SUPPORTED_VERSIONS, list)]);
        match (serve(&fixture, &hello), answer) {
            (Ok(flight), Some(answer)) => assert_eq!(flight[..3], answer, "{list:02x?}"),
            (Err(failure), None) => assert_eq!(failure.output[5..], [2, 70], "{list:02x?}"),
            (other, _) => panic!("{list:02x?}: {:?}", other.map(|flight| flight[..3].to_vec())),
        }
    }
    for list in [&[][..], &[0], &[1, 3], &[3, 3, 1, 3], &[2, 3, 1, 0]] {
        let hello = client_hello(TLS12, &[0x002f], &[(extension::SUPPORTED_VERSIONS, list)]);
        let failure = serve(&fixture, &hello).unwrap_err();
        assert_eq!(failure.output, [21, 3, 3, 0, 2, 2, 50], "{list:02x?}");
    }
    // Who lists less than it could is falling back, whatever its version says.
    let fallback = client_hello(TLS12, &[0x002f, 0x5600], &[(extension::SUPPORTED_VERSIONS, &[2, 3, 1])]);
    assert_eq!(serve(&fixture, &fallback).unwrap_err().output, [21, 3, 1, 0, 2, 2, 86]);
}

/// Another engine's hello offers extensions of TLS 1.3, which have no place in an answer that this engine goes on with.
///
/// Spec: TLS13 sections 4.2 and 4.2.1.
#[test]
fn a_client_refuses_extensions_of_tls13_in_an_older_server_hello() {
    const KEY_SHARE: u16 = 51;
    let fixture = Fixture::new(&[TLS12]);
    let offered: [(u16, &[u8]); 2] =
        [(extension::SUPPORTED_VERSIONS, &[4, 3, 4, 3, 3]), (KEY_SHARE, &[0, 0])];
    let hello = client_hello(TLS12, &[0x1301, 0x002f], &offered)[5..].to_vec();
    let answer = |list: &[(u16, &[u8])]| {
        let mut client =
            ClientConnection::take_over(Arc::new(fixture.client.clone()), fixture.parameters.clone(), &hello)
                .unwrap();
        client.advance(&server_hello(TLS12, &[], list)).map_err(|failure| failure.error)
    };
    assert!(matches!(answer(&[]), Ok(Progress::Continue { .. })));
    for (list, expected) in [
        (&[(extension::SUPPORTED_VERSIONS, &[3, 4][..])], Misbehaved::SuiteNotOffered(CipherSuite(0x002f))),
        (
            &[(extension::SUPPORTED_VERSIONS, &[3, 3])],
            Misbehaved::IllegalParameter("a version that is not said like this"),
        ),
        (&[(KEY_SHARE, &[0, 23])], Misbehaved::UnsolicitedExtension(KEY_SHARE)),
    ] {
        match answer(list) {
            Err(Error::Misbehaved(how)) => assert_eq!(how, expected),
            other => panic!("{list:?}: {other:?}"),
        }
    }
}

/// A server with an RSA key whose certificate allows this.
fn rsa_that_may(usage: u8) -> Arc<Identity> {
    use test_support::x509::{Draft, TestKey};
    let minted = Draft::server("usage.test", TestKey::Rsa2048).key_usage(usage).self_signed();
    let shown = minted.with_chain(&[]);
    let key = crypto::private_key::PrivateKey::from_der(shown.key_der()).unwrap();
    Arc::new(Identity::new(vec![minted.der().to_vec()], key, vec!["usage.test".to_owned()]).unwrap())
}

/// Spec: TLS12 section 7.4.2; TLS10 section 7.4.2.
#[test]
fn client_refuses_an_rsa_key_that_does_what_key_usage_does_not_allow() {
    use test_support::x509::usage::{DIGITAL_SIGNATURE as SIGN, KEY_ENCIPHERMENT as DECRYPT};
    const RSA: CipherSuite = CipherSuite(0x002f);
    const EXPORT: CipherSuite = CipherSuite(0x0003);
    const DHE: CipherSuite = CipherSuite(0x0033);
    const ECDHE: CipherSuite = CipherSuite(0xc013);
    // The key of an export suite is a short one beside the certificate's, which signs it.
    for (suite, version, signs) in [
        (RSA, SSL30, false),
        (RSA, TLS10, false),
        (RSA, TLS12, false),
        (EXPORT, TLS10, true),
        (DHE, SSL30, true),
        (DHE, TLS12, true),
        (ECDHE, TLS10, true),
    ] {
        for usage in [SIGN, DECRYPT, SIGN | DECRYPT] {
            let mut fixture = Fixture::new(&[version]).suite(suite);
            fixture.server.identities = vec![rsa_that_may(usage)];
            let wanted = if signs { SIGN } else { DECRYPT };
            match fixture.run() {
                Ok(_) => assert_ne!(usage & wanted, 0, "{suite:?} in {version}"),
                Err((side, failure)) => {
                    assert_eq!(
                        (side, usage & wanted),
                        (Side::Client, 0),
                        "{suite:?} in {version}: {}",
                        failure.error
                    );
                    assert_eq!(failure.error.alert(), Some(AlertDescription::UNSUPPORTED_CERTIFICATE));
                    let Error::Misbehaved(how) = failure.error else { panic!("{}", failure.error) };
                    assert_eq!(how, Misbehaved::RsaKeyMayNot { sign: signs });
                }
            }
            fixture.client.policy.any_rsa_key_usage = true;
            fixture.run().unwrap_or_else(|(_, failure)| panic!("{suite:?} in {version}: {}", failure.error));
        }
    }
}

/// Spec: ALPN section 3.1.
#[test]
fn client_takes_a_protocol_that_it_did_not_offer_only_where_it_is_told_to() {
    let mut fixture = Fixture::new(&[TLS12]);
    fixture.parameters.alpn = Some(vec![b"h2".to_vec()]);
    fixture.server.policy.alpn = vec![b"h2".to_vec()];
    let answer = |fixture: &Fixture| {
        let mut exchange = Exchange::new(fixture.client(), fixture.server());
        // The name is two letters in either direction; the transcripts differ then, which shows later.
        exchange.tamper = Box::new(|side, bytes| {
            let at = bytes.windows(3).position(|window| window == b"\x02h2");
            if let (Side::Server, Some(at)) = (side, at) {
                bytes[at + 2] = b'9';
            }
        });
        exchange.run().err().unwrap().1.error
    };
    let refused = Misbehaved::IllegalParameter("an application protocol that was not offered");
    assert!(matches!(answer(&fixture), Error::Misbehaved(how) if how == refused));
    fixture.client.policy.unoffered_alpn = true;
    let error = answer(&fixture);
    assert!(!matches!(&error, Error::Misbehaved(how) if *how == refused), "{error}");
}
