use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    sync::{OwnedSemaphorePermit, mpsc, watch},
    time::sleep,
};
use tokio_util::sync::CancellationToken;

use crate::{
    fail_point,
    store::{InboxRow, Message, Pauses, Recorded, SourceKind, Store, StoreError},
    telemetry::{self, Part, Stage},
};

use super::{Batches, Budget, Held, InFlight, Inbox, Missing, batches::Weighed, receive::Queued};

/// The most payload that one commit carries.
pub(crate) const BATCH_BYTES: usize = 16 << 20;

/// How often a store that failed is asked whether it takes writes again, while nothing waits to be written.
const PROBE: Duration = Duration::from_secs(2);

/// That question is about what failed, but about no more than this: it is asked again and again.
const PROBE_BYTES: usize = 1 << 20;

/// Commits what queues up, a group at a time: a group is whatever came while the last commit ran.
#[derive(Debug)]
pub struct Writer {
    store: Arc<dyn Store>,
    queue: Batches<Queued>,
    missing: watch::Receiver<Option<Missing>>,
    held: mpsc::Sender<Held>,
    in_flight: Arc<InFlight>,
    health: Part,
}

impl Writer {
    /// A writer that hands over to `held` what it has committed, and the way in to it.
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        budget: &Budget,
        in_flight: Arc<InFlight>,
        batch_size: usize,
        held: mpsc::Sender<Held>,
        health: Part,
    ) -> (Self, Inbox) {
        let (sender, queue) = mpsc::channel(budget.messages());
        let inbox = Inbox::new(sender, budget.clone(), Arc::clone(&in_flight));
        let queue = Batches::new(queue, batch_size, BATCH_BYTES);
        let missing = inbox.missing();
        (Self { store, queue, missing, held, in_flight, health }, inbox)
    }

    /// Commits until `stop`, then what still waits. While the store fails it keeps what somebody will not send again, and
    /// tries again until the store has healed.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut pauses = Pauses::default();
        // The payload that could not be written.
        let (mut closed, mut failing) = (false, None);
        loop {
            let group = tokio::select! {
                biased;
                () = stop.cancelled(), if !closed => {
                    self.queue.close();
                    closed = true;
                    continue;
                }
                group = self.queue.next() => group,
                // A gap is told also when nothing comes any more.
                Ok(()) = self.missing.changed(), if failing.is_none() => {
                    self.missing.mark_changed();
                    Some(Vec::new())
                }
                () = sleep(PROBE), if failing.is_some() => {
                    match self.store.room_for(failing.unwrap_or(0).min(PROBE_BYTES)).await {
                        Ok(()) => {
                            self.health.up();
                            failing = None;
                        }
                        Err(error) => self.health.down(error.to_string()),
                    }
                    continue;
                }
            };
            let Some(group) = group else { break };
            fail_point::reach("after_receive").await;
            let bytes = group.iter().map(Weighed::bytes).sum();
            match self.record(group).await {
                Ok(()) => {
                    self.health.up();
                    failing = None;
                    pauses = Pauses::default();
                }
                Err(error) => {
                    self.health.down(error.to_string());
                    failing = Some(bytes);
                    telemetry::store_error(error.class);
                    telemetry::retried(Stage::Record);
                    pauses.wait().await;
                }
            }
        }
    }

    async fn record(&mut self, group: Vec<Queued>) -> Result<(), StoreError> {
        let (messages, permits): (Vec<_>, Vec<_>) =
            group.into_iter().map(|queued| (queued.message, queued.permit)).unzip();
        let kept = self.keep_missing().await;
        if messages.is_empty() {
            return kept;
        }
        let started = Instant::now();
        let recorded = match kept {
            Ok(()) => self.store.record(&messages).await,
            Err(error) => Err(error),
        };
        match recorded {
            Ok(recorded) => {
                fail_point::reach("after_inbox_commit").await;
                telemetry::committed(Stage::Record, started.elapsed());
                telemetry::batch(Stage::Record, messages.len());
                count(&messages, &recorded);
                for ((message, permit), place) in messages.into_iter().zip(permits).zip(recorded) {
                    self.in_flight.recorded(&message.message_id);
                    let row = InboxRow { id: place.id, message };
                    // The queue has a place for every permit; it refuses only when the worker has gone, and then the row
                    // waits in the inbox for the next start.
                    drop(self.held.try_send(Held { row, permit }));
                }
                Ok(())
            }
            Err(error) => {
                self.keep_what_nobody_sends_again(messages, permits, &error.to_string());
                Err(error)
            }
        }
    }

    /// Writes down what is missing, if that has changed: before the messages after a hole, which end what shows it.
    async fn keep_missing(&mut self) -> Result<(), StoreError> {
        if !self.missing.has_changed().unwrap_or(true) {
            return Ok(());
        }
        let missing = self.missing.borrow_and_update().clone();
        let Some(Missing { source, channel, gaps }) = missing else { return Ok(()) };
        match self.store.keep_missing(source, &channel, &gaps).await {
            Ok(newly_lost) => {
                telemetry::gaps_recorded(source, newly_lost);
                Ok(())
            }
            Err(error) => {
                self.missing.mark_changed();
                Err(error)
            }
        }
    }

    /// After a failure: whoever waits for an answer gets it now, and is the one to send again; the rest stays queued. That
    /// goes for what has queued up meanwhile too, or a long outage would fill the pipeline with requests already answered.
    fn keep_what_nobody_sends_again(
        &mut self,
        messages: Vec<Message>,
        permits: Vec<OwnedSemaphorePermit>,
        reason: &str,
    ) {
        let group = messages.into_iter().zip(permits).map(|(message, permit)| Queued { message, permit });
        self.queue.put_back(group.collect());
        let mut waiting = self.queue.take_all();
        waiting.retain(|queued| match queued.message.source {
            SourceKind::Http => {
                self.in_flight.forget(&queued.message.message_id, reason);
                false
            }
            SourceKind::Stan | SourceKind::JetStream | SourceKind::Sample | SourceKind::Replay => true,
        });
        self.queue.put_back(waiting);
    }
}

/// Counts what was new and what had come before.
fn count(messages: &[Message], recorded: &[Recorded]) {
    for source in SourceKind::ALL {
        let of_source = || messages.iter().zip(recorded).filter(|(message, _)| message.source == source);
        let (all, new) = (of_source().count(), of_source().filter(|(_, place)| place.new).count());
        // What no message came from has no series.
        if all > 0 {
            telemetry::received(source, new as u64);
            telemetry::redelivered(source, (all - new) as u64);
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use crate::{
        cache::testing::TestStore,
        inbox::{Delivery, Received},
        store::Gap,
        telemetry::Board,
    };

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_missing_is_written_down_before_what_came_after_it() {
        let store = Arc::new(TestStore::default());
        store.refuse_gaps_once();
        let (held, mut recorded) = mpsc::channel(1);
        let (writer, inbox) = Writer::new(
            Arc::<TestStore>::clone(&store),
            &Budget::new(1 << 20),
            Arc::default(),
            1,
            held,
            Board::default().register("inbox", None),
        );
        let gaps = vec![Gap { first: 1, last: 4, before_ns: 5, lost: false }];
        inbox.miss(Missing { source: SourceKind::Stan, channel: "orders".into(), gaps });
        let message = Message {
            message_id: "stan:test/orders/5@5".into(),
            source: SourceKind::Stan,
            channel: "orders".into(),
            sequence: 5,
            published_at_ns: 5,
            payload: Bytes::new(),
        };
        assert_eq!(inbox.receive(Delivery { message, acker: None }), Received::Taken);
        let stop = CancellationToken::new();
        stop.cancel();
        writer.run(stop).await;
        assert_eq!(store.written(), ["gaps", "messages"]);
        assert_eq!(recorded.recv().await.map(|held| held.row.id), Some(5));
    }
}
