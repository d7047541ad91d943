//! A backlog in NATS Streaming, drained into each of the two databases.

pub(crate) mod postgres;
pub(crate) mod sqlite;
