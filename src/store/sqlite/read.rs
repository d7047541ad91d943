use std::time::Duration;

use bytes::Bytes;
use rusqlite::Row;

use super::{
    column::{blob, bytes, length, source, text},
    json,
    session::SqliteSession,
};
use crate::{
    document::Document,
    store::{InboxKey, InboxRow, Message, StoredDocument, cause::Cause},
};

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
    session: &mut SqliteSession,
    after: i64,
    min_age: Duration,
    limit: usize,
) -> Result<Vec<InboxKey>, Cause> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    session
        .call(move |connection| {
            let mut statement = connection.prepare_cached(SELECT_UNSETTLED)?;
            statement.query_and_then((after, min_age.as_secs_f64(), limit), inbox_key)?.collect()
        })
        .await
}

/// See [`Store::load`](crate::store::Store::load).
pub(super) async fn load(session: &mut SqliteSession, ids: &[i64]) -> Result<Vec<InboxRow>, Cause> {
    let ids = json(&ids);
    session
        .call(move |connection| {
            let mut statement = connection.prepare_cached(SELECT_INBOX)?;
            statement.query_and_then([ids], inbox_row)?.collect()
        })
        .await
}

/// See [`Store::document`](crate::store::Store::document).
pub(super) async fn document(session: &mut SqliteSession, order_uid: &str) -> Result<Option<Bytes>, Cause> {
    let order_uid = order_uid.to_owned();
    session
        .call(move |connection| {
            let mut statement = connection.prepare_cached(SELECT_DOCUMENT)?;
            let mut rows = statement.query([order_uid])?;
            rows.next()?.map(|row| bytes(row, 0)).transpose()
        })
        .await
}

/// See [`Store::documents`](crate::store::Store::documents).
pub(super) async fn documents(
    session: &mut SqliteSession,
    before: Option<i64>,
    limit: usize,
    max_bytes: usize,
) -> Result<Vec<StoredDocument>, Cause> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    session
        .call(move |connection| {
            let mut statement = connection.prepare_cached(SELECT_DOCUMENTS)?;
            let mut rows = statement.query((before.unwrap_or(i64::MAX), limit))?;
            let mut documents = Vec::new();
            let mut total = 0;
            while total < max_bytes
                && let Some(row) = rows.next()?
            {
                let document = Document::new(blob(row, 2)?);
                total += document.length();
                documents.push(StoredDocument { id: row.get(0)?, order_uid: text(row, 1)?.into(), document });
            }
            Ok(documents)
        })
        .await
}

fn inbox_key(row: &Row<'_>) -> Result<InboxKey, Cause> {
    Ok(InboxKey { id: row.get(0)?, message_id: text(row, 1)?.into(), bytes: length(row, 2)? })
}

fn inbox_row(row: &Row<'_>) -> Result<InboxRow, Cause> {
    let message = Message {
        message_id: text(row, 1)?.into(),
        source: source(row, 2)?,
        channel: text(row, 3)?.into(),
        sequence: row.get(4)?,
        published_at_ns: row.get(5)?,
        payload: bytes(row, 6)?,
    };
    Ok(InboxRow { id: row.get(0)?, message })
}
