use super::*;

fn problems(text: &str) -> Vec<String> {
    let problems = Config::from_toml(text, "opensspi.toml").unwrap_err();
    problems.iter().map(|problem| problems.describe(problem)).collect()
}

#[test]
fn an_empty_file_is_the_safe_default() {
    let config = Config::from_toml("", "x").unwrap();
    assert_eq!(config, Config::default());
    assert_eq!(config.package, "Schannel");
    assert_eq!(config.handshake_deadline, Some(Duration::from_secs(30)));
    assert_eq!(config.session_store_deadline, Duration::from_millis(50));
    assert_eq!(config.schannel.session_cache_entries, 10_000);
    assert_eq!(config.schannel.session_lifetime, Duration::from_secs(36_000));
}

#[test]
fn every_key_is_read() {
    let config = Config::from_toml(
        r#"
        package = "Schannel"
        handshake-deadline = "1m30s"
        [schannel]
        protocols = ["tls1.2"]
        client-auth = "required"
        [[schannel.certificates]]
        chain = "a.pem"
        key = "env:KEY"
        [log]
        format = "json"
        level = "debug"
        "#,
        "x",
    )
    .unwrap();
    assert_eq!(config.handshake_deadline, Some(Duration::from_secs(90)));
    assert_eq!(config.schannel.certificates.len(), 1);
    assert_eq!(config.log, LogConfig { format: LogFormat::Json, level: LogLevel::Debug });
}

#[test]
fn an_unknown_key_is_named_with_its_place_and_the_nearest_valid_one() {
    assert_eq!(
        problems("package = \"Schannel\"\n\n[schannel]\nprotocol = [\"tls1.3\"]\n"),
        ["opensspi.toml:4:1: unknown key \"protocol\" in [schannel]; did you mean \"protocols\"?"]
    );
    assert_eq!(
        problems("pakage = \"Schannel\""),
        ["opensspi.toml:1:1: unknown key \"pakage\" at the top level; did you mean \"package\"?"]
    );
    assert_eq!(
        problems("[[schannel.certificates]]\nchain = \"a\"\nkey = \"file:b\"\nsend-rot = true"),
        [
            "opensspi.toml:4:1: unknown key \"send-rot\" in [[schannel.certificates]]; did you mean \"send-root\"?"
        ]
    );
}

#[test]
fn an_unknown_value_is_named_with_its_place_and_the_nearest_valid_one() {
    assert_eq!(
        problems("[schannel]\nprotocols = [\"tls1.3\", \"tls1.4\"]"),
        [
            "opensspi.toml:2:24: unknown value \"tls1.4\" for \"schannel.protocols[1]\"; did you mean \"tls1.3\"?"
        ]
    );
    assert_eq!(
        problems("[schannel]\nprotocols = [\"ssl3\", \"tls1.0..tls1.4\"]"),
        [
            "opensspi.toml:2:22: unknown value \"tls1.4\" for \"schannel.protocols[1]\"; did you mean \"tls1.3\"?"
        ]
    );
    assert_eq!(
        problems("[schannel]\nprotocols = [\"ssl3\", \"tls1.3..tls1.0\"]"),
        [
            "opensspi.toml:2:22: schannel.protocols[1]: \"tls1.3..tls1.0\" begins with the newer protocol; write \"tls1.0..tls1.3\""
        ]
    );
    let far = problems("[log]\nformat = \"xml-document\"");
    assert_eq!(
        far,
        ["opensspi.toml:2:10: unknown value \"xml-document\" for \"log.format\"; there are: text, json"]
    );
}

#[test]
fn every_mistake_is_reported_at_once_in_the_order_of_the_lines() {
    let found = problems(
        "handshake-deadline = \"soon\"\nport = 1\n[schannel]\nresume = 3\nalpn = [\"h2\", 4]\nprotocol = 1\n[logs]\n",
    );
    let places: Vec<&str> = found.iter().map(|line| line.split(": ").next().unwrap()).collect();
    assert_eq!(
        places,
        [
            "opensspi.toml:1:22",
            "opensspi.toml:2:1",
            "opensspi.toml:4:10",
            "opensspi.toml:5:15",
            "opensspi.toml:6:1",
            "opensspi.toml:7:2"
        ],
        "{found:#?}"
    );
    assert!(found[0].contains("handshake-deadline: \"soon\" is not a duration"), "{found:#?}");
}

#[test]
fn a_mistake_in_toml_itself_has_its_place() {
    let found = problems("package = \"Schannel\n[schannel]\n");
    assert!(found[0].starts_with("opensspi.toml:1:"), "{found:?}");
}

#[test]
fn a_missing_key_is_named() {
    let found = problems("[[schannel.certificates]]\nchain = \"a.pem\"\n");
    assert_eq!(found, ["opensspi.toml:1:1: the key \"key\" is missing in [[schannel.certificates]]"]);
}

#[test]
fn a_secret_in_the_file_is_refused_and_not_repeated() {
    let pem = "-----BEGIN PRIVATE KEY-----\\nMIIsecret\\n-----END PRIVATE KEY-----";
    for (text, place) in [
        (
            format!("[[schannel.certificates]]\nchain = \"a\"\nkey = \"{pem}\""),
            "3:7: schannel.certificates[0].key holds PEM itself",
        ),
        (
            "[[schannel.certificates]]\nchain = \"a\"\nkey = \"server.key\"".to_owned(),
            "3:7: schannel.certificates[0].key names a secret",
        ),
        (format!("[schannel]\nroots = [\"{pem}\"]"), "2:10: schannel.roots[0] holds PEM itself"),
    ] {
        let found = problems(&text);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with(&format!("opensspi.toml:{place}")), "{found:?}");
        assert!(found[0].contains("env:NAME"), "{found:?}");
        assert!(!found[0].contains("MIIsecret"), "{found:?}");
    }
}

#[test]
fn a_password_in_the_file_is_refused_by_its_name_even_where_no_such_key_exists() {
    let found = problems("[schannel]\npassword = \"hunter2\"");
    assert!(found.iter().any(|line| line.contains("schannel.password names a secret")), "{found:?}");
    assert!(found.iter().all(|line| !line.contains("hunter2")), "{found:?}");
}

#[test]
fn nothing_that_is_written_makes_the_reader_panic() {
    for text in [
        "\u{0}",
        "[",
        "a",
        "a=",
        "[[a]]\n[a]",
        "[schannel]\n[schannel]",
        "é = 1",
        "schannel = 1",
        "[schannel.protocols]",
        "schannel.certificates = [[]]",
    ] {
        assert!(Config::from_toml(text, "x").is_err(), "{text:?}");
    }
}
