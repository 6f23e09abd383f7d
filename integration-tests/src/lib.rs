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
//! | NSS | [`peers::nss`] | `selfserv` | `tstclnt` |
//! | tlslite-ng, scapy, Node.js 0.10 | [`peers::fetched`] | echo | echo |
//! | nassl | [`peers::fetched`] | | echo |
//!
//! What is said to echo is a program of ours on that library, in `peers/`, which reports each connection as one line of
//! JSON. The last four, and an OpenSSL 1.1.1, lie below the target folder: `peers/install.sh`.
//!
//! | looking for | where |
//! |---|---|
//! | our end, as a server and as a client | [`ours`] |
//! | any peer as an echo server or as its client | [`echo`] |
//! | what `nmap`, `sslscan` and `tshark` see of us | [`peers::scanners`], and [`wiretap`] for the bytes |
//! | what is tried: peer × role × version × feature | [`matrix`], and `skipped.toml` for what is left out |
//! | servers with STARTTLS, a browser, Node.js, with the command `opensspi` | [`applications`] |
//! | Digest: our two ends, and as much of HTTP as carries it | [`digest`] |
//! | as much of LDAP as a SASL bind and what follows take | [`ldap`] |
//! | NTLM and Negotiate over HTTP: our two ends | [`http`] |
//! | NTLM and Negotiate, token by token: our two ends | [`tokens`] |
//! | the old protocols: peer × role × version × suite | [`legacy`], and `suites.toml` for what peers lack |
//! | both as tables, at full size; the peers against each other | `src/bin/interop` |
//! | many connections, for a long time | `src/bin/soak` |
//! | the CPU seconds of our server beside OpenSSL's | `src/bin/speed` |

pub mod applications;
pub mod digest;
pub mod echo;
pub mod farm;
pub mod http;
pub mod ldap;
pub mod legacy;
pub mod matrix;
pub mod ours;
pub mod pattern;
pub mod peers;
pub mod tokens;
pub mod wiretap;

pub use pattern::{Content, Pattern};
