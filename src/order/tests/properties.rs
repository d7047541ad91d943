//! What holds for every message, sound, broken or neither.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::{
    generate::{edit, order, space, structural_break},
    oracle::{Judgement, Opinion, opinion},
};
use crate::order::{
    Accepted, Diagnosis, ErrorCode, Reason, Rejection, Verdict, WarningCounts, diagnose, diagnose::examine,
    findings::Warnings, prove::prove, validate, validate_caught,
};

const MAX_BYTES: usize = 256 * 1024;

/// All that must hold for any payload. It panics where it doesn't.
fn holds(payload: &[u8]) -> Diagnosis<'_> {
    let diagnosis = diagnose(payload, MAX_BYTES);
    assert_eq!(validate(payload, MAX_BYTES), diagnosis.verdict);
    assert_eq!(validate_caught(payload, MAX_BYTES), diagnosis.verdict);
    match &diagnosis.verdict {
        Verdict::Accept(accepted) => accepted_holds(payload, accepted, &diagnosis),
        Verdict::Reject(rejection) => rejected_holds(payload, rejection),
    }
    diagnosis
}

fn accepted_holds(payload: &[u8], accepted: &Accepted<'_>, diagnosis: &Diagnosis<'_>) {
    let text = str::from_utf8(payload).expect("an order is UTF-8");
    assert_eq!(prove(text).as_ref(), Some(accepted), "the fast path proves every sound order");
    let mut listed = WarningCounts::default();
    diagnosis.warnings.iter().for_each(|warning| listed.add(warning.code, 1));
    assert_eq!(listed, accepted.warnings);
    match opinion(payload) {
        Opinion::Unsound => panic!("an order is JSON"),
        Opinion::None => {}
        Opinion::Sound(value) => {
            assert_eq!(Judgement::of(&value).errors, BTreeSet::new());
            assert_eq!(Some(accepted.order.order_uid.as_ref()), value["order_uid"].as_str());
            assert_eq!(accepted.order.delivery.email.as_deref(), value["delivery"]["email"].as_str());
            assert_eq!(Some(accepted.order.items.len()), value["items"].as_array().map(Vec::len));
        }
    }
}

fn rejected_holds(payload: &[u8], rejection: &Rejection) {
    if let Ok(text) = str::from_utf8(payload) {
        assert_eq!(prove(text), None, "the fast path proves nothing that is broken");
    }
    assert_eq!(rejection.errors.is_empty(), rejection.reason != Reason::InvalidFields);
    let pointers: BTreeSet<_> = rejection.errors.iter().map(|error| &error.pointer).collect();
    assert_eq!(pointers.len(), rejection.errors.len(), "at most one error a pointer");
    match (opinion(payload), rejection.reason) {
        (Opinion::None, _) => {}
        (Opinion::Unsound, reason) => {
            assert!(matches!(reason, Reason::Empty | Reason::NotUtf8 | Reason::NotJson), "{reason}");
        }
        (Opinion::Sound(value), Reason::NotObject) => assert!(!value.is_object()),
        (Opinion::Sound(value), Reason::InvalidFields) => invalid_fields_hold(&value, rejection),
        (Opinion::Sound(_), reason) => panic!("sound JSON is not {reason}"),
    }
}

fn invalid_fields_hold(root: &serde_json::Value, rejection: &Rejection) {
    for error in &rejection.errors {
        let there = root.pointer(&error.pointer).is_some();
        assert_eq!(there, error.code != ErrorCode::Missing, "{error:?} points at what is there");
    }
    let repeated = rejection.errors.iter().any(|error| error.code == ErrorCode::DuplicateKey);
    if repeated || rejection.errors_truncated {
        return;
    }
    let judgement = Judgement::of(root);
    let found: BTreeSet<_> = rejection
        .errors
        .iter()
        .filter(|error| matches!(error.code, ErrorCode::Missing | ErrorCode::WrongType))
        .filter(|error| !judgement.unsure.contains(&error.pointer))
        .map(|error| (error.pointer.clone(), error.code))
        .collect();
    assert_eq!(found, judgement.errors);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_sound_order_is_accepted_on_both_paths(order in order(), space in space()) {
        let text = order.write(space);
        let diagnosis = holds(text.as_bytes());
        prop_assert!(matches!(diagnosis.verdict, Verdict::Accept(_)), "{:?}\n{text}", diagnosis.verdict);
        let unlisted = examine(&text, Warnings::Counted);
        prop_assert_eq!(unlisted.verdict, diagnosis.verdict);
        prop_assert!(unlisted.warnings.is_empty());
    }

    #[test]
    fn an_order_with_a_changed_structure_gets_one_verdict_on_both_paths(
        order in order(),
        breaks in prop::collection::vec(structural_break(), 1..4),
        space in space(),
    ) {
        let mut order = order;
        breaks.iter().for_each(|change| change.apply(&mut order));
        holds(order.write(space).as_bytes());
    }

    #[test]
    fn an_order_with_changed_bytes_gets_one_verdict_on_both_paths(
        order in order(),
        edits in prop::collection::vec(edit(), 1..4),
    ) {
        let mut bytes = order.write("").into_bytes();
        edits.iter().for_each(|edit| edit.apply(&mut bytes));
        holds(&bytes);
    }

    #[test]
    fn any_bytes_get_one_verdict_on_both_paths(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        holds(&bytes);
    }

    #[test]
    fn any_text_of_json_tokens_gets_one_verdict_on_both_paths(text in r#"([{}\[\],:" \\]|\\u[dD][8-9a-f]00|null|-?[0-9]{1,2}|"[a-z_]{0,3}"|"items"){0,24}"#) {
        holds(text.as_bytes());
    }
}
