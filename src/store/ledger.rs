//! What the stores share about the ledger and the channels.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::{ChannelLedger, Expired, Message, Outcome, Outcomes, SourceKind};

/// The ledger's word for a message that was written to the inbox. Settling uses the names of [`Outcome`].
pub(super) const RECEIVED: &str = "received";

/// The ledger's words for what was deleted because it was kept long enough. They are no outcomes: such a message has
/// had its own.
pub(super) const EXPIRED_ORDERS: &str = "expired_orders";
pub(super) const EXPIRED_DEAD_LETTERS: &str = "expired_dead_letters";
pub(super) const EXPIRED_HISTORY: &str = "expired_history";

/// Rows that one line of the ledger is spread over.
const SHARDS: i16 = 16;

/// The shards that one handle counts in: its first, and others only for settles that overlap, which would wait for
/// each other's commit. Handles begin anywhere, so instances rarely meet.
#[derive(Debug)]
pub(super) struct Shards {
    first: i16,
    /// How far from the first those are that settles under way count in.
    taken: Mutex<BTreeSet<i16>>,
}

/// A shard that no other settle of this handle counts in, until this is dropped.
#[derive(Debug)]
pub(super) struct Shard<'a> {
    shards: &'a Shards,
    place: i16,
}

impl Shards {
    pub(super) fn new() -> Self {
        Self { first: fastrand::i16(0..SHARDS), taken: Mutex::default() }
    }

    pub(super) const fn first(&self) -> i16 {
        self.first
    }

    pub(super) fn take(&self) -> Shard<'_> {
        let mut taken = self.lock();
        let place = (0..SHARDS).find(|place| !taken.contains(place)).unwrap_or(0);
        taken.insert(place);
        Shard { shards: self, place }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<i16>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shard<'_> {
    pub(super) const fn number(&self) -> i16 {
        (self.shards.first + self.place) % SHARDS
    }
}

impl Drop for Shard<'_> {
    fn drop(&mut self) {
        self.shards.lock().remove(&self.place);
    }
}

/// Counts messages; its lines come out sorted, which is the order in which their locks are taken.
#[derive(Debug, Default)]
pub(super) struct Tally<'a>(BTreeMap<(&'static str, &'a str, &'static str), i64>);

impl<'a> Tally<'a> {
    pub(super) fn count(&mut self, message: &'a Message, outcome: &'static str) {
        self.count_of(message.source, &message.channel, outcome);
    }

    pub(super) fn count_of(&mut self, source: SourceKind, channel: &'a str, outcome: &'static str) {
        *self.0.entry((source.as_str(), channel, outcome)).or_default() += 1;
    }

    /// SourceKind, channel, outcome, messages.
    pub(super) fn lines(&self) -> Vec<(&'static str, &'a str, &'static str, i64)> {
        self.0
            .iter()
            .map(|(&(source, channel, outcome), &messages)| (source, channel, outcome, messages))
            .collect()
    }
}

/// The latest message of each channel: source, channel, sequence, time of publication. A greater time wins, then a
/// greater sequence. So a channel that began again at 1 moves on, and a late message of its former life moves
/// nothing.
pub(super) fn latest<'a>(
    messages: impl IntoIterator<Item = &'a Message>,
) -> Vec<(&'static str, &'a str, i64, i64)> {
    let mut latest = BTreeMap::new();
    for message in messages {
        let place = (message.published_at_ns, message.sequence);
        let last = latest.entry((message.source.as_str(), &*message.channel)).or_insert(place);
        *last = place.max(*last);
    }
    latest.into_iter().map(|((source, channel), (ns, sequence))| (source, channel, sequence, ns)).collect()
}

/// A line of the ledger as it is stored: source, channel, outcome, messages.
pub(super) type Line = (SourceKind, String, String, i64);

/// Adds the shards up, sorted by source and channel.
pub(super) fn add_up(lines: Vec<Line>) -> Result<Vec<ChannelLedger>, String> {
    let mut channels: BTreeMap<(SourceKind, String), (i64, Outcomes, Expired)> = BTreeMap::new();
    for (source, channel, word, messages) in lines {
        let (received, outcomes, expired) = channels.entry((source, channel)).or_default();
        match word.as_str() {
            RECEIVED => *received += messages,
            EXPIRED_ORDERS => expired.orders += messages,
            EXPIRED_DEAD_LETTERS => expired.dead_letters += messages,
            EXPIRED_HISTORY => expired.history += messages,
            outcome => outcomes.add(outcome.parse::<Outcome>()?, messages),
        }
    }
    Ok(channels
        .into_iter()
        .map(|((source, channel), (received, outcomes, expired))| ChannelLedger {
            source,
            channel,
            received,
            outcomes,
            expired,
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn message(channel: &str, sequence: i64, published_at_ns: i64) -> Message {
        Message {
            message_id: format!("stan:c/{channel}/{sequence}@{published_at_ns}").into(),
            source: SourceKind::Stan,
            channel: channel.into(),
            sequence,
            published_at_ns,
            payload: Bytes::new(),
        }
    }

    #[test]
    fn a_channel_is_as_far_as_its_latest_message() {
        let messages = [message("b", 7, 70), message("a", 9, 90), message("a", 1, 91), message("a", 10, 89)];
        // `a` began again at 1; 10 is a late message of its former life.
        assert_eq!(latest(&messages), [("stan", "a", 1, 91), ("stan", "b", 7, 70)]);
    }

    #[test]
    fn settles_that_overlap_count_in_shards_of_their_own_and_others_in_the_first() {
        let shards = Shards::new();
        assert_eq!(shards.take().number(), shards.first());
        let (one, other) = (shards.take(), shards.take());
        assert_eq!(one.number(), shards.first());
        assert_ne!(other.number(), shards.first());
        drop(one);
        assert_eq!(shards.take().number(), shards.first());
    }

    #[test]
    fn the_shards_of_a_line_add_up() {
        let line =
            |outcome: &str, messages| (SourceKind::Http, "http".to_owned(), outcome.to_owned(), messages);
        let ledger = add_up(vec![line("received", 3), line("applied", 1), line("received", 4)])
            .expect("every outcome is known");
        assert_eq!(ledger.len(), 1);
        assert_eq!((ledger[0].received, ledger[0].outcomes.get(Outcome::Applied)), (7, 1));
        let unknown = add_up(vec![line("vanished", 1)]).expect_err("no such outcome");
        assert!(unknown.contains("vanished"), "{unknown}");
    }
}
