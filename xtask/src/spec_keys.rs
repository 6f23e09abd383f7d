//! `spec-keys`: every `Spec:` line of a doc comment names a document that stands in `docs/specs.md`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::Failure;
use crate::source::Sources;

/// The table of keys.
pub(crate) const TABLE: &str = "docs/specs.md";

/// The `Spec:` lines at fault, each as `file:line` and what is wrong, and the number of lines that are right.
pub(crate) fn unknown(root: &Path) -> Result<(Vec<String>, usize), Failure> {
    let table = fs::read_to_string(root.join(TABLE))
        .map_err(|error| Failure::Broken(format!("{TABLE} cannot be read: {error}")))?;
    let known = keys(&table);
    let sources =
        Sources::read(root, &["."]).map_err(|error| Failure::Broken(format!("reading sources: {error}")))?;
    let (mut wrong, mut right) = (Vec::new(), 0);
    for file in &sources.files {
        for Reference { line, key, text } in named(&file.text) {
            match known.contains(&key) {
                true => right += 1,
                false if key.is_empty() => wrong.push(format!("{}:{line}: Spec: without a key", file.path)),
                false => {
                    let hint = hint(&table, &text).map(|key| format!(" (its key there is {key})"));
                    let hint = hint.unwrap_or_default();
                    wrong.push(format!("{}:{line}: {key} is no key of {TABLE}{hint}", file.path));
                }
            }
        }
    }
    Ok((wrong, right))
}

/// The keys of the table: the first cell of each row, which is a key in backticks.
fn keys(table: &str) -> BTreeSet<String> {
    let first_cells = table.lines().filter_map(|line| line.trim().strip_prefix('|')?.split('|').next());
    first_cells
        .filter_map(|cell| cell.trim().strip_prefix('`')?.strip_suffix('`'))
        .map(str::to_owned)
        .collect()
}

/// The key of the document that a reference calls by its number: `RFC 5246 section 5` means TLS12.
fn hint<'a>(table: &'a str, reference: &str) -> Option<&'a str> {
    let number = reference.strip_prefix("RFC ")?;
    let number =
        number.get(..number.find(|character: char| !character.is_ascii_digit()).unwrap_or(number.len()))?;
    let has_number = |row: &&str| {
        let mut parts =
            row.split(|character: char| !character.is_ascii_alphanumeric()).skip_while(|&part| part != "RFC");
        parts.any(|part| part == number)
    };
    let row = table.lines().find(has_number)?;
    row.split('`').nth(1)
}

/// One document that a `Spec:` line names.
#[derive(Debug, PartialEq, Eq)]
struct Reference {
    /// Of the `Spec:`, from 1.
    line: usize,
    /// The word at the front.
    key: String,
    /// Key, section, and what follows up to the semicolon.
    text: String,
}

/// The documents that `Spec:` lines name. Further ones follow a semicolon: `Spec: TLS12 section 7.4.1.3; TLS13
/// section 4.1.3.` What follows one in lower case is prose.
fn named(text: &str) -> Vec<Reference> {
    let mut found = Vec::new();
    let mut lines = (1_usize..).zip(text.lines().map(doc_text)).peekable();
    while let Some((line, doc)) = lines.next() {
        let Some(references) = doc.and_then(|doc| doc.strip_prefix("Spec:")) else { continue };
        let mut references = references.trim().to_owned();
        // What is long goes on, up to the end of the paragraph.
        while let Some((_, Some(more))) = lines.next_if(|(_, doc)| doc.is_some_and(continues)) {
            references.push(' ');
            references.push_str(more);
        }
        for (position, text) in references.split(';').map(str::trim).enumerate() {
            if position > 0 && !text.starts_with(char::is_uppercase) {
                continue;
            }
            let end = text.find(|character: char| character != '-' && !character.is_alphanumeric());
            let key = text.get(..end.unwrap_or(text.len())).unwrap_or_default().to_owned();
            found.push(Reference { line, key, text: text.to_owned() });
        }
    }
    found
}

/// What a doc comment says on this line.
fn doc_text(line: &str) -> Option<&str> {
    let line = line.trim();
    let text = line.strip_prefix("///").or_else(|| line.strip_prefix("//!"))?;
    Some(text.trim())
}

fn continues(doc: &str) -> bool {
    !doc.is_empty() && !doc.starts_with("Spec:") && !doc.starts_with('#')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_the_first_cells_in_backticks() {
        let table = "# Title `NOT`\n| key | document |\n|---|---|\n| `SSL2` | a |\n| `MS-NLMP` | `other` |\n";
        assert_eq!(keys(table), BTreeSet::from(["SSL2".to_owned(), "MS-NLMP".to_owned()]));
    }

    #[test]
    fn each_document_of_a_spec_line_is_named() {
        let text = "/// Spec: SSL2 section 5.5.2.\n//! Spec: MS-TLSP section 3;\n//! TLS12 appendix A; in prose\n//!\n\
                    // Spec: NOT a doc comment\nlet a = \"Spec: NOT\";\n    /// Spec: RFC 8446.\n/// Spec:\n";
        let found: Vec<(usize, String)> =
            named(text).into_iter().map(|reference| (reference.line, reference.key)).collect();
        let expected = [(1, "SSL2"), (2, "MS-TLSP"), (2, "TLS12"), (7, "RFC"), (8, "")];
        assert_eq!(found, expected.map(|(line, key)| (line, key.to_owned())));
    }

    #[test]
    fn number_instead_of_a_key_is_answered_with_the_key() {
        let table = "| `TLS-EXT` | RFC 3546, RFC 6066 |\n| `DIGEST` | RFC 2617, 7616 |\n";
        assert_eq!(hint(table, "RFC 6066 section 3."), Some("TLS-EXT"));
        assert_eq!(hint(table, "RFC 7616"), Some("DIGEST"));
        assert_eq!(hint(table, "RFC 606"), None);
        assert_eq!(hint(table, "FIPS 180-4"), None);
    }
}
