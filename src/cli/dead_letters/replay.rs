use std::{path::PathBuf, process::ExitCode};

use clap::Args;

use super::{
    DeskSettings,
    bulk::{Action, Bulk},
    one_by_one,
    which::{Chosen, NOTHING_CHOSEN, Which},
    who,
};
use crate::{
    cli::{database, output},
    desk::Desk,
};

#[derive(Debug, Args)]
pub(super) struct Replay {
    #[command(flatten)]
    which: Which,

    /// Replay this file instead of what the one dead letter says
    #[arg(long, value_name = "FILE")]
    edit: Option<PathBuf>,

    /// Of those selected only the ones that are orders by the rules of today
    #[arg(long)]
    only_passing: bool,

    /// Of those selected say only how many would pass now
    #[arg(long)]
    dry_run: bool,

    /// Do not ask before many are replayed
    #[arg(long)]
    yes: bool,

    #[command(flatten)]
    settings: DeskSettings,
}

impl Replay {
    pub(super) async fn run(self) -> ExitCode {
        let Some(chosen) = self.which.chosen() else { return output::failure(NOTHING_CHOSEN) };
        let max_bytes = self.settings.max_message_bytes.as_usize();
        let edited = match (&self.edit, &chosen) {
            (None, _) => None,
            (Some(file), Chosen::Ids(ids)) if ids.len() == 1 => match std::fs::read(file) {
                Ok(bytes) if bytes.is_empty() => {
                    return output::failure(format_args!(
                        "{} is empty: nothing was replayed",
                        file.display()
                    ));
                }
                Ok(bytes) if bytes.len() > max_bytes => {
                    return output::failure(format_args!(
                        "{} is longer than MAX_MESSAGE_BYTES, {max_bytes} bytes, so it is no order: nothing was replayed",
                        file.display()
                    ));
                }
                Ok(bytes) => Some(bytes),
                Err(cause) => {
                    return output::failure(format_args!("{} can't be read: {cause}", file.display()));
                }
            },
            (Some(_), _) => {
                return output::failure("--edit replays one dead letter: give its id, and no other");
            }
        };
        let store = match database::open(&self.settings.store) {
            Ok(store) => store,
            Err(code) => return code,
        };
        let (desk, by) = (Desk::new(store.as_ref(), max_bytes), who());
        match chosen {
            Chosen::Ids(ids) => {
                let then = "a running service settles it within seconds: `orderbox dead-letters show` says what became of it";
                one_by_one(store.as_ref(), &ids, "replayed", then, async |id| {
                    desk.replay_one(id, edited.as_deref(), &by).await
                })
                .await
            }
            Chosen::Selection(selection) => {
                let action = Action::Replay { only_passing: self.only_passing };
                let bulk = Bulk { desk, selection, action, by: &by, dry_run: self.dry_run, yes: self.yes };
                bulk.run().await
            }
        }
    }
}
