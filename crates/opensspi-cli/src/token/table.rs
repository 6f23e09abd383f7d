//! The table that a token becomes: a row for each field, and what is wrong with it.

use std::fmt;

use opensspi::harmless;
use serde_json::{Value, json};

use crate::print::{Channel, Printer, Style, hex};

/// A field of a token.
#[derive(Clone, Debug)]
pub(super) struct Row {
    /// How deep it lies in others.
    depth: usize,
    /// Where it lies, if it lies anywhere: from the first byte of the token, and how many bytes.
    place: Option<(usize, usize)>,
    field: String,
    /// Its value; harmless.
    value: String,
    /// What that means; ours.
    meaning: String,
    is_secret: bool,
    /// Its value says how much there is, and nothing of the bytes.
    is_summary: bool,
}

/// The rows of a token, in their order.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: Vec<Row>,
}

/// Where a row is put.
#[derive(Clone, Copy, Debug)]
pub(super) struct At {
    pub(super) depth: usize,
    pub(super) offset: usize,
    pub(super) len: usize,
}

/// The most bytes of a value that are written out.
const SHOWN_BYTES: usize = 64;

/// The most columns that a field's name, or a value, is padded to.
const WIDEST: usize = 44;

impl Table {
    fn push(&mut self, at: At, field: &str, value: String, meaning: &str, is_secret: bool) {
        let row = Row {
            depth: at.depth,
            place: Some((at.offset, at.len)),
            field: harmless(field),
            value,
            meaning: meaning.to_owned(),
            is_secret,
            is_summary: false,
        };
        self.rows.push(row);
    }

    /// The length of something whose parts have rows of their own.
    pub(super) fn summary(&mut self, at: At, field: &str, len: usize, meaning: &str) {
        self.value(at, field, format_args!("{len} bytes"), meaning);
        if let Some(row) = self.rows.last_mut() {
            row.is_summary = true;
        }
    }

    /// How many rows there are.
    pub(super) const fn len(&self) -> usize {
        self.rows.len()
    }

    /// Makes a secret of every row from this one on whose bytes are in one of these places, too: who wrote the token may
    /// have let a harmless field point there. Flags of such a field are left out.
    pub(super) fn conceal(&mut self, from: usize, places: &[(usize, usize)]) {
        let ends = |(offset, len): (usize, usize)| (offset, offset.saturating_add(len));
        let meets = |place: (usize, usize)| {
            let (begin, end) = ends(place);
            places.iter().map(|place| ends(*place)).any(|(first, last)| begin < last && first < end)
        };
        let (mut at, mut is_concealed) = (0, false);
        self.rows.retain_mut(|row| {
            let is_before = at < from;
            at += 1;
            if is_before {
                return true;
            }
            let Some(place) = row.place else { return !is_concealed };
            is_concealed = !row.is_secret && !row.is_summary && meets(place);
            row.is_secret |= is_concealed;
            true
        });
    }

    /// A value of ours, such as a number.
    pub(super) fn value(&mut self, at: At, field: &str, value: impl fmt::Display, meaning: &str) {
        self.push(at, field, value.to_string(), meaning, false);
    }

    /// A text of a peer.
    pub(super) fn text(&mut self, at: At, field: &str, text: &str, meaning: &str) {
        self.push(at, field, format!("\"{}\"", harmless(text)), meaning, false);
    }

    /// Bytes.
    pub(super) fn bytes(&mut self, at: At, field: &str, bytes: &[u8], meaning: &str) {
        self.push(at, field, shown(bytes), meaning, false);
    }

    /// Bytes that are shown on demand only.
    pub(super) fn secret(&mut self, at: At, field: &str, bytes: &[u8], meaning: &str) {
        self.push(at, field, shown(bytes), meaning, !bytes.is_empty());
    }

    /// A text that is shown on demand only.
    pub(super) fn secret_text(&mut self, at: At, field: &str, text: &str, meaning: &str) {
        self.push(at, field, format!("\"{}\"", harmless(text)), meaning, true);
    }

    /// A value whose place is not told.
    pub(super) fn unplaced(&mut self, field: &str, value: String, meaning: &str) {
        self.note(0, field, meaning);
        if let Some(row) = self.rows.last_mut() {
            row.value = value;
        }
    }

    /// Something that has no bytes of its own, such as a flag.
    pub(super) fn note(&mut self, depth: usize, field: &str, meaning: &str) {
        let row = Row {
            depth,
            place: None,
            field: field.to_owned(),
            value: String::new(),
            meaning: meaning.to_owned(),
            is_secret: false,
            is_summary: false,
        };
        self.rows.push(row);
    }

    pub(super) fn objects(&self, reveal: bool) -> Vec<Value> {
        let object = |row: &Row| {
            let is_hidden = row.is_secret && !reveal;
            json!({
                "offset": row.place.map(|(offset, _)| offset),
                "length": row.place.map(|(_, length)| length),
                "depth": row.depth,
                "field": row.field,
                "value": (!is_hidden).then_some(&row.value),
                "hidden": is_hidden,
                "meaning": row.meaning,
            })
        };
        self.rows.iter().map(object).collect()
    }

    pub(super) fn print(&self, printer: &Printer, reveal: bool) {
        let out = Channel::Out;
        let width = |text: &dyn Fn(&Row) -> usize| self.rows.iter().map(text).max().unwrap_or(0).min(WIDEST);
        let fields = width(&|row| row.depth * 2 + row.field.chars().count());
        let values = width(&|row| row.value(reveal).chars().count());
        if !self.rows.is_empty() {
            let head =
                format!("{:>6} {:>5}  {:<fields$}  {:<values$}  meaning", "offset", "len", "field", "value");
            printer.line(out, printer.styled(out, Style::Dim, head));
        }
        for row in &self.rows {
            let (offset, len) = row
                .place
                .map_or_else(Default::default, |(offset, len)| (offset.to_string(), len.to_string()));
            let field = format!("{:indent$}{}", "", row.field, indent = row.depth * 2);
            let value = row.value(reveal);
            let line = format!("{offset:>6} {len:>5}  {field:<fields$}  {value:<values$}  {}", row.meaning);
            printer.line(out, line.trim_end());
        }
    }

    /// A value that is not secret, of the first field of this name.
    pub(crate) fn value_of(&self, field: &str) -> Option<&str> {
        self.all(field).next().map(|(value, _)| value)
    }

    /// The values that are not secret of all fields of this name, and what each means.
    pub(crate) fn all(&self, field: &str) -> impl Iterator<Item = (&str, &str)> {
        let rows = self.rows.iter().filter(move |row| row.field == field && !row.is_secret);
        rows.map(|row| (row.value.as_str(), row.meaning.as_str()))
    }

    /// What a field of this name means, though its value may be secret.
    pub(crate) fn meaning_of(&self, field: &str) -> Option<&str> {
        self.rows.iter().find(|row| row.field == field).map(|row| row.meaning.as_str())
    }

    /// Whether there is a field of this name, secret or not.
    pub(crate) fn has(&self, field: &str) -> bool {
        self.rows.iter().any(|row| row.field == field)
    }

    #[cfg(test)]
    pub(super) fn find(&self, field: &str) -> &Row {
        self.rows.iter().find(|row| row.field == field).unwrap_or_else(|| panic!("{field} in {self:#?}"))
    }
}

/// What stands in the place of a secret.
const HIDDEN: &str = "(hidden: --reveal and --password show it)";

impl Row {
    fn value(&self, reveal: bool) -> &str {
        if self.is_secret && !reveal { HIDDEN } else { &self.value }
    }

    #[cfg(test)]
    pub(super) fn shown(&self) -> (Option<(usize, usize)>, &str, bool) {
        (self.place, &self.value, self.is_secret)
    }

    #[cfg(test)]
    pub(super) fn meaning(&self) -> &str {
        &self.meaning
    }
}

fn shown(bytes: &[u8]) -> String {
    match bytes.get(..SHOWN_BYTES) {
        Some(front) if bytes.len() > SHOWN_BYTES => format!("{}…", hex(front)),
        _ => hex(bytes),
    }
}

/// What is wrong with a token: where, in which field, and what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wrong {
    pub(super) offset: usize,
    pub(super) field: String,
    pub(super) what: String,
}

impl Wrong {
    pub(super) fn new(offset: usize, field: &str, what: impl fmt::Display) -> Self {
        Self { offset, field: field.to_owned(), what: what.to_string() }
    }

    pub(super) fn object(&self) -> Value {
        json!({ "offset": self.offset, "field": self.field, "message": self.what })
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at byte {}, in {}: {}", self.offset, self.field, self.what)
    }
}
