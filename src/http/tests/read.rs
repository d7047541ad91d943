use std::{sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::{Request, State},
    http::StatusCode,
    response::IntoResponse,
};
use tokio::time::Instant;

use super::{DOCUMENT, Doubles, LIMITS, UID, start};
use crate::http::{lookups, orders};

#[tokio::test]
async fn an_order_is_served_as_it_was_published_from_the_store_and_then_from_the_cache() {
    let server = start().await;
    server.doubles.store.commit(UID, DOCUMENT);
    for path in [
        format!("/order?order_uid={UID}"),
        format!("/order/{UID}"),
        "/order/%62563feb7b2b84b6test".to_owned(),
    ] {
        let reply = server.get(&path).await;
        assert_eq!((reply.status, reply.body.as_str()), (200, DOCUMENT), "{path}");
        assert_eq!(reply.header("content-type"), Some("application/json"));
        assert_eq!(reply.header("content-length"), Some(DOCUMENT.len().to_string().as_str()));
        assert_eq!(reply.header("cache-control"), Some("private, no-cache"));
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
        assert!(reply.header("etag").is_some_and(|etag| etag.len() == 34 && etag.starts_with('"')));
        assert_eq!(server.doubles.store.calls(), 1, "only the first came from the store");
    }
}

#[tokio::test]
async fn a_head_request_gets_the_head_of_the_answer() {
    let server = start().await;
    server.doubles.store.commit(UID, DOCUMENT);
    for _ in ["from the store", "from the cache"] {
        let head = server.send(&format!("HEAD /order/{UID}"), "", "").await;
        assert_eq!((head.status, head.body.as_str()), (200, ""));
        assert_eq!(head.header("content-length"), Some(DOCUMENT.len().to_string().as_str()));
        assert_eq!(head.header("content-type"), Some("application/json"));
    }
}

#[tokio::test]
async fn a_client_that_has_the_document_is_told_so() {
    let server = start().await;
    server.doubles.store.commit(UID, DOCUMENT);
    let first = server.get(&format!("/order/{UID}")).await;
    let etag = first.header("etag").expect("an ETag");
    for line in [format!("GET /order/{UID}"), format!("HEAD /order?order_uid={UID}")] {
        let reply = server.send(&line, &format!("If-None-Match: \"x\", W/{etag}\r\n"), "").await;
        assert_eq!((reply.status, reply.body.as_str()), (304, ""));
        assert_eq!(reply.header("etag"), Some(etag));
        assert_eq!(reply.header("cache-control"), Some("private, no-cache"));
        assert_eq!(reply.header("content-type"), None);
        let other = server.send(&line, "If-None-Match: \"x\"\r\n", "").await;
        assert_eq!(other.status, 200);
    }
}

#[tokio::test]
async fn a_uid_that_no_order_can_have_is_400_and_an_unknown_one_404() {
    let server = start().await;
    for path in ["/order", "/order?order_uid=", "/order/", "/order/%20", "/order?order_uid=a&order_uid=b"] {
        server.get(path).await.problem(400);
    }
    assert!(server.get("/order/unknown").await.problem(404).contains("no order"));
    server.doubles.store.commit("unknown", DOCUMENT);
    assert_eq!(server.get("/order/unknown").await.status, 200, "a 404 is not cached");
}

#[tokio::test]
async fn while_the_store_is_down_what_is_cached_is_served_and_the_rest_is_503() {
    let server = start().await;
    server.doubles.cache.put(UID, DOCUMENT.as_bytes(), Instant::now());
    server.doubles.store.fail(Some("password of user orderbox refused"));
    assert_eq!(server.get(&format!("/order/{UID}")).await.status, 200);
    let reply = server.get("/order/other").await;
    let detail = reply.problem(503);
    assert!(!detail.contains("password"), "the store's words are not for clients: {detail}");
    assert_eq!(reply.header("retry-after"), Some("5"));
}

#[tokio::test(start_paused = true)]
async fn a_reader_does_not_wait_for_ever_for_a_store_that_hangs() {
    let doubles = Doubles::new();
    doubles.store.pause();
    let began = Instant::now();
    let request = Request::get(format!("/order/{UID}")).body(Body::empty()).expect("a request");
    let problem = orders::get(State(doubles.shared()), request).await.expect_err("the store hangs");
    assert_eq!(problem.into_response().status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(began.elapsed() < Duration::from_secs(6));
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_unknown_uids_asks_the_store_with_a_few_at_once_and_the_rest_is_told_to_come_back() {
    let doubles = Doubles::new();
    doubles.store.pause();
    let shared = doubles.shared();
    let ask = async |n: usize| {
        let request = Request::get(format!("/order/unknown-{n}")).body(Body::empty()).expect("a request");
        let began = Instant::now();
        let problem = orders::get(State(Arc::clone(&shared)), request).await.expect_err("it is not there");
        (problem.into_response(), began.elapsed())
    };
    let answers = futures_util::future::join_all((0..LIMITS.max_connections).map(ask)).await;
    assert_eq!(doubles.store.calls(), LIMITS.max_lookups);
    let waited = |time: Duration| answers.iter().filter(|(_, after)| *after == time).count();
    let (turned_away, queued) = (waited(Duration::ZERO), waited(lookups::TURN));
    assert_eq!(queued, LIMITS.max_connections / 2);
    assert_eq!(turned_away, LIMITS.max_connections / 2 - LIMITS.max_lookups);
    assert!(answers.iter().all(|(answer, _)| answer.status() == StatusCode::SERVICE_UNAVAILABLE));
    assert!(answers.iter().all(|(answer, _)| answer.headers().contains_key("retry-after")));
}

#[tokio::test(start_paused = true)]
async fn who_gets_no_turn_is_told_whether_that_is_the_store_s_doing() {
    let doubles = Doubles::new();
    doubles.store.pause();
    let shared = doubles.shared();
    let ask = async |uid: String| {
        let request = Request::get(format!("/order/{uid}")).body(Body::empty()).expect("a request");
        orders::get(State(Arc::clone(&shared)), request).await.expect_err("it is not there")
    };
    let hanging = futures_util::future::join_all((0..LIMITS.max_lookups).map(|n| ask(format!("hangs-{n}"))));
    let told = async {
        let health = &doubles.store_health;
        health.up();
        let busy = format!("{:?}", ask("one".to_owned()).await);
        health.down("gone");
        (busy, format!("{:?}", ask("another".to_owned()).await))
    };
    let (_, (busy, down)) = tokio::join!(hanging, told);
    assert!(busy.contains("HTTP_MAX_LOOKUPS") && busy.contains("/healthz"), "{busy}");
    assert!(down.contains("the database does not answer"), "{down}");
}

#[tokio::test(start_paused = true)]
async fn readers_of_one_uid_share_a_look_up() {
    let doubles = Doubles::new();
    doubles.store.commit(UID, DOCUMENT);
    let shared = doubles.shared();
    let ask = async |_| {
        let request = Request::get(format!("/order/{UID}")).body(Body::empty()).expect("a request");
        orders::get(State(Arc::clone(&shared)), request).await.expect("it is there").status()
    };
    let answers = futures_util::future::join_all((0..100).map(ask)).await;
    assert!(answers.iter().all(|status| *status == 200));
    assert_eq!(doubles.store.calls(), 1);
}
