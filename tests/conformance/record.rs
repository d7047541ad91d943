use std::time::Duration;

use orderbox::store::{Message, SourceKind};

use super::{
    Bench,
    fixture::{message, recorded, settle, small},
    rules,
};

rules!(
    a_message_is_read_back_as_it_came,
    recording_twice_counts_once,
    two_copies_in_one_call_count_once,
    concurrent_copies_count_once,
    nothing_recorded_is_nothing_done,
    unsettled_rows_are_listed_by_id_and_age,
    postponing_counts_the_attempts_of_a_row_that_is_there,
    asking_for_room_takes_none_and_records_nothing,
    a_channel_goes_back_only_when_it_began_again,
);

async fn received(bench: &Bench) -> i64 {
    bench
        .database
        .number("SELECT CAST(coalesce(sum(messages), 0) AS bigint) FROM ledger WHERE outcome = 'received'")
        .await
}

async fn a_message_is_read_back_as_it_came(bench: Bench) {
    let messages = [
        message(1, i64::MAX, "\u{0}\u{1}"),
        Message { payload: bytes::Bytes::from_static(b"\xff\xfe\x00"), ..message(i64::MAX, -1, "") },
        Message { source: SourceKind::Http, channel: "http".into(), ..message(0, 5, "") },
    ];
    let rows = recorded(&*bench.store, &messages).await;
    let read: Vec<_> = rows.iter().map(|row| row.message.clone()).collect();
    assert_eq!(read, messages);
    assert!(!bench.store.ledger_is_empty().await.unwrap());
    bench.assert_balances().await;
}

async fn recording_twice_counts_once(bench: Bench) {
    let messages = [message(2, 20, "b"), message(1, 10, "a")];
    let first = bench.store.record(&messages).await.unwrap();
    assert!(first.iter().all(|recorded| recorded.new));

    let more = [message(1, 10, "a"), message(3, 30, "c"), message(2, 20, "b")];
    let second = bench.store.record(&more).await.unwrap();
    assert_eq!(second.iter().map(|recorded| recorded.new).collect::<Vec<_>>(), [false, true, false]);
    assert_eq!((second[0].id, second[2].id), (first[1].id, first[0].id));
    assert_eq!(received(&bench).await, 3);
    bench.assert_balances().await;
}

async fn two_copies_in_one_call_count_once(bench: Bench) {
    let messages = [message(1, 10, "a"), message(2, 20, "b"), message(1, 10, "a")];
    let recorded = bench.store.record(&messages).await.unwrap();
    assert_eq!(recorded.iter().map(|recorded| recorded.new).collect::<Vec<_>>(), [true, true, false]);
    assert_eq!(recorded[0].id, recorded[2].id);
    assert_eq!(received(&bench).await, 2);
    bench.assert_balances().await;
}

async fn concurrent_copies_count_once(bench: Bench) {
    let messages: Vec<_> = (0..50).map(|n| message(n, n, "a")).collect();
    let mut reversed = messages.clone();
    reversed.reverse();
    let other = bench.database.store().await;
    for _ in 0..5 {
        // Opposite orders would deadlock if the store took them as they came.
        let (a, b) = tokio::join!(bench.store.record(&messages), other.record(&reversed));
        let (a, mut b) = (a.unwrap(), b.unwrap());
        b.reverse();
        for (a, b) in a.iter().zip(&b) {
            assert_eq!(a.id, b.id);
            assert!(!(a.new && b.new));
        }
        let rows = recorded(&*bench.store, &messages).await;
        settle(&*bench.store, &rows).await;
    }
    assert_eq!(received(&bench).await, 250);
    bench.assert_balances().await;
}

async fn nothing_recorded_is_nothing_done(bench: Bench) {
    assert_eq!(bench.store.record(&[]).await.unwrap(), []);
    assert_eq!(bench.store.settle(&[]).await.unwrap(), []);
    assert_eq!(bench.store.load(&[]).await.unwrap(), []);
    assert!(bench.store.ledger_is_empty().await.unwrap());
    bench.assert_balances().await;
}

async fn unsettled_rows_are_listed_by_id_and_age(bench: Bench) {
    let messages: Vec<_> = (0..5).map(|n| message(n, n, "abc")).collect();
    let rows = recorded(&*bench.store, &messages).await;
    let mut ids: Vec<i64> = rows.iter().map(|row| row.id).collect();
    ids.sort_unstable();

    let keys = bench.store.unsettled(0, Duration::ZERO, 100).await.unwrap();
    assert_eq!(keys.iter().map(|key| key.id).collect::<Vec<_>>(), ids);
    assert!(keys.iter().all(|key| key.bytes == 3 && key.message_id.starts_with("stan:cluster/orders/")));
    let page = bench.store.unsettled(ids[1], Duration::ZERO, 2).await.unwrap();
    assert_eq!(page.iter().map(|key| key.id).collect::<Vec<_>>(), ids[2..4]);

    let minute = Duration::from_secs(60);
    assert_eq!(bench.store.unsettled(0, minute, 100).await.unwrap(), []);
    let older = format!("UPDATE inbox SET received_at = '2020-01-01T00:00:00.000Z' WHERE id = {}", ids[3]);
    bench.database.execute(&older).await;
    let old = bench.store.unsettled(0, minute, 100).await.unwrap();
    assert_eq!(old.iter().map(|key| key.id).collect::<Vec<_>>(), [ids[3]]);

    // After a step back of the clock, rows of the future are found all the same.
    bench.database.execute("UPDATE inbox SET received_at = '2999-01-01T00:00:00.000Z'").await;
    assert_eq!(bench.store.unsettled(0, Duration::ZERO, 100).await.unwrap().len(), 5);
    assert_eq!(bench.store.unsettled(0, minute, 100).await.unwrap().len(), 5);
}

async fn postponing_counts_the_attempts_of_a_row_that_is_there(bench: Bench) {
    let rows = recorded(&*bench.store, &[message(1, 1, &small("a", 1))]).await;
    assert_eq!(bench.store.postpone(rows[0].id).await.unwrap(), 1);
    assert_eq!(bench.store.postpone(rows[0].id).await.unwrap(), 2);
    assert_eq!(bench.database.number("SELECT CAST(attempts AS bigint) FROM inbox").await, 2);
    settle(&*bench.store, &rows).await;
    assert_eq!(bench.store.postpone(rows[0].id).await.unwrap(), 0);
    bench.assert_balances().await;
}

async fn a_channel_goes_back_only_when_it_began_again(bench: Bench) {
    let position = async || {
        let status = bench.store.status().await.unwrap();
        (status.channels[0].last_sequence, status.channels[0].last_published_at_ns)
    };
    bench.store.record(&[message(9, 90, ""), message(8, 80, "")]).await.unwrap();
    assert_eq!(position().await, (9, 90));
    bench.store.record(&[message(7, 70, "")]).await.unwrap();
    assert_eq!(position().await, (9, 90));
    bench.store.record(&[message(1, 100, "")]).await.unwrap();
    assert_eq!(position().await, (1, 100), "a lower sequence with a later time is a new life of the channel");
    bench.store.record(&[message(10, 95, "")]).await.unwrap();
    assert_eq!(position().await, (1, 100), "a late message of the former life moves nothing");
}

async fn asking_for_room_takes_none_and_records_nothing(bench: Bench) {
    bench.store.record(&[message(1, 10, "a")]).await.unwrap();
    let before = bench.store.audit().await.unwrap();
    for bytes in [0, 1, 1 << 20] {
        bench.store.room_for(bytes).await.unwrap();
    }
    assert_eq!(bench.store.audit().await.unwrap(), before);
    assert_eq!(bench.database.number("SELECT count(*) FROM inbox").await, 1);
    assert_eq!(bench.database.number("SELECT count(*) FROM inbox WHERE attempts > 0").await, 0);
}
