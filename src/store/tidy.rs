use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::{Settlement, Store};
use crate::telemetry;

const INTERVAL: Duration = Duration::from_secs(1);

/// After a refusal, which will hardly be the last.
const REFUSED: Duration = Duration::from_secs(60);

/// What a row of the inbox takes beside its payload, indexes included: about 200 bytes.
const ROW_BYTES: usize = 200;

/// How much settled messages may leave behind before it is tidied up: little enough that the inbox stays well under 100 MB, and
/// so much that a vacuum, which scans the indexes each time, costs a few percent of the rate at most.
const VACUUM_AFTER: u64 = 24 << 20;

/// Calls [`Store::tidy`] every second until `stop`.
pub(crate) async fn keep_tidy(store: &dyn Store, stop: &CancellationToken) {
    let mut pause = INTERVAL;
    while stop.run_until_cancelled(sleep(pause)).await.is_some() {
        let began = Instant::now();
        let Some(tidied) = stop.run_until_cancelled(store.tidy()).await else { return };
        // A tenth of the time at most: while somebody holds a long snapshot a vacuum reads much and frees nothing.
        pause = INTERVAL.max(10 * began.elapsed());
        if let Err(error) = tidied {
            telemetry::store_error(error.class);
            // An outage is told by those whose work it holds up.
            if error.answered {
                tracing::warn!(%error, "the inbox could not be vacuumed and may grow; trying again in a minute");
                pause = REFUSED;
            }
        }
    }
}

/// The bytes that settled messages have left in the inbox since it was last tidied up.
#[derive(Debug, Default)]
pub(super) struct DeadBytes(AtomicU64);

impl DeadBytes {
    pub(super) fn add(&self, settled: &[Settlement<'_>]) {
        let bytes: usize =
            settled.iter().map(|settlement| settlement.row.message.payload.len() + ROW_BYTES).sum();
        self.0.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// How much it is, when it is much.
    pub(super) fn due(&self) -> Option<u64> {
        Some(self.0.load(Ordering::Relaxed)).filter(|bytes| *bytes >= VACUUM_AFTER)
    }

    /// So many are gone. Only [`keep_tidy`] calls it, one at a time.
    pub(super) fn tidied(&self, bytes: u64) {
        self.0.fetch_sub(bytes, Ordering::Relaxed);
    }
}
