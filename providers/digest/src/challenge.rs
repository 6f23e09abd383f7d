//! What a server asks: `WWW-Authenticate: Digest …` in HTTP, `digest-challenge` in SASL.
//!
//! Spec: DIGEST (RFC 7616) section 3.3; DIGEST (RFC 2831) section 2.1.1.

use crate::algorithm::{Algorithm, Cipher, Qop, joined, known};
use crate::directives::{Bounds, DecodeError, Directives, Writer};
use crate::text::Text;

/// In which of its two forms Digest is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Header fields of HTTP.
    Http,
    /// The SASL mechanism DIGEST-MD5.
    Sasl,
}

/// A challenge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// `realm`: one in HTTP; in SASL any number, of which the client chooses.
    pub realms: Vec<Text>,
    /// `nonce`.
    pub nonce: Text,
    /// `opaque`, of HTTP: comes back as it is.
    pub opaque: Option<Text>,
    /// `domain`, of HTTP: where else the same secret serves.
    pub domain: Option<Text>,
    /// `stale`: the nonce was too old; the password may have been right.
    pub is_stale: bool,
    /// `algorithm`.
    pub algorithm: Algorithm,
    /// `qop`: what the server can do of what is known here. [`Qop::None`] where it says nothing in HTTP.
    pub qop: Vec<Qop>,
    /// `charset`: names and passwords are UTF-8.
    pub is_utf8: bool,
    /// `userhash`, of HTTP: the name can be hashed.
    pub userhash: bool,
    /// `cipher`, of SASL: those of the server that are known here.
    pub ciphers: Vec<Cipher>,
    /// `maxbuf`, of SASL: the longest protected message that the server takes, in bytes.
    pub maxbuf: Option<u32>,
}

/// The directives of a challenge in SASL that stand once.
const ONCE: [&str; 7] = ["nonce", "qop", "stale", "maxbuf", "charset", "algorithm", "cipher"];

/// How long a protected message may be where nobody says so, in bytes.
pub const DEFAULT_MAXBUF: u32 = 65536;

impl Challenge {
    /// Reads the challenge of DIGEST-MD5.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn from_sasl(input: &[u8]) -> Result<Self, DecodeError> {
        let list = Directives::parse(input, Bounds::SASL_CHALLENGE)?;
        list.refuse_duplicates(|name| !ONCE.contains(&name))?;
        if !list.required("algorithm")?.is("md5-sess") {
            return Err(DecodeError::Value { name: "algorithm" });
        }
        Ok(Self {
            realms: list.all("realm").map(|realm| realm.value.clone()).collect(),
            nonce: nonce(&list)?,
            opaque: None,
            domain: None,
            is_stale: is_true(&list, "stale"),
            algorithm: Algorithm::MD5_SESS,
            qop: list.value("qop").map_or_else(|| vec![Qop::Auth], |qop| known(qop, Qop::on_the_wire)),
            is_utf8: is_utf8(&list)?,
            userhash: false,
            ciphers: list.value("cipher").map(|ciphers| known(ciphers, Cipher::by_name)).unwrap_or_default(),
            maxbuf: maxbuf(&list)?,
        })
    }

    /// Reads the challenges of HTTP: those of Digest among what the header fields hold, in their order, less those whose
    /// algorithm is not known. Each header field is a line, or they are joined with commas.
    ///
    /// # Errors
    /// [`DecodeError`]; [`DecodeError::NoChallenge`] where there is none of Digest.
    pub fn from_http(input: &[u8]) -> Result<Vec<Self>, DecodeError> {
        let lists = Directives::parse_challenges(input, Bounds::HTTP)?;
        if lists.is_empty() {
            return Err(DecodeError::NoChallenge);
        }
        lists.iter().filter_map(|list| Self::from_list(list).transpose()).collect()
    }

    /// `None` where the algorithm is not known.
    fn from_list(list: &Directives) -> Result<Option<Self>, DecodeError> {
        list.refuse_duplicates(|_| false)?;
        let algorithm = match list.value("algorithm") {
            None => Some(Algorithm::MD5),
            Some(name) => Algorithm::by_name(name),
        };
        let Some(algorithm) = algorithm else { return Ok(None) };
        Ok(Some(Self {
            realms: vec![list.required("realm")?.clone()],
            nonce: nonce(list)?,
            opaque: list.value("opaque").cloned(),
            domain: list.value("domain").cloned(),
            is_stale: is_true(list, "stale"),
            algorithm,
            qop: list.value("qop").map_or_else(|| vec![Qop::None], |qop| known(qop, Qop::on_the_wire)),
            is_utf8: is_utf8(list)?,
            userhash: is_true(list, "userhash"),
            ciphers: Vec::new(),
            maxbuf: None,
        }))
    }

    /// The challenge of DIGEST-MD5.
    #[must_use]
    pub fn to_sasl(&self) -> Vec<u8> {
        let mut list = Writer::sasl();
        for realm in &self.realms {
            list.quoted("realm", realm);
        }
        list.quoted("nonce", &self.nonce).quoted("qop", joined(&self.qop, ","));
        if self.is_stale {
            list.token("stale", "true");
        }
        list.token("algorithm", "md5-sess");
        if self.is_utf8 {
            list.token("charset", "utf-8");
        }
        if !self.ciphers.is_empty() {
            list.quoted("cipher", joined(&self.ciphers, ","));
        }
        if let Some(maxbuf) = self.maxbuf {
            list.token("maxbuf", maxbuf.to_string());
        }
        list.finish()
    }

    /// The value of a `WWW-Authenticate` header field, without the name of the scheme.
    #[must_use]
    pub fn to_http(&self) -> Vec<u8> {
        let mut list = Writer::http();
        for realm in self.realms.iter().take(1) {
            list.quoted("realm", realm);
        }
        if let Some(domain) = &self.domain {
            list.quoted("domain", domain);
        }
        let qop: Vec<Qop> = self.qop.iter().copied().filter(|qop| *qop != Qop::None).collect();
        if !qop.is_empty() {
            list.quoted("qop", joined(&qop, ", "));
        }
        list.token("algorithm", self.algorithm.name()).quoted("nonce", &self.nonce);
        if let Some(opaque) = &self.opaque {
            list.quoted("opaque", opaque);
        }
        if self.is_utf8 {
            // Nothing would mean `false`, too. But neon takes it that whoever says nothing does not know `username*` either, and
            // logs on with no name beyond ASCII.
            list.token("charset", "UTF-8").token("userhash", if self.userhash { "true" } else { "false" });
        } else if self.userhash {
            list.token("userhash", "true");
        }
        if self.is_stale {
            list.token("stale", "true");
        }
        list.finish()
    }
}

fn nonce(list: &Directives) -> Result<Text, DecodeError> {
    let nonce = list.required("nonce")?;
    if nonce.is_empty() { Err(DecodeError::Value { name: "nonce" }) } else { Ok(nonce.clone()) }
}

/// A flag; anything but `true` is `false`.
pub(crate) fn is_true(list: &Directives, name: &str) -> bool {
    list.value(name).is_some_and(|value| value.is("true"))
}

/// `charset`, whose only value is UTF-8.
pub(crate) fn is_utf8(list: &Directives) -> Result<bool, DecodeError> {
    match list.value("charset") {
        None => Ok(false),
        Some(charset) if charset.is("utf-8") => Ok(true),
        Some(_) => Err(DecodeError::Value { name: "charset" }),
    }
}

/// `maxbuf`: a number with which a message can be protected.
pub(crate) fn maxbuf(list: &Directives) -> Result<Option<u32>, DecodeError> {
    let Some(text) = list.value("maxbuf") else { return Ok(None) };
    let number = str::from_utf8(text).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    match number.and_then(|number| number.parse().ok()) {
        Some(maxbuf) if maxbuf > LEAST_MAXBUF => Ok(Some(maxbuf)),
        _ => Err(DecodeError::Value { name: "maxbuf" }),
    }
}

/// With less, there is no room for a protected message, in bytes.
pub(crate) const LEAST_MAXBUF: u32 = 32;

#[cfg(test)]
mod tests {
    use super::*;

    /// DIGEST (RFC 2831) section 4.
    #[test]
    fn the_challenge_of_the_rfc_is_read_and_written_byte_for_byte() {
        let text = b"realm=\"elwood.innosoft.com\",nonce=\"OA6MG9tEQGm2hh\",qop=\"auth\",algorithm=md5-sess,charset=utf-8";
        let challenge = Challenge::from_sasl(text).unwrap();
        assert_eq!(challenge.realms, [Text::from("elwood.innosoft.com")]);
        assert_eq!(challenge.qop, [Qop::Auth]);
        assert!(challenge.is_utf8 && !challenge.is_stale);
        assert_eq!(challenge.to_sasl(), text);
    }

    #[test]
    fn a_challenge_of_sasl_may_have_several_realms_and_everything_else_once() {
        let challenge = Challenge::from_sasl(
            b"realm=a,realm=\"b\",nonce=c,algorithm=MD5-sess,x=1,x=2,qop=\"auth-conf,token\",cipher=\"rc4,aes,3des\",maxbuf=4096",
        )
        .unwrap();
        assert_eq!(challenge.realms.len(), 2);
        assert_eq!(challenge.qop, [Qop::AuthConf]);
        assert_eq!(challenge.ciphers, [Cipher::Rc4, Cipher::TripleDes]);
        assert_eq!(challenge.maxbuf, Some(4096));
        for name in ONCE {
            let text =
                format!("nonce=c,algorithm=md5-sess,charset=utf-8,maxbuf=64,{name}=\"1\",{name}=\"1\"");
            let error = Challenge::from_sasl(text.as_bytes()).unwrap_err();
            assert_eq!(error, DecodeError::Duplicate { name: name.into() });
        }
    }

    #[test]
    fn a_challenge_of_sasl_without_what_it_must_have_is_refused() {
        let refused = |text: &str| Challenge::from_sasl(text.as_bytes()).unwrap_err();
        assert_eq!(refused("nonce=a"), DecodeError::Missing { name: "algorithm" });
        assert_eq!(refused("algorithm=md5-sess"), DecodeError::Missing { name: "nonce" });
        assert_eq!(refused("nonce=\"\",algorithm=md5-sess"), DecodeError::Value { name: "nonce" });
        assert_eq!(refused("nonce=a,algorithm=md5"), DecodeError::Value { name: "algorithm" });
        assert_eq!(
            refused("nonce=a,algorithm=md5-sess,charset=latin1"),
            DecodeError::Value { name: "charset" }
        );
        for maxbuf in ["32", "x", "-1", "4294967296", "1x", "+64"] {
            let text = format!("nonce=a,algorithm=md5-sess,maxbuf={maxbuf}");
            assert_eq!(refused(&text), DecodeError::Value { name: "maxbuf" });
        }
        let long = format!("nonce=\"{}\",algorithm=md5-sess", "a".repeat(2048));
        assert_eq!(refused(&long), DecodeError::TooLong { maximum: 2047 });
    }

    /// DIGEST (RFC 7616) section 3.9.1.
    #[test]
    fn the_challenges_of_the_rfc_are_read_and_written() {
        let line = |algorithm: &str| {
            format!(
                "realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm={algorithm}, \
                 nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", \
                 opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""
            )
        };
        let text = format!("Digest {}\r\nDigest {}", line("SHA-256"), line("MD5"));
        let challenges = Challenge::from_http(text.as_bytes()).unwrap();
        let algorithms: Vec<Algorithm> = challenges.iter().map(|challenge| challenge.algorithm).collect();
        assert_eq!(algorithms, [Algorithm::SHA_256, Algorithm::MD5]);
        assert_eq!(challenges[0].qop, [Qop::Auth, Qop::AuthInt]);
        assert_eq!(challenges[0].to_http(), line("SHA-256").as_bytes());
    }

    /// Also that they are not: RFC 7616 section 3.3 has both, and neon needs it.
    #[test]
    fn a_challenge_of_http_says_whether_names_may_be_hashed() {
        for userhash in [false, true] {
            let line = format!(
                "realm=\"a\", qop=\"auth\", algorithm=SHA-256, nonce=\"b\", charset=UTF-8, userhash={userhash}"
            );
            let challenges = Challenge::from_http(format!("Digest {line}").as_bytes()).unwrap();
            assert_eq!(challenges[0].userhash, userhash);
            assert_eq!(challenges[0].to_http(), line.as_bytes());
        }
    }

    #[test]
    fn what_http_leaves_out_is_md5_without_quality_of_protection_and_unknown_algorithms_do_not_count() {
        let challenges = Challenge::from_http(
            b"Digest realm=a, nonce=b, algorithm=token, Digest realm=\"\", nonce=c, stale=TRUE",
        )
        .unwrap();
        let [challenge] = &challenges[..] else { panic!("{challenges:?}") };
        assert_eq!((challenge.algorithm, &challenge.qop[..]), (Algorithm::MD5, &[Qop::None][..]));
        assert!(challenge.is_stale);
        assert_eq!(Challenge::from_http(b"Basic realm=a").unwrap_err(), DecodeError::NoChallenge);
        let twice = Challenge::from_http(b"Digest realm=a, nonce=b, opaque=c, opaque=c").unwrap_err();
        assert_eq!(twice, DecodeError::Duplicate { name: "opaque".into() });
    }
}
