//! One child process that answers one question after the other.

use std::future::poll_fn;
use std::path::Path;
use std::pin::Pin;
use std::process::Stdio;
use std::task::Poll;

use sspi_core::Error;
use tokio::io::{AsyncBufRead as _, AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{ChildStdin, ChildStdout, Command};

use crate::protocol::Answer;
use crate::unavailable;

/// A child process. It is ended when this is dropped, and so is one that was asked and has not answered.
#[derive(Debug)]
pub(crate) struct Child {
    /// Kept, since dropping it ends the process.
    _process: tokio::process::Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

/// The longest answer, in bytes.
const MOST: u64 = 64 * 1024;

impl Child {
    pub(crate) fn start(program: &Path) -> Result<Self, Error> {
        let started = Command::new(program)
            .arg("--helper-protocol=ntlm-server-1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn();
        let mut process =
            started.map_err(|error| unavailable(&format_args!("{}: {error}", program.display())))?;
        match (process.stdin.take(), process.stdout.take()) {
            (Some(stdin), Some(stdout)) => {
                Ok(Self { _process: process, stdin, stdout: BufReader::new(stdout) })
            }
            _ => Err(unavailable(&"it has no pipes")),
        }
    }

    /// Whether it has said nothing but the second point that Samba sends behind a denial. Anything else would be taken for
    /// the answer to the next question.
    pub(crate) async fn is_silent(&mut self) -> bool {
        if self.stdout.buffer().is_empty() {
            // What has come is looked at, and nothing is waited for.
            let said = poll_fn(|context| {
                Poll::Ready(Pin::new(&mut self.stdout).poll_fill_buf(context).map_ok(<[u8]>::is_empty))
            });
            match said.await {
                Poll::Pending => return true,
                Poll::Ready(Ok(false)) => {}
                Poll::Ready(Ok(true) | Err(_)) => return false,
            }
        }
        self.stdout.buffer() == b".\n"
    }

    /// Asks, and waits for the answer. After an error, and after an answer that is not plain, the child must not be asked
    /// again.
    ///
    /// # Errors
    /// The question did not reach it, or nobody knows what became of it.
    pub(crate) async fn ask(&mut self, question: &str) -> Result<Answer, NoAnswer> {
        let not_asked = |error: std::io::Error| NoAnswer::NotAsked(unavailable(&error));
        self.stdin.write_all(question.as_bytes()).await.map_err(not_asked)?;
        self.stdin.flush().await.map_err(not_asked)?;
        self.answer().await.map_err(NoAnswer::Lost)
    }

    async fn answer(&mut self) -> Result<Answer, Error> {
        let failed = |error: std::io::Error| unavailable(&error);
        let mut answer = Answer::default();
        let mut lines = (&mut self.stdout).take(MOST);
        let mut line = String::new();
        loop {
            line.clear();
            if lines.read_line(&mut line).await.map_err(failed)? == 0 {
                return Err(unavailable(&"it ended"));
            }
            if answer.line(&line) {
                return Ok(answer);
            }
        }
    }
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum NoAnswer {
    /// The child was gone before it had read the question.
    NotAsked(Error),
    /// It was gone afterwards.
    Lost(Error),
}

impl NoAnswer {
    pub(crate) fn into_error(self) -> Error {
        match self {
            Self::NotAsked(error) | Self::Lost(error) => error,
        }
    }
}

/// The machine's domain.
pub(crate) async fn own_domain(ntlm_auth: &Path) -> Result<String, Error> {
    match &mut wbinfo(ntlm_auth, "--own-domain").await?[..] {
        [domain] => Ok(core::mem::take(domain)),
        _ => Err(unavailable(&"wbinfo does not say the machine's domain")),
    }
}

/// All domains that winbind knows.
pub(crate) async fn domains(ntlm_auth: &Path) -> Result<Vec<String>, Error> {
    wbinfo(ntlm_auth, "--all-domains").await
}

/// What `wbinfo` says, which is where `ntlm_auth` is: its lines.
async fn wbinfo(ntlm_auth: &Path, what: &str) -> Result<Vec<String>, Error> {
    let program = ntlm_auth.with_file_name("wbinfo");
    let asked = Command::new(&program)
        .arg(what)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .output();
    let failed = |why: &dyn std::fmt::Display| {
        unavailable(&format_args!("{} {what} says nothing: {why}", program.display()))
    };
    let said = asked.await.map_err(|error| failed(&error))?;
    let text = String::from_utf8(said.stdout).unwrap_or_default();
    let lines: Vec<String> = text.lines().map(|line| line.trim().to_owned()).collect();
    let is_name = |name: &String| !name.is_empty() && !name.chars().any(char::is_control);
    if !said.status.success() || lines.is_empty() || !lines.iter().all(is_name) {
        return Err(failed(&said.status));
    }
    Ok(lines)
}
