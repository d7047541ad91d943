use std::time::Duration;

use serde_json::json;
use time::OffsetDateTime;

use crate::{
    inbox::{BATCH_BYTES, Held},
    order::{self, Accepted, ErrorCode, FieldError, Reason, Rejection, Verdict},
    store::{Decision, Outcome, Refusal, Settlement, SourceKind, StoreError},
    telemetry,
};

/// The most item rows that one transaction writes: a few large orders weigh as much as a thousand small ones.
const BATCH_ITEMS: usize = 20_000;

/// Payload bytes after which validation lets other tasks run: a heartbeat must be answered within half a second.
const YIELD_BYTES: usize = 1 << 20;

/// A message with its verdict, in the form the store takes.
#[derive(Debug)]
pub(super) struct Prepared<'a> {
    pub(super) held: &'a Held,
    judged: Judged<'a>,
}

#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly every message is sound: a box would be an allocation for each"
)]
enum Judged<'a> {
    Sound(Accepted<'a>),
    Broken {
        reason: Reason,
        /// As JSON, written once however often the settle is tried.
        errors: String,
        /// For the metrics; the errors themselves, with their texts, weigh a hundred times as much.
        codes: Vec<ErrorCode>,
        order_uid: Option<String>,
    },
}

/// Validates a batch from its start up to the point where it holds enough item rows or errors, and at least one message.
pub(super) async fn prepare(batch: &[Held], max_message_bytes: usize) -> Vec<Prepared<'_>> {
    let mut prepared = Vec::with_capacity(batch.len());
    let (mut items, mut errors, mut bytes) = (0, 0, 0);
    for held in batch {
        let message =
            Prepared::new(held, order::validate_caught(&held.row.message.payload, max_message_bytes));
        match &message.judged {
            Judged::Sound(accepted) => items += accepted.order.items.len(),
            Judged::Broken { errors: json, .. } => errors += json.len(),
        }
        if (items > BATCH_ITEMS || errors > BATCH_BYTES) && !prepared.is_empty() {
            break;
        }
        prepared.push(message);
        bytes += held.row.message.payload.len();
        if bytes > YIELD_BYTES {
            bytes = 0;
            tokio::task::yield_now().await;
        }
    }
    prepared
}

impl<'a> Prepared<'a> {
    fn new(held: &'a Held, verdict: Verdict<'a>) -> Self {
        let judged = match verdict {
            Verdict::Accept(accepted) => Judged::Sound(accepted),
            Verdict::Reject(Rejection { reason, errors, order_uid, .. }) => Judged::Broken {
                reason,
                codes: errors.iter().map(|error| error.code).collect(),
                errors: errors_json(&errors),
                order_uid,
            },
        };
        Self { held, judged }
    }

    pub(super) fn settlement(&self) -> Settlement<'_> {
        let decision = match &self.judged {
            Judged::Sound(accepted) => Decision::Accept(&accepted.order),
            Judged::Broken { reason, errors, order_uid, .. } => {
                Decision::Reject(Refusal { reason: reason.as_str(), errors, order_uid: order_uid.as_deref() })
            }
        };
        Settlement { row: &self.held.row, decision }
    }

    /// The uid of a sound order.
    pub(super) fn order_uid(&self) -> Option<&str> {
        match &self.judged {
            Judged::Sound(accepted) => Some(&accepted.order.order_uid),
            Judged::Broken { .. } => None,
        }
    }

    /// What decides which of two messages is newer.
    pub(super) fn rank(&self) -> (i64, i64, &str) {
        let message = &self.held.row.message;
        (message.published_at_ns, message.sequence, &message.message_id)
    }

    /// Makes a dead letter of a sound order that the store can never hold. What the store said stands with it as its one
    /// error: unlike a field's, it can't be found again from the bytes.
    pub(super) fn refuse(&mut self, error: &StoreError) {
        let errors = json!([{ "pointer": "", "code": Reason::RefusedByStore, "message": error.to_string() }]);
        self.judged = Judged::Broken {
            reason: Reason::RefusedByStore,
            errors: errors.to_string(),
            codes: Vec::new(),
            order_uid: self.order_uid().map(str::to_owned),
        };
    }

    /// How long it took from its publication until `now`. The sample was never published, and the time of a replay's
    /// publication says when the message was refused.
    pub(super) fn since_publication(&self, now: OffsetDateTime) -> Option<Duration> {
        let message = &self.held.row.message;
        if matches!(message.source, SourceKind::Sample | SourceKind::Replay) {
            return None;
        }
        let age = now.unix_timestamp_nanos() - i128::from(message.published_at_ns);
        // The broker's clock may be ahead of ours.
        Some(Duration::from_nanos(u64::try_from(age).unwrap_or(0)))
    }

    /// Counts what validation found, when that is what was settled: a redelivery says nothing new.
    pub(super) fn count(&self, outcome: Outcome) {
        match (&self.judged, outcome) {
            (Judged::Sound(accepted), Outcome::Applied | Outcome::Replaced) => {
                telemetry::warned(&accepted.warnings)
            }
            (Judged::Broken { reason, codes, .. }, Outcome::Rejected) => {
                telemetry::rejected(*reason);
                for code in codes {
                    telemetry::field_error(*code);
                }
            }
            _ => {}
        }
    }
}

fn errors_json(errors: &[FieldError]) -> String {
    serde_json::to_string(errors).expect("strings and names always serialize")
}
