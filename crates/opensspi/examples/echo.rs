//! An echo, both ends: each message has four bytes of length in front. Which package secures it is up to the file.
//!
//! `cargo run -p opensspi --all-features --example echo -- serve localhost:4433 opensspi.toml`
//! `cargo run -p opensspi --all-features --example echo -- say localhost:4433 opensspi.toml "what comes back"`

use opensspi::{SecureStream, Sspi};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

async fn send(stream: &mut SecureStream<TcpStream>, message: &[u8]) -> Result {
    stream.write_u32(message.len().try_into()?).await?;
    stream.write_all(message).await?;
    Ok(stream.flush().await?)
}

async fn receive(stream: &mut SecureStream<TcpStream>) -> Result<Vec<u8>> {
    let mut message = Vec::new();
    let length = stream.read_u32().await?;
    match stream.take(length.into()).read_to_end(&mut message).await? as u64 {
        whole if whole == length.into() => Ok(message),
        _ => Err("the peer closed in the middle of a message".into()),
    }
}

pub(crate) async fn serve(sspi: Sspi, listener: TcpListener) -> Result {
    loop {
        let ((socket, peer), sspi) = (listener.accept().await?, sspi.clone());
        tokio::spawn(async move {
            let mut stream = sspi.accept_from(&peer.to_string(), socket).await?;
            let message = receive(&mut stream).await?;
            send(&mut stream, &message).await?;
            Result::Ok(stream.shutdown().await?)
        });
    }
}

pub(crate) async fn say(sspi: &Sspi, host: &str, socket: TcpStream, message: &[u8]) -> Result<Vec<u8>> {
    let mut stream = sspi.connect(host, socket).await?;
    send(&mut stream, message).await?;
    receive(&mut stream).await
}

#[tokio::main]
async fn main() -> Result {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve", address, file] => serve(Sspi::from_file(file)?, TcpListener::bind(address).await?).await,
        ["say", address, file, message] => {
            let (host, _) = address.rsplit_once(':').unwrap_or_default();
            let (sspi, socket) = (Sspi::from_file(file)?, TcpStream::connect(address).await?);
            let answer = say(&sspi, host, socket, message.as_bytes()).await?;
            Ok(std::io::Write::write_all(&mut std::io::stdout(), &answer)?)
        }
        _ => Err("usage: echo serve ADDRESS:PORT FILE, or echo say ADDRESS:PORT FILE MESSAGE".into()),
    }
}
