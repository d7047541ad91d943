//! SQLite: one writer, several readers, write-ahead logging, and a sync at every commit.

mod children;
mod date;
mod insert;
mod read;
mod record;
mod report;
mod settle;

#[cfg(test)]
mod tests;

use std::{path::Path, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use sqlx::{
    ConnectOptions, SqliteConnection,
    migrate::Migrator,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};

use super::{
    AT_LENGTH, Audit, DeadLetter, DeadLetterFilter, DeadLetterSummary, InboxKey, InboxRow, Message, Options,
    Outcome, Recorded, Result, Settlement, Store, StoreStatus, StoredDocument, ledger,
    pool::{Pool, Session},
};

static MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");

/// Takes the write lock at once: a transaction that begins by reading may find that it can no longer write.
const BEGIN_WRITE: &str = "BEGIN IMMEDIATE";
/// One snapshot for several reads.
const BEGIN_READ: &str = "BEGIN";
/// Reads the file, which `SELECT 1` does not.
const PING: &str = "SELECT count(*) FROM sqlite_schema";

/// In pages; a checkpoint is what costs most when uids are random, and this many share one (40 MiB of log).
const CHECKPOINT_PAGES: &str = "10000";
/// In KiB, negative by SQLite's convention: 64 MiB.
const WRITER_CACHE: &str = "-65536";

impl Session for SqliteConnection {
    type Settings = SqliteConnectOptions;

    async fn open(settings: &SqliteConnectOptions) -> sqlx::Result<Self> {
        settings.connect().await
    }

    async fn run(&mut self, sql: &'static str) -> sqlx::Result<()> {
        sqlx::raw_sql(sql).execute(self).await.map(drop)
    }
}

/// A SQLite file.
#[derive(Debug)]
pub(super) struct Sqlite {
    writer: Pool<SqliteConnection>,
    readers: Pool<SqliteConnection>,
    timeout: Duration,
    shard: i16,
}

impl Sqlite {
    pub(super) fn new(path: &Path, options: &Options) -> Self {
        let common = SqliteConnectOptions::new()
            .filename(path)
            .foreign_keys(true)
            // Shorter than the call, so that a lock which another process holds is told from a disk that hangs.
            .busy_timeout(options.timeout / 2)
            .disable_statement_logging();
        let writer = common
            .clone()
            .create_if_missing(options.create)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .pragma("cache_size", WRITER_CACHE)
            .pragma("wal_autocheckpoint", CHECKPOINT_PAGES);
        let reader = common.pragma("query_only", "ON");
        Self {
            writer: Pool::new(writer, 1),
            readers: Pool::new(reader, options.max_connections),
            timeout: options.timeout,
            shard: ledger::random_shard(),
        }
    }
}

#[async_trait]
impl Store for Sqlite {
    fn kind(&self) -> &'static str {
        "sqlite"
    }

    async fn prepare(&self) -> Result<Vec<String>> {
        let mut lease = self.writer.bounded(self.timeout, "prepare", self.writer.lease()).await?;
        self.writer
            .bounded(AT_LENGTH, "prepare", async {
                let migrated = MIGRATIONS.run_direct(None, &mut *lease, false).await;
                lease.end(migrated.map_err(sqlx::Error::from)).await?;
                Ok(Vec::new())
            })
            .await
    }

    async fn ping(&self) -> Result<()> {
        self.readers
            .bounded(self.timeout, "ping", async {
                let mut lease = self.readers.lease().await?;
                let answer = lease.run(PING).await;
                lease.end(answer).await
            })
            .await
    }

    async fn record(&self, messages: &[Message]) -> Result<Vec<Recorded>> {
        self.writer
            .bounded(self.timeout, "record", async {
                let mut lease = self.writer.begin(BEGIN_WRITE).await?;
                let recorded = record::record(&mut lease, messages, self.shard).await;
                lease.end(recorded).await
            })
            .await
    }

    async fn unsettled(&self, after: i64, min_age: Duration, limit: usize) -> Result<Vec<InboxKey>> {
        self.readers
            .bounded(self.timeout, "unsettled", async {
                let mut lease = self.readers.lease().await?;
                let keys = read::unsettled(&mut lease, after, min_age, limit).await;
                lease.end(keys).await
            })
            .await
    }

    async fn load(&self, ids: &[i64]) -> Result<Vec<InboxRow>> {
        self.readers
            .bounded(self.timeout, "load", async {
                let mut lease = self.readers.lease().await?;
                let rows = read::load(&mut lease, ids).await;
                lease.end(rows).await
            })
            .await
    }

    async fn settle(&self, batch: &[Settlement<'_>]) -> Result<Vec<Option<Outcome>>> {
        self.writer
            .bounded(self.timeout, "settle", async {
                let mut lease = self.writer.begin(BEGIN_WRITE).await?;
                let outcomes = settle::settle(&mut lease, batch, self.shard).await;
                lease.end(outcomes).await
            })
            .await
    }

    async fn postpone(&self, id: i64) -> Result<i32> {
        self.writer
            .bounded(self.timeout, "postpone", async {
                let mut lease = self.writer.begin(BEGIN_WRITE).await?;
                let attempts = record::postpone(&mut lease, id).await;
                lease.end(attempts).await
            })
            .await
    }

    async fn document(&self, order_uid: &str) -> Result<Option<Bytes>> {
        self.readers
            .bounded(self.timeout, "document", async {
                let mut lease = self.readers.lease().await?;
                let document = read::document(&mut lease, order_uid).await;
                lease.end(document).await
            })
            .await
    }

    async fn documents(
        &self,
        before: Option<i64>,
        limit: usize,
        max_bytes: usize,
    ) -> Result<Vec<StoredDocument>> {
        self.readers
            .bounded(self.timeout, "documents", async {
                let mut lease = self.readers.lease().await?;
                let documents = read::documents(&mut lease, before, limit, max_bytes).await;
                lease.end(documents).await
            })
            .await
    }

    async fn ledger_is_empty(&self) -> Result<bool> {
        self.readers
            .bounded(self.timeout, "ledger_is_empty", async {
                let mut lease = self.readers.lease().await?;
                let empty = report::ledger_is_empty(&mut lease).await;
                lease.end(empty).await
            })
            .await
    }

    async fn status(&self) -> Result<StoreStatus> {
        self.readers
            .bounded(self.timeout, "status", async {
                let mut lease = self.readers.begin(BEGIN_READ).await?;
                let status = report::status(&mut lease).await;
                lease.end(status).await
            })
            .await
    }

    async fn audit(&self) -> Result<Audit> {
        let begun = self.readers.begin(BEGIN_READ);
        let mut lease = self.readers.bounded(self.timeout, "audit", begun).await?;
        self.readers
            .bounded(AT_LENGTH, "audit", async {
                let audit = report::audit(&mut lease).await;
                lease.end(audit).await
            })
            .await
    }

    async fn dead_letters(&self, filter: &DeadLetterFilter) -> Result<Vec<DeadLetterSummary>> {
        self.readers
            .bounded(self.timeout, "dead_letters", async {
                let mut lease = self.readers.lease().await?;
                let dead_letters = report::dead_letters(&mut lease, filter).await;
                lease.end(dead_letters).await
            })
            .await
    }

    async fn dead_letter(&self, id: i64) -> Result<Option<DeadLetter>> {
        self.readers
            .bounded(self.timeout, "dead_letter", async {
                let mut lease = self.readers.lease().await?;
                let dead_letter = report::dead_letter(&mut lease, id).await;
                lease.end(dead_letter).await
            })
            .await
    }
}
