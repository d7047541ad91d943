//! The integration tests, one binary.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod api;
mod attack;
#[cfg(feature = "fail-points")]
mod chaos;
mod commands;
mod compose;
mod conformance;
mod crash;
mod desk;
mod faults;
mod gaps;
mod guarantees;
mod jetstream;
mod ledger;
mod loadtest;
mod log;
mod metrics;
mod monitoring;
mod order;
mod outage;
mod page;
mod pipeline;
mod publish;
mod redelivery;
mod refusal;
mod reports;
mod settings;
mod simulation;
mod stan;
mod support;
