//! What can be done about dead letters: which, and what became of it.

use time::OffsetDateTime;

use super::{Outcome, Resolution};

/// So many replays may wait in the inbox at once, and so many bytes of them: a bulk is fed as they are settled, so that it
/// neither fills the pipeline nor holds up what comes from outside.
pub(crate) const REPLAYS_AT_ONCE: Load = Load { messages: 1000, bytes: 16 << 20 };

/// Which dead letters: those to which everything applies that is given.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selection {
    /// Only those of this reason.
    pub reason: Option<String>,
    /// Only those with an error of this code.
    pub code: Option<String>,
    /// Only those of this uid.
    pub order_uid: Option<String>,
    /// Only those refused at this time or later.
    pub since: Option<OffsetDateTime>,
    /// Only those refused before this time.
    pub until: Option<OffsetDateTime>,
}

impl Selection {
    /// What the column `errors` holds where an error has the code. The column is JSON as this program writes it, where a quote
    /// inside a text has a backslash before it: so nothing else can look like this.
    pub(super) fn code_as_stored(&self) -> Option<String> {
        self.code.as_ref().map(|code| format!("\"code\":{}", serde_json::Value::from(code.as_str())))
    }
}

/// A stretch of ids: over `after` up to and with `up_to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// The last id before it.
    pub after: i64,
    /// Its last id.
    pub up_to: i64,
}

impl Stretch {
    /// Every id.
    pub const ALL: Self = Self { after: 0, up_to: i64::MAX };
}

/// How many open dead letters a selection has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Matching {
    /// How many.
    pub letters: i64,
    /// The newest one's id; `None` when there is none.
    pub last: Option<i64>,
}

/// An open dead letter of a selection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenLetter {
    /// The row's id.
    pub id: i64,
    /// Length of its payload.
    pub bytes: usize,
}

/// Messages and their bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Load {
    /// How many.
    pub messages: i64,
    /// The sum of their lengths.
    pub bytes: i64,
}

/// Where a dead letter came from, and what its replay became.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lineage {
    /// The dead letter that this one is a replay of.
    pub parent: Option<Parent>,
    /// What its own replay became; `None` when it was not replayed.
    pub replay: Option<Replay>,
}

/// A dead letter whose replay became a dead letter again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parent {
    /// The row's id.
    pub id: i64,
    /// What has become of it.
    pub resolution: Resolution,
    /// When it was refused.
    pub rejected_at: OffsetDateTime,
}

/// What a replay became.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replay {
    /// Identity of the replay.
    pub message_id: String,
    /// Whether it has other bytes than the dead letter; `None` when that was not written down yet.
    pub edited: Option<bool>,
    /// Where it is.
    pub state: ReplayState,
}

/// Where a replay is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReplayState {
    /// In the inbox.
    Pending,
    /// It became the order of this uid; a newer message may have said the same since.
    Order(String),
    /// It was one of this uid's orders, or came too late to be it: a document of the history.
    History(String),
    /// This dead letter.
    DeadLetter(i64),
    /// Nothing: the store said the same already.
    Unchanged,
}

/// What is known of a replay.
#[derive(Debug)]
pub(super) struct Traces {
    /// What its settle did; `None` before it.
    pub(super) outcome: Option<Outcome>,
    /// The order that it is about, when it was accepted.
    pub(super) order_uid: Option<String>,
    /// The dead letter that it became.
    pub(super) letter: Option<i64>,
    /// Its document is in the history.
    pub(super) in_history: bool,
}

impl ReplayState {
    /// What the traces say.
    pub(super) fn of(traces: Traces) -> Result<Self, String> {
        match traces {
            Traces { letter: Some(id), .. } => Ok(Self::DeadLetter(id)),
            Traces { outcome: None, .. } => Ok(Self::Pending),
            Traces { outcome: Some(Outcome::Unchanged), .. } => Ok(Self::Unchanged),
            Traces {
                outcome: Some(Outcome::Applied | Outcome::Replaced),
                order_uid: Some(uid),
                in_history: false,
                ..
            } => Ok(Self::Order(uid)),
            Traces {
                outcome: Some(Outcome::Applied | Outcome::Replaced | Outcome::Outdated),
                order_uid: Some(uid),
                ..
            } => Ok(Self::History(uid)),
            traces => Err(format!("a replay left {traces:?}")),
        }
    }

    /// The name in answers.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Order(_) => "order",
            Self::History(_) => "history",
            Self::DeadLetter(_) => "dead_letter",
            Self::Unchanged => "unchanged",
        }
    }
}

/// The identity of a dead letter's replay. Each is replayed once: what fails again is a dead letter of its own.
pub(crate) fn replay_id(id: i64) -> String {
    format!("replay:{id}.1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_looked_for_as_it_is_stored() {
        let code =
            |code: &str| Selection { code: Some(code.to_owned()), ..Selection::default() }.code_as_stored();
        assert_eq!(code("missing").as_deref(), Some(r#""code":"missing""#));
        // Whatever is asked for, it stays within its quotes.
        assert_eq!(code(r#"x","y"#).as_deref(), Some(r#""code":"x\",\"y""#));
        assert_eq!(Selection::default().code_as_stored(), None);
    }
}
