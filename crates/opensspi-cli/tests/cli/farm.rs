//! A farm of real processes: two of `opensspi serve` with one configuration and one Redis. What one made the other takes up,
//! and no connection fails whatever becomes of Redis.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use opensspi::Sspi;
use opensspi_integration_tests::farm::{
    Farm, PATIENT, PROTOCOLS, TLS10, TLS12, TLS12_OF_THE_ENGINE, TLS13, USUAL, sessions_of,
};
use opensspi_integration_tests::peers::redis::{self, Redis};
use opensspi_integration_tests::peers::{ClientOptions, Peer, Version, openssl, runnable};

use crate::process::Server;

/// A process of its own.
fn process(farm: &Farm, protocol: &str, port: u16, deadline: &str) -> Server {
    let file = farm.folder().join("opensspi.toml");
    fs::write(&file, Farm::configuration(protocol, port, deadline, &["file:old.key"])).unwrap();
    Server::start(&["--echo", "--config", file.to_str().unwrap()])
}

fn client_of(farm: &Farm, protocol: &str) -> Sspi {
    farm.client(protocol).unwrap()
}

/// A connection of a client to a machine, through which data went; whether it took up a session.
pub(crate) fn connect(client: &Sspi, machine: &Server) -> bool {
    let socket = TcpStream::connect(("127.0.0.1", machine.port)).unwrap();
    let mut stream = client.connect_blocking("localhost", socket).unwrap();
    stream.write_all(b"hello").unwrap();
    let mut echo = [0; 5];
    stream.read_exact(&mut echo).unwrap();
    assert_eq!(&echo, b"hello");
    let resumed = stream.attributes().session_info().unwrap().reconnect;
    stream.shutdown().unwrap();
    stream.get_ref().shutdown(std::net::Shutdown::Write).unwrap();
    stream.read_to_end(&mut Vec::new()).unwrap();
    resumed
}

#[test]
fn what_one_process_made_another_takes_up_in_every_protocol() {
    if !redis::runnable() {
        return;
    }
    let farm = Farm::new().unwrap();
    for protocol in PROTOCOLS {
        let mut redis = Redis::start().unwrap();
        let [one, other] = [(); 2].map(|()| process(&farm, protocol, redis.port(), PATIENT));
        let client = client_of(&farm, protocol);
        assert!(!connect(&client, &one), "{protocol}");
        redis.wait_for(sessions_of(protocol)).unwrap();
        assert!(connect(&client, &other), "{protocol}");
        assert!(!connect(&client_of(&farm, protocol), &other), "{protocol}: a client without one");
        // The machine says the same of it.
        let (code, events) = other.stop();
        let resumed: Vec<_> = events.iter().filter_map(|event| event["resumed"].as_bool()).collect();
        assert_eq!((code, resumed), (0, vec![true, false]), "{protocol}: {events:?}");
    }
}

/// A client of OpenSSL with a file for its session, and what it says of it.
fn s_client(farm: &Farm, machine: &Server, version: Version, file: [&str; 2]) -> String {
    let options = ClientOptions::new(machine.port, farm.pki()).version(version);
    let options = match version {
        Version::Tls13 => options,
        _ => options.ciphers("ALL:@SECLEVEL=0"),
    };
    let options = options.argument(file[0]).argument(file[1]);
    let mut client = openssl::Client::start(&options, openssl::Mode::Report).unwrap();
    client.send(b"tickets come before this\n").unwrap();
    client.wait_for("\ntickets come before this").unwrap();
    client.send(b"Q\n").unwrap();
    assert!(client.wait().unwrap().success(), "{}", client.log());
    client.log()
}

#[test]
fn a_ticket_of_one_process_is_good_for_another() {
    if !redis::runnable() || !runnable(&[Peer::OpenSsl]) {
        return;
    }
    let farm = Farm::new().unwrap();
    for (version, protocol) in [
        (Version::Tls10, TLS10),
        (Version::Tls12, TLS12_OF_THE_ENGINE),
        (Version::Tls12, TLS12),
        (Version::Tls13, TLS13),
    ] {
        let mut redis = Redis::start().unwrap();
        let [one, other] = [(); 2].map(|()| process(&farm, protocol, redis.port(), PATIENT));
        let file = farm.folder().join("session.pem");
        let file = file.to_str().unwrap();
        let log = s_client(&farm, &one, version, ["-sess_out", file]);
        assert!(log.contains("New, "), "{log}");
        redis.wait_for(sessions_of(protocol)).unwrap();
        let session = Command::new("openssl").args(["sess_id", "-noout", "-text", "-in", file]).output();
        let session = String::from_utf8(session.unwrap().stdout).unwrap();
        assert!(session.contains("TLS session ticket:"), "{session}");
        let seen = redis.all().unwrap();
        let log = s_client(&farm, &other, version, ["-sess_in", file]);
        assert!(log.contains("Reused, "), "{log}");
        // One of TLS 1.3 is good for one time, also if it is put back; what is not used up is good again.
        redis.wait_until(|all| protocol != TLS13 || !seen.iter().all(|it| all.contains(it))).unwrap();
        for (name, value) in &seen {
            redis.command(&[b"SET", name, value]).unwrap();
        }
        let log = s_client(&farm, &one, version, ["-sess_in", file]);
        let word = if protocol == TLS13 { "New, " } else { "Reused, " };
        assert!(log.contains(word), "{log}");
    }
}

/// A way to Redis on which it is noticed that a machine looks something up.
fn listening_along(port: u16) -> (u16, mpsc::Receiver<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (beginning, (noticed, asked)) = (listener.local_addr().unwrap().port(), mpsc::channel());
    std::thread::spawn(move || {
        while let Ok((mut machine, _)) = listener.accept() {
            let Ok(mut redis) = TcpStream::connect(("127.0.0.1", port)) else { continue };
            let (mut back, mut to_machine) = (redis.try_clone().unwrap(), machine.try_clone().unwrap());
            let noticed = noticed.clone();
            std::thread::spawn(move || {
                let _its_end = std::io::copy(&mut back, &mut to_machine);
                let _gone = to_machine.shutdown(std::net::Shutdown::Both);
            });
            std::thread::spawn(move || {
                let mut bytes = [0; 4096];
                while let Ok(length @ 1..) = machine.read(&mut bytes) {
                    if redis.write_all(&bytes[..length]).is_err() {
                        return;
                    }
                    if bytes[..length].windows(8).any(|word| word == b"GETRANGE") {
                        let _nobody_waits = noticed.send(());
                    }
                }
            });
        }
    });
    (beginning, asked)
}

/// Until a machine has found out that its store is back.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn no_connection_of_a_process_fails_whatever_becomes_of_redis() {
    if !redis::runnable() {
        return;
    }
    let farm = Farm::new().unwrap();
    for protocol in PROTOCOLS {
        let mut redis = Redis::start().unwrap();
        let machines = [(); 2].map(|()| process(&farm, protocol, redis.port(), USUAL));
        let all = |client: &Sspi| {
            for machine in &machines {
                connect(client, machine);
            }
        };
        let client = client_of(&farm, protocol);
        all(&client);
        // Full.
        redis.command(&[b"CONFIG", b"SET", b"maxmemory", b"1"]).unwrap();
        all(&client);
        all(&client_of(&farm, protocol));
        redis.command(&[b"CONFIG", b"SET", b"maxmemory", b"0"]).unwrap();
        // Garbage, some of it no value at all.
        all(&client);
        for (number, (name, _)) in redis.all().unwrap().into_iter().enumerate() {
            redis.command(&[b"DEL", &name]).unwrap();
            let command: &[&[u8]] =
                if number % 2 == 0 { &[b"SET", &name, b"garbage"] } else { &[b"LPUSH", &name, b"a list"] };
            redis.command(command).unwrap();
        }
        all(&client);
        // Killed while a lookup waits.
        let (port, asked) = listening_along(redis.port());
        let waiting = process(&farm, protocol, port, PATIENT);
        let offering = client_of(&farm, protocol);
        let there_are = redis.len().unwrap();
        connect(&offering, &waiting);
        // It is connected.
        redis.wait_for(there_are + sessions_of(protocol)).unwrap();
        redis.command(&[b"CLIENT", b"PAUSE", b"60000", b"ALL"]).unwrap();
        while asked.try_recv().is_ok() {}
        std::thread::scope(|scope| {
            let connection = scope.spawn(|| connect(&offering, &waiting));
            asked.recv().unwrap();
            // Slow for the others.
            all(&client);
            redis.kill();
            assert!(!connection.join().unwrap(), "{protocol}");
        });
        all(&client);
        connect(&offering, &waiting);
        // Back again: the machines find out by themselves.
        redis.start_again().unwrap();
        let began = Instant::now();
        loop {
            let client = client_of(&farm, protocol);
            connect(&client, &machines[0]);
            if connect(&client, &machines[1]) {
                break;
            }
            assert!(began.elapsed() < PATIENCE, "{protocol}: still down");
        }
        for machine in machines {
            let (code, events) = machine.stop();
            let summary = events.last().unwrap();
            assert_eq!(
                (code, &summary["refused"], &summary["cut_off"]),
                (0, &0.into(), &0.into()),
                "{summary}"
            );
        }
    }
}
