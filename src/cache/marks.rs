//! Which uids the settle path has touched, or a reader has loaded, since a rebuild began.
//!
//! The rebuild reads a page of the store at P and fills a key later. It must never bring back what the settle path has
//! overtaken meanwhile. For one uid, with every step on the key under the lock of its shard and every step on the marks
//! under theirs:
//!
//! ```text
//! settle:   commit C → mark M → plain insert (or remove) I
//! rebuild:  begin B → read the page P → take the guard G (only when the key is absent) → check K → insert J
//! ```
//!
//! Only a page older than the commit can do harm: P before C, so B < P < C < M, and M is not lost.
//!
//! * I < G: when the key is there, there is no guard. When it is not (evicted since, or I was a removal), then
//!   M < I < G < K, so the check sees the mark and nothing is inserted.
//! * G < I < J: the plain insert or the removal voids the guard, and J does nothing.
//! * J < I: the settle path overwrites or removes what the rebuild inserted.
//!
//! Were the mark set after I, an insert and its eviction would fit between P and G unseen; were it checked before G, M and I
//! would fit between K and G.
//!
//! A load of a reader may see a commit before the settle path hears of it, and its entry may be evicted before G. It marks
//! the uid before it inserts, which is before its reader has an answer: no page that is older comes after it.
//!
//! Uids are kept as hashes: a collision costs one document that the rebuild does not fill.

use std::{
    collections::{HashSet, hash_map::RandomState},
    hash::BuildHasher,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

/// Beyond this many marks (about 20 MB) everything counts as touched: the settle path has filled the cache by itself.
const LIMIT: usize = 1 << 20;

#[derive(Debug, Default)]
pub(super) struct Marks {
    /// Read by the settle path without the lock: outside a rebuild a mark costs one load.
    running: AtomicBool,
    touched: Mutex<Touched>,
    hasher: RandomState,
}

#[derive(Debug, Default)]
struct Touched {
    uids: HashSet<u64>,
    /// The cache was emptied.
    everything: bool,
}

impl Touched {
    fn is_full(&self) -> bool {
        self.everything || self.uids.len() >= LIMIT
    }
}

impl Marks {
    /// Step B. SeqCst pairs it with the load in [`Self::mark`]: a settle that does not see it marked before B, so it
    /// committed before B, and every page read after B holds what it committed.
    pub(super) fn begin(&self) {
        *self.lock() = Touched::default();
        self.running.store(true, Ordering::SeqCst);
    }

    pub(super) fn end(&self) {
        self.running.store(false, Ordering::SeqCst);
        *self.lock() = Touched::default();
    }

    /// Step M.
    pub(super) fn mark(&self, uid: &str) {
        if self.running.load(Ordering::SeqCst) {
            let mut touched = self.lock();
            if touched.uids.len() < LIMIT {
                touched.uids.insert(self.hasher.hash_one(uid));
            }
        }
    }

    /// Everything counts as touched from now on.
    pub(super) fn mark_everything(&self) {
        self.lock().everything = self.running.load(Ordering::SeqCst);
    }

    /// Whether the cache was emptied since the rebuild began.
    pub(super) fn everything(&self) -> bool {
        self.lock().everything
    }

    /// Step K.
    pub(super) fn contains(&self, uid: &str) -> bool {
        let touched = self.lock();
        touched.is_full() || touched.uids.contains(&self.hasher.hash_one(uid))
    }

    /// Whether everything counts as touched.
    pub(super) fn full(&self) -> bool {
        self.lock().is_full()
    }

    fn lock(&self) -> MutexGuard<'_, Touched> {
        // A panic cannot leave a set of numbers half changed.
        self.touched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_touched_while_a_rebuild_runs_is_marked() {
        let marks = Marks::default();
        marks.mark("before");
        marks.begin();
        marks.mark("during");
        assert!(!marks.contains("before"));
        assert!(marks.contains("during"));
        marks.end();
        marks.begin();
        assert!(!marks.contains("during"));
    }
}
