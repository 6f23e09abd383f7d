//! What several verbs take, and the configuration that it makes.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use opensspi::{
    Allow, Builder, CertificateConfig, ClientAuth, Config, Profile, Protocol, ProtocolError, Renegotiation,
    Revocation, Sspi, SystemMaterials,
};

use crate::exit::Failure;
use crate::memory::InMemory;

/// Settings that stand in a configuration file, or on the command line in place of it.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Settings")]
pub(crate) struct Settings {
    /// A configuration file; what stands on the command line comes first.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The security package.
    #[arg(long, value_name = "NAME")]
    pub(crate) package: Option<String>,
    /// Where the settings start from: modern (TLS 1.3, and TLS 1.2 with forward secrecy and an AEAD), compatible (and the
    /// rest of TLS 1.2 with AES), legacy (down to TLS 1.0, with 3DES), windows-2003 (TLS 1.0, SSL 3.0 and SSL 2.0 with the
    /// suites of that time), museum (everything; both keep nothing secret) [default: modern].
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    /// The protocols that may be spoken, the preferred one first: tls1.3, tls1.2, tls1.1, tls1.0, ssl3, pct1, ssl2, or
    /// ranges such as tls1.0..tls1.3, the newest first; those of the profile if nothing is said.
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub(crate) protocols: Vec<String>,
    /// The cipher suites that may be used, by their registered names, in order of preference.
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub(crate) suites: Vec<String>,
    /// Weaknesses that are accepted, by name: of suites rc4, des, export, null; of certificates md5-signature,
    /// sha1-signature, rsa-512, rsa-768, rsa-1024, dsa-512, dsa, x509-v1, common-name, loose-encoding,
    /// rsa-key-usage; all for every one of them, in a laboratory. In place of those of the configuration and the profile. Export suites exist in TLS 1.0 and
    /// SSL 3.0 only: --protocols must name one of them.
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub(crate) allow: Vec<String>,
    /// Whether the first byte of a message gets a record of its own in CBC suites of SSL 3.0 and TLS 1.0, against BEAST: on
    /// or off [default: on].
    #[arg(long, value_name = "ON|OFF")]
    pub(crate) record_splitting: Option<String>,
    /// Whether connections are negotiated again, from SSL 3.0 to TLS 1.2: off, ours (when this side begins) or both; both if
    /// only the option is given [default: off].
    #[arg(long, value_name = "WHO", num_args = 0..=1, default_missing_value = "both")]
    pub(crate) renegotiation: Option<String>,
    /// The smallest Diffie-Hellman group that is accepted, in bits [default: that of the profile, 2048 or 1024].
    #[arg(long, value_name = "BITS")]
    pub(crate) dh_minimum_bits: Option<u32>,
    /// One RSA key may serve SSL 2.0 or PCT and anything newer, or export suites and protocols newer than TLS 1.0: whoever
    /// breaks the one can break the other.
    #[arg(long)]
    pub(crate) i_accept_drown: bool,
    /// Connect a second time, with the older protocols alone, to a server that refuses what it was offered. Whoever is in
    /// between can make that happen.
    #[arg(long)]
    pub(crate) fallback: bool,
    /// Application protocols for ALPN, in order of preference, such as h2,http/1.1.
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub(crate) alpn: Vec<String>,
    /// Our certificate chain in PEM, leaf first.
    #[arg(long, value_name = "FILE")]
    pub(crate) cert: Option<String>,
    /// Its private key in PEM: a file, or env:NAME; in the file of the chain if nothing is said.
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub(crate) key: Option<String>,
    /// Write the secrets of the connections to this file, for a network analyser. Whoever reads it reads the connections.
    #[arg(long, value_name = "FILE")]
    pub(crate) keylog: Option<PathBuf>,
    /// A certificate revocation list; several may be given. Revoked certificates are refused.
    #[arg(long, value_name = "FILE")]
    pub(crate) crl: Vec<String>,
    /// What happens to a certificate whose state is not known: off, soft (accept) or hard (refuse) [default: off, with --crl soft].
    #[arg(long, value_name = "MODE")]
    pub(crate) revocation: Option<String>,
    /// Do not resume sessions.
    #[arg(long)]
    pub(crate) no_resume: bool,
    /// When a handshake is given up: 30s, 500ms, 1m30s, or off.
    #[arg(long, value_name = "DURATION", value_parser = deadline)]
    pub(crate) deadline: Option<Deadline>,
}

/// A deadline, or none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline(pub(crate) Option<std::time::Duration>);

fn deadline(text: &str) -> Result<Deadline, String> {
    opensspi::parse_deadline(text).map(Deadline)
}

impl Settings {
    /// The options with which a client of ours reaches a server that was started with these settings: what may be spoken.
    pub(crate) fn policy_options(&self) -> String {
        let mut out = String::new();
        if let Some(profile) = &self.profile {
            out.push_str(&format!(" --profile {profile}"));
        }
        for (option, list) in
            [("protocols", &self.protocols), ("suites", &self.suites), ("allow", &self.allow)]
        {
            if !list.is_empty() {
                out.push_str(&format!(" --{option} {}", list.join(",")));
            }
        }
        out
    }

    /// The configuration that the file and the command line make.
    pub(crate) fn configuration(&self) -> Result<Configuration, Failure> {
        let (mut config, base) = match &self.config {
            Some(path) => {
                let config = Config::from_file(path).map_err(opensspi::Error::from)?;
                (config, path.parent().map(PathBuf::from).unwrap_or_default())
            }
            None => (Config::default(), PathBuf::new()),
        };
        if let Some(package) = &self.package {
            config.package.clone_from(package);
        }
        if let Some(Deadline(deadline)) = self.deadline {
            config.handshake_deadline = deadline;
        }
        let mut notes = Vec::new();
        let schannel = &mut config.schannel;
        if let Some(name) = &self.profile {
            schannel.profile = profile(name)?;
            if schannel.profile.is_of_the_past() {
                schannel.i_accept_drown = true;
                notes.push(OF_THE_PAST);
            }
        }
        if !self.allow.is_empty() {
            let entries = self.allow.iter().filter(|name| *name != ALL).map(|name| allow(name));
            let mut entries: Vec<Allow> = entries.collect::<Result<_, _>>()?;
            if self.allow.iter().any(|name| name == ALL) {
                entries = Allow::all().collect();
                notes.push("--allow all accepts every weak suite and every weak certificate: it is for the laboratory");
            }
            schannel.allow = Some(entries);
        }
        schannel.fallback |= self.fallback;
        schannel.dh_minimum_bits = self.dh_minimum_bits.or(schannel.dh_minimum_bits);
        schannel.i_accept_drown |= self.i_accept_drown;
        match self.record_splitting.as_deref() {
            None => {}
            Some("on") => schannel.record_splitting = true,
            Some("off") => schannel.record_splitting = false,
            Some(other) => return Err(unknown("record-splitting mode", other, &["on", "off"])),
        }
        if let Some(name) = &self.renegotiation {
            let known = Renegotiation::ALL.into_iter().find(|who| who.name() == name);
            let names = Renegotiation::ALL.map(Renegotiation::name);
            schannel.renegotiation = known.ok_or_else(|| unknown("renegotiation mode", name, &names))?;
        }
        if !self.protocols.is_empty() {
            schannel.protocols = protocols(&self.protocols)?;
        }
        if !self.suites.is_empty() {
            schannel.suites.clone_from(&self.suites);
        }
        if !self.alpn.is_empty() {
            schannel.alpn.clone_from(&self.alpn);
        }
        if let Some(cert) = &self.cert {
            let key = self.key.as_ref().unwrap_or(cert);
            let key = if key.starts_with("env:") { key.clone() } else { format!("file:{}", absolute(key)?) };
            schannel.certificates = vec![CertificateConfig { chain: absolute(cert)?, key, send_root: false }];
        }
        if let Some(keylog) = &self.keylog {
            schannel.key_log = Some(format!("file:{}", absolute(&keylog.to_string_lossy())?));
        }
        if !self.crl.is_empty() {
            schannel.crls = self.crl.iter().map(|path| absolute(path)).collect::<Result<_, _>>()?;
            schannel.revocation = Revocation::Soft;
        }
        if let Some(mode) = &self.revocation {
            schannel.revocation = revocation(mode)?;
        }
        if self.no_resume {
            schannel.resume = false;
        }
        Ok(Configuration { config, base, files: Vec::new(), notes })
    }
}

/// `--allow all`.
const ALL: &str = "all";

/// A configuration, where its relative paths begin, and files that are in memory.
pub(crate) struct Configuration {
    pub(crate) config: Config,
    pub(crate) base: PathBuf,
    pub(crate) files: Vec<(&'static str, String)>,
    /// What a user should know before anything happens.
    pub(crate) notes: Vec<&'static str>,
}

/// What `--profile windows-2003` and `--profile museum` mean.
const OF_THE_PAST: &str = "this profile keeps nothing secret from anybody who tries, and lets one RSA key serve SSL 2.0, PCT and export suites, and protocols that are newer (i-accept-drown): it is for the museum and the laboratory";

impl Configuration {
    pub(crate) fn builder(self) -> Builder {
        let materials = InMemory { files: self.files, disk: SystemMaterials::new(&self.base) };
        Sspi::builder().config(self.config).base(self.base).materials(Arc::new(materials))
    }

    pub(crate) fn build(self) -> Result<Sspi, Failure> {
        Ok(self.builder().build()?)
    }
}

/// A path of the command line begins at the working directory, whatever the paths of the configuration begin at.
pub(crate) fn absolute(path: &str) -> Result<String, Failure> {
    let path = path.strip_prefix("file:").unwrap_or(path);
    let absolute = std::path::absolute(path).map_err(|error| Failure::usage(format!("{path:?}: {error}")))?;
    Ok(absolute.to_string_lossy().into_owned())
}

/// The protocols of these names and ranges.
fn protocols(words: &[String]) -> Result<Vec<Protocol>, Failure> {
    Protocol::list(words.iter().map(String::as_str)).map_err(|error| match error {
        ProtocolError::Unknown(name) => unknown("protocol", &name, &Protocol::ALL.map(Protocol::name)),
        reversed @ ProtocolError::Reversed { .. } => Failure::usage(reversed.to_string()),
    })
}

/// The profile of that name.
fn profile(name: &str) -> Result<Profile, Failure> {
    let named = |profile: &Profile| profile.name().eq_ignore_ascii_case(name);
    let known = Profile::ALL.map(Profile::name);
    Profile::ALL.into_iter().find(named).ok_or_else(|| unknown("profile", name, &known))
}

/// The weakness of that name.
fn allow(name: &str) -> Result<Allow, Failure> {
    let known: Vec<&str> = Allow::all().map(Allow::name).collect();
    Allow::all().find(|entry| entry.name() == name).ok_or_else(|| unknown("weakness to allow", name, &known))
}

/// The way of that name in which a server asks for certificates.
pub(crate) fn client_auth(name: &str) -> Result<ClientAuth, Failure> {
    match name {
        "none" => Ok(ClientAuth::None),
        "optional" => Ok(ClientAuth::Optional),
        "required" => Ok(ClientAuth::Required),
        _ => Err(unknown("client-auth mode", name, &["none", "optional", "required"])),
    }
}

fn revocation(name: &str) -> Result<Revocation, Failure> {
    match name {
        "off" => Ok(Revocation::Off),
        "soft" => Ok(Revocation::Soft),
        "hard" => Ok(Revocation::Hard),
        _ => Err(unknown("revocation mode", name, &["off", "soft", "hard"])),
    }
}

/// The error for a name that there is not, with the one that was probably meant.
pub(crate) fn unknown(what: &str, name: &str, known: &[&str]) -> Failure {
    let meant = match opensspi::nearest(name, known.iter().copied()) {
        Some(nearest) => format!("did you mean {nearest:?}?"),
        None => format!("there are: {}", known.join(", ")),
    };
    Failure::usage(format!("there is no {what} {name:?}; {meant}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_comes_before_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("opensspi.toml");
        std::fs::write(&file, "[schannel]\nprotocols = [\"tls1.3\"]\nalpn = [\"h2\"]\n").unwrap();
        let settings =
            Settings { config: Some(file), protocols: vec!["TLS1.2".to_owned()], ..Settings::default() };
        let configuration = settings.configuration().unwrap();
        assert_eq!(configuration.config.schannel.protocols, [Protocol::Tls12]);
        assert_eq!(configuration.config.schannel.alpn, ["h2"]);
        assert_eq!(configuration.base, folder.path());
    }

    #[test]
    fn an_unknown_protocol_is_answered_with_the_nearest() {
        let settings = Settings { protocols: vec!["tls1.4".to_owned()], ..Settings::default() };
        let failure = settings.configuration().err().unwrap();
        assert!(failure.message.contains("did you mean \"tls1.3\"?"), "{}", failure.message);
        assert_eq!(failure.class.code(), 2);
    }

    #[test]
    fn a_range_of_protocols_is_all_that_are_in_it_and_a_reversed_one_is_a_mistake() {
        let settings = Settings {
            protocols: vec!["tls1.0..tls1.3".to_owned(), "ssl3".to_owned()],
            ..Settings::default()
        };
        let protocols = settings.configuration().unwrap().config.schannel.protocols;
        assert_eq!(protocols, Protocol::ALL[..5]);
        let settings = Settings { protocols: vec!["tls1.3..tls1.0".to_owned()], ..Settings::default() };
        let failure = settings.configuration().err().unwrap();
        assert!(failure.message.contains("write \"tls1.0..tls1.3\""), "{}", failure.message);
        assert_eq!(failure.class.code(), 2);
    }

    #[test]
    fn a_profile_is_chosen_by_name_and_says_what_it_means() {
        let settings = Settings { profile: Some("windows-2003".to_owned()), ..Settings::default() };
        let configuration = settings.configuration().unwrap();
        assert!(configuration.config.schannel.i_accept_drown);
        assert!(configuration.notes[0].contains("nothing secret"));
        let museum = Settings { profile: Some("museum".to_owned()), ..Settings::default() };
        let museum = museum.configuration().unwrap();
        assert!(museum.config.schannel.i_accept_drown && museum.notes[0].contains("i-accept-drown"));
        let modern = Settings { profile: Some("modern".to_owned()), ..Settings::default() };
        assert!(modern.configuration().unwrap().notes.is_empty());
        let wrong = Settings { profile: Some("windows-2000".to_owned()), ..Settings::default() };
        let failure = wrong.configuration().err().unwrap();
        assert!(failure.message.contains("did you mean \"windows-2003\"?"), "{}", failure.message);
    }

    #[test]
    fn a_weakness_that_is_not_known_is_refused() {
        let settings = Settings { allow: vec!["rc4".to_owned(), "null".to_owned()], ..Settings::default() };
        assert_eq!(settings.configuration().unwrap().config.schannel.allow.unwrap().len(), 2);
        let settings = Settings { allow: vec!["rc5".to_owned()], ..Settings::default() };
        assert_eq!(settings.configuration().err().unwrap().class.code(), 2);
        let all = Settings { allow: vec!["all".to_owned()], ..Settings::default() };
        let configuration = all.configuration().unwrap();
        assert_eq!(configuration.config.schannel.allow.unwrap().len(), Allow::all().count());
        assert_eq!(configuration.notes.len(), 1);
        let settings = Settings { record_splitting: Some("maybe".to_owned()), ..Settings::default() };
        assert_eq!(settings.configuration().err().unwrap().class.code(), 2);
    }

    #[test]
    fn a_key_may_stand_in_the_environment() {
        let settings = Settings {
            cert: Some("/a/chain.pem".to_owned()),
            key: Some("env:KEY".to_owned()),
            ..Settings::default()
        };
        let certificates = settings.configuration().unwrap().config.schannel.certificates;
        assert_eq!(
            (certificates[0].chain.as_str(), certificates[0].key.as_str()),
            ("/a/chain.pem", "env:KEY")
        );
    }
}
