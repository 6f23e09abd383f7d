//! One child process that answers one question after the other.

use std::path::Path;
use std::process::Stdio;

use sspi_core::Error;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
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

    /// Asks, and waits for the answer. After an error the child must not be asked again.
    pub(crate) async fn ask(&mut self, question: &str) -> Result<Answer, Error> {
        let failed = |error: std::io::Error| unavailable(&error);
        self.stdin.write_all(question.as_bytes()).await.map_err(failed)?;
        self.stdin.flush().await.map_err(failed)?;
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
