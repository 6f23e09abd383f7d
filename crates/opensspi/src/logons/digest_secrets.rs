//! What accounts of the file prove themselves with to the package Digest.

use std::hint::black_box;
use std::ops::Range;

use sspi_core::{
    DigestAccount, DigestAlgorithm, DigestLogon, DigestSecret, DigestUser, Error, Fault, SecStatus, Secret,
};
use zeroize::Zeroizing;

use super::{Replacement, quoted};
use crate::config::{DigestEntry, DigestHash, LogonEntry, Logons, MeantDigest};
use crate::providers::digest::hashed_a1;

/// The account of a logon, and its hash. The name is compared as it is hashed, with regard to case.
///
/// Whether a name stands in the file is not told by the time: whatever is found, all is looked for, and made of what is found
/// where it is somebody else's, too.
///
/// # Errors
/// There is the account, and it has no such hash. It is refused as one that there is not, and the log knows better.
pub(super) fn find(logons: &Logons, logon: &DigestLogon) -> Result<Option<DigestAccount>, Error> {
    let (meant, name, has_account) = match &logon.user {
        DigestUser::Names(names) => {
            let each = names.iter().filter_map(|name| logons.digest(&logon.realm, name));
            let meant = each.reduce(|one, other| if one.is_there { one } else { other });
            let each = names.iter().map(|name| (name.as_str(), logons.find(name, "").is_ok()));
            let called = each.reduce(|one, other| if one.1 { one } else { other });
            let (name, has_account) = called.unwrap_or_default();
            (meant, name, has_account)
        }
        DigestUser::Hashed(hash) => {
            let meant = logons.hashed_digest(&logon.realm, hash);
            (meant, meant.map_or("", |meant| &meant.digest.user), false)
        }
        _ => return Ok(None),
    };
    let is_there = meant.is_some_and(|meant| meant.is_there);
    let account = black_box(meant.and_then(|meant| account(meant, logon.algorithm)));
    let without_secret = black_box(without_secret(name, logon));
    match account.filter(|_| is_there) {
        None if is_there || has_account => Err(without_secret),
        account => Ok(account),
    }
}

fn account(
    MeantDigest { entry, digest, .. }: MeantDigest<'_>,
    algorithm: DigestAlgorithm,
) -> Option<DigestAccount> {
    let found = digest.hashes.iter().find(|hash| hash.algorithm == algorithm)?;
    Some(DigestAccount {
        account: entry.account.clone(),
        user: digest.user.clone(),
        secret: DigestSecret::HashedA1(found.hashed_a1.clone()),
        report: None,
    })
}

/// What is wrong with an account that has a password, and none here.
fn without_secret(name: &str, DigestLogon { realm, algorithm, .. }: &DigestLogon) -> Error {
    let algorithm = algorithm.name();
    denied(format!(
        "the account {name:?} has no secret of Digest for the realm {realm:?} (digest.realm) and {algorithm}, as `opensspi account \
         passwd --realm` stores it, or its name is written otherwise there"
    ))
}

fn denied(what: String) -> Error {
    Error::new(SecStatus::SEC_E_LOGON_DENIED, Fault::Refused, what).with_setting("logon.accounts")
}

/// What comes in the place of the hashes of an account that gets another password.
///
/// # Errors
/// None: the same function without the package has some.
#[expect(clippy::unnecessary_wraps, reason = "without the package there may be hashes that cannot be made")]
pub(super) fn hashes(entry: &LogonEntry, password: &str) -> Result<Vec<Replacement>, crate::Error> {
    let all = entry.digest.iter().flat_map(|digest| digest.hashes.iter().map(move |hash| (digest, hash)));
    let replacement = |(digest, hash): (&DigestEntry, &DigestHash)| {
        (hash.place.clone(), digits(hash.algorithm, &digest.user, &digest.realm, password))
    };
    Ok(all.map(replacement).collect())
}

/// Where another realm goes in the text: at the beginning of the list that there is, or in the line behind the NT hash.
pub(super) fn place(entry: &LogonEntry, text: &str) -> Range<usize> {
    let at = match &entry.digest_place {
        Some(place) => place.start + 1,
        None => {
            let behind = text.get(entry.place.end..).unwrap_or_default();
            entry.place.end + behind.find('\n').unwrap_or(behind.len())
        }
    };
    at..at
}

/// What goes there for these realms: a list, or more of the list that there is.
pub(super) fn written(has_list: bool, name: &str, realms: &[&str], password: &str) -> Zeroizing<String> {
    // In one allocation: one that grows would leave hashes behind.
    let names: usize = realms.iter().map(|realm| quoted(realm).len()).sum();
    let mut out = Zeroizing::new(String::with_capacity(names + 512 * realms.len() + 32));
    if !has_list {
        out.push_str("\ndigest = [");
    }
    for (place, realm) in realms.iter().enumerate() {
        out.push_str(if has_list || place == 0 { "{ realm = " } else { ", { realm = " });
        out.push_str(&quoted(realm));
        for algorithm in DigestAlgorithm::ALL {
            out.push_str(&format!(", {} = ", algorithm.name().to_lowercase()));
            out.push_str(&digits(algorithm, name, realm, password));
        }
        out.push_str(if has_list { " }, " } else { " }" });
    }
    if !has_list {
        out.push(']');
    }
    out
}

/// H(A1) as it is written, quotes included.
fn digits(algorithm: DigestAlgorithm, user: &str, realm: &str, password: &str) -> Zeroizing<String> {
    let hash: Secret<Vec<u8>> = hashed_a1(algorithm, user.as_bytes(), realm.as_bytes(), password.as_bytes());
    let mut out = Zeroizing::new(String::with_capacity(2 * Secret::expose_secret(&hash).len() + 2));
    out.push('"');
    for byte in hash.expose_secret() {
        out.push_str(&format!("{byte:02x}"));
    }
    out.push('"');
    out
}
