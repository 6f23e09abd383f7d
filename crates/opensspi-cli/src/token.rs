//! `token`: what a token of NTLM, SPNEGO or Digest says, or a hello of TLS, SSL or PCT, byte by byte.

mod check;
mod digest;
mod input;
mod kerberos;
mod layout;
mod ntlm;
mod spnego;
mod table;
#[cfg(test)]
mod tests;
mod tls;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use opensspi::tokens::tls::Flight;
use serde_json::json;

use self::check::{Asked, Check};
use self::input::{Content, Input};
pub(crate) use self::table::{Table, Wrong};
use crate::exit::Failure;
use crate::given;
use crate::print::{Channel, Printer, Style};

/// The arguments of `token`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  opensspi token decode TlRMTVNTUAABAAAAB4IIogAAAAAAAAAAAAAAAAAAAAAKAGNFAAAADw==
  opensspi token decode --help                what else can be read, and how a password is checked

Exit codes:
  0  all went well
  1  the password is not the one that the token proves, or the MIC is wrong
  2  usage: there is no token in it, or the password cannot be read
  4  it is a token, and one that breaks its format; what can be read of it is printed")]
pub(crate) struct Token {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Print what a token says: offset, length, field, value and meaning of everything in it.
    Decode(Decode),
}

/// The arguments of `token decode`.
#[derive(Debug, Args)]
#[command(after_help = "\
A token is hexadecimal, base64, a line of an HTTP header, or a file with its bytes. What it is, is
told by what is in it: NTLM, SPNEGO with whatever it carries, Digest of HTTP or SASL, or what of TLS,
SSL or PCT travels in clear: hellos, alerts, errors.

What a password can be guessed with, or a session read with, is not shown: responses, MICs and
session keys. --reveal and --password show them, neither of the two alone. Then it is also said
whether the password is the one that the answer proves, and the keys that come of it are printed;
an answer of NTLM is checked with the challenge that it is for. The challenge of a server is no
secret, and always shown.

Examples:
  opensspi token decode TlRMTVNTUAABAAAAB4IIogAAAAAAAAAAAAAAAAAAAAAKAGNFAAAADw==
  opensspi token decode 'WWW-Authenticate: Digest realm=\"a\", nonce=\"b\", qop=\"auth\"'
  curl -sv --ntlm -u alice: http://host/ 2>&1 | grep -i '^> auth' | tail -1 | opensspi token decode
  opensspi token decode --file token.bin --json
  opensspi token decode \"$AUTHENTICATE\" --reveal --password env:PASSWORD --challenge \"$CHALLENGE\"

Exit codes:
  0  all went well
  1  the password is not the one that the token proves, or the MIC is wrong
  2  usage: there is no token in it, or the password cannot be read
  4  it is a token, and one that breaks its format; what can be read of it is printed")]
struct Decode {
    /// The token; without it, and without a file, it is read from the input.
    #[arg(value_name = "TOKEN", conflicts_with = "file")]
    token: Option<String>,
    /// A file with the token, in any of these forms.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Show what can be used to guess the password or to read the session; takes --password.
    #[arg(long)]
    reveal: bool,
    /// Check the answer against a password, which is in env:NAME or file:PATH; takes --reveal.
    #[arg(long, value_name = "REFERENCE", requires = "reveal")]
    password: Option<String>,
    /// The challenge that an NTLM answer is for, as a token.
    #[arg(long, value_name = "TOKEN", requires = "password")]
    challenge: Option<String>,
    /// The first message of NTLM, as a token: its MIC is over it, too.
    #[arg(long, value_name = "TOKEN", requires = "challenge")]
    negotiate: Option<String>,
    /// The method of the request that a Digest answer is for.
    #[arg(long, value_name = "METHOD", default_value = "GET")]
    method: String,
    /// The user, where a Digest answer has only a hash of the name.
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
}

impl Token {
    pub(crate) fn run(&self, printer: &Printer) -> Result<(), Failure> {
        let What::Decode(decode) = &self.what;
        decode.run(printer)
    }
}

/// What a token says, and what is wrong with it.
pub(crate) struct Decoded {
    /// What it is, such as `NTLM CHALLENGE`.
    pub(crate) kind: String,
    /// Everything in it.
    pub(crate) table: Table,
    /// What is wrong with it.
    pub(crate) wrong: Option<Wrong>,
    /// What it offers, where it is of TLS, SSL or PCT.
    pub(crate) flight: Option<Flight>,
}

/// What a token says, however it is written.
///
/// # Errors
/// There is no token in it; the sentence says what was looked for.
pub(crate) fn said(given: &[u8]) -> Result<Decoded, String> {
    Input::read(given).map(|input| decode(&input))
}

impl Decode {
    fn run(&self, printer: &Printer) -> Result<(), Failure> {
        let input =
            Input::read(&given::bytes(self.token.clone(), self.file.as_deref())?).map_err(Failure::usage)?;
        let decoded = decode(&input);
        let asked = self.password.as_deref().map(|password| self.asked(password)).transpose()?;
        let check = asked.map(|asked| Check::of(&input, &asked));
        self.tell(printer, &input, &decoded, check.as_ref().and_then(|check| check.as_ref().ok()));
        if let Some(wrong) = &decoded.wrong {
            return Err(Failure::protocol(wrong.to_string()));
        }
        match check.transpose()?.as_ref().and_then(Check::failure) {
            Some(failure) => Err(failure),
            None => Ok(()),
        }
    }

    fn asked(&self, password: &str) -> Result<Asked<'_>, Failure> {
        let other = |token: &Option<String>, what: &str| {
            let read = token.as_ref().map(|token| Input::read(token.as_bytes())).transpose();
            read.map_err(|message| Failure::usage(format!("{what}: {message}")))
        };
        Ok(Asked {
            password: check::password(password)?,
            challenge: other(&self.challenge, "--challenge")?,
            negotiate: other(&self.negotiate, "--negotiate")?,
            method: &self.method,
            user: self.user.as_deref(),
        })
    }

    /// Whether what is secret is shown.
    const fn reveals(&self) -> bool {
        self.reveal && self.password.is_some()
    }

    fn tell(&self, printer: &Printer, input: &Input, decoded: &Decoded, check: Option<&Check>) {
        printer.object(&json!({
            "token": decoded.kind,
            "form": input.form,
            "header": input.header,
            "bytes": input.len(),
            "fields": decoded.table.objects(self.reveals()),
            "error": decoded.wrong.as_ref().map(Wrong::object),
            "check": check.map(Check::object),
        }));
        let out = Channel::Out;
        let kind = printer.styled(out, Style::Bold, &decoded.kind);
        let header = input.header.map(|header| format!(", {header}")).unwrap_or_default();
        printer.line(out, format_args!("{kind}  {} bytes, {}{header}", input.len(), input.form));
        decoded.table.print(printer, self.reveals());
        if let Some(check) = check {
            check.print(printer);
        }
    }
}

/// What the token says.
fn decode(input: &Input) -> Decoded {
    match &input.content {
        Content::Bytes(bytes) => decode_bytes(bytes),
        Content::Digest { value, message } => digest::decode(value, *message),
        Content::Nothing { scheme } => Decoded {
            kind: format!("the name of the scheme {scheme}, without a token"),
            table: Table::default(),
            wrong: None,
            flight: None,
        },
    }
}

fn decode_bytes(bytes: &[u8]) -> Decoded {
    let mut table = Table::default();
    let (kind, result) = if ntlm::is_one(bytes) {
        (ntlm::kind(bytes), ntlm::rows(&mut table, bytes, 0, 0))
    } else if spnego::is_one(bytes) {
        (spnego::kind(bytes), spnego::rows(&mut table, bytes))
    } else if let Some((kind, _)) = kerberos::kind(bytes).filter(|_| kerberos::is_one(bytes)) {
        kerberos::rows(&mut table, bytes);
        (kind.to_owned(), Ok(()))
    } else {
        return tls::decode(bytes);
    };
    Decoded { kind, table, wrong: result.err(), flight: None }
}
