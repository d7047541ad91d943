use orderbox::store::{Gap, SourceKind};

use super::{Bench, rules};

rules!(
    a_gap_that_is_filled_in_time_leaves_no_trace,
    a_lost_gap_is_told_once_and_closed_by_what_comes_late,
    a_new_life_of_a_channel_may_miss_the_same_numbers,
);

const STAN: SourceKind = SourceKind::Stan;

fn gap(first: i64, last: i64, lost: bool) -> Gap {
    Gap { first, last, before_ns: 19, lost }
}

async fn a_gap_that_is_filled_in_time_leaves_no_trace(bench: Bench) {
    assert_eq!(bench.store.keep_missing(STAN, "orders", &[gap(3, 18, false)]).await.unwrap(), 0);
    assert_eq!(bench.store.missing(STAN, "orders").await.unwrap(), [gap(3, 18, false)]);
    assert_eq!(bench.store.missing(STAN, "others").await.unwrap(), []);
    assert_eq!(bench.store.gaps(20).await.unwrap(), (0, vec![]));
    bench.store.keep_missing(STAN, "orders", &[]).await.unwrap();
    assert_eq!(bench.database.number("SELECT count(*) FROM gaps").await, 0);
}

async fn a_lost_gap_is_told_once_and_closed_by_what_comes_late(bench: Bench) {
    let store = &bench.store;
    store.keep_missing(STAN, "orders", &[gap(3, 18, false)]).await.unwrap();
    let lost = [gap(3, 18, true)];
    assert_eq!(store.keep_missing(STAN, "orders", &lost).await.unwrap(), 1);
    assert_eq!(store.keep_missing(STAN, "orders", &lost).await.unwrap(), 0, "a repetition");
    let seen_at = store.gaps(20).await.unwrap().1[0].seen_at;
    let rest = [gap(3, 9, true), gap(11, 18, true)];
    assert_eq!(store.keep_missing(STAN, "orders", &rest).await.unwrap(), 0);
    let (open, latest) = store.gaps(20).await.unwrap();
    let shown: Vec<_> = latest.iter().map(|gap| (gap.first, gap.last, gap.closed_at.is_some())).collect();
    assert_eq!((open, &*shown), (2, &[(11, 18, false), (3, 9, false), (10, 10, true)][..]));
    assert!(latest.iter().all(|gap| gap.seen_at == seen_at));
    store.keep_missing(STAN, "orders", &[]).await.unwrap();
    store.keep_missing(STAN, "orders", &[]).await.unwrap();
    let (open, latest) = store.gaps(2).await.unwrap();
    assert_eq!((open, latest.len()), (0, 2));
    assert!(latest.iter().all(|gap| gap.closed_at.is_some()));
}

async fn a_new_life_of_a_channel_may_miss_the_same_numbers(bench: Bench) {
    let both = [gap(3, 18, true), Gap { before_ns: 99, ..gap(3, 18, true) }];
    assert_eq!(bench.store.keep_missing(STAN, "orders", &both).await.unwrap(), 2);
    bench.store.keep_missing(STAN, "orders", &both[1..]).await.unwrap();
    assert_eq!(bench.store.missing(STAN, "orders").await.unwrap(), &both[1..]);
    assert_eq!(bench.store.gaps(20).await.unwrap().0, 1);
}
