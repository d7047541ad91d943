use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What a message costs beside its payload: its identity, its entry in the in-flight table and its places in the queues.
/// Without it 64 MiB would admit endless empty messages.
const OVERHEAD: usize = 1024;

/// Bounds what is held in memory between a source and the settle: `PIPELINE_BYTES`.
#[derive(Debug, Clone)]
pub struct Budget {
    free: Arc<Semaphore>,
    capacity: usize,
}

impl Budget {
    /// A budget of `bytes`, at least enough for one empty message.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        let capacity = bytes.clamp(OVERHEAD, Semaphore::MAX_PERMITS);
        Self { free: Arc::new(Semaphore::new(capacity)), capacity }
    }

    /// The most messages that can be held at once.
    #[must_use]
    pub fn messages(&self) -> usize {
        self.capacity / OVERHEAD
    }

    /// Room for a payload of this length, or `None`. A payload larger than the whole budget is let in when nothing else is
    /// held: it could never be settled otherwise.
    #[must_use]
    pub fn take(&self, payload: usize) -> Option<OwnedSemaphorePermit> {
        let bytes = payload.saturating_add(OVERHEAD).min(self.capacity);
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        Arc::clone(&self.free).try_acquire_many_owned(bytes).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_budget_takes_nothing_until_a_permit_is_dropped() {
        let budget = Budget::new(4 * OVERHEAD);
        let first = budget.take(3 * OVERHEAD).expect("room for four units");
        assert!(budget.take(0).is_none());
        drop(first);
        assert!(budget.take(0).is_some());
    }

    #[test]
    fn empty_messages_are_bounded_too() {
        let budget = Budget::new(3 * OVERHEAD);
        let held: Vec<_> = std::iter::from_fn(|| budget.take(0)).collect();
        assert_eq!(held.len(), budget.messages());
    }

    #[test]
    fn a_message_larger_than_the_budget_is_taken_when_nothing_else_is_held() {
        let budget = Budget::new(2 * OVERHEAD);
        let other = budget.take(0).expect("room");
        assert!(budget.take(10 * OVERHEAD).is_none());
        drop(other);
        assert!(budget.take(10 * OVERHEAD).is_some());
    }
}
