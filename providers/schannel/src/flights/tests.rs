//! Flights that are shown, and bytes that are none.

use test_support::Mutator;

use super::*;

fn record(content_type: u8, content: &[u8]) -> Vec<u8> {
    let len = u16::try_from(content.len()).unwrap().to_be_bytes();
    [&[content_type, 3, 1][..], &len, content].concat()
}

/// A ClientHello with a name, two versions of which one is GREASE, and two suites.
fn client_hello(version: u8, extensions: &[u8]) -> Vec<u8> {
    let mut body = vec![3, version];
    body.extend([7; 32]);
    body.extend([0, 0, 6, 0x0a, 0x0a, 0, 0x2f, 0, 5, 1, 0]);
    if !extensions.is_empty() {
        body.extend(u16::try_from(extensions.len()).unwrap().to_be_bytes());
        body.extend(extensions);
    }
    let len = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&[1, len[1], len[2], len[3]], &body[..]].concat()
}

fn value<'a>(flight: &'a Flight, field: &str) -> &'a str {
    &flight
        .facts
        .iter()
        .find(|fact| fact.field == field)
        .unwrap_or_else(|| panic!("{field} in {flight:?}"))
        .value
}

#[test]
fn a_client_hello_says_what_it_offers_and_what_would_take_it() {
    let flight = read(&record(22, &client_hello(1, &[]))).unwrap();
    assert_eq!(flight.kind, "TLS ClientHello");
    assert_eq!(flight.protocols, [Protocol::Tls10, Protocol::Ssl30]);
    assert_eq!(flight.suites, ["TLS_RSA_WITH_AES_128_CBC_SHA", "TLS_RSA_WITH_RC4_128_SHA"]);
    assert!(flight.remedy.as_deref().unwrap().contains("would enable tls1.0"), "{flight:?}");
    let suites: Vec<&Fact> = flight.facts.iter().filter(|fact| fact.field == "cipher_suite").collect();
    assert_eq!((suites.len(), &*suites[1].meaning), (2, "weak: rc4"), "GREASE is left out");

    let extensions = [0, 0, 0, 8, 0, 6, 0, 0, 3, b'a', b'.', 0x1b, 0, 43, 0, 5, 4, 0x0a, 0x0a, 3, 4];
    let flight = read(&client_hello(3, &extensions)).unwrap();
    assert_eq!(flight.protocols, [Protocol::Tls13]);
    assert_eq!((value(&flight, "server_name"), value(&flight, "versions")), ("a.\\x1b", "TLS 1.3"));
    assert!(flight.remedy.as_deref().unwrap().contains("would enable"), "no suite of TLS 1.3: {flight:?}");
}

#[test]
fn an_answer_of_a_server_is_read_over_its_records() {
    let mut hello = vec![2, 0, 0, 38, 3, 3];
    hello.extend([9; 32]);
    hello.extend([0, 0xc0, 0x2f, 0]);
    let (first, second) = hello.split_at(20);
    let mut bytes = record(22, first);
    bytes.extend(record(22, &[second, &[14, 0, 0, 0]].concat()));
    bytes.extend(record(20, &[1]));
    bytes.extend(record(22, &[5; 40]));
    let flight = read(&bytes).unwrap();
    assert_eq!(
        flight.kind,
        "TLS ServerHello, ServerHelloDone, ChangeCipherSpec, an encrypted handshake message"
    );
    assert_eq!(flight.protocols, [Protocol::Tls12]);
    assert_eq!(flight.suites, ["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"]);
}

#[test]
fn alerts_and_errors_are_told() {
    let alert = read(&record(21, &[2, 40])).unwrap();
    assert_eq!((alert.alert, value(&alert, "description")), (Some(40), "40 handshake_failure"));
    assert_eq!(value(&alert, "level"), "fatal");
    let ssl2 = read(&[0x80, 3, 0, 0, 1]).unwrap();
    assert_eq!((&*ssl2.kind, ssl2.ssl2_error), ("SSL 2.0 ERROR", Some(Ssl2ErrorCode::NO_CIPHER)));
    let pct1 = read(&[0x80, 5, 5, 0, 4, 0, 0]).unwrap();
    assert_eq!(
        (&*pct1.kind, pct1.pct1_error),
        ("PCT 1.0 ERROR", Some(Pct1ErrorCode::INTEGRITY_CHECK_FAILED))
    );
}

/// Spec: SSL2 section 5.5.1.
const SSL2_HELLO: [u8; 31] =
    [0x80, 29, 1, 0, 2, 0, 4, 0, 0, 0, 16, 1, 0, 0x80, 0, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7];

#[test]
fn a_hello_of_ssl_2_says_its_kinds() {
    let mut hello = SSL2_HELLO;
    hello[6] = 3;
    hello[1] = 28;
    let flight = read(&hello[..30]).unwrap();
    assert_eq!((&*flight.kind, &*flight.protocols), ("SSL 2.0 CLIENT-HELLO", &[Protocol::Ssl20][..]));
    assert_eq!(flight.suites, ["SSL_CK_RC4_128_WITH_MD5"]);
    assert!(flight.remedy.unwrap().contains("ssl2"));
}

#[test]
fn what_is_cut_or_something_else_is_no_flight() {
    let whole = record(22, &client_hello(3, &[]));
    for cut in RECORD_HEADER..whole.len() {
        assert!(is_one(&whole[..cut]));
        let broken = read(&whole[..cut]).unwrap_err();
        assert_eq!((broken.offset, broken.field), (0, "record"), "{broken}");
    }
    for other in [
        &b"hello, world"[..],
        b"NTLMSSP\0",
        &[0x60, 3, 1],
        &[],
        &[22],
        &[22, 3, 1, 0, 0],
        &[0xde, 0xad, 0xbe, 0xef],
    ] {
        assert!(!is_one(other), "{other:?}");
    }
    let broken = read(&record(22, &[1, 0, 0, 2, 3, 3])).unwrap_err();
    assert!(broken.to_string().contains("ClientHello"), "{broken}");
}

#[test]
fn mutations_are_shown_or_refused() {
    let mut ssl2 = SSL2_HELLO.to_vec();
    ssl2[6] = 3;
    ssl2[1] = 28;
    ssl2.truncate(30);
    for (seed, flight) in
        [record(22, &client_hello(3, &[])), client_hello(1, &[]), ssl2].into_iter().enumerate()
    {
        let mut mutator = Mutator::new(u64::try_from(seed).unwrap());
        for _ in 0..5_000 {
            let mut bytes = flight.clone();
            mutator.mutate_some(&mut bytes, 4);
            let _shown_or_refused = (is_one(&bytes), read(&bytes));
        }
    }
}
