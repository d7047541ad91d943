use std::{path::PathBuf, sync::Arc, time::Duration};

use orderbox::store::{Options, Store, connect};
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, PgConnection, Row, SqliteConnection,
    sqlite::SqliteConnectOptions,
};
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
        let sql = sqlx::raw_sql(AssertSqlSafe(sql));
        match self {
            Self::Sqlite(_) => {
                sql.execute(&mut self.sqlite_connection().await).await.unwrap();
            }
            Self::Postgres(database) => {
                sql.execute(&mut database.connection().await).await.unwrap();
            }
        }
    }

    /// The rows of a query all of whose columns are text.
    pub(crate) async fn rows(&self, sql: &str) -> Vec<Vec<Option<String>>> {
        let sql = AssertSqlSafe(sql);
        macro_rules! rows {
            ($connection:expr) => {
                sqlx::query(sql)
                    .fetch_all(&mut $connection)
                    .await
                    .unwrap()
                    .iter()
                    .map(|row| (0..row.len()).map(|column| row.get(column)).collect())
                    .collect()
            };
        }
        match self {
            Self::Sqlite(_) => rows!(self.sqlite_connection().await),
            Self::Postgres(database) => rows!(database.connection().await),
        }
    }

    /// Lets nobody change a dead letter for as long as what is answered lives.
    pub(crate) async fn hold_dead_letters(&self) -> Box<dyn Send> {
        match self {
            Self::Sqlite(_) => {
                let mut connection = self.sqlite_connection().await;
                sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut connection).await.unwrap();
                Box::new(connection)
            }
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
                sqlx::query_scalar(sql).fetch_all(&mut self.sqlite_connection().await).await.unwrap()
            }
            Self::Postgres(database) => {
                sqlx::query_scalar(sql).fetch_all(&mut database.connection().await).await.unwrap()
            }
        }
    }

    /// The only column of the only row of a query.
    pub(crate) async fn number(&self, sql: &str) -> i64 {
        let sql = AssertSqlSafe(sql);
        match self {
            Self::Sqlite(_) => {
                sqlx::query_scalar(sql).fetch_one(&mut self.sqlite_connection().await).await.unwrap()
            }
            Self::Postgres(database) => {
                sqlx::query_scalar(sql).fetch_one(&mut database.connection().await).await.unwrap()
            }
        }
    }

    /// A connection to the SQLite file.
    pub(crate) async fn sqlite_connection(&self) -> SqliteConnection {
        SqliteConnectOptions::new()
            .filename(self.file())
            .busy_timeout(Duration::from_secs(30))
            .disable_statement_logging()
            .connect()
            .await
            .unwrap()
    }
}

/// Holds a lock that lets everyone read and nobody write, until it is dropped.
#[derive(Debug)]
pub(crate) enum WriteLock {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl WriteLock {
    pub(crate) async fn on(database: &Database) -> Self {
        match database {
            Database::Sqlite(_) => {
                let mut connection = database.sqlite_connection().await;
                sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut connection).await.unwrap();
                Self::Sqlite(connection)
            }
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
            Self::Sqlite(connection) => connection.close().await.unwrap(),
            Self::Postgres(connection) => connection.close().await.unwrap(),
        }
    }
}
