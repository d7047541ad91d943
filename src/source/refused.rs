use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::telemetry::Part;

/// Deliveries that the inbox had no room for. A full pipeline loses nothing, but what it refuses has to come again: that should
/// not go unseen.
#[derive(Debug)]
pub(super) struct Refused {
    /// What is logged when it begins.
    advice: &'static str,
    /// How many there were since the last look.
    count: AtomicU64,
    /// Whether there were any before it.
    going_on: AtomicBool,
}

impl Refused {
    pub(super) fn new(advice: &'static str) -> Self {
        Self { advice, count: AtomicU64::new(0), going_on: AtomicBool::new(false) }
    }

    pub(super) fn add(&self) {
        self.count.fetch_add(1, Ordering::Relaxed);
    }

    /// Says on /healthz how many there were since the last look, a second ago.
    pub(super) fn tell(&self, health: &Part) {
        let count = self.count.swap(0, Ordering::Relaxed);
        let begins = !self.going_on.swap(count > 0, Ordering::Relaxed) && count > 0;
        if begins {
            tracing::warn!("{}", self.advice);
        }
        let detail =
            format!("{count} deliveries of the last second did not fit PIPELINE_BYTES: they come again");
        health.set_details(if count > 0 { vec![detail] } else { Vec::new() });
    }
}
