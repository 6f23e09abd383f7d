//! `session list` and `session clear`, and which reconnections were resumed.

use std::fs;
use std::path::Path;

use opensspi_integration_tests::farm::{Farm, PATIENT, TLS12};
use opensspi_integration_tests::peers::redis::{self, Redis};

use crate::farm;
use crate::process::{Server, run};

fn config(folder: &Path, text: &str) -> String {
    let file = folder.join("opensspi.toml");
    fs::write(&file, text).unwrap();
    fs::write(folder.join("farm.key"), "0b".repeat(32)).unwrap();
    file.display().to_string()
}

#[test]
fn without_a_store_the_setting_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path(), "");
    for verb in ["list", "clear"] {
        let ran = run(&["session", verb, "--config", &config]).expect(2);
        assert!(ran.err.contains("session-store"), "{}", ran.err);
        assert!(ran.err.contains("in its own memory"), "{}", ran.err);
    }
}

#[test]
fn a_store_that_does_not_answer_is_a_matter_of_the_network() {
    let folder = tempfile::tempdir().unwrap();
    let port = {
        let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        nobody.local_addr().unwrap().port()
    };
    let text =
        format!("session-store = \"redis://127.0.0.1:{port}/\"\nsession-store-keys = [\"file:farm.key\"]\n");
    let config = config(folder.path(), &text);
    let ran = run(&["session", "list", "--config", &config]).expect(3);
    assert!(ran.err.contains("does not answer"), "{}", ran.err);
}

#[test]
fn the_sessions_of_a_farm_are_listed_and_forgotten() {
    if !redis::runnable() {
        return;
    }
    let farm = Farm::new().unwrap();
    let mut redis = Redis::start().unwrap();
    redis.command(&[b"SET", b"of somebody else", b"value"]).unwrap();
    let file = |name: &str, key: &str| {
        let file = farm.folder().join(name);
        fs::write(&file, Farm::configuration(TLS12, redis.port(), PATIENT, &[key])).unwrap();
        file.display().to_string()
    };
    let (ours, others) = (file("opensspi.toml", "file:old.key"), file("others.toml", "file:new.key"));
    let list = |config: &str, more: &[&str]| run(&[&["session", "list", "--config", config], more].concat());
    let nothing = list(&ours, &[]).expect(0);
    assert_eq!((&*nothing.out, nothing.err.trim()), ("", "no sessions"));

    let machine = Server::start(&["--echo", "--config", &ours]);
    for _ in 0..3 {
        farm::connect(&farm.client(TLS12).unwrap(), &machine);
    }
    redis.wait_for(4).unwrap();
    let listed = list(&ours, &[]).expect(0);
    assert_eq!(listed.out.lines().count(), 3, "{}", listed.out);
    for line in listed.out.lines() {
        assert!(line.contains(" bytes, ") && line.ends_with(" s left"), "{line}");
    }
    let listed = list(&ours, &["--json"]).expect(0).objects();
    assert_eq!(listed.len(), 3);
    for session in &listed {
        assert_eq!(session["opens_with_our_keys"], true, "{session}");
        assert!((35_000..=36_000).contains(&session["seconds_left"].as_u64().unwrap()), "{session}");
        assert!(session["bytes"].as_u64().unwrap() > 100, "{session}");
    }
    let some = list(&ours, &["--most", "2"]).expect(0);
    assert_eq!(some.out.lines().count(), 2);
    assert!(some.err.contains("more than these 2"), "{}", some.err);
    let stranger = list(&others, &[]).expect(0);
    assert_eq!(stranger.out.matches(", not sealed with our keys").count(), 3, "{}", stranger.out);

    let clear = |more: &[&str]| run(&[&["session", "clear", "--config", &*others], more].concat()).expect(0);
    assert_eq!(clear(&[]).out.trim(), "3 sessions forgotten", "those of other keys too");
    assert_eq!(clear(&["--json"]).objects()[0]["forgotten"], 0);
    assert_eq!(redis.len().unwrap(), 1, "what is no session stays");
    assert_eq!(list(&ours, &[]).expect(0).out, "");
}

#[test]
fn what_is_wrong_with_a_store_is_said_with_its_setting() {
    let folder = tempfile::tempdir().unwrap();
    for (text, setting) in [
        ("session-store = \"http://127.0.0.1/\"\nsession-store-keys = [\"file:farm.key\"]", "session-store"),
        ("session-store = \"redis://127.0.0.1/\"", "session-store-keys"),
        ("session-store-keys = [\"file:farm.key\"]", "session-store"),
        (
            "session-store = \"redis://127.0.0.1/\"\nsession-store-keys = [\"file:none.key\"]",
            "session-store-keys",
        ),
        ("session-store = \"redis://127.0.0.1/\"\nsession-store-keys = [\"0b0b\"]", "session-store-keys"),
        ("session-store = \"redis://:hunter2@127.0.0.1/\"", "session-store"),
        ("session-store-deadline = \"0s\"", "session-store-deadline"),
        ("[schannel]\nsession-lifetime = \"long\"", "session-lifetime"),
        ("[schannel]\nsession-idle-limit = \"500ms\"", "session-idle-limit"),
    ] {
        let config = config(folder.path(), text);
        let ran = run(&["check-config", &config]).expect(2);
        assert!(ran.out.contains(setting) || ran.err.contains(setting), "{text}\n{}{}", ran.out, ran.err);
        assert!(!ran.out.contains("hunter2") && !ran.err.contains("hunter2"), "{}{}", ran.out, ran.err);
    }
}

#[test]
fn connect_says_which_reconnections_were_resumed() {
    let server = Server::start(&["--echo"]);
    for protocol in ["tls1.2", "tls1.3"] {
        let address = server.address();
        let arguments = ["connect", &address, "--pin", &server.pin, "--protocols", protocol];
        let ran = run(&[&arguments[..], &["--reconnect", "3", "--no-interactive"]].concat()).expect(0);
        assert!(ran.err.contains("3 of 4 resumed: full, resumed, resumed, resumed"), "{}", ran.err);
        let ran = run(&[&arguments[..], &["--reconnect", "1", "--no-interactive", "--no-resume"]].concat());
        assert!(ran.expect(0).err.contains("0 of 2 resumed: full, full"));
    }
}
