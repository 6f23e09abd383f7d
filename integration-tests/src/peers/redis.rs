//! Debian's `redis-server`, and enough of its protocol to look into it and to break it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;

use super::process::{Launch, Process, Stdout};
use super::{PeerError, find_program, free_port, judge, note};

/// For the first line of a test, like [`runnable`](super::runnable).
///
/// # Panics
///
/// If it is missing and the environment says `OPENSSPI_PEERS=required`, as CI does.
#[must_use]
pub fn runnable() -> bool {
    let missing = find_program("redis-server").is_none();
    let missing =
        missing.then(|| "redis-server is not in PATH (Debian: apt-get install redis-server)".to_owned());
    let verdict = judge(missing.into_iter().collect());
    if let Err(reason) = &verdict {
        note(reason);
    }
    verdict.is_ok()
}

/// A Redis with nothing in it, on a port of 127.0.0.1.
#[derive(Debug)]
pub struct Redis {
    port: u16,
    process: Option<Process>,
    connection: Option<BufReader<TcpStream>>,
}

/// What there is in Redis: a key, and its value.
pub type KeyAndValue = (Vec<u8>, Vec<u8>);

/// What Redis answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// A number.
    Number(i64),
    /// Bytes, or nothing.
    Bytes(Option<Vec<u8>>),
    /// A word that says how it went.
    Word(String),
    /// Why it did not go.
    Error(String),
    /// Several answers.
    List(Vec<Self>),
}

impl Redis {
    /// Starts it.
    ///
    /// # Errors
    ///
    /// It did not come to listen.
    pub fn start() -> Result<Self, PeerError> {
        let start = || {
            let mut redis = Self { port: free_port(), process: None, connection: None };
            redis.start_again()?;
            Ok(redis)
        };
        // Somebody else may have taken the port since it was free.
        start().or_else(|_: PeerError| start())
    }

    /// Where it listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Starts it on the same port, with nothing in it.
    ///
    /// # Errors
    ///
    /// It did not come to listen.
    pub fn start_again(&mut self) -> Result<(), PeerError> {
        let port = self.port.to_string();
        let mut launch = Launch::new("redis-server", Stdout::Log);
        launch.arguments(["--bind", "127.0.0.1", "--port", &port, "--save", "", "--appendonly", "no"]);
        launch.arguments(["--daemonize", "no", "--dir", "/tmp", "--maxmemory-policy", "noeviction"]);
        self.process = Some(launch.serve(self.port)?);
        Ok(())
    }

    /// Kills it.
    pub fn kill(&mut self) {
        self.connection = None;
        self.process = None;
    }

    /// What it answers to a command.
    ///
    /// # Errors
    ///
    /// It does not answer.
    pub fn command(&mut self, words: &[&[u8]]) -> Result<Reply, PeerError> {
        if self.connection.is_none() {
            self.connection = Some(BufReader::new(TcpStream::connect(("127.0.0.1", self.port))?));
        }
        let connection = self.connection.as_mut().ok_or_else(|| PeerError::new("no connection"))?;
        let mut command = format!("*{}\r\n", words.len()).into_bytes();
        for word in words {
            command.extend(format!("${}\r\n", word.len()).into_bytes());
            command.extend_from_slice(word);
            command.extend_from_slice(b"\r\n");
        }
        connection.get_mut().write_all(&command)?;
        reply(connection)
    }

    /// How many keys there are.
    ///
    /// # Errors
    ///
    /// It does not answer.
    pub fn len(&mut self) -> Result<usize, PeerError> {
        match self.command(&[b"DBSIZE"])? {
            Reply::Number(number) => usize::try_from(number).map_err(|_| PeerError::new("a negative number")),
            other => Err(PeerError::new(format!("{other:?}"))),
        }
    }

    /// Whether there are none.
    ///
    /// # Errors
    ///
    /// It does not answer.
    pub fn is_empty(&mut self) -> Result<bool, PeerError> {
        Ok(self.len()? == 0)
    }

    /// All keys with their values.
    ///
    /// # Errors
    ///
    /// It does not answer.
    pub fn all(&mut self) -> Result<Vec<KeyAndValue>, PeerError> {
        let Reply::List(keys) = self.command(&[b"KEYS", b"*"])? else {
            return Err(PeerError::new("KEYS has no list"));
        };
        let mut all = Vec::new();
        for key in keys {
            let Reply::Bytes(Some(key)) = key else { continue };
            if let Reply::Bytes(Some(value)) = self.command(&[b"GET", &key])? {
                all.push((key, value));
            }
        }
        all.sort();
        Ok(all)
    }

    /// Waits until there are so many keys at least.
    ///
    /// # Errors
    ///
    /// There never were.
    pub fn wait_for(&mut self, keys: usize) -> Result<(), PeerError> {
        for _ in 0..TRIES {
            if self.len()? >= keys {
                return Ok(());
            }
        }
        Err(PeerError::new(format!("{} keys in Redis, not {keys}", self.len()?)))
    }

    /// Waits until that is so of all keys and their values.
    ///
    /// # Errors
    ///
    /// It never was.
    pub fn wait_until(&mut self, is_so: impl Fn(&[KeyAndValue]) -> bool) -> Result<(), PeerError> {
        for _ in 0..TRIES {
            if is_so(&self.all()?) {
                return Ok(());
            }
        }
        Err(PeerError::new(format!("{} keys in Redis, and not those", self.len()?)))
    }
}

/// How often Redis is asked for what does not come.
const TRIES: usize = 100_000;

fn reply(from: &mut BufReader<TcpStream>) -> Result<Reply, PeerError> {
    let mut line = String::new();
    from.read_line(&mut line)?;
    let line = line.trim_end();
    let (kind, rest) = line.split_at_checked(1).ok_or_else(|| PeerError::new("Redis has closed"))?;
    let number = || rest.parse::<i64>().map_err(|_| PeerError::new(format!("no number: {line}")));
    Ok(match kind {
        ":" => Reply::Number(number()?),
        "+" => Reply::Word(rest.to_owned()),
        "-" => Reply::Error(rest.to_owned()),
        "$" => match usize::try_from(number()?) {
            Ok(length) => {
                let mut bytes = vec![0; length + 2];
                from.read_exact(&mut bytes)?;
                bytes.truncate(length);
                Reply::Bytes(Some(bytes))
            }
            Err(_) => Reply::Bytes(None),
        },
        "*" => (0..number()?).map(|_| reply(from)).collect::<Result<_, _>>().map(Reply::List)?,
        _ => return Err(PeerError::new(format!("not the protocol of Redis: {line}"))),
    })
}
