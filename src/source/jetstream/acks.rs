//! How acks to JetStream are handed over; [`Writer`] sends them.

use std::{future::pending, time::Duration};

use async_nats::Subject;
use tokio::sync::{mpsc, oneshot, watch};

use super::{
    forgotten::Forgotten,
    writer::{Live, Writer},
};
use crate::inbox;

/// How many acks wait to be written, and how many may be unproven: more than `PIPELINE_BYTES` holds messages by default. What is
/// beyond it is forgotten, and its message comes again.
pub(super) const MOST: usize = 65_536;

/// An ack on its way.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) subject: Subject,
    /// Of its message in the stream.
    pub(super) sequence: u64,
    pub(super) life: u64,
}

#[derive(Debug)]
pub(super) enum Command {
    Ack(Sent),
    /// Answered when nothing is unproven any more.
    Prove(oneshot::Sender<()>),
}

/// Hands acks over. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Acks {
    queue: mpsc::Sender<Command>,
    forgotten: Forgotten,
}

impl Acks {
    /// The way for acks, and who writes them to whatever `live` says.
    pub(super) fn new(live: watch::Receiver<Option<Live>>) -> (Self, Writer) {
        let (sender, queue) = mpsc::channel(MOST);
        let forgotten = Forgotten::default();
        let writer = Writer::new(queue, live, forgotten.clone());
        (Self { queue: sender, forgotten }, writer)
    }

    /// Whether an ack was forgotten less than this ago: for want of room, or because the stream or its consumer was made anew.
    pub(super) fn forgot_within(&self, time: Duration) -> bool {
        self.forgotten.within(time)
    }

    /// Waits until every ack made before has been answered for, or was forgotten. At once when there is none, connected or not.
    pub(super) async fn proven(&self) {
        let (sender, told) = oneshot::channel();
        if self.queue.send(Command::Prove(sender)).await.is_err() || told.await.is_err() {
            // The writer ends with the last handle, so it is there.
            pending().await
        }
    }

    pub(super) fn acker(&self, sent: Sent, wait: Duration) -> Box<dyn inbox::Ack> {
        Box::new(Acker { acks: self.clone(), sent, wait })
    }
}

#[derive(Debug)]
struct Acker {
    acks: Acks,
    sent: Sent,
    wait: Duration,
}

impl inbox::Ack for Acker {
    fn ack(self: Box<Self>) {
        let Self { acks, sent, .. } = *self;
        // The queue is full, or the writer has ended: the message comes again.
        if acks.queue.try_send(Command::Ack(sent)).is_err() {
            acks.forgotten.note();
        }
    }

    fn wait(&self) -> Option<Duration> {
        Some(self.wait)
    }
}

#[cfg(test)]
impl Sent {
    pub(super) fn of(sequence: u64) -> Self {
        Self { subject: Subject::from_static("ack"), sequence, life: 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nothing_to_prove_is_proven_without_a_connection() {
        let (_live, watched) = watch::channel(None);
        let (acks, writer) = Acks::new(watched);
        tokio::select! {
            () = acks.proven() => {}
            () = writer.run() => panic!("the writer has ended"),
        }
        assert!(!acks.forgot_within(Duration::MAX));
    }

    #[test]
    fn an_ack_that_there_was_no_room_for_is_never_taken_as_proven() {
        let (_live, watched) = watch::channel(None);
        let (acks, _writer) = Acks::new(watched);
        let most = u64::try_from(MOST).expect("it is small");
        (1..=most).for_each(|sequence| acks.acker(Sent::of(sequence), Duration::ZERO).ack());
        assert!(!acks.forgot_within(Duration::MAX), "all of them have room");
        acks.acker(Sent::of(most + 1), Duration::ZERO).ack();
        assert!(acks.forgot_within(Duration::MAX));
    }
}
