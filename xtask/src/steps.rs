//! `test` and `check`: a list of steps, each with its time, and a summary of what failed.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};
use std::{env, fmt};

use crate::{Failure, arch, features, peers, spec_keys};

/// How often a running command is looked at.
const POLL: Duration = Duration::from_millis(50);

/// What a command has to end itself in, once its time is over.
const GRACE: Duration = Duration::from_secs(15);

/// What a step came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It found nothing wrong.
    Passed,
    /// It found this.
    Failed(String),
    /// It, or a part of it, could not run on this machine, for this reason.
    NotRun(String),
}

impl fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Passed => formatter.write_str("passed"),
            Outcome::Failed(why) => write!(formatter, "FAILED: {why}"),
            Outcome::NotRun(why) => write!(formatter, "not run: {why}"),
        }
    }
}

/// What the steps need to know.
pub(crate) struct Run<'a> {
    /// The workspace.
    pub(crate) root: &'a Path,
    /// Whether missing peers may be installed.
    pub(crate) may_install: bool,
    /// In CI a peer that is missing is a failure.
    pub(crate) is_ci: bool,
    /// When the whole run must have ended.
    pub(crate) deadline: Instant,
}

/// One step.
pub(crate) struct Step {
    /// As `--only` takes it.
    pub(crate) name: &'static str,
    /// What it does, in a few words.
    pub(crate) about: &'static str,
    run: fn(&Run<'_>) -> Outcome,
}

/// All steps, in their order: what is quick and what others need comes first.
pub(crate) const STEPS: [Step; 11] = [
    Step { name: "peers", about: "the programs that the interop tests talk to", run: provide_peers },
    Step {
        name: "fmt",
        about: "cargo fmt --all --check",
        run: |run| run.cargo(&["fmt", "--all", "--check"]),
    },
    Step {
        name: "arch",
        about: "the arrows between the crates",
        run: |run| match arch::violations(run.root) {
            Ok(found) => listed(&found),
            Err(failure) => Outcome::Failed(failure.to_string()),
        },
    },
    Step {
        name: "spec-keys",
        about: "the documents that doc comments name",
        run: |run| match spec_keys::unknown(run.root) {
            Ok((wrong, _)) => listed(&wrong),
            Err(failure) => Outcome::Failed(failure.to_string()),
        },
    },
    Step {
        name: "crates",
        about: "how many crates a user of few features gets",
        run: |run| match features::too_many(run.root) {
            Ok((found, _)) => listed(&found),
            Err(failure) => Outcome::Failed(failure.to_string()),
        },
    },
    Step {
        name: "clippy",
        about: "cargo clippy --workspace --all-targets -- -D warnings",
        run: |run| run.cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]),
    },
    Step { name: "features", about: "clippy of fewer features than all", run: few_features },
    Step { name: "tests", about: "unit, integration and interop tests", run: tests },
    Step {
        name: "doctests",
        about: "cargo test --doc --workspace",
        run: |run| run.cargo(&["test", "--doc", "--workspace"]),
    },
    Step { name: "docs", about: "cargo doc --workspace --no-deps, warnings refused", run: documents },
    Step { name: "deny", about: "cargo deny check bans licenses sources", run: deny },
];

impl Run<'_> {
    /// Runs cargo with these arguments.
    fn cargo(&self, arguments: &[&str]) -> Outcome {
        let mut command = Command::new(crate::cargo());
        command.args(arguments);
        self.command(command)
    }

    /// Runs a command in the root, its output going where ours goes, and ends it when the time is over.
    fn command(&self, mut command: Command) -> Outcome {
        command.current_dir(self.root).stdin(Stdio::null());
        if self.is_ci {
            command.env(peers::VARIABLE, "required");
        }
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(error) => return Outcome::Failed(format!("it did not start: {error}")),
        };
        loop {
            match child.try_wait() {
                Ok(Some(status)) if status.success() => return Outcome::Passed,
                Ok(Some(status)) => return Outcome::Failed(status.to_string()),
                Ok(None) if Instant::now() < self.deadline => sleep(POLL),
                Ok(None) => {
                    end(&mut child);
                    return Outcome::Failed("the time for the whole run is over (--limit)".to_owned());
                }
                Err(error) => return Outcome::Failed(format!("waiting for it: {error}")),
            }
        }
    }
}

/// Ends a command: asked first, so that it can end the tests it has started.
fn end(child: &mut Child) {
    let asked = Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
    let until = Instant::now() + GRACE;
    while asked.as_ref().is_ok_and(|status| status.success()) && Instant::now() < until {
        if !matches!(child.try_wait(), Ok(None)) {
            return;
        }
        sleep(POLL);
    }
    // An error here means that it has ended in the meantime.
    let _ = child.kill();
    let _ = child.wait();
}

/// Whether cargo has this subcommand.
fn has_subcommand(name: &str) -> bool {
    let mut command = Command::new(crate::cargo());
    command.args([name, "--version"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Fails with the number of findings, each printed on its line.
fn listed(findings: &[impl fmt::Display]) -> Outcome {
    for finding in findings {
        println!("  {finding}");
    }
    match findings.len() {
        0 => Outcome::Passed,
        1 => Outcome::Failed("1 finding".to_owned()),
        many => Outcome::Failed(format!("{many} findings")),
    }
}

fn provide_peers(run: &Run<'_>) -> Outcome {
    match (provide_packages(run), provide_parts(run)) {
        (Outcome::Passed, outcome) | (outcome, Outcome::Passed) => outcome,
        (Outcome::Failed(why), Outcome::Failed(other) | Outcome::NotRun(other))
        | (Outcome::NotRun(other), Outcome::Failed(why)) => Outcome::Failed(format!("{why}; {other}")),
        (Outcome::NotRun(why), Outcome::NotRun(other)) => Outcome::NotRun(format!("{why}; {other}")),
    }
}

/// Those that are no Debian packages.
fn provide_parts(run: &Run<'_>) -> Outcome {
    let provided = || -> Result<Vec<&str>, Failure> {
        if run.may_install
            && let Outcome::Failed(why) = run.command(peers::installer(run.root, &peers::PARTS)?)
        {
            println!("  integration-tests/peers/install.sh: {why}");
        }
        peers::missing_parts(run.root, &peers::PARTS)
    };
    match provided() {
        Ok(missing) if missing.is_empty() => Outcome::Passed,
        Ok(missing) => {
            let what = format!("{} not installed", missing.join(", "));
            println!("  {what}: not run: the old protocols, HTTP and NTLM against them");
            if run.is_ci { Outcome::Failed(what) } else { Outcome::NotRun(what) }
        }
        Err(failure) => Outcome::Failed(failure.to_string()),
    }
}

fn provide_packages(run: &Run<'_>) -> Outcome {
    let mut missing = peers::missing(peers::is_there);
    if missing.is_empty() {
        return Outcome::Passed;
    }
    let packages: Vec<&str> = missing.iter().map(|peer| peer.package).collect();
    let apt_get = if run.may_install { peers::apt_get() } else { None };
    if let Some(apt_get) = apt_get {
        println!("  installing {}", packages.join(" "));
        // An update that fails for one source may still have reached the one that is needed.
        for arguments in [&["update", "-q"][..], &["install", "-q", "-y", "--no-install-recommends"][..]] {
            let [program, before @ ..] = apt_get.as_slice() else { break };
            let mut command = Command::new(program);
            command.args(before).args(arguments);
            if arguments.first() == Some(&"install") {
                command.args(&packages);
            }
            if let Outcome::Failed(why) = run.command(command) {
                println!("  apt-get {}: {why}", arguments.join(" "));
            }
        }
        missing = peers::missing(peers::is_there);
    } else if run.may_install {
        println!(
            "  this user cannot install Debian packages here; as root: apt-get install {}",
            packages.join(" ")
        );
    }
    judge_peers(run.is_ci, &missing)
}

fn judge_peers(is_ci: bool, missing: &[&peers::Peer]) -> Outcome {
    if missing.is_empty() {
        return Outcome::Passed;
    }
    println!("{}", peers::describe(missing));
    let packages: Vec<&str> = missing.iter().map(|peer| peer.package).collect();
    let what = format!("{} missing", packages.join(", "));
    if is_ci { Outcome::Failed(what) } else { Outcome::NotRun(what) }
}

/// The first set of features that does not build without warnings ends it: the others are likely to say the same.
fn few_features(run: &Run<'_>) -> Outcome {
    for row in &features::ROWS {
        let mut arguments = vec!["clippy", "-q", "-p", row.package];
        arguments.extend(["--no-default-features", "--features", row.features, "--", "-D", "warnings"]);
        if let Outcome::Failed(why) = run.cargo(&arguments) {
            return Outcome::Failed(format!("{row}: {why}"));
        }
    }
    Outcome::Passed
}

fn tests(run: &Run<'_>) -> Outcome {
    if has_subcommand("nextest") {
        return run.cargo(&["nextest", "run", "--workspace", "--profile", "ci"]);
    }
    println!("  cargo-nextest is not installed: cargo test runs the same tests, one program after the other");
    run.cargo(&["test", "--workspace", "--no-fail-fast", "--lib", "--bins", "--tests", "--examples"])
}

fn documents(run: &Run<'_>) -> Outcome {
    let mut command = Command::new(crate::cargo());
    // Libraries only: the library and the program called opensspi would be written to the same pages.
    command.args(["doc", "--workspace", "--no-deps", "--lib"]).env("RUSTDOCFLAGS", "-D warnings");
    run.command(command)
}

/// What the manifests bring in: licences, where it comes from, and what is banned.
fn deny(run: &Run<'_>) -> Outcome {
    const CHECKS: [&str; 4] = ["check", "bans", "licenses", "sources"];
    if has_subcommand("deny") {
        return run.cargo(&[&["deny"][..], &CHECKS].concat());
    }
    match provide_deny(run) {
        Ok(Some(program)) => {
            let mut command = Command::new(program);
            command.args(CHECKS);
            run.command(command)
        }
        Ok(None) => {
            let what = "there is no cargo-deny (cargo install --locked cargo-deny): nobody looked at licences, \
                        sources and bans of the dependencies";
            if run.is_ci { Outcome::Failed(what.to_owned()) } else { Outcome::NotRun(what.to_owned()) }
        }
        Err(failure) => Outcome::Failed(failure.to_string()),
    }
}

/// The cargo-deny below the target folder, installed if it may be.
fn provide_deny(run: &Run<'_>) -> Result<Option<PathBuf>, Failure> {
    if run.may_install
        && let Outcome::Failed(why) = run.command(peers::installer(run.root, &["deny"])?)
    {
        println!("  integration-tests/peers/install.sh deny: {why}");
    }
    let program = peers::folder(run.root)?.join("deny/bin/cargo-deny");
    Ok(program.is_file().then_some(program))
}

/// Runs these steps, says after each what it came to, and sums up.
pub(crate) fn run(run: &Run<'_>, steps: &[&Step]) -> Result<(), Failure> {
    let begun = Instant::now();
    let mut results = Vec::new();
    for (number, step) in (1..).zip(steps) {
        println!("[{number}/{}] {}: {}", steps.len(), step.name, step.about);
        let started = Instant::now();
        let outcome = (step.run)(run);
        println!("[{number}/{}] {}: {outcome} ({})", steps.len(), step.name, time(started.elapsed()));
        results.push((step.name, outcome, started.elapsed()));
    }
    println!("\nSummary, after {}:", time(begun.elapsed()));
    for (name, outcome, duration) in &results {
        println!("  {name:<10} {:>9}  {outcome}", time(*duration));
    }
    let failed: Vec<&str> = results
        .iter()
        .filter(|(_, outcome, _)| matches!(outcome, Outcome::Failed(_)))
        .map(|(name, ..)| *name)
        .collect();
    let not_run: Vec<&str> = results
        .iter()
        .filter(|(_, outcome, _)| matches!(outcome, Outcome::NotRun(_)))
        .map(|(name, ..)| *name)
        .collect();
    if !not_run.is_empty() {
        println!("Not run, or not all of it: {}", not_run.join(", "));
    }
    if failed.is_empty() { Ok(()) } else { Err(Failure::Found(format!("failed: {}", failed.join(", ")))) }
}

fn time(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if seconds < 60 {
        format!("{:.1} s", duration.as_secs_f64())
    } else {
        format!("{} min {:02} s", seconds / 60, seconds % 60)
    }
}

/// Whether this run is one of CI's.
pub(crate) fn is_ci() -> bool {
    env::var("CI").is_ok_and(|value| value == "true")
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn run(limit: Duration) -> Run<'static> {
        Run { root: Path::new("/"), may_install: false, is_ci: false, deadline: Instant::now() + limit }
    }

    #[test]
    fn command_that_fails_is_a_failed_step() {
        assert_eq!(run(Duration::from_secs(60)).command(Command::new("true")), Outcome::Passed);
        assert!(matches!(run(Duration::from_secs(60)).command(Command::new("false")), Outcome::Failed(_)));
        assert!(matches!(run(Duration::from_secs(60)).command(Command::new("/no/such")), Outcome::Failed(_)));
    }

    #[test]
    fn command_past_the_deadline_is_ended() {
        let mut command = Command::new("sleep");
        command.arg("1000");
        assert!(
            matches!(run(Duration::ZERO).command(command), Outcome::Failed(why) if why.contains("--limit"))
        );
    }

    #[test]
    fn missing_peer_is_a_failure_in_ci_only() {
        let [openssl, ..] = &peers::PEERS;
        assert_eq!(judge_peers(false, &[]), Outcome::Passed);
        assert_eq!(judge_peers(false, &[openssl]), Outcome::NotRun("openssl missing".to_owned()));
        assert_eq!(judge_peers(true, &[openssl]), Outcome::Failed("openssl missing".to_owned()));
    }

    #[test]
    fn one_failed_step_fails_the_run_and_the_others_still_run() {
        let steps = [
            Step { name: "a", about: "", run: |_| Outcome::Failed("it is wrong".to_owned()) },
            Step { name: "b", about: "", run: |_| Outcome::Passed },
            Step { name: "c", about: "", run: |_| Outcome::NotRun("no tool".to_owned()) },
        ];
        let [failed, passed, not_run] = &steps;
        let limit = run(Duration::from_secs(60));
        let failure = super::run(&limit, &[failed, passed, not_run]).unwrap_err();
        assert_eq!(failure.to_string(), "failed: a");
        assert!(super::run(&limit, &[passed, not_run]).is_ok());
    }
}
