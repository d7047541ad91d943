//! A store in memory that can be paused between reading and answering, and made to fail.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use time::OffsetDateTime;
use tokio::sync::Semaphore;

use crate::{
    document::Document,
    store::{
        Aged, Aging, Audit, ChannelLedger, Class, Connections, DeadLetter, DeadLetterCounts,
        DeadLetterFilter, DeadLetterSummary, Decision, FormerDocument, Gap, GapReport, InboxKey, InboxRow,
        Lineage, Load, Matching, Message, OpenLetter, OrderArrival, Outcome, Outcomes, Recorded, Resolution,
        Result, Selection, Settlement, SourceKind, Store, StoreError, StoreStatus, StoredDocument, Stretch,
    },
};

#[derive(Debug)]
pub(crate) struct TestStore {
    documents: Mutex<BTreeMap<String, (i64, Bytes)>>,
    failure: Mutex<Option<String>>,
    paused: Mutex<bool>,
    reached: Semaphore,
    released: Semaphore,
    calls: AtomicUsize,
    refused: Mutex<BTreeMap<i64, Class>>,
    settles: AtomicUsize,
    settled: Mutex<Vec<(i64, Outcome)>>,
    postponed: Mutex<Vec<i64>>,
    refuses_gaps: AtomicBool,
    loses_an_answer: AtomicBool,
    written: Mutex<Vec<&'static str>>,
}

impl Default for TestStore {
    fn default() -> Self {
        Self {
            documents: Mutex::default(),
            failure: Mutex::default(),
            paused: Mutex::default(),
            reached: Semaphore::new(0),
            released: Semaphore::new(0),
            calls: AtomicUsize::new(0),
            refused: Mutex::default(),
            settles: AtomicUsize::new(0),
            settled: Mutex::default(),
            postponed: Mutex::default(),
            refuses_gaps: AtomicBool::new(false),
            loses_an_answer: AtomicBool::new(false),
            written: Mutex::default(),
        }
    }
}

impl TestStore {
    /// Commits a document; ids grow from 1.
    pub(crate) fn commit(&self, uid: &str, document: &'static str) {
        let mut documents = lock(&self.documents);
        let id = i64::try_from(documents.len() + 1).expect("a test is small");
        documents.insert(uid.to_owned(), (id, Bytes::from_static(document.as_bytes())));
    }

    /// Every call fails from now on, or works again.
    pub(crate) fn fail(&self, message: Option<&str>) {
        *lock(&self.failure) = message.map(str::to_owned);
    }

    /// Calls that read from now on wait for [`Self::release`] after they have read.
    pub(crate) fn pause(&self) {
        *lock(&self.paused) = true;
    }

    /// Waits until a paused call has read.
    pub(crate) async fn reached(&self) {
        self.reached.acquire().await.expect("never closed").forget();
    }

    /// Lets one paused call answer; calls made later don't pause.
    pub(crate) fn release(&self) {
        *lock(&self.paused) = false;
        self.released.add_permits(1);
    }

    /// Calls that read documents so far.
    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    /// Settling fails with this class for every batch that holds one of these inbox rows; for one of [`Class::Data`] only as
    /// long as it is to become an order.
    pub(crate) fn refuse(&self, rows: impl IntoIterator<Item = (i64, Class)>) {
        *lock(&self.refused) = rows.into_iter().collect();
    }

    /// Calls that tried to settle so far.
    pub(crate) fn settles(&self) -> usize {
        self.settles.load(Ordering::SeqCst)
    }

    /// The inbox rows that were settled, and those that were postponed, each in its order.
    pub(crate) fn settled_and_postponed(&self) -> (Vec<(i64, Outcome)>, Vec<i64>) {
        (lock(&self.settled).clone(), lock(&self.postponed).clone())
    }

    /// The next time that gaps are to be kept fails.
    pub(crate) fn refuse_gaps_once(&self) {
        self.refuses_gaps.store(true, Ordering::SeqCst);
    }

    /// The next time that orders are deleted nobody hears of it.
    pub(crate) fn lose_an_answer(&self) {
        self.loses_an_answer.store(true, Ordering::SeqCst);
    }

    /// What was written of what comes in, in this order: `gaps` and `messages`.
    pub(crate) fn written(&self) -> Vec<&'static str> {
        lock(&self.written).clone()
    }

    fn refusal(&self, row: &Settlement<'_>) -> Option<Class> {
        let class = lock(&self.refused).get(&row.row.id).copied()?;
        (class != Class::Data || matches!(row.decision, Decision::Accept(_))).then_some(class)
    }

    async fn answer<T>(&self, read: impl FnOnce() -> T + Send) -> Result<T>
    where
        T: Send,
    {
        self.calls.fetch_add(1, Ordering::SeqCst);
        self.pausing(read).await
    }

    async fn pausing<T>(&self, read: impl FnOnce() -> T + Send) -> Result<T>
    where
        T: Send,
    {
        let answer = self.works().map(|()| read());
        let paused = *lock(&self.paused);
        if paused {
            self.reached.add_permits(1);
            self.released.acquire().await.expect("never closed").forget();
        }
        answer
    }

    fn works(&self) -> Result<()> {
        lock(&self.failure).as_deref().map_or(Ok(()), |message| Err(transient(message)))
    }
}

fn transient(message: &str) -> StoreError {
    StoreError {
        transaction: "test",
        class: Class::Transient,
        answered: false,
        code: None,
        message: message.to_owned(),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no test panics with the lock")
}

#[async_trait]
impl Store for TestStore {
    fn kind(&self) -> &'static str {
        "test"
    }

    async fn prepare(&self) -> Result<Vec<String>> {
        self.works().map(|()| Vec::new())
    }

    async fn ping(&self) -> Result<()> {
        self.works()
    }

    async fn document(&self, order_uid: &str) -> Result<Option<Bytes>> {
        self.answer(|| lock(&self.documents).get(order_uid).map(|(_, document)| document.clone())).await
    }

    async fn documents(
        &self,
        before: Option<i64>,
        limit: usize,
        _max_bytes: usize,
    ) -> Result<Vec<StoredDocument>> {
        self.answer(|| {
            let mut rows: Vec<_> = lock(&self.documents)
                .iter()
                .filter(|(_, (id, _))| before.is_none_or(|before| *id < before))
                .map(|(uid, (id, document))| StoredDocument {
                    id: *id,
                    order_uid: uid.into(),
                    document: Document::new(document),
                })
                .collect();
            rows.sort_by_key(|row| std::cmp::Reverse(row.id));
            rows.truncate(limit);
            rows
        })
        .await
    }

    async fn ledger_is_empty(&self) -> Result<bool> {
        self.works().map(|()| lock(&self.documents).is_empty())
    }

    async fn status(&self) -> Result<StoreStatus> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        self.works()?;
        let mut outcomes = Outcomes::default();
        outcomes.add(Outcome::Applied, 2);
        Ok(StoreStatus {
            inbox_pending: 1,
            unaccounted: 0,
            oldest_pending: Some(Duration::from_millis(1500)),
            oldest_dead_letter: None,
            ledger: vec![ChannelLedger {
                source: SourceKind::Http,
                channel: "http".to_owned(),
                received: 3,
                outcomes,
                expired: crate::store::Expired::default(),
            }],
            channels: Vec::new(),
            available_bytes: Some(1 << 30),
        })
    }

    async fn count_dead_letters(&self) -> Result<DeadLetterCounts> {
        self.pausing(|| Resolution::ALL.map(|resolution| (resolution, 0))).await
    }

    async fn aged(&self, what: Aging, _: Duration, _: i64, _: usize) -> Result<Aged> {
        assert_eq!(what, Aging::Orders);
        let documents = lock(&self.documents);
        let ids = documents.values().map(|(id, _)| *id).collect();
        Ok(Aged { ids, uids: documents.keys().cloned().collect(), next: None })
    }

    async fn expire(&self, _: Aging, _: Duration, ids: &[i64]) -> Result<u64> {
        lock(&self.documents).retain(|_, (id, _)| !ids.contains(id));
        if self.loses_an_answer.swap(false, Ordering::SeqCst) {
            return Err(transient("no answer"));
        }
        Ok(ids.len() as u64)
    }

    async fn missing(&self, _source: SourceKind, _channel: &str) -> Result<Vec<Gap>> {
        unreachable!("no channel is read here")
    }

    async fn keep_missing(&self, _source: SourceKind, _channel: &str, _gaps: &[Gap]) -> Result<u64> {
        if self.refuses_gaps.swap(false, Ordering::SeqCst) {
            return Err(transient("refused"));
        }
        lock(&self.written).push("gaps");
        Ok(0)
    }

    async fn gaps(&self, _limit: usize) -> Result<(i64, Vec<GapReport>)> {
        Ok((0, Vec::new()))
    }

    fn connections(&self) -> Connections {
        Connections::default()
    }

    async fn record(&self, messages: &[Message]) -> Result<Vec<Recorded>> {
        lock(&self.written).push("messages");
        Ok(messages.iter().map(|message| Recorded { id: message.sequence, new: true }).collect())
    }

    async fn unsettled(&self, _: i64, _: Duration, _: usize) -> Result<Vec<InboxKey>> {
        unreachable!("nothing under test reads the inbox")
    }

    async fn load(&self, _: &[i64]) -> Result<Vec<InboxRow>> {
        unreachable!("nothing under test reads the inbox")
    }

    async fn settle(&self, batch: &[Settlement<'_>]) -> Result<Vec<Option<Outcome>>> {
        self.settles.fetch_add(1, Ordering::SeqCst);
        self.works()?;
        if let Some(class) = batch.iter().find_map(|row| self.refusal(row)) {
            let message = "refused".to_owned();
            return Err(StoreError { transaction: "settle", class, answered: true, code: None, message });
        }
        let outcomes = batch.iter().map(|row| match row.decision {
            Decision::Accept(_) => Outcome::Applied,
            Decision::Reject(_) => Outcome::Rejected,
        });
        let outcomes: Vec<Outcome> = outcomes.collect();
        lock(&self.settled).extend(batch.iter().map(|row| row.row.id).zip(outcomes.iter().copied()));
        Ok(outcomes.into_iter().map(Some).collect())
    }

    async fn postpone(&self, id: i64) -> Result<i32> {
        self.works()?;
        lock(&self.postponed).push(id);
        Ok(1)
    }

    async fn audit(&self) -> Result<Audit> {
        unreachable!("nothing under test audits")
    }

    async fn dead_letters(&self, _: &DeadLetterFilter) -> Result<Vec<DeadLetterSummary>> {
        self.answer(Vec::new).await
    }

    async fn dead_letter(&self, _: i64, _: usize) -> Result<Option<DeadLetter>> {
        self.answer(|| None).await
    }

    async fn count_open(&self, _: &Selection, _: Stretch) -> Result<Matching> {
        self.answer(|| Matching { letters: 0, last: None }).await
    }

    async fn open_letters(&self, _: &Selection, _: Stretch, _: usize) -> Result<Vec<OpenLetter>> {
        self.answer(Vec::new).await
    }

    async fn waiting_replays(&self) -> Result<Load> {
        self.answer(Load::default).await
    }

    async fn replay(&self, _: &[i64], _: Option<&[u8]>, _: &str) -> Result<Vec<i64>> {
        self.answer(Vec::new).await
    }

    async fn discard(&self, _: &[i64], _: Option<&str>, _: &str) -> Result<Vec<i64>> {
        self.answer(Vec::new).await
    }

    async fn lineage(&self, _: i64) -> Result<Option<Lineage>> {
        self.answer(|| None).await
    }

    async fn open_dead_letters(&self) -> Result<BTreeMap<String, i64>> {
        self.answer(BTreeMap::new).await
    }

    async fn newest_orders(&self, limit: usize) -> Result<Vec<OrderArrival>> {
        let mut documents = self.documents(None, limit, usize::MAX).await?;
        Ok(documents
            .drain(..)
            .map(|row| OrderArrival {
                order_uid: row.order_uid.into(),
                source: SourceKind::Http,
                channel: "http".to_owned(),
                sequence: 0,
                published_at_ns: row.id,
                updated_at: OffsetDateTime::UNIX_EPOCH,
            })
            .collect())
    }

    async fn history(
        &self,
        order_uid: &str,
        _: Option<i64>,
        _: usize,
        _: usize,
    ) -> Result<Option<Vec<FormerDocument>>> {
        self.answer(|| lock(&self.documents).contains_key(order_uid).then(Vec::new)).await
    }
}
