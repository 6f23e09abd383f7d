//! Chromium, without a window.

use std::time::Duration;

use test_support::Pki;

use super::command::{Logons, Opensspi, Server};
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
    let ntlm = Logons { package: "NTLM", section: "", account: alice, certificate: None };
    logs_on(packages, opensspi, &ntlm, None)?;
    // Inside TLS, where who is not bound to its certificate is not let in.
    let own = pki.server("localhost").issue();
    let section = "[ntlm]\nchannel-bindings = \"always\"\n";
    logs_on(packages, opensspi, &Logons { section, certificate: Some(&own), ..ntlm }, Some(&pki))?;
    for algorithms in ["\"MD5\"", "\"SHA-256\"", "\"SHA-256\", \"MD5\""] {
        let section = &format!("[digest]\nrealm = \"corp\"\nalgorithms = [{algorithms}]\n");
        let account = &["alice", "--realm", "corp"];
        let digest = Logons { package: "WDigest", section, account, certificate: None };
        logs_on(packages, opensspi, &digest, None)?;
    }
    negotiates(packages, opensspi, alice)
}

/// A browser logs on with a name and a password in the address, and is not let in with a wrong password.
fn logs_on(
    packages: &Packages,
    opensspi: &Opensspi,
    logons: &Logons<'_>,
    trusted: Option<&Pki>,
) -> Result<(), PeerError> {
    let mut server = opensspi.serve_logons(logons)?;
    let scheme = if logons.certificate.is_some() { "https" } else { "http" };
    let port = server.port;
    let address = |password: &str| format!("{scheme}://alice:{password}@localhost:{port}/");
    let shown = Browser::new(packages, trusted)?.open(&address("correct%20horse"))?;
    let account = if logons.account.contains(&"CORP") { "CORP/alice" } else { "alice" };
    shown.require(shown.page.contains(&format!("<td>{account}</td>")), "the account")?;
    let shown = Browser::new(packages, trusted)?.open(&address("wrong"))?;
    shown.is_refused()?;
    denied(&mut server)
}

/// The server's next refusal is one of a password.
fn denied(server: &mut Server) -> Result<(), PeerError> {
    let heard = server.failure()?;
    if heard.contains("SEC_E_LOGON_DENIED") {
        return Ok(());
    }
    Err(PeerError::new(format!("the server refused something else: {heard}")))
}

/// A browser negotiates with what gss-ntlmssp has, where the server is on its list: with the right password and with a wrong one.
/// Where the server is not on the list it sends it nothing.
fn negotiates(packages: &Packages, opensspi: &Opensspi, account: &[&str]) -> Result<(), PeerError> {
    // Nor would NTLM do that says that it is Negotiate.
    let section = "[negotiate]\nraw = \"deny\"\n";
    let mut server =
        opensspi.serve_logons(&Logons { package: "Negotiate", section, account, certificate: None })?;
    let address = format!("http://localhost:{}/", server.port);
    let show = |allowed: &str, password: &str| {
        let mut browser = Browser::new(packages, None)?;
        browser.1.push(format!("--auth-server-allowlist={allowed}"));
        let file = browser.0.write("users", format!("CORP:alice:{password}\n"))?;
        // For the first page of a profile the list comes too late.
        browser.open_with(&address, &gss::variables(&file))?;
        browser.open_with(&address, &gss::variables(&file))
    };
    show("elsewhere.example", "wrong")?.is_refused()?;
    let shown = show("localhost", Logons::PASSWORD)?;
    shown.require(shown.page.contains("<td>CORP/alice</td>"), "the account")?;
    show("localhost", "wrong")?.is_refused()?;
    denied(&mut server)
}

/// What a browser made of an address.
struct Shown {
    /// The page as it stands after its scripts have run; empty if there is none.
    page: String,
    /// It ended as it should.
    is_fine: bool,
    log: String,
}

impl Shown {
    fn require(&self, holds: bool, what: &str) -> Result<(), PeerError> {
        if holds {
            return Ok(());
        }
        Err(PeerError::new(format!("{what:?} is not so:\n{}\n{}", self.page, self.log)))
    }

    /// It has nothing to show, and did not break: of a page that is not for it, it asks its user, whom it does not have.
    fn is_refused(&self) -> Result<(), PeerError> {
        self.require(self.is_fine && !self.page.contains("alice"), "the refusal")
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
        let is_fine = process.wait()?.success();
        Ok(Shown { page, is_fine, log: process.log() })
    }
}
