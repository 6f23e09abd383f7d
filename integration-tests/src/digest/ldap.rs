//! As much of LDAP as a SASL bind and the question "Who am I?" take.
//!
//! Spec: LDAP section 4. The question is RFC 4532.

use std::io::{self, Read, Write};
use std::net::TcpStream;

use sspi_core::{AcceptRequest, CredentialsHandle, InitializeRequest, SecurityContext, Step};

use super::{advance, unwrap, wrap};

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const ENUMERATED: u8 = 0x0A;
const OCTET_STRING: u8 = 0x04;
const BIND_REQUEST: u8 = 0x60;
const BIND_RESPONSE: u8 = 0x61;
const UNBIND_REQUEST: u8 = 0x42;
const EXTENDED_REQUEST: u8 = 0x77;
const EXTENDED_RESPONSE: u8 = 0x78;
const SASL: u8 = 0xA3;
const REQUEST_NAME: u8 = 0x80;
const SERVER_CREDENTIALS: u8 = 0x87;
const RESPONSE_VALUE: u8 = 0x8B;

/// `success`.
const SUCCESS: u8 = 0;
/// `saslBindInProgress`.
const IN_PROGRESS: u8 = 14;
/// `invalidCredentials`.
const INVALID_CREDENTIALS: u8 = 49;

/// The object identifier of the question "Who am I?".
const WHO_AM_I: &[u8] = b"1.3.6.1.4.1.4203.1.11.3";

fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap_or(u16::MAX).to_be_bytes();
    [&[tag, 0x82][..], &length, content].concat()
}

/// The first element's tag and content, and what follows.
fn read(input: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[tag, short], rest) = input.split_first_chunk::<2>()?;
    let (length, rest) = match usize::from(short) {
        length @ ..0x80 => (length, rest),
        count => {
            let (bytes, rest) = rest.split_at_checked(count - 0x80)?;
            (bytes.iter().fold(0_usize, |length, byte| length << 8 | usize::from(*byte)), rest)
        }
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

/// A message: its number, and the tag and content of what it says.
struct Message {
    number: Vec<u8>,
    tag: u8,
    content: Vec<u8>,
}

fn message(number: &[u8], operation: &[u8]) -> Vec<u8> {
    element(SEQUENCE, &[&element(INTEGER, number), operation].concat())
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

/// A connection, in clear or through a context.
struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
    context: Option<Box<dyn SecurityContext>>,
}

impl Connection {
    fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_read_timeout(Some(std::time::Duration::from_secs(20)))?;
        Ok(Self { stream, received: Vec::new(), context: None })
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.context {
            None => self.stream.write_all(bytes),
            Some(context) => {
                let wrapped = wrap(&mut **context, bytes).map_err(io::Error::other)?;
                self.stream.write_all(&wrapped)
            }
        }
    }

    /// The next message; `None` at the end.
    fn next(&mut self) -> io::Result<Option<Message>> {
        loop {
            if let Some((SEQUENCE, content, rest)) = read(&self.received) {
                let fields = read(content).and_then(|(_, number, operation)| {
                    let (tag, content, _) = read(operation)?;
                    Some(Message { number: number.to_vec(), tag, content: content.to_vec() })
                });
                let rest = rest.to_vec();
                self.received = rest;
                return fields.map(Some).ok_or_else(|| malformed("no message of LDAP"));
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
        let mut sealed =
            vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap_or_default().min(1 << 20)];
        self.stream.read_exact(&mut sealed)?;
        let opened = unwrap(&mut **context, &sealed).map_err(io::Error::other)?;
        self.received.extend_from_slice(&opened);
        Ok(true)
    }

    fn secure(&mut self, context: Box<dyn SecurityContext>) {
        let has_layer = context.attributes().stream_sizes().is_ok();
        self.context = has_layer.then_some(context);
    }
}

/// What a client heard.
#[derive(Debug)]
pub struct Answer {
    /// As whom the server knows us.
    pub who: String,
    /// The name of the cipher, or nothing.
    pub cipher: String,
}

/// Binds with DIGEST-MD5 and asks who we are, several times, since ciphers go on from message to message.
///
/// # Errors
///
/// The server or the package refuses, or the connection breaks.
pub fn who_am_i(
    stream: TcpStream,
    credentials: &dyn CredentialsHandle,
    request: &InitializeRequest,
) -> io::Result<Answer> {
    let mut connection = Connection::new(stream)?;
    let mut client = credentials.initialize(request).map_err(io::Error::other)?;
    let mut input = Vec::new();
    let mut number = 0_u8;
    let mut is_over = false;
    let context = loop {
        let step = if is_over && input.is_empty() {
            return Err(malformed("the server is satisfied, and we are not"));
        } else {
            client.initialize_security_context(&input).map_err(|failure| io::Error::other(failure.error))?
        };
        let token = match step {
            Step::Continue { token, .. } => token,
            // The proof came with the success, or it is answered with nothing.
            Step::Complete { context, .. } if is_over => break context,
            Step::Complete { context, .. } => {
                number += 1;
                connection.send(&bind(number, Some(&[])))?;
                bound(connection.next()?)?;
                break context;
            }
            other => return Err(malformed(&format!("{other:?}"))),
        };
        number += 1;
        connection.send(&bind(number, (number > 1).then_some(&token[..])))?;
        (is_over, input) = bound(connection.next()?)?;
    };
    let cipher = context.attributes().key_info().map(|info| info.encrypt_algorithm_name.into_owned());
    connection.secure(context);
    let mut who = String::new();
    for _ in 0..3 {
        number += 1;
        let question = element(EXTENDED_REQUEST, &element(REQUEST_NAME, WHO_AM_I));
        connection.send(&message(&[number], &question))?;
        let answer = connection.next()?.ok_or_else(|| malformed("the server says nothing"))?;
        let mut rest = &answer.content[..];
        while let Some((tag, content, behind)) = read(rest) {
            if tag == RESPONSE_VALUE {
                who = String::from_utf8_lossy(content).into_owned();
            }
            rest = behind;
        }
    }
    connection.send(&message(&[number + 1], &[UNBIND_REQUEST, 0]))?;
    Ok(Answer { who, cipher: cipher.unwrap_or_default() })
}

fn bind(number: u8, credentials: Option<&[u8]>) -> Vec<u8> {
    let credentials = credentials.map(|credentials| element(OCTET_STRING, credentials)).unwrap_or_default();
    let sasl = element(SASL, &[element(OCTET_STRING, b"DIGEST-MD5"), credentials].concat());
    let content = [element(INTEGER, &[3]), element(OCTET_STRING, b""), sasl].concat();
    message(&[number], &element(BIND_REQUEST, &content))
}

/// Whether a bind is over, and the server's token.
fn bound(answer: Option<Message>) -> io::Result<(bool, Vec<u8>)> {
    let answer = answer.filter(|answer| answer.tag == BIND_RESPONSE);
    let answer = answer.ok_or_else(|| malformed("no answer to the bind"))?;
    let (code, mut rest) = match read(&answer.content) {
        Some((ENUMERATED, &[code], rest)) => (code, rest),
        _ => return Err(malformed("no code in the answer to the bind")),
    };
    let (mut token, mut said) = (Vec::new(), String::new());
    while let Some((tag, content, behind)) = read(rest) {
        match tag {
            SERVER_CREDENTIALS => token = content.to_vec(),
            _ => said.push_str(&String::from_utf8_lossy(content)),
        }
        rest = behind;
    }
    match code {
        SUCCESS => Ok((true, token)),
        IN_PROGRESS => Ok((false, token)),
        code => {
            Err(io::Error::new(io::ErrorKind::PermissionDenied, format!("the server answers {code}: {said}")))
        }
    }
}

/// Serves a client that binds with DIGEST-MD5 and asks who it is.
///
/// # Errors
///
/// The package refuses the client, which was told, or the connection breaks.
pub fn serve(
    stream: TcpStream,
    credentials: &dyn CredentialsHandle,
    request: &AcceptRequest,
) -> io::Result<Answer> {
    let mut connection = Connection::new(stream)?;
    let mut server = credentials.accept(request).map_err(io::Error::other)?;
    let mut answer = Answer { who: String::new(), cipher: String::new() };
    while let Some(Message { number, tag, content }) = connection.next()? {
        match tag {
            BIND_REQUEST => {
                let token = sasl_credentials(&content).unwrap_or_default();
                match advance(&mut *server, &token) {
                    Ok(Step::Continue { token, .. }) => {
                        connection.send(&message(&number, &bind_response(IN_PROGRESS, &token)))?;
                    }
                    Ok(Step::Complete { context, token, .. }) => {
                        connection.send(&message(&number, &bind_response(SUCCESS, &token)))?;
                        answer.who = context.security_context_token().map_err(io::Error::other)?.name;
                        let info = context.attributes().key_info();
                        answer.cipher =
                            info.map(|info| info.encrypt_algorithm_name.into_owned()).unwrap_or_default();
                        connection.secure(context);
                    }
                    Err(failure) => {
                        connection.send(&message(&number, &bind_response(INVALID_CREDENTIALS, &[])))?;
                        return Err(io::Error::new(io::ErrorKind::PermissionDenied, failure.error));
                    }
                    Ok(other) => return Err(malformed(&format!("{other:?}"))),
                }
            }
            EXTENDED_REQUEST => {
                let value = element(RESPONSE_VALUE, format!("u:{}", answer.who).as_bytes());
                let content = [result(SUCCESS), value].concat();
                connection.send(&message(&number, &element(EXTENDED_RESPONSE, &content)))?;
            }
            UNBIND_REQUEST => break,
            _ => return Err(malformed("something else than a bind and a question")),
        }
    }
    Ok(answer)
}

fn sasl_credentials(content: &[u8]) -> Option<Vec<u8>> {
    let (_, _version, rest) = read(content)?;
    let (_, _name, rest) = read(rest)?;
    let (SASL, sasl, _) = read(rest)? else { return None };
    let (_, _mechanism, rest) = read(sasl)?;
    let (OCTET_STRING, credentials, _) = read(rest)? else { return None };
    Some(credentials.to_vec())
}

fn result(code: u8) -> Vec<u8> {
    [element(ENUMERATED, &[code]), element(OCTET_STRING, b""), element(OCTET_STRING, b"")].concat()
}

fn bind_response(code: u8, token: &[u8]) -> Vec<u8> {
    let token = if token.is_empty() { Vec::new() } else { element(SERVER_CREDENTIALS, token) };
    element(BIND_RESPONSE, &[result(code), token].concat())
}
