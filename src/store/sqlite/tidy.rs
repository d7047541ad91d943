//! The log, which goes into the file beside the writer.

use std::time::Duration;

use super::session::SqliteSession;
use crate::store::cause::Cause;

/// So many bytes are settled at least before that: 2,000 to 3,000 pages of log.
pub(super) const CHECKPOINT_AFTER: u64 = 2 << 20;
/// In which the fastest writer settles twice as many, for 10 to 30 ms of a checkpoint.
pub(super) const CHECKPOINT_INTERVAL: Duration = Duration::from_millis(100);

/// Keeps nobody from writing or reading meanwhile.
const CHECKPOINT: &str = "PRAGMA wal_checkpoint(PASSIVE)";

/// Puts what the log has by now into the file, and answers whether that was all of it: what somebody reads in an older snapshot has
/// to stay, and only one connection does this at a time.
pub(super) async fn checkpoint(session: &mut SqliteSession) -> Result<bool, Cause> {
    session
        .call(|connection| {
            let mut statement = connection.prepare_cached(CHECKPOINT)?;
            let all = statement.query_row((), |row| {
                let (busy, pages, done): (bool, i64, i64) = row.try_into()?;
                Ok(!busy && done == pages)
            })?;
            Ok(all)
        })
        .await
}
