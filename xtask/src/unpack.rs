//! Debian packages for `interop --full`, downloaded and unpacked in the target folder. Nothing is installed and no
//! service is started: the interop program lays the folder over `/usr` and `/etc` for the processes that it starts.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

use crate::peers;

/// The applications, by their packages.
const PACKAGES: [&str; 12] = [
    "chromium",
    "cups-daemon",
    "dovecot-imapd",
    "dovecot-pop3d",
    "exim4-daemon-light",
    "gss-ntlmssp",
    "inn2",
    "libnss3-tools",
    "nodejs",
    "postgresql",
    "slapd",
    "vsftpd",
];

/// Where unpacked packages lie: `root` as the machine's root would be, `packages` with the names of their files.
pub(crate) fn folder(root: &Path) -> PathBuf {
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    root.join(target).join("applications")
}

/// Brings the packages that this machine does not have, with what they depend on.
///
/// # Errors
///
/// Why they, or a part of them, are not there. Applications that lack something are reported as not run.
pub(crate) fn unpack(folder: &Path) -> Result<(), String> {
    if !peers::on_path("apt-get") || !peers::on_path("dpkg-deb") {
        return Err("there is no apt-get and dpkg-deb here".to_owned());
    }
    let files = missing_files().or_else(|_| {
        update()?;
        missing_files()
    })?;
    let list = folder.join("packages");
    if fs::read_to_string(&list).is_ok_and(|unpacked| unpacked == files.join("\n")) {
        return Ok(());
    }
    println!("unpacking {} Debian packages in {}", files.len(), folder.display());
    // Whatever is left of another release would be mixed with this one.
    drop(fs::remove_dir_all(folder));
    let (archives, root) = (folder.join("archives"), folder.join("root"));
    for new in [&archives, &root] {
        fs::create_dir_all(new).map_err(|error| format!("{}: {error}", new.display()))?;
    }
    let names = files.iter().filter_map(|file| file.split('_').next());
    quietly(Command::new("apt-get").args(["download", "-q"]).args(names).current_dir(&archives))?;
    for file in &files {
        quietly(Command::new("dpkg-deb").arg("-x").arg(archives.join(file)).arg(&root))?;
    }
    // No program of theirs gets rights that whoever runs it does not have, and `nobody` may read what there is.
    quietly(Command::new("chmod").args(["-R", "u-s,g-s,a+rX"]).arg(&root))?;
    drop(fs::remove_dir_all(&archives));
    fs::write(&list, files.join("\n")).map_err(|error| format!("{}: {error}", list.display()))
}

/// The files of the packages that are not installed, in the order in which `apt-get` would install them.
fn missing_files() -> Result<Vec<String>, String> {
    let mut command = Command::new("apt-get");
    command.args(["install", "--print-uris", "-qq", "-y", "--no-install-recommends"]).args(PACKAGES);
    Ok(quietly(&mut command)?.lines().filter_map(file_of).map(str::to_owned).collect())
}

/// The file in a line `'URI' FILE SIZE HASH`.
fn file_of(line: &str) -> Option<&str> {
    line.split_ascii_whitespace().nth(1).filter(|file| file.ends_with(".deb"))
}

fn update() -> Result<(), String> {
    let apt_get = peers::apt_get().ok_or("as root: apt-get update")?;
    let [program, before @ ..] = apt_get.as_slice() else { return Err("there is no apt-get".to_owned()) };
    quietly(Command::new(program).args(before).args(["update", "-q"])).map(drop)
}

/// Runs a command and gives its output; what it complains of, if it fails.
fn quietly(command: &mut Command) -> Result<String, String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{program}: {}: {}", output.status, said.lines().last().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_of_a_package_is_read_off_what_apt_get_prints() {
        let line = "'http://deb.example/pool/d/dovecot-core_2.3%2bdfsg1_amd64.deb' dovecot-core_1%3a2.3_amd64.deb 4495456 SHA256:00";
        assert_eq!(file_of(line), Some("dovecot-core_1%3a2.3_amd64.deb"));
        assert_eq!(file_of("Reading package lists..."), None);
    }

    #[test]
    fn packages_lie_in_the_target_folder() {
        assert!(folder(Path::new("/project")).ends_with("applications"));
    }
}
