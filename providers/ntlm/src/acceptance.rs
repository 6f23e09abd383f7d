//! Whether a client that has proved who it is may be let in: integrity of the messages, channel bindings, target name.
//!
//! What the client says of these is under the protection of its proof, so it is looked at after the proof, and an attacker
//! who could take it out or write it would need the password.
//!
//! Spec: MS-NLMP section 3.2.5.1.2.

use crypto::constant_time::ct_eq;
use sspi_core::{Account, AscRet, SecurityContext};
use zeroize::Zeroizing;

use crate::attributes::{Attributes, Established, Role};
use crate::compute::{Key, mic, rc4k};
use crate::config::{Check, NtlmConfig, RepeatedPairs};
use crate::context;
use crate::credentials::display_name;
use crate::judgement::{Claim, Proven};
use crate::messages::{AuthenticateMessage, AvFlags, AvId, AvPairs, ChallengeMessage, NegotiateFlags};
use crate::package::Instance;
use crate::server::Challenged;
use crate::status::{BindingsProblem, Error};

/// What a server expects of its clients, beside the configuration.
pub(crate) struct Expected {
    /// The hash of the channel's bindings, where the application has some.
    pub(crate) bindings: Option<[u8; 16]>,
    /// Clients that know bindings and have none are let in.
    pub(crate) allows_missing_bindings: bool,
    /// The channel that clients see ends before the server.
    pub(crate) has_proxy: bool,
    /// Nobody is let in.
    pub(crate) allows_anonymous: bool,
    /// The application wants messages signed.
    pub(crate) signs: bool,
    /// The application wants messages encrypted.
    pub(crate) seals: bool,
}

impl Expected {
    /// Whether messages are protected as the application wants it.
    ///
    /// # Errors
    /// They are not.
    pub(crate) fn check_protection(&self, flags: NegotiateFlags) -> Result<(), Error> {
        check_requested(self.signs, self.seals, flags)
    }

    /// Lets in a client that has proved who it is, with its context.
    ///
    /// # Errors
    /// Something of what was said on the way is not what it must be.
    pub(crate) fn accept(
        &self,
        instance: &Instance,
        challenged: &Challenged,
        message: &AuthenticateMessage<'_>,
        (token, claim, proven, flags): (&[u8], &mut Claim<'_>, Proven, NegotiateFlags),
    ) -> Result<Box<dyn SecurityContext>, Error> {
        let exported = exported(flags, &proven.key, message.encrypted_random_session_key)?;
        let pairs = claim.take_av_pairs();
        if !claim.is_version_1() {
            check_echo(instance.config.repeated_pairs, challenged, &pairs)?;
        }
        check_mic(&instance.config, &exported, challenged, message, token, &pairs)?;
        self.check_bindings(instance.config.channel_bindings, &pairs)?;
        let target = pairs.text(AvId::TARGET_NAME)?.filter(|name| !name.is_empty());
        check_target(&instance.config, target.as_deref(), pairs.flags())?;
        let has_mic = pairs.flags().contains(AvFlags::MIC);
        let account = proven.account;
        // What the client calls its domain is nobody's word where the account has none.
        let domain = account.domain.as_deref().unwrap_or_default();
        context::new(
            has_mic,
            Attributes::new(
                &instance.info,
                Established {
                    role: Role::Server(granted(flags)),
                    flags,
                    exported,
                    client: display_name(domain, &account.name),
                    server: instance.names.computer.clone(),
                    target,
                    account: Some(Account { matched_by: "password".to_owned(), ..account }),
                    is_version_1: claim.is_version_1(),
                    start: instance.environment.clock.now(),
                },
            ),
        )
    }

    /// Lets in nobody, where the configuration does.
    ///
    /// # Errors
    /// It does not.
    pub(crate) fn anonymous(
        &self,
        instance: &Instance,
        challenged: &Challenged,
        message: &AuthenticateMessage<'_>,
    ) -> Result<Box<dyn SecurityContext>, Error> {
        if !self.allows_anonymous {
            return Err(Error::Anonymous);
        }
        let flags = challenged.flags.intersection(message.flags);
        let exported = exported(flags, &Key::default(), message.encrypted_random_session_key)?;
        self.check_bindings(instance.config.channel_bindings, &AvPairs::default())?;
        // Nobody has neither, and where everybody must he is not let in.
        check_target(&instance.config, None, AvFlags::default())?;
        if instance.config.require_mic {
            return Err(Error::NoMic);
        }
        context::new(
            false,
            Attributes::new(
                &instance.info,
                Established {
                    role: Role::Server(granted(flags) | AscRet::NULL_SESSION),
                    flags,
                    exported,
                    client: String::new(),
                    server: instance.names.computer.clone(),
                    target: None,
                    account: None,
                    is_version_1: false,
                    start: instance.environment.clock.now(),
                },
            ),
        )
    }

    fn check_bindings(&self, policy: Check, pairs: &AvPairs<'_>) -> Result<(), Error> {
        use BindingsProblem::{Missing, Superfluous, Unknown, Wrong};
        if policy == Check::Never {
            return Ok(());
        }
        let is_none = |hash: &[u8]| ct_eq(hash, &[0; 16]);
        let problem = match (self.bindings, pairs.get(AvId::CHANNEL_BINDINGS)) {
            (Some(ours), Some(theirs)) if ct_eq(&ours, theirs) => return Ok(()),
            (Some(_), Some(theirs)) if !is_none(theirs) => Wrong,
            // It knows bindings and has none: it is another channel that it sees, or none.
            (Some(_), Some(_)) if policy == Check::Always || !self.allows_missing_bindings => Missing,
            (Some(_), None) if policy == Check::Always => Missing,
            (Some(_), _) => return Ok(()),
            (None, _) if policy == Check::Always => Unknown,
            (None, Some(theirs)) if !is_none(theirs) && !self.has_proxy => Superfluous,
            (None, _) => return Ok(()),
        };
        Err(Error::Bindings(problem))
    }
}

/// Whether messages are signed and encrypted, where that was asked for: what the peer or somebody on the way has left out is
/// otherwise missed by nobody.
///
/// # Errors
/// They are not.
pub(crate) const fn check_requested(signs: bool, seals: bool, flags: NegotiateFlags) -> Result<(), Error> {
    if seals && !flags.contains(NegotiateFlags::NEGOTIATE_SEAL) {
        return Err(Error::Unprotected { what: "encryption" });
    }
    if signs && !flags.protects_messages() {
        return Err(Error::Unprotected { what: "integrity" });
    }
    Ok(())
}

/// `ExportedSessionKey`: the client's, if keys are exchanged.
fn exported(flags: NegotiateFlags, key: &Key, encrypted: &[u8]) -> Result<Key, Error> {
    if !flags.contains(NegotiateFlags::NEGOTIATE_KEY_EXCH) {
        return Ok(key.clone());
    }
    match <&[u8; 16]>::try_from(encrypted) {
        Ok(encrypted) => Ok(rc4k(key, encrypted)),
        // Where messages are not protected there are clients that exchange no keys, whatever the flag says.
        Err(_) if encrypted.is_empty() && !flags.protects_messages() => Ok(key.clone()),
        Err(_) => Err(wire::DecodeError::illegal("EncryptedRandomSessionKey").into()),
    }
}

/// The client's answer is one to our challenge as it was sent. A client makes a MIC if the challenge has a time, and ours has
/// one: whoever takes the time out on the way gets an answer without MIC, and alters what he likes.
///
/// # Errors
/// Something of what was sent is missing in the answer, or is something else.
fn check_echo(must: RepeatedPairs, challenged: &Challenged, pairs: &AvPairs<'_>) -> Result<(), Error> {
    let ours = ChallengeMessage::decode(&challenged.challenge)?.av_pairs()?;
    let mut looked_at = ours.iter().filter(|pair| must == RepeatedPairs::All || pair.id == AvId::TIMESTAMP);
    let is_echoed = looked_at.all(|pair| pairs.get(pair.id) == Some(pair.value));
    if is_echoed { Ok(()) } else { Err(Error::ChallengeAltered) }
}

/// That a client has a MIC is said under the protection of its proof. Who takes the MIC out cannot take that out, too.
///
/// Every client of version 2 had the time when it answered. One that says something that only those say that make a MIC then
/// (`MsvAvFlags`, or what its machine is known by to itself) must have one as well; what is left are those that never do.
fn check_mic(
    config: &NtlmConfig,
    exported: &Key,
    challenged: &Challenged,
    message: &AuthenticateMessage<'_>,
    token: &[u8],
    pairs: &AvPairs<'_>,
) -> Result<(), Error> {
    if !pairs.flags().contains(AvFlags::MIC) {
        let can = pairs.flags() != AvFlags::default() || pairs.get(AvId::SINGLE_HOST).is_some();
        return if can || config.require_mic { Err(Error::NoMic) } else { Ok(()) };
    }
    let expected = mic(exported, &challenged.negotiate, &challenged.challenge, token);
    let found = Zeroizing::new(message.mic.ok_or(Error::WrongMic)?);
    if ct_eq(expected.as_slice(), found.as_slice()) { Ok(()) } else { Err(Error::WrongMic) }
}

/// Whom the client wants to talk to. A client that was sent elsewhere, and whose answer came here, says another name.
fn check_target(config: &NtlmConfig, named: Option<&str>, flags: AvFlags) -> Result<(), Error> {
    if config.target_name == Check::Never || config.service_names.is_empty() {
        return Ok(());
    }
    let is_ours = |name: &str| config.service_names.iter().any(|ours| names_us(name, ours));
    match named {
        Some(name) if is_ours(name) && config.target_name == Check::WhenSupported => Ok(()),
        Some(name) if is_ours(name) && !flags.contains(AvFlags::UNTRUSTED_TARGET_NAME) => Ok(()),
        None if config.target_name == Check::WhenSupported => Ok(()),
        named => Err(Error::WrongTarget { named: named.map(str::to_owned) }),
    }
}

/// Whether a target name is one of ours: the same, or with our host's name behind its slash, without port.
fn names_us(name: &str, ours: &str) -> bool {
    if ours.contains('/') || !name.contains('/') {
        return name.eq_ignore_ascii_case(ours);
    }
    let host = name.split('/').nth(1).unwrap_or_default();
    without_port(host).eq_ignore_ascii_case(without_port(ours))
}

/// A host without the port behind it, and an address of IPv6, which has colons of its own, without its brackets.
fn without_port(host: &str) -> &str {
    if let Some((address, _port)) = host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return address;
    }
    match host.split_once(':') {
        Some((name, port)) if !port.contains(':') => name,
        _ => host,
    }
}

fn granted(flags: NegotiateFlags) -> AscRet {
    // The bits of protection are the same in both families, but for one.
    AscRet::CONNECTION
        .with_if(
            flags.protects_messages(),
            AscRet::INTEGRITY | AscRet::REPLAY_DETECT | AscRet::SEQUENCE_DETECT,
        )
        .with_if(flags.contains(NegotiateFlags::NEGOTIATE_SEAL), AscRet::CONFIDENTIALITY)
        .with_if(flags.contains(NegotiateFlags::NEGOTIATE_IDENTIFY), AscRet::IDENTIFY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_ours_by_its_whole_name_or_by_its_host() {
        for (name, ours) in [
            ("HTTP/www.corp.example", "http/WWW.corp.example"),
            ("HTTP/www.corp.example", "www.corp.example"),
            ("HTTP/www.corp.example:8080", "www.corp.example"),
            ("ldap/dc1/corp.example", "dc1"),
            ("localhost", "localhost"),
            ("HTTP/[2001:db8::1]:8080", "[2001:DB8::1]"),
            ("HTTP/[2001:db8::1]", "2001:db8::1"),
            ("HTTP/2001:db8::1", "2001:db8::1"),
        ] {
            assert!(names_us(name, ours), "{name} {ours}");
        }
        for (name, ours) in [
            ("HTTP/www", "www.corp.example"),
            ("cifs/www", "HTTP/www"),
            ("HTTP/evil/www", "www"),
            ("www", "HTTP/www"),
            ("HTTP/", "www"),
            ("HTTP/2001:db8::2", "2001:db8::1"),
            ("HTTP/[2001:db8::1]:80", "2001"),
        ] {
            assert!(!names_us(name, ours), "{name} {ours}");
        }
    }
}
