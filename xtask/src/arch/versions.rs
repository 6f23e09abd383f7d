//! The handshake of SSL 3.0 to TLS 1.2 asks no version what it is: everything in which they differ is a row of rules.

use crate::source::{SourceFile, Token};

use super::{Violation, violation};

/// The handshake that all versions share.
const HANDSHAKE: &str = "crates/legacy-tls/src/tls/";
/// Where the versions are told apart.
const RULES: &str = "crates/legacy-tls/src/tls/versions/";
/// The type of a version, whose constants are its names.
const VERSION: &str = "ProtocolVersion";
/// What a field or a variable that holds a version is called, or ends in.
const HOLDERS: [&str; 3] = ["version", "highest", "lowest"];
/// Methods that compare.
const COMPARING: [&str; 10] = ["eq", "ne", "lt", "le", "gt", "ge", "cmp", "min", "max", "clamp"];

const REASON: &str = "no version question outside versions/: a row of rules, or a method there, answers it";

/// The places of a file at which a version is compared, matched or called by its name.
pub(super) fn questions(file: &SourceFile, code: &[Token]) -> Vec<Violation> {
    if !file.path.starts_with(HANDSHAKE) || file.path.starts_with(RULES) {
        return Vec::new();
    }
    let mut found: Vec<Violation> = Vec::new();
    for at in 0..code.len() {
        let Some(does) = question(code, at) else { continue };
        let line = code.get(at).map_or(0, |token| token.line);
        let question = violation(file, line, does, REASON);
        if !found.contains(&question) {
            found.push(question);
        }
    }
    found
}

fn text(code: &[Token], at: usize) -> &str {
    code.get(at).map_or("", |token| token.text.as_str())
}

/// What the token at `at` does with a version, if it does.
fn question(code: &[Token], at: usize) -> Option<&'static str> {
    let before = at.checked_sub(1).map_or("", |before| text(code, before));
    match text(code, at) {
        VERSION if text(code, at + 1) == "::" && is_constant(text(code, at + 2)) => Some("names a version"),
        "=" if matches!(before, "=" | "!" | "<" | ">") => {
            let left = at.checked_sub(2);
            let compares = left.is_some_and(|left| ends_in_version(code, left)) || is_version(code, at + 1);
            compares.then_some("compares versions")
        }
        // A type's brackets are no comparison: what stands in them is no value that holds a version.
        "<" | ">" if text(code, at + 1) != "=" => {
            let left = at.checked_sub(1);
            let compares = left.is_some_and(|left| ends_in_version(code, left)) || is_version(code, at + 1);
            compares.then_some("compares versions")
        }
        "match" => {
            let end = (at..code.len()).find(|&at| text(code, at) == "{")?;
            ends_in_version(code, end.checked_sub(1)?).then_some("matches a version")
        }
        "matches" if text(code, at + 1) == "!" => is_version(code, at + 3).then_some("matches a version"),
        method if COMPARING.contains(&method) && before == "." => {
            ends_in_version(code, at.checked_sub(2)?).then_some("compares versions")
        }
        _ => None,
    }
}

fn is_constant(word: &str) -> bool {
    word.starts_with(|first: char| first.is_ascii_uppercase())
        && !word.chars().any(|character| character.is_ascii_lowercase())
}

fn holds_version(word: &str) -> bool {
    HOLDERS.iter().any(|holder| word.ends_with(holder))
}

/// Whether the expression that ends at `at` is a version: `rules.version`, and also `version.0`, whose number is no token.
fn ends_in_version(code: &[Token], at: usize) -> bool {
    let at = if text(code, at) == "." { at.checked_sub(1) } else { Some(at) };
    at.is_some_and(|at| {
        let is_version = holds_version(text(code, at));
        is_version || (is_constant(text(code, at)) && at >= 2 && text(code, at - 2) == VERSION)
    })
}

/// Whether the expression that begins at `at` is a version: `*other.version`, `ProtocolVersion::TLS12`.
fn is_version(code: &[Token], at: usize) -> bool {
    let begin = (at..code.len()).find(|&at| !matches!(text(code, at), "*" | "&" | "=")).unwrap_or(at);
    let mut last = begin;
    while matches!(text(code, last + 1), "." | "::") && code.get(last + 2).is_some_and(Token::is_word) {
        last += 2;
    }
    let called = text(code, last + 1) == "(";
    text(code, begin) == VERSION && text(code, begin + 1) == "::" || (!called && ends_in_version(code, last))
}
