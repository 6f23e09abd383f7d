//! Where the directory is, and how it is asked.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use sspi_core::{Error, Fault, SecStatus, Secret};

/// What secures the connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// TLS from the first byte (`ldaps`).
    Tls,
    /// TLS after StartTLS.
    StartTls,
    /// Nothing: whoever is in between reads the password, and says who everybody is.
    None,
}

/// A server by its URL: `ldaps://dc1.corp.example`, `ldap://dc1.corp.example:3268`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// A name or an address; it is what the server's certificate must be for.
    pub host: String,
    /// 636 for `ldaps` and 389 for `ldap` unless the URL says another.
    pub port: u16,
    /// Whether the scheme is `ldaps`.
    pub is_ldaps: bool,
}

impl FromStr for Server {
    type Err = String;

    /// Nothing may stand behind host and port: base and filter have settings of their own.
    fn from_str(url: &str) -> Result<Self, String> {
        let wrong = |why: &str| Err(format!("{url:?} {why}; write ldaps://HOST or ldap://HOST:PORT"));
        let Some((scheme, rest)) = url.split_once("://") else { return wrong("is no URL") };
        let is_ldaps = match scheme.to_ascii_lowercase().as_str() {
            "ldaps" => true,
            "ldap" => false,
            _ => return wrong("is no URL of LDAP"),
        };
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, port)) => {
                (host, port.strip_prefix(':').or(Some(port).filter(|port| port.is_empty())))
            }
            None => match authority.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, Some("")),
            },
        };
        let is_name = |c: char| c.is_ascii_alphanumeric() || "-._:".contains(c);
        if host.is_empty() || !host.chars().all(is_name) {
            return wrong("names no host");
        }
        let port = match port {
            Some("") => Ok(if is_ldaps { 636 } else { 389 }),
            Some(port) if port.bytes().all(|digit| digit.is_ascii_digit()) => port.parse().map_err(drop),
            _ => Err(()),
        };
        match port {
            Ok(port) if port != 0 => Ok(Self { host: host.to_owned(), port, is_ldaps }),
            _ => wrong("has no port that could be one"),
        }
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_ldaps { "ldaps" } else { "ldap" };
        if self.host.contains(':') {
            return write!(f, "{scheme}://[{}]:{}", self.host, self.port);
        }
        write!(f, "{scheme}://{}:{}", self.host, self.port)
    }
}

/// As whom the directory is asked.
#[derive(Clone, Debug)]
pub struct Bind {
    /// The distinguished name, or what else the server takes for one (`user@domain` in Active Directory).
    pub dn: String,
    /// Never empty: that would be a bind without authentication (RFC 4513 section 5.1.2).
    pub password: Secret<String>,
}

/// How a directory is asked. [`new`](Self::new) has what is usual.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// The servers, each with everything: the next is asked where one cannot be.
    pub servers: Vec<Server>,
    /// What secures the connections.
    pub protection: Protection,
    /// Below which entry accounts are looked for.
    pub base: String,
    /// Only entries of these classes are accounts; with none, all are. People and machines of Active Directory are `person`, and
    /// accounts of Unix `posixAccount` or `account`.
    pub classes: Vec<String>,
    /// `None`: as nobody.
    pub bind: Option<Bind>,
    /// The domain of the accounts, if it is not the one of their distinguished names (`DC=corp,DC=example`).
    pub domain: Option<String>,
    /// The most connections at a time; each carries any number of questions. 4.
    pub connections: usize,
    /// When a question is given up, connecting included. 3 seconds.
    pub deadline: Duration,
    /// How long it is remembered that there is no account. 10 seconds; nothing: never.
    pub absent_for: Duration,
    /// How long a directory that could not be asked is not asked again. 5 seconds.
    pub down_for: Duration,
}

impl Options {
    /// The usual options: `ldaps` is TLS, `ldap` is StartTLS.
    #[must_use]
    pub fn new(server: Server, base: &str) -> Self {
        let protection = if server.is_ldaps { Protection::Tls } else { Protection::StartTls };
        Self {
            servers: vec![server],
            protection,
            base: base.to_owned(),
            classes: ["person", "posixAccount", "account"].map(str::to_owned).to_vec(),
            bind: None,
            domain: None,
            connections: 4,
            deadline: Duration::from_secs(3),
            absent_for: Duration::from_secs(10),
            down_for: Duration::from_secs(5),
        }
    }

    /// The servers, for a sentence.
    pub(crate) fn name(&self) -> String {
        self.servers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    }

    /// # Errors
    /// What cannot be.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let wrong = |setting: &'static str, what: &'static str| {
            let error = Error::new(SecStatus::SEC_E_INVALID_PARAMETER, Fault::Configuration, what);
            Err(error.with_setting(setting))
        };
        if self.servers.is_empty() {
            return wrong("url", "a directory has a server");
        }
        if self.servers.iter().any(|server| server.is_ldaps != (self.protection == Protection::Tls)) {
            return wrong(
                "url",
                "ldaps is TLS from the first byte, and ldap is not: servers are of one kind",
            );
        }
        let is_name = |class: &String| {
            !class.is_empty() && class.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '.')
        };
        if !self.classes.iter().all(is_name) {
            return wrong("account-classes", "what should be a class of entries has no name of one");
        }
        if self.base.trim().is_empty() {
            return wrong("base", "below which entry accounts are must be said");
        }
        if self.connections == 0 {
            return wrong("connections", "without a connection nothing can be asked");
        }
        if self.deadline.is_zero() {
            return wrong("deadline", "a deadline of nothing cannot be met");
        }
        match &self.bind {
            Some(bind) if bind.password.expose_secret().is_empty() => wrong(
                "bind-password",
                "a bind with an empty password authenticates nobody, and servers may call it a success",
            ),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(url: &str) -> Option<(String, u16, bool)> {
        url.parse::<Server>().ok().map(|server| (server.host, server.port, server.is_ldaps))
    }

    #[test]
    fn urls_are_read_and_written() {
        assert_eq!(server("ldaps://dc1.corp.example"), Some(("dc1.corp.example".into(), 636, true)));
        assert_eq!(server("LDAP://dc1:3268/"), Some(("dc1".into(), 3268, false)));
        assert_eq!(server("ldap://[::1]"), Some(("::1".into(), 389, false)));
        assert_eq!(server("ldaps://[::1]:637"), Some(("::1".into(), 637, true)));
        for url in ["ldaps://dc1.corp.example:636", "ldap://[::1]:389"] {
            assert_eq!(url.parse::<Server>().unwrap().to_string(), url);
        }
    }

    #[test]
    fn what_is_no_url_of_a_server_is_refused() {
        for url in [
            "",
            "dc1",
            "http://dc1",
            "ldaps://",
            "ldaps://:636",
            "ldap://dc1:0",
            "ldap://dc1:65536",
            "ldap://dc1:+1",
            "ldap://dc1:",
            "ldap://dc1/dc=x",
            "ldap://user@dc1",
            "ldap://a b",
            "ldap://[::1",
            "ldap://[::1]x",
        ] {
            let is_default_port = url == "ldap://dc1:";
            assert_eq!(server(url).is_some(), is_default_port, "{url}");
        }
    }

    #[test]
    fn an_empty_password_is_no_bind() {
        let mut options = Options::new("ldaps://dc1".parse().unwrap(), "dc=corp");
        assert!(options.check().is_ok());
        options.bind = Some(Bind { dn: "cn=x".into(), password: Secret::new(String::new()) });
        assert_eq!(options.check().unwrap_err().setting(), Some("bind-password"));
        let base = Options::new("ldaps://dc1".parse().unwrap(), " ");
        assert_eq!(base.check().unwrap_err().setting(), Some("base"));
    }
}
