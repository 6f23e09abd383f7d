//! The command line: one table says which flags there are, which of them take a value, and what they do.
//!
//! A flag with the prefix `-on-initial-`, `-on-resume-` or `-on-retry-` is for that connection only. What is not in the
//! table is not implemented (exit 89).

use schannel::Protocol;

use crate::cipher_list::CipherList;
use crate::pem;
use crate::stop::Stop;

/// What one connection is asked to do, and what is expected of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    // Where to, and in which role.
    pub(crate) port: u16,
    pub(crate) ipv6: bool,
    pub(crate) shim_id: Option<u64>,
    pub(crate) server: bool,
    pub(crate) resume_count: u64,
    pub(crate) is_handshaker_supported: bool,

    // The handshake.
    min_version: Option<u16>,
    max_version: Option<u16>,
    excluded: Vec<Protocol>,
    cipher_list: Option<CipherList>,
    /// The groups that are named, by their numbers; empty for all that there are.
    curves: Vec<u16>,
    /// The first byte of a message gets a record of its own where CBC chains its vectors.
    pub(crate) cbc_record_splitting: bool,
    /// Client: this is a second attempt with less than it has.
    pub(crate) fallback_scsv: bool,
    /// Paths of PEM files.
    pub(crate) key_file: Option<String>,
    pub(crate) cert_file: Option<String>,
    pub(crate) verify_peer: bool,
    pub(crate) verify_fail: bool,
    /// The judgement is that of a callback which says its own alert.
    pub(crate) custom_verify: bool,
    /// A session that is taken up again is judged again.
    pub(crate) reverify_on_resume: bool,
    pub(crate) require_any_client_certificate: bool,
    pub(crate) host_name: Option<String>,
    /// Client: what is offered, in order.
    pub(crate) advertise_alpn: Vec<Vec<u8>>,
    /// Server: what is chosen.
    pub(crate) select_alpn: Option<Vec<u8>>,
    pub(crate) decline_alpn: bool,
    pub(crate) allow_unknown_alpn_protos: bool,
    pub(crate) enforce_rsa_key_usage: bool,
    /// Server: nothing that the client offers will do.
    pub(crate) reject_alpn: bool,
    /// Server: what is stapled; base64, as it was given.
    pub(crate) ocsp_response: Option<String>,
    pub(crate) decline_ocsp_callback: bool,
    /// The application is not content with what is stapled.
    pub(crate) fail_ocsp_callback: bool,
    /// Server: sessions have no tickets.
    pub(crate) no_ticket: bool,
    /// Seconds that pass before a later connection.
    pub(crate) resumption_delay: u64,

    // What is expected of the handshake.
    pub(crate) expect_session_miss: bool,
    pub(crate) expect_alpn: Option<Vec<u8>>,
    pub(crate) expect_server_name: Option<String>,
    pub(crate) expect_peer_cert_file: Option<String>,
    pub(crate) expect_curve_id: Option<u16>,
    pub(crate) expect_cipher_aes: Option<u16>,
    pub(crate) expect_ocsp_response: Option<Vec<u8>>,
    /// Names in DER.
    pub(crate) expect_client_ca_list: Option<Vec<Vec<u8>>>,
    pub(crate) expect_extended_master_secret: bool,
    /// Whether RFC 5746 is expected, or expected not to be there.
    pub(crate) expect_secure_renegotiation: Option<bool>,
    pub(crate) expect_certificate_types: Option<Vec<u8>>,
    /// Server: the application protocols that the client offers, as on the wire.
    pub(crate) expect_advertised_alpn: Option<Vec<u8>>,
    /// Whether the client is expected to be told to try again with another share.
    pub(crate) expect_hrr: Option<bool>,
    /// Server: whether the session is expected to have an identifier.
    pub(crate) expect_session_id: Option<bool>,
    /// Client: there is nothing to take up again.
    pub(crate) expect_no_session: bool,
    /// Client: a session that is taken up again has a new ticket.
    pub(crate) expect_ticket_renewal: bool,
    pub(crate) expect_peer_signature_algorithm: Option<u16>,
    pub(crate) expect_cipher: Option<u16>,
    /// Whether the peer may negotiate the connection again, and how often it is expected to.
    pub(crate) renegotiates: Renegotiates,
    pub(crate) expect_total_renegotiations: Option<u32>,

    // After the handshake.
    pub(crate) send_alert: bool,
    pub(crate) shim_writes_first: bool,
    pub(crate) shim_shuts_down: bool,
    pub(crate) check_close_notify: bool,
    pub(crate) read_with_unfinished_write: bool,
    pub(crate) write_different_record_sizes: bool,
    pub(crate) export_keying_material: usize,
    pub(crate) export_label: Vec<u8>,
    pub(crate) export_context: Vec<u8>,
    pub(crate) use_export_context: bool,
    pub(crate) tls_unique: bool,
}

/// What the application does where the peer wants to negotiate again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Renegotiates {
    #[default]
    Never,
    Once,
    Freely,
    /// It goes on as if it had not been asked.
    Ignored,
}

/// What the runner knows: the protocols from SSL 3.0 on.
pub(crate) const PROTOCOLS: [Protocol; 5] =
    [Protocol::Tls13, Protocol::Tls12, Protocol::Tls11, Protocol::Tls10, Protocol::Ssl30];

impl Options {
    /// The protocols that the flags leave.
    ///
    /// # Errors
    /// None.
    pub(crate) fn protocols(&self) -> Result<Vec<Protocol>, Stop> {
        let range = self.min_version.unwrap_or(0)..=self.max_version.unwrap_or(u16::MAX);
        let mut left: Vec<Protocol> = PROTOCOLS
            .into_iter()
            .filter(|protocol| range.contains(&protocol.version()) && !self.excluded.contains(protocol))
            .collect();
        // Newer editions of the runner do not know SSL 3.0, and exclude everything below a version without naming it.
        if !left.contains(&Protocol::Tls10) && left.len() > 1 {
            left.retain(|protocol| *protocol != Protocol::Ssl30);
        }
        if left.is_empty() {
            return Err(Stop::failed(":NO_SUPPORTED_VERSIONS_ENABLED: the flags leave no protocol"));
        }
        Ok(left)
    }

    /// Sees to it that the groups are those that are enabled in any case: they cannot be chosen.
    ///
    /// # Errors
    /// They are others.
    pub(crate) fn check_curves(&self) -> Result<(), Stop> {
        let mut curves = self.curves.clone();
        curves.sort_unstable();
        if curves.is_empty() || curves == GROUPS {
            return Ok(());
        }
        Err(Stop::unimplemented(format!("-curves {curves:?}")))
    }

    /// The suites that the flags leave, by their registered names; `-cipher` says nothing of those of TLS 1.3.
    ///
    /// # Errors
    /// A server's list has suites of equal preference.
    pub(crate) fn suites(&self) -> Result<Vec<&'static str>, Stop> {
        let list = self.cipher_list.clone().unwrap_or_else(CipherList::default_list);
        if list.has_equals && self.server {
            return Err(Stop::unimplemented("-cipher with suites of equal preference, as server"));
        }
        Ok(TLS13_SUITES.into_iter().chain(list.suites).collect())
    }
}

/// The whole command line: what each kind of connection is asked to do.
#[derive(Debug, Default)]
pub(crate) struct CommandLine {
    pub(crate) initial: Options,
    pub(crate) resume: Options,
    /// A connection that is tried again after early data was refused; we send none, so there never is one.
    retry: Options,
}

impl CommandLine {
    /// Reads the arguments behind the program's name.
    ///
    /// # Errors
    /// A flag or its value is not implemented, a value is missing or cannot be read.
    pub(crate) fn parse(arguments: impl IntoIterator<Item = Vec<u8>>) -> Result<Self, Stop> {
        let mut command = Self::default();
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            let given = text(&argument)?;
            let (name, connections) = command.connections(&given);
            let flag = FLAGS.iter().find(|flag| flag.name == name);
            match flag.map(|flag| &flag.kind) {
                None => return Err(Stop::unimplemented(given)),
                Some(Kind::Switch(set)) => connections.into_iter().for_each(set),
                Some(Kind::Value(take)) => {
                    let value =
                        arguments.next().ok_or_else(|| Stop::failed(format!("{given} takes a value")))?;
                    for options in connections {
                        take(options, &value)?;
                    }
                }
            }
        }
        Ok(command)
    }

    /// The flag without its prefix, and the connections that it is for.
    fn connections(&mut self, given: &str) -> (String, Vec<&mut Options>) {
        let Self { initial, resume, retry } = self;
        let (rest, connections) = if let Some(rest) = given.strip_prefix("-on-initial-") {
            (rest, vec![initial])
        } else if let Some(rest) = given.strip_prefix("-on-resume-") {
            (rest, vec![resume])
        } else if let Some(rest) = given.strip_prefix("-on-retry-") {
            (rest, vec![retry])
        } else {
            return (given.to_owned(), vec![initial, resume, retry]);
        };
        (format!("-{rest}"), connections)
    }
}

/// One flag.
struct Flag {
    name: &'static str,
    kind: Kind,
}

enum Kind {
    Switch(fn(&mut Options)),
    Value(fn(&mut Options, &[u8]) -> Result<(), Stop>),
}

const fn switch(name: &'static str, set: fn(&mut Options)) -> Flag {
    Flag { name, kind: Kind::Switch(set) }
}

const fn value(name: &'static str, take: fn(&mut Options, &[u8]) -> Result<(), Stop>) -> Flag {
    Flag { name, kind: Kind::Value(take) }
}

/// A flag whose value goes into a field.
macro_rules! set {
    ($name:literal, $field:ident, $read:expr) => {
        value($name, |options, value| {
            options.$field = $read(value)?;
            Ok(())
        })
    };
}

/// A flag whose value goes into a field that is empty without it.
macro_rules! some {
    ($name:literal, $field:ident, $read:expr) => {
        value($name, |options, value| {
            options.$field = Some($read(value)?);
            Ok(())
        })
    };
}

/// A flag that changes nothing here; the reason stands beside it.
const fn accepted(name: &'static str) -> Flag {
    switch(name, |_| {})
}

/// Every flag that there is.
const FLAGS: &[Flag] = &[
    // Where to, and in which role.
    set!("-port", port, number),
    switch("-ipv6", |o| o.ipv6 = true),
    some!("-shim-id", shim_id, number),
    switch("-server", |o| o.server = true),
    set!("-resume-count", resume_count, number),
    switch("-is-handshaker-supported", |o| o.is_handshaker_supported = true),
    // Protocols and suites.
    some!("-min-version", min_version, number),
    some!("-max-version", max_version, number),
    switch("-no-tls13", |o| o.excluded.push(Protocol::Tls13)),
    switch("-no-tls12", |o| o.excluded.push(Protocol::Tls12)),
    switch("-no-tls11", |o| o.excluded.push(Protocol::Tls11)),
    switch("-no-tls1", |o| o.excluded.push(Protocol::Tls10)),
    switch("-no-ssl3", |o| o.excluded.push(Protocol::Ssl30)),
    some!("-cipher", cipher_list, |value| CipherList::parse(&text(value)?)),
    switch("-fallback-scsv", |o| o.fallback_scsv = true),
    // Every group that there is is enabled already.
    accepted("-enable-all-curves"),
    value("-curves", |o, v| {
        o.curves.push(number(v)?);
        Ok(())
    }),
    switch("-cbc-record-splitting", |o| o.cbc_record_splitting = true),
    // What the peer may sign with is not narrowed.
    value("-verify-prefs", |_, v| enabled_signature(v)),
    // Certificates.
    some!("-key-file", key_file, text),
    some!("-cert-file", cert_file, text),
    // Whom to trust does not matter where every certificate is accepted.
    value("-trust-cert", |_, _| Ok(())),
    switch("-verify-peer", |o| o.verify_peer = true),
    switch("-verify-fail", |o| o.verify_fail = true),
    switch("-require-any-client-certificate", |o| o.require_any_client_certificate = true),
    switch("-use-custom-verify-callback", |o| o.custom_verify = true),
    switch("-reverify-on-resume", |o| o.reverify_on_resume = true),
    // A trace of the runner's own library.
    value("-expect-msg-callback", |_, _| Ok(())),
    // What the certificate of a server with an RSA key says of its use is looked over before TLS 1.3.
    switch("-enforce-rsa-key-usage", |o| o.enforce_rsa_key_usage = true),
    accepted("-ignore-rsa-key-usage"),
    // The judgement is the shim's own, and a handshake that completes has it.
    accepted("-expect-verify-result"),
    some!("-expect-peer-cert-file", expect_peer_cert_file, text),
    value("-use-client-ca-list", |_, v| no_authorities(&text(v)?)),
    some!("-expect-client-ca-list", expect_client_ca_list, names),
    some!("-expect-certificate-types", expect_certificate_types, base64),
    // A client's certificate is an answer to a question in any case.
    accepted("-use-old-client-cert-callback"),
    // A client asks for the stapled answer in every hello.
    accepted("-enable-ocsp-stapling"),
    some!("-ocsp-response", ocsp_response, base64_text),
    some!("-expect-ocsp-response", expect_ocsp_response, base64),
    // The callback is the application, which sets what is stapled before and judges it behind the handshake.
    accepted("-use-ocsp-callback"),
    accepted("-set-ocsp-in-callback"),
    switch("-decline-ocsp-callback", |o| o.decline_ocsp_callback = true),
    switch("-fail-ocsp-callback", |o| o.fail_ocsp_callback = true),
    // Extensions.
    some!("-host-name", host_name, text),
    some!("-expect-server-name", expect_server_name, text),
    set!("-advertise-alpn", advertise_alpn, protocol_list),
    some!("-select-alpn", select_alpn, bytes),
    switch("-decline-alpn", |o| o.decline_alpn = true),
    switch("-allow-unknown-alpn-protos", |o| o.allow_unknown_alpn_protos = true),
    switch("-reject-alpn", |o| o.reject_alpn = true),
    some!("-expect-advertised-alpn", expect_advertised_alpn, bytes),
    some!("-expect-alpn", expect_alpn, bytes),
    switch("-expect-extended-master-secret", |o| o.expect_extended_master_secret = true),
    switch("-expect-secure-renegotiation", |o| o.expect_secure_renegotiation = Some(true)),
    switch("-expect-no-secure-renegotiation", |o| o.expect_secure_renegotiation = Some(false)),
    some!("-expect-total-renegotiations", expect_total_renegotiations, number),
    switch("-renegotiate-freely", |o| o.renegotiates = Renegotiates::Freely),
    // A second handshake is a call of the application's in any case.
    switch("-renegotiate-explicit", |o| o.renegotiates = Renegotiates::Freely),
    switch("-renegotiate-once", |o| o.renegotiates = Renegotiates::Once),
    switch("-renegotiate-ignore", |o| o.renegotiates = Renegotiates::Ignored),
    some!("-expect-curve-id", expect_curve_id, number),
    some!("-expect-cipher-aes", expect_cipher_aes, number),
    // For machines without AES in hardware; the order of preference is the same on all of them here.
    value("-expect-cipher-no-aes", |_, v| number::<u16>(v).map(|_| ())),
    some!("-expect-cipher", expect_cipher, number),
    some!("-expect-peer-signature-algorithm", expect_peer_signature_algorithm, number),
    switch("-expect-hrr", |o| o.expect_hrr = Some(true)),
    switch("-expect-no-hrr", |o| o.expect_hrr = Some(false)),
    // Sessions.
    switch("-expect-session-miss", |o| o.expect_session_miss = true),
    switch("-expect-session-id", |o| o.expect_session_id = Some(true)),
    switch("-expect-no-session-id", |o| o.expect_session_id = Some(false)),
    switch("-expect-no-session", |o| o.expect_no_session = true),
    switch("-expect-ticket-renewal", |o| o.expect_ticket_renewal = true),
    switch("-no-ticket", |o| o.no_ticket = true),
    set!("-resumption-delay", resumption_delay, number),
    // After the handshake.
    switch("-send-alert", |o| o.send_alert = true),
    switch("-shim-writes-first", |o| o.shim_writes_first = true),
    switch("-shim-shuts-down", |o| o.shim_shuts_down = true),
    switch("-check-close-notify", |o| o.check_close_notify = true),
    switch("-read-with-unfinished-write", |o| o.read_with_unfinished_write = true),
    switch("-write-different-record-sizes", |o| o.write_different_record_sizes = true),
    set!("-export-keying-material", export_keying_material, number),
    set!("-export-label", export_label, bytes),
    set!("-export-context", export_context, bytes),
    switch("-use-export-context", |o| o.use_export_context = true),
    switch("-tls-unique", |o| o.tls_unique = true),
    // How the runner's own API is driven: there is one way here, and it writes all of what it is given.
    accepted("-async"),
    accepted("-implicit-handshake"),
    accepted("-partial-write"),
];

fn text(value: &[u8]) -> Result<String, Stop> {
    String::from_utf8(value.to_vec()).map_err(|_| Stop::unimplemented("an argument that is no UTF-8"))
}

fn number<N: core::str::FromStr>(value: &[u8]) -> Result<N, Stop> {
    let text = text(value)?;
    text.parse().map_err(|_| Stop::failed(format!("{text:?} is not a number in its range")))
}

fn bytes(value: &[u8]) -> Result<Vec<u8>, Stop> {
    Ok(value.to_vec())
}

fn base64(value: &[u8]) -> Result<Vec<u8>, Stop> {
    pem::base64(value).ok_or_else(|| Stop::failed("a value is not base64"))
}

fn base64_text(value: &[u8]) -> Result<String, Stop> {
    base64(value).and_then(|_| text(value))
}

/// Names in hexadecimal with commas between; `<EMPTY>` for none of them.
fn names(list: &[u8]) -> Result<Vec<Vec<u8>>, Stop> {
    let list = text(list)?;
    let name = |digits: &str| -> Option<Vec<u8>> {
        if !digits.is_ascii() || !digits.len().is_multiple_of(2) {
            return None;
        }
        (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok()).collect()
    };
    if list == "<EMPTY>" {
        return Ok(Vec::new());
    }
    list.split(',')
        .map(name)
        .collect::<Option<_>>()
        .ok_or_else(|| Stop::failed("a list of names is not hexadecimal"))
}

/// A server that names no authorities is what there is; names of one's own are not.
fn no_authorities(list: &str) -> Result<(), Stop> {
    match list {
        "<EMPTY>" | "<NULL>" => Ok(()),
        _ => Err(Stop::unimplemented("-use-client-ca-list with names")),
    }
}

/// A signature algorithm that peers may use in any case.
fn enabled_signature(value: &[u8]) -> Result<(), Stop> {
    let scheme: u16 = number(value)?;
    if SIGNATURES.contains(&scheme) {
        return Ok(());
    }
    Err(Stop::unimplemented(format!("-verify-prefs {scheme:04x}")))
}

/// Names with their lengths in front, as on the wire.
fn protocol_list(mut list: &[u8]) -> Result<Vec<Vec<u8>>, Stop> {
    let mut names = Vec::new();
    while let Some((length, rest)) = list.split_first() {
        let cut = rest.split_at_checked(usize::from(*length));
        let (name, rest) = cut.ok_or_else(|| Stop::failed("-advertise-alpn: a name is cut off"))?;
        names.push(name.to_vec());
        list = rest;
    }
    Ok(names)
}

/// The signature algorithms that are taken with every protocol that names them.
const SIGNATURES: [u16; 9] = [0x0403, 0x0503, 0x0807, 0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601];

/// secp256r1, secp384r1 and x25519, which `AllCurves` in `bogo-config.json` has too.
const GROUPS: [u16; 3] = [23, 24, 29];

/// The TLS 1.3 suites, of which `-cipher` says nothing.
const TLS13_SUITES: [&str; 3] =
    ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"];

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<CommandLine, Stop> {
        CommandLine::parse(arguments.iter().map(|argument| argument.as_bytes().to_vec()))
    }

    #[test]
    fn a_flag_is_for_every_connection_or_for_the_one_of_its_prefix() {
        let command = parse(&[
            "-port",
            "443",
            "-on-initial-max-version",
            "771",
            "-on-resume-no-tls13",
            "-on-retry-expect-session-miss",
        ])
        .unwrap();
        assert_eq!((command.initial.port, command.resume.port, command.retry.port), (443, 443, 443));
        assert_eq!(command.initial.protocols().unwrap(), PROTOCOLS[1..]);
        assert_eq!(command.resume.protocols().unwrap(), PROTOCOLS[1..]);
        assert_eq!(command.retry.protocols().unwrap(), PROTOCOLS);
        assert!(!command.resume.expect_session_miss && command.retry.expect_session_miss);
    }

    #[test]
    fn what_is_not_in_the_table_is_unimplemented() {
        for arguments in [
            &["-false-start"][..],
            &["-on-resume-false-start"],
            &["-on-resume"],
            &["port"],
            &["-cipher", "AES128-SHA:KRB5"],
            &["-use-client-ca-list", "3000"],
            &["-verify-prefs", "513"],
        ] {
            assert!(matches!(parse(arguments), Err(Stop::Unimplemented(_))), "{arguments:?}");
        }
    }

    #[test]
    fn a_value_that_is_missing_or_cannot_be_read_is_a_failure() {
        for arguments in [
            &["-port"][..],
            &["-port", "65536"],
            &["-port", "-1"],
            &["-shim-id", "x"],
            &["-ocsp-response", "=abc"],
            &["-advertise-alpn", "\u{3}fo"],
            &["-expect-client-ca-list", "3"],
        ] {
            assert!(matches!(parse(arguments), Err(Stop::Failed(_))), "{arguments:?}");
        }
    }

    #[test]
    fn protocols_are_those_that_every_flag_leaves() {
        use Protocol::{Ssl30, Tls10, Tls11, Tls12, Tls13};
        for (arguments, left) in [
            (&[][..], &[Tls13, Tls12, Tls11, Tls10, Ssl30][..]),
            (&["-max-version", "770"], &[Tls11, Tls10, Ssl30]),
            (&["-min-version", "769", "-no-tls13"], &[Tls12, Tls11, Tls10]),
            (&["-min-version", "768", "-max-version", "768"], &[Ssl30]),
            (&["-no-tls12", "-no-tls1", "-no-ssl3"], &[Tls13, Tls11]),
            (&["-no-tls11", "-no-tls1"], &[Tls13, Tls12]),
            (&["-no-tls13", "-no-tls12", "-no-tls11", "-no-tls1"], &[Ssl30]),
        ] {
            assert_eq!(parse(arguments).unwrap().initial.protocols().unwrap(), left, "{arguments:?}");
        }
        for arguments in [
            &["-min-version", "773"][..],
            &["-no-tls13", "-no-tls12", "-no-tls11", "-no-tls1", "-no-ssl3"],
            &["-min-version", "771", "-max-version", "771", "-no-tls12"],
        ] {
            let options = parse(arguments).unwrap().initial;
            let Err(Stop::Failed(what)) = options.protocols() else { panic!("{arguments:?}") };
            assert!(what.contains(":NO_SUPPORTED_VERSIONS_ENABLED:"), "{what}");
        }
    }

    #[test]
    fn the_groups_are_all_or_unimplemented() {
        let check = |curves: &[&str]| {
            let flags: Vec<&str> = curves.iter().flat_map(|curve| ["-curves", curve]).collect();
            parse(&flags).unwrap().initial.check_curves()
        };
        assert!(check(&[]).is_ok() && check(&["29", "23", "24"]).is_ok());
        for other in [&["24"][..], &["23", "24", "29", "25"], &["16696"]] {
            assert!(matches!(check(other), Err(Stop::Unimplemented(_))), "{other:?}");
        }
        let config = include_str!("../bogo-config.json");
        assert!(config.contains(&format!("\"AllCurves\": {GROUPS:?}")), "the runner must know them");
    }

    #[test]
    fn suites_of_equal_preference_are_a_clients_only() {
        let flags = ["-cipher", "[AES128-SHA|AES256-SHA]"];
        assert_eq!(parse(&flags).unwrap().initial.suites().unwrap().len(), 3 + 2);
        let server = parse(&[&flags[..], &["-server"]].concat()).unwrap().initial;
        assert!(matches!(server.suites(), Err(Stop::Unimplemented(_))));
    }

    #[test]
    fn values_are_read_as_the_runner_writes_them() {
        let options = parse(&[
            "-advertise-alpn",
            "\u{3}foo\u{1}b",
            "-cipher",
            "ECDHE-RSA-AES128-GCM-SHA256",
            "-expect-client-ca-list",
            "30ff,3000",
            "-shim-id",
            "18446744073709551615",
        ])
        .unwrap()
        .initial;
        assert_eq!(options.advertise_alpn, [&b"foo"[..], b"b"]);
        let suites = options.suites().unwrap();
        assert_eq!(suites.last(), Some(&"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"));
        assert_eq!(suites.len(), 4);
        assert_eq!(options.expect_client_ca_list.unwrap(), [[0x30, 0xff], [0x30, 0]]);
        assert_eq!(options.shim_id, Some(u64::MAX));
    }

    #[test]
    fn the_readme_names_every_flag() {
        for flag in FLAGS {
            assert!(include_str!("../README.md").contains(&format!("`{}`", flag.name)), "{}", flag.name);
        }
    }

    #[test]
    fn no_flag_stands_twice_in_the_table() {
        let mut names: Vec<&str> = FLAGS.iter().map(|flag| flag.name).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
