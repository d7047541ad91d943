//! The simulation holds the pipeline against tables of its own, so these must do what the real stores do.

use std::collections::BTreeMap;

use fastrand::Rng;
use orderbox::store::{InboxRow, Message};

use super::{
    Bench,
    fixture::{message, recorded, settle, small},
    rules,
};
use crate::simulation::tables::{Tables, Verdict};

rules!(the_tables_of_the_simulation_do_what_the_store_does);

const HISTORIES: u64 = 30;

/// Messages of one history: few uids, documents and times, so that nearly every message meets another.
const MESSAGES: usize = 24;

async fn the_tables_of_the_simulation_do_what_the_store_does(bench: Bench) {
    let mut seen = BTreeMap::new();
    for seed in 0..HISTORIES {
        let mut rng = Rng::with_seed(seed);
        let mut tables = Tables::default();
        let messages: Vec<Message> = (0..MESSAGES).map(|n| drawn(seed, n, &mut rng)).collect();
        let rows = recorded(&*bench.store, &messages).await;
        let model: BTreeMap<_, _> =
            messages.iter().map(|message| &message.message_id).zip(tables.record(&messages)).collect();
        let mut left = rows;
        while !left.is_empty() {
            rng.shuffle(&mut left);
            let batch = left.split_off(left.len().saturating_sub(rng.usize(1..10)));
            // A row may be settled again: by another instance, or after a commit whose answer was lost.
            left.extend(batch.iter().filter(|_| rng.u8(..5) == 0).cloned());
            let verdicts: Vec<Verdict> =
                batch.iter().map(|row| verdict(row, model[&row.message.message_id].id)).collect();
            let outcomes = settle(&*bench.store, &batch).await;
            assert_eq!(outcomes, tables.settle(tokio::time::Instant::now(), &verdicts), "seed {seed}");
            for outcome in outcomes {
                *seen.entry(outcome.map(|outcome| outcome.as_str())).or_insert(0) += 1;
            }
        }
        same(&bench, seed, &tables).await;
    }
    assert_eq!(seen.len(), 6, "every outcome, and none, occurs: {seen:?}");
    bench.assert_balances().await;
}

fn drawn(seed: u64, n: usize, rng: &mut Rng) -> Message {
    let payload = match rng.u8(..8) {
        0 => "broken".to_owned(),
        _ => small(&format!("{seed}-{}", rng.u8(..4)), rng.u8(..3)),
    };
    let sequence = rng.i64(1..4);
    // The number keeps ids apart where the times and sequences are the same.
    let message_id = format!("stan:cluster/orders/{seed}-{n}").into();
    Message { message_id, ..message(sequence, rng.i64(..5), &payload) }
}

fn verdict(row: &InboxRow, id: i64) -> Verdict {
    let uid = row.message.payload.starts_with(b"{").then(|| {
        let order = super::fixture::order(&row.message.payload);
        order.order_uid.into_owned()
    });
    Verdict {
        row: InboxRow { id, message: row.message.clone() },
        decision: uid.ok_or_else(|| "not_json".to_owned()),
    }
}

/// Orders, history and dead letters of this history are the same.
async fn same(bench: &Bench, seed: u64, tables: &Tables) {
    for (uid, head) in &tables.orders {
        let document = bench.store.document(uid).await.unwrap();
        assert_eq!(document.as_ref(), Some(&head.message.payload), "{uid}");
    }
    let ids = |table: &str| {
        let sql =
            format!("SELECT message_id FROM {table} WHERE message_id LIKE 'stan:cluster/orders/{seed}-%'");
        async move {
            let mut ids: Vec<String> =
                bench.database.rows(&sql).await.into_iter().flatten().flatten().collect();
            ids.sort();
            ids
        }
    };
    let mut heads: Vec<String> =
        tables.orders.values().map(|head| head.message.message_id.to_string()).collect();
    heads.sort();
    assert_eq!(ids("orders").await, heads, "seed {seed}");
    let mut former: Vec<String> = tables.history.keys().map(ToString::to_string).collect();
    former.sort();
    assert_eq!(ids("order_history").await, former, "seed {seed}");
    let mut letters: Vec<String> = tables.letters.keys().map(ToString::to_string).collect();
    letters.sort();
    assert_eq!(ids("dead_letters").await, letters, "seed {seed}");
}
