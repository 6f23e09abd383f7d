//! Whether a peer may come back: what was judged when a session was made is judged again when it is taken up.

use std::collections::HashMap;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::UNIX_EPOCH;

use crypto::hash::Hash;

use super::Settings;
use crate::certificate::verifier::{Peer, Verifier};
use crate::config::Revocation;
use crate::session_cache::Chain;
use crate::status::{CertificateKind, CertificateProblem};

/// How long a judgement holds, in seconds. In between only the times of the certificate itself are looked at: what else may
/// change is that a list of revoked certificates comes to its end, or that a session is one of another machine.
const HOLDS: u64 = 60;
/// Judgements of so many chains are remembered, and for so many names of each.
const MOST_REMEMBERED: usize = 1024;
const MOST_NAMES: usize = 64;

/// The judge of those who come back, and what it said.
#[derive(Default)]
pub(crate) struct ComingBack {
    /// Made when somebody does. `None` where it cannot be made.
    verifier: OnceLock<Option<Verifier>>,
    /// When a chain was found good for a name, in seconds since the Unix epoch; by its digest.
    good: Mutex<HashMap<[u8; 32], HashMap<String, u64>>>,
    /// What servers stapled to their chains, by a hash of the chain and the name: nobody staples anything to a session. It says itself until
    /// when it counts.
    staples: Mutex<HashMap<[u8; 32], Vec<u8>>>,
}

/// So many staples are remembered, and none that is longer.
const MOST_STAPLES: usize = 1024;
const LONGEST_STAPLE: usize = 8 << 10;

impl Settings {
    /// Remembers what a server stapled to its chain in a full handshake, where a session could not be taken up without it.
    pub(crate) fn remember_staple(&self, chain: &Chain, name: &str, staple: &[u8]) {
        let counts = !self.is_server && self.verify.revocation == Revocation::Hard;
        if !counts || staple.is_empty() || staple.len() > LONGEST_STAPLE {
            return;
        }
        let mut staples = self.coming_back.staples.lock().unwrap_or_else(PoisonError::into_inner);
        if staples.len() >= MOST_STAPLES {
            staples.clear();
        }
        staples.insert(hash(chain, name), staple.to_vec());
    }

    fn staple(&self, hash: &[u8; 32]) -> Vec<u8> {
        let staples = self.coming_back.staples.lock().unwrap_or_else(PoisonError::into_inner);
        staples.get(hash).cloned().unwrap_or_default()
    }

    /// Whether a peer with this chain, leaf first, may take up a session: its certificate is still valid and not revoked, and
    /// policy would still accept it. `name` is that of a server.
    ///
    /// # Errors
    /// It may not.
    pub(crate) fn judge_again(&self, chain: &Chain, name: &str) -> Result<(), CertificateProblem> {
        let now = self.environment.clock.now();
        let problem = |kind| CertificateProblem {
            kind,
            whose: if self.is_server { "the client's certificate" } else { "the server's certificate" },
            detail: "it was accepted when the session was made".to_owned(),
            remedies: Vec::new(),
        };
        if chain.is_empty() {
            return Err(problem(CertificateKind::Other));
        }
        // Those that are known by their hashes are known by nothing else.
        if self.verify.pins.is_empty() {
            let not_after = chain.not_after().ok_or_else(|| problem(CertificateKind::BadEncoding))?;
            if now > not_after {
                return Err(problem(CertificateKind::Expired));
            }
        }
        let seconds = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let good = || self.coming_back.good.lock().unwrap_or_else(PoisonError::into_inner);
        let is_young = |then: &u64| seconds.checked_sub(*then).is_some_and(|age| age < HOLDS);
        if good().get(chain.digest()).and_then(|names| names.get(name)).is_some_and(is_young) {
            return Ok(());
        }
        let peer = if self.is_server { Peer::Client } else { Peer::Server };
        let verifier = self.coming_back.verifier.get_or_init(|| Verifier::new(&self.verify, peer).ok());
        let verifier = verifier.as_ref().ok_or_else(|| problem(CertificateKind::Other))?;
        let shown: Vec<&[u8]> = chain.iter().map(Vec::as_slice).collect();
        let _weaknesses = match peer {
            Peer::Server => verifier.verify_server(&shown, name, &self.staple(&hash(chain, name)), now),
            Peer::Client => verifier.verify_client(&shown, now),
        }?;
        let mut good = good();
        if good.len() >= MOST_REMEMBERED {
            good.clear();
        }
        let names = good.entry(*chain.digest()).or_default();
        if names.len() >= MOST_NAMES {
            names.clear();
        }
        names.insert(name.to_owned(), seconds);
        Ok(())
    }
}

fn hash(chain: &Chain, name: &str) -> [u8; 32] {
    let mut context = Hash::Sha256.context();
    context.update(chain.digest());
    context.update(name.as_bytes());
    let mut out = [0; 32];
    out.iter_mut().zip(context.finish().as_ref()).for_each(|(to, from)| *to = *from);
    out
}
