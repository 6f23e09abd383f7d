//! The conformance shim: the program that BoringSSL's test runner drives, over OpenSSPI's public API.
//!
//! The runner is a TLS peer that misbehaves on purpose. It listens, starts the shim with flags that say what to do and what
//! to expect, and judges what comes over the wire, the exit code, and the error string on the standard error.
//!
//! | what | where |
//! |---|---|
//! | the flags, one table | `flags.rs` |
//! | `-cipher`'s lists | `cipher_list.rs` |
//! | flags to a configuration of Schannel | `package.rs` |
//! | who is accepted | `judgement.rs` |
//! | sockets | `transport.rs` |
//! | a handshake | `handshake.rs` |
//! | what can be read in clear of either side | `flights.rs` |
//! | what the runner expects of a handshake | `expectations.rs` |
//! | application data and the shutdown | `exchange.rs` |
//! | errors to the runner's strings, one table | `error_strings.rs` |
//! | PEM and base64 | `pem.rs` |

mod cipher_list;
mod error_strings;
mod exchange;
mod expectations;
mod flags;
mod flights;
mod handshake;
mod judgement;
mod package;
mod pem;
mod stop;
mod transport;

use std::io::Write as _;
use std::process::ExitCode;

use exchange::Channel;
use expectations::Kept;
use flags::CommandLine;
use handshake::Handshaking;
use package::Package;
use stop::Stop;
use transport::Transport;

/// What the runner counts as "this stack does not have it".
const UNIMPLEMENTED: u8 = 89;

fn main() -> ExitCode {
    let arguments = std::env::args_os().skip(1).map(std::ffi::OsString::into_encoded_bytes);
    let outcome = CommandLine::parse(arguments).and_then(|command| run(&command));
    let (code, what) = match outcome {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Stop::Unimplemented(what)) => (ExitCode::from(UNIMPLEMENTED), format!("not implemented: {what}")),
        Err(Stop::Failed(what)) => (ExitCode::FAILURE, what),
    };
    // The exit code stands, whoever reads the standard error.
    let _closed = writeln!(std::io::stderr(), "{what}");
    code
}

/// All connections, one after the other.
fn run(command: &CommandLine) -> Result<(), Stop> {
    if command.initial.is_handshaker_supported {
        writeln!(std::io::stdout(), "No").map_err(|error| Stop::failed(error.to_string()))?;
        return Ok(());
    }
    let mut package = Package::new(command.initial.resume_count > 0);
    let mut kept = Kept::default();
    for number in 0..=command.initial.resume_count {
        let is_resumption = number > 0;
        let options = if is_resumption { &command.resume } else { &command.initial };
        if is_resumption {
            package.let_pass(options.resumption_delay);
        }
        let handshaking = package.begin(options)?;
        let identity = match &handshaking {
            Handshaking::Client(_, identity) => identity.clone(),
            Handshaking::Server(_) => None,
        };
        let mut transport = Transport::connect(options)?;
        let connection = || {
            let established = handshake::run(handshaking, &mut transport, options)?;
            let attributes = established.context.attributes();
            let resumed = attributes.session_info()?.reconnect;
            let refusal = judgement::refusal(options, attributes.remote_certificate().is_ok(), resumed);
            if refusal.is_none() {
                kept.check(&established, options, is_resumption)?;
            }
            let channel = Channel::new(established, &mut transport, options, identity)?;
            match refusal {
                Some(refusal) => Err(channel.refuse(&refusal)),
                None => channel.exchange(options),
            }
        };
        let outcome = connection();
        transport.close();
        outcome?;
    }
    Ok(())
}
