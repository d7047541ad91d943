use std::time::Duration;

use bytes::Bytes;
use futures_util::TryStreamExt;
use sqlx::{SqliteConnection, sqlite::SqliteRow};

use super::insert::column;
use crate::store::{InboxKey, InboxRow, Message, StoredDocument, report::source};

/// With no least age every row counts, and one that lies in the future always: the clock has stepped back since it came.
const SELECT_UNSETTLED: &str = "
    SELECT id, message_id, length(payload) FROM inbox
    WHERE id > ?1 AND (?2 = 0.0 OR received_at NOT BETWEEN
        strftime('%Y-%m-%dT%H:%M:%fZ', 'now', printf('-%.3f seconds', ?2)) AND strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
    ORDER BY id LIMIT ?3";
const SELECT_INBOX: &str = "
    SELECT id, message_id, source, channel, sequence, published_at_ns, payload
    FROM inbox WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id";
const SELECT_DOCUMENT: &str = "SELECT document FROM orders WHERE order_uid = ?";
const SELECT_DOCUMENTS: &str =
    "SELECT id, order_uid, document FROM orders WHERE id < ? ORDER BY id DESC LIMIT ?";

/// See [`Store::unsettled`](crate::store::Store::unsettled).
pub(super) async fn unsettled(
    connection: &mut SqliteConnection,
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
pub(super) async fn load(connection: &mut SqliteConnection, ids: &[i64]) -> sqlx::Result<Vec<InboxRow>> {
    let ids = serde_json::to_string(ids).expect("numbers are always JSON");
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

/// See [`Store::document`](crate::store::Store::document).
pub(super) async fn document(
    connection: &mut SqliteConnection,
    order_uid: &str,
) -> sqlx::Result<Option<Bytes>> {
    let row = sqlx::query(SELECT_DOCUMENT).bind(order_uid).fetch_optional(connection).await?;
    row.map(|row| bytes(&row, 0)).transpose()
}

/// See [`Store::documents`](crate::store::Store::documents).
pub(super) async fn documents(
    connection: &mut SqliteConnection,
    before: Option<i64>,
    limit: usize,
    max_bytes: usize,
) -> sqlx::Result<Vec<StoredDocument>> {
    let mut rows = sqlx::query(SELECT_DOCUMENTS)
        .bind(before.unwrap_or(i64::MAX))
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch(connection);
    let mut documents = Vec::new();
    let mut total = 0;
    while total < max_bytes
        && let Some(row) = rows.try_next().await?
    {
        let document = bytes(&row, 2)?;
        total += document.len();
        documents.push(StoredDocument { id: column(&row, 0)?, order_uid: column(&row, 1)?, document });
    }
    Ok(documents)
}

/// A column of bytes.
pub(super) fn bytes(row: &SqliteRow, index: usize) -> sqlx::Result<Bytes> {
    column::<Vec<u8>>(row, index).map(Bytes::from)
}

/// A column that holds a length.
pub(super) fn length(row: &SqliteRow, index: usize) -> sqlx::Result<usize> {
    let length: i64 = column(row, index)?;
    usize::try_from(length).map_err(|error| sqlx::Error::Decode(error.into()))
}
