//! `session list` and `session clear`, and which reconnections were resumed.

use std::fs;
use std::path::Path;

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
