//! What can be done about dead letters: each once, never over newer data, and never without a trace.

use std::time::Duration;

use orderbox::{
    desk::Desk,
    store::{
        DeadLetterFilter, Decision, InboxRow, Lineage, Message, Outcome, Refusal, ReplayState, Resolution,
        Selection, Settlement, SourceKind, Store, Stretch,
    },
};
use time::OffsetDateTime;

use super::{
    Bench,
    fixture::{ingest, message, recorded, settle, small},
};

super::rules!(
    a_replay_puts_the_message_into_the_inbox_with_the_place_that_it_had,
    a_dead_letter_is_resolved_once_whoever_asks_and_how_often,
    an_edited_replay_leaves_the_original_as_it_is,
    a_replay_that_fails_again_is_a_dead_letter_that_names_its_parent,
    a_replay_never_overwrites_what_is_newer,
    a_lineage_says_where_a_replay_is,
    a_replay_that_became_an_order_is_one_whatever_says_the_same_later,
    a_selection_holds_what_everything_applies_to,
    what_comes_while_a_selection_is_counted_is_not_checked_either,
    a_bulk_works_off_a_frozen_set_in_steps,
    a_bulk_feeds_no_more_than_the_inbox_has_room_for,
    only_those_that_would_pass_now_are_replayed_when_that_is_asked_for,
);

/// Dead letters of these payloads, from sequence 1, a nanosecond apart; their ids.
async fn letters(store: &dyn Store, payloads: &[&str]) -> Vec<i64> {
    let messages: Vec<Message> =
        (1..).zip(payloads).map(|(sequence, payload)| message(sequence, sequence, payload)).collect();
    let rows = recorded(store, &messages).await;
    refuse(store, &rows, "not_json", "[]", None).await;
    let all = DeadLetterFilter {
        selection: Selection::default(),
        resolution: None,
        before: None,
        limit: payloads.len(),
    };
    let mut ids: Vec<i64> = store.dead_letters(&all).await.unwrap().iter().map(|letter| letter.id).collect();
    ids.reverse();
    ids
}

async fn refuse(store: &dyn Store, rows: &[InboxRow], reason: &str, errors: &str, order_uid: Option<&str>) {
    let refusal = Refusal { reason, errors, order_uid };
    let batch: Vec<_> =
        rows.iter().map(|row| Settlement { row, decision: Decision::Reject(refusal) }).collect();
    assert_eq!(store.settle(&batch).await.unwrap(), vec![Some(Outcome::Rejected); rows.len()]);
}

/// What waits in the inbox.
async fn pending(store: &dyn Store) -> Vec<InboxRow> {
    let keys = store.unsettled(0, Duration::ZERO, 10_000).await.unwrap();
    store.load(&keys.iter().map(|key| key.id).collect::<Vec<_>>()).await.unwrap()
}

async fn lineage(store: &dyn Store, id: i64) -> Lineage {
    store.lineage(id).await.unwrap().unwrap()
}

async fn a_replay_puts_the_message_into_the_inbox_with_the_place_that_it_had(bench: Bench) {
    let store = bench.store.as_ref();
    let ids = letters(store, &["one", "two"]).await;
    assert_eq!(store.replay(&ids[1..], None, "cli:test").await.unwrap(), ids[1..]);
    let [row] = &pending(store).await[..] else { panic!("one row") };
    let expected = Message {
        message_id: format!("replay:{}.1", ids[1]).into(),
        source: SourceKind::Replay,
        ..message(2, 2, "two")
    };
    assert_eq!(row.message, expected);
    let letter = store.dead_letter(ids[1], 100).await.unwrap().unwrap();
    assert_eq!(letter.summary.resolution, Resolution::Replayed);
    assert_eq!(letter.resolved_by.as_deref(), Some("cli:test"));
    assert!(letter.resolved_at.is_some());
    let untouched = store.dead_letter(ids[0], 100).await.unwrap().unwrap();
    assert_eq!(untouched.summary.resolution, Resolution::Open);
    bench.assert_balances().await;
}

async fn a_dead_letter_is_resolved_once_whoever_asks_and_how_often(bench: Bench) {
    let store = bench.store.as_ref();
    let ids = letters(store, &["x"; 40]).await;
    let (one, two, three) = tokio::join!(
        store.replay(&ids, None, "one"),
        store.replay(&ids, None, "two"),
        store.discard(&ids, Some("of no use"), "three"),
    );
    let mut resolved = [one.unwrap(), two.unwrap(), three.unwrap()].concat();
    resolved.sort_unstable();
    assert_eq!(resolved, ids, "each by one of them");
    let waiting = pending(store).await.len();
    assert_eq!(store.replay(&ids, None, "late").await.unwrap(), [0; 0]);
    assert_eq!(store.discard(&ids, None, "late").await.unwrap(), [0; 0]);
    assert_eq!(store.replay(&[i64::MAX], None, "nothing").await.unwrap(), [0; 0]);
    assert_eq!(pending(store).await.len(), waiting);
    bench.assert_balances().await;
}

async fn an_edited_replay_leaves_the_original_as_it_is(bench: Bench) {
    let store = bench.store.as_ref();
    let ids = letters(store, &["broken"]).await;
    let mended = small("a", "mended");
    store.replay(&ids, Some(mended.as_bytes()), "cli:test").await.unwrap();
    let rows = pending(store).await;
    assert_eq!(rows[0].message.payload, mended);
    assert_eq!(settle(store, &rows).await, [Some(Outcome::Applied)]);
    assert_eq!(store.dead_letter(ids[0], 100).await.unwrap().unwrap().payload, "broken");
    assert_eq!(store.document("a").await.unwrap().unwrap(), mended);
    assert_eq!(lineage(store, ids[0]).await.replay.unwrap().edited, Some(true));
    bench.assert_balances().await;
}

async fn a_replay_that_fails_again_is_a_dead_letter_that_names_its_parent(bench: Bench) {
    let store = bench.store.as_ref();
    let ids = letters(store, &["broken"]).await;
    store.replay(&ids, None, "cli:test").await.unwrap();
    assert_eq!(settle(store, &pending(store).await).await, [Some(Outcome::Rejected)]);
    let replay = lineage(store, ids[0]).await.replay.unwrap();
    let ReplayState::DeadLetter(again) = replay.state else { panic!("{replay:?}") };
    assert_eq!(replay.edited, Some(false));
    let letter = store.dead_letter(again, 100).await.unwrap().unwrap();
    assert_eq!((letter.parent_id, letter.summary.resolution), (Some(ids[0]), Resolution::Open));
    let parent = lineage(store, again).await.parent.unwrap();
    assert_eq!((parent.id, parent.resolution), (ids[0], Resolution::Replayed));
    assert_eq!(store.replay(&[again], None, "cli:test").await.unwrap(), [again]);
    bench.assert_balances().await;
}

async fn a_replay_never_overwrites_what_is_newer(bench: Bench) {
    let store = bench.store.as_ref();
    let ids = letters(store, &["broken"]).await;
    let newer = small("a", "newer");
    ingest(store, &[message(2, 2, &newer)]).await;
    store.replay(&ids, Some(small("a", "mended too late").as_bytes()), "cli:test").await.unwrap();
    assert_eq!(settle(store, &pending(store).await).await, [Some(Outcome::Outdated)]);
    assert_eq!(store.document("a").await.unwrap().unwrap(), newer);
    assert_eq!(lineage(store, ids[0]).await.replay.unwrap().state, ReplayState::History("a".to_owned()));
    bench.assert_balances().await;
}

async fn a_lineage_says_where_a_replay_is(bench: Bench) {
    let store = bench.store.as_ref();
    let ids = letters(store, &["same", "order"]).await;
    assert_eq!(lineage(store, ids[0]).await, Lineage { parent: None, replay: None });
    assert_eq!(store.lineage(i64::MAX).await.unwrap(), None);
    ingest(store, &[message(9, 9, &small("a", "there"))]).await;
    store.replay(&ids[..1], Some(small("a", "there").as_bytes()), "cli:test").await.unwrap();
    assert_eq!(lineage(store, ids[0]).await.replay.unwrap().state, ReplayState::Pending);
    assert_eq!(settle(store, &pending(store).await).await, [Some(Outcome::Unchanged)]);
    let replay = lineage(store, ids[0]).await.replay.unwrap();
    assert_eq!((replay.state, replay.edited), (ReplayState::Unchanged, Some(true)));
    store.replay(&ids[1..], Some(small("b", 1).as_bytes()), "cli:test").await.unwrap();
    settle(store, &pending(store).await).await;
    assert_eq!(lineage(store, ids[1]).await.replay.unwrap().state, ReplayState::Order("b".to_owned()));
    ingest(store, &[message(10, 10, &small("b", 2))]).await;
    assert_eq!(lineage(store, ids[1]).await.replay.unwrap().state, ReplayState::History("b".to_owned()));
    bench.assert_balances().await;
}

async fn a_replay_that_became_an_order_is_one_whatever_says_the_same_later(bench: Bench) {
    let store = bench.store.as_ref();
    let ids = letters(store, &["broken"]).await;
    let mended = small("a", "mended");
    store.replay(&ids, Some(mended.as_bytes()), "cli:test").await.unwrap();
    assert_eq!(settle(store, &pending(store).await).await, [Some(Outcome::Applied)]);
    let before = lineage(store, ids[0]).await;
    let replay = before.replay.clone().unwrap();
    assert_eq!((replay.state, replay.edited), (ReplayState::Order("a".to_owned()), Some(true)));
    assert_eq!(ingest(store, &[message(2, 2, &mended)]).await, [Outcome::Unchanged]);
    assert_eq!(lineage(store, ids[0]).await, before);
    ingest(store, &[message(3, 3, &small("a", "newer"))]).await;
    assert_eq!(lineage(store, ids[0]).await, before);
    bench.assert_balances().await;
}

/// The open ones.
async fn still_open(store: &dyn Store) -> Vec<i64> {
    let open = store.open_letters(&Selection::default(), Stretch::ALL, 100).await.unwrap();
    open.iter().map(|letter| letter.id).collect()
}

async fn a_selection_holds_what_everything_applies_to(bench: Bench) {
    let store = bench.store.as_ref();
    let rows = recorded(store, &[message(1, 1, "a"), message(2, 2, "b"), message(3, 3, "c")]).await;
    let error = |code: &str, message: &str| {
        serde_json::json!([{ "pointer": "/items/0", "code": code, "message": message }]).to_string()
    };
    refuse(store, &rows[..1], "invalid_fields", &error("missing", "is missing"), Some("u1")).await;
    let odd = error("wrong_type", r#"quotes "code":"missing" and {"code":"missing"}"#);
    refuse(store, &rows[1..2], "invalid_fields", &odd, Some("u2")).await;
    refuse(store, &rows[2..], "not_json", "[]", None).await;
    let ids = still_open(store).await;
    let now = OffsetDateTime::now_utc();
    let hour = time::Duration::HOUR;
    let text = |text: &str| Some(text.to_owned());
    let any = Selection::default();
    for (selection, expected) in [
        (any.clone(), &ids[..]),
        (Selection { reason: text("invalid_fields"), ..any.clone() }, &ids[..2]),
        (Selection { code: text("missing"), ..any.clone() }, &ids[..1]),
        (Selection { code: text("wrong_type"), reason: text("invalid_fields"), ..any.clone() }, &ids[1..2]),
        (Selection { code: text("' OR 1=1 --"), ..any.clone() }, &[]),
        (Selection { order_uid: text("u2"), ..any.clone() }, &ids[1..2]),
        (Selection { order_uid: text("u2"), reason: text("not_json"), ..any.clone() }, &[]),
        (Selection { since: Some(now - hour), until: Some(now + hour), ..any.clone() }, &ids[..]),
        (Selection { since: Some(now + hour), ..any.clone() }, &[]),
        (Selection { until: Some(now - hour), ..any.clone() }, &[]),
    ] {
        let open = store.open_letters(&selection, Stretch::ALL, 100).await.unwrap();
        assert_eq!(open.iter().map(|letter| letter.id).collect::<Vec<_>>(), expected, "{selection:?}");
        let matching = store.count_open(&selection, Stretch::ALL).await.unwrap();
        assert_eq!((matching.letters, matching.last), (expected.len() as i64, expected.last().copied()));
        let filter = DeadLetterFilter {
            selection: selection.clone(),
            resolution: Some(Resolution::Open),
            before: None,
            limit: 9,
        };
        let listed = store.dead_letters(&filter).await.unwrap();
        assert!(listed.iter().map(|letter| letter.id).rev().eq(expected.iter().copied()), "{selection:?}");
        let whatever = DeadLetterFilter { resolution: None, ..filter };
        assert_eq!(store.dead_letters(&whatever).await.unwrap().len(), expected.len(), "{selection:?}");
    }
    let newest = DeadLetterFilter { selection: any.clone(), resolution: None, before: None, limit: 1 };
    let rejected_at = store.dead_letters(&newest).await.unwrap()[0].rejected_at;
    let at = Selection { since: Some(rejected_at), ..any.clone() };
    assert!(store.count_open(&at, Stretch::ALL).await.unwrap().letters >= 1, "since is inclusive");
    let before = Selection { until: Some(rejected_at), since: Some(rejected_at), ..any };
    assert_eq!(store.count_open(&before, Stretch::ALL).await.unwrap().letters, 0, "until is exclusive");
}

async fn what_comes_while_a_selection_is_counted_is_not_checked_either(bench: Bench) {
    let store = bench.store.as_ref();
    let coming = async {
        for sequence in 1..=200 {
            let rows = recorded(store, &[message(sequence, sequence, "x")]).await;
            refuse(store, &rows, "not_json", "[]", None).await;
        }
    };
    let counting = async {
        loop {
            let survey = Desk::new(store, 1000).survey(&Selection::default()).await.unwrap();
            assert!(survey.checked <= survey.matching.letters, "{survey:?}");
            if survey.matching.letters == 200 {
                break;
            }
        }
    };
    tokio::join!(coming, counting);
}

async fn a_bulk_works_off_a_frozen_set_in_steps(bench: Bench) {
    let store = bench.store.as_ref();
    let ids = letters(store, &["x"; 5]).await;
    let desk = Desk::new(store, 1000);
    let any = Selection::default();
    let stretch = Stretch { after: 0, up_to: ids[3] };
    let step = desk.replay(&any, stretch, false, "cli:test").await.unwrap();
    assert_eq!((step.done, step.after, step.more), (4, ids[3], false), "the last one is not of the set");
    // All fail again, and are no part of the set.
    settle(store, &pending(store).await).await;
    let again = desk.replay(&any, stretch, false, "cli:test").await.unwrap();
    assert_eq!((again.done, again.more), (0, false));
    let step =
        desk.discard(&any, Stretch { after: ids[3], up_to: i64::MAX }, Some("no"), "cli:test").await.unwrap();
    assert_eq!((step.done, step.more), (5, false));
    let letter = store.dead_letter(ids[4], 10).await.unwrap().unwrap();
    assert_eq!((letter.summary.resolution, letter.note.as_deref()), (Resolution::Discarded, Some("no")));
    bench.assert_balances().await;
}

async fn a_bulk_feeds_no_more_than_the_inbox_has_room_for(bench: Bench) {
    let store = bench.store.as_ref();
    letters(store, &["x"; 1200]).await;
    let (desk, any) = (Desk::new(store, 1000), Selection::default());
    let mut stretch =
        Stretch { after: 0, up_to: store.count_open(&any, Stretch::ALL).await.unwrap().last.unwrap() };
    let first = desk.replay(&any, stretch, false, "cli:test").await.unwrap();
    assert_eq!((first.done, first.more), (1000, true));
    stretch.after = first.after;
    let full = desk.replay(&any, stretch, false, "cli:test").await.unwrap();
    assert_eq!((full.done, full.after, full.more), (0, first.after, true), "nothing is settled meanwhile");
    // What would not pass takes no room.
    let passing = desk.replay(&any, stretch, true, "cli:test").await.unwrap();
    assert!(passing.done == 0 && passing.passed_over > 0, "{passing:?}");
    settle(store, &pending(store).await).await;
    let rest = desk.replay(&any, stretch, false, "cli:test").await.unwrap();
    assert_eq!((rest.done, rest.more), (200, false));
    bench.assert_balances().await;
}

async fn only_those_that_would_pass_now_are_replayed_when_that_is_asked_for(bench: Bench) {
    let store = bench.store.as_ref();
    let sound = std::str::from_utf8(orderbox::sample::MODEL).unwrap();
    let ids = letters(store, &["broken", sound, "broken", sound]).await;
    let (desk, any) = (Desk::new(store, 1 << 20), Selection::default());
    let survey = desk.survey(&any).await.unwrap();
    assert_eq!((survey.matching.letters, survey.checked, survey.would_pass), (4, 4, 2));
    let step = desk.replay(&any, Stretch { after: 0, up_to: ids[3] }, true, "cli:test").await.unwrap();
    assert_eq!((step.done, step.passed_over, step.after, step.more), (2, 2, ids[3], false));
    assert_eq!(still_open(store).await, [ids[0], ids[2]]);
    let small = Desk::new(store, 10).survey(&any).await.unwrap();
    assert_eq!(small.would_pass, 0);
    bench.assert_balances().await;
}
