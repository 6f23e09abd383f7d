//! NTLM in the demo: a server that knows one account, a client that has its password, and what they say.

use std::sync::Arc;

use async_trait::async_trait;
use opensspi::sspi_core::{
    Account, AccountSecret, AuthData, AuthIdentity, Error, LogonRequest, LogonVerdict, Secret,
};
use opensspi::sspi_tokio::AccountDatabase;

use super::run::Case;
use crate::exit::Failure;
use crate::recording::Leg;
use crate::settings::Configuration;

/// The package's name.
pub(super) const NAME: &str = "NTLM";

const USER: &str = "demo";
const DOMAIN: &str = "OPENSSPI";
const PASSWORD: &str = "the demo's password";

/// One account.
struct OneAccount;

fn password() -> Secret<String> {
    Secret::new(PASSWORD.to_owned())
}

#[async_trait]
impl AccountDatabase for OneAccount {
    async fn logon(&self, request: &LogonRequest) -> Result<LogonVerdict, Error> {
        if !request.user.eq_ignore_ascii_case(USER) {
            return Ok(LogonVerdict::NoAccount);
        }
        let account =
            Account { name: USER.to_owned(), domain: Some(DOMAIN.to_owned()), ..Account::default() };
        Ok(LogonVerdict::Known {
            account: account.into(),
            secrets: vec![AccountSecret::Password(password())],
        })
    }
}

/// Both ends, with what the configuration says of the package.
pub(super) async fn case(configuration: Configuration, bytes: u64) -> Result<Case, Failure> {
    let Configuration { config, base, .. } = configuration;
    let builder = |config| opensspi::Sspi::builder().config(config).base(&base).package(NAME);
    let server = builder(config.clone()).logons(Arc::new(OneAccount)).build()?;
    let identity = AuthIdentity { user: USER.to_owned(), domain: DOMAIN.to_owned(), password: password() };
    // Both ends are in this process, which a client refuses otherwise.
    let mut to_itself = config.clone();
    to_itself.ntlm.reflection = opensspi::Reflection::Allow;
    let client = builder(to_itself).auth_data(AuthData::Identity(identity)).build()?;
    let level = config.ntlm.lm_compatibility_level.number();
    let version = if level < 3 { "version 1" } else { "version 2" };
    Case::of_package(version, server, client, "host/localhost", bytes).await
}

/// The names of what each leg holds: frames of NegotiateStream with tokens in them, and *done*.
///
/// Spec: MS-NNS section 2.2.
pub(super) fn names(legs: &[Leg]) -> Vec<String> {
    legs.iter().map(|leg| frames(&leg.bytes).join(", ")).collect()
}

fn frames(mut bytes: &[u8]) -> Vec<String> {
    let mut names = Vec::new();
    while let [id, _, _, high, low, rest @ ..] = bytes {
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(rest.len());
        let (payload, behind) = rest.split_at(length);
        let name = match payload {
            [b'N', b'T', b'L', b'M', b'S', b'S', b'P', 0, number, ..] => match number {
                1 => "NEGOTIATE",
                2 => "CHALLENGE",
                3 => "AUTHENTICATE",
                _ => "unknown token",
            },
            [] => "",
            _ if *id == 0x15 => "error",
            _ => "unknown token",
        };
        let done = if *id == 0x14 { "done" } else { "" };
        names.extend([name, done].into_iter().filter(|part| !part.is_empty()).map(str::to_owned));
        bytes = behind;
    }
    names
}
