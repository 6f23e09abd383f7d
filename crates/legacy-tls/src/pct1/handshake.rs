//! What both roles leave of a handshake.

use super::channel::Channel;
use super::keys::{ConnectionKeys, DirectionKeys};
use super::readings::first_iv;
use super::records::{self, Begin};
use super::specs::{CipherSpec, Spec};
use crate::config::Policy;
use crate::connection::{Established, Negotiated};
use crate::error::Error;
use crate::record::{Opener, Sealer};

/// What stays of a handshake for the one that may follow it on the same connection, and for the session.
///
/// Spec: PCT1 section 4.3.2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Parameters {
    pub(crate) cipher: CipherSpec,
    pub(crate) hash: u16,
    pub(crate) certificate_type: u16,
    /// The certificate as the server sent it.
    pub(crate) certificate: Vec<u8>,
    /// Whether the client was asked for a certificate.
    pub(crate) asked: bool,
    pub(crate) client_certificate_type: u16,
    pub(crate) client_signature_type: u16,
    pub(crate) client_certificate: Vec<u8>,
    pub(crate) clear_key: Vec<u8>,
}

/// What PCT adds to what was negotiated.
#[derive(Debug)]
pub(crate) struct Pct1Negotiated {
    pub(crate) parameters: Parameters,
    pub(crate) out_of_band: Vec<u8>,
}

impl Pct1Negotiated {
    pub(crate) fn new(parameters: Parameters) -> Box<Self> {
        Box::new(Self { parameters, out_of_band: Vec::new() })
    }
}

/// What a handshake that is done again must agree on as before: cipher, hash, and certificates.
///
/// Spec: PCT1 section 4.3.2.
#[derive(Clone, Debug)]
pub struct Previous(pub(crate) Parameters);

/// The keys with which a connection goes on.
pub(crate) struct Directions {
    pub(crate) keys: ConnectionKeys,
    /// Other keys that the client may use.
    pub(crate) alternative: Option<DirectionKeys>,
    pub(crate) spec: &'static Spec,
    pub(crate) key_arg: Vec<u8>,
}

impl Directions {
    /// Both directions of the connection, and what was negotiated.
    pub(crate) fn establish(
        self,
        mut negotiated: Negotiated,
        policy: &Policy,
        channel: &mut Channel,
    ) -> Result<Box<Established>, Error> {
        let (sent, received) = channel.sequences()?;
        let Self { keys, alternative, spec, key_arg } = self;
        let (own, peer) =
            if negotiated.is_client { (keys.client, keys.server) } else { (keys.server, keys.client) };
        let begin = |sequence, of_client| Begin {
            spec,
            iv: first_iv(&key_arg, of_client),
            sequence,
            data_limit: policy.small_block_limit,
        };
        let mut opener = records::Opener::new(peer, alternative, begin(received, !negotiated.is_client))?;
        let sealer = records::Sealer::new(own, begin(sent, negotiated.is_client))?;
        if let (Some(redo), Some(pct1)) = (channel.redo.take(), negotiated.pct1.as_mut()) {
            opener.expect_out_of_band(redo.opener.expects_out_of_band());
            pct1.out_of_band = redo.out_of_band;
        }
        let (sealer, opener) = (Sealer::pct1(sealer), Opener::pct1(opener));
        Ok(Box::new(Established { sealer, opener, negotiated }))
    }
}
