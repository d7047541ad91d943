//! Ending: acks and publishes that are on their way, and who else is freed by it.

use std::{sync::Arc, time::Duration};

use orderbox::stan::{
    Connection, Lost, NoAnswer, NotStored, Outcome, SubscribeError, SubscribeOptions, Unknown,
};

use super::{connect, durable, next, options, publish, take, through, within};
use crate::support::{link::Link, stan_server::StanServer};

const CLOSE: Duration = Duration::from_secs(10);

#[tokio::test]
async fn what_waits_for_its_ack_when_the_connection_closes_ends_as_unknown() {
    let Some(server) = StanServer::builder().external_nats().start().await else { return };
    let connection = connect(&server, "me").await;
    let session = Arc::clone(connection.session());
    server.pause();
    let waiting = within(connection.start_publish("c", "x".into())).await.unwrap();
    within(connection.close(Duration::from_millis(100))).await.expect_err("the server does not answer");
    assert_eq!(within(waiting).await, Outcome::Unknown(Unknown::Lost(Lost::Closed)));
    let error = within(session.last_message("c")).await.unwrap_err();
    assert_eq!(error, SubscribeError::Lost(Lost::Closed));
    assert_eq!(session.lost(), Some(Lost::Closed));
    server.resume();
}

#[tokio::test]
async fn a_connection_that_is_over_refuses_every_call_at_once() {
    let Some(server) = StanServer::builder().start().await else { return };
    let link = Link::to(server.port()).await;
    let patient = through(&link, "me")
        .publish_timeout(Duration::from_secs(3600))
        .request_timeout(Duration::from_secs(3600));
    let connection = within(Connection::connect(&patient)).await.unwrap();
    link.cut();
    assert_eq!(within(connection.lost()).await, Lost::NatsClosed);
    let refused = NotStored::NotConnected(Lost::NatsClosed);
    assert_eq!(within(connection.start_publish("c", "x".into())).await.unwrap_err(), refused);
    assert_eq!(within(connection.publish("c", "x".into())).await, Outcome::NotStored(refused));
    for queue_group in [None, Some("workers".to_owned())] {
        let options = SubscribeOptions { queue_group, ..SubscribeOptions::new("c") };
        let error = within(connection.subscribe(&options)).await.unwrap_err();
        assert_eq!(error, SubscribeError::Lost(Lost::NatsClosed));
    }
    assert_eq!(within(connection.ping()).await, Err(NoAnswer::Lost(Lost::NatsClosed)));
}

#[tokio::test]
async fn every_request_to_a_server_that_hangs_ends_in_time() {
    let Some(server) = StanServer::builder().external_nats().start().await else { return };
    let limit = Duration::from_secs(1);
    let impatient = options(&server, "me").request_timeout(limit);
    let connection = within(Connection::connect(&impatient)).await.unwrap();
    let mut subscription = within(connection.subscribe(&durable())).await.unwrap();
    server.pause();
    let error = within(connection.subscribe(&SubscribeOptions::new("d"))).await.unwrap_err();
    let reason = NoAnswer::TimedOut(limit);
    assert_eq!(error, SubscribeError::NoAnswer { channel: "d".into(), reason: reason.clone() });
    assert_eq!(within(subscription.close()).await, Err(reason.clone()));
    assert_eq!(within(connection.close(CLOSE)).await.unwrap_err().0, reason);
    server.resume();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acks_and_closes_at_the_same_time_neither_hang_nor_fail() {
    let Some(server) = StanServer::builder().start().await else { return };
    let publisher = connect(&server, "publisher").await;
    publish(&publisher, 1..=200).await;
    for _ in 0..20 {
        let connection = connect(&server, "me").await;
        let mut subscription = within(connection.subscribe(&SubscribeOptions::new("c"))).await.unwrap();
        let messages = take(&mut subscription, 200).await;
        let acking = async { messages.into_iter().for_each(|message| message.acker.ack()) };
        // The subscription may find the connection closed before it: either end is one.
        let (_, closed, ()) =
            within(async { tokio::join!(subscription.close(), connection.close(CLOSE), acking) }).await;
        closed.unwrap();
    }
    assert_eq!(server.clients().await, ["publisher"]);
    assert!(server.subscriptions("c").await.is_empty());
}

#[tokio::test]
async fn a_hundred_subscribes_while_the_connection_closes_all_end() {
    let Some(server) = StanServer::builder().start().await else { return };
    for _ in 0..100 {
        let connection = connect(&server, "me").await;
        let session = Arc::clone(connection.session());
        let subscribing = async { while session.last_message("c").await.is_ok() {} };
        let (closed, ()) = within(async { tokio::join!(connection.close(CLOSE), subscribing) }).await;
        closed.unwrap();
    }
    assert!(server.clients().await.is_empty());
}

#[tokio::test]
async fn an_ack_after_its_subscription_was_closed_is_in_vain_and_harmless() {
    let Some(server) = StanServer::builder().start().await else { return };
    let connection = connect(&server, "me").await;
    publish(&connection, 1..=1).await;
    let mut subscription = within(connection.subscribe(&durable())).await.unwrap();
    let message = next(&mut subscription).await;
    within(subscription.close()).await.unwrap();
    message.acker.ack();
    within(connection.ping()).await.unwrap();
    let mut subscription = within(connection.subscribe(&durable())).await.unwrap();
    let again = next(&mut subscription).await;
    assert_eq!((again.sequence, again.redelivered), (1, true));
}
