//! orderbox takes raw order messages from NATS Streaming (STAN) or HTTP, writes each one down before it
//! looks at it, and turns it into an order that anyone can read, or into a dead letter.
//!
//! ```text
//! STAN ─┐                                  ┌─ orders, deliveries, payments, items ──> cache ──> GET /order
//! HTTP ─┴─> inbox (raw bytes, committed) ──┤   (one transaction settles a batch)
//!                                          └─ dead_letters (raw bytes + every error)
//!       ack <── only after that transaction ──────────┘
//! ```

pub mod app;
pub mod cache;
pub mod config;
mod digest;
pub mod http;
pub mod inbox;
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
