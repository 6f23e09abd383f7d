//! `check-config`: every mistake in a configuration file, and in what it names.

use std::path::PathBuf;

use clap::Args;
use opensspi::{ExitClass, check_file};
use serde_json::{Value, json};

use crate::exit::Failure;
use crate::print::{Channel, Printer, Style};

/// The arguments of `check-config`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  opensspi check-config opensspi.toml
  opensspi check-config opensspi.toml --json

Exit codes:
  0  nothing is wrong
  1  the configuration is right, and what it names would be refused, such as an expired certificate
  2  the configuration has mistakes, or names what cannot be read")]
pub(crate) struct CheckConfig {
    /// The configuration file.
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

impl CheckConfig {
    pub(crate) fn run(&self, printer: &Printer) -> Result<(), Failure> {
        let findings = check_file(&self.file);
        let objects: Vec<Value> = findings
            .iter()
            .map(|f| json!({ "class": f.class.name(), "setting": f.setting, "message": f.message }))
            .collect();
        printer.object(&json!({
            "file": self.file.display().to_string(),
            "ok": findings.is_empty(),
            "problems": objects,
        }));
        for finding in &findings {
            let mark = printer.styled(Channel::Out, Style::Red, "✗");
            printer.line(Channel::Out, format_args!("{mark} {}", finding.message));
        }
        if findings.is_empty() {
            let mark = printer.styled(Channel::Out, Style::Green, "✓");
            printer.line(Channel::Out, format_args!("{mark} {}: nothing is wrong", self.file.display()));
            return Ok(());
        }
        let is_only_policy = findings.iter().all(|finding| finding.class == ExitClass::Policy);
        let class = if is_only_policy { ExitClass::Policy } else { ExitClass::Usage };
        Err(Failure::new(class, format!("{} problems", findings.len())).told())
    }
}
