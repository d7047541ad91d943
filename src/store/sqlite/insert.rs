use sqlx::{
    AssertSqlSafe, Row, SqliteConnection,
    encode::Encode,
    sqlite::{Sqlite, SqliteArguments, SqliteRow},
    types::Type,
};

/// Rows a statement. A statement costs a round trip to sqlx's worker thread, so as many rows as possible share one; few
/// sizes, so that all statements fit the cache of prepared ones.
const SIZES: [usize; 5] = [500, 100, 20, 4, 1];

/// An insert of many rows: `head VALUES (?, …), … tail`.
#[derive(Debug)]
pub(super) struct Insert {
    /// Up to `VALUES`.
    pub(super) head: &'static str,
    /// Parameters of one row, as in `(?, ?)`.
    pub(super) row: &'static str,
    /// What to do about a conflict, and what to return.
    pub(super) tail: &'static str,
}

/// The parameters of one row.
pub(super) struct Values<'a>(&'a mut SqliteArguments, &'a mut sqlx::Result<()>);

impl Values<'_> {
    /// Adds the next parameter.
    pub(super) fn bind<'t, T: Encode<'t, Sqlite> + Type<Sqlite>>(self, value: T) -> Self {
        use sqlx::Arguments;
        if let Err(error) = Arguments::add(self.0, value) {
            *self.1 = Err(sqlx::Error::Encode(error));
        }
        self
    }
}

impl Insert {
    /// Inserts the rows in order and answers what the tail returns. `bind` gives each row its parameters.
    pub(super) async fn rows<T: Sync>(
        &self,
        connection: &mut SqliteConnection,
        mut rows: &[T],
        bind: impl Fn(Values<'_>, &T) + Send + Sync,
    ) -> sqlx::Result<Vec<SqliteRow>> {
        let mut returned = Vec::new();
        for size in SIZES {
            while rows.len() >= size {
                let (chunk, rest) = rows.split_at(size);
                rows = rest;
                let mut arguments = SqliteArguments::default();
                let mut bound = Ok(());
                for row in chunk {
                    bind(Values(&mut arguments, &mut bound), row);
                }
                bound?;
                let sql = AssertSqlSafe(self.sql(size));
                returned.extend(sqlx::query_with(sql, arguments).fetch_all(&mut *connection).await?);
            }
        }
        Ok(returned)
    }

    fn sql(&self, rows: usize) -> String {
        let mut values = vec![self.row; rows].join(",");
        values.insert_str(0, " VALUES ");
        values.insert_str(0, self.head);
        values.push(' ');
        values.push_str(self.tail);
        values
    }
}

/// A column by its place.
pub(super) fn column<'r, T: sqlx::Decode<'r, Sqlite> + Type<Sqlite>>(
    row: &'r SqliteRow,
    index: usize,
) -> sqlx::Result<T> {
    row.try_get(index)
}
