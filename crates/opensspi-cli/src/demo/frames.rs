//! What the legs of a package's handshake hold: frames of NegotiateStream with tokens in them, and *done*.
//!
//! Spec: MS-NNS section 2.2.

use opensspi::tokens::spnego::NegotiationToken;

use crate::recording::Leg;

/// The names of what each leg holds.
pub(super) fn names(legs: &[Leg]) -> Vec<String> {
    legs.iter().map(|leg| frames(&leg.bytes).join(", ")).collect()
}

const DONE: u8 = 0x14;
const ERROR: u8 = 0x15;
const IN_PROGRESS: u8 = 0x16;

fn frames(mut bytes: &[u8]) -> Vec<String> {
    let mut names = Vec::new();
    while let [id, _, _, high, low, rest @ ..] = bytes {
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(rest.len());
        let (payload, behind) = rest.split_at(length);
        match payload {
            [] if *id == IN_PROGRESS => names.push("nothing yet".to_owned()),
            [] => {}
            _ if *id == ERROR => names.push("error".to_owned()),
            token => names.push(name(token)),
        }
        if *id == DONE {
            names.push("done".to_owned());
        }
        bytes = behind;
    }
    names
}

/// What a token is called where its package is specified.
fn name(token: &[u8]) -> String {
    let has = |name: &[u8]| token.windows(name.len()).any(|window| window == name);
    let known = match token {
        [b'N', b'T', b'L', b'M', b'S', b'S', b'P', 0, 1, ..] => "NEGOTIATE",
        [b'N', b'T', b'L', b'M', b'S', b'S', b'P', 0, 2, ..] => "CHALLENGE",
        [b'N', b'T', b'L', b'M', b'S', b'S', b'P', 0, 3, ..] => "AUTHENTICATE",
        _ if NegotiationToken::is_one(token) => return negotiation(token),
        _ if has(b"rspauth=") => "response-auth",
        _ if has(b"response=") => "digest-response",
        _ if has(b"nonce=") => "digest-challenge",
        _ => "token",
    };
    known.to_owned()
}

/// A token of SPNEGO, and the one that it carries.
fn negotiation(token: &[u8]) -> String {
    let (name, inner) = match NegotiationToken::decode(token) {
        Ok(NegotiationToken::Init(init)) => ("NegTokenInit", init.mech_token),
        Ok(NegotiationToken::Resp(resp)) => ("NegTokenResp", resp.response_token),
        Err(_) => ("token", None),
    };
    inner.map_or_else(|| name.to_owned(), |inner| format!("{name} ({})", self::name(inner)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::Direction;

    #[test]
    fn tokens_are_named_and_frames_without_one_are_not_taken_for_any() {
        let frame = |id: u8, payload: &[u8]| {
            let length = u16::try_from(payload.len()).unwrap().to_be_bytes();
            [&[id, 1, 0], &length[..], payload].concat()
        };
        let ntlm = frame(IN_PROGRESS, b"NTLMSSP\0\x01\0\0\0");
        let (done, nothing, error) =
            (frame(DONE, b"rspauth=1"), frame(IN_PROGRESS, b""), frame(ERROR, &[0; 8]));
        let spnego = frame(DONE, &[0xa1, 7, 0x30, 5, 0xa0, 3, 10, 1, 0]);
        let whole = [ntlm, done, nothing, spnego, error, frame(DONE, b"")].concat();
        let legs = [Leg { direction: Direction::Sent, bytes: whole }];
        let expected = "NEGOTIATE, response-auth, done, nothing yet, NegTokenResp, done, error, done";
        assert_eq!(names(&legs), [expected]);
    }
}
