//! Subscribing: flow, acks, redelivery, durables, queue groups.

use std::time::{Duration, Instant};

use orderbox::stan::{NoAnswer, Start, SubscribeError, SubscribeOptions};

use super::{LIMIT, ack_all, connect, durable, next, publish, sequences, take, within};
use crate::support::stan_server::{StanServer, eventually};

const CLOSE: Duration = Duration::from_secs(10);

#[tokio::test]
async fn every_message_arrives_once_in_order_with_its_bytes() {
    let Some(server) = StanServer::builder().start().await else { return };
    let connection = connect(&server, "me").await;
    publish(&connection, 1..=500).await;
    let mut subscription = within(connection.subscribe(&SubscribeOptions::new("c"))).await.unwrap();
    let messages = take(&mut subscription, 500).await;
    assert_eq!(sequences(&messages), (1..=500).collect::<Vec<_>>());
    for message in &messages {
        assert_eq!(message.data, message.sequence.to_string());
        assert!(message.timestamp_ns > 0 && !message.redelivered && message.redelivery_count == 0);
    }
    assert!(messages.is_sorted_by_key(|message| message.timestamp_ns));
}

#[tokio::test]
async fn a_subscription_begins_where_it_is_told() {
    let Some(server) = StanServer::builder().start().await else { return };
    let connection = connect(&server, "me").await;
    publish(&connection, 1..=10).await;
    for (start, first) in [
        (Start::First, 1),
        (Start::LastReceived, 10),
        (Start::Sequence(6), 6),
        (Start::Sequence(0), 1),
        (Start::Ago(Duration::from_secs(3600)), 1),
    ] {
        let options = SubscribeOptions { start, ..SubscribeOptions::new("c") };
        let mut subscription = within(connection.subscribe(&options)).await.unwrap();
        assert_eq!(next(&mut subscription).await.sequence, first, "{start:?}");
        within(subscription.close()).await.unwrap();
    }
    let options = SubscribeOptions { start: Start::NewOnly, ..SubscribeOptions::new("c") };
    let mut subscription = within(connection.subscribe(&options)).await.unwrap();
    publish(&connection, 11..=11).await;
    assert_eq!(next(&mut subscription).await.sequence, 11);
}

#[tokio::test]
async fn a_subscription_that_begins_some_time_ago_gets_nothing_older() {
    let Some(server) = StanServer::builder().start().await else { return };
    let connection = connect(&server, "me").await;
    publish(&connection, 1..=1).await;
    // The server's clock decides, so the two must lie apart; a busy machine may take half of it.
    tokio::time::sleep(Duration::from_secs(4)).await;
    let before = Instant::now();
    publish(&connection, 2..=2).await;
    let start = Start::Ago(before.elapsed() + Duration::from_secs(2));
    let options = SubscribeOptions { start, ..SubscribeOptions::new("c") };
    let mut subscription = within(connection.subscribe(&options)).await.unwrap();
    assert_eq!(next(&mut subscription).await.sequence, 2);
}

#[tokio::test]
async fn unacked_messages_stop_the_flow_at_the_limit_and_acks_release_it() {
    let Some(server) = StanServer::builder().start().await else { return };
    let connection = connect(&server, "me").await;
    publish(&connection, 1..=101).await;
    let options = SubscribeOptions { max_in_flight: 10, ..SubscribeOptions::new("c") };
    let mut subscription = within(connection.subscribe(&options)).await.unwrap();
    let held = take(&mut subscription, 10).await;
    eventually("the server stalls", || async {
        server.subscriptions("c").await.first().is_some_and(|one| one["is_stalled"] == true)
    })
    .await;
    assert_eq!(server.pending("c").await, 10);
    for message in held {
        message.acker.ack();
    }
    assert_eq!(ack_all(&mut subscription, 11..=101).await, 0);
    within(connection.ping()).await.unwrap();
    eventually("nothing is pending", || async { server.pending("c").await == 0 }).await;
}

#[tokio::test]
async fn what_is_not_acked_comes_again_after_the_ack_wait_with_the_flag() {
    let Some(server) = StanServer::builder().start().await else { return };
    let connection = connect(&server, "me").await;
    publish(&connection, 1..=20).await;
    // Far above any stall between two deliveries, or some would come a third time.
    let options = SubscribeOptions { ack_wait: Duration::from_secs(3), ..SubscribeOptions::new("c") };
    let mut subscription = within(connection.subscribe(&options)).await.unwrap();
    for message in take(&mut subscription, 20).await {
        if message.sequence % 2 == 1 {
            message.acker.ack();
        }
    }
    let again = take(&mut subscription, 10).await;
    assert_eq!(sequences(&again), (1..=10).map(|n| 2 * n).collect::<Vec<u64>>());
    assert!(again.iter().all(|message| message.redelivered && message.redelivery_count == 1));
}

#[tokio::test]
async fn what_nobody_takes_in_time_is_dropped_and_counted_and_comes_again() {
    let Some(server) = StanServer::builder().start().await else { return };
    let connection = connect(&server, "me").await;
    let options = SubscribeOptions {
        max_in_flight: 20_000,
        ack_wait: Duration::from_secs(3),
        start: Start::NewOnly,
        ..SubscribeOptions::new("c")
    };
    let mut subscription = within(connection.subscribe(&options)).await.unwrap();
    publish(&connection, 1..=10_000).await;
    eventually("some are dropped", || async { connection.session().dropped() > 0 }).await;
    assert!(ack_all(&mut subscription, 1..=10_000).await >= 10_000 - 8192);
    assert_eq!(connection.session().lost(), None);
}

#[tokio::test]
async fn a_durable_goes_on_with_what_was_not_acked() {
    let Some(server) = StanServer::builder().start().await else { return };
    let connection = connect(&server, "me").await;
    publish(&connection, 1..=100).await;
    let mut subscription = within(connection.subscribe(&durable())).await.unwrap();
    let mut first = take(&mut subscription, 10).await;
    first.pop();
    for message in first {
        message.acker.ack();
    }
    within(connection.close(CLOSE)).await.unwrap();

    let connection = connect(&server, "me").await;
    // Fewer in flight than are un-acked: they come all the same.
    let options = SubscribeOptions { max_in_flight: 5, ..durable() };
    let mut subscription = within(connection.subscribe(&options)).await.unwrap();
    let mut seen = Vec::new();
    while seen.len() < 91 {
        let message = next(&mut subscription).await;
        seen.push(message.sequence);
        message.acker.ack();
    }
    assert_eq!(seen, (10..=100).collect::<Vec<_>>());
}

#[tokio::test]
async fn acks_made_just_before_a_close_are_not_lost() {
    let Some(server) = StanServer::builder().start().await else { return };
    let connection = connect(&server, "me").await;
    publish(&connection, 1..=2000).await;
    // More is delivered than acked, so that un-acked messages are there at both ends.
    let options = SubscribeOptions { max_in_flight: 5000, ..durable() };

    let mut subscription = within(connection.subscribe(&options)).await.unwrap();
    for (message, sequence) in take(&mut subscription, 1000).await.into_iter().zip(1..) {
        assert_eq!(message.sequence, sequence);
        message.acker.ack();
    }
    within(subscription.close()).await.unwrap();

    let mut subscription = within(connection.subscribe(&options)).await.unwrap();
    for (message, sequence) in take(&mut subscription, 1000).await.into_iter().zip(1001..) {
        assert_eq!(message.sequence, sequence);
        message.acker.ack();
    }
    within(connection.close(CLOSE)).await.unwrap();

    let connection = connect(&server, "me").await;
    assert_eq!(server.pending("c").await, 0);
    let mut subscription = within(connection.subscribe(&durable())).await.unwrap();
    publish(&connection, 2001..=2001).await;
    let message = next(&mut subscription).await;
    assert_eq!((message.sequence, message.redelivered), (2001, false));
}

#[tokio::test]
async fn the_same_durable_twice_is_refused_in_words() {
    let Some(server) = StanServer::builder().start().await else { return };
    let connection = connect(&server, "me").await;
    let _first = within(connection.subscribe(&durable())).await.unwrap();
    let error = within(connection.subscribe(&durable())).await.unwrap_err();
    assert!(matches!(error, SubscribeError::DuplicateDurable { .. }), "{error}");
    let elsewhere = SubscribeOptions { channel: "d".into(), ..durable() };
    within(connection.subscribe(&elsewhere)).await.unwrap();
}

#[tokio::test]
async fn a_durable_queue_group_shares_the_messages_and_keeps_its_place() {
    let Some(server) = StanServer::builder().start().await else { return };
    let group = SubscribeOptions { queue_group: Some("workers".into()), max_in_flight: 10, ..durable() };
    let (one, other) = (connect(&server, "one").await, connect(&server, "other").await);
    let mut first = within(one.subscribe(&group)).await.unwrap();
    let mut second = within(other.subscribe(&group)).await.unwrap();
    publish(&one, 1..=20).await;
    let mut seen = sequences(&take(&mut first, 10).await);
    seen.extend(sequences(&take(&mut second, 10).await));
    seen.sort_unstable();
    assert_eq!(seen, (1..=20).collect::<Vec<_>>());

    // What one member leaves un-acked goes to the other, and what both leave to the next that joins.
    within(one.close(CLOSE)).await.unwrap();
    let again = take(&mut second, 10).await;
    assert!(again.iter().all(|message| message.redelivered));
    within(other.close(CLOSE)).await.unwrap();
    let third = connect(&server, "third").await;
    let mut subscription = within(third.subscribe(&group)).await.unwrap();
    assert_eq!(ack_all(&mut subscription, 1..=20).await, 20);
}

#[tokio::test]
async fn a_subscribe_without_an_answer_ends_in_time_and_leaves_no_durable_blocked() {
    let Some(server) = StanServer::builder().external_nats().start().await else { return };
    let quick = super::options(&server, "me").request_timeout(Duration::from_secs(1));
    let connection = within(orderbox::stan::Connection::connect(&quick)).await.unwrap();
    server.pause();
    let error = within(connection.subscribe(&durable())).await.unwrap_err();
    assert!(matches!(error, SubscribeError::NoAnswer { reason: NoAnswer::TimedOut(_), .. }), "{error}");
    server.resume();
    eventually("the durable is free", || async { connection.subscribe(&durable()).await.is_ok() }).await;
}

#[tokio::test]
async fn the_last_message_of_a_channel_can_be_asked_for() {
    let Some(server) = StanServer::builder().start().await else { return };
    let connection = connect(&server, "me").await;
    publish(&connection, 1..=7).await;
    let last = within(connection.session().last_message("c")).await.unwrap().unwrap();
    assert_eq!((last.sequence, &*last.data), (7, b"7".as_slice()));
    assert!(within(connection.session().last_message("empty")).await.unwrap().is_none());
    assert!(server.subscriptions("c").await.is_empty(), "the question left a subscription behind");
}

#[tokio::test]
async fn reading_and_acking_end_with_the_connection() {
    let Some(server) = StanServer::builder().start().await else { return };
    let connection = connect(&server, "me").await;
    publish(&connection, 1..=1).await;
    let mut subscription = within(connection.subscribe(&durable())).await.unwrap();
    let message = next(&mut subscription).await;
    drop(connection);
    assert!(tokio::time::timeout(LIMIT, subscription.next()).await.unwrap().is_none());
    message.acker.ack();
}
