//! What event streams tell, made once for all of them: the store is asked once a second while somebody listens, however many
//! do and however often they come, and only the latest word is kept, so a client that does not read holds nothing.

use std::{collections::BTreeMap, convert::Infallible, sync::Arc, time::Duration};

use serde::Serialize;
use time::OffsetDateTime;
use tokio::{
    sync::{Notify, OwnedSemaphorePermit, Semaphore, watch},
    time::{MissedTickBehavior, interval},
};
use utoipa::ToSchema;

use super::{
    Shared, health, moment, newest::NewestOrders, openapi::Summary, settled::Expired, status::Letters,
};
use crate::{
    store::{Outcome, StoreStatus},
    telemetry::Figures,
};

/// How often the store is asked.
const EVERY: Duration = Duration::from_secs(1);

/// So many streams at once: each holds one of the connections.
pub(super) const MAX_STREAMS: usize = 64;

/// So many of them are kept for administrators: whoever reaches the service may hold the others.
pub(super) const FOR_ADMINS: usize = 16;

/// So many orders in `event: orders`.
const NEWEST: usize = 20;

/// The JSON of an event.
pub(super) type Word = Arc<str>;

/// What is told, and who hears it.
#[derive(Debug)]
pub(super) struct Feed {
    flow: Channel,
    orders: Channel,
    places: Arc<Semaphore>,
    /// Of these, what those may take who are no administrators.
    open: Arc<Semaphore>,
}

/// The latest word of one kind.
#[derive(Debug, Default)]
struct Channel {
    word: watch::Sender<Option<Word>>,
    joined: Notify,
}

/// One listener's place. Dropping it gives the place up.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) flow: watch::Receiver<Option<Word>>,
    /// `None` without the right to hear it.
    pub(super) orders: Option<watch::Receiver<Option<Word>>>,
    _place: OwnedSemaphorePermit,
    _open: Option<OwnedSemaphorePermit>,
}

impl Default for Feed {
    fn default() -> Self {
        Self {
            flow: Channel::default(),
            orders: Channel::default(),
            places: Arc::new(Semaphore::new(MAX_STREAMS)),
            open: Arc::new(Semaphore::new(MAX_STREAMS - FOR_ADMINS)),
        }
    }
}

impl Feed {
    /// A place that hears the latest words at once; `None` when all are taken.
    pub(super) fn join(&self, admin: bool) -> Option<Seat> {
        let open = if admin { None } else { Some(Arc::clone(&self.open).try_acquire_owned().ok()?) };
        let place = Arc::clone(&self.places).try_acquire_owned().ok()?;
        Some(Seat {
            flow: self.flow.join(),
            orders: admin.then(|| self.orders.join()),
            _place: place,
            _open: open,
        })
    }
}

impl Channel {
    fn join(&self) -> watch::Receiver<Option<Word>> {
        let mut receiver = self.word.subscribe();
        receiver.mark_changed();
        // After the subscription, so that whoever wakes sees it. A permit that nobody waits for is kept.
        self.joined.notify_one();
        receiver
    }

    /// Asks for the next word at most once in [`EVERY`], whoever comes and goes, and only while somebody listens.
    async fn run<F: Future<Output = Option<Word>>>(&self, next: impl Fn() -> F) -> Infallible {
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            // Until the tick the last word is new enough for who joins.
            ticks.tick().await;
            if self.word.receiver_count() == 0 {
                self.word.send_replace(None);
                // A permit may be that of one who has left again.
                while self.word.receiver_count() == 0 {
                    self.joined.notified().await;
                }
                ticks.reset();
            }
            if let Some(word) = next().await {
                self.word.send_if_modified(|last| {
                    let changed = last.as_ref() != Some(&word);
                    *last = Some(word);
                    changed
                });
            }
        }
    }
}

/// Makes the words while somebody listens; without an end. A kind whose question is slow does not hold up the other.
pub(super) async fn run(shared: &Shared) -> Infallible {
    let flow = shared.feed.flow.run(|| async { Some(json(&Flow::now(shared).await)) });
    let orders = shared.feed.orders.run(|| async {
        let newest = NewestOrders::load(&*shared.api.store, NEWEST).await.ok()?;
        Some(json(&newest))
    });
    tokio::select! {
        never = flow => never,
        never = orders => never,
    }
}

fn json(word: &impl Serialize) -> Word {
    serde_json::to_string(word).expect("strings and numbers always serialize").into()
}

/// Totals over all channels since the database was made; rates are differences of two events. What the store would have said
/// is null while it does not answer.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Flow {
    /// When the store had answered; never earlier than in the event before, even when the clock is set back
    #[schema(format = DateTime)]
    at: String,
    #[schema(value_type = Summary)]
    status: &'static str,
    #[schema(required)]
    received: Option<i64>,
    #[schema(required)]
    applied: Option<i64>,
    #[schema(required)]
    replaced: Option<i64>,
    #[schema(required)]
    unchanged: Option<i64>,
    #[schema(required)]
    outdated: Option<i64>,
    #[schema(required)]
    rejected: Option<i64>,
    #[schema(required)]
    expired: Option<Expired>,
    /// Received and not settled yet
    #[schema(required)]
    pending: Option<i64>,
    /// 0 when nothing waits
    #[schema(required)]
    oldest_pending_seconds: Option<f64>,
    /// Published and not received yet; null when it is not known
    #[schema(required)]
    lag: Option<u64>,
    /// The same of each source where it is known
    #[schema(required)]
    lag_by_source: Option<BTreeMap<&'static str, u64>>,
    #[schema(required)]
    dead_letters_open: Option<i64>,
    /// Runs of messages that a channel skipped and has not brought; see `/api/status`
    #[schema(required)]
    gaps_open: Option<i64>,
}

impl Flow {
    async fn now(shared: &Shared) -> Self {
        let figures = shared.figures.ask().await;
        let figures = figures.as_deref();
        let store = figures.map(|figures| &figures.store);
        let settled = |outcome| store.map(|store| total(store, outcome));
        Self {
            at: moment::text(figures.map_or_else(OffsetDateTime::now_utc, |figures| figures.at)),
            status: health::summary(&shared.api.board.snapshot()),
            received: store.map(|store| store.ledger.iter().map(|line| line.received).sum()),
            applied: settled(Outcome::Applied),
            replaced: settled(Outcome::Replaced),
            unchanged: settled(Outcome::Unchanged),
            outdated: settled(Outcome::Outdated),
            rejected: settled(Outcome::Rejected),
            expired: store.map(|store| Expired::from(store.expired())),
            pending: store.map(|store| store.inbox_pending),
            oldest_pending_seconds: store.map(|store| store.oldest_pending.unwrap_or_default().as_secs_f64()),
            lag: figures.and_then(Figures::lag),
            lag_by_source: figures.map(|figures| figures.lags().collect()),
            dead_letters_open: figures
                .and_then(|figures| figures.dead_letters.as_ref())
                .map(|counts| Letters::from(counts).open),
            gaps_open: figures.and_then(|figures| figures.gaps.as_ref()).map(|gaps| gaps.open),
        }
    }
}

fn total(store: &StoreStatus, outcome: Outcome) -> i64 {
    store.ledger.iter().map(|line| line.outcomes.get(outcome)).sum()
}
