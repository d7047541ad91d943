//! What a real streaming server sends again is applied once, with the binary that users run.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use bytes::Bytes;
use orderbox::{
    sample,
    stan::{Connection, Options, SubscribeOptions, Subscription},
};

use crate::support::{
    database::{Database, WriteLock},
    expected::Expected,
    orderbox::{Orderbox, on_each_store},
    stan_server::{StanServer, eventually},
};

on_each_store!(
    #[ignore = "long: the publisher waits half a minute for acks that the kill took"]
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
    let mut expected = Expected::of(
        51,
        3000,
        0.0,
        sample::Options { items: Some(1), oversized: true, ..Default::default() },
    );
    service.restart().await;
    // A client as the service is one sees which messages come again, and how they are marked.
    let options = Options::new([url.as_str()], StanServer::CLUSTER, "witness").unwrap();
    let witness = Connection::connect(&options).await.unwrap();
    let durable = SubscribeOptions {
        durable: Some("witness".into()),
        ack_wait: Duration::from_secs(3),
        ..SubscribeOptions::new("orders")
    };
    let mut deliveries = witness.subscribe(&durable).await.unwrap();
    let mut seen = BTreeMap::new();
    // What the server has sent and what was acked it writes to its file now and then; the rest it forgets when it is killed.
    let args = ["publish", "--count", "3000", "--items", "1", "--seed", "51", "--rate", "2000"];
    let mut publisher = service.spawn("publish", &args);
    let settled = || async { outcomes(&database, "applied").await >= 1500 };
    ack_until(&mut deliveries, &mut seen, eventually("half of it is settled", settled)).await;
    server.kill();
    server.restart().await;
    let published = async {
        // It says no to some: what was on its way during the kill has an unknown outcome, and is stored or not.
        publisher.wait(Duration::from_secs(90)).await;
        eventually("every message is acked", || async { server.backlog("orders").await == 0 }).await;
    };
    let (marked, unmarked) = ack_until(&mut deliveries, &mut seen, published).await;
    service.until_settled().await;
    eprintln!(
        "{} messages; of those acked before the kill came again: {marked} marked, {unmarked} not",
        seen.len()
    );
    let stored: BTreeSet<&Bytes> = seen.values().collect();
    expected.sound.retain(|_, payload| stored.contains(payload));
    assert_eq!(expected.sound.len(), stored.len(), "the channel holds what was not published");
    assert!(marked + unmarked > 0, "nothing came again, so this test has shown nothing");
    assert_eq!(service.metric("orderbox_stan_reconnects_total").await, Some(0.0));
    assert_eq!(outcomes(&database, "applied").await, expected.sound.len() as i64);
    assert_eq!(database.number("SELECT count(*) FROM orders").await, expected.sound.len() as i64);
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

/// Acks what comes until `end`, and says how much of it had come before, marked as such and not.
async fn ack_until(
    deliveries: &mut Subscription,
    seen: &mut BTreeMap<(u64, i64), Bytes>,
    end: impl Future<Output = ()>,
) -> (usize, usize) {
    let (mut marked, mut unmarked) = (0, 0);
    let acking = async {
        while let Some(message) = deliveries.next().await {
            let identity = (message.sequence, message.timestamp_ns);
            match (seen.insert(identity, message.data.clone()), message.redelivered) {
                (None, _) => {}
                (Some(_), true) => marked += 1,
                (Some(_), false) => unmarked += 1,
            }
            message.acker.ack();
        }
    };
    tokio::select! {
        () = acking => panic!("the connection of the witness did not last"),
        () = end => {}
    }
    (marked, unmarked)
}

/// How many messages have had this outcome.
async fn outcomes(database: &Database, outcome: &str) -> i64 {
    let sum = "SELECT CAST(coalesce(sum(messages), 0) AS bigint) FROM ledger";
    database.number(&format!("{sum} WHERE outcome = '{outcome}'")).await
}
