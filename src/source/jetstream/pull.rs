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
    /// What was asked for last.
    last: Request,
    /// The next message is larger than what was asked for last, so it is asked for alone, and when there is room for this many
    /// bytes: its length is not known, so twice as many each time.
    alone: Option<usize>,
    /// The longest message that there was no room for when it came: the next one alone waits for room for that.
    dropped: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Request {
    messages: usize,
    /// 0 for any.
    max_bytes: usize,
}

impl Request {
    /// How many bytes there should be room for when the next message is asked for, where this request has ended because it is
    /// larger. One that brought other messages before has only used its bytes up.
    fn too_small(self, says: &str, pending: usize, asked: usize) -> Option<usize> {
        let nothing_came = pending == self.messages && pending == asked;
        (says == TOO_LARGE && nothing_came).then(|| self.max_bytes.saturating_mul(2))
    }
}

/// How a request has ended before all that it asked for was there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// Its time is over, or its messages or bytes have come: the next one may go out at once.
    Ordinary,
    /// There is no consumer any more.
    Removed,
    /// Another node leads the consumer now, or none does for a moment: `Session::look` says if that goes on. Nothing that was
    /// asked for will come.
    Interrupted,
    /// It asks for what the consumer does not allow: nothing will come until that is changed.
    TurnedDown,
}

impl Ending {
    fn of(status: StatusCode, says: &str) -> Self {
        match (status, says) {
            (_, "Consumer Deleted") => Self::Removed,
            (_, TOO_LARGE | COMPLETED) | (StatusCode::TIMEOUT | StatusCode::NOT_FOUND, _) => Self::Ordinary,
            (_, "Leadership Change" | "Server Shutdown") | (StatusCode::NO_RESPONDERS, _) => {
                Self::Interrupted
            }
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
        Ok(Self { subject, deliveries, batch, asked: 0, last: Request::default(), alone: None, dropped: 0 })
    }

    /// Asks for messages and hands them over, until the session is over. `take` says which one was dropped.
    pub(super) async fn run(
        &mut self,
        session: &Session,
        inbox: &Inbox,
        mut take: impl FnMut(Message) -> Option<Subject>,
    ) -> Trouble {
        let mut silent = false;
        loop {
            if let Err(trouble) = self.ask(session, inbox).await {
                return trouble;
            }
            let message = match timeout(HEARD, self.deliveries.next()).await {
                Ok(Some(message)) => message,
                Ok(None) => return Trouble::Closed,
                Err(_) if silent => {
                    let (stream, name) = session.names();
                    return Trouble::Unanswered { stream, name, silence: 2 * HEARD };
                }
                Err(_) => {
                    (self.asked, silent) = (0, true);
                    continue;
                }
            };
            silent = false;
            match message.status {
                None | Some(StatusCode::OK) => {
                    session.heard_of_request();
                    (self.asked, self.alone) = (self.asked.saturating_sub(1), None);
                    let length = message.payload.len();
                    if let Some(dropped) = take(message) {
                        self.dropped = self.dropped.max(length);
                        let again = AckKind::Nak(Some(SOON)).into();
                        // Where it fails the session is over.
                        drop(session.client.publish(dropped, again).await);
                    }
                }
                Some(StatusCode::IDLE_HEARTBEAT) => session.heard_of_request(),
                Some(status) => {
                    if let Err(trouble) = self.ended(session, status, &message).await {
                        return trouble;
                    }
                }
            }
        }
    }

    /// Asks for more when half of a batch has come, or less is there to ask for.
    async fn ask(&mut self, session: &Session, inbox: &Inbox) -> Result<(), Trouble> {
        let Some(request) = self.next(inbox).await else { return Ok(()) };
        let limits = &session.consumer.cached_info().config;
        let limit = usize::try_from(limits.max_bytes).unwrap_or(0);
        let request =
            Request { max_bytes: bounded(request.max_bytes, limit, self.alone.is_some()), ..request };
        let expires = if limits.max_expires.is_zero() { EXPIRES } else { EXPIRES.min(limits.max_expires) };
        let config = BatchConfig {
            batch: request.messages,
            max_bytes: request.max_bytes,
            expires: Some(expires),
            // The server refuses one that is longer than half of the time.
            idle_heartbeat: HEARTBEAT.min(expires / 2),
            ..BatchConfig::default()
        };
        session.consumer.request_batch(config, self.subject.clone()).await.map_err(|_| Trouble::Closed)?;
        self.asked += request.messages;
        self.last = request;
        Ok(())
    }

    /// What to ask for now, if anything; waits for room where there is none at all.
    async fn next(&self, inbox: &Inbox) -> Option<Request> {
        if let Some(length) = self.alone {
            if self.asked > 0 {
                return None;
            }
            // Whatever holds the room is settled in the end; once nothing does, any size is let in.
            let fits = inbox.until_room_for(length.max(self.dropped)).await;
            return Some(Request { messages: 1, max_bytes: fits.unwrap_or(0) });
        }
        if self.asked > self.batch / 2 {
            return None;
        }
        if self.asked == 0 {
            inbox.until_room().await;
        }
        let room = inbox.room();
        let messages = room.messages.max(1).min(self.batch - self.asked);
        // Many small requests would cost more than a moment's wait for a larger one.
        let worth_it = self.asked == 0 || messages >= self.batch / 4;
        worth_it.then(|| Request { messages, max_bytes: room.bytes.max(1) })
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
        self.alone = self.last.too_small(says, pending, self.asked);
        self.asked = self.asked.saturating_sub(pending);
        let (stream, name) = session.names();
        match Ending::of(status, says) {
            Ending::Ordinary => session.heard_of_request(),
            Ending::Removed => return Err(Trouble::Removed(name)),
            Ending::Interrupted => {
                tracing::debug!(%status, says, "jetstream: requests for messages were interrupted");
                self.asked = 0;
                sleep(PAUSE).await;
            }
            Ending::TurnedDown => {
                return Err(Trouble::TurnedDown { stream, name, says: format!("{status} {says}") });
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

/// As many bytes as the consumer lets a request ask for. A message that is larger than that can only be asked for without a bound.
fn bounded(max_bytes: usize, limit: usize, alone: bool) -> usize {
    match limit {
        1.. if alone && max_bytes > limit => 0,
        1.. => max_bytes.min(limit),
        0 => max_bytes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_a_request_has_ended_says_whether_another_one_helps() {
        let bad_request = StatusCode::from_u16(400).expect("a status");
        for (status, says, ending) in [
            (StatusCode::TIMEOUT, "Request Timeout", Ending::Ordinary),
            (StatusCode::REQUEST_TERMINATED, "Batch Completed", Ending::Ordinary),
            (StatusCode::REQUEST_TERMINATED, "Message Size Exceeds MaxBytes", Ending::Ordinary),
            (StatusCode::REQUEST_TERMINATED, "Consumer Deleted", Ending::Removed),
            (StatusCode::REQUEST_TERMINATED, "Leadership Change", Ending::Interrupted),
            (StatusCode::REQUEST_TERMINATED, "Server Shutdown", Ending::Interrupted),
            (StatusCode::NO_RESPONDERS, "", Ending::Interrupted),
            (StatusCode::REQUEST_TERMINATED, "Exceeded MaxWaiting", Ending::TurnedDown),
            (StatusCode::REQUEST_TERMINATED, "Exceeded MaxRequestBatch of 5", Ending::TurnedDown),
            (bad_request, "Bad Request - unknown", Ending::TurnedDown),
        ] {
            assert_eq!(Ending::of(status, says), ending, "{says}");
        }
    }

    #[test]
    fn a_message_is_asked_for_alone_only_when_a_request_ended_because_of_it() {
        let request = Request { messages: 10, max_bytes: 1000 };
        assert_eq!(request.too_small(TOO_LARGE, 10, 10), Some(2000));
        assert_eq!(request.too_small(TOO_LARGE, 4, 4), None, "six have come: their bytes are used up");
        assert_eq!(request.too_small(TOO_LARGE, 2, 12), None, "it was the request before");
        assert_eq!(request.too_small(COMPLETED, 10, 10), None);
    }

    #[test]
    fn no_request_asks_for_more_bytes_than_the_consumer_allows() {
        assert_eq!(bounded(5000, 0, false), 5000);
        assert_eq!(bounded(5000, 1000, false), 1000);
        assert_eq!(bounded(500, 1000, true), 500);
        assert_eq!(bounded(5000, 1000, true), 0, "a message that is larger comes without a bound only");
    }
}
