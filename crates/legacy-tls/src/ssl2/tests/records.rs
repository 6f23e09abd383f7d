//! Records: both headers, every length, nothing tampered with.

use super::*;
use crate::record::{ContentType, Need, Opener, RecordError, Sealer};
use crate::ssl2::record::{Header, MAX_DATA, Opening, Sealing};

/// Both ends of one direction.
fn directions(row: &KindRow) -> (Sealing, Opening) {
    let (key, iv) = (vec![0x42; row.key_len], vec![0x17; 8]);
    let iv = &iv[..row.key_arg_len()];
    let (mut sealing, mut opening) = (Sealing::clear(), Opening::clear());
    sealing.protect(row, &key, iv, u64::MAX).unwrap();
    opening.protect(row, &key, iv, u64::MAX).unwrap();
    (sealing, opening)
}

fn data(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at * 7 % 251).to_le_bytes()[0]).collect()
}

#[test]
fn headers_are_read_as_the_document_draws_them() {
    let whole = |len, body, padding| Ok(Ok(Header { len, body, padding }));
    assert_eq!(Header::read(&[0x80, 0x03]), whole(2, 3, 0));
    assert_eq!(Header::read(&[0xff, 0xff]), whole(2, 32_767, 0));
    assert_eq!(Header::read(&[0x00, 0x18, 0x05]), whole(3, 24, 5));
    assert_eq!(Header::read(&[0x3f, 0xff, 0xff]), whole(3, 16_383, 255));
    assert_eq!(Header::read(&[]), Ok(Err(2)));
    assert_eq!(Header::read(&[0x80]), Ok(Err(1)));
    assert_eq!(Header::read(&[0x00]), Ok(Err(2)));
    assert_eq!(Header::read(&[0x00, 0x01]), Ok(Err(1)));
    for escape in 0x40..0x80 {
        assert!(matches!(Header::read(&[escape, 1, 2]), Err(RecordError::NotARecord { .. })), "{escape}");
    }
}

#[test]
fn every_length_comes_back_and_the_shorter_header_is_used_where_it_can_be() {
    for row in KINDS {
        let (mut sealing, mut opening) = directions(row);
        for len in (0..70).chain([1000, MAX_DATA - 1, MAX_DATA]) {
            let mut record = Vec::new();
            sealing.append(&data(len), &mut record).unwrap();
            let header = Header::read(&record).unwrap().unwrap();
            let padded = row.key_arg_len() > 0 && len % 8 > 0;
            assert_eq!((header.len == 3, header.padding > 0), (padded, padded), "{}: {len}", row.suite.name);
            assert!(header.body <= 0x3fff);
            for cut in 0..record.len().min(40) {
                let Need::More(missing) = Header::record_len(&record[..cut]).unwrap() else { panic!() };
                assert!(missing > 0 && cut + missing <= record.len());
            }
            assert_eq!(Header::record_len(&record), Ok(Need::Whole(record.len())));
            let opened = opening.open(&mut record).unwrap();
            assert_eq!(record[opened.content], data(len), "{}: {len}", row.suite.name);
        }
    }
}

#[test]
fn data_is_sealed_where_it_lies() {
    for row in KINDS {
        let (sealing, opening) = directions(row);
        let (mut sealer, mut opener) = (Sealer::ssl2(sealing), Opener::ssl2(opening));
        let layout = sealer.layout();
        for len in [0, 1, 8, 100, sealer.layout().max_data] {
            let mut memory = vec![0xaa; 5 + layout.header];
            memory.extend(data(len));
            memory.resize(memory.len() + layout.trailer + 5, 0xaa);
            let at = 5 + layout.header..5 + layout.header + len;
            let range = sealer.seal(ContentType::APPLICATION_DATA, &mut memory, at).unwrap();
            assert!(memory[..range.start].iter().chain(&memory[range.end..]).all(|byte| *byte == 0xaa));
            let mut record = memory[range].to_vec();
            assert_eq!(opener.record_len(&record), Ok(Need::Whole(record.len())));
            let opened = opener.open(&mut record).unwrap();
            assert_eq!(record[opened.content], data(len));
        }
    }
}

#[test]
fn there_is_nothing_but_application_data() {
    let (sealing, _) = directions(&KINDS[0]);
    let mut sealer = Sealer::ssl2(sealing);
    for content_type in [ContentType::ALERT, ContentType::HANDSHAKE, ContentType::CHANGE_CIPHER_SPEC] {
        let mut out = Vec::new();
        assert!(sealer.seal_message(content_type, b"x", &mut out).is_err());
        assert!(out.is_empty());
    }
    let too_long = sealer.layout().max_data + 1;
    let mut memory = vec![0; 100 + too_long];
    assert!(sealer.seal(ContentType::APPLICATION_DATA, &mut memory, 50..50 + too_long).is_err());
    assert!(sealer.seal(ContentType::APPLICATION_DATA, &mut memory, 2..10).is_err(), "no room in front");
    let mut out = Vec::new();
    sealer.seal_message(ContentType::APPLICATION_DATA, &data(50_000), &mut out).unwrap();
    let (_, opening) = directions(&KINDS[0]);
    let (mut opener, mut received) = (Opener::ssl2(opening), Vec::new());
    while !out.is_empty() {
        let Need::Whole(len) = opener.record_len(&out).unwrap() else { panic!() };
        let rest = out.split_off(len);
        let opened = opener.open(&mut out).unwrap();
        received.extend_from_slice(&out[opened.content]);
        out = rest;
    }
    assert_eq!(received, data(50_000));
}

#[test]
fn a_changed_byte_anywhere_is_refused_with_one_answer() {
    for row in KINDS {
        let (mut sealing, _) = directions(row);
        let mut record = Vec::new();
        sealing.append(&data(45), &mut record).unwrap();
        // The third byte is that of the next test.
        for at in (0..record.len()).filter(|at| row.key_arg_len() == 0 || *at != 2) {
            for bit in 0..8 {
                let mut changed = record.clone();
                changed[at] ^= 1 << bit;
                if Header::record_len(&changed) != Ok(Need::Whole(changed.len())) {
                    continue;
                }
                let (_, opening) = directions(row);
                let mut opener = Opener::ssl2(opening);
                assert_eq!(opener.open(&mut changed), Err(RecordError::BadMac), "{}: {at}", row.suite.name);
                assert!(changed.iter().all(|byte| *byte == 0));
                let mut right = record.clone();
                assert_eq!(opener.open(&mut right), Err(RecordError::BadMac), "it stays failed");
            }
        }
    }
}

#[test]
fn a_record_again_or_out_of_order_is_refused() {
    for row in KINDS {
        let (mut sealing, mut opening) = directions(row);
        let (mut first, mut second) = (Vec::new(), Vec::new());
        sealing.append(b"first", &mut first).unwrap();
        sealing.append(b"second", &mut second).unwrap();
        let again = first.clone();
        opening.open(&mut first).unwrap();
        assert_eq!(opening.open(&mut again.clone()), Err(RecordError::BadMac));
        let (_, mut other) = directions(row);
        assert_eq!(other.open(&mut second), Err(RecordError::BadMac));
    }
}

/// Wagner and Schneier, Analysis of the SSL 3.0 protocol, 1996, section 3: a flaw of the document.
#[test]
fn the_amount_of_padding_is_not_authentic_but_bounded() {
    for row in KINDS {
        let is_block = row.key_arg_len() > 0;
        let (mut sealing, _) = directions(row);
        let mut record = Vec::new();
        sealing.append(&data(44), &mut record).unwrap();
        let body = record[if is_block { 3 } else { 2 }..].to_vec();
        let [high, low] = u16::try_from(body.len()).unwrap().to_be_bytes();
        for padding in 0..=255_u8 {
            let mut changed = [&[high, low, padding][..], &body].concat();
            let opened = directions(row).1.open(&mut changed);
            if padding <= if is_block { 7 } else { 0 } {
                let text = if is_block { 48 } else { 44 };
                assert_eq!(opened.unwrap().content.len(), text - usize::from(padding));
            } else {
                assert_eq!(opened, Err(RecordError::BadMac), "{}: {padding}", row.suite.name);
            }
        }
    }
}

#[test]
fn a_small_block_cipher_has_an_end() {
    for row in KINDS {
        let (key, iv) = (vec![1; row.key_len], [2; 8]);
        let (mut sealing, mut opening) = (Sealing::clear(), Opening::clear());
        sealing.protect(row, &key, &iv[..row.key_arg_len()], 100).unwrap();
        opening.protect(row, &key, &iv[..row.key_arg_len()], 100).unwrap();
        let (mut sealer, mut opener) = (Sealer::ssl2(sealing), Opener::ssl2(opening));
        let is_block = row.key_arg_len() > 0;
        let mut record = Vec::new();
        sealer.seal_message(ContentType::APPLICATION_DATA, &[0; 100], &mut record).unwrap();
        opener.open(&mut record).unwrap();
        assert_eq!((sealer.is_used_up(), opener.is_used_up()), (is_block, is_block));
        let more = sealer.seal_message(ContentType::APPLICATION_DATA, &[0], &mut Vec::new());
        assert_eq!(more, if is_block { Err(RecordError::KeyUsedUp) } else { Ok(()) });
    }
}
