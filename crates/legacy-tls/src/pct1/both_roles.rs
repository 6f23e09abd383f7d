//! What clients and servers have in common: what a policy lets them offer, and what a handshake ends with.

use std::sync::Arc;

use zeroize::Zeroizing;

use super::handshake::{Parameters, Pct1Negotiated};
use super::keys::MasterKey;
use super::specs::{CipherSpec, Spec};
use crate::config::Policy;
use crate::connection::Negotiated;
use crate::renegotiation::Previous;
use crate::session::{MasterSecret, Session, SessionStore};
use crate::tls::keys::Randoms;
use crate::tls::versions::{ProtocolVersion, VerifyData};

/// The specifications that a policy allows, the preferred one first.
pub(crate) fn allowed(policy: &Policy) -> Vec<&'static Spec> {
    policy.suites.iter().filter_map(|suite| Spec::of_suite(*suite)).collect()
}

/// Each once, in the order in which they come.
pub(crate) fn distinct<T: PartialEq>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut distinct = Vec::new();
    for item in items {
        if !distinct.contains(&item) {
            distinct.push(item);
        }
    }
    distinct
}

/// What a cipher specification of ours looks like in a hello.
pub(crate) fn offered(policy: &Policy) -> (Vec<CipherSpec>, Vec<u16>) {
    let specs = allowed(policy);
    (distinct(specs.iter().map(|spec| spec.offer())), distinct(specs.iter().map(|spec| spec.hash)))
}

pub(crate) fn master_of(session: &Session) -> MasterKey {
    let mut master = Zeroizing::new([0; 16]);
    master.iter_mut().zip(session.master_secret.0).for_each(|(to, from)| *to = from);
    master
}

pub(crate) fn keep_master(master: &MasterKey) -> MasterSecret {
    let mut kept = MasterSecret([0; 48]);
    kept.0.iter_mut().zip(master.iter()).for_each(|(to, from)| *to = *from);
    kept
}

/// What was negotiated, as far as it is the same in both roles.
pub(crate) fn negotiated(
    is_client: bool,
    spec: &'static Spec,
    parameters: Parameters,
    master: &MasterKey,
    sessions: &Arc<dyn SessionStore>,
) -> Negotiated {
    let none = VerifyData::new(0, |_| {});
    Negotiated {
        is_client,
        version: ProtocolVersion::PCT1,
        hello_version: ProtocolVersion::PCT1,
        suite: &spec.row,
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
        finished: Previous { client: none, server: none, secure: false },
        rules: None,
        master_secret: keep_master(master),
        randoms: Randoms { client: [0; 32], server: [0; 32] },
        pct1: Some(Box::new(Pct1Negotiated { parameters, out_of_band: Vec::new() })),
    }
}
