//! What must hold when the faults have ended and everything is drained.

use super::{
    journal::Journal,
    mail::{Expected, Published},
    process::Process,
    store::SimStore,
    tables::place,
};

/// Checks the end of a run. `promised` are the messages that must be in the store: published and not lost upstream, or
/// answered with 202.
pub(crate) fn check(
    journal: &Journal,
    store: &SimStore,
    processes: &[Process],
    published: &Published,
    promised: &Published,
    coherent: bool,
) {
    let violated = |promise| journal.violated(promise);
    let tables = store.tables();
    if let Some(imbalance) = tables.imbalance() {
        violated(format!("conservation at the end: {imbalance}"));
    }
    for (message_id, (payload, expected)) in promised {
        let refused = tables.letters.get(message_id);
        match expected {
            Expected::Letter(reason) if refused.is_none_or(|is| is != reason) => {
                violated(format!("{message_id} should be a dead letter, {reason}, and is {refused:?}"));
            }
            Expected::Order(uid)
                if !store.is_data_ill(message_id)
                    && !tables.keeps(uid, payload)
                    && !tables.has_deleted(uid, payload) =>
            {
                violated(format!("{message_id} is neither the order of {uid} nor in the history"));
            }
            Expected::Order(_) if store.is_data_ill(message_id) && refused.is_none() => {
                violated(format!("{message_id} can't be stored and is no dead letter"));
            }
            _ => {}
        }
    }
    for (message_id, reason) in &tables.letters {
        let cause = published.get(message_id).is_some_and(|(_, expected)| match expected {
            Expected::Letter(expected) => expected == reason,
            Expected::Order(_) => reason == "refused_by_store" && store.is_data_ill(message_id),
        });
        if !cause {
            violated(format!("{message_id} is a dead letter without a cause: {reason}"));
        }
    }
    for (uid, heard) in tables.kept() {
        let head = tables.orders.get(uid).map(|head| place(&head.message));
        for (place, document) in heard {
            if head.as_ref() < Some(place) {
                violated(format!("{uid} says {head:?}, but {place:?} is newer"));
            }
            if !tables.keeps(uid, document) {
                violated(format!("{uid}: the document of {place:?} is gone"));
            }
        }
    }
    for process in processes {
        for (uid, _) in tables.kept() {
            let Some(cached) = process.cache.get(uid) else { continue };
            let cached = cached.bytes();
            // A process that believes to be alone does not hear of what a killed one still wrote.
            let right = match coherent {
                true => tables.orders.get(uid).is_some_and(|head| cached == head.message.payload),
                false => tables.keeps(uid, &cached) || tables.has_deleted(uid, &cached),
            };
            if !right {
                violated(format!("the cache says something else of {uid} than the store"));
            }
        }
    }
}
