//! The inbox, whose rows live for moments and leave their room behind.

use std::time::{Duration, Instant};

use sqlx::PgConnection;

use crate::store::tidy::INTERVAL;

/// So many bytes are settled before the inbox is vacuumed: few enough that it stays well under 100 MB, and so many that a vacuum,
/// which scans the indexes each time, costs a few percent of the rate at most.
pub(super) const VACUUM_AFTER: u64 = 24 << 20;

/// More bytes than a vacuum reads in moments; several times what the inbox is kept under.
const LARGE: u64 = 256 << 20;

/// Autovacuum comes once a minute at most, and finds a GB by then. A truncation would lock everybody out for a moment, for room
/// that is needed again at once. Of several instances one vacuum at a time is enough.
const VACUUM: &str = "VACUUM (TRUNCATE false, SKIP_LOCKED) inbox";
/// In bytes, indexes included.
const SIZE: &str = "SELECT pg_total_relation_size('inbox')";

/// Vacuums the inbox and answers how long to wait until the next time.
pub(super) async fn vacuum(connection: &mut PgConnection) -> sqlx::Result<Duration> {
    let began = Instant::now();
    sqlx::raw_sql(VACUUM).execute(&mut *connection).await?;
    let size: i64 = sqlx::query_scalar(SIZE).fetch_one(connection).await?;
    Ok(until_next(began.elapsed(), u64::try_from(size).unwrap_or_default()))
}

/// The pause after a vacuum that took so long and left an inbox of so many bytes. While somebody holds a long snapshot a vacuum
/// reads much and frees nothing, so it may take a tenth of the time; a small inbox is read in moments whatever else it waited for,
/// and would only grow meanwhile.
fn until_next(took: Duration, size: u64) -> Duration {
    if size > LARGE { INTERVAL.max(10 * took) } else { INTERVAL }
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
