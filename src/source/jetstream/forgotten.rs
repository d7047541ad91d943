use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// When an ack was last forgotten without proof. Its message comes again after the ack wait, and is acked then: so it counts for a
/// while only. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Forgotten(Arc<Mutex<Option<Instant>>>);

impl Forgotten {
    /// An ack is forgotten now.
    pub(super) fn note(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Whether one was less than this ago.
    pub(super) fn within(&self, time: Duration) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|at| at.elapsed() < time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_ack_that_was_forgotten_counts_until_its_message_had_time_to_come_again() {
        let (forgotten, wait) = (Forgotten::default(), Duration::from_secs(90));
        assert!(!forgotten.within(wait), "none was");
        forgotten.note();
        tokio::time::advance(wait - Duration::from_secs(1)).await;
        assert!(forgotten.within(wait));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(!forgotten.within(wait));
    }
}
