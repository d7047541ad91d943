//! One instance: the real inbox, worker, recovery and cache, wired as `app` does it.

use std::{sync::Arc, time::Duration};

use fastrand::Rng;
use orderbox::{
    cache::Cache,
    inbox::{Budget, InFlight, Inbox, Writer},
    store::{Aging, Store, keep_no_longer},
    telemetry::Board,
    worker::{Recovery, Worker},
};
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{reader::Reader, source::Desk};

const MAX_MESSAGE_BYTES: usize = 256 * 1024;

/// `SHUTDOWN_TIMEOUT`.
const SHUTDOWN: Duration = Duration::from_secs(25);

/// The settings that matter here.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) pipeline_bytes: usize,
    pub(crate) batch_size: usize,
    pub(crate) cache_bytes: u64,
    /// `ORDER_RETENTION`, which here is not a matter of days.
    pub(crate) retention: Option<Duration>,
}

impl Limits {
    /// The cache stays below what quick_cache splits into shards: within one shard the order of evictions depends on
    /// nothing but the calls.
    pub(crate) fn draw(rng: &mut Rng) -> Self {
        Self {
            pipeline_bytes: rng.usize(3_000..60_000),
            batch_size: rng.usize(1..12),
            cache_bytes: rng.u64(3_000..45_000),
            retention: (rng.u8(0..3) == 0).then(|| Duration::from_secs(rng.u64(1..30))),
        }
    }
}

pub(crate) struct Process {
    pub(crate) cache: Arc<Cache>,
    pub(crate) in_flight: Arc<InFlight>,
    budget: Budget,
    pub(crate) inbox: Inbox,
    /// Cancelled when the process is gone, and with it every request to it.
    pub(crate) gone: CancellationToken,
    desk: Arc<Desk>,
    stages: JoinSet<()>,
    readers: JoinSet<()>,
    stop_background: CancellationToken,
    stop_writer: CancellationToken,
}

impl Process {
    pub(crate) fn start(
        desk: Arc<Desk>,
        limits: Limits,
        uids: &[String],
        alone: bool,
        rng: &mut Rng,
    ) -> Self {
        let store: Arc<dyn Store> = Arc::clone(&desk.store) as _;
        let board = Board::default();
        let part = |name| board.register(name, None);
        let cache = Arc::new(Cache::new(limits.cache_bytes));
        let in_flight = Arc::new(InFlight::default());
        let budget = Budget::new(limits.pipeline_bytes);
        let (held, settling) = mpsc::channel(budget.messages());
        let (writer, inbox) = Writer::new(
            Arc::clone(&store),
            &budget,
            Arc::clone(&in_flight),
            limits.batch_size,
            held.clone(),
            part("inbox"),
        );
        let worker = Worker::new(
            Arc::clone(&store),
            Arc::clone(&cache),
            Arc::clone(&in_flight),
            settling,
            limits.batch_size,
            MAX_MESSAGE_BYTES,
            part("worker"),
        );
        let recovery =
            Recovery::new(Arc::clone(&store), budget.clone(), Arc::clone(&in_flight), held, part("recovery"));
        let (stop_background, stop_writer) = (CancellationToken::new(), CancellationToken::new());
        let (mut stages, mut readers) = (JoinSet::new(), JoinSet::new());
        stages.spawn(writer.run(stop_writer.clone()));
        stages.spawn(worker.run());
        let (stop, health) = (stop_background.clone(), part("cache"));
        let (sources, cache_to_fill, way_in) = (Arc::clone(&desk), Arc::clone(&cache), inbox.clone());
        stages.spawn(async move {
            let Some(recovery) = stop.run_until_cancelled(boot(&*store, recovery)).await else { return };
            tokio::join!(
                recovery.run(stop.clone()),
                cache_to_fill.rebuild(&*store, &health, &stop),
                sources.run(way_in, stop.clone()),
            );
        });
        let (follower, followed, stop) =
            (Arc::clone(&cache), Arc::clone(&desk.store), stop_background.clone());
        stages.spawn(async move { follower.follow(&*followed, &stop).await });
        if let Some(age) = limits.retention {
            let (cache, kept, stop) = (Arc::clone(&cache), Arc::clone(&desk.store), stop_background.clone());
            stages.spawn(async move {
                let ages = [(Aging::Orders, age)];
                keep_no_longer(&*kept, &ages, |uid| cache.forget(uid), &stop).await;
            });
        }
        for _ in 0..2 {
            let reader = Reader {
                rng: rng.fork(),
                cache: Arc::clone(&cache),
                store: Arc::clone(&desk.store),
                journal: Arc::clone(&desk.journal),
                floors: Arc::clone(&desk.floors),
                uids: uids.to_vec(),
                alone,
                breakage: desk.breakage,
            };
            readers.spawn(reader.run());
        }
        let gone = CancellationToken::new();
        Self { cache, in_flight, budget, inbox, gone, desk, stages, readers, stop_background, stop_writer }
    }

    /// kill -9: everything in memory is gone.
    pub(crate) async fn crash(mut self) {
        self.desk.journal.note("process: crash", format_args!("{} in flight", self.in_flight.len()));
        self.readers.shutdown().await;
        self.stages.shutdown().await;
        self.gone.cancel();
    }

    /// SIGTERM, with what does not end within `SHUTDOWN_TIMEOUT` killed.
    pub(crate) async fn stop(mut self) {
        self.readers.shutdown().await;
        self.inbox.close();
        self.stop_background.cancel();
        sleep(Duration::from_millis(1)).await;
        self.stop_writer.cancel();
        let drained = timeout(SHUTDOWN, async { while self.stages.join_next().await.is_some() {} }).await;
        let name = if drained.is_ok() { "process: stopped, drained" } else { "process: stopped, cut off" };
        self.desk.journal.note(name, format_args!("{} in flight", self.in_flight.len()));
        if drained.is_ok() {
            self.check_drained();
        }
        self.stages.shutdown().await;
        self.gone.cancel();
    }

    /// A stop that was not cut off leaves nothing of its own in the inbox but rows that fail alone. Copies of what is settled may
    /// be there: another instance has them, or the store has written them after the call was given up.
    fn check_drained(&self) {
        let tables = self.desk.store.tables();
        for row in tables.inbox.values().filter(|row| row.attempts == 0 && !tables.has_settled(&row.message))
        {
            let message_id = &row.message.message_id;
            if self.in_flight.holds(message_id) {
                self.desk.journal.violated(format!("a drained stop left {message_id} in the inbox"));
            }
        }
    }

    /// Whether all of `PIPELINE_BYTES` is free.
    pub(crate) fn has_room(&self) -> bool {
        self.budget.take(usize::MAX).is_some()
    }

    /// A stage that ends by itself has failed.
    pub(crate) fn check(&mut self) {
        if self.stages.try_join_next().is_some() {
            self.desk.journal.violated("a stage has ended by itself".to_owned());
        }
        if self.readers.try_join_next().is_some() {
            self.desk.journal.violated("a reader has panicked".to_owned());
        }
    }
}

async fn boot(store: &dyn Store, mut recovery: Recovery) -> Recovery {
    loop {
        if store.prepare().await.is_ok() && recovery.at_boot().await.is_ok() {
            return recovery;
        }
        sleep(Duration::from_millis(200)).await;
    }
}
