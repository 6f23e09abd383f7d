//! What a client answers, and what a server says to that: `Authorization: Digest …` and `Authentication-Info` in HTTP,
//! `digest-response` and `response-auth` in SASL.
//!
//! Spec: DIGEST (RFC 7616) sections 3.4 and 3.5; DIGEST (RFC 2831) sections 2.1.2 and 2.1.3.

use std::fmt;

use crate::algorithm::{Algorithm, Cipher, Qop};
use crate::challenge::{is_true, is_utf8, maxbuf};
use crate::directives::{Bounds, DecodeError, Directives, Writer};
use crate::text::{Text, extended, from_extended, from_hex, hex};

/// A client's answer to a challenge.
///
/// `Debug` shows no proof: a password can be guessed with it.
#[derive(Clone, PartialEq, Eq)]
pub struct Response {
    /// `username`, `username*`, or the hash of the name.
    pub username: Username,
    /// `realm`. It may be missing in SASL.
    pub realm: Option<Text>,
    /// `nonce`, the challenge's.
    pub nonce: Text,
    /// `cnonce`, the client's. It may be missing in HTTP without quality of protection.
    pub cnonce: Option<Text>,
    /// `nc`: how often the client has used the nonce, this time included.
    pub nonce_count: Option<NonceCount>,
    /// `qop`.
    pub qop: Qop,
    /// `uri`, or `digest-uri` in SASL.
    pub uri: Text,
    /// `response`: the proof, in hexadecimal digits.
    pub response: Text,
    /// `algorithm`, of HTTP.
    pub algorithm: Algorithm,
    /// `opaque`, of HTTP.
    pub opaque: Option<Text>,
    /// `charset`, of SASL: name and password are UTF-8.
    pub is_utf8: bool,
    /// `cipher`, of SASL.
    pub cipher: Option<Cipher>,
    /// `maxbuf`, of SASL: the longest protected message that the client takes, in bytes.
    pub maxbuf: Option<u32>,
    /// `authzid`, of SASL: as whom the client wants to act.
    pub authzid: Option<Text>,
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("username", &self.username)
            .field("realm", &self.realm)
            .field("nonce", &self.nonce)
            .field("cnonce", &self.cnonce)
            .field("nonce_count", &self.nonce_count)
            .field("qop", &self.qop)
            .field("uri", &self.uri)
            .field("algorithm", &self.algorithm)
            .field("opaque", &self.opaque)
            .field("is_utf8", &self.is_utf8)
            .field("cipher", &self.cipher)
            .field("maxbuf", &self.maxbuf)
            .field("authzid", &self.authzid)
            .finish_non_exhaustive()
    }
}

/// Who logs on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Username {
    /// `username`.
    Name {
        /// The name.
        name: Text,
        /// What stood between the quotes, where backslashes were taken out: a client that does not escape the one of
        /// `DOMAIN\user` means that.
        escaped: Option<Text>,
    },
    /// `username*`.
    Extended(String),
    /// `userhash=true`: the hash of name and realm.
    Hashed(Vec<u8>),
}

/// `nc`: eight hexadecimal digits, hashed as they were written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NonceCount {
    /// The number.
    pub count: u32,
    /// The digits.
    pub digits: Text,
}

impl NonceCount {
    fn parse(digits: &Text) -> Result<Self, DecodeError> {
        let count = <[u8; 8]>::try_from(&**digits).ok().and_then(|digits| from_hex(&digits));
        match count.and_then(|count| <[u8; 4]>::try_from(count).ok()) {
            Some(count) => Ok(Self { count: u32::from_be_bytes(count), digits: digits.clone() }),
            None => Err(DecodeError::Value { name: "nc" }),
        }
    }
}

impl From<u32> for NonceCount {
    fn from(count: u32) -> Self {
        Self { count, digits: format!("{count:08x}").into_bytes().into() }
    }
}

/// The directives of a response in SASL that stand once.
const ONCE: [&str; 12] = [
    "username",
    "realm",
    "nonce",
    "cnonce",
    "nc",
    "qop",
    "digest-uri",
    "response",
    "maxbuf",
    "charset",
    "cipher",
    "authzid",
];

impl Response {
    /// Reads the response of DIGEST-MD5.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn from_sasl(input: &[u8]) -> Result<Self, DecodeError> {
        let list = Directives::parse(input, Bounds::SASL_RESPONSE)?;
        list.refuse_duplicates(|name| !ONCE.contains(&name))?;
        let qop = match list.value("qop") {
            None => Qop::Auth,
            Some(qop) => qop_of(qop)?,
        };
        let cipher = list
            .value("cipher")
            .map(|cipher| Cipher::by_name(cipher).ok_or(DecodeError::Value { name: "cipher" }));
        Ok(Self {
            username: name_of(&list)?,
            realm: list.value("realm").cloned(),
            nonce: list.required("nonce")?.clone(),
            cnonce: Some(list.required("cnonce")?.clone()),
            nonce_count: Some(NonceCount::parse(list.required("nc")?)?),
            qop,
            uri: list.required("digest-uri")?.clone(),
            response: list.required("response")?.clone(),
            algorithm: Algorithm::MD5_SESS,
            opaque: None,
            is_utf8: is_utf8(&list)?,
            cipher: cipher.transpose()?,
            maxbuf: maxbuf(&list)?,
            authzid: list.value("authzid").cloned(),
        })
    }

    /// Reads the value of an `Authorization` header field, with or without the name of the scheme.
    ///
    /// # Errors
    /// [`DecodeError`]; [`DecodeError::NoChallenge`] where the scheme is another one.
    pub fn from_http(input: &[u8]) -> Result<Self, DecodeError> {
        let lists = Directives::parse_challenges(input, Bounds::HTTP)?;
        let [list] = &lists[..] else { return Err(DecodeError::NoChallenge) };
        list.refuse_duplicates(|_| false)?;
        let algorithm = match list.value("algorithm") {
            None => Algorithm::MD5,
            Some(name) => Algorithm::by_name(name).ok_or(DecodeError::Value { name: "algorithm" })?,
        };
        let qop = list.value("qop").map(qop_of).transpose()?.unwrap_or(Qop::None);
        let nonce_count = list.value("nc").map(NonceCount::parse).transpose()?;
        let cnonce = list.value("cnonce").cloned();
        if qop == Qop::AuthConf {
            return Err(DecodeError::Value { name: "qop" });
        }
        if cnonce.is_none() && (qop != Qop::None || algorithm.is_session) {
            return Err(DecodeError::Missing { name: "cnonce" });
        }
        if nonce_count.is_none() && qop != Qop::None {
            return Err(DecodeError::Missing { name: "nc" });
        }
        Ok(Self {
            username: username_of(list)?,
            realm: Some(list.required("realm")?.clone()),
            nonce: list.required("nonce")?.clone(),
            cnonce,
            nonce_count,
            qop,
            uri: list.required("uri")?.clone(),
            response: list.required("response")?.clone(),
            algorithm,
            opaque: list.value("opaque").cloned(),
            is_utf8: false,
            cipher: None,
            maxbuf: None,
            authzid: None,
        })
    }

    /// The response of DIGEST-MD5.
    #[must_use]
    pub fn to_sasl(&self) -> Vec<u8> {
        let mut list = Writer::sasl();
        if self.is_utf8 {
            list.token("charset", "utf-8");
        }
        if let Username::Name { name, .. } = &self.username {
            list.quoted("username", name);
        }
        if let Some(realm) = &self.realm {
            list.quoted("realm", realm);
        }
        list.quoted("nonce", &self.nonce);
        if let Some(nonce_count) = &self.nonce_count {
            list.token("nc", &nonce_count.digits);
        }
        if let Some(cnonce) = &self.cnonce {
            list.quoted("cnonce", cnonce);
        }
        list.quoted("digest-uri", &self.uri).token("response", &self.response).token("qop", self.qop.name());
        if let Some(cipher) = self.cipher {
            list.token("cipher", cipher.name());
        }
        if let Some(maxbuf) = self.maxbuf {
            list.token("maxbuf", maxbuf.to_string());
        }
        if let Some(authzid) = &self.authzid {
            list.quoted("authzid", authzid);
        }
        list.finish()
    }

    /// The value of an `Authorization` header field, without the name of the scheme.
    #[must_use]
    pub fn to_http(&self) -> Vec<u8> {
        let mut list = Writer::http();
        match &self.username {
            Username::Name { name, .. } => list.quoted("username", name),
            Username::Extended(name) => list.token("username*", extended(name)),
            Username::Hashed(hash) => list.quoted("username", hex(hash)),
        };
        if let Some(realm) = &self.realm {
            list.quoted("realm", realm);
        }
        list.quoted("uri", &self.uri).token("algorithm", self.algorithm.name()).quoted("nonce", &self.nonce);
        if self.qop != Qop::None
            && let Some(nonce_count) = &self.nonce_count
        {
            list.token("nc", &nonce_count.digits);
        }
        if let Some(cnonce) = &self.cnonce {
            list.quoted("cnonce", cnonce);
        }
        if self.qop != Qop::None {
            list.token("qop", self.qop.name());
        }
        list.quoted("response", &self.response);
        if let Some(opaque) = &self.opaque {
            list.quoted("opaque", opaque);
        }
        if let Username::Hashed(_) = self.username {
            list.token("userhash", "true");
        }
        list.finish()
    }
}

fn qop_of(name: &Text) -> Result<Qop, DecodeError> {
    Qop::on_the_wire(name).ok_or(DecodeError::Value { name: "qop" })
}

fn name_of(list: &Directives) -> Result<Username, DecodeError> {
    let directive = list.find("username").ok_or(DecodeError::Missing { name: "username" })?;
    Ok(Username::Name { name: directive.value.clone(), escaped: directive.escaped.clone() })
}

fn username_of(list: &Directives) -> Result<Username, DecodeError> {
    let is_hashed = is_true(list, "userhash");
    match list.value("username*") {
        Some(_) if is_hashed || list.find("username").is_some() => {
            Err(DecodeError::Duplicate { name: "username".into() })
        }
        Some(value) => {
            from_extended(value).map(Username::Extended).ok_or(DecodeError::Value { name: "username*" })
        }
        None if is_hashed => {
            let hash = from_hex(list.required("username")?);
            hash.map(Username::Hashed).ok_or(DecodeError::Value { name: "username" })
        }
        None => name_of(list),
    }
}

/// What a server says of a response that it accepts: the value of `Authentication-Info`, or `response-auth`.
///
/// `Debug` shows no proof: a password can be guessed with it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct AuthenticationInfo {
    /// `rspauth`: that the server knows the secret too, in hexadecimal digits.
    pub rspauth: Option<Text>,
    /// `nextnonce`, of HTTP: the nonce of the next request.
    pub next_nonce: Option<Text>,
    /// `qop`, of HTTP: the response's.
    pub qop: Option<Qop>,
    /// `cnonce`, of HTTP: the response's.
    pub cnonce: Option<Text>,
    /// `nc`, of HTTP: the response's.
    pub nonce_count: Option<NonceCount>,
}

impl fmt::Debug for AuthenticationInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthenticationInfo")
            .field("next_nonce", &self.next_nonce)
            .field("qop", &self.qop)
            .field("cnonce", &self.cnonce)
            .field("nonce_count", &self.nonce_count)
            .finish_non_exhaustive()
    }
}

impl AuthenticationInfo {
    /// Reads one.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn parse(input: &[u8]) -> Result<Self, DecodeError> {
        Self::from_list(&Directives::parse(input, Bounds::HTTP)?)
    }

    pub(crate) fn from_list(list: &Directives) -> Result<Self, DecodeError> {
        list.refuse_duplicates(|_| false)?;
        Ok(Self {
            rspauth: list.value("rspauth").cloned(),
            next_nonce: list.value("nextnonce").filter(|nonce| !nonce.is_empty()).cloned(),
            qop: list.value("qop").map(qop_of).transpose()?,
            cnonce: list.value("cnonce").cloned(),
            nonce_count: list.value("nc").map(NonceCount::parse).transpose()?,
        })
    }

    /// The message of DIGEST-MD5.
    #[must_use]
    pub fn to_sasl(&self) -> Vec<u8> {
        let mut list = Writer::sasl();
        if let Some(rspauth) = &self.rspauth {
            list.token("rspauth", rspauth);
        }
        list.finish()
    }

    /// The value of an `Authentication-Info` header field.
    #[must_use]
    pub fn to_http(&self) -> Vec<u8> {
        let mut list = Writer::http();
        if let Some(next_nonce) = &self.next_nonce {
            list.quoted("nextnonce", next_nonce);
        }
        if let Some(rspauth) = &self.rspauth {
            list.quoted("rspauth", rspauth);
        }
        if let Some(qop) = self.qop.filter(|qop| *qop != Qop::None) {
            list.token("qop", qop.name());
        }
        if let Some(cnonce) = &self.cnonce {
            list.quoted("cnonce", cnonce);
        }
        if let Some(nonce_count) = &self.nonce_count {
            list.token("nc", &nonce_count.digits);
        }
        list.finish()
    }
}

#[cfg(test)]
mod tests;
