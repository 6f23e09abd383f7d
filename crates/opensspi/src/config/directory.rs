//! The section `[directory]`: accounts that are looked up with LDAP.

use std::time::Duration;

use serde::{Deserialize, Deserializer, de};
use sspi_core::parse_duration;
use sspi_ldap::{Options, Server};

/// The section `[directory]`: where the accounts of client certificates are looked up with LDAP.
///
/// ```
/// let config = opensspi::Config::from_toml(
///     r#"
///     [directory]
///     url = "ldaps://dc1.corp.example"
///     base = "DC=corp,DC=example"
///     bind-dn = "CN=lookup,OU=Services,DC=corp,DC=example"
///     bind-password = "env:LDAP_PASSWORD"
///     roots = ["corp-ca.pem"]
///     "#,
///     "opensspi.toml",
/// )?;
/// assert!(config.directory.is_some());
/// # Ok::<(), opensspi::ConfigProblems>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct DirectoryConfig {
    /// `ldaps://HOST:PORT` or `ldap://HOST:PORT`, or several of one kind: the next is asked where one cannot be. `ldap` is
    /// StartTLS, unless `i-accept-clear-text` says otherwise.
    #[serde(deserialize_with = "servers")]
    pub url: Vec<Server>,
    /// The entry below which accounts are.
    pub base: String,
    /// Only entries of these classes (`objectClass`) are accounts; with none, all are.
    #[serde(default = "account_classes")]
    pub account_classes: Vec<String>,
    /// As whom the directory is asked: a distinguished name, or what else it takes for one. Not given: as nobody.
    #[serde(default)]
    pub bind_dn: Option<String>,
    /// The password: `file:PATH` or `env:NAME`.
    #[serde(default)]
    pub bind_password: Option<String>,
    /// Whose certificate the directory must show: `system`, and files in PEM.
    #[serde(default = "system")]
    pub roots: Vec<String>,
    /// SHA-256 of certificates of the directory that are trusted as they are; when there are any, nothing else is.
    #[serde(default)]
    pub pins: Vec<String>,
    /// The domain of the accounts, if it is not the one of their distinguished names.
    #[serde(default)]
    pub domain: Option<String>,
    /// The most connections at a time.
    #[serde(default = "connections")]
    pub connections: usize,
    /// When a question is given up.
    #[serde(default = "deadline", deserialize_with = "duration")]
    pub deadline: Duration,
    /// How long it is remembered that there is no account; `0s` for never.
    #[serde(default = "absent_for", deserialize_with = "duration")]
    pub absent_for: Duration,
    /// How long a directory that could not be asked is not asked again.
    #[serde(default = "down_for", deserialize_with = "duration")]
    pub down_for: Duration,
    /// `ldap` without TLS: whoever is in between reads the password, and says who everybody is.
    #[serde(default)]
    pub i_accept_clear_text: bool,
}

fn servers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Server>, D::Error> {
    #[derive(Deserialize)]
    #[serde(
        untagged,
        expecting = "a server is a string such as \"ldaps://HOST\", and several are a list of them"
    )]
    enum Urls {
        One(String),
        Several(Vec<String>),
    }
    let urls = match Urls::deserialize(deserializer)? {
        Urls::One(url) => vec![url],
        Urls::Several(urls) => urls,
    };
    let servers = urls.iter().map(|url| url.parse::<Server>()).collect::<Result<Vec<_>, _>>();
    let servers = servers.map_err(de::Error::custom)?;
    match servers.first() {
        None => Err(de::Error::custom("a directory has a server: write ldaps://HOST")),
        Some(first) if servers.iter().any(|server| server.is_ldaps != first.is_ldaps) => {
            Err(de::Error::custom("servers are ldaps all of them, or none is"))
        }
        Some(_) => Ok(servers),
    }
}

impl DirectoryConfig {
    /// The servers, for a sentence.
    #[must_use]
    pub fn servers(&self) -> String {
        self.url.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    }

    pub(crate) fn is_ldaps(&self) -> bool {
        self.url.iter().all(|server| server.is_ldaps)
    }
}

fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    parse_duration(&String::deserialize(deserializer)?).map_err(de::Error::custom)
}

fn system() -> Vec<String> {
    vec!["system".to_owned()]
}

/// What is usual, as the crate that asks says it.
fn usual() -> Options {
    Options::new(Server { host: String::new(), port: 636, is_ldaps: true }, "")
}

fn account_classes() -> Vec<String> {
    usual().classes
}

fn connections() -> usize {
    usual().connections
}

fn deadline() -> Duration {
    usual().deadline
}

fn absent_for() -> Duration {
    usual().absent_for
}

fn down_for() -> Duration {
    usual().down_for
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Config;

    fn problems(text: &str) -> String {
        Config::from_toml(text, "x.toml").unwrap_err().to_string()
    }

    #[test]
    fn what_is_not_said_is_what_is_usual() {
        let config =
            Config::from_toml("[directory]\nurl = \"ldaps://dc1\"\nbase = \"dc=corp\"\n", "x").unwrap();
        let directory = config.directory.unwrap();
        assert_eq!((directory.url[0].port, directory.connections), (636, 4));
        let times = [directory.deadline, directory.absent_for, directory.down_for];
        assert_eq!(times, [3, 10, 5].map(Duration::from_secs));
        assert_eq!(directory.account_classes, ["person", "posixAccount", "account"]);
        assert_eq!(directory.roots, ["system"]);
        assert!(!directory.i_accept_clear_text);
    }

    #[test]
    fn there_may_be_several_servers_of_one_kind() {
        let config =
            |url: &str| Config::from_toml(&format!("[directory]\nurl = {url}\nbase = \"dc=corp\"\n"), "x");
        let directory = config("[\"ldaps://dc1\", \"ldaps://dc2:637\"]").unwrap().directory.unwrap();
        assert_eq!(directory.servers(), "ldaps://dc1:636, ldaps://dc2:637");
        for wrong in ["[]", "[\"ldaps://dc1\", \"ldap://dc2\"]", "[\"dc1\"]", "7"] {
            assert!(config(wrong).unwrap_err().to_string().contains("x:2:7: directory.url"), "{wrong}");
        }
    }

    #[test]
    fn mistakes_are_named_with_their_place() {
        let found = problems("[directory]\nurl = \"dc1\"\nbase = \"dc=corp\"\n");
        assert!(found.contains("x.toml:2:7: directory.url: \"dc1\" is no URL"), "{found}");
        let found =
            problems("[directory]\nurl = \"ldaps://dc1\"\nbase = \"\"\nbind-password = \"hunter2\"\n");
        assert!(found.contains("x.toml:4:17: directory.bind-password names a secret"), "{found}");
        assert!(!found.contains("hunter2"));
        let found = problems("[directory]\nurl = \"ldaps://dc1\"\nbase = \"\"\ndeadline = \"soon\"\n");
        assert!(found.contains("x.toml:4:12"), "{found}");
    }
}
