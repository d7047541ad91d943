//! What other clients of NATS see of it: the requests on the wire.

use std::{collections::BTreeSet, time::Duration};

use async_nats::Subscriber;
use bytes::Bytes;
use futures_util::StreamExt;
use orderbox::stan::SubscribeOptions;
use prost::Message as _;

use super::{connect, publish, within};
use crate::support::stan_server::{StanServer, eventually};

/// `PubMsg` as protocol.proto of stan.go has it, and the one field of `Ping`.
#[derive(Clone, PartialEq, prost::Message)]
struct PubMsg {
    #[prost(string, tag = "1")]
    client_id: String,
    #[prost(string, tag = "2")]
    guid: String,
    #[prost(string, tag = "3")]
    channel: String,
    #[prost(bytes = "bytes", tag = "6")]
    connection_id: Bytes,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Ping {
    #[prost(bytes = "bytes", tag = "1")]
    connection_id: Bytes,
}

async fn listen(server: &StanServer, subject: &str) -> (async_nats::Client, Subscriber) {
    let client = async_nats::connect(server.url()).await.unwrap();
    let subscriber = client.subscribe(subject.to_owned()).await.unwrap();
    // A round trip: NATS has the subscription before anything is sent to it.
    drop(client.request("_STAN.discover.test-cluster", Bytes::new()).await.unwrap());
    (client, subscriber)
}

async fn next(tap: &mut Subscriber) -> Bytes {
    within(tap.next()).await.expect("NATS is there").payload
}

#[tokio::test]
async fn publishes_carry_the_ids_and_a_guid_each_and_pings_the_same_connection_id() {
    let Some(server) = StanServer::builder().start().await else { return };
    let (_first, mut publishes) = listen(&server, "_STAN.pub.>").await;
    let (_second, mut pings) = listen(&server, "_STAN.discover.test-cluster.pings").await;
    let connection = connect(&server, "me").await;
    publish(&connection, 1..=100).await;
    let mut guids = BTreeSet::new();
    let mut ids = BTreeSet::new();
    for _ in 0..100 {
        let message = PubMsg::decode(next(&mut publishes).await).unwrap();
        assert_eq!((message.client_id.as_str(), message.channel.as_str()), ("me", "c"));
        guids.insert(message.guid);
        ids.insert(message.connection_id);
    }
    assert!(guids.len() == 100 && !guids.contains(""));
    let id = ids.pop_first().unwrap();
    assert!(ids.is_empty() && !id.is_empty());
    let begin = tokio::time::Instant::now();
    for _ in 0..3 {
        assert_eq!(Ping::decode(next(&mut pings).await).unwrap().connection_id, id);
    }
    assert!(begin.elapsed() >= Duration::from_millis(1500), "pings come faster than the interval of 1 s");
}

#[tokio::test]
async fn the_server_stores_the_same_publish_twice_so_nothing_is_sent_again() {
    let Some(server) = StanServer::builder().start().await else { return };
    let (client, mut publishes) = listen(&server, "_STAN.pub.>").await;
    let connection = connect(&server, "me").await;
    publish(&connection, 1..=1).await;
    let message = next(&mut publishes).await;
    client.publish("_STAN.pub.test-cluster.c", message).await.unwrap();
    eventually("it is stored again", || async { server.last_sequence("c").await == 2 }).await;
}

#[tokio::test]
async fn one_close_request_is_sent_and_none_by_what_is_dropped_afterwards() {
    let Some(server) = StanServer::builder().start().await else { return };
    let (_client, mut closes) = listen(&server, "_STAN.close.>").await;
    for client_id in ["first", "second"] {
        let connection = connect(&server, client_id).await;
        let subscription = within(connection.subscribe(&SubscribeOptions::new("c"))).await.unwrap();
        within(connection.close(Duration::from_secs(10))).await.unwrap();
        drop(subscription);
        // A second request of the first connection would come before that of the second.
        assert_eq!(PubMsg::decode(next(&mut closes).await).unwrap().client_id, client_id);
    }
}
