//! How long records are, how many there are, and what else has an end.

use super::super::stream::Stream;
use super::*;

/// A source that has failed.
struct Broken;

impl Random for Broken {
    fn fill(&self, _: &mut [u8]) -> Result<(), RandomError> {
        Err(RandomError)
    }
}

fn message(sealer: &mut Sealer, content_type: ContentType) -> Result<Vec<u8>, RecordError> {
    let mut out = Vec::new();
    sealer.seal_message(content_type, b"ab", &mut out).map(|()| out)
}

#[test]
fn header_says_how_much_is_needed() {
    for opener in all_ways().iter().map(Way::opener).chain([Opener::plaintext()]) {
        let version = opener.version().unwrap_or(0x0301).to_be_bytes();
        let header = [22, version[0], version[1], 0x01, 0x02];
        let record = [&header[..], &[0; 300]].concat();
        for len in 0..5 {
            assert_eq!(opener.record_len(&record[..len]), Ok(Need::More(5 - len)));
        }
        for len in 5..5 + 0x102 {
            assert_eq!(opener.record_len(&record[..len]), Ok(Need::More(5 + 0x102 - len)));
        }
        for len in 5 + 0x102..record.len() {
            assert_eq!(opener.record_len(&record[..len]), Ok(Need::Whole(5 + 0x102)));
        }
    }
}

#[test]
fn what_is_no_record_is_refused_with_its_first_bytes() {
    let opener = Opener::plaintext();
    assert_eq!(opener.record_len(b"GET / "), Err(RecordError::NotARecord { first: *b"GET /" }));
    let first = [22, 2, 0, 0, 1];
    assert_eq!(opener.record_len(&first), Err(RecordError::NotARecord { first }));
    for content_type in (0..20).chain(24..=255) {
        let refused = opener.record_len(&[content_type, 3, 1, 0, 1]);
        assert_eq!(refused, Err(RecordError::UnknownContentType { content_type }));
    }
}

#[test]
fn any_minor_version_goes_until_one_is_negotiated() {
    let mut opener = Opener::plaintext();
    let record = |minor| [22, 3, minor, 0, 1, 0xff];
    for minor in 0..=255 {
        assert_eq!(opener.record_len(&record(minor)), Ok(Need::Whole(6)));
    }
    opener.set_version(0x0302);
    for minor in 0..=255 {
        let received = 0x0300 | u16::from(minor);
        let expected = match minor {
            2 => Ok(Need::Whole(6)),
            _ => Err(RecordError::WrongVersion { received, expected: 0x0302 }),
        };
        assert_eq!(opener.record_len(&record(minor)), expected);
    }
}

#[test]
fn longer_records_than_may_be_are_refused_by_their_header() {
    for (opener, maximum) in all_ways()
        .iter()
        .map(|way| (way.opener(), MAX_CIPHERTEXT))
        .chain([(Opener::plaintext(), MAX_PLAINTEXT)])
    {
        let [major, minor] = opener.version().unwrap_or(0x0301).to_be_bytes();
        let header = |len: usize| [23, major, minor, len.to_be_bytes()[6], len.to_be_bytes()[7]];
        assert_eq!(opener.record_len(&header(maximum)), Ok(Need::More(maximum)));
        for length in [maximum + 1, 0xffff] {
            assert_eq!(opener.record_len(&header(length)), Err(RecordError::Overflow { length, maximum }));
        }
    }
}

#[test]
fn authentic_record_with_too_much_data_is_refused() {
    let way = Way { bulk: Bulk::Null, ..all_ways()[0] };
    let mut stream = Stream::new(None, way.mac.unwrap(), way.keys(&material()).mac_secret).unwrap();
    for (length, is_too_long) in [(MAX_PLAINTEXT, false), (MAX_PLAINTEXT + 1, true)] {
        let header = PseudoHeader {
            sequence: 0,
            content_type: ContentType::HANDSHAKE,
            wire_version: way.wire_version,
        };
        let mut fragment = vec![7; length + stream.mac_len()];
        stream.seal(header, &mut fragment).unwrap();
        let [major, minor] = way.wire_version.to_be_bytes();
        let [high, low] = u16::try_from(fragment.len()).unwrap().to_be_bytes();
        let record = [&[22, major, minor, high, low][..], &fragment].concat();
        let expected = if is_too_long {
            Err(RecordError::Overflow { length, maximum: MAX_PLAINTEXT })
        } else {
            Ok((ContentType::HANDSHAKE, vec![7; length]))
        };
        assert_eq!(opened(&mut way.opener(), &record), expected);
    }
}

#[test]
fn more_data_than_a_record_holds_are_not_sealed() {
    let material = material();
    let ways = all_ways();
    let splitting = ways.iter().map(|way| {
        let keys = Keys { split: true, ..way.keys(&material) };
        Sealer::new(&keys, Arc::new(Counter::default())).unwrap()
    });
    for mut sealer in ways.iter().map(Way::sealer).chain(splitting).chain([Sealer::plaintext(0x0301)]) {
        let layout = sealer.layout();
        let mut memory = vec![0; layout.header + MAX_PLAINTEXT + 1 + layout.trailer];
        let data = layout.header..layout.header + MAX_PLAINTEXT + 1;
        let refused = sealer.seal(ContentType::APPLICATION_DATA, &mut memory, data);
        assert!(matches!(refused, Err(RecordError::Internal(_))));
    }
}

#[test]
#[expect(clippy::reversed_empty_ranges, reason = "that is what is refused")]
fn data_without_room_around_them_are_not_sealed() {
    for way in all_ways() {
        let mut sealer = way.sealer();
        let Layout { header, trailer, .. } = sealer.layout();
        let mut memory = vec![0; header + 10 + trailer];
        let len = memory.len();
        for data in [
            0..10,
            header - 1..header + 9,
            len - 10..len,
            len..len + 1,
            header + 1..header,
            40..30,
            usize::MAX - 1..usize::MAX,
        ] {
            let refused = sealer.seal(ContentType::HANDSHAKE, &mut memory, data.clone());
            assert!(matches!(refused, Err(RecordError::Internal(_))), "{way:?}, {data:?}");
        }
        let record = message(&mut sealer, ContentType::ALERT).unwrap();
        assert!(opened(&mut way.opener(), &record).is_ok(), "{way:?}: the next record is still the first");
    }
}

#[test]
fn anything_but_one_whole_record_is_not_opened() {
    for way in all_ways() {
        let record = message(&mut way.sealer(), ContentType::HANDSHAKE).unwrap();
        let longer = [&record[..], &[0]].concat();
        for wrong in [&record[..4], &record[..record.len() - 1], &longer, &[]] {
            let refused = opened(&mut way.opener(), wrong);
            assert!(matches!(refused, Err(RecordError::Internal(_))), "{way:?}");
        }
    }
}

#[test]
fn sequence_numbers_do_not_wrap() {
    for way in all_ways() {
        let (mut sealer, mut opener) = (way.sealer(), way.opener());
        sealer.set_sequence(u64::MAX - 1);
        opener.set_sequence(u64::MAX - 1);
        let last = message(&mut sealer, ContentType::ALERT).unwrap();
        assert!(opened(&mut opener, &last).is_ok(), "{way:?}");
        let refused = message(&mut sealer, ContentType::ALERT);
        assert_eq!(refused, Err(RecordError::SequenceOverflow), "{way:?}");
        assert_eq!(opened(&mut opener, &last), Err(RecordError::SequenceOverflow), "{way:?}");
    }
}

#[test]
fn two_records_need_two_numbers() {
    let way = all_ways().into_iter().find(|way| way.block_len().is_some()).unwrap();
    let material = material();
    let keys = Keys { split: true, ..way.keys(&material) };
    let mut sealer = Sealer::new(&keys, Arc::new(Counter::default())).unwrap();
    sealer.set_sequence(u64::MAX - 1);
    let mut memory = [0; 256];
    let refused = sealer.seal(ContentType::APPLICATION_DATA, &mut memory, 100..110);
    assert_eq!(refused, Err(RecordError::SequenceOverflow));
    assert!(message(&mut sealer, ContentType::ALERT).is_ok());
}

#[test]
fn used_up_key_seals_no_application_data_but_alerts_and_handshakes() {
    for way in all_ways() {
        let material = material();
        let keys = Keys { data_limit: 20, ..way.keys(&material) };
        let mut sealer = Sealer::new(&keys, Arc::new(Counter::default())).unwrap();
        let mut opener = Opener::new(&keys).unwrap();
        for size in [19, 1] {
            assert!(!sealer.is_used_up() && !opener.is_used_up(), "{way:?}");
            let record = sealed(&mut sealer, ContentType::APPLICATION_DATA, &[5; 20][..size]);
            assert!(opened(&mut opener, &record).is_ok(), "{way:?}");
        }
        assert!(sealer.is_used_up() && opener.is_used_up(), "{way:?}");
        assert_eq!(message(&mut sealer, ContentType::APPLICATION_DATA), Err(RecordError::KeyUsedUp));
        for content_type in [ContentType::ALERT, ContentType::HANDSHAKE, ContentType::CHANGE_CIPHER_SPEC] {
            let record = message(&mut sealer, content_type).unwrap();
            assert!(opened(&mut opener, &record).is_ok(), "{way:?}");
        }
    }
}

#[test]
fn aes_gcm_is_used_up_after_two_to_the_24_records_and_others_are_not() {
    for way in all_ways() {
        let mut sealer = way.sealer();
        sealer.set_sequence((1 << 24) - 1);
        assert!(!sealer.is_used_up(), "{way:?}");
        message(&mut sealer, ContentType::APPLICATION_DATA).unwrap();
        let is_gcm = matches!(way.bulk, Bulk::Aead(_));
        assert_eq!(sealer.is_used_up(), is_gcm, "{way:?}");
        assert_eq!(message(&mut sealer, ContentType::APPLICATION_DATA).is_err(), is_gcm, "{way:?}");
    }
}

#[test]
fn without_randomness_no_explicit_vector_and_no_record() {
    for way in all_ways() {
        let mut sealer = Sealer::new(&way.keys(&material()), Arc::new(Broken)).unwrap();
        let mut out = b"before".to_vec();
        let result = sealer.seal_message(ContentType::HANDSHAKE, b"ab", &mut out);
        if way.block_len().is_some() && way.cbc_iv == CbcIv::Explicit {
            assert_eq!((result, out), (Err(RecordError::Random), b"before".to_vec()), "{way:?}");
        } else {
            assert_eq!(result, Ok(()), "{way:?}");
        }
    }
}

#[test]
fn keys_of_wrong_lengths_make_no_protection() {
    for way in all_ways().into_iter().filter(|way| way.bulk != Bulk::Null) {
        let material = material();
        let keys = way.keys(&material);
        let wrong = [
            Keys { key: &keys.key[1..], ..way.keys(&material) },
            Keys { key: &[], ..way.keys(&material) },
            Keys { iv: &material[..5], ..way.keys(&material) },
            Keys { mac: None, ..way.keys(&material) },
            Keys { mac_secret: &material[..keys.mac_secret.len() + 1], ..way.keys(&material) },
        ];
        for (at, keys) in wrong.iter().enumerate() {
            // RC4 takes a key of nearly any length; a vector or a MAC that is not needed is not looked at.
            let is_taken = match (at, way.bulk) {
                (0 | 2, Bulk::Rc4) | (3 | 4, Bulk::Aead(_)) => true,
                (2, Bulk::Cbc(_)) => way.cbc_iv == CbcIv::Explicit,
                _ => false,
            };
            let sealer = Sealer::new(keys, Arc::new(Counter::default()));
            assert_eq!((sealer.is_ok(), Opener::new(keys).is_ok()), (is_taken, is_taken), "{way:?}, {at}");
        }
    }
}

#[test]
fn chacha20_is_not_taken_for_aes_gcm() {
    let material = material();
    let way = Way { bulk: Bulk::Aead(AeadAlgorithm::ChaCha20Poly1305), ..all_ways()[0] };
    let keys = way.keys(&material);
    assert!(matches!(Opener::new(&keys), Err(RecordError::Internal(_))));
    assert!(matches!(Sealer::new(&keys, Arc::new(Broken)), Err(RecordError::Internal(_))));
}

#[test]
fn version_under_protection_stays() {
    for way in all_ways() {
        let (mut sealer, mut opener) = (way.sealer(), way.opener());
        sealer.set_wire_version(0x0399);
        let record = message(&mut sealer, ContentType::HANDSHAKE).unwrap();
        assert!(opened(&mut opener, &record).is_ok(), "{way:?}");
    }
}

#[test]
fn debug_shows_no_secret() {
    for way in all_ways() {
        let shown = format!("{:?} {:?}", way.sealer(), way.opener());
        assert_eq!(
            shown,
            format!(
                "Sealer {{ wire_version: {0}, sequence: 0, .. }} Opener {{ version: Some({0}), sequence: 0, \
                 failed: None, .. }}",
                way.wire_version
            )
        );
    }
}
