//! Application data in two records, so that nobody who chooses them knows the initialization vector they meet (BEAST).

use super::*;

/// The ways in which the initialization vector is the last block of the record before.
fn chained() -> Vec<Way> {
    all_ways().into_iter().filter(|way| way.block_len().is_some() && way.cbc_iv == CbcIv::Chained).collect()
}

fn splitting(way: &Way) -> Sealer {
    let material = material();
    let keys = Keys { split: true, ..way.keys(&material) };
    Sealer::new(&keys, Arc::new(Counter::default())).unwrap()
}

/// The contents of the records that follow each other in `records`.
fn contents(opener: &mut Opener, mut records: &[u8]) -> Vec<Vec<u8>> {
    let mut contents = Vec::new();
    while let Ok(Need::Whole(len)) = opener.record_len(records) {
        contents.push(opened(opener, &records[..len]).unwrap().1);
        records = &records[len..];
    }
    assert_eq!(records, []);
    contents
}

#[test]
fn application_data_are_sent_as_one_byte_and_the_others() {
    assert_eq!(chained().len(), 2 * 2 * 6);
    for way in chained() {
        let (mut sealer, mut opener) = (splitting(&way), way.opener());
        for size in [2, 3, 8, 9, 100, MAX_PLAINTEXT] {
            let data: Vec<u8> = (0..size).map(|at| at.to_le_bytes()[0]).collect();
            let records = sealed(&mut sealer, ContentType::APPLICATION_DATA, &data);
            let expected = [data[..1].to_vec(), data[1..].to_vec()];
            assert_eq!(contents(&mut opener, &records), expected, "{way:?}, {size} bytes");
        }
    }
}

#[test]
fn header_is_a_whole_record_and_a_header_that_ends_where_the_second_byte_is() {
    let sha1_aes = Way {
        wire_version: 0x0301,
        bulk: Bulk::Cbc(BlockCipher::Aes128),
        mac: Some(MacKind { construction: MacConstruction::Hmac, hash: Hash::Sha1 }),
        padding: Padding::Tls,
        cbc_iv: CbcIv::Chained,
    };
    let mut sealer = splitting(&sha1_aes);
    // 1 + 20 + 1 bytes are two blocks of 16.
    assert_eq!(
        sealer.layout(),
        Layout { header: 5 + 32 + 4, trailer: 20 + 16, block: 16, max_data: MAX_PLAINTEXT }
    );
    let mut memory = [0xee; 3 + 41 + 12 + 36 + 3];
    memory[44..56].copy_from_slice(b"hello, world");
    // 11 + 20 + 1 bytes are two blocks as well.
    assert_eq!(sealer.seal(ContentType::APPLICATION_DATA, &mut memory, 44..56), Ok(3..45 + 32));
    assert_eq!(memory[..3], [0xee; 3]);
    assert_eq!(memory[3..8], [23, 3, 1, 0, 32]);
    assert_eq!(memory[40..45], [23, 3, 1, 0, 32]);
    assert_eq!(memory[77..], [0xee; 18]);
    assert_eq!(contents(&mut sha1_aes.opener(), &memory[3..77]), [b"h".to_vec(), b"ello, world".to_vec()]);
}

#[test]
fn nothing_else_is_split() {
    for way in chained() {
        let (mut sealer, mut opener) = (splitting(&way), way.opener());
        for (content_type, data) in [
            (ContentType::APPLICATION_DATA, &b""[..]),
            (ContentType::APPLICATION_DATA, b"1"),
            (ContentType::HANDSHAKE, b"hello"),
            (ContentType::ALERT, &[1, 0]),
        ] {
            let records = sealed(&mut sealer, content_type, data);
            assert_eq!(contents(&mut opener, &records), [data], "{way:?}");
        }
        let mut records = Vec::new();
        sealer.seal_message(ContentType::APPLICATION_DATA, b"data", &mut records).unwrap();
        assert_eq!(contents(&mut opener, &records), [b"data"], "{way:?}");
    }
}

#[test]
fn splitting_is_done_only_where_vectors_are_chained() {
    for way in all_ways() {
        let (mut sealer, is_chained) = (
            splitting(&way),
            chained().iter().any(|other| other.bulk == way.bulk && other.wire_version == way.wire_version),
        );
        let records = sealed(&mut sealer, ContentType::APPLICATION_DATA, b"data");
        let count = if is_chained { 2 } else { 1 };
        assert_eq!(contents(&mut way.opener(), &records).len(), count, "{way:?}");
        assert_eq!(sealer.layout().header > way.sealer().layout().header, is_chained, "{way:?}");
    }
}

#[test]
fn without_room_in_front_nothing_is_sealed() {
    for way in chained() {
        let (mut sealer, mut opener) = (splitting(&way), way.opener());
        let header = sealer.layout().header;
        let mut memory = [0; 256];
        let refused = sealer.seal(ContentType::APPLICATION_DATA, &mut memory, header - 1..header + 9);
        assert!(matches!(refused, Err(RecordError::Internal(_))), "{way:?}");
        let refused = sealer.seal(ContentType::APPLICATION_DATA, &mut memory, 240..250);
        assert!(matches!(refused, Err(RecordError::Internal(_))), "{way:?}");
        // The next record is still the first.
        let records = sealed(&mut sealer, ContentType::APPLICATION_DATA, b"data");
        assert_eq!(contents(&mut opener, &records).concat(), b"data", "{way:?}");
    }
}
