//! What was given: hexadecimal, base64, a line of an HTTP header, or the bytes themselves.

use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use opensspi::harmless;

use super::{kerberos, ntlm, spnego, tls};

/// A token, and how it was written.
#[derive(Debug)]
pub(super) struct Input {
    pub(super) content: Content,
    /// Such as `base64`.
    pub(super) form: &'static str,
    /// The header field that it stood in.
    pub(super) header: Option<&'static str>,
}

/// What a token is made of.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// Bytes, of NTLM, SPNEGO or TLS.
    Bytes(Vec<u8>),
    /// Directives of Digest.
    Digest { value: Vec<u8>, message: DigestMessage },
    /// A header field that names a scheme, and has no token.
    Nothing { scheme: String },
}

/// Which message of Digest it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DigestMessage {
    /// `WWW-Authenticate`, or a challenge of SASL.
    Challenge { is_sasl: bool },
    /// `Authorization`, or a response of SASL.
    Response { is_sasl: bool },
    /// `Authentication-Info`, or what a server of SASL says at last.
    Info { is_sasl: bool },
}

/// The header fields that tokens stand in.
const HEADERS: [&str; 6] = [
    "Authorization",
    "WWW-Authenticate",
    "Proxy-Authorization",
    "Proxy-Authenticate",
    "Authentication-Info",
    "Proxy-Authentication-Info",
];

/// Whatever is between the characters of a token, and does not belong to it.
fn compact(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).collect()
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: String = text.chars().filter(|c| !matches!(c, ':' | '-')).collect();
    let digits = digits.strip_prefix("0x").unwrap_or(&digits);
    if digits.is_empty() || !digits.len().is_multiple_of(2) || !digits.bytes().all(|c| c.is_ascii_hexdigit())
    {
        return None;
    }
    let byte = |at: usize| digits.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
    (0..digits.len()).step_by(2).map(byte).collect()
}

fn from_base64(text: &str) -> Option<Vec<u8>> {
    let config = || GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let engines = [GeneralPurpose::new(&STANDARD, config()), GeneralPurpose::new(&URL_SAFE, config())];
    let decoded = engines.iter().find_map(|engine| engine.decode(text).ok());
    decoded.filter(|bytes| !bytes.is_empty())
}

/// Whether there is something in these bytes that can be shown.
fn is_token(bytes: &[u8]) -> bool {
    ntlm::is_one(bytes) || spnego::is_one(bytes) || kerberos::is_one(bytes) || tls::is_one(bytes)
}

/// The name of a header field, if the line begins with one, and what is behind it.
fn header(line: &str) -> (Option<&'static str>, &str) {
    // As curl and browsers' consoles print them.
    let line = line.trim_start_matches(['>', '<', '*', ' ']).trim();
    if let Some((name, value)) = line.split_once(':') {
        let known = HEADERS.into_iter().find(|header| header.eq_ignore_ascii_case(name.trim()));
        if known.is_some() {
            return (known, value.trim());
        }
    }
    (None, line)
}

impl Input {
    /// How many bytes the token has.
    pub(super) const fn len(&self) -> usize {
        match &self.content {
            Content::Bytes(bytes) => bytes.len(),
            Content::Digest { value, .. } => value.len(),
            Content::Nothing { .. } => 0,
        }
    }

    /// The bytes, where it is not Digest.
    pub(super) fn bytes(&self) -> Option<&[u8]> {
        match &self.content {
            Content::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// What `given` is.
    ///
    /// # Errors
    /// There is no token in it; the sentence says what was looked for.
    pub(super) fn read(given: &[u8]) -> Result<Self, String> {
        if is_token(given) {
            return Ok(Self { content: Content::Bytes(given.to_vec()), form: "raw", header: None });
        }
        let text = str::from_utf8(given).map_err(
            |_| "the bytes are no token of NTLM, SPNEGO or Digest, and no hello of TLS, SSL or PCT",
        )?;
        let (header, value) = header(text.trim());
        let (scheme, rest) = value.split_once(char::is_whitespace).unwrap_or((value, ""));
        if matches!(header, Some("Authentication-Info" | "Proxy-Authentication-Info")) && value.contains('=')
        {
            let message = DigestMessage::Info { is_sasl: false };
            return Ok(Self::digest(value, message, "directives", header));
        }
        if scheme.eq_ignore_ascii_case("Digest") {
            let message = if rest.contains("response=") || rest.contains("response =") {
                DigestMessage::Response { is_sasl: false }
            } else {
                DigestMessage::Challenge { is_sasl: false }
            };
            return Ok(Self::digest(rest.trim(), message, "directives", header));
        }
        if ["NTLM", "Negotiate", "Kerberos"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
            if rest.trim().is_empty() {
                let content = Content::Nothing { scheme: harmless(scheme) };
                return Ok(Self { content, form: "header", header });
            }
            return Self::encoded(rest, header);
        }
        if let (Some(name), false) = (header, scheme.is_empty()) {
            return Err(format!(
                "{name} has the scheme {}; those that are known are NTLM, Negotiate and Digest",
                harmless(scheme)
            ));
        }
        if let Some(message) = sasl(value) {
            return Ok(Self::digest(value, message, "directives", header));
        }
        Self::encoded(value, header)
    }

    fn digest(value: &str, message: DigestMessage, form: &'static str, header: Option<&'static str>) -> Self {
        Self { content: Content::Digest { value: value.as_bytes().to_vec(), message }, form, header }
    }

    /// Hexadecimal or base64. What could be both is what has a token in it.
    fn encoded(text: &str, header: Option<&'static str>) -> Result<Self, String> {
        let text = compact(text);
        let readings = [("hexadecimal", from_hex(&text)), ("base64", from_base64(&text))];
        for (form, bytes) in &readings {
            let Some(bytes) = bytes else { continue };
            if is_token(bytes) {
                return Ok(Self { content: Content::Bytes(bytes.clone()), form, header });
            }
            let directives = str::from_utf8(bytes).ok().and_then(|text| Some((text, sasl(text)?)));
            if let Some((directives, message)) = directives {
                return Ok(Self::digest(directives, message, form, header));
            }
        }
        Err(match readings.iter().find(|(_, bytes)| bytes.is_some()) {
            Some((form, _)) => format!(
                "it is {form}, and no token of NTLM, SPNEGO or Digest, and no hello of TLS, SSL or PCT"
            ),
            None => "it is neither hexadecimal, nor base64, nor a line of an HTTP header".to_owned(),
        })
    }
}

/// Which message of DIGEST-MD5 these directives are, if they are one.
fn sasl(text: &str) -> Option<DigestMessage> {
    let has = |name: &str| text.contains(&format!("{name}="));
    if has("rspauth") {
        Some(DigestMessage::Info { is_sasl: true })
    } else if has("nonce") && has("response") {
        Some(DigestMessage::Response { is_sasl: has("digest-uri") })
    } else if has("nonce") {
        Some(DigestMessage::Challenge { is_sasl: text.contains("md5-sess") && !has("opaque") })
    } else {
        None
    }
}
