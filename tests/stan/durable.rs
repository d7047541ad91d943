//! Durables and queue groups: what the server keeps for a name, and who gets it.

use std::time::Duration;

use futures_util::FutureExt;
use orderbox::stan::{Start, SubscribeError, SubscribeOptions};

use super::{connect, durable, next, publish, sequences, take, within};
use crate::support::stan_server::StanServer;

const CLOSE: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_durable_that_was_closed_goes_on_behind_its_acks_wherever_it_is_told_to_start() {
    let Some(server) = StanServer::builder().start().await else { return };
    let connection = connect(&server, "me").await;
    publish(&connection, 1..=1).await;
    for queue_group in [None, Some("workers".to_owned())] {
        let last = server.last_sequence("c").await;
        let options = SubscribeOptions { queue_group, ..durable() };
        let mut subscription = within(connection.subscribe(&options)).await.unwrap();
        for message in take(&mut subscription, last as usize).await {
            message.acker.ack();
        }
        within(subscription.close()).await.unwrap();
        publish(&connection, last + 1..=last + 1).await;
        for start in [Start::First, Start::NewOnly] {
            let again = SubscribeOptions { start, ..options.clone() };
            let mut subscription = within(connection.subscribe(&again)).await.unwrap();
            assert_eq!(next(&mut subscription).await.sequence, last + 1, "{start:?}");
            within(subscription.close()).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_close_never_removes_a_durable() {
    let Some(server) = StanServer::builder().start().await else { return };
    let connection = connect(&server, "me").await;
    let mut subscription = within(connection.subscribe(&durable())).await.unwrap();
    within(subscription.close()).await.unwrap();
    within(connection.close(CLOSE)).await.unwrap();
    let kept = server.subscriptions("c").await;
    assert_eq!((kept.len(), kept[0]["is_offline"].as_bool()), (1, Some(true)), "{kept:?}");
}

#[tokio::test]
async fn a_queue_group_and_a_durable_one_of_the_same_name_both_get_every_message() {
    let Some(server) = StanServer::builder().start().await else { return };
    let connection = connect(&server, "me").await;
    let plain = SubscribeOptions { queue_group: Some("workers".into()), ..SubscribeOptions::new("c") };
    let kept = SubscribeOptions { durable: Some("keeper".into()), ..plain.clone() };
    let mut first = within(connection.subscribe(&plain)).await.unwrap();
    let mut second = within(connection.subscribe(&kept)).await.unwrap();
    publish(&connection, 1..=1).await;
    assert_eq!(next(&mut first).await.sequence, 1);
    assert_eq!(next(&mut second).await.sequence, 1);
    let colon = SubscribeOptions { durable: Some("a:b".into()), ..plain };
    assert!(matches!(within(connection.subscribe(&colon)).await, Err(SubscribeError::Name(_))));
}

#[tokio::test]
async fn the_members_of_a_queue_group_get_each_message_once_between_them() {
    let Some(server) = StanServer::builder().start().await else { return };
    let connection = connect(&server, "me").await;
    let group = SubscribeOptions {
        queue_group: Some("workers".into()),
        max_in_flight: 50,
        ..SubscribeOptions::new("c")
    };
    let mut first = within(connection.subscribe(&group)).await.unwrap();
    let mut second = within(connection.subscribe(&group)).await.unwrap();
    publish(&connection, 1..=100).await;
    // Un-acked, each member gets its 50 and no more.
    let mut seen = sequences(&take(&mut first, 50).await);
    seen.extend(sequences(&take(&mut second, 50).await));
    seen.sort_unstable();
    assert_eq!(seen, (1..=100).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_durable_that_goes_on_with_a_lower_limit_gets_all_that_is_unacked_at_once_and_first() {
    let Some(server) = StanServer::builder().start().await else { return };
    let connection = connect(&server, "me").await;
    publish(&connection, 1..=10).await;
    let five = SubscribeOptions { max_in_flight: 5, ..durable() };
    let mut subscription = within(connection.subscribe(&five)).await.unwrap();
    drop(take(&mut subscription, 5).await);
    within(connection.close(CLOSE)).await.unwrap();

    let connection = connect(&server, "me").await;
    let one = SubscribeOptions { max_in_flight: 1, ..durable() };
    let mut subscription = within(connection.subscribe(&one)).await.unwrap();
    let burst = take(&mut subscription, 5).await;
    assert_eq!(sequences(&burst), [1, 2, 3, 4, 5]);
    assert!(burst.iter().all(|message| message.redelivered));
    for message in burst {
        message.acker.ack();
    }
    assert_eq!(next(&mut subscription).await.sequence, 6);
}

#[tokio::test]
async fn a_slow_durable_of_a_channel_with_a_limit_sees_the_gap_that_the_limit_made() {
    let Some(server) = StanServer::builder().args(["-mm", "5"]).start().await else { return };
    let connection = connect(&server, "me").await;
    let slow = SubscribeOptions { max_in_flight: 2, ..durable() };
    let mut subscription = within(connection.subscribe(&slow)).await.unwrap();
    publish(&connection, 1..=2).await;
    let held = take(&mut subscription, 2).await;
    publish(&connection, 3..=23).await;
    assert_eq!(sequences(&held), [1, 2]);
    for message in held {
        message.acker.ack();
    }
    assert_eq!(next(&mut subscription).await.sequence, 19);
}

#[tokio::test]
async fn with_replace_durable_the_second_subscription_wins_and_closing_the_first_is_harmless() {
    let Some(server) = StanServer::builder().args(["--replace_durable"]).start().await else { return };
    let connection = connect(&server, "me").await;
    let mut first = within(connection.subscribe(&durable())).await.unwrap();
    let mut second = within(connection.subscribe(&durable())).await.unwrap();
    publish(&connection, 1..=1).await;
    assert_eq!(next(&mut second).await.sequence, 1);
    // What the server had sent to the first would have come before the answer to the ping.
    within(connection.ping()).await.unwrap();
    assert!(first.next().now_or_never().is_none(), "the first subscription got a message");
    within(first.close()).await.unwrap();
    publish(&connection, 2..=2).await;
    assert_eq!(next(&mut second).await.sequence, 2);
}
