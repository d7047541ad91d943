use clap::{Args, ValueEnum};
use tracing_subscriber::EnvFilter;

use super::Findings;

/// What the log says and how.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Log")]
pub struct LogSettings {
    /// Lines for people, or one JSON object a line
    #[arg(id = "LOG_FORMAT", long = "log-format", env = "LOG_FORMAT", default_value = "text")]
    pub format: LogFormat,

    /// A level (error, warn, info, debug, trace), or levels by module such as info,orderbox::stan=debug
    #[arg(id = "RUST_LOG", long = "rust-log", env = "RUST_LOG", default_value = "info")]
    pub filter: String,
}

/// The form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people; in colors on a terminal.
    Text,
    /// For machines: one JSON object a line.
    Json,
}

impl LogSettings {
    pub(crate) fn check(&self, findings: &mut Findings) {
        if let Err(cause) = EnvFilter::builder().parse(&self.filter) {
            findings.error(
                "RUST_LOG",
                &self.filter,
                format!("is no log filter ({cause})"),
                "Set RUST_LOG to a level such as info, or to levels by module such as info,orderbox::stan=debug",
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{expect_error, expect_fine, refused};

    #[test]
    fn a_filter_that_can_not_be_read_is_refused() {
        expect_fine(&["--rust-log", "warn,orderbox::stan=trace"]);
        expect_error(&["--rust-log", "orderbox=loud"], "RUST_LOG=orderbox=loud is no log filter (");
    }

    #[test]
    fn an_unknown_format_is_refused_with_the_known_ones() {
        let text = refused(&["--log-format", "xml"]);
        assert!(text.contains("text, json"), "{text}");
    }
}
