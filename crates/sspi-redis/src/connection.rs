//! The connection to Redis: made when it is first needed, and again whenever it has gone or is in doubt.
//!
//! Whoever asks waits a short time only and then goes away. What it has begun goes on without it: a connection that takes
//! longer is there for the next. And a connection on which somebody waited in vain is not used again: its other end may have
//! gone without a word.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Client, Cmd, ErrorKind, FromRedisValue, RedisError};
use tokio::sync::Mutex as AsyncMutex;
use tokio::time::timeout;

/// How long it may take to connect, whoever still waits for it.
const LONGEST_CONNECTING: Duration = Duration::from_secs(3);

/// The connection to one Redis.
pub(crate) struct Connection {
    client: Client,
    current: Arc<Mutex<Current>>,
    /// One connects, and the others wait for it.
    connecting: Arc<AsyncMutex<()>>,
}

#[derive(Default)]
struct Current {
    /// How many there were before.
    number: u64,
    connection: Option<MultiplexedConnection>,
}

fn lock(current: &Mutex<Current>) -> MutexGuard<'_, Current> {
    current.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Current {
    fn get(&self) -> Option<(u64, MultiplexedConnection)> {
        Some((self.number, self.connection.clone()?))
    }
}

impl Connection {
    /// Nothing is connected yet.
    pub(crate) fn new(client: Client) -> Self {
        Self { client, current: Arc::default(), connecting: Arc::default() }
    }

    async fn get(&self) -> Result<(u64, MultiplexedConnection), RedisError> {
        if let Some(connection) = lock(&self.current).get() {
            return Ok(connection);
        }
        let guard = Arc::clone(&self.connecting).lock_owned().await;
        if let Some(connection) = lock(&self.current).get() {
            return Ok(connection);
        }
        let (client, current) = (self.client.clone(), Arc::clone(&self.current));
        let connecting = tokio::spawn(async move {
            let late = |_| RedisError::from((ErrorKind::Io, "Redis lets nobody connect in time"));
            let connected = timeout(LONGEST_CONNECTING, client.get_multiplexed_async_connection()).await;
            let connection = connected.map_err(late)??;
            let mut current = lock(&current);
            current.number += 1;
            current.connection = Some(connection.clone());
            drop(guard);
            Ok((current.number, connection))
        });
        connecting.await.unwrap_or_else(|_| Err((ErrorKind::Io, "connecting to Redis failed").into()))
    }

    /// What Redis says to a command.
    pub(crate) async fn query<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, RedisError> {
        let (number, mut connection) = self.get().await?;
        let mut doubt = Doubt { current: &self.current, number, is_over: false };
        let answer = command.query_async(&mut connection).await;
        // What Redis itself says of a command is no fault of the connection.
        doubt.is_over = answer.as_ref().err().is_none_or(|error: &RedisError| error.code().is_some());
        answer
    }
}

/// A connection on which somebody waits. It goes if that ends without an answer.
struct Doubt<'a> {
    current: &'a Mutex<Current>,
    number: u64,
    is_over: bool,
}

impl Drop for Doubt<'_> {
    fn drop(&mut self) {
        let mut current = lock(self.current);
        if !self.is_over && current.number == self.number {
            current.connection = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use redis::cmd;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    /// Commands that are asked next; each has one line that begins with an asterisk.
    async fn asked(stream: &mut TcpStream) -> Option<Vec<u8>> {
        let mut bytes = vec![0; 4096];
        let length = stream.read(&mut bytes).await.ok().filter(|length| *length > 0)?;
        bytes.truncate(length);
        Some(bytes)
    }

    fn is_lookup(bytes: &[u8]) -> bool {
        bytes.windows(8).any(|word| word == b"GETRANGE")
    }

    async fn answer(stream: &mut TcpStream, bytes: &[u8]) {
        let line = if is_lookup(bytes) { b"$1\r\n7\r\n".as_slice() } else { b"+OK\r\n" };
        let commands = bytes.iter().filter(|byte| **byte == b'*').count();
        stream.write_all(&line.repeat(commands)).await.unwrap();
    }

    async fn answer_all(mut stream: TcpStream) {
        while let Some(bytes) = asked(&mut stream).await {
            answer(&mut stream, &bytes).await;
        }
    }

    async fn redis() -> (TcpListener, Connection) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("redis://{}/", listener.local_addr().unwrap());
        (listener, Connection::new(Client::open(url).unwrap()))
    }

    async fn look_up(connection: &Connection) -> Vec<u8> {
        connection.query(cmd("GETRANGE").arg("name").arg(0).arg(9)).await.unwrap()
    }

    #[tokio::test]
    async fn a_connection_whose_other_end_went_without_a_word_is_not_used_again() {
        let (listener, connection) = redis().await;
        let silent = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            loop {
                let bytes = asked(&mut stream).await.unwrap();
                if is_lookup(&bytes) {
                    return stream;
                }
                answer(&mut stream, &bytes).await;
            }
        };
        // Whoever asked goes away when the lookup has arrived.
        let _open = tokio::select! {
            _ = look_up(&connection) => panic!("nobody answers"),
            stream = silent => stream,
        };
        let answering = async { answer_all(listener.accept().await.unwrap().0).await };
        let found = tokio::select! {
            found = look_up(&connection) => found,
            () = answering => panic!("the lookup went elsewhere"),
        };
        assert_eq!(found, b"7");
    }

    #[tokio::test]
    async fn a_connection_that_takes_long_is_there_for_the_next_who_asks() {
        let (listener, connection) = redis().await;
        let slow = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let bytes = asked(&mut stream).await.unwrap();
            (stream, bytes)
        };
        let (mut stream, bytes) = tokio::select! {
            _ = look_up(&connection) => panic!("nobody answers"),
            first = slow => first,
        };
        let answering = async {
            answer(&mut stream, &bytes).await;
            answer_all(stream).await;
        };
        let found = tokio::select! {
            found = look_up(&connection) => found,
            () = answering => panic!("that connection was given up"),
            _ = listener.accept() => panic!("another connection"),
        };
        assert_eq!(found, b"7");
    }
}
