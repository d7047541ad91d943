use std::{
    collections::BTreeSet,
    future::poll_fn,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
};

use orderbox::store::{InboxRow, Message, Outcome, Store};
use proptest::{prelude::*, test_runner::TestRunner};

use super::{
    Bench,
    fixture::{message, recorded, settle, small, try_settle},
    rules,
};

rules!(
    of_two_that_settle_the_same_rows_each_row_has_one,
    two_that_replace_the_same_order_lose_no_update,
    two_that_insert_the_same_uid_agree_on_one,
    opposite_orders_do_not_deadlock,
    an_abandoned_call_leaves_nothing_half_done,
    the_size_of_a_batch_decides_nothing,
);

/// Settles in two sessions at once and answers both.
async fn at_once(stores: [&Arc<dyn Store>; 2], batches: [Vec<InboxRow>; 2]) -> [Vec<Option<Outcome>>; 2] {
    let [first, second] = batches;
    tokio::join!(settle(&**stores[0], &first), settle(&**stores[1], &second)).into()
}

fn count(outcomes: &[Vec<Option<Outcome>>], outcome: Option<Outcome>) -> usize {
    outcomes.iter().flatten().filter(|other| **other == outcome).count()
}

async fn of_two_that_settle_the_same_rows_each_row_has_one(bench: Bench) {
    let other = bench.database.store().await;
    for round in 0..10 {
        let messages: Vec<Message> =
            (0..40).map(|n| message(n, round * 100 + n, &small(&format!("{round}-{n}"), n))).collect();
        let rows = recorded(&*bench.store, &messages).await;
        let mut reversed = rows.clone();
        reversed.reverse();
        let outcomes = at_once([&bench.store, &other], [rows, reversed]).await;
        assert_eq!(count(&outcomes, Some(Outcome::Applied)), 40);
        assert_eq!(count(&outcomes, None), 40);
    }
    bench.assert_balances().await;
}

async fn two_that_replace_the_same_order_lose_no_update(bench: Bench) {
    let other = bench.database.store().await;
    let first = recorded(&*bench.store, &[message(0, 0, &small("a", 0))]).await;
    settle(&*bench.store, &first).await;
    for round in 1..=20 {
        let messages = [
            message(2 * round, round, &small("a", 2 * round)),
            message(2 * round + 1, round, &small("a", 2 * round + 1)),
        ];
        let rows = recorded(&*bench.store, &messages).await;
        at_once([&bench.store, &other], [rows[..1].to_vec(), rows[1..].to_vec()]).await;
        let document = bench.store.document("a").await.unwrap().unwrap();
        assert_eq!(document, small("a", 2 * round + 1).as_bytes());
    }
    // 41 documents: one is the order, all others are kept.
    assert_eq!(bench.database.number("SELECT count(DISTINCT message_id) FROM order_history").await, 40);
    assert_eq!(bench.database.number("SELECT count(*) FROM items").await, 1);
    bench.assert_balances().await;
}

async fn two_that_insert_the_same_uid_agree_on_one(bench: Bench) {
    let other = bench.database.store().await;
    for round in 0..15 {
        let uids: Vec<String> = (0..300).map(|n| format!("{round}-{n}")).collect();
        let batch = |ns: i64| -> Vec<Message> {
            (0_i64..).zip(&uids).map(|(n, uid)| message(n, round * 10 + ns, &small(uid, ns))).collect()
        };
        let (old, new) = (batch(1), batch(2));
        let old = recorded(&*bench.store, &old).await;
        let mut new = recorded(&*bench.store, &new).await;
        // Nothing is there that could be locked first, so opposite orders would deadlock in the inserts.
        new.reverse();
        let outcomes = at_once([&bench.store, &other], [old, new]).await;
        assert_eq!(count(&outcomes, Some(Outcome::Applied)), 300);
        assert_eq!(
            count(&outcomes, Some(Outcome::Replaced)) + count(&outcomes, Some(Outcome::Outdated)),
            300
        );
        for uid in &uids {
            assert_eq!(bench.store.document(uid).await.unwrap().unwrap(), small(uid, 2).as_bytes());
        }
    }
    bench.assert_balances().await;
}

async fn opposite_orders_do_not_deadlock(bench: Bench) {
    let other = bench.database.store().await;
    for round in 0..20 {
        // Half of the uids exist, half are new; the batches name them in opposite orders, with equal and other bytes.
        let batch = |ns: i64| -> Vec<Message> {
            (0..60)
                .map(|n| message(n, round * 10 + ns, &small(&format!("{}", round * 30 + n), ns % 2)))
                .collect()
        };
        let first = recorded(&*bench.store, &batch(1)).await;
        let mut second = recorded(&*bench.store, &batch(2)).await;
        second.reverse();
        at_once([&bench.store, &other], [first, second]).await;
    }
    bench.assert_balances().await;
}

async fn an_abandoned_call_leaves_nothing_half_done(bench: Bench) {
    for polls in 0..60 {
        let name = |n: i64| format!("{polls}-{n}");
        let messages = [
            message(1, polls * 10 + 1, &small(&name(1), 1)),
            message(2, polls * 10 + 2, "broken"),
            message(3, polls * 10 + 3, &small("same", polls)),
        ];
        abandon(bench.store.record(&messages), polls).await;
        let rows = recorded(&*bench.store, &messages).await;
        abandon(try_settle(&*bench.store, &rows), polls).await;
        // What was committed answers `None`, what was not is settled now; nothing lies between.
        let outcomes = settle(&*bench.store, &rows).await;
        assert!(outcomes.iter().all(Option::is_none) || outcomes.iter().all(Option::is_some), "{outcomes:?}");
        let document = bench.store.document(&name(1)).await.unwrap().unwrap();
        assert_eq!(document, small(&name(1), 1).as_bytes());
    }
    assert_eq!(bench.database.number("SELECT count(*) FROM dead_letters").await, 60);
    assert_eq!(bench.database.number("SELECT count(*) FROM orders").await, 61);
    bench.assert_balances().await;
}

/// Drops a call after so many polls.
async fn abandon<T>(call: impl Future<Output = T>, polls: i64) {
    let mut call = pin!(call);
    let mut left = polls;
    poll_fn(|context| {
        left -= 1;
        if left < 0 || call.as_mut().poll(context).is_ready() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

/// What a sequence of messages leaves behind: orders, history in its order, and the ledger.
#[derive(Debug, PartialEq)]
struct Trace {
    orders: Vec<Vec<Option<String>>>,
    history: Vec<Vec<Option<String>>>,
    ledger: Vec<Vec<Option<String>>>,
}

impl Trace {
    /// Settles the messages in batches of these sizes, in a name space of their own.
    async fn leave(bench: &Bench, space: &str, drawn: &[(u8, u8, i64)], sizes: &[usize]) -> Self {
        let messages: Vec<Message> = (0_i64..)
            .zip(drawn)
            .map(|(n, (uid, variant, ns))| {
                let payload = if *variant == 0 {
                    "broken".to_owned()
                } else {
                    small(&format!("{space}{uid}"), variant)
                };
                let message_id = format!("{space}{:03}", (n * 37) % 101).into();
                Message { message_id, channel: space.into(), ..message(n % 2, *ns, &payload) }
            })
            .collect();
        let mut rest = &messages[..];
        let mut sizes = sizes.iter().cycle();
        while !rest.is_empty() {
            let (batch, others) = rest.split_at(rest.len().min(*sizes.next().unwrap()));
            rest = others;
            let rows = recorded(&*bench.store, batch).await;
            settle(&*bench.store, &rows).await;
        }
        let own = |column: &str| format!("substr({column}, {})", space.len() + 1);
        let select = |table: &str, order: &str| {
            format!(
                "SELECT {}, {}, CAST(sequence AS text), CAST(published_at_ns AS text) FROM {table}
                 WHERE channel = '{space}' ORDER BY {order}",
                own("order_uid"),
                own("message_id")
            )
        };
        let ledger = format!(
            "SELECT outcome, CAST(sum(messages) AS text) FROM ledger WHERE channel = '{space}' GROUP BY 1 ORDER BY 1"
        );
        Self {
            orders: bench.database.rows(&select("orders", "order_uid")).await,
            // Within one uid: the order across uids is that of the batches.
            history: bench.database.rows(&select("order_history", "order_uid, id")).await,
            ledger: bench.database.rows(&ledger).await,
        }
    }
}

async fn the_size_of_a_batch_decides_nothing(bench: Bench) {
    let message = (0..3_u8, 0..3_u8, 0..6_i64);
    let case = (
        proptest::collection::vec(message, 1..20),
        proptest::collection::vec(1..8_usize, 1..5),
        any::<bool>(),
    );
    let mut runner =
        TestRunner::new(ProptestConfig { cases: 24, failure_persistence: None, ..Default::default() });
    let numbers = AtomicUsize::new(0);
    let handle = tokio::runtime::Handle::current();
    let outcome = tokio::task::block_in_place(|| {
        runner.run(&case, |(mut drawn, sizes, in_order)| {
            let number = numbers.fetch_add(1, Ordering::Relaxed);
            if in_order {
                // Sequence and message_id break ties; equal times would arrive in another order than theirs.
                drawn.sort_by_key(|(_, _, ns)| *ns);
                drawn.iter_mut().zip(0..).for_each(|((_, _, ns), n)| *ns = *ns * 100 + n);
            }
            let (split, single) = handle.block_on(async {
                let split = Trace::leave(&bench, &format!("{number:04}-s-"), &drawn, &sizes).await;
                (split, Trace::leave(&bench, &format!("{number:04}-o-"), &drawn, &[1]).await)
            });
            prop_assert_eq!(&split.orders, &single.orders);
            if in_order {
                prop_assert_eq!(split, single);
            }
            Ok(())
        })
    });
    outcome.unwrap();
    bench.assert_balances().await;
    let history = bench.database.rows("SELECT message_id FROM order_history").await;
    assert_eq!(history.iter().collect::<BTreeSet<_>>().len(), history.len());
}
