//! STARTTLS: the few words in clear with which eight protocols agree that TLS begins now.
//!
//! [`Negotiation`] is a state machine without sockets. Two rules hold for all of them: whatever the server says is bounded,
//! and it may not say anything beyond what it was asked for. Bytes behind the go-ahead were sent in clear by whoever sits in
//! between, and would be taken for the server's once TLS is up (response injection): they are refused.

mod dialogue;

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

pub(crate) use self::dialogue::{Negotiation, StartTls, Turn};
use crate::exit::Failure;

/// Agrees with the server that TLS begins.
pub(crate) async fn upgrade<S>(stream: &mut S, protocol: StartTls, host: &str) -> Result<(), Failure>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let failed = |error: &io::Error| Failure::network("the connection failed during STARTTLS", error);
    let mut negotiation = Negotiation::new(protocol, host);
    let mut input = Vec::new();
    loop {
        match negotiation.next(&mut input)? {
            Turn::Send(bytes) => {
                stream.write_all(&bytes).await.map_err(|error| failed(&error))?;
                stream.flush().await.map_err(|error| failed(&error))?;
            }
            Turn::Read => {
                let mut buffer = [0; 2048];
                let count = stream.read(&mut buffer).await.map_err(|error| failed(&error))?;
                if count == 0 {
                    let what = "the server closed the connection before TLS could begin";
                    return Err(Failure::new(opensspi::ExitClass::Network, what));
                }
                input.extend_from_slice(buffer.get(..count).unwrap_or_default());
            }
            Turn::Begin => return Ok(()),
        }
    }
}
