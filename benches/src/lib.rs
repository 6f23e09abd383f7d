//! OpenSSPI measured beside rustls and tokio-rustls.
//!
//! Every figure is a ratio of two things that ran side by side in one run, in alternating rounds: the median of the rounds'
//! ratios. The same certificate, the same suite, the same roots on both sides. Absolute figures are printed for
//! orientation only.

mod engine;
mod handshakes;
mod memory;
mod negotiation;
mod records;
mod sessions;
mod streams;
mod subjects;

use std::time::{Duration, Instant};

use serde::Serialize;

pub use engine::engine;
pub use handshakes::{FullHandshake, ResumedHandshake, handshakes};
pub use memory::{Memory, MemoryChild, memory, memory_child};
pub use negotiation::{Connection, NtlmPair, negotiation};
pub use records::{Bulk, records};
pub use sessions::sessions;
pub use streams::streams;
pub use subjects::{Key, Ours, Theirs, Version};

/// One measured ratio.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// What was measured.
    pub name: String,
    /// Our figure.
    pub ours: f64,
    /// Theirs.
    pub theirs: f64,
    /// Of both figures.
    pub unit: &'static str,
    /// How much better ours is: 1.1 means ten percent.
    pub ratio: f64,
    /// The least that the project promises.
    pub aim: f64,
    /// What else is worth knowing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl Row {
    /// Whether the promise is kept.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.ratio >= self.aim
    }
}

/// How long to measure.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Rounds of each measurement; the median counts.
    pub rounds: usize,
    /// How long one side runs in one round.
    pub round: Duration,
}

impl Default for Effort {
    fn default() -> Self {
        Self { rounds: 15, round: Duration::from_millis(120) }
    }
}

/// Runs `ours` and `theirs` in alternating rounds. Both return how much work one call did, in `unit`s.
fn compare(
    effort: Effort,
    name: String,
    unit: &'static str,
    aim: f64,
    mut ours: impl FnMut() -> f64,
    mut theirs: impl FnMut() -> f64,
) -> Row {
    let (ours, theirs) = (|time| rate(time, &mut ours), |time| rate(time, &mut theirs));
    compare_rates(effort, name, unit, aim, ours, theirs)
}

/// The same of things that say themselves how much work they did in a second, when they had so long.
fn compare_rates(
    effort: Effort,
    name: String,
    unit: &'static str,
    aim: f64,
    mut ours: impl FnMut(Duration) -> f64,
    mut theirs: impl FnMut(Duration) -> f64,
) -> Row {
    let mut rounds: Vec<(f64, f64)> = Vec::with_capacity(effort.rounds);
    ours(effort.round / 4);
    theirs(effort.round / 4);
    for round in 0..effort.rounds {
        // Who goes first alternates, too: a clock that slows down must not favour one side.
        let pair = if round % 2 == 0 {
            let first = ours(effort.round);
            (first, theirs(effort.round))
        } else {
            let first = theirs(effort.round);
            (ours(effort.round), first)
        };
        rounds.push(pair);
    }
    Row {
        name,
        ours: median(rounds.iter().map(|r| r.0)),
        theirs: median(rounds.iter().map(|r| r.1)),
        unit,
        ratio: median(rounds.iter().map(|r| r.0 / r.1)),
        aim,
        note: None,
    }
}

/// Work per second.
fn rate(at_least: Duration, work: &mut impl FnMut() -> f64) -> f64 {
    let start = Instant::now();
    let mut done = 0.0;
    while start.elapsed() < at_least {
        done += work();
    }
    done / start.elapsed().as_secs_f64()
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_holds_when_its_ratio_reaches_the_aim() {
        let row =
            Row { name: String::new(), ours: 2.0, theirs: 1.0, unit: "x", ratio: 2.0, aim: 1.1, note: None };
        assert!(row.holds());
        assert!(!Row { ratio: 1.09, ..row }.holds());
    }

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), 2.0);
    }
}
