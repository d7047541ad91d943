//! The worker validates what is recorded, settles it batch by batch, shows readers what changed, and then acks.
//!
//! [`Worker`] is the loop, which keeps two batches under way, `prepared` a message with its verdict, `settle` what to do when
//! the store refuses a batch, `uids` keeps the commits of one uid in order, `postponed` has the rows that fail alone, and
//! [`Recovery`] brings back rows of the inbox that nobody holds.

mod postponed;
mod prepared;
mod recovery;
mod settle;
#[cfg(test)]
mod statements;
mod uids;

use std::sync::Arc;

use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::sync::mpsc;

use crate::{
    cache::Cache,
    inbox::{BATCH_BYTES, Batches, Held, InFlight},
    store::Store,
    telemetry::Part,
};

use postponed::{Failing, Postponed};
use prepared::{Prepared, prepare};
use uids::Uids;

pub use recovery::Recovery;

/// Batches under way at once: while the one waits for its commit, the store takes the statements of the other.
const LANES: usize = 2;

/// Settles what the inbox holds.
#[derive(Debug)]
pub struct Worker {
    lane: Lane,
    queue: Batches<Held>,
    postponed: Postponed,
}

/// What each batch needs on its way; all lanes share it.
#[derive(Debug)]
struct Lane {
    store: Arc<dyn Store>,
    cache: Arc<Cache>,
    in_flight: Arc<InFlight>,
    uids: Uids,
    max_message_bytes: usize,
    health: Part,
}

/// What became of a batch.
struct Worked {
    /// What was settled, but for the rows that are in `failing`.
    batch: Vec<Held>,
    failing: Vec<Failing>,
    /// What did not fit into one transaction.
    left: Vec<Held>,
}

impl Worker {
    /// A worker that settles what comes out of `held`, at most `batch_size` messages at a time.
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        cache: Arc<Cache>,
        in_flight: Arc<InFlight>,
        held: mpsc::Receiver<Held>,
        batch_size: usize,
        max_message_bytes: usize,
        health: Part,
    ) -> Self {
        let lane = Lane { store, cache, in_flight, uids: Uids::default(), max_message_bytes, health };
        Self { lane, queue: Batches::new(held, batch_size, BATCH_BYTES), postponed: Postponed::default() }
    }

    /// Settles until every sender of the queue is gone and the queue is empty. Rows that fail alone do not hold that up:
    /// they stay in the inbox for the next start.
    pub async fn run(self) {
        let Self { lane, mut queue, mut postponed } = self;
        let mut lanes = FuturesUnordered::new();
        let mut drained = false;
        while !(drained && lanes.is_empty()) {
            tokio::select! {
                biased;
                Some(Worked { batch, failing, left }) = lanes.next() => {
                    drained = false;
                    queue.put_back(left);
                    postponed.hold(batch, &failing);
                    lane.health.set_details(postponed.names());
                }
                // To the front of the queue, which cuts them into batches.
                due = postponed.due() => queue.put_back(due),
                batch = queue.next(), if !drained && lanes.len() < LANES => match batch {
                    Some(batch) => lanes.push(lane.work_off(batch)),
                    None => drained = true,
                },
            }
        }
        if !postponed.is_empty() {
            tracing::warn!(
                rows = postponed.len(),
                "rows that the store refuses for now stay in the inbox until the next start"
            );
        }
    }
}

impl Lane {
    async fn work_off(&self, mut batch: Vec<Held>) -> Worked {
        let (settled, failing) = {
            let mut prepared = prepare(&batch, self.max_message_bytes).await;
            let _taken = self.uids.take(prepared.iter().filter_map(Prepared::order_uid)).await;
            let failing = self.settle(&mut prepared).await;
            (prepared.len(), failing)
        };
        let left = batch.split_off(settled);
        Worked { batch, failing, left }
    }
}
