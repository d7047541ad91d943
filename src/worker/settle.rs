use std::{cmp::Reverse, collections::HashSet, ops::Range};

use time::OffsetDateTime;
use tokio::time::Instant;

use crate::{
    fail_point,
    store::{Class, Outcome, Pauses, Settlement, SourceKind, StoreError},
    telemetry::{self, Stage},
};

use super::{Lane, postponed::Failing, prepared::Prepared};

/// After so many failures in a row that the store did not answer, a batch is split as if it had: perhaps one row takes the
/// server down or keeps it busy for too long.
const SILENT_FAILURES: u32 = 3;

/// What to do after a failed settle.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    /// The store as a whole does not work: everything again, after a pause.
    Wait,
    /// Some row of several is to blame: halves.
    Split,
    /// The row itself may be to blame: once more alone.
    Again,
    /// The row can never be stored.
    Refuse,
    /// The row fails for now: leave it in the inbox if the store takes other writes.
    Postpone,
}

/// What is known of a failure beside the error.
#[derive(Debug, Clone, Copy)]
struct Failure {
    /// How many rows were to be settled.
    rows: usize,
    /// The store has not answered for this batch again and again, and yet answers a ping.
    silenced: bool,
    /// The same row has failed alone before.
    alone_before: bool,
    /// The row is an order, so it can still become a dead letter.
    sound: bool,
}

/// Sorts a failure by what a retry would do.
fn next(error: &StoreError, failure: Failure) -> Next {
    let blamed_on_rows = error.answered || failure.silenced;
    match (blamed_on_rows, failure.rows, error.class) {
        (false, _, _) => Next::Wait,
        (true, 2.., _) => Next::Split,
        (true, _, Class::Data) if !failure.alone_before => Next::Again,
        (true, _, Class::Data) if failure.sound => Next::Refuse,
        // What is a dead letter already and is refused as one can't be made another.
        (true, _, Class::Data) => Next::Postpone,
        // A duplicate message id cannot come out of a settle, whose inserts all skip what is there; were it to, the row would
        // be no different from one that fails for now.
        (true, _, Class::Redelivery | Class::Transient) => Next::Postpone,
    }
}

impl Lane {
    /// Settles a batch, splitting it where the store refuses it, and waiting where the store does not work. Returns the rows
    /// that fail alone for now, in ascending order.
    pub(super) async fn settle(&self, batch: &mut [Prepared<'_>]) -> Vec<Failing> {
        let mut failing = Vec::new();
        let (mut pauses, mut silent, mut alone) = (Pauses::default(), 0, None);
        // The ranges that are left, the next one last. Together they always reach from the next one's start to the end.
        let mut left = Vec::from([Range { start: 0, end: batch.len() }]);
        while let Some(range) = left.pop() {
            let error = match self.try_settle(&batch[range.clone()]).await {
                Ok(()) => {
                    (pauses, silent) = (Pauses::default(), 0);
                    continue;
                }
                Err(error) => error,
            };
            silent = if error.answered { 0 } else { silent + 1 };
            let failure = Failure {
                rows: range.len(),
                silenced: silent >= SILENT_FAILURES && self.store.ping().await.is_ok(),
                alone_before: alone == Some(range.start),
                sound: batch[range.start].order_uid().is_some(),
            };
            let works = match next(&error, failure) {
                Next::Wait => false,
                Next::Split => {
                    telemetry::batch_split();
                    let middle = range.start + range.len() / 2;
                    left.extend([middle..range.end, range.start..middle]);
                    true
                }
                Next::Again => {
                    alone = Some(range.start);
                    left.push(range.clone());
                    true
                }
                Next::Refuse => {
                    batch[range.start].refuse(&error);
                    left.push(range.clone());
                    true
                }
                // The attempt is a write: where it fails too, it is not the row's fault.
                Next::Postpone => match self.store.postpone(batch[range.start].held.row.id).await {
                    Ok(attempts) => {
                        failing.push(Failing { place: range.start, attempts, error: error.to_string() });
                        true
                    }
                    Err(_) => false,
                },
            };
            if !works {
                self.health.down(error.to_string());
                telemetry::retried(Stage::Settle);
                left = Vec::from([Range { start: range.start, end: batch.len() }]);
                pauses.wait().await;
            }
        }
        failing
    }

    /// One transaction, and after its commit the news for readers and the acks, in this order: who has an ack may read.
    async fn try_settle(&self, batch: &[Prepared<'_>]) -> Result<(), StoreError> {
        let started = Instant::now();
        let settlements: Vec<Settlement<'_>> = batch.iter().map(Prepared::settlement).collect();
        match self.store.settle(&settlements).await {
            Ok(outcomes) => {
                telemetry::committed(Stage::Settle, started.elapsed());
                telemetry::batch(Stage::Settle, batch.len());
                self.health.up();
                self.publish(batch, &outcomes, started);
                fail_point::reach("before_ack").await;
                self.acknowledge(batch, &outcomes);
                Ok(())
            }
            Err(error) => {
                telemetry::store_error(error.class);
                if !error.answered {
                    // It may have committed: what the cache says of these uids can be old.
                    for uid in batch.iter().filter_map(Prepared::order_uid) {
                        self.cache.remove(uid);
                    }
                }
                Err(error)
            }
        }
    }

    fn publish(&self, batch: &[Prepared<'_>], outcomes: &[Option<Outcome>], began: Instant) {
        // What the store has refused is no order.
        let mut news: Vec<_> = batch
            .iter()
            .zip(outcomes)
            .filter(|(_, outcome)| **outcome != Some(Outcome::Rejected))
            .filter_map(|(prepared, outcome)| Some((prepared, prepared.order_uid()?, *outcome)))
            .collect();
        // Of several messages of one uid the newest is what the store says now, and readers hear of no other.
        news.sort_unstable_by_key(|(prepared, ..)| Reverse(prepared.rank()));
        let mut told = HashSet::new();
        for (prepared, uid, outcome) in news {
            if told.insert(uid) {
                match outcome {
                    // The store says this, for `Unchanged` perhaps by somebody else's commit: who gets this ack may read it.
                    Some(Outcome::Applied | Outcome::Replaced | Outcome::Unchanged) => {
                        self.cache.put(uid, &prepared.held.row.message.payload, began);
                    }
                    // The store says something that this process need not have heard of: newer, or settled by somebody else.
                    _ => self.cache.remove(uid),
                }
            }
        }
        let now = OffsetDateTime::now_utc();
        let visible = batch
            .iter()
            .zip(outcomes)
            .filter(|(_, outcome)| matches!(outcome, Some(Outcome::Applied | Outcome::Replaced)));
        telemetry::visible_after(visible.filter_map(|(prepared, _)| prepared.since_publication(now)));
    }

    fn acknowledge(&self, batch: &[Prepared<'_>], outcomes: &[Option<Outcome>]) {
        for outcome in Outcome::ALL {
            let messages = outcomes.iter().filter(|settled| **settled == Some(outcome)).count();
            telemetry::settled(outcome, messages as u64);
        }
        for (prepared, outcome) in batch.iter().zip(outcomes) {
            if let Some(outcome) = outcome {
                if prepared.held.row.message.source == SourceKind::Replay {
                    telemetry::replayed(*outcome);
                }
                prepared.count(*outcome);
            }
        }
        let ids = batch.iter().map(|prepared| &prepared.held.row.message.message_id);
        let acked: Vec<_> = ids.filter_map(|message_id| self.in_flight.settled(message_id)).collect();
        telemetry::acked_after(acked.into_iter().map(|acked| (acked.after, acked.wait)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(class: Class, answered: bool) -> StoreError {
        StoreError { transaction: "settle", class, answered, code: None, message: "test".to_owned() }
    }

    const MANY: Failure = Failure { rows: 1000, silenced: false, alone_before: false, sound: true };
    const ALONE: Failure = Failure { rows: 1, ..MANY };

    #[test]
    fn a_store_that_does_not_answer_is_waited_for_and_no_row_is_blamed() {
        for failure in [MANY, ALONE, Failure { alone_before: true, ..ALONE }] {
            assert_eq!(next(&error(Class::Transient, false), failure), Next::Wait);
        }
    }

    #[test]
    fn a_batch_that_silences_a_store_which_answers_otherwise_is_split() {
        let silent = error(Class::Transient, false);
        assert_eq!(next(&silent, Failure { silenced: true, ..MANY }), Next::Split);
        assert_eq!(next(&silent, Failure { silenced: true, ..ALONE }), Next::Postpone);
    }

    #[test]
    fn an_answered_failure_splits_a_batch_whatever_its_class() {
        for class in Class::ALL {
            assert_eq!(next(&error(class, true), Failure { rows: 2, ..MANY }), Next::Split);
        }
    }

    #[test]
    fn a_row_is_refused_only_when_its_data_fail_alone_twice() {
        let again = Failure { alone_before: true, ..ALONE };
        assert_eq!(next(&error(Class::Data, true), ALONE), Next::Again);
        assert_eq!(next(&error(Class::Data, true), again), Next::Refuse);
        assert_eq!(next(&error(Class::Transient, true), again), Next::Postpone);
    }

    #[test]
    fn a_dead_letter_that_the_store_refuses_is_not_refused_for_ever() {
        let dead = Failure { alone_before: true, sound: false, ..ALONE };
        assert_eq!(next(&error(Class::Data, true), dead), Next::Postpone);
    }
}
