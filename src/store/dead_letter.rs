use std::{fmt, str::FromStr};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{Selection, SourceKind};
use crate::order::{Reason, Verdict, validate_caught};

/// What has become of a dead letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Resolution {
    /// Nobody has decided yet.
    Open,
    /// It was put into the inbox again.
    Replayed,
    /// Somebody decided that it is of no use.
    Discarded,
}

impl Resolution {
    /// Every resolution, in the order in which reports list them.
    pub const ALL: [Self; 3] = [Self::Open, Self::Replayed, Self::Discarded];

    /// The name in tables and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Replayed => "replayed",
            Self::Discarded => "discarded",
        }
    }
}

impl fmt::Display for Resolution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Resolution {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|resolution| resolution.as_str() == name)
            .ok_or_else(|| format!("unknown resolution {name:?}: one of open, replayed, discarded"))
    }
}

/// Which dead letters a list holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetterFilter {
    /// Only those of this selection.
    pub selection: Selection,
    /// Only those of this resolution.
    pub resolution: Option<Resolution>,
    /// Only those with a smaller id: the last one of the page before.
    pub before: Option<i64>,
    /// At most so many.
    pub limit: usize,
}

/// A dead letter without its payload, which may hold personal data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetterSummary {
    /// The row's id; newer ones have greater ids.
    pub id: i64,
    /// Identity of the message.
    pub message_id: String,
    /// How it came in.
    pub source: SourceKind,
    /// The channel of the source.
    pub channel: String,
    /// Its sequence in the channel.
    pub sequence: i64,
    /// Nanoseconds since the Unix epoch.
    pub published_at_ns: i64,
    /// The uid where the message has a legible one.
    pub order_uid: Option<String>,
    /// Why it was refused.
    pub reason: String,
    /// A JSON array of `{"pointer", "code", "message"}`.
    pub errors: String,
    /// Length of the payload.
    pub bytes: usize,
    /// When it was recorded.
    pub received_at: OffsetDateTime,
    /// When it was refused.
    pub rejected_at: OffsetDateTime,
    /// What has become of it.
    pub resolution: Resolution,
}

impl DeadLetterSummary {
    /// Its errors. The column is written by this program only; what can't be read is one error that says so, for a report
    /// must not stop at it.
    #[must_use]
    pub fn errors(&self) -> Vec<LetterError> {
        serde_json::from_str(&self.errors).unwrap_or_else(|cause| {
            let message = format!("the errors kept with this dead letter can't be read: {cause}");
            vec![LetterError { pointer: String::new(), code: "unreadable".to_owned(), message }]
        })
    }
}

/// One of a dead letter's errors, as it is kept: its code may be one that a newer orderbox knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LetterError {
    /// Where in the message, as a JSON Pointer (RFC 6901); empty for all of it.
    pub pointer: String,
    /// What is wrong.
    pub code: String,
    /// The same for a person. One that orderbox made quotes no value of the message; one of the database may.
    pub message: String,
}

/// A dead letter with everything that is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// What lists show.
    pub summary: DeadLetterSummary,
    /// The message as it came, byte for byte; or the first bytes of it, when no more were asked for.
    pub payload: Bytes,
    /// When it was replayed or discarded.
    pub resolved_at: Option<OffsetDateTime>,
    /// Who did that.
    pub resolved_by: Option<String>,
    /// What they said of it.
    pub note: Option<String>,
    /// The dead letter that this one is a replay of.
    pub parent_id: Option<i64>,
}

impl DeadLetter {
    /// Whether the message goes on after the payload.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.payload.len() < self.summary.bytes
    }

    /// More about a reason that names no field, such as where the syntax error is. It is a function of all the bytes, so it is
    /// not stored; `None` when some are left out, or the rules of today give another reason.
    #[must_use]
    pub fn detail(&self) -> Option<String> {
        // The other reasons have none, so their bytes need not be looked at.
        let reasons = [Reason::NotUtf8, Reason::NotJson, Reason::NotObject, Reason::Panicked];
        if self.is_cut() || !reasons.iter().any(|reason| reason.as_str() == self.summary.reason) {
            return None;
        }
        match validate_caught(&self.payload, usize::MAX) {
            Verdict::Reject(rejection) if rejection.reason.as_str() == self.summary.reason => {
                rejection.detail
            }
            _ => None,
        }
    }
}
