//! One connection, from the look-up of the stream to its end.

use std::{
    error::Error as _,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use async_nats::{
    Client,
    jetstream::{
        Context, ErrorCode,
        consumer::{Info, PullConsumer},
        context::{
            ConsumerInfoError, ConsumerInfoErrorKind, ContextBuilder, GetStreamError, GetStreamErrorKind,
            RequestError, RequestErrorKind,
        },
        stream::{self, ConsumerCreateStrictError, ConsumerCreateStrictErrorKind, StorageType, Stream},
    },
};
use thiserror::Error;
use time::OffsetDateTime;
use tokio::time::{MissedTickBehavior, interval};

use super::consumer::{BATCHES, Wanted};
use crate::{nats, telemetry::Upstream};

/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(5);

/// How often the server is asked how the consumer does: a round trip to the node that leads it, and the lag.
const LOOK: Duration = Duration::from_secs(5);

/// How long it may leave that unanswered before the source counts as down, and another node is tried.
pub(super) const SILENCE: Duration = Duration::from_secs(15);

/// Why there is no session, or none any more. All of it is tried again.
#[derive(Debug, Error)]
pub(super) enum Trouble {
    #[error(transparent)]
    Connect(#[from] nats::ConnectError),
    #[error(
        "the server at JETSTREAM_URL does not answer for JetStream: it is not switched on (`nats-server -js`), or its cluster has no leader for now"
    )]
    NoJetStream,
    #[error(
        "there is no stream {stream}. Make it, with `--replicas 3` in a cluster: `nats stream add {stream} --subjects '{subject}' --storage file --retention limits --discard new --defaults`; or set JETSTREAM_STREAM to one that is there"
    )]
    NoStream { stream: String, subject: String },
    #[error(
        "stream {stream} keeps {subjects}, and nothing of JETSTREAM_SUBJECT={subject}: set that to what it keeps, or let the stream keep it, by `nats stream edit {stream} --subjects …`"
    )]
    NotKept { stream: String, subject: String, subjects: String },
    #[error(
        "consumer {name} of stream {stream} does not fit: {}. Change it by `nats consumer edit {stream} {name}`; or remove it and it is made anew, whereupon everything that the stream holds comes again and is settled as unchanged; or set JETSTREAM_CONSUMER to a name that is free",
        mismatches.join("; ")
    )]
    Mismatch { stream: String, name: String, mismatches: Vec<String> },
    #[error(
        "consumer {name} can not be made with max ack pending {pending}, {BATCHES} times BATCH_SIZE: {error}. Raise that limit, lower BATCH_SIZE, or make the consumer beforehand with what the limit allows"
    )]
    Limited { name: String, pending: i64, error: String },
    #[error("consumer {0} was removed")]
    Removed(String),
    #[error(
        "the server turns requests for messages of consumer {name} down: {says}. See what it is limited to by `nats consumer info {stream} {name}` and raise that by `nats consumer edit {stream} {name}`"
    )]
    TurnedDown { stream: String, name: String, says: String },
    #[error(
        "the server has not answered requests for messages of consumer {name} for {} s. `nats consumer info {stream} {name}` shows whether somebody else makes as many as may wait (Waiting Pulls)",
        silence.as_secs()
    )]
    Unanswered { stream: String, name: String, silence: Duration },
    #[error("{what}: {error}")]
    Refused { what: &'static str, error: String },
    #[error("the server has not answered as it should for {} s: {last}", silence.as_secs())]
    Silent { silence: Duration, last: String },
    #[error("the NATS connection is closed")]
    Closed,
}

impl Trouble {
    /// Whether the server answers for the consumer and does not deliver: an answer is then no sign that it works again.
    pub(super) fn is_of_requests(&self) -> bool {
        matches!(self, Self::TurnedDown { .. } | Self::Unanswered { .. })
    }

    /// Whether the connection works all the same, and the consumer is the one that was found: acks go on, and what was delivered
    /// can be given back.
    pub(super) fn leaves_connection(&self) -> bool {
        self.is_of_requests() || matches!(self, Self::Mismatch { .. })
    }
}

/// What tells one stream and its consumer from others of the same names, and what should be known of them.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) warnings: Vec<String>,
    pub(super) created: [OffsetDateTime; 2],
    pub(super) last_sequence: u64,
    pub(super) in_memory: bool,
}

/// What the last answer for the consumer says.
#[derive(Debug, Clone, Copy)]
struct Seen {
    at: Instant,
    /// For how long it is paused. It delivers nothing then; acks are taken, and requests for messages wait.
    paused: Option<Duration>,
}

impl Seen {
    fn now(info: &Info) -> Self {
        Self { at: Instant::now(), paused: info.paused.then(|| info.pause_remaining.unwrap_or_default()) }
    }
}

/// A connection with the stream and its consumer.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) client: Client,
    pub(super) context: Context,
    pub(super) consumer: PullConsumer,
    pub(super) found: Found,
    stream: stream::Config,
    wanted: Wanted,
    seen: Mutex<Seen>,
    delivers: AtomicBool,
}

impl Session {
    /// Connects, and finds the stream and the consumer; with `make` that is made where there is none. Whether it fits is not said.
    pub(super) async fn open(
        options: &nats::Options,
        wanted: &Wanted,
        unread: &Arc<AtomicU64>,
        make: bool,
    ) -> Result<Self, Trouble> {
        let client = nats::connect(options, &wanted.name, unread).await?;
        let context = ContextBuilder::new().timeout(ANSWER).build(client.clone());
        let found = context.get_stream(&wanted.stream).await.map_err(|error| match error.kind() {
            GetStreamErrorKind::JetStream(error) if error.error_code() == ErrorCode::STREAM_NOT_FOUND => {
                wanted.no_stream()
            }
            GetStreamErrorKind::Request if is_unheard(&error) => Trouble::NoJetStream,
            GetStreamErrorKind::Request
            | GetStreamErrorKind::EmptyName
            | GetStreamErrorKind::InvalidStreamName
            | GetStreamErrorKind::JetStream(_) => {
                Trouble::Refused { what: "the stream can not be looked up", error: error.to_string() }
            }
        })?;
        let of_stream = found.cached_info();
        let stream = of_stream.config.clone();
        if !wanted.is_kept_by(&stream) {
            let (stream, subjects) = (wanted.stream.clone(), stream.subjects.join(", "));
            return Err(Trouble::NotKept { stream, subject: wanted.subject.clone(), subjects });
        }
        let info = match found.consumer_info(&wanted.name).await {
            Ok(info) => info,
            Err(error) if make && error.kind() == ConsumerInfoErrorKind::NotFound => {
                make_consumer(&found, wanted).await?
            }
            Err(error) => return Err(wanted.not_looked_up(&error)),
        };
        let found = Found {
            warnings: wanted.warnings(&stream, &info.config),
            created: [of_stream.created, info.created],
            last_sequence: of_stream.state.last_sequence,
            in_memory: stream.storage == StorageType::Memory,
        };
        let seen = Mutex::new(Seen::now(&info));
        // Of the configuration nothing is used.
        let consumer = PullConsumer::new(wanted.config(), info, context.clone());
        Ok(Self {
            client,
            context,
            consumer,
            found,
            stream,
            wanted: wanted.clone(),
            seen,
            delivers: AtomicBool::new(false),
        })
    }

    /// How long ago the server last answered.
    pub(super) fn silence(&self) -> Duration {
        self.seen().at.elapsed()
    }

    /// That the consumer is paused, if it is, and what ends that.
    pub(super) fn pause(&self) -> Option<String> {
        let (stream, name) = self.names();
        self.seen().paused.map(|remaining| {
            format!(
                "consumer {name} of stream {stream} is paused for {} s more, and delivers nothing until then: `nats consumer resume {stream} {name}` ends that",
                remaining.as_secs()
            )
        })
    }

    /// Whether the consumer was as it must be when it was found.
    pub(super) fn fits(&self) -> Result<(), Trouble> {
        self.wanted.fits(&self.stream, self.consumer.cached_info())
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().expect("nothing panics under this lock")
    }

    /// Of the stream and of the consumer.
    pub(super) fn names(&self) -> (String, String) {
        (self.wanted.stream.clone(), self.wanted.name.clone())
    }

    /// Whether a request for messages was heard of.
    pub(super) fn delivers(&self) -> bool {
        self.delivers.load(Ordering::Relaxed)
    }

    /// A request for messages was heard of.
    pub(super) fn heard_of_request(&self) {
        self.delivers.store(true, Ordering::Relaxed);
    }

    /// Asks the server again and again how the consumer does, until that says that the session is over.
    pub(super) async fn look(&self, upstream: &Upstream) -> Trouble {
        let mut ticks = interval(LOOK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let trouble = match self.consumer.get_info().await {
                // A stream that is made anew has lost its consumers, so the time of the consumer tells both.
                Ok(info) if info.created != self.found.created[1] => Trouble::Removed(info.name),
                Ok(info) => {
                    *self.seen() = Seen::now(&info);
                    upstream.saw_waiting(Some(info.num_pending));
                    match self.wanted.fits(&self.stream, &info) {
                        Ok(()) => continue,
                        Err(mismatch) => mismatch,
                    }
                }
                Err(error) => self.wanted.not_looked_up(&error),
            };
            upstream.saw_waiting(None);
            match trouble {
                // A node that is gone is followed by another within seconds.
                Trouble::Refused { .. } | Trouble::NoJetStream if self.silence() < SILENCE => {}
                last @ (Trouble::Refused { .. } | Trouble::NoJetStream) => {
                    return Trouble::Silent { silence: self.silence(), last: last.to_string() };
                }
                over => return over,
            }
        }
    }
}

/// Whether nobody listens to such requests.
fn is_unheard(error: &GetStreamError) -> bool {
    let request = error.source().and_then(|source| source.downcast_ref::<RequestError>());
    request.is_some_and(|request| request.kind() == RequestErrorKind::NoResponders)
}

/// Another instance may make it at the same time: the same one, or it does not fit and is told.
async fn make_consumer(stream: &Stream, wanted: &Wanted) -> Result<Info, Trouble> {
    match stream.create_consumer_strict(wanted.config()).await {
        Ok(made) => {
            tracing::info!(stream = wanted.stream, consumer = wanted.name, "made the JetStream consumer");
            Ok(made.cached_info().clone())
        }
        Err(error) if matches!(error.kind(), ConsumerCreateStrictErrorKind::AlreadyExists) => {
            stream.consumer_info(&wanted.name).await.map_err(|error| wanted.not_looked_up(&error))
        }
        Err(error) => Err(wanted.not_made(&error)),
    }
}

impl Wanted {
    fn fits(&self, stream: &stream::Config, info: &Info) -> Result<(), Trouble> {
        let mismatches = self.mismatches(stream, &info.config);
        let (stream, name) = (self.stream.clone(), self.name.clone());
        if mismatches.is_empty() { Ok(()) } else { Err(Trouble::Mismatch { stream, name, mismatches }) }
    }

    fn not_made(&self, error: &ConsumerCreateStrictError) -> Trouble {
        let text = error.to_string();
        match error.kind() {
            ConsumerCreateStrictErrorKind::JetStream(error)
                if error.error_code() == ErrorCode::CONSUMER_MAX_PENDING_ACK_EXCESS =>
            {
                Trouble::Limited { name: self.name.clone(), pending: self.max_ack_pending(), error: text }
            }
            _ => Trouble::Refused { what: "the consumer can not be made", error: text },
        }
    }

    fn no_stream(&self) -> Trouble {
        Trouble::NoStream { stream: self.stream.clone(), subject: self.subject.clone() }
    }

    fn not_looked_up(&self, error: &ConsumerInfoError) -> Trouble {
        match error.kind() {
            ConsumerInfoErrorKind::NotFound => Trouble::Removed(self.name.clone()),
            ConsumerInfoErrorKind::StreamNotFound => self.no_stream(),
            ConsumerInfoErrorKind::NoResponders => Trouble::NoJetStream,
            ConsumerInfoErrorKind::InvalidName
            | ConsumerInfoErrorKind::Offline
            | ConsumerInfoErrorKind::Request
            | ConsumerInfoErrorKind::JetStream(_)
            | ConsumerInfoErrorKind::TimedOut => {
                Trouble::Refused { what: "the consumer can not be looked up", error: error.to_string() }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_that_ends_with_its_connection_sound_leaves_that_to_the_acks() {
        let (stream, name) = (String::new, String::new);
        for trouble in [
            Trouble::TurnedDown { stream: stream(), name: name(), says: String::new() },
            Trouble::Unanswered { stream: stream(), name: name(), silence: SILENCE },
            Trouble::Mismatch { stream: stream(), name: name(), mismatches: Vec::new() },
        ] {
            assert!(trouble.leaves_connection(), "{trouble}");
        }
        for trouble in [
            Trouble::Closed,
            Trouble::Removed(name()),
            Trouble::NoStream { stream: stream(), subject: String::new() },
            Trouble::Silent { silence: SILENCE, last: String::new() },
        ] {
            assert!(!trouble.leaves_connection(), "{trouble}");
        }
    }
}
