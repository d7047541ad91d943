use std::{sync::Arc, time::Duration};

use time::OffsetDateTime;
use tokio::{
    sync::{Mutex, OwnedMutexGuard},
    time::Instant,
};
use tokio_util::task::TaskTracker;

use super::Upstream;
use crate::{
    panics,
    store::{self, Connections, DeadLetterCounts, GapReport, SourceKind, Store, StoreStatus},
};

/// However often somebody asks, the store is asked once in this time.
const FRESH: Duration = Duration::from_secs(1);

/// For all that is asked at once: a scrape must answer while the store hangs, well within the 5 s that Prometheus waits.
const PATIENCE: Duration = Duration::from_secs(2);

/// Counting millions of dead letters takes a good part of a second. They are counted again only after so many times what it
/// took, so that counting keeps the store busy for a twentieth of the time at most.
const REST: u32 = 20;

/// So many gaps are listed.
const GAPS: usize = 20;

/// A count that is given up goes on in the database, on PostgreSQL until its client would have given up. Taken to last for as
/// long as `STORE_TIMEOUT` is unless it is set.
const GIVEN_UP: Duration = Duration::from_secs(10);

/// The store's figures for scrapes, the status route and the page, at a bounded cost to the store.
#[derive(Debug)]
pub struct StoreFigures {
    store: Arc<dyn Store>,
    upstreams: Vec<Upstream>,
    last: Arc<Mutex<Last>>,
    running: TaskTracker,
}

#[derive(Debug, Default)]
struct Last {
    figures: Option<(Instant, Option<Arc<Figures>>)>,
    /// When the dead letters are due to be counted again, and their count.
    dead_letters: Option<(Instant, Option<DeadLetterCounts>)>,
    clock: Clock,
}

/// The wall clock, but for steps back: rates are divided by differences of its times.
#[derive(Debug, Default)]
struct Clock(Option<(Instant, OffsetDateTime)>);

impl Clock {
    /// What time it is when the wall clock shows `wall`.
    fn tell(&mut self, wall: OffsetDateTime) -> OffsetDateTime {
        let now = Instant::now();
        let at = self.0.map_or(wall, |(then, at)| wall.max(at + (now - then)));
        self.0 = Some((now, at));
        at
    }
}

/// What the store said at one moment, and what follows from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figures {
    /// When it said it, by this process's clock; later than in figures before, also when the clock was set back.
    pub at: OffsetDateTime,
    /// All of it from one snapshot.
    pub store: StoreStatus,
    /// Counted then, or, when counting takes long, at most 20 times as long ago; `None` when it took too long, or failed.
    pub dead_letters: Option<DeadLetterCounts>,
    /// `None` when they could not be read in time.
    pub gaps: Option<GapFigures>,
    /// Every channel that the store knows, and those that are read; sorted by source and channel.
    pub sources: Vec<SourceFigures>,
}

/// What channels have skipped and not brought in time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GapFigures {
    /// Gaps whose messages have not come.
    pub open: i64,
    /// The latest 20, open ones first.
    pub latest: Vec<GapReport>,
}

/// How far a channel is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFigures {
    /// The source.
    pub source: SourceKind,
    /// Its channel.
    pub channel: String,
    /// Sequence of the latest message in the inbox or past it; 0 when there is none, or the source has no sequences.
    pub last_sequence: i64,
    /// How many messages are published and not written to the inbox; `None` when that is not known, and for a source that has
    /// no channel which goes on without us.
    pub lag: Option<u64>,
}

impl Figures {
    fn new(
        at: OffsetDateTime,
        store: StoreStatus,
        dead_letters: Option<DeadLetterCounts>,
        gaps: Option<GapFigures>,
        upstreams: &[Upstream],
    ) -> Self {
        let mut sources: Vec<SourceFigures> = store
            .channels
            .iter()
            .map(|place| SourceFigures {
                source: place.source,
                channel: place.channel.clone(),
                last_sequence: place.last_sequence,
                lag: None,
            })
            .collect();
        for upstream in upstreams {
            let lag = upstream.lag(&store.channels);
            let key = (upstream.source(), upstream.channel());
            match sources.binary_search_by_key(&key, |source| (source.source, &source.channel)) {
                Ok(place) => sources[place].lag = lag,
                Err(place) => {
                    let (source, channel) = (key.0, key.1.to_owned());
                    sources.insert(place, SourceFigures { source, channel, last_sequence: 0, lag });
                }
            }
        }
        Self { at, store, dead_letters, gaps, sources }
    }

    /// How many messages of each source are published and not written to the inbox, where that is known.
    pub fn lags(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.sources.iter().filter_map(|of| Some((of.source.as_str(), of.lag?)))
    }

    /// How many messages are published and not written to the inbox, over all channels; `None` when no channel's lag is known.
    #[must_use]
    pub fn lag(&self) -> Option<u64> {
        self.lags().map(|(_, lag)| lag).reduce(|sum, lag| sum + lag)
    }
}

impl StoreFigures {
    /// Figures of this store, and of the channels that are read; nothing is asked yet.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, upstreams: Vec<Upstream>) -> Arc<Self> {
        Arc::new(Self { store, upstreams, last: Arc::default(), running: TaskTracker::new() })
    }

    /// What the store said at most a second ago; `None` when it did not answer then. Callers at the same time share one
    /// question.
    pub async fn get(self: &Arc<Self>) -> Option<Arc<Figures>> {
        let last = Arc::clone(&self.last).lock_owned().await;
        if let Some((at, figures)) = &last.figures
            && at.elapsed() < FRESH
        {
            return figures.clone();
        }
        self.refresh(last).await
    }

    /// What the store says now. Whoever calls [`Self::get`] within the next second shares the answer.
    pub async fn ask(self: &Arc<Self>) -> Option<Arc<Figures>> {
        self.refresh(Arc::clone(&self.last).lock_owned().await).await
    }

    /// A question that has begun runs to its end, whether its client stays or leaves: a call to the store that is dropped costs
    /// its connection, and who comes next would have to ask anew.
    async fn refresh(self: &Arc<Self>, mut last: OwnedMutexGuard<Last>) -> Option<Arc<Figures>> {
        let figures = Arc::clone(self);
        panics::outcome(self.running.spawn(async move { figures.read(&mut last).await })).await
    }

    async fn read(&self, last: &mut Last) -> Option<Arc<Figures>> {
        let deadline = Instant::now() + PATIENCE;
        let figures = match answer_by(deadline, self.store.status()).await {
            Some(Ok(status)) => {
                let at = last.clock.tell(OffsetDateTime::now_utc());
                let gaps = answer_by(deadline, self.store.gaps(GAPS)).await.and_then(Result::ok);
                let gaps = gaps.map(|(open, latest)| GapFigures { open, latest });
                let dead_letters = self.dead_letters(last, deadline).await;
                Some(Arc::new(Figures::new(at, status, dead_letters, gaps, &self.upstreams)))
            }
            Some(Err(_)) | None => None,
        };
        last.figures = Some((Instant::now(), figures.clone()));
        figures
    }

    async fn dead_letters(&self, last: &mut Last, deadline: Instant) -> Option<DeadLetterCounts> {
        let began = Instant::now();
        if let Some((due, counts)) = last.dead_letters
            && began < due
        {
            return counts;
        }
        let answer = answer_by(deadline, self.store.count_dead_letters()).await;
        let took = if answer.is_some() { began.elapsed() } else { GIVEN_UP };
        let counts = answer.and_then(Result::ok);
        last.dead_letters = Some((began + took * (REST + 1), counts));
        counts
    }

    /// The store's connections now.
    #[must_use]
    pub fn connections(&self) -> Connections {
        self.store.connections()
    }

    /// The channels that are read.
    #[must_use]
    pub fn upstreams(&self) -> &[Upstream] {
        &self.upstreams
    }
}

/// What the store answers, `None` when it does not in time. That it fails is said by its part on the health board.
async fn answer_by<T>(
    deadline: Instant,
    call: impl Future<Output = store::Result<T>>,
) -> Option<store::Result<T>> {
    tokio::time::timeout_at(deadline, call).await.ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::testing::TestStore;

    #[tokio::test(start_paused = true)]
    async fn a_count_that_is_given_up_is_left_alone_as_long_as_one_that_took_its_time() {
        let store = Arc::<TestStore>::default();
        let figures = StoreFigures::new(Arc::clone(&store) as _, Vec::new());
        store.pause();
        let began = Instant::now();
        let counted = async || figures.ask().await.expect("the status is read").dead_letters.is_some();
        assert_eq!((counted().await, began.elapsed()), (false, PATIENCE));
        store.release();
        tokio::time::advance(GIVEN_UP * REST).await;
        assert!(!counted().await, "it may still have gone on after {PATIENCE:?}");
        tokio::time::advance(GIVEN_UP).await;
        assert!(counted().await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_wall_clock_that_is_set_back_does_not_set_back_the_times_of_figures() {
        let wall = OffsetDateTime::UNIX_EPOCH + Duration::from_secs(3600);
        let second = Duration::from_secs(1);
        let mut clock = Clock::default();
        assert_eq!(clock.tell(wall), wall);
        tokio::time::advance(second).await;
        assert_eq!(clock.tell(OffsetDateTime::UNIX_EPOCH), wall + second);
        tokio::time::advance(second).await;
        assert_eq!(clock.tell(wall + 5 * second), wall + 5 * second, "forward it is followed");
    }
}
