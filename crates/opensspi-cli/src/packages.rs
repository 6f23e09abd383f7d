//! `packages`: what is registered, and what each can do.

use std::path::PathBuf;

use clap::Args;
use opensspi::sspi_core::PackageInfo;
use opensspi::{Config, Sspi};
use serde_json::{Value, json};

use crate::exit::Failure;
use crate::print::{Channel, Printer, Style};

/// The arguments of `packages`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  opensspi packages
  opensspi packages --config opensspi.toml --json")]
pub(crate) struct Packages {
    /// A configuration file: the package that it chooses is marked.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Packages {
    pub(crate) fn run(&self, printer: &Printer) -> Result<(), Failure> {
        let sspi = match &self.config {
            Some(path) => Sspi::from_file(path)?,
            None => Sspi::builder().config(Config::default()).build()?,
        };
        let chosen = &sspi.package_info().name;
        let infos = sspi.registry().enumerate_security_packages();
        let objects: Vec<Value> = infos.iter().map(|info| object(info, info.name == *chosen)).collect();
        printer.object(&json!({ "packages": objects }));
        for info in &infos {
            describe(printer, info, self.config.is_some() && info.name == *chosen);
        }
        Ok(())
    }
}

fn object(info: &PackageInfo, is_chosen: bool) -> Value {
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
    })
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
