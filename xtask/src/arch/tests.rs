//! The checker, given workspaces and files that exist in these tests only.

use super::*;
use std::collections::BTreeMap;

/// A member with normal dependencies.
fn package(name: &str, folder: &str, needs: &[&str]) -> Package {
    let dependencies =
        needs.iter().map(|name| Dependency { name: (*name).to_owned(), rename: None, kind: Kind::Normal });
    Package {
        name: name.to_owned(),
        folder: folder.to_owned(),
        is_published: true,
        dependencies: dependencies.collect(),
    }
}

fn graph(members: Vec<Package>) -> Graph {
    Graph { members, resolved: BTreeMap::new() }
}

/// What is found in a workspace where only `from` needs anything.
fn found(from: &str, folder: &str, needs: &[&str]) -> Vec<String> {
    let mut members = vec![
        package(SSPI_CORE, "sspi-core", &[]),
        package(WIRE, "crates/wire", &[]),
        package(CRYPTO, "crates/crypto", &[]),
        package(SCHANNEL, "providers/schannel", &[]),
        package("opensspi-ntlm", "providers/ntlm", &[]),
        package(SSPI_TOKIO, "crates/sspi-tokio", &[]),
        package(OPENSSPI, "crates/opensspi", &[]),
    ];
    members.retain(|member| member.name != from);
    members.push(package(from, folder, needs));
    check_graph(&graph(members)).iter().map(ToString::to_string).collect()
}

fn in_file(package: &Package, path: &str, text: &str) -> Vec<String> {
    let providers = ["schannel", "ntlm"]
        .map(|name| self::package(&format!("opensspi-{name}"), &format!("providers/{name}"), &[]));
    let mut members = providers.to_vec();
    members.retain(|member| member.name != package.name);
    members.push(package.clone());
    let sources = Sources::new(vec![SourceFile::new(path, text)]);
    check_sources(&graph(members), &sources).iter().map(ToString::to_string).collect()
}

fn schannel() -> Package {
    package(SCHANNEL, "providers/schannel", &["rustls", "ring"])
}

#[test]
fn forbidden_edges_are_reported_with_their_reason() {
    let cases: [(&str, &str, &str, &str); 14] = [
        (SSPI_CORE, "sspi-core", "tokio", "the contract knows no runtime"),
        (SSPI_CORE, "sspi-core", SCHANNEL, "the contract knows no provider"),
        (SSPI_CORE, "sspi-core", WIRE, "the contract knows no protocol"),
        (
            SSPI_CORE,
            "sspi-core",
            "tracing",
            "the contract needs nothing but zeroize, subtle, thiserror, secrecy",
        ),
        (WIRE, "crates/wire", SSPI_CORE, BELOW_SSPI),
        (SCHANNEL, "providers/schannel", "opensspi-ntlm", "no provider depends on another provider"),
        (SCHANNEL, "providers/schannel", "tokio-util", "the runtime is named at the async edge only"),
        (SCHANNEL, "providers/schannel", "aes", "primitive crates are named in crypto only"),
        (SCHANNEL, "providers/schannel", "subtle", "comparisons in constant time come from crypto"),
        (
            SSPI_TOKIO,
            "crates/sspi-tokio",
            SCHANNEL,
            "the providers are listed and reached through opensspi only",
        ),
        (SSPI_TOKIO, "crates/sspi-tokio", CRYPTO, EDGE),
        (OPENSSPI, "crates/opensspi", "tokio", "the runtime is named at the async edge only"),
        (
            OPENSSPI,
            "crates/opensspi",
            "rustls",
            "rustls is a backend of Schannel, and named nowhere else but in comparisons",
        ),
        ("opensspi-ntlm", "providers/ntlm", "ring", "primitive crates are named in crypto only"),
    ];
    for (from, folder, to, reason) in cases {
        assert_eq!(found(from, folder, &[to]), [format!("{from} → {to}: {reason}")]);
    }
}

#[test]
fn allowed_edges_pass() {
    let cases: [(&str, &str, &[&str]); 6] = [
        (SSPI_CORE, "sspi-core", &["zeroize", "subtle", "thiserror", "secrecy"]),
        (CRYPTO, "crates/crypto", &["ring", "sha2", "subtle", WIRE]),
        (SCHANNEL, "providers/schannel", &[SSPI_CORE, WIRE, CRYPTO, "rustls", "rustls-pki-types", "tracing"]),
        (SSPI_TOKIO, "crates/sspi-tokio", &[SSPI_CORE, "tokio"]),
        (OPENSSPI, "crates/opensspi", &[SSPI_CORE, SSPI_TOKIO, SCHANNEL, "opensspi-ntlm", "serde"]),
        (
            INTEGRATION_TESTS,
            "integration-tests",
            &[OPENSSPI, SCHANNEL, "rustls", "tokio-rustls", "ring", "rsa"],
        ),
    ];
    for (from, folder, to) in cases {
        assert_eq!(found(from, folder, to), [""; 0]);
    }
}

#[test]
fn edges_for_tests_only_are_judged_by_their_own_lists() {
    let mut opensspi = package(OPENSSPI, "crates/opensspi", &["tokio", "ring", "rustls"]);
    for dependency in &mut opensspi.dependencies {
        dependency.kind = Kind::Dev;
    }
    let violations = check_graph(&graph(vec![opensspi]));
    assert_eq!(violations.len(), 1);
    assert_eq!(violations[0].what, "opensspi → rustls");
}

#[test]
fn runtime_behind_another_crate_is_reported_with_the_way_to_it() {
    let mut graph = graph(vec![package(SCHANNEL, "providers/schannel", &["store"])]);
    graph.resolved = BTreeMap::from([
        (SCHANNEL.to_owned(), vec!["store".to_owned()]),
        ("store".to_owned(), vec!["tokio".to_owned()]),
    ]);
    let violations = check_graph(&graph);
    assert_eq!(violations.len(), 1);
    assert_eq!(violations[0].what, "opensspi-schannel → store → tokio");
}

#[test]
fn member_without_a_row_is_reported() {
    let violations = check_graph(&graph(vec![package("newcomer", "crates/newcomer", &[])]));
    assert_eq!(violations.len(), 1);
    assert_eq!(violations[0].what, "newcomer");
}

#[test]
fn sspi_words_are_refused_below_sspi() {
    let wire = package(WIRE, "crates/wire", &[]);
    let text =
        "/// For SecBuffer.\npub struct SecurityLevel;\nconst A: u32 = SEC_E_OK;\nstruct SecP256r1MLKEM768;";
    let reason = "wire, crypto, gss and legacy-tls know no SSPI";
    assert_eq!(
        in_file(&wire, "crates/wire/src/lib.rs", text),
        [
            format!("crates/wire/src/lib.rs:1 names SecBuffer: {reason}"),
            format!("crates/wire/src/lib.rs:3 names SEC_E_OK: {reason}"),
        ]
    );
    let core = package(SSPI_CORE, "sspi-core", &[]);
    assert_eq!(in_file(&core, "sspi-core/src/lib.rs", text), [""; 0]);
}

#[test]
fn files_sockets_clock_environment_and_randomness_are_refused_below_the_edge() {
    let text = "use std::{env, fs};\nfn a() { std::time::Instant::now(); SystemTime::now(); }\n\
                use std::net::TcpStream;\nuse ring::rand::SystemRandom;";
    let named = in_file(&schannel(), "providers/schannel/src/client.rs", text);
    let whats: Vec<&str> =
        named.iter().filter_map(|line| line.split_once(": ")).map(|(what, _)| what).collect();
    let expected = [
        "1 names std::fs",
        "3 names std::net",
        "2 names Instant::now",
        "2 names SystemTime::now",
        "1 names std::env",
        "4 names SystemRandom",
    ];
    assert_eq!(whats, expected.map(|name| format!("providers/schannel/src/client.rs:{name}")));
}

#[test]
fn tests_and_the_named_exception_may_use_the_system() {
    let crypto = package(CRYPTO, "crates/crypto", &[]);
    let random = "use ring::rand::SystemRandom;";
    assert_eq!(in_file(&crypto, "crates/crypto/src/random.rs", random), [""; 0]);
    assert_eq!(in_file(&crypto, "crates/crypto/src/hash.rs", random).len(), 1);
    let test = "#[cfg(test)] mod tests { use std::fs; fn a() { Instant::now(); } }";
    assert_eq!(in_file(&crypto, "crates/crypto/src/hash.rs", test), [""; 0]);
    assert_eq!(in_file(&crypto, "crates/crypto/tests/all.rs", "use std::fs;"), [""; 0]);
    let types = "use std::time::{Duration, SystemTime}; use core::net::IpAddr; fn a(now: SystemTime) {}";
    assert_eq!(in_file(&crypto, "crates/crypto/src/hash.rs", types), [""; 0]);
}

#[test]
fn providers_are_named_in_the_one_list_only() {
    let mut opensspi = package(OPENSSPI, "crates/opensspi", &[SCHANNEL]);
    opensspi.dependencies[0].rename = Some("schannel".to_owned());
    let text = "pub use schannel::Config;";
    assert_eq!(in_file(&opensspi, THE_LIST, text), [""; 0]);
    assert_eq!(
        in_file(&opensspi, "crates/opensspi/src/config.rs", text),
        [format!(
            "crates/opensspi/src/config.rs:1 names schannel::Config: one place lists the packages: {THE_LIST}"
        )]
    );
    let ours = "use crate::providers::schannel; fn f(schannel: u8) -> u8 { schannel }";
    assert_eq!(in_file(&opensspi, "crates/opensspi/src/config.rs", ours), [""; 0]);
}

#[test]
fn foreign_types_in_public_signatures_are_refused() {
    let path = "providers/schannel/src/config.rs";
    let cases = [
        "pub fn f(a: &rustls::Error) {}",
        "use rustls::Error; pub fn f(a: u8) -> Result<(), Error> { }",
        "use rustls::Error as Theirs; pub const fn f<T: Into<Theirs>>(a: T) {}",
        "pub struct S { a: u8, pub b: Vec<(u8, rustls::Error)>, }",
        "pub struct S(u8, pub rustls::Error);",
        "pub enum E { A, B { cause: rustls::Error } }",
        "pub trait T { fn f(&self) -> rustls::Error; }",
        "pub type T = Box<rustls::Error>;",
        "pub use rustls::Error;",
        "use rustls; pub fn f(a: rustls::Error) {}",
        "struct S; impl From<rustls::Error> for S { }",
    ];
    for text in cases {
        assert_eq!(
            in_file(&schannel(), path, text),
            [format!(
                "{path}:1 makes rustls::Error public: no type of rustls, ring or RustCrypto is in a public API"
            )],
            "{text}"
        );
    }
}

#[test]
fn foreign_types_behind_our_own_are_fine() {
    let text = "use ring::{digest, aead::LessSafeKey as Sha1}; use rustls::{self, Error};
        pub(crate) fn f(a: rustls::Error) {}
        pub fn digest(digest: &[u8]) -> Vec<u8> { digest::digest(&rustls::X, digest); todo() }
        #[error(Error)] pub struct S { a: rustls::Error, pub digest: u8 }
        pub struct T(rustls::Error, pub u8);
        impl T { pub const fn len(self) -> usize { 1 } fn algorithm(self) -> &'static rustls::Error { } }
        impl T { pub(crate) const fn ours(self) -> &'static rustls::Error { } }
        pub enum E { Sha1, Error(u8) }
        pub trait P { fn f(&self) -> u8 { rustls::go() } }
        impl rustls::Verifier for S { fn g(&self) -> rustls::Error { } }";
    assert_eq!(in_file(&schannel(), "providers/schannel/src/config.rs", text), [""; 0]);
    let public = "pub fn f(a: rustls::Error) {}";
    assert_eq!(in_file(&schannel(), "providers/schannel/src/backend/rustls/handshake.rs", public), [""; 0]);
    let mut bench = schannel();
    bench.is_published = false;
    assert_eq!(in_file(&bench, "providers/schannel/src/config.rs", public), [""; 0]);
}

fn engine() -> Package {
    package(LEGACY_TLS, "crates/legacy-tls", &[])
}

#[test]
fn questions_about_versions_are_refused_in_the_handshake() {
    let cases = [
        ("fn f() { if version == other {} }", "compares versions"),
        ("fn f() { if self.rules.version != other {} }", "compares versions"),
        ("fn f() { a = x < policy.highest && y; }", "compares versions"),
        ("fn f() { a = session.version <= *offer; }", "compares versions"),
        ("fn f() { a = b >= *hello.client_version; }", "compares versions"),
        ("fn f() { a = 0x0301 > version.0; }", "compares versions"),
        ("fn f() { a = version.0 > 3; }", "compares versions"),
        ("fn f() { a = version.min(other); }", "compares versions"),
        ("fn f() { match hello.version { _ => {} } }", "matches a version"),
        ("fn f() { a = matches!(rules.version, _); }", "matches a version"),
        ("fn f() { a = Self(ProtocolVersion::TLS12); }", "names a version"),
    ];
    for (text, does) in cases {
        for path in ["crates/legacy-tls/src/tls/client.rs", "crates/legacy-tls/src/tls/server/hello.rs"] {
            let expected = format!(
                "{path}:1 {does}: no version question outside versions/: a row of rules, or a method there, answers it"
            );
            assert_eq!(in_file(&engine(), path, text), [expected], "{text}");
        }
    }
}

#[test]
fn versions_are_told_apart_where_their_rules_are_and_in_tests() {
    let text = "fn f() { if version == ProtocolVersion::TLS12 { match version { _ => {} } } }";
    for path in ["tls/versions/order.rs", "detect.rs", "tls/tests/flows.rs"] {
        assert_eq!(in_file(&engine(), &format!("crates/legacy-tls/src/{path}"), text), [""; 0]);
    }
    let fine = "fn f(version: ProtocolVersion, all: Vec<ProtocolVersion>) -> Option<ProtocolVersion> {
        let version = hello.version; let a = version.rules().and_then(ProtocolVersion::rules);
        let Start { version, .. } = self; if a.has_room_for(version) && len <= maximum && x.version() == 3 { }
        match version.rules() { _ => {} } policy.versions.contains(&version); writer.u16(self.version.0); }";
    assert_eq!(in_file(&engine(), "crates/legacy-tls/src/tls/server.rs", fine), [""; 0]);
}
