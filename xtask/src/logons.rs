//! `interop --logons`: the sections of the page about logons, directories, a farm and renegotiation. They are made of what the
//! tests of these came to, which are run for it: no cell is good whose tests were not.

mod rows;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::{fs, io};

use self::rows::{Cell, Row, SECTIONS, SUITES, Version};
use crate::steps::Outcome;
use crate::{Failure, cargo, peers};

/// By the names of the suite and of the test: `ntlm::pyspnego_has_names_beyond_ascii`.
type Outcomes = BTreeMap<String, Outcome>;

/// Runs the tests, and writes into the page what came of them.
///
/// # Errors
///
/// A test failed or was not run; the page says so, too.
pub(crate) fn write(root: &Path, page: &Path) -> Result<(), Failure> {
    let mut outcomes = Outcomes::new();
    for suite in SUITES {
        eprintln!("the tests of {suite}");
        outcomes.extend(run(root, suite)?);
    }
    let sections = sections(&outcomes, &|version| version_of(root, version))?;
    let told = |error: io::Error| Failure::Broken(format!("{}: {error}", page.display()));
    let old = match fs::read_to_string(page) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        old => old.map_err(told)?,
    };
    fs::write(page, merged(&old, &sections)).map_err(told)?;
    let bad = outcomes.iter().filter(|(_, outcome)| **outcome != Outcome::Passed);
    let bad: Vec<String> = bad.map(|(name, outcome)| format!("{name}: {outcome}")).collect();
    if bad.is_empty() { Ok(()) } else { Err(Failure::Found(bad.join("\n"))) }
}

/// Every test of a suite, the ignored ones too. A test without its peers fails: it would pass otherwise, and nothing was run.
fn run(root: &Path, suite: &str) -> Result<Outcomes, Failure> {
    let mut command = Command::new(cargo());
    command.args(["test", "-p", "opensspi-integration-tests", "--test", suite, "--", "--include-ignored"]);
    let output = command.current_dir(root).env(peers::VARIABLE, "required").stdin(Stdio::null()).output();
    let output = output.map_err(|error| Failure::Broken(format!("cargo did not start: {error}")))?;
    let [out, err] =
        [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    let outcomes = read(suite, &out, &err);
    let has_passed = outcomes.values().all(|outcome| *outcome == Outcome::Passed);
    if outcomes.is_empty() || output.status.success() != has_passed {
        return Err(Failure::Broken(format!("the tests of {suite} did not run to their end:\n{out}{err}")));
    }
    if !has_passed {
        eprintln!("{out}{err}");
    }
    Ok(outcomes)
}

/// The outcomes in what the test harness prints. A test that lacks a peer fails with the reason, or says it on standard error and
/// passes where no machine need have that peer.
fn read(suite: &str, out: &str, err: &str) -> Outcomes {
    let mut outcomes = Outcomes::new();
    for line in out.lines() {
        let Some((name, said)) = line.strip_prefix("test ").and_then(|line| line.split_once(" ... ")) else {
            continue;
        };
        let outcome = match (said, missing(name, out).or_else(|| note(name, err))) {
            (_, Some(reason)) => Outcome::NotRun(reason),
            ("ok", None) => Outcome::Passed,
            ("FAILED", None) => Outcome::Failed("see what the test printed".to_owned()),
            (other, None) => Outcome::NotRun(other.to_owned()),
        };
        outcomes.insert(format!("{suite}::{name}"), outcome);
    }
    outcomes
}

/// The peer for want of which a test failed.
fn missing(name: &str, out: &str) -> Option<String> {
    let (_, said) = out.split_once(&format!("---- {name} stdout ----\n"))?;
    let said = said.split("\n---- ").next().unwrap_or_default();
    let missing = format!("{}=required, but: ", peers::VARIABLE);
    said.lines().find_map(|line| line.strip_prefix(&missing)).map(str::to_owned)
}

/// Why a test passed in which not everything was run.
fn note(name: &str, err: &str) -> Option<String> {
    let said = format!("{name}: not run: ");
    err.lines().find_map(|line| line.strip_prefix(&said)).map(str::to_owned)
}

/// The sections in Markdown.
///
/// # Errors
///
/// A test that a cell stands for was not run: it has another name by now.
fn sections(outcomes: &Outcomes, version: &dyn Fn(&Version) -> String) -> Result<String, Failure> {
    let mut text = String::new();
    for section in SECTIONS {
        // Writing to a String does not fail.
        let _ = writeln!(text, "\n{}", section.heading);
        if !section.about.is_empty() {
            let _ = writeln!(text, "\n{}", section.about);
        }
        if section.rows.is_empty() {
            continue;
        }
        let _ = writeln!(text, "\n| | version | {} |", section.columns.join(" | "));
        let _ = writeln!(text, "|---|---{}|", "|---".repeat(section.columns.len()));
        for Row { peer, version: of, cells } in section.rows {
            let told = cells.iter().map(|cell| told(cell, outcomes)).collect::<Result<Vec<_>, _>>()?;
            let _ = writeln!(text, "| {peer} | {} | {} |", version(of), told.join(" | "));
        }
    }
    Ok(text)
}

/// A cell in a word: that of its worst test.
fn told(cell: &Cell, outcomes: &Outcomes) -> Result<String, Failure> {
    let (good, tests) = match cell {
        Cell::Of(tests) => ("ok".to_owned(), *tests),
        Cell::Lacks(what, tests) => (format!("not run: {what}"), *tests),
        Cell::Nothing => ("–".to_owned(), &[][..]),
        Cell::Not(reason) => (format!("not run: {reason}"), &[][..]),
    };
    let mut why = None;
    for name in tests {
        match outcomes.get(*name) {
            Some(Outcome::Passed) => {}
            Some(Outcome::NotRun(reason)) => why = Some(format!("not run: {reason}")),
            Some(Outcome::Failed(_)) => return Ok("FAILED".to_owned()),
            None => return Err(Failure::Broken(format!("there is no test {name}"))),
        }
    }
    Ok(why.unwrap_or(good))
}

/// Behind it nothing else stands.
const BEGIN: &str = "<!-- What follows is written by `cargo xtask interop --logons`. -->\n";

/// The page with these sections in place of those that it had.
fn merged(page: &str, sections: &str) -> String {
    let before = page.split_once(BEGIN).map_or(page, |(before, _)| before).trim_end();
    let gap = if before.is_empty() { "" } else { "\n\n" };
    format!("{before}{gap}{BEGIN}{sections}")
}

/// The versions of a peer's packages, as whoever installed them has them; none if one is missing.
fn version_of(root: &Path, version: &Version) -> String {
    let mut command = match version {
        Version::Debian(packages) => {
            let mut command = Command::new("dpkg-query");
            command.args(["-W", "-f", "${Package} ${Version}\n"]).args(*packages);
            command
        }
        Version::PyPi(part, packages) => {
            let python = peers::folder(root).unwrap_or_default().join(part).join("bin/python");
            let mut command = Command::new(python);
            let script = "import sys, importlib.metadata as m\nfor n in sys.argv[1:]: print(n, m.version(n))";
            command.args(["-c", script]).args(*packages);
            command
        }
    };
    let output = command.stdin(Stdio::null()).output();
    let found = output.ok().filter(|output| output.status.success());
    let text = found.map(|output| String::from_utf8_lossy(&output.stdout).trim().replace('\n', ", "));
    text.unwrap_or_else(|| "not known".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUT: &str = "
running 5 tests
test good ... ok
test lacking ... ok
test bad ... FAILED
test missing ... FAILED
test aside ... ignored, since it takes long

failures:

---- bad stdout ----

thread 'bad' panicked at tests/a.rs:1:1:
it is wrong

---- missing stdout ----

thread 'missing' panicked at src/peers/mod.rs:1:1:
OPENSSPI_PEERS=required, but: there is no such program
";

    fn outcomes() -> Outcomes {
        read("a", OUT, "lacking: not run: it is optional\n")
    }

    #[test]
    fn a_test_that_lacks_a_peer_was_not_run_whether_it_passes_or_fails() {
        let found = outcomes();
        assert_eq!(found["a::good"], Outcome::Passed);
        assert_eq!(found["a::lacking"], Outcome::NotRun("it is optional".into()));
        assert!(matches!(found["a::bad"], Outcome::Failed(_)));
        assert_eq!(found["a::missing"], Outcome::NotRun("there is no such program".into()));
        assert_eq!(found["a::aside"], Outcome::NotRun("ignored, since it takes long".into()));
    }

    #[test]
    fn a_cell_is_good_if_every_test_of_it_was_run_and_is() {
        let found = outcomes();
        let cell = |tests| told(&Cell::Of(tests), &found).ok();
        assert_eq!(cell(&["a::good"]).as_deref(), Some("ok"));
        assert_eq!(cell(&["a::bad", "a::lacking"]).as_deref(), Some("FAILED"));
        assert_eq!(cell(&["a::good", "a::lacking"]).as_deref(), Some("not run: it is optional"));
        assert_eq!(cell(&["a::good", "a::of_another_name"]), None);
        let told = |cell: &Cell| told(cell, &found).ok();
        assert_eq!(told(&Cell::Nothing).as_deref(), Some("–"));
        assert_eq!(told(&Cell::Lacks("it has none", &["a::good"])).as_deref(), Some("not run: it has none"));
        assert_eq!(told(&Cell::Lacks("it has none", &["a::bad"])).as_deref(), Some("FAILED"));
    }

    #[test]
    fn sections_are_put_behind_the_page_and_in_place_of_older_ones() {
        let page = merged("# Page\n\ntable\n", "\n## Logons\n");
        assert_eq!(page, format!("# Page\n\ntable\n\n{BEGIN}\n## Logons\n"));
        assert_eq!(merged(&page, "\n## New\n"), format!("# Page\n\ntable\n\n{BEGIN}\n## New\n"));
        assert_eq!(merged("", "\n## New\n"), format!("{BEGIN}\n## New\n"));
    }

    /// And every cell that is none of them stands for one at least.
    #[test]
    fn every_test_of_a_cell_is_in_the_sources() {
        for Row { peer, cells, .. } in SECTIONS.iter().flat_map(|section| section.rows) {
            for cell in *cells {
                let (Cell::Of(tests) | Cell::Lacks(_, tests)) = cell else { continue };
                assert!(!tests.is_empty(), "{peer}");
                for name in *tests {
                    let (suite, test) = name.split_once("::").unwrap();
                    assert!(SUITES.contains(&suite), "{name}");
                    let file =
                        format!("{}/../integration-tests/tests/{suite}.rs", env!("CARGO_MANIFEST_DIR"));
                    let source = fs::read_to_string(file).unwrap();
                    assert!(source.contains(&format!("fn {test}() {{")), "{peer}: {name}");
                }
            }
        }
    }

    #[test]
    fn every_row_has_as_many_cells_as_its_table_has_columns() {
        for section in SECTIONS {
            for Row { peer, cells, .. } in section.rows {
                assert_eq!(cells.len(), section.columns.len(), "{peer}");
            }
        }
    }
}
