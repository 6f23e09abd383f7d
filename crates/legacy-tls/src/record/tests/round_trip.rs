//! What is sealed is opened, in every way.

use super::*;

/// None, one, the edges of blocks and of what a record holds.
const SIZES: [usize; 14] = [0, 1, 2, 7, 8, 9, 15, 16, 17, 255, 256, 1000, (1 << 14) - 1, 1 << 14];

#[test]
fn what_is_sealed_is_opened_at_every_size() {
    for way in all_ways() {
        let (mut sealer, mut opener) = (way.sealer(), way.opener());
        for size in SIZES {
            let data: Vec<u8> = (0..size).map(|at| at.to_le_bytes()[0]).collect();
            let record = sealed(&mut sealer, ContentType::APPLICATION_DATA, &data);
            assert_eq!(opener.record_len(&record), Ok(Need::Whole(record.len())), "{way:?}, {size} bytes");
            let content = opened(&mut opener, &record);
            assert_eq!(content, Ok((ContentType::APPLICATION_DATA, data)), "{way:?}, {size} bytes");
        }
    }
}

#[test]
fn messages_longer_than_a_record_become_several() {
    for way in all_ways() {
        let (mut sealer, mut opener) = (way.sealer(), way.opener());
        let message: Vec<u8> = (0..2 * MAX_PLAINTEXT + 5).map(|at| at.to_le_bytes()[0]).collect();
        let mut out = b"before".to_vec();
        sealer.seal_message(ContentType::HANDSHAKE, &message, &mut out).unwrap();
        let (mut rest, mut content, mut lengths) = (&out[6..], Vec::new(), Vec::new());
        while let Ok(Need::Whole(len)) = opener.record_len(rest) {
            let (content_type, part) = opened(&mut opener, &rest[..len]).unwrap();
            assert_eq!(content_type, ContentType::HANDSHAKE);
            lengths.push(part.len());
            content.extend(part);
            rest = &rest[len..];
        }
        assert_eq!((rest, content), (&[][..], message), "{way:?}");
        assert_eq!(lengths, [MAX_PLAINTEXT, MAX_PLAINTEXT, 5], "{way:?}");
    }
}

#[test]
fn records_in_clear_are_a_header_and_the_data() {
    let mut sealer = Sealer::plaintext(0x0301);
    let mut out = Vec::new();
    sealer.seal_message(ContentType::HANDSHAKE, b"hello", &mut out).unwrap();
    sealer.set_wire_version(0x0303);
    sealer.seal_message(ContentType::ALERT, &[2, 40], &mut out).unwrap();
    assert_eq!(out, b"\x16\x03\x01\x00\x05hello\x15\x03\x03\x00\x02\x02\x28");
    let mut opener = Opener::plaintext();
    assert_eq!(opener.record_len(&out), Ok(Need::Whole(10)));
    assert_eq!(opened(&mut opener, &out[..10]), Ok((ContentType::HANDSHAKE, b"hello".to_vec())));
    assert_eq!(opened(&mut opener, &out[10..]), Ok((ContentType::ALERT, vec![2, 40])));
}
