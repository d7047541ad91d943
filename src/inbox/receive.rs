use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use thiserror::Error;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot, watch};

use crate::{
    store::{Gap, Message, SourceKind},
    telemetry,
};

use super::{Budget, Delivery, InFlight, Room, batches, in_flight::Entered};

/// A message that waits to be committed.
#[derive(Debug)]
pub(super) struct Queued {
    pub(super) message: Message,
    pub(super) permit: OwnedSemaphorePermit,
}

impl batches::Weighed for Queued {
    fn bytes(&self) -> usize {
        self.message.payload.len()
    }
}

/// What a channel has skipped and not brought so far.
#[derive(Debug, Clone)]
pub struct Missing {
    /// The source.
    pub source: SourceKind,
    /// Its channel.
    pub channel: Arc<str>,
    /// All of it; what is not here any more has come.
    pub gaps: Vec<Gap>,
}

/// What became of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Received {
    /// It will be recorded.
    Taken,
    /// The same message is under way; this copy's acker replaces the older one.
    Joined,
    /// There is no room, or the service is stopping: it was dropped without an ack and will come again.
    Dropped,
}

/// Why a submitted message is not known to be recorded. Sending it again is safe.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum SubmitError {
    /// `PIPELINE_BYTES` are in use.
    #[error("the pipeline is full: try again in a moment")]
    Full,
    /// The store failed; the text says how.
    #[error("the message could not be recorded, send it again: {0}")]
    Store(String),
    /// The service is shutting down.
    #[error("the service is stopping: send the message again when it is back")]
    Stopping,
}

/// The way in. Clones lead to the same inbox.
#[derive(Debug, Clone)]
pub struct Inbox {
    queue: mpsc::Sender<Queued>,
    budget: Budget,
    in_flight: Arc<InFlight>,
    closed: Arc<AtomicBool>,
    missing: watch::Sender<Option<Missing>>,
}

impl Inbox {
    pub(super) fn new(queue: mpsc::Sender<Queued>, budget: Budget, in_flight: Arc<InFlight>) -> Self {
        Self { queue, budget, in_flight, closed: Arc::default(), missing: watch::Sender::default() }
    }

    /// From now on this is missing of the one channel that is watched. It is written down before any message that is received
    /// after this call, so that a crash in between cannot make a gap unseen: the message that told of it comes again.
    pub fn miss(&self, missing: Missing) {
        self.missing.send_replace(Some(missing));
    }

    /// What [`Inbox::miss`] says.
    pub(super) fn missing(&self) -> watch::Receiver<Option<Missing>> {
        self.missing.subscribe()
    }

    /// How much may be asked for now; see [`Budget::room`].
    #[must_use]
    pub fn room(&self) -> Room {
        self.budget.room()
    }

    /// Waits until there is room for a few messages.
    pub async fn until_room(&self) {
        self.budget.until_room().await;
    }

    /// Waits until there is room for a payload of this length; see [`Budget::until_room_for`].
    pub async fn until_room_for(&self, payload: usize) -> Option<usize> {
        self.budget.until_room_for(payload).await
    }

    /// Takes a delivery in, or drops it. Never waits.
    pub fn receive(&self, delivery: Delivery) -> Received {
        let source = delivery.message.source;
        match self.enter(delivery, None) {
            Entered::New => Received::Taken,
            Entered::Joined => Received::Joined,
            Entered::Refused => {
                telemetry::deliveries_dropped(source, 1);
                Received::Dropped
            }
        }
    }

    /// Takes a delivery in and waits until it is committed.
    ///
    /// # Errors
    /// When it is not known to be committed.
    pub async fn submit(&self, delivery: Delivery) -> Result<(), SubmitError> {
        let (sender, waiter) = oneshot::channel();
        if self.enter(delivery, Some(sender)) == Entered::Refused {
            return Err(if self.closed.load(Ordering::Acquire) {
                SubmitError::Stopping
            } else {
                SubmitError::Full
            });
        }
        match waiter.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(reason)) => Err(SubmitError::Store(reason)),
            Err(_) => Err(SubmitError::Stopping),
        }
    }

    /// From now on everything is refused.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }

    fn enter(&self, delivery: Delivery, waiter: Option<oneshot::Sender<Result<(), String>>>) -> Entered {
        let Delivery { message, acker } = delivery;
        let (message_id, source) = (Arc::clone(&message.message_id), message.source);
        let entered = self.in_flight.enter(&message_id, acker, waiter, || {
            if self.closed.load(Ordering::Acquire) {
                return false;
            }
            let Some(permit) = self.budget.take(message.payload.len()) else { return false };
            // The queue has a place for every permit, so it refuses only when its reader has stopped.
            self.queue.try_send(Queued { message, permit }).is_ok()
        });
        if entered == Entered::Joined {
            telemetry::redelivered(source, 1);
        }
        entered
    }

    /// An inbox whose queue nobody reads, and that queue.
    #[cfg(test)]
    pub(crate) fn for_tests() -> (Self, mpsc::Receiver<impl std::fmt::Debug>) {
        let budget = Budget::new(1 << 20);
        let (sender, queue) = mpsc::channel(budget.messages());
        (Self::new(sender, budget, Arc::default()), queue)
    }
}
