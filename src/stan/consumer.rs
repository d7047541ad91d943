//! A subscription that goes on for ever.

use std::{
    pin::Pin,
    sync::{Arc, atomic::AtomicU64},
    time::{Duration, Instant, SystemTime},
};

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use thiserror::Error;
use tokio::sync::watch;

use super::{
    connection::Connection,
    error::{CloseError, ConnectError, Lost, NoAnswer, SubscribeError},
    options::Options,
    session::Session,
    subscription::{Message, SubscribeOptions, Subscription},
};

/// The longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// The shortest pause while another client holds the client id. Every try makes the server ask that client.
const PAUSE_WHEN_ID_IN_USE: Duration = Duration::from_secs(5);

/// How long a connection must have lived for the pauses to start small again.
const STABLE: Duration = Duration::from_secs(10);

/// How long a connection whose subscribe failed may take to sign off.
const SIGN_OFF: Duration = Duration::from_secs(2);

/// A supervised subscription: it connects, subscribes, and when the connection is lost starts again with a new connection
/// under the same client id and durable.
///
/// It works while [`next`](Self::next) is awaited, apart from heartbeats, pings and acks, which have tasks of their own.
/// To shut down: [`stop`](Self::stop), let what was received be processed and acked, [`finish`](Self::finish).
#[derive(Debug)]
pub struct Consumer {
    options: Arc<Options>,
    subscribe: Arc<SubscribeOptions>,
    phase: Phase,
    state: watch::Sender<State>,
    pauses: ExponentialBackoff,
    incarnation: u64,
    /// Counts on over all connections.
    dropped: Arc<AtomicU64>,
}

/// What a consumer is doing.
#[derive(Debug, Clone)]
pub enum State {
    /// There is no connection, and one is being tried for.
    Connecting {
        /// When this began.
        since: SystemTime,
        /// Failed tries since then.
        failures: u32,
        /// Why the last connection or the last try failed; `None` before the first.
        reason: Option<String>,
    },
    /// Messages arrive. Judge it by [`Session::silence`], since the server may be away without the connection being lost.
    Connected {
        /// When it was subscribed.
        since: SystemTime,
        /// 1 for the first connection of this consumer, 2 for the second, …
        incarnation: u64,
        /// The live facts.
        session: Arc<Session>,
    },
    /// It was stopped.
    Stopped,
}

/// One try: the pause before it, then the connection and the subscription.
type Attempt = Pin<Box<dyn Future<Output = Result<Live, Failure>> + Send>>;

enum Phase {
    Connecting(Attempt),
    Live(Live),
    /// Still registered when there is a connection, so that acks count until `finish`.
    Stopped(Option<Live>),
}

impl std::fmt::Debug for Phase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Connecting(_) => f.write_str("Connecting"),
            Self::Live(live) => live.fmt(f),
            Self::Stopped(live) => f.debug_tuple("Stopped").field(live).finish(),
        }
    }
}

#[derive(Debug)]
struct Live {
    connection: Connection,
    subscription: Subscription,
    since: Instant,
}

#[derive(Debug, Error)]
enum Failure {
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error(transparent)]
    Subscribe(#[from] SubscribeError),
}

impl Consumer {
    /// Checks the options; nothing is sent before the first [`next`](Self::next).
    pub fn new(options: Options, subscribe: SubscribeOptions) -> Result<Self, SubscribeError> {
        subscribe.validate()?;
        let (options, subscribe) = (Arc::new(options), Arc::new(subscribe));
        let dropped = Arc::default();
        let first =
            attempt(Duration::ZERO, Arc::clone(&options), Arc::clone(&subscribe), Arc::clone(&dropped));
        let state = State::Connecting { since: SystemTime::now(), failures: 0, reason: None };
        Ok(Self {
            options,
            subscribe,
            phase: Phase::Connecting(first),
            state: watch::Sender::new(state),
            pauses: pauses(),
            incarnation: 0,
            dropped,
        })
    }

    /// What it is doing, now and from now on.
    pub fn state(&self) -> watch::Receiver<State> {
        self.state.subscribe()
    }

    /// The next message; waits through any outage. `None` only after [`stop`](Self::stop). Cancel safe.
    pub async fn next(&mut self) -> Option<Message> {
        loop {
            match &mut self.phase {
                Phase::Connecting(attempt) => match attempt.await {
                    Ok(live) => self.connected(live),
                    Err(failure) => self.failed(&failure),
                },
                Phase::Live(live) => match live.subscription.next().await {
                    Some(message) => return Some(message),
                    None => {
                        let reason = live.connection.lost().await;
                        let stable = live.since.elapsed() >= STABLE;
                        self.lost(reason, stable);
                    }
                },
                Phase::Stopped(_) => return None,
            }
        }
    }

    /// The first step of a shutdown: no more messages. The subscription stays open, so that what was received can still be acked.
    pub async fn stop(&mut self) {
        if let Phase::Live(live) = &mut self.phase {
            live.subscription.stop().await;
        }
        self.phase = match std::mem::replace(&mut self.phase, Phase::Stopped(None)) {
            Phase::Connecting(_) => Phase::Stopped(None),
            Phase::Live(live) => Phase::Stopped(Some(live)),
            stopped @ Phase::Stopped(_) => stopped,
        };
        self.state.send_replace(State::Stopped);
    }

    /// The last step of a shutdown: every ack made before is sent and proven to have arrived, the subscription is closed (the
    /// durable stays), and the connection too. An error means that this was not proven within `deadline`: nothing is lost, but
    /// what was acked may come again. Where there never was a connection, nothing was acked and there is nothing to prove.
    pub async fn finish(mut self, deadline: Duration) -> Result<(), CloseError> {
        let end = tokio::time::Instant::now() + deadline;
        let late = |_| NoAnswer::TimedOut(deadline);
        tokio::time::timeout_at(end, self.stop()).await.map_err(late)?;
        if self.incarnation == 0 {
            return Ok(());
        }
        let Phase::Stopped(Some(mut live)) = self.phase else {
            // Acks made since the connection was lost were dropped.
            return Err(NoAnswer::Lost(Lost::NatsClosed).into());
        };
        let closed = tokio::time::timeout_at(end, live.subscription.close()).await.map_err(late).flatten();
        let ended = live.connection.close(end.saturating_duration_since(tokio::time::Instant::now())).await;
        closed.map_err(CloseError).and(ended)
    }

    fn connected(&mut self, live: Live) {
        self.incarnation += 1;
        tracing::debug!(
            channel = self.subscribe.channel,
            client_id = self.options.client_id(),
            incarnation = self.incarnation,
            "subscribed to NATS Streaming"
        );
        self.state.send_replace(State::Connected {
            since: SystemTime::now(),
            incarnation: self.incarnation,
            session: Arc::clone(live.connection.session()),
        });
        self.phase = Phase::Live(live);
    }

    fn lost(&mut self, reason: Lost, stable: bool) {
        tracing::debug!(channel = self.subscribe.channel, %reason, "lost NATS Streaming, connecting again");
        if stable {
            self.pauses = pauses();
        }
        let reason = Some(reason.to_string());
        self.state.send_replace(State::Connecting { since: SystemTime::now(), failures: 0, reason });
        // Replaces the lost connection, which thereby gives up its heartbeat inbox before the next one registers.
        self.try_again(Duration::ZERO);
    }

    fn failed(&mut self, failure: &Failure) {
        let reason = failure.to_string();
        let (mut began, mut count) = (SystemTime::now(), 1);
        if let State::Connecting { since, failures, .. } = &*self.state.borrow() {
            (began, count) = (*since, failures.saturating_add(1));
        }
        tracing::debug!(channel = self.subscribe.channel, %reason, failures = count, "no connection to NATS Streaming");
        self.state.send_replace(State::Connecting { since: began, failures: count, reason: Some(reason) });
        let least = match failure {
            Failure::Connect(ConnectError::ClientIdInUse { .. }) => PAUSE_WHEN_ID_IN_USE,
            Failure::Connect(_) | Failure::Subscribe(_) => Duration::ZERO,
        };
        self.try_again(least);
    }

    fn try_again(&mut self, least: Duration) {
        let pause = self.pauses.next().unwrap_or(LONGEST_PAUSE);
        let (options, subscribe) = (Arc::clone(&self.options), Arc::clone(&self.subscribe));
        self.phase = Phase::Connecting(attempt(least + pause, options, subscribe, Arc::clone(&self.dropped)));
    }
}

/// 0.1 s to 5 s, doubling, without end, with jitter: a server that comes back is not met by all its clients at once.
fn pauses() -> ExponentialBackoff {
    ExponentialBuilder::new()
        .with_min_delay(Duration::from_millis(100))
        .with_max_delay(LONGEST_PAUSE)
        .with_jitter()
        .without_max_times()
        .build()
}

fn attempt(
    pause: Duration,
    options: Arc<Options>,
    subscribe: Arc<SubscribeOptions>,
    dropped: Arc<AtomicU64>,
) -> Attempt {
    Box::pin(async move {
        tokio::time::sleep(pause).await;
        let connection = Connection::connect_counting(&options, dropped).await?;
        match connection.subscribe(&subscribe).await {
            Ok(subscription) => Ok(Live { connection, subscription, since: Instant::now() }),
            Err(error) => {
                // The error says more than how the sign-off went.
                drop(connection.close(SIGN_OFF).await);
                Err(error.into())
            }
        }
    })
}
