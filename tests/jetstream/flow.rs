//! Messages of a stream become orders and dead letters, whatever comes in between.

use std::time::Duration;

use orderbox::sample::Options;

use super::reading;
use crate::support::{
    database::{Database, WriteLock},
    expected::Expected,
    load::{Load, all_is_settled, outcomes, published, settled},
    nats_server::{NatsServer, until_all_is_acked},
    orderbox::{Orderbox, on_each_store},
    stan_server::eventually,
};

on_each_store!(
    messages_of_a_stream_become_orders_and_dead_letters_and_are_acked,
    copies_that_come_after_the_ack_wait_are_recognised_and_the_message_is_processed_once,
    a_kill_under_load_loses_nothing_of_the_stream,
);

async fn messages_of_a_stream_become_orders_and_dead_letters_and_are_acked(database: Database) {
    let Some(server) = NatsServer::start().await else { return };
    server.make_stream().await;
    let service = reading(&database, &server, &[]).await;
    let load = Load::of(71, 2_000);
    load.publish(&service);
    assert_eq!(server.messages().await, 2_000);
    until_all_is_acked(&server).await;
    all_is_settled(&database, &service, &load.expected()).await;
    assert_eq!(outcomes(&database, "received").await, 2_000);
    let metric = async |name: &str| service.metric(name).await;
    assert_eq!(metric("orderbox_messages_received_total{source=\"jetstream\"}").await, Some(2_000.0));
    assert_eq!(metric("orderbox_jetstream_connected").await, Some(1.0));
    eventually("the lag is known", || async {
        metric("orderbox_source_lag_messages{source=\"jetstream\"}").await == Some(0.0)
    })
    .await;
    let id = database.rows("SELECT message_id FROM orders ORDER BY sequence LIMIT 1").await;
    let id = id[0][0].as_deref().unwrap();
    assert!(id.starts_with("jetstream:ORDERS/") && id.contains('@'), "{id}");
}

async fn copies_that_come_after_the_ack_wait_are_recognised_and_the_message_is_processed_once(
    database: Database,
) {
    let Some(server) = NatsServer::start().await else { return };
    server.make_stream().await;
    let wait = Duration::from_secs(2);
    server.make_consumer(super::consumer::fitting(|config| config.ack_wait = wait)).await;
    let service = reading(&database, &server, &[("STORE_TIMEOUT", "1s")]).await;
    let lock = WriteLock::on(&database).await;
    service.ok(&["publish", "--count", "3", "--seed", "72"]);
    eventually("copies come", || async {
        service.metric("orderbox_messages_redelivered_total{source=\"jetstream\"}").await >= Some(3.0)
    })
    .await;
    assert_eq!(service.metric("orderbox_inbox_in_flight").await, Some(3.0), "a copy was taken for a message");
    lock.release().await;
    until_all_is_acked(&server).await;
    service.until_settled().await;
    assert_eq!(outcomes(&database, "applied").await, 3);
    service.ok(&["audit"]);
}

async fn a_kill_under_load_loses_nothing_of_the_stream(database: Database) {
    let Some(server) = NatsServer::start().await else { return };
    server.make_stream().await;
    let wait = Duration::from_secs(3);
    server.make_consumer(super::consumer::fitting(|config| config.ack_wait = wait)).await;
    let mut service = reading(&database, &server, &[("STORE_TIMEOUT", "2s")]).await;
    let load = Load { rate: Some(1_500), ..Load::of(73, 6_000) };
    let mut publisher = load.start(&service);
    for share in 1..=3 {
        eventually("messages are settled", || async { settled(&database).await > share * 1_000 }).await;
        service.kill();
        service.restart().await;
    }
    published(&mut publisher).await;
    until_all_is_acked(&server).await;
    all_is_settled(&database, &service, &load.expected()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_fit_the_pipeline_is_asked_for_when_there_is_room() {
    let Some(server) = NatsServer::start().await else { return };
    let Some(database) = Database::sqlite() else { return };
    server.make_stream().await;
    let url = server.url();
    // A quarter of what is free is 4 KiB at most, so that larger messages come one by one.
    let limits =
        [("MAX_MESSAGE_BYTES", "16KiB"), ("PIPELINE_BYTES", "16KiB"), ("JETSTREAM_URL", url.as_str())];
    let service = Orderbox::on(&database, &[&[("SAMPLE_ORDER", "false")], &limits[..]].concat()).await;
    // The pipeline is full for as long as nothing can be recorded.
    let lock = WriteLock::on(&database).await;
    service.ok(&["publish", "--count", "150", "--seed", "74", "--items", "20"]);
    service.ok(&["publish", "--count", "150", "--seed", "75", "--items", "1"]);
    server.until_nothing_is_asked_for().await;
    lock.release().await;
    until_all_is_acked(&server).await;
    let mut expected =
        Expected::of(74, 150, 0.0, Options { items: Some(20), oversized: true, ..Options::default() });
    expected.add(Expected::of(
        75,
        150,
        0.0,
        Options { items: Some(1), oversized: true, ..Options::default() },
    ));
    all_is_settled(&database, &service, &expected).await;
    let largest = expected.sound.values().map(|document| document.len()).max();
    assert!(largest > Some(4 << 10), "no message was larger than a share of the room");
    assert_eq!(outcomes(&database, "received").await, 300, "messages were delivered twice");
    let dropped = service.metric("orderbox_deliveries_dropped_total{source=\"jetstream\"}").await;
    assert_eq!(dropped, Some(0.0), "messages were carried here in vain");
}
