//! Every way of being broken that was seen on real channels, and then some: a table, with the verdict each must get.

mod fields;
mod text;

use std::fmt;

use super::{
    json::Edit,
    order::{self, Order},
    rng::Rng,
};

/// The default of MAX_MESSAGE_BYTES.
pub(super) const MAX_MESSAGE_BYTES: usize = 256 * 1024;

/// One way of being broken.
pub struct BrokenKind {
    name: &'static str,
    reason: &'static str,
    errors: &'static [(&'static str, &'static str)],
    recipe: Recipe,
}

/// How a message of the kind comes about.
#[derive(Clone, Copy)]
enum Recipe {
    /// Members of a sound order are changed.
    Edits(&'static [Edit]),
    /// The text of a sound order is spoilt, or another is put in its place.
    Text(fn(&mut Rng, Spoil<'_>) -> Vec<u8>),
}

/// What a text is spoilt from.
struct Spoil<'a> {
    uid: &'a str,
    /// A sound order with this uid.
    order: Vec<u8>,
}

impl BrokenKind {
    /// All kinds, in the order in which they come.
    pub fn all() -> impl Iterator<Item = &'static Self> {
        text::KINDS.iter().chain(fields::KINDS)
    }

    /// A short name in snake_case, unique among the kinds.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The reason of the dead letter.
    pub fn reason(&self) -> &'static str {
        self.reason
    }

    /// Its errors, in no order: JSON Pointer and code.
    pub fn errors(&self) -> &'static [(&'static str, &'static str)] {
        self.errors
    }

    /// Whether it is larger than the default of MAX_MESSAGE_BYTES; over HTTP that is no dead letter but a 413.
    pub fn is_oversized(&self) -> bool {
        self.reason == "too_large"
    }

    /// Whether there is but one message of the kind.
    pub(super) fn is_unique(&self) -> bool {
        self.reason == "empty"
    }
}

impl fmt::Debug for BrokenKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl PartialEq for BrokenKind {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

/// Writes a message of the kind; the order has an item at least.
pub(super) fn write(kind: &BrokenKind, rng: &mut Rng, order: &Order<'_>) -> Vec<u8> {
    match kind.recipe {
        Recipe::Edits(edits) => order::write(rng, order, edits),
        Recipe::Text(spoil) => {
            let sound = order::write(rng, order, &[]);
            spoil(rng, Spoil { uid: order.uid, order: sound })
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeSet, HashSet};

    use super::*;
    use crate::order::{ErrorCode, Reason, Verdict, validate};

    fn samples(kind: &'static BrokenKind) -> impl Iterator<Item = Vec<u8>> {
        (0..50).map(move |seed| {
            let mut rng = Rng::new(seed, 0);
            let items = order::draw_items(&mut rng);
            write(kind, &mut rng, &Order { uid: "b563feb7b2b84b6test", items })
        })
    }

    #[test]
    fn names_are_unique() {
        let mut seen = HashSet::new();
        assert!(BrokenKind::all().all(|kind| seen.insert(kind.name())));
    }

    #[test]
    fn every_kind_gets_the_verdict_it_says() {
        for kind in BrokenKind::all() {
            for payload in samples(kind) {
                let Verdict::Reject(rejection) = validate(&payload, MAX_MESSAGE_BYTES) else {
                    panic!("{kind:?} is accepted: {}", String::from_utf8_lossy(&payload));
                };
                let errors: BTreeSet<_> = rejection
                    .errors
                    .iter()
                    .map(|error| (error.pointer.as_str(), error.code.as_str()))
                    .collect();
                let verdict = (rejection.reason.as_str(), errors);
                assert_eq!(verdict, (kind.reason, kind.errors.iter().copied().collect()), "{kind:?}");
            }
        }
    }

    #[test]
    fn every_reason_and_code_that_a_text_can_get_is_there() {
        let not_of_the_text = [Reason::RefusedByStore, Reason::Panicked];
        for reason in Reason::ALL.iter().filter(|reason| !not_of_the_text.contains(reason)) {
            assert!(BrokenKind::all().any(|kind| kind.reason == reason.as_str()), "none gets {reason}");
        }
        for code in ErrorCode::ALL {
            let has = |kind: &BrokenKind| kind.errors.iter().any(|(_, of_kind)| *of_kind == code.as_str());
            assert!(BrokenKind::all().any(has), "none gets {code}");
        }
    }
}
