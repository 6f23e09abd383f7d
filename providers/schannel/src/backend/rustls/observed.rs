//! What rustls tells only in callbacks: secrets, the name that was asked for, the certificate that was chosen, what the
//! key schedule of TLS 1.2 derives.
//!
//! The callbacks belong to a configuration that many handshakes share, and they run inside the call that processes a
//! record. So a handshake lays its [`Observed`] on the thread for the length of that call, and the callbacks find it there.

use std::cell::Cell;
use std::sync::Arc;
use std::time::SystemTime;

use crypto::mac::HmacKey;
use rustls::sign::CertifiedKey;
use sspi_core::Clock;

use super::record_aead::Keys;
use super::secret::SmallSecret;
use crate::session_cache::Chain;
use crate::status::CertificateProblem;

/// Bytes of a session's number.
pub(crate) const SERIAL: usize = 16;
/// A random number that a session gets in its full handshake, and that everything has which goes on with it: whatever it
/// is taken up by, an identifier or a ticket, it is withdrawn as one.
pub(crate) type Serial = [u8; SERIAL];

/// What one handshake was told.
#[derive(Default)]
pub(crate) struct Observed {
    /// TLS 1.2: the master secret.
    pub(crate) master_secret: Option<SmallSecret>,
    /// TLS 1.3: the exporter master secret.
    pub(crate) exporter_secret: Option<SmallSecret>,
    /// TLS 1.3: what protects the server's handshake messages.
    pub(crate) server_handshake_secret: Option<SmallSecret>,
    /// TLS 1.3: what protects the client's data.
    pub(crate) client_traffic_secret: Option<SmallSecret>,
    /// TLS 1.3: what protects the server's data.
    pub(crate) server_traffic_secret: Option<SmallSecret>,
    /// The client's random, by which all of these are known.
    pub(crate) client_random: Option<[u8; 32]>,
    /// TLS 1.2: the server's random.
    pub(crate) server_random: Option<[u8; 32]>,
    /// What protects records, each direction.
    pub(crate) keys: Keys,
    /// The last record did not authenticate.
    pub(crate) is_bad_record: bool,
    /// The fatal alert that rustls has protected.
    pub(crate) alert: Option<u8>,
    /// rustls is asked for its last state and derives keys that nobody takes.
    pub(crate) is_leaving: bool,
    /// TLS 1.2: the last secret that was expanded, and the key that it is.
    pub(crate) prf_key: Option<(SmallSecret, HmacKey)>,
    /// TLS 1.2: the verify data of the first Finished message, which is `tls-unique`.
    pub(crate) first_finished: Option<[u8; 12]>,
    /// Server: the name that the client asked for.
    pub(crate) server_name: Option<String>,
    /// The certificate of ours that was chosen.
    pub(crate) local: Option<Arc<CertifiedKey>>,
    /// Why the peer's certificate was refused.
    pub(crate) refused: Option<CertificateProblem>,
    /// The session that the client offers, and that the server has found.
    pub(crate) offered: Option<Offered>,
    /// The offer was declined: the handshake is a full one.
    pub(crate) is_full: bool,
    /// Under what the sessions are kept that this handshake made.
    pub(crate) kept: Vec<Vec<u8>>,
    /// Server: the number of the session that this handshake made.
    pub(crate) serial: Option<Serial>,
    /// Client: what the server has shown.
    pub(crate) peer_chain: Option<Arc<Chain>>,
    /// Client: what the server stapled to it.
    pub(crate) staple: Vec<u8>,
    /// Client: what stands in its hellos beside what rustls says: see `older_versions.rs`.
    pub(crate) older_versions: Vec<u16>,
    /// Client: the application's answer to a request for a certificate, once there is one.
    pub(crate) client_certificate: Option<Option<Arc<CertifiedKey>>>,
    /// When the call that is made began, once somebody has asked.
    pub(crate) now: Option<SystemTime>,
}

/// A session that a handshake may go on with.
#[derive(Clone, Default)]
pub(crate) struct Offered {
    /// When it was made, in seconds since the Unix epoch.
    pub(crate) created: u64,
    /// Under what it is kept, where it is.
    pub(crate) id: Option<Vec<u8>>,
    /// Server: its number.
    pub(crate) serial: Option<Serial>,
    /// Client: what the server showed when it was made.
    pub(crate) chain: Option<Arc<Chain>>,
}

thread_local! {
    static CURRENT: Cell<Option<Box<Observed>>> = const { Cell::new(None) };
}

/// Runs `call` with `observed` laid on the thread.
pub(crate) fn during<T>(observed: &mut Option<Box<Observed>>, call: impl FnOnce() -> T) -> T {
    if let Some(observed) = observed {
        observed.now = None;
    }
    CURRENT.set(observed.take());
    let result = call();
    *observed = CURRENT.take();
    result
}

/// What lies on the thread, for a callback.
pub(crate) fn with<T>(callback: impl FnOnce(&mut Observed) -> T) -> Option<T> {
    let mut current = CURRENT.take()?;
    let result = callback(&mut current);
    CURRENT.set(Some(current));
    Some(result)
}

/// A clock that stands still during a call: whatever is decided in it, and there is a lot, is decided at one time.
pub(crate) struct SteadyClock(pub(crate) Arc<dyn Clock>);

impl Clock for SteadyClock {
    fn now(&self) -> SystemTime {
        let in_a_call = with(|o| *o.now.get_or_insert_with(|| self.0.now()));
        in_a_call.unwrap_or_else(|| self.0.now())
    }
}

impl Observed {
    /// The session that this handshake goes on with, unless it was declined.
    pub(crate) fn goes_on_with(&self) -> Option<&Offered> {
        self.offered.as_ref().filter(|_| !self.is_full)
    }

    /// When the session was made that this handshake goes on with.
    pub(crate) fn session_created(&self) -> Option<u64> {
        self.goes_on_with().map(|offered| offered.created)
    }

    /// Server: the number of the session that this handshake went on with or made.
    pub(crate) fn session_serial(&self) -> Option<Serial> {
        self.goes_on_with().and_then(|offered| offered.serial).or(self.serial)
    }

    /// Client: what the server has shown, or showed when the session was made.
    pub(crate) fn session_chain(&self) -> Option<&Arc<Chain>> {
        let before = || self.goes_on_with()?.chain.as_ref();
        self.peer_chain.as_ref().or_else(before)
    }

    /// Under what the sessions are kept that this handshake went on with or made. There are none afterwards.
    pub(crate) fn take_kept(&mut self) -> Vec<Vec<u8>> {
        let before = self.goes_on_with().and_then(|offered| offered.id.clone());
        let mut kept = core::mem::take(&mut self.kept);
        kept.extend(before);
        kept
    }

    /// Takes a line of the key log.
    pub(crate) fn secret(&mut self, label: &str, client_random: &[u8], secret: &[u8]) {
        let slot = match label {
            "CLIENT_RANDOM" => &mut self.master_secret,
            "EXPORTER_SECRET" => &mut self.exporter_secret,
            "SERVER_HANDSHAKE_TRAFFIC_SECRET" => &mut self.server_handshake_secret,
            "CLIENT_TRAFFIC_SECRET_0" => &mut self.client_traffic_secret,
            "SERVER_TRAFFIC_SECRET_0" => &mut self.server_traffic_secret,
            _ => return,
        };
        *slot = Some(SmallSecret::new(secret));
        self.client_random = client_random.try_into().ok();
    }
}
