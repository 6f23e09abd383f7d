//! The matrix against OpenSSL's s_server and s_client. What is left out here, and why, is in `skipped.toml`.

use opensspi_integration_tests::peers::Peer;
use opensspi_integration_tests::tests_against;

tests_against!(Peer::OpenSsl);
