//! The old protocols: SSL 3.0, TLS 1.0, 1.1, and TLS 1.2 with the suites of its time, against peers that still have them.
//!
//! Two tables. A [`Cell`] is a suite in a version with a peer that has a role; a [`Trial`] is something else that is tried
//! with it: client certificates, resumption, records of every length and the splitting of records. Each is run or has its
//! reason in `suites.toml`.
//!
//! | looking for | where |
//! |---|---|
//! | the suites, and what each peer calls them | [`suite`] |
//! | what each peer lacks | `suites.toml` |
//! | how the peers are told to forget what they have learned | [`terms`] |
//! | the peers against each other, which shows that what fails with us is ours | [`alone`] |

pub mod alone;
mod cell;
mod checks;
mod lacks;
mod meeting;
mod pki;
pub mod suite;
pub mod terms;

pub use cell::{Cell, Feature, Group, Trial};
pub use checks::{check_suites, check_trials};
pub use lacks::{Lacks, lacks};
pub use meeting::{run_group, run_trial};
pub use pki::Pki;
pub use suite::{Key, SUITES, Suite};
