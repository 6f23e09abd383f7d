//! `timing` and `speed --primitives`: the programs of opensspi-measure, built for each arithmetic of RSA.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use crate::graph::target_folder;
use crate::{Failure, cargo, run_in};

/// Which arithmetic of RSA a build has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Arithmetic {
    /// The fastest of the machine.
    Best,
    /// What `--cfg opensspi_modular` says.
    Forced(&'static str),
}

/// Measures with the fastest arithmetic of the machine, and what is of RSA with the others too.
pub(crate) fn timing(root: &Path, arguments: &[String]) -> Result<(), Failure> {
    each(root, "timing", &["avx2", "portable"], "--also", arguments)
}

/// Measures with the fastest arithmetic of the machine, and RSA without IFMA too.
pub(crate) fn primitives(root: &Path, arguments: &[String]) -> Result<(), Failure> {
    each(root, "primitives", &["avx2"], "--without-ifma", arguments)
}

/// Builds a program for each arithmetic and runs the one with the best, which is told where the others are.
fn each(
    root: &Path,
    name: &str,
    forced: &[&'static str],
    option: &str,
    arguments: &[String],
) -> Result<(), Failure> {
    let is_help = |argument: &String| argument == "--help" || argument == "-h";
    let program = built(root, name, Arithmetic::Best)?;
    let mut command = Command::new(program);
    command.args(arguments);
    if !arguments.iter().any(is_help) {
        for which in forced {
            command.arg(option).arg(built(root, name, Arithmetic::Forced(which))?);
        }
    }
    run_in(root, &mut command)
}

/// A program of opensspi-measure, built for release.
fn built(root: &Path, name: &str, arithmetic: Arithmetic) -> Result<PathBuf, Failure> {
    let folder = match arithmetic {
        Arithmetic::Best => target_folder(root)?,
        Arithmetic::Forced(which) => target_folder(root)?.join("arithmetic").join(which),
    };
    let mut command = Command::new(cargo());
    command
        .args(["build", "--release", "-p", "opensspi-measure", "--bin", name, "--target-dir"])
        .arg(&folder);
    if let Arithmetic::Forced(which) = arithmetic {
        command.env("RUSTFLAGS", flags(env::var("RUSTFLAGS").ok().as_deref(), which));
    }
    run_in(root, &mut command)?;
    let program = folder.join("release").join(format!("{name}{}", env::consts::EXE_SUFFIX));
    fs::canonicalize(&program)
        .map_err(|error| Failure::Broken(format!("{} is not there: {error}", program.display())))
}

/// What the compiler is told beside what it is told anyway.
fn flags(given: Option<&str>, arithmetic: &str) -> String {
    let own = format!("--cfg opensspi_modular=\"{arithmetic}\"");
    match given {
        Some(given) if !given.trim().is_empty() => format!("{given} {own}"),
        _ => own,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_that_are_given_stay() {
        assert_eq!(flags(None, "avx2"), "--cfg opensspi_modular=\"avx2\"");
        assert_eq!(flags(Some("-C x=y"), "portable"), "-C x=y --cfg opensspi_modular=\"portable\"");
    }
}
