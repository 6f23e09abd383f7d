//! Contexts as bytes, for another process: `ExportSecurityContext` and `ImportSecurityContext`.
//!
//! ```text
//! version 1 · role 1 (0 server, 1 client) · dialect 1 (0 HTTP, 1 SASL) · algorithm 1 · qop 1 · cipher 1 (0: none) · mutual 1
//! start 8 · expiry 8 (seconds since 1970; 0: none) · peer's maxbuf 4 · our maxbuf 4
//! user · realm · target · key, each with its length in front, 2
//! account 1 (0: none) · name · matched by · domain · UPN · distinguished name · SID, each as those before; the last four with
//!     1 in front, or 0 and nothing
//! of a context that protects messages: the direction that sends, the direction that receives
//! ```
//!
//! Algorithm, qop and cipher are places in the lists of `algorithm.rs`, counted from 1. Numbers are big-endian.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sspi_core::{Account, Error, ExportedContext, Fault, PackageInfo, SecStatus, Secret};

use crate::algorithm::{Algorithm, Cipher, Qop};
use crate::attributes::{Attributes, Negotiated};
use crate::challenge::Dialect;
use crate::context::{DigestContext, assemble};
use crate::protection::State;

const VERSION: u8 = 2;

fn place<T: PartialEq>(list: &[T], one: &T) -> u8 {
    let place = list.iter().position(|entry| entry == one).map_or(0, |place| place + 1);
    u8::try_from(place).unwrap_or_default()
}

fn at<T: Copy>(list: &[T], place: u8) -> Option<T> {
    list.get(usize::from(place).checked_sub(1)?).copied()
}

fn seconds(time: Option<SystemTime>) -> [u8; 8] {
    let since = time.and_then(|time| time.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
    since.as_secs().to_be_bytes()
}

fn time(seconds: [u8; 8]) -> Option<SystemTime> {
    match u64::from_be_bytes(seconds) {
        0 => None,
        seconds => UNIX_EPOCH.checked_add(Duration::from_secs(seconds)),
    }
}

fn length(bytes: usize) -> [u8; 4] {
    u32::try_from(bytes).unwrap_or(u32::MAX).to_be_bytes()
}

pub(crate) fn encode(
    attributes: &Attributes,
    account: Option<&Account>,
    layer: Option<&(State, State)>,
) -> ExportedContext {
    let negotiated = &attributes.negotiated;
    let mut out = vec![
        VERSION,
        u8::from(negotiated.is_client),
        u8::from(negotiated.dialect == Dialect::Sasl),
        place(Algorithm::ALL, &negotiated.algorithm),
        place(Qop::ALL, &negotiated.qop),
        negotiated.cipher.map_or(0, |cipher| place(Cipher::ALL, &cipher)),
        u8::from(negotiated.has_proved.load(Ordering::Relaxed)),
    ];
    out.extend(seconds(Some(negotiated.start)));
    out.extend(seconds(negotiated.expiry));
    out.extend(length(negotiated.peer_maxbuf));
    out.extend(length(negotiated.own_maxbuf));
    let (user, realm, target) = (&negotiated.user, &negotiated.realm, &negotiated.target);
    for field in [user.as_bytes(), realm.as_bytes(), target.as_bytes(), negotiated.key.expose_secret()] {
        put(&mut out, field);
    }
    out.push(u8::from(account.is_some()));
    if let Some(Account { name, matched_by, domain, upn, distinguished_name, sid }) = account {
        put(&mut out, name.as_bytes());
        put(&mut out, matched_by.as_bytes());
        for part in [domain, upn, distinguished_name, sid] {
            out.push(u8::from(part.is_some()));
            if let Some(part) = part {
                put(&mut out, part.as_bytes());
            }
        }
    }
    if let Some((sending, receiving)) = layer {
        sending.encode(&mut out);
        receiving.encode(&mut out);
    }
    ExportedContext { package: attributes.info.name.to_string(), content: Secret::new(out) }
}

fn put(out: &mut Vec<u8>, field: &[u8]) {
    let length = u16::try_from(field.len()).unwrap_or(u16::MAX);
    out.extend(length.to_be_bytes());
    out.extend(field.iter().take(usize::from(length)));
}

/// The context that was exported.
pub(crate) fn import(info: &Arc<PackageInfo>, exported: &ExportedContext) -> Result<DigestContext, Error> {
    let wrong = || {
        let what = "this is not an exported context of this package";
        Error::new(SecStatus::SEC_E_INVALID_TOKEN, Fault::Decode, what)
    };
    if exported.package != info.name {
        return Err(wrong());
    }
    let (negotiated, account, layer) = decode(exported.content.expose_secret()).ok_or_else(wrong)?;
    let attributes = Attributes { info: Arc::clone(info), negotiated };
    Ok(assemble(attributes, account, layer)?)
}

/// What was negotiated, the account, and the directions of a context that protects messages.
type Decoded = (Negotiated, Option<Account>, Option<(State, State)>);

fn decode(content: &[u8]) -> Option<Decoded> {
    let (&[VERSION, role, dialect, algorithm, qop, cipher, mutual], content) =
        content.split_first_chunk::<7>()?
    else {
        return None;
    };
    let (start, content) = content.split_first_chunk::<8>()?;
    let (expiry, content) = content.split_first_chunk::<8>()?;
    let (peer_maxbuf, content) = content.split_first_chunk::<4>()?;
    let (own_maxbuf, content) = content.split_first_chunk::<4>()?;
    let (user, content) = field(content)?;
    let (realm, content) = field(content)?;
    let (target, content) = field(content)?;
    let (key, content) = field(content)?;
    let (account, content) = decode_account(content)?;
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).ok();
    let negotiated = Negotiated {
        is_client: flag(role)?,
        dialect: if flag(dialect)? { Dialect::Sasl } else { Dialect::Http },
        algorithm: at(Algorithm::ALL, algorithm)?,
        qop: at(Qop::ALL, qop)?,
        cipher: if cipher == 0 { None } else { Some(at(Cipher::ALL, cipher)?) },
        has_proved: Arc::new(flag(mutual)?.into()),
        user: text(user)?,
        realm: text(realm)?,
        target: text(target)?,
        key: Secret::new(key.to_vec()),
        start: time(*start).unwrap_or(UNIX_EPOCH),
        expiry: time(*expiry),
        peer_maxbuf: usize::try_from(u32::from_be_bytes(*peer_maxbuf)).ok()?,
        own_maxbuf: usize::try_from(u32::from_be_bytes(*own_maxbuf)).ok()?,
    };
    if !negotiated.has_layer() {
        return content.is_empty().then_some((negotiated, account, None));
    }
    let (sending, content) = State::decode(content)?;
    let (receiving, content) = State::decode(content)?;
    content.is_empty().then_some((negotiated, account, Some((sending, receiving))))
}

fn decode_account(content: &[u8]) -> Option<(Option<Account>, &[u8])> {
    let (is_there, mut content) = content.split_first()?;
    if !flag(*is_there)? {
        return Some((None, content));
    }
    let mut text = |is_optional: bool| {
        let is_there = if is_optional {
            let (is_there, rest) = content.split_first()?;
            content = rest;
            flag(*is_there)?
        } else {
            true
        };
        if !is_there {
            return Some(None);
        }
        let (text, rest) = field(content)?;
        content = rest;
        String::from_utf8(text.to_vec()).ok().map(Some)
    };
    let account = Account {
        name: text(false)??,
        matched_by: text(false)??,
        domain: text(true)?,
        upn: text(true)?,
        distinguished_name: text(true)?,
        sid: text(true)?,
    };
    Some((Some(account), content))
}

fn flag(byte: u8) -> Option<bool> {
    match byte {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    }
}

fn field(content: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, content) = content.split_first_chunk::<2>()?;
    content.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}
