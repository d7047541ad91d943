use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use quick_cache::{
    DefaultHashBuilder, Lifecycle, OptionsBuilder, Weighter,
    sync::{Cache, DefaultLifecycle},
};
use smol_str::SmolStr;

use crate::document::Document;

/// A uid as a key: short ones lie in the slot.
pub(super) type Uid = SmolStr;

/// `None` says to those who wait for a load that there is no such order. It is taken out again right after it was put in.
pub(super) type Entries = Cache<Uid, Option<Document>, ByBytes, DefaultHashBuilder, CountEvictions>;

/// What an entry costs beside its key and document, in bytes: the digest, the slot in quick_cache's slab and table, and the
/// allocator's share. Measured as the growth of a process's resident memory with a million documents of 1 KB: 120 bytes. The rest
/// is for the ghosts of evicted keys and for slabs that have just doubled.
const OVERHEAD: u64 = 184;

/// A longer uid lies outside the slot, with two counts and the allocator's share.
const INLINE: usize = 23;
const APART: u64 = 32;

/// About what an order weighs; quick_cache sizes its shards and its memory of evicted keys by the count that follows.
const TYPICAL_WEIGHT: u64 = 1_500;

/// An empty cache, and the count of what leaves it for want of room.
pub(super) fn new(capacity: u64) -> (Entries, Arc<AtomicU64>) {
    let estimate = usize::try_from(capacity / TYPICAL_WEIGHT).unwrap_or(usize::MAX).max(1);
    let options = OptionsBuilder::new()
        .weight_capacity(capacity)
        .estimated_items_capacity(estimate)
        .build()
        .expect("both required options are set");
    let lifecycle = CountEvictions::default();
    let evictions = Arc::clone(&lifecycle.count);
    (Cache::with_options(options, ByBytes, DefaultHashBuilder::default(), lifecycle), evictions)
}

pub(super) fn weight(uid: &str, document: usize) -> u64 {
    // A usize fits in u64 on every platform Rust supports.
    let apart = if uid.len() > INLINE { APART } else { 0 };
    (uid.len() + document) as u64 + OVERHEAD + apart
}

#[derive(Debug, Clone, Copy)]
pub(super) struct ByBytes;

impl Weighter<Uid, Option<Document>> for ByBytes {
    /// Nothing for a `None`: it must push no document out.
    fn weight(&self, uid: &Uid, document: &Option<Document>) -> u64 {
        document.as_ref().map_or(0, |document| weight(uid, document.length()))
    }
}

/// quick_cache's own lifecycle, which drops what it evicts outside the lock, with a count of evictions.
#[derive(Debug, Clone, Default)]
pub(super) struct CountEvictions {
    inner: DefaultLifecycle<Uid, Option<Document>>,
    count: Arc<AtomicU64>,
}

impl Lifecycle<Uid, Option<Document>> for CountEvictions {
    type RequestState =
        <DefaultLifecycle<Uid, Option<Document>> as Lifecycle<Uid, Option<Document>>>::RequestState;

    // `on_evict` also hears of replaced values; this one doesn't.
    fn before_evict(&self, _: &mut Self::RequestState, _: &Uid, _: &mut Option<Document>) {
        self.count.fetch_add(1, Ordering::Relaxed);
    }

    fn on_evict(&self, state: &mut Self::RequestState, uid: Uid, document: Option<Document>) {
        self.inner.on_evict(state, uid, document);
    }
}
