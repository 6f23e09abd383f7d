//! Our end a record at a time, straight on the contract: a stream sends no record without content, and does not tell of one
//! that came.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use sspi_core::{
    ControlToken, Decrypted, QualityOfProtection, SecBuffer, SecBufferType, SecurityContext, Step,
    StreamLayout, StreamSizes,
};
use sspi_tokio::Handshaking;

use super::{Failure, Report};
use crate::Content;

/// Bytes of content to a record: several to a connection, so that there is a place between them, and whole lines.
const CHUNK: usize = 1024;
/// How long our end waits for a byte.
const PATIENCE: Duration = Duration::from_secs(20);

/// An end of a connection.
pub(super) struct Records {
    stream: TcpStream,
    context: Box<dyn SecurityContext>,
    sizes: StreamSizes,
    unread: Vec<u8>,
    /// Whether a record without content goes before each with some.
    sends_empty: bool,
}

impl Records {
    /// Runs the handshake, and notes what it came to.
    pub(super) fn establish(
        mut stream: TcpStream,
        mut handshaking: Handshaking,
        sends_empty: bool,
        report: &mut Report,
    ) -> Result<Self, Failure> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let mut unread = Vec::new();
        let mut reads = matches!(handshaking, Handshaking::Accept(_));
        let context = loop {
            if reads && !receive(&mut stream, &mut unread)? {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
            match handshaking.advance(&unread) {
                Ok(Step::Continue { token, used }) => {
                    unread.drain(..used);
                    stream.write_all(&token)?;
                    reads = unread.is_empty();
                }
                Ok(Step::Incomplete { .. }) => reads = true,
                Ok(Step::Complete { context, token, used }) => {
                    unread.drain(..used);
                    stream.write_all(&token)?;
                    break context;
                }
                Ok(other) => return Err(Failure::Request(format!("the handshake stopped at {other:?}"))),
                Err(failure) => {
                    // The error says more than what befell its alert.
                    drop(stream.write_all(&failure.token));
                    return Err(failure.error.into());
                }
            }
        };
        let attributes = context.attributes();
        report.note(attributes.as_ref())?;
        Ok(Self { stream, context, sizes: attributes.stream_sizes()?, unread, sends_empty })
    }

    /// Sends content a piece at a time, each when the one before is back, checks every byte and closes.
    pub(super) fn echo(mut self, content: Content, report: &mut Report) -> Result<(), Failure> {
        self.begin()?;
        let mut sent = 0;
        while sent < content.length() {
            let chunk = content.chunk(sent, CHUNK);
            sent += chunk.len() as u64;
            self.send(&chunk)?;
            while report.negotiated.bytes < sent {
                let Some(data) = self.next(report)? else {
                    return Err(Failure::Short(report.negotiated.bytes, content.length()));
                };
                content.check(report.negotiated.bytes, &data)?;
                report.negotiated.bytes += data.len() as u64;
            }
        }
        self.close()?;
        // Some peers answer a close_notify with nothing but the end of the connection, or not even that.
        drop(self.next(report));
        Ok(())
    }

    /// Asks a server of HTTP for a file, and checks it.
    pub(super) fn fetch(mut self, path: &str, content: Content, report: &mut Report) -> Result<(), Failure> {
        self.begin()?;
        self.send(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes())?;
        let mut answer = Vec::new();
        let mut body = None;
        while body.is_none_or(|body| ((answer.len() - body) as u64) < content.length()) {
            let Some(data) = self.next(report)? else {
                return Err(Failure::Short(answer.len() as u64, content.length()));
            };
            answer.extend(data);
            body = answer.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4);
        }
        let body = answer.get(body.unwrap_or_default()..).unwrap_or_default();
        report.negotiated.bytes = body.len() as u64;
        content.check(0, body)?;
        // It closes behind its answer.
        drop(self.close());
        Ok(())
    }

    /// Sends back what comes, until the peer has enough.
    pub(super) fn send_back(mut self, report: &mut Report) -> Result<(), Failure> {
        while let Some(data) = self.next(report)? {
            // Not before: s_client and gnutls-cli, whose sockets block, wait behind an empty record for the one that follows it,
            // and do not look at what they have to send.
            if report.negotiated.bytes == 0 {
                self.begin()?;
            }
            report.negotiated.bytes += data.len() as u64;
            self.send(&data)?;
        }
        // A peer may have gone without waiting for this.
        drop(self.close());
        Ok(())
    }

    /// One more that the peer meets before there is any data.
    fn begin(&mut self) -> Result<(), Failure> {
        if self.sends_empty {
            self.send_record(&[])?;
        }
        Ok(())
    }

    fn send(&mut self, data: &[u8]) -> Result<(), Failure> {
        if self.sends_empty {
            self.send_record(&[])?;
        }
        data.chunks(self.sizes.maximum_message).try_for_each(|chunk| self.send_record(chunk))
    }

    fn send_record(&mut self, data: &[u8]) -> Result<(), Failure> {
        let layout = StreamLayout::new(&self.sizes, data.len());
        let mut memory = vec![0; layout.end()];
        memory.iter_mut().skip(layout.data_range().start).zip(data).for_each(|(place, byte)| *place = *byte);
        let mut buffers = layout.buffers();
        self.context.encrypt_message(QualityOfProtection::Default, &mut memory, &mut buffers)?;
        let record = memory.get(StreamLayout::message_range(&buffers)).unwrap_or_default();
        Ok(self.stream.write_all(record)?)
    }

    fn close(&mut self) -> Result<(), Failure> {
        if self.sends_empty {
            self.send_record(&[])?;
        }
        let close_notify = self.context.apply_control_token(&ControlToken::Shutdown)?;
        Ok(self.stream.write_all(&close_notify)?)
    }

    /// What the next record with content holds; `None` at the end. Records without content are counted.
    fn next(&mut self, report: &mut Report) -> Result<Option<Vec<u8>>, Failure> {
        loop {
            let whole = SecBuffer::new(SecBufferType::DATA, 0..self.unread.len());
            let mut buffers = [whole, SecBuffer::EMPTY, SecBuffer::EMPTY, SecBuffer::EMPTY];
            match self.context.decrypt_message(&mut self.unread, &mut buffers)? {
                Decrypted::Message => {
                    let data = SecBuffer::find(&buffers, SecBufferType::DATA)?;
                    let data = self.unread.get(data).unwrap_or_default().to_vec();
                    let extra = SecBuffer::find(&buffers, SecBufferType::EXTRA).unwrap_or_default();
                    self.unread = self.unread.get(extra).unwrap_or_default().to_vec();
                    if !data.is_empty() {
                        return Ok(Some(data));
                    }
                    report.empty_records += 1;
                }
                Decrypted::Incomplete { .. } => {
                    if !receive(&mut self.stream, &mut self.unread)? {
                        return Ok(None);
                    }
                }
                Decrypted::Expired => {
                    report.negotiated.clean_close = true;
                    return Ok(None);
                }
                other => return Err(Failure::Request(format!("the peer wants something else: {other:?}"))),
            }
        }
    }
}

/// Whether there was anything more.
fn receive(stream: &mut TcpStream, into: &mut Vec<u8>) -> io::Result<bool> {
    let mut bytes = [0; 16_384];
    let count = stream.read(&mut bytes)?;
    into.extend_from_slice(bytes.get(..count).unwrap_or_default());
    Ok(count > 0)
}
