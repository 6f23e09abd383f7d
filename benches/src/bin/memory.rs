//! Holds the connections of one subject and prints as JSON how much memory each takes: what `opensspi bench` starts in a
//! process of its own, one for each subject. Its allocator counts what is in use; that of the library's users does not.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program that another one reads")]

use std::process::ExitCode;

use opensspi_bench::{MemoryChild, memory_child};
use peak_alloc::PeakAlloc;

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

fn main() -> ExitCode {
    let name = std::env::args().nth(1).unwrap_or_default();
    let Some(child) = MemoryChild::by_name(&name) else {
        eprintln!("no subject is called {name:?}");
        return ExitCode::from(2);
    };
    let measured = memory_child(child, Some(&|| HEAP.current_usage()));
    match measured.and_then(|memory| Ok(serde_json::to_string(&memory)?)) {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
