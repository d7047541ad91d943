//! Every metric in one table. The recorder is set up from it, and a test holds what `/metrics` prints against it.

use metrics::Unit;

use super::{
    Stage,
    events::{CacheResult, Route},
};
use crate::{
    order::{ErrorCode, Reason, WarningCode},
    store::{Class, Outcome, Resolution, SourceKind},
};

/// How a metric behaves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// A distribution with these upper bounds.
    Histogram(&'static [f64]),
}

/// A label and every value it can take.
#[derive(Debug, Clone, Copy)]
pub struct Label {
    /// Its name.
    pub key: &'static str,
    /// The closed set of its values, or `None` for a value that is fixed when the program is built or is a status code.
    pub values: Option<fn() -> Vec<&'static str>>,
}

/// A row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    /// With the prefix `orderbox_`.
    pub name: &'static str,
    /// How it behaves.
    pub kind: Kind,
    /// The base unit; `None` where the name says what is counted.
    pub unit: Option<Unit>,
    /// One sentence.
    pub help: &'static str,
    /// Its labels, in the order in which they are printed.
    pub labels: &'static [Label],
}

/// Seconds from a hit in the cache to a store that is slower than `STORE_TIMEOUT`.
const REQUEST_SECONDS: &[f64] =
    &[0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.05, 0.25, 1.0, 5.0];
/// Seconds of a commit: about 1 ms on a good disk, `STORE_TIMEOUT` at worst.
const COMMIT_SECONDS: &[f64] =
    &[0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// Seconds from receipt to ack: two commits, or as long as an outage lasts.
const ACK_SECONDS: &[f64] =
    &[0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0];
/// Rows of a batch.
const BATCH_ROWS: &[f64] = &[1.0, 2.0, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0, 2500.0, 5000.0];

const SOURCE: Label =
    Label { key: "source", values: Some(|| SourceKind::ALL.map(SourceKind::as_str).to_vec()) };
const OUTCOME: Label = Label { key: "outcome", values: Some(|| Outcome::ALL.map(Outcome::as_str).to_vec()) };
const CLASS: Label = Label { key: "class", values: Some(|| Class::ALL.map(Class::as_str).to_vec()) };
const STAGE: Label = Label { key: "stage", values: Some(|| Stage::ALL.map(Stage::as_str).to_vec()) };
const TRANSACTION_STAGE: Label =
    Label { key: "stage", values: Some(|| Stage::TRANSACTIONS.map(Stage::as_str).to_vec()) };
const RESULT: Label =
    Label { key: "result", values: Some(|| CacheResult::ALL.map(CacheResult::as_str).to_vec()) };
const RESOLUTION: Label =
    Label { key: "resolution", values: Some(|| Resolution::ALL.map(Resolution::as_str).to_vec()) };
const ROUTE: Label = Label { key: "route", values: Some(|| Route::ALL.map(Route::as_str).to_vec()) };
const STATUS: Label = Label { key: "status", values: None };
const VERSION: Label = Label { key: "version", values: None };
const REASON: Label =
    Label { key: "reason", values: Some(|| Reason::ALL.iter().map(|code| code.as_str()).collect()) };
const ERROR_CODE: Label =
    Label { key: "code", values: Some(|| ErrorCode::ALL.iter().map(|code| code.as_str()).collect()) };
const WARNING_CODE: Label =
    Label { key: "code", values: Some(|| WarningCode::ALL.iter().map(|code| code.as_str()).collect()) };

const fn counter(name: &'static str, help: &'static str, labels: &'static [Label]) -> Metric {
    Metric { name, kind: Kind::Counter, unit: None, help, labels }
}

const fn gauge(
    name: &'static str,
    unit: Option<Unit>,
    help: &'static str,
    labels: &'static [Label],
) -> Metric {
    Metric { name, kind: Kind::Gauge, unit, help, labels }
}

const fn seconds(
    name: &'static str,
    bounds: &'static [f64],
    help: &'static str,
    labels: &'static [Label],
) -> Metric {
    Metric { name, kind: Kind::Histogram(bounds), unit: Some(Unit::Seconds), help, labels }
}

/// The table.
#[rustfmt::skip]
pub const METRICS: &[Metric] = &[
    counter(RECEIVED, "Messages written to the inbox.", &[SOURCE]),
    counter(REDELIVERED, "Deliveries recognised as copies: of a message in flight, or of one in the inbox when it was to be recorded.", &[SOURCE]),
    counter(SETTLED, "Messages settled by this process.", &[OUTCOME]),
    gauge(INBOX_PENDING, None, "Messages in the inbox: received and not yet settled.", &[]),
    gauge(INBOX_OLDEST_PENDING, Some(Unit::Seconds), "How long the oldest message in the inbox has waited.", &[]),
    gauge(INBOX_IN_FLIGHT, None, "Messages that this process holds between receipt and ack.", &[]),
    Metric { name: BATCH_SIZE, kind: Kind::Histogram(BATCH_ROWS), unit: Some(Unit::Count), help: "Rows of a committed batch.", labels: &[TRANSACTION_STAGE] },
    seconds(COMMIT_DURATION, COMMIT_SECONDS, "Duration of a transaction, from its first statement to the answer to its commit.", &[TRANSACTION_STAGE]),
    seconds(RECEIVE_TO_ACK, ACK_SECONDS, "From the receipt of a message to its ack.", &[]),
    counter(BATCH_SPLITS, "Batches halved because the store refused them.", &[]),
    counter(STORE_ERRORS, "Calls to the store that failed.", &[CLASS]),
    counter(RETRIES, "Calls to the store that were tried again.", &[STAGE]),
    counter(REJECTIONS, "Dead letters inserted.", &[REASON]),
    counter(FIELD_ERRORS, "Errors in the fields of messages that became dead letters.", &[ERROR_CODE]),
    counter(WARNINGS, "Oddities in accepted messages.", &[WARNING_CODE]),
    counter(DELIVERIES_DROPPED, "Deliveries dropped without an ack because the pipeline was full or the service was stopping; they come back.", &[SOURCE]),
    gauge(STAN_CONNECTED, None, "1 while the NATS Streaming server answers, else 0.", &[]),
    counter(STAN_RECONNECTS, "Connections to the NATS Streaming server after the first.", &[]),
    counter(CACHE_REQUESTS, "Reads of an order: found in the cache, loaded from the store, absent from it, or failed.", &[RESULT]),
    gauge(CACHE_ENTRIES, None, "Documents in the cache.", &[]),
    gauge(CACHE_BYTES, Some(Unit::Bytes), "What the documents in the cache weigh.", &[]),
    counter(CACHE_EVICTIONS, "Documents that left the cache for want of room.", &[]),
    gauge(CACHE_REBUILD_RATIO, None, "How far the rebuild of the cache is, from 0 to 1.", &[]),
    gauge(CACHE_REBUILD_SECONDS, Some(Unit::Seconds), "Duration of the rebuild of the cache; 0 until it has ended.", &[]),
    seconds(HTTP_REQUEST_DURATION, REQUEST_SECONDS, "From the parsed head of a request to the head of its response.", &[ROUTE, STATUS]),
    gauge(HTTP_IN_FLIGHT, None, "Requests being answered.", &[]),
    gauge(DEAD_LETTERS, None, "Dead letters by what has become of them.", &[RESOLUTION]),
    gauge(BUILD_INFO, None, "Always 1; the label says which build runs.", &[VERSION]),
];

pub(super) const RECEIVED: &str = "orderbox_messages_received_total";
pub(super) const REDELIVERED: &str = "orderbox_messages_redelivered_total";
pub(super) const SETTLED: &str = "orderbox_messages_settled_total";
pub(super) const INBOX_PENDING: &str = "orderbox_inbox_pending";
pub(super) const INBOX_OLDEST_PENDING: &str = "orderbox_inbox_oldest_pending_seconds";
pub(super) const INBOX_IN_FLIGHT: &str = "orderbox_inbox_in_flight";
pub(super) const BATCH_SIZE: &str = "orderbox_batch_size";
pub(super) const COMMIT_DURATION: &str = "orderbox_commit_duration_seconds";
pub(super) const RECEIVE_TO_ACK: &str = "orderbox_receive_to_ack_seconds";
pub(super) const BATCH_SPLITS: &str = "orderbox_batch_splits_total";
pub(super) const STORE_ERRORS: &str = "orderbox_store_errors_total";
pub(super) const RETRIES: &str = "orderbox_retries_total";
pub(super) const REJECTIONS: &str = "orderbox_rejections_total";
pub(super) const FIELD_ERRORS: &str = "orderbox_field_errors_total";
pub(super) const WARNINGS: &str = "orderbox_warnings_total";
pub(super) const DELIVERIES_DROPPED: &str = "orderbox_deliveries_dropped_total";
pub(super) const STAN_CONNECTED: &str = "orderbox_stan_connected";
pub(super) const STAN_RECONNECTS: &str = "orderbox_stan_reconnects_total";
pub(super) const CACHE_REQUESTS: &str = "orderbox_cache_requests_total";
pub(super) const CACHE_ENTRIES: &str = "orderbox_cache_entries";
pub(super) const CACHE_BYTES: &str = "orderbox_cache_bytes";
pub(super) const CACHE_EVICTIONS: &str = "orderbox_cache_evictions_total";
pub(super) const CACHE_REBUILD_RATIO: &str = "orderbox_cache_rebuild_ratio";
pub(super) const CACHE_REBUILD_SECONDS: &str = "orderbox_cache_rebuild_seconds";
pub(super) const HTTP_REQUEST_DURATION: &str = "orderbox_http_request_duration_seconds";
pub(super) const HTTP_IN_FLIGHT: &str = "orderbox_http_requests_in_flight";
pub(super) const DEAD_LETTERS: &str = "orderbox_dead_letters";
pub(super) const BUILD_INFO: &str = "orderbox_build_info";
