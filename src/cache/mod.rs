//! Ready-to-send documents of orders, bounded by bytes.
//!
//! Four writers meet here, and the store has the last word:
//!
//! * the settle path says what a commit did or found: [`Cache::put`] after a commit, [`Cache::remove`] after one whose outcome
//!   is unknown, that found something newer or that somebody else did. One lane a uid, in commit order; it never loses to an older one.
//! * [`Cache::follow`] forgets what other instances replace or delete: `overtaken.rs` has the proof.
//! * [`Cache::read_through`] fills what a reader missed, and [`Cache::rebuild`] fills the cache at boot. Both read the store
//!   some time before they insert, so both insert only through a placeholder guard, which any `put` or `remove` of the key
//!   in between voids. The rebuild reads long before it takes its guard and needs one more check: `marks.rs` has the proof.
//!   When the guard of a load is void, nobody knows which of the two documents is newer, so the key is forgotten.
//!
//! That a uid is unknown is never cached: it is told to those who wait for the load that found it, and forgotten.

mod entries;
mod marks;
mod overtaken;
#[cfg(test)]
mod races;
mod rebuild;
#[cfg(test)]
pub(crate) mod testing;

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use bytes::Bytes;
pub use rebuild::Rebuild;
use tokio::time::Instant;

use entries::{Entries, Uid};
use marks::Marks;
use overtaken::Overtaken;
use rebuild::Progress;

use crate::document::Document;

/// Documents by uid, at most a number of bytes. Every method may be called from any task.
#[derive(Debug)]
pub struct Cache {
    entries: Entries,
    evictions: Arc<AtomicU64>,
    marks: Marks,
    overtaken: Overtaken,
    progress: Progress,
}

/// What [`Cache::read_through`] found, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// It was here, or another caller's load brought it.
    Cached(Document),
    /// This call loaded it from the store.
    Loaded(Document),
}

impl Cache {
    /// An empty cache that may hold `capacity` bytes: keys, documents and what an entry costs beside them.
    #[must_use]
    pub fn new(capacity: u64) -> Self {
        let (entries, evictions) = entries::new(capacity);
        let (marks, overtaken, progress) = Default::default();
        Self { entries, evictions, marks, overtaken, progress }
    }

    /// The document of a uid if it is here. The path of nearly every read: it allocates nothing.
    #[must_use]
    pub fn get(&self, uid: &str) -> Option<Document> {
        self.entries.get(uid).flatten()
    }

    /// Takes what a commit wrote or found for a uid. Called after the commit, in commit order of the uid; `began` is before it.
    pub fn put(&self, uid: &str, document: &[u8], began: Instant) {
        if self.overtaken.since(began, uid) {
            return self.remove(uid);
        }
        let document = Document::new(document);
        self.marks.mark(uid);
        self.entries.insert(uid.into(), Some(document));
        if self.overtaken.since(began, uid) {
            self.entries.remove(uid);
        }
    }

    /// Forgets a uid whose state in the store is not known: a commit without an answer, or somebody else's, which may be newer.
    pub fn remove(&self, uid: &str) {
        self.marks.mark(uid);
        self.entries.remove(uid);
    }

    /// The document of a uid from here or else by `load`, which asks the store, with one load of a uid at a time; `None` when
    /// there is no such order. A load that fails or is dropped leaves nothing behind: the next caller in line loads.
    ///
    /// Whoever joined a load gets its result, also `None` and also when a `put` or `remove` voids it: their calls overlap,
    /// so the read counts as the earlier. Neither of these is kept: whoever comes later asks the store again.
    ///
    /// # Errors
    /// That of the load, when it was this call's that ran.
    pub async fn read_through<E>(
        &self,
        uid: &str,
        load: impl Future<Output = Result<Option<Bytes>, E>>,
    ) -> Result<Option<Found>, E> {
        match self.entries.get_value_or_guard_async(&Uid::new(uid)).await {
            Ok(document) => Ok(document.map(Found::Cached)),
            Err(guard) => {
                let Some(document) = load.await?.map(|bytes| Document::new(&bytes)) else {
                    drop(guard.insert(None));
                    // Those who waited have been told. A document that the settle path has put here since stays.
                    self.entries.remove_if(uid, Option::is_none);
                    return Ok(None);
                };
                // The store has a commit before the settle path hears of it: what was read here may be newer than the
                // pages of a rebuild, and than what the settle path has said since the guard was taken. Nobody who reads
                // after this caller may be shown those, so the next asks the store again.
                self.marks.mark(uid);
                if guard.insert(Some(document.clone())).is_err() {
                    self.entries.remove(uid);
                }
                Ok(Some(Found::Loaded(document)))
            }
        }
    }

    /// How many documents are here.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing is here.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What they weigh in bytes, never more than the capacity.
    #[must_use]
    pub fn weight(&self) -> u64 {
        self.entries.weight()
    }

    /// How many documents have left for want of room.
    #[must_use]
    pub fn evictions(&self) -> u64 {
        self.evictions.load(Ordering::Relaxed)
    }
}
