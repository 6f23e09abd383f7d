//! [`AccountDirectory`](sspi_tokio::AccountDirectory) on LDAP: the accounts of client certificates, looked up in Active
//! Directory or OpenLDAP.
//!
//! | what | where |
//! |---|---|
//! | where the directory is, and how it is asked | [`Options`] |
//! | connections, what is remembered, a directory that is down | `directory.rs` |
//! | one connection: StartTLS, TLS over any package, bind | `connection.rs` |
//! | what is asked | `filter.rs` |
//! | what is answered | `entry.rs` |
//! | what the LDAP library is not shown | `guard.rs` |
//! | for threads | [`Blocking`] |
//!
//! The crate `ldap3` speaks the protocol, without any TLS of its own: ldaps and StartTLS run over a credential of this
//! project. It takes sockets of the system only, and no stream of another kind; so it gets one end of a pair of local sockets,
//! and the other is joined to the secured stream.
//!
//! Spec: LDAP; LDAP-FILTER.

mod absent;
mod blocking;
mod connection;
mod directory;
mod entry;
mod filter;
mod guard;
mod options;

pub use blocking::Blocking;
pub use directory::LdapDirectory;
pub use options::{Bind, Options, Protection, Server};
