use std::{path::PathBuf, sync::Arc, time::Duration};

use orderbox::store::{Options, Store, connect};
use rusqlite::OpenFlags;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};
use tempfile::TempDir;

use super::postgres;

/// An empty database of its own for one test, and a back door to it.
#[derive(Debug)]
pub(crate) enum Database {
    Sqlite(TempDir),
    Postgres(postgres::Database),
}

impl Database {
    pub(crate) fn sqlite() -> Option<Self> {
        Some(Self::Sqlite(tempfile::tempdir().unwrap()))
    }

    /// `None` when PostgreSQL is not installed.
    pub(crate) async fn postgres() -> Option<Self> {
        Some(Self::Postgres(postgres::shared().await?.database().await))
    }

    pub(crate) fn url(&self) -> String {
        match self {
            Self::Sqlite(_) => format!("sqlite://{}", self.file().display()),
            Self::Postgres(database) => database.url(),
        }
    }

    pub(crate) fn is_postgres(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }

    /// The SQLite file.
    pub(crate) fn file(&self) -> PathBuf {
        match self {
            Self::Sqlite(folder) => folder.path().join("orderbox.db"),
            Self::Postgres(_) => panic!("PostgreSQL has no file"),
        }
    }

    /// A handle whose calls take at most `timeout`; each has connections of its own.
    pub(crate) fn store_with(&self, timeout: Duration) -> Arc<dyn Store> {
        let options = Options { timeout, create: true, ..Options::default() };
        connect(&self.url(), &options).unwrap()
    }

    /// A handle that is ready for use.
    pub(crate) async fn store(&self) -> Arc<dyn Store> {
        let store = self.store_with(Duration::from_secs(30));
        store.prepare().await.unwrap();
        store
    }

    /// Runs SQL behind the store's back.
    pub(crate) async fn execute(&self, sql: &str) {
        match self {
            Self::Sqlite(_) => self.sqlite_connection().execute_batch(sql).unwrap(),
            Self::Postgres(database) => {
                let sql = sqlx::raw_sql(AssertSqlSafe(sql));
                sql.execute(&mut database.connection().await).await.unwrap();
            }
        }
    }

    /// The rows of a query all of whose columns are text.
    pub(crate) async fn rows(&self, sql: &str) -> Vec<Vec<Option<String>>> {
        match self {
            Self::Sqlite(_) => {
                let connection = self.sqlite_connection();
                let mut statement = connection.prepare(sql).unwrap();
                let columns = statement.column_count();
                let row = |row: &rusqlite::Row<'_>| (0..columns).map(|column| row.get(column)).collect();
                statement.query_map((), row).unwrap().collect::<Result<_, _>>().unwrap()
            }
            Self::Postgres(database) => sqlx::query(AssertSqlSafe(sql))
                .fetch_all(&mut database.connection().await)
                .await
                .unwrap()
                .iter()
                .map(|row| (0..row.len()).map(|column| row.get(column)).collect())
                .collect(),
        }
    }

    /// Lets nobody change a dead letter for as long as what is answered lives.
    pub(crate) async fn hold_dead_letters(&self) -> Box<dyn Send> {
        match self {
            Self::Sqlite(_) => Box::new(self.sqlite_write_lock()),
            Self::Postgres(database) => {
                let mut connection = database.connection().await;
                let lock = "BEGIN; LOCK TABLE dead_letters IN SHARE ROW EXCLUSIVE MODE";
                sqlx::raw_sql(lock).execute(&mut connection).await.unwrap();
                Box::new(connection)
            }
        }
    }

    /// The bytes of every dead letter.
    #[cfg(feature = "fail-points")]
    pub(crate) async fn dead_payloads(&self) -> Vec<Vec<u8>> {
        let sql = "SELECT payload FROM dead_letters";
        match self {
            Self::Sqlite(_) => {
                let connection = self.sqlite_connection();
                let mut statement = connection.prepare(sql).unwrap();
                statement.query_map((), |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
            }
            Self::Postgres(database) => {
                sqlx::query_scalar(sql).fetch_all(&mut database.connection().await).await.unwrap()
            }
        }
    }

    /// The only column of the only row of a query.
    pub(crate) async fn number(&self, sql: &str) -> i64 {
        match self {
            Self::Sqlite(_) => self.sqlite_connection().query_row(sql, (), |row| row.get(0)).unwrap(),
            Self::Postgres(database) => {
                let sql = AssertSqlSafe(sql);
                sqlx::query_scalar(sql).fetch_one(&mut database.connection().await).await.unwrap()
            }
        }
    }

    /// A connection to the SQLite file.
    pub(crate) fn sqlite_connection(&self) -> rusqlite::Connection {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = rusqlite::Connection::open_with_flags(self.file(), flags).unwrap();
        connection.busy_timeout(Duration::from_secs(30)).unwrap();
        connection.pragma_update(None, "foreign_keys", true).unwrap();
        connection
    }

    /// A connection to the SQLite file that lets nobody write for as long as it lives.
    pub(crate) fn sqlite_write_lock(&self) -> rusqlite::Connection {
        let connection = self.sqlite_connection();
        connection.execute_batch("BEGIN IMMEDIATE").unwrap();
        connection
    }
}

/// Holds a lock that lets everyone read and nobody write, until it is dropped.
#[derive(Debug)]
pub(crate) enum WriteLock {
    Sqlite(rusqlite::Connection),
    Postgres(PgConnection),
}

impl WriteLock {
    pub(crate) async fn on(database: &Database) -> Self {
        match database {
            Database::Sqlite(_) => Self::Sqlite(database.sqlite_write_lock()),
            Database::Postgres(postgres) => {
                let mut connection = postgres.connection().await;
                let lock = AssertSqlSafe("BEGIN; LOCK TABLE inbox IN EXCLUSIVE MODE");
                sqlx::raw_sql(lock).execute(&mut connection).await.unwrap();
                Self::Postgres(connection)
            }
        }
    }

    pub(crate) async fn release(self) {
        match self {
            Self::Sqlite(connection) => connection.close().unwrap(),
            Self::Postgres(connection) => connection.close().await.unwrap(),
        }
    }
}
