//! `lengths`: the files and functions of which one asks what they are two of. It informs and refuses nothing.

use std::fmt;
use std::path::Path;

use crate::Failure;
use crate::source::{Sources, Token, group_length};

/// A file of more lines is listed.
pub(crate) const FILE_LINES: usize = 800;

/// A function of more lines is listed.
pub(crate) const FUNCTION_LINES: usize = 60;

/// A file or a function past its measure.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Long {
    /// In lines.
    pub(crate) length: usize,
    /// The file; for a function with its line and name.
    pub(crate) place: String,
}

impl fmt::Display for Long {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:6}  {}", self.length, self.place)
    }
}

/// The long files and the long functions of the workspace at `root`, the longest first. Tests are not counted.
pub(crate) fn long(root: &Path) -> Result<(Vec<Long>, Vec<Long>), Failure> {
    let sources =
        Sources::read(root, &["."]).map_err(|error| Failure::Broken(format!("reading sources: {error}")))?;
    let (mut files, mut functions) = (Vec::new(), Vec::new());
    for file in sources.files.iter().filter(|file| !file.is_test) {
        let length = file.text.lines().count();
        if length > FILE_LINES {
            files.push(Long { length, place: file.path.clone() });
        }
        for (name, line, length) in functions_in(&file.code()) {
            if length > FUNCTION_LINES {
                functions.push(Long { length, place: format!("{}:{line} {name}", file.path) });
            }
        }
    }
    for list in [&mut files, &mut functions] {
        list.sort_by_key(|long| std::cmp::Reverse(long.length));
    }
    Ok((files, functions))
}

/// Name, line and length of every function with a body.
fn functions_in(code: &[Token]) -> Vec<(String, usize, usize)> {
    let mut found = Vec::new();
    for (position, token) in code.iter().enumerate() {
        let Some(name) = code.get(position + 1).filter(|name| token.text == "fn" && name.is_word()) else {
            continue;
        };
        let mut at = position + 2;
        while let Some(mark) = code.get(at) {
            let rest = code.get(at..).unwrap_or_default();
            match mark.text.as_str() {
                "(" | "[" => at += group_length(rest),
                "{" => {
                    let last = rest.get(group_length(rest) - 1).map_or(mark.line, |token| token.line);
                    found.push((name.text.clone(), token.line, last - token.line + 1));
                    break;
                }
                ";" | "}" => break,
                _ => at += 1,
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::tokens;

    #[test]
    fn functions_are_measured_from_fn_to_the_closing_brace() {
        let text = "trait T { fn declared(&self) -> [u8; 4]; }\nfn long(\n a: u8,\n) {\n  if a { \"}\" }\n}\nfn one() {}";
        assert_eq!(functions_in(&tokens(text)), [("long".to_owned(), 2, 5), ("one".to_owned(), 7, 1)]);
    }
}
