//! What a handshake yields.

use std::sync::Arc;

use legacy_tls::KeyExchangeStrength;
use rustls::client::ClientConnectionData;
use rustls::kernel::KernelConnection;
use rustls::pki_types::CertificateDer;
use rustls::{HandshakeKind, ProtocolVersion};

use super::configs::OwnKey;
use super::observed::{self, Observed, Offered};
use super::pump::Connection;
use super::record_aead::Keys;
use super::records::{self, Protection, Receiving, Sending};
use super::transcript::Transcript;
use crate::backend::{LocalCertificate, Session, SessionSecrets, Settings};
use crate::cipher_suites::{Suite, SuiteRow};
use crate::session_cache::{Chain, Kept, Part};
use crate::status::Error;

/// What a handshake yields: what was negotiated, and the keys.
pub(crate) struct Established {
    pub(crate) session: Session,
    pub(crate) kept: Arc<Kept>,
    pub(crate) sending: Sending,
    pub(crate) receiving: Receiving,
}

/// A ticket that is longer is not kept, in bytes: a server that puts its clients' chains into them has long ones, and one that
/// wants a client to keep much has longer ones.
const LONGEST_TICKET: usize = 8 << 10;

/// Takes a client's late tickets to the session cache.
pub(crate) struct Tickets {
    kernel: Box<KernelConnection<ClientConnectionData>>,
    kept: Arc<Kept>,
    /// When the session was made, or the one that it goes on with.
    created: u64,
    /// What the server showed.
    chain: Option<Arc<Chain>>,
}

impl Tickets {
    /// Keeps the session of a NewSessionTicket message (its body).
    pub(crate) fn keep(&mut self, body: &[u8]) -> Result<(), Error> {
        if !self.kept.is_open() || body.len() > LONGEST_TICKET {
            return Ok(());
        }
        let offered = Offered { created: self.created, chain: self.chain.clone(), ..Offered::default() };
        let mut observed = Some(Box::new(Observed { offered: Some(offered), ..Observed::default() }));
        observed::during(&mut observed, || self.kernel.handle_new_session_ticket(body))
            .map_err(|error| Error::Decode { what: format!("NewSessionTicket: {error}") })
    }
}

/// Where the sessions of a handshake are kept.
pub(super) struct Place {
    pub(super) part: Part,
    /// Client: under what all that there is of the server is kept.
    pub(super) server: Option<Vec<u8>>,
}

/// A handshake that rustls is done with.
pub(super) struct Done<'a> {
    pub(super) connection: Connection,
    pub(super) observed: Box<Observed>,
    pub(super) transcript: Transcript,
    pub(super) settings: &'a Settings,
    pub(super) place: Place,
}

impl Done<'_> {
    /// Takes the keys out: from here on records are ours.
    pub(super) fn establish(self) -> Result<Established, Error> {
        let Self { connection, mut observed, transcript, settings, place, .. } = self;
        if let (Some(chain), Some(server)) = (observed.session_chain(), &place.server) {
            settings.remember_staple(chain, &String::from_utf8_lossy(server), &observed.staple);
        }
        let ids = observed.take_kept();
        let ids = place.server.map_or(ids, |server| vec![server]);
        let kept =
            Arc::new(Kept::new(&settings.sessions, place.part, ids, observed.session_serial().as_ref()));
        let common = connection.common();
        let missing = |what| move || Error::Internal(what);
        let suite = common.negotiated_cipher_suite().ok_or_else(missing("no suite after the handshake"))?;
        let suite = SuiteRow::by_code(u16::from(suite.suite())).ok_or_else(missing("a suite of no row"))?;
        let version = common.protocol_version().ok_or_else(missing("no version after the handshake"))?;
        let group = common.negotiated_key_exchange_group().map(|group| u16::from(group.name()));
        let strength = group.map(|group| KeyExchangeStrength::Ecdh { group });
        let alpn = common.alpn_protocol().map(<[u8]>::to_vec);
        let is_of = |chain: &Chain, shown: &[CertificateDer<'_>]| {
            chain.len() == shown.len() && chain.iter().zip(shown).all(|(ours, shown)| **ours == **shown)
        };
        let peer_chain = common.peer_certificates().map(|shown| {
            let known = observed.peer_chain.as_ref().filter(|chain| is_of(chain, shown));
            let copy = || Arc::new(shown.iter().map(|c| c.to_vec()).collect::<Vec<_>>().into());
            known.map_or_else(copy, Arc::clone)
        });
        let resumed = common.handshake_kind() == Some(HandshakeKind::Resumed);
        let is_tls13 = version == ProtocolVersion::TLSv1_3;
        let is_client = connection.is_client();

        let created = observed.session_created().unwrap_or_else(|| settings.sessions.now());
        let chain = observed.session_chain().cloned().filter(|_| settings.keeps_sessions());
        let tickets = match connection {
            // A session in which the application chose the certificate is not taken up again by a handshake that would ask.
            Connection::Client(client) if is_tls13 && observed.client_certificate.is_none() => {
                observed.is_leaving = true;
                let mut laid = Some(observed);
                let left = observed::during(&mut laid, || client.dangerous_into_kernel_connection());
                observed = laid.unwrap_or_default();
                let (_keys_that_are_ours, kernel) =
                    left.map_err(|error| Error::InternalReport(error.to_string()))?;
                Some(Tickets {
                    kernel: Box::new(kernel),
                    kept: Arc::clone(&kept),
                    created,
                    chain: chain.map(|chain| settings.sessions.share(chain)),
                })
            }
            _ => None,
        };
        let (client_secret, server_secret) =
            (observed.client_traffic_secret.take(), observed.server_traffic_secret.take());
        let (sending_secret, receiving_secret) =
            if is_client { (client_secret, server_secret) } else { (server_secret, client_secret) };
        let Keys { sending, receiving } = core::mem::take(&mut observed.keys);
        let sending = sending.ok_or_else(missing("no key to send with"))?;
        let receiving = receiving.ok_or_else(missing("no key to receive with"))?;
        let (sending, receiving) = records::directions(
            suite,
            Protection::new(suite, sending, sending_secret),
            Protection::new(suite, receiving, receiving_secret),
            tickets,
        );

        let server_hello = transcript.server_hello;
        let secrets = if is_tls13 {
            let exporter = observed.exporter_secret.take();
            SessionSecrets::Tls13 { exporter: exporter.ok_or_else(missing("no exporter secret"))? }
        } else {
            SessionSecrets::Tls12 {
                master: observed.master_secret.take().ok_or_else(missing("no master secret"))?,
                client_random: observed.client_random.ok_or_else(missing("no client random"))?,
                server_random: observed.server_random.ok_or_else(missing("no server random"))?,
                unique: observed.first_finished,
                extended_master_secret: server_hello
                    .as_ref()
                    .is_some_and(|hello| hello.extended_master_secret),
            }
        };
        let session = Session {
            is_client,
            version: u16::from(version),
            suite: Suite::of_rustls(suite),
            strength,
            alpn,
            peer_chain,
            local: observed.local.take().map(|key| LocalCertificate::Rustls(OwnKey::of(key))),
            resumed,
            // In TLS 1.3 the session ID is an echo for middleboxes and names nothing.
            session_id: server_hello.filter(|_| !is_tls13).map(|hello| hello.session_id).unwrap_or_default(),
            server_name: observed.server_name.take(),
            account: None,
            secrets,
        };
        Ok(Established { session, kept, sending, receiving })
    }
}
