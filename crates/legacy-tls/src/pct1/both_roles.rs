//! What clients and servers have in common: what a policy lets them offer, and how a master key is kept.

use zeroize::Zeroizing;

use super::keys::MasterKey;
use super::specs::{CipherSpec, Spec};
use crate::config::Policy;
use crate::session::{MasterSecret, Session};

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
