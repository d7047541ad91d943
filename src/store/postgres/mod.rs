//! PostgreSQL 14 or newer.

mod browse;
mod children;
mod column;
mod copy;
mod decimal;
mod desk;
mod expire;
mod gaps;
mod migrations;
mod orders;
mod prepare;
mod read;
mod record;
mod report;
mod settle;
mod target;
mod tidy;

use std::{collections::BTreeMap, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use sqlx::{ConnectOptions, Connection, PgConnection, postgres::PgConnectOptions};

use self::settle::Settled;
pub(super) use self::{decimal::printed_decimal, target::Target};
use super::{
    AT_LENGTH, Aged, Aging, Audit, CHANGES_WINDOW, Change, Connections, DeadLetter, DeadLetterCounts,
    DeadLetterFilter, DeadLetterSummary, FormerDocument, Gap, GapReport, InboxKey, InboxRow, Lineage, Load,
    Matching, Message, OpenLetter, Options, OrderArrival, Outcome, Recorded, Result, Selection, Settlement,
    SourceKind, Store, StoreStatus, StoredDocument, Stretch,
    cause::Cause,
    error::Failure,
    ledger::Shards,
    pool::{Pool, Session, call},
    tidy::{INTERVAL, SettledBytes},
};

/// READ COMMITTED: each statement sees what the others have committed while it waited for them.
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";
/// One snapshot for several reads.
const BEGIN_SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
const PING: &str = "SELECT 1";
/// - A commit that was answered is on disk, whatever the server's default is.
/// - A plan for the arrays at hand costs more than running it (measured: 40 % of the rate), so plan once.
/// - That plan outlives the time when the tables were empty and reading them whole was cheap; an index is right at any
///   size. A plain index scan also takes the locks in the order of the array it is given.
/// - What those switches do is add a great cost to the plans that are not wanted, where such a plan is the only one too, and
///   PostgreSQL would take the cost for a reason to compile the statement first (measured: 0.4 s each time).
/// - A statement that takes too long ends before its client gives up, so that the failure is an answer: a lock that somebody
///   else holds, say in a forgotten psql, is told from a server that is gone.
/// - A session that lost its client ends as soon as the client has given up.
const SET_UP: &str = "
    SELECT set_config('synchronous_commit', 'on', false), set_config('plan_cache_mode', 'force_generic_plan', false),
        set_config('enable_seqscan', 'off', false), set_config('enable_bitmapscan', 'off', false), set_config('jit', 'off', false),
        set_config('lock_timeout', $1, false), set_config('statement_timeout', $2, false),
        set_config('idle_in_transaction_session_timeout', $3, false), set_config('TimeZone', 'UTC', false)";
/// Statements of their own that read or rewrite whole tables: the planner's own choice is best.
const SET_UP_AT_LENGTH: &str = "
    SELECT set_config('synchronous_commit', 'on', false), set_config('statement_timeout', $1, false),
        set_config('idle_in_transaction_session_timeout', $1, false), set_config('TimeZone', 'UTC', false)";

/// Sessions for what must go on however many read: the lanes that settle, the inbox writer, the searches for rows that nobody
/// holds and for what others have replaced, a ping.
const PIPELINE_CONNECTIONS: usize = 6;

/// How much longer than anybody looks back an order that was deleted for its age is told of.
const KEEP_TOLD: Duration = Duration::from_secs(600);

/// How often a batch is tried while orders that are in its way are deleted; each time some are gone.
const TRIES: usize = 10;

/// What a new session needs.
#[derive(Debug)]
pub(super) struct Settings {
    server: PgConnectOptions,
    pace: Pace,
}

/// How long the calls of a session may take.
#[derive(Debug)]
enum Pace {
    /// `STORE_TIMEOUT`.
    Bounded(Duration),
    /// [`AT_LENGTH`].
    AtLength,
}

impl Session for PgConnection {
    type Settings = Settings;

    async fn open(settings: &Settings) -> Result<Self, Cause> {
        let mut connection = settings.server.connect().await?;
        let milliseconds = |time: Duration| format!("{}ms", time.as_millis().max(1));
        let set_up = match settings.pace {
            Pace::Bounded(timeout) => sqlx::query(SET_UP)
                .bind(milliseconds(timeout / 4))
                .bind(milliseconds(timeout * 4 / 5))
                .bind(milliseconds(timeout)),
            Pace::AtLength => sqlx::query(SET_UP_AT_LENGTH).bind(milliseconds(AT_LENGTH)),
        };
        set_up.execute(&mut connection).await?;
        Ok(connection)
    }

    async fn run(&mut self, sql: &'static str) -> Result<(), Cause> {
        sqlx::raw_sql(sql).execute(self).await?;
        Ok(())
    }

    async fn ping(&mut self) -> Result<(), Cause> {
        Ok(Connection::ping(self).await?)
    }
}

/// A PostgreSQL database.
#[derive(Debug)]
pub(super) struct Postgres {
    pipeline: Pool<PgConnection>,
    readers: Pool<PgConnection>,
    /// For `prepare`, `audit` and `tidy`.
    at_length: Pool<PgConnection>,
    timeout: Duration,
    shards: Shards,
    settled: SettledBytes,
}

impl Postgres {
    pub(super) fn new(server: PgConnectOptions, options: &Options) -> Self {
        let server = server.application_name("orderbox").disable_statement_logging();
        let paced = |pace| Settings { server: server.clone(), pace };
        Self {
            pipeline: Pool::new(paced(Pace::Bounded(options.timeout)), PIPELINE_CONNECTIONS),
            readers: Pool::new(paced(Pace::Bounded(options.timeout)), options.max_connections),
            at_length: Pool::that_keeps_none(paced(Pace::AtLength)),
            timeout: options.timeout,
            shards: Shards::new(),
            settled: SettledBytes::default(),
        }
    }
}

#[async_trait]
impl Store for Postgres {
    fn kind(&self) -> &'static str {
        "postgresql"
    }

    fn others(&self) -> Option<Duration> {
        Some(self.timeout)
    }

    async fn prepare(&self) -> Result<Vec<String>> {
        let asked = async {
            let mut lease = self.at_length.lease().await?;
            match prepare::server(&mut lease).await {
                Ok(server) => Ok((lease, server.warnings().map_err(Failure::Unfit)?)),
                Err(error) => lease.end(Err(error)).await,
            }
        };
        let (mut lease, warnings) = self.at_length.bounded(self.timeout, "prepare", asked).await?;
        self.at_length
            .bounded(AT_LENGTH, "prepare", async {
                let prepared = prepare::schema(&mut lease).await;
                lease.end(prepared).await?;
                Ok(warnings)
            })
            .await
    }

    async fn ping(&self) -> Result<()> {
        self.pipeline
            .bounded(self.timeout, "ping", async {
                let mut lease = self.pipeline.lease().await?;
                let answer = lease.run(PING).await;
                lease.end(answer).await
            })
            .await
    }

    async fn record(&self, messages: &[Message]) -> Result<Vec<Recorded>> {
        call!(self.pipeline, record::record(messages, self.shards.first()))
    }

    async fn unsettled(&self, after: i64, min_age: Duration, limit: usize) -> Result<Vec<InboxKey>> {
        call!(self.pipeline, read::unsettled(after, min_age, limit))
    }

    async fn load(&self, ids: &[i64]) -> Result<Vec<InboxRow>> {
        call!(self.pipeline, read::load(ids))
    }

    async fn settle(&self, batch: &[Settlement<'_>]) -> Result<Vec<Option<Outcome>>> {
        self.pipeline
            .bounded(self.timeout, "settle", async {
                let shard = self.shards.take();
                for _ in 0..TRIES {
                    let mut lease = self.pipeline.begin(BEGIN).await?;
                    match settle::settle(&mut lease, batch, shard.number()).await {
                        Ok(Settled::Done(outcomes)) => {
                            let outcomes = lease.end_settle(outcomes).await?;
                            self.settled.add(batch);
                            return Ok(outcomes);
                        }
                        Ok(Settled::Overtaken) => lease.roll_back().await?,
                        Err(error) => return lease.end(Err(error)).await,
                    }
                }
                Err(Failure::Overtaken)
            })
            .await
    }

    async fn postpone(&self, id: i64) -> Result<i32> {
        call!(self.pipeline, BEGIN, record::postpone(id))
    }

    async fn room_for(&self, bytes: usize) -> Result<()> {
        self.pipeline
            .bounded(self.timeout, "record", async {
                let mut lease = self.pipeline.begin(BEGIN).await?;
                match record::take_room(&mut lease, bytes).await {
                    Ok(()) => lease.roll_back().await,
                    Err(error) => lease.end(Err(error)).await,
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

    async fn changes_since(&self, window: Duration) -> Result<Vec<Change>> {
        call!(self.pipeline, read::changes_since(window))
    }

    async fn changed(&self, changes: &[Change]) -> Result<Vec<(String, Option<[u8; 32]>)>> {
        call!(self.pipeline, read::changed(changes))
    }

    async fn ledger_is_empty(&self) -> Result<bool> {
        call!(self.readers, report::ledger_is_empty())
    }

    async fn status(&self) -> Result<StoreStatus> {
        call!(self.readers, report::status())
    }

    async fn count_dead_letters(&self) -> Result<DeadLetterCounts> {
        call!(self.readers, report::count_dead_letters())
    }

    async fn missing(&self, source: SourceKind, channel: &str) -> Result<Vec<Gap>> {
        call!(self.readers, gaps::missing(source, channel))
    }

    async fn keep_missing(&self, source: SourceKind, channel: &str, gaps: &[Gap]) -> Result<u64> {
        call!(self.pipeline, BEGIN, gaps::keep_missing(source, channel, gaps))
    }

    async fn gaps(&self, limit: usize) -> Result<(i64, Vec<GapReport>)> {
        call!(self.readers, BEGIN_SNAPSHOT, gaps::gaps(limit))
    }

    async fn tidy(&self) -> Result<Duration> {
        let Some(bytes) = self.settled.at_least(tidy::VACUUM_AFTER) else { return Ok(INTERVAL) };
        let mut lease = self.at_length.bounded(self.timeout, "tidy", self.at_length.lease()).await?;
        let pause = self
            .at_length
            .bounded(AT_LENGTH, "tidy", async {
                let pause = tidy::vacuum(&mut lease).await;
                lease.end(pause).await
            })
            .await?;
        self.settled.tidied(bytes);
        Ok(pause)
    }

    async fn aged(&self, what: Aging, age: Duration, after: i64, limit: usize) -> Result<Aged> {
        call!(self.readers, expire::aged(what, age.as_secs_f64(), after, limit))
    }

    async fn expire(&self, what: Aging, age: Duration, ids: &[i64]) -> Result<u64> {
        let shard = self.shards.take();
        call!(self.readers, BEGIN, expire::expire(what, age.as_secs_f64(), ids, shard.number()))
    }

    async fn forget_told(&self) -> Result<u64> {
        let age = KEEP_TOLD + CHANGES_WINDOW * self.timeout;
        call!(self.readers, expire::forget_told(age.as_secs_f64()))
    }

    fn connections(&self) -> Connections {
        self.pipeline.connections() + self.readers.connections() + self.at_length.connections()
    }

    async fn audit(&self) -> Result<Audit> {
        let begun = self.at_length.begin(BEGIN_SNAPSHOT);
        let mut lease = self.at_length.bounded(self.timeout, "audit", begun).await?;
        self.at_length
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
        call!(self.readers, BEGIN, desk::replay(ids, edited, by, self.shards.first()))
    }

    async fn discard(&self, ids: &[i64], note: Option<&str>, by: &str) -> Result<Vec<i64>> {
        call!(self.readers, BEGIN, desk::discard(ids, note, by))
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
        call!(self.readers, BEGIN_SNAPSHOT, browse::history(order_uid, before, limit, max_bytes))
    }
}
