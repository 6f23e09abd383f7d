//! A client as whom the configuration says.

mod support;

use sspi_core::{AcceptRequest, InitializeRequest, SecStatus};
use support::{Fixture, run};

#[test]
fn a_client_logs_on_with_the_user_and_the_password_that_the_configuration_refers_to() {
    let fixture = Fixture::new("", "user = \"alice\"\npassword = \"file:wonderland\"");
    let request = InitializeRequest {
        target_name: Some("imap/mail.example.test".into()),
        ..InitializeRequest::default()
    };
    let mut client = fixture.configured_client().unwrap().initialize(&request).unwrap();
    let server = AcceptRequest::default();
    let (_, at_server) = run(&fixture, &mut *client, &mut *fixture.accept(&server)).unwrap();
    assert_eq!(at_server.security_context_token().unwrap().name, "alice");
}

#[test]
fn what_is_missing_is_named_by_its_setting() {
    for (section, setting, status) in [
        ("", "digest.user", SecStatus::SEC_E_NO_CREDENTIALS),
        ("password = \"file:x\"", "digest.user", SecStatus::SEC_E_NO_CREDENTIALS),
        ("user = \"alice\"", "digest.password", SecStatus::SEC_E_NO_CREDENTIALS),
        ("user = \"alice\"\npassword = \"env:X\"", "digest.password", SecStatus::SEC_E_UNKNOWN_CREDENTIALS),
        ("user = \"alice\"\npassword = \"hunter2\"", "digest.password", SecStatus::SEC_E_UNKNOWN_CREDENTIALS),
    ] {
        let error = Fixture::new("", section).configured_client().err().unwrap();
        assert_eq!((error.setting(), error.status()), (Some(setting), status), "{section}");
        assert!(!error.to_string().contains("hunter2"));
    }
}
