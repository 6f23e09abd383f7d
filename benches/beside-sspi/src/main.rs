//! NTLM measured beside the crate `sspi`, in one process and in turns, as ratios: handshakes of both ends, messages of 16 KiB
//! that are encrypted, and messages of 1 KiB that are signed.
//!
//! ```text
//! cargo run --release --manifest-path benches/beside-sspi/Cargo.toml
//! ```
//!
//! It fails where a ratio is below its floor. Rates are those of the processor's time that this thread had, the kernel's work for
//! it included: what else the machine does at the time changes them little.

mod ours;
mod theirs;

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

fn main() -> ExitCode {
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
    println!("{:<26} {:>14} {:>14} {:>7}  floor", "", "opensspi", "sspi 0.23", "ratio");
    let mut all_hold = true;
    for subject in subjects {
        all_hold &= measure(subject);
    }
    if all_hold { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Prints the medians of both, and of their ratios; whether the floor holds.
fn measure(mut subject: Subject) -> bool {
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
    let (ours, theirs, ratio) = (median(|r| r.0), median(|r| r.1), median(|r| r.0 / r.1));
    let shown = |rate: f64| match subject.unit {
        Unit::Times => format!("{rate:.0}/s"),
        Unit::Bytes(bytes) => format!("{:.0} MB/s", rate * bytes as f64 / 1e6),
    };
    let holds = ratio >= subject.floor;
    let mark = if holds { "" } else { "  BELOW" };
    println!("{:<26} {:>14} {:>14} {ratio:>7.2}  {:.1}{mark}", subject.name, shown(ours), shown(theirs), subject.floor);
    holds
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
