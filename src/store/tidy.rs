use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::{Settlement, Store};
use crate::telemetry;

/// Before the first call, after an outage, and wherever a store has no better answer.
pub(super) const INTERVAL: Duration = Duration::from_secs(1);

/// After a refusal, which will hardly be the last.
const REFUSED: Duration = Duration::from_secs(60);

/// What a settled message counts beside its payload: the bytes that its row of the inbox takes, indexes included.
const ROW_BYTES: usize = 200;

/// Calls [`Store::tidy`] whenever it asks for it, until `stop`.
pub(crate) async fn keep_tidy(store: &dyn Store, stop: &CancellationToken) {
    let (mut pause, mut refused) = (INTERVAL, false);
    while stop.run_until_cancelled(sleep(pause)).await.is_some() {
        let Some(tidied) = stop.run_until_cancelled(store.tidy()).await else { return };
        pause = match tidied {
            Ok(pause) => {
                refused = false;
                pause
            }
            Err(error) => {
                telemetry::store_error(error.class);
                // An outage is told by those whose work it holds up.
                if !error.answered {
                    INTERVAL
                } else {
                    // Once, until it succeeds.
                    if !std::mem::replace(&mut refused, true) {
                        tracing::warn!(%error, "what is settled could not be tidied up; trying again every minute");
                    }
                    REFUSED
                }
            }
        };
    }
}

/// The bytes of the messages that have been settled since the store was last tidied up.
#[derive(Debug, Default)]
pub(super) struct SettledBytes(AtomicU64);

impl SettledBytes {
    pub(super) fn add(&self, settled: &[Settlement<'_>]) {
        let bytes: usize =
            settled.iter().map(|settlement| settlement.row.message.payload.len() + ROW_BYTES).sum();
        self.0.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// How many they are, when they are so many.
    pub(super) fn at_least(&self, least: u64) -> Option<u64> {
        Some(self.0.load(Ordering::Relaxed)).filter(|bytes| *bytes >= least)
    }

    /// So many have been tidied up. Only [`keep_tidy`] calls it, one at a time.
    pub(super) fn tidied(&self, bytes: u64) {
        self.0.fetch_sub(bytes, Ordering::Relaxed);
    }
}
