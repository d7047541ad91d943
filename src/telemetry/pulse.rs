use std::{sync::Arc, time::Duration};

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::Part;
use crate::store::Store;

/// How often the store is asked for a sign of life.
const PING: Duration = Duration::from_secs(1);

/// Asks the store for a sign of life until `stop`, and tells its part on the board.
pub async fn watch_store(store: Arc<dyn Store>, health: Part, stop: CancellationToken) {
    let watch = async {
        loop {
            sleep(PING).await;
            match store.ping().await {
                Ok(()) => health.up(),
                Err(error) => health.down(error.to_string()),
            }
        }
    };
    stop.run_until_cancelled(watch).await;
}
