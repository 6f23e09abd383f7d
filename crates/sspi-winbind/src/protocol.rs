//! The words of `ntlm_auth --helper-protocol=ntlm-server-1`: lines of a name, a colon and a value, ended by a point.
//!
//! ```text
//! ▶ LANMAN-Challenge: 0123456789abcdef
//! ▶ NT-Response: 67c43011…
//! ▶ Username:: YWxpY2U=                 two colons: the value is Base64
//! ▶ NT-Domain:: Q09SUA==
//! ▶ Request-User-Session-Key: Yes
//! ▶ .
//! ◀ Authenticated: Yes
//! ◀ User-Session-Key: 8DE40CCADBC14A82F15CB0AD0DE95CA3
//! ◀ .
//! ```
//!
//! Spec: NTLM-AUTH.

use sspi_core::{Account, Error, LogonVerdict, Secret};
use zeroize::Zeroizing;

use crate::unavailable;

/// The length of a response of version 1.
const RESPONSE_LEN: usize = 24;

/// Whether there is something that ntlm_auth can be asked: a response that is not a malformed one, nor one of zeros.
pub(crate) fn is_askable(nt: &[u8], lm: &[u8]) -> bool {
    let is_zeros = |response: &[u8]| response.iter().all(|byte| *byte == 0);
    match (nt.len(), lm.len()) {
        (0, RESPONSE_LEN) => !is_zeros(lm),
        (RESPONSE_LEN.., 0 | RESPONSE_LEN) => !is_zeros(nt),
        _ => false,
    }
}

/// The question. Names are Base64, so that nothing that a client sends is a line of its own.
pub(crate) fn question((user, domain): (&str, &str), challenge: &[u8; 8], nt: &[u8], lm: &[u8]) -> String {
    let mut out = format!("LANMAN-Challenge: {}\n", hex(challenge));
    if nt.len() >= RESPONSE_LEN {
        out += &format!("NT-Response: {}\n", hex(nt));
    }
    // With another length ntlm_auth answers twice. One of 24 zeros is what clients of version 2 send in place of one, and
    // beside a response of version 2 a domain controller would try the weaker one, under which nothing else is proved.
    let is_sent = lm.len() == RESPONSE_LEN && nt.len() <= RESPONSE_LEN && lm.iter().any(|byte| *byte != 0);
    if is_sent {
        out += &format!("LANMAN-Response: {}\n", hex(lm));
    }
    out += &format!("Username:: {}\n", base64(user.as_bytes()));
    out += &format!("NT-Domain:: {}\n", base64(domain.as_bytes()));
    out += "Request-User-Session-Key: Yes\n.\n";
    out
}

/// What the child said.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    is_authenticated: Option<bool>,
    session_key: Option<Zeroizing<[u8; 16]>>,
    error: Option<String>,
    /// It has a line.
    is_begun: bool,
    /// It has a line that no single answer to a question of ours has.
    is_odd: bool,
}

impl Answer {
    /// Takes a line; whether the answer is whole with it.
    pub(crate) fn line(&mut self, line: &str) -> bool {
        let line = line.trim_end();
        if line == "." {
            // Behind a denial Samba sends two of them: the second is no answer to what is asked next.
            return self.is_begun;
        }
        self.is_begun = true;
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.trim();
        match name {
            "Authenticated" if self.is_authenticated.is_none() => {
                self.is_authenticated = Some(value.eq_ignore_ascii_case("yes"));
            }
            "User-Session-Key" if self.session_key.is_none() => self.session_key = key(value),
            "Authentication-Error" if self.error.is_none() => self.error = Some(value.to_owned()),
            // What it says when it has not understood, and may go on to answer in spite of it.
            _ => {
                self.is_odd = true;
                self.error.get_or_insert_with(|| value.to_owned());
            }
        }
        false
    }

    /// Whether it is the one answer to one question. The child of any other must not be asked again: what it says next may
    /// be about somebody else.
    pub(crate) const fn is_plain(&self) -> bool {
        self.is_authenticated.is_some() && !self.is_odd
    }

    /// What it comes to. That winbind could not ask anybody is no verdict.
    ///
    /// # Errors
    /// Winbind, or the domain controller behind it, could not be asked.
    pub(crate) fn verdict(self, account: Account) -> Result<LogonVerdict, Error> {
        match self.is_authenticated.filter(|_| !self.is_odd) {
            Some(true) => {
                let key = self.session_key.ok_or_else(|| {
                    unavailable(&"it gives no keys: is this user in the group of winbind's privileged pipe?")
                })?;
                Ok(LogonVerdict::Proven { account, session_key: Secret::new(*key) })
            }
            Some(false) if !self.is_about_the_domain() => {
                tracing::debug!(why = ?self.error, "winbind denied a logon");
                Ok(LogonVerdict::Denied)
            }
            _ => Err(unavailable(&self.error.as_deref().unwrap_or("its answer says nothing"))),
        }
    }

    /// Whether the logon failed because nobody could be asked.
    fn is_about_the_domain(&self) -> bool {
        const NOBODY: [&str; 6] = [
            "NO_LOGON_SERVERS",
            "DOMAIN_CONTROLLER_NOT_FOUND",
            "CANT_ACCESS_DOMAIN_INFO",
            "TRUSTED_DOMAIN_FAILURE",
            "IO_TIMEOUT",
            "winbind",
        ];
        let error = self.error.as_deref().unwrap_or_default();
        NOBODY.iter().any(|nobody| error.contains(nobody))
    }
}

fn key(digits: &str) -> Option<Zeroizing<[u8; 16]>> {
    let mut key = Zeroizing::new([0; 16]);
    if digits.len() != 32 || !digits.is_ascii() {
        return None;
    }
    for (byte, at) in key.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(digits.get(at..at + 2)?, 16).ok()?;
    }
    Some(key)
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|digit| char::from_digit(u32::from(digit), 16))
        .collect()
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let mut word = [0; 4];
        word.iter_mut().skip(1).zip(three).for_each(|(to, from)| *to = *from);
        let bits = u32::from_be_bytes(word);
        for place in 0..4 {
            let digit = usize::try_from(bits >> (18 - 6 * place) & 63).unwrap_or_default();
            let digit = DIGITS.get(digit).copied().filter(|_| place <= three.len());
            out.push(digit.map_or('=', char::from));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use sspi_core::SecStatus;

    fn alice() -> Account {
        Account { name: "alice".into(), domain: Some("CORP".into()), ..Account::default() }
    }

    fn answer(lines: &str) -> Answer {
        let mut answer = Answer::default();
        let whole: Vec<bool> = lines.lines().map(|line| answer.line(line)).collect();
        assert_eq!(whole.iter().position(|whole| *whole), Some(whole.len() - 1));
        answer
    }

    #[test]
    fn a_question_has_no_line_of_the_clients_making() {
        let asked = question(("alice\n.\nUsername: bob", "CORP"), &[1; 8], &[0xab; 24], &[0; 24]);
        assert_eq!(
            asked,
            "LANMAN-Challenge: 0101010101010101\nNT-Response: abababababababababababababababababababababababab\n\
             Username:: YWxpY2UKLgpVc2VybmFtZTogYm9i\nNT-Domain:: Q09SUA==\nRequest-User-Session-Key: Yes\n.\n"
        );
        assert_eq!(["", "f", "fo", "foo"].map(|text| base64(text.as_bytes())), ["", "Zg==", "Zm8=", "Zm9v"]);
    }

    #[test]
    fn a_weaker_response_is_asked_about_only_if_it_is_whole_and_nothing_better_is_there() {
        let asks = |nt: &[u8], lm: &[u8]| question(("alice", "CORP"), &[1; 8], nt, lm);
        assert!(asks(&[], &[2; 24]).contains("LANMAN-Response"));
        assert!(asks(&[1; 24], &[2; 24]).contains("LANMAN-Response"));
        for (nt, lm) in [(24, 3), (24, 23), (24, 25), (40, 24)] {
            let asked = asks(&vec![1; nt], &vec![2; lm]);
            assert!(!asked.contains("LANMAN-Response") && asked.contains("NT-Response"), "{nt} {lm}");
        }
        assert!(is_askable(&[1; 40], &[]) && is_askable(&[1; 24], &[0; 24]) && is_askable(&[], &[1; 24]));
        for (nt, lm) in
            [(&[1; 24][..], &[1; 3][..]), (&[0; 24], &[1; 24]), (&[], &[0; 24]), (&[], &[]), (&[1; 3], &[])]
        {
            assert!(!is_askable(nt, lm), "{nt:?} {lm:?}");
        }
    }

    #[test]
    fn two_answers_in_one_are_none() {
        for lines in [
            "Error: hex decode of LANMAN-Response failed!\nAuthenticated: Yes\nUser-Session-Key: 8DE40CCADBC14A82F15CB0AD0DE95CA3\n.",
            "Authenticated: No\nAuthenticated: Yes\nUser-Session-Key: 8DE40CCADBC14A82F15CB0AD0DE95CA3\n.",
            "Authenticated: Yes\nUser-Session-Key: 8DE40CCADBC14A82F15CB0AD0DE95CA3\nWhat: else\n.",
        ] {
            let answer = answer(lines);
            assert!(!answer.is_plain());
            answer.verdict(alice()).unwrap_err();
        }
    }

    #[test]
    fn an_answer_is_a_key_or_a_denial() {
        let yes = answer("Authenticated: Yes\nUser-Session-Key: 8DE40CCADBC14A82F15CB0AD0DE95CA3\n.");
        let LogonVerdict::Proven { account, session_key } = yes.verdict(alice()).unwrap() else { panic!() };
        assert_eq!((account.name.as_str(), session_key.expose_secret()[0]), ("alice", 0x8d));
        let no = answer("Authenticated: No\nAuthentication-Error: NT_STATUS_WRONG_PASSWORD\n.");
        assert!(matches!(no.verdict(alice()).unwrap(), LogonVerdict::Denied));
    }

    #[test]
    fn the_second_point_behind_a_denial_is_not_the_next_answer() {
        let yes = answer(".\nAuthenticated: Yes\nUser-Session-Key: 8DE40CCADBC14A82F15CB0AD0DE95CA3\n.");
        assert!(matches!(yes.verdict(alice()).unwrap(), LogonVerdict::Proven { .. }));
    }

    #[test]
    fn that_nobody_could_be_asked_is_no_denial() {
        for lines in [
            "Authenticated: No\nAuthentication-Error: NT_STATUS_NO_LOGON_SERVERS\n.",
            "Authenticated: No\nAuthentication-Error: Reading winbind reply failed! (0xc0000001)\n.",
            "Authenticated: Yes\n.",
            "Error: something\n.",
        ] {
            let error = answer(lines).verdict(alice()).unwrap_err();
            assert_eq!(error.status(), SecStatus::SEC_E_NO_AUTHENTICATING_AUTHORITY, "{lines}");
        }
    }
}
