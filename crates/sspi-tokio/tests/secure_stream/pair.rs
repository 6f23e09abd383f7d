//! Two ends of a connection, with either toy behind them.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use async_trait::async_trait;
use sspi_core::{
    AcceptRequest, Account, CertificateIdentity, ClientCertificateRequest, Error, FoundAccount,
    InitializeRequest, PeerIdentity, Secret,
};
use sspi_tokio::{
    AccountDirectory, Accounts, Answers, Framing, HandshakeOptions, Handshaking, SecureStream, blocking,
    handshake,
};
use tokio::io::DuplexStream;

use crate::stream_toy::{self, Habits};
use crate::toy::{FixedClock, Toy};

pub(crate) const ALICE: (&str, &str) = ("alice", "wonderland");

/// A directory in which everybody has an account.
pub(crate) struct Everybody;

pub(crate) fn found(peer: &PeerIdentity) -> Vec<FoundAccount> {
    match peer {
        PeerIdentity::Name(name) => {
            vec![Account { name: name.clone(), matched_by: "name".into(), ..Account::default() }.into()]
        }
        _ => Vec::new(),
    }
}

#[async_trait]
impl AccountDirectory for Everybody {
    async fn find(&self, peer: &PeerIdentity) -> Result<Vec<FoundAccount>, Error> {
        yields(3).await;
        Ok(found(peer))
    }
}

impl blocking::Answers for Everybody {
    fn accounts(&self, peer: &PeerIdentity) -> Result<Vec<FoundAccount>, Error> {
        Ok(found(peer))
    }
}

/// Presents one certificate to everybody.
pub(crate) struct OneCertificate;

pub(crate) fn certificate() -> CertificateIdentity {
    CertificateIdentity {
        chain: vec![b"a certificate".to_vec()],
        private_key: Arc::new(Secret::new(Vec::new())),
    }
}

#[async_trait]
impl Answers for OneCertificate {
    async fn client_certificate(
        &self,
        _request: &ClientCertificateRequest,
    ) -> Result<Option<CertificateIdentity>, Error> {
        yields(2).await;
        Ok(Some(certificate()))
    }
}

/// Which toy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flavour {
    Nns,
    Stream,
}

pub(crate) const BOTH: [Flavour; 2] = [Flavour::Nns, Flavour::Stream];

impl Flavour {
    pub(crate) fn framing(self) -> Framing {
        match self {
            Self::Nns => Framing::Nns,
            Self::Stream => Framing::Stream,
        }
    }

    pub(crate) fn client(self) -> Handshaking {
        match self {
            Self::Nns => toy_client(ALICE.0, ALICE.1),
            Self::Stream => stream_toy::client(Habits::default()).into(),
        }
    }

    pub(crate) fn server(self) -> Handshaking {
        match self {
            Self::Nns => toy_server(),
            Self::Stream => stream_toy::server(Habits::default()).into(),
        }
    }

    /// No deadline: nothing here may depend on how fast the machine is.
    pub(crate) fn options(self) -> HandshakeOptions {
        HandshakeOptions::new(self.framing()).with_deadline(None).with_answers(Accounts(Everybody))
    }

    pub(crate) fn blocking_options(self) -> blocking::HandshakeOptions {
        blocking::HandshakeOptions::new(self.framing()).with_answers(Everybody)
    }

    /// Both ends of a connection over a pipe that holds so many bytes.
    pub(crate) async fn connect(
        self,
        pipe: usize,
    ) -> (SecureStream<DuplexStream>, SecureStream<DuplexStream>) {
        let (client, server) = tokio::io::duplex(pipe);
        self.connect_over(client, server).await
    }

    pub(crate) async fn connect_over<A, B>(self, client: A, server: B) -> (SecureStream<A>, SecureStream<B>)
    where
        A: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
        B: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    {
        let options = self.options();
        let (client, server) = tokio::join!(
            handshake(client, self.client(), &options),
            handshake(server, self.server(), &options)
        );
        (client.unwrap(), server.unwrap())
    }
}

pub(crate) fn toy_client(user: &str, password: &str) -> Handshaking {
    let toy = Toy::new(Arc::new(FixedClock));
    toy.client(user, password).unwrap().initialize(&InitializeRequest::default()).unwrap().into()
}

pub(crate) fn toy_server() -> Handshaking {
    let toy = Toy::new(Arc::new(FixedClock));
    toy.server(&[ALICE]).unwrap().accept(&AcceptRequest::default()).unwrap().into()
}

/// Gives way so many times.
pub(crate) async fn yields(mut times: u64) {
    poll_fn(|cx| {
        if times == 0 {
            return Poll::Ready(());
        }
        times -= 1;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Numbers that are the same on every run (splitmix64).
pub(crate) struct Seeded(pub(crate) u64);

impl Seeded {
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }

    pub(crate) fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.below(256) as u8).collect()
    }
}

/// The package's error inside an error of a stream.
pub(crate) fn inside(error: &std::io::Error) -> &Error {
    error.get_ref().and_then(|inner| inner.downcast_ref()).unwrap_or_else(|| panic!("{error:?}"))
}
