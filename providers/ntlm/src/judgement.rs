//! Whether a client's answer is what the account's password makes of the challenge.
//!
//! It takes the same time whether there is the account or not, and whichever byte is wrong.
//!
//! Spec: MS-NLMP section 3.2.5.1.2.

use std::hint::black_box;

use crypto::constant_time::ct_eq;
use sspi_core::{Account, AccountSecret, LogonProof, LogonVerdict, Secret};
use wire::DecodeError;
use zeroize::Zeroizing;

use crate::compute::{
    Key, NtHash, desl, key_exchange_key_v1, lmowf_v1, nt_proof_str, ntlm2_session_response, response_key,
    session_base_key_v1, session_base_key_v2, session_challenge,
};
use crate::config::LmCompatibilityLevel;
use crate::messages::{AuthenticateMessage, AvPairs, NegotiateFlags, NtlmV2Response};
use crate::status::Error;

/// Who a client says it is.
pub(crate) struct Names {
    pub(crate) user: String,
    pub(crate) domain: String,
    pub(crate) workstation: String,
}

/// Who a client says it is, and what it proves that with.
pub(crate) struct Claim<'a> {
    pub(crate) names: Names,
    pub(crate) lm_response: &'a [u8],
    pub(crate) flags: NegotiateFlags,
    pub(crate) response: Response<'a>,
}

/// What a client proves its password with.
pub(crate) enum Response<'a> {
    /// It has none, and is nobody.
    Anonymous,
    /// Of version 2.
    V2(NtlmV2Response<'a>),
    /// Of version 1.
    V1([u8; 24]),
    /// It has only the LM response.
    Lm([u8; 24]),
}

impl Names {
    /// # Errors
    /// They cannot be read.
    pub(crate) fn read(message: &AuthenticateMessage<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            user: name(message, "UserName", message.user)?,
            domain: name(message, "DomainName", message.domain)?,
            workstation: message.text("Workstation", message.workstation)?,
        })
    }
}

impl<'a> Claim<'a> {
    /// What this message says of whom, whose names were read.
    ///
    /// # Errors
    /// Responses cannot be read.
    pub(crate) fn read(message: &AuthenticateMessage<'a>, names: Names) -> Result<Self, DecodeError> {
        const V1_LEN: usize = NtlmV2Response::V1_LEN;
        let response = match (message.nt_response.len(), message.lm_response.len()) {
            (0, 0 | 1) if message.user.is_empty() => Response::Anonymous,
            (0, V1_LEN) => Response::Lm(fixed(message.lm_response, "LmChallengeResponse")?),
            (V1_LEN, 0 | V1_LEN) => Response::V1(fixed(message.nt_response, "NtChallengeResponse")?),
            (length, 0 | V1_LEN) if length > V1_LEN => {
                Response::V2(NtlmV2Response::decode(message.nt_response)?)
            }
            (0 | V1_LEN.., _) => return Err(DecodeError::illegal("LmChallengeResponse")),
            _ => return Err(DecodeError::illegal("NtChallengeResponse")),
        };
        // Whoever judges might take it for none, and judge something else.
        if matches!(response, Response::V1(response) | Response::Lm(response) if response == [0; V1_LEN]) {
            return Err(DecodeError::illegal("NtChallengeResponse"));
        }
        Ok(Self { names, lm_response: message.lm_response, flags: message.flags, response })
    }

    /// # Errors
    /// The level refuses responses of this kind.
    pub(crate) fn check_level(&self, level: LmCompatibilityLevel) -> Result<(), Error> {
        let (version, highest) = match &self.response {
            Response::V2(_) | Response::Anonymous => return Ok(()),
            Response::V1(_) => ("NTLM version 1", 4),
            Response::Lm(_) => ("LM", 3),
        };
        let level = level.number();
        if level <= highest { Ok(()) } else { Err(Error::OldResponse { version, level }) }
    }

    /// What the client says beside its proof, under its protection; nothing in version 1.
    pub(crate) fn take_av_pairs(&mut self) -> AvPairs<'a> {
        match &mut self.response {
            Response::V2(response) => core::mem::take(&mut response.content.av_pairs),
            _ => AvPairs::default(),
        }
    }

    pub(crate) const fn is_version_1(&self) -> bool {
        matches!(self.response, Response::V1(_) | Response::Lm(_))
    }

    /// The proof, for whoever judges it. What must not be judged is not in it: a domain controller tries the weaker
    /// response when the other one is wrong, and what the client says of its channel and its target is not under that one.
    pub(crate) fn proof(&self, challenge: &[u8; 8], nt: &[u8], level: LmCompatibilityLevel) -> LogonProof {
        let takes_lm = level.number() < 4;
        let has_ess = self.flags.contains(NegotiateFlags::NEGOTIATE_EXTENDED_SESSIONSECURITY);
        let (challenge, lm_response) = match self.response {
            Response::V1(_) if has_ess => (session_challenge(challenge, &self.client_challenge()), &[][..]),
            Response::V1(_) | Response::Lm(_) if takes_lm => (*challenge, self.lm_response),
            _ => (*challenge, &[][..]),
        };
        LogonProof::ChallengeResponse {
            challenge,
            nt_response: nt.to_vec(),
            lm_response: lm_response.to_vec(),
        }
    }

    /// What stands in place of the LM response with version 1 and extended session security.
    fn client_challenge(&self) -> [u8; 8] {
        self.lm_response.first_chunk().copied().unwrap_or_default()
    }
}

/// A name: one with control characters would count as another one, and be the same to whoever has the accounts.
fn name(message: &AuthenticateMessage<'_>, field: &'static str, bytes: &[u8]) -> Result<String, DecodeError> {
    let text = message.text(field, bytes)?;
    if text.chars().any(char::is_control) { Err(DecodeError::illegal(field)) } else { Ok(text) }
}

fn fixed(bytes: &[u8], field: &'static str) -> Result<[u8; 24], DecodeError> {
    bytes.try_into().map_err(|_| DecodeError::illegal(field))
}

/// A client that has proved who it is. It has no `Debug`: the key would be shown.
pub(crate) struct Proven {
    pub(crate) account: Account,
    /// `KeyExchangeKey`.
    pub(crate) key: Key,
}

/// Why a client is nobody: for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    NoAccount,
    NoSecret,
    WrongResponse,
    Disabled,
    DeniedElsewhere,
}

impl Refusal {
    pub(crate) const fn reason(self) -> &'static str {
        match self {
            Self::NoAccount => "there is no such account",
            Self::NoSecret => "nothing is known of the account that its response could be compared with",
            Self::WrongResponse => "the response is not that of the account's password",
            Self::Disabled => "the account is disabled",
            Self::DeniedElsewhere => "whoever has the accounts denied it",
        }
    }
}

/// Judges the claim by the answer of whoever has the accounts.
pub(crate) fn judge(
    claim: &Claim<'_>,
    challenge: &[u8; 8],
    verdict: &LogonVerdict,
) -> Result<Proven, Refusal> {
    match verdict {
        LogonVerdict::Known { account, secrets } => {
            let hashes = Known::of(secrets, claim);
            let key = hashes.verify(claim, challenge);
            let key = if hashes.is_there { key } else { return Err(Refusal::NoSecret) };
            let key = key.ok_or(Refusal::WrongResponse)?;
            if account.is_disabled {
                Err(Refusal::Disabled)
            } else {
                Ok(Proven { account: account.account.clone(), key })
            }
        }
        LogonVerdict::Proven { account, session_key } => {
            let base = Zeroizing::new(*session_key.expose_secret());
            let key = match claim.response {
                Response::V2(_) | Response::Anonymous => base,
                Response::V1(_) | Response::Lm(_) => {
                    key_exchange_key_v1(claim.flags, &base, None, challenge, claim.lm_response)
                }
            };
            Ok(Proven { account: account.clone(), key })
        }
        LogonVerdict::NoAccount => {
            // Nobody asks for what comes of it, and it has to be computed all the same.
            let _never = black_box(Known::nobody(claim).verify(claim, challenge).is_some());
            Err(Refusal::NoAccount)
        }
        _ => Err(Refusal::DeniedElsewhere),
    }
}

/// What is known of an account's password.
struct Known {
    nt: NtHash,
    lm: Option<Key>,
    /// There is a hash; otherwise it is one that stands for it.
    is_there: bool,
}

impl Known {
    /// Of nobody: a hash that stands for one.
    fn nobody(claim: &Claim<'_>) -> Self {
        Self::of(&[AccountSecret::NtHash(Secret::new([0; 16]))], claim)
    }

    /// A password is hashed in any case, be it none, so that its time does not tell whether there was one.
    fn of(secrets: &[AccountSecret], claim: &Claim<'_>) -> Self {
        let password = secrets.iter().find_map(|secret| match secret {
            AccountSecret::Password(password) => Some(password.expose_secret().as_str()),
            _ => None,
        });
        let hashed = password.unwrap_or_default();
        // The other hash takes its time, too, and is for the oldest clients only.
        let lm = if claim.is_version_1() { black_box(lmowf_v1(hashed)) } else { None };
        let lm = lm.filter(|_| password.is_some());
        let mut known = Self { nt: black_box(NtHash::of_password(hashed)), lm, is_there: password.is_some() };
        for secret in secrets {
            match secret {
                AccountSecret::NtHash(hash) => {
                    known.nt = NtHash::from_bytes(*hash.expose_secret());
                    known.is_there = true;
                }
                AccountSecret::LmHash(hash) => known.lm = Some(Zeroizing::new(*hash.expose_secret())),
                _ => {}
            }
        }
        known
    }

    /// The key that keys are exchanged under, if the response is the right one.
    fn verify(&self, claim: &Claim<'_>, challenge: &[u8; 8]) -> Option<Key> {
        match &claim.response {
            Response::Anonymous => None,
            Response::V2(response) => {
                let response_key = response_key(&self.nt, &claim.names.user, &claim.names.domain);
                let proof = nt_proof_str(&response_key, challenge, response.temp);
                let key = session_base_key_v2(&response_key, &proof);
                ct_eq(proof.as_slice(), &response.nt_proof_str).then_some(key)
            }
            Response::V1(response) => {
                let expected = if claim.flags.contains(NegotiateFlags::NEGOTIATE_EXTENDED_SESSIONSECURITY) {
                    ntlm2_session_response(&self.nt, challenge, &claim.client_challenge())
                } else {
                    desl(self.nt.as_bytes(), *challenge)
                };
                let base = session_base_key_v1(&self.nt);
                let key =
                    key_exchange_key_v1(claim.flags, &base, self.lm.as_ref(), challenge, claim.lm_response);
                ct_eq(&expected, response).then_some(key)
            }
            Response::Lm(response) => self.verify_lm(claim, challenge, response),
        }
    }

    /// Either of version 2, which the NT hash is enough for, or of version 1.
    fn verify_lm(&self, claim: &Claim<'_>, challenge: &[u8; 8], response: &[u8; 24]) -> Option<Key> {
        let response_key = response_key(&self.nt, &claim.names.user, &claim.names.domain);
        let (proof, client_challenge) = response.split_first_chunk::<16>()?;
        let expected = nt_proof_str(&response_key, challenge, client_challenge);
        if ct_eq(expected.as_slice(), proof) {
            return Some(session_base_key_v2(&response_key, proof));
        }
        let lm = self.lm.as_ref()?;
        let base = session_base_key_v1(&self.nt);
        let key = key_exchange_key_v1(claim.flags, &base, Some(lm), challenge, response);
        ct_eq(&desl(lm, *challenge), response).then_some(key)
    }
}
