//! Messages whose text is no order at all: not JSON, not UTF-8, not an object, or another object.

use super::{BrokenKind, MAX_MESSAGE_BYTES, Recipe, Spoil};
use crate::sample::{
    json::Change::{Also, Write},
    rng::Rng,
};

const NONE: &[(&str, &str)] = &[];
const PARTS_MISSING: &[(&str, &str)] =
    &[("/delivery", "missing"), ("/payment", "missing"), ("/items", "missing")];
const ALL_MISSING: &[(&str, &str)] = &[
    ("/order_uid", "missing"),
    ("/track_number", "missing"),
    ("/delivery", "missing"),
    ("/payment", "missing"),
    ("/items", "missing"),
];

const fn kind(
    name: &'static str,
    reason: &'static str,
    make: fn(&mut Rng, Spoil<'_>) -> Vec<u8>,
) -> BrokenKind {
    BrokenKind { name, reason, errors: NONE, recipe: Recipe::Text(make) }
}

const fn object(
    name: &'static str,
    errors: &'static [(&'static str, &'static str)],
    make: fn(&mut Rng, Spoil<'_>) -> Vec<u8>,
) -> BrokenKind {
    BrokenKind { name, reason: "invalid_fields", errors, recipe: Recipe::Text(make) }
}

/// A member in which something stands that JSON does not know.
const fn not_json_at(name: &'static str, edit: &'static [crate::sample::json::Edit]) -> BrokenKind {
    BrokenKind { name, reason: "not_json", errors: NONE, recipe: Recipe::Edits(edit) }
}

pub(super) const KINDS: &[BrokenKind] = &[
    kind("empty", "empty", |_, _| Vec::new()),
    kind("oversized", "too_large", oversized),
    // Not UTF-8
    kind("binary", "not_utf8", |rng, _| {
        [&[0, 1, 2, 3, 0xff, 0xfe, 0xfd][..], &rng.next().to_be_bytes()].concat()
    }),
    kind("windows_1251", "not_utf8", |_, spoil| {
        let moscow = [0xcc, 0xee, 0xf1, 0xea, 0xe2, 0xe0];
        [br#"{"order_uid":""#, spoil.uid.as_bytes(), br#"","city":""#, &moscow, br#""}"#].concat()
    }),
    kind("utf_16", "not_utf8", |_, spoil| {
        let text = String::from_utf8(spoil.order).expect("an order is UTF-8");
        [0xfeff].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
    }),
    kind("surrogate_bytes", "not_utf8", |_, spoil| [&spoil.order[..], &[0xed, 0xa0, 0x80]].concat()),
    kind("overlong_bytes", "not_utf8", |_, spoil| [&[0xc0, 0xaf][..], &spoil.order].concat()),
    kind("cut_in_a_character", "not_utf8", |_, spoil| {
        [br#"{"order_uid":""#, spoil.uid.as_bytes(), br#"","name":""#, &[0xf0, 0x9f, 0x9b]].concat()
    }),
    // Not JSON: other text
    kind("white_space", "not_json", |rng, _| white_space(rng)),
    kind("plain_text", "not_json", |_, spoil| {
        format!("order {} is ready & waits at the counter ;)", spoil.uid).into()
    }),
    kind("russian_text", "not_json", |_, spoil| format!("Заказ {} собран, ждёт курьера", spoil.uid).into()),
    kind("long_text", "not_json", |_, spoil| format!("{}{}", "lorem ipsum ".repeat(6_000), spoil.uid).into()),
    kind("control_bytes", "not_json", |_, spoil| [&[0, 1, 2, 3][..], spoil.uid.as_bytes()].concat()),
    kind("html", "not_json", |_, spoil| {
        format!("<!DOCTYPE html>\n<html><body><h1>502 Bad Gateway</h1><!-- {} --></body></html>", spoil.uid)
            .into()
    }),
    kind("xml", "not_json", |_, spoil| {
        format!("<?xml version=\"1.0\"?><order><order_uid><![CDATA[{}]]></order_uid></order>", spoil.uid)
            .into()
    }),
    kind("yaml", "not_json", |_, spoil| format!("order_uid: \"{}\"\nitems: []\n", spoil.uid).into()),
    kind("form", "not_json", |rng, _| format!("order_uid={:016x}&track_number=WBIL", rng.next()).into()),
    // Not JSON: almost
    kind("byte_order_mark", "not_json", |_, spoil| [&[0xef, 0xbb, 0xbf][..], &spoil.order].concat()),
    kind("truncated", "not_json", truncated),
    kind("without_last_brace", "not_json", |_, mut spoil| {
        spoil.order.pop();
        spoil.order
    }),
    kind("string_left_open", "not_json", |_, spoil| format!("{{\"order_uid\": \"{}", spoil.uid).into()),
    kind("trailing_text", "not_json", |_, spoil| [&spoil.order[..], b" // end"].concat()),
    kind("trailing_nul", "not_json", |_, spoil| [&spoil.order[..], &[0]].concat()),
    kind("two_documents", "not_json", |_, spoil| [&spoil.order[..], b"\n", &spoil.order].concat()),
    kind("trailing_comma", "not_json", |_, mut spoil| {
        spoil.order.pop();
        [&spoil.order[..], b",}"].concat()
    }),
    kind("comma_missing", "not_json", |_, spoil| {
        format!(r#"{{"order_uid": "{}" "track_number": "WBIL"}}"#, spoil.uid).into()
    }),
    kind("value_missing", "not_json", |_, spoil| {
        format!(r#"{{"order_uid": "{}", "track_number":}}"#, spoil.uid).into()
    }),
    kind("unquoted_keys", "not_json", |_, spoil| format!("{{order_uid: \"{}\"}}", spoil.uid).into()),
    kind("single_quotes", "not_json", |_, mut spoil| {
        spoil.order.iter_mut().filter(|byte| **byte == b'"').for_each(|byte| *byte = b'\'');
        spoil.order
    }),
    kind("deep_nesting", "not_json", |rng, spoil| {
        let depth = rng.between(127, 4000) as usize;
        let nested = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        format!(r#"{{"order_uid":"{}","nested":{nested}}}"#, spoil.uid).into()
    }),
    not_json_at("comment", &[("/locale", Write("\"en\" /* or ru */"))]),
    not_json_at("not_a_number", &[("/payment/amount", Write("NaN"))]),
    not_json_at("infinity", &[("/items/0/price", Write("-Infinity"))]),
    not_json_at("leading_zero", &[("/sm_id", Write("099"))]),
    not_json_at("leading_plus", &[("/items/0/sale", Write("+30"))]),
    not_json_at("bare_point", &[("/items/0/total_price", Write("317."))]),
    not_json_at("hexadecimal", &[("/items/0/nm_id", Write("0x2474CC"))]),
    not_json_at("python_none", &[("/payment/request_id", Write("None"))]),
    not_json_at("bad_escape", &[("/delivery/city", Write(r#""Fair\view""#))]),
    not_json_at("bad_unicode_escape", &[("/delivery/region", Write(r#""North\u12G4West""#))]),
    not_json_at("raw_line_break", &[("/delivery/address", Write("\"Ploshad\nMira 15\""))]),
    not_json_at("lone_surrogate", &[("/delivery/name", Write(r#""Test \ud83d Testov""#))]),
    not_json_at("lone_surrogate_in_key", &[("/track_number", Also(r"\udc00"))]),
    not_json_at("lone_surrogate_in_unknown_value", &[("/entry", Also(r#"comment": "\ud83d", "entry2"#))]),
    // Not an object
    kind("array_of_orders", "not_object", |_, spoil| [b"[", &spoil.order[..], b"]"].concat()),
    kind("empty_array", "not_object", |rng, _| spaced(rng, "[]")),
    kind("encoded_twice", "not_object", |_, spoil| {
        format!(r#""{{\"order_uid\": \"{}\", \"locale\": \"hy\"}}""#, spoil.uid).into()
    }),
    kind("number", "not_object", |rng, _| rng.next().to_string().into()),
    kind("boolean", "not_object", |rng, _| spaced(rng, "true")),
    kind("null", "not_object", |rng, _| spaced(rng, "null")),
    // Another object
    object("empty_object", ALL_MISSING, |rng, _| spaced(rng, "{}")),
    object("other_document", ALL_MISSING, |rng, _| {
        format!(
            r#"{{"sensor": "greenhouse-4", "reading": {}, "unit": "lux", "alarms": [{{"level": "low"}}]}}"#,
            rng.next()
        )
        .into()
    }),
    object("wrapped", ALL_MISSING, |_, spoil| [br#"{"order":"#, &spoil.order[..], b"}"].concat()),
    object("camel_case", ALL_MISSING, |_, spoil| {
        format!(r#"{{"orderUid":"{}","trackNumber":"WBIL","Items":[]}}"#, spoil.uid).into()
    }),
    // Next to nothing of an order
    object(
        "only_uid",
        &[
            ("/track_number", "missing"),
            ("/delivery", "missing"),
            ("/payment", "missing"),
            ("/items", "missing"),
        ],
        |_, spoil| format!(r#"{{"order_uid": "{}", "entry": "WBIL"}}"#, spoil.uid).into(),
    ),
    object("only_uid_and_track", PARTS_MISSING, |_, spoil| {
        format!(r#"{{"order_uid":"{}","track_number":"WBIL","basket":{{"gift":{{"ribbon":1}}}}}}"#, spoil.uid)
            .into()
    }),
    object(
        "only_delivery",
        &[
            ("/order_uid", "missing"),
            ("/track_number", "missing"),
            ("/payment", "missing"),
            ("/items", "missing"),
        ],
        |rng, _| spaced(rng, r#"{"delivery": {"fullName": "Ada Byron", "zip": "05417"}}"#),
    ),
    object(
        "only_items",
        &[
            ("/order_uid", "missing"),
            ("/track_number", "missing"),
            ("/delivery", "missing"),
            ("/payment", "missing"),
        ],
        |rng, _| spaced(rng, r#"{"items": [{"size": "XL"}]}"#),
    ),
    object(
        "null_uid_and_track",
        &[
            ("/order_uid", "wrong_type"),
            ("/track_number", "wrong_type"),
            ("/delivery", "missing"),
            ("/payment", "missing"),
            ("/items", "missing"),
        ],
        |rng, _| spaced(rng, r#"{"track_number":null,"order_uid":null}"#),
    ),
    object(
        "blank_uid_and_little_else",
        &[("/order_uid", "blank"), ("/delivery", "missing"), ("/payment", "missing"), ("/items", "missing")],
        |rng, _| spaced(rng, r#"{"track_number": "PARCEL-58", "order_uid": ""}"#),
    ),
];

fn oversized(_: &mut Rng, spoil: Spoil<'_>) -> Vec<u8> {
    let mut text = spoil.order;
    text.pop();
    text.extend_from_slice(br#","padding":""#);
    text.resize(text.len().max(MAX_MESSAGE_BYTES), b'x');
    text.extend_from_slice(b"\"}");
    text
}

fn truncated(rng: &mut Rng, spoil: Spoil<'_>) -> Vec<u8> {
    let mut text = String::from_utf8(spoil.order).expect("an order is UTF-8");
    // From the uid on, so that no two are alike
    let from = text.find(spoil.uid).map_or(1, |at| at + spoil.uid.len());
    let mut length = rng.between(from as i64, text.len() as i64 - 1) as usize;
    while !text.is_char_boundary(length) {
        length -= 1;
    }
    text.truncate(length);
    text.into()
}

/// Twenty-four characters of white space, which tell one message from the next.
fn white_space(rng: &mut Rng) -> Vec<u8> {
    (0..24).map(|_| rng.pick(b" \t\n\r")).collect()
}

fn spaced(rng: &mut Rng, text: &str) -> Vec<u8> {
    [text.as_bytes(), &white_space(rng)].concat()
}
