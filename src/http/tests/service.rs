use serde_json::Value;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{DOCUMENT, Doubles, UID, start};

#[tokio::test]
async fn what_is_no_route_is_404_and_a_wrong_method_405_with_those_allowed() {
    let server = start().await;
    for path in ["/orders", "/order/a/b", "/api/nothing", "//order"] {
        server.get(path).await.problem(404);
    }
    for (line, allowed) in [
        ("DELETE /order", ["GET", "HEAD", "POST"].as_slice()),
        ("POST /order/x", &["GET", "HEAD"]),
        ("POST /metrics", &["GET", "HEAD"]),
    ] {
        let reply = server.send(line, "", "").await;
        reply.problem(405);
        let mut allow: Vec<_> = reply.header("allow").expect("an Allow header").split(',').collect();
        allow.sort_unstable();
        assert_eq!(allow, allowed, "{line}");
    }
}

#[tokio::test]
async fn a_bug_is_500_and_the_next_request_is_answered() {
    let server = start().await;
    *server.doubles.intake.bug.lock().expect("not poisoned") = true;
    server.post("x").await.problem(500);
    assert_eq!(server.get("/livez").await.status, 200);
}

#[tokio::test]
async fn it_is_ready_while_reads_can_be_answered() {
    let server = start().await;
    let Doubles { store, store_health, cache, board, stopping, .. } = &server.doubles;
    assert_eq!(server.get("/livez").await.status, 200);
    assert_eq!(server.get("/readyz").await.status, 503, "neither store nor cache yet");
    store_health.up();
    assert_eq!(server.get("/readyz").await.status, 200, "from the store");
    store_health.down("gone");
    assert_eq!(server.get("/readyz").await.status, 503);
    cache.rebuild(&**store, &board.register("cache", None), &CancellationToken::new()).await;
    assert_eq!(server.get("/readyz").await.status, 200, "from a warm cache");
    stopping.cancel();
    assert_eq!(server.get("/readyz").await.status, 503);
    server.post("x").await.problem(503);
    assert_eq!(server.get("/livez").await.status, 200);
}

#[tokio::test]
async fn health_names_every_part_and_fails_when_one_does() {
    let server = start().await;
    let store = &server.doubles.store_health;
    let worker = server.doubles.board.register("worker", None);
    store.up();
    let reply = server.get("/healthz").await;
    assert_eq!((reply.status, &reply.json()["status"]), (503, &Value::from("failing")), "the worker starts");
    worker.up();
    worker.set_details(vec!["inbox row 7 fails alone".to_owned()]);
    let reply = server.get("/healthz").await;
    let json = reply.json();
    assert_eq!((reply.status, &json["status"]), (200, &Value::from("ok")));
    assert_eq!(json["parts"]["worker"]["details"][0], "inbox row 7 fails alone");
    store.down("connection refused");
    let reply = server.get("/healthz").await;
    let part = &reply.json()["parts"]["store"];
    assert_eq!((reply.status, &part["state"]), (503, &Value::from("down")));
    assert_eq!(part["reason"], "connection refused");
    let since = part["since"].as_str().expect("since");
    time::OffsetDateTime::parse(since, &time::format_description::well_known::Rfc3339).expect("RFC 3339");
}

#[tokio::test]
async fn status_has_the_numbers_and_none_of_a_store_that_does_not_answer() {
    let server = start().await;
    server.doubles.cache.put(UID, DOCUMENT.as_bytes(), Instant::now());
    server.get(&format!("/order/{UID}")).await;
    server.get("/order/unknown").await;
    let json = server.get("/api/status").await.json();
    assert_eq!(json["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(json["inbox"], serde_json::json!({"pending": 1, "oldest_pending_seconds": 1.5}));
    assert_eq!(json["dead_letters"], serde_json::json!({"open": 0, "replayed": 0, "discarded": 0}));
    let line = &json["ledger"][0];
    assert_eq!(
        (&line["source"], &line["received"], &line["applied"]),
        (&"http".into(), &3.into(), &2.into())
    );
    assert_eq!(line["expired"], serde_json::json!({"orders": 0, "dead_letters": 0, "history": 0}));
    assert_eq!(json["cache"]["entries"], 1);
    assert_eq!(
        json["cache"]["requests"],
        serde_json::json!({"hit": 1, "loaded": 0, "absent": 1, "error": 0})
    );
    assert_eq!(json["parts"]["store"], "starting");

    let server = start().await;
    server.doubles.store.fail(Some("gone"));
    let json = server.get("/api/status").await.json();
    for part in ["inbox", "dead_letters", "ledger"] {
        assert_eq!(json[part], Value::Null, "{part}");
    }
}

#[tokio::test]
async fn scrapes_ask_the_store_at_most_once_a_second() {
    let server = start().await;
    for _ in 0..5 {
        let reply = server.get("/metrics").await;
        assert_eq!(reply.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
        for series in [
            "orderbox_inbox_pending 1",
            "orderbox_dead_letters{resolution=\"open\"} 0",
            "orderbox_messages_received_total{source=\"stan\"} 0",
            "orderbox_cache_requests_total{result=\"hit\"}",
        ] {
            assert!(reply.body.contains(series), "{series} is not in\n{}", reply.body);
        }
        server.get("/api/status").await;
    }
    assert_eq!(server.doubles.store.calls(), 1);
}
