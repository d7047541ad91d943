use sqlx::PgConnection;

use super::column::column;
use crate::store::{
    Gap, GapReport, SourceKind,
    gap::{KEPT, Rewritten, Row, rewritten},
    report::source,
};

/// What is missing, and what came of the same gaps.
const SELECT: &str = "
    SELECT first, last, before_ns, lost, seen_at, closed_at FROM gaps
    WHERE source = $1 AND channel = $2 AND (closed_at IS NULL OR before_ns IN (
        SELECT before_ns FROM gaps WHERE source = $1 AND channel = $2 AND closed_at IS NULL))
    ORDER BY before_ns, first";
const DELETE: &str = "
    DELETE FROM gaps USING unnest($3::bigint[], $4::bigint[]) AS gone (before_ns, first)
    WHERE source = $1 AND channel = $2 AND gaps.before_ns = gone.before_ns AND gaps.first = gone.first";
const DELETE_OLD: &str = "DELETE FROM gaps WHERE closed_at < $1";
const PUT: &str = "
    INSERT INTO gaps (source, channel, first, last, before_ns, lost, seen_at, closed_at)
    SELECT $1, $2, first, last, before_ns, lost, seen_at, closed_at
    FROM unnest($3::bigint[], $4::bigint[], $5::bigint[], $6::boolean[], $7::timestamptz[], $8::timestamptz[])
        AS gap (first, last, before_ns, lost, seen_at, closed_at)
    ON CONFLICT (source, channel, before_ns, first) DO UPDATE
    SET last = excluded.last, lost = excluded.lost, seen_at = excluded.seen_at, closed_at = excluded.closed_at";
const COUNT_LOST: &str = "SELECT count(*) FROM gaps WHERE lost AND closed_at IS NULL";
const SELECT_LATEST: &str = "
    SELECT source, channel, first, last, seen_at, closed_at FROM gaps
    WHERE lost ORDER BY closed_at IS NOT NULL, seen_at DESC, first DESC LIMIT $1";

/// See [`Store::missing`](crate::store::Store::missing).
pub(super) async fn missing(
    connection: &mut PgConnection,
    of: SourceKind,
    channel: &str,
) -> sqlx::Result<Vec<Gap>> {
    let rows = rows(connection, of, channel).await?;
    Ok(rows.into_iter().filter(|row| row.closed_at.is_none()).map(|row| row.gap).collect())
}

/// See [`Store::keep_missing`](crate::store::Store::keep_missing).
pub(super) async fn keep_missing(
    connection: &mut PgConnection,
    of: SourceKind,
    channel: &str,
    gaps: &[Gap],
) -> sqlx::Result<u64> {
    let rows = rows(connection, of, channel).await?;
    let now = time::OffsetDateTime::now_utc();
    let Rewritten { gone, put, newly_lost } = rewritten(&rows, gaps, now);
    if !gone.is_empty() {
        let (before_ns, first): (Vec<i64>, Vec<i64>) = gone.into_iter().unzip();
        sqlx::query(DELETE)
            .bind(of.as_str())
            .bind(channel)
            .bind(before_ns)
            .bind(first)
            .execute(&mut *connection)
            .await?;
    }
    if !put.is_empty() {
        sqlx::query(PUT)
            .bind(of.as_str())
            .bind(channel)
            .bind(put.iter().map(|row| row.gap.first).collect::<Vec<_>>())
            .bind(put.iter().map(|row| row.gap.last).collect::<Vec<_>>())
            .bind(put.iter().map(|row| row.gap.before_ns).collect::<Vec<_>>())
            .bind(put.iter().map(|row| row.gap.lost).collect::<Vec<_>>())
            .bind(put.iter().map(|row| row.seen_at).collect::<Vec<_>>())
            .bind(put.iter().map(|row| row.closed_at).collect::<Vec<_>>())
            .execute(&mut *connection)
            .await?;
    }
    // Only then are there more of them than before.
    if put.iter().any(|row| row.closed_at.is_some()) {
        sqlx::query(DELETE_OLD).bind(now - KEPT).execute(connection).await?;
    }
    Ok(newly_lost)
}

/// See [`Store::gaps`](crate::store::Store::gaps).
pub(super) async fn gaps(connection: &mut PgConnection, limit: usize) -> sqlx::Result<(i64, Vec<GapReport>)> {
    let open = sqlx::query_scalar(COUNT_LOST).fetch_one(&mut *connection).await?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = sqlx::query(SELECT_LATEST).bind(limit).fetch_all(connection).await?;
    let reports = rows.iter().map(|row| {
        Ok(GapReport {
            source: source(column(row, 0)?)?,
            channel: column(row, 1)?,
            first: column(row, 2)?,
            last: column(row, 3)?,
            seen_at: column(row, 4)?,
            closed_at: column(row, 5)?,
        })
    });
    Ok((open, reports.collect::<sqlx::Result<_>>()?))
}

async fn rows(connection: &mut PgConnection, of: SourceKind, channel: &str) -> sqlx::Result<Vec<Row>> {
    let rows = sqlx::query(SELECT).bind(of.as_str()).bind(channel).fetch_all(connection).await?;
    rows.iter()
        .map(|row| {
            let gap = Gap {
                first: column(row, 0)?,
                last: column(row, 1)?,
                before_ns: column(row, 2)?,
                lost: column(row, 3)?,
            };
            Ok(Row { gap, seen_at: column(row, 4)?, closed_at: column(row, 5)? })
        })
        .collect()
}
