//! For which session a handshake has asked the other machines.
//!
//! What they said of it lies in the cache until the engine takes it, and the engine knows of no handshake when it does: its
//! callbacks belong to a configuration. So whoever runs a handshake lays on the thread, for the length of each call, what was
//! asked for in it, and nothing else is given out. A client that names a second session, or one that an earlier handshake
//! has asked for and not taken up, gets none.

use std::cell::Cell;

use super::Part;

/// A session that was asked for.
pub(crate) type Asked = Box<(Part, Vec<u8>)>;

thread_local! {
    static ASKED: Cell<Option<Asked>> = const { Cell::new(None) };
}

/// Runs `call` for a handshake that has asked for that, or asks in it.
pub(crate) fn during<T>(asked: &mut Option<Asked>, call: impl FnOnce() -> T) -> T {
    ASKED.set(asked.take());
    let result = call();
    *asked = ASKED.take();
    result
}

/// This handshake has asked for that, and has the answer.
pub(crate) fn set(part: Part, id: &[u8]) {
    ASKED.set(Some(Box::new((part, id.to_vec()))));
}

/// Whether the handshake that runs has asked for it.
pub(super) fn is(part: Part, id: &[u8]) -> bool {
    let asked = ASKED.take();
    let is_asked = asked.as_ref().is_some_and(|asked| asked.0 == part && asked.1 == id);
    ASKED.set(asked);
    is_asked
}
