use std::str::FromStr;

use sqlx::{PgConnection, postgres::PgRow};

use super::column::{bytes, column, length};
use crate::store::{
    Audit, DeadLetter, DeadLetterCounts, DeadLetterFilter, DeadLetterSummary, Resolution, Selection,
    StoreStatus,
    cause::Unknown,
    ledger,
    report::{Counts, StatusRow, dead_letters_by_resolution, source},
};

const LEDGER_IS_EMPTY: &str = "SELECT NOT EXISTS (SELECT 1 FROM ledger)";
/// One statement, so that all of it is one snapshot; [`StatusRow`] explains its rows. The ids of the inbox and of the dead
/// letters grow with time, so the oldest is the first: found in an index without reading the others. (`resolution = 'open'`
/// would let a planner walk the primary key instead, past every dead letter that was resolved.)
const SELECT_STATUS: &str = "
    SELECT 'ledger', source, channel, outcome, sum(messages)::bigint, NULL::bigint FROM ledger GROUP BY source, channel, outcome
    UNION ALL SELECT 'pending', source, channel, '', count(*), NULL FROM inbox GROUP BY source, channel
    UNION ALL SELECT 'oldest_pending', '', '', '',
        (extract(epoch FROM clock_timestamp() - (SELECT received_at FROM inbox ORDER BY id LIMIT 1)) * 1e6)::bigint, NULL
    UNION ALL SELECT 'oldest_dead_letter', '', '', '',
        (extract(epoch FROM clock_timestamp() - (
            SELECT rejected_at FROM dead_letters WHERE resolution >= 'open' AND resolution <= 'open' ORDER BY resolution, id LIMIT 1)) * 1e6)::bigint, NULL
    UNION ALL SELECT 'channel', source, channel, '', last_sequence, last_published_at_ns FROM channels";
/// Walks an index with an entry a dead letter: for a million of them 0.03 to 0.15 s, more before PostgreSQL has vacuumed.
const COUNT_BY_RESOLUTION: &str = "SELECT resolution, count(*) FROM dead_letters GROUP BY resolution";
const SELECT_LEDGER: &str = "
    SELECT source, channel, outcome, sum(messages)::bigint FROM ledger GROUP BY source, channel, outcome";
const COUNT_INBOX: &str = "SELECT source, channel, count(*) FROM inbox GROUP BY source, channel";
const COUNT_DEAD_LETTERS: &str =
    "SELECT source, channel, count(*) FROM dead_letters GROUP BY source, channel";
const COUNT_ORDERS: &str = "
    SELECT (SELECT count(*) FROM orders), (SELECT count(*) FROM deliveries), (SELECT count(*) FROM payments),
        (SELECT count(*) FROM orders WHERE NOT EXISTS (SELECT 1 FROM deliveries WHERE order_id = orders.id)),
        (SELECT count(*) FROM orders WHERE NOT EXISTS (SELECT 1 FROM payments WHERE order_id = orders.id))";
/// The columns of a summary, and more when they are given.
macro_rules! select {
    ($(($more:literal),)? $($which:literal),+) => {
        concat!(
            "SELECT id, message_id, source, channel, sequence, published_at_ns, order_uid, reason, errors::text, octet_length(payload),
                received_at, rejected_at, resolution",
            $(", ", $more,)?
            " FROM dead_letters ",
            $($which),+
        )
    };
}
/// A statement for each set of filters that are asked for often, so that each finds its rows in an index, in the order of the
/// list, however rare they are. (With `reason = $3` a planner would rather walk the primary key: it knows that the reason then
/// says nothing of the order. Rows between two places of an index, asked for in its order, are had cheaper from no other.)
const SELECT_ALL: &str = select!("WHERE id < $1 ORDER BY id DESC LIMIT $2");
const SELECT_OF_REASON: &str =
    select!("WHERE (reason, id) < ($3, $1) AND reason >= $3 ORDER BY reason DESC, id DESC LIMIT $2");
const SELECT_OF_RESOLUTION: &str = select!(
    "WHERE (resolution, id) < ($3, $1) AND resolution >= $3 ORDER BY resolution DESC, id DESC LIMIT $2"
);
const SELECT_OF_BOTH: &str = select!(
    "WHERE (resolution, reason, id) < ($4, $3, $1) AND (resolution, reason) >= ($4, $3)
    ORDER BY resolution DESC, reason DESC, id DESC LIMIT $2"
);
/// All filters at once; `$6` is what `errors` holds where it has the code.
macro_rules! narrowed {
    ($which:literal, $order:literal) => {
        select!(
            $which,
            " AND ($4::text IS NULL OR reason = $4) AND ($5::text IS NULL OR resolution = $5)
            AND ($6::text IS NULL OR position($6 IN errors::text) > 0)
            AND ($7::timestamptz IS NULL OR rejected_at >= $7) AND ($8::timestamptz IS NULL OR rejected_at < $8) ",
            $order
        )
    };
}
const SELECT_OF_UID: &str = narrowed!(
    "WHERE (order_uid, id) < ($3, $1) AND order_uid >= $3",
    "ORDER BY order_uid DESC, id DESC LIMIT $2"
);
/// Walks the dead letters until it has found enough.
const SELECT_NARROWED: &str =
    narrowed!("WHERE id < $1 AND ($3::text IS NULL OR order_uid = $3)", "ORDER BY id DESC LIMIT $2");
const SELECT_DEAD_LETTER: &str =
    select!(("substring(payload FROM 1 FOR $2), resolved_at, resolved_by, note, parent_id"), "WHERE id = $1");

/// See [`Store::ledger_is_empty`](crate::store::Store::ledger_is_empty).
pub(super) async fn ledger_is_empty(connection: &mut PgConnection) -> sqlx::Result<bool> {
    sqlx::query_scalar(LEDGER_IS_EMPTY).fetch_one(connection).await
}

/// See [`Store::status`](crate::store::Store::status).
pub(super) async fn status(connection: &mut PgConnection) -> sqlx::Result<StoreStatus> {
    let rows = sqlx::query(SELECT_STATUS).fetch_all(connection).await?;
    StoreStatus::of(rows.iter().map(|row| -> sqlx::Result<StatusRow<'_>> {
        Ok((
            column(row, 0)?,
            column(row, 1)?,
            column(row, 2)?,
            column(row, 3)?,
            column(row, 4)?,
            column(row, 5)?,
        ))
    }))
}

/// See [`Store::count_dead_letters`](crate::store::Store::count_dead_letters).
pub(super) async fn count_dead_letters(connection: &mut PgConnection) -> sqlx::Result<DeadLetterCounts> {
    let rows = sqlx::query(COUNT_BY_RESOLUTION).fetch_all(connection).await?;
    let rows = rows.iter().map(|row| Ok((parsed(row, 0)?, column(row, 1)?)));
    Ok(dead_letters_by_resolution(&rows.collect::<sqlx::Result<Vec<_>>>()?))
}

/// See [`Store::audit`](crate::store::Store::audit).
pub(super) async fn audit(connection: &mut PgConnection) -> sqlx::Result<Audit> {
    let ledger = ledger(connection).await?;
    let pending = counts(connection, COUNT_INBOX).await?;
    let dead_letters = counts(connection, COUNT_DEAD_LETTERS).await?;
    let orders = sqlx::query(COUNT_ORDERS).fetch_one(connection).await?;
    Ok(Audit {
        channels: Counts { ledger, pending, dead_letters }.by_channel().map_err(Unknown)?,
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
    let DeadLetterFilter { selection, resolution, before, limit } = filter;
    let Selection { reason, code, order_uid, since, until } = selection;
    let (reason, uid) = (reason.as_deref(), order_uid.as_deref());
    let resolution = resolution.map(Resolution::as_str);
    let list = |sql: &'static str| {
        sqlx::query(sql).bind(before.unwrap_or(i64::MAX)).bind(i64::try_from(*limit).unwrap_or(i64::MAX))
    };
    let narrow = |sql: &'static str| {
        list(sql)
            .bind(uid)
            .bind(reason)
            .bind(resolution)
            .bind(selection.code_as_stored())
            .bind(since)
            .bind(until)
    };
    let plain = code.is_none() && since.is_none() && until.is_none();
    match (uid, reason, resolution) {
        (Some(_), ..) => narrow(SELECT_OF_UID),
        _ if !plain => narrow(SELECT_NARROWED),
        (None, None, None) => list(SELECT_ALL),
        (None, Some(reason), None) => list(SELECT_OF_REASON).bind(reason),
        (None, None, Some(resolution)) => list(SELECT_OF_RESOLUTION).bind(resolution),
        (None, Some(reason), Some(resolution)) => list(SELECT_OF_BOTH).bind(reason).bind(resolution),
    }
    .fetch_all(connection)
    .await?
    .iter()
    .map(summary)
    .collect()
}

/// See [`Store::dead_letter`](crate::store::Store::dead_letter).
pub(super) async fn dead_letter(
    connection: &mut PgConnection,
    id: i64,
    max_bytes: usize,
) -> sqlx::Result<Option<DeadLetter>> {
    let row = sqlx::query(SELECT_DEAD_LETTER)
        .bind(id)
        .bind(i32::try_from(max_bytes).unwrap_or(i32::MAX))
        .fetch_optional(connection)
        .await?;
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

/// A name that the column holds.
pub(super) fn parsed<T: FromStr<Err = String>>(row: &PgRow, index: usize) -> sqlx::Result<T> {
    Ok(column::<&str>(row, index)?.parse().map_err(Unknown)?)
}
