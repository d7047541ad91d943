use rusqlite::Connection;

use super::session::SqliteSession;
use crate::store::{
    Message, Recorded,
    cause::Cause,
    ledger::{RECEIVED, Tally, latest},
};

const INSERT_INBOX: &str = "
    INSERT INTO inbox (message_id, source, channel, sequence, published_at_ns, payload) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (message_id) DO NOTHING";
const SELECT_PENDING: &str = "SELECT id FROM inbox WHERE message_id = ?";
const UPSERT_LEDGER: &str = "
    INSERT INTO ledger (source, channel, shard, outcome, messages) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET messages = ledger.messages + excluded.messages";
const UPSERT_CHANNELS: &str = "
    INSERT INTO channels (source, channel, last_sequence, last_published_at_ns) VALUES (?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET last_sequence = excluded.last_sequence,
        last_published_at_ns = excluded.last_published_at_ns
    WHERE (excluded.last_published_at_ns, excluded.last_sequence)
        > (channels.last_published_at_ns, channels.last_sequence)";
const POSTPONE: &str = "UPDATE inbox SET attempts = attempts + 1 WHERE id = ? RETURNING attempts";

/// See [`Store::record`](crate::store::Store::record).
pub(super) async fn record(
    session: &mut SqliteSession,
    messages: &[Message],
    shard: i16,
) -> Result<Vec<Recorded>, Cause> {
    // Their texts and payloads are shared, not copied.
    let messages = messages.to_vec();
    session
        .call(move |connection| {
            let answers = insert_inbox(connection, &messages)?;
            let written: Vec<&Message> = (messages.iter().zip(&answers))
                .filter(|(_, answer)| answer.new)
                .map(|(message, _)| message)
                .collect();
            let mut tally = Tally::default();
            for message in &written {
                tally.count(message, RECEIVED);
            }
            count(connection, &tally, shard)?;
            let mut statement = connection.prepare_cached(UPSERT_CHANNELS)?;
            for place in latest(written) {
                statement.execute(place)?;
            }
            Ok(answers)
        })
        .await
}

/// Adds to the ledger.
pub(super) fn count(connection: &Connection, tally: &Tally<'_>, shard: i16) -> Result<(), Cause> {
    let mut statement = connection.prepare_cached(UPSERT_LEDGER)?;
    for (source, channel, outcome, messages) in tally.lines() {
        statement.execute((source, channel, shard, outcome, messages))?;
    }
    Ok(())
}

/// The write lock is held, so a message that is there stays. The second of two copies in one call finds the first.
fn insert_inbox(connection: &Connection, messages: &[Message]) -> Result<Vec<Recorded>, Cause> {
    let mut insert = connection.prepare_cached(INSERT_INBOX)?;
    let mut pending = connection.prepare_cached(SELECT_PENDING)?;
    messages
        .iter()
        .map(|message| {
            let new = insert.execute((
                &*message.message_id,
                message.source.as_str(),
                &*message.channel,
                message.sequence,
                message.published_at_ns,
                &*message.payload,
            ))? > 0;
            let id = if new {
                connection.last_insert_rowid()
            } else {
                pending.query_row([&*message.message_id], |row| row.get(0))?
            };
            Ok(Recorded { id, new })
        })
        .collect()
}

/// See [`Store::postpone`](crate::store::Store::postpone).
pub(super) async fn postpone(session: &mut SqliteSession, id: i64) -> Result<i32, Cause> {
    session
        .call(move |connection| {
            let mut statement = connection.prepare_cached(POSTPONE)?;
            let mut rows = statement.query([id])?;
            Ok(rows.next()?.map_or(Ok(0), |row| row.get(0))?)
        })
        .await
}
