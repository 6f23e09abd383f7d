//! A handshake as server.
//!
//! ```text
//! Begin ── NEGOTIATE ──▶ CHALLENGE, Challenged ── AUTHENTICATE ──▶ a question, Asked ── the same again ──▶ complete
//! ```
//!
//! A challenge is answered once: whatever the answer is, the handshake does not come back to where it was.
//!
//! Spec: MS-NLMP section 3.2.5.

use std::hint::black_box;
use std::sync::Arc;
use std::time::SystemTime;

use lock_out::{Attempt, Who};
use sspi_core::{
    AcceptRequest, AcceptSecurityContext, Answer, AscReq, Ask, Failure, Fault, LogonRequest, LogonVerdict,
    Question, Step,
};
use wire::{EncodeError, Writer};

use crate::acceptance::Expected;
use crate::challenges::Issued;
use crate::client::{Over, file_time};
use crate::compute::channel_bindings_hash;
use crate::config::NtlmConfig;
use crate::judgement::{self, Claim, Names as ClaimedNames, Response};
use crate::messages::{
    AuthenticateMessage, AvId, AvPairs, ChallengeMessage, NegotiateFlags as F, NegotiateMessage, Version,
    oem, utf16,
};
use crate::package::{Instance, NAME};
use crate::status::Error;

/// What a server calls itself.
pub(crate) struct Names {
    pub(crate) computer: String,
    pub(crate) domain: String,
    /// Whether it is in a domain, or its own.
    pub(crate) is_in_domain: bool,
    pub(crate) dns_computer: Option<String>,
    pub(crate) dns_domain: Option<String>,
    /// What a client calls its computer.
    pub(crate) workstation: String,
    /// The names in the form in which every challenge has them: the pairs, without their end.
    target_info: Result<Vec<u8>, EncodeError>,
}

/// The longest message that begins a handshake, in bytes: two names are in it.
const LONGEST_NEGOTIATE: usize = 1024;

/// The longest NetBIOS name, in characters.
const NETBIOS_LEN: usize = 15;

impl Names {
    pub(crate) fn new(config: &NtlmConfig, host_name: Option<&str>) -> Self {
        let (label, behind) = host_name.map_or(("OPENSSPI", None), |host| match host.split_once('.') {
            Some((label, domain)) => (label, Some(domain)),
            None => (host, None),
        });
        let netbios: String = label.chars().take(NETBIOS_LEN).collect::<String>().to_uppercase();
        let computer = config.computer_name.clone().unwrap_or_else(|| netbios.clone());
        let mut names = Self {
            domain: config.domain_name.clone().unwrap_or_else(|| computer.clone()),
            is_in_domain: config.domain_name.is_some(),
            computer,
            dns_computer: config.dns_computer_name.clone().or_else(|| host_name.map(str::to_owned)),
            dns_domain: config.dns_domain_name.clone().or_else(|| behind.map(str::to_owned)),
            workstation: config.workstation.clone().unwrap_or(netbios),
            target_info: Ok(Vec::new()),
        };
        names.target_info = names.pairs();
        names
    }

    fn pairs(&self) -> Result<Vec<u8>, EncodeError> {
        let texts = [
            (AvId::NB_DOMAIN_NAME, Some(&self.domain)),
            (AvId::NB_COMPUTER_NAME, Some(&self.computer)),
            (AvId::DNS_DOMAIN_NAME, self.dns_domain.as_ref()),
            (AvId::DNS_COMPUTER_NAME, self.dns_computer.as_ref()),
        ]
        .map(|(id, text)| (id, text.map(|text| utf16(text))));
        let mut pairs = AvPairs::default();
        for (id, text) in &texts {
            if let Some(text) = text {
                pairs.set(*id, text);
            }
        }
        let mut writer = Writer::new();
        pairs.encode_without_end(&mut writer)?;
        Ok(writer.into_vec())
    }

    /// `TargetInfo` of a challenge of this time.
    fn target_info(&self, at: SystemTime) -> Result<Vec<u8>, EncodeError> {
        let names = self.target_info.as_ref().map_err(|error| *error)?;
        let time = file_time(at).to_le_bytes();
        let mut pairs = AvPairs::default();
        pairs.set(AvId::TIMESTAMP, &time);
        let mut writer = Writer::with_capacity(names.len() + TIME_AND_END);
        writer.bytes(names);
        pairs.encode(&mut writer)?;
        Ok(writer.into_vec())
    }
}

/// The length of the pair with the time, and of the end of all pairs, in bytes.
const TIME_AND_END: usize = 12 + 4;

/// A handshake as server.
pub(crate) struct Server {
    instance: Arc<Instance>,
    expected: Expected,
    source: Option<Box<str>>,
    state: State,
}

enum State {
    /// Nothing was heard.
    Begin,
    /// The challenge was sent.
    Challenged(Box<Challenged>),
    /// The answer came, and somebody is asked who that is.
    Asked(Box<Asked>),
    /// It is over; why.
    Over(Over),
}

/// What is known when the challenge was sent.
pub(crate) struct Challenged {
    pub(crate) issued: Issued,
    at: SystemTime,
    /// What was agreed on.
    pub(crate) flags: F,
    /// The messages, as they were.
    pub(crate) negotiate: Box<[u8]>,
    pub(crate) challenge: Box<[u8]>,
}

/// What is known when the answer came.
struct Asked {
    challenged: Challenged,
    token: Box<[u8]>,
    /// Who the answer says that the client is.
    names: ClaimedNames,
    attempt: Attempt,
    answer: Answer<Result<LogonVerdict, sspi_core::Error>>,
}

impl AcceptSecurityContext for Server {
    fn accept_security_context(&mut self, input: &[u8]) -> Result<Step, Failure> {
        if input.is_empty() && !matches!(self.state, State::Over(_)) {
            return Ok(Step::Incomplete { missing: None });
        }
        let next = match core::mem::replace(&mut self.state, State::Over(Over::Done)) {
            State::Over(over) => Err(over.into()),
            State::Begin => self.challenge(input).map_err(Into::into),
            State::Challenged(challenged) => self.authenticate(*challenged, input).map_err(Into::into),
            State::Asked(asked) => self.judge(*asked, input),
        };
        match next {
            Ok((state, step)) => {
                self.state = state;
                Ok(step)
            }
            Err(error) => {
                self.state = State::Over(Over::Failed(error.clone()));
                Err(error.into())
            }
        }
    }
}

impl Server {
    pub(crate) fn new(instance: &Arc<Instance>, request: &AcceptRequest) -> Self {
        let bindings = request.channel_bindings.as_ref();
        let expected = Expected {
            bindings: bindings.map(|bindings| channel_bindings_hash(Some(bindings))),
            allows_missing_bindings: request.flags.contains(AscReq::ALLOW_MISSING_BINDINGS),
            has_proxy: request.flags.contains(AscReq::PROXY_BINDINGS),
            allows_anonymous: instance.config.anonymous,
            signs: [AscReq::INTEGRITY, AscReq::REPLAY_DETECT, AscReq::SEQUENCE_DETECT]
                .into_iter()
                .any(|flag| request.flags.contains(flag)),
            seals: request.flags.contains(AscReq::CONFIDENTIALITY),
        };
        let source = request.source.as_deref().map(Into::into);
        Self { instance: Arc::clone(instance), expected, source, state: State::Begin }
    }

    /// What of the client's offer is taken. Spec: MS-NLMP section 3.2.5.1.1.
    fn agree(&self, offered: F) -> Result<F, Error> {
        let taken = F::NEGOTIATE_UNICODE
            | F::REQUEST_TARGET
            | F::NEGOTIATE_SIGN
            | F::NEGOTIATE_SEAL
            | F::NEGOTIATE_NTLM
            | F::NEGOTIATE_ALWAYS_SIGN
            | F::NEGOTIATE_EXTENDED_SESSIONSECURITY
            | F::NEGOTIATE_IDENTIFY
            | F::NEGOTIATE_VERSION
            | F::NEGOTIATE_128
            | F::NEGOTIATE_KEY_EXCH
            | F::NEGOTIATE_56;
        let mut flags = offered.intersection(taken);
        if !flags.contains(F::NEGOTIATE_UNICODE) {
            flags = flags | offered.intersection(F::NEGOTIATE_OEM);
        }
        if !flags.intersects(F::NEGOTIATE_UNICODE | F::NEGOTIATE_OEM) {
            return Err(Error::NoCharacterSet);
        }
        // Keys of the LM hash are for those that still take it, and there is none with extended session security.
        let takes_lm = self.instance.config.acceptor_lm_compatibility_level.number() < 4;
        let has_ess = flags.contains(F::NEGOTIATE_EXTENDED_SESSIONSECURITY);
        flags =
            flags.with_if(takes_lm && !has_ess && offered.contains(F::NEGOTIATE_LM_KEY), F::NEGOTIATE_LM_KEY);
        self.instance.check_protection(flags)?;
        let kind =
            if self.instance.names.is_in_domain { F::TARGET_TYPE_DOMAIN } else { F::TARGET_TYPE_SERVER };
        Ok(flags | F::NEGOTIATE_TARGET_INFO | kind)
    }

    fn challenge(&self, input: &[u8]) -> Result<(State, Step), Error> {
        // It is kept for the MIC. No client has so much to say, and nobody is known yet.
        if input.len() > LONGEST_NEGOTIATE {
            return Err(wire::DecodeError::illegal("NegotiateMessage").into());
        }
        let negotiate = NegotiateMessage::decode(input)?;
        let flags = self.agree(negotiate.flags)?;
        self.expected.check_protection(flags)?;
        let at = self.instance.environment.clock.now();
        let issued = self.instance.challenges.issue(self.instance.random()?).ok_or(Error::Random)?;
        let token = self.challenge_message(flags, issued.bytes(), at)?;
        let challenged =
            Challenged { issued, at, flags, negotiate: input.into(), challenge: token.as_slice().into() };
        Ok((State::Challenged(Box::new(challenged)), Step::Continue { token, used: input.len() }))
    }

    fn challenge_message(&self, flags: F, challenge: &[u8; 8], at: SystemTime) -> Result<Vec<u8>, Error> {
        let names = &self.instance.names;
        let target_info = names.target_info(at)?;
        let name = if names.is_in_domain { &names.domain } else { &names.computer };
        let encode = if flags.contains(F::NEGOTIATE_UNICODE) { utf16 } else { oem };
        let wants_name = flags.contains(F::REQUEST_TARGET);
        let message = ChallengeMessage {
            target_name: &if wants_name { encode(name) } else { Vec::new() },
            flags,
            server_challenge: *challenge,
            target_info: &target_info,
            version: flags.contains(F::NEGOTIATE_VERSION).then_some(Version::OURS),
        };
        Ok(message.to_bytes()?)
    }

    fn authenticate(&self, challenged: Challenged, input: &[u8]) -> Result<(State, Step), Error> {
        let now = self.instance.environment.clock.now();
        let age = now.duration_since(challenged.at).unwrap_or_default();
        if age > self.instance.config.deadline {
            return Err(Error::Late);
        }
        let message = AuthenticateMessage::decode(input)?;
        let claim = Claim::read(&message, ClaimedNames::read(&message)?)?;
        let flags = self.negotiated(&challenged, &message);
        self.instance.check_protection(flags)?;
        self.expected.check_protection(flags)?;
        let level = self.instance.config.acceptor_lm_compatibility_level;
        claim.check_level(level)?;
        if matches!(claim.response, Response::Anonymous) {
            let established = self.expected.anonymous(&self.instance, &challenged, &message)?;
            let step = Step::Complete { context: established, token: Vec::new(), used: input.len() };
            return Ok((State::Over(Over::Done), step));
        }
        let ClaimedNames { user, domain, .. } = &claim.names;
        let who = Who { domain, ..Who::new(user, self.source.as_deref()) };
        let Some(attempt) = self.instance.lock_outs.attempt(who, now) else {
            return Err(self.locked_out(&claim, &challenged));
        };
        let (ask, answer) = Ask::new(LogonRequest {
            package: NAME.into(),
            user: claim.names.user.clone(),
            domain: claim.names.domain.clone(),
            workstation: claim.names.workstation.clone(),
            proof: claim.proof(challenged.issued.bytes(), message.nt_response, level),
        });
        let asked = Asked { challenged, token: input.into(), names: claim.names, attempt, answer };
        Ok((State::Asked(Box::new(asked)), Step::Ask(Question::Logon(ask))))
    }

    /// What both ends do: what was agreed on, and the client still wants.
    fn negotiated(&self, challenged: &Challenged, message: &AuthenticateMessage<'_>) -> F {
        challenged.flags.intersection(message.flags)
    }

    fn judge(&self, asked: Asked, input: &[u8]) -> Result<(State, Step), sspi_core::Error> {
        // Where there is no verdict the attempt is dropped, and counts for its source alone.
        let Asked { challenged, token, names, attempt, answer } = asked;
        if !input.starts_with(&token) {
            return Err(sspi_core::Error::invalid_handle("after a question the same input must come again"));
        }
        let verdict = match answer.given() {
            Ok(Ok(verdict)) => verdict,
            Ok(Err(error)) => {
                let error = error.clone();
                // Whoever has the accounts is out of order: nobody's guess was judged, and nobody's fault it is.
                if error.fault() != Fault::Refused {
                    attempt.take_back();
                }
                return Err(error);
            }
            Err(error) => return Err(error),
        };
        let message = AuthenticateMessage::decode(&token).map_err(Error::from)?;
        let mut claim = Claim::read(&message, names).map_err(Error::from)?;
        let attempt = match verdict {
            LogonVerdict::Known { account, .. } => {
                attempt.known_as(&account.account.name, account.account.domain.as_deref())
            }
            // Nobody is known as what was sent, which costs what it costs for somebody.
            LogonVerdict::NoAccount => attempt.known_as(&claim.names.user, Some(&claim.names.domain)),
            _ => Some(attempt),
        };
        let Some(attempt) = attempt else { return Err(self.locked_out(&claim, &challenged).into()) };
        let proven = match judgement::judge(&claim, challenged.issued.bytes(), verdict) {
            Ok(proven) => proven,
            Err(why) => {
                self.log(why.reason(), &claim.names);
                attempt.failed(self.instance.environment.clock.now());
                return Err(Error::LogonDenied.into());
            }
        };
        let flags = self.negotiated(&challenged, &message);
        let context =
            self.expected.accept(&self.instance, &challenged, &message, (&token, &mut claim, proven, flags));
        let context = match context {
            Ok(context) => context,
            // An answer that was made for somebody else has the right password in it, and makes nobody forget anything.
            Err(error) => {
                self.log(&error.to_string(), &claim.names);
                attempt.take_back();
                return Err(error.into());
            }
        };
        attempt.succeeded();
        Ok((State::Over(Over::Done), Step::Complete { context, token: Vec::new(), used: token.len() }))
    }

    /// There were too many failures: nobody looks at the proof.
    fn locked_out(&self, claim: &Claim<'_>, challenged: &Challenged) -> Error {
        // What a wrong password costs is spent; that nobody was asked who has the accounts may tell.
        let _denied =
            black_box(judgement::judge(claim, challenged.issued.bytes(), &LogonVerdict::NoAccount).is_ok());
        self.log("too many failed logons", &claim.names);
        Error::LockedOut
    }

    /// Names that a peer sends are shown so that they cannot look like anything else.
    fn log(&self, reason: &str, names: &ClaimedNames) {
        tracing::info!(
            user = ?names.user,
            domain = ?names.domain,
            workstation = ?names.workstation,
            source = ?self.source.as_deref().unwrap_or("unknown"),
            reason,
            "a logon was refused"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_called_what_the_machine_is_unless_something_is_said() {
        let names = Names::new(&NtlmConfig::default(), Some("quitealongmachinename.corp.example"));
        assert_eq!((names.computer.as_str(), names.domain.as_str()), ("QUITEALONGMACHI", "QUITEALONGMACHI"));
        assert_eq!(names.dns_domain.as_deref(), Some("corp.example"));
        assert_eq!(Names::new(&NtlmConfig::default(), None).computer, "OPENSSPI");
        let config = NtlmConfig { domain_name: Some("CORP".into()), ..NtlmConfig::default() };
        let names = Names::new(&config, Some("www"));
        assert!(names.is_in_domain && names.domain == "CORP" && names.computer == "WWW");
    }
}
