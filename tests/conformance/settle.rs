use orderbox::store::{Message, Outcome, SourceKind};

use super::{
    Bench,
    fixture::{ingest, message, recorded, settle, small},
    rules,
};

rules!(
    settling_twice_writes_once,
    a_row_that_somebody_else_took_is_left_alone,
    of_a_row_that_somebody_else_took_nothing_is_written,
    a_row_named_twice_in_a_batch_counts_once,
    a_newer_document_replaces_and_the_old_one_is_kept,
    an_older_document_is_outdated_and_kept,
    the_same_bytes_move_the_identity_forward_and_nothing_else,
    a_tie_is_decided_by_the_message_id,
    a_batch_settles_as_if_its_messages_came_one_by_one,
    a_rejected_message_becomes_one_dead_letter,
    any_real_message_replaces_the_sample,
    a_message_is_in_the_history_once,
);

/// uid, message_id of the order.
async fn orders(bench: &Bench) -> Vec<Vec<Option<String>>> {
    bench.database.rows("SELECT order_uid, message_id, track_number FROM orders ORDER BY id").await
}

/// message_id of every history row, oldest first.
async fn history(bench: &Bench) -> Vec<String> {
    let rows = bench.database.rows("SELECT message_id FROM order_history ORDER BY id").await;
    rows.into_iter().map(|mut row| row.remove(0).unwrap()).collect()
}

async fn document(bench: &Bench, uid: &str) -> String {
    let document = bench.store.document(uid).await.unwrap().unwrap();
    String::from_utf8(document.to_vec()).unwrap()
}

fn id(sequence: i64, ns: i64) -> String {
    message(sequence, ns, "").message_id.to_string()
}

async fn settling_twice_writes_once(bench: Bench) {
    let rows = recorded(&*bench.store, &[message(1, 1, &small("a", 1)), message(2, 2, "x")]).await;
    assert_eq!(settle(&*bench.store, &rows).await, [Some(Outcome::Applied), Some(Outcome::Rejected)]);
    let before = bench.store.audit().await.unwrap();
    assert_eq!(settle(&*bench.store, &rows).await, [None, None]);
    assert_eq!(bench.store.audit().await.unwrap(), before);
    bench.assert_balances().await;
}

async fn a_row_that_somebody_else_took_is_left_alone(bench: Bench) {
    let other = bench.database.store().await;
    let rows = recorded(&*bench.store, &[message(1, 1, &small("a", 1)), message(2, 2, &small("a", 2))]).await;
    assert_eq!(settle(&*other, &rows[1..]).await, [Some(Outcome::Applied)]);
    assert_eq!(settle(&*bench.store, &rows).await, [Some(Outcome::Outdated), None]);
    assert_eq!(document(&bench, "a").await, small("a", 2));
    bench.assert_balances().await;
}

async fn of_a_row_that_somebody_else_took_nothing_is_written(bench: Bench) {
    let other = bench.database.store().await;
    let messages = [
        message(1, 1, &small("a", 1)),
        message(2, 2, &small("b", 2)),
        message(3, 3, &small("a", 3)),
        message(4, 4, &small("c", 4)),
    ];
    let rows = recorded(&*bench.store, &messages).await;
    // The other one finds no order in them, so none of theirs is there.
    let mut taken = rows[1..].to_vec();
    taken.iter_mut().for_each(|row| row.message.payload = "x".into());
    assert_eq!(settle(&*other, &taken).await, [Some(Outcome::Rejected); 3]);

    assert_eq!(settle(&*bench.store, &rows[1..]).await, [None; 3]);
    assert_eq!(orders(&bench).await.len(), 0);
    assert_eq!(settle(&*bench.store, &rows).await, [Some(Outcome::Applied), None, None, None]);
    assert_eq!(document(&bench, "a").await, small("a", 1));
    for table in ["orders", "deliveries", "payments", "items"] {
        assert_eq!(bench.database.number(&format!("SELECT count(*) FROM {table}")).await, 1, "{table}");
    }
    assert!(history(&bench).await.is_empty());
    bench.assert_balances().await;
}

async fn a_row_named_twice_in_a_batch_counts_once(bench: Bench) {
    let rows = recorded(&*bench.store, &[message(1, 1, &small("a", 1))]).await;
    let twice = [&rows[..], &rows[..]].concat();
    assert_eq!(settle(&*bench.store, &twice).await, [Some(Outcome::Applied), None]);
    bench.assert_balances().await;
}

async fn a_newer_document_replaces_and_the_old_one_is_kept(bench: Bench) {
    assert_eq!(ingest(&*bench.store, &[message(1, 10, &small("a", 1))]).await, [Outcome::Applied]);
    assert_eq!(ingest(&*bench.store, &[message(2, 20, &small("a", 2))]).await, [Outcome::Replaced]);
    assert_eq!(document(&bench, "a").await, small("a", 2));
    assert_eq!(orders(&bench).await, [[Some("a".into()), Some(id(2, 20)), Some("T2".into())]]);
    let kept =
        "SELECT order_uid, message_id, source, channel, CAST(sequence AS text), CAST(published_at_ns AS text)
                FROM order_history";
    let kept = bench.database.rows(kept).await;
    let old = ["a", &id(1, 10), "stan", "orders", "1", "10"].map(|text| Some(text.to_owned()));
    assert_eq!(kept, [old]);
    bench.assert_balances().await;
}

async fn an_older_document_is_outdated_and_kept(bench: Bench) {
    ingest(&*bench.store, &[message(2, 20, &small("a", 2))]).await;
    assert_eq!(ingest(&*bench.store, &[message(1, 10, &small("a", 1))]).await, [Outcome::Outdated]);
    // The same time: the sequence decides.
    assert_eq!(ingest(&*bench.store, &[message(1, 20, &small("a", 3))]).await, [Outcome::Outdated]);
    assert_eq!(document(&bench, "a").await, small("a", 2));
    assert_eq!(history(&bench).await, [id(1, 10), id(1, 20)]);
    bench.assert_balances().await;
}

async fn the_same_bytes_move_the_identity_forward_and_nothing_else(bench: Bench) {
    ingest(&*bench.store, &[message(1, 10, &small("a", 1))]).await;
    let untouched = "SELECT CAST(id AS text), CAST(updated_at AS text) FROM orders";
    let before = bench.database.rows(untouched).await;
    let again = Message {
        message_id: "http:1".into(),
        source: SourceKind::Http,
        channel: "http".into(),
        sequence: 0,
        published_at_ns: 30,
        ..message(0, 0, &small("a", 1))
    };
    assert_eq!(ingest(&*bench.store, std::slice::from_ref(&again)).await, [Outcome::Unchanged]);
    assert_eq!(bench.database.rows(untouched).await, before);
    let place = "SELECT message_id, source, channel, CAST(sequence AS text), CAST(published_at_ns AS text) FROM orders";
    let moved = [["http:1", "http", "http", "0", "30"].map(|text| Some(text.to_owned()))];
    assert_eq!(bench.database.rows(place).await, moved);
    // What is now older, whatever it says, changes nothing.
    assert_eq!(ingest(&*bench.store, &[message(2, 20, &small("a", 1))]).await, [Outcome::Unchanged]);
    assert_eq!(bench.database.rows(place).await, moved);
    assert_eq!(ingest(&*bench.store, &[message(3, 25, &small("a", 2))]).await, [Outcome::Outdated]);
    // The same message over HTTP again, after it was settled.
    let later = Message { published_at_ns: 40, ..again };
    assert_eq!(ingest(&*bench.store, &[later]).await, [Outcome::Unchanged]);
    assert_eq!(history(&bench).await, [id(3, 25)]);
    bench.assert_balances().await;
}

async fn a_tie_is_decided_by_the_message_id(bench: Bench) {
    let named =
        |name: &str, variant: i32| Message { message_id: name.into(), ..message(1, 1, &small("a", variant)) };
    assert_eq!(ingest(&*bench.store, &[named("stan:b", 2)]).await, [Outcome::Applied]);
    assert_eq!(ingest(&*bench.store, &[named("stan:a", 1)]).await, [Outcome::Outdated]);
    assert_eq!(ingest(&*bench.store, &[named("stan:c", 3)]).await, [Outcome::Replaced]);
    assert_eq!(document(&bench, "a").await, small("a", 3));
    assert_eq!(history(&bench).await, ["stan:a", "stan:b"]);
    bench.assert_balances().await;
}

async fn a_batch_settles_as_if_its_messages_came_one_by_one(bench: Bench) {
    let batch = [
        message(4, 40, &small("a", 2)),
        message(1, 10, &small("a", 1)),
        message(2, 20, &small("a", 1)),
        message(3, 30, &small("b", 1)),
        message(5, 50, "broken"),
        message(6, 60, &small("a", 1)),
    ];
    let outcomes = ingest(&*bench.store, &batch).await;
    use Outcome::{Applied, Rejected, Replaced, Unchanged};
    assert_eq!(outcomes, [Replaced, Applied, Unchanged, Applied, Rejected, Replaced]);
    assert_eq!(document(&bench, "a").await, small("a", 1));
    assert_eq!(document(&bench, "b").await, small("b", 1));
    assert_eq!(history(&bench).await, [id(2, 20), id(4, 40)]);
    bench.assert_balances().await;
}

async fn a_rejected_message_becomes_one_dead_letter(bench: Bench) {
    let broken = message(7, 70, "broken");
    assert_eq!(ingest(&*bench.store, std::slice::from_ref(&broken)).await, [Outcome::Rejected]);
    assert_eq!(ingest(&*bench.store, std::slice::from_ref(&broken)).await, [Outcome::Unchanged]);
    bench.database.execute("UPDATE dead_letters SET resolution = 'discarded'").await;
    assert_eq!(ingest(&*bench.store, std::slice::from_ref(&broken)).await, [Outcome::Unchanged]);
    assert_eq!(bench.database.number("SELECT count(*) FROM dead_letters").await, 1);
    bench.assert_balances().await;
}

async fn any_real_message_replaces_the_sample(bench: Bench) {
    let sample = Message {
        message_id: "sample:1".into(),
        source: SourceKind::Sample,
        channel: "sample".into(),
        ..message(0, 0, &small("a", "sample"))
    };
    assert_eq!(ingest(&*bench.store, &[sample]).await, [Outcome::Applied]);
    assert_eq!(ingest(&*bench.store, &[message(1, 1, &small("a", "real"))]).await, [Outcome::Replaced]);
    assert_eq!(document(&bench, "a").await, small("a", "real"));
    assert_eq!(history(&bench).await, ["sample:1"]);
    bench.assert_balances().await;
}

async fn a_message_is_in_the_history_once(bench: Bench) {
    let old = message(1, 10, &small("a", 1));
    ingest(&*bench.store, std::slice::from_ref(&old)).await;
    ingest(&*bench.store, &[message(2, 20, &small("a", 2))]).await;
    for _ in 0..2 {
        assert_eq!(ingest(&*bench.store, std::slice::from_ref(&old)).await, [Outcome::Outdated]);
    }
    assert_eq!(history(&bench).await, [id(1, 10)]);
    bench.assert_balances().await;
}
