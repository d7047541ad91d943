//! What the broker has lost is noticed, and nothing else is: on real servers, with the binary that users run.

use std::time::Duration;

use bytes::Bytes;
use orderbox::store::{Gap, Message, SourceKind, Store};
use serde_json::Value;
use time::OffsetDateTime;

use crate::support::{
    database::{Database, WriteLock},
    link::Link,
    orderbox::{Orderbox, on_each_store},
    process::Process,
    stan_server::{StanServer, eventually},
};

/// Short times: a hole is a gap after six seconds.
const SETTINGS: [(&str, &str); 3] =
    [("STORE_TIMEOUT", "1s"), ("STAN_ACK_WAIT", "2s"), ("SAMPLE_ORDER", "false")];

on_each_store!(
    messages_that_the_limits_of_a_channel_dropped_are_a_gap_whatever_restarts,
    a_late_arrival_closes_a_gap,
    what_comes_after_a_kill_between_a_hole_and_the_message_behind_it_fills_the_hole,
    kills_stops_and_a_full_pipeline_are_no_gaps,
    a_broker_that_is_killed_and_a_link_that_is_cut_are_no_gaps,
    #[ignore = "long: the loss has to be noticed by pings"]
    a_broker_that_forgets_everything_is_no_gap,
);

async fn messages_that_the_limits_of_a_channel_dropped_are_a_gap_whatever_restarts(database: Database) {
    let Some(server) = StanServer::builder().args(["-mm", "5"]).start().await else { return };
    let mut service = service(&database, &server.url(), &[]);
    service.restart().await;
    publish(&service, 1, 2, None).wait_for_success().await;
    until_all_is_acked(&server, &service).await;
    assert!(service.terminate().await.success());
    publish(&service, 2, 21, None).wait_for_success().await;

    service.restart().await;
    until_all_is_acked(&server, &service).await;
    assert_eq!(gaps(&service).await["open"], 0, "they may still come");
    // What showed the gap is acked and never comes again.
    service.kill();
    service.restart().await;
    until_open(&service, 1).await;
    let found = gaps(&service).await;
    let gap = &found["latest"][0];
    assert_eq!(
        (&gap["channel"], &gap["first"], &gap["last"], &gap["messages"]),
        (&"orders".into(), &3.into(), &18.into(), &16.into())
    );
    assert_eq!((&gap["closed_at"], &found["watched"]), (&Value::Null, &Value::Bool(true)));
    assert_eq!(service.metric("orderbox_sequence_gaps_total{source=\"stan\"}").await, Some(1.0));
    assert!(service.log().contains("the broker has lost them"), "{}", service.log());

    service.kill();
    service.restart().await;
    publish(&service, 3, 1, None).wait_for_success().await;
    until_all_is_acked(&server, &service).await;
    assert_eq!(gaps(&service).await["latest"], found["latest"]);
    assert_eq!(service.metric("orderbox_sequence_gaps_total{source=\"stan\"}").await, Some(0.0));
}

async fn a_late_arrival_closes_a_gap(database: Database) {
    let Some(server) = StanServer::builder().start().await else { return };
    let later = OffsetDateTime::now_utc() + Duration::from_secs(3600);
    let later = i64::try_from(later.unix_timestamp_nanos()).unwrap();
    let store = database.store().await;
    record(&*store, 5, later).await;
    let gap = Gap { first: 3, last: 4, before_ns: later, lost: true };
    store.keep_missing(SourceKind::Stan, "orders", &[gap]).await.unwrap();
    drop(store);

    let mut service = service(&database, &server.url(), &[]);
    service.restart().await;
    until_open(&service, 1).await;
    publish(&service, 4, 5, None).wait_for_success().await;
    until_open(&service, 0).await;
    let latest = gaps(&service).await["latest"].clone();
    let closed = latest.as_array().unwrap();
    assert!(closed.iter().all(|gap| gap["closed_at"].is_string()), "{latest}");
    assert_eq!(closed.iter().filter_map(|gap| gap["messages"].as_u64()).sum::<u64>(), 2);
}

async fn what_comes_after_a_kill_between_a_hole_and_the_message_behind_it_fills_the_hole(database: Database) {
    let Some(server) = StanServer::builder().start().await else { return };
    let later = OffsetDateTime::now_utc() + Duration::from_secs(3600);
    let later = i64::try_from(later.unix_timestamp_nanos()).unwrap();
    let store = database.store().await;
    record(&*store, 2, 1).await;
    let hole = Gap { first: 3, last: 18, before_ns: later, lost: false };
    store.keep_missing(SourceKind::Stan, "orders", &[hole]).await.unwrap();
    drop(store);

    let mut service = service(&database, &server.url(), &[]);
    service.restart().await;
    publish(&service, 11, 20, None).wait_for_success().await;
    no_gap_was_seen(&database, &server, &service, 20).await;
}

async fn kills_stops_and_a_full_pipeline_are_no_gaps(database: Database) {
    let Some(server) = StanServer::builder().file_store().start().await else { return };
    let tiny = [("PIPELINE_BYTES", "512KiB"), ("MAX_MESSAGE_BYTES", "16KiB")];
    let mut service = service(&database, &server.url(), &tiny);
    service.restart().await;
    let lock = WriteLock::on(&database).await;
    publish(&service, 5, 600, None).wait_for_success().await;
    // What is not taken comes again every two seconds: so for longer than a hole may last.
    eventually("the same deliveries are dropped again and again", || async {
        service.metric("orderbox_deliveries_dropped_total{source=\"stan\"}").await > Some(1800.0)
    })
    .await;
    lock.release().await;
    for (seed, by_signal) in [(12, false), (13, true), (14, false)] {
        let lock = WriteLock::on(&database).await;
        publish(&service, seed, 200, None).wait_for_success().await;
        eventually("messages are under way", || async { server.pending("orders").await > 0 }).await;
        if by_signal {
            tokio::join!(service.terminate(), lock.release());
        } else {
            service.kill();
            lock.release().await;
        }
        service.restart().await;
    }
    no_gap_was_seen(&database, &server, &service, 1200).await;
}

async fn a_broker_that_is_killed_and_a_link_that_is_cut_are_no_gaps(database: Database) {
    let Some(mut server) = StanServer::builder().file_store().start().await else { return };
    let link = Link::to(server.port()).await;
    let mut service = service(&database, &format!("nats://127.0.0.1:{}", link.port()), &[]);
    service.restart().await;
    for seed in [6, 7, 8] {
        let publisher = publish(&Orderbox::prepare(&[("STAN_URL", &server.url())]), seed, 500, Some(1000));
        let sequence = server.last_sequence("orders").await;
        eventually("some are published", || async { server.last_sequence("orders").await >= sequence + 100 })
            .await;
        link.cut();
        publisher.wait_for_success().await;
        if seed == 8 {
            server.kill();
            server.restart().await;
        }
        link.mend();
    }
    let lock = WriteLock::on(&database).await;
    publish(&Orderbox::prepare(&[("STAN_URL", &server.url())]), 15, 500, None).wait_for_success().await;
    eventually("messages are under way", || async { server.pending("orders").await > 0 }).await;
    server.kill();
    server.restart().await;
    lock.release().await;
    no_gap_was_seen(&database, &server, &service, 2000).await;
}

async fn a_broker_that_forgets_everything_is_no_gap(database: Database) {
    let Some(mut server) = StanServer::builder().start().await else { return };
    let mut service = service(&database, &server.url(), &[]);
    service.restart().await;
    publish(&service, 9, 300, None).wait_for_success().await;
    until_all_is_acked(&server, &service).await;
    server.kill();
    server.restart().await;
    service.until_status("/healthz", 200).await;
    publish(&service, 10, 500, None).wait_for_success().await;
    no_gap_was_seen(&database, &server, &service, 800).await;
}

async fn record(store: &dyn Store, sequence: i64, published_at_ns: i64) {
    let message = Message {
        message_id: format!("stan:test-cluster/orders/{sequence}@{published_at_ns}").into(),
        source: SourceKind::Stan,
        channel: "orders".into(),
        sequence,
        published_at_ns,
        payload: Bytes::from_static(b"none"),
    };
    store.record(&[message]).await.unwrap();
}

fn service(database: &Database, stan: &str, more: &[(&str, &str)]) -> Orderbox {
    let database = database.url();
    let own = [("DATABASE_URL", database.as_str()), ("STAN_URL", stan)];
    Orderbox::prepare(&[&own[..], &SETTINGS[..], more].concat())
}

fn publish(service: &Orderbox, seed: u64, count: u64, rate: Option<u32>) -> Publisher {
    let mut args = vec!["publish".to_owned(), "--count".to_owned(), count.to_string()];
    args.extend(["--items".to_owned(), "1".to_owned(), "--seed".to_owned(), seed.to_string()]);
    args.extend(rate.iter().flat_map(|rate| ["--rate".to_owned(), rate.to_string()]));
    Publisher(service.spawn("publish", &args.iter().map(String::as_str).collect::<Vec<_>>()))
}

struct Publisher(Process);

impl Publisher {
    async fn wait_for_success(mut self) {
        let status = self.0.wait(Duration::from_secs(60)).await;
        assert!(status.success(), "{}", self.0.output());
    }
}

async fn gaps(service: &Orderbox) -> Value {
    service.client().get("/api/status").await.json()["gaps"].clone()
}

async fn until_open(service: &Orderbox, open: i64) {
    eventually(&format!("{open} gaps are open"), || async { gaps(service).await["open"] == open }).await;
}

async fn until_all_is_acked(server: &StanServer, service: &Orderbox) {
    eventually("every message is acked", || async { server.backlog("orders").await == 0 }).await;
    service.until_settled().await;
}

/// Once all is acked there is no hole left that could become a gap: each is written down before what shows it, and wiped out
/// before what fills it is acked.
async fn no_gap_was_seen(database: &Database, server: &StanServer, service: &Orderbox, messages: i64) {
    until_all_is_acked(server, service).await;
    assert_eq!(database.number("SELECT count(*) FROM gaps").await, 0);
    let received = "SELECT CAST(sum(messages) AS bigint) FROM ledger WHERE outcome = 'received'";
    assert!(database.number(received).await >= messages);
    assert_eq!(gaps(service).await["latest"], Value::Array(Vec::new()));
}
