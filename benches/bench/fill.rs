//! Orders written by SQL alone, made inside the database: the floor under every way to fill these tables, and the stock of
//! a store that is not empty. The rows are those that one generated order leaves in the four tables, with a uid of their own
//! each; no inbox, no ledger, no validation.

use std::time::Instant;

use orderbox::sample::Sample;
use serde_json::Value;
use sqlx::AssertSqlSafe;

use super::{Result, backlog, service, support::database::Database};

/// What the service settles in one transaction by default.
const BATCH: u64 = 1000;
/// The durability that the service promises, and what is best known for the rate beside it.
const SQLITE_PRAGMAS: &str = "
    PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA cache_size = -65536;
    PRAGMA wal_autocheckpoint = 10000";

const ORDER: [&str; 10] = [
    "track_number",
    "entry",
    "locale",
    "internal_signature",
    "customer_id",
    "delivery_service",
    "shardkey",
    "sm_id",
    "date_created",
    "oof_shard",
];
const DELIVERY: [&str; 7] = ["name", "phone", "zip", "city", "address", "region", "email"];
const PAYMENT: [&str; 10] = [
    "transaction",
    "request_id",
    "currency",
    "provider",
    "amount",
    "payment_dt",
    "bank",
    "delivery_cost",
    "goods_total",
    "custom_fee",
];
const ITEM: [&str; 11] = [
    "chrt_id",
    "track_number",
    "price",
    "rid",
    "name",
    "sale",
    "size",
    "total_price",
    "nm_id",
    "brand",
    "status",
];

/// Adds so many orders in batches, each a transaction: orders a second. The tables must be there.
pub(crate) async fn fill(database: &Database, orders: u64) -> Result<f64> {
    let before = service::orders(database).await;
    let model = Model::new()?;
    let began = Instant::now();
    match database {
        Database::Postgres(database) => {
            sqlx::raw_sql(AssertSqlSafe(model.postgres(orders)))
                .execute(&mut database.connection().await)
                .await?;
        }
        Database::Sqlite(_) => fill_sqlite(database, &model, orders)?,
    }
    let rate = orders as f64 / began.elapsed().as_secs_f64();
    let added = service::orders(database).await - before;
    if added == orders { Ok(rate) } else { Err(format!("{added} of {orders} orders were filled in").into()) }
}

/// As [`fill`], and then everything that makes it stock: the ledger agrees, and what the database would do about so many
/// new rows sooner or later is done.
pub(crate) async fn stock(database: &Database, orders: u64) -> Result {
    database.store().await;
    fill(database, orders).await?;
    for outcome in ["received", "applied"] {
        let values = format!("('stan', 'stock', 0, '{outcome}', {orders})");
        database
            .execute(&format!(
                "INSERT INTO ledger (source, channel, shard, outcome, messages) VALUES {values}"
            ))
            .await;
    }
    match database {
        Database::Postgres(_) => {
            database.execute("VACUUM ANALYZE").await;
            database.execute("CHECKPOINT").await;
        }
        Database::Sqlite(_) => database.execute("PRAGMA wal_checkpoint(TRUNCATE)").await,
    }
    Ok(())
}

fn fill_sqlite(database: &Database, model: &Model, orders: u64) -> Result {
    let connection = database.sqlite_connection();
    connection.execute_batch(SQLITE_PRAGMAS)?;
    let mut last = last_id(&connection)?;
    let end = last + orders;
    while last < end {
        let batch = BATCH.min(end - last);
        connection.execute_batch(&model.sqlite(last, batch))?;
        last += batch;
    }
    Ok(())
}

fn last_id(connection: &rusqlite::Connection) -> Result<u64> {
    let last: Option<i64> = connection.query_row("SELECT max(id) FROM orders", (), |row| row.get(0))?;
    Ok(last.unwrap_or(0).unsigned_abs())
}

/// One generated order, as SQL: its document around the uid, and its columns.
struct Model {
    head: String,
    tail: String,
    order: Value,
}

impl Model {
    /// The order whose document is nearest to their mean length.
    fn new() -> Result<Self> {
        let samples: Vec<Sample> = backlog::generated(0, 0.0).take(1000).collect();
        let mean = samples.iter().map(|sample| sample.payload.len()).sum::<usize>() / samples.len();
        let plain = |sample: &&Sample| sample.payload.is_ascii();
        let sample = samples.iter().filter(plain).min_by_key(|sample| sample.payload.len().abs_diff(mean));
        let document = String::from_utf8(sample.ok_or("no sample is plain")?.payload.to_vec())?;
        let order: Value = serde_json::from_str(&document)?;
        let uid = order["order_uid"].as_str().ok_or("the sample has no uid")?;
        let (head, tail) = document.split_once(uid).ok_or("the uid is written in another way")?;
        Ok(Self { head: quoted(head), tail: quoted(tail), order })
    }

    /// A statement that fills in all of them, with a commit after every batch.
    fn postgres(&self, orders: u64) -> String {
        let Self { head, tail, order } = self;
        let (o, d) = (self.columns(order, &ORDER), self.columns(&order["delivery"], &DELIVERY));
        let (p, i) = (self.columns(&order["payment"], &PAYMENT), self.columns(&order["items"][0], &ITEM));
        let last = (orders - 1) / BATCH;
        format!(
            "DO $fill$
            DECLARE
                head bytea := convert_to({head}, 'UTF8');
                tail bytea := convert_to({tail}, 'UTF8');
            BEGIN
                FOR batch IN 0..{last} LOOP
                    WITH made AS MATERIALIZED (
                        SELECT n, substr(md5(random()::text || n), 1, 16) || 'test' AS uid
                        FROM generate_series(batch * {BATCH} + 1, least((batch + 1) * {BATCH}, {orders})) AS n
                    ), new_orders AS (
                        INSERT INTO orders (order_uid, document, message_id, source, channel, sequence, published_at_ns, {})
                        SELECT uid, head || convert_to(uid, 'UTF8') || tail,
                            'stan:test-cluster/stock/' || n || '@' || (1700000000000000000 + n),
                            'stan', 'stock', n, 1700000000000000000 + n, {}
                        FROM made RETURNING id
                    ), new_deliveries AS (
                        INSERT INTO deliveries (order_id, {}) SELECT id, {} FROM new_orders
                    ), new_payments AS (
                        INSERT INTO payments (order_id, {}) SELECT id, {} FROM new_orders
                    )
                    INSERT INTO items (order_id, position, {}) SELECT id, 0, {} FROM new_orders;
                    COMMIT;
                END LOOP;
            END
            $fill$",
            o.names, o.values, d.names, d.values, p.names, p.values, i.names, i.values,
        )
    }

    /// Statements that fill in one batch after this id.
    fn sqlite(&self, last: u64, batch: u64) -> String {
        let Self { head, tail, order } = self;
        let (o, d) = (self.columns(order, &ORDER), self.columns(&order["delivery"], &DELIVERY));
        let (p, i) = (self.columns(&order["payment"], &PAYMENT), self.columns(&order["items"][0], &ITEM));
        let ids = format!(
            "WITH RECURSIVE ids (id) AS (SELECT {last} + 1 UNION ALL SELECT id + 1 FROM ids WHERE id < {last} + {batch})"
        );
        format!(
            "BEGIN IMMEDIATE;
            {ids}, made (id, uid) AS MATERIALIZED (SELECT id, lower(hex(randomblob(8))) || 'test' FROM ids)
            INSERT INTO orders (id, order_uid, document, message_id, source, channel, sequence, published_at_ns, {})
            SELECT id, uid, CAST({head} || uid || {tail} AS BLOB),
                'stan:test-cluster/stock/' || id || '@' || (1700000000000000000 + id),
                'stan', 'stock', id, 1700000000000000000 + id, {} FROM made;
            {ids} INSERT INTO deliveries (order_id, {}) SELECT id, {} FROM ids;
            {ids} INSERT INTO payments (order_id, {}) SELECT id, {} FROM ids;
            {ids} INSERT INTO items (order_id, position, {}) SELECT id, 0, {} FROM ids;
            COMMIT",
            o.names, o.values, d.names, d.values, p.names, p.values, i.names, i.values,
        )
    }

    fn columns(&self, object: &Value, names: &[&str]) -> Columns {
        let values: Vec<String> = names.iter().map(|name| literal(name, &object[name])).collect();
        let names: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
        Columns { names: names.join(", "), values: values.join(", ") }
    }
}

/// Names of columns, and the literals that belong into them.
struct Columns {
    names: String,
    values: String,
}

/// A value of the document as SQL. Prices are text in SQLite, and PostgreSQL takes text for its decimals.
fn literal(column: &str, value: &Value) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::String(text) => quoted(text),
        number if column.ends_with("price") => quoted(&number.to_string()),
        number => number.to_string(),
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
