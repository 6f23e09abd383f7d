//! What a client's first bytes are, and what its first message offers: the one place where protocols that share a port are
//! told apart.
//!
//! ```text
//! 14..17 03                   a record of SSL 3.0 or TLS
//! 14..16 01                   a frame of MS-NNS: done, error, in progress
//! 60                          a token of GSS-API: SPNEGO, Kerberos
//! 4e 54 4c 4d 53 53 50 00     a message of NTLM
//! 80..ff xx 01 vvvv           CLIENT-HELLO with a header of two bytes: vvvv 0002 SSL 2.0, 03xx SSL 3.0 and TLS, 8xxx PCT
//! 00..3f xx 00 01 vvvv        the same with a header of three
//! letters                     SSH, HTTP, anything that is read by humans
//! ```
//!
//! A record of TLS is one whatever follows: a hello of SSL 2.0 whose length begins with the same bytes is longer than any.
//!
//! Spec: SSL2 section 1.1; PCT1 section 5.2.1; TLS10 appendix E; MS-NNS section 2.2.1.

use std::borrow::Cow;
use std::fmt::{self, Display, Formatter};

use wire::{Codec, DecodeError};

use crate::config::Policy;
use crate::connection::Failure;
use crate::error::{Error, Incompatible};
use crate::pct1;
use crate::record::Need;
use crate::ssl2;
use crate::ssl2::cipher_kinds::CipherKind;
use crate::ssl2::messages::ClientHello;
use crate::ssl2::record::Header;
use crate::tls::alert::AlertLevel;
use crate::tls::cipher_suites::CipherSuite;
use crate::tls::versions::ProtocolVersion;

/// What a client's first bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FirstFlight {
    /// A record of SSL 3.0 or any TLS.
    TlsRecord,
    /// A CLIENT-HELLO of SSL 2.0, in which PCT may hide.
    Ssl2Hello,
    /// The same message with the version of SSL 3.0 or TLS.
    V2Hello,
    /// A CLIENT-HELLO of PCT.
    Pct1Hello,
    /// A frame of the .NET NegotiateStream protocol.
    NegotiateStream,
    /// A message of NTLM, without anything around it.
    Ntlm,
    /// A token of GSS-API, SPNEGO's or Kerberos's, without anything around it.
    GssToken,
    /// An identification of SSH.
    Ssh,
    /// A request in clear text, such as one of HTTP.
    PlainText,
    /// Something else.
    Unknown,
}

const NTLM: &[u8] = b"NTLMSSP\0";
const SSH: &[u8] = b"SSH-";
/// So many letters are a text.
const TEXT: usize = 5;

impl FirstFlight {
    /// Looks at what a connection begins with. What was decided once is not decided otherwise when more has come.
    ///
    /// # Errors
    ///
    /// It cannot be said yet: so many bytes are missing at least.
    pub fn of(input: &[u8]) -> Result<Self, usize> {
        Ok(match *input {
            [0x14..=0x17, 3, ..] => Self::TlsRecord,
            [0x14..=0x16, 1, ..] => Self::NegotiateStream,
            [] | [0x14..=0x17] => return Err(1),
            [0x14..=0x17, ..] => Self::Unknown,
            [0x60, ..] => Self::GssToken,
            // A record without content.
            [0x80, 0, ..] => Self::Unknown,
            [0x80..=0xff, _, 1, version, ..] | [0..=0x3f, _, 0, 1, version, ..] => Self::hello(version),
            [0x80..=0xff] | [0..=0x3f] => return Err(2),
            [0x80..=0xff, _]
            | [0x80..=0xff, _, 1]
            | [0..=0x3f, _]
            | [0..=0x3f, _, 0]
            | [0..=0x3f, _, 0, 1] => {
                return Err(1);
            }
            [0x80..=0xff, ..] => Self::Unknown,
            _ => return Self::text(input),
        })
    }

    const fn hello(version: u8) -> Self {
        match version {
            0..3 => Self::Ssl2Hello,
            3..=0x7f => Self::V2Hello,
            0x80.. => Self::Pct1Hello,
        }
    }

    fn text(input: &[u8]) -> Result<Self, usize> {
        for (signature, flight) in [(NTLM, Self::Ntlm), (SSH, Self::Ssh)] {
            if input.starts_with(signature) {
                return Ok(flight);
            }
            if signature.starts_with(input) {
                return Err(signature.len() - input.len());
            }
        }
        let is_text = |byte: &u8| byte.is_ascii_graphic() || b" \r\n\t".contains(byte);
        match input.get(..TEXT) {
            _ if !input.iter().take(TEXT).all(is_text) => Ok(Self::Unknown),
            Some(_) => Ok(Self::PlainText),
            None => Err(TEXT - input.len()),
        }
    }
}

/// The protocols that a peer's first token offers, whatever else it says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offer(Vec<ProtocolVersion>);

impl Offer {
    /// Of these.
    pub fn of(versions: impl IntoIterator<Item = ProtocolVersion>) -> Self {
        Self(versions.into_iter().collect())
    }

    /// What a hello says that names only its highest version: that one and the older ones, to SSL 3.0.
    #[must_use]
    pub fn up_to(highest: ProtocolVersion) -> Self {
        Self::of(ProtocolVersion::ALL.into_iter().filter(|version| *version <= highest))
    }

    /// Whether it has this protocol.
    #[must_use]
    pub fn has(&self, version: ProtocolVersion) -> bool {
        self.0.contains(&version)
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The first of `order` that is offered.
    #[must_use]
    pub fn best(&self, order: &[ProtocolVersion]) -> Option<ProtocolVersion> {
        order.iter().copied().find(|version| self.has(*version))
    }
}

impl Display for Offer {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("none that is known here");
        }
        self.0.iter().enumerate().try_for_each(|(index, version)| {
            let comma = if index > 0 { ", " } else { "" };
            write!(f, "{comma}{version}")
        })
    }
}

/// The first message of a client that is no record of TLS: a CLIENT-HELLO of PCT, or of SSL 2.0, whatever that carries.
#[derive(Debug)]
pub struct OldHello<'a> {
    /// Bytes of its record.
    len: usize,
    format: Format<'a>,
    session_id: &'a [u8],
}

#[derive(Debug)]
enum Format<'a> {
    V2(V2Hello<'a>),
    Pct1,
}

/// In the format of SSL 2.0.
#[derive(Debug)]
pub(crate) struct V2Hello<'a> {
    pub(crate) hello: ClientHello<'a>,
    /// The same as it was sent, from its type on.
    pub(crate) message: &'a [u8],
}

impl<'a> OldHello<'a> {
    /// Reads the record that `input` begins with, of which [`FirstFlight::of`] has said that it is one.
    ///
    /// # Errors
    ///
    /// It cannot be read. The inner error says how many bytes are missing.
    pub fn read(input: &'a [u8]) -> Result<Result<Self, usize>, Error> {
        const PADDING: DecodeError = DecodeError::illegal("CLIENT-HELLO.padding");
        let len = match Header::record_len(input)? {
            Need::Whole(len) => len,
            Need::More(missing) => return Ok(Err(missing)),
        };
        let record = input.get(..len).unwrap_or_default();
        if FirstFlight::of(record) == Ok(FirstFlight::Pct1Hello) {
            // CH_MSG_CLIENT_HELLO, CH_CLIENT_VERSION and CH_PAD stand before it. Spec: PCT1 section 5.2.1.
            const BEFORE: usize = 4;
            const HEADER: usize = 2;
            let session_id = record.get(HEADER + BEFORE..HEADER + BEFORE + 32).unwrap_or_default();
            return Ok(Ok(Self { len, format: Format::Pct1, session_id }));
        }
        let header = Header::read(record)?.map_err(|_| PADDING)?;
        let message = record.get(header.len..).filter(|_| header.padding == 0).ok_or(PADDING)?;
        let hello = ClientHello::from_bytes(message.get(1..).unwrap_or_default(), "CLIENT-HELLO")?;
        let session_id: &[u8] = match hello.session_id {
            Cow::Borrowed(session_id) => session_id,
            Cow::Owned(_) => &[],
        };
        Ok(Ok(Self { len, format: Format::V2(V2Hello { hello, message }), session_id }))
    }

    /// The identifier of the session that its sender wants to take up again; empty, or zeros, if it has none.
    #[must_use]
    pub const fn session_id(&self) -> &'a [u8] {
        self.session_id
    }

    /// Bytes of its record.
    #[must_use]
    pub const fn record_len(&self) -> usize {
        self.len
    }

    /// The cipher kinds that it has, its sender's favourite first; none of PCT, which has specifications.
    #[must_use]
    pub fn kinds(&self) -> &[CipherKind] {
        self.v2().map_or(&[], |v2| &v2.hello.kinds)
    }

    /// What it is.
    #[must_use]
    pub const fn is(&self) -> FirstFlight {
        match &self.format {
            Format::Pct1 => FirstFlight::Pct1Hello,
            Format::V2(v2) if v2.hello.version < ProtocolVersion::SSL30.0 => FirstFlight::Ssl2Hello,
            Format::V2(_) => FirstFlight::V2Hello,
        }
    }

    pub(crate) const fn v2(&self) -> Option<&V2Hello<'a>> {
        match &self.format {
            Format::V2(v2) => Some(v2),
            Format::Pct1 => None,
        }
    }

    /// What it offers.
    #[must_use]
    pub fn offer(&self) -> Offer {
        let mut offer = self.offer_of(|_, _| true);
        // One that has none of our kinds offers SSL 2.0 nevertheless.
        let is_ssl2 = self.v2().is_some_and(|v2| v2.hello.version == ProtocolVersion::SSL20.0);
        if is_ssl2 && !offer.has(ProtocolVersion::SSL20) {
            offer.0.push(ProtocolVersion::SSL20);
        }
        offer
    }

    /// What it offers with a suite, or a specification, that `policy` has for it.
    #[must_use]
    pub fn usable_offer(&self, policy: &Policy) -> Offer {
        self.offer_of(|version, suite| {
            let is_legal = suite.row().is_some_and(|row| row.is_legal_in(version));
            is_legal && policy.suites.contains(&suite)
        })
    }

    /// What it offers with one of the suites that are `usable`.
    fn offer_of(&self, usable: impl Fn(ProtocolVersion, CipherSuite) -> bool) -> Offer {
        let Format::V2(V2Hello { hello, .. }) = &self.format else {
            return Offer::of([ProtocolVersion::PCT1]);
        };
        let has = |version: &ProtocolVersion| match *version {
            ProtocolVersion::PCT1 | ProtocolVersion::SSL20 if !hello.has_old_challenge() => false,
            ProtocolVersion::PCT1 => {
                let suites = pct1::suites_offered_in(&hello.kinds);
                pct1::is_offered_in(&hello.kinds) && suites.iter().any(|suite| usable(*version, *suite))
            }
            ProtocolVersion::SSL20 => {
                let kinds = hello.kinds.iter().filter_map(|kind| kind.row());
                hello.version >= version.0
                    && kinds.map(|row| row.suite.suite).any(|suite| usable(*version, suite))
            }
            _ => {
                let suites = hello.kinds.iter().filter_map(|kind| kind.suite());
                version.0 <= hello.version && suites.into_iter().any(|suite| usable(*version, suite))
            }
        };
        let old = [ProtocolVersion::PCT1, ProtocolVersion::SSL20];
        Offer::of(ProtocolVersion::ALL.into_iter().chain(old).filter(has))
    }

    /// The protocol that answers it: the first that it offers with something that `policy` has, or else the first that it
    /// offers at all, whose own words say best what is missing.
    pub(crate) fn best(&self, policy: &Policy) -> Option<ProtocolVersion> {
        let order: Vec<_> =
            policy.versions.iter().copied().filter(|version| self.may_be(*version, policy)).collect();
        self.usable_offer(policy).best(&order).or_else(|| self.offer().best(&order))
    }

    /// Later protocols have this format only where it is allowed.
    fn may_be(&self, version: ProtocolVersion, policy: &Policy) -> bool {
        version.rules().is_none() || policy.v2_hello
    }

    /// Why none of the `enabled` protocols answers it.
    #[must_use]
    pub fn refused(&self, enabled: &[ProtocolVersion]) -> Error {
        let peer = match &self.format {
            Format::Pct1 => ProtocolVersion::PCT1,
            Format::V2(v2) => ProtocolVersion(v2.hello.version),
        };
        Incompatible::NoVersion { peer, enabled: enabled.to_vec() }.into()
    }

    /// The end of a handshake with its sender, who is told why in the words of the protocol that the hello is of: an ERROR, or
    /// an alert.
    #[must_use]
    pub fn refuse(&self, error: Error) -> Failure {
        match (self.is(), &self.format) {
            (FirstFlight::V2Hello, Format::V2(v2)) => refuse_in(ProtocolVersion(v2.hello.version), error),
            (FirstFlight::Pct1Hello, _) => Failure { output: pct1::refusal(&error), alert: None, error },
            _ => Failure { output: ssl2::channel::refusal(&error), alert: None, error },
        }
    }
}

/// The end before any version was agreed on: an alert in that of the peer, if that is known, or else in TLS 1.0.
pub(crate) fn refuse_in(peer: ProtocolVersion, error: Error) -> Failure {
    let version = peer.clamp(ProtocolVersion::SSL30, ProtocolVersion::TLS10);
    let Some(alert) = error.alert().map(|alert| version.alert(alert)) else { return Failure::silent(error) };
    let [major, minor] = version.0.to_be_bytes();
    let output = vec![crate::record::ContentType::ALERT.0, major, minor, 0, 2, AlertLevel::FATAL.0, alert.0];
    Failure { error, output, alert: Some(alert) }
}

#[cfg(test)]
mod tests;
