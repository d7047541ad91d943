//! A store in memory with true transactions, which fails by a seeded schedule.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use fastrand::Rng;
use orderbox::{
    document::Document,
    store::{
        Aged, Aging, Audit, Change, Class, Connections, DeadLetter, DeadLetterCounts, DeadLetterFilter,
        DeadLetterSummary, FormerDocument, Gap, GapReport, InboxKey, InboxRow, Lineage, Load, Matching,
        Message, OpenLetter, OrderArrival, Outcome, Recorded, Result, Selection, Settlement, SourceKind,
        Store, StoreStatus, StoredDocument, Stretch,
    },
};
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use super::{
    Breakage,
    journal::Journal,
    server::{Server, error},
    tables::{Pending, Tables, Verdict},
    weather::{Fate, Weather, fate},
};

/// What is wrong with a row in the eyes of the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ill {
    /// It can never be an order.
    Data,
    /// It is refused until the faults end.
    Refused,
    /// The store does not answer for it until the faults end.
    Silencing,
}

#[derive(Debug)]
pub(crate) struct SimStore {
    server: Server,
    journal: Arc<Journal>,
    state: Mutex<State>,
    breakage: Option<Breakage>,
    /// Whether several instances settle.
    shared: bool,
}

#[derive(Debug)]
struct State {
    rng: Rng,
    weather: Weather,
    ill: BTreeMap<Arc<str>, Ill>,
    /// Whether orders grow old.
    ages: bool,
    /// Whether nobody knows of a deletion if it happened.
    unsure: bool,
}

impl SimStore {
    pub(crate) fn new(seed: u64, journal: Arc<Journal>, breakage: Option<Breakage>, shared: bool) -> Self {
        let state = State {
            rng: Rng::with_seed(seed ^ 0x5704e),
            weather: Weather::Fair,
            ill: BTreeMap::new(),
            ages: true,
            unsure: false,
        };
        Self {
            server: Server::new(Arc::clone(&journal)),
            journal,
            state: Mutex::new(state),
            breakage,
            shared,
        }
    }

    pub(crate) fn tables(&self) -> MutexGuard<'_, Tables> {
        self.server.tables()
    }

    pub(crate) fn set_weather(&self, weather: Weather) {
        self.state.lock().unwrap().weather = weather;
    }

    pub(crate) fn make_ill(&self, message_id: &Arc<str>, ill: Ill) {
        self.state.lock().unwrap().ill.insert(Arc::clone(message_id), ill);
    }

    /// Faults end: what the data forbids stays forbidden.
    pub(crate) fn heal(&self) {
        let mut state = self.state.lock().unwrap();
        state.weather = Weather::Fair;
        state.ill.retain(|_, ill| *ill == Ill::Data);
    }

    /// From now on no order is old.
    pub(crate) fn stop_the_ages(&self) {
        self.state.lock().unwrap().ages = false;
    }

    /// Whether a call that deletes went without an answer.
    pub(crate) fn is_unsure(&self) -> bool {
        self.state.lock().unwrap().unsure
    }

    pub(crate) fn is_data_ill(&self, message_id: &str) -> bool {
        self.state.lock().unwrap().ill.get(message_id) == Some(&Ill::Data)
    }

    /// Whether a call is still under way at the server.
    pub(crate) fn is_busy(&self) -> bool {
        self.server.is_busy()
    }

    /// Whether a settle or a deletion is still under way at the server.
    pub(crate) fn is_settling(&self) -> bool {
        self.server.is_settling()
    }

    fn fate(&self, writes: bool) -> Fate {
        let mut state = self.state.lock().unwrap();
        let weather = state.weather;
        fate(&mut state.rng, weather, writes)
    }

    /// What a row of the batch does to it.
    fn refusal(&self, batch: &[Verdict]) -> Option<Ill> {
        let state = self.state.lock().unwrap();
        batch.iter().find_map(|verdict| {
            let ill = *state.ill.get(&verdict.row.message.message_id)?;
            (ill != Ill::Data || verdict.decision.is_ok()).then_some(ill)
        })
    }
}

fn not_asked<T>() -> Result<T> {
    unreachable!("the pipeline does not ask this")
}

#[async_trait]
impl Store for SimStore {
    fn kind(&self) -> &'static str {
        "simulated"
    }

    fn others(&self) -> Option<Duration> {
        self.shared.then_some(Duration::from_secs(10))
    }

    async fn prepare(&self) -> Result<Vec<String>> {
        self.server.call("prepare", self.fate(true), |_| Vec::new()).await
    }

    async fn ping(&self) -> Result<()> {
        self.server.call("ping", self.fate(false), |_| ()).await
    }

    async fn record(&self, messages: &[Message]) -> Result<Vec<Recorded>> {
        let (messages, journal) = (messages.to_vec(), Arc::clone(&self.journal));
        self.server
            .call("record", self.fate(true), move |tables| {
                let rows = tables.record(&messages);
                for (message, row) in messages.iter().zip(&rows) {
                    journal.note(
                        "recorded",
                        format_args!("{} as {} new={}", message.message_id, row.id, row.new),
                    );
                }
                rows
            })
            .await
    }

    async fn unsettled(&self, after: i64, min_age: Duration, limit: usize) -> Result<Vec<InboxKey>> {
        self.server
            .call("unsettled", self.fate(false), move |tables| {
                let rows = tables.inbox.range(after + 1..).filter(|(_, row)| row.since.elapsed() >= min_age);
                rows.take(limit)
                    .map(|(&id, row)| InboxKey {
                        id,
                        message_id: Arc::clone(&row.message.message_id),
                        bytes: row.message.payload.len(),
                    })
                    .collect()
            })
            .await
    }

    async fn load(&self, ids: &[i64]) -> Result<Vec<InboxRow>> {
        let ids = ids.to_vec();
        self.server
            .call("load", self.fate(false), move |tables| {
                let row =
                    |id: &i64| Some(InboxRow { id: *id, message: tables.inbox.get(id)?.message.clone() });
                ids.iter().filter_map(row).collect()
            })
            .await
    }

    async fn settle(&self, batch: &[Settlement<'_>]) -> Result<Vec<Option<Outcome>>> {
        let batch: Vec<Verdict> = batch.iter().map(Verdict::of).collect();
        let fate = match (self.fate(true), self.refusal(&batch)) {
            (fate @ Fate::Fails { .. }, _) => fate,
            (_, Some(Ill::Silencing)) => Fate::Hangs,
            (_, Some(Ill::Refused)) => Fate::Fails { answered: true },
            (_, Some(Ill::Data)) => {
                self.journal.note("store: row refused for data", format_args!("{} rows", batch.len()));
                return Err(error("settle", Class::Data, true));
            }
            // A row alone is refused for its data only when they are to blame.
            (Fate::Spurious, None) if batch.len() == 1 => Fate::Fails { answered: true },
            (fate, None) => fate,
        };
        let (journal, breakage, began) = (Arc::clone(&self.journal), self.breakage, Instant::now());
        self.server
            .call("settle", fate, move |tables| {
                let outcomes = tables.settle(began, &batch);
                for (verdict, outcome) in batch.iter().zip(&outcomes) {
                    let message = &verdict.row.message;
                    let name = outcome.map_or("settled by another", Outcome::as_str);
                    journal.note(name, format_args!("{} row {}", message.message_id, verdict.row.id));
                    if breakage == Some(Breakage::KeepsInboxRow) && outcome.is_some() {
                        let row = Pending { message: message.clone(), since: Instant::now(), attempts: 0 };
                        tables.inbox.insert(verdict.row.id, row);
                    }
                }
                outcomes
            })
            .await
    }

    async fn postpone(&self, id: i64) -> Result<i32> {
        let journal = Arc::clone(&self.journal);
        self.server
            .call("postpone", self.fate(true), move |tables| {
                let Some(row) = tables.inbox.get_mut(&id) else { return 0 };
                row.attempts += 1;
                journal.note("postponed", format_args!("row {id}, {} attempts", row.attempts));
                row.attempts
            })
            .await
    }

    async fn document(&self, order_uid: &str) -> Result<Option<Bytes>> {
        let uid = order_uid.to_owned();
        self.server
            .call("document", self.fate(false), move |tables| {
                tables.orders.get(&uid).map(|head| head.message.payload.clone())
            })
            .await
    }

    async fn documents(&self, before: Option<i64>, limit: usize, _: usize) -> Result<Vec<StoredDocument>> {
        // Cut early, so that a rebuild has several pages between which something happens.
        let limit = limit.min(3);
        self.server
            .call("documents", self.fate(false), move |tables| {
                let mut rows: Vec<_> = (tables.orders.iter())
                    .filter(|(_, head)| before.is_none_or(|before| head.id < before))
                    .map(|(uid, head)| StoredDocument {
                        id: head.id,
                        order_uid: uid.into(),
                        document: Document::new(&head.message.payload),
                    })
                    .collect();
                rows.sort_by_key(|row| std::cmp::Reverse(row.id));
                rows.truncate(limit);
                rows
            })
            .await
    }

    async fn aged(&self, what: Aging, age: Duration, _: i64, _: usize) -> Result<Aged> {
        assert_eq!(what, Aging::Orders);
        let ages = self.state.lock().unwrap().ages;
        self.server
            .call("aged", self.fate(false), move |tables| {
                let (ids, uids) = tables.aged(age).into_iter().filter(|_| ages).unzip();
                Aged { ids, uids, next: None }
            })
            .await
    }

    async fn expire(&self, _: Aging, age: Duration, ids: &[i64]) -> Result<u64> {
        let (ids, journal, began) = (ids.to_vec(), Arc::clone(&self.journal), Instant::now());
        let breakage = self.breakage;
        let answer = self
            .server
            .call("expire", self.fate(true), move |tables| {
                let gone = tables.expire(began, age, &ids);
                if breakage == Some(Breakage::TellsNobody) {
                    tables.changes.truncate(tables.changes.len() - gone.len());
                }
                gone.iter().for_each(|uid| journal.note("expired", format_args!("{uid}")));
                gone.len() as u64
            })
            .await;
        if answer.as_ref().is_err_and(|error| !error.answered) {
            self.state.lock().unwrap().unsure = true;
        }
        answer
    }

    async fn changes_since(&self, window: Duration) -> Result<Vec<Change>> {
        self.server
            .call("changes_since", self.fate(false), move |tables| {
                let dated = (0..).zip(&tables.changes);
                let young = dated.filter(|(_, (since, ..))| since.elapsed() < window);
                young
                    .map(|(place, (.., replaced))| match replaced {
                        Some(_) => Change::Replaced(place),
                        None => Change::Expired(place),
                    })
                    .collect()
            })
            .await
    }

    async fn changed(&self, changes: &[Change]) -> Result<Vec<(String, Option<[u8; 32]>)>> {
        let changes = changes.to_vec();
        self.server
            .call("changed", self.fate(false), move |tables| {
                let of = |change: &Change| {
                    let (Change::Replaced(place) | Change::Expired(place)) = *change;
                    let (_, uid, replaced) = &tables.changes[usize::try_from(place).unwrap()];
                    (uid.clone(), replaced.as_ref().map(|document| Sha256::digest(document).into()))
                };
                changes.iter().map(of).collect()
            })
            .await
    }

    async fn ledger_is_empty(&self) -> Result<bool> {
        not_asked()
    }
    async fn status(&self) -> Result<StoreStatus> {
        not_asked()
    }
    async fn count_dead_letters(&self) -> Result<DeadLetterCounts> {
        not_asked()
    }
    fn connections(&self) -> Connections {
        Connections::default()
    }
    async fn audit(&self) -> Result<Audit> {
        not_asked()
    }
    async fn dead_letters(&self, _: &DeadLetterFilter) -> Result<Vec<DeadLetterSummary>> {
        not_asked()
    }
    async fn dead_letter(&self, _: i64, _: usize) -> Result<Option<DeadLetter>> {
        not_asked()
    }
    async fn missing(&self, _: SourceKind, _: &str) -> Result<Vec<Gap>> {
        not_asked()
    }

    async fn keep_missing(&self, _: SourceKind, _: &str, _: &[Gap]) -> Result<u64> {
        not_asked()
    }

    async fn gaps(&self, _: usize) -> Result<(i64, Vec<GapReport>)> {
        not_asked()
    }

    async fn count_open(&self, _: &Selection, _: Stretch) -> Result<Matching> {
        not_asked()
    }
    async fn open_letters(&self, _: &Selection, _: Stretch, _: usize) -> Result<Vec<OpenLetter>> {
        not_asked()
    }
    async fn waiting_replays(&self) -> Result<Load> {
        not_asked()
    }
    async fn replay(&self, _: &[i64], _: Option<&[u8]>, _: &str) -> Result<Vec<i64>> {
        not_asked()
    }
    async fn discard(&self, _: &[i64], _: Option<&str>, _: &str) -> Result<Vec<i64>> {
        not_asked()
    }
    async fn lineage(&self, _: i64) -> Result<Option<Lineage>> {
        not_asked()
    }
    async fn open_dead_letters(&self) -> Result<BTreeMap<String, i64>> {
        not_asked()
    }
    async fn newest_orders(&self, _: usize) -> Result<Vec<OrderArrival>> {
        not_asked()
    }
    async fn history(
        &self,
        _: &str,
        _: Option<i64>,
        _: usize,
        _: usize,
    ) -> Result<Option<Vec<FormerDocument>>> {
        not_asked()
    }
}
