//! What the two ends of the demo are configured with: what the configuration says, and what a demo has to add.

use std::path::Path;
use std::sync::Arc;

use opensspi::sspi_core::{CertificateIdentity, CredentialUse};
use opensspi::{
    CertificateConfig, CertificateSummary, ClientAuth, ClientCertificate, Config, Materials, Protocol,
    SchannelConfig, Sspi, SystemMaterials, harmless_message,
};

use crate::exit::Failure;
use crate::memory::InMemory;
use crate::print::hex;
use crate::self_signed::{KeyKind, SelfSigned};
use crate::settings::Configuration;

/// Whom a certificate is for that the demo makes.
const NAME: &str = "localhost";
/// Whom the client's certificate is for.
const CLIENT_NAME: &str = "opensspi-demo-client";
/// What is offered where the configuration names no application protocol.
const ALPN: &str = "opensspi-demo";
/// How the server's configuration names the client's certificate, which is in memory.
const CLIENT_ROOT: &str = "memory:client.pem";

/// One thing to show.
#[derive(Clone, Copy, Debug)]
pub(super) struct Show {
    pub(super) protocol: Protocol,
    /// The only suite that is enabled; `None`: all that are configured.
    pub(super) suite: Option<&'static str>,
}

/// A protocol with its suites.
type Enabled = (Protocol, Vec<&'static str>);

/// Whether some protocol has no suite that a certificate made on the spot, which has an ECDSA key, would do for.
fn needs_old_keys(enabled: &[Enabled]) -> bool {
    let ecdsa = |suite: &str| suite.contains("ECDHE_ECDSA") || !suite.contains("_WITH_");
    enabled.iter().any(|(_, suites)| !suites.iter().any(|suite| ecdsa(suite)))
}

/// Keys that everybody has: see `demo-keys/README.md`.
const RSA: &str = "memory:rsa.pem";
const RSA_PEM: &str = include_str!("../../demo-keys/rsa.pem");
const RSA_DER: &[u8] = include_bytes!("../../demo-keys/rsa.der");
const DSA: &str = "memory:dsa.pem";
const DSA_PEM: &str = include_str!("../../demo-keys/dsa.pem");

const DSA_DER: &[u8] = include_bytes!("../../demo-keys/dsa.der");

/// Both ends, for every protocol.
pub(super) struct Plan {
    /// What a reader should know about how the configuration is used.
    pub(super) notes: Vec<String>,
    /// The name that the client asks for.
    pub(super) name: String,
    server: Side,
    client: Side,
    /// Whether one server on one port speaks all protocols, each with a client of its own.
    pub(super) one_port: bool,
    /// The client's certificate, where the server asks for one.
    pub(super) client_certificate: Option<CertificateIdentity>,
}

/// One end.
struct Side {
    config: Config,
    materials: Arc<dyn Materials>,
    certificate: Option<CertificateIdentity>,
}

impl Side {
    fn build(&self, show: Option<Show>, certificate: Option<&CertificateIdentity>) -> Result<Sspi, Failure> {
        let mut config = self.config.clone();
        if let Some(Show { protocol, suite }) = show {
            config.schannel.protocols = vec![protocol];
            config.schannel.suites.extend(suite.map(str::to_owned));
        }
        let builder = Sspi::builder().config(config).materials(Arc::clone(&self.materials));
        Ok(match certificate.or(self.certificate.as_ref()) {
            Some(certificate) => builder.certificate(certificate.clone()).build()?,
            None => builder.build()?,
        })
    }
}

impl Plan {
    /// From what is configured.
    ///
    /// # Errors
    /// Something that it names cannot be used.
    pub(super) fn new(configuration: Configuration, enabled: &[Enabled]) -> Result<Self, Failure> {
        let Configuration { mut config, base, notes, .. } = configuration;
        if config.schannel.alpn.is_empty() {
            config.schannel.alpn = vec![ALPN.to_owned()];
        }
        let client_auth = config.schannel.client_auth;
        let mut plan = Self {
            notes: notes.into_iter().map(str::to_owned).collect(),
            name: NAME.to_owned(),
            server: Side::of(&config, &base, None),
            client: Side::of(&config, &base, None),
            one_port: false,
            client_certificate: None,
        };
        // What the client shows is said below: a configured certificate is the server's.
        plan.client.config.schannel.certificates.clear();
        plan.client.config.schannel.client_certificate = ClientCertificate::Configured;
        if client_auth != ClientAuth::None {
            plan.add_client(&base)?;
        }
        if config.schannel.certificates.is_empty() {
            if needs_old_keys(enabled) {
                plan.carry_certificates(&base)?;
            } else {
                plan.make_certificate()?;
            }
        } else {
            plan.use_certificate(enabled)?;
        }
        Ok(plan)
    }

    /// The server's end of a protocol.
    pub(super) fn server(&self, show: Show) -> Result<Sspi, Failure> {
        self.server.build(Some(show), None)
    }

    /// One server for all of them.
    pub(super) fn server_of_all(&self) -> Result<Sspi, Failure> {
        self.server.build(None, None)
    }

    /// All protocols are shown over one port.
    pub(super) fn share_a_port(&mut self) {
        self.one_port = true;
        self.note(
            "one server speaks every protocol on one port, as the first bytes of each client ask for it",
        );
    }

    /// The client's end of a protocol; with the certificate of the client, or without any.
    pub(super) fn client(&self, show: Show, shows_certificate: bool) -> Result<Sspi, Failure> {
        self.client.build(Some(show), self.client_certificate.as_ref().filter(|_| shows_certificate))
    }

    fn client_settings(&mut self) -> &mut SchannelConfig {
        &mut self.client.config.schannel
    }

    /// No certificate is configured: one is made, and the client pins it.
    fn make_certificate(&mut self) -> Result<(), Failure> {
        let made = SelfSigned::new(&[NAME, "127.0.0.1"], KeyKind::Ecdsa)?;
        let settings = self.client_settings();
        let has_trust = settings.roots != SchannelConfig::default().roots || !settings.pins.is_empty();
        let has_staple = settings.ocsp_response.is_some();
        let has_lists = !settings.crls.is_empty();
        settings.roots.clear();
        settings.pins = vec![made.pin];
        self.server.certificate = Some(made.identity);
        self.server.config.schannel.ocsp_response = None;
        if has_trust {
            self.note("roots and pins are not used: no certificate is configured (certificates, --cert), so the demo makes one, which the client pins");
        }
        if has_lists {
            self.note("revocation is not looked at where a certificate is pinned");
        }
        if has_staple {
            self.note(
                "ocsp-response is not sent: it is about another certificate than the one that the demo makes",
            );
        }
        Ok(())
    }

    /// Old suites need RSA and DSA keys: the server shows those that the program carries, and the client pins them.
    fn carry_certificates(&mut self, base: &Path) -> Result<(), Failure> {
        let files = vec![(RSA, RSA_PEM.to_owned()), (DSA, DSA_PEM.to_owned())];
        let mut pins = Vec::new();
        for der in [RSA_DER, DSA_DER] {
            let summary = CertificateSummary::from_der(der)
                .map_err(|error| Failure::usage(format!("a key of the demo cannot be read: {error}")))?;
            pins.push(hex(&summary.sha256));
        }
        let certificate =
            |name: &str| CertificateConfig { chain: name.to_owned(), key: name.to_owned(), send_root: false };
        self.server.config.schannel.certificates = vec![certificate(RSA), certificate(DSA)];
        self.server.config.schannel.ocsp_response = None;
        self.server.materials = Arc::new(InMemory { files, disk: SystemMaterials::new(base) });
        let settings = self.client_settings();
        settings.roots.clear();
        settings.pins = pins;
        self.note("the server shows RSA and DSA certificates that the program carries: everybody has their keys, and nobody but this demo's client accepts them");
        Ok(())
    }

    /// The server shows what is configured, and the client asks for its name. It trusts what is configured; where that
    /// is nothing but the default, the server's certificate.
    fn use_certificate(&mut self, enabled: &[Enabled]) -> Result<(), Failure> {
        // Whichever protocol: the certificates are the same.
        let protocol = enabled.first().map_or(Protocol::Tls13, |(protocol, _)| *protocol);
        let credential = self.server(Show { protocol, suite: None })?.acquire(CredentialUse::Inbound)?;
        let der = credential.certificate().map_err(|error| Failure::from(&error))?;
        let leaf = CertificateSummary::from_der(&der)
            .map_err(|error| Failure::usage(format!("our own certificate cannot be read: {error}")))?;
        let dns = leaf.dns_names.iter().map(|name| name.replacen("*.", "demo.", 1));
        let names = dns.chain(leaf.ip_addresses.iter().map(ToString::to_string));
        match names.into_iter().next() {
            Some(name) => self.name = name,
            None => self.note("the server's certificate is for no name; the client asks for localhost"),
        }
        self.note(&format!(
            "the server shows {}; the client asks for {}",
            harmless_message(&leaf.subject),
            harmless_message(&self.name)
        ));
        if self.server.config.schannel.certificates.len() > 1 {
            self.note("of several certificates the client asks for the first");
        }
        let has_lists = !self.server.config.schannel.crls.is_empty();
        let settings = self.client_settings();
        if settings.pins.is_empty() && settings.roots == SchannelConfig::default().roots {
            settings.roots.clear();
            settings.pins = vec![hex(&leaf.sha256)];
            self.note("the client pins the server's certificate: no roots and no pins are configured for it (roots, pins, --ca)");
            if has_lists {
                self.note("revocation is not looked at where a certificate is pinned");
            }
        }
        Ok(())
    }

    /// The server asks for certificates: the client has one, made here, that it accepts besides those that are configured.
    fn add_client(&mut self, base: &Path) -> Result<(), Failure> {
        let made = SelfSigned::new(&[CLIENT_NAME], KeyKind::Ecdsa)?;
        let settings = &mut self.server.config.schannel;
        if settings.pins.is_empty() {
            settings.client_roots.push(CLIENT_ROOT.to_owned());
        } else {
            settings.pins.push(made.pin);
        }
        self.server.materials =
            Arc::new(InMemory { files: vec![(CLIENT_ROOT, made.pem)], disk: SystemMaterials::new(base) });
        self.client_certificate = Some(made.identity);
        self.note(&format!(
            "the client's certificate is made by the demo ({CLIENT_NAME}), and the server accepts it besides what is configured: there is no key here that your client-roots have certified"
        ));
        Ok(())
    }

    /// Says something before it begins.
    pub(super) fn note(&mut self, text: &str) {
        self.notes.push(text.to_owned());
    }
}

impl Side {
    fn of(config: &Config, base: &Path, certificate: Option<CertificateIdentity>) -> Self {
        Self { config: config.clone(), materials: Arc::new(SystemMaterials::new(base)), certificate }
    }
}
