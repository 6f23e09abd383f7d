//! Blinding: what the private exponents work on is a number that nobody outside knows.
//!
//! Instead of c, c * r^e goes through the private operation, and what comes out is divided by r. So whatever the
//! operation tells by its time, its power or its faults is about a random number (Kocher 1996).

use std::sync::{Mutex, PoisonError};

use zeroize::Zeroizing;

use super::{Error, PrivateKey};
use crate::modular::{Modulus, Prepared};
use crate::random::Random;

/// How often one r is used, squared each time, before there is a new one. A new one takes as long as an operation.
const USES: u32 = 64;

/// A random number in the two forms that are needed.
pub(super) struct Blinding {
    /// r^e.
    factor: Prepared,
    /// 1/r.
    remover: Prepared,
    uses: u32,
}

impl Blinding {
    fn new(key: &PrivateKey, seed: &[u8]) -> Self {
        let n = key.public_key().modulus();
        let r = key.secret_number(seed);
        Self { factor: n.prepare(&key.public_key().raw(&r)), remover: n.prepare(&key.invert(&r)), uses: 0 }
    }

    pub(super) const fn factor(&self) -> &Prepared {
        &self.factor
    }

    pub(super) const fn remover(&self) -> &Prepared {
        &self.remover
    }
}

/// Blindings that are not in use: as many as there were operations at once.
#[derive(Default)]
pub(super) struct Pool(Mutex<Vec<Blinding>>);

impl Pool {
    /// One for this operation alone.
    pub(super) fn take(&self, key: &PrivateKey, random: &dyn Random) -> Result<Blinding, Error> {
        // Drawn whether it is needed or not: how much an operation draws must not depend on what ran before, or no
        // recorded handshake could be replayed.
        let mut seed = Zeroizing::new([0; 32]);
        random.fill(seed.as_mut())?;
        let waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Ok(waiting.unwrap_or_else(|| Blinding::new(key, seed.as_ref())))
    }

    /// Keeps it for another operation, as another number.
    pub(super) fn put_back(&self, mut blinding: Blinding, n: &Modulus) {
        blinding.uses += 1;
        if blinding.uses < USES {
            blinding.factor = n.square_prepared(&blinding.factor);
            blinding.remover = n.square_prepared(&blinding.remover);
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(blinding);
        }
    }
}
