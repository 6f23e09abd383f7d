//! Our end as a client.

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use sspi_core::{ControlToken, CredentialUse, CredentialsHandle, Error, QueryContextAttributes};
use sspi_tokio::{SecureReadHalf, SecureStream, SecureWriteHalf, handshake};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Notify;

use super::records::Records;
use super::{Failure, Report, Setup, patience, wait};
use crate::{Content, peers};

/// A client of ours. Its connections, one after the other, resume what they can.
pub struct Client {
    credentials: Arc<dyn CredentialsHandle>,
    setup: Setup,
}

impl Client {
    /// A client that has not connected yet.
    ///
    /// # Errors
    ///
    /// There are no credentials.
    pub fn new(setup: &Setup) -> Result<Self, Error> {
        Ok(Self { credentials: setup.credentials(CredentialUse::Outbound)?, setup: setup.clone() })
    }

    /// Connects to a port of 127.0.0.1, for a test that says itself what is sent and read.
    ///
    /// # Errors
    ///
    /// The handshake failed.
    pub fn connect(&self, port: u16) -> Result<Connection, Failure> {
        wait(patience(0), async {
            let mut report = Report::default();
            let stream = self.handshake(port, &mut report).await?;
            Ok(Connection { stream, report })
        })
    }

    /// Connects to an echo server, sends the content, checks every byte that comes back, closes in order, and says what
    /// the connection was.
    pub fn echo(&self, port: u16, content: Content) -> Report {
        self.echo_in_writes(port, content, 65_536..=65_536)
    }

    /// The same, in writes of so many bytes each.
    pub fn echo_in_writes(&self, port: u16, content: Content, sizes: RangeInclusive<usize>) -> Report {
        let mut report = Report::default();
        let echoed = wait(patience(content.length()), async {
            let stream = self.handshake(port, &mut report).await?;
            exchange(stream, content, sizes, &mut report).await
        });
        match echoed {
            Ok(()) => report,
            Err(failure) => report.failed(failure),
        }
    }

    /// Sends the content in records of its own and checks what comes back, or asks for it, as the server has it; with
    /// `sends_empty` a record without content goes before each, two before the first, and one behind them all.
    pub fn exchange_records(
        &self,
        port: u16,
        service: &peers::Service,
        content: Content,
        sends_empty: bool,
    ) -> Report {
        let mut report = Report::default();
        let exchange = |report: &mut Report| {
            let stream = std::net::TcpStream::connect(("127.0.0.1", port))?;
            let initializing = self.credentials.initialize(&self.setup.initialize_request())?;
            let records = Records::establish(stream, initializing.into(), sends_empty, report)?;
            match service {
                peers::Service::Http(path) => records.fetch(path, content, report),
                peers::Service::Echo | peers::Service::Lines => records.echo(content, report),
            }
        };
        match exchange(&mut report) {
            Ok(()) => report,
            Err(failure) => report.failed(failure),
        }
    }

    /// Asks a server of HTTP for a file, checks it, and says what the connection was.
    pub fn fetch(&self, port: u16, path: &str, content: Content) -> Report {
        let mut report = Report::default();
        let fetched = wait(patience(content.length()), async {
            let mut stream = self.handshake(port, &mut report).await?;
            stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).await?;
            stream.flush().await?;
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await?;
            let head =
                answer.windows(4).position(|four| four == b"\r\n\r\n").map_or(answer.len(), |at| at + 4);
            let body = answer.get(head..).unwrap_or_default();
            report.negotiated.bytes = body.len() as u64;
            if report.negotiated.bytes < content.length() {
                return Err(Failure::Short(report.negotiated.bytes, content.length()));
            }
            let length = usize::try_from(content.length()).unwrap_or(usize::MAX);
            content.check(0, body.get(..length).unwrap_or_default())?;
            report.negotiated.clean_close = true;
            Ok(())
        });
        match fetched {
            Ok(()) => report,
            Err(failure) => report.failed(failure),
        }
    }

    async fn handshake(&self, port: u16, report: &mut Report) -> Result<SecureStream<TcpStream>, Failure> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        let initializing = self.credentials.initialize(&self.setup.initialize_request())?;
        let stream = handshake(stream, initializing, &self.setup.handshake_options()).await?;
        report.note(stream.attributes().as_ref())?;
        Ok(stream)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("setup", &self.setup).finish_non_exhaustive()
    }
}

/// Sends and checks at the same time; when everything is back, closes and waits for the peer's close_notify.
async fn exchange(
    stream: SecureStream<TcpStream>,
    content: Content,
    sizes: RangeInclusive<usize>,
    report: &mut Report,
) -> Result<(), Failure> {
    let (mut reader, mut writer) = stream.into_split();
    let complete = Notify::new();
    let reading = async {
        let read = check(&mut reader, content, &complete, &mut report.negotiated.bytes).await;
        // The writer waits for nobody who has given up.
        complete.notify_one();
        read
    };
    let writing = async {
        send(&mut writer, content, sizes).await?;
        complete.notified().await;
        writer.shutdown().await
    };
    let (read, written) = tokio::join!(reading, writing);
    // What the reader met says why the writer failed: an alert, as a rule.
    report.negotiated.clean_close = read?;
    written?;
    Ok(())
}

async fn send(
    writer: &mut SecureWriteHalf<TcpStream>,
    content: Content,
    sizes: RangeInclusive<usize>,
) -> std::io::Result<()> {
    let mut sent = 0;
    for size in sizes.cycle() {
        if sent == content.length() {
            break;
        }
        let chunk = content.chunk(sent, size);
        writer.write_all(&chunk).await?;
        // What is written before a flush may share a record.
        writer.flush().await?;
        sent += chunk.len() as u64;
    }
    Ok(())
}

/// Whether the peer closed with close_notify.
async fn check(
    reader: &mut SecureReadHalf<TcpStream>,
    content: Content,
    complete: &Notify,
    arrived: &mut u64,
) -> Result<bool, Failure> {
    let mut buffer = vec![0; 65_536];
    while *arrived < content.length() {
        let count = reader.read(&mut buffer).await?;
        if count == 0 {
            return Err(Failure::Short(*arrived, content.length()));
        }
        let (read, _) = buffer.split_at(count);
        content.check(*arrived, read)?;
        *arrived += count as u64;
    }
    complete.notify_one();
    match reader.read(&mut buffer).await {
        Ok(0) => Ok(true),
        Ok(count) => Err(Failure::Request(format!("{count} bytes more than were sent"))),
        // Some peers answer a close_notify with nothing but the end of the connection.
        Err(_) => Ok(false),
    }
}

/// A connection of ours, for a test that says itself what is sent and read.
#[derive(Debug)]
pub struct Connection {
    stream: SecureStream<TcpStream>,
    report: Report,
}

impl Connection {
    /// What was negotiated.
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// Sends.
    ///
    /// # Errors
    ///
    /// The connection has ended.
    pub fn send(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        wait(patience(0), async {
            self.stream.write_all(bytes).await?;
            Ok(self.stream.flush().await?)
        })
    }

    /// Negotiates again, to the end.
    ///
    /// # Errors
    ///
    /// The connection has ended.
    pub fn renegotiate(&mut self) -> Result<(), Failure> {
        wait(patience(0), async {
            self.stream.renegotiate().await?;
            Ok(self.stream.flush().await?)
        })
    }

    /// Has new keys, and asks the peer for its own: TLS 1.3.
    ///
    /// # Errors
    ///
    /// The connection has ended.
    pub fn update_keys(&mut self) -> Result<(), Failure> {
        wait(patience(0), async { Ok(self.stream.apply_control_token(&ControlToken::UpdateKeys).await?) })
    }

    /// What holds now: another object behind each handshake.
    pub fn attributes(&self) -> Arc<dyn QueryContextAttributes> {
        Arc::clone(self.stream.attributes())
    }

    /// Reads so many bytes.
    ///
    /// # Errors
    ///
    /// The connection ended before.
    pub fn read_exact(&mut self, length: usize) -> Result<Vec<u8>, Failure> {
        let mut bytes = vec![0; length];
        wait(patience(0), async { Ok(self.stream.read_exact(&mut bytes).await?) })?;
        Ok(bytes)
    }

    /// Reads until the peer closes in order.
    ///
    /// # Errors
    ///
    /// It ended in another way: with an alert, or cut off.
    pub fn read_to_end(&mut self) -> Result<Vec<u8>, Failure> {
        let mut bytes = Vec::new();
        wait(patience(0), async { Ok(self.stream.read_to_end(&mut bytes).await?) })?;
        Ok(bytes)
    }

    /// Says that nothing more comes.
    ///
    /// # Errors
    ///
    /// The connection has ended.
    pub fn close(&mut self) -> Result<(), Failure> {
        wait(Duration::from_secs(5), async { Ok(self.stream.shutdown().await?) })
    }
}
