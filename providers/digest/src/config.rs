//! The section `[digest]` of a configuration.

use std::time::Duration;

use lock_out::LockOut;
use serde::{Deserialize, Deserializer};

use crate::algorithm::{Algorithm, Cipher, Qop};

/// Which of its two forms the package speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// HTTP where the application says which request is to be authenticated, otherwise SASL.
    #[default]
    Auto,
    /// HTTP alone.
    Http,
    /// SASL alone.
    Sasl,
}

/// Whether a server insists that clients bind their authentication to the channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BindingPolicy {
    /// It does not look.
    Never,
    /// A client that binds must mean this channel.
    #[default]
    WhenSupported,
    /// Every client must bind. Only those of this package do: Digest has no directive for it.
    Always,
}

/// The section `[digest]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct DigestConfig {
    /// Which form is spoken.
    pub mode: Mode,
    /// A server's realm, with which passwords are hashed: it must name one. A client's: no other is answered; not given: the
    /// first that the server offers, or the one that is the user's domain.
    pub realm: Option<String>,
    /// The algorithms of HTTP, the preferred one first. SASL has one, MD5-sess, which needs not be named.
    pub algorithms: Vec<Algorithm>,
    /// The qualities of protection that may be: of `auth-conf`, `auth-int`, `auth`, and `none` for HTTP as it was in
    /// RFC 2069. A client chooses the strongest that the server offers.
    pub qop: Vec<Qop>,
    /// The ciphers of SASL, the preferred one first: `3des`, and when they are named `rc4`, `des`, `rc4-56`, `rc4-40`.
    pub ciphers: Vec<Cipher>,
    /// The longest protected message of SASL that is taken, in bytes.
    pub maxbuf: u32,
    /// How long a server's nonce can be used, such as `5m`.
    #[serde(deserialize_with = "lifetime")]
    pub nonce_lifetime: Duration,
    /// How often a nonce can be used.
    pub max_nonce_count: u32,
    /// Whether a nonce is used once: each response names the next one.
    pub single_use_nonces: bool,
    /// How many nonces that were used are remembered; those beyond are stale before their time.
    pub nonce_table_entries: usize,
    /// Whether a server of HTTP lets clients hash the name. Looking it up takes a hash for every account.
    pub userhash: bool,
    /// As whom a client logs on where the application does not say, as the server has the name.
    pub user: Option<String>,
    /// Its domain: of several realms, the one that is called so.
    pub domain: Option<String>,
    /// Its password: `file:PATH` or `env:NAME`.
    pub password: Option<String>,
    /// Whether in SASL a client that has logged on logs on again without a new challenge, and whether a server takes that. The
    /// protocol that carries it must let the client speak first. (Clients of HTTP always do.)
    pub reauthentication: bool,
    /// The services of a server of SASL, such as `imap/mail.example.com`, or `mail.example.com` for whatever there is on that
    /// host: a response for another is refused, since somebody else was meant. Empty: whatever there is on this machine, by
    /// the name that the system has for it. `*`: a response for anybody is taken.
    pub services: Vec<String>,
    /// The service that a client of SASL means where the application names a host only.
    pub service: String,
    /// Whether a server insists that clients bind their authentication to the channel.
    pub channel_bindings: BindingPolicy,
    /// When failed logons lock out.
    pub lock_out: LockOut,
}

impl Default for DigestConfig {
    fn default() -> Self {
        Self {
            mode: Mode::Auto,
            realm: None,
            algorithms: vec![Algorithm::SHA_256, Algorithm::SHA_512_256],
            qop: vec![Qop::AuthConf, Qop::AuthInt, Qop::Auth],
            ciphers: vec![Cipher::TripleDes],
            maxbuf: crate::challenge::DEFAULT_MAXBUF,
            nonce_lifetime: Duration::from_secs(300),
            max_nonce_count: 10_000,
            single_use_nonces: false,
            nonce_table_entries: 100_000,
            userhash: false,
            user: None,
            domain: None,
            password: None,
            reauthentication: false,
            services: Vec::new(),
            service: "host".to_owned(),
            channel_bindings: BindingPolicy::WhenSupported,
            lock_out: LockOut::default(),
        }
    }
}

/// `90s`, `5m`, `2h`.
fn lifetime<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    let parse = || {
        let unit = text.chars().next_back()?;
        let number: u64 = text.strip_suffix(unit)?.parse().ok()?;
        let seconds = match unit {
            's' => number,
            'm' => number.checked_mul(60)?,
            'h' => number.checked_mul(3600)?,
            _ => return None,
        };
        (1..=MOST_LIFETIME).contains(&seconds).then(|| Duration::from_secs(seconds))
    };
    parse().ok_or_else(|| {
        serde::de::Error::custom(format!(
            "{text:?} is no lifetime from 1s to 24h, such as \"90s\", \"5m\" or \"2h\""
        ))
    })
}

/// A day, in seconds.
const MOST_LIFETIME: u64 = 86_400;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<DigestConfig, toml::de::Error> {
        toml::from_str(text)
    }

    #[test]
    fn what_is_weak_is_off_until_it_is_named() {
        let config = read("").unwrap();
        assert_eq!(config, DigestConfig::default());
        assert_eq!(config.ciphers, [Cipher::TripleDes]);
        assert!(config.algorithms.iter().all(|algorithm| algorithm.hash != sspi_core::DigestAlgorithm::Md5));
        assert!(!config.qop.contains(&Qop::None));
        let config =
            read("ciphers = [\"rc4\", \"rc4-40\"]\nalgorithms = [\"md5-sess\"]\nqop = [\"none\"]").unwrap();
        assert_eq!(config.ciphers, [Cipher::Rc4, Cipher::Rc4Of40]);
        assert_eq!(config.algorithms, [Algorithm::MD5_SESS]);
        assert_eq!(config.qop, [Qop::None]);
    }

    #[test]
    fn what_is_not_known_is_refused_and_what_is_known_is_named() {
        assert!(read("passwd = \"env:SECRET\"").is_err());
        let error = read("ciphers = [\"aes\"]").unwrap_err().to_string();
        assert!(
            error.contains("there is no cipher \"aes\"; known: 3des, rc4, des, rc4-56, rc4-40"),
            "{error}"
        );
        let error = read("algorithms = [\"SHA-1\"]").unwrap_err().to_string();
        assert!(error.contains("known: SHA-512-256, SHA-512-256-sess, SHA-256, "), "{error}");
        for bad in ["0s", "25h", "5", "m", "-1s", "5d", ""] {
            assert!(read(&format!("nonce-lifetime = \"{bad}\"")).is_err(), "{bad}");
        }
        assert_eq!(read("nonce-lifetime = \"2h\"").unwrap().nonce_lifetime, Duration::from_secs(7200));
    }
}
