//! `connect --starttls` against servers that follow a script and then speak TLS.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use opensspi::{Config, Sspi};
use test_support::Pki;

use crate::process::run;

/// What the server sends, and what it must hear, in turn.
enum Line {
    Say(&'static [u8]),
    Hear(&'static [u8]),
}
use Line::{Hear, Say};

/// A server on a port of its own that follows the script with one client, and then echoes over TLS.
struct Scripted {
    folder: tempfile::TempDir,
    port: u16,
    serving: std::thread::JoinHandle<()>,
}

impl Scripted {
    fn start(script: Vec<Line>) -> Self {
        let pki = Pki::new();
        let folder = tempfile::tempdir().unwrap();
        let issued = pki.server("localhost").issue();
        std::fs::write(folder.path().join("ca.pem"), pki.root_pem()).unwrap();
        std::fs::write(folder.path().join("server.pem"), issued.chain_pem() + &issued.key_pem()).unwrap();
        let text = "[[schannel.certificates]]\nchain = \"server.pem\"\nkey = \"file:server.pem\"\n";
        let config = Config::from_toml(text, "test").unwrap();
        let sspi = Sspi::builder().config(config).base(folder.path()).build().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let serving = std::thread::spawn(move || {
            let (mut socket, _) = listener.accept().unwrap();
            for line in script {
                match line {
                    Say(bytes) => socket.write_all(bytes).unwrap(),
                    Hear(expected) => {
                        let mut heard = vec![0; expected.len()];
                        if socket.read_exact(&mut heard).is_err() {
                            return;
                        }
                        assert_eq!(heard, expected, "{}", heard.escape_ascii());
                    }
                }
            }
            let Ok(mut stream) = sspi.accept_blocking(socket) else { return };
            let mut data = Vec::new();
            stream.read_to_end(&mut data).unwrap();
            stream.write_all(&data).unwrap();
            stream.shutdown().unwrap();
        });
        Self { folder, port, serving }
    }

    fn connect(self, protocol: &str) -> crate::process::Ran {
        let ca = self.folder.path().join("ca.pem");
        let target = format!("localhost:{}", self.port);
        let ran = run(&[
            "connect",
            &target,
            "--starttls",
            protocol,
            "--ca",
            ca.to_str().unwrap(),
            "-c",
            "over TLS",
        ]);
        self.serving.join().unwrap();
        ran
    }
}

const LDAP_REQUEST: &[u8] = b"\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037";
const HTTP_REQUEST: &[u8] =
    b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\nUpgrade: TLS/1.0\r\nConnection: Upgrade\r\n\r\n";
const HTTP_ANSWER: &[u8] =
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: TLS/1.0, HTTP/1.1\r\nConnection: Upgrade\r\n\r\n";

#[test]
fn every_protocol_upgrades_to_tls() {
    let scripts: [(&str, Vec<Line>); 8] = [
        (
            "smtp",
            vec![
                Say(b"220-mail ESMTP\r\n220 ready\r\n"),
                Hear(b"EHLO localhost\r\n"),
                Say(b"250-mail\r\n250-SIZE 1\r\n250 STARTTLS\r\n"),
                Hear(b"STARTTLS\r\n"),
                Say(b"220 go\r\n"),
            ],
        ),
        ("imap", vec![Say(b"* OK hi\r\n"), Hear(b"a1 STARTTLS\r\n"), Say(b"a1 OK go\r\n")]),
        ("pop3", vec![Say(b"+OK hi\r\n"), Hear(b"STLS\r\n"), Say(b"+OK go\r\n")]),
        ("ldap", vec![Hear(LDAP_REQUEST), Say(b"\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00")]),
        ("ftp", vec![Say(b"220 hi\r\n"), Hear(b"AUTH TLS\r\n"), Say(b"234 go\r\n")]),
        ("nntp", vec![Say(b"200 hi\r\n"), Hear(b"STARTTLS\r\n"), Say(b"382 go\r\n")]),
        ("postgres", vec![Hear(b"\x00\x00\x00\x08\x04\xd2\x16\x2f"), Say(b"S")]),
        ("http", vec![Hear(HTTP_REQUEST), Say(HTTP_ANSWER)]),
    ];
    for (protocol, script) in scripts {
        let ran = Scripted::start(script).connect(protocol).expect(0);
        assert_eq!(ran.out, "over TLS", "{protocol}\n{}", ran.err);
    }
}

#[test]
fn a_server_that_does_not_upgrade_is_reported() {
    let ran = Scripted::start(vec![Say(b"220 hi\r\n"), Hear(b"EHLO localhost\r\n"), Say(b"250 HELP\r\n")])
        .connect("smtp")
        .expect(4);
    assert!(ran.err.contains("does not offer STARTTLS"), "{}", ran.err);
}

#[test]
fn bytes_injected_behind_the_go_ahead_are_refused() {
    let script = vec![Say(b"+OK hi\r\n"), Hear(b"STLS\r\n"), Say(b"+OK go\r\n+OK injected\r\n")];
    let ran = Scripted::start(script).connect("pop3").expect(4);
    assert!(ran.err.contains("behind its go-ahead"), "{}", ran.err);
}
