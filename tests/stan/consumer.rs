//! The consumer that goes on for ever, and the publisher that connects again.

use std::{collections::BTreeSet, time::Duration};

use orderbox::stan::{Connection, Consumer, Message, Options, Outcome, Publisher, State, SubscribeOptions};

use super::{connect, durable, options, publish, tap::Tap, within};
use crate::support::{
    link::Link,
    stan_server::{StanServer, eventually},
};

const FINISH: Duration = Duration::from_secs(10);

fn consumer(options: Options) -> Consumer {
    Consumer::new(options, SubscribeOptions { ack_wait: Duration::from_secs(1), ..durable() }).unwrap()
}

fn through(link: &Link, client_id: &str) -> Options {
    super::through(link, client_id).pings(Duration::from_secs(1), 5).unwrap()
}

async fn next(consumer: &mut Consumer) -> Message {
    within(consumer.next()).await.expect("the consumer was not stopped")
}

/// Acks messages until all of `sequences` were seen.
async fn ack_all(consumer: &mut Consumer, sequences: std::ops::RangeInclusive<u64>) {
    let mut missing: BTreeSet<u64> = sequences.collect();
    while !missing.is_empty() {
        let message = next(consumer).await;
        missing.remove(&message.sequence);
        message.acker.ack();
    }
}

fn incarnation(consumer: &Consumer) -> u64 {
    match &*consumer.state().borrow() {
        State::Connected { incarnation, .. } => *incarnation,
        state => panic!("{state:?}"),
    }
}

#[tokio::test]
async fn it_waits_for_a_server_that_is_not_there_yet_and_says_why() {
    let Some(mut server) = StanServer::builder().external_nats().file_store().start().await else { return };
    let publisher = connect(&server, "publisher").await;
    publish(&publisher, 1..=3).await;
    server.kill();
    let mut consumer = consumer(options(&server, "me"));
    let mut state = consumer.state();
    let failing = state.wait_for(|state| matches!(state, State::Connecting { failures: 1.., .. }));
    tokio::select! {
        _ = consumer.next() => panic!("there is no server"),
        state = within(failing) => match &*state.unwrap() {
            State::Connecting { reason: Some(reason), .. } => {
                assert!(reason.contains("down or starting, or the cluster id is wrong"), "{reason}");
            }
            state => panic!("{state:?}"),
        },
    }
    server.restart().await;
    ack_all(&mut consumer, 1..=3).await;
    assert_eq!(incarnation(&consumer), 1);
}

#[tokio::test]
async fn it_stays_on_a_file_store_server_that_is_killed() {
    let Some(mut server) = StanServer::builder().external_nats().file_store().start().await else { return };
    let publisher = connect(&server, "publisher").await;
    let mut consumer = consumer(options(&server, "me"));
    publish(&publisher, 1..=100).await;
    ack_all(&mut consumer, 1..=100).await;
    server.kill();
    server.restart().await;
    publish(&publisher, 101..=200).await;
    ack_all(&mut consumer, 101..=200).await;
    assert_eq!(incarnation(&consumer), 1);
}

#[tokio::test]
async fn it_starts_again_on_a_memory_store_server_that_is_killed_and_sequences_begin_at_1() {
    let Some(mut server) = StanServer::builder().external_nats().start().await else { return };
    let mut consumer = consumer(options(&server, "me"));
    let publisher = connect(&server, "publisher").await;
    publish(&publisher, 1..=10).await;
    ack_all(&mut consumer, 1..=10).await;
    drop(publisher);
    server.kill();
    server.restart().await;
    let publisher = connect(&server, "publisher-2").await;
    publish(&publisher, 1..=5).await;
    let message = next(&mut consumer).await;
    assert_eq!((message.sequence, &message.data[..]), (1, &b"1"[..]));
    message.acker.ack();
    ack_all(&mut consumer, 2..=5).await;
    assert_eq!(incarnation(&consumer), 2);
}

/// Publishes until it is stored, as a caller does who prefers twice to never.
async fn publish_for_sure(publisher: &Publisher, number: u64) {
    eventually("the message is stored", || async {
        match publisher.start_publish("c", number.to_string().into()).await {
            Ok(publishing) => publishing.await == Outcome::Stored,
            Err(_) => false,
        }
    })
    .await;
}

#[tokio::test]
async fn it_starts_again_when_nats_was_away_and_misses_nothing() {
    let Some(mut server) = StanServer::builder().external_nats().file_store().start().await else { return };
    // The streaming server has several NATS connections. While the one it sends by is not back, it stores and can't say so.
    let publisher = Publisher::new(options(&server, "publisher").publish_timeout(Duration::from_secs(1)));
    let mut consumer = consumer(options(&server, "me"));
    for number in 1..=50 {
        publish_for_sure(&publisher, number).await;
    }
    ack_all(&mut consumer, 1..=50).await;
    server.kill_nats();
    server.start_nats().await;
    for number in 51..=100 {
        publish_for_sure(&publisher, number).await;
    }
    // By payload: a message of unknown outcome may have been stored twice.
    let mut missing: BTreeSet<String> = (51..=100_u64).map(|number| number.to_string()).collect();
    while !missing.is_empty() {
        let message = next(&mut consumer).await;
        missing.remove(std::str::from_utf8(&message.data).unwrap());
        message.acker.ack();
    }
    assert_eq!(incarnation(&consumer), 2);
    within(publisher.close(FINISH)).await.unwrap();
}

#[tokio::test]
async fn it_gets_what_was_sent_while_it_was_cut_off() {
    let Some(server) = StanServer::builder().start().await else { return };
    let link = Link::to(server.port()).await;
    let publisher = connect(&server, "publisher").await;
    let mut consumer = consumer(through(&link, "me"));
    publish(&publisher, 1..=10).await;
    ack_all(&mut consumer, 1..=10).await;
    link.cut();
    publish(&publisher, 11..=20).await;
    link.mend();
    ack_all(&mut consumer, 11..=20).await;
    assert_eq!(incarnation(&consumer), 2);
}

#[tokio::test]
async fn it_leaves_its_client_id_to_another_process_that_took_it() {
    let Some(server) = StanServer::builder().start().await else { return };
    let link = Link::to(server.port()).await;
    let mut consumer = consumer(through(&link, "me"));
    let publisher = connect(&server, "publisher").await;
    publish(&publisher, 1..=1).await;
    ack_all(&mut consumer, 1..=1).await;
    link.cut();
    let other = connect(&server, "me").await;
    let mut tap = Tap::on(&server, "_STAN.>").await;
    link.mend();
    let mut state = consumer.state();
    let refused = state.wait_for(|state| {
        matches!(state, State::Connecting { reason: Some(reason), .. } if reason.contains("another client holds"))
    });
    tokio::select! {
        message = consumer.next() => panic!("{message:?}"),
        state = within(refused) => drop(state.unwrap()),
    }
    within(other.ping()).await.unwrap();
    // When the other one goes, the consumer comes back by itself.
    within(other.close(FINISH)).await.unwrap();
    let sent = async {
        let mut kinds = BTreeSet::new();
        while !kinds.contains("_STAN.close") {
            kinds.insert(tap.next().await.0);
        }
        kinds
    };
    // The close is that of the other one.
    assert_eq!(sent.await, ["_STAN.close", "_STAN.discover", "_STAN.pings"].map(str::to_owned).into());
    publish(&publisher, 2..=2).await;
    ack_all(&mut consumer, 2..=2).await;
}

#[tokio::test]
async fn after_stop_acks_still_count_and_after_finish_nothing_acked_comes_again() {
    let Some(server) = StanServer::builder().start().await else { return };
    let publisher = connect(&server, "publisher").await;
    publish(&publisher, 1..=500).await;
    let slow = SubscribeOptions { max_in_flight: 300, ..durable() };
    let mut consumer = Consumer::new(options(&server, "me"), slow.clone()).unwrap();
    let mut held = Vec::new();
    while held.len() < 200 {
        held.push(next(&mut consumer).await);
    }
    within(consumer.stop()).await;
    assert!(within(consumer.next()).await.is_none());
    for message in held {
        message.acker.ack();
    }
    within(consumer.finish(FINISH)).await.unwrap();
    assert_eq!(server.clients().await, ["publisher"]);

    let mut consumer = Consumer::new(options(&server, "me"), slow).unwrap();
    assert_eq!(next(&mut consumer).await.sequence, 201);
    ack_all(&mut consumer, 202..=500).await;
    // All but 201, which nobody acked.
    eventually("the acks arrive", || async { server.backlog("c").await == 1 }).await;
    within(consumer.finish(FINISH)).await.unwrap();
}

#[tokio::test]
async fn finish_says_so_when_the_acks_are_not_proven() {
    let Some(server) = StanServer::builder().external_nats().start().await else { return };
    let publisher = connect(&server, "publisher").await;
    publish(&publisher, 1..=1).await;
    let mut consumer = consumer(options(&server, "me"));
    let message = next(&mut consumer).await;
    server.pause();
    message.acker.ack();
    let error = within(consumer.finish(Duration::from_millis(500))).await.unwrap_err().to_string();
    assert!(error.contains("may come again"), "{error}");
    server.resume();
}

#[tokio::test]
async fn a_stop_without_any_connection_so_far_has_nothing_to_prove() {
    let Some(mut server) = StanServer::builder().external_nats().start().await else { return };
    server.kill();
    let mut consumer = consumer(options(&server, "me"));
    let mut state = consumer.state();
    let failing = state.wait_for(|state| matches!(state, State::Connecting { failures: 1.., .. }));
    tokio::select! {
        _ = consumer.next() => panic!("there is no server"),
        state = within(failing) => drop(state.unwrap()),
    }
    within(consumer.stop()).await;
    within(consumer.finish(FINISH)).await.unwrap();
}

#[tokio::test]
async fn a_stop_after_the_connection_was_lost_proves_nothing() {
    let Some(server) = StanServer::builder().start().await else { return };
    let link = Link::to(server.port()).await;
    let mut consumer = consumer(through(&link, "me"));
    let publisher = connect(&server, "publisher").await;
    publish(&publisher, 1..=1).await;
    ack_all(&mut consumer, 1..=1).await;
    link.cut();
    let mut state = consumer.state();
    let lost = state.wait_for(|state| matches!(state, State::Connecting { .. }));
    tokio::select! {
        _ = consumer.next() => panic!("the link is cut"),
        state = within(lost) => drop(state.unwrap()),
    }
    within(consumer.finish(FINISH)).await.unwrap_err();
}

#[tokio::test]
async fn a_durable_left_behind_by_a_killed_process_is_taken_over() {
    let Some(server) = StanServer::builder().start().await else { return };
    let link = Link::to(server.port()).await;
    let killed = within(Connection::connect(&through(&link, "me"))).await.unwrap();
    let _subscription = within(killed.subscribe(&durable())).await.unwrap();
    publish(&killed, 1..=5).await;
    link.cut();
    let mut consumer = consumer(options(&server, "me"));
    ack_all(&mut consumer, 1..=5).await;
}
