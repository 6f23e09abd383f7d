//! Digest against GNU SASL, Cyrus SASL in OpenLDAP, Java, curl, Apache and three libraries of Python: both roles, with the right
//! password and with a wrong one.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure here is a failed test")]

use std::io;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::thread;

use opensspi_integration_tests::digest::{
    EVERYTHING, PASSWORD, REALM, USER, advance, base64, client, http, ldap, server, unwrap, wrap,
};
use opensspi_integration_tests::peers::apache::{self, Apache};
use opensspi_integration_tests::peers::gsasl::{self, Gsasl};
use opensspi_integration_tests::peers::java;
use opensspi_integration_tests::peers::process::{Launch, Stdout};
use opensspi_integration_tests::peers::slapd::{BASE, Slapd};
use opensspi_integration_tests::peers::{Peer, Process, installed, note, runnable, runnable_with};
use sspi_core::{AcceptRequest, InitializeRequest, SecurityContext, Step};
use test_support::Pki;

// ---- GNU SASL ----

fn continued(step: Step) -> Vec<u8> {
    match step {
        Step::Continue { token, .. } => token,
        other => panic!("{other:?}"),
    }
}

fn completed(step: Step) -> (Box<dyn SecurityContext>, Vec<u8>) {
    match step {
        Step::Complete { context, token, .. } => (context, token),
        other => panic!("{other:?}"),
    }
}

#[test]
fn gsasl_as_client_logs_on_and_its_signed_messages_are_read() {
    if !runnable_with(gsasl::available()) {
        return;
    }
    for qop in ["auth", "auth-int"] {
        let credentials = server(&format!("qop = [\"{qop}\"]"));
        let mut ours = credentials.accept(&AcceptRequest::default()).unwrap();
        let peer_qop = if qop == "auth" { "qop-auth" } else { "qop-int" };
        let mut theirs = Gsasl::client(PASSWORD, peer_qop).unwrap();
        assert!(theirs.token().unwrap().is_empty());
        theirs.send(&continued(advance(&mut *ours, &[]).unwrap())).unwrap();
        let response = theirs.token().unwrap();
        let (mut context, proof) = completed(advance(&mut *ours, &response).unwrap());
        theirs.send(&proof).unwrap();
        assert!(theirs.token().unwrap().is_empty());
        theirs.send(&[]).unwrap();
        theirs.finish().unwrap();
        assert_eq!(context.security_context_token().unwrap().name, USER);
        assert_eq!(context.attributes().client_specified_target().unwrap(), gsasl::SERVICE);
        if qop == "auth-int" {
            for line in ["a line", "another line"] {
                let message = theirs.protect(line).unwrap();
                let opened = unwrap(&mut *context, message.get(4..).unwrap()).unwrap();
                assert_eq!(String::from_utf8_lossy(&opened).trim_end(), line);
            }
        }
    }
}

#[test]
fn gsasl_as_client_with_a_wrong_password_is_refused_and_refuses_a_server_that_does_not_know_it() {
    if !runnable_with(gsasl::available()) {
        return;
    }
    let credentials = server("qop = [\"auth\"]");
    let mut ours = credentials.accept(&AcceptRequest::default()).unwrap();
    let mut theirs = Gsasl::client("wrong", "qop-auth").unwrap();
    theirs.token().unwrap();
    theirs.send(&continued(advance(&mut *ours, &[]).unwrap())).unwrap();
    let failure = advance(&mut *ours, &theirs.token().unwrap()).unwrap_err();
    assert_eq!(failure.error.message(), "the name or the password is wrong");
    theirs.send(b"rspauth=00000000000000000000000000000000").unwrap();
    let refusal = theirs.refusal().unwrap();
    assert!(refusal.contains("gsasl: "), "{refusal}");
}

#[test]
fn gsasl_as_server_accepts_our_client_and_refuses_a_wrong_password() {
    if !runnable_with(gsasl::available()) {
        return;
    }
    let request =
        InitializeRequest { target_name: Some(gsasl::SERVICE.into()), ..InitializeRequest::default() };
    for password in [PASSWORD, "wrong"] {
        let mut ours = client("", password).initialize(&request).unwrap();
        let mut theirs = Gsasl::server().unwrap();
        let response = continued(ours.initialize_security_context(&theirs.token().unwrap()).unwrap());
        theirs.send(&response).unwrap();
        if password == PASSWORD {
            let proof = theirs.token().unwrap();
            completed(ours.initialize_security_context(&proof).unwrap());
            theirs.send(&[]).unwrap();
            theirs.finish().unwrap();
        } else {
            let refusal = theirs.refusal().unwrap();
            assert!(refusal.contains("gsasl: "), "{refusal}");
        }
    }
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

fn has_cyrus() -> bool {
    let folders = [
        "/usr/lib/x86_64-linux-gnu/sasl2",
        "/usr/lib/aarch64-linux-gnu/sasl2",
        "/usr/lib/sasl2",
        "/usr/lib64/sasl2",
    ];
    let found = folders.iter().any(|folder| Path::new(folder).join("libdigestmd5.so").exists());
    if !found {
        note("not run: DIGEST-MD5 of Cyrus SASL is not there (Debian: apt-get install libsasl2-modules)");
    }
    found
}

fn section(qop: &str, cipher: &str) -> String {
    let ciphers = if cipher.is_empty() { String::new() } else { format!("ciphers = [\"{cipher}\"]\n") };
    format!("qop = [\"{qop}\"]\n{ciphers}")
}

fn slapd() -> Slapd {
    let settings = "sasl-host localhost\nsasl-realm corp.test\nsasl-secprops none\npassword-hash {CLEARTEXT}\n\
                    authz-regexp uid=([^,@]+)(,cn=[^,]+)?,cn=digest-md5,cn=auth cn=$1,dc=corp,dc=test\n\
                    access to attrs=userPassword by anonymous auth\naccess to * by users read by anonymous auth\n";
    let alice = format!(
        "dn: cn={USER},{BASE}\nobjectClass: user\ncn: {USER}\nsn: {USER}\nuid: {USER}\nsAMAccountName: {USER}\nuserPassword: {PASSWORD}\n"
    );
    Slapd::start_with(settings, &alice, &Pki::new().server("localhost").issue()).unwrap()
}

#[test]
fn openldap_as_server_takes_every_protection_of_our_client() {
    if !Slapd::runnable() || !has_cyrus() {
        return;
    }
    let slapd = slapd();
    let request =
        InitializeRequest { target_name: Some("ldap/localhost".into()), ..InitializeRequest::default() };
    let connect = || TcpStream::connect(("127.0.0.1", slapd.port())).unwrap();
    let mut ran = Vec::new();
    for (qop, cipher, _) in PROTECTIONS {
        let credentials = client(&section(qop, cipher), PASSWORD);
        match ldap::who_am_i(connect(), &*credentials, &request) {
            Ok(answer) => {
                assert_eq!(
                    (answer.who.as_str(), answer.cipher.as_str()),
                    (&*format!("dn:cn={USER},{BASE}"), cipher)
                );
                ran.push(format!("{qop} {cipher}"));
            }
            // Its builds with OpenSSL 3 offer triple DES and do not have it.
            Err(error) if error.to_string().contains("init cipher") => {
                note(&format!("not run: {cipher}: {error}"));
            }
            Err(error) => panic!("{qop} {cipher}: {error}"),
        }
    }
    assert!(ran.len() >= 3, "{ran:?}");
    let credentials = client(EVERYTHING, "wrong");
    let error = ldap::who_am_i(connect(), &*credentials, &request).unwrap_err();
    assert!(error.to_string().starts_with("the server answers 49: "), "{error}");
}

/// What `ldapwhoami` says, and what our server says of it.
fn ldapwhoami(
    qop: &str,
    cipher: &str,
    strength: &str,
    password: &str,
) -> (bool, String, io::Result<ldap::Answer>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("ldap://localhost:{}", listener.local_addr().unwrap().port());
    let credentials = server(&section(qop, cipher));
    let serving =
        thread::spawn(move || ldap::serve(listener.accept()?.0, &*credentials, &AcceptRequest::default()));
    let mut launch = Launch::new("ldapwhoami", Stdout::Data);
    launch.arguments(["-N", "-Q", "-Y", "DIGEST-MD5", "-U", USER, "-R", REALM, "-w", password]);
    launch.arguments(["-O", strength, "-H", &url]);
    let mut process = launch.start().unwrap();
    let said = String::from_utf8(process.read_to_end().unwrap()).unwrap();
    let is_fine = process.wait().unwrap().success();
    let log = process.log();
    (is_fine, said + &log, serving.join().unwrap())
}

#[test]
fn openldap_as_client_gets_every_protection_of_our_server() {
    if !Slapd::runnable() || !has_cyrus() {
        return;
    }
    let mut ran = Vec::new();
    for (qop, cipher, strength) in PROTECTIONS {
        let (is_fine, said, answer) = ldapwhoami(qop, cipher, strength, PASSWORD);
        match answer {
            Ok(answer) if is_fine => {
                assert_eq!((answer.who.as_str(), answer.cipher.as_str()), (USER, cipher));
                assert!(said.contains("u:alice"), "{said}");
                ran.push(format!("{qop} {cipher}"));
            }
            // Its builds with OpenSSL 3 do not have triple DES.
            _ if !cipher.is_empty() && said.contains("failed to init cipher") => {
                note(&format!("not run: {cipher}: {said}"));
            }
            answer => panic!("{qop} {cipher}: {said} {answer:?}"),
        }
    }
    assert!(ran.len() >= 3, "{ran:?}");
    let (is_fine, said, answer) = ldapwhoami("auth-conf", "rc4", "minssf=128", "wrong");
    assert!(!is_fine && said.contains("Invalid credentials (49)"), "{said}");
    assert!(answer.unwrap_err().to_string().contains("the name or the password is wrong"));
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

// ---- HTTP ----

#[test]
fn curl_logs_on_with_the_algorithms_that_it_has_and_not_with_a_wrong_password() {
    if !runnable(&[Peer::Curl]) {
        return;
    }
    for (algorithms, qop) in [
        ("\"MD5\"", "\"auth\""),
        ("\"MD5-sess\"", "\"auth\""),
        ("\"SHA-256\"", "\"auth\""),
        ("\"SHA-256-sess\"", "\"auth\", \"auth-int\""),
        ("\"SHA-256\", \"MD5\"", "\"auth\""),
        ("\"MD5\"", "\"none\""),
    ] {
        let credentials = server(&format!("algorithms = [{algorithms}]\nqop = [{qop}]"));
        let ours = http::Server::start(credentials).unwrap();
        for password in [PASSWORD, "wrong"] {
            let mut launch = Launch::new("curl", Stdout::Data);
            launch.arguments(["--silent", "--digest", "--user", &format!("{USER}:{password}")]);
            // Twice over one connection: the second request goes on with the nonce of the first.
            launch.arguments(["--write-out", "%{http_code}\n", &ours.url(), &ours.url()]);
            let mut process = launch.start().unwrap();
            let said = String::from_utf8(process.read_to_end().unwrap()).unwrap();
            assert!(process.wait().unwrap().success());
            let expected = match password {
                PASSWORD => format!("{0}200\n{0}200\n", http::CONTENT),
                _ => "401\n401\n".to_owned(),
            };
            assert_eq!(said, expected, "{algorithms}, {qop}, {password}");
        }
    }
}

#[test]
fn curl_posts_a_form_with_its_name_hashed() {
    if !runnable(&[Peer::Curl]) {
        return;
    }
    let ours = http::Server::start(server("algorithms = [\"SHA-256\"]\nuserhash = true")).unwrap();
    let mut launch = Launch::new("curl", Stdout::Data);
    launch.arguments(["--silent", "--digest", "--user", &format!("{USER}:{PASSWORD}"), "--data", "a=1&b=2"]);
    launch.arguments(["--write-out", "%{http_code}", &ours.url()]);
    let mut process = launch.start().unwrap();
    let said = String::from_utf8(process.read_to_end().unwrap()).unwrap();
    assert_eq!(said, format!("{}200", http::CONTENT));
}

#[test]
fn apache_accepts_our_client_proves_itself_and_refuses_a_wrong_password() {
    if !runnable_with(apache::available()) {
        return;
    }
    let apache = Apache::start().unwrap();
    let credentials = client("algorithms = [\"MD5\"]", PASSWORD);
    for expected in [2, 1, 1] {
        let fetched = http::fetch(apache.port(), apache::PATH, &*credentials).unwrap();
        assert!(fetched.response.first.contains(" 200 "), "{fetched:?}\n{}", apache.log());
        assert_eq!(fetched.response.body, b"secret\n");
        assert!(fetched.is_mutual, "{fetched:?}");
        assert_eq!(fetched.requests, expected, "the nonce serves again");
    }
    let error =
        http::fetch(apache.port(), apache::PATH, &*client("algorithms = [\"MD5\"]", "wrong")).unwrap_err();
    assert!(error.to_string().contains("SEC_E_LOGON_DENIED"), "{error}");
    let error = http::fetch(apache.port(), apache::PATH, &*client("", PASSWORD)).unwrap_err();
    assert!(error.to_string().contains("digest.algorithms"), "MD5 is off until it is named: {error}");
}

#[test]
fn libraries_of_python_log_on_and_not_with_a_wrong_password() {
    let folder = match installed("http") {
        Ok(folder) => folder,
        Err(why) => return note(&format!("not run: {why}")),
    };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/http_digest.py");
    let python = folder.join("bin/python");
    for (library, algorithm, qop, method) in [
        ("requests", "MD5", "auth", "GET"),
        ("requests", "SHA-256", "auth", "POST"),
        ("httpx", "MD5-sess", "auth", "GET"),
        ("httpx", "SHA-256", "auth", "POST"),
        ("aiohttp", "MD5", "auth", "GET"),
        ("aiohttp", "SHA-256", "auth-int", "POST"),
        ("aiohttp", "SHA-256", "auth-int", "GET"),
    ] {
        let ours = http::Server::start(server(&format!("algorithms = [\"{algorithm}\"]\nqop = [\"{qop}\"]")))
            .unwrap();
        for password in [PASSWORD, "wrong"] {
            let mut launch = Launch::new(&python.to_string_lossy(), Stdout::Data);
            launch.arguments([script, library, method, &ours.url(), USER, password]);
            let mut process = launch.start().unwrap();
            let said = process.read_to_end().unwrap();
            let said: serde_json::Value = serde_json::from_slice(&said)
                .unwrap_or_else(|_| panic!("{library}: {}", process.error("it says nothing")));
            let case = format!("{library}, {algorithm}, {qop}, {password}: {said}");
            assert_eq!(said["status"], if password == PASSWORD { 200 } else { 401 }, "{case}");
            assert_eq!(said["qop"], qop, "{case}");
        }
    }
}
