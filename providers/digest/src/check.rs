//! Whether a password is the one that a response proves, for those who look at messages that others exchanged.

use zeroize::Zeroizing;

use crate::algorithm::Qop;
use crate::challenge::Dialect;
use crate::client::inputs;
use crate::proof::{AUTHENTICATE, base};
use crate::response::{Response, Username};
use crate::text::{Text, latin1_or_utf8};

/// What a password makes of a response.
///
/// There is no `Debug`: all of it is secret.
pub struct Checked {
    /// The response is that of this password.
    pub is_proven: bool,
    /// H(A1), the key of the session.
    pub ha1: Zeroizing<Vec<u8>>,
}

impl Checked {
    /// What `password` makes of a response to a request with this method (of HTTP; in SASL there is none). `user` is asked
    /// for where the response has only the hash of it.
    ///
    /// `None` where that cannot be said: `auth-int` of HTTP needs the body, which nobody has here, and a hashed name needs
    /// the name.
    #[must_use]
    pub fn of(
        dialect: Dialect,
        response: &Response,
        user: Option<&str>,
        password: &str,
        method: &str,
    ) -> Option<Self> {
        let is_http = dialect == Dialect::Http;
        if is_http && response.qop == Qop::AuthInt {
            return None;
        }
        let names: Vec<Vec<u8>> = match (&response.username, user) {
            (_, Some(user)) => vec![user.as_bytes().to_vec()],
            // A client that does not escape the backslash of DOMAIN\\user means it.
            (Username::Name { name, escaped }, None) => {
                core::iter::once(name).chain(escaped).map(|name| name.to_vec()).collect()
            }
            (Username::Extended(name), None) => vec![name.as_bytes().to_vec()],
            (Username::Hashed(_), None) => return None,
        };
        let realm = response.realm.clone().unwrap_or_default();
        let inputs = inputs(dialect, response);
        let method = if is_http { method } else { AUTHENTICATE };
        let a2 = inputs.a2(method, &response.uri, None);
        let hash = response.algorithm.hash;
        let shorter = Zeroizing::new(latin1_or_utf8(password));
        let keys = names.iter().flat_map(|name| {
            let (name_text, realm_text) = (Text::from(name.clone()), realm.to_text());
            let as_sent = base(hash, name, &realm, password.as_bytes());
            let [name, realm] = [name_text.to_text(), realm_text].map(|text| latin1_or_utf8(&text));
            [as_sent, base(hash, &name, &realm, &shorter)].map(|base| inputs.key(base.as_ref()))
        });
        let mut first = None;
        for ha1 in keys {
            let proof = inputs.proof(&ha1, &a2);
            if crypto::constant_time::ct_eq(proof.as_bytes(), &response.response.to_ascii_lowercase()) {
                return Some(Self { is_proven: true, ha1 });
            }
            let _kept = first.get_or_insert(ha1);
        }
        first.map(|ha1| Self { is_proven: false, ha1 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7616 section 3.9.1.
    const RESPONSE: &[u8] = b"Digest username=\"Mufasa\", realm=\"http-auth@example.org\", uri=\"/dir/index.html\", \
        algorithm=MD5, nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", nc=00000001, \
        cnonce=\"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ\", qop=auth, \
        response=\"8ca523f5e9506fed4657c9700eebdbec\", opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"";

    #[test]
    fn the_password_of_the_specification_is_proven_and_another_is_not() {
        let response = Response::from_http(RESPONSE).unwrap();
        let of = |password, method| Checked::of(Dialect::Http, &response, None, password, method).unwrap();
        assert!(of("Circle of Life", "GET").is_proven);
        assert!(!of("Circle of life", "GET").is_proven);
        assert!(!of("Circle of Life", "POST").is_proven);
    }

    #[test]
    fn a_body_that_nobody_has_is_not_guessed() {
        let response = String::from_utf8_lossy(RESPONSE).replace("qop=auth", "qop=auth-int");
        let response = Response::from_http(response.as_bytes()).unwrap();
        assert!(Checked::of(Dialect::Http, &response, None, "Circle of Life", "GET").is_none());
    }
}
