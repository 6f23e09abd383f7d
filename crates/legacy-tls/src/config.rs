//! What is allowed, what is preferred, and what is passed in from outside.

use std::fmt::{self, Debug, Formatter};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

pub use crypto::cipher::SMALL_BLOCK_LIMIT;
use crypto::dh::Group;
use crypto::ecdh::NamedGroup;
use crypto::random::Random;
use crypto::rsa;
use zeroize::Zeroizing;

use crate::certificate::{CertificateVerifier, Identity};
use crate::error::Error;
use crate::session::SessionStore;
use crate::tls::cipher_suites::CipherSuite;
use crate::tls::signature::SignatureScheme;
use crate::tls::versions::ProtocolVersion;

/// The time, passed in.
pub trait Clock: Send + Sync {
    /// Seconds since the Unix epoch.
    fn now(&self) -> u64;
}

/// Whether master secrets are bound to their handshake.
///
/// Spec: EMS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExtendedMasterSecret {
    /// Not offered and not accepted.
    Off,
    /// Used where the peer has it.
    #[default]
    Offered,
    /// A peer without it is refused.
    Required,
}

/// What is allowed and preferred, in both roles.
#[derive(Clone, Debug)]
pub struct Policy {
    /// The protocols that may be spoken, the preferred one first.
    pub versions: Vec<ProtocolVersion>,
    /// The highest version that any engine of ours speaks with this peer: what a fallback and the sentinels against
    /// downgrades are measured by.
    pub highest: ProtocolVersion,
    /// The suites that may be used, the preferred one first. A server goes by its own order.
    pub suites: Vec<CipherSuite>,
    /// The curves that may be used, the preferred one first.
    pub groups: Vec<NamedGroup>,
    /// The signatures of TLS 1.2 that may be used, the preferred one first.
    pub signature_schemes: Vec<SignatureScheme>,
    /// The smallest group of Diffie-Hellman that is accepted, in bits. Export suites have their own bound.
    pub dh_minimum_bits: u32,
    /// Whether master secrets are bound to their handshake.
    pub extended_master_secret: ExtendedMasterSecret,
    /// Application protocols, the preferred one first.
    pub alpn: Vec<Vec<u8>>,
    /// Whether sessions are kept and taken up again.
    pub resume: bool,
    /// Whether the first byte of a message gets a record of its own where the IV of CBC is predictable (BEAST).
    pub split_records: bool,
    /// How many bytes a block cipher with blocks of 64 bits encrypts at most under one key (Sweet32).
    pub small_block_limit: u64,
    /// Whether a connection is negotiated again with a peer that has no renegotiation indication (RFC 5746): somebody in
    /// between may then have spoken for the client before.
    pub insecure_renegotiation: bool,
    /// Whether a client lets a server use the RSA key of its certificate for what keyUsage there does not allow: to decrypt,
    /// or to sign. Servers have one certificate for the suites of both kinds.
    pub any_rsa_key_usage: bool,
    /// Whether a client takes an application protocol that it did not offer, of servers that name theirs whatever is offered.
    pub unoffered_alpn: bool,
    /// Whether a ClientHello of SSL 3.0 and TLS may have the format of SSL 2.0: a client that has no session to take up
    /// writes it so, a server reads it too. A client that has SSL 2.0 and something newer offers both in it; without it
    /// the newer is offered alone.
    pub v2_hello: bool,
}

impl Default for Policy {
    /// TLS 1.2 with suites that have forward secrecy and an AEAD; nothing older, nothing weaker.
    fn default() -> Self {
        let modern = [0xc02c, 0xc02b, 0xc030, 0xc02f].map(CipherSuite);
        Self {
            versions: vec![ProtocolVersion::TLS12],
            highest: ProtocolVersion::TLS12,
            suites: modern.to_vec(),
            groups: vec![NamedGroup::X25519, NamedGroup::Secp256r1, NamedGroup::Secp384r1],
            signature_schemes: SignatureScheme::STRONG.to_vec(),
            dh_minimum_bits: 2048,
            extended_master_secret: ExtendedMasterSecret::Offered,
            alpn: Vec::new(),
            resume: true,
            split_records: true,
            small_block_limit: SMALL_BLOCK_LIMIT,
            insecure_renegotiation: false,
            any_rsa_key_usage: false,
            unoffered_alpn: false,
            v2_hello: false,
        }
    }
}

impl Policy {
    /// Whether a version is enabled.
    pub(crate) fn has(&self, version: ProtocolVersion) -> bool {
        self.versions.contains(&version)
    }

    /// The highest version of the TLS family that is enabled.
    pub(crate) fn highest_here(&self) -> Option<ProtocolVersion> {
        self.versions.iter().copied().filter(|version| version.rules().is_some()).max()
    }

    /// The lowest version of the TLS family that is enabled.
    pub(crate) fn lowest_here(&self) -> Option<ProtocolVersion> {
        self.versions.iter().copied().filter(|version| version.rules().is_some()).min()
    }

    /// The lowest and the highest version of the TLS family that are enabled.
    pub(crate) fn range(&self) -> Option<(ProtocolVersion, ProtocolVersion)> {
        Some((self.lowest_here()?, self.highest_here()?))
    }
}

/// What a client's handshakes have in common.
#[derive(Clone)]
pub struct ClientConfig {
    /// What is allowed and preferred.
    pub policy: Policy,
    /// Judges the server's certificate.
    pub verifier: Arc<dyn CertificateVerifier>,
    /// Our certificates; the first that fits what the server asks for is shown.
    pub identities: Vec<Arc<Identity>>,
    /// Whether the application is asked when the server wants a certificate.
    pub ask_for_certificate: bool,
    /// Where sessions are kept.
    pub sessions: Arc<dyn SessionStore>,
    /// Randomness.
    pub random: Arc<dyn Random>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// Whether a server asks its clients for certificates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientAuth {
    /// No.
    #[default]
    None,
    /// It asks, and goes on without one.
    Optional,
    /// It asks, and refuses a client without one.
    Required,
}

/// What a server's handshakes have in common.
#[derive(Clone)]
pub struct ServerConfig {
    /// What is allowed and preferred.
    pub policy: Policy,
    /// Our certificates: of those that fit the suite, the first that has the name that the client asks for, or else the
    /// first.
    pub identities: Vec<Arc<Identity>>,
    /// Whether clients are asked for certificates.
    pub client_auth: ClientAuth,
    /// Judges them.
    pub client_verifier: Arc<dyn CertificateVerifier>,
    /// The authorities that are named when a certificate is asked for, each a `Name` in DER.
    pub authorities: Vec<Vec<u8>>,
    /// The group of Diffie-Hellman; export suites have one of 1024 bits.
    pub dh_group: Group,
    /// The keys of export suites.
    pub export_keys: Arc<ExportKeys>,
    /// Where sessions are kept.
    pub sessions: Arc<dyn SessionStore>,
    /// Randomness.
    pub random: Arc<dyn Random>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// The RSA keys of 512 and 1024 bits that export suites need, and the secret that wrong keys of SSL 2.0 are replaced with,
/// made when they are first needed.
///
/// Anybody can factor the shorter keys in hours. So none is used for more than a day or 500 handshakes, lest one that
/// was factored opens all that there will be (FREAK).
///
/// Spec: TLS10 appendix D.1.
#[derive(Default)]
pub struct ExportKeys {
    rejection: OnceLock<Zeroizing<[u8; 32]>>,
    small: Mutex<Option<ExportKey>>,
    large: Mutex<Option<ExportKey>>,
}

struct ExportKey {
    key: rsa::PrivateKey,
    made: u64,
    uses: u32,
}

impl ExportKey {
    const LIFETIME: u64 = 24 * 60 * 60;
    const MOST_USES: u32 = 500;

    /// One use more, if it may have one.
    fn take(&mut self, now: u64) -> Option<rsa::PrivateKey> {
        // A clock that was set back makes no key younger than it is.
        let is_young = now.checked_sub(self.made).is_some_and(|age| age < Self::LIFETIME);
        if !is_young || self.uses >= Self::MOST_USES {
            return None;
        }
        self.uses += 1;
        Some(self.key.clone())
    }
}

impl ExportKeys {
    /// The key of `bits` bits, 512 or 1024, for one handshake.
    pub(crate) fn key(&self, bits: u32, random: &dyn Random, now: u64) -> Result<rsa::PrivateKey, Error> {
        let (slot, bits) = if bits <= 512 { (&self.small, 512) } else { (&self.large, 1024) };
        let slot = || slot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = slot().as_mut().and_then(|key| key.take(now)) {
            return Ok(key);
        }
        // Others need not wait for this: at worst two of them make one each.
        let key = rsa::PrivateKey::generate(bits, random)
            .map_err(|_| Error::Internal("no RSA key could be made for an export suite"))?;
        *slot() = Some(ExportKey { key: key.clone(), made: now, uses: 1 });
        Ok(key)
    }

    /// What the key is made of that stands in for one that cannot be decrypted; the same as long as this lives.
    pub(crate) fn rejection(&self, random: &dyn Random) -> Result<&[u8; 32], Error> {
        if let Some(secret) = self.rejection.get() {
            return Ok(&**secret);
        }
        let mut secret = Zeroizing::new([0; 32]);
        random.fill(&mut *secret)?;
        Ok(&**self.rejection.get_or_init(|| secret))
    }
}

impl Debug for ExportKeys {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("ExportKeys")
    }
}

impl Debug for ClientConfig {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientConfig").field("policy", &self.policy).finish_non_exhaustive()
    }
}

impl Debug for ServerConfig {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerConfig").field("policy", &self.policy).finish_non_exhaustive()
    }
}
