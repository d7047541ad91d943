use std::{pin::pin, sync::Arc, time::Duration};

use async_trait::async_trait;
use thiserror::Error;
use tokio::time::{Instant, interval};
use tokio_util::sync::CancellationToken;

use crate::{
    config::{NatsSettings, StanSettings},
    inbox::{Inbox, Missing, Received},
    stan::{
        Acker, Consumer, Message as Delivered, OptionsError, Start, State, SubscribeError, SubscribeOptions,
    },
    store::{self, Message, SourceKind, Store},
    telemetry::{self, Part, Upstream},
};

use super::{Ack, Delivery, Source, gaps::Gaps, look::look_at_end, own, refused::Refused};

/// How long the server may leave pings unanswered before the source counts as down: three of them.
const SILENCE: Duration = Duration::from_secs(15);

/// A round trip so old, or a judgement so late, says that deliveries may be held up: a ping is sent every five seconds.
const HELD_UP: Duration = Duration::from_secs(7);

/// How often the source's health is judged.
const JUDGE: Duration = Duration::from_secs(1);

/// How long the last acks may take to arrive at a shutdown; SHUTDOWN_TIMEOUT cuts it further.
const FINISH: Duration = Duration::from_secs(10);

/// A durable subscription to one channel of NATS Streaming.
#[derive(Debug)]
pub struct StanSource {
    consumer: Option<Consumer>,
    names: Names,
    upstream: Upstream,
    health: Part,
    /// `None` for a member of a queue group, and until it resumes.
    gaps: Option<Gaps>,
    /// The connection that was judged last, from 1.
    incarnation: u64,
    /// Failed tries to connect that the health knows of, since the connection was lost.
    failures: u32,
    /// Whether there was no connection at the last look.
    was_connecting: bool,
    /// How many deliveries all connections had dropped by then.
    dropped: u64,
    refused: Refused,
}

/// Settings that the client refuses.
#[derive(Debug, Error)]
pub enum StanSettingsError {
    /// How to reach the server.
    #[error(transparent)]
    Options(#[from] OptionsError),
    /// What to subscribe to.
    #[error(transparent)]
    Subscribe(#[from] SubscribeError),
}

impl StanSource {
    /// A source as the settings describe it, or `None` when they name no server. Nothing is sent before it runs.
    ///
    /// # Errors
    /// When the settings can't work.
    pub fn new(
        stan: &StanSettings,
        nats: &NatsSettings,
        register: impl FnOnce() -> Part,
    ) -> Result<Option<Self>, StanSettingsError> {
        let Some(options) = stan.options(nats)? else { return Ok(None) };
        let subscribe = SubscribeOptions {
            channel: stan.channel.clone(),
            queue_group: stan.queue_group.clone(),
            durable: Some(stan.durable.clone()),
            start: Start::First,
            max_in_flight: stan.max_in_flight,
            ack_wait: stan.ack_wait,
        };
        let watches_gaps = subscribe.queue_group.is_none();
        let names = Names::new(options.cluster_id(), &stan.channel, stan.ack_wait);
        let consumer = Some(Consumer::new(options, subscribe)?);
        Ok(Some(Self {
            consumer,
            names,
            upstream: Upstream::new(SourceKind::Stan, &stan.channel, watches_gaps),
            health: register(),
            gaps: None,
            incarnation: 0,
            failures: 0,
            was_connecting: false,
            dropped: 0,
            refused: Refused::new(
                "deliveries do not fit PIPELINE_BYTES and come again after STAN_ACK_WAIT: raise PIPELINE_BYTES or lower STAN_MAX_IN_FLIGHT",
            ),
        }))
    }

    /// How far the channel is, from the first connection on.
    #[must_use]
    pub fn upstream(&self) -> &Upstream {
        &self.upstream
    }

    /// Says how the subscription does, by the age of the last answer rather than by a flag.
    fn judge(&mut self, state: &State) {
        match state {
            State::Connecting { reason, failures, .. } => {
                telemetry::stan_connected(false);
                if let Some(reason) = reason {
                    let tries = failures.saturating_sub(self.failures);
                    self.health.down_after(tries.into(), reason.as_str());
                }
                self.failures = *failures;
                self.was_connecting = true;
            }
            State::Connected { session, incarnation, .. } => {
                self.failures = 0;
                let silence = session.silence();
                telemetry::stan_connected(silence < SILENCE);
                if silence < SILENCE {
                    self.health.up();
                } else {
                    self.health
                        .down(format!("the server has not answered a ping for {} s", silence.as_secs()));
                }
                if *incarnation != self.incarnation && self.incarnation > 0 {
                    telemetry::stan_reconnected();
                    if !self.was_connecting {
                        tracing::info!("stan: the connection was lost and made anew within a second");
                    }
                }
                self.was_connecting = false;
                self.incarnation = *incarnation;
                let dropped = session.dropped();
                telemetry::deliveries_dropped(SourceKind::Stan, dropped.saturating_sub(self.dropped));
                self.dropped = dropped;
            }
            State::Stopped => {}
        }
    }

    /// Gives a hole its whole time again whenever what would fill it may be held up; what has lasted too long is lost. Called
    /// before [`Self::judge`], which remembers what was seen.
    fn judge_gaps(&mut self, state: &State, late: Duration, inbox: &Inbox) {
        let Some(gaps) = &mut self.gaps else { return };
        let undisturbed = matches!(state, State::Connected { session, incarnation, .. }
            if *incarnation == self.incarnation
                && session.dropped() == self.dropped
                && session.silence() < HELD_UP
                && late < HELD_UP);
        if !undisturbed {
            return gaps.wait_anew(Instant::now());
        }
        let lost = gaps.lost(Instant::now());
        if let (Some((first, last)), more) = (lost.first(), lost.len().saturating_sub(1)) {
            tracing::warn!(
                channel = self.upstream.channel(),
                first,
                last,
                more,
                "the channel skipped messages, which did not come within three STAN_ACK_WAIT: the broker has lost them, /api/status lists them"
            );
            inbox.miss(self.names.missing(gaps));
        }
    }
}

#[async_trait]
impl Source for StanSource {
    async fn resume(&mut self, store: &dyn Store) -> store::Result<()> {
        if self.upstream.watches_gaps() {
            let channel = self.upstream.channel();
            let missing = store.missing(SourceKind::Stan, channel).await?;
            let channels = store.status().await?.channels;
            let last = channels
                .iter()
                .find(|place| place.source == SourceKind::Stan && place.channel == channel)
                .map(|place| (place.last_sequence, place.last_published_at_ns));
            self.gaps = Some(Gaps::new(self.names.ack_wait, last, &missing, Instant::now()));
        }
        Ok(())
    }

    async fn run(&mut self, inbox: Inbox, stop: CancellationToken) {
        let Some(mut consumer) = self.consumer.take() else { return };
        let state = consumer.state();
        let mut judge = interval(JUDGE);
        let mut looking = pin!(look_at_end(consumer.state(), self.upstream.clone()));
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                due = judge.tick() => {
                    let state = state.borrow().clone();
                    self.judge_gaps(&state, due.elapsed(), &inbox);
                    self.judge(&state);
                    self.refused.tell(&self.health);
                }
                never = &mut looking => match never {},
                message = consumer.next() => {
                    let Some(message) = message else { break };
                    let delivery = self.names.delivery(message);
                    // Before it is handed over: what there is no room for has come and comes again, and is no hole.
                    if let Some(gaps) = &mut self.gaps
                        && gaps.see(delivery.message.sequence, delivery.message.published_at_ns, Instant::now())
                    {
                        inbox.miss(self.names.missing(gaps));
                    }
                    if inbox.receive(delivery) == Received::Dropped {
                        self.refused.add();
                    }
                }
            }
        }
        consumer.stop().await;
        self.consumer = Some(consumer);
    }

    async fn finish(&mut self) -> bool {
        let Some(consumer) = self.consumer.take() else { return true };
        match consumer.finish(FINISH).await {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!(%error, "it is not known whether the last acks arrived: what they were for may come again");
                false
            }
        }
    }
}

/// An acker with the ack wait of its subscription.
#[derive(Debug)]
struct StanAck {
    acker: Acker,
    wait: Duration,
}

impl Ack for StanAck {
    fn ack(self: Box<Self>) {
        self.acker.ack();
    }

    fn wait(&self) -> Option<Duration> {
        Some(self.wait)
    }
}

/// What messages of one subscription have in common.
#[derive(Debug)]
struct Names {
    prefix: String,
    channel: Arc<str>,
    ack_wait: Duration,
}

impl Names {
    fn new(cluster_id: &str, channel: &str, ack_wait: Duration) -> Self {
        Self { prefix: format!("stan:{cluster_id}/{channel}/"), channel: channel.into(), ack_wait }
    }

    fn missing(&self, gaps: &Gaps) -> Missing {
        Missing { source: SourceKind::Stan, channel: Arc::clone(&self.channel), gaps: gaps.missing() }
    }

    fn delivery(&self, delivered: Delivered) -> Delivery {
        let Delivered { sequence, timestamp_ns, data, acker, .. } = delivered;
        let message = Message {
            message_id: format!("{}{sequence}@{timestamp_ns}", self.prefix).into(),
            source: SourceKind::Stan,
            channel: Arc::clone(&self.channel),
            sequence: i64::try_from(sequence).unwrap_or(i64::MAX),
            published_at_ns: timestamp_ns,
            payload: own(&data),
        };
        let acker = StanAck { acker, wait: self.ack_wait };
        Delivery { message, acker: Some(Box::new(acker)) }
    }
}
