//! The source of `orderbox copy`.

use rusqlite::{Connection, Row as SqliteRow, Statement, types::ValueRef};

use super::{BEGIN_WRITE, Sqlite, column::time_if_any, migrations, session::SqliteSession};
use crate::store::{
    AT_LENGTH, Result, Store,
    cause::{Cause, Unknown},
    copy::{Column, Kind, Row, Table, Value, key_text},
    error::Failure,
    pool::Lease,
    postgres::printed_decimal,
};

/// A page ends with the row that makes it so large, or with so many rows.
const PAGE_BYTES: usize = 8 << 20;
const PAGE_ROWS: i64 = 5000;
/// The last number that was given to a row of a table, whether it is still there or not.
const LAST_NUMBER: &str = "SELECT seq FROM sqlite_sequence WHERE name = ?";

/// What a SQLite file holds at one moment. Nobody writes to it for as long as this lives.
#[derive(Debug)]
pub(in crate::store) struct Source<'a> {
    sqlite: &'a Sqlite,
    lease: Lease<'a, SqliteSession>,
}

impl Sqlite {
    /// Whether the file has the tables of this service.
    pub(in crate::store) async fn is_ours(&self) -> Result<bool> {
        self.writer
            .bounded(self.timeout, "copy", async {
                let mut lease = self.writer.lease().await?;
                let ours = lease.call(|connection| migrations::has(connection, "inbox")).await;
                lease.end(ours).await
            })
            .await
    }

    /// Brings the schema up to date, and takes the file for reading.
    pub(in crate::store) async fn source(&self) -> Result<Source<'_>> {
        self.prepare().await?;
        let lease = self.writer.bounded(self.timeout, "copy", self.writer.begin(BEGIN_WRITE)).await?;
        Ok(Source { sqlite: self, lease })
    }
}

impl Source<'_> {
    pub(in crate::store) async fn count(&mut self, table: &'static Table) -> Result<i64> {
        let sql = format!("SELECT count(*) FROM \"{}\"", table.name);
        self.call(move |connection| Ok(connection.query_row(&sql, (), |row| row.get(0))?)).await
    }

    /// The rows that come after this key, or the first; none when there are no more.
    pub(in crate::store) async fn page(
        &mut self,
        table: &'static Table,
        after: Option<Row>,
    ) -> Result<Vec<Row>> {
        self.call(move |connection| page(connection, table, after)).await
    }

    /// See [`LAST_NUMBER`]; 0 when no row was ever there.
    pub(in crate::store) async fn last_number(&mut self, table: &'static Table) -> Result<i64> {
        self.call(move |connection| {
            let mut statement = connection.prepare_cached(LAST_NUMBER)?;
            let mut rows = statement.query([table.name])?;
            Ok(rows.next()?.map_or(Ok(0), |row| row.get(0))?)
        })
        .await
    }

    async fn call<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Connection) -> Result<T, Cause> + Send + 'static,
    ) -> Result<T> {
        let Self { sqlite, lease } = self;
        sqlite
            .writer
            .bounded(AT_LENGTH, "copy", async { lease.call(work).await.map_err(Failure::from) })
            .await
    }
}

fn page(connection: &Connection, table: &Table, after: Option<Row>) -> Result<Vec<Row>, Cause> {
    let mut statement = connection.prepare_cached(&select(table, after.is_some()))?;
    let keys = after.unwrap_or_default();
    for (index, key) in (1..).zip(&keys) {
        bind(&mut statement, index, key)?;
    }
    statement.raw_bind_parameter(keys.len() + 1, PAGE_ROWS)?;
    let mut rows = statement.raw_query();
    let (mut page, mut bytes) = (Vec::new(), 0);
    while bytes < PAGE_BYTES
        && let Some(row) = rows.next()?
    {
        let row = values(row, table)?;
        bytes += row.iter().map(Value::size).sum::<usize>();
        page.push(row);
    }
    Ok(page)
}

fn select(table: &Table, after: bool) -> String {
    let names = |columns: &[Column]| {
        let names = columns.iter().map(|column| format!("\"{}\"", column.name));
        names.collect::<Vec<_>>().join(", ")
    };
    let key = names(table.key_columns());
    let places = vec!["?"; table.key].join(", ");
    let beyond = if after { format!("WHERE ({key}) > ({places})") } else { String::new() };
    format!("SELECT {} FROM \"{}\" {beyond} ORDER BY {key} LIMIT ?", names(table.columns), table.name)
}

fn bind(statement: &mut Statement<'_>, index: usize, key: &Value) -> rusqlite::Result<()> {
    match key {
        Value::Integer(integer) => statement.raw_bind_parameter(index, integer),
        Value::Text(text) => statement.raw_bind_parameter(index, text),
        other => unreachable!("no table has a key of the kind of {other:?}"),
    }
}

fn values(row: &SqliteRow<'_>, table: &Table) -> Result<Row, Cause> {
    let mut values = Row::with_capacity(table.columns.len());
    for (index, column) in (0..).zip(table.columns) {
        values.push(value(row, index, column).map_err(|cause| {
            let Table { name, key, .. } = table;
            let place = key_text(&values[..values.len().min(*key)]);
            Unknown(format!("{name}, row {place}: {}: {}", column.name, cause.describe()))
        })?);
    }
    Ok(values)
}

fn value(row: &SqliteRow<'_>, index: usize, column: &Column) -> Result<Value, Cause> {
    let found = row.get_ref(index)?;
    if matches!(found, ValueRef::Null) {
        return Ok(Value::Null);
    }
    let text = || -> Result<String, Cause> { plain_text(row.get(index)?) };
    Ok(match column.kind {
        Kind::Integer => Value::Integer(row.get(index)?),
        Kind::Text => Value::Text(text()?),
        Kind::Bytes => Value::Bytes(row.get(index)?),
        Kind::Time => time_if_any(row, index)?.map_or(Value::Null, Value::Time),
        Kind::Boolean => Value::Boolean(row.get(index)?),
        Kind::Decimal => Value::Decimal(printed_decimal(&text()?)),
    })
}

/// Validation lets no such text pass, and PostgreSQL would not say in which row it is.
fn plain_text(text: String) -> Result<String, Cause> {
    if text.contains('\0') {
        return Err(Unknown("it holds a NUL, which PostgreSQL can't keep in a text".to_owned()).into());
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::copy::TABLES;

    /// Whoever adds a column or a table adds it to [`TABLES`].
    #[test]
    fn every_table_is_copied_with_every_column() {
        let mut connection = Connection::open_in_memory().expect("memory");
        migrations::run(&mut connection).expect("sound migrations");
        let sql = "
            SELECT m.name, c.name, c.pk FROM sqlite_schema m, pragma_table_info(m.name) c
            WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%'";
        let mut statement = connection.prepare(sql).expect("a query");
        let rows = statement.query_map((), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).expect("rows");
        let mut there: Vec<(String, String, i64)> = rows.collect::<rusqlite::Result<_>>().expect("columns");
        let mut copied: Vec<(String, String, i64)> = TABLES
            .iter()
            .flat_map(|table| {
                let columns = (1..).zip(table.columns);
                columns.map(move |(place, column)| {
                    (
                        table.name.to_owned(),
                        column.name.to_owned(),
                        if place <= table.key as i64 { place } else { 0 },
                    )
                })
            })
            .collect();
        there.sort();
        copied.sort();
        assert_eq!(copied, there);
    }
}
