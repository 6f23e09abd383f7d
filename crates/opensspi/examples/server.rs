//! A server that sends everything back: `cargo run -p opensspi --example server -- 127.0.0.1:4433`. Which package secures
//! the connections, and with which certificate, is up to `opensspi.toml`.

use opensspi::Sspi;
use tokio::net::TcpListener;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).ok_or("usage: server ADDRESS:PORT")?;

    let sspi = Sspi::from_file("opensspi.toml")?;
    let listener = TcpListener::bind(&address).await?;
    loop {
        let (stream, peer) = listener.accept().await?;
        let sspi = sspi.clone();
        tokio::spawn(async move {
            let stream = sspi.accept_from(&peer.to_string(), stream).await?;
            let (mut from, mut to) = tokio::io::split(stream);
            tokio::io::copy(&mut from, &mut to).await?;
            tokio::io::AsyncWriteExt::shutdown(&mut to).await?;
            Ok::<(), opensspi::Error>(())
        });
    }
}
