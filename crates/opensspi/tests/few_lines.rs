//! What it takes an application to log on with NTLM and to send a sealed message: less than fifteen lines.

#![cfg(all(feature = "tokio", feature = "ntlm"))]

use opensspi::sspi_core::{ContextFlags, IscRet};
use opensspi::{FileLogons, NewAccount, Sspi};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

#[tokio::test]
async fn a_handshake_in_one_process_with_a_sealed_message_takes_less_than_fifteen_lines()
-> Result<(), Box<dyn std::error::Error>> {
    // What an operator has done before.
    let folder = tempfile::tempdir()?;
    let alice = NewAccount { name: "alice".into(), ..NewAccount::default() };
    FileLogons::add(folder.path().join("logons.toml"), &alice, "open sesame")?;
    std::fs::write(folder.path().join("password"), "open sesame")?;

    // begin
    let server = "package = 'NTLM'\nlogon.accounts = 'logons.toml'\n";
    let client =
        "package = 'NTLM'\nntlm = { user = 'alice', password = 'file:password', reflection = 'allow' }\n";
    let server = Sspi::from_toml(server, folder.path())?;
    let client = Sspi::from_toml(client, folder.path())?;
    let (near, far) = tokio::io::duplex(4096);
    let (client, server) = tokio::join!(client.connect("host/localhost", near), server.accept(far));
    let (mut client, mut server) = (client?, server?);
    client.write_all(b"a message").await?;
    client.flush().await?;
    let mut message = [0; 9];
    server.read_exact(&mut message).await?;
    assert_eq!(message, *b"a message");
    // end

    let ContextFlags::Initiator(flags) = client.attributes().flags() else {
        return Err("the flags of a server".into());
    };
    assert!(flags.contains(IscRet::CONFIDENTIALITY), "it was sealed");
    let source = include_str!("few_lines.rs");
    let application =
        source.split_once("// begin\n").and_then(|(_, rest)| rest.split_once("    // end")).unwrap().0;
    assert!(application.lines().count() < 15, "{application}");
    Ok(())
}
