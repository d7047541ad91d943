//! What an administrator does about dead letters, with the service that settles what comes of it.

use axum::http::Method;
use serde_json::{Value, json};

use super::{ADMIN, PUBLISH, order, publish, see, start};
use crate::support::{
    client::Answer,
    database::Database,
    orderbox::{Orderbox, on_each_store},
    stan_server::eventually,
};

on_each_store!(
    an_edited_dead_letter_becomes_an_order_and_its_lineage_shows_both,
    a_replay_as_it_is_fails_again_and_the_new_dead_letter_names_the_old_one,
    what_is_no_longer_open_or_not_there_is_refused_with_the_reason,
    a_change_that_outlasts_its_request_is_made_and_logged,
    a_bulk_replays_each_of_its_set_once_and_says_whether_there_is_more,
    a_list_is_narrowed_by_code_uid_and_time_and_shows_few_errors,
);

fn text_of(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

async fn act(service: &Orderbox, method: Method, path: &str, body: impl Into<bytes::Bytes>) -> Answer {
    service.client().send_as(Some(ADMIN), &method, path, body).await
}

/// The open dead letters, newest first.
async fn open(service: &Orderbox) -> Vec<Value> {
    see(service, "/api/dead-letters?resolution=open").await.json()["dead_letters"].as_array().unwrap().clone()
}

async fn lineage(service: &Orderbox, id: &Value) -> Value {
    see(service, &format!("/api/dead-letters/{id}")).await.json()["lineage"].clone()
}

/// Waits until a replay is settled, and tells what it became.
async fn settled(service: &Orderbox, id: &Value) -> Value {
    eventually("the replay is settled", async || lineage(service, id).await["replay"]["state"] != "pending")
        .await;
    lineage(service, id).await["replay"].clone()
}

async fn assert_balances(service: &Orderbox) {
    assert_eq!(see(service, "/api/status").await.json()["unaccounted"], 0);
}

async fn an_edited_dead_letter_becomes_an_order_and_its_lineage_shows_both(database: Database) {
    let service = start(&database).await;
    publish(&service, &[b"{broken"]).await;
    let id = open(&service).await[0]["id"].clone();
    let mended = order("mended", 1);
    let answer = act(&service, Method::POST, &format!("/api/dead-letters/{id}/replay"), mended.clone()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let message_id = format!("replay:{id}.1");
    assert_eq!(answer.json(), json!({"id": id, "message_id": message_id, "resolution": "replayed"}));
    let replay = json!({
        "message_id": message_id, "edited": true, "state": "order", "order_uid": "mended", "dead_letter_id": null
    });
    assert_eq!(settled(&service, &id).await, replay);
    assert_eq!(service.order("mended").await.unwrap(), mended);
    let letter = see(&service, &format!("/api/dead-letters/{id}")).await.json();
    assert_eq!((&letter["payload_text"], &letter["resolution"]), (&json!("{broken"), &json!("replayed")));
    assert!(letter["resolved_by"].as_str().unwrap().starts_with("token:"), "{letter}");
    let log = service.log();
    assert!(log.contains("edited and replayed") && !log.contains(ADMIN), "{log}");
    assert!(
        service
            .client()
            .get("/metrics")
            .await
            .text()
            .contains("orderbox_replays_total{result=\"applied\"} 1")
    );
    assert_balances(&service).await;
}

async fn a_replay_as_it_is_fails_again_and_the_new_dead_letter_names_the_old_one(database: Database) {
    let service = start(&database).await;
    publish(&service, &[b"{broken"]).await;
    let id = open(&service).await[0]["id"].clone();
    act(&service, Method::POST, &format!("/api/dead-letters/{id}/replay"), "").await;
    let replay = settled(&service, &id).await;
    assert_eq!((&replay["state"], &replay["edited"]), (&json!("dead_letter"), &json!(false)));
    let again = lineage(&service, &replay["dead_letter_id"]).await;
    assert_eq!((&again["parent"]["id"], &again["parent"]["resolution"]), (&id, &json!("replayed")));
    assert_eq!(again["replay"], json!(null));
    assert_balances(&service).await;
}

async fn what_is_no_longer_open_or_not_there_is_refused_with_the_reason(database: Database) {
    let service = start(&database).await;
    publish(&service, &[b"{broken"]).await;
    let id = open(&service).await[0]["id"].clone();
    let path = format!("/api/dead-letters/{id}");
    for (body, status, part) in [
        (json!({"note": "x".repeat(2001)}), 400, "2000 characters"),
        (json!({"note": "\0"}), 400, "control characters"),
        (json!({"notes": "x"}), 400, "unknown field"),
        (json!({"note": "a double of 1"}), 200, "discarded"),
        (json!({"note": "again"}), 409, "discarded already, by token:"),
    ] {
        let answer = act(&service, Method::DELETE, &path, body.to_string()).await;
        assert_eq!(answer.status, status, "{}", answer.text());
        assert!(answer.text().contains(part), "{}", answer.text());
    }
    let letter = see(&service, &path).await.json();
    assert_eq!((&letter["note"], &letter["resolution"]), (&json!("a double of 1"), &json!("discarded")));
    assert!(letter["resolved_at"].as_str().unwrap().ends_with('Z'), "{letter}");
    for (path, body, status) in [
        (format!("{path}/replay"), String::new(), 409),
        ("/api/dead-letters/999/replay".to_owned(), String::new(), 404),
        (format!("{path}/replay"), " ".repeat(1 << 20), 413),
        ("/api/dead-letters/none/replay".to_owned(), String::new(), 400),
        (format!("{path}/replay?edit=1"), String::new(), 400),
        ("/api/dead-letters/replay".to_owned(), "{}".to_owned(), 400),
        ("/api/dead-letters/replay".to_owned(), r#"{"filter":{"reason":"odd"},"up_to":1}"#.to_owned(), 400),
        ("/api/dead-letters/discard".to_owned(), r#"{"filter":{},"up_to":0}"#.to_owned(), 400),
    ] {
        let answer = act(&service, Method::POST, &path, body).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
        assert_eq!(answer.headers["content-type"], "application/problem+json");
    }
    assert_eq!(act(&service, Method::DELETE, "/api/dead-letters/999", "").await.status, 404);
}

async fn a_change_that_outlasts_its_request_is_made_and_logged(database: Database) {
    // The store waits for longer than a request does.
    let settings = [("ADMIN_TOKEN", ADMIN), ("PUBLISH_TOKEN", PUBLISH), ("STORE_TIMEOUT", "60s")];
    let service = Orderbox::on(&database, &settings).await;
    publish(&service, &[b"{broken"]).await;
    let id = open(&service).await[0]["id"].clone();
    let held = database.hold_dead_letters().await;
    let answer = act(&service, Method::DELETE, &format!("/api/dead-letters/{id}"), "").await;
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert!(!service.log().contains("dead letters were"), "{}", service.log());
    drop(held);
    eventually("the change is logged", async || service.log().contains("dead letters were discarded")).await;
    assert_eq!(open(&service).await, [json!(null); 0]);
    let line = service.log().lines().find(|line| line.contains("were discarded")).unwrap().to_owned();
    for part in ["by=\"token:", "dead_letters=1", &format!("first={id} last={id}")] {
        assert!(line.contains(part), "{line}");
    }
}

async fn a_bulk_replays_each_of_its_set_once_and_says_whether_there_is_more(database: Database) {
    let service = start(&database).await;
    publish(&service, &[b"{1", b"{2", b"{3"]).await;
    // As after a change of the rules: refused then, an order now.
    let sound = text_of(order("sound-now", 1)).replace('\'', "''");
    let text = if database.is_postgres() {
        format!("convert_to('{sound}', 'UTF8')")
    } else {
        format!("CAST('{sound}' AS BLOB)")
    };
    database
        .execute(&format!(
            "UPDATE dead_letters SET payload = {text} WHERE id = (SELECT max(id) FROM dead_letters)"
        ))
        .await;
    let selected = see(&service, "/api/dead-letters/selection?reason=not_json").await.json();
    assert_eq!(
        (&selected["matching"], &selected["checked"], &selected["would_pass"]),
        (&json!(3), &json!(3), &json!(1))
    );
    let bulk = json!({"filter": {"reason": "not_json"}, "up_to": selected["up_to"], "only_passing": true});
    let (one, two) = tokio::join!(
        act(&service, Method::POST, "/api/dead-letters/replay", bulk.to_string()),
        act(&service, Method::POST, "/api/dead-letters/replay", bulk.to_string())
    );
    let steps = [one.json(), two.json()];
    let replayed: i64 = steps.iter().map(|step| step["replayed"].as_i64().unwrap()).sum();
    assert_eq!(replayed, 1, "{steps:?}");
    assert!(steps.iter().all(|step| step["more"] == false), "{steps:?}");
    eventually("the order can be read", async || service.order("sound-now").await.is_ok()).await;
    let discard = json!({"filter": {}, "up_to": selected["up_to"], "note": "of no use"});
    let step = act(&service, Method::POST, "/api/dead-letters/discard", discard.to_string()).await.json();
    assert_eq!(step["discarded"], 2, "{step}");
    assert_eq!(open(&service).await, [json!(null); 0]);
    assert_balances(&service).await;
}

async fn a_list_is_narrowed_by_code_uid_and_time_and_shows_few_errors(database: Database) {
    let service = start(&database).await;
    let many = text_of(order("many", 1))
        .replace("\"items\":[", &format!("\"items\":[{}", "{\"price\":\"x\"},".repeat(30)));
    publish(&service, &[b"{broken", many.as_bytes()]).await;
    let all = see(&service, "/api/dead-letters").await.json();
    let letter = &all["dead_letters"][0];
    assert_eq!(
        (letter["errors"].as_array().unwrap().len(), letter["errors_total"].as_u64() > Some(29)),
        (20, true)
    );
    let whole = see(&service, &format!("/api/dead-letters/{}", letter["id"])).await.json();
    assert_eq!(whole["errors"].as_array().unwrap().len() as u64, letter["errors_total"].as_u64().unwrap());
    let code = letter["errors"][0]["code"].as_str().unwrap();
    for (query, found) in [
        (format!("code={code}"), 1),
        ("code=none".to_owned(), 0),
        ("order_uid=many".to_owned(), 1),
        ("order_uid=many&reason=not_json".to_owned(), 0),
        ("since=2020-01-01T00:00:00Z&until=2200-01-01T00:00:00Z".to_owned(), 2),
        ("until=2020-01-01T00:00:00%2B03:00".to_owned(), 0),
    ] {
        let list = see(&service, &format!("/api/dead-letters?{query}")).await.json();
        assert_eq!(list["dead_letters"].as_array().unwrap().len(), found, "{query}: {list}");
    }
    let answer = act(&service, Method::GET, "/api/dead-letters?since=today", "").await;
    assert_eq!(answer.status, 400, "{}", answer.text());
}
