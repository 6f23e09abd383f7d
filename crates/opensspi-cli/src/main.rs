//! `opensspi`: security packages from the command line.

mod account;
mod again;
#[cfg(feature = "bench")]
mod bench;
mod check_config;
mod connect;
mod dates;
mod demo;
mod exit;
mod explain;
mod get;
mod given;
mod hints;
mod legs;
mod logging;
mod memory;
mod packages;
mod ports;
mod print;
mod recording;
mod self_signed;
mod serve;
mod session;
mod settings;
mod starttls;
mod summary;
mod token;

use std::path::Path;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::print::Printer;

/// Security packages from the command line: secure a connection, serve one, look at one.
#[derive(Debug, Parser)]
#[command(name = "opensspi", version, max_term_width = 100, after_help = EXAMPLES)]
struct Cli {
    /// What to do.
    #[command(subcommand)]
    verb: Verb,
    /// Print JSON: one object, or one object a line for what happens over time.
    #[arg(long, global = true)]
    json: bool,
    /// What is logged to stderr: off, error, warn, info, debug or trace [default: info for serve, off for the others].
    #[arg(long, global = true, value_name = "LEVEL")]
    log: Option<tracing_subscriber::filter::LevelFilter>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run a server and a client against each other, for every package and protocol that is configured.
    Demo(demo::Demo),
    /// Serve secured connections: echo, a page that says what was negotiated, or forward them.
    Serve(serve::Serve),
    /// Connect to a server, say what was negotiated, and talk to it.
    Connect(connect::Connect),
    /// Fetch a page, and log on to its server with the package that is configured.
    Get(get::Get),
    /// List the security packages that there are.
    Packages(packages::Packages),
    /// Check a configuration file, and everything that it names.
    CheckConfig(check_config::CheckConfig),
    /// List or forget the sessions that the machines of a server farm share.
    Session(session::Session),
    /// Add, change or list the accounts that clients log on to with a password.
    Account(account::Account),
    /// Say what a token, a status or an alert is, what was offered, and which setting matters.
    Explain(explain::Explain),
    /// Say what a token of NTLM, SPNEGO or Digest says, or a hello of TLS, SSL or PCT.
    Token(token::Token),
    /// Measure OpenSSPI beside rustls and tokio-rustls, in one run.
    #[cfg(feature = "bench")]
    Bench(bench::Bench),
}

impl Verb {
    /// The configuration file that was named.
    fn config(&self) -> Option<&Path> {
        let settings = match self {
            Self::Demo(verb) => &verb.settings,
            Self::Serve(verb) => &verb.settings,
            Self::Connect(verb) => &verb.settings,
            Self::Get(verb) => &verb.settings,
            Self::Packages(verb) => &verb.settings,
            Self::Session(verb) => return Some(verb.config()),
            // Its findings have their places already.
            Self::CheckConfig(_) => return None,
            Self::Account(verb) => return verb.config(),
            Self::Explain(_) | Self::Token(_) => return None,
            #[cfg(feature = "bench")]
            Self::Bench(_) => return None,
        };
        settings.config.as_deref()
    }
}

const EXAMPLES: &str = "\
Examples:
  opensspi demo                               see every package and protocol, both ends, leg by leg
  opensspi connect example.org https          like openssl s_client, with a summary
  opensspi connect mail.example.org smtp      the same after STARTTLS
  opensspi serve --http                       a small page over TLS, with a certificate made on the spot
  opensspi get http://intranet.example/ --package NTLM --user CORP\\alice --password env:PASSWORD
  opensspi check-config opensspi.toml         every mistake in a configuration, at once
  opensspi explain SEC_E_LOGON_DENIED         what a status, an alert or a token is, and what to do
  opensspi token decode TlRMTVNTUAAB…         every field of a token

Exit codes:
  0  all went well
  1  refused by policy: a certificate that is not trusted, expired, revoked or for another name
  2  usage or configuration
  3  network: no connection, no answer in time, a connection that was cut off
  4  the peer does not speak the protocol, or none in common with us";

/// What the exit codes of a verb that makes connections mean.
const EXIT_CODES: &str = "\
Exit codes:
  0  all went well
  1  refused by policy, ours or the peer's: a certificate that is untrusted, expired, revoked, ...
  2  usage or configuration: nothing was connected
  3  network: no connection, no answer in time, a connection that was cut off
  4  the peer does not speak the protocol, or none in common with us";

fn main() -> ExitCode {
    let cli = Cli::parse();
    let printer = Printer::new(cli.json);
    let result = match &cli.verb {
        Verb::Demo(verb) => verb.run(&printer, cli.log),
        Verb::Serve(verb) => verb.run(&printer, cli.log),
        Verb::Connect(verb) => verb.run(&printer, cli.log),
        Verb::Get(verb) => verb.run(&printer, cli.log),
        Verb::Packages(verb) => verb.run(&printer),
        Verb::CheckConfig(verb) => verb.run(&printer),
        Verb::Session(verb) => verb.run(&printer),
        Verb::Account(verb) => verb.run(&printer),
        Verb::Explain(verb) => verb.run(&printer),
        Verb::Token(verb) => verb.run(&printer),
        #[cfg(feature = "bench")]
        Verb::Bench(verb) => verb.run(&printer),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let failure = failure.located(cli.verb.config());
            printer.failure(&failure);
            ExitCode::from(failure.class.code())
        }
    }
}
