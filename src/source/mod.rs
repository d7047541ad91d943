//! Where messages come from.
//!
//! A source hands over a [`Delivery`] and nothing else: it does not parse, store or decide.

mod gaps;
mod http;
mod jetstream;
mod look;
mod refused;
mod sample;
mod stan;

use async_trait::async_trait;
use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use crate::{
    inbox::Inbox,
    store::{self, Store},
};

pub use crate::inbox::{Ack, Delivery};
pub use http::HttpSource;
pub use jetstream::JetStreamSource;
pub use sample::sample;
pub use stan::{StanSettingsError, StanSource};

/// A subscription to somewhere messages come from.
///
/// The ack contract: a delivery is acknowledged after the transaction that settled its message has committed, and never
/// before. A delivery that is dropped without an ack comes again after the source's ack wait. A message may be delivered any
/// number of times, with or without a redelivered flag, so its identity is what tells it from others; when a copy arrives
/// while the first is under way, the copy's acker replaces the older one, and each message is acknowledged once, to the
/// subscription that delivered it last. This is honoured in one function, `InFlight::settled`.
#[async_trait]
pub trait Source: Send {
    /// Called when the store is ready, before it runs: learns where an earlier process left off. A repetition learns it again.
    ///
    /// # Errors
    /// When the store fails.
    async fn resume(&mut self, _store: &dyn Store) -> store::Result<()> {
        Ok(())
    }

    /// Reads until `stop`, handing every delivery to `inbox`. What has been delivered never waits for room: what the inbox has
    /// none for is dropped without an ack.
    async fn run(&mut self, inbox: Inbox, stop: CancellationToken);

    /// Called when everything handed over has been settled: sends the acks out, proves that they arrived, and closes. `false`
    /// when that is not proven: nothing is lost, but what was acked may come again.
    async fn finish(&mut self) -> bool;
}

/// A copy of a payload: a slice would keep the whole network buffer alive for as long as one message of it is held.
fn own(payload: &Bytes) -> Bytes {
    Bytes::copy_from_slice(payload)
}
