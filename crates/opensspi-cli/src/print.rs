//! What is printed: for people, in colour where they look at a terminal; or JSON.

use std::fmt::Display;
use std::io::{self, IsTerminal as _, Write as _};

use serde_json::{Value, json};

use crate::exit::Failure;

/// Prints to stdout (results) and stderr (everything else).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Printer {
    pub(crate) json: bool,
    out_is_coloured: bool,
    err_is_coloured: bool,
}

/// How a piece of text looks on a terminal.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Style {
    Bold,
    Dim,
    Green,
    Red,
    Yellow,
    Cyan,
}

impl Style {
    const fn code(self) -> &'static str {
        match self {
            Self::Bold => "1",
            Self::Dim => "2",
            Self::Green => "32",
            Self::Red => "31",
            Self::Yellow => "33",
            Self::Cyan => "36",
        }
    }
}

/// Where a line goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Channel {
    /// stdout.
    Out,
    /// stderr.
    Err,
}

impl Printer {
    pub(crate) fn new(json: bool) -> Self {
        let wanted = !json && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self {
            json,
            out_is_coloured: wanted && io::stdout().is_terminal(),
            err_is_coloured: wanted && io::stderr().is_terminal(),
        }
    }

    pub(crate) const fn err_is_coloured(&self) -> bool {
        self.err_is_coloured
    }

    /// The text in a style, if the channel is a terminal.
    pub(crate) fn styled(&self, channel: Channel, style: Style, text: impl Display) -> String {
        let coloured = match channel {
            Channel::Out => self.out_is_coloured,
            Channel::Err => self.err_is_coloured,
        };
        if coloured { format!("\u{1b}[{}m{text}\u{1b}[0m", style.code()) } else { text.to_string() }
    }

    /// A line for people; nothing where JSON is wanted.
    pub(crate) fn line(&self, channel: Channel, text: impl Display) {
        if !self.json {
            write_line(channel, &text.to_string());
        }
    }

    /// A line `label  value`, aligned.
    pub(crate) fn field(&self, channel: Channel, label: &str, value: impl Display) {
        let label = self.styled(channel, Style::Dim, format_args!("{label:<14}"));
        self.line(channel, format_args!("  {label}{value}"));
    }

    /// A JSON object on stdout; nothing where people read.
    pub(crate) fn object(&self, object: &Value) {
        if self.json {
            write_line(Channel::Out, &object.to_string());
        }
    }

    /// Why the verb failed.
    pub(crate) fn failure(&self, failure: &Failure) {
        if failure.is_told {
            return;
        }
        self.object(&json!({
            "event": "error",
            "class": failure.class.name(),
            "exit": failure.class.code(),
            "status": failure.status,
            "setting": failure.setting,
            "message": failure.message,
        }));
        let error = self.styled(Channel::Err, Style::Red, "error");
        self.line(Channel::Err, format_args!("{error}: {}", failure.message));
    }
}

/// A reader that has gone away is no reason to fail.
fn write_line(channel: Channel, text: &str) {
    let _gone = match channel {
        Channel::Out => writeln!(io::stdout().lock(), "{text}"),
        Channel::Err => writeln!(io::stderr().lock(), "{text}"),
    };
}

/// 1234567 as `1,234,567`.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Bytes in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The first eight bytes in hexadecimal, and a mark where there are more.
pub(crate) fn short_hex(bytes: &[u8]) -> String {
    let shown = hex(bytes.get(..8).unwrap_or(bytes));
    if bytes.len() > 8 { format!("{shown}…") } else { shown }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(thousands(number), text);
        }
    }

    #[test]
    fn long_bytes_are_cut() {
        assert_eq!(short_hex(&[1, 2]), "0102");
        assert_eq!(short_hex(&[0xab; 9]), "abababababababab…");
    }
}
