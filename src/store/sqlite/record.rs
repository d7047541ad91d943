use std::collections::HashMap;

use sqlx::SqliteConnection;

use super::insert::{Insert, column};
use crate::store::{
    Message, Recorded,
    ledger::{RECEIVED, Tally, latest},
};

const INSERT_INBOX: Insert = Insert {
    head: "INSERT INTO inbox (message_id, source, channel, sequence, published_at_ns, payload)",
    row: "(?, ?, ?, ?, ?, ?)",
    tail: "ON CONFLICT (message_id) DO NOTHING RETURNING id, message_id",
};
const SELECT_PENDING: &str =
    "SELECT id, message_id FROM inbox WHERE message_id IN (SELECT value FROM json_each(?))";
const UPSERT_LEDGER: Insert = Insert {
    head: "INSERT INTO ledger (source, channel, shard, outcome, messages)",
    row: "(?, ?, ?, ?, ?)",
    tail: "ON CONFLICT DO UPDATE SET messages = ledger.messages + excluded.messages",
};
const UPSERT_CHANNELS: Insert = Insert {
    head: "INSERT INTO channels (source, channel, last_sequence, last_published_at_ns)",
    row: "(?, ?, ?, ?)",
    tail: "ON CONFLICT DO UPDATE SET last_sequence = excluded.last_sequence,
               last_published_at_ns = excluded.last_published_at_ns
           WHERE (excluded.last_published_at_ns, excluded.last_sequence)
               > (channels.last_published_at_ns, channels.last_sequence)",
};
const POSTPONE: &str = "UPDATE inbox SET attempts = attempts + 1 WHERE id = ? RETURNING attempts";

/// See [`Store::record`](crate::store::Store::record).
pub(super) async fn record(
    connection: &mut SqliteConnection,
    messages: &[Message],
    shard: i16,
) -> sqlx::Result<Vec<Recorded>> {
    let mut recorded = insert_inbox(connection, messages).await?;
    let mut tally = Tally::default();
    let answers = messages
        .iter()
        .map(|message| {
            let row = recorded.get_mut(&*message.message_id).ok_or(sqlx::Error::RowNotFound)?;
            if row.new {
                tally.count(message, RECEIVED);
            }
            // The second of two copies in one call was not written.
            Ok(std::mem::replace(row, Recorded { new: false, ..*row }))
        })
        .collect::<sqlx::Result<Vec<_>>>()?;
    count(connection, &tally, shard).await?;
    let written = messages.iter().zip(&answers).filter(|(_, answer)| answer.new).map(|(message, _)| message);
    UPSERT_CHANNELS
        .rows(connection, &latest(written), |row, &(source, channel, sequence, ns)| {
            row.bind(source).bind(channel).bind(sequence).bind(ns);
        })
        .await?;
    Ok(answers)
}

/// Adds to the ledger.
pub(super) async fn count(
    connection: &mut SqliteConnection,
    tally: &Tally<'_>,
    shard: i16,
) -> sqlx::Result<()> {
    UPSERT_LEDGER
        .rows(connection, &tally.lines(), |row, &(source, channel, outcome, messages)| {
            row.bind(source).bind(channel).bind(shard).bind(outcome).bind(messages);
        })
        .await
        .map(drop)
}

/// The rows of all these messages, by message_id. The write lock is held, so none comes or goes meanwhile.
async fn insert_inbox(
    connection: &mut SqliteConnection,
    messages: &[Message],
) -> sqlx::Result<HashMap<String, Recorded>> {
    let inserted = INSERT_INBOX
        .rows(connection, messages, |row, message| {
            row.bind(&*message.message_id)
                .bind(message.source.as_str())
                .bind(&*message.channel)
                .bind(message.sequence)
                .bind(message.published_at_ns)
                .bind(&*message.payload);
        })
        .await?;
    let mut rows = HashMap::with_capacity(messages.len());
    for row in &inserted {
        rows.insert(column(row, 1)?, Recorded { id: column(row, 0)?, new: true });
    }
    let pending: Vec<&str> =
        messages.iter().map(|message| &*message.message_id).filter(|id| !rows.contains_key(*id)).collect();
    if !pending.is_empty() {
        let ids = serde_json::to_string(&pending).expect("strings are always JSON");
        for row in sqlx::query(SELECT_PENDING).bind(ids).fetch_all(connection).await? {
            rows.insert(column(&row, 1)?, Recorded { id: column(&row, 0)?, new: false });
        }
    }
    Ok(rows)
}

/// See [`Store::postpone`](crate::store::Store::postpone).
pub(super) async fn postpone(connection: &mut SqliteConnection, id: i64) -> sqlx::Result<i32> {
    let attempts = sqlx::query_scalar(POSTPONE).bind(id).fetch_optional(connection).await?;
    Ok(attempts.unwrap_or(0))
}
