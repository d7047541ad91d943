//! Acks: handed over without waiting, written by one task in the order they came.

use std::sync::Arc;

use async_nats::Subject;
use bytes::BytesMut;
use prost::Message as _;
use tokio::sync::{mpsc, oneshot};

use super::{proto, session::Session};

/// How many acks wait to be written: 16 bytes each. More than a settled batch can bring at once.
pub(super) const QUEUE: usize = 65_536;

/// How many acks are taken from the queue at a time.
const BATCH: usize = 256;

/// Acks one message. Dropping it instead leaves the message un-acked: it comes again after the ack wait.
#[derive(Debug)]
pub struct Acker {
    pub(super) target: Arc<Target>,
    pub(super) sequence: u64,
}

/// Where the acks of one subscription go. An ack goes to the subscription that delivered the message and to no other:
/// sequences start again at 1 when a memory store restarts, and the same number is then another message.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) queue: mpsc::Sender<Command>,
    pub(super) inbox: Subject,
    pub(super) channel: String,
}

/// What the ack writer is asked to do.
#[derive(Debug)]
pub(super) enum Command {
    Ack(Acker),
    /// Answered when everything before it was handed to NATS.
    Barrier(oneshot::Sender<()>),
}

impl Acker {
    /// Acks the message. Never waits and never fails: when the connection is gone or 65,536 acks are queued, this one is
    /// dropped, and the message comes again.
    pub fn ack(self) {
        let target = Arc::clone(&self.target);
        // Both errors mean what the doc comment says.
        drop(target.queue.try_send(Command::Ack(self)));
    }
}

/// Writes queued acks until the session ends.
pub(super) async fn write(session: Arc<Session>, mut queue: mpsc::Receiver<Command>) {
    let mut commands = Vec::with_capacity(BATCH);
    let mut buffer = BytesMut::new();
    loop {
        tokio::select! {
            () = session.ended.cancelled() => return,
            _ = queue.recv_many(&mut commands, BATCH) => {}
        }
        for command in commands.drain(..) {
            match command {
                Command::Ack(Acker { target, sequence }) => {
                    let ack = proto::Ack { channel: target.channel.clone(), sequence };
                    ack.encode(&mut buffer).expect("a growing buffer takes any message");
                    let published = session.client.publish(target.inbox.clone(), buffer.split().freeze());
                    tokio::select! {
                        () = session.ended.cancelled() => return,
                        // An error is the end of NATS, which the heartbeat task reports.
                        result = published => if result.is_err() { return },
                    }
                }
                // Nobody waits any more: then nobody needs to know.
                Command::Barrier(written) => drop(written.send(())),
            }
        }
    }
}
