//! The integration tests, one binary.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod commands;
mod conformance;
mod crash;
mod log;
mod order;
mod page;
mod pipeline;
mod publish;
mod refusal;
mod reports;
mod settings;
mod stan;
mod support;
