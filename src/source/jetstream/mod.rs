//! A durable pull consumer of JetStream, and the acks to it.

mod acks;
mod consumer;
mod forgotten;
mod life;
mod names;
mod pull;
mod requests;
mod session;
mod writer;

use std::{
    collections::BTreeSet,
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use async_nats::{Subject, connection::State, jetstream};
use async_trait::async_trait;
use tokio::{
    sync::watch,
    time::{interval, sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    config::{JetStreamSettings, LimitSettings, NatsSettings, StoreSettings},
    inbox::{Inbox, Received},
    nats,
    store::{Pauses, SourceKind},
    telemetry::{self, Part, Upstream},
};

use self::{
    acks::{Acks, Sent},
    consumer::Wanted,
    life::Life,
    names::Names,
    pull::Pull,
    session::{SILENCE, Session, Trouble},
    writer::{Live, Writer},
};
use super::{Delivery, Source, refused::Refused};

/// How often the source's health is judged.
const JUDGE: Duration = Duration::from_secs(1);

/// How long a session must have lived for the pauses between tries to start small again.
const STABLE: Duration = Duration::from_secs(10);

/// How long the last acks may take to be proven at a shutdown; SHUTDOWN_TIMEOUT cuts it further.
const FINISH: Duration = Duration::from_secs(10);

/// How long a connection may prove nothing meanwhile before another one is tried, and how often it is looked at.
const UNPROVEN: Duration = Duration::from_secs(4);
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// For so many ack waits an ack that was forgotten counts as unproven: its message came again after one, and was acked since.
const COME_AGAIN: u32 = 3;

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
    /// Of the consumer that was found last.
    ack_wait: Duration,
    /// The last session ended because the server did not deliver: it works again when a request for messages is heard of.
    turned_down: bool,
    /// Sessions so far.
    sessions: u64,
    /// What was said of the stream and the consumer: once a process.
    warned: BTreeSet<String>,
    /// Deliveries that came and that nobody took in time, over all sessions, and how many of them are counted.
    unread: Arc<AtomicU64>,
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
            ack_wait: Duration::ZERO,
            turned_down: false,
            sessions: 0,
            warned: BTreeSet::new(),
            unread: Arc::default(),
            counted: AtomicU64::new(0),
            tasks: TaskTracker::new(),
        }))
    }

    /// How far the stream is.
    #[must_use]
    pub fn upstream(&self) -> &Upstream {
        &self.upstream
    }

    /// A session with a consumer that fits; it is made where there is none.
    async fn open_to_read(&mut self) -> Result<Session, Trouble> {
        let session = self.open(true).await?;
        session.fits()?;
        Ok(session)
    }

    /// Acks go out over what this opens, whether the consumer fits or not. With `make` it is made where there is none.
    async fn open(&mut self, make: bool) -> Result<Session, Trouble> {
        // Boxed: what connects is large, and part of every future that waits for it.
        let session = Box::pin(Session::open(&self.options, &self.wanted, &self.unread, make)).await?;
        for warning in &session.found.warnings {
            if self.warned.insert(warning.clone()) {
                tracing::warn!("{warning}");
            }
        }
        self.life.goes_on_with(&session.found);
        self.ack_wait = session.consumer.cached_info().config.ack_wait;
        self.live.send_replace(Some(Live { client: session.client.clone(), life: self.life.number }));
        Ok(session)
    }

    /// Reads until `stop` or until the session is over, and why.
    async fn read(&self, session: &Session, inbox: &Inbox, stop: &CancellationToken) -> Option<Trouble> {
        let mut pull = match Pull::open(session, self.wanted.batch_size).await {
            Ok(pull) => pull,
            Err(trouble) => return Some(trouble),
        };
        let wait = self.ack_wait;
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
        if trouble.as_ref().is_none_or(Trouble::leaves_connection) {
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
        let sent = Sent { subject: reply.clone(), sequence, life: self.life.number };
        let acker = self.acks.acker(sent, wait);
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
            let pause = session.pause();
            let delivers = pause.is_none() && (!self.turned_down || session.delivers());
            let works = delivers && session.silence() < SILENCE;
            telemetry::jetstream_connected(works);
            if works {
                self.health.up();
            } else if let Some(pause) = pause {
                // Nothing was tried that has failed.
                self.health.down_after(0, pause);
            }
            self.refused.tell(&self.health);
            let unread = self.unread.load(Ordering::Relaxed);
            let before = self.counted.swap(unread, Ordering::Relaxed);
            telemetry::deliveries_dropped(SourceKind::JetStream, unread.saturating_sub(before));
        }
    }

    /// Connects anew when the connection is lost or proves nothing: what is unproven goes out over the new one. Ends when the
    /// consumer is gone, which nobody would read if it were made anew.
    async fn reconnect(&mut self) {
        let mut pauses = Pauses::default();
        loop {
            let since = Instant::now();
            while self.is_connected() && since.elapsed() < UNPROVEN {
                sleep(LOOK_AGAIN).await;
            }
            match self.open(false).await {
                Ok(_) => {}
                Err(Trouble::Removed(_) | Trouble::NoStream { .. }) => return,
                Err(_) => pauses.wait().await,
            }
        }
    }

    fn is_connected(&self) -> bool {
        let connected = |live: &Live| live.client.connection_state() == State::Connected;
        self.live.borrow().as_ref().is_some_and(connected)
    }

    fn lost(&mut self, trouble: &Trouble) {
        if !trouble.leaves_connection() {
            self.live.send_replace(None);
        }
        self.upstream.saw_waiting(None);
        telemetry::jetstream_connected(false);
        self.turned_down = trouble.is_of_requests();
        self.health.down(trouble.to_string());
        // What the last second refused is not news any more.
        self.health.set_details(Vec::new());
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
                opened = self.open_to_read() => opened,
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
        let acks = self.acks.clone();
        let proven = timeout(FINISH, async {
            tokio::select! {
                // First: where nothing is unproven no connection is needed.
                biased;
                () = acks.proven() => true,
                () = self.reconnect() => false,
            }
        });
        let proven = proven.await.unwrap_or(false) && !acks.forgot_within(self.ack_wait * COME_AGAIN);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::testing::settings, telemetry::Board};

    #[test]
    fn what_was_refused_is_not_told_any_more_once_the_session_is_lost() {
        let (board, settings) = (Board::default(), settings(&["--jetstream-url=nats://127.0.0.1:1"]));
        let register = || board.register("jetstream", None);
        let (limits, store) = (&settings.limits, &settings.store);
        let source = JetStreamSource::new(&settings.jetstream, &settings.nats, limits, store, register);
        let mut source = source.expect("sound settings").expect("they name a server");
        source.refused.add();
        source.refused.tell(&source.health);
        assert_eq!(board.snapshot()[0].details.len(), 1);
        source.lost(&Trouble::Closed);
        assert_eq!(board.snapshot()[0].details, [""; 0]);
    }
}
