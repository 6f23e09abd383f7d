//! The shim against OpenSSL, a peer that is not our own. Without it these tests are reported as not run, or fail where the
//! environment says `OPENSSPI_PEERS=required`, as CI's does.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a failure here is a failed test"
)]

mod support;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;

use schannel::Protocol;
use support::{BOTH, Runner, Shim, only, xor};

fn available() -> bool {
    let available = Command::new("openssl").arg("version").stdout(Stdio::null()).status().is_ok();
    if !available {
        assert_ne!(std::env::var("OPENSSPI_PEERS").as_deref(), Ok("required"), "there is no openssl");
        eprintln!("not run: there is no openssl");
    }
    available
}

fn version(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Tls13 => "-tls1_3",
        _ => "-tls1_2",
    }
}

/// A program of OpenSSL, ended when it is dropped.
struct OpenSsl {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    errors: BufReader<ChildStderr>,
}

impl OpenSsl {
    fn start(arguments: &[&str]) -> Self {
        Self::start_of("openssl", arguments)
    }

    fn start_of(program: &str, arguments: &[&str]) -> Self {
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().unwrap());
        let errors = BufReader::new(child.stderr.take().unwrap());
        Self { child, input, output, errors }
    }

    fn write(&mut self, bytes: &[u8]) {
        let input = self.input.as_mut().unwrap();
        input.write_all(bytes).unwrap();
        input.flush().unwrap();
    }

    fn read(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.output.read_exact(&mut bytes).unwrap();
        bytes
    }
}

impl Drop for OpenSsl {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _status = self.child.wait();
    }
}

/// OpenSSL 1.1.1 with SSL 3.0, where it was built for the tests with other implementations.
fn with_ssl3() -> Option<String> {
    let executable = std::env::current_exe().unwrap();
    let target = executable.ancestors().find(|folder| folder.join("CACHEDIR.TAG").is_file())?;
    let program = target.join("peers/openssl111/openssl");
    if !program.is_file() {
        eprintln!("SSL 3.0 not run: there is no OpenSSL 1.1.1 at {}", program.display());
        return None;
    }
    Some(program.to_str().unwrap().to_owned())
}

/// A server, and its port.
fn server(runner: &Runner, arguments: &[&str]) -> (OpenSsl, String) {
    server_of("openssl", runner.files(&runner.certificate), arguments)
}

fn server_of(program: &str, (chain, key): (String, String), arguments: &[&str]) -> (OpenSsl, String) {
    let always = ["s_server", "-accept", "127.0.0.1:0", "-cert", &chain, "-key", &key];
    let mut server = OpenSsl::start_of(program, &[&always[..], arguments].concat());
    let mut line = String::new();
    while server.output.read_line(&mut line).unwrap() > 0 {
        if let Some(port) = line.trim().strip_prefix("ACCEPT 127.0.0.1:") {
            let port = port.to_owned();
            return (server, port);
        }
        line.clear();
    }
    panic!("s_server does not listen");
}

/// Connects whoever connects to the returned port with the runner's next shim.
fn relay(shim: TcpStream) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        let client = listener.accept().unwrap().0;
        shim.set_read_timeout(None).unwrap();
        let copy = |mut from: TcpStream, mut to: TcpStream| {
            thread::spawn(move || {
                let _until_one_is_gone = std::io::copy(&mut from, &mut to);
                let _gone = to.shutdown(Shutdown::Write);
            })
        };
        copy(shim.try_clone().unwrap(), client.try_clone().unwrap());
        copy(client, shim);
    });
    port
}

#[test]
fn a_client_talks_to_s_server_and_resumes() {
    if !available() {
        return;
    }
    let runner = Runner::new();
    for protocol in BOTH {
        let (mut server, port) = server(&runner, &[version(protocol)]);
        let flags = ["-port", &port, "-resume-count", "2", "-shim-shuts-down", "-check-close-notify"];
        Shim::start(&[&flags[..], &[only(protocol), "-expect-extended-master-secret"]].concat()).succeeds();
        drop(server.input.take());
    }
}

/// Every age that a peer can be restricted to, with what it must be told.
fn ages() -> Vec<(String, &'static [&'static str])> {
    let system = "openssl".to_owned();
    let mut ages: Vec<(String, &[&str])> = vec![
        (system.clone(), &["-tls1_2", "-cipher", "AES128-SHA:@SECLEVEL=0"]),
        (system.clone(), &["-tls1_2", "-cipher", "ECDHE-RSA-AES256-SHA384"]),
        (system.clone(), &["-tls1_2", "-cipher", "DHE-RSA-AES128-GCM-SHA256:@SECLEVEL=0"]),
        (system.clone(), &["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"]),
        (system, &["-tls1", "-cipher", "ECDHE-RSA-AES128-SHA:@SECLEVEL=0"]),
    ];
    if let Some(program) = with_ssl3() {
        ages.push((program.clone(), &["-tls1", "-cipher", "DES-CBC3-SHA"]));
        ages.push((program.clone(), &["-ssl3", "-cipher", "RC4-SHA"]));
        ages.push((program, &["-ssl3", "-cipher", "AES256-SHA"]));
    }
    ages
}

#[test]
fn a_client_of_all_protocols_reaches_servers_of_every_age_and_resumes() {
    if !available() {
        return;
    }
    let runner = Runner::new();
    let (chain, key) = runner.files(&runner.pki.client("alice").rsa_2048().issue());
    // A session by ticket, one by identifier, and one whose client showed a certificate.
    let modes: [&[&str]; 3] = [&[], &["-no_ticket"], &["-Verify", "1"]];
    for (program, age) in ages() {
        for mode in modes {
            let (mut server, port) = server_of(&program, runner.files(&runner.rsa), &[age, mode].concat());
            let flags = ["-port", &port, "-resume-count", "2", "-cert-file", &chain, "-key-file", &key];
            Shim::start(&[&flags[..], &["-shim-shuts-down"]].concat()).succeeds();
            drop(server.input.take());
        }
    }
}

/// The hello names the older versions too, and both sides hash and sign what was sent.
#[test]
fn a_client_of_all_protocols_speaks_the_newest_that_a_server_has() {
    if !available() {
        return;
    }
    let runner = Runner::new();
    let (chain, key) = runner.files(&runner.pki.client("alice").rsa_2048().issue());
    let verify = ["-Verify", "1"];
    for arguments in [
        &["-tls1_3"][..],
        &["-tls1_3", "-Verify", "1"],
        // A HelloRetryRequest, and a second hello.
        &["-tls1_3", "-curves", "P-384"],
        &["-tls1_3", "-curves", "P-384", "-Verify", "1"],
        &["-tls1_2"],
        &[&["-tls1_2"][..], &verify].concat(),
    ] {
        let (mut server, port) = server(&runner, arguments);
        let flags = ["-port", &port, "-cert-file", &chain, "-key-file", &key, "-shim-shuts-down"];
        Shim::start(&flags).succeeds();
        drop(server.input.take());
    }
}

#[test]
fn a_server_of_all_protocols_serves_clients_of_every_age() {
    if !available() {
        return;
    }
    let runner = Runner::new();
    let (chain, key) = runner.files(&runner.rsa);
    let (alice, alice_key) = runner.files(&runner.pki.client("alice").rsa_2048().issue());
    for (program, age) in ages() {
        for shows in [false, true] {
            let own: &[&str] = if shows {
                &["-require-any-client-certificate", "-expect-peer-cert-file", &alice]
            } else {
                &[]
            };
            let always = ["-server", "-cert-file", &chain, "-key-file", &key, "-check-close-notify"];
            let shim = runner.start(&[&always[..], own].concat());
            let connect = format!("127.0.0.1:{}", relay(runner.accept()));
            let always = ["s_client", "-connect", &connect, "-quiet", "-no_ign_eof"];
            let with: &[&str] = if shows { &["-cert", &alice, "-key", &alice_key] } else { &[] };
            let mut client = OpenSsl::start_of(&program, &[&always[..], age, with].concat());
            client.write(b"hello");
            assert_eq!(client.read(5), xor(b"hello"), "{age:?}");
            drop(client.input.take());
            shim.succeeds();
        }
    }
}

#[test]
fn a_server_talks_to_s_client() {
    if !available() {
        return;
    }
    let runner = Runner::new();
    for protocol in BOTH {
        let shim =
            runner.start_server(&[only(protocol), "-expect-secure-renegotiation", "-check-close-notify"]);
        let connect = format!("127.0.0.1:{}", relay(runner.accept()));
        let mut client = OpenSsl::start(&[
            "s_client",
            "-connect",
            &connect,
            version(protocol),
            "-quiet",
            "-no_ign_eof",
            "-nocommands",
        ]);
        client.write(b"hello");
        assert_eq!(client.read(5), xor(b"hello"));
        drop(client.input.take());
        shim.succeeds();
    }
}

#[test]
fn a_peer_that_wants_to_negotiate_again_hears_no() {
    if !available() {
        return;
    }
    let runner = Runner::new();
    let (mut server, port) = server(&runner, &["-tls1_2"]);
    let shim = Shim::start(&["-port", &port, "-shim-writes-first"]);
    // The summary of the handshake comes before the shim's word; then the server asks for another.
    let mut line = String::new();
    while !line.starts_with("Secure Renegotiation IS supported") {
        line.clear();
        assert!(server.output.read_line(&mut line).unwrap() > 0, "s_server goes on");
    }
    server.write(b"r\n");
    shim.fails(":NO_RENEGOTIATION:");

    let shim = runner.start_server(&["-no-tls13", "-shim-writes-first"]);
    let connect = format!("127.0.0.1:{}", relay(runner.accept()));
    let mut client = OpenSsl::start(&["s_client", "-connect", &connect, "-tls1_2"]);
    while !line.ends_with("hello") {
        let byte = client.read(1);
        line.push(char::from(byte[0]));
    }
    client.write(b"R\n");
    shim.fails(":NO_RENEGOTIATION:");
}

#[test]
fn a_key_update_is_answered() {
    if !available() {
        return;
    }
    let runner = Runner::new();
    let shim = runner.start_server(&["-no-tls12", "-shim-writes-first"]);
    let connect = format!("127.0.0.1:{}", relay(runner.accept()));
    let mut client = OpenSsl::start(&["s_client", "-connect", &connect, "-tls1_3"]);
    let mut seen = Vec::new();
    while !seen.ends_with(b"hello") {
        seen.extend(client.read(1));
    }
    client.write(b"K\n");
    // A command is one read of its input: what is written before it has answered would be part of it.
    let mut line = String::new();
    while line.trim() != "KEYUPDATE" {
        line.clear();
        assert!(client.errors.read_line(&mut line).unwrap() > 0, "s_client goes on");
    }
    client.write(b"after\n");
    while !seen.ends_with(&xor(b"after\n")) {
        seen.extend(client.read(1));
    }
    client.write(b"Q\n");
    shim.succeeds();
}
