//! `crates`, and the step `features`: what users build that the workspace as a whole does not, and how much it is.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::Failure;

/// A package with fewer features than all.
pub(crate) struct Row {
    /// The package.
    pub(crate) package: &'static str,
    /// Its features, as `--features` takes them; the default ones are off.
    pub(crate) features: &'static str,
    /// Fewer crates than this, ours with them; none: it is not counted.
    below: Option<usize>,
}

const fn row(package: &'static str, features: &'static str, below: Option<usize>) -> Row {
    Row { package, features, below }
}

/// The sets of features that are looked at. Where a limit is reached, a dependency of what only some packages need should be
/// optional; it is raised by whoever can say why users should get more.
pub(crate) const ROWS: [Row; 13] = [
    row("opensspi-crypto", "", None),
    row("opensspi", "", None),
    row("opensspi", "digest", None),
    row("opensspi", "ntlm", None),
    row("opensspi", "negotiate", None),
    row("opensspi", "tokens", None),
    row("opensspi", "tokio", None),
    row("opensspi", "schannel", None),
    row("opensspi", "ntlm,tokio", None),
    row("opensspi", "axum,ntlm", None),
    row("opensspi", "digest,ntlm,negotiate", Some(60)),
    row("opensspi", "digest,ntlm,negotiate,tokio", Some(60)),
    row("opensspi", "schannel,tokio", Some(90)),
];

impl fmt::Display for Row {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let features = if self.features.is_empty() { "no features" } else { self.features };
        write!(formatter, "{} with {features}", self.package)
    }
}

/// The sets that bring too many crates, and how many each brings.
pub(crate) fn too_many(root: &Path) -> Result<(Vec<String>, Vec<String>), Failure> {
    let (mut found, mut counted) = (Vec::new(), Vec::new());
    for row in &ROWS {
        let Some(below) = row.below else { continue };
        let tree = tree(root, row)?;
        let crates = unique(&tree);
        counted.push(format!("{row}: {} crates, and fewer than {below} are allowed", crates.len()));
        if crates.len() >= below {
            let names: Vec<&str> = crates.into_iter().collect();
            let count = names.len();
            found.push(format!(
                "{row} brings {count} crates, not fewer than {below} (xtask/src/features.rs): {}",
                names.join(", ")
            ));
        }
    }
    Ok((found, counted))
}

/// What `cargo tree` says, a crate on a line.
fn tree(root: &Path, row: &Row) -> Result<String, Failure> {
    let output = Command::new(crate::cargo())
        .args(["tree", "-e", "normal", "--prefix", "none", "--format", "{p}", "-p", row.package])
        .args(["--no-default-features", "--features", row.features])
        .current_dir(root)
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| Failure::Broken(format!("cargo tree did not start: {error}")))?;
    if !output.status.success() {
        return Err(Failure::Broken(format!("cargo tree: {}", output.status)));
    }
    String::from_utf8(output.stdout)
        .map_err(|error| Failure::Broken(format!("cargo tree answered no text: {error}")))
}

/// Each crate in each version once. What was printed before has a mark behind it.
fn unique(tree: &str) -> BTreeSet<&str> {
    let name_and_version = |line: &str| line.match_indices(' ').nth(1).map_or(line.len(), |(at, _)| at);
    tree.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .filter_map(|line| line.get(..name_and_version(line)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crate_in_two_versions_is_two_and_one_that_is_named_twice_is_one() {
        let tree = "opensspi v0.1.0 (/somewhere)\nsyn v2.0.1\n\nsyn v3.0.0\nserde_derive v1.0.0 (proc-macro)\n\
                    syn v2.0.1\nserde_derive v1.0.0 (proc-macro) (*)\nsyn v3.0.0 (*)\n";
        let expected = ["opensspi v0.1.0", "serde_derive v1.0.0", "syn v2.0.1", "syn v3.0.0"];
        assert_eq!(unique(tree).into_iter().collect::<Vec<_>>(), expected);
    }
}
