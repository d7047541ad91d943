//! What happened, as typed calls: one function an event, whose labels can only be values of the table in `names.rs`.

#![expect(clippy::disallowed_macros, reason = "this is where the ban of raw metrics macros points to")]

use std::time::Duration;

use metrics::{Gauge, counter, gauge, histogram};

use super::{labels::Stage, names};
use crate::{
    order::{ErrorCode, Reason, WarningCounts},
    store::{Aging, Class, Outcome, SourceKind},
};

/// New messages were committed to the inbox.
pub fn received(source: SourceKind, messages: u64) {
    counter!(names::RECEIVED, "source" => source.as_str()).increment(messages);
}

/// Copies came of messages that were in flight, or in the inbox when they were to be recorded.
pub fn redelivered(source: SourceKind, messages: u64) {
    counter!(names::REDELIVERED, "source" => source.as_str()).increment(messages);
}

/// Messages were settled.
pub fn settled(outcome: Outcome, messages: u64) {
    counter!(names::SETTLED, "outcome" => outcome.as_str()).increment(messages);
}

/// A replay was settled.
pub fn replayed(outcome: Outcome) {
    counter!(names::REPLAYS, "result" => outcome.as_str()).increment(1);
}

/// The messages that are held between receipt and ack. A handle, since it changes twice a message.
pub fn in_flight() -> Gauge {
    gauge!(names::INBOX_IN_FLIGHT)
}

/// A batch of so many rows was committed.
pub fn batch(stage: Stage, rows: usize) {
    histogram!(names::BATCH_SIZE, "stage" => stage.as_str()).record(rows as f64);
}

/// A transaction took so long.
pub fn committed(stage: Stage, duration: Duration) {
    histogram!(names::COMMIT_DURATION, "stage" => stage.as_str()).record(duration);
}

/// Readers see orders so long after their publication.
pub fn visible_after(durations: impl IntoIterator<Item = Duration>) {
    let histogram = histogram!(names::PUBLISH_TO_VISIBLE);
    durations.into_iter().for_each(|duration| histogram.record(duration));
}

/// Messages were acked so long after their receipt; the second is how long their source waits for that.
pub fn acked_after(acks: impl IntoIterator<Item = (Duration, Option<Duration>)>) {
    let after = histogram!(names::RECEIVE_TO_ACK);
    // Where no source waits for acks there is no such metric.
    let mut headroom = None;
    for (duration, wait) in acks {
        after.record(duration);
        if let Some(wait) = wait {
            headroom
                .get_or_insert_with(|| histogram!(names::ACK_HEADROOM))
                .record(wait.as_secs_f64() - duration.as_secs_f64());
        }
    }
}

/// A refused batch was halved.
pub fn batch_split() {
    counter!(names::BATCH_SPLITS).increment(1);
}

/// A call to the store failed.
pub fn store_error(class: Class) {
    counter!(names::STORE_ERRORS, "class" => class.as_str()).increment(1);
}

/// Rows were deleted for their age.
pub fn expired(what: Aging, rows: u64) {
    counter!(names::EXPIRED, "what" => what.as_str()).increment(rows);
}

/// A call to the store is tried again.
pub fn retried(stage: Stage) {
    counter!(names::RETRIES, "stage" => stage.as_str()).increment(1);
}

/// A dead letter was inserted.
pub fn rejected(reason: Reason) {
    counter!(names::REJECTIONS, "reason" => reason.as_str()).increment(1);
}

/// A field of a rejected message was wrong.
pub fn field_error(code: ErrorCode) {
    counter!(names::FIELD_ERRORS, "code" => code.as_str()).increment(1);
}

/// An accepted message has oddities.
pub fn warned(warnings: &WarningCounts) {
    for (code, count) in warnings.iter() {
        counter!(names::WARNINGS, "code" => code.as_str()).increment(u64::from(count));
    }
}

/// Deliveries were dropped without an ack.
pub fn deliveries_dropped(source: SourceKind, messages: u64) {
    counter!(names::DELIVERIES_DROPPED, "source" => source.as_str()).increment(messages);
}

/// Gaps were written down.
pub fn gaps_recorded(source: SourceKind, gaps: u64) {
    counter!(names::SEQUENCE_GAPS, "source" => source.as_str()).increment(gaps);
}

/// Whether the NATS Streaming server answers.
pub fn stan_connected(connected: bool) {
    gauge!(names::STAN_CONNECTED).set(f64::from(u8::from(connected)));
}

/// The NATS Streaming server was reached again.
pub fn stan_reconnected() {
    counter!(names::STAN_RECONNECTS).increment(1);
}

/// Whether JetStream answers for the consumer.
pub fn jetstream_connected(connected: bool) {
    gauge!(names::JETSTREAM_CONNECTED).set(f64::from(u8::from(connected)));
}

/// JetStream was reached again.
pub fn jetstream_reconnected() {
    counter!(names::JETSTREAM_RECONNECTS).increment(1);
}

/// The rebuild of the cache has ended.
pub fn cache_rebuilt(duration: Duration) {
    gauge!(names::CACHE_REBUILD_SECONDS).set(duration.as_secs_f64());
}
