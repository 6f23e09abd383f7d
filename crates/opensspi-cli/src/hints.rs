//! What a person can do about a handshake that failed: the options that would change the outcome, ready to be pasted.

use opensspi::sspi_core::{self, Fault, Remedy, SecStatus};
use opensspi::{Config, Error, Profile, Protocol, SchannelConfig};

use crate::exit::Failure;

/// A failed handshake, with the options that would change its outcome.
pub(crate) fn with_options(error: Error, config: &Config) -> Failure {
    let hint = match &error {
        Error::Security(error) => hint(error, &config.schannel),
        Error::Io(_) => Some(format!("an old server may end like this, too: {}", more(&config.schannel))),
        _ => None,
    };
    let mut failure = Failure::from(error);
    if let Some(hint) = hint {
        failure.message.push_str("\n  ");
        failure.message.push_str(&hint);
    }
    failure
}

fn hint(error: &sspi_core::Error, config: &SchannelConfig) -> Option<String> {
    if !error.remedies().is_empty() {
        let options: Vec<String> = error.remedies().iter().map(|remedy| option(remedy, config)).collect();
        let authority = (error.setting() == Some("roots")).then_some("--ca FILE with its authority, or ");
        let name = (error.status() == SecStatus::SEC_E_WRONG_PRINCIPAL)
            .then_some("--servername NAME with the name that it is for, or ");
        let other = authority.or(name).unwrap_or_default();
        return Some(format!("accepted with {other}{}", options.join(", or ")));
    }
    let told = error.fault() == Fault::PeerReported;
    Some(match error.setting() {
        Some("fallback") => format!(
            "--fallback lets us come back with the older protocols alone, as --protocols does; {}",
            protocols(config)
        ),
        Some("protocols") => format!("what is spoken: {}", protocols(config)),
        Some("suites") => format!("which suites are offered: {}", more(config)),
        Some("alpn") => "--alpn says which are offered".to_owned(),
        Some("certificates" | "client-certificate") => "--cert FILE and --key FILE show one".to_owned(),
        Some("crls" | "revocation") => {
            "--crl FILE and --revocation say how revocation is looked at".to_owned()
        }
        _ if told && error.status() == SecStatus::SEC_E_UNSUPPORTED_FUNCTION => {
            format!("it wants another protocol: {}", protocols(config))
        }
        _ if told && error.status() == SecStatus::SEC_E_NO_CREDENTIALS => {
            "it wants a certificate of ours: --cert FILE and --key FILE show one".to_owned()
        }
        _ if told && may_want_more(error.status()) => {
            format!("it may want what is not offered: {}", more(config))
        }
        _ => return None,
    })
}

/// What peers say that find nothing among what is offered: handshake_failure and its like, insufficient_security and the errors of
/// SSL 2.0 and PCT, or no word at all.
fn may_want_more(status: SecStatus) -> bool {
    [
        SecStatus::SEC_E_ILLEGAL_MESSAGE,
        SecStatus::SEC_E_ALGORITHM_MISMATCH,
        SecStatus::SEC_E_UNFINISHED_CONTEXT_DELETED,
    ]
    .contains(&status)
}

/// The option of a setting, with the value that would have the peer accepted.
fn option(remedy: &Remedy, config: &SchannelConfig) -> String {
    let Remedy { setting, value } = remedy;
    match &**setting {
        "pins" => format!("--pin {value}"),
        // The option takes the place of what is allowed already.
        "allow" => {
            let allowed = config.allow.iter().flatten().map(|entry| entry.name());
            let all: Vec<&str> = allowed.chain(value.split(',')).collect();
            format!("--allow {}", all.join(","))
        }
        other => format!("--{other} {value}"),
    }
}

/// The options that enable other protocols than those that are on.
fn protocols(config: &SchannelConfig) -> String {
    let on = config.effective().map(|effective| effective.protocols).unwrap_or_default();
    let names = |protocols: &[Protocol]| protocols.iter().map(|p| p.name()).collect::<Vec<_>>().join(",");
    let off: Vec<Protocol> = Protocol::ALL.into_iter().filter(|protocol| !on.contains(protocol)).collect();
    if off.is_empty() {
        return format!("on are {}, all that there are", names(&on));
    }
    let profiles = profiles(config, |profile| {
        let other = SchannelConfig { profile, ..SchannelConfig::default() };
        other.effective().is_ok_and(|other| other.protocols.iter().any(|protocol| off.contains(protocol)))
    });
    format!("on are {}; --protocols takes {}, too{profiles}", names(&on), names(&off))
}

/// The options that offer more suites.
fn more(config: &SchannelConfig) -> String {
    format!("--protocols, --suites and --allow name more{}", profiles(config, |_| true))
}

/// The profiles that reach further back than the one that is chosen.
fn profiles(config: &SchannelConfig, is_of_use: impl Fn(Profile) -> bool) -> String {
    let further = Profile::ALL.into_iter().skip_while(|profile| *profile != config.profile).skip(1);
    let names: Vec<&str> = further.filter(|profile| is_of_use(*profile)).map(Profile::name).collect();
    if names.is_empty() { String::new() } else { format!("; or --profile {}", names.join(" or ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(error: sspi_core::Error) -> String {
        with_options(error.into(), &Config::default()).message
    }

    #[test]
    fn a_certificate_that_is_not_trusted_comes_with_its_pin() {
        let error = sspi_core::Error::new(SecStatus::SEC_E_UNTRUSTED_ROOT, Fault::Refused, "not trusted")
            .with_setting("roots")
            .with_remedy("pins", "sha256:abcd");
        let message = failure(error);
        assert!(message.contains("--ca FILE with its authority, or --pin sha256:abcd"), "{message}");
    }

    #[test]
    fn what_is_allowed_already_stays_allowed() {
        let mut config = Config::default();
        config.schannel.allow = Some(vec!["rc4".parse().unwrap()]);
        let error = sspi_core::Error::new(SecStatus::SEC_E_CERT_UNKNOWN, Fault::Refused, "weak")
            .with_remedy("allow", "md5-signature,rsa-1024");
        let message = with_options(error.into(), &config).message;
        assert!(message.contains("--allow rc4,md5-signature,rsa-1024"), "{message}");
    }

    #[test]
    fn a_server_that_wants_another_protocol_is_answered_with_those_that_are_off() {
        let error = sspi_core::Error::new(SecStatus::SEC_E_UNSUPPORTED_FUNCTION, Fault::PeerReported, "no");
        let message = failure(error);
        assert!(
            message.contains(
                "on are tls1.3,tls1.2; --protocols takes tls1.1,tls1.0,ssl3,pct1,ssl2, too; or --profile legacy"
            ),
            "{message}"
        );
    }

    #[test]
    fn a_server_that_finds_nothing_among_what_is_offered_is_answered_with_the_options_that_offer_more() {
        for status in [
            SecStatus::SEC_E_ILLEGAL_MESSAGE,
            SecStatus::SEC_E_ALGORITHM_MISMATCH,
            SecStatus::SEC_E_UNFINISHED_CONTEXT_DELETED,
        ] {
            let message = failure(sspi_core::Error::new(status, Fault::PeerReported, "no"));
            assert!(message.contains("--protocols, --suites and --allow name more"), "{message}");
        }
    }
}
