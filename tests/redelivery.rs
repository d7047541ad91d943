//! What a real streaming server sends again is applied once, with the binary that users run.

use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use bytes::Bytes;
use orderbox::{
    sample,
    stan::{Connection, Message, Options, SubscribeOptions},
};

use crate::support::{
    database::{Database, WriteLock},
    expected::Expected,
    load::outcomes,
    orderbox::{Orderbox, on_each_store},
    stan_server::{StanServer, eventually},
};

const MESSAGES: usize = 1000;
/// How many acks come after the last message.
const HELD: usize = 10;

on_each_store!(
    acked_messages_that_a_killed_server_sends_again_are_applied_once_marked_or_not,
    copies_of_a_message_that_waits_for_the_store_are_dropped_and_it_is_processed_once,
);

async fn acked_messages_that_a_killed_server_sends_again_are_applied_once_marked_or_not(database: Database) {
    let Some(mut server) = StanServer::builder().external_nats().file_store().start().await else { return };
    let (database_url, url) = (database.url(), server.url());
    let mut service = Orderbox::prepare(&[
        ("DATABASE_URL", &database_url),
        ("STAN_URL", &url),
        ("STORE_TIMEOUT", "2s"),
        ("STAN_ACK_WAIT", "3s"),
        ("SAMPLE_ORDER", "false"),
    ]);
    let expected = Expected::of(
        51,
        MESSAGES,
        0.0,
        sample::Options { items: Some(1), oversized: true, ..Default::default() },
    );
    service.restart().await;
    // A client as the service is one sees which messages come again, and how they are marked.
    let options = Options::new([url.as_str()], StanServer::CLUSTER, "witness").unwrap();
    let witness = Connection::connect(&options).await.unwrap();
    let durable = SubscribeOptions {
        durable: Some("witness".into()),
        ack_wait: Duration::from_secs(10),
        ..SubscribeOptions::new("orders")
    };
    let mut deliveries = witness.subscribe(&durable).await.unwrap();
    service.ok(&["publish", "--count", &MESSAGES.to_string(), "--items", "1", "--seed", "51"]);
    // What was acked the server writes to its file when it stores a message or its buffer is full (its FileSubStore), so the
    // last of a few acks that come when nothing else does is forgotten when it is killed.
    let mut stored = BTreeMap::new();
    let mut held = Vec::new();
    while stored.len() < MESSAGES {
        let message = deliveries.next().await.expect("the connection of the witness lasts");
        stored.insert(identity(&message), message.data.clone());
        if stored.len() > MESSAGES - HELD { held.push(message.acker) } else { message.acker.ack() }
    }
    eventually("all else is acked", || async { server.backlog("orders").await == HELD as u64 }).await;
    held.into_iter().for_each(|acker| acker.ack());
    eventually("every message is acked", || async { server.backlog("orders").await == 0 }).await;
    server.kill();
    server.restart().await;
    let (marked, unmarked) = (Cell::new(0), Cell::new(0));
    let acking = async {
        while let Some(message) = deliveries.next().await {
            assert_eq!(stored.get(&identity(&message)), Some(&message.data), "it is none of what was acked");
            let copies = if message.redelivered { &marked } else { &unmarked };
            copies.set(copies.get() + 1);
            message.acker.ack();
        }
    };
    let acked = async {
        eventually("what was acked comes again", || async { marked.get() + unmarked.get() > 0 }).await;
        eventually("it is acked again", || async { server.backlog("orders").await == 0 }).await;
    };
    tokio::select! {
        () = acking => panic!("the connection of the witness did not last"),
        () = acked => {}
    }
    eprintln!("of the acked messages came again: {} marked, {} not", marked.get(), unmarked.get());
    service.until_settled().await;
    let payloads: BTreeSet<&Bytes> = stored.values().collect();
    assert_eq!(expected.sound.values().collect::<BTreeSet<_>>(), payloads);
    assert_eq!(service.metric("orderbox_stan_reconnects_total").await, Some(0.0));
    assert_eq!(outcomes(&database, "applied").await, MESSAGES as i64);
    assert_eq!(database.number("SELECT count(*) FROM orders").await, MESSAGES as i64);
    assert_eq!(database.number("SELECT count(*) FROM order_history").await, 0);
    expected.are_served_by(&service).await;
    service.ok(&["audit"]);
}

async fn copies_of_a_message_that_waits_for_the_store_are_dropped_and_it_is_processed_once(
    database: Database,
) {
    let Some(server) = StanServer::builder().start().await else { return };
    let settings = [
        ("STAN_URL", &*server.url()),
        ("STAN_MAX_IN_FLIGHT", "1"),
        ("STORE_TIMEOUT", "1s"),
        ("STAN_ACK_WAIT", "2s"),
        ("SAMPLE_ORDER", "false"),
    ];
    let service = Orderbox::on(&database, &settings).await;
    let lock = WriteLock::on(&database).await;
    service.ok(&["publish", "--count", "3", "--seed", "52"]);
    eventually("copies come", || async {
        service.metric("orderbox_messages_redelivered_total{source=\"stan\"}").await >= Some(3.0)
    })
    .await;
    assert_eq!(service.metric("orderbox_inbox_in_flight").await, Some(1.0), "a copy was taken for a message");
    assert_eq!(outcomes(&database, "received").await, 0);
    lock.release().await;
    eventually("every message is acked", || async { server.backlog("orders").await == 0 }).await;
    service.until_settled().await;
    assert_eq!(outcomes(&database, "applied").await, 3);
    // One may have been sent in the moment in which its message was acked; it changes nothing.
    assert!(outcomes(&database, "unchanged").await <= 1, "copies were processed");
    assert_eq!(database.number("SELECT count(*) FROM orders").await, 3);
    service.ok(&["audit"]);
}

/// What tells a message of the channel from every other.
fn identity(message: &Message) -> (u64, i64) {
    (message.sequence, message.timestamp_ns)
}
