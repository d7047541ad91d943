//! Messages that wait in NATS Streaming for whoever comes, and how long it takes until all of them are acked.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use orderbox::{
    sample::{Generator, Kind, Options},
    stan::{Connection, Outcome, SubscribeOptions, Subscription},
};

use super::{
    Result,
    support::{orderbox::Orderbox, stan_server::StanServer},
};

/// What the service asks for by default; the mover and the drain get the same.
const MAX_IN_FLIGHT: u32 = 8192;
const CLOSE_LIMIT: Duration = Duration::from_secs(30);
/// A full run publishes for half an hour.
const PUBLISH_LIMIT: Duration = Duration::from_secs(2 * 3600);

/// A channel full of one-item orders of random uids.
#[derive(Debug)]
pub(crate) struct Backlog<'a> {
    stan: &'a StanServer,
    channel: String,
    messages: u64,
    sound: u64,
}

/// A server that keeps messages in files.
pub(crate) async fn stan() -> Result<StanServer> {
    let server = StanServer::builder().file_store().start().await;
    server.ok_or_else(|| "nats-streaming-server is not installed".into())
}

impl<'a> Backlog<'a> {
    /// Publishes so many messages to a channel of their own, with uids that no other backlog has; this share of them is broken,
    /// each in another way.
    pub(crate) async fn publish(stan: &'a StanServer, messages: u64, broken: f64) -> Result<Self> {
        let number = next();
        let channel = format!("orders-{number}");
        let connection = connect(stan, "bench-publisher").await?;
        let (mut sound, mut publishing) = (0, Vec::new());
        for sample in generated(number, broken).take(usize::try_from(messages)?) {
            sound += u64::from(matches!(sample.kind, Kind::Sound { .. }));
            publishing.push(connection.start_publish(&channel, sample.payload).await?);
        }
        for outcome in join_all(publishing).await {
            if outcome != Outcome::Stored {
                return Err(format!("a message of the backlog is not stored: {outcome:?}").into());
            }
        }
        connection.close(CLOSE_LIMIT).await?;
        Ok(Self { stan, channel, messages, sound })
    }

    /// A channel in which nothing waits.
    pub(crate) fn empty(stan: &'a StanServer) -> Self {
        Self { stan, channel: format!("orders-{}", next()), messages: 0, sound: 0 }
    }

    pub(crate) fn stan(&self) -> &StanServer {
        self.stan
    }

    pub(crate) fn channel(&self) -> &str {
        &self.channel
    }

    pub(crate) fn messages(&self) -> u64 {
        self.messages
    }

    /// How many of them are orders.
    pub(crate) fn sound(&self) -> u64 {
        self.sound
    }

    /// The name of a durable, and of its client, that nobody has had: it has everything before it.
    pub(crate) fn durable(&self) -> String {
        format!("bench-{}", next())
    }

    /// A subscription from the first message.
    pub(crate) async fn subscribe(&self, durable: &str) -> Result<(Connection, Subscription)> {
        let connection = connect(self.stan, durable).await?;
        let options = SubscribeOptions {
            durable: Some(durable.to_owned()),
            max_in_flight: MAX_IN_FLIGHT,
            ..SubscribeOptions::new(self.channel.as_str())
        };
        let subscription = connection.subscribe(&options).await?;
        Ok((connection, subscription))
    }
}

/// A connection of the harness itself.
pub(crate) async fn connect(stan: &StanServer, client_id: &str) -> Result<Connection> {
    let options = orderbox::stan::Options::new([stan.url()], StanServer::CLUSTER, client_id)?;
    Ok(Connection::connect(&options).await?)
}

/// Publishes so many sound orders at so many a second.
pub(crate) async fn publish_at(stan: &StanServer, channel: &str, orders: u64, rate: u64) -> Result {
    let to = format!("--to=stan://127.0.0.1:{}/{}/{channel}", stan.port(), StanServer::CLUSTER);
    let [seed, count, rate] =
        [format!("--seed={}", next()), format!("--count={orders}"), format!("--rate={rate}")];
    let publisher = Orderbox::prepare(&[]);
    let mut process = publisher.spawn("publish", &["publish", &to, &seed, &count, &rate, "--items=1"]);
    let status = process.wait(PUBLISH_LIMIT).await;
    if status.success() { Ok(()) } else { Err(format!("publish: {status}\n{}", process.output()).into()) }
}

/// A number that this run has not had.
pub(crate) fn next() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// The messages of a backlog by its number. None is oversized: those cost by their bytes, not by what is wrong with them.
pub(crate) fn generated(number: u64, broken: f64) -> Generator {
    Generator::new(number, Options { broken, items: Some(1), oversized: false })
}

/// How long it takes from the subscription of this durable to the ack of the last message, by the server's own account: the
/// same gauge for everyone who drains it.
pub(crate) async fn drained(backlog: &Backlog<'_>, durable: &str) -> Result<Duration> {
    let limit = Duration::from_secs(60 + backlog.messages() / 500);
    let state = async || {
        let all = backlog.stan().subscriptions(backlog.channel()).await;
        let one = all.into_iter().find(|one| one["durable_name"] == durable)?;
        Some((one["last_sent"].as_u64()?, one["pending_count"].as_u64()?))
    };
    let draining = async {
        while state().await.is_none() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let began = Instant::now();
        while state().await != Some((backlog.messages(), 0)) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        began.elapsed()
    };
    let drained = tokio::time::timeout(limit, draining).await;
    drained.map_err(|_| format!("{durable} has not drained the backlog within {limit:?}").into())
}
