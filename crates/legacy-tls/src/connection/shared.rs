//! A client's hello that several protocols can answer: one in the format of SSL 2.0, with what each of them offers in it.
//!
//! ```text
//! 14..17 03          a record of SSL 3.0 or TLS
//! 80..ff xx 02, 05   PCT: SERVER_HELLO, ERROR
//! 80..ff xx 04, 00   SSL 2.0: SERVER-HELLO, ERROR
//! 00..3f xx 00 ..    either, with the longer header
//! ```
//!
//! Spec: TLS10 appendix E; PCT1 section 5.2.2; SSL2 section 5.6.1.

use std::sync::Arc;

use super::client::{ClientHandshake, first_record_version, pct1_wanted, wanted};
use super::handshake::Handshake;
use super::{ClientParameters, Failure, Progress, only_rules};
use crate::config::ClientConfig;
use crate::error::Error;
use crate::pct1;
use crate::pct1::channel::Channel as Pct1Channel;
use crate::pct1::client::{Client as Pct1Client, Offer as Pct1Offer};
use crate::record::{ContentType, Opener, RecordError, Sealer};
use crate::ssl2::cipher_kinds::CipherKind;
use crate::ssl2::messages::ClientHello;
use crate::ssl2::{self, client::Offer as Ssl2Offer};
use crate::tls::alert::AlertDescription;
use crate::tls::channel::Channel;
use crate::tls::client;
use crate::tls::extensions::Extensions;
use crate::tls::versions::ProtocolVersion;

/// The hello is out, or about to be; the answer says who goes on.
pub(crate) struct Shared {
    /// The hello, until it is sent.
    hello: Option<Vec<u8>>,
    tls: Option<Handshake<client::State>>,
    pct1: Option<Handshake<Pct1Client>>,
    ssl2: Option<Handshake<ssl2::client::State>>,
}

/// Whose the answer is.
enum Answer {
    More(usize),
    Tls,
    Pct1,
    Ssl2,
    Nobody(Error),
}

impl Shared {
    /// The hello of everything that is enabled.
    pub(super) fn new(config: Arc<ClientConfig>, parameters: ClientParameters) -> Result<Self, Error> {
        let policy = &config.policy;
        let mut random = [0; 32];
        config.random.fill(&mut random)?;
        let of_tls = wanted(&config, parameters.clone());
        let (version, suites) = match policy.lowest_here() {
            Some(_) => client::Offer::in_v2(&of_tls, policy)?,
            None => (ProtocolVersion::SSL20, Vec::new()),
        };
        let mut ssl2_channel = ssl2::channel::Channel::sharing_a_hello();
        let has_ssl2 = policy.has(ProtocolVersion::SSL20);
        let ssl2 = has_ssl2.then(|| Ssl2Offer::beside(of_tls.clone(), &random, &config, &mut ssl2_channel));
        let has_pct1 = policy.has(ProtocolVersion::PCT1);
        let specs = if has_pct1 { pct1::unified::specs_of(policy) } else { Vec::new() };
        let kinds = ssl2.as_ref().map(Ssl2Offer::cipher_kinds).unwrap_or_default();
        let offered = suites.iter().copied().map(CipherKind::of_suite).chain(kinds).chain(specs);
        let hello = ClientHello {
            version: version.0,
            kinds: offered.collect(),
            session_id: ssl2.as_ref().map_or(&[][..], Ssl2Offer::session_id).into(),
            challenge: random.as_slice().into(),
        };
        let (message, record) = ssl2::hello::write(&hello)?;
        drop(hello);
        let mut shared = Self { hello: Some(record), tls: None, pct1: None, ssl2: None };
        if has_pct1 {
            let (mut channel, wanted) = (Pct1Channel::new(), pct1_wanted(&config, parameters));
            let offer = Pct1Offer::behind_unified(wanted, &message, &random, &mut channel)?;
            let role = Pct1Client::ServerHello(Box::new(offer));
            shared.pct1 = Some(Handshake::new(Arc::clone(&config), channel, role));
        }
        if let Some(offer) = ssl2 {
            let state = ssl2::client::State::ServerHello(Box::new(offer));
            shared.ssl2 = Some(Handshake::new(Arc::clone(&config), ssl2_channel, state));
        }
        if policy.lowest_here().is_some() {
            let sealer = Sealer::plaintext(first_record_version(&config));
            let mut channel = Channel::new(Opener::plaintext(), sealer, only_rules(policy));
            let hello = crate::tls::messages::ClientHello {
                version,
                random,
                session_id: [].as_slice().into(),
                suites,
                compression_methods: [0].as_slice().into(),
                extensions: Extensions::default(),
            };
            let offer = client::Offer::behind_v2(of_tls, &hello, &message, policy, &mut channel);
            let state = client::State::ServerHello(Box::new(offer));
            shared.tls = Some(Handshake::new(config, channel, state));
        }
        Ok(shared)
    }

    /// Sends the hello, and waits until the answer says who goes on.
    pub(super) fn advance(&mut self, input: &[u8]) -> Result<Result<ClientHandshake, Progress>, Failure> {
        if let Some(output) = self.hello.take() {
            return Ok(Err(Progress::Continue { output, used: 0 }));
        }
        Ok(match self.answer(input) {
            Answer::More(missing) => Err(Progress::Incomplete { missing }),
            Answer::Tls => Ok(ClientHandshake::Tls(self.tls.take().ok_or_else(Self::over)?)),
            Answer::Pct1 => Ok(ClientHandshake::Pct1(self.pct1.take().ok_or_else(Self::over)?)),
            Answer::Ssl2 => Ok(ClientHandshake::Ssl2(self.ssl2.take().ok_or_else(Self::over)?)),
            Answer::Nobody(error) => return Err(Failure::silent(error)),
        })
    }

    const fn over() -> Failure {
        Failure::silent(Error::Internal("a hello was answered twice"))
    }

    fn answer(&self, input: &[u8]) -> Answer {
        let kind = match *input {
            [0x14..=0x17, 3, ..] if self.tls.is_some() => return Answer::Tls,
            [0x14..=0x17, 3, ..] => return tls_to_nobody(input),
            [] | [0x14..=0x17] => return Answer::More(1),
            [0x80..=0xff, _, kind, ..] | [0..=0x3f, _, _, kind, ..] => kind,
            [0x80..=0xff, ..] => return Answer::More(3 - input.len()),
            [0..=0x3f, ..] => return Answer::More(4 - input.len()),
            _ => return not_a_record(input),
        };
        match (kind, &self.pct1, &self.ssl2) {
            (pct1::messages::SERVER_HELLO | pct1::messages::ERROR, Some(_), _) | (_, Some(_), None) => {
                Answer::Pct1
            }
            (_, _, Some(_)) => Answer::Ssl2,
            (_, None, None) => not_a_record(input),
        }
    }
}

/// A record of TLS, which was not offered: an alert that says so, most likely.
fn tls_to_nobody(input: &[u8]) -> Answer {
    const ALERT: u8 = ContentType::ALERT.0;
    match *input {
        [ALERT, _, _, 0, 2, _, description, ..] => {
            Answer::Nobody(Error::AlertReceived(AlertDescription(description)))
        }
        [ALERT, ..] if input.len() < 7 => Answer::More(7 - input.len()),
        _ => not_a_record(input),
    }
}

fn not_a_record(input: &[u8]) -> Answer {
    match input.first_chunk() {
        Some(first) => Answer::Nobody(RecordError::NotARecord { first: *first }.into()),
        None => Answer::More(5 - input.len()),
    }
}
