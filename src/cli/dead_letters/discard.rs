use std::process::ExitCode;

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
    desk::{Desk, sound_note},
};

#[derive(Debug, Args)]
pub(super) struct Discard {
    #[command(flatten)]
    which: Which,

    /// Why they are of no use, for those who look at them later
    #[arg(long, value_name = "TEXT", value_parser = sound_note)]
    note: Option<String>,

    /// Of those selected say only how many there are
    #[arg(long)]
    dry_run: bool,

    /// Do not ask before many are discarded
    #[arg(long)]
    yes: bool,

    #[command(flatten)]
    settings: DeskSettings,
}

impl Discard {
    pub(super) async fn run(self) -> ExitCode {
        let Some(chosen) = self.which.chosen() else { return output::failure(NOTHING_CHOSEN) };
        let store = match database::open(&self.settings.store) {
            Ok(store) => store,
            Err(code) => return code,
        };
        let desk = Desk::new(store.as_ref(), self.settings.max_message_bytes.as_usize());
        let (by, note) = (who(), self.note.as_deref());
        match chosen {
            Chosen::Ids(ids) => {
                let then = "it stays where it is, with the note";
                one_by_one(store.as_ref(), &ids, "discarded", then, async |id| {
                    desk.discard_one(id, note, &by).await
                })
                .await
            }
            Chosen::Selection(selection) => {
                let action = Action::Discard { note };
                let bulk = Bulk { desk, selection, action, by: &by, dry_run: self.dry_run, yes: self.yes };
                bulk.run().await
            }
        }
    }
}
