//! A wire between two ends of a connection that keeps what went over it, as a capture file for a network analyser.
//!
//! Nothing is captured from a network interface, which would need rights that a test has not: the bytes pass through
//! this process, and the packets around them are made up.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// The port of the server in the captures, whatever its real one.
pub const SERVER_PORT: u16 = 4433;
/// The port of the first client; that of the next is one more.
const FIRST_CLIENT_PORT: u16 = 50_000;
/// The most bytes that one packet of a capture carries.
const LONGEST: usize = 16_384;

/// Some bytes on their way.
#[derive(Debug)]
struct Piece {
    connection: u16,
    to_server: bool,
    bytes: Vec<u8>,
}

#[derive(Debug, Default)]
struct Log {
    pieces: Vec<Piece>,
    accepted: u16,
    /// The directions that have ended, two for each connection.
    ended: u16,
}

#[derive(Debug, Default)]
struct Shared {
    log: Mutex<Log>,
    changed: Condvar,
}

impl Shared {
    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A port that leads to another one, and what passed through.
#[derive(Debug)]
pub struct Wiretap {
    port: u16,
    shared: Arc<Shared>,
}

impl Wiretap {
    /// A wire to this port of 127.0.0.1. It lasts as long as this process.
    ///
    /// # Errors
    ///
    /// There is no port for its other end.
    pub fn to(server: u16) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let port = listener.local_addr()?.port();
        let shared = Arc::new(Shared::default());
        let log = Arc::clone(&shared);
        thread::spawn(move || {
            for (connection, client) in (0..).zip(listener.incoming()) {
                let Ok(client) = client else { return };
                if join(&log, connection, &client, server).is_err() {
                    return;
                }
            }
        });
        Ok(Self { port, shared })
    }

    /// Where a client is to connect to.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What passed in so many connections, once they have ended: a capture file (pcap) of IPv4 packets.
    ///
    /// # Errors
    ///
    /// They have not ended in time.
    pub fn capture(&self, connections: u16) -> io::Result<Vec<u8>> {
        let running = |log: &mut Log| log.accepted < connections || log.ended < 2 * log.accepted;
        let waited = self.shared.changed.wait_timeout_while(self.shared.log(), PATIENCE, running);
        let (log, verdict) = waited.unwrap_or_else(PoisonError::into_inner);
        if verdict.timed_out() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(pcap(&log.pieces))
    }
}

const PATIENCE: Duration = Duration::from_secs(20);

/// Connects to the server, and passes everything on in both directions.
fn join(shared: &Arc<Shared>, connection: u16, client: &TcpStream, port: u16) -> io::Result<()> {
    let server = TcpStream::connect(("127.0.0.1", port))?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    shared.log().accepted += 1;
    for (from, to, to_server) in [(client, &server, true), (&server, client, false)] {
        let (from, to, shared) = (from.try_clone()?, to.try_clone()?, Arc::clone(shared));
        thread::spawn(move || {
            // How a connection ended is for its ends to say.
            drop(pass(&shared, connection, from, &to, to_server));
            drop(to.shutdown(Shutdown::Write));
            shared.log().ended += 1;
            shared.changed.notify_all();
        });
    }
    Ok(())
}

fn pass(
    shared: &Shared,
    connection: u16,
    mut from: TcpStream,
    mut to: &TcpStream,
    to_server: bool,
) -> io::Result<()> {
    let mut buffer = vec![0; LONGEST];
    loop {
        let count = from.read(&mut buffer)?;
        let (bytes, _) = buffer.split_at(count);
        if count == 0 {
            return Ok(());
        }
        shared.log().pieces.push(Piece { connection, to_server, bytes: bytes.to_vec() });
        to.write_all(bytes)?;
    }
}

/// A file of these pieces, each a packet: the format of libpcap 2.4, link type 101 (raw IP).
fn pcap(pieces: &[Piece]) -> Vec<u8> {
    let mut file = Vec::new();
    file.extend(0xa1b2_c3d4_u32.to_be_bytes());
    file.extend([0, 2, 0, 4]);
    file.extend([0; 8]);
    file.extend(65_535_u32.to_be_bytes());
    file.extend(101_u32.to_be_bytes());
    for (number, piece) in (0_u32..).zip(pieces) {
        let before = |to_server| {
            let earlier = pieces.iter().take(number as usize);
            let same = earlier.filter(|p| (p.connection, p.to_server) == (piece.connection, to_server));
            same.fold(1_u32, |sum, p| sum.wrapping_add(length(&p.bytes)))
        };
        let packet = packet(piece, before(piece.to_server), before(!piece.to_server));
        // One packet a millisecond, from the beginning of time.
        file.extend((number / 1000).to_be_bytes());
        file.extend((number % 1000 * 1000).to_be_bytes());
        file.extend(length(&packet).to_be_bytes());
        file.extend(length(&packet).to_be_bytes());
        file.extend(packet);
    }
    file
}

/// The headers of IPv4 and TCP, without checksums, and the bytes.
fn packet(piece: &Piece, sequence: u32, acknowledged: u32) -> Vec<u8> {
    let ends =
        [([192, 0, 2, 1], FIRST_CLIENT_PORT.wrapping_add(piece.connection)), ([192, 0, 2, 2], SERVER_PORT)];
    let [from, to] = if piece.to_server { ends } else { [ends[1], ends[0]] };
    let total = u16::try_from(40 + piece.bytes.len()).unwrap_or(u16::MAX);
    let mut packet = vec![0x45, 0];
    packet.extend(total.to_be_bytes());
    // No fragments, a time to live of 64, protocol 6.
    packet.extend([0, 0, 0x40, 0, 64, 6, 0, 0]);
    packet.extend(from.0);
    packet.extend(to.0);
    packet.extend(from.1.to_be_bytes());
    packet.extend(to.1.to_be_bytes());
    packet.extend(sequence.to_be_bytes());
    packet.extend(acknowledged.to_be_bytes());
    // A header of five words, PSH and ACK, a full window.
    packet.extend([0x50, 0x18, 0xff, 0xff, 0, 0, 0, 0]);
    packet.extend(&piece.bytes);
    packet
}

fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}
