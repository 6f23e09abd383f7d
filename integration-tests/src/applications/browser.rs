//! Chromium, without a window.

use std::time::Duration;

use test_support::Pki;

use super::command::Opensspi;
use super::view::{Packages, View};
use crate::peers::process::Stdout;
use crate::peers::{PeerError, Version, gss};

/// A page and everything around it.
const PATIENCE: Duration = Duration::from_secs(60);

/// Opens the page of `opensspi serve --http` in a browser that trusts the authority, and reads there what was
/// negotiated; then in one that does not, which must refuse it and say so.
pub(super) fn run(packages: &Packages, opensspi: &Opensspi, version: Version) -> Result<(), PeerError> {
    let pki = Pki::new();
    let mut server = opensspi.serve(&pki.server("localhost").issue(), version)?;
    let address = format!("https://localhost:{}/", server.port);
    let shown = Browser::new(packages, Some(&pki))?.open(&address)?;
    for expected in ["This connection is secured by OpenSSPI", version.title(), "http/1.1"] {
        shown.require(shown.page.contains(expected), expected)?;
    }
    let shown = Browser::new(packages, None)?.open(&address)?;
    let refused = "ERR_CERT_AUTHORITY_INVALID";
    shown.require(shown.page.is_empty() && shown.log.contains(refused), refused)?;
    let heard = server.failure()?;
    if !(heard.contains("the peer sent the alert") && heard.contains("our certificate")) {
        return Err(PeerError::new(format!("the server heard something else: {heard}")));
    }
    let alice = &["alice", "--domain", "CORP"][..];
    logs_on(packages, opensspi, Logon { package: "NTLM", section: "", account: alice, shown: "CORP/alice" })?;
    for algorithms in ["\"MD5\"", "\"SHA-256\"", "\"SHA-256\", \"MD5\""] {
        let section = format!("[digest]\nrealm = \"corp\"\nalgorithms = [{algorithms}]\n");
        let account = &["alice", "--realm", "corp"];
        logs_on(
            packages,
            opensspi,
            Logon { package: "WDigest", section: &section, account, shown: "alice" },
        )?;
    }
    negotiates(packages, opensspi, alice)
}

/// How a browser logs on with a name and a password in the address.
struct Logon<'a> {
    package: &'a str,
    /// A section of the server's configuration.
    section: &'a str,
    /// How the account is added.
    account: &'a [&'a str],
    /// The account on the page.
    shown: &'a str,
}

const PASSWORD: &str = "correct horse";

/// A browser logs on, and is not let in with a wrong password.
fn logs_on(packages: &Packages, opensspi: &Opensspi, logon: Logon<'_>) -> Result<(), PeerError> {
    let server = opensspi.serve_logons(logon.package, logon.section, logon.account, PASSWORD)?;
    let address = |password: &str| format!("http://alice:{password}@localhost:{}/", server.port);
    let shown = Browser::new(packages, None)?.open(&address("correct%20horse"))?;
    shown.require(shown.page.contains(&format!("<td>{}</td>", logon.shown)), "the account")?;
    let shown = Browser::new(packages, None)?.open(&address("wrong"))?;
    shown.require(!shown.page.contains("alice"), "that a wrong password lets nobody in")
}

/// A browser logs on with what gss-ntlmssp has, where the server is on its list: with the right password, with a wrong one, and
/// not at all where the server is not on the list.
fn negotiates(packages: &Packages, opensspi: &Opensspi, account: &[&str]) -> Result<(), PeerError> {
    let server = opensspi.serve_logons("Negotiate", "", account, PASSWORD)?;
    let address = format!("http://localhost:{}/", server.port);
    for (allowed, password, is_let_in) in
        [("localhost", PASSWORD, true), ("localhost", "wrong", false), ("elsewhere.example", PASSWORD, false)]
    {
        let mut browser = Browser::new(packages, None)?;
        browser.1.push(format!("--auth-server-allowlist={allowed}"));
        let file = browser.0.write("users", format!("CORP:alice:{password}\n"))?;
        // For the first page of a profile the list comes too late.
        browser.open_with(&address, &gss::variables(&file))?;
        let shown = browser.open_with(&address, &gss::variables(&file))?;
        let holds = shown.page.contains("<td>CORP/alice</td>") == is_let_in;
        shown.require(holds, &format!("let in: {is_let_in}, with {allowed} on the list"))?;
    }
    Ok(())
}

/// What a browser made of an address.
struct Shown {
    /// The page as it stands after its scripts have run; empty if there is none.
    page: String,
    log: String,
}

impl Shown {
    fn require(&self, holds: bool, what: &str) -> Result<(), PeerError> {
        if holds {
            return Ok(());
        }
        Err(PeerError::new(format!("{what:?} is not so:\n{}\n{}", self.page, self.log)))
    }
}

/// A browser in its view of the machine, and what else is on its command line.
struct Browser(View, Vec<String>);

impl Browser {
    /// A browser that was never used before.
    fn new(packages: &Packages, trusted: Option<&Pki>) -> Result<Self, PeerError> {
        let view = View::new(packages)?;
        view.make_folder("profile")?;
        let database = format!("sql:{}", view.make_folder(".pki/nssdb")?);
        view.run("certutil", &["-d", &database, "-N", "--empty-password"])?;
        if let Some(pki) = trusted {
            let root = view.write("root.pem", pki.root_pem())?;
            view.run("certutil", &["-d", &database, "-A", "-t", "C,,", "-n", "root", "-i", &root])?;
        }
        Ok(Self(view, Vec::new()))
    }

    fn open(&self, address: &str) -> Result<Shown, PeerError> {
        self.open_with(address, &[])
    }

    fn open_with(&self, address: &str, variables: &[(&str, &str)]) -> Result<Shown, PeerError> {
        let mut launch = self.0.launch("/usr/lib/chromium/chromium", Stdout::Data)?;
        // Without a sandbox of its own: it is in a namespace of ours, and sees no page but this.
        launch.arguments([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-quic",
        ]);
        launch.arguments(["--no-first-run", "--disable-background-networking", "--disable-component-update"]);
        launch.arguments(["--disable-sync", &format!("--user-data-dir={}", self.0.path("profile"))]);
        launch.arguments(self.1.iter().cloned()).arguments(["--dump-dom", address]);
        launch.variables(variables.iter().copied());
        let mut process = launch.start()?;
        process.set_patience(PATIENCE);
        let page = String::from_utf8_lossy(&process.read_to_end()?).into_owned();
        process.wait()?;
        Ok(Shown { page, log: process.log() })
    }
}
