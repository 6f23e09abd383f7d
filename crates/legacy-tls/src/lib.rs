//! The engine for SSL 3.0 to TLS 1.2, without IO.
//!
//! | module | what | specification |
//! |---|---|---|
//! | [`record`] | protection of records, one direction at a time | SSL30 section 5.2, TLS10, TLS11 and TLS12 section 6.2 |

pub mod record;
