use std::time::Duration;

use crate::store::Message;

/// A message as a source hands it over.
#[derive(Debug)]
pub struct Delivery {
    /// The message with its identity.
    pub message: Message,
    /// How the source is told that the message is settled; `None` where nobody waits for it.
    pub acker: Option<Box<dyn Ack>>,
}

/// The right to acknowledge one delivery.
///
/// `ack` never blocks. Where the link is down or its queue is full the ack is lost, which is harmless: the message comes
/// again and is settled as `unchanged`.
pub trait Ack: Send + std::fmt::Debug {
    /// Tells the source that the message need not come again.
    fn ack(self: Box<Self>);

    /// How long the source waits for the ack before it delivers the message again; `None` when it never does.
    fn wait(&self) -> Option<Duration>;
}
