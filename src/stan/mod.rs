//! A client for NATS Streaming (STAN), on async-nats. It knows nothing of orders.
//!
//! ```text
//! Consumer ── connects, subscribes, and does it again after a loss ──┐
//! Publisher ── connects, and does it again when it is needed ────────┤
//!                                                                    v
//!   Connection ── one registration of a client id ── Session (what its tasks share)
//!     ├─ heartbeats answered, pings sent            ping
//!     ├─ publishes in a window, one outcome each    publish
//!     ├─ acks written in order                      ack
//!     └─ Subscription ── Message, Acker             subscription
//!   one NATS connection, never remade               crate::nats
//!   settings and names, checked before              options, name
//!   the messages on the wire                        proto
//! ```
//!
//! # What it promises
//!
//! - **A connection is one NATS connection.** When NATS breaks, or the server has not answered for too long, or it says that
//!   it does not know us, the [`Connection`] is over, once, with a reason ([`Connection::lost`]). It never comes back by itself:
//!   what was queued on it can't go out late, when the client id may belong to another process. A new connection under the
//!   same client id takes over its durables, and the server sends at once what is un-acked.
//! - **An ack is a one-way message.** [`Acker::ack`] never waits. An ack may get lost, and then the message comes again; it is
//!   never sent to another subscription than the one that delivered the message. [`Connection::ping`] proves that the acks made
//!   before it are past every queue of ours, and both [`Connection::close`] and [`Consumer::finish`] prove it before they close,
//!   whereupon the server applies them first.
//! - **A publish has exactly one outcome:** stored, not stored, or unknown ([`Outcome`]). Nothing is ever published twice by
//!   this client. Its place in the window is freed with its outcome.
//! - **Nothing waits for ever,** except [`Consumer::next`], which is there to wait. Every request has a time-out, and the end of a
//!   connection frees everyone who waits for it.
//! - **Requests that carry only the client id** (subscribe, close) are sent only after a ping has shown that the id is ours: from a
//!   client that was replaced they would hit its successor.
//! - **Deliveries may come twice,** also without the redelivered flag, and in bursts above the in-flight limit. Whoever applies
//!   them recognises them by sequence and timestamp. What nobody takes in time is dropped, counted
//!   ([`Session::dropped`]) and sent again after the ack wait.
//! - **A durable is never removed.**
//!
//! Protocol facts are those of nats-streaming-server 0.25.6 and stan.go 0.10.4, the last releases of both.

mod ack;
mod connection;
mod consumer;
mod error;
#[cfg(any(test, fuzzing))]
pub(crate) mod holds;
pub mod name;
mod options;
mod ping;
mod proto;
mod publish;
mod publisher;
mod session;
mod subscription;

pub use ack::Acker;
pub use connection::Connection;
pub use consumer::{Consumer, State};
pub use error::{CloseError, ConnectError, Lost, NoAnswer, SubscribeError};
pub use name::InvalidName;
pub use options::{Options, OptionsError};
pub use publish::{NotStored, Outcome, Publishing, Unknown};
pub use publisher::{PublishError, Publisher};
pub use session::Session;
pub use subscription::{Message, Start, SubscribeOptions, Subscription};
