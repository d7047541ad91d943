use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio::{
    sync::{OwnedSemaphorePermit, mpsc},
    time::sleep,
};
use tokio_util::sync::CancellationToken;

use crate::{
    inbox::{Budget, Held, InFlight},
    store::{self, Store},
    telemetry::{self, Part, Stage},
};

/// How often the inbox table is searched for rows that nobody holds.
const INTERVAL: Duration = Duration::from_secs(1);

/// Rows younger than this are on their way through this process.
const MIN_AGE: Duration = Duration::from_secs(1);

/// Rows younger than this are on their way through this process or another one.
const TAKEOVER_AGE: Duration = Duration::from_secs(10);

/// Keys read at once.
const PAGE: usize = 1000;

/// Brings rows of the inbox that this process does not hold to the worker: what an earlier process left, what a commit of
/// unknown outcome left, what a command put there, and what another instance has not settled for too long. That one may still
/// settle it: whoever deletes the row first does.
#[derive(Debug)]
pub struct Recovery {
    store: Arc<dyn Store>,
    budget: Budget,
    in_flight: Arc<InFlight>,
    held: mpsc::Sender<Held>,
    health: Part,
    /// The search goes on here: a page a time, so that its cost does not grow with the inbox.
    after: i64,
}

impl Recovery {
    /// A search that hands over to `held`.
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        budget: Budget,
        in_flight: Arc<InFlight>,
        held: mpsc::Sender<Held>,
        health: Part,
    ) -> Self {
        Self { store, budget, in_flight, held, health, after: 0 }
    }

    /// At boot: takes everything that waits, as far as there is room, before a source can deliver it again.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn at_boot(&mut self) -> store::Result<()> {
        while self.page(Duration::ZERO).await? {}
        self.after = 0;
        Ok(())
    }

    /// Searches until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        let min_age = if self.store.others().is_some() { TAKEOVER_AGE } else { MIN_AGE };
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = sleep(INTERVAL) => {}
            }
            match stop.run_until_cancelled(self.page(min_age)).await {
                Some(Ok(more)) => {
                    self.health.up();
                    if !more {
                        self.after = 0;
                    }
                }
                Some(Err(error)) => {
                    telemetry::store_error(error.class);
                    telemetry::retried(Stage::Recover);
                    self.health.down(error.to_string());
                    self.after = 0;
                }
                None => return,
            }
        }
    }

    /// Reads a page of keys and takes what nobody holds; `false` when there is no more, or no room for more.
    async fn page(&mut self, min_age: Duration) -> store::Result<bool> {
        let keys = self.store.unsettled(self.after, min_age, PAGE).await?;
        let Some(last) = keys.last().map(|key| key.id) else { return Ok(false) };
        let unheld = keys.iter().filter(|key| !self.in_flight.holds(&key.message_id));
        let mut room: HashMap<i64, OwnedSemaphorePermit> =
            unheld.clone().map_while(|key| Some((key.id, self.budget.take(key.bytes)?))).collect();
        let full = room.len() < unheld.count();
        let mut ids: Vec<i64> = room.keys().copied().collect();
        ids.sort_unstable();
        let rows = if ids.is_empty() { Vec::new() } else { self.store.load(&ids).await? };
        for row in rows {
            let Some(permit) = room.remove(&row.id) else { continue };
            // A redelivery may have come since the look into the table; it will find this row when it is recorded.
            if self.in_flight.adopt(&row.message.message_id) {
                // The queue has a place for every permit; it refuses only when the worker has gone.
                drop(self.held.try_send(Held { row, permit }));
            }
        }
        self.after = last;
        Ok(!full && keys.len() == PAGE)
    }
}
