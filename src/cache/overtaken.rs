//! What other instances have replaced or deleted, so that this one forgets it.
//!
//! A document that is replaced goes to the history in the transaction that replaces it, and an order that is deleted for its
//! age leaves its uid in the transaction that deletes it. Whoever reads both again and again hears of each soon after its
//! commit, and forgets the uid. For one uid, with every step on the key under
//! the lock of its shard and every step on the notes under theirs:
//!
//! ```text
//! settle of the older document:  begin B → commit C → plain insert I → check K
//! another instance:                                 C' after C
//! follower:                                         read H after C' → note N → remove R
//! ```
//!
//! * I < R: what was inserted is removed.
//! * R < I: N < R < I < K, and B < C < C' < N. So the check finds a note that is no older than B, and removes.
//!
//! A load of a reader that began before R is voided by it, and one that begins later reads what was committed before it. The
//! rebuild sees the mark that a removal sets. Notes are forgotten after [`KEPT`], so what was begun longer ago is not shown. The
//! retention forgets what it deletes itself in the same way, with the deletion for C'.

use std::{
    collections::{HashMap, HashSet, hash_map::RandomState},
    hash::BuildHasher,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::Cache;
use crate::store::{self, CHANGES_WINDOW, Change, Store};

/// How often they are asked for, when it takes no time.
const INTERVAL: Duration = Duration::from_millis(250);

/// A store that answers slowly is asked less often, so that looking takes a third of its time at most, up to this pause:
/// what is replaced or deleted is served for a second at most.
const LONGEST_PAUSE: Duration = Duration::from_millis(700);

/// How long a note is kept: longer than any settle takes from its beginning to its insert.
const KEPT: Duration = Duration::from_secs(120);

/// What was forgotten, and when.
#[derive(Debug, Default)]
pub(super) struct Overtaken {
    /// Read by the settle path without the lock: where nothing was forgotten of late a check costs one load.
    any: AtomicBool,
    notes: Mutex<Notes>,
    hasher: RandomState,
}

#[derive(Debug, Default)]
struct Notes {
    /// By the hash of the uid: a collision forgets one document for nothing.
    uids: HashMap<u64, Instant>,
    everything: Option<Instant>,
}

impl Overtaken {
    /// Step N.
    fn note(&self, uid: &str) {
        self.lock().uids.insert(self.hasher.hash_one(uid), Instant::now());
        self.any.store(true, Ordering::SeqCst);
    }

    fn note_everything(&self) {
        self.lock().everything = Some(Instant::now());
        self.any.store(true, Ordering::SeqCst);
    }

    /// Step K: whether the uid was forgotten since the settle began, or may have been.
    pub(super) fn since(&self, began: Instant, uid: &str) -> bool {
        if began.elapsed() > KEPT {
            return true;
        }
        if !self.any.load(Ordering::SeqCst) {
            return false;
        }
        let notes = self.lock();
        let at = notes.uids.get(&self.hasher.hash_one(uid)).max(notes.everything.as_ref());
        at.is_some_and(|at| *at >= began)
    }

    fn prune(&self) {
        let mut notes = self.lock();
        notes.uids.retain(|_, at| at.elapsed() <= KEPT);
        notes.everything = notes.everything.filter(|at| at.elapsed() <= KEPT);
        self.any.store(!notes.uids.is_empty() || notes.everything.is_some(), Ordering::SeqCst);
    }

    fn lock(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How far a follower has come.
struct Follower {
    /// Those in the window that have been dealt with.
    seen: HashSet<Change>,
    /// When the last look that succeeded began.
    looked: Instant,
    /// How long a transaction of another instance may take.
    longest: Duration,
}

impl Cache {
    /// Forgets what other instances replace or delete, where there may be others, until `stop`; to be begun before the first read.
    pub async fn follow(&self, store: &dyn Store, stop: &CancellationToken) {
        let Some(longest) = store.others() else {
            while stop.run_until_cancelled(sleep(KEPT)).await.is_some() {
                self.overtaken.prune();
            }
            return;
        };
        let mut follower = Follower { seen: HashSet::new(), looked: Instant::now(), longest };
        let mut pause = INTERVAL;
        while stop.run_until_cancelled(sleep(pause)).await.is_some() {
            let began = Instant::now();
            // A store that fails is told of by those who depend on it, and asked again.
            let Some(looked) = stop.run_until_cancelled(self.look(&mut follower, store)).await else {
                return;
            };
            pause = match looked {
                Ok(()) => (began.elapsed() * 2).clamp(INTERVAL, LONGEST_PAUSE),
                Err(_) => INTERVAL,
            };
            self.overtaken.prune();
        }
    }

    /// Forgets a uid whose order is gone.
    pub fn forget(&self, uid: &str) {
        self.overtaken.note(uid);
        self.remove(uid);
    }

    async fn look(&self, follower: &mut Follower, store: &dyn Store) -> store::Result<()> {
        let began = Instant::now();
        let changes = store.changes_since(CHANGES_WINDOW * follower.longest).await?;
        if follower.looked.elapsed() >= follower.longest {
            // Some may have come and gone out of the window meanwhile.
            self.forget_everything();
        }
        let new: Vec<Change> =
            changes.iter().filter(|change| !follower.seen.contains(change)).copied().collect();
        if !new.is_empty() {
            for (uid, replaced) in store.changed(&new).await? {
                match replaced {
                    Some(sha256) => self.forget_if_old(&uid, &sha256),
                    None => self.forget(&uid),
                }
            }
        }
        follower.seen = changes.into_iter().collect();
        follower.looked = began;
        Ok(())
    }

    /// Forgets a uid, unless what is here is another document than the one that was replaced: then this process has put
    /// it there since, or is the one that replaced it.
    fn forget_if_old(&self, uid: &str, sha256: &[u8; 32]) {
        if self.entries.peek(uid).flatten().is_none_or(|here| here.is(sha256)) {
            self.forget(uid);
        } else {
            self.overtaken.note(uid);
        }
    }

    fn forget_everything(&self) {
        self.overtaken.note_everything();
        self.marks.mark_everything();
        self.entries.clear();
    }
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;
    use crate::cache::testing::TestStore;

    const UID: &str = "b563feb7b2b84b6test";

    fn sha256(document: &[u8]) -> [u8; 32] {
        Sha256::digest(document).into()
    }

    fn here(cache: &Cache) -> Option<bytes::Bytes> {
        cache.get(UID).map(|document| document.bytes())
    }

    #[test]
    fn what_another_instance_replaced_is_forgotten() {
        let cache = Cache::new(1 << 20);
        cache.put(UID, b"old", Instant::now());
        cache.forget_if_old(UID, &sha256(b"old"));
        assert_eq!(here(&cache), None);
    }

    #[test]
    fn what_replaced_it_here_stays() {
        let cache = Cache::new(1 << 20);
        cache.put(UID, b"new", Instant::now());
        cache.forget_if_old(UID, &sha256(b"old"));
        assert_eq!(here(&cache).as_deref(), Some(&b"new"[..]));
    }

    #[test]
    fn a_settle_that_began_before_does_not_bring_it_back() {
        let cache = Cache::new(1 << 20);
        let began = Instant::now();
        cache.forget_if_old(UID, &sha256(b"old"));
        cache.put(UID, b"old", began);
        assert_eq!(here(&cache), None);
        cache.put("another", b"old", began);
        assert!(cache.get("another").is_some(), "others are not concerned");
    }

    #[tokio::test(start_paused = true)]
    async fn a_settle_that_begins_after_it_is_shown() {
        let cache = Cache::new(1 << 20);
        cache.forget_if_old(UID, &sha256(b"old"));
        tokio::time::advance(Duration::from_millis(1)).await;
        cache.put(UID, b"newest", Instant::now());
        assert_eq!(here(&cache).as_deref(), Some(&b"newest"[..]));
    }

    #[tokio::test]
    async fn a_load_that_began_before_does_not_bring_it_back() {
        for forget in [(|cache: &Cache| cache.forget_if_old(UID, &sha256(b"old"))) as fn(&Cache), |cache| {
            cache.forget_everything()
        }] {
            let cache = Cache::new(1 << 20);
            let load = async {
                forget(&cache);
                Ok::<_, ()>(Some("old".into()))
            };
            cache.read_through(UID, load).await.expect("the load works");
            assert_eq!(here(&cache), None);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_silence_in_which_a_replacement_may_have_passed_unseen_everything_is_forgotten() {
        let longest = Duration::from_secs(10);
        for (silence, kept) in [(longest - Duration::from_millis(1), true), (longest, false)] {
            let (cache, store) = (Cache::new(1 << 20), TestStore::default());
            let mut follower = Follower { seen: HashSet::new(), looked: Instant::now(), longest };
            let began = Instant::now();
            cache.put(UID, b"document", began);
            tokio::time::advance(silence).await;
            cache.look(&mut follower, &store).await.expect("the store works");
            assert_eq!(here(&cache).is_some(), kept, "{silence:?}");
            cache.put(UID, b"document", began);
            assert_eq!(here(&cache).is_some(), kept, "{silence:?}: nor brought back");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn notes_are_kept_for_as_long_as_a_settle_may_take_and_no_longer() {
        let cache = Cache::new(1 << 20);
        let began = Instant::now();
        cache.forget_if_old(UID, &sha256(b"old"));
        tokio::time::advance(KEPT).await;
        cache.overtaken.prune();
        assert!(cache.overtaken.since(began, UID));
        tokio::time::advance(Duration::from_millis(1)).await;
        cache.overtaken.prune();
        assert!(cache.overtaken.lock().uids.is_empty());
        assert!(cache.overtaken.since(began, UID), "nobody inserts what began so long ago");
        assert!(!cache.overtaken.since(Instant::now(), UID));
    }
}
