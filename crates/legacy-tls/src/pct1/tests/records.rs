//! Records: every length, damage at every byte, order, and their end.

use proptest::prelude::*;

use super::super::keys::DirectionKeys;
use super::super::records::{self, Begin, Header, MAX_LONG, MAX_SHORT};
use super::super::specs::Spec;
use super::*;
use crate::record::RecordError;

/// Both ends of one direction.
fn direction(spec: &'static Spec, sequence: u32, data_limit: u64) -> (Sealer, Opener) {
    let key = match spec.row.bulk {
        record::Bulk::Cbc(cipher) => cipher.key_len(),
        _ => 16,
    };
    let keys = || DirectionKeys {
        mac: vec![7; 16].into(),
        cipher: (0..u8::try_from(key).unwrap()).collect::<Vec<u8>>().into(),
    };
    let begin = Begin { spec, iv: &[9; 8], sequence, data_limit };
    let sealer = Sealer::pct1(records::Sealer::new(keys(), begin).unwrap());
    (sealer, Opener::pct1(records::Opener::new(keys(), None, begin).unwrap()))
}

#[test]
fn every_length_up_to_many_blocks_comes_back_in_the_shortest_record() {
    for spec in SPECS {
        let (mut sealer, mut opener) = direction(spec, 0, u64::MAX);
        let mac = spec.hash_kind().len();
        for len in 0..70 {
            let data = vec![3; len];
            let record = seal(&mut sealer, &data);
            let padding = if spec.key_arg_len() == 8 { len.next_multiple_of(8) - len } else { 0 };
            let header = if padding == 0 { 2 } else { 3 };
            assert_eq!(record.len(), header + len + padding + mac, "{} {len}", spec.row.name);
            assert_eq!(open(&mut opener, &record).unwrap(), (ContentType::APPLICATION_DATA, data));
        }
    }
}

#[test]
fn the_longest_data_fit_and_one_byte_more_does_not() {
    for spec in SPECS {
        let (mut sealer, mut opener) = direction(spec, 0, u64::MAX);
        let layout = sealer.layout();
        for len in layout.max_data - 8..=layout.max_data {
            let data = vec![1; len];
            let record = seal(&mut sealer, &data);
            let header = Header::read(&record).unwrap();
            assert!(header.body <= if header.len == 2 { MAX_SHORT } else { MAX_LONG });
            assert_eq!(open(&mut opener, &record).unwrap().1, data);
        }
        let mut memory = vec![0; layout.header + layout.max_data + 1 + layout.trailer + 8];
        let at = layout.header..layout.header + layout.max_data + 1;
        assert!(sealer.seal(ContentType::APPLICATION_DATA, &mut memory, at).is_err());
    }
}

#[test]
fn nothing_outside_the_record_is_touched() {
    for code in [RC4_MD5, DES_SHA] {
        let (mut sealer, _) = direction(Spec::of_suite(CipherSuite(code)).unwrap(), 0, u64::MAX);
        let layout = sealer.layout();
        for len in 0..20 {
            let mut memory = vec![0x55; 10 + layout.header + len + layout.trailer + 10];
            let begin = 10 + layout.header;
            let range = sealer.seal(ContentType::APPLICATION_DATA, &mut memory, begin..begin + len).unwrap();
            assert!(range.start >= 10 && range.end <= begin + len + layout.trailer);
            assert!(memory[..range.start].iter().chain(&memory[range.end..]).all(|byte| *byte == 0x55));
        }
    }
}

#[test]
fn a_changed_bit_anywhere_behind_the_header_is_an_integrity_failure() {
    for spec in SPECS {
        let record = seal(&mut direction(spec, 5, u64::MAX).0, b"thirteen bytes"[..13].as_ref());
        let header = Header::read(&record).unwrap().len;
        for at in header..record.len() {
            let (_, mut opener) = direction(spec, 5, u64::MAX);
            let mut record = record.clone();
            record[at] ^= 1;
            assert_eq!(
                open(&mut opener, &record).unwrap_err(),
                RecordError::BadMac,
                "{} {at}",
                spec.row.name
            );
        }
    }
}

#[test]
fn a_record_of_another_length_is_an_integrity_failure() {
    for spec in SPECS {
        let record = seal(&mut direction(spec, 5, u64::MAX).0, &[7; 21]);
        let header = Header::read(&record).unwrap();
        for body in 0..header.body {
            let mut cut = record[..header.len + body].to_vec();
            let [.., high, low] = body.to_be_bytes();
            cut[0] = cut[0] & 0xc0 | high;
            cut[1] = low;
            let (_, mut opener) = direction(spec, 5, u64::MAX);
            assert_eq!(open(&mut opener, &cut).unwrap_err(), RecordError::BadMac, "{} {body}", spec.row.name);
        }
    }
}

#[test]
fn records_out_of_order_again_or_left_out_are_integrity_failures() {
    for spec in SPECS {
        let (mut sealer, mut opener) = direction(spec, 2, u64::MAX);
        let [first, second, third] = [b"1", b"2", b"3"].map(|data| seal(&mut sealer, data));
        open(&mut opener, &first).unwrap();
        let fails = |record: &[u8]| {
            let (_, mut opener) = direction(spec, 2, u64::MAX);
            open(&mut opener, &first).unwrap();
            assert_eq!(open(&mut opener, record).unwrap_err(), RecordError::BadMac, "{}", spec.row.name);
        };
        fails(&first);
        fails(&third);
        open(&mut opener, &second).unwrap();
        open(&mut opener, &third).unwrap();
    }
}

#[test]
fn padding_of_a_block_or_more_is_refused() {
    let spec = Spec::of_suite(CipherSuite(DES_SHA)).unwrap();
    for padding in 0..=255 {
        let (mut sealer, mut opener) = direction(spec, 0, u64::MAX);
        let mut record = seal(&mut sealer, &[1; 15]);
        assert_eq!(record[2], 1);
        record[2] = padding;
        // The header is not authenticated: the draft lets a shorter or longer end of the data pass, up to the bound.
        assert_eq!(open(&mut opener, &record).is_ok(), padding <= 7, "{padding}");
    }
    let spec = Spec::of_suite(CipherSuite(RC4_MD5)).unwrap();
    let (mut sealer, mut opener) = direction(spec, 0, u64::MAX);
    let record = seal(&mut sealer, &[1; 15]);
    let padded = [&[0, 31, 1], &record[2..]].concat();
    assert_eq!(open(&mut opener, &padded).unwrap_err(), RecordError::BadMac, "a stream cipher pads nothing");
}

#[test]
fn both_headers_are_read_where_there_is_no_padding() {
    let spec = Spec::of_suite(CipherSuite(DES_SHA)).unwrap();
    let (mut sealer, mut opener) = direction(spec, 0, u64::MAX);
    let record = seal(&mut sealer, &[1; 16]);
    assert_eq!(record[0], 0x80);
    let long = [&[0, record[1], 0], &record[2..]].concat();
    assert_eq!(open(&mut opener, &long).unwrap().1, [1; 16]);
}

#[test]
fn data_out_of_band_come_apart_from_the_others() {
    for spec in SPECS {
        let (mut sealer, mut opener) = direction(spec, 0, u64::MAX);
        let mut wire = Vec::new();
        sealer.seal_out_of_band(b"urgent", &mut wire).unwrap();
        let Need::Whole(len) = opener.record_len(&wire).unwrap() else { panic!() };
        assert_eq!(wire[0] & 0xc0, 0x40, "an escape");
        let (kind, content) = open(&mut opener, &wire[..len]).unwrap();
        assert_eq!((kind, content.len()), (ContentType::APPLICATION_DATA, 0), "the escape itself is nothing");
        assert_eq!(open(&mut opener, &wire[len..]).unwrap(), (ContentType::OUT_OF_BAND, b"urgent".to_vec()));
        let after = seal(&mut sealer, b"calm");
        assert_eq!(open(&mut opener, &after).unwrap(), (ContentType::APPLICATION_DATA, b"calm".to_vec()));
    }
}

#[test]
fn an_escape_that_does_not_exist_is_refused() {
    let spec = Spec::of_suite(CipherSuite(RC4_MD5)).unwrap();
    for code in [&b"\x00"[..], b"\x03", b"\xff", b"", b"\x01\x01"] {
        let (sealer, mut opener) = direction(spec, 0, u64::MAX);
        let (mut sealer, mut wire) = (sealer.into_pct1().unwrap(), Vec::new());
        sealer.append(code, true, &mut wire).unwrap();
        let error = open(&mut opener, &wire).unwrap_err();
        assert!(matches!(error, RecordError::UnknownContentType { .. }), "{error}");
        assert_eq!(super::super::error::code(&error.into()), Some(pct1::ErrorCode::ILLEGAL_MESSAGE));
    }
}

#[test]
fn a_number_never_wraps() {
    let spec = Spec::of_suite(CipherSuite(RC4_MD5)).unwrap();
    let (mut sealer, mut opener) = direction(spec, u32::MAX - 1, u64::MAX);
    for _ in 0..2 {
        let record = seal(&mut sealer, b"x");
        open(&mut opener, &record).unwrap();
    }
    assert!(sealer.is_used_up());
    let mut memory = vec![0; 100];
    let error = sealer.seal(ContentType::APPLICATION_DATA, &mut memory, 10..11).unwrap_err();
    assert_eq!(error, RecordError::KeyUsedUp);
    let (mut sealer, _) = direction(spec, 0, u64::MAX);
    let record = seal(&mut sealer, b"x");
    assert_eq!(open(&mut opener, &record).unwrap_err(), RecordError::SequenceOverflow);
}

#[test]
fn a_key_with_small_blocks_is_used_up_and_a_stream_is_not() {
    for (code, is_bounded) in [(DES_SHA, true), (RC4_MD5, false)] {
        let (mut sealer, mut opener) = direction(Spec::of_suite(CipherSuite(code)).unwrap(), 0, 100);
        let record = seal(&mut sealer, &[1; 100]);
        open(&mut opener, &record).unwrap();
        assert_eq!((sealer.is_used_up(), opener.is_used_up()), (is_bounded, is_bounded));
    }
}

#[test]
fn only_data_are_sealed() {
    let (mut sealer, _) = direction(Spec::of_suite(CipherSuite(RC4_MD5)).unwrap(), 0, u64::MAX);
    assert!(sealer.seal(ContentType::ALERT, &mut [0; 100], 10..12).is_err());
    assert!(sealer.seal_message(ContentType::HANDSHAKE, b"x", &mut Vec::new()).is_err());
    assert!(Sealer::plaintext(0x0301).seal_out_of_band(b"x", &mut Vec::new()).is_err());
}

proptest! {
    #[test]
    fn headers_say_how_much_is_missing(bytes in proptest::collection::vec(any::<u8>(), 0..6)) {
        let (_, opener) = direction(&SPECS[0], 0, u64::MAX);
        match opener.record_len(&bytes).unwrap() {
            Need::Whole(len) => prop_assert!(len >= 2 && len <= bytes.len()),
            Need::More(missing) => prop_assert!(missing > 0 && missing <= 3 + MAX_SHORT),
        }
    }

    #[test]
    fn any_bytes_are_opened_or_refused(bytes in proptest::collection::vec(any::<u8>(), 2..200), at in 0..64_usize) {
        let (_, mut opener) = direction(&SPECS[at % SPECS.len()], 0, u64::MAX);
        if let Need::Whole(len) = opener.record_len(&bytes).unwrap() {
            prop_assert!(opener.open(&mut bytes[..len].to_vec()).is_err());
        }
    }
}
