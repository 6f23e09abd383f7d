//! What was found, for people and as JSON.

use opensspi_measure::machine;
use opensspi_measure::statistics::THRESHOLD;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// A class beside the first of its subject.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Row {
    /// The arithmetic of RSA.
    pub(crate) kernel: String,
    pub(crate) subject: String,
    pub(crate) reference: String,
    pub(crate) class: String,
    /// Of each class, about.
    pub(crate) samples: usize,
    /// The largest that was found, positive where the class takes longer than the reference.
    pub(crate) t: f64,
    /// 1: of the means; 2: of the variances.
    pub(crate) order: u8,
    /// The largest of a second measurement, where the first called for one.
    pub(crate) again: Option<f64>,
    /// Of the mean times, in nanoseconds.
    pub(crate) difference: f64,
    /// The least that would have been found, in nanoseconds.
    pub(crate) resolution: f64,
    /// A difference that is no more than this, in nanoseconds, is nothing that anybody could make use of.
    pub(crate) tolerated: f64,
    /// It has a mistake that must be found.
    pub(crate) must_leak: bool,
}

impl Row {
    fn is_distinguishable(&self) -> bool {
        let is_beyond = |t: f64| t.abs() >= THRESHOLD;
        is_beyond(self.t) && self.again.is_none_or(is_beyond)
    }

    fn is_tolerated(&self) -> bool {
        self.difference.abs() <= self.tolerated
    }

    fn holds(&self) -> bool {
        (self.is_distinguishable() && !self.is_tolerated()) == self.must_leak
    }

    fn verdict(&self) -> &'static str {
        match (self.must_leak, self.is_distinguishable()) {
            (true, true) => "found, as it must be",
            (true, false) => "NOT FOUND: the test is blind",
            (false, true) if self.is_tolerated() => "too little to be of use",
            (false, true) => "DISTINGUISHABLE",
            (false, false) if self.again.is_some() => "not again",
            (false, false) => "",
        }
    }
}

/// What another build of this program says.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct RowsOfAnother {
    rows: Vec<Row>,
}

/// Prints rows as they come, and keeps them.
pub(crate) struct Report {
    json: bool,
    /// Another one prints the rows.
    child: bool,
    rows: Vec<Row>,
    load: Option<f64>,
}

impl Report {
    pub(crate) fn new(json: bool, child: bool) -> Self {
        let report = Self { json, child, rows: Vec::new(), load: machine::load() };
        report.say(&format!("{}; RSA by {}", machine::described(), machine::kernel()));
        report
    }

    fn say(&self, line: &str) {
        match (self.child, self.json) {
            (true, _) => {}
            (false, true) => eprintln!("{line}"),
            (false, false) => println!("{line}"),
        }
    }

    pub(crate) fn progress(&self, number: usize, of: usize, name: &str) {
        eprintln!("[{number}/{of}] {name} …");
    }

    pub(crate) fn again(&self, name: &str) {
        eprintln!("      {name}: once more, to see whether it was chance …");
    }

    pub(crate) fn row(&mut self, row: Row) {
        let Row { kernel, subject, class, reference, t, order, again, difference, resolution, .. } = &row;
        let again = again.map_or_else(String::new, |t| format!(", then {t:.1}"));
        self.say(&format!(
            "{kernel:<8} {subject:<36} {class:<37} : {reference:<24} t {t:8.1} (order {order}){again}  \
             difference {difference:8.2} ns, seen from {resolution:6.2} ns  {}",
            row.verdict()
        ));
        self.rows.push(row);
    }

    pub(crate) fn add(&mut self, other: RowsOfAnother) {
        for row in other.rows {
            self.row(row);
        }
    }

    /// Sums up; whether all is as it should be.
    pub(crate) fn close(&self) -> bool {
        let wrong = self.rows.iter().filter(|row| !row.holds()).count();
        let holds = wrong == 0;
        if self.json {
            let load = [self.load, machine::load()];
            let processors = machine::processors();
            let document = json!({
                "threshold": THRESHOLD, "processors": processors, "load": load, "holds": holds, "rows": self.rows,
            });
            println!("{document}");
        }
        self.say(&format!(
            "{} comparisons, {wrong} not as they should be; {}",
            self.rows.len(),
            machine::described()
        ));
        holds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(t: f64, again: Option<f64>, must_leak: bool) -> Row {
        let text = String::new;
        Row {
            kernel: text(),
            subject: text(),
            reference: text(),
            class: text(),
            samples: 1,
            t,
            order: 1,
            again,
            difference: 60.0,
            resolution: 0.0,
            tolerated: 0.0,
            must_leak,
        }
    }

    #[test]
    fn what_is_found_twice_counts_and_once_does_not() {
        assert!(row(4.4, None, false).holds());
        assert!(!row(-4.6, Some(-5.0), false).holds());
        assert!(row(-4.6, Some(1.0), false).holds());
    }

    #[test]
    fn what_is_tolerated_is_found_and_holds() {
        let tolerating = |tolerated| Row { tolerated, ..row(-10.0, Some(-10.0), false) };
        assert!(tolerating(60.0).holds() && !tolerating(59.0).holds());
        assert_eq!(tolerating(60.0).verdict(), "too little to be of use");
        assert!(Row { difference: -60.0, ..tolerating(60.0) }.holds());
    }

    #[test]
    fn a_mistake_must_be_found() {
        assert!(row(100.0, None, true).holds());
        assert!(!row(3.0, None, true).holds());
        assert_eq!(row(3.0, None, true).verdict(), "NOT FOUND: the test is blind");
    }
}
