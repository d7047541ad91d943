use std::{fmt, str::FromStr, sync::Arc};

use bytes::Bytes;
use smol_str::SmolStr;

use crate::{document::Document, order::Order};

/// How a message came in; a label of metrics and a column of most tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SourceKind {
    /// A NATS Streaming channel.
    Stan,
    /// A JetStream stream.
    JetStream,
    /// `POST /order`.
    Http,
    /// The sample order of a new database.
    Sample,
    /// A dead letter that was put into the inbox again.
    Replay,
}

impl SourceKind {
    /// Every source, in the order in which reports list them.
    pub const ALL: [Self; 5] = [Self::Stan, Self::JetStream, Self::Http, Self::Sample, Self::Replay];

    /// Those that deliver messages to this process; a replay is written to the inbox by whoever asks for it.
    pub const DELIVERING: [Self; 4] = [Self::Stan, Self::JetStream, Self::Http, Self::Sample];

    /// The name in tables, metrics and message ids.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stan => "stan",
            Self::JetStream => "jetstream",
            Self::Http => "http",
            Self::Sample => "sample",
            Self::Replay => "replay",
        }
    }
}

impl fmt::Display for SourceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for SourceKind {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|source| source.as_str() == name)
            .ok_or_else(|| format!("unknown source {name:?}: was this database written by a newer orderbox?"))
    }
}

/// A row by which a process hears of what another has done to an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Change {
    /// What an order said, or what came too late, went to the history under this id.
    Replaced(i64),
    /// The order of this id was deleted for its age.
    Expired(i64),
}

/// A raw message with its identity, before anyone has looked at the payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Canonical and unique, as in `stan:<cluster>/<channel>/<sequence>@<ns>`, `jetstream:<stream>/<sequence>@<ns>`,
    /// `http:<32 hex digits>` or `replay:<dead letter>.1`.
    pub message_id: Arc<str>,
    /// How it came in.
    pub source: SourceKind,
    /// The channel of the source; the source's own name where it has no channels.
    pub channel: Arc<str>,
    /// Per channel, from 1; 0 where the source has no sequences.
    pub sequence: i64,
    /// Nanoseconds since the Unix epoch by the broker's clock; for HTTP the time of receipt, for the sample 0, for a replay that of
    /// the message that became the dead letter: it never passes for newer than it is.
    pub published_at_ns: i64,
    /// Any bytes.
    pub payload: Bytes,
}

/// A message that is committed to the inbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboxRow {
    /// The row's id; ids do not commit in order.
    pub id: i64,
    /// The message.
    pub message: Message,
}

/// What identifies an unsettled row without its payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboxKey {
    /// The row's id.
    pub id: i64,
    /// The message's identity.
    pub message_id: Arc<str>,
    /// Length of the payload in bytes.
    pub bytes: usize,
}

/// Where a message of [`record`](super::Store::record) is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recorded {
    /// Its inbox row.
    pub id: i64,
    /// `false` when an earlier delivery of the same message was still waiting there: nothing was written or counted.
    pub new: bool,
}

/// What validation said of a message, in the form the tables hold.
#[derive(Debug, Clone, Copy)]
pub enum Decision<'a> {
    /// The payload is an order.
    Accept(&'a Order<'a>),
    /// The payload goes to the dead letters.
    Reject(Refusal<'a>),
}

/// The columns of a dead letter that validation decides.
#[derive(Debug, Clone, Copy)]
pub struct Refusal<'a> {
    /// One of `order::Reason`'s names.
    pub reason: &'a str,
    /// A JSON array of `{"pointer", "code", "message"}`.
    pub errors: &'a str,
    /// The uid where the message has a legible one, which holds no control character.
    pub order_uid: Option<&'a str>,
}

/// One inbox row with what is to become of it.
#[derive(Debug, Clone, Copy)]
pub struct Settlement<'a> {
    /// The row.
    pub row: &'a InboxRow,
    /// The verdict on it.
    pub decision: Decision<'a>,
}

impl Settlement<'_> {
    /// The uid of the order that it is.
    pub(super) fn order_uid(&self) -> Option<&str> {
        match self.decision {
            Decision::Accept(order) => Some(&order.order_uid),
            Decision::Reject(_) => None,
        }
    }
}

/// What settling one message did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// A new uid.
    Applied,
    /// Newer than what was stored, with other bytes; the old document went to the history.
    Replaced,
    /// The store said this already: the same bytes, or a dead letter of this very message.
    Unchanged,
    /// Older than what is stored, with other bytes; the document went to the history.
    Outdated,
    /// A dead letter was inserted.
    Rejected,
}

impl Outcome {
    /// Every outcome, in the order in which reports list them.
    pub const ALL: [Self; 5] =
        [Self::Applied, Self::Replaced, Self::Unchanged, Self::Outdated, Self::Rejected];

    /// The name in the ledger and in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Replaced => "replaced",
            Self::Unchanged => "unchanged",
            Self::Outdated => "outdated",
            Self::Rejected => "rejected",
        }
    }
}

impl FromStr for Outcome {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|outcome| outcome.as_str() == name).ok_or_else(|| {
            format!("unknown outcome {name:?}: was this database written by a newer orderbox?")
        })
    }
}

/// A row of `orders` as the cache needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredDocument {
    /// The row's id: newer orders have greater ones.
    pub id: i64,
    /// The order's uid.
    pub order_uid: SmolStr,
    /// The accepted payload, byte for byte, with its digest.
    pub document: Document,
}
