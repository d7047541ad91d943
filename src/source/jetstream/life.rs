use std::sync::atomic::AtomicU64;

use time::OffsetDateTime;

use super::session::Found;

/// Which life of the stream and its consumer this is. The numbers of a stream that was made anew begin at 1 again, and an ack
/// names its message by number: one that was made in a former life must not go out.
#[derive(Debug, Default)]
pub(super) struct Life {
    pub(super) number: u64,
    created: Option<[OffsetDateTime; 2]>,
    /// The greatest number delivered in it.
    pub(super) last: AtomicU64,
}

impl Life {
    /// The same life is known by when both were made, and by numbers that do not fall. What is kept in memory on one node of a
    /// cluster begins at 1 again with that node, and nothing shows of it.
    pub(super) fn goes_on_with(&mut self, found: &Found) {
        let last = *self.last.get_mut();
        let same = self.created == Some(found.created) && found.last_sequence >= last && !found.in_memory;
        if !same {
            *self = Self { number: self.number + 1, created: Some(found.created), last: AtomicU64::new(0) };
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::*;

    fn found(created: i64, last_sequence: u64) -> Found {
        let created = [0, created].map(|at| OffsetDateTime::from_unix_timestamp(at).expect("a time"));
        Found { warnings: Vec::new(), created, last_sequence, in_memory: false }
    }

    #[test]
    fn acks_of_a_stream_or_consumer_that_was_made_anew_are_of_a_former_life() {
        let mut life = Life::default();
        life.goes_on_with(&found(1, 10));
        let first = life.number;
        life.last.fetch_max(10, Ordering::Relaxed);
        life.goes_on_with(&found(1, 12));
        assert_eq!(life.number, first, "the same goes on");
        life.goes_on_with(&found(2, 12));
        assert_eq!(life.number, first + 1, "the consumer was made anew");
        life.last.fetch_max(12, Ordering::Relaxed);
        life.goes_on_with(&found(2, 11));
        assert_eq!(life.number, first + 2, "its numbers fell");
        life.goes_on_with(&Found { in_memory: true, ..found(2, 11) });
        assert_eq!(life.number, first + 3, "nothing tells whether it began again");
    }
}
