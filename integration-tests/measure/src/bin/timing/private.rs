//! The private operation of RSA: whether time tells one input from others.

use std::hint::black_box;

use crypto::rsa::PrivateKey;
use opensspi_measure::sampling::{Cheap, Subject, from_pool, pools};

use crate::engine::{Failure, rsa_key};

/// Signatures of one message, and of others.
pub(crate) struct Signing {
    key: PrivateKey,
    random: Cheap,
    messages: Vec<Vec<Vec<u8>>>,
    message: Vec<u8>,
}

impl Signing {
    pub(crate) fn new() -> Result<Self, Failure> {
        let random = Cheap::default();
        let messages = pools(2, |class| if class == 0 { vec![0; 245] } else { random.bytes(245) });
        Ok(Self { key: rsa_key()?, random, messages, message: Vec::new() })
    }
}

impl Subject for Signing {
    fn classes(&self) -> Vec<&'static str> {
        vec!["always the same", "another each time"]
    }

    fn prepare(&mut self, class: usize, lot: usize) {
        self.message.clear();
        self.message.extend_from_slice(from_pool(&self.messages, class, lot).map_or(&[], Vec::as_slice));
    }

    fn run(&mut self) {
        drop(black_box(self.key.sign_pkcs1(&self.message, &self.random)));
    }
}
