//! The STAN client against the real server.

mod close;
mod connect;
mod consumer;
mod durable;
mod outage;
mod publish;
mod redelivery;
mod requests;
mod soak;
mod subscribe;
mod tap;
mod wire;

use std::{collections::BTreeSet, time::Duration};

use orderbox::stan::{Connection, Message, NoAnswer, Options, Outcome, SubscribeOptions, Subscription};

use crate::support::{
    link::Link,
    stan_server::{StanServer, eventually},
};

/// No wait of these tests comes near it, unless the promise is broken.
const LIMIT: Duration = Duration::from_secs(30);

/// The request time-out of what [`linked`] returns.
const LINKED_TIMEOUT: Duration = Duration::from_secs(2);

/// Awaits `future`, but not for ever.
async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(LIMIT, future).await.expect("no end within 30 s")
}

fn options(server: &StanServer, client_id: &str) -> Options {
    let options = Options::new([server.url()], StanServer::CLUSTER, client_id).unwrap();
    options.pings(Duration::from_secs(1), 5).unwrap().request_timeout(Duration::from_secs(2))
}

/// The way to the server over a link.
fn through(link: &Link, client_id: &str) -> Options {
    Options::new([format!("nats://127.0.0.1:{}", link.port())], StanServer::CLUSTER, client_id).unwrap()
}

/// A connection over a link, whose own pings don't find out what a test does to it.
async fn linked(server: &StanServer, client_id: &str) -> (Connection, Link) {
    let link = Link::to(server.port()).await;
    let options = through(&link, client_id).pings(Duration::from_secs(3600), 5).unwrap();
    let connection = within(Connection::connect(&options.request_timeout(LINKED_TIMEOUT))).await.unwrap();
    (connection, link)
}

async fn connect(server: &StanServer, client_id: &str) -> Connection {
    within(Connection::connect(&options(server, client_id))).await.unwrap()
}

/// A durable called `keeper` on channel `c`, from the first message.
fn durable() -> SubscribeOptions {
    SubscribeOptions { durable: Some("keeper".into()), ..SubscribeOptions::new("c") }
}

/// Publishes the numbers as text to channel `c`, in order, and expects that all are stored.
async fn publish(connection: &Connection, numbers: std::ops::RangeInclusive<u64>) {
    let mut publishing = Vec::new();
    for number in numbers {
        publishing.push(within(connection.start_publish("c", number.to_string().into())).await.unwrap());
    }
    for one in publishing {
        assert_eq!(within(one).await, Outcome::Stored);
    }
}

/// Waits until NATS has noticed that the streaming server is gone; until then a request may still reach the dead socket.
async fn server_is_gone(connection: &Connection) {
    eventually("nobody answers", || async { connection.ping().await == Err(NoAnswer::NoResponders) }).await;
}

async fn next(subscription: &mut Subscription) -> Message {
    within(subscription.next()).await.expect("the subscription ended")
}

async fn take(subscription: &mut Subscription, count: usize) -> Vec<Message> {
    let mut messages = Vec::new();
    while messages.len() < count {
        messages.push(next(subscription).await);
    }
    messages
}

/// Acks messages until all of `sequences` were seen, and says how many were redelivered.
async fn ack_all(subscription: &mut Subscription, sequences: std::ops::RangeInclusive<u64>) -> usize {
    let mut missing: BTreeSet<u64> = sequences.collect();
    let mut redelivered = 0;
    while !missing.is_empty() {
        let message = next(subscription).await;
        missing.remove(&message.sequence);
        redelivered += usize::from(message.redelivered);
        message.acker.ack();
    }
    redelivered
}

fn sequences(messages: &[Message]) -> Vec<u64> {
    messages.iter().map(|message| message.sequence).collect()
}
