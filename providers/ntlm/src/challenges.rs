//! The challenges that servers of this process have out, so that its clients answer none of them.
//!
//! Who gets a client to connect to him can connect to its process in turn, hand the challenge that he gets there to the
//! client, and log on with the client's answer: as the client, to itself.

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

/// The challenges that are out: as many as there are handshakes under way.
#[derive(Clone, Default)]
pub(crate) struct Challenges(Arc<Mutex<HashSet<[u8; 8]>>>);

/// A challenge that is out. It comes back when this is dropped, and it is answered once at most: whoever takes the answer
/// takes this with it.
pub(crate) struct Issued {
    challenge: [u8; 8],
    all: Challenges,
}

/// Those of this process. It has many packages, each with servers and clients of its own, and to whoever hands on challenges
/// they are one.
static OF_THE_PROCESS: LazyLock<Challenges> = LazyLock::new(Challenges::default);

impl Challenges {
    /// Those of this process.
    pub(crate) fn of_the_process() -> Self {
        OF_THE_PROCESS.clone()
    }

    /// Gives out a challenge; `None` where it is out already, which is bad luck or bad randomness.
    pub(crate) fn issue(&self, challenge: [u8; 8]) -> Option<Issued> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(challenge).then(|| Issued { challenge, all: self.clone() })
    }

    /// Whether a server of this process has given it out, and waits for the answer.
    pub(crate) fn has(&self, challenge: &[u8; 8]) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(challenge)
    }
}

impl Issued {
    /// The eight bytes.
    pub(crate) const fn bytes(&self) -> &[u8; 8] {
        &self.challenge
    }
}

impl Drop for Issued {
    fn drop(&mut self) {
        let mut all = self.all.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.remove(&self.challenge);
        if all.is_empty() {
            // What a crowd has left behind is given back.
            all.shrink_to(64);
        }
    }
}

impl fmt::Debug for Challenges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Challenges")
    }
}

#[cfg(test)]
mod tests {
    use super::Challenges;

    #[test]
    fn a_challenge_is_out_until_its_handshake_is_gone() {
        let challenges = Challenges::default();
        let issued = challenges.issue([7; 8]).unwrap();
        assert!(challenges.has(&[7; 8]) && !challenges.has(&[8; 8]));
        assert!(challenges.issue([7; 8]).is_none(), "it is out");
        drop(issued);
        assert!(!challenges.has(&[7; 8]));
    }
}
