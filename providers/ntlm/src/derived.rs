//! What a password makes of messages that somebody else exchanged: for those who look at tokens.

use crypto::constant_time::ct_eq;
use wire::DecodeError;
use zeroize::Zeroizing;

use crate::compute::{Key, NtHash, mic, nt_proof_str, ntowf_v2, rc4k, response_key, session_base_key_v2};
use crate::messages::{AuthenticateMessage, AvFlags, ChallengeMessage, NegotiateFlags, NtlmV2Response};
use crate::seal::{Sender, seal_key, sign_key};

/// What a password makes of a challenge and the answer to it, in version 2: whether it is the one that the answer proves, and
/// the keys that come of it.
///
/// There is no `Debug`: all of it is secret. It is wiped when it is dropped.
///
/// Spec: MS-NLMP sections 3.3.2 and 3.4.5.
pub struct Derived {
    /// The answer's proof is that of this password.
    pub is_proven: bool,
    /// `ResponseKeyNT`: of the password and the user's name.
    pub response_key: Zeroizing<[u8; 16]>,
    /// `SessionBaseKey`, in this version also `KeyExchangeKey`.
    pub session_base_key: Zeroizing<[u8; 16]>,
    /// `ExportedSessionKey`.
    pub exported_session_key: Zeroizing<[u8; 16]>,
    /// What each direction signs and seals with, where it has keys of its own: the client's, then the server's.
    pub directions: Option<[DirectionKeys; 2]>,
    /// Whether the MIC is right; `None` where there is none, or the first message is not known.
    pub is_mic_right: Option<bool>,
}

/// The keys of what one end sends.
pub struct DirectionKeys {
    /// `SIGNKEY`.
    pub sign: Zeroizing<[u8; 16]>,
    /// `SEALKEY`.
    pub seal: Zeroizing<[u8; 16]>,
}

impl Derived {
    /// What the password with this hash makes of the three messages, of which the first may be missing.
    ///
    /// # Errors
    /// A message cannot be read, or the answer is not of version 2.
    pub fn of(
        hash: &NtHash,
        negotiate: Option<&[u8]>,
        challenge: &[u8],
        authenticate: &[u8],
    ) -> Result<Self, DecodeError> {
        let server_challenge = ChallengeMessage::decode(challenge)?.server_challenge;
        let message = AuthenticateMessage::decode(authenticate)?;
        let response = NtlmV2Response::decode(message.nt_response)?;
        let user = message.text("UserName", message.user)?;
        let domain = message.text("DomainName", message.domain)?;
        let key = response_key(hash, &user, &domain);
        let proof = nt_proof_str(&key, &server_challenge, response.temp);
        let session_base_key = session_base_key_v2(&key, &proof);
        let exported = match message.encrypted_random_session_key.try_into() {
            Ok(encrypted) if message.flags.contains(NegotiateFlags::NEGOTIATE_KEY_EXCH) => {
                rc4k(&session_base_key, encrypted)
            }
            _ => session_base_key.clone(),
        };
        let has_mic = response.content.av_pairs.flags().contains(AvFlags::MIC);
        let found = negotiate.zip(message.mic.filter(|_| has_mic));
        let is_mic_right = found.map(|(negotiate, found)| {
            ct_eq(mic(&exported, negotiate, challenge, authenticate).as_slice(), &found)
        });
        let has_directions = message.flags.protects_messages()
            && message.flags.contains(NegotiateFlags::NEGOTIATE_EXTENDED_SESSIONSECURITY);
        Ok(Self {
            is_proven: ct_eq(proof.as_slice(), &response.nt_proof_str),
            directions: has_directions.then(|| directions(message.flags, &exported)),
            response_key: ntowf_v2(hash, &user, &domain),
            session_base_key,
            exported_session_key: exported,
            is_mic_right,
        })
    }
}

fn directions(flags: NegotiateFlags, exported: &Key) -> [DirectionKeys; 2] {
    [Sender::Client, Sender::Server].map(|sender| DirectionKeys {
        sign: sign_key(exported, sender),
        seal: seal_key(flags, exported, sender),
    })
}

#[cfg(test)]
mod tests {
    use test_support::hex::decode as hex;

    use super::*;

    /// MS-NLMP section 4.2.4.
    const CHALLENGE: &str = "4e544c4d53535000020000000c000c003800000033828ae20123456789abcdef0000000000000000240024004400
        0000060070170000000f53006500720076006500720002000c0044006f006d00610069006e0001000c0053006500720076006500720000000000";
    const AUTHENTICATE: &str = "4e544c4d5353500003000000180018006c00000054005400840000000c000c0048000000080008005400000010
        0010005c00000010001000d8000000358288e20501280a0000000f44006f006d00610069006e00550073006500720043004f004d0050005500540045
        00520086c35097ac9cec102554764a57cccc19aaaaaaaaaaaaaaaa68cd0ab851e51c96aabc927bebef6a1c01010000000000000000000000000000aa
        aaaaaaaaaaaaaa0000000002000c0044006f006d00610069006e0001000c005300650072007600650072000000000000000000c5dad2544fc97990
        94ce1ce90bc9d03e";

    #[test]
    fn the_keys_of_the_specification_come_of_its_messages() {
        let (challenge, authenticate) = (hex(CHALLENGE), hex(AUTHENTICATE));
        let derived = Derived::of(&NtHash::of_password("Password"), None, &challenge, &authenticate).unwrap();
        assert!(derived.is_proven && derived.is_mic_right.is_none());
        assert_eq!(derived.response_key.to_vec(), hex("0c868a403bfd7a93a3001ef22ef02e3f"));
        assert_eq!(derived.session_base_key.to_vec(), hex("8de40ccadbc14a82f15cb0ad0de95ca3"));
        assert_eq!(*derived.exported_session_key, [0x55; 16]);
        let [client, _] = derived.directions.unwrap();
        assert_eq!(client.sign.to_vec(), hex("4788dc861b4782f35d43fd98fe1a2d39"));
        assert_eq!(client.seal.to_vec(), hex("59f600973cc4960a25480a7c196e4c58"));
    }

    #[test]
    fn another_password_is_not_proven() {
        let (challenge, authenticate) = (hex(CHALLENGE), hex(AUTHENTICATE));
        let derived = Derived::of(&NtHash::of_password("password"), None, &challenge, &authenticate).unwrap();
        assert!(!derived.is_proven);
        assert!(Derived::of(&NtHash::of_password("Password"), None, &authenticate, &challenge).is_err());
    }
}
