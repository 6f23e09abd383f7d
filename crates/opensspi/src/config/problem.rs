//! What is wrong with a configuration: the place, and a sentence.

use std::ops::Range;
use std::{fmt, io};

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::nearest::nearest;

/// One mistake in a configuration.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConfigProblem {
    /// The line, from 1; 0 where the problem has no place.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// The key that it is about, in full (`schannel.protocols`); empty where it is about none.
    pub key: String,
    /// What is wrong, and what was probably meant.
    pub message: String,
}

/// Everything that is wrong with a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigProblems {
    name: String,
    problems: Vec<ConfigProblem>,
}

impl ConfigProblems {
    pub(super) fn new(name: &str, mut problems: Vec<ConfigProblem>) -> Self {
        problems.sort();
        Self { name: name.to_owned(), problems }
    }

    pub(super) fn unreadable(name: &str, error: &io::Error) -> Self {
        Self::unreadable_as("configuration", name, error)
    }

    /// A file of another kind.
    pub(super) fn unreadable_as(what: &str, name: &str, error: &io::Error) -> Self {
        let message = format!("the {what} cannot be read: {error}");
        Self::new(name, vec![ConfigProblem { line: 0, column: 0, key: String::new(), message }])
    }

    /// A file with passwords that cannot be read.
    #[cfg(all(feature = "tokio", feature = "ntlm"))]
    pub(crate) fn unreadable_logons(name: &str, error: &io::Error) -> Self {
        Self::unreadable_as("file with passwords", name, error)
    }

    /// One more.
    #[cfg(feature = "tokio")]
    pub(super) fn add(&mut self, problem: ConfigProblem) {
        self.problems.push(problem);
        self.problems.sort();
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.problems.is_empty()
    }

    /// The mistakes, in the order of the lines.
    pub fn iter(&self) -> impl Iterator<Item = &ConfigProblem> {
        self.problems.iter()
    }

    /// A mistake as it is printed: `FILE:LINE:COLUMN: what is wrong`.
    #[must_use]
    pub fn describe(&self, problem: &ConfigProblem) -> String {
        match problem {
            ConfigProblem { line: 0, message, .. } => format!("{}: {message}", self.name),
            ConfigProblem { line, column, message, .. } => {
                format!("{}:{line}:{column}: {message}", self.name)
            }
        }
    }
}

impl fmt::Display for ConfigProblems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.problems.iter().enumerate() {
            write!(f, "{}{}", if i == 0 { "" } else { "\n" }, self.describe(problem))?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigProblems {}

/// Turns places in the text into lines and columns, and a parser's complaints into sentences.
pub(super) struct Locator<'a> {
    text: &'a str,
}

impl<'a> Locator<'a> {
    pub(super) const fn new(text: &'a str) -> Self {
        Self { text }
    }

    /// A problem at a byte of the text.
    pub(super) fn problem(&self, offset: usize, path: &[Segment], message: String) -> ConfigProblem {
        let before = self.text.get(..offset).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
        let line = before.matches('\n').count() + 1;
        ConfigProblem { line, column, key: full_key(path), message }
    }

    /// A mistake in TOML itself.
    pub(super) fn syntax(&self, error: &toml::de::Error) -> ConfigProblem {
        let message = error.message().replace('\n', "; ");
        self.problem(error.span().map_or(0, |span| span.start), &[], message)
    }

    /// A mistake in what the TOML says. The entry that it is about is taken out of the table; `false` where there is none.
    pub(super) fn semantic(&self, error: &toml::de::Error, table: &mut DeTable<'_>) -> (ConfigProblem, bool) {
        let span = error.span().unwrap_or_default();
        let mut path = Vec::new();
        let removed = remove_from_table(table, &span, &mut path);
        (self.problem(span.start, &path, sentence(error.message(), &path)), removed)
    }
}

/// A step on the way to a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Segment {
    Key(String),
    Index(usize),
}

/// Takes the innermost entry that holds the span out of the table, and says where it was.
fn remove_from_table(table: &mut DeTable<'_>, span: &Range<usize>, path: &mut Vec<Segment>) -> bool {
    let Some(key) = table
        .iter()
        .find(|(key, value)| covers(&key.span(), span) || holds(value, span))
        .map(|(key, _)| key.clone())
    else {
        return false;
    };
    path.push(Segment::Key(key.get_ref().to_string()));
    let inside = !covers(&key.span(), span)
        && table.get_mut(key.get_ref().as_ref()).is_some_and(|value| remove_inside(value, span, path));
    inside || table.remove(key.get_ref().as_ref()).is_some()
}

/// Takes the innermost entry that holds the span out of the value; `false` where the span is the value itself.
fn remove_inside(value: &mut Spanned<DeValue<'_>>, span: &Range<usize>, path: &mut Vec<Segment>) -> bool {
    match value.get_mut() {
        DeValue::Table(table) => remove_from_table(table, span, path),
        DeValue::Array(array) => remove_from_array(array, span, path),
        _ => false,
    }
}

fn remove_from_array(array: &mut DeArray<'_>, span: &Range<usize>, path: &mut Vec<Segment>) -> bool {
    let Some(index) = array.iter().position(|value| holds(value, span)) else { return false };
    path.push(Segment::Index(index));
    if !array.get_mut(index).is_some_and(|value| remove_inside(value, span, path)) {
        *array =
            array.iter().enumerate().filter(|(i, _)| *i != index).map(|(_, value)| value.clone()).collect();
    }
    true
}

/// Whether the value, or anything in it, holds the span: the span of a `[table]` is that of its header alone.
fn holds(value: &Spanned<DeValue<'_>>, span: &Range<usize>) -> bool {
    covers(&value.span(), span)
        || match value.get_ref() {
            DeValue::Table(table) => {
                table.iter().any(|(key, value)| covers(&key.span(), span) || holds(value, span))
            }
            DeValue::Array(array) => array.iter().any(|value| holds(value, span)),
            _ => false,
        }
}

fn covers(outer: &Range<usize>, inner: &Range<usize>) -> bool {
    outer.start <= inner.start && inner.end <= outer.end && !outer.is_empty()
}

/// `schannel.certificates[0].key`.
pub(super) fn full_key(path: &[Segment]) -> String {
    let mut out = String::new();
    for segment in path {
        match segment {
            Segment::Key(key) if out.is_empty() => out.push_str(key),
            Segment::Key(key) => {
                out.push('.');
                out.push_str(key);
            }
            Segment::Index(index) => out.push_str(&format!("[{index}]")),
        }
    }
    out
}

/// `in [schannel]`, `in [[schannel.certificates]]`, `at the top level`.
fn section(path: &[Segment]) -> String {
    let keys: Vec<&str> = path
        .iter()
        .filter_map(|segment| match segment {
            Segment::Key(key) => Some(key.as_str()),
            Segment::Index(_) => None,
        })
        .collect();
    match (keys.is_empty(), path.last()) {
        (true, _) => "at the top level".to_owned(),
        (_, Some(Segment::Index(_))) => format!("in [[{}]]", keys.join(".")),
        _ => format!("in [{}]", keys.join(".")),
    }
}

/// What serde complains of, in our words and with the name that was probably meant.
fn sentence(message: &str, path: &[Segment]) -> String {
    let first_line = message.lines().next().unwrap_or_default();
    let written = quoted(first_line).next().unwrap_or_default();
    let expected = || quoted(first_line).skip(1);
    let meant = || match nearest(written, expected()) {
        Some(name) => format!("did you mean {name:?}?"),
        None => format!("there are: {}", expected().collect::<Vec<_>>().join(", ")),
    };
    let parent = path.split_last().map_or(path, |(_, parent)| parent);
    if first_line.starts_with("unknown field ") {
        format!("unknown key {written:?} {}; {}", section(parent), meant())
    } else if first_line.starts_with("unknown variant ") {
        format!("unknown value {written:?} for {:?}; {}", full_key(path), meant())
    } else if first_line.starts_with("missing field ") {
        format!("the key {written:?} is missing {}", section(path))
    } else if path.is_empty() {
        first_line.to_owned()
    } else {
        format!("{}: {first_line}", full_key(path))
    }
}

/// The words between backticks.
fn quoted(message: &str) -> impl Iterator<Item = &str> {
    message.split('`').skip(1).step_by(2)
}
