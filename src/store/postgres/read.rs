use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use sqlx::PgConnection;

use super::column::{bytes, column, length};
use crate::{
    document::Document,
    store::{Change, InboxKey, InboxRow, Message, StoredDocument, report::source},
};

/// With no least age every row counts, and one that lies in the future always: the clock has stepped back since it came.
const SELECT_UNSETTLED: &str = "
    SELECT id, message_id, octet_length(payload) FROM inbox
    WHERE id > $1 AND ($2 = 0 OR received_at NOT BETWEEN clock_timestamp()
        - make_interval(secs => CASE source WHEN 'replay' THEN least($2, 1) ELSE $2 END) AND clock_timestamp())
    ORDER BY id LIMIT $3";
const SELECT_INBOX: &str = "
    SELECT id, message_id, source, channel, sequence, published_at_ns, payload
    FROM inbox WHERE id = ANY ($1) ORDER BY id";
/// By `now()`, which unlike `clock_timestamp()` is one value for the whole statement and so can be looked up in the index. A time in
/// the future is one before the clock stepped back.
const SELECT_CHANGES_SINCE: &str = "
    SELECT FALSE, id FROM order_history WHERE replaced_at > now() - make_interval(secs => $1)
    UNION ALL SELECT TRUE, order_id FROM expired_orders WHERE expired_at > now() - make_interval(secs => $1)";
const SELECT_CHANGED: &str = "
    SELECT order_uid, sha256(document) FROM order_history WHERE id = ANY ($1)
    UNION ALL SELECT order_uid, NULL FROM expired_orders WHERE order_id = ANY ($2)";
const SELECT_DOCUMENT: &str = "SELECT document FROM orders WHERE order_uid = $1";
/// Cut by the server: rows that it has sent must be read.
const SELECT_DOCUMENTS: &str = "
    SELECT id, order_uid, document
    FROM (
        SELECT id, order_uid, document, sum(octet_length(document)) OVER (ORDER BY id DESC ROWS UNBOUNDED PRECEDING)
            - octet_length(document) AS newer
        FROM (SELECT id, order_uid, document FROM orders WHERE id < $1 ORDER BY id DESC LIMIT $2) AS page
    ) AS measured
    WHERE newer < $3 ORDER BY id DESC";

/// See [`Store::unsettled`](crate::store::Store::unsettled).
pub(super) async fn unsettled(
    connection: &mut PgConnection,
    after: i64,
    min_age: Duration,
    limit: usize,
) -> sqlx::Result<Vec<InboxKey>> {
    sqlx::query(SELECT_UNSETTLED)
        .bind(after)
        .bind(min_age.as_secs_f64())
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(connection)
        .await?
        .iter()
        .map(|row| {
            Ok(InboxKey {
                id: column(row, 0)?,
                message_id: column::<&str>(row, 1)?.into(),
                bytes: length(row, 2)?,
            })
        })
        .collect()
}

/// See [`Store::load`](crate::store::Store::load).
pub(super) async fn load(connection: &mut PgConnection, ids: &[i64]) -> sqlx::Result<Vec<InboxRow>> {
    sqlx::query(SELECT_INBOX)
        .bind(ids)
        .fetch_all(connection)
        .await?
        .iter()
        .map(|row| {
            let message = Message {
                message_id: column::<&str>(row, 1)?.into(),
                source: source(column(row, 2)?)?,
                channel: column::<&str>(row, 3)?.into(),
                sequence: column(row, 4)?,
                published_at_ns: column(row, 5)?,
                payload: bytes(row, 6)?,
            };
            Ok(InboxRow { id: column(row, 0)?, message })
        })
        .collect()
}

/// See [`Store::changes_since`](crate::store::Store::changes_since).
pub(super) async fn changes_since(
    connection: &mut PgConnection,
    window: Duration,
) -> sqlx::Result<Vec<Change>> {
    let rows = sqlx::query(SELECT_CHANGES_SINCE).bind(window.as_secs_f64()).fetch_all(connection).await?;
    let change = |row| {
        let kind = if column(row, 0)? { Change::Expired } else { Change::Replaced };
        column(row, 1).map(kind)
    };
    rows.iter().map(change).collect()
}

/// See [`Store::changed`](crate::store::Store::changed).
pub(super) async fn changed(
    connection: &mut PgConnection,
    changes: &[Change],
) -> sqlx::Result<Vec<(String, Option<[u8; 32]>)>> {
    let (mut replaced, mut expired) = (Vec::new(), Vec::new());
    for change in changes {
        match *change {
            Change::Replaced(id) => replaced.push(id),
            Change::Expired(id) => expired.push(id),
        }
    }
    let rows = sqlx::query(SELECT_CHANGED).bind(replaced).bind(expired).fetch_all(connection).await?;
    rows.iter().map(|row| Ok((column(row, 0)?, column(row, 1)?))).collect()
}

/// See [`Store::document`](crate::store::Store::document).
pub(super) async fn document(connection: &mut PgConnection, order_uid: &str) -> sqlx::Result<Option<Bytes>> {
    let row = sqlx::query(SELECT_DOCUMENT).bind(order_uid).fetch_optional(connection).await?;
    row.map(|row| bytes(&row, 0)).transpose()
}

/// See [`Store::documents`](crate::store::Store::documents).
pub(super) async fn documents(
    connection: &mut PgConnection,
    before: Option<i64>,
    limit: usize,
    max_bytes: usize,
) -> sqlx::Result<Vec<StoredDocument>> {
    sqlx::query(SELECT_DOCUMENTS)
        .bind(before.unwrap_or(i64::MAX))
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .bind(i64::try_from(max_bytes).unwrap_or(i64::MAX))
        .fetch(connection)
        .map(|row| {
            let row = row?;
            let document = Document::new(column(&row, 2)?);
            Ok(StoredDocument { id: column(&row, 0)?, order_uid: column::<&str>(&row, 1)?.into(), document })
        })
        .try_collect()
        .await
}
