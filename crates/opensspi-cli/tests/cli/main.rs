//! The command as a user has it: the built binary, its output and its exit codes.

#![cfg(unix)]
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers too"
)]

mod accounts;
mod check;
mod connections;
mod demo;
mod exit_codes;
mod explain;
mod farm;
mod http;
mod logons;
mod negotiate;
mod older;
mod peers;
mod process;
mod renegotiation;
mod session;
mod starttls;
mod token;
