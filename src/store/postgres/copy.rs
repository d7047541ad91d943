//! What `orderbox copy` does to its target. Which copy the target is of, and whether it is whole, stands in a table
//! that only such a target has: it is made before the first row, and the first service that uses the database drops
//! it.

use sqlx::{
    AssertSqlSafe, PgConnection, Postgres,
    postgres::{PgArguments, PgRow},
    query::Query,
};

use super::column::column;
use crate::store::copy::{Column, InUse, Kind, Mark, Row, TABLES, Table, Value};

const MARK_TABLE: &str = "copy_from_sqlite";
const HAS_TABLE: &str = "SELECT to_regclass($1) IS NOT NULL";
const SELECT_MARK: &str = "SELECT source, finished_at IS NOT NULL FROM copy_from_sqlite";
/// Waits for a page that an earlier run has sent and not seen answered, and lets no other page in until the end of
/// the transaction.
const LOCK_MARK: &str = "SELECT source FROM copy_from_sqlite FOR UPDATE";
/// Fails when another has dropped it meanwhile.
const LOCK_MARK_TABLE: &str = "LOCK TABLE copy_from_sqlite";
/// Against the lock of whoever begins a copy.
const LOCK_INBOX: &str = "LOCK TABLE inbox IN ROW EXCLUSIVE MODE";
const MAKE_MARK: &str = "
    CREATE TABLE copy_from_sqlite (
        source text NOT NULL, begun_at timestamptz NOT NULL DEFAULT now(), finished_at timestamptz)";
const INSERT_MARK: &str = "INSERT INTO copy_from_sqlite (source) VALUES ($1)";
const FINISH: &str = "UPDATE copy_from_sqlite SET finished_at = CASE WHEN $1 THEN now() END";
const DROP_MARK: &str = "DROP TABLE IF EXISTS copy_from_sqlite";
const COUNT_SERVICES: &str = "
    SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'orderbox'";
/// The number after which the next row is numbered.
const SET_LAST_NUMBER: &str = "SELECT setval(pg_get_serial_sequence($1, 'id'), $2)";

/// What copy has noted of the database; `None` when it is no target of a copy, or has been used since.
pub(super) async fn mark(connection: &mut PgConnection) -> sqlx::Result<Option<Mark>> {
    if !has_table(connection, MARK_TABLE).await? {
        return Ok(None);
    }
    let row = sqlx::query(SELECT_MARK).fetch_optional(connection).await?;
    row.map(|row| Ok(Mark { source: column(&row, 0)?, finished: column(&row, 1)? })).transpose()
}

/// The same, and nobody reads or changes it until the end of the transaction.
pub(super) async fn lock_mark(connection: &mut PgConnection) -> sqlx::Result<Option<Mark>> {
    if has_table(connection, MARK_TABLE).await? {
        sqlx::query(LOCK_MARK_TABLE).execute(&mut *connection).await?;
    }
    mark(connection).await
}

/// Forgets that the database was the target of a copy.
pub(super) async fn drop_mark(connection: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query(DROP_MARK).execute(connection).await.map(drop)
}

/// How many connections services have to the database.
pub(super) async fn services(connection: &mut PgConnection) -> sqlx::Result<i64> {
    sqlx::query_scalar(COUNT_SERVICES).fetch_one(connection).await
}

/// The first table that has rows.
pub(super) async fn used(connection: &mut PgConnection) -> sqlx::Result<Option<&'static str>> {
    for table in TABLES {
        if !has_table(connection, table.name).await? {
            continue;
        }
        let sql = format!("SELECT EXISTS (SELECT 1 FROM \"{}\")", table.name);
        if sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut *connection).await? {
            return Ok(Some(table.name));
        }
    }
    Ok(None)
}

/// Notes that the database is the target of a copy from now on, unless it is in use: then this is to be rolled back. A service that
/// starts waits for this transaction, and sees the mark.
pub(super) async fn begin(connection: &mut PgConnection, source: &str) -> sqlx::Result<Option<InUse>> {
    // Of two who begin at once, the second waits here and then fails.
    sqlx::query(MAKE_MARK).execute(&mut *connection).await?;
    sqlx::query(INSERT_MARK).bind(source).execute(&mut *connection).await?;
    // A service that started before may have begun to write.
    let lock = format!("LOCK TABLE {} IN SHARE MODE", names(TABLES.iter().map(|table| table.name)));
    sqlx::query(AssertSqlSafe(lock)).execute(&mut *connection).await?;
    if services(connection).await? > 0 {
        return Ok(Some(InUse::Served));
    }
    Ok(used(connection).await?.map(InUse::Rows))
}

/// Waits for whoever begins a copy, and lets nobody begin one until the end of the transaction.
pub(super) async fn wait_for_begin(connection: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query(LOCK_INBOX).execute(connection).await.map(drop)
}

/// Empties the target of a copy, and the next may be one of another source. What is no target is left alone.
pub(super) async fn start_over(connection: &mut PgConnection) -> sqlx::Result<()> {
    if lock_mark(connection).await?.is_none() {
        return Ok(());
    }
    let truncate = format!("TRUNCATE {} RESTART IDENTITY", names(TABLES.iter().map(|table| table.name)));
    sqlx::query(AssertSqlSafe(truncate)).execute(&mut *connection).await?;
    drop_mark(connection).await
}

/// How many rows a table has, and the key of its last.
pub(super) async fn state(connection: &mut PgConnection, table: &Table) -> sqlx::Result<(i64, Option<Row>)> {
    sqlx::query(LOCK_MARK).fetch_one(&mut *connection).await?;
    let count = AssertSqlSafe(format!("SELECT count(*) FROM \"{}\"", table.name));
    let count = sqlx::query_scalar(count).fetch_one(&mut *connection).await?;
    let columns = table.key_columns();
    let last = format!(
        "SELECT {} FROM \"{}\" ORDER BY {} LIMIT 1",
        selected(columns),
        table.name,
        ordered(columns, " DESC")
    );
    let last = sqlx::query(AssertSqlSafe(last)).fetch_optional(connection).await?;
    Ok((count, last.map(|row| values(&row, columns)).transpose()?))
}

/// Adds rows, all of which come after those that are there.
pub(super) async fn put(connection: &mut PgConnection, table: &Table, rows: &[Row]) -> sqlx::Result<()> {
    sqlx::query(LOCK_MARK).fetch_one(&mut *connection).await?;
    let columns = names(table.columns.iter().map(|column| column.name));
    let sql = format!("COPY \"{}\" ({columns}) FROM STDIN", table.name);
    let mut lines = Vec::new();
    for row in rows {
        for (index, value) in row.iter().enumerate() {
            if index > 0 {
                lines.push(b'\t');
            }
            value.write(&mut lines);
        }
        lines.push(b'\n');
    }
    let mut copy = connection.copy_in_raw(&sql).await?;
    copy.send(lines).await?;
    copy.finish().await.map(drop)
}

/// Up to `limit` rows that come after this key, or the first.
pub(super) async fn page(
    connection: &mut PgConnection,
    table: &Table,
    after: Option<&Row>,
    limit: i64,
) -> sqlx::Result<Vec<Row>> {
    let keys = table.key_columns();
    let beyond = match after {
        Some(_) => {
            let places: Vec<_> = (1..=table.key).map(|place| format!("${place}")).collect();
            format!("WHERE ({}) > ({})", ordered(keys, ""), places.join(", "))
        }
        None => String::new(),
    };
    let place = after.map_or(0, Vec::len) + 1;
    let sql = format!(
        "SELECT {} FROM \"{}\" {beyond} ORDER BY {} LIMIT ${place}",
        selected(table.columns),
        table.name,
        ordered(keys, ""),
    );
    let query = after.into_iter().flatten().fold(sqlx::query(AssertSqlSafe(sql)), bind);
    let rows = query.bind(limit).fetch_all(connection).await?;
    rows.iter().map(|row| values(row, table.columns)).collect()
}

/// Numbers new rows after this number.
pub(super) async fn set_last_number(
    connection: &mut PgConnection,
    table: &Table,
    number: i64,
) -> sqlx::Result<()> {
    sqlx::query(SET_LAST_NUMBER).bind(table.name).bind(number).execute(connection).await.map(drop)
}

/// Notes whether the target is whole.
pub(super) async fn finish(connection: &mut PgConnection, whole: bool) -> sqlx::Result<()> {
    sqlx::query(FINISH).bind(whole).execute(connection).await.map(drop)
}

async fn has_table(connection: &mut PgConnection, name: &str) -> sqlx::Result<bool> {
    sqlx::query_scalar(HAS_TABLE).bind(name).fetch_one(connection).await
}

fn bind<'q>(query: Query<'q, Postgres, PgArguments>, key: &'q Value) -> Query<'q, Postgres, PgArguments> {
    match key {
        Value::Integer(integer) => query.bind(integer),
        Value::Text(text) => query.bind(text),
        other => unreachable!("no table has a key of the kind of {other:?}"),
    }
}

fn names<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ")
}

/// The columns as [`values`] reads them.
fn selected(columns: &[Column]) -> String {
    let expressions = columns.iter().map(|Column { name, kind }| match kind {
        Kind::Integer => format!("\"{name}\"::bigint"),
        // Of numbers and of JSON the text that PostgreSQL prints.
        Kind::Text | Kind::Decimal => format!("\"{name}\"::text"),
        Kind::Bytes | Kind::Time | Kind::Boolean => format!("\"{name}\""),
    });
    expressions.collect::<Vec<_>>().join(", ")
}

/// The columns of a key, in the order of their bytes as in SQLite.
fn ordered(columns: &[Column], direction: &str) -> String {
    let parts = columns.iter().map(|Column { name, kind }| match kind {
        Kind::Text => format!("\"{name}\" COLLATE \"C\"{direction}"),
        _ => format!("\"{name}\"{direction}"),
    });
    parts.collect::<Vec<_>>().join(", ")
}

fn values(row: &PgRow, columns: &[Column]) -> sqlx::Result<Row> {
    (0..).zip(columns).map(|(index, column)| value(row, index, column.kind)).collect()
}

fn value(row: &PgRow, index: usize, kind: Kind) -> sqlx::Result<Value> {
    let value = match kind {
        Kind::Integer => column::<Option<i64>>(row, index)?.map(Value::Integer),
        Kind::Text => column::<Option<String>>(row, index)?.map(Value::Text),
        Kind::Bytes => column::<Option<Vec<u8>>>(row, index)?.map(Value::Bytes),
        Kind::Time => column::<Option<_>>(row, index)?.map(Value::Time),
        Kind::Boolean => column::<Option<bool>>(row, index)?.map(Value::Boolean),
        Kind::Decimal => column::<Option<String>>(row, index)?.map(Value::Decimal),
    };
    Ok(value.unwrap_or(Value::Null))
}
