use std::collections::BTreeMap;

use rusqlite::Row;

use super::{
    column::{bytes, source, time},
    session::SqliteSession,
};
use crate::store::{FormerDocument, OrderArrival, cause::Cause};

pub(super) const COUNT_OPEN_BY_REASON: &str =
    "SELECT reason, count(*) FROM dead_letters WHERE resolution = 'open' GROUP BY reason";
const SELECT_NEWEST_ORDERS: &str = "
    SELECT order_uid, source, channel, sequence, published_at_ns, updated_at
    FROM orders ORDER BY id DESC LIMIT ?1";
const SELECT_HISTORY: &str = "
    SELECT id, message_id, source, channel, sequence, published_at_ns, replaced_at, document
    FROM order_history WHERE order_uid = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3";
const KNOWS_UID: &str = "
    SELECT EXISTS (SELECT 1 FROM orders WHERE order_uid = ?1)
        OR EXISTS (SELECT 1 FROM order_history WHERE order_uid = ?1)";

/// See [`Store::open_dead_letters`](crate::store::Store::open_dead_letters).
pub(super) async fn open_dead_letters(session: &mut SqliteSession) -> Result<BTreeMap<String, i64>, Cause> {
    session
        .call(|connection| {
            let mut statement = connection.prepare_cached(COUNT_OPEN_BY_REASON)?;
            statement.query_and_then((), |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
        })
        .await
}

/// See [`Store::newest_orders`](crate::store::Store::newest_orders).
pub(super) async fn newest_orders(
    session: &mut SqliteSession,
    limit: usize,
) -> Result<Vec<OrderArrival>, Cause> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    session
        .call(move |connection| {
            let mut statement = connection.prepare_cached(SELECT_NEWEST_ORDERS)?;
            statement.query_and_then([limit], arrival)?.collect()
        })
        .await
}

/// See [`Store::history`](crate::store::Store::history).
pub(super) async fn history(
    session: &mut SqliteSession,
    order_uid: &str,
    before: Option<i64>,
    limit: usize,
    max_bytes: usize,
) -> Result<Option<Vec<FormerDocument>>, Cause> {
    let order_uid = order_uid.to_owned();
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    session
        .call(move |connection| {
            let mut history = Vec::new();
            let mut statement = connection.prepare_cached(SELECT_HISTORY)?;
            let mut rows = statement.query((&order_uid, before.unwrap_or(i64::MAX), limit))?;
            let mut total = 0;
            while total < max_bytes
                && let Some(row) = rows.next()?
            {
                let former = former(row)?;
                total += former.document.len();
                history.push(former);
            }
            let known = !history.is_empty()
                || connection.prepare_cached(KNOWS_UID)?.query_row([&order_uid], |row| row.get(0))?;
            Ok(known.then_some(history))
        })
        .await
}

fn arrival(row: &Row<'_>) -> Result<OrderArrival, Cause> {
    Ok(OrderArrival {
        order_uid: row.get(0)?,
        source: source(row, 1)?,
        channel: row.get(2)?,
        sequence: row.get(3)?,
        published_at_ns: row.get(4)?,
        updated_at: time(row, 5)?,
    })
}

fn former(row: &Row<'_>) -> Result<FormerDocument, Cause> {
    Ok(FormerDocument {
        id: row.get(0)?,
        message_id: row.get(1)?,
        source: source(row, 2)?,
        channel: row.get(3)?,
        sequence: row.get(4)?,
        published_at_ns: row.get(5)?,
        replaced_at: time(row, 6)?,
        document: bytes(row, 7)?,
    })
}
