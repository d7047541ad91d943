use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What a message costs beside its payload: its identity, its entry in the in-flight table and its places in the queues.
/// Without it 64 MiB would admit endless empty messages.
const OVERHEAD: usize = 1024;

/// What may be asked for at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// So many messages.
    pub messages: usize,
    /// With payloads of so many bytes together.
    pub bytes: usize,
}

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

    /// How much a source may ask for now, and again when half of that has come, so that all of it fits whatever its sizes.
    ///
    /// A quarter of what is free goes to the payloads and a quarter to the overhead of as many messages. With half of that
    /// here, 3/4 at least is free, half of which is asked for anew: with the 1/4 that is still to come less than there is.
    #[must_use]
    pub fn room(&self) -> Room {
        let quarter = self.free.available_permits() / 4;
        Room { messages: quarter / OVERHEAD, bytes: quarter }
    }

    /// Waits until there is room for a few messages, or for one where there is never room for more.
    pub async fn until_room(&self) {
        let few = (4 * OVERHEAD).min(self.capacity);
        let few = u32::try_from(few).expect("it is 4 KiB at most");
        // The semaphore is never closed.
        drop(self.free.acquire_many(few).await);
    }

    /// Waits until there is room for a payload of this length, and says the longest that there is room for then; `None` when
    /// nothing is held, so that any length is let in. What becomes free meanwhile is kept for it.
    pub async fn until_room_for(&self, payload: usize) -> Option<usize> {
        let bytes = payload.saturating_add(OVERHEAD).min(self.capacity);
        // The semaphore is never closed.
        let held = self.free.acquire_many(u32::try_from(bytes).unwrap_or(u32::MAX)).await.ok()?;
        let free = self.free.available_permits() + held.num_permits();
        (free < self.capacity).then(|| free - OVERHEAD)
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
    fn what_is_asked_for_by_the_room_fits_though_it_is_asked_for_twice() {
        let budget = Budget::new(64 * OVERHEAD);
        let first = budget.room();
        let mut held = Vec::new();
        let mut take = |room: Room, share: usize| {
            for _ in 0..room.messages / share {
                held.push(budget.take(room.bytes / room.messages).expect("it was asked for by the room"));
            }
        };
        take(first, 2);
        let second = budget.room();
        take(first, 2);
        take(second, 1);
    }

    #[tokio::test]
    async fn room_is_there_when_a_few_messages_fit() {
        let budget = Budget::new(6 * OVERHEAD);
        let held: Vec<_> = std::iter::from_fn(|| budget.take(0)).collect();
        assert_eq!(budget.room(), Room { messages: 0, bytes: 0 });
        let (waited, ()) = tokio::join!(budget.until_room(), async { drop(held) });
        assert_eq!((waited, budget.room().messages), ((), 1));
        Budget::new(1).until_room().await;
    }

    #[tokio::test]
    async fn what_is_waited_for_fits_and_any_length_does_when_nothing_is_held() {
        let budget = Budget::new(8 * OVERHEAD);
        let (small, large) = (budget.take(0).expect("room"), budget.take(3 * OVERHEAD));
        assert_eq!(budget.until_room_for(2 * OVERHEAD).await, Some(2 * OVERHEAD));
        let (fits, ()) = tokio::join!(budget.until_room_for(5 * OVERHEAD), async { drop(large) });
        assert_eq!(fits, Some(6 * OVERHEAD));
        drop(budget.take(6 * OVERHEAD).expect("it was said to fit"));
        let (fits, ()) = tokio::join!(budget.until_room_for(9 * OVERHEAD), async { drop(small) });
        assert_eq!(fits, None);
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
