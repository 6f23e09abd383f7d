//! Records that were changed, moved, repeated or cut on their way are refused.

use super::*;

/// Data with which the last block of every cipher holds a part of the MAC: for SSL 3.0 no block of padding alone.
const DATA: &[u8] = b"attack at dawn, or at noon, but surely";

#[test]
fn any_changed_byte_is_refused() {
    for way in all_ways() {
        let record = sealed(&mut way.sealer(), ContentType::APPLICATION_DATA, DATA);
        for at in 0..record.len() {
            for change in [0x01, 0x80] {
                let mut record = record.clone();
                record[at] ^= change;
                let opener = &mut way.opener();
                let Ok(Need::Whole(len)) = opener.record_len(&record) else { continue };
                assert_eq!(opened(opener, &record[..len]), Err(RecordError::BadMac), "{way:?}, byte {at}");
            }
        }
    }
}

#[test]
fn other_header_is_refused() {
    for way in all_ways() {
        let record = sealed(&mut way.sealer(), ContentType::APPLICATION_DATA, DATA);
        let with = |at: usize, value| {
            let mut record = record.clone();
            record[at] = value;
            opened(&mut way.opener(), &record)
        };
        assert_eq!(with(0, 22), Err(RecordError::BadMac), "{way:?}");
        assert_eq!(with(0, 24), Err(RecordError::UnknownContentType { content_type: 24 }));
        let [_, minor] = way.wire_version.to_be_bytes();
        let wrong =
            RecordError::WrongVersion { received: 0x0300 | u16::from(minor ^ 1), expected: way.wire_version };
        assert_eq!(with(2, minor ^ 1), Err(wrong), "{way:?}");
    }
}

#[test]
fn records_out_of_their_order_are_refused() {
    for way in all_ways() {
        let mut sealer = way.sealer();
        let first = sealed(&mut sealer, ContentType::APPLICATION_DATA, DATA);
        let second = sealed(&mut sealer, ContentType::APPLICATION_DATA, DATA);
        assert_eq!(
            opened(&mut way.opener(), &second),
            Err(RecordError::BadMac),
            "{way:?}, the first left out"
        );
        let mut opener = way.opener();
        opened(&mut opener, &first).unwrap();
        assert_eq!(opened(&mut opener, &first), Err(RecordError::BadMac), "{way:?}, the first again");
    }
}

#[test]
fn records_of_any_shorter_length_are_refused() {
    for way in all_ways() {
        let record = sealed(&mut way.sealer(), ContentType::APPLICATION_DATA, DATA);
        for len in 0..record.len() - HEADER_LEN {
            let mut record = record[..HEADER_LEN + len].to_vec();
            record[4] = u8::try_from(len).unwrap();
            assert_eq!(opened(&mut way.opener(), &record), Err(RecordError::BadMac), "{way:?}, {len} bytes");
        }
    }
}

#[test]
fn keys_of_the_other_direction_do_not_open() {
    for way in all_ways() {
        let record = sealed(&mut way.sealer(), ContentType::APPLICATION_DATA, DATA);
        let other = material().map(|byte| byte ^ 0x36);
        let mut opener = Opener::new(&way.keys(&other)).unwrap();
        assert_eq!(opened(&mut opener, &record), Err(RecordError::BadMac), "{way:?}");
    }
}

#[test]
fn refused_record_is_wiped_and_nothing_follows() {
    for way in all_ways() {
        let mut sealer = way.sealer();
        let mut record = sealed(&mut sealer, ContentType::APPLICATION_DATA, DATA);
        let good = record.clone();
        *record.last_mut().unwrap() ^= 1;
        let mut opener = way.opener();
        assert_eq!(opener.open(&mut record), Err(RecordError::BadMac), "{way:?}");
        assert!(record.iter().all(|&byte| byte == 0), "{way:?}");
        assert_eq!(opened(&mut opener, &good), Err(RecordError::BadMac), "{way:?}");
    }
}
