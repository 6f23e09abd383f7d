//! Whether a password is the one that a token proves, and what keys come of it.

use opensspi::ExitClass;
use opensspi::tokens::digest::Checked;
use opensspi::tokens::digest::challenge::Dialect;
use opensspi::tokens::digest::response::Response;
use opensspi::tokens::ntlm::{Derived, NtHash};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::input::{Content, DigestMessage, Input};
use super::spnego::ntlm_in;
use crate::exit::Failure;
use crate::print::{Channel, Printer, Style, hex};

/// What a token is checked against.
pub(super) struct Asked<'a> {
    pub(super) password: Zeroizing<String>,
    pub(super) challenge: Option<Input>,
    pub(super) negotiate: Option<Input>,
    pub(super) method: &'a str,
    pub(super) user: Option<&'a str>,
}

/// What came of it.
pub(super) struct Check {
    is_proven: bool,
    /// Whether the MIC is right, where there is one that can be checked.
    is_mic_right: Option<bool>,
    keys: Vec<(&'static str, Zeroizing<String>)>,
}

/// A password, from where the reference says.
///
/// # Errors
/// There is no such variable, the file cannot be read, or it is no reference.
pub(super) fn password(reference: &str) -> Result<Zeroizing<String>, Failure> {
    let wrong = |what: String| Failure::usage(format!("the password cannot be read: {what}"));
    if let Some(name) = reference.strip_prefix("env:") {
        return std::env::var(name).map(Zeroizing::new).map_err(|error| wrong(format!("{name}: {error}")));
    }
    let Some(file) = reference.strip_prefix("file:") else {
        // Everybody on the machine can read it there.
        return Err(Failure::usage("a password is not written on a command line: env:NAME, or file:PATH"));
    };
    let text = std::fs::read_to_string(file).map_err(|error| wrong(format!("{file}: {error}")))?;
    let text = Zeroizing::new(text);
    let line = text.strip_suffix('\n').unwrap_or(&text);
    Ok(Zeroizing::new(line.strip_suffix('\r').unwrap_or(line).to_owned()))
}

impl Check {
    /// # Errors
    /// The token proves nothing, what it answers was not given, or one of them cannot be read.
    pub(super) fn of(input: &Input, asked: &Asked<'_>) -> Result<Self, Failure> {
        match &input.content {
            Content::Digest { value, message: DigestMessage::Response { is_sasl } } => {
                Self::digest(value, *is_sasl, asked)
            }
            Content::Bytes(bytes) => match ntlm_in(bytes) {
                Some(authenticate) => Self::ntlm(authenticate, asked),
                None => Err(Failure::usage("there is no answer in it that a password could be checked with")),
            },
            _ => Err(Failure::usage("there is no answer in it that a password could be checked with")),
        }
    }

    /// Of a password that is not proven there are no keys: they are nobody's, and say something of that password.
    fn new(
        is_proven: bool,
        is_mic_right: Option<bool>,
        mut keys: Vec<(&'static str, Zeroizing<String>)>,
    ) -> Self {
        keys.retain(|_| is_proven);
        Self { is_proven, is_mic_right, keys }
    }

    fn digest(value: &[u8], is_sasl: bool, asked: &Asked<'_>) -> Result<Self, Failure> {
        let (dialect, response) = if is_sasl {
            (Dialect::Sasl, Response::from_sasl(value))
        } else {
            (Dialect::Http, Response::from_http(value))
        };
        let response = response.map_err(|error| Failure::protocol(error.to_string()))?;
        let checked = Checked::of(dialect, &response, asked.user, &asked.password, asked.method);
        let checked = checked.ok_or_else(|| {
            Failure::usage(
                "the proof is also over the request's body (auth-int), or the name is hashed (--user)",
            )
        })?;
        let keys = vec![("H(A1)", Zeroizing::new(hex(&checked.ha1)))];
        Ok(Self::new(checked.is_proven, None, keys))
    }

    fn ntlm(authenticate: &[u8], asked: &Asked<'_>) -> Result<Self, Failure> {
        let Some(challenge) = &asked.challenge else {
            return Err(Failure::usage(
                "an answer of NTLM is checked with the challenge that it is for: --challenge",
            ));
        };
        let message = |input: &Input, what: &str| {
            let found = input.bytes().and_then(ntlm_in).map(<[u8]>::to_vec);
            found.ok_or_else(|| Failure::usage(format!("{what} is no message of NTLM")))
        };
        let challenge = message(challenge, "--challenge")?;
        let negotiate = asked.negotiate.as_ref().map(|input| message(input, "--negotiate")).transpose()?;
        let hash = NtHash::of_password(&asked.password);
        let derived = Derived::of(&hash, negotiate.as_deref(), &challenge, authenticate)
            .map_err(|error| Failure::protocol(format!("only answers of version 2 are checked: {error}")))?;
        let shown = |name, key: &[u8; 16]| (name, Zeroizing::new(hex(key)));
        let mut keys = vec![
            shown("ResponseKeyNT", &derived.response_key),
            shown("SessionBaseKey", &derived.session_base_key),
            shown("ExportedSessionKey", &derived.exported_session_key),
        ];
        if let Some([client, server]) = &derived.directions {
            keys.extend([
                shown("ClientSigningKey", &client.sign),
                shown("ClientSealingKey", &client.seal),
                shown("ServerSigningKey", &server.sign),
                shown("ServerSealingKey", &server.seal),
            ]);
        }
        Ok(Self::new(derived.is_proven, derived.is_mic_right, keys))
    }

    pub(super) fn object(&self) -> Value {
        let keys = self.keys.iter().map(|(name, key)| ((*name).to_owned(), Value::from(key.as_str())));
        json!({
            "password": self.is_proven,
            "mic": self.is_mic_right,
            "keys": keys.collect::<serde_json::Map<_, _>>(),
        })
    }

    pub(super) fn print(&self, printer: &Printer) {
        let out = Channel::Out;
        let say = |is_right: bool, right: &str, wrong: &str| {
            let (style, mark, text) =
                if is_right { (Style::Green, "✓", right) } else { (Style::Red, "✗", wrong) };
            printer.line(out, format_args!("{} {text}", printer.styled(out, style, mark)));
        };
        say(
            self.is_proven,
            "the password is the one that the token proves",
            "the password is not the one that the token proves",
        );
        if let Some(is_right) = self.is_mic_right {
            say(is_right, "the MIC is right", "the MIC is not that of these messages");
        }
        for (name, key) in &self.keys {
            printer.line(out, format_args!("  {:<20}{}", name, key.as_str()));
        }
    }

    /// Why the verb fails, if it does; it was told already.
    pub(super) fn failure(&self) -> Option<Failure> {
        let is_right = self.is_proven && self.is_mic_right != Some(false);
        (!is_right).then(|| Failure::new(ExitClass::Policy, "the token is not this password's").told())
    }
}
