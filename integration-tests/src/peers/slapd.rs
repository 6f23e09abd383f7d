//! OpenLDAP's `slapd` as a directory with the attributes of Active Directory: a process like any other, with a folder of its
//! own, on ports of its own.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal, kill_process};
use test_support::TestCertificate;

use super::process::{Launch, Stdout};
use super::{Files, PeerError, Process, find_program, free_port, judge, note};

/// The entry below which everything is.
pub const BASE: &str = "dc=corp,dc=test";
/// Who may change everything.
pub const ADMIN: &str = "cn=admin,dc=corp,dc=test";
/// The administrator's password.
pub const PASSWORD: &str = "admin-pw";

/// The attributes that a mapping looks at, with the numbers, syntaxes and comparisons of Active Directory.
const SCHEMA: &str = "\
attributetype ( 1.2.840.113556.1.4.221 NAME 'sAMAccountName' EQUALITY caseIgnoreMatch SUBSTR caseIgnoreSubstringsMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.4.656 NAME 'userPrincipalName' EQUALITY caseIgnoreMatch SUBSTR caseIgnoreSubstringsMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.4.867 NAME 'altSecurityIdentities' EQUALITY caseIgnoreMatch SUBSTR caseIgnoreSubstringsMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )
attributetype ( 1.2.840.113556.1.4.8 NAME 'userAccountControl' EQUALITY integerMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.4.146 NAME 'objectSid' EQUALITY octetStringMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.40 SINGLE-VALUE )
objectclass ( 1.2.840.113556.1.5.9 NAME 'user' SUP inetOrgPerson STRUCTURAL MUST sAMAccountName MAY ( userPrincipalName $ altSecurityIdentities $ userAccountControl $ objectSid ) )
";

/// A directory that runs, or that was stopped. Its process goes when it is dropped.
#[derive(Debug)]
pub struct Slapd {
    files: Files,
    configuration: String,
    variables: Vec<(String, String)>,
    process: Option<Process>,
    port: u16,
    tls_port: u16,
}

/// Where a program is; servers are not in everybody's PATH.
fn program(name: &str) -> Option<PathBuf> {
    find_program(name).or_else(|| Some(Path::new("/usr/sbin").join(name)).filter(|file| file.is_file()))
}

/// Where the schemas of OpenLDAP are.
fn schemas() -> Option<&'static str> {
    ["/etc/ldap/schema", "/etc/openldap/schema"].into_iter().find(|folder| Path::new(folder).is_dir())
}

impl Slapd {
    /// For the first line of a test, like [`runnable`](super::runnable).
    ///
    /// # Panics
    ///
    /// If it is missing and the environment says `OPENSSPI_PEERS=required`, as CI does.
    #[must_use]
    pub fn runnable() -> bool {
        let missing = [("slapd", "slapd"), ("slapadd", "slapd"), ("ldapmodify", "ldap-utils")]
            .into_iter()
            .filter(|(command, _)| program(command).is_none())
            .map(|(command, package)| format!("{command} is not there (Debian: apt-get install {package})"));
        let schema = schemas().is_none().then(|| "the schemas of OpenLDAP are not there".to_owned());
        let verdict = judge(missing.chain(schema).collect());
        if let Err(reason) = &verdict {
            note(reason);
        }
        verdict.is_ok()
    }

    /// Starts one with these entries, in LDIF, below [`BASE`], and waits until it listens. For TLS it shows this certificate.
    ///
    /// # Errors
    ///
    /// It did not come up; the error has its log.
    pub fn start(entries: &str, certificate: &TestCertificate) -> Result<Self, PeerError> {
        Self::start_with("", &[], entries, certificate)
    }

    /// The same with these lines in its configuration, before its rules of access, and these variables in its environment.
    ///
    /// # Errors
    ///
    /// It did not come up; the error has its log.
    pub fn start_with(
        settings: &str,
        variables: &[(&str, &str)],
        entries: &str,
        certificate: &TestCertificate,
    ) -> Result<Self, PeerError> {
        let files = Files::new()?;
        let (chain, key) = files.certificate(certificate)?;
        let schema = files.write("ad.schema", SCHEMA)?;
        let database = files.reserve("database");
        std::fs::create_dir(&database)?;
        let schemas = schemas().unwrap_or_default();
        let mut text = String::new();
        for name in ["core", "cosine", "inetorgperson"] {
            let _never_fails = writeln!(text, "include {schemas}/{name}.schema");
        }
        if Path::new("/usr/lib/ldap").is_dir() {
            text.push_str("modulepath /usr/lib/ldap\nmoduleload back_mdb\n");
        }
        let _never_fails = write!(
            text,
            "include {schema}\npidfile {database}/slapd.pid\nTLSCertificateFile {chain}\nTLSCertificateKeyFile {key}\n\
             {settings}access to attrs=userPassword by anonymous auth by * none\naccess to * by users read by * none\n\
             database mdb\nmaxsize 16777216\nsuffix {BASE}\nrootdn {ADMIN}\nrootpw {PASSWORD}\ndirectory {database}\n\
             index objectClass,sAMAccountName,userPrincipalName,altSecurityIdentities eq\n"
        );
        let configuration = files.write("slapd.conf", text)?;
        let content = format!("dn: {BASE}\nobjectClass: domain\ndc: corp\n\n{entries}");
        let content = files.write("content.ldif", content)?;
        run("slapadd", &["-f", &configuration, "-l", &content])?;
        let (port, tls_port) = (free_port(), free_port());
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let variables = variables.collect();
        let mut slapd = Self { files, configuration, variables, process: None, port, tls_port };
        slapd.restart()?;
        Ok(slapd)
    }

    /// The port without TLS.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `ldap://…`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("ldap://localhost:{}", self.port)
    }

    /// `ldaps://…`.
    #[must_use]
    pub fn tls_url(&self) -> String {
        format!("ldaps://localhost:{}", self.tls_port)
    }

    /// Ends the process.
    pub fn stop(&mut self) {
        self.process = None;
    }

    /// Starts it, on the same ports, with everything that was in it.
    ///
    /// # Errors
    ///
    /// It did not come up.
    pub fn restart(&mut self) -> Result<(), PeerError> {
        self.stop();
        let slapd = program("slapd").ok_or_else(|| PeerError::new("slapd is not there"))?;
        let mut launch = Launch::new(&slapd.to_string_lossy(), Stdout::Log);
        let urls = format!("ldap://127.0.0.1:{}/ ldaps://127.0.0.1:{}/", self.port, self.tls_port);
        // With a level for debugging it stays in the foreground; at this one it says what it is asked.
        launch.arguments(["-f", &self.configuration, "-h", &urls, "-d", "stats"]);
        launch.variables(self.variables.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        self.process = Some(launch.serve(self.port)?);
        Ok(())
    }

    /// Waits until the filters that it was asked with, as it understood them, are what they should be; says which they are.
    /// They are of as much of its log as is kept.
    ///
    /// # Errors
    ///
    /// They did not come to be that.
    pub fn wait_for_filters(&mut self, hold: impl Fn(&[String]) -> bool) -> Result<Vec<String>, PeerError> {
        let process = self.process.as_mut().ok_or_else(|| PeerError::new("slapd does not run"))?;
        Ok(filters(&process.wait_until(|log| hold(&filters(log)))?))
    }

    /// Stops its process where it is: it neither answers nor closes anything.
    ///
    /// # Errors
    ///
    /// It does not run.
    pub fn pause(&self) -> Result<(), PeerError> {
        self.signal(Signal::STOP)
    }

    /// Lets it go on.
    ///
    /// # Errors
    ///
    /// It does not run.
    pub fn go_on(&self) -> Result<(), PeerError> {
        self.signal(Signal::CONT)
    }

    fn signal(&self, signal: Signal) -> Result<(), PeerError> {
        let id = self.process.as_ref().and_then(|process| Pid::from_raw(i32::try_from(process.id()).ok()?));
        let id = id.ok_or_else(|| PeerError::new("slapd does not run"))?;
        kill_process(id, signal).map_err(|error| PeerError::new(error.to_string()))
    }

    /// Changes entries, as LDIF says.
    ///
    /// # Errors
    ///
    /// It refuses.
    pub fn modify(&self, ldif: &str) -> Result<(), PeerError> {
        let changes = self.files.write("changes.ldif", ldif)?;
        let url = format!("ldap://127.0.0.1:{}", self.port);
        run("ldapmodify", &["-x", "-H", &url, "-D", ADMIN, "-w", PASSWORD, "-f", &changes])
    }
}

/// The filters in a log, but for a line that is not whole yet.
fn filters(log: &str) -> Vec<String> {
    let log = log.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let filter = |line: &str| Some(line.split_once(" filter=\"")?.1.rsplit_once('"')?.0.to_owned());
    log.lines().filter_map(filter).collect()
}

fn run(command: &str, arguments: &[&str]) -> Result<(), PeerError> {
    let command = program(command).ok_or_else(|| PeerError::new(format!("{command} is not there")))?;
    let mut launch = Launch::new(&command.to_string_lossy(), Stdout::Log);
    launch.arguments(arguments.iter().copied());
    let mut process = launch.start()?;
    if process.wait()?.success() { Ok(()) } else { Err(process.error("it failed")) }
}
