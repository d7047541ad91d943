//! Publishing: a bounded window of messages that wait for their ack, and exactly one outcome for each.
//!
//! Every publish has a reply subject of its own, `_STAN.acks.<id>.<n>`. So the "no responders" that NATS sends while the
//! streaming server is away, which names no message, still reaches the right one: it is the one proof that a message was
//! not stored.

use std::{
    collections::BTreeMap,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use async_nats::{StatusCode, Subscriber};
use bytes::Bytes;
use futures_util::StreamExt;
use prost::Message as _;
use thiserror::Error;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::{
    error::Lost,
    name::{self, InvalidName},
    proto,
    session::Session,
};

/// What became of a published message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The server has stored it (and synced it to disk, with a file store and default settings).
    Stored,
    /// The server has not stored it and will not: publishing it again makes no duplicate.
    NotStored(NotStored),
    /// It may be stored or not. Publishing it again may store it twice, the second time behind later messages.
    Unknown(Unknown),
}

/// Why a message is certainly not stored.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NotStored {
    /// Nobody listened for it.
    #[error("no NATS Streaming server answers: it is down or starting")]
    NoServer,
    /// The connection was over before it was sent.
    #[error("not connected: {0}")]
    NotConnected(Lost),
    /// NATS did not take it in time: the link is stuck.
    #[error("NATS took no message for {0:?}")]
    Stuck(Duration),
    /// The server has dropped this client; the connection will be found lost in a moment.
    #[error("the NATS Streaming server does not know this client any more")]
    Forgotten,
    /// The channel is being deleted; the next message creates it again.
    #[error("the channel is being deleted")]
    ChannelGoing,
    /// A channel that the server would refuse.
    #[error(transparent)]
    Name(#[from] InvalidName),
    /// NATS would close the connection over it.
    #[error("the message has {size} bytes with its envelope, and NATS takes at most {limit}")]
    TooLarge {
        /// Bytes, envelope included.
        size: usize,
        /// The server's `max_payload`.
        limit: usize,
    },
    /// The server said no to the channel: it is one too many, or differs from another only in its case.
    #[error("the NATS Streaming server refuses it: {0}")]
    Refused(String),
}

impl NotStored {
    /// Whether the same message may be taken later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::NoServer
            | Self::NotConnected(_)
            | Self::Stuck(_)
            | Self::Forgotten
            | Self::ChannelGoing => true,
            Self::Name(_) | Self::TooLarge { .. } | Self::Refused(_) => false,
        }
    }
}

/// Why it is unknown whether a message is stored.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Unknown {
    /// No ack came.
    #[error("no ack within {0:?}")]
    TimedOut(Duration),
    /// The connection ended before the ack came.
    #[error(transparent)]
    Lost(#[from] Lost),
    /// The server failed while it was storing it.
    #[error("the NATS Streaming server failed: {0}")]
    Failed(String),
}

/// A message on its way; resolves to its outcome. Dropping it does not call the message back.
#[derive(Debug)]
pub struct Publishing(oneshot::Receiver<Outcome>);

impl Future for Publishing {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Outcome> {
        // Every entry of the window is answered before it is dropped, and a session is ended before it is dropped.
        Pin::new(&mut self.0)
            .poll(context)
            .map(|outcome| outcome.unwrap_or(Outcome::Unknown(Lost::Closed.into())))
    }
}

/// The publishes that wait for their ack.
#[derive(Debug)]
pub(super) struct Window {
    places: Arc<Semaphore>,
    next: AtomicU64,
    /// Without the number: `_STAN.acks.<id>`.
    reply_prefix: String,
    waiting: Mutex<Waiting>,
}

/// Whoever takes an entry out of the map decides its outcome, so there is exactly one.
#[derive(Debug, Default)]
struct Waiting {
    entries: BTreeMap<u64, Entry>,
    closed: Option<Lost>,
}

#[derive(Debug)]
struct Entry {
    sent: Instant,
    outcome: oneshot::Sender<Outcome>,
    /// Frees the place when the entry goes, whatever the reason.
    _place: OwnedSemaphorePermit,
}

impl Entry {
    fn settle(self, outcome: Outcome) {
        // The publisher has stopped waiting: then nobody needs to know.
        drop(self.outcome.send(outcome));
    }
}

impl Window {
    pub(super) fn new(reply_prefix: String, places: usize) -> Self {
        Self {
            places: Arc::new(Semaphore::new(places)),
            next: AtomicU64::new(0),
            reply_prefix,
            waiting: Mutex::default(),
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().expect("nothing panics under this lock")
    }

    /// Waits for a free place, which comes with an ack, a time-out or the end of the session.
    async fn enter(&self) -> Result<(u64, Publishing), Lost> {
        let place = Arc::clone(&self.places).acquire_owned().await;
        let mut waiting = self.waiting();
        let closed = waiting.closed;
        let place = match (place, closed) {
            (Ok(place), None) => place,
            (_, lost) => return Err(lost.unwrap_or(Lost::Closed)),
        };
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let (outcome, when_known) = oneshot::channel();
        waiting.entries.insert(number, Entry { sent: Instant::now(), outcome, _place: place });
        Ok((number, Publishing(when_known)))
    }

    /// For a message that was never handed to NATS.
    fn withdraw(&self, number: u64) {
        self.waiting().entries.remove(&number);
    }

    fn settle(&self, number: u64, outcome: Outcome) {
        let entry = self.waiting().entries.remove(&number);
        if let Some(entry) = entry {
            entry.settle(outcome);
        }
    }

    /// The numbers rise with the time of sending, so the old ones are at the front.
    fn expire(&self, limit: Duration) {
        let mut waiting = self.waiting();
        while let Some(first) = waiting.entries.first_entry()
            && first.get().sent.elapsed() >= limit
        {
            first.remove().settle(Outcome::Unknown(Unknown::TimedOut(limit)));
        }
    }

    /// Nothing enters any more, and what waits will never be known.
    pub(super) fn close(&self, reason: Lost) {
        let mut waiting = self.waiting();
        waiting.closed = Some(reason);
        for (_, entry) in std::mem::take(&mut waiting.entries) {
            entry.settle(Outcome::Unknown(reason.into()));
        }
        drop(waiting);
        self.places.close();
    }
}

impl Session {
    /// See [`Connection::start_publish`](super::Connection::start_publish).
    pub(super) async fn start_publish(&self, channel: &str, data: Bytes) -> Result<Publishing, NotStored> {
        name::channel(channel)?;
        self.check().map_err(NotStored::NotConnected)?;
        let (number, publishing) = self.window.enter().await.map_err(NotStored::NotConnected)?;
        let sent = self.send(channel, data, number).await;
        if sent.is_err() {
            self.window.withdraw(number);
        }
        sent.map(|()| publishing)
    }

    async fn send(&self, channel: &str, data: Bytes, number: u64) -> Result<(), NotStored> {
        let reply = format!("{}.{number}", self.window.reply_prefix);
        let message = proto::PublishRequest {
            client_id: self.options.client_id.clone(),
            guid: reply.clone(),
            channel: channel.to_owned(),
            data,
            connection_id: self.connection_id.clone(),
        };
        let (size, limit) = (message.encoded_len(), self.client.max_payload());
        if size > limit {
            return Err(NotStored::TooLarge { size, limit });
        }
        let subject = format!("{}.{channel}", self.subjects.publish_prefix);
        let payload = message.encode_to_vec().into();
        // Looked at again: the wait for a place may have been long.
        self.check().map_err(NotStored::NotConnected)?;
        let publish = self.client.publish_with_reply(subject, reply, payload);
        let limit = self.options.publish_timeout;
        match tokio::time::timeout(limit, publish).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(NotStored::NotConnected(self.lost().unwrap_or(Lost::NatsClosed))),
            // The message was not queued: a send that is given up leaves nothing behind.
            Err(_) => Err(NotStored::Stuck(limit)),
        }
    }
}

/// Moves acks to those who wait for them, and gives up on acks that don't come.
pub(super) async fn settle_publishes(session: Arc<Session>, mut acks: Subscriber) {
    let limit = session.options.publish_timeout;
    let mut sweep =
        tokio::time::interval((limit / 10).clamp(Duration::from_millis(5), Duration::from_secs(1)));
    loop {
        let ack = tokio::select! {
            () = session.ended.cancelled() => return,
            _ = sweep.tick() => { session.window.expire(limit); continue },
            ack = acks.next() => ack,
        };
        let Some(ack) = ack else { return session.end(Lost::NatsClosed) };
        let number = ack.subject.rsplit('.').next().and_then(|token| token.parse().ok());
        let Some(number) = number else { continue };
        let outcome = outcome(&ack);
        if outcome == Outcome::NotStored(NotStored::Forgotten) {
            session.suspicion.notify_one();
        }
        session.window.settle(number, outcome);
    }
}

/// Reads an ack. Refusals that are known to come before anything is stored are `NotStored`; any other error leaves the
/// outcome open.
pub(super) fn outcome(ack: &async_nats::Message) -> Outcome {
    match ack.status {
        None => {}
        Some(StatusCode::NO_RESPONDERS) => return Outcome::NotStored(NotStored::NoServer),
        Some(status) => return Outcome::Unknown(Unknown::Failed(format!("NATS status {status}"))),
    }
    let proto::PublishAck { guid, error } = match proto::PublishAck::decode(ack.payload.clone()) {
        Ok(answer) => answer,
        Err(error) => return Outcome::Unknown(Unknown::Failed(format!("its ack can't be decoded: {error}"))),
    };
    match error.as_str() {
        // A server names what it has stored. Nothing at all decodes as well, and proves nothing.
        "" if guid.is_empty() => Outcome::Unknown(Unknown::Failed("its ack names no message".to_owned())),
        "" => Outcome::Stored,
        // Also the answer to a bad channel, which was refused here already.
        "stan: invalid publish request" => Outcome::NotStored(NotStored::Forgotten),
        "stan: channel is being deleted" => Outcome::NotStored(NotStored::ChannelGoing),
        refused if refused.contains("too many channels") || refused.starts_with("rejecting channel") => {
            Outcome::NotStored(NotStored::Refused(error))
        }
        _ => Outcome::Unknown(Unknown::Failed(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_place_is_freed_once_by_ack_time_out_and_close_alike() {
        let window = Window::new("acks".into(), 3);
        let mut waiting = Vec::new();
        for _ in 0..3 {
            waiting.push(window.enter().await.expect("open"));
        }
        assert_eq!(window.places.available_permits(), 0);

        window.settle(1, Outcome::Stored);
        window.settle(1, Outcome::NotStored(NotStored::NoServer));
        assert_eq!(window.places.available_permits(), 1, "an ack that comes twice frees one place");

        window.expire(Duration::ZERO);
        window.settle(0, Outcome::Stored);
        assert_eq!(window.places.available_permits(), 3);

        let (_, last) = window.enter().await.expect("open");
        window.close(Lost::Closed);
        assert_eq!(last.await, Outcome::Unknown(Lost::Closed.into()));
        assert_eq!(window.enter().await.expect_err("closed"), Lost::Closed);

        let mut outcomes = Vec::new();
        for (_, publishing) in waiting {
            outcomes.push(publishing.await);
        }
        let timed_out = Outcome::Unknown(Unknown::TimedOut(Duration::ZERO));
        assert_eq!(outcomes, [timed_out.clone(), Outcome::Stored, timed_out], "the first outcome stays");
    }

    #[tokio::test]
    async fn a_publisher_that_waits_for_a_place_is_freed_by_the_end() {
        let window = Arc::new(Window::new("acks".into(), 1));
        let first = window.enter().await.expect("open");
        let (second, ()) = tokio::join!(window.enter(), async { window.close(Lost::NatsClosed) });
        assert_eq!(second.expect_err("closed"), Lost::NatsClosed);
        assert_eq!(first.1.await, Outcome::Unknown(Lost::NatsClosed.into()));
    }
}
