use std::{
    sync::atomic::{AtomicU8, AtomicU64, Ordering},
    time::Duration,
};

use quick_cache::sync::GuardResult;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Cache;
use crate::{
    fail_point,
    store::{Pauses, Store, StoredDocument},
    telemetry::{self, Part, Stage},
};

/// A page is large enough that round trips don't matter and small enough that it is no burden on the store or on memory.
const PAGE_ROWS: usize = 2_000;
const PAGE_BYTES: usize = 4 << 20;

/// After this many documents (some 50 µs) the task lets others run.
const TURN: usize = 64;

/// The cache has no more room.
struct Full;

/// How far a rebuild is; read by scrapes and health checks.
#[derive(Debug, Default)]
pub(super) struct Progress {
    state: AtomicU8,
    /// Bits of an f64.
    ratio: AtomicU64,
}

/// Where the rebuild at boot stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Rebuild {
    /// Not begun.
    Waiting = 0,
    /// Filling, or waiting for the store to answer.
    Running = 1,
    /// The cache holds the newest orders, as many as fit.
    Done = 2,
}

impl Progress {
    fn set(&self, state: Rebuild) {
        self.state.store(state as u8, Ordering::Release);
    }

    fn advance(&self, ratio: f64) {
        self.ratio.store(ratio.to_bits(), Ordering::Relaxed);
    }
}

impl Cache {
    /// Where the rebuild stands.
    #[must_use]
    pub fn rebuild_state(&self) -> Rebuild {
        match self.progress.state.load(Ordering::Acquire) {
            0 => Rebuild::Waiting,
            1 => Rebuild::Running,
            _ => Rebuild::Done,
        }
    }

    /// How far the rebuild is, from 0 to 1: by ids or by bytes, whichever is nearer to its end.
    #[must_use]
    pub fn rebuild_ratio(&self) -> f64 {
        f64::from_bits(self.progress.ratio.load(Ordering::Relaxed))
    }

    /// Fills the cache with the newest orders of the store, as many as fit, while everything else goes on. Returns when it
    /// is full, when there are no more, or at `stop`. A store that fails is asked again until it answers; `health` says so.
    ///
    /// One at a time: a second call while one runs would end the bookkeeping of the first.
    pub async fn rebuild(&self, store: &dyn Store, health: &Part, stop: &CancellationToken) {
        let began = Instant::now();
        self.progress.set(Rebuild::Running);
        // Also when this future is dropped half way.
        let _end = End(self);
        let filled = async {
            self.marks.begin();
            self.fill(store, health).await;
            // What was emptied meanwhile is filled again.
            while self.marks.everything() {
                self.marks.begin();
                self.fill(store, health).await;
            }
        };
        if stop.run_until_cancelled(filled).await.is_some() {
            // The page that was asked for in advance may have failed, and is no longer needed.
            health.up();
            self.progress.advance(1.0);
            self.progress.set(Rebuild::Done);
            telemetry::cache_rebuilt(began.elapsed());
            tracing::info!(
                documents = self.len(),
                bytes = self.weight(),
                seconds = began.elapsed().as_secs_f64(),
                "the cache holds the newest orders"
            );
        }
    }

    async fn fill(&self, store: &dyn Store, health: &Part) {
        // Shards fill unevenly. From the first eviction on, an older document would push out a newer one.
        let evictions = self.evictions();
        let capacity = self.entries.capacity() as f64;
        let mut page = next_page(store, None, health).await;
        let newest = page.first().map_or(1, |row| row.id).max(1);
        while let Some(last) = page.last().map(|row| row.id) {
            fail_point::reach("during_rebuild").await;
            // The store reads the next page meanwhile.
            let next = async { Ok(next_page(store, Some(last), health).await) };
            let Ok((next, ())) = tokio::try_join!(next, self.fill_page(&page, evictions)) else { return };
            if self.marks.full() {
                return;
            }
            let by_ids = (newest - last) as f64 / newest as f64;
            self.progress.advance(by_ids.max(self.weight() as f64 / capacity).clamp(0.0, 1.0));
            page = next;
        }
    }

    /// Takes what fits; `evictions` is how many there had been before the rebuild.
    async fn fill_page(&self, page: &[StoredDocument], evictions: u64) -> Result<(), Full> {
        for turn in page.chunks(TURN) {
            for row in turn {
                self.fill_one(row, || self.marks.contains(&row.order_uid));
                if self.evictions() > evictions {
                    return Err(Full);
                }
            }
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    /// Steps G, K and J of `marks.rs`, in this order; `touched` is the check.
    pub(super) fn fill_one(&self, row: &StoredDocument, touched: impl FnOnce() -> bool) {
        // A key that somebody is loading right now (`Timeout`) needs no help.
        let GuardResult::Guard(guard) = self.entries.get_value_or_guard(&row.order_uid, Some(Duration::ZERO))
        else {
            return;
        };
        if !touched() {
            // Refused when the settle path has voided the guard.
            drop(guard.insert(Some(row.document.clone())));
        }
    }
}

struct End<'a>(&'a Cache);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.marks.end();
    }
}

async fn next_page(store: &dyn Store, before: Option<i64>, health: &Part) -> Vec<StoredDocument> {
    let mut pauses = Pauses::default();
    loop {
        match store.documents(before, PAGE_ROWS, PAGE_BYTES).await {
            Ok(page) => {
                health.up();
                return page;
            }
            Err(error) => {
                telemetry::store_error(error.class);
                telemetry::retried(Stage::Rebuild);
                health.down(format!("the newest orders could not be read: {error}"));
                pauses.wait().await;
            }
        }
    }
}
