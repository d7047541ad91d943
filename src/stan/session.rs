//! What the tasks of one connection share.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use async_nats::{Client, Request, connection::State};
use bytes::Bytes;
use futures_util::FutureExt;
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    ack,
    error::{Lost, NoAnswer},
    options::Options,
    proto,
    publish::Window,
};

/// One registration at the server, from the connect request to its end.
#[derive(Debug)]
pub struct Session {
    pub(super) client: Client,
    pub(super) options: Options,
    pub(super) connection_id: Bytes,
    pub(super) subjects: proto::ConnectResponse,
    pub(super) acks: mpsc::Sender<ack::Command>,
    pub(super) window: Window,
    pub(super) tasks: TaskTracker,
    /// Cancelled by `end`, and by nothing else.
    pub(super) ended: CancellationToken,
    /// Wakes the pinger: something suggests that the server has dropped us.
    pub(super) suspicion: Notify,
    pub(super) lost: watch::Sender<Option<Lost>>,
    pub(super) dropped: Arc<AtomicU64>,
    pub(super) last_answer: Mutex<Instant>,
}

impl Session {
    /// How long ago the server last answered a connect request or a ping: a round trip, not a flag.
    pub fn silence(&self) -> Duration {
        self.last_answer.lock().expect("nothing panics under this lock").elapsed()
    }

    /// How many messages arrived and were dropped since nobody took them in time; with a consumer, over all its connections.
    /// They come again after their ack wait. A lower bound: in a burst async-nats reports some of them only.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Why it is over, or `None` while it lives.
    pub fn lost(&self) -> Option<Lost> {
        *self.lost.borrow()
    }

    /// Ends the session once; the first reason stays. The heartbeat inbox is given up with the rest, or this process could
    /// not register its client id again: the server would ask the old inbox, and it would answer.
    pub(super) fn end(&self, reason: Lost) {
        let first = self.lost.send_if_modified(|slot| {
            let first = slot.is_none();
            slot.get_or_insert(reason);
            first
        });
        if first {
            self.ended.cancel();
            self.window.close(reason);
            // A drain is the only way to close NATS while a caller holds a subscription. If its queue is full it closes
            // with the last handle instead.
            drop(self.client.drain().now_or_never());
        }
    }

    /// An error unless the session lives and NATS is connected at this moment. What is sent otherwise waits in a queue.
    pub(super) fn check(&self) -> Result<(), Lost> {
        match self.lost() {
            Some(lost) => Err(lost),
            None if self.client.connection_state() != State::Connected => Err(Lost::NatsClosed),
            None => Ok(()),
        }
    }

    /// A request to the server. On an error it is unknown what the server did, unless it is `NoResponders`.
    pub(super) async fn request<M: prost::Message>(
        &self,
        subject: &str,
        message: &M,
    ) -> Result<Bytes, NoAnswer> {
        self.check()?;
        request(&self.client, subject, message, self.options.request_timeout).await
    }

    /// A STAN PING round trip. A server that does not know us ends the session.
    pub(super) async fn ping(&self) -> Result<(), NoAnswer> {
        let ping = proto::Ping { connection_id: self.connection_id.clone() };
        let answer = self.request(&self.subjects.ping_requests, &ping).await?;
        let answer: proto::PingResponse = decode(answer)?;
        if answer.error.is_empty() {
            *self.last_answer.lock().expect("nothing panics under this lock") = Instant::now();
            return Ok(());
        }
        // `client has been replaced or is no longer registered`: the only error the server has for a ping.
        self.end(Lost::Forgotten);
        Err(NoAnswer::Lost(Lost::Forgotten))
    }

    /// Proves that every ack handed over before this call has been routed to the streaming server: the acks are written first,
    /// and NATS keeps the order of one connection up to the ping. (A flush of async-nats proves only that bytes went to a
    /// socket.) The streaming server takes pings and acks from two connections, so it may not have applied them yet; a close
    /// waits for that on the server.
    pub(super) async fn prove_acks(&self) -> Result<(), NoAnswer> {
        let (written, when_written) = oneshot::channel();
        let barrier = async {
            let sent = self.acks.send(ack::Command::Barrier(written)).await;
            sent.is_ok() && when_written.await.is_ok()
        };
        // Acks are written as fast as the socket takes them, and it may take nothing.
        let limit = self.options.request_timeout;
        if !tokio::time::timeout(limit, barrier).await.map_err(|_| NoAnswer::TimedOut(limit))? {
            return Err(NoAnswer::Lost(self.lost().unwrap_or(Lost::NatsClosed)));
        }
        self.ping().await
    }
}

/// Sends a request and waits for its answer; never longer than `limit`, even when the send queue is full.
pub(super) async fn request<M: prost::Message>(
    client: &Client,
    subject: &str,
    message: &M,
    limit: Duration,
) -> Result<Bytes, NoAnswer> {
    let request = Request::new().payload(message.encode_to_vec().into()).timeout(Some(limit));
    let answer = tokio::time::timeout(limit, client.send_request(subject.to_owned(), request)).await;
    match answer {
        Ok(Ok(message)) => Ok(message.payload),
        Ok(Err(error)) => Err(match error.kind() {
            async_nats::RequestErrorKind::NoResponders => NoAnswer::NoResponders,
            async_nats::RequestErrorKind::TimedOut => NoAnswer::TimedOut(limit),
            async_nats::RequestErrorKind::InvalidSubject
            | async_nats::RequestErrorKind::MaxPayloadExceeded
            | async_nats::RequestErrorKind::Other => NoAnswer::Broken(error.to_string()),
        }),
        Err(_) => Err(NoAnswer::TimedOut(limit)),
    }
}

/// Decodes an answer; nonsense counts as no answer.
pub(super) fn decode<M: prost::Message + Default>(answer: Bytes) -> Result<M, NoAnswer> {
    M::decode(answer).map_err(|error| NoAnswer::Broken(format!("the answer can't be decoded: {error}")))
}

/// A new id for a connection, an inbox or an ack subject: 32 hex digits.
pub(super) fn unique() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}
