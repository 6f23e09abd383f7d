//! The engine's records behind the contract: every kind of protection, and what only a peer of our own making sends.

use std::sync::Arc;

use crypto::cipher::BlockCipher;
use crypto::hash::Hash;
use crypto::random::{Random, RandomError};
use legacy_tls::ProtocolVersion;
use legacy_tls::record::{Bulk, CbcIv, ContentType, Keys, MacConstruction, MacKind, Opener, Padding, Sealer};
use sspi_core::{IscReq, PackageInfo, SecPkgFlags};
use test_support::pair::{open, receive_buffers, seal};

use super::*;
use crate::attributes::{Requested, RequestedOf};
use crate::backend::SessionSecrets;
use crate::backend::legacy::records::{Receiving, Sending};
use crate::backend::rustls::secret::SmallSecret;
use crate::cipher_suites::Suite;

struct Constant;

impl Random for Constant {
    fn fill(&self, out: &mut [u8]) -> Result<(), RandomError> {
        out.fill(0x5a);
        Ok(())
    }
}

/// A way to protect: a version, and a suite that it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Way {
    version: ProtocolVersion,
    suite: u16,
    split: bool,
}

const LIMIT: u64 = 100_000;

fn ways() -> impl Iterator<Item = Way> {
    let versions = ProtocolVersion::ALL;
    // NULL, RC4, RC2, DES, 3DES, AES, AES with SHA-256, AES-GCM.
    let suites = [0x0002, 0x0005, 0x0006, 0x0009, 0x000a, 0x002f, 0x003c, 0x009c];
    let all = versions.into_iter().flat_map(move |version| suites.map(|suite| (version, suite)));
    let legal = all
        .filter(|(version, suite)| Suite::by_code(*suite).unwrap().legacy().unwrap().is_legal_in(*version));
    legal.flat_map(|(version, suite)| [true, false].map(|split| Way { version, suite, split }))
}

impl Way {
    fn row(self) -> &'static legacy_tls::SuiteRow {
        Suite::by_code(self.suite).unwrap().legacy().unwrap()
    }

    fn keys(self, seed: u8, with: impl FnOnce(&Keys<'_>)) {
        let row = self.row();
        let key_len = match row.bulk {
            Bulk::Null => 0,
            Bulk::Rc4 => 16,
            Bulk::Cbc(cipher) => cipher.key_len(),
            Bulk::Aead(algorithm) => algorithm.key_len(),
        };
        let chained = self.version <= ProtocolVersion::TLS10;
        let iv_len = match row.bulk {
            Bulk::Cbc(cipher) if chained => cipher.block_len(),
            Bulk::Aead(_) => 4,
            _ => 0,
        };
        let small = matches!(row.bulk, Bulk::Cbc(cipher) if cipher.block_len() == 8);
        let bytes = [seed; 64];
        with(&Keys {
            wire_version: self.version.0,
            bulk: row.bulk,
            mac: row.mac.map(|hash| MacKind {
                construction: if self.version == ProtocolVersion::SSL30 {
                    MacConstruction::Ssl3
                } else {
                    MacConstruction::Hmac
                },
                hash,
            }),
            padding: if self.version == ProtocolVersion::SSL30 { Padding::Ssl3 } else { Padding::Tls },
            cbc_iv: if chained { CbcIv::Chained } else { CbcIv::Explicit },
            mac_secret: &bytes[..row.mac.map_or(0, Hash::output_len)],
            key: &bytes[..key_len],
            iv: &bytes[..iv_len],
            split: self.split,
            data_limit: if small { LIMIT } else { u64::MAX },
        });
    }

    fn sealer(self, seed: u8) -> Sealer {
        let mut sealer = None;
        self.keys(seed, |keys| sealer = Some(Sealer::new(keys, Arc::new(Constant)).unwrap()));
        sealer.unwrap()
    }

    fn opener(self, seed: u8) -> Opener {
        let mut opener = None;
        self.keys(seed, |keys| opener = Some(Opener::new(keys).unwrap()));
        opener.unwrap()
    }

    fn is_split(self) -> bool {
        self.split && self.version <= ProtocolVersion::TLS10 && matches!(self.row().bulk, Bulk::Cbc(_))
    }

    fn has_small_blocks(self) -> bool {
        matches!(self.row().bulk, Bulk::Cbc(BlockCipher::Des | BlockCipher::TripleDes | BlockCipher::Rc2))
    }
}

/// A context, and the other end of both directions.
struct Rig {
    way: Way,
    context: Context<Engine>,
    to_us: Sealer,
    from_us: Opener,
}

fn rig_of(way: Way, is_client: bool) -> Rig {
    let session = Session {
        is_client,
        version: way.version.0,
        suite: Suite::by_code(way.suite).unwrap(),
        strength: None,
        alpn: None,
        peer_chain: None,
        local: None,
        resumed: false,
        session_id: Vec::new(),
        server_name: None,
        account: None,
        secrets: SessionSecrets::Tls13 { exporter: SmallSecret::new(&[0; 32]) },
    };
    let info = PackageInfo {
        name: NAME.into(),
        aliases: Vec::new(),
        comment: "".into(),
        capabilities: SecPkgFlags::STREAM,
        version: 1,
        rpc_id: 14,
        max_token: 0x6000,
        oids: Vec::new(),
    };
    let requested = Requested { role: RequestedOf::Initiator(IscReq::NONE), negotiated: false };
    let sending = Sending::new(way.sealer(1), way.version, LIMIT);
    let receiving = Receiving::new(way.opener(2), LIMIT);
    let sizes = sending.stream_sizes();
    let attributes = Attributes::new(Arc::new(info), session, sizes, requested, None, std::time::UNIX_EPOCH);
    Rig {
        way,
        context: new(sending, receiving, attributes, None),
        to_us: way.sealer(2),
        from_us: way.opener(1),
    }
}

fn all() -> impl Iterator<Item = Rig> {
    ways().map(|way| rig_of(way, true))
}

impl Rig {
    fn send(&mut self, data: &[u8]) -> Result<Vec<u8>, Error> {
        let sizes = self.context.attributes().stream_sizes().unwrap();
        seal(&mut self.context, &sizes, data)
    }

    fn receive(&mut self, mut records: Vec<u8>) -> Result<(Vec<u8>, Decrypted), Error> {
        open(&mut self.context, &mut records)
    }

    fn peer_sends(&mut self, content_type: u8, content: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        self.to_us.seal_message(ContentType(content_type), content, &mut out).unwrap();
        out
    }

    /// Type and content of each of our records, as the peer opens them.
    fn peer_opens(&mut self, mut records: &[u8]) -> Vec<(u8, Vec<u8>)> {
        let mut out = Vec::new();
        while !records.is_empty() {
            let len = 5 + usize::from(u16::from_be_bytes([records[3], records[4]]));
            let mut record = records[..len].to_vec();
            let opened = self.from_us.open(&mut record).unwrap();
            out.push((opened.content_type.0, record[opened.content].to_vec()));
            records = &records[len..];
        }
        out
    }
}

#[test]
fn every_way_protects_every_length_at_the_edges_in_both_directions() {
    for mut rig in all() {
        let way = rig.way;
        for len in [0, 1, 2, 7, 8, 15, 16, 17, 255, 256, 1000, 16383, 16384] {
            let data: Vec<u8> = (0..len).map(|i| (i % 251) as u8).collect();
            let sent = rig.send(&data).unwrap();
            let opened = rig.peer_opens(&sent);
            let expected = if way.is_split() && len > 1 {
                vec![(23, data[..1].to_vec()), (23, data[1..].to_vec())]
            } else {
                vec![(23, data.clone())]
            };
            assert!(opened == expected, "{way:?} {len}");
            let record = rig.peer_sends(23, &data);
            assert_eq!(rig.receive(record).unwrap(), (data, Decrypted::Message), "{way:?} {len}");
        }
        let error = rig.send(&[0; 16385]).unwrap_err();
        assert_eq!(error.status(), SecStatus::SEC_E_INVALID_TOKEN);
        let sent = rig.send(b"and nothing was written").unwrap();
        assert!(rig.peer_opens(&sent).concat_data() == b"and nothing was written", "{way:?}");
    }
}

trait ConcatData {
    fn concat_data(&self) -> Vec<u8>;
}

impl ConcatData for Vec<(u8, Vec<u8>)> {
    fn concat_data(&self) -> Vec<u8> {
        self.iter().flat_map(|(_, data)| data.clone()).collect()
    }
}

/// The rows of Windows: header 5 and trailer MAC and up to a block, in TLS 1.1 a header of 5 and the vector.
#[test]
fn stream_sizes_are_those_of_windows_where_nothing_is_split() {
    for (version, suite, split, header, trailer, block) in [
        (ProtocolVersion::TLS10, 0x002f, false, 5, 36, 16),
        (ProtocolVersion::TLS10, 0x000a, false, 5, 28, 8),
        (ProtocolVersion::TLS10, 0x0005, false, 5, 20, 1),
        (ProtocolVersion::SSL30, 0x0005, true, 5, 20, 1),
        (ProtocolVersion::TLS11, 0x002f, true, 21, 36, 16),
        (ProtocolVersion::TLS12, 0x009c, true, 13, 16, 1),
        // A record of one byte, MAC and padding, and four bytes of the next header: its fifth is the byte's own place.
        (ProtocolVersion::TLS10, 0x002f, true, 5 + 32 + 4, 36, 16),
        (ProtocolVersion::SSL30, 0x000a, true, 5 + 24 + 4, 28, 8),
    ] {
        let sizes = rig_of(Way { version, suite, split }, true).context.attributes().stream_sizes().unwrap();
        let expected = StreamSizes { header, trailer, maximum_message: 16384, buffers: 4, block_size: block };
        assert_eq!(sizes, expected, "{version} {suite:04x} {split}");
    }
}

#[test]
fn tampering_at_every_byte_is_refused_and_a_good_record_afterwards_too() {
    for way in ways() {
        // Padding of SSL 3.0 is covered by nothing, and NULL and RC4 have none.
        let covered = |at: usize, len: usize| {
            way.version != ProtocolVersion::SSL30 || !matches!(way.row().bulk, Bulk::Cbc(_)) || at + 8 < len
        };
        let length = rig_of(way, true).peer_sends(23, b"some payload").len();
        for at in (0..length).filter(|at| covered(*at, length)) {
            let mut rig = rig_of(way, true);
            let good = rig.peer_sends(23, b"some payload");
            let mut bad = good.clone();
            bad[at] ^= 0x40;
            let first = match rig.receive(bad) {
                Ok((data, Decrypted::Incomplete { .. })) => {
                    assert!(data.is_empty() && (3..5).contains(&at), "{way:?} {at}");
                    continue;
                }
                Ok(other) => panic!("{way:?} {at}: {other:?}"),
                Err(error) => error,
            };
            assert!(first.alert().is_some(), "it says which alert it would be");
            let again = rig.receive(good).unwrap_err();
            assert_eq!(again.to_string(), first.to_string(), "the first error is final");
            assert_eq!(rig.send(b"x").unwrap_err().to_string(), first.to_string(), "for the other half too");
            // The alert can still be sent.
            let alert = ControlToken::Alert { level: AlertLevel::Fatal, number: first.alert().unwrap() };
            let record = rig.context.apply_control_token(&alert).unwrap();
            assert_eq!(rig.peer_opens(&record)[0].0, ALERT);
        }
    }
}

#[test]
fn a_record_split_at_every_byte_waits_for_exactly_the_rest() {
    for mut rig in all() {
        let record = rig.peer_sends(23, b"split me");
        for cut in 0..record.len() {
            let mut memory = record.clone();
            let mut buffers = receive_buffers(cut);
            let decrypted = rig.context.decrypt_message(&mut memory, &mut buffers).unwrap();
            let missing = if cut < 5 { 5 - cut } else { record.len() - cut };
            assert_eq!(decrypted, Decrypted::Incomplete { missing: Some(missing) });
            assert_eq!(memory, record);
        }
        assert_eq!(rig.receive(record).unwrap().0, b"split me");
    }
}

#[test]
fn a_cipher_with_small_blocks_ends_at_its_limit_in_both_directions() {
    for mut rig in all().filter(|rig| rig.way.has_small_blocks()) {
        let way = rig.way;
        let mut sent = 0;
        let error = loop {
            match rig.send(&[0; 10_000]) {
                Ok(records) => sent += rig.peer_opens(&records).concat_data().len() as u64,
                Err(error) => break error,
            }
        };
        assert_eq!(sent, LIMIT, "{way:?}");
        assert_eq!(error.status(), SecStatus::SEC_E_ENCRYPT_FAILURE);
        assert_eq!(error.setting(), Some("small-block-limit"), "{error}");
        assert!(error.message().contains("100000"), "{error}");
        // The peer can still be heard, and told that this is the end.
        let record = rig.peer_sends(23, b"still here");
        assert_eq!(rig.receive(record).unwrap().0, b"still here");
        let record = rig.context.apply_control_token(&ControlToken::Shutdown).unwrap();
        assert_eq!(rig.peer_opens(&record), [(ALERT, vec![1, CLOSE_NOTIFY])]);

        // A peer that goes on beyond it is not heard, but its farewell is.
        for farewell in [true, false] {
            let mut rig = rig_of(way, true);
            let mut record = Vec::new();
            for _ in 0..LIMIT / 10_000 {
                record.clear();
                rig.to_us.seal_message(ContentType::APPLICATION_DATA, &[0; 10_000], &mut record).unwrap();
                rig.receive(record.clone()).unwrap();
            }
            if farewell {
                let record = rig.peer_sends(ALERT, &[1, CLOSE_NOTIFY]);
                assert_eq!(rig.receive(record).unwrap().1, Decrypted::Expired);
            } else {
                let mut unlimited = Way { ..way }.sealer_without_limit(2);
                let mut all = Vec::new();
                for _ in 0..=LIMIT / 10_000 {
                    all.clear();
                    let content = [0; 10_000];
                    unlimited.seal_message(ContentType::APPLICATION_DATA, &content, &mut all).unwrap();
                }
                let error = rig.receive(all).unwrap_err();
                assert_eq!(error.status(), SecStatus::SEC_E_DECRYPT_FAILURE, "{error}");
                assert_eq!(error.setting(), Some("small-block-limit"));
            }
        }
    }
}

impl Way {
    fn sealer_without_limit(self, seed: u8) -> Sealer {
        let mut sealer = None;
        self.keys(seed, |keys| {
            let keys = Keys { data_limit: u64::MAX, ..*keys };
            sealer = Some(Sealer::new(&keys, Arc::new(Constant)).unwrap());
        });
        sealer.unwrap()
    }
}

#[test]
fn floods_of_harmless_records_are_bounded_and_data_begins_anew() {
    for mut rig in all() {
        for _ in 0..3 {
            for _ in 0..FLOOD_LIMIT {
                let record = rig.peer_sends(23, b"");
                assert_eq!(rig.receive(record).unwrap(), (Vec::new(), Decrypted::Message));
            }
            for _ in 0..WARNING_LIMIT {
                let record = rig.peer_sends(ALERT, &[1, 90]);
                assert_eq!(rig.receive(record).unwrap(), (Vec::new(), Decrypted::Message));
            }
            let record = rig.peer_sends(23, b"data");
            rig.receive(record).unwrap();
        }
        for (content_type, content, what) in [(23, &b""[..], "empty records"), (ALERT, &[1, 41], "warning")] {
            let mut rig = rig_of(rig.way, true);
            let error = (0..=FLOOD_LIMIT)
                .find_map(|_| {
                    let record = rig.peer_sends(content_type, content);
                    rig.receive(record).err()
                })
                .unwrap();
            assert_eq!((error.status(), error.alert()), (SecStatus::SEC_E_ILLEGAL_MESSAGE, Some(10)));
            assert!(error.message().contains(what), "{error}");
        }
    }
}

#[test]
fn alerts_are_warnings_or_the_end_by_their_level() {
    for way in ways() {
        let mut rig = rig_of(way, true);
        let record = rig.peer_sends(ALERT, &[2, 40]);
        let error = rig.receive(record).unwrap_err();
        assert_eq!(error.fault(), Fault::PeerReported);
        assert!(error.message().contains("handshake_failure"), "{error}");
        for content in [&[1][..], &[1, 0, 0], &[]] {
            let mut rig = rig_of(way, true);
            let record = rig.peer_sends(ALERT, content);
            assert_eq!(rig.receive(record).unwrap_err().alert(), Some(50), "{content:?}");
        }
        let mut rig = rig_of(way, true);
        let record = rig.peer_sends(ALERT, &[1, CLOSE_NOTIFY]);
        assert_eq!(rig.receive(record).unwrap().1, Decrypted::Expired);
        let after = rig.peer_sends(23, b"late");
        assert_eq!(rig.receive(after).unwrap().1, Decrypted::Expired, "nothing comes behind it");
        let sent = rig.send(b"but we may still speak").unwrap();
        assert_eq!(rig.peer_opens(&sent).concat_data(), b"but we may still speak");
    }
}

/// The alerts that Windows names (learn.microsoft.com, "TLS/SSL Alert Messages"): those that are always fatal, those that are always
/// warnings, and those that are what the application says. user_canceled is more than one alert.
const BY_LEVEL: [(&[u8], Option<u8>); 3] = [
    (&[10, 20, 21, 22, 30, 40, 47, 48, 49, 50, 51, 60, 70, 71, 80, 110, 115, 120], Some(2)),
    (&[0, 41, 100], Some(1)),
    (&[42, 43, 44, 45, 46, 112], None),
];

#[test]
fn an_alert_has_its_level_whatever_the_application_says() {
    for way in ways().filter(|way| way.version > ProtocolVersion::SSL30) {
        for (numbers, fixed) in BY_LEVEL {
            for &number in numbers {
                for level in [AlertLevel::Warning, AlertLevel::Fatal] {
                    let mut rig = rig_of(way, true);
                    let token = ControlToken::Alert { level, number };
                    let record = rig.context.apply_control_token(&token).unwrap();
                    let said = vec![fixed.unwrap_or(level.number()), number];
                    assert_eq!(rig.peer_opens(&record), [(ALERT, said.clone())], "{way:?}");
                    let is_over = said[0] == 2 || number == CLOSE_NOTIFY;
                    assert_eq!(rig.send(b"more").is_err(), is_over, "{way:?} {number}");
                }
            }
        }
    }
}

#[test]
fn who_cancels_closes() {
    for way in ways() {
        let mut rig = rig_of(way, true);
        let canceled = ControlToken::Alert { level: AlertLevel::Fatal, number: USER_CANCELED };
        let records = rig.context.apply_control_token(&canceled).unwrap();
        let closes = (ALERT, vec![1, CLOSE_NOTIFY]);
        // SSL 3.0 has no word for the former.
        let expected = match way.version {
            ProtocolVersion::SSL30 => vec![closes],
            _ => vec![(ALERT, vec![1, USER_CANCELED]), closes],
        };
        assert_eq!(rig.peer_opens(&records), expected, "{way:?}");
        assert_eq!(rig.send(b"more").unwrap_err().status(), SecStatus::SEC_E_CONTEXT_EXPIRED);
    }
}

#[test]
fn ssl_3_says_only_alerts_that_it_has() {
    for way in ways() {
        let is_ssl3 = way.version == ProtocolVersion::SSL30;
        let fatal = |number| ControlToken::Alert { level: AlertLevel::Fatal, number };
        let warning = |number| ControlToken::Alert { level: AlertLevel::Warning, number };
        for (number, in_ssl3) in [(22, 20), (50, 47), (80, 40), (40, 40), (20, 20)] {
            let mut rig = rig_of(way, true);
            let record = rig.context.apply_control_token(&fatal(number)).unwrap();
            let said = if is_ssl3 { in_ssl3 } else { number };
            assert_eq!(rig.peer_opens(&record), [(ALERT, vec![2, said])], "{way:?}");
        }
        let mut rig = rig_of(way, true);
        let record = rig.context.apply_control_token(&warning(100)).unwrap();
        // SSL 3.0 declines only by ending.
        let expected = if is_ssl3 { vec![2, 40] } else { vec![1, 100] };
        assert_eq!(rig.peer_opens(&record), [(ALERT, expected)], "no_renegotiation, {way:?}");
        if is_ssl3 {
            assert_eq!(rig.send(b"no more").unwrap_err().status(), SecStatus::SEC_E_CONTEXT_EXPIRED);
            continue;
        }
        let sent = rig.send(b"and on it goes").unwrap();
        assert_eq!(rig.peer_opens(&sent).concat_data(), b"and on it goes");
    }
}

/// Spec: SSL30 section 5.4.2.
#[test]
fn ssl_3_says_each_alert_of_the_application_as_its_nearest_and_does_not_say_a_warning_that_it_lacks() {
    let in_ssl3 = |number| match number {
        0 | 10 | 20 | 30 | 40..=47 => number,
        21 | 22 => 20,
        48 => 42,
        49 => 46,
        50 => 47,
        _ => 40,
    };
    for way in ways().filter(|way| way.version == ProtocolVersion::SSL30) {
        for (numbers, fixed) in BY_LEVEL {
            for &number in numbers {
                for level in [AlertLevel::Warning, AlertLevel::Fatal] {
                    let mut rig = rig_of(way, true);
                    let record =
                        rig.context.apply_control_token(&ControlToken::Alert { level, number }).unwrap();
                    let said = (fixed.unwrap_or(level.number()), in_ssl3(number));
                    let (expected, is_over) = match said {
                        // no_renegotiation ends the connection where there is no word for it.
                        _ if number == 100 => (vec![(ALERT, vec![2, 40])], true),
                        (1, said) if said != number => (Vec::new(), false),
                        (level, said) => {
                            (vec![(ALERT, vec![level, said])], level == 2 || said == CLOSE_NOTIFY)
                        }
                    };
                    assert_eq!(rig.peer_opens(&record), expected, "{way:?} {number} {level:?}");
                    assert_eq!(rig.send(b"more").is_err(), is_over, "{way:?} {number} {level:?}");
                }
            }
        }
    }
}

#[test]
fn requests_to_renegotiate_can_be_declined_and_are_bounded() {
    for way in ways() {
        for (is_client, message) in [(true, &[0, 0, 0, 0][..]), (false, &[1, 0, 0, 1, 9][..])] {
            let mut rig = rig_of(way, is_client);
            for _ in 0..WARNING_LIMIT {
                // In two records, as it may come.
                let (first, second) = message.split_at(2);
                let record = rig.peer_sends(HANDSHAKE, first);
                assert_eq!(rig.receive(record).unwrap().1, Decrypted::Message);
                let record = rig.peer_sends(HANDSHAKE, second);
                assert_eq!(rig.receive(record).unwrap().1, Decrypted::Renegotiate, "{way:?}");
            }
            let sent = rig.send(b"declined").unwrap();
            assert_eq!(rig.peer_opens(&sent).concat_data(), b"declined");
            let record = rig.peer_sends(HANDSHAKE, message);
            assert_eq!(rig.receive(record).unwrap_err().alert(), Some(10));
        }
        // Who asks twice in a breath has its first hello heard, and the second is for the handshake.
        let mut rig = rig_of(way, false);
        let record = rig.peer_sends(HANDSHAKE, &[1, 0, 0, 1, 8, 1, 0, 0, 1, 9]);
        assert_eq!(rig.receive(record).unwrap().1, Decrypted::Renegotiate, "{way:?}");
        assert_eq!(rig.context.receiver.again.take().unwrap().hello, [1, 0, 0, 1, 8]);
        assert_eq!(rig.context.receiver.fragment, [1, 0, 0, 1, 9]);
        // What asks for nothing may not come; nor may anything between its fragments.
        for (is_client, message) in
            [(false, &[0, 0, 0, 0][..]), (true, &[1, 0, 0, 1, 9]), (true, &[20, 0, 0, 0])]
        {
            let mut rig = rig_of(way, is_client);
            let record = rig.peer_sends(HANDSHAKE, message);
            assert_eq!(rig.receive(record).unwrap_err().alert(), Some(10), "{way:?} {message:?}");
        }
        let mut rig = rig_of(way, true);
        let record = rig.peer_sends(HANDSHAKE, &[0, 0]);
        rig.receive(record).unwrap();
        let record = rig.peer_sends(23, b"between");
        assert_eq!(rig.receive(record).unwrap_err().alert(), Some(10));
        let mut rig = rig_of(way, true);
        let record = rig.peer_sends(20, &[1]);
        assert_eq!(rig.receive(record).unwrap_err().alert(), Some(10), "ChangeCipherSpec");
    }
}

/// Each is answered, and recorded: data in between does not make them endless.
#[test]
fn a_peer_that_is_refused_again_and_again_is_heard_sixteen_times() {
    for way in ways() {
        for (is_client, message) in [(true, &[0, 0, 0, 0][..]), (false, &[1, 0, 0, 1, 9][..])] {
            let mut rig = rig_of(way, is_client);
            for _ in 0..16 {
                let record = rig.peer_sends(HANDSHAKE, message);
                assert_eq!(rig.receive(record).unwrap().1, Decrypted::Renegotiate, "{way:?}");
                let record = rig.peer_sends(23, b"x");
                assert_eq!(rig.receive(record).unwrap().1, Decrypted::Message, "{way:?}");
            }
            let record = rig.peer_sends(HANDSHAKE, message);
            let error = rig.receive(record).unwrap_err();
            assert_eq!(error.alert(), Some(10), "{way:?}: {error}");
            assert!(error.message().contains("after 16 that were refused"), "{error}");
        }
    }
}

#[test]
fn records_that_cannot_be_are_refused_from_their_header() {
    for way in ways() {
        let [major, minor] = way.version.0.to_be_bytes();
        for (header, alert) in [
            ([0x47, 0x45, 0x54, 0x20, 0x2f], 10),
            ([23, 2, 0, 0, 5], 10),
            ([24, major, minor, 0, 5], 10),
            ([23, major, minor ^ 7, 0, 5], 70),
            ([23, major, minor, 0xff, 0xff], 22),
        ] {
            let error = rig_of(way, true).receive(header.to_vec()).unwrap_err();
            assert_eq!(error.alert(), Some(alert), "{way:?} {header:02x?}: {error}");
        }
    }
}

#[test]
fn the_halves_work_apart_and_share_the_first_error() {
    for rig in all() {
        let Rig { way, context, mut to_us, mut from_us } = rig;
        let split = (Box::new(context) as Box<dyn SecurityContext>).split().unwrap();
        let (mut sender, mut receiver) = (split.sender, split.receiver);
        let sizes = split.attributes.stream_sizes().unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for i in 0..50u8 {
                    let records = seal(&mut *sender, &sizes, &[i; 100]).unwrap();
                    let mut data = Vec::new();
                    let mut rest = records.as_slice();
                    while !rest.is_empty() {
                        let len = 5 + usize::from(u16::from_be_bytes([rest[3], rest[4]]));
                        let mut record = rest[..len].to_vec();
                        let opened = from_us.open(&mut record).unwrap();
                        data.extend_from_slice(&record[opened.content]);
                        rest = &rest[len..];
                    }
                    assert_eq!(data, [i; 100]);
                }
            });
            scope.spawn(|| {
                for i in 0..50u8 {
                    let mut record = Vec::new();
                    to_us.seal_message(ContentType::APPLICATION_DATA, &[i; 100], &mut record).unwrap();
                    assert_eq!(open(&mut *receiver, &mut record).unwrap().0, [i; 100]);
                }
            });
        });
        let mut bad = Vec::new();
        to_us.seal_message(ContentType::APPLICATION_DATA, &[9; 100], &mut bad).unwrap();
        bad[10] ^= 1;
        let error = open(&mut *receiver, &mut bad).unwrap_err();
        let sending = seal(&mut *sender, &sizes, b"y").unwrap_err();
        assert_eq!(sending.to_string(), error.to_string(), "{way:?}");
    }
}
