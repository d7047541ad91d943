//! Readers, who must never see an order go back behind what an ack of their instance promised.

use std::{collections::BTreeMap, sync::Arc, sync::Mutex, time::Duration};

use fastrand::Rng;
use orderbox::{
    cache::{Cache, Found},
    store::{Message, Store},
};
use tokio::time::{sleep, timeout};

use super::{
    Breakage,
    journal::Journal,
    store::SimStore,
    tables::{Place, place},
};

/// What a read must show at least, unless more was deleted of the uid than by then.
type Floor = (usize, Place);

/// By uid, what a read that begins now must show at least.
#[derive(Debug, Default)]
pub(crate) struct Floors(Mutex<BTreeMap<String, Floor>>);

impl Floors {
    /// Who has an ack may read what was acked.
    pub(crate) fn acked(&self, store: &SimStore, message: &Message) {
        let place = place(message);
        let tables = store.tables();
        let uid = tables.kept().find(|(_, heard)| heard.iter().any(|(of, _)| *of == place));
        if let Some((uid, _)) = uid {
            self.raise(uid, (tables.deleted(uid), place));
        }
    }

    fn raise(&self, uid: &str, to: Floor) {
        let mut floors = self.0.lock().unwrap();
        let floor = floors.entry(uid.to_owned()).or_insert_with(|| to.clone());
        *floor = to.max(floor.clone());
    }

    fn of(&self, uid: &str) -> Option<Floor> {
        self.0.lock().unwrap().get(uid).cloned()
    }
}

#[derive(Debug)]
pub(crate) struct Reader {
    pub(crate) rng: Rng,
    pub(crate) cache: Arc<Cache>,
    pub(crate) store: Arc<SimStore>,
    pub(crate) journal: Arc<Journal>,
    pub(crate) floors: Arc<Floors>,
    pub(crate) uids: Vec<String>,
    /// Whether what a read has shown may not be taken back: only while no other instance writes.
    pub(crate) alone: bool,
    pub(crate) breakage: Option<Breakage>,
}

impl Reader {
    /// Reads until it is dropped.
    pub(crate) async fn run(mut self) {
        loop {
            sleep(Duration::from_millis(self.rng.u64(1..400))).await;
            let uid = self.uids[self.rng.usize(..self.uids.len())].clone();
            let floor = self.floors.of(&uid);
            // As the route does it: nobody waits for ever.
            match timeout(Duration::from_secs(2), self.read(&uid)).await {
                Err(_) => self.journal.note("read: gave up", format_args!("{uid}")),
                Ok(Err(())) => self.journal.note("read: store failed", format_args!("{uid}")),
                Ok(Ok(document)) => self.check(&uid, floor, document.as_deref()),
            }
        }
    }

    async fn read(&self, uid: &str) -> Result<Option<Vec<u8>>, ()> {
        if let Some(document) = self.cache.get(uid) {
            self.journal.note("read: cached", format_args!("{uid}"));
            return Ok(Some(document.bytes().to_vec()));
        }
        if self.breakage == Some(Breakage::InsertsPlainly) {
            let document = self.store.document(uid).await.map_err(drop)?;
            if let Some(document) = &document {
                self.cache.put(uid, document, tokio::time::Instant::now());
            }
            return Ok(document.map(|document| document.to_vec()));
        }
        match self.cache.read_through(uid, self.store.document(uid)).await.map_err(drop)? {
            Some(Found::Cached(document)) => {
                self.journal.note("read: joined a load", format_args!("{uid}"));
                Ok(Some(document.bytes().to_vec()))
            }
            Some(Found::Loaded(document)) => {
                self.journal.note("read: loaded", format_args!("{uid}"));
                Ok(Some(document.bytes().to_vec()))
            }
            None => {
                self.journal.note("read: absent", format_args!("{uid}"));
                Ok(None)
            }
        }
    }

    fn check(&self, uid: &str, floor: Option<Floor>, document: Option<&[u8]>) {
        let tables = self.store.tables();
        let shown = document.and_then(|document| tables.place_of(uid, document));
        if document.is_some() && shown.is_none() {
            self.journal.violated(format!("a read of {uid} shows what was never an order"));
        }
        let deleted = tables.deleted(uid);
        let floor = floor.filter(|(before, _)| *before == deleted).map(|(_, place)| place);
        if shown < floor {
            self.journal.violated(format!("a read of {uid} shows {shown:?}, older than {floor:?}"));
        }
        if let (true, Some(shown)) = (self.alone, shown)
            && tables.keeps_place(uid, &shown)
        {
            self.floors.raise(uid, (deleted, shown));
        }
    }
}
