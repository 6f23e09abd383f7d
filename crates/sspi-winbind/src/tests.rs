//! With scripts in place of `ntlm_auth`.

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
    (folder, Options { program, ..Options::default() })
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
    }
}

#[tokio::test]
async fn a_program_that_is_not_there_or_says_nothing_cannot_be_asked() {
    let missing = Options { program: "/nonexistent/ntlm_auth".into(), ..Options::default() };
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
