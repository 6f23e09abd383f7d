//! Memory that belongs to the thread: records are read, opened and sealed in it, so that an idle connection has none.

use std::cell::RefCell;

/// What a buffer has at least, in bytes: 64 KiB of data, and the headers and trailers of their records.
const LENGTH: usize = 72 * 1024;

/// A buffer that has grown past this is not kept, in bytes.
const KEPT_LENGTH: usize = 4 * LENGTH;

/// How many buffers are kept: a stream over a stream needs one each.
const KEPT: usize = 2;

thread_local! {
    static FREE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// Runs `work` with at least `length` bytes, which hold whatever was there before. No buffer survives the call, so it cannot
/// be held across an await point.
pub(crate) fn with<R>(length: usize, work: impl FnOnce(&mut [u8]) -> R) -> R {
    let kept = FREE.try_with(|free| free.borrow_mut().pop()).ok().flatten();
    let mut buffer = kept.unwrap_or_default();
    if buffer.len() < length.max(LENGTH) {
        buffer = vec![0; length.max(LENGTH)];
    }
    let result = work(&mut buffer);
    if buffer.len() <= KEPT_LENGTH {
        let _thread_is_ending = FREE.try_with(|free| {
            let mut free = free.borrow_mut();
            if free.len() < KEPT {
                free.push(buffer);
            }
        });
    }
    result
}
