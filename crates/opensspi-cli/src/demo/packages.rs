//! The packages of the demo that are not Schannel: a server that knows one account, and a client that has its password.

use std::sync::Arc;

use async_trait::async_trait;
use opensspi::sspi_core::{
    Account, AccountSecret, AuthData, AuthIdentity, DigestAccount, DigestLogon, DigestSecret, DigestUser,
    Error, LogonRequest, LogonVerdict, Secret,
};
use opensspi::sspi_tokio::AccountDatabase;
use opensspi::{Config, Reflection, Sspi};

use super::badge::Badge;
use super::run::Case;
use crate::exit::Failure;
use crate::settings::Configuration;

/// A package, and how it is shown.
pub(super) struct Package {
    /// Its names: as it is registered, and as people call it.
    pub(super) names: &'static [&'static str],
    /// What is said of its protocol.
    protocol: fn(&Config) -> &'static str,
    /// The domain in which the client logs on.
    domain: &'static str,
    /// How much data is sent: Triple DES takes its time, and so does a package without cryptography.
    bytes: u64,
}

/// All of them, in the order in which they are shown.
pub(super) const PACKAGES: [Package; 4] = [
    Package { names: &["NTLM"], protocol: ntlm_version, domain: DOMAIN, bytes: 64 << 20 },
    Package { names: &["WDigest", "Digest"], protocol: |_| "DIGEST-MD5", domain: "", bytes: 4 << 20 },
    Package { names: &["Negotiate"], protocol: |_| "SPNEGO", domain: DOMAIN, bytes: 64 << 20 },
    Package { names: &[BADGE], protocol: |_| "a toy", domain: "", bytes: 4 << 20 },
];

/// The toy of a third party.
const BADGE: &str = "Badge";

const USER: &str = "demo";
const DOMAIN: &str = "OPENSSPI";
const REALM: &str = "opensspi.demo";
const PASSWORD: &str = "the demo's password";

fn ntlm_version(config: &Config) -> &'static str {
    if config.ntlm.lm_compatibility_level.number() < 3 { "version 1" } else { "version 2" }
}

fn password() -> Secret<String> {
    Secret::new(PASSWORD.to_owned())
}

/// One account.
struct OneAccount;

impl OneAccount {
    fn account() -> Account {
        Account { name: USER.to_owned(), domain: Some(DOMAIN.to_owned()), ..Account::default() }
    }
}

#[async_trait]
impl AccountDatabase for OneAccount {
    async fn logon(&self, request: &LogonRequest) -> Result<LogonVerdict, Error> {
        if !request.user.eq_ignore_ascii_case(USER) {
            return Ok(LogonVerdict::NoAccount);
        }
        let secrets = vec![AccountSecret::Password(password())];
        Ok(LogonVerdict::Known { account: Self::account().into(), secrets })
    }

    async fn digest_secret(&self, logon: &DigestLogon) -> Result<Option<DigestAccount>, Error> {
        let is_known =
            matches!(&logon.user, DigestUser::Names(names) if names.iter().any(|name| name == USER));
        Ok(is_known.then(|| DigestAccount {
            account: Self::account().into(),
            user: USER.to_owned(),
            secret: DigestSecret::Password(password()),
            report: None,
        }))
    }
}

impl Package {
    /// Whether it is called so.
    pub(super) fn is_named(&self, name: &str) -> bool {
        self.names.iter().any(|own| own.eq_ignore_ascii_case(name))
    }

    /// Both ends, with what the configuration says of the package.
    pub(super) async fn case(
        &self,
        configuration: Configuration,
        bytes: Option<u64>,
    ) -> Result<Case, Failure> {
        let Configuration { mut config, base, .. } = configuration;
        config.digest.realm.get_or_insert_with(|| REALM.to_owned());
        if config.digest.services.is_empty() {
            config.digest.services.push("localhost".to_owned());
        }
        let protocol = (self.protocol)(&config);
        let name = self.names.first().copied().unwrap_or_default();
        let builder = |config| {
            let builder = Sspi::builder().config(config).base(&base).package(name);
            // Negotiate would like it better than NTLM.
            if name != BADGE {
                return builder;
            }
            let badge = Badge { word: PASSWORD.as_bytes(), nonce: another_nonce };
            builder.register(Arc::new(badge.package()))
        };
        let server = builder(config.clone()).logons(Arc::new(OneAccount)).build()?;
        let identity =
            AuthIdentity { user: USER.to_owned(), domain: self.domain.to_owned(), password: password() };
        // Both ends are in this process, which a client refuses otherwise.
        config.ntlm.reflection = Reflection::Allow;
        let client = builder(config).auth_data(AuthData::Identity(identity)).build()?;
        Case::of_package(protocol, server, client, "host/localhost", bytes.unwrap_or(self.bytes)).await
    }
}

/// Bytes for the toy, which protects nothing: other ones each time.
fn another_nonce() -> [u8; 8] {
    use std::hash::{BuildHasher as _, RandomState};
    RandomState::new().hash_one(()).to_be_bytes()
}
