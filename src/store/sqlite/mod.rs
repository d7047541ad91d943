//! SQLite: one writer, several readers, write-ahead logging, and a sync at every commit.

mod browse;
mod children;
mod column;
mod copy;
mod date;
mod desk;
mod expire;
mod gaps;
mod migrations;
mod orders;
mod packed;
mod read;
mod record;
mod report;
mod session;
mod settle;
mod tidy;

#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;

pub(super) use self::copy::Source;
use self::session::{Settings, SqliteSession};
use super::{
    AT_LENGTH, Aged, Aging, Audit, Connections, DeadLetter, DeadLetterCounts, DeadLetterFilter,
    DeadLetterSummary, FormerDocument, Gap, GapReport, InboxKey, InboxRow, Lineage, Load, Matching, Message,
    OpenLetter, Options, OrderArrival, Outcome, Recorded, Result, Selection, Settlement, SourceKind, Store,
    StoreStatus, StoredDocument, Stretch,
    error::Failure,
    ledger::Shards,
    pool::{Pool, Session, call},
    tidy::SettledBytes,
};

/// Takes the write lock at once: a transaction that begins by reading may find that it can no longer write.
const BEGIN_WRITE: &str = "BEGIN IMMEDIATE";
/// One snapshot for several reads.
const BEGIN_READ: &str = "BEGIN";
/// Reads the file, which `SELECT 1` does not.
const PING: &str = "SELECT count(*) FROM sqlite_schema";

/// - A commit that was answered is on disk.
/// - A checkpoint holds the writer up, so [`Store::tidy`] does most of it beside the writer, which puts the rest into the file
///   once the log has 40,000 pages (160 MiB) and then begins it anew; one that a long snapshot has made larger than 256 MiB is cut
///   to that.
/// - A negative size of the cache is one in KiB: 64 MiB.
const WRITER_PRAGMAS: &str = "
    PRAGMA journal_mode = WAL; PRAGMA foreign_keys = ON; PRAGMA synchronous = FULL;
    PRAGMA wal_autocheckpoint = 40000; PRAGMA journal_size_limit = 268435456; PRAGMA cache_size = -65536";
/// A reader puts the log into the file as well, and syncs both: see [`Store::tidy`].
const READER_PRAGMAS: &str = "PRAGMA foreign_keys = ON; PRAGMA synchronous = FULL; PRAGMA query_only = ON";

/// A SQLite file.
#[derive(Debug)]
pub(super) struct Sqlite {
    path: PathBuf,
    writer: Pool<SqliteSession>,
    readers: Pool<SqliteSession>,
    timeout: Duration,
    shards: Shards,
    settled: SettledBytes,
}

impl Sqlite {
    pub(super) fn new(path: &Path, options: &Options) -> Self {
        let writer = Settings {
            path: path.to_owned(),
            create: options.create,
            // Shorter than the call, so that a lock which another process holds is told from a disk that hangs.
            busy_timeout: options.timeout / 2,
            pragmas: WRITER_PRAGMAS,
        };
        let reader = Settings { create: false, pragmas: READER_PRAGMAS, ..writer.clone() };
        let writer = Pool::new(writer, 1);
        Self {
            path: path.to_owned(),
            readers: Pool::beside(&writer, reader, options.max_connections),
            writer,
            timeout: options.timeout,
            shards: Shards::new(),
            settled: SettledBytes::default(),
        }
    }

    /// What the file may still grow by, root's reserve left out.
    fn available_bytes(&self) -> Option<u64> {
        let system = rustix::fs::statvfs(&self.path).ok()?;
        Some(system.f_bavail * system.f_frsize)
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
                let migrated = lease.call(migrations::run).await;
                lease.end(migrated).await?;
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
        call!(self.writer, BEGIN_WRITE, record::record(messages, self.shards.first()))
    }

    async fn unsettled(&self, after: i64, min_age: Duration, limit: usize) -> Result<Vec<InboxKey>> {
        call!(self.readers, read::unsettled(after, min_age, limit))
    }

    async fn load(&self, ids: &[i64]) -> Result<Vec<InboxRow>> {
        call!(self.readers, read::load(ids))
    }

    async fn settle(&self, batch: &[Settlement<'_>]) -> Result<Vec<Option<Outcome>>> {
        self.writer
            .bounded(self.timeout, "settle", async {
                let shard = self.shards.take();
                let packed = settle::Batch::of(batch);
                let mut lease = self.writer.begin(BEGIN_WRITE).await?;
                match settle::settle(&mut lease, packed, shard.number()).await {
                    Ok(outcomes) => {
                        let outcomes = lease.end_settle(outcomes).await?;
                        self.settled.add(batch);
                        Ok(outcomes)
                    }
                    Err(error) => lease.end(Err(error)).await,
                }
            })
            .await
    }

    async fn postpone(&self, id: i64) -> Result<i32> {
        call!(self.writer, BEGIN_WRITE, record::postpone(id))
    }

    async fn room_for(&self, bytes: usize) -> Result<()> {
        self.writer
            .bounded(self.timeout, "record", async {
                let mut lease = self.writer.begin(BEGIN_WRITE).await?;
                let written = record::postpone(&mut lease, 0).await;
                lease.end(written).await?;
                // What is rolled back is never written, so that no statement could tell. Both files take the message.
                match self.available_bytes() {
                    Some(available) if available < 2 * bytes as u64 => Err(Failure::Full),
                    _ => Ok(()),
                }
            })
            .await
    }

    async fn document(&self, order_uid: &str) -> Result<Option<Bytes>> {
        call!(self.readers, read::document(order_uid))
    }

    async fn documents(
        &self,
        before: Option<i64>,
        limit: usize,
        max_bytes: usize,
    ) -> Result<Vec<StoredDocument>> {
        call!(self.readers, read::documents(before, limit, max_bytes))
    }

    async fn ledger_is_empty(&self) -> Result<bool> {
        call!(self.readers, report::ledger_is_empty())
    }

    async fn status(&self) -> Result<StoreStatus> {
        self.readers
            .bounded(self.timeout, "status", async {
                let mut lease = self.readers.lease().await?;
                let status = report::status(&mut lease).await;
                let status = lease.end(status).await?;
                // After the answer: a disk that hangs must not hang the thread that asks for its room.
                Ok(StoreStatus { available_bytes: self.available_bytes(), ..status })
            })
            .await
    }

    async fn count_dead_letters(&self) -> Result<DeadLetterCounts> {
        call!(self.readers, report::count_dead_letters())
    }

    async fn missing(&self, source: SourceKind, channel: &str) -> Result<Vec<Gap>> {
        call!(self.readers, gaps::missing(source, channel))
    }

    async fn keep_missing(&self, source: SourceKind, channel: &str, gaps: &[Gap]) -> Result<u64> {
        call!(self.writer, BEGIN_WRITE, gaps::keep_missing(source, channel, gaps))
    }

    async fn gaps(&self, limit: usize) -> Result<(i64, Vec<GapReport>)> {
        call!(self.readers, BEGIN_READ, gaps::gaps(limit))
    }

    async fn tidy(&self) -> Result<Duration> {
        if let Some(bytes) = self.settled.at_least(tidy::CHECKPOINT_AFTER) {
            let mut lease = self.readers.bounded(self.timeout, "tidy", self.readers.lease()).await?;
            let all = self
                .readers
                .bounded(AT_LENGTH, "tidy", async {
                    let all = tidy::checkpoint(&mut lease).await;
                    lease.end(all).await
                })
                .await?;
            if all {
                self.settled.tidied(bytes);
            }
        }
        Ok(tidy::CHECKPOINT_INTERVAL)
    }

    async fn aged(&self, what: Aging, age: Duration, after: i64, limit: usize) -> Result<Aged> {
        call!(self.readers, expire::aged(what, age.as_secs_f64(), after, limit))
    }

    async fn expire(&self, what: Aging, age: Duration, ids: &[i64]) -> Result<u64> {
        let shard = self.shards.take();
        call!(self.writer, BEGIN_WRITE, expire::expire(what, age.as_secs_f64(), ids, shard.number()))
    }

    fn connections(&self) -> Connections {
        self.writer.connections() + self.readers.connections()
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
        call!(self.readers, report::dead_letters(filter))
    }

    async fn dead_letter(&self, id: i64, max_bytes: usize) -> Result<Option<DeadLetter>> {
        call!(self.readers, report::dead_letter(id, max_bytes))
    }

    async fn count_open(&self, selection: &Selection, stretch: Stretch) -> Result<Matching> {
        call!(self.readers, desk::count_open(selection, stretch))
    }

    async fn open_letters(
        &self,
        selection: &Selection,
        stretch: Stretch,
        limit: usize,
    ) -> Result<Vec<OpenLetter>> {
        call!(self.readers, desk::open_letters(selection, stretch, limit))
    }

    async fn waiting_replays(&self) -> Result<Load> {
        call!(self.readers, desk::waiting_replays())
    }

    async fn replay(&self, ids: &[i64], edited: Option<&[u8]>, by: &str) -> Result<Vec<i64>> {
        call!(self.writer, BEGIN_WRITE, desk::replay(ids, edited, by, self.shards.first()))
    }

    async fn discard(&self, ids: &[i64], note: Option<&str>, by: &str) -> Result<Vec<i64>> {
        call!(self.writer, BEGIN_WRITE, desk::discard(ids, note, by))
    }

    async fn lineage(&self, id: i64) -> Result<Option<Lineage>> {
        call!(self.readers, desk::lineage(id))
    }

    async fn open_dead_letters(&self) -> Result<BTreeMap<String, i64>> {
        call!(self.readers, browse::open_dead_letters())
    }

    async fn newest_orders(&self, limit: usize) -> Result<Vec<OrderArrival>> {
        call!(self.readers, browse::newest_orders(limit))
    }

    async fn history(
        &self,
        order_uid: &str,
        before: Option<i64>,
        limit: usize,
        max_bytes: usize,
    ) -> Result<Option<Vec<FormerDocument>>> {
        call!(self.readers, BEGIN_READ, browse::history(order_uid, before, limit, max_bytes))
    }
}

/// An array for `json_each`.
fn json<T: serde::Serialize>(values: &T) -> String {
    serde_json::to_string(values).expect("numbers and strings are always JSON")
}
