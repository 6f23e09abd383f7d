//! The messages of Digest, directive by directive.

use opensspi::tokens::digest::challenge::Challenge;
use opensspi::tokens::digest::directives::{Bounds, DecodeError, Directives};
use opensspi::tokens::digest::response::{AuthenticationInfo, Response};

use super::Decoded;
use super::input::DigestMessage;
use super::table::{At, Table, Wrong};

/// What the directives say.
pub(super) fn decode(value: &[u8], message: DigestMessage) -> Decoded {
    let kind = match message {
        DigestMessage::Challenge { is_sasl: false } => "Digest challenge",
        DigestMessage::Response { is_sasl: false } => "Digest response",
        DigestMessage::Info { is_sasl: false } => "Digest authentication info",
        DigestMessage::Challenge { is_sasl: true } => "DIGEST-MD5 challenge",
        DigestMessage::Response { is_sasl: true } => "DIGEST-MD5 response",
        DigestMessage::Info { is_sasl: true } => "DIGEST-MD5 response-auth",
    };
    let mut table = Table::default();
    let result = rows(&mut table, value, message);
    Decoded { kind: kind.to_owned(), table, wrong: result.err(), flight: None }
}

fn rows(table: &mut Table, value: &[u8], message: DigestMessage) -> Result<(), Wrong> {
    let lists = match message {
        DigestMessage::Challenge { is_sasl: false } => Directives::parse_challenges(value, Bounds::HTTP),
        DigestMessage::Challenge { is_sasl: true } => {
            Directives::parse(value, Bounds::SASL_CHALLENGE).map(|list| vec![list])
        }
        DigestMessage::Response { is_sasl: true } => {
            Directives::parse(value, Bounds::SASL_RESPONSE).map(|list| vec![list])
        }
        _ => Directives::parse(value, Bounds::HTTP).map(|list| vec![list]),
    };
    let lists = lists.map_err(|error| wrong(value, &error))?;
    let mut places = Places { value, at: 0 };
    for directive in lists.iter().flat_map(Directives::iter) {
        let (offset, len) = places.next(&directive.name);
        let at = At { depth: 0, offset, len };
        let (text, meaning) = (directive.value.to_text(), meaning(&directive.name));
        if SECRET.contains(&directive.name.as_str()) {
            table.secret_text(at, &directive.name, &text, meaning);
        } else {
            table.text(at, &directive.name, &text, meaning);
        }
    }
    let checked = match message {
        DigestMessage::Challenge { is_sasl: false } => Challenge::from_http(value).map(drop),
        DigestMessage::Challenge { is_sasl: true } => Challenge::from_sasl(value).map(drop),
        DigestMessage::Response { is_sasl: false } => Response::from_http(value).map(drop),
        DigestMessage::Response { is_sasl: true } => Response::from_sasl(value).map(drop),
        DigestMessage::Info { .. } => AuthenticationInfo::parse(value).map(drop),
    };
    checked.map_err(|error| wrong(value, &error))
}

/// What a password can be guessed with.
const SECRET: [&str; 2] = ["response", "rspauth"];

fn meaning(name: &str) -> &'static str {
    match name {
        "realm" => "whose users are meant",
        "nonce" => "the server's random text: no proof is for another one",
        "opaque" => "comes back as it is",
        "domain" => "where else the same secret serves",
        "stale" => "the nonce was too old; the password may have been right",
        "algorithm" => "what is hashed with; -sess: the key is one of the session",
        "qop" => "auth, auth-int (integrity), auth-conf (encryption)",
        "charset" => "names and passwords are UTF-8",
        "userhash" => "the name can be hashed",
        "cipher" => "what messages are encrypted with",
        "maxbuf" => "the longest protected message that is taken, in bytes",
        "username" => "who logs on",
        "username*" => "who logs on, with its encoding",
        "cnonce" => "the client's random text",
        "nc" => "how often the nonce was used, this time included",
        "uri" => "the request that is authenticated",
        "digest-uri" => "the service that is meant",
        "response" => "the proof",
        "rspauth" => "the server's proof",
        "nextnonce" => "the nonce to use next",
        "authzid" => "as whom the client wants to act",
        _ => "",
    }
}

fn wrong(value: &[u8], error: &DecodeError) -> Wrong {
    let place = |name: &str| Places { value, at: 0 }.next(name).0;
    match error {
        DecodeError::Expected { at, what } => {
            Wrong::new(*at, "the list of directives", format_args!("there is no {what}"))
        }
        DecodeError::Duplicate { name } => {
            let mut places = Places { value, at: 0 };
            let _first = places.next(name);
            let (offset, _) = places.next(name);
            Wrong::new(offset, &opensspi::harmless(name), "the directive stands twice")
        }
        DecodeError::Value { name } => Wrong::new(place(name), name, "a value that it cannot have"),
        DecodeError::Missing { name } => Wrong::new(value.len(), name, "the directive is missing"),
        other => Wrong::new(0, "the list of directives", other),
    }
}

/// Where directives stand, found in their order.
struct Places<'a> {
    value: &'a [u8],
    at: usize,
}

impl Places<'_> {
    /// Offset and length of the next directive of this name.
    fn next(&mut self, name: &str) -> (usize, usize) {
        let rest = |at: usize| self.value.get(at..).unwrap_or_default();
        let begins = |at: &usize| {
            let found =
                rest(*at).get(..name.len()).is_some_and(|word| word.eq_ignore_ascii_case(name.as_bytes()));
            let behind = rest(at + name.len()).trim_ascii_start();
            let before = at.checked_sub(1).and_then(|at| self.value.get(at));
            found
                && behind.first() == Some(&b'=')
                && before.is_none_or(|byte| byte.is_ascii_whitespace() || *byte == b',')
        };
        let Some(begin) = (self.at..self.value.len()).find(begins) else { return (self.at, 0) };
        let value =
            rest(begin).iter().position(|byte| *byte == b'=').map_or(begin, |equals| begin + equals + 1);
        let space = rest(value).len() - rest(value).trim_ascii_start().len();
        let end = end_of_value(self.value, value + space);
        self.at = end;
        (begin, end - begin)
    }
}

/// Where the value ends that begins here.
fn end_of_value(all: &[u8], begin: usize) -> usize {
    let rest = all.get(begin..).unwrap_or_default();
    let Some((b'"', quoted)) = rest.split_first() else {
        let ends = |byte: &u8| *byte == b',' || byte.is_ascii_whitespace();
        return begin + rest.iter().position(ends).unwrap_or(rest.len());
    };
    let mut is_escaped = false;
    for (index, byte) in quoted.iter().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => return begin + index + 2,
            _ => {}
        }
    }
    all.len()
}
