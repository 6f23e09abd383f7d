//! A peer and our end, brought together: the same terms, whichever of the two serves.

use std::time::Duration;

use test_support::{Crl, Pki, TestCertificate};

use super::{Case, CaseError, Role};
use crate::echo::{self, EchoServer};
use crate::ours::{self, Client, Report, Server, Setup};
use crate::peers::{ClientOptions, Negotiated, Peer, ServerOptions, Service};
use crate::{Content, Pattern};

/// Whether the server asks for a client certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asks {
    No,
    Optionally,
    Insistently,
}

/// On what terms both ends meet.
#[derive(Clone, Debug)]
pub(super) struct Terms {
    pub(super) case: Case,
    /// What both ends trust.
    pub(super) pki: Pki,
    pub(super) server: TestCertificate,
    pub(super) client: Option<TestCertificate>,
    pub(super) asks: Asks,
    /// Our server does not say whom it trusts.
    pub(super) without_ca_list: bool,
    pub(super) server_alpn: &'static [&'static str],
    pub(super) client_alpn: &'static [&'static str],
    pub(super) tickets: bool,
    pub(super) connections: usize,
    pub(super) bytes: u64,
    /// What our end is given to judge the peer by.
    pub(super) crl: Option<Crl>,
    /// Our end insists on knowing that the peer's certificate is not revoked.
    pub(super) revocation_required: bool,
    /// What the server staples.
    pub(super) staple: Option<Vec<u8>>,
    /// More arguments of the peer's command line.
    pub(super) peer_arguments: Vec<String>,
}

/// What came of it.
pub(super) struct Met {
    pub(super) ours: Vec<Report>,
    /// Empty for a server that does not tell.
    pub(super) peer: Vec<Negotiated>,
    server: Option<Box<dyn EchoServer>>,
}

impl Terms {
    pub(super) fn new(case: Case) -> Self {
        let pki = Pki::new();
        Self {
            case,
            server: pki.server("localhost").issue(),
            pki,
            client: None,
            asks: Asks::No,
            without_ca_list: false,
            server_alpn: &[],
            client_alpn: &[],
            tickets: true,
            connections: 1,
            bytes: 3000,
            crl: None,
            revocation_required: false,
            staple: None,
            peer_arguments: Vec::new(),
        }
    }

    /// The same, with a peer that prints the alerts that it gets.
    pub(super) fn loud(mut self) -> Self {
        if self.case.peer == Peer::GnuTls && self.case.role == Role::Server {
            self.peer_arguments.push("--debug=5".to_owned());
        }
        self
    }

    /// What the peer is started with where it serves.
    pub(super) fn server_options(&self) -> ServerOptions {
        let mut options = ServerOptions::new(&self.server).version(self.case.version).alpn(self.server_alpn);
        options = match self.asks {
            Asks::No => options,
            Asks::Optionally => options.request_client_certificate(&self.pki),
            Asks::Insistently => options.require_client_certificate(&self.pki),
        };
        if !self.tickets {
            options = options.without_tickets();
        }
        if let Some(der) = &self.staple {
            options = options.ocsp_response(der.clone());
        }
        self.peer_arguments.iter().fold(options, ServerOptions::argument)
    }

    /// What the peer is started with where it connects.
    pub(super) fn client_options(&self, port: u16) -> ClientOptions {
        let mut options = ClientOptions::new(port, &self.pki)
            .version(self.case.version)
            .alpn(self.client_alpn)
            .rounds(self.connections)
            .bytes(self.bytes);
        if let Some(certificate) = &self.client {
            options = options.certificate(certificate);
        }
        if !self.tickets {
            options = options.without_tickets();
        }
        self.peer_arguments.iter().fold(options, ClientOptions::argument)
    }

    /// What our end is started with.
    pub(super) fn setup(&self) -> Setup {
        let mut setup = match self.case.role {
            Role::Server => self.client_setup(),
            Role::Client => self.server_setup(),
        };
        setup = setup.version(self.case.version);
        if let Some(crl) = &self.crl {
            setup = setup.crl(crl);
        }
        if self.revocation_required {
            setup = setup.revocation_required();
        }
        setup
    }

    fn client_setup(&self) -> Setup {
        let setup = Setup::client(&self.pki).alpn(self.client_alpn);
        self.client.iter().fold(setup, Setup::certificate)
    }

    fn server_setup(&self) -> Setup {
        let mut setup = Setup::server(&self.server).alpn(self.server_alpn);
        setup = match self.asks {
            Asks::No => setup,
            Asks::Optionally => setup.request_client_certificate(&self.pki),
            Asks::Insistently => setup.require_client_certificate(&self.pki),
        };
        if self.without_ca_list {
            setup = setup.without_ca_list();
        }
        if !self.tickets {
            setup = setup.without_tickets();
        }
        if let Some(der) = &self.staple {
            setup = setup.ocsp_response(der.clone());
        }
        setup
    }

    fn content(&self, text: bool) -> Content {
        let content = Pattern::new(1).content(self.bytes);
        if text { content.as_lines() } else { content }
    }

    /// Brings both ends together: an echo of so many bytes in each connection.
    pub(super) fn meet(&self) -> Result<Met, CaseError> {
        match self.case.role {
            Role::Server => self.connect_to_peer(),
            Role::Client => self.serve_peer(),
        }
    }

    fn connect_to_peer(&self) -> Result<Met, CaseError> {
        let mut server = echo::serve(self.case.peer, &self.server_options())?;
        let client = Client::new(&self.setup())?;
        let content = self.content(server.service(self.bytes)? == Service::Lines);
        let mut met = Met { ours: Vec::new(), peer: Vec::new(), server: None };
        for _ in 0..self.connections {
            let mut report = client.echo(server.port(), content);
            met.peer.extend(server.next_connection()?);
            let failed = report.failure.is_some();
            if let Some(error) = &mut report.negotiated.error {
                // For whoever reads why a case failed.
                error.push('\n');
                error.push_str(&server.process().log());
            }
            met.ours.push(report);
            if failed {
                break;
            }
        }
        Ok(Met { server: Some(server), ..met })
    }

    fn serve_peer(&self) -> Result<Met, CaseError> {
        let server = Server::start(&self.setup(), echo::service_for(self.case.peer))?;
        let options = self.client_options(server.port());
        let peer = echo::connect(self.case.peer, &options)?;
        let patience = Duration::from_secs(10);
        let ours = peer.iter().map(|_| server.next_connection(patience)).collect::<Result<_, _>>();
        let ours: Vec<Report> = ours.map_err(|failure: ours::Failure| {
            let log = peer.iter().filter_map(|connection| connection.error.as_deref()).collect::<Vec<_>>();
            CaseError::new(format!("{failure}\n{}", log.join("\n")))
        })?;
        Ok(Met { ours, peer, server: None })
    }
}

impl Met {
    /// Every connection went well at both ends, in the version that was asked for, and every byte arrived.
    pub(super) fn succeeded(self, terms: &Terms) -> Result<Self, CaseError> {
        let ends = self.peer.iter().chain(self.ours.iter().map(|report| &report.negotiated));
        for end in ends {
            if let Some(error) = &end.error {
                return Err(CaseError::new(error.clone()));
            }
            require(end.version == terms.case.version.name(), || {
                format!("the version is {:?}: {end:?}", end.version)
            })?;
        }
        require(self.ours.len() == terms.connections, || {
            format!("{} connections of {}", self.ours.len(), terms.connections)
        })?;
        let last = self.ours.last().map_or(0, |report| report.negotiated.bytes);
        let silent = terms.case.peer == Peer::Curl && terms.connections > 1;
        require(silent || last + 64 > terms.bytes, || format!("{last} bytes of {}", terms.bytes))?;
        Ok(self)
    }

    /// The peer met this alert of ours.
    pub(super) fn peer_heard(&mut self, alerts: &[u8]) -> Result<(), CaseError> {
        let told: String = self.peer.iter().filter_map(|peer| peer.error.as_deref()).collect();
        let names: Vec<String> = alerts.iter().flat_map(|&alert| names(alert)).collect();
        let heard = |text: &str| {
            let text = text.to_lowercase().replace('_', " ");
            names.iter().any(|name| text.contains(name.as_str()))
        };
        if heard(&told) {
            return Ok(());
        }
        let Some(server) = &mut self.server else {
            return Err(CaseError::new(format!("the peer did not hear alert {alerts:?}: {told}")));
        };
        server.process().wait_until(heard)?;
        Ok(())
    }
}

/// How peers print an alert, in lower case.
fn names(alert: u8) -> Vec<String> {
    let words: &[&str] = match alert {
        40 => &["handshake failure", "handshake failed"],
        42 => &["bad certificate", "certificate is bad"],
        44 => &["certificate revoked", "certificate was revoked"],
        45 => &["certificate expired", "certificate was expired", "certificate has expired"],
        48 => &["unknown ca", "ca is unknown"],
        116 => &["certificate required", "certificate is required"],
        _ => &[],
    };
    let alert_words = words.iter().map(|&words| words.to_owned());
    let numbers = [format!("alert number {alert}"), format!("alert [{alert}]"), format!("alert[2|{alert}]")];
    alert_words.chain(numbers).collect()
}

/// An error unless the condition holds.
pub(super) fn require(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), CaseError> {
    if holds { Ok(()) } else { Err(CaseError::new(otherwise())) }
}
