//! `packages`: what is registered, what each can do, and what of it is on.

use clap::Args;
use opensspi::sspi_core::PackageInfo;
use opensspi::{Config, Effective, Protocol, SchannelConfig, SuiteInfo};
use serde_json::{Value, json};

use crate::exit::Failure;
use crate::print::{Channel, Printer, Style};
use crate::settings::Settings;

/// The arguments of `packages`.
#[derive(Debug, Args)]
#[command(after_help = "\
Every protocol and suite that a package has is listed, with whether it is on and, where it is off,
the setting that turns it on.

Examples:
  opensspi packages
  opensspi packages --profile legacy
  opensspi packages --config opensspi.toml --json

Exit codes:
  0  all went well
  2  usage or configuration")]
pub(crate) struct Packages {
    #[command(flatten)]
    pub(crate) settings: Settings,
}

impl Packages {
    pub(crate) fn run(&self, printer: &Printer) -> Result<(), Failure> {
        let has_config = self.settings.config.is_some();
        let sspi = self.settings.configuration()?.build()?;
        let chosen = &sspi.package_info().name;
        let infos = sspi.registry().enumerate_security_packages();
        let mut objects = Vec::new();
        for info in &infos {
            let is_chosen = info.name == *chosen;
            let own = own(info, sspi.config())?;
            describe(printer, info, has_config && is_chosen);
            if let Some(own) = &own {
                describe_protocols(printer, own);
            }
            objects.push(object(info, own.as_ref(), is_chosen));
        }
        printer.object(&json!({ "packages": objects }));
        Ok(())
    }
}

/// What a package that has protocols and suites may do with this configuration.
fn own<'a>(info: &PackageInfo, config: &'a Config) -> Result<Option<Own<'a>>, Failure> {
    if info.name != "Schannel" {
        return Ok(None);
    }
    let effective = config.schannel.effective().map_err(|error| Failure::from(&error))?;
    Ok(Some(Own { config: &config.schannel, effective }))
}

fn object(info: &PackageInfo, own: Option<&Own<'_>>, is_chosen: bool) -> Value {
    let protocols: Vec<Value> = own.iter().flat_map(|own| protocols(own)).collect();
    json!({
        "name": info.name,
        "aliases": info.aliases,
        "comment": info.comment,
        "capabilities": info.capabilities.names().collect::<Vec<_>>(),
        "capability_bits": format!("{:#x}", info.capabilities.0),
        "version": info.version,
        "rpc_id": info.rpc_id,
        "max_token": info.max_token,
        "oids": info.oids.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "chosen": is_chosen,
        "protocols": protocols,
    })
}

/// A package's protocols and suites: what is on, and what would be.
struct Own<'a> {
    config: &'a SchannelConfig,
    effective: Effective,
}

/// What turns a protocol or a suite on that is off.
type TurnedOnBy = Option<String>;

impl Own<'_> {
    fn turned_on_by(&self, protocol: Protocol) -> TurnedOnBy {
        (!self.effective.protocols.contains(&protocol)).then(|| protocol.enabled_by())
    }

    /// The suites of a protocol: those that are on in their order, or that come with the protocol; then the others.
    fn suites(&self, protocol: Protocol) -> Vec<(SuiteInfo, TurnedOnBy)> {
        let is_on = self.effective.protocols.contains(&protocol);
        let come =
            if is_on { self.effective.suites_of(protocol) } else { self.suites_that_come_with(protocol) };
        let off = SuiteInfo::all().filter(|suite| suite.is_legal_in(protocol) && !come.contains(suite));
        // Where suites are named, nothing else turns one on.
        let names_suites = !self.config.suites.is_empty();
        let enabled_by = |suite: SuiteInfo| match names_suites {
            true => format!("suites = [{:?}]", suite.name()),
            false => suite.enabled_by(),
        };
        let off = off.map(|suite| (suite, Some(enabled_by(suite))));
        let with_it = || (!is_on).then(|| "comes with the protocol".to_owned());
        come.iter().map(|suite| (*suite, with_it())).chain(off).collect()
    }

    /// The suites that a protocol has once it is named beside those that are on.
    fn suites_that_come_with(&self, protocol: Protocol) -> Vec<SuiteInfo> {
        let protocols = self.effective.protocols.iter().copied().chain([protocol]).collect();
        let config = SchannelConfig { protocols, ..self.config.clone() };
        config.effective().map(|effective| effective.suites_of(protocol)).unwrap_or_default()
    }
}

fn protocols(own: &Own<'_>) -> Vec<Value> {
    let suite = |(suite, turned_on_by): (SuiteInfo, Option<String>), is_on: bool| {
        json!({
            "name": suite.name(),
            "code": format!("{:04x}", suite.code()),
            "on": is_on && turned_on_by.is_none(),
            "turned_on_by": turned_on_by,
            "weakness": suite.weakness(),
            "certificate": suite.certificate(),
            "forward_secrecy": suite.has_forward_secrecy(),
        })
    };
    let object = |protocol: &Protocol| {
        let turned_on_by = own.turned_on_by(*protocol);
        let is_on = turned_on_by.is_none();
        let suites: Vec<Value> = own.suites(*protocol).into_iter().map(|row| suite(row, is_on)).collect();
        json!({
            "name": protocol.name(),
            "on": is_on,
            "turned_on_by": turned_on_by,
            "suites": suites,
        })
    };
    Protocol::ALL.iter().map(object).collect()
}

fn describe(printer: &Printer, info: &PackageInfo, is_chosen: bool) {
    let name = printer.styled(Channel::Out, Style::Bold, &info.name);
    let mark = if is_chosen { "  (chosen by the configuration)" } else { "" };
    printer.line(Channel::Out, format_args!("{name}{mark}"));
    printer.field(Channel::Out, "comment", &info.comment);
    if !info.aliases.is_empty() {
        printer.field(Channel::Out, "also named", info.aliases.join(", "));
    }
    let capabilities: Vec<&str> = info.capabilities.names().collect();
    printer.field(
        Channel::Out,
        "capabilities",
        format_args!("{} ({:#x})", capabilities.join(", "), info.capabilities.0),
    );
    printer.field(Channel::Out, "largest token", format_args!("{} bytes", info.max_token));
    printer.field(Channel::Out, "RPC id", info.rpc_id);
    let oids: Vec<String> = info.oids.iter().map(ToString::to_string).collect();
    printer.field(Channel::Out, "OIDs", if oids.is_empty() { "none".to_owned() } else { oids.join(", ") });
}

fn describe_protocols(printer: &Printer, own: &Own<'_>) {
    let channel = Channel::Out;
    for protocol in Protocol::ALL {
        let (mark, why) = switch(printer, own.turned_on_by(protocol));
        let name = printer.styled(channel, Style::Bold, format_args!("{:<7}", protocol.name()));
        printer.line(channel, format!("\n  {name} {mark}{why}").trim_end());
        for (suite, turned_on_by) in own.suites(protocol) {
            let (mark, why) = switch(printer, turned_on_by);
            let weak = suite.weakness().map(|name| format!("[{name}]")).unwrap_or_default();
            let weak = printer.styled(channel, Style::Yellow, format_args!("{weak:<8}"));
            let line = format!("    {mark} {:<46} {weak}{why}", suite.name());
            printer.line(channel, line.trim_end());
        }
    }
}

/// `on`, or `off` and what turns it on.
fn switch(printer: &Printer, turned_on_by: Option<String>) -> (String, String) {
    match turned_on_by {
        None => (printer.styled(Channel::Out, Style::Green, "on "), String::new()),
        Some(how) => (printer.styled(Channel::Out, Style::Dim, "off"), format!("  {how}")),
    }
}
