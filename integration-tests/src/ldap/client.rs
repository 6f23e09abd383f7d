//! A client.

use std::io;
use std::net::TcpStream;

use sspi_core::{CredentialsHandle, InitializeRequest, InitializeSecurityContext, SecurityContext, Step};

use super::message::{
    BIND_REQUEST, BIND_RESPONSE, BOOLEAN, ENUMERATED, EQUALITY, EXTENDED_REQUEST, EXTENDED_RESPONSE,
    IN_PROGRESS, INTEGER, Message, OCTET_STRING, REQUEST_NAME, RESPONSE_VALUE, SASL, SEARCH_DONE,
    SEARCH_ENTRY, SEARCH_REQUEST, SEQUENCE, SERVER_CREDENTIALS, SUCCESS, UNBIND_REQUEST, WHO_AM_I, element,
    elements, read,
};
use super::{Connection, Mechanism, malformed};

/// Everything below the base of a search.
const WHOLE_SUBTREE: u8 = 2;

/// A client that has bound.
pub struct Session {
    connection: Connection,
    number: u8,
    cipher: String,
    is_protected: bool,
}

/// What a search found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// The values of the attribute that was asked for.
    pub values: Vec<String>,
}

impl Session {
    /// Binds.
    ///
    /// # Errors
    ///
    /// The server or the package refuses, or the connection breaks.
    pub fn bind(
        stream: TcpStream,
        mechanism: Mechanism,
        credentials: &dyn CredentialsHandle,
        request: &InitializeRequest,
    ) -> io::Result<Self> {
        let connection = Connection::new(stream, mechanism)?;
        let mut session = Self { connection, number: 0, cipher: String::new(), is_protected: false };
        let client = credentials.initialize(request).map_err(io::Error::other)?;
        let context = session.handshake(client)?;
        let info = context.attributes().key_info();
        session.cipher = info.map(|info| info.encrypt_algorithm_name.into_owned()).unwrap_or_default();
        session.connection.secure(context);
        session.is_protected = session.connection.context.is_some();
        Ok(session)
    }

    fn handshake(
        &mut self,
        mut client: Box<dyn InitializeSecurityContext>,
    ) -> io::Result<Box<dyn SecurityContext>> {
        let (mut is_over, mut input) = (false, Vec::new());
        loop {
            if is_over && input.is_empty() {
                return Err(malformed("the server is satisfied, and we are not"));
            }
            let step = client
                .initialize_security_context(&input)
                .map_err(|failure| io::Error::other(failure.error))?;
            match step {
                Step::Continue { token, .. } => (is_over, input) = self.ask_to_bind(&token)?,
                // The proof came with the success, or it is answered with the last token, which may be nothing.
                Step::Complete { context, .. } if is_over => return Ok(context),
                Step::Complete { context, token, .. } => {
                    self.ask_to_bind(&token)?;
                    return Ok(context);
                }
                other => return Err(malformed(&format!("{other:?}"))),
            }
        }
    }

    fn request(&mut self, operation: &[u8]) -> io::Result<()> {
        self.number += 1;
        self.connection.send(&Message::write(&[self.number], operation))
    }

    fn response(&mut self, tags: &[u8]) -> io::Result<Message> {
        let answer = self.connection.next()?.ok_or_else(|| malformed("the server says nothing"))?;
        if tags.contains(&answer.tag) {
            Ok(answer)
        } else {
            Err(malformed(&format!("the answer is of another kind: {:#x}", answer.tag)))
        }
    }

    /// Whether the bind is over, and the server's token. A first token that is nothing is not sent: the server begins.
    fn ask_to_bind(&mut self, token: &[u8]) -> io::Result<(bool, Vec<u8>)> {
        let is_silent = self.number == 0 && token.is_empty();
        let token = if is_silent { Vec::new() } else { element(OCTET_STRING, token) };
        let name = element(OCTET_STRING, self.connection.mechanism.name.as_bytes());
        let sasl = element(SASL, &[name, token].concat());
        let content = [element(INTEGER, &[3]), element(OCTET_STRING, b""), sasl].concat();
        self.request(&element(BIND_REQUEST, &content))?;
        let answer = self.response(&[BIND_RESPONSE])?;
        match judge(&answer)? {
            (SUCCESS, token, _) => Ok((true, token)),
            (IN_PROGRESS, token, _) => Ok((false, token)),
            (code, _, said) => {
                let what = format!("the server answers {code}: {said}");
                Err(io::Error::new(io::ErrorKind::PermissionDenied, what))
            }
        }
    }

    /// The name of the cipher, or nothing.
    #[must_use]
    pub fn cipher(&self) -> &str {
        &self.cipher
    }

    /// Whether messages are signed or sealed.
    #[must_use]
    pub fn is_protected(&self) -> bool {
        self.is_protected
    }

    /// As whom the server knows us.
    ///
    /// # Errors
    ///
    /// It does not say so, or the connection breaks.
    pub fn who_am_i(&mut self) -> io::Result<String> {
        self.request(&element(EXTENDED_REQUEST, &element(REQUEST_NAME, WHO_AM_I)))?;
        let answer = self.response(&[EXTENDED_RESPONSE])?;
        let value = elements(&answer.content).find(|(tag, _)| *tag == RESPONSE_VALUE);
        let (_, value) = value.ok_or_else(|| malformed("the server does not know who we are"))?;
        Ok(String::from_utf8_lossy(value).into_owned())
    }

    /// Every entry below a name whose attribute has this value, with the values of another of its attributes.
    ///
    /// # Errors
    ///
    /// The server refuses, or the connection breaks.
    pub fn search(
        &mut self,
        base: &str,
        (attribute, value): (&str, &str),
        wanted: &str,
    ) -> io::Result<Vec<Entry>> {
        let text = |text: &str| element(OCTET_STRING, text.as_bytes());
        let content = [
            text(base),
            element(ENUMERATED, &[WHOLE_SUBTREE]),
            element(ENUMERATED, &[0]),
            element(INTEGER, &[0]),
            element(INTEGER, &[0]),
            element(BOOLEAN, &[0]),
            element(EQUALITY, &[text(attribute), text(value)].concat()),
            element(SEQUENCE, &text(wanted)),
        ];
        self.request(&element(SEARCH_REQUEST, &content.concat()))?;
        let mut found = Vec::new();
        loop {
            // References to other servers come, too.
            let answer = self.response(&[SEARCH_ENTRY, SEARCH_DONE, 0x73])?;
            match answer.tag {
                SEARCH_ENTRY => {
                    found.push(entry(&answer.content).ok_or_else(|| malformed("no entry of LDAP"))?);
                }
                SEARCH_DONE => {
                    return match judge(&answer)? {
                        (SUCCESS, ..) => Ok(found),
                        (code, _, said) => {
                            Err(io::Error::other(format!("the server answers {code}: {said}")))
                        }
                    };
                }
                _ => {}
            }
        }
    }

    /// Says goodbye.
    ///
    /// # Errors
    ///
    /// The connection is broken.
    pub fn end(mut self) -> io::Result<()> {
        self.request(&[UNBIND_REQUEST, 0])
    }
}

/// The code of an answer, the server's token, and its words.
fn judge(answer: &Message) -> io::Result<(u8, Vec<u8>, String)> {
    let Some((ENUMERATED, &[code], rest)) = read(&answer.content) else {
        return Err(malformed("there is no code in the answer"));
    };
    let (mut token, mut said) = (Vec::new(), String::new());
    for (tag, content) in elements(rest) {
        match tag {
            SERVER_CREDENTIALS => token = content.to_vec(),
            _ => said.push_str(&String::from_utf8_lossy(content)),
        }
    }
    Ok((code, token, said))
}

/// An entry, with the values of all the attributes that came.
fn entry(content: &[u8]) -> Option<Entry> {
    let (_, name, rest) = read(content)?;
    let (_, attributes, _) = read(rest)?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut values = Vec::new();
    for (_, attribute) in elements(attributes) {
        let (_, _description, rest) = read(attribute)?;
        let (_, set, _) = read(rest)?;
        values.extend(elements(set).map(|(_, value)| text(value)));
    }
    Some(Entry { name: text(name), values })
}
