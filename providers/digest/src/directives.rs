//! The lists of directives that every message of Digest is, in HTTP and in SASL alike.
//!
//! ```text
//! list        element, with commas between them; empty elements do not count
//! element     name "=" ( token | quoted-string ), with white space around each word
//! quoted      <"> ( character | "\" character )* <">
//! ```
//!
//! Spec: DIGEST (RFC 2831) section 7; DIGEST (RFC 7616) section 3.3.

use core::fmt;

use crate::text::Text;

/// What a list may be at most: nothing of a peer is looked at that is longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes.
    pub length: usize,
    /// Directives.
    pub count: usize,
}

impl Bounds {
    /// A challenge of SASL: less than 2048 bytes.
    ///
    /// Spec: DIGEST (RFC 2831) section 2.1.1.
    pub const SASL_CHALLENGE: Self = Self { length: 2047, count: 64 };
    /// A response of SASL: less than 4096 bytes.
    ///
    /// Spec: DIGEST (RFC 2831) section 2.1.2.
    pub const SASL_RESPONSE: Self = Self { length: 4095, count: 64 };
    /// A header field of HTTP, or several of them: there may be a long URI in it.
    pub const HTTP: Self = Self { length: 16 * 1024, count: 256 };
}

/// One directive.
///
/// `Debug` shows no proof: a password can be guessed with it.
#[derive(Clone, PartialEq, Eq)]
pub struct Directive {
    /// Its name, in lower case.
    pub name: String,
    /// Its value, without quoting.
    pub value: Text,
    /// Whether it was quoted.
    pub is_quoted: bool,
    /// What stood between the quotes, where backslashes were taken out of it.
    pub escaped: Option<Text>,
}

impl fmt::Debug for Directive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if matches!(self.name.as_str(), "response" | "rspauth") {
            return f.debug_struct("Directive").field("name", &self.name).finish_non_exhaustive();
        }
        f.debug_struct("Directive")
            .field("name", &self.name)
            .field("value", &self.value)
            .field("is_quoted", &self.is_quoted)
            .field("escaped", &self.escaped)
            .finish()
    }
}

/// A list of directives, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Directives(Vec<Directive>);

/// Why bytes are no list of directives, or not the message that they should be.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeError {
    /// More bytes, or more directives, than there may be.
    TooLong {
        /// The most that there may be.
        maximum: usize,
    },
    /// At this offset there is not what should be there.
    Expected {
        /// What should be there.
        what: &'static str,
        /// The offset, in bytes.
        at: usize,
    },
    /// A directive stands twice.
    Duplicate {
        /// Its name.
        name: String,
    },
    /// A directive is missing.
    Missing {
        /// Its name.
        name: &'static str,
    },
    /// A directive has a value that it cannot have.
    Value {
        /// Its name.
        name: &'static str,
    },
    /// There is no challenge of Digest among those of the peer.
    NoChallenge,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { maximum } => write!(f, "there is more than {maximum} of it"),
            Self::Expected { what, at } => write!(f, "at byte {at} there is no {what}"),
            Self::Duplicate { name } => write!(f, "the directive {name} stands twice"),
            Self::Missing { name } => write!(f, "the directive {name} is missing"),
            Self::Value { name } => write!(f, "the directive {name} has a value that it cannot have"),
            Self::NoChallenge => f.write_str("there is no challenge of Digest"),
        }
    }
}

impl std::error::Error for DecodeError {}

impl Directives {
    /// Reads a list.
    ///
    /// # Errors
    /// [`DecodeError`]: it is too long, or no such list.
    pub fn parse(input: &[u8], bounds: Bounds) -> Result<Self, DecodeError> {
        let mut scanner = Scanner::new(input, bounds)?;
        let mut list = Self::default();
        loop {
            scanner.skip_separators();
            if scanner.is_at_end() {
                return Ok(list);
            }
            let directive = scanner.directive()?;
            list.push(directive, bounds)?;
            if scanner.end_of_element()? == End::OfLine {
                return scanner.expected("comma");
            }
        }
    }

    /// Reads the challenges of a `WWW-Authenticate` header field, or of several with line ends or commas between them: those
    /// of Digest, in their order. A list that begins without the name of a scheme is one of Digest.
    ///
    /// # Errors
    /// [`DecodeError`]: it is too long, or no such header field.
    pub fn parse_challenges(input: &[u8], bounds: Bounds) -> Result<Vec<Self>, DecodeError> {
        let mut scanner = Scanner::new(input, bounds)?;
        let mut challenges: Vec<Self> = Vec::new();
        let (mut is_digest, mut begins, mut count) = (true, true, 0);
        loop {
            scanner.skip_separators();
            if scanner.is_at_end() {
                return Ok(challenges);
            }
            if let Some(scheme) = scanner.scheme() {
                is_digest = scheme.eq_ignore_ascii_case(b"Digest");
                begins = is_digest;
                if !is_digest {
                    scanner.skip_token68();
                }
                continue;
            }
            let directive = scanner.directive()?;
            count += 1;
            if count > bounds.count {
                return Err(DecodeError::TooLong { maximum: bounds.count });
            }
            if is_digest {
                if begins {
                    challenges.push(Self::default());
                }
                if let Some(last) = challenges.last_mut() {
                    last.0.push(directive);
                }
            }
            begins = scanner.end_of_element()? == End::OfLine;
            // A line that is not folded is another challenge, whose scheme may be left out.
            is_digest |= begins;
        }
    }

    fn push(&mut self, directive: Directive, bounds: Bounds) -> Result<(), DecodeError> {
        if self.0.len() == bounds.count {
            return Err(DecodeError::TooLong { maximum: bounds.count });
        }
        self.0.push(directive);
        Ok(())
    }

    /// All directives.
    pub fn iter(&self) -> impl Iterator<Item = &Directive> {
        self.0.iter()
    }

    /// Those of this name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Directive> {
        self.0.iter().filter(move |directive| directive.name == name)
    }

    /// The one of this name, if there is one.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Directive> {
        self.0.iter().find(|directive| directive.name == name)
    }

    /// The value of the one of this name, if there is one.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&Text> {
        self.find(name).map(|directive| &directive.value)
    }

    /// The value of the one of this name.
    ///
    /// # Errors
    /// [`DecodeError::Missing`].
    pub fn required(&self, name: &'static str) -> Result<&Text, DecodeError> {
        self.value(name).ok_or(DecodeError::Missing { name })
    }

    /// Refuses a list in which a directive stands twice, other than those that may.
    ///
    /// # Errors
    /// [`DecodeError::Duplicate`].
    pub fn refuse_duplicates(&self, may_repeat: impl Fn(&str) -> bool) -> Result<(), DecodeError> {
        for (index, directive) in self.0.iter().enumerate() {
            let seen = self.0.iter().take(index).any(|earlier| earlier.name == directive.name);
            if seen && !may_repeat(&directive.name) {
                return Err(DecodeError::Duplicate { name: directive.name.clone() });
            }
        }
        Ok(())
    }
}

/// What a directive ends with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// A comma, or the end of everything.
    OfElement,
    /// The end of a line, and something else on the next one.
    OfLine,
}

/// Reads words, one after the other.
struct Scanner<'a> {
    input: &'a [u8],
    at: usize,
}

impl<'a> Scanner<'a> {
    fn new(input: &'a [u8], bounds: Bounds) -> Result<Self, DecodeError> {
        if input.len() > bounds.length {
            return Err(DecodeError::TooLong { maximum: bounds.length });
        }
        Ok(Self { input, at: 0 })
    }

    fn rest(&self) -> &'a [u8] {
        self.input.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<u8> {
        self.rest().first().copied()
    }

    fn is_at_end(&self) -> bool {
        self.at >= self.input.len()
    }

    fn expected<T>(&self, what: &'static str) -> Result<T, DecodeError> {
        Err(DecodeError::Expected { what, at: self.at })
    }

    fn skip(&mut self, is_skipped: impl Fn(u8) -> bool) {
        let length = self.rest().iter().take_while(|byte| is_skipped(**byte)).count();
        self.at += length;
    }

    fn skip_space(&mut self) {
        self.skip(is_space);
    }

    fn skip_separators(&mut self) {
        self.skip(|byte| is_space(byte) || byte == b',');
    }

    fn token(&mut self) -> Result<&'a [u8], DecodeError> {
        let length = self.rest().iter().take_while(|byte| is_token_character(**byte)).count();
        let token = self.rest().get(..length).filter(|token| !token.is_empty());
        let Some(token) = token else { return self.expected("token") };
        self.at += length;
        Ok(token)
    }

    fn directive(&mut self) -> Result<Directive, DecodeError> {
        let name = String::from_utf8_lossy(self.token()?).to_ascii_lowercase();
        self.skip_space();
        if self.peek() != Some(b'=') {
            return self.expected("equals sign");
        }
        self.at += 1;
        self.skip_space();
        if self.peek() != Some(b'"') {
            let value = self.token()?.to_vec().into();
            return Ok(Directive { name, value, is_quoted: false, escaped: None });
        }
        let (value, escaped) = self.quoted()?;
        Ok(Directive { name, value, is_quoted: true, escaped })
    }

    fn quoted(&mut self) -> Result<(Text, Option<Text>), DecodeError> {
        self.at += 1;
        let start = self.at;
        let mut value = Vec::new();
        let mut has_escapes = false;
        loop {
            match self.peek() {
                None => return self.expected("closing quotation mark"),
                Some(b'"') => break,
                Some(b'\\') => {
                    has_escapes = true;
                    self.at += 1;
                    let Some(byte) = self.peek().filter(|byte| is_text(*byte)) else {
                        return self.expected("character behind the backslash");
                    };
                    value.push(byte);
                }
                Some(byte) if is_text(byte) => value.push(byte),
                Some(_) => return self.expected("printable character"),
            }
            self.at += 1;
        }
        let raw = self.input.get(start..self.at).unwrap_or_default();
        self.at += 1;
        Ok((value.into(), has_escapes.then(|| raw.to_vec().into())))
    }

    /// Behind a directive there is a comma, the end of the line, or the end.
    fn end_of_element(&mut self) -> Result<End, DecodeError> {
        let before = self.rest();
        self.skip_space();
        let skipped = before.len() - self.rest().len();
        match self.peek() {
            None | Some(b',') => Ok(End::OfElement),
            Some(_) if before.iter().take(skipped).any(|byte| *byte == b'\n') => Ok(End::OfLine),
            Some(_) => self.expected("comma"),
        }
    }

    /// The name of a scheme, if that is what comes: a token that no equals sign follows.
    fn scheme(&mut self) -> Option<&'a [u8]> {
        let start = self.at;
        if let Ok(token) = self.token() {
            let before_space = self.at;
            self.skip_space();
            match self.peek() {
                Some(b'=') => {}
                _ if self.at > before_space || matches!(self.peek(), None | Some(b',')) => {
                    return Some(token);
                }
                _ => {}
            }
        }
        self.at = start;
        None
    }

    /// The base64 of schemes that have no directives, if that is what comes.
    fn skip_token68(&mut self) {
        let rest = self.rest();
        let text = rest.iter().take_while(|b| b.is_ascii_alphanumeric() || b"-._~+/".contains(b)).count();
        let padding = rest.iter().skip(text).take_while(|byte| **byte == b'=').count();
        let behind = rest.get(text + padding);
        if text > 0 && behind.is_none_or(|byte| *byte == b',' || is_space(*byte)) {
            self.at += text + padding;
        }
    }
}

/// White space, with that of folded lines.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// What may stand in a quoted string: anything but control characters.
fn is_text(byte: u8) -> bool {
    byte == b'\t' || !(byte < b' ' || byte == 0x7F)
}

fn is_token_character(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Writes a list.
#[derive(Clone, Debug)]
pub(crate) struct Writer {
    out: Vec<u8>,
    separator: &'static str,
}

impl Writer {
    /// A list as HTTP writes it, with a space behind each comma.
    pub(crate) const fn http() -> Self {
        Self { out: Vec::new(), separator: ", " }
    }

    /// A list as SASL writes it.
    pub(crate) const fn sasl() -> Self {
        Self { out: Vec::new(), separator: "," }
    }

    fn name(&mut self, name: &str) {
        if !self.out.is_empty() {
            self.out.extend_from_slice(self.separator.as_bytes());
        }
        self.out.extend_from_slice(name.as_bytes());
        self.out.push(b'=');
    }

    /// A value that is a token.
    pub(crate) fn token(&mut self, name: &str, value: impl AsRef<[u8]>) -> &mut Self {
        self.name(name);
        self.out.extend_from_slice(value.as_ref());
        self
    }

    /// A value in quotation marks. Control characters, which nothing can quote, are left out.
    pub(crate) fn quoted(&mut self, name: &str, value: impl AsRef<[u8]>) -> &mut Self {
        self.name(name);
        self.out.push(b'"');
        for byte in value.as_ref().iter().copied().filter(|byte| is_text(*byte)) {
            if matches!(byte, b'"' | b'\\') {
                self.out.push(b'\\');
            }
            self.out.push(byte);
        }
        self.out.push(b'"');
        self
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.out
    }
}

/// Whether a quoted string can hold it.
pub(crate) fn is_quotable(text: &[u8]) -> bool {
    text.iter().all(|byte| is_text(*byte))
}

#[cfg(test)]
mod tests;
