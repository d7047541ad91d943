//! What happened, as typed calls: one function an event, whose labels can only be values of the table in `names.rs`.

#![expect(clippy::disallowed_macros, reason = "this is where the ban of raw metrics macros points to")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::http::StatusCode;
use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};

use super::names;
use crate::{
    order::{ErrorCode, Reason, WarningCounts},
    store::{Class, Outcome, SourceKind},
};

/// Where work on the store is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Committing messages to the inbox.
    Record,
    /// Settling a batch.
    Settle,
    /// Looking for unsettled rows.
    Recover,
    /// Filling the cache at boot.
    Rebuild,
}

impl Stage {
    /// Every stage.
    pub const ALL: [Self; 4] = [Self::Record, Self::Settle, Self::Recover, Self::Rebuild];
    /// Those that commit batches.
    pub const TRANSACTIONS: [Self; 2] = [Self::Record, Self::Settle];

    /// The label in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Record => "record",
            Self::Settle => "settle",
            Self::Recover => "recover",
            Self::Rebuild => "rebuild",
        }
    }
}

/// How a read of an order ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CacheResult {
    /// It was in the cache.
    Hit,
    /// It was loaded from the store.
    Loaded,
    /// There is no such order.
    Absent,
    /// The store did not answer.
    Error,
}

impl CacheResult {
    /// Every result.
    pub const ALL: [Self; 4] = [Self::Hit, Self::Loaded, Self::Absent, Self::Error];

    /// The label in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Loaded => "loaded",
            Self::Absent => "absent",
            Self::Error => "error",
        }
    }
}

/// A route as metrics see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Route {
    /// `GET /order`.
    GetOrder,
    /// `POST /order`.
    PostOrder,
    /// `/livez`, `/readyz`, `/healthz`.
    Health,
    /// `/metrics`.
    Metrics,
    /// `/api/…`.
    Api,
    /// The page and its assets, and whatever is not a route.
    Other,
}

impl Route {
    /// Every route.
    pub const ALL: [Self; 6] =
        [Self::GetOrder, Self::PostOrder, Self::Health, Self::Metrics, Self::Api, Self::Other];

    /// The label in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::GetOrder => "get_order",
            Self::PostOrder => "post_order",
            Self::Health => "health",
            Self::Metrics => "metrics",
            Self::Api => "api",
            Self::Other => "other",
        }
    }
}

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

/// So many messages are now held between receipt and ack.
pub fn in_flight(messages: usize) {
    gauge!(names::INBOX_IN_FLIGHT).set(messages as f64);
}

/// A batch of so many rows was committed.
pub fn batch(stage: Stage, rows: usize) {
    histogram!(names::BATCH_SIZE, "stage" => stage.as_str()).record(rows as f64);
}

/// A transaction took so long.
pub fn committed(stage: Stage, duration: Duration) {
    histogram!(names::COMMIT_DURATION, "stage" => stage.as_str()).record(duration);
}

/// A message was acked so long after its receipt.
pub fn ack_after(duration: Duration) {
    histogram!(names::RECEIVE_TO_ACK).record(duration);
}

/// A refused batch was halved.
pub fn batch_split() {
    counter!(names::BATCH_SPLITS).increment(1);
}

/// A call to the store failed.
pub fn store_error(class: Class) {
    counter!(names::STORE_ERRORS, "class" => class.as_str()).increment(1);
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

/// Whether the NATS Streaming server answers.
pub fn stan_connected(connected: bool) {
    gauge!(names::STAN_CONNECTED).set(f64::from(u8::from(connected)));
}

/// The NATS Streaming server was reached again.
pub fn stan_reconnected() {
    counter!(names::STAN_RECONNECTS).increment(1);
}

/// The rebuild of the cache has ended.
pub fn cache_rebuilt(duration: Duration) {
    gauge!(names::CACHE_REBUILD_SECONDS).set(duration.as_secs_f64());
}

/// What HTTP requests are counted with. What a hit in the cache touches is looked up once.
#[derive(Clone)]
pub struct HttpRequests {
    in_flight: Gauge,
    order_found: Histogram,
    order_not_modified: Histogram,
    reads: [(Counter, Arc<AtomicU64>); CacheResult::ALL.len()],
}

impl std::fmt::Debug for HttpRequests {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpRequests").finish_non_exhaustive()
    }
}

impl HttpRequests {
    /// Looks the handles up; the recorder must be installed by then.
    #[must_use]
    pub fn resolve() -> Self {
        Self {
            in_flight: gauge!(names::HTTP_IN_FLIGHT),
            order_found: duration(Route::GetOrder, StatusCode::OK),
            order_not_modified: duration(Route::GetOrder, StatusCode::NOT_MODIFIED),
            reads: CacheResult::ALL
                .map(|result| (counter!(names::CACHE_REQUESTS, "result" => result.as_str()), Arc::default())),
        }
    }

    /// A request that counts as in flight until the value is dropped.
    #[must_use]
    pub fn begin(&self) -> RequestGuard {
        self.in_flight.increment(1.0);
        RequestGuard(self.in_flight.clone())
    }

    /// An order was read.
    pub fn read(&self, result: CacheResult) {
        let (counter, total) = &self.reads[result as usize];
        counter.increment(1);
        total.fetch_add(1, Ordering::Relaxed);
    }

    /// How many reads have ended like this.
    #[must_use]
    pub fn reads(&self, result: CacheResult) -> u64 {
        self.reads[result as usize].1.load(Ordering::Relaxed)
    }

    /// A request was answered.
    pub fn answered(&self, route: Route, status: StatusCode, after: Duration) {
        match (route, status) {
            (Route::GetOrder, StatusCode::OK) => self.order_found.record(after),
            (Route::GetOrder, StatusCode::NOT_MODIFIED) => self.order_not_modified.record(after),
            _ => duration(route, status).record(after),
        }
    }
}

fn duration(route: Route, status: StatusCode) -> Histogram {
    histogram!(
        names::HTTP_REQUEST_DURATION,
        "route" => route.as_str(),
        "status" => status.as_str().to_owned()
    )
}

/// See [`HttpRequests::begin`].
pub struct RequestGuard(Gauge);

impl std::fmt::Debug for RequestGuard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RequestGuard").finish_non_exhaustive()
    }
}

impl Drop for RequestGuard {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}
