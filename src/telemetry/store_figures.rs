use std::{sync::Arc, time::Duration};

use tokio::{sync::Mutex, time::Instant};

use crate::store::{Store, StoreStatus};

/// However often somebody asks, the store is asked once in this time.
const FRESH: Duration = Duration::from_secs(1);

/// A scrape must answer while the store hangs; Prometheus itself gives up after 10 s.
const PATIENCE: Duration = Duration::from_secs(2);

/// The store's figures for scrapes and the status route, at a bounded cost to the store.
#[derive(Debug)]
pub struct StoreFigures {
    store: Arc<dyn Store>,
    last: Mutex<Option<(Instant, Option<Arc<StoreStatus>>)>>,
}

impl StoreFigures {
    /// Figures of this store; nothing is asked yet.
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store, last: Mutex::new(None) }
    }

    /// What the store said at most a second ago; `None` when it did not answer then. Callers at the same time share one
    /// question.
    pub async fn get(&self) -> Option<Arc<StoreStatus>> {
        let mut last = self.last.lock().await;
        if let Some((at, status)) = &*last
            && at.elapsed() < FRESH
        {
            return status.clone();
        }
        let answer = tokio::time::timeout(PATIENCE, self.store.status()).await;
        // That the store fails is said by its part on the health board.
        let status = answer.ok().and_then(Result::ok).map(Arc::new);
        *last = Some((Instant::now(), status.clone()));
        status
    }
}
