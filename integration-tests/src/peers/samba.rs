//! Samba as a domain controller of Active Directory: its directory alone, on the addresses of this machine's loopback. It is
//! made anew each time, in a folder that goes with it; nothing outside of it is touched.
//!
//! Its ports are those of LDAP, which cannot be changed, and need root: one runs at a time.

use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use rustix::process::{Pid, Signal, kill_process_group};
use test_support::TestCertificate;

use super::process::{Launch, Stdout};
use super::{Files, PeerError, Process, find_program};

/// The domain.
pub const DOMAIN: &str = "corp.test";
/// The entry below which everything is.
pub const BASE: &str = "DC=corp,DC=test";
/// Who may read everything.
pub const ADMIN: &str = "CN=Administrator,CN=Users,DC=corp,DC=test";
/// The administrator's password.
pub const PASSWORD: &str = "Passw0rd.Admin";

/// A domain controller that runs. Its process goes when it is dropped.
#[derive(Debug)]
pub struct Samba {
    files: Files,
    configuration: String,
    process: Option<Process>,
}

impl Samba {
    /// Why none can be run here.
    ///
    /// # Errors
    ///
    /// A program is missing, or we are not root.
    pub fn available() -> Result<(), String> {
        let programs = ["samba", "samba-tool", "ldbmodify"];
        if let Some(missing) = programs.into_iter().find(|name| find_program(name).is_none()) {
            let packages = "samba-ad-dc samba-ad-provision samba-dsdb-modules ldb-tools";
            return Err(format!("{missing} is not in PATH (Debian: apt-get install {packages})"));
        }
        if rustix::process::geteuid().is_root() { Ok(()) } else { Err("its ports need root".to_owned()) }
    }

    /// Makes a domain and starts its controller, which shows this certificate, and waits until it listens.
    ///
    /// # Errors
    ///
    /// It did not come up; the error has its log.
    pub fn start(certificate: &TestCertificate, authority: &str) -> Result<Self, PeerError> {
        Self::start_with("ldap", certificate, authority)
    }

    /// The same with winbind, which answers below `/run/samba`: where its clients look for it is compiled into them.
    ///
    /// # Errors
    ///
    /// It did not come up; the error has its log.
    pub fn start_with_winbind(certificate: &TestCertificate, authority: &str) -> Result<Self, PeerError> {
        std::fs::create_dir_all("/run/samba")?;
        let samba = Self::start_with("ldap, rpc, winbindd", certificate, authority)?;
        // It answers some time after the directory listens.
        let user = format!("--username=Administrator\n--password={PASSWORD}");
        let arguments: Vec<&str> = user.split('\n').chain(["--domain=CORP"]).collect();
        let begun = std::time::Instant::now();
        loop {
            match samba.ntlm_auth(&arguments) {
                Ok(()) => return Ok(samba),
                Err(error) if begun.elapsed().as_secs() > 60 => return Err(error),
                Err(_) => std::thread::sleep(std::time::Duration::from_millis(200)),
            }
        }
    }

    /// Runs `ntlm_auth` on its winbind.
    fn ntlm_auth(&self, arguments: &[&str]) -> Result<(), PeerError> {
        let configuration = format!("--configfile={}", self.configuration);
        run("ntlm_auth", &[arguments, &[&configuration]].concat())
    }

    /// A program that is `ntlm_auth` with this configuration. Beside it is `wbinfo`, as it is beside the real one.
    ///
    /// # Errors
    ///
    /// They cannot be written.
    pub fn helper(&self) -> Result<String, PeerError> {
        self.program("wbinfo", "wbinfo")?;
        self.program("helper", &format!("ntlm_auth --configfile='{}'", self.configuration))
    }

    /// A program of this name that goes on as that command.
    fn program(&self, name: &str, command: &str) -> Result<String, PeerError> {
        // Under another name first: a file that is open for writing cannot be run.
        let written =
            self.files.write(&format!("{name}.new"), format!("#!/bin/sh\nexec {command} \"$@\"\n"))?;
        std::fs::set_permissions(&written, std::fs::Permissions::from_mode(0o700))?;
        let program = self.files.reserve(name);
        std::fs::rename(&written, &program)?;
        Ok(program)
    }

    fn start_with(services: &str, certificate: &TestCertificate, authority: &str) -> Result<Self, PeerError> {
        let files = Files::new()?;
        let (chain, key) = files.certificate(certificate)?;
        // It takes a key that nobody else can read, and no other (CVE-2013-4476).
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600))?;
        let authority = files.write("authority.pem", authority)?;
        let mut text = "[global]\n".to_owned();
        for (setting, value) in [
            ("netbios name", "DC1"),
            ("realm", "CORP.TEST"),
            ("workgroup", "CORP"),
            ("server role", "active directory domain controller"),
            ("server services", services),
            ("interfaces", "127.0.0.1/8"),
            ("bind interfaces only", "yes"),
            ("disable netbios", "yes"),
            ("vfs objects", ""),
            ("tls certfile", &chain),
            ("tls keyfile", &key),
            ("tls cafile", &authority),
            ("log level", "1"),
        ] {
            let _never_fails = writeln!(text, "{setting} = {value}");
        }
        for (setting, folder) in [
            ("private dir", "private"),
            ("state directory", "state"),
            ("cache directory", "cache"),
            ("lock directory", "lock"),
            ("pid directory", "pid"),
            ("ncalrpc dir", "ncalrpc"),
        ] {
            let folder = files.reserve(folder);
            std::fs::create_dir(&folder)?;
            let _never_fails = writeln!(text, "{setting} = {folder}");
        }
        for (setting, file) in [("posix:eadb", "eadb.tdb"), ("xattr_tdb:file", "xattr.tdb")] {
            let _never_fails = writeln!(text, "{setting} = {}", files.reserve(file));
        }
        let scripts = files.reserve("scripts");
        std::fs::create_dir(&scripts)?;
        for share in ["sysvol", "netlogon"] {
            let _never_fails = writeln!(text, "[{share}]\npath = {scripts}\nread only = no");
        }
        let configuration = files.write("smb.conf", &text)?;
        #[rustfmt::skip]
        run("samba-tool", &[
            "domain", "provision", &format!("--configfile={configuration}"), "--realm=CORP.TEST", "--domain=CORP",
            "--host-name=dc1", "--host-ip=127.0.0.1", "--server-role=dc", "--dns-backend=NONE",
            &format!("--adminpass={PASSWORD}"), "--option=vfs objects=",
        ])?;
        // It writes the file anew.
        let configuration = files.write("smb.conf", &text)?;
        let mut samba = Self { files, configuration, process: None };
        samba.restart()?;
        Ok(samba)
    }

    /// Ends its process.
    pub fn stop(&mut self) {
        self.process = None;
    }

    /// Starts it again, with everything that was in it.
    ///
    /// # Errors
    ///
    /// It did not come up.
    pub fn restart(&mut self) -> Result<(), PeerError> {
        self.stop();
        let mut launch = Launch::new("samba", Stdout::Log);
        launch.arguments(["-i", "-M", "single", "--debug-stdout", "-s", &self.configuration]);
        self.process = Some(launch.serve(636)?);
        Ok(())
    }

    /// Stops its processes where they are, or lets them go on: meanwhile it neither answers nor closes anything.
    ///
    /// # Errors
    ///
    /// It does not run.
    pub fn pause(&self, paused: bool) -> Result<(), PeerError> {
        let id = self.process.as_ref().and_then(|process| Pid::from_raw(i32::try_from(process.id()).ok()?));
        let id = id.ok_or_else(|| PeerError::new("samba does not run"))?;
        let signal = if paused { Signal::STOP } else { Signal::CONT };
        // Those that it started, too: it leads a group of its own.
        kill_process_group(id, signal).map_err(|error| PeerError::new(error.to_string()))
    }

    /// Runs `samba-tool` on its database.
    ///
    /// # Errors
    ///
    /// It refuses.
    pub fn tool(&self, arguments: &[&str]) -> Result<(), PeerError> {
        run("samba-tool", &[arguments, &["-s", &self.configuration]].concat())
    }

    /// Changes entries, as LDIF says.
    ///
    /// # Errors
    ///
    /// It refuses.
    pub fn modify(&self, ldif: &str) -> Result<(), PeerError> {
        let changes = self.files.write("changes.ldif", ldif)?;
        let database = self.files.reserve("private/sam.ldb");
        run("ldbmodify", &["-H", &database, &format!("--configfile={}", self.configuration), &changes])
    }
}

/// Why Samba's `ldbsearch` cannot ask directories here.
///
/// # Errors
///
/// It is not there, or has no LDAP.
pub fn ldbsearch_available() -> Result<(), String> {
    let has_ldap = ["x86_64-linux-gnu", "aarch64-linux-gnu"]
        .iter()
        .any(|triplet| Path::new(&format!("/usr/lib/{triplet}/samba/ldb/ildap.so")).is_file());
    if has_ldap && find_program("ldbsearch").is_some() {
        return Ok(());
    }
    Err("ldbsearch is not there (Debian: apt-get install ldb-tools samba-dsdb-modules)".to_owned())
}

/// Runs Samba's `ldbsearch` against any directory, as this user, with NTLM in Negotiate: whether it is let in, and what it says.
/// It negotiates encryption, or signatures alone.
///
/// # Errors
///
/// It could not be started.
pub fn ldbsearch(url: &str, user: &str, is_sealed: bool) -> Result<(bool, String), PeerError> {
    let files = Files::new()?;
    // Where it is to sign only, it asks for encryption nevertheless unless it is told not to.
    let (wrapping, sends_seal) = if is_sealed { ("seal", "yes") } else { ("sign", "no") };
    let text = format!(
        "[global]\nworkgroup = CORP\nnetbios name = CLIENT\nclient ldap sasl wrapping = {wrapping}\n\
         ntlmssp_client:ldap_style_send_seal = {sends_seal}\n"
    );
    let configuration = files.write("smb.conf", &text)?;
    let mut launch = Launch::new("ldbsearch", Stdout::Data);
    launch.arguments(["-H", url, &format!("--user={user}"), "--use-kerberos=off", "-s", "base", "-b", ""]);
    launch.argument(format!("--configfile={configuration}"));
    let mut process = launch.start()?;
    let said = process.read_to_end()?;
    let is_fine = process.wait()?.success();
    Ok((is_fine, format!("{}{}", String::from_utf8_lossy(&said), process.log())))
}

fn run(command: &str, arguments: &[&str]) -> Result<(), PeerError> {
    let mut launch = Launch::new(command, Stdout::Log);
    launch.arguments(arguments.iter().copied());
    let mut process = launch.start()?;
    process.set_patience(std::time::Duration::from_secs(120));
    if process.wait()?.success() { Ok(()) } else { Err(process.error("it failed")) }
}
