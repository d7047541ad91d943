//! The adapter between the broker and the inbox, which checks each ack at the moment it is given.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use orderbox::{
    inbox::{Ack, Delivery, Inbox, Received},
    store::Message,
};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::{
    Breakage,
    broker::{Broker, Receipt},
    journal::Journal,
    reader::Floors,
    store::SimStore,
};

/// What the acks of one process share.
#[derive(Debug)]
pub(crate) struct Desk {
    pub(crate) broker: Arc<Broker>,
    pub(crate) store: Arc<SimStore>,
    pub(crate) journal: Arc<Journal>,
    pub(crate) floors: Arc<Floors>,
    pub(crate) breakage: Option<Breakage>,
    /// The copy of each message that came last.
    latest: Mutex<BTreeMap<Arc<str>, u64>>,
}

#[derive(Debug)]
struct SimAck {
    desk: Arc<Desk>,
    receipt: Receipt,
}

impl Ack for SimAck {
    fn ack(self: Box<Self>) {
        let Self { desk, receipt } = *self;
        let message_id = &receipt.message.message_id;
        if !desk.store.tables().settled.contains(message_id) {
            desk.journal.violated(format!("{message_id} is acked and not settled"));
        }
        if desk.latest.lock().unwrap().get(message_id).is_some_and(|latest| *latest > receipt.copy) {
            desk.journal.violated(format!("{message_id} is acked to a copy that was replaced"));
        }
        desk.floors.acked(&desk.store, &receipt.message);
        desk.broker.ack(receipt);
    }

    fn wait(&self) -> Option<Duration> {
        Some(self.desk.broker.ack_wait)
    }
}

impl Desk {
    pub(crate) fn new(
        broker: Arc<Broker>,
        store: Arc<SimStore>,
        journal: Arc<Journal>,
        floors: Arc<Floors>,
        breakage: Option<Breakage>,
    ) -> Arc<Self> {
        Arc::new(Self { broker, store, journal, floors, breakage, latest: Mutex::default() })
    }

    /// Subscribes, and again after each cut, until `stop`.
    pub(crate) async fn run(self: Arc<Self>, inbox: Inbox, stop: CancellationToken) {
        let reading = async {
            loop {
                let mut deliveries = self.broker.subscribe();
                while let Some(receipt) = deliveries.recv().await {
                    self.hand_over(&inbox, receipt);
                }
                sleep(Duration::from_millis(250)).await;
            }
        };
        stop.run_until_cancelled(reading).await;
    }

    fn hand_over(self: &Arc<Self>, inbox: &Inbox, receipt: Receipt) {
        let message: Message = receipt.message.clone();
        let (message_id, copy) = (Arc::clone(&message.message_id), receipt.copy);
        let acker = Box::new(SimAck { desk: Arc::clone(self), receipt: receipt.clone() });
        let acker: Option<Box<dyn Ack>> = if self.breakage == Some(Breakage::AcksAtReceipt) {
            acker.ack();
            None
        } else {
            Some(acker)
        };
        match inbox.receive(Delivery { message, acker }) {
            Received::Dropped => {
                self.journal.note("dropped, no room", format_args!("{message_id}"));
                if self.breakage == Some(Breakage::AcksDropped) {
                    Box::new(SimAck { desk: Arc::clone(self), receipt }).ack();
                }
            }
            taken => {
                let name = if taken == Received::Joined { "joined" } else { "taken" };
                self.journal.note(name, format_args!("{message_id}"));
                self.latest.lock().unwrap().insert(message_id, copy);
            }
        }
    }
}
