//! `check-config`: every mistake in a configuration file and in what it names, and what the file comes to.

use std::path::{Path, PathBuf};

use clap::Args;
use opensspi::{
    CertificateSummary, Config, ExitClass, ExtendedMasterSecret, Finding, Inspection, OwnCertificate,
    Resolved, Revocation, SuiteInfo, Warning, check_together, harmless_message, inspect_file,
};
use serde_json::{Value, json};

use crate::dates::date;
use crate::exit::Failure;
use crate::print::{Channel, Printer, Style, hex};

/// The arguments of `check-config`.
#[derive(Debug, Args)]
#[command(after_help = "\
What the configuration comes to is printed, too: protocols and suites in their order, what is
accepted, whom it trusts, our certificates, and warnings about what works and should be thought
about twice. Warnings change no exit code.

Examples:
  opensspi check-config opensspi.toml
  opensspi check-config opensspi.toml --json
  opensspi check-config web.toml old.toml               and whether they share a key that they must not

Exit codes:
  0  nothing is wrong
  1  the configuration is right, and what it names would be refused, such as an expired certificate
  2  the configuration has mistakes, or names what cannot be read")]
pub(crate) struct CheckConfig {
    /// The configuration file; several, where several listeners run at the same time and may share a key.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
}

impl CheckConfig {
    pub(crate) fn run(&self, printer: &Printer) -> Result<(), Failure> {
        let mut all = Vec::new();
        let mut configs = Vec::new();
        for file in &self.files {
            let (findings, config) = check(printer, file);
            all.extend(findings);
            configs.push((file.as_path(), config));
        }
        let files: Vec<_> = configs.iter().map(|(file, config)| (*file, config)).collect();
        let together = check_together(&files);
        if !together.is_empty() {
            let problems: Vec<_> = together.iter().map(problem).collect();
            printer.object(&json!({ "file": null, "ok": false, "problems": problems }));
            mark(printer, &together);
        }
        all.extend(together);
        if all.is_empty() {
            return Ok(());
        }
        let is_only_policy = all.iter().all(|finding| finding.class == ExitClass::Policy);
        let class = if is_only_policy { ExitClass::Policy } else { ExitClass::Usage };
        Err(Failure::new(class, format!("{} problems", all.len())).told())
    }
}

/// Says what there is to be said of one file.
fn check(printer: &Printer, file: &Path) -> (Vec<Finding>, Config) {
    let Inspection { findings, config, resolved, .. } = inspect_file(file);
    printer.object(&json!({
        "file": file.display().to_string(),
        "ok": findings.is_empty(),
        "problems": findings.iter().map(problem).collect::<Vec<_>>(),
        "resolved": resolved.as_ref().map(|resolved| object(&config, resolved)),
    }));
    if let Some(resolved) = &resolved {
        describe(printer, &config, resolved);
    }
    for Warning { setting, message } in resolved.iter().flat_map(|resolved| &resolved.warnings) {
        let mark = printer.styled(Channel::Out, Style::Yellow, "!");
        printer.line(Channel::Out, format_args!("{mark} {message} (setting: {setting})"));
    }
    mark(printer, &findings);
    if findings.is_empty() {
        let mark = printer.styled(Channel::Out, Style::Green, "✓");
        printer.line(Channel::Out, format_args!("{mark} {}: nothing is wrong", file.display()));
    }
    (findings, config)
}

fn mark(printer: &Printer, findings: &[Finding]) {
    for finding in findings {
        let mark = printer.styled(Channel::Out, Style::Red, "✗");
        printer.line(Channel::Out, format_args!("{mark} {}", finding.message));
    }
}

fn problem(finding: &Finding) -> Value {
    json!({ "class": finding.class.name(), "setting": finding.setting, "message": finding.message })
}

const fn revocation(mode: Revocation) -> &'static str {
    match mode {
        Revocation::Off => "off",
        Revocation::Soft => "soft",
        Revocation::Hard => "hard",
    }
}

const fn extended_master_secret(mode: ExtendedMasterSecret) -> &'static str {
    match mode {
        ExtendedMasterSecret::Offered => "offered",
        ExtendedMasterSecret::Required => "required",
    }
}

fn versions(resolved: &Resolved, suite: SuiteInfo) -> Vec<&'static str> {
    resolved.effective.protocols_of(suite).iter().map(|protocol| protocol.name()).collect()
}

fn object(config: &Config, resolved: &Resolved) -> Value {
    let (schannel, effective) = (&config.schannel, &resolved.effective);
    let suite = |suite: &SuiteInfo| {
        json!({
            "name": suite.name(),
            "protocols": versions(resolved, *suite),
            "weakness": suite.weakness(),
        })
    };
    let warning = |Warning { setting, message }: &Warning| json!({ "setting": setting, "message": message });
    json!({
        "package": config.package,
        "handshake_deadline_seconds": config.handshake_deadline.map(|limit| limit.as_secs_f64()),
        "profile": schannel.profile.name(),
        "protocols": effective.protocols.iter().map(|protocol| protocol.name()).collect::<Vec<_>>(),
        "suites": effective.suites.iter().map(suite).collect::<Vec<_>>(),
        "allow": effective.allowed.iter().map(|weakness| weakness.name()).collect::<Vec<_>>(),
        "dh_minimum_bits": effective.dh_minimum_bits,
        "extended_master_secret": extended_master_secret(effective.extended_master_secret),
        "record_splitting": effective.record_splitting,
        "small_block_limit": effective.small_block_limit,
        "fallback": effective.fallback,
        "renegotiation": effective.renegotiation.name(),
        "insecure_renegotiation": schannel.insecure_renegotiation,
        "i_accept_drown": schannel.i_accept_drown,
        "resume": schannel.resume,
        "alpn": schannel.alpn,
        "revocation": revocation(schannel.revocation),
        "crls": schannel.crls,
        "roots": schannel.roots,
        "pins": schannel.pins,
        "client_auth": client_auth(config),
        "client_roots": schannel.client_roots,
        "accounts": config.accounts,
        "directory": config.directory.as_ref().map(|directory| directory.servers()),
        "mapping": mapping(config).map(opensspi::Mapping::name),
        "certificate_mapping": schannel.certificate_mapping.iter().map(|rule| rule.name()).collect::<Vec<_>>(),
        "nt_auth": schannel.nt_auth,
        "key_log": schannel.key_log,
        "certificates": resolved.certificates.iter().map(certificate).collect::<Vec<_>>(),
        "warnings": resolved.warnings.iter().map(warning).collect::<Vec<_>>(),
    })
}

const fn renegotiation(setting: opensspi::Renegotiation) -> &'static str {
    match setting {
        opensspi::Renegotiation::Off => "off",
        opensspi::Renegotiation::Ours => "when this side begins",
        opensspi::Renegotiation::Both => "when either side begins",
    }
}

/// What is so where it is not said.
fn mapping(config: &Config) -> Option<opensspi::Mapping> {
    let has_accounts = config.accounts.is_some() || config.directory.is_some();
    config.schannel.mapping.or(has_accounts.then_some(opensspi::Mapping::Optional))
}

const fn client_auth(config: &Config) -> &'static str {
    match config.schannel.client_auth {
        opensspi::ClientAuth::None => "none",
        opensspi::ClientAuth::Optional => "optional",
        opensspi::ClientAuth::Required => "required",
    }
}

fn certificate(own: &OwnCertificate) -> Value {
    let leaf = own.leaf();
    json!({
        "chain": own.reference,
        "length": own.chain.len(),
        "subject": leaf.map(|leaf| harmless_message(&leaf.subject)),
        "names": leaf.map(names),
        "not_before": leaf.map(|leaf| date(leaf.not_before)),
        "not_after": leaf.map(|leaf| date(leaf.not_after)),
        "key": leaf.map(|leaf| leaf.key.clone()),
        "signature": leaf.map(|leaf| leaf.signature.clone()),
        "sha256": leaf.map(|leaf| hex(&leaf.sha256)),
        "weaknesses": own.weaknesses,
    })
}

fn names(leaf: &CertificateSummary) -> Vec<String> {
    let dns = leaf.dns_names.iter().map(|name| harmless_message(name));
    dns.chain(leaf.ip_addresses.iter().map(ToString::to_string)).collect()
}

/// `a, b`, or what stands for none.
fn list<T: AsRef<str>>(items: &[T], none: &str) -> String {
    let items: Vec<&str> = items.iter().map(AsRef::as_ref).collect();
    if items.is_empty() { none.to_owned() } else { items.join(", ") }
}

fn describe(printer: &Printer, config: &Config, resolved: &Resolved) {
    let (schannel, effective) = (&config.schannel, &resolved.effective);
    let field = |label: &str, value: String| printer.field(Channel::Out, label, value);
    let bold = printer.styled(Channel::Out, Style::Bold, &config.package);
    printer.line(Channel::Out, format_args!("{bold}, profile {}", schannel.profile.name()));
    let protocols: Vec<&str> = effective.protocols.iter().map(|protocol| protocol.name()).collect();
    field("protocols", list(&protocols, "none"));
    for (index, suite) in effective.suites.iter().enumerate() {
        let label = if index == 0 { "suites" } else { "" };
        let weak = suite.weakness().map(|weak| format!("[{weak}]")).unwrap_or_default();
        let weak = printer.styled(Channel::Out, Style::Yellow, weak);
        let line = format!("{:<46} {:<24} {weak}", suite.name(), versions(resolved, *suite).join(" "));
        field(label, line.trim_end().to_owned());
    }
    let allowed: Vec<&str> = effective.allowed.iter().map(|weakness| weakness.name()).collect();
    field("weak certs", list(&allowed, "none are accepted"));
    field("splitting", on_off(effective.record_splitting).to_owned());
    field("DH minimum", format!("{} bits", effective.dh_minimum_bits));
    let secret = extended_master_secret(effective.extended_master_secret);
    field("ext. master", secret.to_owned());
    field("fallback", on_off(effective.fallback).to_owned());
    field("renegotiation", renegotiation(effective.renegotiation).to_owned());
    field("resumption", on_off(schannel.resume).to_owned());
    field("ALPN", list(&schannel.alpn, "none"));
    let lists = if schannel.crls.is_empty() {
        String::new()
    } else {
        format!(", lists: {}", schannel.crls.join(", "))
    };
    field("revocation", format!("{}{lists}", revocation(schannel.revocation)));
    describe_trust(printer, config);
    describe_certificates(printer, resolved);
}

const fn on_off(is_on: bool) -> &'static str {
    if is_on { "on" } else { "off" }
}

fn describe_trust(printer: &Printer, config: &Config) {
    let schannel = &config.schannel;
    let field = |label: &str, value: String| printer.field(Channel::Out, label, value);
    if schannel.pins.is_empty() {
        field("trust", list(&schannel.roots, "nobody"));
    } else {
        field("trust", format!("{} pinned certificates, and nothing else", schannel.pins.len()));
    }
    let none = if schannel.pins.is_empty() { "nobody" } else { "those that are pinned" };
    let clients = match client_auth(config) {
        "none" => "not asked for certificates".to_owned(),
        mode => format!("certificates {mode}, of {}", list(&schannel.client_roots, none)),
    };
    field("clients", clients);
    if let Some(mapping) = mapping(config).filter(|mapping| *mapping != opensspi::Mapping::Off) {
        let rules: Vec<&str> = schannel.certificate_mapping.iter().map(|rule| rule.name()).collect();
        let directory = config.directory.as_ref().map(|directory| directory.servers());
        let from = config.accounts.clone().or(directory);
        let from = from.unwrap_or_else(|| "what the application knows".to_owned());
        field("accounts", format!("{}, from {from}, by {}", mapping.name(), list(&rules, "no rule")));
    }
}

fn describe_certificates(printer: &Printer, resolved: &Resolved) {
    let field = |label: &str, value: String| printer.field(Channel::Out, label, value);
    if resolved.certificates.is_empty() {
        field("certificates", "none: a client's configuration".to_owned());
    }
    for own in &resolved.certificates {
        let Some(leaf) = own.leaf() else { continue };
        field("certificate", printer.styled(Channel::Out, Style::Bold, harmless_message(&leaf.subject)));
        field("", format!("from {}, {} in the chain", own.reference, own.chain.len()));
        field("", format!("for {}", list(&names(leaf), "no name in subjectAltName")));
        field("", format!("valid {} to {}", date(leaf.not_before), date(leaf.not_after)));
        field("", format!("{}, signed with {}", leaf.key, leaf.signature));
        field("", format!("SHA-256 {}", hex(&leaf.sha256)));
        if !own.weaknesses.is_empty() {
            let weak = printer.styled(Channel::Out, Style::Yellow, own.weaknesses.join(", "));
            field("", format!("weak: {weak}"));
        }
    }
}
