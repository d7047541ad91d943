//! The promises of `holds`, for messages that a generator makes.

use proptest::prelude::*;

use super::{
    generate::{edit, order, space, structural_break},
    holds::{MAX_BYTES, holds},
};
use crate::order::{Verdict, diagnose::examine, findings::Warnings, validate_caught};

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
        let diagnosis = holds(&bytes);
        prop_assert_eq!(validate_caught(&bytes, MAX_BYTES), diagnosis.verdict);
    }

    #[test]
    fn any_text_of_json_tokens_gets_one_verdict_on_both_paths(text in r#"([{}\[\],:" \\]|\\u[dD][8-9a-f]00|null|-?[0-9]{1,2}|"[a-z_]{0,3}"|"items"){0,24}"#) {
        holds(text.as_bytes());
    }
}
