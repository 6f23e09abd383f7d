//! A client: `cargo run -p opensspi --example client -- example.org:443`. Which package secures the connection, and what
//! it trusts, is up to `opensspi.toml`.

use std::io::Write as _;

use opensspi::Sspi;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).ok_or("usage: client HOST:PORT")?;
    let (host, _) = address.rsplit_once(':').ok_or("usage: client HOST:PORT")?;

    let sspi = Sspi::from_file("opensspi.toml")?;
    let mut stream = sspi.connect(host, TcpStream::connect(&address).await?).await?;
    stream.write_all(b"hello\n").await?;
    stream.shutdown().await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(std::io::stdout().write_all(&answer)?)
}
