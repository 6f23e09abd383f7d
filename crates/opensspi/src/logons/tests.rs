//! Accounts that are added and changed, and files that are refused.

use super::*;
use sspi_core::LogonProof;

fn request(user: &str, domain: &str) -> LogonRequest {
    LogonRequest {
        package: "NTLM".into(),
        user: user.into(),
        domain: domain.into(),
        workstation: String::new(),
        proof: LogonProof::ChallengeResponse { challenge: [0; 8], nt_response: vec![], lm_response: vec![] },
    }
}

fn knows(logons: &FileLogons, user: &str, password: &str) -> bool {
    let Ok(LogonVerdict::Known { secrets, .. }) = logons.verdict(&request(user, "")) else { return false };
    let [AccountSecret::NtHash(hash)] = &secrets[..] else { panic!() };
    NtHash::from_bytes(*hash.expose_secret()) == NtHash::of_password(password)
}

fn account(name: &str) -> NewAccount {
    NewAccount { name: name.into(), ..NewAccount::default() }
}

#[test]
fn accounts_are_added_changed_and_listed_and_what_else_is_in_the_file_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("logons.toml");
    FileLogons::add(&path, &account("alice"), "first").unwrap();
    let logons = FileLogons::open(&path).unwrap();
    assert!(knows(&logons, "alice", "first"));
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("# people\n{text}disabled = false # for now")).unwrap();
    let bob = NewAccount {
        name: "bob \"the builder\"".into(),
        domain: Some("CORP".into()),
        upn: Some("bob@corp.example".into()),
        ..NewAccount::default()
    };
    FileLogons::add(&path, &bob, "second").unwrap();
    assert!(knows(&logons, "bob@corp.example", "second"), "an open file is read again");
    FileLogons::set_password(&path, "ALICE", None, "third").unwrap();
    assert!(knows(&logons, "alice", "third") && !knows(&logons, "alice", "first"));
    let text = fs::read_to_string(&path).unwrap();
    assert!(
        text.starts_with("# people\n[[account]]\nname = \"alice\"\n") && text.contains("# for now"),
        "{text}"
    );
    let names: Vec<_> =
        FileLogons::list(&path).unwrap().into_iter().map(|one| (one.name, one.domain)).collect();
    assert_eq!(names, [("alice".to_owned(), None), (bob.name.clone(), bob.domain.clone())]);
    assert!(!format!("{logons:?}").contains(&*NtHash::of_password("third").to_hex()));
}

#[cfg(unix)]
#[test]
fn a_new_file_is_for_its_owner_only_and_one_that_others_can_read_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("logons.toml");
    FileLogons::add(&path, &account("alice"), "secret").unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    for mode in [0o640, 0o604, 0o660] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        for error in [
            FileLogons::open(&path).map(drop).unwrap_err(),
            FileLogons::list(&path).map(drop).unwrap_err(),
            FileLogons::add(&path, &account("bob"), "x").unwrap_err(),
            FileLogons::set_password(&path, "alice", None, "x").unwrap_err(),
        ] {
            assert!(error.to_string().contains("chmod 600"), "{error}");
        }
    }
}

#[test]
fn what_cannot_be_leaves_the_file_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("logons.toml");
    FileLogons::add(&path, &account("alice"), "secret").unwrap();
    let before = fs::read(&path).unwrap();
    for error in [
        FileLogons::add(&path, &account("Alice"), "x").unwrap_err(),
        FileLogons::add(&path, &account("CORP\\bob"), "x").unwrap_err(),
        FileLogons::add(&path, &account(""), "x").unwrap_err(),
        FileLogons::set_password(&path, "carol", None, "x").unwrap_err(),
    ] {
        assert!(!error.to_string().is_empty());
    }
    assert_eq!(fs::read(&path).unwrap(), before);
    assert!(!folder.path().join("logons.toml.new").exists(), "nothing is left behind");
}

#[test]
fn a_change_that_was_made_leaves_the_next_ones_new_file_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("logons.toml");
    let mut change = Change::begin(&path).unwrap();
    change.place("").unwrap();
    let next = Change::begin(&path).unwrap();
    drop(change);
    assert!(next.new.exists());
}

#[cfg(unix)]
#[test]
fn a_link_stays_one_and_its_target_is_changed() {
    let folder = tempfile::tempdir().unwrap();
    let (target, link) = (folder.path().join("real.toml"), folder.path().join("logons.toml"));
    FileLogons::add(&target, &account("alice"), "secret").unwrap();
    std::os::unix::fs::symlink(&target, &link).unwrap();
    FileLogons::add(&link, &account("bob"), "another").unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(FileLogons::list(&target).unwrap().len(), 2);
    assert!(!folder.path().join("real.toml.new").exists());
}

#[cfg(unix)]
#[test]
fn a_file_of_somebody_else_lets_nobody_in() {
    for (owner, ours, purpose, is_taken) in [
        (1000, 1000, Purpose::LogOn, true),
        (0, 1000, Purpose::LogOn, true),
        (1001, 1000, Purpose::LogOn, false),
        (1001, 1000, Purpose::Administer, false),
        (1001, 0, Purpose::LogOn, false),
        (1001, 0, Purpose::Administer, true),
    ] {
        assert_eq!(is_trusted(owner, ours, purpose), is_taken, "{owner} {ours} {purpose:?}");
    }
}

/// As root only, who can give files away: elsewhere there is nobody to give them to.
#[cfg(unix)]
#[test]
fn a_changed_file_keeps_its_owner_and_group() {
    use std::os::unix::fs::{MetadataExt as _, chown};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("logons.toml");
    FileLogons::add(&path, &account("alice"), "secret").unwrap();
    let (owner, group) = match chown(&path, Some(4242), Some(4243)) {
        Ok(()) => (4242, 4243),
        Err(_) => fs::metadata(&path).map(|file| (file.uid(), file.gid())).unwrap(),
    };
    FileLogons::set_password(&path, "alice", None, "another").unwrap();
    let changed = fs::metadata(&path).unwrap();
    assert_eq!((changed.uid(), changed.gid()), (owner, group));
    assert_eq!(FileLogons::open(&path).is_err(), owner == 4242, "it is somebody else's");
}

#[test]
fn two_changes_at_once_do_not_lose_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("logons.toml");
    FileLogons::add(&path, &account("alice"), "secret").unwrap();
    let under_way = Change::begin(&path).unwrap();
    let error = FileLogons::add(&path, &account("bob"), "secret").unwrap_err().to_string();
    assert!(error.contains("somebody else is changing the file"), "{error}");
    drop(under_way);
    FileLogons::add(&path, &account("bob"), "secret").unwrap();
}

#[test]
fn a_bad_file_changes_nothing_until_it_is_good_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("logons.toml");
    FileLogons::add(&path, &account("alice"), "secret").unwrap();
    let logons = FileLogons::open(&path).unwrap();
    fs::write(&path, "[[account]]\nname = \"bob\"\n").unwrap();
    assert!(knows(&logons, "alice", "secret"));
    fs::remove_file(&path).unwrap();
    FileLogons::add(&path, &account("bob"), "another").unwrap();
    assert!(knows(&logons, "bob", "another") && !knows(&logons, "alice", "secret"));
}

#[test]
fn a_file_that_is_gone_or_open_to_others_lets_nobody_in_until_it_is_back() {
    let folder = tempfile::tempdir().unwrap();
    let (path, away) = (folder.path().join("logons.toml"), folder.path().join("away.toml"));
    FileLogons::add(&path, &account("alice"), "secret").unwrap();
    let logons = FileLogons::open(&path).unwrap();
    let is_closed = || {
        let error = logons.verdict(&request("alice", "")).map(drop).unwrap_err();
        assert_eq!(error.status(), SecStatus::SEC_E_NO_AUTHENTICATING_AUTHORITY);
        assert_eq!(error.setting(), Some("logon.accounts"));
    };
    fs::rename(&path, &away).unwrap();
    is_closed();
    is_closed();
    fs::rename(&away, &path).unwrap();
    assert!(knows(&logons, "alice", "secret"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        is_closed();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert!(knows(&logons, "alice", "secret"), "at once");
    }
}

#[test]
fn unknown_accounts_are_no_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("logons.toml");
    FileLogons::add(&path, &account("alice"), "secret").unwrap();
    let logons = FileLogons::open(&path).unwrap();
    assert!(matches!(logons.verdict(&request("nobody", "")), Ok(LogonVerdict::NoAccount)));
}

#[cfg(feature = "digest")]
mod digest {
    use sspi_core::{DigestAlgorithm, DigestLogon, DigestSecret, DigestUser};

    use super::*;
    use crate::providers::digest::{hashed_a1, user_hash};

    fn logon(user: &str, realm: &str, algorithm: DigestAlgorithm) -> DigestLogon {
        let user = DigestUser::Names(vec![user.into()]);
        DigestLogon { user, realm: realm.into(), algorithm, source: None }
    }

    /// Whether the file has the right hash of this password for every hash function.
    fn knows(logons: &FileLogons, user: &str, realm: &str, password: &str) -> bool {
        DigestAlgorithm::ALL.into_iter().all(|algorithm| {
            let found = digest_secrets::find(&logons.current().unwrap(), &logon(user, realm, algorithm));
            let expected = hashed_a1(algorithm, user.as_bytes(), realm.as_bytes(), password.as_bytes());
            found.ok().flatten().is_some_and(|found| match found.secret {
                DigestSecret::HashedA1(hash) => hash.expose_secret() == expected.expose_secret(),
                DigestSecret::Password(_) => false,
            })
        })
    }

    #[test]
    fn realms_are_added_and_a_new_password_is_one_of_every_realm() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("logons.toml");
        for name in ["alice", "bob"] {
            FileLogons::add(&path, &account(name), "first").unwrap();
        }
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replace("\n[[account]]", " # of alice\ndisabled = false\n[[account]]"))
            .unwrap();
        for realm in ["one \"quoted\"", "two"] {
            FileLogons::add_digest_realm(&path, "alice", None, realm, "first").unwrap();
        }
        FileLogons::add_digest_realm(&path, "bob", None, "two", "first").unwrap();
        let logons = FileLogons::open(&path).unwrap();
        for realm in ["one \"quoted\"", "two"] {
            assert!(knows(&logons, "alice", realm, "first"), "{}", fs::read_to_string(&path).unwrap());
        }
        FileLogons::set_password(&path, "alice", None, "second").unwrap();
        for realm in ["one \"quoted\"", "two"] {
            assert!(knows(&logons, "alice", realm, "second"));
        }
        assert!(super::knows(&logons, "alice", "second"), "the NT hash, too");
        assert!(knows(&logons, "bob", "two", "first"), "and nobody else's");
        assert!(!knows(&logons, "alice", "three", "second") && !knows(&logons, "Alice", "two", "second"));
        let hash = DigestUser::Hashed(user_hash(DigestAlgorithm::Sha256, "bob", "two"));
        let hashed = DigestLogon { user: hash, ..logon("", "two", DigestAlgorithm::Sha256) };
        assert_eq!(digest_secrets::find(&logons.current().unwrap(), &hashed).unwrap().unwrap().user, "bob");
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains("# of alice\n"), "{text}");
        assert!(!text.contains("second"), "no password is in it");
    }

    #[test]
    fn an_account_and_its_realms_are_added_in_one_change_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("logons.toml");
        let with = |realms: &[&str]| NewAccount {
            digest_realms: realms.iter().map(|realm| (*realm).to_owned()).collect(),
            ..account("alice")
        };
        FileLogons::add(&path, &with(&["one", "a\nb"]), "first").unwrap_err();
        assert!(!path.exists(), "no half of an account");
        FileLogons::add(&path, &with(&["one", "two", "one"]), "first").unwrap();
        FileLogons::add(&path, &account("bob"), "first").unwrap();
        assert_eq!(FileLogons::digest_realms(&path, "alice", None).unwrap(), ["one", "two"]);
        let logons = FileLogons::open(&path).unwrap();
        assert!(knows(&logons, "alice", "one", "first") && knows(&logons, "alice", "two", "first"));
        // And so is another password, with more realms.
        let realms = |realms: &[&str]| realms.iter().map(|realm| (*realm).to_owned()).collect::<Vec<_>>();
        let change = |name, all: &[&str]| {
            FileLogons::set_password_in_realms(&path, name, None, "second", &realms(all))
        };
        change("alice", &["three", ""]).unwrap_err();
        assert!(knows(&logons, "alice", "one", "first"), "nothing was changed");
        change("alice", &["three", "two", "three"]).unwrap();
        change("bob", &["one"]).unwrap();
        for (name, realm) in [("alice", "one"), ("alice", "two"), ("alice", "three"), ("bob", "one")] {
            assert!(knows(&logons, name, realm, "second"), "{name} {realm}");
        }
        assert!(super::knows(&logons, "alice", "second") && super::knows(&logons, "bob", "second"));
    }

    #[test]
    fn an_account_without_a_secret_for_the_realm_is_refused_and_the_reason_names_the_settings() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("logons.toml");
        FileLogons::add(&path, &account("alice"), "first").unwrap();
        FileLogons::add_digest_realm(&path, "alice", None, "one", "first").unwrap();
        let logons = FileLogons::open(&path).unwrap();
        let find = |user| {
            digest_secrets::find(&logons.current().unwrap(), &logon(user, "two", DigestAlgorithm::Md5))
        };
        let error = find("alice").unwrap_err();
        assert_eq!((error.status(), error.fault()), (SecStatus::SEC_E_LOGON_DENIED, Fault::Refused));
        assert_eq!(error.setting(), Some("logon.accounts"));
        assert!(error.message().contains("\"two\" (digest.realm)"), "{error}");
        assert!(find("mallory").unwrap().is_none());
    }

    #[test]
    fn a_wrong_password_a_realm_that_is_there_and_one_that_is_none_are_refused_and_change_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("logons.toml");
        FileLogons::add(&path, &account("alice"), "first").unwrap();
        FileLogons::add_digest_realm(&path, "alice", None, "one", "first").unwrap();
        let before = fs::read_to_string(&path).unwrap();
        for (realm, password) in [("two", "second"), ("one", "first"), ("", "first"), ("a\nb", "first")] {
            let error = FileLogons::add_digest_realm(&path, "alice", None, realm, password).unwrap_err();
            assert!(!error.to_string().contains("first"), "{error}");
            assert_eq!(fs::read_to_string(&path).unwrap(), before, "{realm:?}");
        }
    }

    #[test]
    fn hashes_of_a_wrong_length_are_named_and_not_shown() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("logons.toml");
        FileLogons::add(&path, &account("alice"), "first").unwrap();
        let text = fs::read_to_string(&path).unwrap();
        for (bad, what) in
            [("md5 = \"c0ffee\"", "a hash of MD5 is 32"), ("sha-256 = \"hunter2\"", "hexadecimal digits")]
        {
            fs::write(&path, format!("{text}digest = [{{ realm = \"r\", {bad} }}]\n")).unwrap();
            let error = FileLogons::open(&path).unwrap_err().to_string();
            assert!(error.contains(what), "{error}");
            assert!(!error.contains("c0ffee") && !error.contains("hunter2"), "{error}");
        }
    }
}
