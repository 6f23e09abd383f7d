//! What the two ends of the demo are configured with: what the configuration says, and what a demo has to add.

use std::io;
use std::path::Path;
use std::sync::Arc;

use opensspi::sspi_core::{CertificateIdentity, CredentialUse};
use opensspi::{
    CertificateSummary, ClientAuth, ClientCertificate, Config, Materials, Protocol, SchannelConfig, Sspi,
    SystemMaterials, harmless_message,
};

use crate::exit::Failure;
use crate::print::hex;
use crate::self_signed::SelfSigned;
use crate::settings::Configuration;

/// Whom a certificate is for that the demo makes.
const NAME: &str = "localhost";
/// Whom the client's certificate is for.
const CLIENT_NAME: &str = "opensspi-demo-client";
/// What is offered where the configuration names no application protocol.
const ALPN: &str = "opensspi-demo";
/// How the server's configuration names the client's certificate, which is in memory.
const CLIENT_ROOT: &str = "memory:client.pem";

/// Both ends, for every protocol.
pub(super) struct Plan {
    /// What a reader should know about how the configuration is used.
    pub(super) notes: Vec<String>,
    /// The name that the client asks for.
    pub(super) name: String,
    server: Side,
    client: Side,
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
    fn build(&self, protocol: Protocol, certificate: Option<&CertificateIdentity>) -> Result<Sspi, Failure> {
        let mut config = self.config.clone();
        config.schannel.protocols = vec![protocol];
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
    pub(super) fn new(configuration: Configuration) -> Result<Self, Failure> {
        let Configuration { mut config, base, .. } = configuration;
        if config.schannel.alpn.is_empty() {
            config.schannel.alpn = vec![ALPN.to_owned()];
        }
        let client_auth = config.schannel.client_auth;
        let mut plan = Self {
            notes: Vec::new(),
            name: NAME.to_owned(),
            server: Side::of(&config, &base, None),
            client: Side::of(&config, &base, None),
            client_certificate: None,
        };
        // What the client shows is said below: a configured certificate is the server's.
        plan.client.config.schannel.certificates.clear();
        plan.client.config.schannel.client_certificate = ClientCertificate::Configured;
        if client_auth != ClientAuth::None {
            plan.add_client(&base)?;
        }
        if config.schannel.certificates.is_empty() {
            plan.make_certificate()?;
        } else {
            plan.use_certificate()?;
        }
        Ok(plan)
    }

    /// The server's end of a protocol.
    pub(super) fn server(&self, protocol: Protocol) -> Result<Sspi, Failure> {
        self.server.build(protocol, None)
    }

    /// The client's end of a protocol; with the certificate of the client, or without any.
    pub(super) fn client(&self, protocol: Protocol, shows_certificate: bool) -> Result<Sspi, Failure> {
        self.client.build(protocol, self.client_certificate.as_ref().filter(|_| shows_certificate))
    }

    fn client_settings(&mut self) -> &mut SchannelConfig {
        &mut self.client.config.schannel
    }

    /// No certificate is configured: one is made, and the client pins it.
    fn make_certificate(&mut self) -> Result<(), Failure> {
        let made = SelfSigned::new(&[NAME, "127.0.0.1"])?;
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

    /// The server shows what is configured, and the client asks for its name. It trusts what is configured; where that
    /// is nothing but the default, the server's certificate.
    fn use_certificate(&mut self) -> Result<(), Failure> {
        // Whichever protocol: the certificates are the same.
        let protocol = self.server.config.schannel.protocols.first().copied().unwrap_or(Protocol::Tls13);
        let credential = self.server(protocol)?.acquire(CredentialUse::Inbound)?;
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
        let made = SelfSigned::new(&[CLIENT_NAME])?;
        let settings = &mut self.server.config.schannel;
        if settings.pins.is_empty() {
            settings.client_roots.push(CLIENT_ROOT.to_owned());
        } else {
            settings.pins.push(made.pin);
        }
        self.server.materials = Arc::new(WithClient { root: made.pem, files: SystemMaterials::new(base) });
        self.client_certificate = Some(made.identity);
        self.note(&format!(
            "the client's certificate is made by the demo ({CLIENT_NAME}), and the server accepts it besides what is configured: there is no key here that your client-roots have certified"
        ));
        Ok(())
    }

    fn note(&mut self, text: &str) {
        self.notes.push(text.to_owned());
    }
}

impl Side {
    fn of(config: &Config, base: &Path, certificate: Option<CertificateIdentity>) -> Self {
        Self { config: config.clone(), materials: Arc::new(SystemMaterials::new(base)), certificate }
    }
}

/// The machine's files, and the certificate of the demo's client.
struct WithClient {
    root: String,
    files: SystemMaterials,
}

impl Materials for WithClient {
    fn read(&self, reference: &str) -> io::Result<Vec<u8>> {
        if reference == CLIENT_ROOT { Ok(self.root.clone().into_bytes()) } else { self.files.read(reference) }
    }

    fn system_roots(&self) -> io::Result<Vec<Vec<u8>>> {
        self.files.system_roots()
    }

    fn key_log(&self, reference: &str, line: &str) {
        self.files.key_log(reference, line);
    }
}
