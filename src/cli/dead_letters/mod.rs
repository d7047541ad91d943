//! `dead-letters`: what was refused, why, and what is done about it.

mod bulk;
mod discard;
mod list;
mod payload;
mod replay;
mod show;
mod which;

use std::process::ExitCode;

use crate::{
    cli::output,
    config::{ByteSize, DEFAULT_MAX_MESSAGE_BYTES, StoreSettings},
    store::{self, Store},
};
use clap::{Args, Subcommand};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

pub(crate) const EXAMPLES: &str = "\
Examples:
  orderbox dead-letters list --reason not_json
  orderbox dead-letters list --all --json
  orderbox dead-letters show 17
  orderbox dead-letters show --raw 17 > mended.json
  orderbox dead-letters replay --edit mended.json 17
  orderbox dead-letters replay --reason not_utf8 --dry-run
  orderbox dead-letters discard --note 'a test of ours' 18 19";

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

    /// Put dead letters into the inbox again, as they are or edited; the originals stay as they are
    Replay(replay::Replay),

    /// Decide that dead letters are of no use; they stay, and are no longer open
    Discard(discard::Discard),
}

impl DeadLetters {
    pub(crate) async fn run(self) -> ExitCode {
        match self.action {
            Action::List(list) => list.run().await,
            Action::Show(show) => show.run().await,
            Action::Replay(replay) => replay.run().await,
            Action::Discard(discard) => discard.run().await,
        }
    }
}

/// Where the dead letters are, and the rules of today.
#[derive(Debug, Args)]
struct DeskSettings {
    /// The longest message that is an order
    #[arg(id = "MAX_MESSAGE_BYTES", long = "max-message-bytes", env = "MAX_MESSAGE_BYTES", default_value = DEFAULT_MAX_MESSAGE_BYTES)]
    max_message_bytes: ByteSize,

    #[command(flatten)]
    store: StoreSettings,
}

/// Who acts, for `resolved_by` and the log.
fn who() -> String {
    let name = ["USER", "LOGNAME"].into_iter().find_map(|name| std::env::var(name).ok());
    let name = name.filter(|name| !name.is_empty() && !name.chars().any(char::is_control));
    format!("cli:{}", name.as_deref().unwrap_or("unknown"))
}

/// Does something about each of these dead letters: exit 1 when one of them is not open, or not there.
async fn one_by_one(
    store: &dyn Store,
    ids: &[i64],
    done: &str,
    then: &str,
    act: impl AsyncFn(i64) -> store::Result<bool>,
) -> ExitCode {
    let (mut text, mut all) = (String::new(), true);
    for &id in ids {
        let acted = match act(id).await {
            Ok(true) => {
                text.push_str(&format!("dead letter {id} is {done}; {then}\n"));
                continue;
            }
            Ok(false) => store.dead_letter(id, 0).await,
            Err(cause) => Err(cause),
        };
        all = false;
        match acted {
            Ok(Some(letter)) => output::complain(format_args!(
                "dead letter {id} is {} already, by {}",
                letter.summary.resolution,
                crate::terminal::printable(letter.resolved_by.as_deref().unwrap_or("nobody"))
            )),
            Ok(None) => complain_of_none(id),
            Err(cause) => {
                output::complain(text.trim_end());
                return output::failure(format_args!(
                    "it is not known whether dead letter {id} is {done}: {cause}; running this again does no harm"
                ));
            }
        }
    }
    output::answer(&text, if all { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn complain_of_none(id: i64) {
    output::complain(format_args!(
        "there is no dead letter {id}; `orderbox dead-letters list --all` shows those there are"
    ));
}

/// RFC 3339 in UTC, to the second.
fn instant(at: OffsetDateTime) -> String {
    let whole = at.replace_nanosecond(0).unwrap_or(at);
    whole.format(&Rfc3339).unwrap_or_else(|_| at.to_string())
}
