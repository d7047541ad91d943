use rusqlite::Connection;

use super::{
    column::{source, time, time_if_any},
    date::rfc3339,
    json,
    session::SqliteSession,
};
use crate::store::{
    Gap, GapReport, SourceKind,
    cause::Cause,
    gap::{KEPT, Rewritten, Row, rewritten},
};

/// What is missing, and what came of the same gaps.
const SELECT: &str = "
    SELECT first, last, before_ns, lost, seen_at, closed_at FROM gaps
    WHERE source = ?1 AND channel = ?2 AND (closed_at IS NULL OR before_ns IN (
        SELECT before_ns FROM gaps WHERE source = ?1 AND channel = ?2 AND closed_at IS NULL))
    ORDER BY before_ns, first";
const DELETE: &str = "
    DELETE FROM gaps
    WHERE source = ?1 AND channel = ?2 AND (before_ns, first) IN (SELECT value ->> 0, value ->> 1 FROM json_each(?3))";
const DELETE_OLD: &str = "DELETE FROM gaps WHERE closed_at < ?1";
const PUT: &str = "
    INSERT INTO gaps (source, channel, first, last, before_ns, lost, seen_at, closed_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (source, channel, before_ns, first) DO UPDATE
    SET last = excluded.last, lost = excluded.lost, seen_at = excluded.seen_at, closed_at = excluded.closed_at";
const COUNT_LOST: &str = "SELECT count(*) FROM gaps WHERE lost AND closed_at IS NULL";
const SELECT_LATEST: &str = "
    SELECT source, channel, first, last, seen_at, closed_at FROM gaps
    WHERE lost ORDER BY closed_at IS NOT NULL, seen_at DESC, first DESC LIMIT ?1";

/// See [`Store::missing`](crate::store::Store::missing).
pub(super) async fn missing(
    session: &mut SqliteSession,
    of: SourceKind,
    channel: &str,
) -> Result<Vec<Gap>, Cause> {
    let channel = channel.to_owned();
    let rows = session.call(move |connection| rows(connection, of, &channel)).await?;
    Ok(rows.into_iter().filter(|row| row.closed_at.is_none()).map(|row| row.gap).collect())
}

/// See [`Store::keep_missing`](crate::store::Store::keep_missing).
pub(super) async fn keep_missing(
    session: &mut SqliteSession,
    of: SourceKind,
    channel: &str,
    gaps: &[Gap],
) -> Result<u64, Cause> {
    let (channel, gaps) = (channel.to_owned(), gaps.to_vec());
    session.call(move |connection| keep(connection, of, &channel, &gaps)).await
}

/// See [`Store::gaps`](crate::store::Store::gaps).
pub(super) async fn gaps(session: &mut SqliteSession, limit: usize) -> Result<(i64, Vec<GapReport>), Cause> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    session
        .call(move |connection| {
            let open = connection.prepare_cached(COUNT_LOST)?.query_row((), |row| row.get(0))?;
            let mut statement = connection.prepare_cached(SELECT_LATEST)?;
            let reports = statement.query_and_then([limit], |row| {
                Ok(GapReport {
                    source: source(row, 0)?,
                    channel: row.get(1)?,
                    first: row.get(2)?,
                    last: row.get(3)?,
                    seen_at: time(row, 4)?,
                    closed_at: time_if_any(row, 5)?,
                })
            })?;
            Ok((open, reports.collect::<Result<_, Cause>>()?))
        })
        .await
}

fn keep(connection: &Connection, of: SourceKind, channel: &str, gaps: &[Gap]) -> Result<u64, Cause> {
    let rows = rows(connection, of, channel)?;
    let now = time::OffsetDateTime::now_utc();
    let Rewritten { gone, put, newly_lost } = rewritten(&rows, gaps, now);
    if !gone.is_empty() {
        connection.prepare_cached(DELETE)?.execute((of.as_str(), channel, json(&gone)))?;
    }
    let mut statement = connection.prepare_cached(PUT)?;
    for Row { gap, seen_at, closed_at } in &put {
        statement.execute((
            of.as_str(),
            channel,
            gap.first,
            gap.last,
            gap.before_ns,
            gap.lost,
            rfc3339(*seen_at),
            closed_at.map(rfc3339),
        ))?;
    }
    // Only then are there more of them than before.
    if put.iter().any(|row| row.closed_at.is_some()) {
        connection.prepare_cached(DELETE_OLD)?.execute([rfc3339(now - KEPT)])?;
    }
    Ok(newly_lost)
}

fn rows(connection: &Connection, of: SourceKind, channel: &str) -> Result<Vec<Row>, Cause> {
    let mut statement = connection.prepare_cached(SELECT)?;
    statement
        .query_and_then((of.as_str(), channel), |row| {
            let gap =
                Gap { first: row.get(0)?, last: row.get(1)?, before_ns: row.get(2)?, lost: row.get(3)? };
            Ok(Row { gap, seen_at: time(row, 4)?, closed_at: time_if_any(row, 5)? })
        })?
        .collect()
}
