//! Sessions of every protocol, and whether they were taken up.

use std::sync::Arc;

use opensspi_schannel::{Allow, Protocol, SchannelConfig, WeakSuites};
use sspi_core::{CredentialsHandle, Step};
use test_support::pair::{End, Established};
use test_support::{CertificateBuilder, TestCertificate};

use super::{Kind, World, accept_request, established, send};

/// Every protocol there is, with what its sessions are kept as.
#[derive(Clone, Copy, Debug)]
pub enum Case {
    Tls(Kind, bool),
    Pct,
    Ssl2,
}

impl Case {
    pub fn all() -> Vec<Self> {
        let tls = Kind::ALL.into_iter().flat_map(|kind| [Self::Tls(kind, true), Self::Tls(kind, false)]);
        tls.chain([Self::Pct, Self::Ssl2]).collect()
    }

    /// Whether a ticket in the client's hands is all there is of a session.
    pub fn is_stateless(self) -> bool {
        // rustls gives sessions of TLS 1.2 an identifier besides, and SSL 3.0 has no tickets.
        matches!(self, Self::Tls(kind, true) if kind != Kind::Tls12 && kind.has_extensions())
    }

    /// Whether a session has an identifier on the wire, and is taken up by it.
    pub fn has_id(self) -> bool {
        match self {
            Self::Tls(Kind::Tls13, _) => false,
            Self::Tls(kind, tickets) => !tickets || !kind.has_extensions(),
            Self::Pct | Self::Ssl2 => true,
        }
    }

    pub fn client(self, world: &World) -> SchannelConfig {
        match self {
            Self::Tls(kind, _) => world.client_of(kind),
            Self::Pct => world.client(&[Protocol::Pct1]),
            Self::Ssl2 => SchannelConfig {
                suites: vec!["SSL_CK_RC4_128_WITH_MD5".to_owned()],
                ..world.client(&[Protocol::Ssl20])
            },
        }
    }

    pub fn certificate(self, builder: CertificateBuilder) -> TestCertificate {
        match self {
            Self::Tls(kind, _) => kind.issue(builder),
            Self::Pct | Self::Ssl2 => builder.rsa_2048().issue(),
        }
    }

    pub fn server(self, world: &World) -> SchannelConfig {
        let rsa = || vec![world.certificate(&world.pki.server("localhost").rsa_2048().issue())];
        match self {
            Self::Tls(kind, session_tickets) => SchannelConfig { session_tickets, ..world.server_of(kind) },
            Self::Pct => SchannelConfig { certificates: rsa(), ..world.server(&[Protocol::Pct1]) },
            Self::Ssl2 => SchannelConfig {
                certificates: rsa(),
                allow: Some(WeakSuites::ALL.into_iter().map(Allow::Suites).collect()),
                ..world.server(&[Protocol::Ssl20])
            },
        }
    }

    /// The suites of a server that has nothing which the client's session was made with.
    pub fn other_suites(self) -> &'static [&'static str] {
        match self {
            Self::Tls(Kind::Tls13, _) => &["TLS_CHACHA20_POLY1305_SHA256"],
            Self::Tls(Kind::Tls12, _) => &[
                "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
                "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
            ],
            _ => &[],
        }
    }
}

/// A client and a server of one protocol, whose sessions outlive their connections.
pub struct Ends {
    pub client: Arc<dyn CredentialsHandle>,
    pub server: Arc<dyn CredentialsHandle>,
}

impl Ends {
    pub fn new(world: &World, client: SchannelConfig, server: SchannelConfig) -> Self {
        Self { client: world.outbound(client), server: world.inbound(server) }
    }

    pub fn of(world: &World, case: Case) -> Self {
        Self::new(world, case.client(world), case.server(world))
    }

    /// Both ends of a connection whose tickets have arrived.
    pub fn connect(&self) -> (Established, Established) {
        connect(&*self.client, &*self.server)
    }

    /// One end of such a connection.
    pub fn side(&self, on_server: bool) -> Established {
        let (client, server) = self.connect();
        if on_server { server } else { client }
    }

    /// Whether the next connection takes up a session.
    pub fn resume(&self) -> bool {
        resumed(&self.connect().1)
    }
}

pub fn resumed(side: &Established) -> bool {
    side.context.attributes().session_info().unwrap().reconnect
}

pub fn session_id(side: &Established) -> Vec<u8> {
    side.context.attributes().session_info().unwrap().session_id
}

/// One connection whose tickets have arrived.
pub fn connect(client: &dyn CredentialsHandle, server: &dyn CredentialsHandle) -> (Established, Established) {
    let (mut c, mut s) = established(client, server);
    assert_eq!(resumed(&c), resumed(&s), "both sides say the same");
    assert_eq!(send(&mut s, &mut c, b"tickets come before this"), b"tickets come before this");
    (c, s)
}

pub fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

/// Where the length of the session identifier stands in a first message of either side: behind two headers, the version and
/// the random.
pub const SESSION_ID: usize = 5 + 4 + 2 + 32;

/// The first message of a connection, asking for the session with this identifier. There is no ticket in it.
pub fn hello_for(side: &Established, id: &[u8]) -> Vec<u8> {
    let length = |bytes: &[u8]| usize::from(u16::from_be_bytes(bytes.try_into().unwrap()));
    let mut hello = side.sent[..5 + length(&side.sent[3..5])].to_vec();
    let end = SESSION_ID + 1 + usize::from(hello[SESSION_ID]);
    hello
        .splice(SESSION_ID..end, core::iter::once(u8::try_from(id.len()).unwrap()).chain(id.iter().copied()));
    for (at, behind) in [(3, 5), (7, 9)] {
        let length = u16::try_from(hello.len() - behind).unwrap();
        hello[at..at + 2].copy_from_slice(&length.to_be_bytes());
    }
    hello
}

/// A server, and what it says to this first message.
pub fn answer_to(server: &dyn CredentialsHandle, hello: &[u8]) -> (End, Vec<u8>) {
    let mut server = End::from(server.accept(&accept_request()).unwrap());
    match server.advance(hello) {
        Ok(Step::Continue { token, .. }) => (server, token),
        other => panic!("{other:?}"),
    }
}
