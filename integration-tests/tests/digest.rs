//! DIGEST-MD5 against GNU SASL, Cyrus SASL in OpenLDAP and Java: both roles, every protection that they have, with the right
//! password and with a wrong one.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure here is a failed test")]

use std::io;
use std::net::{TcpListener, TcpStream};
use std::thread;

use opensspi_integration_tests::digest::{
    EVERYTHING, NAMES_BEYOND_ASCII, PASSWORD, REALM, USER, advance, base64, client, client_as, completed,
    continued, server, talk, unwrap, wrap,
};
use opensspi_integration_tests::ldap::{self, Mechanism};
use opensspi_integration_tests::peers::cyrus::{self, Parity};
use opensspi_integration_tests::peers::gsasl;
use opensspi_integration_tests::peers::java;
use opensspi_integration_tests::peers::process::{Launch, Stdout};
use opensspi_integration_tests::peers::slapd::{BASE, Slapd};
use opensspi_integration_tests::peers::{Peer, Process, runnable, runnable_with};
use sspi_core::{AcceptRequest, CredentialsHandle, InitializeRequest, SecurityContext};
use test_support::Pki;

// ---- GNU SASL ----

#[test]
fn gsasl_as_client_logs_on_and_talks_and_is_refused_with_a_wrong_password() {
    if !runnable_with(gsasl::available()) {
        return;
    }
    for (qop, theirs_qop, password) in
        [("auth", "qop-auth", PASSWORD), ("auth-int", "qop-int", PASSWORD), ("auth", "qop-auth", "wrong")]
    {
        let credentials = server(&format!("qop = [\"{qop}\"]"));
        let mut ours = credentials.accept(&AcceptRequest::default()).unwrap();
        let mut theirs = gsasl::start(true, password, theirs_qop).unwrap();
        assert_eq!(theirs.step(&[]).unwrap(), (false, Vec::new()));
        let (_, response) = theirs.step(&continued(advance(&mut *ours, &[]).unwrap())).unwrap();
        if password != PASSWORD {
            let failure = advance(&mut *ours, &response).unwrap_err();
            assert_eq!(failure.error.message(), "the name or the password is wrong");
            // A server that does not know her either.
            let error = theirs.step(b"rspauth=00000000000000000000000000000000").unwrap_err();
            assert!(error.to_string().contains("Error authenticating"), "{error}");
            continue;
        }
        let (mut context, proof) = completed(advance(&mut *ours, &response).unwrap());
        assert_eq!(theirs.step(&proof).unwrap(), (true, Vec::new()));
        assert_eq!(context.security_context_token().unwrap().name, USER);
        assert_eq!(context.attributes().client_specified_target().unwrap(), gsasl::SERVICE);
        if qop == "auth-int" {
            talk(&mut *context, &mut theirs);
        }
    }
}

#[test]
fn gsasl_as_server_takes_our_client_and_talks_and_refuses_a_wrong_password() {
    if !runnable_with(gsasl::available()) {
        return;
    }
    let request =
        InitializeRequest { target_name: Some(gsasl::SERVICE.into()), ..InitializeRequest::default() };
    for (qop, password) in [("auth", PASSWORD), ("auth-int", PASSWORD), ("auth", "wrong")] {
        let mut ours = client(&format!("qop = [\"{qop}\"]"), password).initialize(&request).unwrap();
        let mut theirs = gsasl::start(false, PASSWORD, "qop-auth,qop-int").unwrap();
        let (_, challenge) = theirs.step(&[]).unwrap();
        let response = continued(ours.initialize_security_context(&challenge).unwrap());
        if password != PASSWORD {
            let error = theirs.step(&response).unwrap_err();
            assert!(error.to_string().contains("Error authenticating"), "{error}");
            continue;
        }
        let (is_done, proof) = theirs.step(&response).unwrap();
        assert!(is_done);
        let (mut context, _) = completed(ours.initialize_security_context(&proof).unwrap());
        if qop == "auth-int" {
            talk(&mut *context, &mut theirs);
        }
    }
}

/// It knows confidentiality by name only.
#[test]
fn gsasl_has_no_confidentiality_in_either_role() {
    if !runnable_with(gsasl::available()) {
        return;
    }
    assert!(gsasl::start(false, PASSWORD, "qop-auth,qop-conf").unwrap().step(&[]).is_err());
    let credentials = server("qop = [\"auth-conf\", \"auth\"]\nciphers = [\"rc4\"]");
    let mut ours = credentials.accept(&AcceptRequest::default()).unwrap();
    let mut theirs = gsasl::start(true, PASSWORD, "qop-conf").unwrap();
    theirs.step(&[]).unwrap();
    assert!(theirs.step(&continued(advance(&mut *ours, &[]).unwrap())).is_err());
}

// ---- Cyrus SASL in OpenLDAP ----

/// What is asked of a context, and what that is: a protection, a cipher, and the strength by which Cyrus SASL calls it.
const PROTECTIONS: [(&str, &str, &str); 7] = [
    ("auth", "", "minssf=0,maxssf=0"),
    ("auth-int", "", "minssf=1,maxssf=1"),
    ("auth-conf", "3des", "minssf=112,maxssf=112"),
    ("auth-conf", "rc4", "minssf=128,maxssf=128"),
    ("auth-conf", "des", "minssf=55,maxssf=55"),
    ("auth-conf", "rc4-56", "minssf=56,maxssf=56"),
    ("auth-conf", "rc4-40", "minssf=40,maxssf=40"),
];

/// OpenLDAP with Cyrus SASL, which has triple DES with what this compiles.
fn openldap() -> Option<Parity> {
    let there = Slapd::runnable() && runnable_with(cyrus::digest_md5());
    there.then(|| Parity::compile().unwrap())
}

fn section(qop: &str, cipher: &str) -> String {
    let ciphers = if cipher.is_empty() { String::new() } else { format!("ciphers = [\"{cipher}\"]\n") };
    format!("qop = [\"{qop}\"]\n{ciphers}")
}

fn slapd(parity: &Parity) -> Slapd {
    let settings = "sasl-host localhost\nsasl-realm corp.test\nsasl-secprops none\npassword-hash {CLEARTEXT}\n\
                    authz-regexp uid=([^,@]+)(,cn=[^,]+)?,cn=digest-md5,cn=auth cn=$1,dc=corp,dc=test\n\
                    access to attrs=userPassword by anonymous auth\naccess to * by users read by anonymous auth\n";
    let entry = |(user, password)| {
        format!(
            "dn: cn={user},{BASE}\nobjectClass: user\ncn: {user}\nsn: {user}\nuid: {user}\nsAMAccountName: {user}\nuserPassword: {password}\n\n"
        )
    };
    let entries: String = [(USER, PASSWORD)].into_iter().chain(NAMES_BEYOND_ASCII).map(entry).collect();
    let certificate = Pki::new().server("localhost").issue();
    Slapd::start_with(settings, &[parity.variable()], &entries, &certificate).unwrap()
}

#[test]
fn openldap_as_server_takes_every_protection_of_our_client() {
    let Some(parity) = openldap() else { return };
    let slapd = slapd(&parity);
    let request =
        InitializeRequest { target_name: Some("ldap/localhost".into()), ..InitializeRequest::default() };
    let bind = |credentials: &dyn CredentialsHandle| {
        let stream = TcpStream::connect(("127.0.0.1", slapd.port())).unwrap();
        ldap::Session::bind(stream, Mechanism::DIGEST_MD5, credentials, &request)
    };
    for (qop, cipher, _) in PROTECTIONS {
        let mut session = bind(&*client(&section(qop, cipher), PASSWORD)).unwrap();
        assert_eq!((session.cipher(), session.is_protected()), (cipher, qop != "auth"));
        // Ciphers go on from message to message.
        for _ in 0..3 {
            assert_eq!(session.who_am_i().unwrap(), format!("dn:cn={USER},{BASE}"));
        }
        session.end().unwrap();
    }
    let error = bind(&*client(EVERYTHING, "wrong")).err().unwrap();
    assert!(error.to_string().starts_with("the server answers 49: "), "{error}");
}

/// It makes the hash of what it knows in UTF-8, and writes names of entries in lower case.
#[test]
fn openldap_as_server_takes_our_client_with_names_and_passwords_beyond_ascii() {
    let Some(parity) = openldap() else { return };
    let slapd = slapd(&parity);
    let request =
        InitializeRequest { target_name: Some("ldap/localhost".into()), ..InitializeRequest::default() };
    let bind = |user, password| {
        let stream = TcpStream::connect(("127.0.0.1", slapd.port())).unwrap();
        let credentials = client_as(&section("auth-int", ""), user, password);
        ldap::Session::bind(stream, Mechanism::DIGEST_MD5, &*credentials, &request)
    };
    for (user, password) in NAMES_BEYOND_ASCII {
        let mut session = bind(user, password).unwrap_or_else(|error| panic!("{user}: {error}"));
        assert_eq!(session.who_am_i().unwrap(), format!("dn:cn={},{BASE}", user.to_lowercase()));
        session.end().unwrap();
        let error = bind(user, "Passwört").err().unwrap();
        assert!(error.to_string().starts_with("the server answers 49: "), "{user}: {error}");
    }
}

/// What `ldapwhoami` says, and what our server says of it.
fn ldapwhoami(
    parity: &Parity,
    section: &str,
    strength: &str,
    (user, password): (&str, &str),
) -> (bool, String, io::Result<ldap::Served>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("ldap://localhost:{}", listener.local_addr().unwrap().port());
    let credentials = server(section);
    let serving = thread::spawn(move || {
        ldap::serve(listener.accept()?.0, Mechanism::DIGEST_MD5, &*credentials, &AcceptRequest::default())
    });
    let mut launch = Launch::new("ldapwhoami", Stdout::Data);
    launch.arguments(["-N", "-Q", "-Y", "DIGEST-MD5", "-U", user, "-R", REALM, "-w", password]);
    launch.arguments(["-O", strength, "-H", &url]).variables([parity.variable()]);
    let mut process = launch.start().unwrap();
    let said = String::from_utf8(process.read_to_end().unwrap()).unwrap();
    let is_fine = process.wait().unwrap().success();
    let log = process.log();
    (is_fine, said + &log, serving.join().unwrap())
}

#[test]
fn openldap_as_client_gets_every_protection_of_our_server() {
    let Some(parity) = openldap() else { return };
    for (qop, cipher, strength) in PROTECTIONS {
        let (is_fine, said, served) = ldapwhoami(&parity, &section(qop, cipher), strength, (USER, PASSWORD));
        let served = served.unwrap_or_else(|error| panic!("{qop} {cipher}: {said} {error}"));
        assert!(is_fine && said.contains("u:alice"), "{qop} {cipher}: {said}");
        assert_eq!((served.who.as_str(), served.cipher.as_str()), (USER, cipher));
        assert_eq!((served.is_protected, served.asked), (qop != "auth", 1), "{qop} {cipher}");
    }
    let (is_fine, said, served) =
        ldapwhoami(&parity, &section("auth-conf", "rc4"), "minssf=128", (USER, "wrong"));
    assert!(!is_fine && said.contains("Invalid credentials (49)"), "{said}");
    assert!(served.unwrap_err().to_string().contains("the name or the password is wrong"));
}

#[test]
fn openldap_as_client_has_names_and_passwords_beyond_ascii() {
    let Some(parity) = openldap() else { return };
    for (user, right) in NAMES_BEYOND_ASCII {
        for password in [right, "Passwört"] {
            let strength = "minssf=1,maxssf=1";
            let (is_fine, said, served) =
                ldapwhoami(&parity, &section("auth-int", ""), strength, (user, password));
            if password == right {
                let served = served.unwrap_or_else(|error| panic!("{user}: {said} {error}"));
                assert!(is_fine && served.who == user && served.asked == 1, "{user}: {said} {served:?}");
            } else {
                assert!(!is_fine && said.contains("Invalid credentials (49)"), "{user}: {said}");
                assert!(served.unwrap_err().to_string().contains("the name or the password is wrong"));
            }
        }
    }
}

// ---- Java ----

/// A line to Java, and its answer.
fn asks(java: &mut Process, line: &str) -> String {
    java.send(format!("{line}\n").as_bytes()).unwrap();
    says(java)
}

fn says(java: &mut Process) -> String {
    let line = java.read_line().unwrap();
    line.unwrap_or_else(|| panic!("{}", java.error("it ended"))).trim_end().to_owned()
}

fn token(java: &mut Process, token: &[u8]) -> Vec<u8> {
    base64::decode(&asks(java, &base64::encode(token))).unwrap()
}

/// Messages in both directions, twice.
fn exchange(java: &mut Process, context: &mut dyn SecurityContext) {
    for text in [&b"a message"[..], &[7; 3000]] {
        let sealed = base64::decode(&asks(java, &format!("wrap {}", base64::encode(text)))).unwrap();
        assert_eq!(unwrap(context, &sealed).unwrap(), text);
        let sealed = wrap(context, text).unwrap();
        let opened = asks(java, &format!("unwrap {}", base64::encode(sealed.get(4..).unwrap())));
        assert_eq!(base64::decode(&opened).unwrap(), text);
    }
}

#[test]
fn java_as_client_and_as_server_has_every_protection() {
    if !runnable(&[Peer::Java]) {
        return;
    }
    for (qop, cipher, _) in PROTECTIONS {
        let mut java = java::digest(&["client", REALM, USER, PASSWORD, qop, cipher]).unwrap();
        let credentials = server(&section(qop, cipher));
        let mut ours = credentials.accept(&AcceptRequest::default()).unwrap();
        let response = token(&mut java, &continued(advance(&mut *ours, &[]).unwrap()));
        let (mut context, proof) = completed(advance(&mut *ours, &response).unwrap());
        assert!(token(&mut java, &proof).is_empty());
        assert_eq!(says(&mut java), "done");
        if qop != "auth" {
            exchange(&mut java, &mut *context);
        }

        let mut java = java::digest(&["server", REALM, USER, PASSWORD, qop, cipher]).unwrap();
        let request =
            InitializeRequest { target_name: Some("imap/localhost".into()), ..InitializeRequest::default() };
        let mut ours = client(&section(qop, cipher), PASSWORD).initialize(&request).unwrap();
        let challenge = base64::decode(&says(&mut java)).unwrap();
        let response = continued(ours.initialize_security_context(&challenge).unwrap());
        let proof = token(&mut java, &response);
        assert_eq!(says(&mut java), "done");
        let (mut context, _) = completed(ours.initialize_security_context(&proof).unwrap());
        if qop != "auth" {
            exchange(&mut java, &mut *context);
        }
        assert_eq!(context.attributes().names().unwrap(), USER);
    }
}

#[test]
fn java_with_a_wrong_password_is_refused_and_refuses_one() {
    if !runnable(&[Peer::Java]) {
        return;
    }
    let mut java = java::digest(&["client", REALM, USER, "wrong", "auth", ""]).unwrap();
    let credentials = server("");
    let mut ours = credentials.accept(&AcceptRequest::default()).unwrap();
    let response = token(&mut java, &continued(advance(&mut *ours, &[]).unwrap()));
    let failure = advance(&mut *ours, &response).unwrap_err();
    assert_eq!(failure.error.message(), "the name or the password is wrong");

    let mut java = java::digest(&["server", REALM, USER, PASSWORD, "auth", ""]).unwrap();
    let request =
        InitializeRequest { target_name: Some("imap/localhost".into()), ..InitializeRequest::default() };
    let mut ours = client("", "wrong").initialize(&request).unwrap();
    let challenge = base64::decode(&says(&mut java)).unwrap();
    let response = continued(ours.initialize_security_context(&challenge).unwrap());
    java.send(format!("{}\n", base64::encode(&response)).as_bytes()).unwrap();
    assert_eq!(java.read_line().unwrap(), None);
    assert!(java.wait_for("SaslException").is_ok(), "{}", java.log());
}

#[test]
fn java_as_client_and_as_server_has_names_and_passwords_beyond_ascii() {
    if !runnable(&[Peer::Java]) {
        return;
    }
    let request =
        InitializeRequest { target_name: Some("imap/localhost".into()), ..InitializeRequest::default() };
    for (user, right) in NAMES_BEYOND_ASCII {
        for password in [right, "Passwört"] {
            let mut java = java::digest(&["client", REALM, user, password, "auth-int", ""]).unwrap();
            let credentials = server(&section("auth-int", ""));
            let mut ours = credentials.accept(&AcceptRequest::default()).unwrap();
            let response = token(&mut java, &continued(advance(&mut *ours, &[]).unwrap()));
            if password == right {
                let step = advance(&mut *ours, &response);
                let (mut context, proof) =
                    completed(step.unwrap_or_else(|failure| panic!("{user}: {}", failure.error)));
                assert!(token(&mut java, &proof).is_empty());
                assert_eq!(says(&mut java), "done");
                exchange(&mut java, &mut *context);
                assert_eq!(context.security_context_token().unwrap().name, user);
            } else {
                let failure = advance(&mut *ours, &response).unwrap_err();
                assert_eq!(failure.error.message(), "the name or the password is wrong", "{user}");
            }

            let mut java = java::digest(&["server", REALM, user, right, "auth-int", ""]).unwrap();
            let ours = client_as(&section("auth-int", ""), user, password);
            let mut ours = ours.initialize(&request).unwrap();
            let challenge = base64::decode(&says(&mut java)).unwrap();
            let response = continued(ours.initialize_security_context(&challenge).unwrap());
            if password == right {
                let proof = token(&mut java, &response);
                assert_eq!(says(&mut java), "done");
                let (mut context, _) = completed(ours.initialize_security_context(&proof).unwrap());
                exchange(&mut java, &mut *context);
            } else {
                java.send(format!("{}\n", base64::encode(&response)).as_bytes()).unwrap();
                assert_eq!(java.read_line().unwrap(), None, "{user}");
                assert!(java.wait_for("SaslException").is_ok(), "{user}: {}", java.log());
            }
        }
    }
}
