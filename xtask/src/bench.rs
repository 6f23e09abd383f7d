//! `bench`: the whole report, beside rustls, OpenSSL and the crate sspi.

use std::path::Path;
use std::process::{Command, Stdio};
use std::{env, fs};

use serde_json::{Map, Value, json};

use crate::graph::target_folder;
use crate::{Failure, cargo, peers, run_in};

/// One part of the report.
struct Part {
    name: &'static str,
    title: &'static str,
    /// Without an OpenSSL on the machine there is nothing to compare with.
    needs_openssl: bool,
    arguments: &'static [&'static str],
}

const PARTS: [Part; 4] = [
    Part {
        name: "rustls",
        title: "Beside rustls and tokio-rustls",
        needs_openssl: false,
        arguments: &["opensspi", "bench"],
    },
    Part {
        name: "primitives",
        title: "The engine's primitives beside those of OpenSSL",
        needs_openssl: true,
        arguments: &["xtask", "speed", "--primitives"],
    },
    Part {
        name: "servers",
        title: "A server with the engine beside OpenSSL's",
        needs_openssl: true,
        arguments: &["xtask", "speed"],
    },
    Part {
        name: "sspi",
        title: "NTLM beside the crate sspi",
        needs_openssl: false,
        arguments: &["cargo", "run", "--quiet", "--release", "--manifest-path", BESIDE_SSPI, "--"],
    },
];

/// A workspace of its own: what is compared with needs much that nothing else here does.
const BESIDE_SSPI: &str = "benches/beside-sspi/Cargo.toml";

/// Runs every part. A part that is below its aim does not stop the others.
pub(crate) fn run(root: &Path, arguments: &[String]) -> Result<(), Failure> {
    let json = match arguments {
        [] => false,
        [only] if only == "--json" => true,
        [other, ..] => return Err(Failure::Usage(format!("`{other}` was not expected"))),
    };
    let programs = ["build", "--release", "-p", "opensspi-cli", "-p", "opensspi-bench", "--bins"];
    run_in(root, Command::new(cargo()).args(programs))?;
    let mut document = Map::new();
    document.insert("load".to_owned(), json!(load()));
    let mut wrong = Vec::new();
    for part in &PARTS {
        if part.needs_openssl && !peers::on_path("openssl") {
            eprintln!("{}: not measured, there is no openssl on this machine", part.title);
            continue;
        }
        let mut command = command(root, part)?;
        if json {
            eprintln!("{}", part.title);
            let output = command.arg("--json").stderr(Stdio::inherit()).output();
            let output = output.map_err(|error| Failure::Broken(format!("{}: {error}", part.name)))?;
            document.insert(part.name.to_owned(), last_document(&output.stdout));
            wrong.extend((!output.status.success()).then_some(part.name));
        } else {
            println!("{}, load {}", part.title, load().unwrap_or_default());
            wrong.extend(run_in(root, &mut command).is_err().then_some(part.name));
        }
    }
    if json {
        println!("{}", Value::Object(document));
    }
    match wrong.as_slice() {
        [] => Ok(()),
        wrong => Err(Failure::Found(format!("below an aim, or not measured: {}", wrong.join(", ")))),
    }
}

fn command(root: &Path, part: &Part) -> Result<Command, Failure> {
    let (program, arguments) = part.arguments.split_first().unwrap_or((&"xtask", &[]));
    let mut command = match *program {
        "cargo" => Command::new(cargo()),
        "xtask" => {
            let mut command = Command::new(cargo());
            command.args(["run", "--quiet", "--package", "xtask", "--"]);
            command
        }
        program => {
            let folder = target_folder(root)?.join("release");
            Command::new(folder.join(format!("{program}{}", env::consts::EXE_SUFFIX)))
        }
    };
    command.current_dir(root).args(arguments);
    Ok(command)
}

/// The JSON in the last line; what a program prints before is for people.
fn last_document(output: &[u8]) -> Value {
    let text = String::from_utf8_lossy(output);
    let last = text.lines().rev().find_map(|line| serde_json::from_str(line).ok());
    last.unwrap_or(Value::Null)
}

/// How many programs wanted to run in the last minute; `None` where the system does not say.
fn load() -> Option<f64> {
    fs::read_to_string("/proc/loadavg").ok()?.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_crate_sspi_is_measured_in_its_own_workspace_and_gets_the_argument_of_the_report() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let part = PARTS.iter().find(|part| part.name == "sspi").unwrap();
        let mut command = command(&root, part).unwrap();
        command.arg("--json");
        assert_eq!(command.get_args().last().unwrap(), "--json");
        assert!(command.get_args().any(|argument| argument == "--"), "what follows is the program's");
        assert!(command.get_args().any(|argument| argument == BESIDE_SSPI));
        let manifest = fs::read_to_string(root.join(BESIDE_SSPI)).unwrap();
        assert!(manifest.contains("[workspace]\n"));
    }

    #[test]
    fn the_last_line_of_json_is_taken() {
        assert_eq!(last_document(b"installing\n{\"rows\":[]}\n"), json!({ "rows": [] }));
        assert_eq!(last_document(b"nothing"), Value::Null);
    }
}
