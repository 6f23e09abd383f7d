//! A server, of one client.

use std::io;
use std::net::TcpStream;

use sspi_core::{AcceptRequest, AcceptSecurityContext, CredentialsHandle, Step};

use super::message::{
    BIND_REQUEST, BIND_RESPONSE, EXTENDED_REQUEST, EXTENDED_RESPONSE, IN_PROGRESS, INVALID_CREDENTIALS,
    Message, OCTET_STRING, RESPONSE_VALUE, SASL, SEARCH_DONE, SEARCH_ENTRY, SEARCH_REQUEST, SEQUENCE,
    SERVER_CREDENTIALS, SET, SUCCESS, UNBIND_REQUEST, element, elements, read, result,
};
use super::{Connection, Mechanism, malformed};
use crate::tokens;

/// What became of a client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Served {
    /// Who it was.
    pub who: String,
    /// The name of the cipher, or nothing.
    pub cipher: String,
    /// Whether messages are signed or sealed.
    pub is_protected: bool,
    /// Whether they are sealed.
    pub is_sealed: bool,
    /// How many questions and searches came behind the bind.
    pub asked: u32,
}

/// Serves a client that binds, asks who it is, and reads what this server has to say of itself.
///
/// # Errors
///
/// The package refuses the client, which was told, or the connection breaks.
pub fn serve(
    stream: TcpStream,
    mechanism: Mechanism,
    credentials: &dyn CredentialsHandle,
    request: &AcceptRequest,
) -> io::Result<Served> {
    let mut connection = Connection::new(stream, mechanism)?;
    let mut server = credentials.accept(request).map_err(io::Error::other)?;
    let mut served = Served::default();
    while let Some(message) = connection.next()? {
        match message.tag {
            BIND_REQUEST => bind(&mut connection, &mut *server, &message, &mut served)?,
            EXTENDED_REQUEST => {
                let value = element(RESPONSE_VALUE, format!("u:{}", served.who).as_bytes());
                let answer = element(EXTENDED_RESPONSE, &[result(SUCCESS), value].concat());
                connection.send(&Message::write(&message.number, &answer))?;
                served.asked += u32::from(!served.who.is_empty());
            }
            SEARCH_REQUEST => {
                let entry = Message::write(&message.number, &own_entry(mechanism, &message.content));
                let done = Message::write(&message.number, &element(SEARCH_DONE, &result(SUCCESS)));
                connection.send(&[entry, done].concat())?;
                served.asked += u32::from(!served.who.is_empty());
            }
            UNBIND_REQUEST => break,
            _ => return Err(malformed("something else than a bind, a question and a search")),
        }
    }
    Ok(served)
}

fn bind(
    connection: &mut Connection,
    server: &mut dyn AcceptSecurityContext,
    message: &Message,
    served: &mut Served,
) -> io::Result<()> {
    let token = sasl_credentials(&message.content).unwrap_or_default();
    let answer = |connection: &mut Connection, code: u8, token: &[u8]| {
        let token = if token.is_empty() { Vec::new() } else { element(SERVER_CREDENTIALS, token) };
        let answer = element(BIND_RESPONSE, &[result(code), token].concat());
        connection.send(&Message::write(&message.number, &answer))
    };
    match (connection.mechanism.advance)(server, &token) {
        Ok(Step::Continue { token, .. }) => answer(connection, IN_PROGRESS, &token),
        Ok(Step::Complete { context, token, .. }) => {
            answer(connection, SUCCESS, &token)?;
            served.who = context.security_context_token().map_err(io::Error::other)?.name;
            let info = context.attributes().key_info();
            served.cipher = info.map(|info| info.encrypt_algorithm_name.into_owned()).unwrap_or_default();
            served.is_sealed = tokens::is_sealed(&*context);
            connection.secure(context);
            served.is_protected = connection.context.is_some();
            Ok(())
        }
        Err(failure) => {
            answer(connection, INVALID_CREDENTIALS, &failure.token)?;
            Err(io::Error::new(io::ErrorKind::PermissionDenied, failure.error))
        }
        Ok(other) => Err(malformed(&format!("{other:?}"))),
    }
}

fn sasl_credentials(content: &[u8]) -> Option<Vec<u8>> {
    let (_, _version, rest) = read(content)?;
    let (_, _name, rest) = read(rest)?;
    let (SASL, sasl, _) = read(rest)? else { return None };
    let (_, _mechanism, rest) = read(sasl)?;
    let (OCTET_STRING, credentials, _) = read(rest)? else { return None };
    Some(credentials.to_vec())
}

/// What this server says of itself: the attributes that a search wants, or all of them where it names none.
fn own_entry(mechanism: Mechanism, search: &[u8]) -> Vec<u8> {
    let wanted = elements(search).nth(7).map(|(_, names)| elements(names).map(|(_, name)| name).collect());
    let wanted: Vec<&[u8]> = wanted.unwrap_or_default();
    let is_wanted = |name: &str| {
        let is_it = |wanted: &&[u8]| *wanted == b"*" || wanted.eq_ignore_ascii_case(name.as_bytes());
        wanted.is_empty() || wanted.iter().any(is_it)
    };
    let attribute = |(name, value): (&str, &str)| {
        let values = element(SET, &element(OCTET_STRING, value.as_bytes()));
        element(SEQUENCE, &[element(OCTET_STRING, name.as_bytes()), values].concat())
    };
    let attributes: Vec<u8> = [
        ("namingContexts", "dc=corp,dc=test"),
        ("supportedLDAPVersion", "3"),
        ("supportedSASLMechanisms", mechanism.name),
    ]
    .into_iter()
    .filter(|(name, _)| is_wanted(name))
    .flat_map(attribute)
    .collect();
    element(SEARCH_ENTRY, &[element(OCTET_STRING, b""), element(SEQUENCE, &attributes)].concat())
}
