//! A durable pull consumer of JetStream, and the acks to it.

mod acks;
mod consumer;
mod pull;
mod session;

use std::{
    collections::BTreeSet,
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use async_nats::{Subject, jetstream};
use async_trait::async_trait;
use time::OffsetDateTime;
use tokio::{
    sync::watch,
    time::{interval, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    config::{JetStreamSettings, LimitSettings, NatsSettings, StoreSettings},
    inbox::{Inbox, Received},
    nats,
    store::{Message, Pauses, SourceKind},
    telemetry::{self, Part, Upstream},
};

use self::{
    acks::{Acks, Live, Writer},
    consumer::Wanted,
    pull::Pull,
    session::{Found, SILENCE, Session, Trouble},
};
use super::{Delivery, Source, own, refused::Refused};

/// How often the source's health is judged.
const JUDGE: Duration = Duration::from_secs(1);

/// How long a session must have lived for the pauses between tries to start small again.
const STABLE: Duration = Duration::from_secs(10);

/// How long the last acks may take to be proven at a shutdown; SHUTDOWN_TIMEOUT cuts it further.
const FINISH: Duration = Duration::from_secs(10);

/// How long the connection may take to close after that.
const CLOSE: Duration = Duration::from_secs(2);

/// A durable consumer of one subject of a stream.
///
/// A session is one NATS connection, as with STAN: when it is lost, or the server does not answer, another is opened. What was not
/// acked then comes again after the ack wait, to whichever instance asks for it. Acks do not belong to a session: those that are
/// not proven go out again over the next one.
#[derive(Debug)]
pub struct JetStreamSource {
    options: nats::Options,
    wanted: Wanted,
    names: Names,
    upstream: Upstream,
    health: Part,
    refused: Refused,
    acks: Acks,
    writer: Option<Writer>,
    live: watch::Sender<Option<Live>>,
    life: Life,
    /// Sessions so far.
    sessions: u64,
    /// What was said of the stream and the consumer: once a process.
    warned: BTreeSet<String>,
    /// Deliveries that came and that nobody took in time, over all sessions, and how many of them are counted.
    dropped: Arc<AtomicU64>,
    counted: AtomicU64,
    tasks: TaskTracker,
}

impl JetStreamSource {
    /// A source as the settings describe it, or `None` when they name no server. Nothing is sent before it runs.
    ///
    /// # Errors
    /// When the settings can't work.
    pub fn new(
        settings: &JetStreamSettings,
        nats: &NatsSettings,
        limits: &LimitSettings,
        store: &StoreSettings,
        register: impl FnOnce() -> Part,
    ) -> Result<Option<Self>, nats::OptionsError> {
        let Some(url) = &settings.url else { return Ok(None) };
        let (live, watched) = watch::channel(None);
        let (acks, writer) = Acks::new(watched);
        Ok(Some(Self {
            options: nats.options(url)?,
            wanted: Wanted {
                stream: settings.stream.clone(),
                subject: settings.subject.clone(),
                name: settings.consumer.clone(),
                batch_size: limits.batch_size,
                store_timeout: store.timeout,
            },
            names: Names::new(&settings.stream),
            upstream: Upstream::new(SourceKind::JetStream, &settings.stream, false),
            health: register(),
            refused: Refused::new(
                "deliveries do not fit PIPELINE_BYTES and come again in a moment: raise PIPELINE_BYTES",
            ),
            acks,
            writer: Some(writer),
            live,
            life: Life::default(),
            sessions: 0,
            warned: BTreeSet::new(),
            dropped: Arc::default(),
            counted: AtomicU64::new(0),
            tasks: TaskTracker::new(),
        }))
    }

    /// How far the stream is.
    #[must_use]
    pub fn upstream(&self) -> &Upstream {
        &self.upstream
    }

    async fn open(&mut self) -> Result<Session, Trouble> {
        // Boxed: what connects is large, and part of every future that waits for it.
        let session = Box::pin(Session::open(&self.options, &self.wanted, &self.dropped)).await?;
        for warning in &session.found.warnings {
            if self.warned.insert(warning.clone()) {
                tracing::warn!("{warning}");
            }
        }
        self.life.goes_on_with(&session.found);
        self.live.send_replace(Some(Live { client: session.client.clone(), life: self.life.number }));
        Ok(session)
    }

    /// Reads until `stop` or until the session is over, and why.
    async fn read(&self, session: &Session, inbox: &Inbox, stop: &CancellationToken) -> Option<Trouble> {
        let mut pull = match Pull::open(session, self.wanted.batch_size).await {
            Ok(pull) => pull,
            Err(trouble) => return Some(trouble),
        };
        let wait = session.consumer.cached_info().config.ack_wait;
        let take = |message| {
            let message = jetstream::Message { message, context: session.context.clone() };
            self.take(&message, wait, inbox)
        };
        let trouble = tokio::select! {
            // Deliveries come last: at full rate they are always ready, and nothing behind them would have its turn.
            biased;
            () = stop.cancelled() => None,
            trouble = session.look(&self.upstream) => Some(trouble),
            never = self.judge(session) => match never {},
            trouble = pull.run(session, inbox, take) => Some(trouble),
        };
        if trouble.is_none() {
            pull.stop(session).await;
        }
        trouble
    }

    /// Hands a delivery over; says which one found no room.
    fn take(&self, message: &jetstream::Message, wait: Duration, inbox: &Inbox) -> Option<Subject> {
        let (Some(reply), Ok(info)) = (&message.reply, message.info()) else {
            // Nobody but the server knows the inbox; if somebody guesses it, that is no message of the stream.
            tracing::warn!(stream = self.wanted.stream, "skipped a delivery that is no JetStream message");
            return None;
        };
        let (sequence, published) = (info.stream_sequence, info.published);
        self.life.last.fetch_max(sequence, Ordering::Relaxed);
        let acker = self.acks.acker(reply.clone(), self.life.number, wait);
        let message = self.names.message(sequence, published, &message.payload);
        let received = inbox.receive(Delivery { message, acker: Some(acker) });
        (received == Received::Dropped).then(|| {
            self.refused.add();
            reply.clone()
        })
    }

    /// Says how the session does, by the age of the last answer, for as long as it is awaited.
    async fn judge(&self, session: &Session) -> Infallible {
        let mut ticks = interval(JUDGE);
        loop {
            ticks.tick().await;
            let silence = session.silence();
            telemetry::jetstream_connected(silence < SILENCE);
            if silence < SILENCE {
                self.health.up();
            }
            self.refused.tell(&self.health);
            let dropped = self.dropped.load(Ordering::Relaxed);
            let before = self.counted.swap(dropped, Ordering::Relaxed);
            telemetry::deliveries_dropped(SourceKind::JetStream, dropped.saturating_sub(before));
        }
    }

    fn lost(&mut self, trouble: &Trouble) {
        self.live.send_replace(None);
        self.upstream.saw_waiting(None);
        telemetry::jetstream_connected(false);
        self.health.down(trouble.to_string());
    }
}

#[async_trait]
impl Source for JetStreamSource {
    async fn run(&mut self, inbox: Inbox, stop: CancellationToken) {
        if let Some(writer) = self.writer.take() {
            self.tasks.spawn(writer.run());
        }
        let mut pauses = Pauses::default();
        loop {
            let opened = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                opened = self.open() => opened,
            };
            let trouble = match opened {
                Ok(session) => {
                    self.sessions += 1;
                    if self.sessions > 1 {
                        telemetry::jetstream_reconnected();
                    }
                    let since = Instant::now();
                    let Some(trouble) = self.read(&session, &inbox, &stop).await else { return };
                    if since.elapsed() >= STABLE {
                        pauses = Pauses::default();
                    }
                    trouble
                }
                Err(trouble) => trouble,
            };
            self.lost(&trouble);
            if stop.run_until_cancelled(pauses.wait()).await.is_none() {
                return;
            }
        }
    }

    async fn finish(&mut self) -> bool {
        if self.sessions == 0 {
            return true;
        }
        let proven = timeout(FINISH, async {
            // The connection was lost when it stopped: what it did not prove can still be sent over another.
            while self.live.borrow().is_none() {
                if self.open().await.is_err() {
                    Pauses::default().wait().await;
                }
            }
            self.acks.proven().await;
        });
        let proven = proven.await.is_ok();
        if !proven {
            tracing::warn!(
                "it is not known whether the last acks to JetStream arrived: what they were for may come again"
            );
        }
        if let Some(live) = self.live.send_replace(None) {
            // A failure costs nothing: the server notices when the socket closes.
            drop(timeout(CLOSE, live.client.drain()).await);
        }
        proven
    }
}

/// Which life of the stream and its consumer this is. The numbers of a stream that was made anew begin at 1 again, and an ack
/// names its message by number: one that was made in a former life must not go out.
#[derive(Debug, Default)]
struct Life {
    number: u64,
    created: Option<[OffsetDateTime; 2]>,
    /// The greatest number delivered in it.
    last: AtomicU64,
}

impl Life {
    /// The same life is known by when both were made, and by numbers that do not fall. What is kept in memory on one node of a
    /// cluster begins at 1 again with that node, and nothing shows of it.
    fn goes_on_with(&mut self, found: &Found) {
        let last = *self.last.get_mut();
        let same = self.created == Some(found.created) && found.last_sequence >= last && !found.in_memory;
        if !same {
            *self = Self { number: self.number + 1, created: Some(found.created), last: AtomicU64::new(0) };
        }
    }
}

/// What messages of one stream have in common.
#[derive(Debug)]
struct Names {
    prefix: String,
    channel: Arc<str>,
}

impl Names {
    fn new(stream: &str) -> Self {
        Self { prefix: format!("jetstream:{stream}/"), channel: stream.into() }
    }

    fn message(&self, sequence: u64, published: OffsetDateTime, payload: &bytes::Bytes) -> Message {
        let published_at_ns = i64::try_from(published.unix_timestamp_nanos()).unwrap_or(i64::MAX);
        Message {
            message_id: format!("{}{sequence}@{published_at_ns}", self.prefix).into(),
            source: SourceKind::JetStream,
            channel: Arc::clone(&self.channel),
            sequence: i64::try_from(sequence).unwrap_or(i64::MAX),
            published_at_ns,
            payload: own(payload),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(created: i64, last_sequence: u64) -> Found {
        let created = [0, created].map(|at| OffsetDateTime::from_unix_timestamp(at).expect("a time"));
        Found { warnings: Vec::new(), created, last_sequence, in_memory: false }
    }

    #[test]
    fn a_message_is_known_by_stream_number_and_time() {
        let at = OffsetDateTime::from_unix_timestamp_nanos(1_700_000_000_000_000_007).expect("a time");
        let message = Names::new("ORDERS").message(5, at, &bytes::Bytes::from_static(b"{}"));
        assert_eq!(&*message.message_id, "jetstream:ORDERS/5@1700000000000000007");
        assert_eq!((message.sequence, message.published_at_ns), (5, 1_700_000_000_000_000_007));
    }

    #[test]
    fn acks_of_a_stream_or_consumer_that_was_made_anew_are_of_a_former_life() {
        let mut life = Life::default();
        life.goes_on_with(&found(1, 10));
        let first = life.number;
        life.last.fetch_max(10, Ordering::Relaxed);
        life.goes_on_with(&found(1, 12));
        assert_eq!(life.number, first, "the same goes on");
        life.goes_on_with(&found(2, 12));
        assert_eq!(life.number, first + 1, "the consumer was made anew");
        life.last.fetch_max(12, Ordering::Relaxed);
        life.goes_on_with(&found(2, 11));
        assert_eq!(life.number, first + 2, "its numbers fell");
        life.goes_on_with(&Found { in_memory: true, ..found(2, 11) });
        assert_eq!(life.number, first + 3, "nothing tells whether it began again");
    }
}
