//! The integration tests, one binary.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod api;
mod commands;
mod compose;
mod conformance;
mod crash;
mod loadtest;
mod log;
mod metrics;
mod monitoring;
mod order;
mod page;
mod pipeline;
mod publish;
mod refusal;
mod reports;
mod settings;
mod stan;
mod support;
