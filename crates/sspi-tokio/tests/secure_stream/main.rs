//! Secure streams over two packages that are toys: one that exchanges tokens (the one of the contract's own tests), and one
//! that frames its own messages.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "the functions and the package that tests share are tests too"
)]

#[path = "../../../../sspi-core/tests/toy/mod.rs"]
#[allow(dead_code, reason = "the contract's own tests use all of it")]
mod toy;

mod stream_toy;

mod blocking;
mod cancellation;
mod data;
mod endings;
mod halves;
mod handshakes;
mod pair;
mod renegotiation;
