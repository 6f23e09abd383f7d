use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::Protection;

fn options(port: u16) -> Options {
    let mut options = Options::new(format!("ldap://127.0.0.1:{port}").parse().unwrap(), "dc=corp");
    options.protection = Protection::None;
    options.connections = 1;
    options
}

fn upn(name: &str) -> PeerIdentity {
    PeerIdentity::UserPrincipalName(format!("{name}@corp.example"))
}

fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    [&[tag, u8::try_from(content.len()).unwrap()][..], content].concat()
}

/// A message of the server: to this request, of this operation.
fn message(request: &[u8], operation: &[u8]) -> Vec<u8> {
    let header = if request[1] < 0x80 { 2 } else { 2 + usize::from(request[1] & 0x7f) };
    let [2, 1, id] = request[header..header + 3] else { panic!("a number of one byte: {request:?}") };
    tlv(0x30, &[&tlv(2, &[id])[..], operation].concat())
}

fn entry(name: &str) -> Vec<u8> {
    let attribute = |kind: &str, value: &str| {
        tlv(0x30, &[tlv(4, kind.as_bytes()), tlv(0x31, &tlv(4, value.as_bytes()))].concat())
    };
    let attributes = [attribute("sAMAccountName", name), attribute("userPrincipalName", "x@y")].concat();
    tlv(0x64, &[tlv(4, format!("cn={name},dc=corp").as_bytes()), tlv(0x30, &attributes)].concat())
}

fn done(result: u8) -> Vec<u8> {
    tlv(0x65, &[10, 1, result, 4, 0, 4, 0])
}

/// Answers the next request with these operations.
async fn answer(server: &mut TcpStream, operations: &[Vec<u8>]) {
    let mut request = vec![0; 4096];
    let length = server.read(&mut request).await.unwrap();
    assert!(length > 5, "the library has closed");
    for operation in operations {
        server.write_all(&message(&request, operation)).await.unwrap();
    }
}

async fn find(directory: &LdapDirectory, name: &str) -> Result<Vec<FoundAccount>, Error> {
    directory.find(&upn(name)).await
}

async fn listen() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

#[tokio::test]
async fn accounts_are_found_and_connections_kept() {
    let (listener, port) = listen().await;
    let directory = LdapDirectory::new(options(port), None).unwrap();
    let server = async {
        let (mut server, _) = listener.accept().await.unwrap();
        answer(&mut server, &[entry("alice"), done(0)]).await;
        answer(&mut server, &[entry("bob"), entry("bob2"), done(0)]).await;
        server
    };
    let client = async {
        let found = directory.find(&upn("alice")).await.unwrap();
        assert_eq!((found.len(), found[0].account.name.as_str()), (1, "alice"));
        assert_eq!(found[0].account.domain.as_deref(), Some("corp"));
        assert_eq!(
            directory.find(&upn("bob")).await.unwrap().len(),
            2,
            "all of them are for the package to judge"
        );
    };
    tokio::join!(server, client);
}

#[tokio::test]
async fn a_connection_that_the_server_has_closed_is_opened_again() {
    let (listener, port) = listen().await;
    let directory = LdapDirectory::new(options(port), None).unwrap();
    let server = async {
        for _ in 0..2 {
            let (mut server, _) = listener.accept().await.unwrap();
            answer(&mut server, &[entry("alice"), done(0)]).await;
        }
    };
    let client = async {
        for _ in 0..2 {
            assert_eq!(directory.find(&upn("alice")).await.unwrap().len(), 1);
        }
    };
    tokio::join!(server, client);
}

#[tokio::test]
async fn that_there_is_nobody_is_remembered_and_that_there_is_somebody_is_not() {
    let (listener, port) = listen().await;
    let directory = LdapDirectory::new(options(port), None).unwrap();
    let server = async {
        let (mut server, _) = listener.accept().await.unwrap();
        answer(&mut server, &[done(0)]).await;
        answer(&mut server, &[entry("bob"), done(0)]).await;
        answer(&mut server, &[done(0)]).await;
    };
    let client = async {
        for _ in 0..3 {
            assert!(directory.find(&upn("alice")).await.unwrap().is_empty(), "asked once");
        }
        assert_eq!(directory.find(&upn("bob")).await.unwrap().len(), 1);
        assert!(directory.find(&upn("bob")).await.unwrap().is_empty(), "the account is gone");
    };
    tokio::join!(server, client);
}

#[tokio::test]
async fn a_directory_that_is_down_is_not_asked_again_at_once() {
    let (listener, port) = listen().await;
    drop(listener);
    let directory =
        LdapDirectory::new(Options { down_for: Duration::from_secs(3600), ..options(port) }, None).unwrap();
    let error = directory.find(&upn("alice")).await.unwrap_err();
    assert_eq!(error.status(), SecStatus::SEC_E_NO_AUTHENTICATING_AUTHORITY);
    assert_eq!(error.setting(), Some("directory"));
    // It is back, and nobody notices before it is time.
    let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    assert_eq!(directory.find(&upn("bob")).await.unwrap_err().to_string(), error.to_string());
    let is_idle = tokio::time::timeout(Duration::ZERO, listener.accept()).await.is_err();
    assert!(is_idle, "it was not asked");
}

#[tokio::test]
async fn a_directory_that_is_back_is_asked_again_when_it_is_time() {
    let (listener, port) = listen().await;
    drop(listener);
    let directory = LdapDirectory::new(Options { down_for: Duration::ZERO, ..options(port) }, None).unwrap();
    assert!(directory.find(&upn("alice")).await.is_err());
    let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    let server = async {
        let (mut server, _) = listener.accept().await.unwrap();
        answer(&mut server, &[entry("alice"), done(0)]).await;
    };
    let (found, ()) = tokio::join!(find(&directory, "alice"), server);
    assert_eq!(found.unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_directory_that_is_silent_is_given_up_at_the_deadline() {
    let (listener, port) = listen().await;
    let directory = LdapDirectory::new(options(port), None).unwrap();
    let error = directory.find(&upn("alice")).await.unwrap_err();
    assert_eq!(error.setting(), Some("directory.deadline"));
    assert!(error.to_string().contains("did not answer within 3s"), "{error}");
    drop(listener);
}

#[tokio::test]
async fn of_more_accounts_than_are_shown_none_is_taken() {
    let four = ["a", "b", "c", "d"].map(entry);
    let limited = [entry("alice"), done(4)];
    for operations in
        [&limited[..], &[done(4)], &[&four[..], &[done(0)]].concat(), &[&four[..], &[entry("e")]].concat()]
    {
        let (listener, port) = listen().await;
        let directory = LdapDirectory::new(options(port), None).unwrap();
        let server = async {
            let (mut server, _) = listener.accept().await.unwrap();
            answer(&mut server, operations).await;
            server
        };
        let (found, _server) = tokio::join!(find(&directory, "alice"), server);
        let error = found.unwrap_err();
        assert_eq!(error.status(), SecStatus::SEC_E_MULTIPLE_ACCOUNTS);
        assert!(error.to_string().contains("more accounts than can be judged"), "{error}");
    }
}

#[tokio::test]
async fn results_that_are_failures_are_said_with_their_setting() {
    for (result, setting) in [(32, "directory.base"), (50, "directory"), (52, "directory")] {
        let (listener, port) = listen().await;
        let directory = LdapDirectory::new(options(port), None).unwrap();
        let server = async {
            let (mut server, _) = listener.accept().await.unwrap();
            answer(&mut server, &[done(result)]).await;
        };
        let (found, ()) = tokio::join!(find(&directory, "alice"), server);
        let error = found.unwrap_err();
        assert_eq!(error.setting(), Some(setting), "{error}");
        assert_eq!(error.status(), SecStatus::SEC_E_NO_AUTHENTICATING_AUTHORITY);
    }
}

#[tokio::test]
async fn a_question_that_the_server_refuses_keeps_no_other_from_being_asked() {
    let (listener, port) = listen().await;
    let directory = LdapDirectory::new(options(port), None).unwrap();
    let server = async {
        let (mut server, _) = listener.accept().await.unwrap();
        answer(&mut server, &[done(53)]).await;
        answer(&mut server, &[entry("bob"), done(0)]).await;
    };
    let client = async {
        assert!(find(&directory, "alice").await.is_err());
        assert_eq!(find(&directory, "bob").await.unwrap().len(), 1);
    };
    tokio::join!(server, client);
}

#[tokio::test]
async fn a_question_that_is_never_answered_keeps_no_other_from_being_asked() {
    let (listener, port) = listen().await;
    let directory = LdapDirectory::new(options(port), None).unwrap();
    let server = async {
        let (mut silent, _) = listener.accept().await.unwrap();
        answer(&mut silent, &[entry("alice"), done(0)]).await;
        answer(&mut silent, &[]).await;
        let (mut server, _) = listener.accept().await.unwrap();
        answer(&mut server, &[entry("bob"), done(0)]).await;
        silent
    };
    let client = async {
        assert_eq!(find(&directory, "alice").await.unwrap().len(), 1);
        tokio::time::pause();
        let error = find(&directory, "alice").await.unwrap_err();
        tokio::time::resume();
        assert_eq!(error.setting(), Some("directory.deadline"));
        assert_eq!(find(&directory, "bob").await.unwrap().len(), 1);
    };
    tokio::join!(server, client);
}

#[test]
fn the_server_is_to_give_up_before_we_do() {
    for (deadline, limit) in [(500, 1), (1000, 1), (3000, 2), (3900, 2), (u64::MAX, i32::MAX - 1)] {
        assert_eq!(time_limit(Duration::from_millis(deadline)), limit, "{deadline}");
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_an_error_and_no_panic_of_whoever_asked() {
    for nonsense in [
        &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
        &[0x30, 5, 2, 1, 1, 0x65, 0],
        &[0x30, 7, 2, 1, 1, 0x64, 2, 4, 0],
        &[0x30, 3, 2, 1, 1],
        &[0x30, 0],
        &[0x30, 5, 2, 1, 1, 0x7f, 0],
    ] {
        let (listener, port) = listen().await;
        let directory = LdapDirectory::new(options(port), None).unwrap();
        let server = async {
            let (mut server, _) = listener.accept().await.unwrap();
            let mut request = [0; 512];
            let _asked = server.read(&mut request).await.unwrap();
            server.write_all(nonsense).await.unwrap();
            drop(server);
            let (mut server, _) = listener.accept().await.unwrap();
            answer(&mut server, &[entry("bob"), done(0)]).await;
        };
        let client = async {
            let status = find(&directory, "alice").await.unwrap_err().status();
            assert_eq!(status, SecStatus::SEC_E_NO_AUTHENTICATING_AUTHORITY, "{nonsense:?}");
            let found = find(&directory, "bob").await;
            assert_eq!(found.unwrap().len(), 1, "others are asked about as before: {nonsense:?}");
        };
        tokio::join!(server, client);
    }
}

#[tokio::test]
async fn tls_that_nobody_has_credentials_for_is_refused_before_a_word_is_said() {
    let (listener, port) = listen().await;
    let options = Options { protection: Protection::StartTls, ..options(port) };
    let directory = LdapDirectory::new(options, None).unwrap();
    assert_eq!(directory.find(&upn("alice")).await.unwrap_err().status(), SecStatus::SEC_E_NO_CREDENTIALS);
    let (mut server, _) = listener.accept().await.unwrap();
    assert_eq!(server.read(&mut [0; 16]).await.unwrap(), 0);
}

#[test]
fn threads_ask_through_a_runtime_of_their_own() {
    use sspi_tokio::blocking::Answers as _;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let serving = std::thread::spawn(move || {
        use std::io::{Read as _, Write as _};
        let (mut server, _) = listener.accept().unwrap();
        for _ in 0..2 {
            let mut request = [0; 512];
            let _asked = server.read(&mut request).unwrap();
            for operation in [entry("alice"), done(0)] {
                server.write_all(&message(&request, &operation)).unwrap();
            }
        }
        server
    });
    let directory = crate::Blocking::new(LdapDirectory::new(options(port), None).unwrap());
    assert_eq!(directory.accounts(&upn("alice")).unwrap().len(), 1);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let asking = || runtime.spawn_blocking(move || directory.accounts(&upn("alice")));
    let inside = runtime.block_on(async { asking().await.unwrap() });
    assert_eq!(inside.unwrap().len(), 1, "a thread of another runtime is one");
    drop(serving.join().unwrap());
}

#[tokio::test]
async fn the_next_server_is_asked_where_one_gives_no_connection() {
    let (dead, port) = listen().await;
    drop(dead);
    let (listener, other) = listen().await;
    let mut both = options(port);
    both.servers.extend(options(other).servers);
    both.connections = 2;
    let directory = LdapDirectory::new(both, None).unwrap();
    let server = async {
        for _ in 0..2 {
            let (mut server, _) = listener.accept().await.unwrap();
            answer(&mut server, &[entry("alice"), done(0)]).await;
        }
    };
    let client = async {
        assert_eq!(find(&directory, "alice").await.unwrap().len(), 1);
        assert_eq!(directory.0.server.load(Ordering::Relaxed), 1, "the next connection begins with this one");
        assert_eq!(find(&directory, "alice").await.unwrap().len(), 1);
    };
    tokio::join!(server, client);
    drop(listener);
    let error = find(&directory, "bob").await.unwrap_err();
    assert_eq!(error.status(), SecStatus::SEC_E_NO_AUTHENTICATING_AUTHORITY, "none of them gives one");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_silent_leaves_time_for_the_next() {
    let (silent, port) = listen().await;
    let (listener, other) = listen().await;
    let mut both = options(port);
    // Whoever is to say who we are waits for an answer.
    both.bind = Some(crate::Bind { dn: "cn=x".into(), password: sspi_core::Secret::new("pw".to_owned()) });
    both.servers.extend(options(other).servers);
    let directory = LdapDirectory::new(both, None).unwrap();
    let server = async {
        let (mut server, _) = listener.accept().await.unwrap();
        answer(&mut server, &[tlv(0x61, &[10, 1, 0, 4, 0, 4, 0])]).await;
        answer(&mut server, &[entry("alice"), done(0)]).await;
    };
    let (found, ()) = tokio::join!(find(&directory, "alice"), server);
    assert_eq!(found.unwrap().len(), 1);
    drop(silent);
}

#[tokio::test]
async fn a_connection_goes_after_so_many_questions_and_another_comes() {
    let (listener, port) = listen().await;
    let mut directory = LdapDirectory::new(options(port), None).unwrap();
    Arc::get_mut(&mut directory.0).unwrap().questions = 2;
    let server = async {
        for _ in 0..2 {
            let (mut server, _) = listener.accept().await.unwrap();
            for _ in 0..2 {
                answer(&mut server, &[entry("alice"), done(0)]).await;
            }
            // The library goes when nobody has its connection any more.
            tokio::spawn(async move {
                let mut rest = Vec::new();
                server.read_to_end(&mut rest).await.unwrap_or_default();
            });
        }
    };
    let client = async {
        for _ in 0..4 {
            assert_eq!(find(&directory, "alice").await.unwrap().len(), 1);
        }
    };
    tokio::join!(server, client);
}
