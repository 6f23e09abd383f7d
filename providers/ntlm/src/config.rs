//! What a configuration may say about NTLM. The default is safe, as far as NTLM is: version 2 only, keys of 128 bits,
//! nobody anonymous.

use std::time::Duration;

pub use lock_out::LockOut;
use lock_out::lifetime;
use serde::{Deserialize, Deserializer, de};

/// Whether something of the client is looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Check {
    /// `never`.
    Never,
    /// `when-supported`: where the client has it, it must fit.
    #[default]
    WhenSupported,
    /// `always`: it must be there, and fit.
    Always,
}

/// Whether extended session security is required.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExtendedSessionSecurity {
    /// `required` where messages are signed or encrypted: without it anybody can alter them.
    #[default]
    Required,
    /// `optional`.
    Optional,
}

/// What of its challenge a server wants to see again in the answer, unchanged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RepeatedPairs {
    /// `all` that was sent.
    #[default]
    All,
    /// `time`: without the time, clients make no MIC. For clients that leave out or rewrite the names of the server.
    Time,
}

/// What a client does with a challenge that its own process has made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reflection {
    /// `refuse`: somebody has it log on to itself.
    #[default]
    Refuse,
    /// `allow`: for tests and demonstrations, in which a package talks to itself.
    Allow,
}

/// `LmCompatibilityLevel`: which responses a client sends and which an acceptor takes. 0 to 5.
///
/// | level | a client sends | an acceptor takes |
/// |---|---|---|
/// | 0 | LM and NTLM version 1 | all |
/// | 1 | the same, with extended session security where the server has it | all |
/// | 2 | NTLM version 1 | all |
/// | 3 | NTLM version 2 | all |
/// | 4 | NTLM version 2 | not LM |
/// | 5 | NTLM version 2 | version 2 only |
///
/// Spec: MS-NLMP sections 3.1.1.1 and 3.2.1.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LmCompatibilityLevel(u8);

impl LmCompatibilityLevel {
    /// What clients send by default.
    pub const VERSION_2: Self = Self(3);
    /// What acceptors take by default.
    pub const VERSION_2_ONLY: Self = Self(5);

    /// The level of that number; `None` for one that there is not.
    #[must_use]
    pub const fn new(level: u8) -> Option<Self> {
        if level <= 5 { Some(Self(level)) } else { None }
    }

    /// The number.
    #[must_use]
    pub const fn number(self) -> u8 {
        self.0
    }
}

impl<'de> Deserialize<'de> for LmCompatibilityLevel {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let level = u8::deserialize(deserializer)?;
        Self::new(level)
            .ok_or_else(|| de::Error::custom(format!("there is no level {level}; there are 0 to 5")))
    }
}

/// The section `[ntlm]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct NtlmConfig {
    /// The shortest keys that messages may be encrypted with: 128, 56 or 40 bits.
    #[serde(deserialize_with = "key_bits")]
    pub minimum_key_bits: u32,
    /// Whether extended session security is required.
    pub extended_session_security: ExtendedSessionSecurity,
    /// Whether nobody may log on: as client, and to a server.
    pub anonymous: bool,
    /// What a client does with a challenge of its own process.
    pub reflection: Reflection,

    /// As whom a client logs on: `alice`, `CORP\alice`, or `alice@corp.example`.
    pub user: Option<String>,
    /// Its domain, where the name does not say it.
    pub domain: Option<String>,
    /// Its password: `file:PATH` or `env:NAME`.
    pub password: Option<String>,
    /// The NT hash of its password, in hexadecimal, in place of the password: `file:PATH` or `env:NAME`.
    pub nt_hash: Option<String>,
    /// What a client calls its computer; the machine's name if nothing is said.
    pub workstation: Option<String>,
    /// What a client sends.
    pub lm_compatibility_level: LmCompatibilityLevel,

    /// What a server takes.
    pub acceptor_lm_compatibility_level: LmCompatibilityLevel,
    /// Whether a client must have a MIC even if it is one that never makes any. Clients that are not of Windows and have none,
    /// such as curl, are turned away by it; all others must have one anyway.
    pub require_mic: bool,
    /// What of the challenge must come back in an answer of version 2.
    pub repeated_pairs: RepeatedPairs,
    /// Whether a client must be bound to the channel that it comes through. `when-supported` refuses clients that are bound
    /// to another channel, or to one where there is none, and those that know bindings and have none.
    pub channel_bindings: Check,
    /// Whether a client must want to talk to this server, by one of the `service-names`. Without any nothing
    /// is looked at, and `always` is a mistake.
    pub target_name: Check,
    /// The service principal names of this server, such as `HTTP/www.corp.example`, or the part behind the slash, for
    /// every service.
    pub service_names: Vec<String>,
    /// What a server calls itself (NetBIOS); of the machine's name if nothing is said.
    pub computer_name: Option<String>,
    /// What a server calls its domain (NetBIOS); its own name if nothing is said.
    pub domain_name: Option<String>,
    /// What a server calls itself (DNS); the machine's name if nothing is said.
    pub dns_computer_name: Option<String>,
    /// What a server calls its domain (DNS).
    pub dns_domain_name: Option<String>,
    /// When failed logons lock out.
    pub lock_out: LockOut,
    /// How long a server's challenge is good, such as `1m`.
    #[serde(deserialize_with = "lifetime::required")]
    pub deadline: Duration,
}

impl Default for NtlmConfig {
    fn default() -> Self {
        Self {
            minimum_key_bits: 128,
            extended_session_security: ExtendedSessionSecurity::Required,
            anonymous: false,
            reflection: Reflection::Refuse,
            user: None,
            domain: None,
            password: None,
            nt_hash: None,
            workstation: None,
            lm_compatibility_level: LmCompatibilityLevel::VERSION_2,
            acceptor_lm_compatibility_level: LmCompatibilityLevel::VERSION_2_ONLY,
            require_mic: false,
            repeated_pairs: RepeatedPairs::All,
            channel_bindings: Check::WhenSupported,
            target_name: Check::WhenSupported,
            service_names: Vec::new(),
            computer_name: None,
            domain_name: None,
            dns_computer_name: None,
            dns_domain_name: None,
            lock_out: LockOut::default(),
            deadline: Duration::from_secs(60),
        }
    }
}

fn key_bits<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    match u32::deserialize(deserializer)? {
        bits @ (128 | 56 | 40) => Ok(bits),
        bits => Err(de::Error::custom(format!("there are no keys of {bits} bits; there are 128, 56 and 40"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<NtlmConfig, toml::de::Error> {
        toml::from_str(text)
    }

    #[test]
    fn nothing_said_is_the_default_and_the_default_is_safe() {
        let config = read("").unwrap();
        assert_eq!(config, NtlmConfig::default());
        assert!(config.lm_compatibility_level >= LmCompatibilityLevel::VERSION_2);
        assert_eq!(config.acceptor_lm_compatibility_level.number(), 5);
        assert!(!config.anonymous && config.minimum_key_bits == 128);
        assert_eq!(config.reflection, Reflection::Refuse);
    }

    #[test]
    fn everything_is_read_as_it_is_written() {
        let config = read(
            r#"
            lm-compatibility-level = 1
            acceptor-lm-compatibility-level = 4
            channel-bindings = "always"
            target-name = "never"
            service-names = ["HTTP/www"]
            repeated-pairs = "time"
            deadline = "1m30s"
            [lock-out]
            failures = 3
            window = "1h"
            "#,
        )
        .unwrap();
        assert_eq!(config.lm_compatibility_level.number(), 1);
        assert_eq!((config.channel_bindings, config.target_name), (Check::Always, Check::Never));
        assert_eq!((config.deadline, config.repeated_pairs), (Duration::from_secs(90), RepeatedPairs::Time));
        assert_eq!((config.lock_out.failures, config.lock_out.window.as_secs()), (3, 3600));
    }

    #[test]
    fn what_is_not_known_is_refused() {
        for wrong in [
            "lm-compatibility-level = 6",
            "minimum-key-bits = 64",
            "channel-bindings = \"sometimes\"",
            "deadline = \"500\"",
            "repeated-pairs = \"none\"",
            "level = 3",
            "[lock-out]\nattempts = 1",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
