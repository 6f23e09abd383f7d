//! How many connections the system lets us hold.

use super::connection::Mode;

/// Descriptors that are not connections: the standard streams, the listener, the runtime, a key log.
const RESERVED: usize = 64;
/// What stands for no limit: memory ends before that.
const UNLIMITED: usize = 1 << 20;

/// Raises the limit of open files as far as it goes without privileges, and says how far that is.
#[cfg(unix)]
pub(super) fn raise_open_files() -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = match (current, maximum) {
        (Some(current), Some(most)) if current < most => {
            let wanted = Rlimit { current: Some(most), maximum: Some(most) };
            if setrlimit(Resource::Nofile, wanted).is_ok() { Some(most) } else { Some(current) }
        }
        (current, _) => current,
    };
    raised.map_or(UNLIMITED, |limit| usize::try_from(limit).unwrap_or(UNLIMITED))
}

#[cfg(not(unix))]
pub(super) fn raise_open_files() -> usize {
    UNLIMITED
}

/// The connections that fit into so many open files.
pub(super) fn connections(open_files: usize, mode: &Mode) -> usize {
    let each = if matches!(mode, Mode::Forward(_)) { 2 } else { 1 };
    let most = open_files.saturating_sub(RESERVED) / each;
    most.clamp(1, UNLIMITED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_connection_has_its_descriptors() {
        assert_eq!(connections(1024, &Mode::Echo { asks: false }), 960);
        assert_eq!(connections(1024, &Mode::Forward(String::new())), 480);
        assert!(connections(10, &Mode::Echo { asks: false }) >= 1);
    }
}
