//! Messages are written down before anyone looks at them.
//!
//! [`Inbox::receive`] takes a delivery into the [`InFlight`] table within the [`Budget`], [`Writer`] commits whatever queued
//! while its last commit ran, and what is committed goes on to the worker as [`Held`].

mod batches;
mod budget;
mod delivery;
mod in_flight;
mod receive;
mod writer;

pub use batches::Batches;
pub use budget::{Budget, Room};
pub use delivery::{Ack, Delivery};
pub use in_flight::{InFlight, Waiter};
pub use receive::{Inbox, Missing, Received, SubmitError};
pub(crate) use writer::BATCH_BYTES;
pub use writer::Writer;

use tokio::sync::OwnedSemaphorePermit;

use crate::store::InboxRow;

/// A committed message that this process holds until it is settled.
#[derive(Debug)]
pub struct Held {
    /// The row in the inbox.
    pub row: InboxRow,
    /// Its share of `PIPELINE_BYTES`, given back when the value is dropped.
    pub permit: OwnedSemaphorePermit,
}

impl batches::Weighed for Held {
    fn bytes(&self) -> usize {
        self.row.message.payload.len()
    }
}
