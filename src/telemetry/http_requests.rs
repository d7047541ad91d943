//! What HTTP requests are counted with.

#![expect(clippy::disallowed_macros, reason = "this is where the ban of raw metrics macros points to")]

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use axum::http::StatusCode;
use metrics::{Gauge, Histogram, counter, gauge, histogram};

use super::{
    labels::{CacheResult, Route},
    names,
};

/// Every handle is looked up once: an answer from the cache takes microseconds, and a look-up is a good part of one.
pub struct HttpRequests {
    in_flight: Gauge,
    /// By route, then by the place of the status in [`Route::statuses`].
    durations: [Vec<Histogram>; Route::ALL.len()],
    reads: [AtomicU64; CacheResult::ALL.len()],
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
            durations: Route::ALL.map(durations),
            reads: Default::default(),
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
        self.reads[result as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// How many reads have ended like this.
    #[must_use]
    pub fn reads(&self, result: CacheResult) -> u64 {
        self.reads[result as usize].load(Ordering::Relaxed)
    }

    /// Hands the reads over to the recorder, which is asked less often than an order.
    pub(super) fn report_reads(&self) {
        for result in CacheResult::ALL {
            counter!(names::CACHE_REQUESTS, "result" => result.as_str()).absolute(self.reads(result));
        }
    }

    /// A request was answered.
    pub fn answered(&self, route: Route, status: StatusCode, after: Duration) {
        self.durations[route as usize][route.status_index(status)].record(after);
    }
}

fn durations(route: Route) -> Vec<Histogram> {
    let duration =
        |status| histogram!(names::HTTP_REQUEST_DURATION, "route" => route.as_str(), "status" => status);
    route.statuses().iter().copied().map(duration).collect()
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
