//! Asking for messages, so many at a time as there is room for.

use std::time::Duration;

use async_nats::{
    Message, StatusCode, Subject, Subscriber,
    jetstream::{AckKind, consumer::pull::BatchConfig},
};
use bytes::Bytes;
use futures_util::StreamExt;
use tokio::time::{sleep, timeout};

use super::session::{Session, Trouble};
use crate::{inbox::Inbox, nats::SUBSCRIPTION_CAPACITY};

/// How long the server keeps a request for messages that are not there yet.
const EXPIRES: Duration = Duration::from_secs(30);

/// How often it says meanwhile that it does.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// After such silence the request is lost, with the node that led the consumer for one, and is made anew.
const HEARD: Duration = Duration::from_secs(15);

/// The pause before what was turned down is asked again.
const PAUSE: Duration = Duration::from_millis(250);

/// When what did not find room is delivered again: long before the ack wait.
const SOON: Duration = Duration::from_secs(1);

/// How long the server may take to end the deliveries.
const STOP: Duration = Duration::from_secs(2);

/// What the server says of a message that is larger than the bytes that were asked for.
const TOO_LARGE: &str = "Message Size Exceeds MaxBytes";

/// What it says when all messages have come that were asked for, and fewer bytes.
const COMPLETED: &str = "Batch Completed";

/// The deliveries of one session.
///
/// Only what there is room for is asked for, so what is delivered hardly ever has to be dropped, however large messages are. The room
/// may be gone when it comes, since POST /order and STAN take of the same; the server is then told to send it again soon.
#[derive(Debug)]
pub(super) struct Pull {
    subject: Subject,
    deliveries: Subscriber,
    /// The most messages to ask for at a time.
    batch: usize,
    /// Messages that were asked for and have not come.
    asked: usize,
    /// The next message is larger than a share of the room, so it is asked for alone, whatever its size.
    alone: bool,
}

/// How a request has ended before all that it asked for was there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// Its time is over, or its messages or bytes have come: the next one may go out at once.
    Ordinary,
    /// There is no consumer any more.
    Removed,
    /// Another node leads the consumer now, or none does for a moment: `Session::look` says if that goes on.
    TurnedDown,
}

impl Ending {
    fn of(status: StatusCode, says: &str) -> Self {
        match says {
            "Consumer Deleted" => Self::Removed,
            TOO_LARGE | COMPLETED => Self::Ordinary,
            _ if status == StatusCode::TIMEOUT => Self::Ordinary,
            _ => Self::TurnedDown,
        }
    }
}

impl Pull {
    pub(super) async fn open(session: &Session, batch_size: usize) -> Result<Self, Trouble> {
        let subject = Subject::from(session.client.new_inbox());
        let deliveries = session.client.subscribe(subject.clone()).await.map_err(|_| Trouble::Closed)?;
        let limit = usize::try_from(session.consumer.cached_info().config.max_batch).unwrap_or(0);
        let limit = if limit == 0 { usize::MAX } else { limit };
        // Twice as many may be on their way when a request was lost and made anew.
        let batch = batch_size.min(limit).clamp(1, SUBSCRIPTION_CAPACITY / 2);
        Ok(Self { subject, deliveries, batch, asked: 0, alone: false })
    }

    /// Asks for messages and hands them over, until the session is over. `take` says which one was dropped.
    pub(super) async fn run(
        &mut self,
        session: &Session,
        inbox: &Inbox,
        mut take: impl FnMut(Message) -> Option<Subject>,
    ) -> Trouble {
        loop {
            if let Err(trouble) = self.ask(session, inbox).await {
                return trouble;
            }
            let message = match timeout(HEARD, self.deliveries.next()).await {
                Ok(Some(message)) => message,
                Ok(None) => return Trouble::Closed,
                Err(_) => {
                    self.asked = 0;
                    continue;
                }
            };
            match message.status {
                None | Some(StatusCode::OK) => {
                    (self.asked, self.alone) = (self.asked.saturating_sub(1), false);
                    if let Some(dropped) = take(message) {
                        let again = AckKind::Nak(Some(SOON)).into();
                        // Where it fails the session is over.
                        drop(session.client.publish(dropped, again).await);
                    }
                }
                Some(StatusCode::IDLE_HEARTBEAT) => {}
                Some(status) => {
                    if let Err(trouble) = self.ended(session, status, &message).await {
                        return trouble;
                    }
                }
            }
        }
    }

    /// Asks for more when half of a batch has come, or less is there to ask for; waits for room where there is none at all.
    async fn ask(&mut self, session: &Session, inbox: &Inbox) -> Result<(), Trouble> {
        if self.asked > self.batch / 2 || (self.alone && self.asked > 0) {
            return Ok(());
        }
        if self.asked == 0 {
            inbox.until_room().await;
        }
        let room = inbox.room();
        let (messages, max_bytes) = match self.alone {
            true => (1, 0),
            false => (room.messages.max(1).min(self.batch - self.asked), room.bytes.max(1)),
        };
        // Many small requests would cost more than a moment's wait for a larger one.
        if self.asked > 0 && messages < self.batch / 4 {
            return Ok(());
        }
        let limits = &session.consumer.cached_info().config;
        let expires = if limits.max_expires.is_zero() { EXPIRES } else { EXPIRES.min(limits.max_expires) };
        let max_bytes = match usize::try_from(limits.max_bytes) {
            Ok(limit @ 1..) if max_bytes > 0 => max_bytes.min(limit),
            _ => max_bytes,
        };
        let request = BatchConfig {
            batch: messages,
            max_bytes,
            expires: Some(expires),
            // The server refuses one that is longer than half of the time.
            idle_heartbeat: HEARTBEAT.min(expires / 2),
            ..BatchConfig::default()
        };
        session.consumer.request_batch(request, self.subject.clone()).await.map_err(|_| Trouble::Closed)?;
        self.asked += messages;
        Ok(())
    }

    /// A request has ended before all that it asked for was there.
    async fn ended(
        &mut self,
        session: &Session,
        status: StatusCode,
        message: &Message,
    ) -> Result<(), Trouble> {
        let says = message.description.as_deref().unwrap_or_default();
        let pending = message.headers.as_ref().and_then(|headers| headers.get("Nats-Pending-Messages"));
        let pending = pending.and_then(|pending| pending.as_str().parse().ok()).unwrap_or(self.asked);
        // All that it asked for, so the next message is the one.
        self.alone = says == TOO_LARGE && pending >= self.asked;
        self.asked = self.asked.saturating_sub(pending);
        match Ending::of(status, says) {
            Ending::Ordinary => {}
            Ending::Removed => {
                return Err(Trouble::Removed(session.consumer.cached_info().name.clone()));
            }
            Ending::TurnedDown => {
                tracing::debug!(%status, says, "jetstream: a request for messages was turned down");
                sleep(PAUSE).await;
            }
        }
        Ok(())
    }

    /// Ends the deliveries to this process, and gives back at once what came and was not taken: what nobody takes or gives back
    /// comes again only after the ack wait.
    pub(super) async fn stop(mut self, session: &Session) {
        let given_back = async {
            // Ends the deliveries at the server; those that are on their way still come.
            self.deliveries.drain().await.ok()?;
            while let Some(message) = self.deliveries.next().await {
                if let (Some(reply), None | Some(StatusCode::OK)) = (message.reply, message.status) {
                    let again: Bytes = AckKind::Nak(None).into();
                    session.client.publish(reply, again).await.ok()?;
                }
            }
            Some(())
        };
        // What is not given back when this fails, as on a link that takes nothing, comes again all the same.
        drop(timeout(STOP, given_back).await);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_turned_down_waits_a_moment() {
        for (status, says, ending) in [
            (StatusCode::TIMEOUT, "Request Timeout", Ending::Ordinary),
            (StatusCode::REQUEST_TERMINATED, "Batch Completed", Ending::Ordinary),
            (StatusCode::REQUEST_TERMINATED, "Message Size Exceeds MaxBytes", Ending::Ordinary),
            (StatusCode::REQUEST_TERMINATED, "Consumer Deleted", Ending::Removed),
            (StatusCode::REQUEST_TERMINATED, "Leadership Change", Ending::TurnedDown),
            (StatusCode::REQUEST_TERMINATED, "Exceeded MaxWaiting", Ending::TurnedDown),
            (StatusCode::NO_RESPONDERS, "", Ending::TurnedDown),
        ] {
            assert_eq!(Ending::of(status, says), ending, "{says}");
        }
    }
}
