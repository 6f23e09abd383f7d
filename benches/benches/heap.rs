//! `cargo bench -p opensspi-bench --bench heap`: the heap of connections, counted by the allocator. Exits with 1 if a bound is
//! broken.

#![expect(clippy::print_stdout, reason = "a program for the terminal")]

use std::alloc::System;
use std::io;
use std::process::ExitCode;

use opensspi_bench::{Row, heap};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Bytes that are allocated now.
fn allocated() -> u64 {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated.saturating_sub(stats.bytes_deallocated) as u64
}

fn main() -> io::Result<ExitCode> {
    // `cargo test` runs benchmarks too, with this argument, to see that they start.
    if std::env::args().any(|argument| argument == "--test") {
        return Ok(ExitCode::SUCCESS);
    }
    let rows = heap(&allocated)?;
    for Row { name, ours, theirs, ratio, aim, .. } in &rows {
        println!("{name:75} {ours:8.0} : {theirs:8.0} bytes  ratio {ratio:.3} (aim {aim})");
    }
    Ok(if rows.iter().all(Row::holds) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
