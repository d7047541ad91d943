use std::{str::FromStr, time::Duration};

use sqlx::{PgConnection, postgres::PgRow};

use super::{
    column,
    read::{bytes, length},
};
use crate::store::{
    Audit, ChannelPosition, DeadLetter, DeadLetterFilter, DeadLetterSummary, Resolution, StoreStatus, ledger,
    report::{Counts, dead_letters_by_resolution, decode, source},
};

const LEDGER_IS_EMPTY: &str = "SELECT NOT EXISTS (SELECT 1 FROM ledger)";
const SELECT_INBOX_AGE: &str = "
    SELECT count(*), extract(epoch FROM clock_timestamp() - min(received_at))::float8 FROM inbox";
const COUNT_BY_RESOLUTION: &str = "SELECT resolution, count(*) FROM dead_letters GROUP BY resolution";
const SELECT_LEDGER: &str = "
    SELECT source, channel, outcome, sum(messages)::bigint FROM ledger GROUP BY source, channel, outcome";
const SELECT_CHANNELS: &str = "
    SELECT source, channel, last_sequence, last_published_at_ns FROM channels ORDER BY source, channel";
const COUNT_INBOX: &str = "SELECT source, channel, count(*) FROM inbox GROUP BY source, channel";
const COUNT_DEAD_LETTERS: &str =
    "SELECT source, channel, count(*) FROM dead_letters GROUP BY source, channel";
const COUNT_ORDERS: &str = "
    SELECT (SELECT count(*) FROM orders), (SELECT count(*) FROM deliveries), (SELECT count(*) FROM payments),
        (SELECT count(*) FROM orders WHERE NOT EXISTS (SELECT 1 FROM deliveries WHERE order_id = orders.id)),
        (SELECT count(*) FROM orders WHERE NOT EXISTS (SELECT 1 FROM payments WHERE order_id = orders.id))";
const SELECT_DEAD_LETTERS: &str = "
    SELECT id, message_id, source, channel, sequence, published_at_ns, order_uid, reason, errors::text, octet_length(payload),
        received_at, rejected_at, resolution
    FROM dead_letters
    WHERE id < $1 AND ($2 IS NULL OR reason = $2) AND ($3 IS NULL OR resolution = $3)
    ORDER BY id DESC LIMIT $4";
const SELECT_DEAD_LETTER: &str = "
    SELECT id, message_id, source, channel, sequence, published_at_ns, order_uid, reason, errors::text, octet_length(payload),
        received_at, rejected_at, resolution, payload, resolved_at, resolved_by, note, parent_id
    FROM dead_letters WHERE id = $1";

/// See [`Store::ledger_is_empty`](crate::store::Store::ledger_is_empty).
pub(super) async fn ledger_is_empty(connection: &mut PgConnection) -> sqlx::Result<bool> {
    sqlx::query_scalar(LEDGER_IS_EMPTY).fetch_one(connection).await
}

/// See [`Store::status`](crate::store::Store::status).
pub(super) async fn status(connection: &mut PgConnection) -> sqlx::Result<StoreStatus> {
    let inbox = sqlx::query(SELECT_INBOX_AGE).fetch_one(&mut *connection).await?;
    let age: Option<f64> = column(&inbox, 1)?;
    let resolutions = sqlx::query(COUNT_BY_RESOLUTION).fetch_all(&mut *connection).await?;
    let resolutions = resolutions
        .iter()
        .map(|row| Ok((parsed(row, 0)?, column(row, 1)?)))
        .collect::<sqlx::Result<Vec<_>>>()?;
    let ledger = ledger(connection).await?;
    let channels = sqlx::query(SELECT_CHANNELS).fetch_all(connection).await?;
    let channels = channels
        .iter()
        .map(|row| {
            Ok(ChannelPosition {
                source: source(column(row, 0)?)?,
                channel: column(row, 1)?,
                last_sequence: column(row, 2)?,
                last_published_at_ns: column(row, 3)?,
            })
        })
        .collect::<sqlx::Result<_>>()?;
    Ok(StoreStatus {
        inbox_pending: column(&inbox, 0)?,
        // A clock that was set back makes rows of the future, which have not waited at all.
        oldest_pending: age.map(|seconds| Duration::try_from_secs_f64(seconds).unwrap_or_default()),
        dead_letters: dead_letters_by_resolution(&resolutions),
        ledger: ledger::add_up(ledger).map_err(decode)?,
        channels,
    })
}

/// See [`Store::audit`](crate::store::Store::audit).
pub(super) async fn audit(connection: &mut PgConnection) -> sqlx::Result<Audit> {
    let ledger = ledger(connection).await?;
    let pending = counts(connection, COUNT_INBOX).await?;
    let dead_letters = counts(connection, COUNT_DEAD_LETTERS).await?;
    let orders = sqlx::query(COUNT_ORDERS).fetch_one(connection).await?;
    Ok(Audit {
        channels: Counts { ledger, pending, dead_letters }.by_channel().map_err(decode)?,
        orders: column(&orders, 0)?,
        deliveries: column(&orders, 1)?,
        payments: column(&orders, 2)?,
        orders_without_delivery: column(&orders, 3)?,
        orders_without_payment: column(&orders, 4)?,
    })
}

/// See [`Store::dead_letters`](crate::store::Store::dead_letters).
pub(super) async fn dead_letters(
    connection: &mut PgConnection,
    filter: &DeadLetterFilter,
) -> sqlx::Result<Vec<DeadLetterSummary>> {
    sqlx::query(SELECT_DEAD_LETTERS)
        .bind(filter.before.unwrap_or(i64::MAX))
        .bind(filter.reason.as_deref())
        .bind(filter.resolution.map(Resolution::as_str))
        .bind(i64::try_from(filter.limit).unwrap_or(i64::MAX))
        .fetch_all(connection)
        .await?
        .iter()
        .map(summary)
        .collect()
}

/// See [`Store::dead_letter`](crate::store::Store::dead_letter).
pub(super) async fn dead_letter(connection: &mut PgConnection, id: i64) -> sqlx::Result<Option<DeadLetter>> {
    let row = sqlx::query(SELECT_DEAD_LETTER).bind(id).fetch_optional(connection).await?;
    row.map(|row| {
        Ok(DeadLetter {
            summary: summary(&row)?,
            payload: bytes(&row, 13)?,
            resolved_at: column(&row, 14)?,
            resolved_by: column(&row, 15)?,
            note: column(&row, 16)?,
            parent_id: column(&row, 17)?,
        })
    })
    .transpose()
}

async fn ledger(connection: &mut PgConnection) -> sqlx::Result<Vec<ledger::Line>> {
    let rows = sqlx::query(SELECT_LEDGER).fetch_all(connection).await?;
    rows.iter()
        .map(|row| Ok((source(column(row, 0)?)?, column(row, 1)?, column(row, 2)?, column(row, 3)?)))
        .collect()
}

async fn counts(
    connection: &mut PgConnection,
    sql: &'static str,
) -> sqlx::Result<Vec<(crate::store::SourceKind, String, i64)>> {
    let rows = sqlx::query(sql).fetch_all(connection).await?;
    rows.iter().map(|row| Ok((source(column(row, 0)?)?, column(row, 1)?, column(row, 2)?))).collect()
}

fn summary(row: &PgRow) -> sqlx::Result<DeadLetterSummary> {
    Ok(DeadLetterSummary {
        id: column(row, 0)?,
        message_id: column(row, 1)?,
        source: source(column(row, 2)?)?,
        channel: column(row, 3)?,
        sequence: column(row, 4)?,
        published_at_ns: column(row, 5)?,
        order_uid: column(row, 6)?,
        reason: column(row, 7)?,
        errors: column(row, 8)?,
        bytes: length(row, 9)?,
        received_at: column(row, 10)?,
        rejected_at: column(row, 11)?,
        resolution: parsed(row, 12)?,
    })
}

fn parsed<T: FromStr<Err = String>>(row: &PgRow, index: usize) -> sqlx::Result<T> {
    column::<&str>(row, index)?.parse().map_err(decode)
}
