//! Records that went wrong at random: no panic, and no content but what was sent.

use super::*;

/// Numbers that look random and are the same in every run (xorshift64*).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next()).unwrap() % limit.max(1)
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }
}

/// Changes `record` in one of the ways in which a peer or a network might.
fn mutate(numbers: &mut Numbers, record: &mut Vec<u8>) {
    match numbers.below(8) {
        // Bits, anywhere.
        0..=2 => {
            for _ in 0..=numbers.below(4) {
                let at = numbers.below(record.len());
                record[at] ^= 1 << numbers.below(8);
            }
        }
        // Another length, with or without a header that says so.
        3 | 4 => {
            let len = HEADER_LEN + numbers.below(record.len() + 40);
            record.resize(len, numbers.byte());
        }
        // Nothing but a header.
        5 => {
            let len = HEADER_LEN + numbers.below(1024);
            record.resize(len, 0);
            record[HEADER_LEN..].fill_with(|| numbers.byte());
        }
        // Two blocks in each other's place.
        6 if record.len() >= HEADER_LEN + 16 => {
            let blocks = (record.len() - HEADER_LEN) / 8;
            let (one, other) =
                (HEADER_LEN + 8 * numbers.below(blocks), HEADER_LEN + 8 * numbers.below(blocks));
            for at in 0..8 {
                record.swap(one + at, other + at);
            }
        }
        // One block in the last one's place, as POODLE does.
        _ if record.len() >= HEADER_LEN + 32 => {
            let len = record.len();
            let from = HEADER_LEN + 8 * numbers.below((len - HEADER_LEN - 16) / 8);
            record.copy_within(from..from + 16, len - 16);
        }
        _ => record.truncate(HEADER_LEN),
    }
    if numbers.below(4) > 0 {
        let [high, low] = u16::try_from(record.len() - HEADER_LEN).unwrap().to_be_bytes();
        record[3..5].copy_from_slice(&[high, low]);
    }
}

fn open_mutated(records: usize, seed: u64) {
    let mut numbers = Numbers(seed);
    let ways = all_ways();
    for count in 0..records {
        let way = &ways[count % ways.len()];
        let data: Vec<u8> = (0..numbers.below(600)).map(|_| numbers.byte()).collect();
        let mut record = sealed(&mut way.sealer(), ContentType::APPLICATION_DATA, &data);
        let sent = record.clone();
        mutate(&mut numbers, &mut record);
        let mut opener = way.opener();
        let len = match opener.record_len(&record) {
            Ok(Need::Whole(len)) => len,
            Ok(Need::More(missing)) => {
                assert!(missing > 0 && missing <= MAX_CIPHERTEXT);
                continue;
            }
            Err(_) => continue,
        };
        match opened(&mut opener, &record[..len]) {
            // SSL 3.0 does not authenticate padding: what was sent may come in another record.
            Ok(content) => {
                assert_eq!(content, (ContentType::APPLICATION_DATA, data), "{way:?}, number {count}");
                assert!(record[..len] == sent || way.padding == Padding::Ssl3, "{way:?}, number {count}");
            }
            Err(error) => assert_eq!(error, RecordError::BadMac, "{way:?}, number {count}"),
        }
    }
}

#[test]
fn mutated_records_yield_what_was_sent_or_nothing() {
    open_mutated(20_000, 0x9e37_79b9_7f4a_7c15);
}

#[test]
#[ignore = "takes minutes without optimisation: cargo test --release -- --ignored mutated"]
fn a_million_mutated_records_yield_what_was_sent_or_nothing() {
    open_mutated(1_000_000, 0xd1b5_4a32_d192_ed03);
}
