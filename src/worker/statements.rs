//! How many calls a refused batch costs, for every placement of the rows that are to blame.

use std::{collections::BTreeMap, sync::Arc};

use proptest::prelude::*;
use tokio::sync::mpsc;

use super::{Worker, prepared::prepare};
use crate::{
    cache::{Cache, testing::TestStore},
    inbox::{Budget, Held, InFlight},
    store::{Class, InboxRow, Message, Outcome, SourceKind},
    telemetry::Board,
};

/// Beside the halving a bad row is tried alone once, once more to be sure, and settled as a dead letter; one that fails for
/// now has its attempt written down.
const ALONE: usize = 3;

fn held(rows: usize) -> Vec<Held> {
    let budget = Budget::new(64 << 20);
    let held = |id: usize| {
        let payload = format!(
            r#"{{"order_uid":"u{id}","track_number":"T","delivery":{{}},"payment":{{}},"items":[]}}"#
        );
        let id = i64::try_from(id).expect("a test is small");
        let message = Message {
            message_id: format!("stan:c/orders/{id}@{id}").into(),
            source: SourceKind::Stan,
            channel: "orders".into(),
            sequence: id,
            published_at_ns: id,
            payload: payload.into(),
        };
        Held { row: InboxRow { id, message }, permit: budget.take(0).expect("there is room") }
    };
    (0..rows).map(held).collect()
}

/// Settles so many rows of which `bad` are refused, and holds the result against the promise: each row has exactly one end,
/// and the calls are at most 2 log2(n) and a constant a bad row.
async fn settles_within_the_bound(rows: usize, bad: &BTreeMap<usize, Class>) {
    let store = Arc::new(TestStore::default());
    store.refuse(bad.iter().map(|(row, class)| (i64::try_from(*row).expect("small"), *class)));
    let worker = Worker::new(
        Arc::<TestStore>::clone(&store),
        Arc::new(Cache::new(1 << 20)),
        Arc::new(InFlight::default()),
        mpsc::channel(1).1,
        rows,
        1 << 20,
        Board::default().register("worker", None),
    );
    let held = held(rows);
    let failing = worker.lane.settle(&mut prepare(&held, 1 << 20).await).await;
    let (mut settled, postponed) = store.settled_and_postponed();
    settled.sort_unstable_by_key(|(id, _)| *id);
    let end = |row: usize| match bad.get(&row) {
        None => Some(Outcome::Applied),
        Some(Class::Data) => Some(Outcome::Rejected),
        Some(Class::Redelivery | Class::Transient) => None,
    };
    let expected: Vec<_> =
        (0..rows).filter_map(|row| Some((i64::try_from(row).expect("small"), end(row)?))).collect();
    assert_eq!(settled, expected);
    let waiting: Vec<usize> = (0..rows).filter(|row| end(*row).is_none()).collect();
    assert_eq!(failing.iter().map(|failing| failing.place).collect::<Vec<_>>(), waiting);
    let calls = store.settles() + postponed.len();
    let halvings = usize::try_from(rows.next_power_of_two().ilog2()).expect("small");
    let bound = (bad.len() * (2 * halvings + ALONE)).max(1);
    assert!(calls <= bound, "{calls} calls for {rows} rows with {bad:?}, over {bound}");
}

#[tokio::test(start_paused = true)]
async fn every_placement_in_a_small_batch_costs_at_most_two_calls_a_halving_and_three_more() {
    for class in Class::ALL {
        for rows in 1..=9_usize {
            for placement in 0..1_u32 << rows {
                let bad = (0..rows).filter(|row| placement >> row & 1 == 1).map(|row| (row, class)).collect();
                settles_within_the_bound(rows, &bad).await;
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_placement_in_a_large_batch_costs_at_most_two_calls_a_halving_and_three_more(
        rows in 10_usize..1500,
        places in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..3), 0..12),
    ) {
        let bad = places.into_iter().map(|(place, class)| (place.index(rows), Class::ALL[class])).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        runtime.block_on(settles_within_the_bound(rows, &bad));
    }
}
