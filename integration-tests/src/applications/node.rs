//! Node.js, in `peers/node_peer.js`.

use serde_json::Value;
use test_support::Pki;

use super::command::{Ending, Opensspi, Target};
use crate::peers::process::{Launch, Stdout};
use crate::peers::{Files, PeerError, Process, Version, listening_port};

fn launch(role: &str, version: Version) -> Launch {
    let mut launch = Launch::new("node", Stdout::Data);
    launch.argument(concat!(env!("CARGO_MANIFEST_DIR"), "/peers/node_peer.js"));
    launch.arguments([role, version.name()]);
    launch
}

fn line(process: &mut Process) -> Result<String, PeerError> {
    process.read_line()?.ok_or_else(|| process.error("it ended"))
}

/// Node.js serves, and `opensspi connect` sends a line that must come back.
pub(super) fn serves(opensspi: &Opensspi, version: Version) -> Result<(), PeerError> {
    let pki = Pki::new();
    let files = Files::new()?;
    let (chain, key) = files.certificate(&pki.server("localhost").issue())?;
    let mut server = launch("server", version).arguments([chain, key]).start()?;
    let port = listening_port(&line(&mut server)?)?;
    let mut client = opensspi.connect(&Target { port, version, starttls: None }, &pki)?;
    client.send(b"there and back\n")?;
    client.expect("there and back\n")?;
    match client.end_of_input()? {
        Ending::InOrder => Ok(()),
        Ending::CutOff => Err(server.error("it closed without close_notify")),
    }
}

/// Node.js gets the page of `opensspi serve --http` twice, the second time with the session of the first.
pub(super) fn connects(opensspi: &Opensspi, version: Version) -> Result<(), PeerError> {
    let pki = Pki::new();
    let files = Files::new()?;
    let server = opensspi.serve(&pki.server("localhost").issue(), version)?;
    let root = files.write("root.pem", pki.root_pem())?;
    let mut client = launch("client", version).arguments([root, server.port.to_string()]).start()?;
    for resumed in [false, true] {
        let seen: Value = serde_json::from_str(&line(&mut client)?).unwrap_or_default();
        let text = |name: &str| seen.get(name).and_then(Value::as_str).unwrap_or_default();
        let holds = text("protocol") == version.name()
            && text("alpn") == "http/1.1"
            && text("body").contains(version.title())
            && seen.get("status").and_then(Value::as_u64) == Some(200)
            && seen.get("resumed").and_then(Value::as_bool) == Some(resumed);
        if !holds {
            return Err(client.error(format!("resumed should be {resumed}: {seen}")));
        }
    }
    if client.wait()?.success() { Ok(()) } else { Err(client.error("it failed")) }
}
