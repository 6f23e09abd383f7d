//! Rust source files as tokens: enough of the language to see which paths a file names, and no more.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// One identifier or mark of a source file. Comments, strings, characters and numbers yield none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    /// The identifier, or one of `::`, `->`, `=>`, or a single mark.
    pub(crate) text: String,
    /// The line it stands on, from 1.
    pub(crate) line: usize,
}

impl Token {
    /// Whether this is an identifier or a keyword.
    pub(crate) fn is_word(&self) -> bool {
        self.text.starts_with(is_word_start)
    }
}

/// A path as written, with the group of a `use` taken apart: `use std::{fs, env}` is two of these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NamedPath {
    /// The segments, outermost first.
    pub(crate) segments: Vec<String>,
    /// What `as` renames it to.
    pub(crate) alias: Option<String>,
    /// The line of its last segment, from 1.
    pub(crate) line: usize,
    /// Whether `:` follows, so that a single segment is a binding or a field and not a path.
    pub(crate) is_binding: bool,
}

impl NamedPath {
    /// The first segment: a crate, a module, or a name in scope.
    pub(crate) fn head(&self) -> &str {
        self.segments.first().map_or("", String::as_str)
    }

    /// Whether the segments of `wanted` (`SystemTime::now`) stand in this path, next to each other.
    pub(crate) fn contains(&self, wanted: &str) -> bool {
        let wanted: Vec<&str> = wanted.split("::").collect();
        self.segments.windows(wanted.len()).any(|part| part == wanted)
    }
}

/// A source file below the root of the workspace.
#[derive(Debug)]
pub(crate) struct SourceFile {
    /// Relative to the root, with `/`.
    pub(crate) path: String,
    /// The text as it stands in the file.
    pub(crate) text: String,
    /// All its tokens.
    pub(crate) tokens: Vec<Token>,
    /// Whether the whole file is test code.
    pub(crate) is_test: bool,
}

impl SourceFile {
    /// A file with this text; whether it is a test is judged by its path and its inner attributes.
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let tokens = tokens(text);
        let in_tests = path.split('/').any(|part| matches!(part, "tests" | "benches" | "tests.rs"));
        let is_test = in_tests || has_inner_cfg_test(&tokens);
        SourceFile { path: path.to_owned(), text: text.to_owned(), tokens, is_test }
    }

    /// The tokens that are compiled without `cfg(test)`.
    pub(crate) fn code(&self) -> Vec<Token> {
        if self.is_test { Vec::new() } else { without_tests(&self.tokens) }
    }

    /// The paths of the files and folders that `#[cfg(test)] mod name;` declares in this file.
    fn test_modules(&self) -> Vec<String> {
        let path = Path::new(&self.path);
        let folder = path.parent().unwrap_or(Path::new(""));
        let base = match path.file_stem().and_then(|stem| stem.to_str()) {
            Some("lib" | "main" | "mod") | None => folder.to_owned(),
            Some(stem) => folder.join(stem),
        };
        let mut found = Vec::new();
        let mut rest = self.tokens.as_slice();
        while !rest.is_empty() {
            if let Some(after) = after_cfg_test(rest) {
                let item = item(after);
                if let [.., keyword, name, end] = item
                    && keyword.text == "mod"
                    && end.text == ";"
                {
                    found.push(base.join(&name.text).to_string_lossy().into_owned());
                }
            }
            rest = rest.get(1..).unwrap_or_default();
        }
        found
    }
}

/// All source files of some folders.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    /// In the order of their paths.
    pub(crate) files: Vec<SourceFile>,
}

impl Sources {
    /// Reads every `.rs` file below the folders, which are relative to `root`. A folder that does not exist has none.
    pub(crate) fn read(root: &Path, folders: &[&str]) -> io::Result<Self> {
        let mut paths = BTreeSet::new();
        for folder in folders {
            collect(&root.join(folder), &mut paths)?;
        }
        let mut files = Vec::new();
        for path in paths {
            let relative = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().replace('\\', "/");
            files.push(SourceFile::new(&relative, &fs::read_to_string(&path)?));
        }
        Ok(Sources::new(files))
    }

    /// These files; those that another declares under `cfg(test)` are marked as tests.
    pub(crate) fn new(mut files: Vec<SourceFile>) -> Self {
        let modules: Vec<String> = files.iter().flat_map(SourceFile::test_modules).collect();
        for file in &mut files {
            let declared = |module: &String| {
                file.path == format!("{module}.rs") || file.path.starts_with(&format!("{module}/"))
            };
            file.is_test = file.is_test || modules.iter().any(declared);
        }
        Sources { files }
    }
}

/// Adds the `.rs` files below `folder`; build output, hidden folders and recorded data are passed over.
fn collect(folder: &Path, paths: &mut BTreeSet<PathBuf>) -> io::Result<()> {
    if !folder.is_dir() {
        return Ok(());
    }
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with('.') || name == "target" || name.starts_with("target-") {
            continue;
        }
        if path.is_dir() {
            collect(&path, paths)?;
        } else if name.ends_with(".rs") {
            paths.insert(path);
        }
    }
    Ok(())
}

fn is_word_start(character: char) -> bool {
    character == '_' || character.is_alphabetic()
}

fn is_word_part(character: char) -> bool {
    character == '_' || character.is_alphanumeric()
}

/// A place in a text, with its line.
struct Cursor {
    characters: Vec<char>,
    at: usize,
    line: usize,
}

impl Cursor {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.characters.get(self.at + ahead).copied()
    }

    fn bump(&mut self) -> Option<char> {
        let character = self.peek(0)?;
        self.at += 1;
        self.line += usize::from(character == '\n');
        Some(character)
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> String {
        let mut taken = String::new();
        while let Some(character) = self.peek(0).filter(|&character| wanted(character)) {
            taken.push(character);
            self.bump();
        }
        taken
    }

    /// Behind `/*`: to its end, comments within it counted.
    fn skip_block_comment(&mut self) {
        let mut depth = 1_usize;
        while depth > 0 {
            match (self.bump(), self.peek(0)) {
                (Some('*'), Some('/')) => {
                    self.bump();
                    depth -= 1;
                }
                (Some('/'), Some('*')) => {
                    self.bump();
                    depth += 1;
                }
                (None, _) => return,
                _ => {}
            }
        }
    }

    /// Behind the opening quote: to the closing one.
    fn skip_quoted(&mut self, quote: char) {
        while let Some(character) = self.bump() {
            if character == '\\' {
                self.bump();
            } else if character == quote {
                return;
            }
        }
    }

    /// At the `#` or `"` of a raw string: to its end.
    fn skip_raw_string(&mut self) {
        let hashes = self.take_while(|character| character == '#').len();
        self.bump();
        while let Some(character) = self.bump() {
            if character == '"' && (0..hashes).all(|ahead| self.peek(ahead) == Some('#')) {
                for _ in 0..hashes {
                    self.bump();
                }
                return;
            }
        }
    }

    /// Whether a raw string starts here, behind its prefix.
    fn at_raw_string(&self) -> bool {
        let hashes = (0..).take_while(|&ahead| self.peek(ahead) == Some('#')).count();
        self.peek(hashes) == Some('"')
    }
}

/// The tokens of a text.
pub(crate) fn tokens(text: &str) -> Vec<Token> {
    let mut cursor = Cursor { characters: text.chars().collect(), at: 0, line: 1 };
    let mut found = Vec::new();
    while let Some(character) = cursor.peek(0) {
        let line = cursor.line;
        if is_word_start(character) {
            let text = cursor.take_while(is_word_part);
            match (text.as_str(), cursor.peek(0)) {
                ("r" | "br" | "cr", Some('"' | '#')) if cursor.at_raw_string() => cursor.skip_raw_string(),
                ("r", Some('#')) => {
                    cursor.bump(); // a raw identifier: its name follows and is taken as a word
                }
                ("b" | "c", Some('"')) => {
                    cursor.bump();
                    cursor.skip_quoted('"');
                }
                _ => found.push(Token { text, line }),
            }
            continue;
        }
        cursor.bump();
        match (character, cursor.peek(0)) {
            ('/', Some('/')) => {
                cursor.take_while(|character| character != '\n');
            }
            ('/', Some('*')) => {
                cursor.bump();
                cursor.skip_block_comment();
            }
            ('"', _) => cursor.skip_quoted('"'),
            ('\'', Some(next)) => {
                // A lifetime is a word that no quote closes.
                if is_word_start(next) && cursor.peek(1) != Some('\'') {
                    cursor.take_while(is_word_part);
                } else {
                    cursor.skip_quoted('\'');
                }
            }
            (':', Some(':')) | ('-' | '=', Some('>')) => {
                let second = cursor.bump().unwrap_or_default();
                found.push(Token { text: format!("{character}{second}"), line });
            }
            (digit, _) if digit.is_ascii_digit() => {
                cursor.take_while(is_word_part);
            }
            (space, _) if space.is_whitespace() => {}
            _ => found.push(Token { text: character.to_string(), line }),
        }
    }
    found
}

/// The number of tokens up to and with the one that closes the bracket at the front.
pub(crate) fn group_length(tokens: &[Token]) -> usize {
    let mut depth = 0_usize;
    for (position, token) in tokens.iter().enumerate() {
        match token.text.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return position + 1;
        }
    }
    tokens.len()
}

/// What follows `#[cfg(test)]` (or `#[cfg(all(test, …))]`) at the front.
fn after_cfg_test(tokens: &[Token]) -> Option<&[Token]> {
    let [hash, rest @ ..] = tokens else { return None };
    if hash.text != "#" || rest.first()?.text != "[" {
        return None;
    }
    let (attribute, after) = rest.split_at_checked(group_length(rest))?;
    let has = |word: &str| attribute.iter().any(|token| token.text == word);
    (attribute.get(1)?.text == "cfg" && has("test") && !has("not") && !has("any")).then_some(after)
}

/// Whether the file begins with `#![cfg(test)]`.
fn has_inner_cfg_test(tokens: &[Token]) -> bool {
    let mut found = tokens.windows(6).map(|part| part.iter().map(|token| token.text.as_str()));
    found.any(|part| part.eq(["#", "!", "[", "cfg", "(", "test"]))
}

/// The item at the front: its attributes, and all up to its `;`, its `,` or its block.
fn item(tokens: &[Token]) -> &[Token] {
    const ITEMS: [&str; 16] = [
        "pub",
        "fn",
        "mod",
        "use",
        "const",
        "static",
        "struct",
        "enum",
        "impl",
        "trait",
        "type",
        "unsafe",
        "async",
        "extern",
        "macro_rules",
        "union",
    ];
    let mut end = 0;
    let mut is_item = None;
    while let Some(token) = tokens.get(end) {
        match token.text.as_str() {
            "#" => end += 1,
            "(" | "[" => end += group_length(tokens.get(end..).unwrap_or_default()),
            "{" => {
                end += group_length(tokens.get(end..).unwrap_or_default());
                break;
            }
            ";" => {
                end += 1;
                break;
            }
            "," if is_item == Some(false) => {
                end += 1;
                break;
            }
            "}" => break,
            word => {
                is_item = is_item.or(Some(ITEMS.contains(&word)));
                end += 1;
            }
        }
    }
    tokens.get(..end).unwrap_or(tokens)
}

/// The tokens without the items under `#[cfg(test)]`.
fn without_tests(tokens: &[Token]) -> Vec<Token> {
    let mut kept = Vec::new();
    let mut rest = tokens;
    while let Some((first, next)) = rest.split_first() {
        if let Some(after) = after_cfg_test(rest) {
            rest = after.get(item(after).len()..).unwrap_or_default();
        } else {
            kept.push(first.clone());
            rest = next;
        }
    }
    kept
}

/// Every path that these tokens name, the groups of `use` taken apart.
pub(crate) fn paths(tokens: &[Token]) -> Vec<NamedPath> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        if token.is_word() { read_path(tokens, &mut at, &[], &mut found) } else { at += 1 }
    }
    found
}

/// Reads one path at `at`, which stands on a word, and moves behind it.
fn read_path(tokens: &[Token], at: &mut usize, prefix: &[String], found: &mut Vec<NamedPath>) {
    let mut segments = prefix.to_vec();
    let mut line = 0;
    let text = |at: usize| tokens.get(at).map(|token| token.text.as_str());
    while let Some(token) = tokens.get(*at).filter(|token| token.is_word()) {
        line = token.line;
        if token.text != "self" || segments.is_empty() {
            segments.push(token.text.clone());
        }
        *at += 1;
        if text(*at) != Some("::") {
            break;
        }
        *at += 1;
        if text(*at) == Some("{") {
            read_group(tokens, at, &segments, found);
            return;
        }
    }
    let mut alias = None;
    if text(*at) == Some("as") {
        alias = tokens.get(*at + 1).filter(|token| token.is_word()).map(|token| token.text.clone());
    }
    found.push(NamedPath { segments, alias, line, is_binding: text(*at) == Some(":") });
}

/// Reads `{a::b, c}` at `at`, which stands on the brace, and moves behind it.
fn read_group(tokens: &[Token], at: &mut usize, prefix: &[String], found: &mut Vec<NamedPath>) {
    *at += 1;
    while let Some(token) = tokens.get(*at) {
        match token.text.as_str() {
            "}" => {
                *at += 1;
                return;
            }
            "as" => *at += 2,
            "{" => read_group(tokens, at, prefix, found),
            _ if token.is_word() => read_path(tokens, at, prefix, found),
            _ => *at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(text: &str) -> Vec<String> {
        paths(&tokens(text)).iter().map(|path| path.segments.join("::")).collect()
    }

    #[test]
    fn comments_strings_and_characters_name_nothing() {
        let text = r##"// std::fs
            /* std::net /* nested */ std::env */ "std::fs \" std::fs" r#"std::fs"# b"std::fs" 'a' '\'' 0x1f 'static x"##;
        assert_eq!(named(text), ["x"]);
    }

    #[test]
    fn groups_of_use_are_taken_apart() {
        let text = "use std::{env, io::{self, Read as _}, net as n};";
        assert_eq!(named(text), ["use", "std::env", "std::io", "std::io::Read", "std::net"]);
        let last = paths(&tokens(text)).pop().unwrap();
        assert_eq!(last.alias.as_deref(), Some("n"));
    }

    #[test]
    fn path_contains_segments_next_to_each_other_only() {
        let path = paths(&tokens("std::time::SystemTime::now()")).remove(0);
        assert!(path.contains("SystemTime::now"));
        assert!(!path.contains("std::now"));
        assert_eq!(path.head(), "std");
    }

    #[test]
    fn items_under_cfg_test_are_not_code() {
        let text = "fn kept() {} #[cfg(test)] #[allow(dead_code)] fn gone<A, B>(x: A) { std::fs; } \
                    #[cfg(test)] mod tests { fn gone() {} } #[cfg(not(test))] fn also_kept() {} \
                    struct S { #[cfg(test)] gone: u8, stays: u8 }";
        let code = SourceFile::new("a/src/lib.rs", text).code();
        let words: Vec<&str> = code.iter().map(|token| token.text.as_str()).collect();
        assert!(!words.contains(&"gone"), "{words:?}");
        for kept in ["kept", "also_kept", "stays"] {
            assert!(words.contains(&kept), "{kept} is missing in {words:?}");
        }
    }

    #[test]
    fn modules_declared_under_cfg_test_are_tests() {
        let files = vec![
            SourceFile::new("a/src/lib.rs", "#[cfg(test)]\nmod flows;\nmod record;"),
            SourceFile::new("a/src/flows.rs", "fn x() {}"),
            SourceFile::new("a/src/record.rs", "#[cfg(test)] pub(crate) mod pair;"),
            SourceFile::new("a/src/record/pair.rs", "fn x() {}"),
            SourceFile::new("a/src/inner.rs", "#![cfg(test)] fn x() {}"),
        ];
        let tests: Vec<bool> = Sources::new(files).files.iter().map(|file| file.is_test).collect();
        assert_eq!(tests, [false, true, false, true, true]);
    }
}
