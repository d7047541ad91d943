//! The worker validates what is recorded, settles it batch by batch, shows readers what changed, and then acks.
//!
//! [`Worker`] is the loop, `prepared` a message with its verdict, `settle` what to do when the store refuses a batch,
//! `postponed` the rows that fail alone, and [`Recovery`] brings back rows of the inbox that nobody holds.

mod postponed;
mod prepared;
mod recovery;
mod settle;
#[cfg(test)]
mod statements;

use std::sync::Arc;

use tokio::sync::mpsc;

use crate::{
    cache::Cache,
    inbox::{BATCH_BYTES, Batches, Held, InFlight},
    store::Store,
    telemetry::Part,
};

use postponed::Postponed;
use prepared::prepare;

pub use recovery::Recovery;

/// Settles what the inbox holds.
#[derive(Debug)]
pub struct Worker {
    store: Arc<dyn Store>,
    cache: Arc<Cache>,
    in_flight: Arc<InFlight>,
    queue: Batches<Held>,
    postponed: Postponed,
    max_message_bytes: usize,
    health: Part,
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
        let queue = Batches::new(held, batch_size, BATCH_BYTES);
        Self { store, cache, in_flight, queue, postponed: Postponed::default(), max_message_bytes, health }
    }

    /// Settles until every sender of the queue is gone and the queue is empty. Rows that fail alone do not hold that up:
    /// they stay in the inbox for the next start.
    pub async fn run(mut self) {
        loop {
            let batch = tokio::select! {
                biased;
                due = self.postponed.due() => {
                    // To the front of the queue, which cuts them into batches.
                    self.queue.put_back(due);
                    continue;
                }
                batch = self.queue.next() => match batch {
                    Some(batch) => batch,
                    None => break,
                },
            };
            self.work_off(batch).await;
        }
        if !self.postponed.is_empty() {
            tracing::warn!(
                rows = self.postponed.len(),
                "rows that the store refuses for now stay in the inbox until the next start"
            );
        }
    }

    async fn work_off(&mut self, mut batch: Vec<Held>) {
        let failing = {
            let mut prepared = prepare(&batch, self.max_message_bytes).await;
            let left = batch.len() - prepared.len();
            let failing = self.settle(&mut prepared).await;
            drop(prepared);
            self.queue.put_back(batch.split_off(batch.len() - left));
            failing
        };
        self.postponed.hold(batch, &failing);
        self.health.set_details(self.postponed.names());
    }
}
