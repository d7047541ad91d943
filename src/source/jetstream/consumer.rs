//! What the consumer must be like, and what its stream should be.

use std::time::Duration;

use async_nats::jetstream::{
    consumer::{self, AckPolicy, DeliverPolicy, ReplayPolicy, pull},
    stream::{self, DiscardPolicy, RetentionPolicy, StorageType},
};

use crate::nats::name;

/// So many batches may be delivered and not acked, over all instances: two that are settled, one that is recorded and one on its
/// way keep an instance busy, and there may be four.
pub(super) const BATCHES: usize = 16;

/// How many times as long as a call to the store the server waits for an ack; at least [`LEAST_WAIT`].
const CALLS: u32 = 3;
const LEAST_WAIT: Duration = Duration::from_secs(30);

/// What is wanted of the consumer.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    pub(super) stream: String,
    pub(super) subject: String,
    pub(super) name: String,
    /// `BATCH_SIZE`.
    pub(super) batch_size: usize,
    /// `STORE_TIMEOUT`.
    pub(super) store_timeout: Duration,
}

impl Wanted {
    /// The consumer to make where there is none.
    pub(super) fn config(&self) -> pull::Config {
        pull::Config {
            durable_name: Some(self.name.clone()),
            name: Some(self.name.clone()),
            description: Some("orderbox".to_owned()),
            deliver_policy: DeliverPolicy::All,
            ack_policy: AckPolicy::Explicit,
            ack_wait: (self.store_timeout * CALLS).max(LEAST_WAIT),
            // Without end: what was delivered so often would never come again.
            max_deliver: -1,
            filter_subject: self.subject.clone(),
            replay_policy: ReplayPolicy::Instant,
            max_ack_pending: self.max_ack_pending(),
            ..pull::Config::default()
        }
    }

    pub(super) fn max_ack_pending(&self) -> i64 {
        i64::try_from(self.batch_size.saturating_mul(BATCHES)).unwrap_or(i64::MAX)
    }

    /// All that the consumer of this name must not be, each with what it is and what it must be; none when it fits. Numbers that only
    /// cost speed are left to who made it.
    pub(super) fn mismatches(&self, stream: &stream::Config, found: &consumer::Config) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut must = |fits: bool, text: String| {
            if !fits {
                wrong.push(text);
            }
        };
        let pulls = found.deliver_subject.is_none();
        must(pulls, "it pushes to a subject, and must be pulled from".to_owned());
        let explicit = found.ack_policy == AckPolicy::Explicit;
        must(explicit, format!("its ack policy is {:?}, and must be Explicit", found.ack_policy));
        let filters = filters(stream, found);
        let reads_it = !filters.is_empty() && filters.iter().all(|filter| *filter == self.subject);
        let subject = &self.subject;
        must(
            reads_it || self.is_all_of(stream, found),
            format!("it reads {}, and JETSTREAM_SUBJECT is {subject}", filters.join(", ")),
        );
        let all = found.deliver_policy == DeliverPolicy::All;
        must(all, format!("its deliver policy is {:?}, and must be All", found.deliver_policy));
        let (wait, timeout) = (found.ack_wait, self.store_timeout);
        must(
            wait > timeout,
            format!("its ack wait is {wait:?}, and must be longer than STORE_TIMEOUT={timeout:?}"),
        );
        must(
            found.backoff.is_empty(),
            format!("its backoff is {:?}, and must be empty: it stands for the ack wait", found.backoff),
        );
        must(
            found.max_deliver <= 0,
            format!(
                "it delivers a message {} times at most, and must do it without end (-1): one that is not settled by then would be lost",
                found.max_deliver
            ),
        );
        let instant = found.replay_policy == ReplayPolicy::Instant;
        must(instant, format!("its replay policy is {:?}, and must be Instant", found.replay_policy));
        must(!found.headers_only, "it delivers headers only, and must deliver messages".to_owned());
        let idle = found.inactive_threshold;
        must(
            idle.is_zero(),
            format!("it is removed after {idle:?} without a reader, position and all, and must stay (0)"),
        );
        wrong
    }

    /// Whether the consumer has no filter and the stream keeps nothing but the subject.
    fn is_all_of(&self, stream: &stream::Config, found: &consumer::Config) -> bool {
        let unfiltered = found.filter_subject.is_empty() && found.filter_subjects.is_empty();
        unfiltered
            && !stream.subjects.is_empty()
            && stream.subjects.iter().all(|subject| name::covers(&self.subject, subject))
    }

    /// What works and should be known of.
    pub(super) fn warnings(&self, stream: &stream::Config, found: &consumer::Config) -> Vec<String> {
        let mut warnings = of_stream(stream);
        let pending = usize::try_from(found.max_ack_pending).unwrap_or(usize::MAX);
        if pending < self.batch_size {
            warnings.push(format!(
                "JETSTREAM_CONSUMER={} has max ack pending {pending}, less than BATCH_SIZE={}: batches never fill, and throughput is bounded by it",
                self.name, self.batch_size
            ));
        }
        if found.memory_storage {
            warnings.push(format!(
                "JETSTREAM_CONSUMER={} is kept in memory: when its server restarts, everything that the stream holds comes again",
                self.name
            ));
        }
        warnings
    }

    /// Whether the stream keeps all that is to be read. One that is filled from other streams says nothing of its subjects.
    pub(super) fn is_kept_by(&self, stream: &stream::Config) -> bool {
        stream.subjects.is_empty()
            || stream
                .subjects
                .iter()
                .any(|kept| name::covers(kept, &self.subject) || name::covers(&self.subject, kept))
    }
}

/// The subjects that the consumer reads.
fn filters<'a>(stream: &'a stream::Config, found: &'a consumer::Config) -> Vec<&'a str> {
    if !found.filter_subjects.is_empty() {
        found.filter_subjects.iter().map(String::as_str).collect()
    } else if found.filter_subject.is_empty() {
        stream.subjects.iter().map(String::as_str).collect()
    } else {
        vec![&found.filter_subject]
    }
}

/// Limits of the stream by which messages that were not read are lost.
fn of_stream(stream: &stream::Config) -> Vec<String> {
    let mut warnings = Vec::new();
    let mut warn = |text: &str| warnings.push(format!("JETSTREAM_STREAM={} {text}", stream.name));
    if stream.discard == DiscardPolicy::Old {
        let limits = [("max messages", stream.max_messages), ("max bytes", stream.max_bytes)];
        for (limit, value) in limits.into_iter().filter(|(_, value)| *value > 0) {
            warn(&format!(
                "has {limit} {value} and discards the oldest beyond it, read or not: set its discard policy to `new`, which refuses messages instead"
            ));
        }
    }
    // The discard policy alone does not cover the subjects.
    let refuses_by_subject = stream.discard == DiscardPolicy::New && stream.discard_new_per_subject;
    if stream.max_messages_per_subject > 0 && !refuses_by_subject {
        warn(&format!(
            "has max messages per subject {} and discards the oldest beyond it, read or not, whatever its discard policy: set its discard policy to `new` per subject as well, or the limit to -1",
            stream.max_messages_per_subject
        ));
    }
    if !stream.max_age.is_zero() {
        warn(&format!(
            "discards messages after {:?}, read or not: make that longer than any outage, or 0",
            stream.max_age
        ));
    }
    match stream.retention {
        RetentionPolicy::Interest => {
            warn(
                "keeps a message only while a consumer waits for it: what is published before JETSTREAM_CONSUMER is made, or after it is removed, is lost",
            );
        }
        RetentionPolicy::WorkQueue | RetentionPolicy::Limits => {}
    }
    if stream.storage == StorageType::Memory {
        warn("is kept in memory: what is not read when its servers stop is lost");
    }
    if stream.no_ack {
        warn("does not answer publishers: a message that it could not store is lost without a word");
    }
    warnings
}

#[cfg(test)]
mod tests {
    use async_nats::jetstream::consumer::IntoConsumerConfig;

    use super::*;

    fn wanted() -> Wanted {
        Wanted {
            stream: "ORDERS".to_owned(),
            subject: "orders".to_owned(),
            name: "orderbox".to_owned(),
            batch_size: 1000,
            store_timeout: Duration::from_secs(10),
        }
    }

    fn stream() -> stream::Config {
        stream::Config {
            name: "ORDERS".to_owned(),
            subjects: vec!["orders".to_owned()],
            discard: DiscardPolicy::New,
            max_messages: 1000,
            ..stream::Config::default()
        }
    }

    fn sound() -> consumer::Config {
        wanted().config().into_consumer_config()
    }

    #[test]
    fn what_is_made_fits_and_gives_no_warning() {
        assert_eq!(wanted().mismatches(&stream(), &sound()), [""; 0]);
        assert_eq!(wanted().warnings(&stream(), &sound()), [""; 0]);
    }

    #[test]
    fn the_ack_wait_outlasts_any_store_timeout() {
        for (timeout, wait) in [(1, 30), (10, 30), (60, 180)] {
            let wanted = Wanted { store_timeout: Duration::from_secs(timeout), ..wanted() };
            assert_eq!(wanted.config().ack_wait, Duration::from_secs(wait));
        }
    }

    #[test]
    fn whatever_would_lose_messages_or_their_acks_is_told_with_both_values() {
        let cases: [(consumer::Config, &str); 11] = [
            (
                consumer::Config { ack_policy: AckPolicy::All, ..sound() },
                "ack policy is All, and must be Explicit",
            ),
            (
                consumer::Config { filter_subject: "other".to_owned(), ..sound() },
                "reads other, and JETSTREAM_SUBJECT is orders",
            ),
            (
                consumer::Config {
                    filter_subject: String::new(),
                    filter_subjects: vec!["orders".to_owned(), "x".to_owned()],
                    ..sound()
                },
                "reads orders, x, and JETSTREAM_SUBJECT is orders",
            ),
            (
                consumer::Config { deliver_policy: DeliverPolicy::New, ..sound() },
                "deliver policy is New, and must be All",
            ),
            (
                consumer::Config { ack_wait: Duration::from_secs(10), ..sound() },
                "ack wait is 10s, and must be longer than STORE_TIMEOUT=10s",
            ),
            (consumer::Config { backoff: vec![Duration::from_secs(1)], ..sound() }, "backoff is [1s]"),
            (consumer::Config { max_deliver: 5, ..sound() }, "a message 5 times at most"),
            (
                consumer::Config { replay_policy: ReplayPolicy::Original, ..sound() },
                "replay policy is Original",
            ),
            (consumer::Config { headers_only: true, ..sound() }, "headers only"),
            (
                consumer::Config { inactive_threshold: Duration::from_secs(60), ..sound() },
                "removed after 60s",
            ),
            (consumer::Config { deliver_subject: Some("x".to_owned()), ..sound() }, "pushes to a subject"),
        ];
        for (config, told) in cases {
            let mismatches = wanted().mismatches(&stream(), &config);
            assert_eq!(mismatches.len(), 1, "{mismatches:?}");
            assert!(mismatches[0].contains(told), "{mismatches:?}");
        }
    }

    #[test]
    fn a_consumer_without_a_filter_fits_a_stream_that_keeps_nothing_else() {
        let all = consumer::Config { filter_subject: String::new(), ..sound() };
        assert_eq!(wanted().mismatches(&stream(), &all), [""; 0]);
        let both = stream::Config { subjects: vec!["orders".to_owned(), "other".to_owned()], ..stream() };
        assert_eq!(wanted().mismatches(&both, &all).len(), 1);
    }

    #[test]
    fn every_limit_that_discards_unread_messages_is_a_warning() {
        let old = stream::Config { discard: DiscardPolicy::Old, ..stream() };
        let cases = [
            (old.clone(), "max messages 1000 and discards the oldest"),
            (stream::Config { max_messages: -1, max_bytes: 5, ..old.clone() }, "max bytes 5"),
            (stream::Config { max_messages: -1, max_messages_per_subject: 7, ..old }, "per subject 7"),
            (stream::Config { max_messages_per_subject: 7, ..stream() }, "per subject 7"),
            (stream::Config { max_age: Duration::from_secs(60), ..stream() }, "after 60s"),
            (
                stream::Config { retention: RetentionPolicy::Interest, ..stream() },
                "only while a consumer waits",
            ),
            (stream::Config { storage: StorageType::Memory, ..stream() }, "in memory"),
            (stream::Config { no_ack: true, ..stream() }, "does not answer publishers"),
        ];
        for (config, told) in cases {
            let warnings = wanted().warnings(&config, &sound());
            assert_eq!(warnings.len(), 1, "{warnings:?}");
            assert!(warnings[0].contains(told), "{warnings:?}");
        }
    }
}
