//! What a source file makes public: the paths in signatures, public fields, variants, trait items and conversions.

use crate::source::{self, NamedPath, Token};

/// The paths in what `pub` makes visible: signatures, public fields, variants, trait items, conversions.
pub(crate) fn public_paths(code: &[Token]) -> Vec<NamedPath> {
    let code = without_attributes(code);
    let mut found = Vec::new();
    let mut previous = "";
    for (position, token) in code.iter().enumerate() {
        let rest = code.get(position + 1..).unwrap_or_default();
        let signature = match token.text.as_str() {
            "pub" if !is_restricted(rest) => public_part(rest),
            // `impl From<Theirs> for Ours`, where an item may start: not `-> impl Trait`.
            "impl" if matches!(previous, "" | "{" | "}" | ";" | "unsafe") => {
                let header = until(rest, &["{"]);
                let converts = header.iter().any(|token| matches!(token.text.as_str(), "From" | "TryFrom"));
                if converts { header.to_vec() } else { Vec::new() }
            }
            _ => Vec::new(),
        };
        found.extend(source::paths(&signature).into_iter().filter(|path| !is_binding(path)));
        previous = token.text.as_str();
    }
    found
}

/// Whether this is the name of a field or a parameter.
fn is_binding(path: &NamedPath) -> bool {
    path.is_binding && path.segments.len() == 1
}

/// Whether what follows `pub` restricts it: `pub(crate)`, `pub(super)`, `pub(in …)`.
fn is_restricted(after_pub: &[Token]) -> bool {
    let restriction = after_pub.get(1).map_or("", |token| token.text.as_str());
    after_pub.first().is_some_and(|token| token.text == "(")
        && matches!(restriction, "crate" | "super" | "self" | "in")
}

fn without_attributes(code: &[Token]) -> Vec<Token> {
    let mut kept = Vec::new();
    let mut rest = code;
    while let Some((first, next)) = rest.split_first() {
        let bracket = if next.first().is_some_and(|token| token.text == "!") { 1 } else { 0 };
        let group = next.get(bracket..).unwrap_or_default();
        if first.text == "#" && group.first().is_some_and(|token| token.text == "[") {
            rest = group.get(source::group_length(group)..).unwrap_or_default();
        } else {
            kept.push(first.clone());
            rest = next;
        }
    }
    kept
}

/// The tokens up to the first of these marks that stands in no bracket.
fn until<'a>(tokens: &'a [Token], ends: &[&str]) -> &'a [Token] {
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        let text = token.text.as_str();
        if ends.contains(&text) || matches!(text, ")" | "]" | "}") {
            break;
        }
        at += match text {
            "(" | "[" | "{" => source::group_length(tokens.get(at..).unwrap_or_default()),
            _ => 1,
        };
    }
    tokens.get(..at).unwrap_or(tokens)
}

/// What the item or field behind `pub` shows, without its own name.
fn public_part(after_pub: &[Token]) -> Vec<Token> {
    let qualifier = |token: &&Token| matches!(token.text.as_str(), "unsafe" | "async" | "extern");
    let skipped = after_pub.iter().take_while(qualifier).count();
    let item = after_pub.get(skipped..).unwrap_or_default();
    let text = |at: usize| item.get(at).map_or("", |token| token.text.as_str());
    let body = item.get(2..).unwrap_or_default();
    match text(0) {
        "const" if matches!(text(1), "fn" | "unsafe" | "async") => {
            public_part(item.get(1..).unwrap_or_default())
        }
        "fn" => until(body, &["{", ";"]).to_vec(),
        // Public fields have their own `pub`.
        "struct" | "union" => {
            let header = body.iter().take_while(|token| !matches!(token.text.as_str(), "{" | "(" | ";"));
            header.cloned().collect()
        }
        "enum" => variants(body),
        "trait" => trait_items(body),
        "type" => until(body, &[";"]).to_vec(),
        "use" => until(item, &[";"]).to_vec(),
        "const" | "static" => until(body, &["=", ";"]).to_vec(),
        "mod" | "macro" | "" => Vec::new(),
        _ => field(item).to_vec(),
    }
}

/// A field, up to the comma that stands in no bracket and no generic list.
fn field(tokens: &[Token]) -> &[Token] {
    let mut angles = 0_i32;
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        match token.text.as_str() {
            "<" => angles += 1,
            ">" => angles -= 1,
            "," | ";" | ")" | "}" if angles <= 0 => break,
            _ => {}
        }
        at += match token.text.as_str() {
            "(" | "[" | "{" => source::group_length(tokens.get(at..).unwrap_or_default()),
            _ => 1,
        };
    }
    tokens.get(..at).unwrap_or(tokens)
}

/// An enum's generics and what its variants hold; the variants' own names are ours.
fn variants(body: &[Token]) -> Vec<Token> {
    let header = until(body, &["{"]);
    let mut shown = header.to_vec();
    let block = body.get(header.len()..).unwrap_or_default();
    let block = block.get(1..source::group_length(block)).unwrap_or_default();
    let mut at = 0;
    while let Some(token) = block.get(at) {
        if matches!(token.text.as_str(), "(" | "{") {
            let group = block.get(at..).unwrap_or_default();
            let length = source::group_length(group);
            shown.extend_from_slice(group.get(..length).unwrap_or_default());
            at += length;
        } else {
            at += 1;
        }
    }
    shown
}

/// A trait's bounds and the signatures in it, without the bodies and the names.
fn trait_items(body: &[Token]) -> Vec<Token> {
    let header = until(body, &["{"]);
    let mut shown = header.to_vec();
    let block = body.get(header.len()..).unwrap_or_default();
    let block = block.get(1..source::group_length(block)).unwrap_or_default();
    let mut at = 0;
    while let Some(token) = block.get(at) {
        match token.text.as_str() {
            "fn" | "type" | "const" => at += 2,
            "{" => at += source::group_length(block.get(at..).unwrap_or_default()),
            _ => {
                shown.push(token.clone());
                at += 1;
            }
        }
    }
    shown
}
