//! `connect` and `accept`: a stream secured in one call, with its audit record.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use sspi_core::{AcceptRequest, CredentialUse, InitializeRequest, SecurityPackage};
use sspi_tokio::{
    Answers, AsyncRead, AsyncWrite, HandshakeError, HandshakeOptions, Handshaking, SecureStream, blocking,
};
use tracing::Instrument as _;

use crate::audit::{self, Record, Role};
use crate::error::Error;
use crate::harmless::{harmless, harmless_message};
use crate::sspi::Sspi;

pub(crate) fn options(
    package: &Arc<dyn SecurityPackage>,
    deadline: Option<Duration>,
    answers: Arc<dyn Answers>,
) -> HandshakeOptions {
    let mut options = HandshakeOptions::of(package.package_info());
    options.deadline = deadline;
    options.answers = answers;
    options
}

pub(crate) fn blocking_options(
    package: &Arc<dyn SecurityPackage>,
    answers: Arc<dyn blocking::Answers>,
) -> blocking::HandshakeOptions {
    let mut options = blocking::HandshakeOptions::of(package.package_info());
    options.answers = answers;
    options
}

impl Sspi {
    /// Secures a stream as client. `target_name` is whom it is meant for: a host name, or what the package names its peers
    /// by. It is checked, where the package can.
    ///
    /// # Errors
    /// [`Error::Security`] with a status, a sentence and the setting that matters; [`Error::Deadline`]; [`Error::Io`].
    pub async fn connect<S>(&self, target_name: &str, stream: S) -> Result<SecureStream<S>, Error>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        self.connect_with(&self.initialize_request(target_name), stream).await
    }

    /// Secures a stream as client, asking for something of its own: other flags, application protocols, bindings.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub async fn connect_with<S>(
        &self,
        request: &InitializeRequest,
        stream: S,
    ) -> Result<SecureStream<S>, Error>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let record = self.record(Role::Client, request.target_name.as_deref().unwrap_or("no target"));
        let handshake = async {
            let handshaking = self.acquire(CredentialUse::Outbound)?.initialize(request)?;
            self.run(Duration::ZERO, handshaking.into(), stream).await
        };
        let result = handshake.instrument(record.span.clone()).await;
        self.close(&record, result)
    }

    /// Connects and secures the stream as client. `connect` opens a connection to the peer. It is called a second time where
    /// the peer did not understand what it was offered and the configuration lets us come back with less (`fallback`):
    /// what it said is not authenticated, so that this is logged, and counted in [`fallbacks`](Self::fallbacks).
    ///
    /// ```no_run
    /// # async fn example(sspi: &opensspi::Sspi) -> Result<(), opensspi::Error> {
    /// use tokio::net::TcpStream;
    ///
    /// let request = sspi.initialize_request("old.example.com");
    /// let connect = async || Ok::<_, opensspi::Error>(TcpStream::connect("old.example.com:443").await?);
    /// let stream = sspi.connect_via(&request, connect).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of `connect`, and as [`connect`](Self::connect).
    pub async fn connect_via<S, E, F>(
        &self,
        request: &InitializeRequest,
        connect: impl Fn() -> F,
    ) -> Result<SecureStream<S>, E>
    where
        S: AsyncRead + AsyncWrite + Unpin,
        E: From<Error>,
        F: Future<Output = Result<S, E>>,
    {
        let error = match self.connect_with(request, connect().await?).await {
            Err(Error::Security(error)) if error.suggests_fallback() && !request.fallback => error,
            other => return Ok(other?),
        };
        let target = request.target_name.as_deref().unwrap_or("no target");
        self.shared().fallbacks.fetch_add(1, Ordering::Relaxed);
        tracing::warn!(
            target: audit::TARGET,
            peer = harmless(target),
            error = harmless_message(&error.to_string()),
            "the peer did not understand what it was offered: a second connection offers less"
        );
        let again = InitializeRequest { fallback: true, ..request.clone() };
        Ok(self.connect_with(&again, connect().await?).await?)
    }

    /// How many connections were tried again with less: see [`connect_via`](Self::connect_via).
    #[must_use]
    pub fn fallbacks(&self) -> u64 {
        self.shared().fallbacks.load(Ordering::Relaxed)
    }

    /// Secures a stream as server. Nobody knows where it comes from: packages that count failed logons count all such streams as
    /// one source, and who guesses through them locks an account out for everybody else who comes so. A server on a network
    /// says where each comes from: [`accept_from`](Self::accept_from).
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub async fn accept<S>(&self, stream: S) -> Result<SecureStream<S>, Error>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        self.accept_from("unnamed", stream).await
    }

    /// Secures a stream as server; `peer` is what the audit record calls the other end, such as its address.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub async fn accept_from<S>(&self, peer: &str, stream: S) -> Result<SecureStream<S>, Error>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let handshake = Box::pin(self.accept_within(Duration::ZERO, &self.accept_request(), peer, stream));
        handshake.await
    }

    /// Secures a stream as server, where so much of the handshake's deadline (`handshake-deadline`) is over already: somebody has
    /// waited for the first byte, to see what it begins.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub async fn accept_after<S>(
        &self,
        waited: Duration,
        peer: &str,
        stream: S,
    ) -> Result<SecureStream<S>, Error>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let handshake = Box::pin(self.accept_within(waited, &self.accept_request(), peer, stream));
        handshake.await
    }

    /// Secures a stream as server, asking for something of its own.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub async fn accept_with<S>(
        &self,
        request: &AcceptRequest,
        peer: &str,
        stream: S,
    ) -> Result<SecureStream<S>, Error>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        self.accept_within(Duration::ZERO, request, peer, stream).await
    }

    /// Nothing of the request is kept while the peer is waited for: a server may wait for many.
    fn accept_within<'a, S>(
        &'a self,
        waited: Duration,
        request: &AcceptRequest,
        peer: &str,
        stream: S,
    ) -> impl Future<Output = Result<SecureStream<S>, Error>> + use<'a, S>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let record = self.record(Role::Server, peer);
        let begin = || Ok(self.acquire(CredentialUse::Inbound)?.accept(&with_source(request, peer))?.into());
        let handshaking: Result<Handshaking, Error> = record.span.in_scope(begin);
        async move {
            let result =
                async { self.run(waited, handshaking?, stream).await }.instrument(record.span.clone()).await;
            self.close(&record, result)
        }
    }

    /// Secures a blocking stream, such as `std::net::TcpStream`, as client. Nothing here bounds the time: give the socket
    /// timeouts of its own.
    ///
    /// # Errors
    /// As [`connect`](Self::connect), without a deadline.
    pub fn connect_blocking<S: Read + Write>(
        &self,
        target_name: &str,
        stream: S,
    ) -> Result<blocking::SecureStream<S>, Error> {
        let record = self.record(Role::Client, target_name);
        let handshake = || {
            let request = self.initialize_request(target_name);
            let handshaking = self.acquire(CredentialUse::Outbound)?.initialize(&request)?;
            self.run_blocking(handshaking.into(), stream)
        };
        let result = record.span.in_scope(handshake);
        self.close_blocking(&record, result)
    }

    /// Secures a blocking stream as server. Nothing here bounds the time: give the socket timeouts of its own.
    ///
    /// # Errors
    /// As [`connect`](Self::connect), without a deadline.
    pub fn accept_blocking<S: Read + Write>(&self, stream: S) -> Result<blocking::SecureStream<S>, Error> {
        self.accept_blocking_from("unnamed", stream)
    }

    /// Secures a blocking stream as server; `peer` is what the audit record calls the other end, such as its address.
    ///
    /// # Errors
    /// As [`connect`](Self::connect), without a deadline.
    pub fn accept_blocking_from<S: Read + Write>(
        &self,
        peer: &str,
        stream: S,
    ) -> Result<blocking::SecureStream<S>, Error> {
        let record = self.record(Role::Server, peer);
        let handshake = || {
            let request = with_source(&self.accept_request(), peer);
            let handshaking = self.acquire(CredentialUse::Inbound)?.accept(&request)?;
            self.run_blocking(handshaking.into(), stream)
        };
        let result = record.span.in_scope(handshake);
        self.close_blocking(&record, result)
    }

    fn run_blocking<S: Read + Write>(
        &self,
        handshaking: Handshaking,
        stream: S,
    ) -> Result<blocking::SecureStream<S>, Error> {
        blocking::handshake(stream, handshaking, &self.shared().blocking_options).map_err(from_driver)
    }

    fn record(&self, role: Role, peer: &str) -> Record {
        Record::begin(role, peer, &self.package_info().name)
    }

    /// Whether there may be another handshake on a connection. Most cannot have one, and keep nothing for it.
    fn may_negotiate_again(&self) -> bool {
        #[cfg(feature = "schannel")]
        let is_off = self.config().schannel.renegotiation == crate::providers::Renegotiation::Off
            && self.package_info().name == "Schannel";
        #[cfg(not(feature = "schannel"))]
        let is_off = false;
        !is_off && tracing::enabled!(target: audit::TARGET, tracing::Level::WARN)
    }

    fn close<S>(
        &self,
        record: &Record,
        mut result: Result<SecureStream<S>, Error>,
    ) -> Result<SecureStream<S>, Error> {
        match &mut result {
            Ok(stream) => {
                record.completed(stream.attributes().as_ref(), &stream.security_context_token());
                if self.may_negotiate_again() {
                    stream.observe(Arc::new(record.later()));
                }
            }
            Err(error) => record.failed(error),
        }
        result
    }

    fn close_blocking<S>(
        &self,
        record: &Record,
        mut result: Result<blocking::SecureStream<S>, Error>,
    ) -> Result<blocking::SecureStream<S>, Error> {
        match &mut result {
            Ok(stream) => {
                record.completed(stream.attributes().as_ref(), &stream.security_context_token());
                if self.may_negotiate_again() {
                    stream.observe(Arc::new(record.later()));
                }
            }
            Err(error) => record.failed(error),
        }
        result
    }

    async fn run<S>(
        &self,
        waited: Duration,
        handshaking: Handshaking,
        stream: S,
    ) -> Result<SecureStream<S>, Error>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let options = &self.shared().options;
        sspi_tokio::handshake_after(waited, stream, handshaking, options).await.map_err(from_driver)
    }
}

/// The request with where the peer connects from, as far as its name says: the address, without port.
fn with_source(request: &AcceptRequest, peer: &str) -> AcceptRequest {
    let mut request = request.clone();
    if request.source.is_none() {
        let address = peer.parse::<SocketAddr>().map(|address| address.ip().to_string());
        request.source =
            address.ok().or_else(|| peer.parse::<IpAddr>().ok().map(|address| address.to_string()));
    }
    request
}

fn from_driver(error: HandshakeError) -> Error {
    match error {
        HandshakeError::Security(error) => Error::Security(error),
        HandshakeError::Deadline(limit) => Error::Deadline(limit),
        HandshakeError::Io(error) => Error::Io(error),
        // The peer closed in the middle of the handshake, and whatever may come.
        other => Error::Io(other.into()),
    }
}
