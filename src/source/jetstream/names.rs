use std::sync::Arc;

use bytes::Bytes;
use time::OffsetDateTime;

use crate::{
    source::own,
    store::{Message, SourceKind},
};

/// What messages of one stream have in common.
#[derive(Debug)]
pub(super) struct Names {
    prefix: String,
    channel: Arc<str>,
}

impl Names {
    pub(super) fn new(stream: &str) -> Self {
        Self { prefix: format!("jetstream:{stream}/"), channel: stream.into() }
    }

    pub(super) fn message(&self, sequence: u64, published: OffsetDateTime, payload: &Bytes) -> Message {
        let published_at_ns = i64::try_from(published.unix_timestamp_nanos()).unwrap_or(i64::MAX);
        Message {
            message_id: format!("{}{sequence}@{published_at_ns}", self.prefix).into(),
            source: SourceKind::JetStream,
            channel: Arc::clone(&self.channel),
            sequence: i64::try_from(sequence).unwrap_or(i64::MAX),
            published_at_ns,
            payload: own(payload),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_known_by_stream_number_and_time() {
        let at = OffsetDateTime::from_unix_timestamp_nanos(1_700_000_000_000_000_007).expect("a time");
        let message = Names::new("ORDERS").message(5, at, &Bytes::from_static(b"{}"));
        assert_eq!(&*message.message_id, "jetstream:ORDERS/5@1700000000000000007");
        assert_eq!((message.sequence, message.published_at_ns), (5, 1_700_000_000_000_000_007));
    }
}
