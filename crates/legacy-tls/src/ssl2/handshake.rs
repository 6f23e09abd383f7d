//! What both roles leave of a handshake.

use std::sync::Arc;

use super::keys::Master;
use crate::connection::Negotiated;
use crate::session::SessionStore;
use crate::tls::keys::Randoms;
use crate::tls::versions::ProtocolVersion;

/// The random bytes of both hellos.
pub(crate) struct Hellos<'a> {
    pub(crate) challenge: &'a [u8],
    pub(crate) connection_id: &'a [u8],
}

impl Hellos<'_> {
    /// What is left of a handshake in which they led to this master key, for the role to fill in the rest.
    pub(crate) fn negotiated(&self, master: &Master, sessions: &Arc<dyn SessionStore>) -> Negotiated {
        let (version, suite) = (ProtocolVersion::SSL20, &master.kind().suite);
        Negotiated::without_extensions(version, suite, master.to_keep(), self.randoms(), sessions)
    }

    /// As the randoms of a later protocol: on the right, zeros before them.
    fn randoms(&self) -> Randoms {
        let right = |bytes: &[u8]| {
            let mut random = [0; 32];
            random.iter_mut().rev().zip(bytes.iter().rev()).for_each(|(to, from)| *to = *from);
            random
        };
        Randoms { client: right(self.challenge), server: right(self.connection_id) }
    }
}
