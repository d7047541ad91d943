//! How large everything is. The defaults are those of the figures in docs/PERFORMANCE.md; smaller ones are for a quick try.

use std::{env, str::FromStr, time::Duration};

/// Each is the environment variable of its name in capitals.
#[derive(Debug)]
pub(crate) struct Settings {
    /// How often every row is measured, in turn with its reference.
    pub(crate) rounds: usize,
    /// Orders of a backlog.
    pub(crate) orders: u64,
    /// Orders stored beforehand, where a row is about a store that is not empty.
    pub(crate) stored: u64,
    /// Orders that are read in turn.
    pub(crate) uids: u64,
    /// Of load on one web server before it is the other's turn.
    pub(crate) read_seconds: u64,
    /// Of one round of publishing at a rate.
    pub(crate) latency_seconds: u64,
    /// Of sustained load.
    pub(crate) inbox_minutes: f64,
    /// Orders a second meanwhile.
    pub(crate) inbox_rate: u64,
    /// Of doing nothing.
    pub(crate) idle_seconds: u64,
}

impl Settings {
    /// What is wrong with one of them is the error.
    pub(crate) fn from_environment() -> Result<Self, String> {
        Ok(Self {
            rounds: value("ROUNDS", 5)?.max(1),
            orders: value("ORDERS", 100_000)?.max(1_000),
            stored: value("STORED", 1_000_000)?.max(1_000),
            uids: value("UIDS", 100_000)?.max(1),
            read_seconds: value("READ_SECONDS", 5)?.max(1),
            latency_seconds: value("LATENCY_SECONDS", 20)?.max(1),
            inbox_minutes: value("INBOX_MINUTES", 2.0)?,
            inbox_rate: value("INBOX_RATE", 5_000)?.max(1),
            idle_seconds: value("IDLE_SECONDS", 30)?.max(1),
        })
    }

    /// By name, for the report.
    pub(crate) fn named(&self) -> serde_json::Value {
        serde_json::json!({
            "ROUNDS": self.rounds,
            "ORDERS": self.orders,
            "STORED": self.stored,
            "UIDS": self.uids,
            "READ_SECONDS": self.read_seconds,
            "LATENCY_SECONDS": self.latency_seconds,
            "INBOX_MINUTES": self.inbox_minutes,
            "INBOX_RATE": self.inbox_rate,
            "IDLE_SECONDS": self.idle_seconds,
        })
    }

    pub(crate) fn rounds(&self) -> std::ops::Range<usize> {
        0..self.rounds
    }

    pub(crate) fn reading(&self) -> Duration {
        Duration::from_secs(self.read_seconds)
    }
}

fn value<T: FromStr>(name: &str, default: T) -> Result<T, String> {
    match env::var(name) {
        Ok(text) if !text.is_empty() => text.parse().map_err(|_| format!("{name}={text} is not a number")),
        _ => Ok(default),
    }
}

/// The order of this round: every side is first in its turn, so that none always finds the machine as another left it.
pub(crate) fn in_turn<T: Clone, const N: usize>(round: usize, sides: [T; N]) -> [T; N] {
    let mut sides = sides;
    sides.rotate_left(round % N);
    sides
}
