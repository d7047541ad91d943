use std::collections::BTreeMap;

use orderbox::store::{Decision, Refusal, Settlement, SourceKind};

use super::{
    Bench,
    fixture::{ingest, message, recorded, small},
    rules,
};

rules!(
    the_newest_orders_come_first_and_no_more_than_asked_for,
    a_history_holds_what_was_replaced_and_what_came_late,
    a_page_of_a_history_ends_at_its_bytes_but_holds_one,
    open_dead_letters_are_counted_by_reason,
);

async fn the_newest_orders_come_first_and_no_more_than_asked_for(bench: Bench) {
    assert_eq!(bench.store.newest_orders(10).await.unwrap(), []);
    for (sequence, uid) in [(1, "a"), (2, "b"), (3, "c")] {
        ingest(&*bench.store, &[message(sequence, sequence * 10, &small(uid, sequence))]).await;
    }
    bench.database.execute("UPDATE orders SET updated_at = '2020-01-01T00:00:00.000Z'").await;
    ingest(&*bench.store, &[message(4, 40, &small("a", 4))]).await;
    let newest = bench.store.newest_orders(10).await.unwrap();
    let places: Vec<_> = newest.iter().map(|order| (&*order.order_uid, order.sequence)).collect();
    assert_eq!(
        places,
        [("c", 3), ("b", 2), ("a", 4)],
        "a replaced order keeps its place and says its new message"
    );
    assert_eq!(
        (newest[0].source, &*newest[0].channel, newest[0].published_at_ns),
        (SourceKind::Stan, "orders", 30)
    );
    assert!(newest[2].updated_at > newest[0].updated_at, "when it was replaced: {newest:?}");
    assert_eq!(bench.store.newest_orders(2).await.unwrap(), newest[..2]);
}

async fn a_history_holds_what_was_replaced_and_what_came_late(bench: Bench) {
    for (sequence, variant) in [(5, "old"), (9, "now")] {
        ingest(&*bench.store, &[message(sequence, sequence, &small("a", variant))]).await;
    }
    bench.database.execute("UPDATE order_history SET replaced_at = '2020-01-01T00:00:00.000Z'").await;
    ingest(&*bench.store, &[message(7, 7, &small("a", "late"))]).await;
    ingest(&*bench.store, &[message(1, 1, &small("b", 1))]).await;
    let history = bench.store.history("a", None, 10, usize::MAX).await.unwrap().unwrap();
    let documents: Vec<_> =
        history.iter().map(|former| (former.sequence, former.document.to_vec())).collect();
    assert_eq!(documents, [(7, small("a", "late").into_bytes()), (5, small("a", "old").into_bytes())]);
    assert_eq!((&*history[1].message_id, history[1].published_at_ns), ("stan:cluster/orders/5@5", 5));
    assert_eq!((history[1].source, &*history[1].channel), (SourceKind::Stan, "orders"));
    assert!(
        history[0].replaced_at > history[1].replaced_at + time::Duration::days(365),
        "when it came: {history:?}"
    );

    let page =
        async |before, limit| bench.store.history("a", before, limit, usize::MAX).await.unwrap().unwrap();
    assert_eq!(page(None, 1).await, history[..1]);
    assert_eq!(page(Some(history[0].id), 1).await, history[1..]);
    assert_eq!(page(Some(history[1].id), 1).await, [], "the order is known, and there is no more");
    assert_eq!(bench.store.history("b", None, 10, usize::MAX).await.unwrap(), Some(Vec::new()));
    assert_eq!(bench.store.history("A", None, 10, usize::MAX).await.unwrap(), None, "case counts");
}

async fn a_page_of_a_history_ends_at_its_bytes_but_holds_one(bench: Bench) {
    let length = small("a", 1).len();
    for sequence in 1..=5 {
        ingest(&*bench.store, &[message(sequence, sequence, &small("a", sequence))]).await;
    }
    for (max_bytes, documents) in [(1, 1), (length, 1), (length + 1, 2), (2 * length, 2), (usize::MAX, 4)] {
        let history = bench.store.history("a", None, 10, max_bytes).await.unwrap().unwrap();
        assert_eq!(history.len(), documents, "{max_bytes} bytes");
    }
}

async fn open_dead_letters_are_counted_by_reason(bench: Bench) {
    assert_eq!(bench.store.open_dead_letters().await.unwrap(), BTreeMap::new());
    let reasons = ["not_json", "empty", "not_json", "not_utf8", "not_json"];
    for (sequence, reason) in (1..).zip(reasons) {
        let rows = recorded(&*bench.store, &[message(sequence, sequence, "x")]).await;
        let decision = Decision::Reject(Refusal { reason, errors: "[]", order_uid: None });
        bench.store.settle(&[Settlement { row: &rows[0], decision }]).await.unwrap();
    }
    bench.database.execute("UPDATE dead_letters SET resolution = 'replayed' WHERE sequence = 1").await;
    bench.database.execute("UPDATE dead_letters SET resolution = 'discarded' WHERE sequence = 4").await;
    let open = bench.store.open_dead_letters().await.unwrap();
    assert_eq!(open, BTreeMap::from([("not_json".to_owned(), 2), ("empty".to_owned(), 1)]));
}
