use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use metrics::Gauge;
use tokio::sync::oneshot;

use crate::telemetry;

use super::Ack;

/// Told once when the message is recorded, or why it is not known to be.
pub type Waiter = oneshot::Receiver<Result<(), String>>;

/// What this process has taken in and not settled yet, by message id.
///
/// A message is in the table from its receipt until its settle has committed, so a redelivery of it is recognised without
/// asking the store. What is not in the table may still be in the inbox: the store recognises it then.
#[derive(Debug)]
pub struct InFlight {
    entries: Mutex<HashMap<Arc<str>, Entry>>,
    gauge: Gauge,
}

impl Default for InFlight {
    fn default() -> Self {
        Self { entries: Mutex::default(), gauge: telemetry::in_flight() }
    }
}

#[derive(Debug)]
struct Entry {
    acker: Option<Box<dyn Ack>>,
    recorded: bool,
    waiters: Vec<oneshot::Sender<Result<(), String>>>,
    since: Instant,
}

impl Entry {
    fn new(recorded: bool) -> Self {
        Self { acker: None, recorded, waiters: Vec::new(), since: Instant::now() }
    }

    fn tell(&mut self, result: &Result<(), String>) {
        for waiter in self.waiters.drain(..) {
            // An error means that whoever waited has gone away.
            drop(waiter.send(result.clone()));
        }
    }
}

/// An ack that has gone out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Acked {
    /// Since the message was first received.
    pub(crate) after: Duration,
    /// How long its source waits for the ack before it delivers the message again.
    pub(crate) wait: Option<Duration>,
}

/// What became of a message that was offered to the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entered {
    /// It is under way already; the copy's acker is the one to use now.
    Joined,
    /// It was not there and is now.
    New,
    /// It was not there, and there is no room for it.
    Refused,
}

impl InFlight {
    /// Joins a message under way, or enters a new one when `admit` makes room for it. `waiter` asks to be told when it is
    /// recorded.
    pub(super) fn enter(
        &self,
        message_id: &Arc<str>,
        acker: Option<Box<dyn Ack>>,
        waiter: Option<oneshot::Sender<Result<(), String>>>,
        admit: impl FnOnce() -> bool,
    ) -> Entered {
        let mut entries = self.lock();
        let (entered, entry) = match entries.get_mut(message_id) {
            Some(entry) => (Entered::Joined, entry),
            // Under the lock, so that the writer cannot meet a message that is not in the table yet.
            None if admit() => {
                (Entered::New, entries.entry(Arc::clone(message_id)).or_insert_with(|| Entry::new(false)))
            }
            None => return Entered::Refused,
        };
        if acker.is_some() {
            entry.acker = acker;
        }
        // Of those who gave up waiting nothing is kept: the same bytes may be posted over and over while the store is slow.
        entry.waiters.retain(|waiter| !waiter.is_closed());
        entry.waiters.extend(waiter);
        if entry.recorded {
            entry.tell(&Ok(()));
        }
        self.gauge.set(entries.len() as f64);
        entered
    }

    /// Enters a message found in the inbox table; `false` when it is under way already.
    pub(crate) fn adopt(&self, message_id: &Arc<str>) -> bool {
        let mut entries = self.lock();
        if entries.contains_key(message_id) {
            return false;
        }
        entries.insert(Arc::clone(message_id), Entry::new(true));
        self.gauge.set(entries.len() as f64);
        true
    }

    /// Whether this message is under way.
    #[must_use]
    pub fn holds(&self, message_id: &str) -> bool {
        self.lock().contains_key(message_id)
    }

    /// The message is committed to the inbox.
    pub(super) fn recorded(&self, message_id: &str) {
        if let Some(entry) = self.lock().get_mut(message_id) {
            entry.recorded = true;
            entry.tell(&Ok(()));
        }
    }

    /// The message is given up without an ack: nobody will deliver it again but its sender, who is told.
    pub(super) fn forget(&self, message_id: &str, reason: &str) {
        if let Some(mut entry) = self.remove(message_id) {
            entry.tell(&Err(reason.to_owned()));
        }
    }

    /// The message is settled, by whomever: acknowledges it, if it had an acker. The one place where acks come from; see
    /// [`Source`](crate::source::Source) for the contract.
    pub(crate) fn settled(&self, message_id: &str) -> Option<Acked> {
        let mut entry = self.remove(message_id)?;
        entry.tell(&Ok(()));
        let acker = entry.acker.take()?;
        let wait = acker.wait();
        acker.ack();
        Some(Acked { after: entry.since.elapsed(), wait })
    }

    /// Messages under way.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether nothing is under way.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn remove(&self, message_id: &str) -> Option<Entry> {
        let mut entries = self.lock();
        let entry = entries.remove(message_id);
        self.gauge.set(entries.len() as f64);
        entry
    }

    /// A panic while the lock was held cannot have left an entry half changed: each change is one assignment.
    fn lock(&self) -> MutexGuard<'_, HashMap<Arc<str>, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[derive(Debug)]
    struct Counter(Arc<AtomicU32>);

    impl Ack for Counter {
        fn ack(self: Box<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }

        fn wait(&self) -> Option<Duration> {
            None
        }
    }

    fn counter() -> (Arc<AtomicU32>, Option<Box<dyn Ack>>) {
        let acks = Arc::new(AtomicU32::new(0));
        (Arc::clone(&acks), Some(Box::new(Counter(acks))))
    }

    #[test]
    fn a_message_is_acked_once_and_to_the_copy_that_came_last() {
        let (table, id) = (InFlight::default(), Arc::from("stan:c/ch/1@5"));
        let ((first, first_acker), (second, second_acker)) = (counter(), counter());
        assert_eq!(table.enter(&id, first_acker, None, || true), Entered::New);
        assert_eq!(table.enter(&id, second_acker, None, || panic!("a copy needs no room")), Entered::Joined);
        assert!(table.settled(&id).is_some());
        assert!(table.settled(&id).is_none());
        assert_eq!((first.load(Ordering::Relaxed), second.load(Ordering::Relaxed)), (0, 1));
    }

    #[test]
    fn a_message_without_room_is_neither_held_nor_acked() {
        let (table, id) = (InFlight::default(), Arc::from("stan:c/ch/1@5"));
        let (acks, acker) = counter();
        assert_eq!(table.enter(&id, acker, None, || false), Entered::Refused);
        assert!(table.is_empty());
        assert_eq!(acks.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn everyone_who_waits_is_told_once_it_is_recorded_and_a_late_one_at_once() {
        let (table, id) = (InFlight::default(), Arc::from("http:00"));
        let (sender, mut first) = oneshot::channel();
        table.enter(&id, None, Some(sender), || true);
        assert!(first.try_recv().is_err(), "not before the commit");
        table.recorded(&id);
        assert_eq!(first.try_recv().expect("told"), Ok(()));
        let (sender, mut late) = oneshot::channel();
        assert_eq!(table.enter(&id, None, Some(sender), || true), Entered::Joined);
        assert_eq!(late.try_recv().expect("told"), Ok(()));
    }

    #[test]
    fn a_forgotten_message_tells_its_sender_and_may_come_again() {
        let (table, id) = (InFlight::default(), Arc::from("http:00"));
        let (sender, mut waiter) = oneshot::channel();
        table.enter(&id, None, Some(sender), || true);
        table.forget(&id, "the store is down");
        assert!(waiter.try_recv().expect("told").is_err());
        assert_eq!(table.enter(&id, None, None, || true), Entered::New);
    }
}
