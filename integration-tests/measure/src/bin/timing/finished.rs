//! Finished: whether time tells how much of a wrong one is right.

use std::hint::black_box;
use std::sync::Arc;

use crypto::cipher::BlockCipher;
use crypto::hash::Hash;
use crypto::tls_prf::prf_tls12;
use legacy_tls::record::{Bulk, CbcIv, Keys, MacConstruction, MacKind, Padding, Sealer};
use legacy_tls::{ProtocolVersion, ServerConnection};
use opensspi_measure::sampling::{Cheap, Subject};

use crate::engine::{Failure, Servers, message, messages, rsa_key, sealed};

/// A server that gets a Finished of TLS 1.2.
pub(crate) struct Comparing {
    servers: Servers,
    premaster: Vec<u8>,
    exchange: Vec<u8>,
    server: Option<ServerConnection>,
    record: Vec<u8>,
    random: Arc<Cheap>,
}

impl Comparing {
    const CLASSES: [&str; 3] = ["wrong in its first byte", "wrong in its last byte", "wrong everywhere"];

    pub(crate) fn new() -> Result<Self, Failure> {
        let servers = Servers::new(ProtocolVersion::TLS12)?;
        let random = Arc::new(Cheap::default());
        let premaster = [&[3, 3][..], &random.bytes(46)].concat();
        let encrypted = rsa_key()?.public_key().encrypt_pkcs1(&premaster, random.as_ref())?;
        let exchange = servers.client_key_exchange(&encrypted);
        let mut comparing = Self { servers, premaster, exchange, server: None, record: Vec::new(), random };
        comparing.check()?;
        Ok(comparing)
    }

    /// Each is refused as a wrong Finished, and would be taken if it were right.
    fn check(&mut self) -> Result<(), Failure> {
        for (class, refused) in [(Some(0), true), (Some(1), true), (Some(2), true), (None, false)] {
            self.make(class)?;
            let server = self.server.as_mut().ok_or("no server")?;
            let answer = server.advance(&self.record);
            if answer.is_err() != refused {
                return Err(format!("a Finished, {class:?}: {answer:?}").into());
            }
            if let Err(failure) = answer
                && !matches!(
                    failure.error,
                    legacy_tls::Error::Misbehaved(legacy_tls::Misbehaved::BadFinished)
                )
            {
                return Err(failure.error.into());
            }
        }
        Ok(())
    }

    /// A server that waits for Finished, and one.
    fn make(&mut self, class: Option<usize>) -> Result<(), Failure> {
        let (mut server, flight) = self.servers.waiting()?;
        let handshake = [self.servers.hello(), messages(&flight), self.exchange.clone()].concat();
        let exchange = self.servers.record(22, &self.exchange);
        let sent = [exchange, self.servers.record(20, &[1])].concat();
        drop(server.advance(&sent).map_err(|failure| failure.error)?);
        let (client, server_random) = self.randoms(&messages(&flight))?;
        let mut master = [0; 48];
        prf_tls12(Hash::Sha256, &self.premaster, b"master secret", &[&client, &server_random], &mut master);
        let mut block = [0; 20 + 20 + 16];
        prf_tls12(Hash::Sha256, &master, b"key expansion", &[&server_random, &client], &mut block);
        let mut verify_data = [0; 12];
        let digest = Hash::Sha256.digest(&handshake);
        prf_tls12(Hash::Sha256, &master, b"client finished", &[digest.as_ref()], &mut verify_data);
        spoil(&mut verify_data, class);
        let mut sealer = Sealer::new(&client_keys(&block), Arc::clone(&self.random) as _)
            .map_err(|error| format!("{error:?}"))?;
        self.record = sealed(&mut sealer, &message(20, &verify_data))?;
        self.server = Some(server);
        Ok(())
    }

    /// Behind type, length and version of both hellos.
    fn randoms(&self, flight: &[u8]) -> Result<([u8; 32], [u8; 32]), Failure> {
        let of = |hello: &[u8]| hello.get(6..).and_then(|rest| rest.first_chunk().copied());
        of(&self.servers.hello()).zip(of(flight)).ok_or_else(|| "no random in a hello".into())
    }
}

/// Makes it wrong where the class says.
fn spoil(verify_data: &mut [u8; 12], class: Option<usize>) {
    for (at, byte) in verify_data.iter_mut().enumerate() {
        *byte ^= u8::from(matches!((class, at), (Some(0), 0) | (Some(1), 11) | (Some(2), _)));
    }
}

/// Those that the client sends with, in the key block of AES-128-CBC with SHA-1.
fn client_keys(block: &[u8]) -> Keys<'_> {
    Keys {
        wire_version: ProtocolVersion::TLS12.0,
        bulk: Bulk::Cbc(BlockCipher::Aes128),
        mac: Some(MacKind { construction: MacConstruction::Hmac, hash: Hash::Sha1 }),
        padding: Padding::Tls,
        cbc_iv: CbcIv::Explicit,
        mac_secret: block.get(..20).unwrap_or_default(),
        key: block.get(40..).unwrap_or_default(),
        iv: &[],
        split: false,
        data_limit: u64::MAX,
    }
}

impl Subject for Comparing {
    fn classes(&self) -> Vec<&'static str> {
        Self::CLASSES.to_vec()
    }

    fn prepare(&mut self, class: usize, _: usize) {
        // It was done once for every class before.
        drop(self.make(Some(class)));
    }

    fn run(&mut self) {
        if let Some(server) = &mut self.server {
            drop(black_box(server.advance(&self.record)));
        }
    }
}
