//! One connection: its transport, StartTLS, TLS over any package, and the bind.

use std::sync::Arc;
use std::{fmt, io};

use ldap3::asn1::{PL, StructureTag, parse_tag};
use ldap3::{Ldap, LdapConnAsync, LdapConnSettings, LdapError, StdStream};
use sspi_core::{CredentialsHandle, Error, Fault, InitializeRequest, IscReq, SecStatus};
use sspi_tokio::HandshakeOptions;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::guard;
use crate::options::{Options, Protection, Server};

/// Opens a connection to one of the servers, and says who we are.
pub(crate) async fn open(
    options: &Options,
    server: &Server,
    tls: Option<&Arc<dyn CredentialsHandle>>,
) -> Result<Ldap, Error> {
    let connect = TcpStream::connect((server.host.as_str(), server.port));
    let mut stream = connect.await.map_err(|error| unreachable_server(server, error))?;
    let _latency_only = stream.set_nodelay(true);
    let mut ldap = match (options.protection, tls) {
        (Protection::None, _) => join(stream).await,
        (_, None) => {
            let what = "the directory wants TLS, and there are no credentials for it";
            return Err(Error::new(SecStatus::SEC_E_NO_CREDENTIALS, Fault::Configuration, what));
        }
        (protection, Some(tls)) => {
            if protection == Protection::StartTls {
                start_tls(&mut stream).await.map_err(|error| unreachable_server(server, error))?;
            }
            join(secure(stream, &server.host, tls).await?).await
        }
    }
    .map_err(|error| unreachable_server(server, error))?;
    if let Some(bind) = &options.bind {
        let bound = ldap
            .simple_bind(&bind.dn, bind.password.expose_secret())
            .await
            .and_then(|result| result.success());
        bound.map_err(|error| match error {
            LdapError::LdapResult { ref result } => {
                let what =
                    format!("the directory {server} does not let {} in (result {})", bind.dn, result.rc);
                failed(what).with_setting("bind-dn").with_source(error)
            }
            other => unreachable_server(server, other),
        })?;
    }
    Ok(ldap)
}

/// `SEC_E_NO_AUTHENTICATING_AUTHORITY`: the directory has no answer.
pub(crate) fn failed(what: impl Into<String>) -> Error {
    Error::new(SecStatus::SEC_E_NO_AUTHENTICATING_AUTHORITY, Fault::Configuration, what.into())
        .with_setting("directory")
}

/// The directory cannot be reached, or says what cannot be understood.
pub(crate) fn unreachable_server(
    server: &dyn fmt::Display,
    error: impl std::error::Error + Send + Sync + 'static,
) -> Error {
    failed(format!("the directory {server} cannot be asked: {error}")).with_source(error)
}

/// TLS, by whichever package the credential is of.
async fn secure(
    stream: TcpStream,
    host: &str,
    tls: &Arc<dyn CredentialsHandle>,
) -> Result<sspi_tokio::SecureStream<TcpStream>, Error> {
    let request = InitializeRequest {
        target_name: Some(host.to_owned()),
        flags: IscReq::MUTUAL_AUTH
            | IscReq::REPLAY_DETECT
            | IscReq::SEQUENCE_DETECT
            | IscReq::CONFIDENTIALITY
            | IscReq::INTEGRITY
            | IscReq::EXTENDED_ERROR
            | IscReq::STREAM,
        ..InitializeRequest::default()
    };
    // The deadline is that of the question.
    let options = HandshakeOptions::of(tls.package_info()).with_deadline(None);
    let handshake = sspi_tokio::handshake(stream, tls.initialize(&request)?, &options).await;
    handshake.map_err(|error| {
        let what = format!("the directory {host} cannot be trusted, or does not speak TLS: {error}");
        failed(what).with_source(error)
    })
}

/// An ExtendedRequest for StartTLS, 1.3.6.1.4.1.1466.20037, as message 1.
///
/// Spec: LDAP section 4.14.1.
const START_TLS: &[u8] = b"\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037";

/// Asks for TLS. What the server sends after its answer and before the handshake is not protected by anything, and ends the
/// connection.
async fn start_tls<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S) -> io::Result<()> {
    stream.write_all(START_TLS).await?;
    stream.flush().await?;
    let mut input = Vec::new();
    let length = loop {
        if let Some(length) = guard::message(&input)? {
            break length;
        }
        if stream.read_buf(&mut input).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    };
    if input.len() > length {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "data in clear follows the answer to StartTLS",
        ));
    }
    match extended_result(&input) {
        Some(0) => Ok(()),
        Some(result) => Err(io::Error::other(format!("it has no StartTLS (result {result})"))),
        None => Err(io::Error::new(io::ErrorKind::InvalidData, "it answers StartTLS with something else")),
    }
}

/// The resultCode of an ExtendedResponse to message 1.
fn extended_result(message: &[u8]) -> Option<u8> {
    const EXTENDED_RESPONSE: u64 = 24;
    let Ok((_, StructureTag { payload: PL::C(message), .. })) = parse_tag(message) else { return None };
    let [
        StructureTag { payload: PL::P(id), .. },
        StructureTag { id: EXTENDED_RESPONSE, payload: PL::C(fields), .. },
        ..,
    ] = message.as_slice()
    else {
        return None;
    };
    match fields.first() {
        Some(StructureTag { payload: PL::P(code), .. }) if id.as_slice() == [1] => match code.as_slice() {
            [code] => Some(*code),
            _ => None,
        },
        _ => None,
    }
}

/// Gives a stream to the LDAP library, which takes sockets only.
async fn join<S: AsyncRead + AsyncWrite + Send + 'static>(stream: S) -> io::Result<Ldap> {
    let (ours, theirs, url) = pair().await?;
    tokio::spawn(async move {
        // Either end shows to the library as the end of its socket.
        if let Err(error) = relay(stream, ours).await {
            tracing::debug!(%error, "a connection to the directory ended");
        }
    });
    let settings = LdapConnSettings::new().set_std_stream(theirs);
    let (connection, ldap) = LdapConnAsync::with_settings(settings, url).await.map_err(io::Error::other)?;
    tokio::spawn(async move {
        if let Err(error) = connection.drive().await {
            tracing::debug!(%error, "a connection to the directory ended");
        }
    });
    Ok(ldap)
}

/// Two sockets that are connected to each other, and the URL with which the library takes the second.
#[cfg(unix)]
async fn pair() -> io::Result<(tokio::net::UnixStream, StdStream, &'static str)> {
    let (ours, theirs) = tokio::net::UnixStream::pair()?;
    Ok((ours, StdStream::Unix(theirs.into_std()?), "ldapi:///"))
}

/// Two sockets that are connected to each other, and the URL with which the library takes the second.
#[cfg(not(unix))]
async fn pair() -> io::Result<(TcpStream, StdStream, &'static str)> {
    let listener = tokio::net::TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).await?;
    let theirs = TcpStream::connect(listener.local_addr()?).await?;
    loop {
        // Somebody else on this machine may be quicker.
        let (ours, peer) = listener.accept().await?;
        if peer == theirs.local_addr()? {
            return Ok((ours, StdStream::Tcp(theirs.into_std()?), "ldap://localhost"));
        }
    }
}

/// What the library says goes to the server as it is; what the server says goes to the library message by message.
async fn relay<S, L>(stream: S, library: L) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite,
    L: AsyncRead + AsyncWrite,
{
    let (mut from_server, mut to_server) = tokio::io::split(stream);
    let (mut from_library, mut to_library) = tokio::io::split(library);
    let down = async {
        let mut input = Vec::new();
        loop {
            while let Some(length) = guard::message(&input)? {
                to_library.write_all(input.get(..length).unwrap_or_default()).await?;
                input.drain(..length);
            }
            if from_server.read_buf(&mut input).await? == 0 {
                return Ok(());
            }
        }
    };
    let up = async { tokio::io::copy(&mut from_library, &mut to_server).await.map(|_| ()) };
    tokio::select! {
        ended = down => ended,
        ended = up => ended,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What StartTLS comes to with a server that answers this.
    async fn answered(answer: &[u8]) -> io::Result<()> {
        let (mut ours, mut server) = tokio::io::duplex(1024);
        server.write_all(answer).await.unwrap();
        let started = start_tls(&mut ours).await;
        let mut asked = vec![0; START_TLS.len()];
        server.read_exact(&mut asked).await.unwrap();
        assert_eq!(asked, START_TLS);
        started
    }

    const SUCCESS: &[u8] = &[0x30, 12, 2, 1, 1, 0x78, 7, 10, 1, 0, 4, 0, 4, 0];

    #[tokio::test]
    async fn start_tls_goes_on_with_success_alone() {
        answered(SUCCESS).await.unwrap();
        for (what, answer) in [
            ("a refusal", [0x30, 12, 2, 1, 1, 0x78, 7, 10, 1, 52, 4, 0, 4, 0]),
            ("another message", [0x30, 12, 2, 1, 2, 0x78, 7, 10, 1, 0, 4, 0, 4, 0]),
            ("another operation", [0x30, 12, 2, 1, 1, 0x61, 7, 10, 1, 0, 4, 0, 4, 0]),
        ] {
            assert!(answered(&answer).await.is_err(), "{what}");
        }
    }

    #[tokio::test]
    async fn what_follows_the_answer_to_start_tls_in_clear_ends_the_connection() {
        let injected = [SUCCESS, &[0x30, 5, 2, 1, 1, 0x65, 0]].concat();
        let error = answered(&injected).await.unwrap_err();
        assert!(error.to_string().contains("data in clear"), "{error}");
    }

    #[tokio::test]
    async fn a_server_that_sends_nonsense_is_cut_off() {
        let (stream, mut server) = tokio::io::duplex(1024);
        let (library, _end) = tokio::io::duplex(1024);
        server.write_all(b"HTTP/1.1 400 Bad Request").await.unwrap();
        assert_eq!(relay(stream, library).await.unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
