//! What must hold for every message, sound, broken or neither: asked by the property tests and by the fuzz target.

use std::collections::BTreeSet;

use super::{
    oracle::{Judgement, Opinion, opinion},
    rewrite::rewritten,
};
use crate::order::{
    Accepted, Diagnosis, ErrorCode, Order, Reason, Rejection, Verdict, WarningCounts, diagnose, prove::prove,
    validate,
};

pub(super) const MAX_BYTES: usize = 256 * 1024;

/// All that must hold for any payload. It panics where it doesn't.
pub(crate) fn holds(payload: &[u8]) -> Diagnosis<'_> {
    let diagnosis = diagnose(payload, MAX_BYTES);
    // Which also says that the fast path proves nothing that is broken: what it proves is accepted.
    assert_eq!(validate(payload, MAX_BYTES), diagnosis.verdict);
    match &diagnosis.verdict {
        Verdict::Accept(accepted) => {
            accepted_holds(payload, accepted, &diagnosis);
            same_again(&accepted.order);
        }
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

/// An order that is written out from the normalized model is the same order: what the tables hold loses nothing that was read.
fn same_again(order: &Order<'_>) {
    let text = rewritten(order);
    match validate(text.as_bytes(), usize::MAX) {
        Verdict::Accept(again) => assert_eq!(again.order, *order, "{text}"),
        Verdict::Reject(rejection) => panic!("{rejection:?} from an order that was accepted: {text}"),
    }
}
