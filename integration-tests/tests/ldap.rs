//! LDAP binds that negotiate NTLM, and what follows behind them: OpenLDAP with gss-ntlmssp in both roles, and Samba's client, with
//! right and wrong passwords. Samba's directory is in `winbind.rs`.
//!
//! Messages are encrypted with encryption negotiated and without: all of them do that.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure here is a failed test")]

use std::io;
use std::net::{TcpListener, TcpStream};
use std::thread;

use ntlm::NtlmConfig;
use opensspi_integration_tests::ldap::{self, Mechanism, Served, Session};
use opensspi_integration_tests::peers::cyrus;
use opensspi_integration_tests::peers::gss::UserFile;
use opensspi_integration_tests::peers::process::{Launch, Stdout};
use opensspi_integration_tests::peers::slapd::{BASE, Slapd};
use opensspi_integration_tests::peers::{runnable_with, samba};
use opensspi_integration_tests::tokens::{self, DOMAIN, PASSWORD, USER};
use sspi_core::{AcceptRequest, InitializeRequest};
use test_support::Pki;

fn available() -> bool {
    Slapd::runnable() && runnable_with(cyrus::gss_spnego())
}

/// What a client says that is given the address of our server, and what that says of it.
fn serving(client: impl FnOnce(&str) -> (bool, String)) -> (bool, String, io::Result<Served>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("ldap://localhost:{}", listener.local_addr().unwrap().port());
    let credentials = tokens::server(&tokens::negotiate(NtlmConfig::default(), None));
    let serving = thread::spawn(move || {
        ldap::serve(listener.accept()?.0, Mechanism::GSS_SPNEGO, &*credentials, &AcceptRequest::default())
    });
    let (is_fine, said) = client(&url);
    (is_fine, said, serving.join().unwrap())
}

/// OpenLDAP's client, with gss-ntlmssp.
fn ldapsearch(url: &str, password: &str) -> (bool, String) {
    ldapsearch_with("minssf=56", url, password)
}

/// The same with signatures and no more, as it asks for them.
fn ldapsearch_signed(url: &str, password: &str) -> (bool, String) {
    ldapsearch_with("minssf=1,maxssf=1", url, password)
}

fn ldapsearch_with(strength: &str, url: &str, password: &str) -> (bool, String) {
    let users = UserFile::new(DOMAIN, USER, password).unwrap();
    let mut launch = Launch::new("ldapsearch", Stdout::Data);
    launch.arguments(["-N", "-Q", "-LLL", "-Y", "GSS-SPNEGO", "-O", strength, "-H", url]);
    launch.arguments(["-s", "base", "-b", ""]).variables(users.variables());
    let mut process = launch.start().unwrap();
    let said = String::from_utf8(process.read_to_end().unwrap()).unwrap();
    let is_fine = process.wait().unwrap().success();
    let log = process.log();
    (is_fine, said + &log)
}

/// Samba's.
fn ldbsearch(url: &str, password: &str) -> (bool, String) {
    samba::ldbsearch(url, &format!(r"{DOMAIN}\{USER}%{password}"), true).unwrap()
}

/// The same with signatures and no more.
fn ldbsearch_signed(url: &str, password: &str) -> (bool, String) {
    samba::ldbsearch(url, &format!(r"{DOMAIN}\{USER}%{password}"), false).unwrap()
}

/// A client binds, and reads what our server says of itself.
fn binds_and_reads_answers(client: fn(&str, &str) -> (bool, String), is_sealed: bool) {
    let (is_fine, said, served) = serving(|url| client(url, PASSWORD));
    let served = served.unwrap_or_else(|error| panic!("{said} {error}"));
    assert!(is_fine && said.contains("namingContexts: dc=corp,dc=test"), "{said}");
    assert!(served.who == USER && served.asked > 0, "{served:?}: {said}");
    assert!(served.is_protected && served.is_sealed == is_sealed, "{served:?}");
}

fn is_refused_with_a_wrong_password(client: fn(&str, &str) -> (bool, String)) -> String {
    let (is_fine, said, served) = serving(|url| client(url, "wrong"));
    assert!(!is_fine && !said.contains("namingContexts: dc=corp"), "{said}");
    let error = served.unwrap_err().to_string();
    assert!(error.contains("the logon was denied"), "{error}");
    said
}

#[test]
fn ldapsearch_binds_to_our_server_and_reads_sealed_and_signed_answers() {
    if available() {
        binds_and_reads_answers(ldapsearch, true);
        binds_and_reads_answers(ldapsearch_signed, false);
    }
}

#[test]
fn ldapsearch_with_a_wrong_password_is_refused() {
    if available() {
        let said = is_refused_with_a_wrong_password(ldapsearch);
        assert!(said.contains("(49)"), "{said}");
    }
}

#[test]
fn samba_as_client_binds_to_our_server_and_reads_sealed_and_signed_answers() {
    if runnable_with(samba::ldbsearch_available()) {
        binds_and_reads_answers(ldbsearch, true);
        binds_and_reads_answers(ldbsearch_signed, false);
    }
}

#[test]
fn samba_as_client_with_a_wrong_password_is_refused() {
    if runnable_with(samba::ldbsearch_available()) {
        is_refused_with_a_wrong_password(ldbsearch);
    }
}

#[test]
fn openldap_as_server_takes_our_client_sealed_and_signed() {
    if !available() {
        return;
    }
    let users = UserFile::new(DOMAIN, USER, PASSWORD).unwrap();
    let settings = "sasl-host localhost\nsasl-secprops none\naccess to * by users read by anonymous auth\n";
    let alice = format!(
        "dn: cn={USER},{BASE}\nobjectClass: user\ncn: {USER}\nsn: {USER}\nsAMAccountName: {USER}\n\n"
    );
    let certificate = Pki::new().server("localhost").issue();
    let slapd = Slapd::start_with(settings, &users.variables(), &alice, &certificate).unwrap();
    let package = tokens::negotiate(NtlmConfig::default(), None);
    let bind = |request: &InitializeRequest, password| {
        let stream = TcpStream::connect(("127.0.0.1", slapd.port())).unwrap();
        Session::bind(stream, Mechanism::GSS_SPNEGO, &*tokens::client(&package, password), request)
    };
    let sealed = tokens::sealed("ldap/localhost", &[]);
    for request in [&sealed, &tokens::signed("ldap/localhost")] {
        let mut session = bind(request, PASSWORD).unwrap();
        assert!(session.is_protected());
        for _ in 0..3 {
            assert_eq!(session.who_am_i().unwrap(), r"dn:uid=corp\5Calice,cn=gss-spnego,cn=auth");
            let found = session.search(BASE, ("sAMAccountName", USER), "cn").unwrap();
            let [entry] = &found[..] else { panic!("{found:?}") };
            let name = format!("cn={USER},{BASE}");
            assert_eq!((&entry.name, &*entry.values), (&name, &[USER.to_owned()][..]));
        }
        session.end().unwrap();
    }
    let error = bind(&sealed, "wrong").err().unwrap();
    assert!(error.to_string().contains("the server answers 49"), "{error}");
}
