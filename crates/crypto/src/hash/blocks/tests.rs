//! That the end of the data decides nothing that can be seen.

use std::cell::Cell;

use super::*;

thread_local! {
    static COMPRESSED: Cell<usize> = const { Cell::new(0) };
}

/// Counts the blocks that it is given.
#[derive(Clone, Zeroize)]
struct Counter;

impl Function<64> for Counter {
    const INITIAL: Self = Self;

    fn compress(&mut self, blocks: &[[u8; 64]]) {
        COMPRESSED.set(COMPRESSED.get() + blocks.len());
    }

    fn write_output(&self, _: &mut [u8]) {}
}

#[test]
fn as_many_blocks_are_taken_in_wherever_the_data_ends() {
    let data = [0; 700];
    for before in [0, 13, 63] {
        for total in [0, 1, 50, 64, 255, 256, 257, 600, 700] {
            let blocks_for = |len| {
                COMPRESSED.set(0);
                let mut blocks = Blocks::new(Counter::INITIAL);
                blocks.update(&data[..before]);
                let _ = blocks.finish_secret_len(&data[..total], len, 16);
                COMPRESSED.get()
            };
            let needed = (before + total + 1 + 8).div_ceil(64);
            for len in total.saturating_sub(HashContext::MAX_SECRET_VARIATION)..=total {
                assert_eq!(blocks_for(len), needed, "{len} of {total} bytes after {before}");
            }
        }
    }
}

#[test]
fn cut_off_leaves_what_comes_before_the_end() {
    for end in 0..=64 {
        let mut buffer = [0xff; 64];
        cut_off(&mut buffer, end);
        let mut expected = [0; 64];
        expected[..end].fill(0xff);
        if let Some(first) = expected.get_mut(end) {
            *first = END_OF_DATA;
        }
        assert_eq!(buffer, expected, "{end}");
    }
    for (end, expected) in [(65, 0xff), (300, 0xff), (usize::MAX, 0), (usize::MAX - 300, 0)] {
        let mut buffer = [0xff; 64];
        cut_off(&mut buffer, end);
        assert_eq!(buffer, [expected; 64], "{end}");
    }
}
