//! Messages that are made to hurt: each ends soon, on a small stack, with the right reason.

use std::{
    thread,
    time::{Duration, Instant},
};

use crate::order::{ErrorCode, FieldError, Reason, Rejection, Verdict, diagnose, validate};

const MAX_BYTES: usize = 256 * 1024;

/// Far less than a worker's, so that recursion over the input shows.
const STACK: usize = 256 * 1024;

/// An unoptimised build on a busy machine needs a tenth of it; what grows with the square of 256 KiB needs hours.
const SOON: Duration = Duration::from_secs(10);

/// The beginning of an order that lacks nothing but `items`.
const HEAD: &str = r#"{"order_uid":"u","track_number":"t","delivery":{},"payment":{}"#;

fn look_at(payload: Vec<u8>) -> Verdict<'static> {
    let payload: &'static [u8] = payload.leak();
    let look = move || {
        let start = Instant::now();
        let verdict = validate(payload, MAX_BYTES);
        assert_eq!(diagnose(payload, MAX_BYTES).verdict, verdict);
        assert!(start.elapsed() < SOON, "took {:?}", start.elapsed());
        verdict
    };
    let thread = thread::Builder::new().stack_size(STACK).spawn(look).expect("a thread");
    thread.join().expect("neither a panic nor a time-out")
}

fn rejected(payload: impl Into<Vec<u8>>) -> Rejection {
    match look_at(payload.into()) {
        Verdict::Reject(rejection) => rejection,
        Verdict::Accept(_) => panic!("this is no order"),
    }
}

fn accepted(payload: impl Into<Vec<u8>>) {
    if let Verdict::Reject(rejection) = look_at(payload.into()) {
        panic!("this is an order: {rejection:?}");
    }
}

/// As many `unit`s between `head` and `tail`, parted by commas, as a message can hold.
fn filled(head: &str, unit: &str, tail: &str) -> String {
    let times = (MAX_BYTES - head.len() - tail.len() - unit.len()) / (unit.len() + 1);
    format!("{head}{}{unit}{tail}", format!("{unit},").repeat(times))
}

fn found(rejection: &Rejection) -> Vec<(&str, ErrorCode)> {
    rejection.errors.iter().map(|FieldError { pointer, code, .. }| (pointer.as_str(), *code)).collect()
}

#[test]
fn nothing_but_opening_brackets() {
    for unit in ["[", r#"{"":"#, r#"[{"x":"#] {
        assert_eq!(rejected(unit.repeat(MAX_BYTES / unit.len())).reason, Reason::NotJson);
        let head = format!("{HEAD},\"x\":");
        assert_eq!(rejected(head + &unit.repeat(200_000 / unit.len())).reason, Reason::NotJson);
    }
}

#[test]
fn deep_but_balanced() {
    let deep = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    for (key, inside) in [("x", 1), ("order_uid", 1), ("items", 1)] {
        let message = |depth: usize| format!("{{\"{key}\":{}}}", deep(depth - inside));
        assert_eq!(rejected(message(127)).reason, Reason::InvalidFields, "{key}");
        let rejection = rejected(message(128));
        assert_eq!(rejection.reason, Reason::NotJson, "{key}");
        assert!(
            rejection
                .detail
                .is_some_and(|detail| detail.starts_with("nested deeper than 127 at line 1 column "))
        );
        assert_eq!(rejected(message(130_000)).reason, Reason::NotJson, "{key}");
    }
    accepted(format!("{HEAD},\"items\":[{{\"x\":{}}}]}}", deep(124)));
    assert_eq!(rejected(format!("{HEAD},\"items\":[{{\"x\":{}}}]}}", deep(125))).reason, Reason::NotJson);
    accepted(filled(&format!("{HEAD},\"items\":[],\"x\":["), "[[[[[[[[]]]]]]]]", "]}"));
}

#[test]
fn a_hundred_thousand_errors_are_a_thousand() {
    let rejection = rejected(filled("{\"items\":[", "0", "]}"));
    assert_eq!(
        (rejection.reason, rejection.errors.len(), rejection.errors_truncated),
        (Reason::InvalidFields, 1000, true)
    );
    assert_eq!(rejection.errors[999].pointer, "/items/999");
    let exactly = format!("{HEAD},\"items\":[{}0]}}", "0,".repeat(999));
    let rejection = rejected(exactly);
    assert_eq!((rejection.errors.len(), rejection.errors_truncated), (1000, false));
}

#[test]
fn the_uid_is_found_behind_any_number_of_errors() {
    let rejection = rejected(filled("{\"items\":[", r#"{"price":-1}"#, r#"],"order_uid":"late"}"#));
    assert_eq!(rejection.order_uid.as_deref(), Some("late"));
}

#[test]
fn as_many_items_and_warnings_as_fit() {
    let message = filled(&format!("{HEAD},\"items\":["), "{}", "]}");
    accepted(message.clone());
    let diagnosis = diagnose(message.as_bytes(), MAX_BYTES);
    assert_eq!((diagnosis.warnings.len(), diagnosis.warnings_truncated), (1000, true));
}

#[test]
fn unknown_keys_by_the_ten_thousand() {
    accepted(filled(&format!("{HEAD},\"items\":[],"), r#""a":0"#, "}"));
    accepted(filled(&format!("{HEAD},\"items\":[],"), r#""":0"#, "}"));
    assert_eq!(
        found(&rejected(filled(&format!("{HEAD},"), r#""\u0061":0"#, "}"))),
        [("/items", ErrorCode::Missing)]
    );
    let distinct: String = (0..20_000).map(|number| format!(",\"{number:x}\":0")).collect();
    accepted(format!("{HEAD},\"items\":[]{distinct}}}"));
}

#[test]
fn duplicate_keys_by_the_ten_thousand_are_one_error() {
    let errors = rejected(filled(&format!("{HEAD},\"items\":[],"), r#""sm_id":{}"#, "}"));
    assert_eq!(found(&errors), [("/sm_id", ErrorCode::DuplicateKey)]);
    let errors = rejected(filled(&format!("{HEAD},"), r#""items":[0]"#, "}"));
    assert_eq!(found(&errors), [("/items", ErrorCode::DuplicateKey)]);
    let errors = rejected(filled(&format!("{HEAD},\"items\":[],"), r#""order\u005fuid":"a""#, "}"));
    assert_eq!(found(&errors), [("/order_uid", ErrorCode::DuplicateKey)]);
    assert_eq!(errors.order_uid, None, "which uid counts would be a guess");
}

#[test]
fn numbers_of_any_length() {
    let long = "9".repeat(200_000);
    let message = |key: &str, literal: &str| format!("{HEAD},\"items\":[{{\"{key}\":{literal}}}]}}");
    for literal in [&long, "1e999999999999999999999", "1e-999999999999999999999", &format!("0.{long}")] {
        assert_eq!(found(&rejected(message("price", literal))), [("/items/0/price", ErrorCode::OutOfRange)]);
        accepted(message("x", literal));
        accepted(message("size", literal));
    }
    assert_eq!(found(&rejected(message("sale", &long))), [("/items/0/sale", ErrorCode::OutOfRange)]);
    assert_eq!(
        found(&rejected(message("sale", &format!("-{long}")))),
        [("/items/0/sale", ErrorCode::OutOfRange)]
    );
    accepted(message("price", &format!("0.{}1e200000", "0".repeat(199_999))));
    accepted(message("price", &format!("0e{long}")));
    accepted(message("x", &format!("1e{long}")));
    assert_eq!(found(&rejected(message("sale", "1e400"))), [("/items/0/sale", ErrorCode::WrongType)]);
}

#[test]
fn texts_of_any_length() {
    let uid = |text: &str| rejected(format!("{{\"order_uid\":\"{text}\"}}")).errors[0].code;
    assert_eq!(uid(&" ".repeat(200_000)), ErrorCode::Blank);
    assert_eq!(uid(&r"\u0020".repeat(40_000)), ErrorCode::Blank);
    assert_eq!(uid(&r"\\".repeat(100_000)), ErrorCode::TooLong);
    assert_eq!(uid(&r"\ud83d\ude00".repeat(20_000)), ErrorCode::TooLong);
    assert_eq!(uid(&(r"\u0001".repeat(40_000) + r"\u0000")), ErrorCode::NulChar);
    let date =
        |text: &str| rejected(format!("{HEAD},\"items\":[],\"date_created\":\"{text}\"}}")).errors[0].code;
    assert_eq!(date(&"1".repeat(200_000)), ErrorCode::BadDate);
    accepted(format!(
        "{HEAD},\"items\":[],\"date_created\":\"2021-01-01T00:00:00.{}Z\"}}",
        "1".repeat(200_000)
    ));
    accepted(format!("{HEAD},\"items\":[],\"{}\":0}}", "~/".repeat(100_000)));
}

#[test]
fn lone_surrogates_wherever_they_hide() {
    for text in [
        r#"{"\ud800":0}"#,
        r#"{"x":{"\udfff":0}}"#,
        r#"{"x":["\ud800\ud800"]}"#,
        r#"{"order_uid":"\udc00\ud800"}"#,
        r#"{"items":"\ud800"}"#,
        r#"{"order_uid":"a","order_uid":"\ud800"}"#,
        r#"["\ud800"]"#,
        r#""\ud800""#,
    ] {
        let rejection = rejected(text);
        assert_eq!(rejection.reason, Reason::NotJson, "{text}");
        assert!(
            rejection
                .detail
                .is_some_and(|detail| detail.starts_with("lone surrogate in an escape at line 1"))
        );
    }
    accepted(format!("{HEAD},\"items\":[],\"\\uD83D\\uDE00\\u0000\":\"\\\\ud800\\u0000\"}}"));
}

#[test]
fn what_is_no_json() {
    for text in [
        " ",
        "\u{FEFF}{}",
        "\u{FEFF}",
        "NaN",
        "{\"x\":NaN}",
        "{\"x\":-Infinity}",
        "{\"x\":01}",
        "{\"x\":+1}",
        "{\"x\":1.}",
        "{\"x\":.5}",
        "{\"x\":1e}",
        "{}{}",
        "{} x",
        "{},",
        "{\"x\":1,}",
        "[1,]",
        "{'x':1}",
        "{x:1}",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\u{1}\"",
        "\"\t\"",
        "\"",
        "\"\\",
        "{\"x\"}",
        "{\"x\":}",
        "{1:2}",
        "nul",
        "//\n{}",
        "\u{a0}{}",
        "{}\0",
        "\0",
        "-",
        "{\"\\uZZZZ\":0}",
    ] {
        assert_eq!(rejected(text).reason, Reason::NotJson, "{text:?}");
    }
    for bytes in [
        &b"\xff"[..],
        b"{\"x\":\"\xc3\"}",
        b"{\"x\":\"\xed\xa0\x80\"}",
        b"{}\xfe",
        b"\xff\xfe{\0}\0",
        b"{\"\xc0\xaf\":0}",
    ] {
        assert_eq!(rejected(bytes).reason, Reason::NotUtf8, "{bytes:?}");
    }
    assert_eq!(rejected(vec![0xff; MAX_BYTES + 1]).reason, Reason::TooLarge, "size comes before text");
    assert_eq!(rejected(" ".repeat(MAX_BYTES)).reason, Reason::NotJson);
}
