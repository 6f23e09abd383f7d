//! The connection to Redis: made when it is first needed, and again whenever it has gone or is in doubt.
//!
//! Whoever asks waits a short time only and then goes away. What it has begun goes on without it: a connection that takes
//! longer is there for the next. And a connection on which somebody waited in vain is not used again: its other end may have
//! gone without a word.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::{Client, Cmd, ErrorKind, FromRedisValue, RedisError};
use tokio::sync::Mutex as AsyncMutex;
use tokio::time::timeout;

use crate::link::{Farm, Link};
use crate::removals::Generations;

/// How long it may take to connect, whoever still waits for it.
const LONGEST_CONNECTING: Duration = Duration::from_secs(3);

/// The connection to one Redis.
pub(crate) struct Connection {
    client: Client,
    farm: Arc<Farm>,
    current: Arc<Mutex<Current>>,
    /// One connects, and the others wait for it.
    connecting: Arc<AsyncMutex<()>>,
}

#[derive(Default)]
struct Current {
    link: Option<Arc<Link>>,
    /// The one before, if it was only in doubt: Redis may have been slow, and what was heard is still there for the next to ask.
    former: Option<Arc<Link>>,
    /// What was known of generations when the last one ended.
    newest: Vec<Generations>,
}

fn lock(current: &Mutex<Current>) -> MutexGuard<'_, Current> {
    current.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Current {
    /// The one that there is, unless Redis has closed it.
    fn usable(&mut self) -> Option<Arc<Link>> {
        let link = self.link.clone()?;
        if link.is_cut() {
            self.end(&link);
            return None;
        }
        Some(link)
    }

    /// Nobody uses this one again, if it is still there.
    fn end(&mut self, link: &Arc<Link>) {
        if let Some(ended) = self.link.take_if(|current| Arc::ptr_eq(current, link)) {
            self.newest = ended.newest();
            self.former = Some(ended).filter(|ended| !ended.is_cut());
        }
    }
}

impl Connection {
    /// Nothing is connected yet.
    pub(crate) fn new(client: Client, farm: Farm) -> Self {
        Self { client, farm: Arc::new(farm), current: Arc::default(), connecting: Arc::default() }
    }

    /// The connection that there is, or a new one.
    pub(crate) async fn link(&self) -> Result<Arc<Link>, RedisError> {
        let there_is = || lock(&self.current).usable();
        if let Some(link) = there_is() {
            return Ok(link);
        }
        let guard = Arc::clone(&self.connecting).lock_owned().await;
        if let Some(link) = there_is() {
            return Ok(link);
        }
        let (client, farm, current) =
            (self.client.clone(), Arc::clone(&self.farm), Arc::clone(&self.current));
        let connecting = tokio::spawn(async move {
            let newest = lock(&current).newest.clone();
            let late = |_| RedisError::from((ErrorKind::Io, "Redis lets nobody connect in time"));
            let link =
                timeout(LONGEST_CONNECTING, Link::open(&client, farm, &newest)).await.map_err(late)??;
            {
                let mut current = lock(&current);
                (current.link, current.former) = (Some(Arc::clone(&link)), None);
            }
            drop(guard);
            Ok(link)
        });
        connecting.await.unwrap_or_else(|_| Err((ErrorKind::Io, "connecting to Redis failed").into()))
    }

    /// What Redis says to a command on a connection that this has given out.
    pub(crate) async fn query<T: FromRedisValue>(
        &self,
        link: &Arc<Link>,
        command: &Cmd,
    ) -> Result<T, RedisError> {
        self.on(link, link.query(command)).await
    }

    /// What Redis says, and that the connection is not used again if it says nothing.
    pub(crate) async fn on<T>(
        &self,
        link: &Arc<Link>,
        said: impl Future<Output = Result<T, RedisError>>,
    ) -> Result<T, RedisError> {
        let mut doubt = Doubt { current: &self.current, link, is_over: false };
        let answer = said.await;
        // What Redis itself says of a command is no fault of the connection.
        doubt.is_over = answer.as_ref().err().is_none_or(|error: &RedisError| error.code().is_some());
        answer
    }
}

/// A connection on which somebody waits. It goes if that ends without an answer.
struct Doubt<'a> {
    current: &'a Mutex<Current>,
    link: &'a Arc<Link>,
    is_over: bool,
}

impl Drop for Doubt<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            lock(self.current).end(self.link);
        }
    }
}

#[cfg(test)]
mod tests {
    use redis::cmd;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::key_ring::{FarmKey, KeyRing};

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

    /// As Redis does in RESP3, where nobody else listens.
    async fn answer(stream: &mut TcpStream, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes).to_uppercase();
        for command in text.split("\r\n").filter(|word| word.chars().all(|c| c.is_ascii_alphabetic())) {
            let line = match command {
                "HELLO" => "%1\r\n$5\r\nproto\r\n:3\r\n",
                // To two channels.
                "SUBSCRIBE" => {
                    ">3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n>3\r\n$9\r\nsubscribe\r\n$1\r\nb\r\n:2\r\n"
                }
                "PUBLISH" => ":1\r\n",
                "CLIENT" => "+OK\r\n",
                "GETRANGE" => "$1\r\n7\r\n",
                _ => continue,
            };
            stream.write_all(line.as_bytes()).await.unwrap();
        }
    }

    async fn answer_all(mut stream: TcpStream) {
        while let Some(bytes) = asked(&mut stream).await {
            answer(&mut stream, &bytes).await;
        }
    }

    async fn redis() -> (TcpListener, Connection) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("redis://{}/?protocol=resp3", listener.local_addr().unwrap());
        let keys = KeyRing::new(vec![FarmKey::read(&[1; 32]).unwrap()]).unwrap();
        let farm = Farm::new(keys, Duration::from_secs(1));
        (listener, Connection::new(Client::open(url).unwrap(), farm))
    }

    async fn look_up(connection: &Connection) -> Vec<u8> {
        let link = connection.link().await.unwrap();
        connection.query(&link, cmd("GETRANGE").arg("name").arg(0).arg(9)).await.unwrap()
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
