//! The package as the flags want it: Schannel's configuration, credentials that the connections share, and the request of
//! each handshake.
//!
//! The application judges certificates, and so the shim does: `judgement.rs`.

use std::fs;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use schannel::{
    Allow, CertificateConfig, ClientAuth, ClientCertificate, Environment, Materials, Profile, Renegotiation,
    Schannel, SchannelConfig, Weakness,
};
use sspi_core::{
    AcceptRequest, AscReq, CertificateIdentity, Clock, CredentialUse, CredentialsHandle, CredentialsRequest,
    InitializeRequest, IscReq, Secret, SecurityPackage as _,
};

use crate::flags::{Options, PROTOCOLS, Renegotiates};
use crate::handshake::Handshaking;
use crate::pem;
use crate::stop::Stop;

/// Stands in front of content that is not in a file.
const BASE64: &str = "base64:";
/// The SHA-256 of no certificate that anybody knows: should the package ever judge, it accepts nobody.
const NO_CERTIFICATE: [u8; 32] = [0; 32];
/// Groups of Diffie-Hellman that are smaller are refused, as BoringSSL did while it had any, in bits.
const SMALLEST_GROUP: u32 = 1024;
/// An application protocol that no client offers.
const UNHEARD_OF: &[u8] = b"\0unheard-of";
/// The name of a client that was given none: an address, so that no name is sent. Sessions are found by it.
const NO_HOST_NAME: &str = "127.0.0.1";

/// The package, and the credentials of the last connection.
///
/// Sessions and ticket keys live with the credentials: a connection whose configuration is that of the one before it uses
/// the same.
pub(crate) struct Package {
    /// Whether one connection is to resume another.
    resumes: bool,
    last: Option<(SchannelConfig, Arc<dyn CredentialsHandle>)>,
    clock: Arc<ShiftedClock>,
}

impl Package {
    pub(crate) fn new(resumes: bool) -> Self {
        Self { resumes, last: None, clock: Arc::default() }
    }

    /// Lets so many seconds pass.
    pub(crate) fn let_pass(&self, seconds: u64) {
        self.clock.0.fetch_add(seconds, Ordering::Relaxed);
    }

    /// Begins a handshake.
    ///
    /// # Errors
    /// What the flags name cannot be used.
    pub(crate) fn begin(&mut self, options: &Options) -> Result<Handshaking, Stop> {
        let protocols = options.protocols()?;
        options.check_curves()?;
        let bits = protocols.iter().map(|protocol| protocol.bits()).reduce(sspi_core::SpProt::union);
        let credentials = self.credentials(options)?;
        if options.server {
            let alpn = match (&options.select_alpn, options.reject_alpn) {
                (_, true) => vec![UNHEARD_OF.to_vec()],
                (chosen, false) => chosen.iter().filter(|_| !options.decline_alpn).cloned().collect(),
            };
            let request = AcceptRequest {
                flags: AscReq::EXTENDED_ERROR | AscReq::STREAM,
                application_protocols: Some(alpn),
                protocols: bits,
                manual_cred_validation: true,
                ..AcceptRequest::default()
            };
            return Ok(Handshaking::Server(credentials.accept(&request)?));
        }
        let request = InitializeRequest {
            target_name: Some(options.host_name.clone().unwrap_or_else(|| NO_HOST_NAME.to_owned())),
            flags: IscReq::EXTENDED_ERROR | IscReq::STREAM | IscReq::MANUAL_CRED_VALIDATION,
            application_protocols: Some(options.advertise_alpn.clone()),
            protocols: bits,
            fallback: options.fallback_scsv,
            ..InitializeRequest::default()
        };
        Ok(Handshaking::Client(credentials.initialize(&request)?, identity(options)?))
    }

    fn credentials(&mut self, options: &Options) -> Result<Arc<dyn CredentialsHandle>, Stop> {
        let config = if options.server { server(options)? } else { client(options, self.resumes)? };
        if let Some((last, credentials)) = &self.last
            && *last == config
        {
            return Ok(Arc::clone(credentials));
        }
        let environment = Environment {
            clock: Arc::clone(&self.clock) as _,
            materials: Arc::new(Files),
            random: Arc::new(crypto::random::SystemRandom),
        };
        let credential_use = if options.server { CredentialUse::Inbound } else { CredentialUse::Outbound };
        let credentials = Schannel::new(config.clone(), environment)
            .acquire_credentials_handle(&CredentialsRequest::configured(credential_use))?;
        self.last = Some((config, Arc::clone(&credentials)));
        Ok(credentials)
    }
}

/// What both roles have: every suite that `-cipher` leaves, with every protocol that has one of them (each handshake says
/// which it may speak, so that sessions outlive a change of that), and certificates of whatever kind.
fn both(options: &Options) -> Result<SchannelConfig, Stop> {
    let everything = SchannelConfig {
        profile: Profile::Legacy,
        protocols: PROTOCOLS.to_vec(),
        allow: Some(Allow::all().collect()),
        ..SchannelConfig::default()
    };
    let renegotiates = matches!(options.renegotiates, Renegotiates::Freely | Renegotiates::Once);
    let wanted = options.suites()?;
    let mut protocols = everything.enabled()?;
    protocols.retain(|(_, suites)| suites.iter().any(|suite| wanted.contains(suite)));
    Ok(SchannelConfig {
        protocols: protocols.iter().map(|(protocol, _)| *protocol).collect(),
        suites: wanted.into_iter().map(str::to_owned).collect(),
        allow: Some(Allow::all().filter(|entry| is_allowed(entry, options)).collect()),
        unoffered_alpn: options.allow_unknown_alpn_protos,
        record_splitting: options.cbc_record_splitting,
        renegotiation: if renegotiates { Renegotiation::Both } else { Renegotiation::Off },
        // What the runner calls freely is so with whomever.
        insecure_renegotiation: renegotiates,
        i_accept_drown: true,
        pins: vec![hex(&NO_CERTIFICATE)],
        ..SchannelConfig::default()
    })
}

/// Whatever is weak about certificates, except what a flag says.
const fn is_allowed(entry: &Allow, options: &Options) -> bool {
    match entry {
        Allow::Certificate(Weakness::RsaKeyUsage) => !options.enforce_rsa_key_usage,
        Allow::Certificate(_) => true,
        _ => false,
    }
}

/// The certificate of the flags, in files.
fn certificates(options: &Options) -> Vec<CertificateConfig> {
    let certificate = |chain: &String| CertificateConfig {
        chain: chain.clone(),
        key: options.key_file.as_ref().unwrap_or(chain).clone(),
        send_root: true,
    };
    options.cert_file.iter().map(certificate).collect()
}

fn client(options: &Options, resumes: bool) -> Result<SchannelConfig, Stop> {
    if options.no_ticket {
        return Err(Stop::unimplemented("-no-ticket, as client"));
    }
    // The runner expects its certificate whichever authorities it named, and only who is asked can give it. But a session
    // in which the application chose is not taken up again.
    let asks =
        !resumes || options.expect_client_ca_list.is_some() || options.expect_certificate_types.is_some();
    Ok(SchannelConfig {
        roots: Vec::new(),
        certificates: if asks { Vec::new() } else { certificates(options) },
        client_certificate: if asks { ClientCertificate::Ask } else { ClientCertificate::Configured },
        dh_minimum_bits: Some(SMALLEST_GROUP),
        ..both(options)?
    })
}

fn server(options: &Options) -> Result<SchannelConfig, Stop> {
    if options.fail_ocsp_callback {
        return Err(Stop::unimplemented("-fail-ocsp-callback, as server: what is stapled is known before"));
    }
    let stapled = options.ocsp_response.as_ref().filter(|_| !options.decline_ocsp_callback);
    Ok(SchannelConfig {
        certificates: certificates(options),
        client_auth: match (options.require_any_client_certificate, options.verify_peer) {
            (true, _) => ClientAuth::Required,
            (false, true) => ClientAuth::Optional,
            (false, false) => ClientAuth::None,
        },
        send_ca_list: false,
        ocsp_response: stapled.map(|answer| format!("{BASE64}{answer}")),
        session_tickets: !options.no_ticket,
        v2_hello: true,
        ..both(options)?
    })
}

/// The certificate that a client shows to whoever asks for one.
fn identity(options: &Options) -> Result<Option<CertificateIdentity>, Stop> {
    let Some(cert_file) = &options.cert_file else { return Ok(None) };
    let key_file = options.key_file.as_ref().unwrap_or(cert_file);
    let chain = pem::certificates(&read(cert_file)?);
    let key = pem::private_key(&read(key_file)?)
        .ok_or_else(|| Stop::failed(format!("{key_file} has no private key")))?;
    Ok(Some(CertificateIdentity { chain, private_key: Arc::new(Secret::new(key)) }))
}

/// The content of a file that a flag names.
///
/// # Errors
/// It cannot be read.
pub(crate) fn read(file: &str) -> Result<Vec<u8>, Stop> {
    fs::read(file).map_err(|error| Stop::failed(format!("cannot read {file}: {error}")))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The time, and some seconds that are said to have passed.
#[derive(Default)]
struct ShiftedClock(AtomicU64);

impl Clock for ShiftedClock {
    fn now(&self) -> SystemTime {
        SystemTime::now() + Duration::from_secs(self.0.load(Ordering::Relaxed))
    }
}

/// Files, and what flags hold in base64.
struct Files;

impl Materials for Files {
    fn read(&self, reference: &str) -> io::Result<Vec<u8>> {
        match reference.strip_prefix(BASE64) {
            Some(text) => pem::base64(text.as_bytes()).ok_or_else(|| io::ErrorKind::InvalidData.into()),
            None => fs::read(reference),
        }
    }

    fn system_roots(&self) -> io::Result<Vec<Vec<u8>>> {
        Ok(Vec::new())
    }

    fn key_log(&self, _reference: &str, _line: &str) {}
}
