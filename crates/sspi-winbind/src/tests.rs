//! With scripts in place of `ntlm_auth`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure here is a failed test, in its helpers too")]

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use super::*;

fn program(script: &str) -> (tempfile::TempDir, Options) {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("ntlm_auth");
    // Written under another name first: a file that is open for writing cannot be run.
    let written = folder.path().join("written");
    std::fs::write(&written, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&written, Permissions::from_mode(0o755)).unwrap();
    std::fs::rename(&written, &program).unwrap();
    (folder, Options { program, domains: vec!["CORP".into()], ..Options::default() })
}

fn request() -> LogonRequest {
    LogonRequest {
        package: "NTLM".into(),
        user: "alice".into(),
        domain: "CORP".into(),
        workstation: String::new(),
        proof: LogonProof::ChallengeResponse {
            challenge: [1; 8],
            nt_response: vec![2; 40],
            lm_response: vec![0; 24],
        },
    }
}

/// Answers every question with a key that counts them.
const COUNTS: &str = r#"
[ "$1" = "--helper-protocol=ntlm-server-1" ] || exit 1
n=10
while read -r line; do
  if [ "$line" = "." ]; then
    printf 'Authenticated: Yes\nUser-Session-Key: %s00112233445566778899aabbccddee\n.\n' "$n"
    n=$((n + 1))
  fi
done
"#;

fn key(verdict: LogonVerdict) -> u8 {
    match verdict {
        LogonVerdict::Proven { session_key, .. } => session_key.expose_secret()[0],
        verdict => panic!("{verdict:?}"),
    }
}

#[tokio::test]
async fn a_child_answers_one_question_after_the_other() {
    let (_folder, options) = program(COUNTS);
    let winbind = Winbind::new(options);
    assert_eq!(key(winbind.logon(&request()).await.unwrap()), 0x10);
    assert_eq!(key(winbind.logon(&request()).await.unwrap()), 0x11);
}

#[tokio::test]
async fn many_questions_at_once_get_their_own_answers() {
    let (_folder, options) = program(COUNTS);
    let winbind = Arc::new(Winbind::new(Options { children: 2, ..options }));
    let asked: Vec<_> = (0..20)
        .map(|_| {
            let winbind = Arc::clone(&winbind);
            tokio::spawn(async move { key(winbind.logon(&request()).await.unwrap()) })
        })
        .collect();
    for answer in asked {
        assert!((0x10..0x40).contains(&answer.await.unwrap()));
    }
    assert!(winbind.idle.lock().await.len() <= 2);
}

#[tokio::test]
async fn a_child_that_dies_is_replaced() {
    let (_folder, options) = program(
        "while read -r line; do [ \"$line\" = . ] && printf 'Authenticated: No\\n.\\n' && exit; done",
    );
    let winbind = Winbind::new(options);
    for _ in 0..3 {
        assert!(matches!(winbind.logon(&request()).await.unwrap(), LogonVerdict::Denied));
        // One that has not ended yet may have read the next question.
        while let Some(child) = winbind.idle.lock().await.last_mut()
            && child.is_silent().await
        {
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn a_program_that_is_not_there_or_says_nothing_cannot_be_asked() {
    let missing = Options { program: "/nonexistent/ntlm_auth".into(), ..program("").1 };
    for options in [missing, program("exit 1").1] {
        let error = Winbind::new(options).logon(&request()).await.unwrap_err();
        assert_eq!(error.status(), SecStatus::SEC_E_NO_AUTHENTICATING_AUTHORITY);
        assert_eq!(error.setting(), Some("logon.winbind"));
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_does_not_come_is_given_up_with_its_child() {
    let (_folder, options) = program("while read -r line; do :; done");
    let winbind = Winbind::new(options);
    let error = winbind.logon(&request()).await.unwrap_err();
    assert!(error.message().contains("in time"), "{error}");
    assert!(winbind.idle.lock().await.is_empty());
}

#[tokio::test]
async fn an_answer_to_somebody_else_is_never_read_by_the_next_logon() {
    // What ntlm_auth does with a response that it cannot read: an error at once, and an answer later.
    let (_folder, options) = program(
        r#"
while read -r line; do
  case "$line" in
    .) printf 'Authenticated: Yes\nUser-Session-Key: 8DE40CCADBC14A82F15CB0AD0DE95CA3\n.\n' ;;
    Username*) printf 'Error: hex decode failed!\n.\n' ;;
  esac
done
"#,
    );
    let winbind = Winbind::new(options);
    for _ in 0..3 {
        winbind.logon(&request()).await.unwrap_err();
        assert!(winbind.idle.lock().await.is_empty(), "the child is ended");
    }
}

#[tokio::test]
async fn a_child_that_has_said_more_than_an_answer_is_ended() {
    let (_folder, options) = program(
        r#"
while read -r line; do
  [ "$line" = . ] && printf 'Authenticated: No\n.\nAuthenticated: Yes\nUser-Session-Key: 8DE40CCADBC14A82F15CB0AD0DE95CA3\n.\n'
done
"#,
    );
    let winbind = Winbind::new(options);
    for _ in 0..3 {
        assert!(matches!(winbind.logon(&request()).await.unwrap(), LogonVerdict::Denied));
        assert!(winbind.idle.lock().await.is_empty());
    }
}

#[tokio::test]
async fn the_second_point_behind_a_denial_costs_no_child() {
    let (_folder, options) = program(
        "while read -r line; do [ \"$line\" = . ] && printf 'Authenticated: No\\nAuthentication-Error: NT_STATUS_WRONG_PASSWORD\\n.\\n.\\n'; done",
    );
    let winbind = Winbind::new(options);
    for _ in 0..3 {
        assert!(matches!(winbind.logon(&request()).await.unwrap(), LogonVerdict::Denied));
        assert_eq!(winbind.idle.lock().await.len(), 1);
    }
}

#[tokio::test]
async fn malformed_responses_and_names_of_the_clients_making_are_not_asked_about() {
    let missing = Options { program: "/nonexistent/ntlm_auth".into(), ..program("").1 };
    let winbind = Winbind::new(missing);
    let denied = async |change: &dyn Fn(&mut LogonRequest)| {
        let mut request = request();
        change(&mut request);
        matches!(winbind.logon(&request).await, Ok(LogonVerdict::Denied))
    };
    let proof = |nt: &[u8], lm: &[u8]| LogonProof::ChallengeResponse {
        challenge: [1; 8],
        nt_response: nt.to_vec(),
        lm_response: lm.to_vec(),
    };
    assert!(!denied(&|_| ()).await, "the program would be asked");
    assert!(denied(&|request| request.proof = proof(&[2; 40], &[1; 3])).await);
    assert!(denied(&|request| request.proof = proof(&[0; 24], &[1; 24])).await);
    for name in
        ["", "alice\0", "ali\u{7f}ce", "alice\n", "CORP\\alice", "a/b", "alice@corp.example", "SERVER$"]
    {
        assert!(denied(&|request| request.user = name.into()).await, "{name:?}");
    }
    for domain in ["CORP\0", "CO\nRP", "A\\B", "ELSEWHERE", "corp.example"] {
        assert!(denied(&|request| request.domain = domain.into()).await, "{domain:?}");
    }
}

async fn account_of(options: &Options, user: &str, domain: &str) -> Account {
    let request = LogonRequest { user: user.into(), domain: domain.into(), ..request() };
    match Winbind::new(options.clone()).logon(&request).await.unwrap() {
        LogonVerdict::Proven { account, .. } => account,
        verdict => panic!("{verdict:?}"),
    }
}

#[tokio::test]
async fn an_empty_domain_is_the_machines() {
    let (folder, options) = program(COUNTS);
    let wbinfo = folder.path().join("wbinfo");
    let request = LogonRequest { domain: String::new(), ..request() };
    let error = Winbind::new(options.clone()).logon(&request).await.unwrap_err();
    assert!(error.message().contains("wbinfo"), "{error}");
    let (other, _) = program("[ \"$1\" = --own-domain ] && echo LAB");
    std::fs::rename(other.path().join("ntlm_auth"), &wbinfo).unwrap();
    assert_eq!(account_of(&options, "alice", "").await.domain.as_deref(), Some("LAB"));
    let options = Options { domain: Some("CORP".into()), ..options };
    assert_eq!(account_of(&options, "alice", "").await.domain.as_deref(), Some("CORP"));
}

#[tokio::test]
async fn a_domain_is_one_that_winbind_knows_and_is_called_as_it_is_there() {
    let (folder, options) = program(COUNTS);
    let options = Options { domains: Vec::new(), ..options };
    let winbind = Winbind::new(options.clone());
    let named = async |domain: &str| {
        let request = LogonRequest { domain: domain.into(), ..request() };
        match winbind.logon(&request).await {
            Ok(LogonVerdict::Proven { account, .. }) => Ok(account.domain),
            Ok(_) => Ok(None),
            Err(error) => Err(error),
        }
    };
    assert!(named("CORP").await.unwrap_err().message().contains("wbinfo"));
    let says = |domains: &str| {
        let (other, _) = program(&format!("[ \"$1\" = --all-domains ] && printf '{domains}'"));
        std::fs::rename(other.path().join("ntlm_auth"), folder.path().join("wbinfo")).unwrap();
    };
    says("BUILTIN\\nCORP\\n");
    assert_eq!(named("corp").await.unwrap().as_deref(), Some("CORP"));
    assert_eq!(named("LAB").await.unwrap(), None, "nobody calls himself what he likes");
    says("CORP\\nLAB\\n");
    assert_eq!(named("LAB").await.unwrap(), None, "it was asked just now");
    tokio::time::pause();
    tokio::time::advance(ASKED_AGAIN).await;
    // A program runs in time of its own.
    tokio::time::resume();
    assert_eq!(named("lab").await.unwrap().as_deref(), Some("LAB"));
    // What the configuration says is enough.
    let said = Options { domain: Some("Own".into()), domains: vec!["Other".into()], ..options };
    for (named, called) in [("OWN", "Own"), ("other", "Other")] {
        assert_eq!(account_of(&said, "alice", named).await.domain.as_deref(), Some(called));
    }
}

/// A domain controller counts wrong passwords, and locks accounts after a few.
#[tokio::test]
async fn a_question_that_was_read_is_not_asked_again() {
    let (folder, options) = program(
        r#"
while read -r line; do
  if [ "$line" = "." ]; then
    echo asked >> "${0%/*}/log"
    [ "$(wc -l < "${0%/*}/log")" = 1 ] || exit 1
    printf 'Authenticated: Yes\nUser-Session-Key: 10112233445566778899aabbccddeeff\n.\n'
  fi
done
"#,
    );
    let winbind = Winbind::new(options);
    assert_eq!(key(winbind.logon(&request()).await.unwrap()), 0x10);
    let error = winbind.logon(&request()).await.unwrap_err();
    assert_eq!(error.status(), SecStatus::SEC_E_NO_AUTHENTICATING_AUTHORITY);
    let log = std::fs::read_to_string(folder.path().join("log")).unwrap();
    assert_eq!(log.lines().count(), 2, "once for each logon");
}

#[tokio::test]
async fn principal_names_and_machines_are_asked_about_where_it_is_said() {
    let (_folder, options) = program(COUNTS);
    let options = Options { allows_principal_names: true, allows_machines: true, ..options };
    let account = account_of(&options, "alice@corp.example", "").await;
    assert_eq!((account.upn.as_deref(), account.domain), (Some("alice@corp.example"), None));
    assert_eq!(account_of(&options, "SERVER$", "CORP").await.name, "SERVER$");
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_slow_answers_to_others_is_asked_about_all_the_same() {
    let (_folder, options) = program("while read -r line; do :; done");
    let deadline = options.deadline;
    let winbind = Arc::new(Winbind::new(Options { children: 1, ..options }));
    let begin = Instant::now();
    let asked: Vec<_> = (0..3)
        .map(|_| {
            let winbind = Arc::clone(&winbind);
            tokio::spawn(async move { winbind.logon(&request()).await.unwrap_err() })
        })
        .collect();
    for error in asked {
        assert!(error.await.unwrap().message().contains("in time"));
    }
    assert!(begin.elapsed() >= deadline * 3, "each had its own time");
}
