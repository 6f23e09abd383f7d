//! A server farm that shares its sessions in Redis: what one machine made, the other takes up; and no connection fails,
//! whatever becomes of Redis.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failure here is a failed test"
)]

use std::sync::Arc;
use std::time::Duration;

use opensspi::sspi_core::{AlertLevel, ControlToken, SecStatus};
use opensspi::sspi_redis::{FarmKey, KeyRing, RedisSessions};
use opensspi::sspi_tokio::SessionStore as _;
use opensspi::{SecureStream, Sspi};
use opensspi_integration_tests::farm::{Farm, PATIENT, PROTOCOLS, TLS12, TLS13, USUAL, sessions_of};
use opensspi_integration_tests::peers::redis::{self, KeyAndValue, Redis, Reply};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// A client without any session.
fn client_of(farm: &Farm, protocol: &str) -> Sspi {
    farm.client(protocol).unwrap()
}

fn machine_with(farm: &Farm, protocol: &str, port: u16, deadline: &str, keys: &[&str]) -> Sspi {
    farm.machine(protocol, port, deadline, keys).unwrap()
}

fn machine_of(farm: &Farm, protocol: &str, redis: &Redis, deadline: &str) -> Sspi {
    machine_with(farm, protocol, redis.port(), deadline, &["file:old.key"])
}

type Stream = SecureStream<TcpStream>;

fn resumed(stream: &Stream) -> bool {
    stream.attributes().session_info().unwrap().reconnect
}

/// A connection of a client to a machine, through which data went; whether it took up a session.
async fn connect(client: &Sspi, machine: &Sspi) -> bool {
    let (client, server) = ends(client, machine).await;
    assert_eq!(resumed(&client), resumed(&server));
    resumed(&client)
}

async fn ends(client: &Sspi, machine: &Sspi) -> (Stream, Stream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (client, server) = tokio::join!(
        async { client.connect("localhost", TcpStream::connect(address).await.unwrap()).await },
        async { machine.accept(listener.accept().await.unwrap().0).await }
    );
    let (mut client, mut server) = (client.unwrap(), server.unwrap());
    // Tickets of TLS 1.3 come before it.
    server.write_all(b"hello").await.unwrap();
    server.flush().await.unwrap();
    let mut hello = [0; 5];
    client.read_exact(&mut hello).await.unwrap();
    assert_eq!(&hello, b"hello");
    (client, server)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_machine_made_the_other_takes_up_in_every_protocol() {
    if !redis::runnable() {
        return;
    }
    let farm = Farm::new().unwrap();
    for protocol in PROTOCOLS {
        let mut redis = Redis::start().unwrap();
        let machines =
            [machine_of(&farm, protocol, &redis, PATIENT), machine_of(&farm, protocol, &redis, PATIENT)];
        let client = client_of(&farm, protocol);
        assert!(!connect(&client, &machines[0]).await);
        redis.wait_for(sessions_of(protocol)).unwrap();
        assert!(connect(&client, &machines[1]).await, "{protocol}");
        assert!(
            !connect(&client_of(&farm, protocol), &machines[1]).await,
            "{protocol}: a client without one"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_learns_nothing_and_what_it_alters_or_moves_is_none() {
    if !redis::runnable() {
        return;
    }
    let farm = Farm::new().unwrap();
    let mut redis = Redis::start().unwrap();
    let (one, other) = (machine_of(&farm, TLS12, &redis, PATIENT), machine_of(&farm, TLS12, &redis, PATIENT));
    let client = client_of(&farm, TLS12);
    let (ours, _) = ends(&client, &one).await;
    redis.wait_for(1).unwrap();
    let id = ours.attributes().session_info().unwrap().session_id;
    assert_eq!(id.len(), 32);
    let all = redis.all().unwrap();
    let (name, value) = all[0].clone();
    let hex: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
    for secret in [id.as_slice(), hex.as_bytes(), b"localhost"] {
        for kept in [&name, &value] {
            assert!(!kept.windows(secret.len()).any(|window| window == secret));
        }
    }
    let Reply::Number(left) = redis.command(&[b"TTL", &name]).unwrap() else { panic!("no lifetime") };
    assert!((35_000..=36_000).contains(&left), "{left}");

    for at in [0, 1, 9, 25, value.len() - 1] {
        redis.command(&[b"FLUSHALL"]).unwrap();
        let client = client_of(&farm, TLS12);
        assert!(!connect(&client, &one).await);
        redis.wait_for(1).unwrap();
        let (name, mut value) = redis.all().unwrap()[0].clone();
        value[at] ^= 1;
        redis.command(&[b"SET", &name, &value]).unwrap();
        assert!(!connect(&client, &other).await, "altered at {at}");
    }

    // Another's session under this name.
    redis.command(&[b"FLUSHALL"]).unwrap();
    let (first, second) = (client_of(&farm, TLS12), client_of(&farm, TLS12));
    connect(&first, &one).await;
    redis.wait_for(1).unwrap();
    let of_first = redis.all().unwrap()[0].clone();
    connect(&second, &one).await;
    redis.wait_for(2).unwrap();
    let of_second = redis.all().unwrap().into_iter().find(|(name, _)| *name != of_first.0).unwrap();
    redis.command(&[b"SET", &of_second.0, &of_first.1]).unwrap();
    assert!(!connect(&second, &other).await, "a value under another name");
    assert!(connect(&first, &other).await, "and under its own");
}

/// Puts back what was seen in Redis, each value under its own name, without an end.
fn put_back(redis: &mut Redis, seen: &[KeyAndValue]) {
    for (name, value) in seen {
        redis.command(&[b"SET", name, value]).unwrap();
    }
}

/// Which machine a client comes back to with a session that was removed and put back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BackTo {
    /// The one that has removed it.
    TheSame,
    /// One that has heard of it.
    Another,
    /// One whose connection was cut, so that it has not.
    OneThatWasCutOff,
    /// One that was not there yet.
    ANewOne,
}

/// The connections that Redis has.
fn connections(redis: &mut Redis) -> Vec<String> {
    let Reply::Bytes(Some(list)) = redis.command(&[b"CLIENT", b"LIST"]).unwrap() else { panic!("no list") };
    let list = String::from_utf8(list).unwrap();
    list.lines().filter_map(|line| line.strip_prefix("id=")?.split(' ').next().map(str::to_owned)).collect()
}

/// Whoever writes to Redis can bring back what was removed, and no machine takes it up.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_failed_and_is_put_back_is_none_for_any_machine() {
    if !redis::runnable() {
        return;
    }
    let farm = Farm::new().unwrap();
    for protocol in PROTOCOLS {
        for back_to in [BackTo::TheSame, BackTo::Another, BackTo::OneThatWasCutOff, BackTo::ANewOne] {
            let mut redis = Redis::start().unwrap();
            let [one, witness] = [(); 2].map(|()| machine_of(&farm, protocol, &redis, PATIENT));
            let client = client_of(&farm, protocol);
            assert!(!connect(&client, &one).await);
            let made = sessions_of(protocol);
            redis.wait_for(made).unwrap();
            assert!(!connect(&client_of(&farm, protocol), &witness).await);
            redis.wait_for(2 * made).unwrap();
            // Another's session, that stays.
            let stays = client_of(&farm, protocol);
            assert!(!connect(&stays, &witness).await);
            redis.wait_for(3 * made).unwrap();
            let before = connections(&mut redis);
            let other = machine_of(&farm, protocol, &redis, PATIENT);
            assert!(!connect(&client_of(&farm, protocol), &other).await);
            redis.wait_for(4 * made).unwrap();
            let (at_client, mut at_server) = ends(&client, &one).await;
            assert!(resumed(&at_client), "{protocol}");
            // Of the tickets of TLS 1.3 one was used, and each connection has its own.
            let there_are = if protocol == TLS13 { 5 * made - 1 } else { 4 * made };
            redis.wait_until(|all| all.len() == there_are).unwrap();
            let seen = redis.all().unwrap();
            if back_to == BackTo::OneThatWasCutOff {
                let of_other = connections(&mut redis).into_iter().find(|id| !before.contains(id)).unwrap();
                redis.command(&[b"CLIENT", b"KILL", b"ID", of_other.as_bytes()]).unwrap();
            }
            let fails = ControlToken::Alert { level: AlertLevel::Fatal, number: 80 };
            at_server.apply_control_token(&fails).await.unwrap();
            // The client has not heard of it.
            drop(at_client);
            redis.wait_until(|all| all.len() == there_are - made).unwrap();
            // The store hears of things in their order: when there is something new, nothing is left to be removed.
            assert!(!connect(&client_of(&farm, protocol), &one).await);
            redis.wait_until(|all| all.len() == there_are).unwrap();
            put_back(&mut redis, &seen);
            let new = machine_of(&farm, protocol, &redis, PATIENT);
            let machine = match back_to {
                BackTo::TheSame => &one,
                BackTo::Another => &witness,
                BackTo::OneThatWasCutOff => &other,
                BackTo::ANewOne => &new,
            };
            assert!(!connect(&client, machine).await, "{protocol}: {back_to:?}");
            assert!(connect(&stays, machine).await, "{protocol}: {back_to:?}, what was not removed");
        }
    }
}

/// Nobody is left who knows what was removed: all that is older is none.
#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_finds_no_other_takes_up_what_is_made_from_then_on() {
    if !redis::runnable() {
        return;
    }
    let farm = Farm::new().unwrap();
    let mut redis = Redis::start().unwrap();
    let client = client_of(&farm, TLS12);
    let before = connections(&mut redis).len();
    let machine = machine_of(&farm, TLS12, &redis, PATIENT);
    assert!(!connect(&client, &machine).await);
    redis.wait_for(1).unwrap();
    assert!(connect(&client, &machine).await);
    drop(machine);
    while connections(&mut redis).len() > before {
        tokio::task::yield_now().await;
    }
    let machine = machine_of(&farm, TLS12, &redis, PATIENT);
    assert!(!connect(&client, &machine).await);
    redis.wait_for(2).unwrap();
    assert!(connect(&client, &machine).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn machines_that_are_restarted_one_after_the_other_lose_no_session() {
    if !redis::runnable() {
        return;
    }
    let farm = Farm::new().unwrap();
    let mut redis = Redis::start().unwrap();
    let ours = connections(&mut redis);
    let wait_for = |redis: &mut Redis, count: usize| {
        let count = ours.len() + count;
        (0..100_000).find(|_| connections(redis).len() == count).unwrap_or_else(|| panic!("not {count}"));
    };
    let mut machines = [(); 2].map(|()| machine_of(&farm, TLS12, &redis, PATIENT));
    // A machine connects when it starts.
    wait_for(&mut redis, 2);
    let [client, failed] = [(); 2].map(|()| client_of(&farm, TLS12));
    assert!(!connect(&client, &machines[0]).await);
    redis.wait_for(1).unwrap();
    // They may have begun at the same time, and know each other when the one has taken up what the other made.
    assert!(connect(&client, &machines[1]).await);
    let (at_client, mut at_server) = ends(&failed, &machines[1]).await;
    redis.wait_for(2).unwrap();
    let seen = redis.all().unwrap();
    let fails = ControlToken::Alert { level: AlertLevel::Fatal, number: 80 };
    at_server.apply_control_token(&fails).await.unwrap();
    drop((at_client, at_server));
    redis.wait_until(|all| all.len() == 1).unwrap();
    for machine in &mut machines {
        let there_are = redis.len().unwrap();
        *machine = machine_of(&farm, TLS12, &redis, PATIENT);
        wait_for(&mut redis, 2);
        // It is there when it does something.
        assert!(!connect(&client_of(&farm, TLS12), machine).await);
        redis.wait_for(there_are + 1).unwrap();
    }
    put_back(&mut redis, &seen);
    for machine in &machines {
        assert!(connect(&client, machine).await);
    }
    assert!(!connect(&failed, &machines[1]).await, "what was removed before they were there");
}

/// Machines that began without each other: here since they have no key in common.
#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_meets_a_session_of_others_asks_them_what_they_removed() {
    if !redis::runnable() {
        return;
    }
    let farm = Farm::new().unwrap();
    let mut redis = Redis::start().unwrap();
    let machine = |keys: &[&str]| machine_with(&farm, TLS12, redis.port(), PATIENT, keys);
    let (old, new) = (machine(&["file:old.key"]), machine(&["file:new.key"]));
    let both = machine(&["file:new.key", "file:old.key"]);
    let [of_old, of_new, failed] = [(); 3].map(|()| client_of(&farm, TLS12));
    for (client, machine, number) in [(&of_old, &old, 1), (&of_new, &new, 2), (&failed, &new, 3)] {
        assert!(!connect(client, machine).await);
        redis.wait_for(number).unwrap();
    }
    let seen = redis.all().unwrap();
    let (_at_client, mut at_server) = ends(&failed, &new).await;
    let fails = ControlToken::Alert { level: AlertLevel::Fatal, number: 80 };
    at_server.apply_control_token(&fails).await.unwrap();
    redis.wait_until(|all| all.len() == 2).unwrap();
    put_back(&mut redis, &seen);
    // It begins with what one of the two knows, and needs both.
    assert!(connect(&of_old, &both).await);
    assert!(connect(&of_new, &both).await);
    assert!(!connect(&failed, &both).await, "what was removed before it came");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_changed_without_losing_a_session_and_without_a_key_there_is_none() {
    if !redis::runnable() {
        return;
    }
    let farm = Farm::new().unwrap();
    for protocol in [TLS12, TLS13, PROTOCOLS[3]] {
        let mut redis = Redis::start().unwrap();
        let machine = |keys: &[&str]| machine_with(&farm, protocol, redis.port(), PATIENT, keys);
        let old = machine(&["file:old.key"]);
        let both = machine(&["file:new.key", "file:old.key"]);
        let new = machine(&["file:new.key"]);
        let client = client_of(&farm, protocol);
        assert!(!connect(&client, &old).await);
        redis.wait_for(sessions_of(protocol)).unwrap();
        assert!(connect(&client, &both).await, "{protocol}");
        let client = client_of(&farm, protocol);
        redis.command(&[b"FLUSHALL"]).unwrap();
        assert!(!connect(&client, &old).await);
        redis.wait_for(sessions_of(protocol)).unwrap();
        assert!(!connect(&client, &new).await, "{protocol}: sealed with a key that it has not");
        let client = client_of(&farm, protocol);
        redis.command(&[b"FLUSHALL"]).unwrap();
        assert!(!connect(&client, &both).await);
        redis.wait_for(sessions_of(protocol)).unwrap();
        assert!(connect(&client, &new).await, "{protocol}: the first key seals");
    }
}

/// What was made with an older key lies under another name, and does not lie idle there.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_used_is_renewed_under_the_key_that_it_was_made_with() {
    if !redis::runnable() {
        return;
    }
    let farm = Farm::new().unwrap();
    for protocol in [TLS12, PROTOCOLS[3]] {
        let mut redis = Redis::start().unwrap();
        let with_idle_limit = format!("{protocol}\nsession-idle-limit = \"1h\"");
        let machine = |keys: &[&str]| machine_with(&farm, &with_idle_limit, redis.port(), PATIENT, keys);
        let (old, both) = (machine(&["file:old.key"]), machine(&["file:new.key", "file:old.key"]));
        let client = client_of(&farm, protocol);
        assert!(!connect(&client, &old).await);
        redis.wait_for(1).unwrap();
        let before = redis.all().unwrap();
        redis.command(&[b"EXPIRE", &before[0].0, b"100"]).unwrap();
        assert!(connect(&client, &both).await, "{protocol}");
        redis.wait_until(|all| all != before).unwrap();
        let after = redis.all().unwrap();
        assert_eq!((after.len(), &after[0].0), (1, &before[0].0), "{protocol}");
        let Reply::Number(left) = redis.command(&[b"TTL", &after[0].0]).unwrap() else {
            panic!("no lifetime")
        };
        assert!((3000..=3600).contains(&left), "{protocol}: {left}");
        assert!(connect(&client, &both).await, "{protocol}");
    }
}

/// What is known of a client goes with its session: its certificate lies in the value, and is judged by each machine.
#[tokio::test(flavor = "multi_thread")]
async fn whose_session_it_is_another_machine_knows_and_judges_again() {
    if !redis::runnable() {
        return;
    }
    let farm = Farm::new().unwrap();
    let alice = farm.pki().client("alice").upn("alice@corp.example").rsa_2048().issue();
    alice.write_as(farm.folder(), "alice").unwrap();
    for (name, content) in [
        ("accounts.toml", "[[account]]\nname = \"alice\"\nupn = \"alice@corp.example\"\n".to_owned()),
        ("nobody.toml", "[[account]]\nname = \"bob\"\n".to_owned()),
        ("alice.crl", farm.pki().crl(&[&alice]).pem()),
    ] {
        std::fs::write(farm.folder().join(name), content).unwrap();
    }
    let own = "[[schannel.certificates]]\nchain = \"alice.pem\"\nkey = \"file:alice.key\"\n";
    for protocol in PROTOCOLS {
        let mut redis = Redis::start().unwrap();
        let clients = format!(
            "{protocol}\nclient-auth = \"required\"\nclient-roots = [\"root.pem\"]\nnt-auth = [\"root.pem\"]\n\
             allow-weak-mappings = [\"upn-without-sid\"]\nmapping = \"required\"\nrevocation = \"soft\""
        );
        let machine = |accounts: &str, lists: &str| {
            let schannel = format!("{clients}\ncrls = [{lists}]");
            let rest = Farm::configuration(&schannel, redis.port(), PATIENT, &["file:old.key"]);
            Sspi::from_toml(&format!("accounts = {accounts:?}\n{rest}"), farm.folder()).unwrap()
        };
        let (one, other) = (machine("accounts.toml", ""), machine("accounts.toml", ""));
        let (without, revoking) = (machine("nobody.toml", ""), machine("accounts.toml", "\"alice.crl\""));
        let text = format!("[schannel]\n{protocol}\nroots = [\"root.pem\"]\n{own}");
        let client = Sspi::from_toml(&text, farm.folder()).unwrap();
        let has_a_session = async |redis: &mut Redis| {
            redis.command(&[b"FLUSHALL"]).unwrap();
            connect(&client, &one).await;
            redis.wait_for(sessions_of(protocol)).unwrap();
        };
        has_a_session(&mut redis).await;
        let (_client, server) = ends(&client, &other).await;
        assert!(resumed(&server), "{protocol}");
        let shown = server.attributes().remote_certificate().unwrap();
        assert_eq!(shown.chain[0], alice.leaf_der(), "{protocol}");
        assert_eq!(server.security_context_token().unwrap().name, "alice", "{protocol}");
        for (machine, status) in
            [(&without, SecStatus::SEC_E_LOGON_DENIED), (&revoking, SecStatus::CRYPT_E_REVOKED)]
        {
            has_a_session(&mut redis).await;
            assert_eq!(refusal(&client, machine).await, status, "{protocol}");
        }
    }
}

/// Why a machine refuses a client.
async fn refusal(client: &Sspi, machine: &Sspi) -> SecStatus {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (_, server) = tokio::join!(
        async { client.connect("localhost", TcpStream::connect(address).await.unwrap()).await },
        async { machine.accept(listener.accept().await.unwrap().0).await }
    );
    server.err().unwrap().status().unwrap()
}

/// A way to Redis on which it is noticed that a machine looks something up; the port of its beginning.
async fn listening_along(port: u16) -> (u16, Arc<Notify>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (beginning, asked) = (listener.local_addr().unwrap().port(), Arc::new(Notify::new()));
    let noticed = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((machine, _)) = listener.accept().await {
            let Ok(redis) = TcpStream::connect(("127.0.0.1", port)).await else { continue };
            let ((mut from_machine, mut to_machine), (mut from_redis, mut to_redis)) =
                (machine.into_split(), redis.into_split());
            let noticed = Arc::clone(&noticed);
            tokio::spawn(async move { tokio::io::copy(&mut from_redis, &mut to_machine).await });
            tokio::spawn(async move {
                let mut bytes = [0; 4096];
                while let Ok(length @ 1..) = from_machine.read(&mut bytes).await {
                    if to_redis.write_all(&bytes[..length]).await.is_err() {
                        return;
                    }
                    if bytes[..length].windows(8).any(|word| word == b"GETRANGE") {
                        noticed.notify_one();
                    }
                }
            });
        }
    });
    (beginning, asked)
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_is_slow_or_killed_in_the_middle_of_a_handshake_and_comes_back() {
    if !redis::runnable() {
        return;
    }
    let farm = Farm::new().unwrap();
    for protocol in PROTOCOLS {
        let mut redis = Redis::start().unwrap();
        let (one, other) =
            (machine_of(&farm, protocol, &redis, PATIENT), machine_of(&farm, protocol, &redis, USUAL));
        let client = client_of(&farm, protocol);
        assert!(!connect(&client, &one).await);
        redis.wait_for(sessions_of(protocol)).unwrap();
        // One that is connected.
        let (port, asked) = listening_along(redis.port()).await;
        let waiting = machine_with(&farm, protocol, port, PATIENT, &["file:old.key"]);
        assert!(!connect(&client_of(&farm, protocol), &waiting).await);
        redis.wait_for(2 * sessions_of(protocol)).unwrap();
        // It answers nobody for a minute: the machine gives the lookup up, and does not ask again.
        redis.command(&[b"CLIENT", b"PAUSE", b"60000", b"ALL"]).unwrap();
        assert!(!connect(&client, &other).await, "{protocol}");
        for _ in 0..3 {
            connect(&client, &other).await;
        }
        // A lookup that waits when Redis is killed.
        let connection = tokio::spawn({
            let (client, waiting) = (client.clone(), waiting.clone());
            async move { connect(&client, &waiting).await }
        });
        asked.notified().await;
        redis.kill();
        assert!(!connection.await.unwrap(), "{protocol}");
        for machine in [&one, &other, &waiting] {
            connect(&client, machine).await;
        }
        redis.start_again().unwrap();
        // The machine finds out by itself, by trying now and then.
        let comes_back = async {
            loop {
                let client = client_of(&farm, protocol);
                connect(&client, &other).await;
                if connect(&client, &other).await && !redis.is_empty().unwrap() {
                    return;
                }
            }
        };
        let patience = Duration::from_secs(60);
        tokio::time::timeout(patience, comes_back).await.unwrap_or_else(|_| panic!("{protocol}: still down"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_is_full_and_nobody_minds() {
    if !redis::runnable() {
        return;
    }
    let farm = Farm::new().unwrap();
    for protocol in PROTOCOLS {
        let mut redis = Redis::start().unwrap();
        let (one, other) =
            (machine_of(&farm, protocol, &redis, PATIENT), machine_of(&farm, protocol, &redis, PATIENT));
        let client = client_of(&farm, protocol);
        assert!(!connect(&client, &one).await);
        redis.wait_for(sessions_of(protocol)).unwrap();
        redis.command(&[b"CONFIG", b"SET", b"maxmemory", b"1"]).unwrap();
        assert!(connect(&client, &other).await, "{protocol}: what is there is found");
        let client = client_of(&farm, protocol);
        for _ in 0..3 {
            assert!(!connect(&client, &one).await, "{protocol}: there is no room for more");
        }
        redis.command(&[b"CONFIG", b"SET", b"maxmemory", b"0"]).unwrap();
        let before = redis.len().unwrap();
        assert!(!connect(&client, &one).await);
        redis.wait_for(before + sessions_of(protocol)).unwrap();
        assert!(connect(&client, &other).await, "{protocol}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_only_reads_is_asked_for_what_is_there() {
    if !redis::runnable() {
        return;
    }
    let farm = Farm::new().unwrap();
    let mut redis = Redis::start().unwrap();
    let machine = machine_of(&farm, TLS12, &redis, PATIENT);
    let client = client_of(&farm, TLS12);
    assert!(!connect(&client, &machine).await);
    redis.wait_for(1).unwrap();
    // It has no replica.
    redis.command(&[b"CONFIG", b"SET", b"min-replicas-to-write", b"1"]).unwrap();
    for _ in 0..3 {
        assert!(!connect(&client_of(&farm, TLS12), &machine).await);
        assert!(connect(&client, &machine).await);
    }
    redis.command(&[b"CONFIG", b"SET", b"min-replicas-to-write", b"0"]).unwrap();
    let client = client_of(&farm, TLS12);
    assert!(!connect(&client, &machine).await);
    redis.wait_for(2).unwrap();
    assert!(connect(&client, &machine).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_answers_garbage_and_nobody_minds() {
    if !redis::runnable() {
        return;
    }
    let farm = Farm::new().unwrap();
    for protocol in PROTOCOLS {
        let mut redis = Redis::start().unwrap();
        let (one, other) =
            (machine_of(&farm, protocol, &redis, PATIENT), machine_of(&farm, protocol, &redis, PATIENT));
        for garbage in [&b""[..], b"garbage", &[0xff; 5000]] {
            let client = client_of(&farm, protocol);
            redis.command(&[b"FLUSHALL"]).unwrap();
            assert!(!connect(&client, &one).await);
            redis.wait_for(sessions_of(protocol)).unwrap();
            for (name, _) in redis.all().unwrap() {
                redis.command(&[b"SET", &name, garbage]).unwrap();
            }
            assert!(!connect(&client, &other).await, "{protocol}");
        }
        // Not even a value.
        let client = client_of(&farm, protocol);
        redis.command(&[b"FLUSHALL"]).unwrap();
        assert!(!connect(&client, &one).await);
        redis.wait_for(sessions_of(protocol)).unwrap();
        for (name, _) in redis.all().unwrap() {
            redis.command(&[b"DEL", &name]).unwrap();
            redis.command(&[b"LPUSH", &name, b"a list"]).unwrap();
        }
        assert!(!connect(&client, &other).await, "{protocol}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sessions_are_listed_and_cleared() {
    if !redis::runnable() {
        return;
    }
    let farm = Farm::new().unwrap();
    let mut redis = Redis::start().unwrap();
    redis.command(&[b"SET", b"of somebody else", b"value"]).unwrap();
    let machine = machine_of(&farm, TLS12, &redis, PATIENT);
    let clients = [(); 3].map(|()| client_of(&farm, TLS12));
    for client in &clients {
        connect(client, &machine).await;
    }
    redis.wait_for(4).unwrap();
    let listing = machine.redis_sessions().unwrap().list(3).await.unwrap();
    assert!(listing.is_all);
    let listed = listing.sessions;
    assert_eq!(listed.len(), 3);
    let some = machine.redis_sessions().unwrap().list(2).await.unwrap();
    assert_eq!((some.sessions.len(), some.is_all), (2, false));
    assert!(listed.iter().all(|session| session.is_ours && session.left.is_some() && session.size > 100));
    let stranger = machine_with(&farm, TLS12, redis.port(), PATIENT, &["file:new.key"]);
    let seen = stranger.redis_sessions().unwrap().list(1000).await.unwrap().sessions;
    assert!(seen.len() == 3 && seen.iter().all(|session| !session.is_ours));
    let seen = redis.all().unwrap();
    assert_eq!(machine.redis_sessions().unwrap().clear().await.unwrap(), 3);
    assert_eq!(redis.len().unwrap(), 1, "what is no session stays");
    // And nobody brings them back.
    put_back(&mut redis, &seen);
    for client in &clients {
        assert!(!connect(client, &machine).await);
    }
}

/// The store by itself: whatever the order in which things arrive, what was removed is not there.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_kept_or_renewed_after_it_was_removed_is_not_there() {
    if !redis::runnable() {
        return;
    }
    let mut redis = Redis::start().unwrap();
    let store = || {
        let keys = [b'1', b'2'].map(|digit| FarmKey::read(&[digit; 64]).unwrap());
        let ring = KeyRing::new(keys.into()).unwrap();
        let url = format!("redis://127.0.0.1:{}/", redis.port());
        RedisSessions::new(&url, ring, Duration::from_secs(10)).unwrap()
    };
    let [one, other] = [store(), store()];
    let hour = Duration::from_secs(3600);
    let put = async |store: &RedisSessions, key: &str, group: &str| {
        store.put(key.as_bytes(), group.as_bytes(), key.as_bytes(), hour).await.unwrap();
    };
    let has = async |key: &str| {
        let got = [one.get(key.as_bytes()).await.unwrap(), other.get(key.as_bytes()).await.unwrap()];
        assert_eq!(got[0], got[1], "{key}");
        assert!(got[0].as_ref().is_none_or(|session| session.as_slice() == key.as_bytes()));
        got[0].is_some()
    };
    for (key, group) in [("a", "A"), ("b", "A"), ("c", "C"), ("d", "D")] {
        put(&one, key, group).await;
    }
    assert!(has("a").await && has("b").await && has("c").await && has("d").await);
    let seen = redis.all().unwrap();
    // A group ends with all that is in it, and takes nothing more.
    other.remove(b"A").await.unwrap();
    assert!(!has("a").await && !has("b").await && has("c").await);
    for store in [&one, &other] {
        put(store, "e", "A").await;
        assert!(!has("e").await);
    }
    // One that comes after its removal.
    other.remove(b"c").await.unwrap();
    for store in [&one, &other] {
        put(store, "c", "C").await;
        assert!(!has("c").await);
    }
    // One that is put back is not made good by a machine that goes on with it.
    put_back(&mut redis, &seen);
    for store in [&one, &other] {
        for key in ["a", "c", "d"] {
            store.renew(key.as_bytes(), key.as_bytes(), 2 * hour).await.unwrap();
        }
    }
    assert!(!has("a").await && !has("c").await && has("d").await);
    let listed = one.list(10).await.unwrap().sessions;
    let renewed = listed.iter().filter(|session| session.left.is_some_and(|left| left > hour));
    assert_eq!(renewed.count(), 1);
}

/// What docs/accounts-and-farms.md says that a user of Redis needs: keys, channels and commands, as Redis writes them.
fn rights_of_the_document() -> Vec<String> {
    let document = include_str!("../../docs/accounts-and-farms.md");
    let (_, from) = document.split_once("A user with limited rights (ACL) needs ").unwrap();
    let (sentence, _) = from.split_once("`. ").unwrap();
    // What is between two backticks.
    let [keys, channels, commands] = sentence.split('`').skip(1).step_by(2).collect::<Vec<_>>()[..] else {
        panic!("keys, channels and commands: {sentence}");
    };
    let mut rights = vec![format!("~{keys}"), format!("&{channels}")];
    rights.extend(commands.split_whitespace().map(str::to_owned));
    rights
}

/// Whether a session goes from one machine to the other, and is listed and cleared.
async fn all_goes_well(farm: &Farm, configuration: &str, redis: &mut Redis) -> bool {
    redis.command(&[b"FLUSHALL"]).unwrap();
    let machines = [(); 2].map(|()| Sspi::from_toml(configuration, farm.folder()).unwrap());
    let client = client_of(farm, TLS12);
    assert!(!connect(&client, &machines[0]).await);
    let store = machines[1].redis_sessions().unwrap();
    // What was put before it was asked for is there.
    let is_put = async || matches!(store.list(10).await, Ok(listing) if listing.sessions.len() == 1);
    for _ in 0..100 {
        if is_put().await {
            return connect(&client, &machines[1]).await && store.clear().await.is_ok();
        }
    }
    false
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_of_redis_needs_the_rights_of_the_document_and_no_more() {
    if !redis::runnable() {
        return;
    }
    let all = rights_of_the_document();
    let farm = Farm::new().unwrap();
    let mut redis = Redis::start().unwrap();
    let address = format!("redis://127.0.0.1:{}/", redis.port());
    std::fs::write(farm.folder().join("redis"), address.replace("//", "//web:secret@")).unwrap();
    let configuration =
        Farm::configuration(TLS12, redis.port(), PATIENT, &["file:old.key"]).replace(&address, "file:redis");
    // Each of the document's is needed, and no other is.
    for missing in all.iter().map(Some).chain([None]) {
        let rights = all.iter().filter(|right| Some(*right) != missing);
        let mut command: Vec<&[u8]> = vec![b"ACL", b"SETUSER", b"web", b"reset", b"on", b">secret"];
        command.extend(rights.map(String::as_bytes));
        assert_eq!(redis.command(&command).unwrap(), Reply::Word("OK".to_owned()));
        let goes_well = all_goes_well(&farm, &configuration, &mut redis).await;
        assert_eq!(goes_well, missing.is_none(), "without {missing:?}, of {all:?}");
    }
}

/// Something that listens where Redis should, and speaks no Redis.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_redis_is_a_store_that_is_down() {
    let farm = Farm::new().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let noise = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _may_have_gone = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n\0\xff$-7\r\n").await;
        }
    });
    for protocol in PROTOCOLS {
        let machine = machine_with(&farm, protocol, port, USUAL, &["file:old.key"]);
        let client = client_of(&farm, protocol);
        for _ in 0..3 {
            connect(&client, &machine).await;
        }
    }
    noise.abort();
}

/// Nothing listens there at all.
#[tokio::test(flavor = "multi_thread")]
async fn a_farm_begins_without_its_store() {
    let farm = Farm::new().unwrap();
    let port = opensspi_integration_tests::peers::free_port();
    for protocol in PROTOCOLS {
        let machine = machine_with(&farm, protocol, port, USUAL, &["file:old.key"]);
        let client = client_of(&farm, protocol);
        for _ in 0..3 {
            connect(&client, &machine).await;
        }
    }
}
