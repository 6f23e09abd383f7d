//! What is under the encryption of a block cipher: padding and MAC, wrong in every way, and one error for all.

use std::cell::RefCell;

use crypto::cipher::CbcEncryptor;

use super::super::mac::MacKey;
use super::*;

thread_local! {
    /// How long the data were, the padding that there may be included, that this thread computed a MAC of.
    static MACS: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

/// Tells these tests that the MAC of some of `len` bytes is computed, which is work for all of them.
pub(in crate::record) fn note_mac(len: usize) {
    MACS.with_borrow_mut(|macs| macs.push(len));
}

/// The ways with such padding, and a cipher of each length of block: which one it is makes no difference here, nor does
/// TLS 1.1 beside 1.2.
fn block_ways(padding: Padding) -> Vec<Way> {
    let ciphers = [Bulk::Cbc(BlockCipher::Des), Bulk::Cbc(BlockCipher::Aes128)];
    all_ways()
        .into_iter()
        .filter(|way| way.padding == padding && ciphers.contains(&way.bulk) && way.wire_version != 0x0302)
        .collect()
}

fn all_block_ways() -> Vec<Way> {
    [block_ways(Padding::Tls), block_ways(Padding::Ssl3)].concat()
}

/// The first record of a sender that does as it likes: `text` encrypted as it is.
fn encrypted(way: &Way, mut text: Vec<u8>) -> Vec<u8> {
    let material = material();
    let keys = way.keys(&material);
    let Bulk::Cbc(cipher) = way.bulk else { panic!("{way:?}") };
    let explicit = vec![0x5a; if way.cbc_iv == CbcIv::Explicit { cipher.block_len() } else { 0 }];
    let iv = if explicit.is_empty() { keys.iv } else { &explicit };
    CbcEncryptor::new(cipher, keys.key, iv).unwrap().encrypt(&mut text).unwrap();
    let [major, minor] = way.wire_version.to_be_bytes();
    let [high, low] = u16::try_from(explicit.len() + text.len()).unwrap().to_be_bytes();
    [&[23, major, minor, high, low], explicit.as_slice(), &text].concat()
}

/// The MAC of `data` in the first record.
fn mac_of(way: &Way, data: &[u8]) -> Vec<u8> {
    let header = PseudoHeader {
        sequence: 0,
        content_type: ContentType::APPLICATION_DATA,
        wire_version: way.wire_version,
    };
    let key = MacKey::new(way.mac.unwrap(), way.keys(&material()).mac_secret).unwrap();
    let mut inner = key.start(header, data.len());
    inner.update(data);
    key.finish(&inner.finish()).as_ref().to_vec()
}

/// As much data as makes whole blocks with a MAC and `padding_len` bytes of padding and the one that says so.
fn data_before(way: &Way, padding_len: usize) -> Vec<u8> {
    let block_len = way.block_len().unwrap();
    let rest = mac_of(way, &[]).len() + padding_len + 1;
    vec![b'd'; rest.next_multiple_of(block_len) - rest + block_len]
}

fn padded(way: &Way, data: &[u8], padding: &[u8]) -> Vec<u8> {
    encrypted(way, [data, &mac_of(way, data), padding].concat())
}

fn content_of(way: &Way, record: &[u8]) -> Result<Vec<u8>, RecordError> {
    opened(&mut way.opener(), record).map(|(_, content)| content)
}

#[test]
fn tls_padding_of_every_length_is_taken_off() {
    for way in block_ways(Padding::Tls) {
        for len in 0..=255 {
            let data = data_before(&way, usize::from(len));
            let record = padded(&way, &data, &vec![len; usize::from(len) + 1]);
            assert_eq!(content_of(&way, &record), Ok(data), "{way:?}, {len}");
        }
    }
}

/// The MAC is right, and is where the padding's length says.
#[test]
fn tls_padding_with_one_wrong_byte_is_refused() {
    for way in block_ways(Padding::Tls) {
        for len in 1..=255_u8 {
            let data = data_before(&way, usize::from(len));
            let at = [0, usize::from(len) / 2, usize::from(len) - 1][usize::from(len % 3)];
            let mut padding = vec![len; usize::from(len) + 1];
            padding[at] ^= 1 << (len % 8);
            let record = padded(&way, &data, &padding);
            assert_eq!(content_of(&way, &record), Err(RecordError::BadMac), "{way:?}, {len}, byte {at}");
        }
    }
}

/// Where padding is wrong it counts as none: a MAC that is right for that must not help.
#[test]
fn right_mac_in_front_of_wrong_padding_is_refused() {
    for way in all_block_ways() {
        let data = data_before(&way, 0);
        let record = |last: u8| padded(&way, &data, &[last]);
        assert_eq!(content_of(&way, &record(0)), Ok(data.clone()), "{way:?}");
        for last in 1..=255 {
            assert_eq!(content_of(&way, &record(last)), Err(RecordError::BadMac), "{way:?}, {last}");
        }
    }
}

/// All bytes the same: padding longer than fits, as long, and shorter, with no MAC that is right.
#[test]
fn padding_that_leaves_no_room_for_a_mac_is_refused() {
    for way in all_block_ways() {
        let block_len = way.block_len().unwrap();
        for blocks in [1, 2, 3, 256 / block_len, 320 / block_len] {
            // In longer records the longest padding decides.
            for byte in if blocks > 3 { 0xe0 } else { 0 }..=255 {
                let record = encrypted(&way, vec![byte; blocks * block_len]);
                let content = content_of(&way, &record);
                assert_eq!(content, Err(RecordError::BadMac), "{way:?}, {blocks} blocks of {byte}");
            }
        }
    }
}

#[test]
fn longest_padding_that_fits_a_record_without_data_is_taken_off() {
    for way in block_ways(Padding::Tls) {
        let mac = mac_of(&way, &[]);
        let len = ((mac.len() + 256) / way.block_len().unwrap()) * way.block_len().unwrap() - mac.len() - 1;
        let padding = vec![u8::try_from(len).unwrap(); len + 1];
        assert_eq!(content_of(&way, &padded(&way, &[], &padding)), Ok(Vec::new()), "{way:?}");
        let cut = encrypted(&way, [&mac[1..], &padding, &[len.to_le_bytes()[0]]].concat());
        assert_eq!(content_of(&way, &cut), Err(RecordError::BadMac), "{way:?}");
    }
}

#[test]
fn wrong_mac_behind_right_padding_is_refused_as_wrong_padding_is() {
    for way in all_block_ways() {
        let longest = if way.padding == Padding::Ssl3 { way.block_len().unwrap() - 1 } else { 255 };
        for len in 0..=longest {
            let data = data_before(&way, len);
            let padding = vec![u8::try_from(len).unwrap(); len + 1];
            let mut mac = mac_of(&way, &data);
            let at = len * 5 % mac.len();
            mac[at] ^= 0x80;
            let record = encrypted(&way, [&data[..], &mac, &padding].concat());
            assert_eq!(content_of(&way, &record), Err(RecordError::BadMac), "{way:?}, {len}, byte {at}");
        }
    }
}

#[test]
fn ssl3_padding_is_any_bytes_but_less_than_a_block() {
    for way in block_ways(Padding::Ssl3) {
        let block_len = way.block_len().unwrap();
        for len in 0..=255 {
            let data = data_before(&way, len);
            let mut padding: Vec<u8> = (0..=len).map(|at| at.to_le_bytes()[0] ^ 0xa5).collect();
            padding[len] = u8::try_from(len).unwrap();
            let record = padded(&way, &data, &padding);
            let expected = if len < block_len { Ok(data) } else { Err(RecordError::BadMac) };
            assert_eq!(content_of(&way, &record), expected, "{way:?}, {len}");
        }
    }
}

#[test]
fn padding_that_is_sent_is_the_least() {
    for way in all_block_ways() {
        let (block_len, mac_len) = (way.block_len().unwrap(), mac_of(&way, &[]).len());
        let iv_len = if way.cbc_iv == CbcIv::Explicit { block_len } else { 0 };
        for size in 0..40 {
            let record = sealed(&mut way.sealer(), ContentType::APPLICATION_DATA, &vec![1; size]);
            let len = iv_len + (size + mac_len + 1).next_multiple_of(block_len);
            assert_eq!(record.len(), HEADER_LEN + len, "{way:?}, {size} bytes");
        }
    }
}

#[test]
fn explicit_vectors_come_from_the_source_of_randomness_and_do_not_repeat() {
    for way in block_ways(Padding::Tls).into_iter().filter(|way| way.cbc_iv == CbcIv::Explicit) {
        let (block_len, mut sealer) = (way.block_len().unwrap(), way.sealer());
        let mut vector = |_| sealed(&mut sealer, ContentType::ALERT, &[1, 0])[5..5 + block_len].to_vec();
        let vectors: Vec<u8> = (0..20).flat_map(&mut vector).collect();
        let expected: Vec<u8> = (0..20 * block_len).map(|at| at.to_le_bytes()[0]).collect();
        assert_eq!(vectors, expected, "{way:?}");
    }
}

/// Vaudenay 2002, Lucky Thirteen 2013: how much is hashed for a record is the same for all that are as long, whatever is in
/// them. (That the hash takes as many blocks wherever the data end is for the hash to show.)
#[test]
fn same_work_is_done_for_every_record_of_a_length() {
    const BLOCKS: usize = 40;
    for way in all_block_ways() {
        let (len, mac_len) = (BLOCKS * way.block_len().unwrap(), mac_of(&way, &[]).len());
        let work = |text: Vec<u8>| {
            assert_eq!(text.len(), len);
            MACS.take();
            let is_right = content_of(&way, &encrypted(&way, text)).is_ok();
            (is_right, MACS.take())
        };
        let mut right = 0;
        for last in 0..=255_u8 {
            let padding = vec![last; usize::from(last) + 1];
            let data = vec![b'd'; len.saturating_sub(mac_len + padding.len())];
            let mut texts = vec![vec![last; len], [vec![!last; len - 1], vec![last]].concat()];
            if len == data.len() + mac_len + padding.len() {
                let mac = mac_of(&way, &data);
                let mut wrong = [&data[..], &mac, &padding].concat();
                texts.push(wrong.clone());
                wrong[data.len()] ^= 1;
                texts.push(wrong.clone());
                wrong[data.len()] ^= 1;
                wrong[data.len() + mac_len] ^= 1;
                texts.push(wrong);
            }
            for text in texts {
                let (is_right, macs) = work(text);
                right += usize::from(is_right);
                assert_eq!(macs, [len - 1 - mac_len], "{way:?}, {last}");
            }
        }
        assert!(right > 0, "{way:?}: no record was right");
    }
}
