//! Digest in the demo: DIGEST-MD5 between a server that knows one account and a client that has its password.

use std::sync::Arc;

use async_trait::async_trait;
use opensspi::sspi_core::{
    Account, AuthData, AuthIdentity, DigestAccount, DigestLogon, DigestSecret, DigestUser, Error, Secret,
};
use opensspi::sspi_tokio::AccountDatabase;

use super::run::Case;
use crate::exit::Failure;
use crate::recording::Leg;
use crate::settings::Configuration;

/// The package's name, and the one that people call it by.
pub(super) const NAMES: [&str; 2] = ["WDigest", "Digest"];

const USER: &str = "demo";
const REALM: &str = "opensspi.demo";
const PASSWORD: &str = "the demo's password";

/// One account.
struct OneAccount;

fn password() -> Secret<String> {
    Secret::new(PASSWORD.to_owned())
}

#[async_trait]
impl AccountDatabase for OneAccount {
    async fn digest_secret(&self, logon: &DigestLogon) -> Result<Option<DigestAccount>, Error> {
        let is_known =
            matches!(&logon.user, DigestUser::Names(names) if names.iter().any(|name| name == USER));
        let account = Account { name: USER.to_owned(), ..Account::default() };
        Ok(is_known.then(|| DigestAccount {
            account: account.into(),
            user: USER.to_owned(),
            secret: DigestSecret::Password(password()),
            report: None,
        }))
    }
}

/// Both ends, with what the configuration says of the package.
pub(super) async fn case(configuration: Configuration, bytes: u64) -> Result<Case, Failure> {
    let Configuration { mut config, base, .. } = configuration;
    config.digest.realm.get_or_insert_with(|| REALM.to_owned());
    if config.digest.services.is_empty() {
        config.digest.services.push("localhost".to_owned());
    }
    let builder = || opensspi::Sspi::builder().config(config.clone()).base(&base).package(NAMES[0]);
    let server = builder().logons(Arc::new(OneAccount)).build()?;
    let identity = AuthIdentity { user: USER.to_owned(), domain: String::new(), password: password() };
    let client = builder().auth_data(AuthData::Identity(identity)).build()?;
    Case::of_package("DIGEST-MD5", server, client, "host/localhost", bytes).await
}

/// The names of what each leg holds: frames of NegotiateStream with messages of DIGEST-MD5 in them, and *done*.
///
/// Spec: MS-NNS section 2.2; DIGEST (RFC 2831) section 2.1.
pub(super) fn names(legs: &[Leg]) -> Vec<String> {
    legs.iter().map(|leg| frames(&leg.bytes).join(", ")).collect()
}

fn frames(mut bytes: &[u8]) -> Vec<String> {
    let mut names = Vec::new();
    while let [id, _, _, high, low, rest @ ..] = bytes {
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(rest.len());
        let (payload, behind) = rest.split_at(length);
        let has = |name: &[u8]| payload.windows(name.len()).any(|window| window == name);
        let name = match payload {
            [] if *id == 0x16 => "nothing yet",
            [] => "",
            _ if *id == 0x15 => "error",
            _ if has(b"rspauth=") => "response-auth",
            _ if has(b"response=") => "digest-response",
            _ if has(b"nonce=") => "digest-challenge",
            _ => "unknown token",
        };
        let done = if *id == 0x14 { "done" } else { "" };
        names.extend([name, done].into_iter().filter(|part| !part.is_empty()).map(str::to_owned));
        bytes = behind;
    }
    names
}
