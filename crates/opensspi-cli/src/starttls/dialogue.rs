//! The dialogues themselves.

use clap::ValueEnum;

use crate::exit::Failure;

/// The longest line that a server may send, in bytes. SMTP allows 512, and servers of the others stay far below this.
const MAX_LINE: usize = 4096;
/// The most lines of one answer.
const MAX_LINES: usize = 100;

/// A protocol in which TLS begins after a few words in clear.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum StartTls {
    /// RFC 3207.
    Smtp,
    /// RFC 3501 section 6.2.1.
    Imap,
    /// RFC 2595 section 4.
    Pop3,
    /// RFC 4511 section 4.14.
    Ldap,
    /// RFC 4217 section 4.1.
    Ftp,
    /// RFC 4642.
    Nntp,
    /// The SSLRequest message of PostgreSQL.
    Postgres,
    /// RFC 2817 section 3.2.
    Http,
}

impl StartTls {
    /// The port where the protocol is spoken in clear.
    pub(crate) const fn port(self) -> u16 {
        match self {
            Self::Smtp => 25,
            Self::Imap => 143,
            Self::Pop3 => 110,
            Self::Ldap => 389,
            Self::Ftp => 21,
            Self::Nntp => 119,
            Self::Postgres => 5432,
            Self::Http => 80,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Smtp => "SMTP",
            Self::Imap => "IMAP",
            Self::Pop3 => "POP3",
            Self::Ldap => "LDAP",
            Self::Ftp => "FTP",
            Self::Nntp => "NNTP",
            Self::Postgres => "PostgreSQL",
            Self::Http => "HTTP",
        }
    }

    /// What happens, in order.
    fn plan(self, host: &str) -> Vec<Stage> {
        use Expect::{
            HttpSwitch, ImapGreeting, ImapTagged, LdapSuccess, Pop3Ok, PostgresYes, Reply, SmtpExtensions,
        };
        let say = |text: &str| Stage::Say(text.as_bytes().to_vec());
        let expect = Stage::Expect;
        match self {
            Self::Smtp => vec![
                expect(Reply(&["220"])),
                say("EHLO localhost\r\n"),
                expect(SmtpExtensions { offers_starttls: false }),
                say("STARTTLS\r\n"),
                expect(Reply(&["220"])),
            ],
            Self::Imap => vec![expect(ImapGreeting), say("a1 STARTTLS\r\n"), expect(ImapTagged)],
            Self::Pop3 => vec![expect(Pop3Ok), say("STLS\r\n"), expect(Pop3Ok)],
            Self::Ldap => vec![Stage::Say(LDAP_START_TLS.to_vec()), expect(LdapSuccess)],
            Self::Ftp => vec![expect(Reply(&["220"])), say("AUTH TLS\r\n"), expect(Reply(&["234"]))],
            Self::Nntp => vec![expect(Reply(&["200", "201"])), say("STARTTLS\r\n"), expect(Reply(&["382"]))],
            Self::Postgres => vec![Stage::Say(POSTGRES_SSL_REQUEST.to_vec()), expect(PostgresYes)],
            Self::Http => vec![
                say(&format!(
                    "OPTIONS * HTTP/1.1\r\nHost: {host}\r\nUpgrade: TLS/1.0\r\nConnection: Upgrade\r\n\r\n"
                )),
                expect(HttpSwitch { status_seen: false, upgrade_seen: false }),
            ],
        }
    }
}

/// LDAPMessage 1, an ExtendedRequest with the name 1.3.6.1.4.1.1466.20037.
const LDAP_START_TLS: &[u8] = b"\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037";
/// Length 8 and the code 80877103.
const POSTGRES_SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

/// What the caller must do next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Send these bytes.
    Send(Vec<u8>),
    /// Read, and append what came to the input.
    Read,
    /// Begin TLS: the next byte in either direction belongs to it.
    Begin,
}

enum Stage {
    Say(Vec<u8>),
    Expect(Expect),
}

/// What the server must say now.
enum Expect {
    /// A reply of one of these codes, in one line or, with a hyphen behind the code, in several.
    Reply(&'static [&'static str]),
    /// The reply 250 to EHLO, with STARTTLS in one of its lines.
    SmtpExtensions { offers_starttls: bool },
    /// `* OK`.
    ImapGreeting,
    /// `a1 OK`, after any number of untagged lines.
    ImapTagged,
    /// `+OK`.
    Pop3Ok,
    /// An ExtendedResponse with the result code success.
    LdapSuccess,
    /// The byte `S`.
    PostgresYes,
    /// `101 Switching Protocols` with the header `Upgrade: TLS/…`.
    HttpSwitch { status_seen: bool, upgrade_seen: bool },
}

/// The words in clear before TLS, from our side.
pub(crate) struct Negotiation {
    protocol: StartTls,
    stages: std::vec::IntoIter<Stage>,
    current: Option<Stage>,
    lines: usize,
}

impl Negotiation {
    pub(crate) fn new(protocol: StartTls, host: &str) -> Self {
        let mut stages = protocol.plan(host).into_iter();
        let current = stages.next();
        Self { protocol, stages, current, lines: 0 }
    }

    /// Takes what it understands from the front of the input, and says what to do next.
    pub(crate) fn next(&mut self, input: &mut Vec<u8>) -> Result<Turn, Failure> {
        loop {
            match &mut self.current {
                None => {
                    self.nothing_left(input, "behind its go-ahead")?;
                    return Ok(Turn::Begin);
                }
                Some(Stage::Say(bytes)) => {
                    let bytes = std::mem::take(bytes);
                    self.nothing_left(input, "before it was asked")?;
                    self.advance();
                    return Ok(Turn::Send(bytes));
                }
                Some(Stage::Expect(expect)) => match expect.take(self.protocol, input)? {
                    Taken::Nothing => {
                        if input.len() > MAX_LINE {
                            return Err(self.refused("a line of more than 4096 bytes"));
                        }
                        return Ok(Turn::Read);
                    }
                    Taken::Line => {
                        self.lines += 1;
                        if self.lines > MAX_LINES {
                            return Err(self.refused("an answer of more than 100 lines"));
                        }
                    }
                    Taken::Answer => self.advance(),
                },
            }
        }
    }

    fn advance(&mut self) {
        self.current = self.stages.next();
        self.lines = 0;
    }

    fn refused(&self, what: &str) -> Failure {
        Failure::protocol(format!("the {} server sent {what}", self.protocol.name()))
    }

    fn nothing_left(&self, input: &[u8], when: &str) -> Result<(), Failure> {
        if input.is_empty() {
            return Ok(());
        }
        Err(self.refused(&format!(
            "{} bytes in clear {when}; they could be anybody's, and are refused: {}",
            input.len(),
            opensspi::harmless_bytes(input)
        )))
    }
}

/// What was taken off the input.
enum Taken {
    /// Nothing: more must be read.
    Nothing,
    /// A line, and the answer goes on.
    Line,
    /// The last of the answer.
    Answer,
}

impl Expect {
    fn take(&mut self, protocol: StartTls, input: &mut Vec<u8>) -> Result<Taken, Failure> {
        match self {
            Self::LdapSuccess => ldap_response(input),
            Self::PostgresYes => postgres_answer(input),
            _ => match take_line(input) {
                None => Ok(Taken::Nothing),
                Some(line) if line.len() > MAX_LINE => Err(said(protocol, &line)),
                Some(line) => self.line(protocol, &line),
            },
        }
    }

    fn line(&mut self, protocol: StartTls, line: &[u8]) -> Result<Taken, Failure> {
        match self {
            Self::Reply(codes) => reply(protocol, line, codes),
            Self::SmtpExtensions { offers_starttls } => {
                let taken = reply(protocol, line, &["250"])?;
                *offers_starttls |=
                    line.get(4..).unwrap_or_default().trim_ascii().eq_ignore_ascii_case(b"STARTTLS");
                if matches!(taken, Taken::Answer) && !*offers_starttls {
                    return Err(Failure::protocol("the SMTP server does not offer STARTTLS"));
                }
                Ok(taken)
            }
            Self::ImapGreeting => {
                let is_ok = line.get(..5).is_some_and(|start| start.eq_ignore_ascii_case(b"* OK "));
                if is_ok { Ok(Taken::Answer) } else { Err(said(protocol, line)) }
            }
            Self::ImapTagged if line.starts_with(b"* ") => Ok(Taken::Line),
            Self::ImapTagged => {
                let is_ok = line.get(..6).is_some_and(|start| start.eq_ignore_ascii_case(b"a1 OK "));
                if is_ok { Ok(Taken::Answer) } else { Err(said(protocol, line)) }
            }
            Self::Pop3Ok if line.starts_with(b"+OK") => Ok(Taken::Answer),
            Self::HttpSwitch { status_seen: false, upgrade_seen } => {
                let is_switch =
                    line.starts_with(b"HTTP/1.1 101") && matches!(line.get(12), None | Some(b' '));
                if !is_switch {
                    return Err(said(protocol, line));
                }
                *self = Self::HttpSwitch { status_seen: true, upgrade_seen: *upgrade_seen };
                Ok(Taken::Line)
            }
            Self::HttpSwitch { upgrade_seen, .. } if !line.is_empty() => {
                *upgrade_seen |= is_upgrade_to_tls(line);
                Ok(Taken::Line)
            }
            Self::HttpSwitch { upgrade_seen: true, .. } => Ok(Taken::Answer),
            Self::HttpSwitch { .. } => Err(Failure::protocol(
                "the HTTP server switches to something that is not TLS (no header Upgrade: TLS/…)",
            )),
            Self::Pop3Ok | Self::LdapSuccess | Self::PostgresYes => Err(said(protocol, line)),
        }
    }
}

/// A line without its end, once it is whole.
fn take_line(input: &mut Vec<u8>) -> Option<Vec<u8>> {
    let end = input.iter().position(|byte| *byte == b'\n')?;
    let rest = input.split_off(end + 1);
    let mut line = std::mem::replace(input, rest);
    line.pop();
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    Some(line)
}

/// A line `CODE text` that ends a reply, or `CODE-text` that does not.
///
/// Spec: SMTP section 4.2.1; FTP section 4.2.
fn reply(protocol: StartTls, line: &[u8], codes: &[&str]) -> Result<Taken, Failure> {
    let code = line.get(..3).unwrap_or_default();
    if !codes.iter().any(|expected| expected.as_bytes() == code) {
        return Err(said(protocol, line));
    }
    match line.get(3) {
        Some(b'-') => Ok(Taken::Line),
        None | Some(b' ') => Ok(Taken::Answer),
        Some(_) => Err(said(protocol, line)),
    }
}

/// An LDAPMessage with an ExtendedResponse: SEQUENCE { messageID, [APPLICATION 24] { resultCode ENUMERATED, … } }.
///
/// Spec: LDAP sections 4.1.1 and 4.12.
fn ldap_response(input: &mut Vec<u8>) -> Result<Taken, Failure> {
    let wrong = || Failure::protocol("the LDAP server answered with something that is no ExtendedResponse");
    let Some((tag, header, length)) = ber_header(input).map_err(|()| wrong())? else {
        return Ok(Taken::Nothing);
    };
    if tag != 0x30 || length > MAX_LINE {
        return Err(wrong());
    }
    if input.len() < header + length {
        return Ok(Taken::Nothing);
    }
    let rest = input.split_off(header + length);
    let message = std::mem::replace(input, rest);
    let content = message.get(header..).unwrap_or_default();
    let (id, content) = ber_value(content, 0x02).ok_or_else(wrong)?;
    let (response, _) = ber_value(content, 0x78).ok_or_else(wrong)?;
    let (code, _) = ber_value(response, 0x0a).ok_or_else(wrong)?;
    if id != [1] {
        return Err(wrong());
    }
    match code {
        [0] => Ok(Taken::Answer),
        [code] => {
            Err(Failure::protocol(format!("the LDAP server refuses to start TLS (result code {code})")))
        }
        _ => Err(wrong()),
    }
}

/// Tag, length of the header and length of the content; `None` where the header is not whole.
fn ber_header(input: &[u8]) -> Result<Option<(u8, usize, usize)>, ()> {
    let (&[tag, first], rest) = match input.split_first_chunk::<2>() {
        Some(split) => split,
        None => return Ok(None),
    };
    let count = usize::from(first & 0x7f);
    if first & 0x80 == 0 {
        return Ok(Some((tag, 2, count)));
    }
    // The indefinite form is not allowed in LDAP, and nobody needs four bytes of length here.
    if !(1..=3).contains(&count) {
        return Err(());
    }
    let Some(bytes) = rest.get(..count) else { return Ok(None) };
    let length = bytes.iter().fold(0, |length, byte| (length << 8) | usize::from(*byte));
    Ok(Some((tag, 2 + count, length)))
}

/// The content of the value at the front, if it has this tag, and what follows it.
fn ber_value(input: &[u8], expected: u8) -> Option<(&[u8], &[u8])> {
    let (tag, header, length) = ber_header(input).ok()??;
    let content = input.get(header..header.checked_add(length)?)?;
    (tag == expected).then_some((content, input.get(header + length..)?))
}

fn postgres_answer(input: &mut Vec<u8>) -> Result<Taken, Failure> {
    match input.first() {
        None => Ok(Taken::Nothing),
        Some(b'S') => {
            input.remove(0);
            Ok(Taken::Answer)
        }
        Some(b'N') => Err(Failure::protocol("the PostgreSQL server does not offer TLS")),
        Some(_) => Err(said(StartTls::Postgres, input)),
    }
}

/// Whether a header line is `Upgrade` and names TLS.
fn is_upgrade_to_tls(line: &[u8]) -> bool {
    let Some(colon) = line.iter().position(|byte| *byte == b':') else { return false };
    let (name, value) = line.split_at(colon);
    name.eq_ignore_ascii_case(b"upgrade")
        && value
            .split(|byte| b":, \t".contains(byte))
            .any(|token| token.get(..4).is_some_and(|start| start.eq_ignore_ascii_case(b"TLS/")))
}

/// The error for an answer that is not the one that TLS needs.
fn said(protocol: StartTls, line: &[u8]) -> Failure {
    let line = opensspi::harmless_bytes(line);
    Failure::protocol(format!("the {} server does not start TLS; it says: {line}", protocol.name()))
}

#[cfg(test)]
mod tests;
