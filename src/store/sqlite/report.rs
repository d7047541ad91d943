use rusqlite::{Connection, Row};

use super::{
    column::{bytes, length, parsed, source, time, time_if_any},
    date::rfc3339,
    session::SqliteSession,
};
use crate::store::{
    Audit, DeadLetter, DeadLetterCounts, DeadLetterFilter, DeadLetterSummary, Resolution, SourceKind,
    StoreStatus,
    cause::{Cause, Unknown},
    ledger,
    report::{Counts, dead_letters_by_resolution},
};

const LEDGER_IS_EMPTY: &str = "SELECT NOT EXISTS (SELECT 1 FROM ledger)";
/// One statement, so that all of it is one snapshot; [`StatusRow`](crate::store::report::StatusRow) explains its rows. The ids
/// of the inbox and of the dead letters grow with time, so the oldest is the first: found in an index without reading the
/// others. (`resolution = 'open'` would let a planner walk the primary key instead, past every dead letter that was resolved.)
const SELECT_STATUS: &str = "
    SELECT 'ledger', source, channel, outcome, sum(messages), NULL FROM ledger GROUP BY source, channel, outcome
    UNION ALL SELECT 'pending', source, channel, '', count(*), NULL FROM inbox GROUP BY source, channel
    UNION ALL SELECT 'oldest_pending', '', '', '', CAST((julianday('now') - julianday(
        (SELECT received_at FROM inbox ORDER BY id LIMIT 1))) * 86400e6 AS INTEGER), NULL
    UNION ALL SELECT 'oldest_dead_letter', '', '', '', CAST((julianday('now') - julianday(
        (SELECT rejected_at FROM dead_letters WHERE resolution >= 'open' AND resolution <= 'open' ORDER BY resolution, id LIMIT 1))) * 86400e6 AS INTEGER), NULL
    UNION ALL SELECT 'channel', source, channel, '', last_sequence, last_published_at_ns FROM channels";
/// Walks an index with an entry a dead letter: for a million of them 0.03 to 0.15 s, more before PostgreSQL has vacuumed.
const COUNT_BY_RESOLUTION: &str = "SELECT resolution, count(*) FROM dead_letters GROUP BY resolution";
const SELECT_LEDGER: &str = "
    SELECT source, channel, outcome, sum(messages) FROM ledger GROUP BY source, channel, outcome";
const COUNT_INBOX: &str = "SELECT source, channel, count(*) FROM inbox GROUP BY source, channel";
const COUNT_DEAD_LETTERS: &str =
    "SELECT source, channel, count(*) FROM dead_letters GROUP BY source, channel";
const COUNT_ORDERS: &str = "
    SELECT (SELECT count(*) FROM orders), (SELECT count(*) FROM deliveries), (SELECT count(*) FROM payments),
        (SELECT count(*) FROM orders WHERE id NOT IN (SELECT order_id FROM deliveries)),
        (SELECT count(*) FROM orders WHERE id NOT IN (SELECT order_id FROM payments))";
/// The columns of a summary, and more when they are given.
macro_rules! select {
    ($(($more:literal),)? $($which:literal),+) => {
        concat!(
            "SELECT id, message_id, source, channel, sequence, published_at_ns, order_uid, reason, errors, length(payload),
                received_at, rejected_at, resolution",
            $(", ", $more,)?
            " FROM dead_letters ",
            $($which),+
        )
    };
}
/// A statement for each set of filters that are asked for often, so that each finds its rows in an index, in the order of the
/// list, however rare they are.
pub(super) const SELECT_ALL: &str = select!("WHERE id < ?1 ORDER BY id DESC LIMIT ?2");
pub(super) const SELECT_OF_REASON: &str = select!("WHERE reason = ?3 AND id < ?1 ORDER BY id DESC LIMIT ?2");
pub(super) const SELECT_OF_RESOLUTION: &str =
    select!("WHERE resolution = ?3 AND id < ?1 ORDER BY id DESC LIMIT ?2");
pub(super) const SELECT_OF_BOTH: &str =
    select!("WHERE reason = ?3 AND resolution = ?4 AND id < ?1 ORDER BY id DESC LIMIT ?2");
/// All filters at once; `?6` is what `errors` holds where it has the code.
macro_rules! narrowed {
    ($which:literal) => {
        select!(
            $which,
            " AND id < ?1 AND (?4 IS NULL OR reason = ?4) AND (?5 IS NULL OR resolution = ?5)
            AND (?6 IS NULL OR instr(errors, ?6) > 0)
            AND (?7 IS NULL OR rejected_at >= strftime('%Y-%m-%dT%H:%M:%fZ', ?7))
            AND (?8 IS NULL OR rejected_at < strftime('%Y-%m-%dT%H:%M:%fZ', ?8)) ORDER BY id DESC LIMIT ?2"
        )
    };
}
pub(super) const SELECT_OF_UID: &str = narrowed!("WHERE order_uid = ?3");
/// Walks the dead letters until it has found enough.
const SELECT_NARROWED: &str = narrowed!("WHERE (?3 IS NULL OR order_uid = ?3)");
/// A part of no bytes is null.
const SELECT_DEAD_LETTER: &str = select!(
    ("coalesce(substr(payload, 1, ?2), x''), resolved_at, resolved_by, note, parent_id"),
    "WHERE id = ?1"
);

/// See [`Store::ledger_is_empty`](crate::store::Store::ledger_is_empty).
pub(super) async fn ledger_is_empty(session: &mut SqliteSession) -> Result<bool, Cause> {
    session
        .call(|connection| Ok(connection.prepare_cached(LEDGER_IS_EMPTY)?.query_row((), |row| row.get(0))?))
        .await
}

/// See [`Store::status`](crate::store::Store::status).
pub(super) async fn status(session: &mut SqliteSession) -> Result<StoreStatus, Cause> {
    session
        .call(|connection| {
            let rows = all(connection, SELECT_STATUS, |row| {
                let words: [String; 4] = [row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?];
                Ok((words, row.get(4)?, row.get(5)?))
            })?;
            StoreStatus::of(rows.iter().map(|([word, source, channel, name], number, second)| {
                Ok((word.as_str(), source.as_str(), channel.as_str(), name.as_str(), *number, *second))
            }))
        })
        .await
}

/// See [`Store::count_dead_letters`](crate::store::Store::count_dead_letters).
pub(super) async fn count_dead_letters(session: &mut SqliteSession) -> Result<DeadLetterCounts, Cause> {
    session
        .call(|connection| {
            let rows = all(connection, COUNT_BY_RESOLUTION, |row| Ok((parsed(row, 0)?, row.get(1)?)))?;
            Ok(dead_letters_by_resolution(&rows))
        })
        .await
}

/// See [`Store::audit`](crate::store::Store::audit).
pub(super) async fn audit(session: &mut SqliteSession) -> Result<Audit, Cause> {
    session
        .call(|connection| {
            let ledger: Vec<ledger::Line> = all(connection, SELECT_LEDGER, |row| {
                Ok((source(row, 0)?, row.get(1)?, row.get(2)?, row.get(3)?))
            })?;
            let pending = all(connection, COUNT_INBOX, count)?;
            let dead_letters = all(connection, COUNT_DEAD_LETTERS, count)?;
            let channels = Counts { ledger, pending, dead_letters }.by_channel().map_err(Unknown)?;
            Ok(connection.query_row(COUNT_ORDERS, (), |orders| {
                Ok(Audit {
                    channels,
                    orders: orders.get(0)?,
                    deliveries: orders.get(1)?,
                    payments: orders.get(2)?,
                    orders_without_delivery: orders.get(3)?,
                    orders_without_payment: orders.get(4)?,
                })
            })?)
        })
        .await
}

/// See [`Store::dead_letters`](crate::store::Store::dead_letters).
pub(super) async fn dead_letters(
    session: &mut SqliteSession,
    filter: &DeadLetterFilter,
) -> Result<Vec<DeadLetterSummary>, Cause> {
    let filter = filter.clone();
    session.call(move |connection| list(connection, &filter)).await
}

fn list(connection: &Connection, filter: &DeadLetterFilter) -> Result<Vec<DeadLetterSummary>, Cause> {
    let DeadLetterFilter { selection, resolution, before, limit } = filter;
    let (reason, uid) = (selection.reason.as_deref(), selection.order_uid.as_deref());
    let resolution = resolution.map(Resolution::as_str);
    let plain = selection.code.is_none() && selection.since.is_none() && selection.until.is_none();
    let (sql, narrowed) = match (uid, reason, resolution) {
        (Some(_), ..) => (SELECT_OF_UID, true),
        _ if !plain => (SELECT_NARROWED, true),
        (None, None, None) => (SELECT_ALL, false),
        (None, Some(_), None) => (SELECT_OF_REASON, false),
        (None, None, Some(_)) => (SELECT_OF_RESOLUTION, false),
        (None, Some(_), Some(_)) => (SELECT_OF_BOTH, false),
    };
    let mut statement = connection.prepare_cached(sql)?;
    statement.raw_bind_parameter(1, before.unwrap_or(i64::MAX))?;
    statement.raw_bind_parameter(2, i64::try_from(*limit).unwrap_or(i64::MAX))?;
    if narrowed {
        statement.raw_bind_parameter(3, uid)?;
        statement.raw_bind_parameter(4, reason)?;
        statement.raw_bind_parameter(5, resolution)?;
        statement.raw_bind_parameter(6, selection.code_as_stored())?;
        statement.raw_bind_parameter(7, selection.since.map(rfc3339))?;
        statement.raw_bind_parameter(8, selection.until.map(rfc3339))?;
    } else {
        for (index, name) in (3..).zip([reason, resolution].into_iter().flatten()) {
            statement.raw_bind_parameter(index, name)?;
        }
    }
    statement.raw_query().and_then(summary).collect()
}

/// See [`Store::dead_letter`](crate::store::Store::dead_letter).
pub(super) async fn dead_letter(
    session: &mut SqliteSession,
    id: i64,
    max_bytes: usize,
) -> Result<Option<DeadLetter>, Cause> {
    let max_bytes = i64::try_from(max_bytes).unwrap_or(i64::MAX);
    session
        .call(move |connection| {
            let mut statement = connection.prepare_cached(SELECT_DEAD_LETTER)?;
            let mut rows = statement.query((id, max_bytes))?;
            rows.next()?.map(dead_letter_of).transpose()
        })
        .await
}

/// Every row of a query without parameters.
fn all<T>(
    connection: &Connection,
    sql: &str,
    of: impl FnMut(&Row<'_>) -> Result<T, Cause>,
) -> Result<Vec<T>, Cause> {
    connection.prepare_cached(sql)?.query_and_then((), of)?.collect()
}

fn count(row: &Row<'_>) -> Result<(SourceKind, String, i64), Cause> {
    Ok((source(row, 0)?, row.get(1)?, row.get(2)?))
}

fn dead_letter_of(row: &Row<'_>) -> Result<DeadLetter, Cause> {
    Ok(DeadLetter {
        summary: summary(row)?,
        payload: bytes(row, 13)?,
        resolved_at: time_if_any(row, 14)?,
        resolved_by: row.get(15)?,
        note: row.get(16)?,
        parent_id: row.get(17)?,
    })
}

fn summary(row: &Row<'_>) -> Result<DeadLetterSummary, Cause> {
    Ok(DeadLetterSummary {
        id: row.get(0)?,
        message_id: row.get(1)?,
        source: source(row, 2)?,
        channel: row.get(3)?,
        sequence: row.get(4)?,
        published_at_ns: row.get(5)?,
        order_uid: row.get(6)?,
        reason: row.get(7)?,
        errors: row.get(8)?,
        bytes: length(row, 9)?,
        received_at: time(row, 10)?,
        rejected_at: time(row, 11)?,
        resolution: parsed(row, 12)?,
    })
}
