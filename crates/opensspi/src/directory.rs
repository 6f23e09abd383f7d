//! The account directory that a configuration names: its password and its trust, from where the configuration says.

use sspi_core::{AuthData, CredentialUse, CredentialsRequest, Error, Fault, SecStatus, Secret};
use sspi_ldap::{Bind, LdapDirectory, Options, Protection};
use zeroize::Zeroizing;

use crate::config::{Config, DirectoryConfig};
use crate::providers::{self, SchannelConfig, Seams};

/// The directory. Nothing is connected yet.
///
/// # Errors
/// What cannot be read or cannot be, with the setting.
pub(crate) fn open(config: &DirectoryConfig, seams: &Seams) -> Result<LdapDirectory, Error> {
    let Some(first) = config.url.first() else {
        let what = "a directory has a server: write ldaps://HOST";
        let error = Error::new(SecStatus::SEC_E_INVALID_PARAMETER, Fault::Configuration, what);
        return Err(error.with_setting("directory.url"));
    };
    let mut options = Options::new(first.clone(), &config.base);
    options.servers.clone_from(&config.url);
    options.classes.clone_from(&config.account_classes);
    options.bind = bind(config, seams)?;
    options.domain.clone_from(&config.domain);
    options.connections = config.connections;
    options.deadline = config.deadline;
    options.absent_for = config.absent_for;
    options.down_for = config.down_for;
    if config.i_accept_clear_text && !config.is_ldaps() {
        options.protection = Protection::None;
        tracing::warn!(server = %config.servers(), "the account directory is asked in clear: whoever is in between says who everybody is");
        return LdapDirectory::new(options, None);
    }
    // Not what the connections of the application may speak: a directory is no museum.
    let schannel = SchannelConfig {
        roots: config.roots.clone(),
        pins: config.pins.clone(),
        ..SchannelConfig::default()
    };
    let tls = Config { schannel, ..Config::default() };
    let package = providers::packages(&tls, seams)
        .into_iter()
        .find(|package| package.package_info().capabilities.is_stream());
    let request = CredentialsRequest {
        auth_data: AuthData::Configured,
        ..CredentialsRequest::configured(CredentialUse::Outbound)
    };
    let tls = package.map(|package| package.acquire_credentials_handle(&request)).transpose()?;
    LdapDirectory::new(options, tls)
}

fn bind(config: &DirectoryConfig, seams: &Seams) -> Result<Option<Bind>, Error> {
    let wrong = |setting: &'static str, what: String| {
        Error::new(SecStatus::SEC_E_UNKNOWN_CREDENTIALS, Fault::Configuration, what).with_setting(setting)
    };
    let (dn, reference) = match (&config.bind_dn, &config.bind_password) {
        (None, None) => return Ok(None),
        (Some(dn), Some(reference)) => (dn, reference),
        (Some(_), None) => {
            return Err(wrong("directory.bind-password", "bind-dn has no bind-password".to_owned()));
        }
        (None, Some(_)) => return Err(wrong("directory.bind-dn", "bind-password has no bind-dn".to_owned())),
    };
    let setting = "directory.bind-password";
    let read = seams
        .materials
        .read(reference)
        .map_err(|error| wrong(setting, format!("cannot read {reference}: {error}")).with_source(error))?;
    // The copy, too.
    let read = Zeroizing::new(read);
    let password = str::from_utf8(&read).map_err(|_| wrong(setting, format!("{reference} is not UTF-8")))?;
    // Whoever writes a password into a file ends its line.
    let password = password.strip_suffix('\n').unwrap_or(password);
    let password = password.strip_suffix('\r').unwrap_or(password);
    Ok(Some(Bind { dn: dn.clone(), password: Secret::new(password.to_owned()) }))
}
