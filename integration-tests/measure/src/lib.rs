//! What the programs that measure share.
//!
//! | looking for | where |
//! |---|---|
//! | whether two samples of times differ | [`statistics`] |
//! | how the samples are taken | [`sampling`] |
//! | which arithmetic of RSA is measured, and how busy the machine is | [`machine`] |
//! | how much our primitives do in a second of processor time | [`rates`] |
//! | whether time tells a secret | `src/bin/timing` |
//! | our primitives beside OpenSSL's | `src/bin/primitives` |

pub mod machine;
pub mod rates;
pub mod sampling;
pub mod statistics;
