//! The attacks that these protocols are known for, each against its defence: without it the test fails.

use crypto::hash::Hash;
use crypto::private_key::PrivateKey;
use crypto::public_key::PublicKey;

use super::*;
use crate::tls::key_exchange::decrypt_premaster;

const TLS10: &[ProtocolVersion] = &[ProtocolVersion::TLS10];

/// Runs a handshake with somebody in between.
fn intercepted(
    fixture: &Fixture,
    tamper: impl FnMut(Side, &mut Vec<u8>) + 'static,
) -> Result<Pair, (Side, Failure)> {
    let mut exchange = Exchange::new(fixture.client(), fixture.server());
    exchange.tamper = Box::new(tamper);
    exchange.run()
}

/// Replaces `from`, which must be there, by `to`, which is as long.
fn replace(bytes: &mut [u8], from: &[u8], to: &[u8]) {
    let at = bytes.windows(from.len()).position(|window| window == from).expect("the bytes are there");
    bytes[at..at + to.len()].copy_from_slice(to);
}

/// Level and description of an alert in clear.
fn alert(output: &[u8]) -> (u8, u8) {
    let [21, 3, _, 0, 2, level, description] = *output else { panic!("{output:02x?} is no alert") };
    (level, description)
}

/// A first flight of a client: ClientKeyExchange with this content, ChangeCipherSpec, and something that is no Finished.
fn answer_with(encrypted: &[u8], version: ProtocolVersion) -> Vec<u8> {
    let [major, minor] = version.0.to_be_bytes();
    let record = |kind: u8, content: &[u8]| {
        let [high, low] = u16::try_from(content.len()).unwrap().to_be_bytes();
        [&[kind, major, minor, high, low], content].concat()
    };
    let mut body = Vec::new();
    if version != ProtocolVersion::SSL30 {
        body.extend(u16::try_from(encrypted.len()).unwrap().to_be_bytes());
    }
    body.extend(encrypted);
    let [_, a, b, c] = u32::try_from(body.len()).unwrap().to_be_bytes();
    let message = [&[16, a, b, c], &body[..]].concat();
    [record(22, &message), record(20, &[1]), record(22, &[0x5a; 64])].concat()
}

/// What a server does with a ClientKeyExchange: how much it takes before the Finished, and the alert after it.
fn oracle(version: ProtocolVersion, encrypted: &[u8]) -> (usize, Vec<u8>, String) {
    let fixture = Fixture::new(&[version]).suite(CipherSuite(0x002f));
    let (mut client, mut server) = (fixture.client(), fixture.server());
    let Progress::Continue { output, .. } = client.advance(&[]).unwrap() else { panic!() };
    server.advance(&output).unwrap();
    let flight = answer_with(encrypted, version);
    let before_finished = flight.len() - 69;
    let Ok(Progress::Continue { output, used }) = server.advance(&flight[..before_finished]) else {
        panic!("the server says something before Finished");
    };
    assert!(output.is_empty());
    let failure = server.advance(&flight[used..]).unwrap_err();
    (used, failure.output, failure.error.to_string())
}

/// Bleichenbacher 1998, Klima-Pokorny-Rosa 2003, ROBOT 2017.
#[test]
fn a_server_answers_every_encrypted_premaster_secret_in_the_same_way() {
    let PublicKey::Rsa(key) = rsa2048().key().public_key() else { panic!() };
    let random = Seeded::new(9);
    for version in ProtocolVersion::ALL {
        let hello = version.0.to_be_bytes();
        let premaster = |version: [u8; 2], length: usize| {
            let mut bytes = vec![7; length];
            bytes[..2].copy_from_slice(&version);
            key.encrypt_pkcs1(&bytes, random.as_ref()).unwrap()
        };
        let good = oracle(version, &premaster(hello, 48));
        let mut damaged = premaster(hello, 48);
        damaged[100] ^= 1;
        for (what, encrypted) in [
            ("another version", premaster([3, 9], 48)),
            ("an older version", premaster([3, 0xff], 48)),
            ("too short", premaster(hello, 47)),
            ("too long", premaster(hello, 49)),
            ("empty but for the version", premaster(hello, 2)),
            ("no padding at all", damaged),
            ("zero", vec![0; 256]),
            ("one", [vec![0; 255], vec![1]].concat()),
        ] {
            assert_eq!(oracle(version, &encrypted), good, "{version}: {what}");
        }
    }
}

/// How much is asked of a source of randomness.
struct Counted(AtomicU64);

impl Random for Counted {
    fn fill(&self, out: &mut [u8]) -> Result<(), RandomError> {
        self.0.fetch_add(1 + ((out.len() as u64) << 32), Ordering::Relaxed);
        out.fill(0x33);
        Ok(())
    }
}

/// The random premaster secret is there before it is known whether it is needed: made when it is, it would be a sign.
#[test]
fn as_much_randomness_is_drawn_for_a_good_premaster_secret_as_for_a_bad_one() {
    let identity = rsa1024();
    let PrivateKey::Rsa(key) = identity.key() else { panic!() };
    for version in ProtocolVersion::ALL {
        let rules = version.rules().unwrap();
        let drawn = |premaster: &[u8]| {
            let encrypted = key.public_key().encrypt_pkcs1(premaster, Seeded::new(9).as_ref()).unwrap();
            let mut body = encrypted.clone();
            if rules.premaster_has_length {
                body.splice(..0, u16::try_from(encrypted.len()).unwrap().to_be_bytes());
            }
            let random = Counted(AtomicU64::new(0));
            decrypt_premaster(key, &body, version, rules, &random).unwrap();
            random.0.into_inner()
        };
        let with = |length: usize, version: [u8; 2]| drawn(&[&version[..], &vec![7; length - 2]].concat());
        let good = with(48, version.0.to_be_bytes());
        assert!(good >> 32 >= 48, "{version}: a premaster secret's worth at least");
        for (what, bad) in [
            ("another version", with(48, [3, 9])),
            ("too short", with(47, version.0.to_be_bytes())),
            ("too long", with(49, version.0.to_be_bytes())),
        ] {
            assert_eq!(bad, good, "{version}: {what}");
        }
    }
}

#[test]
fn a_bad_premaster_secret_becomes_a_random_one_and_a_good_one_stays() {
    let identity = rsa2048();
    let PrivateKey::Rsa(key) = identity.key() else { panic!() };
    let random = Seeded::new(9);
    let rules = ProtocolVersion::TLS10.rules().unwrap();
    let decrypt = |premaster: &[u8]| {
        let encrypted = key.public_key().encrypt_pkcs1(premaster, random.as_ref()).unwrap();
        let body = [&u16::try_from(encrypted.len()).unwrap().to_be_bytes()[..], &encrypted].concat();
        decrypt_premaster(key, &body, ProtocolVersion::TLS11, rules, random.as_ref()).unwrap()
    };
    let good = [&[3, 2][..], &[7; 46]].concat();
    assert_eq!(decrypt(&good)[..], good);
    // A rollback: the version of the hello is not the one that was negotiated, and not the one in the secret.
    let rolled_back = [&[3, 1][..], &[7; 46]].concat();
    for bad in [&rolled_back[..], &good[..47], &[&good[..], &[7]].concat()] {
        let (first, second) = (decrypt(bad), decrypt(bad));
        assert_eq!((first.len(), second.len()), (48, 48));
        assert_ne!(first, second, "each time another one");
        assert_ne!(first[2..], good[2..]);
    }
}

#[test]
fn only_what_everybody_can_see_of_a_premaster_secret_is_an_error() {
    for (length, byte) in [(255, 1), (257, 1), (0, 1), (256, 0xff)] {
        let fixture = Fixture::new(TLS10).suite(CipherSuite(0x002f));
        let (mut client, mut server) = (fixture.client(), fixture.server());
        let Progress::Continue { output, .. } = client.advance(&[]).unwrap() else { panic!() };
        server.advance(&output).unwrap();
        let failure = server.advance(&answer_with(&vec![byte; length], ProtocolVersion::TLS10)).unwrap_err();
        assert!(matches!(failure.error, Error::Misbehaved(Misbehaved::BadPremaster)), "{length}");
        assert_eq!(alert(&failure.output), (2, 50));
    }
}

/// FREAK 2015: the client's hello is turned into one for export, the server's answer back.
#[test]
fn a_client_refuses_a_short_key_that_it_did_not_agree_to() {
    let fixture = Fixture::new(TLS10).suite(CipherSuite(0x0004));
    let outcome = intercepted(&fixture, |from, bytes| match from {
        Side::Client if bytes[0] == 22 && bytes[5] == 1 => {
            replace(bytes, &[0, 2, 0, 4, 1, 0], &[0, 2, 0, 3, 1, 0])
        }
        Side::Server if bytes[0] == 22 && bytes[5] == 2 => replace(bytes, &[0, 3, 0], &[0, 4, 0]),
        _ => {}
    });
    let Err((Side::Client, failure)) = outcome else { panic!("it should be refused") };
    assert!(
        matches!(failure.error, Error::Misbehaved(Misbehaved::UnexpectedServerKeyExchange)),
        "{}",
        failure.error
    );
    assert_eq!(alert(&failure.output), (2, 10));
}

#[test]
fn a_client_refuses_a_certificate_whose_key_is_longer_than_the_export_suite_allows() {
    // The server's certificate has 1024 bits, and it is told to use it as if 512 were the limit.
    let mut fixture = Fixture::new(TLS10).suite(CipherSuite(0x0003));
    fixture.server.identities = vec![rsa1024()];
    let outcome = intercepted(&fixture, |from, bytes| match from {
        Side::Client if bytes[0] == 22 && bytes[5] == 1 => {
            replace(bytes, &[0, 2, 0, 3, 1, 0], &[0, 2, 0, 4, 1, 0])
        }
        Side::Server if bytes[0] == 22 && bytes[5] == 2 => replace(bytes, &[0, 4, 0], &[0, 3, 0]),
        _ => {}
    });
    let Err((Side::Client, failure)) = outcome else { panic!("it should be refused") };
    assert!(
        matches!(failure.error, Error::Misbehaved(Misbehaved::MissingServerKeyExchange)),
        "{}",
        failure.error
    );
}

/// FREAK 2015: servers kept the short key until they were started again, so that factoring it once was worth it.
#[test]
fn the_short_key_of_an_export_suite_is_replaced_every_day_and_after_500_handshakes() {
    let (keys, random) = (ExportKeys::default(), Seeded::new(3));
    let key = |now| keys.key(512, random.as_ref(), now).unwrap().public_key().clone();
    let first = key(1_000_000);
    assert_eq!(key(1_086_399), first);
    let second = key(1_086_400);
    assert_ne!(second, first);
    for _ in 1..500 {
        assert_eq!(key(1_086_400), second);
    }
    let third = key(1_086_400);
    assert_ne!(third, second);
    assert_ne!(key(1_086_399), third, "a clock that was set back makes no key younger");
    assert_eq!(keys.key(1024, random.as_ref(), 0).unwrap().bits(), 1024);
}

#[test]
fn a_handshake_keeps_the_short_key_that_its_client_was_shown() {
    let fixture = Fixture::new(TLS10).suite(CipherSuite(0x0003));
    let (mut client, mut server) = (fixture.client(), fixture.server());
    let Progress::Continue { output, .. } = client.advance(&[]).unwrap() else { panic!() };
    let Progress::Continue { output, .. } = server.advance(&output).unwrap() else { panic!() };
    let Progress::Continue { output, .. } = client.advance(&output).unwrap() else { panic!() };
    fixture.clock.set(2_000_000);
    fixture.run().unwrap();
    assert!(matches!(server.advance(&output).unwrap(), Progress::Complete { .. }));
}

/// Logjam 2015.
#[test]
fn a_client_refuses_a_group_that_is_too_small() {
    for version in ProtocolVersion::ALL {
        let mut fixture = Fixture::new(&[version]).suite(CipherSuite(0x0033));
        fixture.client.policy.dh_minimum_bits = 1025;
        let Err((Side::Client, failure)) = fixture.run() else { panic!("it should be refused") };
        assert!(matches!(failure.error, Error::Refused(Refused::SmallGroup { bits: 1024, minimum: 1025 })));
        // The server knows what it showed.
        let (mut client, mut server) = (fixture.client(), fixture.server());
        let Progress::Continue { output, .. } = client.advance(&[]).unwrap() else { panic!() };
        let Progress::Continue { output, .. } = server.advance(&output).unwrap() else { panic!() };
        let failure = client.advance(&output).unwrap_err();
        let said = version.alert(AlertDescription::INSUFFICIENT_SECURITY);
        let declined = server.advance(&failure.output).unwrap_err().error;
        assert!(
            matches!(declined, Error::GroupDeclined { alert, bits: 1024 } if alert == said),
            "{version}: {declined}"
        );
        fixture.client.policy.dh_minimum_bits = 1024;
        fixture.run().unwrap();
    }
    assert_eq!(Policy::default().dh_minimum_bits, 2048);
}

/// CVE-2014-0224.
#[test]
fn change_cipher_spec_before_its_time_is_refused() {
    for version in ProtocolVersion::ALL {
        let [_, minor] = version.0.to_be_bytes();
        let change = [20, 3, minor, 0, 1, 1];
        let fixture = Fixture::new(&[version]);
        let (mut client, mut server) = (fixture.client(), fixture.server());
        let Progress::Continue { output, .. } = client.advance(&[]).unwrap() else { panic!() };
        let Progress::Continue { output, .. } = server.advance(&output).unwrap() else { panic!() };
        let failure = server.advance(&change).unwrap_err();
        assert_eq!(alert(&failure.output), (2, 10), "{version}: the server has the client's hello only");
        // The client has the ServerHello, which it gets in a record of its own, and no key.
        let length = 5 + 4 + usize::from(output[8]);
        let mut hello = output[..length].to_vec();
        hello[3..5].copy_from_slice(&u16::try_from(length - 5).unwrap().to_be_bytes());
        client.advance(&hello).unwrap();
        let failure = client.advance(&change).unwrap_err();
        assert_eq!(alert(&failure.output), (2, 10), "{version}: the client has the server's hello only");
    }
}

#[test]
fn change_cipher_spec_in_the_middle_of_a_message_is_refused() {
    let fixture = Fixture::new(TLS10);
    let mut server = fixture.server();
    let failure = server.advance(&[22, 3, 1, 0, 2, 1, 0, 20, 3, 1, 0, 1, 1]).unwrap_err();
    let unexpected =
        Misbehaved::UnexpectedRecord { content_type: 20, expected: "the rest of a handshake message" };
    assert!(matches!(failure.error, Error::Misbehaved(how) if how == unexpected));
}

/// SLOTH 2016: a signature over MD5, which was not offered.
#[test]
fn a_client_refuses_a_signature_by_a_hash_that_it_did_not_offer() {
    let mut fixture = Fixture::new(&[ProtocolVersion::TLS12]).suite(CipherSuite(0xc013));
    fixture.server.policy.signature_schemes = vec![SignatureScheme(0x0101)];
    fixture.client.policy.signature_schemes = vec![SignatureScheme(0x0401)];
    let outcome = intercepted(&fixture, |from, bytes| {
        if from == Side::Client && bytes[0] == 22 && bytes[5] == 1 {
            replace(bytes, &[0, 13, 0, 4, 0, 2, 4, 1], &[0, 13, 0, 4, 0, 2, 1, 1]);
        }
    });
    let Err((Side::Client, failure)) = outcome else { panic!("it should be refused") };
    assert!(
        matches!(failure.error, Error::Misbehaved(Misbehaved::SignatureNotOffered(0x0101))),
        "{}",
        failure.error
    );
    for scheme in Policy::default().signature_schemes {
        let hash = scheme.algorithm().and_then(crypto::public_key::SignatureScheme::hash);
        assert!(!matches!(hash, Some(Hash::Md5 | Hash::Sha1)), "{scheme:?} is in the default policy");
    }
}

#[test]
fn a_server_refuses_a_client_signature_by_a_hash_that_it_did_not_offer() {
    let mut fixture = Fixture::new(&[ProtocolVersion::TLS12]).suite(CipherSuite(0x002f));
    fixture.server.client_auth = ClientAuth::Required;
    fixture.client.identities = vec![rsa1024()];
    fixture.server.policy.signature_schemes = vec![SignatureScheme(0x0401)];
    fixture.client.policy.signature_schemes = vec![SignatureScheme(0x0201)];
    let outcome = intercepted(&fixture, |from, bytes| {
        if from == Side::Server && bytes[0] == 22 && bytes[5] == 2 {
            replace(bytes, &[3, 1, 2, 64, 0, 2, 4, 1], &[3, 1, 2, 64, 0, 2, 2, 1]);
        }
    });
    let Err((Side::Server, failure)) = outcome else { panic!("it should be refused") };
    assert!(
        matches!(failure.error, Error::Misbehaved(Misbehaved::SignatureNotOffered(0x0201))),
        "{}",
        failure.error
    );
}

/// The triple handshake, 2014: two connections with one master secret.
#[test]
fn two_handshakes_with_one_premaster_secret_have_two_master_secrets() {
    for version in [ProtocolVersion::TLS10, ProtocolVersion::TLS11, ProtocolVersion::TLS12] {
        let rules = version.rules().unwrap();
        let suite = CipherSuite(0x002f).row().unwrap();
        let bound = rules.extended_master_secret.unwrap();
        let premaster = [7; 48];
        assert_ne!(bound(suite, &premaster, &[1; 36]).0, bound(suite, &premaster, &[2; 36]).0, "{version}");
        assert!(complete_with_binding(version));
    }
    assert_eq!(Policy::default().extended_master_secret, ExtendedMasterSecret::Offered);
}

fn complete_with_binding(version: ProtocolVersion) -> bool {
    Fixture::new(&[version]).run().unwrap().server.negotiated.extended_master_secret
}

#[test]
fn a_bound_session_is_not_taken_up_without_its_binding() {
    let mut fixture = Fixture::new(TLS10);
    fixture.run().unwrap();
    // Somebody takes the extension out of the client's second hello: the server does not go on.
    let outcome = intercepted(&fixture, |from, bytes| {
        if from == Side::Client && bytes[0] == 22 && bytes[5] == 1 {
            replace(bytes, &[0, 23, 0, 0], &[0x7f, 23, 0, 0]);
        }
    });
    let Err((Side::Server, failure)) = outcome else { panic!("it should be refused") };
    assert!(
        matches!(failure.error, Error::Misbehaved(Misbehaved::ResumedBinding { was_bound: true })),
        "{}",
        failure.error
    );
    // A client whose session is bound does not offer it when it may not bind any more.
    fixture.client.policy.extended_master_secret = ExtendedMasterSecret::Off;
    assert!(!fixture.run().unwrap().client.negotiated.resumed);
}

/// BEAST 2011: whoever chooses data must not know the IV that it meets.
#[test]
fn the_first_byte_has_a_record_of_its_own_where_the_iv_is_known() {
    for version in ProtocolVersion::ALL {
        for (suite, chained) in [(0x002f, true), (0x000a, true), (0x0005, false)] {
            let predictable = chained && version <= ProtocolVersion::TLS10;
            let mut fixture = Fixture::new(&[version]).suite(CipherSuite(suite));
            for split in [true, false] {
                fixture.client.policy.split_records = split;
                let mut pair = fixture.run().unwrap();
                let layout = pair.client.sealer.layout();
                let mut memory = vec![0; layout.header + 100 + layout.trailer];
                let data = layout.header..layout.header + 100;
                let sealed =
                    pair.client.sealer.seal(ContentType::APPLICATION_DATA, &mut memory, data).unwrap();
                let first =
                    usize::from(u16::from_be_bytes([memory[sealed.start + 3], memory[sealed.start + 4]]));
                let two = 5 + first < sealed.len();
                assert_eq!(two, split && predictable, "{version} {suite:04x}");
                assert!(!two || first < 48, "the first record holds one byte");
            }
        }
    }
    assert!(Policy::default().split_records);
}

/// POODLE 2014: SSL 3.0 is off, and nobody gets a client there that could do better.
#[test]
fn a_client_that_fell_back_is_refused_by_a_server_that_can_do_better() {
    for offered in [ProtocolVersion::SSL30, ProtocolVersion::TLS10, ProtocolVersion::TLS11] {
        let mut fixture = Fixture::new(&ProtocolVersion::ALL);
        fixture.client.policy.versions = vec![offered];
        fixture.client.policy.highest = offered;
        fixture.run().unwrap();
        fixture.parameters.fallback = true;
        let Err((Side::Server, failure)) = fixture.run() else { panic!("{offered} should be refused") };
        assert!(matches!(failure.error, Error::Refused(Refused::InappropriateFallback { .. })));
        assert_eq!(alert(&failure.output), (2, 86));
        // A server that can do no better takes it.
        fixture.server.policy.versions = vec![offered];
        fixture.server.policy.highest = offered;
        fixture.run().unwrap();
    }
    assert_eq!(Policy::default().versions, [ProtocolVersion::TLS12]);
}

#[test]
fn a_lowered_version_shows_in_the_servers_random() {
    // The server can do TLS 1.3 by another engine; the client too, and somebody lowered the version of its hello.
    for (version, highest) in [
        (ProtocolVersion::TLS12, ProtocolVersion::TLS13),
        (ProtocolVersion::TLS11, ProtocolVersion::TLS12),
        (ProtocolVersion::TLS10, ProtocolVersion::TLS13),
        (ProtocolVersion::SSL30, ProtocolVersion::TLS12),
    ] {
        let mut fixture = Fixture::new(&[version]);
        fixture.server.policy.highest = highest;
        fixture.run().unwrap();
        fixture.client.policy.highest = highest;
        fixture.client.policy.resume = false;
        let Err((Side::Client, failure)) = fixture.run() else { panic!("{version} should be refused") };
        assert!(matches!(failure.error, Error::Misbehaved(Misbehaved::Downgraded)), "{}", failure.error);
        assert_eq!(failure.error.alert(), Some(AlertDescription::ILLEGAL_PARAMETER));
    }
}

#[test]
fn what_was_changed_in_a_hello_shows_in_finished() {
    for version in ProtocolVersion::ALL {
        let mut fixture = Fixture::new(&[version]);
        fixture.client.policy.suites = vec![CipherSuite(0x0035), CipherSuite(0x0005)];
        // The better suite is taken out of the hello.
        let outcome = intercepted(&fixture, |from, bytes| {
            if from == Side::Client && bytes[0] == 22 && bytes[5] == 1 {
                replace(bytes, &[0, 0x35, 0, 5], &[0x7f, 0x35, 0, 5]);
            }
        });
        let Err((Side::Server, failure)) = outcome else { panic!("{version}: it should fail") };
        // Bound master secrets differ already, so that the record cannot be opened; the others differ in Finished.
        assert!(
            matches!(failure.error, Error::Misbehaved(Misbehaved::BadFinished) | Error::Record(_)),
            "{version}: {}",
            failure.error
        );
    }
}

#[test]
fn floods_of_nothing_are_bounded() {
    for version in ProtocolVersion::ALL {
        let [_, minor] = version.0.to_be_bytes();
        let fixture = Fixture::new(&[version]);
        for (what, record, limit) in [
            ("empty records", vec![22, 3, minor, 0, 0], 32),
            ("warnings", vec![21, 3, minor, 0, 2, 1, 112], 4),
        ] {
            let mut server = fixture.server();
            for count in 0..=limit {
                match server.advance(&record) {
                    Ok(Progress::Continue { used, .. }) => assert_eq!(used, record.len()),
                    Ok(other) => panic!("{other:?}"),
                    Err(failure) => {
                        assert_eq!(count, limit, "{version} {what}: {}", failure.error);
                        assert!(matches!(failure.error, Error::Misbehaved(Misbehaved::Flood { .. })));
                        assert_eq!(alert(&failure.output), (2, 10));
                    }
                }
            }
            assert!(server.advance(&record).is_err(), "{version} {what}");
        }
    }
}

#[test]
fn messages_that_are_too_long_are_refused_by_their_header() {
    for (kind, length, maximum) in [(1, 0x8001, 0x8000), (1, 0xff_ffff, 0x8000), (11, 0x2_0001, 0x2_0000)] {
        let mut server = Fixture::new(TLS10).server();
        let [_, a, b, c] = u32::to_be_bytes(length);
        let failure = server.advance(&[22, 3, 1, 0, 4, kind, a, b, c]).unwrap_err();
        let Error::Misbehaved(Misbehaved::MessageTooLong { maximum: own, .. }) = failure.error else {
            panic!()
        };
        assert_eq!(own, maximum);
    }
}

#[test]
fn a_hello_in_records_of_one_byte_is_bounded() {
    let mut server = Fixture::new(TLS10).server();
    // A ClientHello of 32 KiB that never ends, byte by byte, with an empty record between any two.
    let mut taken = 0;
    server.advance(&[22, 3, 1, 0, 4, 1, 0, 0x80, 0]).unwrap();
    loop {
        match server.advance(&[22, 3, 1, 0, 1, 0, 22, 3, 1, 0, 0]) {
            Ok(_) => taken += 11,
            Err(failure) => {
                assert!(failure.error.alert().is_some());
                break;
            }
        }
        assert!(taken < 1 << 20, "more than a megabyte was taken");
    }
}
