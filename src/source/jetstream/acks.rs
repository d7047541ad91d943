//! Acks to JetStream, and the proof that they arrived.
//!
//! An ack alone is a message that nobody answers. It is lost with its connection, and also while the connection lives, when the
//! node that leads the consumer dies with it. Nothing is lost by that: the message comes again after the ack wait and is settled as
//! `unchanged`. But it is work done twice, and a service that stops would say that everything is acked when it is not known.
//!
//! So an ack counts as unproven until the server has answered one that was sent after it: the last one is sent again as a
//! request (a double ack). The server takes the acks of a consumer in the order of their connection, and a cluster answers when
//! most of its nodes have the change: one answer proves all before it. While it is under way others go out unanswered, so it
//! costs a message a round trip, not one for each ack. What is unproven when there is no answer, or the connection is lost, is
//! sent again.

use std::{collections::VecDeque, future::pending, time::Duration};

use async_nats::{Client, Request, Subject};
use bytes::Bytes;
use futures_util::{FutureExt, future::BoxFuture};
use tokio::sync::{mpsc, oneshot, watch};

use crate::inbox;

/// How many acks wait to be written, and how many may be unproven: more than `PIPELINE_BYTES` holds messages by default. What is
/// beyond it is dropped, and its message comes again.
const MOST: usize = 65_536;

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

/// An ack on its way.
#[derive(Debug)]
struct Sent {
    subject: Subject,
    life: u64,
}

#[derive(Debug)]
enum Command {
    Ack(Sent),
    /// Answered when nothing is unproven any more.
    Prove(oneshot::Sender<()>),
}

/// Hands acks over. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Acks(mpsc::Sender<Command>);

impl Acks {
    /// The way for acks, and who writes them to whatever `live` says.
    pub(super) fn new(live: watch::Receiver<Option<Live>>) -> (Self, Writer) {
        let (sender, queue) = mpsc::channel(MOST);
        let unproven = Unproven { acks: VecDeque::new(), waiting: Vec::new() };
        (Self(sender), Writer { queue, live, unproven })
    }

    /// Waits until every ack made before has been answered for.
    pub(super) async fn proven(&self) {
        let (sender, told) = oneshot::channel();
        if self.0.send(Command::Prove(sender)).await.is_err() || told.await.is_err() {
            // The writer ends with the last handle, so it is there.
            pending().await
        }
    }

    pub(super) fn acker(&self, subject: Subject, life: u64, wait: Duration) -> Box<dyn inbox::Ack> {
        Box::new(Acker { queue: self.0.clone(), sent: Sent { subject, life }, wait })
    }
}

#[derive(Debug)]
struct Acker {
    queue: mpsc::Sender<Command>,
    sent: Sent,
    wait: Duration,
}

impl inbox::Ack for Acker {
    fn ack(self: Box<Self>) {
        let Self { queue, sent, .. } = *self;
        // The queue is full, or the writer has ended: the ack is dropped, and its message comes again.
        drop(queue.try_send(Command::Ack(sent)));
    }

    fn wait(&self) -> Option<Duration> {
        Some(self.wait)
    }
}

/// Writes acks until the last handle is gone.
#[derive(Debug)]
pub(super) struct Writer {
    queue: mpsc::Receiver<Command>,
    live: watch::Receiver<Option<Live>>,
    unproven: Unproven,
}

/// Acks that were sent, in that order, and not answered for.
#[derive(Debug)]
struct Unproven {
    acks: VecDeque<Sent>,
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
    pub(super) async fn run(self) {
        let Self { mut queue, mut live, mut unproven } = self;
        // Ends with the source, which holds the sender.
        while let Ok(now) = live.wait_for(Option::is_some).await.map(|live| live.clone()) {
            let now = now.expect("it was waited for");
            let over = tokio::select! {
                changed = live.changed() => if changed.is_err() { return } else { continue },
                over = unproven.write(&now, &mut queue) => over,
            };
            match over {
                Over::Queue => return,
                Over::Connection => {
                    if live.changed().await.is_err() {
                        return;
                    }
                }
            }
        }
    }
}

impl Unproven {
    /// Writes for as long as the connection takes it. Cancel safe: what is on its way is among the unproven.
    async fn write(&mut self, live: &Live, queue: &mut mpsc::Receiver<Command>) -> Over {
        // What was meant for a former life may be another message now, which was not settled.
        self.acks.retain(|ack| ack.life == live.life);
        if self.send(live, 0).await.is_err() {
            return Over::Connection;
        }
        let mut commands = Vec::with_capacity(BATCH);
        let mut question: Option<(usize, BoxFuture<'static, bool>)> = None;
        loop {
            match (self.acks.back(), &question) {
                (Some(last), None) => question = Some((self.acks.len(), ask(live, &last.subject).boxed())),
                (None, _) => {
                    for waiting in self.waiting.drain(..) {
                        // An error means that who asked does not want to know any more.
                        waiting.send(()).ok();
                    }
                }
                (Some(_), Some(_)) => {}
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
                    self.take(commands.drain(..), live.life);
                    let dropped = self.bound();
                    if let Some((covered, _)) = &mut question {
                        *covered = covered.saturating_sub(dropped);
                    }
                    self.send(live, known.saturating_sub(dropped)).await
                }
            };
            if sent.is_err() {
                return Over::Connection;
            }
        }
    }

    fn take(&mut self, commands: impl Iterator<Item = Command>, life: u64) {
        for command in commands {
            match command {
                Command::Ack(ack) if ack.life == life => self.acks.push_back(ack),
                Command::Ack(_) => {}
                Command::Prove(waiting) => self.waiting.push(waiting),
            }
        }
    }

    /// Forgets the oldest where the server answers for none: their messages come again. Says how many.
    fn bound(&mut self) -> usize {
        let beyond = self.acks.len().saturating_sub(MOST);
        self.acks.drain(..beyond);
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
