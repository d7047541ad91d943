use sqlx::PgConnection;

use super::{children, column::column, record};
use crate::store::{
    Aged, Aging, SourceKind,
    ledger::{EXPIRED_DEAD_LETTERS, EXPIRED_HISTORY, EXPIRED_ORDERS, Tally},
    report::source,
};

const SELECT_ORDERS: &str = "
    SELECT id, order_uid, updated_at < now() - make_interval(secs => $3)
    FROM orders WHERE id > $1 ORDER BY id LIMIT $2";
const SELECT_DEAD_LETTERS: &str = "
    SELECT id, NULL::text, resolution <> 'open' AND resolved_at < now() - make_interval(secs => $3)
    FROM dead_letters WHERE id > $1 ORDER BY id LIMIT $2";
const SELECT_HISTORY: &str = "
    SELECT id, NULL::text, replaced_at < now() - make_interval(secs => $3)
    FROM order_history WHERE id > $1 ORDER BY id LIMIT $2";
/// Waits for nobody: what another session holds is being changed, and what it has deleted is gone.
const LOCK_ORDERS: &str = "
    SELECT id, source, channel FROM orders WHERE id = ANY ($1) AND updated_at < now() - make_interval(secs => $2)
    ORDER BY order_uid FOR UPDATE SKIP LOCKED";
/// Tells the other instances.
const DELETE_ORDERS: &str = "
    WITH gone AS (DELETE FROM orders WHERE id = ANY ($1) RETURNING id, order_uid)
    INSERT INTO expired_orders (order_id, order_uid) SELECT id, order_uid FROM gone";
const DELETE_TOLD: &str = "
    DELETE FROM expired_orders WHERE order_id = ANY (ARRAY (
        SELECT order_id FROM expired_orders WHERE expired_at < now() - make_interval(secs => $1)
        ORDER BY expired_at LIMIT 1000 FOR UPDATE SKIP LOCKED))";
/// One whose replay waits, or failed, is still referred to. A replay leaves the inbox in the transaction that writes
/// what it became, so one snapshot has either.
const DELETE_DEAD_LETTERS: &str = "
    WITH gone AS (
        SELECT id FROM dead_letters AS letter
        WHERE id = ANY ($1) AND resolution <> 'open' AND resolved_at < now() - make_interval(secs => $2)
            AND NOT EXISTS (SELECT 1 FROM dead_letters AS again WHERE again.parent_id = letter.id)
            AND NOT EXISTS (SELECT 1 FROM inbox WHERE inbox.parent_id = letter.id)
        ORDER BY id FOR UPDATE SKIP LOCKED
    )
    DELETE FROM dead_letters USING gone WHERE dead_letters.id = gone.id RETURNING dead_letters.id, source, channel";
const DELETE_HISTORY: &str = "
    DELETE FROM order_history WHERE id = ANY ($1) AND replaced_at < now() - make_interval(secs => $2)
    RETURNING id, source, channel";

/// See [`Store::aged`](crate::store::Store::aged).
pub(super) async fn aged(
    connection: &mut PgConnection,
    what: Aging,
    age: f64,
    after: i64,
    limit: usize,
) -> sqlx::Result<Aged> {
    let sql = match what {
        Aging::Orders => SELECT_ORDERS,
        Aging::DeadLetters => SELECT_DEAD_LETTERS,
        Aging::History => SELECT_HISTORY,
    };
    let rows = sqlx::query(sql).bind(after).bind(limit as i64).bind(age).fetch_all(connection).await?;
    let mut aged = Aged::default();
    for row in &rows {
        // A dead letter that is open has no time.
        if column::<Option<bool>>(row, 2)? == Some(true) {
            aged.ids.push(column(row, 0)?);
            aged.uids.extend(column::<Option<String>>(row, 1)?);
        }
    }
    let last = rows.last().filter(|_| rows.len() == limit);
    aged.next = last.map(|row| column(row, 0)).transpose()?;
    Ok(aged)
}

/// See [`Store::forget_told`](crate::store::Store::forget_told): what is older than so many seconds.
pub(super) async fn forget_told(connection: &mut PgConnection, age: f64) -> sqlx::Result<u64> {
    Ok(sqlx::query(DELETE_TOLD).bind(age).execute(connection).await?.rows_affected())
}

/// See [`Store::expire`](crate::store::Store::expire).
pub(super) async fn expire(
    connection: &mut PgConnection,
    what: Aging,
    age: f64,
    ids: &[i64],
    shard: i16,
) -> sqlx::Result<u64> {
    match what {
        Aging::Orders => {
            let orders = rows(connection, LOCK_ORDERS, ids, age).await?;
            let ids: Vec<i64> = orders.iter().map(|(id, ..)| *id).collect();
            children::delete(connection, &ids).await?;
            sqlx::query(DELETE_ORDERS).bind(&ids).execute(&mut *connection).await?;
            count(connection, &orders, EXPIRED_ORDERS, shard).await
        }
        Aging::DeadLetters => {
            let letters = rows(connection, DELETE_DEAD_LETTERS, ids, age).await?;
            count(connection, &letters, EXPIRED_DEAD_LETTERS, shard).await
        }
        Aging::History => {
            let history = rows(connection, DELETE_HISTORY, ids, age).await?;
            count(connection, &history, EXPIRED_HISTORY, shard).await
        }
    }
}

type Row = (i64, SourceKind, String);

async fn rows(
    connection: &mut PgConnection,
    sql: &'static str,
    ids: &[i64],
    age: f64,
) -> sqlx::Result<Vec<Row>> {
    let rows = sqlx::query(sql).bind(ids).bind(age).fetch_all(connection).await?;
    rows.iter().map(|row| Ok((column(row, 0)?, source(column(row, 1)?)?, column(row, 2)?))).collect()
}

async fn count(
    connection: &mut PgConnection,
    rows: &[Row],
    word: &'static str,
    shard: i16,
) -> sqlx::Result<u64> {
    let mut tally = Tally::default();
    for (_, source, channel) in rows {
        tally.count_of(*source, channel, word);
    }
    record::count(connection, &tally, shard).await?;
    Ok(rows.len() as u64)
}
