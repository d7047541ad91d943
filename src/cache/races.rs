//! Each race of the cache, held still at its worst moment.

use std::{future::Future, pin::pin, sync::Arc, task::Poll, time::Duration};

use bytes::Bytes;
use quick_cache::sync::GuardResult;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Cache, Found, Rebuild, entries, testing::TestStore};
use crate::{
    document::Document,
    store::{Store, StoredDocument},
    telemetry::{Board, State},
};

const UID: &str = "b563feb7b2b84b6test";

fn cache() -> Cache {
    Cache::new(1 << 20)
}

fn cached(cache: &Cache, uid: &str) -> Option<String> {
    cache.get(uid).map(|document| text(&document))
}

fn text(document: &Document) -> String {
    String::from_utf8(document.bytes().to_vec()).expect("test documents are text")
}

async fn read(cache: &Cache, store: &TestStore) -> Option<String> {
    match cache.read_through(UID, store.document(UID)).await.expect("the store works")? {
        Found::Cached(document) | Found::Loaded(document) => Some(text(&document)),
    }
}

/// Runs `task` until the store has read for it, then `meanwhile`, then lets the store answer.
async fn during<T>(store: &TestStore, task: impl Future<Output = T>, meanwhile: impl FnOnce()) -> T {
    store.pause();
    let (answer, ()) = tokio::join!(task, async {
        store.reached().await;
        meanwhile();
        store.release();
    });
    answer
}

async fn rebuild(cache: &Cache, store: &TestStore) {
    let part = Board::default().register("cache", None);
    cache.rebuild(store, &part, &CancellationToken::new()).await;
}

#[tokio::test]
async fn a_load_does_not_bring_back_what_a_replace_overtook() {
    let (cache, store) = (cache(), TestStore::default());
    store.commit(UID, "old");
    let answer = during(&store, read(&cache, &store), || {
        store.commit(UID, "new");
        cache.put(UID, b"new", Instant::now());
    })
    .await;
    assert_eq!(answer.as_deref(), Some("old"), "it began before the replace");
    assert_eq!(read(&cache, &store).await.as_deref(), Some("new"));
}

#[tokio::test]
async fn what_a_load_has_shown_is_not_taken_back_by_a_put_of_an_older_commit() {
    let (cache, store) = (cache(), TestStore::default());
    store.commit(UID, "new");
    // Of a commit before that of "new", whose own answer is still under way.
    let answer = during(&store, read(&cache, &store), || cache.put(UID, b"old", Instant::now())).await;
    assert_eq!(answer.as_deref(), Some("new"));
    assert_eq!(read(&cache, &store).await.as_deref(), Some("new"));
}

#[tokio::test]
async fn what_a_load_has_shown_is_not_taken_back_by_a_rebuild_that_has_read_before() {
    let (cache, store) = (cache(), TestStore::default());
    store.commit(UID, "old");
    let reading = async {
        store.reached().await;
        store.commit(UID, "new");
        // The store is held for the rebuild's page only.
        let answer = cache.read_through(UID, async { Ok::<_, ()>(Some(Bytes::from_static(b"new"))) }).await;
        assert!(matches!(answer, Ok(Some(Found::Loaded(_)))));
        // What an eviction does.
        cache.entries.remove(UID);
        store.release();
    };
    store.pause();
    tokio::join!(rebuild(&cache, &store), reading);
    assert_eq!(cached(&cache, UID), None);
}

#[tokio::test]
async fn a_load_does_not_bring_back_what_an_unknown_commit_removed() {
    let (cache, store) = (cache(), TestStore::default());
    store.commit(UID, "old");
    during(&store, read(&cache, &store), || {
        store.commit(UID, "new");
        cache.remove(UID);
    })
    .await;
    assert_eq!(cached(&cache, UID), None);
    assert_eq!(read(&cache, &store).await.as_deref(), Some("new"));
}

#[tokio::test]
async fn an_unknown_commit_is_read_from_the_store_whatever_it_did() {
    let (cache, store) = (cache(), TestStore::default());
    cache.put(UID, b"old", Instant::now());
    store.commit(UID, "new");
    cache.remove(UID);
    assert_eq!(read(&cache, &store).await.as_deref(), Some("new"));
}

#[tokio::test]
async fn a_rebuild_does_not_bring_back_what_a_replace_overtook() {
    let (cache, store) = (cache(), TestStore::default());
    store.commit(UID, "old");
    during(&store, rebuild(&cache, &store), || cache.put(UID, b"new", Instant::now())).await;
    assert_eq!(cached(&cache, UID).as_deref(), Some("new"));
}

#[tokio::test]
async fn a_rebuild_does_not_bring_back_what_was_replaced_and_then_evicted() {
    let (cache, store) = (cache(), TestStore::default());
    store.commit(UID, "old");
    store.commit("other", "filled");
    during(&store, rebuild(&cache, &store), || {
        cache.put(UID, b"new", Instant::now());
        // What an eviction does: the entry goes, and nobody is told.
        cache.entries.remove(UID);
    })
    .await;
    assert_eq!(cached(&cache, UID), None);
    assert_eq!(cached(&cache, "other").as_deref(), Some("filled"), "the page was used");
}

#[tokio::test]
async fn a_rebuild_does_not_bring_back_what_an_unknown_commit_removed() {
    let (cache, store) = (cache(), TestStore::default());
    store.commit(UID, "old");
    during(&store, rebuild(&cache, &store), || cache.remove(UID)).await;
    assert_eq!(cached(&cache, UID), None);
}

#[test]
fn a_rebuild_does_not_bring_back_what_is_overtaken_between_its_check_and_its_insert() {
    for replace in [true, false] {
        let cache = cache();
        cache.marks.begin();
        let row = StoredDocument { id: 1, order_uid: UID.into(), document: Document::new(b"old") };
        cache.fill_one(&row, || {
            let touched = cache.marks.contains(UID);
            if replace {
                cache.put(UID, b"new", Instant::now());
            } else {
                cache.remove(UID);
            }
            touched
        });
        assert_eq!(cached(&cache, UID), replace.then(|| "new".to_owned()));
    }
}

#[test]
fn a_rebuild_checks_after_it_has_taken_the_guard() {
    let cache = cache();
    cache.marks.begin();
    cache.put(UID, b"new", Instant::now());
    let row = StoredDocument { id: 1, order_uid: UID.into(), document: Document::new(b"old") };
    cache.fill_one(&row, || panic!("nothing is to be checked: the key is there"));
    cache.entries.remove(UID);
    cache.fill_one(&row, || {
        assert!(cache.get(UID).is_none());
        let guarded = cache.entries.get_value_or_guard(&entries::Uid::new(UID), Some(Duration::ZERO));
        assert!(matches!(guarded, GuardResult::Timeout), "the guard is held");
        cache.marks.contains(UID)
    });
    assert_eq!(cached(&cache, UID), None);
}

#[tokio::test]
async fn two_readers_of_a_uid_share_one_load() {
    let (cache, store) = (cache(), TestStore::default());
    store.commit(UID, "document");
    let (first, second) =
        during(&store, async { tokio::join!(read(&cache, &store), read(&cache, &store)) }, || ()).await;
    assert_eq!((first.as_deref(), second.as_deref()), (Some("document"), Some("document")));
    assert_eq!(store.calls(), 1);
}

#[tokio::test]
async fn readers_of_an_absent_uid_share_one_load_and_who_comes_later_asks_again() {
    let (cache, store) = (cache(), TestStore::default());
    let readers = futures_util::future::join_all((0..1000).map(|_| read(&cache, &store)));
    let answers = during(&store, readers, || ()).await;
    assert!(answers.iter().all(Option::is_none));
    assert_eq!(store.calls(), 1);
    assert!(cache.is_empty(), "that it is absent is not kept");
    store.commit(UID, "document");
    assert_eq!(read(&cache, &store).await.as_deref(), Some("document"));
}

#[tokio::test]
async fn a_load_that_found_nothing_does_not_take_out_what_was_put_meanwhile() {
    let (cache, store) = (cache(), TestStore::default());
    let answer = during(&store, read(&cache, &store), || {
        store.commit(UID, "new");
        cache.put(UID, b"new", Instant::now());
    })
    .await;
    assert_eq!(answer, None, "it began before the order was there");
    assert_eq!(cached(&cache, UID).as_deref(), Some("new"));
}

#[tokio::test]
async fn that_an_order_is_absent_pushes_no_document_out() {
    let store = TestStore::default();
    let cache = Cache::new(64 << 10);
    for n in 0..1000 {
        cache.put(&format!("order-{n}"), b"document", Instant::now());
    }
    let (documents, evictions) = (cache.len(), cache.evictions());
    for n in 0..1000 {
        let uid = format!("absent-{n}");
        let found = cache.read_through(&uid, store.document(&uid)).await.expect("the store works");
        assert_eq!(found, None);
    }
    assert_eq!((cache.len(), cache.evictions()), (documents, evictions));
}

#[tokio::test]
async fn a_load_that_is_dropped_leaves_the_uid_to_the_next_reader() {
    let (cache, store) = (cache(), TestStore::default());
    store.commit(UID, "document");
    store.pause();
    {
        let mut dropped = pin!(cache.read_through(UID, store.document(UID)));
        let polled = std::future::poll_fn(|cx| Poll::Ready(dropped.as_mut().poll(cx).is_pending())).await;
        assert!(polled, "the load waits for the store");
    }
    store.release();
    assert_eq!(read(&cache, &store).await.as_deref(), Some("document"));
}

#[tokio::test]
async fn a_load_that_fails_leaves_the_uid_to_the_next_reader() {
    let (cache, store) = (cache(), TestStore::default());
    store.commit(UID, "document");
    store.fail(Some("connection refused"));
    cache.read_through(UID, store.document(UID)).await.expect_err("the store fails");
    store.fail(None);
    assert_eq!(read(&cache, &store).await.as_deref(), Some("document"));
}

#[tokio::test]
async fn that_a_uid_is_unknown_is_not_cached() {
    let (cache, store) = (cache(), TestStore::default());
    assert_eq!(read(&cache, &store).await, None);
    store.commit(UID, "document");
    assert_eq!(read(&cache, &store).await.as_deref(), Some("document"));
}

#[tokio::test]
async fn a_rebuild_takes_the_newest_that_fit_and_evicts_nothing() {
    let store = TestStore::default();
    let uids: Vec<String> = (1..=5000).map(|n| format!("order-{n:04}")).collect();
    for uid in &uids {
        store.commit(uid, "document");
    }
    let capacity = 1000 * entries::weight("order-0001", "document".len());
    let cache = Cache::new(capacity);
    rebuild(&cache, &store).await;
    assert_eq!(cache.rebuild_state(), Rebuild::Done);
    let held = uids.iter().rev().take_while(|uid| cache.get(uid).is_some()).count();
    // Eight shards of 125 fill unevenly; the larger they are, the nearer this comes to 97 %.
    assert!(held > 700, "{held} of the newest");
    assert_eq!(cache.evictions(), 1, "the one that showed that a shard is full");
}

#[tokio::test(start_paused = true)]
async fn a_rebuild_waits_for_a_store_that_fails_and_says_so() {
    let (cache, store) = (Arc::new(cache()), Arc::new(TestStore::default()));
    store.commit(UID, "document");
    store.fail(Some("connection refused"));
    let board = Board::default();
    let part = board.register("cache", None);
    let stop = CancellationToken::new();
    let state = || board.snapshot().remove(0).state;
    tokio::join!(cache.rebuild(&*store, &part, &stop), async {
        while store.calls() < 5 {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        let State::Down { reason } = state() else { panic!("the store fails") };
        assert!(reason.contains("connection refused"), "{reason}");
        assert_eq!(cache.rebuild_state(), Rebuild::Running);
        store.fail(None);
    });
    assert_eq!(state(), State::Up);
    assert_eq!(cached(&cache, UID).as_deref(), Some("document"));
}

#[tokio::test]
async fn a_rebuild_that_is_full_does_not_complain_of_a_page_that_it_no_longer_needs() {
    let store = TestStore::default();
    for n in 1..=1000 {
        store.commit(&format!("order-{n:04}"), "document");
    }
    let cache = Cache::new(100 * entries::weight("order-0001", "document".len()));
    let board = Board::default();
    let part = board.register("cache", None);
    let stop = CancellationToken::new();
    during(&store, cache.rebuild(&store, &part, &stop), || store.fail(Some("connection refused"))).await;
    assert_eq!(cache.rebuild_state(), Rebuild::Done);
    assert_eq!(store.calls(), 2, "the second page was asked for, and failed");
    assert_eq!(board.snapshot().remove(0).state, State::Up);
}

#[tokio::test]
async fn a_rebuild_stops_when_it_is_told_to() {
    let (cache, store) = (cache(), TestStore::default());
    store.pause();
    let part = Board::default().register("cache", None);
    let stop = CancellationToken::new();
    tokio::join!(cache.rebuild(&store, &part, &stop), async {
        store.reached().await;
        stop.cancel();
    });
    assert_eq!(cache.rebuild_state(), Rebuild::Running);
}
