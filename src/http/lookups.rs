use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout_at},
};
use tokio_util::task::TaskTracker;

use super::Limits;
use crate::{
    panics,
    store::{Store, StoreError},
};

/// How long a look-up waits for its turn.
pub(super) const TURN: Duration = Duration::from_secs(1);

/// Look-ups of what the cache does not have. Anyone may ask for uids that do not exist as fast as the network carries them,
/// so only `HTTP_MAX_LOOKUPS` of them ask the store at once, fewer than the store has connections: what administrators ask
/// for, the rebuild and the recovery never wait behind them.
#[derive(Debug)]
pub(super) struct Lookups {
    places: Arc<Semaphore>,
    /// Those that wait for a place hold a connection meanwhile, so they may not be more than half the connections.
    queue: Semaphore,
    running: TaskTracker,
}

/// Why a look-up has no answer.
#[derive(Debug)]
pub(super) enum Unanswered {
    /// It did not get its turn.
    Busy,
    /// The store failed.
    Store(StoreError),
}

impl Lookups {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            places: Arc::new(Semaphore::new(limits.max_lookups)),
            queue: Semaphore::new(limits.max_connections / 2),
            running: TaskTracker::new(),
        }
    }

    /// Waits for the look-ups that run, those whose clients have left among them. No new one may begin meanwhile.
    pub(super) async fn finish(&self) {
        self.running.close();
        self.running.wait().await;
    }

    /// How many look-ups run.
    pub(super) fn running(&self) -> usize {
        self.running.len()
    }

    /// The document of a uid from the store, unless no place is free until `turn`.
    ///
    /// A look-up that has begun runs to its end, whether its client stays or leaves: a call to the store that is dropped
    /// costs its connection, and a client that asks and leaves would make the service connect anew as often as it likes.
    pub(super) async fn document(
        &self,
        store: &Arc<dyn Store>,
        uid: &str,
        turn: Instant,
    ) -> Result<Option<Bytes>, Unanswered> {
        let place = match Arc::clone(&self.places).try_acquire_owned() {
            Ok(place) => place,
            Err(_) => {
                let _queued = self.queue.try_acquire().map_err(|_| Unanswered::Busy)?;
                let place = timeout_at(turn, Arc::clone(&self.places).acquire_owned()).await;
                place.map_err(|_| Unanswered::Busy)?.expect("the semaphore is never closed")
            }
        };
        let (store, uid) = (Arc::clone(store), uid.to_owned());
        let lookup = self.running.spawn(async move {
            let _place = place;
            store.document(&uid).await
        });
        panics::outcome(lookup).await.map_err(Unanswered::Store)
    }
}
