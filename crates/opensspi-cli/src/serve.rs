//! `serve`: secured connections to an echo, to a small page, or to somebody else.

mod connection;
mod http;
mod limits;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use opensspi::sspi_core::CredentialUse;
use opensspi::{ClientAuth, LogConfig, Protocol, Sspi};
use serde_json::json;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::Semaphore;
use tracing_subscriber::filter::LevelFilter;

use self::connection::{Counters, Mode, Service};
use crate::exit::Failure;
use crate::logging;
use crate::print::{Channel, Printer, Style, thousands};
use crate::self_signed::SelfSigned;
use crate::settings::{Configuration, Settings, absolute, client_auth};

/// The arguments of `serve`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Serve {
    /// Send every byte back until the client closes its side (the default).
    #[arg(long, group = "mode")]
    echo: bool,
    /// Answer every GET with one page that says what was negotiated, and close.
    #[arg(long, group = "mode")]
    http: bool,
    /// Pass every connection on, in clear, to this address.
    #[arg(long, group = "mode", value_name = "HOST:PORT")]
    forward: Option<String>,
    /// The port; 0 takes a free one, and prints it.
    #[arg(long, value_name = "N", default_value_t = 4433)]
    port: u16,
    /// The address to listen on.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    bind: IpAddr,
    /// Whether clients are asked for certificates: none, optional or required.
    #[arg(long, value_name = "WHEN")]
    client_auth: Option<String>,
    /// The authorities of the clients' certificates, in PEM; several may be given.
    #[arg(long, value_name = "FILE")]
    client_ca: Vec<String>,
    /// The most connections at a time [default: as many as the limit of open files allows].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    max_connections: Option<u32>,
    #[command(flatten)]
    settings: Settings,
}

const EXAMPLES: &str = "\
Without --cert the certificate is made on the spot, kept in memory, and its SHA-256 printed, so that clients can pin it.

Examples:
  opensspi serve                                        an echo on 127.0.0.1:4433
  opensspi serve --http --port 0                        a page, on a free port
  opensspi serve --cert server.pem --key env:SERVER_KEY --bind 0.0.0.0
  opensspi serve --client-auth required --client-ca clients.pem
  opensspi serve --forward 127.0.0.1:5432               TLS in front of a service that has none

Ctrl-C closes every connection in order, and prints a summary.";

/// How long connections may take to close when the server ends.
const GOODBYE: Duration = Duration::from_secs(5);

impl Serve {
    pub(crate) fn run(&self, printer: &Printer, log: Option<LevelFilter>) -> Result<(), Failure> {
        let configuration = self.configuration()?;
        let has_file = self.settings.config.is_some();
        let log_config = configuration.0.config.log;
        let level = log.unwrap_or(if has_file { logging::level(log_config) } else { LevelFilter::INFO });
        logging::start(printer, level, if has_file { log_config } else { LogConfig::default() });
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::network("the runtime cannot start", &error))?;
        let result = runtime.block_on(self.serve(printer, configuration));
        runtime.shutdown_background();
        result
    }

    /// The configuration, and the SHA-256 of the certificate that was made for it, if one was.
    fn configuration(&self) -> Result<(Configuration, Option<String>), Failure> {
        let mut configuration = self.settings.configuration()?;
        let schannel = &mut configuration.config.schannel;
        match self.client_auth.as_deref() {
            Some(mode) => schannel.client_auth = client_auth(mode)?,
            None if !self.client_ca.is_empty() => schannel.client_auth = ClientAuth::Required,
            None => {}
        }
        if !self.client_ca.is_empty() {
            schannel.client_roots =
                self.client_ca.iter().map(|path| absolute(path)).collect::<Result<_, _>>()?;
        }
        let enabled = schannel.enabled().map_err(|error| Failure::from(&error))?;
        let mut pin = None;
        if schannel.certificates.is_empty() {
            let made_is_enough = |suite: &str| suite.contains("ECDHE_ECDSA") || !suite.contains("_WITH_");
            let without =
                enabled.iter().find(|(_, suites)| !suites.iter().any(|suite| made_is_enough(suite)));
            if let Some((protocol, _)) = without {
                return Err(Failure::usage(format!(
                    "{} needs a certificate with an RSA key here, and the one that is made on the spot has an ECDSA key; \
                     give one with --cert and --key: openssl req -x509 -newkey rsa:2048 -nodes -keyout server.pem \
                     -out server.pem -subj /CN=localhost -addext subjectAltName=DNS:localhost",
                    protocol.name()
                )));
            }
            let bound = self.bind.to_string();
            let mut names = vec!["localhost", "127.0.0.1", "::1"];
            if !self.bind.is_unspecified() && !names.contains(&bound.as_str()) {
                names.push(&bound);
            }
            let certificate = SelfSigned::new(&names)?;
            pin = Some(certificate.pin);
            configuration.certificate = Some(certificate.identity);
        }
        Ok((configuration, pin))
    }

    fn mode(&self) -> Mode {
        match &self.forward {
            Some(address) => Mode::Forward(address.clone()),
            None if self.http => Mode::Http,
            None => Mode::Echo,
        }
    }

    async fn serve(
        &self,
        printer: &Printer,
        (configuration, pin): (Configuration, Option<String>),
    ) -> Result<(), Failure> {
        for note in &configuration.notes {
            printer.line(Channel::Out, format_args!("note: {note}"));
        }
        let sspi = configuration.build()?;
        // What is wrong with the configuration shows now, not with the first connection.
        sspi.acquire(CredentialUse::Inbound)?;
        let limit = limits::raise_open_files();
        let allowed = limits::connections(limit, &self.mode());
        let wanted = self.max_connections.and_then(|most| usize::try_from(most).ok());
        let most = wanted.map_or(allowed, |wanted| wanted.min(allowed));
        if wanted.is_some_and(|wanted| wanted > allowed) {
            tracing::warn!(
                allowed,
                "the limit of open files (ulimit -n) allows fewer connections than --max-connections"
            );
        }
        let listener = self.listen()?;
        let address = listener.local_addr().map_err(|error| Failure::network("cannot listen", &error))?;
        self.greet(printer, &sspi, address, pin.as_deref(), most);

        let service = Arc::new(Service::new(sspi, self.mode()));
        accept(&listener, &service, most).await;
        drop(listener);
        service.end(GOODBYE).await;
        farewell(printer, &service.counters);
        Ok(())
    }

    fn listen(&self) -> Result<TcpListener, Failure> {
        let address = SocketAddr::new(self.bind, self.port);
        let listen = || {
            let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
            #[cfg(unix)]
            socket.set_reuseaddr(true)?;
            socket.bind(address)?;
            // Room for a burst of connections; the system has the last word.
            socket.listen(4096)
        };
        listen().map_err(|error| Failure::network(&format!("cannot listen on {address}"), &error))
    }

    fn greet(&self, printer: &Printer, sspi: &Sspi, address: SocketAddr, pin: Option<&str>, most: usize) {
        let channel = Channel::Out;
        let mode = self.mode().name();
        printer.object(&json!({
            "event": "listening",
            "address": address.ip().to_string(),
            "port": address.port(),
            "mode": mode,
            "package": sspi.package_info().name,
            "certificate_sha256": pin,
            "max_connections": most,
        }));
        let bold = printer.styled(channel, Style::Bold, address);
        printer.line(
            channel,
            format_args!(
                "listening on {bold} ({mode}, {}, at most {} connections)",
                sspi.package_info().name,
                thousands(u64::try_from(most).unwrap_or(u64::MAX))
            ),
        );
        printer.field(channel, "port", address.port());
        if let Some(pin) = pin {
            printer.field(channel, "certificate", format_args!("self-signed, SHA-256 {pin}"));
        }
        printer.line(channel, "try it with");
        for command in self.commands(sspi, address, pin) {
            printer.line(channel, format_args!("  {command}"));
        }
        printer.line(channel, "");
    }

    /// Commands of other tools, and of this one, that connect to what is served.
    fn commands(&self, sspi: &Sspi, address: SocketAddr, pin: Option<&str>) -> Vec<String> {
        let host = match address.ip() {
            ip if ip.is_unspecified() || ip.is_loopback() => "localhost".to_owned(),
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => format!("[{ip}]"),
        };
        let port = address.port();
        let trust = pin.map(|pin| format!(" --pin {pin}")).unwrap_or_default();
        let mut commands = vec![format!("opensspi connect {host}:{port}{trust}")];
        commands.push(format!("openssl s_client -connect {host}:{port}"));
        let enabled = sspi.config().schannel.enabled().unwrap_or_default();
        for (protocol, flag) in
            [(Protocol::Tls11, "-tls1_1"), (Protocol::Tls10, "-tls1"), (Protocol::Ssl30, "-ssl3")]
        {
            if enabled.iter().any(|(own, _)| *own == protocol) {
                commands
                    .push(format!("openssl s_client {flag} -cipher ALL:@SECLEVEL=0 -connect {host}:{port}"));
            }
        }
        if self.http {
            let insecure = if pin.is_some() { " --insecure" } else { "" };
            commands.push(format!("curl{insecure} https://{host}:{port}/"));
        }
        commands
    }
}

/// Accepts connections until somebody wants the server to end.
async fn accept(listener: &TcpListener, service: &Arc<Service>, most: usize) {
    let slots = Arc::new(Semaphore::new(most));
    let accepting = async {
        loop {
            let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { return };
            match listener.accept().await {
                Ok((socket, peer)) => {
                    let service = Arc::clone(service);
                    tokio::spawn(async move {
                        service.connection(socket, peer).await;
                        drop(slot);
                    });
                }
                Err(error) => {
                    // The peer has gone already, or there are no file descriptors left: neither lasts.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    };
    tokio::select! {
        () = accepting => {}
        () = interrupted() => {}
    }
}

/// Waits for Ctrl-C, or for a service manager's request to end.
async fn interrupted() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    let _either_way = tokio::signal::ctrl_c().await;
}

fn farewell(printer: &Printer, counters: &Counters) {
    let totals = counters.totals();
    printer.object(&json!({
        "event": "summary",
        "connections": totals.accepted,
        "completed": totals.completed,
        "refused": totals.refused,
        "cut_off": totals.cut_off,
        "bytes_received": totals.received,
        "bytes_sent": totals.sent,
    }));
    let channel = Channel::Out;
    printer.line(channel, printer.styled(channel, Style::Bold, "summary"));
    printer.field(channel, "connections", thousands(totals.accepted));
    printer.field(channel, "completed", thousands(totals.completed));
    printer.field(channel, "refused", thousands(totals.refused));
    printer.field(channel, "cut off", thousands(totals.cut_off));
    printer.field(
        channel,
        "bytes",
        format_args!("{} received, {} sent", thousands(totals.received), thousands(totals.sent)),
    );
}
