//! What both roles leave of a handshake.

use crate::tls::keys::Randoms;

/// What the messages that this protocol has not would have negotiated: nothing.
pub(crate) struct Hellos<'a> {
    pub(crate) challenge: &'a [u8],
    pub(crate) connection_id: &'a [u8],
}

impl Hellos<'_> {
    /// As the randoms of a later protocol: on the right, zeros before them.
    pub(crate) fn randoms(&self) -> Randoms {
        let right = |bytes: &[u8]| {
            let mut random = [0; 32];
            random.iter_mut().rev().zip(bytes.iter().rev()).for_each(|(to, from)| *to = *from);
            random
        };
        Randoms { client: right(self.challenge), server: right(self.connection_id) }
    }
}
