//! Where the log goes: text on stderr for people, JSON lines on stdout with `--json`.

use std::io;

use opensspi::{LogConfig, LogFormat};
use tracing_subscriber::filter::LevelFilter;

use crate::print::Printer;

/// Sets the log up for the life of the process.
pub(crate) fn start(printer: &Printer, level: LevelFilter, config: LogConfig) {
    let builder = tracing_subscriber::fmt().with_max_level(level).with_target(false);
    // A second set-up in the same process (there is none) would change nothing.
    let _first = if printer.json {
        builder
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(false)
            .with_writer(io::stdout)
            .try_init()
    } else if config.format == LogFormat::Json {
        builder
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(false)
            .with_writer(io::stderr)
            .try_init()
    } else {
        // The event repeats what its span says.
        let format = tracing_subscriber::fmt::format().compact().with_target(false);
        builder.event_format(format).with_ansi(printer.err_is_coloured()).with_writer(io::stderr).try_init()
    };
}

/// The level of a configuration.
pub(crate) fn level(config: LogConfig) -> LevelFilter {
    config.level.name().parse().unwrap_or(LevelFilter::INFO)
}
