//! The header fields of HTTP authentication.
//!
//! Spec: HTTPAUTH section 11.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

/// Whom a client authenticates to: the names of the fields differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Place {
    /// The origin server: status 401.
    #[default]
    Server,
    /// A proxy on the way to it: status 407.
    Proxy,
}

impl Place {
    /// The status that asks for authentication.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::Server => StatusCode::UNAUTHORIZED,
            Self::Proxy => StatusCode::PROXY_AUTHENTICATION_REQUIRED,
        }
    }

    /// The field of a challenge.
    #[must_use]
    pub const fn challenge(self) -> HeaderName {
        match self {
            Self::Server => WWW_AUTHENTICATE,
            Self::Proxy => PROXY_AUTHENTICATE,
        }
    }

    /// The field of a client's credentials.
    #[must_use]
    pub const fn credentials(self) -> HeaderName {
        match self {
            Self::Server => AUTHORIZATION,
            Self::Proxy => PROXY_AUTHORIZATION,
        }
    }

    /// The field in which a server that authenticates requests says that it knows the client's secret, too.
    #[must_use]
    pub const fn info(self) -> HeaderName {
        match self {
            Self::Server => HeaderName::from_static("authentication-info"),
            Self::Proxy => HeaderName::from_static("proxy-authentication-info"),
        }
    }
}

/// A scheme and what follows it in a field: a token, or directives.
///
/// `Debug` shows the scheme alone: a password can be guessed with the rest.
#[derive(Clone, PartialEq, Eq)]
pub struct Challenge {
    /// The name of the scheme, as it was written.
    pub scheme: String,
    /// What follows; empty where nothing does.
    pub rest: String,
}

impl fmt::Debug for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Challenge").field("scheme", &self.scheme).finish_non_exhaustive()
    }
}

/// The most bytes of the fields of a message that are looked at.
const MOST: usize = 128 << 10;

/// The challenges of a message, in their order: several may stand in a field, separated by commas as the directives of each
/// are. Fields that are not text are passed over.
#[must_use]
pub fn challenges(headers: &HeaderMap, place: Place) -> Vec<Challenge> {
    let mut out: Vec<Challenge> = Vec::new();
    let mut left = MOST;
    for value in headers.get_all(place.challenge()) {
        let Ok(text) = value.to_str() else { continue };
        let Some(rest) = left.checked_sub(text.len()) else { break };
        left = rest;
        // What stands before the first scheme of a field belongs to none.
        let mut current = None;
        for item in items(text) {
            if let Some((scheme, rest)) = begins_scheme(item) {
                out.push(Challenge { scheme: scheme.to_owned(), rest: rest.to_owned() });
                current = out.last_mut();
            } else if let Some(challenge) = &mut current {
                challenge.rest.push_str(", ");
                challenge.rest.push_str(item);
            }
        }
    }
    out
}

/// The items between the commas that stand in no quotes, without white space around them, and without empty ones.
fn items(text: &str) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |c| {
        if escaped {
            escaped = false;
            return false;
        }
        match c {
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => {}
        }
        c == ',' && !quoted
    })
    .map(str::trim)
    .filter(|item| !item.is_empty())
}

/// Whether an item begins a challenge: a name that no equals sign follows.
fn begins_scheme(item: &str) -> Option<(&str, &str)> {
    let end = item.find(|c: char| !is_token(c)).unwrap_or(item.len());
    let (name, rest) = item.split_at_checked(end)?;
    let follows = rest.trim_start();
    let is_name = !name.is_empty() && !follows.starts_with('=');
    (is_name && (rest.is_empty() || rest.starts_with([' ', '\t']))).then_some((name, follows))
}

/// Spec: HTTPAUTH section 5.6.2.
fn is_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c)
}

/// What a client says of itself in a request. `None`: nothing, or nothing that could be understood.
///
/// # Errors
/// It says two things: who is who between a proxy and a server must not depend on which of them each reads.
pub fn credentials(headers: &HeaderMap, place: Place) -> Result<Option<Challenge>, Ambiguous> {
    let mut fields = headers.get_all(place.credentials()).iter();
    let Some(first) = fields.next() else { return Ok(None) };
    if fields.next().is_some() {
        return Err(Ambiguous);
    }
    let text = String::from_utf8_lossy(first.as_bytes());
    let text = text.trim();
    let (scheme, rest) = text.split_once([' ', '\t']).unwrap_or((text, ""));
    Ok(Some(Challenge { scheme: scheme.to_owned(), rest: rest.trim().to_owned() }))
}

/// The fields by which proxies tell that they stand in between.
///
/// Spec: HTTPAUTH section 7.6.3 (`Via`).
const OF_PROXIES: [&str; 6] =
    ["via", "forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip"];

/// Whether a request came through a proxy that says so.
pub(crate) fn is_forwarded(headers: &HeaderMap) -> bool {
    OF_PROXIES.iter().any(|name| headers.contains_key(*name))
}

/// A request that says twice who sends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ambiguous;

/// Whether these credentials of Digest are over the bodies, too. Spec: DIGEST (RFC 7616) section 3.4.
pub(crate) fn protects_bodies(directives: &str) -> bool {
    items(directives).filter_map(|item| item.split_once('=')).any(|(name, value)| {
        name.trim().eq_ignore_ascii_case("qop")
            && value.trim().trim_matches('"').eq_ignore_ascii_case("auth-int")
    })
}

/// Whether this `Authentication-Info` has a proof in it. Spec: DIGEST (RFC 7616) section 3.5.
pub(crate) fn has_proof(directives: &str) -> bool {
    let mut names = items(directives).filter_map(|item| item.split_once('='));
    names.any(|(name, _)| name.trim().eq_ignore_ascii_case("rspauth"))
}

/// A token as it stands in a field.
#[must_use]
pub fn encode(token: &[u8]) -> String {
    STANDARD.encode(token)
}

/// The token of a field. `None`: it is not base64.
#[must_use]
pub fn decode(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

/// A field's value: a scheme, and what follows it. Nobody's log shows it: a password can be guessed with it.
pub(crate) fn value(scheme: &str, rest: &[u8]) -> Option<HeaderValue> {
    let mut bytes = scheme.as_bytes().to_vec();
    if !rest.is_empty() {
        bytes.push(b' ');
        bytes.extend_from_slice(rest);
    }
    let mut value = HeaderValue::from_bytes(&bytes).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(fields: &[&str]) -> Vec<(String, String)> {
        let mut headers = HeaderMap::new();
        for field in fields {
            headers.append(WWW_AUTHENTICATE, field.parse().unwrap());
        }
        challenges(&headers, Place::Server).into_iter().map(|c| (c.scheme, c.rest)).collect()
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
    }

    #[test]
    fn challenges_stand_in_fields_of_their_own_or_behind_one_another() {
        let apart = of(&["Negotiate", "NTLM", r#"Digest realm="a, b", nonce="x""#]);
        let together = of(&[r#"Negotiate, NTLM, Digest realm="a, b", nonce="x""#]);
        assert_eq!(apart, together);
        let expected = [("Negotiate", ""), ("NTLM", ""), ("Digest", r#"realm="a, b", nonce="x""#)];
        assert_eq!(apart, pairs(&expected));
    }

    #[test]
    fn a_token_is_no_scheme_and_a_directive_with_white_space_is_none_either() {
        assert_eq!(of(&["Negotiate YWJj=="]), pairs(&[("Negotiate", "YWJj==")]));
        assert_eq!(
            of(&[r#"Digest realm = "a", NTLM, Basic realm="b""#]),
            pairs(&[("Digest", r#"realm = "a""#), ("NTLM", ""), ("Basic", r#"realm="b""#)])
        );
    }

    #[test]
    fn a_quote_in_quotes_ends_none() {
        let text = r#"Digest realm="a\", NTLM", nonce="x", NTLM"#;
        assert_eq!(of(&[text]), pairs(&[("Digest", r#"realm="a\", NTLM", nonce="x""#), ("NTLM", "")]));
    }

    #[test]
    fn what_is_no_list_of_challenges_is_passed_over() {
        assert_eq!(of(&[r#"realm="a", , ,"#, "=", "\"NTLM\""]), []);
    }

    #[test]
    fn who_says_twice_who_it_is_is_told_apart_from_who_says_nothing() {
        let mut headers = HeaderMap::new();
        assert_eq!(credentials(&headers, Place::Server), Ok(None));
        headers.append(AUTHORIZATION, "NTLM  YQ==".parse().unwrap());
        let one = Challenge { scheme: "NTLM".to_owned(), rest: "YQ==".to_owned() };
        assert_eq!(credentials(&headers, Place::Server), Ok(Some(one)));
        assert_eq!(credentials(&headers, Place::Proxy), Ok(None));
        headers.append(AUTHORIZATION, "NTLM YQ==".parse().unwrap());
        assert_eq!(credentials(&headers, Place::Server), Err(Ambiguous));
    }
}
