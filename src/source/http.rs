use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use bytes::Bytes;
use time::OffsetDateTime;

use crate::{
    digest,
    inbox::{Inbox, SubmitError},
    store::{Message, SourceKind},
};

use super::Delivery;

/// Messages that come by `POST /order`: the sender waits until the message is recorded, and nobody waits for an ack.
#[derive(Debug)]
pub struct HttpSource {
    inbox: Inbox,
    channel: Arc<str>,
    last_stamp: AtomicI64,
}

impl HttpSource {
    /// A source that hands over to `inbox`.
    #[must_use]
    pub fn new(inbox: Inbox) -> Self {
        Self { inbox, channel: SourceKind::Http.as_str().into(), last_stamp: AtomicI64::new(0) }
    }

    /// Records a message and returns its id once that is committed. The same bytes sent again while the first are pending
    /// join them.
    ///
    /// # Errors
    /// Says why the message is not known to be recorded; sending it again is safe in every case.
    pub async fn submit(&self, payload: Bytes) -> Result<Arc<str>, SubmitError> {
        let message_id: Arc<str> = message_id(&payload).into();
        let message = Message {
            message_id: Arc::clone(&message_id),
            source: SourceKind::Http,
            channel: Arc::clone(&self.channel),
            sequence: 0,
            published_at_ns: self.stamp(now_ns()),
            payload,
        };
        self.inbox.submit(Delivery { message, acker: None }).await?;
        Ok(message_id)
    }

    /// Later than every stamp before: of two messages of one uid the one that came last must win, even when both came within
    /// the clock's resolution or the clock was set back.
    fn stamp(&self, now: i64) -> i64 {
        let next = |last: i64| now.max(last.saturating_add(1));
        let last = self
            .last_stamp
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(next(last)))
            .expect("the closure always returns a value");
        next(last)
    }
}

fn now_ns() -> i64 {
    i64::try_from(OffsetDateTime::now_utc().unix_timestamp_nanos()).unwrap_or(i64::MAX)
}

/// `http:` and the first 32 hex digits of the payload's SHA-256.
fn message_id(payload: &[u8]) -> String {
    let digest = digest::hex(&digest::half_sha256(payload));
    format!("http:{}", str::from_utf8(&digest).expect("hex digits are ASCII"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_the_start_of_the_payloads_sha_256() {
        assert_eq!(message_id(b""), "http:e3b0c44298fc1c149afbf4c8996fb924");
    }

    #[tokio::test]
    async fn a_stamp_is_later_than_the_one_before_though_the_clock_stands_or_goes_back() {
        let source = HttpSource::new(Inbox::for_tests().0);
        assert_eq!(source.stamp(1_000), 1_000);
        assert_eq!(source.stamp(1_000), 1_001);
        assert_eq!(source.stamp(5), 1_002);
        assert_eq!(source.stamp(2_000), 2_000);
    }
}
