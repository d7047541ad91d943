use clap::{Args, builder::PossibleValuesParser};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{order::Reason, store::Selection};

/// What narrows a list, or selects for a bulk.
#[derive(Debug, Clone, Args)]
pub(super) struct Narrow {
    /// Only those refused for this reason
    #[arg(long, value_parser = reasons())]
    reason: Option<String>,

    /// Only those with an error of this code
    #[arg(long)]
    code: Option<String>,

    /// Only those of this order_uid
    #[arg(long, value_name = "UID")]
    uid: Option<String>,

    /// Only those refused at this time or later, as in 2026-01-31T08:00:00Z
    #[arg(long, value_name = "TIME", value_parser = moment)]
    since: Option<OffsetDateTime>,

    /// Only those refused before this time
    #[arg(long, value_name = "TIME", value_parser = moment)]
    until: Option<OffsetDateTime>,
}

impl Narrow {
    pub(super) fn selection(&self) -> Selection {
        Selection {
            reason: self.reason.clone(),
            code: self.code.clone(),
            order_uid: self.uid.clone(),
            since: self.since,
            until: self.until,
        }
    }
}

/// The dead letters that something is to be done about: some by their ids, or all open ones of a selection.
#[derive(Debug, Args)]
pub(super) struct Which {
    /// Ids, as `list` shows them
    #[arg(value_name = "ID", conflicts_with_all = ["all", "reason", "code", "uid", "since", "until"])]
    ids: Vec<i64>,

    /// All that are open
    #[arg(long)]
    all: bool,

    #[command(flatten)]
    narrow: Narrow,
}

/// See [`Which`].
#[derive(Debug)]
pub(super) enum Chosen {
    /// These.
    Ids(Vec<i64>),
    /// Every open one of these.
    Selection(Selection),
}

impl Which {
    /// What was chosen; `None` when nothing was, which must not mean everything.
    pub(super) fn chosen(&self) -> Option<Chosen> {
        let selection = self.narrow.selection();
        if !self.ids.is_empty() {
            return Some(Chosen::Ids(self.ids.clone()));
        }
        (self.all || selection != Selection::default()).then_some(Chosen::Selection(selection))
    }
}

/// What to say when nothing was chosen.
pub(super) const NOTHING_CHOSEN: &str =
    "which dead letters? Give ids, or --all, or what selects them, such as --reason not_json";

fn reasons() -> PossibleValuesParser {
    PossibleValuesParser::new(Reason::ALL.iter().map(|reason| reason.as_str()))
}

fn moment(text: &str) -> Result<OffsetDateTime, String> {
    OffsetDateTime::parse(text, &Rfc3339)
        .map_err(|_| "a time such as 2026-01-31T08:00:00Z is needed (RFC 3339)".to_owned())
}
