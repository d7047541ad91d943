use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::store::{ChannelPosition, SourceKind};

/// A look at the channel that is older says nothing of it any more. A look that fails says so at once, by [`Upstream::saw`]: this
/// is for when none can be made, or the last one waits.
const FRESH: Duration = Duration::from_secs(60);

/// A message's place in its channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Counts the messages of the channel from 1.
    pub sequence: u64,
    /// Nanoseconds since the Unix epoch by the broker's clock.
    pub published_at_ns: i64,
}

/// What a broker tells of a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    /// The place of its last message: STAN.
    Last(Place),
    /// How many messages it has not delivered to any instance: JetStream. Places would say less, for a stream may hold other
    /// subjects.
    Waiting(u64),
}

/// How far the channel of a source has come at the broker, as its source last saw it. Cheap to clone; clones share it.
#[derive(Debug, Clone)]
pub struct Upstream {
    source: SourceKind,
    channel: Arc<str>,
    watches_gaps: bool,
    seen: Arc<Mutex<Option<(Instant, Seen)>>>,
}

impl Upstream {
    /// The channel of a source, not looked at yet.
    #[must_use]
    pub fn new(source: SourceKind, channel: &str, watches_gaps: bool) -> Self {
        Self { source, channel: channel.into(), watches_gaps, seen: Arc::default() }
    }

    /// The source.
    #[must_use]
    pub fn source(&self) -> SourceKind {
        self.source
    }

    /// Its channel.
    #[must_use]
    pub fn channel(&self) -> &str {
        &self.channel
    }

    /// Whether it is seen when a message is missing: not by a member of a queue group.
    #[must_use]
    pub fn watches_gaps(&self) -> bool {
        self.watches_gaps
    }

    /// What a look at the channel has found: the place of its last message, or `None` when it failed.
    pub fn saw(&self, last: Option<Place>) {
        self.saw_that(last.map(Seen::Last));
    }

    /// How many messages wait at the broker, or `None` when it did not tell.
    pub fn saw_waiting(&self, messages: Option<u64>) {
        self.saw_that(messages.map(Seen::Waiting));
    }

    fn saw_that(&self, seen: Option<Seen>) {
        *self.lock() = seen.map(|seen| (Instant::now(), seen));
    }

    /// The place of the channel's last message, or `None` while it is not known.
    #[must_use]
    pub fn last(&self) -> Option<Place> {
        match self.seen()? {
            Seen::Last(place) => Some(place),
            Seen::Waiting(_) => None,
        }
    }

    fn seen(&self) -> Option<Seen> {
        self.lock().filter(|(at, _)| at.elapsed() < FRESH).map(|(_, seen)| seen)
    }

    /// How many messages are published and not written to the inbox, by the latest message that is; `None` while that is not
    /// known. Where nothing is recorded yet, messages that the broker has dropped for age or number are counted too.
    #[must_use]
    pub fn lag(&self, channels: &[ChannelPosition]) -> Option<u64> {
        let last = match self.seen()? {
            Seen::Last(last) => last,
            Seen::Waiting(messages) => return Some(messages),
        };
        let is_ours =
            |place: &&ChannelPosition| place.source == self.source && *place.channel == *self.channel;
        let Some(recorded) = channels.iter().find(is_ours) else { return Some(last.sequence) };
        let recorded_sequence = u64::try_from(recorded.last_sequence).unwrap_or(0);
        Some(if last.published_at_ns < recorded.last_published_at_ns {
            // The inbox has gone past it since.
            0
        } else if last.published_at_ns > recorded.last_published_at_ns && last.sequence <= recorded_sequence {
            // The channel began again at 1, and nothing of its new life is recorded.
            last.sequence
        } else {
            last.sequence.saturating_sub(recorded_sequence)
        })
    }

    fn lock(&self) -> MutexGuard<'_, Option<(Instant, Seen)>> {
        // Each change is one assignment.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upstream(sequence: u64, published_at_ns: i64) -> Upstream {
        let upstream = Upstream::new(SourceKind::Stan, "orders", true);
        upstream.saw(Some(Place { sequence, published_at_ns }));
        upstream
    }

    fn recorded(last_sequence: i64, last_published_at_ns: i64) -> [ChannelPosition; 2] {
        let position = |channel: &str, last_sequence| ChannelPosition {
            source: SourceKind::Stan,
            channel: channel.to_owned(),
            last_sequence,
            last_published_at_ns,
        };
        [position("others", 1_000), position("orders", last_sequence)]
    }

    #[test]
    fn the_lag_is_what_is_published_and_not_recorded() {
        assert_eq!(upstream(70, 700).lag(&recorded(50, 500)), Some(20));
        assert_eq!(upstream(70, 700).lag(&recorded(70, 700)), Some(0));
        assert_eq!(upstream(70, 700).lag(&[]), Some(70), "nothing is recorded yet");
    }

    #[test]
    fn messages_recorded_since_the_last_look_do_not_make_it_negative() {
        assert_eq!(upstream(70, 700).lag(&recorded(75, 750)), Some(0));
        // Two messages of one instant.
        assert_eq!(upstream(70, 700).lag(&recorded(71, 700)), Some(0));
    }

    #[test]
    fn a_channel_that_began_again_lags_by_all_of_its_new_life() {
        assert_eq!(upstream(3, 9_000).lag(&recorded(70, 700)), Some(3));
        // And once the new life is recorded, a look from before says nothing more.
        assert_eq!(upstream(70, 700).lag(&recorded(2, 9_000)), Some(0));
    }

    #[test]
    fn what_waits_at_the_broker_is_the_lag_where_it_says_so() {
        let upstream = Upstream::new(SourceKind::JetStream, "ORDERS", false);
        upstream.saw_waiting(Some(12));
        assert_eq!((upstream.lag(&recorded(50, 500)), upstream.last()), (Some(12), None));
    }

    #[tokio::test(start_paused = true)]
    async fn a_channel_that_was_not_seen_for_long_is_unknown() {
        let upstream = upstream(70, 700);
        tokio::time::advance(FRESH).await;
        assert_eq!((upstream.last(), upstream.lag(&recorded(50, 500))), (None, None));
        let failed = super::tests::upstream(70, 700);
        failed.saw(None);
        assert_eq!(failed.lag(&[]), None);
    }
}
