//! What `/metrics` says of a running service and its servers.

use std::time::Duration;

use axum::http::Method;
use bytes::Bytes;

use crate::support::{
    database::{Database, WriteLock},
    link::Link,
    orderbox::{Orderbox, on_each_store},
    postgres,
    stan_server::{StanServer, eventually},
    wire::Wire,
};

on_each_store!(
    the_lag_grows_while_the_store_takes_no_writes_and_returns_to_0,
    a_service_without_stan_has_no_metric_of_it,
);

const LAG: &str = "orderbox_source_lag_messages{source=\"stan\"}";

/// So many connections the service keeps for reading from PostgreSQL: it opens them when it needs them first.
const READERS: u64 = 8;

async fn the_lag_grows_while_the_store_takes_no_writes_and_returns_to_0(database: Database) {
    let Some(server) = StanServer::builder().start().await else { return };
    let service = Orderbox::on(&database, &[("STAN_URL", &server.url()), ("STORE_TIMEOUT", "2s")]).await;
    service.ok(&["publish", "--count", "10", "--seed", "1"]);
    eventually("the look after the messages finds none missing", async || {
        service.metric("orderbox_stan_last_sequence").await == Some(10.0)
            && service.metric(LAG).await == Some(0.0)
    })
    .await;

    let lock = WriteLock::on(&database).await;
    service.ok(&["publish", "--count", "25", "--seed", "2"]);
    eventually("the lag is what was published", async || service.metric(LAG).await == Some(25.0)).await;
    lock.release().await;
    eventually("the lag is gone", async || service.metric(LAG).await == Some(0.0)).await;
    service.until_settled().await;

    // The looks have changed nothing: everything is acked, and no subscription is left but the service's own.
    eventually("everything is acked", async || server.backlog("orders").await == 0).await;
    eventually("one subscription", async || server.subscriptions("orders").await.len() == 1).await;
    assert_eq!(service.metric("orderbox_stan_reconnects_total").await, Some(0.0));
    let count = async |name: &str| service.metric(&format!("orderbox_{name}_count")).await;
    assert_eq!(count("ack_headroom_seconds").await, Some(35.0), "each message was acked once");
    assert_eq!(count("receive_to_ack_seconds").await, Some(35.0));
    assert_eq!(count("publish_to_visible_seconds").await, Some(35.0), "the sample is no publication");
    assert_eq!(service.metric("orderbox_unaccounted_messages").await, Some(0.0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_usual_answer_of_a_route_is_counted_as_other() {
    let Some(database) = Database::sqlite() else { return };
    let settings = [("MAX_MESSAGE_BYTES", "1KiB"), ("PUBLISH_TOKEN", "a-token-of-a-test")];
    let service = Orderbox::on(&database, &settings).await;
    service.until_settled().await;
    let all = "GET HEAD POST PUT DELETE OPTIONS".split(' ').map(|method| method.parse::<Method>().unwrap());
    for method in all {
        for path in [
            "/order",
            "/order/",
            "/order/b563feb7b2b84b6test",
            "/order/unknown",
            "/order/a/b",
            "/livez",
            "/healthz",
            "/metrics",
            "/api/status",
            "/api/unknown",
            "/",
            "/assets/app.js",
            "/unknown",
        ] {
            let answer = service.client().try_send(method.clone(), path, Bytes::from(vec![b' '; 2048])).await;
            assert!(answer.is_some(), "{method} {path}");
        }
    }
    let text = service.client().get("/metrics").await.text();
    let counted = |label: &str| {
        let lines = text.lines().filter(|line| {
            line.starts_with("orderbox_http_request_duration_seconds_count") && line.contains(label)
        });
        lines.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum::<f64>()
    };
    assert!(counted("status=") >= 78.0, "{text}");
    assert_eq!(counted("status=\"other\""), 0.0, "{text}");
}

async fn a_service_without_stan_has_no_metric_of_it(database: Database) {
    let service = Orderbox::on(&database, &[]).await;
    service.until_settled().await;
    let text = service.client().get("/metrics").await.text();
    for name in ["orderbox_stan_", "orderbox_source_lag_messages", "orderbox_ack_headroom_seconds"] {
        assert!(!text.contains(name), "{name} in\n{text}");
    }
    assert!(service.metric("orderbox_store_pool_connections{state=\"idle\"}").await > Some(0.0));
    let room = service.metric("orderbox_store_available_bytes").await;
    assert_eq!(room.is_some(), !database.is_postgres());
    assert!(service.metric("process_resident_memory_bytes").await > Some(1e6));
    let cpu = service.metric("process_cpu_seconds_total").await;
    assert!(cpu > Some(0.0) && cpu < Some(Duration::from_secs(600).as_secs_f64()), "{cpu:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_ask_and_leave_before_the_answer_cost_the_database_no_connections() {
    let Some(server) = postgres::shared().await else { return };
    let database = server.database().await;
    let link = Link::to(database.port()).await;
    let mut service = Orderbox::start(&[("DATABASE_URL", &database.url_through(&link))]).await;
    service.until_status("/healthz", 200).await;
    let before = link.accepted();
    for path in ["/metrics", "/api/status"].repeat(100) {
        let mut wire = Wire::to(&service).await;
        wire.send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")).await;
        drop(wire);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(service.client().get("/api/status").await.status, 200);
    let opened = link.accepted() - before;
    assert!(opened <= READERS, "{opened} connections for 200 clients");
}
