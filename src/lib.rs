//! orderbox takes raw order messages from JetStream, NATS Streaming (STAN) or HTTP, writes each one down before it
//! looks at it, and turns it into an order that anyone can read, or into a dead letter.
//!
//! ```text
//!    STAN ─┐                                  ┌─ orders, deliveries, payments, items ──> cache ──> GET /order
//!    HTTP ─┼─> inbox (raw bytes, committed) ──┤   (one transaction settles a batch)
//! JetStr. ─┘                                  └─ dead_letters (raw bytes + every error)
//!          ack <── only after that transaction ──────────┘
//! ```
//!
//! In the order in which data flows:
//!
//! | module | what it does |
//! |---|---|
//! | [`app`] | wires the stages and stops them in order |
//! | [`config`], [`cli`] | the settings and their checks; one file a command |
//! | [`order`] | what counts as an order: a pure function of the bytes |
//! | [`nats`], [`stan`] | a NATS connection; a NATS Streaming client, a library of its own |
//! | [`source`] | hands over deliveries; holds the contract of acks |
//! | [`inbox`] | knows what is under way, commits what queues up |
//! | [`worker`] | validates, settles a batch, publishes, acks |
//! | [`store`] | everything durable, on PostgreSQL and SQLite |
//! | [`cache`] | ready-to-send documents |
//! | [`desk`] | replays and discards dead letters, many at a time |
//! | [`http`] | the routes and the page |
//! | [`telemetry`] | metrics, health, log |
//! | [`sample`] | the sample order, and messages from a seed |
//! | [`terminal`] | what may be printed, whoever wrote it |

pub mod app;
pub mod cache;
pub mod cli;
pub mod config;
pub mod desk;
mod digest;
pub mod document;
mod fail_point;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
pub mod http;
pub mod inbox;
mod link;
pub mod nats;
mod open_files;
pub mod order;
mod panics;
pub mod sample;
mod signals;
pub mod source;
pub mod stan;
pub mod store;
pub mod telemetry;
pub mod terminal;
pub mod worker;
