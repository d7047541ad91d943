//! What a real streaming server sends again is applied once, with the binary that users run.

use std::time::Duration;

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
    acked_messages_that_a_killed_server_sends_again_as_new_are_applied_once,
    copies_of_a_message_that_waits_for_the_store_are_dropped_and_it_is_processed_once,
);

async fn acked_messages_that_a_killed_server_sends_again_as_new_are_applied_once(database: Database) {
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
        1000,
        0.02,
        sample::Options { items: Some(1), oversized: true, ..Default::default() },
    );
    service.restart().await;
    // A client as the service is one sees how the copies are marked.
    let options = Options::new([url.as_str()], StanServer::CLUSTER, "witness").unwrap();
    let witness = Connection::connect(&options).await.unwrap();
    let durable = SubscribeOptions {
        durable: Some("witness".into()),
        ack_wait: Duration::from_secs(3),
        ..SubscribeOptions::new("orders")
    };
    let mut deliveries = witness.subscribe(&durable).await.unwrap();
    // When the server stores a message it writes down what it has sent and what was acked. What came after the last one it has
    // forgotten when it was killed.
    service.ok(&["publish", "--count", "1000", "--broken", "0.02", "--items", "1", "--seed", "51"]);
    let all_is_acked = || async { server.backlog("orders").await == 0 };
    ack_until(&mut deliveries, eventually("every message is acked", all_is_acked)).await;
    service.until_settled().await;
    let received = outcomes(&database, "received").await;

    server.kill();
    server.restart().await;
    let copies_are_acked =
        || async { outcomes(&database, "received").await > received && server.backlog("orders").await == 0 };
    let as_new = ack_until(&mut deliveries, eventually("copies have come", copies_are_acked)).await;
    service.until_settled().await;
    assert!(as_new > 0, "every copy was marked, so this test has shown nothing");
    let copies = outcomes(&database, "received").await - 1000;
    eprintln!(
        "{copies} copies of 1,000 acked messages; {as_new} of those that the witness got were sent as new"
    );
    assert_eq!(service.metric("orderbox_stan_reconnects_total").await, Some(0.0));
    assert_eq!(outcomes(&database, "applied").await, expected.sound.len() as i64);
    assert_eq!(database.number("SELECT count(*) FROM orders").await, expected.sound.len() as i64);
    assert_eq!(database.number("SELECT count(*) FROM order_history").await, 0);
    expected.are_served_by(&service).await;
    expected.are_the_dead_letters_of(&database).await;
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

/// Acks what comes until `end`, and says how much of it was not marked as sent before.
async fn ack_until(deliveries: &mut Subscription, end: impl Future<Output = ()>) -> usize {
    let mut as_new = 0;
    let acking = async {
        while let Some(message) = deliveries.next().await {
            as_new += usize::from(!message.redelivered);
            message.acker.ack();
        }
    };
    tokio::select! {
        () = acking => panic!("the connection of the witness did not last"),
        () = end => {}
    }
    as_new
}

/// How many messages have had this outcome.
async fn outcomes(database: &Database, outcome: &str) -> i64 {
    let sum = "SELECT CAST(coalesce(sum(messages), 0) AS bigint) FROM ledger";
    database.number(&format!("{sum} WHERE outcome = '{outcome}'")).await
}
