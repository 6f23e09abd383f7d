//! Chromium, without a window.

use std::time::Duration;

use test_support::Pki;

use super::command::Opensspi;
use super::view::{Packages, View};
use crate::peers::process::Stdout;
use crate::peers::{PeerError, Version};

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
    logs_on(packages, opensspi, "NTLM", "", &["alice", "--domain", "CORP"])
}

/// A browser logs on, and is not let in with a wrong password.
fn logs_on(
    packages: &Packages,
    opensspi: &Opensspi,
    package: &str,
    section: &str,
    account: &[&str],
) -> Result<(), PeerError> {
    let server = opensspi.serve_logons(package, section, account, "correct horse")?;
    let address = |password: &str| format!("http://alice:{password}@localhost:{}/", server.port);
    let shown = Browser::new(packages, None)?.open(&address("correct%20horse"))?;
    shown.require(shown.page.contains("<td>CORP/alice</td>"), "the account")?;
    let shown = Browser::new(packages, None)?.open(&address("wrong"))?;
    shown.require(!shown.page.contains("alice"), "that a wrong password lets nobody in")
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

struct Browser(View);

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
        Ok(Self(view))
    }

    fn open(&self, address: &str) -> Result<Shown, PeerError> {
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
        launch.arguments(["--dump-dom", address]);
        let mut process = launch.start()?;
        process.set_patience(PATIENCE);
        let page = String::from_utf8_lossy(&process.read_to_end()?).into_owned();
        process.wait()?;
        Ok(Shown { page, log: process.log() })
    }
}
