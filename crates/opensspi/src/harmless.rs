//! What a peer sent, made fit to be printed: no control characters, no reordering, no endless lines.

/// The most characters of a peer's text that are printed.
pub const LIMIT: usize = 200;
/// The most characters of a message that are printed.
const MESSAGE_LIMIT: usize = 2_000;

/// A peer's text with everything escaped that a terminal, a log or a reader could take for something else, cut at
/// [`LIMIT`] characters.
///
/// ```
/// assert_eq!(opensspi::harmless("CN=\u{1b}[2Jevil\n"), "CN=\\u{1b}[2Jevil\\n");
/// ```
#[must_use]
pub fn harmless(text: &str) -> String {
    escaped(text, LIMIT, false)
}

/// A message of ours that quotes what is harmless already: backslashes stay as they are, so that nothing is escaped twice,
/// and there is room for a sentence. Whatever should not have got in there is escaped all the same.
#[must_use]
pub fn harmless_message(text: &str) -> String {
    escaped(text, MESSAGE_LIMIT, true)
}

fn escaped(text: &str, limit: usize, keep_backslashes: bool) -> String {
    let mut out = String::new();
    for (count, c) in text.chars().enumerate() {
        if count == limit {
            out.push('…');
            break;
        }
        match c {
            '"' | '\'' => out.push(c),
            '\\' if keep_backslashes => out.push(c),
            // Escapes control characters, and the invisible ones that turn the direction of writing.
            _ => out.extend(c.escape_debug()),
        }
    }
    out
}

/// Bytes that should be text, made fit to be printed.
#[must_use]
pub fn harmless_bytes(bytes: &[u8]) -> String {
    // A character has at most four bytes.
    let cut = bytes.get(..(LIMIT + 1) * 4).unwrap_or(bytes);
    harmless(&String::from_utf8_lossy(cut))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_stays_as_it_is() {
        for text in ["CN=example.com, O=\"Größe & Söhne\"", "h2", "日本語", "it's"] {
            assert_eq!(harmless(text), text);
        }
    }

    #[test]
    fn nothing_that_moves_a_cursor_or_turns_a_line_gets_through() {
        let evil = "a\r\n\t\0\u{7f}\u{9b}31m\u{1b}]0;x\u{7}\u{202e}\u{2066}\u{200b}\u{feff}\u{2028}\\";
        let text = harmless(evil);
        assert!(text.chars().all(|c| c.is_ascii_graphic()), "{text}");
        assert!(text.ends_with("\\\\"), "a backslash of the peer cannot be taken for one of ours: {text}");
    }

    #[test]
    fn a_message_is_not_escaped_twice() {
        let quoted = harmless("a\u{1b}\\");
        assert_eq!(harmless_message(&quoted), quoted);
        assert_eq!(harmless_message("\u{1b}\n"), "\\u{1b}\\n");
    }

    #[test]
    fn the_length_is_bounded() {
        assert_eq!(harmless(&"x".repeat(10_000)).chars().count(), LIMIT + 1);
        assert_eq!(harmless_bytes(&vec![0xff; 1 << 20]).chars().count(), LIMIT + 1);
    }
}
