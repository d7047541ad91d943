//! A second opinion by other means: `serde_json::Value` and the rules about absence and types, written down again.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::order::ErrorCode;

/// What `serde_json` makes of a payload.
pub(super) enum Opinion {
    /// Not JSON, a lone surrogate or too deep included: `serde_json` has our bound.
    Unsound,
    Sound(Value),
    /// A number that is too large for a float, of which we think otherwise.
    None,
}

pub(super) fn opinion(payload: &[u8]) -> Opinion {
    match serde_json::from_slice(payload) {
        Ok(value) => Opinion::Sound(value),
        Err(error) if error.to_string().starts_with("number out of range") => Opinion::None,
        Err(_) => Opinion::Unsound,
    }
}

/// The missing keys and wrong types of an object in which no key is repeated, and the pointers that it cannot judge.
#[derive(Debug, Default)]
pub(super) struct Judgement {
    pub(super) errors: BTreeSet<(String, ErrorCode)>,
    /// A float where an integer belongs: `Value` no longer knows how it was written.
    pub(super) unsure: BTreeSet<String>,
}

const TEXT: &[&str] = &[
    "/entry",
    "/locale",
    "/internal_signature",
    "/customer_id",
    "/delivery_service",
    "/date_created",
    "/delivery/name",
    "/delivery/phone",
    "/delivery/city",
    "/delivery/address",
    "/delivery/region",
    "/delivery/email",
    "/payment/transaction",
    "/payment/request_id",
    "/payment/currency",
    "/payment/provider",
    "/payment/bank",
];
const TEXT_OR_NUMBER: &[&str] = &["/shardkey", "/oof_shard", "/delivery/zip"];
const INTEGER: &[&str] = &[
    "/sm_id",
    "/payment/amount",
    "/payment/payment_dt",
    "/payment/delivery_cost",
    "/payment/goods_total",
    "/payment/custom_fee",
];

impl Judgement {
    pub(super) fn of(root: &Value) -> Self {
        let mut judgement = Self::default();
        for (pointer, right) in [
            ("/order_uid", Value::is_string as fn(&Value) -> bool),
            ("/track_number", Value::is_string),
            ("/delivery", Value::is_object),
            ("/payment", Value::is_object),
            ("/items", Value::is_array),
        ] {
            match root.pointer(pointer) {
                None => judgement.error(pointer, ErrorCode::Missing),
                Some(value) if !right(value) => judgement.error(pointer, ErrorCode::WrongType),
                Some(_) => {}
            }
        }
        judgement.optional(root, "", TEXT, TEXT_OR_NUMBER, INTEGER, &[]);
        let items = root.get("items").and_then(Value::as_array);
        for (index, item) in items.into_iter().flatten().enumerate() {
            let prefix = format!("/items/{index}");
            if !item.is_object() {
                judgement.error(&prefix, ErrorCode::WrongType);
                continue;
            }
            judgement.optional(
                root,
                &prefix,
                &["/track_number", "/rid", "/name", "/brand"],
                &["/size"],
                &["/chrt_id", "/nm_id", "/sale", "/status"],
                &["/price", "/total_price"],
            );
        }
        judgement
    }

    fn error(&mut self, pointer: &str, code: ErrorCode) {
        self.errors.insert((pointer.to_owned(), code));
    }

    fn optional(
        &mut self,
        root: &Value,
        prefix: &str,
        text: &[&str],
        both: &[&str],
        integer: &[&str],
        number: &[&str],
    ) {
        let kinds = [(text, true, false), (both, true, true), (integer, false, true), (number, false, true)];
        for (keys, may_be_text, may_be_number) in kinds {
            for pointer in keys.iter().map(|key| format!("{prefix}{key}")) {
                let parent = pointer.rsplit_once('/').expect("a pointer").0;
                // A pointer goes into arrays as well, where these keys are none.
                let inside = root.pointer(parent).is_some_and(Value::is_object);
                let Some(value) = root.pointer(&pointer).filter(|value| inside && !value.is_null()) else {
                    continue;
                };
                if keys == integer && value.is_f64() {
                    self.unsure.insert(pointer);
                } else if !(may_be_text && value.is_string() || may_be_number && value.is_number()) {
                    self.error(&pointer, ErrorCode::WrongType);
                }
            }
        }
    }
}
