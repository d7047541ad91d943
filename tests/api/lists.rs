use serde_json::{Value, json};

use super::{order, publish, see, start};
use crate::support::{
    client::Answer,
    database::Database,
    orderbox::{Orderbox, on_each_store},
};

on_each_store!(
    the_newest_orders_are_listed_without_what_they_say,
    what_an_order_said_before_is_kept_exactly,
    dead_letters_are_listed_by_pages_and_filters_without_their_payloads,
    a_dead_letter_is_shown_with_every_byte_and_every_error,
);

/// The detail of a 400.
fn refused(answer: &Answer) -> String {
    assert_eq!(answer.status, 400, "{}", answer.text());
    assert_eq!(answer.headers["content-type"], "application/problem+json");
    answer.json()["detail"].as_str().unwrap().to_owned()
}

fn texts(list: &Value, key: &str) -> Vec<String> {
    list.as_array().unwrap().iter().map(|entry| entry[key].as_str().unwrap().to_owned()).collect()
}

/// SQL for the bytes of a text: `head`, and `character` so many times, an even number.
fn bytes(database: &Database, head: &str, character: &str, times: usize) -> String {
    if database.is_postgres() {
        format!("convert_to('{head}' || repeat('{character}', {times}), 'UTF8')")
    } else {
        format!("CAST('{head}' || replace(hex(zeroblob({})), '0', '{character}') AS BLOB)", times / 2)
    }
}

async fn the_newest_orders_are_listed_without_what_they_say(database: Database) {
    let service = start(&database).await;
    assert_eq!(see(&service, "/api/orders/recent").await.json(), json!({"orders": []}));
    publish(&service, &[&order("first", 1), &order("second", 1), &order("third", 1)]).await;
    let answer = see(&service, "/api/orders/recent").await;
    assert_eq!(answer.headers["cache-control"], "no-store");
    let orders = &answer.json()["orders"];
    assert_eq!(texts(orders, "order_uid"), ["third", "second", "first"]);
    let newest = &orders[0];
    assert_eq!(
        (&newest["source"], &newest["channel"], &newest["sequence"]),
        (&json!("http"), &json!("http"), &json!(0))
    );
    for time in ["published_at", "updated_at"] {
        assert!(newest[time].as_str().unwrap().ends_with('Z'), "{newest}");
    }
    assert_eq!(newest.as_object().unwrap().len(), 6, "nothing of the document: {newest}");
    let one = see(&service, "/api/orders/recent?limit=1").await.json();
    assert_eq!(texts(&one["orders"], "order_uid"), ["third"]);
    for (query, parts) in [
        ("limit=0", ["limit", "\"0\"", "1 to 100"]),
        ("limit=101", ["limit", "\"101\"", "1 to 100"]),
        ("limit=ten", ["limit", "\"ten\"", "1 to 100"]),
        ("limits=1", ["limits", "not known", "limit"]),
        ("limit=1&limit=1", ["limit", "twice", ""]),
    ] {
        let detail = refused(&see(&service, &format!("/api/orders/recent?{query}")).await);
        assert!(parts.iter().all(|part| detail.contains(part)), "{query}: {detail}");
    }
}

async fn what_an_order_said_before_is_kept_exactly(database: Database) {
    let service = start(&database).await;
    let spaced = [b"\n \t".as_slice(), &order("a/b ы", 1), b"\r\n"].concat();
    publish(&service, &[&spaced, &order("a/b ы", 2), &order("a/b ы", 3), &order("once", 1)]).await;
    let path = "/api/orders/a%2Fb%20%D1%8B/history";
    let answer = see(&service, path).await.json();
    assert_eq!((&answer["order_uid"], &answer["next_before"]), (&json!("a/b ы"), &Value::Null));
    let documents = texts(&answer["history"], "document");
    assert_eq!(documents, [order("a/b ы", 2), spaced].map(|bytes| String::from_utf8(bytes).unwrap()));
    for entry in answer["history"].as_array().unwrap() {
        assert!(entry["message_id"].as_str().unwrap().starts_with("http:"), "{entry}");
        assert!(entry["replaced_at"].as_str().unwrap() > entry["published_at"].as_str().unwrap(), "{entry}");
    }
    let page = see(&service, &format!("{path}?limit=1")).await.json();
    assert_eq!(page["history"][0], answer["history"][0]);
    let rest = see(&service, &format!("{path}?limit=1&before={}", page["next_before"])).await.json();
    assert_eq!(rest["history"][0], answer["history"][1]);
    assert_eq!(rest["next_before"], Value::Null, "a last page that is full is the last");

    // Two documents of 4 MiB: a page each.
    let spaces = bytes(&database, "", " ", 4 << 20);
    database.execute(&format!("UPDATE order_history SET document = {spaces}")).await;
    let page = see(&service, path).await.json();
    assert_eq!(
        (page["history"].as_array().unwrap().len(), &page["next_before"]),
        (1, &answer["history"][0]["id"])
    );
    let rest = see(&service, &format!("{path}?before={}", page["next_before"])).await.json();
    assert_eq!(
        (&rest["history"][0]["id"], &rest["next_before"]),
        (&answer["history"][1]["id"], &Value::Null)
    );

    assert_eq!(see(&service, "/api/orders/once/history").await.json()["history"], json!([]));
    let unknown = see(&service, "/api/orders/never/history").await;
    assert_eq!(unknown.status, 404);
    for path in ["/api/orders/%20/history", "/api/orders/a%00b/history", "/api/orders/%FF/history"] {
        refused(&see(&service, path).await);
    }
}

/// Five messages that are no orders: ids 1 to 5.
async fn with_dead_letters(database: &Database) -> Orderbox {
    let service = start(database).await;
    let secret = br#"{"order_uid":"broken","track_number":"T","delivery":{"phone":5,"email":"mail@secret"},"payment":{}}"#;
    publish(&service, &[b"{", b"", b"\xff\xfe\x00", secret, b"[1"]).await;
    service
}

async fn dead_letters_are_listed_by_pages_and_filters_without_their_payloads(database: Database) {
    let service = with_dead_letters(&database).await;
    database.execute("UPDATE dead_letters SET resolution = 'discarded' WHERE reason = 'empty'").await;
    let all = see(&service, "/api/dead-letters").await;
    assert!(!all.text().contains("secret"), "{}", all.text());
    let all = all.json();
    let reasons = ["not_json", "invalid_fields", "not_utf8", "empty", "not_json"];
    assert_eq!(texts(&all["dead_letters"], "reason"), reasons);
    assert_eq!(all["next_before"], Value::Null);
    let open = json!({"not_json": 2, "not_utf8": 1, "invalid_fields": 1});
    assert_eq!(all["open_by_reason"], open);

    // Pages join without a hole, and the last one says that it is the last.
    let (mut pages, mut before) = (Vec::new(), String::new());
    loop {
        let page = see(&service, &format!("/api/dead-letters?limit=2{before}")).await.json();
        pages.extend(page["dead_letters"].as_array().unwrap().clone());
        let Some(id) = page["next_before"].as_i64() else { break };
        before = format!("&before={id}");
    }
    assert_eq!(json!(pages), all["dead_letters"]);
    let exact = see(&service, "/api/dead-letters?limit=5").await.json();
    assert_eq!(exact["next_before"], Value::Null, "five of five are all");

    for (filter, found) in [
        ("reason=not_json", 2),
        ("reason=empty", 1),
        ("resolution=open", 4),
        ("resolution=discarded&reason=empty", 1),
        ("resolution=discarded&reason=not_json", 0),
        ("reason=panicked", 0),
    ] {
        let answer = see(&service, &format!("/api/dead-letters?{filter}")).await.json();
        assert_eq!(answer["dead_letters"].as_array().unwrap().len(), found, "{filter}");
        assert_eq!(answer["open_by_reason"], open, "whatever the filter");
    }
    for (query, part) in [
        ("reason=nonsense", "not_utf8"),
        ("reason=", "not_utf8"),
        ("resolution=Open", "open, replayed, discarded"),
        ("before=0", "from 1"),
        ("before=99999999999999999999", "from 1"),
        ("limit=1000", "1 to 100"),
        ("page=2", "until, resolution, before, limit"),
    ] {
        let detail = refused(&see(&service, &format!("/api/dead-letters?{query}")).await);
        assert!(detail.contains(part), "{query}: {detail}");
    }
}

async fn a_dead_letter_is_shown_with_every_byte_and_every_error(database: Database) {
    let service = with_dead_letters(&database).await;
    let list = see(&service, "/api/dead-letters").await.json();
    let mut shown = Vec::new();
    for summary in list["dead_letters"].as_array().unwrap() {
        let whole = see(&service, &format!("/api/dead-letters/{}", summary["id"])).await.json();
        for (key, value) in summary.as_object().unwrap() {
            assert_eq!(&whole[key], value, "{key} is as in the list");
        }
        shown.push(whole);
    }
    let payloads = ["WzE=", "", "//4A", "", "ew=="];
    for (letter, payload) in
        shown.iter().zip(payloads).filter(|(letter, _)| letter["reason"] != "invalid_fields")
    {
        assert_eq!(letter["payload_base64"], payload, "{letter}");
        assert_eq!(letter["errors"], json!([]));
    }
    assert_eq!(shown[2]["payload_text"], Value::Null, "not UTF-8");
    assert_eq!((&shown[0]["payload_text"], &shown[3]["payload_text"]), (&json!("[1"), &json!("")));
    assert!(shown[4]["detail"].as_str().unwrap().contains("line 1 column 1"), "{}", shown[4]);
    let broken = &shown[1];
    assert!(broken["payload_text"].as_str().unwrap().contains("mail@secret"));
    assert_eq!((&broken["order_uid"], &broken["bytes"]), (&json!("broken"), &json!(99)));
    let errors: Vec<_> = broken["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| (error["pointer"].clone(), error["code"].clone()))
        .collect();
    assert_eq!(
        errors,
        [(json!("/delivery/phone"), json!("wrong_type")), (json!("/items"), json!("missing"))]
    );
    assert!(shown.iter().all(|letter| letter["truncated"] == false));
    for key in ["resolved_at", "resolved_by", "note", "parent_id"] {
        assert_eq!(broken[key], Value::Null, "{key}");
    }

    // Of a long one the beginning, which ends within a character here.
    let long = bytes(&database, "x", "ы", 1 << 20);
    database.execute(&format!("UPDATE dead_letters SET payload = {long} WHERE reason = 'not_json'")).await;
    let cut = see(&service, &format!("/api/dead-letters/{}", shown[0]["id"])).await.json();
    assert_eq!((&cut["bytes"], &cut["truncated"]), (&json!((2 << 20) + 1), &json!(true)));
    assert_eq!(cut["payload_base64"].as_str().unwrap().len(), (1_usize << 20).div_ceil(3) * 4);
    let text = cut["payload_text"].as_str().unwrap();
    assert!(text.starts_with("xыы") && text.len() == (1 << 20) - 1, "{} bytes", text.len());
    assert_eq!(cut["detail"], Value::Null);

    let unknown = see(&service, "/api/dead-letters/4711").await;
    assert_eq!((unknown.status.as_u16(), unknown.json()["status"].as_u64()), (404, Some(404)));
    for id in ["0", "-1", "x", "1.0", "99999999999999999999", "%31"] {
        let detail = refused(&see(&service, &format!("/api/dead-letters/{id}")).await);
        assert!(detail.contains("a number from 1"), "{id}: {detail}");
    }
    refused(&see(&service, "/api/dead-letters/1?x").await);
}
