//! Everything durable. Only this module speaks SQL; [`Store`] is its one door, and every rule about it is a test that runs
//! on each implementation (`tests/conformance`).

mod audit;
mod browse;
mod cause;
mod connect;
pub mod copy;
mod dead_letter;
mod desk;
mod error;
mod gap;
mod ledger;
mod model;
mod pauses;
mod plan;
mod pool;
mod postgres;
mod report;
mod retention;
mod sqlite;
mod tidy;
mod version;

use std::{collections::BTreeMap, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;

pub use audit::{Audit, ChannelAudit, Difference};
pub use browse::{FormerDocument, OrderArrival};
pub(crate) use connect::sqlite_file;
pub use connect::{ConnectError, Options, ServeLock, connect, lock_for_serve};
pub use dead_letter::{DeadLetter, DeadLetterFilter, DeadLetterSummary, LetterError, Resolution};
pub use desk::{Lineage, Load, Matching, OpenLetter, Parent, Replay, ReplayState, Selection, Stretch};
pub(crate) use desk::{REPLAYS_AT_ONCE, replay_id};
pub use error::{Class, StoreError};
pub use gap::{Gap, GapReport};
pub use model::{
    Change, Decision, InboxKey, InboxRow, Message, Outcome, Recorded, Refusal, Settlement, SourceKind,
    StoredDocument,
};
pub(crate) use pauses::Pauses;
pub use pool::Connections;
pub use report::{ChannelLedger, ChannelPosition, DeadLetterCounts, Expired, Outcomes, StoreStatus};
pub use retention::{Aged, Aging, keep_no_longer};
pub(crate) use tidy::keep_tidy;

/// How far back whoever follows [`Store::changes_since`] looks, in times of the longest transaction. A change is dated when its
/// transaction begins and seen when that has committed. The last look that missed it was before the commit, and this one
/// is less than one such time later. So two would do; the third is for a commit that takes twice as long, on a disk that hangs.
pub(crate) const CHANGES_WINDOW: u32 = 3;

/// The result of a call to the store.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// How long the calls may take whose work grows with what is stored: [`Store::prepare`], [`Store::audit`], [`Store::tidy`].
const AT_LENGTH: Duration = Duration::from_secs(600);

/// A database that holds the inbox, the orders, the dead letters and the ledger.
///
/// Every call ends within `STORE_TIMEOUT`, but for those whose work grows with what is stored (a migration, an audit, a vacuum, a
/// checkpoint): these begin within it and end within ten minutes. One that does not is a [`Class::Transient`] error of unknown outcome, and its
/// connection is closed, never reused. Every call may be repeated: see each for what a repetition finds.
#[async_trait]
pub trait Store: Send + Sync + std::fmt::Debug {
    /// `postgresql` or `sqlite`.
    fn kind(&self) -> &'static str;

    /// How long a transaction of another process that settles may take; `None` when there can be no other.
    fn others(&self) -> Option<Duration> {
        None
    }

    /// Brings the schema up to date and returns what an operator should know (a server that may lose commits, …).
    async fn prepare(&self) -> Result<Vec<String>>;

    /// One round trip.
    async fn ping(&self) -> Result<()>;

    /// Commits messages to the inbox, and `received` to the ledger for those that were not there; answers in their order.
    /// A repetition finds the rows of the first call.
    async fn record(&self, messages: &[Message]) -> Result<Vec<Recorded>>;

    /// Keys of up to `limit` inbox rows with an id over `after` that have waited at least `min_age` by the store's clock,
    /// in order of id. Replays are nobody's yet: of them a second is enough.
    async fn unsettled(&self, after: i64, min_age: Duration, limit: usize) -> Result<Vec<InboxKey>>;

    /// The rows of these ids that are still in the inbox.
    async fn load(&self, ids: &[i64]) -> Result<Vec<InboxRow>>;

    /// Settles a batch in one transaction as if its messages came one by one, ordered by
    /// (published_at_ns, sequence, message_id); answers in the order given. `None`: somebody else has settled that row,
    /// nothing was written for it. A repetition therefore answers `None`.
    async fn settle(&self, batch: &[Settlement<'_>]) -> Result<Vec<Option<Outcome>>>;

    /// Adds one to the attempts of an inbox row and returns them; 0 when the row is no longer there.
    /// It is also the proof that the store takes writes while one row fails.
    async fn postpone(&self, id: i64) -> Result<i32>;

    /// Whether a message of so many bytes could be recorded now; nothing is.
    async fn room_for(&self, _bytes: usize) -> Result<()> {
        self.postpone(0).await.map(drop)
    }

    /// The document of an order.
    async fn document(&self, order_uid: &str) -> Result<Option<Bytes>>;

    /// Up to `limit` documents with an id under `before` (all when `None`), newest first, cut at about `max_bytes`.
    async fn documents(
        &self,
        before: Option<i64>,
        limit: usize,
        max_bytes: usize,
    ) -> Result<Vec<StoredDocument>>;

    /// What became of orders in transactions that began in the last `window`, by the store's clock. Asked only where there
    /// may be [`Store::others`].
    async fn changes_since(&self, _window: Duration) -> Result<Vec<Change>> {
        Ok(Vec::new())
    }

    /// The uids of these orders, with the SHA-256 of a document that was replaced; asked together with
    /// [`Store::changes_since`].
    async fn changed(&self, _changes: &[Change]) -> Result<Vec<(String, Option<[u8; 32]>)>> {
        Ok(Vec::new())
    }

    /// `true` until the first message was recorded.
    async fn ledger_is_empty(&self) -> Result<bool>;

    /// Figures that are cheap to read, all from one snapshot: of the tables only the inbox is counted, never one that grows.
    async fn status(&self) -> Result<StoreStatus>;

    /// The dead letters counted, which takes the longer the more there are.
    async fn count_dead_letters(&self) -> Result<DeadLetterCounts>;

    /// What of a channel is missing: lost, or perhaps only late; in the order in which it was noticed.
    async fn missing(&self, source: SourceKind, channel: &str) -> Result<Vec<Gap>>;

    /// From now on exactly this is missing of a channel; what is no longer is closed when it had been lost, else forgotten.
    /// Answers how many gaps are newly lost. A repetition changes nothing.
    async fn keep_missing(&self, source: SourceKind, channel: &str, gaps: &[Gap]) -> Result<u64>;

    /// How many lost gaps are open, and the latest `limit`, open ones first.
    async fn gaps(&self, limit: usize) -> Result<(i64, Vec<GapReport>)>;

    /// Does now, in small parts, what the database would do later and all at once for what has been settled, when that is much.
    /// Answers how long to wait before the next call. Only the size of the database's files and its pace depend on it.
    async fn tidy(&self) -> Result<Duration> {
        Ok(tidy::INTERVAL)
    }

    /// What of up to `limit` rows with an id over `after`, in order of id, is older than `age` by the store's clock.
    async fn aged(&self, _what: Aging, _age: Duration, _after: i64, _limit: usize) -> Result<Aged> {
        Ok(Aged::default())
    }

    /// Deletes those of these rows that are still older than `age` and that nothing refers to, counts them in the ledger, and answers how
    /// many they were: a repetition finds none. Whoever asks for [`Store::changes_since`] hears of the orders.
    async fn expire(&self, _what: Aging, _age: Duration, _ids: &[i64]) -> Result<u64> {
        Ok(0)
    }

    /// Deletes a part of what [`Store::changes_since`] has told of deleted orders for so long that nobody asks for it any more, and
    /// answers how much: nothing when all of it is gone.
    async fn forget_told(&self) -> Result<u64> {
        Ok(0)
    }

    /// How many connections there are now. Asks nobody.
    fn connections(&self) -> Connections;

    /// The ledger and every table counted in one snapshot. Reads all of them: seconds for millions of orders.
    async fn audit(&self) -> Result<Audit>;

    /// Dead letters without their payloads, newest first.
    async fn dead_letters(&self, filter: &DeadLetterFilter) -> Result<Vec<DeadLetterSummary>>;

    /// One dead letter with its payload, or the first `max_bytes` of it.
    async fn dead_letter(&self, id: i64, max_bytes: usize) -> Result<Option<DeadLetter>>;

    /// How many open dead letters a selection has in a stretch of ids, and which is the newest.
    async fn count_open(&self, selection: &Selection, stretch: Stretch) -> Result<Matching>;

    /// Up to `limit` open dead letters of a selection in a stretch of ids, oldest first.
    async fn open_letters(
        &self,
        selection: &Selection,
        stretch: Stretch,
        limit: usize,
    ) -> Result<Vec<OpenLetter>>;

    /// The replays that wait in the inbox.
    async fn waiting_replays(&self) -> Result<Load>;

    /// Puts those of these dead letters that are open into the inbox, and counts them as received; with `edited` instead of
    /// what they say. Answers which those were, in ascending order: a repetition answers none. Each keeps the place of its
    /// message in the channel, so that it never overwrites what is newer.
    async fn replay(&self, ids: &[i64], edited: Option<&[u8]>, by: &str) -> Result<Vec<i64>>;

    /// Discards those of these dead letters that are open, and answers which those were, in ascending order: a repetition
    /// answers none.
    async fn discard(&self, ids: &[i64], note: Option<&str>, by: &str) -> Result<Vec<i64>>;

    /// What a dead letter is a replay of, and what its own replay became; `None` when there is no such dead letter.
    async fn lineage(&self, id: i64) -> Result<Option<Lineage>>;

    /// How many open dead letters each reason has; a reason that has none is not there.
    async fn open_dead_letters(&self) -> Result<BTreeMap<String, i64>>;

    /// The latest `limit` uids that came, newest first, without their documents.
    async fn newest_orders(&self, limit: usize) -> Result<Vec<OrderArrival>>;

    /// Up to `limit` documents of a uid that were replaced or came too late, with an id under `before` (all when `None`),
    /// newest first, cut at about `max_bytes`; one at least. `None` when there is neither an order nor a document with this uid.
    async fn history(
        &self,
        order_uid: &str,
        before: Option<i64>,
        limit: usize,
        max_bytes: usize,
    ) -> Result<Option<Vec<FormerDocument>>>;
}
