//! Premaster secrets under RSA: whether time tells how one is wrong (Bleichenbacher 1998; ROBOT 2017).

use std::hint::black_box;

use crypto::rsa::{PrivateKey, PublicKey};
use legacy_tls::{ProtocolVersion, ServerConnection};
use num_bigint::BigUint;
use opensspi_measure::sampling::{Cheap, Subject, from_pool, pools};

use crate::engine::{Failure, Servers, rsa_key};

/// What is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Premaster {
    Good,
    NoZeroTwo,
    EarlyZero,
    NoZero,
    TooShort,
    TooLong,
    OtherVersion,
}

impl Premaster {
    const OF_PADDING: [Self; 6] =
        [Self::Good, Self::NoZeroTwo, Self::EarlyZero, Self::NoZero, Self::TooShort, Self::TooLong];
    const ALL: [Self; 7] = [
        Self::Good,
        Self::NoZeroTwo,
        Self::EarlyZero,
        Self::NoZero,
        Self::TooShort,
        Self::TooLong,
        Self::OtherVersion,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::NoZeroTwo => "00 02 is missing",
            Self::EarlyZero => "a zero among the first 8 bytes",
            Self::NoZero => "no zero at all",
            Self::TooShort => "47 bytes long",
            Self::TooLong => "49 bytes long",
            Self::OtherVersion => "of another version",
        }
    }

    /// A block of 256 bytes, each time another.
    fn block(self, version: ProtocolVersion, random: &Cheap) -> Vec<u8> {
        let length = match self {
            Self::TooShort => 47,
            Self::TooLong => 49,
            _ => 48,
        };
        let not_zero = |length| random.bytes(length).into_iter().map(|byte| byte | 1);
        let mut block: Vec<u8> = [0, 2].into_iter().chain(not_zero(254)).collect();
        let end = block.len() - length;
        let mut set = |at: usize, bytes: &[u8]| {
            block.iter_mut().skip(at).zip(bytes).for_each(|(to, byte)| *to = *byte);
        };
        match self {
            Self::NoZero => return block,
            Self::NoZeroTwo => set(1, &[1]),
            Self::EarlyZero => set(5, &[0]),
            _ => {}
        }
        set(end - 1, &[0]);
        set(end, &random.bytes(length));
        set(end, &if self == Self::OtherVersion { [3, 9] } else { version.0.to_be_bytes() });
        block
    }

    /// The block to the public exponent.
    fn encrypted(self, key: &PublicKey, version: ProtocolVersion, random: &Cheap) -> Vec<u8> {
        let block = BigUint::from_bytes_be(&self.block(version, random));
        let (e, n) = (BigUint::from_bytes_be(key.e()), BigUint::from_bytes_be(key.n()));
        let number = block.modpow(&e, &n).to_bytes_be();
        [vec![0; key.modulus_len().saturating_sub(number.len())], number].concat()
    }
}

/// The function of `crypto` alone.
pub(crate) struct Decrypting {
    key: PrivateKey,
    classes: Vec<Premaster>,
    pools: Vec<Vec<Vec<u8>>>,
    ciphertext: Vec<u8>,
    random: Cheap,
    /// What the harness does wrong on purpose: it makes the random premaster only where it is needed.
    leaks: bool,
}

impl Decrypting {
    pub(crate) fn new() -> Result<Self, Failure> {
        Self::of(Premaster::OF_PADDING.to_vec(), false)
    }

    pub(crate) fn leaky() -> Result<Self, Failure> {
        Self::of(vec![Premaster::Good, Premaster::EarlyZero], true)
    }

    fn of(classes: Vec<Premaster>, leaks: bool) -> Result<Self, Failure> {
        let (key, random) = (rsa_key()?, Cheap::default());
        let of = |class: usize| classes.get(class).copied().unwrap_or(Premaster::Good);
        let encrypt = |class| of(class).encrypted(key.public_key(), ProtocolVersion::TLS12, &random);
        let pools = pools(classes.len(), encrypt);
        let decrypting = Self { key, classes, pools, ciphertext: Vec::new(), random, leaks };
        decrypting.check()?;
        Ok(decrypting)
    }

    /// Only what is good is taken.
    fn check(&self) -> Result<(), Failure> {
        for (class, pool) in self.classes.iter().zip(&self.pools) {
            for ciphertext in pool {
                let decrypted = self.key.decrypt_pkcs1(ciphertext, &mut [0; 48], &self.random)?;
                if decrypted.good.reveal() != (*class == Premaster::Good) {
                    return Err(format!("{}: taken for the contrary", class.name()).into());
                }
            }
        }
        Ok(())
    }
}

impl Subject for Decrypting {
    fn classes(&self) -> Vec<&'static str> {
        self.classes.iter().map(|class| class.name()).collect()
    }

    fn prepare(&mut self, class: usize, lot: usize) {
        self.ciphertext.clear();
        self.ciphertext.extend_from_slice(from_pool(&self.pools, class, lot).map_or(&[], Vec::as_slice));
    }

    fn run(&mut self) {
        let mut out = [7; 48];
        let decrypted = self.key.decrypt_pkcs1(&self.ciphertext, &mut out, &self.random);
        if self.leaks && !decrypted.is_ok_and(|decrypted| decrypted.good.reveal()) {
            let _ = crypto::random::Random::fill(&crypto::random::SystemRandom, &mut out);
        }
        let _ = black_box((decrypted, out));
    }
}

/// A server from ClientKeyExchange to the Finished that it refuses.
pub(crate) struct Handshaking {
    servers: Servers,
    flights: Vec<Vec<Vec<u8>>>,
    server: Option<ServerConnection>,
    flight: Vec<u8>,
}

impl Handshaking {
    pub(crate) fn new(version: ProtocolVersion) -> Result<Self, Failure> {
        let servers = Servers::new(version)?;
        let (key, random) = (rsa_key()?, Cheap::default());
        let flights = pools(Premaster::ALL.len(), |class| {
            let class = Premaster::ALL.get(class).copied().unwrap_or(Premaster::Good);
            let encrypted = class.encrypted(key.public_key(), version, &random);
            let exchange = servers.record(22, &servers.client_key_exchange(&encrypted));
            let finished = servers.record(22, &random.bytes(64));
            [exchange, servers.record(20, &[1]), finished].concat()
        });
        let mut handshaking = Self { servers, flights, server: None, flight: Vec::new() };
        handshaking.check()?;
        Ok(handshaking)
    }

    /// All are answered by the same alert.
    fn check(&mut self) -> Result<(), Failure> {
        let mut said = Vec::new();
        for class in 0..Premaster::ALL.len() {
            self.prepare(class, 0);
            let server = self.server.as_mut().ok_or("no server")?;
            let Err(failure) = server.advance(&self.flight) else { return Err("it is accepted".into()) };
            said.push((failure.output, failure.error.to_string()));
        }
        match said.windows(2).all(|pair| matches!(pair, [a, b] if a == b)) {
            true => Ok(()),
            false => Err(format!("the server answers differently: {said:?}").into()),
        }
    }
}

impl Subject for Handshaking {
    fn classes(&self) -> Vec<&'static str> {
        Premaster::ALL.map(Premaster::name).to_vec()
    }

    fn prepare(&mut self, class: usize, lot: usize) {
        self.server = self.servers.waiting().ok().map(|(server, _)| server);
        self.flight.clear();
        self.flight.extend_from_slice(from_pool(&self.flights, class, lot).map_or(&[], Vec::as_slice));
    }

    fn run(&mut self) {
        if let Some(server) = &mut self.server {
            drop(black_box(server.advance(&self.flight)));
        }
    }
}
