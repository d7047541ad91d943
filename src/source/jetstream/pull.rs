//! Asking for messages, so many at a time as there is room for.

use std::time::Duration;

use async_nats::{
    Message, StatusCode, Subject, Subscriber,
    jetstream::{AckKind, consumer::pull::BatchConfig},
};
use bytes::Bytes;
use futures_util::StreamExt;
use tokio::time::{sleep, timeout};

use super::{
    requests::{Requests, TOO_LARGE},
    session::{Session, Trouble},
};
use crate::{inbox::Inbox, nats::SUBSCRIPTION_CAPACITY};

/// How long the server keeps a request for messages that are not there yet.
const EXPIRES: Duration = Duration::from_secs(30);

/// How often it says meanwhile that it does.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// After such silence the request is lost, with the node that led the consumer for one, and is made anew. So is one that the server
/// has ended without a word, as it does where a message makes up its bytes exactly.
const HEARD: Duration = Duration::from_secs(15);

/// The pause before what was turned down is asked again.
const PAUSE: Duration = Duration::from_millis(250);

/// When what did not find room is delivered again: long before the ack wait.
const SOON: Duration = Duration::from_secs(1);

/// How long the server may take to end the deliveries.
const STOP: Duration = Duration::from_secs(2);

/// What the server says when all messages have come that were asked for, and fewer bytes.
const COMPLETED: &str = "Batch Completed";

/// The deliveries of one session.
///
/// Only what there is room for is asked for, so what is delivered hardly ever has to be dropped, however large messages are. The room
/// may be gone when it comes, since POST /order and STAN take of the same; the server is then told to send it again soon.
#[derive(Debug)]
pub(super) struct Pull {
    subject: Subject,
    deliveries: Subscriber,
    requests: Requests,
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
        let limits = &session.consumer.cached_info().config;
        let limit = usize::try_from(limits.max_batch).unwrap_or(0);
        let limit = if limit == 0 { usize::MAX } else { limit };
        // Twice as many may be on their way when a request was lost and made anew.
        let batch = batch_size.min(limit).clamp(1, SUBSCRIPTION_CAPACITY / 2);
        let limit = usize::try_from(limits.max_bytes).unwrap_or(0);
        Ok(Self { subject, deliveries, requests: Requests::new(batch, limit) })
    }

    /// Asks for messages and hands them over, until the session is over. `take` says which one it refused.
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
                    silent = true;
                    self.requests.are_lost();
                    continue;
                }
            };
            silent = false;
            match message.status {
                None | Some(StatusCode::OK) => {
                    session.heard_of_request();
                    self.requests.came();
                    let length = message.payload.len();
                    if let Some(refused) = take(message) {
                        self.requests.refused(length);
                        let again = AckKind::Nak(Some(SOON)).into();
                        // Where it fails the session is over.
                        drop(session.client.publish(refused, again).await);
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

    /// Asks for as much as there is to ask for now.
    async fn ask(&mut self, session: &Session, inbox: &Inbox) -> Result<(), Trouble> {
        let Some(request) = self.requests.next(inbox).await else { return Ok(()) };
        let limits = &session.consumer.cached_info().config;
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
        self.requests.went_out(request);
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
        self.requests.ended(says, pending.and_then(|pending| pending.as_str().parse().ok()));
        let (stream, name) = session.names();
        match Ending::of(status, says) {
            Ending::Ordinary => session.heard_of_request(),
            Ending::Removed => return Err(Trouble::Removed(name)),
            Ending::Interrupted => {
                tracing::debug!(%status, says, "jetstream: requests for messages were interrupted");
                self.requests.are_lost();
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
}
