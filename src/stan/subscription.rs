//! Subscriptions: asking for one, and the messages it brings.

use std::{sync::Arc, time::Duration};

use async_nats::{Subject, Subscriber};
use bytes::Bytes;
use futures_util::{FutureExt, StreamExt};
use prost::Message as _;

use super::{
    ack::{Acker, Target},
    error::{Lost, NoAnswer, SubscribeError},
    name,
    proto::{self, StartPosition},
    session::{Session, decode},
};

/// What to subscribe to, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscribeOptions {
    /// The channel; it is created if need be.
    pub channel: String,
    /// Members of a group share its messages.
    pub queue_group: Option<String>,
    /// The server remembers what a durable has acked while nobody listens. It belongs to the client id and channel, in a queue
    /// group to the group and channel.
    pub durable: Option<String>,
    /// Where it begins. Ignored when the durable or the group already exists.
    pub start: Start,
    /// How many un-acked messages stop the flow of new ones. Redelivery ignores it.
    pub max_in_flight: u32,
    /// How long after it was sent an un-acked message is sent again: whole seconds from 1.
    pub ack_wait: Duration,
}

/// Where a new subscription begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// With the first message stored after the subscribe. A new durable misses everything before.
    NewOnly,
    /// With the last stored message.
    LastReceived,
    /// With the oldest message still stored.
    First,
    /// With this sequence, or the oldest stored after it.
    Sequence(u64),
    /// With the first message of this last stretch of time, by the server's clock.
    Ago(Duration),
}

impl SubscribeOptions {
    /// A plain subscription from the first stored message, with the defaults of stan.go: 1024 in flight, 30 s to ack.
    pub fn new(channel: impl Into<String>) -> Self {
        Self {
            channel: channel.into(),
            queue_group: None,
            durable: None,
            start: Start::First,
            max_in_flight: 1024,
            ack_wait: Duration::from_secs(30),
        }
    }

    /// An error for what the server would refuse or misread.
    pub fn validate(&self) -> Result<(), SubscribeError> {
        name::channel(&self.channel)?;
        if let Some(group) = &self.queue_group {
            name::queue_group(group)?;
        }
        if let Some(durable) = &self.durable {
            name::durable(durable, self.queue_group.is_some())?;
        }
        if !(1..=i32::MAX as u32).contains(&self.max_in_flight) {
            return Err(SubscribeError::Invalid(
                "the number of messages in flight must be from 1 to 2147483647",
            ));
        }
        // The server counts in seconds and would cut off the rest.
        if self.ack_wait.subsec_nanos() != 0 || !(1..=i32::MAX as u64).contains(&self.ack_wait.as_secs()) {
            return Err(SubscribeError::Invalid("the ack wait must be whole seconds, at least 1"));
        }
        Ok(())
    }

    /// Expects that `validate` found nothing.
    fn request(&self, client_id: &str, inbox: &str) -> proto::SubscriptionRequest {
        let (start, start_sequence, start_time_delta) = match self.start {
            Start::NewOnly => (StartPosition::NewOnly, 0, 0),
            Start::LastReceived => (StartPosition::LastReceived, 0, 0),
            Start::First => (StartPosition::First, 0, 0),
            Start::Sequence(sequence) => (StartPosition::Sequence, sequence, 0),
            Start::Ago(time) => {
                (StartPosition::TimeDelta, 0, i64::try_from(time.as_nanos()).unwrap_or(i64::MAX))
            }
        };
        proto::SubscriptionRequest {
            client_id: client_id.to_owned(),
            channel: self.channel.clone(),
            queue_group: self.queue_group.clone().unwrap_or_default(),
            inbox: inbox.to_owned(),
            max_in_flight: i32::try_from(self.max_in_flight).unwrap_or(i32::MAX),
            ack_wait: i32::try_from(self.ack_wait.as_secs()).unwrap_or(i32::MAX),
            durable: self.durable.clone().unwrap_or_default(),
            start: start.into(),
            start_sequence,
            start_time_delta,
        }
    }
}

/// One delivery of a stored message.
#[derive(Debug)]
pub struct Message {
    /// Counts the messages of the channel from 1. Starts again at 1 when a memory store restarts or the channel was deleted:
    /// only together with the timestamp is it an identity.
    pub sequence: u64,
    /// When the server stored it, in nanoseconds since the epoch by its clock; never falls within a channel.
    pub timestamp_ns: i64,
    /// What was published, in the buffer it was received in.
    pub data: Bytes,
    /// The server has sent it before, as far as it remembers: `false` does not mean "never seen".
    pub redelivered: bool,
    /// How often the server has sent it before, as far as it remembers.
    pub redelivery_count: u32,
    /// Acks this message to the subscription that delivered it.
    pub acker: Acker,
}

/// An active subscription. Messages are acked by hand, one by one, in any order.
///
/// Dropping it stops the deliveries to this process only; the server goes on counting them as un-acked until the connection
/// ends. Use [`close`](Self::close).
#[derive(Debug)]
pub struct Subscription {
    session: Arc<Session>,
    inbox: Subscriber,
    target: Arc<Target>,
    closed: bool,
}

impl Subscription {
    /// The next message, or `None` when the connection is over or [`stop`](Self::stop) was called. Read on at the speed of
    /// arrival, and drop what is too much: what waits here too long counts against the ack wait. Cancel safe.
    pub async fn next(&mut self) -> Option<Message> {
        loop {
            if self.session.ended.is_cancelled() {
                return None;
            }
            let ready = self.inbox.next().now_or_never();
            let delivery = match ready {
                Some(delivery) => delivery?,
                None => tokio::select! {
                    () = self.session.ended.cancelled() => return None,
                    delivery = self.inbox.next() => delivery?,
                },
            };
            match proto::Delivery::decode(delivery.payload) {
                Ok(delivery) if delivery.sequence > 0 => return Some(self.message(delivery)),
                // Nobody but the server knows the inbox; if somebody guesses it, that is no message of the channel.
                Ok(_) | Err(_) => tracing::warn!(
                    channel = self.target.channel,
                    "skipped a delivery that is no STAN message"
                ),
            }
        }
    }

    fn message(&self, delivery: proto::Delivery) -> Message {
        Message {
            sequence: delivery.sequence,
            timestamp_ns: delivery.timestamp,
            data: delivery.data,
            redelivered: delivery.redelivered,
            redelivery_count: delivery.redelivery_count,
            acker: Acker { target: Arc::clone(&self.target), sequence: delivery.sequence },
        }
    }

    /// Stops the deliveries to this process and leaves everything else as it is: acks still count.
    pub async fn stop(&mut self) {
        // Unsubscribing waits while the socket is stuck, and fails only when NATS is over, which stops deliveries as well.
        drop(tokio::time::timeout(self.session.options.request_timeout, self.inbox.unsubscribe()).await);
    }

    /// Ends the subscription; a durable stays, with its place and what is un-acked. Acks made before are processed first; acks
    /// made after are in vain. The deliveries to this process stop in any case. After an error it may be tried again, which asks
    /// the server again; once the server has confirmed it, nothing is sent any more.
    pub async fn close(&mut self) -> Result<(), NoAnswer> {
        if self.closed {
            return Ok(());
        }
        self.stop().await;
        // The acks still queued here must be on the wire before the request.
        self.session.prove_acks().await?;
        let answer =
            self.session.close_subscription(&self.target.channel, self.target.inbox.as_str()).await?;
        match answer.error.as_str() {
            // The last two: it is gone already, which is what was wanted.
            "" | "stan: invalid subscription" | "stan: unknown channel" => self.closed = true,
            error => return Err(NoAnswer::Broken(error.to_owned())),
        }
        Ok(())
    }
}

impl Session {
    /// See [`Connection::subscribe`](super::Connection::subscribe).
    pub(super) async fn subscribe(
        self: &Arc<Self>,
        options: &SubscribeOptions,
    ) -> Result<Subscription, SubscribeError> {
        options.validate()?;
        let channel = &options.channel;
        let unconfirmed = |reason| match reason {
            NoAnswer::Lost(lost) => SubscribeError::Lost(lost),
            reason => SubscribeError::NoAnswer { channel: channel.clone(), reason },
        };
        // The request carries only the client id, so a replaced client would subscribe in the name of its successor.
        self.ping().await.map_err(unconfirmed)?;
        let subject = self.client.new_inbox();
        let inbox = self
            .client
            .subscribe(subject.clone())
            .await
            .map_err(|_| SubscribeError::Lost(Lost::NatsClosed))?;
        let request = options.request(&self.options.client_id, &subject);
        let answer = self.request(&self.subjects.subscribe_requests, &request).await;
        let answer = match answer.and_then(decode::<proto::SubscriptionResponse>) {
            Ok(answer) => answer,
            Err(reason) => {
                // The server may have registered it, and a durable would stay blocked. It finds the subscription by the
                // delivery inbox since 0.21. The answer changes nothing.
                drop(self.close_subscription(channel, &subject).await);
                return Err(unconfirmed(reason));
            }
        };
        match answer.error.as_str() {
            "" => {
                let inbox_of_acks = Subject::from(answer.ack_inbox);
                let target =
                    Target { queue: self.acks.clone(), inbox: inbox_of_acks, channel: channel.clone() };
                Ok(Subscription { session: Arc::clone(self), inbox, target: Arc::new(target), closed: false })
            }
            "stan: unknown clientID" => {
                self.end(Lost::Forgotten);
                Err(Lost::Forgotten.into())
            }
            "stan: duplicate durable registration" => Err(SubscribeError::DuplicateDurable {
                channel: channel.clone(),
                durable: options.durable.clone().unwrap_or_default(),
            }),
            reason => Err(SubscribeError::Refused { channel: channel.clone(), reason: reason.to_owned() }),
        }
    }

    /// Ends a subscription without removing its durable.
    async fn close_subscription(
        &self,
        channel: &str,
        inbox: &str,
    ) -> Result<proto::SubscriptionResponse, NoAnswer> {
        let request = proto::UnsubscribeRequest {
            client_id: self.options.client_id.clone(),
            channel: channel.to_owned(),
            inbox: inbox.to_owned(),
        };
        self.request(&self.subjects.subscription_close_requests, &request).await.and_then(decode)
    }

    /// The last message stored in a channel, or `None` when it holds none (or did not say so in time). The protocol has no
    /// question for it, so this is a short subscription to the last message. It creates the channel if need be. The
    /// deliveries and acks of other subscriptions go on as if it were not there; dropping the future half way leaves a
    /// subscription that ends with the connection.
    pub async fn last_message(self: &Arc<Self>, channel: &str) -> Result<Option<Message>, SubscribeError> {
        let options = SubscribeOptions {
            start: Start::LastReceived,
            max_in_flight: 1,
            ..SubscribeOptions::new(channel)
        };
        let mut subscription = self.subscribe(&options).await?;
        let limit = Duration::from_secs(1).min(self.options.request_timeout);
        let last = tokio::time::timeout(limit, subscription.next()).await.ok().flatten();
        // A plain subscription leaves nothing behind, un-acked or not; if this fails the connection is about to end.
        drop(subscription.close().await);
        Ok(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_server_would_refuse_or_misread_is_refused_here() {
        let sound = SubscribeOptions::new("orders");
        assert_eq!(sound.validate(), Ok(()));
        let broken = [
            SubscribeOptions { channel: "a..b".into(), ..sound.clone() },
            SubscribeOptions { max_in_flight: 0, ..sound.clone() },
            SubscribeOptions { max_in_flight: u32::MAX, ..sound.clone() },
            SubscribeOptions { ack_wait: Duration::ZERO, ..sound.clone() },
            SubscribeOptions { ack_wait: Duration::from_millis(1500), ..sound.clone() },
            SubscribeOptions { durable: Some(String::new()), ..sound.clone() },
            SubscribeOptions { durable: Some("a:b".into()), queue_group: Some("g".into()), ..sound.clone() },
            SubscribeOptions { queue_group: Some(String::new()), ..sound.clone() },
        ];
        for options in broken {
            assert!(options.validate().is_err(), "{options:?}");
        }
    }

    #[test]
    fn a_start_position_is_written_as_the_protocol_wants_it() {
        let start = |start| {
            let request = SubscribeOptions { start, ..SubscribeOptions::new("c") }.request("me", "inbox");
            (request.start, request.start_sequence, request.start_time_delta)
        };
        assert_eq!(start(Start::NewOnly), (0, 0, 0));
        assert_eq!(start(Start::LastReceived), (1, 0, 0));
        assert_eq!(start(Start::Ago(Duration::from_secs(2))), (2, 0, 2_000_000_000));
        assert_eq!(start(Start::Sequence(6)), (3, 6, 0));
        assert_eq!(start(Start::First), (4, 0, 0));
    }
}
