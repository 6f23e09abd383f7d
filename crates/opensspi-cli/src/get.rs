//! `get`: a page, from a server that wants to know who asks for it.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use http::header::{ACCEPT, HOST, USER_AGENT};
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use opensspi::sspi_core::{
    AuthData, AuthIdentity, ChannelBindings, CredentialUse, QueryContextAttributes, Secret,
};
use opensspi::sspi_http::header::Place;
use opensspi::sspi_http::{self, Client, ResponseBody};
use opensspi::{Config, ExitClass, LogConfig, Sspi};
use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tracing_subscriber::filter::LevelFilter;

use crate::account::referred;
use crate::exit::Failure;
use crate::hints;
use crate::logging;
use crate::print::{Channel, Printer, Style};
use crate::settings::{Settings, absolute};

/// The arguments of `get`.
#[derive(Debug, Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{}", crate::EXIT_CODES))]
pub(crate) struct Get {
    /// What to fetch: a URL of http or https.
    url: String,
    /// Who logs on: NAME, DOMAIN\NAME or NAME@REALM; what the configuration says if nothing is said.
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// The password, by reference: env:NAME or file:PATH. It stands on no command line.
    #[arg(long, value_name = "REFERENCE", requires = "user")]
    password: Option<String>,
    /// The method [default: GET, with --data POST].
    #[arg(long, short = 'X', value_name = "METHOD")]
    method: Option<String>,
    /// Send this as the body.
    #[arg(long, short, value_name = "TEXT")]
    data: Option<String>,
    /// Another field of the request, such as "Accept: text/plain"; several may be given.
    #[arg(long, short = 'H', value_name = "NAME: VALUE")]
    header: Vec<String>,
    /// Print the status and the fields of the response, too.
    #[arg(long, short)]
    include: bool,
    /// Ask this proxy, and log on to it in place of the server (http only).
    #[arg(long, value_name = "HOST:PORT")]
    proxy: Option<String>,
    /// Trust the authorities in this file (PEM) in place of the system's; several may be given.
    #[arg(long, value_name = "FILE")]
    ca: Vec<String>,
    /// Trust the certificate with this SHA-256, whatever its name and issuer, and no other; several may be given.
    #[arg(long, value_name = "HEX", conflicts_with = "ca")]
    pin: Vec<String>,
    /// Refuse a server that does not prove that it knows the password: with Digest it may leave that out.
    #[arg(long)]
    require_server_proof: bool,
    /// Print nothing but what the server sends.
    #[arg(long, short)]
    quiet: bool,
    #[command(flatten)]
    pub(crate) settings: Settings,
}

const EXAMPLES: &str = r#"Examples:
  opensspi get http://intranet.example/ --package NTLM --user 'CORP\alice' --password env:PASSWORD
  opensspi get https://intranet.example/ --package NTLM --user alice@corp.example --password file:pw
  opensspi get https://intranet.example/ --config opensspi.toml      user and password stand there
  opensspi get http://www.example.com/ --proxy proxy.example:3128 --package NTLM --user …

stdout has what the server sends; a summary goes to stderr. Over https the logon is bound to the
certificate of the server, so that nobody in between can pass it on."#;

/// A URL, taken apart.
struct Target {
    is_https: bool,
    host: String,
    port: u16,
    /// As it stands in the request line.
    path: String,
    /// As it stands in the field `Host`.
    authority: String,
}

impl Target {
    fn parse(url: &str) -> Result<Self, Failure> {
        let wrong = |what: &str| Failure::usage(format!("{url:?}: {what}"));
        let uri: Uri = url.parse().map_err(|error| wrong(&format!("no URL: {error}")))?;
        let is_https = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(wrong("a URL begins with http:// or https://")),
        };
        let authority = uri.authority().ok_or_else(|| wrong("there is no host"))?;
        if authority.as_str().contains('@') {
            return Err(wrong("who logs on stands behind --user, and not in the URL"));
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = authority.port_u16().unwrap_or(if is_https { 443 } else { 80 });
        let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        Ok(Self { is_https, host, port, path, authority: authority.to_string() })
    }
}

impl Get {
    pub(crate) fn run(&self, printer: &Printer, log: Option<LevelFilter>) -> Result<(), Failure> {
        logging::start(printer, log.unwrap_or(LevelFilter::OFF), LogConfig::default());
        let target = Target::parse(&self.url)?;
        if target.is_https && self.proxy.is_some() {
            return Err(Failure::usage("--proxy is for http:// only: through a proxy, https takes CONNECT"));
        }
        let request = self.request(&target)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::network("the runtime cannot start", &error))?;
        runtime.block_on(self.fetch(printer, &target, request))
    }

    async fn fetch(
        &self,
        printer: &Printer,
        target: &Target,
        request: Request<Bytes>,
    ) -> Result<(), Failure> {
        let mut configuration = self.settings.configuration()?;
        let deadline = configuration.config.handshake_deadline;
        let schannel = &mut configuration.config.schannel;
        if !self.ca.is_empty() {
            schannel.roots = self.ca.iter().map(|path| absolute(path)).collect::<Result<_, _>>()?;
            schannel.pins.clear();
        }
        if !self.pin.is_empty() {
            schannel.pins.clone_from(&self.pin);
        }
        let tls = Sspi::builder()
            .config(Config { package: "Schannel".to_owned(), ..configuration.config.clone() })
            .base(&configuration.base);
        let logon = match configuration.config.package.as_str() {
            "Schannel" => None,
            _ => {
                let builder = Sspi::builder().config(configuration.config).base(&configuration.base);
                Some(builder.auth_data(self.identity()?).build()?)
            }
        };
        // What is wrong with the configuration shows before anybody is called.
        let scheme = logon.as_ref().map(|logon| logon.http_scheme(CredentialUse::Outbound)).transpose()?;
        let (host, port) = match self.proxy.as_deref() {
            None => (target.host.as_str(), target.port),
            Some(proxy) => proxy
                .rsplit_once(':')
                .and_then(|(host, port)| Some((host, port.parse().ok()?)))
                .ok_or_else(|| Failure::usage(format!("--proxy {proxy}: not HOST:PORT")))?,
        };
        let socket = within(deadline, async {
            let socket = TcpStream::connect((host, port)).await;
            socket.map_err(|error| Failure::network(&format!("cannot connect to {host}:{port}"), &error))
        })
        .await?;
        let _latency_only = socket.set_nodelay(true);
        let answers = logon.as_ref().map(Sspi::answers);
        let make = |sender, bindings: Option<ChannelBindings>| {
            let mut client = Client::new(sender, host, scheme);
            if let Some(answers) = answers {
                client = client.with_answers(answers);
            }
            if self.proxy.is_some() {
                client = client.to_proxy();
            }
            if self.require_server_proof {
                client = client.require_proof();
            }
            match bindings {
                Some(bindings) => client.with_channel_bindings(bindings),
                None => client,
            }
        };
        if target.is_https {
            let tls = tls.build()?;
            let stream = tls.connect(&target.host, socket).await;
            let stream = stream.map_err(|error| hints::with_options(error, tls.config()))?;
            let bindings = stream.attributes().endpoint_bindings().ok();
            self.ask(printer, (target, request), stream, |sender| make(sender, bindings)).await
        } else {
            self.ask(printer, (target, request), socket, |sender| make(sender, None)).await
        }
    }

    /// Sends the request, and prints what comes back.
    async fn ask<S>(
        &self,
        printer: &Printer,
        (target, request): (&Target, Request<Bytes>),
        stream: S,
        client: impl FnOnce(hyper::client::conn::http1::SendRequest<http_body_util::Full<Bytes>>) -> Client,
    ) -> Result<(), Failure>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let http =
            |error: hyper::Error| Failure::new(ExitClass::Network, format!("the connection failed: {error}"));
        let (sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(http)?;
        tokio::spawn(connection);
        let mut client = client(sender);
        let response = client.send(request).await.map_err(|error| self.explain(error))?;
        let known = client.authenticated().map(|(scheme, attributes)| (scheme, Arc::clone(attributes)));
        self.say(
            printer,
            target,
            &response,
            known.as_ref().map(|(scheme, attributes)| (*scheme, attributes.as_ref())),
        );
        let asking = match response.status() {
            StatusCode::UNAUTHORIZED => Some((Place::Server, "server")),
            StatusCode::PROXY_AUTHENTICATION_REQUIRED => Some((Place::Proxy, "proxy")),
            _ => None,
        };
        let asking =
            asking.map(|(place, who)| (sspi_http::header::challenges(response.headers(), place), who));
        self.print(response).await?;
        let Some((offered, who)) = asking else { return Ok(()) };
        let offered: Vec<String> = offered.into_iter().map(|challenge| challenge.scheme).collect();
        let what = opensspi::harmless_message(&offered.join(", "));
        let text =
            format!("the {who} wants to know who asks, and offers {what}: --package chooses one of them");
        Err(Failure::new(ExitClass::Policy, text))
    }

    /// Status and fields where they are asked for, and the body.
    async fn print(&self, response: Response<ResponseBody<Incoming>>) -> Result<(), Failure> {
        let told = |error: &std::io::Error| Failure::network("stdout", error);
        let mut out = std::io::stdout().lock();
        if self.include {
            write!(out, "{:?} {}\r\n", response.version(), response.status()).map_err(|e| told(&e))?;
            for (name, value) in response.headers() {
                let value = opensspi::harmless_bytes(value.as_bytes());
                write!(out, "{name}: {value}\r\n").map_err(|e| told(&e))?;
            }
            write!(out, "\r\n").map_err(|e| told(&e))?;
        }
        let mut body = std::pin::pin!(response.into_body());
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| {
                let error = opensspi::harmless_message(&error.to_string());
                Failure::new(ExitClass::Network, format!("the response broke off: {error}"))
            })?;
            if let Ok(data) = frame.into_data() {
                out.write_all(&data).map_err(|e| told(&e))?;
            }
        }
        out.flush().map_err(|e| told(&e))
    }

    /// What came of it.
    fn say(
        &self,
        printer: &Printer,
        target: &Target,
        response: &Response<ResponseBody<Incoming>>,
        known: Option<(&str, &dyn QueryContextAttributes)>,
    ) {
        if self.quiet {
            return;
        }
        let names = known.and_then(|(_, attributes)| attributes.names().ok());
        let names = names.map(|names| opensspi::harmless(&names));
        let channel = Channel::Err;
        let scheme = known.map(|(scheme, _)| scheme);
        printer.object(&json!({
            "event": "response",
            "url": self.url,
            "status": response.status().as_u16(),
            "scheme": scheme,
            "user": names,
        }));
        let status = printer.styled(channel, Style::Bold, response.status());
        printer.line(channel, format_args!("{}: {status}", target.authority));
        let who = match (scheme, names) {
            (Some(scheme), Some(names)) => format!("{names}, with {scheme}"),
            (Some(scheme), None) => format!("with {scheme}"),
            (None, _) => "nobody: the server did not ask".to_owned(),
        };
        printer.field(channel, "logged on", who);
    }

    fn request(&self, target: &Target) -> Result<Request<Bytes>, Failure> {
        let default = if self.data.is_some() { "POST" } else { "GET" };
        let method = self.method.as_deref().unwrap_or(default);
        let wrong = |what: String| Failure::usage(what);
        let method: Method = method.parse().map_err(|_| wrong(format!("{method:?} is no method")))?;
        let mut request = Request::new(Bytes::from(self.data.clone().unwrap_or_default()));
        *request.method_mut() = method;
        // A proxy is told where to.
        let uri = if self.proxy.is_some() { self.url.clone() } else { target.path.clone() };
        *request.uri_mut() = uri.parse().map_err(|_| wrong(format!("{uri:?} is no target")))?;
        let headers = request.headers_mut();
        let host =
            HeaderValue::from_str(&target.authority).map_err(|_| wrong("the host is no text".to_owned()))?;
        headers.insert(HOST, host);
        headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
        headers.insert(USER_AGENT, HeaderValue::from_static(concat!("opensspi/", env!("CARGO_PKG_VERSION"))));
        for field in &self.header {
            let parse = || {
                let (name, value) = field.split_once(':')?;
                let name: HeaderName = name.trim().parse().ok()?;
                Some((name, HeaderValue::from_str(value.trim()).ok()?))
            };
            let (name, value) =
                parse().ok_or_else(|| wrong(format!("--header {field:?}: not NAME: VALUE")))?;
            headers.insert(name, value);
        }
        Ok(request)
    }

    /// Who logs on.
    fn identity(&self) -> Result<AuthData, Failure> {
        let Some(user) = &self.user else { return Ok(AuthData::default()) };
        let reference = self
            .password
            .as_deref()
            .ok_or_else(|| Failure::usage("--user takes a --password env:NAME or file:PATH"))?;
        let password = Secret::new(referred(reference)?.to_string());
        let (domain, user) = user.split_once('\\').unwrap_or(("", user));
        Ok(AuthData::Identity(AuthIdentity { user: user.to_owned(), domain: domain.to_owned(), password }))
    }

    fn explain(&self, error: sspi_http::Error) -> Failure {
        match error {
            sspi_http::Error::Security(error) => Failure::from(&error),
            sspi_http::Error::Http(error) => {
                Failure::new(ExitClass::Network, format!("the connection failed: {error}"))
            }
            sspi_http::Error::Refused { ref reason, .. } => {
                let mut failure =
                    Failure::new(ExitClass::Policy, opensspi::harmless_message(&error.to_string()));
                failure.status = reason.as_ref().map(|reason| reason.status().to_string());
                failure.setting = reason.as_ref().and_then(|reason| reason.setting()).map(str::to_owned);
                failure
            }
            sspi_http::Error::NoSchemeInCommon { .. } => {
                let text = format!("{error}; --package chooses another one");
                let mut failure = Failure::protocol(opensspi::harmless_message(&text));
                failure.setting = Some("package".to_owned());
                failure
            }
            other => Failure::protocol(opensspi::harmless_message(&other.to_string())),
        }
    }
}

async fn within<T>(
    deadline: Option<Duration>,
    doing: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    match deadline {
        None => doing.await,
        Some(limit) => tokio::time::timeout(limit, doing).await.unwrap_or_else(|_| {
            Err(Failure::new(ExitClass::Network, format!("there was no answer within {limit:?}")))
        }),
    }
}
