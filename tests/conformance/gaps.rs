use orderbox::store::{Gap, SourceKind};

use super::{Bench, rules};

rules!(
    a_gap_that_is_filled_in_time_leaves_no_trace,
    a_lost_gap_is_told_once_and_closed_by_what_comes_late,
    gaps_that_become_one_are_neither_closed_nor_told_again,
    as_many_gaps_as_are_remembered_turn_lost_and_are_closed_in_one_call,
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
    let (open, latest) = store.gaps(20).await.unwrap();
    let shown: Vec<_> = latest.iter().map(|gap| (gap.first, gap.last, gap.closed_at.is_some())).collect();
    assert_eq!((open, &*shown), (0, &[(3, 18, true)][..]), "what is all there is one gap again");
    assert_eq!(latest[0].seen_at, seen_at);
}

async fn gaps_that_become_one_are_neither_closed_nor_told_again(bench: Bench) {
    let of = |first, last| Gap { first, last, before_ns: last + 1, lost: true };
    assert_eq!(bench.store.keep_missing(STAN, "orders", &[of(3, 4), of(6, 7)]).await.unwrap(), 2);
    assert_eq!(bench.store.keep_missing(STAN, "orders", &[of(3, 7)]).await.unwrap(), 0);
    let (open, latest) = bench.store.gaps(20).await.unwrap();
    assert_eq!((open, latest.len()), (1, 1));
    assert_eq!((latest[0].first, latest[0].last, latest[0].closed_at), (3, 7, None));
}

async fn as_many_gaps_as_are_remembered_turn_lost_and_are_closed_in_one_call(bench: Bench) {
    let missing = |lost| {
        (0..16_384).map(|n| Gap { first: 2 * n, last: 2 * n, before_ns: 2 * n + 1, lost }).collect::<Vec<_>>()
    };
    for (wanted, newly_lost, open) in
        [(missing(false), 0, 0), (missing(true), 16_384, 16_384), (missing(true), 0, 16_384), (vec![], 0, 0)]
    {
        assert_eq!(bench.store.keep_missing(STAN, "orders", &wanted).await.unwrap(), newly_lost);
        assert_eq!(bench.store.gaps(1).await.unwrap().0, open);
        assert_eq!(bench.store.missing(STAN, "orders").await.unwrap(), wanted);
    }
}

async fn a_new_life_of_a_channel_may_miss_the_same_numbers(bench: Bench) {
    let both = [gap(3, 18, true), Gap { before_ns: 99, ..gap(3, 18, true) }];
    assert_eq!(bench.store.keep_missing(STAN, "orders", &both).await.unwrap(), 2);
    bench.store.keep_missing(STAN, "orders", &both[1..]).await.unwrap();
    assert_eq!(bench.store.missing(STAN, "orders").await.unwrap(), &both[1..]);
    assert_eq!(bench.store.gaps(20).await.unwrap().0, 1);
}
