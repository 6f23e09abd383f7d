//! Failed logons, counted by account and source: whoever has too many waits. For the packages that judge passwords.
//!
//! It knows no package and no clock: each has a table of its own, and says what time it is.

pub mod lifetime;
mod settings;
mod table;

pub use settings::LockOut;
pub use table::{Attempt, LockOuts, Who};
