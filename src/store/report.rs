use std::{collections::BTreeMap, time::Duration};

use super::{ChannelAudit, Outcome, Resolution, SourceKind, cause::Unknown, ledger};

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
    /// What became of messages and was deleted since.
    pub expired: Expired,
}

/// Rows that were kept long enough and are deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Expired {
    /// Orders, each in the channel that its last document came from.
    pub orders: i64,
    /// Dead letters.
    pub dead_letters: i64,
    /// What orders said before, and what came too late.
    pub history: i64,
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

/// Dead letters in each resolution, zeros included, in the order of [`Resolution::ALL`].
pub type DeadLetterCounts = [(Resolution, i64); Resolution::ALL.len()];

/// Figures of the store that are cheap to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreStatus {
    /// Rows of the inbox.
    pub inbox_pending: i64,
    /// Messages for which the ledger and the inbox disagree: the sum over all channels of |received - settled - pending|.
    /// Anything but 0 is a bug or damage.
    pub unaccounted: u64,
    /// How long the oldest row of the inbox has waited by the store's clock; `None` when there is none.
    pub oldest_pending: Option<Duration>,
    /// How long ago the oldest open dead letter was refused, by the store's clock; `None` when none is open.
    pub oldest_dead_letter: Option<Duration>,
    /// Sorted by source and channel.
    pub ledger: Vec<ChannelLedger>,
    /// Sorted by source and channel.
    pub channels: Vec<ChannelPosition>,
    /// Bytes that may still be written to the file system of the database; `None` where that can't be seen.
    pub available_bytes: Option<u64>,
}

/// A row of the one query behind [`StoreStatus`]: a word for what it speaks of, source, channel, outcome, and two numbers.
/// Columns that a word has no use for are empty, or null.
///
/// | word | the row's other columns |
/// |---|---|
/// | `ledger` | source, channel, outcome, messages |
/// | `pending` | source, channel, rows of the inbox |
/// | `oldest_pending` | age in microseconds |
/// | `oldest_dead_letter` | age in microseconds |
/// | `channel` | source, channel, last sequence, its time in nanoseconds |
pub(super) type StatusRow<'r> = (&'r str, &'r str, &'r str, &'r str, Option<i64>, Option<i64>);

impl StoreStatus {
    /// What was deleted for its age, over all channels.
    #[must_use]
    pub fn expired(&self) -> Expired {
        self.ledger.iter().fold(Expired::default(), |sum, line| Expired {
            orders: sum.orders + line.expired.orders,
            dead_letters: sum.dead_letters + line.expired.dead_letters,
            history: sum.history + line.expired.history,
        })
    }

    /// Puts the rows of the query together.
    pub(super) fn of<'r, E: From<Unknown>>(
        rows: impl IntoIterator<Item = Result<StatusRow<'r>, E>>,
    ) -> Result<Self, E> {
        let (mut counts, mut channels) = (Counts::default(), Vec::new());
        let (mut oldest_pending, mut oldest_dead_letter) = (None, None);
        for row in rows {
            let (word, from, channel, name, number, second) = row?;
            let number_or_0 = number.unwrap_or(0);
            match word {
                "ledger" => {
                    counts.ledger.push((source(from)?, channel.to_owned(), name.to_owned(), number_or_0));
                }
                "pending" => counts.pending.push((source(from)?, channel.to_owned(), number_or_0)),
                "oldest_pending" => oldest_pending = number.map(age),
                "oldest_dead_letter" => oldest_dead_letter = number.map(age),
                "channel" => channels.push(ChannelPosition {
                    source: source(from)?,
                    channel: channel.to_owned(),
                    last_sequence: number_or_0,
                    last_published_at_ns: second.unwrap_or(0),
                }),
                other => return Err(Unknown(format!("a status row speaks of {other:?}")).into()),
            }
        }
        channels.sort_unstable_by(|a, b| (a.source, &a.channel).cmp(&(b.source, &b.channel)));
        let balances = counts.by_channel().map_err(Unknown)?;
        Ok(Self {
            inbox_pending: balances.iter().map(|balance| balance.pending).sum(),
            unaccounted: balances.iter().map(ChannelAudit::unaccounted).sum(),
            oldest_pending,
            oldest_dead_letter,
            ledger: balances.into_iter().map(|balance| balance.ledger).collect(),
            channels,
            available_bytes: None,
        })
    }
}

/// A clock that was set back makes rows of the future, which have not waited at all.
fn age(microseconds: i64) -> Duration {
    Duration::from_micros(u64::try_from(microseconds).unwrap_or(0))
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
        let (outcomes, expired) = (Outcomes::default(), Expired::default());
        let ledger = ChannelLedger { source, channel, received: 0, outcomes, expired };
        ChannelAudit { ledger, pending: 0, dead_letters: 0 }
    })
}

/// Every resolution with its rows, also those that have none.
pub(super) fn dead_letters_by_resolution(rows: &[(Resolution, i64)]) -> DeadLetterCounts {
    Resolution::ALL.map(|resolution| {
        let count = rows.iter().find(|(name, _)| *name == resolution).map_or(0, |(_, count)| *count);
        (resolution, count)
    })
}

/// A source by the name that a table holds.
pub(super) fn source(name: &str) -> Result<SourceKind, Unknown> {
    name.parse().map_err(Unknown)
}
