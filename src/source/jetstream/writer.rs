//! Acks to JetStream, and the proof that they arrived.
//!
//! An ack alone is a message that nobody answers. It is lost with its connection, and also while the connection lives, when the
//! node that leads the consumer dies with it. Nothing is lost by that: the message comes again after the ack wait and is settled as
//! `unchanged`. But it is work done twice, and a service that stops would say that everything is acked when it is not known.
//!
//! So an ack counts as unproven until the server has answered one that was sent after it: one of them is sent again as a
//! request (a double ack). The server takes the acks of a consumer in the order of their connection, and a cluster answers when
//! most of its nodes have the change: one answer proves all before it. While it is under way others go out unanswered, so it
//! costs a message a round trip, not one for each ack. What is unproven when there is no answer, or the connection is lost, is
//! sent again.
//!
//! A node that has just begun to lead the consumer may not know all that the one before has delivered. It ignores an ack beyond
//! that, and does not answer one. So the ack that is asked about is the one with the greatest number: an answer to it
//! says that none was beyond what the server knows.

use std::{collections::VecDeque, future::pending, time::Duration};

use async_nats::{Client, Request, Subject};
use bytes::Bytes;
use futures_util::{FutureExt, future::BoxFuture};
use tokio::sync::{mpsc, oneshot, watch};

use super::{
    acks::{Command, MOST, Sent},
    forgotten::Forgotten,
};

/// How many acks are taken from the queue at a time.
const BATCH: usize = 256;

/// How long the server may take to answer for the acks; one that stays away costs less than a message delivered again.
const ANSWER: Duration = Duration::from_secs(3);

/// The pause after a question without answer.
const PAUSE: Duration = Duration::from_millis(250);

/// `AckAck` of the protocol.
const ACK: Bytes = Bytes::from_static(b"+ACK");

/// Where acks go now.
#[derive(Debug, Clone)]
pub(super) struct Live {
    pub(super) client: Client,
    /// Of the stream and its consumer: another one when they began anew. The number of a message may be another message's then, and
    /// an ack that was meant for the former would be taken for the latter.
    pub(super) life: u64,
}

/// Writes acks until the last handle is gone.
#[derive(Debug)]
pub(super) struct Writer {
    queue: mpsc::Receiver<Command>,
    live: watch::Receiver<Option<Live>>,
    unproven: Unproven,
}

/// Acks in the order they are sent in, and not answered for.
#[derive(Debug, Default)]
struct Unproven {
    acks: VecDeque<Sent>,
    forgotten: Forgotten,
    /// Who wants to know when there are none.
    waiting: Vec<oneshot::Sender<()>>,
}

/// Why nothing is written for now.
enum Over {
    /// The connection does not take anything.
    Connection,
    /// Nobody makes acks any more.
    Queue,
}

impl Writer {
    /// Notes in `forgotten` when it forgets an ack.
    pub(super) fn new(
        queue: mpsc::Receiver<Command>,
        live: watch::Receiver<Option<Live>>,
        forgotten: Forgotten,
    ) -> Self {
        Self { queue, live, unproven: Unproven { forgotten, ..Unproven::default() } }
    }

    pub(super) async fn run(self) {
        let Self { mut queue, mut live, mut unproven } = self;
        let mut now: Option<Live> = None;
        loop {
            let over = tokio::select! {
                changed = live.changed() => {
                    // Ends with the source, which holds the sender.
                    if changed.is_err() {
                        return;
                    }
                    now = live.borrow_and_update().clone();
                    continue;
                }
                over = unproven.serve(now.as_ref(), &mut queue) => over,
            };
            match over {
                Over::Queue => return,
                Over::Connection => now = None,
            }
        }
    }
}

impl Unproven {
    /// Cancel safe.
    async fn serve(&mut self, live: Option<&Live>, queue: &mut mpsc::Receiver<Command>) -> Over {
        match live {
            Some(live) => self.write(live, queue).await,
            None => self.keep(queue).await,
        }
    }

    /// Keeps acks while there is no connection.
    async fn keep(&mut self, queue: &mut mpsc::Receiver<Command>) -> Over {
        let mut commands = Vec::with_capacity(BATCH);
        loop {
            self.tell();
            if queue.recv_many(&mut commands, BATCH).await == 0 {
                return Over::Queue;
            }
            self.take(commands.drain(..), None);
            self.bound();
        }
    }

    /// Writes for as long as the connection takes it. Cancel safe: what is on its way is among the unproven.
    async fn write(&mut self, live: &Live, queue: &mut mpsc::Receiver<Command>) -> Over {
        self.forget_former(live.life);
        if self.send(live, 0).await.is_err() {
            return Over::Connection;
        }
        let mut commands = Vec::with_capacity(BATCH);
        let mut question: Option<(usize, BoxFuture<'static, bool>)> = None;
        loop {
            self.tell();
            if question.is_none()
                && let Some(greatest) = self.greatest()
            {
                question = Some((self.acks.len(), ask(live, &greatest.subject).boxed()));
            }
            let answer = async {
                match &mut question {
                    Some((_, answer)) => answer.await,
                    None => pending().await,
                }
            };
            let sent = tokio::select! {
                answered = answer => {
                    let (covered, _) = question.take().expect("it was answered");
                    if answered {
                        self.acks.drain(..covered.min(self.acks.len()));
                        Ok(())
                    } else {
                        self.send(live, 0).await
                    }
                }
                count = queue.recv_many(&mut commands, BATCH) => {
                    if count == 0 {
                        return Over::Queue;
                    }
                    let known = self.acks.len();
                    self.take(commands.drain(..), Some(live.life));
                    let beyond = self.bound();
                    if let Some((covered, _)) = &mut question {
                        *covered = covered.saturating_sub(beyond);
                    }
                    self.send(live, known.saturating_sub(beyond)).await
                }
            };
            if sent.is_err() {
                return Over::Connection;
            }
        }
    }

    fn greatest(&self) -> Option<&Sent> {
        self.acks.iter().max_by_key(|ack| ack.sequence)
    }

    /// What was meant for a former life may be another message now, which was not settled.
    fn forget_former(&mut self, life: u64) {
        let known = self.acks.len();
        self.acks.retain(|ack| ack.life == life);
        if self.acks.len() < known {
            self.forgotten.note();
        }
    }

    /// Forgets at once what is of another life than this.
    fn take(&mut self, commands: impl Iterator<Item = Command>, life: Option<u64>) {
        for command in commands {
            match command {
                Command::Ack(ack) if life.is_some_and(|life| ack.life != life) => self.forgotten.note(),
                Command::Ack(ack) => self.acks.push_back(ack),
                Command::Prove(waiting) => self.waiting.push(waiting),
            }
        }
    }

    /// Tells who waits for it that nothing is unproven, when that is so.
    fn tell(&mut self) {
        if self.acks.is_empty() {
            for waiting in self.waiting.drain(..) {
                // An error means that who asked does not want to know any more.
                waiting.send(()).ok();
            }
        }
    }

    /// Forgets the oldest where the server answers for none: their messages come again. Says how many.
    fn bound(&mut self) -> usize {
        let beyond = self.acks.len().saturating_sub(MOST);
        self.acks.drain(..beyond);
        if beyond > 0 {
            self.forgotten.note();
        }
        beyond
    }

    async fn send(&self, live: &Live, from: usize) -> Result<(), async_nats::PublishError> {
        for ack in self.acks.range(from..) {
            live.client.publish(ack.subject.clone(), ACK).await?;
        }
        Ok(())
    }
}

/// Sends an ack again as a request; `false` when there is no answer.
fn ask(live: &Live, subject: &Subject) -> impl Future<Output = bool> + Send + 'static {
    let (client, subject) = (live.client.clone(), subject.clone());
    async move {
        let request = Request::new().payload(ACK).timeout(Some(ANSWER));
        let Err(error) = client.send_request(subject, request).await else { return true };
        tracing::debug!(%error, "jetstream: the last acks are not answered for, sending them again");
        tokio::time::sleep(PAUSE).await;
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acks(sequences: impl IntoIterator<Item = u64>) -> impl Iterator<Item = Command> {
        sequences.into_iter().map(Sent::of).map(Command::Ack)
    }

    #[test]
    fn an_ack_that_is_forgotten_is_never_taken_as_proven() {
        let mut unproven = Unproven::default();
        let most = u64::try_from(MOST).expect("it is small");
        unproven.take(acks(1..=most), None);
        assert_eq!(unproven.bound(), 0);
        assert!(!unproven.forgotten.within(Duration::MAX));
        unproven.take(acks([most + 1]), None);
        assert_eq!(unproven.bound(), 1);
        assert!(unproven.forgotten.within(Duration::MAX));
    }

    #[test]
    fn an_ack_of_a_former_life_is_forgotten_and_never_taken_as_proven() {
        let mut unproven = Unproven::default();
        unproven.take(acks([1, 2]), Some(1));
        unproven.forget_former(1);
        assert_eq!((unproven.acks.len(), unproven.forgotten.within(Duration::MAX)), (2, false));
        unproven.forget_former(2);
        assert_eq!((unproven.acks.len(), unproven.forgotten.within(Duration::MAX)), (0, true));
        let mut unproven = Unproven::default();
        unproven.take(acks([3]), Some(2));
        assert_eq!((unproven.acks.len(), unproven.forgotten.within(Duration::MAX)), (0, true));
    }

    #[test]
    fn the_ack_that_is_asked_about_is_of_the_greatest_number() {
        let mut unproven = Unproven::default();
        assert!(unproven.greatest().is_none());
        unproven.take(acks([5, 9, 7]), None);
        assert_eq!(unproven.greatest().map(|ack| ack.sequence), Some(9));
    }
}
