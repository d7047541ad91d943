//! One connection while the server or the network breaks.

use std::time::Duration;

use orderbox::stan::{Connection, Lost, SubscribeOptions};

use super::{ack_all, connect, durable, options, publish, server_is_gone, through, within};
use crate::support::{
    link::Link,
    stan_server::{StanServer, eventually},
};

#[tokio::test]
async fn a_file_store_server_that_is_killed_goes_on_with_the_old_connection() {
    let Some(mut server) = StanServer::builder().external_nats().file_store().start().await else { return };
    let connection = connect(&server, "me").await;
    let mut subscription = within(connection.subscribe(&durable())).await.unwrap();
    publish(&connection, 1..=100).await;
    ack_all(&mut subscription, 1..=100).await;
    server.kill();
    server_is_gone(&connection).await;
    server.restart().await;
    within(connection.ping()).await.unwrap();
    publish(&connection, 101..=200).await;
    ack_all(&mut subscription, 101..=200).await;
    assert_eq!(connection.session().lost(), None);
}

#[tokio::test]
async fn a_memory_store_server_that_is_killed_ends_the_connection() {
    let Some(mut server) = StanServer::builder().external_nats().start().await else { return };
    let connection = connect(&server, "me").await;
    server.kill();
    server.restart().await;
    assert_eq!(within(connection.lost()).await, Lost::Forgotten);
    within(connection.close(Duration::from_secs(5))).await.expect_err("there is nothing to close");
}

#[tokio::test]
async fn a_server_that_stays_away_ends_the_connection_after_the_pings_agreed() {
    let Some(mut server) = StanServer::builder().external_nats().start().await else { return };
    let impatient = options(&server, "me").pings(Duration::from_secs(1), 2).unwrap();
    let connection = within(Connection::connect(&impatient)).await.unwrap();
    server.kill();
    eventually("silence grows", || async { connection.session().silence() > Duration::from_secs(1) }).await;
    assert_eq!(within(connection.lost()).await, Lost::PingsUnanswered { unanswered: 3 });
}

#[tokio::test]
async fn a_broken_nats_connection_ends_the_connection_for_good_and_nothing_of_it_comes_back() {
    let Some(server) = StanServer::builder().start().await else { return };
    let link = Link::to(server.port()).await;
    let cut_off = within(Connection::connect(&through(&link, "me"))).await.unwrap();
    let mut subscription = within(cut_off.subscribe(&durable())).await.unwrap();
    // NATS can be reached again at once, and all the same there is no second connection.
    link.reset();
    assert_eq!(within(cut_off.lost()).await, Lost::NatsClosed);
    assert!(within(subscription.next()).await.is_none());

    // The id is free although the old connection is still held: it does not answer heartbeats any more.
    let successor = connect(&server, "me").await;
    let mut subscription = within(successor.subscribe(&durable())).await.unwrap();
    assert!(within(cut_off.subscribe(&SubscribeOptions::new("c"))).await.is_err());
    within(cut_off.close(Duration::from_secs(5))).await.expect_err("it is over");
    publish(&successor, 1..=10).await;
    ack_all(&mut subscription, 1..=10).await;
}

#[tokio::test]
async fn an_idle_connection_stays_by_heartbeats_and_pings() {
    let Some(server) = StanServer::builder().fast_heartbeats().start().await else { return };
    let strict = options(&server, "me").pings(Duration::from_secs(1), 2).unwrap();
    let connection = within(Connection::connect(&strict)).await.unwrap();
    // A client that did not answer would be dropped after 4.5 s; the wait is the thing tested.
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(server.clients().await, ["me"]);
    assert!(connection.session().silence() < Duration::from_secs(3));
    within(connection.ping()).await.unwrap();
}
