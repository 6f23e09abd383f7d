//! Every comparison in one run, as a table or as JSON (`--json`).
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this is a command-line program")]

use std::process::{Command, ExitCode};

use opensspi_bench::{Effort, MemoryChild, Row, handshakes, memory, memory_child, records, streams};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some(child) = arguments.iter().find_map(|a| MemoryChild::by_name(a.strip_prefix("--memory-child=")?)) {
        return match memory_child(child) {
            Ok(bytes) => {
                println!("{bytes}");
                ExitCode::SUCCESS
            }
            Err(error) => {
                eprintln!("{error}");
                ExitCode::FAILURE
            }
        };
    }
    let effort = Effort::default();
    let mut rows: Vec<Row> = records(effort);
    rows.extend(handshakes(effort));
    rows.extend(streams(effort));
    match memory(|child| {
        let program = std::env::current_exe()?;
        let output = Command::new(program).arg(format!("--memory-child={}", child.name())).output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        text.trim().parse().map_err(|_| std::io::Error::other(format!("the child measured {text:?}")))
    }) {
        Ok(row) => rows.push(row),
        Err(error) => eprintln!("memory was not measured: {error}"),
    }
    if arguments.iter().any(|a| a == "--json") {
        println!("{}", serde_json::to_string_pretty(&rows).unwrap_or_default());
    } else {
        for row in &rows {
            let Row { name, ours, theirs, unit, ratio, aim } = row;
            let kept = if row.holds() { "" } else { "  <- below" };
            println!("{name:65} {ours:10.0} {theirs:10.0} {unit:13} {ratio:6.3} (aim {aim}){kept}");
        }
    }
    if rows.iter().all(Row::holds) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
