//! Messages that wait in NATS Streaming for whoever comes, and how long it takes until all of them are acked.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use orderbox::{
    sample::{Generator, Kind, Options},
    stan::{Connection, SubscribeOptions, Subscription},
};

use super::{
    Result,
    support::{orderbox::Orderbox, stan_server::StanServer},
};

/// What the service asks for by default; the mover and the drain get the same.
const MAX_IN_FLIGHT: u32 = 8192;
const SEED: u64 = 7;

/// A channel full of one-item orders of random uids.
#[derive(Debug)]
pub(crate) struct Backlog<'a> {
    stan: &'a StanServer,
    channel: &'static str,
    messages: u64,
    sound: u64,
}

/// A server that keeps messages in files.
pub(crate) async fn stan() -> Result<StanServer> {
    let server = StanServer::builder().file_store().start().await;
    server.ok_or_else(|| "nats-streaming-server is not installed".into())
}

impl<'a> Backlog<'a> {
    /// Publishes so many messages to a channel that is empty; this share of them is broken.
    pub(crate) async fn publish(
        stan: &'a StanServer,
        channel: &'static str,
        messages: u64,
        broken: f64,
    ) -> Result<Self> {
        publish(stan, channel, &[format!("--count={messages}"), format!("--broken={broken}")]).await?;
        let sound = generated(broken)
            .take(usize::try_from(messages)?)
            .filter(|sample| matches!(sample.kind, Kind::Sound { .. }))
            .count() as u64;
        Ok(Self { stan, channel, messages, sound })
    }

    /// A channel in which nothing waits.
    pub(crate) fn empty(stan: &'a StanServer, channel: &'static str) -> Self {
        Self { stan, channel, messages: 0, sound: 0 }
    }

    pub(crate) fn stan(&self) -> &StanServer {
        self.stan
    }

    pub(crate) fn channel(&self) -> &'static str {
        self.channel
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
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        format!("bench-{}", NEXT.fetch_add(1, Ordering::Relaxed))
    }

    /// A subscription from the first message.
    pub(crate) async fn subscribe(&self, durable: &str) -> Result<(Connection, Subscription)> {
        let options = orderbox::stan::Options::new([self.stan.url()], StanServer::CLUSTER, durable)?;
        let connection = Connection::connect(&options).await?;
        let options = SubscribeOptions {
            durable: Some(durable.to_owned()),
            max_in_flight: MAX_IN_FLIGHT,
            ..SubscribeOptions::new(self.channel)
        };
        let subscription = connection.subscribe(&options).await?;
        Ok((connection, subscription))
    }
}

/// Publishes one-item orders from the seed of all backlogs, as further arguments say.
pub(crate) async fn publish(stan: &StanServer, channel: &str, arguments: &[String]) -> Result {
    let to = format!("--to=stan://127.0.0.1:{}/{}/{channel}", stan.port(), StanServer::CLUSTER);
    let seed = format!("--seed={SEED}");
    let mut all = vec!["publish", to.as_str(), seed.as_str(), "--items=1"];
    all.extend(arguments.iter().map(String::as_str));
    let publisher = Orderbox::prepare(&[]);
    let mut process = publisher.spawn("publish", &all);
    let status = process.wait(Duration::from_secs(2 * 3600)).await;
    if status.success() { Ok(()) } else { Err(format!("publish: {status}\n{}", process.output()).into()) }
}

/// What [`publish`] publishes.
pub(crate) fn generated(broken: f64) -> Generator {
    Generator::new(SEED, Options { broken, items: Some(1), oversized: true })
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
