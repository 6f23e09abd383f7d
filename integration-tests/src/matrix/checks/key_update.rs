//! Keys that are changed under way by either side, with and without an answer asked for.

use std::fs;
use std::time::Duration;

use super::super::meeting::{Terms, require};
use super::super::{Case, CaseError, Role};
use super::nobody;
use crate::Pattern;
use crate::echo;
use crate::ours::{Client, Server, Service};
use crate::peers::{Peer, gnutls, java, openssl};

pub(super) fn run(case: Case) -> Result<(), CaseError> {
    let terms = Terms::new(case);
    match (case.peer, case.role) {
        (Peer::OpenSsl, Role::Server) => s_server(terms),
        (Peer::OpenSsl, Role::Client) => s_client(terms),
        (Peer::GnuTls, Role::Client) => gnutls_cli(&terms),
        (Peer::Java, _) => jsse(terms),
        _ => nobody(case),
    }
}

/// What `-msg` prints when a KeyUpdate of ours arrives, and when one of its own leaves.
const RECEIVED: &str = "<<< TLS 1.3, Handshake [length 0005], KeyUpdate";
const SENT: &str = ">>> TLS 1.3, Handshake [length 0005], KeyUpdate";

/// What it has received, and what it has sent.
fn require_messages(log: &str, received: usize, sent: usize) -> Result<(), CaseError> {
    let counts = (log.matches(RECEIVED).count(), log.matches(SENT).count());
    require(counts == (received, sent), || format!("{counts:?} and not {received}, {sent}\n{log}"))
}

/// Its answer to a request of ours may be said after what it was sent with.
fn has_sent(count: usize) -> impl Fn(&str) -> bool {
    move |log| log.matches(SENT).count() >= count
}

fn s_server(mut terms: Terms) -> Result<(), CaseError> {
    terms.peer_arguments.push("-msg".to_owned());
    let mut server = openssl::Server::start(&terms.server_options(), openssl::Mode::Report)?;
    let mut connection = Client::new(&terms.setup())?.connect(server.port())?;
    connection.send(b"before\n")?;
    server.wait_for("before")?;
    for (round, command) in ["k\n", "K\n", "K\n", "k\n"].into_iter().enumerate() {
        server.send(command.as_bytes())?;
        // A command is one only where it is read alone.
        server.wait_until(|log| log.matches(SENT).count() > round)?;
        // What the server types arrives under its new key, and what we send under ours.
        // A line of its own for each round: the log has those of the rounds before.
        let line = format!("server after {round} {command}");
        server.send(line.as_bytes())?;
        let read = connection.read_exact(line.len())?;
        require(read == line.as_bytes(), || format!("{line:?} is {:?}", String::from_utf8_lossy(&read)))?;
        let line = format!("client after {round} {command}");
        connection.send(line.as_bytes())?;
        server.wait_for(line.trim_end())?;
    }
    require_messages(&server.log(), 2, 4)?;
    for round in 0..3 {
        connection.update_keys()?;
        let line = format!("client with new keys {round}\n");
        connection.send(line.as_bytes())?;
        server.wait_for(line.trim_end())?;
        let line = format!("server with new keys {round}\n");
        server.send(line.as_bytes())?;
        let read = connection.read_exact(line.len())?;
        require(read == line.as_bytes(), || format!("{line:?} is {:?}", String::from_utf8_lossy(&read)))?;
    }
    server.wait_until(has_sent(7))?;
    require_messages(&server.log(), 5, 7)
}

fn s_client(mut terms: Terms) -> Result<(), CaseError> {
    terms.peer_arguments.push("-msg".to_owned());
    let server = Server::start(&terms.setup(), Service::Ask)?;
    let mut client = openssl::Client::start(&terms.client_options(server.port()), openssl::Mode::Report)?;
    client.report()?;
    for (round, command) in ["k\n", "K\n", "K\n", "k\n"].into_iter().enumerate() {
        client.send(command.as_bytes())?;
        // A command is one only where it is read alone.
        client.wait_until(|log| log.matches("KEYUPDATE").count() > round)?;
        client.send(format!("line {round}\n").as_bytes())?;
        client.wait_for(&format!("line {round}"))?;
    }
    require_messages(&client.log(), 2, 4)?;
    for round in 0..3 {
        client.send(b"ask\n")?;
        client.wait_until(|log| log.matches("asked").count() > round)?;
        client.send(format!("then {round}\n").as_bytes())?;
        client.wait_for(&format!("then {round}"))?;
    }
    client.wait_until(has_sent(7))?;
    require_messages(&client.log(), 5, 7)?;
    client.send(b"Q\n")?;
    client.wait()?;
    let report = server.next_connection(Duration::from_secs(10))?.succeeded()?;
    require(report.negotiated.bytes == 61, || format!("{} bytes", report.negotiated.bytes))
}

fn gnutls_cli(terms: &Terms) -> Result<(), CaseError> {
    let server = Server::start(&terms.setup(), Service::Ask)?;
    let options = terms.client_options(server.port()).argument("--inline-commands");
    let mut client = gnutls::Client::start(&options)?;
    for round in 0..3 {
        let line = format!("line {round}\n");
        client.send(line.as_bytes())?;
        let read = client.read_exact(line.len())?;
        require(read == line.as_bytes(), || format!("{line:?} is {:?}", String::from_utf8_lossy(&read)))?;
        client.send(b"^rekey^\n")?;
    }
    for round in 0..3 {
        client.send(b"ask\n")?;
        let read = client.read_exact(6)?;
        require(read == b"asked\n", || format!("round {round}: {:?}", String::from_utf8_lossy(&read)))?;
    }
    client.finish()?;
    let log = client.log_file();
    let rekeyed = log.matches("Rekey was completed").count();
    require(rekeyed == 3, || format!("{rekeyed} of 3 times\n{log}"))?;
    server.next_connection(Duration::from_secs(10))?.succeeded()?;
    Ok(())
}

/// JSSE changes its keys after so many bytes, and says so when it is asked to.
fn jsse(mut terms: Terms) -> Result<(), CaseError> {
    let folder = tempfile::tempdir()?;
    let properties = folder.path().join("java.security");
    fs::write(
        &properties,
        "jdk.tls.keyLimits=AES/GCM/NoPadding KeyUpdate 2^18, ChaCha20-Poly1305 KeyUpdate 2^18\n",
    )?;
    terms.peer_arguments = vec![
        format!("-Djava.security.properties={}", properties.display()),
        "-Djavax.net.debug=ssl,handshake".to_owned(),
    ];
    terms.bytes = 1_000_000;
    let log = match terms.case.role {
        Role::Server => {
            let mut server = java::Server::start(&terms.server_options())?;
            let client = Client::new(&terms.setup())?;
            let mut connection = client.connect(server.port())?;
            // JSSE asks after every sixteenth piece, and calls it an error to be left without an answer: the last one asks nothing.
            for round in 0..60 {
                // An answer leaves with the next data, so there must be some: a piece only when the last one is back.
                let piece = Pattern::new(round).bytes(0, 16_384);
                connection.send(&piece)?;
                require(connection.read_exact(piece.len())? == piece, || format!("piece {round} differs"))?;
            }
            // Its keys are new as well where we ask for them; its limit is far.
            for round in 100..103 {
                connection.update_keys()?;
                let piece = Pattern::new(round).bytes(0, 100);
                connection.send(&piece)?;
                require(connection.read_exact(piece.len())? == piece, || format!("piece {round} differs"))?;
            }
            connection.close()?;
            connection.read_to_end()?;
            server.next_connection()?.succeeded()?;
            server.log()
        }
        Role::Client => {
            let server = Server::start(&terms.setup(), echo::service_for(Peer::Java))?;
            let (connections, log) = java::echo_with_log(&terms.client_options(server.port()))?;
            for connection in connections {
                connection.succeeded()?;
            }
            server.next_connection(Duration::from_secs(10))?.succeeded()?;
            log
        }
    };
    // It asks for an answer each time, and takes it.
    for message in ["Produced KeyUpdate post-handshake message", "Consuming KeyUpdate post-handshake message"]
    {
        require(log.contains(message), || format!("no {message:?} in {} bytes of log", log.len()))?;
    }
    Ok(())
}
