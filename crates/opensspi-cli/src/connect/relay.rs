//! Bytes between the terminal and the server.

use std::io;
use std::pin::pin;

use opensspi::SecureStream;
use serde_json::json;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use crate::exit::Failure;
use crate::print::{Channel, Printer, thousands};

/// What is sent to the server.
pub(super) enum Source {
    /// What is typed or piped.
    Stdin,
    /// This.
    Text(Vec<u8>),
}

/// How much is read at once.
const CHUNK: usize = 16 * 1024;

/// Passes bytes until the server has closed its side. Where our own input ends first, our side is closed then.
pub(super) async fn relay<S>(
    printer: &Printer,
    stream: SecureStream<S>,
    source: Source,
    quiet: bool,
) -> Result<(), Failure>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (mut from, mut to) = tokio::io::split(stream);
    let mut received = 0;
    let mut sent = 0;
    let end = {
        let mut sending = pin!(send(source, &mut to, &mut sent));
        let mut receiving = pin!(receive(printer, &mut from, &mut received));
        let mut is_sending = true;
        loop {
            tokio::select! {
                end = &mut receiving => break end,
                // A server that no longer listens says why in what it still sends.
                _ = &mut sending, if is_sending => is_sending = false,
            }
        }
    };
    // The server has closed its side; where it has gone altogether there is nobody left to tell.
    let _gone = to.shutdown().await;
    let closed = if end.is_ok() { "in order" } else { "cut off" };
    printer.object(&json!({
        "event": "closed",
        "orderly": end.is_ok(),
        "bytes_sent": sent,
        "bytes_received": received,
    }));
    if !quiet {
        let counts = format!("{} bytes sent, {} received", thousands(sent), thousands(received));
        printer.line(Channel::Err, format_args!("closed {closed}: {counts}"));
    }
    end.map_err(|error| Failure::stream(&error))
}

async fn send<W: AsyncWrite + Unpin>(source: Source, to: &mut W, sent: &mut u64) -> io::Result<()> {
    match source {
        Source::Text(text) => {
            to.write_all(&text).await?;
            *sent += u64::try_from(text.len()).unwrap_or_default();
        }
        Source::Stdin => {
            let mut stdin = tokio::io::stdin();
            let mut buffer = vec![0; CHUNK];
            loop {
                let count = stdin.read(&mut buffer).await?;
                if count == 0 {
                    break;
                }
                to.write_all(buffer.get(..count).unwrap_or_default()).await?;
                to.flush().await?;
                *sent += u64::try_from(count).unwrap_or_default();
            }
        }
    }
    to.shutdown().await
}

async fn receive<R: AsyncRead + Unpin>(
    printer: &Printer,
    from: &mut R,
    received: &mut u64,
) -> io::Result<()> {
    let mut stdout = tokio::io::stdout();
    let mut buffer = vec![0; CHUNK];
    loop {
        let count = from.read(&mut buffer).await?;
        if count == 0 {
            return Ok(());
        }
        let data = buffer.get(..count).unwrap_or_default();
        *received += u64::try_from(count).unwrap_or_default();
        if printer.json {
            printer
                .object(&json!({ "event": "data", "bytes": count, "text": String::from_utf8_lossy(data) }));
        } else if stdout.write_all(data).await.is_err() || stdout.flush().await.is_err() {
            // Nobody reads what we print any more.
            return Ok(());
        }
    }
}

/// The text with `\r`, `\n`, `\t`, `\0`, `\\` and `\xHH` replaced by what they stand for.
pub(super) fn unescape(text: &str) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        if c != '\\' {
            out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        }
        out.push(match rest.next() {
            Some('r') => b'\r',
            Some('n') => b'\n',
            Some('t') => b'\t',
            Some('0') => 0,
            Some('\\') => b'\\',
            Some('x') => {
                let digits: String = rest.by_ref().take(2).collect();
                let is_byte = digits.len() == 2 && digits.chars().all(|digit| digit.is_ascii_hexdigit());
                let byte = u8::from_str_radix(&digits, 16).ok().filter(|_| is_byte);
                byte.ok_or_else(|| format!("\\x{digits} is not a byte: write \\x0d"))?
            }
            other => {
                let other = other.map(String::from).unwrap_or_default();
                return Err(format!("\\{other} is not understood: there are \\r \\n \\t \\0 \\\\ and \\xHH"));
            }
        });
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::unescape;

    #[test]
    fn escapes_stand_for_bytes() {
        assert_eq!(unescape(r"GET / HTTP/1.0\r\n\r\n").unwrap(), b"GET / HTTP/1.0\r\n\r\n");
        assert_eq!(unescape(r"\x00\xff\\\t\0ü").unwrap(), b"\x00\xff\\\t\0\xc3\xbc");
        for wrong in [r"\q", r"\x1", r"\xgg", r"\x+f", "\\"] {
            assert!(unescape(wrong).is_err(), "{wrong}");
        }
    }
}
