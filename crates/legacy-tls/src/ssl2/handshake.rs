//! What both roles leave of a handshake.

use std::sync::Arc;

use crate::connection::Negotiated;
use crate::renegotiation::Previous;
use crate::session::{MasterSecret, SessionStore};
use crate::tls::keys::Randoms;
use crate::tls::versions::{ProtocolVersion, VerifyData};

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

/// What SSL 2.0 leaves open of what was negotiated, for the roles to fill in the rest.
pub(crate) fn negotiated(
    suite: &'static crate::tls::cipher_suites::SuiteRow,
    master_secret: MasterSecret,
    sessions: &Arc<dyn SessionStore>,
    hellos: &Hellos<'_>,
) -> Negotiated {
    let nothing = VerifyData::new(0, |_| {});
    Negotiated {
        is_client: false,
        version: ProtocolVersion::SSL20,
        hello_version: ProtocolVersion::SSL20,
        suite,
        strength: None,
        alpn: None,
        server_name: None,
        peer_chain: Vec::new(),
        ocsp_response: Vec::new(),
        identity: None,
        resumed: false,
        session_id: Vec::new(),
        session_key: None,
        ticketed: None,
        extended_master_secret: false,
        sessions: Arc::clone(sessions),
        finished: Previous { client: nothing, server: nothing, secure: false },
        rules: None,
        pct1: None,
        master_secret,
        randoms: hellos.randoms(),
    }
}
