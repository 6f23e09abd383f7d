//! Builds an [`Sspi`](crate::Sspi) from what the application has.

use std::path::{Path, PathBuf};
use std::sync::Arc;
#[cfg(feature = "tokio")]
use std::time::Duration;

use sspi_core::{AuthData, CertificateIdentity, Clock, Fault, Registry, SecStatus, SecurityPackage};
#[cfg(feature = "tokio")]
use sspi_tokio::{AccountDatabase, AccountDirectory, Accounts, Logons};

#[cfg(feature = "tokio")]
use crate::accounts::FileAccounts;
#[cfg(feature = "tokio")]
use crate::answers::Parts;
use crate::clock::SystemClock;
use crate::config::{Config, nearest};
use crate::error::Error;
use crate::providers::{self, Seams};
use crate::sspi::{Shared, Sspi};

/// Builds an [`Sspi`].
///
/// ```
/// use opensspi::{Config, Sspi};
///
/// let sspi = Sspi::builder().config(Config::default()).package("Schannel").build()?;
/// assert_eq!(sspi.package_info().name, "Schannel");
/// # Ok::<(), opensspi::Error>(())
/// ```
#[derive(Default)]
pub struct Builder {
    config: Config,
    base: PathBuf,
    clock: Option<Arc<dyn Clock>>,
    #[cfg(feature = "schannel")]
    materials: Option<Arc<dyn providers::Materials>>,
    #[cfg(all(feature = "tokio", feature = "schannel"))]
    session_store: Option<Arc<dyn sspi_tokio::SessionStore>>,
    #[cfg(feature = "tokio")]
    answers: Option<Arc<dyn sspi_tokio::Answers>>,
    #[cfg(feature = "tokio")]
    accounts: Option<Arc<dyn AccountDirectory>>,
    #[cfg(feature = "tokio")]
    logons: Option<Arc<dyn AccountDatabase>>,
    #[cfg(feature = "tokio")]
    blocking_answers: Option<Arc<dyn sspi_tokio::blocking::Answers>>,
    auth_data: AuthData,
    #[cfg(feature = "negotiate")]
    listener: Option<String>,
    packages: Vec<Arc<dyn SecurityPackage>>,
    /// The file of the configuration, as errors call it, and its text.
    file: Option<(String, String)>,
}

impl Builder {
    /// The configuration, in place of the default.
    #[must_use]
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// The configuration in a file; relative paths in it begin at the file's folder.
    ///
    /// # Errors
    /// [`Error::Config`] with everything that is wrong with the file.
    pub fn config_file(mut self, path: impl AsRef<Path>) -> Result<Self, Error> {
        let name = path.as_ref().display().to_string();
        let text = Config::read(path.as_ref())?;
        self.config = Config::from_toml(&text, &name)?;
        self.file = Some((name, text));
        Ok(self.base(path.as_ref().parent().unwrap_or_else(|| Path::new(""))))
    }

    /// Where relative paths of the configuration begin; the working directory if nothing is said.
    #[must_use]
    pub fn base(mut self, folder: impl AsRef<Path>) -> Self {
        self.base = folder.as_ref().to_owned();
        self
    }

    /// The package that secures the connections, in place of the one that the configuration names.
    #[must_use]
    pub fn package(mut self, name: &str) -> Self {
        self.config.package = name.to_owned();
        self
    }

    /// What the package Schannel is told, in place of what the configuration says.
    #[cfg(feature = "schannel")]
    #[must_use]
    pub fn schannel(mut self, config: providers::SchannelConfig) -> Self {
        self.config.schannel = config;
        self
    }

    /// What the package Negotiate is told, in place of what the configuration says.
    #[cfg(feature = "negotiate")]
    #[must_use]
    pub fn negotiate(mut self, config: providers::NegotiateConfig) -> Self {
        self.config.negotiate = config;
        self
    }

    /// What the package NTLM is told, in place of what the configuration says.
    #[cfg(feature = "ntlm")]
    #[must_use]
    pub fn ntlm(mut self, config: providers::NtlmConfig) -> Self {
        self.config.ntlm = config;
        self
    }

    /// The time, in place of the system's clock.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Where files, keys and roots come from, in place of the file system.
    #[cfg(feature = "schannel")]
    #[must_use]
    pub fn materials(mut self, materials: Arc<dyn providers::Materials>) -> Self {
        self.materials = Some(materials);
        self
    }

    /// Where servers share their sessions with other machines, in place of what the configuration says. It must seal what it
    /// keeps where others can read it.
    #[cfg(all(feature = "tokio", feature = "schannel"))]
    #[must_use]
    pub fn session_store(mut self, store: Arc<dyn sspi_tokio::SessionStore>) -> Self {
        self.session_store = Some(store);
        self
    }

    /// Who answers what a handshake asks, such as which client certificate to present.
    #[cfg(feature = "tokio")]
    #[must_use]
    pub fn answers(mut self, answers: Arc<dyn sspi_tokio::Answers>) -> Self {
        self.answers = Some(answers);
        self
    }

    /// Where the accounts of client certificates are looked up, in place of the file that the configuration names. Blocking
    /// streams ask their own answers.
    #[cfg(feature = "tokio")]
    #[must_use]
    pub fn accounts(mut self, directory: Arc<dyn AccountDirectory>) -> Self {
        self.accounts = Some(directory);
        self
    }

    /// Where the passwords are that clients log on with, in place of what the configuration says. Blocking streams ask their
    /// own answers.
    #[cfg(feature = "tokio")]
    #[must_use]
    pub fn logons(mut self, database: Arc<dyn AccountDatabase>) -> Self {
        self.logons = Some(database);
        self
    }

    /// Who answers what the handshake of a blocking stream asks.
    #[cfg(feature = "tokio")]
    #[must_use]
    pub fn blocking_answers(mut self, answers: Arc<dyn sspi_tokio::blocking::Answers>) -> Self {
        self.blocking_answers = Some(answers);
        self
    }

    /// When a handshake is given up, in place of what the configuration says; `None`: never.
    #[cfg(feature = "tokio")]
    #[must_use]
    pub fn deadline(mut self, deadline: Option<Duration>) -> Self {
        self.config.handshake_deadline = deadline;
        self
    }

    /// A certificate with its key that is in memory, in place of those that are configured.
    #[must_use]
    pub fn certificate(self, certificate: CertificateIdentity) -> Self {
        self.auth_data(AuthData::Certificate(certificate))
    }

    /// What the application brings along for its credentials.
    #[must_use]
    pub fn auth_data(mut self, auth_data: AuthData) -> Self {
        self.auth_data = auth_data;
        self
    }

    /// What `[[negotiate.listeners]]` calls the listener whose connections will be accepted: a name of the application's own
    /// (`intranet`), or its address and port (`192.0.2.1:389`). An application with several has an [`Sspi`] for each.
    #[cfg(feature = "negotiate")]
    #[must_use]
    pub fn listener(mut self, name: impl Into<String>) -> Self {
        self.listener = Some(name.into());
        self
    }

    /// A package of a third party, which a configuration can then name.
    #[must_use]
    pub fn register(mut self, package: Arc<dyn SecurityPackage>) -> Self {
        self.packages.push(package);
        self
    }

    /// The packages that there are, and the one that is chosen.
    ///
    /// # Errors
    /// [`Error::Security`] where there is no package of that name, or where two have the same; [`Error::Config`] with what is
    /// wrong with the file of accounts. What the configuration of the package names is read later, with the first connection
    /// or with [`Sspi::acquire`].
    pub fn build(mut self) -> Result<Sspi, Error> {
        let file = self.file.take();
        self.assemble().map_err(|error| match (error, &file) {
            (Error::Security(error), Some((name, text))) => {
                crate::check::with_place(error, name, text).into()
            }
            (error, _) => error,
        })
    }

    fn assemble(mut self) -> Result<Sspi, Error> {
        let clock = self.clock.take().unwrap_or_else(|| Arc::new(SystemClock));
        #[cfg(feature = "schannel")]
        let materials = self
            .materials
            .take()
            .unwrap_or_else(|| Arc::new(crate::materials::SystemMaterials::new(&self.base)));
        #[cfg(any(feature = "digest", feature = "ntlm"))]
        let secrets = crate::references::secrets(
            #[cfg(feature = "schannel")]
            Arc::clone(&materials),
            &self.base,
        );
        #[cfg(all(feature = "tokio", feature = "schannel"))]
        let sessions = crate::sessions::shared(&self.config, materials.as_ref(), self.session_store.take())?;
        let seams = Seams {
            clock: Arc::clone(&clock),
            #[cfg(feature = "schannel")]
            materials: Arc::clone(&materials),
            #[cfg(all(feature = "tokio", feature = "schannel"))]
            sessions: sessions.clone().map(|sessions| Arc::new(crate::sessions::HandOver(sessions)) as _),
            #[cfg(any(feature = "digest", feature = "ntlm"))]
            secrets,
        };
        #[cfg(feature = "tokio")]
        let (answers, blocking_answers) = self.open_answers(&seams)?;
        let mut registry = Registry::new();
        for package in providers::packages(&self.config, &seams).into_iter().chain(self.packages) {
            registry.register(package)?;
        }
        #[cfg(feature = "negotiate")]
        {
            for (setting, name) in self.config.negotiate.named_packages() {
                let _there_is_one = choose(&registry, setting, name)?;
            }
            let negotiate = providers::negotiate(&self.config, registry.clone(), self.listener);
            negotiate.check()?;
            registry.register(Arc::new(negotiate))?;
        }
        let package = choose(&registry, "package", &self.config.package)?;
        #[cfg(feature = "tokio")]
        let options = crate::connection::options(&package, self.config.handshake_deadline, answers);
        #[cfg(feature = "tokio")]
        let blocking_options = crate::connection::blocking_options(&package, blocking_answers);
        #[cfg(all(feature = "tokio", feature = "schannel"))]
        let (options, blocking_options) = with_sessions(sessions.as_ref(), options, blocking_options);
        Ok(Sspi::new(Shared {
            #[cfg(feature = "tokio")]
            options,
            #[cfg(feature = "tokio")]
            blocking_options,
            config: self.config,
            registry,
            package,
            auth_data: self.auth_data,
            clock,
            #[cfg(feature = "schannel")]
            materials,
            #[cfg(feature = "tokio")]
            fallbacks: 0.into(),
            outbound: None.into(),
            inbound: None.into(),
        }))
    }
}

/// The same options, with sessions of other machines where they are shared.
#[cfg(all(feature = "tokio", feature = "schannel"))]
fn with_sessions(
    sessions: Option<&sspi_tokio::SharedSessions>,
    mut options: sspi_tokio::HandshakeOptions,
    mut blocking: sspi_tokio::blocking::HandshakeOptions,
) -> (sspi_tokio::HandshakeOptions, sspi_tokio::blocking::HandshakeOptions) {
    if let Some(sessions) = sessions {
        options.answers = sessions.answering(options.answers);
        blocking.answers = sessions.answering_blocking(blocking.answers);
    }
    (options, blocking)
}

#[cfg(feature = "tokio")]
impl Builder {
    /// Who answers what handshakes ask, of both kinds of streams: whom the application or the configuration names.
    fn open_answers(&mut self, seams: &Seams) -> Result<BothKinds, Error> {
        let mut streams = Parts { accounts: None, logons: None, others: self.answers.take() };
        let mut threads = Parts { accounts: None, logons: None, others: self.blocking_answers.take() };
        match self.accounts.take() {
            Some(directory) => streams.accounts = Some(Arc::new(Accounts(directory))),
            None => self.configured_accounts(seams, &mut streams, &mut threads)?,
        }
        #[cfg(feature = "schannel")]
        if streams.accounts.is_some() {
            self.config.schannel.mapping.get_or_insert(providers::Mapping::Optional);
        }
        match self.logons.take() {
            Some(database) => streams.logons = Some(Arc::new(Logons(database))),
            #[cfg(feature = "ntlm")]
            None => self.configured_logons(&mut streams, &mut threads)?,
            #[cfg(not(feature = "ntlm"))]
            None => {}
        }
        Ok((Arc::new(streams), Arc::new(threads)))
    }

    /// What the configuration says: a file, for both kinds of streams, or winbind.
    #[cfg(feature = "ntlm")]
    fn configured_logons(&self, streams: &mut Streams, threads: &mut Threads) -> Result<(), Error> {
        let wrong = |setting: &'static str, what: &'static str| {
            let error = sspi_core::Error::new(SecStatus::SEC_E_INVALID_PARAMETER, Fault::Configuration, what);
            Err(Error::from(error.with_setting(setting)))
        };
        if let Some(setting) = self.config.logon.idle_setting() {
            return wrong(setting, "it is about winbind, which is not asked without logon.winbind");
        }
        match (&self.config.logon.accounts, &self.config.logon.winbind) {
            (None, None) => {}
            (Some(_), Some(_)) => {
                return wrong("logon.accounts", "passwords are in a file or with winbind, not with both");
            }
            (Some(file), None) => {
                let path = self.base.join(file.strip_prefix("file:").unwrap_or(file));
                let logons = Arc::new(crate::logons::FileLogons::open(path)?);
                streams.logons = Some(Arc::new(Logons(Arc::clone(&logons))));
                threads.logons = Some(logons);
            }
            #[cfg(feature = "winbind")]
            (None, Some(program)) => {
                let logon = &self.config.logon;
                let options = sspi_winbind::Options {
                    program: program.into(),
                    children: logon.winbind_children,
                    deadline: logon.winbind_deadline,
                    domain: logon.winbind_domain.clone(),
                    domains: logon.winbind_domains.clone(),
                    allows_principal_names: logon.winbind_principal_names,
                    allows_machines: logon.winbind_machines,
                };
                streams.logons = Some(Arc::new(Logons(sspi_winbind::Winbind::new(options))));
            }
            #[cfg(not(feature = "winbind"))]
            (None, Some(_)) => {
                let what = "this build cannot ask winbind (feature `winbind` of the crate opensspi)";
                return wrong("logon.winbind", what);
            }
        }
        Ok(())
    }

    /// What the configuration says, for both kinds of streams.
    #[cfg_attr(not(feature = "ldap"), expect(unused_variables, reason = "a file needs nothing from outside"))]
    fn configured_accounts(
        &self,
        seams: &Seams,
        streams: &mut Streams,
        threads: &mut Threads,
    ) -> Result<(), Error> {
        let file = &self.config.accounts;
        #[cfg(feature = "ldap")]
        if let Some(config) = &self.config.directory {
            if file.is_some() {
                let what = "accounts are looked up in a file or in a directory, not in both";
                let error =
                    sspi_core::Error::new(SecStatus::SEC_E_INVALID_PARAMETER, Fault::Configuration, what);
                return Err(error.with_setting("accounts").into());
            }
            threads.accounts =
                Some(Arc::new(sspi_ldap::Blocking::new(crate::directory::open(config, seams)?)));
            streams.accounts = Some(Arc::new(Accounts(crate::directory::open(config, seams)?)));
            return Ok(());
        }
        let Some(file) = file else { return Ok(()) };
        let accounts =
            Arc::new(FileAccounts::open(self.base.join(file.strip_prefix("file:").unwrap_or(file)))?);
        // Files may hold up whoever looks at them.
        streams.accounts = Some(Arc::new(Accounts(sspi_tokio::OnThread(Arc::clone(&accounts)))));
        threads.accounts = Some(accounts);
        Ok(())
    }
}

/// Who answers async streams.
#[cfg(feature = "tokio")]
type Streams = Parts<dyn sspi_tokio::Answers>;
/// Who answers blocking streams.
#[cfg(feature = "tokio")]
type Threads = Parts<dyn sspi_tokio::blocking::Answers>;
#[cfg(feature = "tokio")]
type BothKinds = (Arc<dyn sspi_tokio::Answers>, Arc<dyn sspi_tokio::blocking::Answers>);

/// A package that everybody expects, and that is not there yet.
const TO_COME: &str = "Kerberos";

/// The package of that name, which the setting names, or an error that says which was probably meant.
fn choose(registry: &Registry, setting: &'static str, name: &str) -> Result<Arc<dyn SecurityPackage>, Error> {
    let error = match registry.by_name(name) {
        Ok(package) => return Ok(package),
        Err(error) => error.with_setting(setting),
    };
    if name.eq_ignore_ascii_case(TO_COME) {
        let message = format!("{}; {TO_COME} comes in a later version", error.message());
        return Err(sspi_core::Error::new(error.status(), error.fault(), message)
            .with_setting(setting)
            .into());
    }
    let infos = registry.enumerate_security_packages();
    let names = infos.iter().flat_map(|info| std::iter::once(&info.name).chain(&info.aliases));
    let Some(meant) = nearest(name, names.map(AsRef::as_ref)) else { return Err(error.into()) };
    let message = format!("there is no security package {name:?}; did you mean {meant:?}?");
    Err(sspi_core::Error::new(SecStatus::SEC_E_SECPKG_NOT_FOUND, Fault::Configuration, message)
        .with_setting(setting)
        .into())
}

impl std::fmt::Debug for Builder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Builder")
            .field("config", &self.config)
            .field("base", &self.base)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_package_is_answered_with_the_nearest_name() {
        let error = Sspi::builder().package("Schanell").build().unwrap_err();
        assert!(error.to_string().contains("did you mean \"Schannel\"?"), "{error}");
        assert_eq!(error.class().code(), 2);
        let error = Sspi::builder().package("Kerberos").build().unwrap_err();
        assert!(error.to_string().contains("registered: Schannel"), "{error}");
    }
}
