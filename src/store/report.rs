use std::{collections::BTreeMap, time::Duration};

use super::{ChannelAudit, Outcome, Resolution, SourceKind, ledger};

/// How many messages had each outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Outcomes([i64; Outcome::ALL.len()]);

impl Outcomes {
    /// Messages with this outcome.
    #[must_use]
    pub const fn get(&self, outcome: Outcome) -> i64 {
        self.0[outcome as usize]
    }

    /// Counts `messages` more.
    pub const fn add(&mut self, outcome: Outcome, messages: i64) {
        self.0[outcome as usize] += messages;
    }

    /// Messages with any outcome.
    #[must_use]
    pub fn total(&self) -> i64 {
        self.0.iter().sum()
    }
}

/// The ledger's lines for one channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelLedger {
    /// How the messages came in.
    pub source: SourceKind,
    /// The channel of the source.
    pub channel: String,
    /// Messages that were written to the inbox.
    pub received: i64,
    /// Messages that left it.
    pub outcomes: Outcomes,
}

/// How far a channel has been read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelPosition {
    /// The source.
    pub source: SourceKind,
    /// Its channel.
    pub channel: String,
    /// Sequence of the latest message.
    pub last_sequence: i64,
    /// Its time of publication in nanoseconds since the Unix epoch.
    pub last_published_at_ns: i64,
}

/// Figures of the store that are cheap to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreStatus {
    /// Rows of the inbox.
    pub inbox_pending: i64,
    /// How long the oldest of them has waited by the store's clock; `None` when there is none.
    pub oldest_pending: Option<Duration>,
    /// Dead letters in each resolution, zeros included, in the order of [`Resolution::ALL`].
    pub dead_letters: [(Resolution, i64); Resolution::ALL.len()],
    /// Sorted by source and channel.
    pub ledger: Vec<ChannelLedger>,
    /// Sorted by source and channel.
    pub channels: Vec<ChannelPosition>,
}

/// What an audit counts by channel.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) ledger: Vec<ledger::Line>,
    /// Rows of the inbox.
    pub(super) pending: Vec<(SourceKind, String, i64)>,
    /// Rows of `dead_letters`.
    pub(super) dead_letters: Vec<(SourceKind, String, i64)>,
}

impl Counts {
    /// One entry for every channel that any of the tables speaks of.
    pub(super) fn by_channel(self) -> Result<Vec<ChannelAudit>, String> {
        let mut channels = BTreeMap::new();
        for ledger in ledger::add_up(self.ledger)? {
            let key = (ledger.source, ledger.channel.clone());
            channels.insert(key, ChannelAudit { ledger, pending: 0, dead_letters: 0 });
        }
        for (source, channel, rows) in self.pending {
            entry(&mut channels, source, channel).pending = rows;
        }
        for (source, channel, rows) in self.dead_letters {
            entry(&mut channels, source, channel).dead_letters = rows;
        }
        Ok(channels.into_values().collect())
    }
}

fn entry(
    channels: &mut BTreeMap<(SourceKind, String), ChannelAudit>,
    source: SourceKind,
    channel: String,
) -> &mut ChannelAudit {
    channels.entry((source, channel.clone())).or_insert_with(|| {
        let ledger = ChannelLedger { source, channel, received: 0, outcomes: Outcomes::default() };
        ChannelAudit { ledger, pending: 0, dead_letters: 0 }
    })
}

/// Every resolution with its rows, also those that have none.
pub(super) fn dead_letters_by_resolution(
    rows: &[(Resolution, i64)],
) -> [(Resolution, i64); Resolution::ALL.len()] {
    Resolution::ALL.map(|resolution| {
        let count = rows.iter().find(|(name, _)| *name == resolution).map_or(0, |(_, count)| *count);
        (resolution, count)
    })
}

/// A source by the name that a table holds.
pub(super) fn source(name: &str) -> sqlx::Result<SourceKind> {
    name.parse().map_err(decode)
}

/// A value that this version does not know.
pub(super) fn decode(message: String) -> sqlx::Error {
    sqlx::Error::Decode(message.into())
}
