//! What is measured, in order.

use std::path::Path;
use std::process::{Command, Stdio};

use legacy_tls::ProtocolVersion;
use opensspi_measure::machine;
use opensspi_measure::sampling::{Clock, Subject, sample};
use opensspi_measure::statistics::Comparison;

use crate::Arguments;
use crate::engine::Failure;
use crate::finished::Comparing;
use crate::leaky::{self, Mistake};
use crate::logons::{self, Refusing};
use crate::premaster::{Decrypting, Handshaking};
use crate::private::Signing;
use crate::records::{LENGTHS, Opening, PROTECTIONS};
use crate::report::{Report, Row, RowsOfAnother};

/// What can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Part {
    /// The mistakes that must be found.
    Leaky,
    /// Premaster secrets under RSA.
    Premaster,
    /// The private operation of RSA.
    Private,
    /// Finished, and comparisons of MACs.
    Finished,
    /// Logons with NTLM and Digest.
    Logons,
    /// Records in CBC mode.
    Records,
}

/// Those in which RSA takes part.
const OF_RSA: [&str; 2] = ["premaster", "private"];

type Make = Box<dyn Fn() -> Result<Box<dyn Subject>, Failure>>;

/// One subject.
struct Planned {
    part: Part,
    name: String,
    /// Takes as long as an operation with a private key.
    slow: bool,
    /// A difference that is no more than this, in nanoseconds, is nothing that anybody could make use of.
    tolerated: f64,
    make: Make,
}

fn planned<S: Subject + 'static>(
    part: Part,
    name: impl Into<String>,
    slow: bool,
    make: impl Fn() -> Result<S, Failure> + 'static,
) -> Planned {
    let make: Make = Box::new(move || Ok(Box::new(make()?)));
    Planned { part, name: name.into(), slow, tolerated: 0.0, make }
}

fn plan() -> Vec<Planned> {
    use Part::{Finished, Leaky, Logons, Premaster, Private, Records};
    let [_, aes, ..] = PROTECTIONS;
    let [_, long] = LENGTHS;
    let mut plan = vec![
        planned(Leaky, "leaky: comparison that stops early", false, || Ok(leaky::Comparing::new(true))),
        planned(Leaky, "leaky: MAC only after good padding", false, move || {
            leaky::Opening::new(Mistake::RefusesEarly, aes, long)
        }),
        planned(Leaky, "leaky: MAC of the data there is", false, move || {
            leaky::Opening::new(Mistake::HashesWhatIsThere, aes, long)
        }),
        planned(Leaky, "leaky: random premaster when needed", true, Decrypting::leaky),
        planned(Leaky, "leaky: nobody is refused at once", false, || {
            Refusing::leaky(logons::Mistake::RefusesAtOnce)
        }),
        planned(Leaky, "leaky: accounts one after the other", false, || {
            Refusing::leaky(logons::Mistake::LooksAtAll)
        }),
        planned(Premaster, "decrypt_pkcs1, RSA-2048", true, Decrypting::new),
        planned(Premaster, "server to Finished, TLS 1.2", true, || Handshaking::new(ProtocolVersion::TLS12)),
        planned(Premaster, "server to Finished, TLS 1.0", true, || Handshaking::new(ProtocolVersion::TLS10)),
        planned(Premaster, "server to Finished, SSL 3.0", true, || Handshaking::new(ProtocolVersion::SSL30)),
        planned(Private, "sign_pkcs1, RSA-2048", true, Signing::new),
        planned(Finished, "comparison of 20 bytes", false, || Ok(leaky::Comparing::new(false))),
        planned(Finished, "server at Finished, TLS 1.2", true, Comparing::new),
    ];
    for (spoken, what, classes) in logons::SUBJECTS {
        let name = format!("{}: {what}", spoken.name());
        let planned = planned(Logons, name, false, move || Refusing::new(spoken, classes));
        plan.push(Planned { tolerated: logons::tolerated(classes), ..planned });
    }
    for protection in PROTECTIONS {
        for length in LENGTHS {
            let name = format!("{} {}, {length} bytes", protection.name, protection.version);
            plan.push(planned(Records, name, false, move || Opening::new(protection, length)));
        }
    }
    plan
}

/// Measures what is asked for.
pub(crate) fn run(arguments: &Arguments, report: &mut Report) -> Result<(), Failure> {
    let wanted = |planned: &&Planned| arguments.only.is_empty() || arguments.only.contains(&planned.part);
    let plan = plan();
    let plan: Vec<&Planned> = plan.iter().filter(wanted).collect();
    for (number, planned) in plan.iter().enumerate() {
        report.progress(number + 1, plan.len(), &planned.name);
        let mut subject = (planned.make)()?;
        measure(planned, subject.as_mut(), arguments, report);
    }
    Ok(())
}

fn measure(planned: &Planned, subject: &mut dyn Subject, arguments: &Arguments, report: &mut Report) {
    let samples = arguments.samples as usize / if planned.slow { 10 } else { 1 };
    let must_leak = planned.part == Part::Leaky;
    let classes = subject.classes();
    let clock = if planned.slow { Clock::Processor } else { Clock::Wall };
    let first = compared(subject, samples, arguments.seed, clock);
    let is_suspect = first.iter().any(|comparison| comparison.is_distinguishable()) && !must_leak;
    let second = is_suspect.then(|| {
        report.again(&planned.name);
        compared(subject, samples, arguments.seed.wrapping_add(1), clock)
    });
    for (number, (class, comparison)) in classes.iter().skip(1).zip(first).enumerate() {
        report.row(Row {
            kernel: machine::kernel().to_owned(),
            subject: planned.name.clone(),
            reference: classes.first().copied().unwrap_or_default().to_owned(),
            class: (*class).to_owned(),
            samples,
            t: comparison.t,
            order: comparison.order,
            again: second.as_ref().and_then(|second| second.get(number)).map(|comparison| comparison.t),
            difference: comparison.difference,
            resolution: comparison.resolution,
            tolerated: planned.tolerated,
            must_leak,
        });
    }
}

/// Each class with the first.
fn compared(subject: &mut dyn Subject, samples: usize, seed: u64, clock: Clock) -> Vec<Comparison> {
    let times = sample(subject, samples, seed, clock);
    let Some((reference, others)) = times.split_first() else { return Vec::new() };
    others.iter().map(|times| Comparison::of(reference, times)).collect()
}

/// The rows of the other build: those in which RSA takes part.
pub(crate) fn elsewhere(program: &Path, arguments: &Arguments) -> Result<RowsOfAnother, Failure> {
    let wanted: Vec<&str> = match arguments.only.as_slice() {
        [] => OF_RSA.to_vec(),
        only => OF_RSA.into_iter().filter(|name| only.iter().any(|part| part.is_called(name))).collect(),
    };
    if wanted.is_empty() {
        return Ok(RowsOfAnother::default());
    }
    let (samples, seed) = (arguments.samples.to_string(), arguments.seed.to_string());
    let output = Command::new(program)
        .args(["--json", "--child", "--samples", &samples, "--seed", &seed, "--only", &wanted.join(",")])
        .stderr(Stdio::inherit())
        .output()?;
    serde_json::from_slice(&output.stdout)
        .map_err(|error| format!("{} said no report: {error}", program.display()).into())
}

impl Part {
    fn is_called(self, name: &str) -> bool {
        clap::ValueEnum::to_possible_value(&self).is_some_and(|value| value.get_name() == name)
    }
}
