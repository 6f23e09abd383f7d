//! Ports that are free, and processes that listen on them.

use std::collections::HashSet;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

/// A TCP port on which nobody listens and which this process was not given before. Somebody else may take it before it
/// is used: for peers that cannot choose one themselves and say which.
///
/// # Panics
///
/// If the system has no port left.
pub fn free_port() -> u16 {
    static GIVEN: Mutex<Option<HashSet<u16>>> = Mutex::new(None);
    let mut given = GIVEN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let given = given.get_or_insert_default();
    // Listeners that are kept while we look make the system offer another port each time.
    let mut refused = Vec::new();
    loop {
        #[expect(clippy::expect_used, reason = "a machine without a free port runs no test")]
        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).expect("a free port");
        let port = listener.local_addr().map_or(0, |address| address.port());
        if port != 0 && given.insert(port) {
            return port;
        }
        refused.push(listener);
    }
}

/// Whether the process `pid` listens on `port`, found without connecting: a connection that says nothing is one more
/// connection in a server's log and in its count.
pub(super) fn listens(pid: u32, port: u16) -> bool {
    if Path::new("/proc/net/tcp").exists() {
        let sockets = listening_sockets(port);
        !sockets.is_empty() && holds_one_of(pid, &sockets)
    } else {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        TcpStream::connect_timeout(&address, Duration::from_millis(200)).is_ok()
    }
}

/// The inodes of the sockets that listen on `port`, on any address.
fn listening_sockets(port: u16) -> Vec<String> {
    let tables =
        ["/proc/net/tcp", "/proc/net/tcp6"].map(|table| fs::read_to_string(table).unwrap_or_default());
    let local_port = format!(":{port:04X}");
    tables
        .iter()
        .flat_map(|table| table.lines().skip(1))
        .filter_map(|line| {
            // sl, local_address, rem_address, st, queues, timer, retransmissions, uid, timeout, inode
            let fields: Vec<&str> = line.split_ascii_whitespace().collect();
            let (local, state, inode) = (fields.get(1)?, fields.get(3)?, fields.get(9)?);
            (local.ends_with(&local_port) && *state == "0A").then(|| format!("socket:[{inode}]"))
        })
        .collect()
}

fn holds_one_of(pid: u32, sockets: &[String]) -> bool {
    let Ok(descriptors) = fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
    descriptors
        .flatten()
        .filter_map(|descriptor| fs::read_link(descriptor.path()).ok())
        .any(|target| sockets.iter().any(|socket| target.as_os_str() == socket.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process;

    #[test]
    fn no_port_is_given_twice() {
        let ports: HashSet<u16> = (0..50).map(|_| free_port()).collect();
        assert_eq!(ports.len(), 50);
    }

    #[test]
    fn a_listener_is_seen_while_it_listens() {
        let port = free_port();
        assert!(!listens(process::id(), port));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
        assert!(listens(process::id(), port));
        assert!(!listens(1, port), "another process does not listen");
        drop(listener);
        assert!(!listens(process::id(), port));
    }
}
