//! A handshake as client.
//!
//! ```text
//! Begin ── (nothing) ──▶ NEGOTIATE ──▶ Sent ── CHALLENGE ──▶ AUTHENTICATE, complete
//! ```
//!
//! Spec: MS-NLMP section 3.1.5.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use sspi_core::{Failure, InitializeRequest, InitializeSecurityContext, IscReq, IscRet, Step};
use zeroize::Zeroizing;

use crate::acceptance::check_requested;
use crate::attributes::{Attributes, Established, Role};
use crate::compute::{
    Key, channel_bindings_hash, desl, key_exchange_key_v1, lm_v2_response, mic, nt_proof_str,
    ntlm2_session_response, rc4k, response_key, session_base_key_v1, session_base_key_v2,
};
use crate::context;
use crate::credentials::{Hashes, Identity};
use crate::messages::{
    AuthenticateMessage, AvFlags, AvId, AvPairs, ChallengeMessage, NegotiateFlags as F, NegotiateMessage,
    NtlmV2Temp, Version, oem, utf16,
};
use crate::package::{Instance, MAX_TOKEN};
use crate::status::Error;

/// A handshake as client.
pub(crate) struct Client {
    instance: Arc<Instance>,
    identity: Arc<Identity>,
    flags: IscReq,
    target: Option<String>,
    bindings: [u8; 16],
    state: State,
}

enum State {
    /// Nothing was sent.
    Begin,
    /// NEGOTIATE was sent: as it was, and the flags in it.
    Sent { negotiate: Vec<u8>, offered: F },
    /// It is over; why.
    Over(Over),
}

/// How a handshake ended: what every further call says.
#[derive(Clone)]
pub(crate) enum Over {
    /// It is complete, or a call has not come back.
    Done,
    Failed(sspi_core::Error),
}

impl From<Over> for sspi_core::Error {
    fn from(over: Over) -> Self {
        match over {
            Over::Done => Self::invalid_handle("the handshake is over"),
            Over::Failed(error) => error,
        }
    }
}

/// What is drawn for an answer: a challenge of the client's, and a key, eight bytes and sixteen.
struct Drawn(Zeroizing<[u8; 24]>);

impl Drawn {
    fn client_challenge(&self) -> [u8; 8] {
        self.0.first_chunk().copied().unwrap_or_default()
    }

    fn session_key(&self) -> Key {
        Zeroizing::new(self.0.last_chunk().copied().unwrap_or_default())
    }
}

/// What the client answers a challenge with.
struct Responses {
    lm: Vec<u8>,
    nt: Vec<u8>,
    /// `KeyExchangeKey`.
    key: Key,
    has_mic: bool,
}

impl InitializeSecurityContext for Client {
    fn initialize_security_context(&mut self, input: &[u8]) -> Result<Step, Failure> {
        let (state, step) = match core::mem::replace(&mut self.state, State::Over(Over::Done)) {
            State::Over(over) => (State::Over(over.clone()), Err(over.into())),
            State::Begin => match self.negotiate() {
                Ok((state, token)) => (state, Ok(Step::Continue { token, used: 0 })),
                Err(error) => self.failed(error),
            },
            sent if input.is_empty() => (sent, Ok(Step::Incomplete { missing: None })),
            State::Sent { negotiate, offered } => match self.answer(&negotiate, offered, input) {
                Ok(complete) => (State::Over(Over::Done), Ok(complete)),
                Err(error) => self.failed(error),
            },
        };
        self.state = state;
        Ok(step?)
    }
}

impl Client {
    pub(crate) fn new(
        instance: &Arc<Instance>,
        identity: Arc<Identity>,
        request: &InitializeRequest,
    ) -> Self {
        Self {
            instance: Arc::clone(instance),
            identity,
            flags: request.flags,
            target: request.target_name.clone(),
            bindings: channel_bindings_hash(request.channel_bindings.as_ref()),
            state: State::Begin,
        }
    }

    fn failed<T>(&self, error: Error) -> (State, Result<T, sspi_core::Error>) {
        let error = sspi_core::Error::from(error);
        (State::Over(Over::Failed(error.clone())), Err(error))
    }

    /// Whether messages must be signed, and whether they must be encrypted.
    fn protection(&self) -> (bool, bool) {
        let wants = |flags| self.flags.contains(flags);
        let seals = wants(IscReq::CONFIDENTIALITY);
        let signs =
            [IscReq::INTEGRITY, IscReq::REPLAY_DETECT, IscReq::SEQUENCE_DETECT].into_iter().any(wants);
        (seals || signs, seals)
    }

    /// What is offered. Spec: MS-NLMP section 3.1.5.1.1.
    fn offer(&self) -> F {
        let wants = |flags| self.flags.contains(flags);
        let (signs, seals) = self.protection();
        let has_ess = self.instance.config.lm_compatibility_level.number() > 0;
        let base = F::NEGOTIATE_UNICODE
            | F::NEGOTIATE_OEM
            | F::REQUEST_TARGET
            | F::NEGOTIATE_NTLM
            | F::NEGOTIATE_ALWAYS_SIGN
            | F::NEGOTIATE_VERSION
            | F::NEGOTIATE_128
            | F::NEGOTIATE_56;
        base.with_if(signs, F::NEGOTIATE_SIGN | F::NEGOTIATE_KEY_EXCH)
            .with_if(seals, F::NEGOTIATE_SEAL)
            .with_if(has_ess, F::NEGOTIATE_EXTENDED_SESSIONSECURITY)
            .with_if(wants(IscReq::IDENTIFY), F::NEGOTIATE_IDENTIFY)
            .with_if(self.identity.hashes.is_none(), F::NEGOTIATE_ANONYMOUS)
    }

    fn negotiate(&self) -> Result<(State, Vec<u8>), Error> {
        let offered = self.offer();
        let message =
            NegotiateMessage { flags: offered, domain: &[], workstation: &[], version: Some(Version::OURS) };
        let token = message.to_bytes()?;
        Ok((State::Sent { negotiate: token.clone(), offered }, token))
    }

    fn answer(&self, negotiate: &[u8], offered: F, input: &[u8]) -> Result<Step, Error> {
        let challenge = ChallengeMessage::decode(input)?;
        let flags = self.agree(offered, challenge.flags)?;
        if self.instance.config.reflection == crate::Reflection::Refuse
            && self.instance.challenges.has(&challenge.server_challenge)
        {
            return Err(Error::Reflected);
        }
        let pairs = challenge.av_pairs()?;
        let drawn = Drawn(Zeroizing::new(self.instance.random()?));
        let responses = match &self.identity.hashes {
            None => anonymous(),
            Some(hashes) if self.instance.config.lm_compatibility_level.number() >= 3 => {
                self.version_2(hashes, &challenge.server_challenge, drawn.client_challenge(), pairs)?
            }
            Some(hashes) => {
                self.version_1(hashes, flags, &challenge.server_challenge, drawn.client_challenge())
            }
        };
        let (exported, encrypted) = exchange(flags, &responses.key, &drawn.session_key());
        let token = self.authenticate(flags, &responses, &encrypted, &exported, (negotiate, input))?;
        let context = self.context(flags, exported, responses.has_mic)?;
        Ok(Step::Complete { context, token, used: input.len() })
    }

    /// What both ends do: nothing that was not offered.
    fn agree(&self, offered: F, chosen: F) -> Result<F, Error> {
        let mut flags = chosen.intersection(offered);
        if !flags.intersects(F::NEGOTIATE_UNICODE | F::NEGOTIATE_OEM) {
            return Err(Error::NoCharacterSet);
        }
        if flags.contains(F::NEGOTIATE_UNICODE) {
            flags = flags.without(F::NEGOTIATE_OEM);
        }
        // Who the client is, is the client's to say; and that there is target info is for both.
        flags = flags
            .with_if(self.identity.hashes.is_none(), F::NEGOTIATE_ANONYMOUS)
            .with_if(chosen.contains(F::NEGOTIATE_TARGET_INFO), F::NEGOTIATE_TARGET_INFO);
        self.instance.check_protection(flags)?;
        let (signs, seals) = self.protection();
        check_requested(signs, seals, flags)?;
        Ok(flags)
    }

    /// Spec: MS-NLMP sections 3.3.2 and 3.1.5.1.2.
    fn version_2(
        &self,
        hashes: &Hashes,
        server_challenge: &[u8; 8],
        client_challenge: [u8; 8],
        theirs: AvPairs<'_>,
    ) -> Result<Responses, Error> {
        let server_time = theirs.timestamp();
        let target = utf16(self.target.as_deref().unwrap_or_default());
        let av_flags = AvFlags::MIC.0.to_le_bytes();
        let mut pairs = theirs;
        // These are the client's. A server that sends them would speak for it.
        [AvId::FLAGS, AvId::SINGLE_HOST, AvId::TARGET_NAME, AvId::CHANNEL_BINDINGS]
            .into_iter()
            .for_each(|id| pairs.remove(id));
        if server_time.is_some() {
            pairs.set(AvId::FLAGS, &av_flags);
        }
        pairs.set(AvId::TARGET_NAME, &target);
        pairs.set(AvId::CHANNEL_BINDINGS, &self.bindings);
        let timestamp = server_time.unwrap_or_else(|| file_time(self.instance.environment.clock.now()));
        let temp = NtlmV2Temp { timestamp, client_challenge, av_pairs: pairs }.to_bytes()?;
        let response_key = response_key(&hashes.nt, &self.identity.user, &self.identity.domain);
        let proof = nt_proof_str(&response_key, server_challenge, &temp);
        let lm = match server_time {
            Some(_) => [0; 24],
            None => lm_v2_response(&response_key, server_challenge, &client_challenge),
        };
        Ok(Responses {
            lm: lm.to_vec(),
            nt: [proof.as_slice(), &temp].concat(),
            key: session_base_key_v2(&response_key, &proof),
            has_mic: server_time.is_some(),
        })
    }

    /// Spec: MS-NLMP section 3.3.1.
    fn version_1(
        &self,
        hashes: &Hashes,
        flags: F,
        server_challenge: &[u8; 8],
        client_challenge: [u8; 8],
    ) -> Responses {
        let level = self.instance.config.lm_compatibility_level.number();
        let (nt, lm) = if flags.contains(F::NEGOTIATE_EXTENDED_SESSIONSECURITY) {
            let mut lm = [0; 24];
            lm.iter_mut().zip(client_challenge).for_each(|(to, from)| *to = from);
            (ntlm2_session_response(&hashes.nt, server_challenge, &client_challenge), lm)
        } else {
            let nt = desl(hashes.nt.as_bytes(), *server_challenge);
            // From level 2 on the weaker response is left out: the other one stands in its place.
            let lm = hashes.lm.as_ref().filter(|_| level < 2).map_or(nt, |lm| desl(lm, *server_challenge));
            (nt, lm)
        };
        let base = session_base_key_v1(&hashes.nt);
        let key = key_exchange_key_v1(flags, &base, hashes.lm.as_ref(), server_challenge, &lm);
        Responses { lm: lm.to_vec(), nt: nt.to_vec(), key, has_mic: false }
    }

    fn authenticate(
        &self,
        flags: F,
        responses: &Responses,
        encrypted: &[u8],
        exported: &Key,
        (negotiate, challenge): (&[u8], &[u8]),
    ) -> Result<Vec<u8>, Error> {
        let encode = if flags.contains(F::NEGOTIATE_UNICODE) { utf16 } else { oem };
        let workstation = self.instance.names.workstation.as_str();
        let [domain, user, workstation] =
            [&self.identity.domain, &self.identity.user, workstation].map(encode);
        let message = AuthenticateMessage {
            lm_response: &responses.lm,
            nt_response: &responses.nt,
            domain: &domain,
            user: &user,
            workstation: &workstation,
            encrypted_random_session_key: encrypted,
            flags,
            version: flags.contains(F::NEGOTIATE_VERSION).then_some(Version::OURS),
            mic: responses.has_mic.then_some([0; 16]),
        };
        let mut token = message.to_bytes()?;
        if u32::try_from(token.len()).is_ok_and(|length| length > MAX_TOKEN) {
            return Err(Error::TokenTooLong { length: token.len() });
        }
        if responses.has_mic {
            let code = mic(exported, negotiate, challenge, &token);
            if let Some(place) = token.get_mut(AuthenticateMessage::MIC_RANGE) {
                place.copy_from_slice(code.as_slice());
            }
        }
        Ok(token)
    }

    fn context(
        &self,
        flags: F,
        exported: Key,
        has_mic: bool,
    ) -> Result<Box<dyn sspi_core::SecurityContext>, Error> {
        let is_nobody = self.identity.hashes.is_none();
        let granted = Attributes::protection(flags)
            .with_if(self.identity.is_supplied, IscRet::USED_SUPPLIED_CREDS)
            .with_if(flags.contains(F::NEGOTIATE_IDENTIFY), IscRet::IDENTIFY)
            .with_if(is_nobody, IscRet::NULL_SESSION);
        let is_version_1 = self.instance.config.lm_compatibility_level.number() < 3 && !is_nobody;
        context::new(
            has_mic,
            Attributes::new(
                &self.instance.info,
                Established {
                    role: Role::Client(granted),
                    flags,
                    exported,
                    client: self.identity.name(),
                    server: self.target.clone().unwrap_or_default(),
                    target: self.target.clone(),
                    account: None,
                    is_version_1,
                    start: self.instance.environment.clock.now(),
                },
            ),
        )
    }
}

/// `ExportedSessionKey`, and how the server gets it.
fn exchange(flags: F, key: &Key, drawn: &Key) -> (Key, Vec<u8>) {
    if flags.contains(F::NEGOTIATE_KEY_EXCH) {
        (drawn.clone(), rc4k(key, drawn).to_vec())
    } else {
        (key.clone(), Vec::new())
    }
}

/// Spec: MS-NLMP section 3.2.5.1.2: nobody has no response, and one byte in place of the other.
fn anonymous() -> Responses {
    Responses { lm: vec![0], nt: Vec::new(), key: Key::default(), has_mic: false }
}

/// `FILETIME`: 100 nanoseconds since 1601.
pub(crate) fn file_time(time: SystemTime) -> u64 {
    /// From 1601 to 1970, in seconds.
    const EPOCH: u64 = 11_644_473_600;
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    since
        .as_secs()
        .saturating_add(EPOCH)
        .saturating_mul(10_000_000)
        .saturating_add(u64::from(since.subsec_nanos()) / 100)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_file_time_counts_from_1601() {
        assert_eq!(file_time(UNIX_EPOCH), 116_444_736_000_000_000);
        assert_eq!(file_time(UNIX_EPOCH + Duration::from_micros(1)), 116_444_736_000_000_010);
    }
}
