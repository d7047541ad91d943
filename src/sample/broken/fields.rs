//! Orders with field errors.

use super::{BrokenKind, Recipe};
use crate::sample::json::{
    Change::{Also, Omit, Rename, Write},
    Edit,
};

type Errors = &'static [(&'static str, &'static str)];

const fn kind(name: &'static str, edits: &'static [Edit], errors: Errors) -> BrokenKind {
    BrokenKind { name, reason: "invalid_fields", errors, recipe: Recipe::Edits(edits) }
}

const BAD_DATE: Errors = &[("/date_created", "bad_date")];

/// 256 characters in 512 bytes.
const LONG: &str = r#""жжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжж""#;

pub(super) const KINDS: &[BrokenKind] = &[
    // Missing
    kind("uid_missing", &[("/order_uid", Omit)], &[("/order_uid", "missing")]),
    kind("track_missing", &[("/track_number", Omit)], &[("/track_number", "missing")]),
    kind("delivery_missing", &[("/delivery", Omit)], &[("/delivery", "missing")]),
    kind("payment_missing", &[("/payment", Omit)], &[("/payment", "missing")]),
    kind("items_missing", &[("/items", Omit)], &[("/items", "missing")]),
    kind(
        "parts_missing",
        &[("/delivery", Omit), ("/payment", Omit), ("/items", Omit)],
        &[("/delivery", "missing"), ("/payment", "missing"), ("/items", "missing")],
    ),
    kind(
        "only_parts",
        &[("/order_uid", Omit), ("/track_number", Omit)],
        &[("/order_uid", "missing"), ("/track_number", "missing")],
    ),
    kind("key_in_capitals", &[("/order_uid", Rename("ORDER_UID"))], &[("/order_uid", "missing")]),
    // Wrong types
    kind("uid_null", &[("/order_uid", Write("null"))], &[("/order_uid", "wrong_type")]),
    kind("uid_number", &[("/order_uid", Write("123"))], &[("/order_uid", "wrong_type")]),
    kind("track_boolean", &[("/track_number", Write("true"))], &[("/track_number", "wrong_type")]),
    kind("delivery_null", &[("/delivery", Write("null"))], &[("/delivery", "wrong_type")]),
    kind("delivery_text", &[("/delivery", Write(r#""Ploshad Mira 15""#))], &[("/delivery", "wrong_type")]),
    kind("payment_array", &[("/payment", Write(r#"[{"amount": 1817}]"#))], &[("/payment", "wrong_type")]),
    kind("items_object", &[("/items", Write(r#"{"chrt_id": 9934930}"#))], &[("/items", "wrong_type")]),
    kind(
        "items_of_text",
        &[("/items", Write(r#"["Mascaras", {}, null]"#))],
        &[("/items/0", "wrong_type"), ("/items/2", "wrong_type")],
    ),
    kind("locale_number", &[("/locale", Write("7"))], &[("/locale", "wrong_type")]),
    kind("sm_id_text", &[("/sm_id", Write(r#""99""#))], &[("/sm_id", "wrong_type")]),
    kind("zip_array", &[("/delivery/zip", Write("[2639809]"))], &[("/delivery/zip", "wrong_type")]),
    kind("shardkey_boolean", &[("/shardkey", Write("false"))], &[("/shardkey", "wrong_type")]),
    kind("price_text", &[("/items/0/price", Write(r#""453""#))], &[("/items/0/price", "wrong_type")]),
    kind("amount_fraction", &[("/payment/amount", Write("1817.5"))], &[("/payment/amount", "wrong_type")]),
    kind(
        "amount_exponent",
        &[("/payment/goods_total", Write("1e3"))],
        &[("/payment/goods_total", "wrong_type")],
    ),
    kind(
        "ids_and_date_text",
        &[
            ("/items/0/chrt_id", Write(r#""A-17""#)),
            ("/items/0/nm_id", Write(r#""B-35""#)),
            ("/payment/payment_dt", Write(r#""2024-05-17T18:40:03Z""#)),
        ],
        &[
            ("/items/0/chrt_id", "wrong_type"),
            ("/items/0/nm_id", "wrong_type"),
            ("/payment/payment_dt", "wrong_type"),
        ],
    ),
    kind("date_number", &[("/date_created", Write("1637907727"))], &[("/date_created", "wrong_type")]),
    // Text that says nothing or too much
    kind("uid_blank", &[("/order_uid", Write(r#""""#))], &[("/order_uid", "blank")]),
    kind("uid_white_space", &[("/order_uid", Write("\"\u{a0}\u{2003}\\t\""))], &[("/order_uid", "blank")]),
    kind("track_blank", &[("/track_number", Write(r#""   ""#))], &[("/track_number", "blank")]),
    kind("uid_long", &[("/order_uid", Write(LONG))], &[("/order_uid", "too_long")]),
    kind("track_long", &[("/track_number", Write(LONG))], &[("/track_number", "too_long")]),
    kind("uid_nul", &[("/order_uid", Write(r#""left\u0000right""#))], &[("/order_uid", "nul_char")]),
    kind(
        "name_nul",
        &[("/delivery/name", Write(r#""Test\u0000Testov""#))],
        &[("/delivery/name", "nul_char")],
    ),
    kind("size_nul", &[("/items/0/size", Write(r#""\u0000""#))], &[("/items/0/size", "nul_char")]),
    kind("date_nul", &[("/date_created", Write(r#""2021-11-26\u0000""#))], &[("/date_created", "nul_char")]),
    kind("uid_control", &[("/order_uid", Write(r#""first\nsecond""#))], &[("/order_uid", "control_char")]),
    // Numbers beyond their range
    kind(
        "amounts_negative",
        &[
            ("/payment/amount", Write("-1250")),
            ("/payment/delivery_cost", Write("-300")),
            ("/payment/goods_total", Write("-950")),
        ],
        &[
            ("/payment/amount", "out_of_range"),
            ("/payment/delivery_cost", "out_of_range"),
            ("/payment/goods_total", "out_of_range"),
        ],
    ),
    kind("price_negative", &[("/items/0/price", Write("-0.01"))], &[("/items/0/price", "out_of_range")]),
    kind("nm_id_negative", &[("/items/0/nm_id", Write("-2389212"))], &[("/items/0/nm_id", "out_of_range")]),
    kind(
        "amount_beyond_int64",
        &[("/payment/amount", Write("9223372036854775808"))],
        &[("/payment/amount", "out_of_range")],
    ),
    kind(
        "status_below_int64",
        &[("/items/0/status", Write("-9223372036854775809"))],
        &[("/items/0/status", "out_of_range")],
    ),
    kind("sm_id_huge", &[("/sm_id", Write("99999999999999999999"))], &[("/sm_id", "out_of_range")]),
    kind("price_huge", &[("/items/0/price", Write("1e400"))], &[("/items/0/price", "out_of_range")]),
    kind(
        "price_too_fine",
        &[("/items/0/total_price", Write("317.000000000000000000001"))],
        &[("/items/0/total_price", "out_of_range")],
    ),
    // Dates
    kind("date_empty", &[("/date_created", Write(r#""""#))], BAD_DATE),
    kind("date_not_in_calendar", &[("/date_created", Write(r#""2023-02-29T06:22:19Z""#))], BAD_DATE),
    kind("date_hour_24", &[("/date_created", Write(r#""2021-11-26T24:00:00Z""#))], BAD_DATE),
    kind("date_russian", &[("/date_created", Write(r#""26.11.2021 06:22""#))], BAD_DATE),
    kind("date_of_mail", &[("/date_created", Write(r#""Fri, 26 Nov 2021 06:22:19 GMT""#))], BAD_DATE),
    kind("date_words", &[("/date_created", Write(r#""yesterday""#))], BAD_DATE),
    // The same key twice
    kind("uid_twice", &[("/order_uid", Also("order_uid"))], &[("/order_uid", "duplicate_key")]),
    kind(
        "track_twice_escaped",
        &[("/track_number", Also(r"track\u005fnumber"))],
        &[("/track_number", "duplicate_key")],
    ),
    kind("amount_twice", &[("/payment/amount", Also("amount"))], &[("/payment/amount", "duplicate_key")]),
    kind("price_twice", &[("/items/0/price", Also("price"))], &[("/items/0/price", "duplicate_key")]),
    // Several at once
    kind(
        "blank_and_empty",
        &[
            ("/order_uid", Write(r#""""#)),
            ("/track_number", Write(r#""""#)),
            ("/delivery", Write("{}")),
            ("/payment", Write("{}")),
            ("/items", Write("[]")),
        ],
        &[("/order_uid", "blank"), ("/track_number", "blank")],
    ),
    kind(
        "everywhere",
        &[
            ("/order_uid", Omit),
            ("/track_number", Write("12345")),
            ("/delivery/email", Write("{}")),
            ("/payment/custom_fee", Write("-1")),
            ("/items/0/brand", Write(r#""\u0000""#)),
            ("/date_created", Write(r#""2021-13-01""#)),
        ],
        &[
            ("/order_uid", "missing"),
            ("/track_number", "wrong_type"),
            ("/delivery/email", "wrong_type"),
            ("/payment/custom_fee", "out_of_range"),
            ("/items/0/brand", "nul_char"),
            ("/date_created", "bad_date"),
        ],
    ),
];
