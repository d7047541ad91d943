use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::{Settlement, Store};
use crate::telemetry;

/// Until the store is asked again, unless it says otherwise.
pub(super) const INTERVAL: Duration = Duration::from_secs(1);

/// After a refusal, which will hardly be the last.
const REFUSED: Duration = Duration::from_secs(60);

/// What a row of the inbox takes beside its payload, indexes included: about 200 bytes.
const ROW_BYTES: usize = 200;

/// More bytes than a vacuum reads in moments; several times what the inbox is kept under.
const LARGE: u64 = 256 << 20;

/// Calls [`Store::tidy`] whenever it asks for it, until `stop`.
pub(crate) async fn keep_tidy(store: &dyn Store, stop: &CancellationToken) {
    let mut pause = INTERVAL;
    while stop.run_until_cancelled(sleep(pause)).await.is_some() {
        let Some(tidied) = stop.run_until_cancelled(store.tidy()).await else { return };
        pause = match tidied {
            Ok(pause) => pause,
            Err(error) => {
                telemetry::store_error(error.class);
                // An outage is told by those whose work it holds up.
                if error.answered {
                    tracing::warn!(%error, "the store could not be tidied up and may grow; trying again in a minute");
                    REFUSED
                } else {
                    INTERVAL
                }
            }
        };
    }
}

/// The pause after a vacuum that took so long and left an inbox of so many bytes. While somebody holds a long snapshot a vacuum
/// reads much and frees nothing, so it may take a tenth of the time; a small inbox is read in moments whatever else it waited for,
/// and would only grow meanwhile.
pub(super) fn until_next(took: Duration, size: u64) -> Duration {
    if size > LARGE { INTERVAL.max(10 * took) } else { INTERVAL }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vacuum_that_was_held_up_is_followed_at_once_and_one_that_has_much_to_read_is_not() {
        let slow = Duration::from_secs(9);
        assert_eq!(until_next(slow, 60 << 20), INTERVAL);
        assert_eq!(until_next(slow, 1 << 30), 10 * slow);
        assert_eq!(until_next(Duration::ZERO, 1 << 30), INTERVAL);
    }
}
