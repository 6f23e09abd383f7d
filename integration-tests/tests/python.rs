//! The matrix against Python's ssl module. What is left out here, and why, is in `skipped.toml`.

use opensspi_integration_tests::peers::Peer;
use opensspi_integration_tests::tests_against;

tests_against!(Peer::Python);
