//! NTLM measured beside the crate `sspi`, in one process and in turns, as ratios: handshakes of both ends, messages of 16 KiB
//! that are encrypted, and messages of 1 KiB that are signed.
//!
//! ```text
//! cargo run --release --manifest-path benches/beside-sspi/Cargo.toml [-- --json]
//! ```
//!
//! It fails where a ratio is below its floor. Rates are those of the processor's time that this thread had, the kernel's work for
//! it included: what else the machine does at the time changes them little.

mod ours;
mod theirs;

use std::env;
use std::process::ExitCode;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// What is measured of both.
struct Subject {
    name: &'static str,
    /// Ours must be so many times as fast.
    floor: f64,
    /// How often a call does it.
    unit: Unit,
    ours: Box<dyn FnMut()>,
    theirs: Box<dyn FnMut()>,
}

enum Unit {
    /// Once.
    Times,
    /// So many bytes.
    Bytes(usize),
}

/// Rounds that count, and how long each of the two runs in one.
const ROUNDS: usize = 15;
const ROUND: Duration = Duration::from_millis(200);

/// Bytes of a message that is encrypted, and of one that is signed.
const ENCRYPTED: usize = 16 * 1024;
const SIGNED: usize = 1024;

const HELP: &str = "\
Usage: opensspi-beside-sspi [--json]

Measures NTLM beside the crate sspi: handshakes of both ends, encrypt_message of 16 KiB, make_signature of 1 KiB. With --json
the figures are one document, and the table is on standard error. Exit code 1 if a ratio is below its floor.";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let is_json = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => false,
        ["--json"] => true,
        ["--help" | "-h"] => {
            println!("{HELP}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprintln!("{HELP}");
            return ExitCode::from(2);
        }
    };
    let (mut ours, mut theirs) = (ours::established(), theirs::established());
    let (mut our_signer, mut their_signer) = (ours::established(), theirs::established());
    let subjects = [
        Subject {
            name: "handshakes",
            floor: 1.5,
            unit: Unit::Times,
            ours: Box::new(|| drop(ours::established())),
            theirs: Box::new(|| drop(theirs::established())),
        },
        Subject {
            name: "encrypt_message, 16 KiB",
            floor: 1.5,
            unit: Unit::Bytes(ENCRYPTED),
            ours: Box::new(move || ours.encrypt(ENCRYPTED)),
            theirs: Box::new(move || theirs.encrypt(ENCRYPTED)),
        },
        Subject {
            name: "make_signature, 1 KiB",
            floor: 1.0,
            unit: Unit::Times,
            ours: Box::new(move || our_signer.sign(SIGNED)),
            theirs: Box::new(move || their_signer.sign(SIGNED)),
        },
    ];
    let say = |line: String| if is_json { eprintln!("{line}") } else { println!("{line}") };
    say(format!("{:<26} {:>14} {:>14} {:>7}  floor", "", "opensspi", "sspi 0.23", "ratio"));
    let mut rows = Vec::new();
    for subject in subjects {
        let row = measure(subject);
        say(row.line());
        rows.push(row);
    }
    let all_hold = rows.iter().all(Row::holds);
    if is_json {
        let rows: Vec<String> = rows.iter().map(Row::json).collect();
        println!("{{\"rows\":[{}],\"holds\":{all_hold}}}", rows.join(","));
    }
    if all_hold { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What was measured: the medians of both rates, and of their ratios.
struct Row {
    name: &'static str,
    unit: Unit,
    ours: f64,
    theirs: f64,
    ratio: f64,
    floor: f64,
}

impl Row {
    fn holds(&self) -> bool {
        self.ratio >= self.floor
    }

    /// As people read it.
    fn line(&self) -> String {
        let Self { name, ratio, floor, .. } = self;
        let shown = |rate: f64| match self.unit {
            Unit::Times => format!("{rate:.0}/s"),
            Unit::Bytes(bytes) => format!("{:.0} MB/s", rate * bytes as f64 / 1e6),
        };
        let mark = if self.holds() { "" } else { "  BELOW" };
        let (ours, theirs) = (shown(self.ours), shown(self.theirs));
        format!("{name:<26} {ours:>14} {theirs:>14} {ratio:>7.2}  {floor:.1}{mark}")
    }

    /// With the names that `opensspi bench --json` has for the same. No name here needs to be escaped.
    fn json(&self) -> String {
        let Self { name, ours, theirs, ratio, floor, .. } = self;
        format!(
            "{{\"name\":\"{name}\",\"ours\":{ours},\"theirs\":{theirs},\"unit\":\"calls/s\",\"ratio\":{ratio},\"aim\":{floor}}}"
        )
    }
}

fn measure(mut subject: Subject) -> Row {
    let mut rounds = Vec::with_capacity(ROUNDS);
    // The first round warms up.
    for round in 0..=ROUNDS {
        let both = if round % 2 == 0 {
            let ours = rate(&mut *subject.ours);
            (ours, rate(&mut *subject.theirs))
        } else {
            let theirs = rate(&mut *subject.theirs);
            (rate(&mut *subject.ours), theirs)
        };
        if round > 0 {
            rounds.push(both);
        }
    }
    let median = |of: fn(&(f64, f64)) -> f64| {
        let mut all: Vec<f64> = rounds.iter().map(of).collect();
        all.sort_by(f64::total_cmp);
        all[all.len() / 2]
    };
    Row {
        name: subject.name,
        unit: subject.unit,
        ours: median(|r| r.0),
        theirs: median(|r| r.1),
        ratio: median(|r| r.0 / r.1),
        floor: subject.floor,
    }
}

/// The processor's time that this thread has had.
fn used() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}

/// Calls a second.
fn rate(call: &mut dyn FnMut()) -> f64 {
    let begun = used();
    let mut count = 0_u32;
    loop {
        for _ in 0..8 {
            call();
        }
        count += 8;
        let elapsed = used() - begun;
        if elapsed >= ROUND {
            return f64::from(count) / elapsed.as_secs_f64();
        }
    }
}
