//! `serve`: secured connections to an echo, to a small page, or to somebody else.

mod accounts;
mod authenticated;
mod connection;
mod http;
mod limits;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use opensspi::sspi_core::{CredentialUse, SecPkgFlags};
use opensspi::{
    Builder, CertificateConfig, ClientAuth, Config, Effective, ExitClass, LogConfig, NtlmPolicy, Protocol,
    Renegotiation, Sspi, SuiteInfo, Warning,
};
use serde_json::json;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::Semaphore;
use tracing_subscriber::filter::LevelFilter;

use self::connection::{Counters, Logon, Mode, Service};
use crate::exit::Failure;
use crate::logging;
use crate::print::{Channel, Printer, Style, thousands};
use crate::self_signed::{KeyKind, SelfSigned};
use crate::settings::{Configuration, Settings, absolute, client_auth};

/// The arguments of `serve`.
#[derive(Debug, Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{}", crate::EXIT_CODES))]
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
    /// The address to listen on, or a name that stands for one; 0.0.0.0 or :: for all of them.
    #[arg(long, value_name = "HOST", default_value = "127.0.0.1")]
    bind: String,
    /// Whether clients are asked for certificates: none, optional or required.
    #[arg(long, value_name = "WHEN")]
    client_auth: Option<String>,
    /// The authorities of the clients' certificates, in PEM; several may be given.
    #[arg(long, value_name = "FILE")]
    client_ca: Vec<String>,
    /// Asks every client to negotiate again behind the first that it sends, or for new keys in TLS 1.3: an echo only. With
    /// --renegotiation both, unless ours is given.
    #[arg(long, conflicts_with_all = ["http", "forward"])]
    renegotiate: bool,
    /// The accounts of the clients' certificates: a file in TOML, read again when it changes. Prints who connected.
    #[arg(long, value_name = "FILE")]
    accounts: Option<String>,
    /// The authorities whose certificates may name users (NTAuth), in PEM; several may be given.
    #[arg(long, value_name = "FILE")]
    nt_auth: Vec<String>,
    /// Whether a client whose certificate is for no account is refused: off, optional or required [default: optional, with
    /// accounts].
    #[arg(long, value_name = "WHEN")]
    mapping: Option<String>,
    /// Weak mappings that are accepted, such as upn-without-sid or issuer-and-subject, with commas between them.
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    allow_weak_mappings: Vec<String>,
    /// The most connections at a time [default: as many as the limit of open files allows].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    max_connections: Option<u32>,
    #[command(flatten)]
    pub(crate) settings: Settings,
}

const EXAMPLES: &str = "\
Without --cert the certificate is made on the spot, kept in memory, and its SHA-256 printed, so that
clients can pin it. Where suites need an RSA key there is one with such a key, too.

Examples:
  opensspi serve                                        an echo on 127.0.0.1:4433
  opensspi serve --http --port 0                        a page, on a free port
  opensspi serve --cert server.pem --key env:SERVER_KEY --bind 0.0.0.0
  opensspi serve --http --profile windows-2003          TLS 1.0, SSL 3.0 and SSL 2.0
  opensspi serve --http --profile museum                all seven protocols on one port
  opensspi serve --http --package NTLM --config c.toml  plain HTTP; clients log on ([logon] says who may)
  opensspi serve --http --package NTLM --config c.toml --cert server.pem      the same inside TLS, bound to it
  opensspi serve --package Negotiate --config c.toml    whatever comes: SPNEGO, NTLM, or a hello of TLS
  opensspi serve --http --protocols ssl3 --allow export --record-splitting off
  opensspi serve --client-auth required --client-ca clients.pem
  opensspi serve --client-auth required --client-ca clients.pem --accounts accounts.toml
  opensspi serve --forward 127.0.0.1:5432               TLS in front of a service that has none

Ctrl-C closes every connection in order, and prints a summary.";

/// How long connections may take to close when the server ends.
const GOODBYE: Duration = Duration::from_secs(5);

impl Serve {
    pub(crate) fn run(&self, printer: &Printer, log: Option<LevelFilter>) -> Result<(), Failure> {
        let configuration = self.configuration(printer)?;
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

    /// The configuration, and the certificates that were made for it.
    fn configuration(&self, printer: &Printer) -> Result<(Configuration, Vec<SelfSigned>), Failure> {
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
        if self.renegotiate && schannel.renegotiation == Renegotiation::Off {
            schannel.renegotiation = Renegotiation::Both;
        }
        self.accounts(&mut configuration)?;
        let has_streams = self.has_streams(&mut configuration)?;
        let schannel = &mut configuration.config.schannel;
        let mut made = Vec::new();
        if has_streams && schannel.certificates.is_empty() {
            let effective = schannel.effective().map_err(|error| Failure::from(&error))?;
            let names = self.names();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            for kind in keys_for(&effective) {
                if kind == KeyKind::Rsa {
                    printer.line(Channel::Err, "making an RSA key of 2048 bits, since suites need one …");
                }
                let certificate = SelfSigned::new(&names, kind)?;
                let name = if kind == KeyKind::Rsa { "memory:rsa.pem" } else { "memory:ecdsa.pem" };
                configuration.files.push((name, certificate.pem.clone() + &certificate.key_pem));
                let own =
                    CertificateConfig { chain: name.to_owned(), key: name.to_owned(), send_root: false };
                configuration.config.schannel.certificates.push(own);
                made.push(certificate);
            }
        }
        Ok((configuration, made))
    }

    /// Whether Schannel may be spoken. An echo with Negotiate takes whatever comes, unless the configuration names packages: a
    /// service behind this one, or a page for those who log on, is not for whoever comes.
    fn has_streams(&self, configuration: &mut Configuration) -> Result<bool, Failure> {
        let Configuration { config, notes, .. } = configuration;
        let registry = Sspi::builder().build()?.registry().clone();
        let is_stream = |name: &str| {
            let package = registry.by_name(name);
            package.is_ok_and(|package| package.package_info().name == SCHANNEL)
        };
        if !config.package.eq_ignore_ascii_case(NEGOTIATE) {
            return Ok(is_stream(&config.package));
        }
        let is_open = config.negotiate.named_packages().next().is_none()
            && config.negotiate.ntlm != NtlmPolicy::Deny
            && matches!(self.mode(), Mode::Echo { .. });
        if is_open {
            let all = registry.enumerate_security_packages();
            let carried = all.into_iter().filter(|info| !info.oids.is_empty() && info.name != NEGOTIATE);
            let (last, first): (Vec<_>, Vec<_>) = carried.partition(|info| info.name == NTLM);
            let carried = first.into_iter().chain(last).map(|info| info.name.into_owned());
            config.negotiate.packages = core::iter::once(SCHANNEL.to_owned()).chain(carried).collect();
            notes.push(WHATEVER_COMES);
        }
        Ok(config.negotiate.named_packages().any(|(_, name)| is_stream(name)))
    }

    /// Whom a certificate that is made on the spot is for.
    fn names(&self) -> Vec<String> {
        let mut names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec();
        let is_any = self.bind.parse().is_ok_and(|ip: IpAddr| ip.is_unspecified());
        if !is_any && !names.contains(&self.bind) {
            names.push(self.bind.clone());
        }
        names
    }

    fn mode(&self) -> Mode {
        match &self.forward {
            Some(address) => Mode::Forward(address.clone()),
            None if self.http => Mode::Http,
            None => Mode::Echo { asks: self.renegotiate },
        }
    }

    async fn serve(
        &self,
        printer: &Printer,
        (configuration, made): (Configuration, Vec<SelfSigned>),
    ) -> Result<(), Failure> {
        for note in &configuration.notes {
            printer.line(Channel::Out, format_args!("note: {note}"));
        }
        let listener = self.listen().await?;
        let address = listener.local_addr().map_err(|error| Failure::network("cannot listen", &error))?;
        let tls = secured(&configuration).listener(address.to_string());
        let sspi = configuration.builder().listener(address.to_string()).build()?;
        // What is wrong with the configuration shows now, not with the first connection.
        sspi.acquire(CredentialUse::Inbound)?;
        // A page for a package that secures no streams is one that clients log on to.
        let logs_on = self.http && takes_tokens(&sspi);
        let layer = logs_on.then(|| sspi.http_layer()).transpose()?;
        // A certificate that nothing else has a use for puts TLS in front of it.
        let has_tls = logs_on && !is_stream(&sspi) && !sspi.config().schannel.certificates.is_empty();
        let tls = has_tls.then(|| tls.build()).transpose()?;
        if let Some(tls) = &tls {
            tls.acquire(CredentialUse::Inbound)?;
        }
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
        self.greet(printer, (&sspi, has_tls), address, &made, most);
        let is_plain = layer.is_some() && !has_tls;
        if let Some(Warning { setting, message }) = sspi.plain_http_warning().filter(|_| is_plain) {
            let mark = printer.styled(Channel::Err, Style::Yellow, "!");
            printer.line(Channel::Err, format_args!("{mark} {message} (setting: {setting})"));
        }

        let greeter = sspi.has_accounts().then_some(*printer);
        let logon = layer.map(|layer| Logon { layer, tls });
        let service = Arc::new(Service::new(sspi, self.mode(), greeter, logon));
        accept(&listener, &service, most).await;
        drop(listener);
        service.end(GOODBYE).await;
        farewell(printer, &service.counters);
        Ok(())
    }

    /// Listens on the first address of the host on which that can be done.
    async fn listen(&self) -> Result<TcpListener, Failure> {
        let host = self.bind.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(&self.bind);
        let found = tokio::net::lookup_host((host, self.port)).await;
        let addresses =
            found.map_err(|error| Failure::network(&format!("--bind {host}: no such host"), &error))?;
        let mut failure = Failure::new(ExitClass::Network, format!("--bind {host}: the name has no address"));
        for address in addresses {
            match Self::listen_on(address) {
                Ok(listener) => return Ok(listener),
                Err(why) => failure = why,
            }
        }
        Err(failure)
    }

    fn listen_on(address: SocketAddr) -> Result<TcpListener, Failure> {
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

    fn greet(
        &self,
        printer: &Printer,
        (sspi, has_tls): (&Sspi, bool),
        address: SocketAddr,
        made: &[SelfSigned],
        most: usize,
    ) {
        let pins: Vec<&str> = made.iter().map(|certificate| certificate.pin.as_str()).collect();
        let channel = Channel::Out;
        let mode = self.mode().name();
        printer.object(&json!({
            "event": "listening",
            "address": address.ip().to_string(),
            "port": address.port(),
            "mode": mode,
            "package": sspi.package_info().name,
            "certificate_sha256": pins.first(),
            "pins": pins,
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
        if has_tls {
            printer.field(channel, "TLS", "in front of the logon, which can be bound to its certificate");
        }
        for SelfSigned { kind, pin, .. } in made {
            let text = format!("self-signed, {}, SHA-256 {pin}", kind.describe());
            printer.field(channel, "certificate", text);
        }
        printer.line(channel, "try it with");
        for command in self.commands(sspi, has_tls, address, &pins) {
            printer.line(channel, format_args!("  {command}"));
        }
        printer.line(channel, "");
    }

    /// Commands of other tools, and of this one, that connect to what is served.
    fn commands(&self, sspi: &Sspi, has_tls: bool, address: SocketAddr, pins: &[&str]) -> Vec<String> {
        let host = match address.ip() {
            ip if ip.is_unspecified() || ip.is_loopback() => "localhost".to_owned(),
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => format!("[{ip}]"),
        };
        let port = address.port();
        let scheme = if has_tls { "https" } else { "http" };
        let page = format!("{scheme}://{host}:{port}/");
        let tokens =
            if takes_tokens(sspi) { self.commands_of_tokens(sspi, &host, port, &page) } else { Vec::new() };
        if !is_stream(sspi) {
            return tokens;
        }
        let trust: String = pins.iter().map(|pin| format!(" --pin sha256:{pin}")).collect();
        let policy = self.settings.policy_options();
        let mut commands = vec![format!("opensspi connect {host}:{port}{policy}{trust}")];
        let enabled = sspi.config().schannel.enabled().unwrap_or_default();
        let is_on = |protocol| enabled.iter().any(|(own, _)| *own == protocol);
        if is_on(Protocol::Tls13) || is_on(Protocol::Tls12) {
            commands.push(format!("openssl s_client -connect {host}:{port}"));
            if self.http {
                let insecure = if pins.is_empty() { "" } else { " --insecure" };
                commands.push(format!("curl{insecure} https://{host}:{port}/"));
            }
        }
        let old = [(Protocol::Tls11, "-tls1_1"), (Protocol::Tls10, "-tls1"), (Protocol::Ssl30, "-ssl3")];
        for (_, flag) in old.into_iter().filter(|(protocol, _)| is_on(*protocol)) {
            commands.push(format!("openssl s_client {flag} -cipher ALL:@SECLEVEL=0 -connect {host}:{port}"));
        }
        commands.extend(tokens);
        commands
    }

    /// Those that connect with a package that exchanges tokens.
    fn commands_of_tokens(&self, sspi: &Sspi, host: &str, port: u16, page: &str) -> Vec<String> {
        let package = &sspi.package_info().name;
        if !self.http {
            return vec![format!("opensspi connect {host}:{port} --package {package}")];
        }
        // Digest hashes the name as it is typed: a domain would be part of it.
        let (scheme, user) = match &**package {
            "NTLM" => (Some("ntlm"), "'DOMAIN\\NAME'"),
            "Negotiate" => (Some("negotiate"), "'DOMAIN\\NAME'"),
            "WDigest" => (Some("digest"), "NAME"),
            _ => (None, "NAME"),
        };
        let get = format!("opensspi get {page} --package {package} --user {user} --password env:PASSWORD");
        let curl = scheme.map(|scheme| format!("curl --{scheme} --user {user} {page}"));
        core::iter::once(get).chain(curl).collect()
    }
}

const SCHANNEL: &str = "Schannel";
const NEGOTIATE: &str = "Negotiate";
const NTLM: &str = "NTLM";
const WHATEVER_COMES: &str =
    "packages of [negotiate] names none: TLS is taken beside what logs on, from whoever comes with it";

/// Schannel with this configuration: what secures the connections of those who log on in HTTP.
fn secured(configuration: &Configuration) -> Builder {
    let config = Config { package: SCHANNEL.to_owned(), ..configuration.config.clone() };
    Sspi::builder().config(config).base(&configuration.base)
}

fn is_stream(sspi: &Sspi) -> bool {
    sspi.package_info().capabilities.is_stream()
}

/// Whether the package exchanges tokens; Negotiate may do that and be a stream as well.
fn takes_tokens(sspi: &Sspi) -> bool {
    let capabilities = sspi.package_info().capabilities;
    !is_stream(sspi) || capabilities.contains(SecPkgFlags::GSS_COMPATIBLE)
}

/// The kinds of keys that the suites need of a server: ECDSA where it does, RSA where some protocol or some client knows
/// nothing else.
fn keys_for(effective: &Effective) -> Vec<KeyKind> {
    let takes = |suite: &SuiteInfo, kind| suite.certificate().is_empty() || suite.certificate() == kind;
    let ecdsa =
        |protocol: &Protocol| effective.suites_of(*protocol).iter().any(|suite| takes(suite, "ECDSA"));
    let needs_rsa = effective.suites.iter().any(|suite| !suite.has_forward_secrecy())
        || !effective.protocols.iter().all(ecdsa);
    let has_ecdsa = effective.protocols.iter().any(ecdsa);
    [(KeyKind::Ecdsa, has_ecdsa), (KeyKind::Rsa, needs_rsa)]
        .into_iter()
        .filter_map(|(kind, is_needed)| is_needed.then_some(kind))
        .collect()
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
        "negotiated_again": totals.negotiated_again,
        "bytes_received": totals.received,
        "bytes_sent": totals.sent,
    }));
    let channel = Channel::Out;
    printer.line(channel, printer.styled(channel, Style::Bold, "summary"));
    printer.field(channel, "connections", thousands(totals.accepted));
    printer.field(channel, "completed", thousands(totals.completed));
    printer.field(channel, "refused", thousands(totals.refused));
    printer.field(channel, "cut off", thousands(totals.cut_off));
    if totals.negotiated_again > 0 {
        printer.field(channel, "again", format_args!("{} negotiated", thousands(totals.negotiated_again)));
    }
    printer.field(
        channel,
        "bytes",
        format_args!("{} received, {} sent", thousands(totals.received), thousands(totals.sent)),
    );
}
