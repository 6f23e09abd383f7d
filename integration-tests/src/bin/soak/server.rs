//! The server that is measured: a process of its own.

use std::convert::Infallible;
use std::io::{self, BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::{env, fs, thread};

use opensspi_integration_tests::ours::{Failure, Setup};
use serde_json::{Value, json};
use sspi_core::{CredentialUse, CredentialsHandle};
use sspi_tokio::handshake;
use tempfile::TempDir;
use test_support::Pki;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::{Arguments, DEADLINE};

/// A running server. Dropped, it is killed.
pub(crate) struct Subject {
    child: Child,
    port: u16,
    name: String,
    pki: Pki,
    _files: TempDir,
}

impl Subject {
    pub(crate) fn start(arguments: &Arguments) -> Result<Self, Failure> {
        let pki = Pki::new();
        let folder = tempfile::tempdir()?;
        let files = pki.server("localhost").issue().write_as(folder.path(), "server")?;
        let mut command = match &arguments.opensspi {
            Some(program) => {
                let mut command = Command::new(program);
                command.args(["serve", "--echo", "--port", "0", "--json", "--log", "off"]);
                command.args(["--deadline", &format!("{}s", DEADLINE.as_secs())]);
                command.arg("--cert").arg(&files.chain).arg("--key").arg(&files.key);
                command
            }
            None => {
                let mut command = Command::new(env::current_exe()?);
                command.arg("--serve").arg(&files.chain).arg(&files.key);
                command
            }
        };
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let mut lines = BufReader::new(
            child.stdout.take().ok_or_else(|| io::Error::other("the server has no standard output"))?,
        )
        .lines();
        let port = lines.by_ref().map_while(Result::ok).find_map(|line| {
            let event: Value = serde_json::from_str(&line).ok()?;
            u16::try_from(event.get("port")?.as_u64()?).ok()
        });
        // What it prints later is read too, so that it never waits for us.
        thread::spawn(move || lines.for_each(drop));
        let what =
            if arguments.opensspi.is_some() { "opensspi serve --echo" } else { "a server of this program" };
        let name = format!("{what}, {}", command.get_program().to_string_lossy());
        match port {
            Some(port) => Ok(Self { child, port, name, pki, _files: folder }),
            None => {
                drop(child.kill());
                drop(child.wait());
                Err(io::Error::other(format!("{name} did not say where it listens")).into())
            }
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// What a client of it is started with: the name is right and the certificate trusted.
    pub(crate) fn client(&self) -> Setup {
        Setup::client(&self.pki)
    }

    /// Its resident memory in KiB.
    pub(crate) fn resident(&self) -> Result<f64, Failure> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id()))?;
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = resident.and_then(|rest| rest.trim().trim_end_matches(" kB").parse().ok());
        kib.ok_or_else(|| io::Error::other("no VmRSS: has the server ended?").into())
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        // It may have ended, which is what is wanted.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// An echo server like that of the opensspi program, for a run without that.
pub(crate) async fn serve(chain: &Path, key: &Path) -> Result<Infallible, Failure> {
    let setup = Setup::server_from_pem(fs::read(chain)?, fs::read(key)?).deadline(DEADLINE);
    let credentials = setup.credentials(CredentialUse::Inbound)?;
    let listener = listen()?;
    crate::announce(&json!({ "event": "listening", "port": listener.local_addr()?.port() }));
    let setup = Arc::new(setup);
    loop {
        let (stream, _) = listener.accept().await?;
        let (credentials, setup) = (Arc::clone(&credentials), Arc::clone(&setup));
        tokio::spawn(async move {
            // Whoever connected knows why it ended.
            drop(echo(stream, credentials, &setup).await);
        });
    }
}

fn listen() -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(([127, 0, 0, 1], 0).into())?;
    socket.listen(4096)
}

async fn echo(
    stream: TcpStream,
    credentials: Arc<dyn CredentialsHandle>,
    setup: &Setup,
) -> Result<(), Failure> {
    stream.set_nodelay(true)?;
    let accepting = credentials.accept(&setup.accept_request())?;
    drop(credentials);
    // What a handshake needs goes away with it: an idle connection does not carry it.
    let options = setup.handshake_options();
    let mut stream = Box::pin(handshake(stream, accepting, &options)).await?;
    loop {
        let mut first = [0; 1];
        let count = stream.read(&mut first).await?;
        if count == 0 {
            break;
        }
        stream.write_all(&first).await?;
        stream.flush().await?;
    }
    Ok(stream.shutdown().await?)
}
