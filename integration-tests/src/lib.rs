//! What the tests against real peers share: starting a peer and stopping it, our own end, content that shows whether
//! every byte arrived, and the matrix of what is tried with whom.
//!
//! | peer | module | serves | connects |
//! |---|---|---|---|
//! | OpenSSL | [`peers::openssl`] | `s_server` | `s_client` |
//! | GnuTLS | [`peers::gnutls`] | `gnutls-serv` | `gnutls-cli` |
//! | curl | [`peers::curl`] | | `curl` |
//! | Python's ssl | [`peers::python`] | echo | echo |
//! | Java's JSSE | [`peers::java`] | echo | echo |
//!
//! The last two run programs of ours, in `peers/`, and report each connection as one line of JSON.
//!
//! | looking for | where |
//! |---|---|
//! | our end, as a server and as a client | [`ours`] |
//! | any peer as an echo server or as its client | [`echo`] |
//! | what is tried: peer × role × version × feature | [`matrix`], and `skipped.toml` for what is left out |
//! | the matrix as a table, at full size | `src/bin/interop.rs` |
//! | many connections, for a long time | `src/bin/soak.rs` |

pub mod echo;
pub mod legacy;
pub mod matrix;
pub mod ours;
pub mod pattern;
pub mod peers;

pub use pattern::{Content, Pattern};
