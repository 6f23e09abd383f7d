//! What the runner expects of a handshake that has succeeded.

use sspi_core::{CipherInfo, QueryContextAttributes};

use crate::flags::Options;
use crate::handshake::Established;
use crate::package::read;
use crate::pem;
use crate::stop::Stop;

/// What a resumed connection is expected to know of the one that it resumes.
#[derive(Default)]
pub(crate) struct Kept {
    stapled: Option<Vec<u8>>,
}

fn expect(holds: bool, what: impl FnOnce() -> String) -> Result<(), Stop> {
    if holds { Ok(()) } else { Err(Stop::failed(what())) }
}

impl Kept {
    /// Compares what was negotiated with what the flags expect.
    ///
    /// # Errors
    /// Something is not as expected, or cannot be told.
    pub(crate) fn check(
        &mut self,
        established: &Established,
        options: &Options,
        is_resumption: bool,
    ) -> Result<(), Stop> {
        let attributes = established.context.attributes();
        let resumed = attributes.session_info()?.reconnect;
        expect(resumed == (is_resumption && !options.expect_session_miss), || {
            format!("the session was {}resumed, against what was expected", if resumed { "" } else { "not " })
        })?;
        check_cipher(&attributes.cipher_info()?, options, resumed)?;
        check_peer(&*attributes, options)?;
        check_flight(established, options)?;
        check_session(established, options, resumed)?;
        if !resumed {
            check_signature(established, options)?;
        }
        self.check_stapled(established, options, resumed)
    }

    fn check_stapled(
        &mut self,
        established: &Established,
        options: &Options,
        resumed: bool,
    ) -> Result<(), Stop> {
        if !resumed {
            self.stapled = established.server_flight.stapled().map(<[u8]>::to_vec);
        }
        let Some(expected) = &options.expect_ocsp_response else { return Ok(()) };
        if established.server_flight.is_tls13() {
            return Err(Stop::unimplemented(
                "-expect-ocsp-response with TLS 1.3: the answer comes encrypted",
            ));
        }
        expect(self.stapled.as_ref() == Some(expected), || "another OCSP answer was expected".to_owned())
    }
}

fn check_cipher(info: &CipherInfo, options: &Options, resumed: bool) -> Result<(), Stop> {
    if let Some(expected) = options.expect_cipher_aes.or(options.expect_cipher) {
        expect(info.cipher_suite == expected, || {
            format!("the suite is {:04x}, and {expected:04x} was expected", info.cipher_suite)
        })?;
    }
    // A session of TLS 1.2 that is resumed exchanges no keys.
    let has_group = !resumed || info.protocol_version > 0x0303;
    if let Some(expected) = options.expect_curve_id.filter(|_| has_group) {
        expect(info.key_type == expected, || {
            format!("the group is {}, and {expected} was expected", info.key_type)
        })?;
    }
    Ok(())
}

fn check_peer(attributes: &dyn QueryContextAttributes, options: &Options) -> Result<(), Stop> {
    if let Some(file) = &options.expect_peer_cert_file {
        let chain = attributes.remote_certificate()?.chain;
        expect(chain == pem::certificates(&read(file)?), || {
            "the peer showed another certificate".to_owned()
        })?;
    }
    if let Some(expected) = &options.expect_server_name {
        let name = attributes.client_specified_target()?;
        expect(name == *expected, || {
            format!("the client asked for {name:?}, and {expected:?} was expected")
        })?;
    }
    if let Some(expected) = &options.expect_alpn {
        let chosen = attributes.application_protocol()?.protocol.unwrap_or_default();
        expect(chosen == *expected, || {
            let [chosen, expected] = [&chosen, expected].map(|name| name.escape_ascii());
            format!("the application protocol is {chosen}, and {expected} was expected")
        })?;
    }
    Ok(())
}

fn check_flight(established: &Established, options: &Options) -> Result<(), Stop> {
    let flight = &established.server_flight;
    if options.expect_extended_master_secret {
        expect(flight.has_extended_master_secret(), || "there is no extended master secret".to_owned())?;
    }
    if let Some(expected) = options.expect_secure_renegotiation {
        expect(flight.has_secure_renegotiation() == expected, || {
            format!("secure renegotiation was expected to be {expected}")
        })?;
    }
    if let Some(expected) = options.expect_hrr {
        expect(flight.was_retried() == expected, || {
            format!("a second ClientHello was expected to be {expected}")
        })?;
    }
    let request = established.request.as_ref();
    if let Some(expected) = &options.expect_client_ca_list {
        expect(request.map(|request| &request.issuers) == Some(expected), || {
            "the server named other authorities, or asked for no certificate".to_owned()
        })?;
    }
    if let Some(expected) = &options.expect_certificate_types {
        expect(request.map(|request| &request.certificate_types) == Some(expected), || {
            "the server named other kinds of certificates, or asked for none".to_owned()
        })?;
    }
    if let Some(expected) = &options.expect_advertised_alpn {
        let offered = established.client_flight.alpn();
        expect(offered == expected, || {
            format!("the client offers the application protocols {}", offered.escape_ascii())
        })?;
    }
    Ok(())
}

/// What a session leaves in clear: an identifier or a ticket.
fn check_session(established: &Established, options: &Options, resumed: bool) -> Result<(), Stop> {
    let flight = &established.server_flight;
    // A server that gives a ticket keeps nothing, whatever it calls the session.
    let is_kept = flight.has_session_id() && !flight.has_ticket();
    if let Some(expected) = options.expect_session_id.filter(|_| !resumed) {
        expect(is_kept == expected, || format!("a session by identifier was expected to be {expected}"))?;
    }
    if options.expect_no_session && !flight.is_tls13() {
        expect(!flight.has_session_id() && !flight.has_ticket(), || "no session was expected".to_owned())?;
    }
    if options.expect_ticket_renewal && resumed && !flight.is_tls13() {
        expect(flight.has_ticket(), || "a new ticket was expected".to_owned())?;
    }
    Ok(())
}

fn check_signature(established: &Established, options: &Options) -> Result<(), Stop> {
    let Some(expected) = options.expect_peer_signature_algorithm else { return Ok(()) };
    let flight = &established.server_flight;
    if !flight.is_tls12() {
        return Err(Stop::unimplemented(
            "-expect-peer-signature-algorithm outside TLS 1.2: it comes encrypted, or is not said",
        ));
    }
    let (client, server) = (established.client_flight.signature(), flight.signature());
    let signature = if options.server { client } else { server };
    expect(signature == Some(expected), || {
        format!("the peer signed with {signature:04x?}, and {expected:04x} was expected")
    })
}
