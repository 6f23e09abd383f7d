//! As much of LDAP as a SASL bind, the question "Who am I?" and a search take, with messages that are signed or sealed as the
//! mechanism has them.
//!
//! Spec: LDAP section 4. The question is RFC 4532.

mod client;
mod message;
mod server;

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use sspi_core::{AcceptSecurityContext, Error, Failure, SecurityContext, Step};

pub use client::{Entry, Session};
use message::Message;
pub use server::{Served, serve};

use crate::{digest, tokens};

/// How long an end waits for the other.
const PATIENCE: Duration = Duration::from_secs(20);

/// A message is not longer.
const LONGEST: usize = 1 << 20;

/// What makes a message out of another with a context.
type Transform = fn(&mut dyn SecurityContext, &[u8]) -> Result<Vec<u8>, Error>;

/// A mechanism of SASL, by the package that has it.
#[derive(Clone, Copy, Debug)]
pub struct Mechanism {
    name: &'static str,
    /// A message with its length in front.
    wrap: Transform,
    /// A message without it.
    unwrap: Transform,
    /// A call of a server whose question for the account is answered.
    advance: fn(&mut dyn AcceptSecurityContext, &[u8]) -> Result<Step, Failure>,
}

impl Mechanism {
    /// DIGEST-MD5, with the account of [`digest`].
    pub const DIGEST_MD5: Self =
        Self { name: "DIGEST-MD5", wrap: digest::wrap, unwrap: digest::unwrap, advance: digest::advance };

    /// Negotiate with NTLM in it, with the account of [`tokens`].
    pub const GSS_SPNEGO: Self =
        Self { name: "GSS-SPNEGO", wrap: wrap_with_length, unwrap: tokens::unwrap, advance: tokens::advance };

    /// NTLM as it is, which Windows and Samba have under this name.
    pub const NTLM: Self = Self { name: "NTLM", ..Self::GSS_SPNEGO };
}

fn wrap_with_length(context: &mut dyn SecurityContext, text: &[u8]) -> Result<Vec<u8>, Error> {
    let sealed = tokens::wrap(context, text)?;
    let length = u32::try_from(sealed.len()).unwrap_or(u32::MAX).to_be_bytes();
    Ok([&length[..], &sealed].concat())
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

/// A connection, in clear or through a context.
struct Connection {
    stream: TcpStream,
    mechanism: Mechanism,
    received: Vec<u8>,
    context: Option<Box<dyn SecurityContext>>,
}

impl Connection {
    fn new(stream: TcpStream, mechanism: Mechanism) -> io::Result<Self> {
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { stream, mechanism, received: Vec::new(), context: None })
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.context {
            None => self.stream.write_all(bytes),
            Some(context) => {
                let wrapped = (self.mechanism.wrap)(&mut **context, bytes).map_err(io::Error::other)?;
                self.stream.write_all(&wrapped)
            }
        }
    }

    /// The next message; `None` at the end.
    fn next(&mut self) -> io::Result<Option<Message>> {
        loop {
            if let Some((message, length)) = Message::read(&self.received) {
                self.received.drain(..length);
                return message.map(Some).ok_or_else(|| malformed("no message of LDAP"));
            }
            if !self.receive()? {
                return Ok(None);
            }
        }
    }

    fn receive(&mut self) -> io::Result<bool> {
        let Some(context) = &mut self.context else {
            let mut buffer = [0; 4096];
            let length = self.stream.read(&mut buffer)?;
            self.received.extend_from_slice(buffer.get(..length).unwrap_or_default());
            return Ok(length > 0);
        };
        let mut length = [0; 4];
        if self.stream.read(length.get_mut(..1).unwrap_or_default())? == 0 {
            return Ok(false);
        }
        self.stream.read_exact(length.get_mut(1..).unwrap_or_default())?;
        let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        let mut sealed = vec![0; length.min(LONGEST)];
        self.stream.read_exact(&mut sealed)?;
        let opened = (self.mechanism.unwrap)(&mut **context, &sealed).map_err(io::Error::other)?;
        self.received.extend_from_slice(&opened);
        Ok(true)
    }

    /// From here on through the context, if that protects anything.
    fn secure(&mut self, context: Box<dyn SecurityContext>) {
        let has_layer = context.attributes().sizes().is_ok_and(|sizes| sizes.security_trailer > 0);
        self.context = has_layer.then_some(context);
    }
}
