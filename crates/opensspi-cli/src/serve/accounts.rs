//! Whose certificates clients show: the options of `serve` about accounts, and who connected.

use opensspi::audit::account_name;
use opensspi::sspi_core::{Account, Error};
use opensspi::{Mapping, WeakMapping, harmless, harmless_message};
use serde_json::json;

use super::Serve;
use crate::exit::Failure;
use crate::print::{Channel, Printer, Style};
use crate::settings::{Configuration, absolute, unknown};

impl Serve {
    /// What the options say about accounts.
    pub(super) fn accounts(&self, configuration: &mut Configuration) -> Result<(), Failure> {
        if let Some(file) = &self.accounts {
            configuration.config.accounts = Some(absolute(file)?);
        }
        let schannel = &mut configuration.config.schannel;
        if !self.nt_auth.is_empty() {
            schannel.nt_auth = self.nt_auth.iter().map(|path| absolute(path)).collect::<Result<_, _>>()?;
        }
        if let Some(name) = &self.mapping {
            let known = Mapping::ALL.into_iter().find(|mapping| mapping.name() == name);
            let names = Mapping::ALL.map(Mapping::name);
            schannel.mapping = Some(known.ok_or_else(|| unknown("mapping mode", name, &names))?);
        }
        if !self.allow_weak_mappings.is_empty() {
            let weak = self.allow_weak_mappings.iter().map(|name| weak_mapping(name));
            schannel.allow_weak_mappings = Some(weak.collect::<Result<_, _>>()?);
        }
        Ok(())
    }
}

fn weak_mapping(name: &str) -> Result<WeakMapping, Failure> {
    let known = WeakMapping::ALL.into_iter().find(|weak| weak.name() == name);
    known.ok_or_else(|| unknown("weak mapping", name, &WeakMapping::ALL.map(WeakMapping::name)))
}

/// Says who connected.
pub(super) fn greet(printer: &Printer, peer: &str, account: &Result<Account, Error>) {
    let channel = Channel::Out;
    match account {
        Ok(account) => {
            let (name, rule) = (account_name(account), harmless(&account.matched_by));
            printer.object(&json!({
                "event": "account",
                "peer": peer,
                "account": name,
                "rule": rule,
                "name": harmless(&account.name),
                "domain": account.domain.as_deref().map(harmless),
                "upn": account.upn.as_deref().map(harmless),
                "distinguished_name": account.distinguished_name.as_deref().map(harmless),
                "sid": account.sid.as_deref().map(harmless),
            }));
            let bold = printer.styled(channel, Style::Bold, name);
            printer.line(channel, format_args!("{peer} is {bold} ({rule})"));
        }
        Err(error) => {
            let why = harmless_message(&error.to_string());
            printer.object(&json!({ "event": "account", "peer": peer, "account": null, "why": why }));
            printer.line(channel, format_args!("{peer} has no account: {why}"));
        }
    }
}
