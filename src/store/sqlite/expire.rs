use rusqlite::Connection;

use super::{column::source, json, record, session::SqliteSession};
use crate::store::{
    Aged, Aging,
    cause::Cause,
    ledger::{EXPIRED_DEAD_LETTERS, EXPIRED_HISTORY, EXPIRED_ORDERS, Tally},
};

/// Whether a time lies further back than an age in seconds.
macro_rules! older {
    ($time:literal, $age:literal) => {
        concat!($time, " < strftime('%Y-%m-%dT%H:%M:%fZ', 'now', printf('-%.3f seconds', ", $age, "))")
    };
}
const SELECT_ORDERS: &str = concat!(
    "SELECT id, order_uid, ",
    older!("updated_at", "?3"),
    " FROM orders WHERE id > ?1 ORDER BY id LIMIT ?2"
);
const SELECT_DEAD_LETTERS: &str = concat!(
    "SELECT id, NULL, resolution <> 'open' AND ",
    older!("resolved_at", "?3"),
    " FROM dead_letters WHERE id > ?1 ORDER BY id LIMIT ?2"
);
const SELECT_HISTORY: &str = concat!(
    "SELECT id, NULL, ",
    older!("replaced_at", "?3"),
    " FROM order_history WHERE id > ?1 ORDER BY id LIMIT ?2"
);
/// The write lock is held, so these stay as old.
const STILL_OLD_ORDERS: &str = concat!(
    "SELECT id, source, channel FROM orders WHERE id IN (SELECT value FROM json_each(?1)) AND ",
    older!("updated_at", "?2")
);
const DELETE_ORDER: [&str; 4] = [
    "DELETE FROM items WHERE order_id = ?",
    "DELETE FROM payments WHERE order_id = ?",
    "DELETE FROM deliveries WHERE order_id = ?",
    "DELETE FROM orders WHERE id = ?",
];
/// One whose replay waits, or failed, is still referred to.
const DELETE_DEAD_LETTERS: &str = concat!(
    "DELETE FROM dead_letters WHERE id IN (SELECT value FROM json_each(?1)) AND resolution <> 'open' AND ",
    older!("resolved_at", "?2"),
    " AND NOT EXISTS (SELECT 1 FROM dead_letters AS again WHERE again.parent_id = dead_letters.id)
    AND NOT EXISTS (SELECT 1 FROM inbox WHERE inbox.parent_id = dead_letters.id)
    RETURNING id, source, channel"
);
const DELETE_HISTORY: &str = concat!(
    "DELETE FROM order_history WHERE id IN (SELECT value FROM json_each(?1)) AND ",
    older!("replaced_at", "?2"),
    " RETURNING id, source, channel"
);

/// See [`Store::aged`](crate::store::Store::aged).
pub(super) async fn aged(
    session: &mut SqliteSession,
    what: Aging,
    age: f64,
    after: i64,
    limit: usize,
) -> Result<Aged, Cause> {
    let sql = match what {
        Aging::Orders => SELECT_ORDERS,
        Aging::DeadLetters => SELECT_DEAD_LETTERS,
        Aging::History => SELECT_HISTORY,
    };
    session
        .call(move |connection| {
            let mut statement = connection.prepare_cached(sql)?;
            let mut rows = statement.query((after, limit as i64, age))?;
            let (mut aged, mut looked_at) = (Aged::default(), 0);
            while let Some(row) = rows.next()? {
                (looked_at, aged.next) = (looked_at + 1, Some(row.get(0)?));
                if row.get(2)? {
                    aged.ids.push(row.get(0)?);
                    aged.uids.extend(row.get::<_, Option<String>>(1)?);
                }
            }
            aged.next = aged.next.filter(|_| looked_at == limit);
            Ok(aged)
        })
        .await
}

/// See [`Store::expire`](crate::store::Store::expire).
pub(super) async fn expire(
    session: &mut SqliteSession,
    what: Aging,
    age: f64,
    ids: &[i64],
    shard: i16,
) -> Result<u64, Cause> {
    let ids = json(&ids);
    session
        .call(move |connection| match what {
            Aging::Orders => expire_orders(connection, &ids, age, shard),
            Aging::DeadLetters => {
                let letters = rows(connection, DELETE_DEAD_LETTERS, &ids, age)?;
                count(connection, &letters, EXPIRED_DEAD_LETTERS, shard)
            }
            Aging::History => {
                let history = rows(connection, DELETE_HISTORY, &ids, age)?;
                count(connection, &history, EXPIRED_HISTORY, shard)
            }
        })
        .await
}

fn expire_orders(connection: &Connection, ids: &str, age: f64, shard: i16) -> Result<u64, Cause> {
    let orders = rows(connection, STILL_OLD_ORDERS, ids, age)?;
    for sql in DELETE_ORDER {
        let mut statement = connection.prepare_cached(sql)?;
        for (id, ..) in &orders {
            statement.execute([id])?;
        }
    }
    count(connection, &orders, EXPIRED_ORDERS, shard)
}

type Row = (i64, crate::store::SourceKind, String);

fn rows(connection: &Connection, sql: &str, ids: &str, age: f64) -> Result<Vec<Row>, Cause> {
    let mut statement = connection.prepare_cached(sql)?;
    statement.query_and_then((ids, age), |row| Ok((row.get(0)?, source(row, 1)?, row.get(2)?)))?.collect()
}

fn count(connection: &Connection, rows: &[Row], word: &'static str, shard: i16) -> Result<u64, Cause> {
    let mut tally = Tally::default();
    for (_, source, channel) in rows {
        tally.count_of(*source, channel, word);
    }
    record::count(connection, &tally, shard)?;
    Ok(rows.len() as u64)
}
