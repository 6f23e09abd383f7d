//! The matrix against curl. What is left out here, and why, is in `skipped.toml`.

use opensspi_integration_tests::peers::Peer;
use opensspi_integration_tests::tests_against;

tests_against!(Peer::Curl);
