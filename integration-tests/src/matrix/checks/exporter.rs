//! Both ends export the same keying material.

use std::time::Duration;

use super::super::meeting::{Terms, require};
use super::super::{Case, CaseError, Role};
use super::nobody;
use crate::ours::{Client, EXPORTER_LABEL, EXPORTER_LENGTH, Server, Service};
use crate::peers::{Peer, Process, gnutls, openssl};

pub(super) fn run(case: Case) -> Result<(), CaseError> {
    let mut terms = Terms::new(case);
    terms.peer_arguments = match case.peer {
        Peer::OpenSsl => {
            let length = EXPORTER_LENGTH.to_string();
            ["-keymatexport", EXPORTER_LABEL, "-keymatexportlen", &length].map(str::to_owned).to_vec()
        }
        Peer::GnuTls => {
            vec![format!("--keymatexport={EXPORTER_LABEL}"), format!("--keymatexportsize={EXPORTER_LENGTH}")]
        }
        _ => return nobody(case),
    };
    match case.role {
        Role::Server => peer_serves(&terms),
        Role::Client => peer_connects(&terms),
    }
}

fn peer_serves(terms: &Terms) -> Result<(), CaseError> {
    let options = terms.server_options();
    let client = Client::new(&terms.setup())?;
    if terms.case.peer == Peer::OpenSsl {
        let mut server = openssl::Server::start(&options, openssl::Mode::Report)?;
        compare(&client, server.port(), &mut server)
    } else {
        let mut server = gnutls::Server::start(&options, gnutls::Mode::Echo)?;
        compare(&client, server.port(), &mut server)
    }
}

fn compare(client: &Client, port: u16, server: &mut Process) -> Result<(), CaseError> {
    let mut connection = client.connect(port)?;
    connection.send(b"a line\n")?;
    let exported = connection.report().exported.clone();
    printed(&exported, |expected| {
        server.wait_until(|log| log.to_lowercase().contains(expected))?;
        Ok(())
    })
}

fn peer_connects(terms: &Terms) -> Result<(), CaseError> {
    let server = Server::start(&terms.setup(), Service::Echo)?;
    let options = terms.client_options(server.port());
    let log = if terms.case.peer == Peer::OpenSsl {
        let mut client = openssl::Client::start(&options, openssl::Mode::Report)?;
        client.report()?;
        client.wait_for("Keying material: ")?;
        client.send(b"Q\n")?;
        client.wait()?;
        client.log()
    } else {
        let mut client = gnutls::Client::start(&options)?;
        client.send(b"a line\n")?;
        client.read_exact(7)?;
        client.finish()?;
        client.log_file()
    };
    let report = server.next_connection(Duration::from_secs(10))?;
    printed(&report.exported, |expected| {
        require(log.to_lowercase().contains(expected), || format!("ours is {expected}\n{log}"))
    })
}

fn printed(
    exported: &Option<String>,
    check: impl FnOnce(&str) -> Result<(), CaseError>,
) -> Result<(), CaseError> {
    match exported {
        Some(exported) => check(exported),
        None => Err(CaseError::new("our end exported nothing")),
    }
}
