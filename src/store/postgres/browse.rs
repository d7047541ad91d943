use std::collections::BTreeMap;

use sqlx::{PgConnection, postgres::PgRow};

use super::column::{bytes, column};
use crate::store::{FormerDocument, OrderArrival, report::source};

const COUNT_OPEN_BY_REASON: &str =
    "SELECT reason, count(*) FROM dead_letters WHERE resolution = 'open' GROUP BY reason";
const SELECT_NEWEST_ORDERS: &str = "
    SELECT order_uid, source, channel, sequence, published_at_ns, updated_at
    FROM orders ORDER BY id DESC LIMIT $1";
/// Cut by the server: rows that it has sent must be read.
const SELECT_HISTORY: &str = "
    SELECT id, message_id, source, channel, sequence, published_at_ns, replaced_at, document
    FROM (
        SELECT *, sum(octet_length(document)) OVER (ORDER BY id DESC) - octet_length(document) AS newer
        FROM (SELECT * FROM order_history WHERE order_uid = $1 AND id < $2 ORDER BY id DESC LIMIT $3) AS page
    ) AS measured
    WHERE newer < $4 ORDER BY id DESC";
const KNOWS_UID: &str = "
    SELECT EXISTS (SELECT 1 FROM orders WHERE order_uid = $1)
        OR EXISTS (SELECT 1 FROM order_history WHERE order_uid = $1)";

/// See [`Store::open_dead_letters`](crate::store::Store::open_dead_letters).
pub(super) async fn open_dead_letters(connection: &mut PgConnection) -> sqlx::Result<BTreeMap<String, i64>> {
    let rows = sqlx::query(COUNT_OPEN_BY_REASON).fetch_all(connection).await?;
    rows.iter().map(|row| Ok((column(row, 0)?, column(row, 1)?))).collect()
}

/// See [`Store::newest_orders`](crate::store::Store::newest_orders).
pub(super) async fn newest_orders(
    connection: &mut PgConnection,
    limit: usize,
) -> sqlx::Result<Vec<OrderArrival>> {
    sqlx::query(SELECT_NEWEST_ORDERS)
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(connection)
        .await?
        .iter()
        .map(|row| {
            Ok(OrderArrival {
                order_uid: column(row, 0)?,
                source: source(column(row, 1)?)?,
                channel: column(row, 2)?,
                sequence: column(row, 3)?,
                published_at_ns: column(row, 4)?,
                updated_at: column(row, 5)?,
            })
        })
        .collect()
}

/// See [`Store::history`](crate::store::Store::history).
pub(super) async fn history(
    connection: &mut PgConnection,
    order_uid: &str,
    before: Option<i64>,
    limit: usize,
    max_bytes: usize,
) -> sqlx::Result<Option<Vec<FormerDocument>>> {
    let history: Vec<FormerDocument> = sqlx::query(SELECT_HISTORY)
        .bind(order_uid)
        .bind(before.unwrap_or(i64::MAX))
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .bind(i64::try_from(max_bytes).unwrap_or(i64::MAX))
        .fetch_all(&mut *connection)
        .await?
        .iter()
        .map(former)
        .collect::<sqlx::Result<_>>()?;
    let known =
        !history.is_empty() || sqlx::query_scalar(KNOWS_UID).bind(order_uid).fetch_one(connection).await?;
    Ok(known.then_some(history))
}

fn former(row: &PgRow) -> sqlx::Result<FormerDocument> {
    Ok(FormerDocument {
        id: column(row, 0)?,
        message_id: column(row, 1)?,
        source: source(column(row, 2)?)?,
        channel: column(row, 3)?,
        sequence: column(row, 4)?,
        published_at_ns: column(row, 5)?,
        replaced_at: column(row, 6)?,
        document: bytes(row, 7)?,
    })
}
