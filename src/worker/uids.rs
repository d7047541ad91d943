use std::{
    collections::HashSet,
    hash::{BuildHasher, RandomState},
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

/// The uids of the batches under way. No two batches settle the same uid at once, so the cache hears of the commits of a uid in
/// their order.
#[derive(Debug, Default)]
pub(super) struct Uids {
    hasher: RandomState,
    /// Their hashes: two uids that share one wait for each other, and nothing else comes of it.
    taken: Mutex<HashSet<u64>>,
    freed: Notify,
}

/// The uids of one batch, until this is dropped.
#[derive(Debug)]
pub(super) struct Taken<'a> {
    uids: &'a Uids,
    hashes: HashSet<u64>,
}

impl Uids {
    /// Waits until no other batch has any of these, and then takes all of them at once: who waits has none, so nobody waits in
    /// a circle.
    pub(super) async fn take<'a>(&self, uids: impl Iterator<Item = &'a str>) -> Taken<'_> {
        let hashes: HashSet<u64> = uids.map(|uid| self.hasher.hash_one(uid)).collect();
        loop {
            // Before the look, so that nothing is freed unheard between it and the wait.
            let freed = self.freed.notified();
            {
                let mut taken = self.lock();
                if taken.is_disjoint(&hashes) {
                    taken.extend(&hashes);
                    return Taken { uids: self, hashes };
                }
            }
            freed.await;
        }
    }

    /// A panic while the lock was held cannot have left a uid that nobody has: taking them is the last step.
    fn lock(&self) -> MutexGuard<'_, HashSet<u64>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        let mut taken = self.uids.lock();
        for hash in &self.hashes {
            taken.remove(hash);
        }
        self.uids.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn a_uid_is_had_by_one_batch_at_a_time_and_others_go_on_beside_it() {
        let uids = Uids::default();
        let first = uids.take(["a", "b", "a"].into_iter()).await;
        let other = uids.take(["c"].into_iter()).await;
        let mut second = Box::pin(uids.take(["d", "b"].into_iter()));
        assert!((&mut second).now_or_never().is_none(), "b is taken");
        drop(other);
        assert!((&mut second).now_or_never().is_none(), "what others free does not help");
        let waits_for_nothing = uids.take(["d"].into_iter()).now_or_never();
        assert!(waits_for_nothing.is_some(), "who waits holds nothing");
        drop(waits_for_nothing);
        drop(first);
        let second = second.now_or_never();
        assert!(second.is_some(), "b is free");
        drop(second);
        assert!(uids.lock().is_empty());
    }
}
