use std::collections::HashMap;

use sqlx::{PgConnection, postgres::PgRow};

use super::{
    TRIES,
    column::{column, listed},
};
use crate::store::{
    Message, Recorded,
    ledger::{RECEIVED, Tally},
};

/// One statement and so one transaction, for each statement is a wait for the server. What is not there yet is written, counted,
/// and moves its channel on.
const INSERT_INBOX: &str = "
    WITH new AS (
        INSERT INTO inbox (message_id, source, channel, sequence, published_at_ns, payload)
        SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bytea[])
        ON CONFLICT (message_id) DO NOTHING RETURNING id, message_id, source, channel, sequence, published_at_ns
    ), counted AS (
        INSERT INTO ledger (source, channel, shard, outcome, messages)
        SELECT source, channel, $7, $8, count(*) FROM new GROUP BY source, channel ORDER BY source, channel
        ON CONFLICT (source, channel, shard, outcome) DO UPDATE SET messages = ledger.messages + excluded.messages
    ), moved AS (
        INSERT INTO channels (source, channel, last_sequence, last_published_at_ns)
        SELECT DISTINCT ON (source, channel) source, channel, sequence, published_at_ns FROM new
        ORDER BY source, channel, published_at_ns DESC, sequence DESC
        ON CONFLICT (source, channel) DO UPDATE
            SET last_sequence = excluded.last_sequence, last_published_at_ns = excluded.last_published_at_ns
            WHERE (excluded.last_published_at_ns, excluded.last_sequence)
                > (channels.last_published_at_ns, channels.last_sequence)
    )
    SELECT array_agg(id), array_agg(message_id) FROM new";
const SELECT_PENDING: &str = "SELECT id, message_id FROM inbox WHERE message_id = ANY ($1)";
const UPSERT_LEDGER: &str = "
    INSERT INTO ledger (source, channel, shard, outcome, messages)
    SELECT source, channel, $5, outcome, messages
    FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[]) AS line (source, channel, outcome, messages)
    ON CONFLICT (source, channel, shard, outcome) DO UPDATE SET messages = ledger.messages + excluded.messages";
const TAKE_ROOM: &str = "
    INSERT INTO inbox (message_id, source, channel, sequence, published_at_ns, payload)
    VALUES ($1, 'http', 'room', 0, 0, $2)";
const POSTPONE: &str = "UPDATE inbox SET attempts = attempts + 1 WHERE id = $1 RETURNING attempts";

/// See [`Store::record`](crate::store::Store::record).
pub(super) async fn record(
    connection: &mut PgConnection,
    messages: &[Message],
    shard: i16,
) -> sqlx::Result<Vec<Recorded>> {
    let mut recorded = rows(connection, messages, shard).await?;
    messages
        .iter()
        .map(|message| {
            let row = recorded.get_mut(&*message.message_id).ok_or(sqlx::Error::RowNotFound)?;
            // The second of two copies in one call was not written.
            Ok(std::mem::replace(row, Recorded { new: false, ..*row }))
        })
        .collect()
}

/// Adds to the ledger.
pub(super) async fn count(connection: &mut PgConnection, tally: &Tally<'_>, shard: i16) -> sqlx::Result<()> {
    let lines = tally.lines();
    if lines.is_empty() {
        return Ok(());
    }
    sqlx::query(UPSERT_LEDGER)
        .bind(lines.iter().map(|line| line.0).collect::<Vec<_>>())
        .bind(lines.iter().map(|line| line.1).collect::<Vec<_>>())
        .bind(lines.iter().map(|line| line.2).collect::<Vec<_>>())
        .bind(lines.iter().map(|line| line.3).collect::<Vec<_>>())
        .bind(shard)
        .execute(connection)
        .await
        .map(drop)
}

/// The rows of all these messages, by message_id.
async fn rows(
    connection: &mut PgConnection,
    messages: &[Message],
    shard: i16,
) -> sqlx::Result<HashMap<String, Recorded>> {
    let mut missing: Vec<&Message> = messages.iter().collect();
    // The order in which locks are taken.
    missing.sort_by(|a, b| a.message_id.cmp(&b.message_id));
    let mut rows = HashMap::with_capacity(messages.len());
    for _ in 0..TRIES {
        if missing.is_empty() {
            break;
        }
        let new = insert(connection, &missing, shard).await?;
        for (id, message_id) in listed::<i64>(&new, 0)?.into_iter().zip(listed(&new, 1)?) {
            rows.insert(message_id, Recorded { id, new: true });
        }
        missing.retain(|message| !rows.contains_key(&*message.message_id));
        if missing.is_empty() {
            break;
        }
        let ids: Vec<&str> = missing.iter().map(|message| &*message.message_id).collect();
        for row in sqlx::query(SELECT_PENDING).bind(ids).fetch_all(&mut *connection).await? {
            rows.insert(column(&row, 1)?, Recorded { id: column(&row, 0)?, new: false });
        }
        // What is neither new nor there was settled between the two statements, so now it is new.
        missing.retain(|message| !rows.contains_key(&*message.message_id));
    }
    Ok(rows)
}

async fn insert(connection: &mut PgConnection, messages: &[&Message], shard: i16) -> sqlx::Result<PgRow> {
    sqlx::query(INSERT_INBOX)
        .bind(messages.iter().map(|message| &*message.message_id).collect::<Vec<&str>>())
        .bind(messages.iter().map(|message| message.source.as_str()).collect::<Vec<_>>())
        .bind(messages.iter().map(|message| &*message.channel).collect::<Vec<&str>>())
        .bind(messages.iter().map(|message| message.sequence).collect::<Vec<_>>())
        .bind(messages.iter().map(|message| message.published_at_ns).collect::<Vec<_>>())
        .bind(messages.iter().map(|message| &*message.payload).collect::<Vec<&[u8]>>())
        .bind(shard)
        .bind(RECEIVED)
        .fetch_one(connection)
        .await
}

/// Writes a message of so many bytes, which is to be rolled back: the table has grown by then, or could not.
pub(super) async fn take_room(connection: &mut PgConnection, bytes: usize) -> sqlx::Result<()> {
    // Nothing that PostgreSQL could compress.
    let payload: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(..)).take(bytes).collect();
    let message_id = format!("room:{:032x}", fastrand::u128(..));
    sqlx::query(TAKE_ROOM).bind(message_id).bind(payload).execute(connection).await.map(drop)
}

/// See [`Store::postpone`](crate::store::Store::postpone).
pub(super) async fn postpone(connection: &mut PgConnection, id: i64) -> sqlx::Result<i32> {
    let attempts = sqlx::query_scalar(POSTPONE).bind(id).fetch_optional(connection).await?;
    Ok(attempts.unwrap_or(0))
}
