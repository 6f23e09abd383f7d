//! The same application under another configuration uses another package: here one that a third party registers.

#![expect(clippy::indexing_slicing, reason = "a test fails by panicking, in its helpers too")]

mod veil;

use std::sync::Arc;

use opensspi::sspi_core::{CredentialUse, SecStatus};
use opensspi::{Config, ExitClass, Sspi};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use self::veil::Veil;

/// The application: it names no package.
async fn application(client: &Sspi, server: &Sspi, message: &[u8]) -> Result<Vec<u8>, opensspi::Error> {
    let (near, far) = tokio::io::duplex(1024);
    let serving = async {
        let mut stream = server.accept_from("test", far).await?;
        let mut data = Vec::new();
        stream.read_to_end(&mut data).await?;
        stream.write_all(&data).await?;
        stream.shutdown().await?;
        Ok::<(), opensspi::Error>(())
    };
    let calling = async {
        let mut stream = client.connect("localhost", near).await?;
        stream.write_all(message).await?;
        stream.shutdown().await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        Ok::<_, opensspi::Error>(answer)
    };
    let (served, answer) = tokio::join!(serving, calling);
    served?;
    answer
}

fn sspi(config: &str) -> Result<Sspi, opensspi::Error> {
    let config = Config::from_toml(config, "opensspi.toml")?;
    Sspi::builder().config(config).register(Arc::new(Veil::new())).build()
}

#[tokio::test]
async fn a_package_that_is_registered_is_used_when_the_configuration_names_it() {
    let veil = sspi("package = \"Veil\"").unwrap();
    assert_eq!(veil.package_info().name, "Veil");
    let message = vec![b'x'; 100_000];
    assert_eq!(application(&veil, &veil, &message).await.unwrap(), message);
}

#[tokio::test]
async fn the_same_application_uses_the_built_in_package_when_the_configuration_names_that() {
    let pki = test_support::Pki::new();
    let folder = tempfile::tempdir().unwrap();
    let issued = pki.server("localhost").issue();
    std::fs::write(folder.path().join("ca.pem"), pki.root_pem()).unwrap();
    std::fs::write(folder.path().join("server.pem"), issued.chain_pem() + &issued.key_pem()).unwrap();
    let file = folder.path().join("opensspi.toml");
    let text = "package = \"schannel\"\n[schannel]\nroots = [\"ca.pem\"]\n[[schannel.certificates]]\nchain = \"server.pem\"\nkey = \"file:server.pem\"\n";
    std::fs::write(&file, text).unwrap();
    let server = Sspi::from_file(&file).unwrap();
    let client = Sspi::from_toml("[schannel]\nroots = [\"ca.pem\"]", folder.path()).unwrap();
    assert_eq!(application(&client, &server, b"the same bytes").await.unwrap(), b"the same bytes");
    assert!(server.check().is_empty(), "{:?}", server.check());
}

#[tokio::test]
async fn two_ends_with_different_packages_get_an_error_and_no_data() {
    let veil = sspi("package = \"Veil\"").unwrap();
    let schannel = sspi("").unwrap();
    let error = application(&schannel, &veil, b"x").await.unwrap_err();
    assert!(matches!(error.class(), ExitClass::Protocol | ExitClass::Network), "{error}");
}

#[test]
fn a_credential_is_acquired_once_for_each_role() {
    let veil = sspi("package = \"Veil\"").unwrap();
    let first = veil.acquire(CredentialUse::Outbound).unwrap();
    assert!(Arc::ptr_eq(&first, &veil.clone().acquire(CredentialUse::Outbound).unwrap()));
    assert!(!Arc::ptr_eq(&first, &veil.acquire(CredentialUse::Inbound).unwrap()));
}

#[test]
fn a_name_that_is_taken_cannot_be_registered() {
    let twice = Sspi::builder().register(Arc::new(Veil::new())).register(Arc::new(Veil::new())).build();
    assert_eq!(twice.unwrap_err().status(), Some(SecStatus::SEC_E_CANNOT_INSTALL));
}

#[tokio::test]
async fn a_target_that_cannot_be_served_says_which_setting_matters() {
    let (near, _far) = tokio::io::duplex(1024);
    let error = sspi("").unwrap().accept(near).await.unwrap_err();
    assert_eq!(error.class(), ExitClass::Usage);
    assert!(error.to_string().contains("setting: certificates"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_says_nothing_is_given_up_at_the_deadline() {
    let (near, _far) = tokio::io::duplex(1024);
    let veil = sspi("package = \"Veil\"\nhandshake-deadline = \"5s\"").unwrap();
    let error = veil.connect("localhost", near).await.unwrap_err();
    assert_eq!(error.class(), ExitClass::Network);
    assert!(error.to_string().contains("5s") && error.to_string().contains("handshake-deadline"), "{error}");
}

#[test]
fn blocking_streams_are_secured_too() {
    let veil = sspi("package = \"Veil\"").unwrap();
    let server = veil.clone();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serving = std::thread::spawn(move || {
        use std::io::{Read as _, Write as _};
        let mut stream = server.accept_blocking(listener.accept().unwrap().0).unwrap();
        let mut data = [0; 5];
        stream.read_exact(&mut data).unwrap();
        stream.write_all(&data).unwrap();
        stream.flush().unwrap();
    });
    use std::io::{Read as _, Write as _};
    let mut stream =
        veil.connect_blocking("localhost", std::net::TcpStream::connect(address).unwrap()).unwrap();
    stream.write_all(b"hello").unwrap();
    stream.flush().unwrap();
    let mut data = [0; 5];
    stream.read_exact(&mut data).unwrap();
    assert_eq!(&data, b"hello");
    serving.join().unwrap();
}
