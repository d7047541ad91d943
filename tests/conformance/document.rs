use std::collections::BTreeMap;

use orderbox::store::Message;

use super::{
    Bench,
    fixture::{Object, ingest, message, object, small, text},
    rules,
};

rules!(
    the_four_tables_say_what_the_document_says,
    a_replaced_order_keeps_no_child_of_the_old_document,
    a_document_is_given_back_byte_for_byte,
    documents_come_newest_first_with_none_twice_or_missing,
    a_hundred_thousand_documents_are_read_in_seconds,
);

const ORDER: [&str; 10] = [
    "order_uid",
    "track_number",
    "entry",
    "locale",
    "internal_signature",
    "customer_id",
    "delivery_service",
    "shardkey",
    "sm_id",
    "oof_shard",
];
const DELIVERY: [&str; 7] = ["name", "phone", "zip", "city", "address", "region", "email"];
const PAYMENT: [&str; 10] = [
    "transaction",
    "request_id",
    "currency",
    "provider",
    "amount",
    "payment_dt",
    "bank",
    "delivery_cost",
    "goods_total",
    "custom_fee",
];
const ITEM: [&str; 11] = [
    "chrt_id",
    "track_number",
    "price",
    "rid",
    "name",
    "sale",
    "size",
    "total_price",
    "nm_id",
    "brand",
    "status",
];

/// All columns of one row as text; decimals without their exponents and trailing zeros.
type Row = BTreeMap<&'static str, Option<String>>;

async fn rows(bench: &Bench, columns: &[&'static str], from: &str) -> Vec<Row> {
    let selected: Vec<String> =
        columns.iter().map(|column| format!("CAST(t.\"{column}\" AS text)")).collect();
    let rows = bench.database.rows(&format!("SELECT {} FROM {from}", selected.join(", "))).await;
    let canonical = |name: &'static str, value: Option<String>| {
        (name, if name.ends_with("price") { value.map(|literal| decimal(&literal)) } else { value })
    };
    rows.into_iter()
        .map(|row| columns.iter().zip(row).map(|(name, value)| canonical(name, value)).collect())
        .collect()
}

fn expected(of: &Object, columns: &[&'static str]) -> Row {
    let value = |name: &str| {
        let value = text(of, name).map(|value| value.into_owned());
        if name.ends_with("price") { value.map(|literal| decimal(&literal)) } else { value }
    };
    columns.iter().map(|name| (*name, value(name))).collect()
}

/// A JSON number as digits and a power of ten, so that 1e2, 100 and 100.00 are the same.
fn decimal(literal: &str) -> String {
    let (mantissa, exponent) = literal.split_once(['e', 'E']).unwrap_or((literal, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent: i64 = exponent.parse::<i64>().unwrap() - i64::try_from(fraction.len()).unwrap();
    let all = format!("{whole}{fraction}");
    let digits = all.trim_end_matches('0');
    let zeros = i64::try_from(all.len() - digits.len()).unwrap();
    let digits = digits.trim_start_matches(['0', '-', '+']);
    if digits.is_empty() { "0".to_owned() } else { format!("{digits}e{}", exponent + zeros) }
}

async fn assert_tables_say(bench: &Bench, document: &str) {
    let order: Object = serde_json::from_str(document).unwrap();
    let uid = text(&order, "order_uid").unwrap();
    let of_order = format!("JOIN orders o ON o.id = t.order_id WHERE o.order_uid = '{uid}'");
    assert_eq!(
        rows(bench, &ORDER, &format!("orders t WHERE order_uid = '{uid}'")).await,
        [expected(&order, &ORDER)]
    );
    assert_eq!(
        rows(bench, &DELIVERY, &format!("deliveries t {of_order}")).await,
        [expected(&object(&order, "delivery"), &DELIVERY)]
    );
    assert_eq!(
        rows(bench, &PAYMENT, &format!("payments t {of_order}")).await,
        [expected(&object(&order, "payment"), &PAYMENT)]
    );
    let items: Vec<Object> = serde_json::from_str(order["items"].get()).unwrap();
    let items: Vec<Row> = items.iter().map(|item| expected(item, &ITEM)).collect();
    assert_eq!(rows(bench, &ITEM, &format!("items t {of_order} ORDER BY t.position")).await, items);
}

/// An order with every field, in every form that validation lets pass.
fn full(uid: &str, items: &str) -> String {
    format!(
        r#"{{ "order_uid": "{uid}", "track_number": "ТРЕК-№1", "entry": "", "locale": null,
  "delivery": {{"name": "Тест Тестов", "phone": "+9720000000", "zip": 2639809, "city": "Kiryat \"Mozkin\"", "address": "Ploshad\nMira 15",
    "region": null}},
  "payment": {{"transaction": "{uid}", "request_id": "", "currency": "RUB", "provider": "wbpay", "amount": 9223372036854775807,
    "payment_dt": -9223372036854775808, "bank": "альфа 🏦", "delivery_cost": 0, "goods_total": null}},
  "items": [{items}], "internal_signature": "\u0041\u042f", "customer_id": "tést", "delivery_service": "meest", "shardkey": 9.50,
  "sm_id": 9007199254740993, "date_created": "2021-11-26T06:22:19.123456Z", "oof_shard": "1", "unknown": {{"kept": [1]}} }}"#
    )
}

async fn the_four_tables_say_what_the_document_says(bench: Bench) {
    let prices = r#"{"chrt_id": 9934930, "price": 453, "total_price": 1e2, "name": "Маска", "size": 0, "sale": 30, "nm_id": null},
        {"price": 0.10, "total_price": 12345678901234567890.123456789, "brand": "", "status": 202, "rid": "ab4219087a764ae0btest"},
        {"price": 1.5E-7, "total_price": 2.50e+3, "track_number": "WBILMTESTTRACK"}, {}"#;
    let thousand: Vec<String> =
        (0..1000).map(|n| format!(r#"{{"chrt_id": {n}, "price": {n}.25}}"#)).collect();
    let documents =
        [full("full", prices), full("none", ""), full("thousand", &thousand.join(",")), small("small", 1)];
    let messages: Vec<Message> = (1..).zip(&documents).map(|(n, document)| message(n, n, document)).collect();
    ingest(&*bench.store, &messages).await;
    for document in &documents {
        assert_tables_say(&bench, document).await;
    }
    let cast = match bench.store.kind() {
        "sqlite" => "date_created",
        _ => "to_char(date_created AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')",
    };
    let date = bench.database.rows(&format!("SELECT {cast} FROM orders WHERE order_uid = 'full'")).await;
    assert_eq!(date, [[Some("2021-11-26T06:22:19.123456Z".to_owned())]]);
    bench.assert_balances().await;
}

async fn a_replaced_order_keeps_no_child_of_the_old_document(bench: Bench) {
    let many = r#"{"chrt_id": 1}, {"chrt_id": 2}, {"chrt_id": 3}"#;
    let (old, new) = (full("a", many), full("a", r#"{"chrt_id": 4}"#));
    let bystander = full("b", many);
    ingest(&*bench.store, &[message(1, 1, &old), message(2, 2, &bystander)]).await;
    ingest(&*bench.store, &[message(3, 3, &new)]).await;
    assert_tables_say(&bench, &new).await;
    assert_tables_say(&bench, &bystander).await;
    let bare = small("a", "bare");
    ingest(&*bench.store, &[message(4, 4, &bare)]).await;
    assert_tables_say(&bench, &bare).await;
    bench.assert_balances().await;
}

async fn a_document_is_given_back_byte_for_byte(bench: Bench) {
    let document = full("a", "\t{}\r\n");
    ingest(&*bench.store, &[message(1, 1, &document)]).await;
    assert_eq!(bench.store.document("a").await.unwrap().unwrap(), document.as_bytes());
    assert_eq!(bench.store.document("A").await.unwrap(), None);
    assert_eq!(bench.store.document("").await.unwrap(), None);
}

async fn documents_come_newest_first_with_none_twice_or_missing(bench: Bench) {
    let messages: Vec<Message> = (0..57).map(|n| message(n, n, &small(&format!("uid-{n}"), n))).collect();
    for batch in messages.chunks(10) {
        ingest(&*bench.store, batch).await;
    }
    let length = messages[20].payload.len();
    for (limit, max_bytes, page) in
        [(10, usize::MAX, 10), (1, usize::MAX, 1), (100, usize::MAX, 57), (100, 3 * length, 4), (100, 1, 1)]
    {
        let mut before = None;
        let mut seen = Vec::new();
        loop {
            let documents = bench.store.documents(before, limit, max_bytes).await.unwrap();
            assert!(documents.len() <= page, "{} against {page}", documents.len());
            let Some(last) = documents.last() else { break };
            before = Some(last.id);
            seen.extend(documents);
        }
        assert!(seen.windows(2).all(|pair| pair[0].id > pair[1].id));
        assert_eq!(seen.len(), 57, "{limit} {max_bytes}");
        for document in seen {
            assert_eq!(
                bench.store.document(&document.order_uid).await.unwrap().unwrap(),
                document.document.bytes()
            );
        }
    }
}

/// The bound is generous: other tests run at the same time.
async fn a_hundred_thousand_documents_are_read_in_seconds(bench: Bench) {
    let numbers = match bench.store.kind() {
        "sqlite" => {
            "(WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 100000) SELECT n FROM n)"
        }
        _ => "generate_series(1, 100000) AS n (n)",
    };
    let bytes = match bench.store.kind() {
        "sqlite" => "zeroblob(1000)",
        _ => "decode(repeat('00', 1000), 'hex')",
    };
    bench
        .database
        .execute(&format!(
            "INSERT INTO orders (order_uid, track_number, document, message_id, source, channel, sequence, published_at_ns)
             SELECT 'uid-' || n, 'T', {bytes}, 'stan:' || n, 'stan', 'orders', n, n FROM {numbers}"
        ))
        .await;
    let begin = std::time::Instant::now();
    let (mut before, mut count) = (None, 0);
    loop {
        let documents = bench.store.documents(before, 5000, 16 << 20).await.unwrap();
        let Some(last) = documents.last() else { break };
        before = Some(last.id);
        count += documents.len();
    }
    let taken = begin.elapsed();
    assert_eq!(count, 100_000);
    eprintln!("{}: 100,000 documents in {taken:?}", bench.store.kind());
    assert!(taken.as_secs() < 10, "{taken:?}");
}
