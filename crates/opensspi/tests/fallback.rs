//! A second connection with less, to a server that does not understand the first hello.

#![cfg(all(feature = "schannel", feature = "tokio"))]
#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::sync::atomic::{AtomicUsize, Ordering};

use opensspi::{Error, Sspi};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

const CLIENT: &str = r#"
[schannel]
profile = "legacy"
roots = ["ca.pem"]
fallback = FALLBACK
"#;

const SERVER: &str = r#"
[schannel]
PROTOCOLS
[[schannel.certificates]]
chain = "server.pem"
key = "file:server.pem"
"#;

struct World {
    folder: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let pki = test_support::Pki::new();
        let issued = pki.server("localhost").rsa_2048().issue();
        std::fs::write(folder.path().join("ca.pem"), pki.root_pem()).unwrap();
        std::fs::write(folder.path().join("server.pem"), issued.chain_pem() + &issued.key_pem()).unwrap();
        Self { folder }
    }

    fn client(&self, fallback: bool) -> Sspi {
        let text = CLIENT.replace("FALLBACK", &fallback.to_string());
        Sspi::from_toml(&text, self.folder.path()).unwrap()
    }

    fn server(&self, protocols: &str) -> Sspi {
        Sspi::from_toml(&SERVER.replace("PROTOCOLS", protocols), self.folder.path()).unwrap()
    }
}

/// Answers the first connection with the alert protocol_version, as servers do that know TLS 1.3 and may not speak it;
/// later ones are served.
async fn serve(server: Sspi, connection: usize, mut stream: DuplexStream) {
    if connection == 0 {
        let mut hello = [0; 5];
        stream.read_exact(&mut hello).await.unwrap();
        stream.write_all(&[21, 3, 1, 0, 2, 2, 70]).await.unwrap();
        return;
    }
    if let Ok(mut stream) = server.accept(stream).await {
        stream.write_all(b"here I am").await.unwrap();
        stream.shutdown().await.unwrap();
    }
}

/// What the client reads, and how often it connected.
async fn connect(client: &Sspi, server: &Sspi) -> (Result<Vec<u8>, Error>, usize) {
    let connections = AtomicUsize::new(0);
    let request = client.initialize_request("localhost");
    let connected = client
        .connect_via(&request, async || {
            let (near, far) = tokio::io::duplex(16 << 10);
            let number = connections.fetch_add(1, Ordering::Relaxed);
            tokio::spawn(serve(server.clone(), number, far));
            Ok::<_, Error>(near)
        })
        .await;
    let read = match connected {
        Ok(mut stream) => {
            let mut data = Vec::new();
            stream.read_to_end(&mut data).await.unwrap();
            Ok(data)
        }
        Err(error) => Err(error),
    };
    (read, connections.load(Ordering::Relaxed))
}

#[tokio::test]
async fn a_server_that_refuses_the_first_hello_is_reached_with_a_second_connection_where_that_is_allowed() {
    let world = World::new();
    let server = world.server("protocols = [\"tls1.0\"]");
    let client = world.client(true);
    let (read, connections) = connect(&client, &server).await;
    assert_eq!((read.unwrap(), connections), (b"here I am".to_vec(), 2));
    assert_eq!(client.fallbacks(), 1);

    let client = world.client(false);
    let (read, connections) = connect(&client, &server).await;
    let Err(Error::Security(error)) = read else { panic!("without permission there is no second attempt") };
    assert_eq!((error.setting(), connections), (Some("fallback"), 1), "{error}");
    assert_eq!(client.fallbacks(), 0);
}

#[tokio::test]
async fn a_server_that_can_do_better_ends_the_second_attempt() {
    let world = World::new();
    let (client, server) = (world.client(true), world.server("profile = \"legacy\""));
    let (read, connections) = connect(&client, &server).await;
    let Err(Error::Security(error)) = read else { panic!("somebody in between lowered the protocol") };
    assert!(error.message().contains("inappropriate_fallback"), "{error}");
    assert_eq!((connections, client.fallbacks()), (2, 1));
}
