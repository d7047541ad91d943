//! The integration tests, one binary.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod api;
mod attack;
mod backup;
#[cfg(feature = "fail-points")]
mod chaos;
mod commands;
mod compose;
mod conformance;
mod copy;
mod crash;
mod desk;
mod faults;
mod gaps;
mod guarantees;
mod instances;
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
mod retention;
mod settings;
mod simulation;
mod stan;
mod support;
