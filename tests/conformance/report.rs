use std::time::Duration;

use orderbox::store::{
    DeadLetterFilter, Decision, Message, Outcome, Refusal, Resolution, Selection, Settlement, SourceKind,
};

use super::{
    Bench,
    fixture::{ingest, message, recorded, small},
    rules,
};

rules!(
    an_audit_finds_every_count_that_is_off,
    an_audit_names_each_channel,
    the_status_says_what_waits_and_what_came,
    a_ledger_that_is_off_is_seen_in_the_status_channel_by_channel,
    the_status_is_one_snapshot_however_much_is_recorded_and_settled_meanwhile,
    the_oldest_open_dead_letter_has_an_age_and_a_resolved_one_has_none,
    only_a_file_has_room_that_can_be_seen,
    dead_letters_are_listed_newest_first_and_filtered,
    a_dead_letter_is_shown_with_every_byte,
);

const ALL: DeadLetterFilter = DeadLetterFilter { selection: ANY, resolution: None, before: None, limit: 100 };
const ANY: Selection = Selection { reason: None, code: None, order_uid: None, since: None, until: None };

/// Rejects messages for a reason.
async fn reject(bench: &Bench, messages: &[Message], reason: &str, order_uid: Option<&str>) {
    let rows = recorded(&*bench.store, messages).await;
    let errors = r#"[{"pointer":"/items","code":"missing","message":"items is missing"}]"#;
    let decision = Decision::Reject(Refusal { reason, errors, order_uid });
    let batch: Vec<_> = rows.iter().map(|row| Settlement { row, decision }).collect();
    let outcomes = bench.store.settle(&batch).await.unwrap();
    assert!(outcomes.iter().all(|outcome| *outcome == Some(Outcome::Rejected)));
}

async fn an_audit_finds_every_count_that_is_off(bench: Bench) {
    ingest(
        &*bench.store,
        &[message(1, 1, &small("a", 1)), message(2, 2, "x"), message(3, 3, &small("b", 1))],
    )
    .await;
    bench.store.record(&[message(4, 4, "")]).await.unwrap();
    bench.assert_balances().await;
    for (spoil, mend) in [
        (
            "UPDATE ledger SET messages = messages + 1 WHERE outcome = 'received'",
            "UPDATE ledger SET messages = messages - 1 WHERE outcome = 'received'",
        ),
        (
            "UPDATE ledger SET messages = messages - 1 WHERE outcome = 'applied'",
            "UPDATE ledger SET messages = messages + 1 WHERE outcome = 'applied'",
        ),
        ("UPDATE inbox SET channel = 'other'", "UPDATE inbox SET channel = 'orders'"),
        ("UPDATE dead_letters SET channel = 'other'", "UPDATE dead_letters SET channel = 'orders'"),
        (
            "CREATE TABLE kept AS SELECT * FROM deliveries; DELETE FROM deliveries",
            "INSERT INTO deliveries SELECT * FROM kept; DROP TABLE kept",
        ),
        (
            "CREATE TABLE kept AS SELECT * FROM payments; DELETE FROM payments",
            "INSERT INTO payments SELECT * FROM kept; DROP TABLE kept",
        ),
        ("DELETE FROM inbox", "SELECT 1"),
    ] {
        bench.database.execute(spoil).await;
        let audit = bench.store.audit().await.unwrap();
        assert!(!audit.balances(), "not found: {spoil}");
        bench.database.execute(mend).await;
    }
    let differences = bench.store.audit().await.unwrap().differences();
    let equation =
        "stan/orders: received = applied + replaced + unchanged + outdated + rejected + pending: 4 against 3";
    assert_eq!(differences.iter().map(ToString::to_string).collect::<Vec<_>>(), [equation]);
}

async fn an_audit_names_each_channel(bench: Bench) {
    let http = Message {
        source: SourceKind::Http,
        channel: "http".into(),
        message_id: "http:1".into(),
        ..message(0, 5, &small("a", 2))
    };
    ingest(&*bench.store, &[message(1, 1, &small("a", 1)), http]).await;
    bench.store.record(&[Message { channel: "late".into(), ..message(9, 9, "") }]).await.unwrap();
    let audit = bench.store.audit().await.unwrap();
    let lines: Vec<_> = audit
        .channels
        .iter()
        .map(|line| (line.ledger.source, &*line.ledger.channel, line.ledger.received, line.pending))
        .collect();
    let expected = [
        (SourceKind::Stan, "late", 1, 1),
        (SourceKind::Stan, "orders", 1, 0),
        (SourceKind::Http, "http", 1, 0),
    ];
    assert_eq!(lines, expected);
    assert_eq!((audit.orders, audit.deliveries, audit.payments), (1, 1, 1));
    bench.assert_balances().await;
}

async fn the_status_says_what_waits_and_what_came(bench: Bench) {
    let empty = bench.store.status().await.unwrap();
    assert_eq!((empty.inbox_pending, empty.oldest_pending), (0, None));
    assert!(empty.ledger.is_empty() && empty.channels.is_empty());

    ingest(&*bench.store, &[message(1, 1, &small("a", 1)), message(2, 2, "x"), message(3, 3, "y")]).await;
    bench.store.record(&[message(7, 70, ""), message(8, 80, "")]).await.unwrap();
    bench
        .database
        .execute("UPDATE inbox SET received_at = '2020-01-01T00:00:00.000Z' WHERE sequence = 7")
        .await;
    bench.database.execute("UPDATE dead_letters SET resolution = 'replayed' WHERE sequence = 3").await;
    let status = bench.store.status().await.unwrap();
    assert_eq!(status.inbox_pending, 2);
    assert!(status.oldest_pending.unwrap() > Duration::from_secs(365 * 86_400));
    assert_eq!(
        bench.store.count_dead_letters().await.unwrap(),
        [(Resolution::Open, 1), (Resolution::Replayed, 1), (Resolution::Discarded, 0)]
    );
    assert_eq!(status.ledger.len(), 1);
    let ledger = &status.ledger[0];
    assert_eq!((ledger.received, ledger.outcomes.get(Outcome::Rejected)), (5, 2));
    assert_eq!((status.channels[0].last_sequence, status.channels[0].last_published_at_ns), (8, 80));

    bench.database.execute("UPDATE inbox SET received_at = '2999-01-01T00:00:00.000Z'").await;
    assert_eq!(bench.store.status().await.unwrap().oldest_pending, Some(Duration::ZERO));
}

async fn a_ledger_that_is_off_is_seen_in_the_status_channel_by_channel(bench: Bench) {
    ingest(&*bench.store, &[message(1, 1, &small("a", 1)), message(2, 2, "x")]).await;
    bench.store.record(&[message(3, 3, "")]).await.unwrap();
    let unaccounted = async || bench.store.status().await.unwrap().unaccounted;
    assert_eq!(unaccounted().await, 0);
    bench.database.execute("UPDATE ledger SET messages = messages + 3 WHERE outcome = 'received'").await;
    assert_eq!(unaccounted().await, 3);
    bench.database.execute("UPDATE ledger SET messages = messages - 4 WHERE outcome = 'received'").await;
    assert_eq!(unaccounted().await, 1, "one too few is as wrong as one too many");
    // One too few here and one too many there do not make up for each other, with or without lines in the ledger.
    bench.database.execute("UPDATE ledger SET messages = messages + 1 WHERE outcome = 'received'").await;
    bench.database.execute("UPDATE inbox SET channel = 'other'").await;
    assert_eq!(unaccounted().await, 2);
}

async fn the_status_is_one_snapshot_however_much_is_recorded_and_settled_meanwhile(bench: Bench) {
    const ROUNDS: i64 = 150;
    let writing = async |channel: &str| {
        let store = bench.database.store().await;
        for round in 0..ROUNDS {
            let messages: Vec<Message> = (0..5)
                .map(|n| {
                    let payload =
                        if n == 0 { "x".to_owned() } else { small(&format!("{channel}-{n}"), round) };
                    Message {
                        channel: channel.into(),
                        message_id: format!("stan:cluster/{channel}/{}@1", round * 5 + n).into(),
                        ..message(round * 5 + n, 1, &payload)
                    }
                })
                .collect();
            ingest(&*store, &messages).await;
        }
    };
    let mut looks = 0;
    let looking = async {
        loop {
            let status = bench.store.status().await.unwrap();
            assert_eq!(status.unaccounted, 0, "after {looks} looks: {status:?}");
            looks += 1;
        }
    };
    tokio::select! {
        _ = async { tokio::join!(writing("a"), writing("b")) } => {}
        () = looking => {}
    }
    assert!(looks > 20, "only {looks} looks, so this test has shown nothing");
    bench.assert_balances().await;
}

async fn the_oldest_open_dead_letter_has_an_age_and_a_resolved_one_has_none(bench: Bench) {
    let oldest = async || bench.store.status().await.unwrap().oldest_dead_letter;
    assert_eq!(oldest().await, None);
    for n in 1..=3 {
        reject(&bench, &[message(n, n, "broken")], "not_json", None).await;
    }
    for (sequence, at) in [(1, "2020-01-01T00:00:00.000Z"), (2, "2024-01-01T00:00:00.000Z")] {
        let sql = format!("UPDATE dead_letters SET rejected_at = '{at}' WHERE sequence = {sequence}");
        bench.database.execute(&sql).await;
    }
    let year = Duration::from_secs(365 * 86_400);
    let first = oldest().await.unwrap();
    assert!(first > year * 5, "{first:?}");
    bench.database.execute("UPDATE dead_letters SET resolution = 'replayed' WHERE sequence = 1").await;
    let second = oldest().await.unwrap();
    assert!(second > year && second < first - year * 3, "{second:?}");
    bench.database.execute("UPDATE dead_letters SET resolution = 'discarded' WHERE sequence = 2").await;
    assert!(oldest().await.unwrap() < Duration::from_secs(600));
    bench.database.execute("UPDATE dead_letters SET resolution = 'discarded'").await;
    assert_eq!(oldest().await, None);
}

async fn only_a_file_has_room_that_can_be_seen(bench: Bench) {
    let room = bench.store.status().await.unwrap().available_bytes;
    assert_eq!(room.is_some(), !bench.database.is_postgres());
    assert!(room.is_none_or(|bytes| bytes > 1 << 20), "{room:?}");
}

async fn dead_letters_are_listed_newest_first_and_filtered(bench: Bench) {
    for n in 1..=6 {
        let reason = if n % 2 == 0 { "invalid" } else { "not_json" };
        reject(&bench, &[message(n, n, "broken")], reason, None).await;
    }
    bench.database.execute("UPDATE dead_letters SET resolution = 'discarded' WHERE sequence = 4").await;
    let list = async |filter: DeadLetterFilter| -> Vec<(i64, i64)> {
        let letters = bench.store.dead_letters(&filter).await.unwrap();
        letters.iter().map(|letter| (letter.id, letter.sequence)).collect()
    };
    let sequences =
        |letters: &[(i64, i64)]| letters.iter().map(|(_, sequence)| *sequence).collect::<Vec<_>>();

    let all = list(ALL).await;
    assert_eq!(sequences(&all), [6, 5, 4, 3, 2, 1]);
    let page = list(DeadLetterFilter { before: Some(all[1].0), limit: 3, ..ALL }).await;
    assert_eq!(sequences(&page), [4, 3, 2]);
    let of_reason = Selection { reason: Some("invalid".to_owned()), ..ANY };
    let invalid = list(DeadLetterFilter { selection: of_reason.clone(), ..ALL }).await;
    assert_eq!(sequences(&invalid), [6, 4, 2]);
    let open = DeadLetterFilter { resolution: Some(Resolution::Open), selection: of_reason, ..ALL };
    assert_eq!(sequences(&list(open).await), [6, 2]);
    let discarded = list(DeadLetterFilter { resolution: Some(Resolution::Discarded), ..ALL }).await;
    assert_eq!(sequences(&discarded), [4]);
    assert_eq!(sequences(&list(DeadLetterFilter { limit: 0, ..ALL }).await), [0; 0]);
}

async fn a_dead_letter_is_shown_with_every_byte(bench: Bench) {
    let payload = b"{\"order_uid\":\"\x00\xff".as_slice();
    let broken = Message { payload: payload.into(), ..message(5, 50, "") };
    reject(&bench, std::slice::from_ref(&broken), "not_json", None).await;
    reject(&bench, &[message(6, 60, "broken")], "invalid", Some("uid")).await;

    let letters = bench.store.dead_letters(&ALL).await.unwrap();
    assert_eq!(
        letters.iter().map(|letter| letter.order_uid.as_deref()).collect::<Vec<_>>(),
        [Some("uid"), None]
    );
    let letter = bench.store.dead_letter(letters[1].id, usize::MAX).await.unwrap().unwrap();
    assert_eq!(letter.payload, payload);
    assert_eq!(letter.summary, letters[1]);
    assert_eq!((&*letter.summary.message_id, letter.summary.bytes), (&*broken.message_id, payload.len()));
    assert_eq!((letter.summary.source, &*letter.summary.channel), (SourceKind::Stan, "orders"));
    assert_eq!((letter.summary.sequence, letter.summary.published_at_ns), (5, 50));
    assert!(letter.summary.errors.contains("items is missing"));
    assert_eq!(letter.summary.resolution, Resolution::Open);
    assert!(letter.summary.received_at <= letter.summary.rejected_at);
    let nothing = (letter.resolved_at, letter.resolved_by, letter.note, letter.parent_id);
    assert_eq!(nothing, (None, None, None, None));
    assert_eq!(bench.store.dead_letter(i64::MAX, 1).await.unwrap(), None);

    reject(&bench, &[message(7, 70, "")], "empty", None).await;
    let letters = bench.store.dead_letters(&ALL).await.unwrap();
    let letter = bench.store.dead_letter(letters[0].id, 10).await.unwrap().unwrap();
    assert_eq!((letter.payload.len(), letter.summary.bytes), (0, 0));
}
