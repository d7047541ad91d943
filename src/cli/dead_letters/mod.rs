//! `dead-letters`: what was refused, and why.

mod list;
mod payload;
mod show;

use std::process::ExitCode;

use clap::{Args, Subcommand};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

pub(crate) const EXAMPLES: &str = "\
Examples:
  orderbox dead-letters list --reason not_json
  orderbox dead-letters list --all --json
  orderbox dead-letters show 17";

#[derive(Debug, Args)]
pub(crate) struct DeadLetters {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// The dead letters that nobody has dealt with yet, newest first, without their payloads
    List(list::List),

    /// Everything about some dead letters: what is wrong with them, and their payloads
    Show(show::Show),
}

impl DeadLetters {
    pub(crate) async fn run(self) -> ExitCode {
        match self.action {
            Action::List(list) => list.run().await,
            Action::Show(show) => show.run().await,
        }
    }
}

/// RFC 3339 in UTC, to the second.
fn instant(at: OffsetDateTime) -> String {
    let whole = at.replace_nanosecond(0).unwrap_or(at);
    whole.format(&Rfc3339).unwrap_or_else(|_| at.to_string())
}
