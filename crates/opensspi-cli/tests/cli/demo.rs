//! `demo` with a configuration: what of it is used, and what is said of the rest.

use std::path::Path;

use serde_json::Value;
use test_support::{Pki, TestCertificate};

use crate::process::run;

/// A folder with the files that a configuration names.
struct Files(tempfile::TempDir);

impl Files {
    fn new(pki: &Pki, server: &TestCertificate) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), pki.root_pem()).unwrap();
        std::fs::write(folder.path().join("server.pem"), server.chain_pem() + &server.key_pem()).unwrap();
        Self(folder)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Runs the demo under `[schannel]` with these lines and the certificate; gives its one object.
    fn demo(&self, lines: &str, code: i32) -> Value {
        let file = self.path().join("opensspi.toml");
        let certificates = "[[schannel.certificates]]\nchain = \"server.pem\"\nkey = \"file:server.pem\"\n";
        std::fs::write(&file, format!("[schannel]\n{lines}\n{certificates}")).unwrap();
        let ran =
            run(&["demo", "--bytes", "1000", "--json", "--config", file.to_str().unwrap()]).expect(code);
        ran.objects().remove(0)
    }
}

fn notes(object: &Value) -> String {
    object["notes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|note| note.as_str().unwrap())
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn the_configured_certificate_is_shown_and_judged_by_the_configured_roots() {
    let pki = Pki::new();
    let files = Files::new(&pki, &pki.server("www.demo.test").issue());
    let object = files.demo("protocols = [\"tls1.3\"]\nroots = [\"ca.pem\"]", 0);
    assert!(notes(&object).contains("the client asks for www.demo.test"), "{object}");
    let negotiated = &object["connections"][0]["negotiated"];
    assert_eq!(negotiated["target"], "www.demo.test", "{object}");
    assert_eq!(negotiated["certificates"][0]["names"][0], "www.demo.test");

    std::fs::write(files.path().join("ca.pem"), Pki::named("Another Root").root_pem()).unwrap();
    let object = files.demo("protocols = [\"tls1.3\"]\nroots = [\"ca.pem\"]", 1);
    let error = object["connections"][0]["error"].as_str().unwrap();
    assert!(error.contains("SEC_E_UNTRUSTED_ROOT"), "{error}");
}

#[test]
fn a_server_without_roots_is_shown_to_a_client_that_pins_it() {
    let pki = Pki::new();
    let files = Files::new(&pki, &pki.server("localhost").issue());
    let object = files.demo("", 0);
    assert!(notes(&object).contains("the client pins the server's certificate"), "{object}");
    assert_eq!(object["connections"].as_array().unwrap().len(), 4);
}

#[test]
fn a_revoked_certificate_fails_the_demo() {
    let pki = Pki::new();
    let server = pki.server("localhost").issue();
    let files = Files::new(&pki, &server);
    std::fs::write(files.path().join("revoked.crl"), pki.crl(&[&server]).pem()).unwrap();
    let lines = "roots = [\"ca.pem\"]\nrevocation = \"soft\"\ncrls = [\"revoked.crl\"]";
    let object = files.demo(lines, 1);
    assert!(object["connections"][0]["error"].as_str().unwrap().contains("CRYPT_E_REVOKED"), "{object}");
}

#[test]
fn client_authentication_is_shown_with_a_certificate_and_without() {
    let pki = Pki::new();
    let server = pki.server("localhost").issue();
    let files = Files::new(&pki, &server);
    let pins = format!("pins = [\"{}\"]", test_support::hex::encode(server.sha256()));
    for (mode, let_in) in [("optional", true), ("required", false)] {
        for trust in ["roots = [\"ca.pem\"]\nclient-roots = [\"ca.pem\"]", &pins] {
            let object = files.demo(&format!("client-auth = \"{mode}\"\n{trust}"), 0);
            assert!(notes(&object).contains("made by the demo"), "{object}");
            let connections = object["connections"].as_array().unwrap();
            assert_eq!(connections.len(), 6, "{object}");
            for connection in connections {
                let shown = connection["client_certificate"].as_bool().unwrap();
                assert_eq!(connection.get("refused").is_some(), !shown && !let_in, "{connection}");
            }
        }
    }
}

#[test]
fn what_a_demo_without_certificates_cannot_use_is_said() {
    let pki = Pki::new();
    let files = Files::new(&pki, &pki.server("localhost").issue());
    let ca = files.path().join("ca.pem");
    let ran =
        run(&["demo", "--bytes", "1000", "--protocols", "tls1.3", "--ca", ca.to_str().unwrap()]).expect(0);
    assert!(ran.out.contains("note: roots and pins are not used"), "{}", ran.out);
    let ran = run(&["demo", "--bytes", "1000", "--client-auth", "reqired"]).expect(2);
    assert!(ran.err.contains("did you mean \"required\"?"), "{}", ran.err);
    let server = files.path().join("server.pem");
    let arguments = ["demo", "--cert", server.to_str().unwrap(), "--ca", "/nonexistent.pem"];
    let ran = run(&arguments).expect(2);
    assert!(ran.err.contains("/nonexistent.pem") && !ran.out.contains("failed"), "{}{}", ran.out, ran.err);
}

#[test]
fn every_suite_of_windows_server_2003_is_shown_in_its_protocols() {
    let ran = run(&["demo", "--profile", "windows-2003", "--bytes", "1000", "--json"]).expect(0);
    let object = ran.objects().remove(0);
    assert!(notes(&object).contains("nothing secret"), "{object}");
    let connections = object["connections"].as_array().unwrap();
    // Thirteen suites in TLS 1.0 and SSL 3.0, six kinds of SSL 2.0, each once in full and once resumed.
    assert_eq!(connections.len(), (13 * 2 + 6) * 2);
    for connection in connections {
        assert_eq!(connection["ok"], true, "{connection}");
        assert_eq!(connection["negotiated"]["protocol"], connection["protocol"]);
    }
    assert_eq!(connections[0]["negotiated"]["cipher"], "TLS_RSA_WITH_RC4_128_MD5");
}

#[test]
fn the_museum_shows_all_seven_protocols_over_one_port() {
    let ran = run(&["demo", "--profile", "museum", "--bytes", "1000", "--json"]).expect(0);
    let object = ran.objects().remove(0);
    assert!(notes(&object).contains("i-accept-drown") && notes(&object).contains("one port"), "{object}");
    let connections = object["connections"].as_array().unwrap();
    let protocols: Vec<&str> = connections
        .iter()
        .filter(|connection| connection["session"] == "full")
        .map(|connection| connection["negotiated"]["protocol"].as_str().unwrap())
        .collect();
    assert_eq!(protocols, ["TLS 1.3", "TLS 1.2", "TLS 1.1", "TLS 1.0", "SSL 3.0", "PCT 1.0", "SSL 2.0"]);
    for connection in connections {
        let is_alike = connection["ok"] == true && connection["port"] == connections[0]["port"];
        assert!(is_alike, "{}: {}", connection["protocol"], connection["error"]);
    }
}

#[test]
fn a_package_that_is_asked_for_is_shown_alone() {
    let ran = run(&["demo", "--package", "NTLM", "--bytes", "100000", "--json"]).expect(0);
    let object = ran.objects().remove(0);
    let [connection] = &object["connections"].as_array().unwrap()[..] else { panic!("{object}") };
    assert_eq!((connection["package"].as_str(), connection["bytes"].as_u64()), (Some("NTLM"), Some(100_000)));
    let ran = run(&["demo", "--package", "digest", "--bytes", "100000", "--json"]).expect(0);
    let object = ran.objects().remove(0);
    let [connection] = &object["connections"].as_array().unwrap()[..] else { panic!("{object}") };
    assert_eq!(connection["package"].as_str(), Some("WDigest"));
    let ran = run(&["demo", "--package", "Schannel", "--bytes", "1000", "--json"]).expect(0);
    let object = ran.objects().remove(0);
    assert!(
        object["connections"].as_array().unwrap().iter().all(|one| one["package"] == "Schannel"),
        "{object}"
    );
}
