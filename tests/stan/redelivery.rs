//! Deliveries that come again, and deliveries beside a publisher.

use std::{collections::BTreeMap, time::Duration};

use orderbox::stan::{Connection, SubscribeOptions};

use super::{connect, durable, next, publish, take, through, within};
use crate::support::{
    link::Link,
    stan_server::{StanServer, eventually},
};

#[tokio::test]
async fn without_acks_every_message_comes_again_after_each_ack_wait() {
    let Some(server) = StanServer::builder().start().await else { return };
    let connection = connect(&server, "me").await;
    publish(&connection, 1..=100).await;
    let options = SubscribeOptions { ack_wait: Duration::from_secs(1), ..SubscribeOptions::new("c") };
    let mut subscription = within(connection.subscribe(&options)).await.unwrap();
    let mut deliveries = BTreeMap::<u64, u32>::new();
    while deliveries.len() < 100 || deliveries.values().any(|count| *count < 2) {
        let message = next(&mut subscription).await;
        let count = deliveries.entry(message.sequence).or_default();
        assert_eq!(message.redelivered, *count > 0);
        *count += 1;
    }
}

#[tokio::test]
async fn a_limit_of_one_does_not_hold_back_copies_of_a_message_that_takes_longer_than_the_ack_wait() {
    let Some(server) = StanServer::builder().start().await else { return };
    let connection = connect(&server, "me").await;
    publish(&connection, 1..=2).await;
    let options =
        SubscribeOptions { max_in_flight: 1, ack_wait: Duration::from_secs(1), ..SubscribeOptions::new("c") };
    let mut subscription = within(connection.subscribe(&options)).await.unwrap();
    let mut copies = take(&mut subscription, 3).await;
    assert!(copies.iter().all(|message| message.sequence == 1));
    assert!(copies.iter().skip(1).all(|message| message.redelivered));
    copies.remove(0).acker.ack();
    // What was sent before the server had the ack comes before what the ack has released.
    let released = loop {
        match next(&mut subscription).await {
            copy if copy.sequence == 1 => assert!(copy.redelivered),
            released => break released,
        }
    };
    assert_eq!(released.sequence, 2);
    released.acker.ack();
    eventually("one ack was enough for all copies", || async { server.backlog("c").await == 0 }).await;
}

#[tokio::test]
async fn what_was_sent_while_nats_was_cut_comes_first_to_us_as_redelivered_and_nothing_is_lost() {
    let Some(server) = StanServer::builder().start().await else { return };
    let link = Link::to(server.port()).await;
    let options = through(&link, "me");
    let quick = SubscribeOptions { ack_wait: Duration::from_secs(1), ..durable() };
    let connection = within(Connection::connect(&options)).await.unwrap();
    let _subscription = within(connection.subscribe(&quick)).await.unwrap();
    let witness = connect(&server, "witness").await;
    let mut seen = within(witness.subscribe(&quick)).await.unwrap();
    link.cut();
    within(connection.lost()).await;
    publish(&witness, 1..=10).await;
    // The witness has the same ack wait: what it gets for the third time, the one cut off was sent twice at least.
    while next(&mut seen).await.redelivery_count < 2 {}
    link.mend();
    let connection = within(Connection::connect(&options)).await.unwrap();
    let mut subscription = within(connection.subscribe(&quick)).await.unwrap();
    for (message, sequence) in take(&mut subscription, 10).await.into_iter().zip(1..) {
        assert_eq!((message.sequence, message.redelivered), (sequence, true));
        message.acker.ack();
    }
}

#[tokio::test]
async fn a_subscription_from_the_first_message_beside_a_publisher_gets_each_once_in_order() {
    let Some(server) = StanServer::builder().start().await else { return };
    let publisher = connect(&server, "publisher").await;
    let connection = connect(&server, "me").await;
    publish(&publisher, 1..=500).await;
    let reading = async {
        let mut subscription = within(connection.subscribe(&SubscribeOptions::new("c"))).await.unwrap();
        for sequence in 1..=2000 {
            let message = next(&mut subscription).await;
            assert_eq!(message.sequence, sequence);
            message.acker.ack();
        }
    };
    tokio::join!(publish(&publisher, 501..=2000), reading);
}
