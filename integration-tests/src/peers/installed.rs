//! Peers that `cargo xtask test` and `cargo xtask interop --full` put below the target folder: see `peers/install.sh`.

use std::env;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The folder of a part of `peers/install.sh`.
///
/// # Errors
///
/// It is not there; the error says what makes it.
pub fn installed(part: &str) -> Result<PathBuf, String> {
    let made = match part {
        "openssl111" => "cargo xtask interop --full",
        _ => "cargo xtask test",
    };
    let missing = || format!("{part} is not installed ({made} does it)");
    let folder = folder().ok_or_else(missing)?.join(part);
    if folder.join("made-by").is_file() { Ok(folder) } else { Err(missing()) }
}

/// `peers` in cargo's target folder, which is known by the tag that it carries for backup programs.
fn folder() -> Option<&'static Path> {
    static FOLDER: OnceLock<Option<PathBuf>> = OnceLock::new();
    let find = || {
        let executable = env::current_exe().ok()?;
        let target = executable.ancestors().find(|folder| folder.join("CACHEDIR.TAG").is_file())?;
        Some(target.join("peers"))
    };
    FOLDER.get_or_init(find).as_deref()
}
