//! What other clients of NATS see of it: the requests on the wire.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use orderbox::stan::SubscribeOptions;

use super::{
    connect, publish,
    tap::{CloseRequest, Ping, PubMsg, Tap},
    within,
};
use crate::support::stan_server::{StanServer, eventually};

#[tokio::test]
async fn publishes_carry_the_ids_and_a_guid_each_and_pings_the_same_connection_id() {
    let Some(server) = StanServer::builder().start().await else { return };
    let mut publishes = Tap::on(&server, "_STAN.pub.>").await;
    let mut pings = Tap::on(&server, "_STAN.discover.test-cluster.pings").await;
    let begin = Instant::now();
    let connection = connect(&server, "me").await;
    publish(&connection, 1..=100).await;
    let mut guids = BTreeSet::new();
    let mut ids = BTreeSet::new();
    for _ in 0..100 {
        let message: PubMsg = publishes.next_of("_STAN.pub").await;
        assert_eq!((message.client_id.as_str(), message.channel.as_str()), ("me", "c"));
        guids.insert(message.guid);
        ids.insert(message.connection_id);
    }
    assert!(guids.len() == 100 && !guids.contains(""));
    let id = ids.pop_first().unwrap();
    assert!(ids.is_empty() && !id.is_empty());
    for _ in 0..3 {
        assert_eq!(pings.next_of::<Ping>("_STAN.pings").await.connection_id, id);
    }
    // However late they are heard, the third was not sent before the third second.
    assert!(begin.elapsed() > Duration::from_millis(2900), "pings come faster than the interval of 1 s");
}

#[tokio::test]
async fn the_server_stores_the_same_publish_twice_so_nothing_is_sent_again() {
    let Some(server) = StanServer::builder().start().await else { return };
    let mut publishes = Tap::on(&server, "_STAN.pub.>").await;
    let connection = connect(&server, "me").await;
    publish(&connection, 1..=1).await;
    let (_, message) = publishes.next().await;
    publishes.publish("_STAN.pub.test-cluster.c", message).await;
    eventually("it is stored again", || async { server.last_sequence("c").await == 2 }).await;
}

#[tokio::test]
async fn one_close_request_is_sent_and_none_by_what_is_dropped_afterwards() {
    let Some(server) = StanServer::builder().start().await else { return };
    let mut closes = Tap::on(&server, "_STAN.close.>").await;
    for client_id in ["first", "second"] {
        let connection = connect(&server, client_id).await;
        let subscription = within(connection.subscribe(&SubscribeOptions::new("c"))).await.unwrap();
        within(connection.close(Duration::from_secs(10))).await.unwrap();
        drop(subscription);
        // A second request of the first connection would come before that of the second.
        assert_eq!(closes.next_of::<CloseRequest>("_STAN.close").await.client_id, client_id);
    }
}
