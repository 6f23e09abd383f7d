//! Records that only a peer of our own making sends: key updates, tickets, floods, and what lies between them.

use std::sync::Arc;

use crypto::aead::AeadKey;
use sspi_core::{
    ContextFlags, ControlToken, Decrypted, IscReq, PackageInfo, ReceivingHalf, SecPkgFlags, SecStatus,
    SecurityContext, SendingHalf,
};
use test_support::pair::{open, receive_buffers, seal};

use super::*;
use crate::attributes::{Requested, RequestedOf};
use crate::backend::SessionSecrets;
use crate::backend::rustls::records::{self, KEY_UPDATE_RECORD, Protection, RecordKey};
use crate::backend::rustls::secret::SmallSecret;
use crate::cipher_suites::{SUITES, Suite, SuiteRow};

/// A client's context, and what protects the server's two directions.
struct Rig {
    context: Context<Rustls>,
    to_client: Protection,
    from_client: Protection,
    suite: &'static SuiteRow,
}

fn rig(suite: &'static SuiteRow, is_client: bool) -> Rig {
    let protection = |seed: u8| {
        if suite.is_tls13 {
            let secret = SmallSecret::new(&vec![seed; suite.hash.output_len()]);
            Protection::from_traffic_secret(suite, secret).unwrap()
        } else {
            let key = AeadKey::new(suite.aead, &vec![seed; suite.aead.key_len()]).unwrap();
            let key = RecordKey::new(key, [seed; 12]);
            // The Finished message was the first record.
            key.used(0);
            Protection::new(suite, Arc::new(key), None)
        }
    };
    let session = Session {
        is_client,
        version: if suite.is_tls13 { 0x304 } else { 0x303 },
        suite: Suite::of_rustls(suite),
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
    let (sending, receiving) = records::directions(suite, protection(1), protection(2), None);
    let sizes = sending.stream_sizes();
    let attributes = Attributes::new(Arc::new(info), session, sizes, requested, None, std::time::UNIX_EPOCH);
    Rig {
        context: new(sending, receiving, attributes, None),
        to_client: protection(2),
        from_client: protection(1),
        suite,
    }
}

fn tls13() -> impl Iterator<Item = Rig> {
    SUITES.iter().filter(|s| s.is_tls13).map(|s| rig(s, true))
}

fn all() -> impl Iterator<Item = Rig> {
    SUITES.iter().map(|s| rig(s, true))
}

impl Rig {
    fn receive(&mut self, mut record: Vec<u8>) -> Result<(Vec<u8>, Decrypted), Error> {
        open(&mut self.context, &mut record)
    }

    fn send(&mut self, data: &[u8]) -> Vec<u8> {
        let sizes = self.context.attributes().stream_sizes().unwrap();
        seal(&mut self.context, &sizes, data).unwrap()
    }

    /// Opens one record of ours as the peer would.
    fn peer_opens(&mut self, mut record: Vec<u8>) -> (u8, Vec<u8>) {
        let opened = self.from_client.open(&mut record).unwrap();
        (opened.content_type, record[opened.content].to_vec())
    }

    /// Opens records of ours that are alerts.
    fn peer_opens_alerts(&mut self, mut records: &[u8]) -> Vec<Vec<u8>> {
        let mut alerts = Vec::new();
        while let Some(&[_, _, _, high, low]) = records.first_chunk::<5>() {
            let (record, rest) = records.split_at(5 + usize::from(u16::from_be_bytes([high, low])));
            let (content_type, content) = self.peer_opens(record.to_vec());
            assert_eq!(content_type, ALERT);
            alerts.push(content);
            records = rest;
        }
        alerts
    }

    fn peer_sends(&mut self, content_type: u8, message: &[u8]) -> Vec<u8> {
        self.to_client.seal_message(content_type, message).unwrap()
    }
}

#[test]
fn every_suite_protects_every_length_at_the_edges() {
    for mut rig in all() {
        for len in [0, 1, 2, 15, 16, 17, 1000, 16383, 16384] {
            let data: Vec<u8> = (0..len).map(|i| (i % 251) as u8).collect();
            let record = rig.send(&data);
            assert_eq!(rig.peer_opens(record), (APPLICATION_DATA, data.clone()), "{}", rig.suite.name);
            let record = rig.peer_sends(APPLICATION_DATA, &data);
            assert_eq!(rig.receive(record).unwrap(), (data, Decrypted::Message), "{}", rig.suite.name);
        }
        let sizes = rig.context.attributes().stream_sizes().unwrap();
        let error = seal(&mut rig.context, &sizes, &[0; 16385]).unwrap_err();
        assert_eq!(error.status(), SecStatus::SEC_E_INVALID_TOKEN, "one byte more is an error");
        let record = rig.send(b"and writes nothing");
        assert_eq!(rig.peer_opens(record).1, b"and writes nothing");
    }
}

#[test]
fn tampering_at_every_byte_is_refused_and_a_good_record_afterwards_too() {
    for suite in SUITES.iter() {
        let length = rig(suite, true).peer_sends(APPLICATION_DATA, b"payload").len();
        for at in 0..length {
            let mut rig = rig(suite, true);
            let good = rig.peer_sends(APPLICATION_DATA, b"payload");
            let next = rig.peer_sends(APPLICATION_DATA, b"next");
            let mut bad = good.clone();
            bad[at] ^= 0x40;
            let first = match rig.receive(bad) {
                // A length that grew makes the record wait for more: nothing was decrypted.
                Ok((data, Decrypted::Incomplete { .. })) => {
                    assert!(data.is_empty() && (3..5).contains(&at), "{} {at}", suite.name);
                    continue;
                }
                Ok(other) => panic!("{} {at}: {other:?}", suite.name),
                Err(error) => error,
            };
            assert!(first.alert().is_some(), "it says which alert it would be");
            for _ in 0..3 {
                let again = rig.receive(good.clone()).unwrap_err();
                assert_eq!(again.to_string(), first.to_string(), "the first error is final");
                assert_eq!(rig.receive(next.clone()).unwrap_err().to_string(), first.to_string());
            }
            let sizes = rig.context.attributes().stream_sizes().unwrap();
            let sending = seal(&mut rig.context, &sizes, b"x").unwrap_err();
            assert_eq!(sending.to_string(), first.to_string(), "for the other half as well");
            // The alert can still be sent.
            let alert = ControlToken::Alert { level: AlertLevel::Fatal, number: first.alert().unwrap() };
            let record = rig.context.apply_control_token(&alert).unwrap();
            assert_eq!(rig.peer_opens(record), (ALERT, vec![2, first.alert().unwrap()]));
        }
    }
}

#[test]
fn a_record_split_at_every_byte_waits_for_exactly_the_rest() {
    for mut rig in all() {
        let record = rig.peer_sends(APPLICATION_DATA, b"split me");
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
fn a_key_update_is_answered_in_front_of_the_next_data() {
    for mut rig in tls13() {
        for _generation in 0..3 {
            // update_requested
            let update = rig.peer_sends(HANDSHAKE, &[24, 0, 0, 1, 1]);
            assert_eq!(rig.receive(update).unwrap(), (Vec::new(), Decrypted::Message));
            rig.to_client.update(rig.suite).unwrap();
            let record = rig.peer_sends(APPLICATION_DATA, b"new keys");
            assert_eq!(rig.receive(record).unwrap().0, b"new keys");

            let sent = rig.send(b"answer");
            let (update, data) = sent.split_at(KEY_UPDATE_RECORD);
            assert_eq!(rig.peer_opens(update.to_vec()), (HANDSHAKE, vec![24, 0, 0, 1, 0]));
            rig.from_client.update(rig.suite).unwrap();
            assert_eq!(rig.peer_opens(data.to_vec()), (APPLICATION_DATA, b"answer".to_vec()));
            let plain = rig.send(b"once");
            assert_eq!(rig.peer_opens(plain), (APPLICATION_DATA, b"once".to_vec()));
        }
        // update_not_requested is not answered.
        let update = rig.peer_sends(HANDSHAKE, &[24, 0, 0, 1, 0]);
        rig.receive(update).unwrap();
        let sent = rig.send(b"plain");
        assert_eq!(rig.peer_opens(sent), (APPLICATION_DATA, b"plain".to_vec()));
    }
}

const REQUESTED: [u8; 5] = [24, 0, 0, 1, 1];
const NOT_REQUESTED: [u8; 5] = [24, 0, 0, 1, 0];

impl Rig {
    fn new_keys(&mut self) -> Vec<u8> {
        self.context.apply_control_token(&ControlToken::UpdateKeys).unwrap()
    }

    /// The peer hears of our new keys.
    fn peer_hears(&mut self, update: Vec<u8>, message: [u8; 5]) {
        assert_eq!(update.len(), KEY_UPDATE_RECORD);
        assert_eq!(self.peer_opens(update), (HANDSHAKE, message.to_vec()));
        self.from_client.update(self.suite).unwrap();
    }

    /// The peer has new keys.
    fn peer_updates(&mut self, message: [u8; 5]) {
        let update = self.peer_sends(HANDSHAKE, &message);
        assert_eq!(self.receive(update).unwrap(), (Vec::new(), Decrypted::Message));
        self.to_client.update(self.suite).unwrap();
    }

    fn talk(&mut self) {
        let sent = self.send(b"ours");
        assert_eq!(self.peer_opens(sent), (APPLICATION_DATA, b"ours".to_vec()));
        let sent = self.peer_sends(APPLICATION_DATA, b"theirs");
        assert_eq!(self.receive(sent).unwrap(), (b"theirs".to_vec(), Decrypted::Message));
    }
}

#[test]
fn the_application_has_new_keys_and_asks_the_peer_for_its_own() {
    for suite in SUITES.iter().filter(|suite| suite.is_tls13) {
        for is_client in [true, false] {
            let mut rig = rig(suite, is_client);
            for _generation in 0..3 {
                let update = rig.new_keys();
                rig.peer_hears(update, REQUESTED);
                rig.talk();
                rig.peer_updates(NOT_REQUESTED);
                rig.talk();
            }
        }
    }
}

#[test]
fn whoever_wants_new_keys_often_asks_once_and_makes_no_flood() {
    for mut rig in tls13() {
        let update = rig.new_keys();
        rig.peer_hears(update, REQUESTED);
        for _ in 0..3 {
            assert!(rig.new_keys().is_empty(), "nothing was protected with those that there are");
        }
        rig.talk();
        // The peer has not answered, and need not be asked again.
        let update = rig.new_keys();
        rig.peer_hears(update, NOT_REQUESTED);
        rig.peer_updates(NOT_REQUESTED);
        let update = rig.new_keys();
        rig.peer_hears(update, REQUESTED);
        rig.talk();
    }
}

/// Both want new keys at once: each answers the other nevertheless.
///
/// Spec: TLS13 section 4.6.3.
#[test]
fn a_key_update_that_is_owed_is_answered_before_one_of_our_own() {
    for mut rig in tls13() {
        rig.peer_updates(REQUESTED);
        let mut answer = rig.new_keys();
        let update = answer.split_off(KEY_UPDATE_RECORD);
        rig.peer_hears(answer, NOT_REQUESTED);
        rig.peer_hears(update, REQUESTED);
        rig.peer_updates(NOT_REQUESTED);
        rig.talk();
    }
}

#[test]
fn there_are_no_new_keys_in_tls_1_2_nor_on_a_connection_that_is_over() {
    for mut rig in all() {
        let is_tls13 = rig.suite.is_tls13;
        if !is_tls13 {
            let error = rig.context.apply_control_token(&ControlToken::UpdateKeys).unwrap_err();
            assert_eq!(error.status(), SecStatus::SEC_E_UNSUPPORTED_FUNCTION);
            rig.talk();
        }
        rig.context.apply_control_token(&ControlToken::Shutdown).unwrap();
        let error = rig.context.apply_control_token(&ControlToken::UpdateKeys).unwrap_err();
        assert_eq!(error.status(), SecStatus::SEC_E_CONTEXT_EXPIRED);
    }
    for mut rig in tls13() {
        let mut bad = rig.peer_sends(APPLICATION_DATA, b"bad");
        bad[7] ^= 1;
        let first = rig.receive(bad).unwrap_err();
        let error = rig.context.apply_control_token(&ControlToken::UpdateKeys).unwrap_err();
        assert_eq!(error.to_string(), first.to_string());
    }
}

#[test]
fn a_key_that_is_used_up_is_replaced_in_tls_1_3_and_ends_tls_1_2() {
    for mut rig in all() {
        rig.context.sender.sealing.protection.set_limit(3);
        if !rig.suite.is_tls13 {
            // TLS 1.2 began at sequence 1: Finished.
            rig.send(b"1");
            rig.send(b"2");
            let sizes = rig.context.attributes().stream_sizes().unwrap();
            let error = seal(&mut rig.context, &sizes, b"3").unwrap_err();
            assert_eq!(error.status(), SecStatus::SEC_E_ENCRYPT_FAILURE);
            assert!(!rig.context.apply_control_token(&ControlToken::Shutdown).unwrap().is_empty());
            continue;
        }
        for i in 0..3 {
            let record = rig.send(&[i]);
            assert_eq!(rig.peer_opens(record), (APPLICATION_DATA, vec![i]));
        }
        let sent = rig.send(b"next key");
        let (update, data) = sent.split_at(KEY_UPDATE_RECORD);
        assert_eq!(rig.peer_opens(update.to_vec()), (HANDSHAKE, vec![24, 0, 0, 1, 0]));
        rig.from_client.update(rig.suite).unwrap();
        assert_eq!(rig.peer_opens(data.to_vec()), (APPLICATION_DATA, b"next key".to_vec()));
    }
}

#[test]
fn floods_of_harmless_records_are_bounded() {
    for mut rig in all() {
        let mut outcome = Ok((Vec::new(), Decrypted::Message));
        for _ in 0..=FLOOD_LIMIT {
            let record = rig.peer_sends(APPLICATION_DATA, b"");
            outcome = rig.receive(record);
        }
        let error = outcome.unwrap_err();
        assert_eq!((error.status(), error.alert()), (SecStatus::SEC_E_ILLEGAL_MESSAGE, Some(10)));
    }
    for mut rig in tls13() {
        let mut outcome = Ok((Vec::new(), Decrypted::Message));
        for _ in 0..=FLOOD_LIMIT {
            let record = rig.peer_sends(HANDSHAKE, &[24, 0, 0, 1, 0]);
            rig.to_client.update(rig.suite).unwrap();
            outcome = rig.receive(record);
        }
        assert!(outcome.unwrap_err().message().contains("key updates"));
    }
    for suite in SUITES.iter() {
        let mut rig = rig(suite, true);
        let number = if suite.is_tls13 { USER_CANCELED } else { 100 };
        let mut outcome = Ok((Vec::new(), Decrypted::Message));
        for _ in 0..=WARNING_LIMIT {
            let record = rig.peer_sends(ALERT, &[1, number]);
            outcome = rig.receive(record);
        }
        assert!(outcome.unwrap_err().message().contains("warning alerts"));
    }
}

#[test]
fn data_between_harmless_records_resets_their_count() {
    for mut rig in all() {
        for _ in 0..4 {
            for _ in 0..FLOOD_LIMIT {
                let record = rig.peer_sends(APPLICATION_DATA, b"");
                rig.receive(record).unwrap();
            }
            let record = rig.peer_sends(APPLICATION_DATA, b"data");
            rig.receive(record).unwrap();
        }
    }
}

#[test]
fn a_held_handshake_fragment_hinders_nothing_of_ours_and_nothing_may_come_between() {
    for mut rig in tls13() {
        // Half a ticket is held while we send and close.
        let fragment = rig.peer_sends(HANDSHAKE, &[4, 0, 0, 10, 1, 2, 3]);
        assert_eq!(rig.receive(fragment).unwrap(), (Vec::new(), Decrypted::Message));
        let sent = rig.send(b"meanwhile");
        assert_eq!(rig.peer_opens(sent).1, b"meanwhile");
        let rest = rig.peer_sends(HANDSHAKE, &[4, 5, 6, 7, 8, 9, 10]);
        assert_eq!(rig.receive(rest).unwrap(), (Vec::new(), Decrypted::Message));
        let fragment = rig.peer_sends(HANDSHAKE, &[4, 0, 0, 10]);
        rig.receive(fragment).unwrap();
        assert!(!rig.context.apply_control_token(&ControlToken::Shutdown).unwrap().is_empty());
        let between = rig.peer_sends(APPLICATION_DATA, b"between");
        assert_eq!(rig.receive(between).unwrap_err().alert(), Some(10));
    }
}

#[test]
fn handshake_messages_that_are_too_large_or_out_of_place_are_refused() {
    for (message, alert) in [
        (&[4, 1, 0, 1][..], 50),             // a ticket of 64 KiB and a byte
        (&[4, 0xff, 0xff, 0xff], 50),        // 16 MB
        (&[20, 0, 0, 0], 10),                // Finished
        (&[1, 0, 0, 0], 10),                 // ClientHello
        (&[24, 0, 0, 1, 2], 47),             // KeyUpdate of an unknown kind
        (&[24, 0, 0, 2, 0, 0], 50),          // KeyUpdate that is too long
        (&[24, 0, 0, 1, 0, 4, 0, 0, 0], 10), // something behind KeyUpdate
        (&[], 10),                           // nothing
    ] {
        for mut rig in tls13() {
            let record = rig.peer_sends(HANDSHAKE, message);
            let error = rig.receive(record).unwrap_err();
            assert_eq!(error.alert(), Some(alert), "{message:?}: {error}");
        }
    }
}

/// Windows row M7.
#[test]
fn m7_a_hello_request_asks_to_renegotiate_and_is_all_header_and_trailer() {
    for suite in SUITES.iter().filter(|s| !s.is_tls13) {
        let mut rig = rig(suite, true);
        let mut record = rig.peer_sends(HANDSHAKE, &[0, 0, 0, 0]);
        let mut buffers = receive_buffers(record.len());
        assert_eq!(rig.context.decrypt_message(&mut record, &mut buffers).unwrap(), Decrypted::Renegotiate);
        let header = rig.context.attributes().stream_sizes().unwrap().header;
        assert_eq!(buffers.map(|b| b.len), [header, 0, 20, 0]);
        // Declined, the connection goes on.
        let refused = (Box::new(rig.context) as Box<dyn SecurityContext>).renegotiate(&[]).err().unwrap();
        assert_eq!(refused.error.status(), SecStatus::SEC_E_UNSUPPORTED_FUNCTION);
        let mut context = refused.context;
        let decline = ControlToken::Alert { level: AlertLevel::Warning, number: 100 };
        assert!(!context.apply_control_token(&decline).unwrap().is_empty());
        let mut record = rig.to_client.seal_message(APPLICATION_DATA, b"on").unwrap();
        assert_eq!(open(&mut *context, &mut record).unwrap().0, b"on");
    }
}

#[test]
fn requests_to_renegotiate_are_bounded() {
    let suite = SuiteRow::by_code(0xc02f).unwrap();
    for (is_client, message) in [(true, &[0, 0, 0, 0][..]), (false, &[1, 0, 0, 1, 9][..])] {
        let mut rig = rig(suite, is_client);
        for _ in 0..WARNING_LIMIT {
            let record = rig.peer_sends(HANDSHAKE, message);
            assert_eq!(rig.receive(record).unwrap().1, Decrypted::Renegotiate);
        }
        let record = rig.peer_sends(HANDSHAKE, message);
        assert_eq!(rig.receive(record).unwrap_err().alert(), Some(10));
    }
}

#[test]
fn records_that_cannot_be_are_refused_from_their_header() {
    for mut rig in all() {
        for (header, alert) in [
            ([0x47, 0x45, 0x54, 0x20, 0x2f], 10),
            ([23, 2, 0, 0, 5], 10),
            ([24, 3, 3, 0, 5], 10),
            ([23, 3, 3, 0xff, 0xff], 22),
        ] {
            let mut fresh = self::rig(rig.suite, true);
            let error = fresh.receive(header.to_vec()).unwrap_err();
            assert_eq!(error.alert(), Some(alert), "{header:02x?}: {error}");
        }
        // ChangeCipherSpec has no place after the handshake.
        let error = rig.receive(vec![20, 3, 3, 0, 1, 1]).unwrap_err();
        assert!(matches!(error.alert(), Some(10 | 20)), "{error}");
    }
}

#[test]
fn the_halves_work_apart_and_share_the_first_error() {
    for rig in all() {
        let Rig { context, mut to_client, mut from_client, .. } = rig;
        let split = (Box::new(context) as Box<dyn SecurityContext>).split().unwrap();
        let (mut sender, mut receiver) = (split.sender, split.receiver);
        let sizes = split.attributes.stream_sizes().unwrap();
        assert!(matches!(split.attributes.flags(), ContextFlags::Initiator(_)));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for i in 0..200u8 {
                    let mut record = seal(&mut *sender, &sizes, &[i; 100]).unwrap();
                    let opened = from_client.open(&mut record).unwrap();
                    assert_eq!(record[opened.content], [i; 100]);
                }
            });
            scope.spawn(|| {
                for i in 0..200u8 {
                    let mut record = to_client.seal_message(APPLICATION_DATA, &[i; 100]).unwrap();
                    assert_eq!(open(&mut *receiver, &mut record).unwrap().0, [i; 100]);
                }
            });
        });
        let mut bad = to_client.seal_message(APPLICATION_DATA, b"x").unwrap();
        *bad.last_mut().unwrap() ^= 1;
        let error = open(&mut *receiver, &mut bad).unwrap_err();
        assert_eq!(seal(&mut *sender, &sizes, b"y").unwrap_err().to_string(), error.to_string());
    }
}

#[test]
fn truncated_and_padded_inner_plaintexts_are_what_the_specification_says() {
    for mut rig in tls13() {
        // Data, content type, padding: what is behind the last byte that is not zero does not count.
        let mut padded = b"padded".to_vec();
        padded.push(APPLICATION_DATA);
        padded.extend([0; 99]);
        // `seal_message` appends the type of its own: 0 here, so that it becomes padding too.
        let record = rig.peer_sends(0, &padded);
        assert_eq!(rig.receive(record).unwrap().0, b"padded");
        let record = rig.peer_sends(0, &[0; 50]);
        assert_eq!(rig.receive(record).unwrap_err().alert(), Some(10), "no content type at all");
    }
}

#[test]
fn in_tls_1_3_an_alert_is_the_end_whatever_its_level_unless_it_is_one_of_two() {
    for mut rig in tls13() {
        let warning = |number| ControlToken::Alert { level: AlertLevel::Warning, number };
        let sent = rig.context.apply_control_token(&warning(42)).unwrap();
        assert_eq!(rig.peer_opens(sent), (ALERT, vec![2, 42]));
        assert!(
            rig.context.apply_control_token(&ControlToken::Shutdown).unwrap().is_empty(),
            "nothing more is said"
        );
    }
}

#[test]
fn an_alert_has_its_level_whatever_the_application_says() {
    let fatal = [10, 20, 21, 22, 30, 40, 47, 48, 49, 50, 51, 60, 70, 71, 80, 110, 115, 120];
    let (warning, either) = ([0, 41, 90, 100], [42, 43, 44, 45, 46, 112]);
    for suite in SUITES.iter() {
        for (numbers, fixed) in [(&fatal[..], Some(2)), (&warning, Some(1)), (&either, None)] {
            for &number in numbers {
                for level in [AlertLevel::Warning, AlertLevel::Fatal] {
                    let mut rig = rig(suite, true);
                    let token = ControlToken::Alert { level, number };
                    let records = rig.context.apply_control_token(&token).unwrap();
                    // In TLS 1.3 all but two are the end.
                    let is_end = suite.is_tls13 && ![CLOSE_NOTIFY, USER_CANCELED].contains(&number);
                    let said = if is_end { 2 } else { fixed.unwrap_or(level.number()) };
                    let mut expected = vec![vec![said, number]];
                    // Who cancels closes.
                    expected.extend((number == USER_CANCELED).then(|| vec![1, CLOSE_NOTIFY]));
                    assert_eq!(rig.peer_opens_alerts(&records), expected, "{number}");
                    let is_over = said == 2 || [CLOSE_NOTIFY, USER_CANCELED].contains(&number);
                    let sizes = rig.context.attributes().stream_sizes().unwrap();
                    assert_eq!(seal(&mut rig.context, &sizes, b"more").is_err(), is_over, "{number}");
                }
            }
        }
    }
}
