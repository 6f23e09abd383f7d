//! What a handshake yields.

use std::fmt::{self, Debug, Formatter};
use std::sync::Arc;

use crate::certificate::Identity;
use crate::error::Error;
use crate::pct1;
use crate::pct1::handshake::Pct1Negotiated;
use crate::record::{Opener, Sealer};
use crate::renegotiation::Previous;
use crate::session::{MasterSecret, Session, SessionStore};
use crate::ssl2;
use crate::tls::cipher_suites::SuiteRow;
use crate::tls::key_exchange::KeyExchangeStrength;
use crate::tls::keys::Randoms;
use crate::tls::versions::{ProtocolVersion, Rules, VerifyData};

/// What a handshake yields: both directions of the connection, and what was negotiated.
pub struct Established {
    /// Protects what we send.
    pub sealer: Sealer,
    /// Opens what the peer sends.
    pub opener: Opener,
    /// What was negotiated.
    pub negotiated: Negotiated,
}

/// What was negotiated.
pub struct Negotiated {
    /// Whether we are the client.
    pub is_client: bool,
    /// The version.
    pub version: ProtocolVersion,
    /// The suite.
    pub suite: &'static SuiteRow,
    /// The key exchange; `None` for a resumed session, which has none.
    pub strength: Option<KeyExchangeStrength>,
    /// The application protocol.
    pub alpn: Option<Vec<u8>>,
    /// The name that the client asked for.
    pub server_name: Option<String>,
    /// The peer's chain, leaf first, each in DER; empty where it showed none. That of a resumed session is the one of the
    /// handshake that made it.
    pub peer_chain: Vec<Vec<u8>>,
    /// The OCSP response that the server stapled; empty where it did not.
    pub ocsp_response: Vec<u8>,
    /// What we showed ourselves: a client in this handshake, a server also in the one that made a resumed session.
    pub identity: Option<Arc<Identity>>,
    /// Whether a session was taken up again.
    pub resumed: bool,
    /// The session's identifier; empty if it cannot be taken up again, or by a ticket only.
    pub session_id: Vec<u8>,
    /// Where the session is kept in the store.
    pub session_key: Option<Vec<u8>>,
    /// Server: the identifier of the session that the client has a ticket of.
    pub ticketed: Option<Vec<u8>>,
    /// Whether the master secret is bound to the handshake; without that no channel binding is safe.
    pub extended_master_secret: bool,
    pub(crate) sessions: Arc<dyn SessionStore>,
    /// What the ClientHello said.
    pub(crate) hello_version: ProtocolVersion,
    pub(crate) finished: Previous,
    /// `None` in a protocol that has none.
    pub(crate) rules: Option<&'static Rules>,
    pub(crate) master_secret: MasterSecret,
    pub(crate) randoms: Randoms,
    pub(crate) pct1: Option<Box<Pct1Negotiated>>,
}

impl Negotiated {
    /// What is left of a handshake whose hellos have no extensions, for the role to fill in the rest.
    pub(crate) fn without_extensions(
        version: ProtocolVersion,
        suite: &'static SuiteRow,
        master_secret: MasterSecret,
        randoms: Randoms,
        sessions: &Arc<dyn SessionStore>,
    ) -> Self {
        let nothing = VerifyData::new(0, |_| {});
        Self {
            is_client: false,
            version,
            suite,
            strength: None,
            alpn: None,
            server_name: None,
            peer_chain: Vec::new(),
            ocsp_response: Vec::new(),
            identity: None,
            resumed: false,
            session_id: Vec::new(),
            session_key: None,
            ticketed: None,
            extended_master_secret: false,
            sessions: Arc::clone(sessions),
            hello_version: version,
            finished: Previous { client: nothing, server: nothing, secure: false },
            rules: None,
            master_secret,
            randoms,
            pct1: None,
        }
    }

    /// Keeps a new session where a later handshake finds it, if it may be kept.
    pub(crate) fn keep(&self, now: u64) {
        if let Some(key) = self.session_key.as_ref().filter(|_| !self.resumed) {
            self.sessions.put(key, self.session(now));
        }
    }

    /// What a later handshake can take up again.
    fn session(&self, created: u64) -> Arc<Session> {
        Arc::new(Session {
            id: self.session_id.clone(),
            ticket: Vec::new(),
            ticket_expires: None,
            version: self.version,
            suite: self.suite.suite,
            master_secret: self.master_secret.clone(),
            extended_master_secret: self.extended_master_secret,
            peer_chain: self.peer_chain.clone(),
            server_name: self.server_name.clone(),
            created,
            pct1: self.pct1.as_ref().map(|pct1| Box::new(pct1.parameters.clone())),
        })
    }

    /// The content of the first Finished message of the handshake: the channel binding `tls-unique`.
    ///
    /// Spec: BINDING section 3.
    #[must_use]
    pub fn first_finished(&self) -> &[u8] {
        if self.resumed { self.finished.server.as_ref() } else { self.finished.client.as_ref() }
    }

    /// The session in its store, for whoever sees the connection fail.
    #[must_use]
    pub fn kept_session(&self) -> KeptSession {
        KeptSession {
            sessions: Arc::clone(&self.sessions),
            key: self.session_key.clone(),
            ticketed: self.ticketed.clone(),
        }
    }

    /// Data out of band that the peer sent before it announced that this handshake of PCT replaces another. They come before
    /// all that the new keys open.
    ///
    /// Spec: PCT1 section 4.3.2.
    #[must_use]
    pub fn out_of_band(&self) -> &[u8] {
        self.pct1.as_ref().map_or(&[], |pct1| &pct1.out_of_band)
    }

    /// What a handshake of PCT after this one needs; `None` in any other protocol.
    #[must_use]
    pub fn previous(&self) -> Option<pct1::Previous> {
        self.pct1.as_ref().map(|pct1| pct1::Previous(pct1.parameters.clone()))
    }

    /// Whether both sides have the renegotiation indication.
    #[must_use]
    pub const fn secure_renegotiation(&self) -> bool {
        self.finished.secure
    }

    /// The random of the ClientHello.
    #[must_use]
    pub const fn client_random(&self) -> &[u8; 32] {
        &self.randoms.client
    }

    /// The master secret, for a key log: whoever has it reads the connection. SSL 2.0's master key is shorter, and zeros follow
    /// it.
    #[must_use]
    pub const fn master_secret(&self) -> &[u8; 48] {
        &self.master_secret.0
    }

    /// Fills `out` with keying material for the application.
    ///
    /// Spec: EXPORTER section 4.
    ///
    /// # Errors
    ///
    /// SSL 3.0 and older have none; a context is longer than 65,535 bytes.
    pub fn export_keying_material(
        &self,
        label: &[u8],
        context: Option<&[u8]>,
        out: &mut [u8],
    ) -> Result<(), Error> {
        let none = Error::Misused("this version exports no keying material");
        let exporter = self.rules.and_then(|rules| rules.exporter).ok_or(none)?;
        let Randoms { client, server } = &self.randoms;
        match context {
            None => exporter(self.suite, &self.master_secret, label, &[client, server], out),
            Some(context) => {
                let too_long = Error::Misused("the context of an exporter is longer than 65,535 bytes");
                let length = u16::try_from(context.len()).map_err(|_| too_long)?.to_be_bytes();
                exporter(self.suite, &self.master_secret, label, &[client, server, &length, context], out);
            }
        }
        Ok(())
    }

    /// What a server says in place of its last flight where it refuses the client after all, because of who that is: where
    /// there are no alerts, only a handshake can be refused. It is an ERROR in clear, since the keys have counted the
    /// messages that are not sent. `None` in a protocol whose alerts say it on the connection.
    ///
    /// Spec: SSL2 section 5.7.1; PCT1 section 5.5.3.
    #[must_use]
    pub fn refusal_of_the_client(&self) -> Option<Vec<u8>> {
        match self.version {
            ProtocolVersion::SSL20 => Some(ssl2::channel::refusal_of_the_client()),
            ProtocolVersion::PCT1 => Some(pct1::channel::refusal_of_the_client()),
            _ => None,
        }
    }

    /// How an alert is numbered in this version.
    #[must_use]
    pub fn alert(&self, description: crate::AlertDescription) -> crate::AlertDescription {
        self.rules.map_or(description, |rules| (rules.alert)(description))
    }
}

/// A session where it is kept.
#[derive(Clone)]
pub struct KeptSession {
    sessions: Arc<dyn SessionStore>,
    key: Option<Vec<u8>>,
    ticketed: Option<Vec<u8>>,
}

impl KeptSession {
    /// Forgets it: a connection that ended with a fatal alert, ours or the peer's, is not taken up again.
    ///
    /// Spec: TLS12 section 7.2.2.
    pub fn forget(&self) {
        if let Some(key) = &self.key {
            self.sessions.remove(key);
        }
        if let (Some(id), Some(tickets)) = (&self.ticketed, self.sessions.tickets()) {
            tickets.withdraw(id);
        }
    }
}

impl Debug for KeptSession {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("KeptSession")
    }
}

impl Debug for Negotiated {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Negotiated")
            .field("version", &self.version)
            .field("suite", &self.suite.suite)
            .field("resumed", &self.resumed)
            .finish_non_exhaustive()
    }
}

impl Debug for Established {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Established").field("negotiated", &self.negotiated).finish_non_exhaustive()
    }
}
