//! Debian packages that look installed to one process: nothing on the machine changes, no service is started, and
//! nobody needs to be root.
//!
//! The packages lie unpacked in a folder. A process that `View::launch` starts has a mount namespace of
//! its own, in which that folder lies over `/usr` and `/etc`, together with the accounts that the servers insist on. It
//! runs as `nobody`. Its network is the machine's.

use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fs, io};

use rustix::process::geteuid;
use tempfile::TempDir;

use crate::peers::process::{Launch, Stdout};
use crate::peers::{PeerError, Process};

/// Where the packages are: unpacked in a folder, or installed.
#[derive(Clone, Debug)]
pub struct Packages {
    /// What `cargo xtask interop --full` has unpacked, with the list of the packages beside it.
    folder: Option<PathBuf>,
}

impl Packages {
    /// Those unpacked in the folder `root` of this folder, and those installed on the machine.
    pub fn new(folder: Option<&Path>) -> Self {
        let folder = folder.filter(|folder| folder.join("root/usr").is_dir());
        Self { folder: folder.and_then(|folder| fs::canonicalize(folder).ok()) }
    }

    fn root(&self) -> Option<PathBuf> {
        self.folder.as_ref().map(|folder| folder.join("root"))
    }

    /// Whether a file of a package is there, by the path that it has once installed.
    pub(super) fn has(&self, path: &str) -> bool {
        let unpacked = self.root().map(|root| root.join(path.trim_start_matches('/')));
        unpacked.is_some_and(|path| path.exists()) || Path::new(path).exists()
    }

    /// The entries of a folder, unpacked and installed.
    pub(super) fn entries(&self, path: &str) -> Vec<String> {
        let unpacked = self.root().map(|root| root.join(path.trim_start_matches('/')));
        let folders = unpacked.into_iter().chain([PathBuf::from(path)]);
        folders
            .filter_map(|folder| fs::read_dir(folder).ok())
            .flat_map(|entries| entries.flatten())
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect()
    }

    /// Name and version of a package, as Debian has it.
    pub(super) fn version(&self, package: &str) -> String {
        let list = self.folder.as_ref().map(|folder| folder.join("packages"));
        let list = list.and_then(|list| fs::read_to_string(list).ok()).unwrap_or_default();
        if let Some(version) = list.lines().find_map(|file| version_of(file, package)) {
            return format!("{package} {version}");
        }
        let installed =
            Command::new("dpkg-query").args(["-W", "-f", "${Package} ${Version}", package]).output();
        installed.map_or_else(
            |_| package.to_owned(),
            |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        )
    }
}

/// The version in the name of a package's file, `name_version_architecture.deb`, if it is this package's.
fn version_of(file: &str, package: &str) -> Option<String> {
    let version = file.strip_prefix(package)?.strip_prefix('_')?.split('_').next()?;
    Some(version.replace("%3a", ":"))
}

/// Who the process is in its view.
const NOBODY: u32 = 65_534;

/// The accounts that servers look for before they do anything: all the same one.
const ACCOUNTS: [&str; 6] = ["nobody", "Debian-exim", "news", "postgres", "lp", "openldap"];

/// A folder for one process and what it is given, and its view of the packages. What it is started with goes with it.
#[derive(Debug)]
pub(super) struct View {
    folder: TempDir,
    /// Laid over `/usr` and `/etc`, uppermost first.
    usr: Option<String>,
    etc: String,
}

impl View {
    pub(super) fn new(packages: &Packages) -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("opensspi-application-").tempdir()?;
        let accounts = folder.path().join("etc");
        fs::create_dir(&accounts)?;
        let (mut passwd, mut group) = ("root:x:0:0::/:/bin/sh\n".to_owned(), "root:x:0:\n".to_owned());
        for name in ACCOUNTS {
            passwd.push_str(&format!("{name}:x:{NOBODY}:{NOBODY}::{}:/bin/sh\n", folder.path().display()));
            group.push_str(&format!("{name}:x:{NOBODY}:\n"));
        }
        group.push_str(&format!("nogroup:x:{NOBODY}:\n"));
        fs::write(accounts.join("passwd"), passwd)?;
        fs::write(accounts.join("group"), group)?;
        let root = packages.root();
        let under = |name: &str| root.as_ref().map(|root| format!("{}:", root.join(name).display()));
        Ok(Self {
            usr: under("usr").map(|unpacked| format!("{unpacked}/usr")),
            etc: format!("{}:{}/etc", accounts.display(), under("etc").unwrap_or_default()),
            folder,
        })
    }

    /// The path of a file or folder in the process's own folder.
    pub(super) fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_string_lossy().into_owned()
    }

    /// Writes a file that only its owner may read, and gives its path.
    pub(super) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> io::Result<String> {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.folder.path().join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(&path, content)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        Ok(self.path(name))
    }

    /// Makes a folder, and gives its path.
    pub(super) fn make_folder(&self, name: &str) -> io::Result<String> {
        fs::create_dir_all(self.folder.path().join(name))?;
        Ok(self.path(name))
    }

    /// A command line that will be run in this view.
    pub(super) fn launch(&self, program: &str, stdout: Stdout) -> io::Result<Launch> {
        let is_root = geteuid().is_root();
        if is_root {
            give_away(self.folder.path())?;
        }
        let mut launch = Launch::new("unshare", stdout);
        if !is_root {
            launch.arguments(["--user", "--map-root-user"]);
        }
        let nobody = NOBODY.to_string();
        let become_nobody: &[&str] = if is_root {
            &[
                "setpriv",
                "--reuid",
                &nobody,
                "--regid",
                &nobody,
                "--clear-groups",
                "--pdeathsig",
                "KILL",
                "--",
            ]
        } else {
            &[
                "unshare",
                "--user",
                "--map-user",
                &nobody,
                "--map-group",
                &nobody,
                "setpriv",
                "--pdeathsig",
                "KILL",
                "--",
            ]
        };
        let usr = self.usr.as_deref().unwrap_or_default();
        launch.arguments(["--mount", "sh", "-c", ENTER, "sh", usr, &self.etc]);
        launch.arguments(become_nobody.iter().copied());
        launch.arguments(["env", &format!("HOME={}", self.folder.path().display()), program]);
        Ok(launch)
    }

    /// Runs a program of the view to its end, and expects it to succeed.
    pub(super) fn run(&self, program: &str, arguments: &[&str]) -> Result<(), PeerError> {
        let mut launch = self.launch(program, Stdout::Log)?;
        let mut process: Process = launch.arguments(arguments.iter().copied()).start()?;
        let status = process.wait()?;
        if status.success() { Ok(()) } else { Err(process.error(status.to_string())) }
    }
}

/// Lays the packages over the machine's folders, for this process only, and goes on as the command that follows.
const ENTER: &str = r#"
if [ -n "$1" ]; then mount -t overlay overlay -o "lowerdir=$1" /usr || exit 126; fi
mount -t overlay overlay -o "lowerdir=$2" /etc || exit 126
shift 2
exec "$@"
"#;

/// Gives a folder and everything in it to [`NOBODY`].
fn give_away(folder: &Path) -> io::Result<()> {
    chown(folder, Some(NOBODY), Some(NOBODY))?;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            give_away(&entry.path())?;
        } else {
            chown(entry.path(), Some(NOBODY), Some(NOBODY))?;
        }
    }
    Ok(())
}

/// Whether this system lets a process have a view of its own.
///
/// # Errors
///
/// What it says.
pub(super) fn possible(packages: &Packages) -> Result<(), String> {
    let entered = View::new(packages).map_err(PeerError::from).and_then(|view| view.run("true", &[]));
    entered.map_err(|error| {
        let said = error.to_string();
        format!("no mount namespace of our own here: {}", said.lines().last().unwrap_or_default())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read_off_the_name_of_the_packages_file() {
        let file = "dovecot-imapd_1%3a2.3.19.1+dfsg1-2.1+deb12u7_amd64.deb";
        assert_eq!(version_of(file, "dovecot-imapd").as_deref(), Some("1:2.3.19.1+dfsg1-2.1+deb12u7"));
        assert_eq!(version_of(file, "dovecot"), None);
        assert_eq!(version_of("inn2-inews_2.7.1_amd64.deb", "inn2"), None);
    }

    #[test]
    fn installed_files_are_found_without_a_folder_of_packages() {
        let packages = Packages::new(Some(Path::new("/no/such/folder")));
        assert!(packages.has("/etc/passwd") && !packages.has("/etc/no/such/file"));
        assert!(packages.entries("/").contains(&"etc".to_owned()));
    }
}
