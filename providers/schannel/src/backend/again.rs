//! Whether a peer may come back: what was judged when a session was made is judged again when it is taken up.

use std::collections::HashMap;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::UNIX_EPOCH;

use crypto::hash::Hash;

use super::Settings;
use crate::certificate::validity;
use crate::certificate::verifier::{Peer, Verifier};
use crate::config::Revocation;
use crate::status::{CertificateKind, CertificateProblem};

/// How long a judgement holds, in seconds. In between only the times of the certificate itself are looked at: what else may
/// change is that a list of revoked certificates comes to its end, or that a session is one of another machine.
const HOLDS: u64 = 60;
/// So many judgements are remembered.
const MOST_REMEMBERED: usize = 4096;

/// The judge of those who come back, and what it said.
#[derive(Default)]
pub(crate) struct ComingBack {
    /// Made when somebody does. `None` where it cannot be made.
    verifier: OnceLock<Option<Verifier>>,
    /// When a chain was found good, by its hash, in seconds since the Unix epoch.
    good: Mutex<HashMap<[u8; 32], u64>>,
    /// What servers stapled to their chains, by the same hash: nobody staples anything to a session. It says itself until
    /// when it counts.
    staples: Mutex<HashMap<[u8; 32], Vec<u8>>>,
}

/// So many staples are remembered, and none that is longer.
const MOST_STAPLES: usize = 1024;
const LONGEST_STAPLE: usize = 8 << 10;

impl Settings {
    /// Remembers what a server stapled to its chain in a full handshake, where a session could not be taken up without it.
    pub(crate) fn remember_staple(&self, chain: &[Vec<u8>], name: &str, staple: &[u8]) {
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
    pub(crate) fn judge_again(&self, chain: &[Vec<u8>], name: &str) -> Result<(), CertificateProblem> {
        let now = self.environment.clock.now();
        let problem = |kind| CertificateProblem {
            kind,
            whose: if self.is_server { "the client's certificate" } else { "the server's certificate" },
            detail: "it was accepted when the session was made".to_owned(),
            remedies: Vec::new(),
        };
        let leaf = chain.first().ok_or_else(|| problem(CertificateKind::Other))?;
        // Those that are known by their hashes are known by nothing else.
        if self.verify.pins.is_empty() {
            let (_, not_after) = validity(leaf).map_err(|_| problem(CertificateKind::BadEncoding))?;
            if now > not_after {
                return Err(problem(CertificateKind::Expired));
            }
        }
        let seconds = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let hash = hash(chain, name);
        let good = || self.coming_back.good.lock().unwrap_or_else(PoisonError::into_inner);
        let is_young = |then: &u64| seconds.checked_sub(*then).is_some_and(|age| age < HOLDS);
        if good().get(&hash).is_some_and(is_young) {
            return Ok(());
        }
        let peer = if self.is_server { Peer::Client } else { Peer::Server };
        let verifier = self.coming_back.verifier.get_or_init(|| Verifier::new(&self.verify, peer).ok());
        let verifier = verifier.as_ref().ok_or_else(|| problem(CertificateKind::Other))?;
        let shown: Vec<&[u8]> = chain.iter().map(Vec::as_slice).collect();
        let _weaknesses = match peer {
            Peer::Server => verifier.verify_server(&shown, name, &self.staple(&hash), now),
            Peer::Client => verifier.verify_client(&shown, now),
        }?;
        let mut good = good();
        if good.len() >= MOST_REMEMBERED {
            good.clear();
        }
        good.insert(hash, seconds);
        Ok(())
    }
}

fn hash(chain: &[Vec<u8>], name: &str) -> [u8; 32] {
    let mut context = Hash::Sha256.context();
    for part in [name.as_bytes()].into_iter().chain(chain.iter().map(Vec::as_slice)) {
        context.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        context.update(part);
    }
    let mut out = [0; 32];
    out.iter_mut().zip(context.finish().as_ref()).for_each(|(to, from)| *to = *from);
    out
}
