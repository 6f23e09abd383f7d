//! `explain`: what a token, a status or an alert is, in a sentence; what was offered; and which setting matters.

mod status;
mod token;
mod told;

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use crate::exit::Failure;
use crate::given;
use crate::print::{Channel, Printer, Style};

/// The arguments of `explain`.
#[derive(Debug, Args)]
#[command(after_help = "\
What can be explained:
  a status  SEC_E_LOGON_DENIED, 0x8009030C, -2146893044
  an alert  handshake_failure, 40, 'SSL alert number 40', 'Received fatal alert: unknown_ca'
  an error  NO-CIPHER-ERROR, 'ssl2 error 1', PCT_ERR_SPECS_MISMATCH, 'pct error 6'
  a token   of NTLM, SPNEGO, Kerberos or Digest: hexadecimal, base64, or a line of an HTTP header
  a flight  a hello, an alert or an error of TLS, SSL or PCT, as it is on the wire: the same

Nothing secret of a token is shown. `opensspi token decode` shows all of its fields, and with
--reveal and --password what a password could be guessed with, too.

Examples:
  opensspi explain SEC_E_LOGON_DENIED
  opensspi explain alert 40
  opensspi explain TlRMTVNTUAABAAAAB4IIogAAAAAAAAAAAAAAAAAAAAAKAGNFAAAADw==
  opensspi explain 'WWW-Authenticate: Digest realm=\"a\", nonce=\"b\", qop=\"auth\"'
  opensspi explain 801c01000200030000001001008007070707070707070707070707070707
  curl -sv --negotiate -u : http://host/ 2>&1 | grep -i '^> auth' | tail -1 | opensspi explain

Exit codes:
  0  all went well
  2  usage: it is nothing of these
  4  it is a token, and one that breaks its format; what can be read of it is explained")]
pub(crate) struct Explain {
    /// What is to be explained; without it, and without a file, it is read from the input.
    #[arg(value_name = "TOKEN|STATUS|ALERT", conflicts_with = "file", allow_negative_numbers = true)]
    what: Vec<String>,
    /// A file with a token, in any of these forms or as its bytes.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

/// What something is.
#[derive(Debug, Default, PartialEq, Eq)]
struct Explanation {
    /// `status`, `alert`, `error` or `token`.
    kind: &'static str,
    /// What it is called.
    name: String,
    /// Its number, if it is one.
    number: Option<i64>,
    /// What it is: the end of a sentence that begins with its name.
    sentence: String,
    /// What was offered, or asked for, or said: each with what it is.
    offered: Vec<(&'static str, String)>,
    /// The settings that matter, the one that matters most first, each with why.
    settings: Vec<Setting>,
    /// What is wrong with it.
    wrong: Option<String>,
}

/// A setting, as a configuration names it, and why it matters.
type Setting = (&'static str, String);

/// Settings of a table.
fn settings(rows: &[(&'static str, &str)]) -> Vec<Setting> {
    rows.iter().map(|(name, why)| (*name, (*why).to_owned())).collect()
}

impl Explain {
    pub(crate) fn run(&self, printer: &Printer) -> Result<(), Failure> {
        let what = Some(self.what.join(" ")).filter(|what| !what.is_empty());
        let explanation = explain(&given::bytes(what, self.file.as_deref())?)?;
        explanation.print(printer);
        match explanation.wrong {
            Some(wrong) => Err(Failure::protocol(wrong)),
            None => Ok(()),
        }
    }
}

/// What it is. A word or a number that is a status or an alert is none of a token: those are longer.
fn explain(given: &[u8]) -> Result<Explanation, Failure> {
    let text = str::from_utf8(given).map(str::trim).unwrap_or_default();
    if let Some(explanation) = told::explain(text).or_else(|| status::explain(text)) {
        return Ok(explanation);
    }
    let no_token = match token::explain(given) {
        Ok(explanation) => return Ok(explanation),
        Err(why) => why,
    };
    if let Some(near) = status::unknown(text) {
        return Err(Failure::usage(near));
    }
    let word = text.split_whitespace().last().unwrap_or_default();
    let is_a_word =
        word.len() <= LONGEST_NAME && word.chars().all(|c| c.is_alphanumeric() || "_-".contains(c));
    let meant = is_a_word.then(|| opensspi::nearest(word, status::names().chain(told::names()))).flatten();
    Err(Failure::usage(match meant {
        Some(meant) => format!("there is no status and no alert {word:?}; did you mean {meant:?}?"),
        None => format!(
            "it is no status (SEC_E_LOGON_DENIED, 0x8009030C), no alert (handshake_failure, 40), and no token: {no_token}"
        ),
    }))
}

/// No name of a status or of an alert is longer.
const LONGEST_NAME: usize = 48;

impl Explanation {
    fn print(&self, printer: &Printer) {
        let offered =
            self.offered.iter().map(|(what, value)| ((*what).to_owned(), Value::from(value.as_str())));
        let settings = self.settings.iter().map(|(name, why)| json!({ "setting": name, "why": why }));
        printer.object(&json!({
            "kind": self.kind,
            "name": self.name,
            "number": self.number,
            "sentence": format!("{} {}.", self.name, self.sentence),
            "offered": offered.collect::<serde_json::Map<_, _>>(),
            "settings": settings.collect::<Vec<_>>(),
            "error": self.wrong,
        }));
        let out = Channel::Out;
        let name = printer.styled(out, Style::Bold, &self.name);
        printer.line(out, format_args!("{name} {}.", self.sentence));
        for (what, value) in &self.offered {
            printer.field(out, what, value);
        }
        for (index, (name, why)) in self.settings.iter().enumerate() {
            let label = match (index, self.settings.len()) {
                (0, 1) => "setting",
                (0, _) => "settings",
                _ => "",
            };
            printer.field(out, label, format_args!("{}: {why}", printer.styled(out, Style::Cyan, name)));
        }
        if self.settings.is_empty() {
            printer.field(out, "setting", "none changes it");
        }
    }
}

#[cfg(test)]
mod tests;
