//! What is kept long enough is deleted, nothing else is, and the audit still balances.

use std::time::Duration;

use orderbox::store::{Aging, Change, Selection, Stretch};

use super::{
    Bench,
    fixture::{ingest, message, recorded, settle, small},
};

super::rules!(
    what_is_old_enough_is_deleted_and_counted_and_nothing_else,
    what_changed_since_it_was_found_to_be_old_stays,
    a_dead_letter_that_is_open_or_referred_to_stays,
    every_row_is_looked_at_a_page_at_a_time,
    an_order_that_was_deleted_may_come_again,
    others_hear_of_an_order_that_was_deleted_until_nobody_can_have_missed_it,
);

const HOUR: Duration = Duration::from_secs(3600);

impl Bench {
    /// Sets a column of a table two hours back, where that holds.
    async fn age(&self, table: &str, column: &str, which: &str) {
        let then = if self.database.is_postgres() {
            "now() - interval '2 hours'"
        } else {
            "strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-2 hours')"
        };
        self.database.execute(&format!("UPDATE {table} SET {column} = {then} WHERE {which}")).await;
    }

    /// Deletes all that is older than an hour; how much that is.
    async fn expire(&self, what: Aging) -> u64 {
        let aged = self.store.aged(what, HOUR, 0, 1000).await.unwrap();
        assert_eq!(aged.next, None);
        self.store.expire(what, HOUR, &aged.ids).await.unwrap()
    }

    async fn texts(&self, sql: &str) -> Vec<String> {
        self.database.rows(sql).await.into_iter().flatten().flatten().collect()
    }
}

async fn what_is_old_enough_is_deleted_and_counted_and_nothing_else(bench: Bench) {
    for (sequence, uid) in [(1, "a"), (2, "b"), (3, "c"), (4, "b"), (5, "c")] {
        ingest(&*bench.store, &[message(sequence, sequence, &small(uid, sequence))]).await;
    }
    ingest(&*bench.store, &[message(6, 6, "x"), message(7, 7, "y")]).await;
    assert_eq!(bench.store.discard(&[1, 2], None, "tester").await.unwrap(), [1, 2]);
    for what in [Aging::Orders, Aging::DeadLetters, Aging::History] {
        assert_eq!(bench.expire(what).await, 0, "{what:?}");
    }
    bench.age("orders", "updated_at", "order_uid IN ('a', 'b')").await;
    bench.age("dead_letters", "resolved_at", "id = 1").await;
    bench.age("order_history", "replaced_at", "order_uid = 'c'").await;

    let aged = bench.store.aged(Aging::Orders, HOUR, 0, 1000).await.unwrap();
    assert_eq!((aged.uids, aged.ids.len()), (vec!["a".to_owned(), "b".to_owned()], 2));
    assert_eq!((bench.expire(Aging::Orders).await, bench.expire(Aging::Orders).await), (2, 0));
    assert_eq!((bench.expire(Aging::DeadLetters).await, bench.expire(Aging::DeadLetters).await), (1, 0));
    assert_eq!((bench.expire(Aging::History).await, bench.expire(Aging::History).await), (1, 0));
    assert_eq!(bench.texts("SELECT order_uid FROM orders").await, ["c"]);
    assert_eq!(bench.texts("SELECT message_id FROM dead_letters").await, ["stan:cluster/orders/7@7"]);
    assert_eq!(bench.texts("SELECT order_uid FROM order_history").await, ["b"]);
    assert_eq!(bench.store.document("a").await.unwrap(), None);
    for table in ["items", "payments", "deliveries"] {
        assert_eq!(bench.database.number(&format!("SELECT count(*) FROM {table}")).await, 1, "{table}");
    }
    let expired = bench.store.audit().await.unwrap().channels[0].ledger.expired;
    assert_eq!((expired.orders, expired.dead_letters, expired.history), (2, 1, 1));
    assert_eq!(bench.store.status().await.unwrap().unaccounted, 0);
    bench.assert_balances().await;
}

async fn what_changed_since_it_was_found_to_be_old_stays(bench: Bench) {
    ingest(&*bench.store, &[message(1, 1, &small("a", 1))]).await;
    bench.age("orders", "updated_at", "order_uid = 'a'").await;
    let aged = bench.store.aged(Aging::Orders, HOUR, 0, 1000).await.unwrap();
    ingest(&*bench.store, &[message(2, 2, &small("a", 2))]).await;
    assert_eq!(bench.store.expire(Aging::Orders, HOUR, &aged.ids).await.unwrap(), 0);
    assert!(bench.store.document("a").await.unwrap().is_some());
    bench.assert_balances().await;
}

async fn a_dead_letter_that_is_open_or_referred_to_stays(bench: Bench) {
    let broken = (1..=4).map(|n| message(n, n, "broken")).collect::<Vec<_>>();
    ingest(&*bench.store, &broken).await;
    // 1 is open, the replay of 2 waits, that of 3 fails and is 5, that of 4 is an order.
    bench.store.replay(&[2], None, "tester").await.unwrap();
    for (id, edited) in [(3, None), (4, Some(small("mended", 1)))] {
        bench.store.replay(&[id], edited.as_deref().map(str::as_bytes), "tester").await.unwrap();
        let waiting = bench.store.unsettled(0, Duration::ZERO, 10).await.unwrap();
        let rows = bench.store.load(&[waiting.last().unwrap().id]).await.unwrap();
        settle(&*bench.store, &rows).await;
    }
    bench.age("dead_letters", "rejected_at", "id > 0").await;
    bench.age("dead_letters", "resolved_at", "resolution <> 'open'").await;
    assert_eq!(bench.expire(Aging::DeadLetters).await, 1);
    let named = bench.store.expire(Aging::DeadLetters, HOUR, &[1, 2, 3, 5]).await.unwrap();
    assert_eq!(named, 0, "also when they are named");
    let left = "SELECT CAST(id AS text) FROM dead_letters ORDER BY id";
    assert_eq!(bench.texts(left).await, ["1", "2", "3", "5"]);
    bench.assert_balances().await;

    // What referred to it goes first, then it does.
    let all = Stretch { after: 0, up_to: i64::MAX };
    let open = bench.store.count_open(&Selection::default(), all).await.unwrap();
    assert_eq!(open.letters, 2);
    bench.store.discard(&[5], None, "tester").await.unwrap();
    bench.age("dead_letters", "resolved_at", "id = 5").await;
    assert_eq!((bench.expire(Aging::DeadLetters).await, bench.expire(Aging::DeadLetters).await), (1, 1));
    assert_eq!(bench.texts(left).await, ["1", "2"]);
    // Its number is not given again: a message of its replay would be taken for another's.
    ingest(&*bench.store, &[message(9, 9, "broken")]).await;
    assert_eq!(bench.texts(left).await, ["1", "2", "6"]);
    bench.assert_balances().await;
}

async fn every_row_is_looked_at_a_page_at_a_time(bench: Bench) {
    let messages = (1..=10).map(|n| message(n, n, &small(&format!("u{n}"), n))).collect::<Vec<_>>();
    ingest(&*bench.store, &messages).await;
    bench.age("orders", "updated_at", "id IN (1, 6, 7, 10)").await;
    let (mut pages, mut after) = (Vec::new(), Some(0));
    while let Some(from) = after {
        let aged = bench.store.aged(Aging::Orders, HOUR, from, 3).await.unwrap();
        pages.push(aged.ids);
        after = aged.next;
    }
    assert_eq!(pages, [vec![1], vec![6], vec![7], vec![10]]);
}

async fn an_order_that_was_deleted_may_come_again(bench: Bench) {
    let rows = recorded(&*bench.store, &[message(1, 1, &small("a", 1))]).await;
    settle(&*bench.store, &rows).await;
    bench.age("orders", "updated_at", "order_uid = 'a'").await;
    assert_eq!(bench.expire(Aging::Orders).await, 1);
    ingest(&*bench.store, &[message(2, 2, &small("a", 2))]).await;
    assert!(bench.store.document("a").await.unwrap().is_some());
    bench.assert_balances().await;
}

async fn others_hear_of_an_order_that_was_deleted_until_nobody_can_have_missed_it(bench: Bench) {
    ingest(&*bench.store, &[message(1, 1, &small("a", 1))]).await;
    bench.age("orders", "updated_at", "order_uid = 'a'").await;
    assert_eq!(bench.expire(Aging::Orders).await, 1);
    let changes = bench.store.changes_since(HOUR).await.unwrap();
    let Some(timeout) = bench.store.others() else {
        return assert_eq!(changes, [], "there is nobody else");
    };
    assert_eq!(changes, [Change::Expired(1)]);
    assert_eq!(bench.store.changed(&changes).await.unwrap(), [("a".to_owned(), None)]);
    let forgotten = async |ago: Duration| {
        let then = format!("UPDATE expired_orders SET expired_at = now() - interval '{} s'", ago.as_secs());
        bench.database.execute(&then).await;
        bench.store.forget_told().await.unwrap()
    };
    assert_eq!(forgotten(3 * timeout + Duration::from_secs(570)).await, 0);
    assert_eq!(forgotten(3 * timeout + Duration::from_secs(601)).await, 1);
    assert_eq!(bench.database.number("SELECT count(*) FROM expired_orders").await, 0);
}
