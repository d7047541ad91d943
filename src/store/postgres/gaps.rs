use sqlx::PgConnection;

use super::column;
use crate::store::{
    Gap, GapReport, SourceKind,
    gap::{KEPT, Rewritten, Row, rewritten},
    report::source,
};

const SELECT_OPEN: &str = "
    SELECT first, last, before_ns, lost, seen_at FROM gaps
    WHERE source = $1 AND channel = $2 AND closed_at IS NULL ORDER BY before_ns, first";
const DELETE: &str = "
    DELETE FROM gaps WHERE source = $1 AND channel = $2 AND before_ns = $3 AND first = $4";
const DELETE_OLD: &str = "DELETE FROM gaps WHERE closed_at < $1";
/// A conflict is a repetition, or the end of a gap whose beginning came: the later word holds.
const INSERT: &str = "
    INSERT INTO gaps (source, channel, first, last, before_ns, lost, seen_at, closed_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8) 
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
    Ok(open(connection, of, channel).await?.into_iter().map(|row| row.gap).collect())
}

/// See [`Store::keep_missing`](crate::store::Store::keep_missing).
pub(super) async fn keep_missing(
    connection: &mut PgConnection,
    of: SourceKind,
    channel: &str,
    gaps: &[Gap],
) -> sqlx::Result<u64> {
    let rows = open(connection, of, channel).await?;
    let now = time::OffsetDateTime::now_utc();
    let Rewritten { gone, new, newly_lost } = rewritten(&rows, gaps, now);
    for row in gone {
        sqlx::query(DELETE)
            .bind(of.as_str())
            .bind(channel)
            .bind(row.gap.before_ns)
            .bind(row.gap.first)
            .execute(&mut *connection)
            .await?;
    }
    sqlx::query(DELETE_OLD).bind(now - KEPT).execute(&mut *connection).await?;
    for row in new {
        sqlx::query(INSERT)
            .bind(of.as_str())
            .bind(channel)
            .bind(row.gap.first)
            .bind(row.gap.last)
            .bind(row.gap.before_ns)
            .bind(row.gap.lost)
            .bind(row.seen_at)
            .bind(row.closed_at)
            .execute(&mut *connection)
            .await?;
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

async fn open(connection: &mut PgConnection, of: SourceKind, channel: &str) -> sqlx::Result<Vec<Row>> {
    let rows = sqlx::query(SELECT_OPEN).bind(of.as_str()).bind(channel).fetch_all(connection).await?;
    rows.iter()
        .map(|row| {
            let gap = Gap {
                first: column(row, 0)?,
                last: column(row, 1)?,
                before_ns: column(row, 2)?,
                lost: column(row, 3)?,
            };
            Ok(Row { gap, seen_at: column(row, 4)?, closed_at: None })
        })
        .collect()
}
